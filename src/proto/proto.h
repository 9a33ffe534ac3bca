/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_PROTO_H
#define WEIR_PROTO_PROTO_H

#include "base/arena.h"
#include "base/packet.h"
#include "base/rare.h"
#include "base/reader.h"
#include "base/writer.h"
#include "field/fvec.h"
#include "proto/fields.h"

#include <endian.h>

/* What a protocol is to the rest of the program.
 *
 * A decoder is pure: it turns bytes and the state it is handed into fields. What it needs from the outside
 * (the next protocol, the conversation, reassembly) it asks through decode_ops, which the driver in flow/
 * fills; so the same decoder runs over a file, a live interface and a socket of the firewall. */

struct decode;
struct proto;
struct tcp_segment;
struct tcp_analysis;
struct tcp_conv;
struct tls_keys;
struct mqtt_message;

/* Tables in which protocols are found by number. */
enum proto_table {
    TABLE_LINK, /* LINKTYPE_ value */
    TABLE_ETHERTYPE,
    TABLE_IP,         /* IP protocol number */
    TABLE_PPP,        /* PPP protocol field */
    TABLE_TCP,        /* TCP port */
    TABLE_UDP,        /* UDP port */
    TABLE_LLC,        /* LLC SAP; 0: LLC itself */
    TABLE_SNAP_CISCO, /* protocol number behind Cisco's organisation code in SNAP */
    TABLE_TLS,        /* the server's port of a stream inside TLS */
    TABLE_COUNT
};

struct proto_key {
    uint8_t table; /* enum proto_table */
    uint32_t key;
};

/* read_result is what reading from a stream came to.
 *
 * READ_OK: `consumed` bytes were one whole message. READ_MORE: nothing was consumed; with `needed` bytes in
 * all (0: not known) there is progress. READ_BAD: the framing is lost and cannot be found again. A violation
 * that leaves the framing intact is no READ_BAD but an anomaly among the fields. */
enum read_status { READ_OK, READ_MORE, READ_BAD };
struct read_result {
    union {
        size_t consumed;
        size_t needed;
    };
    enum read_status status : 8;
    bool stranger;  /* READ_BAD: nothing binds the conversation to this protocol; another may know the bytes */
    bool shown;     /* READ_MORE: its bytes have an empty entry of the protocol in their segment, as in Wireshark */
    uint32_t begun; /* READ_MORE: so many first bytes are what the Info column says of the message so far */
};
_Static_assert(sizeof(struct read_result) == 16, "it travels in registers");
/* READ_UNTIL_END as `needed`: only the end of the stream ends the message (decode.stream_end). */
#define READ_UNTIL_END SIZE_MAX

/* UNLIKELY is taken only where the port says so and nothing else recognises the bytes. */
enum probe_result { PROBE_NO, PROBE_UNLIKELY, PROBE_UNSURE, PROBE_CERTAIN };

/* stream_ops reads a protocol that lives in a byte stream. */
struct stream_ops {
    size_t state_size; /* bytes of state for a conversation, zeroed before `start`; 0: none */
    void (*start)(void *state);
    /* end releases what the state owns; NULL: nothing. */
    void (*end)(void *state);
    /* read decodes the first message of `in`, the next unread bytes from side `from` (0: the client or, where
     * that is not known, who sent first). `state` is the conversation's. Where it gives READ_MORE it must not
     * have added fields. */
    struct read_result (*read)(struct decode *d, void *state, int from, struct slice in);
    /* frame says where the first message of `in` ends without decoding it: for protocols that give each message's
     * length up front. Then read is only called with whole messages, and with one whose end
     * the capture left out (decode.stream_end), which it may give READ_MORE for. NULL: the protocol frames itself in
     * read. */
    struct read_result (*frame)(struct slice in);
    /* part adds the fields of an entry that shows no more than bytes of a message (read_result.shown), `off` of its
     * source; NULL: there are none. */
    void (*part)(struct decode *d, int from, uint32_t off);
    /* lost says that bytes of side `from` are missing before what comes next; NULL: read need not know. */
    void (*lost)(void *state, int from);
    /* closed says that side `from` sends nothing more: what is kept for it only may go; NULL: read need not know. */
    void (*closed)(void *state, int from);
    /* owns tells whether a datagram of side d->from, which has a name of the conversation and came from elsewhere, is
     * one of it: names are read by everybody, and written on anything. NULL: the name is enough. */
    bool (*owns)(struct decode *d, void *state, struct slice name, struct slice in);
    /* resyncs: read finds its way again behind a gap by itself, and is called there whatever the bytes look like. */
    bool resyncs;
    /* clears_info: the Info column of a segment that only begins a message shows nothing of TCP. */
    bool clears_info;
    /* owns_port: bytes on its port that nobody recognises are shown by TCP alone, as Wireshark does, not as data. */
    bool owns_port;
    /* probe tells whether the first bytes of a conversation's side look like this protocol. */
    enum probe_result (*probe)(struct slice in);
};

/* known is what is known of a datagram's conversation when a protocol is asked about it. */
enum known_as {
    KNOWN_NOT,
    KNOWN_SPOKEN, /* one of its datagrams was recognised */
    KNOWN_SAID    /* it was announced (decode_ops.announce), or agreed upon (decode_ops.beside) */
};

struct proto {
    const char *name;   /* filter name */
    const char *column; /* name in the Protocol column; NULL: the column keeps the name of the layer below */
    /* column_of returns the column's name where it depends on the fields from `at` to before `end`; NULL, or where it
     * returns NULL: use column. It reads info_fields. */
    const char *(*column_of)(const struct fvec *v, uint32_t at, uint32_t end);
    uint16_t id, end;             /* fields: from id to before end; id is the protocol's own entry */
    const struct proto_key *keys; /* ends with TABLE_COUNT; NULL: none */
    /* read decodes a header or a datagram; NULL where the protocol lives in streams only. */
    void (*read)(struct decode *d, struct slice in);
    const struct stream_ops *stream;
    /* recognises tells whether a datagram on ports nobody is registered for, or all ports (certain), is of this
     * protocol. It is asked of every such datagram, so it looks at few bytes. NULL: found by its ports alone. */
    bool (*recognises)(struct slice in, enum known_as known);
    /* certain: what it recognises it is sure of, though another is registered for the port: a port is a hint. */
    bool certain;
    /* renumbers tells whether the datagrams behind this one are counted as a conversation of their own, as Wireshark
     * does with those of SNMP: numbers must agree for filters to mean the same. NULL: they are not. */
    bool (*renumbers)(struct slice in);
    /* info writes the text of the Info column for the layer whose fields stand from `at` to before `end`. */
    void (*info)(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
    /* info_fields are what info reads; ends with 0. */
    const uint16_t *info_fields;
    /* carrier: it carries other packets, so it is entered though nobody asked for its own fields. */
    bool carrier;
    /* names_others tells whether it is named above a datagram of its conversation that others read, as in Wireshark;
     * NULL: it is not. */
    bool (*names_others)(struct slice in);
    /* inner: its fields stand inside the messages of another protocol, as certificates do. */
    bool inner;
    /* unlisted: frame.protocols passes over it, as in Wireshark, where another protocol's decoder reads it. */
    bool unlisted;
    /* shown_empty: it is named also where the capture left out all of its bytes, as in Wireshark. */
    bool shown_empty;
    /* wraps_column: the Protocol column names it around the protocol it carries, "GTP <TCP>". */
    bool wraps_column;
    /* info_plain: the texts of several messages in a packet follow each other without a comma. */
    bool info_plain;
    /* info_last: of several messages in a packet the last one's text stands alone. */
    bool info_last;
    /* tunnel shows that the bytes `in` go to a host and port through a tunnel of this protocol (decode_ops.tunnel). */
    void (*tunnel)(struct decode *d, struct slice host, uint16_t port, struct slice in);
    /* by_segment: its tunnel is shown once in each segment, also where that has parts of messages only, as in
     * Wireshark; else with each message. */
    bool by_segment;
    /* label writes the words of a tree line where they are not the table's; false: the table's will do. */
    bool (*label)(struct writer *w, const struct fvec *v, uint32_t at);
};

/* net_addr is a network or link-layer address: len 0, 4, 6 or 16. */
struct net_addr {
    uint8_t len;
    uint8_t bytes[16];
};

enum { LAYERS_MAX = 64 };

/* layer_mark says where the fields of one layer of the packet start. */
struct layer_mark {
    const struct proto *proto;
    uint32_t at;
    bool quoted;                /* part of a packet quoted inside an error message */
    bool inside;                /* part of the messages of the layer before, whose words tell of it */
    uint8_t src;                /* source of its bytes */
    const struct proto *before; /* what its conversation spoke before it turned to this; NULL: nothing else */
};

/* layer_step is something that was read on the way without being a layer, such as an extension header: what
 * frame.protocols names behind a layer. */
struct layer_step {
    const char *name;
    const struct layer_step *before;
    uint8_t layers; /* that had begun */
};

/* layer_is_inner tells whether a layer stands inside the messages of another one. */
static inline bool layer_is_inner(const struct layer_mark *m) { return m->inside || m->proto->inner; }

/* fragment is a piece of an IP datagram. */
struct fragment {
    struct net_addr src, dst;
    uint32_t id;
    uint8_t proto;
    uint32_t off; /* bytes */
    bool more;
    struct slice data;
    /* The fields that show the pieces of a datagram that is complete. */
    struct {
        uint16_t tree, piece, count, length, data;
    } ids;
};

/* conv_times is what a conversation knows of time when a packet of it arrives. */
struct conv_times {
    uint32_t stream;  /* number of the conversation, from 0 */
    int64_t relative; /* nanoseconds since its first packet */
    int64_t delta;    /* nanoseconds since its packet before */
};

/* dns_turn is where a DNS message stands among questions and answers. */
enum dns_turn {
    DNS_TURN_UNKNOWN, /* nothing is kept */
    DNS_TURN_FIRST,   /* a question not seen before */
    DNS_TURN_ANSWER,  /* the first answer to a question */
    DNS_TURN_AGAIN,   /* a question not answered yet, or an answer, sent again */
    DNS_TURN_UNASKED, /* an answer whose question was not seen */
};

/* nested is a stream that travels inside the messages of another one, see decode_ops.stream_feed. Who carries it
 * calls `end` when it is done with it, and `lost` where bytes of side `from` are missing. */
struct nested {
    void (*lost)(struct nested *n, int from);
    void (*end)(struct nested *n);
};
enum { NESTED_HEAD = 320 }; /* bytes there, with the inner protocol's own, that most messages touch */

/* carry says how a stream inside another one is read and shown, see decode_ops.carry. */
struct carry {
    const struct proto *by; /* the carrier: bytes of an unfinished message are shown in its layer */
    const struct proto
        *proto; /* whose stream it is, where the carrier knows; NULL: found by its bytes, else `likely` */
    const struct proto *likely; /* NULL: nobody's */
    uint16_t port;              /* the server's, as decode.service of the readers */
    const char *name;           /* of the source a message of several pieces makes */
    /* Fields that show the pieces; segment_data 0: the carrier shows bytes of unfinished messages by itself. */
    uint16_t segment_data, segments, segment, segment_count, length, data;
};

enum { ANNOUNCE_ABOUT_MAX = 512 };

struct decode_ops {
    /* next hands a payload to the protocol registered for key in table; false where there is none. */
    bool (*next)(struct decode *d, enum proto_table table, uint32_t key, struct slice in);
    /* lookup returns the protocol registered for key in table, or NULL. May be NULL itself. */
    const struct proto *(*lookup)(struct decode *d, enum proto_table table, uint32_t key);
    /* call hands a payload to a given protocol. */
    void (*call)(struct decode *d, const struct proto *p, struct slice in);
    /* fragment takes a piece of a datagram; when it was the last one missing it returns true with the whole
     * datagram in *whole, as a new source that is selected; its fields went to the list. */
    bool (*fragment)(struct decode *d, const struct fragment *f, struct slice *whole);
    /* tcp_find returns the conversation of the packet's addresses and the given ports and which side speaks; a quoted
     * segment does not begin it anew. */
    struct tcp_conv *(*tcp_find)(struct decode *d, const struct tcp_segment *s, int *side);
    /* tcp_update lets the conversation take the segment in and says what it means. */
    void (*tcp_update)(struct decode *d, struct tcp_conv *c, const struct tcp_segment *s, int side,
                       struct tcp_analysis *out);
    /* tcp_data takes a segment's payload for reassembly and the protocols above; it closes TCP's own entry. */
    void (*tcp_data)(struct decode *d, const struct tcp_segment *s, int side);
    /* become says that from the byte behind the message being read on, the conversation speaks protocol p in both
     * directions; NULL: whoever is registered for `port` or recognises the bytes. May be NULL itself. */
    void (*become)(struct decode *d, const struct proto *p, uint16_t port);
    /* tunnel says that from the byte behind the message being read on, the conversation goes on to host and port as
     * whoever is registered for the port or recognises the bytes; p shows that with each of its messages. May be NULL
     * itself. */
    void (*tunnel)(struct decode *d, const struct proto *p, struct slice host, uint16_t port);
    /* announce says that a conversation to come, one end of which is addr and port, speaks p: of TCP where p lives in
     * streams, its state then begins with `about` (ANNOUNCE_ABOUT_MAX bytes at most), else of UDP, where p recognises
     * it. May be NULL itself. */
    void (*announce)(struct decode *d, const struct proto *p, const struct net_addr *addr, uint16_t port,
                     struct slice about);
    /* beside says that the ends of the UDP conversation agreed to speak p, too, under keys of their own; it recognises
     * its datagrams. May be NULL itself. */
    void (*beside)(struct decode *d, const struct proto *p);
    /* stream_feed hands `in`, which lies in the present source, to p as the next bytes of side `from` of a stream
     * inside the one being read. *nested is that stream: NULL at first, made here, ended by the caller. p must have
     * stream_ops.frame. false: nothing was done with the bytes, and never will be. May be NULL itself. */
    bool (*stream_feed)(struct decode *d, struct nested **nested, const struct proto *p, int from, struct slice in);
    /* carry hands `in`, which lies in the present source, on as the next bytes of side `from` of the stream inside the
     * one being read, whoever's it is. *nested is as for stream_feed. May be NULL itself. */
    void (*carry)(struct decode *d, struct nested **nested, const struct carry *how, int from, struct slice in);
    /* udp_stream returns the index of the conversation and its times, for the UDP header. */
    bool (*udp_find)(struct decode *d, uint16_t sport, uint16_t dport, struct conv_times *times);
    /* echo_match notes an echo request (`request`), or finds the one a reply with the packet's addresses answers:
     * true with its frame number and the nanoseconds since it. `kind` tells kinds of request apart. NULL: nobody
     * keeps them. */
    bool (*echo_match)(struct decode *d, uint8_t kind, uint16_t ident, uint16_t seq, bool request, uint64_t *frame,
                       int64_t *ns);
    /* udp_state returns the state of the datagram's conversation for p (stream_ops.state_size, start, end), made where
     * there is none; NULL: there is no memory. May be NULL itself. */
    void *(*udp_state)(struct decode *d, const struct proto *p);
    /* known_as notes that datagrams with `name` behind a first byte without its top bit, which `from` chose for what it
     * receives, are of the present conversation wherever they come from. May be NULL itself. */
    void (*known_as)(struct decode *d, struct slice name);
    /* udp_data hands a datagram's payload to who is registered for, or recognises, its ports. */
    void (*udp_data)(struct decode *d, uint16_t sport, uint16_t dport, struct slice in);
    /* md5 computes the MD5 digest of text, for fingerprints; NULL: there is none. */
    void (*md5)(uint8_t digest[16], struct slice text);
    /* sha256 computes the SHA-256 digest of text; NULL: there is none. */
    void (*sha256)(uint8_t digest[32], struct slice text);
    /* dns_match notes a DNS message with transaction `id` in the conversation it travels in (both directions are
     * one) and tells its turn. For DNS_TURN_ANSWER *frame is the question's frame and *ns the time since it, for
     * DNS_TURN_AGAIN *frame is that of the first one. A question counts as sent again while it is unanswered and
     * its first one is less than five seconds old. NULL: nothing is kept. */
    enum dns_turn (*dns_match)(struct decode *d, uint16_t id, bool response, uint64_t *frame, int64_t *ns);
};

/* tcp_said is what a segment says and what it means in its conversation, without a field for each. */
struct tcp_said {
    bool there;     /* the packet has a segment of a conversation; if not, nothing below is set */
    uint8_t header; /* bytes */
    uint16_t sport, dport;
    uint16_t flags, checksum;
    uint32_t stream, seq, ack;
    uint32_t len;      /* payload bytes on the wire */
    uint32_t found;    /* enum tcp_finding, as tcp_meant */
    struct slice data; /* payload as captured */
};

/* decode is the context of one packet on its way through the layers. */
struct decode {
    struct fvec *out;
    struct arena *arena;        /* packet lifetime */
    uint32_t *quic_connections; /* how many began so far in all conversations; NULL: nobody counts */
    struct arena_budget *kept;  /* memory of the states of all conversations; NULL: no limit but their own */
    const struct decode_ops *ops;
    void *driver; /* the ops' own */
    const struct packet *pkt;
    struct net_addr link_src, link_dst;
    struct net_addr src, dst; /* innermost network addresses */
    struct net_addr quote_src,
        quote_dst;  /* those of a packet quoted in an error message, the innermost where it quotes one, too */
    uint16_t ip_id; /* identification of the innermost IPv4 header */
    uint16_t sport; /* port the datagram being read came from */
    const struct proto *before; /* what the conversation whose stream is read spoke before; NULL: nothing else */
    struct conv_times times;    /* of the packet's TCP conversation */
    uint16_t
        service; /* the server's port of the stream being read, or the port it was asked to relay to; 0: no stream */
    /* Which of its conversation's exchanges the content being read is of, for a stream of QUIC its number + 1; 0: they
     * take turns. */
    uint32_t exchange;
    uint8_t from;         /* which side of its conversation sent the datagram: 0 the one that sent the first */
    uint8_t quoted;       /* > 0 inside a quoted packet */
    bool secured;         /* the datagram is of what was agreed upon (decode_ops.beside): it is encrypted */
    uint8_t nesting;      /* decoders inside decoders */
    uint32_t wire_len;    /* payload bytes of the network packet on the wire; 0: as captured */
    bool tcp_fields;      /* somebody wants more of TCP than ports, stream and payload */
    bool tcp_analysis;    /* somebody wants what the analysis of TCP finds */
    bool tcp_heard;       /* somebody reads `tcp` */
    bool mqtt_heard;      /* somebody reads `mqtt` */
    bool gap;             /* bytes of the stream being read are missing somewhere before those handed to read */
    bool stream_end;      /* the stream being read ends with the bytes handed to read; with `cut`: for the capture */
    int32_t unknown_type; /* the Ethernet type whose payload no decoder knows; -1: none was met */
    bool fragment;        /* what is read is the beginning of a datagram whose rest cannot be had */
    bool cut;             /* fewer bytes were captured than were on the wire of what is read */
    /* Where the network packet ended, set by network layers that know their length (NULL: at the frame's end),
     * so that the link layer can show padding and trailer. */
    const uint8_t *payload_end;
    /* vendor returns the name of a MAC prefix, empty where it is not known; NULL: there is no list. */
    struct slice (*vendor)(void *vendors, uint32_t oui);
    void *vendors;
    struct tls_keys *tls_keys;             /* what may open TLS sessions; NULL: nothing */
    struct tcp_said tcp;                   /* of the innermost segment, where tcp_heard */
    struct mqtt_message *mqtt, *mqtt_last; /* what was read of MQTT, in its order, where mqtt_heard; NULL: nothing */
    const struct http_part *http; /* the message of HTTP that begins in the packet and goes on behind it; NULL: none */
    uint32_t carried;             /* bytes of streams inside the one of the packet (decode_ops.carry) so far */
    struct layer_mark layer[LAYERS_MAX];
    uint64_t begun; /* bits by proto.id modulo 64: where one is not set, no layer of the protocol has begun */
    uint8_t layers;
    const struct layer_step *steps; /* the last one; kept only where somebody wants frame.protocols */
};

/* d_begin marks the start of a layer and opens its entry; d_end closes it. `off` and `len` are its place. */
uint32_t d_begin(struct decode *d, const struct proto *p, uint32_t off, uint32_t len);
/* d_begin_inside is d_begin for a layer whose words the one around it tells, too (layer_mark.inside). */
uint32_t d_begin_inside(struct decode *d, const struct proto *p, uint32_t off, uint32_t len);
static inline void d_end(struct decode *d) { fv_close(d->out); }
/* d_step names something that is read here without being a layer; `name` must last. */
void d_step(struct decode *d, const char *name);

static inline bool d_wants(const struct decode *d, uint16_t id) { return fv_wants(d->out, id); }

/* d_base returns the first byte of the present source: what offsets are counted from. */
static inline const uint8_t *d_base(const struct decode *d) { return d->out->source[d->out->src].bytes.p; }
/* d_reader returns a reader over `in`, which must lie inside the present source. */
static inline struct reader d_reader(const struct decode *d, struct slice in) { return rd_init(in, d_base(d)); }
/* d_off returns the offset of p in the present source. */
static inline uint32_t d_off(const struct decode *d, const uint8_t *p) { return (uint32_t)(p - d_base(d)); }

/* d_remark adds an entry with a severity about the bytes at off/len which ordinary traffic has, too. */
struct fval *d_remark(struct decode *d, uint16_t id, uint32_t off, uint32_t len);
/* d_anomaly adds an anomaly about the bytes at off/len. */
RARE struct fval *d_anomaly(struct decode *d, uint16_t id, uint32_t off, uint32_t len);
/* d_bad says that the layer's bytes ended too early or make no sense: `truncated` where the capture cut them,
 * "malformed" otherwise. */
RARE void d_bad(struct decode *d, const struct reader *r);
/* d_header tells whether the first `least` bytes of p's header are there. Where they are not, the layer has no entry of
 * its own but what is wrong with it. */
bool d_header(struct decode *d, const struct proto *p, struct slice in, size_t least);
/* d_move_back moves the fields from place `from` on to place `to` before them: for what a layer can only say
 * when the layers above it are done. */
void d_move_back(struct decode *d, uint32_t to, uint32_t from);
/* d_quote decodes the start of a packet that this one tells of: inside the open entry, without effect on conversations
 * and the packet's own addresses. The addresses of the first one go to decode.quote_src and quote_dst. */
void d_quote(struct decode *d, enum proto_table table, uint32_t key, struct slice packet);
/* d_data shows bytes no protocol claims. */
void d_data(struct decode *d, struct slice in);

/* Reading and adding in one step: the value is read, and added where it was there and somebody wants it. */
static inline uint8_t get_u8(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint8_t v = rd_u8(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 1, v);
    return v;
}
static inline uint16_t get_be16(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint16_t v = rd_be16(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 2, v);
    return v;
}
static inline uint32_t get_be24(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint32_t v = rd_be24(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 3, v);
    return v;
}
static inline uint32_t get_be32(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint32_t v = rd_be32(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 4, v);
    return v;
}
static inline uint64_t get_be64(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint64_t v = rd_be64(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 8, v);
    return v;
}
/* get_bytes reads n bytes: a string, an address, a blob. */
static inline struct slice get_bytes(struct decode *d, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (rd_ok(r)) fv_s(d->out, id, off, (uint32_t)n, s);
    return s;
}

/* d_row is a field of a fixed layout that takes `width` bytes; one of width 0 is bits, by its mask, of the row before
 * that has bytes. Where that row has an id the bits are its children; where it has none (0) they stand alone. */
struct d_row {
    uint16_t id;
    uint8_t width;
    bool little; /* the least byte comes first */
};
#define D_ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)
/* d_rows reads and adds the n rows, as far as the bytes go. */
void d_rows(struct decode *d, struct reader *r, const struct d_row *rows, size_t n);
/* d_layer shows `in` as a layer of p that begins with the n rows; what follows them is not taken apart. */
void d_layer(struct decode *d, const struct proto *p, struct slice in, const struct d_row *rows, size_t n);

/* d_open_u starts a subtree under a number, to be closed with fv_close. */
static inline void d_open_u(struct decode *d, uint16_t id, uint32_t off, uint32_t len, uint64_t value) {
    struct fval *f = fv_at(d->out, fv_open(d->out, id, off, len));
    if (f) f->u = value;
}

/* fv_value_name returns the name of the value of the first field `id` from place `at` to before `end`; NULL: there is
 * no such field, or its value has no name. */
const char *fv_value_name(const struct fvec *v, uint16_t id, uint32_t at, uint32_t end);
/* fv_value_say writes that name, if there is one. */
void fv_value_say(struct writer *w, const struct fvec *v, uint16_t id, uint32_t at, uint32_t end);

/* addr_set makes *a the address of 4, 6 or 16 bytes at p. It writes whole words, since whole words are read of it soon:
 * the processor waits where what it reads was written in pieces. */
static inline void addr_set(struct net_addr *a, const uint8_t *p, uint8_t len) {
    uint64_t word[2] = {0};
    if (len == 4) word[0] = htole64(load_le32(p));
    else if (len == 6) word[0] = htole64(load_le32(p) | (uint64_t)load_le16(p + 4) << 32);
    else memcpy(word, p, len);
    memcpy(a->bytes, &word[0], 8);
    memcpy(a->bytes + 8, &word[1], 8);
    a->len = len;
}

static inline struct net_addr addr_of(const uint8_t *p, uint8_t len) {
    struct net_addr a;
    addr_set(&a, p, len);
    return a;
}

static inline bool addr_same(const struct net_addr *a, const struct net_addr *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

#endif
