
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The phases of a session, in the order in which a message meets them, and
 * the engine that runs the rows of ngx_smtp_phase_table[] for one of them.
 */


#ifndef _NGX_SMTP_PHASE_H_INCLUDED_
#define _NGX_SMTP_PHASE_H_INCLUDED_


typedef enum {
    NGX_SMTP_PHASE_CONNECT = 0,  /* before the greeting */
    NGX_SMTP_PHASE_EHLO,         /* s->helo; HELO and LHLO, too */
    NGX_SMTP_PHASE_AUTH,         /* the login is good: may s->user? */
    NGX_SMTP_PHASE_MAIL,         /* tx->mail_from: may it */
    NGX_SMTP_PHASE_RCPT,         /* tx->rcpt: who, where to, may it */
    NGX_SMTP_PHASE_AHEAD,        /* tx->rcpt, whose turn has not come: can it
                                    be asked about already */
    NGX_SMTP_PHASE_ADD,          /* tx->rcpt, named by a hook: where to;
                                    handlers can't wait */
    NGX_SMTP_PHASE_OPEN,         /* mail data is about to come: who edits it,
                                    who takes it as it comes */
    NGX_SMTP_PHASE_MESSAGE,      /* it is complete: who has a say in it */
    NGX_SMTP_PHASE_DELIVER,      /* and goes to its destinations */
    NGX_SMTP_PHASE_QUERY,        /* s->query: VRFY, EXPN, ETRN */
    NGX_SMTP_PHASE_LOG           /* a transaction, or a session without one,
                                    has ended; handlers can't wait */
} ngx_smtp_phase_e;


/*
 * A row's handler.
 *
 * NGX_OK: it decided in favour (in RCPT: rcpt->dest is set), go on.
 * NGX_DECLINED: no opinion, go on.
 * NGX_DONE: it decided, the verdict is set (of tx->rcpt, else of tx, in QUERY
 *     of s->query; in CONNECT, EHLO and AUTH a reply has been made instead):
 *     stop.
 * NGX_AGAIN: op will finish with one of these.
 * NGX_ERROR: stop; the client gets 451 4.3.0.
 *
 * op has been started by the engine and stays untouched for the other
 * results.  tx is NULL where there is none.
 */
typedef ngx_int_t (*ngx_smtp_phase_pt)(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);


typedef struct {
    ngx_smtp_phase_e    phase;
    ngx_smtp_phase_pt   handler;
} ngx_smtp_phase_t;


/* in order; the last row's handler is NULL */
extern const ngx_smtp_phase_t  ngx_smtp_phase_table[];


/*
 * Runs a phase.  NGX_OK: all rows have been asked.  NGX_DONE, NGX_ERROR: as a
 * row said.  NGX_AGAIN: done(s, rc) will be called with one of these; it may
 * call ngx_smtp_session_resume().  One phase at a time in a session.
 */
ngx_int_t ngx_smtp_phase_run(ngx_smtp_session_t *s, ngx_smtp_phase_e phase,
    void (*done)(ngx_smtp_session_t *s, ngx_int_t rc));

/* by relay/: sets tx->received, if it is not; NGX_OK or NGX_ERROR */
extern ngx_int_t (*const  ngx_smtp_phase_trace)(ngx_smtp_tx_t *tx);

/* by hook/: how many recipients the AHEAD phase is for now */
extern ngx_uint_t (*const  ngx_smtp_phase_room)(ngx_smtp_tx_t *tx);

/*
 * The AHEAD phase, for tx->rcpt; as ngx_smtp_phase_run().  NGX_AGAIN: it is
 * asked about, until its turn comes: then the RCPT phase has tx->rcpt->ahead,
 * which is op.  Nobody is told before; op is given up by its cancellation.
 */
ngx_int_t ngx_smtp_phase_ahead(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op);

/* the ADD phase, for tx->rcpt; as ngx_smtp_phase_run(), but for NGX_AGAIN */
ngx_int_t ngx_smtp_phase_add(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx);

/* the LOG phase; tx may be NULL */
void ngx_smtp_phase_log(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx);


#endif /* _NGX_SMTP_PHASE_H_INCLUDED_ */
