/* SPDX-License-Identifier: Apache-2.0 */
/* A capture on demand in JSON: what is asked for, and what it is. */
#include "analyse/redact.h"
#include "base/isotime.h"
#include "guard/json.h"
#include "io/capture/live.h"
#include "serve/web/web_in.h"
#include "view/view.h"
#include <stdio.h>
#include <time.h>

enum {
    DURATION_MIN = 30,
    NAME_MAX_GIVEN = SESSION_NAME_MAX - 20, /* room for a number and .pcapng */
};
/* Bytes of a capture that names no limit. */
#define MAX_BYTES_DEFAULT UINT64_C(5000000000)
#define MAX_BYTES_MOST UINT64_C(1000000000000)

/* ---- what it is ---- */

static void text_json(struct writer *w, const char *name, const char *text) {
    wr_f(w, ",\"%s\":", name);
    json_text(w, slice_str(text));
}

void web_time_json(struct writer *w, const char *name, int64_t ms) {
    if (!ms) return;
    wr_f(w, ",\"%s\":\"", name);
    iso_time(w, ms * 1000000, 3);
    wr_s(w, "Z\"");
}

static void redact_json(struct writer *w, uint32_t what) {
    static const char *const words[] = {"addresses", "clients", "topics", "payloads"};
    const char *between = "";
    wr_s(w, ",\"redact\":[");
    for (size_t i = 0; i < 4; i++) {
        if (!(what >> i & 1)) continue;
        wr_f(w, "%s\"%s\"", between, words[i]);
        between = ",";
    }
    wr_c(w, ']');
}

void web_session_write(const struct web *s, struct writer *w, const struct session *x) {
    wr_f(w, "{\"id\":\"%s\"", x->id);
    text_json(w, "device", x->asked);
    text_json(w, "kind", device_kind_name(x->device.kind));
    text_json(w, "of", x->device.text);
    if (x->name[0]) text_json(w, "name", x->name);
    text_json(w, "state", session_state_name(x->state));
    if (x->reason[0]) text_json(w, "reason", x->reason);
    wr_f(w, ",\"duration\":%u", x->duration);
    text_json(w, "interface", x->interface);
    if (x->filter[0]) text_json(w, "filter", x->filter);
    if (x->snaplen) wr_f(w, ",\"snaplen\":%u", x->snaplen);
    wr_f(w, ",\"max_bytes\":%llu", (unsigned long long)x->max_bytes);
    if (x->redact) redact_json(w, x->redact);
    wr_f(w, ",\"packets\":%llu,\"bytes\":%llu,\"dropped\":%llu", (unsigned long long)x->packets,
         (unsigned long long)x->bytes, (unsigned long long)x->dropped);
    web_time_json(w, "created", x->created);
    web_time_json(w, "started", x->started);
    web_time_json(w, "ended", x->ended);
    if (x->ended && s->plan->expiry_ms) web_time_json(w, "expires", x->ended + s->plan->expiry_ms);
    if (x->file[0]) text_json(w, "capture", x->file);
    if (x->who[0]) text_json(w, "by", x->who);
    wr_c(w, '}');
}

void web_session_json(struct web_request *q, const struct session *x) {
    web_session_write(q->web, &q->reply.w, x);
    wr_c(&q->reply.w, '\n');
}

void web_session_file(struct web_request *q, const struct session *x) {
    q->audited = true;
    if (!x->file[0]) return web_problem(q, 404, "the capture has no file");
    web_file(q, x->file);
}

/* ---- what is asked for ---- */

static bool name_fine(const char *name, bool peek) {
    for (const char *c = name; *c; c++)
        if ((peek && *c == '.') || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *c))
            return false;
    return *name != '.';
}

static bool name_take(struct web_request *q, const struct web_member *m, struct session *x, bool peek) {
    if (!web_json_text(q, m, x->name, peek ? sizeof x->name : NAME_MAX_GIVEN + 1)) return false;
    if (name_fine(x->name, peek)) return true;
    web_problem(q, 400, "%.*s: it has letters, digits, dashes and underscores", (int)m->name.n, m->name.p);
    return false;
}

static bool redact_word(struct web_request *q, const struct web_member *m, uint32_t *what) {
    char text[128];
    unsigned bits = 0;
    if (!web_json_text(q, m, text, sizeof text)) return false;
    if (redact_parse(text, &bits)) {
        *what |= bits;
        return true;
    }
    web_problem(q, 400, "redact: expected addresses, clients, topics, payloads or all");
    return false;
}

static bool redact_take(struct web_request *q, const struct web_member *m, uint32_t *what) {
    struct slice inside = json_inside(m->text), none;
    struct web_member item = {.name = m->name};
    enum json_kind kind;
    if (m->kind == JSON_TRUE) *what = REDACT_ALL;
    if (m->kind == JSON_TRUE || m->kind == JSON_FALSE || m->kind == JSON_NULL) return true;
    if (m->kind != JSON_ARRAY) return redact_word(q, m, what);
    while (json_next(&inside, false, &none, &kind, &item.text)) {
        item.kind = (int)kind;
        if (!redact_word(q, &item, what)) return false;
    }
    return true;
}

static bool filter_take(struct web_request *q, const struct web_member *m, struct session *x) {
    char text[512] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    if (!web_json_text(q, m, x->filter, sizeof x->filter - DEVICE_ID_MAX)) return false;
    if (!x->filter[0] || live_filter_check(x->filter, false, &why) == OK) return true;
    *why.p = 0;
    web_problem(q, 400, "filter: it is no capture filter: %s", text);
    return false;
}

static bool is(const struct web_member *m, const char *name) { return slice_eq(m->name, slice_str(name)); }

static bool member_take(struct web_request *q, const struct web_member *m, struct session *x, bool peek) {
    uint64_t n = 0;
    if (is(m, "duration")) {
        if (!web_json_number(q, m, DURATION_MIN, RECORD_SECONDS_MAX, &n)) return false;
        x->duration = (uint32_t)n;
        return true;
    }
    if (is(m, peek ? "prefix" : "name")) return m->kind == JSON_NULL || name_take(q, m, x, peek);
    if (peek) return true; /* Peek passes over what it does not know */
    if (m->kind == JSON_NULL) return true;
    if (is(m, "filter")) return filter_take(q, m, x);
    if (is(m, "interface")) return web_json_text(q, m, x->interface, sizeof x->interface);
    if (is(m, "redact")) return redact_take(q, m, &x->redact);
    if (is(m, "max_bytes")) return web_json_number(q, m, 1000, MAX_BYTES_MOST, &x->max_bytes);
    if (is(m, "snaplen")) {
        if (!web_json_number(q, m, 0, RECORD_SNAPLEN_MAX, &n)) return false;
        x->snaplen = (uint32_t)n;
        return true;
    }
    web_problem(q, 400,
                "%.*s: no such member; there are duration, name, filter, interface, snaplen, max_bytes and redact",
                (int)(m->name.n < 64 ? m->name.n : 64), m->name.p);
    return false;
}

bool web_session_read(struct web_request *q, struct session *x, bool peek) {
    struct slice inside;
    struct web_member m;
    x->max_bytes = MAX_BYTES_DEFAULT;
    if (!web_json_begin(q, &inside)) return false;
    while (web_json_next(&inside, &m))
        if (!member_take(q, &m, x, peek)) return false;
    if (x->duration) return true;
    web_problem(q, 400, "duration: the seconds to capture, from %d to %d, are missing", DURATION_MIN,
                RECORD_SECONDS_MAX);
    return false;
}

/* ---- its device and file ---- */

/* device_take resolves the device: a label of the configuration, or what it says itself. */
static bool device_take(struct web_request *q, const char *asked, struct session *x) {
    char reason[128] = "";
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    const struct web_label *label = web_label_find(q->web, asked);
    snprintf(x->asked, sizeof x->asked, "%s", asked);
    if (!device_parse(&x->device, label ? label->device : asked, &why)) {
        *why.p = 0;
        web_problem(q, 400, "%s", reason);
        return false;
    }
    if (x->device.kind == DEVICE_INTERFACE)
        snprintf(x->interface, sizeof x->interface, "%.*s", RECORD_INTERFACE_MAX, x->device.text);
    if (!x->interface[0] && label && label->interface)
        snprintf(x->interface, sizeof x->interface, "%s", label->interface);
    if (!x->interface[0])
        snprintf(x->interface, sizeof x->interface, "%s", q->web->plan->interface ? q->web->plan->interface : "any");
    return true;
}

static bool interface_fits(struct web_request *q, struct session *x) {
    bool any = strcmp(x->interface, "any") == 0;
    if (!web_interface_known(x->interface)) {
        web_problem(q, 422, "there is no interface %.64s; /v1/interfaces lists them", x->interface);
    } else if (x->device.kind == DEVICE_MAC && any &&
               !web_mac_interface(x->device.text, x->interface, sizeof x->interface)) {
        web_problem(
            q, 422,
            "a MAC address is captured from one interface: name it (interface), \"any\" does not know them all");
    } else {
        return true;
    }
    return false;
}

/* filter_fits tells whether the device's filter and the one asked for can both hold. */
static bool filter_fits(struct web_request *q, const struct session *x) {
    char filter[RECORD_FILTER_MAX + 1], reason[512] = "";
    struct writer w = wr_fixed(filter, sizeof filter - 1), why = wr_fixed(reason, sizeof reason - 1);
    device_filter(&x->device, x->filter, &w);
    *w.p = 0;
    if (!w.err && live_filter_check(filter, strcmp(x->interface, "any") == 0, &why) == OK) return true;
    *why.p = 0;
    web_problem(q, 422, "the capture filter '%.200s': %s", filter, w.err ? "it is too long" : reason);
    return false;
}

static void file_name(struct session *x, int64_t now) {
    char stem[WEB_NAME_MAX + 1], when[32] = "";
    struct tm tm;
    time_t t = (time_t)now;
    size_t n = strlen(x->name);
    if (n) {
        bool whole = n > 7 && strcmp(x->name + n - 7, ".pcapng") == 0;
        snprintf(stem, sizeof stem, "%.*s", NAME_MAX_GIVEN, x->name);
        snprintf(x->file, sizeof x->file, "%.80s%s", *stem == '-' ? stem + 1 : stem, whole ? "" : ".pcapng");
        return;
    }
    web_name_clean(stem, x->asked);
    if (gmtime_r(&t, &tm)) strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    snprintf(x->file, sizeof x->file, "%.60s-%s.pcapng", stem, when);
}

bool web_session_begin(struct web_request *q, const char *device, struct session *x) {
    uint64_t quota = q->web->plan->quota;
    if (!device_take(q, device, x) || !interface_fits(q, x) || !filter_fits(q, x)) return false;
    if (quota && web_used(q->web) >= quota) {
        web_problem(q, 507, "the quota of the folder is used up");
        return false;
    }
    file_name(x, time(NULL));
    snprintf(x->who, sizeof x->who, "%s", q->who);
    pthread_mutex_lock(&q->web->changing); /* an upload may be looking for a name, too */
    int rc = keeper_begin(q->web->keeper, x);
    pthread_mutex_unlock(&q->web->changing);
    if (rc == OK) return true;
    if (rc == ERR_LIMIT)
        web_problem(q, 503, "%d captures are under way, or %d are remembered; stop or delete one", SESSIONS_ACTIVE_MAX,
                    SESSIONS_MAX);
    else web_problem(q, 500, "the folder of captures cannot be written: %s", err_text(rc));
    return false;
}
