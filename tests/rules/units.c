/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator and transformation against expectations that libmodsecurity gave: `units FILE [DIR]`, a line of JSON
 * each with type op or tfn, name, param_hex, input_hex and what is expected. Exit 77 (skipped) where the file is not
 * there. */
#include "guard/rules/rules.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
    struct slice type, name, param, input, want, ret;
};

static struct arena arena;

static bool member(void *ctx, struct slice path, struct slice value) {
    struct unit *u = ctx;
    const struct {
        const char *path;
        struct slice *to;
    } known[] = {{"json.type", &u->type},
                 {"json.name", &u->name},
                 {"json.param_hex", &u->param},
                 {"json.input_hex", &u->input},
                 {"json.libmodsecurity_output_hex", &u->want},
                 {"json.libmodsecurity_ret", &u->ret}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_eq(path, slice_str(known[i].path))) *known[i].to = value;
    return true;
}

static struct slice bytes_of(struct slice hex) {
    uint8_t *out = arena_get(&arena, hex.n / 2 + 1);
    for (size_t i = 0; i + 1 < hex.n; i += 2) {
        char two[3] = {(char)hex.p[i], (char)hex.p[i + 1], 0};
        out[i / 2] = (uint8_t)strtoul(two, NULL, 16);
    }
    return slice_of(out, hex.n / 2);
}

/* Phrases of pmFromFile's cases stand in a file of ModSecurity's; its first three lines are these. */
static int phrases(void *ctx, const char *path, struct slice *text) {
    (void)ctx, (void)path;
    *text = SLICE("abc\ndef\nghi\n");
    return 0;
}
static void release(void *ctx, struct slice text) { (void)ctx, (void)text; }

static const char *name_of(struct slice s, char *buf) {
    snprintf(buf, 64, "%.*s", (int)s.n, (const char *)s.p);
    if (!strcmp(buf, "cmd_line")) return "cmdLine";
    return buf;
}

static bool holds(const struct unit *u, const struct rules_source *source) {
    char name[64];
    struct slice in = bytes_of(u->input);
    if (slice_eq(u->type, SLICE("op"))) {
        int rc = rules_try_op(name_of(u->name, name), bytes_of(u->param), in, source),
            want = u->ret.n && u->ret.p[0] == '1';
        if (rc != want)
            printf("@%s '%.*s' on '%.*s': %d, not %d\n", name, (int)bytes_of(u->param).n, bytes_of(u->param).p,
                   (int)in.n, in.p, rc, want);
        return rc == want;
    }
    uint8_t *out = arena_get(&arena, 1 << 16);
    struct slice want = bytes_of(u->want);
    long n = rules_try_tfn(name_of(u->name, name), in, out, 1 << 16);
    if (n == ERR_NOTFOUND && !strcmp(name, "phpArgsNames"))
        return true; /* libmodsecurity 3 has none of that name either */
    if (n >= 0 && slice_eq(slice_of(out, (size_t)n), want)) return true;
    printf("t:%s on '%.*s': '%.*s', not '%.*s'\n", name, (int)in.n, in.p, (int)(n < 0 ? 0 : n), out, (int)want.n,
           want.p);
    return false;
}

int main(int argc, char **argv) {
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f || !rules_available()) return 77;
    struct rules_source source = {.files = {.read = phrases, .release = release}};
    void *lib = dlopen("libmodsecurity.so.3", RTLD_LAZY);
    if (!lib) return 77;
    *(void **)&source.libinjection.sqli = dlsym(lib, "libinjection_sqli");
    *(void **)&source.libinjection.xss = dlsym(lib, "libinjection_xss");
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    unsigned right = 0, all = 0;
    arena = arena_make(64 << 20);
    while ((n = getline(&text, &cap, f)) > 0) {
        struct unit u = {0};
        arena_reset(&arena);
        if (!rules_json_each(&arena, slice_of(text, (size_t)n), 8, member, &u)) continue;
        all++;
        right += holds(&u, &source);
    }
    printf("%u of %u\n", right, all);
    free(text);
    fclose(f);
    arena_free(&arena);
    return right == all && all ? 0 : 1;
}
