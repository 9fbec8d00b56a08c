
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_maildir.h>


/*
 * Paths of Maildirs: as they are configured, or with variables, whose values
 * strangers choose.  With variables each recipient has a destination of its
 * own, made in the transaction; what can't be a name is nobody's mailbox.
 */


/* "$" and these, with or without braces */
typedef enum {
    NGX_SMTP_MAILDIR_TEXT = 0,
    NGX_SMTP_MAILDIR_LOCAL,
    NGX_SMTP_MAILDIR_USER,
    NGX_SMTP_MAILDIR_DOMAIN,
    NGX_SMTP_MAILDIR_AUTH_USER
} ngx_smtp_maildir_part_e;


typedef struct {
    ngx_smtp_maildir_part_e  kind;
    ngx_str_t                text;
} ngx_smtp_maildir_part_t;


static char *ngx_smtp_maildir_path_parts(ngx_conf_t *cf,
    ngx_smtp_maildir_conf_t *conf);
static u_char *ngx_smtp_maildir_path_variable(ngx_smtp_maildir_part_t *part,
    u_char *p, u_char *last);
static ngx_int_t ngx_smtp_maildir_path_make(ngx_smtp_tx_t *tx,
    ngx_smtp_maildir_conf_t *conf, ngx_str_t *path, u_char *buf, u_char *end);
static ngx_int_t ngx_smtp_maildir_path_value(ngx_smtp_tx_t *tx,
    ngx_smtp_maildir_part_e kind, u_char *buf, ngx_str_t *value);
static ngx_smtp_dest_t *ngx_smtp_maildir_path_known(ngx_smtp_tx_t *tx,
    ngx_str_t *path);
static ngx_smtp_dest_t *ngx_smtp_maildir_path_dest(ngx_smtp_tx_t *tx,
    ngx_smtp_dest_t *pattern, ngx_str_t *path);


static struct {
    ngx_str_t                name;
    ngx_smtp_maildir_part_e  kind;
} ngx_smtp_maildir_variables[] = {
    { ngx_string("smtp_rcpt_local"), NGX_SMTP_MAILDIR_LOCAL },
    { ngx_string("smtp_rcpt_user"), NGX_SMTP_MAILDIR_USER },
    { ngx_string("smtp_rcpt_domain"), NGX_SMTP_MAILDIR_DOMAIN },
    { ngx_string("smtp_auth_user"), NGX_SMTP_MAILDIR_AUTH_USER },
    { ngx_null_string, NGX_SMTP_MAILDIR_TEXT }
};


char *
ngx_smtp_maildir_path_parse(ngx_conf_t *cf, ngx_smtp_maildir_conf_t *conf)
{
    u_char     *p;
    ngx_str_t  *path;

    path = &conf->path;

    if (path->len == 0 || ngx_strlchr(path->data, path->data + path->len, 0)
        || ngx_smtp_pathname_path(path) != NGX_OK)
    {
        return "has an invalid path";
    }

    while (path->len > 1 && path->data[path->len - 1] == '/') {
        path->len--;
    }

    p = ngx_pnalloc(cf->pool, path->len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(p, path->data, path->len + 1);
    path->data = p;

    if (ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (path->len + NGX_SMTP_MAILDIR_TAIL > NGX_MAX_PATH) {
        return "has too long a path";
    }

    conf->fixed = path->len;

    return ngx_strlchr(path->data, path->data + path->len, '$')
           ? ngx_smtp_maildir_path_parts(cf, conf) : NGX_CONF_OK;
}


void
ngx_smtp_maildir_path_check(ngx_conf_t *cf, ngx_smtp_maildir_conf_t *conf)
{
    u_char           *p;
    ngx_str_t         folder;
    ngx_file_info_t   fi;

    folder.data = conf->path.data;
    folder.len = conf->fixed;

    /* the Maildir itself is made, as are those that have variables */

    while (conf->parts == NULL && folder.len > 1
           && folder.data[folder.len - 1] != '/')
    {
        folder.len--;
    }

    while (folder.len > 1 && folder.data[folder.len - 1] == '/') {
        folder.len--;
    }

    p = ngx_pnalloc(cf->pool, folder.len + 1);
    if (p == NULL) {
        return;
    }

    (void) ngx_cpystrn(p, folder.data, folder.len + 1);

    if (ngx_file_info(p, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           "folder \"%V\" of maildir \"%V\" is not there",
                           &folder, &conf->path);
    }
}


static char *
ngx_smtp_maildir_path_parts(ngx_conf_t *cf, ngx_smtp_maildir_conf_t *conf)
{
    u_char                   *p, *last, *end;
    ngx_smtp_maildir_part_t  *part;

    conf->parts = ngx_array_create(cf->pool, 4,
                                   sizeof(ngx_smtp_maildir_part_t));
    if (conf->parts == NULL) {
        return NGX_CONF_ERROR;
    }

    p = conf->path.data;
    last = p + conf->path.len;

    while (p < last) {

        part = ngx_array_push(conf->parts);
        if (part == NULL) {
            return NGX_CONF_ERROR;
        }

        if (*p == '$') {
            p = ngx_smtp_maildir_path_variable(part, p + 1, last);

            if (p == NULL) {
                return "has an unknown variable";
            }

            continue;
        }

        end = ngx_strlchr(p, last, '$');

        if (end == NULL) {
            end = last;
        }

        part->kind = NGX_SMTP_MAILDIR_TEXT;
        part->text.data = p;
        part->text.len = end - p;

        p = end;
    }

    /* the folder that the first name with a variable is in */

    p = ngx_strlchr(conf->path.data, last, '$');

    while (p > conf->path.data && p[-1] != '/') { p--; }

    conf->fixed = p - conf->path.data;

    return NGX_CONF_OK;
}


static u_char *
ngx_smtp_maildir_path_variable(ngx_smtp_maildir_part_t *part, u_char *p,
    u_char *last)
{
    u_char      *end;
    ngx_str_t    name;
    ngx_uint_t   i, braces;

    braces = (p < last && *p == '{');
    p += braces;

    for (end = p;
         end < last && (ngx_smtp_is_alnum(*end) || *end == '_');
         end++)
    {
        /* void */
    }

    name.data = p;
    name.len = end - p;

    if (braces) {
        if (end == last || *end != '}') {
            return NULL;
        }

        end++;
    }

    for (i = 0; ngx_smtp_maildir_variables[i].name.len; i++) {

        if (ngx_smtp_maildir_variables[i].name.len == name.len
            && ngx_strncmp(ngx_smtp_maildir_variables[i].name.data, name.data,
                           name.len)
               == 0)
        {
            part->kind = ngx_smtp_maildir_variables[i].kind;
            return end;
        }
    }

    return NULL;
}


ngx_int_t
ngx_smtp_maildir_path_resolve(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt)
{
    ngx_str_t                 path;
    ngx_smtp_dest_t          *dest;
    ngx_smtp_maildir_conf_t  *conf;
    u_char                    buf[NGX_MAX_PATH];

    conf = rcpt->dest->conf;

    if (ngx_smtp_maildir_path_make(tx, conf, &path, buf, buf + sizeof(buf)
                                                     - NGX_SMTP_MAILDIR_TAIL)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, tx->session->connection->log, 0,
                      "no mailbox can have the name of \"%V\"", &rcpt->addr);

        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_NO_MAILBOX);

        return NGX_DONE;
    }

    dest = ngx_smtp_maildir_path_known(tx, &path);

    if (dest == NULL) {
        dest = ngx_smtp_maildir_path_dest(tx, rcpt->dest, &path);
    }

    if (dest == NULL) {
        return NGX_ERROR;
    }

    rcpt->dest = dest;

    return NGX_OK;
}


/* in buf, which has room for what is put behind it */

static ngx_int_t
ngx_smtp_maildir_path_make(ngx_smtp_tx_t *tx, ngx_smtp_maildir_conf_t *conf,
    ngx_str_t *path, u_char *buf, u_char *end)
{
    u_char                   *p;
    ngx_str_t                 value;
    ngx_uint_t                i;
    ngx_smtp_maildir_part_t  *part;
    u_char                    text[NGX_SMTP_PATH_MAX];

    p = buf;
    part = conf->parts->elts;

    for (i = 0; i < conf->parts->nelts; i++) {

        value = part[i].text;

        if (part[i].kind != NGX_SMTP_MAILDIR_TEXT
            && ngx_smtp_maildir_path_value(tx, part[i].kind, text, &value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (value.len > (size_t) (end - p)) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(p, value.data, value.len);
    }

    path->data = buf;
    path->len = p - buf;

    return ngx_smtp_pathname_path(path);
}


static ngx_int_t
ngx_smtp_maildir_path_value(ngx_smtp_tx_t *tx, ngx_smtp_maildir_part_e kind,
    u_char *buf, ngx_str_t *value)
{
    ngx_str_t        *name;
    ngx_smtp_path_t   addr;

    /* where it goes: it may have been rewritten */

    if (ngx_smtp_mailbox_parse(&addr, &tx->rcpt->addr, NGX_SMTP_PATH_UTF8)
        != NGX_OK)
    {
        /* <Postmaster> */
        addr.local = tx->rcpt->local;
        addr.domain = tx->rcpt->domain;
    }

    switch (kind) {

    case NGX_SMTP_MAILDIR_DOMAIN:

        name = addr.domain.len ? &addr.domain
                               : &tx->session->service->server_name;

        value->len = ngx_min(name->len, NGX_SMTP_PATH_MAX);
        value->data = buf;
        ngx_strlow(buf, name->data, value->len);

        break;

    case NGX_SMTP_MAILDIR_AUTH_USER:

        /* upper and lower case may be two users */

        *value = tx->session->user->name;

        break;

    default: /* NGX_SMTP_MAILDIR_LOCAL, NGX_SMTP_MAILDIR_USER */

        value->data = buf;
        value->len = ngx_smtp_pathname_local(buf, &addr.local) - buf;

        if (kind == NGX_SMTP_MAILDIR_USER) {
            *value = ngx_smtp_pathname_user(value);
        }

        break;
    }

    return ngx_smtp_pathname_value(value);
}


/* that of a recipient before */

static ngx_smtp_dest_t *
ngx_smtp_maildir_path_known(ngx_smtp_tx_t *tx, ngx_str_t *path)
{
    ngx_queue_t              *q;
    ngx_smtp_dest_t          *dest, *last;
    ngx_smtp_rcpt_t          *rcpt;
    ngx_smtp_maildir_conf_t  *conf;

    last = NULL;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        dest = rcpt->dest;

        if (dest == last || dest->type != &ngx_smtp_dest_maildir) {
            continue;
        }

        last = dest;
        conf = dest->conf;

        if (conf->path.len == path->len
            && ngx_memcmp(conf->path.data, path->data, path->len) == 0)
        {
            return dest;
        }
    }

    return NULL;
}


static ngx_smtp_dest_t *
ngx_smtp_maildir_path_dest(ngx_smtp_tx_t *tx, ngx_smtp_dest_t *pattern,
    ngx_str_t *path)
{
    u_char                   *p;
    ngx_smtp_dest_t          *dest;
    ngx_smtp_maildir_conf_t  *conf, *fixed;

    fixed = pattern->conf;

    dest = ngx_palloc(tx->pool, sizeof(ngx_smtp_dest_t));
    conf = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_maildir_conf_t));

    p = ngx_pnalloc(tx->pool, pattern->type->scheme.len + path->len + 1);

    if (dest == NULL || conf == NULL || p == NULL) {
        return NULL;
    }

    *dest = *pattern;
    dest->conf = conf;
    dest->many = 0;

    dest->url.data = p;
    dest->url.len = pattern->type->scheme.len + path->len;

    p = ngx_cpymem(p, pattern->type->scheme.data, pattern->type->scheme.len);

    conf->path.data = p;
    conf->path.len = path->len;
    conf->fixed = fixed->fixed;

    p = ngx_cpymem(p, path->data, path->len);
    *p = '\0';

    return dest;
}
