/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of MQTT sessions; clauses are those of MQTT 5.0. */
#include "analyse/explain/judge.h"
#include "proto/mqtt/mqtt.h"
#include "proto/protos.h"

enum { CONNACK_WAIT_S = 5, PING_WAIT_S = 10, ACK_WAIT_S = 5, KICK_MS = 2000, AT_ONCE_MS = 500, TAKEOVERS = 3 };

static const char *side_words(int side) { return side == CLIENT ? N_("client") : N_("server"); }

bool conv_is_broker(const struct conv *c) { return c->mqtt || c->end[SERVER].port == 1883; }

/* begun_told says of a client that sent something other than a CONNECT what it was. */
static void begun_told(struct judge *j, struct finding *f) {
    const struct conv *c = j->c;
    const struct half *client = &c->half[CLIENT];
    cite(f, &client->first_data);
    cite(f, &client->last_data);
    if (c->mqtt) {
        f->level = LEVEL_ERROR;
        f->text = N_("%1$s sent packets of MQTT to the broker %2$s without a CONNECT before them [MQTT-3.1.0-1].");
        f->next = N_("Look at the client: its first packet on every new connection must be CONNECT. One that goes on "
                     "where an earlier connection ended does not notice that it has a new one.");
        return;
    }
    say_number(j, f, client->bytes);
    if (c->connect_due) {
        say_number(j, f, c->connect_due);
        f->text = N_("%1$s began a CONNECT of %4$s bytes to the broker %2$s and sent only %3$s of them.");
        f->next = N_(
            "Look at the client: it stops while it sends, or writes a wrong length in front of its CONNECT. A broker "
            "waits for the rest, and closes when it has waited too long.");
        return;
    }
    f->text = N_("%1$s opened a connection to the broker %2$s, and what it sent is not a whole CONNECT (bytes: %3$s).");
    f->next =
        N_("Check which program this is and which port it is meant for: a broker closes a connection that does not "
           "begin with CONNECT.");
}

bool connect_left_out(const struct conv *c) {
    const struct mqtt_rec *m = c->mqtt;
    return m && mark_set(&c->established) && !mark_set(&m->connect) && !mark_set(&m->violation) && !c->lost &&
           c->first_bytes[CLIENT] == PAYLOAD_MQTT && !c->half[SERVER].segments;
}

void check_no_connect(struct judge *j) {
    const struct conv *c = j->c;
    const struct half *client = &c->half[CLIENT];
    bool sent = mark_set(&client->first_data);
    bool broker = c->end[SERVER].port == 1883 || c->connect_due;
    if (c->mqtt ? !connect_left_out(c) : !broker || !mark_set(&c->established)) return;
    if (c->tls || c->web || c->lost || c->unseen || client->stuck_times || c->first_bytes[CLIENT] == PAYLOAD_PROXY)
        return;
    if (sent ? c->cut : mark_set(&client->rst)) return;
    if (!quiet_for(j, sent ? &client->last_data : &c->established, 5)) return;
    if (c->connect_due && client->bytes >= c->connect_due) return; /* it came, and could not be read */
    struct finding *f = found(j);
    cite(f, &c->established);
    if (sent) begun_told(j, f);
}

void check_no_connack(struct judge *j) {
    const struct conv *c = j->c;
    const struct mqtt_rec *m = c->mqtt;
    if (!m || !mark_set(&m->connect) || mark_set(&m->connack) || m->publishes[SERVER] ||
        mark_set(&m->disconnect[SERVER]))
        return;
    if (!quiet_for(j, &m->connect, CONNACK_WAIT_S) || c->half[CLIENT].stuck_times ||
        (c->first_bytes[CLIENT] == PAYLOAD_MQTT && c->first_bytes[SERVER] == PAYLOAD_TLS))
        return;
    if (c->end[SERVER].port == 8883 && !c->tls) return; /* tls.mqtt-in-clear */
    if (c->lost || c->stray.n || c->first_bytes[CLIENT] == PAYLOAD_PROXY || closed_on_violation(c)) return;
    if (conv_alert(c, SERVER) >= 0) return; /* which has its own check */
    struct finding *f = found(j);
    if (c->greeting.n) {
        f->text = N_("%1$s sent CONNECT to %2$s, where no broker is: it says “%3$s”.");
        f->next =
            N_("Another service listens there: check the port the client uses, and what is published or forwarded "
               "under it (brokers usually listen at 1883, with TLS at 8883).");
        say_text(j, f, c->greeting);
        cite(f, &m->connect);
        cite(f, &c->half[SERVER].first_data);
        return;
    }
    if (!mark_set(&c->half[SERVER].rst) && !mark_set(&c->half[SERVER].fin))
        f->next =
            N_("Whatever listens there takes connections and says nothing: check on that machine which program it is "
               "(`ss -ltnp`), whether it is a broker at all, and whether it hangs.");
    if (mark_set(&c->half[SERVER].rst)) say_words(f, N_("it reset the connection"));
    else if (mark_set(&c->half[SERVER].fin)) say_words(f, N_("it closed the connection"));
    else say_words(f, N_("it stayed silent"));
    cite(f, &m->connect);
    cite(f, mark_set(&c->half[SERVER].rst)   ? &c->half[SERVER].rst
            : mark_set(&c->half[SERVER].fin) ? &c->half[SERVER].fin
                                             : &c->last);
}

/* reason_words returns a code in words: of CONNACK in 3.1.1 (3.2.2.3), or a reason code of 5.0 (2.4). */
static const char *return_words(uint8_t code) {
    switch (code) {
    case 1: return N_("unacceptable protocol version");
    case 2: return N_("client identifier rejected");
    case 3: return N_("server unavailable");
    case 4: return N_("bad user name or password");
    case 5: return N_("not authorized");
    default: return NULL;
    }
}

static const char *reason_words(uint8_t code) {
    switch (code) {
    case 0x10: return N_("no matching subscribers");
    case 0x80: return N_("unspecified error");
    case 0x81: return N_("malformed packet");
    case 0x82: return N_("protocol error");
    case 0x83: return N_("implementation specific error");
    case 0x84: return N_("unsupported protocol version");
    case 0x85: return N_("client identifier not valid");
    case 0x86: return N_("bad user name or password");
    case 0x87: return N_("not authorized");
    case 0x88: return N_("server unavailable");
    case 0x89: return N_("server busy");
    case 0x8a: return N_("banned");
    case 0x8b: return N_("server shutting down");
    case 0x8c: return N_("bad authentication method");
    case 0x8d: return N_("keep-alive time-out");
    case 0x8e: return N_("session taken over");
    case 0x8f: return N_("topic filter invalid");
    case 0x90: return N_("topic name invalid");
    case 0x91: return N_("packet identifier in use");
    case 0x93: return N_("receive maximum exceeded");
    case 0x94: return N_("topic alias invalid");
    case 0x95: return N_("packet too large");
    case 0x96: return N_("message rate too high");
    case 0x97: return N_("quota exceeded");
    case 0x98: return N_("administrative action");
    case 0x99: return N_("payload format invalid");
    case 0x9a: return N_("retain not supported");
    case 0x9b: return N_("QoS not supported");
    case 0x9c: return N_("use another server");
    case 0x9d: return N_("server moved");
    case 0x9e: return N_("shared subscriptions not supported");
    case 0x9f: return N_("connection rate exceeded");
    case 0xa0: return N_("maximum connect time");
    case 0xa1: return N_("subscription identifiers not supported");
    case 0xa2: return N_("wildcard subscriptions not supported");
    default: return N_("unknown reason");
    }
}

void check_mqtt_refused(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->connack) || !m->connack_code) return;
    const char *words = m->connack_code >= 0x80 ? NULL : return_words(m->connack_code);
    struct finding *f = found(j);
    say_number(j, f, m->connack_code);
    say_words(f, words ? words : reason_words(m->connack_code));
    bool login =
        words ? m->connack_code == 4 || m->connack_code == 5 : m->connack_code == 0x86 || m->connack_code == 0x87;
    if (login && !m->user)
        f->next = N_("The client sent no user name: configure user name and password (mosquitto: `-u`, `-P`), or allow "
                     "anonymous clients at the broker.");
    if ((words && m->connack_code == 1) || m->connack_code == 0x84)
        f->next = N_("Set the client to a protocol version the broker speaks (3.1.1 or 5).");
    if ((words && m->connack_code == 2) || m->connack_code == 0x85)
        f->next =
            N_("Change the client id: it is empty, too long, or not one the broker takes from this device (AWS IoT "
               "Core: its policy names those allowed).");
    if ((words && m->connack_code == 3) || m->connack_code == 0x88 || m->connack_code == 0x89) {
        f->blame = BLAME_SERVER;
        f->next = N_("The broker is not able to serve now: look at its log, and let the client try again later.");
    }
    cite(f, &m->connect);
    cite(f, &m->connack);
}

void check_id_twice(struct judge *j) {
    struct conv *c = j->c;
    const struct mqtt_rec *m = c->mqtt;
    if (!m || !m->after || !m->client.n) return;
    const struct mark *end = mark_set(&m->disconnect[SERVER]) ? &m->disconnect[SERVER]
                             : mark_set(&c->half[SERVER].fin) ? &c->half[SERVER].fin
                                                              : &c->half[SERVER].rst;
    const struct conv *by = explain_conv(j->e, m->after - 1);
    if (!mark_set(end) || !by || end->ts - m->taken_over.ts > KICK_MS * MILLI || end->ts < m->taken_over.ts) return;
    if (mark_set(&c->half[CLIENT].fin) && c->half[CLIENT].fin.frame < end->frame) return;
    struct finding *f = found(j);
    /* The same device that lost its connection and came again is the ordinary case of a mobile link. */
    bool same = addr_same(&by->end[CLIENT].addr, &c->end[CLIENT].addr) &&
                m->taken_over.ts - c->half[CLIENT].last.ts > 30 * SECOND;
    if (same) f->level = LEVEL_WARNING;
    say_text(j, f, m->client);
    say_endpoint(j, f, &by->end[CLIENT]);
    const struct client_rec *k = client_of(j->e, c);
    if (k && k->takeovers >= TAKEOVERS) {
        f->text = N_("Two programs use the client id “%3$s” and throw each other out, %5$s times in this capture: when "
                     "%4$s connected with it, the broker %2$s closed the connection of %1$s.");
        say_number(j, f, k->takeovers);
    }
    cite(f, &m->connect);
    cite(f, &m->taken_over);
    cite(f, end);
}

void check_ping(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !m->pinging || j->c->lost || connect_left_out(j->c)) return;
    int64_t waited = j->now - m->ping.ts;
    bool closed = conv_closed(j->c);
    if (waited < PING_WAIT_S * SECOND && !(closed && waited > 2 * SECOND)) return;
    if (closed && j->c->half[CLIENT].fin.frame && j->c->half[CLIENT].fin.ts - m->ping.ts < SECOND)
        return; /* it did not wait */
    struct finding *f = found(j);
    say_time(j, f, closed ? j->c->last.ts - m->ping.ts : waited);
    cite(f, &m->ping);
    cite(f, &j->c->last);
}

static const struct mark *server_left(const struct conv *c) {
    const struct half *server = &c->half[SERVER];
    if (mark_set(&c->mqtt->disconnect[SERVER])) return &c->mqtt->disconnect[SERVER];
    return mark_set(&server->fin) ? &server->fin : &server->rst;
}

static bool keep_alive_said(const struct mqtt_rec *m) {
    return m->has_disconnect_code[SERVER] && m->disconnect_code[SERVER] == 0x8d;
}

bool keep_alive_over(const struct conv *c) {
    const struct mqtt_rec *m = c->mqtt;
    if (!m || !m->keep_alive || !mark_set(&m->connack) || mark_set(&m->disconnect[CLIENT]) || m->after) return false;
    const struct mark *end = server_left(c);
    if (!mark_set(end) || (mark_set(&c->half[CLIENT].fin) && c->half[CLIENT].fin.frame < end->frame)) return false;
    double silent = (double)(end->ts - m->last_client.ts) / 1e9, limit = 1.5 * m->keep_alive;
    return keep_alive_said(m) || (silent >= limit - 0.6 && silent <= limit + 10 + limit / 2);
}

void check_keep_alive(struct judge *j) {
    const struct conv *c = j->c;
    const struct mqtt_rec *m = c->mqtt;
    if (!keep_alive_over(c)) return;
    const struct mark *end = server_left(c);
    bool said = keep_alive_said(m);
    struct finding *f = found(j);
    say_time(j, f, end->ts - m->last_client.ts);
    say_number(j, f, m->keep_alive);
    if (!said) f->confidence = LIKELY;
    cite(f, &m->connect);
    cite(f, &m->last_client);
    cite(f, end);
}

static void say_topic(struct judge *j, struct finding *f, const struct flight *fl) {
    if (fl->topic) say_text(j, f, j->e->topic[fl->topic - 1].topic);
    else say_words(f, N_("unknown"));
}

/* flight_old returns an unfinished delivery of a QoS that waited long enough, and who sent it. */
static const struct flight *flight_old(const struct judge *j, uint8_t qos, int *side) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || j->c->lost) return NULL;
    for (*side = 0; *side < 2; ++*side)
        for (int i = 0; i < m->flights[*side]; i++) {
            const struct flight *f = &m->flight[*side][i];
            if (f->state && f->qos == qos && quiet_for(j, &f->step, ACK_WAIT_S)) return f;
        }
    return NULL;
}

void check_qos1(struct judge *j) {
    int side;
    const struct flight *fl = flight_old(j, 1, &side);
    if (!fl || j->c->half[side].stuck_times || closed_on(j->c)) return;
    struct finding *f = found(j);
    /* A client that left on its own right after publishing did not wait for the answer. */
    if (mark_set(&j->c->mqtt->disconnect[CLIENT]) || side == SERVER) f->level = LEVEL_WARNING;
    f->blame = side == CLIENT ? BLAME_SERVER : BLAME_CLIENT;
    say_number(j, f, fl->id);
    say_topic(j, f, fl);
    say_words(f, side_words(side));
    cite(f, &fl->at);
    cite(f, &j->c->last);
}

void check_qos2(struct judge *j) {
    int side;
    const struct flight *fl = flight_old(j, 2, &side);
    if (!fl || j->c->half[side].stuck_times || closed_on(j->c)) return;
    struct finding *f = found(j);
    if (mark_set(&j->c->mqtt->disconnect[CLIENT]) || side == SERVER) f->level = LEVEL_WARNING;
    static const char *const missing[] = {
        [FLIGHT_NONE] = "", [FLIGHT_PUBLISH] = "PUBREC", [FLIGHT_PUBREC] = "PUBREL", [FLIGHT_PUBREL] = "PUBCOMP"};
    bool receiver = fl->state != FLIGHT_PUBREC; /* PUBREL is the sender's to send */
    f->blame = receiver == (side == CLIENT) ? BLAME_SERVER : BLAME_CLIENT;
    say_number(j, f, fl->id);
    say_topic(j, f, fl);
    say_words(f, side_words(side));
    say_text(j, f, slice_str(missing[fl->state]));
    cite(f, &fl->at);
    cite(f, &fl->step);
}

void check_id_reuse(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->id_reused) || j->c->lost) return;
    struct finding *f = found(j);
    say_number(j, f, m->reused_id);
    cite(f, &m->id_reused);
}

void check_suback(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->suback_failed)) return;
    struct finding *f = found(j);
    say_text(j, f, m->suback_topic);
    say_number(j, f, m->suback_code);
    say_words(f, reason_words(m->suback_code));
    cite(f, &m->subscribe);
    cite(f, &m->suback_failed);
}

void check_publish_refused(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->ack_refused)) return;
    struct finding *f = found(j);
    if (m->ack_refused_topic.n) say_text(j, f, m->ack_refused_topic);
    else say_words(f, N_("unknown"));
    say_number(j, f, m->ack_refused_code);
    say_words(f, reason_words(m->ack_refused_code));
    cite(f, &m->first_publish[CLIENT]);
    cite(f, &m->ack_refused);
}

void check_no_match(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->no_match)) return;
    struct finding *f = found(j);
    if (m->no_match_topic.n) say_text(j, f, m->no_match_topic);
    else
        f->text = N_("The broker %2$s took a message of %1$s and says that no subscription matches its topic (reason "
                     "0x10).");
    cite(f, &m->no_match);
}

void check_too_large(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m) return;
    bool said = (m->has_disconnect_code[0] && m->disconnect_code[0] == 0x95) ||
                (m->has_disconnect_code[1] && m->disconnect_code[1] == 0x95);
    if (!mark_set(&m->too_large) && !said) return;
    struct finding *f = found(j);
    if (mark_set(&m->too_large)) {
        char text[80];
        struct writer w = wr_fixed(text, sizeof text);
        wr_f(&w, "%u > %u", m->too_large_len, m->max_packet[!m->too_large_side]);
        say_text(j, f, wr_done(&w));
        cite(f, &m->too_large);
    } else {
        say_words(f, N_("the receiver said so when it disconnected"));
    }
    for (int side = 0; side < 2; side++)
        if (said && m->disconnect_code[side] == 0x95) cite(f, &m->disconnect[side]);
}

void check_alias(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->no_alias) || !j->c->from_start || j->c->lost) return;
    cite(found(j), &m->no_alias);
}

/* server_end returns when the broker closed, or a mark that is not set. */
static const struct mark *server_end(const struct conv *c) {
    const struct half *s = &c->half[SERVER];
    return mark_set(&s->fin) ? &s->fin : &s->rst;
}

bool closed_on_violation(const struct conv *c) {
    const struct mqtt_rec *m = c->mqtt;
    const struct mark *left = &c->half[CLIENT].fin;
    if (!m || !mark_set(&m->violation) || m->violation_side != CLIENT || !mark_set(server_end(c)) || c->lost)
        return false;
    if (mark_set(left) && left->frame < server_end(c)->frame) return false;
    return m->last_server.frame < m->violation.frame && server_end(c)->ts - m->violation.ts < AT_ONCE_MS * MILLI;
}

bool closed_on(const struct conv *c) {
    const struct mqtt_rec *m = c->mqtt;
    if (!m || !mark_set(&m->connack) || m->connack_code || m->after || c->lost) return false;
    const struct mark *end = server_end(c), *left = &c->half[CLIENT].fin;
    if (!mark_set(end) || mark_set(&m->disconnect[0]) || mark_set(&m->disconnect[1])) return false;
    if ((mark_set(left) && left->frame < end->frame) || mark_set(&c->half[CLIENT].rst)) return false;
    return (m->last_type == MQTT_PUBLISH || m->last_type == MQTT_SUBSCRIBE) &&
           m->last_server.frame < m->last_client.frame && end->ts - m->last_client.ts < AT_ONCE_MS * MILLI;
}

void check_closed_on(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!closed_on(j->c) || closed_on_violation(j->c) || conv_idle_death(j)) return;
    bool publish = m->last_type == MQTT_PUBLISH;
    struct finding *f = found(j);
    f->confidence = LIKELY;
    say_text(j, f, publish ? SLICE("PUBLISH") : SLICE("SUBSCRIBE"));
    if (!m->last_about) say_words(f, N_("unknown"));
    else say_text(j, f, publish ? j->e->topic[m->last_about - 1].topic : j->e->filter[m->last_about - 1].filter);
    say_number(j, f, m->last_len);
    cite(f, &m->last_client);
    cite(f, server_end(j->c));
}

void check_server_closed(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->disconnect[SERVER])) return;
    uint8_t code = m->disconnect_code[SERVER];
    if (code == 0x8d || code == 0x95 || (code == 0x8e && m->after)) return; /* checks of their own */
    struct finding *f = found(j);
    say_number(j, f, code);
    say_words(f, code ? reason_words(code) : N_("normal disconnection"));
    if (code == 0x8b || code == 0x98 || !code) f->level = LEVEL_WARNING;
    cite(f, &m->disconnect[SERVER]);
}

enum { WIDE_LEAST = 100 };

static bool is_wide(struct slice filter) {
    return slice_eq(filter, SLICE("#")) || slice_eq(filter, SLICE("+/#")) || slice_eq(filter, SLICE("/#"));
}

/* A dashboard may want to see everything; who publishes too is a device, and pays for what it gets. */
void check_wide(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    for (unsigned i = 0; m && i < m->filters; i++) {
        const struct filter_rec *r = &j->e->filter[m->filter[i]];
        if (!is_wide(r->filter) || r->deliveries < WIDE_LEAST) continue;
        struct finding *f = found(j);
        if (!m->publishes[CLIENT]) f->level = LEVEL_NOTE;
        say_text(j, f, r->filter);
        say_number(j, f, r->deliveries);
        say_number(j, f, j->c->half[SERVER].bytes);
        cite(f, &r->at);
        cite(f, &r->delivered);
        return;
    }
}

void check_retained(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->retained)) return;
    struct finding *f = found(j);
    say_number(j, f, m->retained_count);
    cite(f, &m->retained);
}

void check_duplicate(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->duplicate)) return;
    struct finding *f = found(j);
    say_number(j, f, m->duplicates);
    cite(f, &m->duplicate);
}

void check_will(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->will_sent) || mark_set(&m->disconnect[CLIENT])) return;
    struct finding *f = found(j);
    say_text(j, f, m->will_topic);
    cite(f, &m->connect);
    cite(f, &j->c->last);
    cite(f, &m->will_sent);
}

void check_violation(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !mark_set(&m->violation) || j->c->lost || j->c->stray.n ||
        (j->c->first_bytes[SERVER] == PAYLOAD_TLS && !j->c->tls))
        return;
    const struct field *rule = field_of(m->violation_id);
    struct finding *f = found(j);
    f->blame = m->violation_side == CLIENT ? BLAME_CLIENT : BLAME_SERVER;
    say_words(f, side_words(m->violation_side));
    say_words(f, rule->label);
    say_text(j, f, slice_str(rule->clause ? rule->clause : "MQTT"));
    cite(f, &m->violation);
    if (!closed_on_violation(j->c)) return;
    f->level = LEVEL_ERROR;
    f->text = N_("%1$s broke a rule of MQTT, and the broker %2$s closed the connection on it: %4$s (%5$s).");
    f->next = N_("Correct what the client sends there: it is its program or its MQTT library that makes this packet.");
    cite(f, server_end(j->c));
}

void check_password(struct judge *j) {
    const struct mqtt_rec *m = j->c->mqtt;
    if (!m || !m->password || j->c->tls) return;
    if (j->c->end[SERVER].addr.len == 4 && j->c->end[SERVER].addr.bytes[0] == 127) return; /* stays on the machine */
    cite(found(j), &m->connect);
}
