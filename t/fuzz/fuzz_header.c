
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_header.h>


/*
 * The header section: it is the same however the content comes, ends where a
 * line ends, and has a Received field for each that it counted.
 */


static void run(ngx_smtp_header_t *header, const u_char *data, size_t size,
    ngx_uint_t way);
static ngx_uint_t lines(const u_char *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char             *p;
    ngx_uint_t          way;
    ngx_smtp_header_t   first, header;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    run(&first, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        run(&header, data, size, way);

        fuzz_check(header.done == first.done);
        fuzz_check(header.size == first.size);
        fuzz_check(header.received == first.received);
    }

    fuzz_check(first.size <= size);
    fuzz_check(first.done || first.size == size);
    fuzz_check(!first.done || first.size == 0 || data[first.size - 1] == LF);
    fuzz_check(first.received <= lines(data, first.size));

    /* the section alone has the same fields, and what follows has no say */

    if (first.done) {
        p = fuzz_copy(data, first.size);
        run(&header, p, first.size, 0);

        fuzz_check(header.received == first.received);
        fuzz_check(header.size == first.size);

        free(p);
    }

    return 0;
}


static void
run(ngx_smtp_header_t *header, const u_char *data, size_t size,
    ngx_uint_t way)
{
    size_t       n, done;
    u_char      *p;
    fuzz_cut_t   cut;

    memset(header, 0, sizeof(ngx_smtp_header_t));

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        ngx_smtp_header_feed(header, p, p + n);

        free(p);
    }
}


/* lines that begin with "Received" */

static ngx_uint_t
lines(const u_char *data, size_t size)
{
    size_t      i;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i + 8 < size; i++) {

        if ((i == 0 || data[i - 1] == LF)
            && strncasecmp((char *) data + i, "Received", 8) == 0)
        {
            n++;
        }
    }

    return n;
}
