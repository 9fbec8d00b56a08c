
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_conf.h>


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
