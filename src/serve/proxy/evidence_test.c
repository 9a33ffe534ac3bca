/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a connection: bounded, and without its password however it comes and whatever is wrong with it.
 */
#include "base/check.h"
#include "serve/proxy/evidence.h"
#include "serve/proxy/worker.h"
#include <stdio.h>
#include <stdlib.h>

static uint8_t told[1 << 20];
static size_t told_n;
static unsigned records;

/* In place of the ring to the parent. */
bool worker_tell(struct worker *w, char kind, struct slice record) {
    struct evidence_record r;
    (void)w;
    CHECK(kind == 'P' && record.n > sizeof r && record.n < RING_RECORD_MAX);
    memcpy(&r, record.p, sizeof r);
    CHECK(r.side < GUARD_SIDES && sizeof r + r.why_n + r.len >= record.n);
    record = slice_tail(record, sizeof r + r.why_n);
    CHECK(told_n + record.n <= sizeof told);
    memcpy(told + told_n, record.p, record.n);
    told_n += record.n;
    records++;
    return true;
}

static struct guard_config config = {.evidence = "x", .evidence_bytes = 4096};
static struct setting setting = {.config = &config};
static struct worker *w;
static struct conn *c;
static unsigned turn;

static void tell(void) {
    told_n = records = 0;
    w->caught_n = 3;
    w->now_ms = 1000 * (int64_t)++turn;
    evidence_tell(w, c);
}

static void forget(void) {
    evidence_free(c->evidence);
    c->evidence = NULL;
}

static bool has(const char *text) { return memmem(told, told_n, text, strlen(text)) != NULL; }

static unsigned long long state = 88172645463325252u;
static unsigned chance(unsigned n) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}

/* hello is a CONNECT of MQTT 5 with a will, a user name and a password, and PINGREQs around it. */
static const uint8_t hello[] =
    "\xc0\0\x10\x37\0\4MQTT\5\xc6\0\x3c\3\x21\0\x0a\0\6pump-7\0\0\4gone\0\4bye!\0\4user\0\x0cs3cr3t-words\xc0\0";
enum { HELLO = sizeof hello - 1 };

static void passwords_are_not_remembered(void) {
    evidence_add(w, c, GUARD_CLIENT, slice_of(hello, HELLO));
    tell();
    CHECK(told_n == HELLO && has("pump-7") && has("user") && has("************\xc0"));
    forget();
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[HELLO];
        memcpy(bytes, hello, HELLO);
        /* Anything may be wrong, but for what says that there is a CONNECT with a password. */
        for (unsigned k = chance(3); k; k--) {
            unsigned at = chance(HELLO);
            if (at > 2 && (at < 4 || at > 11)) bytes[at] = (uint8_t)chance(256);
        }
        memcpy(bytes + HELLO - 14, hello + HELLO - 14, 12);
        unsigned cut = chance(2) ? chance(HELLO) : 0;
        evidence_add(w, c, GUARD_CLIENT, slice_of(bytes, cut));
        evidence_add(w, c, GUARD_BROKER, SLICE("\x20\2\0\0"));
        evidence_add(w, c, GUARD_CLIENT, slice_of(bytes + cut, HELLO - cut));
        tell();
        CHECK(!has("s3cr3t"));
        forget();
    }
}

static void what_is_remembered_is_bounded(void) {
    static uint8_t large[100000];
    for (int i = 0; i < 2000; i++) {
        size_t n = chance(10) ? chance(300) : chance(sizeof large);
        memset(large, 0, n);
        evidence_add(w, c, chance(2) ? GUARD_CLIENT : GUARD_BROKER, slice_of(large, n));
        if (chance(20)) continue;
        tell();
        CHECK(told_n <= config.evidence_bytes + 200);
        if (chance(3) == 0) forget();
    }
    forget();
}

static void it_is_not_told_for_ever(void) {
    unsigned told_times = 0;
    for (int i = 0; i < 100; i++) {
        evidence_add(w, c, GUARD_BROKER, SLICE("\x20\2\0\0"));
        tell();
        told_times += records > 0;
    }
    CHECK(told_times == 16);
    forget();
    config.evidence = NULL;
    evidence_add(w, c, GUARD_BROKER, SLICE("\x20\2\0\0"));
    CHECK(!c->evidence);
}

int main(void) {
    w = calloc(1, sizeof *w);
    c = calloc(1, sizeof *c);
    CHECK(w && c);
    w->set = &setting;
    passwords_are_not_remembered();
    what_is_remembered_is_bounded();
    it_is_not_told_for_ever();
    free(w);
    free(c);
    return 0;
}
