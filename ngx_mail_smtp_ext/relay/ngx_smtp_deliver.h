
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Deliveries of a message; docs/dev/delivery.md.
 */


#ifndef _NGX_SMTP_DELIVER_H_INCLUDED_
#define _NGX_SMTP_DELIVER_H_INCLUDED_


#include <ngx_smtp_core.h>


/*
 * d has more recipients than d->dest->caps takes in a transaction: the others
 * are put into new deliveries to the same destination, as far as
 * smtp_max_destinations lets there be; the last one has those that are left.
 * NGX_OK, there are more than before; NGX_DECLINED: nothing has changed;
 * NGX_ERROR, no memory: some are in none that is whole.
 */
ngx_int_t ngx_smtp_deliver_part(ngx_smtp_delivery_t *d);


#endif /* _NGX_SMTP_DELIVER_H_INCLUDED_ */
