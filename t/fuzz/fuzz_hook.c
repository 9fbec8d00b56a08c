
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <nginx_stub.h>
#include <ngx_event.h>
#include <jansson.h>
#include <ngx_smtp_hook.h>


/*
 * Answers of hooks: what is taken can't make a reply that is none; each
 * refusal has its reason.  And what we write is JSON to someone else's parser.
 */


static void check(ngx_smtp_hook_answer_t *answer);
static void check_text(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                    *reason;
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_pool_t              *pool;
    ngx_smtp_hook_answer_t   answer;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    pool = ngx_create_pool(4096, fuzz_connection()->log);
    if (pool == NULL) {
        abort();
    }

    text.data = fuzz_copy(data, size);
    text.len = size;
    reason = NULL;

    rc = ngx_smtp_hook_answer_parse(&answer, pool, &text, &reason);

    free(text.data);

    fuzz_check(rc == NGX_OK || (rc == NGX_ERROR && reason != NULL));

    if (rc == NGX_OK) {
        check(&answer);
    }

    ngx_destroy_pool(pool);

    check_text(data, size);

    return 0;
}


static void
check(ngx_smtp_hook_answer_t *answer)
{
    size_t                   i;
    ngx_uint_t               n, class;
    ngx_smtp_hook_route_t   *route;
    ngx_smtp_hook_change_t  *change;

    class = answer->status / 100;

    switch (answer->action) {

    case NGX_SMTP_HOOK_REJECT:
        fuzz_check(answer->status == 0 || class == 4 || class == 5);
        fuzz_check(answer->enhanced.class == 0 || answer->enhanced.class == 4
                   || answer->enhanced.class == 5);
        break;

    case NGX_SMTP_HOOK_TEMPFAIL:
        fuzz_check(answer->status == 0 || class == 4);
        fuzz_check(answer->enhanced.class == 0
                   || answer->enhanced.class == 4);
        break;

    default:
        fuzz_check(answer->status == 0 || class == 2);
        fuzz_check(answer->enhanced.class == 0
                   || answer->enhanced.class == 2);
    }

    fuzz_check(answer->status <= 559);
    fuzz_check(answer->status == 0 || answer->enhanced.class == 0
               || answer->enhanced.class == class);

    for (i = 0; i < answer->message.len; i++) {
        fuzz_check(answer->message.data[i] >= ' '
                   && answer->message.data[i] != 0x7f);
    }

    change = answer->changes.elts;

    for (n = 0; n < answer->changes.nelts; n++) {
        fuzz_check(change[n].type <= NGX_SMTP_HOOK_DELETE_HEADER);
        fuzz_check(change[n].index <= NGX_MAX_INT32_VALUE);
        fuzz_check(change[n].type < NGX_SMTP_HOOK_CHANGE_HEADER
                   || change[n].index >= 1);
    }

    route = answer->routes.elts;

    for (n = 0; n < answer->routes.nelts; n++) {
        fuzz_check(route[n].to.data == NULL || route[n].to.len);
    }
}


static void
check_text(const uint8_t *data, size_t size)
{
    json_t                *root;
    ngx_str_t              value;
    ngx_pool_t            *pool;
    ngx_smtp_hook_text_t   text;

    pool = ngx_create_pool(4096, fuzz_connection()->log);
    if (pool == NULL) {
        abort();
    }

    value.data = fuzz_copy(data, size);
    value.len = size;

    ngx_smtp_hook_text_init(&text, pool);
    ngx_smtp_hook_text_raw(&text, "{");
    ngx_smtp_hook_text_pair(&text, "a", &value);
    ngx_smtp_hook_text_number(&text, "b", size);
    ngx_smtp_hook_text_open(&text, "c", "[");
    ngx_smtp_hook_text_open(&text, NULL, "{");
    ngx_smtp_hook_text_pair(&text, "d", &value);
    ngx_smtp_hook_text_raw(&text, "}]}");

    fuzz_check(!text.failed);

    root = json_loadb((char *) text.start, text.last - text.start,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    fuzz_check(root != NULL);
    fuzz_check(json_object_size(root) == 3);
    fuzz_check(json_integer_value(json_object_get(root, "b"))
               == (json_int_t) size);
    fuzz_check(json_equal(json_object_get(root, "a"),
                          json_object_get(json_array_get(
                              json_object_get(root, "c"), 0), "d")));

    json_decref(root);
    free(value.data);

    ngx_destroy_pool(pool);
}
