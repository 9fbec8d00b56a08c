
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <nginx_stub.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * Answers of HTTP services, with nginx's own parsers below ours: the same
 * however they come in, and what is handed out is as RFC 9110, 5 has it.  Twice
 * each: with a body that is wanted, and with one that is thrown away.
 */


/* more than an input has, so that no limit depends on how it is cut */
#define FUZZ_HTTP_HEADER  (2 * FUZZ_INPUT_MAX)
#define FUZZ_HTTP_BODY    100


static ngx_int_t run(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t way, size_t max_body);
static ngx_int_t feed(ngx_smtp_http_request_t *r, const u_char *data,
    size_t size, ngx_uint_t way);
static void note(fuzz_out_t *out, ngx_smtp_http_request_t *r);
static void check_first(ngx_smtp_http_request_t *r, u_char *name);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t   wanted, thrown;
    fuzz_out_t  first, out;
    ngx_uint_t  way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    memset(&first, 0, sizeof(fuzz_out_t));

    wanted = run(&first, data, size, 0, FUZZ_HTTP_BODY);

    for (way = 1; way < FUZZ_CUTS; way++) {
        memset(&out, 0, sizeof(fuzz_out_t));

        run(&out, data, size, way, FUZZ_HTTP_BODY);

        fuzz_check(fuzz_out_same(&out, first.data, first.len));
        fuzz_out_free(&out);
    }

    fuzz_out_free(&first);

    /* what is good enough to be read is good enough to be thrown away */

    memset(&out, 0, sizeof(fuzz_out_t));

    thrown = run(&out, data, size, 2, 0);

    fuzz_check(wanted != NGX_OK || thrown == NGX_OK);
    fuzz_out_free(&out);

    return 0;
}


static ngx_int_t
run(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t way,
    size_t max_body)
{
    ngx_int_t                rc;
    ngx_smtp_http_conf_t     conf;
    ngx_smtp_http_request_t  r;

    memset(&conf, 0, sizeof(ngx_smtp_http_conf_t));
    memset(&r, 0, sizeof(ngx_smtp_http_request_t));

    conf.buffer_size = FUZZ_HTTP_HEADER;

    r.conf = &conf;
    r.connection = fuzz_connection();
    r.log = r.connection->log;
    r.pool = ngx_create_pool(4096, r.log);
    r.max_body = max_body;

    if (r.pool == NULL) {
        abort();
    }

    rc = feed(&r, data, size, way);

    fuzz_out_add(out, &rc, sizeof(ngx_int_t));

    if (rc == NGX_OK) {
        note(out, &r);
    }

    ngx_destroy_pool(r.pool);

    return rc;
}


static ngx_int_t
feed(ngx_smtp_http_request_t *r, const u_char *data, size_t size,
    ngx_uint_t way)
{
    char        *reason;
    size_t       n, done;
    ngx_buf_t   *b;
    ngx_int_t    rc;
    fuzz_cut_t   cut;

    if (ngx_smtp_http_parse_init(r) != NGX_OK) {
        abort();
    }

    fuzz_cut_init(&cut, way, data, size);

    rc = NGX_AGAIN;
    reason = NULL;

    for (done = 0; done < size && rc == NGX_AGAIN; done += n) {
        b = ngx_smtp_http_parse_room(r, &reason);
        fuzz_check(b != NULL && b->last < b->end);

        n = fuzz_cut(&cut, size - done);
        n = ngx_min(n, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data + done, n);

        rc = ngx_smtp_http_parse(r, &reason);

        fuzz_check(rc == NGX_OK || rc == NGX_AGAIN || rc == NGX_ERROR);
        fuzz_check(b->pos >= b->start && b->pos <= b->last);
        fuzz_check(rc != NGX_AGAIN || b->pos == b->last);
    }

    /* each refusal has its reason */

    fuzz_check((rc == NGX_ERROR) == (reason != NULL));

    if (rc == NGX_AGAIN) {
        rc = ngx_smtp_http_parse_eof(r);
        fuzz_check(rc != NGX_OK || !ngx_smtp_http_parse_keepalive(r));
    }

    /* what is left over is at its most another answer, unasked */

    fuzz_check(rc != NGX_OK || done == size
               || ngx_smtp_http_parse_keepalive(r) == 0
               || r->in.pos == r->in.last);

    return rc;
}


static void
note(fuzz_out_t *out, ngx_smtp_http_request_t *r)
{
    size_t                   k;
    u_char                   c;
    ngx_uint_t               i;
    ngx_smtp_http_header_t  *header;

    fuzz_check(r->status >= 200 && r->status <= 599);
    fuzz_check(r->headers.nelts <= NGX_SMTP_HTTP_HEADERS_MAX);

    fuzz_check(r->answer.len <= r->max_body);

    fuzz_out_add(out, &r->status, sizeof(ngx_uint_t));
    fuzz_out_add(out, r->answer.data, r->answer.len);

    header = r->headers.elts;

    if (r->headers.nelts) {
        check_first(r, header->name.data);
    }

    for (i = 0; i < r->headers.nelts; i++) {
        fuzz_check(header[i].name.len > 0);
        fuzz_check(header[i].name.data[header[i].name.len] == ':');
        fuzz_check(header[i].name.data >= r->in.start
                   && header[i].name.data + header[i].name.len < r->in.pos);

        for (k = 0; k < header[i].name.len; k++) {
            c = header[i].name.data[k];

            fuzz_check(c > ' ' && c < 0x7f && c != ':' && c != ','
                       && (c < 'A' || c > 'Z'));
        }

        for (k = 0; k < header[i].value.len; k++) {
            c = header[i].value.data[k];

            fuzz_check(c == '\t' || (c >= ' ' && c != 0x7f));
            fuzz_check((c != ' ' && c != '\t')
                       || (k > 0 && k + 1 < header[i].value.len));
        }

        fuzz_out_add(out, header[i].name.data, header[i].name.len);
        fuzz_out_add(out, ":", 1);
        fuzz_out_add(out, header[i].value.data, header[i].value.len);
        fuzz_out_add(out, "\n", 1);
    }
}


/* behind the last status line: nothing is left of interim answers */

static void
check_first(ngx_smtp_http_request_t *r, u_char *name)
{
    u_char  *p;

    p = name - 1;

    fuzz_check(p > r->in.start && *p == LF);

    while (p > r->in.start && p[-1] != LF) {
        p--;
    }

    fuzz_check(name - p > (ptrdiff_t) sizeof("HTTP/1.1 200") - 1);
    fuzz_check(memcmp(p, "HTTP/1.", 7) == 0);

    while (*p != ' ') {
        p++;
    }

    while (*p == ' ') {
        p++;
    }

    fuzz_check(ngx_atoi(p, 3) == (ngx_int_t) r->status);
}
