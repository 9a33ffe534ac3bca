/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_INDEX_H
#define WEIR_SERVE_WEB_INDEX_H

#include "serve/web/web_rows.h"

/* The index of a large capture: its packet list, made once and kept, so that any page of it is read without decoding
 * what stands before.
 *
 * Theory of operation. A capture of WEB_INDEX_LEAST bytes or more gets an index when it is asked for first: a thread
 * decodes it from beginning to end and writes the rows, in blocks of INDEX_BLOCK frames, to a hidden file of the
 * folder. Each block has the frames' places as they are and the rest compressed; where the blocks are stands in memory
 * (24 bytes per block) and, once all is read, at the file's end. Rows already written serve while others are
 * being made. An index belongs to one file (device, inode, size, time of change), one set of keys and one version of
 * this program; else it is made anew. While a capture grows the thread waits for more, until INDEX_QUIET_MS bring
 * nothing.
 *
 * A group is the frames that a frame's decoding may depend on: those of the same conversation. Frames whose group is
 * GROUP_ALL (fragments, tunnels, link layers we do not look into) may matter to any other, so they are always decoded,
 * and need all before them. So one packet of the middle is decoded with its conversation, not with the file; in a large
 * conversation that is what it costs. web_pick.h does it.
 *
 * A kind is a set of protocols (struct index_kind). A filter that asks for protocols alone is answered by the frames'
 * kinds; one that asks for more needs only those frames decoded that have its protocols, and their conversations.
 *
 * Which frames a filter lets through is remembered for the last INDEX_FILTERS filters that were read to the end.
 * Limits: WEB_INDEXES_MAX captures, WEB_BUILDERS_MAX being made, INDEX_FRAMES_MAX frames, INDEX_KINDS_MAX kinds and
 * INDEX_BYTES_MAX bytes of an index. */

enum {
    WEB_INDEX_LEAST = 1 << 20,
    WEB_BUILDERS_MAX = 2,
    INDEX_BLOCK = 512,
    INDEX_FRAMES_MAX = 100000000,
    INDEX_BYTES_MAX = 1 << 30,
    INDEX_FILTERS = 8,
    INDEX_QUIET_MS = 3000,
};

enum { GROUP_ALL = 0, GROUP_ARP = 1 };

/* WEB_INDEX_NEW begins the name of an index in the making. */
#define WEB_INDEX_NEW ".new-idx-"

struct web_index;

/* web_index_of returns the index of the capture at path, which may still be in the making; NULL: it has none. The
 * caller releases it. */
struct web_index *web_index_of(struct web *s, const char *path);
void web_index_release(struct web_index *x);
/* web_index_frames tells how many frames have rows; *whole: that is all of them. */
uint64_t web_index_frames(struct web_index *x, bool *whole);
/* web_index_damaged tells whether the file could not be read to its end. web_index_note writes ,"damaged":"why" where
 * the file could not be read to its end. */
bool web_index_damaged(struct web_index *x);
void web_index_note(struct writer *w, struct web_index *x);
/* web_index_seekable tells whether reading may begin at any frame that has a row. */
bool web_index_seekable(struct web_index *x);
/* web_index_comes tells whether more rows will come by themselves. */
bool web_index_comes(struct web_index *x);
/* web_index_wait waits for an index in the making to have `number` frames, 0: to be whole; false where that will not be
 * soon, or `stop` (may be NULL) says that nobody waits any more. */
bool web_index_wait(struct web_index *x, uint64_t number, bool (*stop)(void *to), void *to);
/* web_index_drop forgets and deletes the index of a capture that is gone. */
void web_index_drop(struct web *s, const char *path);
/* web_index_end stops what is being made and forgets all. */
void web_index_end(struct web *s);

/* web_pages reads rows of an index; one at a time of a block is kept unpacked. */
struct web_pages {
    struct web_index *x;
    uint64_t block; /* + 1; 0: none */
    uint32_t frames;
    uint8_t *raw;
    size_t n, next; /* bytes of raw; where the record of frame `first` of the block begins */
    uint32_t first;
    uint64_t offset; /* of the record before */
    __int128 at;     /* when the record before was */
};
void web_pages_free(struct web_pages *p);
/* web_page_row gives the row of a frame, whose texts live until the next call; false where it has none. */
bool web_page_row(struct web_pages *p, uint64_t number, struct web_row *row);
/* web_page_write writes a frame's row as JSON; `shown_before` is the frame in the row above, 0: none; cells and d as
 * web_row_write has them. false: no such row. */
bool web_page_write(struct writer *w, struct web_pages *p, const struct view *view, uint64_t number,
                    uint64_t shown_before, const struct web_cells *cells, const struct decode *d);
/* web_places is where the frames of a block are, and of what group and kind. */
struct web_places {
    uint32_t group[INDEX_BLOCK], offset[INDEX_BLOCK]; /* offset: from the block's base */
    uint16_t kind[INDEX_BLOCK];
};
/* web_page_places gives the places of the block of a frame, and its base; how many frames, 0: none. */
uint32_t web_page_places(struct web_index *x, uint64_t number, struct web_places *out, uint64_t *base);
/* web_index_begin tells when the capture began; *has: there is such a time. */
__int128 web_index_begin(struct web_index *x, bool *has);

/* web_matches is which frames a filter lets through. */
struct web_matches;
/* web_matches_make begins a list; web_matches_add takes frames in order; web_matches_keep gives a complete one to the
 * index, web_matches_free releases one that is not. All take NULL. */
struct web_matches *web_matches_make(const char *filter);
void web_matches_add(struct web_matches *m, uint64_t number);
void web_matches_keep(struct web_index *x, struct web_matches *m, uint64_t frames);
void web_matches_free(struct web_matches *m);
/* web_index_matches gives the numbers of the matching frames from the `from`th (counted from 0) on, at most n: how
 * many, or -1 where the filter is not known. *all: how many there are; *before: the frame matching before, 0: none. */
int64_t web_index_matches(struct web_index *x, const char *filter, uint64_t from, uint64_t n, uint64_t *out,
                          uint64_t *all, uint64_t *before);

#endif
