
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer_private.h>


/*
 * Settings of TLS towards servers, as nginx's proxy_ssl_* have them, and the
 * context that is made of them.  A server{} that changes nothing shares the
 * context of mail{}, and with it the sessions.
 */


/* RFC 8996: older ones must not be used */
#define NGX_SMTP_PEER_TLS_PROTOCOLS  (NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3)

/*
 * Certificates between the server's and the trusted one.  What a chain may
 * do is in its certificates; this bounds the work.
 */
#define NGX_SMTP_PEER_TLS_DEPTH      9


static ngx_uint_t ngx_smtp_peer_tls_conf_empty(
    ngx_smtp_peer_tls_conf_t *conf);
static ngx_int_t ngx_smtp_peer_tls_context(ngx_conf_t *cf,
    ngx_smtp_peer_tls_t *tls, ngx_smtp_peer_tls_conf_t *conf, char *prefix);
static ngx_int_t ngx_smtp_peer_tls_trust(ngx_conf_t *cf, ngx_ssl_t *ssl,
    ngx_smtp_peer_tls_conf_t *conf, char *prefix);


void
ngx_smtp_peer_tls_conf_init(ngx_smtp_peer_tls_conf_t *conf)
{
    /* the rest is zero: unset */

    conf->passwords = NGX_CONF_UNSET_PTR;
    conf->conf_commands = NGX_CONF_UNSET_PTR;
    conf->verify = NGX_CONF_UNSET;
    conf->verify_depth = NGX_CONF_UNSET_UINT;
    conf->server_name = NGX_CONF_UNSET;
    conf->session_reuse = NGX_CONF_UNSET;
}


static ngx_uint_t
ngx_smtp_peer_tls_conf_empty(ngx_smtp_peer_tls_conf_t *conf)
{
    return conf->protocols == 0
           && conf->ciphers.data == NULL
           && conf->certificate.data == NULL
           && conf->certificate_key.data == NULL
           && conf->passwords == NGX_CONF_UNSET_PTR
           && conf->conf_commands == NGX_CONF_UNSET_PTR
           && conf->trusted_certificate.data == NULL
           && conf->crl.data == NULL
           && conf->verify == NGX_CONF_UNSET
           && conf->verify_depth == NGX_CONF_UNSET_UINT
           && conf->name.data == NULL
           && conf->server_name == NGX_CONF_UNSET
           && conf->session_reuse == NGX_CONF_UNSET;
}


void
ngx_smtp_peer_tls_conf_merge(ngx_smtp_peer_tls_conf_t *conf,
    ngx_smtp_peer_tls_conf_t *prev)
{
    conf->source = ngx_smtp_peer_tls_conf_empty(conf) ? prev : conf;

    ngx_conf_merge_bitmask_value(conf->protocols, prev->protocols,
                           (NGX_CONF_BITMASK_SET|NGX_SMTP_PEER_TLS_PROTOCOLS));
    ngx_conf_merge_str_value(conf->ciphers, prev->ciphers, "DEFAULT");
    ngx_conf_merge_str_value(conf->certificate, prev->certificate, "");
    ngx_conf_merge_str_value(conf->certificate_key, prev->certificate_key,
                             "");
    ngx_conf_merge_ptr_value(conf->passwords, prev->passwords, NULL);
    ngx_conf_merge_ptr_value(conf->conf_commands, prev->conf_commands, NULL);
    ngx_conf_merge_str_value(conf->trusted_certificate,
                             prev->trusted_certificate, "");
    ngx_conf_merge_str_value(conf->crl, prev->crl, "");

    /* who says whom to trust wants to know */

    ngx_conf_merge_value(conf->verify, prev->verify,
                         (conf->strict || conf->trusted_certificate.len != 0));

    ngx_conf_merge_uint_value(conf->verify_depth, prev->verify_depth,
                              NGX_SMTP_PEER_TLS_DEPTH);
    ngx_conf_merge_str_value(conf->name, prev->name, "");
    ngx_conf_merge_value(conf->server_name, prev->server_name, 1);
    ngx_conf_merge_value(conf->session_reuse, prev->session_reuse, 1);
}


ngx_int_t
ngx_smtp_peer_tls_create(ngx_conf_t *cf, ngx_smtp_peer_tls_conf_t *conf,
    char *prefix)
{
    ngx_pool_cleanup_t   *cln;
    ngx_smtp_peer_tls_t  *tls;

    if (conf->source->tls) {
        conf->tls = conf->source->tls;
        return NGX_OK;
    }

    tls = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_peer_tls_t));
    if (tls == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&tls->servers);

    tls->ssl.log = cf->log;
    tls->verify = conf->verify;
    tls->name = conf->name;
    tls->server_name = conf->server_name;
    tls->session_reuse = conf->session_reuse;

    if (ngx_ssl_create(&tls->ssl, conf->protocols, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(&tls->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_smtp_peer_tls_destroy;
    cln->data = tls;

    if (ngx_smtp_peer_tls_context(cf, tls, conf, prefix) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->source->tls = tls;
    conf->tls = tls;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_peer_tls_context(ngx_conf_t *cf, ngx_smtp_peer_tls_t *tls,
    ngx_smtp_peer_tls_conf_t *conf, char *prefix)
{
    ngx_ssl_t  *ssl;

    ssl = &tls->ssl;

    /*
     * Commands that did not go out at once may go out with the message, from
     * another buffer.
     */

    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (ngx_ssl_ciphers(cf, ssl, &conf->ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->certificate.len) {

        if (conf->certificate_key.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"%s_certificate_key\" is defined "
                          "for certificate \"%V\"",
                          prefix, &conf->certificate);
            return NGX_ERROR;
        }

        if (ngx_ssl_certificate(cf, ssl, &conf->certificate,
                                &conf->certificate_key, conf->passwords)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF

    /* nginx sets it: what is cut off would look like what has ended */

    if (conf->strict) {
        SSL_CTX_clear_options(ssl->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    }

#endif

    if (conf->verify
        && ngx_smtp_peer_tls_trust(cf, ssl, conf, prefix) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ssl_client_session_cache(cf, ssl, conf->session_reuse) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_ssl_conf_commands(cf, ssl, conf->conf_commands);
}


static ngx_int_t
ngx_smtp_peer_tls_trust(ngx_conf_t *cf, ngx_ssl_t *ssl,
    ngx_smtp_peer_tls_conf_t *conf, char *prefix)
{
    if (conf->trusted_certificate.len == 0 && conf->strict) {

        if (SSL_CTX_set_default_verify_paths(ssl->ctx) == 0) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_set_default_verify_paths() failed");
            return NGX_ERROR;
        }

        SSL_CTX_set_verify_depth(ssl->ctx, conf->verify_depth);

        return ngx_ssl_crl(cf, ssl, &conf->crl);
    }

    if (conf->trusted_certificate.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"%s_trusted_certificate\" for \"%s_verify\"",
                      prefix, prefix);
        return NGX_ERROR;
    }

    if (ngx_ssl_trusted_certificate(cf, ssl, &conf->trusted_certificate,
                                    conf->verify_depth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ssl_crl(cf, ssl, &conf->crl);
}


char *
ngx_smtp_peer_tls_passwords_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t    *value;
    ngx_array_t  **passwords;

    passwords = (ngx_array_t **) ((char *) conf + cmd->offset);

    if (*passwords != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *passwords = ngx_ssl_read_password_file(cf, &value[1]);

    return *passwords ? NGX_CONF_OK : NGX_CONF_ERROR;
}
