
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_answer.h>


/*
 * Reply-line of RFC 5321, 4.2 and 4.2.1, and status codes of RFC 3463, 2, in
 * the place where RFC 2034, 4 puts them.
 */


static ngx_int_t ngx_smtp_answer_line(ngx_smtp_answer_t *answer, u_char *p,
    u_char *last);
static u_char *ngx_smtp_status_number(u_char *p, u_char *last,
    ngx_uint_t *value);


ngx_int_t
ngx_smtp_answer_parse(ngx_smtp_answer_t *answer, ngx_buf_t *b)
{
    size_t   len;
    u_char  *lf, *p, *last;

    p = b->pos;
    len = ngx_min(b->last - p, NGX_SMTP_ANSWER_LINE_MAX);

    lf = len ? memchr(p, LF, len) : NULL;

    if (lf == NULL) {
        return (len == NGX_SMTP_ANSWER_LINE_MAX) ? NGX_ERROR : NGX_AGAIN;
    }

    last = lf;

    if (last > p && *(last - 1) == CR) {
        last--;
    }

    if (++answer->lines > NGX_SMTP_ANSWER_LINES_MAX) {
        return NGX_ERROR;
    }

    b->pos = lf + 1;

    return ngx_smtp_answer_line(answer, p, last);
}


static ngx_int_t
ngx_smtp_answer_line(ngx_smtp_answer_t *answer, u_char *p, u_char *last)
{
    ngx_uint_t  code;

    if (last - p < 3 || memchr(p, '\0', last - p)) {
        return NGX_ERROR;
    }

    /*
     * The second digit goes up to 5 in the RFC, but codes such as 571 are in
     * use and say what they mean by the first digit.
     */

    if (*p < '2' || *p > '5'
        || !ngx_smtp_is_digit(p[1]) || !ngx_smtp_is_digit(p[2]))
    {
        return NGX_ERROR;
    }

    code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');

    if (answer->lines > 1 && code != answer->code) {
        return NGX_ERROR;
    }

    answer->code = code;

    p += 3;

    /* 4.2.1: a code alone on its line is to be taken as the last one */

    answer->last = (p == last || *p == ' ');

    if (!answer->last && *p != '-') {
        return NGX_ERROR;
    }

    if (p < last) {
        p++;
    }

    answer->text.len = last - p;
    answer->text.data = p;

    return NGX_OK;
}


void
ngx_smtp_enhanced_parse(ngx_smtp_enhanced_t *enhanced, ngx_uint_t code,
    ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_uint_t   subject, detail;

    ngx_memzero(enhanced, sizeof(ngx_smtp_enhanced_t));

    if (text->len < sizeof("2.0.0") - 1) {
        return;
    }

    p = text->data;
    last = p + text->len;

    if (p[1] != '.'
        || (*p != '2' && *p != '4' && *p != '5')
        || code / 100 != (ngx_uint_t) (*p - '0'))
    {
        return;
    }

    p = ngx_smtp_status_number(p + 2, last, &subject);

    if (p == NULL || p == last || *p != '.') {
        return;
    }

    p = ngx_smtp_status_number(p + 1, last, &detail);

    if (p == NULL || (p < last && *p != ' ')) {
        return;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    enhanced->class = code / 100;
    enhanced->subject = subject;
    enhanced->detail = detail;

    text->len = last - p;
    text->data = p;
}


/* 1*3DIGIT without leading zeros, RFC 3463, 2 */

static u_char *
ngx_smtp_status_number(u_char *p, u_char *last, ngx_uint_t *value)
{
    u_char  *start;

    start = p;
    *value = 0;

    while (p < last && ngx_smtp_is_digit(*p) && p - start < 3) {
        *value = *value * 10 + (*p++ - '0');
    }

    if (p == start || (*start == '0' && p - start > 1)) {
        return NULL;
    }

    return p;
}


char *
ngx_smtp_answer_words(ngx_uint_t *code, ngx_smtp_enhanced_t *enhanced,
    ngx_str_t *words)
{
    u_char  *p;
    size_t   i;

    *code = 0;
    ngx_memzero(enhanced, sizeof(ngx_smtp_enhanced_t));

    p = words->data;

    if (words->len < 3
        || (p[0] != '2' && p[0] != '4' && p[0] != '5')
        || !ngx_smtp_is_digit(p[1]) || !ngx_smtp_is_digit(p[2])
        || (words->len > 3 && p[3] != ' '))
    {
        return "has no code 2yz, 4yz or 5yz";
    }

    *code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');

    words->data += ngx_min(words->len, 4);
    words->len -= ngx_min(words->len, 4);

    ngx_smtp_enhanced_parse(enhanced, *code, words);

    if (enhanced->class == 0 && words->len >= 2
        && ngx_smtp_is_digit(words->data[0]) && words->data[1] == '.')
    {
        return "has an enhanced code that does not fit";
    }

    if (words->len > NGX_SMTP_ANSWER_TEXT_MAX) {
        return "has too long a text";
    }

    for (i = 0; i < words->len; i++) {
        if (words->data[i] < ' ' || words->data[i] >= 0x7f) {
            return "has a text that is not printable US-ASCII";
        }
    }

    return NULL;
}


u_char *
ngx_smtp_answer_text_copy(u_char *dst, size_t max, ngx_str_t *text)
{
    size_t   n;
    u_char  *p;

    p = text->data;

    for (n = ngx_min(text->len, max); n; n--) {
        *dst++ = (*p >= ' ' && *p < 0x7f) ? *p : '?';
        p++;
    }

    return dst;
}


u_char *
ngx_smtp_answer_text_utf8_copy(u_char *dst, size_t max, ngx_str_t *text)
{
    size_t   len;
    u_char  *p, *last;

    p = text->data;
    last = p + ngx_min(text->len, max);

    while (p < last) {

        len = ngx_smtp_utf8_length(p, last);

        /* U+0080 to U+009F are controls, and terminals obey them */

        if (len == 0 || (*p == 0xc2 && p[1] < 0xa0)) {
            *dst++ = (*p >= ' ' && *p < 0x7f) ? *p : '?';
            p++;
            continue;
        }

        dst = ngx_cpymem(dst, p, len);
        p += len;
    }

    return dst;
}
