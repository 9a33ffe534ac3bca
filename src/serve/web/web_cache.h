/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_CACHE_H
#define WEIR_SERVE_WEB_CACHE_H

#include "serve/web/web_index_in.h"

/* Answers about whole captures that took long, kept for who asks again: the same question, of the same file with the
 * same keys. They stand in memory and, like the index, in hidden files of the folder, WEB_CACHE_FILES of a capture; a
 * question has its file by its hash, and the last one asked has it. Limits: WEB_CACHE_ENTRIES answers of
 * WEB_CACHE_ANSWER bytes, WEB_CACHE_BYTES of all. */

enum {
    WEB_CACHE_ENTRIES = 64,
    WEB_CACHE_FILES = 16,
    WEB_CACHE_ANSWER = 4 << 20,
    WEB_CACHE_BYTES = 64 << 20,
    WEB_CACHE_LEAST_MS = 100,
};

/* WEB_CACHE_FILE begins the name of such a file; the capture's name, a dash and a digit follow. */
#define WEB_CACHE_FILE ".ans-"

struct web_cache {
    pthread_mutex_t lock;
    struct web_answer {
        struct index_stamp stamp;
        struct slice key, body; /* owned */
        uint64_t used;          /* 0: empty */
    } answer[WEB_CACHE_ENTRIES];
    uint64_t uses, bytes;
};

/* web_cache_make returns an empty cache, NULL: no memory; web_cache_free releases it. */
struct web_cache *web_cache_make(void);
void web_cache_free(struct web_cache *c);
/* web_cache_drop deletes what is kept beside a capture that is gone. */
void web_cache_drop(const struct web *s, const char *path);
/* web_cached answers a request about the capture at path: with what is kept, else with what `answer` makes, which is
 * then kept where it took long. */
void web_cached(struct web_request *q, const char *path, void (*answer)(struct web_request *q, void *to), void *to);

#endif
