/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a message's way from publisher through broker to subscriber: topic against filters, and what arrived. */
#include "analyse/explain/gather.h"
#include "analyse/explain/judge.h"
#include "base/eight.h"
#include "proto/mqtt/mqtt.h"

#include <ctype.h>

enum {
    EDITS_MAX = 2,
    LEVEL_OFF = 10,
    PLUS_OFF = 15,
    LEVELS_TRIED = 16,
    WEAK = 20,
    SLOW_LEG_MS = 1000,
    LEG_WAIT_S = 1,
    FAR = 999
};

static bool ended_before(const struct conv *c, int64_t ts) {
    for (int side = 0; side < 2; side++)
        if ((mark_set(&c->half[side].fin) && c->half[side].fin.ts < ts) ||
            (mark_set(&c->half[side].rst) && c->half[side].rst.ts < ts))
            return true;
    return false;
}

/* alive tells whether a subscription was in force at a time. */
static bool alive(const struct explain *e, const struct filter_rec *f, int64_t ts) {
    const struct conv *c = explain_conv(e, f->stream);
    if (f->at.ts > ts || (mark_set(&f->ended) && f->ended.ts < ts) || (f->answered && f->code >= 0x80)) return false;
    if (!c) return true;
    return !ended_before(c, ts);
}

/* may_match is false for most filters that do not match a topic. */
static bool may_match(const struct filter_rec *f, struct slice topic) {
    return !f->probe_end ||
           (topic.n >= f->probe_end && eight_load(topic.p + f->probe_end - sizeof f->probe) == f->probe);
}

static size_t topic_filters(const struct explain *e, const struct topic_rec *t, uint16_t *out, size_t max) {
    size_t n = 0;
    for (uint32_t at = broker_filter(e, &t->broker); at && n < max; at = e->filter[at - 1].next) {
        const struct filter_rec *f = &e->filter[at - 1];
        if (may_match(f, t->topic) && explain_topic_matches(f->filter, t->topic)) out[n++] = (uint16_t)(at - 1);
    }
    return n;
}

/* distance counts the edits between two texts, case aside, up to `most`; FAR: more. What both begin with needs none;
 * then one of three edits must come next, so there are at most 3^EDITS_MAX ways, and nearly all of them end at once. */
static unsigned distance(struct slice a, struct slice b, unsigned most) {
    while (a.n && b.n && tolower(a.p[0]) == tolower(b.p[0])) a = slice_tail(a, 1), b = slice_tail(b, 1);
    size_t differ = a.n > b.n ? a.n - b.n : b.n - a.n;
    if (!a.n || !b.n) return differ <= most ? (unsigned)differ : FAR;
    if (!most || differ > most) return FAR;
    unsigned best = distance(slice_tail(a, 1), slice_tail(b, 1), most - 1);
    unsigned without_a = distance(slice_tail(a, 1), b, most - 1), without_b = distance(a, slice_tail(b, 1), most - 1);
    if (without_a < best) best = without_a;
    if (without_b < best) best = without_b;
    return best == FAR ? FAR : best + 1;
}

static struct slice trimmed(struct slice s) {
    while (s.n && isspace(s.p[0])) s = slice_tail(s, 1);
    while (s.n && isspace(s.p[s.n - 1])) s.n--;
    return s;
}

static unsigned levels(struct slice s) {
    unsigned n = 1;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '/';
    return n;
}

/* same_levels counts the levels at the beginning that filter and topic have in common. */
static unsigned same_levels(struct slice filter, struct slice topic) {
    unsigned level = 0;
    for (size_t i = 0; i < filter.n && i < topic.n && filter.p[i] == topic.p[i]; i++) level += filter.p[i] == '/';
    return level;
}

/* without_level leaves one level out of a text with more levels than that. */
static struct slice without_level(struct slice s, unsigned level, char buf[KEPT_TEXT]) {
    size_t at = 0, n = 0;
    for (; level; level--) at = (size_t)((const uint8_t *)memchr(s.p + at, '/', s.n - at) - s.p) + 1;
    const uint8_t *end = memchr(s.p + at, '/', s.n - at);
    struct slice rest = end ? slice_tail(s, (size_t)(end - s.p) + 1) : (struct slice){0};
    memcpy(buf, s.p, n = at);
    memcpy(buf + n, rest.p, rest.n);
    return slice_of(buf, n + rest.n);
}

/* level_off tells whether filter and topic, which begin and end alike, match but for one level that only one has. f and
 * t are their levels. */
static bool level_off(struct slice filter, unsigned f, struct slice topic, unsigned t) {
    char buf[KEPT_TEXT];
    unsigned most = f > t ? f : t;
    bool ends = filter.p[0] != '+' && filter.p[filter.n - 1] != '+' && filter.p[filter.n - 1] != '#';
    if (!ends || (f != t + 1 && t != f + 1) || most > LEVELS_TRIED || filter.n > sizeof buf || topic.n > sizeof buf)
        return false;
    for (unsigned i = 1; i + 1 < most; i++)
        if (f > t ? explain_topic_matches(without_level(filter, i, buf), topic)
                  : explain_topic_matches(filter, without_level(topic, i, buf)))
            return true;
    return false;
}

/* head_levels returns the first n levels of a text that has as many. */
static struct slice head_levels(struct slice s, unsigned n) {
    size_t at = 0;
    while (at < s.n && (s.p[at] != '/' || --n)) at++;
    return slice_head(s, at);
}

/* plus_off tells whether a filter that ends with `+` matches but for levels at the end that only the topic has, or that
 * only the filter has and leaves open. */
static bool plus_off(struct slice filter, unsigned f, struct slice topic, unsigned t) {
    bool plus = filter.p[filter.n - 1] == '+' && (filter.n == 1 || filter.p[filter.n - 2] == '/');
    if (!plus || f == t) return false;
    if (f < t) return explain_topic_matches(filter, head_levels(topic, f));
    struct slice head = head_levels(filter, t);
    for (size_t i = head.n; i < filter.n; i++)
        if (filter.p[i] != '/' && filter.p[i] != '+') return false;
    return explain_topic_matches(head, topic);
}

/* count_differs says of a filter with wildcards that only the number of levels keeps it from a topic. */
static const char *count_differs(struct slice filter, unsigned f, struct slice topic, unsigned t, unsigned *far) {
    bool plus = plus_off(filter, f, topic, t);
    *far = plus ? PLUS_OFF + !same_levels(filter, topic) : LEVEL_OFF;
    return plus || level_off(filter, f, topic, t) ? N_("the number of levels differs") : NULL;
}

/* near_words says in which way a filter just misses a topic; NULL: it is another matter. `far` orders the ways. */
static const char *near_words(struct slice filter, struct slice topic, unsigned *far) {
    struct slice f = filter_unshared(filter), t = topic;
    *far = FAR;
    if (!f.n || !t.n) return NULL;
    *far = 0;
    if (explain_topic_matches_folded(f, t)) return N_("the case differs");
    *far = 1;
    struct slice bare_f = trimmed(f), bare_t = trimmed(t);
    if ((bare_f.n < f.n || bare_t.n < t.n) && explain_topic_matches(bare_f, bare_t))
        return N_("a space at the end or the beginning differs");
    *far = 2;
    if ((f.n && f.p[0] == '/' && explain_topic_matches(slice_tail(f, 1), t)) ||
        (t.n && t.p[0] == '/' && explain_topic_matches(f, slice_tail(t, 1))))
        return N_("a slash at the beginning differs");
    if ((f.n > 1 && f.p[f.n - 1] == '/' && explain_topic_matches(slice_head(f, f.n - 1), t)) ||
        (t.n > 1 && t.p[t.n - 1] == '/' && explain_topic_matches(f, slice_head(t, t.n - 1))))
        return N_("a slash at the end differs");
    bool wild = memchr(f.p, '+', f.n) || memchr(f.p, '#', f.n);
    unsigned in_f = levels(f), in_t = levels(t);
    /* A wildcard is no letter that could be misspelt. */
    const char *count = wild ? count_differs(f, in_f, t, in_t, far) : NULL;
    if (count) return count;
    unsigned edits = distance(f, t, EDITS_MAX);
    *far = 3 + edits;
    if (edits != FAR && edits * 4 <= t.n + 3) return N_("the spelling differs");
    *far = LEVEL_OFF;
    if (!wild && level_off(f, in_f, t, in_t)) return N_("the number of levels differs");
    unsigned same = same_levels(f, t);
    *far = WEAK + KEPT_TEXT - same;
    if (!same) return NULL;
    return in_f != in_t && wild ? N_("the number of levels differs") : N_("a level differs");
}

/* nearest finds the filter at the topic's broker that misses it least. */
static const struct filter_rec *nearest(struct explain *e, const struct topic_rec *t, const char **words,
                                        unsigned *how_far) {
    const struct filter_rec *best = NULL;
    unsigned least = FAR;
    for (uint32_t at = broker_filter(e, &t->broker); at && e->likened < LIKENED_MAX; at = e->filter[at - 1].next) {
        const struct filter_rec *f = &e->filter[at - 1];
        unsigned far;
        e->likened++;
        const char *w = near_words(f->filter, t->topic, &far);
        if (!w || far >= least) continue;
        *how_far = least = far;
        best = f;
        *words = w;
    }
    return best;
}

/* match_topic finds what the checks of the present topic share. */
static void match_topic(struct judge *j) {
    if (j->matched == j->t) return;
    j->matched = j->t;
    j->near = NULL;
    j->matches = topic_filters(j->e, j->t, j->match, LEG_FILTERS);
    if (!j->matches && j->t->published && !j->t->delivered) j->near = nearest(j->e, j->t, &j->near_words, &j->near_far);
}

static void say_client(struct judge *j, struct finding *f, uint32_t stream) {
    char text[512];
    struct writer w = wr_fixed(text, sizeof text);
    const struct conv *c = explain_conv(j->e, stream);
    if (c) conv_label(&w, c, CLIENT);
    say_text(j, f, wr_done(&w));
}

/* Arguments of all sentences about a topic: publisher, broker, topic. */
static struct finding *topic_found(struct judge *j) {
    struct finding *f = found(j);
    say_client(j, f, j->t->stream);
    say_endpoint(j, f, &j->t->broker);
    say_text(j, f, j->t->topic);
    f->stream = j->t->stream;
    return f;
}

static bool reserved_topic(const struct topic_rec *t) { return t->topic.n && t->topic.p[0] == '$'; }

void check_unmatched(struct judge *j) {
    const struct topic_rec *t = j->t;
    match_topic(j);
    const struct filter_rec *near = j->near;
    if (!near || reserved_topic(t)) return;
    struct finding *f = topic_found(j);
    f->confidence = LIKELY;
    /* "a level differs" is a weak likeness: often just another topic. So is a filter that has messages of its own, or
     * is that of the publisher, which means other messages. */
    bool others = near->deliveries || near->stream == t->stream;
    bool plus = j->near_far >= PLUS_OFF && j->near_far < WEAK;
    if (j->near_far >= WEAK || (plus && others)) f->level = LEVEL_NOTE;
    else if (near->deliveries || j->near_far >= LEVEL_OFF)
        f->level = LEVEL_WARNING; /* that filter has its own messages, or may be meant for others */
    if (plus)
        f->next =
            N_("`+` stands for exactly one level: subscribe with one `+` for each level, or with `#` at the end for "
               "all that follow.");
    say_text(j, f, near->filter);
    say_words(f, j->near_words);
    say_clock(j, f, t->first.ts);
    say_number(j, f, t->first.frame);
    cite(f, &t->first);
    if (mark_set(&t->first_ack)) {
        f->text = N_("The message to `%3$s` left %1$s at %6$s (frame %7$s) and the broker %2$s took it (acknowledged "
                     "in frame %8$s), but no subscriber got it: the nearest filter seen is `%4$s` (%5$s).");
        say_number(j, f, t->first_ack.frame);
        cite(f, &t->first_ack);
    }
    cite(f, &near->at);
}

/* got_it tells whether a message was delivered to a conversation, as far as receivers are remembered. */
static bool got_it(const struct message *m, uint32_t stream) {
    for (unsigned i = 0; i < MESSAGE_TO && i < m->deliveries; i++)
        if (m->to[i] == stream + 1) return true;
    return m->deliveries > MESSAGE_TO;
}

/* missed looks for a message of the topic that a live subscription did not get. */
static const struct message *missed(const struct judge *j, const uint16_t *filters, size_t n,
                                    const struct filter_rec **who) {
    const struct explain *e = j->e;
    uint64_t first = e->messages > MESSAGES_MAX - 1 ? e->messages - (MESSAGES_MAX - 1) : 1;
    for (uint64_t s = first; s <= e->messages && n; s++) {
        const struct message *m = &e->message[s % MESSAGES_MAX];
        if (&e->topic[m->topic] != j->t || j->now - m->sent.ts < LEG_WAIT_S * SECOND) continue;
        for (size_t i = 0; i < n; i++) {
            const struct filter_rec *f = &e->filter[filters[i]];
            const struct conv *c = explain_conv(e, f->stream);
            if (!c || c->lost || !f->answered || filter_shared(f->filter) || !alive(e, f, m->sent.ts) ||
                !alive(e, f, m->sent.ts + LEG_WAIT_S * SECOND))
                continue;
            if (f->at.ts + 50 * MILLI > m->sent.ts || f->stream == m->stream || got_it(m, f->stream)) continue;
            *who = f;
            return m;
        }
    }
    return NULL;
}

/* returned finds the connection with which a subscriber that keeps its session came back after a time, early enough to
 * have got what waited for it; NULL: it did not. */
static const struct conv *returned(const struct judge *j, const struct filter_rec *f, int64_t since) {
    const struct conv *c = explain_conv(j->e, f->stream);
    if (!c || !c->mqtt || c->mqtt->clean || !f->answered || f->code >= 0x80 || !f->qos || f->at.ts > since ||
        (mark_set(&f->ended) && f->ended.ts < since) || !ended_before(c, since))
        return NULL;
    const struct client_rec *k = client_of(j->e, c);
    const struct conv *back = k ? explain_conv(j->e, k->stream) : NULL;
    if (!back || !back->mqtt || back->mqtt->clean || back->lost || !mark_set(&back->mqtt->connack)) return NULL;
    const struct mark *up = &back->mqtt->connack;
    bool waited = j->now - up->ts >= LEG_WAIT_S * SECOND && !ended_before(back, up->ts + LEG_WAIT_S * SECOND);
    return up->ts > since && waited && !back->mqtt->connack_code ? back : NULL;
}

/* kept_lost looks for a message that a session was to keep for its subscriber and that nobody got. */
static const struct message *kept_lost(const struct judge *j, const struct filter_rec **who, const struct conv **back) {
    const struct explain *e = j->e;
    uint64_t first = e->messages > MESSAGES_MAX - 1 ? e->messages - (MESSAGES_MAX - 1) : 1;
    for (uint64_t s = first; s <= e->messages && j->matches; s++) {
        const struct message *m = &e->message[s % MESSAGES_MAX];
        if (&e->topic[m->topic] != j->t || m->deliveries || !m->qos) continue;
        for (size_t i = 0; i < j->matches; i++) {
            *who = &e->filter[j->match[i]];
            if (!filter_shared((*who)->filter) && (*back = returned(j, *who, m->sent.ts))) return m;
        }
    }
    return NULL;
}

enum { LEG_TOPICS = 256 };

/* kept_lost_found says what became of a message that was to wait. */
static void kept_lost_found(struct judge *j) {
    const struct filter_rec *who;
    const struct conv *back;
    const struct message *m = kept_lost(j, &who, &back);
    if (!m) return;
    struct finding *f = topic_found(j);
    say_client(j, f, back->stream);
    say_text(j, f, who->filter);
    if (back->mqtt->session) {
        f->text = N_("%4$s, which subscribes to `%5$s`, was away when the message to `%3$s` was published; it came "
                     "back to its session and did not get the message.");
        f->next = N_("Look at the broker's limits for messages that wait (mosquitto: `max_queued_messages`, "
                     "`message_size_limit`) and its log: what is beyond them is dropped.");
    } else {
        f->text = N_("%4$s, which subscribes to `%5$s`, was away when the message to `%3$s` was published; when it "
                     "came back the broker had no session for it any more, and the message was lost.");
        f->next = N_("The broker forgot the session: it was restarted without keeping sessions on disk (mosquitto: "
                     "`persistence`), or the session expired.");
    }
    cite(f, &who->at);
    cite(f, &m->sent);
    cite(f, &back->mqtt->connack);
}

void check_undelivered(struct judge *j) {
    const struct filter_rec *who = NULL;
    if (j->t - j->e->topic >= LEG_TOPICS) return; /* the search goes over all messages for each topic */
    match_topic(j);
    const struct message *m = j->matches ? missed(j, j->match, j->matches, &who) : NULL;
    if (!m) return kept_lost_found(j);
    struct finding *f = topic_found(j);
    say_client(j, f, who->stream);
    say_text(j, f, who->filter);
    if (!m->qos || !who->qos) f->level = LEVEL_WARNING; /* QoS 0 may be dropped */
    cite(f, &who->at);
    cite(f, &m->sent);
}

/* away finds a subscriber whose filter matches a topic that reached nobody, and who was not there when it was
 * published: gone, or not come yet. */
static const struct filter_rec *away(const struct judge *j) {
    const struct topic_rec *t = j->t;
    if (!t->published || t->delivered) return NULL;
    const struct filter_rec *found = NULL;
    for (size_t i = 0; i < j->matches; i++) {
        const struct filter_rec *f = &j->e->filter[j->match[i]];
        const struct conv *c = explain_conv(j->e, f->stream);
        bool keeps =
            c && c->mqtt &&
            ((!c->mqtt->clean && t->qos && f->qos) || mark_set(&c->mqtt->retained)); /* it may get it later, or did */
        if (keeps || alive(j->e, f, t->first.ts) || alive(j->e, f, t->last.ts) || f->stream == t->stream ||
            filter_shared(f->filter))
            return NULL;
        if (!f->answered || f->code < 0x80) found = f;
    }
    return found;
}

void check_away(struct judge *j) {
    match_topic(j);
    const struct filter_rec *who = away(j);
    if (!who || reserved_topic(j->t)) return;
    struct finding *f = topic_found(j);
    say_client(j, f, who->stream);
    say_text(j, f, who->filter);
    const struct conv *c = explain_conv(j->e, who->stream);
    if (c && c->mqtt && !c->mqtt->clean && (!j->t->qos || !who->qos)) {
        f->text = j->t->qos
                      ? N_("When the message to `%3$s` was published, %4$s was not connected, and its subscription to "
                           "`%5$s` is of QoS 0: for it the broker keeps nothing.")
                      : N_("When the message to `%3$s` was published, with QoS 0, %4$s, which subscribes to `%5$s`, "
                           "was not connected: brokers keep messages of QoS 1 and 2 only for a session that waits.");
        f->next = N_("Publish and subscribe with QoS 1, so that the broker keeps messages while the subscriber is "
                     "away; or publish with retain.");
    }
    cite(f, &who->at);
    cite(f, &j->t->first);
}

void check_leg_slow(struct judge *j) {
    const struct topic_rec *t = j->t;
    if (t->slowest < SLOW_LEG_MS * MILLI) return;
    struct finding *f = topic_found(j);
    say_time(j, f, t->slowest);
    say_client(j, f, t->slow_stream);
    cite(f, &t->slow_sent);
    cite(f, &t->slow_got);
}

void check_leg_unacked(struct judge *j) {
    const struct topic_rec *t = j->t;
    if (t - j->e->topic >= LEG_TOPICS) return;
    for (size_t i = 0; t->delivered && i < CONVS_MAX; i++) {
        const struct conv *c = j->e->conv[i];
        if (!c || !c->mqtt || c->lost) continue;
        for (int k = 0; k < c->mqtt->flights[SERVER]; k++) {
            const struct flight *fl = &c->mqtt->flight[SERVER][k];
            if (!fl->state || fl->topic != (t - j->e->topic) + 1 || j->now - fl->at.ts < 5 * SECOND) continue;
            struct finding *f = topic_found(j);
            say_client(j, f, c->stream);
            cite(f, &fl->at);
            return;
        }
    }
}

/* elsewhere finds who subscribes to the topic at another broker, where nobody published it either: NULL where the
 * message was seen at another broker too, which is what a proxy or a bridge in between looks like. */
static const struct filter_rec *elsewhere(const struct judge *j) {
    struct explain *e = j->e;
    if (j->t->namesake) return NULL;
    for (uint32_t i = 0; i < e->filters && e->likened < LIKENED_MAX; i++) {
        const struct filter_rec *f = &e->filter[i];
        e->likened++;
        /* Who gets messages has a broker that is in order, perhaps the same one under another address (`any`). */
        if (endpoint_same(&f->broker, &j->t->broker) || f->deliveries || (f->answered && f->code >= 0x80)) continue;
        if (may_match(f, j->t->topic) && alive(e, f, j->t->first.ts) && explain_topic_matches(f->filter, j->t->topic))
            return f;
    }
    return NULL;
}

static bool wanted(const struct judge *j) {
    return j->t->published && !j->t->delivered && !reserved_topic(j->t) && !j->matches;
}

void check_other_broker(struct judge *j) {
    match_topic(j);
    const struct filter_rec *who = wanted(j) ? elsewhere(j) : NULL;
    if (!who) return;
    struct finding *f = topic_found(j);
    say_client(j, f, who->stream);
    say_text(j, f, who->filter);
    say_endpoint(j, f, &who->broker);
    f->confidence = LIKELY;
    cite(f, &j->t->first);
    cite(f, &who->at);
}

void check_nobody(struct judge *j) {
    match_topic(j);
    if (!j->t->published || j->t->delivered || reserved_topic(j->t) || j->matches || j->near) return;
    struct finding *f = topic_found(j);
    cite(f, &j->t->first);
}

void check_leg_fine(struct judge *j) {
    const struct topic_rec *t = j->t;
    if (!t->delivered) return;
    struct finding *f = topic_found(j);
    say_number(j, f, t->delivered < t->published ? t->delivered : t->published);
    say_number(j, f, t->published);
    say_time(j, f, t->delay);
    cite(f, &t->got_sent);
    cite(f, &t->got);
}
