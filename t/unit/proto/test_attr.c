
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_attr.h>
#include <tap.h>


/*
 * Attributes of XCLIENT and XFORWARD.  What comes out is written down as a
 * string: "name=value;" for each, "!" for an error and the name it has.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;       /* of the octets, in hex; NULL: an error */
} addr_row_t;


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_int_t    expected;
} port_row_t;


static row_t  rows[] = {

    { "nothing is no attribute",
      tap_str(""), "" },

    { "spaces are no attribute",
      tap_str("  "), "" },

    { "one",
      tap_str("NAME=a.example"), "NAME=a.example;" },

    { "many, with more spaces than one",
      tap_str(" name=a  ADDR=192.0.2.1   Reverse_Name=b "),
      "name=a;ADDR=192.0.2.1;Reverse_Name=b;" },

    { "xtext is decoded",
      tap_str("NAME=spi+6Be+2B+3Dx"), "NAME=spike+=x;" },

    { "an octet of any kind comes out of xtext",
      tap_str("NAME=a+0D+0Ab"), "NAME=a\r\nb;" },

    { "what is no xtext stays as it is",
      tap_str("LOGIN=joe+tag@a.example LOGIN=a=b"),
      "LOGIN=joe+tag@a.example;LOGIN=a=b;" },

    { "hex digits of xtext are in upper case",
      tap_str("NAME=a+6bc"), "NAME=a+6bc;" },

    { "brackets and colons are xtext",
      tap_str("NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1"),
      "NAME=[UNAVAILABLE];ADDR=IPV6:2001:db8::1;" },

    { "a name without a value",
      tap_str("ADDR"), "!ADDR" },

    { "a name with an empty value",
      tap_str("ADDR= NAME=a"), "!ADDR" },

    { "a value without a name",
      tap_str("=a"), "!" },

    { "a word behind an attribute",
      tap_str("ADDR=1 junk"), "ADDR=1;!junk" },

    { "a name of other characters",
      tap_str("A.B=1"), "!A" },

    { "a tab is no space",
      tap_str("\tA=1"), "!" }
};


static addr_row_t  addrs[] = {

    { "an IPv4 address", tap_str("192.0.2.1"), "c0000201" },
    { "the last one", tap_str("255.255.255.255"), "ffffffff" },
    { "an IPv6 address", tap_str("IPV6:2001:db8::77"),
      "20010db8000000000000000000000077" },
    { "its prefix in any case", tap_str("ipv6:::1"),
      "00000000000000000000000000000001" },
    { "IPv4-mapped", tap_str("IPV6:::ffff:192.0.2.1"), "c0000201" },
    { "IPv6 with IPv4 at its end", tap_str("IPV6:64:ff9b::192.0.2.1"),
      "0064ff9b0000000000000000c0000201" },

    { "an octet that is too large", tap_str("300.1.1.1"), NULL },
    { "an octet that is missing", tap_str("1.1.1"), NULL },
    { "an octet that is empty", tap_str("1..1.1"), NULL },
    { "an octet too many", tap_str("1.1.1.1.1"), NULL },
    { "octal", tap_str("0300.1.1.1"), NULL },
    { "a name", tap_str("not.an.address"), NULL },
    { "IPv6 without its prefix", tap_str("2001:db8::1"), NULL },
    { "IPv4 with it", tap_str("IPV6:192.0.2.1"), NULL },
    { "the prefix alone", tap_str("IPV6:"), NULL },
    { "brackets", tap_str("[192.0.2.1]"), NULL },
    { "a scope", tap_str("IPV6:fe80::1%lo"), NULL },
    { "a network", tap_str("192.0.2.1/24"), NULL },
    { "something behind a NUL", tap_str("192.0.2.1\0x"), NULL },
    { "something long",
      tap_str("IPV6:2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
      NULL },
    { "nothing", tap_str(""), NULL }
};


static port_row_t  ports[] = {

    { "port 0", tap_str("0"), 0 },
    { "a port", tap_str("4242"), 4242 },
    { "the last port", tap_str("65535"), 65535 },
    { "a port too large", tap_str("65536"), NGX_ERROR },
    { "a port of six digits", tap_str("000025"), NGX_ERROR },
    { "letters", tap_str("abc"), NGX_ERROR },
    { "letters behind digits", tap_str("25x"), NGX_ERROR },
    { "a sign", tap_str("-1"), NGX_ERROR },
    { "no digits", tap_str(""), NGX_ERROR }
};


static ngx_uint_t
run(row_t *row)
{
    u_char           *copy, *pos, *last, *p;
    u_char            out[256];
    ngx_int_t         rc;
    ngx_uint_t        ok;
    ngx_smtp_attr_t   attr;

    copy = tap_copy(row->in.data, row->in.len);
    pos = copy;
    last = copy + row->in.len;
    p = out;

    for ( ;; ) {
        rc = ngx_smtp_attr_next(&attr, &pos, last);

        if (rc != NGX_OK) {
            break;
        }

        p = ngx_cpymem(p, attr.name.data, attr.name.len);
        *p++ = '=';
        p = ngx_cpymem(p, attr.value.data, attr.value.len);
        *p++ = ';';
    }

    ok = 1;

    if (rc == NGX_ERROR) {
        *p++ = '!';
        p = ngx_cpymem(p, attr.name.data, attr.name.len);

    } else if (rc != NGX_DONE || pos != last) {
        ok = 0;
    }

    if (!tap_same(out, p - out, row->expected, ngx_strlen(row->expected))) {
        ok = 0;
    }

    if (!ok) {
        tap_diag("input", row->in.data, row->in.len);
        tap_diag("got", out, p - out);
    }

    free(copy);

    return ok;
}


/* 255 octets pass, 256 don't */

static ngx_uint_t
run_long(size_t len, ngx_int_t expected)
{
    u_char           *copy, *pos;
    ngx_int_t         rc;
    ngx_str_t         in;
    ngx_smtp_attr_t   attr;
    u_char            text[2 + NGX_SMTP_ATTR_MAX + 1];

    ngx_memset(text, 'x', sizeof(text));
    text[1] = '=';

    in.data = text;
    in.len = 2 + len;

    copy = tap_copy(in.data, in.len);
    pos = copy;

    rc = ngx_smtp_attr_next(&attr, &pos, copy + in.len);

    free(copy);

    return rc == expected && attr.value.len == len;
}


static ngx_uint_t
run_addr(addr_row_t *row)
{
    u_char                *copy, *p, hex[33];
    size_t                 i, len;
    ngx_int_t              rc;
    ngx_str_t              value;
    ngx_uint_t             ok;
    ngx_smtp_attr_addr_t   addr;

    static const char  digits[] = "0123456789abcdef";

    copy = tap_copy(row->in.data, row->in.len);
    value.data = copy;
    value.len = row->in.len;

    rc = ngx_smtp_attr_addr(&value, &addr);

    if (row->expected == NULL) {
        ok = (rc == NGX_ERROR);

    } else {
        len = (addr.family == AF_INET6) ? 16 : 4;
        p = hex;

        for (i = 0; i < len; i++) {
            *p++ = digits[addr.octets[i] >> 4];
            *p++ = digits[addr.octets[i] & 15];
        }

        ok = rc == NGX_OK && tap_same(hex, p - hex, row->expected,
                                      ngx_strlen(row->expected));
    }

    free(copy);

    return ok;
}


static ngx_uint_t
run_port(port_row_t *row)
{
    u_char      *copy;
    ngx_int_t    rc;
    ngx_str_t    value;

    copy = tap_copy(row->in.data, row->in.len);
    value.data = copy;
    value.len = row->in.len;

    rc = ngx_smtp_attr_port(&value);

    free(copy);

    return rc == row->expected;
}


/* values that are written */

static row_t  written[] = {

    { "a word is written as it is",
      tap_str("mx.example"), "mx.example" },

    { "xtext is written for what is not",
      tap_str("a b=c+d\r\n\xc3\xa4"), "a+20b+3Dc+2Bd+0D+0A+C3+A4" },

    { "nothing is not available",
      tap_str(""), "[UNAVAILABLE]" }
};


static row_t  written_addrs[] = {

    { "an address",
      tap_str("192.0.2.1"), "192.0.2.1" },

    { "one of IPv6",
      tap_str("2001:DB8:0:0::1"), "IPV6:2001:db8::1" },

    { "IPv4 in IPv6",
      tap_str("::ffff:192.0.2.1"), "192.0.2.1" },

    { "none",
      tap_str("/run/x"), "[UNAVAILABLE]" }
};


static struct {
    const char  *name;
    ngx_uint_t   port;
    const char  *expected;
} written_ports[] = {
    { "a port is written", 25, "25" },
    { "the highest one", 65535, "65535" },
    { "no port", 0, "[UNAVAILABLE]" }
};


static ngx_uint_t
run_write(const char *expected, u_char *start, u_char *last)
{
    return tap_same(start, last - start, expected, ngx_strlen(expected));
}


static ngx_uint_t
run_addr_write(row_t *row)
{
    u_char                   *last, buf[NGX_SMTP_ATTR_MAX];
    struct sockaddr_in       *sin;
    struct sockaddr_in6      *sin6;
    struct sockaddr_storage   storage;

    sin = (struct sockaddr_in *) &storage;
    sin6 = (struct sockaddr_in6 *) &storage;

    if (inet_pton(AF_INET, (char *) row->in.data, &sin->sin_addr) == 1) {
        storage.ss_family = AF_INET;

    } else if (inet_pton(AF_INET6, (char *) row->in.data, &sin6->sin6_addr)
               == 1)
    {
        storage.ss_family = AF_INET6;

    } else {
        storage.ss_family = AF_UNIX;
    }

    last = ngx_smtp_attr_addr_write(buf, (struct sockaddr *) &storage);

    return run_write(row->expected, buf, last);
}


static void
run_writers(void)
{
    u_char      *last, buf[NGX_SMTP_ATTR_MAX];
    u_char       octets[NGX_SMTP_ATTR_MAX + 1];
    ngx_str_t    value;
    ngx_uint_t   i;

    for (i = 0; i < tap_nelts(written); i++) {
        last = ngx_smtp_attr_write(buf, &written[i].in);
        tap_ok(run_write(written[i].expected, buf, last), written[i].name);
    }

    for (i = 0; i < tap_nelts(written_addrs); i++) {
        tap_ok(run_addr_write(&written_addrs[i]), written_addrs[i].name);
    }

    last = ngx_smtp_attr_addr_write(buf, NULL);
    tap_ok(run_write("[UNAVAILABLE]", buf, last), "no address at all");

    for (i = 0; i < tap_nelts(written_ports); i++) {
        last = ngx_smtp_attr_port_write(buf, written_ports[i].port);
        tap_ok(run_write(written_ports[i].expected, buf, last),
               written_ports[i].name);
    }

    value.data = octets;

    memset(octets, 'x', sizeof(octets));
    value.len = NGX_SMTP_ATTR_MAX;
    tap_ok(ngx_smtp_attr_write(buf, &value) == buf + NGX_SMTP_ATTR_MAX,
           "the longest value is written");

    value.len = NGX_SMTP_ATTR_MAX + 1;
    last = ngx_smtp_attr_write(buf, &value);
    tap_ok(run_write("[UNAVAILABLE]", buf, last), "a longer one is not");

    memset(octets, '+', sizeof(octets));
    value.len = NGX_SMTP_ATTR_MAX / 3;
    tap_ok(ngx_smtp_attr_write(buf, &value) == buf + NGX_SMTP_ATTR_MAX,
           "the longest value that grows is written");

    value.len = NGX_SMTP_ATTR_MAX / 3 + 1;
    last = ngx_smtp_attr_write(buf, &value);
    tap_ok(run_write("[UNAVAILABLE]", buf, last), "one that grows more is not");
}


int
main(void)
{
    ngx_str_t   word = tap_str("[Unavailable]");
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    tap_ok(run_long(NGX_SMTP_ATTR_MAX, NGX_OK), "the longest value");
    tap_ok(run_long(NGX_SMTP_ATTR_MAX + 1, NGX_ERROR), "one longer than that");

    tap_ok(ngx_smtp_attr_is(&word, "[UNAVAILABLE]"), "a word in any case");
    tap_ok(!ngx_smtp_attr_is(&word, "[UNAVAILABLE"), "a shorter word");
    tap_ok(!ngx_smtp_attr_is(&word, "[UNAVAILABLE]x"), "a longer word");

    for (i = 0; i < tap_nelts(addrs); i++) {
        tap_ok(run_addr(&addrs[i]), addrs[i].name);
    }

    for (i = 0; i < tap_nelts(ports); i++) {
        tap_ok(run_port(&ports[i]), ports[i].name);
    }

    run_writers();

    return tap_done();
}
