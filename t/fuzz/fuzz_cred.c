
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <nginx_stub.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_senders.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Answers of auth services: the first octet picks a mechanism and whether
 * logins are kept for the next hop, the second the status; lines of "name:
 * value" follow, as the HTTP parser lets them through.  Only "OK" logs in, and
 * only with all that the mechanism needs; what is taken makes no reply, no
 * name and no destination that is none; and what is refused has its reason.
 */


#define HEADERS  32


static void check_accepted(ngx_smtp_sasl_t *sasl,
    ngx_smtp_http_request_t *r);
static void check_refused(ngx_smtp_sasl_t *sasl);
static void check_keys(ngx_smtp_sasl_t *sasl);
static void check_text(ngx_str_t *text);
static void headers(ngx_smtp_http_request_t *r, u_char *p, u_char *last);
static ngx_str_t *find(ngx_smtp_http_request_t *r, char *name);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_external;

/* as the one of auth_rcpt */
static const ngx_smtp_sasl_mech_t  fuzz_nobody = {
    ngx_string("NONE"),
    ngx_string("none"),
    0, 0, 0, 0, 0, 1, NULL, NULL, NULL
};

static const ngx_smtp_sasl_mech_t  *mechs[] = {
    &ngx_smtp_sasl_plain,
    &ngx_smtp_sasl_scram_sha_1,
    &ngx_smtp_sasl_scram_sha_256,
    &ngx_smtp_sasl_external,
    &fuzz_nobody
};

ngx_module_t  ngx_mail_smtp_ext_auth_module;

const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[] = {
    &ngx_smtp_sasl_plain,
    NULL
};


static ngx_smtp_session_t    session;
static ngx_smtp_service_t    service;
static ngx_smtp_auth_conf_t  conf;
static void                 *srv_conf[] = { &conf };
static ngx_smtp_dest_t       dest;


ngx_smtp_dest_t *
ngx_smtp_dest_find(ngx_array_t *dests, ngx_str_t *name)
{
    return (name->len == 2 && ngx_strncmp(name->data, "mx", 2) == 0) ? &dest
                                                                     : NULL;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                       *reason;
    u_char                     *text;
    ngx_int_t                   rc;
    ngx_str_t                  *status;
    ngx_smtp_sasl_t            *sasl;
    ngx_smtp_http_request_t     r;
    const ngx_smtp_sasl_mech_t *mech;

    if (size < 2 || size > FUZZ_INPUT_MAX) {
        return 0;
    }

    if (session.connection == NULL) {
        session.connection = fuzz_connection();
        session.service = &service;
        session.srv_conf = srv_conf;
        ngx_queue_init(&session.ops);
    }

    mech = mechs[(data[0] & 0x7f) % (sizeof(mechs) / sizeof(mechs[0]))];
    service.keep_passwd = data[0] >> 7;

    sasl = ngx_smtp_sasl_create(&session, mech);
    if (sasl == NULL) {
        abort();
    }

    if (!mech->nameless && !mech->nobody) {
        ngx_str_set(&sasl->user, "user");
    }

    ngx_memzero(&r, sizeof(ngx_smtp_http_request_t));

    r.pool = sasl->pool;
    r.log = session.connection->log;
    r.status = 150 + data[1];

    text = fuzz_copy(data + 2, size - 2);

    headers(&r, text, text + size - 2);

    reason = NULL;
    rc = ngx_smtp_cred_http_answer(sasl, &r, &reason);
    status = find(&r, "auth-status");

    switch (rc) {

    case NGX_OK:
        fuzz_check(status && status->len == 2
                   && memcmp(status->data, "OK", 2) == 0);
        check_accepted(sasl, &r);
        break;

    case NGX_DECLINED:
        fuzz_check(status && status->len);
        check_refused(sasl);
        break;

    case NGX_AGAIN:
        fuzz_check(sasl->wait >= 1000 && sasl->wait <= 60 * 1000);
        break;

    default:
        fuzz_check(rc == NGX_ERROR && reason != NULL);
    }

    fuzz_check(rc == NGX_ERROR || (r.status >= 200 && r.status <= 299));

    ngx_smtp_sasl_destroy(sasl);
    free(text);

    return 0;
}


static void
check_accepted(ngx_smtp_sasl_t *sasl, ngx_smtp_http_request_t *r)
{
    size_t      i;
    ngx_str_t  *server;

    if (!sasl->mech->nobody) {
        fuzz_check(ngx_smtp_sasl_user_valid(&sasl->login));
        fuzz_check(find(r, "auth-max-size") == NULL
                   || sasl->rights.max_size > 0);
        fuzz_check(find(r, "auth-max-rcpt") == NULL
                   || sasl->rights.max_rcpt > 0);
        fuzz_check(find(r, "auth-senders") == NULL
                   || sasl->rights.senders.len > 0);
    }

    if (sasl->mech->key_size) {
        check_keys(sasl);
        fuzz_check(sasl->keys.stored.len == sasl->mech->key_size);
        fuzz_check(sasl->keys.server.len == sasl->mech->key_size);
    }

    fuzz_check(service.keep_passwd
               || (sasl->passwd.len == 0 && sasl->bearer.len == 0));
    fuzz_check(sasl->passwd.len == 0 || sasl->bearer.len == 0);
    check_text(&sasl->bearer);

    /* "host:port": nothing in it that could be read in another sense */

    server = &sasl->server;

    for (i = 0; i < server->len; i++) {
        fuzz_check(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789.-_:[]", server->data[i])
                   != NULL && server->data[i]);
    }

    fuzz_check(sasl->route == NULL || sasl->route == &dest);
    fuzz_check((find(r, "auth-route") && find(r, "auth-route")->len)
               == (sasl->route != NULL));
}


static void
check_refused(ngx_smtp_sasl_t *sasl)
{
    fuzz_check(sasl->message.len > 0);
    fuzz_check(sasl->code == 0 || (sasl->code >= 400 && sasl->code <= 599));
    fuzz_check(sasl->enhanced.class == 0
               || sasl->enhanced.class == sasl->code / 100);
    fuzz_check(sasl->wait <= 60 * 1000);

    if (sasl->mech->key_size) {
        check_keys(sasl);
    }
}


/* what a client is shown is a salt and a count, or nothing */

static void
check_keys(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_sasl_keys_t  *keys;

    keys = &sasl->keys;

    fuzz_check((keys->salt.len == 0) == (keys->iterations == 0));
    fuzz_check(keys->salt.len <= 88);
    check_text(&keys->salt);
    fuzz_check(keys->salt.len == 0
               || (keys->iterations >= 4096 && keys->iterations <= 10000000));
    fuzz_check((keys->stored.len == 0) == (keys->server.len == 0));
}


static void
check_text(ngx_str_t *text)
{
    if (text->len) {
        fuzz_check(fuzz_is_text(text->data, text->data + text->len, 0));
    }
}


/* lines with a colon, names in lower case, values without controls */

static void
headers(ngx_smtp_http_request_t *r, u_char *p, u_char *last)
{
    u_char                  *end, *colon, *q;
    ngx_smtp_http_header_t  *header;

    if (ngx_array_init(&r->headers, r->pool, HEADERS,
                       sizeof(ngx_smtp_http_header_t))
        != NGX_OK)
    {
        abort();
    }

    for ( /* void */ ; p < last && r->headers.nelts < HEADERS; p = end + 1) {

        end = memchr(p, LF, last - p);
        end = end ? end : last;

        colon = memchr(p, ':', end - p);

        if (colon == NULL) {
            continue;
        }

        for (q = p; q < end; q++) {
            if (*q < ' ' || *q == 0x7f) {
                *q = ' ';
            }
        }

        ngx_strlow(p, p, colon - p);

        header = ngx_array_push(&r->headers);
        if (header == NULL) {
            abort();
        }

        header->name.data = p;
        header->name.len = colon - p;

        for (colon++; colon < end && *colon == ' '; colon++) { /* void */ }
        for (q = end; q > colon && q[-1] == ' '; q--) { /* void */ }

        header->value.data = colon;
        header->value.len = q - colon;
    }
}


static ngx_str_t *
find(ngx_smtp_http_request_t *r, char *name)
{
    ngx_uint_t               i;
    ngx_smtp_http_header_t  *header;

    header = r->headers.elts;

    for (i = 0; i < r->headers.nelts; i++) {
        if (header[i].name.len == strlen(name)
            && memcmp(header[i].name.data, name, strlen(name)) == 0)
        {
            return &header[i].value;
        }
    }

    return NULL;
}
