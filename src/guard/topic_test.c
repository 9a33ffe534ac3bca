/* SPDX-License-Identifier: Apache-2.0 */
/* Topics as sets, held against all topics there are of a few short levels; and counters of several processes. */
#include "guard/cells.h"
#include "guard/guard_test.h"

int test_failures;

enum { TOPICS = 4 + 16 + 64 + 256, FILTERS = 2000, TEXT = 32 };

static char topics[TOPICS][TEXT], filters[FILTERS][TEXT];
static size_t topic_count, filter_count;

/* deeper writes a name with one more level into `one`. */
static void deeper(char one[TEXT], const char *so_far, int depth, const char *level) {
    struct writer w = wr_fixed(one, TEXT - 1);
    wr_s(&w, so_far);
    if (depth) wr_c(&w, '/');
    wr_s(&w, level);
    *w.p = 0;
}

static void topics_make(const char *so_far, int depth) {
    static const char *const levels[] = {"a", "b", "", "$x"};
    for (size_t i = 0; i < 4; i++) {
        char one[TEXT] = {0};
        deeper(one, so_far, depth, levels[i]);
        if (one[0]) memcpy(topics[topic_count++], one, TEXT);
        if (depth < 3) topics_make(one, depth + 1);
    }
}

static void filters_make(const char *so_far, int depth) {
    static const char *const levels[] = {"a", "b", "", "$x", "+", "#"};
    for (size_t i = 0; i < 6; i++) {
        char one[TEXT] = {0};
        deeper(one, so_far, depth, levels[i]);
        if (one[0] && filter_count < FILTERS) memcpy(filters[filter_count++], one, TEXT);
        if (depth < 2 && i < 5) filters_make(one, depth + 1);
    }
}

/* meets holds meet and cover of two filters against all topics. */
static void meets(const char *a, const char *b) {
    static uint8_t buf[TOPIC_MAX];
    struct slice meet = {0}, fa = slice_str(a), fb = slice_str(b);
    bool some = topic_meet(fa, fb, buf, &meet), found = false, outside = false;
    for (size_t t = 0; t < topic_count; t++) {
        struct slice topic = slice_str(topics[t]);
        bool in_a = topic_matches(fa, topic), in_b = topic_matches(fb, topic);
        found |= in_a && in_b;
        outside |= in_b && !in_a;
        bool in_meet = some && topic_matches(meet, topic);
        CHECK(in_meet == (in_a && in_b), "the meet of %s and %s has %s as both have it", a, b, topics[t]);
    }
    CHECK(some || !found, "%s and %s meet", a, b);
    if (topic_covers(fa, fb)) CHECK(!outside, "%s covers %s", a, b);
    else CHECK(outside, "%s does not cover %s", a, b);
}

static void sets(void) {
    topics_make("", 0);
    filters_make("", 0);
    for (size_t i = 0; i < filter_count; i += 1 + i % 3)
        for (size_t k = 0; k < filter_count; k += 1 + k % 5) meets(filters[i], filters[k]);
}

static void hit(void *to, uint32_t number, bool loose) {
    (void)loose;
    ((uint8_t *)to)[number]++;
}

/* index: what it finds is what matches, each once. */
static void indexed(void) {
    struct arena arena = arena_make(1 << 24);
    struct topic_index *t = topic_index_make(&arena);
    struct topic_names names = {SLICE("a"), {0}};
    static uint8_t hits[FILTERS];
    for (size_t i = 0; i < filter_count; i++)
        CHECK(topic_index_add(t, slice_str(filters[i]), (uint32_t)i) == 0, "%s is added", filters[i]);
    for (size_t k = 0; k < topic_count; k++) {
        memset(hits, 0, sizeof hits);
        topic_index_match(t, slice_str(topics[k]), &names, hit, hits);
        for (size_t i = 0; i < filter_count; i++)
            CHECK(hits[i] == topic_matches(slice_str(filters[i]), slice_str(topics[k])), "%s finds %s: %u", topics[k],
                  filters[i], hits[i]);
    }
    arena_free(&arena);
}

static void placeholders(void) {
    struct arena arena = arena_make(1 << 20);
    struct topic_index *t = topic_index_make(&arena);
    uint8_t hits[2] = {0};
    static uint8_t buf[TOPIC_MAX];
    struct slice out;
    CHECK(topic_index_add(t, SLICE("dev-%c/+/%u"), 0) == 0 && topic_index_add(t, SLICE("%c"), 1) == 0,
          "placeholders are added");
    struct topic_names me = {SLICE("pump"), SLICE("bob")}, evil = {SLICE("a/b"), {0}};
    topic_index_match(t, SLICE("dev-pump/x/bob"), &me, hit, hits);
    topic_index_match(t, SLICE("dev-other/x/bob"), &me, hit, hits);
    CHECK(hits[0] == 1 && hits[1] == 0, "they stand for the names");
    CHECK(topic_expand(SLICE("dev-%c/%u/#"), &me, SLICE("+"), buf, &out) && slice_eq(out, SLICE("dev-pump/bob/#")),
          "they are filled in");
    CHECK(!topic_expand(SLICE("dev-%c/#"), &evil, (struct slice){0}, buf, &out),
          "a name with a separator opens nothing");
    CHECK(topic_expand(SLICE("x/dev-%c-y/z"), &evil, SLICE("+"), buf, &out) && slice_eq(out, SLICE("x/+/z")),
          "and is denied everything");
    CHECK(slice_eq(topic_subscription(SLICE("$share/g/a/b")), SLICE("a/b")) &&
              slice_eq(topic_subscription(SLICE("$queue/a")), SLICE("a")) &&
              slice_eq(topic_subscription(SLICE("$share/g")), SLICE("$share/g")),
          "shared subscriptions are seen through");
    CHECK(!topic_filter_ok(SLICE("a/#/b")) && !topic_filter_ok(SLICE("a+/b")) && !topic_filter_ok(SLICE("")) &&
              topic_filter_ok(SLICE("+/#")),
          "wildcards stand where they may");
    arena_free(&arena);
}

/* Three processes count together, and one that dies takes what it had open along. */
static void processes(void) {
    void *memory = calloc(1, guard_shared_size(3));
    struct guard_shared *h = guard_shared_make(memory, 3);
    struct guard_limit l = {.window = 1000000000, .key = 77};
    int64_t now = 5000000000000;
    for (unsigned w = 0; w < 3; w++)
        for (int i = 0; i < 4; i++) (void)limit_count(h, w, &l, 99, 1, false, now);
    CHECK(limit_count(h, 0, &l, 99, 0, true, now) == 12, "windows add up");
    CHECK(limit_count(h, 0, &l, 98, 0, true, now) == 0, "another subject has its own");
    CHECK(limit_count(h, 0, &l, 99, 0, true, now + 500000000) == 12, "half a window later in the same one");
    CHECK(limit_count(h, 0, &l, 99, 0, true, now + 1500000000) == 6, "half of it has slid out of the next");
    CHECK(limit_count(h, 0, &l, 99, 0, true, now + 3000000000) == 0, "then it is forgotten");
    CHECK(open_count(h, 0, 5, 1, now) == 1 && open_count(h, 1, 5, 1, now) == 2 && open_count(h, 1, 5, 1, now) == 3,
          "what is open adds up");
    (void)open_count(h, 0, 5, -1, now);
    CHECK(open_count(h, 2, 5, 0, now) == 2, "what closes is taken off");
    guard_shared_forget(h, 1);
    CHECK(open_count(h, 2, 5, 0, now) == 0, "what a dead process had open is not");
    for (unsigned i = 0; i < 200000; i++) (void)open_count(h, 0, hash_mix(i + 1, 0x9e3779b97f4a7c15) | 1, 1, now);
    uint64_t stats[GUARD_STAT_COUNT];
    guard_stats_sum(h, stats);
    CHECK(stats[GUARD_STAT_UNTRACKED] > 0, "a full table says so");
    free(memory);
}

/* A process that dies while it writes a ban spoils that ban, not the place. */
static void a_ban_begun(void) {
    void *memory = calloc(1, guard_shared_size(2));
    struct guard_shared *h = guard_shared_make(memory, 2);
    struct ban_slot found;
    for (int i = 0; i < 3; i++) {
        CHECK(!guard_ban_set(h, 0, GUARD_BAN_USER, SLICE("eve"), SLICE("why"), 1000, INT64_MAX), "a ban is set");
        CHECK(ban_find_name(h, GUARD_BAN_USER, SLICE("eve"), 2000, &found), "and found");
        for (size_t k = 0; k < BAN_SLOTS; k++)
            if (h->region[0].bans[k].hash) h->region[0].bans[k].seq++; /* as it is in the middle of writing */
        CHECK(!ban_find_name(h, GUARD_BAN_USER, SLICE("eve"), 2000, &found), "what is half written is not believed");
    }
    free(memory);
}

/* Very many come and go, a hundred in each window; what is counted and what is open stays, and the table small. */
static void many_come_and_go(void) {
    void *memory = calloc(1, guard_shared_size(2));
    struct guard_shared *h = guard_shared_make(memory, 2);
    struct guard_limit l = {.window = 1000000000, .key = 77};
    int64_t now = 5000000000000;
    (void)open_count(h, 0, 12345, 1, now);
    for (uint64_t i = 0; i < 300000; i++, now += 10000000) {
        (void)limit_count(h, 0, &l, hash_mix(i + 1000, 1), 1, true, now);
        uint64_t kept = limit_count(h, 0, &l, 99, 1, true, now);
        CHECK(i < 100 || (kept >= 99 && kept <= 101), "who stays is counted on");
        (void)open_count(h, 0, hash_mix(i, 3), 1, now);
        (void)open_count(h, 0, hash_mix(i, 3), -1, now);
    }
    CHECK(open_count(h, 1, 12345, 0, now) == 1, "what is open is not forgotten");
    CHECK(h->region[0].used < 1000, "cells in use are in proportion to what is counted now");
    uint64_t stats[GUARD_STAT_COUNT];
    guard_stats_sum(h, stats);
    CHECK(stats[GUARD_STAT_UNTRACKED] == 0, "none was turned away");
    free(memory);
}

int main(void) {
    a_ban_begun();
    many_come_and_go();
    sets();
    indexed();
    placeholders();
    processes();
    return test_failures != 0;
}
