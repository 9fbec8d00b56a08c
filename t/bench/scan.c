
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_dot.h>
#include <ngx_smtp_chunk.h>
#include <time.h>


/*
 * How fast mail data is scanned, in MB (10^6 octets) of input a second, beside
 * memchr() for an octet that is not there, memchr() for each LF, and memcpy(),
 * over the same memory.  Each figure is the best of some rounds.
 */


#define SIZE    (1024 * 1024)

/* as much as a read brings at a time */
#define PIECE   16384

#define ROUNDS  7

/* seconds of a round */
#define TIME    0.05


typedef size_t (*bench_pt)(ngx_uint_t normalise);

typedef struct {
    const char  *name;
    bench_pt     run;
} bench_t;

typedef struct {
    const char  *name;
    const char  *unit;           /* repeated; NULL: lines of words */
    size_t       line;           /* then: their length */
    ngx_uint_t   normalise;
} input_t;


static size_t run_memchr(ngx_uint_t normalise);
static size_t run_lines(ngx_uint_t normalise);
static size_t run_memcpy(ngx_uint_t normalise);
static size_t run_dot(ngx_uint_t normalise);
static size_t run_chunk(ngx_uint_t normalise);
static size_t run_encode(ngx_uint_t normalise);
static void fill(input_t *input);
static double measure(bench_t *bench, ngx_uint_t normalise);
static double now(void);


static bench_t  benches[] = {
    { "memchr", run_memchr },
    { "memchr, LF by LF", run_lines },
    { "memcpy", run_memcpy },
    { "dot_decode", run_dot },
    { "chunk_decode", run_chunk },
    { "dot_encode", run_encode }
};

static input_t  inputs[] = {
    { "lines of 78", NULL, 76, 0 },
    { "lines of 1000", NULL, 998, 0 },
    { "lines of 10", NULL, 8, 0 },
    { "no line ends", "x", 0, 0 },
    { "empty lines", "\r\n", 0, 0 },
    { "stuffed dots", "..\r\n", 0, 0 },
    { "dots, CR", ".\r", 0, 0 },
    { "CR alone", "\r", 0, 0 },
    { "LF alone", "\n", 0, 0 },
    { "lines of 78, mending", NULL, 76, 1 },
    { "LF, mended", "\n", 0, 1 },
    { "CR, mended", "\r", 0, 1 },
    { "LF dot, mended", "\n..", 0, 1 }
};


static u_char  *text;
static u_char  *copy;

/* so that nothing is left out as useless */
static volatile size_t  sink;


int
main(void)
{
    double      rate, base;
    ngx_uint_t  i, k;

    text = malloc(SIZE);
    copy = malloc(2 * PIECE);

    if (text == NULL || copy == NULL) {
        return 1;
    }

    printf("%-22s", "MB/s (of memchr)");

    for (k = 0; k < sizeof(benches) / sizeof(benches[0]); k++) {
        printf("%17s", benches[k].name);
    }

    printf("\n");

    for (i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        fill(&inputs[i]);
        printf("%-22s", inputs[i].name);

        base = 0;

        for (k = 0; k < sizeof(benches) / sizeof(benches[0]); k++) {
            rate = measure(&benches[k], inputs[i].normalise);

            if (k == 0) {
                base = rate;
            }

            printf("%8.0f (%5.1f%%)", rate, 100 * rate / base);
            fflush(stdout);
        }

        printf("\n");
    }

    return 0;
}


static size_t
run_memchr(ngx_uint_t normalise)
{
    u_char  *p;
    size_t   n;

    n = 0;

    for (p = text; p < text + SIZE; p += PIECE) {
        n += (memchr(p, 0xff, PIECE) != NULL);
    }

    return n;
}


/* what it costs to stop at each line end at all */

static size_t
run_lines(ngx_uint_t normalise)
{
    u_char  *p, *lf, *last;
    size_t   n;

    n = 0;

    for (p = text; p < text + SIZE; p = last) {
        last = p + PIECE - (p - text) % PIECE;

        for ( ;; ) {
            lf = memchr(p, LF, last - p);

            if (lf == NULL) {
                break;
            }

            n++;
            p = lf + 1;
        }
    }

    return n;
}


static size_t
run_memcpy(ngx_uint_t normalise)
{
    u_char  *p;
    size_t   n;

    n = 0;

    for (p = text; p < text + SIZE; p += PIECE) {
        memcpy(copy, p, PIECE);
        n += ((volatile u_char *) copy)[PIECE - 1];
    }

    return n;
}


static size_t
run_dot(ngx_uint_t normalise)
{
    u_char          *p, *pos;
    size_t           n;
    ngx_str_t        out;
    ngx_smtp_dot_t   dot;

    memset(&dot, 0, sizeof(ngx_smtp_dot_t));

    dot.normalise = normalise;
    n = 0;

    for (p = text; p < text + SIZE; p += PIECE) {
        pos = p;

        while (ngx_smtp_dot_decode(&dot, &pos, p + PIECE, &out) == NGX_OK) {
            n += out.len;
        }
    }

    return n + dot.dots;
}


static size_t
run_chunk(ngx_uint_t normalise)
{
    u_char          *p, *pos;
    size_t           n;
    ngx_str_t        out;
    ngx_smtp_dot_t   dot;

    memset(&dot, 0, sizeof(ngx_smtp_dot_t));

    dot.normalise = normalise;
    n = 0;

    for (p = text; p < text + SIZE; p += PIECE) {
        pos = p;

        while (ngx_smtp_chunk_decode(&dot, &pos, p + PIECE, &out) == NGX_OK) {
            n += out.len;
        }
    }

    return n + dot.dots;
}


static size_t
run_encode(ngx_uint_t normalise)
{
    u_char      *p, *pos;
    size_t       n;
    ngx_uint_t   state;

    state = 0;
    n = 0;

    for (p = text; p < text + SIZE; p += PIECE) {
        pos = p;

        while (pos < p + PIECE) {
            n += ngx_smtp_dot_encode(&state, &pos, p + PIECE, copy,
                                     copy + 2 * PIECE)
                 - copy;
        }
    }

    return n;
}


static void
fill(input_t *input)
{
    u_char        *p;
    size_t         i, len;
    static char    words[] = "The quick brown fox jumps over the lazy dog. ";

    if (input->unit) {
        len = strlen(input->unit);

        for (i = 0; i < SIZE; i++) {
            text[i] = input->unit[i % len];
        }

        return;
    }

    for (i = 0, p = text; p < text + SIZE; p++) {
        len = (p - text) % (input->line + 2);

        *p = (len < input->line) ? words[i++ % (sizeof(words) - 1)]
                                 : CRLF[len - input->line];
    }
}


static double
measure(bench_t *bench, ngx_uint_t normalise)
{
    double      start, t, best;
    ngx_uint_t  i, n;

    best = 0;

    for (i = 0; i < ROUNDS; i++) {
        start = now();
        n = 0;

        do {
            sink += bench->run(normalise);
            n++;
            t = now() - start;
        } while (t < TIME);

        best = ngx_max(best, n * (double) SIZE / 1e6 / t);
    }

    return best;
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}
