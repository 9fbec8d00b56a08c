
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_scram.h>
#include <tap.h>


/*
 * The client's messages of SCRAM.  What comes out is written down as a string,
 * fields parted by "|"; NULL for an error.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


/* flag, user, nonce, bare */

static row_t  firsts[] = {

    { "of RFC 5802, 5",
      tap_str("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      "n|user|fyko+d2lbbFgONRv9qkxdawL|"
      "n=user,r=fyko+d2lbbFgONRv9qkxdawL" },

    { "of RFC 7677, 3",
      tap_str("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
      "n|user|rOprNGfwEbeRWgbNEkqO|n=user,r=rOprNGfwEbeRWgbNEkqO" },

    { "with all that there can be",
      tap_str("p=tls-unique,a=x,n=a=2Cb,r=!\"#,x=1,Y=2=3"),
      "p|a=2Cb|!\"#|n=a=2Cb,r=!\"#,x=1,Y=2=3" },

    { "nothing", tap_str(""), NULL },
    { "a header alone", tap_str("n,,"), NULL },
    { "no header", tap_str("n=user,r=abc"), NULL },
    { "an extension that must be understood",
      tap_str("n,,m=x,n=user,r=abc"), NULL },
    { "such a one behind", tap_str("n,,n=user,r=abc,m=x"), NULL },
    { "no user", tap_str("n,,r=abc"), NULL },
    { "an empty user", tap_str("n,,n=,r=abc"), NULL },
    { "a NUL in the user", tap_str("n,,n=a\0b,r=abc"), NULL },
    { "no nonce", tap_str("n,,n=user"), NULL },
    { "no nonce but a comma", tap_str("n,,n=user,"), NULL },
    { "an empty nonce", tap_str("n,,n=user,r="), NULL },
    { "a space in the nonce", tap_str("n,,n=user,r=a b"), NULL },
    { "an octet in the nonce", tap_str("n,,n=user,r=a\x7f"), NULL },
    { "the other order", tap_str("n,,r=abc,n=user"), NULL },
    { "a comma at the end", tap_str("n,,n=user,r=abc,"), NULL },
    { "an extension without a value", tap_str("n,,n=user,r=abc,x="), NULL },
    { "an extension without a name", tap_str("n,,n=user,r=abc,=x"), NULL },
    { "an extension of two letters", tap_str("n,,n=user,r=abc,xy=1"), NULL }
};


/* binding, nonce, proof, unproved */

static row_t  finals[] = {

    { "the last one of RFC 5802, 5",
      tap_str("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
              "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="),
      "biws|fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j|"
      "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=|"
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j" },

    { "extensions before the proof",
      tap_str("c=biws,r=a,x=1,Z=p=2,p=b"), "biws|a|b|c=biws,r=a,x=1,Z=p=2" },

    { "nothing at all", tap_str(""), NULL },
    { "no binding", tap_str("r=a,p=b"), NULL },
    { "an empty binding", tap_str("c=,r=a,p=b"), NULL },
    { "no nonce there", tap_str("c=biws,p=b"), NULL },
    { "no proof", tap_str("c=biws,r=a"), NULL },
    { "an empty proof", tap_str("c=biws,r=a,p="), NULL },
    { "something behind the proof", tap_str("c=biws,r=a,p=b,x=1"), NULL },
    { "a comma behind the proof", tap_str("c=biws,r=a,p=b,"), NULL },
    { "a must-extension", tap_str("c=biws,r=a,m=1,p=b"), NULL },
    { "two commas", tap_str("c=biws,r=a,,p=b"), NULL },
    { "a NUL in the proof", tap_str("c=biws,r=a,p=b\0"), NULL },
    { "half a character in an extension",
      tap_str("c=biws,r=a,x=\xc3,p=b"), NULL }
};


static u_char *
add(u_char *p, ngx_str_t *value, u_char end)
{
    p = ngx_cpymem(p, value->data, value->len);

    if (end) {
        *p++ = end;
    }

    return p;
}


static ngx_uint_t
run(row_t *row, ngx_uint_t first)
{
    u_char                  *p;
    u_char                   out[1024];
    ngx_int_t                rc;
    ngx_str_t                in;
    ngx_uint_t               ok;
    ngx_smtp_scram_first_t   f;
    ngx_smtp_scram_final_t   l;

    in.len = row->in.len;
    in.data = tap_copy(row->in.data, row->in.len);
    p = out;

    if (first) {
        rc = ngx_smtp_scram_first_parse(&f, &in);

        if (rc == NGX_OK) {
            *p++ = f.gs2.flag;
            *p++ = '|';
            p = add(p, &f.user, '|');
            p = add(p, &f.nonce, '|');
            p = add(p, &f.bare, 0);
        }

    } else {
        rc = ngx_smtp_scram_final_parse(&l, &in);

        if (rc == NGX_OK) {
            p = add(p, &l.binding, '|');
            p = add(p, &l.nonce, '|');
            p = add(p, &l.proof, '|');
            p = add(p, &l.unproved, 0);
        }
    }

    ok = row->expected
         ? (rc == NGX_OK
            && tap_same(out, p - out, row->expected, strlen(row->expected)))
         : (rc == NGX_ERROR);

    if (!ok) {
        tap_diag("input", row->in.data, row->in.len);
        tap_diag("got", out, p - out);
    }

    free(in.data);

    return ok;
}


static ngx_int_t
long_nonce(size_t len)
{
    u_char                   text[NGX_SMTP_SCRAM_NONCE_MAX + 16];
    ngx_str_t                in;
    ngx_smtp_scram_first_t   first;

    memcpy(text, "n,,n=u,r=", 9);
    memset(text + 9, 'x', len);

    in.data = text;
    in.len = 9 + len;

    return ngx_smtp_scram_first_parse(&first, &in);
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(firsts); i++) {
        tap_ok(run(&firsts[i], 1), firsts[i].name);
    }

    for (i = 0; i < tap_nelts(finals); i++) {
        tap_ok(run(&finals[i], 0), finals[i].name);
    }

    tap_ok(long_nonce(NGX_SMTP_SCRAM_NONCE_MAX) == NGX_OK,
           "the longest nonce");
    tap_ok(long_nonce(NGX_SMTP_SCRAM_NONCE_MAX + 1) == NGX_ERROR,
           "one that is longer");

    return tap_done();
}
