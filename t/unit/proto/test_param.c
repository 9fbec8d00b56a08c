
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_param.h>
#include <tap.h>


/*
 * Parameters of MAIL and RCPT.  What comes out is written down as a string:
 * "name;" or "name=value;" for each, and "!" for an error.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


static row_t  rows[] = {

    { "nothing behind the path is no parameter",
      tap_str(""), "" },

    { "spaces behind the path are no parameter",
      tap_str("   "), "" },

    { "a keyword alone has no value",
      tap_str(" SMTPUTF8"), "SMTPUTF8;" },

    { "a keyword has a value",
      tap_str(" SIZE=1000"), "SIZE=1000;" },

    { "many parameters come one by one, as they were written",
      tap_str(" SIZE=1000 body=8BITMIME RequireTLS"),
      "SIZE=1000;body=8BITMIME;RequireTLS;" },

    { "more spaces than one, and some at the end, are skipped",
      tap_str("  SIZE=1   BODY=7BIT  "), "SIZE=1;BODY=7BIT;" },

    { "keywords have digits and hyphens",
      tap_str(" 8-BIT=1 A- 9"), "8-BIT=1;A-;9;" },

    { "values have all that is printable but = and space",
      tap_str(" A=!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~"),
      "A=!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~;" },

    { "the null sender of AUTH is a value",
      tap_str(" AUTH=<>"), "AUTH=<>;" },

    { "a parameter must be set off by a space",
      tap_str("SIZE=1"), "!" },

    { "a tab is no space",
      tap_str("\tSIZE=1"), "!" },

    { "a tab behind a value is an error",
      tap_str(" SIZE=1\tBODY=7BIT"), "!" },

    { "a value may not be empty",
      tap_str(" SIZE="), "!" },

    { "a value may not be empty in front of another",
      tap_str(" SIZE= BODY=7BIT"), "!" },

    { "a value has no second =",
      tap_str(" A=b=c"), "!" },

    { "a keyword may not begin with a hyphen",
      tap_str(" -A"), "!" },

    { "a keyword may not be empty",
      tap_str(" =a"), "!" },

    { "a keyword has no underscore",
      tap_str(" A_B=c"), "!" },

    { "a control is an error",
      tap_str(" A=b\x01"), "!" },

    { "nul is an error",
      tap_str(" A=b\0"), "!" },

    { "delete is an error",
      tap_str(" A=b\x7f"), "!" },

    { "eight-bit octets that are no utf-8 are an error",
      tap_str(" A=b\x80"), "!" },

    { "values may be utf-8",
      tap_str(" ORCPT=utf-8;\xc3\xa4\xf0\x9f\x93\xa7@b X"),
      "ORCPT=utf-8;\xc3\xa4\xf0\x9f\x93\xa7@b;X;" },

    { "a character that is cut off is an error",
      tap_str(" A=b\xe5\xad"), "!" },

    { "an overlong space is an error",
      tap_str(" A=b\xc0\xa0"), "!" },

    { "an eight-bit keyword is an error",
      tap_str(" \xc3\x84"), "!" },

    { "a bare cr is an error",
      tap_str(" A=b\r"), "!" },

    { "those in front of an error come out",
      tap_str(" A=b C =d"), "A=b;C;!" },

    { "what stands against the path is an error",
      tap_str(">"), "!" }
};


static ngx_uint_t
run(row_t *row)
{
    u_char            *copy, *pos, *last, *p;
    u_char             out[256];
    ngx_int_t          rc;
    ngx_uint_t         ok;
    ngx_smtp_param_t   param;

    copy = tap_copy(row->in.data, row->in.len);
    pos = copy;
    last = copy + row->in.len;
    p = out;
    ok = 1;

    for ( ;; ) {
        rc = ngx_smtp_param_next(&param, &pos, last);

        if (rc != NGX_OK) {
            break;
        }

        p = ngx_cpymem(p, param.name.data, param.name.len);

        if (param.value.data) {
            *p++ = '=';
            p = ngx_cpymem(p, param.value.data, param.value.len);

        } else if (param.value.len) {
            ok = 0;
        }

        *p++ = ';';
    }

    if (rc == NGX_ERROR) {
        *p++ = '!';

    } else if (rc != NGX_DONE || pos != last
               || ngx_smtp_param_next(&param, &pos, last) != NGX_DONE)
    {
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


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    return tap_done();
}
