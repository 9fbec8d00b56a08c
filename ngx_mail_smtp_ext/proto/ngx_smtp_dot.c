
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_dot.h>

#if (__x86_64__)
#include <immintrin.h>
#endif


/*
 * Transparency of RFC 5321, 4.5.2.  The state is the place in the line where
 * the input was cut; the content itself is passed over in blocks, or by
 * memchr() where there is something special in them, and a slice goes on over
 * line after line until a dot must be looked at.
 *
 * A line begins behind CRLF, in the content as well as on the wire: that is
 * what both "dots" and the encoder go by, so the encoder adds just so many
 * octets to what the decoder has handed out.
 */


/*
 * How far is looked ahead for a CR and an LF at a time.  Most lines are
 * shorter; without a bound, a buffer full of one of the two would be searched
 * to its end for the other at each octet.
 */
#define NGX_SMTP_DOT_WINDOW  256

/* a bit for each octet fits a word */
#define NGX_SMTP_DOT_BLOCK   64


static ngx_int_t ngx_smtp_dot_slice(ngx_smtp_dot_t *dot, u_char **pos,
    u_char *last, ngx_str_t *out);
static ngx_int_t ngx_smtp_dot_constant(ngx_smtp_dot_t *dot, ngx_str_t *out,
    ngx_uint_t state, char *text, size_t len);
static u_char *ngx_smtp_dot_run(ngx_uint_t *state, u_char *p, u_char *last);
static u_char *ngx_smtp_dot_pass(ngx_uint_t *state, u_char *p, u_char *last);


/* looks at the one octet that the state waits for, then takes a slice */

ngx_int_t
ngx_smtp_dot_decode(ngx_smtp_dot_t *dot, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    while (*pos < last) {

        switch (dot->state) {

        case ngx_smtp_dot_line:

            if (**pos == '.') {
                dot->state = ngx_smtp_dot_dot;
                (*pos)++;
                continue;
            }

            break;

        case ngx_smtp_dot_dot:

            if (**pos == CR) {
                dot->state = ngx_smtp_dot_dot_cr;
                (*pos)++;
                continue;
            }

            if (**pos == '.') {
                dot->dots++;
            }

            break;

        case ngx_smtp_dot_dot_cr:

            if (**pos == LF) {
                dot->state = ngx_smtp_dot_line;
                (*pos)++;
                return NGX_DONE;
            }

            /* the line goes on: its dot is dropped, its CR is content */

            dot->bare = 1;

            if (dot->normalise) {
                return ngx_smtp_dot_constant(dot, out,
                                             ngx_smtp_dot_mended,
                                             CRLF, 2);
            }

            return ngx_smtp_dot_constant(dot, out, ngx_smtp_dot_text,
                                         "\r", 1);

        case ngx_smtp_dot_cr:

            if (**pos == LF) {
                break;
            }

            dot->bare = 1;

            if (dot->normalise) {
                return ngx_smtp_dot_constant(dot, out,
                                             ngx_smtp_dot_mended,
                                             "\n", 1);
            }

            break;

        case ngx_smtp_dot_mended:

            /*
             * Whoever ends lines so has stuffed their dots as well.  The end
             * mark doesn't begin with such a line end, whatever follows.
             */

            if (**pos == '.') {
                dot->state = ngx_smtp_dot_mended_dot;
                (*pos)++;
                continue;
            }

            break;

        case ngx_smtp_dot_mended_dot:

            if (**pos == '.') {
                dot->dots++;
            }

            break;
        }

        return ngx_smtp_dot_slice(dot, pos, last, out);
    }

    return NGX_AGAIN;
}


/*
 * The longest slice from *pos on; at least an octet.  It ends before a dot
 * that begins a line, at the end of the input and, where line ends are
 * mended, at a bare CR or before a bare LF.
 */

static ngx_int_t
ngx_smtp_dot_slice(ngx_smtp_dot_t *dot, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    u_char      *p, *start;
    ngx_uint_t   crlf;

    start = *pos;
    p = start;

    crlf = (dot->state == ngx_smtp_dot_cr && *p == LF);

    dot->state = ngx_smtp_dot_text;

    for ( ;; ) {

        if (crlf) {
            p++;

            if (p == last || *p == '.') {
                dot->state = ngx_smtp_dot_line;
                break;
            }
        }

        p = ngx_smtp_dot_eol(ngx_smtp_dot_lines(p, last), last);

        if (p == last) {
            break;
        }

        if (*p == CR) {
            p++;

            if (p == last) {
                dot->state = ngx_smtp_dot_cr;
                break;
            }

            crlf = (*p == LF);

            if (!crlf) {
                dot->bare = 1;

                if (dot->normalise) {
                    dot->state = ngx_smtp_dot_cr;
                    break;
                }
            }

            continue;
        }

        crlf = 0;
        dot->bare = 1;

        if (dot->normalise) {
            break;
        }

        p++;
    }

    if (p == start) {

        /* an LF that is to be mended; what was before it has been taken */

        *pos = p + 1;

        return ngx_smtp_dot_constant(dot, out, ngx_smtp_dot_mended,
                                     CRLF, 2);
    }

    out->len = p - start;
    out->data = start;

    *pos = p;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_dot_constant(ngx_smtp_dot_t *dot, ngx_str_t *out, ngx_uint_t state,
    char *text, size_t len)
{
    dot->state = state;

    out->len = len;
    out->data = (u_char *) text;

    return NGX_OK;
}


u_char *
ngx_smtp_dot_eol(u_char *p, u_char *last)
{
    size_t   n;
    u_char  *cr, *lf;

    while (p < last) {
        n = ngx_min(last - p, NGX_SMTP_DOT_WINDOW);

        cr = memchr(p, CR, n);

        if (cr) {
            n = cr - p;
        }

        lf = n ? memchr(p, LF, n) : NULL;

        if (lf) {
            return lf;
        }

        if (cr) {
            return cr;
        }

        p += n;
    }

    return last;
}


#if (__x86_64__)

/* a bit for each of the 64 octets that is ch */

#define ngx_smtp_dot_match(x, y, ch)                                         \
    ((uint64_t) (uint32_t)                                                   \
         _mm256_movemask_epi8(_mm256_cmpeq_epi8(y, _mm256_set1_epi8(ch)))    \
     << 32                                                                   \
     | (uint32_t)                                                            \
         _mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(ch))))


__attribute__((target("avx2")))
static u_char *
ngx_smtp_dot_blocks(u_char *p, u_char *last)
{
    __m256i   x, y;
    uint64_t  cr, lf, dot, behind_cr, behind_lf;

    behind_cr = 0;
    behind_lf = 0;

    for ( /* void */ ; last - p >= NGX_SMTP_DOT_BLOCK;
          p += NGX_SMTP_DOT_BLOCK)
    {
        x = _mm256_loadu_si256((__m256i *) p);
        y = _mm256_loadu_si256((__m256i *) p + 1);

        cr = ngx_smtp_dot_match(x, y, CR);
        lf = ngx_smtp_dot_match(x, y, LF);

        if (lf != (cr << 1 | behind_cr)) {
            break;
        }

        dot = lf << 1 | behind_lf;

        if (dot && (dot & ngx_smtp_dot_match(x, y, '.'))) {
            break;
        }

        behind_cr = cr >> 63;
        behind_lf = lf >> 63;
    }

    /* back to a CR whose line end, or what follows it, is not known yet */

    return p - behind_cr - 2 * behind_lf;
}

#endif


u_char *
ngx_smtp_dot_lines(u_char *p, u_char *last)
{
#if (__x86_64__)

    if (last - p >= NGX_SMTP_DOT_BLOCK && __builtin_cpu_supports("avx2")) {
        return ngx_smtp_dot_blocks(p, last);
    }

#endif

    return p;
}


u_char *
ngx_smtp_dot_encode(ngx_uint_t *state, u_char **pos, u_char *last,
    u_char *dst, u_char *end)
{
    size_t   n;
    u_char  *p, *run;

    p = *pos;

    while (p < last && dst < end) {

        if (*state == ngx_smtp_dot_line && *p == '.') {

            /* the dot that is content is text from now on */

            *dst++ = '.';
            *state = ngx_smtp_dot_text;
            continue;
        }

        n = ngx_min(last - p, end - dst);

        run = ngx_smtp_dot_run(state, p, p + n);

        dst = ngx_cpymem(dst, p, run - p);
        p = run;
    }

    *pos = p;

    return dst;
}


/* passes over octets up to a dot that begins a line; at least one of them */

static u_char *
ngx_smtp_dot_run(ngx_uint_t *state, u_char *p, u_char *last)
{
    u_char      *lf, *start;
    ngx_uint_t   cr;

    start = p;

    if (*state != ngx_smtp_dot_cr) {
        p = ngx_smtp_dot_pass(state, p, last);
    }

    while (p < last) {

        lf = memchr(p, LF, last - p);

        if (lf == NULL) {
            *state = (*(last - 1) == CR) ? ngx_smtp_dot_cr : ngx_smtp_dot_text;
            return last;
        }

        cr = (lf > start) ? (*(lf - 1) == CR) : (*state == ngx_smtp_dot_cr);

        p = lf + 1;

        *state = cr ? ngx_smtp_dot_line : ngx_smtp_dot_text;

        if (cr && p < last && *p == '.') {
            break;
        }

        p = ngx_smtp_dot_pass(state, p, last);
    }

    return p;
}


/* what is passed to its very end has ended inside of a line */

static u_char *
ngx_smtp_dot_pass(ngx_uint_t *state, u_char *p, u_char *last)
{
    u_char  *next;

    next = ngx_smtp_dot_lines(p, last);

    if (next == last && next > p) {
        *state = ngx_smtp_dot_text;
    }

    return next;
}
