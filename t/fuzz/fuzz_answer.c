
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_answer.h>


/*
 * Replies of a next hop: bounded, the same however they come in; what of
 * them is told to a client is printable.
 */


static void run(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t way);
static void check_answer(ngx_smtp_answer_t *answer, u_char *start,
    ngx_buf_t *b);
static void check_text(ngx_uint_t code, ngx_str_t *text);
static void check_words(u_char *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_out_t  first, out;
    ngx_uint_t  way;

    if (size > FUZZ_INPUT_MAX) {
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

    check_words(fuzz_copy(data, size), size);

    return 0;
}


static void
run(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t              n, done;
    u_char             *pos;
    ngx_buf_t           b;
    ngx_int_t           rc;
    ngx_uint_t          code;
    fuzz_cut_t          cut;
    ngx_smtp_answer_t   answer;

    memset(&answer, 0, sizeof(ngx_smtp_answer_t));
    memset(&b, 0, sizeof(ngx_buf_t));

    b.start = fuzz_copy(data, size);
    b.pos = b.start;
    b.last = b.start;

    fuzz_cut_init(&cut, way, data, size);

    rc = NGX_AGAIN;
    code = 0;

    for (done = 0; done < size && rc != NGX_ERROR; done += n) {
        n = fuzz_cut(&cut, size - done);
        b.last += n;

        for ( ;; ) {
            pos = b.pos;

            rc = ngx_smtp_answer_parse(&answer, &b);

            if (rc != NGX_OK) {
                break;
            }

            check_answer(&answer, pos, &b);

            fuzz_check(answer.lines == 1 || answer.code == code);
            code = answer.code;

            fuzz_out_add(out, &answer.code, sizeof(ngx_uint_t));
            fuzz_out_add(out, answer.text.data, answer.text.len);
            fuzz_out_add(out, answer.last ? "\n" : "-", 1);

            if (answer.last) {
                memset(&answer, 0, sizeof(ngx_smtp_answer_t));
            }
        }

        /* what has no end is given up */

        fuzz_check(rc == NGX_ERROR
                   || b.last - b.pos < NGX_SMTP_ANSWER_LINE_MAX);
    }

    fuzz_out_add(out, rc == NGX_ERROR ? "E" : "A", 1);

    free(b.start);
}


static void
check_answer(ngx_smtp_answer_t *answer, u_char *start, ngx_buf_t *b)
{
    fuzz_check(b->pos > start && b->pos <= b->last);
    fuzz_check(b->pos - start <= NGX_SMTP_ANSWER_LINE_MAX);
    fuzz_check(answer->lines >= 1
               && answer->lines <= NGX_SMTP_ANSWER_LINES_MAX);
    fuzz_check(answer->code >= 200 && answer->code <= 599);
    fuzz_check(answer->text.data >= start + 3
               && answer->text.data + answer->text.len < b->pos);
    fuzz_check(answer->text.len == 0
               || (memchr(answer->text.data, '\0', answer->text.len) == NULL
                   && memchr(answer->text.data, LF, answer->text.len)
                      == NULL));

    check_text(answer->code, &answer->text);
}


static void
check_text(ngx_uint_t code, ngx_str_t *text)
{
    size_t                n, len, max;
    u_char               *dst, *end, *p;
    ngx_str_t             rest;
    ngx_smtp_enhanced_t   enhanced;

    rest = *text;

    ngx_smtp_enhanced_parse(&enhanced, code, &rest);

    fuzz_check(rest.data >= text->data
               && rest.data + rest.len == text->data + text->len);

    if (enhanced.class) {
        fuzz_check(enhanced.class == code / 100);
        fuzz_check(enhanced.subject <= 999 && enhanced.detail <= 999);
        fuzz_check(text->len - rest.len >= sizeof("2.0.0") - 1);

    } else {
        fuzz_check(rest.len == text->len);
    }

    for (max = 0; max <= text->len + 1; max += 1 + text->len / 2) {
        dst = malloc(max);

        if (dst == NULL) {
            abort();
        }

        end = ngx_smtp_answer_text_copy(dst, max, text);
        n = ngx_min(max, text->len);

        fuzz_check(end == dst + n);

        for (p = dst; p < end; p++) {
            fuzz_check(*p >= ' ' && *p < 0x7f);
        }

        end = ngx_smtp_answer_text_utf8_copy(dst, max, text);

        fuzz_check(end == dst + n);

        for (p = dst; p < end; p += len) {
            len = (*p >= ' ' && *p < 0x7f) ? 1 : ngx_smtp_utf8_length(p, end);

            fuzz_check(len != 0);
            fuzz_check(len != 2 || *p != 0xc2 || p[1] >= 0xa0);
        }

        free(dst);
    }
}


/* what is in order can be part of a reply, as it is */

static void
check_words(u_char *data, size_t size)
{
    size_t                i;
    ngx_str_t             words;
    ngx_uint_t            code;
    ngx_smtp_enhanced_t   enhanced;

    words.data = data;
    words.len = size;

    if (ngx_smtp_answer_words(&code, &enhanced, &words) == NULL) {

        fuzz_check(code >= 200 && code <= 599 && code / 100 != 3);
        fuzz_check(enhanced.class == 0 || enhanced.class == code / 100);
        fuzz_check(words.data >= data + 3
                   && words.data + words.len == data + size);
        fuzz_check(words.len <= NGX_SMTP_ANSWER_TEXT_MAX);

        for (i = 0; i < words.len; i++) {
            fuzz_check(words.data[i] >= ' ' && words.data[i] < 0x7f);
        }
    }

    free(data);
}
