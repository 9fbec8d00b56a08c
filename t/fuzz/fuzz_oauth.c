
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_oauth.h>


/*
 * Responses of OAUTHBEARER and XOAUTH2: a token is printable and can't end a
 * header, a response is one of at most one of the two, and its parts are in
 * it.
 */


static void check(ngx_smtp_oauth_t *oauth, ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t          rc;
    ngx_str_t          text;
    ngx_smtp_oauth_t   oauth;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    text.data = fuzz_copy(data, size);
    text.len = size;

    rc = ngx_smtp_oauth_bearer_parse(&oauth, &text);

    if (rc == NGX_OK) {
        check(&oauth, &text);
        fuzz_check(text.data[0] == 'n' || text.data[0] == 'y');
    }

    if (ngx_smtp_oauth_xoauth2_parse(&oauth, &text) == NGX_OK) {
        fuzz_check(rc != NGX_OK);
        fuzz_check(oauth.user.len > 0 && memcmp(text.data, "user=", 5) == 0);
        fuzz_check(oauth.user.data == text.data + 5);
        check(&oauth, &text);
    }

    fuzz_check(size == 0 || memcmp(text.data, data, size) == 0);

    free(text.data);

    return 0;
}


static void
check(ngx_smtp_oauth_t *oauth, ngx_str_t *text)
{
    size_t   i;
    u_char  *last;

    last = text->data + text->len;

    fuzz_check(text->len > 2 && last[-1] == 1 && last[-2] == 1);

    if (oauth->user.len) {
        fuzz_check(oauth->user.data > text->data
                   && oauth->user.data + oauth->user.len < last);
        fuzz_check(memchr(oauth->user.data, '\0', oauth->user.len) == NULL);
    }

    if (oauth->token.len == 0) {
        return;
    }

    fuzz_check(oauth->token.data > text->data
               && oauth->token.data + oauth->token.len <= last - 2);
    fuzz_check(oauth->token.data[-1] == ' '
               && oauth->token.data[oauth->token.len] == 1);

    for (i = 0; i < oauth->token.len; i++) {
        fuzz_check(oauth->token.data[i] > ' ' && oauth->token.data[i] <= '~');
    }
}
