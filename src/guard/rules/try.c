/* SPDX-License-Identifier: Apache-2.0 */
/* One operator or transformation alone, for tests. */
#include "guard/rules/load.h"
#include "guard/rules/tx.h"

#include <stdlib.h>

static int one_read(void *ctx, const char *path, struct slice *text) {
    (void)path;
    *text = *(struct slice *)ctx;
    return 0;
}
static void one_release(void *ctx, struct slice text) { (void)ctx, (void)text; }

int rules_try_op(const char *name, struct slice param, struct slice input, const struct rules_source *source) {
    struct rules_source s = source ? *source : (struct rules_source){0};
    struct rules_report error = {0};
    static const char *const paths[] = {"empty"};
    struct slice empty = {0};
    struct rules_files files = s.files;
    s.files = (struct rules_files){.ctx = &empty, .read = one_read, .release = one_release};
    struct rules_set *set = NULL;
    int rc = rules_load(&set, &s, paths, 1, &error);
    if (rc) return rc;
    if (files.read) s.files = files;
    /* The parameter is put behind the operator's name, as a rule would have it. */
    struct load l = {.set = set, .source = &s, .error = &error, .file = ""};
    struct op op;
    size_t n = strlen(name);
    uint8_t *text = malloc(n + param.n + 3);
    struct rules_tx *tx = NULL;
    if (!text) rc = ERR_NOMEM;
    else {
        text[0] = '@';
        memcpy(text + 1, name, n);
        text[n + 1] = ' ';
        if (param.n) memcpy(text + n + 2, param.p, param.n);
        rc = load_op(&l, slice_of(text, n + 2 + param.n), &op);
    }
    if (!rc && !(tx = rules_tx_make(set, NULL))) rc = ERR_NOMEM;
    if (!rc) rc = op_run(tx, NULL, &op, input);
    rules_tx_free(tx);
    rules_free(set);
    free(text);
    return rc;
}

long rules_try_tfn(const char *name, struct slice input, uint8_t *out, size_t cap) {
    int tfn = tfn_find(slice_str(name));
    if (tfn < 0) return ERR_NOTFOUND;
    uint8_t *room = malloc(tfn_room((uint8_t)tfn, input.n));
    if (!room) return ERR_NOMEM;
    size_t n = tfn_run((uint8_t)tfn, NULL, input, room);
    if (n <= cap && n) memcpy(out, room, n);
    free(room);
    return n <= cap ? (long)n : ERR_LIMIT;
}
