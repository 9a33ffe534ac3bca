/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_STORE_H
#define WEIR_SERVE_STORE_H

#include "base/err.h"
#include "base/writer.h"
#include "serve/demand/session.h"

/* What must survive the server: captures on demand and their states, tokens, used addresses, and who did what. One
 * SQLite file; any thread may call. Functions that give an int return OK or a negative code. */

struct store;

enum { STORE_HASH = 32, STORE_AUDIT_MAX = 100000, STORE_TOKENS_MAX = 1000 };

enum store_role { ROLE_NONE, ROLE_VIEW, ROLE_CAPTURE, ROLE_ADMIN, ROLES };

/* store_open opens or makes the file; on failure a negative code and a one-line reason. store_close takes NULL, too. */
int store_open(struct store **out, const char *path, struct writer *why) MUST_USE;
void store_close(struct store *s);
/* store_secret gives the key addresses are signed with: made once. */
int store_secret(struct store *s, uint8_t key[STORE_HASH]) MUST_USE;

/* Captures on demand by id: put adds or replaces one, get and remove give ERR_NOTFOUND where there is none. */
int store_session_put(struct store *s, const struct session *x) MUST_USE;
int store_session_get(struct store *s, const char *id, struct session *out) MUST_USE;
int store_session_remove(struct store *s, const char *id) MUST_USE;
uint64_t store_sessions_count(struct store *s);
/* store_query: NULL and 0 ask for nothing special. Newest first. */
struct store_query {
    const char *device; /* as asked for, or in its usual form */
    const char *before; /* id */
    bool unfinished;
    int64_t ended_before; /* ms: final ones that ended before */
    uint32_t limit;
};
/* store_sessions hands out the captures a query asks for. */
int store_sessions(struct store *s, const struct store_query *q, void (*take)(void *to, const struct session *x),
                   void *to);

/* Tokens are known by the SHA-256 of their text. store_token_role returns ROLE_NONE where there is none, else the role
 * and its name. store_tokens hands out all of them, in the order they were made. */
struct store_token {
    int64_t id, created; /* ms */
    enum store_role role;
    char name[SESSION_WHO_MAX + 1];
};
int store_token_add(struct store *s, const uint8_t hash[STORE_HASH], enum store_role role, const char *name,
                    int64_t now) MUST_USE;
enum store_role store_token_role(struct store *s, const uint8_t hash[STORE_HASH], char name[SESSION_WHO_MAX + 1]);
int store_tokens(struct store *s, void (*take)(void *to, const struct store_token *t), void *to);
uint64_t store_tokens_count(struct store *s);
int store_token_remove(struct store *s, int64_t id) MUST_USE;

/* store_use notes that a one-time address is used, for as long as it could be valid: OK the first time, ERR_LIMIT
 * later. */
int store_use(struct store *s, const char *nonce, int64_t expires, int64_t now) MUST_USE;

/* store_upload_put notes that a file of the folder was uploaded, and when (ms); store_upload_at tells when, 0: it was
 * not; store_upload_remove forgets it. store_uploads hands out at most `limit` that came before a time. */
int store_upload_put(struct store *s, const char *file, int64_t at) MUST_USE;
int store_upload_remove(struct store *s, const char *file);
int64_t store_upload_at(struct store *s, const char *file);
int store_uploads(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const char *file, int64_t at),
                  void *to);

/* store_audit_add writes down an action; the oldest go beyond STORE_AUDIT_MAX. */
struct store_action {
    int64_t id, at; /* ms */
    const char *who, *from, *method, *path;
    int status; /* of HTTP; 0: the server's own doing */
};
int store_audit_add(struct store *s, const struct store_action *a);
/* store_audit hands out actions, newest first, those before id `before` (0: all). */
int store_audit(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const struct store_action *a),
                void *to);

/* store_role_name returns the word of a role. */
const char *store_role_name(enum store_role r);
/* store_role_read returns ROLE_NONE where the word is no role. */
enum store_role store_role_read(const char *word);

#endif
