
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Destinations: what smtp_pass names.  A type is a descriptor, listed in
 * route/ngx_smtp_dest_table.c.
 */


#ifndef _NGX_SMTP_DEST_H_INCLUDED_
#define _NGX_SMTP_DEST_H_INCLUDED_


struct ngx_smtp_dest_type_s {
    ngx_str_t    scheme;         /* "smtp://" */

    /* configuration: rest is what follows the scheme; sets dest->conf */
    char      *(*parse)(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
                        ngx_str_t *rest);

    /*
     * Asks about tx->rcpt and sets its verdict, whose code is a reply to
     * RCPT.  NGX_OK: done.  NGX_AGAIN: op, already started, will finish.
     * NULL: whom the configuration routes here is accepted.
     */
    ngx_int_t  (*verify)(ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);

    /*
     * The client's turn: what is held for this transaction, and can be had
     * again, is given back.  May be NULL.
     */
    void       (*park)(ngx_smtp_tx_t *tx);

    /*
     * Delivers the message to all of tx->rcpts, or to none, and sets
     * tx->verdict before op finishes: 2xx only when it is taken for good.
     * When op is cancelled, nothing may be left that costs anything.
     */
    void       (*deliver)(ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);

    /*
     * Asks for VRFY, EXPN or ETRN, and sets query->verdict before op finishes,
     * or leaves it if it can't be asked.  NULL: there is nobody to be asked.
     */
    void       (*query)(ngx_smtp_query_t *query, ngx_smtp_op_t *op);
};


struct ngx_smtp_dest_s {
    const ngx_smtp_dest_type_t  *type;
    ngx_str_t                    url;        /* as configured; the same url
                                                in a cycle is the same dest */
    void                        *conf;       /* the type's */
    ngx_smtp_caps_t             *caps;       /* what is known of its abilities
                                                in this worker; may be NULL */
    unsigned                     refuses:1;  /* whoever is sent there */
};


#endif /* _NGX_SMTP_DEST_H_INCLUDED_ */
