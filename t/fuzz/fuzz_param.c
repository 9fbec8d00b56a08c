
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_param.h>


/*
 * Parameters: names and values have the letters that they may have, and the
 * list, written out again, parses to itself.
 */


static ngx_int_t run(fuzz_out_t *out, const u_char *data, size_t size);
static void check_param(ngx_smtp_param_t *param, u_char *start, u_char *end);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_out_t  list, again;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    memset(&list, 0, sizeof(fuzz_out_t));
    memset(&again, 0, sizeof(fuzz_out_t));

    (void) run(&list, data, size);

    /* what was before a fault is a list as well */

    fuzz_check(run(&again, list.data, list.len) == NGX_DONE);
    fuzz_check(fuzz_out_same(&again, list.data, list.len));

    fuzz_out_free(&list);
    fuzz_out_free(&again);

    return 0;
}


static ngx_int_t
run(fuzz_out_t *out, const u_char *data, size_t size)
{
    u_char            *p, *before, *start;
    ngx_int_t          rc;
    ngx_smtp_param_t   param;

    start = fuzz_copy(data, size);
    p = start;

    for ( ;; ) {
        before = p;

        rc = ngx_smtp_param_next(&param, &p, start + size);

        fuzz_check(p >= before && p <= start + size);

        if (rc != NGX_OK) {
            break;
        }

        fuzz_check(p > before);
        check_param(&param, before, p);

        fuzz_out_add(out, " ", 1);
        fuzz_out_add(out, param.name.data, param.name.len);

        if (param.value.data) {
            fuzz_out_add(out, "=", 1);
            fuzz_out_add(out, param.value.data, param.value.len);
        }
    }

    fuzz_check(rc == NGX_ERROR || (rc == NGX_DONE && p == start + size));

    free(start);

    return rc;
}


static void
check_param(ngx_smtp_param_t *param, u_char *start, u_char *end)
{
    u_char  *p;
    size_t   i;

    fuzz_check(param->name.len > 0);
    fuzz_check(param->name.data > start);

    for (i = 0; i < param->name.len; i++) {
        p = &param->name.data[i];

        fuzz_check((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
                   || (*p >= 'A' && *p <= 'Z') || (i && *p == '-'));
    }

    if (param->value.data == NULL) {
        fuzz_check(param->value.len == 0);
        fuzz_check(param->name.data + param->name.len == end);
        return;
    }

    fuzz_check(param->value.len > 0);
    fuzz_check(param->value.data + param->value.len == end);

    for (i = 0; i < param->value.len; i++) {
        p = &param->value.data[i];

        fuzz_check(*p > ' ' && *p != 0x7f && *p != '=');
    }
}
