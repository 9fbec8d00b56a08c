
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_edit.h>


/*
 * The header section of RFC 5322, 2.2, field by field.  Where the input is cut
 * inside of a name, or of an empty line, these few octets wait in hold, since
 * what is to be put may have to stand before them.
 *
 * What a field is must be the same as for ngx_smtp_header.c and for whoever
 * reads the message later: in doubt a line is the body's, and is kept apart
 * from the header by an empty line.
 */


typedef enum {
    ngx_smtp_edit_line = 0,      /* a line begins */
    ngx_smtp_edit_name,
    ngx_smtp_edit_name_wsp,      /* obsolete: between name and colon, 4.5 */
    ngx_smtp_edit_cr,            /* a CR began the line, and is held */
    ngx_smtp_edit_body
} ngx_smtp_edit_state_e;


static u_char *ngx_smtp_edit_begin_line(ngx_smtp_edit_t *edit, u_char *p,
    u_char *last);
static u_char *ngx_smtp_edit_in_name(ngx_smtp_edit_t *edit, u_char *p,
    u_char *last);
static u_char *ngx_smtp_edit_begin_field(ngx_smtp_edit_t *edit, u_char *start,
    u_char *colon);
static void ngx_smtp_edit_hold(ngx_smtp_edit_t *edit, u_char *p,
    u_char *last);
static void ngx_smtp_edit_held(ngx_smtp_edit_t *edit, ngx_smtp_edit_e mode);
static u_char *ngx_smtp_edit_in_body(ngx_smtp_edit_t *edit, u_char *p,
    u_char *last);
static void ngx_smtp_edit_end_field(ngx_smtp_edit_t *edit);
static void ngx_smtp_edit_end_section(ngx_smtp_edit_t *edit,
    ngx_uint_t empty_line);
static void ngx_smtp_edit_flush(ngx_smtp_edit_t *edit);
static void ngx_smtp_edit_write(ngx_smtp_edit_t *edit, u_char *p, size_t len);


#define ngx_smtp_edit_is_wsp(c)  ((c) == ' ' || (c) == '\t')


void
ngx_smtp_edit_feed(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    edit->from = p;
    edit->to = p;

    while (p < last && !edit->done) {

        switch (edit->state) {

        case ngx_smtp_edit_line:
            p = ngx_smtp_edit_begin_line(edit, p, last);
            break;

        case ngx_smtp_edit_cr:

            ngx_smtp_edit_end_section(edit, *p == LF);
            break;

        case ngx_smtp_edit_name:
        case ngx_smtp_edit_name_wsp:
            p = ngx_smtp_edit_in_name(edit, p, last);
            break;

        default: /* ngx_smtp_edit_body */
            p = ngx_smtp_edit_in_body(edit, p, last);
        }
    }

    if (edit->done) {
        edit->to = last;
    }

    ngx_smtp_edit_flush(edit);
}


static u_char *
ngx_smtp_edit_begin_line(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    if (ngx_smtp_edit_is_wsp(*p) && edit->begun) {
        edit->state = ngx_smtp_edit_body;
        return p;
    }

    ngx_smtp_edit_end_field(edit);

    if (*p == LF || (*p == CR && last - p > 1)) {
        ngx_smtp_edit_end_section(edit, *p == LF || p[1] == LF);
        return p;
    }

    if (*p == CR) {

        /* what comes next decides */

        ngx_smtp_edit_flush(edit);

        edit->hold[0] = CR;
        edit->len = 1;
        edit->state = ngx_smtp_edit_cr;
        edit->from = p + 1;
        edit->to = p + 1;

        return p + 1;
    }

    edit->state = ngx_smtp_edit_name;

    return p;
}


/* up to the colon, or to what no name has */

static u_char *
ngx_smtp_edit_in_name(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    for ( /* void */ ; p < last; p++) {

        if (*p == ':') {

            if (p == start && edit->len == 0) {
                break;
            }

            return ngx_smtp_edit_begin_field(edit, start, p);
        }

        if (ngx_smtp_edit_is_wsp(*p)) {

            if (p == start && edit->len == 0) {
                break;
            }

            edit->state = ngx_smtp_edit_name_wsp;
            continue;
        }

        if (edit->state == ngx_smtp_edit_name_wsp || *p < ' ' || *p >= 0x7f) {
            break;
        }
    }

    if (p < last || edit->len + (p - start) >= NGX_SMTP_EDIT_HOLD) {
        ngx_smtp_edit_end_section(edit, 0);
        return start;
    }

    ngx_smtp_edit_flush(edit);
    ngx_smtp_edit_hold(edit, start, last);

    edit->from = last;
    edit->to = last;

    return last;
}


static u_char *
ngx_smtp_edit_begin_field(ngx_smtp_edit_t *edit, u_char *start, u_char *colon)
{
    ngx_str_t  name;

    if (edit->len + (colon + 1 - start) > NGX_SMTP_EDIT_HOLD) {
        ngx_smtp_edit_end_section(edit, 0);
        return start;
    }

    if (edit->len) {

        /* it was cut: nothing of this piece has passed yet */

        ngx_smtp_edit_hold(edit, start, colon + 1);

        name.data = edit->hold;
        name.len = edit->len - 1;

        edit->from = colon + 1;
        edit->to = colon + 1;

    } else {
        name.data = start;
        name.len = colon - start;
    }

    edit->name_len = name.len;

    while (ngx_smtp_edit_is_wsp(name.data[name.len - 1])) { name.len--; }

    edit->begun = 1;
    edit->state = ngx_smtp_edit_body;
    edit->mode = edit->handlers->begin(edit, &name);

    if (edit->mode == NGX_SMTP_EDIT_HOLD_BACK) {

        if (edit->len == 0) {
            ngx_smtp_edit_flush(edit);
            ngx_smtp_edit_hold(edit, start, colon + 1);
        }

    } else if (edit->mode == NGX_SMTP_EDIT_DROP) {
        ngx_smtp_edit_flush(edit);
        edit->len = 0;

    } else {
        ngx_smtp_edit_write(edit, edit->hold, edit->len);
        edit->len = 0;
        edit->to = colon + 1;

        return colon + 1;
    }

    edit->from = colon + 1;
    edit->to = colon + 1;

    return colon + 1;
}


static void
ngx_smtp_edit_hold(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    ngx_memcpy(edit->hold + edit->len, p, last - p);
    edit->len += last - p;
}


/* up to the end of the line */

static u_char *
ngx_smtp_edit_in_body(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    u_char  *lf;

    lf = memchr(p, LF, last - p);

    if (lf) {
        last = lf + 1;
        edit->state = ngx_smtp_edit_line;
    }

    if (edit->mode == NGX_SMTP_EDIT_HOLD_BACK
        && edit->len + (last - p) > NGX_SMTP_EDIT_HOLD)
    {
        ngx_smtp_edit_held(edit, edit->handlers->end(edit, NULL));
    }

    switch (edit->mode) {

    case NGX_SMTP_EDIT_HOLD_BACK:
        ngx_smtp_edit_hold(edit, p, last);

        /* fall through */

    case NGX_SMTP_EDIT_DROP:
        edit->from = last;
        break;

    case NGX_SMTP_EDIT_WATCH:
        edit->handlers->body(edit, p, last);
        break;

    default: /* NGX_SMTP_EDIT_PASS */
        break;
    }

    edit->to = last;

    return last;
}


/* what becomes of what is held */

static void
ngx_smtp_edit_held(ngx_smtp_edit_t *edit, ngx_smtp_edit_e mode)
{
    if (mode != NGX_SMTP_EDIT_DROP) {
        mode = NGX_SMTP_EDIT_PASS;
        ngx_smtp_edit_write(edit, edit->hold, edit->len);
    }

    edit->mode = mode;
    edit->len = 0;
}


static void
ngx_smtp_edit_end_field(ngx_smtp_edit_t *edit)
{
    ngx_str_t  field;

    if (!edit->begun) {
        return;
    }

    if (edit->mode == NGX_SMTP_EDIT_HOLD_BACK) {
        field.data = edit->hold;
        field.len = edit->len;

        ngx_smtp_edit_held(edit, edit->handlers->end(edit, &field));

    } else if (edit->mode == NGX_SMTP_EDIT_WATCH) {
        (void) edit->handlers->end(edit, NULL);
    }

    edit->begun = 0;
    edit->field++;
}


/* nothing of the line that ends it has been written; some may be in hold */

static void
ngx_smtp_edit_end_section(ngx_smtp_edit_t *edit, ngx_uint_t empty_line)
{
    edit->handlers->last(edit);

    ngx_smtp_edit_flush(edit);

    if (!empty_line) {
        ngx_smtp_edit_write(edit, (u_char *) CRLF, sizeof(CRLF) - 1);
    }

    if (edit->fold) {
        ngx_smtp_fold_end(edit->fold);
    }

    edit->done = 1;

    ngx_smtp_edit_write(edit, edit->hold, edit->len);

    edit->len = 0;
}


ngx_uint_t
ngx_smtp_edit_end(ngx_smtp_edit_t *edit)
{
    u_char  *p;

    if (edit->done) {
        return 0;
    }

    if (edit->state == ngx_smtp_edit_body) {
        p = (u_char *) CRLF;
        ngx_smtp_edit_feed(edit, p, p + sizeof(CRLF) - 1);
    }

    if (edit->state != ngx_smtp_edit_line) {

        /* an unfinished line that is no field, as far as can be told */

        ngx_smtp_edit_end_section(edit, 0);
        return 0;
    }

    ngx_smtp_edit_end_field(edit);

    edit->handlers->last(edit);

    if (edit->fold) {
        ngx_smtp_fold_end(edit->fold);
    }

    edit->done = 1;

    return 1;
}


void
ngx_smtp_edit_put(ngx_smtp_edit_t *edit, u_char *p, size_t len)
{
    size_t  i, start;

    ngx_smtp_edit_flush(edit);

    start = 0;

    for (i = 0; i < len; i++) {
        if (p[i] == '.' && (i == 0 || p[i - 1] == LF)) {
            ngx_smtp_edit_write(edit, p + start, i - start);
            start = i;
            edit->dots++;
        }
    }

    ngx_smtp_edit_write(edit, p + start, len - start);
}


static void
ngx_smtp_edit_flush(ngx_smtp_edit_t *edit)
{
    ngx_smtp_edit_write(edit, edit->from, edit->to - edit->from);

    edit->from = edit->to;
}


static void
ngx_smtp_edit_write(ngx_smtp_edit_t *edit, u_char *p, size_t len)
{
    if (len == 0) {
        return;
    }

    if (edit->fold && !edit->done) {
        ngx_smtp_fold_feed(edit->fold, p, p + len);

    } else {
        edit->write(edit->data, p, len);
    }
}
