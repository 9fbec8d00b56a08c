
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook_private.h>


/*
 * What a hook answers, read with jansson and looked at as a whole before
 * anything is done: an answer in which one thing is wrong is none.  Members
 * that are not known are skipped, null is as good as nothing.
 */


/* as deep as an answer goes is 4; jansson reads it by recursion */
#define NGX_SMTP_HOOK_DEPTH_MAX  16

/* RFC 5321, 4.5.3.1.5: the text of a reply */
#define NGX_SMTP_HOOK_TEXT_MAX   480


static ngx_int_t ngx_smtp_hook_read(ngx_smtp_hook_reader_t *reader,
    json_t *root);
static ngx_int_t ngx_smtp_hook_read_action(ngx_smtp_hook_reader_t *reader,
    json_t *root);
static ngx_int_t ngx_smtp_hook_read_response(ngx_smtp_hook_reader_t *reader,
    json_t *root);
static ngx_int_t ngx_smtp_hook_read_status(ngx_smtp_hook_reader_t *reader,
    json_t *response);
static ngx_int_t ngx_smtp_hook_read_enhanced(ngx_smtp_hook_reader_t *reader,
    json_t *response);
static ngx_int_t ngx_smtp_hook_read_message(ngx_smtp_hook_reader_t *reader,
    json_t *response);
static ngx_int_t ngx_smtp_hook_read_routes(ngx_smtp_hook_reader_t *reader,
    json_t *root);

static const struct {
    char                    *name;
    ngx_smtp_hook_action_e   action;
} ngx_smtp_hook_actions[] = {
    { "accept", NGX_SMTP_HOOK_ACCEPT },
    { "reject", NGX_SMTP_HOOK_REJECT },
    { "tempfail", NGX_SMTP_HOOK_TEMPFAIL },
    { "discard", NGX_SMTP_HOOK_DISCARD },
    { "quarantine", NGX_SMTP_HOOK_QUARANTINE },
    { NULL, 0 }
};


ngx_int_t
ngx_smtp_hook_answer_parse(ngx_smtp_hook_answer_t *answer, ngx_pool_t *pool,
    ngx_str_t *text, char **reason)
{
    json_t                  *root;
    ngx_int_t                rc;
    ngx_smtp_hook_reader_t   reader;

    ngx_memzero(answer, sizeof(ngx_smtp_hook_answer_t));

    reader.answer = answer;
    reader.pool = pool;
    reader.reason = "no memory";

    if (ngx_smtp_json_depth(text->data, text->data + text->len)
        > NGX_SMTP_HOOK_DEPTH_MAX)
    {
        *reason = "too deep";
        return NGX_ERROR;
    }

    /* duplicates: of two that disagree nobody knows which one counts */

    root = json_loadb((char *) text->data, text->len, JSON_REJECT_DUPLICATES,
                      NULL);
    if (root == NULL) {
        *reason = "no valid JSON";
        return NGX_ERROR;
    }

    rc = ngx_smtp_hook_read(&reader, root);

    json_decref(root);

    *reason = reader.reason;

    return rc;
}


static ngx_int_t
ngx_smtp_hook_read(ngx_smtp_hook_reader_t *reader, json_t *root)
{
    if (!json_is_object(root)) {
        return ngx_smtp_hook_invalid(reader, "no object");
    }

    if (ngx_smtp_hook_read_action(reader, root) != NGX_OK
        || ngx_smtp_hook_read_response(reader, root) != NGX_OK
        || ngx_smtp_hook_read_routes(reader, root) != NGX_OK
        || ngx_smtp_hook_read_changes(reader, root) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_action(ngx_smtp_hook_reader_t *reader, json_t *root)
{
    json_t      *action;
    ngx_uint_t   i;

    action = ngx_smtp_hook_member(root, "action");

    for (i = 0; ngx_smtp_hook_actions[i].name; i++) {

        if (json_is_string(action)
            && ngx_strcmp(json_string_value(action),
                          ngx_smtp_hook_actions[i].name)
               == 0)
        {
            reader->answer->action = ngx_smtp_hook_actions[i].action;
            return NGX_OK;
        }
    }

    return ngx_smtp_hook_invalid(reader, "no known \"action\"");
}


static ngx_int_t
ngx_smtp_hook_read_response(ngx_smtp_hook_reader_t *reader, json_t *root)
{
    json_t  *response, *disconnect;

    response = ngx_smtp_hook_member(root, "response");

    if (response == NULL) {
        return NGX_OK;
    }

    if (!json_is_object(response)) {
        return ngx_smtp_hook_invalid(reader, "\"response\" is no object");
    }

    disconnect = ngx_smtp_hook_member(response, "disconnect");

    if (disconnect && !json_is_boolean(disconnect)) {
        return ngx_smtp_hook_invalid(reader, "\"disconnect\" is no boolean");
    }

    reader->answer->disconnect = json_is_true(disconnect);

    if (ngx_smtp_hook_read_status(reader, response) != NGX_OK
        || ngx_smtp_hook_read_enhanced(reader, response) != NGX_OK
        || ngx_smtp_hook_read_message(reader, response) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* RFC 5321, 4.2: the second digit is 0 to 5 */

static ngx_int_t
ngx_smtp_hook_read_status(ngx_smtp_hook_reader_t *reader, json_t *response)
{
    json_t                  *status;
    json_int_t               n;
    ngx_smtp_hook_answer_t  *answer;

    answer = reader->answer;

    status = ngx_smtp_hook_member(response, "status");

    if (status == NULL) {
        return NGX_OK;
    }

    n = json_is_integer(status) ? json_integer_value(status) : 0;

    if (n < 200 || n > 559 || (n / 10) % 10 > 5) {
        return ngx_smtp_hook_invalid(reader, "\"status\" is no reply code");
    }

    switch (answer->action) {

    case NGX_SMTP_HOOK_REJECT:
        if (n < 400) {
            return ngx_smtp_hook_invalid(reader,
                                         "\"status\" does not reject");
        }

        break;

    case NGX_SMTP_HOOK_TEMPFAIL:
        if (n < 400 || n > 499) {
            return ngx_smtp_hook_invalid(reader,
                                         "\"status\" is not temporary");
        }

        break;

    default:
        if (n > 299) {
            return ngx_smtp_hook_invalid(reader,
                                         "\"status\" does not accept");
        }
    }

    answer->status = n;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_enhanced(ngx_smtp_hook_reader_t *reader, json_t *response)
{
    json_t                  *value, *other;
    ngx_str_t                text;
    ngx_uint_t               code;
    ngx_smtp_hook_answer_t  *answer;

    answer = reader->answer;

    value = ngx_smtp_hook_member(response, "enhancedStatus");
    other = ngx_smtp_hook_member(response, "enhanced_status");

    if (value && other) {
        return ngx_smtp_hook_invalid(reader, "two enhanced codes");
    }

    value = value ? value : other;

    if (value == NULL) {
        return NGX_OK;
    }

    if (!json_is_string(value)) {
        return ngx_smtp_hook_invalid(reader, "enhanced code is no string");
    }

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    code = answer->status;

    if (code == 0 && text.len) {
        code = (answer->action == NGX_SMTP_HOOK_REJECT) ? 500
               : (answer->action == NGX_SMTP_HOOK_TEMPFAIL) ? 400 : 200;

        if (answer->action == NGX_SMTP_HOOK_REJECT && text.data[0] == '4') {
            code = 400;
        }
    }

    ngx_smtp_enhanced_parse(&answer->enhanced, code, &text);

    if (answer->enhanced.class == 0 || text.len) {
        return ngx_smtp_hook_invalid(reader, "enhanced code does not fit");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_message(ngx_smtp_hook_reader_t *reader, json_t *response)
{
    json_t      *message;
    size_t       i;
    ngx_str_t   *text;

    message = ngx_smtp_hook_member(response, "message");

    if (message == NULL) {
        return NGX_OK;
    }

    text = &reader->answer->message;

    if (ngx_smtp_hook_string(reader, message, text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text->len > NGX_SMTP_HOOK_TEXT_MAX) {
        return ngx_smtp_hook_invalid(reader, "\"message\" is too long");
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            return ngx_smtp_hook_invalid(reader,
                                     "control character in \"message\"");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_read_routes(ngx_smtp_hook_reader_t *reader, json_t *root)
{
    size_t                  i;
    json_t                 *routes, *item, *to, *pass;
    ngx_smtp_hook_route_t  *route;

    if (ngx_array_init(&reader->answer->routes, reader->pool, 1,
                       sizeof(ngx_smtp_hook_route_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    routes = ngx_smtp_hook_member(root, "route");

    if (routes == NULL) {
        return NGX_OK;
    }

    if (!json_is_array(routes)) {
        return ngx_smtp_hook_invalid(reader, "\"route\" is no array");
    }

    for (i = 0; i < json_array_size(routes); i++) {
        item = json_array_get(routes, i);

        if (!json_is_object(item)) {
            return ngx_smtp_hook_invalid(reader, "a route is no object");
        }

        route = ngx_array_push(&reader->answer->routes);
        if (route == NULL) {
            return NGX_ERROR;
        }

        ngx_str_null(&route->to);

        to = ngx_smtp_hook_member(item, "to");
        pass = ngx_smtp_hook_member(item, "pass");

        if (pass == NULL) {
            return ngx_smtp_hook_invalid(reader, "a route has no \"pass\"");
        }

        if (ngx_smtp_hook_string(reader, pass, &route->pass) != NGX_OK
            || (to && ngx_smtp_hook_string(reader, to, &route->to) != NGX_OK))
        {
            return NGX_ERROR;
        }

        if (to && route->to.len == 0) {
            return ngx_smtp_hook_invalid(reader, "a route to nobody");
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_hook_invalid(ngx_smtp_hook_reader_t *reader, char *reason)
{
    reader->reason = reason;

    return NGX_ERROR;
}


json_t *
ngx_smtp_hook_member(json_t *object, const char *name)
{
    json_t  *value;

    value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}


ngx_int_t
ngx_smtp_hook_string(ngx_smtp_hook_reader_t *reader, json_t *value,
    ngx_str_t *str)
{
    if (!json_is_string(value)) {
        return ngx_smtp_hook_invalid(reader, "a text is no string");
    }

    str->len = json_string_length(value);

    if (str->len == 0) {
        str->data = (u_char *) "";
        return NGX_OK;
    }

    str->data = ngx_pnalloc(reader->pool, str->len);
    if (str->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(str->data, json_string_value(value), str->len);

    return NGX_OK;
}
