
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
#include <ngx_smtp_datetime.h>


#define NGX_SMTP_EXT_PIPELINING  0x0001
#define NGX_SMTP_EXT_SIZE        0x0002
#define NGX_SMTP_EXT_8BITMIME    0x0004
#define NGX_SMTP_EXT_ENHANCED    0x0008
#define NGX_SMTP_EXT_STARTTLS    0x0010
#define NGX_SMTP_EXT_AUTH        0x0020
#define NGX_SMTP_EXT_CHUNKING    0x0040
#define NGX_SMTP_EXT_SMTPUTF8    0x0100
#define NGX_SMTP_EXT_BINARYMIME  0x0200
#define NGX_SMTP_EXT_DSN         0x0400
#define NGX_SMTP_EXT_LIMITS      0x0800
#define NGX_SMTP_EXT_REQUIRETLS  0x1000
#define NGX_SMTP_EXT_PRIORITY    0x2000
#define NGX_SMTP_EXT_DELIVERBY   0x4000
#define NGX_SMTP_EXT_RELEASE     0x8000
#define NGX_SMTP_EXT_RRVS        0x10000
#define NGX_SMTP_EXT_SOLICITING  0x20000
#define NGX_SMTP_EXT_MTRK        0x40000
#define NGX_SMTP_EXT_XCLIENT     0x80000
#define NGX_SMTP_EXT_XFORWARD    0x100000
#define NGX_SMTP_EXT_PRDR        0x200000
#define NGX_SMTP_EXT_VRFY        0x1000000
#define NGX_SMTP_EXT_EXPN        0x2000000
#define NGX_SMTP_EXT_ETRN        0x4000000
#define NGX_SMTP_EXT_HELP        0x8000000


/* attributes of XCLIENT, in the order in which EHLO names them */
typedef enum {
    NGX_SMTP_XCLIENT_NAME = 0,
    NGX_SMTP_XCLIENT_ADDR,
    NGX_SMTP_XCLIENT_PORT,
    NGX_SMTP_XCLIENT_PROTO,
    NGX_SMTP_XCLIENT_HELO,
    NGX_SMTP_XCLIENT_REVERSE_NAME,
    NGX_SMTP_XCLIENT_LOGIN,
    NGX_SMTP_XCLIENT_DESTADDR,
    NGX_SMTP_XCLIENT_DESTPORT,
    NGX_SMTP_XCLIENT_MAX
} ngx_smtp_xclient_e;


/* mechanisms that a next hop offers, and that smtp_pass_auth_methods knows */
#define NGX_SMTP_CAP_PLAIN        0x0002
#define NGX_SMTP_CAP_LOGIN        0x0004
#define NGX_SMTP_CAP_CRAM_MD5     0x0008
#define NGX_SMTP_CAP_XOAUTH2      0x0010
#define NGX_SMTP_CAP_OAUTHBEARER  0x0020


/*
 * What a next hop said in its reply to EHLO, or what a destination that is
 * none is able to do.
 */
struct ngx_smtp_caps_s {
    ngx_uint_t   extensions;     /* NGX_SMTP_EXT_* */
    off_t        size;           /* its limit; 0: none stated */
    ngx_uint_t   auth;           /* NGX_SMTP_CAP_* */
    ngx_uint_t   xclient;        /* 1 << NGX_SMTP_XCLIENT_* */
    ngx_uint_t   xforward;       /* 1 << NGX_SMTP_XFORWARD_* */

    /* LIMITS; 0: none stated */
    ngx_uint_t   rcpt_max;       /* RCPT in a transaction */
    ngx_uint_t   mail_max;       /* MAIL in a session */
    ngx_uint_t   domain_max;     /* domains of recipients in a session */

    time_t       by_min;         /* DELIVERBY: least time for R */
    time_t       hold_max;       /* FUTURERELEASE: longest time, 0: none */
    time_t       hold_until;     /* ... latest date */

    unsigned     known:1;        /* it has been asked */
    unsigned     fixed:1;        /* it can't change: the destination is ours */
    unsigned     secure:1;       /* by TLS with a verified certificate */
    unsigned     logged_in:1;    /* we are, there */
};


typedef struct {
    char        *name;           /* upper case */

    /*
     * value.data is NULL without "="; of RCPT's, tx->rcpt is meant; makes no
     * reply.  NGX_OK, or NGX_ERROR: 501 is due; NGX_DECLINED: 555, since the
     * value belongs to an extension that is not offered; NGX_DONE:
     * tx->param_reply is.
     */
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


/* smtp_extensions of a server{} */
typedef struct {
    ngx_uint_t                     set;      /* those that it names */
    ngx_uint_t                     on;
    ngx_uint_t                     next_hop;
} ngx_smtp_esmtp_conf_t;


/* have directives of their own, or no server can do without them */
#define NGX_SMTP_ESMTP_FIXED                                                 \
    (NGX_SMTP_EXT_STARTTLS|NGX_SMTP_EXT_AUTH|NGX_SMTP_EXT_ENHANCED           \
     |NGX_SMTP_EXT_XCLIENT|NGX_SMTP_EXT_XFORWARD                              \
     |NGX_SMTP_EXT_VRFY|NGX_SMTP_EXT_EXPN|NGX_SMTP_EXT_ETRN)

/* only as the next hop, or not at all: it is the one to hold messages */
#define NGX_SMTP_ESMTP_NOT_OURS  NGX_SMTP_EXT_RELEASE

/*
 * As the next hop, unless configured: what is declared so can't be converted,
 * and a client that knows that sends it otherwise.
 */
#define NGX_SMTP_ESMTP_NEXT_HOP  NGX_SMTP_EXT_BINARYMIME

/* off unless configured: they promise what is up to others */
#define NGX_SMTP_ESMTP_OFF                                                   \
    (NGX_SMTP_EXT_PRIORITY|NGX_SMTP_EXT_DELIVERBY|NGX_SMTP_EXT_RELEASE       \
     |NGX_SMTP_EXT_RRVS|NGX_SMTP_EXT_SOLICITING|NGX_SMTP_EXT_MTRK)


/* the last row is NULL */
extern const ngx_smtp_esmtp_t *const  ngx_smtp_esmtp_table[];


/*
 * The longest list of parameters that emit_mail(), emit_rcpt() of all can
 * write.  MAIL: SOLICIT 1007, AUTH 505, ENVID 107, MTRK 102, HOLDUNTIL 36, SIZE
 * 26, BY 17, PRDR 5, BODY 16, MT-PRIORITY 15, REQUIRETLS 11, RET 9, SMTPUTF8 9.
 * RCPT: ORCPT 507, NOTIFY 36, RRVS 33.
 */
#define NGX_SMTP_ESMTP_MAIL_MAX  2048
#define NGX_SMTP_ESMTP_RCPT_MAX  640


/*
 * smtp_extensions has not switched it off, and destinations are up to it; 0:
 * neither it nor its commands are there.
 */
ngx_uint_t ngx_smtp_esmtp_enabled(ngx_smtp_session_t *s, ngx_uint_t bit);

/*
 * 0: verb is the command of an extension that is not enabled, or with offered
 * not in the reply to EHLO now.
 */
ngx_uint_t ngx_smtp_esmtp_command(ngx_smtp_session_t *s,
    const ngx_str_t *verb, ngx_uint_t offered);

/*
 * For parse(): keeps a copy of value in param, with the transaction.  NGX_OK,
 * or NGX_DONE, as parse() has it.
 */
ngx_int_t ngx_smtp_esmtp_keep(ngx_smtp_session_t *s, ngx_str_t *param,
    ngx_str_t *value);

/* names of attributes, by their number; the last one is empty */
extern const ngx_str_t  ngx_smtp_xclient_names[];
extern const ngx_str_t  ngx_smtp_xforward_names[];

/* for answer(): 1 << its number for each of the names that is in args */
ngx_uint_t ngx_smtp_esmtp_words(ngx_str_t *args, const ngx_str_t *names);

/* replies to EHLO with what is offered now */
void ngx_smtp_esmtp_reply(ngx_smtp_session_t *s);

/*
 * Reads the parameters of MAIL (or RCPT, when rcpt is set) from p on.  NGX_OK,
 * or NGX_DONE when a negative reply has been made.
 */
ngx_int_t ngx_smtp_esmtp_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, u_char *p, u_char *last);

/*
 * The same without a reply: 0, or the one that is due, with name as its
 * argument, if that is not empty.
 */
ngx_uint_t ngx_smtp_esmtp_read(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, u_char *p, u_char *last, ngx_str_t *name);

/*
 * The same for one parameter, " NAME=VALUE", that the client has not sent, and
 * makes no reply: NGX_OK, or NGX_DECLINED: there is no such parameter.  What
 * those of MAIL make together, _fits() tells: 0, they don't.
 */
ngx_int_t ngx_smtp_esmtp_set(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, ngx_str_t *text);
ngx_uint_t ngx_smtp_esmtp_fits(ngx_smtp_tx_t *tx);

/* is the extension with this bit offered to the client now? */
ngx_uint_t ngx_smtp_esmtp_offers(ngx_smtp_session_t *s, ngx_uint_t bit);

/* the next hop's side */
void ngx_smtp_esmtp_answer(ngx_smtp_caps_t *caps, ngx_str_t *line);
u_char *ngx_smtp_esmtp_emit_mail(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end);
u_char *ngx_smtp_esmtp_emit_rcpt(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end);
ngx_int_t ngx_smtp_esmtp_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict);

/* may tx->rcpt be added, by what LIMITS said?  As check() */
ngx_int_t ngx_smtp_esmtp_room(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict);

/*
 * The delivery to tx->rcpt->dest with room for tx->rcpt, the first of at most
 * max; else the last of these.  Sets tx->rcpt->part.  NULL: no memory.
 */
ngx_smtp_delivery_t *ngx_smtp_esmtp_part(ngx_smtp_tx_t *tx, ngx_uint_t max);


/*
 * DSN: is the sender to be told when rcpt does not get the message?  Never to
 * be told anything?
 */
ngx_uint_t ngx_smtp_esmtp_dsn_failure(ngx_smtp_rcpt_t *rcpt);
ngx_uint_t ngx_smtp_esmtp_dsn_never(ngx_smtp_rcpt_t *rcpt);

/* reports on success can be sent for this transaction */
#define ngx_smtp_esmtp_dsn_reports(tx)                                       \
    ((tx)->session->service->success_report && (tx)->mail_from.len)

/* of a transaction with BY: seconds to its time, negative: behind it */
time_t ngx_smtp_esmtp_deliver_by(ngx_smtp_tx_t *tx);

/* seconds for which HOLDFOR or HOLDUNTIL want it held; 0: neither is there */
time_t ngx_smtp_esmtp_released(ngx_smtp_tx_t *tx);


#endif /* _NGX_SMTP_ESMTP_H_INCLUDED_ */
