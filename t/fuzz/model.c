
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <model.h>


/* where a line begins: behind CRLF, or behind what was mended into one */
enum {
    MODEL_TEXT = 0,
    MODEL_LINE,
    MODEL_MENDED
};


static ngx_uint_t model_octet(model_t *m, const u_char **pos,
    const u_char *last, ngx_uint_t normalise);
static void model_encode(fuzz_out_t *out, model_t *m, ngx_uint_t way);


void
model_dot(model_t *m, const u_char *data, size_t size, ngx_uint_t normalise)
{
    ngx_uint_t     at;
    const u_char  *p, *last;

    memset(m, 0, sizeof(model_t));

    p = data;
    last = data + size;
    at = MODEL_LINE;

    while (p < last) {

        if (at != MODEL_TEXT && *p == '.') {

            /* the rest of a mark, or of a stuffed dot, is to come */

            if (last - p == 1
                || (at == MODEL_LINE && last - p == 2 && p[1] == CR))
            {
                break;
            }

            if (at == MODEL_LINE && p[1] == CR && p[2] == LF) {
                m->done = 1;
                p += 3;
                break;
            }

            p++;
            m->dots += (*p == '.');
        }

        at = model_octet(m, &p, last, normalise);
    }

    m->end = m->done ? (size_t) (p - data) : size;
}


/* takes an octet, or CRLF; says where it is then */

static ngx_uint_t
model_octet(model_t *m, const u_char **pos, const u_char *last,
    ngx_uint_t normalise)
{
    const u_char  *p;

    p = *pos;

    if (*p == CR && last - p > 1 && p[1] == LF) {
        fuzz_out_add(&m->content, p, 2);
        *pos = p + 2;
        return MODEL_LINE;
    }

    *pos = p + 1;

    if (*p == LF || (*p == CR && last - p > 1)) {
        m->bare = 1;

        if (normalise) {
            fuzz_out_add(&m->content, CRLF, 2);
            return MODEL_MENDED;
        }
    }

    fuzz_out_add(&m->content, p, 1);

    return MODEL_TEXT;
}


void
model_chunk(model_t *m, const u_char *data, size_t size, ngx_uint_t normalise)
{
    ngx_uint_t     at;
    const u_char  *p, *last;

    memset(m, 0, sizeof(model_t));

    p = data;
    last = data + size;
    at = MODEL_LINE;

    while (p < last) {
        m->dots += (at != MODEL_TEXT && *p == '.');

        at = model_octet(m, &p, last, normalise);
    }

    if (size && data[size - 1] == CR) {
        m->bare = 1;

        if (normalise) {
            fuzz_out_add(&m->content, "\n", 1);
        }
    }

    m->end = size;
}


void
model_check_same(model_t *a, model_t *b)
{
    fuzz_check(a->done == b->done);
    fuzz_check(a->end == b->end);
    fuzz_check(fuzz_out_same(&a->content, b->content.data, b->content.len));
    fuzz_check(a->dots == b->dots);
    fuzz_check(a->bare == b->bare);
}


void
model_free(model_t *m)
{
    fuzz_out_free(&m->content);
}


void
model_run_dot(model_t *m, const u_char *data, size_t size,
    ngx_uint_t normalise, ngx_uint_t way)
{
    size_t           n, calls;
    u_char          *piece, *p, *before, *last;
    ngx_int_t        rc;
    ngx_str_t        out;
    fuzz_cut_t       cut;
    ngx_smtp_dot_t   dot;

    memset(m, 0, sizeof(model_t));
    memset(&dot, 0, sizeof(ngx_smtp_dot_t));

    dot.normalise = normalise;

    fuzz_cut_init(&cut, way, data, size);

    while (m->end < size && !m->done) {
        n = fuzz_cut(&cut, size - m->end);

        piece = fuzz_copy(data + m->end, n);
        p = piece;
        last = piece + n;

        for (calls = 0; /* void */ ; calls++) {
            before = p;

            rc = ngx_smtp_dot_decode(&dot, &p, last, &out);

            fuzz_check(p >= before && p <= last);

            if (rc != NGX_OK) {
                break;
            }

            /* two calls for an octet that is mended */

            fuzz_check(calls <= 2 * n + 2);
            fuzz_check(out.len > 0);
            fuzz_check((out.data >= before && out.data + out.len <= p)
                       || out.len <= 2);

            fuzz_out_add(&m->content, out.data, out.len);
        }

        fuzz_check(rc == NGX_DONE || (rc == NGX_AGAIN && p == last));

        m->done = (rc == NGX_DONE);
        m->end += p - piece;

        free(piece);
    }

    m->dots = dot.dots;
    m->bare = dot.bare;
}


void
model_check_encode(model_t *m, ngx_uint_t normalise)
{
    model_t       back;
    fuzz_out_t    first, out;
    ngx_uint_t    way, whole;

    memset(&first, 0, sizeof(fuzz_out_t));

    whole = m->content.len == 0
            || (m->content.len > 1
                && memcmp(m->content.data + m->content.len - 2, CRLF, 2) == 0);

    for (way = 0; way < FUZZ_CUTS; way++) {
        memset(&out, 0, sizeof(fuzz_out_t));

        model_encode(&out, m, way);

        /* what SIZE and BDAT to the next hop go by */

        fuzz_check(out.len == m->content.len + m->dots);

        if (way == 0) {
            first = out;
            continue;
        }

        fuzz_check(fuzz_out_same(&out, first.data, first.len));
        fuzz_out_free(&out);
    }

    if (!whole) {
        fuzz_out_add(&first, CRLF, 2);
    }

    fuzz_out_add(&first, ".\r\nREST", 7);

    model_run_dot(&back, first.data, first.len, 0, 0);

    fuzz_check(back.done && back.end == first.len - 4);

    if (whole) {
        fuzz_check(fuzz_out_same(&back.content, m->content.data,
                                 m->content.len));
        fuzz_check(back.dots == m->dots);
    }

    /* canonical, whatever it was made from: only a CR at the end may be cut */

    fuzz_check(!normalise || !whole || !back.bare);

    model_free(&back);
    fuzz_out_free(&first);
}


static void
model_encode(fuzz_out_t *out, model_t *m, ngx_uint_t way)
{
    size_t       n, room, done;
    u_char      *piece, *p, *last, *dst, *end;
    fuzz_cut_t   cut;
    ngx_uint_t   state;

    state = 0;

    fuzz_cut_init(&cut, way, m->content.data, m->content.len);

    for (done = 0; done < m->content.len; /* void */ ) {
        n = fuzz_cut(&cut, m->content.len - done);

        piece = fuzz_copy(m->content.data + done, n);
        p = piece;
        last = piece + n;

        while (p < last) {
            room = 1 + fuzz_cut(&cut, 2 * n + 1);
            dst = malloc(room);

            if (dst == NULL) {
                abort();
            }

            end = ngx_smtp_dot_encode(&state, &p, last, dst, dst + room);

            fuzz_check(p <= last && end > dst && end <= dst + room);
            fuzz_check(p == last || end == dst + room);

            fuzz_out_add(out, dst, end - dst);
            free(dst);
        }

        done += n;
        free(piece);
    }
}
