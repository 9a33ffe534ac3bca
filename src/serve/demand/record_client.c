/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: who a conversation belongs to is known when its CONNECT has come (or, where the broker chooses
 * the identifier, its CONNACK); the packets before it, the handshake of TCP among them, have passed by then. So the
 * first packets of every conversation wait: a conversation is UNKNOWN until its client is known, and then OWN (what
 * waited is handed out, and all that follows) or OTHER (what waited is dropped). One that does not come to the point
 * within WAIT_PACKETS or WAIT_BYTES is OTHER.
 *
 * Conversations are known by the number the decoder gives them, which only grows. The last SLOTS of them have a place;
 * an older one that is still unknown is forgotten. What is OWN stands in a list of its own, so that a session of many
 * hours is not forgotten while others come and go; at OWN_MAX the oldest gives way. All waiting packets together have
 * at most WAIT_ALL_BYTES; beyond that the oldest conversation is given up. */
#include "serve/demand/record_client.h"
#include "proto/mqtt/mqtt.h"
#include <stdlib.h>

enum {
    SLOTS = 1 << 16,
    OWN_MAX = 1024,
    WAIT_PACKETS = 64,
    WAIT_BYTES = 128 << 10,
    WAIT_ALL_BYTES = 64 << 20,
};

enum whose { UNKNOWN, GIVEN_UP, OTHER, OWN };

struct kept {
    struct kept *next;
    struct packet p; /* data lies behind */
};

struct talk {
    uint32_t stream, packets;
    size_t bytes;
    uint8_t whose; /* enum whose; OWN is in the list of own ones */
    bool used;
    struct kept *first, *last;
};

struct client_filter {
    struct slice client;
    int (*take)(void *to, const struct packet *p);
    void *to;
    size_t waiting;  /* bytes of all kept packets */
    uint32_t oldest; /* no conversation before this one has packets that wait */
    uint32_t newest;
    uint32_t own[OWN_MAX];
    uint32_t owns; /* ever begun */
    struct talk slot[SLOTS];
};

struct client_filter *client_filter_make(struct slice client, int (*take)(void *to, const struct packet *p), void *to) {
    struct client_filter *f = calloc(1, sizeof *f);
    if (f) f->client = client, f->take = take, f->to = to;
    return f;
}

static void forget(struct client_filter *f, struct talk *t) {
    for (struct kept *k = t->first, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    f->waiting -= t->bytes;
    t->first = t->last = NULL;
    t->bytes = 0;
}

void client_filter_free(struct client_filter *f) {
    if (!f) return;
    for (size_t i = 0; i < SLOTS; i++) forget(f, &f->slot[i]);
    free(f);
}

void client_filter_want(struct want *w) {
    static const uint16_t ids[] = {
        FID_TCP_STREAM, FID_MQTT, FID_MQTT_MSGTYPE, FID_MQTT_CLIENTID, FID_MQTT_PROPERTY_ID, FID_MQTT_PROP_STRING};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) want_add(w, ids[i]);
}

static bool is_own(const struct client_filter *f, uint32_t stream) {
    uint32_t n = f->owns < OWN_MAX ? f->owns : OWN_MAX;
    for (uint32_t i = 0; i < n; i++)
        if (f->own[i] == stream) return true;
    return false;
}

static struct talk *talk_of(struct client_filter *f, uint32_t stream) {
    struct talk *t = &f->slot[stream % SLOTS];
    if (t->used && t->stream == stream) return t;
    forget(f, t);
    *t = (struct talk){.stream = stream, .used = true};
    if (stream > f->newest) f->newest = stream;
    return t;
}

/* whose_now looks for who the packet says the conversation belongs to; an empty identifier says that the broker will.
 */
static enum whose whose_now(const struct client_filter *f, const struct fvec *v) {
    enum whose found = UNKNOWN;
    bool connack = false, assigned = false;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *x = &v->v[i];
        if (x->id == FID_MQTT_MSGTYPE) connack = x->u == MQTT_CONNACK;
        else if (x->id == FID_MQTT_PROPERTY_ID) assigned = connack && x->u == MQTT_P_ASSIGNED_CLIENT_ID;
        else if (x->id == FID_MQTT_CLIENTID ? x->s.n > 0 : x->id == FID_MQTT_PROP_STRING && assigned) {
            if (slice_eq(x->s, f->client)) return OWN;
            found = OTHER;
        }
    }
    return found;
}

static int keep(struct client_filter *f, struct talk *t, const struct packet *p) {
    struct kept *k = malloc(sizeof *k + p->data.n);
    if (!k) return ERR_NOMEM;
    *k = (struct kept){.p = *p};
    if (p->data.n) memcpy(k + 1, p->data.p, p->data.n);
    k->p.data = slice_of(k + 1, p->data.n);
    if (t->last) t->last->next = k;
    else t->first = k;
    t->last = k;
    t->packets++;
    t->bytes += sizeof *k + p->data.n;
    f->waiting += sizeof *k + p->data.n;
    return OK;
}

static void give_up(struct client_filter *f, struct talk *t) {
    forget(f, t);
    t->whose = GIVEN_UP;
}

/* make_room gives up the oldest conversations until the waiting packets are within their limit. */
static void make_room(struct client_filter *f) {
    for (; f->waiting > WAIT_ALL_BYTES && f->oldest <= f->newest; f->oldest++) {
        struct talk *t = &f->slot[f->oldest % SLOTS];
        if (t->used && t->stream == f->oldest && t->first) give_up(f, t);
    }
}

static int hand_out(struct client_filter *f, struct talk *t) {
    int rc = OK;
    f->own[f->owns++ % OWN_MAX] = t->stream;
    t->whose = OWN;
    for (const struct kept *k = t->first; k && rc == OK; k = k->next) rc = f->take(f->to, &k->p);
    forget(f, t);
    return rc;
}

int client_filter_packet(struct client_filter *f, const struct decode *d, const struct packet *p) {
    const struct fval *stream = fv_first(d->out, FID_TCP_STREAM, 0, d->out->n);
    if (!stream) return OK;
    if (is_own(f, (uint32_t)stream->u)) return f->take(f->to, p);
    struct talk *t = talk_of(f, (uint32_t)stream->u);
    if (t->whose == OTHER) return OK;
    int rc = t->whose == UNKNOWN ? keep(f, t, p) : OK;
    if (rc != OK) return rc;
    enum whose whose = whose_now(f, d->out);
    if (whose == OWN) {
        bool waited = t->first;
        rc = hand_out(f, t);
        return waited || rc != OK ? rc : f->take(f->to, p);
    }
    if (whose == OTHER) forget(f, t), t->whose = OTHER;
    else if (t->packets > WAIT_PACKETS || t->bytes > WAIT_BYTES) give_up(f, t);
    make_room(f);
    return OK;
}
