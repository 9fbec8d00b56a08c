
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The only writer to the client.  Replies gather in session->out and are sent
 * together when the session turns to wait for the client (RFC 2920, 3.2).
 */


#ifndef _NGX_SMTP_REPLY_H_INCLUDED_
#define _NGX_SMTP_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_answer.h>
#include <ngx_smtp_reply_table.h>


#define NGX_SMTP_REPLY_BARE    0x01
#define NGX_SMTP_REPLY_FAULT   0x02
#define NGX_SMTP_REPLY_CLOSE   0x04
#define NGX_SMTP_REPLY_UTF8    0x08


#define ngx_smtp_reply_enum(id, code, x, y, z, flags, text)                  \
    NGX_SMTP_REPLY_##id,

typedef enum {
    NGX_SMTP_REPLY_TABLE(ngx_smtp_reply_enum)
    NGX_SMTP_REPLY_MAX
} ngx_smtp_reply_e;


/*
 * What came of a recipient or a message: by us or by a next hop.  Lines of
 * text are parted by LF; the text belongs to the transaction's pool or is
 * constant.
 */
typedef struct {
    ngx_uint_t            code;          /* 0: nothing yet */
    ngx_smtp_enhanced_t   enhanced;      /* class 0: derived from the code */
    ngx_str_t             text;
} ngx_smtp_verdict_t;


/*
 * Append a reply.  They can't fail towards the caller: where there is no
 * memory the session is marked to be closed.  In every argument and every
 * foreign text what is not printable US-ASCII is replaced.
 */
void ngx_smtp_reply(ngx_smtp_session_t *s, ngx_smtp_reply_e id);
void ngx_smtp_reply_arg(ngx_smtp_session_t *s, ngx_smtp_reply_e id,
    ngx_str_t *arg);
void ngx_smtp_reply_verdict(ngx_smtp_session_t *s,
    ngx_smtp_verdict_t *verdict);

/* the same for a client that takes UTF-8 here, which stays (RFC 6531, 3.7.4) */
void ngx_smtp_reply_verdict_bare(ngx_smtp_session_t *s,
    ngx_smtp_verdict_t *verdict);
void ngx_smtp_reply_verdict_utf8(ngx_smtp_session_t *s,
    ngx_smtp_verdict_t *verdict);

/* the reply to EHLO: lines parted by LF */
void ngx_smtp_reply_ehlo(ngx_smtp_session_t *s, ngx_str_t *lines);

/* a verdict out of the table; its text must have no argument */
void ngx_smtp_verdict_set(ngx_smtp_verdict_t *verdict, ngx_smtp_reply_e id);

/* the same with an argument; the text is made in pool */
ngx_int_t ngx_smtp_verdict_set_arg(ngx_smtp_verdict_t *verdict,
    ngx_pool_t *pool, ngx_smtp_reply_e id, ngx_str_t *arg);

/*
 * Sends what has gathered.  NGX_OK: all is gone; NGX_AGAIN: the socket is
 * full, session->connection->write will be ready; NGX_ERROR: the client is
 * gone.
 */
ngx_int_t ngx_smtp_reply_flush(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_REPLY_H_INCLUDED_ */
