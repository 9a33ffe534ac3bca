/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation. Each host is a network namespace without a name, held by a process that does nothing else. The
 * holders die with the keeper (PR_SET_PDEATHSIG), and the namespaces with their last process, so there is nothing to
 * clean up, however the keeper ends; nor is there anything whose name could collide, as the links never are in the
 * namespace of the machine. What `up` leaves for `enter` and `down` is a file with the numbers of the processes, locked
 * by the keeper: a file without a lock is of a network that is gone, and is removed by who finds it.
 *
 * Without root the keeper first makes a user namespace in which it is root; who enters a host enters that too. */
#include "app/lesson/world.h"
#include "app/children.h"
#include "base/words.h"
#include "io/capture/delayline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEVICE, GATEWAY, BROKER, COMMAND_WORDS = 24, OUTPUT_MAX = 400 };

static const char *const hosts[WORLD_HOSTS] = {[DEVICE] = "device", [GATEWAY] = "gateway", [BROKER] = "broker"};

#define FORWARD(rules) "table inet weir { chain forward { type filter hook forward priority 0\n" rules "\n}\n}\n"

static const char *const slow[] = {"tc qdisc add dev device root tbf rate 64kbit burst 4k latency 2s",
                                   "tc qdisc add dev broker root tbf rate 64kbit burst 4k latency 2s", NULL};
static const char *const forgets[] = {"/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established 10",
                                      "/proc/sys/net/netfilter/nf_conntrack_tcp_loose 0", NULL};

const struct world_kind world_kinds[WORLD_KINDS] = {
    {"plain", N_("nothing is broken"), NULL, NULL},
    {"delay", N_("every packet takes 300 ms longer, each way"), NULL, NULL, 300},
    {"slow", N_("64 kbit/s each way"), NULL, slow},
    {"loss", N_("the gateway loses one packet in seven towards the broker"),
     FORWARD("ip saddr " WORLD_DEVICE " numgen random mod 7 == 0 drop"), NULL},
    {"mtu", N_("packets above 1000 bytes vanish and nobody says so"), FORWARD("meta length > 1000 drop"), NULL},
    {"nat",
     N_("the gateway translates addresses, forgets connections after 10 idle seconds and resets what it has forgotten"),
     "table ip weir { chain post { type nat hook postrouting priority 100\noifname \"broker\" masquerade\n}\n"
     "chain forward { type filter hook forward priority 0\n"
     "tcp flags & syn != syn ct state { new, invalid } reject with tcp reset\n}\n}\n",
     forgets},
    {"drop", N_("a firewall drops what goes to port 1883"), FORWARD("tcp dport 1883 drop"), NULL},
    {"reject", N_("a firewall answers what goes to port 1883: prohibited"),
     FORWARD("tcp dport 1883 reject with icmpx admin-prohibited"), NULL},
    {"deaf", N_("the device's acknowledgments do not arrive: the handshake's third step is lost"),
     FORWARD("ip saddr " WORLD_DEVICE " tcp flags & (syn | ack) == ack drop"), NULL},
};

struct world {
    pid_t keeper, holder[WORLD_HOSTS];
};

/* ---- namespaces ---- */

static bool text_write(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return ok;
}

/* own_users makes this process root of a user namespace, where it is not root already. */
static bool own_users(void) {
    char map[64], groups[64];
    if (geteuid() == 0) return true;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER) == 0 && text_write("/proc/self/setgroups", "deny") &&
           text_write("/proc/self/uid_map", map) && text_write("/proc/self/gid_map", groups);
}

static bool loopback_up(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;
    r.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

bool own_network(void) { return own_users() && unshare(CLONE_NEWNET) == 0 && loopback_up(); }

static bool enter_one(pid_t pid, const char *kind, int flag) {
    char path[64];
    struct stat mine, theirs;
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    bool known = stat(path, &mine) == 0;
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    if (known && stat(path, &theirs) == 0 && mine.st_ino == theirs.st_ino) return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && setns(fd, flag) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static bool enter_process(pid_t pid) {
    return enter_one(pid, "user", CLONE_NEWUSER) && enter_one(pid, "net", CLONE_NEWNET);
}

/* quiet lets go of what a terminal or a pipe would wait for. */
static void quiet(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++) dup2(null, i);
}

/* holder_start makes a host; its process, or -1. */
static pid_t holder_start(void) {
    int ready[2];
    char byte = 0;
    pid_t parent = getpid();
    if (pipe2(ready, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "weir-lab-host");
        static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) signal(ours[i], SIG_IGN); /* the keeper's to decide */
        bool ok = getppid() == parent && unshare(CLONE_NEWNET) == 0 && loopback_up();
        if (!ok || write(ready[1], "", 1) != 1) _exit(1);
        quiet();
        (void)close_range(STDERR_FILENO + 1, ~0U, 0); /* the lock too: it is the keeper's */
        for (;;) pause();
    }
    close(ready[1]);
    if (pid > 0 && read(ready[0], &byte, 1) != 1) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(ready[0]);
    return pid;
}

/* ---- making one ---- */

/* become is the process of a command on a host: a program, or, where the first word is a file of /proc/sys, a setting.
 */
static _Noreturn void become(pid_t host, char *const argv[]) {
    if (!enter_process(host)) _exit(1);
    if (argv[0][0] == '/') _exit(text_write(argv[0], argv[1]) ? 0 : 1);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execvp(argv[0], argv);
    _exit(127);
}

/* run_on runs a command line on a host, with `input` as its input; says why where it fails. */
static int run_on(pid_t host, const char *line, const char *input, struct writer *why) {
    char text[256], *argv[COMMAND_WORDS], *save = NULL, said[OUTPUT_MAX];
    int in[2], out[2], status, n = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok_r(text, " ", &save); w && n < COMMAND_WORDS - 1; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    argv[n] = NULL;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return ERR_IO;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO), dup2(out[1], STDOUT_FILENO), dup2(out[1], STDERR_FILENO);
        become(host, argv);
    }
    close(in[0]), close(out[1]);
    if (input) (void)!write(in[1], input, strlen(input)); /* shorter than a pipe holds */
    close(in[1]);
    ssize_t got = read(out[0], said, sizeof said - 1);
    close(out[0]);
    said[got > 0 ? got : 0] = 0;
    said[strcspn(said, "\n")] = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(status) && !WEXITSTATUS(status)) return OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        wr_f(why, "%s is missing: `sudo apt install iproute2 nftables`", argv[0]);
    else wr_f(why, "`%s` failed: %s", line, said);
    return ERR_IO;
}

/* step is a command of making a cable, with the net's number, the gateway's process and the host's name. */
struct step {
    bool gateway;
    const char *form;
};

static int steps_run(const struct world *w, int host, const struct step *step, size_t n, struct writer *why) {
    char line[160];
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof line, step[i].form, host == DEVICE ? 1 : 2, (int)w->holder[GATEWAY], hosts[host]);
        int rc = run_on(w->holder[step[i].gateway ? GATEWAY : host], line, NULL, why);
        if (rc != OK) return rc;
    }
    return OK;
}

/* cable joins a host to the gateway: eth0 there, an interface of the host's name here. A slow one has a second piece,
 * from `near` to `far`, which delayline_run closes. */
static int cable(const struct world *w, int host, bool slow_one, struct writer *why) {
    static const struct step direct[] = {{false, "ip link add eth0 type veth peer name %3$s netns %2$d"}};
    static const struct step pieces[] = {{false, "ip link add eth0 type veth peer name near netns %2$d"},
                                         {true, "ip link add %3$s type veth peer name far"},
                                         {true, "ip link set near up"},
                                         {true, "ip link set far up"}};
    static const struct step rest[] = {{false, "ip addr add 10.77.%1$d.2/24 dev eth0"},
                                       {false, "ip link set eth0 up"},
                                       {true, "ip addr add 10.77.%1$d.1/24 dev %3$s"},
                                       {true, "ip link set %3$s up"},
                                       {false, "ip route add default via 10.77.%1$d.1"}};
    int rc =
        slow_one ? steps_run(w, host, pieces, sizeof pieces / sizeof *pieces, why) : steps_run(w, host, direct, 1, why);
    return rc == OK ? steps_run(w, host, rest, sizeof rest / sizeof *rest, why) : rc;
}

/* plain_on makes an interface of a host compute its checksums. */
static bool plain_on(pid_t host, const char *name) {
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(enter_process(host) && delayline_plain(name) ? 0 : 1);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* carrier_start carries the frames of the slow cable, in a process that ends with the keeper. */
static int carrier_start(const struct world *w, int delay_ms, struct writer *why) {
    pid_t parent = getpid();
    if (!plain_on(w->holder[DEVICE], "eth0") || !plain_on(w->holder[GATEWAY], hosts[DEVICE])) {
        wr_s(why, "an interface does not let go of its checksums");
        return ERR_IO;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "weir-lab-cable");
        quiet();
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        if (getppid() == parent && enter_process(w->holder[GATEWAY])) (void)delayline_run("near", "far", delay_ms);
        _exit(1);
    }
    return pid > 0 ? OK : ERR_IO;
}

static int build(struct world *w, const struct world_kind *kind, struct writer *why) {
    if (!own_users()) return wr_s(why, "networks need root here: run this with sudo"), ERR_DENIED;
    for (int i = 0; i < WORLD_HOSTS; i++)
        if ((w->holder[i] = holder_start()) < 0)
            return wr_s(why, "a network namespace could not be made: run this with sudo"), ERR_DENIED;
    int rc = cable(w, DEVICE, kind->delay_ms > 0, why);
    if (rc == OK) rc = cable(w, BROKER, false, why);
    if (rc == OK && kind->delay_ms) rc = carrier_start(w, kind->delay_ms, why);
    if (rc == OK) rc = run_on(w->holder[GATEWAY], "/proc/sys/net/ipv4/ip_forward 1", NULL, why);
    if (rc == OK && kind->rules) rc = run_on(w->holder[GATEWAY], "nft -f -", kind->rules, why);
    for (size_t i = 0; rc == OK && kind->commands && kind->commands[i]; i++)
        rc = run_on(w->holder[GATEWAY], kind->commands[i], NULL, why);
    return rc;
}

static void holders_kill(const struct world *w) {
    for (int i = 0; i < WORLD_HOSTS; i++)
        if (w->holder[i] > 0) kill(w->holder[i], SIGKILL), waitpid(w->holder[i], NULL, 0);
}

/* ---- the file by which others find it ---- */

static const char *folder(void) {
    static char path[128];
    const char *run = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0) snprintf(path, sizeof path, "/run/weir-lab");
    else if (run && strlen(run) < 64) snprintf(path, sizeof path, "%s/weir-lab", run);
    else snprintf(path, sizeof path, "/tmp/weir-lab-%u", (unsigned)geteuid());
    struct stat st;
    (void)mkdir(path, 0700);
    /* somebody else's folder of that name is not trusted */
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() ? path : NULL;
}

static bool name_fits(const char *name) {
    return *name && strlen(name) < WORLD_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(name);
}

/* file_lock opens the file of a name and locks it; the descriptor, or -1 with EWOULDBLOCK where a keeper has it. The
 * file locked may have lost its name meanwhile to who found it without a keeper: then it is of no use. */
static int file_lock(const char *name, int flags, char path[static 192]) {
    const char *dir = folder();
    if (!dir) return -1;
    snprintf(path, 192, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0) return -1;
    struct stat mine, named;
    int e = flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
    if (!e && (fstat(fd, &mine) || stat(path, &named) || mine.st_ino != named.st_ino)) e = ESTALE;
    if (!e) return fd;
    close(fd);
    errno = e;
    return -1;
}

/* file_make is file_lock for a keeper: who only looks has a file without a keeper for a moment, so it tries again. */
static int file_make(const char *name, char path[static 192]) {
    struct timespec step = {.tv_nsec = 5000000};
    int fd = file_lock(name, O_CREAT, path);
    for (int i = 0; fd < 0 && (errno == EWOULDBLOCK || errno == ESTALE) && i < 20; i++) {
        nanosleep(&step, NULL);
        fd = file_lock(name, O_CREAT, path);
    }
    return fd;
}

/* find reads the numbers of a network that is up. */
static bool find(const char *name, struct world *w) {
    char path[192], text[128] = "";
    int fd = name_fits(name) ? file_lock(name, 0, path) : -1;
    if (fd >= 0) { /* nobody keeps it: it is gone */
        unlink(path);
        close(fd);
        return false;
    }
    if (!name_fits(name) || errno != EWOULDBLOCK) return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) close(fd);
    int v[4];
    if (n <= 0 || sscanf(text, "%d %d %d %d", &v[0], &v[1], &v[2], &v[3]) != 4) return false;
    *w = (struct world){v[0], {v[1], v[2], v[3]}};
    return true;
}

int worlds_up(char names[WORLDS_MAX][WORLD_NAME_MAX]) {
    const char *path = folder();
    DIR *d = path ? opendir(path) : NULL;
    struct world w;
    int n = 0;
    for (struct dirent *e; d && n < WORLDS_MAX && (e = readdir(d));)
        if (e->d_name[0] != '.' && find(e->d_name, &w)) snprintf(names[n++], WORLD_NAME_MAX, "%.31s", e->d_name);
    if (d) closedir(d);
    return n;
}

static bool file_write(int fd, const struct world *w) {
    char text[128];
    int n = snprintf(text, sizeof text, "%d %d %d %d\n", (int)w->keeper, (int)w->holder[0], (int)w->holder[1],
                     (int)w->holder[2]);
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

/* make is the keeper's work; the lock stays with it. */
static int make(const struct world_kind *kind, int fd, struct writer *why) {
    struct world w = {.keeper = getpid(), .holder = {-1, -1, -1}};
    int rc = build(&w, kind, why);
    if (rc == OK && !file_write(fd, &w)) {
        wr_f(why, "the file of the network cannot be written: %s", strerror(errno));
        rc = ERR_IO;
    }
    if (rc != OK) holders_kill(&w);
    return rc;
}

/* keep is the keeper in the background: it says how it went and waits to be ended. */
static _Noreturn void keep(const struct world_kind *kind, int fd, int report) {
    char reason[512];
    struct writer why = wr_fixed(reason, sizeof reason);
    setsid();
    prctl(PR_SET_NAME, "weir-lab-net");
    quiet();
    int rc = make(kind, fd, &why);
    (void)!write(report, rc == OK ? "+" : reason, rc == OK ? 1 : wr_len(&why));
    close(report);
    if (rc != OK) _exit(1);
    for (;;) pause();
}

int world_up(const struct world_kind *kind, const char *name, bool hold, struct writer *why) {
    char path[192], said[512];
    int report[2];
    if (!name_fits(name)) return wr_s(why, "a name has letters, digits, - and _, at most 31"), ERR_USAGE;
    int fd = file_make(name, path);
    if (fd < 0) {
        if (errno == EWOULDBLOCK) wr_f(why, "'%s' is up already; `weir lab net down %s` ends it", name, name);
        else wr_f(why, "the folder for networks cannot be used: %s", strerror(errno));
        return ERR_IO;
    }
    if (hold) return make(kind, fd, why);
    if (pipe2(report, O_CLOEXEC)) return wr_s(why, strerror(errno)), ERR_IO;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) keep(kind, fd, report[1]);
    close(report[1]);
    close(fd);
    ssize_t n = pid < 0 ? 0 : read(report[0], said, sizeof said);
    close(report[0]);
    if (n == 1 && said[0] == '+') return OK;
    wr_bytes(why, said, n > 0 ? (size_t)n : 0);
    if (n <= 0) wr_s(why, "the network could not be made");
    unlink(path);
    return ERR_IO;
}

void world_forget(const char *name) {
    char path[192];
    const char *dir = folder();
    if (!dir) return;
    snprintf(path, sizeof path, "%s/%.31s", dir, name);
    unlink(path);
}

int world_enter(const char *name, const char *host, struct writer *why) {
    struct world w;
    if (!find(name, &w)) return wr_f(why, "no network '%s' is up", name), ERR_NOTFOUND;
    for (int i = 0; i < WORLD_HOSTS; i++) {
        if (strcmp(host, hosts[i])) continue;
        if (enter_process(w.holder[i])) return OK;
        wr_f(why, "%s cannot be entered: %s", host, strerror(errno));
        return ERR_DENIED;
    }
    wr_f(why, "there is no host '%s'; it is device, gateway or broker", host);
    return ERR_NOTFOUND;
}

/* guests_end ends the processes that run on the hosts. */
static void guests_end(const struct world *w) {
    struct stat host[WORLD_HOSTS], st;
    char path[300];
    for (int i = 0; i < WORLD_HOSTS; i++) {
        snprintf(path, sizeof path, "/proc/%d/ns/net", (int)w->holder[i]);
        if (stat(path, &host[i]) < 0) host[i].st_ino = 0;
    }
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%.16s/ns/net", e->d_name);
        if (pid <= 1 || pid == getpid() || stat(path, &st) < 0) continue;
        for (int i = 0; i < WORLD_HOSTS; i++)
            if (st.st_ino == host[i].st_ino && pid != w->holder[i]) kill(pid, SIGTERM);
    }
    if (d) closedir(d);
}

int world_down(const char *name, struct writer *why) {
    struct world w, still;
    if (!find(name, &w)) return wr_f(why, "no network '%s' is up", name), ERR_NOTFOUND;
    guests_end(&w);
    if (kill(w.keeper, SIGTERM) < 0) return wr_f(why, "%s: %s", name, strerror(errno)), ERR_DENIED;
    struct timespec step = {.tv_nsec = 20000000};
    for (int i = 0; i < 100 && find(name, &still); i++) nanosleep(&step, NULL);
    return OK;
}
