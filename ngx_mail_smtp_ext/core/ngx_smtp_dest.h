
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Destinations: what smtp_pass names.  A type is a descriptor, listed in
 * route/ngx_smtp_dest_table.c.  A delivery is the part of a transaction that
 * goes to one of them: its recipients, and what came of them.
 */


#ifndef _NGX_SMTP_DEST_H_INCLUDED_
#define _NGX_SMTP_DEST_H_INCLUDED_


struct ngx_smtp_dest_type_s {
    ngx_str_t    scheme;         /* "smtp://" */

    /* configuration: rest is what follows the scheme; sets dest->conf */
    char      *(*parse)(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
                        ngx_str_t *rest);

    /*
     * Asks about d->tx->rcpt and sets its verdict, whose code is a reply to
     * RCPT.  NGX_OK: done.  NGX_AGAIN: op, already started, will finish.
     * NULL: whom the configuration routes here is accepted.
     */
    ngx_int_t  (*verify)(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);

    /*
     * The client's turn: what is held for this transaction, and can be had
     * again, is given back.  May be NULL.
     */
    void       (*park)(ngx_smtp_delivery_t *d);

    /*
     * Delivers the message to d's recipients and sets d->verdict before op
     * finishes: 2xx only when it is taken for good.  A recipient of whom
     * something else is true gets a verdict of its own; that happens only
     * where d->tx->mixed says that it may.  When op is cancelled, nothing may
     * be left that costs anything.
     *
     * With d->hold set it stops where the destination could still be made to
     * forget all of it, calls ngx_smtp_delivery_ready(), and waits for
     * commit().
     */
    void       (*deliver)(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);

    /* goes on; NULL: deliver() does it all at once, and is never held */
    void       (*commit)(ngx_smtp_delivery_t *d);

    /*
     * Content as it comes.  stream(): d's only transaction is made ready for
     * it; op finishes with NGX_OK, with NGX_DONE when d->verdict says why not,
     * or with NGX_DECLINED: it is to be collected as usual, which a NULL means
     * always.  push(): takes d->tx->pieces, the octets of which may be used
     * again when op finishes; with NGX_DONE when d->verdict says that the
     * message is lost.  deliver() takes the last of them.
     */
    void       (*stream)(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);
    void       (*push)(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);

    /*
     * Asks for VRFY, EXPN or ETRN, and sets query->verdict before op finishes,
     * or leaves it if it can't be asked.  NULL: there is nobody to be asked.
     */
    void       (*query)(ngx_smtp_query_t *query, ngx_smtp_op_t *op);

    /*
     * Of a destination that stands for many: sets rcpt->dest, of tx->rcpt, to
     * the one that is meant, the same for the same.  NGX_OK, NGX_DONE: the
     * verdict is set, NGX_ERROR.  NULL: it stands for itself.
     */
    ngx_int_t  (*resolve)(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt);

    /* its answer to the message is one for each recipient: LMTP */
    ngx_uint_t   each;
};


struct ngx_smtp_dest_s {
    const ngx_smtp_dest_type_t  *type;
    ngx_str_t                    url;        /* as configured; the same url
                                                in a cycle is the same dest */
    void                        *conf;       /* the type's */
    ngx_smtp_caps_t             *caps;       /* what is known of its abilities
                                                in this worker; may be NULL */
    time_t                       alike_until;    /* until then its replies are
                                                known to look alike */
    unsigned                     refuses:1;  /* whoever is sent there */
    unsigned                     many:1;     /* it stands for: resolve() */
    unsigned                     drops:1;    /* whatever is: it can't fail */
    unsigned                     mailbox:1;  /* it is the recipient's */
};


/* configuration time: whether mail may go where a scheme begins like that */
ngx_uint_t ngx_smtp_service_goes_to(ngx_smtp_service_t *service,
    char *scheme);


/* what is known of a delivery afterwards, for the log */
typedef struct {
    ngx_str_t                    addr;       /* of the server */
    ngx_uint_t                   status;     /* of its last reply */
    ngx_smtp_enhanced_t          enhanced;
    ngx_str_t                    reply;      /* its text */
    ngx_msec_t                   connect_time;       /* -1: none */
    const char                  *ssl_protocol;       /* NULL: no TLS */
    const char                  *ssl_cipher;
} ngx_smtp_delivery_log_t;


struct ngx_smtp_delivery_s {
    ngx_queue_t                  queue;      /* in tx->deliveries */
    ngx_smtp_tx_t               *tx;
    ngx_smtp_dest_t             *dest;
    ngx_uint_t                   part;       /* of those to dest, see rcpt */
    ngx_uint_t                   nrcpts;     /* of tx->rcpts, its own */
    void                        *worker;     /* the type's own */
    ngx_smtp_spool_t            *spool;      /* the content, where it differs
                                                from tx->spool; or NULL */

    ngx_smtp_op_t                op;         /* of deliver() */
    ngx_smtp_verdict_t           verdict;    /* for those without their own */
    ngx_smtp_delivery_log_t      log;
    ngx_str_t                    remote;     /* what its server calls itself;
                                                empty: it has not been heard */

    void                       (*ready_handler)(ngx_smtp_delivery_t *d);

    unsigned                     hold:1;
    unsigned                     ready:1;    /* stands before its commit() */
    unsigned                     done:1;     /* its verdict stands */
    unsigned                     full:1;     /* ... for its server takes fewer
                                                in a transaction */
};


/* all of a transaction: q walks, and stands for one */
#define ngx_smtp_deliveries_each(q, tx)                                      \
    for (q = ngx_queue_head(&(tx)->deliveries);                              \
         q != ngx_queue_sentinel(&(tx)->deliveries);                         \
         q = ngx_queue_next(q))

#define ngx_smtp_deliveries_data(q)                                          \
    (ngx_queue_data(q, ngx_smtp_delivery_t, queue))


/* that of rcpt->dest and rcpt->part, made if there is none; NULL: no memory */
ngx_smtp_delivery_t *ngx_smtp_delivery_of(ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt);

/* is rcpt one of its recipients? */
ngx_uint_t ngx_smtp_delivery_has(ngx_smtp_delivery_t *d,
    ngx_smtp_rcpt_t *rcpt);

/*
 * That one of dests (an array of ngx_smtp_dest_t *, or NULL) whose url is name,
 * written as it was configured; "smtp://" goes without saying.  NULL: none.
 */
ngx_smtp_dest_t *ngx_smtp_dest_find(ngx_array_t *dests, ngx_str_t *name);

/* its recipients in their order, the first, the next; NULL: no more */
ngx_smtp_rcpt_t *ngx_smtp_delivery_first(ngx_smtp_delivery_t *d);
ngx_smtp_rcpt_t *ngx_smtp_delivery_next(ngx_smtp_delivery_t *d,
    ngx_smtp_rcpt_t *rcpt);

/* by deliver(), see there; may be called again when it had to start anew */
void ngx_smtp_delivery_ready(ngx_smtp_delivery_t *d);


#endif /* _NGX_SMTP_DEST_H_INCLUDED_ */
