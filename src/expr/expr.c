/* SPDX-License-Identifier: Apache-2.0 */
#include "expr/expr.h"

#include "expr/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void fail_text(struct compiling *c, int code, uint32_t at, uint32_t len, const char *fmt, va_list args) {
    if (c->err) return;
    c->err = code;
    if (at > c->text.n) at = (uint32_t)c->text.n;
    c->why->at = at;
    c->why->len = len ? len : 1;
    vsnprintf(c->why->message, sizeof c->why->message, say_by(c->say, fmt), args);
}

void *fail(struct compiling *c, uint32_t at, uint32_t len, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail_text(c, ERR_USAGE, at, len, fmt, args);
    va_end(args);
    return NULL;
}

void *fail_code(struct compiling *c, int code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail_text(c, code, 0, (uint32_t)c->text.n, fmt, args);
    va_end(args);
    return NULL;
}

void warn(struct compiling *c, const char *fmt, ...) {
    char *text = c->n_warnings < COMPILE_WARNINGS ? take(c, 160) : NULL;
    va_list args;
    if (!text) return;
    va_start(args, fmt);
    vsnprintf(text, 160, fmt, args);
    va_end(args);
    for (size_t i = 0; i < c->n_warnings; i++)
        if (strcmp(c->warnings[i], text) == 0) return;
    c->warnings[c->n_warnings++] = text;
}

void *take(struct compiling *c, size_t n) {
    void *p = c->err ? NULL : arena_get(&c->arena, n);
    if (p) return memset(p, 0, n);
    return fail_code(c, ERR_LIMIT, "the filter is too long");
}

static int compile(struct compiling *c, struct expr *e, struct slice text) {
    if (text.n > EXPR_TEXT_MAX) {
        fail_code(c, ERR_LIMIT, "a filter has at most %d bytes", EXPR_TEXT_MAX);
        return c->err;
    }
    e->unsure = take(c, sizeof *e->unsure);
    c->text = slice_of(take(c, text.n + 1), text.n);
    if (text.n && c->text.p) memcpy((void *)(uintptr_t)c->text.p, text.p, text.n);
    struct node *tree = c->err ? NULL : parse_filter(c);
    if (c->err || (tree && !check_filter(c, tree))) return c->err;
    emit_filter(c, tree, e);
    return c->err;
}

int expr_compile(struct expr **out, struct slice text, const struct field_index *names, struct expr_error *why) {
    return expr_compile_said(out, text, names, why, NULL);
}

int expr_compile_said(struct expr **out, struct slice text, const struct field_index *names, struct expr_error *why,
                      say_fn *say) {
    struct compiling c = {.names = names, .why = why, .say = say, .arena = arena_make(COMPILE_ARENA)};
    struct expr *e = calloc(1, sizeof *e);
    *why = (struct expr_error){0};
    if (!e) fail_code(&c, ERR_NOMEM, "out of memory");
    int rc = e ? compile(&c, e, text) : ERR_NOMEM;
    if (e) e->arena = c.arena;
    if (rc) {
        expr_free(e);
        return rc;
    }
    memcpy(e->warnings, c.warnings, sizeof e->warnings);
    e->n_warnings = c.n_warnings;
    *out = e;
    return OK;
}

void expr_free(struct expr *e) {
    if (!e) return;
    for (uint32_t i = 0; i < e->n_regexes; i++) regex_free(e->regexes[i]);
    arena_free(&e->arena);
    free(e);
}

const struct want *expr_want(const struct expr *e) { return &e->want; }

const char *expr_warning(const struct expr *e, size_t i) { return i < e->n_warnings ? e->warnings[i] : NULL; }
