
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_header.h>
#include <ngx_smtp_mime.h>


/*
 * Does a message need SMTPUTF8: the answer does not depend on how the message
 * came, nothing but 8-bit octets makes one, and what ngx_smtp_header.c takes
 * for the header section is looked at as a whole.
 */


static void run(ngx_smtp_mime_t *mime, const u_char *data, size_t size,
    ngx_uint_t way);
static ngx_uint_t is_8bit(const u_char *p, const u_char *last);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char             *p;
    ngx_uint_t          way;
    ngx_smtp_mime_t     first, mime;
    ngx_smtp_header_t   header;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    run(&first, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        run(&mime, data, size, way);

        fuzz_check(mime.header_8bit == first.header_8bit);
        fuzz_check(mime.part_8bit == first.part_8bit);
    }

    fuzz_check(is_8bit(data, data + size)
               || (!first.header_8bit && !first.part_8bit));

    memset(&header, 0, sizeof(ngx_smtp_header_t));

    p = fuzz_copy(data, size);
    ngx_smtp_header_feed(&header, p, p + size);
    free(p);

    fuzz_check(first.header_8bit || !is_8bit(data, data + header.size));

    return 0;
}


static void
run(ngx_smtp_mime_t *mime, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t       n, done;
    u_char      *p;
    fuzz_cut_t   cut;

    memset(mime, 0, sizeof(ngx_smtp_mime_t));

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        ngx_smtp_mime_feed(mime, p, p + n);

        free(p);
    }

    ngx_smtp_mime_end(mime);
}


static ngx_uint_t
is_8bit(const u_char *p, const u_char *last)
{
    for ( /* void */ ; p < last; p++) {
        if (*p >= 0x80) {
            return 1;
        }
    }

    return 0;
}
