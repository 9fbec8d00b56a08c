
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_imf.h>
#include <ngx_smtp_submit.h>


/*
 * The header of a submission while it comes: what RFC 5322 wants of it is
 * checked, RFC 6409, 4.2, 5.1 and 6.3, and what is missing or has to go is put
 * in order, section 8.  The body passes by without us.
 *
 * Who handed the message in is said by Sender where From does not say it, 8.1.
 * Of a message that is sent again (RFC 5322, 3.6.6) From and Sender are those
 * of its author, and stay.
 */


/* "Sender: ", an address, CRLF; "Message-ID: <id.number@server_name>" */
#define NGX_SMTP_SUBMIT_LINE  (64 + NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX)


typedef enum {
    NGX_SMTP_SUBMIT_OTHER = 0,
    NGX_SMTP_SUBMIT_FROM,
    NGX_SMTP_SUBMIT_SENDER,
    NGX_SMTP_SUBMIT_ADDRS,
    NGX_SMTP_SUBMIT_RESENT,      /* addresses of who sends it again */
    NGX_SMTP_SUBMIT_BCC,
    NGX_SMTP_SUBMIT_ID,
    NGX_SMTP_SUBMIT_PATH
} ngx_smtp_submit_kind_e;


typedef struct {
    ngx_str_t                       name;
    ngx_smtp_submit_kind_e          kind;
    ngx_uint_t                      bit;     /* is there once at the most;
                                                0: as often as one likes */
} ngx_smtp_submit_field_t;


#define NGX_SMTP_SUBMIT_HAS_FROM     0x0001
#define NGX_SMTP_SUBMIT_HAS_SENDER   0x0002
#define NGX_SMTP_SUBMIT_HAS_DATE     0x0004
#define NGX_SMTP_SUBMIT_HAS_ID       0x0008


typedef struct {
    ngx_smtp_edit_t                 edit;    /* the first: handlers get it */
    ngx_smtp_fold_t                 fold;

    ngx_smtp_tx_t                  *tx;
    ngx_smtp_submit_conf_t         *conf;

    const ngx_smtp_submit_field_t  *field;   /* the present one */
    ngx_smtp_imf_addrs_t            addrs;   /* in it */
    ngx_uint_t                      fits;    /* how many are the user's */

    ngx_uint_t                      seen;    /* bits of fields */
    ngx_uint_t                      from;    /* mailboxes in From */
    ngx_uint_t                      from_fits;

    unsigned                        bad:1;   /* an address in the field is */
    unsigned                        unqualified:1;
    unsigned                        sender:1;    /* one that may stay */
    unsigned                        resent:1;
} ngx_smtp_submit_header_t;


static ngx_smtp_edit_e ngx_smtp_submit_begin(ngx_smtp_edit_t *edit,
    ngx_str_t *name);
static const ngx_smtp_submit_field_t *ngx_smtp_submit_find(ngx_str_t *name);
static void ngx_smtp_submit_body(ngx_smtp_edit_t *edit, u_char *p,
    u_char *last);
static ngx_smtp_edit_e ngx_smtp_submit_end(ngx_smtp_edit_t *edit,
    ngx_str_t *field);
static ngx_smtp_edit_e ngx_smtp_submit_end_sender(ngx_smtp_submit_header_t *h,
    ngx_str_t *field);
static ngx_smtp_edit_e ngx_smtp_submit_end_id(ngx_smtp_submit_header_t *h,
    ngx_str_t *field);
static void ngx_smtp_submit_addrs_begin(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_mailbox(void *data, ngx_str_t *addr);
static ngx_int_t ngx_smtp_submit_addrs_end(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_last(ngx_smtp_edit_t *edit);
static void ngx_smtp_submit_add_from(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_add_sender(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_add_date(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_add_id(ngx_smtp_submit_header_t *h);
static void ngx_smtp_submit_fail(ngx_smtp_submit_header_t *h,
    ngx_smtp_reply_e id);


#define ngx_smtp_submit_repairs(h, what)                                     \
    ((h)->conf->header_repair & NGX_SMTP_SUBMIT_REPAIR_##what)


/* RFC 5322, 3.6, and what RFC 5321, 4.4, says of Return-Path */

static const ngx_smtp_submit_field_t  ngx_smtp_submit_fields[] = {

    { ngx_string("From"), NGX_SMTP_SUBMIT_FROM, NGX_SMTP_SUBMIT_HAS_FROM },
    { ngx_string("Sender"), NGX_SMTP_SUBMIT_SENDER,
      NGX_SMTP_SUBMIT_HAS_SENDER },
    { ngx_string("Date"), NGX_SMTP_SUBMIT_OTHER, NGX_SMTP_SUBMIT_HAS_DATE },
    { ngx_string("Message-ID"), NGX_SMTP_SUBMIT_ID, NGX_SMTP_SUBMIT_HAS_ID },
    { ngx_string("Reply-To"), NGX_SMTP_SUBMIT_ADDRS, 0x0010 },
    { ngx_string("To"), NGX_SMTP_SUBMIT_ADDRS, 0x0020 },
    { ngx_string("Cc"), NGX_SMTP_SUBMIT_ADDRS, 0x0040 },
    { ngx_string("Bcc"), NGX_SMTP_SUBMIT_BCC, 0x0080 },
    { ngx_string("In-Reply-To"), NGX_SMTP_SUBMIT_OTHER, 0x0100 },
    { ngx_string("References"), NGX_SMTP_SUBMIT_OTHER, 0x0200 },
    { ngx_string("Subject"), NGX_SMTP_SUBMIT_OTHER, 0x0400 },

    { ngx_string("Resent-From"), NGX_SMTP_SUBMIT_RESENT, 0 },
    { ngx_string("Resent-Sender"), NGX_SMTP_SUBMIT_RESENT, 0 },
    { ngx_string("Resent-To"), NGX_SMTP_SUBMIT_ADDRS, 0 },
    { ngx_string("Resent-Cc"), NGX_SMTP_SUBMIT_ADDRS, 0 },
    { ngx_string("Resent-Bcc"), NGX_SMTP_SUBMIT_BCC, 0 },
    { ngx_string("Return-Path"), NGX_SMTP_SUBMIT_PATH, 0 },

    { ngx_null_string, 0, 0 }
};


static const ngx_smtp_edit_handlers_t  ngx_smtp_submit_handlers = {
    ngx_smtp_submit_begin,
    ngx_smtp_submit_body,
    ngx_smtp_submit_end,
    ngx_smtp_submit_last
};


ngx_int_t
ngx_smtp_submit_open_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_submit_conf_t    *conf;
    ngx_smtp_submit_header_t  *h;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    if (!conf->header_check && !conf->header_fold
        && !(conf->header_repair & NGX_SMTP_SUBMIT_REPAIR_ALL)
        && conf->from_check == NGX_SMTP_SUBMIT_FROM_OFF)
    {
        return NGX_DECLINED;
    }

    h = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_submit_header_t));
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->tx = tx;
    h->conf = conf;

    h->edit.handlers = &ngx_smtp_submit_handlers;

    if (conf->header_fold) {
        h->edit.fold = &h->fold;
    }

    tx->edit = &h->edit;

    return NGX_OK;
}


static ngx_smtp_edit_e
ngx_smtp_submit_begin(ngx_smtp_edit_t *edit, ngx_str_t *name)
{
    ngx_smtp_submit_conf_t         *conf;
    ngx_smtp_submit_header_t       *h;
    const ngx_smtp_submit_field_t  *field;

    h = (ngx_smtp_submit_header_t *) edit;
    conf = h->conf;

    field = ngx_smtp_submit_find(name);
    h->field = field;

    if (field == NULL || h->tx->failed) {
        return NGX_SMTP_EDIT_PASS;
    }

    if ((h->seen & field->bit) && conf->header_check) {
        ngx_smtp_submit_fail(h, NGX_SMTP_REPLY_FIELD_TWICE);
        return NGX_SMTP_EDIT_PASS;
    }

    h->seen |= field->bit;

    switch (field->kind) {

    case NGX_SMTP_SUBMIT_BCC:

        if (ngx_smtp_submit_repairs(h, BCC)) {
            return NGX_SMTP_EDIT_DROP;
        }

        break;

    case NGX_SMTP_SUBMIT_PATH:
        return ngx_smtp_submit_repairs(h, PATH) ? NGX_SMTP_EDIT_DROP
                                                : NGX_SMTP_EDIT_PASS;

    case NGX_SMTP_SUBMIT_ID:
        return ngx_smtp_submit_repairs(h, ID) ? NGX_SMTP_EDIT_HOLD_BACK
                                              : NGX_SMTP_EDIT_PASS;

    case NGX_SMTP_SUBMIT_SENDER:

        if (conf->from_check == NGX_SMTP_SUBMIT_FROM_SENDER && !h->resent) {
            return NGX_SMTP_EDIT_HOLD_BACK;
        }

        break;

    case NGX_SMTP_SUBMIT_FROM:

        if (conf->from_check != NGX_SMTP_SUBMIT_FROM_OFF) {
            ngx_smtp_submit_addrs_begin(h);
            return NGX_SMTP_EDIT_WATCH;
        }

        break;

    case NGX_SMTP_SUBMIT_RESENT:
        h->resent = 1;
        break;

    case NGX_SMTP_SUBMIT_ADDRS:
        break;

    default: /* NGX_SMTP_SUBMIT_OTHER */
        return NGX_SMTP_EDIT_PASS;
    }

    if (!conf->header_check) {
        return NGX_SMTP_EDIT_PASS;
    }

    ngx_smtp_submit_addrs_begin(h);

    return NGX_SMTP_EDIT_WATCH;
}


static const ngx_smtp_submit_field_t *
ngx_smtp_submit_find(ngx_str_t *name)
{
    const ngx_smtp_submit_field_t  *field;

    for (field = ngx_smtp_submit_fields; field->name.len; field++) {

        if (field->name.len == name->len
            && ngx_strncasecmp(field->name.data, name->data, name->len) == 0)
        {
            return field;
        }
    }

    return NULL;
}


static void
ngx_smtp_submit_body(ngx_smtp_edit_t *edit, u_char *p, u_char *last)
{
    ngx_smtp_submit_header_t  *h;

    h = (ngx_smtp_submit_header_t *) edit;

    ngx_smtp_imf_addrs_feed(&h->addrs, p, last);
}


static ngx_smtp_edit_e
ngx_smtp_submit_end(ngx_smtp_edit_t *edit, ngx_str_t *field)
{
    ngx_int_t                  rc;
    ngx_smtp_submit_header_t  *h;

    h = (ngx_smtp_submit_header_t *) edit;

    if (h->tx->failed) {
        return NGX_SMTP_EDIT_PASS;
    }

    if (h->field->kind == NGX_SMTP_SUBMIT_ID) {
        return ngx_smtp_submit_end_id(h, field);
    }

    if (h->field->kind == NGX_SMTP_SUBMIT_SENDER
        && h->conf->from_check == NGX_SMTP_SUBMIT_FROM_SENDER && !h->resent)
    {
        return ngx_smtp_submit_end_sender(h, field);
    }

    rc = ngx_smtp_submit_addrs_end(h);

    if (h->field->kind != NGX_SMTP_SUBMIT_FROM || h->tx->failed) {
        return NGX_SMTP_EDIT_PASS;
    }

    h->from += h->addrs.mailboxes;
    h->from_fits += h->fits;

    if (h->conf->from_check == NGX_SMTP_SUBMIT_FROM_REJECT
        && ngx_smtp_submit_checked(h->tx->session)
        && (rc != NGX_OK || h->fits == 0 || h->fits != h->addrs.mailboxes))
    {
        ngx_smtp_tx_fail(h->tx, NGX_SMTP_REPLY_FROM_DENIED);
    }

    return NGX_SMTP_EDIT_PASS;
}


/* what says that somebody else has handed it in is not the user's to say */

static ngx_smtp_edit_e
ngx_smtp_submit_end_sender(ngx_smtp_submit_header_t *h, ngx_str_t *field)
{
    u_char  *p;

    ngx_smtp_submit_addrs_begin(h);

    if (field) {
        p = field->data + h->edit.name_len + 1;
        ngx_smtp_imf_addrs_feed(&h->addrs, p, field->data + field->len);
    }

    if (ngx_smtp_submit_addrs_end(h) == NGX_OK && h->fits == 1
        && h->addrs.mailboxes == 1)
    {
        h->sender = 1;
        return NGX_SMTP_EDIT_PASS;
    }

    return NGX_SMTP_EDIT_DROP;
}


/* RFC 6409, 8.3: one that is not valid is replaced */

static ngx_smtp_edit_e
ngx_smtp_submit_end_id(ngx_smtp_submit_header_t *h, ngx_str_t *field)
{
    if (field
        && ngx_smtp_imf_msg_id_valid(field->data + h->edit.name_len + 1,
                                     field->data + field->len))
    {
        return NGX_SMTP_EDIT_PASS;
    }

    h->seen &= ~NGX_SMTP_SUBMIT_HAS_ID;

    return NGX_SMTP_EDIT_DROP;
}


static void
ngx_smtp_submit_addrs_begin(ngx_smtp_submit_header_t *h)
{
    ngx_memzero(&h->addrs, sizeof(ngx_smtp_imf_addrs_t));

    h->addrs.mailbox = ngx_smtp_submit_mailbox;
    h->addrs.data = h;

    h->fits = 0;
    h->bad = 0;
    h->unqualified = 0;
}


static void
ngx_smtp_submit_mailbox(void *data, ngx_str_t *addr)
{
    ngx_smtp_submit_header_t *h = data;

    ngx_smtp_path_t  path;

    if (ngx_smtp_mailbox_parse(&path, addr, NGX_SMTP_PATH_UTF8) != NGX_OK) {
        h->bad = 1;
        return;
    }

    if (h->conf->qualified && !ngx_smtp_submit_qualified(&path.domain)) {
        h->unqualified = 1;
    }

    if ((h->field->kind == NGX_SMTP_SUBMIT_FROM
         || h->field->kind == NGX_SMTP_SUBMIT_SENDER)
        && ngx_smtp_submit_fits(h->tx->session, &path))
    {
        h->fits++;
    }
}


/* of the field; NGX_ERROR: it is malformed, and maybe refused for that */

static ngx_int_t
ngx_smtp_submit_addrs_end(ngx_smtp_submit_header_t *h)
{
    ngx_int_t  rc;

    /* the last of them may be known only now */

    rc = ngx_smtp_imf_addrs_end(&h->addrs);

    if (h->bad) {
        rc = NGX_ERROR;
    }

    /* nobody is in From or Sender; that others are empty does no harm */

    if ((h->field->kind == NGX_SMTP_SUBMIT_FROM
         || h->field->kind == NGX_SMTP_SUBMIT_SENDER)
        && h->addrs.mailboxes == 0 && h->addrs.groups == 0)
    {
        rc = NGX_ERROR;
    }

    if (!h->conf->header_check) {
        return rc;
    }

    if (rc != NGX_OK) {
        ngx_smtp_submit_fail(h, NGX_SMTP_REPLY_FIELD_BAD);

    } else if (h->unqualified) {
        ngx_smtp_submit_fail(h, NGX_SMTP_REPLY_FIELD_UNQUALIFIED);
    }

    return rc;
}


static void
ngx_smtp_submit_last(ngx_smtp_edit_t *edit)
{
    ngx_smtp_submit_header_t  *h;

    h = (ngx_smtp_submit_header_t *) edit;

    if (h->tx->failed) {
        return;
    }

    if (!(h->seen & NGX_SMTP_SUBMIT_HAS_FROM)) {
        ngx_smtp_submit_add_from(h);

    } else if (h->conf->from_check == NGX_SMTP_SUBMIT_FROM_SENDER
               && !h->sender && !h->resent
               && (h->from != 1 || h->from_fits != 1))
    {
        /* RFC 5322, 3.6.2: also where there are several authors */

        ngx_smtp_submit_add_sender(h);
    }

    if (!(h->seen & NGX_SMTP_SUBMIT_HAS_DATE)) {
        ngx_smtp_submit_add_date(h);
    }

    if (!(h->seen & NGX_SMTP_SUBMIT_HAS_ID)) {
        ngx_smtp_submit_add_id(h);
    }
}


static void
ngx_smtp_submit_add_from(ngx_smtp_submit_header_t *h)
{
    u_char     *p;
    ngx_str_t   addr;
    u_char      buf[NGX_SMTP_PATH_MAX], line[NGX_SMTP_SUBMIT_LINE];

    addr.data = buf;

    if (ngx_smtp_submit_repairs(h, FROM)
        && ngx_smtp_submit_address(h->tx, &addr) == NGX_OK)
    {
        p = ngx_sprintf(line, "From: %V" CRLF, &addr);
        ngx_smtp_edit_put(&h->edit, line, p - line);
        return;
    }

    if (h->conf->header_check) {
        ngx_smtp_tx_fail(h->tx, NGX_SMTP_REPLY_NO_FROM);
    }
}


static void
ngx_smtp_submit_add_sender(ngx_smtp_submit_header_t *h)
{
    u_char     *p;
    ngx_str_t   addr;
    u_char      buf[NGX_SMTP_PATH_MAX], line[NGX_SMTP_SUBMIT_LINE];

    addr.data = buf;

    if (ngx_smtp_submit_address(h->tx, &addr) != NGX_OK) {
        return;
    }

    p = ngx_sprintf(line, "Sender: %V" CRLF, &addr);
    ngx_smtp_edit_put(&h->edit, line, p - line);
}


static void
ngx_smtp_submit_add_date(ngx_smtp_submit_header_t *h)
{
    u_char  *p, line[NGX_SMTP_SUBMIT_LINE];

    if (!ngx_smtp_submit_repairs(h, DATE)) {
        return;
    }

    p = ngx_cpymem(line, "Date: ", sizeof("Date: ") - 1);
    p = ngx_smtp_date_write(p, ngx_time(), ngx_cached_time->gmtoff);
    p = ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);

    ngx_smtp_edit_put(&h->edit, line, p - line);
}


/* the id is of this machine and process; others may have the same name */

static void
ngx_smtp_submit_add_id(ngx_smtp_submit_header_t *h)
{
    u_char     *p, line[NGX_SMTP_SUBMIT_LINE];
    ngx_str_t  *name;

    if (!ngx_smtp_submit_repairs(h, ID)) {
        return;
    }

    name = &h->tx->session->service->server_name;

    p = ngx_sprintf(line, "Message-ID: <%*s.%08xD@%V>" CRLF,
                    (size_t) NGX_SMTP_ID_LEN, h->tx->id,
                    (uint32_t) ngx_random(), name);

    ngx_smtp_edit_put(&h->edit, line, p - line);
}


/* with the name of the field */

static void
ngx_smtp_submit_fail(ngx_smtp_submit_header_t *h, ngx_smtp_reply_e id)
{
    ngx_str_t  name;

    name = h->field->name;

    ngx_smtp_tx_fail(h->tx, NGX_SMTP_REPLY_LOCAL_ERROR);

    if (ngx_smtp_verdict_set_arg(&h->tx->verdict, h->tx->pool, id, &name)
        != NGX_OK)
    {
        ngx_smtp_verdict_set(&h->tx->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }
}
