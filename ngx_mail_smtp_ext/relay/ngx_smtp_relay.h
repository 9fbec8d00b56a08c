
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A transaction with a next hop, inside a client's transaction: the question
 * about a recipient (verify) or the whole of it (deliver).
 */


#ifndef _NGX_SMTP_RELAY_H_INCLUDED_
#define _NGX_SMTP_RELAY_H_INCLUDED_


#include <ngx_smtp_client.h>
#include <ngx_smtp_sevenbit.h>


/* the commands of a request, in their order */
typedef enum {
    NGX_SMTP_RELAY_RSET = 0,     /* an open transaction of someone else */
    NGX_SMTP_RELAY_XFORWARD,
    NGX_SMTP_RELAY_MAIL,
    NGX_SMTP_RELAY_RCPT,
    NGX_SMTP_RELAY_DATA,
    NGX_SMTP_RELAY_FINAL,        /* the reply to the end mark */
    NGX_SMTP_RELAY_DONE
} ngx_smtp_relay_step_e;


typedef struct {
    ngx_uint_t               step;
    ngx_smtp_rcpt_t         *rcpt;           /* of step RCPT */
    ngx_uint_t               n;              /* of step XFORWARD */
} ngx_smtp_relay_pos_t;


typedef struct {
    ngx_smtp_tx_t           *tx;
    ngx_smtp_delivery_t     *delivery;
    ngx_smtp_relay_conf_t   *conf;
    ngx_smtp_upstream_t     *upstream;
    ngx_smtp_client_way_t    way;
    ngx_smtp_peer_t          peer;
    ngx_smtp_client_t       *client;
    ngx_uint_t               parked;         /* serial of its stay, or 0 */

    ngx_smtp_op_t           *op;             /* NULL: no request under way */
    ngx_smtp_op_t            wait;           /* for a name, for the spool */
    ngx_msec_t               start;          /* of connecting */

    ngx_smtp_relay_pos_t     sending;
    ngx_smtp_relay_pos_t     reading;
    ngx_uint_t               outstanding;    /* commands without a reply */

    ngx_str_t                forward[NGX_SMTP_XFORWARD_MAX];
    ngx_uint_t               nforward;       /* commands of it */

    ngx_smtp_verdict_t       failure;        /* what stops the request */
    ngx_smtp_verdict_t       last;           /* the last server's trouble */
    ngx_smtp_rcpt_t         *refused;        /* the one failure is about */
    ngx_uint_t               nrefused;
    ngx_smtp_rcpt_t         *answering;      /* whose reply is due */

    ngx_smtp_verdict_t       proof;          /* the last reply before 221 */
    ngx_uint_t               extra;          /* ... beyond the final one */

    ngx_uint_t               tries;          /* servers so far */
    ngx_msec_t               begun_at;
    ngx_uint_t               why;            /* of what resume() will do */
    ngx_uint_t               failed;

    ngx_smtp_spool_reader_t  reader;
    u_char                  *raw;            /* a piece of the spool */
    u_char                  *stuffed;        /* ... with dots doubled */
    off_t                    offset;
    ngx_uint_t               dot_state;
    void                    *eight_bit;      /* of _8bit */

    /* of smtp_pass_mode stream */
    ngx_chain_t             *out;            /* what is being sent */
    ngx_chain_t            **out_last;
    ngx_chain_t             *out_free;
    size_t                   stuffed_size;
    ngx_uint_t               chunks;         /* BDAT without a reply */
    u_char                   chunk_line[sizeof("BDAT  LAST" CRLF)
                                        + NGX_OFF_T_LEN];

    unsigned                 stream:1;       /* wanted for this message */
    unsigned                 open:1;         /* it is ready for content */
    unsigned                 begun:1;        /* Received has been sent */
    unsigned                 line:1;         /* a new one begins */
    unsigned                 pushing:1;      /* op is push()'s */

    unsigned                 deliver:1;
    unsigned                 got:1;          /* peer is to be freed */
    unsigned                 kept:1;         /* client was, before */
    unsigned                 mail_failed:1;
    unsigned                 added_refused:1;  /* one that a hook has added */
    unsigned                 chunk:1;        /* BDAT LAST in place of DATA */
    unsigned                 last_piece:1;
    unsigned                 end_sent:1;     /* the end mark is the kernel's */
    unsigned                 part:1;         /* BDAT is out, but without LAST */
    unsigned                 held:1;         /* all but the end mark is out */
    unsigned                 closing:1;      /* of PRDR's, the last is due */
    unsigned                 proving:1;      /* QUIT is to tell which reply is
                                                the last */
    unsigned                 bye:1;          /* 421, or out of step */
    unsigned                 drop:1;         /* not fit for another use */
    unsigned                 answered:1;     /* anything to this envelope */
    unsigned                 reading_spool:1;  /* a thread, into raw */
} ngx_smtp_relay_t;


/* _dest: the one of d, made if there is none; NULL: no memory */
ngx_smtp_relay_t *ngx_smtp_relay_get(ngx_smtp_delivery_t *d);

/* _relay: which server */
void ngx_smtp_relay_begin(ngx_smtp_relay_t *relay, ngx_smtp_op_t *op,
    ngx_uint_t deliver);
void ngx_smtp_relay_cancel(ngx_smtp_op_t *op);
void ngx_smtp_relay_failed(ngx_smtp_client_t *client);
void ngx_smtp_relay_next(ngx_smtp_relay_t *relay, ngx_uint_t failed);

/* the same if smtp_next_upstream has NGX_SMTP_NEXT_* why, else that was all */
void ngx_smtp_relay_retry(ngx_smtp_relay_t *relay, ngx_uint_t why,
    ngx_uint_t failed);
void ngx_smtp_relay_finish(ngx_smtp_relay_t *relay);

/*
 * The server has gone while a thread was reading the spool, or writing one:
 * what had to wait for that.
 */
void ngx_smtp_relay_resume(ngx_smtp_relay_t *relay);

/* _envelope: commands; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_relay_envelope(ngx_smtp_relay_t *relay);

/* 0: it would take a MAIL more than the server allows in a session */
ngx_uint_t ngx_smtp_relay_usable(ngx_smtp_relay_t *relay);

/* says what may be said by now; may anything be? */
ngx_int_t ngx_smtp_relay_send(ngx_smtp_relay_t *relay);
ngx_uint_t ngx_smtp_relay_may_send(ngx_smtp_relay_t *relay);

/* is nobody to get the message, since recipients were refused? */
ngx_uint_t ngx_smtp_relay_stopped(ngx_smtp_relay_t *relay);

/* pos, of sending or reading, to the next command */
void ngx_smtp_relay_advance(ngx_smtp_relay_t *relay,
    ngx_smtp_relay_pos_t *pos);

/* _answer: replies; answer() of a client */
ngx_int_t ngx_smtp_relay_answer(ngx_smtp_client_t *client);

/* the reply as a verdict of ours, copied to the transaction's pool */
ngx_int_t ngx_smtp_relay_verdict(ngx_smtp_relay_t *relay,
    ngx_smtp_verdict_t *verdict);

/* the same of the reply to the message, with our id where it was taken */
ngx_int_t ngx_smtp_relay_outcome(ngx_smtp_relay_t *relay,
    ngx_smtp_verdict_t *verdict);

/*
 * _proof: _compare() takes each reply to the envelope and the message.  When
 * that to the message is _wanted() to be certain, _start() asks; then _answer()
 * takes the replies, NGX_OK: it is certain, NGX_AGAIN, or NGX_ERROR.
 */
void ngx_smtp_relay_proof_compare(ngx_smtp_relay_t *relay, ngx_uint_t step);
ngx_uint_t ngx_smtp_relay_proof_wanted(ngx_smtp_relay_t *relay,
    ngx_uint_t nobody);
ngx_int_t ngx_smtp_relay_proof_start(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_proof_answer(ngx_smtp_relay_t *relay);

/* _forward: sets forward and nforward; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_relay_forward(ngx_smtp_relay_t *relay);

/*
 * _8bit: what the server is to get in place of the message, where it has no
 * 8BITMIME.  NGX_OK: delivery->spool has it, if that is set.  NGX_DECLINED:
 * failure is.  NGX_AGAIN: ngx_smtp_relay_envelope() will be called again.
 */
ngx_int_t ngx_smtp_relay_8bit(ngx_smtp_relay_t *relay);

/* _body: mail data, after 354; or BDAT LAST and its chunk */
ngx_int_t ngx_smtp_relay_body(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_chunk(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_written(ngx_smtp_client_t *client);
void ngx_smtp_relay_hold(ngx_smtp_relay_t *relay);
void ngx_smtp_relay_commit(ngx_smtp_delivery_t *d);

/*
 * _each: is the reply that has come one of several, each to a recipient?  And
 * what to make of it, as answer().
 */
ngx_uint_t ngx_smtp_relay_each(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_answer_each(ngx_smtp_relay_t *relay);


ngx_str_t *ngx_smtp_relay_end_mark(ngx_smtp_tx_t *tx);

/* _stream */
void ngx_smtp_relay_stream(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);
void ngx_smtp_relay_push(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_relay_stream_check(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_stream_open(ngx_smtp_relay_t *relay);
ngx_int_t ngx_smtp_relay_stream_answer(ngx_smtp_relay_t *relay);
void ngx_smtp_relay_stream_deliver(ngx_smtp_relay_t *relay,
    ngx_smtp_op_t *op);
void ngx_smtp_relay_stream_pushed(ngx_smtp_relay_t *relay);
void ngx_smtp_relay_stream_lost(ngx_smtp_relay_t *relay);
void ngx_smtp_relay_stream_close(ngx_smtp_relay_t *relay);


/* the descriptors' and the phase table's */
ngx_smtp_dest_t *ngx_smtp_relay_dest_make(ngx_pool_t *pool, ngx_str_t *host,
    in_port_t port);


#endif /* _NGX_SMTP_RELAY_H_INCLUDED_ */
