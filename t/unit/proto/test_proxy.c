
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_proxy.h>
#include <tap.h>


/*
 * Headers of the PROXY protocol: the line of version 1; version 2 in hex, with
 * a space in front of each part.
 */


#define SIGNATURE  "0d0a0d0a000d0a515549540a"


typedef struct {
    const char        *name;
    const char        *source;       /* NULL: not known */
    const char        *destination;
    ngx_uint_t         source_port;
    ngx_uint_t         destination_port;
    ngx_smtp_proxy_t   proxy;
    const char        *v1;
    const char        *v2;
} row_t;


static row_t  rows[] = {

    { "IPv4",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "000c" "c0000201" "c6336419" "1092" "0019" },

    { "IPv6",
      "2001:db8::1", "2001:db8:0:0:1:0:0:25", 65535, 1,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY TCP6 2001:db8::1 2001:db8::1:0:0:25 65535 1\r\n",
      SIGNATURE "2121" "0024" "20010db8000000000000000000000001"
      "20010db8000000000001000000000025" "ffff" "0001" },

    { "the longest",
      "1111:2222:3333:4444:5555:6666:7777:8888",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 65535,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY TCP6 1111:2222:3333:4444:5555:6666:7777:8888 "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
      SIGNATURE "2121" "0024" "11112222333344445555666677778888"
      "ffffffffffffffffffffffffffffffff" "ffff" "ffff" },

    { "port 0",
      "192.0.2.1", "198.51.100.25", 0, 25,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 0 25\r\n",
      SIGNATURE "2111" "000c" "c0000201" "c6336419" "0000" "0019" },

    { "two families",
      "192.0.2.1", "2001:db8::1", 1, 1,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY UNKNOWN\r\n", SIGNATURE "2100" "0000" },

    { "nobody knows who it is",
      NULL, "192.0.2.1", 0, 25,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY UNKNOWN\r\n", SIGNATURE "2100" "0000" },

    { "or where",
      "192.0.2.1", NULL, 4242, 0,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY UNKNOWN\r\n", SIGNATURE "2100" "0000" },

    { "a unix socket",
      "/run/x.sock", "/run/x.sock", 0, 0,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 0, 0, 0 },
      "PROXY UNKNOWN\r\n", SIGNATURE "2100" "0000" },

    { "a name and a user",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str("mx.example"), tap_str(""), tap_str(""),
        tap_str(""), tap_str("alice"), 0, 0, 0 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "0021" "c0000201" "c6336419" "1092" "0019"
      "02000a" "6d782e6578616d706c65" "e00005" "616c696365" },

    { "TLS",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str(""), tap_str("TLSv1.3"), tap_str("AES"),
        tap_str(""), tap_str(""), 1, 0, 0 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "0024" "c0000201" "c6336419" "1092" "0019"
      "200015" "01" "00000001" "210007" "544c5376312e33" "230003" "414553" },

    { "TLS with a certificate",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str(""), tap_str("TLSv1.3"), tap_str("AES"),
        tap_str("bob"), tap_str(""), 1, 1, 1 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "002a" "c0000201" "c6336419" "1092" "0019"
      "20001b" "07" "00000000" "210007" "544c5376312e33" "220003" "626f62"
      "230003" "414553" },

    { "one that is not verified",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 1, 1, 0 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "0014" "c0000201" "c6336419" "1092" "0019"
      "200005" "07" "00000001" },

    { "verified, and none",
      "192.0.2.1", "198.51.100.25", 4242, 25,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str(""), 1, 0, 1 },
      "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n",
      SIGNATURE "2111" "0014" "c0000201" "c6336419" "1092" "0019"
      "200005" "01" "00000001" },

    { "values without addresses",
      NULL, NULL, 0, 0,
      { NULL, NULL, tap_str(""), tap_str(""), tap_str(""), tap_str(""),
        tap_str("alice"), 0, 0, 0 },
      "PROXY UNKNOWN\r\n", SIGNATURE "2100" "0008" "e00005" "616c696365" }
};


static struct sockaddr *
sockaddr(const char *text, ngx_uint_t port, struct sockaddr_storage *storage)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    if (text == NULL) {
        return NULL;
    }

    memset(storage, 0xa5, sizeof(struct sockaddr_storage));

    sin = (struct sockaddr_in *) storage;
    sin6 = (struct sockaddr_in6 *) storage;

    if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);

    } else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);

    } else {
        storage->ss_family = AF_UNIX;
    }

    return (struct sockaddr *) storage;
}


static void
hex(char *dst, const u_char *p, const u_char *last)
{
    static const char  digits[] = "0123456789abcdef";

    while (p < last) {
        *dst++ = digits[*p >> 4];
        *dst++ = digits[*p++ & 0xf];
    }

    *dst = '\0';
}


/* what is too long is left out; what is just not fills all there may be */

static void
test_long(void)
{
    u_char                   *last, buf[NGX_SMTP_PROXY_MAX];
    ngx_str_t                 text;
    ngx_uint_t                i;
    ngx_smtp_proxy_t          proxy;
    struct sockaddr_storage   source, destination;
    u_char                    octets[NGX_SMTP_PROXY_TEXT_MAX + 1];

    memset(octets, 'x', sizeof(octets));
    memset(&proxy, 0, sizeof(ngx_smtp_proxy_t));

    proxy.source = sockaddr("2001:db8::1", 1, &source);
    proxy.destination = sockaddr("2001:db8::2", 2, &destination);
    proxy.ssl = 1;
    proxy.cert = 1;

    text.data = octets;

    for (i = 0; i < 2; i++) {
        text.len = NGX_SMTP_PROXY_TEXT_MAX + i;

        proxy.authority = text;
        proxy.ssl_version = text;
        proxy.ssl_cipher = text;
        proxy.ssl_cn = text;
        proxy.user = text;

        last = ngx_smtp_proxy_v2_write(buf, &proxy);

        if (i == 0) {
            tap_ok(last - buf == NGX_SMTP_PROXY_MAX, "the longest texts");
            tap_ok((buf[14] << 8 | buf[15]) == NGX_SMTP_PROXY_MAX - 16,
                   "and their length");

        } else {
            tap_ok(last - buf == 16 + 36 + 3 + 5,
                   "texts that are too long are left out");
        }
    }
}


int
main(void)
{
    char                      text[2 * NGX_SMTP_PROXY_MAX + 1];
    u_char                   *last, buf[NGX_SMTP_PROXY_MAX];
    ngx_uint_t                i;
    ngx_smtp_proxy_t          proxy;
    struct sockaddr_storage   source, destination;

    for (i = 0; i < tap_nelts(rows); i++) {
        proxy = rows[i].proxy;

        proxy.source = sockaddr(rows[i].source, rows[i].source_port, &source);
        proxy.destination = sockaddr(rows[i].destination,
                                     rows[i].destination_port, &destination);

        last = ngx_smtp_proxy_v1_write(buf, &proxy);

        if (!tap_ok((size_t) (last - buf) == strlen(rows[i].v1)
                    && memcmp(buf, rows[i].v1, last - buf) == 0,
                    rows[i].name))
        {
            tap_diag("v1", buf, last - buf);
        }

        last = ngx_smtp_proxy_v2_write(buf, &proxy);
        hex(text, buf, last);

        if (!tap_ok(strcmp(text, rows[i].v2) == 0, rows[i].name)) {
            tap_diag("v2", text, strlen(text));
        }
    }

    test_long();

    return tap_done();
}
