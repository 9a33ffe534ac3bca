/* SPDX-License-Identifier: Apache-2.0 */
/* weir extcap: speaks Wireshark's interface for capture programs. Wireshark asks for interfaces, their link types and
 * options, and then has one captured into a pipe: each device of a `weir serve` is an interface, a capture of it is a
 * capture on demand there, and what the server records is passed on as it comes. Wireshark ends it by SIGTERM or by
 * closing the pipe; then the capture on the server is stopped. */
#include "app/cmd.h"
#include "app/opt.h"
#include "app/peek/peek_http.h"
#include "io/out.h"
#include "view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "weir:"
enum { LIST_CONNECT_MS = 1500, SECONDS_DEFAULT = 3600, TEXT = 600 };

struct extcap_opts {
    const char *interface, *fifo, *filter, *version, *server, *token, *ca, *device, *on;
    int64_t duration;
    bool interfaces, dlts, config, capture, insecure;
};

static const struct opt_def defs[] = {
    {0, "extcap-interfaces", NULL, "list the devices of the server", OPT_FLAG,
     offsetof(struct extcap_opts, interfaces)},
    {0, "extcap-dlts", NULL, "list the link types of an interface", OPT_FLAG, offsetof(struct extcap_opts, dlts)},
    {0, "extcap-config", NULL, "list the options of an interface", OPT_FLAG, offsetof(struct extcap_opts, config)},
    {0, "capture", NULL, "capture an interface into a pipe", OPT_FLAG, offsetof(struct extcap_opts, capture)},
    {0, "extcap-interface", "NAME", "the interface", OPT_TEXT, offsetof(struct extcap_opts, interface)},
    {0, "extcap-capture-filter", "FILTER", "capture filter", OPT_TEXT, offsetof(struct extcap_opts, filter)},
    {0, "extcap-version", "VERSION", "Wireshark's version", OPT_TEXT, offsetof(struct extcap_opts, version),
     .bare = ""},
    {0, "fifo", "FILE", "the pipe", OPT_TEXT, offsetof(struct extcap_opts, fifo)},
    {0, "server", "ADDRESS", "the server ($WEIR_SERVER, else http://127.0.0.1:8080)", OPT_TEXT,
     offsetof(struct extcap_opts, server)},
    {0, "token", "TOKEN", "what gives the right ($WEIR_TOKEN)", OPT_TEXT, offsetof(struct extcap_opts, token)},
    {0, "cafile", "FILE", "who signed the server's certificate (PEM)", OPT_TEXT, offsetof(struct extcap_opts, ca)},
    {0, "insecure", NULL, "take any certificate", OPT_FLAG, offsetof(struct extcap_opts, insecure)},
    {0, "device", "DEVICE", "what to capture, where the interface is \"weir\"", OPT_TEXT,
     offsetof(struct extcap_opts, device)},
    {0, "on", "NAME", "interface of the server", OPT_TEXT, offsetof(struct extcap_opts, on)},
    {0, "duration", "SECONDS", "ends by itself after so long (3600)", OPT_NUMBER,
     offsetof(struct extcap_opts, duration), .min = 30, .max = 86400},
};
static const char *const examples[] = {"weir extcap --extcap-interfaces",
                                       "WEIR_SERVER=http://probe.example:8080 wireshark",
                                       "WEIR_SERVER=http://probe.example:8080 tshark -i weir:192.0.2.7", NULL};
static const struct opt_command command = {
    .name = "extcap",
    .synopsis = "--extcap-interfaces | --extcap-dlts | --extcap-config | --capture --fifo FILE --extcap-interface NAME",
    .purpose = "what Wireshark asks to list and capture from a server's devices",
    .description =
        "Wireshark runs it by itself, through the script weir-extcap in its folder of capture programs; then the "
        "devices of the server stand in its list of interfaces, and a capture of one runs on the server.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = OPT_NO_WORDS,
};

static volatile sig_atomic_t stop_asked;
static void on_stop(int sig) { stop_asked = sig; }

/* braces_out takes out what would end a value in Wireshark's notation. */
static void braces_out(char *text) {
    for (; *text; text++)
        if (*text == '{' || *text == '}' || (unsigned char)*text < ' ' || *text == 0x7f) *text = '_';
}

static void device_print(struct slice item) {
    char id[TEXT] = "", of[TEXT] = "", about[TEXT] = "";
    (void)peek_text(item, "id", id, sizeof id);
    (void)peek_text(item, "of", of, sizeof of);
    (void)peek_text(item, "description", about, sizeof about);
    if (!*id || strpbrk(id, "{}")) return;
    braces_out(of), braces_out(about);
    printf("interface {value=" PREFIX "%s}{display=Weir: %s%s%s%s%s}\n", id, *about ? about : id,
           strcmp(of, id) ? " (" : "", strcmp(of, id) ? of : "", strcmp(of, id) ? ")" : "", "");
}

static struct peek_plan plan_of(const struct extcap_opts *o) {
    return (struct peek_plan){.server = o->server, .token = o->token, .ca = o->ca, .insecure = o->insecure};
}

/* interfaces lists the devices; where the server does not answer quickly, the one that takes any device stands alone.
 */
static int interfaces(const struct extcap_opts *o) {
    char text[PEEK_WHY_MAX];
    struct writer why = wr_fixed(text, sizeof text), answer = wr_grow();
    struct peek_plan plan = plan_of(o);
    struct peek *p = NULL;
    plan.connect_ms = LIST_CONNECT_MS;
    printf("extcap {version=" WEIR_VERSION "}{display=Weir}\n");
    printf("interface {value=weir}{display=Weir: a device of a server}\n");
    if (peek_open(&p, &plan, &why) == OK && peek_ask(p, "GET", "/v1/devices", NULL, &answer, &why) == OK) {
        struct slice items = peek_list(wr_done(&answer), "devices"), item;
        while (peek_item(&items, &item)) device_print(item);
    }
    peek_free(p);
    wr_free(&answer);
    return EXIT_FINE;
}

static void options_print(bool any) {
    int n = 0;
    if (any)
        printf("arg {number=%d}{call=--device}{display=Device}{type=string}{required=true}{tooltip=address, prefix, "
               "MAC address, mqtt:CLIENT, interface:NAME or a label}\n",
               n++);
    printf(
        "arg {number=%d}{call=--server}{display=Server}{type=string}{tooltip=as weir serve printed it; $WEIR_SERVER}\n",
        n++);
    printf("arg {number=%d}{call=--token}{display=Token}{type=password}{tooltip=of the role capture; $WEIR_TOKEN}\n",
           n++);
    printf("arg {number=%d}{call=--on}{display=Interface of the server}{type=string}\n", n++);
    printf("arg {number=%d}{call=--duration}{display=Seconds}{type=integer}{range=30,86400}{default=%d}\n", n,
           SECONDS_DEFAULT);
}

/* ---- capture ---- */

static int complain(struct writer *why) { return opt_bad_use(&command, "%.*s", (int)wr_len(why), why->buf); }

static void body_write(const struct extcap_opts *o, struct writer *w) {
    wr_f(w, "{\"duration\":%lld", (long long)(o->duration ? o->duration : SECONDS_DEFAULT));
    if (o->filter && *o->filter) wr_s(w, ",\"filter\":"), json_text(w, slice_str(o->filter));
    if (o->on && *o->on) wr_s(w, ",\"interface\":"), json_text(w, slice_str(o->on));
    wr_c(w, '}');
    wr_c(w, 0);
}

static bool to_pipe(void *to, struct slice piece) { return !stop_asked && out_write(*(int *)to, piece, NULL) == OK; }

/* pass_on copies the growing file into the pipe, and stops the capture when that has ended. */
static int pass_on(struct peek *p, const char *id, int fd, struct writer *why) {
    char path[128], reason[TEXT], state[32] = "";
    struct writer answer = wr_grow();
    snprintf(path, sizeof path, "/v1/sessions/%s/file?follow=1", id);
    int rc = peek_stream(p, path, to_pipe, &fd, why);
    snprintf(path, sizeof path, "/v1/sessions/%s/stop", id);
    char none[64];
    struct writer ignored = wr_fixed(none, sizeof none);
    (void)!peek_ask(p, "POST", path, NULL, &answer, &ignored);
    wr_reset(&answer);
    snprintf(path, sizeof path, "/v1/sessions/%s", id);
    if (peek_ask(p, "GET", path, NULL, &answer, &ignored) == OK &&
        peek_text(wr_done(&answer), "state", state, sizeof state) && !strcmp(state, "FAILED") &&
        peek_text(wr_done(&answer), "reason", reason, sizeof reason)) {
        wr_reset(why);
        wr_s(why, reason);
        rc = ERR_IO;
    }
    wr_free(&answer);
    return rc;
}

static int capture(const struct extcap_opts *o, const char *device) {
    char text[PEEK_WHY_MAX], id[64] = "";
    struct writer why = wr_fixed(text, sizeof text), path = wr_grow(), body = wr_grow(), answer = wr_grow();
    struct peek_plan plan = plan_of(o);
    struct peek *p = NULL;
    struct sigaction stop = {.sa_handler = on_stop};
    plan.stop = &stop_asked;
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = open(o->fifo, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return opt_bad_use(&command, "%s: %s", o->fifo, strerror(errno));
    wr_s(&path, "/v1/devices/"), peek_escape(&path, device), wr_s(&path, "/captures"), wr_c(&path, 0);
    body_write(o, &body);
    int rc = peek_open(&p, &plan, &why);
    if (rc == OK) rc = peek_ask(p, "POST", path.buf, body.buf, &answer, &why);
    if (rc == OK && peek_text(wr_done(&answer), "id", id, sizeof id)) rc = pass_on(p, id, fd, &why);
    int status = rc < 0 ? complain(&why) : EXIT_FINE;
    close(fd);
    peek_free(p);
    wr_free(&path), wr_free(&body), wr_free(&answer);
    return status;
}

static int run(const struct extcap_opts *o) {
    bool any = o->interface && !strcmp(o->interface, "weir");
    const char *device = any ? o->device
                         : o->interface && !strncmp(o->interface, PREFIX, strlen(PREFIX))
                             ? o->interface + strlen(PREFIX)
                             : NULL;
    if (o->interfaces) return interfaces(o);
    if (!o->interface)
        return opt_bad_use(&command, "Wireshark runs this; --extcap-interfaces lists what it would show");
    if (!any && !device)
        return opt_bad_use(&command, "--extcap-interface %s: it is none of those --extcap-interfaces lists",
                           o->interface);
    if (o->dlts) printf("dlt {number=1}{name=EN10MB}{display=as captured on the server}\n");
    else if (o->config) options_print(any);
    else if (o->capture && !o->fifo) return opt_bad_use(&command, "--capture: the pipe, --fifo FILE, is missing");
    else if (o->capture && (!device || !*device))
        return opt_bad_use(&command, "--capture: the device, --device, is missing");
    else if (o->capture) return capture(o, device);
    return EXIT_FINE;
}

int cmd_extcap(int argc, char **argv) {
    struct extcap_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO) rc = run(&o);
    opt_release(&command, &o);
    return rc;
}
