
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_sevenbit.h>
#include <ngx_smtp_sevenbit_private.h>


/*
 * Conversion to 7-bit: the same however the message comes in; nothing 8-bit is
 * left, and the parts are as many, of the same kinds, as before.
 */


typedef struct {
    ngx_int_t     rc;
    ngx_uint_t    parts;
    fuzz_out_t    out;
} result_t;


static void run(result_t *result, const u_char *data, size_t size,
    ngx_uint_t way);
static void feed(ngx_smtp_sevenbit_t *sb, const u_char *data, size_t size,
    ngx_uint_t way);
static ngx_int_t take(void *data, u_char *p, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t      i;
    result_t    whole, other;
    ngx_uint_t  way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    run(&whole, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        run(&other, data, size, way);

        fuzz_check(other.rc == whole.rc);
        fuzz_check(other.parts == whole.parts);
        fuzz_check(fuzz_out_same(&other.out, whole.out.data, whole.out.len));

        fuzz_out_free(&other.out);
    }

    if (whole.rc == NGX_OK) {

        for (i = 0; i < whole.out.len; i++) {
            fuzz_check(whole.out.data[i] < 0x80);
        }

        /* what was made is understood, and needs no more */

        run(&other, whole.out.data, whole.out.len, 0);

        fuzz_check(other.rc == NGX_DONE);
        fuzz_check(other.parts == whole.parts);

        fuzz_out_free(&other.out);
    }

    fuzz_out_free(&whole.out);

    return 0;
}


static void
run(result_t *result, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t                i;
    ngx_uint_t            eight;
    ngx_smtp_sevenbit_t  *sb;

    memset(result, 0, sizeof(result_t));

    sb = calloc(1, sizeof(ngx_smtp_sevenbit_t));

    if (sb == NULL) {
        abort();
    }

    feed(sb, data, size, way);

    result->rc = ngx_smtp_sevenbit_looked(sb);
    result->parts = sb->parts;

    for (eight = 0, i = 0; i < size; i++) {
        eight |= data[i] >> 7;
    }

    fuzz_check((result->rc == NGX_DONE) == !eight);

    if (result->rc == NGX_OK) {
        ngx_smtp_sevenbit_rewind(sb, take, &result->out);
        feed(sb, data, size, way);

        fuzz_check(ngx_smtp_sevenbit_end(sb) == NGX_OK);
        fuzz_check(sb->parts == result->parts);
    }

    free(sb);
}


static void
feed(ngx_smtp_sevenbit_t *sb, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t       n;
    u_char      *copy;
    fuzz_cut_t   cut;

    fuzz_cut_init(&cut, way, data, size);

    while (size) {
        n = fuzz_cut(&cut, size);

        copy = fuzz_copy(data, n);
        ngx_smtp_sevenbit_feed(sb, copy, copy + n);
        free(copy);

        data += n;
        size -= n;
    }
}


static ngx_int_t
take(void *data, u_char *p, size_t len)
{
    fuzz_out_add(data, p, len);

    return NGX_OK;
}
