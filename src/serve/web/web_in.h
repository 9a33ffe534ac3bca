/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_IN_H
#define WEIR_SERVE_WEB_IN_H

#include "base/err.h"
#include "base/writer.h"
#include "expr/expr.h"
#include "serve/demand/keeper.h"
#include "serve/mhd.h"
#include "serve/web/web.h"
#include "serve/web/web_colour.h"
#include <pthread.h>
#include <stdatomic.h>

/* What the parts of `weir serve` share. */

enum {
    WEB_NAME_MAX = 100,        /* bytes of a capture's name */
    WEB_CAPTURES_MAX = 10000,  /* captures listed */
    WEB_READERS_MAX = 16,      /* captures being decoded at the same time */
    WEB_READINGS_MAX = 64,     /* and those whose answer waits for its client meanwhile */
    WEB_IDLE_S = 30,           /* seconds a client may say nothing */
    WEB_SLOW_S = 5,            /* and take nothing while a capture is kept open for it */
    WEB_ROWS_MAX = 5000,       /* rows of one answer */
    WEB_COLUMN_MAX = 4096,     /* bytes of a column */
    WEB_INDEXES_MAX = 64,      /* captures whose index is open */
    WEB_JOBS_MAX = 64,         /* answers that go on until they are done */
    WEB_TREE_MAX = 50000,      /* fields of one packet in an answer */
    WEB_BYTES_MAX = 1 << 20,   /* bytes of one source in an answer */
    WEB_FOLLOW_MAX = 16 << 20, /* bytes of a followed conversation in an answer */
    WEB_PATH_MAX = 4096,
    WEB_BODY_MAX = 64 << 10, /* bytes of a request in JSON */
    WEB_EVENTS_MAX = 100,    /* captures followed at the same time: events and growing files */
    WEB_ADDRESS_S = 300,     /* seconds a download address is good for */
    WEB_LIST_MAX = 1000,     /* captures on demand, or actions, in one answer */
};

/* web_job is work that is under way: it can be watched and stopped by others than who asked. */
struct web_job {
    bool used;
    char id[17]; /* random, so that nobody meets another's by guessing */
    char capture[WEB_NAME_MAX + 1], filter[256];
    atomic_bool cancelled;
    atomic_uint_least64_t done, size, read, matched;
};

struct web_index;
struct web_cache;

struct web {
    const struct web_plan *plan;
    bool loopback, needs_token, tls;
    char token[WEB_TOKEN + 1]; /* made at this start; empty: none */
    uint8_t token_hash[STORE_HASH];
    struct store *store; /* NULL: store_why says why */
    char store_why[256];
    struct keeper *keeper; /* NULL: there is no store */
    uint8_t secret[STORE_HASH];
    atomic_int event_streams;
    char own_host[256];
    struct field_index names;
    struct web_colours colours;
    atomic_int readers, readings;
    atomic_bool stopping;
    atomic_uint_least64_t uploading; /* bytes of uploads that have no name yet */
    pthread_mutex_t changing;        /* one change of the folder at a time */
    pthread_mutex_t jobs_lock;       /* of `used` and the texts */
    struct web_job job[WEB_JOBS_MAX];
    pthread_mutex_t index_lock; /* of the table of indexes */
    struct web_index *index[WEB_INDEXES_MAX];
    unsigned builders;       /* indexes being made */
    struct web_cache *cache; /* NULL: nothing is kept */
};

/* web_reply is the answer in the making; a text unless `made`. */
struct web_reply {
    unsigned status;
    const char *type;
    struct writer w;
    struct MHD_Response *made;
    char location[WEB_NAME_MAX + DEVICE_ID_MAX + 64];
    char next_key[SESSION_ID + 1]; /* x-soracom-next-key */
    bool challenge;                /* WWW-Authenticate */
    bool packed;                   /* the text is compressed: Content-Encoding: gzip */
};

/* web_request is one request, from its header to the end of its answer. */
struct web_request {
    struct web *web;
    struct MHD_Connection *c;
    const char *method, *url;
    bool begun, refused;
    int upload_fd; /* -1: no body is kept */
    uint64_t upload_bytes;
    uint64_t upload_folder; /* bytes in the folder when it began */
    uint64_t upload_taken;  /* its part of web.uploading */
    char upload_path[WEB_PATH_MAX];
    unsigned upload_error; /* status of what went wrong while the body came; 0: nothing */
    bool takes_json;       /* the body is kept in `body` */
    struct writer body;
    enum store_role role;
    char who[SESSION_WHO_MAX + 1]; /* the token's name */
    char from[128];                /* the client's address */
    bool audited;                  /* written down although nothing is changed */
    const char *language;          /* of the answer; "": the server's */
    struct web_job *job;           /* of an answer made of a whole capture; NULL: none */
    struct web_reply reply;
};

/* web_query returns a value of the query, which lives as long as the request; NULL: it has none of that name. */
const char *web_query(struct web_request *q, const char *name);
/* web_number reads a whole number of the query, `otherwise` where there is none; false, after a problem, where it is no
 * number from 0 to max. */
bool web_number(struct web_request *q, const char *name, uint64_t otherwise, uint64_t max, uint64_t *out);
/* web_problem makes the answer a problem (RFC 9457). */
void web_problem(struct web_request *q, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* web_filter compiles the query's filter; false after a problem with its place. No filter gives NULL. */
bool web_filter(struct web_request *q, struct expr **out);
/* web_route answers a request that came whole. */
void web_route(struct web_request *q);
/* web_language_use makes the words of this thread those of the language the request asks for. */
void web_language_use(struct web_request *q);

/* The folder. web_name_fine tells whether text may name a capture: letters, digits, dot, dash and underscore, no dot in
 * front. web_name_clean makes such a name of any text. */
bool web_name_fine(const char *text);
void web_name_clean(char out[WEB_NAME_MAX + 1], const char *text);
/* web_find gives the path of a capture; false where there is none. *fixed: it was named on the command line. */
bool web_find(struct web *s, const char *name, char path[WEB_PATH_MAX], bool *fixed);
/* web_captures lists the folder, web_capture describes one capture, web_file sends its bytes (RFC 9110 14, ranges),
 * web_delete deletes it. web_used returns how many bytes the folder holds. */
void web_captures(struct web_request *q);
void web_capture(struct web_request *q, const char *name);
void web_file(struct web_request *q, const char *name);
void web_delete(struct web_request *q, const char *name);
uint64_t web_used(const struct web *s);
/* web_gone forgets what was kept beside a capture that was deleted. web_sweep deletes what a server that was killed
 * left behind; no other server may use the folder. */
void web_gone(struct web *s, const char *path);
void web_sweep(struct web *s);
/* An upload: begin opens a hidden file, data takes a piece of the body, end names the file, drop deletes what came of
 * one that ended early. */
void web_upload_begin(struct web_request *q);
void web_upload_data(struct web_request *q, struct slice piece);
void web_upload_end(struct web_request *q, const char *name, bool replace);
void web_upload_drop(struct web_request *q);
/* web_uploads_expire deletes uploads older than the plan's expiry_ms. */
void web_uploads_expire(struct web *s);
/* web_upload_there tells whether a body came whole; else a problem is the answer. */
bool web_upload_there(struct web_request *q);

/* web_capture_make makes the file of a new capture, under the name or one like it that is free: a descriptor, or -1. */
int web_capture_make(struct web *s, char name[WEB_NAME_MAX + 1]);

/* Who asks. web_auth finds the role of a request and its name: ROLE_NONE where it has none. web_role_needed says which
 * role a request takes; ROLE_NONE: it needs none. web_token_role is the role of a token, its name goes into `who`.
 * web_audit writes an action down, web_audit_list shows what was written. */
enum store_role web_auth(struct web_request *q);
enum store_role web_token_role(struct web *s, const char *token, char who[SESSION_WHO_MAX + 1]);
enum store_role web_role_needed(const struct web_request *q);
void web_audit(struct web_request *q);
/* web_tokens_begin opens what tokens need; false after a message where the server must not begin. */
bool web_tokens_begin(struct web *s);
void web_audit_list(struct web_request *q);
/* web_address_make writes a one-time address of a capture's file, web_address_use serves it. */
void web_address_make(struct web_request *q, const struct session *x, int64_t seconds, struct writer *w);
void web_address_use(struct web_request *q);

/* web_demand answers what is about captures on demand; false where the address is not one of its own. */
bool web_demand(struct web_request *q);
/* web_demand_json tells whether a request's body is JSON that is kept. */
bool web_demand_json(const struct web_request *q);
/* web_keeper tells whether captures on demand are possible; else a problem is the answer. */
bool web_keeper(struct web_request *q);
/* web_time_json writes a member with a time of day (ms since 1970), nothing for 0. */
void web_time_json(struct writer *w, const char *name, int64_t ms);
/* A capture on demand as JSON: web_session_json is the answer, web_session_write a part of one. */
void web_session_json(struct web_request *q, const struct session *x);
void web_session_write(const struct web *s, struct writer *w, const struct session *x);
/* web_session_begin starts a capture of the device, as x says; false after a problem. */
bool web_session_begin(struct web_request *q, const char *device, struct session *x);
/* web_session_file sends a capture's file, web_session_events its states as server-sent events until it has ended. */
void web_session_file(struct web_request *q, const struct session *x);
void web_session_events(struct web_request *q, const struct session *x);
/* web_session_tail sends the file as it grows, to the capture's end. */
void web_session_tail(struct web_request *q, const struct session *x);
/* web_session_read takes a request for a capture from the body; false after a problem. `peek`: its members have SORACOM
 * Peek's names. */
bool web_session_read(struct web_request *q, struct session *x, bool peek);
/* web_peek answers under Peek's paths: `what` follows packet_capture_sessions. */
void web_peek(struct web_request *q, const char *device, const char *id, const char *verb);
/* web_peek_auth answers POST /v1/auth: who has a token of this server as authKey or password gets it back as the one to
 * send on; where no token is needed, everybody gets an empty one. */
void web_peek_auth(struct web_request *q);
/* web_devices lists devices, web_device describes one, web_interfaces lists interfaces; web_interface_known tells
 * whether there is one of a name. web_label_find returns the configuration's entry, or NULL. */
void web_devices(struct web_request *q);
void web_device(struct web_request *q, const char *id);
void web_interfaces(struct web_request *q);
const struct web_label *web_label_find(const struct web *s, const char *label);
bool web_interface_known(const char *name);
/* web_mac_interface finds the interface a MAC address is behind: where the kernel knows it as a neighbour, or the only
 * one there is. */
bool web_mac_interface(const char *mac, char *out, size_t size);

/* web_member is one member of a JSON body. web_json_begin gives the inside of the body's object; false after a problem.
 * web_json_next takes the next member, false at the end. web_json_text reads a string into out, false after a problem;
 * web_json_number a whole number from min to max. */
struct web_member {
    struct slice name, text;
    int kind; /* enum json_kind */
};
bool web_json_begin(struct web_request *q, struct slice *inside);
bool web_json_next(struct slice *inside, struct web_member *m);
bool web_json_text(struct web_request *q, const struct web_member *m, char *out, size_t size);
bool web_json_number(struct web_request *q, const struct web_member *m, uint64_t min, uint64_t max, uint64_t *out);

/* Reading: web_about answers what is asked of a capture in the n parts behind /v1/captures/NAME/; false where they are
 * no question. The others answer for the capture at path: web_frames a page of the packet list, web_stream its rows as
 * they are found, web_frame one packet with its tree and bytes. */
bool web_about(struct web_request *q, const char *name, const char *const *part, size_t n);
void web_frames(struct web_request *q, const char *path);
void web_frame(struct web_request *q, const char *path, const char *number);
void web_stream(struct web_request *q, const char *path, const char *name);
/* web_jobs lists what is under way, web_job_stop stops one. web_job_begin makes the request a job, NULL where too many
 * are under way, until web_job_end; web_job_counts writes how far it is. web_gone_away tells whether nobody waits for a
 * request any more: its client has gone, or it was stopped. */
void web_jobs(struct web_request *q);
void web_job_stop(struct web_request *q, const char *id);
struct web_job *web_job_begin(struct web_request *q, const char *capture);
void web_job_end(struct web *s, struct web_job *j);
/* web_job_answered ends the request's job; where it was stopped the answer becomes a problem. */
void web_job_answered(struct web_request *q);
void web_job_counts(struct writer *w, struct web_job *j);
bool web_gone_away(void *request);
/* What the commands of the same names say of a capture, as JSON. */
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
