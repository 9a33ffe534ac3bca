/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT: the fixed header and the fifteen packet types.
 *
 * A packet's length stands in its fixed header (MQTT 2.1.4), so its framing survives whatever is wrong inside: all
 * violations but a length of five bytes are anomalies. A packet whose fields need more bytes than it has is
 * malformed; the packets behind it are read as usual. What earlier packets mean for this one is in mqtt_session.c,
 * properties are in mqtt_properties.c, the rules of texts in mqtt_check.c. */
#include "base/utf8.h"
#include "proto/mqtt/mqtt.h"
#include "proto/protos.h"

#include <assert.h>

enum read_status mqtt_head_read(struct slice in, struct mqtt_head *h) {
    *h = (struct mqtt_head){0};
    if (!in.n) return READ_MORE;
    h->type = in.p[0] >> 4;
    h->flags = in.p[0] & 15;
    for (unsigned i = 0; i < MQTT_LENGTH_BYTES; i++) {
        if (in.n < 2 + i) return READ_MORE;
        uint8_t byte = in.p[1 + i];
        h->length |= (uint32_t)(byte & 127) << (7 * i);
        if (byte & 128) continue;
        h->size = (uint8_t)(2 + i);
        h->overlong = i && !byte;
        return READ_OK;
    }
    return READ_BAD; /* the fourth byte says that there is a fifth, MQTT 1.5.5, 3.1.1 2.2.3 */
}

static struct read_result framed(struct slice in, struct mqtt_head *h) {
    enum read_status status = mqtt_head_read(in, h);
    if (status != READ_OK) return (struct read_result){.status = status, .needed = status == READ_MORE ? in.n + 1 : 0};
    size_t total = (size_t)h->size + h->length;
    if (in.n < total) return (struct read_result){.status = READ_MORE, .needed = total};
    return (struct read_result){.status = READ_OK, .consumed = total};
}

static struct read_result mqtt_frame(struct slice in) {
    struct mqtt_head h;
    return framed(in, &h);
}

uint32_t mqtt_varint(struct reader *r, bool *overlong) {
    uint32_t value = 0;
    for (unsigned i = 0; i < MQTT_LENGTH_BYTES; i++) {
        uint8_t byte = rd_u8(r);
        value |= (uint32_t)(byte & 127) << (7 * i);
        if (byte & 128) continue;
        *overlong = rd_ok(r) && i && !byte;
        return rd_ok(r) ? value : 0;
    }
    rd_fail(r);
    *overlong = false;
    return 0;
}

/* text_get reads a text with its length before it, MQTT 1.5.4. */
static struct slice text_get(struct mqtt_message *m, uint16_t len_id, uint16_t id, enum mqtt_text kind) {
    uint16_t len = get_be16(m->d, &m->r, len_id);
    uint32_t off = rd_off(&m->r);
    struct slice s = get_bytes(m->d, &m->r, id, len);
    if (rd_ok(&m->r)) mqtt_text_check(m, kind, s, off);
    return s;
}

/* anomaly_if adds an anomaly about the last `len` bytes read. */
static void anomaly_if(struct mqtt_message *m, bool wrong, uint16_t id, uint32_t len) {
    if (wrong && rd_ok(&m->r)) d_anomaly(m->d, id, rd_off(&m->r) - len, len);
}

static void packet_id_get(struct mqtt_message *m) {
    m->id = get_be16(m->d, &m->r, FID_MQTT_MSGID);
    anomaly_if(m, !m->id, FID_MQTT_A_PACKET_ID, 2);
}

static void no_more(struct mqtt_message *m) {
    if (rd_ok(&m->r) && rd_left(&m->r)) d_anomaly(m->d, FID_MQTT_A_TRAILING, rd_off(&m->r), (uint32_t)rd_left(&m->r));
}

/* group_open opens the subtree of a byte of bits. */
static void group_open(struct decode *d, uint16_t id, uint32_t off, uint8_t value) {
    struct fval *f = fv_at(d->out, fv_open(d->out, id, off, 1));
    if (f) f->u = value;
}

static void flags_add(struct mqtt_message *m, uint32_t off) {
    struct fvec *v = m->d->out;
    uint8_t flags = m->head.flags, type = m->head.type;
    bool as_publish = type == MQTT_PUBLISH;
    /* 3.1 gave PUBREL, SUBSCRIBE and UNSUBSCRIBE a DUP flag and a QoS. */
    bool as_old = m->version == MQTT_31 && (type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE);
    if (!as_publish && !as_old) {
        fv_u(v, FID_MQTT_HDR_RESERVED, off, 1, flags);
        return;
    }
    m->dup = flags >> 3;
    fv_u(v, FID_MQTT_DUPFLAG, off, 1, m->dup);
    fv_u(v, FID_MQTT_QOS, off, 1, flags >> 1 & 3);
    fv_u(v, as_publish ? FID_MQTT_RETAIN : FID_MQTT_RETAIN_RESERVED, off, 1, flags & 1);
}

static void flags_check(struct mqtt_message *m, uint32_t off) {
    uint8_t flags = m->head.flags, type = m->head.type;
    if (type == MQTT_PUBLISH) {
        if ((flags >> 1 & 3) == 3) d_anomaly(m->d, FID_MQTT_A_QOS, off, 1);
        if (flags & 8 && !(flags & 6)) d_anomaly(m->d, FID_MQTT_A_DUP, off, 1);
        return;
    }
    if (type == MQTT_RESERVED || (type == MQTT_AUTH && m->version != MQTT_5 && m->version != MQTT_UNKNOWN)) {
        d_anomaly(m->d, FID_MQTT_A_TYPE, off, 1);
        return;
    }
    bool asks = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
    bool old = m->version == MQTT_31 || (type == MQTT_CONNECT && slice_starts(rd_rest(&m->r), SLICE("\0\6MQIsdp")));
    if (old) { /* there the flags of other packets are not used, and DUP is allowed */
        if (asks && (flags & 6) != 2) d_anomaly(m->d, FID_MQTT_A_FLAGS, off, 1);
    } else if (flags != (asks ? 2 : 0)) {
        d_anomaly(m->d, FID_MQTT_A_FLAGS, off, 1);
    }
}

static void head_add(struct mqtt_message *m, uint32_t off) {
    struct fvec *v = m->d->out;
    if (m->c->version == MQTT_UNKNOWN && m->head.type != MQTT_CONNECT)
        d_anomaly(m->d, FID_MQTT_UNKNOWN_VERSION, off, 0);
    group_open(m->d, FID_MQTT_HDRFLAGS, off, (uint8_t)(m->head.type << 4 | m->head.flags));
    fv_u(v, FID_MQTT_MSGTYPE, off, 1, m->head.type);
    flags_add(m, off);
    flags_check(m, off);
    fv_close(v);
    fv_u(v, FID_MQTT_LEN, off + 1, m->head.size - 1u, m->head.length);
    if (m->head.overlong) d_anomaly(m->d, FID_MQTT_A_LENGTH, off + 1, m->head.size - 1u);
    mqtt_session_packet(m, off);
}

static uint8_t connect_flags_get(struct mqtt_message *m) {
    struct decode *d = m->d;
    uint32_t off = rd_off(&m->r);
    uint8_t f = rd_u8(&m->r);
    if (!rd_ok(&m->r)) return 0;
    group_open(d, FID_MQTT_CONFLAGS, off, f);
    fv_u(d->out, FID_MQTT_CONFLAG_UNAME, off, 1, f >> 7);
    fv_u(d->out, FID_MQTT_CONFLAG_PASSWD, off, 1, f >> 6 & 1);
    fv_u(d->out, FID_MQTT_CONFLAG_RETAIN, off, 1, f >> 5 & 1);
    fv_u(d->out, FID_MQTT_CONFLAG_QOS, off, 1, f >> 3 & 3);
    fv_u(d->out, FID_MQTT_CONFLAG_WILL, off, 1, f >> 2 & 1);
    fv_u(d->out, FID_MQTT_CONFLAG_CLEAN, off, 1, f >> 1 & 1);
    fv_u(d->out, FID_MQTT_CONFLAG_RESERVED, off, 1, f & 1);
    if (f & 1 && m->version != MQTT_31) d_anomaly(d, FID_MQTT_A_CONNECT_FLAG, off, 1);
    if ((f & MQTT_WILL_QOS) == MQTT_WILL_QOS) d_anomaly(d, FID_MQTT_A_WILL_QOS, off, 1);
    if (!(f & MQTT_WILL) && f & (MQTT_WILL_QOS | MQTT_WILL_RETAIN)) d_anomaly(d, FID_MQTT_A_WILL_FLAGS, off, 1);
    if (f & MQTT_PASSWORD && !(f & MQTT_USER_NAME) && m->version != MQTT_5) d_anomaly(d, FID_MQTT_A_PASSWORD, off, 1);
    fv_close(d->out);
    return f;
}

/* protocol_get reads protocol name and version; a bridge sets the version's top bit. */
static void protocol_get(struct mqtt_message *m) {
    struct slice name = text_get(m, FID_MQTT_PROTO_LEN, FID_MQTT_PROTONAME, MQTT_TEXT);
    bool old = slice_eq(name, SLICE("MQIsdp"));
    anomaly_if(m, !old && !slice_eq(name, SLICE("MQTT")), FID_MQTT_A_PROTOCOL_NAME, (uint32_t)name.n);
    uint8_t level = get_u8(m->d, &m->r, FID_MQTT_VER);
    uint8_t version = level == (0x80 | MQTT_31) || level == (0x80 | MQTT_311) ? level & 0x7f : level;
    bool known = version >= MQTT_31 && version <= MQTT_5 && old == (version == MQTT_31);
    anomaly_if(m, !known, FID_MQTT_A_PROTOCOL_LEVEL, 1);
    if (rd_ok(&m->r)) m->version = version;
}

/* length_anomaly says below a topic's length that it must not be 0. */
static void length_anomaly(struct mqtt_message *m, uint32_t off) {
    m->d->out->depth++;
    d_anomaly(m->d, FID_MQTT_ILLEGAL_TOPIC_LENGTH, off, 0);
    fv_close(m->d->out);
}

static void will_read(struct mqtt_message *m) {
    if (m->version == MQTT_5) mqtt_properties_read(m, true);
    uint32_t off = rd_off(&m->r);
    m->will_topic = text_get(m, FID_MQTT_WILLTOPIC_LEN, FID_MQTT_WILLTOPIC, MQTT_TOPIC);
    if (rd_ok(&m->r) && !m->will_topic.n) length_anomaly(m, off);
    uint16_t len = get_be16(m->d, &m->r, FID_MQTT_WILLMSG_LEN);
    m->will_payload = get_bytes(m->d, &m->r, FID_MQTT_WILLMSG, len);
}

static void connect_read(struct mqtt_message *m) {
    struct reader *r = &m->r;
    struct decode *d = m->d;
    protocol_get(m);
    uint8_t flags = m->connect_flags = connect_flags_get(m);
    m->keep_alive = get_be16(d, r, FID_MQTT_KALIVE);
    if (rd_ok(r)) mqtt_session_connect(m, m->version);
    if (m->version == MQTT_5) mqtt_properties_read(m, false);
    if (rd_ok(r)) mqtt_session_takes(m);
    m->client_id = text_get(m, FID_MQTT_CLIENTID_LEN, FID_MQTT_CLIENTID, MQTT_TEXT);
    anomaly_if(m, !m->client_id.n && m->version == MQTT_311 && !(flags & MQTT_CLEAN), FID_MQTT_A_CLIENT_ID, 2);
    if (flags & MQTT_WILL) will_read(m);
    if (flags & MQTT_USER_NAME) m->user_name = text_get(m, FID_MQTT_USERNAME_LEN, FID_MQTT_USERNAME, MQTT_TEXT);
    if (flags & MQTT_PASSWORD) {
        uint16_t len = get_be16(d, r, FID_MQTT_PASSWD_LEN);
        get_bytes(d, r, FID_MQTT_PASSWD, len);
    }
    no_more(m);
}

/* code_get reads a return or reason code; where there are several they follow each other. */
static uint8_t code_get(struct mqtt_message *m, uint16_t id) {
    const uint8_t *at = m->codes.n ? m->codes.p : m->r.p;
    m->code = get_u8(m->d, &m->r, id);
    if (rd_ok(&m->r)) m->codes = slice_of(at, m->codes.n + 1);
    return m->code;
}

/* reason_get reads a reason code and checks that the packet may hold it. */
static uint8_t reason_get(struct mqtt_message *m, uint16_t id, uint16_t anomaly) {
    uint8_t code = code_get(m, id);
    anomaly_if(m, !field_value_name(field_of(id)->values, code), anomaly, 1);
    return code;
}

static uint8_t connack_flags_get(struct mqtt_message *m) {
    struct decode *d = m->d;
    uint32_t off = rd_off(&m->r);
    uint8_t f = rd_u8(&m->r);
    if (!rd_ok(&m->r)) return 0;
    if (m->version == MQTT_31) { /* there the byte has no meaning yet */
        struct fval *reserved = fv_u(d->out, FID_MQTT_CONACK_RESERVED, off, 1, f);
        if (reserved) reserved->extra = MQTT_31;
        return 0;
    }
    group_open(d, FID_MQTT_CONACK_FLAGS, off, f);
    fv_u(d->out, FID_MQTT_CONACK_RESERVED, off, 1, f >> 1);
    m->session = f & 1;
    fv_u(d->out, FID_MQTT_CONACK_SP, off, 1, m->session);
    if (f > 1) d_anomaly(d, FID_MQTT_A_CONACK_FLAGS, off, 1);
    fv_close(d->out);
    return f;
}

static void connack_read(struct mqtt_message *m) {
    uint8_t flags = connack_flags_get(m);
    bool codes = m->version != MQTT_31 && m->version != MQTT_311;
    uint8_t code = reason_get(m, codes ? FID_MQTT_CONNACK_REASON : FID_MQTT_CONACK_VAL, FID_MQTT_A_REASON);
    anomaly_if(m, flags & 1 && code, FID_MQTT_A_SESSION_PRESENT, 2);
    if (m->version == MQTT_5) mqtt_properties_read(m, false);
    if (rd_ok(&m->r)) mqtt_session_takes(m);
    no_more(m);
}

/* topic_get reads the topic name of a PUBLISH; it may be empty where a topic alias stands for it. */
static struct slice topic_get(struct mqtt_message *m) {
    uint32_t len_off = rd_off(&m->r);
    uint16_t len = get_be16(m->d, &m->r, FID_MQTT_TOPIC_LEN);
    uint32_t off = rd_off(&m->r);
    if (len == 0 && rd_ok(&m->r)) {
        struct slice properties = slice_tail(rd_rest(&m->r), m->head.flags & 6 ? 2 : 0);
        if (m->version != MQTT_5 || !mqtt_properties_have(properties, MQTT_P_ALIAS)) length_anomaly(m, len_off);
        return (struct slice){0};
    }
    struct slice topic = get_bytes(m->d, &m->r, FID_MQTT_TOPIC, len);
    if (rd_ok(&m->r)) mqtt_text_check(m, MQTT_TOPIC, topic, off);
    return topic;
}

/* alias_use sets or resolves a topic alias, MQTT 3.3.2.3.4; the resolved name stands behind the properties. */
static void alias_use(struct mqtt_message *m) {
    struct decode *d = m->d;
    struct slice topic = m->topic;
    int to = 1 - m->from;
    bool client_takes = m->c->client == to + 1;
    bool limit_known = m->c->client && (client_takes ? m->c->connect : m->c->connack);
    if (m->alias_there && !m->alias) d_anomaly(d, FID_MQTT_A_ALIAS_ZERO, m->alias_off, 2);
    if (limit_known && m->alias > m->c->alias_max[to]) d_anomaly(d, FID_MQTT_A_ALIAS_MAX, m->alias_off, 2);
    if (topic.n) {
        mqtt_alias_set(m->c, m->from, m->alias, topic);
        return;
    }
    uint32_t off = rd_off(&m->r);
    struct slice known = arena_copy(d->arena, mqtt_alias_get(m->c, m->from, m->alias));
    m->topic = known;
    m->by_alias = true;
    fv_gen(fv_s(d->out, FID_MQTT_TOPIC, off, 0, known));
    if (known.n || m->c->forgot[m->from]) return;
    d->out->depth++;
    d_anomaly(d, FID_MQTT_UNKNOWN_TOPIC_ALIAS, off, 0);
    fv_close(d->out);
}

/* payload_is_text tells whether what is there of the payload is UTF-8; a last character that is cut counts as such. */
static bool payload_is_text(const struct mqtt_message *m) {
    for (size_t drop = 0; drop <= (m->cut ? 3u : 0u) && drop <= m->payload.n; drop++)
        if (utf8_valid(slice_head(m->payload, m->payload.n - drop))) return true;
    return false;
}

static void publish_read(struct mqtt_message *m) {
    m->topic = topic_get(m);
    if (m->head.flags & 6) packet_id_get(m);
    if (m->version == MQTT_5) mqtt_properties_read(m, false);
    if (!rd_ok(&m->r)) return;
    if (m->alias_there) alias_use(m);
    uint32_t off = rd_off(&m->r), len = (uint32_t)rd_left(&m->r) + m->left_out;
    m->payload = get_bytes(m->d, &m->r, FID_MQTT_MSG, len);
    if (rd_ok(&m->r) && m->text_payload && d_wants(m->d, FID_MQTT_A_PAYLOAD) && !payload_is_text(m))
        d_anomaly(m->d, FID_MQTT_A_PAYLOAD, off, len);
}

static void ack_read(struct mqtt_message *m) {
    static const uint16_t ids[MQTT_TYPES] = {[MQTT_PUBACK] = FID_MQTT_PUBACK_REASON,
                                             [MQTT_PUBREC] = FID_MQTT_PUBREC_REASON,
                                             [MQTT_PUBREL] = FID_MQTT_PUBREL_REASON,
                                             [MQTT_PUBCOMP] = FID_MQTT_PUBCOMP_REASON};
    packet_id_get(m);
    if (m->version == MQTT_5 && rd_left(&m->r)) { /* both may be left out, MQTT 3.4.2.1, 3.4.2.2.1 */
        reason_get(m, ids[m->head.type], FID_MQTT_A_REASON);
        if (rd_left(&m->r)) mqtt_properties_read(m, false);
    }
    no_more(m);
}

static struct slice filter_get(struct mqtt_message *m) {
    uint32_t len_off = rd_off(&m->r);
    uint16_t len = get_be16(m->d, &m->r, FID_MQTT_TOPIC_LEN);
    uint32_t off = rd_off(&m->r);
    if (len == 0 && rd_ok(&m->r)) {
        length_anomaly(m, len_off);
        return (struct slice){0};
    }
    struct slice filter = get_bytes(m->d, &m->r, FID_MQTT_TOPIC, len);
    if (rd_ok(&m->r)) mqtt_text_check(m, MQTT_FILTER, filter, off);
    return filter;
}

bool mqtt_filter_next(struct slice *filters, uint8_t type, struct slice *filter, uint8_t *options) {
    struct reader r = rd_init(*filters, filters->p);
    *filter = rd_take(&r, rd_be16(&r));
    *options = type == MQTT_SUBSCRIBE ? rd_u8(&r) : 0;
    if (!rd_ok(&r)) return false;
    *filters = rd_rest(&r);
    return true;
}

static void sub_options_get(struct mqtt_message *m, struct slice filter) {
    struct decode *d = m->d;
    uint32_t off = rd_off(&m->r);
    uint8_t o = rd_u8(&m->r);
    if (!rd_ok(&m->r)) return;
    if (m->version != MQTT_5) {
        fv_u(d->out, FID_MQTT_SUB_QOS, off, 1, o);
        if ((o & 3) == 3) d_anomaly(d, FID_MQTT_A_SUB_QOS, off, 1);
        if (o & 0xfc && m->version != MQTT_31) d_anomaly(d, FID_MQTT_A_SUBOPT, off, 1);
        return;
    }
    group_open(d, FID_MQTT_SUBOPT, off, o);
    fv_u(d->out, FID_MQTT_SUBOPT_RESERVED, off, 1, o >> 6);
    fv_u(d->out, FID_MQTT_SUBOPT_RETAIN, off, 1, o >> 4 & 3);
    fv_u(d->out, FID_MQTT_SUBOPT_RAP, off, 1, o >> 3 & 1);
    fv_u(d->out, FID_MQTT_SUBOPT_NL, off, 1, o >> 2 & 1);
    fv_u(d->out, FID_MQTT_SUBOPT_QOS, off, 1, o & 3);
    if (o & 0xc0) d_anomaly(d, FID_MQTT_A_SUBOPT, off, 1);
    if ((o >> 4 & 3) == 3) d_anomaly(d, FID_MQTT_A_RETAIN_HANDLING, off, 1);
    if ((o & 3) == 3) d_anomaly(d, FID_MQTT_A_SUB_QOS, off, 1);
    if (o & 4 && mqtt_filter_shared(filter)) d_anomaly(d, FID_MQTT_A_SHARE_NO_LOCAL, off, 1);
    fv_close(d->out);
}

static void subscribe_read(struct mqtt_message *m) {
    packet_id_get(m);
    if (m->version == MQTT_5) mqtt_properties_read(m, false);
    anomaly_if(m, !rd_left(&m->r), FID_MQTT_A_NO_FILTER, 0);
    m->filters = rd_rest(&m->r);
    while (rd_ok(&m->r) && rd_left(&m->r)) {
        struct slice filter = filter_get(m);
        if (m->head.type == MQTT_SUBSCRIBE) sub_options_get(m, filter);
    }
}

static void suback_read(struct mqtt_message *m) {
    packet_id_get(m);
    if (m->version == MQTT_5) mqtt_properties_read(m, false);
    anomaly_if(m, !rd_left(&m->r), FID_MQTT_A_NO_CODE, 0);
    while (rd_ok(&m->r) && rd_left(&m->r)) {
        if (m->version != MQTT_31 && m->version != MQTT_311) {
            reason_get(m, FID_MQTT_SUBACK_REASON, FID_MQTT_A_REASON);
        } else {
            uint8_t code = code_get(m, FID_MQTT_SUBACK_QOS);
            anomaly_if(m, code > 2 && code != 128, FID_MQTT_A_SUBACK, 1);
        }
    }
}

static void unsuback_read(struct mqtt_message *m) {
    packet_id_get(m);
    if (m->version != MQTT_5) {
        no_more(m);
        return;
    }
    mqtt_properties_read(m, false);
    anomaly_if(m, !rd_left(&m->r), FID_MQTT_A_NO_CODE, 0);
    while (rd_ok(&m->r) && rd_left(&m->r)) reason_get(m, FID_MQTT_UNSUBACK_REASON, FID_MQTT_A_REASON);
}

static void close_read(struct mqtt_message *m) {
    uint16_t id = m->head.type == MQTT_AUTH ? FID_MQTT_AUTH_REASON : FID_MQTT_DISCONNECT_REASON;
    if (m->version == MQTT_5 && rd_left(&m->r)) { /* both may be left out, MQTT 3.14.2.1, 3.15.2.1 */
        reason_get(m, id, FID_MQTT_A_REASON);
        if (rd_left(&m->r)) mqtt_properties_read(m, false);
    }
    no_more(m);
}

static void (*const bodies[])(struct mqtt_message *m) = {
    [MQTT_RESERVED] = NULL,
    [MQTT_CONNECT] = connect_read,
    [MQTT_CONNACK] = connack_read,
    [MQTT_PUBLISH] = publish_read,
    [MQTT_PUBACK] = ack_read,
    [MQTT_PUBREC] = ack_read,
    [MQTT_PUBREL] = ack_read,
    [MQTT_PUBCOMP] = ack_read,
    [MQTT_SUBSCRIBE] = subscribe_read,
    [MQTT_SUBACK] = suback_read,
    [MQTT_UNSUBSCRIBE] = subscribe_read,
    [MQTT_UNSUBACK] = unsuback_read,
    [MQTT_PINGREQ] = no_more,
    [MQTT_PINGRESP] = no_more,
    [MQTT_DISCONNECT] = close_read,
    [MQTT_AUTH] = close_read,
};
static_assert(sizeof bodies / sizeof *bodies == MQTT_TYPES, "every packet type has its reader");

/* bad_length_add says why the framing is lost. */
static void bad_length_add(struct decode *d, uint32_t off) {
    d_begin(d, &proto_mqtt, off, 1 + MQTT_LENGTH_BYTES);
    d_anomaly(d, FID_MQTT_A_LENGTH_BAD, off + 1, MQTT_LENGTH_BYTES);
    d_end(d);
}

void mqtt_packet_read(struct mqtt_message *m, struct slice packet) {
    struct decode *d = m->d;
    uint32_t off = m->off = d_off(d, packet.p);
    struct slice body = slice_tail(packet, m->head.size);
    m->src = d->out->src;
    m->version = mqtt_session_version(m->c, &m->head, body);
    m->r = d_reader(d, body);
    d_begin(d, &proto_mqtt, off, (uint32_t)packet.n);
    head_add(m, off);
    if (bodies[m->head.type]) bodies[m->head.type](m);
    if (rd_ok(&m->r) && !m->left_out) mqtt_session_done(m, off);
    d_end(d);
    if (!rd_ok(&m->r) || m->left_out) d_bad(d, &m->r);
}

/* message_hand hands a message over to who reads decode.mqtt. */
static void message_hand(struct decode *d, struct mqtt_message *m) {
    if (d->mqtt) d->mqtt_last->next = m;
    else d->mqtt = m;
    d->mqtt_last = m;
}

static struct read_result mqtt_read(struct decode *d, void *state, int from, struct slice in) {
    struct mqtt_message passing, *heard = d->mqtt_heard ? arena_get(d->arena, sizeof *heard) : NULL,
                                 *m = heard ? heard : &passing;
    struct mqtt_conv none = {0}; /* no memory for another conversation: the packet is read on its own */
    *m = (struct mqtt_message){.d = d, .c = state ? state : &none, .from = from & 1};
    struct read_result result = framed(in, &m->head);
    if (result.status == READ_MORE && m->head.size && d->cut && d->stream_end) { /* the capture left out the end */
        m->left_out = (uint32_t)(result.needed - in.n);
        result = (struct read_result){.status = READ_OK, .consumed = in.n};
    }
    if (result.status == READ_BAD) bad_length_add(d, d_off(d, in.p));
    if (result.status != READ_OK) return result;
    mqtt_packet_read(m, slice_head(in, result.consumed));
    m->c = state;
    if (heard) message_hand(d, heard);
    return result;
}

static void mqtt_start(void *state) { mqtt_kept_start(state); }
static void mqtt_end(void *state) { mqtt_kept_end(state); }

static const struct stream_ops ops = {
    .state_size = sizeof(struct mqtt_kept),
    .start = mqtt_start,
    .end = mqtt_end,
    .read = mqtt_read,
    .frame = mqtt_frame,
    .clears_info = true,
    .probe = mqtt_probe,
};

static const struct proto_key keys[] = {{TABLE_TCP, 1883}, {TABLE_TLS, 8883}, {TABLE_COUNT, 0}};

const struct proto proto_mqtt = {
    .name = "mqtt",
    .column = "MQTT",
    .column_of = mqtt_column,
    .id = FID_MQTT,
    .end = FID_MQTT_END,
    .keys = keys,
    .stream = &ops,
    .info = mqtt_info,
    .info_fields = mqtt_info_fields,
    .label = mqtt_label,
};
