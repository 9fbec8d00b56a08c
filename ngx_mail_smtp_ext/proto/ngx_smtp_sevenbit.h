
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A message with 8-bit octets made one without: bodies of MIME parts that have
 * some are encoded, RFC 2045, 6, and nothing else is changed.  Pure; fed with
 * content (dot-stuffing undone) in pieces of any size, twice: once to look
 * what is to be done, once to do it.
 */


#ifndef _NGX_SMTP_SEVENBIT_H_INCLUDED_
#define _NGX_SMTP_SEVENBIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* parts of one message, and how deep they lie; messages with more stay */
#define NGX_SMTP_SEVENBIT_PARTS     1024
#define NGX_SMTP_SEVENBIT_DEPTH     16

/* RFC 2046, 5.1.1: at most 70 */
#define NGX_SMTP_SEVENBIT_BOUNDARY  128

/* what is kept of a line that was cut, and of the value of a header field */
#define NGX_SMTP_SEVENBIT_LINE      1024

#define NGX_SMTP_SEVENBIT_OUT       4096


/* takes what comes out; NGX_OK, or NGX_ERROR: no more of it */
typedef ngx_int_t (*ngx_smtp_sevenbit_pt)(void *data, u_char *p, size_t len);


/* a multipart that is open */
typedef struct {
    u_char                 boundary[NGX_SMTP_SEVENBIT_BOUNDARY];
    size_t                 len;
    ngx_uint_t             message;      /* the one that it is in */
    unsigned               digest:1;     /* its parts are messages */
    unsigned               sealed:1;     /* nothing in it may be changed */
} ngx_smtp_sevenbit_multipart_t;


/* of a header section */
typedef struct {
    ngx_uint_t             type;
    ngx_uint_t             cte;
    u_char                 boundary[NGX_SMTP_SEVENBIT_BOUNDARY];
    size_t                 boundary_len;
    ngx_uint_t             types;        /* fields of the name */
    ngx_uint_t             ctes;
    ngx_uint_t             versions;
    unsigned               signature:1;  /* multipart/signed */
    unsigned               digest:1;     /* multipart/digest */
    unsigned               fields:1;     /* there is one at all */
} ngx_smtp_sevenbit_header_t;


typedef struct {
    ngx_smtp_sevenbit_pt             out;    /* NULL: looking */
    void                            *data;

    ngx_uint_t                       state;
    ngx_uint_t                       parts;      /* that have begun */
    ngx_uint_t                       part;       /* the present one */
    ngx_uint_t                       message;    /* the one that it is in */
    u_char                           plan[NGX_SMTP_SEVENBIT_PARTS];

    ngx_uint_t                       depth;
    ngx_smtp_sevenbit_multipart_t    open[NGX_SMTP_SEVENBIT_DEPTH];

    ngx_smtp_sevenbit_header_t       header;
    ngx_uint_t                       field;      /* that is being read */
    size_t                           value_len;
    u_char                           value[NGX_SMTP_SEVENBIT_LINE];

    /* of a part's body */
    off_t                            size;
    off_t                            eight;      /* 8-bit octets in it */
    ngx_uint_t                       col;        /* of the line that is
                                                    written */
    ngx_uint_t                       nbits;      /* octets in bits */
    uint32_t                         bits;
    u_char                           space;      /* not yet written, or 0 */

    size_t                           len;        /* of the line, cut off */
    u_char                           line[NGX_SMTP_SEVENBIT_LINE];

    size_t                           used;       /* of buf */
    u_char                           buf[NGX_SMTP_SEVENBIT_OUT];

    unsigned                         begun:1;    /* part of line is gone */
    unsigned                         digest:1;   /* part is a message unless
                                                    it says what it is */
    unsigned                         sealed:1;   /* part must not change */
    unsigned                         found:1;    /* an 8-bit octet */
    unsigned                         stuck:1;    /* ... in the wrong place, or
                                                    it is not understood */
    unsigned                         eof:1;
    unsigned                         crlf:1;     /* not yet written */
    unsigned                         err:1;
} ngx_smtp_sevenbit_t;


/* looks at the next piece; zero the structure before a message */
void ngx_smtp_sevenbit_feed(ngx_smtp_sevenbit_t *sb, u_char *p, u_char *last);

/*
 * The content has ended.  NGX_DONE: there is no 8-bit octet in it.  NGX_OK: it
 * can be converted.  NGX_DECLINED: it can't, without breaking something.
 */
ngx_int_t ngx_smtp_sevenbit_looked(ngx_smtp_sevenbit_t *sb);

/* to be fed with the same again, which comes out converted */
void ngx_smtp_sevenbit_rewind(ngx_smtp_sevenbit_t *sb,
    ngx_smtp_sevenbit_pt out, void *data);

/* it has been; NGX_OK, or NGX_ERROR as out() said */
ngx_int_t ngx_smtp_sevenbit_end(ngx_smtp_sevenbit_t *sb);


#endif /* _NGX_SMTP_SEVENBIT_H_INCLUDED_ */
