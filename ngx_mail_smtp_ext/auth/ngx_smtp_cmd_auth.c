
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_cmd.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * AUTH, RFC 4954, 4.  While an exchange goes on its lines are read here, as
 * session->input; the mechanism says what to ask next, the backend whether the
 * credentials are good.  All ways out restore the input of commands and
 * destroy the exchange in ngx_smtp_auth_end().
 */


/* of a name, in a message of the log */
#define NGX_SMTP_AUTH_LOG_MAX   128


ngx_int_t ngx_smtp_command_auth(ngx_smtp_session_t *s, ngx_str_t *args);

static ngx_int_t ngx_smtp_auth_args(ngx_smtp_session_t *s, ngx_str_t *args,
    const ngx_smtp_sasl_mech_t **mech, ngx_str_t *initial);
static ngx_int_t ngx_smtp_auth_start(ngx_smtp_session_t *s,
    const ngx_smtp_sasl_mech_t *mech, ngx_str_t *initial);
static const ngx_smtp_sasl_mech_t *ngx_smtp_auth_mech(ngx_smtp_session_t *s,
    ngx_str_t *name);
static void ngx_smtp_auth_word(ngx_str_t *args, ngx_str_t *word);
static ngx_int_t ngx_smtp_auth_input(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_auth_line(ngx_smtp_session_t *s, ngx_str_t *line);
static ngx_int_t ngx_smtp_auth_response(ngx_smtp_sasl_t *sasl,
    ngx_str_t *text);
static ngx_int_t ngx_smtp_auth_go_on(ngx_smtp_sasl_t *sasl, ngx_int_t rc);
static ngx_int_t ngx_smtp_auth_challenge(ngx_smtp_sasl_t *sasl);
static ngx_int_t ngx_smtp_auth_verify(ngx_smtp_sasl_t *sasl);
static ngx_uint_t ngx_smtp_auth_valid(ngx_smtp_sasl_t *sasl);
static ngx_uint_t ngx_smtp_auth_limited(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_verified(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_auth_accept(ngx_smtp_sasl_t *sasl);
static ngx_int_t ngx_smtp_auth_keep(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_decided(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_auth_admit(ngx_smtp_sasl_t *sasl, ngx_int_t rc);
static ngx_int_t ngx_smtp_auth_decline(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_count(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_wait_handler(ngx_event_t *ev);
static void ngx_smtp_auth_refuse(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_refused(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_log(ngx_smtp_sasl_t *sasl, char *what,
    ngx_str_t *user);
static ngx_int_t ngx_smtp_auth_fail(ngx_smtp_sasl_t *sasl,
    ngx_smtp_reply_e id);
static void ngx_smtp_auth_end(ngx_smtp_sasl_t *sasl);


/* what debug logging of timers takes for the event's connection */
static ngx_connection_t  ngx_smtp_auth_timer_connection;


ngx_int_t
ngx_smtp_command_auth(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_str_t                    line, initial;
    const ngx_smtp_sasl_mech_t  *mech;

    line = *args;

    if (ngx_smtp_auth_args(s, args, &mech, &initial) != NGX_OK) {

        /* a password may be in what was refused */

        ngx_explicit_memzero(line.data, line.len);
        return NGX_OK;
    }

    return ngx_smtp_auth_start(s, mech, &initial);
}


/* NGX_DECLINED: it has been refused */

static ngx_int_t
ngx_smtp_auth_args(ngx_smtp_session_t *s, ngx_str_t *args,
    const ngx_smtp_sasl_mech_t **mech, ngx_str_t *initial)
{
    ngx_str_t              name;
    ngx_smtp_auth_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (conf->methods == 0) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);
        return NGX_DECLINED;
    }

    if (s->authenticated) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTH_DONE);
        return NGX_DECLINED;
    }

    /* an extension is there for who asked for extensions: RFC 5321, 2.2.1 */

    if (!s->esmtp) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NEED_EHLO);
        return NGX_DECLINED;
    }

    ngx_smtp_auth_word(args, &name);
    ngx_smtp_auth_word(args, initial);

    if (name.len == 0 || args->len) {
        (void) ngx_smtp_command_syntax(s, "AUTH mechanism [initial-response]");
        return NGX_DECLINED;
    }

    *mech = ngx_smtp_auth_mech(s, &name);

    if (*mech == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTH_UNKNOWN);
        return NGX_DECLINED;
    }

    if (!(ngx_smtp_sasl_offered(s) & (*mech)->bit)) {

        /* under TLS it is something else that it lacks: a certificate... */

        ngx_smtp_reply(s, s->tls ? NGX_SMTP_REPLY_AUTH_UNKNOWN
                                 : NGX_SMTP_REPLY_AUTH_NEEDS_TLS);
        return NGX_DECLINED;
    }

    if (initial->len && (*mech)->server_first) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTH_NO_INITIAL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_auth_start(ngx_smtp_session_t *s, const ngx_smtp_sasl_mech_t *mech,
    ngx_str_t *initial)
{
    ngx_smtp_sasl_t  *sasl;

    sasl = ngx_smtp_sasl_create(s, mech);

    if (sasl == NULL) {
        ngx_explicit_memzero(initial->data, initial->len);
        ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
        return NGX_OK;
    }

    if (initial->len == 0) {
        ngx_str_null(initial);
        return ngx_smtp_auth_go_on(sasl, mech->step(sasl, initial));
    }

    /* the empty response, which no base64 can say on this line */

    if (initial->len == 1 && *initial->data == '=') {
        initial->len = 0;
    }

    return ngx_smtp_auth_response(sasl, initial);
}


static const ngx_smtp_sasl_mech_t *
ngx_smtp_auth_mech(ngx_smtp_session_t *s, ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_smtp_auth_conf_t        *conf;
    const ngx_smtp_sasl_mech_t  *mech;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    for (i = 0; ngx_smtp_sasl_table[i]; i++) {
        mech = ngx_smtp_sasl_table[i];

        if ((conf->methods & mech->bit)
            && mech->name.len == name->len
            && ngx_strncasecmp(mech->name.data, name->data, name->len) == 0)
        {
            return mech;
        }
    }

    return NULL;
}


/* cuts the first word and the spaces behind it off args */

static void
ngx_smtp_auth_word(ngx_str_t *args, ngx_str_t *word)
{
    word->data = args->data;
    word->len = 0;

    while (args->len && *args->data != ' ') {
        args->data++;
        args->len--;
        word->len++;
    }

    while (args->len && *args->data == ' ') {
        args->data++;
        args->len--;
    }
}


static ngx_int_t
ngx_smtp_auth_input(ngx_smtp_session_t *s)
{
    size_t            max;
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    sasl = s->auth;

    if (s->in == NULL) {
        return NGX_AGAIN;
    }

    /* a line that does not end has to be noticed while there is room */

    max = s->in->end - s->in->start - 2;
    max = ngx_min(max, NGX_SMTP_SASL_LINE_MAX);

    rc = ngx_smtp_line_next(&s->line, s->in, max);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    if (rc != NGX_OK) {
        ngx_explicit_memzero(s->in->start, s->in->pos - s->in->start);
    }

    switch (rc) {

    case NGX_OK:
        return ngx_smtp_auth_line(s, &s->line.text);

    case NGX_SMTP_LINE_TOO_LONG:
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_TOO_LONG);

    case NGX_SMTP_LINE_BARE_CR:
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_BARE_CR);

    default: /* NGX_SMTP_LINE_BARE_LF */
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_BARE_LF);
    }
}


static ngx_int_t
ngx_smtp_auth_line(ngx_smtp_session_t *s, ngx_str_t *line)
{
    ngx_smtp_sasl_t  *sasl;

    sasl = s->auth;

    /*
     * What comes behind a response was sent before its outcome was known:
     * after a failure it would be read as commands (RFC 4954, 4, the end).
     */

    if (s->in->pos != s->in->last) {
        ngx_explicit_memzero(line->data, line->len);
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_BAD_PIPELINING);
    }

    if (line->len == 1 && *line->data == '*') {
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_CANCELLED);
    }

    return ngx_smtp_auth_response(sasl, line);
}


static ngx_int_t
ngx_smtp_auth_response(ngx_smtp_sasl_t *sasl, ngx_str_t *text)
{
    ngx_str_t  response;

    switch (ngx_smtp_sasl_decode(sasl, &response, text)) {

    case NGX_OK:

        if (sasl->unproved) {
            sasl->unproved = 0;

            if (ngx_smtp_auth_limited(sasl)) {
                return NGX_OK;
            }
        }

        return ngx_smtp_auth_go_on(sasl, sasl->mech->step(sasl, &response));

    case NGX_DECLINED:
        ngx_explicit_memzero(text->data, text->len);
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_BAD_RESPONSE);

    default: /* NGX_ERROR */
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
    }
}


/* what a mechanism said that is to be done */

static ngx_int_t
ngx_smtp_auth_go_on(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    switch (rc) {

    case NGX_AGAIN:
        return ngx_smtp_auth_challenge(sasl);

    case NGX_OK:
        return ngx_smtp_auth_verify(sasl);

    case NGX_DONE:
        return ngx_smtp_auth_accept(sasl);

    case NGX_DECLINED:
        return ngx_smtp_auth_decline(sasl);

    case NGX_ERROR:
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_BAD_RESPONSE);

    default: /* NGX_ABORT */
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
    }
}


static ngx_int_t
ngx_smtp_auth_challenge(ngx_smtp_sasl_t *sasl)
{
    ngx_str_t            text;
    ngx_smtp_session_t  *s;

    s = sasl->session;

    if (ngx_smtp_sasl_encode(sasl, &text, &sasl->challenge) != NGX_OK) {
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
    }

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_CHALLENGE, &text);

    s->input = ngx_smtp_auth_input;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_auth_verify(ngx_smtp_sasl_t *sasl)
{
    ngx_int_t            rc;
    ngx_log_t           *log;
    ngx_smtp_session_t  *s;

    s = sasl->session;
    log = s->connection->log;

    s->auth_attempts++;
    s->auth_time = 0;

    if (!ngx_smtp_auth_valid(sasl)) {
        return ngx_smtp_auth_decline(sasl);
    }

    if (ngx_smtp_auth_limited(sasl)) {
        return NGX_OK;
    }

    log->action = "checking credentials";

    sasl->start = ngx_current_msec;

    ngx_smtp_op_start(&sasl->op, &sasl->ops, ngx_smtp_auth_verified, sasl,
                      log);

    rc = ngx_smtp_auth_cache_find(sasl);

    if (rc == NGX_AGAIN) {
        ngx_smtp_cred_http_verify(sasl, &sasl->op);

    } else {
        ngx_smtp_op_finish(&sasl->op, rc);
    }

    return NGX_DONE;
}


/*
 * Is it worth to be asked about?  RFC 4616, 2, RFC 5802, 5.1: nobody acts for
 * someone else here, since a service is asked about one name.
 */

static ngx_uint_t
ngx_smtp_auth_valid(ngx_smtp_sasl_t *sasl)
{
    if (sasl->secret.len > NGX_SMTP_SASL_SECRET_MAX
        || sasl->token.len > NGX_SMTP_SASL_TOKEN_MAX)
    {
        return 0;
    }

    if (sasl->user.len == 0) {
        return sasl->mech->nameless;
    }

    if (!ngx_smtp_sasl_user_valid(&sasl->user)) {
        return 0;
    }

    return sasl->authzid.len == 0
           || (sasl->authzid.len == sasl->user.len
               && ngx_memcmp(sasl->authzid.data, sasl->user.data,
                             sasl->user.len)
                  == 0);
}


/* 1: by smtp_auth_limit; it has been refused */

static ngx_uint_t
ngx_smtp_auth_limited(ngx_smtp_sasl_t *sasl)
{
    ngx_int_t  rc;

    rc = ngx_smtp_auth_limit_check(sasl);

    if (rc == NGX_OK) {
        return 0;
    }

    ngx_smtp_auth_log(sasl, "client login refused, too many failed",
                      &sasl->user);

    (void) ngx_smtp_auth_fail(sasl, (rc == NGX_ABORT)
                                    ? NGX_SMTP_REPLY_AUTH_SHUT_OUT
                                    : NGX_SMTP_REPLY_AUTH_USER_LIMIT);
    return 1;
}


static void
ngx_smtp_auth_verified(ngx_smtp_op_t *op)
{
    ngx_int_t            rc;
    ngx_smtp_sasl_t     *sasl;
    ngx_smtp_session_t  *s;

    sasl = op->data;
    s = sasl->session;

    s->auth_time = ngx_current_msec - sasl->start;

    switch (op->rc) {

    case NGX_OK:
    case NGX_DECLINED:
        ngx_smtp_auth_cache_store(sasl, op->rc);

        /*
         * Others may have failed while this one was under way: who tries many
         * passwords at the same time is not told of more than may fail.  With
         * SCRAM the proof decides, and nothing is told before.
         */

        if (sasl->mech->key_size) {
            sasl->unproved = 1;

        } else if (ngx_smtp_auth_limited(sasl)) {
            ngx_smtp_session_resume(s);
            return;

        } else if (op->rc == NGX_DECLINED) {
            /* who is told by a challenge need not wait for the reply */
            ngx_smtp_auth_count(sasl);
        }

        rc = sasl->mech->answer ? sasl->mech->answer(sasl, op->rc) : op->rc;

        if (rc == NGX_OK) {
            rc = NGX_DONE;
        }

        break;

    default: /* NGX_ERROR */

        /* without a verdict it was no attempt */

        s->auth_attempts--;
        rc = NGX_ABORT;
    }

    if (ngx_smtp_auth_go_on(sasl, rc) == NGX_OK) {
        ngx_smtp_session_resume(s);
    }
}


static ngx_int_t
ngx_smtp_auth_accept(ngx_smtp_sasl_t *sasl)
{
    ngx_int_t            rc;
    ngx_str_t            method;
    ngx_smtp_session_t  *s;

    s = sasl->session;
    method = sasl->mech->name;

    if (ngx_smtp_session_login(s) != NGX_OK
        || ngx_smtp_session_set(&s->user->name, &sasl->login) != NGX_OK
        || ngx_smtp_session_set(&s->user->method, &method) != NGX_OK
        || ngx_smtp_session_set(&s->user->server, &sasl->server) != NGX_OK
        || ngx_smtp_rights_set(s, &sasl->rights) != NGX_OK
        || ngx_smtp_auth_keep(sasl) != NGX_OK)
    {
        ngx_smtp_session_logout(s);
        return ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
    }

    s->user->route = sasl->route;

    ngx_smtp_auth_limit_succeeded(sasl);

    /* secrets are not kept while others are asked */

    ngx_smtp_sasl_forget(sasl);

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_AUTH, ngx_smtp_auth_decided);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_auth_admit(sasl, rc);

    return NGX_OK;
}


static void
ngx_smtp_auth_decided(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_auth_admit(s->auth, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_auth_admit(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    ngx_smtp_session_t  *s;

    s = sasl->session;

    if (rc == NGX_DONE) {
        /* told why not already */
        ngx_smtp_session_logout(s);
        ngx_smtp_auth_refused(sasl);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_session_logout(s);
        (void) ngx_smtp_auth_fail(sasl, NGX_SMTP_REPLY_AUTH_UNAVAILABLE);
        return;
    }

    s->authenticated = 1;

    ngx_smtp_auth_log(sasl, "client logged in", &s->user->name);

    ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTHENTICATED);
    ngx_smtp_auth_end(sasl);
}


/* what a login at the next hop needs, if there will be one */

static ngx_int_t
ngx_smtp_auth_keep(ngx_smtp_sasl_t *sasl)
{
    ngx_str_t           *passwd;
    ngx_smtp_session_t  *s;

    s = sasl->session;

    if (!s->service->keep_passwd) {
        return NGX_OK;
    }

    if (sasl->bearer.len) {
        /* what the client had is not asked for */
        return ngx_smtp_session_set_secret(&s->user->token, &sasl->bearer);
    }

    /* what CRAM-MD5 has in its place is a digest */

    passwd = &sasl->passwd;

    if (passwd->len == 0 && sasl->mech->plaintext) {
        passwd = &sasl->secret;
    }

    if (ngx_smtp_session_set_secret(&s->user->passwd, passwd) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_session_set_secret(&s->user->token, &sasl->token);
}


/* NGX_DONE: the client has to wait for the reply */

static ngx_int_t
ngx_smtp_auth_decline(ngx_smtp_sasl_t *sasl)
{
    ngx_log_t  *log;

    ngx_smtp_auth_log(sasl, "client login failed", &sasl->user);
    ngx_smtp_auth_count(sasl);

    sasl->wait = ngx_max(sasl->wait, sasl->delay);

    if (sasl->wait == 0) {
        ngx_smtp_auth_refuse(sasl);
        return NGX_OK;
    }

    ngx_smtp_sasl_forget(sasl);

    log = sasl->session->connection->log;
    log->action = "delaying the answer to a login";

    ngx_smtp_auth_timer_connection.fd = (ngx_socket_t) -1;

    sasl->timer.handler = ngx_smtp_auth_wait_handler;
    sasl->timer.data = &ngx_smtp_auth_timer_connection;
    sasl->timer.log = log;

    ngx_add_timer(&sasl->timer, sasl->wait);

    return NGX_DONE;
}


/* a refusal for now says nothing of the credentials */

static void
ngx_smtp_auth_count(ngx_smtp_sasl_t *sasl)
{
    if (sasl->code / 100 != 4) {
        ngx_smtp_auth_limit_failed(sasl);
    }
}


static void
ngx_smtp_auth_wait_handler(ngx_event_t *ev)
{
    ngx_smtp_sasl_t     *sasl;
    ngx_smtp_session_t  *s;

    sasl = (ngx_smtp_sasl_t *)
               ((u_char *) ev - offsetof(ngx_smtp_sasl_t, timer));
    s = sasl->session;

    ngx_smtp_auth_refuse(sasl);
    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_auth_refuse(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_session_t  *s;
    ngx_smtp_verdict_t   verdict;

    s = sasl->session;

    ngx_smtp_verdict_set(&verdict, NGX_SMTP_REPLY_AUTH_FAILED);

    if (sasl->code) {
        verdict.code = sasl->code;
        verdict.enhanced = sasl->enhanced;
    }

    if (sasl->message.len) {
        verdict.text = sasl->message;
    }

    ngx_smtp_reply_verdict(s, &verdict);

    if (verdict.code == 421) {
        /* RFC 5321, 3.8: it says that the connection is closed */
        s->closing = 1;
    }

    ngx_smtp_auth_refused(sasl);
}


static void
ngx_smtp_auth_refused(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;

    s = sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (sasl->shut_out && !s->closing) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_AUTH_SHUT_OUT);

    } else if (conf->max_attempts && s->auth_attempts >= conf->max_attempts
               && !s->closing)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client failed to log in %ui times", s->auth_attempts);

        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_ERRORS);
    }

    ngx_smtp_auth_end(sasl);
}


/* a name is the client's: nothing of it may look like a line of the log */

static void
ngx_smtp_auth_log(ngx_smtp_sasl_t *sasl, char *what, ngx_str_t *user)
{
    ngx_str_t  text;
    u_char     buf[NGX_SMTP_AUTH_LOG_MAX];

    text.data = buf;
    text.len = ngx_smtp_answer_text_copy(buf, sizeof(buf), user) - buf;

    ngx_log_error(NGX_LOG_INFO, sasl->session->connection->log, 0,
                  "%s, mechanism: %V, user: \"%V\"",
                  what, &sasl->mech->name, &text);
}


static ngx_int_t
ngx_smtp_auth_fail(ngx_smtp_sasl_t *sasl, ngx_smtp_reply_e id)
{
    ngx_smtp_reply(sasl->session, id);
    ngx_smtp_auth_end(sasl);

    return NGX_OK;
}


static void
ngx_smtp_auth_end(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_session_t  *s;

    s = sasl->session;
    s->input = ngx_smtp_command_input;

    ngx_smtp_sasl_destroy(sasl);
}
