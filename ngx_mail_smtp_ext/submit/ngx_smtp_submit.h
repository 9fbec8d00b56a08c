
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What is asked of a message because it is submitted, RFC 6409, and not
 * relayed.
 */


#ifndef _NGX_SMTP_SUBMIT_H_INCLUDED_
#define _NGX_SMTP_SUBMIT_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_senders.h>


/* whose sender addresses are checked */
#define NGX_SMTP_SUBMIT_SENDER_OFF     0
#define NGX_SMTP_SUBMIT_SENDER_LISTED  1     /* users with Auth-Senders */
#define NGX_SMTP_SUBMIT_SENDER_ON      2


typedef struct {
    ngx_uint_t   sender_check;       /* NGX_SMTP_SUBMIT_SENDER_* */
    ngx_str_t    sender_domain;      /* of names that are no addresses; "any",
                                        "none", or a domain */
    ngx_str_t    sender_delimiter;   /* a character, or "off" */
    ngx_flag_t   qualified;
} ngx_smtp_submit_conf_t;


extern ngx_module_t  ngx_mail_smtp_ext_submit_module;


/*
 * May the user of this session have that address as a sender?  Of one who is
 * not authenticated, nobody knows better: 1.
 */
ngx_uint_t ngx_smtp_submit_fits(ngx_smtp_session_t *s,
    ngx_smtp_path_t *mailbox);

/*
 * RFC 6409, 2.1 and 4.2: is the domain, as far as can be told from it, a whole
 * one?  So is an address literal, and what is empty (<Postmaster>).
 */
ngx_uint_t ngx_smtp_submit_qualified(ngx_str_t *domain);


/* handlers of the phases */
ngx_int_t ngx_smtp_submit_mail_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_submit_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_SUBMIT_H_INCLUDED_ */
