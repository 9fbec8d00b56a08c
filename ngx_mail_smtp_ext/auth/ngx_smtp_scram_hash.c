
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <ngx_smtp_scram_hash.h>


/*
 * ClientSignature := HMAC(StoredKey, AuthMessage)
 * ClientKey       := ClientProof XOR ClientSignature
 * StoredKey       == H(ClientKey)
 * ServerSignature := HMAC(ServerKey, AuthMessage)
 */


static const EVP_MD *ngx_smtp_scram_md(size_t size);


ngx_int_t
ngx_smtp_scram_verify(size_t size, ngx_str_t *stored, ngx_str_t *message,
    ngx_str_t *proof)
{
    size_t        i;
    ngx_int_t     rc;
    unsigned int  len;
    u_char        key[NGX_SMTP_SCRAM_HASH_MAX], hash[EVP_MAX_MD_SIZE];

    if (proof->len != size || stored->len != size) {
        return NGX_DECLINED;
    }

    if (ngx_smtp_scram_hmac(size, stored, message, key) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < size; i++) {
        key[i] ^= proof->data[i];
    }

    if (EVP_Digest(key, size, hash, &len, ngx_smtp_scram_md(size), NULL)
        != 1)
    {
        rc = NGX_ERROR;

    } else {
        rc = (CRYPTO_memcmp(hash, stored->data, size) == 0) ? NGX_OK
                                                            : NGX_DECLINED;
    }

    ngx_explicit_memzero(key, sizeof(key));

    return rc;
}


ngx_int_t
ngx_smtp_scram_hmac(size_t size, ngx_str_t *key, ngx_str_t *message,
    u_char *hmac)
{
    unsigned int  len;
    u_char        buf[EVP_MAX_MD_SIZE];

    if (HMAC(ngx_smtp_scram_md(size), key->data, (int) key->len,
             message->data, message->len, buf, &len)
        == NULL)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(hmac, buf, size);
    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_OK;
}


static const EVP_MD *
ngx_smtp_scram_md(size_t size)
{
    return (size == 20) ? EVP_sha1() : EVP_sha256();
}
