
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_fold.h>


/*
 * Lines that are all there and short enough pass as they lie, many in one
 * write.  A line that is cut, or too long, is gathered until it ends or has an
 * octet more than it may: then it is folded where that can be done.
 */


static u_char *ngx_smtp_fold_run(u_char *p, u_char *last);
static u_char *ngx_smtp_fold_gather(ngx_smtp_fold_t *fold, u_char *p,
    u_char *last);
static ngx_uint_t ngx_smtp_fold_fits(ngx_smtp_fold_t *fold);
static void ngx_smtp_fold_break(ngx_smtp_fold_t *fold);
static size_t ngx_smtp_fold_place(ngx_smtp_fold_t *fold);


#define ngx_smtp_fold_is_wsp(c)  ((c) == ' ' || (c) == '\t')


void
ngx_smtp_fold_feed(ngx_smtp_fold_t *fold, u_char *p, u_char *last)
{
    u_char  *run, *lf;

    while (p < last) {

        if (fold->give_up) {
            lf = memchr(p, LF, last - p);
            run = lf ? lf + 1 : last;

            fold->write(fold->data, p, run - p);
            fold->give_up = (lf == NULL);

            p = run;
            continue;
        }

        if (fold->len == 0) {
            run = ngx_smtp_fold_run(p, last);

            if (run > p) {
                fold->write(fold->data, p, run - p);
                p = run;
                continue;
            }
        }

        p = ngx_smtp_fold_gather(fold, p, last);
    }
}


/* the lines that are complete and short */

static u_char *
ngx_smtp_fold_run(u_char *p, u_char *last)
{
    size_t   len;
    u_char  *lf;

    for ( ;; ) {
        lf = (p < last) ? memchr(p, LF, last - p) : NULL;

        if (lf == NULL) {
            return p;
        }

        len = lf - p;
        len -= (len && p[len - 1] == CR);

        if (len > NGX_SMTP_FOLD_LINE) {
            return p;
        }

        p = lf + 1;
    }
}


static u_char *
ngx_smtp_fold_gather(ngx_smtp_fold_t *fold, u_char *p, u_char *last)
{
    size_t   n;
    u_char  *lf;

    n = ngx_min((size_t) (last - p), sizeof(fold->line) - fold->len);

    lf = memchr(p, LF, n);

    if (lf) {
        n = lf + 1 - p;
    }

    ngx_memcpy(fold->line + fold->len, p, n);
    fold->len += n;

    if (lf && ngx_smtp_fold_fits(fold)) {
        fold->write(fold->data, fold->line, fold->len);
        fold->len = 0;

    } else if (lf || fold->len == sizeof(fold->line)) {

        /* the whole of it may have to be looked at again */

        ngx_smtp_fold_break(fold);
    }

    return p + n;
}


/* a line with its end */

static ngx_uint_t
ngx_smtp_fold_fits(ngx_smtp_fold_t *fold)
{
    size_t  len;

    len = fold->len - 1;
    len -= (len && fold->line[len - 1] == CR);

    return len <= NGX_SMTP_FOLD_LINE;
}


/*
 * The line has more octets than it may: full, without an end, or with a bare
 * LF at it.  One fold makes room, and what is left begins with white space.
 */

static void
ngx_smtp_fold_break(ngx_smtp_fold_t *fold)
{
    size_t  n;

    n = ngx_smtp_fold_place(fold);

    if (n == 0) {
        fold->write(fold->data, fold->line, fold->len);
        fold->give_up = (fold->line[fold->len - 1] != LF);
        fold->len = 0;
        return;
    }

    fold->write(fold->data, fold->line, n);
    fold->write(fold->data, (u_char *) CRLF, sizeof(CRLF) - 1);

    fold->len -= n;
    ngx_memmove(fold->line, fold->line + n, fold->len);

    if (fold->line[fold->len - 1] == LF) {
        fold->write(fold->data, fold->line, fold->len);
        fold->len = 0;
    }
}


/*
 * White space with something else on both of its sides, the last that is near
 * enough; 0: there is none.  RFC 5322, 2.2.3 prefers "higher-level syntactic
 * breaks", and a line of white space alone is obsolete, 4.2.
 */

static size_t
ngx_smtp_fold_place(ngx_smtp_fold_t *fold)
{
    size_t   i, first, place;
    u_char  *p, *colon;

    p = fold->line;
    first = 0;

    if (!ngx_smtp_fold_is_wsp(*p)) {
        colon = memchr(p, ':', fold->len);

        if (colon == NULL) {
            return 0;
        }

        first = colon - p;
    }

    /* white space at the end has nothing behind it, as far as is known */

    i = fold->len;

    while (i && (ngx_smtp_fold_is_wsp(p[i - 1]) || p[i - 1] == CR
                 || p[i - 1] == LF))
    {
        i--;
    }

    place = 0;

    for (i = ngx_min(i, NGX_SMTP_FOLD_LINE + 1); i-- > first + 1; /* void */ ) {

        if (!ngx_smtp_fold_is_wsp(p[i]) || ngx_smtp_fold_is_wsp(p[i - 1])
            || p[i - 1] == CR)
        {
            continue;
        }

        if (p[i - 1] == ',' || p[i - 1] == ';') {
            return i;
        }

        if (place == 0) {
            place = i;
        }
    }

    return place;
}


void
ngx_smtp_fold_end(ngx_smtp_fold_t *fold)
{
    if (fold->len) {
        fold->write(fold->data, fold->line, fold->len);
        fold->len = 0;
    }
}
