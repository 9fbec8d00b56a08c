
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>


static uint32_t fuzz_hash(const u_char *p, size_t len);


void
fuzz_fail(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: fuzz_check(%s) failed\n", file, line, cond);

    abort();
}


u_char *
fuzz_copy(const void *data, size_t len)
{
    u_char  *p;

    p = malloc(len);

    if (p == NULL) {
        abort();
    }

    return len ? memcpy(p, data, len) : p;
}


void
fuzz_cut_init(fuzz_cut_t *cut, ngx_uint_t way, const void *data, size_t len)
{
    cut->way = way;
    cut->random = fuzz_hash(data, len) + way;
}


size_t
fuzz_cut(fuzz_cut_t *cut, size_t left)
{
    size_t  n;

    if (cut->way == 0) {
        return left;
    }

    if (cut->way == 1) {
        return 1;
    }

    /* short pieces mostly */

    n = 1 + fuzz_random(cut) % (1 << fuzz_random(cut) % 8);

    return ngx_min(n, left);
}


/* xorshift, which must not be at 0 */

uint32_t
fuzz_random(fuzz_cut_t *cut)
{
    uint32_t  n;

    n = cut->random ? cut->random : 1;

    n ^= n << 13;
    n ^= n >> 17;
    n ^= n << 5;

    cut->random = n;

    return n >> 8;
}


/* FNV-1a */

static uint32_t
fuzz_hash(const u_char *p, size_t len)
{
    uint32_t  hash;

    for (hash = 2166136261U; len; len--) {
        hash = (hash ^ *p++) * 16777619U;
    }

    return hash;
}


void
fuzz_out_add(fuzz_out_t *out, const void *data, size_t len)
{
    if (out->data == NULL || out->size - out->len < len) {
        out->size = 2 * out->size + len + 64;
        out->data = realloc(out->data, out->size);

        if (out->data == NULL) {
            abort();
        }
    }

    if (len) {
        memcpy(out->data + out->len, data, len);
    }

    out->len += len;
}


ngx_uint_t
fuzz_out_same(fuzz_out_t *out, const void *data, size_t len)
{
    return out->len == len && (len == 0 || memcmp(out->data, data, len) == 0);
}


void
fuzz_out_free(fuzz_out_t *out)
{
    free(out->data);

    memset(out, 0, sizeof(fuzz_out_t));
}


ngx_uint_t
fuzz_is_text(const u_char *p, const u_char *last, ngx_uint_t utf8)
{
    size_t                 i, n;
    uint32_t               ch;
    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    while (p < last) {

        if (*p >= ' ' && *p < 0x7f) {
            p++;
            continue;
        }

        n = (*p >= 0xf0) ? 4 : (*p >= 0xe0) ? 3 : 2;

        if (!utf8 || *p < 0xc0 || *p > 0xf7 || (size_t) (last - p) < n) {
            return 0;
        }

        ch = *p & (0xff >> (n + 1));

        for (i = 1; i < n; i++) {

            if ((p[i] & 0xc0) != 0x80) {
                return 0;
            }

            ch = (ch << 6) | (p[i] & 0x3f);
        }

        if (ch < least[n] || ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000)) {
            return 0;
        }

        p += n;
    }

    return 1;
}
