
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_cmd.h>


ngx_int_t ngx_smtp_command_helo(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_ehlo(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_lhlo(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_mail(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_rcpt(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_data(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_bdat(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_rset(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_noop(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_vrfy(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_expn(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_help(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_quit(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_starttls(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_auth(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_xclient(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_xforward(ngx_smtp_session_t *s, ngx_str_t *args);
ngx_int_t ngx_smtp_command_etrn(ngx_smtp_session_t *s, ngx_str_t *args);


const ngx_smtp_command_t  ngx_smtp_command_table[] = {

    { ngx_string("EHLO"),
      NGX_SMTP_CMD_PLAIN|NGX_SMTP_CMD_SMTP|NGX_SMTP_CMD_IDLE,
      "EHLO domain",
      ngx_smtp_command_ehlo },

    { ngx_string("LHLO"),
      NGX_SMTP_CMD_PLAIN|NGX_SMTP_CMD_LMTP|NGX_SMTP_CMD_IDLE,
      "LHLO domain",
      ngx_smtp_command_lhlo },

    { ngx_string("HELO"),
      NGX_SMTP_CMD_SMTP|NGX_SMTP_CMD_IDLE,
      "HELO domain",
      ngx_smtp_command_helo },

    { ngx_string("MAIL"),
      NGX_SMTP_CMD_HELO|NGX_SMTP_CMD_AUTH,
      "MAIL FROM:<address> [parameters]",
      ngx_smtp_command_mail },

    { ngx_string("RCPT"),
      NGX_SMTP_CMD_HELO,
      "RCPT TO:<address> [parameters]",
      ngx_smtp_command_rcpt },

    { ngx_string("DATA"),
      NGX_SMTP_CMD_HELO|NGX_SMTP_CMD_NO_ARGS|NGX_SMTP_CMD_LAST,
      "DATA",
      ngx_smtp_command_data },

    { ngx_string("BDAT"),
      NGX_SMTP_CMD_PLAIN,
      "BDAT size [LAST]",
      ngx_smtp_command_bdat },

    { ngx_string("RSET"),
      NGX_SMTP_CMD_NO_ARGS|NGX_SMTP_CMD_IDLE,
      "RSET",
      ngx_smtp_command_rset },

    { ngx_string("NOOP"),
      NGX_SMTP_CMD_PLAIN|NGX_SMTP_CMD_IDLE,
      "NOOP [text]",
      ngx_smtp_command_noop },

    { ngx_string("QUIT"),
      NGX_SMTP_CMD_PLAIN|NGX_SMTP_CMD_NO_ARGS|NGX_SMTP_CMD_END,
      "QUIT",
      ngx_smtp_command_quit },

    { ngx_string("VRFY"),
      NGX_SMTP_CMD_IDLE|NGX_SMTP_CMD_AUTH,
      "VRFY address",
      ngx_smtp_command_vrfy },

    { ngx_string("EXPN"),
      NGX_SMTP_CMD_IDLE|NGX_SMTP_CMD_AUTH,
      "EXPN list",
      ngx_smtp_command_expn },

    { ngx_string("HELP"),
      NGX_SMTP_CMD_IDLE,
      "HELP [command]",
      ngx_smtp_command_help },

    { ngx_string("STARTTLS"),
      NGX_SMTP_CMD_PLAIN|NGX_SMTP_CMD_NO_TX|NGX_SMTP_CMD_NO_ARGS
                        |NGX_SMTP_CMD_LAST|NGX_SMTP_CMD_OFFERED,
      "STARTTLS",
      ngx_smtp_command_starttls },

    { ngx_string("AUTH"),
      NGX_SMTP_CMD_HELO|NGX_SMTP_CMD_NO_TX|NGX_SMTP_CMD_LAST
                       |NGX_SMTP_CMD_OFFERED|NGX_SMTP_CMD_SECRET,
      "AUTH mechanism [initial-response]",
      ngx_smtp_command_auth },

    { ngx_string("XCLIENT"),
      NGX_SMTP_CMD_NO_TX|NGX_SMTP_CMD_HIDDEN,
      "XCLIENT attribute=value...",
      ngx_smtp_command_xclient },

    { ngx_string("XFORWARD"),
      NGX_SMTP_CMD_NO_TX|NGX_SMTP_CMD_HIDDEN,
      "XFORWARD attribute=value...",
      ngx_smtp_command_xforward },

    { ngx_string("ETRN"),
      NGX_SMTP_CMD_HELO|NGX_SMTP_CMD_NO_TX|NGX_SMTP_CMD_IDLE
                       |NGX_SMTP_CMD_AUTH,
      "ETRN [@]domain",
      ngx_smtp_command_etrn },

    { ngx_null_string, 0, NULL, NULL }
};
