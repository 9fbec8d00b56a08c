
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_edit.h>
#include <tap.h>


/*
 * Editing a header section.  What is to be done is a list of operations, those
 * of the hooks to come among them: fields are added, inserted at an index,
 * changed and deleted by name and index.  "|" is CRLF, "a*3" is "aaa".
 */


#define OUT_MAX  65536


typedef enum {
    OP_END = 0,
    OP_DROP,                     /* all of this name */
    OP_WATCH,
    OP_HOLD,                     /* ... and let pass */
    OP_HOLD_DROP,
    OP_HOLD_PUT,                 /* put the text before it, and let it pass */
    OP_WATCH_PUT,                /* put the text behind it */
    OP_DELETE,                   /* the index-th of this name, from 1 on */
    OP_CHANGE,                   /* ... is replaced by the text */
    OP_INSERT,                   /* the text before the index-th of all, from 0
                                    on, or at the end */
    OP_ADD                       /* the text at the end */
} op_e;


typedef struct {
    op_e         kind;
    const char  *name;
    ngx_uint_t   index;
    const char  *text;
} op_t;


typedef struct {
    const char  *name;
    const char  *in;
    const char  *out;            /* NULL: the same */
    const char  *seen;           /* "name;" of each, "[body]" of watched ones,
                                    "{field}" of those held back; may be NULL */
    op_t         ops[4];
} row_t;


typedef struct {
    u_char       data[OUT_MAX];
    size_t       len;
} out_t;


typedef struct {
    out_t        out;
    out_t        seen;
    op_t        *ops;
    op_t        *op;             /* of the present field */
    ngx_uint_t   counts[4];
    ngx_uint_t   inserted[4];
    ngx_uint_t   end;            /* result of ngx_smtp_edit_end() */
    ngx_uint_t   done;
    ngx_uint_t   dots;
    ngx_uint_t   fields;
    ngx_uint_t   inner_dots;     /* lines in a write, but for its first */
} run_t;


static row_t  rows[] = {

    { "nothing is done",
      "A: b|C: d| e|F:|\tg||body|", NULL, "A;C;F;", { { OP_END } } },

    { "no field at all",
      "|body|", NULL, "", { { OP_END } } },

    { "a body without a header gets its empty line",
      "body here|more|", "|body here|more|", "", { { OP_END } } },

    { "so does one behind a header",
      "A: b|body here|", "A: b||body here|", "A;", { { OP_END } } },

    { "a folded line is no first one",
      " A: b|C: d|", "| A: b|C: d|", "", { { OP_END } } },

    { "a colon is no name",
      "A: b|: c|", "A: b||: c|", "A;", { { OP_END } } },

    { "a name has no 8-bit octets",
      "A: b|\xc3\x84: c|", "A: b||\xc3\x84: c|", "A;", { { OP_END } } },

    { "a name has no space in it",
      "A: b|C d: e|", "A: b||C d: e|", "A;", { { OP_END } } },

    { "one behind it is obsolete",
      "A : b|C \t : d||", NULL, "A;C;", { { OP_END } } },

    { "no body",
      "A: b|C: d|", NULL, "A;C;", { { OP_END } } },

    { "an unfinished field is finished",
      "A: b|C: d", "A: b|C: d|", "A;C;", { { OP_END } } },

    { "an unfinished name is none",
      "A: b|Cd", "A: b||Cd", "A;", { { OP_END } } },

    { "an unfinished empty line is none",
      "A: b|\r", "A: b||\r", "A;", { { OP_END } } },

    { "a CR begins a line that is no field",
      "A: b|\rC: d|", "A: b||\rC: d|", "A;", { { OP_END } } },

    { "a bare LF ends a line",
      "A: b\n c\nD: e\n\nF: g\n", NULL, "A;D;", { { OP_END } } },

    { "a dot in front is a name",
      ".A: b|.C: d||.e|", NULL, ".A;.C;", { { OP_END } } },

    { "a field is dropped",
      "A: b|Bcc: c|D: e||Bcc: f|", "A: b|D: e||Bcc: f|", "A;Bcc;D;",
      { { OP_DROP, "Bcc", 0, NULL } } },

    { "with all of its lines",
      "Bcc: c,| d,|\te|A: b||f|", "A: b||f|", NULL,
      { { OP_DROP, "Bcc", 0, NULL } } },

    { "in any case of letters, with the obsolete space",
      "A: b|bCC : c| d||f|", "A: b||f|", NULL,
      { { OP_DROP, "Bcc", 0, NULL } } },

    { "as often as it is there",
      "Bcc: a|Bcc: b|C: d|Bcc: e|", "C: d|", NULL,
      { { OP_DROP, "Bcc", 0, NULL } } },

    { "where it is the last line, unfinished",
      "C: d|Bcc: e", "C: d|", NULL, { { OP_DROP, "Bcc", 0, NULL } } },

    { "where it is all there is",
      "Bcc: e||", "|", NULL, { { OP_DROP, "Bcc", 0, NULL } } },

    { "names that begin so are others",
      "Bcc-X: a|Bc: b|Bccc: c||", NULL, NULL,
      { { OP_DROP, "Bcc", 0, NULL } } },

    { "a field is watched",
      "A: b|From: a@b,| c@d|E: f||g", NULL, "A;From;[ a@b,| c@d|]E;",
      { { OP_WATCH, "From", 0, NULL } } },

    { "one without a body",
      "From:|", NULL, "From;[|]", { { OP_WATCH, "From", 0, NULL } } },

    { "an unfinished one",
      "From: a", "From: a|", "From;[ a|]", { { OP_WATCH, "From", 0, NULL } } },

    { "behind a watched one there is something put",
      "From: a| b|C: d|", "From: a| b|X: y|C: d|", "From;[ a| b|]C;",
      { { OP_WATCH_PUT, "From", 0, "X: y|" } } },

    { "a field is held back",
      "A: b|From : c| d|E: f||", NULL, "A;From;{From : c| d|}E;",
      { { OP_HOLD, "From", 0, NULL } } },

    { "and dropped",
      "A: b|From: c| d|E: f||", "A: b|E: f||", "A;From;{From: c| d|}E;",
      { { OP_HOLD_DROP, "From", 0, NULL } } },

    { "before one that is held back something is put",
      "A: b|From: c|E: f||", "A: b|X: y|From: c|E: f||", NULL,
      { { OP_HOLD_PUT, "From", 0, "X: y|" } } },

    { "at the end of the section",
      "From: c||d|", NULL, "From;{From: c|}",
      { { OP_HOLD, "From", 0, NULL } } },

    { "at the end of all",
      "From: c", "From: c|", "From;{From: c|}",
      { { OP_HOLD, "From", 0, NULL } } },

    { "as much as can be held back",
      "From:x*4089||y|", NULL, "From;{From:x*4089|}",
      { { OP_HOLD, "From", 0, NULL } } },

    { "more is not",
      "From:x*4090|A: b||y|", NULL, "From;{}A;",
      { { OP_HOLD, "From", 0, NULL } } },

    { "but may be dropped all the same",
      "From:x*3000|\ty*3000|A: b||y|", "A: b||y|", "From;{}A;",
      { { OP_HOLD_DROP, "From", 0, NULL } } },

    { "as long as a name may be",
      "n*4095:o|A: b||", NULL, NULL, { { OP_WATCH, "A", 0, NULL } } },

    { "longer ones are the body's",
      "A: b|n*4096:o|C: d|", "A: b||n*4096:o|C: d|", "A;", { { OP_END } } },

    { "a field is added",
      "A: b|C: d||e|", "A: b|C: d|X: y||e|", NULL,
      { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where there is no body",
      "A: b|", "A: b|X: y|", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where the last line has no end",
      "A: b", "A: b|X: y|", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where there is nothing",
      "", "X: y|", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where there is no header",
      "|e|", "X: y||e|", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where there is not even an empty line",
      "e f|", "X: y||e f|", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "behind an unfinished name, which is none",
      "A: b|Cd", "A: b|X: y||Cd", NULL, { { OP_ADD, NULL, 0, "X: y|" } } },

    { "where the last field is dropped",
      "A: b|Bcc: c||", "A: b|X: y||", NULL,
      { { OP_DROP, "Bcc", 0, NULL }, { OP_ADD, NULL, 0, "X: y|" } } },

    { "with bare LF, too",
      "A: b\n\nc\n", "A: b\nX: y|\nc\n", NULL,
      { { OP_ADD, NULL, 0, "X: y|" } } },

    { "two are added",
      "A: b||", "A: b|X: y|Z: z| w||", NULL,
      { { OP_ADD, NULL, 0, "X: y|" }, { OP_ADD, NULL, 0, "Z: z| w|" } } },

    { "inserted at the top",
      "A: b|C: d||e|", "X: y|A: b|C: d||e|", NULL,
      { { OP_INSERT, NULL, 0, "X: y|" } } },

    { "at the top of nothing",
      "|e|", "X: y||e|", NULL, { { OP_INSERT, NULL, 0, "X: y|" } } },

    { "inserted before the second",
      "A: b| c|D: e|F: g||", "A: b| c|X: y|D: e|F: g||", NULL,
      { { OP_INSERT, NULL, 1, "X: y|" } } },

    { "inserted behind the last",
      "A: b|C: d||", "A: b|C: d|X: y||", NULL,
      { { OP_INSERT, NULL, 2, "X: y|" } } },

    { "inserted far behind",
      "A: b|C: d||", "A: b|C: d|X: y||", NULL,
      { { OP_INSERT, NULL, 20, "X: y|" } } },

    { "inserted before a long name",
      "A: b|n*3000:o||", "A: b|X: y|n*3000:o||", NULL,
      { { OP_INSERT, NULL, 1, "X: y|" } } },

    { "inserted before one that is dropped",
      "A: b|Bcc: c|D: e||", "A: b|X: y|D: e||", NULL,
      { { OP_INSERT, NULL, 1, "X: y|" }, { OP_DROP, "Bcc", 0, NULL } } },

    { "changed",
      "A: b|Subject: c| d|E: f||", "A: b|Subject: x|E: f||", NULL,
      { { OP_CHANGE, "subject", 1, "Subject: x|" } } },

    { "the second one is changed",
      "A: b|A: c|A: d||", "A: b|A: x|A: d||", NULL,
      { { OP_CHANGE, "A", 2, "A: x|" } } },

    { "there is no third one",
      "A: b|A: c||", NULL, NULL, { { OP_CHANGE, "A", 3, "A: x|" } } },

    { "deleted",
      "A: b|A: c|A: d||", "A: b|A: d||", NULL,
      { { OP_DELETE, "A", 2, NULL } } },

    { "all at once",
      "A: b|Subject: c|Bcc: d|E: f||A: g|",
      "T: t|A: b|Subject: x|E: f|X: y||A: g|", NULL,
      { { OP_INSERT, NULL, 0, "T: t|" }, { OP_CHANGE, "Subject", 1,
          "Subject: x|" }, { OP_DELETE, "Bcc", 1, NULL },
        { OP_ADD, NULL, 0, "X: y|" } } }
};


static void
out_write(void *data, u_char *p, size_t len)
{
    out_t  *out;

    out = data;

    if (len == 0 || len > OUT_MAX - out->len) {
        abort();
    }

    ngx_memcpy(out->data + out->len, p, len);
    out->len += len;
}


static void
expand(out_t *out, const char *p)
{
    long     n;
    char    *end;
    u_char   c;

    for (out->len = 0; *p; p++) {
        c = *p;

        if (c == '|') {
            out_write(out, (u_char *) CRLF, 2);
            continue;
        }

        n = 1;

        if (p[1] == '*') {
            n = strtol(p + 2, &end, 10);
            p = end - 1;
        }

        for ( /* void */ ; n; n--) {
            out_write(out, &c, 1);
        }
    }
}


static void
put(ngx_smtp_edit_t *edit, const char *text)
{
    u_char        *copy;
    static out_t   expanded;

    expand(&expanded, text);

    copy = tap_copy(expanded.data, expanded.len);
    ngx_smtp_edit_put(edit, copy, expanded.len);
    free(copy);
}


static void
insert(ngx_smtp_edit_t *edit, run_t *run, ngx_uint_t max)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        if (run->ops[i].kind == OP_INSERT && run->ops[i].index <= max
            && !run->inserted[i])
        {
            run->inserted[i] = 1;
            put(edit, run->ops[i].text);
        }
    }
}


static ngx_smtp_edit_e
begin(ngx_smtp_edit_t *edit, ngx_str_t *name)
{
    op_t        *op;
    run_t       *run;
    u_char      *copy;
    ngx_uint_t   i;

    run = edit->data;
    run->op = NULL;

    copy = tap_copy(name->data, name->len);
    out_write(&run->seen, copy, name->len);
    out_write(&run->seen, (u_char *) ";", 1);

    insert(edit, run, edit->field);

    for (i = 0; i < 4; i++) {
        op = &run->ops[i];

        if (op->name == NULL || ngx_strlen(op->name) != name->len
            || ngx_strncasecmp(copy, (u_char *) op->name, name->len) != 0)
        {
            continue;
        }

        if (op->index && ++run->counts[i] != op->index) {
            continue;
        }

        run->op = op;
        break;
    }

    free(copy);

    if (run->op == NULL) {
        return NGX_SMTP_EDIT_PASS;
    }

    switch (run->op->kind) {

    case OP_WATCH:
    case OP_WATCH_PUT:
        out_write(&run->seen, (u_char *) "[", 1);
        return NGX_SMTP_EDIT_WATCH;

    case OP_HOLD:
    case OP_HOLD_DROP:
    case OP_HOLD_PUT:
        out_write(&run->seen, (u_char *) "{", 1);
        return NGX_SMTP_EDIT_HOLD_BACK;

    case OP_CHANGE:
        put(edit, run->op->text);
        return NGX_SMTP_EDIT_DROP;

    default:
        return NGX_SMTP_EDIT_DROP;
    }
}


static void
body(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    run_t  *run;

    run = edit->data;

    out_write(&run->seen, p, last - p);
}


static ngx_smtp_edit_e
end(ngx_smtp_edit_t *edit, ngx_str_t *field)
{
    run_t  *run;

    run = edit->data;

    if (run->op->kind == OP_WATCH || run->op->kind == OP_WATCH_PUT) {
        out_write(&run->seen, (u_char *) "]", 1);

        if (run->op->text) {
            put(edit, run->op->text);
        }

        return field ? NGX_SMTP_EDIT_DROP : NGX_SMTP_EDIT_PASS;
    }

    if (field) {
        out_write(&run->seen, field->data, field->len);

        if (field->data[edit->name_len] != ':') {
            out_write(&run->seen, (u_char *) "!", 1);
        }
    }

    out_write(&run->seen, (u_char *) "}", 1);

    if (run->op->text) {
        put(edit, run->op->text);
    }

    return run->op->kind == OP_HOLD_DROP ? NGX_SMTP_EDIT_DROP
                                         : NGX_SMTP_EDIT_PASS;
}


static void
last(ngx_smtp_edit_t *edit)
{
    run_t       *run;
    ngx_uint_t   i;

    run = edit->data;

    insert(edit, run, (ngx_uint_t) -1);

    for (i = 0; i < 4; i++) {
        if (run->ops[i].kind == OP_ADD) {
            put(edit, run->ops[i].text);
        }
    }
}


static void
write_out(void *data, u_char *p, size_t len)
{
    run_t   *run;
    size_t   i;

    run = data;

    for (i = 1; i < len; i++) {
        run->inner_dots += (p[i] == '.' && p[i - 1] == LF);
    }

    out_write(&run->out, p, len);
}


static const ngx_smtp_edit_handlers_t  handlers = { begin, body, end, last };


/* in pieces: the first of n octets, the others of step; 0: all the rest */

static void
run(run_t *run, op_t *ops, out_t *in, size_t n, size_t step,
    ngx_smtp_fold_t *fold)
{
    size_t                   i;
    u_char                  *copy;
    static ngx_smtp_edit_t   edit;

    ngx_memzero(&edit, sizeof(ngx_smtp_edit_t));
    ngx_memzero(run->counts, sizeof(run->counts));
    ngx_memzero(run->inserted, sizeof(run->inserted));

    edit.handlers = &handlers;
    edit.write = write_out;
    edit.data = run;
    edit.fold = fold;

    run->out.len = 0;
    run->seen.len = 0;
    run->ops = ops;

    for (i = 0; i < in->len; i += n, n = step) {

        if (n == 0 || n > in->len - i) {
            n = in->len - i;
        }

        copy = tap_copy(in->data + i, n);

        if (edit.done) {
            write_out(run, copy, n);

        } else {
            ngx_smtp_edit_feed(&edit, copy, copy + n);
        }

        free(copy);
    }

    run->done = edit.done;
    run->end = ngx_smtp_edit_end(&edit);
    run->dots = edit.dots;
    run->fields = edit.field;
}


static ngx_uint_t
run_row(row_t *row)
{
    size_t        i;
    ngx_uint_t    ok;
    static out_t  in, expected, seen;
    static run_t  r;

    expand(&in, row->in);
    expand(&expected, row->out ? row->out : row->in);
    expand(&seen, row->seen ? row->seen : "");

    for (ok = 1, i = 0; ok && i < in.len + 8; i++) {

        if (i < in.len || in.len == 0) {
            run(&r, row->ops, &in, i, 0, NULL);

        } else {
            run(&r, row->ops, &in, i - in.len + 1, i - in.len + 1, NULL);
        }

        ok = tap_same(r.out.data, r.out.len, expected.data, expected.len)
             && (row->seen == NULL
                 || tap_same(r.seen.data, r.seen.len, seen.data, seen.len));
    }

    if (!ok) {
        tap_diag_number("cut at", i - 1);
        tap_diag("got", r.out.data, r.out.len);
        tap_diag("seen", r.seen.data, r.seen.len);
    }

    return ok;
}


static void
test_rest(void)
{
    static out_t     in, expected;
    static run_t     r;
    static op_t      none[4];
    static op_t      dots[4] = { { OP_ADD, NULL, 0, ".A: b|C: d|.E: f|.g|" } };
    ngx_smtp_fold_t  fold;

    expand(&in, "A: b|C: d||e|");
    run(&r, none, &in, 0, 0, NULL);
    tap_ok(r.done == 1 && r.end == 0 && r.fields == 2,
           "it is done where the section has ended");

    expand(&in, "A: b|C: d");
    run(&r, none, &in, 0, 0, NULL);
    tap_ok(r.done == 0 && r.end == 1 && r.fields == 2,
           "an end inside of the section is told");

    expand(&in, "A: b|Cd");
    run(&r, none, &in, 0, 0, NULL);
    tap_ok(r.done == 0 && r.end == 0, "but not of what was none");

    expand(&in, ".A: b||.c|");
    run(&r, dots, &in, 0, 0, NULL);
    tap_ok(r.dots == 3, "lines that are put and begin with a dot are counted");

    r.inner_dots = 0;
    expand(&in, ".A: b||.c|");
    run(&r, dots, &in, 4, 1, NULL);
    tap_ok(r.inner_dots == 0, "and each of them begins a write");

    ngx_memzero(&fold, sizeof(ngx_smtp_fold_t));
    fold.write = write_out;
    fold.data = &r;

    expand(&in, "A: x*600 y*600||x*600 y*600|");
    expand(&expected, "A: x*600| y*600||x*600 y*600|");
    run(&r, none, &in, 7, 7, &fold);
    tap_ok(tap_same(r.out.data, r.out.len, expected.data, expected.len),
           "lines of the header are folded, those of the body are not");

    ngx_memzero(&fold, sizeof(ngx_smtp_fold_t));
    fold.write = write_out;
    fold.data = &r;

    expand(&in, "A: x*600 y*600|x*600 y*600|");
    run(&r, none, &in, 7, 7, &fold);
    tap_ok(tap_same(r.out.data, r.out.len, expected.data, expected.len),
           "nor when there was no empty line");
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run_row(&rows[i]), rows[i].name);
    }

    test_rest();

    return tap_done();
}
