
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_oauth.h>
#include <tap.h>


/*
 * Responses of OAUTHBEARER and XOAUTH2: user "|" token, NULL for an error.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


static row_t  bearers[] = {

    { "of RFC 7628, 4.1",
      tap_str("n,a=user@example.com,\1host=server.example.com\1port=143\1"
              "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
      "user@example.com|vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" },

    { "nobody is named", tap_str("n,,\1auth=Bearer abc\1\1"), "|abc" },
    { "y as well", tap_str("y,,\1auth=Bearer abc\1\1"), "|abc" },
    { "in any case of letters", tap_str("n,,\1auth=bEARER abc\1\1"), "|abc" },
    { "more spaces than one", tap_str("n,,\1auth=Bearer   abc\1\1"), "|abc" },
    { "keys that nobody knows",
      tap_str("n,,\1x=\1auth=Bearer abc\1Y=a b\t\r\n\1\1"), "|abc" },
    { "of RFC 7628, 4.3: what is wanted?",
      tap_str("n,a=user@example.com,\1host=a\1port=143\1auth=\1\1"),
      "user@example.com|" },
    { "another kind", tap_str("n,,\1auth=MAC abc\1\1"), "|" },
    { "no token", tap_str("n,,\1auth=Bearer \1\1"), "|" },
    { "a kind that begins alike", tap_str("n,,\1auth=Bearers abc\1\1"), "|" },

    { "nothing", tap_str(""), NULL },
    { "the end of a refusal", tap_str("\1"), NULL },
    { "no auth", tap_str("n,,\1host=a\1\1"), NULL },
    { "no pair", tap_str("n,,\1\1"), NULL },
    { "two of them",
      tap_str("n,,\1auth=Bearer a\1auth=Bearer b\1\1"), NULL },
    { "no end", tap_str("n,,\1auth=Bearer abc\1"), NULL },
    { "no separator", tap_str("n,,\1auth=Bearer abc"), NULL },
    { "something behind the end",
      tap_str("n,,\1auth=Bearer abc\1\1x"), NULL },
    { "no separator behind the header",
      tap_str("n,,auth=Bearer abc\1\1"), NULL },
    { "a header of the wrong kind",
      tap_str("n,user=a,\1auth=Bearer abc\1\1"), NULL },
    { "a binding", tap_str("p=tls-unique,,\1auth=Bearer abc\1\1"), NULL },
    { "a key without a value", tap_str("n,,\1auth\1\1"), NULL },
    { "a key with a digit", tap_str("n,,\1a1=x\1auth=Bearer a\1\1"), NULL },
    { "a NUL in a value", tap_str("n,,\1x=\0\1auth=Bearer a\1\1"), NULL },
    { "a space in the token", tap_str("n,,\1auth=Bearer a b\1\1"), NULL },
    { "a line end in the token",
      tap_str("n,,\1auth=Bearer a\r\nX: y\1\1"), NULL },
    { "an octet in the token", tap_str("n,,\1auth=Bearer \x80\1\1"), NULL },
    { "a percent sign in the token", tap_str("n,,\1auth=Bearer %\1\1"), NULL },
    { "padding inside", tap_str("n,,\1auth=Bearer a=b\1\1"), NULL },
    { "padding alone", tap_str("n,,\1auth=Bearer =\1\1"), NULL }
};


static row_t  xoauths[] = {

    { "as Google has it",
      tap_str("user=someuser@example.com\1"
              "auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"),
      "someuser@example.com|ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg" },

    { "a user in UTF-8", tap_str("user=\xc3\xa4\1auth=Bearer a\1\1"),
      "\xc3\xa4|a" },
    { "an empty token", tap_str("user=a\1auth=Bearer \1\1"), "a|" },

    { "nothing there", tap_str(""), NULL },
    { "no user", tap_str("user=\1auth=Bearer a\1\1"), NULL },
    { "a user alone", tap_str("user=a"), NULL },
    { "a user and an end", tap_str("user=a\1\1"), NULL },
    { "no user at all", tap_str("auth=Bearer a\1\1"), NULL },
    { "one end", tap_str("user=a\1auth=Bearer a\1"), NULL },
    { "three ends", tap_str("user=a\1auth=Bearer a\1\1\1"), NULL },
    { "another key", tap_str("user=a\1host=b\1\1"), NULL },
    { "another key in front",
      tap_str("user=a\1host=b\1auth=Bearer a\1\1"), NULL },
    { "a NUL in the user", tap_str("user=a\0\1auth=Bearer a\1\1"), NULL },
    { "half a character", tap_str("user=\xc3\1auth=Bearer a\1\1"), NULL },
    { "the other mechanism", tap_str("n,,\1auth=Bearer a\1\1"), NULL }
};


static ngx_uint_t
run(row_t *row, ngx_uint_t bearer)
{
    u_char            *p;
    u_char             out[256];
    ngx_int_t          rc;
    ngx_str_t          in;
    ngx_uint_t         ok;
    ngx_smtp_oauth_t   oauth;

    in.len = row->in.len;
    in.data = tap_copy(row->in.data, row->in.len);
    p = out;

    rc = bearer ? ngx_smtp_oauth_bearer_parse(&oauth, &in)
                : ngx_smtp_oauth_xoauth2_parse(&oauth, &in);

    if (rc == NGX_OK) {
        if (oauth.user.len) {
            p = ngx_cpymem(p, oauth.user.data, oauth.user.len);
        }

        *p++ = '|';

        if (oauth.token.len) {
            p = ngx_cpymem(p, oauth.token.data, oauth.token.len);
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


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(bearers); i++) {
        tap_ok(run(&bearers[i], 1), bearers[i].name);
    }

    for (i = 0; i < tap_nelts(xoauths); i++) {
        tap_ok(run(&xoauths[i], 0), xoauths[i].name);
    }

    return tap_done();
}
