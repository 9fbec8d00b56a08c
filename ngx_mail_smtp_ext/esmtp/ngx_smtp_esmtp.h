
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Service extensions: one descriptor each, in one file that holds both
 * directions, listed in ngx_smtp_esmtp_table.c.
 */


#ifndef _NGX_SMTP_ESMTP_H_INCLUDED_
#define _NGX_SMTP_ESMTP_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_param.h>


#define NGX_SMTP_EXT_PIPELINING  0x0001
#define NGX_SMTP_EXT_SIZE        0x0002
#define NGX_SMTP_EXT_8BITMIME    0x0004
#define NGX_SMTP_EXT_ENHANCED    0x0008
#define NGX_SMTP_EXT_STARTTLS    0x0010
#define NGX_SMTP_EXT_AUTH        0x0020
#define NGX_SMTP_EXT_CHUNKING    0x0040


/* what a next hop said in its reply to EHLO */
typedef struct {
    ngx_uint_t   extensions;     /* NGX_SMTP_EXT_* */
    off_t        size;           /* its limit; 0: none stated */
} ngx_smtp_caps_t;


typedef struct {
    char        *name;           /* upper case */

    /* value.data is NULL without "="; of RCPT's, tx->rcpt is meant; NGX_OK,
       or NGX_ERROR: 501 is due; NGX_DONE: a reply has been made */
    ngx_int_t  (*parse)(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
                        ngx_str_t *value);
} ngx_smtp_esmtp_param_t;


typedef struct {
    ngx_str_t                      keyword;
    ngx_uint_t                     bit;

    /*
     * Towards the client.  Writes the keyword's parameters, with a space in
     * front, to *p (at most end).  NGX_OK: offered; NGX_DECLINED: not now, and
     * its parameters are unknown then.
     */
    ngx_int_t                    (*advertise)(ngx_smtp_session_t *s,
                                              u_char **p, u_char *end);
    const ngx_smtp_esmtp_param_t  *mail;     /* ends with a NULL name */
    const ngx_smtp_esmtp_param_t  *rcpt;

    /* Towards the next hop; each may be NULL. */

    /* its EHLO line with this keyword */
    void                         (*answer)(ngx_smtp_caps_t *caps,
                                           ngx_str_t *args);

    /* writes the parameters of MAIL, each with a space in front, when the
       next hop has the extension; returns the end */
    u_char                      *(*emit_mail)(ngx_smtp_caps_t *caps,
                                              ngx_smtp_tx_t *tx, u_char *p,
                                              u_char *end);

    /* the same for RCPT of rcpt */
    u_char                      *(*emit_rcpt)(ngx_smtp_caps_t *caps,
                                              ngx_smtp_tx_t *tx,
                                              ngx_smtp_rcpt_t *rcpt,
                                              u_char *p, u_char *end);

    /* may this message go there?  NGX_OK, or NGX_DECLINED with the verdict
       set; asked whether the next hop has the extension or not */
    ngx_int_t                    (*check)(ngx_smtp_caps_t *caps,
                                          ngx_smtp_tx_t *tx,
                                          ngx_smtp_verdict_t *verdict);
} ngx_smtp_esmtp_t;


/* the last row is NULL */
extern const ngx_smtp_esmtp_t *const  ngx_smtp_esmtp_table[];


/* the longest list of parameters that emit_mail() of all can write */
#define NGX_SMTP_ESMTP_MAIL_MAX  1024
#define NGX_SMTP_ESMTP_RCPT_MAX  1024


/* replies to EHLO with what is offered now */
void ngx_smtp_esmtp_reply(ngx_smtp_session_t *s);

/*
 * Reads the parameters of MAIL (or RCPT, when rcpt is set) from p on.  NGX_OK,
 * or NGX_DONE when a negative reply has been made.
 */
ngx_int_t ngx_smtp_esmtp_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, u_char *p, u_char *last);

/* the next hop's side */
void ngx_smtp_esmtp_answer(ngx_smtp_caps_t *caps, ngx_str_t *line);
u_char *ngx_smtp_esmtp_emit_mail(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end);
u_char *ngx_smtp_esmtp_emit_rcpt(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end);
ngx_int_t ngx_smtp_esmtp_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict);


#endif /* _NGX_SMTP_ESMTP_H_INCLUDED_ */
