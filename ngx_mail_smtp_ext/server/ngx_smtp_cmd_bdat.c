
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_message.h>
#include <ngx_smtp_esmtp.h>


/*
 * BDAT, RFC 3030, 2: "BDAT" SP chunk-size [ SP "LAST" ].  The octets of a
 * chunk follow the command whether it is in order or not, so they are read in
 * any case, and a command of which it can't be told how many they are ends
 * the connection: what follows would be read as commands.
 *
 * A chunk is content as it is, without dot-stuffing and end mark.
 *
 * RFC 3030, 2 wants chunks that are refused to be dropped, however many have
 * been sent ahead: they are no errors of the client's.  Only one that is
 * longer than anybody would send by mistake is not waited for.
 */


/* RFC 3030, 2: chunk-size ::= 1*DIGIT; more don't fit an off_t */
#define NGX_SMTP_BDAT_DIGITS  18

/*
 * How much longer than smtp_max_message_size a chunk may be to be read, only
 * for its reply: a gigabyte, as long as a sender that looks at no SIZE might
 * have it.
 */
#define NGX_SMTP_BDAT_EXCESS  1073741824


static void ngx_smtp_bdat_opened(ngx_smtp_session_t *s, ngx_int_t rc);
static ngx_int_t ngx_smtp_bdat_parse(ngx_smtp_session_t *s, ngx_str_t *args);
static ngx_uint_t ngx_smtp_bdat_refuse(ngx_smtp_session_t *s);
static void ngx_smtp_bdat_refused(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_bdat_end(ngx_smtp_session_t *s);


ngx_int_t
ngx_smtp_command_bdat(ngx_smtp_session_t *s, ngx_str_t *args)
{
    off_t           limit;
    ngx_int_t       rc;
    ngx_uint_t      first;
    ngx_smtp_tx_t  *tx;

    if (ngx_smtp_bdat_parse(s, args) != NGX_OK) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_BAD_CHUNK);
        return NGX_OK;
    }

    limit = ngx_smtp_rights_max_size(s);

    if (limit && s->chunk_left - NGX_SMTP_BDAT_EXCESS > limit) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_HUGE_CHUNK);
        return NGX_OK;
    }

    s->chunk_refused = ngx_smtp_bdat_refuse(s);
    s->input = ngx_smtp_bdat_input;

    if (s->chunk_refused) {
        return NGX_OK;
    }

    tx = s->tx;
    tx->chunked = 1;

    first = (tx->spool == NULL);

    if (first && ngx_smtp_message_start(tx) != NGX_OK) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_OK;
    }

    if (limit && s->chunk_left > limit - tx->bytes) {
        /* known before it comes: nothing of it is kept */
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_TOO_BIG);
        return NGX_OK;
    }

    if (!first) {
        return NGX_OK;
    }

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_OPEN, ngx_smtp_bdat_opened);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    (void) ngx_smtp_message_opened(tx, rc);

    return NGX_OK;
}


/* where nobody takes it, that is said when the chunk has gone by */

static void
ngx_smtp_bdat_opened(ngx_smtp_session_t *s, ngx_int_t rc)
{
    (void) ngx_smtp_message_opened(s->tx, rc);

    ngx_smtp_session_resume(s);
}


static ngx_int_t
ngx_smtp_bdat_parse(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char  *p, *last, *digits;

    p = args->data;
    last = p + args->len;

    digits = p;

    while (p < last && *p >= '0' && *p <= '9') { p++; }

    if (p == digits || p - digits > NGX_SMTP_BDAT_DIGITS) {
        return NGX_ERROR;
    }

    s->chunk_left = ngx_atoof(digits, p - digits);
    s->chunk_last = 0;

    if (p == last) {
        return NGX_OK;
    }

    while (p < last && *p == ' ') { p++; }

    if (p[-1] != ' ' || last - p != sizeof("LAST") - 1
        || ngx_strncasecmp(p, (u_char *) "LAST", sizeof("LAST") - 1) != 0)
    {
        return NGX_ERROR;
    }

    s->chunk_last = 1;

    return NGX_OK;
}


/*
 * The reply that is due once the octets have gone by, or 0.  What is asked of
 * other commands by their rows is asked here: the dispatcher would leave the
 * chunk behind.
 */

static ngx_uint_t
ngx_smtp_bdat_refuse(ngx_smtp_session_t *s)
{
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    if (!ngx_smtp_esmtp_enabled(s, NGX_SMTP_EXT_CHUNKING)) {
        return NGX_SMTP_REPLY_NOT_IMPLEMENTED;
    }

    if (s->service->starttls == NGX_SMTP_STARTTLS_ONLY && !s->tls) {
        return NGX_SMTP_REPLY_NEED_TLS;
    }

    if (ngx_smtp_session_unnamed(s)) {
        return s->service->lmtp ? NGX_SMTP_REPLY_NEED_LHLO
                                : NGX_SMTP_REPLY_NEED_HELO;
    }

    if (!s->esmtp) {
        return NGX_SMTP_REPLY_NEED_EHLO;
    }

    /* maybe behind a chunk, or behind recipients, that were refused */

    if (tx == NULL) {
        return NGX_SMTP_REPLY_CHUNK_NO_MAIL;
    }

    if (tx->nrcpts == 0) {
        return tx->nrefused ? NGX_SMTP_REPLY_CHUNK_NO_RCPT
                            : NGX_SMTP_REPLY_NEED_RCPT;
    }

    return 0;
}


ngx_int_t
ngx_smtp_bdat_input(ngx_smtp_session_t *s)
{
    size_t      n;
    u_char     *p, *last;
    ngx_buf_t  *b;
    ngx_str_t   piece;

    if (s->chunk_left == 0) {
        return ngx_smtp_bdat_end(s);
    }

    b = s->in;

    if (b == NULL || b->pos == b->last) {
        return (!s->chunk_refused && s->tx->pieces) ? ngx_smtp_message_flush(s)
                                                    : NGX_AGAIN;
    }

    n = ngx_min((off_t) (b->last - b->pos), s->chunk_left);

    p = b->pos;
    last = p + n;

    if (s->chunk_refused) {
        b->pos = last;
        s->chunk_left -= n;
        return NGX_OK;
    }

    while (ngx_smtp_chunk_decode(&s->tx->dot, &p, last, &piece) == NGX_OK) {

        ngx_smtp_message_piece(s->tx, &piece);

        if (s->tx->spool->full && !s->tx->failed) {
            s->chunk_left -= p - b->pos;
            b->pos = p;
            return ngx_smtp_message_flush(s);
        }
    }

    b->pos = last;
    s->chunk_left -= n;

    return NGX_OK;
}


static void
ngx_smtp_bdat_refused(ngx_smtp_session_t *s)
{
    /*
     * RFC 2033, 4.3: LAST has as many replies as recipients were accepted, and
     * that may be none.  A client that has sent all ahead counts them.
     */

    if (s->service->lmtp && s->chunk_last && s->helo.len
        && (s->tx == NULL || s->tx->nrcpts == 0))
    {
        return;
    }

    ngx_smtp_reply(s, s->chunk_refused);
}


static ngx_int_t
ngx_smtp_bdat_end(ngx_smtp_session_t *s)
{
    ngx_str_t       size, rest;
    ngx_smtp_tx_t  *tx;
    u_char          buf[NGX_OFF_T_LEN];

    tx = s->tx;

    s->input = ngx_smtp_command_input;

    if (s->connection->read->timer_set) {
        /* that of mail data */
        ngx_del_timer(s->connection->read);
    }

    if (s->chunk_refused) {
        ngx_smtp_bdat_refused(s);
        return NGX_OK;
    }

    if (s->chunk_last) {
        if (ngx_smtp_chunk_end(&tx->dot, &rest) == NGX_OK) {
            ngx_smtp_message_piece(tx, &rest);
        }

        return ngx_smtp_message_end(s);
    }

    if (tx->pieces) {
        /* they lie where the next command will be read to */
        s->input = ngx_smtp_bdat_input;
        return ngx_smtp_message_flush(s);
    }

    /*
     * RFC 3030, 2: a chunk that failed is answered so at once, and the
     * transaction is over.
     */

    if (tx->failed) {
        ngx_smtp_message_refuse(s);
        return NGX_OK;
    }

    size.data = buf;
    size.len = ngx_sprintf(buf, "%O", tx->bytes) - buf;

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_CHUNK_OK, &size);

    return NGX_OK;
}
