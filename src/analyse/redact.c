/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation.
 * Addresses: IPv4 and IPv6 are mapped bit by bit, each bit turned or not by a keyed hash of the bits before it, so that
 * addresses with a common prefix have one of the same length afterwards; loopback, multicast, broadcast, link-local and
 * unspecified prefixes stay, since what they mean is no secret and flows depend on it. MAC addresses become local ones;
 * group addresses stay. Names: characters become letters and digits drawn from a keyed hash, for topics level by level,
 * so that a filter still matches the topics it matched; / + # and a leading $ stay. Payloads: MQTT messages become x;
 * data of protocols that are not known to carry nothing private become zeros. A message over several segments cannot be
 * taken apart before its end: its bytes become zeros, save an MQTT packet's beginning up to its packet identifier,
 * which keeps the framing (a zero is also an empty list of properties). Checksums are corrected by the difference
 * between the bytes before and after (RFC 1624), from the inside out: what was right stays right, what was wrong stays
 * wrong. What it does not do: checksums of a datagram in fragments. */
#include "analyse/redact.h"

#include "proto/mqtt/mqtt.h"

enum { SCOPES_MAX = 32, ETHER = 6, IPV4 = 4, IPV6 = 16 };

bool redact_parse(const char *text, unsigned *what) {
    static const char *const words[] = {"addresses", "clients", "topics", "payloads"};
    *what = 0;
    while (*text) {
        size_t n = strcspn(text, ","), i = 0;
        while (i < 4 && (strlen(words[i]) != n || memcmp(words[i], text, n) != 0)) i++;
        if (i < 4) *what |= 1u << i;
        else if (n == 3 && memcmp(text, "all", 3) == 0) *what = REDACT_ALL;
        else return false;
        text += n + (text[n] == ',');
    }
    return *what != 0;
}

struct hash_key redact_key(struct slice text) {
    static const struct hash_key one = {0x6c62272e07bb0142, 0x27d4eb2f165667c5},
                                 other = {0x9ae16a3b2f90404f, 0xc3a5c85c97cb3127};
    return (struct hash_key){hash_bytes(one, text.p, text.n), hash_bytes(other, text.p, text.n)};
}

static bool is_address(uint8_t type) { return type == FT_IPV4 || type == FT_IPV6 || type == FT_ETHER; }

void redact_want(const struct redact *r, struct want *w) {
    static const uint16_t always[] = {FID_IP,
                                      FID_IPV6,
                                      FID_TCP,
                                      FID_UDP,
                                      FID_ICMP,
                                      FID_ICMPV6,
                                      FID_TCP_SEGMENT_DATA,
                                      FID_TCP_PDU_SIZE,
                                      FID_TCP_PAYLOAD,
                                      FID_UDP_PAYLOAD,
                                      FID_MQTT,
                                      FID_DNS,
                                      FID_TLS,
                                      FID_FRAME_PROTOCOLS,
                                      0};
    static const uint16_t mqtt[] = {FID_MQTT_CLIENTID,
                                    FID_MQTT_USERNAME,
                                    FID_MQTT_PASSWD,
                                    FID_MQTT_TOPIC,
                                    FID_MQTT_WILLTOPIC,
                                    FID_MQTT_MSG,
                                    FID_MQTT_WILLMSG,
                                    FID_MQTT_PROP_STRING,
                                    FID_MQTT_PROP_KEY,
                                    FID_MQTT_PROP_VALUE,
                                    0};
    for (const uint16_t *id = always; *id; id++) want_add(w, *id);
    for (const uint16_t *id = mqtt; *id && r->what & ~(unsigned)REDACT_ADDRESSES; id++) want_add(w, *id);
    for (size_t id = 1; id < weir_fields.count && r->what & REDACT_ADDRESSES; id++)
        if (is_address(weir_fields.fields[id].type)) want_add(w, (uint16_t)id);
}

/* prefix_kept returns how many bits at the beginning of an address stay; all of them: so does the address. */
static unsigned prefix_kept(const uint8_t *a, size_t n) {
    static const uint8_t zero[16];
    if (n == IPV4) {
        if (a[0] == 0 || a[0] == 127 || a[0] >= 224) return 32;
        return a[0] == 169 && a[1] == 254 ? 16 : 0;
    }
    if (a[0] == 0xff || (memcmp(a, zero, 15) == 0 && a[15] <= 1)) return 128;
    return a[0] == 0xfe && (a[1] & 0xc0) == 0x80 ? 64 : 0;
}

static void ip_map(const struct redact *r, uint8_t *a, size_t n) {
    uint8_t was[17] = {0}, seen[17] = {0};
    memcpy(was, a, n);
    for (unsigned bit = 0; bit < 8 * n; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit & 7));
        if (bit >= prefix_kept(was, n)) {
            seen[16] = (uint8_t)bit;
            if (hash_bytes(r->secret, seen, sizeof seen) & 1) a[bit / 8] ^= mask;
        }
        seen[bit / 8] |= was[bit / 8] & mask;
    }
}

static void ether_map(const struct redact *r, uint8_t *a) {
    static const uint8_t zero[ETHER];
    if (a[0] & 1 || memcmp(a, zero, ETHER) == 0) return;
    uint64_t h = hash_bytes(r->secret, a, ETHER);
    memcpy(a, &h, ETHER);
    a[0] = (uint8_t)((a[0] & 0xfc) | 2);
}

static void name_map(const struct redact *r, uint8_t *p, size_t n) {
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t h = hash_bytes(r->secret, p, n);
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)set[h % 36];
        h = hash_mix(h ^ r->secret.a, 0x9e3779b97f4a7c15u + i);
    }
}

static void topic_map(const struct redact *r, uint8_t *p, size_t n) {
    for (size_t at = 0; at < n;) {
        size_t len = 0;
        while (at + len < n && p[at + len] != '/') len++;
        bool wildcard = len == 1 && (p[at] == '+' || p[at] == '#');
        if (len && !wildcard && !(at == 0 && p[0] == '$')) name_map(r, p + at, len);
        at += len + 1;
    }
}

/* publish_keep returns how many bytes of the beginning of a PUBLISH stay, its topic being mapped; 0: it is none. */
static size_t publish_keep(const struct redact *r, uint8_t *p, size_t n) {
    struct mqtt_head h;
    if (mqtt_head_read(slice_of(p, n), &h) != READ_OK) return 0;
    if (h.type != MQTT_PUBLISH || (size_t)h.size + 2 > n) return h.size;
    size_t topic = load_be16(p + h.size), keep = (size_t)h.size + 2 + topic + ((h.flags & 6) ? 2 : 0);
    if (keep > n) return (size_t)h.size + 2;
    if (r->what & REDACT_TOPICS) topic_map(r, p + h.size + 2, topic);
    return keep;
}

/* begins_mqtt tells whether an MQTT packet begins at offset off, which goes on in a later segment. */
static bool begins_mqtt(const struct decode *d, uint32_t off) {
    const struct driver *dr = d->driver;
    if (!dr->flow || dr->flow->app != &proto_mqtt) return false;
    for (uint32_t i = 0; i < d->out->n; i++)
        if (d->out->v[i].id == FID_TCP_PDU_SIZE && d->out->v[i].off == off) return true;
    return false;
}

static void segment_wipe(const struct redact *r, const struct decode *d, uint32_t off, uint8_t *p, size_t n) {
    size_t keep = begins_mqtt(d, off) ? publish_keep(r, p, n) : 0;
    if (keep < n) memset(p + keep, 0, n - keep);
}

/* keeps_payload tells protocols whose content is either handled field by field or shows nothing. */
static bool keeps_payload(const struct decode *d) {
    const struct driver *dr = d->driver;
    if (dr->flow && dr->flow->app == &proto_mqtt) return true;
    for (uint8_t i = 0; i < d->layers; i++) {
        uint16_t id = d->layer[i].proto->id;
        if (id == FID_MQTT || id == FID_DNS || id == FID_TLS) return true;
    }
    return false;
}

static void value_map(const struct redact *r, const struct fval *f, uint8_t *p) {
    switch (f->id) {
    case FID_MQTT_CLIENTID:
    case FID_MQTT_USERNAME:
        if (r->what & REDACT_CLIENTS) name_map(r, p, f->len);
        break;
    case FID_MQTT_PASSWD:
        if (r->what & REDACT_CLIENTS) memset(p, 'x', f->len);
        break;
    case FID_MQTT_TOPIC:
    case FID_MQTT_WILLTOPIC:
        if (r->what & REDACT_TOPICS) topic_map(r, p, f->len);
        break;
    case FID_MQTT_MSG:
    case FID_MQTT_WILLMSG:
    case FID_MQTT_PROP_STRING:
    case FID_MQTT_PROP_KEY:
    case FID_MQTT_PROP_VALUE:
        if (r->what & REDACT_PAYLOADS) memset(p, 'x', f->len);
        break;
    default:
        if (!(r->what & REDACT_ADDRESSES)) break;
        if (field_of(f->id)->type == FT_ETHER && f->len == ETHER) ether_map(r, p);
        if (field_of(f->id)->type == FT_IPV4 && f->len == IPV4) ip_map(r, p, IPV4);
        if (field_of(f->id)->type == FT_IPV6 && f->len == IPV6) ip_map(r, p, IPV6);
    }
}

/* done_before tells whether an earlier field of the packet stands at the same place: addresses are listed several
 * times. */
static bool done_before(const struct fvec *v, uint32_t at) {
    for (uint32_t i = at; i > 0 && at - i < 64; i--)
        if (v->v[i - 1].off == v->v[at].off && v->v[i - 1].len == v->v[at].len && v->v[i - 1].src == 0 &&
            field_of(v->v[i - 1].id)->type == field_of(v->v[at].id)->type)
            return true;
    return false;
}

/* fragment_wipe clears what a fragment of a datagram carries behind a first header. */
static void fragment_wipe(const struct redact *r, uint32_t ip, uint8_t *bytes, size_t n) {
    enum { HEADER = 20 };
    if (!(r->what & REDACT_PAYLOADS) || ip + HEADER > n) return;
    uint16_t word = load_be16(bytes + ip + 6);
    size_t end = ip + load_be16(bytes + ip + 2), at = ip + (bytes[ip] & 15u) * 4;
    if (!(word & 0x3fff)) return;
    if (!(word & 0x1fff)) at += HEADER;
    if (end > n) end = n;
    if (at < end) memset(bytes + at, 0, end - at);
}

static void fields_map(const struct redact *r, const struct decode *d, uint8_t *bytes, size_t n) {
    const struct fvec *v = d->out;
    bool keeps = keeps_payload(d);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        if (f->src || f->off > n || f->len > n - f->off || !f->len) continue;
        if (f->id == FID_IP) fragment_wipe(r, f->off, bytes, n);
        else if (f->id == FID_TCP_SEGMENT_DATA) {
            if (r->what & (REDACT_PAYLOADS | REDACT_CLIENTS | REDACT_TOPICS))
                segment_wipe(r, d, f->off, bytes + f->off, f->len);
        } else if (f->id == FID_TCP_PAYLOAD || f->id == FID_UDP_PAYLOAD) {
            if (r->what & REDACT_PAYLOADS && !keeps) memset(bytes + f->off, 0, f->len);
        } else if (!done_before(v, i)) {
            value_map(r, f, bytes + f->off);
        }
    }
}

/* scope is what a checksum stands for. */
struct scope {
    size_t at, start, end;     /* place of the checksum, bytes it is over */
    size_t pseudo, pseudo_end; /* addresses it is over too */
    bool zero_is_none;
};

static size_t scopes_find(const struct decode *d, const uint8_t *bytes, size_t n, struct scope *out) {
    enum { IP_SUM = 10, IP_ADDRS = 12, TCP_SUM = 16, UDP_SUM = 6, ICMP_SUM = 2, IPV6_HEADER = 40, IPV6_ADDRS = 8 };
    size_t count = 0, end = n, pseudo = 0, pseudo_end = 0;
    for (uint32_t i = 0; i < d->out->n && count < SCOPES_MAX; i++) {
        const struct fval *f = &d->out->v[i];
        size_t off = f->off;
        if (f->src || off + 8 > n) continue;
        if (f->id == FID_IP && off + 20 <= n) {
            size_t total = load_be16(bytes + off + 2), head = (bytes[off] & 15u) * 4;
            end = total && off + total < n ? off + total : n;
            pseudo = off + IP_ADDRS;
            pseudo_end = pseudo + 8;
            out[count++] = (struct scope){.at = off + IP_SUM, .start = off, .end = off + head < n ? off + head : n};
        } else if (f->id == FID_IPV6 && off + IPV6_HEADER <= n) {
            size_t total = IPV6_HEADER + load_be16(bytes + off + 4);
            end = off + total < n ? off + total : n;
            pseudo = off + IPV6_ADDRS;
            pseudo_end = off + IPV6_HEADER;
        } else if (f->id == FID_TCP || f->id == FID_UDP || f->id == FID_ICMP || f->id == FID_ICMPV6) {
            bool icmp = f->id == FID_ICMP;
            size_t sum = f->id == FID_TCP ? TCP_SUM : f->id == FID_UDP ? UDP_SUM : ICMP_SUM;
            if (off + sum + 2 > n || off > end) continue;
            out[count++] = (struct scope){.at = off + sum,
                                          .start = off,
                                          .end = end,
                                          .pseudo = icmp ? 0 : pseudo,
                                          .pseudo_end = icmp ? 0 : pseudo_end,
                                          .zero_is_none = f->id == FID_UDP};
        }
    }
    return count;
}

static uint32_t sum_over(const uint8_t *p, size_t from, size_t to) {
    uint32_t sum = 0;
    for (size_t i = from; i < to; i += 2) {
        sum += (uint32_t)p[i] << 8 | (i + 1 < to ? p[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t difference(const uint8_t *was, const uint8_t *now, size_t from, size_t to) {
    return from < to ? sum_over(now, from, to) + (0xffff - sum_over(was, from, to)) : 0;
}

static void checksum_correct(const struct scope *s, const uint8_t *was, uint8_t *now) {
    uint16_t old = load_be16(was + s->at);
    if (s->zero_is_none && !old) return;
    size_t body = s->end - s->start, pseudo = s->pseudo_end - s->pseudo;
    if (memcmp(was + s->start, now + s->start, body) == 0 && memcmp(was + s->pseudo, now + s->pseudo, pseudo) == 0)
        return;
    uint32_t sum = (uint32_t)(uint16_t)~old + difference(was, now, s->start, s->end) +
                   difference(was, now, s->pseudo, s->pseudo_end);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    uint16_t new = (uint16_t)~sum;
    if (s->zero_is_none && !new) new = 0xffff;
    now[s->at] = (uint8_t)(new >> 8);
    now[s->at + 1] = (uint8_t) new;
}

void redact_packet(const struct redact *r, const struct decode *d, uint8_t *bytes) {
    struct scope scope[SCOPES_MAX];
    const uint8_t *was = d->pkt->data.p;
    size_t n = d->pkt->data.n;
    fields_map(r, d, bytes, n);
    for (size_t i = scopes_find(d, was, n, scope); i > 0; i--) checksum_correct(&scope[i - 1], was, bytes);
}
