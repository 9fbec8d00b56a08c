
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>


/*
 * Fields that an operator adds to requests, "name value", for the directives
 * of those who make requests.
 */


char *
ngx_smtp_http_fields_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t               *value;
    ngx_keyval_t            *field;
    ngx_smtp_http_fields_t  *fields;

    fields = (ngx_smtp_http_fields_t *) ((char *) conf + cmd->offset);

    if (fields->list == NULL) {
        fields->list = ngx_array_create(cf->pool, 1, sizeof(ngx_keyval_t));
        if (fields->list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    field = ngx_array_push(fields->list);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    field->key = value[1];
    field->value = value[2];

    if (!ngx_smtp_http_field_valid(field)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid header \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* RFC 9110, 5.1 */

ngx_uint_t
ngx_smtp_http_field_valid(ngx_keyval_t *field)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < field->key.len; i++) {
        ch = field->key.data[i];

        if (ch <= ' ' || ch >= 0x7f
            || ngx_strchr("\"(),/:;<=>?@[\\]{}", ch) != NULL)
        {
            return 0;
        }
    }

    return field->key.len && ngx_smtp_http_value_valid(&field->value);
}


ngx_int_t
ngx_smtp_http_fields_merge(ngx_conf_t *cf, ngx_smtp_http_fields_t *conf,
    ngx_smtp_http_fields_t *prev)
{
    u_char        *p;
    size_t         len;
    ngx_uint_t     i;
    ngx_keyval_t  *field;

    if (conf->list == NULL) {
        conf->list = prev->list;
    }

    if (conf->list == NULL) {
        return NGX_OK;
    }

    len = 0;
    field = conf->list->elts;

    for (i = 0; i < conf->list->nelts; i++) {
        len += field[i].key.len + field[i].value.len + sizeof(": " CRLF) - 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    conf->text.data = p;
    conf->text.len = len;

    for (i = 0; i < conf->list->nelts; i++) {
        p = ngx_sprintf(p, "%V: %V" CRLF, &field[i].key, &field[i].value);
    }

    return NGX_OK;
}
