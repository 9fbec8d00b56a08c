
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_header.h>
#include <tap.h>


/* The end of a header section and its Received fields, cut everywhere. */


#define A10  "aaaaaaaaaa"
#define W8   "        "


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_uint_t   done;
    size_t       size;           /* the rest is the body */
    ngx_uint_t   received;
} row_t;


static row_t  rows[] = {

    { "an empty line ends the section",
      tap_str("A: b\r\nC: d\r\n\r\nbody"), 1, 14, 0 },

    { "the section goes on at the end of the input",
      tap_str("A: b\r\nC: d\r\n"), 0, 12, 0 },

    { "an unfinished line counts",
      tap_str("A: b\r\nC: d"), 0, 10, 0 },

    { "an unfinished name counts",
      tap_str("A: b\r\nCd"), 0, 8, 0 },

    { "nothing is nothing",
      tap_str(""), 0, 0, 0 },

    { "a message may have no header at all",
      tap_str("\r\nbody: c\r\n"), 1, 2, 0 },

    { "received fields are counted",
      tap_str("Received: a\r\nA: b\r\nReceived: c\r\n\r\n"), 1, 34, 2 },

    { "received is counted in any case of letters",
      tap_str("RECEIVED: a\r\nreceived:c\r\nrEcEiVeD:\r\n"), 0, 36, 3 },

    { "received is counted as soon as its colon is there",
      tap_str("Received:"), 0, 9, 1 },

    { "received without its colon is not counted yet",
      tap_str("Received"), 0, 8, 0 },

    { "received is counted with obsolete space before the colon",
      tap_str("Received : a\r\nReceived \t: b\r\n"), 0, 29, 2 },

    { "names that begin or end with received are others",
      tap_str("Received-SPF: a\r\nX-Received: b\r\nReceive: c\r\n"), 0, 44,
      0 },

    { "received in a folded line is not counted",
      tap_str("A: b\r\n Received: a\r\n\tReceived: a\r\n\r\n"), 1, 36, 0 },

    { "received in a body of a field is not counted",
      tap_str("A: Received: a\r\n\r\n"), 1, 18, 0 },

    { "received behind the end is not counted",
      tap_str("A: b\r\n\r\nReceived: a\r\n"), 1, 8, 0 },

    { "a line without a colon is the body",
      tap_str("A: b\r\nhello\r\n"), 1, 6, 0 },

    { "a line without a colon that a bare lf ends is the body",
      tap_str("A: b\r\nhello\nC: d\r\n"), 1, 6, 0 },

    { "the same with a space before the lf",
      tap_str("A: b\r\nhello \nC: d\r\n"), 1, 6, 0 },

    { "a line with delete in its name is the body",
      tap_str("A: b\r\nC\x7f: c\r\n"), 1, 6, 0 },

    { "a line with a space in its name is the body",
      tap_str("A: b\r\nhello world: c\r\n"), 1, 6, 0 },

    { "an mbox line is the body",
      tap_str("From a@b.c Sun Nov 22\r\nReceived: a\r\n"), 1, 0, 0 },

    { "a line with an eight-bit name is the body",
      tap_str("A: b\r\n\xc3\x84: c\r\n"), 1, 6, 0 },

    { "a line with a control in its name is the body",
      tap_str("A: b\r\nC\x01: c\r\n"), 1, 6, 0 },

    { "a line with nul in its name is the body",
      tap_str("A: b\r\nC\0: c\r\n"), 1, 6, 0 },

    { "a line without a name is the body",
      tap_str("A: b\r\n: c\r\n"), 1, 6, 0 },

    { "a first line that is folded is the body",
      tap_str(" a: b\r\nReceived: c\r\n"), 1, 0, 0 },

    { "a folded line of spaces alone is folded",
      tap_str("A: b\r\n \r\nC: d\r\n"), 0, 15, 0 },

    { "a cr that begins a line without lf is the body",
      tap_str("A: b\r\n\rC: d\r\n"), 1, 6, 0 },

    { "a cr in a name is the body",
      tap_str("A: b\r\nC\r: d\r\n"), 1, 6, 0 },

    { "a bare lf ends a line",
      tap_str("A: b\nReceived: d\n\nReceived: e\n"), 1, 18, 1 },

    { "bare crs in a field are a part of it",
      tap_str("A: b\r\r\rc\r\n\r\n"), 1, 12, 0 },

    { "long names are others, and end where they should",
      tap_str(A10 A10 A10 "aa: b\r\n" A10 A10 A10 "a: b\r\n"
              A10 A10 A10 A10 A10 ": b\r\nReceived: c\r\n\r\n"),
      1, 143, 1 },

    { "a long line without a colon is the body",
      tap_str("A: b\r\n" A10 A10 A10 A10 A10 A10 "\r\n"), 1, 6, 0 },

    { "received and spaces up to the longest name are received",
      tap_str("Received" W8 W8 W8 ": b\r\n"), 0, 37, 1 },

    { "received and spaces beyond the longest name are another",
      tap_str("Received" W8 W8 W8 " : b\r\n"), 0, 38, 0 }
};


/* one piece, in memory of just its size */

static void
feed(ngx_smtp_header_t *header, const u_char *data, size_t len)
{
    u_char  *copy;

    copy = tap_copy(data, len);

    ngx_smtp_header_feed(header, copy, copy + len);

    free(copy);
}


static ngx_uint_t
same(ngx_smtp_header_t *header, row_t *row)
{
    if (header->done == row->done && header->size == row->size
        && header->received == row->received)
    {
        return 1;
    }

    tap_diag("input", row->in.data, row->in.len);
    tap_diag_number("done", header->done);
    tap_diag_number("size", (long) header->size);
    tap_diag_number("received", (long) header->received);

    return 0;
}


static ngx_uint_t
run(row_t *row)
{
    size_t             a, b;
    u_char            *p;
    ngx_smtp_header_t  header;

    p = row->in.data;

    for (a = 0; a <= row->in.len; a++) {
        for (b = a; b <= row->in.len; b++) {
            ngx_memzero(&header, sizeof(ngx_smtp_header_t));

            feed(&header, p, a);
            feed(&header, p + a, b - a);
            feed(&header, p + b, row->in.len - b);

            if (!same(&header, row)) {
                tap_diag_number("cut", (long) a);
                tap_diag_number("and", (long) b);
                return 0;
            }
        }
    }

    ngx_memzero(&header, sizeof(ngx_smtp_header_t));

    for (a = 0; a < row->in.len; a++) {
        feed(&header, p + a, 1);
    }

    if (!same(&header, row)) {
        return 0;
    }

    if (row->done) {
        feed(&header, (u_char *) "\r\nReceived: x\r\n\r\n", 17);
    }

    return same(&header, row);
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
