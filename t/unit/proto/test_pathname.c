
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_pathname.h>
#include <tap.h>


/*
 * Local parts on their way to a name of a file: what the address says, what
 * comes out of it; NULL: it is refused.
 */


typedef struct {
    const char  *name;
    ngx_str_t    local;
    const char  *expected;
    const char  *user;
} row_t;


static row_t  rows[] = {

    { "an atom", tap_str("joe"), "joe", "joe" },
    { "atoms", tap_str("joe.doe"), "joe.doe", "joe.doe" },
    { "capital letters", tap_str("Joe.DOE"), "joe.doe", "joe.doe" },
    { "a tag", tap_str("joe+shop"), "joe+shop", "joe" },
    { "two tags", tap_str("joe+a+b"), "joe+a+b", "joe" },
    { "nothing but a tag", tap_str("+shop"), "+shop", "+shop" },
    { "nothing behind the sign", tap_str("joe+"), "joe+", "joe" },
    { "other signs", tap_str("!#$%&'*=?^_`{|}~-"), "!#$%&'*=?^_`{|}~-",
      "!#$%&'*=?^_`{|}~-" },
    { "utf-8", tap_str("J\xc3\xbcrgen"), "j\xc3\xbcrgen", "j\xc3\xbcrgen" },

    { "quotes without need", tap_str("\"joe\""), "joe", "joe" },
    { "quotes", tap_str("\"joe doe\""), "joe doe", "joe doe" },
    { "a quoted quote", tap_str("\"a\\\"b\""), "a\"b", "a\"b" },
    { "a quoted backslash", tap_str("\"a\\\\b\""), "a\\b", "a\\b" },
    { "a letter that is quoted twice", tap_str("\"\\j\\o\\e\""), "joe", "joe" },
    { "an @", tap_str("\"a@b\""), "a@b", "a@b" },
    { "a colon, a star, a space", tap_str("\"C: *\""), "c: *", "c: *" },
    { "a dash in front", tap_str("-rf"), "-rf", "-rf" },
    { "dots inside", tap_str("\"a..b\""), "a..b", "a..b" },
    { "dots at the end", tap_str("\"a..\""), "a..", "a.." },

    { "out of the folder", tap_str("\"../../etc\""), NULL, NULL },
    { "out of it with backslashes", tap_str("\"\\.\\.\\/etc\""), NULL, NULL },
    { "an absolute path", tap_str("/etc/passwd"), NULL, NULL },
    { "a slash in an atom", tap_str("a/b"), NULL, NULL },
    { "a slash at the end", tap_str("a/"), NULL, NULL },
    { "a quoted slash", tap_str("\"a/b\""), NULL, NULL },
    { "one dot", tap_str("\".\""), NULL, NULL },
    { "two dots", tap_str("\"..\""), NULL, NULL },
    { "three dots", tap_str("\"...\""), NULL, NULL },
    { "a dot in front", tap_str("\".Trash\""), NULL, NULL },
    { "a dot in front, quoted twice", tap_str("\"\\.Trash\""), NULL, NULL },
    { "a folder of the Maildir", tap_str("\"../new\""), NULL, NULL },
    { "a tag that leads out", tap_str("joe+../../etc"), NULL, "joe" },
    { "a NUL", tap_str("a\0b"), NULL, NULL },
    { "a NUL at the end", tap_str("a\0"), NULL, NULL },
    { "an end of a line", tap_str("a\nb"), NULL, NULL },
    { "an escape", tap_str("\"\x1b[2J\""), NULL, NULL },
    { "DEL", tap_str("a\x7f"), NULL, NULL },
    { "nothing in quotes", tap_str("\"\""), NULL, NULL },
    { "nothing", tap_str(""), NULL, NULL }
};


static ngx_uint_t
same(const char *what, ngx_str_t *value, const char *expected)
{
    ngx_uint_t  ok;

    if (ngx_smtp_pathname_value(value) != NGX_OK) {
        ok = (expected == NULL);

    } else {
        ok = expected
             && tap_same(value->data, value->len, expected, strlen(expected));
    }

    if (!ok) {
        tap_diag(what, value->data, value->len);
    }

    return ok;
}


static ngx_uint_t
run(row_t *row)
{
    u_char      *in, *out;
    ngx_str_t    local, value, user;
    ngx_uint_t   ok;

    in = tap_copy(row->local.data, row->local.len);
    out = tap_copy(row->local.data, row->local.len);

    local.data = in;
    local.len = row->local.len;

    value.data = out;
    value.len = ngx_smtp_pathname_local(out, &local) - out;

    user = ngx_smtp_pathname_user(&value);

    ok = same("local", &value, row->expected)
         & same("user", &user, row->user);

    free(in);
    free(out);

    return ok;
}


static void
test_path(void)
{
    size_t      i, len;
    ngx_str_t   path;

    static struct {
        char        *path;
        ngx_uint_t   ok;
    } paths[] = {
        { "/var/mail/example.com/joe", 1 },
        { "/var/mail/.joe/...", 1 },
        { "a", 1 },
        { "//a//", 1 },
        { "/var/mail/..", 0 },
        { "/var/mail/../joe", 0 },
        { "../joe", 0 },
        { "..", 0 },
        { "/var/./mail", 0 },
        { ".", 0 }
    };
    u_char      name[2 + 2 * (NGX_SMTP_PATHNAME_MAX + 1)];

    for (i = 0; i < tap_nelts(paths); i++) {
        path.len = strlen(paths[i].path);
        path.data = tap_copy(paths[i].path, path.len);

        tap_ok((ngx_smtp_pathname_path(&path) == NGX_OK) == paths[i].ok,
               paths[i].path);

        free(path.data);
    }

    for (len = NGX_SMTP_PATHNAME_MAX; len <= NGX_SMTP_PATHNAME_MAX + 1; len++)
    {
        name[0] = '/';
        memset(name + 1, 'x', len);
        name[1 + len] = '/';
        memset(name + 2 + len, 'y', NGX_SMTP_PATHNAME_MAX);

        path.data = name;
        path.len = 2 + len + NGX_SMTP_PATHNAME_MAX;

        tap_ok((ngx_smtp_pathname_path(&path) == NGX_OK)
               == (len == NGX_SMTP_PATHNAME_MAX),
               len == NGX_SMTP_PATHNAME_MAX
               ? "the longest names" : "one that is too long");
    }
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    test_path();

    return tap_done();
}
