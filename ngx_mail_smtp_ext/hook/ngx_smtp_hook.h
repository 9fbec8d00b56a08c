
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Hooks: HTTP services that have a say at the stages of a session, in the
 * JSON of "MTA Hooks".  docs/backends/hooks.md describes it.
 */


#ifndef _NGX_SMTP_HOOK_H_INCLUDED_
#define _NGX_SMTP_HOOK_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_json.h>
#include <ngx_smtp_fields.h>
#include <ngx_smtp_zone.h>


/* of a reply's text, in the log */
#define NGX_SMTP_HOOK_LOG_MAX  256


#define NGX_SMTP_HOOK_CONNECT  0x01
#define NGX_SMTP_HOOK_EHLO     0x02
#define NGX_SMTP_HOOK_AUTH     0x04
#define NGX_SMTP_HOOK_MAIL     0x08
#define NGX_SMTP_HOOK_RCPT     0x10
#define NGX_SMTP_HOOK_DATA     0x20


/* cache_by=: what an answer at RCPT depends on */
#define NGX_SMTP_HOOK_BY_CLIENT     0x01
#define NGX_SMTP_HOOK_BY_LOGIN      0x02
#define NGX_SMTP_HOOK_BY_SENDER     0x04
#define NGX_SMTP_HOOK_BY_RECIPIENT  0x08


/* on_error= */
#define NGX_SMTP_HOOK_ERROR_TEMPFAIL  0
#define NGX_SMTP_HOOK_ERROR_ACCEPT    1
#define NGX_SMTP_HOOK_ERROR_REJECT    2


/* body=: what is told of a message */
#define NGX_SMTP_HOOK_BODY_NONE     0
#define NGX_SMTP_HOOK_BODY_HEADERS  1
#define NGX_SMTP_HOOK_BODY_FULL     2


/* oversize=: when that is more than max_body */
#define NGX_SMTP_HOOK_OVERSIZE_OMIT    0
#define NGX_SMTP_HOOK_OVERSIZE_REJECT  1


typedef enum {
    NGX_SMTP_HOOK_ACCEPT = 0,
    NGX_SMTP_HOOK_REJECT,
    NGX_SMTP_HOOK_TEMPFAIL,
    NGX_SMTP_HOOK_DISCARD,
    NGX_SMTP_HOOK_QUARANTINE
} ngx_smtp_hook_action_e;


/* a smtp_hook */
typedef struct {
    ngx_smtp_http_url_t      url;
    ngx_uint_t               stages;         /* NGX_SMTP_HOOK_* */
    ngx_uint_t               on_error;
    ngx_msec_t               timeout;        /* NGX_CONF_UNSET_MSEC: that of
                                                smtp_http_timeout */
    size_t                   max_answer;
    ngx_uint_t               body;           /* NGX_SMTP_HOOK_BODY_* */
    off_t                    max_body;
    ngx_uint_t               oversize;
    ngx_shm_zone_t          *cache;          /* of answers at RCPT; NULL */
    ngx_msec_t               cache_valid;
    ngx_uint_t               cache_by;       /* NGX_SMTP_HOOK_BY_* */
} ngx_smtp_hook_t;


typedef struct {
    ngx_array_t             *hooks;          /* of ngx_smtp_hook_t; NULL */
    ngx_uint_t               stages;         /* of all of them */
    ngx_uint_t               concurrency;    /* recipients of a client that are
                                                asked about at a time */
    ngx_smtp_http_fields_t   fields;
} ngx_smtp_hook_conf_t;


/* where a recipient goes; to is empty: the one in question, or all */
typedef struct {
    ngx_str_t                to;
    ngx_str_t                pass;
} ngx_smtp_hook_route_t;


typedef enum {
    NGX_SMTP_HOOK_CHANGE_FROM = 0,
    NGX_SMTP_HOOK_ADD_RCPT,
    NGX_SMTP_HOOK_DELETE_RCPT,

    /* of the message */
    NGX_SMTP_HOOK_REPLACE_CONTENTS,
    NGX_SMTP_HOOK_ADD_HEADER,
    NGX_SMTP_HOOK_INSERT_HEADER,
    NGX_SMTP_HOOK_CHANGE_HEADER,
    NGX_SMTP_HOOK_DELETE_HEADER
} ngx_smtp_hook_change_e;


/* one of "modifications" */
typedef struct {
    ngx_smtp_hook_change_e   type;
    ngx_str_t                value;
    ngx_str_t                name;           /* of a header field */
    ngx_uint_t               index;          /* ... which one, or behind */
    ngx_array_t              params;         /* of ngx_str_t, " NAME=VALUE" */
} ngx_smtp_hook_change_t;


/* an answer that is in order by itself */
typedef struct {
    ngx_smtp_hook_action_e   action;
    ngx_uint_t               status;         /* of a reply; 0: none given */
    ngx_smtp_enhanced_t      enhanced;       /* class 0: none given */
    ngx_str_t                message;        /* empty: none given */
    ngx_array_t              routes;         /* of ngx_smtp_hook_route_t */
    ngx_array_t              changes;        /* of ngx_smtp_hook_change_t */

    unsigned                 disconnect:1;
    unsigned                 failed:1;       /* made by on_error= */
} ngx_smtp_hook_answer_t;


/* text that grows */
typedef struct {
    ngx_pool_t              *pool;
    u_char                  *start;
    u_char                  *last;
    u_char                  *end;
    unsigned                 failed:1;       /* no memory */
} ngx_smtp_hook_text_t;


typedef struct ngx_smtp_hook_run_s  ngx_smtp_hook_run_t;


/* of _message: reading the spool */
typedef struct {
    ngx_smtp_spool_reader_t *reader;         /* of tx's pool; NULL: not yet */
    size_t                   size;           /* of its buffer */
    ngx_str_t                header;         /* data NULL: not yet */

    off_t                    until;
    void                   (*piece)(ngx_smtp_hook_run_t *run, u_char *p,
                                    size_t len);
    ngx_int_t              (*next)(ngx_smtp_hook_run_t *run);
    ngx_smtp_json_t          js;
    ngx_smtp_op_t            op;
} ngx_smtp_hook_message_t;


/* of the recipient that a run is about */
typedef enum {
    NGX_SMTP_HOOK_IN_TURN = 0,
    NGX_SMTP_HOOK_AHEAD,         /* a hook is being asked */
    NGX_SMTP_HOOK_ANSWERED,      /* one has, or failed; not looked at yet */
    NGX_SMTP_HOOK_PAUSED         /* at hook n, which was not asked */
} ngx_smtp_hook_turn_e;


/* one stage of a session, and the hooks that are asked there, in order */
struct ngx_smtp_hook_run_s {
    ngx_pool_t              *pool;
    ngx_smtp_session_t      *session;
    ngx_smtp_tx_t           *tx;             /* may be NULL */
    ngx_smtp_rcpt_t         *rcpt;           /* at RCPT: who is in question */
    ngx_smtp_hook_conf_t    *conf;
    ngx_uint_t               stage;
    ngx_smtp_hook_turn_e     turn;
    ngx_log_t                log;            /* of requests: several may be
                                                under way */

    ngx_uint_t               n;              /* of conf->hooks */
    ngx_smtp_hook_t         *hook;
    ngx_smtp_hook_answer_t   answer;
    u_char                   key[NGX_SMTP_ZONE_KEY];     /* of _cache */
    unsigned                 keyed:1;        /* ... is the present hook's */
    void                    *envelope;       /* of _envelope */
    void                    *content;        /* of _content */
    ngx_smtp_hook_text_t     text;           /* of the request */
    ngx_smtp_hook_message_t  message;

    ngx_smtp_op_t           *op;             /* of who waits for us */
    ngx_smtp_op_t            http_op;        /* of what we wait for */
    ngx_queue_t              ops;
    ngx_smtp_http_request_t  http;
};


extern ngx_module_t  ngx_mail_smtp_ext_hook_module;
extern ngx_module_t  ngx_mail_smtp_ext_http_module;


/* names of stages; that of one */
extern ngx_conf_enum_t  ngx_smtp_hook_stages[];
void ngx_smtp_hook_stage_name(ngx_uint_t stage, ngx_str_t *name);


/* ngx_smtp_hook_text.c: what fails leaves text->failed set */

void ngx_smtp_hook_text_init(ngx_smtp_hook_text_t *text, ngx_pool_t *pool);
void ngx_smtp_hook_text_raw(ngx_smtp_hook_text_t *text, char *literal);

/* "value", with its quotes */
void ngx_smtp_hook_text_str(ngx_smtp_hook_text_t *text, ngx_str_t *value);

/* ,"key":"value"; no comma behind "{" and "[" */
void ngx_smtp_hook_text_pair(ngx_smtp_hook_text_t *text, char *key,
    ngx_str_t *value);

/* ,"value"; and pieces of one, between quotes of the caller's */
void ngx_smtp_hook_text_item(ngx_smtp_hook_text_t *text, ngx_str_t *value);
void ngx_smtp_hook_text_piece(ngx_smtp_hook_text_t *text, ngx_smtp_json_t *js,
    u_char *p, u_char *last);
void ngx_smtp_hook_text_piece_end(ngx_smtp_hook_text_t *text,
    ngx_smtp_json_t *js);

void ngx_smtp_hook_text_number(ngx_smtp_hook_text_t *text, char *key,
    off_t value);

/* ,"key":{ and the like */
void ngx_smtp_hook_text_open(ngx_smtp_hook_text_t *text, char *key,
    char *bracket);


/*
 * ngx_smtp_hook_request.c: the body of the request into run->text, but for
 * what it says of the message's content; and then its end.
 */
void ngx_smtp_hook_request(ngx_smtp_hook_run_t *run);
ngx_int_t ngx_smtp_hook_request_end(ngx_smtp_hook_run_t *run,
    ngx_str_t *body);


/*
 * ngx_smtp_hook.c, the steps of a run.  Those that return have the results of a
 * row of a phase; NGX_AGAIN: a hook is being asked.
 */

/* NULL: no memory */
ngx_smtp_hook_run_t *ngx_smtp_hook_create(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op, ngx_uint_t stage);

/* rc is what has come of it so far: NGX_AGAIN, op waits for it; or it ends */
ngx_int_t ngx_smtp_hook_wait(ngx_smtp_hook_run_t *run, ngx_int_t rc);

/* asks hook n, or the next one that is to be asked */
ngx_int_t ngx_smtp_hook_next(ngx_smtp_hook_run_t *run);

/* rc is what has come of hook n; NGX_OK: the next one */
ngx_int_t ngx_smtp_hook_step(ngx_smtp_hook_run_t *run, ngx_int_t rc);

/* the same, some time later: op finishes when it was not NGX_AGAIN */
void ngx_smtp_hook_go_on(ngx_smtp_hook_run_t *run, ngx_int_t rc);

/* does what the answer of hook n says, or its failure; rc for step() */
ngx_int_t ngx_smtp_hook_answered(ngx_smtp_hook_run_t *run);

/* the answer could be followed, as rc says, or not: NGX_DECLINED, and why */
ngx_int_t ngx_smtp_hook_judged(ngx_smtp_hook_run_t *run, ngx_int_t rc,
    char *reason);


/*
 * ngx_smtp_hook_ahead.c: the turn of a recipient that was asked about before,
 * as a row of a phase; hook n has answered a run that is ahead; an answer wants
 * nothing but to go on.
 */
ngx_int_t ngx_smtp_hook_turn(ngx_smtp_rcpt_t *rcpt, ngx_smtp_op_t *op);
void ngx_smtp_hook_done_ahead(ngx_smtp_hook_run_t *run);
ngx_uint_t ngx_smtp_hook_goes_on(ngx_smtp_hook_answer_t *answer);


/*
 * ngx_smtp_hook_message.c: reads the header into run->message.header, and the
 * contents into run->text, which need the header before.  NGX_OK: it is there.
 * NGX_AGAIN: when it is next() will be called, and go_on() with what that
 * returns.  NGX_DECLINED: it is too long.  NGX_ERROR.
 */
ngx_int_t ngx_smtp_hook_message_header(ngx_smtp_hook_run_t *run,
    ngx_int_t (*next)(ngx_smtp_hook_run_t *run));
ngx_int_t ngx_smtp_hook_message_contents(ngx_smtp_hook_run_t *run,
    ngx_int_t (*next)(ngx_smtp_hook_run_t *run));

/* its fields, with room for more; NGX_OK, NGX_DECLINED: too many, NGX_ERROR */
ngx_int_t ngx_smtp_hook_message_fields(ngx_smtp_hook_run_t *run,
    ngx_str_t *text, ngx_smtp_fields_t *fields, ngx_uint_t more);

/* writes them, and ours, to run->text; the same */
ngx_int_t ngx_smtp_hook_message_tell(ngx_smtp_hook_run_t *run);


/*
 * ngx_smtp_hook_cache.c: answers at RCPT.  find(): NGX_OK, one is there, in
 * text; NGX_DECLINED.  store() keeps the one that has come and was followed.
 */
ngx_int_t ngx_smtp_hook_cache_find(ngx_smtp_hook_run_t *run, ngx_str_t *text);
void ngx_smtp_hook_cache_store(ngx_smtp_hook_run_t *run);


/* ngx_smtp_hook_content.c: the changes of a message, as _envelope_ */
ngx_uint_t ngx_smtp_hook_content_wanted(ngx_smtp_hook_run_t *run);
ngx_int_t ngx_smtp_hook_content_prepare(ngx_smtp_hook_run_t *run,
    char **reason);
ngx_int_t ngx_smtp_hook_content_commit(ngx_smtp_hook_run_t *run);


/*
 * ngx_smtp_hook_answer.c: reads an answer; what it keeps is in pool.  NGX_OK,
 * or NGX_ERROR: none that may be used; *reason says why.
 */
ngx_int_t ngx_smtp_hook_answer_parse(ngx_smtp_hook_answer_t *answer,
    ngx_pool_t *pool, ngx_str_t *text, char **reason);


/*
 * ngx_smtp_hook_envelope.c: the changes of the envelope and the routes.
 * prepare() looks whether all of them can be done: NGX_OK, or as apply() for
 * what can't be; then commit() does them, NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_hook_envelope_prepare(ngx_smtp_hook_run_t *run,
    char **reason);
ngx_int_t ngx_smtp_hook_envelope_commit(ngx_smtp_hook_run_t *run);

/* those that hooks have added become recipients; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_hook_envelope_join(ngx_smtp_tx_t *tx);


/*
 * ngx_smtp_hook_apply.c: does what the answer wants.  NGX_OK: done, go on.
 * NGX_DONE: decided, nobody else is to be asked.  NGX_DECLINED: it can't be
 * done, *reason says why: nothing was changed.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_smtp_hook_apply(ngx_smtp_hook_run_t *run, char **reason);

/* the reply to a message that is not delivered; as a row of a phase */
ngx_int_t ngx_smtp_hook_discarded(ngx_smtp_tx_t *tx);

/* what on_error= wants; NGX_OK: go on, NGX_DONE: decided */
ngx_int_t ngx_smtp_hook_apply_error(ngx_smtp_hook_run_t *run);


#endif /* _NGX_SMTP_HOOK_H_INCLUDED_ */
