/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: one connection to one SQLite file in write-ahead mode, behind one lock: what comes here are
 * changes of states and actions of people, not packets. Every change is a transaction of its own, so a killed server
 * leaves the state before it or after it. The file says which version its tables have (user_version); a newer one is
 * refused. */
#include "serve/demand/store.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { VERSION = 1, BUSY_MS = 2000, AUDIT_TRIM = 500 };

struct store {
    sqlite3 *db;
    sqlite3_vfs vfs;
    pthread_mutex_t lock;
    unsigned audited; /* since the last trim */
};

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, asked TEXT NOT NULL, kind INTEGER NOT NULL,"
    " device TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, interface TEXT NOT NULL, filter TEXT NOT NULL,"
    " reason TEXT NOT NULL, who TEXT NOT NULL, state INTEGER NOT NULL, duration INTEGER NOT NULL,"
    " snaplen INTEGER NOT NULL, redact INTEGER NOT NULL, max_bytes INTEGER NOT NULL, packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, dropped INTEGER NOT NULL, created INTEGER NOT NULL, started INTEGER NOT NULL,"
    " ended INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS session_device ON session (device, id);"
    "CREATE TABLE IF NOT EXISTS token (id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
    " role INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS upload (file TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS used (nonce TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,"
    " address TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL);";

static const char columns[] =
    "id,asked,kind,device,name,file,interface,filter,reason,who,state,duration,snaplen,redact,"
    "max_bytes,packets,bytes,dropped,created,started,ended";

static int code_of(int rc) {
    switch (rc) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return OK;
    case SQLITE_FULL: return ERR_LIMIT;
    case SQLITE_NOMEM: return ERR_NOMEM;
    default: return ERR_IO;
    }
}

/* ---- statements ---- */

/* query is a statement being made, run and thrown away, with the store locked. Arguments are bound in order. */
struct query {
    struct store *s;
    sqlite3_stmt *st;
    int rc, n;
};

static struct query query(struct store *s, const char *sql) {
    struct query q = {.s = s};
    pthread_mutex_lock(&s->lock);
    q.rc = sqlite3_prepare_v2(s->db, sql, -1, &q.st, NULL);
    return q;
}
static void arg_i(struct query *q, int64_t v) {
    if (q->rc == SQLITE_OK) q->rc = sqlite3_bind_int64(q->st, ++q->n, v);
}
static void arg_s(struct query *q, const char *v) {
    if (q->rc == SQLITE_OK) q->rc = sqlite3_bind_text(q->st, ++q->n, v, -1, SQLITE_TRANSIENT);
}
static void arg_b(struct query *q, const void *v, int n) {
    if (q->rc == SQLITE_OK) q->rc = sqlite3_bind_blob(q->st, ++q->n, v, n, SQLITE_TRANSIENT);
}
static bool row(struct query *q) {
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW) q->rc = sqlite3_step(q->st);
    return q->rc == SQLITE_ROW;
}
/* done ends a query and gives its code; *changed (may be NULL) is how many rows it changed. */
static int done(struct query *q, int *changed) {
    if (changed) *changed = sqlite3_changes(q->s->db);
    sqlite3_finalize(q->st);
    pthread_mutex_unlock(&q->s->lock);
    return code_of(q->rc);
}
static int run(struct query *q, int *changed) {
    while (row(q)) {
    }
    return done(q, changed);
}

static const char *text(struct query *q, int column) {
    const unsigned char *t = sqlite3_column_text(q->st, column);
    return t ? (const char *)t : "";
}

static uint64_t number(struct store *s, const char *sql) {
    struct query q = query(s, sql);
    uint64_t n = row(&q) ? (uint64_t)sqlite3_column_int64(q.st, 0) : 0;
    (void)done(&q, NULL);
    return n;
}

/* ---- the file ---- */

static int tables_make(struct store *s, struct writer *why) {
    uint64_t version = number(s, "PRAGMA user_version");
    if (version > VERSION) {
        wr_f(why, "it was written by a newer weir (version %llu of its tables)", (unsigned long long)version);
        return ERR_UNSUPPORTED;
    }
    char set[64];
    snprintf(set, sizeof set, "PRAGMA user_version=%d", VERSION);
    int rc = sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON", NULL,
                          NULL, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, tables, NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, set, NULL, NULL, NULL);
    if (rc != SQLITE_OK) wr_s(why, sqlite3_errmsg(s->db));
    return code_of(rc);
}

static int path_kept(sqlite3_vfs *vfs, const char *path, int size, char *out) {
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", path) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static bool vfs_make(struct store *s) {
    const sqlite3_vfs *usual = sqlite3_vfs_find("unix");
    if (!usual) return false;
    s->vfs = *usual;
    s->vfs.zName = "weir";
    s->vfs.pNext = NULL;
    s->vfs.xFullPathname = path_kept;
    return sqlite3_vfs_register(&s->vfs, 0) == SQLITE_OK;
}

int store_open(struct store **out, const char *path, struct writer *why) {
    struct store *s = calloc(1, sizeof *s);
    if (!s) return ERR_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
    int rc = vfs_make(s) ? sqlite3_open_v2(path, &s->db, flags, s->vfs.zName) : SQLITE_NOMEM;
    if (rc != SQLITE_OK) wr_s(why, s->db ? sqlite3_errmsg(s->db) : err_text(ERR_NOMEM));
    else sqlite3_busy_timeout(s->db, BUSY_MS);
    int code = rc == SQLITE_OK ? tables_make(s, why) : code_of(rc);
    if (code < 0) {
        store_close(s);
        return code;
    }
    *out = s;
    return OK;
}

void store_close(struct store *s) {
    if (!s) return;
    sqlite3_close(s->db);
    if (s->vfs.zName) sqlite3_vfs_unregister(&s->vfs);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int store_secret(struct store *s, uint8_t key[STORE_HASH]) {
    if (getrandom(key, STORE_HASH, 0) != STORE_HASH) return ERR_IO;
    struct query q = query(s, "INSERT OR IGNORE INTO meta VALUES ('secret', ?)");
    arg_b(&q, key, STORE_HASH);
    int rc = run(&q, NULL);
    if (rc < 0) return rc;
    q = query(s, "SELECT value FROM meta WHERE key = 'secret'");
    if (row(&q) && sqlite3_column_bytes(q.st, 0) == STORE_HASH) memcpy(key, sqlite3_column_blob(q.st, 0), STORE_HASH);
    else rc = ERR_DAMAGED;
    int end = done(&q, NULL);
    return rc < 0 ? rc : end;
}

/* ---- captures on demand ---- */

int store_session_put(struct store *s, const struct session *x) {
    char sql[512];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO session (%s) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
             columns);
    struct query q = query(s, sql);
    arg_s(&q, x->id), arg_s(&q, x->asked), arg_i(&q, x->device.kind), arg_s(&q, x->device.text), arg_s(&q, x->name);
    arg_s(&q, x->file), arg_s(&q, x->interface), arg_s(&q, x->filter), arg_s(&q, x->reason), arg_s(&q, x->who);
    arg_i(&q, x->state), arg_i(&q, x->duration), arg_i(&q, x->snaplen), arg_i(&q, x->redact);
    arg_i(&q, (int64_t)x->max_bytes), arg_i(&q, (int64_t)x->packets), arg_i(&q, (int64_t)x->bytes);
    arg_i(&q, (int64_t)x->dropped), arg_i(&q, x->created), arg_i(&q, x->started), arg_i(&q, x->ended);
    return run(&q, NULL);
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

static void session_read(struct query *q, struct session *x) {
    *x = (struct session){0};
    COPY(x->id, text(q, 0));
    COPY(x->asked, text(q, 1));
    x->device.kind = (enum device_kind)sqlite3_column_int(q->st, 2);
    if ((unsigned)x->device.kind >= DEVICE_KINDS) x->device.kind = DEVICE_CLIENT;
    COPY(x->device.text, text(q, 3));
    COPY(x->name, text(q, 4));
    COPY(x->file, text(q, 5));
    COPY(x->interface, text(q, 6));
    COPY(x->filter, text(q, 7));
    COPY(x->reason, text(q, 8));
    COPY(x->who, text(q, 9));
    unsigned state = (unsigned)sqlite3_column_int(q->st, 10);
    x->state = state < SESSION_STATES ? (enum session_state)state : SESSION_FAILED;
    x->duration = (uint32_t)sqlite3_column_int64(q->st, 11);
    x->snaplen = (uint32_t)sqlite3_column_int64(q->st, 12);
    x->redact = (uint32_t)sqlite3_column_int64(q->st, 13);
    x->max_bytes = (uint64_t)sqlite3_column_int64(q->st, 14);
    x->packets = (uint64_t)sqlite3_column_int64(q->st, 15);
    x->bytes = (uint64_t)sqlite3_column_int64(q->st, 16);
    x->dropped = (uint64_t)sqlite3_column_int64(q->st, 17);
    x->created = sqlite3_column_int64(q->st, 18);
    x->started = sqlite3_column_int64(q->st, 19);
    x->ended = sqlite3_column_int64(q->st, 20);
}

int store_session_get(struct store *s, const char *id, struct session *out) {
    char sql[512];
    snprintf(sql, sizeof sql, "SELECT %s FROM session WHERE id = ?", columns);
    struct query q = query(s, sql);
    arg_s(&q, id);
    bool found = row(&q);
    if (found) session_read(&q, out);
    int rc = done(&q, NULL);
    return rc < 0 ? rc : found ? OK : ERR_NOTFOUND;
}

int store_session_remove(struct store *s, const char *id) {
    int changed;
    struct query q = query(s, "DELETE FROM session WHERE id = ?");
    arg_s(&q, id);
    int rc = run(&q, &changed);
    return rc < 0 ? rc : changed ? OK : ERR_NOTFOUND;
}

uint64_t store_sessions_count(struct store *s) { return number(s, "SELECT count(*) FROM session"); }

int store_sessions(struct store *s, const struct store_query *a, void (*take)(void *to, const struct session *x),
                   void *to) {
    char sql[1024];
    struct session x;
    snprintf(sql, sizeof sql, "SELECT %s FROM session WHERE 1%s%s%s%s ORDER BY id DESC LIMIT ?", columns,
             a->device ? " AND (asked = ?1 OR device = ?1)" : " AND ?1 IS NULL",
             a->before ? " AND id < ?2" : " AND ?2 IS NULL", a->unfinished ? " AND state < 4" : "",
             a->ended_before ? " AND state >= 4 AND ended < ?3" : " AND ?3 IS NULL");
    _Static_assert(SESSION_DONE == 4, "the statement knows the first final state");
    struct query q = query(s, sql);
    if (q.rc == SQLITE_OK && a->device) q.rc = sqlite3_bind_text(q.st, 1, a->device, -1, SQLITE_TRANSIENT);
    if (q.rc == SQLITE_OK && a->before) q.rc = sqlite3_bind_text(q.st, 2, a->before, -1, SQLITE_TRANSIENT);
    if (q.rc == SQLITE_OK && a->ended_before) q.rc = sqlite3_bind_int64(q.st, 3, a->ended_before);
    q.n = 3;
    arg_i(&q, a->limit ? a->limit : SESSIONS_MAX);
    while (row(&q)) {
        session_read(&q, &x);
        take(to, &x);
    }
    return done(&q, NULL);
}

/* ---- tokens ---- */

int store_token_add(struct store *s, const uint8_t hash[STORE_HASH], enum store_role role, const char *name,
                    int64_t now) {
    if (store_tokens_count(s) >= STORE_TOKENS_MAX) return ERR_LIMIT;
    struct query q = query(s, "INSERT INTO token (hash, role, name, created) VALUES (?,?,?,?)");
    arg_b(&q, hash, STORE_HASH), arg_i(&q, role), arg_s(&q, name), arg_i(&q, now);
    return run(&q, NULL);
}

enum store_role store_token_role(struct store *s, const uint8_t hash[STORE_HASH], char name[SESSION_WHO_MAX + 1]) {
    enum store_role role = ROLE_NONE;
    struct query q = query(s, "SELECT role, name FROM token WHERE hash = ?");
    arg_b(&q, hash, STORE_HASH);
    if (row(&q)) {
        int r = sqlite3_column_int(q.st, 0);
        role = r > ROLE_NONE && r < ROLES ? (enum store_role)r : ROLE_NONE;
        snprintf(name, SESSION_WHO_MAX + 1, "%s", text(&q, 1));
    }
    return done(&q, NULL) < 0 ? ROLE_NONE : role;
}

int store_tokens(struct store *s, void (*take)(void *to, const struct store_token *t), void *to) {
    struct query q = query(s, "SELECT id, created, role, name FROM token ORDER BY id");
    while (row(&q)) {
        struct store_token t = {.id = sqlite3_column_int64(q.st, 0),
                                .created = sqlite3_column_int64(q.st, 1),
                                .role = (enum store_role)sqlite3_column_int(q.st, 2)};
        COPY(t.name, text(&q, 3));
        take(to, &t);
    }
    return done(&q, NULL);
}

uint64_t store_tokens_count(struct store *s) { return number(s, "SELECT count(*) FROM token"); }

int store_token_remove(struct store *s, int64_t id) {
    int changed;
    struct query q = query(s, "DELETE FROM token WHERE id = ?");
    arg_i(&q, id);
    int rc = run(&q, &changed);
    return rc < 0 ? rc : changed ? OK : ERR_NOTFOUND;
}

/* ---- uploads ---- */

int store_upload_put(struct store *s, const char *file, int64_t at) {
    struct query q = query(s, "INSERT OR REPLACE INTO upload VALUES (?,?)");
    arg_s(&q, file), arg_i(&q, at);
    return run(&q, NULL);
}

int store_upload_remove(struct store *s, const char *file) {
    struct query q = query(s, "DELETE FROM upload WHERE file = ?");
    arg_s(&q, file);
    return run(&q, NULL);
}

int64_t store_upload_at(struct store *s, const char *file) {
    struct query q = query(s, "SELECT at FROM upload WHERE file = ?");
    arg_s(&q, file);
    int64_t at = row(&q) ? sqlite3_column_int64(q.st, 0) : 0;
    (void)done(&q, NULL);
    return at;
}

int store_uploads(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const char *file, int64_t at),
                  void *to) {
    struct query q = query(s, "SELECT file, at FROM upload WHERE at < ? LIMIT ?");
    arg_i(&q, before), arg_i(&q, limit);
    while (row(&q)) take(to, text(&q, 0), sqlite3_column_int64(q.st, 1));
    return done(&q, NULL);
}

/* ---- one-time addresses, actions ---- */

int store_use(struct store *s, const char *nonce, int64_t expires, int64_t now) {
    int changed;
    struct query q = query(s, "DELETE FROM used WHERE expires < ?");
    arg_i(&q, now);
    int rc = run(&q, NULL);
    if (rc < 0) return rc;
    q = query(s, "INSERT OR IGNORE INTO used VALUES (?,?)");
    arg_s(&q, nonce), arg_i(&q, expires);
    rc = run(&q, &changed);
    return rc < 0 ? rc : changed ? OK : ERR_LIMIT;
}

int store_audit_add(struct store *s, const struct store_action *a) {
    struct query q = query(s, "INSERT INTO audit (at, who, address, method, path, status) VALUES (?,?,?,?,?,?)");
    arg_i(&q, a->at), arg_s(&q, a->who), arg_s(&q, a->from), arg_s(&q, a->method), arg_s(&q, a->path),
        arg_i(&q, a->status);
    bool trim = ++s->audited % AUDIT_TRIM == 0;
    int rc = run(&q, NULL);
    if (rc < 0 || !trim) return rc;
    q = query(s, "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?");
    arg_i(&q, STORE_AUDIT_MAX);
    return run(&q, NULL);
}

int store_audit(struct store *s, int64_t before, uint32_t limit, void (*take)(void *to, const struct store_action *a),
                void *to) {
    struct query q =
        query(s, "SELECT id, at, who, address, method, path, status FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?");
    arg_i(&q, before ? before : INT64_MAX), arg_i(&q, limit);
    while (row(&q)) {
        struct store_action a = {.id = sqlite3_column_int64(q.st, 0),
                                 .at = sqlite3_column_int64(q.st, 1),
                                 .who = text(&q, 2),
                                 .from = text(&q, 3),
                                 .method = text(&q, 4),
                                 .path = text(&q, 5),
                                 .status = sqlite3_column_int(q.st, 6)};
        take(to, &a);
    }
    return done(&q, NULL);
}
