/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TLS_TLS_H
#define WEIR_PROTO_TLS_TLS_H

#include "proto/proto.h"

/* The parts of TLS.
 *
 * tls_record.c cuts the stream into records, tls_handshake.c reads handshake messages, tls_hello.c the two hellos,
 * tls_ext.c their extensions, tls_ja3.c makes fingerprints, tls_quic.c what is QUIC's, tls_text.c writes words. What
 * stands behind a ChangeCipherSpec (or, in TLS 1.3, in application data records) is opened where tls_keys.c has the
 * keys: tls_session.c follows the handshake, tls_master.c makes keys, tls_cipher.c opens records, tls_decrypt.c decides
 * which keys to use. tls_gather.c puts together handshake messages of several records. */

enum tls_version { SSL2 = 0x0002, GMTLS = 0x0101, SSL3 = 0x0300, TLS10 = 0x0301, TLS11, TLS12, TLS13 };

enum tls_content {
    TLS_CONTENT_CCS = 20,
    TLS_CONTENT_ALERT,
    TLS_CONTENT_HANDSHAKE,
    TLS_CONTENT_DATA,
    TLS_CONTENT_HEARTBEAT,
    TLS_CONTENT_CID
};

enum tls_message {
    HELLO_REQUEST = 0,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    NEW_SESSION_TICKET = 4,
    HELLO_RETRY_REQUEST = 6, /* of drafts; later a ServerHello with a special random */
    ENCRYPTED_EXTENSIONS = 8,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE,
    CERTIFICATE_REQUEST,
    SERVER_HELLO_DONE,
    CERTIFICATE_VERIFY,
    CLIENT_KEY_EXCHANGE,
    FINISHED = 20,
    CERTIFICATE_STATUS = 22,
    KEY_UPDATE = 24,
    COMPRESSED_CERTIFICATE,
    NEXT_PROTOCOL = 67
};

/* tls_alpn is the protocol the two sides agreed on, as far as it matters. */
enum tls_alpn { ALPN_NONE, ALPN_HTTP1, ALPN_HTTP2, ALPN_SPDY, ALPN_HTTP3, ALPN_DNS, ALPN_MQTT, ALPN_OTHER };

/* tls_gather is a handshake message that came in part; see tls_gather.c. */
enum { TLS_MESSAGE_MOST = 0x20000, TLS_PIECES_MOST = 64 };
struct tls_gather {
    struct arena memory;
    uint8_t *bytes;
    uint32_t have, room;
    uint32_t pieces; /* those above TLS_PIECES_MOST are not listed */
    struct tls_piece {
        uint64_t frame;
        uint32_t len;
    } piece[TLS_PIECES_MOST];
};

struct tls_state {
    uint16_t version; /* of the session; 0: not known */
    uint16_t suite;
    bool has_suite;
    bool unsealed;               /* the suite leaves records in the clear, with a MAC behind them */
    uint8_t unsealed_mac;        /* bytes of that */
    bool hello_done;             /* ServerHelloDone or ClientKeyExchange was seen */
    uint8_t alpn;                /* enum tls_alpn */
    struct tls_gather gather[2]; /* the handshake message of each side that goes on in its next record */
    bool changed[2];             /* a side sent ChangeCipherSpec: its handshake messages and alerts are encrypted */
    bool damaged;                /* a message of the layer being read ended too early */
    bool alerted[2];             /* the last record of a side is an alert, as at a session's end */
    bool unread[2];              /* application data of a side was not read, or lost, before what comes next */
    bool opened;                 /* what is being read was decrypted */
    bool quic;                   /* QUIC carries the handshake: there are no records */
    bool open_to_all;            /* in packets that anybody can make, QUIC's Initial ones */
    uint8_t said;                /* enum tls_verdict that was shown */
    uint32_t session;            /* number of the struct tls_session in `keys`; 0: none */
    struct tls_keys *keys;
    struct nested *inner; /* the stream inside */
};

/* What fval.extra says about an entry. */
enum {
    TLS_EXTRA_CONTINUATION = 0xffff, /* FID_TLS: bytes of which nothing is known; otherwise the session's version */
    TLS_EXTRA_ENCRYPTED = 0x100,     /* FID_TLS_HANDSHAKE, FID_TLS_ALERT, FID_TLS_HEARTBEAT */
    TLS_EXTRA_FRAGMENT = 0x200,      /* FID_TLS_HANDSHAKE: low bits are the message's type */
    TLS_EXTRA_LATER = 0x400,         /* and not its first piece */
    TLS_EXTRA_LAST = 0x800,          /* and its last one */
};

/* tls_params is which key exchange parameters an entry holds (fval.extra of FID_TLS_KX_TEXT). */
enum tls_params {
    PARAMS_NONE,
    PARAMS_EC_SERVER,
    PARAMS_DH_SERVER,
    PARAMS_PSK_SERVER,
    PARAMS_RSA_SERVER,
    PARAMS_EC_CLIENT,
    PARAMS_DH_CLIENT,
    PARAMS_PSK_CLIENT,
    PARAMS_RSA_CLIENT,
    PARAMS_RSA_PSK_CLIENT,
    PARAMS_DH_PSK_CLIENT,
    PARAMS_EC_PSK_CLIENT,
    PARAMS_COUNT
};

/* tls_gather_take adds the first bytes of `in` to a message, up to its end, and returns their number; 0: the message is
 * too long, and dropped. tls_gather_whole tells whether it is complete. tls_gather_drop forgets it. */
size_t tls_gather_take(struct decode *d, struct tls_gather *g, struct slice in);
bool tls_gather_whole(const struct tls_gather *g);
void tls_gather_drop(struct tls_gather *g);
/* tls_gather_show lists the pieces of a whole message, whose bytes are the source src; `off` is the record's place. */
void tls_gather_show(struct decode *d, const struct tls_gather *g, uint32_t off, uint8_t src);

/* tls_handshake_read reads the handshake messages of one record. */
void tls_handshake_read(struct decode *d, struct tls_state *st, int from, struct slice record);
/* tls_client_hello_read and tls_server_hello_read read a hello's body; `retry` is set for a HelloRetryRequest. */
void tls_client_hello_read(struct decode *d, struct tls_state *st, struct reader *r);
void tls_server_hello_read(struct decode *d, struct tls_state *st, struct reader *r, bool *retry);
/* tls_extensions_read reads the list of extensions of a message of the given type. */
void tls_extensions_read(struct decode *d, struct tls_state *st, struct reader *r, uint8_t message);
/* tls_sigalg_read reads one signature algorithm, tls_sigalgs_read the list of them with its length. */
void tls_sigalg_read(struct decode *d, struct reader *r);
void tls_sigalgs_read(struct decode *d, struct reader *r);
/* tls_status_read reads a CertificateStatus structure. */
void tls_status_read(struct decode *d, struct reader *r);
/* tls_scts_read reads a list of signed certificate timestamps. */
void tls_scts_read(struct decode *d, struct reader *r);
/* tls_dnames_read reads the names of certificate authorities. */
void tls_dnames_read(struct decode *d, struct reader *r);

/* tls_vector reads the length of a vector, `width` bytes wide, under the name id, and returns a reader over its bytes;
 * a length that cannot be is an anomaly, and the vector ends where the message does. */
struct reader tls_vector(struct decode *d, struct reader *r, uint16_t id, unsigned width, uint32_t least,
                         uint32_t most);
/* tls_opaque reads a vector of bytes: its length under len_id, its bytes under id. */
struct slice tls_opaque(struct decode *d, struct reader *r, uint16_t len_id, unsigned width, uint16_t id);
/* tls_trailing says that bytes of a structure were left over. */
void tls_trailing(struct decode *d, struct reader *r);

/* tls_server_kx_read and tls_client_kx_read read the key exchange of the session's cipher suite. */
void tls_server_kx_read(struct decode *d, const struct tls_state *st, struct reader *r);
void tls_client_kx_read(struct decode *d, const struct tls_state *st, struct reader *r);

/* tls_ja3_add adds the fingerprint of a client's hello (its body), tls_ja3s_add that of a server's; `off` is its place.
 */
void tls_ja3_add(struct decode *d, struct slice body, uint32_t off);
void tls_ja3s_add(struct decode *d, struct slice body, uint32_t off);

/* tls_ja4_add adds the newer fingerprint of a client's hello (its body). */
void tls_ja4_add(struct decode *d, struct slice body, uint32_t off, bool quic);

/* tls_quic_start prepares the state of a handshake inside QUIC, tls_quic_read reads the next bytes of it from side
 * `from`, which lie in the present source, as a layer inside the present one. Its end is that of the stream's. */
void tls_quic_start(struct tls_state *st);
void tls_quic_read(struct decode *d, struct tls_state *st, int from, struct slice in);
/* tls_quic_inner returns whose streams they are, NULL where that is not known. */
const struct proto *tls_quic_inner(const struct tls_state *st);
/* tls_quic_params_read reads QUIC's transport parameters; `sure`: they are the server's, in a packet nobody else can
 * make, and packets to an address it prefers are to be known. tls_quic_label writes a parameter's line or its type's.
 */
void tls_quic_params_read(struct decode *d, struct reader *r, bool sure);
bool tls_quic_label(struct writer *w, const struct fvec *v, uint32_t at);

/* tls_grease tells whether a value is reserved to be ignored (RFC 8701). */
static inline bool tls_grease(uint16_t v) { return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff); }
/* tls_is_13 tells whether a version is TLS 1.3 or a draft of it. */
static inline bool tls_is_13(uint16_t v) { return v == TLS13 || v >> 8 == 0x7f || v >> 8 == 0xfb; }
/* tls_server_hello_version returns the version a ServerHello selects, 0 where it has none. */
uint16_t tls_server_hello_version(struct slice body);
/* tls_is_retry tells whether a ServerHello's random says that it is a HelloRetryRequest. */
bool tls_is_retry(struct slice random);
/* tls_message_name returns the name of a handshake message type, NULL where there is none. */
const char *tls_message_name(uint8_t type);

/* What struct proto calls column, info and label. */
void tls_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
const char *tls_column(const struct fvec *v, uint32_t at, uint32_t end);
bool tls_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t tls_info_fields[];

#endif
