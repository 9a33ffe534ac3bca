/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/connections.h"
#include "proto/tcp/tcp.h"

#include <stdlib.h>

enum { BIN_NS_FIRST = 1000000 };

/* Whose name a row is called by; the greater wins. */
enum { RANK_NONE, RANK_ASKED, RANK_HOST, RANK_SERVER, RANK_CLIENT };

void connections_make(struct connections *c) {
    *c = (struct connections){.bin_ns = BIN_NS_FIRST};
    c->tab = keytab_make(sizeof((struct connection *)0)->key, sizeof(struct connection), CONNECTIONS_MAX);
}

void connections_free(struct connections *c) { keytab_free(&c->tab); }

void connections_want(struct want *w) {
    static const uint16_t ids[] = {FID_TCP_STREAM,
                                   FID_TCP_LEN,
                                   FID_TCP_FLAGS,
                                   FID_UDP_LENGTH,
                                   FID_UDP_STREAM,
                                   FID_TCP_AN_ACK_RTT,
                                   FID_TCP_AN_INITIAL_RTT,
                                   FID_TCP_AN_RETRANSMISSION,
                                   FID_TCP_AN_OUT_OF_ORDER,
                                   FID_TCP_AN_LOST_SEGMENT,
                                   FID_TCP_AN_DUP_ACK_NUM,
                                   FID_TCP_AN_ZERO_WINDOW,
                                   FID_MQTT,
                                   FID_MQTT_CLIENTID,
                                   FID_TLS,
                                   FID_TLS_SNI,
                                   FID_HTTP,
                                   FID_HTTP_HOST,
                                   FID_DNS,
                                   FID_DNS_QRY_NAME,
                                   0};
    talk_ends_want(w);
    for (const uint16_t *id = ids; *id; id++) want_add(w, *id);
}

/* seen is what one packet showed. */
struct seen {
    struct talk_addr src, dst;
    bool found, udp;
    uint32_t stream, payload;
    uint16_t flags;
    int64_t rtt, initial_rtt;
    uint8_t trouble[TROUBLE_KINDS];
    uint8_t rank;
    struct slice text;
};

static void name_take(struct seen *s, uint8_t rank, struct slice text) {
    if (rank <= s->rank || !text.n) return;
    s->rank = rank;
    s->text = text;
}

static void field_take(struct seen *s, const struct fval *f) {
    switch (f->id) {
    case FID_TCP_STREAM:
    case FID_UDP_STREAM:
        s->found = true;
        s->udp = f->id == FID_UDP_STREAM;
        s->stream = (uint32_t)f->u;
        break;
    case FID_TCP_LEN: s->payload = (uint32_t)f->u; break;
    case FID_UDP_LENGTH: s->payload = f->u > 8 ? (uint32_t)f->u - 8 : 0; break;
    case FID_TCP_FLAGS: s->flags = (uint16_t)f->u; break;
    case FID_TCP_AN_ACK_RTT: s->rtt = f->i; break;
    case FID_TCP_AN_INITIAL_RTT: s->initial_rtt = f->i; break;
    case FID_TCP_AN_RETRANSMISSION: s->trouble[TROUBLE_AGAIN] = 1; break;
    case FID_TCP_AN_OUT_OF_ORDER: s->trouble[TROUBLE_OUT_OF_ORDER] = 1; break;
    case FID_TCP_AN_LOST_SEGMENT: s->trouble[TROUBLE_LOST] = 1; break;
    case FID_TCP_AN_DUP_ACK_NUM: s->trouble[TROUBLE_DUP_ACK] = 1; break;
    case FID_TCP_AN_ZERO_WINDOW: s->trouble[TROUBLE_ZERO_WINDOW] = 1; break;
    case FID_MQTT_CLIENTID: name_take(s, RANK_CLIENT, f->s); break;
    case FID_TLS_SNI: name_take(s, RANK_SERVER, f->s); break;
    case FID_HTTP_HOST: name_take(s, RANK_HOST, f->s); break;
    case FID_DNS_QRY_NAME: name_take(s, RANK_ASKED, f->s); break;
    default: talk_ends_take(&s->src, &s->dst, f);
    }
}

/* bins_fit makes the bins so wide that time `at` lies in one. */
static void bins_fit(struct connections *c, int64_t at) {
    while (at / c->bin_ns >= CONNECTION_BINS) {
        for (uint32_t i = 0; i < c->tab.n; i++) {
            struct connection *r = keytab_at(&c->tab, i);
            for (int k = 0; k < CONNECTION_BINS / 2; k++) r->bin[k] = r->bin[2 * k] + r->bin[2 * k + 1];
            memset(r->bin + CONNECTION_BINS / 2, 0, sizeof r->bin / 2);
        }
        c->bin_ns *= 2;
    }
}

static void row_begin(struct connection *r, const struct seen *s, int64_t at, uint64_t frame) {
    bool answer = !s->udp && (s->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK);
    r->end[0] = answer ? s->dst : s->src;
    r->end[1] = answer ? s->src : s->dst;
    r->first = at;
    r->first_frame = frame;
}

/* app_take notes the highest protocol: that of the deepest layer which is no quoted packet's. */
static void app_take(struct connection *r, const struct decode *d) {
    for (uint8_t i = d->layers; i-- > r->app_depth;) {
        const struct layer_mark *m = &d->layer[i];
        if (m->quoted || !m->proto->column || layer_is_inner(m)) continue;
        r->app = m->proto;
        r->app_depth = i;
        return;
    }
}

static void row_take(struct connection *r, const struct seen *s, const struct decode *d, int64_t at) {
    int side = memcmp(&r->end[0], &s->src, sizeof s->src) == 0 ? 0 : 1;
    r->packets[side]++;
    r->bytes[side] += d->pkt->len;
    r->payload[side] += s->payload;
    r->flags[side] |= s->flags;
    if (at > r->last) r->last = at;
    if (s->initial_rtt > 0) r->initial_rtt = s->initial_rtt;
    if (s->rtt > 0) {
        r->rtts++;
        r->rtt_sum += s->rtt;
        if (s->rtt > r->rtt_max) r->rtt_max = s->rtt;
    }
    for (int i = 0; i < TROUBLE_KINDS; i++) r->trouble[i] += s->trouble[i];
    if (s->rank > r->text_rank) {
        struct slice text = slice_head(s->text, CONNECTION_TEXT);
        r->text_rank = s->rank;
        r->n_text = (uint32_t)text.n;
        memcpy(r->text, text.p, text.n);
    }
    app_take(r, d);
}

void connections_packet(struct connections *c, const struct decode *d, int64_t begin) {
    struct seen s = {0};
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) field_take(&s, &d->out->v[i]);
    int64_t at = d->pkt->has_ts && d->pkt->ts > begin ? d->pkt->ts - begin : 0;
    if (at > c->end) c->end = at;
    if (!s.found) return;
    struct connection key = {.key = {s.stream, s.udp}};
    uint32_t before = c->tab.n;
    struct connection *r = keytab_get(&c->tab, &key.key);
    if (!r) return;
    if (c->tab.n > before) row_begin(r, &s, at, d->pkt->number);
    row_take(r, &s, d, at);
    bins_fit(c, at);
    r->bin[at / c->bin_ns] += d->pkt->len;
}

/* ---- order ---- */

static int64_t weight(const struct connection *r, enum connection_order by) {
    switch (by) {
    case BY_BYTES: return (int64_t)(r->bytes[0] + r->bytes[1]);
    case BY_PACKETS: return (int64_t)(r->packets[0] + r->packets[1]);
    case BY_DURATION: return r->last - r->first;
    case BY_TROUBLE:
        return (int64_t)(r->trouble[TROUBLE_AGAIN] + r->trouble[TROUBLE_LOST] + r->trouble[TROUBLE_ZERO_WINDOW]);
    case BY_RTT: return r->initial_rtt;
    default: return 0;
    }
}

struct weighed {
    int64_t weight;
    uint32_t place;
};

static int heavier(const void *a, const void *b) {
    const struct weighed *x = a, *y = b;
    if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
    return x->place < y->place ? -1 : x->place > y->place;
}

uint32_t *connections_sorted(const struct connections *c, enum connection_order by) {
    uint32_t n = c->tab.n, *out = malloc((n ? n : 1) * sizeof *out);
    struct weighed *w = malloc((n ? n : 1) * sizeof *w);
    for (uint32_t i = 0; out && w && i < n; i++) w[i] = (struct weighed){weight(keytab_at(&c->tab, i), by), i};
    if (out && w) qsort(w, n, sizeof *w, heavier);
    for (uint32_t i = 0; out && w && i < n; i++) out[i] = w[i].place;
    if (!w) free(out), out = NULL;
    free(w);
    return out;
}
