/* SPDX-License-Identifier: Apache-2.0 */
/* A packet is taken apart into type, flags and body; a break changes one of them, or the way the length is written;
 * then it is put together again. Clauses are those of MQTT 5.0 that are broken. */
#include "craft/mqtt_break.h"
#include "base/reader.h"
#include "proto/mqtt/mqtt.h"
#include "proto/write.h"

enum { BODY_MAX = 1 << 20, TEXT_MAX = 65535 };

/* broken is a packet on its way. */
struct broken {
    uint8_t version, type, flags;
    struct writer body;
    int64_t length;     /* what the fixed header says */
    int padding;        /* bytes of a length that is not in its shortest form */
    struct writer *out; /* for breaks that write more than one packet */
};

#define BIT(type) (1u << (type))
enum {
    ANY = 0xfffe,
    CONNECT = BIT(MQTT_CONNECT),
    PUBLISH = BIT(MQTT_PUBLISH),
    SUBSCRIBE = BIT(MQTT_SUBSCRIBE),
    FILTERS = BIT(MQTT_SUBSCRIBE) | BIT(MQTT_UNSUBSCRIBE),
    ACKS = BIT(MQTT_PUBACK) | BIT(MQTT_PUBREC) | BIT(MQTT_PUBREL) | BIT(MQTT_PUBCOMP),
    TEXTS = CONNECT | PUBLISH | FILTERS
};

static uint8_t *at(struct broken *k, size_t i) { return (uint8_t *)k->body.buf + i; }
static size_t size(const struct broken *k) { return wr_len(&k->body); }

/* varint_at reads a length of a property list; its own bytes are counted in *n. 0 bytes: there is none. */
static size_t varint_at(struct broken *k, size_t i, size_t *n) {
    size_t v = 0;
    for (*n = 0; i + *n < size(k) && *n < 4;) {
        uint8_t b = *at(k, i + *n);
        v |= (size_t)(b & 127) << 7 * (*n)++;
        if (!(b & 128)) return v;
    }
    return *n = 0, 0;
}

/* text_of gives the place of the packet's text: client identifier, topic, first filter; false: it has none. */
static bool text_of(struct broken *k, size_t *place) {
    size_t i = 0, n;
    if (k->type == MQTT_CONNECT) i = size(k) < 2 ? 0 : 2 + load_be16(at(k, 0)) + 4u;
    else if (k->type != MQTT_PUBLISH) i = 2;
    if (k->type != MQTT_PUBLISH && k->version == MQTT_5) i += varint_at(k, i, &n) + n;
    *place = i;
    return i + 2 <= size(k) && i + 2 + load_be16(at(k, i)) <= size(k);
}

static void put16(uint8_t *p, size_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* text_insert puts bytes at the end of the packet's text. */
static bool text_insert(struct broken *k, struct slice bytes) {
    size_t i;
    if (!text_of(k, &i)) return false;
    size_t n = load_be16(at(k, i)), end = i + 2 + n;
    struct writer all = wr_grow();
    if (n + bytes.n > TEXT_MAX) return false;
    wr_bytes(&all, at(k, 0), end);
    wr_slice(&all, bytes);
    wr_bytes(&all, at(k, end), size(k) - end);
    wr_free(&k->body);
    k->body = all;
    if (all.err) return false;
    put16(at(k, i), n + bytes.n);
    return true;
}

/* text_empty takes the packet's text out. */
static bool text_empty(struct broken *k) {
    size_t i;
    if (!text_of(k, &i)) return false;
    size_t n = load_be16(at(k, i));
    memmove(at(k, i + 2), at(k, i + 2 + n), size(k) - i - 2 - n);
    k->body.p -= n;
    put16(at(k, i), 0);
    return true;
}

static bool more(struct broken *k) { return k->length = (int64_t)size(k) + 1, true; }
static bool less(struct broken *k) { return k->length = (int64_t)size(k) - 1, size(k) > 0; }
static bool huge(struct broken *k) { return k->length = MQTT_LENGTH_MAX, true; }
static bool five(struct broken *k) { return k->padding = 5, true; }
static bool padded(struct broken *k) { return k->padding = 4, size(k) < 1 << 21; }
static bool flags(struct broken *k) {
    return k->flags ^= k->type == MQTT_PUBREL || k->type == MQTT_SUBSCRIBE || k->type == MQTT_UNSUBSCRIBE ? 2 : 1, true;
}
static bool reserved_type(struct broken *k) { return k->type = 0, true; }
static bool auth_type(struct broken *k) { return k->type = MQTT_AUTH, true; }
static bool server_type(struct broken *k) {
    k->type = MQTT_CONNACK;
    k->flags = 0;
    wr_reset(&k->body);
    put_be16(&k->body, 0);
    if (k->version == MQTT_5) put_be8(&k->body, 0);
    return true;
}

static bool qos_3(struct broken *k) {
    if (k->type == MQTT_SUBSCRIBE) return size(k) > 4 ? *at(k, size(k) - 1) |= 3, true : false;
    if (!(k->flags & 6)) { /* a packet identifier, as every QoS but 0 has */
        size_t i;
        if (!text_of(k, &i)) return false;
        size_t end = i + 2 + load_be16(at(k, i));
        wr_bytes(&k->body, "\0\1", 2);
        if (k->body.err) return false;
        memmove(at(k, end + 2), at(k, end), size(k) - end - 2);
        put16(at(k, end), 1);
    }
    return k->flags |= 6, true;
}

static bool dup(struct broken *k) { return k->flags |= 8, !(k->flags & 6); }

static bool packet_id(struct broken *k) {
    size_t i = 0;
    if (k->type == MQTT_PUBLISH) {
        if (!(k->flags & 6) || !text_of(k, &i)) return false;
        i += 2 + load_be16(at(k, i));
    }
    if (i + 2 > size(k)) return false;
    put16(at(k, i), 0);
    return true;
}

static bool wildcard(struct broken *k) { return text_insert(k, SLICE("/#")); }
static bool hash_inside(struct broken *k) { return text_insert(k, SLICE("/#/x")); }
static bool utf8(struct broken *k) { return text_insert(k, SLICE("\xc3\x28")); }
static bool surrogate(struct broken *k) { return text_insert(k, SLICE("\xed\xa0\x80")); }
static bool nul(struct broken *k) { return text_insert(k, SLICE("\0")); }

static bool text_length(struct broken *k) {
    size_t i;
    if (!text_of(k, &i)) return false;
    put16(at(k, i), TEXT_MAX);
    return true;
}

static bool no_topics(struct broken *k) {
    size_t i;
    if (!text_of(k, &i)) return false;
    k->body.p = k->body.buf + i;
    return true;
}

static bool protocol_name(struct broken *k) { return size(k) > 6 ? *at(k, 2) ^= 0x20, true : false; }
/* level gives the place of the protocol's version and, behind it, the connect flags; NULL: the packet is too short. */
static uint8_t *level(struct broken *k) {
    size_t i = size(k) < 2 ? size(k) : 2u + load_be16(at(k, 0));
    return i + 2 <= size(k) ? at(k, i) : NULL;
}
static bool protocol_level(struct broken *k) { return level(k) ? *level(k) = 99, true : false; }
static bool connect_flag(struct broken *k) { return level(k) ? level(k)[1] |= 1, true : false; }
static bool will_qos(struct broken *k) { return level(k) ? level(k)[1] |= MQTT_WILL_QOS, true : false; }
static bool will_missing(struct broken *k) {
    return level(k) && !(level(k)[1] & MQTT_WILL) ? level(k)[1] |= MQTT_WILL, true : false;
}
static bool user_missing(struct broken *k) {
    return level(k) && !(level(k)[1] & MQTT_USER_NAME) ? level(k)[1] |= MQTT_USER_NAME, true : false;
}

static bool password_only(struct broken *k) {
    if (!level(k) || (level(k)[1] & MQTT_USER_NAME)) return false;
    level(k)[1] |= MQTT_PASSWORD;
    put_be16(&k->body, 6);
    wr_s(&k->body, "secret");
    return !k->body.err;
}

static bool client_id(struct broken *k) {
    return text_empty(k) && level(k) ? level(k)[1] &= (uint8_t)~MQTT_CLEAN, true : false;
}
static bool trailing(struct broken *k) {
    return wr_bytes(&k->body, "\xde\xad\xbe", 3), k->type != MQTT_PUBLISH && !k->body.err;
}

/* properties puts bytes before the properties of the packet. */
static bool properties(struct broken *k, struct slice bytes) {
    size_t i = 0, n;
    if (k->type == MQTT_CONNECT) i = size(k) < 2 ? 0 : 2 + load_be16(at(k, 0)) + 4u;
    else if (k->type == MQTT_PUBLISH)
        i = !text_of(k, &i) ? SIZE_MAX / 2 : i + 2 + load_be16(at(k, i)) + (k->flags & 6 ? 2 : 0);
    else i = 2;
    if (i >= size(k)) return false;
    size_t had = varint_at(k, i, &n);
    if (!n || had + bytes.n > 127) return false;
    struct writer all = wr_grow();
    wr_bytes(&all, at(k, 0), i);
    put_be8(&all, (int64_t)(had + bytes.n));
    wr_slice(&all, bytes);
    wr_bytes(&all, at(k, i + n), size(k) - i - n);
    wr_free(&k->body);
    k->body = all;
    return !all.err;
}

static bool property_unknown(struct broken *k) { return properties(k, SLICE("\x7f\1")); }
static bool property_place(struct broken *k) { return properties(k, SLICE("\x24\1")); }
static bool property_twice(struct broken *k) {
    if (k->type == MQTT_CONNECT) return properties(k, SLICE("\x11\0\0\0\x3c\x11\0\0\0\x3c"));
    return k->type == MQTT_PUBLISH ? properties(k, SLICE("\1\0\1\0")) : false;
}
static bool property_length(struct broken *k) {
    if (!properties(k, SLICE(""))) return false;
    size_t i = k->type == MQTT_CONNECT ? 2 + load_be16(at(k, 0)) + 4u : 2, n;
    if (k->type == MQTT_PUBLISH) i = 2 + load_be16(at(k, 0)) + (k->flags & 6 ? 2u : 0u);
    (void)varint_at(k, i, &n);
    return n ? *at(k, i) = 0x7f, true : false;
}
static bool alias_zero(struct broken *k) { return properties(k, SLICE("\x23\0\0")); }

static bool twice(struct broken *k) { return k->out != NULL; } /* see mqtt_break_apply */
static bool nothing(struct broken *k) { return k->out != NULL; }

const struct mqtt_break mqtt_breaks[] = {
    {"remaining-length", "the length says one byte more than there is", ANY, 0, false},
    {"remaining-length-less", "the length says one byte less than there is", ANY, 0, false},
    {"remaining-length-huge", "the length says 268435455 bytes", ANY, 0, false},
    {"remaining-length-five", "the length is written in five bytes", ANY, 0, false},
    {"remaining-length-padded", "the length is not in its shortest form", ANY, 0, false},
    {"flags", "the reserved flags of the fixed header have the wrong value", ANY & ~PUBLISH, 0, false},
    {"type-0", "the packet type is 0, which is reserved", ANY, 0, false},
    {"type-15", "the packet type is AUTH", ANY, 0, false},
    {"server-packet", "the client sends CONNACK", ANY & ~CONNECT, 0, false},
    {"qos-3", "the QoS is 3", PUBLISH | SUBSCRIBE, 0, false},
    {"dup-qos-0", "DUP is set on a message of QoS 0", PUBLISH, 0, false},
    {"packet-id-0", "the packet identifier is 0", PUBLISH | FILTERS | ACKS, 0, false},
    {"topic-wildcard", "the topic of a message has a wildcard", PUBLISH, 0, false},
    {"topic-empty", "the topic is empty", PUBLISH | FILTERS, 0, false},
    {"filter-hash", "# is not the last level of the filter", FILTERS, 0, false},
    {"no-topics", "there is no topic filter", FILTERS, 0, false},
    {"text-length", "a text is said to be longer than the packet", TEXTS, 0, false},
    {"utf8", "a text is not UTF-8", TEXTS, 0, false},
    {"utf8-surrogate", "a text has a surrogate, U+D800", TEXTS, 0, false},
    {"utf8-nul", "a text has U+0000", TEXTS, 0, false},
    {"protocol-name", "the protocol's name is wrong", CONNECT, 0, false},
    {"protocol-level", "the protocol's version is 99", CONNECT, 0, false},
    {"connect-flag", "the reserved connect flag is set", CONNECT, 0, false},
    {"will-qos-3", "the QoS of the will is 3", CONNECT, 0, false},
    {"will-missing", "the will flag is set, and there is no will", CONNECT, 0, false},
    {"user-missing", "the user name flag is set, and there is no user name", CONNECT, 0, false},
    {"password-only", "there is a password and no user name (wrong before 5.0)", CONNECT, 0, false},
    {"client-id", "the client identifier is empty without a clean session", CONNECT, 0, false},
    {"trailing", "three bytes too many in the packet", ANY & ~PUBLISH, 0, false},
    {"truncated", "the last byte is missing, and the connection ends", ANY, 0, true},
    {"connect-twice", "CONNECT is sent twice", CONNECT, 0, false},
    {"no-connect", "CONNECT is left out", CONNECT, 0, false},
    {"garbage", "bytes that are no MQTT instead of the packet", ANY, 0, false},
    {"property-unknown", "a property that does not exist", CONNECT | PUBLISH | FILTERS, MQTT_5, false},
    {"property-place", "a property that does not belong into the packet", CONNECT | PUBLISH | FILTERS, MQTT_5, false},
    {"property-twice", "a property that may appear once appears twice", CONNECT | PUBLISH, MQTT_5, false},
    {"property-length", "the properties are longer than the packet", CONNECT | PUBLISH | FILTERS, MQTT_5, false},
    {"alias-0", "the topic alias is 0", PUBLISH, MQTT_5, false},
};
const size_t mqtt_breaks_count = sizeof mqtt_breaks / sizeof *mqtt_breaks;

static bool truncated(struct broken *k) { return k->out != NULL; }

static bool (*const how[])(struct broken *) = {
    more,
    less,
    huge,
    five,
    padded,
    flags,
    reserved_type,
    auth_type,
    server_type,
    qos_3,
    dup,
    packet_id,
    wildcard,
    text_empty,
    hash_inside,
    no_topics,
    text_length,
    utf8,
    surrogate,
    nul,
    protocol_name,
    protocol_level,
    connect_flag,
    will_qos,
    will_missing,
    user_missing,
    password_only,
    client_id,
    trailing,
    truncated,
    twice,
    nothing,
    nothing,
    property_unknown,
    property_place,
    property_twice,
    property_length,
    alias_zero,
};
_Static_assert(sizeof how / sizeof *how == sizeof mqtt_breaks / sizeof *mqtt_breaks, "every break has its way");

int mqtt_break_find(const char *name) {
    for (size_t i = 0; i < mqtt_breaks_count; i++)
        if (!strcmp(name, mqtt_breaks[i].name)) return (int)i;
    return -1;
}

static void length_put(struct writer *w, uint64_t v, int padding) {
    for (int n = 1;; n++, v >>= 7) {
        bool last = padding ? n == padding : v < 128;
        put_be8(w, (int64_t)(v & 127) | (last ? 0 : 128));
        if (last) return;
    }
}

/* whole writes breaks that are about the packet as a whole; false: it is none of them. */
static bool whole(int which, struct slice packet, struct writer *out) {
    static const char garbage[] = "GET / HTTP/1.1\r\n\r\n";
    if (how[which] == truncated) return wr_slice(out, slice_head(packet, packet.n - 1)), true;
    if (how[which] == twice) return wr_slice(out, packet), wr_slice(out, packet), true;
    if (how[which] != nothing) return false;
    if (!strcmp(mqtt_breaks[which].name, "garbage")) wr_s(out, garbage);
    return true;
}

bool mqtt_break_apply(int which, uint8_t version, struct slice packet, struct writer *out) {
    const struct mqtt_break *b = &mqtt_breaks[which];
    size_t head = 1;
    if (packet.n < 2 || packet.n > BODY_MAX || !(b->types >> (packet.p[0] >> 4) & 1) ||
        (b->versions && b->versions != version))
        return false;
    while (head < packet.n && head < 5 && (packet.p[head] & 128)) head++;
    if (++head > packet.n) return false;
    if (whole(which, packet, out)) return true;
    struct broken k = {.version = version,
                       .type = packet.p[0] >> 4,
                       .flags = packet.p[0] & 15,
                       .body = wr_grow(),
                       .length = -1,
                       .out = out};
    wr_slice(&k.body, slice_tail(packet, head));
    put_be8(&k.body, 0); /* so that there is a buffer */
    k.body.p -= !k.body.err;
    bool fits = !k.body.err && how[which](&k);
    if (fits) {
        put_be8(out, k.type << 4 | k.flags);
        length_put(out, (uint64_t)(k.length < 0 ? (int64_t)size(&k) : k.length), k.padding);
        wr_slice(out, wr_done(&k.body));
    }
    wr_free(&k.body);
    return fits;
}
