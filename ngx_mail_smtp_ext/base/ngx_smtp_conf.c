
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_conf.h>


/* more than any list of words that there is */
#define NGX_SMTP_CONF_WORDS  512


static char *ngx_smtp_conf_check_words(ngx_conf_t *cf, void *list,
    size_t size);
static char *ngx_smtp_conf_check_time(ngx_conf_t *cf, void *post, void *data);


ngx_conf_post_t  ngx_smtp_conf_time_post = { ngx_smtp_conf_check_time };


char *
ngx_smtp_conf_pass_on(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_module_t *module, void *conf)
{
    ngx_command_t  *own;

    for (own = module->commands; own->name.len; own++) {
        if (own->name.len == cmd->name.len
            && ngx_strncmp(own->name.data, cmd->name.data, cmd->name.len)
               == 0)
        {
            return own->set(cf, own, conf);
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\"",
                       &cmd->name);

    return NGX_CONF_ERROR;
}


char *
ngx_smtp_conf_set_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (ngx_smtp_conf_check_words(cf, cmd->post, sizeof(ngx_conf_enum_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_set_enum_slot(cf, cmd, conf);
}


char *
ngx_smtp_conf_set_bitmask_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (ngx_smtp_conf_check_words(cf, cmd->post, sizeof(ngx_conf_bitmask_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_set_bitmask_slot(cf, cmd, conf);
}


/* whether all arguments are in the list: structures that begin with a name */

static char *
ngx_smtp_conf_check_words(ngx_conf_t *cf, void *list, size_t size)
{
    u_char      *p, *last, words[NGX_SMTP_CONF_WORDS];
    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        p = words;
        last = words + sizeof(words);

        for (name = list; name->len;
             name = (ngx_str_t *) ((u_char *) name + size))
        {
            if (name->len == value[i].len
                && ngx_strcasecmp(name->data, value[i].data) == 0)
            {
                break;
            }

            p = ngx_slprintf(p, last, "%s%V", p == words ? "" : " | ", name);
        }

        if (name->len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", \"%V\" takes %*s",
                               &value[i], &value[0], (size_t) (p - words),
                               words);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_smtp_conf_check_num(ngx_conf_t *cf, void *post, void *data)
{
    ngx_conf_num_bounds_t *bounds = post;
    ngx_int_t *np = data;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (bounds->high == -1) {

        if (*np >= bounds->low) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be at least %i",
                           &value[0], bounds->low);

        return NGX_CONF_ERROR;
    }

    if (*np >= bounds->low && *np <= bounds->high) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" must be between %i and %i",
                       &value[0], bounds->low, bounds->high);

    return NGX_CONF_ERROR;
}


char *
ngx_smtp_conf_check_size(ngx_conf_t *cf, void *post, void *data)
{
    ngx_smtp_conf_sizes_t *bounds = post;
    size_t *sp = data;

    ngx_str_t  *value;

    if (*sp >= bounds->low && *sp <= bounds->high) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" must be between %uz and %uz octets",
                       &value[0], bounds->low, bounds->high);

    return NGX_CONF_ERROR;
}


static char *
ngx_smtp_conf_check_time(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *mp = data;

    return *mp ? NGX_CONF_OK : "must not be 0: nothing would come in time";
}


void
ngx_smtp_conf_in_vain(ngx_conf_t *cf, char *name, char *needed,
    u_char *file_name, ngx_uint_t line)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%s\" has no effect without \"%s\" in server in %s:%ui",
                  name, needed, file_name, line);
}
