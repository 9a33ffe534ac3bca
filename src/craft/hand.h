/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_HAND_H
#define WEIR_CRAFT_HAND_H

#include "base/writer.h"
#include "craft/talk.h"

/* The client's end of one TCP connection, made by hand: segments and the clock in, segments and what they mean out. It
 * touches no socket, so it can be tested with any answer. */

/* hand_word is what a segment means. */
enum hand_word {
    HAND_ASK,       /* SYN */
    HAND_OPEN,      /* the ACK that ends the handshake */
    HAND_SEND,      /* data; the number is its bytes */
    HAND_CONFIRM,   /* an ACK of data; the number is all bytes so far */
    HAND_FINISH,    /* FIN */
    HAND_FINISHED,  /* the ACK of the other's FIN */
    HAND_AGAIN,     /* a retransmission */
    HAND_PROBE,     /* one byte against a closed window */
    HAND_ABORT,     /* RST */
    HAND_AGREED,    /* SYN, ACK came */
    HAND_REFUSED,   /* RST for the SYN */
    HAND_CUT,       /* RST later */
    HAND_ARRIVED,   /* an ACK came; the number is how many bytes of ours the other has */
    HAND_DATA,      /* data came; the number is its bytes */
    HAND_OTHER_FIN, /* FIN came */
    HAND_FIN_KNOWN, /* the ACK of our FIN came */
    HAND_SEEN,      /* seen before */
    HAND_GAP,       /* bytes before these are missing */
    HAND_STRANGE,   /* it does not belong to what was said before */
    HAND_FULL,      /* the other's window is closed */
    HAND_WORDS
};

/* HAND_BLOCKED: an ICMP error ended it before it began. HAND_HALF: our side was closed in order, the other side left
 * its own open. */
enum hand_state {
    HAND_ASKING,
    HAND_TALKING,
    HAND_CLOSING,
    HAND_OVER,
    HAND_REFUSED_STATE,
    HAND_CUT_STATE,
    HAND_SILENT,
    HAND_HALF,
    HAND_BLOCKED
};

enum { HAND_IN_FLIGHT = 10, HAND_WINDOW = 65535, HAND_MSS = 536, HAND_MSS_LEAST = 64, HAND_TRIES = 6, HAND_SAME = 3 };

/* hand_segment is a segment to send. */
struct hand_segment {
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window, mss; /* mss: option of a SYN; 0: none */
    struct slice data;
};

struct hand_ops {
    void (*send)(void *to, const struct hand_segment *s, enum hand_word why, uint64_t number);
    void (*came)(void *to, enum hand_word what, uint64_t number);
    void (*data)(void *to, struct slice bytes);
};

struct hand {
    const struct hand_ops *ops;
    void *to;
    enum hand_state state;
    uint32_t iss, irs;
    uint32_t una, nxt, high; /* first not confirmed, next to send, highest sent */
    uint32_t rcv;            /* next expected */
    uint32_t window;         /* the other's */
    uint16_t mss, own_mss;
    struct slice data; /* all that is to be sent */
    bool finish;       /* a FIN follows the data */
    bool fin_sent, other_done;
    int64_t quiet;             /* ns of silence after which it finishes by itself */
    int64_t rto, srtt, rttvar; /* ns */
    int64_t alarm;             /* when to send again; 0: never */
    int64_t last;              /* when something new last happened */
    int64_t timed_at;          /* when the segment ending at `timed` left; 0: none is timed */
    uint32_t timed;
    int tries;
    int same;         /* acknowledgments that say the same again (RFC 5681 2) */
    uint32_t recover; /* a lost segment is known: what was sent by then; until it is confirmed (RFC 6582) */
    bool recovering;
    uint32_t flight; /* segments that may be under way */
};

/* hand_start sends the SYN. data is what will be sent, `quiet` as above; iss should be random. */
void hand_start(struct hand *h, const struct hand_ops *ops, void *to, int64_t now, uint32_t iss, uint16_t own_mss,
                struct slice data, int64_t quiet);
/* hand_came takes a segment of the other side. */
void hand_came(struct hand *h, int64_t now, const struct talk_packet *t);
/* hand_tick does what is due. hand_due returns when that will be next. */
void hand_tick(struct hand *h, int64_t now);
int64_t hand_due(const struct hand *h);
/* hand_blocked takes an ICMP error about our packets that says that they cannot arrive. */
void hand_blocked(struct hand *h);
/* hand_wait moves the clock's marks on after a pause of the caller's own. */
void hand_wait(struct hand *h, int64_t ns);
/* hand_abort ends the connection at once with RST, where there is one. */
void hand_abort(struct hand *h);
/* hand_ends is between whom: addresses of n bytes. */
struct hand_ends {
    uint8_t n, src[16], dst[16];
    uint16_t sport, dport;
};
/* hand_write writes a segment as an IP packet. */
void hand_write(struct writer *w, const struct hand_segment *s, const struct hand_ends *e, uint16_t id);
static inline bool hand_is_over(const struct hand *h) { return h->state >= HAND_OVER; }

#endif
