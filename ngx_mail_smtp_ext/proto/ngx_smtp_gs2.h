
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What SASL mechanisms of the GS2 family begin with, SCRAM and OAUTHBEARER:
 * RFC 5801, 4, as RFC 5802, 7 writes it down.  Pure: nothing is allocated,
 * results point into the message.
 */


#ifndef _NGX_SMTP_GS2_H_INCLUDED_
#define _NGX_SMTP_GS2_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t   header;      /* all of it, with both commas */
    ngx_str_t   binding;     /* the cb-name of "p="; empty for "n", "y" */
    ngx_str_t   authzid;     /* as it came, encoded; data NULL: none */
    u_char      flag;        /* 'n', 'y', 'p' */
} ngx_smtp_gs2_t;


/* gs2-header: the first octet behind it, or NULL: there is none at p */
u_char *ngx_smtp_gs2_parse(ngx_smtp_gs2_t *gs2, u_char *p, u_char *last);

/* saslname, UTF-8: the first octet behind it, or NULL: there is none at p */
u_char *ngx_smtp_saslname_parse(u_char *p, u_char *last);

/*
 * Takes "=2C" and "=3D" out of what is a saslname; writes no more octets than
 * it has, dst may be p.  The end of what was written.
 */
u_char *ngx_smtp_saslname_decode(u_char *dst, u_char *p, u_char *last);


#endif /* _NGX_SMTP_GS2_H_INCLUDED_ */
