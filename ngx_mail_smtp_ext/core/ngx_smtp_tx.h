
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A mail transaction, RFC 5321, 3.3: from MAIL to the reply to the end of
 * data, to RSET, or to the end of the session.  It has a pool of its own.
 */


#ifndef _NGX_SMTP_TX_H_INCLUDED_
#define _NGX_SMTP_TX_H_INCLUDED_


#include <ngx_smtp_date.h>


/* what may come of a message, with one reply to it or more */
typedef enum {
    NGX_SMTP_MIXED_NEVER = 0,    /* the same for all recipients */
    NGX_SMTP_MIXED_REPORT,       /* who was refused is reported to the sender:
                                    RFC 3464 */
    NGX_SMTP_MIXED_EACH          /* a reply to each: LMTP, PRDR */
} ngx_smtp_mixed_e;


typedef enum {
    NGX_SMTP_TX_ABORTED = 0,     /* RSET, EHLO, STARTTLS, QUIT, closed */
    NGX_SMTP_TX_REFUSED,         /* a negative reply to DATA or its end */
    NGX_SMTP_TX_ACCEPTED         /* 250 */
} ngx_smtp_tx_result_e;


/*
 * Values of parameters, as they were given; data is NULL where one was not.
 * What they mean is esmtp/'s.
 */

typedef enum {
    NGX_SMTP_PARAM_RET = 0,                  /* DSN */
    NGX_SMTP_PARAM_ENVID,
    NGX_SMTP_PARAM_REQUIRETLS,               /* has no value: is empty */
    NGX_SMTP_PARAM_MT_PRIORITY,
    NGX_SMTP_PARAM_BY,                       /* DELIVERBY */
    NGX_SMTP_PARAM_HOLDFOR,                  /* FUTURERELEASE */
    NGX_SMTP_PARAM_HOLDUNTIL,
    NGX_SMTP_PARAM_SOLICIT,                  /* NO-SOLICITING */
    NGX_SMTP_PARAM_MTRK,
    NGX_SMTP_PARAM_MAIL_MAX
} ngx_smtp_param_mail_e;


typedef enum {
    NGX_SMTP_PARAM_NOTIFY = 0,               /* DSN */
    NGX_SMTP_PARAM_ORCPT,
    NGX_SMTP_PARAM_RRVS,
    NGX_SMTP_PARAM_RCPT_MAX
} ngx_smtp_param_rcpt_e;


struct ngx_smtp_rcpt_s {
    ngx_queue_t              queue;          /* in tx->rcpts */
    ngx_str_t                addr;           /* where it goes, or rewritten */
    ngx_str_t                given;          /* as the client gave it */
    ngx_str_t                local;          /* of given */
    ngx_str_t                domain;
    ngx_str_t                params[NGX_SMTP_PARAM_RCPT_MAX];
    ngx_str_t                server;         /* "host:port" that an auth
                                                service gave for it */
    ngx_smtp_dest_t         *dest;           /* set by the RCPT phase */
    ngx_uint_t               part;           /* 0, or 1, ... where dest takes
                                                them in several transactions */
    ngx_smtp_verdict_t       verdict;        /* its reply; once the message is
                                                there, what came of it for
                                                LMTP; code 0: as tx->verdict */
    ngx_uint_t               n;              /* 0, 1, ... in tx */
    ngx_smtp_op_t           *ahead;          /* it is asked about already, by
                                                the AHEAD phase; NULL */
    unsigned                 allowed:1;      /* for whoever the client is */
    unsigned                 confirm:1;      /* the sender is to hear from us
                                                that it was taken; by esmtp/,
                                                anew for each server */
    unsigned                 added:1;        /* by a hook: the client knows
                                                nothing of it */
    unsigned                 waits:1;        /* ... and is in tx->added */
    unsigned                 deleted:1;      /* by a hook: dest drops it, and
                                                the client knows nothing */
};


struct ngx_smtp_tx_s {
    ngx_pool_t              *pool;
    ngx_smtp_session_t      *session;        /* NULL once it is gone */
    ngx_uint_t               refs;
    ngx_queue_t              ops;

    u_char                   id[NGX_SMTP_ID_LEN];

    ngx_str_t                mail_from;      /* without "<>"; may be empty */

    /* parameters of MAIL, by esmtp/ */
    off_t                    size;           /* SIZE=, -1: not given */
    ngx_str_t                auth;           /* AUTH=, decoded */
    ngx_str_t                params[NGX_SMTP_PARAM_MAIL_MAX];
    ngx_uint_t               mail_reply;     /* to MAIL; 0: SENDER_OK */
    ngx_uint_t               param_reply;    /* to a parameter that is refused
                                                by a reply of its own */

    ngx_queue_t              rcpts;          /* the accepted ones */
    ngx_uint_t               nrcpts;
    ngx_uint_t               nrefused;
    ngx_queue_t              added;          /* by hooks; in rcpts when the
                                                client has named all of its */
    ngx_uint_t               changes;        /* of the envelope: next hops that
                                                were told of it before know
                                                another */
    ngx_smtp_rcpt_t         *rcpt;           /* the one in the RCPT phase */
    ngx_queue_t              ahead;          /* those that come next in the
                                                pipeline, as far as read */
    ngx_uint_t               nahead;
    ngx_smtp_dest_t         *auth_dest;      /* by route/, of auth_server */
    ngx_queue_t              deliveries;     /* one for each destination */
    ngx_smtp_delivery_t     *delivery;       /* the one that is asked about;
                                                NULL: the whole */
    ngx_smtp_mixed_e         mixed;

    ngx_smtp_dot_t           dot;
    ngx_smtp_header_t        header;
    ngx_smtp_mime_t          mime;           /* fed where somebody asks */
    ngx_smtp_edit_t         *edit;           /* of what is kept or streamed,
                                                by the OPEN phase; NULL: as it
                                                comes */
    ngx_smtp_spool_t        *spool;
    ngx_smtp_delivery_t     *stream;         /* it takes the content as it
                                                comes, in place of the spool */
    ngx_chain_t             *pieces;         /* of it, in session->in; not yet
                                                taken */
    ngx_chain_t            **last_piece;
    ngx_chain_t             *free_pieces;
    ngx_chain_t             *copies;         /* what pieces elsewhere refer
                                                to, used again and again */
    off_t                    bytes;          /* content so far, also refused */
    size_t                   text_line;      /* of the present line of it */
    ngx_str_t                received;       /* our trace field, once made */
    ngx_smtp_verdict_t       verdict;        /* of the message */

    /* for the log */
    ngx_smtp_tx_result_e     result;
    ngx_uint_t               status;         /* of the last reply that counts */
    ngx_str_t                reply;
    ngx_str_t                hook;           /* what a hook did with it */
    ngx_msec_t               start;
    ngx_msec_t               data_start;     /* 354 */
    ngx_msec_t               data_end;       /* the end mark */
    ngx_msec_t               deliver_time;   /* from data_end to the verdict */

    unsigned                 utf8:1;         /* SMTPUTF8 */
    unsigned                 prdr:1;         /* PRDR */
    unsigned                 body_8bit:1;    /* BODY=8BITMIME */
    unsigned                 body_binary:1;  /* BODY=BINARYMIME */
    unsigned                 chunked:1;      /* BDAT has begun */
    unsigned                 discard:1;      /* nobody is to get it */
    unsigned                 whole:1;        /* somebody has to see it before
                                                any of it goes anywhere */
    unsigned                 failed:1;       /* verdict stands, drop the data */
    unsigned                 in_turn:1;      /* recipients are asked about one
                                                after the other */
};


/* opens one for s; NULL: no memory */
ngx_smtp_tx_t *ngx_smtp_tx_create(ngx_smtp_session_t *s);

/*
 * Ends it: cancels what is under way, runs the LOG phase, detaches it from
 * the session and lets go of it.
 */
void ngx_smtp_tx_finish(ngx_smtp_tx_t *tx);

/*
 * A message of our own, of s, that is not the client's transaction: a report.
 * NULL: no memory.  Ends with ngx_smtp_tx_release().
 */
ngx_smtp_tx_t *ngx_smtp_tx_make(ngx_smtp_session_t *s);

/* a recipient of it, in no list yet; NULL: no memory */
ngx_smtp_rcpt_t *ngx_smtp_tx_rcpt(ngx_smtp_tx_t *tx, ngx_smtp_path_t *path);

/*
 * Puts it into tx->rcpts: its dest is set.  NGX_OK or NGX_ERROR.  move() does
 * so with one that is there already, for another destination.
 */
ngx_int_t ngx_smtp_tx_rcpt_add(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt);
ngx_int_t ngx_smtp_tx_rcpt_move(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt,
    ngx_smtp_dest_t *dest);

/*
 * What is asked about recipients that have not had their turn is given up, for
 * it would be answered otherwise now; from here on each waits for its turn.
 */
void ngx_smtp_tx_in_turn(ngx_smtp_tx_t *tx);

/* gives it an empty spool, as its server{} has configured it */
ngx_int_t ngx_smtp_tx_spool(ngx_smtp_tx_t *tx);

/* the same, for other content in its course; NULL: no memory */
ngx_smtp_spool_t *ngx_smtp_tx_spool_make(ngx_smtp_tx_t *tx);

/*
 * Content for tx->stream: adds a piece, which stays where it is until the
 * stream has taken it; forgets those that were taken.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_tx_piece_add(ngx_smtp_tx_t *tx, ngx_str_t *piece);
void ngx_smtp_tx_pieces_free(ngx_smtp_tx_t *tx);

/* the same with a copy: of a piece that does not stay where it is */
ngx_int_t ngx_smtp_tx_piece_copy(ngx_smtp_tx_t *tx, ngx_str_t *piece);

/* this will be the reply to the content; what is still to come is dropped */
void ngx_smtp_tx_fail(ngx_smtp_tx_t *tx, ngx_smtp_reply_e id);

/* gives the stream up: its destination gets no message */
void ngx_smtp_tx_stream_end(ngx_smtp_tx_t *tx);

/* the client's turn, or the end: see park() in ngx_smtp_dest.h */
void ngx_smtp_tx_park(ngx_smtp_tx_t *tx);

/* for threads: the pool lives until everyone has let go */
void ngx_smtp_tx_hold(ngx_smtp_tx_t *tx);
void ngx_smtp_tx_release(ngx_smtp_tx_t *tx);

/* does what is asked about, tx->delivery or the whole, include rcpt? */
#define ngx_smtp_tx_concerns(tx, rcpt)                                       \
    ((tx)->delivery == NULL || ngx_smtp_delivery_has((tx)->delivery, rcpt))

/*
 * RFC 6531, 3.2: does an address, where it goes, need SMTPUTF8?  Of the
 * sender, of tx->rcpt while there is one, or of any recipient that is
 * concerned.
 */
ngx_uint_t ngx_smtp_tx_utf8_envelope(ngx_smtp_tx_t *tx);

/* the same, or its header; only when it was declared, and at its end */
ngx_uint_t ngx_smtp_tx_utf8_message(ngx_smtp_tx_t *tx);

/* sets verdict: the message is taken, with our id */
void ngx_smtp_tx_accepted(ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);

/* a copy in the transaction's pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_tx_copy(ngx_smtp_tx_t *tx, ngx_str_t *dst, ngx_str_t *src);


#endif /* _NGX_SMTP_TX_H_INCLUDED_ */
