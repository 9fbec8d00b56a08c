
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

/* the input loop; the session may be gone afterwards */
void ngx_smtp_read_run(ngx_smtp_session_t *s);

/* server/_close: closes when what is in session->out has been sent */
void ngx_smtp_close_run(ngx_smtp_session_t *s);

/* server/_accept: the TLS handshake after STARTTLS; s may be gone */
void ngx_smtp_accept_starttls(ngx_smtp_session_t *s);

/* server/_cmd_data, _cmd_bdat: mail data */
ngx_int_t ngx_smtp_data_input(ngx_smtp_session_t *s);
ngx_int_t ngx_smtp_bdat_input(ngx_smtp_session_t *s);

#define ngx_smtp_input_is_data(s)                                            \
    ((s)->input == ngx_smtp_data_input || (s)->input == ngx_smtp_bdat_input)


#endif /* _NGX_SMTP_SERVER_H_INCLUDED_ */
