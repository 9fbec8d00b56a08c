
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_json.h>


/*
 * Octets as the inside of a JSON string: the same however they come, as many
 * as were counted, nothing in them that could end the string, valid UTF-8.
 */


static size_t run(u_char *dst, const u_char *data, size_t size,
    ngx_uint_t way);
static void check(const u_char *p, const u_char *last);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       len;
    u_char      *first, *again;
    ngx_uint_t   way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    first = malloc(ngx_smtp_json_max(size));
    again = malloc(ngx_smtp_json_max(size));

    if (first == NULL || again == NULL) {
        abort();
    }

    len = run(first, data, size, 0);

    fuzz_check(len <= ngx_smtp_json_max(size));
    check(first, first + len);

    for (way = 0; way < FUZZ_CUTS; way++) {
        fuzz_check(run(NULL, data, size, way) == len);
        fuzz_check(run(again, data, size, way) == len);
        fuzz_check(memcmp(first, again, len) == 0);
    }

    fuzz_check(ngx_smtp_json_depth((u_char *) data, (u_char *) data + size)
               <= size);

    free(first);
    free(again);

    return 0;
}


static size_t
run(u_char *dst, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t           n, len, done;
    u_char          *p;
    fuzz_cut_t       cut;
    ngx_smtp_json_t  js;

    memset(&js, 0, sizeof(ngx_smtp_json_t));

    fuzz_cut_init(&cut, way, data, size);

    len = 0;

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        len += ngx_smtp_json_escape(&js, dst ? dst + len : NULL, p, p + n);

        free(p);
    }

    return len + ngx_smtp_json_end(&js, dst ? dst + len : NULL);
}


static void
check(const u_char *p, const u_char *last)
{
    const u_char  *start;

    start = p;

    while (p < last) {

        fuzz_check(*p >= ' ' && *p != '"');

        if (*p != '\\') {
            p++;
            continue;
        }

        /* RFC 8259, 7 */

        fuzz_check(last - p >= 2);
        fuzz_check(strchr("\"\\nrtu", p[1]) != NULL && p[1]);

        if (p[1] == 'u') {
            fuzz_check(last - p >= 6 && memcmp(p + 2, "00", 2) == 0);
            p += 4;
        }

        p += 2;
    }

    fuzz_check(fuzz_is_text(start, last, 1));
}
