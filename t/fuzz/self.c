
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>


/* Not a target: is a fault noticed?  t/fuzz.t runs it over inputs with one. */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char      *p;
    ngx_uint_t   sum;

    if (size == 0) {
        return 0;
    }

    p = fuzz_copy(data, size);

    fuzz_check(*p != 'C');

    /* reads an octet behind the end, adds one too many */

    sum = p[size - 1 + (*p == 'R')];
    sum += INT_MAX - 1 + (*p == 'O') * (int) size;

    free(p);

    return sum == 0;
}
