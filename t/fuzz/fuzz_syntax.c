
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_syntax.h>


/*
 * Each parser stays in its input, keeps to its length, takes no octet that
 * could break a line, and takes what it took before once more when that is
 * all there is.  xtext can be undone, both ways.
 */


typedef struct {
    u_char     *(*parse)(u_char *p, u_char *last);
    ptrdiff_t     max;
    const char   *never;         /* octets that can't be in it */
    ngx_uint_t    utf8;
} parser_t;


static parser_t  parsers[] = {
    { ngx_smtp_domain_parse, NGX_SMTP_DOMAIN_MAX, " @<>()[]\\,;:\"_", 0 },
    { ngx_smtp_domain_utf8_parse, NGX_SMTP_DOMAIN_MAX, " @<>()[]\\,;:\"_", 1 },
    { ngx_smtp_literal_parse, NGX_SMTP_DOMAIN_MAX, " \\", 0 },
    { ngx_smtp_dot_string_parse, NGX_SMTP_LOCAL_MAX, " @<>()[]\\,;:\"", 0 },
    { ngx_smtp_dot_string_utf8_parse, NGX_SMTP_LOCAL_MAX, " @<>()[]\\,;:\"",
      1 },
    { ngx_smtp_quoted_string_parse, NGX_SMTP_LOCAL_MAX, "", 0 },
    { ngx_smtp_quoted_string_utf8_parse, NGX_SMTP_LOCAL_MAX, "", 1 }
};


static void check_parser(parser_t *parser, const u_char *data, size_t size);
static void check_utf8(const u_char *data, size_t size);
static void check_helo(const u_char *data, size_t size);
static void check_xtext_decode(const u_char *data, size_t size);
static void check_xtext_encode(const u_char *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_uint_t  i;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    for (i = 0; i < fuzz_nelts(parsers); i++) {
        check_parser(&parsers[i], data, size);
    }

    check_utf8(data, size);
    check_helo(data, size);
    check_xtext_decode(data, size);
    check_xtext_encode(data, size);

    return 0;
}


static void
check_parser(parser_t *parser, const u_char *data, size_t size)
{
    u_char     *p, *q, *start, *end;
    ptrdiff_t   len;

    start = fuzz_copy(data, size);
    end = parser->parse(start, start + size);

    if (end) {
        len = end - start;

        fuzz_check(len > 0 && (size_t) len <= size);
        fuzz_check(len <= parser->max);

        fuzz_check(fuzz_is_text(start, end, parser->utf8));

        for (p = start; p < end; p++) {
            fuzz_check(strchr(parser->never, *p) == NULL);
        }

        q = fuzz_copy(start, len);

        fuzz_check(parser->parse(q, q + len) == q + len);

        free(q);
    }

    free(start);
}


/* character by character */

static void
check_utf8(const u_char *data, size_t size)
{
    u_char      *p, *start, *last;
    size_t       n;
    ngx_uint_t   valid;

    start = fuzz_copy(data, size);
    last = start + size;
    valid = 1;

    for (p = start; p < last && valid; p += n) {
        n = 1;

        if (*p >= 0x80) {
            n = ngx_smtp_utf8_length(p, last);
            valid = (n > 0);
            fuzz_check(n <= (size_t) (last - p));

        } else {
            fuzz_check(ngx_smtp_utf8_length(p, last) == 0);
            *p = 'a';
        }
    }

    fuzz_check(valid == fuzz_is_text(start, last, 1) || !valid);
    fuzz_check(valid || !fuzz_is_text(p, last, 1));
    fuzz_check(!ngx_smtp_is_8bit(start, last)
               || !fuzz_is_text(start, last, 0));

    free(start);
}


/* it goes into Received, and to services */

static void
check_helo(const u_char *data, size_t size)
{
    u_char     *start, *last;
    ngx_int_t   rc;

    start = fuzz_copy(data, size);
    last = start + size;

    rc = ngx_smtp_helo_valid(start, last);

    fuzz_check(rc == NGX_OK || rc == NGX_ERROR);

    if (rc == NGX_OK) {
        fuzz_check(size > 0 && size <= NGX_SMTP_DOMAIN_MAX);
        fuzz_check(fuzz_is_text(start, last, 0));
        fuzz_check(memchr(start, ' ', size) == NULL);
        fuzz_check(ngx_smtp_helo_utf8_valid(start, last) == NGX_OK);

    } else {
        fuzz_check(size == 0 || ngx_smtp_domain_parse(start, last) != last);
        fuzz_check(size == 0 || ngx_smtp_literal_parse(start, last) != last);
    }

    if (ngx_smtp_helo_strict_valid(start, last, 0) == NGX_OK) {
        fuzz_check(rc == NGX_OK);
        fuzz_check(memchr(start, '_', size) == NULL || start[0] == '[');
    }

    if (ngx_smtp_helo_any_valid(start, last) == NGX_OK) {
        fuzz_check(size > 0 && size <= NGX_SMTP_DOMAIN_MAX);
        fuzz_check(fuzz_is_text(start, last, 0));

    } else {
        fuzz_check(rc != NGX_OK);
    }

    if (ngx_smtp_helo_utf8_valid(start, last) == NGX_OK) {
        fuzz_check(size > 0 && size <= NGX_SMTP_DOMAIN_MAX);
        fuzz_check(fuzz_is_text(start, last, 1));
        fuzz_check(memchr(start, ' ', size) == NULL);
        fuzz_check(rc == NGX_OK || ngx_smtp_is_8bit(start, last));
    }

    free(start);
}


static void
check_xtext_decode(const u_char *data, size_t size)
{
    u_char             *p, *dst, *end, *again;
    size_t              i;
    static const char   hexchar[] = "0123456789ABCDEF";

    p = fuzz_copy(data, size);
    dst = malloc(size);
    again = malloc(3 * size);

    if (dst == NULL || again == NULL) {
        abort();
    }

    end = ngx_smtp_xtext_decode(dst, p, p + size);

    if (end) {
        fuzz_check(end >= dst && (size_t) (end - dst) <= size);

        for (i = 0; i < size; i++) {
            fuzz_check(data[i] != '+'
                       || (i + 2 < size
                           && memchr(hexchar, data[i + 1], 16)
                           && memchr(hexchar, data[i + 2], 16)));
        }

        /* one that hides nothing is the shortest way to say it */

        fuzz_check((size_t) (ngx_smtp_xtext_encode(again, dst, end) - again)
                   <= size);
    }

    free(again);
    free(dst);
    free(p);
}


static void
check_xtext_encode(const u_char *data, size_t size)
{
    u_char  *p, *c, *text, *end, *back;

    p = fuzz_copy(data, size);
    text = malloc(3 * size);

    if (text == NULL) {
        abort();
    }

    end = ngx_smtp_xtext_encode(text, p, p + size);

    fuzz_check(end >= text && (size_t) (end - text) <= 3 * size);

    for (c = text; c < end; c++) {
        fuzz_check(*c > ' ' && *c < 0x7f && *c != '=');
    }

    back = malloc(end - text);

    if (back == NULL) {
        abort();
    }

    fuzz_check(ngx_smtp_xtext_decode(back, text, end) == back + size);
    fuzz_check(size == 0 || memcmp(back, data, size) == 0);

    free(back);
    free(text);
    free(p);
}
