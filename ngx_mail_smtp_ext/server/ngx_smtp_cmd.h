
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Commands: one descriptor each, listed in ngx_smtp_cmd_table.c.  The flags
 * are looked at once, in the dispatcher; a command's own code begins where
 * they are satisfied.
 */


#ifndef _NGX_SMTP_CMD_H_INCLUDED_
#define _NGX_SMTP_CMD_H_INCLUDED_


#include <ngx_smtp_core.h>


#define NGX_SMTP_CMD_PLAIN    0x01   /* also before TLS where that is a must */
#define NGX_SMTP_CMD_HELO     0x02   /* needs EHLO or HELO */
#define NGX_SMTP_CMD_NO_TX    0x04   /* not inside a transaction */
#define NGX_SMTP_CMD_NO_ARGS  0x08   /* takes no argument */
#define NGX_SMTP_CMD_LAST     0x10   /* nothing may be pipelined behind it */
#define NGX_SMTP_CMD_SMTP     0x20   /* is not there in LMTP */
#define NGX_SMTP_CMD_LMTP     0x40   /* is there in LMTP alone */
#define NGX_SMTP_CMD_HIDDEN   0x80   /* HELP does not name it */
#define NGX_SMTP_CMD_IDLE     0x100  /* brings no message nearer */
#define NGX_SMTP_CMD_END      0x200  /* of a client that is refused as well */
#define NGX_SMTP_CMD_AUTH     0x400  /* needs a login where that is a must */
#define NGX_SMTP_CMD_OFFERED  0x800  /* HELP names it when EHLO does */
#define NGX_SMTP_CMD_SECRET   0x1000 /* a refused one is overwritten */


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   flags;
    char        *syntax;         /* for 501 and HELP */

    /*
     * args: what follows the verb and one space, trailing spaces cut off.  It
     * lies in session->in and is gone when NGX_DONE was returned and an
     * operation has ended.
     * NGX_OK: replied, or session->input has been changed.
     * NGX_DONE: an operation is under way; its end replies and calls
     *     ngx_smtp_session_resume().
     */
    ngx_int_t  (*start)(ngx_smtp_session_t *s, ngx_str_t *args);
} ngx_smtp_command_t;


/* in the order in which HELP names them; the last row's start is NULL */
extern const ngx_smtp_command_t  ngx_smtp_command_table[];


/* is the command there, in SMTP or LMTP, whichever is spoken? */
ngx_uint_t ngx_smtp_command_present(ngx_smtp_session_t *s,
    const ngx_smtp_command_t *cmd);

/* an ngx_smtp_input_pt: the next command line */
ngx_int_t ngx_smtp_command_input(ngx_smtp_session_t *s);

/* a line's verb, and its args as start() gets them */
void ngx_smtp_command_split(ngx_str_t *line, ngx_str_t *verb,
    ngx_str_t *args);

/*
 * Attributes of XCLIENT and XFORWARD, whose names are in a list of which the
 * last is empty: set() has the number of the name.  NGX_OK, or NGX_ERROR: one
 * is not in order, or set() said so, and has been refused.
 */
typedef ngx_int_t (*ngx_smtp_command_attr_pt)(void *data, ngx_uint_t i,
    ngx_str_t *value);

ngx_int_t ngx_smtp_command_attrs(ngx_smtp_session_t *s, ngx_str_t *args,
    const ngx_str_t *names, ngx_smtp_command_attr_pt set, void *data);

/* replies 501 with the syntax of the command being executed */
ngx_int_t ngx_smtp_command_syntax(ngx_smtp_session_t *s, char *syntax);


#endif /* _NGX_SMTP_CMD_H_INCLUDED_ */
