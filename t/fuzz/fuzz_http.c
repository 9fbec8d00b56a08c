
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
 * however they come in, and what is handed out is as RFC 9110, 5 has it.
 */


static void run(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t way);
static void note(fuzz_out_t *out, ngx_smtp_http_request_t *r);
static void check_first(ngx_smtp_http_request_t *r, u_char *name);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_out_t  first, out;
    ngx_uint_t  way;

    if (size > NGX_SMTP_HTTP_HEADER_SIZE) {
        return 0;
    }

    memset(&first, 0, sizeof(fuzz_out_t));

    run(&first, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        memset(&out, 0, sizeof(fuzz_out_t));

        run(&out, data, size, way);

        fuzz_check(fuzz_out_same(&out, first.data, first.len));
        fuzz_out_free(&out);
    }

    fuzz_out_free(&first);

    return 0;
}


static void
run(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t way)
{
    char                     *reason;
    size_t                    n, done;
    ngx_int_t                 rc;
    fuzz_cut_t                cut;
    ngx_smtp_http_request_t   r;

    memset(&r, 0, sizeof(ngx_smtp_http_request_t));

    r.connection = fuzz_connection();
    r.log = r.connection->log;
    r.pool = ngx_create_pool(4096, r.log);

    if (r.pool == NULL || ngx_smtp_http_parse_init(&r) != NGX_OK) {
        abort();
    }

    fuzz_cut_init(&cut, way, data, size);

    rc = NGX_AGAIN;
    reason = NULL;

    for (done = 0; done < size && rc == NGX_AGAIN; done += n) {
        n = fuzz_cut(&cut, size - done);

        r.in.last = ngx_cpymem(r.in.last, data + done, n);

        rc = ngx_smtp_http_parse(&r, &reason);

        fuzz_check(rc == NGX_OK || rc == NGX_AGAIN || rc == NGX_ERROR);
        fuzz_check(r.in.pos >= r.in.start && r.in.pos <= r.in.last);
        fuzz_check(rc != NGX_AGAIN || r.in.pos == r.in.last);
    }

    /* each refusal has its reason */

    fuzz_check((rc == NGX_ERROR) == (reason != NULL));

    fuzz_out_add(out, &rc, sizeof(ngx_int_t));

    if (rc == NGX_OK) {
        note(out, &r);
    }

    ngx_destroy_pool(r.pool);
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

    fuzz_out_add(out, &r->status, sizeof(ngx_uint_t));

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
