
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <nginx_stub.h>


/*
 * What the targets that link nginx's own sources need besides: no log is
 * written, no time passes.
 */


static ngx_log_t         fuzz_log;
static ngx_cycle_t       fuzz_cycle;
static ngx_connection_t  fuzz_peer;

volatile ngx_cycle_t       *ngx_cycle = &fuzz_cycle;
ngx_pid_t                   ngx_pid;
ngx_rbtree_t                ngx_event_timer_rbtree;
ngx_queue_t                 ngx_posted_events;
volatile ngx_msec_t         ngx_current_msec;

static ngx_time_t           fuzz_time;
volatile ngx_time_t        *ngx_cached_time = &fuzz_time;


ngx_connection_t *
fuzz_connection(void)
{
    if (fuzz_peer.log == NULL) {

        /* else pools have no room for anything small */

        ngx_pagesize = 4096;

        fuzz_cycle.log = &fuzz_log;
        fuzz_peer.log = &fuzz_log;
        fuzz_peer.fd = (ngx_socket_t) -1;

        ngx_queue_init(&ngx_posted_events);
    }

    return &fuzz_peer;
}


#if (NGX_HAVE_VARIADIC_MACROS)

void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}

#endif


void ngx_cdecl
ngx_ssl_error(ngx_uint_t level, ngx_log_t *log, ngx_err_t err, char *fmt, ...)
{
}
