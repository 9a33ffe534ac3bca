/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: one table, one transaction for each batch. The first reading of a batch begins it,
 * readings_commit ends it; with the write-ahead log and synchronous = FULL the commit returns when the log is on the
 * disk. How much is stored is counted here, from what the table says at the start, so that a full store is an answer
 * and not a failure in the middle of a batch. A file that holds other tables is not ours and is not touched. */
#include "io/readings.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x57524e47, BUSY_MS = 5000, ROW_COST = 96 /* bytes a row takes beside its data, about */ };

struct readings {
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint64_t stored, most; /* bytes */
    uint64_t batch_bytes;
    bool batch;
};

bool readings_available(void) { return true; }

static int64_t number_of(sqlite3 *db, const char *sql) {
    sqlite3_stmt *s = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static bool run(struct readings *r, const char *sql) { return sqlite3_exec(r->db, sql, NULL, NULL, NULL) == SQLITE_OK; }

static int prepare(struct readings *r, bool only_read, const char *path, struct writer *why) {
    int64_t tables = number_of(r->db, "SELECT count(*) FROM sqlite_master");
    if (tables < 0) {
        wr_f(why, "%s: %s", path, sqlite3_errmsg(r->db));
        return ERR_FORMAT;
    }
    if ((tables || only_read) && number_of(r->db, "PRAGMA application_id") != APPLICATION_ID) {
        wr_f(why, "%s holds something else than readings of `weir lab sink`", path);
        return ERR_FORMAT;
    }
    if (only_read) return OK;
    char id[64];
    snprintf(id, sizeof id, "PRAGMA application_id = %d", APPLICATION_ID);
    bool ok =
        run(r, "PRAGMA journal_mode = WAL") && run(r, "PRAGMA synchronous = FULL") && run(r, id) &&
        run(r, "CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, how TEXT NOT "
               "NULL, source TEXT NOT NULL, port INTEGER NOT NULL, size INTEGER NOT NULL, type TEXT NOT NULL, data "
               "BLOB NOT NULL)") &&
        sqlite3_prepare_v2(r->db,
                           "INSERT INTO readings (time_ns, how, source, port, size, type, data) VALUES (?, ?, ?, ?, ?, "
                           "?, ?)",
                           -1, &r->insert, NULL) == SQLITE_OK;
    if (ok) return OK;
    wr_f(why, "%s: %s", path, sqlite3_errmsg(r->db));
    return ERR_IO;
}

int readings_open(struct readings **out, const char *path, bool only_read, uint64_t most, struct writer *why) {
    struct readings *r = calloc(1, sizeof *r);
    if (!r) return wr_s(why, err_text(ERR_NOMEM)), ERR_NOMEM;
    if (only_read && access(path, R_OK) < 0) {
        wr_f(why, "%s: %s", path, strerror(errno));
        free(r);
        return ERR_NOTFOUND;
    }
    int flags = only_read ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, rc = ERR_IO;
    int bad = sqlite3_open_v2(path, &r->db, flags, NULL);
    if (bad && only_read) { /* the folder may not be ours to write to: then without the log */
        sqlite3_close(r->db);
        bad = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY, NULL);
    }
    if (bad) wr_f(why, "%s: %s", path, r->db ? sqlite3_errmsg(r->db) : err_text(ERR_NOMEM));
    else {
        sqlite3_busy_timeout(r->db, BUSY_MS);
        rc = prepare(r, only_read, path, why);
    }
    if (rc != OK) {
        readings_close(r);
        return rc;
    }
    r->most = most;
    int64_t bytes = number_of(r->db, "SELECT total(size) FROM readings"), rows = (int64_t)readings_count(r);
    r->stored = (uint64_t)(bytes > 0 ? bytes : 0) + (uint64_t)rows * ROW_COST;
    *out = r;
    return OK;
}

static void bind_text(sqlite3_stmt *s, int at, struct slice t) {
    sqlite3_bind_text(s, at, t.n ? (const char *)t.p : "", (int)t.n, SQLITE_STATIC);
}

int readings_add(struct readings *r, struct reading *g) {
    uint64_t cost = g->data.n + ROW_COST;
    if (r->most && r->stored + r->batch_bytes + cost > r->most) return ERR_LIMIT;
    if (!r->batch && !run(r, "BEGIN IMMEDIATE")) return ERR_IO;
    r->batch = true;
    sqlite3_stmt *s = r->insert;
    sqlite3_bind_int64(s, 1, g->ts);
    bind_text(s, 2, g->how);
    bind_text(s, 3, g->source);
    sqlite3_bind_int(s, 4, g->port);
    sqlite3_bind_int64(s, 5, (int64_t)g->data.n);
    bind_text(s, 6, g->type);
    sqlite3_bind_blob64(s, 7, g->data.n ? (const void *)g->data.p : "", g->data.n, SQLITE_STATIC);
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    g->id = sqlite3_last_insert_rowid(r->db);
    sqlite3_reset(s);
    if (!ok) return ERR_IO;
    r->batch_bytes += cost;
    return OK;
}

int readings_commit(struct readings *r) {
    if (!r->batch) return OK;
    /* a statement that failed may have rolled back on its own: then there is nothing to commit, and all is lost */
    bool ok = !sqlite3_get_autocommit(r->db) && run(r, "COMMIT");
    if (!ok && !sqlite3_get_autocommit(r->db)) (void)run(r, "ROLLBACK");
    if (ok) r->stored += r->batch_bytes;
    r->batch = false;
    r->batch_bytes = 0;
    return ok ? OK : ERR_IO;
}

const char *readings_why(const struct readings *r) { return sqlite3_errmsg(r->db); }

static struct slice column(sqlite3_stmt *s, int at) {
    const void *p = sqlite3_column_blob(s, at);
    return slice_of(p ? p : "", (size_t)sqlite3_column_bytes(s, at));
}

int readings_each(struct readings *r, uint64_t last, int (*take)(void *to, const struct reading *reading), void *to) {
    sqlite3_stmt *s = NULL;
    int rc = OK, step = SQLITE_DONE;
    if (sqlite3_prepare_v2(r->db,
                           "SELECT id, time_ns, how, source, port, type, data FROM readings WHERE id > (SELECT "
                           "CASE WHEN ?1 = 0 THEN -1 ELSE ifnull(max(id), 0) - ?1 END FROM readings) ORDER BY id",
                           -1, &s, NULL) != SQLITE_OK)
        return ERR_IO;
    sqlite3_bind_int64(s, 1, (int64_t)last);
    while (rc == OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct reading g = {.id = sqlite3_column_int64(s, 0),
                            .ts = sqlite3_column_int64(s, 1),
                            .how = column(s, 2),
                            .source = column(s, 3),
                            .port = (uint16_t)sqlite3_column_int(s, 4),
                            .type = column(s, 5),
                            .data = column(s, 6)};
        rc = take(to, &g);
    }
    sqlite3_finalize(s);
    return rc != OK ? rc : step == SQLITE_DONE || step == SQLITE_ROW ? OK : ERR_IO;
}

uint64_t readings_count(struct readings *r) {
    int64_t n = number_of(r->db, "SELECT count(*) FROM readings");
    return n > 0 ? (uint64_t)n : 0;
}

void readings_close(struct readings *r) {
    if (!r) return;
    if (r->batch) (void)run(r, "ROLLBACK");
    sqlite3_finalize(r->insert);
    sqlite3_close(r->db);
    free(r);
}
