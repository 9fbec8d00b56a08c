
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_sevenbit.h>
#include <tap.h>


/*
 * Messages with 8-bit octets, and what becomes of them.  Each is fed whole,
 * octet by octet, and in pieces.
 */


#define EMPTY           "\r\n"
#define MIME            "MIME-Version: 1.0\r\n"
#define TYPE(type)      "Content-Type: " type "\r\n"
#define ENCODING(name)  "Content-Transfer-Encoding: " name "\r\n"

/* what is written of a text that says nothing of itself */
#define UNKNOWN         TYPE("text/plain; charset=unknown-8bit")

/* a message whose parts follow */
#define MIXED           MIME TYPE("multipart/mixed; boundary=b") EMPTY


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


typedef struct {
    u_char      *data;
    size_t       len;
    size_t       room;
} out_t;


static row_t  converted[] = {

    { "a text that says nothing of itself",
      tap_str("Subject: x\r\n"
              EMPTY
              "na\xc3\xafve and more\r\n"),
      "Subject: x\r\n"
      MIME UNKNOWN ENCODING("quoted-printable") EMPTY
      "na=C3=AFve and more\r\n" },

    { "no header at all",
      tap_str(EMPTY
              "\xfc...... ......\r\n"),
      MIME UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC...... ......\r\n" },

    { "a text with everything",
      tap_str(MIME TYPE("text/plain; charset=utf-8") ENCODING("8bit")
              "Subject: x\r\n"
              EMPTY
              "\xc3\xbc 1234567890\r\n"),
      MIME TYPE("text/plain; charset=utf-8")
      "Subject: x\r\n"
      ENCODING("quoted-printable") EMPTY
      "=C3=BC 1234567890\r\n" },

    { "names in other letters, folded",
      tap_str("mime-version: 1.0\r\n"
              "CONTENT-TYPE:\r\n"
              " text/PLAIN;\r\n"
              " charset=utf-8\r\n"
              "content-transfer-encoding :\r\n"
              " 8BIT\r\n"
              EMPTY
              "\xc3\xbc 1234567890\r\n"),
      "mime-version: 1.0\r\n"
      "CONTENT-TYPE:\r\n"
      " text/PLAIN;\r\n"
      " charset=utf-8\r\n"
      ENCODING("quoted-printable") EMPTY
      "=C3=BC 1234567890\r\n" },

    { "labelled as 7bit",
      tap_str(MIME ENCODING("7bit") EMPTY
              "\xfc 1234567890\r\n"),
      MIME UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC 1234567890\r\n" },

    { "labelled as binary",
      tap_str(MIME TYPE("text/plain") ENCODING("binary") EMPTY
              "\xfc 1234567890\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FC 1234567890\r\n" },

    { "no MIME-Version",
      tap_str(TYPE("text/plain; charset=utf-8") EMPTY
              "\xfc 1234567890\r\n"),
      TYPE("text/plain; charset=utf-8") MIME ENCODING("quoted-printable") EMPTY
      "=FC 1234567890\r\n" },

    { "many 8-bit octets",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xc3\xbc\xc3\xbc\r\n"),
      MIME TYPE("text/plain") ENCODING("base64") EMPTY
      "w7zDvA0K\r\n" },

    { "an image",
      tap_str(MIME TYPE("image/png") EMPTY
              "\x89PNG 12345678901234567890\r\n"),
      MIME TYPE("image/png") ENCODING("base64") EMPTY
      "iVBORyAxMjM0NTY3ODkwMTIzNDU2Nzg5MA0K\r\n" },

    { "base64 of one and of two octets more",
      tap_str(MIME TYPE("image/png") EMPTY
              "\xff\xff\r\n"),
      MIME TYPE("image/png") ENCODING("base64") EMPTY
      "//8NCg==\r\n" },

    { "lines of base64",
      tap_str(MIME TYPE("a/b") EMPTY
              "\xffxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxy\r\n"),
      MIME TYPE("a/b") ENCODING("base64") EMPTY
      "/3h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH"
      "h4eHh4eHh4eHh4eHh4\r\n"
      "eQ0K\r\n" },

    { "spaces, tabs and signs",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xfc\r\n"
              "a \r\n"
              "b\t\r\n"
              "  \r\n"
              "a=b\r\n"
              "-x\r\n"
              "--x\r\n"
              "a b\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FC\r\n"
      "a=20\r\n"
      "b=09\r\n"
      " =20\r\n"
      "a=3Db\r\n"
      "=2Dx\r\n"
      "=2D-x\r\n"
      "a b\r\n" },

    { "controls",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xfc"
              "1234567890\r\n"
              "a\x01\x7f"
              "b\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "a=01=7Fb\r\n" },

    { "a long line",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xfcxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxx=\r\n"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxx=\r\n"
      "xxxxxxxxxxxxx\r\n" },

    { "a break in front of what is three octets",
      tap_str(MIME TYPE("text/plain") EMPTY
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxx\xfc\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxx=\r\n"
      "=FC\r\n" },

    { "a break in front of a dash",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xfcxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxx--b\r\n"),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FCxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxx=\r\n"
      "=2D-b\r\n" },

    { "no end of the last line",
      tap_str(MIME TYPE("text/plain") EMPTY
              "\xfc"
              "123456789 "),
      MIME TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FC123456789=20" },

    { "no end of it, by base64",
      tap_str(MIME TYPE("a/b") EMPTY
              "\xff"),
      MIME TYPE("a/b") ENCODING("base64") EMPTY
      "/w==\r\n" },

    { "parts, of which one has some",
      tap_str(MIXED
              "one\r\n"
              "--b\r\n" EMPTY
              "7bit\r\n"
              "--b\r\n" TYPE("text/plain") EMPTY
              "\xfc 1234567890\r\n"
              "--b\r\n" TYPE("a/b") EMPTY
              "x\r\n"
              "--b--\r\n"
              "end\r\n"),
      MIXED
      "one\r\n"
      "--b\r\n" EMPTY
      "7bit\r\n"
      "--b\r\n" TYPE("text/plain") ENCODING("quoted-printable") EMPTY
      "=FC 1234567890\r\n"
      "--b\r\n" TYPE("a/b") EMPTY
      "x\r\n"
      "--b--\r\n"
      "end\r\n" },

    { "a part that says nothing of itself",
      tap_str(MIXED
              "--b\r\n" EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "its last line end is the boundary's",
      tap_str(MIXED
              "--b\r\n" TYPE("a/b") EMPTY
              "\xff\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("a/b") ENCODING("base64") EMPTY
      "/w==\r\n"
      "--b--\r\n" },

    { "an empty line is the part's",
      tap_str(MIXED
              "--b\r\n" TYPE("a/b") EMPTY
              "\xff\r\n"
              EMPTY
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("a/b") ENCODING("base64") EMPTY
      "/w0K\r\n"
      "--b--\r\n" },

    { "the same by quoted-printable",
      tap_str(MIXED
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              EMPTY
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      EMPTY
      "--b--\r\n" },

    { "the label of what it is in",
      tap_str(MIME TYPE("multipart/mixed; boundary=b") ENCODING("8bit") EMPTY
              "--b\r\n" TYPE("text/a") ENCODING("8bit") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIME TYPE("multipart/mixed; boundary=b") ENCODING("7bit") EMPTY
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "a part that is not 8-bit keeps its label",
      tap_str(MIXED
              "--b\r\n" ENCODING("8bit") EMPTY
              "x\r\n"
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" ENCODING("8bit") EMPTY
      "x\r\n"
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "parts in parts",
      tap_str(MIXED
              "--b\r\n" TYPE("multipart/alternative; boundary=\"c d\"") EMPTY
              "--c d\r\n"
              TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--c d--\r\n"
              "--b\r\n" EMPTY
              "x\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("multipart/alternative; boundary=\"c d\"") EMPTY
      "--c d\r\n"
      TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--c d--\r\n"
      "--b\r\n" EMPTY
      "x\r\n"
      "--b--\r\n" },

    { "inner parts that do not end",
      tap_str(MIXED
              "--b\r\n" TYPE("multipart/alternative; boundary=c") EMPTY
              "--c\r\n"
              TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("multipart/alternative; boundary=c") EMPTY
      "--c\r\n"
      TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "no end at all",
      tap_str(MIXED
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"),
      MIXED
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n" },

    { "a boundary with white space behind it",
      tap_str(MIXED
              "--b \t\r\n"
              TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b-- \r\n"),
      MIXED
      "--b \t\r\n"
      TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b-- \r\n" },

    { "a part that is a header alone",
      tap_str(MIXED
              "--b\r\n" TYPE("text/a") "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("text/a") "--b\r\n" TYPE("text/a")
      ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "no MIME-Version, and parts",
      tap_str(TYPE("multipart/mixed; boundary=b") EMPTY
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      TYPE("multipart/mixed; boundary=b") MIME EMPTY
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "comments in fields",
      tap_str(MIME
              "Content-Type: (a) multipart (b) / (c) mixed (d); (e \\) f)"
              " boundary (g) = (h) b (i)\r\n"
              EMPTY
              "--b\r\n" TYPE("text/a") ENCODING("(x) 8bit (y)") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIME
      "Content-Type: (a) multipart (b) / (c) mixed (d); (e \\) f)"
      " boundary (g) = (h) b (i)\r\n"
      EMPTY
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "other parameters",
      tap_str(MIME
              "Content-Type: multipart/mixed; type=\"a;boundary=x\"; boun"
              "dary=\"b\\c\"; charset=c;\r\n"
              EMPTY
              "--bc\r\n"
              TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--bc--\r\n"),
      MIME
      "Content-Type: multipart/mixed; type=\"a;boundary=x\"; boun"
      "dary=\"b\\c\"; charset=c;\r\n"
      EMPTY
      "--bc\r\n"
      TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--bc--\r\n" },

    { "a message in it",
      tap_str(MIXED
              "--b\r\n" TYPE("message/rfc822") ENCODING("8bit") EMPTY
              MIME TYPE("text/a") ENCODING("8bit") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("message/rfc822") ENCODING("7bit") EMPTY
      MIME TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "a message that says nothing of itself",
      tap_str(MIXED
              "--b\r\n" TYPE("message/rfc822") EMPTY
              "Subject: x\r\n"
              EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("message/rfc822") EMPTY
      "Subject: x\r\n"
      MIME UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "a digest",
      tap_str(MIME TYPE("multipart/digest; boundary=b") EMPTY
              "--b\r\n" EMPTY
              "Subject: x\r\n"
              EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIME TYPE("multipart/digest; boundary=b") EMPTY
      "--b\r\n" EMPTY
      "Subject: x\r\n"
      MIME UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b\r\n" TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "a message with parts in it, and one behind it",
      tap_str(MIXED
              "--b\r\n" TYPE("message/rfc822") EMPTY
              MIME TYPE("multipart/x; boundary=c") EMPTY
              "--c\r\n"
              TYPE("text/a") EMPTY
              "\xfc"
              "1234567890\r\n"
              "--c--\r\n"
              "--b\r\n" EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("message/rfc822") EMPTY
      MIME TYPE("multipart/x; boundary=c") EMPTY
      "--c\r\n"
      TYPE("text/a") ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--c--\r\n"
      "--b\r\n" UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" },

    { "message/global can be encoded",
      tap_str(MIXED
              "--b\r\n" TYPE("message/global") EMPTY
              "Subject: \xc3\xbc\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("message/global") ENCODING("base64") EMPTY
      "U3ViamVjdDogw7w=\r\n"
      "--b--\r\n" },

    { "signed, and 7-bit, beside one that is not",
      tap_str(MIXED
              "--b\r\n" TYPE("multipart/signed; boundary=c") EMPTY
              "--c\r\n"
              TYPE("multipart/x; boundary=d") ENCODING("8bit") EMPTY
              "--d\r\n"
              EMPTY
              "x\r\n"
              "--d--\r\n"
              "--c--\r\n"
              "--b\r\n" EMPTY
              "\xfc"
              "1234567890\r\n"
              "--b--\r\n"),
      MIXED
      "--b\r\n" TYPE("multipart/signed; boundary=c") EMPTY
      "--c\r\n"
      TYPE("multipart/x; boundary=d") ENCODING("8bit") EMPTY
      "--d\r\n"
      EMPTY
      "x\r\n"
      "--d--\r\n"
      "--c--\r\n"
      "--b\r\n" UNKNOWN ENCODING("quoted-printable") EMPTY
      "=FC1234567890\r\n"
      "--b--\r\n" }
};


/* they can't be converted */

static row_t  refused[] = {

    { "what is signed",
      tap_str(MIME TYPE("multipart/signed; boundary=b") EMPTY
              "--b\r\n" TYPE("text/a") EMPTY
              "\xfc\r\n"
              "--b\r\n" TYPE("application/pgp-signature") EMPTY
              "x\r\n"
              "--b--\r\n"), NULL },

    { "what is signed, deep inside",
      tap_str(MIME TYPE("multipart/signed; boundary=b") EMPTY
              "--b\r\n" TYPE("message/rfc822") EMPTY
              MIME TYPE("multipart/x; boundary=c") EMPTY
              "--c\r\n"
              EMPTY
              "\xfc\r\n"
              "--c--\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in message/partial; id=x",
      tap_str(MIXED
              "--b\r\n" TYPE("message/partial; id=x") EMPTY
              "x\r\n"
              EMPTY
              "\xfc\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in message/external-body; access-type=x",
      tap_str(MIXED
              "--b\r\n" TYPE("message/external-body; access-type=x") EMPTY
              "x\r\n"
              EMPTY
              "\xfc\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in message/delivery-status",
      tap_str(MIXED
              "--b\r\n" TYPE("message/delivery-status") EMPTY
              "x\r\n"
              EMPTY
              "\xfc\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in message/disposition-notification",
      tap_str(MIXED
              "--b\r\n" TYPE("message/disposition-notification") EMPTY
              "x\r\n"
              EMPTY
              "\xfc\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in the header",
      tap_str("Subject: \xfc\r\n"
              EMPTY
              "x\r\n"), NULL },

    { "8-bit in a part's header",
      tap_str(MIXED
              "--b\r\n"
              "X: \xfc\r\n"
              EMPTY
              "x\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in the header of a message in it",
      tap_str(MIXED
              "--b\r\n" TYPE("message/rfc822") EMPTY
              "Subject: \xfc\r\n"
              EMPTY
              "x\r\n"
              "--b--\r\n"), NULL },

    { "8-bit in front of the parts",
      tap_str(MIXED
              "\xfc\r\n"
              "--b\r\n" EMPTY
              "x\r\n"
              "--b--\r\n"), NULL },

    { "8-bit behind the parts",
      tap_str(MIXED
              "--b\r\n" EMPTY
              "x\r\n"
              "--b--\r\n"
              "\xfc\r\n"), NULL },

    { "encoded, but 8-bit",
      tap_str(MIME ENCODING("quoted-printable") EMPTY
              "\xfc\r\n"), NULL },

    { "base64, but 8-bit",
      tap_str(MIME ENCODING("base64") EMPTY
              "\xfc\r\n"), NULL },

    { "an encoding that is not known",
      tap_str(MIME ENCODING("x-uuencode") EMPTY
              "\xfc\r\n"), NULL },

    { "no encoding",
      tap_str(MIME ENCODING("") EMPTY
              "\xfc\r\n"), NULL },

    { "an encoding and more",
      tap_str(MIME ENCODING("8bit; x") EMPTY
              "\xfc\r\n"), NULL },

    { "two encodings",
      tap_str(MIME ENCODING("8bit") ENCODING("7bit") EMPTY
              "\xfc\r\n"), NULL },

    { "two types",
      tap_str(MIME TYPE("text/a") TYPE("text/b") EMPTY
              "\xfc\r\n"), NULL },

    { "no type",
      tap_str(MIME TYPE("text") EMPTY
              "\xfc\r\n"), NULL },

    { "no boundary",
      tap_str(MIME TYPE("multipart/mixed") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"), NULL },

    { "an empty boundary",
      tap_str(MIME TYPE("multipart/mixed; boundary=\"\"") EMPTY
              "--\r\n"
              EMPTY
              "\xfc\r\n"), NULL },

    { "a boundary that ends in a space",
      tap_str(MIME TYPE("multipart/mixed; boundary=\"b \"") EMPTY
              "--b \r\n"
              EMPTY
              "\xfc\r\n"), NULL },

    { "two boundaries",
      tap_str(MIME TYPE("multipart/mixed; boundary=a; boundary=b") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"), NULL },

    { "a boundary in pieces",
      tap_str(MIME TYPE("multipart/mixed; boundary*0=b") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"), NULL },

    { "a boundary without its quote",
      tap_str(MIME TYPE("multipart/mixed; boundary=\"b") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"), NULL },

    { "a comment without an end",
      tap_str(MIME TYPE("multipart/mixed; boundary=b (") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"), NULL },

    { "parts that are encoded as a whole",
      tap_str(MIME TYPE("multipart/mixed; boundary=b") ENCODING("base64") EMPTY
              "--b\r\n" EMPTY
              "\xfc\r\n"
              "--b--\r\n"), NULL },

    { "what is a boundary for some",
      tap_str(MIXED
              "--b\r\n" EMPTY
              "\xfc"
              "1234567890\r\n"
              "--bc\r\n"
              "--b--\r\n"), NULL },

    { "a header that ends without an empty line",
      tap_str("Subject: x\r\n"
              "\xfc\r\n"), NULL },

    { "a header that begins folded",
      tap_str(" x\r\n"
              "Subject: x\r\n"
              EMPTY
              "\xfc\r\n"), NULL }
};


/* ... and need not be */

static row_t  seven[] = {

    { "no 8-bit octet",
      tap_str("Subject: x\r\n"
              EMPTY
              "text\r\n"), NULL },

    { "nothing",
      tap_str(""), NULL },

    { "a header alone",
      tap_str("Subject: x\r\n"), NULL }
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
run(row_t *row, ngx_int_t expected, size_t piece)
{
    out_t       out;
    ngx_int_t   rc;
    ngx_uint_t  ok;

    out.room = 8192;
    out.data = malloc(out.room);
    out.len = 0;

    rc = convert(&row->in, piece, &out);

    ok = (rc == expected);

    if (ok && row->expected) {
        ok = tap_same(out.data, out.len, row->expected,
                      strlen(row->expected));
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


static void
test_rows(row_t *row, ngx_uint_t n, ngx_int_t expected)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        tap_ok(run(&row[i], expected, row[i].in.len + 1)
               && run(&row[i], expected, 1) && run(&row[i], expected, 7),
               row[i].name);
    }
}


int
main(void)
{
    test_rows(converted, tap_nelts(converted), NGX_OK);
    test_rows(refused, tap_nelts(refused), NGX_DECLINED);
    test_rows(seven, tap_nelts(seven), NGX_DONE);

    test_lines();

    tap_ok(nested(NGX_SMTP_SEVENBIT_PARTS, 0) == NGX_OK, "as many parts");
    tap_ok(nested(NGX_SMTP_SEVENBIT_PARTS + 1, 0) == NGX_DECLINED,
           "one too many");
    tap_ok(nested(NGX_SMTP_SEVENBIT_DEPTH + 1, 1) == NGX_OK, "as deep");
    tap_ok(nested(NGX_SMTP_SEVENBIT_DEPTH + 2, 1) == NGX_DECLINED, "too deep");

    return tap_done();
}
