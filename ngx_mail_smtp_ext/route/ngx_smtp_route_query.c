
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * Who is asked by VRFY, EXPN and ETRN: whoever would get the mail of this
 * client.  Nobody else, so that a next hop is told nothing, and tells nothing,
 * that RCPT does not.
 */


ngx_int_t
ngx_smtp_route_query_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_dest_t          *dest;
    ngx_smtp_query_t         *query;
    ngx_smtp_route_choice_t   choice;

    query = s->query;
    dest = NULL;

    choice.rcpt = &query->rcpt;
    choice.pool = query->pool;
    choice.auth_dest = &dest;
    choice.utf8 = 1;

    /* RFC 1985, 8: lest somebody says "@com" */

    choice.named = query->below;

    return ngx_smtp_route_choose(s, &choice);
}
