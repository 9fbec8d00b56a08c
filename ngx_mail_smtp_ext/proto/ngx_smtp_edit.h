
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Edits the header section of a message while it goes by: fields are left
 * out, replaced, added.  Which, is said by the functions of whoever edits;
 * what they let pass goes on as it lies, in pieces as large as they came.
 * Pure.
 */


#ifndef _NGX_SMTP_EDIT_H_INCLUDED_
#define _NGX_SMTP_EDIT_H_INCLUDED_


#include <ngx_smtp_fold.h>


/*
 * Octets of a field that can be held back until it is known whole.  Enough for
 * any that is read by a machine; a name has to be shorter than that.
 */
#define NGX_SMTP_EDIT_HOLD  4096


typedef struct ngx_smtp_edit_s  ngx_smtp_edit_t;


typedef enum {
    NGX_SMTP_EDIT_PASS = 0,      /* stays as it is */
    NGX_SMTP_EDIT_WATCH,         /* stays, and is shown meanwhile */
    NGX_SMTP_EDIT_HOLD_BACK,     /* is shown when it is whole */
    NGX_SMTP_EDIT_DROP
} ngx_smtp_edit_e;


/*
 * All of them may call ngx_smtp_edit_put().  Those that a _begin() never asks
 * for may be NULL.
 */
typedef struct {

    /* a field of this name begins, the edit->field-th; nothing of it has been
       written: what is put comes before it */
    ngx_smtp_edit_e  (*begin)(ngx_smtp_edit_t *edit, ngx_str_t *name);

    /* WATCH: octets of its body, as they come, line ends among them */
    void             (*body)(ngx_smtp_edit_t *edit, u_char *p, u_char *last);

    /*
     * WATCH: it is over; field is NULL, the result does not matter, what is
     * put comes behind it.
     * HOLD_BACK: the whole field with its line end (if there is one); name_len
     * octets of it are before the colon.  PASS or DROP; what is put comes
     * before it.  field is NULL when it is longer than NGX_SMTP_EDIT_HOLD: the
     * result is for what has come and for what will.
     */
    ngx_smtp_edit_e  (*end)(ngx_smtp_edit_t *edit, ngx_str_t *field);

    /* the section is over: what is put are its last fields */
    void             (*last)(ngx_smtp_edit_t *edit);

} ngx_smtp_edit_handlers_t;


struct ngx_smtp_edit_s {
    const ngx_smtp_edit_handlers_t  *handlers;
    void                           (*write)(void *data, u_char *p,
                                            size_t len);
    void                            *data;
    ngx_smtp_fold_t                 *fold;   /* of long lines; NULL: none */

    ngx_uint_t                       field;  /* 0, 1, ...: the present one, or
                                                how many there were */
    size_t                           name_len;
    ngx_uint_t                       dots;   /* lines put that begin so */

    unsigned                         done:1; /* the section is over */

    /* private */
    ngx_uint_t                       state;
    ngx_smtp_edit_e                  mode;
    u_char                          *from;   /* what has passed and is not */
    u_char                          *to;     /* written yet */
    size_t                           len;    /* of hold */
    u_char                           hold[NGX_SMTP_EDIT_HOLD];

    unsigned                         begun:1;
};


/*
 * Takes the next piece of the content and writes what becomes of it.  Zero the
 * structure and set handlers, write, data and fold before.  Once done is set
 * there is nothing more to edit: the rest may go by without it.
 *
 * A line that begins with a dot begins a write, if it has begun a piece, or was
 * put: who stuffs dots need not look for others.
 *
 * The section ends at an empty line, or at a line that is neither a field nor
 * folded; then an empty line is put before that.
 */
void ngx_smtp_edit_feed(ngx_smtp_edit_t *edit, u_char *p, u_char *last);

/*
 * The content has ended.  1: inside of the header section, and it has a line
 * end now, if it had none; 0: inside of the body.
 */
ngx_uint_t ngx_smtp_edit_end(ngx_smtp_edit_t *edit);

/* from a handler: writes whole fields, with their line ends */
void ngx_smtp_edit_put(ngx_smtp_edit_t *edit, u_char *p, size_t len);


#endif /* _NGX_SMTP_EDIT_H_INCLUDED_ */
