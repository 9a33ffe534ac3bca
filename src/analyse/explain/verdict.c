/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict of the whole capture, and how far each conversation got. */
#include "analyse/explain/judge.h"

enum stage_state conv_stage(const struct explain *e, const struct conv *c, enum stage s) {
    (void)e;
    if (c->failed & 1 << s) return STAGE_FAILED;
    switch (s) {
    case STAGE_DNS: return c->name ? STAGE_FINE : STAGE_ABSENT;
    case STAGE_TCP:
        if (!c->from_start) return STAGE_UNSEEN;
        return conv_handshaken(c) ? STAGE_FINE : STAGE_FAILED;
    case STAGE_TLS:
        if (!c->tls) return STAGE_ABSENT;
        return mark_set(&c->tls->client_hello) ? STAGE_FINE : STAGE_UNSEEN;
    case STAGE_WEB: return c->web ? STAGE_FINE : STAGE_ABSENT;
    case STAGE_MQTT:
        if (!c->mqtt) return STAGE_ABSENT;
        return mark_set(&c->mqtt->connect) ? STAGE_FINE : STAGE_UNSEEN;
    default: return STAGE_ABSENT;
    }
}

/* wanted_elsewhere tells whether a published topic is subscribed to at another address: of another broker, or of the
 * same one. */
static bool wanted_elsewhere(struct explain *e) {
    for (uint32_t t = 0; t < e->topics; t++)
        for (uint32_t i = 0; e->topic[t].published && i < e->filters && e->likened < LIKENED_MAX; i++, e->likened++)
            if (!endpoint_same(&e->filter[i].broker, &e->topic[t].broker) &&
                explain_topic_matches(e->filter[i].filter, e->topic[t].topic))
                return true;
    return false;
}

/* tally is what can be said of a capture in which nothing is wrong. */
struct tally {
    uint64_t published, topics, delivered; /* messages; topics with some, topics that arrived somewhere */
    uint64_t sessions, retained, encrypted;
    bool answered;                 /* a broker said something, or may have before the capture began */
    const struct topic_rec *first; /* the first that arrived */
};

static struct tally tally_make(const struct explain *e) {
    struct tally t = {0};
    for (uint32_t i = 0; i < e->topics; i++) {
        const struct topic_rec *topic = &e->topic[i];
        const struct conv *publisher = explain_conv(e, topic->stream);
        if (e->filtered && !(publisher && publisher->selected)) continue;
        t.published += topic->published;
        t.topics += topic->published > 0;
        t.delivered += topic->delivered > 0;
        if (topic->delivered && !t.first) t.first = topic;
    }
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = e->conv[i];
        if (c && !explain_chosen(e, c)) continue;
        const struct mqtt_rec *m = c ? c->mqtt : NULL;
        t.encrypted += c && !m && c->tls && mark_set(&c->tls->data[SERVER]);
        if (!m) continue;
        t.sessions++;
        t.retained += m->retained_count;
        t.answered |= mark_set(&m->last_server) || !c->from_start;
    }
    return t;
}

static void arrived_say(struct judge *j, struct finding *f, const struct tally *t) {
    f->text = t->delivered < t->topics ? N_("Messages arrived. Published: %1$s; of %5$s topics %2$s were seen reaching "
                                            "a subscriber; the first to `%3$s` took %4$s.")
                                       : N_("The messages arrived. Published: %1$s; topics on which they were seen "
                                            "reaching a subscriber: %2$s; the first to `%3$s` took %4$s.");
    say_number(j, f, t->published);
    say_number(j, f, t->delivered);
    say_text(j, f, t->first->topic);
    say_time(j, f, t->first->delay);
    say_number(j, f, t->topics);
    cite(f, &t->first->got_sent);
    cite(f, &t->first->got);
}

/* published_text: nobody was seen to receive what was published. */
static const char *published_text(struct explain *e, bool answered) {
    if (!answered)
        return N_("Messages published: %1$s; nothing the broker says is seen, neither that it took them nor that it "
                  "did not.");
    if (wanted_elsewhere(e))
        return N_("Messages published: %1$s; the broker took them. Whether they arrived cannot be told: who subscribes "
                  "to them is connected to another address.");
    return e->filters
               ? N_("Messages published: %1$s; the broker took them. No subscription seen in this capture is for them.")
               : N_("Messages published: %1$s; the broker took them. No subscriber is seen in this capture.");
}

/* all_well makes the sentence of a capture in which nothing is wrong. */
static void all_well(struct judge *j, struct finding *f) {
    const struct explain *e = j->e;
    struct tally t = tally_make(e);
    if (t.first) {
        arrived_say(j, f, &t);
    } else if (t.published) {
        f->text = published_text(j->e, t.answered);
        say_number(j, f, t.published);
    } else if (e->filtered && !e->chosen) {
        f->text = N_("The filter lets no TCP conversation of the capture through.");
    } else if (e->filtered) {
        f->text = N_("TCP conversations the filter lets through: %1$s; nothing wrong was found in them.");
        say_number(j, f, e->chosen);
    } else if (t.sessions && t.retained) {
        f->text = N_("MQTT connections: %1$s; nothing wrong was found. Nothing was published meanwhile: what arrived "
                     "(messages: %2$s) was retained, published before the capture began.");
        say_number(j, f, t.sessions);
        say_number(j, f, t.retained);
    } else if (t.sessions) {
        f->text = N_("MQTT connections: %1$s; nothing wrong was found, and no message was published.");
        say_number(j, f, t.sessions);
    } else if (e->convs) {
        f->text = t.encrypted ? N_("TCP conversations: %1$s, encrypted: %2$s; nothing wrong was found.")
                              : N_("TCP conversations: %1$s; nothing wrong was found.");
        say_number(j, f, e->convs);
        say_number(j, f, t.encrypted);
    } else {
        f->text = N_("Packets: %1$s, no TCP conversation among them; nothing wrong was found.");
        say_number(j, f, e->packets);
    }
}

const struct finding *explain_verdict(struct explain *e, bool *fine) {
    *fine = !e->findings || e->finding[0].level == LEVEL_NOTE;
    if (!*fine) return &e->finding[0];
    struct judge j = {.e = e, .final = true, .now = e->last.ts};
    e->all_well = (struct finding){.check = (uint16_t)explain_checks_count, .stream = -1, .next = ""};
    all_well(&j, &e->all_well);
    return &e->all_well;
}
