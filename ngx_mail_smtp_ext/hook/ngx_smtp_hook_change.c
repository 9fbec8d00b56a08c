
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook_private.h>


/*
 * "modifications" of an answer, each by itself: is it one, and has it what it
 * needs?  Whether it can be done is seen when all of them are known.
 */


/* members that a type has to have */
#define NGX_SMTP_HOOK_HAS_VALUE   0x01
#define NGX_SMTP_HOOK_HAS_PARAMS  0x02       /* or may have */
#define NGX_SMTP_HOOK_HAS_NAME    0x04
#define NGX_SMTP_HOOK_HAS_PLACE   0x08       /* an index from 0 on */
#define NGX_SMTP_HOOK_HAS_INDEX   0x10       /* ... from 1 on */

/* as many recipients as a client may name by default; all are searched */
#define NGX_SMTP_HOOK_CHANGES_MAX  1000


static ngx_int_t ngx_smtp_hook_read_change(ngx_smtp_hook_reader_t *reader,
    json_t *item);
static ngx_int_t ngx_smtp_hook_read_members(ngx_smtp_hook_reader_t *reader,
    json_t *item, ngx_smtp_hook_change_t *change, ngx_uint_t members);
static ngx_int_t ngx_smtp_hook_read_index(ngx_smtp_hook_reader_t *reader,
    json_t *item, ngx_smtp_hook_change_t *change, json_int_t min);
static ngx_int_t ngx_smtp_hook_read_params(ngx_smtp_hook_reader_t *reader,
    json_t *item, ngx_array_t *params);


static const struct {
    char                    *name;
    ngx_smtp_hook_change_e   type;
    ngx_uint_t               members;
} ngx_smtp_hook_changes[] = {
    { "changeFrom", NGX_SMTP_HOOK_CHANGE_FROM,
      NGX_SMTP_HOOK_HAS_VALUE|NGX_SMTP_HOOK_HAS_PARAMS },
    { "addRecipient", NGX_SMTP_HOOK_ADD_RCPT,
      NGX_SMTP_HOOK_HAS_VALUE|NGX_SMTP_HOOK_HAS_PARAMS },
    { "deleteRecipient", NGX_SMTP_HOOK_DELETE_RCPT, NGX_SMTP_HOOK_HAS_VALUE },

    { "replaceContents", NGX_SMTP_HOOK_REPLACE_CONTENTS,
      NGX_SMTP_HOOK_HAS_VALUE },
    { "addHeader", NGX_SMTP_HOOK_ADD_HEADER,
      NGX_SMTP_HOOK_HAS_NAME|NGX_SMTP_HOOK_HAS_VALUE },
    { "insertHeader", NGX_SMTP_HOOK_INSERT_HEADER,
      NGX_SMTP_HOOK_HAS_NAME|NGX_SMTP_HOOK_HAS_VALUE
      |NGX_SMTP_HOOK_HAS_PLACE },
    { "changeHeader", NGX_SMTP_HOOK_CHANGE_HEADER,
      NGX_SMTP_HOOK_HAS_NAME|NGX_SMTP_HOOK_HAS_VALUE
      |NGX_SMTP_HOOK_HAS_INDEX },
    { "deleteHeader", NGX_SMTP_HOOK_DELETE_HEADER,
      NGX_SMTP_HOOK_HAS_NAME|NGX_SMTP_HOOK_HAS_INDEX },

    { NULL, 0, 0 }
};


ngx_int_t
ngx_smtp_hook_read_changes(ngx_smtp_hook_reader_t *reader, json_t *root)
{
    size_t   i;
    json_t  *changes;

    if (ngx_array_init(&reader->answer->changes, reader->pool, 1,
                       sizeof(ngx_smtp_hook_change_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    changes = ngx_smtp_hook_member(root, "modifications");

    if (changes == NULL) {
        return NGX_OK;
    }

    if (!json_is_array(changes)) {
        return ngx_smtp_hook_invalid(reader, "\"modifications\" is no array");
    }

    if (json_array_size(changes) > NGX_SMTP_HOOK_CHANGES_MAX) {
        return ngx_smtp_hook_invalid(reader, "too many modifications");
    }

    for (i = 0; i < json_array_size(changes); i++) {
        if (ngx_smtp_hook_read_change(reader, json_array_get(changes, i))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_change(ngx_smtp_hook_reader_t *reader, json_t *item)
{
    json_t                  *type;
    ngx_uint_t               i;
    ngx_smtp_hook_change_t  *change;

    if (!json_is_object(item)) {
        return ngx_smtp_hook_invalid(reader, "a modification is no object");
    }

    type = ngx_smtp_hook_member(item, "type");

    for (i = 0; ngx_smtp_hook_changes[i].name; i++) {

        if (json_is_string(type)
            && ngx_strcmp(json_string_value(type),
                          ngx_smtp_hook_changes[i].name)
               == 0)
        {
            break;
        }
    }

    if (ngx_smtp_hook_changes[i].name == NULL) {
        return ngx_smtp_hook_invalid(reader,
                                     "a modification of no known \"type\"");
    }

    change = ngx_array_push(&reader->answer->changes);
    if (change == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(change, sizeof(ngx_smtp_hook_change_t));

    change->type = ngx_smtp_hook_changes[i].type;

    return ngx_smtp_hook_read_members(reader, item, change,
                                      ngx_smtp_hook_changes[i].members);
}


static ngx_int_t
ngx_smtp_hook_read_members(ngx_smtp_hook_reader_t *reader, json_t *item,
    ngx_smtp_hook_change_t *change, ngx_uint_t members)
{
    json_t  *value, *name;

    if (members & NGX_SMTP_HOOK_HAS_VALUE) {
        value = ngx_smtp_hook_member(item, "value");

        if (value == NULL) {
            return ngx_smtp_hook_invalid(reader,
                                         "a modification has no \"value\"");
        }

        if (ngx_smtp_hook_string(reader, value, &change->value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (members & NGX_SMTP_HOOK_HAS_NAME) {
        name = ngx_smtp_hook_member(item, "name");

        if (name == NULL) {
            return ngx_smtp_hook_invalid(reader,
                                         "a modification has no \"name\"");
        }

        if (ngx_smtp_hook_string(reader, name, &change->name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (members & (NGX_SMTP_HOOK_HAS_PLACE|NGX_SMTP_HOOK_HAS_INDEX)) {
        return ngx_smtp_hook_read_index(reader, item, change,
                                        (members & NGX_SMTP_HOOK_HAS_INDEX)
                                        ? 1 : 0);
    }

    /* behind all of them */

    change->index = NGX_MAX_INT32_VALUE;

    if (members & NGX_SMTP_HOOK_HAS_PARAMS) {
        return ngx_smtp_hook_read_params(reader, item, &change->params);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_index(ngx_smtp_hook_reader_t *reader, json_t *item,
    ngx_smtp_hook_change_t *change, json_int_t min)
{
    json_t      *index;
    json_int_t   n;

    index = ngx_smtp_hook_member(item, "index");
    n = json_is_integer(index) ? json_integer_value(index) : -1;

    if (n < min || n > NGX_MAX_INT32_VALUE) {
        return ngx_smtp_hook_invalid(reader,
                                     "a modification has no valid \"index\"");
    }

    change->index = n;

    return NGX_OK;
}


/* as a client would write them; without a value there is no "=" */

static ngx_int_t
ngx_smtp_hook_read_params(ngx_smtp_hook_reader_t *reader, json_t *item,
    ngx_array_t *params)
{
    size_t       key_len;
    u_char      *p;
    json_t      *object, *value;
    ngx_str_t   *param, text;
    const char  *key;

    if (ngx_array_init(params, reader->pool, 1, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    object = ngx_smtp_hook_member(item, "parameters");

    if (object == NULL) {
        return NGX_OK;
    }

    if (!json_is_object(object)) {
        return ngx_smtp_hook_invalid(reader, "\"parameters\" is no object");
    }

    json_object_foreach(object, key, value) {

        if (json_is_null(value)) {
            continue;
        }

        if (ngx_smtp_hook_string(reader, value, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        key_len = ngx_strlen(key);

        param = ngx_array_push(params);
        if (param == NULL) {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(reader->pool, key_len + text.len + 2);
        if (p == NULL) {
            return NGX_ERROR;
        }

        param->data = p;

        *p++ = ' ';
        p = ngx_cpymem(p, key, key_len);

        if (text.len) {
            *p++ = '=';
            p = ngx_cpymem(p, text.data, text.len);
        }

        param->len = p - param->data;
    }

    return NGX_OK;
}
