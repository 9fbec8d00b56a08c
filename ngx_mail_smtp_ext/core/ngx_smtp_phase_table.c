
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * Who has a say, and in which order: the whole of it.
 */


ngx_int_t ngx_smtp_route_connect_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_submit_mail_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_submit_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_submit_open_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_auth_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_auth_ahead_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_route_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_connect_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_ehlo_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_auth_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_mail_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_ahead_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_open_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_hook_data_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_deliver_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_deliver_open_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_deliver_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_route_query_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_ask_query_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_log_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_received_write(ngx_smtp_tx_t *tx);
ngx_uint_t ngx_smtp_hook_room(ngx_smtp_tx_t *tx);


ngx_int_t (*const  ngx_smtp_phase_trace)(ngx_smtp_tx_t *tx) =
    ngx_smtp_received_write;

ngx_uint_t (*const  ngx_smtp_phase_room)(ngx_smtp_tx_t *tx) =
    ngx_smtp_hook_room;


const ngx_smtp_phase_t  ngx_smtp_phase_table[] = {

    { NGX_SMTP_PHASE_CONNECT, ngx_smtp_route_connect_handler },
    { NGX_SMTP_PHASE_CONNECT, ngx_smtp_hook_connect_handler },

    { NGX_SMTP_PHASE_EHLO, ngx_smtp_hook_ehlo_handler },

    { NGX_SMTP_PHASE_AUTH, ngx_smtp_hook_auth_handler },

    { NGX_SMTP_PHASE_MAIL, ngx_smtp_submit_mail_handler },
    { NGX_SMTP_PHASE_MAIL, ngx_smtp_hook_mail_handler },

    { NGX_SMTP_PHASE_RCPT, ngx_smtp_auth_rcpt_handler },
    { NGX_SMTP_PHASE_RCPT, ngx_smtp_route_rcpt_handler },
    { NGX_SMTP_PHASE_RCPT, ngx_smtp_submit_rcpt_handler },
    { NGX_SMTP_PHASE_RCPT, ngx_smtp_hook_rcpt_handler },
    { NGX_SMTP_PHASE_RCPT, ngx_smtp_deliver_rcpt_handler },

    { NGX_SMTP_PHASE_AHEAD, ngx_smtp_auth_ahead_handler },
    { NGX_SMTP_PHASE_AHEAD, ngx_smtp_route_rcpt_handler },
    { NGX_SMTP_PHASE_AHEAD, ngx_smtp_submit_rcpt_handler },
    { NGX_SMTP_PHASE_AHEAD, ngx_smtp_hook_ahead_handler },

    { NGX_SMTP_PHASE_ADD, ngx_smtp_route_rcpt_handler },

    { NGX_SMTP_PHASE_OPEN, ngx_smtp_submit_open_handler },
    { NGX_SMTP_PHASE_OPEN, ngx_smtp_hook_open_handler },
    { NGX_SMTP_PHASE_OPEN, ngx_smtp_deliver_open_handler },

    { NGX_SMTP_PHASE_MESSAGE, ngx_smtp_hook_data_handler },

    { NGX_SMTP_PHASE_DELIVER, ngx_smtp_deliver_handler },

    { NGX_SMTP_PHASE_QUERY, ngx_smtp_route_query_handler },
    { NGX_SMTP_PHASE_QUERY, ngx_smtp_ask_query_handler },

    { NGX_SMTP_PHASE_LOG, ngx_smtp_log_handler },

    { NGX_SMTP_PHASE_LOG, NULL }
};
