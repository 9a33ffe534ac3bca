/* SPDX-License-Identifier: Apache-2.0 */
#include "app/filter.h"

#include "proto/fields.h"

#include <stdio.h>

static void complain(const struct opt_command *cmd, const char *option, struct slice text,
                     const struct expr_error *why) {
    struct writer w = wr_grow();
    expr_error_print(&w, text, why);
    fprintf(stderr, "weir %s: %s: %.*s", cmd->name, option, (int)wr_len(&w), w.buf ? w.buf : "");
    wr_free(&w);
}

int filter_compile(const struct opt_command *cmd, const char *option, struct slice text, struct expr **out) {
    struct field_index names;
    struct expr_error why;
    if (field_index_make(&names, &weir_fields)) return opt_bad_use(cmd, "out of memory");
    int rc = expr_compile(out, text, &names, &why);
    field_index_free(&names);
    if (rc) {
        complain(cmd, option, text, &why);
        return EXIT_TROUBLE;
    }
    for (size_t i = 0; expr_warning(*out, i); i++)
        fprintf(stderr, "weir %s: %s: %s\n", cmd->name, option, expr_warning(*out, i));
    return OPT_GO;
}

void filter_hint(struct writer *why, const char *filter, const char *instead) {
    struct expr *e = NULL;
    struct field_index names;
    struct expr_error error;
    if (!filter || !*filter || field_index_make(&names, &weir_fields)) return;
    if (!expr_compile(&e, slice_str(filter), &names, &error)) {
        expr_free(e);
        wr_f(why, "; this is a display filter: %s", instead);
    }
    field_index_free(&names);
}

void filter_free(const struct opt_command *cmd, struct expr *e) {
    unsigned long long n = e ? expr_unsure(e) : 0;
    if (n)
        fprintf(
            stderr,
            "weir %s: in %llu packet%s the filter looked in vain up to its limit of steps; what it looked for counts "
            "as not there\n",
            cmd->name, n, n == 1 ? "" : "s");
    expr_free(e);
}
