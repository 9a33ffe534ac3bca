/* SPDX-License-Identifier: Apache-2.0 */
/* Work that takes long: who asked may name it (job=ID), anybody who may read can look how far it is and stop it. Work
 * whose client has gone stops by itself. */
#include "serve/web/web_read.h"
#include "view/view.h"
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

/* id_take gives the job the name the client chose, 16 hexadecimal digits, or a random one. */
static bool id_take(struct web_request *q, char out[17]) {
    uint64_t id;
    const char *asked = web_query(q, "job");
    if (asked && strlen(asked) == 16 && strspn(asked, "0123456789abcdef") == 16) {
        memcpy(out, asked, 17);
        return true;
    }
    if (getrandom(&id, sizeof id, 0) != sizeof id) return false;
    snprintf(out, 17, "%016llx", (unsigned long long)id);
    return true;
}

struct web_job *web_job_begin(struct web_request *q, const char *capture) {
    struct web *s = q->web;
    const char *filter = web_query(q, "filter");
    char id[17];
    struct web_job *found = NULL;
    if (!id_take(q, id)) return NULL;
    pthread_mutex_lock(&s->jobs_lock);
    for (int i = 0; i < WEB_JOBS_MAX && !found; i++)
        if (!s->job[i].used) found = &s->job[i];
    if (found) {
        found->used = true;
        memcpy(found->id, id, sizeof id);
        snprintf(found->capture, sizeof found->capture, "%s", capture);
        snprintf(found->filter, sizeof found->filter, "%s", filter ? filter : "");
        atomic_store(&found->cancelled, false);
        atomic_store(&found->done, 0);
        atomic_store(&found->size, 0);
        atomic_store(&found->read, 0);
        atomic_store(&found->matched, 0);
    }
    pthread_mutex_unlock(&s->jobs_lock);
    return found;
}

void web_job_end(struct web *s, struct web_job *j) {
    if (!j) return;
    pthread_mutex_lock(&s->jobs_lock);
    j->used = false;
    pthread_mutex_unlock(&s->jobs_lock);
}

void web_job_counts(struct writer *w, struct web_job *j) {
    wr_f(w, "\"read\":%llu,\"matched\":%llu,\"done\":%llu,\"size\":%llu", (unsigned long long)atomic_load(&j->read),
         (unsigned long long)atomic_load(&j->matched), (unsigned long long)atomic_load(&j->done),
         (unsigned long long)atomic_load(&j->size));
}

void web_jobs(struct web_request *q) {
    struct web *s = q->web;
    struct writer *w = &q->reply.w;
    unsigned n = 0;
    wr_s(w, "{\"jobs\":[");
    pthread_mutex_lock(&s->jobs_lock);
    for (int i = 0; i < WEB_JOBS_MAX; i++) {
        struct web_job *j = &s->job[i];
        if (!j->used) continue;
        wr_f(w, "%s{\"id\":\"%s\",\"capture\":\"%s\",\"filter\":", n++ ? ",\n" : "\n", j->id, j->capture);
        json_text(w, slice_str(j->filter));
        wr_c(w, ',');
        web_job_counts(w, j);
        wr_c(w, '}');
    }
    pthread_mutex_unlock(&s->jobs_lock);
    wr_s(w, "]}\n");
}

void web_job_stop(struct web_request *q, const char *id) {
    struct web *s = q->web;
    bool found = false;
    pthread_mutex_lock(&s->jobs_lock);
    for (int i = 0; i < WEB_JOBS_MAX; i++) {
        if (!s->job[i].used || strcmp(s->job[i].id, id) != 0) continue;
        atomic_store(&s->job[i].cancelled, true);
        found = true;
    }
    pthread_mutex_unlock(&s->jobs_lock);
    if (found) q->reply.status = 204;
    else web_problem(q, 404, "no such job; it may be done");
}

void web_job_answered(struct web_request *q) {
    bool stopped = q->job && atomic_load(&q->job->cancelled);
    web_job_end(q->web, q->job);
    q->job = NULL;
    if (!stopped) return;
    wr_reset(&q->reply.w); /* it is of a part of the capture */
    web_problem(q, 409, "the work was stopped");
}

bool web_gone_away(void *request) {
    struct web_request *q = request;
    char c;
    if (q->job && atomic_load(&q->job->cancelled)) return true;
    const union MHD_ConnectionInfo *i = mhd.get_connection_info(q->c, MHD_CONNECTION_INFO_CONNECTION_FD);
    bool gone = i && recv(i->connect_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    if (gone && q->job) atomic_store(&q->job->cancelled, true);
    return gone;
}

void web_job_note(struct web_job *j, const struct capfile *file, uint64_t packets) {
    uint64_t done = capfile_done(file), size = capfile_size(file);
    atomic_store(&j->read, packets);
    atomic_store(&j->done, done);
    atomic_store(&j->size, size > done ? size : done);
}
