/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of brokers that end connections on their own: one at a time, or all at once. */
#include "analyse/explain/judge.h"

#include <stdlib.h>

enum { AT_ONCE_S = 2, AWAY_S = 30, MANY = 3 };

/* broker_ended returns when the broker closed a session that was up, before its client did and without DISCONNECT of
 * either side; a mark that is not set: it did not. */
static struct mark broker_ended(const struct conv *c) {
    static const struct mark never;
    const struct mqtt_rec *m = c->mqtt;
    const struct half *client = &c->half[CLIENT], *server = &c->half[SERVER];
    const struct mark *end = mark_set(&server->fin) ? &server->fin : &server->rst;
    bool up = m && !m->connack_code && (mark_set(&m->connack) || !mark_set(&m->connect));
    if (!up || !mark_set(end) || m->after || c->lost) return never;
    if (mark_set(&m->disconnect[CLIENT]) || mark_set(&m->disconnect[SERVER])) return never;
    if ((mark_set(&client->fin) && client->fin.frame < end->frame) ||
        (mark_set(&client->rst) && client->rst.frame < end->frame))
        return never;
    return *end;
}

/* blamed tells whether another check says why the broker closed. */
static bool blamed(const struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    return closed_on(j->c) || keep_alive_over(j->c) || conv_path_broken(j) || connect_left_out(j->c) ||
           mark_set(&m->too_large) || mark_set(&m->ack_refused) ||
           (mark_set(&m->violation) && m->violation_side == CLIENT);
}

/* A reset is another matter, tcp.reset. */
void check_dropped(struct judge *j) {
    struct mark end = broker_ended(j->c);
    if (!mark_set(&end) || end.frame != j->c->half[SERVER].fin.frame || blamed(j)) return;
    struct finding *f = found(j);
    say_time(j, f, end.ts - j->c->mqtt->last_client.ts);
    cite(f, &end);
    cite(f, &j->c->mqtt->last_client);
}

/* ---- all at once ---- */

struct ending {
    const struct conv *c;
    struct mark at;
};

static int compare_ending(const void *a, const void *b) {
    const struct ending *x = a, *y = b;
    int order = memcmp(&x->c->end[SERVER].addr, &y->c->end[SERVER].addr, sizeof x->c->end[SERVER].addr);
    if (!order) order = x->c->end[SERVER].port - y->c->end[SERVER].port;
    if (!order) order = (x->at.ts > y->at.ts) - (x->at.ts < y->at.ts);
    return order ? order : (x->at.frame > y->at.frame) - (x->at.frame < y->at.frame);
}

/* together returns how many endings from list[i] on belong to it: the same broker, within AT_ONCE_S. */
static size_t together(const struct ending *list, size_t n, size_t i) {
    size_t k = i + 1;
    while (k < n && endpoint_same(&list[k].c->end[SERVER], &list[i].c->end[SERVER]) &&
           list[k].at.ts - list[i].at.ts <= AT_ONCE_S * SECOND)
        k++;
    return k - i;
}

/* comeback counts who tried in vain to connect to a broker after a time, until somebody did; *back is when. */
static uint64_t comeback(const struct explain *e, const struct endpoint *broker, int64_t since, struct mark *back) {
    uint64_t vain = 0;
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = e->conv[i];
        if (!c || !endpoint_same(&c->end[SERVER], broker) || c->first.ts < since) continue;
        vain += !conv_handshaken(c);
        const struct mark *up = &c->established;
        if (mark_set(up) && (!mark_set(back) || up->ts < back->ts)) *back = *up;
    }
    return vain;
}

static bool refused(const struct conv *c) { return !conv_handshaken(c) && mark_set(&c->half[SERVER].rst); }

/* ended_before returns the place of a broker's last ending before it refused a connection, within AWAY_S; n: there is
 * none. */
static size_t ended_before(const struct ending *list, size_t n, const struct conv *c) {
    struct ending key = {c, c->first};
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_ending(&list[mid], &key) < 0) low = mid + 1;
        else high = mid;
    }
    const struct ending *last = list + low - 1;
    bool is =
        low && endpoint_same(&last->c->end[SERVER], &c->end[SERVER]) && c->first.ts - last->at.ts < AWAY_S * SECOND;
    return is ? low - 1 : n;
}

/* turned_away finds endings, fewer than MANY, behind which a broker's port was closed; returns how many. */
static size_t turned_away(const struct explain *e, const struct ending *list, size_t n, size_t *first) {
    for (size_t i = 0; i < CONVS_MAX; i++) {
        size_t last = e->conv[i] && refused(e->conv[i]) ? ended_before(list, n, e->conv[i]) : n;
        if (last == n) continue;
        for (*first = last; *first && together(list, n, *first - 1) > last - *first + 1;) --*first;
        return last - *first + 1;
    }
    return 0;
}

/* consequences_lower makes warnings of what is said of single connections of a broker that was gone. */
static void consequences_lower(struct explain *e, const struct endpoint *broker, const struct mark *from) {
    for (uint32_t i = 0; i < e->findings; i++) {
        struct finding *f = &e->finding[i];
        const struct conv *c = f->stream >= 0 ? explain_conv(e, (uint32_t)f->stream) : NULL;
        const char *id = explain_checks[f->check].id;
        bool follows = !strcmp(id, "tcp.refused") || !strcmp(id, "mqtt.dropped") || !strcmp(id, "tcp.no-answer") ||
                       !strcmp(id, "mqtt.closed-on-packet");
        if (c && follows && f->level == LEVEL_ERROR && f->ts >= from->ts && endpoint_same(&c->end[SERVER], broker))
            f->level = LEVEL_WARNING;
    }
}

/* gone_text: arguments 5 and 6 are the attempts in vain and the time until it was back. */
static const char *gone_text(bool many, bool vain, bool back) {
    if (!many)
        return back ? N_("The broker %1$s ended its connections (%2$s, the first in frame %4$s) without DISCONNECT and "
                         "then refused new ones: it stopped, crashed or was restarted. Attempts to connect again that "
                         "failed: %5$s; it took connections again after %6$s.")
                    : N_("The broker %1$s ended its connections (%2$s, the first in frame %4$s) without DISCONNECT and "
                         "then refused new ones: it stopped or crashed. Attempts to connect again that failed: %5$s; "
                         "it did not come back within the capture.");
    if (!vain)
        return N_("The broker %1$s ended %2$s connections within %3$s, the first in frame %4$s, and none with "
                  "DISCONNECT: it stopped, crashed or was restarted.");
    return back
               ? N_("The broker %1$s ended %2$s connections within %3$s, the first in frame %4$s, and none with "
                    "DISCONNECT: it stopped, crashed or was restarted. Attempts to connect again that failed: %5$s; it "
                    "took connections again after %6$s.")
               : N_("The broker %1$s ended %2$s connections within %3$s, the first in frame %4$s, and none with "
                    "DISCONNECT: it stopped or crashed. Attempts to connect again that failed: %5$s; it did not come "
                    "back within the capture.");
}

static void gone_found(struct judge *j, const struct ending *list, size_t n) {
    const struct endpoint *broker = &list->c->end[SERVER];
    struct mark back = {0};
    uint64_t vain = comeback(j->e, broker, list->at.ts, &back);
    consequences_lower(j->e, broker, &list->at);
    struct finding *f = found(j);
    f->stream = list->c->stream;
    say_endpoint(j, f, broker);
    say_number(j, f, n);
    say_time(j, f, list[n - 1].at.ts - list->at.ts);
    say_number(j, f, list->at.frame);
    say_number(j, f, vain);
    if (mark_set(&back)) say_time(j, f, back.ts - list->at.ts);
    f->text = gone_text(n >= MANY, vain > 0, mark_set(&back));
    for (size_t i = 0; i < n && i < 4; i++) cite(f, &list[i].at);
    cite(f, &back);
}

void check_broker_gone(struct judge *j) {
    struct ending *list = malloc(CONVS_MAX * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < CONVS_MAX; i++) {
        const struct conv *c = j->e->conv[i];
        struct mark end = c ? broker_ended(c) : (struct mark){0};
        if (mark_set(&end) && explain_chosen(j->e, c)) list[n++] = (struct ending){c, end};
    }
    if (n) qsort(list, n, sizeof *list, compare_ending);
    size_t best = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = together(list, n, i);
        if (k >= MANY && k > most) best = i, most = k;
        if (k >= MANY) i += k - 1; /* so that no pair is looked at twice */
    }
    if (!most) most = turned_away(j->e, list, n, &best);
    if (most) gone_found(j, list + best, most);
    free(list);
}
