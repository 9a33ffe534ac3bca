/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_EXPLAIN_H
#define WEIR_ANALYSE_EXPLAIN_H

#include "analyse/events.h"
#include "base/hash.h"
#include "base/slabs.h"

/* explain: what was attempted, how far it got, why it stopped, what to do next.
 *
 * Theory of operation. One pass over the capture fills a record for each TCP conversation (milestones and counts, not
 * packets) and a few tables that tie conversations together: names looked up, MQTT clients, topic filters, topics and
 * messages. Then the checks of one table (checks.def) look at the records and say what they find; the verdict is made
 * of the findings. Sentences are templates with numbered arguments, translated by whoever prints them.
 * Limits: everything is bounded by the constants below. A conversation beyond CONVS_MAX takes the place of the oldest
 * one, which is judged before; tables that are full take nothing new, which is counted in `left_out`. */

enum {
    CONVS_MAX = 16384,    /* conversations remembered at a time */
    NAMES_MAX = 2048,     /* names looked up */
    HOSTS_MAX = 4096,     /* addresses that names stand for */
    FILTERS_MAX = 2048,   /* subscriptions; so many brokers at most have some */
    TOPICS_MAX = 2048,    /* topics published to */
    CLIENTS_MAX = 8192,   /* client identifiers */
    LIKENED_MAX = 400000, /* pairs of topic and filter that are compared letter by letter */
    MESSAGES_MAX = 8192,  /* last messages that a delivery may belong to */
    FLIGHTS = 16,         /* unfinished deliveries of QoS 1 and 2 of a side */
    MESSAGE_TO = 6,       /* receivers of a message that are remembered */
    WILLS_MAX = 256,
    QUIC_MAX = 4096,  /* pairs of hosts that speak QUIC */
    SOUGHT_MAX = 64,  /* neighbours asked for by ARP, hosts that ask for an address, datagrams that came back */
    OWNERS_MAX = 256, /* addresses that are told by ARP */
    CONV_FILTERS = 8, /* subscriptions of a conversation that deliveries are counted for */
    FINDINGS_MAX = 4096,
    FINDING_FRAMES = 8,
    FINDING_ARGS = 8,
    KEPT_TEXT = 256, /* bytes of a name or topic that are kept */
    EXPLAIN_ARENA = 64 << 20,
};

/* mark is when something happened first; frame 0: never. */
struct mark {
    uint64_t frame;
    int64_t ts;
};

enum side { CLIENT, SERVER };

struct endpoint {
    struct net_addr addr;
    uint16_t port;
};

/* trouble is what most sides of a conversation never have. */
struct trouble {
    struct mark zero, zero_end;    /* the window was closed, and opened */
    struct mark stuck, stuck_last; /* the oldest segment sent again that is not acknowledged */
    uint32_t stuck_seq, stuck_len;
    struct mark resent;          /* first segment sent again */
    struct mark hole;            /* the first segment behind one that is missing */
    uint32_t hole_seq, hole_len; /* the missing one */
};

/* half is what one side of a TCP conversation did. What every packet touches comes first and fills a cache line. */
struct half {
    uint64_t bytes; /* payload, once */
    uint32_t packets, segments, repeats;
    uint32_t acked;       /* highest acknowledgment this side sent */
    uint32_t largest_ack; /* most bytes of the other side it acknowledged at once */
    uint16_t stuck_times; /* how often trouble.stuck was sent again; stays at its greatest value */
    uint8_t syns;         /* likewise */
    bool has_ack : 1, zero_open : 1;
    bool has_fin : 1; /* `fin` is set: a packet need not look there */
    struct mark last, last_data;
    struct mark first_data, fin, rst;
    struct mark syn; /* SYN or SYN/ACK */
};
_Static_assert(offsetof(struct half, first_data) == 64 && sizeof(struct half) % 64 == 0,
               "a packet touches one cache line of a side");

struct certificate_rec {
    struct mark at;
    int64_t not_before, not_after; /* seconds since 1970 */
    struct slice subject, issuer, names;
    uint8_t count;
    bool read;         /* it could be read */
    bool name_differs; /* from the name asked for */
    bool self_signed, linked, aia;
};

struct tls_rec {
    struct mark client_hello, server_hello, request, data[2], alert[2], last_short[2];
    uint8_t alert_code[2];
    bool alert_hidden[2];
    bool changed[2]; /* ChangeCipherSpec was sent */
    uint16_t offered, version, suite;
    uint32_t records[2], first_len[2];
    uint32_t last_short_len[2];
    uint32_t before_len[2]; /* of the record before the last */
    struct mark last_data[2];
    struct mark spoke[2]; /* last record that may be of the program: no ticket or alert, as far as it was opened */
    uint32_t replies;     /* encrypted records of the server behind the client's first */
    struct slice name, alpn;
    struct slice shut; /* why it cannot be read, where keys were given */
    bool alpn_any, alpn_mqtt;
    struct certificate_rec cert;
};

struct web_rec {
    struct mark request, response, upgrade, upgraded, failed_request, failed, proxy, ws_close;
    uint16_t code, failed_code;
    uint32_t requests, responses;
    struct slice method, uri, asked, granted, phrase, failed_phrase, failed_uri, forwarded;
    struct slice location; /* of the last response, where it leads elsewhere */
    bool connect;          /* CONNECT to a proxy */
    struct web_part {      /* a request or an answer that is not whole yet; where `at` is not set, there is none */
        struct mark at;
        uint64_t head, body; /* bytes; body 0: that is said by its chunks */
        uint64_t before;     /* the side's bytes before it, */
        uint64_t came;       /* or where it is inside TLS, those of it that came */
        bool inside;
        uint32_t seq, end; /* of its first byte, and behind the last one that came */
        uint16_t code;     /* of an answer */
        struct slice text; /* the request's line, the answer's phrase */
        struct slice uri;  /* what the answer is for */
    } part[2];
};

enum flight_state { FLIGHT_NONE, FLIGHT_PUBLISH, FLIGHT_PUBREC, FLIGHT_PUBREL };

struct flight {
    uint8_t state, qos; /* enum flight_state */
    uint16_t id;
    uint16_t topic;   /* place in explain.topic + 1; 0: not kept */
    struct mark at;   /* the PUBLISH */
    struct mark step; /* the last packet about it */
};

/* mqtt_rec is an MQTT session. What every packet touches fills the first cache line, what PUBLISH of QoS 1 and 2
 * touches the second, what deliveries touch the third. */
struct mqtt_rec {
    struct mark last_client, last_server;
    uint64_t broker; /* hash of the server's end */
    uint32_t publishes[2];
    uint32_t topic_half; /* half of the hash of `topic` */
    uint32_t last_len;   /* of the client's last packet: its length, */
    uint16_t last_about; /* the place + 1 of its topic or filter, */
    uint8_t last_type;   /* its type */
    bool limited : 1;    /* a side said max_packet */
    bool pinging : 1;    /* `ping` is not answered */
    uint16_t topic;      /* place in explain.topic of the first PUBLISH + 1; 0: none */
    uint16_t filters;
    struct flight *flight[2];      /* by sender of the PUBLISH: at first one[], grows up to FLIGHTS */
    uint8_t flights[2];            /* how many it has room for */
    struct flight one[2];          /* few sessions have more than one message under way */
    uint16_t filter[CONV_FILTERS]; /* places in explain.filter */
    uint64_t matched;              /* serial of the last message that was delivered to it */
    /* Only some packets touch what follows. */
    uint32_t max_packet[2]; /* greatest packet the side takes; 0: not said */
    struct mark ping;       /* the first PINGREQ since an answer, where pinging */
    struct mark first_publish[2];
    struct mark connect, connack, disconnect[2], subscribe;
    struct mark suback_failed, too_large, no_alias, retained, duplicate, violation, id_reused, no_match, ack_refused,
        taken_over;
    uint32_t retained_count, duplicates, violations;
    uint16_t keep_alive, violation_id, reused_id;
    uint8_t version, connack_code, disconnect_code[2], suback_code, ack_refused_code, violation_side, too_large_side;
    bool session, will, user, password, clean, has_disconnect_code[2];
    uint32_t too_large_len;
    struct slice client, will_topic, suback_topic, no_match_topic, ack_refused_topic;
    uint16_t sub_id[4]; /* SUBSCRIBE packets under way: identifier and first filter */
    uint16_t sub_first[4];
    uint8_t sub_count[4], sub_next;
    uint32_t after;        /* stream number + 1 of the conversation that took this one's client id; 0: none */
    struct mark will_sent; /* the broker published its will */
} __attribute__((aligned(64)));

/* conv is one TCP conversation. There are many, and where they lie in memory is what a packet of them costs: so what
 * every packet touches fills two cache lines, the first one here and that of its side's half. */
struct conv {
    uint32_t stream;
    uint16_t port[2];       /* of end[] */
    bool selected;          /* the display filter let a packet of it through */
    bool from_start;        /* its SYN was seen */
    bool up;                /* `established` is set, or will not be */
    bool stuck[2];          /* half.stuck_times is not 0 */
    bool unseen;            /* a side acknowledged what was not captured */
    bool silent;            /* there was a `gap` */
    bool websocket;         /* HTTP was asked to go on as WebSocket, or it did: there is `web` */
    bool part_begun;        /* a message of HTTP went on behind its first packet: there is `web` */
    bool cut;               /* the capture kept less of a packet of it than was on the wire */
    bool begins;            /* the client's bytes so far may be the beginning of a CONNECT: they are in begun[] */
    uint8_t first_bytes[2]; /* kind of the first payload, enum payload_kind */
    struct mqtt_rec *mqtt;  /* NULL, or its place in explain.session */
    struct mark last;
    uint64_t last_id[2]; /* digest of each side's last packet, to know copies of it */
    struct half half[2] __attribute__((aligned(64)));
    struct endpoint end[2];
    uint32_t since_gap;          /* packets since the last long silence */
    uint8_t gap_side;            /* who spoke first behind it */
    bool gap_answered;           /* and the other side answered, with more than RST */
    uint32_t lost;               /* segments not captured */
    struct trouble *trouble[2];  /* of the sides; NULL: none, conv_trouble reads it */
    struct mark gap_before, gap; /* packets before and behind the last long silence */
    struct mark first, established;
    struct mark icmp; /* an ICMP error about it */
    uint8_t icmp_type, icmp_code;
    bool icmp_v6;
    uint32_t icmp_mtu;
    struct net_addr icmp_from;
    struct slice greeting; /* first line of a server that speaks neither MQTT, TLS nor HTTP, where it is text */
    struct slice stray;    /* first line of an answer in HTTP to what was no HTTP, and where it sends the client */
    uint32_t connect_due;  /* bytes of the CONNECT that the client began and its first segment did not end; 0: none */
    uint8_t begun[15], begun_n;
    int64_t syn_rtt; /* from SYN to SYN/ACK; 0: not seen */
    uint16_t name;   /* place in explain.name + 1; 0: not looked up */
    struct tls_rec *tls;
    struct web_rec *web;
    uint64_t said[4]; /* bit set of checks that spoke */
    uint8_t worst;    /* level of the worst that was found + 1; 0: nothing */
    uint8_t failed;   /* bits of enum stage: where an error was found */
};
_Static_assert(offsetof(struct conv, half) == 64, "what all packets touch is one cache line beside the sides'");

enum payload_kind { PAYLOAD_NONE, PAYLOAD_TLS, PAYLOAD_MQTT, PAYLOAD_HTTP, PAYLOAD_PROXY, PAYLOAD_OTHER };

/* sought_rec is somebody who asks again and again: for a neighbour by ARP, for an address by DHCP, for an answer by NTP
 * or CoAP; or the port of UDP that ICMP says cannot be reached. */
struct sought_rec {
    struct net_addr who, whom;
    struct mark first, last;
    uint32_t tries;
    uint16_t port;
    uint8_t mac[6];
    uint8_t kind; /* enum sought */
    bool answered;
    bool named; /* a name server had told who asks of this address */
};
enum sought { SOUGHT_NEIGHBOUR, SOUGHT_ADDRESS, SOUGHT_PORT, SOUGHT_SERVICE };

/* owner_rec is who says by ARP that an address is his. */
struct owner_rec {
    struct net_addr addr;
    uint8_t mac[2][6];
    struct mark at[2]; /* when each said so last */
    struct mark clash; /* when both did in turn */
};

/* name_rec is a name somebody looked up. */
struct name_rec {
    struct net_addr who, server;
    struct slice name;
    struct mark asked[2], answered[2]; /* of A and AAAA */
    struct mark last;                  /* the last question */
    uint32_t tries[2];
    uint8_t rcode[2];
    uint16_t addrs[2];
    int64_t slowest;
    struct mark slow_asked, slow_answered;
    uint16_t other_type; /* type asked for where it was neither */
    uint16_t id[2];
    bool used;               /* a packet went to one of its addresses afterwards */
    struct net_addr nowhere; /* its only address is that of no host, or of the asker itself; len 0: it is not */
    bool selected;
};

/* host_rec ties an address to a name. */
struct host_rec {
    struct net_addr who, addr;
    uint16_t name; /* place in explain.name */
};

struct filter_rec {
    struct endpoint broker;
    struct slice filter;
    uint32_t stream;
    uint8_t qos, code;
    bool answered;
    struct mark at, ended, delivered;
    uint32_t deliveries;
    uint16_t next;      /* place + 1 of the broker's next filter, 0: it is the last */
    uint16_t probe_end; /* how many bytes every topic that matches begins with; 0: fewer than eight */
    uint64_t probe;     /* the last eight of them */
};

/* broker_rec says which filters were asked of a broker. */
struct broker_rec {
    uint16_t first, last; /* places in explain.filter + 1 */
};

/* topic_rec is a topic somebody publishes to. What every message touches fills the first cache line. */
struct topic_rec {
    struct mark last, first_ack;
    int64_t slowest;
    uint32_t published, delivered;
    uint32_t stream; /* of the first publisher */
    uint8_t qos;
    bool namesake; /* a topic of another broker is called the same */
    struct slice topic;
    struct endpoint broker;
    struct mark first;
    struct mark slow_sent, slow_got;
    uint32_t slow_stream;
    struct mark got_sent, got; /* first delivery: what was published, and that it came */
    int64_t delay;             /* of the first delivery */
    struct mark lost;          /* a message that a matching subscriber did not get */
} __attribute__((aligned(64)));

struct client_rec {
    struct endpoint broker;
    struct slice id;
    uint32_t stream;              /* of the last CONNECT */
    uint32_t connects, takeovers; /* takeovers: CONNECTs while another connection with the id was open */
};

/* message is one PUBLISH from a client to a broker. */
struct message {
    uint64_t hash;
    struct mark sent;
    uint32_t stream;
    uint32_t deliveries;
    uint32_t to[MESSAGE_TO]; /* numbers + 1 of the first conversations it was delivered to */
    uint16_t topic;          /* place in explain.topic */
    uint16_t back;           /* how many messages ago was the one before it in its bucket; 0: none is kept */
    uint8_t qos;
} __attribute__((aligned(64)));

/* will_rec is a will a client left with a broker. */
struct will_rec {
    struct endpoint broker;
    struct slice topic;
    uint32_t stream;
    uint16_t before; /* place + 1 of the one before it with this broker and topic; 0: none */
};

enum severity_level { LEVEL_NOTE, LEVEL_WARNING, LEVEL_ERROR, LEVELS };
enum stage { STAGE_CAPTURE, STAGE_LINK, STAGE_DNS, STAGE_TCP, STAGE_TLS, STAGE_WEB, STAGE_MQTT, STAGE_LEG, STAGES };
enum blame { BLAME_NOBODY, BLAME_CLIENT, BLAME_SERVER, BLAME_PATH, BLAMES };
enum confidence { SURE, LIKELY, GUESS };
enum scope { PER_CAPTURE, PER_NAME, PER_CONV, PER_TOPIC };

/* argument of a sentence: text as it is, or words that are translated. */
struct argument {
    struct slice text;
    bool words;
};

/* finding is what one check says about one thing. */
struct finding {
    uint16_t check; /* place in explain_checks; of a verdict without a cause: explain_checks_count */
    uint8_t level, blame, confidence;
    int64_t stream; /* conversation; -1: none */
    uint64_t frame[FINDING_FRAMES];
    uint8_t frames;
    const char *text, *next; /* templates */
    struct argument arg[FINDING_ARGS];
    uint8_t args;
    int64_t ts;   /* when it showed */
    bool matters; /* it is about a device: MQTT, or the way to a broker */
    bool asked;   /* the user asked for it, by giving keys: a note that the short answer has, too */
};

struct explain;
struct judge;

/* check is one line of the catalogue. */
struct check {
    const char *id; /* tcp.refused */
    uint8_t stage, level, scope, blame;
    const char *title, *text, *next; /* templates; title is for the catalogue */
    void (*run)(struct judge *j);
};
extern const struct check explain_checks[];
extern const size_t explain_checks_count;

const char *stage_name(enum stage s);          /* "TCP" */
const char *level_name(enum severity_level l); /* "error", to be translated */

/* place_map finds places of a table by hash: open addressing, nothing is ever taken out. A slot is 48 bits of the hash
 * and the place + 1 in the lowest 16; 0: it is free. Most hashes that are sought are not there once a table is full,
 * and the marks tell it of all but one in fifty: they stay in the nearest caches, where the slots do not. */
struct place_map {
    uint64_t *slot;
    uint64_t *marks; /* of each hash two bits are set, in the word of its slot */
    uint32_t mask;   /* slots - 1 */
};

struct explain {
    struct hash_key key;
    struct arena arena;
    struct slabs slabs;       /* of what conversations own */
    void *memory;             /* of room[], session[], topic[] and message[] */
    struct conv *room;        /* CONVS_MAX, each in its cache lines; memory that was not used yet costs nothing */
    struct mqtt_rec *session; /* their MQTT sessions, by the same place */
    struct conv *conv[CONVS_MAX];
    struct name_rec *name;
    struct host_rec *host;
    struct filter_rec *filter;
    struct broker_rec *broker;
    struct topic_rec *topic;
    struct client_rec *client;
    struct message *message;
    struct will_rec will[WILLS_MAX];
    struct sought_rec sought[SOUGHT_MAX];
    struct owner_rec owner[OWNERS_MAX];
    uint32_t bucket[MESSAGES_MAX]; /* low half of the serial of the last message of a hash; 0: none */
    uint32_t names, hosts, filters, brokers, topics, clients, wills, soughts, owners, quics;
    uint64_t messages; /* serial of the last */
    struct place_map by_name, by_host, by_broker, by_topic, by_text, by_client, by_will, by_quic;
    struct finding *finding;
    uint32_t findings;
    uint32_t graver; /* so many from the first on are more than notes */
    struct finding all_well;
    uint64_t per_level[LEVELS];
    /* The capture. */
    uint64_t packets, tcp_packets, icmp_packets, cut, drops, unicast, broadcast, convs, left_out, twice;
    uint64_t chosen; /* of convs: those the display filter let a packet of through; without one all */
    uint64_t partial;
    uint64_t segments, repeats; /* of all conversations: data, and data sent again */
    struct mark first, last, first_cut, first_drop;
    int16_t era;                           /* of the packet seen last */
    struct mark back, before_ahead, ahead; /* where the clock went back, and forward */
    int64_t back_ns, ahead_ns;
    struct mark previous; /* the packet before the present one */
    struct mark first_twice;
    struct mark partial_at;
    uint64_t midway;
    bool ipv6_used, any_dns, filtered, live;
    int64_t rtt_median;       /* of the conversations' handshakes, nanoseconds; 0: too few */
    struct trouble forgotten; /* what there was no memory for */
    uint32_t likened;         /* topics and filters that were compared letter by letter */
    /* told is called for every finding as it is made, in a live run. */
    void (*told)(void *to, const struct finding *f);
    void *told_to;
};

/* explain_make prepares; 0 or ERR_NOMEM. explain_free releases. */
int explain_make(struct explain *e) MUST_USE;
void explain_free(struct explain *e);
/* explain_expect says of which conversation a coming packet is likely to be: the records are fetched from memory
 * meanwhile. */
void explain_expect(const struct explain *e, uint32_t stream);
/* explain_packet takes the next packet; `selected` tells whether the display filter lets it through. */
void explain_packet(struct explain *e, const struct packet_events *p, bool selected, uint64_t drops);
/* explain_finish judges everything; the findings are then in order, worst first. */
void explain_finish(struct explain *e);
/* explain_tick judges what is open, for a live run: at most once a second is enough. */
void explain_tick(struct explain *e, int64_t now);
/* conv_trouble returns the trouble of a side, all zero where it has none. */
const struct trouble *conv_trouble(const struct conv *c, int side);
/* explain_conv returns a conversation by its number, or NULL. */
static inline struct conv *explain_conv(const struct explain *e, uint32_t stream) {
    struct conv *c = &e->room[stream % CONVS_MAX];
    return c->stream == stream ? c : NULL;
}

/* explain_chosen tells whether anything is to be said of a conversation: where there is a display filter, it let a
 * packet of it through. */
static inline bool explain_chosen(const struct explain *e, const struct conv *c) { return !e->filtered || c->selected; }

/* What a conversation was, for people. */
bool conv_is_broker(const struct conv *c);
/* conv_stage tells how a stage of a conversation went. */
enum stage_state { STAGE_ABSENT, STAGE_FINE, STAGE_FAILED, STAGE_UNSEEN };
enum stage_state conv_stage(const struct explain *e, const struct conv *c, enum stage s);

/* explain_verdict says in one finding what is to be said of the whole capture: the worst there is, or that all is well
 * (then it is no check's and *fine is set). The finding lives as long as e. */
const struct finding *explain_verdict(struct explain *e, bool *fine);

/* explain_topic_matches tells whether a topic name matches a topic filter, MQTT 4.7; a shared subscription counts as
 * its filter. */
bool explain_topic_matches(struct slice filter, struct slice topic);
/* explain_topic_matches_folded does so without regard to the case of letters, which MQTT never allows. */
bool explain_topic_matches_folded(struct slice filter, struct slice topic);

#endif
