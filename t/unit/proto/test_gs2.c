
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_gs2.h>
#include <tap.h>


/*
 * The header of GS2.  What comes out is written down as a string: the flag,
 * the binding, the authzid decoded, and what is left; NULL for an error.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


static row_t  rows[] = {

    { "no binding, nobody", tap_str("n,,rest"), "n|||rest" },
    { "it thinks that there is none", tap_str("y,,rest"), "y|||rest" },
    { "a binding", tap_str("p=tls-unique,,rest"), "p|tls-unique||rest" },
    { "nothing behind it", tap_str("n,,"), "n|||" },
    { "an authzid", tap_str("n,a=joe@a.example,x"), "n||joe@a.example|x" },
    { "an encoded one", tap_str("n,a=a=2Cb=3D=3Dc,x"), "n||a,b==c|x" },
    { "one in UTF-8", tap_str("n,a=\xc3\xa4,x"), "n||\xc3\xa4|x" },
    { "both", tap_str("p=x.Y-1,a=b,"), "p|x.Y-1|b|" },

    { "nothing", tap_str(""), NULL },
    { "a flag alone", tap_str("n"), NULL },
    { "one comma", tap_str("n,"), NULL },
    { "one comma and an authzid", tap_str("n,a=b"), NULL },
    { "no flag", tap_str(",,"), NULL },
    { "another flag", tap_str("x,,"), NULL },
    { "a flag in upper case", tap_str("N,,"), NULL },
    { "the flag of no standard mechanism", tap_str("F,n,,"), NULL },
    { "two flags", tap_str("ny,,"), NULL },
    { "a binding without a name", tap_str("p=,,"), NULL },
    { "a binding without its sign", tap_str("p,,"), NULL },
    { "a space in a binding", tap_str("p=a b,,"), NULL },
    { "n with a binding", tap_str("n=tls-unique,,"), NULL },
    { "an empty authzid", tap_str("n,a=,"), NULL },
    { "an authzid without its name", tap_str("n,joe,"), NULL },
    { "an escape in lower case", tap_str("n,a==2c,"), NULL },
    { "another escape", tap_str("n,a==41,"), NULL },
    { "half an escape", tap_str("n,a=b=2,"), NULL },
    { "a NUL", tap_str("n,a=b\0c,"), NULL },
    { "half a character", tap_str("n,a=\xc3,"), NULL },
    { "an overlong character", tap_str("n,a=\xc0\xaf,"), NULL }
};


static ngx_uint_t
run(row_t *row)
{
    u_char          *copy, *last, *end, *p;
    u_char           out[256];
    ngx_uint_t       ok;
    ngx_smtp_gs2_t   gs2;

    copy = tap_copy(row->in.data, row->in.len);
    last = copy + row->in.len;
    p = out;

    end = ngx_smtp_gs2_parse(&gs2, copy, last);

    if (end) {
        *p++ = gs2.flag;
        *p++ = '|';

        if (gs2.binding.len) {
            p = ngx_cpymem(p, gs2.binding.data, gs2.binding.len);
        }

        *p++ = '|';

        if (gs2.authzid.len) {
            p = ngx_smtp_saslname_decode(p, gs2.authzid.data,
                                         gs2.authzid.data
                                         + gs2.authzid.len);
        }

        *p++ = '|';
        p = ngx_cpymem(p, end, last - end);
    }

    ok = (end != NULL) == (row->expected != NULL);

    if (end && row->expected) {
        ok = tap_same(out, p - out, row->expected, strlen(row->expected))
             && gs2.header.data == copy && gs2.header.data + gs2.header.len
                                           == end;
    }

    if (!ok) {
        tap_diag("input", row->in.data, row->in.len);
        tap_diag("got", out, p - out);
    }

    free(copy);

    return ok;
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    return tap_done();
}
