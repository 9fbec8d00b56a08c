
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Channel bindings of a client's TLS connection: tls-unique up to TLS 1.2
 * (RFC 5929, 3), tls-exporter with TLS 1.3 (RFC 9266).  nginx refuses to
 * renegotiate, so there is one handshake to speak of.
 */


/* RFC 9266, 2 */
#define NGX_SMTP_SASL_EXPORTER_LABEL  "EXPORTER-Channel-Binding"
#define NGX_SMTP_SASL_EXPORTER_LEN    32


#if (NGX_SMTP_SASL_EXPORTER_LEN > NGX_SMTP_SASL_BINDING_MAX)
#error "a channel binding needs more room"
#endif


static ngx_uint_t ngx_smtp_sasl_binding_is(ngx_str_t *type, const char *name);


/*
 * RFC 9266, 1: without an extended master secret (RFC 7627) two connections
 * may have the same tls-unique, so that it binds to nothing.
 */

ngx_uint_t
ngx_smtp_sasl_binding_usable(ngx_smtp_session_t *s)
{
    SSL  *ssl;

    if (s->connection->ssl == NULL) {
        return 0;
    }

    ssl = s->connection->ssl->connection;

#ifdef TLS1_3_VERSION
    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        return 1;
    }
#endif

#ifdef SSL_CTRL_GET_EXTMS_SUPPORT
    return SSL_get_extms_support(ssl) == 1;
#else
    return 0;
#endif
}


ngx_int_t
ngx_smtp_sasl_binding(ngx_smtp_session_t *s, ngx_str_t *type, u_char *data,
    size_t *len)
{
    SSL  *ssl;

    if (!ngx_smtp_sasl_binding_usable(s)) {
        return NGX_DECLINED;
    }

    ssl = s->connection->ssl->connection;

#ifdef TLS1_3_VERSION

    if (SSL_version(ssl) >= TLS1_3_VERSION) {

        if (!ngx_smtp_sasl_binding_is(type, "tls-exporter")) {
            return NGX_DECLINED;
        }

        if (SSL_export_keying_material(ssl, data, NGX_SMTP_SASL_EXPORTER_LEN,
                                       NGX_SMTP_SASL_EXPORTER_LABEL,
                                       sizeof(NGX_SMTP_SASL_EXPORTER_LABEL)
                                       - 1, NULL, 0, 0)
            != 1)
        {
            ngx_ssl_error(NGX_LOG_ALERT, s->connection->log, 0,
                          "SSL_export_keying_material() failed");
            return NGX_ABORT;
        }

        *len = NGX_SMTP_SASL_EXPORTER_LEN;

        return NGX_OK;
    }

#endif

    if (!ngx_smtp_sasl_binding_is(type, "tls-unique")) {
        return NGX_DECLINED;
    }

    /* the first Finished: of the client, but of a resumed session the server */

    *len = SSL_session_reused(ssl)
           ? SSL_get_finished(ssl, data, NGX_SMTP_SASL_BINDING_MAX)
           : SSL_get_peer_finished(ssl, data, NGX_SMTP_SASL_BINDING_MAX);

    return (*len && *len <= NGX_SMTP_SASL_BINDING_MAX) ? NGX_OK : NGX_ABORT;
}


static ngx_uint_t
ngx_smtp_sasl_binding_is(ngx_str_t *type, const char *name)
{
    return type->len == ngx_strlen(name)
           && ngx_strncmp(type->data, name, type->len) == 0;
}
