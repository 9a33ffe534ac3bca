/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of MQTT's texts: UTF-8 (1.5.4), topic names and topic filters (4.7), shared subscriptions (4.8.2). */
#include "base/eight.h"
#include "base/utf8.h"
#include "proto/mqtt/mqtt.h"

/* control_code tells whether a character should not stand in a text, MQTT 1.5.4. */
static bool control_code(uint32_t code) {
    return (code >= 1 && code < 0x20) || (code >= 0x7f && code < 0xa0) || (code >= 0xfdd0 && code < 0xfdf0) ||
           (code & 0xfffe) == 0xfffe;
}

/* plain tells whether all bytes are printable ASCII and no wildcards, of which nothing is to be said: the common case.
 * It looks at eight bytes at a time, at some of the last ones twice. */
static bool plain(struct slice s) {
    enum { EIGHT = 8 };
    uint64_t other = 0;
    if (s.n < EIGHT) {
        uint8_t padded[EIGHT] = "        ";
        for (size_t i = 0; i < s.n; i++) padded[i] = s.p[i];
        return plain(slice_of(padded, sizeof padded));
    }
    for (size_t at = 0; at < s.n; at += EIGHT) {
        uint64_t v = eight_load(&s.p[at + EIGHT <= s.n ? at : s.n - EIGHT]);
        other |= eight_strange(v) | eight_equal(v | EIGHT_ONES * ('#' ^ '+'), '#' | '+'); /* they differ in one bit */
    }
    return !other;
}

static void utf8_check(struct mqtt_message *m, struct slice s, uint32_t off) {
    bool nul = false, control = false;
    uint32_t len = (uint32_t)s.n;
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) {
            d_anomaly(m->d, FID_MQTT_A_UTF8, off, len);
            return;
        }
        nul |= code == 0;
        control |= control_code(code);
        s = slice_tail(s, n);
    }
    if (nul) d_anomaly(m->d, FID_MQTT_A_NUL, off, len);
    if (control) d_anomaly(m->d, FID_MQTT_A_CONTROL, off, len);
}

static size_t find_slash(struct slice s) {
    const uint8_t *at = s.n ? memchr(s.p, '/', s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

bool mqtt_filter_shared(struct slice filter) { return slice_starts(filter, SLICE("$share/")); }

/* shared_wrong tells whether `$share/name/filter` lacks a part or has a wildcard in its name, [MQTT-4.8.2-1]. */
static bool shared_wrong(struct slice filter) {
    struct slice rest = slice_tail(filter, sizeof "$share/" - 1);
    size_t n = find_slash(rest);
    struct slice name = slice_head(rest, n);
    return !n || n + 1 >= rest.n || memchr(name.p, '+', n) || memchr(name.p, '#', n);
}

static void filter_check(struct mqtt_message *m, struct slice filter, uint32_t off) {
    uint32_t len = (uint32_t)filter.n;
    bool hash = false, plus = false;
    if (m->version == MQTT_5 && mqtt_filter_shared(filter) && shared_wrong(filter))
        d_anomaly(m->d, FID_MQTT_A_SHARE, off, len);
    while (filter.n) {
        size_t n = find_slash(filter);
        struct slice level = slice_head(filter, n);
        if (n && memchr(level.p, '#', n) && (n > 1 || filter.n > 1)) hash = true;
        if (n > 1 && memchr(level.p, '+', n)) plus = true;
        filter = slice_tail(filter, n + 1);
    }
    if (hash) d_anomaly(m->d, FID_MQTT_A_FILTER_HASH, off, len);
    if (plus) d_anomaly(m->d, FID_MQTT_A_FILTER_PLUS, off, len);
}

void mqtt_text_check(struct mqtt_message *m, enum mqtt_text kind, struct slice s, uint32_t off) {
    if (!s.n || (kind != MQTT_FILTER && plain(s))) return;
    if (d_wants(m->d, FID_MQTT_A_UTF8)) utf8_check(m, s, off);
    if (kind == MQTT_TOPIC && (memchr(s.p, '#', s.n) || memchr(s.p, '+', s.n)))
        d_anomaly(m->d, FID_MQTT_A_TOPIC_WILDCARD, off, (uint32_t)s.n);
    if (kind == MQTT_FILTER && d_wants(m->d, FID_MQTT_A_FILTER_HASH)) filter_check(m, s, off);
}
