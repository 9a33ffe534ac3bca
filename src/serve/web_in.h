/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_IN_H
#define WEIR_SERVE_WEB_IN_H

#include "base/err.h"
#include "base/writer.h"
#include "expr/expr.h"
#include "serve/web.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* What the parts of `weir serve` share. */

enum {
    WEB_NAME_MAX = 100,        /* bytes of a capture's name */
    WEB_CAPTURES_MAX = 10000,  /* captures listed */
    WEB_READERS_MAX = 16,      /* captures being decoded at the same time */
    WEB_ROWS_MAX = 5000,       /* rows of one answer */
    WEB_COLUMN_MAX = 4096,     /* bytes of a column */
    WEB_JOBS_MAX = 64,         /* answers that go on until they are done */
    WEB_TREE_MAX = 50000,      /* fields of one packet in an answer */
    WEB_BYTES_MAX = 1 << 20,   /* bytes of one source in an answer */
    WEB_FOLLOW_MAX = 16 << 20, /* bytes of a followed conversation in an answer */
    WEB_PATH_MAX = 4096,
};

/* web_job is work that is under way: it can be watched and stopped by others than who asked. */
struct web_job {
    bool used;
    char id[17]; /* random, so that nobody meets another's by guessing */
    char capture[WEB_NAME_MAX + 1], filter[256];
    atomic_bool cancelled;
    atomic_uint_least64_t done, size, read, matched;
};

struct web {
    const struct web_plan *plan;
    bool loopback, needs_token;
    char token[65];
    char own_host[256];
    struct field_index names;
    atomic_int readers;
    atomic_bool stopping;
    pthread_mutex_t changing;  /* one change of the folder at a time */
    pthread_mutex_t jobs_lock; /* of `used` and the texts */
    struct web_job job[WEB_JOBS_MAX];
};

/* web_reply is the answer in the making; a text unless `made`. */
struct web_reply {
    unsigned status;
    const char *type;
    struct writer w;
    struct MHD_Response *made;
    char location[WEB_NAME_MAX + 32];
    bool challenge; /* WWW-Authenticate */
};

/* web_request is one request, from its header to the end of its answer. */
struct web_request {
    struct web *web;
    struct MHD_Connection *c;
    const char *method, *url;
    bool begun, refused;
    int upload_fd; /* -1: no body is kept */
    uint64_t upload_bytes;
    char upload_path[WEB_PATH_MAX];
    unsigned upload_error; /* status of what went wrong while the body came; 0: nothing */
    struct web_reply reply;
};

const char *web_query(struct web_request *q, const char *name);
/* web_number reads a whole number of the query, `otherwise` where there is none; false, after a problem, where it is no
 * number from 0 to max. */
bool web_number(struct web_request *q, const char *name, uint64_t otherwise, uint64_t max, uint64_t *out);
/* web_problem makes the answer a problem (RFC 9457). */
void web_problem(struct web_request *q, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* web_filter compiles the query's filter; false after a problem with its place. No filter gives NULL. */
bool web_filter(struct web_request *q, struct expr **out);
void web_filter_json(struct writer *w, struct slice text, const struct field_index *names);
enum MHD_Result web_reply_send(struct web_request *q);
void web_route(struct web_request *q);

/* The folder. web_name_fine tells whether text may name a capture: letters, digits, dot, dash and underscore, no dot in
 * front. web_name_clean makes such a name of any text. */
bool web_name_fine(const char *text);
void web_name_clean(char out[WEB_NAME_MAX + 1], const char *text);
/* web_find gives the path of a capture; false where there is none. *fixed: it was named on the command line. */
bool web_find(struct web *s, const char *name, char path[WEB_PATH_MAX], bool *fixed);
void web_captures(struct web_request *q);
void web_capture(struct web_request *q, const char *name);
void web_file(struct web_request *q, const char *name);
void web_delete(struct web_request *q, const char *name);
uint64_t web_used(const struct web *s);
/* An upload: begin opens a hidden file, data takes a piece of the body, end names the file. */
void web_upload_begin(struct web_request *q);
void web_upload_data(struct web_request *q, struct slice piece);
void web_upload_end(struct web_request *q, const char *name, bool replace);
void web_upload_drop(struct web_request *q);
/* web_upload_there tells whether a body came whole; else a problem is the answer. */
bool web_upload_there(struct web_request *q);

/* Reading: web_about answers what is asked of a capture in the n parts behind /v1/captures/NAME/; false where they are
 * no question. The others answer for the capture at path. */
bool web_about(struct web_request *q, const char *name, const char *const *part, size_t n);
void web_frames(struct web_request *q, const char *path);
void web_frame(struct web_request *q, const char *path, const char *number);
void web_stream(struct web_request *q, const char *path, const char *name);
/* web_jobs lists what is under way, web_job_stop stops one. */
void web_jobs(struct web_request *q);
void web_job_stop(struct web_request *q, const char *id);
void web_stats(struct web_request *q, const char *path, const char *kind, const char *which);
void web_explain(struct web_request *q, const char *path, const char *name);
void web_follow(struct web_request *q, const char *path, const char *proto, const char *number);
void web_ladder(struct web_request *q, const char *path);
void web_connections(struct web_request *q, const char *path);
void web_mqtt(struct web_request *q, const char *path);
void web_waterfall(struct web_request *q, const char *path);
/* web_diff compares the captures named in the query: good (several, with commas between them) and bad. */
void web_diff(struct web_request *q);
/* web_complete offers what may stand at a place of a filter. */
void web_complete(struct web_request *q);
/* web_guard passes a question on to the guard the server was told of; `what` is the end of its address. */
void web_guard(struct web_request *q, const char *what);

/* The page and the description of the API, as files of the program. */
const char *web_page_html(void);
const char *web_page_css(void);
const char *web_page_js(void);
const char *web_openapi(void);

#endif
