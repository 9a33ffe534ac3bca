/* SPDX-License-Identifier: Apache-2.0 */
/* weir peek: captures on a server, from the command line. */
#include "app/cmd.h"
#include "app/opt.h"
#include "app/peek/peek.h"
#include "field/print.h"
#include "io/out.h"
#include "view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_PAGE = 200 };

struct peek_opts {
    const char *server, *token, *ca, *write, *name, *filter, *interface, *redact;
    int64_t duration, snaplen, max_bytes, count;
    bool json, insecure, wait, follow;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'s', "server", "ADDRESS", "the server, as it was printed there ($WEIR_SERVER, else http://127.0.0.1:8080)",
     OPT_TEXT, offsetof(struct peek_opts, server)},
    {0, "token", "TOKEN", "what gives the right ($WEIR_TOKEN, which other users of this machine cannot see)", OPT_TEXT,
     offsetof(struct peek_opts, token)},
    {0, "cafile", "FILE", "who signed the server's certificate (PEM)", OPT_TEXT, offsetof(struct peek_opts, ca)},
    {0, "insecure", NULL, "take any certificate", OPT_FLAG, offsetof(struct peek_opts, insecure)},
    {'d', "duration", "SECONDS", "start: how long, from 30 to 86400", OPT_NUMBER, offsetof(struct peek_opts, duration),
     .min = 1},
    {'n', "name", "TEXT", "start: name of the capture", OPT_TEXT, offsetof(struct peek_opts, name)},
    {'f', "filter", "FILTER", "start: capture filter, as of tcpdump", OPT_TEXT, offsetof(struct peek_opts, filter)},
    {'i', "interface", "NAME", "start: interface of the server", OPT_TEXT, offsetof(struct peek_opts, interface)},
    {0, "snaplen", "BYTES", "start: bytes kept of a packet", OPT_SIZE, offsetof(struct peek_opts, snaplen), .min = 1,
     .max = 262144},
    {0, "max-bytes", "BYTES", "start: largest file (5G)", OPT_SIZE, offsetof(struct peek_opts, max_bytes), .min = 1000},
    {0, "redact", "WHAT", "start: replace addresses, clients, topics, payloads (comma between) or all of them",
     OPT_TEXT, offsetof(struct peek_opts, redact)},
    {0, "wait", NULL, "start: watch it until it is over", OPT_FLAG, offsetof(struct peek_opts, wait)},
    {'w', "write", "FILE", "download (and start: when it is over) into FILE; - is stdout", OPT_TEXT,
     offsetof(struct peek_opts, write)},
    {0, "follow", NULL, "download while the capture goes on, to its end", OPT_FLAG, offsetof(struct peek_opts, follow)},
    {'c', "count", "N", "list: at most N", OPT_NUMBER, offsetof(struct peek_opts, count), .min = 1},
    {0, "json", NULL, "JSON, one object on a line", OPT_FLAG, offsetof(struct peek_opts, json)},
};
static const char *const examples[] = {"weir peek start 192.0.2.7 --duration 60",
                                       "weir peek start mqtt:pump-12 --duration 300 --wait -w pump.pcapng",
                                       "weir peek list",
                                       "weir peek watch last",
                                       "weir peek download last --follow -w - | weir read -r - -Y mqtt",
                                       NULL};
static const struct opt_command command = {
    .name = "peek",
    .synopsis =
        "start DEVICE --duration SECONDS | list [DEVICE] | show|watch|stop|download|delete ID | devices | interfaces",
    .purpose = "start, watch, stop and download captures on a server",
    .description =
        "Asks a `weir serve` that runs near the devices. DEVICE is an address, a prefix, a MAC address, an MQTT client "
        "id (mqtt:ID), interface:NAME, or a label of the server's configuration. ID is that of a capture, as start and "
        "list show it, or `last` for the newest.\n\n"
        "watch ends with the capture: exit status 1 where it FAILED. Ctrl-C while start waits stops the capture.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct peek_opts, words),
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int sig) { interrupted = sig; }

struct run {
    const struct peek_opts *o;
    struct peek *p;
    char text[PEEK_WHY_MAX];
    struct writer why;
};

static int fail(struct run *r) {
    *r->why.p = 0;
    return opt_bad_use(&command, "%s", r->text);
}

static int ask(struct run *r, const char *method, const char *path, const char *body, struct writer *answer) {
    return peek_ask(r->p, method, path, body, answer, &r->why) == OK ? OPT_GO : fail(r);
}

/* ---- what is shown ---- */

/* line_print prints text as a line, at once. */
static void line_print(struct slice object) {
    fwrite(object.p, 1, object.n, stdout);
    putchar('\n');
    fflush(stdout);
}

static void plain(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = '?';
}

static void member_line(struct slice object, const char *name, const char *label) {
    char text[1024];
    if (!peek_text(object, name, text, sizeof text) || !*text) return;
    plain(text);
    printf("%-10s %s\n", label, text);
}

static void session_show(struct slice object) {
    static const char *const members[][2] = {{"id", "Id"},           {"device", "Device"},   {"of", "Of"},
                                             {"name", "Name"},       {"state", "State"},     {"reason", "Reason"},
                                             {"interface", "On"},    {"filter", "Filter"},   {"duration", "Seconds"},
                                             {"packets", "Packets"}, {"bytes", "Bytes"},     {"dropped", "Dropped"},
                                             {"created", "Created"}, {"started", "Started"}, {"ended", "Ended"},
                                             {"expires", "Expires"}, {"capture", "File"},    {"by", "By"}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) member_line(object, members[i][0], members[i][1]);
}

static void session_print(struct run *r, struct slice object) {
    if (object.n && object.p[object.n - 1] == '\n') object.n--;
    if (r->o->json) line_print(object);
    else session_show(object);
}

static void column(struct writer *w, struct slice object, const char *name, int width, bool right) {
    char text[300] = "";
    (void)peek_text(object, name, text, sizeof text);
    plain(text);
    wr_f(w, right ? "%*s  " : "%-*s  ", width, text);
}

/* line_end prints a line without the blanks its last columns left. */
static void line_end(struct writer *w) {
    struct slice line = wr_done(w);
    while (line.n && line.p[line.n - 1] == ' ') line.n--;
    line_print(line);
    wr_free(w);
}

static void row_print(struct slice x) {
    struct writer w = wr_grow();
    column(&w, x, "id", 24, false);
    column(&w, x, "state", 15, false);
    column(&w, x, "packets", 9, true);
    column(&w, x, "bytes", 11, true);
    column(&w, x, "created", 24, false);
    column(&w, x, "device", 20, false);
    column(&w, x, "reason", 0, false);
    line_end(&w);
}

/* ---- verbs ---- */

static int session_path(struct run *r, const char *id, const char *verb, struct writer *path) {
    struct writer answer = wr_grow();
    char newest[64] = "";
    if (!strcmp(id, "last")) {
        int rc = ask(r, "GET", "/v1/sessions?limit=1", NULL, &answer);
        struct slice list = peek_list(wr_done(&answer), "captures"), item;
        if (rc == OPT_GO && !(peek_item(&list, &item) && peek_text(item, "id", newest, sizeof newest)))
            rc = opt_bad_use(&command, "there is no capture on this server");
        wr_free(&answer);
        if (rc != OPT_GO) return rc;
        id = newest;
    }
    wr_s(path, "/v1/sessions/");
    peek_escape(path, id);
    wr_s(path, verb);
    wr_c(path, 0);
    return path->err ? EXIT_TROUBLE : OPT_GO;
}

static int on_session(struct run *r, const char *id, const char *method, const char *verb, bool shows) {
    struct writer path = wr_grow(), answer = wr_grow();
    int rc = session_path(r, id, verb, &path);
    if (rc == OPT_GO) rc = ask(r, method, path.buf, NULL, &answer);
    if (rc == OPT_GO && shows) session_print(r, wr_done(&answer));
    wr_free(&path);
    wr_free(&answer);
    return rc;
}

static int watch(struct run *r, const char *id) {
    struct writer path = wr_grow();
    int rc = session_path(r, id, "/events", &path), ended = EXIT_TROUBLE;
    if (rc == OPT_GO && peek_watch(r->p, path.buf, r->o->json, &ended, &r->why) < 0) rc = fail(r);
    wr_free(&path);
    return rc == OPT_GO ? ended : rc;
}

static bool to_file(void *to, struct slice piece) { return out_write(*(int *)to, piece, NULL) == OK; }

/* file_name gives the name to write to: that of -w, or the one the server gave it, if it is a plain one. */
static int file_name(struct run *r, const char *id, char name[256]) {
    struct writer path = wr_grow(), answer = wr_grow();
    if (r->o->write)
        return snprintf(name, 256, "%s", r->o->write) < 256 ? OPT_GO
                                                            : opt_bad_use(&command, "-w: the name is too long");
    int rc = session_path(r, id, "", &path);
    if (rc == OPT_GO) rc = ask(r, "GET", path.buf, NULL, &answer);
    bool plain_name =
        rc == OPT_GO && peek_text(wr_done(&answer), "capture", name, 256) && *name != '.' && !strchr(name, '/');
    if (rc == OPT_GO && !plain_name) rc = opt_bad_use(&command, "the capture has no file");
    wr_free(&path);
    wr_free(&answer);
    return rc;
}

static int download(struct run *r, const char *id) {
    char name[256];
    struct writer path = wr_grow();
    int rc = file_name(r, id, name), fd = -1;
    bool standard = rc == OPT_GO && !strcmp(name, "-");
    if (rc == OPT_GO) rc = session_path(r, id, r->o->follow ? "/file?follow=1" : "/file", &path);
    if (standard && isatty(STDOUT_FILENO))
        rc = opt_bad_use(&command, "-w -: standard output is a terminal; pipe it, or name a file");
    if (rc == OPT_GO)
        fd = standard ? STDOUT_FILENO
                      : open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (r->o->write ? O_TRUNC : O_EXCL), 0644);
    if (rc == OPT_GO && fd < 0) rc = opt_bad_use(&command, "%s: %s", name, strerror(errno));
    if (rc == OPT_GO && peek_stream(r->p, path.buf, to_file, &fd, &r->why) < 0) {
        rc = fail(r);
        if (!standard && lseek(fd, 0, SEEK_CUR) == 0) (void)unlink(name);
    }
    if (fd >= 0 && !standard && close(fd) < 0) rc = opt_bad_use(&command, "%s: %s", name, strerror(errno));
    if (rc == OPT_GO && !standard && !r->o->json) fprintf(stderr, "weir peek: %s\n", name);
    wr_free(&path);
    return rc;
}

static void text_member(struct writer *w, const char *name, const char *text) {
    if (!text) return;
    wr_f(w, ",\"%s\":", name);
    json_text(w, slice_str(text));
}

static void body_write(const struct peek_opts *o, struct writer *w) {
    wr_f(w, "{\"duration\":%lld", (long long)o->duration);
    text_member(w, "name", o->name);
    text_member(w, "filter", o->filter);
    text_member(w, "interface", o->interface);
    text_member(w, "redact", o->redact);
    if (o->snaplen) wr_f(w, ",\"snaplen\":%lld", (long long)o->snaplen);
    if (o->max_bytes) wr_f(w, ",\"max_bytes\":%lld", (long long)o->max_bytes);
    wr_c(w, '}');
    wr_c(w, 0);
}

/* watch_to_end watches a capture that was started here: Ctrl-C stops it, as it stops one of this machine, and its end
 * is waited for. */
static int watch_to_end(struct run *r, const char *id) {
    struct sigaction once = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &once, NULL);
    int rc = watch(r, id);
    if (!interrupted) return rc;
    interrupted = 0;
    rc = on_session(r, id, "POST", "/stop", false);
    return rc == OPT_GO ? watch(r, id) : rc;
}

static int start(struct run *r, const char *device) {
    struct writer path = wr_grow(), body = wr_grow(), answer = wr_grow();
    char id[64] = "";
    if (!r->o->duration) return opt_bad_use(&command, "how long? --duration SECONDS, from 30 to 86400, is missing");
    wr_s(&path, "/v1/devices/");
    peek_escape(&path, device);
    wr_s(&path, "/captures");
    wr_c(&path, 0);
    body_write(r->o, &body);
    int rc = ask(r, "POST", path.buf, body.buf, &answer);
    bool watches = r->o->wait || r->o->write;
    if (rc == OPT_GO && (!watches || r->o->json)) session_print(r, wr_done(&answer));
    if (rc == OPT_GO && watches && !peek_text(wr_done(&answer), "id", id, sizeof id)) rc = EXIT_TROUBLE;
    wr_free(&path);
    wr_free(&body);
    wr_free(&answer);
    if (rc != OPT_GO || !watches) return rc;
    rc = watch_to_end(r, id);
    return rc == EXIT_FINE && r->o->write ? download(r, id) : rc;
}

static int list(struct run *r, const char *device) {
    struct writer path = wr_grow(), answer = wr_grow();
    char next[64] = "";
    int64_t left = r->o->count ? r->o->count : INT64_MAX;
    int rc = OPT_GO;
    bool heading = !r->o->json;
    do {
        wr_reset(&path), wr_reset(&answer);
        if (device) wr_s(&path, "/v1/devices/"), peek_escape(&path, device), wr_s(&path, "/captures");
        else wr_s(&path, "/v1/sessions");
        wr_f(&path, "?limit=%d", left < LIST_PAGE ? (int)left : LIST_PAGE);
        if (*next) wr_s(&path, "&next="), peek_escape(&path, next);
        wr_c(&path, 0);
        rc = ask(r, "GET", path.buf, NULL, &answer);
        struct slice items = peek_list(wr_done(&answer), "captures"), item;
        if (rc == OPT_GO && heading)
            printf("%-24s  %-15s  %9s  %11s  %-24s  %-20s  %s\n", "ID", "STATE", "PACKETS", "BYTES", "CREATED",
                   "DEVICE", "REASON");
        heading = false;
        for (; rc == OPT_GO && left > 0 && peek_item(&items, &item); left--)
            r->o->json ? line_print(item) : row_print(item);
        if (rc != OPT_GO || !peek_text(wr_done(&answer), "next", next, sizeof next)) *next = 0;
    } while (rc == OPT_GO && *next && left > 0);
    wr_free(&path);
    wr_free(&answer);
    return rc;
}

static int things(struct run *r, const char *path, const char *member, const char *const *columns) {
    struct writer answer = wr_grow();
    int rc = ask(r, "GET", path, NULL, &answer);
    struct slice items = peek_list(wr_done(&answer), member), item;
    while (rc == OPT_GO && peek_item(&items, &item)) {
        struct writer w = wr_grow();
        for (size_t i = 0; !r->o->json && columns[i]; i++) column(&w, item, columns[i], i ? 16 : 24, false);
        if (r->o->json) wr_slice(&w, item);
        line_end(&w);
    }
    wr_free(&answer);
    return rc;
}

static int verb_run(struct run *r, const char *verb, const char *what) {
    static const char *const device[] = {"id", "kind", "of", "interface", "description", NULL}, *const interface[] = {
                                                                                                    "name",
                                                                                                    "description",
                                                                                                    NULL};
    if (!strcmp(verb, "start")) return start(r, what);
    if (!strcmp(verb, "list")) return list(r, what);
    if (!strcmp(verb, "show")) return on_session(r, what, "GET", "", true);
    if (!strcmp(verb, "watch")) return watch(r, what);
    if (!strcmp(verb, "stop")) return on_session(r, what, "POST", "/stop", true);
    if (!strcmp(verb, "download")) return download(r, what);
    if (!strcmp(verb, "delete")) return on_session(r, what, "DELETE", "", false);
    if (!strcmp(verb, "devices")) return things(r, "/v1/devices", "devices", device);
    return things(r, "/v1/interfaces", "interfaces", interface);
}

/* words_check sees that the verb is known and has what it needs: OPT_GO or an exit status. */
static int words_check(const struct peek_opts *o) {
    static const char *const verbs[] = {"start",  "show", "watch",   "stop",      "download",
                                        "delete", "list", "devices", "interfaces"};
    enum { NEED_ONE = 6, MAY_ONE = 7, VERBS = 9 };
    size_t i = 0;
    if (!o->words.n)
        return opt_bad_use(
            &command, "what to do is missing: start, list, show, watch, stop, download, delete, devices or interfaces");
    while (i < VERBS && strcmp(verbs[i], o->words.item[0]) != 0) i++;
    if (i == VERBS) {
        return opt_unknown(&command, "unknown word", o->words.item[0], verbs, VERBS, "`weir peek --help` lists them");
    }
    if (i < NEED_ONE && o->words.n < 2)
        return opt_bad_use(&command, i ? "%s: which capture? its id, or last" : "%s: which device?", verbs[i]);
    if (o->words.n > (i < MAY_ONE ? 2u : 1u))
        return opt_bad_use(&command, "%s: one word too many: %s", verbs[i], o->words.item[o->words.n - 1]);
    return OPT_GO;
}

static int run(const struct peek_opts *o) {
    struct run r = {.o = o};
    struct peek_plan plan = {
        .server = o->server, .token = o->token, .ca = o->ca, .insecure = o->insecure, .stop = &interrupted};
    int rc = words_check(o);
    if (rc != OPT_GO) return rc;
    r.why = wr_fixed(r.text, sizeof r.text - 1);
    if (peek_open(&r.p, &plan, &r.why) < 0) return fail(&r);
    rc = verb_run(&r, o->words.item[0], o->words.n > 1 ? o->words.item[1] : NULL);
    peek_free(r.p);
    return rc == OPT_GO ? EXIT_FINE : rc;
}

int cmd_peek(int argc, char **argv) {
    struct peek_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO) rc = run(&o);
    opt_release(&command, &o);
    return rc;
}
