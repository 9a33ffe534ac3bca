/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of HTTP and WebSocket. */
#include "analyse/explain/judge.h"
#include "proto/fields.h"

static bool has_mqtt(struct slice list) {
    for (size_t i = 0; i + 4 <= list.n; i++)
        if (strncasecmp((const char *)list.p + i, "mqtt", 4) == 0) return true;
    return false;
}

static void say_status(struct judge *j, struct finding *f, uint16_t code, struct slice phrase) {
    char text[128];
    struct writer w = wr_fixed(text, sizeof text);
    wr_u(&w, code);
    if (phrase.n) wr_c(&w, ' ');
    wr_slice(&w, slice_head(phrase, 80));
    say_text(j, f, wr_done(&w));
}

/* gives tells whether the last request brought data, so that an answer other than success means that it is lost; or
 * asked a proxy for a way. */
static bool gives(const struct web_rec *w) {
    return w->connect || slice_eq(w->method, SLICE("POST")) || slice_eq(w->method, SLICE("PUT")) ||
           slice_eq(w->method, SLICE("PATCH"));
}

static const char *error_next(uint16_t code) {
    switch (code) {
    case 400:
        return N_("The server could not read the request: compare its header and body with what the server's "
                  "documentation asks for.");
    case 401:
        return N_("Give the client valid credentials for this server (user and password, token or key), and check "
                  "that it sends them.");
    case 403:
        return N_("The server knows the client and does not let it do this: check its rights and what it asks for.");
    case 404: return N_("There is nothing at `%4$s`: check the path the client is configured with.");
    case 407: return N_("Give the client the user and password of the proxy, or a way that does not go through it.");
    case 413: return N_("Send less at a time, or raise the limit of the server (nginx: `client_max_body_size`).");
    case 429: return N_("The client asks too often: let it send less often, and wait as long as `Retry-After` says.");
    default: return NULL;
    }
}

void check_http_error(struct judge *j) {
    const struct web_rec *w = j->c->web;
    if (!w || !mark_set(&w->failed) || (j->c->websocket && !mark_set(&w->upgraded))) return;
    struct finding *f = found(j);
    bool last = w->response.frame == w->failed.frame && w->requests == w->responses;
    if (w->failed_code < 500 && w->failed_code != 403 && !(last && gives(w))) f->level = LEVEL_NOTE;
    if (w->failed_code < 500) f->blame = BLAME_CLIENT;
    say_status(j, f, w->failed_code, w->failed_phrase);
    say_text(j, f, w->failed_uri.n ? w->failed_uri : SLICE("?"));
    const char *next = error_next(w->failed_code);
    if (next) f->next = next;
    if (w->connect && last && !j->c->websocket) {
        f->level = LEVEL_ERROR;
        f->text = N_("The proxy %2$s did not let %1$s through to %4$s: it answered CONNECT with %3$s.");
    }
    cite(f, &w->failed_request);
    cite(f, &w->failed);
}

enum { FOLLOW_CONVS = 64, FOLLOW_S = 5 };

/* followed tells whether the client opened another connection after the answer that sent it elsewhere. */
static bool followed(const struct explain *e, const struct conv *c) {
    for (uint32_t i = 1; i <= FOLLOW_CONVS; i++) {
        const struct conv *o = explain_conv(e, c->stream + i);
        if (o && addr_same(&o->end[CLIENT].addr, &c->end[CLIENT].addr) && o->first.frame > c->web->response.frame)
            return true;
    }
    return false;
}

void check_http_redirect(struct judge *j) {
    const struct web_rec *w = j->c->web;
    if (!w || !w->location.n || w->requests != w->responses || j->c->websocket) return;
    if ((j->now - w->response.ts < FOLLOW_S * SECOND && !j->final) || followed(j->e, j->c)) return;
    struct finding *f = found(j);
    if (!gives(w)) f->level = LEVEL_NOTE; /* who only asks may have stopped there on purpose */
    say_status(j, f, w->code, w->phrase);
    say_text(j, f, w->location);
    say_text(j, f, w->method);
    say_text(j, f, w->uri);
    cite(f, &w->request);
    cite(f, &w->response);
}

/* too_late tells whether the last request came when the server had closed already. */
static bool too_late(const struct conv *c) {
    const struct mark *end = &c->half[SERVER].fin;
    return mark_set(end) && c->web->request.frame > end->frame && c->web->response.frame < end->frame && !c->lost;
}

/* silent tells whether nothing of the server came behind the request. An alert has its own check. */
static bool silent(const struct conv *c) {
    if (conv_alert(c, SERVER) >= 0) return false;
    const struct mark *spoke = c->tls ? &c->tls->spoke[SERVER] : &c->half[SERVER].last_data;
    return c->half[SERVER].packets && spoke->frame < c->web->request.frame;
}

void check_http_no_answer(struct judge *j) {
    const struct conv *c = j->c;
    const struct web_rec *w = c->web;
    if (w && mark_set(&w->request) && too_late(c)) {
        struct finding *f = found(j);
        f->blame = BLAME_CLIENT;
        f->text = N_("%1$s sent %3$s %4$s after %2$s had closed the connection: the request was not read.");
        f->next =
            N_("Let the client notice that the connection has ended, send the request again on a new one, and keep a "
               "connection idle for less time than the server does.");
        say_text(j, f, w->method);
        say_text(j, f, w->uri);
        cite(f, &c->half[SERVER].fin);
        cite(f, &w->request);
        return;
    }
    if (!w || w->requests != 1 || w->responses || !mark_set(&w->request) || c->half[CLIENT].stuck_times) return;
    if (!silent(c) || c->lost || !quiet_for(j, &w->request, 10)) return;
    struct finding *f = found(j);
    say_text(j, f, w->method);
    if (c->end[SERVER].port == 1883 || c->end[SERVER].port == 8883)
        f->next =
            N_("This is a port of MQTT brokers, which do not answer HTTP: use an MQTT client, or the port of the web "
               "server.");
    cite(f, &w->request);
}

/* Of a longer body in chunks the last one may have come: it is not read as a whole. */
enum { CHUNKS_MOST = 1 << 20 };

/* part_came returns the bytes that came of a side's message; *whole tells whether that is all, as far as is known. */
static uint64_t part_came(const struct conv *c, int side, bool *whole) {
    const struct web_part *part = &c->web->part[side];
    const struct half *me = &c->half[side], *peer = &c->half[!side];
    uint64_t due = part->body ? part->head + part->body : CHUNKS_MOST;
    uint64_t came = part->inside ? part->came : me->bytes - part->before;
    uint32_t taken = peer->acked - part->seq; /* what was sent again in other portions is not in `came` */
    *whole = came >= due || (part->body && !part->inside && peer->has_ack && !(taken >> 31) && taken >= due);
    return came;
}

/* part_open tells whether a side's message is not whole, and all of the side's bytes could be read. */
static bool part_open(const struct conv *c, int side) {
    if (!c->web || !mark_set(&c->web->part[side].at) || c->lost || c->half[side].stuck_times) return false;
    if (conv_alert(c, side) >= 0) return false; /* which has its own check */
    return !c->web->part[side].inside || !c->tls || !c->tls->shut.n;
}

void check_http_part(struct judge *j) {
    const struct conv *c = j->c;
    if (!part_open(c, CLIENT)) return;
    const struct web_rec *w = c->web;
    const struct web_part *part = &w->part[CLIENT];
    const struct half *client = &c->half[CLIENT], *server = &c->half[SERVER];
    bool whole;
    uint64_t came = part_came(c, CLIENT, &whole);
    if (whole || !quiet_for(j, &client->last_data, 10)) return;
    bool left = mark_set(&client->fin) || mark_set(&client->rst);
    uint64_t gave_up = mark_set(&client->fin) ? client->fin.frame : client->rst.frame;
    uint64_t ended = w->response.frame > part->at.frame ? w->response.frame
                     : mark_set(&server->fin)           ? server->fin.frame
                                                        : server->rst.frame;
    if (ended && (!left || ended < gave_up)) return; /* the server had enough */
    struct finding *f = found(j);
    say_text(j, f, part->text);
    if (part->body) {
        say_number(j, f, part->head + part->body);
        say_number(j, f, came);
    } else {
        f->text =
            N_("%1$s began a request to %2$s, `%3$s`, and never sent the last chunk of its body: the server waited "
               "for it.");
    }
    cite(f, &part->at);
    cite(f, &client->last_data);
}

enum { ANSWER_WAIT_S = 10, PATIENCE_S = 5 };

/* leaves returns when a side ended the connection, or the TLS session with what it said inside it. */
static const struct mark *leaves(const struct conv *c, int side, bool inside) {
    const struct half *me = &c->half[side];
    if (inside && c->tls && mark_set(&c->tls->alert[side])) return &c->tls->alert[side];
    return mark_set(&me->fin) ? &me->fin : &me->rst;
}

/* answer_end says in words how the server ended an answer that is not whole; NULL: the client had enough of it, or the
 * server does not owe the rest yet, as far as it can be seen. */
static const char *answer_end(const struct conv *c, const struct mark **end) {
    const struct web_part *part = &c->web->part[SERVER];
    const struct mark *left = leaves(c, CLIENT, part->inside);
    *end = leaves(c, SERVER, part->inside);
    if (mark_set(*end) && (!mark_set(left) || (*end)->frame < left->frame))
        return *end == &c->half[SERVER].rst ? N_("it reset the connection") : N_("it closed the connection");
    *end = mark_set(left) ? left : &c->last;
    /* One in chunks may wait as long as it likes for what it has to tell. */
    bool owes = part->body && !seq_lt(c->half[CLIENT].acked, part->end);
    if (!owes || (mark_set(left) && left->ts - c->half[SERVER].last_data.ts < PATIENCE_S * SECOND)) return NULL;
    return N_("then nothing more came");
}

void check_http_answer_part(struct judge *j) {
    const struct conv *c = j->c;
    if (!part_open(c, SERVER) || c->unseen || c->half[CLIENT].zero_open) return;
    const struct web_part *part = &c->web->part[SERVER];
    const struct mark *end, *last = &c->half[SERVER].last_data;
    bool whole;
    uint64_t came = part_came(c, SERVER, &whole);
    const char *how = whole ? NULL : answer_end(c, &end);
    if (!how || !quiet_for(j, last, ANSWER_WAIT_S)) return;
    struct finding *f = found(j);
    say_status(j, f, part->code, part->text);
    say_text(j, f, part->uri.n ? part->uri : SLICE("?"));
    if (part->body) {
        say_number(j, f, part->body);
        say_number(j, f, came > part->head ? came - part->head : 0);
    } else {
        f->text = N_("%2$s answered %4$s with %3$s and never sent the last chunk of the body to %1$s: %5$s.");
    }
    say_words(f, how);
    cite(f, &c->web->request);
    cite(f, &part->at);
    cite(f, last);
    cite(f, end);
}

void check_ws_refused(struct judge *j) {
    const struct web_rec *w = j->c->web;
    if (!w || !mark_set(&w->upgrade) || mark_set(&w->upgraded) || !w->code) return;
    struct finding *f = found(j);
    say_status(j, f, w->code, w->phrase);
    say_text(j, f, w->uri);
    if (w->code == 404 || w->code == 405)
        f->next =
            N_("There is nothing at `%4$s`: brokers usually offer WebSocket at `/mqtt` or `/`; check path and port.");
    else if (w->code < 400 || w->code == 400 || w->code == 426)
        f->next =
            N_("The request reached a server that sees no upgrade in it: a proxy must pass `Upgrade` and "
               "`Connection` on (nginx: `proxy_http_version 1.1` and both headers), or the port is that of a plain "
               "web server.");
    else if (w->code == 401 || w->code == 403)
        f->next = N_("Check the credentials, the token and the `Origin` the client sends.");
    else if (w->code >= 500)
        f->next = N_("The proxy answers, the broker behind it does not: look at the proxy's log and whether the broker "
                     "runs.");
    cite(f, &w->upgrade);
    cite(f, &w->response);
}

/* Only where MQTT is meant: the client asked for it, or the bytes are MQTT's. */
void check_ws_subprotocol(struct judge *j) {
    const struct conv *c = j->c;
    const struct web_rec *w = c->web;
    if (!w || !mark_set(&w->upgraded)) return;
    bool meant = has_mqtt(w->asked) || c->mqtt || c->end[SERVER].port == 9001 || has_mqtt(w->uri);
    bool asked = has_mqtt(w->asked), granted = has_mqtt(w->granted);
    if (!meant || (asked && granted)) return;
    struct finding *f = found(j);
    f->blame = asked ? BLAME_SERVER : BLAME_CLIENT;
    if (c->mqtt && mark_set(&c->mqtt->connack)) f->level = LEVEL_WARNING; /* they got along all the same */
    say_words(f, asked ? N_("server") : N_("client"));
    cite(f, &w->upgrade);
    cite(f, &w->upgraded);
}

void check_proxy(struct judge *j) {
    const struct web_rec *w = j->c->web;
    if (!w || !mark_set(&w->proxy)) return;
    struct finding *f = found(j);
    if (w->connect) say_words(f, N_("the client asked it with CONNECT"));
    else if (w->forwarded.n) say_words(f, N_("the request carries X-Forwarded-For"));
    else say_words(f, N_("the messages carry Via"));
    cite(f, &w->proxy);
}

void check_http_stray(struct judge *j) {
    const struct conv *c = j->c;
    if (!c->stray.n) return;
    struct finding *f = found(j);
    say_text(j, f, c->first_bytes[CLIENT] == PAYLOAD_TLS ? SLICE("TLS") : SLICE("MQTT"));
    say_text(j, f, c->stray);
    cite(f, &c->half[CLIENT].first_data);
    cite(f, &c->half[SERVER].first_data);
}
