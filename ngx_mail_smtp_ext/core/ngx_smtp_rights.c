
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * The rights of a session's user: one block of memory, with the list of
 * senders behind the structure, from a login to the session's reset or end.
 */


ngx_int_t
ngx_smtp_rights_set(ngx_smtp_session_t *s, ngx_smtp_rights_t *rights)
{
    ngx_smtp_rights_t  *copy;

    if (s->rights) {
        ngx_free(s->rights);
        s->rights = NULL;
    }

    if (rights == NULL
        || (rights->max_size == 0 && rights->max_rcpt == 0
            && rights->senders.len == 0))
    {
        return NGX_OK;
    }

    copy = ngx_alloc(sizeof(ngx_smtp_rights_t) + rights->senders.len,
                     ngx_cycle->log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *rights;

    if (copy->senders.len) {
        copy->senders.data = (u_char *) (copy + 1);

        ngx_memcpy(copy->senders.data, rights->senders.data,
                   rights->senders.len);
    }

    s->rights = copy;

    return NGX_OK;
}


off_t
ngx_smtp_rights_max_size(ngx_smtp_session_t *s)
{
    off_t  max;

    max = s->service->max_message_size;

    if (s->rights && s->rights->max_size
        && (max == 0 || s->rights->max_size < max))
    {
        return s->rights->max_size;
    }

    return max;
}


ngx_uint_t
ngx_smtp_rights_max_rcpt(ngx_smtp_session_t *s)
{
    ngx_uint_t  max;

    max = s->service->max_recipients;

    if (s->rights && s->rights->max_rcpt && s->rights->max_rcpt < max) {
        return s->rights->max_rcpt;
    }

    return max;
}
