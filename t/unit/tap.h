
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * TAP for tests in C: one "ok" line per call, the plan at the end.  Included
 * once by each test program.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define tap_nelts(a)  (sizeof(a) / sizeof((a)[0]))

/* a literal with its length, NULs included */
#define tap_str(s)    { sizeof(s) - 1, (u_char *) s }


static ngx_uint_t  tap_run;
static ngx_uint_t  tap_failed;


static inline ngx_uint_t
tap_ok(ngx_uint_t cond, const char *name)
{
    tap_run++;

    if (!cond) {
        tap_failed++;
    }

    printf("%sok %lu - %s\n", cond ? "" : "not ", (unsigned long) tap_run,
           name);

    return cond;
}


/* a diagnostic line: label and octets, with all that is not a letter escaped */

static inline void
tap_diag(const char *label, const void *data, size_t len)
{
    size_t         i;
    const u_char  *p;

    p = data;

    printf("# %s: \"", label);

    for (i = 0; i < len; i++) {

        if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\') {
            putchar(p[i]);

        } else {
            printf("\\x%02x", p[i]);
        }
    }

    printf("\" (%lu)\n", (unsigned long) len);
}


static inline void
tap_diag_number(const char *label, long n)
{
    printf("# %s: %ld\n", label, n);
}


static inline ngx_uint_t
tap_same(const void *a, size_t alen, const void *b, size_t blen)
{
    return alen == blen && (alen == 0 || memcmp(a, b, alen) == 0);
}


/*
 * A copy in memory of just that size, so that a sanitizer sees whoever reads
 * behind the end.  To be freed.
 */

static inline u_char *
tap_copy(const void *data, size_t len)
{
    u_char  *p;

    p = malloc(len);

    if (p == NULL) {
        abort();
    }

    return len ? memcpy(p, data, len) : p;
}


static inline int
tap_done(void)
{
    printf("1..%lu\n", (unsigned long) tap_run);

    return tap_failed != 0;
}


#endif /* _TAP_H_INCLUDED_ */
