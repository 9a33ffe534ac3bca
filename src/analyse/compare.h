/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_COMPARE_H
#define WEIR_ANALYSE_COMPARE_H

#include "analyse/events.h"
#include "base/words.h"

/* compare: two runs of the same thing, put beside each other to find where they part.
 *
 * Theory of operation. A run is a list of deeds for each conversation: what a side did, in the words of its protocol. A
 * deed has a kind (compared when lists are aligned) and details (compared when two deeds stand beside each other); what
 * differs by nature, such as times, ports of clients, sequence numbers, packet identifiers, randoms, lengths and
 * payloads, is in neither. Repeated blocks of deeds (pings, periodic messages) count once. Conversations are paired by
 * client identifier, server port, role and order; the lists of a pair are aligned by their longest common subsequence.
 * Further good runs mark in the first one what comes and goes and which details vary. Limits: RUN_LISTS conversations
 * of a run and LIST_DEEDS deeds of each; more is counted. */

enum {
    RUN_LISTS = 256,
    LIST_DEEDS = 600,
    DETAILS_MAX = 5,
    BLOCK_MAX = 4,
    RUN_ARENA = 64 << 20,
    DEED_TEXT = 120,
    ALLOWED_MAX = 256
};

enum deed_kind { DEED_TCP, DEED_DATA, DEED_DNS, DEED_TLS, DEED_HTTP, DEED_MQTT, DEED_ICMP, DEED_KINDS };

struct detail {
    const char *name; /* N_() words */
    struct slice value;
};

struct deed {
    uint64_t frame;
    int64_t ts;
    uint64_t hash;  /* of kind, type and side */
    uint8_t kind;   /* enum deed_kind */
    uint8_t side;   /* 0: the client's */
    bool bad;       /* a reset, a refusal, an alert */
    bool optional;  /* not every good run has it */
    uint8_t varies; /* bit set of details that differ between good runs */
    uint8_t details;
    uint32_t times; /* how often the block it stands in was repeated */
    struct detail detail[DETAILS_MAX];
    struct slice text;
};

/* deed_list is one conversation; name look-ups of a run are one list too. */
struct deed_list {
    uint32_t stream;
    bool is_dns;
    bool publishes, subscribes;
    uint16_t port; /* the server's */
    struct net_addr client, server;
    uint16_t client_port;
    struct slice id; /* MQTT client identifier */
    struct deed *deed;
    uint32_t deeds, room;
    bool up, mqtt;
    uint64_t left_out;
};

struct run {
    struct arena arena;
    const char *name; /* of the file */
    say_fn *say;      /* of the deeds' words */
    struct deed_list list[RUN_LISTS];
    uint32_t lists;
    uint64_t left_out;
    uint64_t allowed[ALLOWED_MAX]; /* kinds of deeds other good runs have besides */
    uint32_t alloweds;
    int64_t first;
    bool begun;
};

enum row_what { ROW_SAME, ROW_VALUE, ROW_MISSING, ROW_EXTRA, ROW_ALLOWED };

/* row is one line of two runs side by side. */
struct row {
    int32_t good, bad; /* places in the lists; -1: none */
    uint8_t what;      /* enum row_what */
    uint8_t detail;    /* of ROW_VALUE: which one */
};

struct pairing {
    int32_t good, bad; /* places of lists; -1: the conversation is missing */
    struct row *row;
    uint32_t rows, first; /* first row that differs; rows: none */
    uint32_t missing, extra, values;
};

struct comparison {
    struct run *good, *bad;
    struct pairing pair[2 * RUN_LISTS];
    uint32_t pairs;
    int32_t first; /* pair in which the runs part first; -1: they are the same */
};

/* run_make prepares the record of a run called `name`, whose words `say` translates: 0 or ERR_NOMEM. run_free releases
 * it. run_packet takes the next packet of the run. run_want adds what it reads beyond events_want. */
int run_make(struct run *r, const char *name, say_fn *say) MUST_USE;
void run_free(struct run *r);
void run_want(struct want *w);
void run_packet(struct run *r, const struct packet_events *p);
/* run_learn marks in `base` what differs in another good run; 0 or ERR_NOMEM. */
int run_learn(struct run *base, struct run *other) MUST_USE;
/* compare_runs fills out; 0 or ERR_NOMEM; compare_free releases it. */
int compare_runs(struct comparison *out, struct run *good, struct run *bad) MUST_USE;
void compare_free(struct comparison *c);

#endif
