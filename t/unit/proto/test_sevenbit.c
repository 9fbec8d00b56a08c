
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_sevenbit.h>
#include <tap.h>


/*
 * Messages with 8-bit octets, and what becomes of them; NULL: they can't be
 * converted, or, with 1 behind it, need not be.  Each is fed as a whole, and
 * octet by octet.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
    ngx_uint_t   done;
} row_t;


typedef struct {
    u_char      *data;
    size_t       len;
    size_t       room;
} out_t;


static row_t  rows[] = {

    { "no 8-bit octet",
      tap_str("Subject: x\r\n"
          "\r\n"
          "text\r\n"),
      NULL, 1 },

    { "nothing",
      tap_str(""),
      NULL, 1 },

    { "a header alone",
      tap_str("Subject: x\r\n"),
      NULL, 1 },

    { "a text that says nothing of itself",
      tap_str("Subject: x\r\n"
          "\r\n"
          "na\xc3\xafve and more\r\n"),
      "Subject: x\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "na=C3=AFve and more\r\n", 0 },

    { "no header at all",
      tap_str("\r\n"
          "\xfc...... ......\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC...... ......\r\n", 0 },

    { "a text with everything",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "Subject: x\r\n"
          "\r\n"
          "\xc3\xbc 1234567890\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=utf-8\r\n"
          "Subject: x\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=C3=BC 1234567890\r\n", 0 },

    { "names in other letters, folded",
      tap_str("mime-version: 1.0\r\n"
          "CONTENT-TYPE:\r\n"
          " text/PLAIN;\r\n"
          " charset=utf-8\r\n"
          "content-transfer-encoding :\r\n"
          " 8BIT\r\n"
          "\r\n"
          "\xc3\xbc 1234567890\r\n"),
      "mime-version: 1.0\r\n"
          "CONTENT-TYPE:\r\n"
          " text/PLAIN;\r\n"
          " charset=utf-8\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=C3=BC 1234567890\r\n", 0 },

    { "labelled as 7bit",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: 7bit\r\n"
          "\r\n"
          "\xfc 1234567890\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC 1234567890\r\n", 0 },

    { "labelled as binary",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: binary\r\n"
          "\r\n"
          "\xfc 1234567890\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC 1234567890\r\n", 0 },

    { "no MIME-Version",
      tap_str("Content-Type: text/plain; charset=utf-8\r\n"
          "\r\n"
          "\xfc 1234567890\r\n"),
      "Content-Type: text/plain; charset=utf-8\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC 1234567890\r\n", 0 },

    { "many 8-bit octets",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xc3\xbc\xc3\xbc\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "w7zDvA0K\r\n", 0 },

    { "an image",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: image/png\r\n"
          "\r\n"
          "\x89PNG 12345678901234567890\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: image/png\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "iVBORyAxMjM0NTY3ODkwMTIzNDU2Nzg5MA0K\r\n", 0 },

    { "base64 of one and of two octets more",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: image/png\r\n"
          "\r\n"
          "\xff\xff\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: image/png\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "//8NCg==\r\n", 0 },

    { "lines of base64",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "\xffxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxy\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: a/b\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "/3h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH"
          "h4eHh4eHh4eHh4eHh4\r\n"
          "eQ0K\r\n", 0 },

    { "spaces, tabs and signs",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfc\r\n"
          "a \r\n"
          "b\t\r\n"
          "  \r\n"
          "a=b\r\n"
          "-x\r\n"
          "--x\r\n"
          "a b\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC\r\n"
          "a=20\r\n"
          "b=09\r\n"
          " =20\r\n"
          "a=3Db\r\n"
          "=2Dx\r\n"
          "=2D-x\r\n"
          "a b\r\n", 0 },

    { "controls",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "a\x01\x7f" "b\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "a=01=7Fb\r\n", 0 },

    { "a long line",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfcxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxx=\r\n"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxx=\r\n"
          "xxxxxxxxxxxxx\r\n", 0 },

    { "a break in front of what is three octets",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxx\xfc\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxx=\r\n"
          "=FC\r\n", 0 },

    { "a break in front of a dash",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfcxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxx--b\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxx=\r\n"
          "=2D-b\r\n", 0 },

    { "no end of the last line",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfc" "123456789 "),
      "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC123456789=20", 0 },

    { "no end of it, by base64",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "\xff"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: a/b\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "/w==\r\n", 0 },

    { "parts, of which one has some",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "one\r\n"
          "--b\r\n"
          "\r\n"
          "7bit\r\n"
          "--b\r\n"
          "Content-Type: text/plain\r\n"
          "\r\n"
          "\xfc 1234567890\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"
          "end\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "one\r\n"
          "--b\r\n"
          "\r\n"
          "7bit\r\n"
          "--b\r\n"
          "Content-Type: text/plain\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC 1234567890\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"
          "end\r\n", 0 },

    { "a part that says nothing of itself",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "its last line end is the boundary's",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "\xff\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "/w==\r\n"
          "--b--\r\n", 0 },

    { "an empty line is the part's",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "\r\n"
          "\xff\r\n"
          "\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: a/b\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "/w0K\r\n"
          "--b--\r\n", 0 },

    { "the same by quoted-printable",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "\r\n"
          "--b--\r\n", 0 },

    { "the label of what it is in",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "Content-Transfer-Encoding: 7bit\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "a part that is not 8-bit keeps its label",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "x\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "x\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "parts in parts",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/alternative; boundary=\"c d\"\r\n"
          "\r\n"
          "--c d\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--c d--\r\n"
          "--b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/alternative; boundary=\"c d\"\r\n"
          "\r\n"
          "--c d\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--c d--\r\n"
          "--b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n", 0 },

    { "inner parts that do not end",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/alternative; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/alternative; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "no end at all",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n", 0 },

    { "a boundary with white space behind it",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b \t\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b-- \r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b \t\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b-- \r\n", 0 },

    { "a part that is a header alone",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "no MIME-Version, and parts",
      tap_str("Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "Content-Type: multipart/mixed; boundary=b\r\n"
          "MIME-Version: 1.0\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "comments in fields",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: (a) multipart (b) / (c) mixed (d); (e \\) f)"
          " boundary (g) = (h) b (i)\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: (x) 8bit (y)\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: (a) multipart (b) / (c) mixed (d); (e \\) f)"
          " boundary (g) = (h) b (i)\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "other parameters",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; type=\"a;boundary=x\"; boun"
          "dary=\"b\\c\"; charset=c;\r\n"
          "\r\n"
          "--bc\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--bc--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; type=\"a;boundary=x\"; boun"
          "dary=\"b\\c\"; charset=c;\r\n"
          "\r\n"
          "--bc\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--bc--\r\n", 0 },

    { "a message in it",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "Content-Transfer-Encoding: 7bit\r\n"
          "\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "a message that says nothing of itself",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "Subject: x\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "Subject: x\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "a digest",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/digest; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "Subject: x\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/digest; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "Subject: x\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "a message with parts in it, and one behind it",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/x; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--c--\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/x; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: text/a\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--c--\r\n"
          "--b\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "message/global can be encoded",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/global\r\n"
          "\r\n"
          "Subject: \xc3\xbc\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/global\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "U3ViamVjdDogw7w=\r\n"
          "--b--\r\n", 0 },

    { "signed, and 7-bit, beside one that is not",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/signed; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: multipart/x; boundary=d\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "--d\r\n"
          "\r\n"
          "x\r\n"
          "--d--\r\n"
          "--c--\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--b--\r\n"),
      "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: multipart/signed; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "Content-Type: multipart/x; boundary=d\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "\r\n"
          "--d\r\n"
          "\r\n"
          "x\r\n"
          "--d--\r\n"
          "--c--\r\n"
          "--b\r\n"
          "Content-Type: text/plain; charset=unknown-8bit\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "=FC1234567890\r\n"
          "--b--\r\n", 0 },

    { "what is signed",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/signed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: text/a\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b\r\n"
          "Content-Type: application/pgp-signature\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "what is signed, deep inside",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/signed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "MIME-Version: 1.0\r\n"
          "Content-Type: multipart/x; boundary=c\r\n"
          "\r\n"
          "--c\r\n"
          "\r\n"
          "\xfc\r\n"
          "--c--\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in message/partial; id=x",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/partial; id=x\r\n"
          "\r\n"
          "x\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in message/external-body; access-type=x",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/external-body; access-type=x\r\n"
          "\r\n"
          "x\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in message/delivery-status",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/delivery-status\r\n"
          "\r\n"
          "x\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in message/disposition-notification",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/disposition-notification\r\n"
          "\r\n"
          "x\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in the header",
      tap_str("Subject: \xfc\r\n"
          "\r\n"
          "x\r\n"),
      NULL, 0 },

    { "8-bit in a part's header",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "X: \xfc\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in the header of a message in it",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "Content-Type: message/rfc822\r\n"
          "\r\n"
          "Subject: \xfc\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit in front of the parts",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "8-bit behind the parts",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "x\r\n"
          "--b--\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "encoded, but 8-bit",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "base64, but 8-bit",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "an encoding that is not known",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: x-uuencode\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "no encoding",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: \r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "an encoding and more",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: 8bit; x\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "two encodings",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Transfer-Encoding: 8bit\r\n"
          "Content-Transfer-Encoding: 7bit\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "two types",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text/a\r\n"
          "Content-Type: text/b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "no type",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: text\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "no boundary",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "an empty boundary",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=\"\"\r\n"
          "\r\n"
          "--\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "a boundary that ends in a space",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=\"b \"\r\n"
          "\r\n"
          "--b \r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "two boundaries",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "a boundary in pieces",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary*0=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "a boundary without its quote",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=\"b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "a comment without an end",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b (\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "parts that are encoded as a whole",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "Content-Transfer-Encoding: base64\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "what is a boundary for some",
      tap_str("MIME-Version: 1.0\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n"
          "\r\n"
          "--b\r\n"
          "\r\n"
          "\xfc" "1234567890\r\n"
          "--bc\r\n"
          "--b--\r\n"),
      NULL, 0 },

    { "a header that ends without an empty line",
      tap_str("Subject: x\r\n"
          "\xfc\r\n"),
      NULL, 0 },

    { "a header that begins folded",
      tap_str(" x\r\n"
          "Subject: x\r\n"
          "\r\n"
          "\xfc\r\n"),
      NULL, 0 }
};


static ngx_int_t
take(void *data, u_char *p, size_t len)
{
    out_t  *out = data;

    if (len > out->room - out->len) {
        return NGX_ERROR;
    }

    memcpy(out->data + out->len, p, len);
    out->len += len;

    return NGX_OK;
}


static void
feed(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len, size_t piece)
{
    size_t   n;
    u_char  *copy;

    while (len) {
        n = len < piece ? len : piece;

        copy = tap_copy(p, n);
        ngx_smtp_sevenbit_feed(sb, copy, copy + n);
        free(copy);

        p += n;
        len -= n;
    }
}


static ngx_int_t
convert(ngx_str_t *in, size_t piece, out_t *out)
{
    ngx_int_t             rc;
    ngx_smtp_sevenbit_t  *sb;

    sb = calloc(1, sizeof(ngx_smtp_sevenbit_t));

    feed(sb, in->data, in->len, piece);

    rc = ngx_smtp_sevenbit_looked(sb);

    if (rc == NGX_OK) {
        ngx_smtp_sevenbit_rewind(sb, take, out);
        feed(sb, in->data, in->len, piece);

        rc = ngx_smtp_sevenbit_end(sb);
    }

    free(sb);

    return rc;
}


static ngx_uint_t
run(row_t *row, size_t piece)
{
    out_t       out;
    ngx_int_t   rc;
    ngx_uint_t  ok;

    out.room = 8192;
    out.data = malloc(out.room);
    out.len = 0;

    rc = convert(&row->in, piece, &out);

    if (row->expected) {
        ok = (rc == NGX_OK && tap_same(out.data, out.len, row->expected,
                                       strlen(row->expected)));

    } else {
        ok = (rc == (row->done ? NGX_DONE : NGX_DECLINED));
    }

    if (!ok) {
        tap_diag_number("rc", rc);
        tap_diag("is", out.data, out.len);
    }

    free(out.data);

    return ok;
}


/* a text of n octets, an 8-bit one among them at the end */

static void
test_lines(void)
{
    out_t        out;
    size_t       n, i, head;
    ngx_str_t    in;
    ngx_uint_t   bad;

    static char  *header = "MIME-Version: 1.0\r\nContent-Type: a/b\r\n\r\n";

    head = strlen(header);
    bad = 0;

    in.data = malloc(head + 9000);
    out.room = 20000;
    out.data = malloc(out.room);

    /* around what is kept of a line */

    for (n = NGX_SMTP_SEVENBIT_LINE - 3; n < NGX_SMTP_SEVENBIT_LINE + 4; n++) {

        memcpy(in.data, header, head);
        memset(in.data + head, '-', n);
        memcpy(in.data + head + n, "\xff\r\n", 3);
        in.len = head + n + 3;

        for (i = 1; i <= in.len; i = i < 4 ? i + 1 : 3 * i) {
            out.len = 0;

            if (convert(&in, i, &out) != NGX_OK
                || out.len != head + strlen("Content-Transfer-Encoding: base64"
                                            "\r\n")
                              + (n + 5) / 3 * 4 + 2
                              + ((n + 5) / 3 * 4 - 1) / 76 * 2)
            {
                bad++;
            }
        }
    }

    tap_ok(bad == 0, "lines about as long as what is kept of one");

    /* who does not want any more of it is not given any */

    out.room = 100;
    out.len = 0;

    tap_ok(convert(&in, 10, &out) == NGX_ERROR, "no room");

    free(in.data);
    free(out.data);
}


/* n parts, or parts in parts, with an 8-bit octet in the last */

static ngx_int_t
nested(ngx_uint_t n, ngx_uint_t deep)
{
    char        *p;
    out_t        out;
    ngx_int_t    rc;
    ngx_str_t    in;
    ngx_uint_t   i;

    in.data = malloc(200 + n * 80);
    out.room = 400 + n * 100;
    out.data = malloc(out.room);
    out.len = 0;

    p = (char *) in.data;
    p += sprintf(p, "MIME-Version: 1.0\r\n");

    if (!deep) {
        p += sprintf(p, "Content-Type: multipart/x; boundary=b\r\n\r\n");
    }

    for (i = 1; i < n; i++) {
        p += deep ? sprintf(p, "Content-Type: multipart/x; boundary=b%luc\r\n"
                               "\r\n--b%luc\r\n",
                            (unsigned long) i, (unsigned long) i)
                  : sprintf(p, "--b\r\n\r\n");
    }

    if (deep) {
        p += sprintf(p, "\r\n\xff");

    } else {
        p += sprintf(p, "\xff\r\n--b--\r\n");
    }

    in.len = p - (char *) in.data;

    rc = convert(&in, 1000, &out);

    free(in.data);
    free(out.data);

    return rc;
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i], rows[i].in.len + 1)
               && run(&rows[i], 1) && run(&rows[i], 7),
               rows[i].name);
    }

    test_lines();

    tap_ok(nested(NGX_SMTP_SEVENBIT_PARTS, 0) == NGX_OK, "as many parts");
    tap_ok(nested(NGX_SMTP_SEVENBIT_PARTS + 1, 0) == NGX_DECLINED,
           "one too many");
    tap_ok(nested(NGX_SMTP_SEVENBIT_DEPTH + 1, 1) == NGX_OK, "as deep");
    tap_ok(nested(NGX_SMTP_SEVENBIT_DEPTH + 2, 1) == NGX_DECLINED, "too deep");

    return tap_done();
}
