
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * What an answer does to the session and its transaction.  All of it is looked
 * at before any of it is done: an answer that can't be followed as a whole is
 * not followed at all.
 */


static ngx_int_t ngx_smtp_hook_refuse(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_discard(ngx_smtp_hook_run_t *run,
    char **reason);
static ngx_int_t ngx_smtp_hook_verdict(ngx_smtp_hook_run_t *run,
    ngx_smtp_verdict_t *verdict);
static void ngx_smtp_hook_reply(ngx_smtp_hook_run_t *run,
    ngx_smtp_verdict_t *verdict);
static ngx_int_t ngx_smtp_hook_accept(ngx_smtp_hook_run_t *run, char **reason);
static void ngx_smtp_hook_log(ngx_smtp_hook_run_t *run, char *what,
    ngx_smtp_verdict_t *verdict);


/* what is refused at a stage, and for now, when the answer does not say */

static const struct {
    ngx_uint_t          stage;
    ngx_smtp_reply_e    reject;
    ngx_smtp_reply_e    tempfail;
    ngx_smtp_reply_e    error;       /* no answer: on_error=tempfail */
} ngx_smtp_hook_replies[] = {

    { NGX_SMTP_HOOK_CONNECT, NGX_SMTP_REPLY_HOOK_UNWELCOME,
      NGX_SMTP_REPLY_HOOK_AWAY, NGX_SMTP_REPLY_HOOK_AWAY },

    { NGX_SMTP_HOOK_EHLO, NGX_SMTP_REPLY_HOOK_REJECTED,
      NGX_SMTP_REPLY_HOOK_AWAY, NGX_SMTP_REPLY_HOOK_AWAY },

    { NGX_SMTP_HOOK_AUTH, NGX_SMTP_REPLY_AUTH_FAILED,
      NGX_SMTP_REPLY_AUTH_UNAVAILABLE, NGX_SMTP_REPLY_AUTH_UNAVAILABLE },

    { 0, NGX_SMTP_REPLY_HOOK_REJECTED,
      NGX_SMTP_REPLY_HOOK_LATER, NGX_SMTP_REPLY_LOCAL_ERROR }
};


ngx_int_t
ngx_smtp_hook_apply(ngx_smtp_hook_run_t *run, char **reason)
{
    switch (run->answer.action) {

    case NGX_SMTP_HOOK_ACCEPT:
    case NGX_SMTP_HOOK_QUARANTINE:
        return ngx_smtp_hook_accept(run, reason);

    case NGX_SMTP_HOOK_DISCARD:
        return ngx_smtp_hook_discard(run, reason);

    default:
        return ngx_smtp_hook_refuse(run);
    }
}


ngx_int_t
ngx_smtp_hook_apply_error(ngx_smtp_hook_run_t *run)
{
    ngx_smtp_verdict_t       verdict;
    ngx_smtp_hook_answer_t  *answer;

    if (run->hook->on_error == NGX_SMTP_HOOK_ERROR_ACCEPT) {
        return NGX_OK;
    }

    answer = &run->answer;

    ngx_memzero(answer, sizeof(ngx_smtp_hook_answer_t));

    answer->action = (run->hook->on_error == NGX_SMTP_HOOK_ERROR_REJECT)
                     ? NGX_SMTP_HOOK_REJECT : NGX_SMTP_HOOK_TEMPFAIL;
    answer->failed = 1;

    if (ngx_smtp_hook_verdict(run, &verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_hook_reply(run, &verdict);

    if (run->tx) {
        ngx_str_set(&run->tx->hook, "error");
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_smtp_hook_refuse(ngx_smtp_hook_run_t *run)
{
    ngx_smtp_verdict_t  verdict;

    if (ngx_smtp_hook_verdict(run, &verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_hook_log(run, "refused", &verdict);
    ngx_smtp_hook_reply(run, &verdict);

    if (run->tx && run->answer.action == NGX_SMTP_HOOK_REJECT) {
        ngx_str_set(&run->tx->hook, "reject");

    } else if (run->tx) {
        ngx_str_set(&run->tx->hook, "tempfail");
    }

    return NGX_DONE;
}


/* the text lives as long as it is needed: in tx's pool, or to the reply */

static ngx_int_t
ngx_smtp_hook_verdict(ngx_smtp_hook_run_t *run, ngx_smtp_verdict_t *verdict)
{
    ngx_uint_t               i;
    ngx_smtp_reply_e         id;
    ngx_smtp_hook_answer_t  *answer;

    answer = &run->answer;

    for (i = 0; ngx_smtp_hook_replies[i].stage; i++) {
        if (ngx_smtp_hook_replies[i].stage == run->stage) {
            break;
        }
    }

    id = (answer->action == NGX_SMTP_HOOK_REJECT)
         ? ngx_smtp_hook_replies[i].reject
         : answer->failed ? ngx_smtp_hook_replies[i].error
                          : ngx_smtp_hook_replies[i].tempfail;

    /* RFC 4954, 6: a login that is refused for good has 535 */

    if (answer->action == NGX_SMTP_HOOK_REJECT && answer->failed
        && run->stage != NGX_SMTP_HOOK_AUTH)
    {
        id = NGX_SMTP_REPLY_HOOK_FAILED;
    }

    ngx_smtp_verdict_set(verdict, id);

    if (answer->status) {
        verdict->code = answer->status;
        verdict->enhanced.class = 0;

    } else if (answer->enhanced.class == 4 && verdict->code / 100 == 5) {
        verdict->code = 451;
    }

    if (answer->enhanced.class) {
        verdict->enhanced = answer->enhanced;
    }

    if (answer->message.len == 0) {
        return NGX_OK;
    }

    if (run->tx) {
        return ngx_smtp_tx_copy(run->tx, &verdict->text, &answer->message);
    }

    verdict->text = answer->message;

    return NGX_OK;
}


/* RFC 5321, 3.1: who is not welcome may say QUIT; 3.8: 421 closes */

static void
ngx_smtp_hook_reply(ngx_smtp_hook_run_t *run, ngx_smtp_verdict_t *verdict)
{
    ngx_uint_t           close;
    ngx_smtp_session_t  *s;

    s = run->session;

    close = (run->answer.disconnect || verdict->code == 421);

    switch (run->stage) {

    case NGX_SMTP_HOOK_CONNECT:
        ngx_smtp_reply_verdict_bare(s, verdict);
        s->refused_all = NGX_SMTP_REPLY_HOOK_SAY_QUIT;
        break;

    case NGX_SMTP_HOOK_EHLO:
        ngx_smtp_reply_verdict_bare(s, verdict);
        break;

    case NGX_SMTP_HOOK_AUTH:
        ngx_smtp_reply_verdict(s, verdict);
        break;

    case NGX_SMTP_HOOK_RCPT:
        run->rcpt->verdict = *verdict;
        s->leave = close;
        return;

    default:
        run->tx->verdict = *verdict;
        s->leave = close;
        return;
    }

    if (close) {
        s->closing = 1;
    }
}


/* 250 to the client, and nobody gets it */

static ngx_int_t
ngx_smtp_hook_discard(ngx_smtp_hook_run_t *run, char **reason)
{
    ngx_smtp_tx_t  *tx;

    tx = run->tx;

    switch (run->stage) {

    case NGX_SMTP_HOOK_MAIL:
        tx->discard = 1;
        break;

    case NGX_SMTP_HOOK_RCPT:
        if (run->rcpt->dest == NULL) {
            *reason = "nobody could get what is to be discarded";
            return NGX_DECLINED;
        }

        run->rcpt->dest = run->session->service->discard;
        break;

    case NGX_SMTP_HOOK_DATA:
        ngx_smtp_hook_log(run, "discarded", NULL);
        return ngx_smtp_hook_discarded(tx);

    default:
        *reason = "there is nothing to be discarded";
        return NGX_DECLINED;
    }

    ngx_smtp_hook_log(run, "discarded", NULL);
    ngx_str_set(&tx->hook, "discard");

    /* nothing that is said later matters */

    return NGX_OK;
}


ngx_int_t
ngx_smtp_hook_discarded(ngx_smtp_tx_t *tx)
{
    ngx_str_t  id;

    id.data = tx->id;
    id.len = NGX_SMTP_ID_LEN;

    ngx_str_set(&tx->hook, "discard");

    ngx_log_error(NGX_LOG_INFO, tx->session->connection->log, 0,
                  "message discarded, id: %V", &id);

    ngx_smtp_tx_accepted(tx, &tx->verdict);

    return NGX_DONE;
}


static ngx_int_t
ngx_smtp_hook_accept(ngx_smtp_hook_run_t *run, char **reason)
{
    ngx_int_t  rc;

    rc = ngx_smtp_hook_content_prepare(run, reason);

    if (rc == NGX_OK) {
        rc = ngx_smtp_hook_envelope_prepare(run, reason);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (run->answer.action == NGX_SMTP_HOOK_QUARANTINE) {
        ngx_smtp_hook_log(run, "quarantined", NULL);
        ngx_str_set(&run->tx->hook, "quarantine");
    }

    if (run->answer.changes.nelts) {
        ngx_smtp_hook_log(run, run->content ? "changed the message"
                                            : "changed the envelope", NULL);
    }

    if (ngx_smtp_hook_envelope_commit(run) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_hook_content_commit(run);
}


static void
ngx_smtp_hook_log(ngx_smtp_hook_run_t *run, char *what,
    ngx_smtp_verdict_t *verdict)
{
    ngx_str_t  stage, text;
    u_char     buf[NGX_SMTP_HOOK_LOG_MAX];

    ngx_smtp_hook_stage_name(run->stage, &stage);

    if (verdict == NULL) {
        ngx_log_error(NGX_LOG_INFO, run->session->connection->log, 0,
                      "hook \"%V\" %s at %V", &run->hook->url.text, what,
                      &stage);
        return;
    }

    text.data = buf;
    text.len = ngx_smtp_answer_text_copy(buf, sizeof(buf), &verdict->text)
               - buf;

    ngx_log_error(NGX_LOG_INFO, run->session->connection->log, 0,
                  "hook \"%V\" %s at %V: \"%ui %V\"",
                  &run->hook->url.text, what, &stage, verdict->code, &text);
}
