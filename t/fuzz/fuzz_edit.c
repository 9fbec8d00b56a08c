
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_edit.h>


/*
 * Editing: the first two octets of the input say what is done to which field,
 * the rest is the message.  However it is cut, what comes out is what a slow
 * model makes of it, and what was shown meanwhile is the same.
 */


typedef struct {
    fuzz_out_t         out;
    fuzz_out_t         seen;
    ngx_uint_t         actions;
    ngx_uint_t         insert;
    ngx_smtp_edit_e    mode;
    ngx_uint_t         drop;
    ngx_uint_t         inserted;
    ngx_uint_t         end;
} run_t;


static void run(run_t *r, const u_char *data, size_t size, ngx_uint_t way);
static void model(run_t *r, const u_char *p, const u_char *last);
static const u_char *model_field(run_t *r, ngx_uint_t n, const u_char *p,
    const u_char *colon, const u_char *last);
static const u_char *model_colon(const u_char *p, const u_char *last);
static ngx_smtp_edit_e action(run_t *r, u_char c);


static const u_char  inserted[] = "X-Inserted: a" CRLF ".b:" CRLF;
static const u_char  added[] = "X-Added: c" CRLF;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t       r, m;
    ngx_uint_t  way;

    if (size > FUZZ_INPUT_MAX || size < 2) {
        return 0;
    }

    memset(&m, 0, sizeof(run_t));

    m.actions = data[0];
    m.insert = data[1];

    model(&m, data + 2, data + size);

    for (way = 0; way < FUZZ_CUTS; way++) {
        memset(&r, 0, sizeof(run_t));

        r.actions = data[0];
        r.insert = data[1];

        run(&r, data + 2, size - 2, way);

        fuzz_check(fuzz_out_same(&r.out, m.out.data, m.out.len));
        fuzz_check(fuzz_out_same(&r.seen, m.seen.data, m.seen.len));
        fuzz_check(r.end == m.end);

        fuzz_out_free(&r.out);
        fuzz_out_free(&r.seen);
    }

    fuzz_out_free(&m.out);
    fuzz_out_free(&m.seen);

    return 0;
}


/* by the first letter of a field's name */

static ngx_smtp_edit_e
action(run_t *r, u_char c)
{
    ngx_uint_t  n;

    n = r->actions >> (c % 3 * 2);

    /* dropped behind its end, too: the highest bit */

    r->drop = r->actions >> 7;

    return (ngx_smtp_edit_e) (n & 3);
}


static ngx_smtp_edit_e
begin(ngx_smtp_edit_t *edit, ngx_str_t *name)
{
    run_t   *r;
    u_char  *copy;

    r = edit->data;

    copy = fuzz_copy(name->data, name->len);

    fuzz_out_add(&r->seen, copy, name->len);
    fuzz_out_add(&r->seen, ";", 1);

    r->mode = action(r, copy[0]);

    free(copy);

    if (edit->field == r->insert) {
        r->inserted = 1;
        ngx_smtp_edit_put(edit, (u_char *) inserted, sizeof(inserted) - 1);
    }

    return r->mode;
}


static void
body(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    run_t  *r;

    r = edit->data;

    fuzz_check(r->mode == NGX_SMTP_EDIT_WATCH);
    fuzz_check(p < last);

    fuzz_out_add(&r->seen, p, last - p);
}


static ngx_smtp_edit_e
end(ngx_smtp_edit_t *edit, ngx_str_t *field)
{
    run_t  *r;

    r = edit->data;

    fuzz_check(r->mode == NGX_SMTP_EDIT_WATCH
               || r->mode == NGX_SMTP_EDIT_HOLD_BACK);
    fuzz_check(r->mode == NGX_SMTP_EDIT_HOLD_BACK || field == NULL);

    if (field) {
        fuzz_check(field->len <= NGX_SMTP_EDIT_HOLD);
        fuzz_check(field->data[edit->name_len] == ':');
        fuzz_check(field->data[field->len - 1] == LF);

        fuzz_out_add(&r->seen, field->data, field->len);
    }

    fuzz_out_add(&r->seen, "}", 1);

    return r->drop ? NGX_SMTP_EDIT_DROP : NGX_SMTP_EDIT_PASS;
}


static void
last(ngx_smtp_edit_t *edit)
{
    run_t  *r;

    r = edit->data;

    if (!r->inserted) {
        ngx_smtp_edit_put(edit, (u_char *) inserted, sizeof(inserted) - 1);
    }

    ngx_smtp_edit_put(edit, (u_char *) added, sizeof(added) - 1);

    fuzz_out_add(&r->seen, "!", 1);
}


static void
write_out(void *data, u_char *p, size_t len)
{
    run_t  *r;

    r = data;

    fuzz_check(len > 0);
    fuzz_out_add(&r->out, p, len);
}


static const ngx_smtp_edit_handlers_t  handlers = { begin, body, end, last };


static void
run(run_t *r, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t            n, done;
    u_char           *p;
    fuzz_cut_t        cut;
    ngx_smtp_edit_t  *edit;

    edit = calloc(1, sizeof(ngx_smtp_edit_t));

    edit->handlers = &handlers;
    edit->write = write_out;
    edit->data = r;

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        if (edit->done) {
            fuzz_out_add(&r->out, p, n);

        } else {
            ngx_smtp_edit_feed(edit, p, p + n);
        }

        free(p);
    }

    r->end = ngx_smtp_edit_end(edit);

    fuzz_check(edit->done);
    fuzz_check(edit->dots == 1);

    free(edit);
}


static void
model(run_t *r, const u_char *p, const u_char *end)
{
    ngx_uint_t     n;
    const u_char  *colon;

    for (n = 0; p < end; n++) {
        colon = model_colon(p, end);

        if (colon == NULL) {
            break;
        }

        p = model_field(r, n, p, colon, end);
    }

    if (r->insert >= n) {
        fuzz_out_add(&r->out, inserted, sizeof(inserted) - 1);
    }

    fuzz_out_add(&r->out, added, sizeof(added) - 1);
    fuzz_out_add(&r->seen, "!", 1);

    r->end = (p == end);

    if (p < end && *p != LF && !(end - p > 1 && p[0] == CR && p[1] == LF)) {
        fuzz_out_add(&r->out, CRLF, 2);
    }

    fuzz_out_add(&r->out, p, end - p);
}


static const u_char *
model_colon(const u_char *p, const u_char *end)
{
    const u_char  *start;

    for (start = p; p < end && *p > ' ' && *p < 0x7f && *p != ':'; p++) {
        /* void */
    }

    if (p == start) {
        return NULL;
    }

    while (p < end && (*p == ' ' || *p == '\t')) { p++; }

    return (p < end && *p == ':' && p - start < NGX_SMTP_EDIT_HOLD) ? p : NULL;
}


static const u_char *
model_field(run_t *r, ngx_uint_t n, const u_char *p, const u_char *colon,
    const u_char *end)
{
    size_t            len;
    u_char           *text;
    ngx_uint_t        finished;
    const u_char     *lf, *next;
    ngx_smtp_edit_e   mode;

    /* up to a line end without white space behind it */

    next = colon;
    finished = 0;

    do {
        lf = memchr(next, LF, end - next);
        next = lf ? lf + 1 : end;
        finished = (lf != NULL);

    } while (next < end && (*next == ' ' || *next == '\t'));

    len = next - p + (finished ? 0 : 2);

    text = malloc(len);
    memcpy(text, p, next - p);

    if (!finished) {
        memcpy(text + (next - p), CRLF, 2);
    }

    for (lf = colon; lf[-1] == ' ' || lf[-1] == '\t'; lf--) { /* void */ }

    fuzz_out_add(&r->seen, p, lf - p);
    fuzz_out_add(&r->seen, ";", 1);

    if (n == r->insert) {
        fuzz_out_add(&r->out, inserted, sizeof(inserted) - 1);
    }

    mode = action(r, *p);

    if (mode == NGX_SMTP_EDIT_WATCH) {
        fuzz_out_add(&r->seen, text + (colon + 1 - p), len - (colon + 1 - p));
        fuzz_out_add(&r->seen, "}", 1);

    } else if (mode == NGX_SMTP_EDIT_HOLD_BACK) {

        if (len <= NGX_SMTP_EDIT_HOLD) {
            fuzz_out_add(&r->seen, text, len);
        }

        fuzz_out_add(&r->seen, "}", 1);

        mode = r->drop ? NGX_SMTP_EDIT_DROP : NGX_SMTP_EDIT_PASS;
    }

    if (mode != NGX_SMTP_EDIT_DROP) {
        fuzz_out_add(&r->out, text, len);
    }

    free(text);

    return next;
}
