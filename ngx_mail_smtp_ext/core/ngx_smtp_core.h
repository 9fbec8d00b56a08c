
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The four nouns: session, transaction, recipient (and base/'s operation),
 * with the service that a server{} offers and the destinations that
 * recipients go to.  Typedefs first, so that the headers of the folder can
 * name each other's types.
 */


#ifndef _NGX_SMTP_CORE_H_INCLUDED_
#define _NGX_SMTP_CORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_smtp_service_s    ngx_smtp_service_t;
typedef struct ngx_smtp_session_s    ngx_smtp_session_t;
typedef struct ngx_smtp_tx_s         ngx_smtp_tx_t;
typedef struct ngx_smtp_rcpt_s       ngx_smtp_rcpt_t;
typedef struct ngx_smtp_query_s      ngx_smtp_query_t;
typedef struct ngx_smtp_dest_s       ngx_smtp_dest_t;
typedef struct ngx_smtp_dest_type_s  ngx_smtp_dest_type_t;
typedef struct ngx_smtp_delivery_s   ngx_smtp_delivery_t;
typedef struct ngx_smtp_caps_s       ngx_smtp_caps_t;


#include <ngx_smtp_compat.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_thread.h>
#include <ngx_smtp_cidr.h>

#include <ngx_smtp_syntax.h>
#include <ngx_smtp_addr.h>
#include <ngx_smtp_line.h>
#include <ngx_smtp_answer.h>
#include <ngx_smtp_dot.h>
#include <ngx_smtp_chunk.h>
#include <ngx_smtp_header.h>
#include <ngx_smtp_edit.h>
#include <ngx_smtp_attr.h>
#include <ngx_smtp_mime.h>

#include <ngx_smtp_spool.h>

#include <ngx_smtp_reply.h>
#include <ngx_smtp_remote.h>
#include <ngx_smtp_rights.h>
#include <ngx_smtp_session.h>
#include <ngx_smtp_tx.h>
#include <ngx_smtp_query.h>
#include <ngx_smtp_dest.h>
#include <ngx_smtp_phase.h>


#endif /* _NGX_SMTP_CORE_H_INCLUDED_ */
