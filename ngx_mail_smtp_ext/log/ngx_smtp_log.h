
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The access log: one line for each transaction, and one for each session
 * that was refused before it had any.
 */


#ifndef _NGX_SMTP_LOG_H_INCLUDED_
#define _NGX_SMTP_LOG_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_var.h>


/*
 * A line, its end not counted: what syslog servers and log shippers take as
 * one record.  The text of a format may use half of it, values the rest: a
 * value that does not fit is cut off, so that the text around it stays whole
 * and JSON stays JSON.
 */
#define NGX_SMTP_LOG_LINE_MAX  16384
#define NGX_SMTP_LOG_TEXT_MAX  (NGX_SMTP_LOG_LINE_MAX / 2)


typedef enum {
    NGX_SMTP_LOG_ESCAPE_DEFAULT = 0,
    NGX_SMTP_LOG_ESCAPE_JSON,
    NGX_SMTP_LOG_ESCAPE_NONE
} ngx_smtp_log_escape_e;


/* a piece of a format: text, or a variable's value */
typedef struct {
    const ngx_smtp_var_t    *var;           /* NULL: text */
    ngx_str_t                text;
} ngx_smtp_log_op_t;


typedef struct {
    ngx_str_t                name;
    ngx_array_t              ops;           /* of ngx_smtp_log_op_t */
    size_t                   text_size;     /* of all texts */
    ngx_smtp_log_escape_e    escape;

    ngx_uint_t               line;          /* of the first use, for errors */
    u_char                  *file_name;

    unsigned                 defined:1;
} ngx_smtp_log_format_t;


typedef struct {
    u_char                  *start;
    u_char                  *pos;
    u_char                  *last;

    ngx_event_t             *event;         /* flush=; may be NULL */
    ngx_msec_t               flush;
} ngx_smtp_log_buf_t;


/* one smtp_access_log */
typedef struct {
    ngx_open_file_t         *file;          /* its data: ngx_smtp_log_buf_t */
    ngx_syslog_peer_t       *syslog_peer;   /* in place of file */
    ngx_smtp_log_format_t   *format;

    time_t                   disk_full_time;
    time_t                   error_log_time;
} ngx_smtp_log_t;


typedef struct {
    ngx_array_t             *logs;          /* of ngx_smtp_log_t */
    ngx_uint_t               off;           /* unsigned  off:1 */
} ngx_mail_smtp_ext_log_srv_conf_t;


/* in the LOG phase; op is not used.  NGX_OK */
ngx_int_t ngx_smtp_log_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op);

/* writes out what is buffered; nginx calls it before it reopens the file */
void ngx_smtp_log_flush(ngx_open_file_t *file, ngx_log_t *log);
void ngx_smtp_log_flush_handler(ngx_event_t *ev);

/* escape= of a format's definition; NGX_ERROR: there is no such one */
ngx_int_t ngx_smtp_log_escape_parse(ngx_smtp_log_format_t *format,
    ngx_str_t *name);

/* adds what text says; NGX_OK, or NGX_ERROR after logging what is wrong */
ngx_int_t ngx_smtp_log_format_compile(ngx_conf_t *cf,
    ngx_smtp_log_format_t *format, ngx_str_t *text);

/*
 * Gives format the meaning that its name has without a definition.  NGX_OK,
 * NGX_DECLINED: the name has none, NGX_ERROR.
 */
ngx_int_t ngx_smtp_log_format_predefine(ngx_conf_t *cf,
    ngx_smtp_log_format_t *format);

/*
 * Writes a line, at most NGX_SMTP_LOG_LINE_MAX octets, to p; returns its end.
 * What values need is taken from pool.
 */
u_char *ngx_smtp_log_format_run(ngx_smtp_log_format_t *format,
    ngx_smtp_session_t *s, ngx_smtp_tx_t *tx, ngx_pool_t *pool, u_char *p);


#endif /* _NGX_SMTP_LOG_H_INCLUDED_ */
