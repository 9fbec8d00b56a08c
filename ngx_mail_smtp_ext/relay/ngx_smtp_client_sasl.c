
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/hmac.h>
#include <ngx_smtp_client_private.h>


/*
 * AUTH at a next hop, RFC 4954, 4, as a client: PLAIN (RFC 4616), LOGIN,
 * CRAM-MD5 (RFC 2195), OAUTHBEARER (RFC 7628), XOAUTH2.  The first mechanism
 * of the table that the server offers, the configuration allows, and that does
 * not show the secret to more people than it may.
 *
 * A line with a secret has a buffer of its own, which is wiped as soon as the
 * server has replied to it, or when the connection ends.
 */


/* RFC 5321, 4.5.3.1.4: AUTH with an initial response is not longer */
#define NGX_SMTP_CLIENT_SASL_COMMAND  512

/* octets of MD5's digest */
#define NGX_SMTP_CLIENT_SASL_MD5      16

#define NGX_SMTP_CLIENT_SASL_BEARER   "auth=Bearer "


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   bit;            /* NGX_SMTP_CAP_* */
    ngx_uint_t   token;          /* of these it is for */
    ngx_uint_t   readable;       /* the secret, for who listens */
    ngx_uint_t   initial;        /* a response may go with AUTH */
    ngx_uint_t   steps;          /* responses at the most */

    /* octets of a response at the most */
    size_t     (*size)(ngx_smtp_client_t *client);

    /*
     * Writes the response to the challenge (the initial one to an empty one);
     * step counts responses from 0.  Its end, or NULL: there is none.
     */
    u_char    *(*respond)(ngx_smtp_client_t *client, ngx_str_t *challenge,
                          ngx_uint_t step, u_char *p);
} ngx_smtp_client_mech_t;


static const ngx_smtp_client_mech_t *ngx_smtp_client_sasl_mech(
    ngx_smtp_client_t *client);
static ngx_uint_t ngx_smtp_client_sasl_safe(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_sasl_challenge(ngx_smtp_client_t *client,
    ngx_str_t *challenge);
static ngx_int_t ngx_smtp_client_sasl_respond(ngx_smtp_client_t *client,
    ngx_str_t *challenge);
static ngx_int_t ngx_smtp_client_sasl_send(ngx_smtp_client_t *client,
    ngx_uint_t command, ngx_str_t *response);
static ngx_int_t ngx_smtp_client_sasl_failed(ngx_smtp_client_t *client,
    ngx_uint_t hopeless);

static size_t ngx_smtp_client_sasl_size(ngx_smtp_client_t *client);
static u_char *ngx_smtp_client_sasl_plain(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p);
static u_char *ngx_smtp_client_sasl_login(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p);
static u_char *ngx_smtp_client_sasl_cram_md5(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p);
static size_t ngx_smtp_client_sasl_oauth_size(ngx_smtp_client_t *client);
static u_char *ngx_smtp_client_sasl_oauthbearer(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p);
static u_char *ngx_smtp_client_sasl_xoauth2(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p);


static const ngx_smtp_client_mech_t  ngx_smtp_client_mechs[] = {

    { ngx_string("PLAIN"), NGX_SMTP_CAP_PLAIN, 0, 1, 1, 1,
      ngx_smtp_client_sasl_size, ngx_smtp_client_sasl_plain },

    { ngx_string("CRAM-MD5"), NGX_SMTP_CAP_CRAM_MD5, 0, 0, 0, 1,
      ngx_smtp_client_sasl_size, ngx_smtp_client_sasl_cram_md5 },

    { ngx_string("LOGIN"), NGX_SMTP_CAP_LOGIN, 0, 1, 0, 2,
      ngx_smtp_client_sasl_size, ngx_smtp_client_sasl_login },

    /* the second response is to the reason of a refusal */

    { ngx_string("OAUTHBEARER"), NGX_SMTP_CAP_OAUTHBEARER, 1, 1, 1, 2,
      ngx_smtp_client_sasl_oauth_size, ngx_smtp_client_sasl_oauthbearer },

    { ngx_string("XOAUTH2"), NGX_SMTP_CAP_XOAUTH2, 1, 1, 1, 2,
      ngx_smtp_client_sasl_oauth_size, ngx_smtp_client_sasl_xoauth2 },

    { ngx_null_string, 0, 0, 0, 0, 0, NULL, NULL }
};


ngx_int_t
ngx_smtp_client_sasl_offer(ngx_smtp_client_t *client)
{
    size_t                         len;
    ngx_str_t                      empty;
    ngx_connection_t              *c;
    const ngx_smtp_client_mech_t  *mech;

    c = client->connection;

    if (client->login == NULL) {
        return NGX_DECLINED;
    }

    mech = ngx_smtp_client_sasl_mech(client);

    if (mech == NULL) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "upstream offers no AUTH that may be used%s",
                      ngx_smtp_client_sasl_safe(client) ? ""
                      : " on a connection that is not safe");
        return ngx_smtp_client_sasl_failed(client, 0);
    }

    if (ngx_smtp_client_quiet(client) != NGX_OK) {
        return NGX_ERROR;
    }

    client->state = NGX_SMTP_CLIENT_AUTH;
    client->mech = mech;
    client->mech_step = 0;

    c->log->action = "logging in to upstream";

    len = sizeof("AUTH  " CRLF) - 1 + mech->name.len
          + ngx_base64_encoded_length(mech->size(client));

    if (mech->initial && len <= NGX_SMTP_CLIENT_SASL_COMMAND) {
        ngx_str_null(&empty);
        return ngx_smtp_client_sasl_respond(client, &empty);
    }

    return ngx_smtp_client_sasl_send(client, 1, NULL);
}


static const ngx_smtp_client_mech_t *
ngx_smtp_client_sasl_mech(ngx_smtp_client_t *client)
{
    ngx_uint_t                     bits;
    const ngx_smtp_client_mech_t  *mech;

    bits = client->caps.auth & client->conf->auth.methods;

    for (mech = ngx_smtp_client_mechs; mech->name.len; mech++) {

        if ((bits & mech->bit)
            && mech->token == client->login->token
            && (!mech->readable || ngx_smtp_client_sasl_safe(client)))
        {
            return mech;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_smtp_client_sasl_safe(ngx_smtp_client_t *client)
{
    /* what does not leave the machine is */

    if (client->sockaddr->sa_family == AF_UNIX) {
        return 1;
    }

    switch (client->conf->auth.security) {

    case NGX_SMTP_PASS_AUTH_VERIFIED:
        return client->caps.secure;

    case NGX_SMTP_PASS_AUTH_TLS:
        return client->connection->ssl != NULL;

    default: /* NGX_SMTP_PASS_AUTH_NONE */
        return 1;
    }
}


ngx_int_t
ngx_smtp_client_sasl_answer(ngx_smtp_client_t *client)
{
    u_char             challenge_text[NGX_SMTP_CLIENT_TEXT_SIZE];
    ngx_str_t          challenge;
    ngx_uint_t         code, sent;
    ngx_connection_t  *c;

    c = client->connection;
    code = client->reply.code;

    sent = (client->secret.pos == client->secret.last);

    ngx_smtp_client_sasl_wipe(client);

    if (code == 334 && sent) {
        challenge.data = challenge_text;

        if (ngx_smtp_client_sasl_challenge(client, &challenge) == NGX_OK) {
            return ngx_smtp_client_sasl_respond(client, &challenge);
        }

        /* RFC 4954, 4: one that makes no sense is to be cancelled */

        if (c->write->ready) {
            (void) c->send(c, (u_char *) "*" CRLF, sizeof("*" CRLF) - 1);
        }
    }

    if (code == 235 && sent) {
        client->caps.logged_in = 1;
        return NGX_DONE;
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0,
                  "upstream said to AUTH %V: \"%ui %V\"",
                  &((ngx_smtp_client_mech_t *) client->mech)->name,
                  code, &client->reply.text);

    /* RFC 4954, 6: for good; other servers will not like it any better */

    return ngx_smtp_client_sasl_failed(client, code / 100 == 5);
}


/* the text of 334, decoded */

static ngx_int_t
ngx_smtp_client_sasl_challenge(ngx_smtp_client_t *client,
    ngx_str_t *challenge)
{
    const ngx_smtp_client_mech_t  *mech;

    mech = client->mech;

    if (client->mech_step == mech->steps || client->in.pos != client->in.last)
    {
        return NGX_ERROR;
    }

    if (client->reply.text.len == 0) {
        challenge->len = 0;
        return NGX_OK;
    }

    if (ngx_decode_base64(challenge, &client->reply.text) == NGX_OK) {
        return NGX_OK;
    }

    /* LOGIN has no standard: some ask with a text as it is */

    challenge->len = 0;

    return (mech->bit == NGX_SMTP_CAP_LOGIN) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_client_sasl_respond(ngx_smtp_client_t *client, ngx_str_t *challenge)
{
    u_char                        *p;
    size_t                         size;
    ngx_int_t                      rc;
    ngx_str_t                      response;
    ngx_uint_t                     command;
    const ngx_smtp_client_mech_t  *mech;

    mech = client->mech;
    size = mech->size(client);
    command = (challenge->data == NULL);

    response.data = ngx_alloc(size, client->connection->log);
    if (response.data == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    p = mech->respond(client, challenge, client->mech_step, response.data);

    if (p) {
        client->mech_step++;
        response.len = p - response.data;

        rc = ngx_smtp_client_sasl_send(client, command, &response);
    }

    ngx_explicit_memzero(response.data, size);
    ngx_free(response.data);

    return rc;
}


/* AUTH, with a response or without; or the response alone */

static ngx_int_t
ngx_smtp_client_sasl_send(ngx_smtp_client_t *client, ngx_uint_t command,
    ngx_str_t *response)
{
    u_char                        *p;
    size_t                         len;
    ngx_str_t                      text;
    const ngx_smtp_client_mech_t  *mech;

    mech = client->mech;

    len = sizeof("AUTH  " CRLF) - 1 + mech->name.len
          + (response ? ngx_base64_encoded_length(response->len) : 0);

    p = ngx_alloc(len, client->connection->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    client->secret.start = client->secret.pos = p;
    client->secret.end = p + len;

    if (command) {
        p = ngx_sprintf(p, "AUTH %V%s", &mech->name, response ? " " : "");
    }

    if (response) {
        text.data = p;
        ngx_encode_base64(&text, response);
        p += text.len;
    }

    *p++ = CR; *p++ = LF;

    client->secret.last = p;

    return ngx_smtp_client_send(client, client->conf->greeting_timeout);
}


void
ngx_smtp_client_sasl_wipe(ngx_smtp_client_t *client)
{
    ngx_buf_t  *b;

    b = &client->secret;

    if (b->start) {
        ngx_explicit_memzero(b->start, b->end - b->start);
        ngx_free(b->start);
        ngx_memzero(b, sizeof(ngx_buf_t));
    }
}


static ngx_int_t
ngx_smtp_client_sasl_failed(ngx_smtp_client_t *client, ngx_uint_t hopeless)
{
    client->failure = NGX_SMTP_REPLY_SERVER_LOGIN;
    client->why = NGX_SMTP_NEXT_UNAVAILABLE;
    client->hopeless = hopeless;

    return NGX_ERROR;
}


/* the name, the secret and what PLAIN puts around them; CRAM-MD5's digest */

static size_t
ngx_smtp_client_sasl_size(ngx_smtp_client_t *client)
{
    return 2 + client->login->user.len
           + ngx_max(client->login->secret.len, 2 * NGX_SMTP_CLIENT_SASL_MD5);
}


static u_char *
ngx_smtp_client_sasl_plain(ngx_smtp_client_t *client, ngx_str_t *challenge,
    ngx_uint_t step, u_char *p)
{
    ngx_smtp_login_t  *login;

    login = client->login;

    *p++ = '\0';
    p = ngx_cpymem(p, login->user.data, login->user.len);
    *p++ = '\0';

    return ngx_cpymem(p, login->secret.data, login->secret.len);
}


static u_char *
ngx_smtp_client_sasl_login(ngx_smtp_client_t *client, ngx_str_t *challenge,
    ngx_uint_t step, u_char *p)
{
    ngx_str_t  *value;

    value = step ? &client->login->secret : &client->login->user;

    return ngx_cpymem(p, value->data, value->len);
}


static u_char *
ngx_smtp_client_sasl_cram_md5(ngx_smtp_client_t *client, ngx_str_t *challenge,
    ngx_uint_t step, u_char *p)
{
    unsigned int       len;
    ngx_smtp_login_t  *login;
    u_char             digest[EVP_MAX_MD_SIZE];

    login = client->login;

    if (challenge->len == 0
        || HMAC(EVP_md5(), login->secret.data, login->secret.len,
                challenge->data, challenge->len, digest, &len)
           == NULL)
    {
        return NULL;
    }

    p = ngx_cpymem(p, login->user.data, login->user.len);
    *p++ = ' ';

    return ngx_hex_dump(p, digest, len);
}


static size_t
ngx_smtp_client_sasl_oauth_size(ngx_smtp_client_t *client)
{
    return sizeof("n,a=,\1host=\1port=65535\1" NGX_SMTP_CLIENT_SASL_BEARER
                  "\1\1") - 1
           + 3 * client->login->user.len + client->host.len
           + client->login->secret.len;
}


/* RFC 7628, 3.1; 3.2.3: what is said to a refusal */

static u_char *
ngx_smtp_client_sasl_oauthbearer(ngx_smtp_client_t *client,
    ngx_str_t *challenge, ngx_uint_t step, u_char *p)
{
    size_t      i;
    in_port_t   port;
    ngx_str_t  *user;

    if (step) {
        *p++ = '\1';
        return p;
    }

    /* RFC 5801, 4: saslname */

    user = &client->login->user;

    p = ngx_cpymem(p, "n,a=", sizeof("n,a=") - 1);

    for (i = 0; i < user->len; i++) {

        switch (user->data[i]) {

        case ',':
            p = ngx_cpymem(p, "=2C", 3);
            break;

        case '=':
            p = ngx_cpymem(p, "=3D", 3);
            break;

        default:
            *p++ = user->data[i];
        }
    }

    *p++ = ',';
    *p++ = '\1';

    port = ngx_inet_get_port(client->sockaddr);

    if (client->host.len && port) {
        p = ngx_sprintf(p, "host=%V\1port=%d\1", &client->host, (int) port);
    }

    return ngx_sprintf(p, NGX_SMTP_CLIENT_SASL_BEARER "%V\1\1",
                       &client->login->secret);
}


static u_char *
ngx_smtp_client_sasl_xoauth2(ngx_smtp_client_t *client, ngx_str_t *challenge,
    ngx_uint_t step, u_char *p)
{
    if (step) {
        /* an empty line */
        return p;
    }

    return ngx_sprintf(p, "user=%V\1" NGX_SMTP_CLIENT_SASL_BEARER "%V\1\1",
                       &client->login->user, &client->login->secret);
}
