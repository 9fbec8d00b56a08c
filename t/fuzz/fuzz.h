
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the fuzz targets share.  A target gets octets and runs one parser of
 * ours over them: whole, octet by octet, and cut at random, each piece in
 * memory of just its size.  The random numbers come from the input itself, so
 * that an input that failed once fails always.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* more is only slow */
#define FUZZ_INPUT_MAX  65536

/* ways to cut the input: see fuzz_cut_init() */
#define FUZZ_CUTS       4


#define fuzz_check(cond)                                                     \
    if (!(cond)) {                                                           \
        fuzz_fail(#cond, __FILE__, __LINE__);                                \
    }

#define fuzz_nelts(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    uint32_t     random;
    ngx_uint_t   way;
} fuzz_cut_t;


/* octets that grow */
typedef struct {
    u_char      *data;
    size_t       len;
    size_t       size;
} fuzz_out_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void fuzz_fail(const char *cond, const char *file, int line);

/* a copy in memory of just that size; to be freed */
u_char *fuzz_copy(const void *data, size_t len);

/* 0: whole; 1: octet by octet; others: at random, as the input has it */
void fuzz_cut_init(fuzz_cut_t *cut, ngx_uint_t way, const void *data,
    size_t len);

/* the length of the next piece, 1..left */
size_t fuzz_cut(fuzz_cut_t *cut, size_t left);

uint32_t fuzz_random(fuzz_cut_t *cut);

/*
 * Is there nothing but printable US-ASCII and, where it is asked for, valid
 * UTF-8?  Not by the parsers' own functions.
 */
ngx_uint_t fuzz_is_text(const u_char *p, const u_char *last, ngx_uint_t utf8);

void fuzz_out_add(fuzz_out_t *out, const void *data, size_t len);
ngx_uint_t fuzz_out_same(fuzz_out_t *out, const void *data, size_t len);
void fuzz_out_free(fuzz_out_t *out);


#endif /* _FUZZ_H_INCLUDED_ */
