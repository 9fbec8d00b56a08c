
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <ngx_smtp_scram_hash.h>
#include <tap.h>


/*
 * The exchanges of RFC 5802, 5 (SCRAM-SHA-1) and RFC 7677, 3 (SCRAM-SHA-256).
 * Keys are made here from the password, as a service does.
 */


typedef struct {
    const char  *name;
    size_t       size;
    const char  *salt;           /* base64, as proof and signature */
    const char  *message;
    const char  *proof;
    const char  *signature;
} row_t;


static row_t  rows[] = {

    { "SCRAM-SHA-1 of RFC 5802", 20,
      "QSXCR+Q6sek8bf92",
      "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,"
      "i=4096,"
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
      "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      "rmF9pqV8S7suAoZWja4dJRkFsKQ=" },

    { "SCRAM-SHA-256 of RFC 7677", 32,
      "W22ZaJ0SNY7soEsUEjb6gQ==",
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
      "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" }
};


void
ngx_explicit_memzero(void *buf, size_t n)
{
    memset(buf, 0, n);
}


static size_t
decode(u_char *dst, const char *text)
{
    int     n;
    size_t  len;

    len = strlen(text);
    n = EVP_DecodeBlock(dst, (const u_char *) text, (int) len);

    while (len && text[len - 1] == '=') {
        len--;
        n--;
    }

    return n;
}


/* RFC 5802, 3; the password of both is "pencil" */

static void
keys(row_t *row, u_char *stored, u_char *server)
{
    size_t         len;
    unsigned int   n;
    const EVP_MD  *md;
    u_char         salt[64], salted[32], client[32];

    md = (row->size == 20) ? EVP_sha1() : EVP_sha256();
    len = decode(salt, row->salt);

    PKCS5_PBKDF2_HMAC("pencil", 6, salt, (int) len, 4096, md,
                      (int) row->size, salted);

    HMAC(md, salted, (int) row->size, (const u_char *) "Client Key", 10,
         client, &n);
    HMAC(md, salted, (int) row->size, (const u_char *) "Server Key", 10,
         server, &n);

    EVP_Digest(client, row->size, stored, &n, md, NULL);
}


static void
run(row_t *row)
{
    size_t      i, len;
    ngx_int_t   rc;
    ngx_str_t   stored, server, message, proof;
    u_char      k1[32], k2[32], buf[64], hmac[32], wanted[64];

    printf("# %s\n", row->name);

    keys(row, k1, k2);

    stored.data = k1;
    stored.len = row->size;
    server.data = k2;
    server.len = row->size;
    message.data = (u_char *) row->message;
    message.len = strlen(row->message);
    proof.data = buf;
    proof.len = decode(buf, row->proof);

    tap_ok(proof.len == row->size
           && ngx_smtp_scram_verify(row->size, &stored, &message, &proof)
              == NGX_OK,
           row->size == 20 ? "the proof of RFC 5802" : "of RFC 7677");

    len = decode(wanted, row->signature);

    tap_ok(ngx_smtp_scram_hmac(row->size, &server, &message, hmac) == NGX_OK
           && tap_same(hmac, row->size, wanted, len),
           row->size == 20 ? "its signature" : "and that one's");

    /* any other bit */

    rc = NGX_DECLINED;

    for (i = 0; i < row->size * 8 && rc == NGX_DECLINED; i++) {
        buf[i / 8] ^= 1 << i % 8;
        rc = ngx_smtp_scram_verify(row->size, &stored, &message, &proof);
        buf[i / 8] ^= 1 << i % 8;
    }

    tap_ok(rc == NGX_DECLINED, row->size == 20 ? "not another proof (SHA-1)"
                                               : "not another proof");

    proof.len--;
    rc = ngx_smtp_scram_verify(row->size, &stored, &message, &proof);
    proof.len++;

    tap_ok(rc == NGX_DECLINED, row->size == 20 ? "nor a short one (SHA-1)"
                                               : "nor a short one");

    message.len--;
    rc = ngx_smtp_scram_verify(row->size, &stored, &message, &proof);

    tap_ok(rc == NGX_DECLINED, row->size == 20 ? "nor for another exchange "
                                                 "(SHA-1)"
                                               : "nor for another exchange");
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        run(&rows[i]);
    }

    return tap_done();
}
