
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>


/*
 * The grammar of RFC 5321, 4.1.2 and 4.1.3, with UTF-8 (RFC 6531, 3.3) where
 * that is asked for, and xtext of RFC 3461, 4.  Each parser goes as far as its
 * grammar does.  What breaks off in the middle, such as "a." where a Domain is
 * asked for, is nothing at all: a shorter match would only be refused one step
 * later, and less clearly.
 */


#define NGX_SMTP_IPV4_TAIL    2    /* groups of an IPv6 address it stands for */
#define NGX_SMTP_IPV6_GROUPS  8
#define NGX_SMTP_IPV6_COMP    6    /* most groups beside "::" */


/* what a parser takes beside its grammar's US-ASCII */
#define NGX_SMTP_SYNTAX_UTF8     0x01    /* RFC 6531, 3.3 */
#define NGX_SMTP_SYNTAX_LENIENT  0x02    /* "_" in labels */


static u_char *ngx_smtp_labels_parse(u_char *p, u_char *last,
    ngx_uint_t flags);
static u_char *ngx_smtp_label_parse(u_char *p, u_char *last,
    ngx_uint_t flags);
static ngx_uint_t ngx_smtp_is_idn_dot(u_char *p, size_t len);
static u_char *ngx_smtp_atoms_parse(u_char *p, u_char *last,
    ngx_uint_t flags);
static u_char *ngx_smtp_quoted_parse(u_char *p, u_char *last,
    ngx_uint_t flags);
static ngx_int_t ngx_smtp_helo_check(u_char *p, u_char *last,
    ngx_uint_t flags);
static u_char *ngx_smtp_ipv4_parse(u_char *p, u_char *last);
static u_char *ngx_smtp_ipv6_parse(u_char *p, u_char *last);
static u_char *ngx_smtp_ipv6_group_parse(u_char *p, u_char *last);
static u_char *ngx_smtp_general_parse(u_char *p, u_char *last);
static ngx_int_t ngx_smtp_hex_value(u_char c);


/* atext of RFC 5322, 3.2.3 */
static const uint32_t  ngx_smtp_atext[] = {
    0x00000000,  /* 0000 0000 0000 0000  0000 0000 0000 0000 */

                 /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0xa3ffacfa,  /* 1010 0011 1111 1111  1010 1100 1111 1010 */

                 /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0xc7fffffe,  /* 1100 0111 1111 1111  1111 1111 1111 1110 */

                 /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x7fffffff,  /* 0111 1111 1111 1111  1111 1111 1111 1111 */

    0x00000000,  /* UTF8-non-ascii is looked at by character */
    0x00000000,
    0x00000000,
    0x00000000
};


#define ngx_smtp_is_atext(c)                                                 \
    (ngx_smtp_atext[(c) >> 5] & (1U << ((c) & 0x1f)))

/* xchar of RFC 3461, 4 */
#define ngx_smtp_is_xchar(c)                                                 \
    ((c) > ' ' && (c) < 0x7f && (c) != '+' && (c) != '=')


size_t
ngx_smtp_utf8_length(u_char *p, u_char *last)
{
    u_char  min, max;
    size_t  i, n;

    if (p == last || *p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    min = 0x80;
    max = 0xbf;

    switch (*p) {

    case 0xe0:
        min = 0xa0;
        break;

    case 0xed:
        max = 0x9f;
        break;

    case 0xf0:
        min = 0x90;
        break;

    case 0xf4:
        max = 0x8f;
        break;
    }

    n = (*p < 0xe0) ? 2 : (*p < 0xf0) ? 3 : 4;

    if ((size_t) (last - p) < n || p[1] < min || p[1] > max) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}


ngx_uint_t
ngx_smtp_is_8bit(u_char *p, u_char *last)
{
    u_char  high;

    /* no way out in the middle: compilers make wide words of it */

    for (high = 0; p < last; p++) {
        high |= *p;
    }

    return high >> 7;
}


u_char *
ngx_smtp_domain_parse(u_char *p, u_char *last)
{
    return ngx_smtp_labels_parse(p, last, 0);
}


u_char *
ngx_smtp_domain_utf8_parse(u_char *p, u_char *last)
{
    return ngx_smtp_labels_parse(p, last, NGX_SMTP_SYNTAX_UTF8);
}


/*
 * No dot may follow the last label.  One label alone is a Domain: it names a
 * host of a private network, and which names are taken is policy.
 */

static u_char *
ngx_smtp_labels_parse(u_char *p, u_char *last, ngx_uint_t flags)
{
    u_char  *start;

    start = p;

    for ( ;; ) {
        p = ngx_smtp_label_parse(p, last, flags);

        if (p == NULL || p - start > NGX_SMTP_DOMAIN_MAX) {
            return NULL;
        }

        if (p == last || *p != '.') {
            return p;
        }

        p++;
    }
}


/*
 * Whether a U-label is one by IDNA's tables, and in NFC, is not looked at: who
 * asks the DNS does that.  But what IDNA's older mappings take for a dot would
 * be read as another domain somewhere, and C1 controls are in no name.
 */

static u_char *
ngx_smtp_label_parse(u_char *p, u_char *last, ngx_uint_t flags)
{
    u_char  *label;
    size_t   len, chars, max;

    label = p;
    max = NGX_SMTP_LABEL_MAX;

    for (chars = 0; p < last; chars++) {

        if (ngx_smtp_is_alnum(*p) || *p == '-'
            || (*p == '_' && (flags & NGX_SMTP_SYNTAX_LENIENT)))
        {
            p++;
            continue;
        }

        len = (flags & NGX_SMTP_SYNTAX_UTF8) ? ngx_smtp_utf8_length(p, last)
                                             : 0;

        if (len == 0 || ngx_smtp_is_idn_dot(p, len)
            || (*p == 0xc2 && p[1] < 0xa0))
        {
            break;
        }

        p += len;
        max = NGX_SMTP_ULABEL_MAX;
    }

    if (chars == 0 || chars > max || *label == '-' || *(p - 1) == '-') {
        return NULL;
    }

    return p;
}


/* U+3002, U+FF0E, U+FF61: RFC 3490, 3.1 */

static ngx_uint_t
ngx_smtp_is_idn_dot(u_char *p, size_t len)
{
    return len == 3
           && (ngx_memcmp(p, "\xe3\x80\x82", 3) == 0
               || ngx_memcmp(p, "\xef\xbc\x8e", 3) == 0
               || ngx_memcmp(p, "\xef\xbd\xa1", 3) == 0);
}


u_char *
ngx_smtp_literal_parse(u_char *p, u_char *last)
{
    u_char  *start, *end;

    start = p;

    if (p == last || *p++ != '[') {
        return NULL;
    }

    /* "IPv6:" is taken: a bad IPv6 address is no General-address-literal */

    if (last - p > 5 && ngx_strncasecmp(p, (u_char *) "IPv6:", 5) == 0) {
        end = ngx_smtp_ipv6_parse(p + 5, last);

    } else {
        end = ngx_smtp_ipv4_parse(p, last);

        if (end == NULL) {
            end = ngx_smtp_general_parse(p, last);
        }
    }

    if (end == NULL || end == last || *end++ != ']') {
        return NULL;
    }

    if (end - start > NGX_SMTP_DOMAIN_MAX) {
        return NULL;
    }

    return end;
}


/* Snum 3("." Snum), Snum = 1*3DIGIT up to 255 */

static u_char *
ngx_smtp_ipv4_parse(u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   n, value;

    for (n = 0; n < 4; n++) {

        if (n && (p == last || *p++ != '.')) {
            return NULL;
        }

        start = p;
        value = 0;

        while (p < last && ngx_smtp_is_digit(*p) && p - start < 3) {
            value = value * 10 + (*p++ - '0');
        }

        if (p == start || value > 255) {
            return NULL;
        }
    }

    return p;
}


/*
 * The four forms of IPv6-addr in one loop.  "::" stands for two groups or
 * more (4.1.3), and a dotted tail counts as two.
 */

static u_char *
ngx_smtp_ipv6_parse(u_char *p, u_char *last)
{
    u_char      *end;
    ngx_uint_t   groups, comp;

    groups = 0;
    comp = 0;

    for ( ;; ) {

        if (last - p >= 2 && p[0] == ':' && p[1] == ':') {

            if (comp) {
                return NULL;
            }

            comp = 1;
            p += 2;

            if (p == last || ngx_smtp_hex_value(*p) == NGX_ERROR) {
                break;
            }

        } else if (groups) {

            if (p == last || *p != ':') {
                break;
            }

            p++;
        }

        end = ngx_smtp_ipv4_parse(p, last);

        if (end) {
            p = end;
            groups += NGX_SMTP_IPV4_TAIL;
            break;
        }

        p = ngx_smtp_ipv6_group_parse(p, last);

        if (p == NULL || ++groups > NGX_SMTP_IPV6_GROUPS) {
            return NULL;
        }
    }

    if (comp ? groups > NGX_SMTP_IPV6_COMP : groups != NGX_SMTP_IPV6_GROUPS) {
        return NULL;
    }

    return p;
}


static u_char *
ngx_smtp_ipv6_group_parse(u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    while (p < last && p - start < 4 && ngx_smtp_hex_value(*p) != NGX_ERROR) {
        p++;
    }

    return (p == start) ? NULL : p;
}


/* Standardized-tag ":" 1*dcontent */

static u_char *
ngx_smtp_general_parse(u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    while (p < last && (ngx_smtp_is_alnum(*p) || *p == '-')) {
        p++;
    }

    if (p == start || *(p - 1) == '-' || p == last || *p != ':') {
        return NULL;
    }

    start = ++p;

    while (p < last && *p > ' ' && *p < 0x7f && (*p < '[' || *p > ']')) {
        p++;
    }

    return (p == start) ? NULL : p;
}


u_char *
ngx_smtp_dot_string_parse(u_char *p, u_char *last)
{
    return ngx_smtp_atoms_parse(p, last, 0);
}


u_char *
ngx_smtp_dot_string_utf8_parse(u_char *p, u_char *last)
{
    return ngx_smtp_atoms_parse(p, last, NGX_SMTP_SYNTAX_UTF8);
}


static u_char *
ngx_smtp_atoms_parse(u_char *p, u_char *last, ngx_uint_t flags)
{
    u_char  *start, *atom;
    size_t   len;

    start = p;

    for ( ;; ) {
        atom = p;

        while (p < last) {

            if (ngx_smtp_is_atext(*p)) {
                p++;
                continue;
            }

            len = (flags & NGX_SMTP_SYNTAX_UTF8)
                  ? ngx_smtp_utf8_length(p, last) : 0;

            if (len == 0) {
                break;
            }

            p += len;
        }

        if (p == atom || p - start > NGX_SMTP_LOCAL_MAX) {
            return NULL;
        }

        if (p == last || *p != '.') {
            return p;
        }

        p++;
    }
}


u_char *
ngx_smtp_quoted_string_parse(u_char *p, u_char *last)
{
    return ngx_smtp_quoted_parse(p, last, 0);
}


u_char *
ngx_smtp_quoted_string_utf8_parse(u_char *p, u_char *last)
{
    return ngx_smtp_quoted_parse(p, last, NGX_SMTP_SYNTAX_UTF8);
}


static u_char *
ngx_smtp_quoted_parse(u_char *p, u_char *last, ngx_uint_t flags)
{
    u_char  *start;
    size_t   len;

    start = p;

    if (p == last || *p++ != '"') {
        return NULL;
    }

    for ( /* void */ ; p < last; p += len) {

        len = (flags & NGX_SMTP_SYNTAX_UTF8) ? ngx_smtp_utf8_length(p, last)
                                             : 0;
        if (len) {
            /* qtextSMTP, RFC 6531, 3.3 */
            continue;
        }

        len = 1;

        if (*p == '"') {
            p++;
            return (p - start > NGX_SMTP_LOCAL_MAX) ? NULL : p;
        }

        if (*p == '\\' && ++p == last) {
            return NULL;
        }

        /* qtextSMTP, and what a quoted-pairSMTP may quote */

        if (*p < ' ' || *p >= 0x7f) {
            return NULL;
        }
    }

    return NULL;
}


ngx_int_t
ngx_smtp_helo_valid(u_char *p, u_char *last)
{
    return ngx_smtp_helo_check(p, last, NGX_SMTP_SYNTAX_LENIENT);
}


ngx_int_t
ngx_smtp_helo_utf8_valid(u_char *p, u_char *last)
{
    return ngx_smtp_helo_check(p, last,
                               NGX_SMTP_SYNTAX_LENIENT|NGX_SMTP_SYNTAX_UTF8);
}


ngx_int_t
ngx_smtp_helo_strict_valid(u_char *p, u_char *last, ngx_uint_t utf8)
{
    if (ngx_smtp_helo_check(p, last, utf8 ? NGX_SMTP_SYNTAX_UTF8 : 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (*p == '[' || ngx_strlchr(p, last, '.')) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_helo_any_valid(u_char *p, u_char *last)
{
    if (p == last || last - p > NGX_SMTP_DOMAIN_MAX) {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p < ' ' || *p >= 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_helo_check(u_char *p, u_char *last, ngx_uint_t flags)
{
    u_char  *end;

    if (p == last) {
        return NGX_ERROR;
    }

    end = (*p == '[') ? ngx_smtp_literal_parse(p, last)
                      : ngx_smtp_labels_parse(p, last, flags);

    return (end == last) ? NGX_OK : NGX_ERROR;
}


u_char *
ngx_smtp_xtext_decode(u_char *dst, u_char *p, u_char *last)
{
    ngx_int_t  high, low;

    while (p < last) {

        if (ngx_smtp_is_xchar(*p)) {
            *dst++ = *p++;
            continue;
        }

        if (*p != '+' || last - p < 3) {
            return NULL;
        }

        /* hexchar has upper case digits only */

        if (p[1] >= 'a' || p[2] >= 'a') {
            return NULL;
        }

        high = ngx_smtp_hex_value(p[1]);
        low = ngx_smtp_hex_value(p[2]);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            return NULL;
        }

        *dst++ = (u_char) (high << 4 | low);
        p += 3;
    }

    return dst;
}


u_char *
ngx_smtp_xtext_encode(u_char *dst, u_char *p, u_char *last)
{
    static const u_char  hex[] = "0123456789ABCDEF";

    for ( /* void */ ; p < last; p++) {

        if (ngx_smtp_is_xchar(*p)) {
            *dst++ = *p;
            continue;
        }

        *dst++ = '+';
        *dst++ = hex[*p >> 4];
        *dst++ = hex[*p & 0xf];
    }

    return dst;
}


static ngx_int_t
ngx_smtp_hex_value(u_char c)
{
    if (ngx_smtp_is_digit(c)) {
        return c - '0';
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}
