/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a build without SQLite: it cannot be opened, so nobody gets to call the rest. */
#include "serve/demand/store.h"

int store_open(struct store **out, const char *path, struct writer *why) {
    (void)out, (void)path;
    wr_s(why, "this build has no SQLite (libsqlite3)");
    return ERR_UNSUPPORTED;
}
void store_close(struct store *s) { (void)s; }
int store_secret(struct store *s, uint8_t key[STORE_HASH]) { return (void)s, (void)key, ERR_UNSUPPORTED; }
int store_session_put(struct store *s, const struct session *x) { return (void)s, (void)x, ERR_UNSUPPORTED; }
int store_session_get(struct store *s, const char *id, struct session *out) {
    return (void)s, (void)id, (void)out, ERR_UNSUPPORTED;
}
int store_session_remove(struct store *s, const char *id) { return (void)s, (void)id, ERR_UNSUPPORTED; }
uint64_t store_sessions_count(struct store *s) { return (void)s, 0; }
int store_sessions(struct store *s, const struct store_query *q, void (*take)(void *to, const struct session *x),
                   void *to) {
    return (void)s, (void)q, (void)take, (void)to, ERR_UNSUPPORTED;
}
int store_token_add(struct store *s, const uint8_t hash[STORE_HASH], enum store_role role, const char *name,
                    int64_t now) {
    return (void)s, (void)hash, (void)role, (void)name, (void)now, ERR_UNSUPPORTED;
}
enum store_role store_token_role(struct store *s, const uint8_t hash[STORE_HASH], char name[SESSION_WHO_MAX + 1]) {
    return (void)s, (void)hash, (void)name, ROLE_NONE;
}
int store_tokens(struct store *s, void (*take)(void *to, const struct store_token *t), void *to) {
    return (void)s, (void)take, (void)to, ERR_UNSUPPORTED;
}
uint64_t store_tokens_count(struct store *s) { return (void)s, 0; }
int store_token_remove(struct store *s, int64_t id) { return (void)s, (void)id, ERR_UNSUPPORTED; }
int store_use(struct store *s, const char *nonce, int64_t expires, int64_t now) {
    return (void)s, (void)nonce, (void)expires, (void)now, ERR_UNSUPPORTED;
}
int store_upload_put(struct store *s, const char *file, int64_t at) {
    return (void)s, (void)file, (void)at, ERR_UNSUPPORTED;
}
int store_upload_remove(struct store *s, const char *file) { return (void)s, (void)file, ERR_UNSUPPORTED; }
int64_t store_upload_at(struct store *s, const char *file) { return (void)s, (void)file, 0; }
int store_uploads(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const char *file, int64_t at),
                  void *to) {
    return (void)s, (void)before, (void)limit, (void)take, (void)to, ERR_UNSUPPORTED;
}
int store_audit_add(struct store *s, const struct store_action *a) { return (void)s, (void)a, ERR_UNSUPPORTED; }
int store_audit(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const struct store_action *a),
                void *to) {
    return (void)s, (void)before, (void)limit, (void)take, (void)to, ERR_UNSUPPORTED;
}
