
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/crypto.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_scram.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_scram_hash.h>
#include <ngx_smtp_auth_private.h>


/*
 * SCRAM, RFC 5802 and 7677: the service gives the keys that it keeps for the
 * user, the proof is checked here; no password travels.  A user that there is
 * not has a salt as well, always the same one, and fails at the end like who
 * has the wrong password.
 */


/* octets; their base64 is the server's part of the nonce, without padding */
#define NGX_SMTP_SASL_SCRAM_NONCE  18

/* octets of the salt of a user who is none: what most services have */
#define NGX_SMTP_SASL_SCRAM_SALT   16


enum {
    NGX_SMTP_SASL_SCRAM_FIRST = 0,
    NGX_SMTP_SASL_SCRAM_FINAL,
    NGX_SMTP_SASL_SCRAM_PROVED
};


typedef struct {
    ngx_smtp_scram_first_t   first;      /* points into the response */
    ngx_str_t                nonce;      /* of both */
    ngx_str_t                server_first;

    unsigned                 refused:1;  /* whatever the proof is */
    unsigned                 unknown:1;  /* there are no keys to prove */
} ngx_smtp_sasl_scram_t;


static ngx_int_t ngx_smtp_sasl_scram_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_scram_first(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_scram_flag(ngx_smtp_sasl_t *sasl,
    ngx_smtp_gs2_t *gs2);
static ngx_int_t ngx_smtp_sasl_scram_name(ngx_smtp_sasl_t *sasl,
    ngx_str_t *name, ngx_str_t *saslname);
static ngx_int_t ngx_smtp_sasl_scram_answer(ngx_smtp_sasl_t *sasl,
    ngx_int_t rc);
static ngx_int_t ngx_smtp_sasl_scram_fake(ngx_smtp_sasl_t *sasl);
static ngx_int_t ngx_smtp_sasl_scram_challenge(ngx_smtp_sasl_t *sasl);
static ngx_int_t ngx_smtp_sasl_scram_final(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_scram_bound(ngx_smtp_sasl_t *sasl,
    ngx_str_t *binding);
static ngx_int_t ngx_smtp_sasl_scram_prove(ngx_smtp_sasl_t *sasl,
    ngx_smtp_scram_final_t *final);
static ngx_int_t ngx_smtp_sasl_scram_proved(ngx_smtp_sasl_t *sasl,
    ngx_str_t *message);
static ngx_int_t ngx_smtp_sasl_scram_failed(ngx_smtp_sasl_t *sasl);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1 = {
    ngx_string("SCRAM-SHA-1"),
    ngx_string("scram-sha-1"),
    NGX_SMTP_SASL_SCRAM_SHA_1,
    20,
    0,
    0,
    0,
    0,
    NULL,
    ngx_smtp_sasl_scram_step,
    ngx_smtp_sasl_scram_answer
};


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1_plus;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1_plus = {
    ngx_string("SCRAM-SHA-1-PLUS"),
    ngx_string("scram-sha-1"),
    NGX_SMTP_SASL_SCRAM_SHA_1_PLUS,
    20,
    0,
    0,
    0,
    0,
    ngx_smtp_sasl_binding_usable,
    ngx_smtp_sasl_scram_step,
    ngx_smtp_sasl_scram_answer
};


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256 = {
    ngx_string("SCRAM-SHA-256"),
    ngx_string("scram-sha-256"),
    NGX_SMTP_SASL_SCRAM_SHA_256,
    32,
    0,
    0,
    0,
    0,
    NULL,
    ngx_smtp_sasl_scram_step,
    ngx_smtp_sasl_scram_answer
};


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256_plus;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256_plus = {
    ngx_string("SCRAM-SHA-256-PLUS"),
    ngx_string("scram-sha-256"),
    NGX_SMTP_SASL_SCRAM_SHA_256_PLUS,
    32,
    0,
    0,
    0,
    0,
    ngx_smtp_sasl_binding_usable,
    ngx_smtp_sasl_scram_step,
    ngx_smtp_sasl_scram_answer
};


static ngx_int_t
ngx_smtp_sasl_scram_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    switch (sasl->state) {

    case NGX_SMTP_SASL_SCRAM_FIRST:

        if (response->data == NULL) {
            ngx_str_null(&sasl->challenge);
            return NGX_AGAIN;
        }

        return ngx_smtp_sasl_scram_first(sasl, response);

    case NGX_SMTP_SASL_SCRAM_FINAL:
        return ngx_smtp_sasl_scram_final(sasl, response);

    default: /* NGX_SMTP_SASL_SCRAM_PROVED */

        /* SMTP has no data with success: they came by a challenge, and the
           response to that is empty (RFC 4422, 3.7) */

        return response->len ? NGX_ERROR : NGX_DONE;
    }
}


static ngx_int_t
ngx_smtp_sasl_scram_first(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    ngx_int_t               rc;
    ngx_smtp_sasl_scram_t  *scram;

    scram = ngx_pcalloc(sasl->pool, sizeof(ngx_smtp_sasl_scram_t));
    if (scram == NULL) {
        return NGX_ABORT;
    }

    sasl->exchange = scram;

    if (ngx_smtp_scram_first_parse(&scram->first, response) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_smtp_sasl_scram_flag(sasl, &scram->first.gs2);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_smtp_sasl_scram_name(sasl, &sasl->user, &scram->first.user);

    if (rc == NGX_OK && scram->first.gs2.authzid.len) {
        rc = ngx_smtp_sasl_scram_name(sasl, &sasl->authzid,
                                      &scram->first.gs2.authzid);
    }

    return rc;
}


/* RFC 5802, 6 */

static ngx_int_t
ngx_smtp_sasl_scram_flag(ngx_smtp_sasl_t *sasl, ngx_smtp_gs2_t *gs2)
{
    size_t      len;
    ngx_log_t  *log;
    u_char      data[NGX_SMTP_SASL_BINDING_MAX];

    log = sasl->session->connection->log;

    if (sasl->mech->bit & NGX_SMTP_SASL_PLUS) {

        if (gs2->flag == 'p') {
            return ngx_smtp_sasl_binding(sasl->session, &gs2->binding, data,
                                         &len);
        }

    } else if (gs2->flag == 'n') {
        return NGX_OK;

    } else if (gs2->flag == 'y') {

        if (!(ngx_smtp_sasl_offered(sasl->session) & NGX_SMTP_SASL_PLUS)) {
            return NGX_OK;
        }

        /* somebody has taken it out of what we offered */

        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "client has not seen that channel binding is offered, "
                      "its AUTH is refused");
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, log, 0,
                  "client sent AUTH %V with channel binding flag \"%c\"",
                  &sasl->mech->name, gs2->flag);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_smtp_sasl_scram_name(ngx_smtp_sasl_t *sasl, ngx_str_t *name,
    ngx_str_t *saslname)
{
    u_char  *p;

    /* the message stays as it came, it is hashed */

    p = ngx_smtp_sasl_alloc(sasl, saslname->len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    name->data = p;
    name->len = ngx_smtp_saslname_decode(p, saslname->data,
                                         saslname->data + saslname->len)
                - p;

    return ngx_smtp_sasl_prep(sasl, name);
}


static ngx_int_t
ngx_smtp_sasl_scram_answer(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    ngx_smtp_sasl_scram_t  *scram;

    scram = sasl->exchange;

    if (rc == NGX_DECLINED) {

        /* not for good: that says nothing of the user */

        if (sasl->code / 100 == 4) {
            return NGX_DECLINED;
        }

        scram->refused = 1;
        scram->unknown = (sasl->keys.stored.len == 0);

        if (scram->unknown && ngx_smtp_sasl_scram_fake(sasl) != NGX_OK) {
            return NGX_ABORT;
        }
    }

    return ngx_smtp_sasl_scram_challenge(sasl);
}


/*
 * What a user who is none would have, if there were one: stable, or else the
 * difference would be seen.  Names that differ in case are one to most
 * services.
 */

static ngx_int_t
ngx_smtp_sasl_scram_fake(ngx_smtp_sasl_t *sasl)
{
    u_char                *p;
    size_t                 size;
    ngx_str_t              name, salt;
    ngx_smtp_auth_conf_t  *conf;
    u_char                 hmac[NGX_SMTP_SCRAM_HASH_MAX];

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);
    size = sasl->mech->key_size;

    if (sasl->keys.salt.len == 0) {

        /* not the same for both hashes */

        name.len = sasl->user.len + 1;
        name.data = ngx_smtp_sasl_alloc(sasl, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        name.data[0] = (u_char) size;
        ngx_strlow(name.data + 1, sasl->user.data, sasl->user.len);

        if (ngx_smtp_scram_hmac(NGX_SMTP_SCRAM_HASH_MAX, &conf->scram_secret,
                                &name, hmac)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        salt.data = hmac;
        salt.len = NGX_SMTP_SASL_SCRAM_SALT;

        if (ngx_smtp_sasl_encode(sasl, &sasl->keys.salt, &salt) != NGX_OK) {
            return NGX_ERROR;
        }

        sasl->keys.iterations = conf->scram_iterations;
    }

    /* keys that nobody has, so that the same is done as for others */

    p = ngx_smtp_sasl_alloc(sasl, 2 * size);

    if (p == NULL || ngx_smtp_sasl_random(sasl, p, 2 * size) != NGX_OK) {
        return NGX_ERROR;
    }

    sasl->keys.stored.data = p;
    sasl->keys.stored.len = size;
    sasl->keys.server.data = p + size;
    sasl->keys.server.len = size;

    return NGX_OK;
}


/* server-first-message */

static ngx_int_t
ngx_smtp_sasl_scram_challenge(ngx_smtp_sasl_t *sasl)
{
    u_char                 *p;
    size_t                  len;
    ngx_str_t               nonce, text;
    ngx_smtp_sasl_scram_t  *scram;
    u_char                  random[NGX_SMTP_SASL_SCRAM_NONCE];

    scram = sasl->exchange;

    if (ngx_smtp_sasl_random(sasl, random, sizeof(random)) != NGX_OK) {
        return NGX_ABORT;
    }

    nonce.data = random;
    nonce.len = sizeof(random);

    if (ngx_smtp_sasl_encode(sasl, &text, &nonce) != NGX_OK) {
        return NGX_ABORT;
    }

    len = sizeof("r=,s=,i=") - 1 + scram->first.nonce.len + text.len
          + sasl->keys.salt.len + NGX_INT_T_LEN;

    p = ngx_smtp_sasl_alloc(sasl, len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    scram->server_first.data = p;

    p = ngx_cpymem(p, "r=", 2);
    scram->nonce.data = p;
    p = ngx_sprintf(p, "%V%V", &scram->first.nonce, &text);
    scram->nonce.len = p - scram->nonce.data;

    p = ngx_sprintf(p, ",s=%V,i=%ui", &sasl->keys.salt,
                    sasl->keys.iterations);

    scram->server_first.len = p - scram->server_first.data;

    sasl->challenge = scram->server_first;
    sasl->state = NGX_SMTP_SASL_SCRAM_FINAL;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_smtp_sasl_scram_final(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    ngx_int_t                rc;
    ngx_smtp_sasl_scram_t   *scram;
    ngx_smtp_scram_final_t   final;

    scram = sasl->exchange;

    if (ngx_smtp_scram_final_parse(&final, response) != NGX_OK) {
        return NGX_ERROR;
    }

    if (final.nonce.len != scram->nonce.len
        || CRYPTO_memcmp(final.nonce.data, scram->nonce.data,
                         scram->nonce.len)
           != 0)
    {
        return ngx_smtp_sasl_scram_failed(sasl);
    }

    rc = ngx_smtp_sasl_scram_bound(sasl, &final.binding);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_WARN, sasl->session->connection->log, 0,
                      "client's channel binding is not that of the "
                      "connection, its AUTH is refused");
        return ngx_smtp_sasl_scram_failed(sasl);
    }

    return (rc == NGX_OK) ? ngx_smtp_sasl_scram_prove(sasl, &final) : rc;
}


/* cbind-input = gs2-header [ cbind-data ], in base64 */

static ngx_int_t
ngx_smtp_sasl_scram_bound(ngx_smtp_sasl_t *sasl, ngx_str_t *binding)
{
    u_char                 *p;
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               input, text;
    ngx_smtp_gs2_t         *gs2;
    ngx_smtp_sasl_scram_t  *scram;

    scram = sasl->exchange;
    gs2 = &scram->first.gs2;

    p = ngx_smtp_sasl_alloc(sasl,
                            gs2->header.len + NGX_SMTP_SASL_BINDING_MAX);
    if (p == NULL) {
        return NGX_ABORT;
    }

    input.data = p;
    p = ngx_cpymem(p, gs2->header.data, gs2->header.len);

    if (gs2->flag == 'p') {
        rc = ngx_smtp_sasl_binding(sasl->session, &gs2->binding, p, &len);

        if (rc != NGX_OK) {
            return rc;
        }

        p += len;
    }

    input.len = p - input.data;

    if (ngx_smtp_sasl_encode(sasl, &text, &input) != NGX_OK) {
        return NGX_ABORT;
    }

    if (text.len != binding->len
        || CRYPTO_memcmp(text.data, binding->data, text.len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_sasl_scram_prove(ngx_smtp_sasl_t *sasl,
    ngx_smtp_scram_final_t *final)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               message, proof;
    ngx_smtp_sasl_scram_t  *scram;

    scram = sasl->exchange;

    /* AuthMessage */

    message.len = scram->first.bare.len + 1 + scram->server_first.len + 1
                  + final->unproved.len;

    p = ngx_smtp_sasl_alloc(sasl, message.len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    message.data = p;

    (void) ngx_sprintf(p, "%V,%V,%V", &scram->first.bare,
                       &scram->server_first, &final->unproved);

    rc = ngx_smtp_sasl_decode(sasl, &proof, &final->proof);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_ERROR : NGX_ABORT;
    }

    rc = ngx_smtp_scram_verify(sasl->mech->key_size, &sasl->keys.stored,
                               &message, &proof);

    if (rc == NGX_DECLINED || scram->unknown) {
        return ngx_smtp_sasl_scram_failed(sasl);
    }

    if (rc == NGX_ERROR) {
        return NGX_ABORT;
    }

    /* it is the user, who may hear why not */

    return scram->refused ? NGX_DECLINED
                          : ngx_smtp_sasl_scram_proved(sasl, &message);
}


/* server-final-message: the server shows that it knows the user as well */

static ngx_int_t
ngx_smtp_sasl_scram_proved(ngx_smtp_sasl_t *sasl, ngx_str_t *message)
{
    u_char     *p;
    ngx_str_t   signature, text;
    u_char      hmac[NGX_SMTP_SCRAM_HASH_MAX];

    if (ngx_smtp_scram_hmac(sasl->mech->key_size, &sasl->keys.server, message,
                            hmac)
        != NGX_OK)
    {
        return NGX_ABORT;
    }

    signature.data = hmac;
    signature.len = sasl->mech->key_size;

    if (ngx_smtp_sasl_encode(sasl, &text, &signature) != NGX_OK) {
        return NGX_ABORT;
    }

    p = ngx_smtp_sasl_alloc(sasl, 2 + text.len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    sasl->challenge.data = p;
    sasl->challenge.len = ngx_sprintf(p, "v=%V", &text) - p;

    sasl->state = NGX_SMTP_SASL_SCRAM_PROVED;

    return NGX_AGAIN;
}


/* what the service said of the user is for the user alone */

static ngx_int_t
ngx_smtp_sasl_scram_failed(ngx_smtp_sasl_t *sasl)
{
    ngx_str_null(&sasl->message);
    sasl->code = 0;
    sasl->wait = 0;

    return NGX_DECLINED;
}
