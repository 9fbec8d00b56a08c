
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Variables, from one table.  They are asked for when a transaction or a
 * session ends; nothing is cached.
 */


#ifndef _NGX_SMTP_VAR_H_INCLUDED_
#define _NGX_SMTP_VAR_H_INCLUDED_


typedef struct ngx_smtp_var_s  ngx_smtp_var_t;


struct ngx_smtp_var_s {
    ngx_str_t    name;           /* without "$" */

    /*
     * Sets value, which may point into the session or transaction or be made
     * in pool.  tx is NULL in the line of a session that had none.
     * NGX_DECLINED: there is no value.  NGX_ERROR: no memory.
     */
    ngx_int_t  (*get)(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
                      ngx_pool_t *pool, ngx_str_t *value, uintptr_t data);
    uintptr_t    data;
};


/* the last row's name is empty */
extern const ngx_smtp_var_t  ngx_smtp_var_table[];


/* NULL: no such variable */
const ngx_smtp_var_t *ngx_smtp_var_find(ngx_str_t *name);

/*
 * The variable in a text of the configuration, at *pos, where "$" is; moves
 * *pos behind it.  NULL after logging what is wrong.
 */
const ngx_smtp_var_t *ngx_smtp_var_parse(ngx_conf_t *cf, u_char **pos,
    u_char *last);

/*
 * What Received says behind "with", RFC 5321, 4.4, RFC 3848 and RFC 6531, 4.3;
 * constant.  tx may be NULL.
 */
void ngx_smtp_var_protocol(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value);


#endif /* _NGX_SMTP_VAR_H_INCLUDED_ */
