
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>

#if (NGX_SMTP_HAVE_IDN)
#include <stringprep.h>
#endif


/*
 * SASLprep, RFC 4013, of names that SCRAM transfers (RFC 5802, 5.1), treated
 * as queries: code points that were not assigned in Unicode 3.2 pass.  The
 * tables are libidn's.  Without it names that are not in US-ASCII stay as
 * they are, and it is the service that compares.
 */


/* NFKC makes 18 characters of one (U+FDFA) at most */
#define NGX_SMTP_SASL_PREP_GROWTH  18


ngx_int_t
ngx_smtp_sasl_prep(ngx_smtp_sasl_t *sasl, ngx_str_t *name)
{
#if (NGX_SMTP_HAVE_IDN)

    size_t   len;
    u_char  *p;

    /* control characters are refused later, of the rest nothing changes */

    if (!ngx_smtp_is_8bit(name->data, name->data + name->len)) {
        return NGX_OK;
    }

    if (name->len > NGX_SMTP_SASL_USER_MAX
        || ngx_strlchr(name->data, name->data + name->len, '\0'))
    {
        return NGX_DECLINED;
    }

    len = name->len * NGX_SMTP_SASL_PREP_GROWTH + 1;

    p = ngx_smtp_sasl_alloc(sasl, len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    *ngx_cpymem(p, name->data, name->len) = '\0';

    if (stringprep((char *) p, len, 0, stringprep_saslprep) != STRINGPREP_OK)
    {
        return NGX_DECLINED;
    }

    name->data = p;
    name->len = ngx_strlen(p);

    if (name->len == 0) {
        return NGX_DECLINED;
    }

#endif

    return NGX_OK;
}
