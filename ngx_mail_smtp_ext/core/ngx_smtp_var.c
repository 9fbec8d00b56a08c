
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_var.h>


/*
 * The variables: what can be said of a session and its transaction.  A row
 * names a getter and what it works on: a field's offset, or one of the
 * functions that nginx has for TLS.  docs/variables.md lists them.
 */


/*
 * Recipients of a message may be many: beyond this "..." stands for the rest,
 * so that the list leaves room in a log line for the other values.
 */
#define NGX_SMTP_VAR_RCPT_TO_MAX  2048


typedef ngx_int_t (*ngx_smtp_var_ssl_pt)(ngx_connection_t *c,
    ngx_pool_t *pool, ngx_str_t *value);

/* NGX_OK, NGX_DECLINED: there is none, NGX_ERROR */
typedef ngx_int_t (*ngx_smtp_var_delivery_pt)(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);


static ngx_int_t ngx_smtp_var_uint(ngx_pool_t *pool, ngx_str_t *value,
    uintmax_t n);
static ngx_int_t ngx_smtp_var_seconds(ngx_pool_t *pool, ngx_str_t *value,
    ngx_msec_t msec);
static ngx_int_t ngx_smtp_var_deliveries(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_tx_t *tx, ngx_smtp_var_delivery_pt get);
static ngx_int_t ngx_smtp_var_delivery_addr(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);
static ngx_int_t ngx_smtp_var_delivery_reply(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);
static ngx_int_t ngx_smtp_var_delivery_ssl_protocol(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);
static ngx_int_t ngx_smtp_var_delivery_ssl_cipher(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);
static ngx_int_t ngx_smtp_var_constant(ngx_str_t *value, const char *text);
static ngx_int_t ngx_smtp_var_delivery_connect_time(ngx_pool_t *pool,
    ngx_str_t *value, ngx_smtp_delivery_t *d);

#define ngx_smtp_var_getter(name)                                            \
    static ngx_int_t ngx_smtp_var_##name(ngx_smtp_session_t *s,              \
        ngx_smtp_tx_t *tx, ngx_pool_t *pool, ngx_str_t *value,               \
        uintptr_t data)

ngx_smtp_var_getter(time_iso8601);
ngx_smtp_var_getter(time_local);
ngx_smtp_var_getter(msec);
ngx_smtp_var_getter(hostname);
ngx_smtp_var_getter(pid);
ngx_smtp_var_getter(connection);
ngx_smtp_var_getter(remote_addr);
ngx_smtp_var_getter(remote_port);
ngx_smtp_var_getter(client_name);
ngx_smtp_var_getter(client_reverse_name);
ngx_smtp_var_getter(xforward);
ngx_smtp_var_getter(server_addr);
ngx_smtp_var_getter(server_port);
ngx_smtp_var_getter(server_name);
ngx_smtp_var_getter(proxy_protocol_addr);
ngx_smtp_var_getter(proxy_protocol_port);
ngx_smtp_var_getter(session_str);
ngx_smtp_var_getter(user_str);
ngx_smtp_var_getter(session_uint);
ngx_smtp_var_getter(session_time);
ngx_smtp_var_getter(auth_time);
ngx_smtp_var_getter(with);
ngx_smtp_var_getter(tx_str);
ngx_smtp_var_getter(tx_uint);
ngx_smtp_var_getter(id);
ngx_smtp_var_getter(mail_from);
ngx_smtp_var_getter(rcpt_to);
ngx_smtp_var_getter(bytes);
ngx_smtp_var_getter(result);
ngx_smtp_var_getter(status);
ngx_smtp_var_getter(reply);
ngx_smtp_var_getter(request_time);
ngx_smtp_var_getter(data_time);
ngx_smtp_var_getter(upstream_addr);
ngx_smtp_var_getter(upstream_reply);
ngx_smtp_var_getter(upstream_ssl_protocol);
ngx_smtp_var_getter(upstream_ssl_cipher);
ngx_smtp_var_getter(connect_time);
ngx_smtp_var_getter(response_time);
ngx_smtp_var_getter(ssl_static);
ngx_smtp_var_getter(ssl);


const ngx_smtp_var_t  ngx_smtp_var_table[] = {

    { ngx_string("time_iso8601"), ngx_smtp_var_time_iso8601, 0 },
    { ngx_string("time_local"), ngx_smtp_var_time_local, 0 },
    { ngx_string("msec"), ngx_smtp_var_msec, 0 },
    { ngx_string("hostname"), ngx_smtp_var_hostname, 0 },
    { ngx_string("pid"), ngx_smtp_var_pid, 0 },
    { ngx_string("connection"), ngx_smtp_var_connection, 0 },

    { ngx_string("remote_addr"), ngx_smtp_var_remote_addr, 0 },
    { ngx_string("remote_port"), ngx_smtp_var_remote_port, 0 },
    { ngx_string("proxy_protocol_addr"), ngx_smtp_var_proxy_protocol_addr, 0 },
    { ngx_string("proxy_protocol_port"), ngx_smtp_var_proxy_protocol_port, 0 },
    { ngx_string("server_addr"), ngx_smtp_var_server_addr, 0 },
    { ngx_string("server_port"), ngx_smtp_var_server_port, 0 },
    { ngx_string("server_name"), ngx_smtp_var_server_name, 0 },

    { ngx_string("smtp_id"), ngx_smtp_var_id, 0 },
    { ngx_string("smtp_result"), ngx_smtp_var_result, 0 },
    { ngx_string("smtp_status"), ngx_smtp_var_status, 0 },
    { ngx_string("smtp_reply"), ngx_smtp_var_reply, 0 },
    { ngx_string("smtp_protocol"), ngx_smtp_var_with, 0 },
    { ngx_string("smtp_helo"), ngx_smtp_var_session_str,
      offsetof(ngx_smtp_session_t, helo) },

    { ngx_string("smtp_client_name"), ngx_smtp_var_client_name, 0 },
    { ngx_string("smtp_client_reverse_name"),
      ngx_smtp_var_client_reverse_name, 0 },

    { ngx_string("smtp_xforward_name"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_NAME },
    { ngx_string("smtp_xforward_addr"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_ADDR },
    { ngx_string("smtp_xforward_port"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_PORT },
    { ngx_string("smtp_xforward_proto"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_PROTO },
    { ngx_string("smtp_xforward_helo"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_HELO },
    { ngx_string("smtp_xforward_ident"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_IDENT },
    { ngx_string("smtp_xforward_source"), ngx_smtp_var_xforward,
      NGX_SMTP_XFORWARD_SOURCE },

    { ngx_string("smtp_auth_user"), ngx_smtp_var_user_str,
      offsetof(ngx_smtp_user_t, name) },
    { ngx_string("smtp_auth_method"), ngx_smtp_var_user_str,
      offsetof(ngx_smtp_user_t, method) },
    { ngx_string("smtp_auth_time"), ngx_smtp_var_auth_time, 0 },

    { ngx_string("smtp_mail_from"), ngx_smtp_var_mail_from, 0 },
    { ngx_string("smtp_rcpt_to"), ngx_smtp_var_rcpt_to, 0 },
    { ngx_string("smtp_rcpt_count"), ngx_smtp_var_tx_uint,
      offsetof(ngx_smtp_tx_t, nrcpts) },
    { ngx_string("smtp_rcpt_refused"), ngx_smtp_var_tx_uint,
      offsetof(ngx_smtp_tx_t, nrefused) },
    { ngx_string("smtp_priority"), ngx_smtp_var_tx_str,
      offsetof(ngx_smtp_tx_t, params[NGX_SMTP_PARAM_MT_PRIORITY]) },
    { ngx_string("smtp_bytes"), ngx_smtp_var_bytes, 0 },
    { ngx_string("smtp_request_time"), ngx_smtp_var_request_time, 0 },
    { ngx_string("smtp_data_time"), ngx_smtp_var_data_time, 0 },

    { ngx_string("smtp_hook_action"), ngx_smtp_var_tx_str,
      offsetof(ngx_smtp_tx_t, hook) },

    { ngx_string("smtp_upstream_addr"), ngx_smtp_var_upstream_addr, 0 },
    { ngx_string("smtp_upstream_reply"), ngx_smtp_var_upstream_reply, 0 },
    { ngx_string("smtp_upstream_ssl_protocol"),
      ngx_smtp_var_upstream_ssl_protocol, 0 },
    { ngx_string("smtp_upstream_ssl_cipher"), ngx_smtp_var_upstream_ssl_cipher,
      0 },
    { ngx_string("smtp_upstream_connect_time"), ngx_smtp_var_connect_time, 0 },
    { ngx_string("smtp_upstream_response_time"), ngx_smtp_var_response_time,
      0 },

    { ngx_string("smtp_session_time"), ngx_smtp_var_session_time, 0 },
    { ngx_string("smtp_transactions"), ngx_smtp_var_session_uint,
      offsetof(ngx_smtp_session_t, transactions) },
    { ngx_string("smtp_commands"), ngx_smtp_var_session_uint,
      offsetof(ngx_smtp_session_t, commands) },
    { ngx_string("smtp_errors"), ngx_smtp_var_session_uint,
      offsetof(ngx_smtp_session_t, errors) },

    { ngx_string("ssl_protocol"), ngx_smtp_var_ssl_static,
      (uintptr_t) ngx_ssl_get_protocol },
    { ngx_string("ssl_cipher"), ngx_smtp_var_ssl_static,
      (uintptr_t) ngx_ssl_get_cipher_name },
    { ngx_string("ssl_server_name"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_server_name },
    { ngx_string("ssl_session_reused"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_session_reused },
    { ngx_string("ssl_client_verify"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_client_verify },
    { ngx_string("ssl_client_s_dn"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_subject_dn },
    { ngx_string("ssl_client_i_dn"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_issuer_dn },
    { ngx_string("ssl_client_serial"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_serial_number },
    { ngx_string("ssl_client_fingerprint"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_fingerprint },
    { ngx_string("ssl_client_v_start"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_client_v_start },
    { ngx_string("ssl_client_v_end"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_client_v_end },
    { ngx_string("ssl_client_v_remain"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_client_v_remain },
    { ngx_string("ssl_curve"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_curve },
    { ngx_string("ssl_alpn_protocol"), ngx_smtp_var_ssl,
      (uintptr_t) ngx_ssl_get_alpn_protocol },

    { ngx_null_string, NULL, 0 }
};


const ngx_smtp_var_t *
ngx_smtp_var_find(ngx_str_t *name)
{
    const ngx_smtp_var_t  *var;

    for (var = ngx_smtp_var_table; var->name.len; var++) {
        if (var->name.len == name->len
            && ngx_strncmp(var->name.data, name->data, name->len) == 0)
        {
            return var;
        }
    }

    return NULL;
}


const ngx_smtp_var_t *
ngx_smtp_var_parse(ngx_conf_t *cf, u_char **pos, u_char *last)
{
    u_char                *p, ch;
    ngx_str_t              name;
    ngx_uint_t             bracket;
    const ngx_smtp_var_t  *var;

    p = *pos + 1;
    bracket = 0;

    if (p < last && *p == '{') {
        bracket = 1;
        p++;
    }

    name.data = p;

    for ( /* void */ ; p < last; p++) {
        ch = (u_char) (*p | 0x20);

        if ((ch < 'a' || ch > 'z') && (*p < '0' || *p > '9') && *p != '_') {
            break;
        }
    }

    name.len = p - name.data;

    if (bracket) {
        if (p == last || *p != '}') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the closing bracket in \"%V\" variable is "
                               "missing", &name);
            return NULL;
        }

        p++;
    }

    if (name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid variable name");
        return NULL;
    }

    var = ngx_smtp_var_find(&name);

    if (var == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown \"%V\" variable", &name);
        return NULL;
    }

    *pos = p;

    return var;
}


void
ngx_smtp_var_protocol(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("ESMTP"),
        ngx_string("ESMTPS"),
        ngx_string("ESMTPA"),
        ngx_string("ESMTPSA"),
        ngx_string("UTF8SMTP"),
        ngx_string("UTF8SMTPS"),
        ngx_string("UTF8SMTPA"),
        ngx_string("UTF8SMTPSA"),
        ngx_string("LMTP"),
        ngx_string("LMTPS"),
        ngx_string("LMTPA"),
        ngx_string("LMTPSA"),
        ngx_string("UTF8LMTP"),
        ngx_string("UTF8LMTPS"),
        ngx_string("UTF8LMTPA"),
        ngx_string("UTF8LMTPSA")
    };

    /* RFC 3848 has names for ESMTP only: HELO is SMTP, also under TLS */

    if (!s->esmtp) {
        ngx_str_set(value, "SMTP");
        return;
    }

    i = s->tls;

    if (s->authenticated) {
        i += 2;
    }

    if (tx && tx->utf8) {
        i += 4;
    }

    if (s->service->lmtp) {
        i += 8;
    }

    *value = names[i];
}


static ngx_int_t
ngx_smtp_var_uint(ngx_pool_t *pool, ngx_str_t *value, uintmax_t n)
{
    value->data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%uL", (uint64_t) n) - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_var_seconds(ngx_pool_t *pool, ngx_str_t *value, ngx_msec_t msec)
{
    value->data = ngx_pnalloc(pool, NGX_TIME_T_LEN + 4);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%T.%03M", (time_t) msec / 1000,
                             msec % 1000)
                 - value->data;

    return NGX_OK;
}


ngx_smtp_var_getter(time_iso8601)
{
    value->len = ngx_cached_http_log_iso8601.len;
    value->data = ngx_cached_http_log_iso8601.data;

    return NGX_OK;
}


ngx_smtp_var_getter(time_local)
{
    value->len = ngx_cached_http_log_time.len;
    value->data = ngx_cached_http_log_time.data;

    return NGX_OK;
}


ngx_smtp_var_getter(msec)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return ngx_smtp_var_seconds(pool, value,
                                (ngx_msec_t) tp->sec * 1000 + tp->msec);
}


ngx_smtp_var_getter(hostname)
{
    value->len = ngx_cycle->hostname.len;
    value->data = ngx_cycle->hostname.data;

    return NGX_OK;
}


ngx_smtp_var_getter(pid)
{
    return ngx_smtp_var_uint(pool, value, ngx_pid);
}


ngx_smtp_var_getter(connection)
{
    return ngx_smtp_var_uint(pool, value, s->connection->number);
}


ngx_smtp_var_getter(remote_addr)
{
    *value = s->remote.addr_text;

    return NGX_OK;
}


ngx_smtp_var_getter(remote_port)
{
    if (s->remote.port == 0) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_uint(pool, value, s->remote.port);
}


ngx_smtp_var_getter(client_name)
{
    *value = s->remote.name;

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(client_reverse_name)
{
    if (s->remote.xclient == NULL) {
        return NGX_DECLINED;
    }

    *value = s->remote.xclient->reverse_name.text;

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(xforward)
{
    if (s->xforward == NULL) {
        return NGX_DECLINED;
    }

    *value = s->xforward->attrs[data].text;

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(server_addr)
{
    ngx_str_t          addr;
    ngx_connection_t  *c;
    u_char             buf[NGX_SOCKADDR_STRLEN];

    if (s->remote.xclient && s->remote.xclient->dest) {
        *value = s->remote.xclient->dest_addr.text;

        return value->len ? NGX_OK : NGX_DECLINED;
    }

    c = s->connection;

    if (c->fd == (ngx_socket_t) -1) {
        return NGX_DECLINED;
    }

    addr.data = buf;
    addr.len = NGX_SOCKADDR_STRLEN;

    if (ngx_connection_local_sockaddr(c, &addr, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    value->data = ngx_pstrdup(pool, &addr);
    value->len = addr.len;

    return value->data ? NGX_OK : NGX_ERROR;
}


ngx_smtp_var_getter(server_port)
{
    in_port_t          port;
    ngx_connection_t  *c;

    if (s->remote.xclient && s->remote.xclient->dest) {
        port = s->remote.xclient->dest_port;

        return port ? ngx_smtp_var_uint(pool, value, port) : NGX_DECLINED;
    }

    c = s->connection;

    if (c->fd == (ngx_socket_t) -1
        || ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    port = ngx_inet_get_port(c->local_sockaddr);

    if (port == 0) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_uint(pool, value, port);
}


ngx_smtp_var_getter(server_name)
{
    *value = s->server_name;

    return NGX_OK;
}


ngx_smtp_var_getter(proxy_protocol_addr)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->proxy_protocol == NULL) {
        return NGX_DECLINED;
    }

    *value = c->proxy_protocol->src_addr;

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(proxy_protocol_port)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->proxy_protocol == NULL || c->proxy_protocol->src_port == 0) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_uint(pool, value, c->proxy_protocol->src_port);
}


ngx_smtp_var_getter(session_str)
{
    *value = *(ngx_str_t *) ((u_char *) s + data);

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(user_str)
{
    *value = *(ngx_str_t *) ((u_char *) s->user + data);

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(session_uint)
{
    return ngx_smtp_var_uint(pool, value,
                             *(uint32_t *) ((u_char *) s + data));
}


ngx_smtp_var_getter(session_time)
{
    return ngx_smtp_var_seconds(pool, value, ngx_current_msec - s->start);
}


ngx_smtp_var_getter(auth_time)
{
    if (s->auth_attempts == 0) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_seconds(pool, value, s->auth_time);
}


ngx_smtp_var_getter(with)
{
    if (s->helo.len == 0 && tx == NULL) {
        return NGX_DECLINED;
    }

    ngx_smtp_var_protocol(s, tx, value);

    return NGX_OK;
}


ngx_smtp_var_getter(tx_str)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    *value = *(ngx_str_t *) ((u_char *) tx + data);

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(tx_uint)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_uint(pool, value,
                             *(ngx_uint_t *) ((u_char *) tx + data));
}


ngx_smtp_var_getter(id)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    value->data = tx->id;
    value->len = NGX_SMTP_ID_LEN;

    return NGX_OK;
}


ngx_smtp_var_getter(mail_from)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    /* empty is a value: the null reverse-path */

    *value = tx->mail_from;

    return NGX_OK;
}


ngx_smtp_var_getter(rcpt_to)
{
    size_t            len, max;
    u_char           *p, *last;
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    if (tx == NULL || ngx_queue_empty(&tx->rcpts)) {
        return NGX_DECLINED;
    }

    len = 0;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts) && len < NGX_SMTP_VAR_RCPT_TO_MAX;
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        len += rcpt->given.len + 1;
    }

    max = ngx_min(len, NGX_SMTP_VAR_RCPT_TO_MAX);

    p = ngx_pnalloc(pool, max + sizeof(",...") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    last = p + max;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        /* an address is there as a whole or not at all */

        if (rcpt->given.len + 1 > (size_t) (last - p)) {
            p = ngx_cpymem(p, "...,", 4);
            break;
        }

        p = ngx_cpymem(p, rcpt->given.data, rcpt->given.len);
        *p++ = ',';
    }

    value->len = p - 1 - value->data;

    return NGX_OK;
}


ngx_smtp_var_getter(bytes)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_uint(pool, value, tx->bytes);
}


ngx_smtp_var_getter(result)
{
    if (tx == NULL || tx->result == NGX_SMTP_TX_REFUSED) {
        ngx_str_set(value, "refused");

    } else if (tx->result == NGX_SMTP_TX_ACCEPTED) {
        ngx_str_set(value, "accepted");

    } else {
        ngx_str_set(value, "aborted");
    }

    return NGX_OK;
}


/* replies are kept as they were sent: code, enhanced code, text */

ngx_smtp_var_getter(status)
{
    if (tx) {
        if (tx->status == 0) {
            return NGX_DECLINED;
        }

        return ngx_smtp_var_uint(pool, value, tx->status);
    }

    if (s->refusal.len < 3) {
        return NGX_DECLINED;
    }

    value->data = s->refusal.data;
    value->len = 3;

    return NGX_OK;
}


ngx_smtp_var_getter(reply)
{
    *value = tx ? tx->reply : s->refusal;

    if (value->len > 4
        && value->data[0] >= '2' && value->data[0] <= '5'
        && value->data[3] == ' ')
    {
        value->data += 4;
        value->len -= 4;
    }

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(request_time)
{
    if (tx == NULL) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_seconds(pool, value, ngx_current_msec - tx->start);
}


ngx_smtp_var_getter(data_time)
{
    ngx_msec_t  end;

    if (tx == NULL || tx->data_start == 0) {
        return NGX_DECLINED;
    }

    end = tx->data_end ? tx->data_end : ngx_current_msec;

    return ngx_smtp_var_seconds(pool, value, end - tx->data_start);
}


/*
 * What get() says of each delivery, in a list where there are several, with
 * "-" for those of which there is nothing to be said.
 */

static ngx_int_t
ngx_smtp_var_deliveries(ngx_pool_t *pool, ngx_str_t *value, ngx_smtp_tx_t *tx,
    ngx_smtp_var_delivery_pt get)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_str_t             one, list;
    ngx_uint_t            found;
    ngx_queue_t          *q;

    if (tx == NULL) {
        return NGX_DECLINED;
    }

    found = 0;
    ngx_str_null(value);

    ngx_smtp_deliveries_each(q, tx) {
        rc = get(pool, &one, ngx_smtp_deliveries_data(q));

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            found = 1;

        } else {
            ngx_str_set(&one, "-");
        }

        if (value->data == NULL) {
            *value = one;
            continue;
        }

        list.len = value->len + sizeof(", ") - 1 + one.len;

        list.data = ngx_pnalloc(pool, list.len);
        if (list.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(list.data, value->data, value->len);
        *p++ = ','; *p++ = ' ';
        ngx_memcpy(p, one.data, one.len);

        *value = list;
    }

    return found ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_smtp_var_delivery_addr(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_delivery_t *d)
{
    *value = d->log.addr;

    return value->len ? NGX_OK : NGX_DECLINED;
}


/* as it was said: code, enhanced code, text */

static ngx_int_t
ngx_smtp_var_delivery_reply(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_delivery_t *d)
{
    u_char               *p;
    ngx_smtp_enhanced_t  *enhanced;

    if (d->log.status == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, sizeof("250 2.123.123 ") + d->log.reply.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    p = ngx_sprintf(p, "%ui ", d->log.status);

    enhanced = &d->log.enhanced;

    if (enhanced->class) {
        p = ngx_sprintf(p, "%ud.%ud.%ud ", (unsigned) enhanced->class,
                        (unsigned) enhanced->subject,
                        (unsigned) enhanced->detail);
    }

    p = ngx_cpymem(p, d->log.reply.data, d->log.reply.len);

    if (p[-1] == ' ') {
        p--;
    }

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_var_delivery_ssl_protocol(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_delivery_t *d)
{
    return ngx_smtp_var_constant(value, d->log.ssl_protocol);
}


static ngx_int_t
ngx_smtp_var_delivery_ssl_cipher(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_delivery_t *d)
{
    return ngx_smtp_var_constant(value, d->log.ssl_cipher);
}


/* of OpenSSL's */

static ngx_int_t
ngx_smtp_var_constant(ngx_str_t *value, const char *text)
{
    if (text == NULL) {
        return NGX_DECLINED;
    }

    value->data = (u_char *) text;
    value->len = ngx_strlen(text);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_var_delivery_connect_time(ngx_pool_t *pool, ngx_str_t *value,
    ngx_smtp_delivery_t *d)
{
    if (d->log.connect_time == (ngx_msec_t) -1) {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_seconds(pool, value, d->log.connect_time);
}


ngx_smtp_var_getter(upstream_addr)
{
    return ngx_smtp_var_deliveries(pool, value, tx,
                                   ngx_smtp_var_delivery_addr);
}


ngx_smtp_var_getter(upstream_reply)
{
    return ngx_smtp_var_deliveries(pool, value, tx,
                                   ngx_smtp_var_delivery_reply);
}


ngx_smtp_var_getter(upstream_ssl_protocol)
{
    return ngx_smtp_var_deliveries(pool, value, tx,
                                   ngx_smtp_var_delivery_ssl_protocol);
}


ngx_smtp_var_getter(upstream_ssl_cipher)
{
    return ngx_smtp_var_deliveries(pool, value, tx,
                                   ngx_smtp_var_delivery_ssl_cipher);
}


ngx_smtp_var_getter(connect_time)
{
    return ngx_smtp_var_deliveries(pool, value, tx,
                                   ngx_smtp_var_delivery_connect_time);
}


ngx_smtp_var_getter(response_time)
{
    if (tx == NULL || tx->data_end == 0
        || tx->deliver_time == (ngx_msec_t) -1)
    {
        return NGX_DECLINED;
    }

    return ngx_smtp_var_seconds(pool, value, tx->deliver_time);
}


/* some of nginx's functions give a NUL-terminated constant without length */

ngx_smtp_var_getter(ssl_static)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return NGX_DECLINED;
    }

    ngx_str_null(value);

    (void) ((ngx_smtp_var_ssl_pt) data)(c, pool, value);

    if (value->data == NULL) {
        return NGX_DECLINED;
    }

    value->len = ngx_strlen(value->data);

    return value->len ? NGX_OK : NGX_DECLINED;
}


ngx_smtp_var_getter(ssl)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return NGX_DECLINED;
    }

    ngx_str_null(value);

    if (((ngx_smtp_var_ssl_pt) data)(c, pool, value) != NGX_OK) {
        return NGX_ERROR;
    }

    return value->len ? NGX_OK : NGX_DECLINED;
}
