
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <model.h>
#include <ngx_smtp_chunk.h>


/*
 * BDAT: the content is the input, but for line ends that are mended; dots are
 * what stuffing would add, were it sent on by DATA.
 */


static void run(model_t *m, const u_char *data, size_t size,
    ngx_uint_t normalise, ngx_uint_t way);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_t     model, m;
    ngx_uint_t  normalise, way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    for (normalise = 0; normalise <= 1; normalise++) {
        model_chunk(&model, data, size, normalise);

        fuzz_check(normalise || fuzz_out_same(&model.content, data, size));

        for (way = 0; way < FUZZ_CUTS; way++) {
            run(&m, data, size, normalise, way);
            model_check_same(&m, &model);
            model_free(&m);
        }

        model_check_encode(&model, normalise);
        model_free(&model);
    }

    return 0;
}


static void
run(model_t *m, const u_char *data, size_t size, ngx_uint_t normalise,
    ngx_uint_t way)
{
    size_t           n, calls;
    u_char          *piece, *p, *before;
    ngx_int_t        rc;
    ngx_str_t        out;
    fuzz_cut_t       cut;
    ngx_smtp_dot_t   dot;

    memset(m, 0, sizeof(model_t));
    memset(&dot, 0, sizeof(ngx_smtp_dot_t));

    dot.normalise = normalise;

    fuzz_cut_init(&cut, way, data, size);

    while (m->end < size) {
        n = fuzz_cut(&cut, size - m->end);

        piece = fuzz_copy(data + m->end, n);
        p = piece;

        for (calls = 0; /* void */ ; calls++) {
            before = p;

            rc = ngx_smtp_chunk_decode(&dot, &p, piece + n, &out);

            fuzz_check(p >= before && p <= piece + n);

            if (rc != NGX_OK) {
                break;
            }

            fuzz_check(calls <= 2 * n + 2);
            fuzz_check(out.len > 0);
            fuzz_check((out.data >= before && out.data + out.len <= p)
                       || out.len <= 2);

            fuzz_out_add(&m->content, out.data, out.len);
        }

        fuzz_check(rc == NGX_AGAIN && p == piece + n);

        m->end += n;

        free(piece);
    }

    if (ngx_smtp_chunk_end(&dot, &out) == NGX_OK) {
        fuzz_out_add(&m->content, out.data, out.len);
    }

    fuzz_check(ngx_smtp_chunk_end(&dot, &out) == NGX_DONE);

    m->dots = dot.dots;
    m->bare = dot.bare;
}
