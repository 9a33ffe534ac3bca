/* SPDX-License-Identifier: Apache-2.0 */
#include "app/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 20, WORD_MS = 200, MERCY_MS = 1000 };

static volatile sig_atomic_t stopped;

static void on_stop(int signal) { stopped = signal; }

void children_watch(void) {
    struct sigaction act = {.sa_handler = on_stop};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &act, NULL);
}

int children_stopped(void) { return stopped; }

bool children_nap(int ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    if (!stopped) nanosleep(&t, NULL);
    return !stopped;
}

/* In the child: the descriptors, the bond with the parent, the program. Does not return. */
static void become(const char *out, pid_t parent, char *const argv[]) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127); /* it died before the bond was made */
    setpgid(0, 0);                       /* Ctrl-C is for the parent, who ends us in our turn */
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in >= 0) dup2(in, STDIN_FILENO);
    int fd = out ? open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execvp(argv[0], argv);
    _exit(127);
}

int child_start(struct children *c, const char *out, char *const argv[]) {
    if (c->n == CHILDREN_MAX) {
        errno = EAGAIN;
        return -1;
    }
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return -1;
    if (pid == 0) become(out, parent, argv);
    c->pid[c->n] = pid;
    return c->n++;
}

/* The exit status once the child has ended, -1 before. */
static int reap(struct children *c, int at) {
    int status;
    pid_t got = c->pid[at] ? waitpid(c->pid[at], &status, WNOHANG) : -1;
    if (got == 0 || (got < 0 && errno == EINTR && c->pid[at])) return -1;
    c->pid[at] = 0;
    if (got < 0) return 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_wait(struct children *c, int at, int ms) {
    for (int left = ms;; left -= STEP_MS) {
        int status = reap(c, at);
        if (status >= 0 || left <= 0 || !children_nap(STEP_MS)) return status;
    }
}

bool child_running(struct children *c, int at) {
    if (!c->pid[at]) return false;
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)c->pid[at], &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void child_signal(struct children *c, int at, int signal) {
    if (c->pid[at]) kill(c->pid[at], signal);
}

/* Waits until those from `first` on have ended. Sleeps even after a signal: ending the children is what it asked for.
 */
static bool reap_from(struct children *c, int first, int ms) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    for (int left = ms;; left -= STEP_MS) {
        int running = 0;
        for (int i = first; i < c->n; i++) running += c->pid[i] && reap(c, i) < 0;
        if (!running || left <= 0) return !running;
        nanosleep(&step, NULL);
    }
}

void children_end(struct children *c) {
    for (int i = c->n - 1; i >= 0; i--) { /* a client before its server, which it would complain about */
        child_signal(c, i, SIGTERM);
        reap_from(c, i, WORD_MS);
    }
    if (reap_from(c, 0, MERCY_MS)) return;
    for (int i = 0; i < c->n; i++) child_signal(c, i, SIGKILL);
    reap_from(c, 0, MERCY_MS);
}
