
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <nginx_stub.h>
#include <ngx_event.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_scram_hash.h>
#include <ngx_smtp_auth_private.h>


/*
 * base64 and the steps of each mechanism.  base64 has one text for each
 * content (RFC 4648, 3.5), what was decoded is wiped where it came from, no
 * name or password has a NUL; and SCRAM lets in who has proved the password,
 * whatever the name, and nobody else.
 */


/* the keys of a user, of SHA-256 */
#define KEY  32


static void check_decode(const u_char *data, size_t size);
static void check_encode(const u_char *data, size_t size);
static void check_plain(const u_char *data, size_t size);
static void check_login(const u_char *data, size_t size);
static void check_cram(const u_char *data, size_t size);
static void check_oauth(const ngx_smtp_sasl_mech_t *mech, const u_char *data,
    size_t size);
static void check_external(const u_char *data, size_t size);
static void check_scram(const ngx_smtp_sasl_mech_t *mech, const u_char *data,
    size_t size);
static ngx_smtp_sasl_t *scram_begin(const ngx_smtp_sasl_mech_t *mech,
    const u_char *data, size_t size);
static void scram_prove(ngx_smtp_sasl_t *sasl, const u_char *data,
    size_t size);
static void check_credentials(ngx_smtp_sasl_t *sasl);
static ngx_smtp_sasl_t *create(const ngx_smtp_sasl_mech_t *mech);
static ngx_int_t step(ngx_smtp_sasl_t *sasl, const u_char *data,
    size_t size);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_login;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_cram_md5;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_oauthbearer;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_xoauth2;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_external;

ngx_module_t  ngx_mail_smtp_ext_auth_module;

const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[] = {
    &ngx_smtp_sasl_plain,
    &ngx_smtp_sasl_login,
    NULL
};


static ngx_smtp_session_t    session;
static ngx_smtp_service_t    service;
static ngx_smtp_auth_conf_t  conf;
static void                 *srv_conf[] = { &conf };


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > NGX_SMTP_SASL_LINE_MAX) {
        return 0;
    }

    if (session.connection == NULL) {
        session.connection = fuzz_connection();
        session.service = &service;
        session.srv_conf = srv_conf;
        ngx_queue_init(&session.ops);

        ngx_str_set(&service.server_name, "mx.example.com");
        ngx_str_set(&conf.scram_secret, "secret");
        conf.scram_iterations = NGX_SMTP_SASL_ITERATIONS_MIN;
    }

    check_decode(data, size);
    check_encode(data, size);
    check_plain(data, size);
    check_login(data, size);
    check_cram(data, size);
    check_oauth(&ngx_smtp_sasl_oauthbearer, data, size);
    check_oauth(&ngx_smtp_sasl_xoauth2, data, size);
    check_external(data, size);
    check_scram(&ngx_smtp_sasl_scram_sha_1, data, size);
    check_scram(&ngx_smtp_sasl_scram_sha_256, data, size);

    fuzz_check(session.auth == NULL && ngx_queue_empty(&session.ops));

    return 0;
}


static void
check_decode(const u_char *data, size_t size)
{
    size_t            i;
    ngx_str_t         text, content, again;
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_plain);

    text.len = size;
    text.data = fuzz_copy(data, size);

    rc = ngx_smtp_sasl_decode(sasl, &content, &text);

    fuzz_check(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_OK) {
        fuzz_check(content.data != NULL);

        for (i = 0; i < size; i++) {
            fuzz_check(text.data[i] == '\0');
        }

        fuzz_check(ngx_smtp_sasl_encode(sasl, &again, &content) == NGX_OK);
        fuzz_check(again.len == size
                   && (size == 0 || memcmp(again.data, data, size) == 0));
    }

    free(text.data);

    ngx_smtp_sasl_destroy(sasl);
}


static void
check_encode(const u_char *data, size_t size)
{
    ngx_str_t         text, content, again;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_plain);

    content.len = size;
    content.data = fuzz_copy(data, size);

    fuzz_check(ngx_smtp_sasl_encode(sasl, &text, &content) == NGX_OK);
    fuzz_check(ngx_smtp_sasl_decode(sasl, &again, &text) == NGX_OK);
    fuzz_check(again.len == size
               && (size == 0 || memcmp(again.data, data, size) == 0));

    free(content.data);

    ngx_smtp_sasl_destroy(sasl);
}


/* the input as a response, decoded */

static void
check_plain(const u_char *data, size_t size)
{
    size_t            n;
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_plain);

    rc = step(sasl, data, size);

    fuzz_check(rc == NGX_OK || rc == NGX_ERROR);

    if (rc == NGX_OK) {
        n = sasl->authzid.len + 1 + sasl->user.len + 1 + sasl->secret.len;

        fuzz_check(n == size);
        fuzz_check(sasl->authzid.len == 0
                   || memchr(sasl->authzid.data, '\0', sasl->authzid.len)
                      == NULL);

        check_credentials(sasl);
    }

    ngx_smtp_sasl_destroy(sasl);
}


/* two responses, with a line end between them */

static void
check_login(const u_char *data, size_t size)
{
    size_t            n;
    ngx_int_t         rc;
    const u_char     *lf;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_login);

    lf = size ? memchr(data, LF, size) : NULL;
    n = lf ? (size_t) (lf - data) : size;

    rc = step(sasl, data, n);

    fuzz_check(rc == NGX_AGAIN || rc == NGX_ERROR);

    if (rc == NGX_AGAIN && lf) {
        fuzz_check(sasl->user.len == n);

        rc = step(sasl, lf + 1, size - n - 1);

        fuzz_check(rc == NGX_OK || rc == NGX_ERROR);

        if (rc == NGX_OK) {
            check_credentials(sasl);
        }
    }

    ngx_smtp_sasl_destroy(sasl);
}


static void
check_cram(const u_char *data, size_t size)
{
    ngx_int_t         rc;
    ngx_str_t         none;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_cram_md5);

    ngx_str_null(&none);

    fuzz_check(sasl->mech->step(sasl, &none) == NGX_AGAIN);
    fuzz_check(sasl->salt.len > 32 && sasl->challenge.len == sasl->salt.len);
    fuzz_check(fuzz_is_text(sasl->salt.data, sasl->salt.data + sasl->salt.len,
                            0));

    rc = step(sasl, data, size);

    fuzz_check(rc == NGX_OK || rc == NGX_ERROR);

    if (rc == NGX_OK) {
        fuzz_check(sasl->secret.len == 32);
        fuzz_check(sasl->user.len + 33 == size);
        check_credentials(sasl);
    }

    ngx_smtp_sasl_destroy(sasl);
}


static void
check_oauth(const ngx_smtp_sasl_mech_t *mech, const u_char *data, size_t size)
{
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(mech);

    rc = step(sasl, data, size);

    fuzz_check(rc == NGX_OK || rc == NGX_ERROR || rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        fuzz_check(sasl->token.len > 0);
        fuzz_check(fuzz_is_text(sasl->token.data,
                                sasl->token.data + sasl->token.len, 0));
        fuzz_check(sasl->user.len == 0
                   || memchr(sasl->user.data, '\0', sasl->user.len) == NULL);

        rc = mech->answer(sasl, NGX_DECLINED);
    }

    /* refused, or not even asked about */

    if (rc == NGX_AGAIN) {
        fuzz_check(sasl->challenge.len > 0 && sasl->challenge.data[0] == '{');
        fuzz_check(step(sasl, data, size) == NGX_DECLINED);
    }

    ngx_smtp_sasl_destroy(sasl);
}


static void
check_external(const u_char *data, size_t size)
{
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    sasl = create(&ngx_smtp_sasl_external);

    rc = step(sasl, data, size);

    fuzz_check(rc == NGX_OK || rc == NGX_ERROR);
    fuzz_check(rc == NGX_ERROR || sasl->user.len == size);
    fuzz_check(rc == NGX_ERROR || size == 0
               || memchr(sasl->user.data, '\0', size) == NULL);

    ngx_smtp_sasl_destroy(sasl);
}


/* two messages, with a line end between them */

static void
check_scram(const ngx_smtp_sasl_mech_t *mech, const u_char *data, size_t size)
{
    size_t            n;
    ngx_int_t         rc;
    const u_char     *lf;
    ngx_smtp_sasl_t  *sasl;

    lf = size ? memchr(data, LF, size) : NULL;
    n = lf ? (size_t) (lf - data) : size;

    sasl = scram_begin(mech, data, n);

    if (sasl == NULL) {
        return;
    }

    if (lf) {
        rc = step(sasl, lf + 1, size - n - 1);

        fuzz_check(rc == NGX_DECLINED || rc == NGX_ERROR);
    }

    ngx_smtp_sasl_destroy(sasl);

    /* who knows the key is let in */

    sasl = scram_begin(mech, data, n);

    scram_prove(sasl, data, n);

    ngx_smtp_sasl_destroy(sasl);

    /* and not where the service has refused */

    sasl = create(mech);

    fuzz_check(step(sasl, data, n) == NGX_OK);
    fuzz_check(mech->answer(sasl, NGX_DECLINED) == NGX_AGAIN);
    fuzz_check(sasl->keys.salt.len == 24);

    rc = lf ? step(sasl, lf + 1, size - n - 1) : NGX_DECLINED;

    fuzz_check(rc == NGX_DECLINED || rc == NGX_ERROR);

    ngx_smtp_sasl_destroy(sasl);
}


/* up to the server's first message; NULL: the client's is none */

static ngx_smtp_sasl_t *
scram_begin(const ngx_smtp_sasl_mech_t *mech, const u_char *data, size_t size)
{
    ngx_int_t         rc;
    unsigned int      len;
    ngx_smtp_sasl_t  *sasl;

    static u_char     client[KEY], stored[KEY];

    sasl = create(mech);

    rc = step(sasl, data, size);

    if (rc != NGX_OK) {
        fuzz_check(rc == NGX_ERROR || rc == NGX_DECLINED);
        ngx_smtp_sasl_destroy(sasl);
        return NULL;
    }

    fuzz_check(sasl->user.len > 0
               && memchr(sasl->user.data, '\0', sasl->user.len) == NULL);

    EVP_Digest(client, mech->key_size, stored, &len,
               mech->key_size == 20 ? EVP_sha1() : EVP_sha256(), NULL);

    ngx_str_set(&sasl->keys.salt, "QSXCR+Q6sek8bf92");
    sasl->keys.iterations = NGX_SMTP_SASL_ITERATIONS_MIN;
    sasl->keys.stored.data = stored;
    sasl->keys.stored.len = mech->key_size;
    sasl->keys.server = sasl->keys.stored;

    fuzz_check(mech->answer(sasl, NGX_OK) == NGX_AGAIN);
    fuzz_check(memcmp(sasl->challenge.data, "r=", 2) == 0);

    return sasl;
}


/* ClientKey is all zeros: the proof is the signature */

static void
scram_prove(ngx_smtp_sasl_t *sasl, const u_char *data, size_t size)
{
    size_t         header;
    u_char        *nonce;
    ngx_str_t      message, gs2, text, proof;
    fuzz_out_t     all, final;
    const u_char  *p;
    u_char         hmac[KEY];

    /* the header ends with the second comma */

    p = memchr(data, ',', size);
    p = memchr(p + 1, ',', size - (p + 1 - data));
    header = p + 1 - data;

    gs2.data = (u_char *) data;
    gs2.len = header;

    fuzz_check(ngx_smtp_sasl_encode(sasl, &text, &gs2) == NGX_OK);

    memset(&all, 0, sizeof(fuzz_out_t));
    memset(&final, 0, sizeof(fuzz_out_t));

    nonce = sasl->challenge.data;

    fuzz_out_add(&final, "c=", 2);
    fuzz_out_add(&final, text.data, text.len);
    fuzz_out_add(&final, ",", 1);
    fuzz_out_add(&final, nonce,
                 (u_char *) memchr(nonce, ',', sasl->challenge.len) - nonce);

    fuzz_out_add(&all, data + header, size - header);
    fuzz_out_add(&all, ",", 1);
    fuzz_out_add(&all, sasl->challenge.data, sasl->challenge.len);
    fuzz_out_add(&all, ",", 1);
    fuzz_out_add(&all, final.data, final.len);

    message.data = all.data;
    message.len = all.len;

    fuzz_check(ngx_smtp_scram_hmac(sasl->mech->key_size, &sasl->keys.stored,
                                   &message, hmac)
               == NGX_OK);

    proof.data = hmac;
    proof.len = sasl->mech->key_size;

    fuzz_check(ngx_smtp_sasl_encode(sasl, &text, &proof) == NGX_OK);

    fuzz_out_add(&final, ",p=", 3);
    fuzz_out_add(&final, text.data, text.len);

    fuzz_check(step(sasl, final.data, final.len) == NGX_AGAIN);
    fuzz_check(memcmp(sasl->challenge.data, "v=", 2) == 0);
    fuzz_check(step(sasl, data, 0) == NGX_DONE);

    fuzz_out_free(&all);
    fuzz_out_free(&final);
}


static void
check_credentials(ngx_smtp_sasl_t *sasl)
{
    size_t  i;

    fuzz_check(sasl->user.len > 0 && sasl->secret.len > 0);
    fuzz_check(memchr(sasl->user.data, '\0', sasl->user.len) == NULL);
    fuzz_check(memchr(sasl->secret.data, '\0', sasl->secret.len) == NULL);

    if (!ngx_smtp_sasl_user_valid(&sasl->user)) {
        return;
    }

    fuzz_check(sasl->user.len <= NGX_SMTP_SASL_USER_MAX);

    for (i = 0; i < sasl->user.len; i++) {
        fuzz_check(sasl->user.data[i] >= ' ' && sasl->user.data[i] != 0x7f);
    }
}


static ngx_smtp_sasl_t *
create(const ngx_smtp_sasl_mech_t *mech)
{
    ngx_smtp_sasl_t  *sasl;

    sasl = ngx_smtp_sasl_create(&session, mech);

    if (sasl == NULL) {
        abort();
    }

    return sasl;
}


/* responses lie in memory that is wiped, as those of a client */

static ngx_int_t
step(ngx_smtp_sasl_t *sasl, const u_char *data, size_t size)
{
    ngx_str_t  response;

    response.len = size;
    response.data = ngx_smtp_sasl_alloc(sasl, size + 1);

    if (response.data == NULL) {
        abort();
    }

    ngx_memcpy(response.data, data, size);

    return sasl->mech->step(sasl, &response);
}
