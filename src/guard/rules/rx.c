/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions within their limits.
 *
 * Theory of operation: a regular expression runs as machine code (PCRE2's JIT), or interpreted where the system forbids
 * that or its stack does not do, with a match limit and without backtracking into the heap: a value that needs more is
 * marked in the transaction (`limited`) and does not match; what that means is the caller's policy.
 *
 * PCRE2's match limit counts for each place a match may begin at, so alone it does not bound a long value. A value is
 * therefore tried in spans of such places, short enough that one call ends in milliseconds, and between two calls the
 * transaction asks how much processor time the packet had (tx_late). The interpreter's spans adapt: a call is given few
 * steps for each place; where these do not do, fewer places are tried with more steps each, up to the full limit. What
 * is found is the same as in one call, since places are tried in their order and all of the value can be seen. */
#include "guard/rules/tx.h"

#include <stdio.h>

#define RX_REPEATS (1u << 29) /* steps from one place times bytes of the value */
enum {
    RX_WALK = 8 << 20,  /* places of a call times bytes of the value */
    RX_FIRST = 4,       /* places of the first call of machine code, where the value must be tried in parts */
    RX_QUICK = 200000,  /* nanoseconds: a call that took less is followed by one of twice as many places */
    RX_STEPS = 1 << 19, /* places of a call times steps of the interpreter for each */
    RX_CUT = 8,
    RX_GROW = 4, /* the interpreter's spans become an eighth, or a quarter longer */
};

/* in_one_go: a match begins at one place only, or \G makes the place where a call begins a part of the pattern. */
static bool in_one_go(const struct rx *rx) {
    uint32_t all = 0;
    pcre2_pattern_info(rx->code, PCRE2_INFO_ALLOPTIONS, &all);
    return all & PCRE2_ANCHORED || s_find(rx->text, SLICE("\\G")).p;
}

bool rx_compile(struct rx *rx, int *code, size_t *at) {
    struct slice text = rx->text;
    uint32_t options = PCRE2_DOTALL | PCRE2_MULTILINE | PCRE2_USE_OFFSET_LIMIT | (rx->caseless ? PCRE2_CASELESS : 0);
    rx->code = pcre2_compile(text.n ? text.p : (PCRE2_SPTR) "", text.n, options, code, at, NULL);
    rx->whole = rx->code && in_one_go(rx);
    return rx->code;
}

const struct rx *rx_make(struct rules_set *set, struct slice text, bool caseless, char *error, size_t n_error) {
    int code;
    PCRE2_SIZE at;
    uint32_t groups = 0;
    struct rx *rx = arena_get(&set->arena, sizeof *rx);
    if (!rx) return snprintf(error, n_error, "out of memory"), NULL;
    *rx = (struct rx){.text = text, .caseless = caseless};
    if (!rx_compile(rx, &code, &at)) {
        int n = snprintf(error, n_error, "the regular expression is wrong at its character %zu: ", (size_t)at + 1);
        if (n > 0 && (size_t)n < n_error) pcre2_get_error_message(code, (PCRE2_UCHAR *)error + n, n_error - (size_t)n);
        return NULL;
    }
    int jit = pcre2_jit_compile(rx->code, PCRE2_JIT_COMPLETE);
    rx->jit = jit == 0;
    if (jit == PCRE2_ERROR_NOMEMORY) set->interpreted = true;
    pcre2_pattern_info(rx->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > set->captures) set->captures = groups;
    rx->next = set->rxs;
    set->rxs = rx;
    return rx;
}

/* limit_of returns the match limit: a step may look at all of the value, so long ones get fewer. */
static uint32_t limit_of(const struct rules_tx *tx, struct slice in) {
    uint32_t most = in.n < RX_REPEATS ? RX_REPEATS / ((uint32_t)in.n + 1) : 1;
    return most < tx->set->limits.pcre ? most : tx->set->limits.pcre;
}

/* call tries `span` places from `from`. */
static int call(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, size_t span, uint32_t options) {
    pcre2_set_offset_limit(tx->mctx, from + span - 1);
    return options & PCRE2_NO_JIT ? pcre2_match(rx->code, in.p, in.n, from, options, tx->match, tx->mctx)
                                  : pcre2_jit_match(rx->code, in.p, in.n, from, options, tx->match, tx->mctx);
}

/* Machine code does not count all it does, so time tells how many places the next call may try, `most` at most. */
static int run_compiled(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, size_t most) {
    int64_t (*clock)(bool exact) = tx->set->clock;
    bool parts = clock && most <= in.n - from;
    size_t span = parts && most > RX_FIRST ? RX_FIRST : most;
    for (int64_t before = parts ? clock(true) : 0;;) {
        int rc = call(tx, rx, in, from, span, 0);
        if (rc != PCRE2_ERROR_NOMATCH || in.n - from < span) return rc;
        if (tx_late(tx)) return PCRE2_ERROR_MATCHLIMIT;
        from += span;
        int64_t now = parts ? clock(true) : 0;
        if (now - before > RX_QUICK) span = span / 2 + 1;
        else if ((span *= 2) > most) span = most;
        before = now;
    }
}

static int run_interpreted(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, size_t most,
                           uint32_t options) {
    uint32_t limit = limit_of(tx, in);
    for (size_t span = most;;) {
        uint32_t steps = RX_STEPS / span < limit ? (uint32_t)(RX_STEPS / span) : limit;
        if (rx->whole || options & PCRE2_ANCHORED) steps = limit;
        pcre2_set_match_limit(tx->mctx, steps);
        int rc = call(tx, rx, in, from, span, options | PCRE2_NO_JIT);
        bool again = rc == PCRE2_ERROR_MATCHLIMIT && steps < limit;
        if (!again && (rc != PCRE2_ERROR_NOMATCH || in.n - from < span)) return rc;
        if (tx_late(tx)) return PCRE2_ERROR_MATCHLIMIT;
        if (again) {
            span = span / RX_CUT + 1;
        } else {
            from += span;
            span += span / RX_GROW + 1;
            if (span > most) span = most;
        }
    }
}

int rx_run(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, uint32_t options) {
    if (!in.n) in.p = (const uint8_t *)"";
    if (tx_late(tx)) return PCRE2_ERROR_MATCHLIMIT;
    size_t left = in.n - from + 1, span = RX_WALK / (in.n + 1) + 1;
    if (span > left || rx->whole || options & PCRE2_ANCHORED) span = left;
    pcre2_set_match_limit(tx->mctx, limit_of(tx, in));
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (rx->jit && !options) rc = run_compiled(tx, rx, in, from, span);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = run_interpreted(tx, rx, in, from, span, options);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) tx->limited = true;
    return rc;
}
