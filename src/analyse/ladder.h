/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_LADDER_H
#define WEIR_ANALYSE_LADDER_H

#include "analyse/events.h"
#include "base/words.h"

/* ladder: packets as arrows between the parties, for a picture of who said what to whom, in order. Acknowledgments and
 * nothing else are many and say little: but where one ends a handshake, they are only counted. */

enum {
    RUNGS_MAX = 20000, /* arrows that are kept; later ones are counted */
    PARTIES_MAX = 64,
    RUNG_TEXT = 160, /* bytes of an arrow's label */
    LADDER_ARENA = 16 << 20,
};

enum rung_kind { RUNG_TCP, RUNG_DNS, RUNG_TLS, RUNG_HTTP, RUNG_MQTT, RUNG_ICMP, RUNG_DATA };
enum rung_mood { MOOD_PLAIN, MOOD_AGAIN, MOOD_BAD };
/* lead is what a label begins with before its words. */
enum lead { LEAD_NONE, LEAD_AGAIN, LEAD_KEEP_ALIVE, LEAD_WINDOW, LEADS };

struct rung_end {
    struct net_addr addr;
    uint16_t port;
};

/* rung is one arrow. */
struct rung {
    uint64_t frame;
    int64_t ts;
    struct rung_end from, to;
    uint32_t stream;      /* of TCP */
    uint8_t kind, mood;   /* enum rung_kind, enum rung_mood */
    bool to_server;       /* `to` is the side that was connected to */
    bool bare;            /* an acknowledgment and nothing else */
    uint8_t lead, lead_n; /* enum lead, and how many bytes of the text it takes */
    struct slice text;
    uint8_t from_party, to_party; /* set by ladder_finish */
};

/* party is a lifeline. */
struct party {
    struct rung_end end; /* port 0: all its ports */
    struct slice client; /* MQTT client id */
    bool broker, publishes, subscribes, server;
    bool wanted;           /* it stays in the picture where not all have room */
    uint32_t rungs, first; /* its arrows, and the place of the first */
};

struct ladder {
    say_fn *say; /* of the labels */
    bool all;    /* bare acknowledgments are kept as well: to be set before the first packet */
    struct arena arena;
    struct rung *rung;
    uint32_t rungs;
    uint64_t left_out, bare; /* past RUNGS_MAX; bare acknowledgments that are not kept */
    int64_t begin;           /* time of the first packet */
    struct party party[PARTIES_MAX];
    uint32_t parties;
    uint64_t strangers; /* arrows of parties beyond PARTIES_MAX */
    struct rung_mqtt {
        struct rung_end client, server;
        struct slice id;
        bool publishes, subscribes;
    } mqtt[PARTIES_MAX];
    uint32_t mqtts;
};

/* ladder_make prepares; labels are written in the words of `say`. 0 or ERR_NOMEM. */
int ladder_make(struct ladder *l, say_fn *say) MUST_USE;
void ladder_free(struct ladder *l);
void ladder_packet(struct ladder *l, const struct packet_events *p);
/* ladder_want says, before ladder_finish, that the parties of the arrow of a frame are wanted in the picture. */
void ladder_want(struct ladder *l, uint64_t frame);
/* ladder_finish finds the parties and ties the arrows to them. */
void ladder_finish(struct ladder *l);

/* event_label writes the words of one event, packet_label those of all that a packet did. Protocol words are not
 * translated, the others by `say`; NULL: English. */
void event_label(struct writer *w, const struct event *e, say_fn *say);
void packet_label(struct writer *w, const struct packet_events *p, say_fn *say);
/* packet_lead returns what the label of a packet begins with; lead_words the words of that, to be translated. */
enum lead packet_lead(const struct packet_events *p);
const char *lead_words(enum lead lead);
/* packet_bare tells whether a packet only acknowledges. */
bool packet_bare(const struct packet_events *p);

#endif
