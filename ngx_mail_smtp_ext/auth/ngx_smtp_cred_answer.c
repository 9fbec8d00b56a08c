
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * What an auth service says, in nginx's auth_http protocol and beyond: headers
 * become what a mechanism or a recipient gets.  An answer that is not beyond
 * doubt is none.
 */


/* seconds; Auth-Wait beyond this would only cost connections */
#define NGX_SMTP_CRED_WAIT_MAX  60


/* octets of a salt of SCRAM; those in use have 8 to 32 */
#define NGX_SMTP_CRED_SALT_MAX  64


/* the headers of an answer that are known; others are ignored */
typedef struct {
    ngx_str_t                 status;
    ngx_str_t                 server;
    ngx_str_t                 port;
    ngx_str_t                 route;
    ngx_str_t                 user;
    ngx_str_t                 pass;
    ngx_str_t                 token;
    ngx_str_t                 wait;
    ngx_str_t                 error_code;
    ngx_str_t                 max_size;
    ngx_str_t                 max_rcpt;
    ngx_str_t                 senders;
    ngx_str_t                 scram_salt;
    ngx_str_t                 scram_iterations;
    ngx_str_t                 scram_stored_key;
    ngx_str_t                 scram_server_key;
} ngx_smtp_cred_answer_t;


typedef struct {
    ngx_str_t                 name;
    size_t                    offset;
} ngx_smtp_cred_header_t;


static ngx_int_t ngx_smtp_cred_answer_headers(ngx_smtp_http_request_t *r,
    ngx_smtp_cred_answer_t *answer);
static ngx_int_t ngx_smtp_cred_answer_wait(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer);
static ngx_int_t ngx_smtp_cred_answer_accepted(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason);
static ngx_int_t ngx_smtp_cred_answer_login(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason);
static ngx_int_t ngx_smtp_cred_answer_secret(ngx_smtp_sasl_t *sasl,
    ngx_str_t *secret, ngx_str_t *value, size_t max, ngx_uint_t token);
static ngx_int_t ngx_smtp_cred_answer_where(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason);
static ngx_int_t ngx_smtp_cred_answer_server(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer);
static ngx_int_t ngx_smtp_cred_answer_refused(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason);
static ngx_int_t ngx_smtp_cred_answer_keys(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer);
static ngx_int_t ngx_smtp_cred_answer_key(ngx_smtp_sasl_t *sasl,
    ngx_str_t *text, ngx_str_t *key);
static ngx_int_t ngx_smtp_cred_answer_code(ngx_smtp_sasl_t *sasl,
    ngx_str_t *text);


static const ngx_smtp_cred_header_t  ngx_smtp_cred_headers[] = {

    { ngx_string("auth-status"), offsetof(ngx_smtp_cred_answer_t, status) },
    { ngx_string("auth-server"), offsetof(ngx_smtp_cred_answer_t, server) },
    { ngx_string("auth-port"), offsetof(ngx_smtp_cred_answer_t, port) },
    { ngx_string("auth-route"), offsetof(ngx_smtp_cred_answer_t, route) },
    { ngx_string("auth-user"), offsetof(ngx_smtp_cred_answer_t, user) },
    { ngx_string("auth-pass"), offsetof(ngx_smtp_cred_answer_t, pass) },
    { ngx_string("auth-token"), offsetof(ngx_smtp_cred_answer_t, token) },
    { ngx_string("auth-wait"), offsetof(ngx_smtp_cred_answer_t, wait) },
    { ngx_string("auth-error-code"),
      offsetof(ngx_smtp_cred_answer_t, error_code) },
    { ngx_string("auth-max-size"),
      offsetof(ngx_smtp_cred_answer_t, max_size) },
    { ngx_string("auth-max-rcpt"),
      offsetof(ngx_smtp_cred_answer_t, max_rcpt) },
    { ngx_string("auth-senders"), offsetof(ngx_smtp_cred_answer_t, senders) },
    { ngx_string("auth-scram-salt"),
      offsetof(ngx_smtp_cred_answer_t, scram_salt) },
    { ngx_string("auth-scram-iterations"),
      offsetof(ngx_smtp_cred_answer_t, scram_iterations) },
    { ngx_string("auth-scram-stored-key"),
      offsetof(ngx_smtp_cred_answer_t, scram_stored_key) },
    { ngx_string("auth-scram-server-key"),
      offsetof(ngx_smtp_cred_answer_t, scram_server_key) },

    { ngx_null_string, 0 }
};


ngx_int_t
ngx_smtp_cred_http_answer(ngx_smtp_sasl_t *sasl, ngx_smtp_http_request_t *r,
    char **reason)
{
    ngx_smtp_cred_answer_t  answer;

    /*
     * nginx looks at the headers alone: there an error page of a proxy in
     * between that has copied them logs a client in.
     */

    if (r->status < 200 || r->status > 299) {
        *reason = "not 2xx";
        return NGX_ERROR;
    }

    ngx_memzero(&answer, sizeof(ngx_smtp_cred_answer_t));

    if (ngx_smtp_cred_answer_headers(r, &answer) != NGX_OK) {
        *reason = "a header comes twice";
        return NGX_ERROR;
    }

    if (answer.status.len == 0) {
        *reason = "no \"Auth-Status\"";
        return NGX_ERROR;
    }

    if (answer.status.len == 4
        && ngx_strncmp(answer.status.data, "WAIT", 4) == 0)
    {
        return ngx_smtp_cred_answer_wait(sasl, &answer);
    }

    sasl->max_age = ngx_smtp_http_max_age(r);

    if (answer.status.len == 2
        && ngx_strncmp(answer.status.data, "OK", 2) == 0)
    {
        return ngx_smtp_cred_answer_accepted(sasl, &answer, reason);
    }

    return ngx_smtp_cred_answer_refused(sasl, &answer, reason);
}


static ngx_int_t
ngx_smtp_cred_answer_headers(ngx_smtp_http_request_t *r,
    ngx_smtp_cred_answer_t *answer)
{
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_smtp_http_header_t        *header;
    const ngx_smtp_cred_header_t  *known;

    header = r->headers.elts;

    for (i = 0; i < r->headers.nelts; i++) {

        for (known = ngx_smtp_cred_headers; known->name.len; known++) {

            if (known->name.len != header[i].name.len
                || ngx_strncmp(known->name.data, header[i].name.data,
                               known->name.len)
                   != 0)
            {
                continue;
            }

            value = (ngx_str_t *) ((u_char *) answer + known->offset);

            if (value->data) {
                return NGX_ERROR;
            }

            *value = header[i].value;
            break;
        }
    }

    return NGX_OK;
}


/* it can't say yet, and wants to be asked again */

static ngx_int_t
ngx_smtp_cred_answer_wait(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer)
{
    ngx_int_t  sec;

    sec = ngx_atoi(answer->wait.data, answer->wait.len);

    /* never at once: a loop between the two of us */

    sec = ngx_max(sec, 1);

    sasl->wait = (ngx_msec_t) ngx_min(sec, NGX_SMTP_CRED_WAIT_MAX) * 1000;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_smtp_cred_answer_accepted(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason)
{
    if (!sasl->mech->nobody
        && ngx_smtp_cred_answer_login(sasl, answer, reason) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (sasl->mech->key_size
        && (ngx_smtp_cred_answer_keys(sasl, answer) != NGX_OK
            || sasl->keys.stored.len == 0))
    {
        *reason = "missing or invalid \"Auth-Scram-...\"";
        return NGX_ERROR;
    }

    return ngx_smtp_cred_answer_where(sasl, answer, reason);
}


/* who it is, and what that one may */

static ngx_int_t
ngx_smtp_cred_answer_login(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason)
{
    ngx_str_t  *login;

    login = answer->user.len ? &answer->user : &sasl->user;

    if (!ngx_smtp_sasl_user_valid(login)) {
        *reason = "invalid \"Auth-User\"";
        return NGX_ERROR;
    }

    sasl->login.len = login->len;
    sasl->login.data = ngx_pstrdup(sasl->pool, login);
    if (sasl->login.data == NULL) {
        return NGX_ERROR;
    }

    if (sasl->session->service->keep_passwd
        && ((answer->pass.len && answer->token.len)
            || ngx_smtp_cred_answer_secret(sasl, &sasl->passwd, &answer->pass,
                                           NGX_SMTP_SASL_SECRET_MAX, 0)
               != NGX_OK
            || ngx_smtp_cred_answer_secret(sasl, &sasl->bearer,
                                           &answer->token,
                                           NGX_SMTP_SASL_TOKEN_MAX, 1)
               != NGX_OK))
    {
        *reason = "invalid \"Auth-Pass\" or \"Auth-Token\"";
        return NGX_ERROR;
    }

    return ngx_smtp_cred_rights(sasl, &answer->max_size, &answer->max_rcpt,
                                &answer->senders, reason);
}


/*
 * For a login at the next hop, in place of what the client sent.  RFC 6750,
 * 2.1: a token is of visible characters; a password may be in UTF-8.
 */

static ngx_int_t
ngx_smtp_cred_answer_secret(ngx_smtp_sasl_t *sasl, ngx_str_t *secret,
    ngx_str_t *value, size_t max, ngx_uint_t token)
{
    size_t  i;

    if (value->len == 0) {
        return NGX_OK;
    }

    if (value->len > max) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f
            || (token && (value->data[i] == ' ' || value->data[i] > 0x7f)))
        {
            return NGX_ERROR;
        }
    }

    secret->len = value->len;
    secret->data = ngx_smtp_sasl_alloc(sasl, value->len);
    if (secret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(secret->data, value->data, value->len);

    return NGX_OK;
}


/* without any of these smtp_pass says where the mail goes */

static ngx_int_t
ngx_smtp_cred_answer_where(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason)
{
    if ((answer->server.len || answer->port.len)
        && ngx_smtp_cred_answer_server(sasl, answer) != NGX_OK)
    {
        *reason = "invalid \"Auth-Server\" or \"Auth-Port\"";
        return NGX_ERROR;
    }

    if (answer->route.len
        && ngx_smtp_cred_route(sasl, &answer->route) != NGX_OK)
    {
        *reason = "\"Auth-Route\" is not in \"smtp_auth_route\"";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an address, a name, or the name of a smtp_upstream; and a port */

static ngx_int_t
ngx_smtp_cred_answer_server(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer)
{
    u_char      ch, *p;
    ngx_int_t   port;
    ngx_str_t   host;
    ngx_uint_t  i, inet6;
    u_char      addr[16];

    host = answer->server;
    port = ngx_atoi(answer->port.data, answer->port.len);

    if (host.len == 0 || host.len > NGX_SMTP_DOMAIN_MAX
        || port < 1 || port > 65535)
    {
        return NGX_ERROR;
    }

    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
    {
        host.data++;
        host.len -= 2;
    }

    inet6 = (ngx_inet6_addr(host.data, host.len, addr) == NGX_OK);

    for (i = 0; i < host.len && !inet6; i++) {
        ch = host.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9')
            || ch == '.' || ch == '-' || ch == '_')
        {
            continue;
        }

        return NGX_ERROR;
    }

    p = ngx_pnalloc(sasl->pool, host.len + sizeof("[]:65535") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sasl->server.data = p;

    p = inet6 ? ngx_sprintf(p, "[%V]:%i", &host, port)
              : ngx_sprintf(p, "%V:%i", &host, port);

    sasl->server.len = p - sasl->server.data;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_cred_route(ngx_smtp_sasl_t *sasl, ngx_str_t *name)
{
    sasl->route = ngx_smtp_dest_find(sasl->session->service->auth_dests,
                                     name);

    return sasl->route ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_cred_answer_refused(ngx_smtp_sasl_t *sasl,
    ngx_smtp_cred_answer_t *answer, char **reason)
{
    ngx_int_t  sec;

    sasl->message.len = answer->status.len;
    sasl->message.data = ngx_pstrdup(sasl->pool, &answer->status);
    if (sasl->message.data == NULL) {
        return NGX_ERROR;
    }

    if (answer->error_code.len
        && ngx_smtp_cred_answer_code(sasl, &answer->error_code) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, sasl->session->connection->log, 0,
                      "auth service sent invalid \"Auth-Error-Code\", "
                      "535 5.7.8 is used");
    }

    if (sasl->mech->key_size
        && ngx_smtp_cred_answer_keys(sasl, answer) != NGX_OK)
    {
        *reason = "invalid \"Auth-Scram-...\"";
        return NGX_ERROR;
    }

    sec = ngx_atoi(answer->wait.data, answer->wait.len);

    if (sec > 0) {
        sasl->wait = (ngx_msec_t) ngx_min(sec, NGX_SMTP_CRED_WAIT_MAX) * 1000;
    }

    return NGX_DECLINED;
}


/*
 * What SCRAM needs: all of it, or for who is refused nothing, or the salt and
 * the count that such a user is to be shown.
 */

static ngx_int_t
ngx_smtp_cred_answer_keys(ngx_smtp_sasl_t *sasl, ngx_smtp_cred_answer_t *answer)
{
    ngx_int_t              n;
    ngx_str_t              salt, text;
    ngx_smtp_sasl_keys_t  *keys;

    keys = &sasl->keys;

    if (answer->scram_salt.len == 0
        && answer->scram_iterations.len == 0
        && answer->scram_stored_key.len == 0
        && answer->scram_server_key.len == 0)
    {
        return NGX_OK;
    }

    n = ngx_atoi(answer->scram_iterations.data, answer->scram_iterations.len);

    if (n < NGX_SMTP_SASL_ITERATIONS_MIN || n > NGX_SMTP_SASL_ITERATIONS_MAX) {
        return NGX_ERROR;
    }

    /* shown to the client as we would write it */

    text = answer->scram_salt;

    if (ngx_smtp_sasl_decode(sasl, &salt, &text) != NGX_OK
        || salt.len == 0 || salt.len > NGX_SMTP_CRED_SALT_MAX
        || ngx_smtp_sasl_encode(sasl, &keys->salt, &salt) != NGX_OK)
    {
        return NGX_ERROR;
    }

    keys->iterations = n;

    if (answer->scram_stored_key.len == 0
        && answer->scram_server_key.len == 0)
    {
        return NGX_OK;
    }

    if (ngx_smtp_cred_answer_key(sasl, &answer->scram_stored_key, &keys->stored)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_cred_answer_key(sasl, &answer->scram_server_key,
                                  &keys->server);
}


static ngx_int_t
ngx_smtp_cred_answer_key(ngx_smtp_sasl_t *sasl, ngx_str_t *text, ngx_str_t *key)
{
    ngx_str_t  value;

    value = *text;

    if (ngx_smtp_sasl_decode(sasl, key, &value) != NGX_OK
        || key->len != sasl->mech->key_size)
    {
        ngx_str_null(key);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "535", "535 5.7.8" */

static ngx_int_t
ngx_smtp_cred_answer_code(ngx_smtp_sasl_t *sasl, ngx_str_t *text)
{
    ngx_int_t            code;
    ngx_str_t            rest;
    ngx_smtp_enhanced_t  enhanced;

    if (text->len < 3) {
        return NGX_ERROR;
    }

    code = ngx_atoi(text->data, 3);

    if (code < 400 || code > 599) {
        return NGX_ERROR;
    }

    ngx_memzero(&enhanced, sizeof(ngx_smtp_enhanced_t));

    if (text->len > 3) {

        if (text->data[3] != ' ') {
            return NGX_ERROR;
        }

        rest.data = text->data + 4;
        rest.len = text->len - 4;

        ngx_smtp_enhanced_parse(&enhanced, code, &rest);

        if (rest.len) {
            return NGX_ERROR;
        }
    }

    sasl->code = code;
    sasl->enhanced = enhanced;

    return NGX_OK;
}
