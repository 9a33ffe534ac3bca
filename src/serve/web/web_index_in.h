/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_INDEX_IN_H
#define WEIR_SERVE_WEB_INDEX_IN_H

#include "serve/web/web_index.h"

/* What the parts of the index share. */

/* index_stamp is what an index belongs to. */
struct index_stamp {
    uint64_t device, inode, size, changed; /* changed: ns since 1970 */
    uint64_t keys;                         /* a hash of the sizes and times of the key files */
};

struct index_block {
    uint64_t at, base;    /* where it begins; where the record of its first frame begins in the capture */
    uint32_t packed, raw; /* bytes in the file, with the places; bytes of the records */
};

/* index_kind is what frames of a kind share: the protocols they have, by their places in weir_protos, and how many
 * conversations begin with each of them. */
enum { INDEX_KINDS_MAX = 2048 };
struct index_kind {
    uint64_t protos[PROTOS_MAX / 64];
    uint32_t tcp, udp;
};
_Static_assert(PROTOS_MAX % 64 == 0, "a kind has a bit for every protocol");

struct web_index {
    struct web *web;
    char path[WEB_PATH_MAX], file[WEB_PATH_MAX];
    struct index_stamp stamp;
    unsigned refs;        /* who uses it, the table of the server not counted; under web->index_lock */
    atomic_bool stale;    /* no longer in the table */
    uint64_t used;        /* when last, for who makes room */
    pthread_mutex_t lock; /* of what follows */
    int fd;
    struct index_block *block;
    uint64_t blocks, room, frames;
    bool whole, failed, seekable, has_begin, idle; /* idle: all that is in the growing file was read */
    struct index_kind kind[INDEX_KINDS_MAX];       /* those below `kinds` do not change any more */
    atomic_uint_least32_t kinds;
    __int128 begin;
    char damaged[256];
    struct web_matches *match[INDEX_FILTERS];
    uint64_t uses;           /* of them, ever */
    struct web_pick *parked; /* behind the packet looked at last, for who looks at the next one; NULL: none */
};

enum { INDEX_HEAD = 4096 }; /* bytes before the first block */

/* index_stamp_of looks at the capture and its keys; false where it is no file. */
bool index_stamp_of(const struct web *s, const char *path, struct index_stamp *out);
/* index_save writes what stands at the ends of the file. */
bool index_save(struct web_index *x);
void index_matches_free(struct web_index *x);
/* index_put adds a block that was written. */
bool index_put(struct web_index *x, const struct index_block *b);
/* index_build is the thread that makes an index. */
void *index_build(void *x);

#endif
