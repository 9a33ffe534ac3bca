/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses the data, and what for.
 *
 * Theory of operation: a packet's bytes are its IP bytes (the outermost IP header says how many) and, billed,
 * `overhead` more. They count once in each table: what for (a class), to where, from which device, by which MQTT
 * client, about which MQTT topic. A packet of several MQTT messages is shared among their topics by the messages'
 * sizes. The device is who opened the conversation or, where that was not seen, the side with the higher port. A
 * connection that a device makes to the same service less than STORM_NS after its last one ended up counts its setup as
 * reconnecting, once there were STORM_LEAST of them in a row.
 * Destinations are counted by address; where the capture, or the one it is compared with, calls an address by one name
 * only, the tables have that instead, and all addresses of it are one: services change theirs every minute.
 * Limits: STATS_ENTRIES_MAX rows, and as many streams; HOSTS_NAMED_MAX names. */
#include "analyse/mqtt_msg.h"
#include "analyse/stats/host_names.h"
#include "field/print.h"

#include <stdlib.h>

enum row_kind { ROW_CLASS, ROW_DESTINATION, ROW_DEVICE, ROW_CLIENT, ROW_TOPIC, ROW_KINDS };
enum purpose {
    CLASS_DATA,
    CLASS_TLS,
    CLASS_SETUP,
    CLASS_RECONNECT,
    CLASS_KEEP_ALIVE,
    CLASS_ACK,
    CLASS_AGAIN,
    CLASS_DNS,
    CLASS_OTHER,
    CLASSES
};
enum { STORM_LEAST = 3, MESSAGES_MAX = 256 };
#define STORM_NS 60000000000LL

static const char *const class_names[] = {[CLASS_DATA] = "payload",
                                          [CLASS_TLS] = "TLS handshakes",
                                          [CLASS_SETUP] = "connection setup and end",
                                          [CLASS_RECONNECT] = "reconnect storms",
                                          [CLASS_KEEP_ALIVE] = "keep-alives",
                                          [CLASS_ACK] = "bare ACKs",
                                          [CLASS_AGAIN] = "retransmissions",
                                          [CLASS_DNS] = "DNS",
                                          [CLASS_OTHER] = "other (ICMP, ...)"};
_Static_assert(sizeof class_names / sizeof *class_names == CLASSES, "every class has a name");

struct row_key {
    uint32_t kind; /* enum row_kind */
    struct name name;
};

struct row {
    struct row_key key;
    struct talk_addr at; /* of a destination */
    uint64_t packets, payload, ip, billed;
};

/* named_row is all destinations of one name and port. */
struct named_row {
    struct row row;                        /* `at` is the first address, */
    struct talk_addr more[HOST_NAMES - 1]; /* these the next ones */
    uint32_t addrs;
};

/* pair is a device and a service it connects to. */
struct pair {
    struct talk_addr device, service;
    int64_t last;    /* packet */
    uint32_t in_row; /* connections that followed each other closely */
};

struct volume {
    uint64_t overhead;
    const struct volume *baseline;
    struct keytab rows, pairs;
    struct host_names hosts;
    struct stream_note {
        bool known, storm;
        struct talk_addr device;
        uint32_t client; /* row + 1 */
    } * streams;
    uint32_t n_streams;
    struct hash_key secret;
    struct mqtt_msg msg[MESSAGES_MAX]; /* of the packet that is counted; too large to be cleared for each */
};

/* seen is what one packet showed. */
struct seen {
    struct talk_addr src, dst;
    uint32_t ip, payload, stream;
    uint16_t flags;
    bool tcp, udp, dns, again, keep_alive, handshake, other_tls, has_ip, names;
    struct mqtt_msg *msg; /* room for MESSAGES_MAX */
    size_t n_msg;
};

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct volume *v = state;
    (void)why;
    v->overhead = args->overhead;
    v->baseline = args->baseline;
    v->rows = keytab_make(sizeof(struct row_key), sizeof(struct row), STATS_ENTRIES_MAX);
    v->pairs = keytab_make(2 * sizeof(struct talk_addr), sizeof(struct pair), STATS_ENTRIES_MAX / 4);
    v->secret = v->baseline ? v->baseline->secret : hash_key_random(); /* long names are the same in both */
    v->hosts = host_names_make(v->secret);
    if (v->baseline) v->rows.secret = v->baseline->rows.secret;
    return OK;
}

static void end(void *state) {
    struct volume *v = state;
    keytab_free(&v->rows);
    keytab_free(&v->pairs);
    host_names_free(&v->hosts);
    free(v->streams);
}

static void want(const void *state, struct want *w) {
    static const uint16_t ids[] = {FID_IP_LEN,
                                   FID_IPV6_PLEN,
                                   FID_TCP_LEN,
                                   FID_TCP_FLAGS,
                                   FID_UDP_LENGTH,
                                   FID_DNS,
                                   FID_TCP_AN_RETRANSMISSION,
                                   FID_TCP_AN_FAST_RETRANSMISSION,
                                   FID_TCP_AN_SPURIOUS,
                                   FID_TCP_AN_KEEP_ALIVE,
                                   FID_TCP_AN_KEEP_ALIVE_ACK,
                                   FID_TLS_CONTENT_TYPE,
                                   0};
    (void)state;
    mqtt_msg_want(w);
    host_names_want(w);
    talk_ends_want(w);
    for (const uint16_t *id = ids; *id; id++) want_add(w, *id);
}

static void message_note(void *to, const struct decode *d, const struct mqtt_msg *m) {
    struct seen *s = to;
    (void)d;
    if (s->n_msg < MESSAGES_MAX) s->msg[s->n_msg++] = *m;
}

static void look(struct seen *s, const struct decode *d) {
    enum { TLS_CHANGE = 20, TLS_HANDSHAKE = 22, IPV6_HEADER = 40, UDP_HEADER = 8 };
    const struct fval *f = d->out->v, *last = f + stats_outer(d);
    for (; f < last; f++) {
        switch (f->id) {
        case FID_IP_LEN:
            if (!s->has_ip) s->ip = (uint32_t)f->u;
            s->has_ip = true;
            break;
        case FID_IPV6_PLEN:
            if (!s->has_ip) s->ip = (uint32_t)f->u + IPV6_HEADER;
            s->has_ip = true;
            break;
        case FID_UDP_DSTPORT:
            s->udp = true;
            s->dst.port = (uint16_t)f->u;
            break;
        case FID_UDP_LENGTH: s->payload = f->u > UDP_HEADER ? (uint32_t)f->u - UDP_HEADER : 0; break;
        case FID_TCP_STREAM:
            s->tcp = true;
            s->stream = (uint32_t)f->u;
            break;
        case FID_TCP_LEN: s->payload = (uint32_t)f->u; break;
        case FID_TCP_FLAGS: s->flags = (uint16_t)f->u; break;
        case FID_TCP_AN_RETRANSMISSION:
        case FID_TCP_AN_FAST_RETRANSMISSION:
        case FID_TCP_AN_SPURIOUS: s->again = true; break;
        case FID_TCP_AN_KEEP_ALIVE:
        case FID_TCP_AN_KEEP_ALIVE_ACK: s->keep_alive = true; break;
        case FID_DNS: s->dns = true; break;
        case FID_TLS_CONTENT_TYPE:
            if (f->u == TLS_HANDSHAKE || f->u == TLS_CHANGE) s->handshake = true;
            else s->other_tls = true;
            break;
        default: talk_ends_take(&s->src, &s->dst, f); s->names |= host_names_field(f->id);
        }
    }
    mqtt_msg_each(d, message_note, s);
}

static bool only_pings(const struct seen *s) {
    for (size_t i = 0; i < s->n_msg; i++)
        if (s->msg[i].type != MQTT_PINGREQ && s->msg[i].type != MQTT_PINGRESP) return false;
    return s->n_msg > 0;
}

static enum purpose class_of(const struct seen *s, bool storm) {
    if (s->dns) return CLASS_DNS;
    if (s->again) return CLASS_AGAIN;
    if (s->keep_alive || only_pings(s)) return CLASS_KEEP_ALIVE;
    bool connects = s->n_msg && (s->msg[0].type == MQTT_CONNECT || s->msg[0].type == MQTT_CONNACK);
    bool setup = s->tcp && !s->payload && (s->flags & (TH_SYN | TH_FIN | TH_RST));
    if (storm && (setup || connects || (s->handshake && !s->other_tls))) return CLASS_RECONNECT;
    if (s->handshake && !s->other_tls) return CLASS_TLS;
    if (setup) return CLASS_SETUP;
    if (s->tcp && !s->payload) return CLASS_ACK;
    return s->tcp || s->udp ? CLASS_DATA : CLASS_OTHER;
}

static struct row *row_add(struct volume *v, enum row_kind kind, struct slice name, uint64_t packets, uint64_t payload,
                           uint64_t ip) {
    struct row_key key = {.kind = kind};
    name_set(&key.name, v->secret, name);
    struct row *r = keytab_get(&v->rows, &key);
    if (!r) return NULL;
    r->packets += packets;
    r->payload += payload;
    r->ip += ip;
    r->billed += ip + packets * v->overhead;
    return r;
}

static void addr_row(struct volume *v, enum row_kind kind, const struct talk_addr *a, const struct seen *s) {
    char text[80];
    struct writer w = wr_fixed(text, sizeof text);
    if (!a->len) return;
    if (kind == ROW_DESTINATION && a->port) talk_addr_port_print(&w, a);
    else talk_addr_print(&w, a);
    struct row *r = row_add(v, kind, wr_done(&w), 1, s->payload, s->ip);
    if (r) r->at = *a;
}

static struct stream_note *stream_of(struct volume *v, uint32_t stream) {
    if (stream >= v->n_streams) {
        if (stream >= STATS_STREAMS_MAX) return NULL;
        uint32_t n = v->n_streams ? v->n_streams * 2 : 64;
        while (n <= stream) n *= 2;
        struct stream_note *more = realloc(v->streams, n * sizeof *more);
        if (!more) return NULL;
        memset(more + v->n_streams, 0, (n - v->n_streams) * sizeof *more);
        v->streams = more;
        v->n_streams = n;
    }
    return &v->streams[stream];
}

static bool from_device(const struct seen *s, const struct stream_note *n) {
    if (n && n->known) return memcmp(&n->device, &s->src, sizeof s->src) == 0;
    if (s->tcp && s->flags & TH_SYN) return !(s->flags & TH_ACK);
    return s->src.port == s->dst.port ? true : s->src.port > s->dst.port;
}

/* pair_note keeps when a device spoke to a service last, and tells whether a new stream is one of a storm. */
static bool pair_note(struct volume *v, const struct talk_addr *device, const struct talk_addr *service, int64_t now,
                      bool fresh) {
    struct pair key = {.device = *device, .service = *service};
    key.device.port = 0;
    uint32_t before = v->pairs.n;
    struct pair *p = keytab_get(&v->pairs, &key);
    if (!p) return false;
    bool first = v->pairs.n > before;
    if (fresh) p->in_row = !first && now - p->last < STORM_NS ? p->in_row + 1 : 0;
    p->last = now;
    return p->in_row >= STORM_LEAST;
}

static void topics_share(struct volume *v, const struct seen *s) {
    uint64_t all = 0;
    for (size_t i = 0; i < s->n_msg; i++) all += s->msg[i].size;
    for (size_t i = 0; i < s->n_msg && all; i++) {
        const struct mqtt_msg *m = &s->msg[i];
        if (m->type != MQTT_PUBLISH || !m->topic.n) continue;
        struct row *r = row_add(v, ROW_TOPIC, m->topic, 1, m->payload.n, s->ip * m->size / all);
        if (r && s->n_msg > 1) r->billed -= v->overhead - v->overhead * m->size / all; /* its share of the packet's */
    }
}

static void client_note(struct volume *v, struct stream_note *n, const struct seen *s) {
    for (size_t i = 0; i < s->n_msg; i++) {
        if (s->msg[i].type != MQTT_CONNECT || !s->msg[i].client_id.n) continue;
        struct row *r = row_add(v, ROW_CLIENT, s->msg[i].client_id, 0, 0, 0);
        n->client = r ? keytab_place(&v->rows, r) + 1 : 0;
    }
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct volume *v = state;
    struct seen s = {.msg = v->msg};
    (void)begin;
    look(&s, d);
    if (!s.has_ip) return; /* nobody bills it */
    if (s.names) host_names_packet(&v->hosts, d, &s.dst);
    struct stream_note *n = s.tcp ? stream_of(v, s.stream) : NULL;
    bool from = from_device(&s, n), fresh = n && !n->known;
    const struct talk_addr *device = from ? &s.src : &s.dst, *service = from ? &s.dst : &s.src;
    if (fresh) {
        n->known = true;
        n->device = *device;
    }
    bool storm = n && pair_note(v, device, service, d->pkt->ts, fresh);
    if (fresh) n->storm = storm;
    row_add(v, ROW_CLASS, slice_str(class_names[class_of(&s, n && n->storm)]), 1, s.payload, s.ip);
    addr_row(v, ROW_DESTINATION, service, &s);
    addr_row(v, ROW_DEVICE, device, &s);
    if (n) client_note(v, n, &s);
    if (n && n->client) {
        struct row *r = keytab_at(&v->rows, n->client - 1);
        r->packets++;
        r->payload += s.payload;
        r->ip += s.ip;
        r->billed += s.ip + v->overhead;
    }
    topics_share(v, &s);
}

static bool above(uint64_t now, uint64_t before, uint64_t percent) {
    return (double)now > (double)before * (1 + (double)percent / 100);
}

static uint64_t class_total(const struct volume *v) {
    uint64_t all = 0;
    for (uint32_t i = 0; i < v->rows.n; i++) {
        const struct row *r = keytab_at(&v->rows, i);
        if (r->key.kind == ROW_CLASS) all += r->billed;
    }
    return all;
}

/* host_name returns the one name an address has in two captures, empty where it has none, or several. */
static struct slice host_name(const struct volume *v, const struct volume *other, const struct talk_addr *addr) {
    const struct host *a = host_names_find(&v->hosts, addr), *b = other ? host_names_find(&other->hosts, addr) : NULL;
    if (!a) a = b;
    if (!a || a->names != 1 || a->more) return (struct slice){0};
    bool same = !b || (b->names == 1 && !b->more && slice_eq(name_slice(&a->name[0]), name_slice(&b->name[0])));
    return same ? name_slice(&a->name[0]) : (struct slice){0};
}

/* name_key makes the key that a destination has by its name; false: it has none. */
static bool name_key(const struct volume *v, const struct volume *other, const struct row *r, struct row_key *key) {
    char text[NAME_SIZE + sizeof ":65535"];
    struct writer w = wr_fixed(text, sizeof text);
    struct slice name = r->key.kind == ROW_DESTINATION ? host_name(v, other, &r->at) : (struct slice){0};
    if (!name.n) return false;
    wr_slice(&w, name);
    if (r->at.port) wr_f(&w, ":%u", r->at.port);
    memset(key, 0, sizeof *key);
    key->kind = ROW_DESTINATION;
    name_set(&key->name, v->secret, wr_done(&w));
    return true;
}

/* lines is what the tables show of a capture: its rows, but destinations of one name together. */
struct lines {
    const struct volume *v, *other;
    struct keytab named;
};

static void named_add(struct named_row *to, const struct row *r) {
    if (!to->addrs) to->row.at = r->at;
    else if (to->addrs < HOST_NAMES) to->more[to->addrs - 1] = r->at;
    to->addrs++;
    to->row.packets += r->packets;
    to->row.payload += r->payload;
    to->row.ip += r->ip;
    to->row.billed += r->billed;
}

/* lines_make: `v` may be NULL, which has none. keytab_free(&l.named) releases it. */
static struct lines lines_make(const struct volume *v, const struct volume *other) {
    struct lines l = {.v = v, .other = other};
    struct row_key key;
    l.named = keytab_make(sizeof key, sizeof(struct named_row), HOSTS_NAMED_MAX);
    for (uint32_t i = 0; v && i < v->rows.n; i++) {
        const struct row *r = keytab_at(&v->rows, i);
        struct named_row *to = name_key(v, other, r, &key) ? keytab_get(&l.named, &key) : NULL;
        if (to) named_add(to, r);
    }
    return l;
}

/* line_next returns the next line of a kind, *at of those before it having been looked at; NULL: there is none. */
static const struct row *line_next(const struct lines *l, enum row_kind kind, uint32_t *at) {
    struct row_key key;
    if (kind == ROW_DESTINATION && *at < l->named.n) return keytab_at(&l->named, (*at)++);
    uint32_t i = *at - (kind == ROW_DESTINATION ? l->named.n : 0);
    for (; l->v && i < l->v->rows.n; i++) {
        const struct row *r = keytab_at(&l->v->rows, i);
        ++*at;
        if (r->key.kind != kind || (name_key(l->v, l->other, r, &key) && keytab_find(&l->named, &key))) continue;
        return r;
    }
    return NULL;
}

/* line_find returns the line of the same name, or NULL. */
static const struct row *line_find(const struct lines *l, const struct row *r) {
    const struct row *named = keytab_find(&l->named, &r->key);
    return named ? named : l->v ? keytab_find(&l->v->rows, &r->key) : NULL;
}

/* also_list lists the addresses of a name, or the names of an address that has several. */
static struct cell also_list(struct table *t, const struct lines *l, const struct row *r) {
    char text[HOST_NAMES * (NAME_SIZE + 1) + sizeof "..."];
    struct writer w = wr_fixed(text, sizeof text);
    const struct named_row *named = keytab_find(&l->named, &r->key);
    const struct host *host = named ? NULL : host_names_find(&l->v->hosts, &r->at);
    uint32_t n = named ? named->addrs : host ? host->names : 0;
    for (uint32_t i = 0; i < n && i < HOST_NAMES; i++) {
        if (i) wr_c(&w, 0);
        if (named) talk_addr_print(&w, i ? &named->more[i - 1] : &named->row.at);
        else wr_slice(&w, name_slice(&host->name[i]));
    }
    if (n > HOST_NAMES || (host && host->more)) wr_slice(&w, slice_of("\0...", 4));
    struct cell cell = cell_text(t, wr_done(&w));
    cell.kind = CELL_LIST;
    return cell;
}

/* row_print shows a line of either capture: `l` are its own ones. */
static void row_print(struct table *t, const struct lines *l, const struct row *now, const struct row *before,
                      bool compares, uint64_t all) {
    const struct row *named = now ? now : before;
    static const struct row none;
    if (!now) now = &none;
    struct cell *c = table_row(t);
    *c++ = cell_text(t, name_slice(&named->key.name));
    *c++ = cell_count(now->packets);
    *c++ = cell_bytes(now->payload);
    *c++ = cell_bytes(now->ip);
    *c++ = cell_bytes(now->billed);
    *c++ = cell_real(all ? 100.0 * (double)now->billed / (double)all : 0);
    if (compares) {
        uint64_t was = before ? before->billed : 0;
        *c++ = cell_bytes(was);
        *c++ = cell_change((int64_t)(now->billed - was));
        if (was) *c = cell_real(100.0 * ((double)now->billed - (double)was) / (double)was);
        c++;
    }
    if (named->key.kind == ROW_DESTINATION) *c = also_list(t, l, named);
}

/* clang-format off */
#define COUNTED {.name = "name", .title = "Name"}, \
                {.name = "packets", .title = "Packets"}, \
                {.name = "payload", .title = "Payload"}, \
                {.name = "ip_bytes", .title = "IP bytes"}, \
                {.name = "billed", .title = "Billed", .bar = true}, \
                {.name = "percent", .title = "% billed"}
#define COMPARED {.name = "baseline", .title = "Baseline"}, \
                 {.name = "change", .title = "Change"}, \
                 {.name = "change_percent", .title = "Change %"}
#define ALSO {.name = "also", .title = "Also"}
/* clang-format on */

static struct table *kind_make(enum row_kind kind, bool compares) {
    static const struct {
        const char *name, *title;
    } kinds[] = {{"classes", "What for"},
                 {"destinations", "To where"},
                 {"devices", "By device"},
                 {"clients", "By MQTT client"},
                 {"topics", "By MQTT topic"}};
    _Static_assert(sizeof kinds / sizeof *kinds == ROW_KINDS, "every kind has a table");
    static const struct table_column alone[] = {COUNTED, ALSO}, compared[] = {COUNTED, COMPARED, ALSO};
    size_t n = compares ? sizeof compared / sizeof *compared : sizeof alone / sizeof *alone;
    return table_make(kinds[kind].name, kinds[kind].title, compares ? compared : alone, n - (kind != ROW_DESTINATION));
}

static struct table *kind_table(enum row_kind kind, const struct lines *now, const struct lines *before) {
    bool compares = before->v != NULL;
    struct table *t = kind_make(kind, compares);
    uint64_t all = class_total(now->v);
    const struct row *r;
    for (uint32_t at = 0; t && (r = line_next(now, kind, &at));)
        row_print(t, now, r, line_find(before, r), compares, all);
    for (uint32_t at = 0; t && (r = line_next(before, kind, &at));)
        if (!line_find(now, r)) row_print(t, before, NULL, r, true, all);
    if (t) table_sort(t, 4, false);
    return t;
}

unsigned stats_volume_alarm(const void *state, uint64_t percent, volume_tell *tell) {
    const struct volume *v = state;
    uint64_t total = class_total(v), was_total = v->baseline ? class_total(v->baseline) : total;
    unsigned n = above(total, was_total, percent);
    if (n) tell(SLICE("all"), total, was_total);
    if (!v->baseline) return n;
    struct lines now = lines_make(v, v->baseline), before = lines_make(v->baseline, v);
    const struct row *r;
    for (uint32_t at = 0; (r = line_next(&now, ROW_DESTINATION, &at));) {
        const struct row *was = line_find(&before, r);
        if (!above(r->billed, was ? was->billed : 0, percent)) continue;
        tell(name_slice(&r->key.name), r->billed, was ? was->billed : 0);
        n++;
    }
    keytab_free(&now.named);
    keytab_free(&before.named);
    return n;
}

static struct table *tables(void *state) {
    const struct volume *v = state;
    struct lines now = lines_make(v, v->baseline), before = lines_make(v->baseline, v);
    struct table *first = NULL, **link = &first;
    for (int kind = 0; kind < ROW_KINDS; kind++) {
        struct table *t = kind_table((enum row_kind)kind, &now, &before);
        if (!t) break;
        if (!t->rows && kind != ROW_CLASS) {
            table_free(t);
            continue;
        }
        *link = t;
        link = &t->next;
    }
    keytab_free(&now.named);
    keytab_free(&before.named);
    if (first) stats_note(first, &v->rows, "names");
    return first;
}

const struct stats_ops stats_volume = {.name = "volume",
                                       .purpose = "who uses the data, and what for",
                                       .state_size = sizeof(struct volume),
                                       .start = start,
                                       .want = want,
                                       .packet = packet,
                                       .tables = tables,
                                       .end = end};
