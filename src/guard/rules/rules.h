/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_RULES_H
#define WEIR_GUARD_RULES_RULES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include "field/fvec.h"

/* Rule files in ModSecurity's SecLang: loaded once into an immutable rule set, then asked for a verdict on every
 * packet.
 *
 *     struct rules_set *set;
 *     int rc = rules_load(&set, &source, paths, n, &error);       files are read through source.files
 *     struct rules_tx *tx = rules_tx_make(set, &store);           one per worker, used again for every packet
 *     rules_tx_start(tx, now);
 *     rules_tx_topic(tx, topic); rules_tx_payload(tx, payload);   or rules_tx_add for other variables
 *     rules_tx_judge(tx, &verdict);
 *
 * Nothing here reads files, sockets or the clock: those come in as callbacks and arguments. */

enum {
    RULES_TEXT_MAX = 16 << 20,   /* bytes of one rule or data file */
    RULES_FILES_MAX = 1000,      /* files of a rule set, Include among them */
    RULES_INCLUDE_DEPTH = 16,    /* files inside files */
    RULES_INPUTS_MAX = 2048,     /* variables of a transaction */
    RULES_JSON_DEPTH = 128,      /* nesting of a payload that is read as JSON */
    RULES_IDS_MAX = 512,         /* rules named in a verdict */
    RULES_TX_MEMORY = 64 << 20,  /* bytes a transaction may hold */
    RULES_PCRE_LIMIT = 100000,   /* match limit of one regular expression, unless SecPcreMatchLimit says otherwise */
    RULES_TIME_MAX = 10000000,   /* nanoseconds of processor time for one packet, looked at every few milliseconds */
    RULES_COLLECTION_TTL = 3600, /* seconds, unless SecCollectionTimeout says otherwise */
    RULES_NAME_MAX = 256,        /* bytes of a collection's key */
    RULES_VALUE_MAX = 4096,      /* bytes of a stored value */
};

/* Where a rule set gets its files from. */
struct rules_files {
    void *ctx;
    /* read fills *text with the file's bytes (given back through release) or returns a negative code. */
    int (*read)(void *ctx, const char *path, struct slice *text);
    void (*release)(void *ctx, struct slice text);
    /* expand calls each for every file a pattern such as /etc/rules/?.conf names, in alphabetical order; 0 or a code.
     */
    int (*expand)(void *ctx, const char *pattern, int (*each)(void *to, const char *path), void *to);
};

/* Where compiled forms are kept between runs; both functions may be NULL. */
struct rules_cache {
    void *ctx;
    bool (*get)(void *ctx, const char *key, struct slice *blob);
    void (*release)(void *ctx, struct slice blob);
    void (*put)(void *ctx, const char *key, struct slice blob);
};

/* libinjection, from wherever the program found it; without it rules that need it are refused. */
struct rules_libinjection {
    int (*sqli)(const char *text, size_t n, char *fingerprint);
    int (*xss)(const char *text, size_t n);
};

/* What happened where in the rule files: an error (loading failed) or a note (accepted, but it means nothing here). */
struct rules_report {
    char file[256];
    unsigned line, column;
    char text[400];
};

struct rules_source {
    struct rules_files files;
    struct rules_cache cache;
    struct rules_libinjection libinjection;
    /* clock gives nanoseconds, never 0: from a clock that is cheap to read and moves in steps of a few milliseconds, or
     * exactly, the thread's processor time. NULL: a packet may take as long as its rules need. */
    int64_t (*clock)(bool exact);
    void (*note)(void *ctx, const struct rules_report *note); /* may be NULL */
    void *note_ctx;
    int paranoia;       /* 1 to 4 sets tx.paranoia_level before the first file; 0 leaves it to the files */
    bool no_first_pass; /* evaluate every rule: for tests and comparisons */
};

struct rules_set;
struct rules_tx;

/* rules_available tells whether this build can run rule files; rules_missing says what to do where it cannot. */
bool rules_available(void);
const char *rules_missing(void);

/* rules_load reads the files (patterns are expanded) in order and compiles them; 0 or a code with *error filled. */
int rules_load(struct rules_set **out, const struct rules_source *source, const char *const *paths, size_t n,
               struct rules_report *error) MUST_USE;
void rules_free(struct rules_set *set);

/* rules_count returns how many rules were loaded, and in *live how many can ever match an MQTT packet. */
size_t rules_count(const struct rules_set *set, size_t *live);
/* rules_interpreted tells that regular expressions were to be compiled to machine code and the system did not allow it:
 * they are interpreted, which hostile values make ten times slower and more. */
bool rules_interpreted(const struct rules_set *set);
/* rules_explain writes what the rule with that id became; false where there is none. */
bool rules_explain(const struct rules_set *set, uint32_t id, struct writer *w);

/* Persistent collections, kept by the caller across reloads. Times are seconds since 1970. */
enum rules_collection { RULES_IP, RULES_GLOBAL, RULES_SESSION, RULES_USER, RULES_RESOURCE, RULES_COLLECTIONS };

struct rules_store {
    void *ctx;
    /* get gives the value of name in the collection's record `key`, valid until the next call; false where it is
     * missing or expired. */
    bool (*get)(void *ctx, enum rules_collection c, struct slice key, struct slice name, int64_t now,
                struct slice *value);
    /* set stores a value; the record expires at `until` unless it is written again. */
    void (*set)(void *ctx, enum rules_collection c, struct slice key, struct slice name, struct slice value,
                int64_t now, int64_t until);
    void (*drop)(void *ctx, enum rules_collection c, struct slice key, struct slice name);
    /* expire makes one name end at `until`. */
    void (*expire)(void *ctx, enum rules_collection c, struct slice key, struct slice name, int64_t until);
};

/* rules_store_make returns a store in memory for at most `cap` values; the oldest give way. NULL without memory. */
struct rules_store *rules_store_make(size_t cap);
void rules_store_free(struct rules_store *store);

/* Variables a caller may fill; collections take a name. */
enum rules_var {
    RULES_ARGS,
    RULES_REQUEST_BODY,
    RULES_REQUEST_FILENAME,
    RULES_REMOTE_ADDR,
    RULES_REMOTE_PORT,
    RULES_REMOTE_USER,
    RULES_SERVER_ADDR,
    RULES_SERVER_PORT,
    RULES_SESSION_ID,
    RULES_UNIQUE_ID,
    RULES_VARS
};

/* rules_tx_make returns a transaction to be used again and again; NULL without memory. `store` may be NULL. */
struct rules_tx *rules_tx_make(const struct rules_set *set, struct rules_store *store);
void rules_tx_free(struct rules_tx *tx);

/* rules_tx_start forgets the last packet. now: nanoseconds since 1970. */
void rules_tx_start(struct rules_tx *tx, int64_t now);
/* rules_tx_add gives a variable; the bytes must live until the verdict. */
void rules_tx_add(struct rules_tx *tx, enum rules_var var, struct slice name, struct slice value);
/* rules_tx_topic gives the topic: REQUEST_FILENAME, REQUEST_BASENAME and ARGS:topic. */
void rules_tx_topic(struct rules_tx *tx, struct slice topic);
/* rules_tx_payload gives the payload: the members of a JSON object or array as ModSecurity names them (ARGS:payload is
 * then there for rules that name it), anything else as ARGS:payload. */
void rules_tx_payload(struct rules_tx *tx, struct slice payload);
/* rules_tx_form gives the payload as one argument whatever it holds; rules_tx_json gives a body that must be JSON and
 * returns false where it is not. */
void rules_tx_form(struct rules_tx *tx, struct slice payload);
bool rules_tx_json(struct rules_tx *tx, struct slice body);
/* rules_tx_fields gives the decoded fields: MQTT:topic is mqtt.topic, and any protocol's field by its whole name. */
void rules_tx_fields(struct rules_tx *tx, const struct fvec *fields);
/* rules_wanted adds the fields that rules speak of. */
void rules_wanted(const struct rules_set *set, struct want *want);

enum rules_action { RULES_PASS, RULES_BLOCK, RULES_DROP, RULES_WOULD_BLOCK };

struct rules_verdict {
    enum rules_action action;
    uint32_t by; /* the rule that decided, 0 for none */
    uint32_t ids[RULES_IDS_MAX];
    size_t n_ids;           /* rules that matched and log, ascending; more than fit are left out */
    bool limited;           /* a limit cut the inspection short: inputs, memory, time, or an expression's match limit */
    bool first_pass;        /* ended in the first pass */
    int score, score_pl[4]; /* tx.anomaly_score and its parts by paranoia level */
    struct slice msg;       /* message of the deciding (or the last logged) rule; until the next start */
    struct slice matched_name, matched_value;
};

/* rules_tx_judge evaluates the phases 1, 2 and 5. */
void rules_tx_judge(struct rules_tx *tx, struct rules_verdict *verdict);

/* rules_action_name returns "deny" and its kin. */
const char *rules_action_name(enum rules_action action);

/* rules_json_each calls each for every scalar of a JSON text with its path (json.a.b, json.c.array_0); false where the
 * text is not JSON, nests deeper than `depth`, or each returned false. Strings live in the arena or in the text. */
bool rules_json_each(struct arena *arena, struct slice text, unsigned depth,
                     bool (*each)(void *ctx, struct slice path, struct slice value), void *ctx);

/* For tests: one operator or transformation alone. rules_try_op returns 1, 0 or a negative code (bad parameter or no
 * such operator); rules_try_tfn writes at most `cap` bytes and returns the length or a negative code. */
int rules_try_op(const char *name, struct slice param, struct slice input, const struct rules_source *source);
long rules_try_tfn(const char *name, struct slice input, uint8_t *out, size_t cap);

#endif
