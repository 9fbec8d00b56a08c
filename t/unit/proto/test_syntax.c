
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <tap.h>

#include <arpa/inet.h>


/*
 * The grammar.  Each row has the octets that a parser recognises and those
 * behind them; a row with a NULL for the first has nothing to recognise.
 */


typedef u_char *(*parse_pt)(u_char *p, u_char *last);


typedef struct {
    const char  *match;          /* NULL: nothing is recognised */
    const char  *rest;           /* all of it, where nothing is recognised */
} row_t;


#define L10  "abcdefghij"
#define L60  L10 L10 L10 L10 L10 L10
#define L63  L60 "abc"
#define D252 L63 "." L63 "." L63 "." L60


static row_t  domains[] = {
    { "example.com", "" },
    { "localhost", ">" },
    { "a", "@" },
    { "a.b.c.d", " " },
    { "a-b.c--d", "" },
    { "xn--bcher-kva.example", ">" },
    { "1.2.3.4", "" },
    { "3com.com", ":" },
    { "EXAMPLE.Com", "," },
    { "a", "_b" },
    { L63 ".com", "" },
    { D252 ".ab", "" },
    { NULL, "" },
    { NULL, "." },
    { NULL, ".a" },
    { NULL, "a." },
    { NULL, "a.>" },
    { NULL, "a..b" },
    { NULL, "-a" },
    { NULL, "a-" },
    { NULL, "a-.b" },
    { NULL, "a.-b" },
    { NULL, "a.b->" },
    { NULL, "-" },
    { NULL, "_a" },
    { NULL, "a._b" },
    { NULL, "\xc3\xa4.example" },
    { NULL, "[1.2.3.4]" },
    { NULL, L63 "d.com" },
    { NULL, D252 ".abc" },
    { NULL, D252 ".a.b.c.d" }
};


static row_t  literals[] = {
    { "[1.2.3.4]", "" },
    { "[0.0.0.0]", ">" },
    { "[255.255.255.255]", "" },
    { "[127.000.000.001]", "" },
    { "[IPv6:::]", "" },
    { "[IPv6:::1]", "" },
    { "[ipv6:1::]", "" },
    { "[IPV6:1::2]", "x" },
    { "[IPv6:1:2:3:4:5:6:7:8]", "" },
    { "[IPv6:2001:0db8:0:0:0:0:ABCD:ef01]", ">" },
    { "[IPv6:1:2:3:4:5:6::]", "" },
    { "[IPv6:::3:4:5:6:7:8]", "" },
    { "[IPv6:1:2:3::6:7:8]", "" },
    { "[IPv6:1:2:3:4:5:6:1.2.3.4]", "" },
    { "[IPv6:::ffff:1.2.3.4]", "" },
    { "[IPv6:::1.2.3.4]", "" },
    { "[IPv6:1:2:3:4::1.2.3.4]", "" },
    { "[IPv6:fe80::1]", "" },
    { "[IPv6:aAfF:af:A::F]", "" },
    { "[X400:c=de;a=b]", "" },
    { "[a-b-1:!Zz^~]", ">" },
    { "[-tag:x]", "" },
    { "[tag:" L60 L60 L60 L60 "abcdefghi]", "x" },
    { NULL, "" },
    { NULL, "[" },
    { NULL, "[]" },
    { NULL, "1.2.3.4" },
    { NULL, "[1.2.3.4" },
    { NULL, "[1.2.3]" },
    { NULL, "[1.2.3.]" },
    { NULL, "[1.2.3.4.]" },
    { NULL, "[1.2.3.4.5]" },
    { NULL, "[.1.2.3]" },
    { NULL, "[1..2.3]" },
    { NULL, "[1.2.3.256]" },
    { NULL, "[256.2.3.4]" },
    { NULL, "[1.2.3.0004]" },
    { NULL, "[1.2.3.4 ]" },
    { NULL, "[ 1.2.3.4]" },
    { NULL, "[+1.2.3.4]" },
    { NULL, "[1.2.3.a]" },
    { NULL, "[0x1.2.3.4]" },
    { NULL, "[IPv6:]" },
    { NULL, "[IPv6::]" },
    { NULL, "[IPv6:1]" },
    { NULL, "[IPv6:1:]" },
    { NULL, "[IPv6::1]" },
    { NULL, "[IPv6::::]" },
    { NULL, "[IPv6:1:::2]" },
    { NULL, "[IPv6:1::2::3]" },
    { NULL, "[IPv6:12345::1]" },
    { NULL, "[IPv6:g::1]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7:8:9]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7:8:]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7::]" },
    { NULL, "[IPv6:::2:3:4:5:6:7:8]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7::8]" },
    { NULL, "[IPv6:1:2:3:4:5:1.2.3.4]" },
    { NULL, "[IPv6:1:2:3:4:5:6:7:1.2.3.4]" },
    { NULL, "[IPv6:1:2:3:4:5::1.2.3.4]" },
    { NULL, "[IPv6:1.2.3.4]" },
    { NULL, "[IPv6:1.2.3.4::]" },
    { NULL, "[IPv6:::1.2.3.4:5]" },
    { NULL, "[IPv6:::1.2.3.256]" },
    { NULL, "[IPv6:::1.2.3]" },
    { NULL, "[IPv6:fe80::1%eth0]" },
    { NULL, "[IPv6:::1/64]" },
    { NULL, "[::1]" },
    { NULL, "[tag:x" },
    { NULL, "[tag:]" },
    { NULL, "[:x]" },
    { NULL, "[tag-:x]" },
    { NULL, "[ta_g:x]" },
    { NULL, "[tag:a b]" },
    { NULL, "[tag:a[b]" },
    { NULL, "[tag:a\\b]" },
    { NULL, "[tag:\x7f]" },
    { NULL, "[tag:\x80]" },
    { NULL, "[tag:\x01]" },
    { NULL, "[tag:" L60 L60 L60 L60 L10 "]" }
};


static row_t  dot_strings[] = {
    { "a", "" },
    { "a.b", "@c" },
    { "john.q.public", "@" },
    { "a+b=c", "@" },
    { "!#$%&'*+-/=?^_`{|}~", "\"" },
    { "-a-", "@" },
    { "a", "(b" },
    { L60 "abcd", "@" },
    { L60 "." "abc", "@" },
    { NULL, "" },
    { NULL, "." },
    { NULL, ".a" },
    { NULL, "a." },
    { NULL, "a.@b" },
    { NULL, "a..b" },
    { NULL, "\"a\"" },
    { NULL, " a" },
    { NULL, "@a" },
    { NULL, "\xc3\xa4" },
    { NULL, L60 "abcde" },
    { NULL, L60 "." "abcd@" }
};


static row_t  quoted_strings[] = {
    { "\"\"", "@" },
    { "\"a\"", "@" },
    { "\"a b\"", "" },
    { "\"a@b\"", "@c" },
    { "\"<>[]():;,.\"", ">" },
    { "\"\\\"\"", "" },
    { "\"\\\\\"", "\"" },
    { "\"\\a\\ \"", "" },
    { "\"..\"", "" },
    { "\"" L60 "ab\"", "" },
    { "\"a\"", "\"b\"" },
    { NULL, "" },
    { NULL, "\"" },
    { NULL, "a\"b\"" },
    { NULL, "\"a" },
    { NULL, "\"a\\\"" },
    { NULL, "\"a\\" },
    { NULL, "\"a\tb\"" },
    { NULL, "\"a\rb\"" },
    { NULL, "\"a\nb\"" },
    { NULL, "\"a\\\nb\"" },
    { NULL, "\"a\x7f\"" },
    { NULL, "\"\\\x7f\"" },
    { NULL, "\"\xc3\xa4\"" },
    { NULL, "\"\\\xc3\xa4\"" },
    { NULL, "\"" L60 "abc\"" }
};


/* RFC 6531, 3.3; what has no UTF-8 in it is in the tables above */

/* 59 characters, the most that can be a U-label */
#define U58  "\xc3\xa4" L10 L10 L10 L10 L10 "abcdefg"

static row_t  utf8_domains[] = {
    { "b\xc3\xbc" "cher.example", ">" },
    { "\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95", "" },
    { "\xf0\x90\x8d\x88", " " },
    { "xn--bcher-kva.\xc3\xa4", "" },
    { "a", "\xe4" },
    { "a", "\xc0\xae" "b" },
    { "a", "\xe3\x80\x82" "b" },
    { U58 "\xc3\xa4", "" },
    { NULL, "\xc3" },
    { NULL, "\xa4" },
    { NULL, "\xed\xb0\x80" },
    { NULL, "\xc2\x80" },
    { NULL, "a.\xef\xbc\x8e" },
    { NULL, "-\xc3\xa4" },
    { NULL, "\xc3\xa4-" },
    { NULL, "\xc3\xa4." },
    { NULL, U58 "ab" }
};


static row_t  utf8_dot_strings[] = {
    { "p\xc3\xa4ul.m\xc3\xbc", "@" },
    { "\xe3\x80\x82", "@" },
    { "\xf4\x8f\xbf\xbf", "@" },
    { "a", "\xf4\x90\x80\x80" },
    { "a", "\xe0\x9f\xbf" },
    { "a", "\xf0\x8f\xbf\xbf" },
    { "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80", "" },
    { L60 "\xc3\xa4" "ab", "@" },
    { NULL, "\xc1\xbf" },
    { NULL, "\xff" },
    { NULL, "\xf5\x80\x80\x80" },
    { NULL, "\xc3\xa4.@" },
    { NULL, L60 "\xc3\xa4" "abc" }
};


static row_t  utf8_quoted_strings[] = {
    { "\"\xc3\xa4 \xe5\xad\xab\"", "@" },
    { "\"\\\"\xc3\xa4\"", "" },
    { NULL, "\"\\\xc3\xa4\"" },
    { NULL, "\"\xc3\"" },
    { NULL, "\"\xc3" },
    { NULL, "\"\xe4\"" },
    { NULL, "\"\xc3\xa4\n\"" },
    { NULL, "\"" L60 "a\xc3\xa4\"" }
};


static ngx_uint_t
parse_row(parse_pt parse, row_t *row)
{
    u_char      *p, *end;
    size_t       len, rest;
    ngx_uint_t   ok;

    len = row->match ? ngx_strlen(row->match) : 0;
    rest = ngx_strlen(row->rest);

    p = malloc(len + rest);

    if (len) {
        ngx_memcpy(p, row->match, len);
    }

    if (rest) {
        ngx_memcpy(p + len, row->rest, rest);
    }

    end = parse(p, p + len + rest);

    ok = (end == (len ? p + len : NULL));

    if (!ok) {
        tap_diag("input", p, len + rest);
        tap_diag_number("recognised", end ? (long) (end - p) : -1);
    }

    free(p);

    return ok;
}


static void
test_table(parse_pt parse, row_t *rows, ngx_uint_t n, const char *good,
    const char *bad)
{
    ngx_uint_t  i, ok[2];

    ok[0] = 1;
    ok[1] = 1;

    for (i = 0; i < n; i++) {
        if (!parse_row(parse, &rows[i])) {
            ok[rows[i].match ? 1 : 0] = 0;
        }
    }

    tap_ok(ok[1], good);
    tap_ok(ok[0], bad);
}


/* text between two others, in memory of just that size */

static ngx_uint_t
takes(parse_pt parse, const char *before, const void *text, size_t len,
    const char *behind)
{
    size_t       n;
    u_char      *p, *end;
    ngx_uint_t   whole;

    n = ngx_strlen(before) + len + ngx_strlen(behind);

    p = malloc(n);

    end = ngx_cpymem(p, before, ngx_strlen(before));
    end = ngx_cpymem(end, text, len);
    ngx_memcpy(end, behind, ngx_strlen(behind));

    whole = (parse(p, p + n) == p + n);

    free(p);

    return whole;
}


/* which octets may stand in the middle of each */

static void
test_octets(void)
{
    u_char      octet;
    ngx_uint_t  i, atext, ldh, printable, dcontent, ok[5];

    for (i = 0; i < 5; i++) {
        ok[i] = 1;
    }

    for (i = 0; i < 256; i++) {
        octet = (u_char) i;

        atext = i && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                            "xyz0123456789!#$%&'*+-/=?^_`{|}~", (int) i);
        ldh = i && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                          "xyz0123456789-", (int) i);
        printable = (i >= 32 && i <= 126);
        dcontent = (i >= 33 && i <= 90) || (i >= 94 && i <= 126);

        ok[0] &= takes(ngx_smtp_dot_string_parse, "a", &octet, 1, "b")
                 == (atext || i == '.');

        ok[1] &= takes(ngx_smtp_domain_parse, "a", &octet, 1, "b")
                 == (ldh || i == '.');

        ok[2] &= takes(ngx_smtp_quoted_string_parse, "\"a", &octet, 1, "b\"")
                 == (printable && i != '"');

        ok[3] &= takes(ngx_smtp_quoted_string_parse, "\"a\\", &octet, 1, "b\"")
                 == printable;

        ok[4] &= takes(ngx_smtp_literal_parse, "[tag:a", &octet, 1, "b]")
                 == dcontent;
    }

    tap_ok(ok[0], "atoms have the octets of atext alone");
    tap_ok(ok[1], "labels have letters, digits and hyphens alone");
    tap_ok(ok[2], "quoted strings have what is printable, but no quote");
    tap_ok(ok[3], "a backslash quotes what is printable");
    tap_ok(ok[4], "literals of other kinds have dcontent alone");
}


/* groups of an address that is known to be good */

static ngx_uint_t
groups(const char *p)
{
    ngx_uint_t  n, inside;

    for (n = 0, inside = 0; *p; p++) {

        if (*p == '.') {
            return n + 1;
        }

        if (*p != ':' && !inside) {
            n++;
        }

        inside = (*p != ':');
    }

    return n;
}


/* all that can be put together out of few parts, against the library */

static void
test_ipv6(void)
{
    char                 text[128];
    size_t               len;
    u_char               addr[16];
    ngx_uint_t           n, k, i, count, ours, theirs, ok, good;
    static const char   *parts[] = { ":", "1", "1:", "1.2.3.4" };

    ok = 1;
    good = 0;

    for (i = 1, count = 4; i <= 9; i++, count *= 4) {
        for (n = 0; n < count; n++) {

            for (k = n, len = 0; len < i; len++, k /= 4) {
                if (len == 0) {
                    text[0] = '\0';
                }

                strcat(text, parts[k % 4]);
            }

            len = ngx_strlen(text);

            ours = takes(ngx_smtp_literal_parse, "[IPv6:", text, len, "]");
            theirs = (inet_pton(AF_INET6, text, addr) == 1);

            good += ours;

            /* RFC 5321, 4.1.3: "::" is no single group, which is seven */

            if (ours != (theirs && (strstr(text, "::") == NULL
                                    || groups(text) <= 6)))
            {
                tap_diag("address", text, len);
                tap_diag_number("ours", (long) ours);
                ok = 0;
            }
        }
    }

    tap_ok(ok && good > 100, "ipv6 addresses are those of inet_pton, "
                             "but for \"::\" as one group");
}


/* all that can be in two octets, and what stands at the edges of more */

static void
test_utf8(void)
{
    u_char       p[2], *copy;
    uint32_t     ch;
    ngx_uint_t   i, k, ok;

    static struct {
        ngx_str_t   in;
        size_t      len;
    }  rows[] = {
        { tap_str(""), 0 },
        { tap_str("a"), 0 },
        { tap_str("\x7f"), 0 },
        { tap_str("\xe0\xa0\x80"), 3 },
        { tap_str("\xe0\x9f\xbf"), 0 },
        { tap_str("\xed\x9f\xbf"), 3 },
        { tap_str("\xed\xa0\x80"), 0 },
        { tap_str("\xed\xbf\xbf"), 0 },
        { tap_str("\xee\x80\x80"), 3 },
        { tap_str("\xef\xbf\xbf"), 3 },
        { tap_str("\xef\xbf"), 0 },
        { tap_str("\xe5\xad\xc0"), 0 },
        { tap_str("\xe5\xad\x7f"), 0 },
        { tap_str("\xf0\x90\x80\x80"), 4 },
        { tap_str("\xf0\x8f\xbf\xbf"), 0 },
        { tap_str("\xf4\x8f\xbf\xbf"), 4 },
        { tap_str("\xf4\x90\x80\x80"), 0 },
        { tap_str("\xf3\x80\x80"), 0 },
        { tap_str("\xf3\x80\x80\x40"), 0 },
        { tap_str("\xf5\x80\x80\x80"), 0 },
        { tap_str("\xfe\x80"), 0 }
    };

    for (ok = 1, i = 0; i < 256; i++) {
        for (k = 0; k < 256; k++) {
            p[0] = (u_char) i;
            p[1] = (u_char) k;
            ch = (i & 0x1f) << 6 | (k & 0x3f);

            ok &= (ngx_smtp_utf8_length(p, p + 2) == 2)
                  == ((i & 0xe0) == 0xc0 && (k & 0xc0) == 0x80 && ch >= 0x80);

            ok &= ngx_smtp_is_8bit(p, p + 2) == (i > 127 || k > 127);
        }
    }

    tap_ok(ok, "characters of two octets");

    for (ok = 1, i = 0; i < tap_nelts(rows); i++) {
        copy = tap_copy(rows[i].in.data, rows[i].in.len);

        if (ngx_smtp_utf8_length(copy, copy + rows[i].in.len) != rows[i].len) {
            tap_diag("character", copy, rows[i].in.len);
            ok = 0;
        }

        free(copy);
    }

    tap_ok(ok, "neither overlong, nor surrogates, nor beyond U+10FFFF");
}


static void
test_helo_utf8(void)
{
    u_char      *p;
    ngx_uint_t   i, ok;

    static struct {
        ngx_str_t   in;
        ngx_int_t   rc;
    }  rows[] = {
        { tap_str("mail.example.com"), NGX_OK },
        { tap_str("[127.0.0.1]"), NGX_OK },
        { tap_str("my_b\xc3\xbc" "cher.example"), NGX_OK },
        { tap_str("\xe4\xbe\x8b"), NGX_OK },
        { tap_str(""), NGX_ERROR },
        { tap_str("\xe4"), NGX_ERROR },
        { tap_str("b\xc3\xbc cher"), NGX_ERROR },
        { tap_str("b\xc3\xbc\n"), NGX_ERROR },
        { tap_str("b\xc2\x85"), NGX_ERROR },
        { tap_str("[\xc3\xbc:a]"), NGX_ERROR }
    };

    for (ok = 1, i = 0; i < tap_nelts(rows); i++) {
        p = tap_copy(rows[i].in.data, rows[i].in.len);

        if (ngx_smtp_helo_utf8_valid(p, p + rows[i].in.len) != rows[i].rc) {
            tap_diag("helo", p, rows[i].in.len);
            ok = 0;
        }

        free(p);
    }

    tap_ok(ok, "helo in utf-8");
}


static void
test_helo(void)
{
    u_char      *p;
    ngx_uint_t   i, ok;

    static ngx_str_t  good[] = {
        tap_str("mail.example.com"), tap_str("localhost"), tap_str("a"),
        tap_str("my_host"), tap_str("_a.b_.c"), tap_str("WIN_PC-1.local"),
        tap_str("[127.0.0.1]"), tap_str("[IPv6:::1]"), tap_str("1.2.3.4"),
        tap_str("[tag:x]"), tap_str(D252 ".ab")
    };

    static ngx_str_t  bad[] = {
        tap_str(""), tap_str(" "), tap_str("."), tap_str("a."), tap_str(".a"),
        tap_str("a b"), tap_str("a "), tap_str("a..b"), tap_str("-a"),
        tap_str("a-"), tap_str("a\r"), tap_str("a\n"), tap_str("a\0b"),
        tap_str("a\0"), tap_str("a(b)"), tap_str("a;b"), tap_str("<a>"),
        tap_str("a@b"), tap_str("\"a\""), tap_str("[1.2.3.4"),
        tap_str("[1.2.3]"), tap_str("[1.2.3.4]x"), tap_str("[]"),
        tap_str("::1"), tap_str("\xc3\xa4"), tap_str("a\x7f"),
        tap_str("[tag:a\nb]"), tap_str(D252 ".abc")
    };

    for (ok = 1, i = 0; i < tap_nelts(good); i++) {
        p = tap_copy(good[i].data, good[i].len);

        if (ngx_smtp_helo_valid(p, p + good[i].len) != NGX_OK) {
            tap_diag("refused", p, good[i].len);
            ok = 0;
        }

        free(p);
    }

    tap_ok(ok, "helo takes domains, literals and names with underscores");

    for (ok = 1, i = 0; i < tap_nelts(bad); i++) {
        p = tap_copy(bad[i].data, bad[i].len);

        if (ngx_smtp_helo_valid(p, p + bad[i].len) != NGX_ERROR) {
            tap_diag("taken", p, bad[i].len);
            ok = 0;
        }

        free(p);
    }

    tap_ok(ok, "helo takes nothing else");
}


/* by the letter, and as anything that is text */

static void
test_helo_syntax(void)
{
    u_char      *p, *last;
    ngx_uint_t   i, ok;

    static struct {
        ngx_str_t   in;
        ngx_int_t   strict;
        ngx_int_t   utf8;
        ngx_int_t   any;
    } rows[] = {
        { tap_str("mail.example.com"), NGX_OK, NGX_OK, NGX_OK },
        { tap_str("1.2.3.4"), NGX_OK, NGX_OK, NGX_OK },
        { tap_str("[127.0.0.1]"), NGX_OK, NGX_OK, NGX_OK },
        { tap_str("[IPv6:::1]"), NGX_OK, NGX_OK, NGX_OK },
        { tap_str("localhost"), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("my_host.example"), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("example.com."), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("."), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("[1.2.3]"), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("My Computer (1)"), NGX_ERROR, NGX_ERROR, NGX_OK },
        { tap_str("\xc3\xa4.example"), NGX_ERROR, NGX_OK, NGX_ERROR },
        { tap_str("\xc3\xa4"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str("a.b\r"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str("a.b\nc"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str("a.b\0"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str("a\tb"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str("a\x7f"), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str(""), NGX_ERROR, NGX_ERROR, NGX_ERROR },
        { tap_str(D252 ".ab"), NGX_OK, NGX_OK, NGX_OK },
        { tap_str(D252 ".abc"), NGX_ERROR, NGX_ERROR, NGX_ERROR }
    };

    for (ok = 1, i = 0; i < tap_nelts(rows); i++) {
        p = tap_copy(rows[i].in.data, rows[i].in.len);
        last = p + rows[i].in.len;

        if (ngx_smtp_helo_strict_valid(p, last, 0) != rows[i].strict
            || ngx_smtp_helo_strict_valid(p, last, 1) != rows[i].utf8
            || ngx_smtp_helo_any_valid(p, last) != rows[i].any)
        {
            tap_diag("helo", p, rows[i].in.len);
            ok = 0;
        }

        free(p);
    }

    tap_ok(ok, "helo by the letter, and of any text");
}


static void
test_xtext(void)
{
    u_char      *in, *out, *end, *back;
    u_char       all[256], dst[3 * 256];
    ngx_uint_t   i, ok;

    static struct {
        ngx_str_t   in;
        ngx_str_t   out;
    }  good[] = {
        { tap_str(""), tap_str("") },
        { tap_str("abc"), tap_str("abc") },
        { tap_str("a+2Bb"), tap_str("a+b") },
        { tap_str("+3D+20+00+FF"), tap_str("= \0\xff") },
        { tap_str("a@b.c"), tap_str("a@b.c") },
        { tap_str("+2B+41"), tap_str("+A") }
    };

    static ngx_str_t  plain = tap_str("a+b=c \xe4");

    static ngx_str_t  bad[] = {
        tap_str("+"), tap_str("a+"), tap_str("a+2"), tap_str("a+2b"),
        tap_str("a+b2"), tap_str("+GG"), tap_str("+ 1"), tap_str("++2B"),
        tap_str("a=b"), tap_str("a b"), tap_str(" "), tap_str("\x7f"),
        tap_str("\xc3\xa4"), tap_str("a\0b"), tap_str("a\r"), tap_str("+-1"),
        tap_str("+@1"), tap_str("+1@"), tap_str("+aA"), tap_str("+Aa"),
        tap_str("+1f")
    };

    for (ok = 1, i = 0; i < tap_nelts(good); i++) {
        in = tap_copy(good[i].in.data, good[i].in.len);
        out = malloc(good[i].in.len);

        end = ngx_smtp_xtext_decode(out, in, in + good[i].in.len);

        if (end == NULL
            || !tap_same(out, end - out, good[i].out.data, good[i].out.len))
        {
            tap_diag("xtext", in, good[i].in.len);
            ok = 0;
        }

        free(in);
        free(out);
    }

    tap_ok(ok, "xtext is decoded");

    for (ok = 1, i = 0; i < tap_nelts(bad); i++) {
        in = tap_copy(bad[i].data, bad[i].len);
        out = malloc(bad[i].len);

        if (ngx_smtp_xtext_decode(out, in, in + bad[i].len) != NULL) {
            tap_diag("taken", in, bad[i].len);
            ok = 0;
        }

        free(in);
        free(out);
    }

    tap_ok(ok, "what is not xtext is refused, lower case digits too");

    for (i = 0; i < 256; i++) {
        all[i] = (u_char) i;
    }

    end = ngx_smtp_xtext_encode(dst, all, all + 256);

    for (ok = 1, in = dst; in < end; in++) {
        ok = ok && *in > ' ' && *in < 0x7f && *in != '=';
    }

    /* in place, as callers may do */

    back = ngx_smtp_xtext_decode(dst, dst, end);

    tap_ok(ok && back && tap_same(dst, back - dst, all, 256),
           "all octets survive xtext, decoded in place");

    end = ngx_smtp_xtext_encode(dst, plain.data, plain.data + plain.len);

    tap_ok(tap_same(dst, end - dst, "a+2Bb+3Dc+20+E4", 15),
           "only what must be is encoded, in upper case digits");
}


int
main(void)
{
    test_table(ngx_smtp_domain_parse, domains, tap_nelts(domains),
               "domains are recognised", "what is no domain is refused");
    test_table(ngx_smtp_literal_parse, literals, tap_nelts(literals),
               "address literals are recognised",
               "what is no address literal is refused");
    test_table(ngx_smtp_dot_string_parse, dot_strings, tap_nelts(dot_strings),
               "dot-strings are recognised",
               "what is no dot-string is refused");
    test_table(ngx_smtp_quoted_string_parse, quoted_strings,
               tap_nelts(quoted_strings), "quoted strings are recognised",
               "what is no quoted string is refused");
    test_table(ngx_smtp_domain_utf8_parse, utf8_domains,
               tap_nelts(utf8_domains), "domains in utf-8 are recognised",
               "what is no domain in utf-8 is refused");
    test_table(ngx_smtp_dot_string_utf8_parse, utf8_dot_strings,
               tap_nelts(utf8_dot_strings),
               "dot-strings in utf-8 are recognised",
               "what is no dot-string in utf-8 is refused");
    test_table(ngx_smtp_quoted_string_utf8_parse, utf8_quoted_strings,
               tap_nelts(utf8_quoted_strings),
               "quoted strings in utf-8 are recognised",
               "what is no quoted string in utf-8 is refused");
    test_utf8();
    test_octets();
    test_ipv6();
    test_helo();
    test_helo_syntax();
    test_helo_utf8();
    test_xtext();

    return tap_done();
}
