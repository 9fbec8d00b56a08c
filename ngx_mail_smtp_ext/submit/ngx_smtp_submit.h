
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


/* smtp_from_check */
#define NGX_SMTP_SUBMIT_FROM_OFF       0
#define NGX_SMTP_SUBMIT_FROM_SENDER    1     /* Sender says who it was */
#define NGX_SMTP_SUBMIT_FROM_REJECT    2


/* smtp_header_repair */
#define NGX_SMTP_SUBMIT_REPAIR_OFF     0x01
#define NGX_SMTP_SUBMIT_REPAIR_DATE    0x02
#define NGX_SMTP_SUBMIT_REPAIR_ID      0x04
#define NGX_SMTP_SUBMIT_REPAIR_FROM    0x08
#define NGX_SMTP_SUBMIT_REPAIR_BCC     0x10
#define NGX_SMTP_SUBMIT_REPAIR_PATH    0x20
#define NGX_SMTP_SUBMIT_REPAIR_ALL     0x3e


typedef struct {
    ngx_uint_t   sender_check;       /* NGX_SMTP_SUBMIT_SENDER_* */
    ngx_str_t    sender_domain;      /* of names that are no addresses; "any",
                                        "none", or a domain */
    ngx_str_t    sender_delimiter;   /* a character, or "off" */
    ngx_flag_t   qualified;
    ngx_flag_t   header_check;
    ngx_uint_t   header_repair;      /* bits */
    ngx_flag_t   header_fold;
    ngx_uint_t   from_check;         /* NGX_SMTP_SUBMIT_FROM_* */
} ngx_smtp_submit_conf_t;


extern ngx_module_t  ngx_mail_smtp_ext_submit_module;


/*
 * May the user of this session have that address as a sender?  Of one who is
 * not authenticated, nobody knows better: 1.
 */
ngx_uint_t ngx_smtp_submit_fits(ngx_smtp_session_t *s,
    ngx_smtp_path_t *mailbox);

/* 0: and of anybody else in this session nobody cares */
ngx_uint_t ngx_smtp_submit_checked(ngx_smtp_session_t *s);

/*
 * The address of who hands in the message: the sender's, else one of the
 * user's.  Writes NGX_SMTP_PATH_MAX octets at the most to addr->data.
 * NGX_OK, or NGX_DECLINED: there is none that could stand in its header.
 */
ngx_int_t ngx_smtp_submit_address(ngx_smtp_tx_t *tx, ngx_str_t *addr);

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
ngx_int_t ngx_smtp_submit_open_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_SUBMIT_H_INCLUDED_ */
