/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and what follows them: a ban comes after an offence, never after another ban. */
#include "guard/guard_test.h"

#define C GUARD_CLIENT
#define B GUARD_BROKER
#define S INT64_C(1000000000)

/* login comes again and has its login answered with that code; true where the broker was asked. */
static bool login(struct tube *t, uint8_t code) {
    tube_again(t);
    if (t->closed) return false;
    tube_hex(t, C, "1018 0004 'MQTT' 04 c2 003c 0001 'a' 0003 'bob' 0004 'pass'");
    if (t->closed) return false;
    tube_send(t, B, slice_of((const uint8_t[]){0x20, 2, 0, code}, 4));
    return true;
}

static void bans_end(const char *limit) {
    struct tube t;
    tube_make(&t, limit);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            CHECK(login(&t, 5), "%s: refusal %d of round %d is the broker's", limit, i + 1, round + 1);
            CHECK((i == 3) == tube_saw(&t, "guess"), "%s: the fourth one bans, not %d (%s)", limit, i + 1, t.rules);
        }
        t.now += 5 * S;
        CHECK(!login(&t, 0) && tube_saw(&t, "bans"), "%s: who is banned is refused", limit);
        t.now += 7 * S;
        CHECK(login(&t, 0) && !t.rules[0], "%s: after the ban the right password is let in (%s)", limit, t.rules);
    }
    tube_free(&t);
}

/* A counter that others share is not begun anew by one ban: an attacker with many addresses would gain by it. */
static void shared_counts(const char *limit) {
    struct tube t;
    tube_make(&t, limit);
    for (int i = 0; i < 4; i++) (void)login(&t, 5);
    CHECK(tube_saw(&t, "guess"), "%s: the fourth one bans", limit);
    t.now += 12 * S;
    CHECK(login(&t, 0) && !t.rules[0], "%s: to come is no offence (%s)", limit, t.rules);
    CHECK(login(&t, 5) && tube_saw(&t, "guess"), "%s: the next refusal is one (%s)", limit, t.rules);
    tube_free(&t);
}

static void other_actions(void) {
    static const char *const actions[] = {"drop", "disconnect", "log"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        struct tube t;
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "limits: [{id: guess, per: address, what: refused_logins, max: 3, window: 60s, action: %s}]\n",
                 actions[i]);
        tube_make(&t, yaml);
        for (int k = 0; k < 4; k++) CHECK(login(&t, 5), "%s: the broker refuses", actions[i]);
        CHECK(tube_saw(&t, i == 2 ? "!guess" : "guess"), "%s: the fourth is told (%s)", actions[i], t.rules);
        CHECK(login(&t, 0) == (i == 2), "%s: who comes then is refused, but where it only logs", actions[i]);
        CHECK(tube_saw(&t, "guess") == (i != 2), "%s: and nothing is said about who comes (%s)", actions[i], t.rules);
        t.now += 120 * S;
        CHECK(login(&t, 0) && !t.rules[0], "%s: until the window is over", actions[i]);
        tube_free(&t);
    }
}

/* A Unix socket has no address to ban: who guesses there is refused for as long as the window has it. */
static void no_address(void) {
    struct tube t;
    struct guard_peer peer = {.local_port = 1883};
    struct guard_out out;
    tube_make(&t, "limits: [{id: guess, per: address, what: refused_logins, max: 0, window: 60s, action: ban 10s}]\n");
    guard_end(t.g, &t.s, t.now);
    CHECK(guard_open(t.g, &t.s, &peer, t.now, &out), "the first may come");
    tube_hex(&t, C, "100d 0004 'MQTT' 04 02 003c 0001 'a'");
    tube_hex(&t, B, "2002 00 05");
    guard_end(t.g, &t.s, t.now);
    CHECK(!guard_open(t.g, &t.s, &peer, t.now, &out) && strstr(t.rules, "guess guess "), "the next not (%s)", t.rules);
    guard_end(t.g, &t.s, t.now);
    CHECK(guard_open(t.g, &t.s, &peer, t.now + 120 * S, &out), "later again");
    tube_free(&t);
}

/* What is counted where it happens: the ban begins it anew as well. */
static void other_counts(void) {
    struct tube t;
    tube_make(&t, "limits:\n"
                  "  - {id: often, per: address, what: connects, max: 4, window: 60s, action: ban 10s}\n"
                  "  - {id: wrong, per: address, what: refused, max: 2, window: 60s, action: ban 10s}\n"
                  "topics: {rules: [{id: secret, deny: publish, to: secret}]}\n");
    for (int i = 0; i < 3; i++) tube_again(&t);
    CHECK(!t.closed, "four connects are not too many");
    tube_again(&t);
    CHECK(t.closed && tube_saw(&t, "often"), "five are");
    t.now += 12 * S;
    tube_again(&t);
    CHECK(!t.closed, "after the ban it is the first one (%s)", t.rules);
    tube_up(&t, 4, "a");
    for (int round = 0; round < 2; round++, t.now += 12 * S) {
        for (int i = 0; i < 3; i++) {
            CHECK(!tube_saw(&t, "wrong"), "two refused packets are not too many in round %d (%s)", round, t.rules);
            tube_hex(&t, C, "3009 0006 'secret' 'x'");
        }
        CHECK(tube_saw(&t, "wrong"), "three are (%s)", t.rules);
        t.rules[0] = 0;
    }
    uint64_t stats[GUARD_STAT_COUNT];
    guard_stats_sum(t.g->shared, stats);
    CHECK(stats[GUARD_STAT_BANNED] == 3, "every ban is counted");
    tube_free(&t);
}

/* sends publishes n messages of QoS 0. */
static void sends(struct tube *t, int n) {
    while (n--) tube_hex(t, C, "3004 0001 'a' 'x'");
}

/* Limits that count the same thing in the same window have counters of their own: one message is one message. */
static void twins(void) {
    struct tube t;
    tube_make(&t, "limits:\n"
                  "  - {id: many, per: client, what: publishes, max: 2, window: 60s, action: log}\n"
                  "  - {id: all, per: client, what: publishes, max: 4, window: 60s, action: drop}\n");
    tube_up(&t, 4, "a");
    sends(&t, 2);
    CHECK(!tube_saw(&t, "!many"), "two are two (%s)", t.rules);
    sends(&t, 2);
    CHECK(tube_saw(&t, "!many") && !tube_saw(&t, "all"), "four are not too many (%s)", t.rules);
    sends(&t, 1);
    CHECK(tube_saw(&t, "all"), "five are (%s)", t.rules);
    tube_free(&t);
    tube_make(&t, "limits:\n"
                  "  - {id: those, per: all, what: publishes, max: 2, window: 60s, action: drop, clients: [b]}\n"
                  "  - {id: these, per: all, what: publishes, max: 2, window: 60s, action: drop, clients: [a]}\n");
    tube_up(&t, 4, "a");
    sends(&t, 2);
    tube_again(&t);
    tube_up(&t, 4, "b");
    sends(&t, 2);
    CHECK(!tube_saw(&t, "those") && !tube_saw(&t, "these"), "each counts its own clients (%s)", t.rules);
    tube_free(&t);
}

/* What a limit refuses the others count as well: who sends on behind one that drops comes to the one that bans. */
static void all_count(const char *second, int sent) {
    struct tube t;
    char yaml[400];
    snprintf(yaml, sizeof yaml,
             "limits:\n  - {id: slow, per: client, what: publishes, max: 2, window: 60s, action: drop}\n  - %s\n",
             second);
    tube_make(&t, yaml);
    tube_up(&t, 4, "a");
    sends(&t, sent - 1);
    CHECK(!t.closed && tube_saw(&t, "slow") && !tube_saw(&t, "flood"), "%s: not yet (%s)", second, t.rules);
    sends(&t, 1);
    CHECK(t.closed && tube_saw(&t, "flood"), "%s: the graver one has the word (%s)", second, t.rules);
    tube_again(&t);
    CHECK(t.closed && tube_saw(&t, "bans"), "%s: and bans (%s)", second, t.rules);
    tube_free(&t);
}

/* Of the limits on open connections, too, the gravest one says what happens. */
static void open_counts(void) {
    struct tube t;
    tube_make(&t, "limits:\n"
                  "  - {id: total, per: address, what: connections, max: 0, action: drop}\n"
                  "  - {id: flood, per: address, what: connections, max: 0, action: ban 600s}\n");
    CHECK(t.closed && tube_saw(&t, "flood"), "the one that bans stands behind the one that drops (%s)", t.rules);
    tube_free(&t);
}

/* A ban that ends later stands, whoever set it; once it is lifted the next one counts, however short it is. */
static void longer_ban(void) {
    void *memory = calloc(1, guard_shared_size(2));
    struct guard_shared *h = guard_shared_make(memory, 2);
    struct guard_prefix p;
    struct ban_slot found;
    CHECK(guard_prefix_read(SLICE("192.0.2.7"), &p), "an address");
    for (unsigned other = 0; other < 2; other++) {
        int64_t now = 1000 * S * (other + 1);
        ban_add(h, 0, GUARD_BAN_ADDRESS, &p, (struct slice){0}, SLICE("long"), now, now + 600 * S);
        ban_add(h, other, GUARD_BAN_ADDRESS, &p, (struct slice){0}, SLICE("short"), now + S, now + 10 * S);
        CHECK(ban_find_address(h, &p.address, now + 20 * S, &found) && found.until == now + 600 * S,
              "the long one stands");
        ban_add(h, other, GUARD_BAN_ADDRESS, &p, (struct slice){0}, SLICE("longer"), now + S, now + 700 * S);
        CHECK(ban_find_address(h, &p.address, now + 650 * S, &found), "a longer one goes on behind it");
        CHECK(!guard_ban_lift(h, 0, GUARD_BAN_ADDRESS, SLICE("192.0.2.7"), now + 2 * S), "it is lifted");
        CHECK(!ban_find_address(h, &p.address, now + 3 * S, &found), "and gone");
        ban_add(h, other, GUARD_BAN_ADDRESS, &p, (struct slice){0}, SLICE("again"), now + 4 * S, now + 10 * S);
        CHECK(ban_find_address(h, &p.address, now + 5 * S, &found) && found.until == now + 10 * S,
              "a short one counts again");
    }
    free(memory);
}

/* What one process begins anew, all do. */
static void processes(void) {
    void *memory = calloc(1, guard_shared_size(3));
    struct guard_shared *h = guard_shared_make(memory, 3);
    struct guard_limit l = {.window = 60 * S, .key = 77, .max = 4, .act = {.action = GUARD_BAN}};
    int64_t now = 5040 * S;
    for (int exact = 0; exact < 2; exact++, now += 600 * S) {
        for (int i = 0; i < 3; i++)
            for (unsigned w = 0; w < 3; w++) (void)limit_count(h, w, &l, 99, 1, exact, now);
        CHECK(limit_count(h, 1, &l, 99, 1, exact, now) == 10, "all of them are asked before a ban");
        limit_clear(h, 1, &l, 99);
        CHECK(limit_count(h, 0, &l, 99, 7, exact, now + 1) == 7, "another begins at nothing");
        CHECK(limit_count(h, 1, &l, 99, 1, true, now + 2) == 8, "what it counts since then is seen");
        CHECK(limit_count(h, 2, &l, 99, 0, true, now + 3) == 8, "by the third too");
        limit_clear(h, 2, &l, 99);
        CHECK(limit_count(h, 2, &l, 99, 1, true, now + 4) == 1 && limit_count(h, 0, &l, 99, 1, true, now + 5) == 2,
              "and again");
    }
    free(memory);
}

int main(void) {
    bans_end("limits: [{id: guess, per: address, what: refused_logins, max: 3, window: 60s, action: ban 10s}]\n");
    bans_end("ban_also: [user]\n"
             "limits: [{id: guess, per: user, what: refused_logins, max: 3, window: 60s, action: ban 10s}]\n");
    shared_counts("limits: [{id: guess, per: user, what: refused_logins, max: 3, window: 60s, action: ban 10s}]\n");
    shared_counts("limits: [{id: guess, per: all, what: refused_logins, max: 3, window: 60s, action: ban 10s}]\n");
    other_actions();
    no_address();
    other_counts();
    twins();
    all_count("{id: flood, per: client, what: publishes, max: 5, window: 600s, action: ban 10s}", 6);
    all_count("{id: flood, per: address, what: bytes, max: 35, window: 600s, action: ban 10s}", 6);
    all_count("{id: flood, per: address, what: packets, max: 5, window: 600s, action: ban 10s}", 6);
    open_counts();
    longer_ban();
    processes();
    return test_failures != 0;
}
