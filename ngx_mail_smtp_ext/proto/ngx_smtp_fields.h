
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A header section in memory as a list of its fields, which can be added,
 * inserted, changed and deleted one after the other, and written again.  Pure.
 */


#ifndef _NGX_SMTP_FIELDS_H_INCLUDED_
#define _NGX_SMTP_FIELDS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t     text;          /* all of it, with its line end if it has
                                    one: the last of a message may not */
    size_t        name_len;      /* without white space behind it */
    size_t        colon;         /* where it is in text */
} ngx_smtp_field_t;


typedef struct {
    ngx_smtp_field_t  *list;     /* the caller's, with room for max */
    ngx_uint_t         max;
    ngx_uint_t         n;
    ngx_str_t          rest;     /* the empty line, if there is one; or what
                                    looked like a field, and is none */
} ngx_smtp_fields_t;


/* no more fields than that are in a section */
ngx_uint_t ngx_smtp_fields_count(ngx_str_t *text);

/*
 * Takes text apart: a header section as ngx_smtp_header_feed() measures it.
 * Set list and max before; text has to stay.  NGX_OK or NGX_DECLINED: there are
 * more than max.
 */
ngx_int_t ngx_smtp_fields_parse(ngx_smtp_fields_t *fields, ngx_str_t *text);

/*
 * A new field, behind the index-th one (0: the first), or the last if there
 * are not so many.  buf, with room for ngx_smtp_fields_room() octets, has to
 * stay.  Lines that are too long are folded.  NGX_OK or NGX_DECLINED: no field
 * can have that name, that value, or such a long word in it, or there are max.
 */
#define ngx_smtp_fields_room(name, value)                                    \
    (2 * ((name)->len + (value)->len + sizeof(": " CRLF)))

ngx_int_t ngx_smtp_fields_insert(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name, ngx_str_t *value, u_char *buf);

/* another value of the index-th with this name, from 1 on; if there is none
   it becomes the last field.  As _insert() */
ngx_int_t ngx_smtp_fields_change(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name, ngx_str_t *value, u_char *buf);

/* without the index-th of this name, if there is one */
void ngx_smtp_fields_delete(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name);

/*
 * Writes the section as it is now, at most ngx_smtp_fields_size() octets, and
 * returns the end.  follows: there is content behind it, which has to be set
 * off by an empty line.
 */
size_t ngx_smtp_fields_size(ngx_smtp_fields_t *fields);
u_char *ngx_smtp_fields_join(ngx_smtp_fields_t *fields, ngx_uint_t follows,
    u_char *p);


#endif /* _NGX_SMTP_FIELDS_H_INCLUDED_ */
