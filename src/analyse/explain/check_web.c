/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of HTTP and WebSocket. */
#include "analyse/explain/judge.h"
#include "proto/fields.h"

enum { SWITCHING = 101, PROXY_AUTH = 407 };

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

void check_http_error(struct judge *j) {
    const struct web_rec *w = j->c->web;
    if (!w || !mark_set(&w->failed) || (w->is_websocket && !mark_set(&w->upgraded))) return;
    struct finding *f = found(j);
    if (w->failed_code < 500 && w->failed_code != 401 && w->failed_code != 403 && w->failed_code != PROXY_AUTH)
        f->level = LEVEL_NOTE;
    if (w->failed_code == 401 || w->failed_code == 403) f->blame = BLAME_CLIENT;
    if (w->failed_code == 401) f->level = LEVEL_NOTE; /* often only asks for the credentials */
    say_status(j, f, w->failed_code, w->failed_phrase);
    say_text(j, f, w->failed_uri.n ? w->failed_uri : SLICE("?"));
    cite(f, &w->failed);
}

void check_http_no_answer(struct judge *j) {
    const struct conv *c = j->c;
    const struct web_rec *w = c->web;
    if (!w || w->requests != 1 || w->responses || !mark_set(&w->request) || c->half[CLIENT].stuck_times) return;
    if (c->half[SERVER].segments || c->lost || !c->half[SERVER].packets || !quiet_for(j, &w->request, 10)) return;
    struct finding *f = found(j);
    say_text(j, f, w->method);
    if (c->end[SERVER].port == 1883 || c->end[SERVER].port == 8883)
        f->next =
            N_("This is a port of MQTT brokers, which do not answer HTTP: use an MQTT client, or the port of the web "
               "server.");
    cite(f, &w->request);
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
