/* SPDX-License-Identifier: Apache-2.0 */
#include "app/filter.h"

#include "proto/fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* as_display writes how a display filter says what tcpdump's words say; false: they are not of the simple kind. */
static bool as_display(char *out, size_t n, const char *text) {
    char first[16] = "", second[16] = "", third[64] = "";
    int words = sscanf(text, "%15s %15s %63s", first, second, third);
    const char *way = !strcmp(first, "src") || !strcmp(first, "dst") ? first : "";
    bool proto = !strcmp(first, "tcp") || !strcmp(first, "udp");
    const char *what = *way || proto ? second : first, *value = *way || proto ? third : second;
    if (words < (*way || proto ? 3 : 2) || !isalnum((unsigned char)*value)) return false;
    if (!strcmp(what, "port")) return snprintf(out, n, "%s.%sport == %s", proto ? first : "tcp", way, value) < (int)n;
    if (!strcmp(what, "host") || !strcmp(what, "net"))
        return snprintf(out, n, "%s.%s == %s", strchr(value, ':') ? "ipv6" : "ip", *way ? way : "addr", value) < (int)n;
    return false;
}

static void complain(const struct opt_command *cmd, const char *option, struct slice text,
                     const struct expr_error *why) {
    struct writer w = wr_grow();
    expr_error_print(&w, text, why);
    fprintf(stderr, "weir %s: %s: %.*s", cmd->name, option, (int)wr_len(&w), w.buf ? w.buf : "");
    char other[160], plain[200];
    snprintf(plain, sizeof plain, "%.*s", (int)text.n, (const char *)text.p);
    if (as_display(other, sizeof other, plain))
        fprintf(stderr, "    these are the words of a capture filter; as a display filter: %s\n", other);
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
    } else {
        wr_s(why, "; it is written as for tcpdump, such as `port 1883 and host 10.0.0.5`");
    }
    field_index_free(&names);
}

void filter_free(const struct opt_command *cmd, struct expr *e) {
    unsigned long long n = e ? expr_unsure(e) : 0;
    if (n)
        fprintf(
            stderr,
            "weir %s: in %llu %s the filter looked in vain up to its limit of steps; what it looked for counts as not "
            "there\n",
            cmd->name, n, plural(n, "packet", "packets"));
    expr_free(e);
}
