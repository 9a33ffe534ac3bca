/* SPDX-License-Identifier: Apache-2.0 */
/* weir run: runs a command and records its traffic, with the keys of its TLS sessions. */
#include "app/cmd.h"
#include "app/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AT(member) offsetof(struct run_opts, member)

static const struct opt_def defs[] = {
    {'w', "write", "FILE", "record to FILE (pcapng); default: the command's name with .pcapng", OPT_TEXT, AT(file)},
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
    NULL,
};

const struct opt_command run_command = {
    .name = "run",
    .synopsis = "[-w FILE] [options] [--] COMMAND [ARGUMENT...]",
    .purpose = "run a command and record its traffic, with its TLS keys",
    .description = "Only what the command and the processes it starts send and receive is recorded, name lookups "
                   "included. It runs as it "
                   "would without weir: same terminal, same rights, servers on loopback and hosts outside are reached "
                   "as usual.\n\n"
                   "The keys of its TLS sessions are put into the file, so that `weir read` and Wireshark show what "
                   "was said without being "
                   "given a key: keep the file as you would keep the keys. Programs that obey SSLKEYLOGFILE (GnuTLS, "
                   "NSS, curl, Python, "
                   "browsers) log them themselves; for others that use OpenSSL as a shared library (mosquitto_pub) a "
                   "small library is "
                   "preloaded that asks OpenSSL for them. What could not be caught is said at the end: programs linked "
                   "statically bring "
                   "their TLS with them, and programs that run with more rights than their caller cannot be joined.\n\n"
                   "Exit status: that of the command, 128 and the number of the signal that ended it, 126 or 127 where "
                   "it could not be "
                   "started, 2 where the recording failed.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = AT(words),
    .stop_at_word = true,
};

/* file_open makes the file, for nobody but its owner: it will hold keys. */
static int file_open(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    if (fd >= 0 && geteuid() == 0 && uid && gid)
        (void)!fchown(fd, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10));
    return fd;
}

static int record(const struct run_opts *o, struct run_child *child, struct run_sockets *s, struct run_keys *k) {
    enum { BUFFER_KIB = 64 * 1024 };
    struct live_config config = {.device = o->device,
                                 .snaplen = (int)o->snaplen,
                                 .buffer_kib = BUFFER_KIB,
                                 .delay_ms = 20,
                                 .no_promiscuous = true,
                                 .filter = "ip or ip6"};
    struct run_ends ends = {0};
    char text[512];
    struct writer why = wr_fixed(text, sizeof text);
    struct live *live = NULL;
    int status = EXIT_TROUBLE;
    if (live_open(&live, &config, &why) < 0) return opt_bad_use(&run_command, "%.*s", (int)wr_len(&why), text);
    int fd = file_open(o->file);
    if (fd < 0) opt_bad_use(&run_command, "%s: %s", o->file, strerror(errno));
    else if (run_ends_make(&ends) == OK) status = run_record(o, live, fd, child, s, k, &ends);
    run_ends_free(&ends);
    if (fd >= 0) close(fd);
    live_close(live);
    return status;
}

static int run(struct run_opts *o) {
    char name[300];
    if (!o->words.n)
        return opt_bad_use(&run_command, "which command? For example: weir run -- curl -s https://example.org/");
    if (o->file && !strcmp(o->file, "-"))
        return opt_bad_use(&run_command, "-w -: standard output belongs to the command; name a file");
    if (!o->device) o->device = "any";
    if (!o->file) {
        const char *slash = strrchr(o->words.item[0], '/');
        snprintf(name, sizeof name, "%.250s.pcapng", slash ? slash + 1 : o->words.item[0]);
        o->file = name;
    }
    struct run_child child = {0};
    struct run_sockets sockets = {.fd = -1};
    struct run_keys keys = {.fd = {-1, -1}, .part = {wr_grow(), wr_grow()}, .fresh = wr_grow()};
    int status = run_child_start(&child, o, &sockets, &keys);
    if (status == EXIT_FINE) status = record(o, &child, &sockets, &keys);
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
