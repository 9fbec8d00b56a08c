
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * A message on its way out of the spool: its header, for who is told of it or
 * wants it changed, and its contents into a request, piece by piece.  Memory
 * is bounded: a header by constants, contents by max_body=.
 */


/* headers of mail are a tenth of that; Postfix keeps 100k */
#define NGX_SMTP_HOOK_HEADER_MAX  262144

/* a message may be small and get larger */
#define NGX_SMTP_HOOK_READ_MIN    4096

/* the list of them is searched for names */
#define NGX_SMTP_HOOK_FIELDS_MAX  5000


static ngx_int_t ngx_smtp_hook_message_read(ngx_smtp_hook_run_t *run);
static void ngx_smtp_hook_message_done(ngx_smtp_op_t *op);
static void ngx_smtp_hook_message_keep(ngx_smtp_hook_run_t *run, u_char *p,
    size_t len);
static void ngx_smtp_hook_message_write(ngx_smtp_hook_run_t *run, u_char *p,
    size_t len);
static ngx_int_t ngx_smtp_hook_message_list(ngx_smtp_hook_run_t *run,
    ngx_str_t *text, char *key);


ngx_int_t
ngx_smtp_hook_message_header(ngx_smtp_hook_run_t *run,
    ngx_int_t (*next)(ngx_smtp_hook_run_t *run))
{
    size_t                    size;
    ngx_smtp_tx_t            *tx;
    ngx_smtp_hook_message_t  *m;

    tx = run->tx;
    m = &run->message;

    if (m->header.data) {
        return NGX_OK;
    }

    if (tx->header.size > NGX_SMTP_HOOK_HEADER_MAX) {
        return NGX_DECLINED;
    }

    if (m->reader == NULL) {

        /* of the transaction: a thread may still read into it later */

        size = ngx_min(tx->spool->size, NGX_SMTP_SPOOL_READ_SIZE);
        size = ngx_max(size, NGX_SMTP_HOOK_READ_MIN);

        m->reader = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_spool_reader_t));
        if (m->reader == NULL) {
            return NGX_ERROR;
        }

        m->reader->buf = ngx_pnalloc(tx->pool, size);
        if (m->reader->buf == NULL) {
            return NGX_ERROR;
        }

        m->size = size;
    }

    m->header.data = ngx_pnalloc(run->pool, ngx_max(tx->header.size, 1));
    if (m->header.data == NULL) {
        return NGX_ERROR;
    }

    m->header.len = 0;

    m->reader->offset = 0;
    m->until = tx->header.size;
    m->piece = ngx_smtp_hook_message_keep;
    m->next = next;

    return ngx_smtp_hook_message_read(run);
}


ngx_int_t
ngx_smtp_hook_message_fields(ngx_smtp_hook_run_t *run, ngx_str_t *text,
    ngx_smtp_fields_t *fields, ngx_uint_t more)
{
    fields->max = ngx_min(ngx_smtp_fields_count(text),
                          NGX_SMTP_HOOK_FIELDS_MAX)
                  + more;

    fields->list = ngx_palloc(run->pool,
                              fields->max * sizeof(ngx_smtp_field_t));
    if (fields->list == NULL) {
        return NGX_ERROR;
    }

    return ngx_smtp_fields_parse(fields, text);
}


ngx_int_t
ngx_smtp_hook_message_tell(ngx_smtp_hook_run_t *run)
{
    ngx_int_t       rc;
    ngx_smtp_tx_t  *tx;

    tx = run->tx;

    rc = ngx_smtp_hook_message_list(run, &run->message.header, "headers");

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_smtp_phase_trace(tx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_hook_message_list(run, &tx->received, "serverHeaders");
}


/* [name, value] of each, the value with its white space and line ends */

static ngx_int_t
ngx_smtp_hook_message_list(ngx_smtp_hook_run_t *run, ngx_str_t *text,
    char *key)
{
    ngx_int_t           rc;
    ngx_str_t           str;
    ngx_uint_t          i;
    ngx_smtp_field_t   *field;
    ngx_smtp_fields_t   fields;

    rc = ngx_smtp_hook_message_fields(run, text, &fields, 0);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_smtp_hook_text_open(&run->text, key, "[");

    for (i = 0; i < fields.n; i++) {
        field = &fields.list[i];

        ngx_smtp_hook_text_open(&run->text, NULL, "[");

        str.data = field->text.data;
        str.len = field->name_len;
        ngx_smtp_hook_text_item(&run->text, &str);

        str.data = field->text.data + field->colon + 1;
        str.len = field->text.len - field->colon - 1;
        ngx_smtp_hook_text_item(&run->text, &str);

        ngx_smtp_hook_text_raw(&run->text, "]");
    }

    ngx_smtp_hook_text_raw(&run->text, "]");

    return NGX_OK;
}


ngx_int_t
ngx_smtp_hook_message_contents(ngx_smtp_hook_run_t *run,
    ngx_int_t (*next)(ngx_smtp_hook_run_t *run))
{
    ngx_smtp_hook_message_t  *m;

    m = &run->message;

    ngx_memzero(&m->js, sizeof(ngx_smtp_json_t));

    m->reader->offset = run->tx->header.size;
    m->until = run->tx->spool->size;
    m->piece = ngx_smtp_hook_message_write;
    m->next = next;

    return ngx_smtp_hook_message_read(run);
}


/* NGX_OK: all of it was there at once; else as _header() */

static ngx_int_t
ngx_smtp_hook_message_read(ngx_smtp_hook_run_t *run)
{
    ssize_t                   n;
    ngx_smtp_hook_message_t  *m;

    m = &run->message;

    m->reader->spool = run->tx->spool;

    while (m->reader->offset < m->until) {

        ngx_smtp_op_start(&m->op, &run->ops, ngx_smtp_hook_message_done, run,
                          run->session->connection->log);

        m->reader->size = ngx_min((off_t) m->size,
                                  m->until - m->reader->offset);

        n = ngx_smtp_spool_read(m->reader, &m->op);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        ngx_smtp_op_cancel(&m->op);

        if (n <= 0) {
            return NGX_ERROR;
        }

        m->reader->offset += n;
        m->piece(run, m->reader->buf, n);
    }

    return NGX_OK;
}


static void
ngx_smtp_hook_message_done(ngx_smtp_op_t *op)
{
    ngx_int_t                 rc;
    ngx_smtp_hook_run_t      *run;
    ngx_smtp_hook_message_t  *m;

    run = op->data;
    m = &run->message;

    if (op->rc != NGX_OK || m->reader->err || m->reader->size == 0) {

        /* our own disk: no hook can help */

        ngx_smtp_hook_go_on(run, NGX_ERROR);
        return;
    }

    m->reader->offset += m->reader->size;
    m->piece(run, m->reader->buf, m->reader->size);

    rc = ngx_smtp_hook_message_read(run);

    if (rc == NGX_OK) {
        rc = m->next(run);
    }

    ngx_smtp_hook_go_on(run, rc);
}


static void
ngx_smtp_hook_message_keep(ngx_smtp_hook_run_t *run, u_char *p, size_t len)
{
    ngx_str_t  *header;

    header = &run->message.header;

    ngx_memcpy(header->data + header->len, p, len);
    header->len += len;
}


static void
ngx_smtp_hook_message_write(ngx_smtp_hook_run_t *run, u_char *p, size_t len)
{
    ngx_smtp_hook_text_piece(&run->text, &run->message.js, p, p + len);
}
