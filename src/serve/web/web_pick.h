/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_PICK_H
#define WEIR_SERVE_WEB_PICK_H

#include "serve/web/web_index_in.h"

/* Decoding chosen frames of a capture that has an index.
 *
 * Theory of operation. A pick walks over the frames' places in the index and decodes, in order, those of the chosen
 * groups and of GROUP_ALL; the others are not even read. What is decoded comes out as if all had been: conversations
 * are counted with the kinds of the frames passed over, times are taken from the index. Where a capture has more
 * conversations at once than the flow table holds, one that was given up for others when all were decoded is still
 * there. One pick goes forward only. */
struct web_pick {
    struct web_reading *r;
    struct web_pages pages;
    struct web_places places;
    uint64_t base, first;   /* of the block in `places`: where it begins, its first frame; 0: none is there */
    uint32_t frames;        /* in it */
    uint64_t number;        /* the frame the pick stands at; 0: before the first */
    uint64_t next_at;       /* the frame the file stands at */
    uint64_t tcp, udp;      /* conversations begun before it */
    struct index_kind kind; /* of the frame */
    uint32_t group;
    bool all;            /* everything is chosen */
    bool needs_previous; /* somebody wants the time since the frame before */
    uint32_t *chosen;    /* a hash table of groups; 0: empty */
    size_t n_chosen, room;
};

/* web_pick_begin begins before the first frame; r is a reading that has read nothing yet and stays the caller's. false:
 * reading cannot begin in the middle of this capture. web_pick_end releases what the pick holds. */
bool web_pick_begin(struct web_pick *p, struct web_reading *r, struct web_index *x);
void web_pick_end(struct web_pick *p);
/* web_pick_park leaves a pick and its reading, both made with malloc, with the index; web_pick_take gives it to who
 * wants frame `number` of the group, where it stands before it, and NULL otherwise. web_pick_free takes NULL too. */
void web_pick_park(struct web_pick *p);
struct web_pick *web_pick_take(struct web_index *x, uint32_t group, uint64_t number);
void web_pick_free(struct web_pick *p);
/* web_pick_choose adds a group; with GROUP_ALL, which may depend on any, all. */
void web_pick_choose(struct web_pick *p, uint32_t group);
/* web_pick_choose_frames adds the groups of n frames, numbers in ascending order; false where they are not all there.
 */
bool web_pick_choose_frames(struct web_pick *p, const uint64_t *number, size_t n);
/* web_pick_next steps to the next frame of what was chosen, up to `last`, and decodes it: NULL behind it, or where it
 * cannot be read. */
const struct decode *web_pick_next(struct web_pick *p, uint64_t last);
/* web_pick_offset returns where the frame's record begins in the file. */
uint64_t web_pick_offset(const struct web_pick *p);
/* web_pick_stream chooses the group of a conversation by its number; false where there is no such conversation. */
bool web_pick_stream(struct web_pick *p, bool tcp, uint64_t stream);

/* web_sift finds the frames a filter lets through, by their kinds as far as those tell, else by decoding them. */
struct web_sift {
    struct web_pick pick;
    const struct expr *filter;      /* NULL: all pass */
    uint8_t guess[INDEX_KINDS_MAX]; /* + 1; 0: not asked yet */
    bool whole, decodes;
    bool on;          /* else the reading goes in order, from the beginning */
    uint64_t skipped; /* then: frames whose share is done, decoded but not looked at */
};
/* web_sift_open opens a reading of the fields in want and begins to sift it, where that is a help; NULL after a
 * problem. web_sift_end releases what the sift holds. */
struct web_reading *web_sift_open(struct web_sift *s, struct web_request *q, const char *path, struct web_index *x,
                                  const struct expr *filter, const struct want *want);
void web_sift_end(struct web_sift *s);
/* web_sift_step looks at the next frame, which is s->pick.number then; false at the end, and the reading's rc says
 * whether all of the file was seen. Where frames must be decoded and cannot be here, the sift goes off. */
bool web_sift_step(struct web_sift *s, bool *match);

#endif
