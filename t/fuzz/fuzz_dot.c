
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <model.h>


/*
 * DATA: any way to cut the input gives what the model has; content ends in
 * CRLF; what is encoded is canonical and decodes to the same.
 */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_t     model, m;
    ngx_uint_t  normalise, way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    for (normalise = 0; normalise <= 1; normalise++) {
        model_dot(&model, data, size, normalise);

        for (way = 0; way < FUZZ_CUTS; way++) {
            model_run_dot(&m, data, size, normalise, way);
            model_check_same(&m, &model);
            model_free(&m);
        }

        fuzz_check(!model.done || model.content.len == 0
                   || (model.content.len > 1
                       && memcmp(model.content.data + model.content.len - 2,
                                 CRLF, 2)
                          == 0));

        model_check_encode(&model, normalise);
        model_free(&model);
    }

    return 0;
}
