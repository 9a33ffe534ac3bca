/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_QUIC_H
#define WEIR_PROTO_QUIC_H

#include "proto/proto.h"
#include "proto/tls/tls_session.h"

/* The parts of QUIC.
 *
 * quic_read.c reads the headers of a datagram's packets, quic_path.c finds the connection they are of, quic_cipher.c
 * takes their protection off, with keys that quic_open.c makes of what Initial packets say and quic_session.c finds for
 * all others, quic_frame.c reads the frames in them. quic_order.c puts pieces in order: those of the handshake for
 * quic_crypto.c, which proto/tls reads, those of streams for quic_stream.c, which go to the decoder of the application
 * protocol. */

enum {
    QUIC_VERSION_1 = 1,
    QUIC_VERSION_2 = 0x6b3343cf,
    QUIC_RESERVED = 0x0a0a0a0a, /* in the low halves of its bytes (RFC 9000 15) */
    QUIC_ID_MAX = 20,
    QUIC_TAG = 16,
    QUIC_KEY_MAX = 32,
    QUIC_IV = 12,
    QUIC_NUMBER_MAX = 4, /* bytes of a packet's number */
};

enum quic_frame {
    QUIC_PADDING,
    QUIC_PING,
    QUIC_ACK,
    QUIC_ACK_ECN,
    QUIC_RESET_STREAM,
    QUIC_STOP_SENDING,
    QUIC_CRYPTO,
    QUIC_NEW_TOKEN,
    QUIC_STREAM, /* its lowest bits say what stands in it */
    QUIC_STREAM_LAST = 0x0f,
    QUIC_MAX_DATA,
    QUIC_MAX_STREAM_DATA,
    QUIC_MAX_STREAMS_BIDI,
    QUIC_MAX_STREAMS_UNI,
    QUIC_DATA_BLOCKED,
    QUIC_STREAM_DATA_BLOCKED,
    QUIC_STREAMS_BLOCKED_BIDI,
    QUIC_STREAMS_BLOCKED_UNI,
    QUIC_NEW_CONNECTION_ID,
    QUIC_RETIRE_CONNECTION_ID,
    QUIC_PATH_CHALLENGE,
    QUIC_PATH_RESPONSE,
    QUIC_CLOSE,
    QUIC_CLOSE_APP,
    QUIC_HANDSHAKE_DONE,
    QUIC_DATAGRAM = 0x30,
    QUIC_DATAGRAM_LEN,
    QUIC_IMMEDIATE_ACK = 0xac,
    QUIC_ACK_FREQUENCY = 0xaf,
    QUIC_TIME_STAMP = 0x2f5,
};

/* quic_space is in which row packets are numbered (RFC 9000 12.3), and what protects them: early data is in that of
 * QUIC_DATA. */
enum quic_space { QUIC_FIRST, QUIC_HANDSHAKE, QUIC_DATA, QUIC_SPACES };

/* quic_keys protects the packets of one side. */
struct quic_keys {
    uint8_t mode; /* enum tls_bulk_mode */
    uint8_t size; /* of key and header */
    uint8_t key[QUIC_KEY_MAX], iv[QUIC_IV], header[QUIC_KEY_MAX];
};

/* quic_opened is a packet without its protection. */
struct quic_opened {
    uint8_t space; /* enum quic_space */
    uint8_t first; /* the first byte */
    uint8_t number_len;
    uint8_t sent[QUIC_NUMBER_MAX]; /* the number's bytes, and what follows them */
    uint64_t number;
    struct slice plain; /* lives as long as the packet */
};

/* quic_cipher takes protection off. It owns the library's contexts; zeros are none. */
struct quic_cipher {
    EVP_CIPHER_CTX *header, *payload;
    uint8_t mode, iv[QUIC_IV];
};

/* quic_cipher_start makes both contexts, quic_cipher_payload_start only that of the payload: keys that are updated go
 * on with the old one for the header. false: the library cannot, and there is none. */
bool quic_cipher_start(struct quic_cipher *c, const struct quic_keys *k);
bool quic_cipher_payload_start(struct quic_cipher *c, const struct quic_keys *k);
void quic_cipher_end(struct quic_cipher *c);
/* quic_header_open finds first byte and number of a packet whose number stands at `number_at`; `next` is the number
 * after the greatest one seen. Whether they are true only quic_payload_open tells. */
bool quic_header_open(const struct quic_cipher *c, struct slice packet, size_t number_at, uint64_t next,
                      struct quic_opened *o);
/* quic_payload_open decrypts what stands behind the header; false: it is not protected by these keys. */
bool quic_payload_open(struct arena *a, const struct quic_cipher *c, struct slice packet, size_t number_at,
                       struct quic_opened *o);

/* quic_keys_derive makes the keys of a client and its server out of the connection id the client's first Initial packet
 * is for (RFC 9001 5.2); false: the version has none that are known, or the library refused. */
bool quic_keys_derive(uint32_t version, struct slice id, struct quic_keys keys[2]);
/* quic_keys_expand makes the keys of a traffic secret, whose hash is md (RFC 9001 5.1); quic_secret_next turns the
 * secret into the one behind a key update (6.1). */
bool quic_keys_expand(uint32_t version, const EVP_MD *md, struct slice secret, struct quic_keys *k);
bool quic_secret_next(uint32_t version, const EVP_MD *md, uint8_t *secret);
/* quic_open takes the protection off a packet that uses no keys but these. */
bool quic_open(struct arena *a, const struct quic_keys *k, struct slice packet, size_t number_at, uint64_t next,
               struct quic_opened *o);

/* quic_id is a connection id. */
struct quic_id {
    uint8_t n, bytes[QUIC_ID_MAX];
};
static inline struct slice quic_id_slice(const struct quic_id *id) { return slice_of(id->bytes, id->n); }

/* quic_order is bytes of one side that are put in order; see quic_order.c. */
enum { QUIC_PIECES_MOST = 256 };
struct quic_order {
    uint64_t next; /* offset up to which all was handed on */
    struct arena memory;
    struct quic_pieces {
        uint32_t n;
        struct {
            uint64_t off, frame;
            struct slice bytes;
        } piece[QUIC_PIECES_MOST];
    } * early; /* NULL: none */
};

/* quic_order_keep lets bytes wait that do not end before `next`; false: there is no room within `memory` bytes.
 * quic_order_ready returns how many of the waiting pieces have no hole before them, and where they end; quic_order_join
 * puts these together, from `next` on, empty where there is no memory; quic_order_pass goes on behind them.
 * quic_order_end forgets what waits. */
bool quic_order_keep(struct decode *d, struct quic_order *o, size_t memory, uint64_t off, struct slice in);
uint32_t quic_order_ready(const struct quic_order *o, uint64_t *end);
struct slice quic_order_join(struct arena *a, const struct quic_order *o, uint32_t n, uint64_t end);
void quic_order_pass(struct quic_order *o, uint32_t n, uint64_t end);
void quic_order_end(struct quic_order *o);

/* quic_googles tells whether a version is Google's with a handshake of TLS: T050 or T051. */
static inline bool quic_googles(uint32_t version) { return (version & 0xfffffffe) == 0x54303530; }

/* quic_sure is how sure it is that a connection is one, and not what a stranger made of packets anybody can make. */
enum quic_sure { QUIC_UNSURE, QUIC_ANSWERED /* by the server */, QUIC_SECRET /* packets opened with its secrets */ };

/* quic_state is a connection. */
struct quic_state {
    struct quic_id own[2]; /* what each side chose for itself, */
    bool own_sure[2];      /* in a packet that opened */
    bool has_keys, retried;
    uint8_t sure;                    /* enum quic_sure */
    uint8_t client;                  /* which side of the conversation it is, where has_keys */
    uint32_t version;                /* the keys are of */
    uint32_t connection;             /* its number, + 1; 0: it began out of sight */
    struct quic_id id;               /* they come out of */
    struct quic_keys keys[2];        /* the client's, the server's */
    uint64_t number[QUIC_SPACES][2]; /* after the greatest one seen of them */
    struct quic_order crypto[QUIC_SPACES][2];
    uint8_t speaks[2]; /* enum quic_space of the handshake bytes of a side that TLS read last */
    struct tls_state tls;
    struct tls_keys *store; /* where the session is */
    uint32_t session;       /* number of the struct quic_session there; 0: none */
    /* Bytes of streams of the packet being read, until its layer is complete. */
    struct quic_plain *plain, *plain_last;
};

/* quic_path is a conversation's; see quic_path.c. */
struct quic_path {
    struct quic_state now;
    struct quic_state *next; /* a second one, in `memory`; NULL: none */
    struct arena memory;
};

/* quic_closed is a packet with its protection. */
struct quic_closed {
    struct slice packet;
    size_t number_at; /* in it */
    uint32_t version;
    enum quic_space space;
    bool early;      /* it is of early data */
    bool first;      /* it is its datagram's first one */
    struct slice id; /* of an Initial packet: whom it is for */
};

/* quic_path_open opens a packet with a long header: the side of its connection that sent it (0: the client), or -1. *st
 * is the connection, where it does not open the present one. quic_path_settle is called behind a packet that was of the
 * connection `read`. quic_path_retry takes a Retry packet of a side of the conversation. quic_path_end and
 * quic_state_end release what the state owns. */
int quic_path_open(struct decode *d, struct quic_path *p, const struct quic_closed *c, struct quic_state **st,
                   struct quic_opened *o);
void quic_path_settle(struct quic_path *p, const struct quic_state *read);
void quic_path_retry(struct quic_path *p, int from);
void quic_path_end(struct quic_path *p);
void quic_state_end(struct quic_state *st);
void quic_id_set(struct quic_id *to, struct slice id);

/* quic_session is what opens the packets of a connection whose secrets are known; see quic_session.c. */
struct quic_session {
    uint32_t unused; /* the pool's */
    struct quic_cipher early;
    struct quic_side {
        struct quic_cipher handshake, data; /* data: of the present phase */
        struct quic_cipher before, after;   /* the payloads' of the phases around it, where they were needed */
        uint8_t secret[TLS_MASTER];         /* of `after` where there is one, else of `data` */
        bool phase;                         /* the bit of the present phase */
        uint64_t began;                     /* the least number seen in it */
        uint64_t tried[QUIC_SPACES];        /* generation of the store when secrets were looked for */
        bool late;                          /* packets of it came before their secrets */
        uint32_t id_lengths;                /* a bit for each length of the connection ids it gave later */
    } side[2];
    uint32_t streams; /* those used last come first */
    uint32_t n_streams;
    uint64_t floor[4]; /* of each kind: the least number that is followed where it is new */
};

/* quic_stream is one of a connection; see quic_stream.c. */
struct quic_stream {
    uint32_t next; /* in the list; the pool's */
    uint64_t id;
    struct nested *inner;
    struct quic_order in[2];
    uint64_t size[2]; /* bytes of a side, + 1; 0: not known */
    bool reset[2];    /* a side sends nothing more */
    bool lost[2];     /* bytes before the next ones of a side are missing */
};

/* quic_stream_take takes bytes of a stream from side 0 (the client) or 1, which lie in the present source; `fin`: they
 * are the last ones. quic_stream_reset says that a side sends nothing more. quic_streams_read hands on what is in
 * order, after the packet's layer; quic_streams_end ends all of a connection. */
void quic_stream_take(struct decode *d, struct quic_state *st, int side, uint64_t id, uint64_t off, struct slice in,
                      bool fin);
void quic_stream_reset(struct quic_state *st, int side, uint64_t id);
void quic_streams_read(struct decode *d, struct quic_state *st);
void quic_streams_end(struct tls_keys *k, struct quic_session *q);

/* quic_session_open opens a packet of side 0 (the client) or 1 that is no Initial one, with the secrets of the store.
 * quic_session_end forgets the connection's. */
bool quic_session_open(struct decode *d, struct quic_state *st, int side, const struct quic_closed *c,
                       struct quic_opened *o);
void quic_session_end(struct quic_state *st);
static inline struct quic_session *quic_session_of(const struct quic_state *st) {
    return st->session ? pool_at(&st->store->quic, st->session) : NULL;
}

/* quic_crypto_take takes handshake bytes from `off` on, which lie in the present source, of side 0 (the client) or 1,
 * in packets of a space, and hands on to TLS what is complete. */
void quic_crypto_take(struct decode *d, struct quic_state *st, enum quic_space space, int side, uint64_t off,
                      struct slice in);

/* quic_frames_read reads the frames of an opened packet of one side, whose bytes became the source `src`; the packet
 * begins at `at` of the present one. */
void quic_frames_read(struct decode *d, struct quic_state *st, int side, const struct quic_opened *o, uint8_t src,
                      uint32_t at);
/* quic_frame_say writes what the Info column calls the frame at `at`. */
void quic_frame_say(struct writer *w, const struct fvec *v, uint32_t at);
bool quic_label(struct writer *w, const struct fvec *v, uint32_t at);

/* quic_number reads a number of one to eight bytes (RFC 9000 16); get_quic_number adds it, too. */
static inline uint64_t quic_number(struct reader *r) {
    uint8_t first = rd_u8(r);
    struct slice more = rd_take(r, ((size_t)1 << (first >> 6)) - 1);
    return rd_ok(r) ? (uint64_t)(first & 0x3f) << (8 * more.n) | load_be(more.p, more.n) : 0;
}
static inline uint64_t get_quic_number(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint64_t value = quic_number(r);
    if (rd_ok(r)) fv_u(d->out, id, off, rd_off(r) - off, value);
    return value;
}

#endif
