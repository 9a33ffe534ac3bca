/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_TCP_H
#define WEIR_PROTO_TCP_H

#include "base/pool.h"
#include "proto/proto.h"

enum tcp_flag { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_PUSH = 8, TH_ACK = 16, TH_URG = 32, TH_ECE = 64, TH_CWR = 128 };

/* tcp_segment is a segment's header in host order. */
struct tcp_segment {
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t flags; /* 12 bits, enum tcp_flag and those above */
    uint16_t window;
    uint8_t hlen;                         /* bytes */
    bool has_wscale, has_mss, has_cookie; /* has_cookie: of Fast Open */
    bool short_header;                    /* it ended on the wire within its header: nothing but the flags counts */
    uint8_t wscale;
    uint32_t sacked; /* bytes that the SACK blocks cover */
    struct slice payload;
    uint32_t len; /* payload bytes on the wire, which may be more than captured */
};

/* tcp_part says what the bytes are that FID_TCP_SEGMENT_DATA shows: fval.extra. */
enum tcp_part {
    TCP_PART,       /* a part of a message */
    TCP_PART_FIRST, /* the first one, or the one that tells its length, of a protocol that takes the Info column */
    TCP_PART_AGAIN, /* bytes of messages that are complete, sent again */
};

/* What an analysis of a segment found; bits of tcp_analysis.flags. */
enum tcp_finding {
    TA_RETRANSMISSION = 1 << 0,
    TA_FAST = 1 << 1,
    TA_SPURIOUS = 1 << 2,
    TA_OUT_OF_ORDER = 1 << 3,
    TA_REUSED_PORTS = 1 << 4,
    TA_LOST = 1 << 5,
    TA_ACK_LOST = 1 << 6,
    TA_WINDOW_UPDATE = 1 << 7,
    TA_WINDOW_FULL = 1 << 8,
    TA_KEEP_ALIVE = 1 << 9,
    TA_KEEP_ALIVE_ACK = 1 << 10,
    TA_DUP_ACK = 1 << 11,
    TA_ZERO_PROBE = 1 << 12,
    TA_ZERO_WINDOW = 1 << 13,
    TA_ZERO_PROBE_ACK = 1 << 14,
    TA_LATE = 1 << 15, /* a retransmission by its acknowledgment alone: the data was not seen before */
};

/* tcp_meant returns the findings without what only the order of a capture makes of them. */
static inline uint32_t tcp_meant(uint32_t found) {
    return found & TA_LATE ? found & ~(uint32_t)(TA_RETRANSMISSION | TA_SPURIOUS) : found;
}

struct tcp_analysis {
    uint32_t flags; /* enum tcp_finding */
    uint64_t acked_frame, rto_frame, dup_frame;
    int64_t rtt, rto;
    uint32_t in_flight, push_bytes, dup_num;
    bool has_acked;
    bool beyond;  /* it acknowledges more than was seen of the peer */
    bool counted; /* bytes in flight were counted, be there any or none */
};

/* tcp_unacked is a segment that was sent and not acknowledged yet. */
struct tcp_unacked {
    uint32_t next;
    uint32_t seq, end; /* end counts SYN and FIN */
    bool control;      /* it does */
    uint64_t frame;
    int64_t ts;
};

enum { WSCALE_UNKNOWN = -1, WSCALE_NONE = -2 };

/* tcp_side is what is known of one sender. There are many, and where they lie in memory is what a packet of them costs.
 */
struct tcp_side {
    uint32_t base_seq;  /* what relative numbers count from */
    uint32_t next_seq;  /* behind the highest byte sent */
    uint32_t top_acked; /* behind the highest byte sent without a hole */
    uint32_t last_ack;
    uint32_t window; /* as on the wire, not scaled */
    uint32_t last_findings;
    uint32_t dup_acks;
    uint32_t push_bytes;
    uint32_t sacked;                    /* bytes its last segment acknowledged selectively */
    uint32_t unacked, unacked_last;     /* list in the pool, oldest first */
    uint32_t unacked_low, unacked_high; /* first byte in the list, and the one behind its last */
    uint16_t unacked_count;
    int8_t wscale; /* shift count, or WSCALE_... */
    bool has_base : 1, has_next : 1, has_top : 1, has_ack : 1, pushed : 1, lost_bytes : 1, saw_window : 1;
    bool unacked_sorted : 1;
    uint64_t next_frame, nondup_frame;
    int64_t next_time, last_ack_time;
};

/* Which parts of a conversation were seen; bits of tcp_conv.seen, shown as tcp.completeness. */
enum { SEEN_SYN = 1, SEEN_SYNACK = 2, SEEN_ACK = 4, SEEN_DATA = 8, SEEN_FIN = 16, SEEN_RST = 32 };

/* tcp_conv is the state of one conversation, owned by the flow table and zeroed when it begins. */
struct tcp_conv {
    struct tcp_side side[2];
    int64_t syn_time, initial_rtt;
    uint8_t seen, seen_before; /* after and before the present packet */
    bool started, reused, closing;
    bool fast_open; /* its SYN had data and a cookie [RFC 7413 3] */
    uint8_t closer; /* side whose FIN came first, where closing */
    uint8_t server; /* side that answered the SYN, where one was seen */
};

/* tcp_conv_start prepares a zeroed conversation. */
void tcp_conv_start(struct tcp_conv *c);
/* tcp_conv_end gives the conversation's list nodes back to the pool. */
void tcp_conv_end(struct tcp_conv *c, struct pool *unacked);
/* tcp_is_new tells whether a segment begins another conversation on the ports of c: a SYN with other numbers. */
bool tcp_is_new(const struct tcp_conv *c, const struct tcp_segment *s, int side);
/* tcp_conv_update takes the next segment of side `side` at time ts and says what it means. `analyse` false skips
 * what only tcp.analysis.* shows. `unacked` is a pool of struct tcp_unacked; NULL: nobody asks for round trips, for the
 * bytes under way and for what a timer waited for. */
void tcp_conv_update(struct tcp_conv *c, const struct tcp_segment *s, int side, uint64_t frame, int64_t ts,
                     bool analyse, struct pool *unacked, struct tcp_analysis *out);

/* The words of a segment (tcp_text.c), as struct proto asks for them. */
void tcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
bool tcp_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t tcp_info_fields[];
/* tcp_info_prefix writes what the analysis found, as it stands before any Info text of the segment. */
void tcp_info_prefix(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);

/* Sequence numbers wrap: RFC 9293 3.4. */
static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }

/* tcp_flags_print writes the names of the flags that are set, "SYN, ACK". */
void tcp_flags_print(struct writer *w, uint64_t flags);

#endif
