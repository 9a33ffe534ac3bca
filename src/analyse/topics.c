/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/topics.h"

#include "analyse/stats/stats.h"

#include <stdlib.h>

void topics_make(struct topics *t, uint32_t keep) {
    *t = (struct topics){.keep = keep, .secret = hash_key_random()};
    t->tab = keytab_make(sizeof(struct name), sizeof(struct topic_history), TOPICS_SHOWN);
    t->links = keytab_make(sizeof(uint32_t), sizeof(struct topic_link), STATS_STREAMS_MAX);
}

void topics_free(struct topics *t) {
    for (uint32_t i = 0; i < t->tab.n; i++) free(((struct topic_history *)keytab_at(&t->tab, i))->sample);
    keytab_free(&t->tab);
    keytab_free(&t->links);
}

static bool room(struct topics *t, struct topic_history *h) {
    if (h->n < h->room) return true;
    uint32_t more = h->room ? h->room * 2 : 4;
    if (more > t->keep) more = t->keep;
    if (more <= h->room || t->samples + (more - h->room) > TOPICS_SAMPLES) return false;
    struct topic_sample *sample = realloc(h->sample, more * sizeof *sample);
    if (!sample) return false;
    t->samples += more - h->room;
    h->sample = sample;
    h->room = more;
    return true;
}

/* thin gives every second sample up. */
static void thin(struct topic_history *h) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->n; i += 2) h->sample[kept++] = h->sample[i];
    h->n = kept;
    h->step *= 2;
}

static void sample_add(struct topics *t, struct topic_history *h, const struct topic_sample *s) {
    uint64_t number = h->published + h->delivered;
    h->last = *s;
    if (h->step > 1 && number % h->step) return;
    if (h->n == t->keep) thin(h);
    if (number % h->step) return;
    if (room(t, h)) h->sample[h->n++] = *s;
    else t->unsampled++;
}

/* client_port returns the port of a stream's client: that of who spoke like one or, until somebody did, the higher one.
 */
static uint16_t client_port(struct topics *t, const struct mqtt_msg *m) {
    int by_client = mqtt_msg_by_client(m->type);
    uint16_t guess = m->src.port > m->dst.port ? m->src.port : m->dst.port;
    struct topic_link *l = by_client < 0 ? keytab_find(&t->links, &m->stream) : keytab_get(&t->links, &m->stream);
    if (l && by_client >= 0) l->port = by_client ? m->src.port : m->dst.port;
    return l ? l->port : guess;
}

static void message(void *to, const struct decode *d, const struct mqtt_msg *m) {
    struct topics *t = to;
    struct name name;
    uint16_t client = client_port(t, m);
    if (m->type != MQTT_PUBLISH) return;
    name_set(&name, t->secret, m->topic);
    struct topic_history *h = keytab_get(&t->tab, &name);
    if (!h) return;
    if (!h->step) h->step = 1;
    bool ours = !t->only.n || slice_eq(t->only, m->topic);
    struct slice text = slice_head(m->payload, TOPICS_TEXT);
    struct topic_sample s = {.at = d->pkt->has_ts ? d->pkt->ts - t->begin : 0,
                             .frame = d->pkt->number,
                             .stream = m->stream,
                             .size = (uint32_t)m->payload.n,
                             .n = (uint16_t)text.n,
                             .qos = m->qos,
                             .retain = m->retain,
                             .dup = m->dup,
                             .delivered = m->dst.port == client};
    if (text.n) memcpy(s.text, text.p, text.n);
    if (ours) sample_add(t, h, &s);
    h->bytes += m->payload.n;
    h->retained += m->retain;
    if (s.delivered) h->delivered++;
    else h->published++;
}

void topics_packet(struct topics *t, const struct decode *d, int64_t begin) {
    t->begin = begin;
    mqtt_msg_each(d, message, t);
}

static int by_name(const void *a, const void *b, void *tab) {
    const struct topic_history *x = keytab_at(tab, *(const uint32_t *)a), *y = keytab_at(tab, *(const uint32_t *)b);
    int order = memcmp(x->name.text, y->name.text, x->name.n < y->name.n ? x->name.n : y->name.n);
    return order ? order : (int)x->name.n - (int)y->name.n;
}

uint32_t *topics_sorted(const struct topics *t) {
    uint32_t *out = malloc((t->tab.n ? t->tab.n : 1) * sizeof *out);
    for (uint32_t i = 0; out && i < t->tab.n; i++) out[i] = i;
    if (out) qsort_r(out, t->tab.n, sizeof *out, by_name, (void *)(uintptr_t)&t->tab);
    return out;
}
