
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_quota.h>


/*
 * Files "maildirsize": what is taken for one has sums that can be, and the
 * same with a line more has that much more.
 */


static void check_more(ngx_smtp_quota_file_t *file, const uint8_t *data,
    size_t size);
static void check_name(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                 *in;
    ngx_smtp_quota_file_t   file;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    in = fuzz_copy(data, size);

    if (ngx_smtp_quota_parse(&file, in, in + size) == NGX_OK) {

        fuzz_check(file.quota.size >= 0 && file.quota.messages >= 0);
        fuzz_check(file.used.size >= 0 && file.used.messages >= 0);
        fuzz_check(file.lines < size);

        check_more(&file, data, size);
    }

    free(in);

    check_name(data, size);

    return 0;
}


static void
check_more(ngx_smtp_quota_file_t *file, const uint8_t *data, size_t size)
{
    u_char                 *in;
    ngx_int_t               rc;
    ngx_smtp_quota_file_t   more;

    in = malloc(size + sizeof("7 1\n"));
    if (in == NULL) {
        abort();
    }

    memcpy(in, data, size);
    memcpy(in + size, "7 1\n", 4);

    rc = ngx_smtp_quota_parse(&more, in, in + size + 4);

    if (rc == NGX_OK) {
        fuzz_check(more.used.size == file->used.size + 7);
        fuzz_check(more.used.messages == file->used.messages + 1);
        fuzz_check(more.lines == file->lines + 1);

    } else {
        fuzz_check(file->used.size > NGX_SMTP_QUOTA_MAX - 7
                   || file->used.messages > NGX_SMTP_QUOTA_MAX - 1);
    }

    free(in);
}


static void
check_name(const uint8_t *data, size_t size)
{
    off_t        length;
    u_char      *in;
    ngx_uint_t   counts;

    in = fuzz_copy(data, size);

    length = ngx_smtp_quota_name(in, in + size, &counts);

    fuzz_check(length >= -1);
    fuzz_check(counts <= 1);

    free(in);
}
