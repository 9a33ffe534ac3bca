/* SPDX-License-Identifier: Apache-2.0 */
/* Linux netlink (LINKTYPE_NETLINK) as far as needed to find the packets that netfilter queues to user space, and
 * packets logged by netfilter (LINKTYPE_NFLOG); both in the registry of the tcpdump-group. Header fields and attribute
 * headers are in the byte order of the capturing host, taken as little endian. */
#include "proto/protos.h"

enum { COOKED = 16, MESSAGE_HEADER = 16, ATTRIBUTE_HEADER = 4, MESSAGES_MAX = 4096, ATTRIBUTES_MAX = 4096 };
enum { FAMILY_ROUTE = 0, FIRST_TYPE = 16 };
enum { FAMILY_NETFILTER = 12, QUEUE_PACKET = 0x0300, QUEUE_HEADER = 1, QUEUE_PAYLOAD = 10, TYPE_MASK = 0x3fff };
enum { LOG_PACKET = 0x0400, LOG_HEADER = 1, LOG_PAYLOAD = 9, LOG_PREFIX = 10 };
enum { AF_IPV4 = 2, AF_IPV6 = 10, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

/* attribute_next takes the next attribute; `type` is without its flag bits. */
static bool attribute_next(struct reader *r, uint16_t *type, struct slice *value) {
    if (rd_left(r) < ATTRIBUTE_HEADER) return false;
    uint16_t len = rd_le16(r);
    *type = rd_le16(r) & TYPE_MASK;
    if (len < ATTRIBUTE_HEADER) {
        rd_fail(r);
        return false;
    }
    *value = rd_take(r, len - ATTRIBUTE_HEADER);
    size_t pad = (4u - len % 4u) % 4u;
    rd_skip(r, rd_ok(r) && pad > rd_left(r) ? rd_left(r) : pad);
    return rd_ok(r);
}

/* header_add adds what follows the type in the header of a message. */
static void header_add(struct decode *d, struct slice m) {
    uint32_t off = d_off(d, m.p);
    fv_u(d->out, FID_NETLINK_HDR_FLAGS, off + 6, 2, load_le16(m.p + 6));
    fv_u(d->out, FID_NETLINK_HDR_SEQ, off + 8, 4, load_le32(m.p + 8));
    fv_u(d->out, FID_NETLINK_HDR_PID, off + 12, 4, load_le32(m.p + 12));
}

static void message_add(struct decode *d, struct slice m) {
    uint32_t off = d_off(d, m.p);
    fv_u(d->out, FID_NETLINK_HDR_LEN, off, 4, load_le32(m.p));
    fv_u(d->out, FID_NETLINK_HDR_TYPE, off + 4, 2, load_le16(m.p + 4));
    header_add(d, m);
}

static uint16_t packet_header(struct decode *d, struct slice value) {
    struct reader r = d_reader(d, value);
    get_be32(d, &r, FID_NETFILTER_PACKET_ID);
    uint16_t type = get_be16(d, &r, FID_NETFILTER_PACKET_PROTOCOL);
    get_u8(d, &r, FID_NETFILTER_PACKET_HOOK);
    return type;
}

/* queued_read reads the attributes of a queued packet and returns the packet. */
static struct slice queued_read(struct decode *d, struct reader *r, uint16_t *ethertype) {
    struct slice value, packet = {0};
    uint16_t type;
    for (int i = 0; i < ATTRIBUTES_MAX && attribute_next(r, &type, &value); i++) {
        if (type == QUEUE_HEADER) *ethertype = packet_header(d, value);
        else if (type == QUEUE_PAYLOAD) packet = value;
    }
    return packet;
}

static void netfilter_read(struct decode *d, struct slice message) {
    struct reader r = d_reader(d, message);
    uint16_t ethertype = 0;
    struct slice packet = {0};
    d_begin(d, &proto_netfilter, rd_off(&r), (uint32_t)message.n);
    message_add(d, rd_take(&r, MESSAGE_HEADER));
    if (load_le16(message.p + 4) == LOG_PACKET) { /* all of it stands inside this message */
        d->ops->call(d, &proto_nflog, rd_rest(&r));
        d_end(d);
        return;
    }
    get_u8(d, &r, FID_NETFILTER_FAMILY);
    get_u8(d, &r, FID_NETFILTER_VERSION);
    get_be16(d, &r, FID_NETFILTER_RES_ID);
    if (load_le16(message.p + 4) == QUEUE_PACKET) packet = queued_read(d, &r, &ethertype);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (packet.n && !d->ops->next(d, TABLE_ETHERTYPE, ethertype, packet)) d_data(d, packet);
}

/* route_read shows a message about interfaces, addresses and routes (rtnetlink(7)) by its type. */
static void route_read(struct decode *d, struct slice message) {
    uint32_t off = d_off(d, message.p);
    d_begin(d, &proto_netlink_route, off, (uint32_t)message.n);
    fv_u(d->out, FID_NETLINK_HDR_LEN, off, 4, load_le32(message.p));
    fv_u(d->out, FID_NETLINK_ROUTE_NLTYPE, off + 4, 2, load_le16(message.p + 4));
    header_add(d, message);
    d_end(d);
}

/* control_read shows a message that netlink itself answers, such as the end of a list. */
static void control_read(struct decode *d, struct slice message) {
    fv_open(d->out, FID_NETLINK_MESSAGE, d_off(d, message.p), (uint32_t)message.n);
    message_add(d, message);
    if (message.n > MESSAGE_HEADER) d_data(d, slice_tail(message, MESSAGE_HEADER));
    fv_close(d->out);
}

/* netlink_read: a frame holds messages, each padded to four bytes. */
static void netlink_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_netlink, off, COOKED);
    struct slice head = rd_take(&r, COOKED);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    uint16_t family = load_be16(head.p + 14);
    fv_u(d->out, FID_NETLINK_HATYPE, off + 2, 2, load_be16(head.p + 2));
    fv_u(d->out, FID_NETLINK_FAMILY, off + 14, 2, family);
    d_end(d);
    for (int i = 0;
         i < MESSAGES_MAX && (family == FAMILY_NETFILTER || family == FAMILY_ROUTE) && rd_left(&r) >= MESSAGE_HEADER;
         i++) {
        uint32_t len = load_le32(r.p);
        if (len < MESSAGE_HEADER) return;
        struct slice message = rd_take(&r, len < rd_left(&r) ? len : rd_left(&r));
        if (load_le16(message.p + 4) < FIRST_TYPE) control_read(d, message);
        else if (family == FAMILY_ROUTE) route_read(d, message);
        else netfilter_read(d, message);
        size_t pad = (4u - len % 4u) % 4u;
        rd_skip(&r, pad < rd_left(&r) ? pad : rd_left(&r));
    }
}

/* log_value_add adds what an attribute of a logged packet says; of one whose value is short, nothing. */
static void log_value_add(struct decode *d, uint16_t type, struct slice value) {
    static const uint16_t numbers[] = {
        [4] = FID_NFLOG_INDEV,      [5] = FID_NFLOG_OUTDEV, [6] = FID_NFLOG_PHYSINDEV,
        [7] = FID_NFLOG_PHYSOUTDEV, [11] = FID_NFLOG_UID,   [14] = FID_NFLOG_GID,
    };
    static const struct d_row header[] = {{FID_NFLOG_PROTOCOL, 2}, {FID_NFLOG_HOOK, 1}};
    struct reader r = d_reader(d, value);
    if (type == LOG_HEADER) d_rows(d, &r, D_ROWS(header));
    else if (type == LOG_PREFIX && value.n)
        fv_s(d->out, FID_NFLOG_PREFIX, rd_off(&r), (uint32_t)value.n, slice_head(value, value.n - 1));
    else if (type < sizeof numbers / sizeof *numbers && numbers[type] && value.n >= 4) get_be32(d, &r, numbers[type]);
}

static void log_attribute_add(struct decode *d, uint16_t type, struct slice value) {
    uint32_t off = d_off(d, value.p) - ATTRIBUTE_HEADER, len = (uint32_t)value.n + ATTRIBUTE_HEADER;
    uint32_t at = fv_open(d->out, FID_NFLOG_TLV, off, len);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = slice_of(value.p - ATTRIBUTE_HEADER, len);
    fv_u(d->out, FID_NFLOG_TLV_LENGTH, off, 2, len);
    fv_u(d->out, FID_NFLOG_TLV_TYPE, off + 2, 2, type);
    log_value_add(d, type, value);
    fv_close(d->out);
}

/* nflog_read: what is not of IP says in its header which type of Ethernet it is. */
static void nflog_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    struct slice value, packet = {0};
    uint16_t type, ethertype = 0;
    d_begin(d, &proto_nflog, rd_off(&r), (uint32_t)in.n);
    uint8_t family = get_u8(d, &r, FID_NFLOG_FAMILY);
    get_u8(d, &r, FID_NFLOG_VERSION);
    get_be16(d, &r, FID_NFLOG_RES_ID);
    for (int i = 0; i < ATTRIBUTES_MAX && attribute_next(&r, &type, &value); i++) {
        log_attribute_add(d, type, value);
        if (type == LOG_HEADER && value.n >= 2) ethertype = load_be16(value.p);
        if (type == LOG_PAYLOAD) packet = value;
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (family == AF_IPV4) ethertype = TYPE_IPV4;
    if (family == AF_IPV6) ethertype = TYPE_IPV6;
    if (packet.n && !d->ops->next(d, TABLE_ETHERTYPE, ethertype, packet)) d_data(d, packet);
    d->payload_end = NULL;
}

static const struct proto_key netlink_keys[] = {{TABLE_LINK, 253}, {TABLE_COUNT, 0}};
const struct proto proto_netlink = {.name = "netlink",
                                    .shown_empty = true,
                                    .column = "Netlink",
                                    .id = FID_NETLINK,
                                    .end = FID_NETLINK_END,
                                    .keys = netlink_keys,
                                    .read = netlink_read,
                                    .carrier = true};
const struct proto proto_netfilter = {.name = "netlink-netfilter",
                                      .column = "Netlink netfilter",
                                      .id = FID_NETFILTER,
                                      .end = FID_NETFILTER_END,
                                      .carrier = true};
const struct proto proto_netlink_route = {
    .name = "netlink-route", .column = "rtnetlink", .id = FID_NETLINK_ROUTE, .end = FID_NETLINK_ROUTE_END};
static const struct proto_key nflog_keys[] = {{TABLE_LINK, 239}, {TABLE_COUNT, 0}};
const struct proto proto_nflog = {.name = "nflog",
                                  .column = "NFLOG",
                                  .id = FID_NFLOG,
                                  .end = FID_NFLOG_END,
                                  .keys = nflog_keys,
                                  .read = nflog_read,
                                  .carrier = true};
