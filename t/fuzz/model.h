
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Mail data once more, octet by octet and without a thought of speed: what
 * ngx_smtp_dot.c and ngx_smtp_chunk.c have to agree with.  And what holds for
 * content whichever of them it came from.
 */


#ifndef _MODEL_H_INCLUDED_
#define _MODEL_H_INCLUDED_


#include <fuzz.h>
#include <ngx_smtp_dot.h>


typedef struct {
    fuzz_out_t   content;
    size_t       end;            /* octets up to the end of the mark */
    ngx_uint_t   done;           /* there was an end mark */
    ngx_uint_t   dots;
    ngx_uint_t   bare;
} model_t;


void model_dot(model_t *m, const u_char *data, size_t size,
    ngx_uint_t normalise);
void model_chunk(model_t *m, const u_char *data, size_t size,
    ngx_uint_t normalise);

void model_check_same(model_t *a, model_t *b);
void model_free(model_t *m);

/* ngx_smtp_dot_decode() over data, cut that way */
void model_run_dot(model_t *m, const u_char *data, size_t size,
    ngx_uint_t normalise, ngx_uint_t way);

/* ngx_smtp_dot_encode() of what m has, and back */
void model_check_encode(model_t *m, ngx_uint_t normalise);


#endif /* _MODEL_H_INCLUDED_ */
