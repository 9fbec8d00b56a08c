
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the files of a client share: how far a connection has come before its
 * owner has it.
 */


#ifndef _NGX_SMTP_CLIENT_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_CLIENT_PRIVATE_H_INCLUDED_


#include <ngx_smtp_client.h>


/* what is kept of a reply's text for our client and the log */
#define NGX_SMTP_CLIENT_TEXT_SIZE  1024


typedef enum {
    NGX_SMTP_CLIENT_CONNECT = 0,
    NGX_SMTP_CLIENT_TLS,                     /* the handshake */
    NGX_SMTP_CLIENT_GREETING,
    NGX_SMTP_CLIENT_EHLO,
    NGX_SMTP_CLIENT_HELO,
    NGX_SMTP_CLIENT_STARTTLS,                /* its reply */
    NGX_SMTP_CLIENT_XCLIENT,                 /* its replies */
    NGX_SMTP_CLIENT_AUTH,                    /* its replies */
    NGX_SMTP_CLIENT_READY
} ngx_smtp_client_state_e;


/* ngx_smtp_client.c */

void ngx_smtp_client_write_handler(ngx_event_t *wev);
void ngx_smtp_client_read_handler(ngx_event_t *rev);

/* has owner give it up, after saying why; the client is gone afterwards */
void ngx_smtp_client_fail(ngx_smtp_client_t *client);

/*
 * Fails, but not from inside a call of the owner's.  Maybe the server has said
 * why it does not want to hear the rest: the read handler finds that, or else
 * gives up.
 */
void ngx_smtp_client_break(ngx_smtp_client_t *client);

/* waits for the greeting */
void ngx_smtp_client_greeting(ngx_smtp_client_t *client);


/* ngx_smtp_client_reply.c */

/* NGX_OK: something was read, NGX_AGAIN, or NGX_ERROR */
ngx_int_t ngx_smtp_client_recv(ngx_smtp_client_t *client);

/*
 * A line of what was read.  NGX_OK: on to the next one, NGX_AGAIN: there is
 * none, NGX_DONE: the client is its owner's, or gone, or NGX_ERROR.
 */
ngx_int_t ngx_smtp_client_parse(ngx_smtp_client_t *client);

/* says EHLO; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_client_ehlo(ngx_smtp_client_t *client);


/* ngx_smtp_client_write.c: what there is; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_client_write(ngx_smtp_client_t *client);


/* ngx_smtp_client_tls.c */

/*
 * The server is known by EHLO or HELO.  NGX_DECLINED: it can be used as it is;
 * NGX_OK: STARTTLS was said; NGX_ERROR: there is no TLS, and there has to be.
 */
ngx_int_t ngx_smtp_client_tls_offer(ngx_smtp_client_t *client);

/* the reply to STARTTLS has come; as the next */
ngx_int_t ngx_smtp_client_tls_answer(ngx_smtp_client_t *client);

/*
 * Begins a handshake.  NGX_DONE: what follows comes by itself; NGX_ERROR:
 * failed.
 */
ngx_int_t ngx_smtp_client_tls_start(ngx_smtp_client_t *client);

/* it was TLS that has failed: what follows from that */
void ngx_smtp_client_tls_failed(ngx_smtp_client_t *client);

/* TLS was given up here, but it may be tried again by now */
ngx_uint_t ngx_smtp_client_tls_recovered(ngx_smtp_client_t *client);


/* ngx_smtp_client_way.c: the way's tag, or a copy in pool; NULL: no memory */

ngx_smtp_peer_tag_t *ngx_smtp_client_tag_keep(ngx_smtp_client_way_t *way,
    ngx_pool_t *pool);


/* ngx_smtp_client_identity.c */

/*
 * Sets way->identity, and text to all that is in it.  NGX_OK or NGX_ERROR (no
 * memory).
 */
ngx_int_t ngx_smtp_client_identity_make(ngx_smtp_client_way_t *way,
    ngx_smtp_session_t *s, ngx_pool_t *pool, ngx_str_t *text);

/* sends the PROXY header, if there is to be one; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_client_identity_header(ngx_smtp_client_t *client);

/*
 * NGX_DECLINED: nobody is to be introduced, or it is done.  NGX_OK: XCLIENT
 * was said, or in reply to that, what follows.  NGX_ERROR: it can't be.
 */
ngx_int_t ngx_smtp_client_identity_offer(ngx_smtp_client_t *client);
ngx_int_t ngx_smtp_client_identity_answer(ngx_smtp_client_t *client);

/* what EHLO is to say now */
ngx_str_t *ngx_smtp_client_identity_helo(ngx_smtp_client_t *client);


/* ngx_smtp_client_sasl.c */

/*
 * NGX_DECLINED: nobody is to log in.  NGX_OK: AUTH was said.  NGX_ERROR: it
 * can't be.
 */
ngx_int_t ngx_smtp_client_sasl_offer(ngx_smtp_client_t *client);

/* a reply has come.  NGX_OK: more will.  NGX_DONE: logged in.  NGX_ERROR */
ngx_int_t ngx_smtp_client_sasl_answer(ngx_smtp_client_t *client);

/* wipes and frees what may be left of a secret */
void ngx_smtp_client_sasl_wipe(ngx_smtp_client_t *client);


#endif /* _NGX_SMTP_CLIENT_PRIVATE_H_INCLUDED_ */
