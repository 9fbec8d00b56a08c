
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_addr.h>
#include <tap.h>


/*
 * Paths and mailboxes.  All input is in memory of just its size, and each good
 * path is also tried cut off at every octet.
 */


#define REV  NGX_SMTP_PATH_REVERSE
#define FWD  NGX_SMTP_PATH_FORWARD
#define UTF  NGX_SMTP_PATH_UTF8

#define L10  "abcdefghij"
#define L60  L10 L10 L10 L10 L10 L10
#define L63  L60 "abc"

/* 190 octets, so that "<", 64, "@" and ">" make 257 */
#define D190 L63 "." L63 "." L60 "de"


typedef struct {
    const char  *name;
    ngx_uint_t   flags;
    const char  *in;
    const char  *addr;
    const char  *local;
    const char  *domain;
    ngx_uint_t   quoted;
    ngx_uint_t   literal;
    const char  *rest;
} good_t;


typedef struct {
    const char  *name;
    ngx_uint_t   flags;
    ngx_str_t    in;
} bad_t;


static good_t  good[] = {

    { "a mailbox", 0, "<a@b.c>", "a@b.c", "a", "b.c", 0, 0, "" },

    { "what follows the path is left alone", 0,
      "<a@b.c> SIZE=1", "a@b.c", "a", "b.c", 0, 0, " SIZE=1" },

    { "letters keep their case", 0,
      "<John.Doe@Example.COM>", "John.Doe@Example.COM", "John.Doe",
      "Example.COM", 0, 0, "" },

    { "a single-label domain", 0,
      "<a@localhost>", "a@localhost", "a", "localhost", 0, 0, "" },

    { "the null path, where it is allowed", REV,
      "<> BODY=7BIT", "", "", "", 0, 0, " BODY=7BIT" },

    { "the null path with nothing behind it", REV,
      "<>", "", "", "", 0, 0, "" },

    { "a mailbox, where the null path is allowed", REV,
      "<a@b>", "a@b", "a", "b", 0, 0, "" },

    { "postmaster without a domain, where it is allowed", FWD,
      "<Postmaster>", "Postmaster", "Postmaster", "", 0, 0, "" },

    { "postmaster in any case of letters", FWD,
      "<pOSTMASTER>x", "pOSTMASTER", "pOSTMASTER", "", 0, 0, "x" },

    { "postmaster with a domain", FWD,
      "<Postmaster@b.c>", "Postmaster@b.c", "Postmaster", "b.c", 0, 0, "" },

    { "a name that begins as postmaster's does", FWD,
      "<postmasters@b.c>", "postmasters@b.c", "postmasters", "b.c", 0, 0,
      "" },

    { "a quoted local part", 0,
      "<\"a b\"@c>", "\"a b\"@c", "\"a b\"", "c", 1, 0, "" },

    { "a quoted local part with all that could end it", 0,
      "<\"a>@b<\\\"\\\\\"@c>>", "\"a>@b<\\\"\\\\\"@c",
      "\"a>@b<\\\"\\\\\"", "c", 1, 0, ">" },

    { "an empty quoted local part", 0,
      "<\"\"@c>", "\"\"@c", "\"\"", "c", 1, 0, "" },

    { "an ipv4 literal", 0,
      "<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]", 0, 1, "" },

    { "an ipv6 literal", 0,
      "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "a",
      "[IPv6:2001:db8::1]", 0, 1, "" },

    { "a literal of another kind, with a quoted local part", 0,
      "<\"a\"@[tag:b>c]>", "\"a\"@[tag:b>c]", "\"a\"", "[tag:b>c]", 1, 1,
      "" },

    { "a source route is dropped", 0,
      "<@x.y:a@b>", "a@b", "a", "b", 0, 0, "" },

    { "a longer source route is dropped", REV,
      "<@x.y,@z,@u-v.w:\"a\"@b> C", "\"a\"@b", "\"a\"", "b", 1, 0, " C" },

    { "a local part of 64 octets", 0,
      "<" L60 "abcd@b>", L60 "abcd@b", L60 "abcd", "b", 0, 0, "" },

    { "a quoted local part of 64 octets", 0,
      "<\"" L60 "ab\"@b>", "\"" L60 "ab\"@b", "\"" L60 "ab\"", "b", 1, 0,
      "" },

    { "a path of 256 octets", 0,
      "<" L63 "@" D190 ">", L63 "@" D190, L63, D190, 0, 0, "" },

    { "a path of 256 octets, some of them a source route", 0,
      "<@a:" L60 "@" D190 ">",
      L60 "@" D190, L60, D190, 0, 0, "" },

    { "us-ascii where utf-8 is allowed", UTF,
      "<a@b.c>", "a@b.c", "a", "b.c", 0, 0, "" },

    { "utf-8 in the local part", UTF,
      "<p\xc3\xa4ul@b.c>", "p\xc3\xa4ul@b.c", "p\xc3\xa4ul", "b.c", 0, 0,
      "" },

    { "utf-8 in the domain", UTF,
      "<a@b\xc3\xbc" "cher.example>", "a@b\xc3\xbc" "cher.example", "a",
      "b\xc3\xbc" "cher.example", 0, 0, "" },

    { "utf-8 in quotes", UTF,
      "<\"\xe5\xad\xab \xe5\xad\x90\"@b>",
      "\"\xe5\xad\xab \xe5\xad\x90\"@b",
      "\"\xe5\xad\xab \xe5\xad\x90\"", "b", 1, 0, "" },

    { "characters of four octets", REV|UTF,
      "<\xf0\x9f\x93\xa7@\xf0\x90\x8d\x88.b> SMTPUTF8",
      "\xf0\x9f\x93\xa7@\xf0\x90\x8d\x88.b", "\xf0\x9f\x93\xa7",
      "\xf0\x90\x8d\x88.b", 0, 0, " SMTPUTF8" },

    { "utf-8 in a source route, which is dropped", UTF,
      "<@b\xc3\xbc.c:a@b>", "a@b", "a", "b", 0, 0, "" },

    { "a local part of 64 octets in utf-8", UTF,
      "<" L60 "\xf0\x9f\x93\xa7@b>", L60 "\xf0\x9f\x93\xa7@b",
      L60 "\xf0\x9f\x93\xa7", "b", 0, 0, "" }
};


static bad_t  bad[] = {

    { "the null path, where a mailbox is asked for", 0, tap_str("<>") },
    { "the null path among forward paths", FWD, tap_str("<>") },
    { "postmaster alone, where it is not allowed", 0,
      tap_str("<Postmaster>") },
    { "postmaster alone among reverse paths", REV, tap_str("<Postmaster>") },
    { "postmaster in quotes without a domain", FWD,
      tap_str("<\"Postmaster\">") },
    { "postmaster alone behind a source route", FWD,
      tap_str("<@a:Postmaster>") },
    { "another name without a domain", REV|FWD, tap_str("<abuse>") },
    { "nothing", REV|FWD, tap_str("") },
    { "a bracket alone", REV|FWD, tap_str("<") },
    { "no brackets", REV|FWD, tap_str("a@b") },
    { "a space in front", REV|FWD, tap_str(" <a@b>") },
    { "a space inside, in front", REV|FWD, tap_str("< a@b>") },
    { "a space inside, at the end", REV|FWD, tap_str("<a@b >") },
    { "a space alone in brackets", REV|FWD, tap_str("< >") },
    { "two brackets in front", REV|FWD, tap_str("<<a@b>>") },
    { "no local part", REV|FWD, tap_str("<@b>") },
    { "no domain", REV|FWD, tap_str("<a@>") },
    { "an at sign alone", REV|FWD, tap_str("<@>") },
    { "two at signs", REV|FWD, tap_str("<a@b@c>") },
    { "a dot in front of the local part", REV|FWD, tap_str("<.a@b>") },
    { "a dot behind the local part", REV|FWD, tap_str("<a.@b>") },
    { "two dots in the local part", REV|FWD, tap_str("<a..b@c>") },
    { "a space in the local part", REV|FWD, tap_str("<a b@c>") },
    { "a comma", REV|FWD, tap_str("<a,b@c>") },
    { "a comment", REV|FWD, tap_str("<a(b)@c>") },
    { "text behind a quoted string", REV|FWD, tap_str("<\"a\"b@c>") },
    { "a quoted string inside a local part", REV|FWD,
      tap_str("<a.\"b\"@c>") },
    { "a quote that is not closed", REV|FWD, tap_str("<\"a@b>") },
    { "a quote closed by a quoted one", REV|FWD, tap_str("<\"a\\\"@b>") },
    { "a dot behind the domain", REV|FWD, tap_str("<a@b.>") },
    { "a dot in front of the domain", REV|FWD, tap_str("<a@.b>") },
    { "two dots in the domain", REV|FWD, tap_str("<a@b..c>") },
    { "a hyphen in front of a label", REV|FWD, tap_str("<a@-b>") },
    { "a hyphen behind a label", REV|FWD, tap_str("<a@b-.c>") },
    { "an underscore in the domain", REV|FWD, tap_str("<a@b_c>") },
    { "a literal of three octets", REV|FWD, tap_str("<a@[1.2.3]>") },
    { "a literal with an octet of 256", REV|FWD, tap_str("<a@[1.2.3.256]>") },
    { "a literal that is not closed", REV|FWD, tap_str("<a@[1.2.3.4>") },
    { "text behind a literal", REV|FWD, tap_str("<a@[1.2.3.4]b>") },
    { "a bad ipv6 literal", REV|FWD, tap_str("<a@[IPv6:1:2]>") },
    { "a bare ipv6 address", REV|FWD, tap_str("<a@::1>") },
    { "nul in the local part", REV|FWD, tap_str("<a\0b@c>") },
    { "nul in quotes", REV|FWD, tap_str("<\"a\0\"@c>") },
    { "nul in the domain", REV|FWD, tap_str("<a@b\0c>") },
    { "a tab in quotes", REV|FWD, tap_str("<\"\t\"@c>") },
    { "cr lf in quotes", REV|FWD, tap_str("<\"\r\n\"@c>") },
    { "a control in the domain", REV|FWD, tap_str("<a@b\x01>") },
    { "delete in the local part", REV|FWD, tap_str("<a\x7f@b>") },
    { "eight-bit octets in the local part", REV|FWD,
      tap_str("<\xc3\xa4@b>") },
    { "eight-bit octets in quotes", REV|FWD, tap_str("<\"\xc3\xa4\"@b>") },
    { "eight-bit octets in the domain", REV|FWD, tap_str("<a@\xc3\xa4>") },
    { "a source route alone", REV|FWD, tap_str("<@a:>") },
    { "a source route without its colon", REV|FWD, tap_str("<@a,b@c>") },
    { "a source route without an at sign", REV|FWD,
      tap_str("<@a,b:c@d>") },
    { "a source route with a comma at its end", REV|FWD,
      tap_str("<@a,:c@d>") },
    { "a source route with a literal", REV|FWD,
      tap_str("<@[1.2.3.4]:c@d>") },
    { "a source route with a space", REV|FWD, tap_str("<@a, @b:c@d>") },
    { "two source routes", REV|FWD, tap_str("<@a:@b:c@d>") },
    { "a local part of 65 octets", REV|FWD, tap_str("<" L60 "abcde@b>") },
    { "a quoted local part of 65 octets", REV|FWD,
      tap_str("<\"" L60 "abc\"@b>") },
    { "a label of 64 octets", REV|FWD, tap_str("<a@" L63 "d.b>") },
    { "a path of 257 octets", REV|FWD, tap_str("<" L63 "a@" D190 ">") },
    { "a path of 257 octets, some of them a source route", REV|FWD,
      tap_str("<@ab:" L60 "@" D190 ">") },
    { "eight-bit octets that are no utf-8", REV|FWD|UTF,
      tap_str("<\xe4@b>") },
    { "an overlong slash", REV|FWD|UTF, tap_str("<a\xc0\xaf@b>") },
    { "an overlong bracket, in quotes", REV|FWD|UTF,
      tap_str("<\"\xc0\xbe\"@b>") },
    { "an overlong dot in the domain", REV|FWD|UTF,
      tap_str("<a@b\xe0\x80\xae" "c>") },
    { "a surrogate", REV|FWD|UTF, tap_str("<\xed\xa0\x80@b>") },
    { "a character beyond U+10FFFF", REV|FWD|UTF,
      tap_str("<\xf4\x90\x80\x80@b>") },
    { "a character that is cut off", REV|FWD|UTF, tap_str("<a\xc3@b>") },
    { "a character cut off by the quote", REV|FWD|UTF,
      tap_str("<\"a\xc3\"@b>") },
    { "a character cut off by the end", REV|FWD|UTF,
      tap_str("<a@b\xe5\xad") },
    { "a quoted pair of utf-8", REV|FWD|UTF,
      tap_str("<\"\\\xc3\xa4\"@b>") },
    { "what idna takes for a dot", REV|FWD|UTF,
      tap_str("<a@b\xe3\x80\x82" "c>") },
    { "a wide dot", REV|FWD|UTF, tap_str("<a@b\xef\xbc\x8e" "c>") },
    { "a narrow ideographic dot", REV|FWD|UTF,
      tap_str("<a@b\xef\xbd\xa1" "c>") },
    { "a C1 control in the domain", REV|FWD|UTF,
      tap_str("<a@b\xc2\x85" "c>") },
    { "utf-8 in a literal", REV|FWD|UTF, tap_str("<a@[tag:\xc3\xa4]>") },
    { "a hyphen behind a label in utf-8", REV|FWD|UTF,
      tap_str("<a@\xc3\xa4-.b>") },
    { "a local part of 65 octets in utf-8", REV|FWD|UTF,
      tap_str("<" L60 "a\xf0\x9f\x93\xa7@b>") },
    { "utf-8 in a source route, where it is not allowed", REV|FWD,
      tap_str("<@b\xc3\xbc.c:a@b>") },
    { "a domain of 256 octets", REV|FWD,
      tap_str("<a@" L63 "." L63 "." L63 "." L63 ".a>") }
};


static ngx_uint_t
str_same(ngx_str_t *s, const char *expected)
{
    return s->data != NULL
           && tap_same(s->data, s->len, expected, ngx_strlen(expected));
}


/* the parts point into what was parsed, where they should be */

static ngx_uint_t
parts_same(ngx_smtp_path_t *path, good_t *row)
{
    if (!str_same(&path->addr, row->addr)
        || !str_same(&path->local, row->local)
        || !str_same(&path->domain, row->domain)
        || path->quoted != row->quoted || path->literal != row->literal)
    {
        tap_diag("addr", path->addr.data, path->addr.len);
        tap_diag("local", path->local.data, path->local.len);
        tap_diag("domain", path->domain.data, path->domain.len);
        return 0;
    }

    return path->local.data == path->addr.data
           && (path->domain.len == 0
               || path->domain.data
                  == path->addr.data + path->local.len + 1);
}


static ngx_uint_t
refused(const void *data, size_t len, ngx_uint_t flags)
{
    u_char           *copy, *pos;
    ngx_int_t         rc;
    ngx_uint_t        ok;
    ngx_smtp_path_t   path;

    copy = tap_copy(data, len);
    pos = copy;

    rc = ngx_smtp_path_parse(&path, &pos, copy + len, flags);

    ok = (rc == NGX_ERROR && pos == copy);

    if (!ok) {
        tap_diag("taken", copy, len);
    }

    free(copy);

    return ok;
}


static ngx_uint_t
run_good(good_t *row)
{
    size_t            len, rest, i;
    u_char           *copy, *pos;
    ngx_int_t         rc;
    ngx_str_t         addr;
    ngx_uint_t        ok;
    ngx_smtp_path_t   path;

    len = ngx_strlen(row->in);
    rest = ngx_strlen(row->rest);

    copy = tap_copy(row->in, len);
    pos = copy;

    ngx_memset(&path, 0xff, sizeof(ngx_smtp_path_t));

    rc = ngx_smtp_path_parse(&path, &pos, copy + len, row->flags);

    ok = rc == NGX_OK && pos == copy + len - rest && parts_same(&path, row)
         && path.utf8 == ngx_smtp_is_8bit((u_char *) row->addr,
                                          (u_char *) row->addr
                                          + ngx_strlen(row->addr));

    free(copy);

    /* each flag allows one thing more, and forbids nothing */

    copy = tap_copy(row->in, len);
    pos = copy;

    ok = ok && ngx_smtp_path_parse(&path, &pos, copy + len, REV|FWD|UTF)
               == NGX_OK
         && parts_same(&path, row);

    free(copy);

    for (i = 0; i < len - rest; i++) {
        ok = ok && refused(row->in, i, row->flags);
    }

    if (row->domain[0] == '\0') {
        return ok;
    }

    addr.len = ngx_strlen(row->addr);
    addr.data = tap_copy(row->addr, addr.len);

    ok = ok && ngx_smtp_mailbox_parse(&path, &addr, row->flags) == NGX_OK
         && path.addr.data == addr.data && parts_same(&path, row);

    free(addr.data);

    return ok;
}


static void
test_mailbox(void)
{
    ngx_str_t         addr;
    ngx_uint_t        i, ok;
    ngx_smtp_path_t   path;

    static ngx_str_t  no[] = {
        tap_str(""), tap_str("a"), tap_str("@"), tap_str("a@"),
        tap_str("@b"), tap_str("<a@b>"), tap_str("a@b>"), tap_str("a@b "),
        tap_str(" a@b"), tap_str("a@b,c@d"), tap_str("a@b\n"),
        tap_str("a@b\0"), tap_str("a@b."), tap_str("@x:a@b"),
        tap_str("Postmaster"), tap_str("a@[1.2.3.4]x"), tap_str("<>"),
        tap_str(L60 "abcde@b"), tap_str(L63 "a@" D190)
    };

    for (ok = 1, i = 0; i < tap_nelts(no); i++) {
        addr.len = no[i].len;
        addr.data = tap_copy(no[i].data, addr.len);

        if (ngx_smtp_mailbox_parse(&path, &addr, REV|FWD) != NGX_ERROR) {
            tap_diag("taken", addr.data, addr.len);
            ok = 0;
        }

        free(addr.data);
    }

    tap_ok(ok, "a mailbox is the whole of its string, without brackets, "
               "route and spaces");

    ngx_str_null(&addr);

    tap_ok(ngx_smtp_mailbox_parse(&path, &addr, REV|FWD) == NGX_ERROR,
           "a null string is no mailbox");
}


int
main(void)
{
    char        name[256];
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(good); i++) {
        snprintf(name, sizeof(name), "taken: %s", good[i].name);
        tap_ok(run_good(&good[i]), name);
    }

    for (i = 0; i < tap_nelts(bad); i++) {
        snprintf(name, sizeof(name), "refused: %s", bad[i].name);
        tap_ok(refused(bad[i].in.data, bad[i].in.len, bad[i].flags), name);
    }

    test_mailbox();

    return tap_done();
}
