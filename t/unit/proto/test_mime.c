
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_mime.h>
#include <tap.h>


/*
 * 8-bit octets in header sections.  Each message is fed as a whole, octet by
 * octet, and in two pieces cut at each place.
 */


#define U   "\xc3\xa4"
#define N   "\r\n"

#define MULTI  "Content-Type: multipart/mixed; boundary=b" N N "text" N

#define L10  "abcdefghij"
#define L100 L10 L10 L10 L10 L10 L10 L10 L10 L10 L10


typedef struct {
    const char  *name;
    const char  *in;
    ngx_uint_t   header;
    ngx_uint_t   part;
} row_t;


static row_t  rows[] = {

    { "nothing", "", 0, 0 },
    { "us-ascii", "A: b" N N "c" N, 0, 0 },
    { "in the header", "Subject: " U N N "a" N, 1, 0 },
    { "in a folded line", "Subject: a" N " " U N N "a" N, 1, 0 },
    { "in the last line of a message without a body", "A: b" N "C: " U, 1, 0 },
    { "far behind in a line", "A: " L100 L100 U N N, 1, 0 },
    { "behind a long name", L100 ": " U N N, 1, 0 },
    { "behind a name with a space", "A : " U N N, 1, 0 },
    { "with bare lf", "A: b\nC: " U "\n\nd\n", 1, 0 },
    { "in the body", "A: b" N N U N, 0, 0 },
    { "in a body that begins without an empty line", "A: b" N "c" U N
      "D: " U N, 0, 0 },
    { "in a message without a header", N "A: " U N, 0, 0 },
    { "not in a name", "A" U ": b" N N, 0, 0 },
    { "in a text that looks like a header", "A: b" N N "c" N N "D: " U N,
      0, 0 },
    { "in the body of a part", MULTI "--b" N "A: b" N N U N "--b--" N, 0, 0 },
    { "in the header of a part", MULTI "--b" N "A: " U N N "c" N "--b--" N,
      0, 1 },
    { "in the second part", MULTI "--b" N "A: b" N N "c" N "--b" N
      "Content-Disposition: a; filename=" U N N "d" N "--b--" N, 0, 1 },
    { "in a part without a body", MULTI "--b" N "A: " U N "--b--" N, 0, 1 },
    { "behind a boundary with spaces", MULTI "--b \t" N "A: " U N N "c" N,
      0, 1 },
    { "in an inner part", MULTI "--b" N
      "Content-Type: multipart/alternative; boundary=c" N N
      "--c" N "A: " U N N "d" N "--c--" N "--b--" N, 0, 1 },
    { "both", "A: " U N MULTI "--b" N "A: " U N N, 1, 1 },
    { "in a message that is forwarded", MULTI "--b" N
      "Content-Type: message/rfc822" N N "Subject: " U N N "c" N, 0, 1 },
    { "in its body", MULTI "--b" N
      "Content-Type: message/rfc822" N N "Subject: a" N N "C: " U N, 0, 0 },
    { "in a message that is all there is",
      "CONTENT-TYPE:\tMessage/Global" N N "Subject: " U N N "c" N, 0, 1 },
    { "with a folded type",
      "Content-Type:" N " message/rfc822" N N "Subject: " U N N "c" N, 0, 1 },
    { "with another type behind it",
      "Content-Type: text/plain;" N " message/rfc822" N N "Subject: " U N,
      0, 0 },
    { "with a part of a parameter",
      "Content-Type: text/plain; a=message/x" N N "Subject: " U N, 0, 0 },
    { "not behind a signature's mark", "A: b" N N "c" N "-- " N "J: " U N,
      0, 0 },
    { "not behind a line of hyphens and text", "A: b" N N "--c" N U " d: e" N
      "f: " U N, 0, 0 },
    { "not behind too long a boundary", "A: b" N N "--" L100 N "d: " U N,
      0, 0 },
    { "not in a boundary", "A: b" N N "--" U N "d: e" N N, 0, 0 },
    { "a header that is a boundary first", "--b" N "A: " U N, 0, 0 }
};


static ngx_uint_t
same(ngx_smtp_mime_t *mime, row_t *row, const char *how)
{
    ngx_smtp_mime_end(mime);

    if (mime->header_8bit == row->header && mime->part_8bit == row->part) {
        return 1;
    }

    printf("# %s: header %u, part %u\n", how, mime->header_8bit,
           mime->part_8bit);

    return 0;
}


static ngx_uint_t
run(row_t *row)
{
    u_char           *in, *piece;
    size_t            i, len;
    ngx_uint_t        ok;
    ngx_smtp_mime_t   mime;

    len = ngx_strlen(row->in);
    in = tap_copy(row->in, len);

    ngx_memzero(&mime, sizeof(ngx_smtp_mime_t));
    ngx_smtp_mime_feed(&mime, in, in + len);
    ok = same(&mime, row, "whole");

    for (i = 0; i <= len; i++) {
        ngx_memzero(&mime, sizeof(ngx_smtp_mime_t));

        piece = tap_copy(in, i);
        ngx_smtp_mime_feed(&mime, piece, piece + i);
        free(piece);

        piece = tap_copy(in + i, len - i);
        ngx_smtp_mime_feed(&mime, piece, piece + len - i);
        free(piece);

        ok &= same(&mime, row, "cut");
    }

    ngx_memzero(&mime, sizeof(ngx_smtp_mime_t));

    for (i = 0; i < len; i++) {
        ngx_smtp_mime_feed(&mime, in + i, in + i + 1);
    }

    ok &= same(&mime, row, "octet by octet");

    free(in);

    return ok;
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    return tap_done();
}
