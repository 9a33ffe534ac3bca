/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that find numbers with a regular expression and then check them: credit cards (Luhn), CPF (Brazil), social
 * security numbers of the USA and of Austria. */
#include "guard/rules/tx.h"

enum { TRIES = 4096 }; /* places of one value that are looked at */

static size_t digits_of(struct slice in, uint8_t *digit, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] >= '0' && in.p[i] <= '9') {
            if (n < cap) digit[n] = (uint8_t)(in.p[i] - '0');
            n++;
        }
    return n;
}

static bool luhn(struct slice in) {
    unsigned sum = 0, n = 0;
    for (size_t i = in.n; i-- > 0;) {
        if (in.p[i] < '0' || in.p[i] > '9') continue;
        unsigned d = (unsigned)(in.p[i] - '0') << (n & 1);
        sum += d > 9 ? d - 9 : d;
        n++;
    }
    return n && sum % 10 == 0;
}

/* All digits the same, or counting up from 0 or 1: never given out. */
static bool sequence(const uint8_t *d, size_t n) {
    bool same = true, up = true;
    for (size_t i = 1; i < n; i++) {
        same = same && d[i] == d[0];
        up = up && d[i] == (d[i - 1] + 1) % 10;
    }
    return same || (up && d[0] <= 1);
}

static uint8_t cpf_check(const uint8_t *d, unsigned n) {
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++) sum += d[i] * (n + 1 - i);
    return (uint8_t)(sum % 11 < 2 ? 0 : 11 - sum % 11);
}

static bool cpf(struct slice in) {
    uint8_t d[11];
    size_t n = digits_of(in, d, 11);
    return n >= 11 && !sequence(d, 11) && cpf_check(d, 9) == d[9] && cpf_check(d, 10) == d[10];
}

static bool ssn(struct slice in) {
    uint8_t d[9];
    unsigned same = 0, up = 0;
    if (digits_of(in, d, 9) != 9) return false;
    for (int i = 0; i < 8; i++) {
        same += d[i] == d[i + 1];
        up += d[i] + 1 == d[i + 1];
    }
    unsigned area = d[0] * 100u + d[1] * 10u + d[2], group = d[3] * 10u + d[4];
    unsigned serial = d[5] * 1000u + d[6] * 100u + d[7] * 10u + d[8];
    return same < 8 && up < 8 && area && group && serial && area < 740 && area != 666;
}

static bool svnr(struct slice in) {
    static const uint8_t weight[10] = {3, 7, 9, 0, 5, 8, 4, 2, 1, 6};
    uint8_t d[10];
    unsigned sum = 0;
    if (digits_of(in, d, 10) < 10 || sequence(d, 10)) return false;
    for (int i = 0; i < 10; i++) sum += (unsigned)d[i] * weight[i];
    return sum % 11 % 10 == d[3];
}

static bool check(uint8_t kind, struct slice in) {
    switch (kind) {
    case OP_VERIFY_CC: return luhn(in);
    case OP_VERIFY_CPF: return cpf(in);
    case OP_VERIFY_SSN: return ssn(in);
    default: return svnr(in);
    }
}

bool op_verify(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    if (!op->rx || !op->rx->text.n) return false;
    for (size_t from = 0, tries = 0; from < in.n && tries < TRIES; tries++) {
        if (rx_run(tx, op->rx, in, from, 0) <= 0) return false;
        PCRE2_SIZE *at = pcre2_get_ovector_pointer(tx->match);
        if (at[1] < at[0] || at[1] > in.n) return false;
        struct slice found = slice_of(in.p + at[0], at[1] - at[0]);
        if (check(op->kind, found)) {
            if (rule && rule->a.capture) tx_set(tx, 0, SLICE("0"), found);
            return true;
        }
        from = at[0] + 1;
    }
    return false;
}
