
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_line.h>


/*
 * Lines: the same ones, and the same faults in the same order, however the
 * input is cut; never a line that is longer than it may be; and the buffer,
 * which has room for the longest line, never fills up.
 */


#define LINE_SIZE  16


static void model(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t normalise);
static void run(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t normalise, ngx_uint_t way);
static void note(fuzz_out_t *out, ngx_int_t rc, ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_out_t  expected, out;
    ngx_uint_t  normalise, way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    for (normalise = 0; normalise <= 1; normalise++) {
        memset(&expected, 0, sizeof(fuzz_out_t));

        model(&expected, data, size, normalise);

        for (way = 0; way < FUZZ_CUTS; way++) {
            memset(&out, 0, sizeof(fuzz_out_t));

            run(&out, data, size, normalise, way);

            fuzz_check(fuzz_out_same(&out, expected.data, expected.len));
            fuzz_out_free(&out);
        }

        fuzz_out_free(&expected);
    }

    return 0;
}


static void
model(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t normalise)
{
    size_t      i, start;
    ngx_str_t   text;
    ngx_int_t   rc;
    ngx_uint_t  crlf;

    start = 0;

    for (i = 0; i < size; i++) {

        if (data[i] != LF) {
            continue;
        }

        crlf = (i > start && data[i - 1] == CR);

        text.data = (u_char *) data + start;
        text.len = i - start - crlf;

        if (!crlf && !normalise) {
            rc = NGX_SMTP_LINE_BARE_LF;

        } else if (text.len > LINE_SIZE) {
            rc = NGX_SMTP_LINE_TOO_LONG;

        } else if (text.len && memchr(text.data, CR, text.len)) {
            rc = NGX_SMTP_LINE_BARE_CR;

        } else {
            rc = NGX_OK;
        }

        note(out, rc, &text);

        start = i + 1;
    }
}


static void
run(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t normalise,
    ngx_uint_t way)
{
    size_t            n, room, done;
    u_char           *pos;
    ngx_buf_t         b;
    ngx_int_t         rc;
    fuzz_cut_t        cut;
    ngx_smtp_line_t   line;

    memset(&line, 0, sizeof(ngx_smtp_line_t));
    memset(&b, 0, sizeof(ngx_buf_t));

    line.normalise = normalise;

    /* one way with all in one buffer, others with room for a line */

    room = way ? LINE_SIZE + 2 : size;

    b.start = malloc(room);

    if (b.start == NULL) {
        abort();
    }

    b.pos = b.start;
    b.last = b.start;

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {

        if (b.pos > b.start) {
            memmove(b.start, b.pos, b.last - b.pos);
            b.last -= b.pos - b.start;
            b.pos = b.start;
        }

        n = fuzz_cut(&cut, size - done);
        n = ngx_min(n, room - (b.last - b.start));

        fuzz_check(n > 0);

        memcpy(b.last, data + done, n);
        b.last += n;

        for ( ;; ) {
            pos = b.pos;

            rc = ngx_smtp_line_next(&line, &b, LINE_SIZE);

            fuzz_check(b.pos >= pos && b.pos <= b.last);

            if (rc == NGX_AGAIN) {
                break;
            }

            fuzz_check(b.pos > pos);
            fuzz_check(rc != NGX_OK || line.text.len <= LINE_SIZE);
            fuzz_check(rc != NGX_OK
                       || (line.text.data >= pos
                           && line.text.data + line.text.len < b.pos));

            note(out, rc, &line.text);
        }

        /* without news nothing changes */

        fuzz_check(ngx_smtp_line_next(&line, &b, LINE_SIZE) == NGX_AGAIN);
    }

    free(b.start);
}


static void
note(fuzz_out_t *out, ngx_int_t rc, ngx_str_t *text)
{
    u_char  c;

    c = (u_char) -rc;

    fuzz_out_add(out, &c, 1);

    if (rc == NGX_OK) {
        fuzz_check(text->len == 0
                   || (memchr(text->data, CR, text->len) == NULL
                       && memchr(text->data, LF, text->len) == NULL));

        fuzz_out_add(out, text->data, text->len);
        fuzz_out_add(out, "\n", 1);
    }
}
