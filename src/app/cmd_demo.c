/* SPDX-License-Identifier: Apache-2.0 */
/* weir demo: the first five minutes.
 *
 * Theory of operation: in a throw-away folder a broker (mosquitto) is started on a free loopback port, then `weir
 * capture`, then clients that between them use what MQTT has: QoS 0, 1 and 2, a retained message, a will, MQTT 5 with
 * properties. Each step waits for the effect of the one before (a port that answers, a line a subscriber printed),
 * never only for time. Then `weir read` shows the file. The folder keeps the capture and loses everything else.
 *
 * Without the right to capture, or without mosquitto, the sample that ships with the program is read instead. */
#include "app/children.h"
#include "app/cmd.h"
#include "app/opt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 512, START_MS = 5000, STEP_MS = 20, SETTLE_MS = 300 };

struct demo_opts {
    const char *write;
    bool sample;
};

static const struct opt_def defs[] = {
    {'w', "write", "FILE", "keep the capture in FILE instead of a new folder", OPT_TEXT,
     offsetof(struct demo_opts, write)},
    {0, "sample", NULL, "read the sample that ships with the program, capture nothing", OPT_FLAG,
     offsetof(struct demo_opts, sample)},
};

static const char *const examples[] = {"weir demo", "weir demo -w mqtt.pcapng", "weir demo --sample", NULL};

static const struct opt_command command = {
    .name = "demo",
    .synopsis = "[-w FILE | --sample]",
    .purpose = "the first five minutes: real MQTT traffic, captured and read",
    .description = "Starts a broker (mosquitto) on a free port of loopback, lets a few clients talk through it, "
                   "captures that, and reads it back: the list of MQTT packets and one of them in full. Everything it "
                   "started is ended again; the capture file stays.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = OPT_NO_WORDS,
};

struct demo {
    struct children kids;
    char self[PATH_LEN];  /* this program */
    char typed[PATH_LEN]; /* how a person here would type it */
    char dir[PATH_LEN];   /* the throw-away folder */
    char file[PATH_LEN + 32];
    char port[8];
    int capture;   /* place among kids */
    bool recorded; /* the capture is whole: it stays */
};

/* ---- where things are ---- */

static bool in_path(const char *program, char out[static PATH_LEN]) {
    const char *path = getenv("PATH");
    char all[4096], *save = NULL;
    snprintf(all, sizeof all, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin:/bin");
    for (char *dir = strtok_r(all, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        int n = snprintf(out, PATH_LEN, "%s/%s", dir, program);
        if (n < PATH_LEN && !access(out, X_OK)) return true;
    }
    return false;
}

/* "weir" where the shell would find this very file, else the path from the present folder, else the whole path. */
static void name_self(struct demo *d) {
    char found[PATH_LEN], real[PATH_MAX], cwd[PATH_LEN];
    ssize_t n = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
    d->self[n > 0 ? n : 0] = 0;
    snprintf(d->typed, sizeof d->typed, "%s", d->self);
    if (in_path("weir", found) && realpath(found, real) && !strcmp(real, d->self)) {
        snprintf(d->typed, sizeof d->typed, "weir");
    } else if (getcwd(cwd, sizeof cwd)) {
        size_t len = strlen(cwd);
        if (!strncmp(cwd, d->self, len) && d->self[len] == '/')
            snprintf(d->typed, sizeof d->typed, "%s%s", strchr(d->self + len + 1, '/') ? "" : "./", d->self + len + 1);
    }
}

static bool find_sample(struct demo *d) {
    static const char *const places[] = {"sample.pcapng", "../share/weir/sample.pcapng"};
    const char *slash = strrchr(d->self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(d->file, sizeof d->file, "%.*s/%s", (int)(slash - d->self), d->self, places[i]);
        if (!access(d->file, R_OK)) return true;
    }
    return false;
}

static void in_dir(const struct demo *d, const char *name, char out[static PATH_LEN + 32]) {
    snprintf(out, PATH_LEN + 32, "%s/%s", d->dir, name);
}

/* ---- waiting for effects ---- */

static int lines_in(const char *path) {
    FILE *f = fopen(path, "re");
    int n = 0;
    for (int c; f && (c = getc(f)) != EOF;) n += c == '\n';
    if (f) fclose(f);
    return n;
}

static bool wait_lines(const struct demo *d, const char *name, int lines) {
    char path[PATH_LEN + 32];
    in_dir(d, name, path);
    for (int left = START_MS; left > 0 && children_nap(STEP_MS); left -= STEP_MS)
        if (lines_in(path) >= lines) return true;
    return false;
}

static int loopback_socket(struct sockaddr_in *a, int port) {
    *a = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool port_answers(int port) {
    struct sockaddr_in a;
    int fd = loopback_socket(&a, port);
    bool up = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a);
    if (fd >= 0) close(fd);
    return up;
}

/* A port nobody listens on now; 0 when there is none. */
static int free_port(void) {
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    int fd = loopback_socket(&a, 0), port = 0;
    if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a) && !getsockname(fd, (struct sockaddr *)&a, &n))
        port = ntohs(a.sin_port);
    if (fd >= 0) close(fd);
    return port;
}

/* ---- the actors ---- */

static bool start_broker(struct demo *d) {
    char conf[PATH_LEN + 32], log[PATH_LEN + 32], program[PATH_LEN];
    in_dir(d, "broker.conf", conf);
    in_dir(d, "broker.log", log);
    int port = free_port();
    snprintf(d->port, sizeof d->port, "%d", port);
    FILE *f = fopen(conf, "we");
    if (!f || !in_path("mosquitto", program)) return f && !fclose(f) && false;
    fprintf(f, "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n", port);
    if (fclose(f)) return false;
    int broker = child_start(&d->kids, log, (char *[]){program, "-c", conf, NULL});
    for (int left = START_MS; broker >= 0 && left > 0 && child_running(&d->kids, broker); left -= STEP_MS)
        if (port_answers(port)) return children_nap(STEP_MS);
        else if (!children_nap(STEP_MS)) break;
    return false;
}

/* The capture is ready when it says so or when the file has its head; a moment more lets the kernel's filter settle. */
static bool start_capture(struct demo *d) {
    char log[PATH_LEN + 32];
    in_dir(d, "capture.log", log);
    unlink(d->file);
    d->capture = child_start(
        &d->kids, log, (char *[]){d->self, "capture", "-i", "lo", "-U", "-w", d->file, "tcp", "port", d->port, NULL});
    for (int left = START_MS; d->capture >= 0 && left > 0 && children_nap(STEP_MS); left -= STEP_MS) {
        struct stat st;
        if (!child_running(&d->kids, d->capture)) return false;
        if (lines_in(log) > 0 || (!stat(d->file, &st) && st.st_size > 0)) return children_nap(SETTLE_MS);
    }
    return false;
}

/* Runs a client of the broker to its end; a failure shows in the capture, not here. */
static void client(struct demo *d, char *const words[]) {
    char *argv[48] = {words[0], "-h", "127.0.0.1", "-p", d->port};
    size_t n = 5;
    for (size_t i = 1; words[i] && n < 47; i++) argv[n++] = words[i];
    char log[PATH_LEN + 32];
    in_dir(d, "clients.log", log);
    int at = child_start(&d->kids, log, argv);
    if (at >= 0 && child_wait(&d->kids, at, START_MS) >= 0) d->kids.n--;
}

static int listener(struct demo *d, const char *out, char *const words[]) {
    char *argv[48] = {"mosquitto_sub", "-h", "127.0.0.1", "-p", d->port, "-v"}, path[PATH_LEN + 32];
    size_t n = 6;
    for (size_t i = 0; words[i] && n < 47; i++) argv[n++] = words[i];
    in_dir(d, out, path);
    return child_start(&d->kids, path, argv);
}

#define CLIENT(d, ...) client(d, (char *[]){"mosquitto_pub", __VA_ARGS__, NULL})
#define LISTENER(d, out, ...) listener(d, out, (char *[]){__VA_ARGS__, NULL})

/* The play. The dashboard ends by itself after its six messages: retained, QoS 0, 1 and 2, the command, the will. */
static bool conversation(struct demo *d) {
    CLIENT(d, "-V", "5", "-i", "thermometer", "-q", "1", "-r", "-t", "home/kitchen/temperature", "-m", "21.5", "-D",
           "publish", "content-type", "text/plain", "-D", "publish", "message-expiry-interval", "3600", "-D", "publish",
           "user-property", "unit", "celsius");
    int dashboard = LISTENER(d, "dashboard", "-V", "5", "-i", "dashboard", "-q", "2", "-t", "home/#", "-t", "device/#",
                             "-C", "6", "-D", "connect", "session-expiry-interval", "60");
    if (!wait_lines(d, "dashboard", 1)) return false;
    CLIENT(d, "-V", "311", "-i", "meter", "-q", "0", "-t", "home/meter/power", "-m", "{\"watt\":421}");
    CLIENT(d, "-V", "311", "-i", "door", "-q", "1", "-t", "home/door/state", "-m", "open");
    CLIENT(d, "-V", "5", "-i", "lock", "-q", "2", "-t", "home/door/lock", "-m", "locked", "-D", "publish",
           "response-topic", "home/door/ack", "-D", "publish", "correlation-data", "req-1", "-D", "publish",
           "user-property", "origin", "demo");
    int pump = LISTENER(d, "pump", "-V", "311", "-i", "pump-7", "-q", "1", "-t", "device/pump-7/command",
                        "--will-topic", "device/pump-7/status", "--will-payload", "offline", "--will-qos", "1");
    if (pump < 0 || dashboard < 0 || !children_nap(SETTLE_MS)) return false;
    CLIENT(d, "-V", "5", "-i", "operator", "-q", "1", "-t", "device/pump-7/command", "-m", "start");
    if (!wait_lines(d, "pump", 1)) return false;
    child_signal(&d->kids, pump, SIGKILL); /* no DISCONNECT: the broker publishes the will */
    if (!wait_lines(d, "dashboard", 6)) return false;
    child_wait(&d->kids, dashboard, SETTLE_MS);
    return children_nap(SETTLE_MS);
}

/* ---- showing it ---- */

/* Runs `weir read` with the given words; prints the lines `keep` lets through, in order. */
static int show(struct demo *d, char *const words[], bool (*keep)(const char *line, void *with), void *with) {
    char out[PATH_LEN + 32], line[4096], *argv[16] = {d->self, "read"};
    for (size_t i = 0; words[i] && i < 13; i++) argv[i + 2] = words[i];
    in_dir(d, "shown", out);
    unlink(out);
    int at = child_start(&d->kids, out, argv);
    int status = at < 0 ? -1 : child_wait(&d->kids, at, 6 * START_MS);
    FILE *f = fopen(out, "re");
    while (f && fgets(line, sizeof line, f) && !children_stopped())
        if (status != 0 || keep(line, with)) fputs(line, stdout);
    if (f) fclose(f);
    unlink(out);
    return status;
}

/* Notes the frame whose tree to show: the first MQTT 5 PUBLISH of the lock, else the last PUBLISH of all. */
static bool keep_mqtt(const char *line, void *with) {
    unsigned long *chosen = with;
    if (!strstr(line, " MQTT ")) return false;
    bool best = strstr(line, "home/door/lock") != NULL;
    if (strstr(line, "Publish Message") && (!chosen[1] || (best && chosen[1] < 2))) {
        chosen[0] = strtoul(line, NULL, 10);
        chosen[1] = best ? 2 : 1;
    }
    return true;
}

/* Lets through the tree of one frame: from "Frame N:" on. */
static bool keep_frame(const char *line, void *with) {
    unsigned long *chosen = with;
    if (!strncmp(line, "Frame ", 6)) chosen[1] = strtoul(line + 6, NULL, 10) == chosen[0];
    return chosen[1];
}

static int show_file(struct demo *d) {
    unsigned long chosen[2] = {0, 0};
    char count[24];
    printf("\n$ %s read -n -r %s | grep MQTT\n", d->typed, d->file);
    if (show(d, (char *[]){"-n", "-r", d->file, NULL}, keep_mqtt, chosen)) return EXIT_TROUBLE;
    if (!chosen[0]) return fprintf(stderr, "weir demo: no MQTT packet in %s\n", d->file), EXIT_TROUBLE;
    snprintf(count, sizeof count, "%lu", chosen[0]);
    printf("\n$ %s read -n -V -r %s -c %s          (its last packet, number %s)\n", d->typed, d->file, count, count);
    chosen[1] = 0;
    if (show(d, (char *[]){"-n", "-V", "-r", d->file, "-c", count, NULL}, keep_frame, chosen)) return EXIT_TROUBLE;
    printf("\nThe capture is %s. Try next:\n\n"
           "  %s read -r %s -V | less\n"
           "  %s read -r %s -T fields -e frame.number -e mqtt.msgtype -e mqtt.topic\n"
           "  %s fields mqtt\n",
           d->file, d->typed, d->file, d->typed, d->file, d->typed);
    return EXIT_FINE;
}

/* Whether capturing is allowed: the same socket libpcap would open. */
static bool may_capture(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static int show_sample(struct demo *d) {
    if (!find_sample(d)) return opt_bad_use(&command, "the sample capture is not where it should be: %s", d->file);
    printf("Here is the sample capture that ships with the program.\n");
    return show_file(d);
}

static int record(struct demo *d) {
    char log[PATH_LEN + 32], line[256] = "";
    if (!start_broker(d))
        return children_stopped() ? EXIT_TROUBLE
                                  : opt_bad_use(&command, "mosquitto did not start on port %s of 127.0.0.1", d->port);
    printf("A broker listens on 127.0.0.1:%s; weir captures loopback while its clients talk.\n", d->port);
    if (!start_capture(d)) {
        if (children_stopped()) return EXIT_TROUBLE;
        in_dir(d, "capture.log", log);
        FILE *f = fopen(log, "re");
        while (f && fgets(line, sizeof line, f)) continue;
        if (f) fclose(f);
        line[strcspn(line, "\n")] = 0;
        return opt_bad_use(&command, "the capture did not start: %s", line[0] ? line : "no reason given");
    }
    d->recorded = conversation(d);
    child_signal(&d->kids, d->capture, SIGINT);
    child_wait(&d->kids, d->capture, START_MS);
    if (!d->recorded && !children_stopped())
        return opt_bad_use(&command, "the clients did not get through to the broker");
    return EXIT_FINE;
}

/* ---- beginning and end ---- */

static bool make_dir(struct demo *d, const char *write) {
    const char *tmp = getenv("TMPDIR");
    snprintf(d->dir, sizeof d->dir - 1, "%s/weir-demo-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(d->dir)) return d->dir[0] = 0, false;
    if (write) snprintf(d->file, sizeof d->file, "%s", write);
    else in_dir(d, "mqtt.pcapng", d->file);
    return true;
}

/* Under sudo the capture belongs to who typed the command, so that the next commands need no sudo. */
static void give_back(const struct demo *d) {
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    if (geteuid() != 0 || !uid || !gid) return;
    uid_t u = (uid_t)strtoul(uid, NULL, 10);
    gid_t g = (gid_t)strtoul(gid, NULL, 10);
    if (chown(d->dir, u, g) || chown(d->file, u, g)) fprintf(stderr, "weir demo: %s stays with root\n", d->file);
}

static void clean_up(struct demo *d, bool keep) {
    static const char *const names[] = {"broker.conf", "broker.log", "capture.log", "clients.log",
                                        "dashboard",   "pump",       "shown",       "mqtt.pcapng"};
    char path[PATH_LEN + 32];
    children_end(&d->kids);
    if (keep) give_back(d);
    for (size_t i = 0; d->dir[0] && i < sizeof names / sizeof *names - keep; i++) {
        in_dir(d, names[i], path);
        unlink(path);
    }
    if (d->dir[0]) rmdir(d->dir);
}

/* What keeps the demonstration from recording, as one sentence with the remedy; NULL: nothing. */
static const char *hindrance(void) {
    char program[PATH_LEN];
    if (!may_capture())
        return "Capturing needs the right to open the interface: run this with sudo, or once "
               "`sudo setcap cap_net_raw,cap_net_admin+ep` on the program.";
    if (!in_path("mosquitto", program) || !in_path("mosquitto_pub", program) || !in_path("mosquitto_sub", program))
        return "The demonstration needs mosquitto: `sudo apt install mosquitto mosquitto-clients`.";
    return NULL;
}

int cmd_demo(int argc, char **argv) {
    struct demo_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    struct demo d = {0};
    children_watch();
    name_self(&d);
    if (!make_dir(&d, o.write)) return opt_bad_use(&command, "cannot make a folder in the temporary folder");
    const char *why = o.sample ? NULL : hindrance();
    if (why) printf("%s\n", why);
    bool sample = o.sample || why;
    rc = sample ? show_sample(&d) : record(&d);
    if (rc == EXIT_FINE && !sample && !children_stopped()) rc = show_file(&d);
    clean_up(&d, d.recorded);
    if (children_stopped()) {
        signal(children_stopped(), SIG_DFL);
        raise(children_stopped());
    }
    return rc;
}
