
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Every reply of ours: id, code, enhanced code, flags, text.  "%" in a text
 * stands for the argument of ngx_smtp_reply_arg().  docs/replies.md is made
 * from this file by t/tools/replies.pl.
 *
 * Flags: NGX_SMTP_REPLY_BARE: no enhanced code goes with it (RFC 2034, 4: the
 * greeting, HELO, EHLO, 354, 334).  NGX_SMTP_REPLY_FAULT: counts against
 * smtp_max_errors.  NGX_SMTP_REPLY_CLOSE: the connection is closed after it.
 */


#define NGX_SMTP_REPLY_TABLE(X)                                              \
                                                                             \
    /* what goes well */                                                     \
                                                                             \
    X(GREETING,         220, 0, 0, 0, BARE, "% ESMTP")                       \
    X(GREETING_LMTP,    220, 0, 0, 0, BARE, "% LMTP")                        \
    X(HELO,             250, 0, 0, 0, BARE, "%")                             \
    X(OK,               250, 2, 0, 0, 0, "OK")                               \
    X(BYE,              221, 2, 0, 0, CLOSE, "Bye")                          \
    X(HELP,             214, 2, 0, 0, 0, "Commands: %")                      \
    X(CANNOT_VRFY,      252, 2, 0, 0, 0,                                     \
      "Cannot verify, but will take mail for whom RCPT accepts")             \
    X(CANNOT_EXPN,      252, 2, 0, 0, 0,                                     \
      "Cannot expand, but will take mail for whom RCPT accepts")             \
    X(LIST_TOO_LONG,    252, 2, 0, 0, 0, "List is too long to be shown")     \
    X(NEEDS_UTF8,       252, 2, 6, 8, 0, "Reply needs SMTPUTF8")             \
    X(HELP_SYNTAX,      214, 2, 0, 0, 0, "Syntax: %")                        \
    X(STARTTLS,         220, 2, 0, 0, 0, "Ready to start TLS")               \
    X(SENDER_OK,        250, 2, 1, 0, 0, "Sender OK")                        \
    X(PRIORITY_LOWERED, 250, 2, 3, 6, 0,                                     \
      "0 Sender OK, may not have a higher priority")                         \
    X(RECIPIENT_OK,     250, 2, 1, 5, 0, "Recipient OK")                     \
    X(START_INPUT,      354, 0, 0, 0, BARE,                                  \
      "End data with <CR><LF>.<CR><LF>")                                     \
    X(CHUNK_OK,         250, 2, 0, 0, 0, "% octets received")                \
    X(ACCEPTED,         250, 2, 0, 0, 0, "OK id=%")                          \
    X(CHALLENGE,        334, 0, 0, 0, BARE, "%")                             \
    X(AUTHENTICATED,    235, 2, 7, 0, 0, "Authentication succeeded")         \
                                                                             \
    /* syntax, RFC 5321, 4.2.4 and 4.3.2 */                                  \
                                                                             \
    X(UNKNOWN_COMMAND,  500, 5, 5, 1, FAULT, "Command not recognized")       \
    X(NOT_IMPLEMENTED,  502, 5, 5, 1, FAULT, "Command not implemented")      \
    X(LINE_TOO_LONG,    500, 5, 5, 2, FAULT, "Line too long")                \
    X(BARE_CR,          500, 5, 5, 2, FAULT, "Bare <CR> in command")         \
    X(BARE_LF,          500, 5, 5, 2, FAULT|CLOSE,                           \
      "Bare <LF> in command, closing connection")                            \
    X(BAD_ARGUMENT,     501, 5, 5, 4, FAULT, "Syntax: %")                    \
    X(BAD_SENDER,       501, 5, 1, 7, FAULT, "Bad sender address syntax")    \
    X(BAD_RECIPIENT,    501, 5, 1, 3, FAULT, "Bad recipient address syntax") \
    X(BAD_PARAMETER,    501, 5, 5, 4, FAULT, "Bad parameter: %")             \
    X(BY_TOO_SHORT,     555, 5, 5, 4, FAULT,                                 \
      "Time for delivery is below the minimum")                              \
    X(UNKNOWN_PARAMETER, 555, 5, 5, 4, FAULT, "Unsupported parameter: %")    \
    X(HELP_UNKNOWN,     504, 5, 5, 4, FAULT, "No help on that")              \
    X(BAD_ATTRIBUTE,    501, 5, 5, 4, FAULT, "Bad attribute: %")             \
                                                                             \
    X(BAD_CHUNK,        501, 5, 5, 4, FAULT|CLOSE,                           \
      "Syntax: BDAT size [LAST], closing connection")                        \
                                                                             \
    /* order */                                                              \
                                                                             \
    X(NEED_HELO,        503, 5, 5, 1, FAULT, "Send EHLO or HELO first")      \
    X(NEED_EHLO,        503, 5, 5, 1, FAULT, "Send EHLO first")              \
    X(NEED_LHLO,        503, 5, 5, 1, FAULT, "Send LHLO first")              \
    X(NEED_MAIL,        503, 5, 5, 1, FAULT, "Need MAIL first")              \
    X(NEED_RCPT,        503, 5, 5, 1, FAULT, "Need RCPT first")              \
    X(NESTED_MAIL,      503, 5, 5, 1, FAULT, "Transaction already open")     \
    X(CHUNKS_BEGUN,     503, 5, 5, 1, FAULT,                                 \
      "Only BDAT or RSET may follow BDAT")                                   \
    X(BINARY_BY_DATA,   503, 5, 5, 1, FAULT, "BODY=BINARYMIME needs BDAT")   \
    X(CHUNK_NO_MAIL,    503, 5, 5, 1, 0, "Need MAIL first, chunk dropped")   \
    X(CHUNK_NO_RCPT,    554, 5, 5, 1, 0,                                     \
      "No valid recipients, chunk dropped")                                  \
    X(IN_TRANSACTION,   503, 5, 5, 1, FAULT,                                 \
      "Not permitted during a mail transaction")                             \
    X(BAD_PIPELINING,   503, 5, 5, 1, FAULT|CLOSE,                           \
      "Improper use of pipelining, closing connection")                      \
    X(NO_VALID_RCPT,    554, 5, 5, 1, FAULT, "No valid recipients")          \
                                                                             \
    /* TLS, RFC 3207 */                                                      \
                                                                             \
    X(NEED_TLS,         530, 5, 7, 0, FAULT,                                 \
      "Must issue a STARTTLS command first")                                 \
    X(TLS_ACTIVE,       503, 5, 5, 1, FAULT, "TLS already active")           \
                                                                             \
    /* AUTH, RFC 4954 */                                                     \
                                                                             \
    X(AUTH_NEEDS_TLS,   538, 5, 7, 11, FAULT,                                \
      "Encryption required for requested authentication mechanism")          \
    X(AUTH_UNKNOWN,     504, 5, 5, 4, FAULT,                                 \
      "Unrecognized authentication mechanism")                               \
    X(AUTH_NO_INITIAL,  501, 5, 7, 0, FAULT,                                 \
      "Authentication mechanism has no initial response")                    \
    X(AUTH_BAD_RESPONSE, 501, 5, 5, 2, FAULT,                                \
      "Cannot decode authentication response")                               \
    X(AUTH_TOO_LONG,    500, 5, 5, 6, FAULT,                                 \
      "Authentication exchange line is too long")                            \
    X(AUTH_CANCELLED,   501, 5, 7, 0, FAULT, "Authentication cancelled")     \
    X(AUTH_FAILED,      535, 5, 7, 8, FAULT,                                 \
      "Authentication credentials invalid")                                  \
    X(AUTH_UNAVAILABLE, 454, 4, 7, 0, 0,                                     \
      "Temporary authentication failure")                                    \
    X(AUTH_USER_LIMIT,  454, 4, 7, 0, FAULT,                                 \
      "Too many failed logins of this user, try again later")                \
    X(AUTH_SHUT_OUT,    421, 4, 7, 0, CLOSE,                                 \
      "Too many failed logins, closing connection")                          \
    X(AUTH_DONE,        503, 5, 5, 1, FAULT, "Already authenticated")        \
    X(RCPT_REFUSED,     550, 5, 7, 1, 0, "Recipient refused")                \
    X(RCPT_UNCHECKED,   451, 4, 4, 3, 0,                                     \
      "Recipient can't be checked now, try again later")                     \
    X(NEED_AUTH,        530, 5, 7, 0, FAULT, "Authentication required")      \
                                                                             \
    /* XCLIENT, XFORWARD */                                                  \
                                                                             \
    X(NOT_TRUSTED,      550, 5, 7, 0, FAULT, "Insufficient authorization")   \
                                                                             \
    /* VRFY, EXPN, ETRN */                                                   \
                                                                             \
    X(REFUSAL_NEEDS_UTF8, 550, 5, 6, 8, 0, "Reply needs SMTPUTF8")           \
    X(CANNOT_ETRN,      458, 4, 3, 0, 0,                                     \
      "Unable to queue messages for node %")                                 \
    X(ETRN_DENIED,      459, 4, 7, 1, 0,                                     \
      "Node % not allowed: not served for you here")                         \
                                                                             \
    /* recipients and messages */                                            \
                                                                             \
    X(RELAY_DENIED,     550, 5, 7, 1, FAULT, "Relaying denied")              \
    X(SENDER_DENIED,    550, 5, 7, 1, FAULT,                                 \
      "Sender address is not one of the user's")                             \
    X(SENDER_UNQUALIFIED, 554, 5, 1, 8, FAULT,                               \
      "Sender's domain is not fully qualified")                              \
    X(RECIPIENT_UNQUALIFIED, 554, 5, 1, 2, FAULT,                            \
      "Recipient's domain is not fully qualified")                           \
    X(SENDER_NEEDS_UTF8, 550, 5, 6, 7, FAULT,                                \
      "Sender address needs SMTPUTF8")                                       \
    X(RECIPIENT_NEEDS_UTF8, 553, 5, 6, 7, FAULT,                             \
      "Recipient address needs SMTPUTF8")                                    \
    X(TOO_MANY_RCPT,    452, 4, 5, 3, 0, "Too many recipients")              \
    X(OTHER_DESTINATION, 452, 4, 5, 3, 0,                                    \
      "Recipient has another destination, send it in a new transaction")     \
    X(TOO_BIG,          552, 5, 3, 4, 0,                                     \
      "Message size exceeds fixed limit")                                    \
    X(HUGE_CHUNK,       552, 5, 3, 4, FAULT|CLOSE,                           \
      "Chunk size exceeds all limits, closing connection")                   \
    X(BARE_IN_DATA,     550, 5, 6, 0, 0,                                     \
      "Message has bare <CR> or <LF>, lines must end in <CR><LF>")           \
    X(NUL_IN_DATA,      550, 5, 6, 0, 0, "Message has a NUL octet")          \
    X(HEADER_8BIT,      550, 5, 6, 0, 0,                                     \
      "Message has 8-bit octets in its header without SMTPUTF8")             \
    X(TEXT_LINE_TOO_LONG, 550, 5, 6, 0, 0, "Message has too long a line")    \
    X(FIELD_TWICE,      554, 5, 6, 0, 0,                                     \
      "Message has more than one field %")                                   \
    X(FIELD_BAD,        554, 5, 6, 0, 0,                                     \
      "Message has a bad address in its field %")                            \
    X(FIELD_UNQUALIFIED, 554, 5, 6, 0, 0,                                    \
      "Message has a domain that is not fully qualified in its field %")     \
    X(NO_FROM,          554, 5, 6, 0, 0, "Message has no field From")        \
    X(FROM_DENIED,      550, 5, 7, 1, 0,                                     \
      "Address in From is not one of the user's")                            \
    X(LOOP,             554, 5, 4, 6, 0, "Too many hops, mail loop")         \
    X(NO_STORAGE,       452, 4, 3, 1, 0, "Insufficient system storage")      \
    X(NO_MAILBOX,       553, 5, 1, 3, 0,                                     \
      "No mailbox can have this name")                                       \
    X(MAILBOX_FULL,     452, 4, 2, 2, 0, "Mailbox is full")                  \
    X(MAILBOX_FULL_5,   552, 5, 2, 2, 0, "Mailbox is full")                  \
    X(MAILBOX_SMALL,    552, 5, 2, 3, 0,                                     \
      "Message is larger than the mailbox may be")                           \
    X(LOCAL_ERROR,      451, 4, 3, 0, 0, "Local error in processing")        \
                                                                             \
    /* hooks */                                                              \
                                                                             \
    X(HOOK_UNWELCOME,   554, 5, 7, 1, BARE, "Not welcome here")              \
    X(HOOK_SAY_QUIT,    503, 5, 5, 1, FAULT,                                 \
      "Not welcome here, QUIT is all that is left")                          \
    X(HOOK_REJECTED,    550, 5, 7, 1, 0, "Rejected by policy")               \
    X(HOOK_LATER,       451, 4, 7, 1, 0, "Not now, try again later")         \
    X(HOOK_TOO_BIG,     552, 5, 3, 4, 0, "Message is too big to be checked") \
    X(HOOK_FAILED,      554, 5, 3, 0, 0, "Can't be checked, rejected")       \
    X(HOOK_AWAY,        421, 4, 3, 2, CLOSE,                                 \
      "Service not available, closing connection")                           \
                                                                             \
    /* the next hop's side */                                                \
                                                                             \
    X(NO_SERVER,        451, 4, 4, 1, 0, "No destination server answers")    \
    X(SERVERS_BUSY,     451, 4, 3, 2, 0,                                     \
      "Destination servers are busy, try again later")                       \
    X(SERVER_BROKEN,    451, 4, 4, 2, 0,                                     \
      "Connection to destination server failed")                             \
    X(SERVER_INSECURE,  451, 4, 7, 5, 0,                                     \
      "No secure connection to the destination server")                      \
    X(SERVER_LOGIN,     451, 4, 7, 0, 0,                                     \
      "Cannot log in to the destination server")                             \
    X(SERVER_IDENTITY,  451, 4, 7, 0, 0,                                     \
      "Cannot introduce the client to the destination server")               \
    X(REPLY_LOST,       451, 4, 4, 2, 0,                                     \
      "Destination server did not confirm the message")                      \
    X(SERVER_LACKS_8BIT, 554, 5, 6, 3, 0,                                    \
      "Destination server does not take 8-bit content")                      \
    X(SERVER_LACKS_BINARY, 554, 5, 6, 3, 0,                                  \
      "Destination does not take binary content")                            \
    X(SERVER_LACKS_UTF8, 550, 5, 6, 7, 0,                                    \
      "Destination server does not take addresses in UTF-8")                 \
    X(SERVER_LACKS_UTF8_HEADER, 550, 5, 6, 9, 0,                             \
      "Destination server does not take header fields in UTF-8")             \
    X(SERVER_LACKS_TLS, 550, 5, 7, 30, 0, "REQUIRETLS support required")     \
    X(SERVER_LACKS_BY,  554, 5, 3, 3, 0,                                     \
      "Destination server does not promise delivery in time")                \
    X(SERVER_LACKS_RELEASE, 554, 5, 3, 3, 0,                                 \
      "Destination server does not hold messages")                           \
    X(SERVER_LACKS_RRVS, 550, 5, 7, 19, 0,                                   \
      "Since when the mailbox is whose can't be found out")                  \
    X(BY_EXPIRED,       554, 5, 4, 7, 0, "Delivery time expired")            \
    X(SERVER_CHANGED,   451, 4, 4, 5, 0,                                     \
      "Destination server now refuses a recipient, try again")               \
    X(SERVICE_REFUSED,  554, 5, 3, 0, 0,                                     \
      "Destination service refused the message")                             \
    X(SERVICE_FAILED,   451, 4, 3, 0, 0,                                     \
      "Destination service failed, try again later")                         \
    X(REPORT_LOST,      451, 4, 4, 0, 0,                                     \
      "Not all recipients got it, and the report was not taken")             \
    X(PRDR,             353, 0, 0, 0, BARE,                                  \
      "Replies for each recipient follow")                                   \
    X(PARTLY_REFUSED,   554, 5, 1, 0, 0,                                     \
      "Not delivered to anyone, destination server refused <%>")             \
                                                                             \
    /* endings */                                                            \
                                                                             \
    X(BAD_CERTIFICATE,  421, 4, 7, 1, CLOSE, "SSL certificate error")        \
    X(NO_CERTIFICATE,   421, 4, 7, 1, CLOSE,                                 \
      "No required SSL certificate")                                         \
    X(TIMEOUT,          421, 4, 4, 2, CLOSE, "Timeout, closing connection")  \
    X(SESSION_TIMEOUT,  421, 4, 4, 2, CLOSE,                                 \
      "Session has lasted too long, closing connection")                     \
    X(SHUTDOWN,         421, 4, 3, 2, CLOSE,                                 \
      "Service shutting down, closing connection")                           \
    X(BUSY,             421, 4, 3, 2, CLOSE,                                 \
      "Too many connections, closing connection")                            \
    X(TOO_MANY_ERRORS,  421, 4, 7, 0, CLOSE,                                 \
      "Too many errors, closing connection")                                 \
    X(TOO_MANY_COMMANDS, 421, 4, 7, 0, CLOSE,                                \
      "Too many commands, closing connection")                               \
    X(TOO_MANY_IDLE,    421, 4, 7, 0, CLOSE,                                 \
      "Too many commands without a message, closing connection")             \
    X(TOO_MANY_MESSAGES, 421, 4, 7, 0, CLOSE,                                \
      "Too many messages, closing connection")                               \
    X(TOO_MANY_REFUSED, 421, 4, 7, 0, CLOSE,                                 \
      "Too many refused recipients, closing connection")                     \
    X(EARLY_TALKER,     554, 5, 5, 1, CLOSE,                                 \
      "Client spoke before the greeting, closing connection")                \
    X(INTERNAL,         421, 4, 3, 0, CLOSE,                                 \
      "Internal error, closing connection")
