
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The client's side: accept, the input loop, commands.
 */


#ifndef _NGX_SMTP_SERVER_H_INCLUDED_
#define _NGX_SMTP_SERVER_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_cmd.h>


/* what an input of this folder may return besides */
#define NGX_SMTP_INPUT_GONE   -10    /* the session is TLS's now, or closed */
#define NGX_SMTP_INPUT_WRITE  -11    /* the replies have to go out first */


/* server/_read: the handlers of the connection */
void ngx_smtp_read_handler(ngx_event_t *rev);
void ngx_smtp_write_handler(ngx_event_t *wev);

/* has it lasted for smtp_session_timeout? */
ngx_uint_t ngx_smtp_read_over(ngx_smtp_session_t *s);

/* the input loop; the session may be gone afterwards */
void ngx_smtp_read_run(ngx_smtp_session_t *s);

/* server/_close: closes when what is in session->out has been sent */
void ngx_smtp_close_run(ngx_smtp_session_t *s);

/*
 * server/_accept: the CONNECT phase and the greeting, after a connection has
 * been made or XCLIENT has said whose it is.  NGX_OK, or NGX_DONE: busy, it
 * will be resumed.
 */
ngx_int_t ngx_smtp_accept_connect(ngx_smtp_session_t *s);

/* server/_accept: the same for a session that begins, and the input loop */
void ngx_smtp_accept_begin(ngx_smtp_session_t *s);

/*
 * server/_delay: the greeting, or the next command, has to wait.  NGX_OK: not
 * any more.  NGX_DONE: the session goes on by itself, or is gone.
 */
ngx_int_t ngx_smtp_delay_banner(ngx_smtp_session_t *s);
ngx_int_t ngx_smtp_delay_error(ngx_smtp_session_t *s);

/* has the client said anything that was not read yet? */
ngx_uint_t ngx_smtp_delay_early(ngx_smtp_session_t *s);

/* server/_accept: the TLS handshake after STARTTLS; s may be gone */
void ngx_smtp_accept_starttls(ngx_smtp_session_t *s);

/*
 * server/_cmd_rcpt: the path in the arguments of RCPT; *p stands behind it.  0,
 * or the reply that is due.
 */
ngx_uint_t ngx_smtp_rcpt_path(ngx_smtp_session_t *s, ngx_str_t *args,
    u_char **p, ngx_smtp_path_t *path);

/*
 * server/_ahead: RCPTs behind the present one are read, and asked about.
 * take(): it is this one's turn; NULL: it was not read.
 */
void ngx_smtp_ahead(ngx_smtp_session_t *s);
ngx_smtp_rcpt_t *ngx_smtp_ahead_take(ngx_smtp_tx_t *tx, ngx_str_t *addr);

/* server/_cmd_data, _cmd_bdat: mail data */
ngx_int_t ngx_smtp_data_input(ngx_smtp_session_t *s);
ngx_int_t ngx_smtp_bdat_input(ngx_smtp_session_t *s);

#define ngx_smtp_input_is_data(s)                                            \
    ((s)->input == ngx_smtp_data_input || (s)->input == ngx_smtp_bdat_input)


#endif /* _NGX_SMTP_SERVER_H_INCLUDED_ */
