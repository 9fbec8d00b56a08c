
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <nginx_stub.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * base64 and the steps of PLAIN and LOGIN.  base64 has one text for each
 * content (RFC 4648, 3.5), what was decoded is wiped where it came from, and
 * no name or password has a NUL.
 */


static void check_decode(const u_char *data, size_t size);
static void check_encode(const u_char *data, size_t size);
static void check_plain(const u_char *data, size_t size);
static void check_login(const u_char *data, size_t size);
static void check_credentials(ngx_smtp_sasl_t *sasl);
static ngx_smtp_sasl_t *create(const ngx_smtp_sasl_mech_t *mech);
static ngx_int_t step(ngx_smtp_sasl_t *sasl, const u_char *data,
    size_t size);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_login;

ngx_module_t  ngx_mail_smtp_ext_auth_module;

const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[] = {
    &ngx_smtp_sasl_plain,
    &ngx_smtp_sasl_login,
    NULL
};


static ngx_smtp_session_t  session;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > NGX_SMTP_SASL_LINE_MAX) {
        return 0;
    }

    if (session.connection == NULL) {
        session.connection = fuzz_connection();
        ngx_queue_init(&session.ops);
    }

    check_decode(data, size);
    check_encode(data, size);
    check_plain(data, size);
    check_login(data, size);

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
