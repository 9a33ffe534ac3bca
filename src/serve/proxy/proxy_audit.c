/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: workers never touch a disk. Their records wait in rings in shared memory until the parent writes
 * them; a ring that is full, and a disk that is, cost records, never traffic. What was lost is counted and told, once
 * in COMPLAIN_MS. A line is written whole or counted as lost: after a short write the file is cut back to the last
 * whole line. The file is rotated when it passes its size, FILE to FILE.1, FILE.1 to FILE.2 and so on. */
#include "serve/proxy/evidence.h"
#include "serve/proxy/parent.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMPLAIN_MS = 10000, DRAIN_BATCH = 4096 };

static void open_file(struct parent *p, struct audit_file *f) {
    struct stat st;
    f->size = 0;
    if (!f->path) {
        f->fd = -1;
    } else if (!strcmp(f->path, "-")) {
        f->fd = STDOUT_FILENO;
    } else if ((f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640)) < 0) {
        parent_say("cannot open %s: %s; records are counted, not kept", f->path, strerror(errno));
        f->failing = true;
        f->told = p->now;
    } else if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        f->size = st.st_size;
    }
}

static void close_file(struct audit_file *f) {
    if (f->fd > STDERR_FILENO) close(f->fd);
    f->fd = -1;
}

void audit_open(struct parent *p) {
    p->audit = (struct audit_file){.path = p->set->config->audit, .fd = STDERR_FILENO};
    p->logins = (struct audit_file){.path = p->set->config->login_log, .fd = -1};
    if (p->audit.path) open_file(p, &p->audit);
    open_file(p, &p->logins);
}

void audit_reopen(struct parent *p) {
    close_file(&p->audit);
    close_file(&p->logins);
    audit_open(p);
}

static void rotate(struct parent *p, struct audit_file *f) {
    char from[4096], to[4096];
    close_file(f);
    for (unsigned i = p->set->config->audit_files; i > 0; i--) {
        if (i > 1) snprintf(from, sizeof from, "%s.%u", f->path, i - 1);
        else snprintf(from, sizeof from, "%s", f->path);
        snprintf(to, sizeof to, "%s.%u", f->path, i);
        if (rename(from, to) < 0 && errno != ENOENT) parent_say("cannot rotate %s: %s", from, strerror(errno));
    }
    if (p->set->config->audit_files == 0) (void)unlink(f->path);
    open_file(p, f);
}

static void complain(struct parent *p, struct audit_file *f) {
    atomic_fetch_add(&p->shared->audit_lost, 1);
    if (f->failing && p->now - f->told < COMPLAIN_MS) return;
    uint64_t lost = atomic_load(&p->shared->audit_lost);
    parent_say(plural(lost, "cannot write %s: %s; %llu record was lost so far",
                      "cannot write %s: %s; %llu records were lost so far"),
               f->path ? f->path : "the audit records", f->fd < 0 ? "it is not open" : strerror(errno),
               (unsigned long long)lost);
    f->failing = true;
    f->told = p->now;
}

static void write_line(struct parent *p, struct audit_file *f, struct slice line) {
    if (f->fd < 0 && f->path && p->now - f->told >= COMPLAIN_MS) open_file(p, f);
    bool rotates = f == &p->audit && f->path && f->fd > STDERR_FILENO && p->set->config->audit_size > 0;
    if (rotates && f->size && f->size + (int64_t)line.n > p->set->config->audit_size) rotate(p, f);
    ssize_t n = f->fd < 0 ? -1 : write(f->fd, line.p, line.n);
    if (n == (ssize_t)line.n) {
        f->size += n;
        if (f->failing) parent_say("writes %s again", f->path ? f->path : "audit records");
        f->failing = false;
        atomic_fetch_add(&p->shared->audit_written, 1);
        return;
    }
    if (n > 0) {
        (void)!ftruncate(f->fd, f->size);
        errno = ENOSPC;
    }
    complain(p, f);
}

static void remember(struct recent *r, struct slice line) {
    char *to = r->line[r->n++ % RECENT_MAX];
    size_t n = line.n && line.p[line.n - 1] == '\n' ? line.n - 1 : line.n;
    if (n >= RECENT_LINE) n = 0; /* half a line would be no JSON */
    memcpy(to, line.p, n);
    to[n] = 0;
}

static void take_record(struct parent *p, struct slice record) {
    struct slice line = slice_tail(record, 1);
    if (record.p[0] == 'A') {
        remember(&p->recent, line);
        write_line(p, &p->audit, line);
    } else if (record.p[0] == 'P') {
        evidence_write(p, line);
    } else if (p->logins.path) {
        write_line(p, &p->logins, line);
    }
}

void audit_drain(struct parent *p) {
    uint8_t buf[RING_RECORD_MAX];
    for (unsigned i = 0; i < p->workers; i++) {
        size_t n;
        for (int k = 0; k < DRAIN_BATCH && (n = ring_get(&p->shared->worker[i].audit, buf)); k++)
            take_record(p, slice_of(buf, n));
    }
    evidence_flush(p);
}
