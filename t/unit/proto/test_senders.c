
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_senders.h>
#include <tap.h>


/* Lists of senders: what they are kept as, and which addresses fit them. */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;       /* "|" for each LF; NULL: refused */
} list_t;


typedef struct {
    const char  *name;
    ngx_str_t    list;
    ngx_str_t    addr;
    u_char       delimiter;
    ngx_uint_t   fits;
} fit_t;


static list_t  lists[] = {

    { "one address",
      tap_str("user@example.com"), "user@example.com|" },

    { "letters become small",
      tap_str("User@Example.COM"), "user@example.com|" },

    { "several, with and without spaces",
      tap_str("a@b.example,c@d.example , e@f.example\t,\tg@h.example"),
      "a@b.example|c@d.example|e@f.example|g@h.example|" },

    { "spaces around the list",
      tap_str(" \ta@b.example \t"), "a@b.example|" },

    { "a domain",
      tap_str("@example.com"), "@example.com|" },

    { "a domain with a star is the same",
      tap_str("*@example.com"), "@example.com|" },

    { "subdomains",
      tap_str("@.Example.com"), "@.example.com|" },

    { "everything",
      tap_str("*"), "*|" },

    { "an address literal",
      tap_str("a@[192.0.2.1],@[IPv6:2001:DB8::1]"),
      "a@[192.0.2.1]|@[ipv6:2001:db8::1]|" },

    { "UTF-8 in address and domain",
      tap_str("\xe7\x94\xa8@\xe4\xbe\x8b.example,@\xe4\xbe\x8b.example"),
      "\xe7\x94\xa8@\xe4\xbe\x8b.example|@\xe4\xbe\x8b.example|" },

    { "quotes that are not needed are left out",
      tap_str("\"a.b\"@example.com"), "a.b@example.com|" },

    { "quotes that are needed stay, with commas, spaces and stars inside",
      tap_str("\"a, b*\"@example.com,c@example.com"),
      "\"a, b*\"@example.com|c@example.com|" },

    { "a quoted at sign",
      tap_str("\"a@b\"@example.com"), "\"a@b\"@example.com|" },

    { "an empty list", tap_str(""), NULL },
    { "spaces alone", tap_str("  "), NULL },
    { "an empty item", tap_str("a@b.example,,c@d.example"), NULL },
    { "a comma in front", tap_str(",a@b.example"), NULL },
    { "a comma at the end", tap_str("a@b.example,"), NULL },
    { "a space in place of a comma", tap_str("a@b.example c@d.example"),
      NULL },
    { "a semicolon in place of a comma", tap_str("a@b.example;c@d.example"),
      NULL },
    { "no domain", tap_str("user"), NULL },
    { "an empty domain", tap_str("user@"), NULL },
    { "an empty pattern", tap_str("@"), NULL },
    { "a dot alone", tap_str("@."), NULL },
    { "two dots", tap_str("@..example.com"), NULL },
    { "a dot at the end", tap_str("@example.com."), NULL },
    { "brackets", tap_str("<a@b.example>"), NULL },
    { "the null sender", tap_str("<>"), NULL },
    { "a name in front", tap_str("A <a@b.example>"), NULL },
    { "a star inside of an address", tap_str("sales-*@example.com"), NULL },
    { "a star in front of a local part", tap_str("*a@example.com"), NULL },
    { "a star in a domain", tap_str("@*.example.com"), NULL },
    { "a star and a domain without its sign", tap_str("*example.com"), NULL },
    { "a star for subdomains", tap_str("*@.example.com"), NULL },
    { "two stars", tap_str("**"), NULL },
    { "an open quote", tap_str("\"a@example.com"), NULL },
    { "a literal with a dot in front", tap_str("@.[192.0.2.1]"), NULL },
    { "what is no UTF-8", tap_str("a\xff@example.com"), NULL },
    { "a line end", tap_str("a@b.example,\nc@d.example"), NULL },
    { "a NUL", tap_str("a@b.example\0"), NULL }
};


static fit_t  fits[] = {

    { "an address fits itself",
      tap_str("a@b.example"), tap_str("a@b.example"), 0, 1 },

    { "in any case of letters",
      tap_str("a@b.example"), tap_str("A@B.Example"), 0, 1 },

    { "quoted without need",
      tap_str("a@b.example"), tap_str("\"\\a\"@b.example"), 0, 1 },

    { "the last of several",
      tap_str("a@b.example,c@d.example,e@f.example"),
      tap_str("e@f.example"), 0, 1 },

    { "another local part does not",
      tap_str("a@b.example"), tap_str("b@b.example"), 0, 0 },

    { "a longer one does not",
      tap_str("a@b.example"), tap_str("aa@b.example"), '+', 0 },

    { "a shorter one does not",
      tap_str("aa@b.example"), tap_str("a@b.example"), '+', 0 },

    { "another domain does not",
      tap_str("a@b.example"), tap_str("a@c.example"), '+', 0 },

    { "a domain that ends so does not",
      tap_str("a@b.example"), tap_str("a@xb.example"), '+', 0 },

    { "a subdomain does not",
      tap_str("a@b.example"), tap_str("a@x.b.example"), '+', 0 },

    { "a domain takes all of its addresses",
      tap_str("@b.example"), tap_str("any.one@b.example"), 0, 1 },

    { "a domain does not take subdomains",
      tap_str("@b.example"), tap_str("a@x.b.example"), 0, 0 },

    { "a domain does not take what ends so",
      tap_str("@b.example"), tap_str("a@xb.example"), 0, 0 },

    { "a domain does not take it as a local part",
      tap_str("@b.example"), tap_str("\"a@b.example\"@c.example"), 0, 0 },

    { "subdomains are taken",
      tap_str("@.b.example"), tap_str("a@x.b.example"), 0, 1 },

    { "at any depth",
      tap_str("@.b.example"), tap_str("a@z.y.x.b.example"), 0, 1 },

    { "but not the domain itself",
      tap_str("@.b.example"), tap_str("a@b.example"), 0, 0 },

    { "nor what ends so",
      tap_str("@.b.example"), tap_str("a@xb.example"), 0, 0 },

    { "the star takes all",
      tap_str("a@b.example,*"), tap_str("\"x y\"@[192.0.2.1]"), 0, 1 },

    { "an address literal",
      tap_str("@[192.0.2.1]"), tap_str("a@[192.0.2.1]"), 0, 1 },

    { "user+anything fits user",
      tap_str("user@b.example"), tap_str("user+a+b@b.example"), '+', 1 },

    { "user+ fits user",
      tap_str("user@b.example"), tap_str("User+@B.example"), '+', 1 },

    { "user+anything of another domain does not",
      tap_str("user@b.example"), tap_str("user+a@c.example"), '+', 0 },

    { "+anything is not of everybody",
      tap_str("user@b.example"), tap_str("+user@b.example"), '+', 0 },

    { "user does not fit user+anything",
      tap_str("user+a@b.example"), tap_str("user@b.example"), '+', 0 },

    { "user+anything fits itself without a delimiter",
      tap_str("user+a@b.example"), tap_str("user+a@b.example"), 0, 1 },

    { "user+anything does not fit user without a delimiter",
      tap_str("user@b.example"), tap_str("user+a@b.example"), 0, 0 },

    { "another delimiter",
      tap_str("user@b.example"), tap_str("user-a@b.example"), '-', 1 },

    { "is not the usual one",
      tap_str("user@b.example"), tap_str("user+a@b.example"), '-', 0 },

    { "user+anything, quoted without need",
      tap_str("user@b.example"), tap_str("\"user+a\"@b.example"), '+', 1 },

    { "a quoted local part has no delimiter in it",
      tap_str("\"us er\"@b.example"), tap_str("\"us er+a\"@b.example"), '+',
      0 },

    { "UTF-8",
      tap_str("\xe7\x94\xa8@\xe4\xbe\x8b.example"),
      tap_str("\xe7\x94\xa8+x@\xe4\xbe\x8b.example"), '+', 1 }
};


static ngx_uint_t
run_list(list_t *row)
{
    u_char      *p, *dst;
    size_t       i;
    ngx_str_t    in;
    ngx_uint_t   ok;

    in.len = row->in.len;
    in.data = tap_copy(row->in.data, in.len);

    dst = malloc(in.len + 1);

    p = ngx_smtp_senders_parse(dst, &in);

    if (p == NULL || row->expected == NULL) {
        ok = (p == NULL && row->expected == NULL);

    } else {
        for (i = 0; i < (size_t) (p - dst); i++) {
            if (dst[i] == LF) {
                dst[i] = '|';
            }
        }

        ok = tap_same(dst, p - dst, row->expected, ngx_strlen(row->expected));
    }

    if (!ok) {
        tap_diag("input", in.data, in.len);

        if (p) {
            tap_diag("got", dst, p - dst);
        }
    }

    free(in.data);
    free(dst);

    return ok;
}


static ngx_uint_t
run_fit(fit_t *row)
{
    u_char           *last;
    ngx_str_t         senders, list, addr;
    ngx_uint_t        ok;
    ngx_smtp_path_t   path;

    list.len = row->list.len;
    list.data = tap_copy(row->list.data, list.len);

    addr.len = row->addr.len;
    addr.data = tap_copy(row->addr.data, addr.len);

    senders.data = malloc(list.len + 1);

    last = ngx_smtp_senders_parse(senders.data, &list);

    ok = (last != NULL
          && ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8)
             == NGX_OK);

    if (ok) {
        senders.len = last - senders.data;
        ok = (ngx_smtp_senders_fit(&senders, &path, row->delimiter)
              == row->fits);
    }

    if (!ok) {
        tap_diag("list", list.data, list.len);
        tap_diag("address", addr.data, addr.len);
    }

    free(list.data);
    free(addr.data);
    free(senders.data);

    return ok;
}


static void
test_length(void)
{
    u_char      *text, *dst;
    ngx_str_t    list;
    ngx_uint_t   i;

    text = malloc(NGX_SMTP_SENDERS_MAX + 1);
    dst = malloc(NGX_SMTP_SENDERS_MAX + 2);

    for (i = 0; i < NGX_SMTP_SENDERS_MAX / 4; i++) {
        ngx_memcpy(text + 4 * i, "a@b,", 4);
    }

    list.data = text;
    list.len = NGX_SMTP_SENDERS_MAX - 1;

    tap_ok(ngx_smtp_senders_parse(dst, &list) == dst + list.len + 1,
           "taken: a list of 8191 octets");

    text[NGX_SMTP_SENDERS_MAX - 1] = 'b';
    list.len++;

    tap_ok(ngx_smtp_senders_parse(dst, &list) == dst + list.len + 1,
           "taken: a list of 8192 octets");

    text[NGX_SMTP_SENDERS_MAX] = 'b';
    list.len++;

    tap_ok(ngx_smtp_senders_parse(dst, &list) == NULL,
           "refused: a list of 8193 octets");

    free(text);
    free(dst);
}


int
main(void)
{
    char        name[256];
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(lists); i++) {
        snprintf(name, sizeof(name), "%s: %s",
                 lists[i].expected ? "taken" : "refused", lists[i].name);
        tap_ok(run_list(&lists[i]), name);
    }

    test_length();

    for (i = 0; i < tap_nelts(fits); i++) {
        tap_ok(run_fit(&fits[i]), fits[i].name);
    }

    return tap_done();
}
