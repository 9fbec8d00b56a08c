
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_fold.h>


/*
 * Folding: however the input is cut, it is folded in the same places; what
 * comes out is what came in, with CRLFs before white space; no line is white
 * space alone that was not so before, none that was short enough is touched.
 */


static void run(fuzz_out_t *out, const u_char *data, size_t size,
    ngx_uint_t way);
static void write_out(void *data, u_char *p, size_t len);
static void check(fuzz_out_t *out, const u_char *p, const u_char *last);


#define is_wsp(c)  ((c) == ' ' || (c) == '\t')


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_uint_t  way;
    fuzz_out_t  out, first, again;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    memset(&first, 0, sizeof(fuzz_out_t));
    run(&first, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        memset(&out, 0, sizeof(fuzz_out_t));
        run(&out, data, size, way);

        fuzz_check(fuzz_out_same(&out, first.data, first.len));
        fuzz_out_free(&out);
    }

    check(&first, data, data + size);

    /* there is nothing more to be done */

    memset(&again, 0, sizeof(fuzz_out_t));
    run(&again, first.data, first.len, 0);

    fuzz_check(again.len >= first.len);

    fuzz_out_free(&again);
    fuzz_out_free(&first);

    return 0;
}


static void
run(fuzz_out_t *out, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t            n, done;
    u_char           *p;
    fuzz_cut_t        cut;
    ngx_smtp_fold_t   fold;

    memset(&fold, 0, sizeof(ngx_smtp_fold_t));

    fold.write = write_out;
    fold.data = out;

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        ngx_smtp_fold_feed(&fold, p, p + n);

        free(p);
    }

    ngx_smtp_fold_end(&fold);
}


static void
write_out(void *data, u_char *p, size_t len)
{
    fuzz_check(len > 0);
    fuzz_out_add(data, p, len);
}


static void
check(fuzz_out_t *out, const u_char *p, const u_char *last)
{
    size_t      i, line, len;
    ngx_uint_t  text;

    line = 0;                    /* where the present line of out begins */

    for (i = 0; i < out->len; /* void */ ) {

        if (p < last && out->data[i] == *p) {

            if (*p == LF) {
                line = i + 1;
            }

            i++;
            p++;
            continue;
        }

        /* an octet of ours */

        fuzz_check(i + 2 < out->len);
        fuzz_check(out->data[i] == CR && out->data[i + 1] == LF);
        fuzz_check(p < last && is_wsp(*p) && is_wsp(out->data[i + 2]));

        len = i - line;
        fuzz_check(len > 0 && len <= NGX_SMTP_FOLD_LINE);
        fuzz_check(!is_wsp(out->data[i - 1]));

        for (i += 2, line = i, text = 0;
             i < out->len && out->data[i] != LF && !text; i++)
        {
            text = !is_wsp(out->data[i]) && out->data[i] != CR;
        }

        fuzz_check(text);
        i = line;
    }

    fuzz_check(p == last);
}
