/* SPDX-License-Identifier: Apache-2.0 */
/* weir run: runs a command and records its traffic, with the keys of its TLS sessions. */
#include "app/cmd.h"
#include "app/condition.h"
#include "app/run/run.h"
#include "app/run/run_attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AT(member) offsetof(struct run_opts, member)

static const struct opt_def defs[] = {
    {'w', "write", "FILE",
     "record to FILE (pcapng); default: the program's name with .pcapng; with --pid, - is standard output", OPT_TEXT,
     AT(file)},
    {'p', "pid", "PID", "record a process that runs already, and those it starts, instead of a command", OPT_NUMBER,
     AT(pid), .min = 1, .max = INT32_MAX},
    {'a', "autostop", "COND", "with --pid: stop after duration:SECONDS or packets:N", OPT_LIST, AT(stops)},
    {'c', "count", "N", "with --pid: stop after N packets", OPT_NUMBER, AT(count), .min = 1},
    {'i', "interface", "NAME", "record on interface NAME only; default: any", OPT_TEXT, AT(device)},
    {'s', "snapshot-length", "BYTES", "keep so many bytes of each packet", OPT_NUMBER, AT(snaplen)},
    {'u', "user", "USER", "run the command as USER (root only)", OPT_TEXT, AT(user)},
    {'q', "quiet", NULL, "do not say how many packets there were; what is missing is still said", OPT_FLAG, AT(quiet)},
    {0, "no-preload", NULL,
     "load nothing into the command: find its sockets from outside, take only keys it logs itself", OPT_FLAG,
     AT(no_preload)},
};

static const char *const examples[] = {
    "weir run -w publish.pcapng -- mosquitto_pub -h localhost -t a/b -m hi",
    "weir run -- curl -s https://example.org/",
    "sudo weir run -u \"$USER\" -w app.pcapng -- python3 client.py",
    "sudo weir run --pid \"$(pidof -s mosquitto)\" -w broker.pcapng -a duration:60",
    "sudo weir run --pid 4711 -w - | weir read -r - -Y mqtt",
    NULL,
};

const struct opt_command run_command = {
    .name = "run",
    .synopsis = "[-w FILE] [options] {[--] COMMAND [ARGUMENT...] | --pid PID}",
    .purpose = "run a command, or join a process, and record its traffic with its TLS keys",
    .description =
        "Only what the command and the processes it starts send and receive is recorded, name lookups included. It "
        "runs as it would without weir: same terminal, same rights, servers on loopback and hosts outside are reached "
        "as usual.\n\n"
        "The keys of its TLS sessions are put into the file, so that `weir read` and Wireshark show what was said "
        "without being given a key: keep the file as you would keep the keys. Programs that obey SSLKEYLOGFILE "
        "(GnuTLS, NSS, curl, Python, browsers) log them themselves; for others that use OpenSSL as a shared library "
        "(mosquitto_pub) a small library is preloaded that asks OpenSSL for them. What could not be caught is said at "
        "the end: programs linked statically bring their TLS with them, and programs that run with more rights than "
        "their caller cannot be joined.\n\n"
        "With --pid a process that runs already is joined, until Ctrl-C, until -a or -c says so, or until it ends; it "
        "is not stopped or changed. The keys of TLS sessions that begin from then on are taken from it where it uses "
        "OpenSSL as a shared library (Linux 6.0 or later, root): the kernel reads them when the process calls the "
        "library. Connections that are older, and other TLS libraries, are recorded without, and that is said.\n\n"
        "Exit status: that of the command, 128 and the number of the signal that ended it, 126 or 127 where it could "
        "not be started, 2 where the recording failed; with --pid 0 or 2.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = AT(words),
    .stop_at_word = true,
};

/* file_open makes the file, for nobody but its owner: it will hold keys. */
static int file_open(const char *path) {
    if (!strcmp(path, "-")) return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    if (fd >= 0 && geteuid() == 0 && uid && gid)
        (void)!fchown(fd, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10));
    return fd;
}

static int record(const struct run_opts *o, const struct run_source *from) {
    enum { BUFFER_KIB = 64 * 1024 };
    struct live_config config = {.device = o->device,
                                 .snaplen = (int)o->snaplen,
                                 .buffer_kib = BUFFER_KIB,
                                 .delay_ms = 20,
                                 .no_promiscuous = true,
                                 .filter = "ip or ip6"};
    char text[512];
    struct writer why = wr_fixed(text, sizeof text);
    struct live *live = NULL;
    int status = EXIT_TROUBLE;
    if (live_open(&live, &config, &why) < 0) return opt_bad_use(&run_command, "%.*s", (int)wr_len(&why), text);
    int fd = file_open(o->file);
    if (fd < 0) opt_bad_use(&run_command, "%s: %s", o->file, strerror(errno));
    else if (run_ends_make(from->ends) == OK) status = run_record(o, live, fd, from);
    run_ends_free(from->ends);
    if (fd >= 0) close(fd);
    live_close(live);
    return status;
}

/* stops_take reads the conditions of -a. */
static int stops_take(struct run_opts *o) {
    for (size_t i = 0; i < o->stops.n; i++) {
        static const struct condition known[] = {{"duration", 1000, AT(stop_ms)}, {"packets", 1, AT(count)}};
        if (!condition_take(o->stops.item[i], known, 2, o))
            return opt_bad_use(&run_command, "-a %s: expected duration:SECONDS or packets:N", o->stops.item[i]);
    }
    return EXIT_FINE;
}

/* name_default makes a file's name of a program's, which may hold anything. */
static void name_default(char *to, size_t size, const char *program) {
    const char *slash = strrchr(program, '/');
    snprintf(to, size, "%.250s.pcapng", slash && slash[1] ? slash + 1 : program);
    for (char *c = to; *c; c++)
        if (*c == '/' || (unsigned char)*c < ' ') *c = '_';
}

/* join records a process that runs already. */
static int join(struct run_opts *o) {
    char name[300];
    struct run_source from = {
        .ends = &(struct run_ends){0},
        .sockets = &(struct run_sockets){.root = (pid_t)o->pid, .fd = -1},
        .keys = &(struct run_keys){.fd = {-1, -1}, .part = {wr_grow(), wr_grow()}, .fresh = wr_grow()}};
    if (o->words.n) return opt_bad_use(&run_command, "--pid and a command: one of them is recorded at a time");
    if (o->user || o->no_preload)
        return opt_bad_use(&run_command, "%s is about how a command is run; it has no meaning with --pid",
                           o->user ? "-u" : "--no-preload");
    if (o->file && !strcmp(o->file, "-") && isatty(STDOUT_FILENO))
        return opt_bad_use(&run_command, "-w -: standard output is a terminal; pipe it, or name a file");
    int status = stops_take(o);
    if (status == EXIT_FINE) status = run_attach_open(&from.attach, (pid_t)o->pid);
    if (status != EXIT_FINE) return status;
    if (!o->file) name_default(name, sizeof name, run_attach_name(from.attach));
    if (!o->file) o->file = name;
    run_attach_begin(from.attach);
    status = record(o, &from);
    run_attach_close(from.attach);
    run_keys_free(from.keys);
    return status;
}

static int run(struct run_opts *o) {
    char name[300];
    if (!o->device) o->device = "any";
    if (o->pid) return join(o);
    if (!o->words.n)
        return opt_bad_use(&run_command, "which command? For example: weir run -- curl -s https://example.org/");
    if (o->stops.n || o->count)
        return opt_bad_use(&run_command, "-%c goes with --pid; a command is recorded to its end", o->count ? 'c' : 'a');
    if (o->file && !strcmp(o->file, "-"))
        return opt_bad_use(&run_command, "-w -: standard output belongs to the command; name a file");
    if (!o->file) {
        name_default(name, sizeof name, o->words.item[0]);
        o->file = name;
    }
    struct run_child child = {0};
    struct run_sockets sockets = {.fd = -1};
    struct run_keys keys = {.fd = {-1, -1}, .part = {wr_grow(), wr_grow()}, .fresh = wr_grow()};
    struct run_ends ends = {0};
    struct run_source from = {.child = &child, .sockets = &sockets, .keys = &keys, .ends = &ends};
    int status = run_child_start(&child, o, &sockets, &keys);
    if (status == EXIT_FINE) status = record(o, &from);
    if (sockets.fd >= 0) close(sockets.fd);
    run_keys_free(&keys);
    run_child_end(&child);
    return status;
}

int cmd_run(int argc, char **argv) {
    struct run_opts o = {0};
    int r = opt_parse(&run_command, &o, argc, argv);
    if (r == OPT_GO) {
        o.argv = calloc(o.words.n + 1, sizeof *o.argv); /* with the NULL at its end that execvp wants */
        for (size_t i = 0; o.argv && i < o.words.n; i++) o.argv[i] = o.words.item[i];
        r = o.argv ? run(&o) : EXIT_TROUBLE;
        free(o.argv);
    }
    opt_release(&run_command, &o);
    return r;
}
