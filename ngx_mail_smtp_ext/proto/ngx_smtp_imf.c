
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_imf.h>


/*
 * Two layers, both of which can stop at any octet: what is inside of quotes,
 * brackets and comments, and where in an address the rest of it stands.  Words
 * in front of an address are its local part or a name, which is known only
 * when what follows them has been seen; so they are gathered as a local part,
 * and phrase says when they can't be one any more.
 */


typedef enum {
    ngx_smtp_imf_text = 0,
    ngx_smtp_imf_quoted,
    ngx_smtp_imf_quoted_pair,
    ngx_smtp_imf_comment,
    ngx_smtp_imf_comment_pair,
    ngx_smtp_imf_literal
} ngx_smtp_imf_lexical_e;


typedef enum {
    ngx_smtp_imf_start = 0,      /* an address may begin */
    ngx_smtp_imf_words,          /* a name, or the local part of an address */
    ngx_smtp_imf_route,          /* obsolete: "<@a,@b:" */
    ngx_smtp_imf_local,          /* behind "<" */
    ngx_smtp_imf_domain,
    ngx_smtp_imf_after           /* behind ">" or ";" */
} ngx_smtp_imf_state_e;


static void ngx_smtp_imf_octet(ngx_smtp_imf_addrs_t *addrs, u_char c);
static void ngx_smtp_imf_inside(ngx_smtp_imf_addrs_t *addrs, u_char c);
static void ngx_smtp_imf_special(ngx_smtp_imf_addrs_t *addrs, u_char c);
static void ngx_smtp_imf_atom(ngx_smtp_imf_addrs_t *addrs, u_char c);
static void ngx_smtp_imf_quote(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_dot(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_at(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_comma(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_colon(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_semicolon(ngx_smtp_imf_addrs_t *addrs);
static void ngx_smtp_imf_keep(ngx_smtp_imf_addrs_t *addrs, u_char c);
static ngx_uint_t ngx_smtp_imf_complete(ngx_smtp_imf_addrs_t *addrs);
static u_char *ngx_smtp_imf_cfws(u_char *p, u_char *last);
static u_char *ngx_smtp_imf_dot_atom(u_char *p, u_char *last);
static ngx_uint_t ngx_smtp_imf_is_atext(u_char c);


#define ngx_smtp_imf_is_wsp(c)                                               \
    ((c) == ' ' || (c) == '\t' || (c) == CR || (c) == LF)


void
ngx_smtp_imf_addrs_feed(ngx_smtp_imf_addrs_t *addrs, u_char *p, u_char *last)
{
    for ( /* void */ ; p < last && !addrs->error; p++) {

        if (addrs->lexical == ngx_smtp_imf_text) {
            ngx_smtp_imf_octet(addrs, *p);

        } else {
            ngx_smtp_imf_inside(addrs, *p);
        }
    }
}


static void
ngx_smtp_imf_octet(ngx_smtp_imf_addrs_t *addrs, u_char c)
{
    if (ngx_smtp_imf_is_wsp(c)) {
        addrs->space = 1;

    } else if (c == '(') {
        addrs->lexical = ngx_smtp_imf_comment;
        addrs->depth = 1;
        addrs->space = 1;

    } else if (ngx_smtp_imf_is_atext(c)) {
        ngx_smtp_imf_atom(addrs, c);

    } else {
        ngx_smtp_imf_special(addrs, c);
    }
}


/* of quotes, comments, brackets; line ends in them are folds */

static void
ngx_smtp_imf_inside(ngx_smtp_imf_addrs_t *addrs, u_char c)
{
    switch (addrs->lexical) {

    case ngx_smtp_imf_quoted:

        if (c == CR || c == LF) {
            return;
        }

        if (c == '\\') {
            addrs->lexical = ngx_smtp_imf_quoted_pair;

        } else if (c == '"') {
            addrs->lexical = ngx_smtp_imf_text;
            addrs->space = 1;
        }

        ngx_smtp_imf_keep(addrs, c);
        return;

    case ngx_smtp_imf_quoted_pair:

        if (c == CR || c == LF) {
            addrs->error = 1;
            return;
        }

        addrs->lexical = ngx_smtp_imf_quoted;
        ngx_smtp_imf_keep(addrs, c);
        return;

    case ngx_smtp_imf_comment:

        if (c == '\\') {
            addrs->lexical = ngx_smtp_imf_comment_pair;

        } else if (c == '(') {
            addrs->error = (++addrs->depth > NGX_SMTP_IMF_DEPTH);

        } else if (c == ')' && --addrs->depth == 0) {
            addrs->lexical = ngx_smtp_imf_text;
        }

        return;

    case ngx_smtp_imf_comment_pair:
        addrs->lexical = ngx_smtp_imf_comment;
        return;

    default: /* ngx_smtp_imf_literal */

        if (ngx_smtp_imf_is_wsp(c)) {
            return;
        }

        if (c == ']') {
            addrs->lexical = ngx_smtp_imf_text;
            addrs->word = 1;
            addrs->space = 1;

        } else if (c < ' ' || c >= 0x7f || c == '[' || c == '\\') {
            addrs->error = 1;
            return;
        }

        ngx_smtp_imf_keep(addrs, c);
    }
}


static void
ngx_smtp_imf_special(ngx_smtp_imf_addrs_t *addrs, u_char c)
{
    switch (c) {

    case '"':
        ngx_smtp_imf_quote(addrs);
        break;

    case '.':
        ngx_smtp_imf_dot(addrs);
        break;

    case '@':
        ngx_smtp_imf_at(addrs);
        break;

    case ',':
        ngx_smtp_imf_comma(addrs);
        break;

    case ':':
        ngx_smtp_imf_colon(addrs);
        break;

    case ';':
        ngx_smtp_imf_semicolon(addrs);
        break;

    case '[':

        if (addrs->state != ngx_smtp_imf_domain || addrs->word
            || addrs->addr[addrs->len - 1] != '@')
        {
            addrs->error = 1;
            return;
        }

        addrs->lexical = ngx_smtp_imf_literal;
        ngx_smtp_imf_keep(addrs, c);
        break;

    case '<':

        if (addrs->state > ngx_smtp_imf_words) {
            addrs->error = 1;
            return;
        }

        addrs->state = ngx_smtp_imf_local;
        addrs->angle = 1;
        addrs->len = 0;
        addrs->word = 0;
        addrs->phrase = 0;
        break;

    case '>':

        if (!addrs->angle || !ngx_smtp_imf_complete(addrs)) {
            addrs->error = 1;
            return;
        }

        addrs->angle = 0;
        addrs->state = ngx_smtp_imf_after;
        break;

    default:
        addrs->error = 1;
        return;
    }

    if (addrs->lexical == ngx_smtp_imf_text) {
        addrs->space = 0;
    }
}


static void
ngx_smtp_imf_atom(ngx_smtp_imf_addrs_t *addrs, u_char c)
{
    switch (addrs->state) {

    case ngx_smtp_imf_start:
        addrs->state = ngx_smtp_imf_words;
        addrs->len = 0;
        addrs->word = 0;
        addrs->phrase = 0;
        break;

    case ngx_smtp_imf_words:
        addrs->phrase |= (addrs->word && addrs->space);
        break;

    case ngx_smtp_imf_local:
    case ngx_smtp_imf_domain:
        addrs->error = (addrs->word && addrs->space);
        break;

    case ngx_smtp_imf_route:
        break;

    default: /* ngx_smtp_imf_after */
        addrs->error = 1;
        return;
    }

    addrs->word = 1;
    addrs->space = 0;

    ngx_smtp_imf_keep(addrs, c);
}


static void
ngx_smtp_imf_quote(ngx_smtp_imf_addrs_t *addrs)
{
    switch (addrs->state) {

    case ngx_smtp_imf_start:
        addrs->state = ngx_smtp_imf_words;
        addrs->len = 0;
        addrs->phrase = 0;
        break;

    case ngx_smtp_imf_words:
        addrs->phrase |= addrs->word;
        break;

    case ngx_smtp_imf_local:
        addrs->error = addrs->word;
        break;

    default:
        addrs->error = 1;
        return;
    }

    addrs->word = 1;
    addrs->lexical = ngx_smtp_imf_quoted;

    ngx_smtp_imf_keep(addrs, '"');
}


/* in a name it is obsolete, and common: "John Q. Public" */

static void
ngx_smtp_imf_dot(ngx_smtp_imf_addrs_t *addrs)
{
    switch (addrs->state) {

    case ngx_smtp_imf_words:
        addrs->phrase |= !addrs->word;
        break;

    case ngx_smtp_imf_local:
    case ngx_smtp_imf_domain:
        addrs->error = !addrs->word;
        break;

    case ngx_smtp_imf_route:
        return;

    default:
        addrs->error = 1;
        return;
    }

    addrs->word = 0;

    ngx_smtp_imf_keep(addrs, '.');
}


static void
ngx_smtp_imf_at(ngx_smtp_imf_addrs_t *addrs)
{
    if (addrs->state == ngx_smtp_imf_route) {
        return;
    }

    if (addrs->state == ngx_smtp_imf_local && addrs->len == 0) {
        addrs->state = ngx_smtp_imf_route;
        return;
    }

    if ((addrs->state != ngx_smtp_imf_words
         && addrs->state != ngx_smtp_imf_local)
        || addrs->phrase || !addrs->word)
    {
        addrs->error = 1;
        return;
    }

    addrs->state = ngx_smtp_imf_domain;
    addrs->word = 0;

    ngx_smtp_imf_keep(addrs, '@');
}


static void
ngx_smtp_imf_comma(ngx_smtp_imf_addrs_t *addrs)
{
    switch (addrs->state) {

    case ngx_smtp_imf_start:
    case ngx_smtp_imf_after:
        break;

    case ngx_smtp_imf_route:
        return;

    case ngx_smtp_imf_domain:

        if (!addrs->angle && ngx_smtp_imf_complete(addrs)) {
            break;
        }

        /* fall through */

    default:
        addrs->error = 1;
    }

    addrs->state = ngx_smtp_imf_start;
}


static void
ngx_smtp_imf_colon(ngx_smtp_imf_addrs_t *addrs)
{
    if (addrs->state == ngx_smtp_imf_route) {
        addrs->state = ngx_smtp_imf_local;
        addrs->len = 0;
        addrs->word = 0;
        return;
    }

    if (addrs->state != ngx_smtp_imf_words || addrs->group) {
        addrs->error = 1;
        return;
    }

    addrs->group = 1;
    addrs->groups++;
    addrs->state = ngx_smtp_imf_start;
}


static void
ngx_smtp_imf_semicolon(ngx_smtp_imf_addrs_t *addrs)
{
    if (!addrs->group) {
        addrs->error = 1;
        return;
    }

    ngx_smtp_imf_comma(addrs);

    addrs->error |= addrs->angle;
    addrs->group = 0;
    addrs->state = ngx_smtp_imf_after;
}


/* what is too long for a local part is a name, or an error */

static void
ngx_smtp_imf_keep(ngx_smtp_imf_addrs_t *addrs, u_char c)
{
    if (addrs->state == ngx_smtp_imf_route || addrs->phrase) {
        return;
    }

    if (addrs->len < NGX_SMTP_IMF_ADDR) {
        addrs->addr[addrs->len++] = c;
        return;
    }

    addrs->phrase = 1;
    addrs->error |= (addrs->state != ngx_smtp_imf_words);
}


/* an addr-spec that has come to its end is shown; 0: it is none yet */

static ngx_uint_t
ngx_smtp_imf_complete(ngx_smtp_imf_addrs_t *addrs)
{
    ngx_str_t  addr;

    if (addrs->state != ngx_smtp_imf_domain || !addrs->word) {
        return 0;
    }

    addrs->mailboxes++;

    if (addrs->mailbox) {
        addr.data = addrs->addr;
        addr.len = addrs->len;

        addrs->mailbox(addrs->data, &addr);
    }

    return 1;
}


ngx_int_t
ngx_smtp_imf_addrs_end(ngx_smtp_imf_addrs_t *addrs)
{
    if (!addrs->error) {
        addrs->error = (addrs->lexical != ngx_smtp_imf_text || addrs->group);
    }

    if (!addrs->error) {
        ngx_smtp_imf_comma(addrs);
        addrs->error |= addrs->angle;
    }

    return addrs->error ? NGX_ERROR : NGX_OK;
}


/*
 * [CFWS] "<" id-left "@" id-right ">" [CFWS].  Of what is obsolete, a quoted
 * id-left is taken.
 */

ngx_uint_t
ngx_smtp_imf_msg_id_valid(u_char *p, u_char *last)
{
    p = ngx_smtp_imf_cfws(p, last);

    if (p == NULL || p == last || *p++ != '<' || p == last) {
        return 0;
    }

    p = (*p == '"') ? ngx_smtp_quoted_string_utf8_parse(p, last)
                    : ngx_smtp_imf_dot_atom(p, last);

    if (p == NULL || p == last || *p++ != '@' || p == last) {
        return 0;
    }

    if (*p == '[') {
        for (p++; p < last && *p > ' ' && *p < 0x7f && *p != '['
                  && *p != '\\' && *p != ']'; p++)
        {
            /* void */
        }

        if (p == last || *p++ != ']') {
            return 0;
        }

    } else {
        p = ngx_smtp_imf_dot_atom(p, last);
    }

    if (p == NULL || p == last || *p++ != '>') {
        return 0;
    }

    return ngx_smtp_imf_cfws(p, last) == last;
}


/* comments and white space, folded or not; NULL: a comment does not end */

static u_char *
ngx_smtp_imf_cfws(u_char *p, u_char *last)
{
    ngx_uint_t  depth;

    depth = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '(') {
            depth++;

        } else if (*p == ')' && depth) {
            depth--;

        } else if (*p == '\\' && depth) {
            if (++p == last) {
                return NULL;
            }

        } else if (depth == 0 && !ngx_smtp_imf_is_wsp(*p)) {
            break;
        }
    }

    return depth ? NULL : p;
}


/* dot-atom-text, 3.2.3, of any length; RFC 6532, 3.2 */

static u_char *
ngx_smtp_imf_dot_atom(u_char *p, u_char *last)
{
    size_t      n;
    ngx_uint_t  word;

    for (word = 0; p < last; p += n) {

        n = 1;

        if (*p == '.') {
            if (!word) {
                return NULL;
            }

            word = 0;
            continue;
        }

        if (!ngx_smtp_imf_is_atext(*p)) {
            break;
        }

        if (*p >= 0x80) {
            n = ngx_smtp_utf8_length(p, last);

            if (n == 0) {
                return NULL;
            }
        }

        word = 1;
    }

    return word ? p : NULL;
}


/* RFC 5322, 3.2.3; what is not US-ASCII is looked at by others */

static ngx_uint_t
ngx_smtp_imf_is_atext(u_char c)
{
    return ngx_smtp_is_alnum(c) || c >= 0x80
           || (c > ' ' && c < 0x7f && strchr("!#$%&'*+-/=?^_`{|}~", c));
}
