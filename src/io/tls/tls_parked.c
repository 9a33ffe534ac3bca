/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: OpenSSL's object of a connection takes about 13 KiB, nearly all of it for handshakes. None of
 * that is needed any more once the handshake is done: two keys and two counters are the whole state (RFC 8446 7.3;
 * TLS 1.2 likewise where renegotiation is refused). So tls_park takes those, frees the object, and from there records
 * are opened and sealed here, with ciphers shared by all connections. TLS 1.2 with other ciphers than io/tls/record.h
 * knows keeps OpenSSL's object.
 *
 * What can still come in is handled: data; alerts; in TLS 1.3 KeyUpdate (4.6.3, answered when asked for), and tickets
 * from a server (4.6.1, passed over); in TLS 1.2 a wish to renegotiate, which is declined (RFC 5246 7.2.2). Anything
 * else is an unexpected message and ends the connection, and so do IDLE_MAX records in a row that bring no data: each
 * costs us more than the peer. Own keys of TLS 1.3 are renewed long before the limit of 5.5.
 *
 * A record that is not whole is kept in `rest`; a sealed record the socket did not take whole in `pending`, and its
 * bytes count as written only when all of it was sent, as OpenSSL does it: the caller offers them again. */
#include "io/tls/tls_in.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { NEW_TICKET = 4, KEY_UPDATE = 24, KEY_UPDATE_LEN = 5, MESSAGE_HEAD = 4, TICKET_MAX = 1 << 17, IDLE_MAX = 32 };
enum { WARNING = 1, FATAL = 2 };
#define RENEW_AFTER (UINT64_C(1) << 23)

void parked_free(struct tls_wire *w, struct parked *p) {
    if (!p) return;
    free(p->rest);
    free(p->pending); /* sealed */
    record_forget(w->crypt, p->suite, &p->in);
    record_forget(w->crypt, p->suite, &p->out);
    free(p);
}

/* send_sealed sends w->out; what the socket does not take is kept. `plain`: bytes of the caller in it. False: failed.
 */
static bool send_sealed(struct tls_wire *w, struct parked *p, size_t n, size_t plain) {
    ssize_t done = send(w->fd, w->out, n, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (done < 0) done = 0;
    if ((size_t)done == n) return true;
    p->pending = malloc(n - (size_t)done);
    if (!p->pending) return false;
    memcpy(p->pending, w->out + done, n - (size_t)done);
    p->pending_at = 0;
    p->pending_n = (uint32_t)(n - (size_t)done);
    p->pending_plain = (uint32_t)plain;
    return true;
}

/* flush sends what is pending: 1 done, 0 not yet, -1 failed. */
static int flush(struct tls_wire *w, struct parked *p) {
    if (!p->pending) return 1;
    ssize_t n = send(w->fd, p->pending + p->pending_at, p->pending_n - p->pending_at, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    p->pending_at += (uint32_t)n;
    if (p->pending_at < p->pending_n) return 0;
    free(p->pending);
    p->pending = NULL;
    return 1;
}

static bool seal_and_send(struct tls_wire *w, struct parked *p, enum record_type type, const void *b, size_t n,
                          size_t plain) {
    size_t len = record_seal(w->crypt, p->suite, &p->out, type, b, n, w->out);
    return len && send_sealed(w, p, len, plain);
}

static void alert(struct tls_wire *w, struct parked *p, uint8_t level, uint8_t what) {
    uint8_t body[2] = {level, what};
    if (!p->pending && !p->said_end) (void)seal_and_send(w, p, RECORD_ALERT, body, 2, 0);
    p->said_end = true;
}

static int give_up(struct tls_wire *w, struct parked *p, enum record_alert what) {
    alert(w, p, FATAL, (uint8_t)what);
    return TLS_FAILED;
}

/* renew changes the own keys and says so (4.6.3). Behind a record that waits for room it would come in the wrong place.
 */
static bool renew(struct tls_wire *w, struct parked *p) {
    p->asked = false;
    static const uint8_t update[KEY_UPDATE_LEN] = {KEY_UPDATE, 0, 0, 1, 0};
    return seal_and_send(w, p, RECORD_HANDSHAKE, update, sizeof update, 0) && record_next(w->crypt, p->suite, &p->out);
}

static int unexpected(struct tls_wire *w, struct parked *p) { return give_up(w, p, ALERT_UNEXPECTED); }

/* take_update handles a KeyUpdate, behind which nothing may stand in its record (5.1). */
static int take_update(struct tls_wire *w, struct parked *p, bool last) {
    if (p->head[4] > 1) return give_up(w, p, ALERT_ILLEGAL);
    if (!last) return unexpected(w, p);
    p->head_n = 0;
    /* One answer does for all that ask in one helping. */
    if (p->head[4] == 1) p->asked = true;
    if (!record_next(w->crypt, p->suite, &p->in)) return TLS_FAILED;
    return 0;
}

/* take_messages handles what may come behind the handshake of TLS 1.3. Messages may be divided among records. */
static int take_messages(struct tls_wire *w, struct parked *p, const uint8_t *b, size_t n) {
    while (n) {
        size_t part = p->skip < n ? p->skip : n;
        p->skip -= (uint32_t)part, b += part, n -= part;
        if (!n) break;
        p->head[p->head_n++] = *b++, n--;
        if (p->head_n < MESSAGE_HEAD) continue;
        uint32_t len = (uint32_t)(p->head[1] << 16 | p->head[2] << 8 | p->head[3]);
        bool ticket = p->head[0] == NEW_TICKET && p->client && len <= TICKET_MAX;
        if (ticket) p->skip = len, p->head_n = 0;
        else if (p->head[0] != KEY_UPDATE || len != 1) return unexpected(w, p);
        else if (p->head_n == KEY_UPDATE_LEN) return take_update(w, p, n == 0);
    }
    return 0;
}

static int take_handshake(struct tls_wire *w, struct parked *p, const uint8_t *b, size_t n) {
    if (!n || ++p->idle > IDLE_MAX) return unexpected(w, p);
    if (!record_is_12(p->suite)) return take_messages(w, p, b, n);
    static const uint8_t no[2] = {WARNING, ALERT_NO_RENEGOTIATION};
    bool sent = p->pending || p->said_end || seal_and_send(w, p, RECORD_ALERT, no, sizeof no, 0);
    return sent ? 0 : TLS_FAILED;
}

static int take_alert(struct tls_wire *w, struct parked *p, const uint8_t *b, size_t n) {
    if (n != 2) return unexpected(w, p);
    if (b[1] == ALERT_CLOSE_NOTIFY) return p->eof = true, 0;
    /* 6.1: close_notify follows. TLS 1.2 has warnings that change nothing. */
    bool harmless = b[1] == ALERT_USER_CANCELED || (record_is_12(p->suite) && b[0] == WARNING);
    if (harmless) return ++p->idle > IDLE_MAX ? unexpected(w, p) : 0;
    p->said_end = true; /* 6.2: whom an error ended sends nothing more */
    return TLS_FAILED;
}

/* take_record opens the record at r; bytes of data in `out`, or TLS_FAILED. */
static long take_record(struct tls_wire *w, struct parked *p, struct slice r, uint8_t *out) {
    int type = 0;
    long n = record_open(w->crypt, p->suite, &p->in, r, out, &type);
    if (n < 0) return give_up(w, p, (enum record_alert) - n);
    if (type == RECORD_HANDSHAKE) return take_handshake(w, p, out, (size_t)n);
    if (type == RECORD_ALERT) return take_alert(w, p, out, (size_t)n);
    /* 5.1: nothing comes between the parts of a message. */
    if (type != RECORD_DATA || p->head_n || p->skip) return unexpected(w, p);
    if (n) p->idle = 0;
    else if (++p->idle > IDLE_MAX) return unexpected(w, p);
    return n;
}

/* receive adds one helping of the socket behind what is there: the rest of a record, or what the handshake left. */
static void receive(struct tls_wire *w, struct parked *p) {
    size_t have = p->rest ? p->rest_n : w->n - w->at;
    if (p->rest) memcpy(w->in, p->rest, have);
    else if (have) memmove(w->in, w->in + w->at, have);
    free(p->rest);
    p->rest = NULL;
    size_t room = sizeof w->in - have < WIRE_IN ? sizeof w->in - have : WIRE_IN;
    ssize_t n = recv(w->fd, w->in + have, room, 0);
    w->drained = n < (ssize_t)room;
    w->eof = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    w->at = 0;
    w->n = have + (n > 0 ? (size_t)n : 0);
}

static int keep_rest(struct tls_wire *w, struct parked *p) {
    size_t n = w->n - w->at;
    if (n && !(p->rest = malloc(n))) return TLS_FAILED;
    if (n) memcpy(p->rest, w->in + w->at, n);
    p->rest_n = (uint32_t)n;
    w->at = w->n = 0;
    return 0;
}

/* take_records opens all that is whole and returns how many bytes of data were in it. A failure is told after these. */
static size_t take_records(struct tls_wire *w, struct parked *p, uint8_t *buf) {
    size_t total = 0;
    while (!p->eof && w->n - w->at >= RECORD_HEAD) {
        const uint8_t *r = w->in + w->at;
        size_t len = (size_t)(r[3] << 8 | r[4]);
        bool fits = len <= RECORD_CIPHER_MAX;
        if (fits && w->n - w->at < RECORD_HEAD + len) break;
        long got =
            fits ? take_record(w, p, slice_of(r, RECORD_HEAD + len), buf + total) : give_up(w, p, ALERT_OVERFLOW);
        p->failed = got < 0;
        if (p->failed) break;
        total += (size_t)got;
        w->at += RECORD_HEAD + len;
    }
    if (p->eof || p->failed) w->at = w->n = 0; /* nothing behind an end counts */
    return total;
}

void parked_start(struct tls_wire *w, struct parked *p) {
    if (keep_rest(w, p) < 0) p->failed = true;
}

ssize_t parked_read(struct tls_wire *w, struct parked *p, void *buf, size_t n) {
    (void)n; /* TLS_READ_MIN is more than `in` can hold */
    if (p->failed) return TLS_FAILED;
    if (p->eof) return TLS_EOF;
    receive(w, p);
    size_t total = take_records(w, p, buf);
    if (p->asked && !p->pending && !p->failed && !p->said_end && !renew(w, p)) p->failed = true;
    if (keep_rest(w, p) < 0) p->failed = true;
    /* The socket will not say again that there is something: the caller is to come back for the end. */
    if (total && (p->eof || p->failed)) w->drained = false;
    if (total) return (ssize_t)total;
    return p->failed ? TLS_FAILED : p->eof || w->eof ? TLS_EOF : TLS_AGAIN;
}

ssize_t parked_write(struct tls_wire *w, struct parked *p, const void *buf, size_t n) {
    size_t done = 0;
    if (p->said_end) return TLS_FAILED; /* 6.1, 6.2: nothing is sent behind an alert that ends it */
    while (done < n) {
        if (p->pending) {
            int r = flush(w, p);
            if (r < 0) return TLS_FAILED;
            if (r == 0) break;
            done += p->pending_plain;
            p->pending_plain = 0;
            continue;
        }
        bool due = p->asked || (p->out.seq >= RENEW_AFTER && !record_is_12(p->suite));
        if (due && !renew(w, p)) return TLS_FAILED;
        if (p->pending) continue;
        size_t part = n - done < p->most ? n - done : p->most;
        if (!seal_and_send(w, p, RECORD_DATA, (const char *)buf + done, part, part)) return TLS_FAILED;
        if (!p->pending) done += part;
    }
    return done ? (ssize_t)done : TLS_AGAIN;
}

void parked_end(struct tls_wire *w, struct parked *p) {
    if (flush(w, p) == 1) alert(w, p, WARNING, ALERT_CLOSE_NOTIFY);
}
