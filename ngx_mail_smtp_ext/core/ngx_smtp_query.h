
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * VRFY, EXPN, ETRN: a question outside of any transaction, that the next hop
 * may be asked.  One at a time in a session.
 */


#ifndef _NGX_SMTP_QUERY_H_INCLUDED_
#define _NGX_SMTP_QUERY_H_INCLUDED_


/* smtp_vrfy, smtp_expn, smtp_etrn */
#define NGX_SMTP_QUERY_OFF        0
#define NGX_SMTP_QUERY_AMBIGUOUS  1      /* 252 to everything */
#define NGX_SMTP_QUERY_ASK        2      /* for those who may send anywhere */
#define NGX_SMTP_QUERY_ASK_ALL    3


typedef enum {
    NGX_SMTP_QUERY_VRFY = 0,
    NGX_SMTP_QUERY_EXPN,
    NGX_SMTP_QUERY_ETRN
} ngx_smtp_query_e;


struct ngx_smtp_query_s {
    ngx_smtp_query_e         verb;
    ngx_pool_t              *pool;
    ngx_smtp_session_t      *session;

    /*
     * Whom or what it is about, and where that goes: an address; a name of
     * VRFY and EXPN, which has no domain; a node of ETRN, which has no local
     * part.  addr is what the next hop is asked about.
     */
    ngx_smtp_rcpt_t          rcpt;

    ngx_smtp_verdict_t       verdict;        /* code 0: nobody was asked */

    unsigned                 utf8:1;         /* RFC 6531, 3.7.4.2: the client
                                                takes UTF-8 in the reply */
    unsigned                 below:1;        /* ETRN "@": what is below it,
                                                RFC 1985, 5.3 */
};


/*
 * Makes s->query.  given is copied; rcpt's other strings are left to the
 * caller.  NULL: no memory.
 */
ngx_smtp_query_t *ngx_smtp_query_create(ngx_smtp_session_t *s,
    ngx_smtp_query_e verb, ngx_str_t *given);

/* s->query may be NULL */
void ngx_smtp_query_free(ngx_smtp_session_t *s);

/* may this client have the next hop asked? */
ngx_uint_t ngx_smtp_query_allowed(ngx_smtp_session_t *s,
    ngx_smtp_query_e verb);


#endif /* _NGX_SMTP_QUERY_H_INCLUDED_ */
