/* SPDX-License-Identifier: Apache-2.0 */
/* Phrases (pm, pmFromFile) and addresses (ipMatch).
 *
 * Phrases stand in an Aho-Corasick automaton without regard to case: one pass over the value, whatever their number.
 * Children of a node are a list, except the root's, where nearly every byte of ordinary text is looked up; no list is
 * longer than 256, so the work for a byte is bounded. */
#include "guard/rules/set.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct pm_node {
    uint32_t child, sibling, fail;
    uint32_t word; /* 1 + place of the phrase that ends here or in a suffix; 0: none */
    uint8_t c;
};

struct phrases {
    struct pm_node *node;
    uint32_t n;
    uint32_t root[256];
    const struct slice *words;
    size_t n_words;
};

static uint32_t pm_step(const struct phrases *p, uint32_t from, uint8_t c) {
    if (!from) return p->root[c];
    uint32_t i = p->node[from].child;
    while (i && p->node[i].c != c) i = p->node[i].sibling;
    return i;
}

static void pm_add(struct phrases *p, struct slice word, uint32_t number) {
    uint32_t at = 0;
    for (size_t i = 0; i < word.n; i++) {
        uint8_t c = ascii_lower(word.p[i]);
        uint32_t next = pm_step(p, at, c);
        if (!next) {
            next = p->n++;
            p->node[next] = (struct pm_node){.c = c};
            if (at) {
                p->node[next].sibling = p->node[at].child;
                p->node[at].child = next;
            } else {
                p->root[c] = next;
            }
        }
        at = next;
    }
    if (at && !p->node[at].word) p->node[at].word = number;
}

/* pm_link makes the failure links, nodes in the order of their depth. */
static void pm_link(struct phrases *p, uint32_t *queue) {
    uint32_t head = 0, tail = 0;
    for (unsigned c = 0; c < 256; c++)
        if (p->root[c]) queue[tail++] = p->root[c];
    while (head < tail) {
        uint32_t at = queue[head++];
        for (uint32_t k = p->node[at].child; k; k = p->node[k].sibling) {
            uint32_t f = p->node[at].fail, to;
            while (!(to = pm_step(p, f, p->node[k].c)) && f) f = p->node[f].fail;
            p->node[k].fail = to;
            if (!p->node[k].word) p->node[k].word = p->node[to].word;
            queue[tail++] = k;
        }
    }
}

struct phrases *pm_make(struct arena *arena, const struct slice *words, size_t n) {
    size_t room = 1;
    for (size_t i = 0; i < n; i++) room += words[i].n;
    struct phrases *p = arena_get(arena, sizeof *p);
    uint32_t *queue = malloc(room * sizeof *queue);
    if (p) {
        memset(p, 0, sizeof *p);
        p->node = arena_get(arena, room * sizeof *p->node);
    }
    if (!p || !p->node || !queue) return free(queue), NULL;
    p->n = 1;
    p->node[0] = (struct pm_node){0};
    p->words = words;
    p->n_words = n;
    for (size_t i = 0; i < n; i++) pm_add(p, words[i], (uint32_t)i + 1);
    pm_link(p, queue);
    free(queue);
    return p;
}

bool pm_find(const struct phrases *p, struct slice in, struct slice *word) {
    uint32_t at = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = ascii_lower(in.p[i]);
        uint32_t next;
        while (!(next = pm_step(p, at, c)) && at) at = p->node[at].fail;
        at = next;
        if (!p->node[at].word) continue;
        *word = p->words[p->node[at].word - 1];
        return true;
    }
    return false;
}

size_t pm_words(const struct phrases *p, const struct slice **words) {
    *words = p->words;
    return p->n_words;
}

/* ip_read reads dotted IPv4 or IPv6 text; false where it is neither. */
static bool ip_read(struct slice s, struct prefix *out) {
    char text[64];
    if (!s.n || s.n >= sizeof text || memchr(s.p, 0, s.n)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    out->v6 = strchr(text, ':') != NULL;
    return inet_pton(out->v6 ? AF_INET6 : AF_INET, text, out->bytes) == 1;
}

static bool prefix_read(struct slice s, struct prefix *out) {
    const uint8_t *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    struct slice host = slash ? slice_of(s.p, (size_t)(slash - s.p)) : s;
    if (!ip_read(host, out)) return false;
    out->bits = out->v6 ? 128 : 32;
    if (!slash) return true;
    struct slice bits = slice_tail(s, host.n + 1);
    int64_t n = s_number(bits);
    for (size_t i = 0; i < bits.n; i++)
        if (bits.p[i] < '0' || bits.p[i] > '9') return false;
    if (!bits.n || n < 0 || n > out->bits) return false;
    out->bits = (uint8_t)n;
    return true;
}

const struct prefix *ip_parse(struct arena *arena, struct slice list, struct slice *bad) {
    struct prefix *first = NULL;
    *bad = (struct slice){0};
    for (size_t i = 0; i < list.n;) {
        size_t n = 0;
        while (i + n < list.n && list.p[i + n] != ',' && list.p[i + n] != '\n') n++;
        struct slice one = s_trim(slice_of(list.p + i, n));
        const uint8_t *hash = one.n ? memchr(one.p, '#', one.n) : NULL;
        if (hash) one = s_trim(slice_of(one.p, (size_t)(hash - one.p)));
        i += n + 1;
        if (!one.n) continue;
        struct prefix *p = arena_get(arena, sizeof *p);
        if (!p) return *bad = one, NULL;
        memset(p, 0, sizeof *p);
        if (!prefix_read(one, p)) return *bad = one, NULL;
        p->next = first;
        first = p;
    }
    return first;
}

bool ip_match(const struct prefix *list, struct slice address) {
    struct prefix a = {0};
    if (!ip_read(s_trim(address), &a)) return false;
    for (; list; list = list->next) {
        unsigned whole = list->bits / 8, rest = list->bits % 8;
        if (list->v6 != a.v6 || memcmp(list->bytes, a.bytes, whole)) continue;
        if (!rest || !((list->bytes[whole] ^ a.bytes[whole]) >> (8 - rest))) return true;
    }
    return false;
}
