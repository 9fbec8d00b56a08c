
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_conf.h>


/*
 * Parameters of directives by tables, and setters for values of usual kinds.
 */


static const ngx_smtp_conf_param_t *ngx_smtp_conf_param_find(ngx_str_t *arg,
    const ngx_smtp_conf_param_t *params);
static ngx_int_t ngx_smtp_conf_param_bounded(ngx_int_t n, void *post);


ngx_smtp_conf_bounds_t  ngx_smtp_conf_some = { 1, NGX_MAX_INT_T_VALUE };


char *
ngx_smtp_conf_params(ngx_conf_t *cf, ngx_uint_t i, void *conf,
    const ngx_smtp_conf_param_t *params)
{
    uint64_t                      seen, bit;
    ngx_int_t                     rc;
    ngx_str_t                    *arg, value;
    const ngx_smtp_conf_param_t  *param;

    seen = 0;
    arg = cf->args->elts;

    for ( /* void */ ; i < cf->args->nelts; i++) {

        param = ngx_smtp_conf_param_find(&arg[i], params);
        bit = (uint64_t) 1 << (param - params);

        if (param->name.len && (seen & bit)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", &arg[i]);
            return NGX_CONF_ERROR;
        }

        seen |= bit;
        rc = NGX_ERROR;

        if (param->name.len) {
            value.data = arg[i].data + param->name.len;
            value.len = arg[i].len - param->name.len;

            rc = param->set(cf, &value, (u_char *) conf + param->offset,
                            param->post);
        }

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &arg[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the last row: there is none */

static const ngx_smtp_conf_param_t *
ngx_smtp_conf_param_find(ngx_str_t *arg, const ngx_smtp_conf_param_t *params)
{
    const ngx_str_t  *name;

    for ( /* void */ ; params->name.len; params++) {
        name = &params->name;

        if (arg->len >= name->len
            && ngx_strncmp(arg->data, name->data, name->len) == 0
            && (arg->len == name->len || name->data[name->len - 1] == '='))
        {
            break;
        }
    }

    return params;
}


ngx_int_t
ngx_smtp_conf_param_time(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_msec_t *time = field;

    *time = ngx_parse_time(value, 0);

    return ngx_smtp_conf_param_bounded((ngx_int_t) *time, post);
}


ngx_int_t
ngx_smtp_conf_param_num(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_uint_t *num = field;

    *num = ngx_atoi(value->data, value->len);

    return ngx_smtp_conf_param_bounded((ngx_int_t) *num, post);
}


static ngx_int_t
ngx_smtp_conf_param_bounded(ngx_int_t n, void *post)
{
    ngx_smtp_conf_bounds_t *bounds = post;

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    return (bounds == NULL || ((ngx_uint_t) n >= bounds->low
                               && (ngx_uint_t) n <= bounds->high))
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_conf_param_size(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    size_t *size = field;

    *size = ngx_parse_size(value);

    return (*size == (size_t) NGX_ERROR || *size == 0) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_smtp_conf_param_offset(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    off_t *offset = field;

    *offset = ngx_parse_offset(value);

    return (*offset > 0) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_conf_param_enum(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_uint_t *num = field;
    ngx_conf_enum_t *e = post;

    for ( /* void */ ; e->name.len; e++) {

        if (e->name.len == value->len
            && ngx_strncmp(e->name.data, value->data, value->len) == 0)
        {
            *num = e->value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_smtp_conf_param_bits(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_uint_t *bits = field;

    u_char      *p, *last;
    ngx_str_t    name;
    ngx_uint_t   bit;

    *bits = 0;
    last = value->data + value->len;

    for (name.data = value->data; /* void */ ; name.data = p + 1) {

        p = ngx_strlchr(name.data, last, ',');
        name.len = (p ? p : last) - name.data;

        if (ngx_smtp_conf_param_enum(cf, &name, &bit, post) != NGX_OK
            || (*bits & bit))
        {
            return NGX_ERROR;
        }

        *bits |= bit;

        if (p == NULL) {
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_smtp_conf_param_flag(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_uint_t *flag = field;

    *flag = 1;

    return NGX_OK;
}
