/* SPDX-License-Identifier: Apache-2.0 */
/* The language of an answer: lang=NAME of the query, else the likeliest of Accept-Language [RFC 9110 12.5.4] there is,
 * else that of the server. Requests have a thread each, and words are chosen for the thread. */
#include "serve/web/web_in.h"
#include <stdlib.h>
#include <strings.h>

enum { RANGES_MAX = 32 }; /* languages of a header looked at */

/* fits tells whether a language range (ja, zh-CN, zh-Hans-SG, zh) means the language `name`. Chinese is written in two
 * ways: what asks for the traditional one gets the next of its wishes. */
static bool fits(struct slice range, const char *name) {
    static const char *const traditional[] = {"hant", "tw", "hk", "mo"};
    size_t n = strcspn(name, "_");
    if (range.n < n || strncasecmp((const char *)range.p, name, n) ||
        (range.n > n && range.p[n] != '-' && range.p[n] != '_'))
        return false;
    if (strncmp(name, "zh", 2) != 0) return true;
    for (size_t at = n; at < range.n; at++)
        for (size_t i = 0; i < 4 && range.p[at] == '-'; i++) {
            size_t size = strlen(traditional[i]);
            if (range.n - at > size && !strncasecmp((const char *)range.p + at + 1, traditional[i], size)) return false;
        }
    return true;
}

/* choose makes a range's language that of the thread; false where there is no such. */
static bool choose(struct web_request *q, struct slice range) {
    static const struct words_catalogue english;
    if (fits(range, "en")) {
        words_use(&english);
        q->language = "en";
        return true;
    }
    for (size_t i = 0; i < q->web->plan->n_languages; i++) {
        const struct web_language *l = &q->web->plan->languages[i];
        if (!fits(range, l->name)) continue;
        words_use(&l->words);
        q->language = l->name;
        return true;
    }
    return false;
}

/* weight reads ";q=0.8" behind a range: thousandths. */
static int weight(const char *s, size_t n) {
    for (size_t i = 0; i + 2 < n; i++)
        if ((s[i] == 'q' || s[i] == 'Q') && s[i + 1] == '=') {
            double v = strtod(s + i + 2, NULL);
            return v >= 0 && v <= 1 ? (int)(v * 1000) : 0;
        }
    return 1000;
}

static bool by_header(struct web_request *q, const char *s) {
    struct {
        struct slice range;
        int weight;
    } wish[RANGES_MAX];
    size_t n = 0;
    while (*s && n < RANGES_MAX) {
        size_t all = strcspn(s, ","), lead = strspn(s, " \t"), name = strcspn(s + lead, " \t,;");
        if (lead < all) {
            wish[n].range = slice_of((const uint8_t *)s + lead, name);
            wish[n++].weight = weight(s, all);
        }
        s += all + (s[all] == ',');
    }
    for (size_t tries = 0; tries < n; tries++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (wish[i].weight > wish[best].weight) best = i;
        if (wish[best].weight <= 0) return false;
        if (choose(q, wish[best].range)) return true;
        wish[best].weight = 0;
    }
    return false;
}

void web_language_use(struct web_request *q) {
    const char *asked = web_query(q, "lang"),
               *header = mhd.lookup_connection_value(q->c, MHD_HEADER_KIND, "Accept-Language");
    words_use(NULL);
    q->language = "";
    if (asked && choose(q, slice_str(asked))) return;
    if (header) by_header(q, header);
}
