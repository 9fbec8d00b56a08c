
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_scram.h>


/*
 * The client's messages of SCRAM: the parts lie where they should in the
 * message, and there is nothing else in it but extensions.
 */


static void check_first(ngx_smtp_scram_first_t *first, ngx_str_t *text);
static void check_final(ngx_smtp_scram_final_t *final, ngx_str_t *text);
static void check_extensions(u_char *p, u_char *last);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t                text;
    ngx_smtp_scram_first_t   first;
    ngx_smtp_scram_final_t   final;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    text.data = fuzz_copy(data, size);
    text.len = size;

    if (ngx_smtp_scram_first_parse(&first, &text) == NGX_OK) {
        check_first(&first, &text);
    }

    if (ngx_smtp_scram_final_parse(&final, &text) == NGX_OK) {
        check_final(&final, &text);
    }

    fuzz_check(size == 0 || memcmp(text.data, data, size) == 0);

    free(text.data);

    return 0;
}


static void
check_first(ngx_smtp_scram_first_t *first, ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;
    p = text->data + first->gs2.header.len;

    fuzz_check(first->bare.data == p && first->bare.data + first->bare.len
                                        == last);
    fuzz_check(memcmp(p, "n=", 2) == 0 && first->user.data == p + 2);
    fuzz_check(first->user.len > 0
               && memchr(first->user.data, ',', first->user.len) == NULL);

    p = first->user.data + first->user.len;

    fuzz_check(memcmp(p, ",r=", 3) == 0 && first->nonce.data == p + 3);
    fuzz_check(first->nonce.len > 0
               && first->nonce.len <= NGX_SMTP_SCRAM_NONCE_MAX);

    p = first->nonce.data + first->nonce.len;

    fuzz_check(fuzz_is_text(first->nonce.data, p, 0));
    fuzz_check(memchr(first->nonce.data, ',', first->nonce.len) == NULL);

    check_extensions(p, last);
}


static void
check_final(ngx_smtp_scram_final_t *final, ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    fuzz_check(memcmp(text->data, "c=", 2) == 0
               && final->binding.data == text->data + 2
               && final->binding.len > 0);

    p = final->binding.data + final->binding.len;

    fuzz_check(memcmp(p, ",r=", 3) == 0 && final->nonce.data == p + 3);
    fuzz_check(final->nonce.len > 0
               && final->nonce.len <= NGX_SMTP_SCRAM_NONCE_MAX);

    p = final->nonce.data + final->nonce.len;

    fuzz_check(final->unproved.data == text->data);
    fuzz_check(p <= text->data + final->unproved.len);

    check_extensions(p, text->data + final->unproved.len);

    p = text->data + final->unproved.len;

    fuzz_check(memcmp(p, ",p=", 3) == 0 && final->proof.data == p + 3);
    fuzz_check(final->proof.len > 0
               && final->proof.data + final->proof.len == last);
}


static void
check_extensions(u_char *p, u_char *last)
{
    while (p < last) {
        fuzz_check(last - p > 3 && p[0] == ',' && p[2] == '=');
        fuzz_check((p[1] | 0x20) >= 'a' && (p[1] | 0x20) <= 'z'
                   && p[1] != 'm');

        for (p += 3; p < last && *p != ','; p++) {
            fuzz_check(*p != '\0');
        }
    }
}
