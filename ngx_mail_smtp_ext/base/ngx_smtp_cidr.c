
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_cidr.h>


/*
 * Lists of addresses in the configuration.  A connection that came through a
 * unix socket has no address: "unix:" stands for all of them.
 */


static ngx_int_t ngx_smtp_cidr_parse(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value, ngx_cidr_t *cidr);


char *
ngx_smtp_conf_set_cidr_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t    *value;
    ngx_cidr_t   *cidr;
    ngx_uint_t    i;
    ngx_array_t **cidrs;

    cidrs = (ngx_array_t **) (p + cmd->offset);

    if (*cidrs == NULL) {
        *cidrs = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (*cidrs == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(*cidrs);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

        if (ngx_smtp_cidr_parse(cf, cmd, &value[i], cidr) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_smtp_cidr_parse(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *value,
    ngx_cidr_t *cidr)
{
    u_char     *mask;
    ngx_int_t   rc;

#if (NGX_HAVE_UNIX_DOMAIN)

    if (value->len == 5 && ngx_strncmp(value->data, "unix:", 5) == 0) {
        cidr->family = AF_UNIX;
        return NGX_OK;
    }

#endif

    rc = ngx_ptocidr(value, cidr);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", value);
        return NGX_ERROR;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of %V are meaningless", value);
    }

    /* a mask without bits: everybody */

    switch (cidr->family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        mask = cidr->u.in6.mask.s6_addr;
        break;
#endif

    default: /* AF_INET */
        mask = (u_char *) &cidr->u.in.mask;
        break;
    }

    if (mask[0] == 0 && cmd->post) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "\"%V %V\" %s",
                           &cmd->name, value, (char *) cmd->post);
    }

    return NGX_OK;
}
