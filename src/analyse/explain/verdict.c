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

/* all_well makes the sentence of a capture in which nothing is wrong, with what can be said for it. */
static void all_well(struct judge *j, struct finding *f) {
    struct explain *e = j->e;
    uint64_t published = 0, topics = 0, delivered = 0, brokers = 0, encrypted = 0, retained = 0;
    bool answered = false;
    const struct topic_rec *first = NULL;
    for (uint32_t i = 0; i < e->topics; i++) {
        published += e->topic[i].published;
        topics += e->topic[i].published > 0;
        delivered += e->topic[i].delivered > 0;
        if (e->topic[i].delivered && !first) first = &e->topic[i];
    }
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = e->conv[i];
        const struct mqtt_rec *m = c ? c->mqtt : NULL;
        encrypted += c && !m && c->tls && mark_set(&c->tls->data[SERVER]);
        if (!m) continue;
        brokers++;
        retained += m->retained_count;
        answered |= mark_set(&m->last_server) || !c->from_start;
    }
    if (first) {
        f->text = delivered < topics ? N_("Messages arrived. Published: %1$s; of %5$s topics %2$s were seen reaching a "
                                          "subscriber; the first to "
                                          "`%3$s` took %4$s.")
                                     : N_("The messages arrived. Published: %1$s; topics on which they were seen "
                                          "reaching a subscriber: %2$s; the "
                                          "first to `%3$s` took %4$s.");
        say_number(j, f, published);
        say_number(j, f, delivered);
        say_text(j, f, first->topic);
        say_time(j, f, first->delay);
        say_number(j, f, topics);
        cite(f, &first->got_sent);
        cite(f, &first->got);
    } else if (published) {
        f->text =
            answered && wanted_elsewhere(e) ? N_("Messages published: %1$s; the broker took them. Whether they arrived "
                                                 "cannot be told: who subscribes "
                                                 "to them is connected to another address.")
            : answered && e->filters
                ? N_("Messages published: %1$s; the broker took them. No subscription seen in this "
                     "capture is for them.")
            : answered
                ? N_("Messages published: %1$s; the broker took them. No subscriber is seen in this capture.")
                : N_("Messages published: %1$s; nothing the broker says is seen, neither that it took them nor that it "
                     "did not.");
        say_number(j, f, published);
    } else if (brokers && retained) {
        f->text = N_("MQTT connections: %1$s; nothing wrong was found. Nothing was published meanwhile: what arrived "
                     "(messages: %2$s) was retained, published before the capture began.");
        say_number(j, f, brokers);
        say_number(j, f, retained);
    } else if (brokers) {
        f->text = N_("MQTT connections: %1$s; nothing wrong was found, and no message was published.");
        say_number(j, f, brokers);
    } else if (e->convs) {
        f->text = encrypted ? N_("TCP conversations: %1$s, encrypted: %2$s; nothing wrong was found.")
                            : N_("TCP conversations: %1$s; nothing wrong was found.");
        say_number(j, f, e->convs);
        say_number(j, f, encrypted);
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
