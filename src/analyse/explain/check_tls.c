/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of TLS. An alert says who disliked what (RFC 8446 6); where it is encrypted, who closed is all there is to
 * see. */
#include "analyse/explain/judge.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"
#include "proto/tls/tls_session.h"

#include <time.h>

enum alert {
    ALERT_CLOSE = 0,
    ALERT_HANDSHAKE = 40,
    ALERT_NO_CERTIFICATE = 41,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_UNSUPPORTED_CERTIFICATE = 43,
    ALERT_REVOKED = 44,
    ALERT_EXPIRED = 45,
    ALERT_UNKNOWN_CERTIFICATE = 46,
    ALERT_ILLEGAL = 47,
    ALERT_UNKNOWN_CA = 48,
    ALERT_ACCESS_DENIED = 49,
    ALERT_DECODE = 50,
    ALERT_VERSION = 70,
    ALERT_INSUFFICIENT = 71,
    ALERT_INTERNAL = 80,
    ALERT_CANCELED = 90,
    ALERT_NAME = 112,
    ALERT_CERTIFICATE_REQUIRED = 116,
    ALERT_ALPN = 120
};

static const char *side_words(int side) { return side == CLIENT ? N_("client") : N_("server"); }

static const char *alert_words(uint8_t code) {
    switch (code) {
    case ALERT_HANDSHAKE: return N_("handshake failure");
    case ALERT_BAD_CERTIFICATE: return N_("bad certificate");
    case ALERT_UNSUPPORTED_CERTIFICATE: return N_("unsupported certificate");
    case ALERT_REVOKED: return N_("certificate revoked");
    case ALERT_EXPIRED: return N_("certificate expired");
    case ALERT_UNKNOWN_CERTIFICATE: return N_("certificate unknown");
    case ALERT_ILLEGAL: return N_("illegal parameter");
    case ALERT_UNKNOWN_CA: return N_("unknown CA");
    case ALERT_ACCESS_DENIED: return N_("access denied");
    case ALERT_VERSION: return N_("protocol version");
    case ALERT_INSUFFICIENT: return N_("insufficient security");
    case ALERT_NAME: return N_("unrecognized name");
    case ALERT_CERTIFICATE_REQUIRED: return N_("certificate required");
    case ALERT_ALPN: return N_("no application protocol");
    case 10: return N_("unexpected message");
    case 20: return N_("bad record MAC");
    case 21: return N_("decryption failed");
    case 22: return N_("record overflow");
    case 30: return N_("decompression failure");
    case 41: return N_("no certificate");
    case ALERT_DECODE: return N_("decode error");
    case 51: return N_("decrypt error");
    case 60: return N_("export restriction");
    case 80: return N_("internal error");
    case 86: return N_("inappropriate fallback");
    case 109: return N_("missing extension");
    case 110: return N_("unsupported extension");
    case 111: return N_("certificate unobtainable");
    case 113: return N_("bad certificate status response");
    case 114: return N_("bad certificate hash");
    case 115: return N_("unknown PSK identity");
    case 121: return N_("encrypted client hello required");
    default: return N_("unknown alert");
    }
}

int conv_alert(const struct conv *c, int side) {
    const struct tls_rec *t = c->tls;
    if (!t || !mark_set(&t->alert[side]) || t->alert_hidden[side]) return -1;
    uint8_t code = t->alert_code[side];
    const struct mark *left = &c->half[!side].fin;
    if (code == ALERT_DECODE && mark_set(left) && left->frame < t->alert[side].frame) return -1;
    return code == ALERT_CLOSE || code == ALERT_CANCELED || code == 100 ? -1 : code;
}

/* alert_found makes a finding of an alert: arguments 3 and 4 are its number and words. */
static struct finding *alert_found(struct judge *j, int side) {
    const struct tls_rec *t = j->c->tls;
    uint8_t code = t->alert_code[side];
    struct finding *f = found(j);
    say_number(j, f, code);
    say_words(f, alert_words(code));
    cite(f, &t->client_hello);
    if (mark_set(&t->cert.at)) cite(f, &t->cert.at);
    cite(f, &t->alert[side]);
    return f;
}

void check_tls_ca(struct judge *j) {
    if (conv_alert(j->c, CLIENT) == ALERT_UNKNOWN_CA) alert_found(j, CLIENT);
}

static void say_day(struct judge *j, struct finding *f, int64_t seconds) {
    char text[40];
    struct tm tm;
    time_t t = (time_t)seconds;
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    say_text(j, f, slice_of(text, n));
}

static bool about_certificate(int code) {
    return (code >= ALERT_NO_CERTIFICATE && code <= ALERT_UNKNOWN_CERTIFICATE) || code == ALERT_CERTIFICATE_REQUIRED ||
           code == ALERT_UNKNOWN_CA || code == ALERT_ACCESS_DENIED;
}

void check_tls_server_cert(struct judge *j) {
    int code = conv_alert(j->c, CLIENT);
    if (code == ALERT_UNKNOWN_CA || code <= 0 || !about_certificate(code)) return;
    struct finding *f = alert_found(j, CLIENT);
    const struct certificate_rec *c = &j->c->tls->cert;
    int64_t now = c->at.ts / SECOND;
    if ((code != ALERT_EXPIRED && code != ALERT_BAD_CERTIFICATE) || !c->read || now > c->not_after ||
        now < c->not_before)
        return;
    /* OpenSSL says 45 of a certificate that is over and 42 of one that is not valid yet. */
    f->blame = BLAME_CLIENT;
    say_day(j, f, c->not_before);
    say_day(j, f, c->not_after);
    if (code == ALERT_EXPIRED)
        f->text = N_("The client %1$s says that the certificate of %2$s is not valid now (alert %3$s, %4$s); by the "
                     "capture's clock it is, from %5$s to %6$s: the client's clock is wrong.");
    f->next =
        N_("By the capture's clock the certificate is valid from %5$s to %6$s: set the client's clock (NTP) before it "
           "connects; one that stands before or behind these days rejects it like this.");
}

/* A Certificate message of TLS 1.3 without a certificate is 25 bytes when encrypted, an alert is 19: eight and two
 * bytes, a type, and a tag of 16 (RFC 8446 4.4.2, 5.2). */
enum { EMPTY_CERTIFICATE = 25, HIDDEN_ALERT = 19, QUIT_S = 5 };

static bool empty_certificate(const struct conv *c) {
    const struct tls_rec *t = c->tls;
    return t && tls_is_13(t->version) && t->first_len[CLIENT] == EMPTY_CERTIFICATE &&
           t->last_short_len[SERVER] == HIDDEN_ALERT && conv_closed(c);
}

void check_tls_client_cert(struct judge *j) {
    if (empty_certificate(j->c)) {
        const struct tls_rec *t = j->c->tls;
        struct finding *f = found(j);
        f->confidence = LIKELY;
        say_number(j, f, ALERT_CERTIFICATE_REQUIRED);
        say_words(f, alert_words(ALERT_CERTIFICATE_REQUIRED));
        cite(f, &t->client_hello);
        cite(f, &t->data[CLIENT]);
        cite(f, &t->last_short[SERVER]);
        return;
    }
    int code = conv_alert(j->c, SERVER);
    if (code > 0 && about_certificate(code)) {
        alert_found(j, SERVER);
    } else if (code == ALERT_HANDSHAKE &&
               mark_set(&j->c->tls->request)) { /* asked for a certificate and got none it likes */
        struct finding *f = alert_found(j, SERVER);
        f->confidence = LIKELY;
        cite(f, &j->c->tls->request);
    }
}

static bool is_params(int code) {
    return code == ALERT_HANDSHAKE || code == ALERT_INSUFFICIENT || code == ALERT_ILLEGAL;
}

void check_tls_params(struct judge *j) {
    for (int side = 0; side < 2; side++) {
        int code = conv_alert(j->c, side);
        if (!is_params(code) || (side == SERVER && code == ALERT_HANDSHAKE && mark_set(&j->c->tls->request))) continue;
        say_words(alert_found(j, side), side_words(side));
        return;
    }
}

static const char *version_name(uint16_t v) {
    const char *name = field_value_name(&vals_tls_version, v);
    return name ? name : "?";
}

void check_tls_version(struct judge *j) {
    for (int side = 0; side < 2; side++)
        if (conv_alert(j->c, side) == ALERT_VERSION) {
            struct finding *f = alert_found(j, side);
            say_text(j, f, slice_str(version_name(j->c->tls->offered)));
            if (!mark_set(&j->c->tls->client_hello))
                f->text = N_("%1$s and %2$s found no common TLS version (alert %3$s, %4$s).");
            return;
        }
}

static void say_or_none(struct judge *j, struct finding *f, struct slice s) {
    if (s.n) say_text(j, f, s);
    else say_words(f, N_("(none)"));
}

void check_tls_name_alert(struct judge *j) {
    if (conv_alert(j->c, SERVER) != ALERT_NAME) return;
    const struct tls_rec *t = j->c->tls;
    struct finding *f = alert_found(j, SERVER);
    say_or_none(j, f, t->name);
    if (mark_set(&t->server_hello) && t->server_hello.frame >= t->alert[SERVER].frame) { /* RFC 6066 3: a warning */
        f->level = LEVEL_NOTE;
        f->text = N_("%2$s does not know the name %5$s that %1$s asked for (alert %3$s, %4$s) and went on with its "
                     "usual certificate.");
        return;
    }
    if (t->name.n) return;
    f->text = N_("%1$s did not say which host it wants (no SNI in its ClientHello), and %2$s serves nobody without "
                 "(alert %3$s, %4$s).");
    f->next =
        N_("Let the client connect by the host's name and send it as SNI; a client that is given an IP address, or "
           "an old TLS library, sends none.");
}

void check_tls_alpn(struct judge *j) {
    if (conv_alert(j->c, SERVER) == ALERT_ALPN) {
        say_or_none(j, alert_found(j, SERVER), j->c->tls->alpn);
        return;
    }
    /* Cloud brokers on port 443 close without an alert when the ALPN name is missing. */
    const struct tls_rec *t = j->c->tls;
    if (!t || j->c->end[SERVER].port != 443 || t->alpn_any || !t->name.n || mark_set(&t->data[SERVER]) ||
        mark_set(&t->server_hello))
        return;
    static const char aws[] = ".amazonaws.com";
    if (t->name.n < sizeof aws || memcmp(t->name.p + t->name.n - (sizeof aws - 1), aws, sizeof aws - 1) != 0 ||
        !conv_closed(j->c))
        return;
    struct finding *f = found(j);
    f->confidence = LIKELY;
    say_words(f, N_("(none)"));
    say_words(f, N_("(none)"));
    say_words(f, N_("(none)"));
    cite(f, &t->client_hello);
}

void check_tls_alert(struct judge *j) {
    for (int side = 0; side < 2; side++) {
        int code = conv_alert(j->c, side);
        bool named = code < 0 || about_certificate(code) || is_params(code) || code == ALERT_VERSION ||
                     (side == SERVER && (code == ALERT_NAME || code == ALERT_ALPN));
        if (named) continue;
        struct finding *f = alert_found(j, side);
        say_words(f, side_words(side));
        if (side == CLIENT && code == ALERT_INTERNAL && mark_set(&j->c->tls->server_hello) &&
            !mark_set(&j->c->tls->data[CLIENT]))
            f->next = N_("The client broke off at the server's certificate, and many clients call every reason an "
                         "internal error: check that the name it connects to stands in the certificate, that it trusts "
                         "the CA, and its clock.");
        return;
    }
}

static bool has_alert(const struct conv *c) { return conv_alert(c, 0) >= 0 || conv_alert(c, 1) >= 0; }

void check_tls_silent(struct judge *j) {
    const struct conv *c = j->c;
    const struct tls_rec *t = c->tls;
    if (!t || !mark_set(&t->client_hello) || mark_set(&t->server_hello) || has_alert(c)) return;
    if (c->half[SERVER].segments && c->first_bytes[SERVER] == PAYLOAD_TLS && !conv_closed(c)) return;
    if (t->changed[SERVER] || mark_set(&t->data[SERVER])) return; /* its ServerHello was not captured */
    if (!quiet_for(j, &t->client_hello, 3) || conv_path_broken(j) || c->stray.n || c->lost) return;
    if (c->first_bytes[SERVER] == PAYLOAD_MQTT || c->end[SERVER].port == 1883) return; /* tls.to-plain-port */
    struct finding *f = found(j);
    if (c->greeting.n) {
        f->text = N_("%1$s began TLS with %2$s, which speaks another protocol: it says “%3$s”.");
        say_text(j, f, c->greeting);
    } else if (c->half[SERVER].segments) say_words(f, N_("it answered in another protocol"));
    else if (mark_set(&c->half[SERVER].rst)) say_words(f, N_("it reset the connection"));
    else if (mark_set(&c->half[SERVER].fin)) say_words(f, N_("it closed the connection"));
    else say_words(f, N_("it stayed silent"));
    cite(f, &t->client_hello);
    cite(f, &c->last);
}

/* first_end returns when the first side closed, and which. */
static struct mark first_end(const struct conv *c, int *first) {
    struct mark end = {0};
    *first = SERVER;
    for (int side = 0; side < 2; side++) {
        const struct half *h = &c->half[side];
        const struct mark *m = mark_set(&h->fin) ? &h->fin : &h->rst;
        if (!mark_set(m) || (end.frame && m->frame > end.frame)) continue;
        end = *m;
        *first = side;
    }
    return end;
}

/* quitter_13 returns the side that broke off a handshake of TLS 1.3, or -1. A client that sent more than an alert (an
 * empty certificate, Finished) accepted the server's certificate; a server that answered it with more than an alert
 * accepted the client's. */
static int quitter_13(const struct tls_rec *t, int first, const struct mark *end) {
    bool soon = end->ts - t->client_hello.ts < QUIT_S * SECOND;
    if (t->records[CLIENT] < 2 && t->first_len[CLIENT] < EMPTY_CERTIFICATE)
        return t->last_short_len[CLIENT] == HIDDEN_ALERT ? CLIENT : first;
    bool alerted = t->replies == 1 && t->last_short_len[SERVER] == HIDDEN_ALERT && t->records[CLIENT] <= 3 &&
                   t->last_short_len[CLIENT] != HIDDEN_ALERT && t->last_short[SERVER].frame <= end->frame;
    return soon && (alerted || (first == SERVER && !t->replies)) ? SERVER : -1;
}

static int quitter_12(const struct tls_rec *t, int first) {
    if (mark_set(&t->data[CLIENT]) || mark_set(&t->data[SERVER]) || (mark_set(&t->alert[0]) && mark_set(&t->alert[1])))
        return -1;
    return first;
}

static bool is_mqtt_tls(const struct conv *c) {
    return c->tls && !c->mqtt && (c->end[SERVER].port == 8883 || c->tls->alpn_mqtt);
}

/* agreed_found: up to TLS 1.2 who does not accept a certificate says so before it changes to the new keys; here both
 * had. */
static void agreed_found(struct judge *j, int side) {
    const struct conv *c = j->c;
    struct finding *f = found(j);
    f->text = N_("The TLS handshake between %1$s and %2$s was complete; the %3$s closed before any data was sent.");
    f->blame = side == CLIENT ? BLAME_CLIENT : BLAME_SERVER;
    f->level = is_mqtt_tls(c) ? LEVEL_WARNING : LEVEL_NOTE;
    say_words(f, side_words(side));
    f->next = side == CLIENT
                  ? N_("Who only tries the port does this, and a client that looks at the server's certificate late: "
                       "check the name it connects to, the CA it knows and its clock.")
                  : N_("Look at the server's log at this time: it was stopped, has as many clients as it may, or does "
                       "not want this client.");
    cite(f, &c->tls->client_hello);
    cite(f, &c->tls->server_hello);
    cite(f, mark_set(&c->half[side].fin) ? &c->half[side].fin : &c->half[side].rst);
}

/* The handshake ended without application data and without an alert that can be read: in TLS 1.3 alerts are encrypted,
 * and look like a short record before the close. */
void check_tls_hidden(struct judge *j) {
    const struct conv *c = j->c;
    const struct tls_rec *t = c->tls;
    if (!t || !mark_set(&t->server_hello) || !mark_set(&t->client_hello) || has_alert(c) || !conv_closed(c) ||
        empty_certificate(c) || conv_path_broken(j))
        return;
    int first;
    struct mark end = first_end(c, &first);
    if (first == CLIENT && end.frame < t->server_hello.frame) return; /* it gave up before there was an answer */
    int side = tls_is_13(t->version) ? quitter_13(t, first, &end) : quitter_12(t, first);
    if (side < 0) return;
    if (!tls_is_13(t->version) && t->changed[CLIENT] && t->changed[SERVER]) return agreed_found(j, side);
    bool alert = t->last_short_len[side] == HIDDEN_ALERT || mark_set(&t->alert[side]);
    struct finding *f = found(j);
    f->confidence = LIKELY;
    f->blame = side == CLIENT ? BLAME_CLIENT : BLAME_SERVER;
    say_words(f, side_words(side));
    say_words(f, alert ? N_("it sent what looks like an encrypted alert and closed")
                       : N_("it closed without an alert that can be read"));
    f->next = side == CLIENT
                  ? N_("A client that breaks off here usually rejects the server's certificate: it does not "
                       "trust the CA, the name it connects to is not in the certificate, or its clock is "
                       "wrong. A key log (`SSLKEYLOGFILE`, `weir run`) shows the alert.")
                  : N_("A server that breaks off here usually rejects the client's certificate: it is "
                       "missing, expired, not activated, or not issued by the CA the server knows. A key log "
                       "(`SSLKEYLOGFILE`, `weir run`) shows the alert.");
    cite(f, &t->client_hello);
    cite(f, &t->server_hello);
    if (mark_set(&t->last_short[side])) cite(f, &t->last_short[side]);
    cite(f, &end);
}

/* A CONNECT has fourteen bytes at least [MQTT 3.1], a CONNACK of 3.1.1 four, one of 5.0 seldom more than some dozens;
 * TLS adds sixteen or more. */
enum { CONNECT_LEAST = 14 + 16, CONNACK_MOST = 64, LOGIN_S = 2 };

/* first_message tells whether the client has sent one message that may be a CONNECT, and nothing but an alert behind
 * it. In TLS 1.3 its Finished is a record like any other. */
static bool first_message(const struct tls_rec *t) {
    uint32_t n = tls_is_13(t->version) ? t->records[CLIENT] - 1 : t->records[CLIENT];
    if (!t->records[CLIENT] || n > 2 || (n == 2 && t->last_short_len[CLIENT] != HIDDEN_ALERT)) return false;
    return n && (n == 1 ? t->last_short_len[CLIENT] : t->before_len[CLIENT]) >= CONNECT_LEAST;
}

/* short_answer tells whether the server's last message was as short as a CONNACK, an alert behind it aside. */
static bool short_answer(const struct tls_rec *t) {
    uint32_t last = t->last_short_len[SERVER];
    if (!t->records[SERVER]) return false;
    if (tls_is_13(t->version) && last == HIDDEN_ALERT) last = t->before_len[SERVER];
    return last && last <= CONNACK_MOST;
}

/* The first message to a broker is CONNECT; one that answers it shortly and closes has refused it. */
void check_refused_in_tls(struct judge *j) {
    const struct conv *c = j->c;
    const struct tls_rec *t = c->tls;
    const struct mark *end = mark_set(&c->half[SERVER].fin) ? &c->half[SERVER].fin : &c->half[SERVER].rst;
    if (!is_mqtt_tls(c) || !mark_set(&t->server_hello) || !mark_set(end) || c->lost || has_alert(c) ||
        !first_message(t))
        return;
    bool client_first = mark_set(&c->half[CLIENT].fin) && c->half[CLIENT].fin.frame < end->frame;
    if (client_first || empty_certificate(c) || end->ts - t->data[CLIENT].ts > LOGIN_S * SECOND || !short_answer(t))
        return;
    struct finding *f = found(j);
    f->confidence = LIKELY;
    cite(f, &t->data[CLIENT]);
    cite(f, &t->last_data[SERVER]);
    cite(f, end);
}

void check_tls_dates(struct judge *j) {
    const struct tls_rec *t = j->c->tls;
    if (!t || !t->cert.read) return;
    int64_t now = t->cert.at.ts / SECOND;
    bool late = now > t->cert.not_after, early = now < t->cert.not_before;
    if (!late && !early) return;
    struct finding *f = found(j);
    if (mark_set(&t->data[SERVER]) && mark_set(&t->data[CLIENT]))
        f->level = LEVEL_WARNING; /* the client did not mind */
    say_text(j, f, t->cert.subject);
    say_words(f, late ? N_("expired") : N_("not valid yet"));
    say_day(j, f, late ? t->cert.not_after : t->cert.not_before);
    cite(f, &t->cert.at);
}

void check_tls_name(struct judge *j) {
    const struct tls_rec *t = j->c->tls;
    if (!t || !t->cert.read || !t->cert.name_differs || !t->name.n) return;
    struct finding *f = found(j);
    if (mark_set(&t->data[SERVER]) && mark_set(&t->data[CLIENT])) f->level = LEVEL_NOTE; /* the client did not mind */
    say_text(j, f, t->name);
    say_text(j, f, t->cert.names);
    cite(f, &t->client_hello);
    cite(f, &t->cert.at);
}

void check_tls_chain(struct judge *j) {
    const struct tls_rec *t = j->c->tls;
    if (!t || !t->cert.read) return;
    bool rejected =
        conv_alert(j->c, CLIENT) == ALERT_UNKNOWN_CA || conv_alert(j->c, CLIENT) == ALERT_UNKNOWN_CERTIFICATE;
    bool alone = t->cert.count == 1 && !t->cert.self_signed && t->cert.aia && rejected;
    if (t->cert.linked && !alone) return;
    struct finding *f = found(j);
    if (alone) f->confidence = LIKELY;
    say_number(j, f, t->cert.count);
    say_text(j, f, t->cert.subject);
    say_text(j, f, t->cert.issuer);
    cite(f, &t->cert.at);
}

void check_tls_plain(struct judge *j) {
    const struct conv *c = j->c;
    if (c->first_bytes[CLIENT] != PAYLOAD_MQTT) return;
    bool port = c->end[SERVER].port == 8883 || c->end[SERVER].port == 443 || c->end[SERVER].port == 8443;
    bool answered = c->mqtt && mark_set(&c->mqtt->connack);
    if (answered || (c->first_bytes[SERVER] != PAYLOAD_TLS && !port) || !quiet_for(j, &c->half[CLIENT].first_data, 2))
        return;
    struct finding *f = found(j);
    if (c->first_bytes[SERVER] != PAYLOAD_TLS) f->confidence = LIKELY;
    cite(f, &c->half[CLIENT].first_data);
    cite(f, mark_set(&c->half[SERVER].first_data) ? &c->half[SERVER].first_data : &c->last);
}

void check_tls_to_plain(struct judge *j) {
    const struct conv *c = j->c;
    const struct tls_rec *t = c->tls;
    if (!t || !mark_set(&t->client_hello) || mark_set(&t->server_hello) || c->first_bytes[CLIENT] != PAYLOAD_TLS)
        return;
    if (c->first_bytes[SERVER] != PAYLOAD_MQTT &&
        !(c->end[SERVER].port == 1883 && !has_alert(c) && quiet_for(j, &t->client_hello, 2)))
        return;
    struct finding *f = found(j);
    if (c->first_bytes[SERVER] != PAYLOAD_MQTT) f->confidence = LIKELY;
    cite(f, &t->client_hello);
    cite(f, &c->last);
}

/* Suites whose name begins TLS_RSA_WITH have the session key sent under the server's RSA key (RFC 5246 7.4.7.1). */
static bool static_rsa(const char *suite) { return suite && strncmp(suite, "TLS_RSA_WITH", 12) == 0; }

/* shut_verdict returns why the keys that were given do not open the session; SHUT_NO_KEYS: none were given. */
static uint8_t shut_verdict(const struct tls_rec *t) {
    for (uint8_t verdict = SHUT_NO_KEYS + 1; verdict < VERDICT_COUNT; verdict++)
        if (slice_eq(t->shut, slice_str(tls_verdict_text(verdict)))) return verdict;
    return SHUT_NO_KEYS;
}

/* is_closed tells whether a session has data and nothing of it was read. */
static bool is_closed(const struct conv *c) {
    return c->tls && (mark_set(&c->tls->data[CLIENT]) || mark_set(&c->tls->data[SERVER])) && !c->mqtt && !c->web;
}

/* What the short answer says of keys: once for all sessions that stay closed for one reason. */
void check_tls_shut(struct judge *j) {
    uint32_t sessions = 0, shut[VERDICT_COUNT] = {0};
    struct mark first[VERDICT_COUNT] = {0};
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = j->e->conv[i];
        if (!c || !c->tls || !explain_chosen(j->e, c)) continue;
        const struct tls_rec *t = c->tls;
        uint8_t why = is_closed(c) ? shut_verdict(t) : SHUT_NO_KEYS;
        sessions++;
        if (!shut[why]++) first[why] = mark_set(&t->client_hello) ? t->client_hello : c->first;
    }
    for (uint8_t why = SHUT_NO_KEYS + 1; why < VERDICT_COUNT; why++) {
        if (!shut[why]) continue;
        struct finding *f = found(j);
        f->asked = true;
        say_number(j, f, shut[why]);
        say_number(j, f, sessions);
        say_words(f, tls_verdict_text(why));
        if (why == SHUT_SUITE || why == SHUT_COMPRESSED) f->next = "";
        cite(f, &first[why]);
    }
}

void check_tls_readable(struct judge *j) {
    const struct conv *c = j->c;
    const struct tls_rec *t = c->tls;
    if (!is_closed(c) || !mark_set(&t->server_hello) || !mark_set(&t->data[SERVER])) return;
    const char *suite = field_value_name(&vals_tls_suite, t->suite);
    struct finding *f = found(j);
    say_text(j, f, slice_str(version_name(t->version)));
    say_text(j, f, slice_str(suite ? suite : "?"));
    uint8_t tried = shut_verdict(t);
    if (tried != SHUT_NO_KEYS) say_words(f, tls_verdict_text(tried));
    else if (tls_is_13(t->version))
        say_words(f, N_("only a key log can open TLS 1.3, the server's private key cannot"));
    else if (static_rsa(suite)) {
        say_words(f, N_("the server's RSA key or a key log can open it"));
        f->next = N_("Read with the server's private key (`--key FILE`), or with a key log of the client (`--keylog "
                     "FILE`).");
    } else
        say_words(
            f, N_("the keys were agreed on by Diffie-Hellman, so the server's RSA key cannot open it; a key log can"));
    cite(f, &t->server_hello);
}
