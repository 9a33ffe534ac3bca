/* SPDX-License-Identifier: Apache-2.0 */
/* weir capture: sets up interface, files and privileges, in an order that leaves nothing privileged behind: the process
 * that opens files (savefile.c), the interface, the drop, then the first packet. */
#include "app/capture/capture.h"
#include "app/cmd.h"
#include "app/filter.h"
#include "app/rights.h"
#include "io/out.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pick_rights(const struct capture_opts *o, struct rights *t) {
    if (!rights_pick(t, o->user, o->after != NULL))
        return opt_bad_use(&capture_command, "-Z %s: there is no such user", o->user);
    return OPT_GO;
}

static struct writer error_line(char *buf, size_t n) { return wr_fixed(buf, n); }

static int say(const struct writer *why) { return opt_bad_use(&capture_command, "%.*s", (int)wr_len(why), why->buf); }

static int list_devices(void) {
    char text[512], buf[4096];
    int fd = STDOUT_FILENO;
    struct writer why = error_line(text, sizeof text), w = wr_sink(buf, sizeof buf, out_fd_flush, &fd);
    if (live_print_devices(&w, &why) < 0) return say(&why);
    (void)wr_flush(&w);
    return EXIT_FINE;
}

static int list_linktypes(const struct live_config *c) {
    char text[512], buf[4096];
    int fd = STDOUT_FILENO;
    struct writer why = error_line(text, sizeof text), w = wr_sink(buf, sizeof buf, out_fd_flush, &fd);
    wr_f(&w, "Data link types for %s (use option -y to set):\n", c->device);
    if (live_print_linktypes(c, &w, &why) < 0) return say(&why);
    (void)wr_flush(&w);
    return EXIT_FINE;
}

/* filter_text joins the words of the capture filter; the caller frees it. */
static char *filter_text(const struct capture_opts *o) {
    struct writer w = wr_grow();
    if (o->filter) wr_s(&w, o->filter);
    for (size_t i = 0; i < o->words.n; i++) wr_f(&w, "%s%s", i ? " " : "", o->words.item[i]);
    wr_c(&w, 0);
    char *text = w.err ? NULL : strdup(w.buf);
    wr_free(&w);
    return text;
}

static bool read_direction(const char *word, enum live_direction *direction) {
    static const char *const words[] = {"inout", "in", "out"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) != 0) continue;
        *direction = (enum live_direction)i;
        return true;
    }
    return false;
}

static int read_config(const struct capture_opts *o, struct live_config *c) {
    *c = (struct live_config){
        .device = o->device ? o->device : "1",
        .snaplen = (int)o->snaplen,
        .buffer_kib = (int)o->buffer_kib,
        .immediate = o->immediate || o->each_packet || !o->file,
        .no_promiscuous = o->no_promiscuous,
        .monitor = o->monitor,
        .linktype = o->linktype,
        .filter = o->filter,
    };
    if (o->direction && !read_direction(o->direction, &c->direction))
        return opt_bad_use(&capture_command, "-Q %s: expected in, out or inout", o->direction);
    if (o->precision && strcmp(o->precision, "micro") != 0 && strcmp(o->precision, "nano") != 0)
        return opt_bad_use(&capture_command, "--time-stamp-precision %s: expected micro or nano", o->precision);
    c->microseconds = o->precision && o->precision[0] == 'm';
    enum capwrite_format format;
    if (!capture_format(o, &format))
        return opt_bad_use(
            &capture_command,
            "-F %s: expected a format (pcapng, pcap, pcap-us); for tcpdump's filter file use -f \"$(cat %s)\"",
            o->format, o->format);
    return OPT_GO;
}

static void tell_start(const struct live *l, bool decoded) {
    char text[200];
    struct writer w = wr_fixed(text, sizeof text);
    live_linktype_text(l, &w);
    struct slice name = live_interface(l)->name;
    fprintf(stderr, "weir: %slistening on %.*s, link-type %.*s, snapshot length %u bytes\n",
            decoded ? "decoded lines (-w FILE records); " : "", (int)name.n, name.p, (int)wr_len(&w), text,
            live_interface(l)->snaplen);
}

static int make_files(const struct capture_opts *o, const struct capture_limits *limits, const struct rights *t,
                      struct savefiles **files) {
    if (!o->file) return OPT_GO;
    struct savefile_plan plan = capture_plan(o, limits);
    plan.chown = t->own;
    plan.owner = t->uid;
    plan.group = t->gid;
    bool guarded = t->drop && geteuid() == 0 && strcmp(o->file, "-") != 0;
    if (savefiles_make(files, &plan, guarded) == OK) return OPT_GO;
    return opt_bad_use(&capture_command, "cannot start the process that opens files: %s", strerror(errno));
}

static int capture_with(const struct capture_opts *o, const struct live_config *c, const struct capture_limits *limits,
                        const struct rights *t, struct savefiles *files) {
    char text[512];
    struct writer why = error_line(text, sizeof text);
    struct capture_view view = {0};
    struct live *live = NULL;
    int rc = live_open(&live, c, &why);
    if (rc == ERR_USAGE)
        filter_hint(&why, c->filter, "record with words such as `port 1883`, and filter when you read");
    if (rc < 0) return say(&why);
    int status = OPT_GO;
    if (!rights_drop(t))
        status = opt_bad_use(&capture_command, "cannot give up privileges: %s; -Z root keeps them", strerror(errno));
    if (status == OPT_GO && !o->file && capture_view_open(&view, o) != 0) status = EXIT_TROUBLE;
    if (status == OPT_GO) {
        capture_watch_signals();
        tell_start(live, !o->file);
        status = capture_run(o, limits, live, files, o->file ? NULL : &view);
    }
    live_close(live);
    return status;
}

static int capture(struct capture_opts *o) {
    struct capture_limits limits;
    struct live_config config;
    struct rights rights;
    struct savefiles *files = NULL;
    int r = capture_limits_read(o, &limits);
    if (r == OPT_GO) r = read_config(o, &config);
    if (r != OPT_GO) return r;
    if (o->devices) return list_devices();
    if (o->linktypes) return list_linktypes(&config);
    if (o->file && strcmp(o->file, "-") == 0 && isatty(STDOUT_FILENO))
        return opt_bad_use(&capture_command, "-w -: standard output is a terminal; pipe it, or name a file");
    if ((r = pick_rights(o, &rights)) != OPT_GO) return r;
    if ((r = make_files(o, &limits, &rights, &files)) != OPT_GO) return r;
    char *filter = filter_text(o);
    config.filter = filter;
    r = filter ? capture_with(o, &config, &limits, &rights, files) : EXIT_TROUBLE;
    free(filter);
    savefiles_free(files);
    return r;
}

int cmd_capture(int argc, char **argv) {
    struct capture_opts o = {0};
    int r = opt_parse(&capture_command, &o, argc, argv);
    if (r == OPT_GO) r = capture(&o);
    opt_release(&capture_command, &o);
    return r;
}
