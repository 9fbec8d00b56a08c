
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * Writes every reply: RFC 5321, 4.2; enhanced codes by RFC 2034.  Keeps for
 * the log the last negative one, or the one that accepts a message, and counts
 * what counts as an error.
 */


/* a batch of replies; more are allocated in steps of it */
#define NGX_SMTP_REPLY_BUFFER  1024

/* RFC 5321, 4.5.3.1.5: 512 octets with code, mark and CRLF */
#define NGX_SMTP_REPLY_LINE_MAX  (512 - (sizeof("250-X.XXX.XXX " CRLF) - 1))

/* what is kept of a negative reply for the log */
#define NGX_SMTP_REPLY_LOG_MAX  256


/* the flags of a row are written without their prefix */
enum {
    BARE = NGX_SMTP_REPLY_BARE,
    FAULT = NGX_SMTP_REPLY_FAULT,
    CLOSE = NGX_SMTP_REPLY_CLOSE
};


typedef struct {
    ngx_uint_t            code;
    ngx_smtp_enhanced_t   enhanced;
    ngx_uint_t            flags;
    ngx_str_t             text;
} ngx_smtp_reply_row_t;


#define ngx_smtp_reply_row(id, code, x, y, z, flags, text)                   \
    { code, { x, y, z }, flags, ngx_string(text) },

static const ngx_smtp_reply_row_t  ngx_smtp_reply_rows[] = {
    NGX_SMTP_REPLY_TABLE(ngx_smtp_reply_row)
};


static void ngx_smtp_reply_foreign(ngx_smtp_session_t *s,
    ngx_smtp_verdict_t *verdict, ngx_uint_t flags);
static void ngx_smtp_reply_write(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_uint_t flags, ngx_str_t *text);
static void ngx_smtp_reply_lines(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_uint_t flags, ngx_str_t *text);
static u_char *ngx_smtp_reply_line(ngx_smtp_session_t *s, ngx_uint_t code,
    u_char mark, const ngx_smtp_enhanced_t *enhanced, size_t len);
static u_char *ngx_smtp_reply_room(ngx_smtp_session_t *s, size_t len);
static void ngx_smtp_reply_note(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_str_t *text);
static u_char *ngx_smtp_reply_fill(u_char *p, size_t max,
    const ngx_str_t *text, ngx_str_t *arg);


void
ngx_smtp_reply(ngx_smtp_session_t *s, ngx_smtp_reply_e id)
{
    ngx_str_t                    text;
    const ngx_smtp_reply_row_t  *row;

    row = &ngx_smtp_reply_rows[id];
    text = row->text;

    ngx_smtp_reply_write(s, row->code, &row->enhanced, row->flags, &text);
}


void
ngx_smtp_reply_arg(ngx_smtp_session_t *s, ngx_smtp_reply_e id, ngx_str_t *arg)
{
    u_char                      *p;
    ngx_str_t                    text;
    const ngx_smtp_reply_row_t  *row;
    u_char                       buf[NGX_SMTP_REPLY_LINE_MAX];

    row = &ngx_smtp_reply_rows[id];

    p = ngx_smtp_reply_fill(buf, sizeof(buf), &row->text, arg);

    text.data = buf;
    text.len = p - buf;

    ngx_smtp_reply_write(s, row->code, &row->enhanced, row->flags, &text);
}


void
ngx_smtp_reply_verdict(ngx_smtp_session_t *s, ngx_smtp_verdict_t *verdict)
{
    ngx_smtp_reply_foreign(s, verdict, 0);
}


void
ngx_smtp_reply_verdict_bare(ngx_smtp_session_t *s, ngx_smtp_verdict_t *verdict)
{
    ngx_smtp_reply_foreign(s, verdict, NGX_SMTP_REPLY_BARE);
}


void
ngx_smtp_reply_verdict_utf8(ngx_smtp_session_t *s, ngx_smtp_verdict_t *verdict)
{
    ngx_smtp_reply_foreign(s, verdict, NGX_SMTP_REPLY_UTF8);
}


static void
ngx_smtp_reply_foreign(ngx_smtp_session_t *s, ngx_smtp_verdict_t *verdict,
    ngx_uint_t flags)
{
    ngx_smtp_enhanced_t  enhanced;

    enhanced = verdict->enhanced;

    if (enhanced.class != verdict->code / 100) {
        enhanced.class = verdict->code / 100;
        enhanced.subject = 0;
        enhanced.detail = 0;
    }

    /* strangers may guess names; a user's list may well have dead ones */

    if (verdict->code >= 500 && !s->authenticated && !s->trusted) {
        flags |= NGX_SMTP_REPLY_FAULT;
    }

    ngx_smtp_reply_write(s, verdict->code, &enhanced, flags, &verdict->text);

    if (s->leave) {
        s->closing = 1;
    }
}


void
ngx_smtp_reply_ehlo(ngx_smtp_session_t *s, ngx_str_t *lines)
{
    ngx_smtp_reply_write(s, 250, NULL, NGX_SMTP_REPLY_BARE, lines);
}


void
ngx_smtp_verdict_set(ngx_smtp_verdict_t *verdict, ngx_smtp_reply_e id)
{
    const ngx_smtp_reply_row_t  *row;

    row = &ngx_smtp_reply_rows[id];

    verdict->code = row->code;
    verdict->enhanced = row->enhanced;
    verdict->text = row->text;
}


ngx_int_t
ngx_smtp_verdict_set_arg(ngx_smtp_verdict_t *verdict, ngx_pool_t *pool,
    ngx_smtp_reply_e id, ngx_str_t *arg)
{
    u_char  *p;
    size_t   len;

    ngx_smtp_verdict_set(verdict, id);

    len = verdict->text.len + arg->len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    verdict->text.len = ngx_smtp_reply_fill(p, len, &verdict->text, arg) - p;
    verdict->text.data = p;

    return NGX_OK;
}


static u_char *
ngx_smtp_reply_fill(u_char *p, size_t max, const ngx_str_t *text,
    ngx_str_t *arg)
{
    size_t   head, tail;
    u_char  *mark;

    mark = ngx_strlchr(text->data, text->data + text->len, '%');

    if (mark == NULL) {
        return ngx_cpymem(p, text->data, ngx_min(text->len, max));
    }

    head = mark - text->data;
    tail = text->len - head - 1;

    p = ngx_cpymem(p, text->data, head);
    p = ngx_cpymem(p, arg->data, ngx_min(arg->len, max - head - tail));

    return ngx_cpymem(p, mark + 1, tail);
}


static void
ngx_smtp_reply_write(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_uint_t flags, ngx_str_t *text)
{
    if (s->closing || s->closed) {
        return;
    }

    if (flags & NGX_SMTP_REPLY_BARE) {
        enhanced = NULL;
    }

    if (code >= 400 || (s->tx && s->tx->result == NGX_SMTP_TX_ACCEPTED)) {
        ngx_smtp_reply_note(s, code, enhanced, text);
    }

    ngx_smtp_reply_lines(s, code, enhanced, flags, text);

    if (flags & NGX_SMTP_REPLY_CLOSE) {
        s->closing = 1;
        return;
    }

    if (!(flags & NGX_SMTP_REPLY_FAULT)) {
        return;
    }

    s->slowed = 1;

    if (++s->errors >= s->service->max_errors) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client made too many errors: %ui", s->errors);

        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_ERRORS);
    }
}


static void
ngx_smtp_reply_lines(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_uint_t flags, ngx_str_t *text)
{
    u_char     *p, *last, *end, *dst;
    ngx_str_t   line;

    p = text->data;
    last = p + text->len;

    for ( ;; ) {
        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            end = last;
        }

        line.data = p;
        line.len = ngx_min((size_t) (end - p), NGX_SMTP_REPLY_LINE_MAX);

        dst = ngx_smtp_reply_line(s, code, end == last ? ' ' : '-', enhanced,
                                  line.len);
        if (dst == NULL) {
            s->closing = 1;
            return;
        }

        dst = (flags & NGX_SMTP_REPLY_UTF8)
              ? ngx_smtp_answer_text_utf8_copy(dst, line.len, &line)
              : ngx_smtp_answer_text_copy(dst, line.len, &line);

        *dst++ = CR; *dst++ = LF;

        s->out->last = dst;

        if (end == last) {
            return;
        }

        p = end + 1;
    }
}


/* the place for len octets of text and CRLF, behind the codes */

static u_char *
ngx_smtp_reply_line(ngx_smtp_session_t *s, ngx_uint_t code, u_char mark,
    const ngx_smtp_enhanced_t *enhanced, size_t len)
{
    u_char  *p;

    p = ngx_smtp_reply_room(s, len + sizeof("250-X.XXX.XXX " CRLF) - 1);
    if (p == NULL) {
        return NULL;
    }

    p = ngx_sprintf(p, "%ui%c", code, mark);

    if (enhanced && enhanced->class) {
        p = ngx_sprintf(p, "%ud.%ud.%ud ", (unsigned) enhanced->class,
                        (unsigned) enhanced->subject,
                        (unsigned) enhanced->detail);
    }

    return p;
}


static u_char *
ngx_smtp_reply_room(ngx_smtp_session_t *s, size_t len)
{
    size_t      used, size;
    ngx_buf_t  *b;

    b = s->out;

    if (b && (size_t) (b->end - b->last) >= len) {
        return b->last;
    }

    used = b ? b->last - b->pos : 0;
    size = ngx_align(used + len, NGX_SMTP_REPLY_BUFFER);

    b = ngx_calloc(sizeof(ngx_buf_t) + size, s->connection->log);
    if (b == NULL) {
        return NULL;
    }

    b->start = (u_char *) b + sizeof(ngx_buf_t);
    b->end = b->start + size;
    b->pos = b->start;
    b->last = b->pos;

    if (s->out) {
        b->last = ngx_cpymem(b->last, s->out->pos, used);
        ngx_free(s->out);
    }

    s->out = b;

    return b->last;
}


static void
ngx_smtp_reply_note(ngx_smtp_session_t *s, ngx_uint_t code,
    const ngx_smtp_enhanced_t *enhanced, ngx_str_t *text)
{
    u_char     *p;
    ngx_str_t   line;
    u_char      buf[NGX_SMTP_REPLY_LOG_MAX];

    p = ngx_sprintf(buf, "%ui ", code);

    if (enhanced && enhanced->class) {
        p = ngx_sprintf(p, "%ud.%ud.%ud ", (unsigned) enhanced->class,
                        (unsigned) enhanced->subject,
                        (unsigned) enhanced->detail);
    }

    p = ngx_smtp_answer_text_copy(p, buf + sizeof(buf) - p, text);

    line.data = buf;
    line.len = p - buf;

    if (code >= 400) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "refused: \"%V\"", &line);
        s->refused = 1;
    }

    if (s->tx == NULL) {
        (void) ngx_smtp_session_set(&s->refusal, &line);
        return;
    }

    s->tx->status = code;

    /* one place for the last one, however many there are */

    if (s->tx->reply.data == NULL) {
        s->tx->reply.data = ngx_pnalloc(s->tx->pool, NGX_SMTP_REPLY_LOG_MAX);
        if (s->tx->reply.data == NULL) {
            return;
        }
    }

    ngx_memcpy(s->tx->reply.data, line.data, line.len);
    s->tx->reply.len = line.len;
}


ngx_int_t
ngx_smtp_reply_flush(ngx_smtp_session_t *s)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    b = s->out;

    if (b == NULL) {
        return NGX_OK;
    }

    c = s->connection;

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        b->pos += n;
    }

    ngx_free(b);
    s->out = NULL;

    return NGX_OK;
}
