/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of a WebSocket (RFC 6455 4.2): the request is collected in the client's `in`, answered, and
 * what came behind it is the first frames. */
#include "io/digest.h"
#include "serve/proxy/worker.h"
#include <stdlib.h>

static void answer(struct worker *w, struct conn *c, const struct ws_request *r) {
    char buf[512], accept[DIGEST_BASE64_MAX] = "";
    struct writer out = wr_fixed(buf, sizeof buf);
    if (r->status == 101) digest_websocket(accept, r->key);
    ws_answer(&out, r->status, accept, r->protocol);
    data_send_raw(w, c, GUARD_CLIENT, wr_done(&out));
}

/* take_request answers a request that is whole; what follows it is handed on. */
static void take_request(struct worker *w, struct conn *c, const struct ws_request *r) {
    struct side *s = &c->side[GUARD_CLIENT];
    struct bytes *head = s->in;
    s->in = NULL;
    if (r->status == 101 && !(c->ws = calloc(1, sizeof *c->ws))) {
        worker_count(w, PROXY_STAT_NO_MEMORY, 1);
        conn_begin_close(w, c);
    } else {
        answer(w, c, r);
        if (r->status != 101) conn_begin_close(w, c);
    }
    if (c->state == CONN_UPGRADE) {
        c->state = CONN_WAIT;
        conn_due(w, c, DUE_NONE, 0);
        size_t rest = bytes_held(head) - r->length;
        if (rest) data_take(w, c, GUARD_CLIENT, slice_of(head->data + head->at + r->length, rest));
    }
    data_drop(w, &head);
}

void upgrade_read(struct worker *w, struct conn *c) {
    struct side *s = &c->side[GUARD_CLIENT];
    while (c->state == CONN_UPGRADE && s->flags & SIDE_READABLE) {
        ssize_t n = data_read(w, c, GUARD_CLIENT);
        if (n == 0 || n == -2) return conn_begin_close(w, c);
        if (n < 0) continue;
        if (!data_keep(w, &s->in, slice_of(w->scratch, (size_t)n))) return conn_begin_close(w, c);
        struct slice in = slice_of(s->in->data + s->in->at, bytes_held(s->in));
        struct ws_request r = ws_read_request(in, worker_listener_of(w, c)->conf->path);
        if (r.status) take_request(w, c, &r);
    }
}
