
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Replies of a next hop, RFC 5321, 4.2.1, and their enhanced status codes,
 * RFC 3463.  Pure; the parser is fed line by line out of a buffer.
 */


#ifndef _NGX_SMTP_ANSWER_H_INCLUDED_
#define _NGX_SMTP_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * RFC 5321, 4.5.3.1.5 has 512 octets; servers exceed it, so twice that is
 * read.  A reply of more lines than this is an attack or a fault.
 */
#define NGX_SMTP_ANSWER_LINE_MAX   1024
#define NGX_SMTP_ANSWER_LINES_MAX  128

/* of a text that goes into a reply of ours: with the codes it is one line */
#define NGX_SMTP_ANSWER_TEXT_MAX   480


/* a status code of RFC 3463; class 0: there is none */
typedef struct {
    unsigned    class:4;
    unsigned    subject:10;
    unsigned    detail:10;
} ngx_smtp_enhanced_t;


/* the parser: zero it before each reply */
typedef struct {
    ngx_uint_t   code;           /* 200..599, after the first line */
    ngx_uint_t   lines;          /* so far, the present one included */
    ngx_str_t    text;           /* the present line behind code and mark */
    unsigned     last:1;         /* it is the last one */
} ngx_smtp_answer_t;


/*
 * Takes one line of a reply out of b and moves b->pos behind it.
 * NGX_OK: answer has it, text points into b; go on until answer->last.
 * NGX_AGAIN: no whole line in b yet.
 * NGX_ERROR: not a reply: bad syntax, codes that differ within one reply, a
 *     NUL, a line or a reply that is too long.  An LF alone ends a line too.
 */
ngx_int_t ngx_smtp_answer_parse(ngx_smtp_answer_t *answer, ngx_buf_t *b);

/*
 * Splits an enhanced status code and the space behind it off the front of
 * text, when there is one and its class fits the reply code (RFC 2034, 4).
 * Otherwise class is 0 and text is unchanged.
 */
void ngx_smtp_enhanced_parse(ngx_smtp_enhanced_t *enhanced, ngx_uint_t code,
    ngx_str_t *text);

/*
 * Strictly: "code", "code text", "code enhanced-code text", with a code 2yz,
 * 4yz or 5yz and a text of printable US-ASCII.  Leaves of words the text.
 * NULL: in order; else what is wrong with it ("has ..."), and *code is 0 when
 * it is the code.
 */
char *ngx_smtp_answer_words(ngx_uint_t *code, ngx_smtp_enhanced_t *enhanced,
    ngx_str_t *words);

/*
 * Copies text to dst, at most max octets, with everything that is not
 * printable US-ASCII replaced by "?" (a reply of ours is US-ASCII, RFC 5321,
 * 4.2).  Returns the end.
 */
u_char *ngx_smtp_answer_text_copy(u_char *dst, size_t max, ngx_str_t *text);

/* the same, but characters of UTF-8 that are no controls stay */
u_char *ngx_smtp_answer_text_utf8_copy(u_char *dst, size_t max,
    ngx_str_t *text);


#endif /* _NGX_SMTP_ANSWER_H_INCLUDED_ */
