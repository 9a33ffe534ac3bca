/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: PCRE2, letters of either case alike, bytes rather than characters, as Wireshark has it. What a
 * pattern may cost is limited. A search takes its memory from the stack; the few that need more, since a part of the
 * pattern repeats over a long text, are done once more with up to MATCH_MEMORY_MOST bytes. A search that comes to a
 * limit is given up and counted, and behind SEARCHES_GIVEN_UP of them a packet is searched no more. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "expr/program.h"

#include <pcre2.h>
#include <stdlib.h>

enum {
    MATCH_STEPS = 1000000,
    MATCH_MEMORY = 128 * 1024, /* bytes of stack */
    MATCH_MEMORY_MOST = 64 << 20,
    SEARCHES_GIVEN_UP = 4,
    FOLDED_MAX = 32 * 1024, /* bytes of a text in lower() or upper() that get their case before the search */
};

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    struct slice text;
    struct slice head; /* of an anchored pattern: letters a text must begin with, in either case */
    bool head_only;    /* the pattern has nothing else */
};

static bool is_letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == ' ';
}

/* head_find finds what a text must begin with: most patterns of topics are anchored, and most topics begin otherwise.
 */
static void head_find(struct regex *r) {
    struct slice s = r->text;
    size_t n = 1;
    if (!s.n || s.p[0] != '^' || memchr(s.p, '|', s.n)) return;
    while (n < s.n && is_letter(s.p[n])) n++;
    r->head_only = n == s.n;
    /* What comes behind the last letter may say how often it stands there. */
    if (!r->head_only && n > 1) n--;
    r->head = slice_of(s.p + 1, n - 1);
}

static bool begins(struct slice s, struct slice head) {
    if (s.n < head.n) return false;
    for (size_t i = 0; i < head.n; i++)
        if (letter_fold(s.p[i], FOLD_LOWER) != letter_fold(head.p[i], FOLD_LOWER)) return false;
    return true;
}

struct regex *regex_make(struct compiling *c, const struct node *n) {
    int why;
    PCRE2_SIZE at;
    PCRE2_UCHAR text[160];
    struct slice s = n->value.s;
    uint32_t options = PCRE2_CASELESS | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    struct regex *r = calloc(1, sizeof *r);
    if (!r) return fail_code(c, ERR_NOMEM, "out of memory");
    r->text = s;
    head_find(r);
    r->code = pcre2_compile(s.n ? s.p : (const uint8_t *)"", s.n, options, &why, &at, NULL);
    if (!r->code) {
        if (pcre2_get_error_message(why, text, sizeof text) < 0) text[0] = 0;
        fail(c, n->at, n->len, "the regular expression is wrong at its character %zu: %s", (size_t)at + 1,
             (const char *)text);
        regex_free(r);
        return NULL;
    }
    r->limits = pcre2_match_context_create(NULL);
    if (!r->limits) {
        regex_free(r);
        return fail_code(c, ERR_NOMEM, "out of memory");
    }
    pcre2_set_match_limit(r->limits, MATCH_STEPS);
    pcre2_set_heap_limit(r->limits, MATCH_MEMORY / 1024);
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the search is slower, no more */
    return r;
}

void regex_free(struct regex *r) {
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
    free(r);
}

struct slice regex_text(const struct regex *r) {
    return r->text;
}

static void *stack_take(PCRE2_SIZE n, void *data) {
    struct scratch *room = data;
    n = (n + 15) & ~(size_t)15;
    if ((size_t)(room->end - room->p) < n) return NULL;
    room->p += n;
    return room->p - n;
}

static void stack_release(void *p, void *data) {
    (void)p;
    (void)data;
}

/* search_deep is a search with memory from the heap. */
static int search_deep(const struct regex *r, struct slice s) {
    int found = PCRE2_ERROR_NOMEMORY;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_copy(r->limits);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(MATCH_MEMORY, MATCH_MEMORY_MOST, NULL);
    if (data && limits && stack) {
        pcre2_set_heap_limit(limits, MATCH_MEMORY_MOST / 1024);
        pcre2_jit_stack_assign(limits, NULL, stack);
        found = pcre2_match(r->code, s.p, s.n, 0, 0, data, limits);
    }
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    return found;
}

static bool search(const struct regex *r, struct slice s, unsigned *given_up) {
    _Alignas(16) uint8_t memory[MATCH_MEMORY];
    struct scratch room = {memory, memory + sizeof memory};
    if (*given_up >= SEARCHES_GIVEN_UP) return false;
    if (!s.n) s.p = (const uint8_t *)"";
    pcre2_general_context *general = pcre2_general_context_create(stack_take, stack_release, &room);
    pcre2_match_data *data = general ? pcre2_match_data_create(1, general) : NULL;
    int found = data ? pcre2_match(r->code, s.p, s.n, 0, 0, data, r->limits) : PCRE2_ERROR_NOMEMORY;
    if (found == PCRE2_ERROR_JIT_STACKLIMIT || found == PCRE2_ERROR_HEAPLIMIT || found == PCRE2_ERROR_NOMEMORY)
        found = search_deep(r, s);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) ++*given_up;
    return found >= 0;
}

/* search_folded gives the text its case first. A longer one is searched as it is, which is the same unless the pattern
 * tells cases apart. */
static bool search_folded(const struct regex *r, const struct value *v, unsigned *given_up) {
    uint8_t text[FOLDED_MAX];
    if (v->s.n > sizeof text) return search(r, v->s, given_up);
    for (size_t i = 0; i < v->s.n; i++) text[i] = letter_fold(v->s.p[i], v->fold);
    return search(r, slice_of(text, v->s.n), given_up);
}

bool regex_matches(const struct regex *r, const struct value *v, unsigned *given_up) {
    if (v->kind < VAL_BYTES) return false;
    if (v->fold) return search_folded(r, v, given_up);
    struct slice s = slice_of(v->s.p, v->reach ? v->reach : v->s.n);
    if (!begins(s, r->head)) return false;
    return r->head_only || search(r, s, given_up);
}
