
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_gs2.h>


/*
 * The header of GS2: its parts make the header again, and a name that is
 * decoded and encoded is what it was.
 */


static void check_name(u_char *p, u_char *last);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char          *start, *last, *p;
    fuzz_out_t       out;
    ngx_smtp_gs2_t   gs2;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    start = fuzz_copy(data, size);
    last = start + size;

    p = ngx_smtp_gs2_parse(&gs2, start, last);

    if (p) {
        fuzz_check(p > start && p <= last && p[-1] == ',');
        fuzz_check(gs2.header.data == start
                   && gs2.header.len == (size_t) (p - start));

        memset(&out, 0, sizeof(fuzz_out_t));

        fuzz_out_add(&out, &gs2.flag, 1);

        fuzz_check((gs2.flag == 'p') == (gs2.binding.len > 0));

        if (gs2.binding.len) {
            fuzz_out_add(&out, "=", 1);
            fuzz_out_add(&out, gs2.binding.data, gs2.binding.len);
        }

        fuzz_out_add(&out, ",", 1);

        fuzz_check((gs2.authzid.data != NULL) == (gs2.authzid.len > 0));

        if (gs2.authzid.len) {
            fuzz_out_add(&out, "a=", 2);
            fuzz_out_add(&out, gs2.authzid.data, gs2.authzid.len);
            check_name(gs2.authzid.data, gs2.authzid.data + gs2.authzid.len);
        }

        fuzz_out_add(&out, ",", 1);

        fuzz_check(fuzz_out_same(&out, start, p - start));
        fuzz_out_free(&out);
    }

    p = ngx_smtp_saslname_parse(start, last);

    if (p) {
        fuzz_check(p > start && (p == last || *p == ','));
        check_name(start, p);
    }

    free(start);

    return 0;
}


static void
check_name(u_char *p, u_char *last)
{
    u_char      *copy, *q, *end;
    size_t       size;
    fuzz_out_t   out;

    size = last - p;

    fuzz_check(memchr(p, '\0', size) == NULL);

    copy = fuzz_copy(p, size);
    end = ngx_smtp_saslname_decode(copy, copy, copy + size);

    fuzz_check(end > copy && end <= copy + size);

    memset(&out, 0, sizeof(fuzz_out_t));

    for (q = copy; q < end; q++) {
        if (*q == ',' || *q == '=') {
            fuzz_out_add(&out, *q == ',' ? "=2C" : "=3D", 3);

        } else {
            fuzz_out_add(&out, q, 1);
        }
    }

    fuzz_check(fuzz_out_same(&out, p, size));

    fuzz_out_free(&out);
    free(copy);
}
