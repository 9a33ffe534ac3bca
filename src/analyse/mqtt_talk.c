/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a message becomes a turn at the end of a list. One that is answered (PUBLISH of QoS 1 and 2,
 * SUBSCRIBE, UNSUBSCRIBE, PINGREQ) waits there; its answers are found by packet identifier and side and noted in it.
 * Turns leave at the head of the list once they wait no more. Answers to messages that were not seen are turns of their
 * own. Limits: TURN_WAITING_MAX turns in the list; the oldest then leaves although it waits. */
#include "analyse/mqtt_talk.h"

#include <stdlib.h>

static struct slice keep(uint8_t **at, struct slice s) {
    s = slice_head(s, TURN_TEXT_MAX);
    if (s.n) memcpy(*at, s.p, s.n);
    struct slice kept = slice_of(*at, s.n);
    *at += s.n;
    return kept;
}

/* filters_write lists the topic filters of a SUBSCRIBE with what QoS was asked for. */
static void filters_write(struct writer *w, const struct decode *d, const struct mqtt_msg *m) {
    for (uint32_t i = m->at; i < m->end; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id == FID_MQTT_TOPIC) {
            if (wr_len(w)) wr_c(w, '\n');
            wr_slice(w, f->s);
        } else if (f->id == FID_MQTT_SUB_QOS || f->id == FID_MQTT_SUBOPT_QOS) {
            wr_f(w, " (QoS %u)", (unsigned)f->u);
        }
    }
}

static bool expects(const struct mqtt_msg *m) {
    return (m->type == MQTT_PUBLISH && m->qos) || m->type == MQTT_SUBSCRIBE || m->type == MQTT_UNSUBSCRIBE ||
           m->type == MQTT_PINGREQ;
}

static struct mqtt_turn *turn_make(const struct decode *d, const struct mqtt_msg *m) {
    char text[TURN_TEXT_MAX];
    struct writer w = wr_fixed(text, sizeof text);
    if (m->type == MQTT_SUBSCRIBE || m->type == MQTT_UNSUBSCRIBE) filters_write(&w, d, m);
    struct slice all[] = {m->topic, m->payload, m->client_id, m->user, wr_done(&w)};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) n += slice_head(all[i], TURN_TEXT_MAX).n;
    struct mqtt_turn *t = malloc(sizeof *t + n);
    if (!t) return NULL;
    *t = (struct mqtt_turn){
        .frame = d->pkt->number, .ts = d->pkt->ts, .msg = *m, .payload_n = (uint32_t)m->payload.n, .waits = expects(m)};
    uint8_t *at = t->text;
    t->msg.topic = keep(&at, m->topic);
    t->msg.payload = keep(&at, m->payload);
    t->msg.client_id = keep(&at, m->client_id);
    t->msg.user = keep(&at, m->user);
    t->filters = keep(&at, wr_done(&w));
    t->reason_text = m->reason_text;
    return t;
}

static void turn_leave(struct mqtt_talk *t) {
    struct mqtt_turn *turn = t->first;
    t->first = turn->next;
    if (!t->first) t->last = NULL;
    t->waiting--;
    t->take(t->to, t, turn);
    free(turn);
}

static bool answers(const struct mqtt_turn *turn, const struct mqtt_msg *m, bool from_client) {
    bool back = turn->from_client != from_client;
    if (!turn->waits) return false;
    switch (m->type) {
    case MQTT_PUBACK: return back && turn->msg.type == MQTT_PUBLISH && turn->msg.qos == 1 && turn->msg.id == m->id;
    case MQTT_PUBREC:
    case MQTT_PUBCOMP: return back && turn->msg.type == MQTT_PUBLISH && turn->msg.qos == 2 && turn->msg.id == m->id;
    case MQTT_PUBREL: return !back && turn->msg.type == MQTT_PUBLISH && turn->msg.qos == 2 && turn->msg.id == m->id;
    case MQTT_SUBACK: return back && turn->msg.type == MQTT_SUBSCRIBE && turn->msg.id == m->id;
    case MQTT_UNSUBACK: return back && turn->msg.type == MQTT_UNSUBSCRIBE && turn->msg.id == m->id;
    case MQTT_PINGRESP: return back && turn->msg.type == MQTT_PINGREQ;
    default: return false;
    }
}

static bool is_answer(uint8_t type) {
    return (type >= MQTT_PUBACK && type <= MQTT_PUBCOMP) || type == MQTT_SUBACK || type == MQTT_UNSUBACK ||
           type == MQTT_PINGRESP;
}

static bool ack_join(struct mqtt_talk *t, const struct decode *d, const struct mqtt_msg *m, bool from_client) {
    enum { FAILED = 0x80 };
    struct mqtt_turn *turn = is_answer(m->type) ? t->first : NULL;
    while (turn && !answers(turn, m, from_client)) turn = turn->next;
    if (!turn) return false;
    if (turn->acks < TURN_ACKS_MAX)
        turn->ack[turn->acks++] =
            (struct mqtt_ack){m->type, d->pkt->number, d->pkt->ts - turn->ts, m->reason, m->reason_text};
    turn->waits = m->type == MQTT_PUBREL || (m->type == MQTT_PUBREC && m->reason < FAILED);
    return true;
}

static bool speaks_as_client(struct mqtt_talk *t, const struct mqtt_msg *m) {
    int by_client = mqtt_msg_by_client(m->type);
    if (!t->client_known) {
        bool from = by_client < 0 ? m->src.port > m->dst.port : by_client;
        t->client = from ? m->src : m->dst;
        t->broker = from ? m->dst : m->src;
        t->client_known = true;
    }
    return memcmp(&t->client, &m->src, sizeof m->src) == 0;
}

static void message(void *to, const struct decode *d, const struct mqtt_msg *m) {
    struct mqtt_talk *t = to;
    if (m->stream != t->stream) return;
    bool from_client = speaks_as_client(t, m);
    t->messages++;
    if (!ack_join(t, d, m, from_client)) {
        struct mqtt_turn *turn = turn_make(d, m);
        if (!turn) return;
        turn->from_client = from_client;
        turn->at = d->pkt->ts - t->begin;
        if (t->last) t->last->next = turn;
        else t->first = turn;
        t->last = turn;
        t->waiting++;
    }
    while (t->first && (!t->first->waits || t->waiting > TURN_WAITING_MAX)) turn_leave(t);
}

bool mqtt_talk_packet(struct mqtt_talk *t, const struct decode *d, int64_t begin) {
    bool mine = false;
    t->begin = begin;
    for (uint32_t i = 0; i < d->out->n && !mine; i++)
        mine = d->out->v[i].id == FID_TCP_STREAM && d->out->v[i].u == t->stream;
    if (mine) mqtt_msg_each(d, message, t);
    return mine;
}

void mqtt_talk_end(struct mqtt_talk *t) {
    while (t->first) turn_leave(t);
}
