
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_pathname.h>


/*
 * Whatever a local part is: what is taken of it is one name, in the folder
 * where it is put.
 */


static void check_value(ngx_str_t *value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char     *in, *out;
    ngx_str_t   local, value, user;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    in = fuzz_copy(data, size);
    out = fuzz_copy(data, size);

    local.data = in;
    local.len = size;

    value.data = out;
    value.len = ngx_smtp_pathname_local(out, &local) - out;

    fuzz_check(value.len <= size);

    user = ngx_smtp_pathname_user(&value);

    fuzz_check(user.data == value.data && user.len <= value.len);
    fuzz_check((user.len == 0) == (value.len == 0));

    check_value(&value);
    check_value(&user);

    free(in);
    free(out);

    return 0;
}


static void
check_value(ngx_str_t *value)
{
    size_t      i;
    u_char     *p;
    ngx_str_t   path;

    if (ngx_smtp_pathname_value(value) != NGX_OK) {
        return;
    }

    fuzz_check(value->len != 0 && value->data[0] != '.');

    for (i = 0; i < value->len; i++) {
        fuzz_check(value->data[i] != '/' && value->data[i] != '\0'
                   && value->data[i] != '\n');
    }

    /* in a path, it is refused for its length alone */

    p = malloc(value->len + 4);
    if (p == NULL) {
        abort();
    }

    memcpy(p, "/m/", 3);
    memcpy(p + 3, value->data, value->len);

    path.data = p;
    path.len = value->len + 3;

    fuzz_check((ngx_smtp_pathname_path(&path) == NGX_OK)
               == (value->len <= NGX_SMTP_PATHNAME_MAX));

    free(p);
}
