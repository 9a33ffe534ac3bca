/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_MQTT_H
#define WEIR_PROTO_MQTT_H

#include "proto/proto.h"

/* MQTT 3.1, 3.1.1 (OASIS 2014) and 5.0 (OASIS 2019). */

enum mqtt_type {
    MQTT_RESERVED,
    MQTT_CONNECT,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
    MQTT_TYPES
};

enum mqtt_version { MQTT_UNKNOWN = 0, MQTT_31 = 3, MQTT_311 = 4, MQTT_5 = 5 };

/* Bits of the connect flags, MQTT 3.1.2.3. */
enum {
    MQTT_USER_NAME = 0x80,
    MQTT_PASSWORD = 0x40,
    MQTT_WILL_RETAIN = 0x20,
    MQTT_WILL_QOS = 0x18,
    MQTT_WILL = 4,
    MQTT_CLEAN = 2
};

/* Property identifiers, MQTT 2.2.2.2. */
enum mqtt_property {
    MQTT_P_PAYLOAD_FORMAT = 0x01,
    MQTT_P_MESSAGE_EXPIRY = 0x02,
    MQTT_P_CONTENT_TYPE = 0x03,
    MQTT_P_RESPONSE_TOPIC = 0x08,
    MQTT_P_CORRELATION = 0x09,
    MQTT_P_SUBSCRIPTION_ID = 0x0b,
    MQTT_P_SESSION_EXPIRY = 0x11,
    MQTT_P_ASSIGNED_CLIENT_ID = 0x12,
    MQTT_P_SERVER_KEEP_ALIVE = 0x13,
    MQTT_P_AUTH_METHOD = 0x15,
    MQTT_P_AUTH_DATA = 0x16,
    MQTT_P_REQUEST_PROBLEM = 0x17,
    MQTT_P_WILL_DELAY = 0x18,
    MQTT_P_REQUEST_RESPONSE = 0x19,
    MQTT_P_RESPONSE_INFO = 0x1a,
    MQTT_P_SERVER_REFERENCE = 0x1c,
    MQTT_P_REASON_STRING = 0x1f,
    MQTT_P_RECEIVE_MAX = 0x21,
    MQTT_P_ALIAS_MAX = 0x22,
    MQTT_P_ALIAS = 0x23,
    MQTT_P_MAX_QOS = 0x24,
    MQTT_P_RETAIN_AVAILABLE = 0x25,
    MQTT_P_USER = 0x26,
    MQTT_P_MAX_PACKET = 0x27,
    MQTT_P_WILDCARD_AVAILABLE = 0x28,
    MQTT_P_SUB_ID_AVAILABLE = 0x29,
    MQTT_P_SHARED_AVAILABLE = 0x2a,
    MQTT_PROPERTIES
};

/* How a property's value is encoded. */
enum mqtt_kind {
    MQTT_K_NONE,
    MQTT_K_BYTE,
    MQTT_K_TWO,
    MQTT_K_FOUR,
    MQTT_K_VARINT,
    MQTT_K_TEXT,
    MQTT_K_BINARY,
    MQTT_K_PAIR
};

enum { MQTT_LENGTH_MAX = 268435455, MQTT_LENGTH_BYTES = 4 }; /* greatest variable byte integer, MQTT 1.5.5 */

/* What the two sides did not allow each other, mqtt_conv.without. */
enum { MQTT_WITHOUT_RETAIN = 1, MQTT_WITHOUT_WILDCARD = 2, MQTT_WITHOUT_SUB_ID = 4, MQTT_WITHOUT_SHARED = 8 };

struct mqtt_conv;

/* mqtt_alias_ops is who keeps the topic aliases of a conversation. */
struct mqtt_alias_ops {
    /* set remembers the topic side `from` gave an alias. */
    void (*set)(struct mqtt_conv *c, int from, uint16_t alias, struct slice topic);
    /* get returns it, empty where none is known; the bytes live until the next set. */
    struct slice (*get)(const struct mqtt_conv *c, int from, uint16_t alias);
};

/* mqtt_conv is what a connection's packets so far say about the next one. Sides are 0 and 1. */
struct mqtt_conv {
    const struct mqtt_alias_ops *aliases; /* NULL: they are not kept */
    uint32_t packet_max[2];               /* largest packet the side takes; 0: any */
    uint16_t alias_max[2];                /* greatest alias the side said it takes */
    uint16_t receive_max[2];              /* messages of QoS 1 and 2 the side takes at a time; 0: it did not say */
    uint16_t in_flight[2];                /* such messages the side sent and has no last acknowledgement for */
    uint8_t version;                      /* of the last CONNECT; MQTT_UNKNOWN where none was seen */
    uint8_t guess;         /* what packets without a CONNECT looked like: MQTT_5, MQTT_311 for 3.x, or MQTT_UNKNOWN */
    uint8_t client;        /* side of the client + 1; 0: not known yet */
    uint8_t without;       /* MQTT_WITHOUT_... */
    uint8_t max_qos;       /* 1 + greatest QoS the server takes; 0: it did not say */
    bool connect, connack; /* the packet was seen */
    bool authenticates;    /* CONNECT had an authentication method */
    bool expires;          /* CONNECT asked for a session that outlives the connection */
    bool spoke[2];         /* the side sent a packet */
    bool closed[2];        /* the side sent DISCONNECT */
    bool forgot[2];        /* an alias the side set had to give way */
};

/* A captured conversation's topic aliases of both directions share this many bytes; the oldest give way. */
enum { MQTT_ALIAS_BYTES = 480, MQTT_ALIAS_FEW = 70 /* for one or two */ };

/* mqtt_kept is a conversation that keeps its aliases. The few that most have lie behind it in memory. */
struct mqtt_kept {
    struct mqtt_conv conv; /* first: decoders know nothing else */
    uint8_t *many;         /* MQTT_ALIAS_BYTES; NULL: they are in few[] */
    uint16_t used;         /* bytes of the aliases: oldest first, of each its side, alias, length of the topic, topic */
    uint8_t few[MQTT_ALIAS_FEW];
    struct arena memory; /* of many[] */
};
_Static_assert(offsetof(struct mqtt_kept, memory) == 128, "what most packets touch is two cache lines");
/* mqtt_kept_start makes the conversation new and has it keep its aliases itself; mqtt_kept_end frees them. */
void mqtt_kept_start(struct mqtt_kept *k);
void mqtt_kept_end(struct mqtt_kept *k);

/* mqtt_head is a packet's fixed header, MQTT 2.1. */
struct mqtt_head {
    uint8_t type, flags;
    uint8_t size;    /* bytes of the fixed header */
    uint32_t length; /* bytes that follow */
    bool overlong;   /* the length was not in its shortest form */
};

/* mqtt_head_read reads a fixed header; READ_MORE where it is not whole, READ_BAD where its length has a fifth
 * byte (MQTT 1.5.5). */
enum read_status mqtt_head_read(struct slice in, struct mqtt_head *h);

/* mqtt_varint reads a variable byte integer of up to four bytes; the reader fails where there is none. `overlong`
 * tells whether it was not in its shortest form. */
uint32_t mqtt_varint(struct reader *r, bool *overlong);

/* mqtt_message is one packet on its way through the decoder, and what was found in it: a program that acts on packets
 * reads it here and need not search the fields. Of a captured packet they are in decode.mqtt. */
struct mqtt_message {
    struct mqtt_message *next; /* in decode.mqtt */
    struct decode *d;
    struct mqtt_conv *c;
    int from;
    uint32_t off; /* place of the packet in the source src */
    uint8_t src;
    struct mqtt_head head;
    uint8_t version;    /* read as: enum mqtt_version */
    bool cut;           /* the end of the payload is not there yet */
    uint32_t cut_at;    /* bytes of the packet that are there, where cut */
    uint32_t left_out;  /* bytes of the packet's end that the capture does not have */
    struct reader r;    /* what follows the fixed header */
    uint16_t alias;     /* topic alias among the properties; 0: none */
    uint32_t alias_off; /* place of the alias */
    bool alias_there;
    bool by_alias;     /* the topic is what the alias stands for */
    bool text_payload; /* payload format indicator 1 */
    bool dup;          /* the flag, of packets that have it */
    bool session;      /* session present, of a CONNACK */
    bool sub_id;       /* a subscription identifier is among the properties */
    bool method;       /* an authentication method is among them */
    uint32_t numbers;  /* values of single properties below are there: bits of MQTT_N_... */
    uint32_t number[6];
    uint16_t id, keep_alive;
    uint8_t connect_flags, code; /* code: the last return or reason code */
    struct slice codes;          /* all of them: one for each filter that is answered */
    struct slice topic;          /* of a PUBLISH, where an alias stands for it the name that was found for it */
    struct slice payload, client_id, user_name, will_topic, will_payload;
    struct slice response; /* response topic of a PUBLISH, or of a CONNECT's will */
    struct slice assigned; /* client identifier of a CONNACK's properties */
    struct slice filters;  /* of SUBSCRIBE and UNSUBSCRIBE: what mqtt_filter_next reads */
};

/* Properties that say what a side can do: places in mqtt_message.number. */
enum { MQTT_N_ALIAS_MAX, MQTT_N_RECEIVE_MAX, MQTT_N_PACKET_MAX, MQTT_N_MAX_QOS, MQTT_N_KEEP_ALIVE, MQTT_N_EXPIRY };

/* mqtt_number returns the value of such a property, or `otherwise` where the packet has none. */
static inline uint32_t mqtt_number(const struct mqtt_message *m, unsigned which, uint32_t otherwise) {
    return m->numbers >> which & 1 ? m->number[which] : otherwise;
}

/* mqtt_packet_read decodes one packet. d, c, from, head (as mqtt_head_read gave it), cut and left_out of `m` are set by
 * the caller, the rest is zero; `packet` is the whole packet, or where m->cut a PUBLISH without the end of its payload.
 * What the message points to lives as long as the packet and the conversation's aliases. */
void mqtt_packet_read(struct mqtt_message *m, struct slice packet);

/* mqtt_filter_next takes the first filter of `filters`, with the byte of options behind it in a SUBSCRIBE; false at
 * the end. */
bool mqtt_filter_next(struct slice *filters, uint8_t type, struct slice *filter, uint8_t *options);

/* Session: what a packet means at this point of the conversation. */
void mqtt_session_packet(struct mqtt_message *m, uint32_t off);
/* mqtt_session_version returns the version to read a packet as, guessing where no CONNECT was seen. */
uint8_t mqtt_session_version(struct mqtt_conv *c, const struct mqtt_head *h, struct slice body);
void mqtt_session_connect(struct mqtt_message *m, uint8_t version);
/* mqtt_session_takes notes what a CONNECT or CONNACK says its sender can do. */
void mqtt_session_takes(struct mqtt_message *m);
/* mqtt_session_done holds a packet that was read against what the two sides said they can do. */
void mqtt_session_done(struct mqtt_message *m, uint32_t off);
/* mqtt_alias_set and mqtt_alias_get ask who keeps the aliases. */
void mqtt_alias_set(struct mqtt_conv *c, int from, uint16_t alias, struct slice topic);
struct slice mqtt_alias_get(const struct mqtt_conv *c, int from, uint16_t alias);

/* Parts of the decoder that several packet types share. */
void mqtt_properties_read(struct mqtt_message *m, bool will);
enum mqtt_kind mqtt_property_kind(uint8_t id);
/* mqtt_property_allowed tells whether a packet type (MQTT_RESERVED: the will) may hold the property. */
bool mqtt_property_allowed(uint8_t id, uint8_t type);
/* mqtt_properties_plausible tells whether s begins with well-formed properties of a packet type, and how long
 * they are with their length. */
bool mqtt_properties_plausible(struct slice s, uint8_t type, size_t *size);
/* mqtt_properties_have tells whether the properties that s begins with hold one of that identifier. */
bool mqtt_properties_have(struct slice s, uint8_t id);

enum mqtt_text { MQTT_TEXT, MQTT_TOPIC, MQTT_FILTER };
/* mqtt_text_check adds the anomalies of a text at `off`: UTF-8, and the rules of topic names or filters. */
void mqtt_text_check(struct mqtt_message *m, enum mqtt_text kind, struct slice s, uint32_t off);
/* mqtt_filter_shared tells whether a topic filter is a shared subscription. */
bool mqtt_filter_shared(struct slice filter);

enum probe_result mqtt_probe(struct slice in);
/* What struct proto calls column, info and label. */
const char *mqtt_column(const struct fvec *v, uint32_t at, uint32_t end);
void mqtt_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
extern const uint16_t mqtt_info_fields[];
bool mqtt_label(struct writer *w, const struct fvec *v, uint32_t at);

#endif
