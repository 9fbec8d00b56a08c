
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_fields.h>
#include <ngx_smtp_header.h>


/*
 * A header section taken apart is the same when it is put together again.
 * The first octets of the input are operations; whatever they do, and with
 * whatever names and values, the result is a section with just the fields of
 * the list, and what follows is not a part of it.
 */


#define OPS_MAX  4


static void check(ngx_smtp_fields_t *fields, ngx_str_t *body);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char             *p, *bufs[OPS_MAX];
    size_t              n, len;
    ngx_int_t           rc;
    ngx_str_t           text, body, name, value;
    ngx_uint_t          i, before;
    ngx_smtp_fields_t   fields;
    ngx_smtp_header_t   header;

    if (size > FUZZ_INPUT_MAX || size < 3 * OPS_MAX) {
        return 0;
    }

    p = fuzz_copy(data + 3 * OPS_MAX, size - 3 * OPS_MAX);
    len = size - 3 * OPS_MAX;

    memset(&header, 0, sizeof(ngx_smtp_header_t));
    ngx_smtp_header_feed(&header, p, p + len);

    text.data = p;
    text.len = header.size;
    body.data = p + header.size;
    body.len = len - header.size;

    fields.max = ngx_smtp_fields_count(&text) + OPS_MAX;
    fields.list = malloc(fields.max * sizeof(ngx_smtp_field_t));

    fuzz_check(ngx_smtp_fields_parse(&fields, &text) == NGX_OK);
    check(&fields, &body);

    for (i = 0; i < OPS_MAX; i++, data += 3) {

        /* names and values from anywhere */

        n = len ? data[1] % len : 0;
        name.data = p + n;
        name.len = ngx_min((size_t) data[2] % 16, len - n);
        value.data = p;
        value.len = ngx_min((size_t) data[2] * 16, len);

        bufs[i] = malloc(ngx_smtp_fields_room(&name, &value));

        before = fields.n;

        switch (data[0] % 3) {

        case 0:
            rc = ngx_smtp_fields_insert(&fields, data[0] / 3, &name, &value,
                                        bufs[i]);
            fuzz_check(fields.n == before + (rc == NGX_OK));
            break;

        case 1:
            rc = ngx_smtp_fields_change(&fields, data[0] / 3 % 4 + 1, &name,
                                        &value, bufs[i]);
            fuzz_check(fields.n == before
                       || (rc == NGX_OK && fields.n == before + 1));
            break;

        default:
            ngx_smtp_fields_delete(&fields, data[0] / 3 % 4 + 1, &name);
            fuzz_check(fields.n == before || fields.n == before - 1);
        }

        check(&fields, &body);
    }

    for (i = 0; i < OPS_MAX; i++) {
        free(bufs[i]);
    }

    free(fields.list);
    free(p);

    return 0;
}


static void
check(ngx_smtp_fields_t *fields, ngx_str_t *body)
{
    u_char             *p, *last, *copy;
    size_t              size;
    ngx_str_t           text;
    ngx_uint_t          i;
    ngx_smtp_fields_t   again;
    ngx_smtp_header_t   header;

    size = ngx_smtp_fields_size(fields);
    p = malloc(size + body->len + 1);

    last = ngx_smtp_fields_join(fields, body->len != 0, p);
    fuzz_check((size_t) (last - p) <= size);

    text.data = p;
    text.len = last - p;

    memcpy(last, body->data, body->len);

    copy = fuzz_copy(p, text.len + body->len);

    memset(&header, 0, sizeof(ngx_smtp_header_t));
    ngx_smtp_header_feed(&header, copy, copy + text.len + body->len);

    /* what looked like a field at the end of the message is behind it now */

    fuzz_check(header.size == text.len
               || (body->len == 0 && fields->rest.len
                   && header.size == text.len - fields->rest.len));
    fuzz_check(body->len == 0 || header.done);

    again.max = fields->n;
    again.list = malloc((again.max + 1) * sizeof(ngx_smtp_field_t));

    fuzz_check(ngx_smtp_fields_parse(&again, &text) == NGX_OK);
    fuzz_check(again.n == fields->n);

    for (i = 0; i < again.n; i++) {
        fuzz_check(again.list[i].name_len == fields->list[i].name_len);
        fuzz_check(memcmp(again.list[i].text.data, fields->list[i].text.data,
                          again.list[i].name_len)
                   == 0);
        fuzz_check(again.list[i].text.data[again.list[i].text.len - 1] == LF);
    }

    free(again.list);
    free(copy);
    free(p);
}
