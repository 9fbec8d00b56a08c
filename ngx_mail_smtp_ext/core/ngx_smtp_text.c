
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_text.h>


/*
 * Texts with variables: pieces of text and variables by turns.  One that is a
 * single variable, which most are, is its value and costs no copy.
 */


typedef struct {
    const ngx_smtp_var_t    *var;           /* NULL: text */
    ngx_str_t                text;
} ngx_smtp_text_piece_t;


static ngx_int_t ngx_smtp_text_piece(ngx_smtp_text_piece_t *piece,
    ngx_smtp_session_t *s, ngx_smtp_tx_t *tx, ngx_pool_t *pool,
    ngx_str_t *value);


ngx_smtp_text_t *
ngx_smtp_text_compile(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char                 *p, *last;
    ngx_smtp_text_t        *text;
    ngx_smtp_text_piece_t  *piece;

    text = ngx_palloc(cf->pool, sizeof(ngx_smtp_text_t));
    if (text == NULL) {
        return NULL;
    }

    if (ngx_array_init(&text->pieces, cf->pool, 1,
                       sizeof(ngx_smtp_text_piece_t))
        != NGX_OK)
    {
        return NULL;
    }

    p = value->data;
    last = p + value->len;

    while (p < last) {

        piece = ngx_array_push(&text->pieces);
        if (piece == NULL) {
            return NULL;
        }

        ngx_memzero(piece, sizeof(ngx_smtp_text_piece_t));

        if (*p == '$') {

            piece->var = ngx_smtp_var_parse(cf, &p, last);
            if (piece->var == NULL) {
                return NULL;
            }

            continue;
        }

        piece->text.data = p;

        while (p < last && *p != '$') {
            p++;
        }

        piece->text.len = p - piece->text.data;
    }

    return text;
}


ngx_int_t
ngx_smtp_text_make(ngx_smtp_text_t *text, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool, ngx_str_t *value)
{
    size_t                  len;
    u_char                 *p;
    ngx_str_t              *values;
    ngx_uint_t              i, n;
    ngx_smtp_text_piece_t  *piece;

    n = text->pieces.nelts;
    piece = text->pieces.elts;

    if (n == 1) {
        return ngx_smtp_text_piece(piece, s, tx, pool, value);
    }

    values = ngx_palloc(pool, n * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < n; i++) {
        if (ngx_smtp_text_piece(&piece[i], s, tx, pool, &values[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        len += values[i].len;
    }

    p = ngx_pnalloc(pool, ngx_max(len, 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = len;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, values[i].data, values[i].len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_text_piece(ngx_smtp_text_piece_t *piece, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool, ngx_str_t *value)
{
    ngx_int_t  rc;

    if (piece->var == NULL) {
        *value = piece->text;
        return NGX_OK;
    }

    rc = piece->var->get(s, tx, pool, value, piece->var->data);

    if (rc == NGX_DECLINED) {
        ngx_str_set(value, "");
        return NGX_OK;
    }

    return rc;
}
