/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the command keeps its terminal, process group, descriptors and rights; what is added is its
 * environment.
 *
 * The process is made before anything else is opened, and waits, so that it inherits nothing of ours; it begins once
 * the capture runs. Ctrl-C reaches it from the terminal and is left to it; what is sent to this process alone is handed
 * on. Orphans of the command become our children, so that they are found (PR_SET_CHILD_SUBREAPER). */
#include "app/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126, SIGNALLED = 128 };

#define SHIM "libweir-shim.so"

static volatile sig_atomic_t handed_on;

static void on_signal(int sig) { handed_on = sig; }

/* shim_find looks for the library beside the program, in its build folder, and where it is installed. */
static bool shim_find(char *path, size_t size) {
    static const char *const places[] = {"/src/shim/", "/", "/../lib/weir/"};
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++)
        if (snprintf(path, size, "%s%s" SHIM, exe, places[i]) < (int)size && access(path, R_OK) == 0) return true;
    return snprintf(path, size, WEIR_SHIM_DIR "/" SHIM) < (int)size && access(path, R_OK) == 0;
}

static int file_make(const char *dir, const char *name, char *path, size_t size, const struct passwd *owner) {
    snprintf(path, size, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && owner) (void)!fchown(fd, owner->pw_uid, owner->pw_gid);
    return fd;
}

static const char *folder_base(void) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    return base && strlen(base) < 20 && access(base, W_OK) == 0 ? base : "/tmp";
}

/* folder_make makes the private folder with the file of the keys and the one of reports. */
static int folder_make(struct run_child *c, struct run_sockets *s, struct run_keys *k, const struct passwd *owner) {
    char path[96];
    snprintf(c->dir, sizeof c->dir, "%s/weir-XXXXXX", folder_base());
    if (!mkdtemp(c->dir)) {
        c->dir[0] = 0;
        return ERR_IO;
    }
    if (owner) (void)!chown(c->dir, owner->pw_uid, owner->pw_gid);
    s->fd = file_make(c->dir, "sockets", s->report, sizeof s->report, owner);
    k->fd[0] = file_make(c->dir, "keys", path, sizeof path, owner);
    if (s->fd < 0 || k->fd[0] < 0) return ERR_IO;
    setenv(SHIM_REPORT_ENV, s->report, 1);
    setenv(SHIM_KEYS_ENV, path, 1);
    const char *theirs = getenv("SSLKEYLOGFILE");
    if (!theirs || !theirs[0]) {
        setenv("SSLKEYLOGFILE", path, 1);
    } else if ((k->fd[1] = open(theirs, O_RDONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0) {
        (void)lseek(k->fd[1], 0, SEEK_END); /* the user's own log stays theirs, and is read along */
    }
    return OK;
}

/* shim_lend puts a copy of the library where another user can load it. */
static bool shim_lend(const struct run_child *c, char *path, size_t size) {
    char buf[65536];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, size, "%s/" SHIM, c->dir);
    int to = from < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0755);
    bool ok = to >= 0;
    for (ssize_t n; ok && (n = read(from, buf, sizeof buf)) != 0;) ok = n > 0 && write(to, buf, (size_t)n) == n;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return ok;
}

static bool preload_set(const struct run_child *c, const struct passwd *user) {
    char path[4200], all[8192];
    const char *before = getenv("LD_PRELOAD");
    if (!shim_find(path, sizeof path) || (user && !shim_lend(c, path, sizeof path))) return false;
    if (snprintf(all, sizeof all, "%s%s%s", path, before && before[0] ? ":" : "", before ? before : "") >=
        (int)sizeof all)
        return false;
    return setenv("LD_PRELOAD", all, 1) == 0;
}

static bool become(const struct passwd *user) {
    return !user ||
           (initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
}

/* wait_and_exec is the process that becomes the command. */
static _Noreturn void wait_and_exec(int go, int fail, char *const argv[], const struct passwd *user) {
    char byte;
    ssize_t n;
    do n = read(go, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1) _exit(0); /* it is not to begin */
    int error = 0;
    if (!become(user)) error = errno;
    if (!error) {
        execvp(argv[0], argv);
        error = errno;
    }
    (void)!write(fail, &error, sizeof error);
    _exit(error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static void signals_set(void) {
    struct sigaction hand_on = {.sa_handler = on_signal}, hup;
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigaction(SIGTERM, &hand_on, NULL);
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN) sigaction(SIGHUP, &hand_on, NULL);
}

int run_child_start(struct run_child *c, const struct run_opts *o, struct run_sockets *s, struct run_keys *k) {
    const struct passwd *user = o->user ? getpwnam(o->user) : NULL;
    int go[2] = {-1, -1}, fail[2] = {-1, -1};
    if (o->user && !user) return opt_bad_use(&run_command, "-u %s: there is no such user", o->user);
    if (folder_make(c, s, k, user) < 0)
        return opt_bad_use(&run_command, "cannot make a private folder in %s: %s", folder_base(), strerror(errno));
    c->preloaded = !o->no_preload && preload_set(c, user);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(fail, O_CLOEXEC) < 0 || (c->pid = fork()) < 0)
        return opt_bad_use(&run_command, "cannot start a process: %s", strerror(errno));
    if (c->pid == 0) {
        close(go[1]);
        close(s->fd);
        wait_and_exec(go[0], fail[1], o->argv, user);
    }
    close(go[0]);
    close(fail[1]);
    c->go = go[1];
    c->fail = fail[0];
    signals_set();
    return EXIT_FINE;
}

int run_child_go(struct run_child *c, const struct run_opts *o) {
    int error = 0;
    ssize_t n;
    (void)!write(c->go, "", 1);
    do n = read(c->fail, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    if (n != sizeof error) return OPT_GO;
    opt_bad_use(&run_command, "%s: %s", o->words.item[0], strerror(error));
    return error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

bool run_child_reap(struct run_child *c) {
    int status;
    if (handed_on && !c->done) {
        kill(c->pid, handed_on);
        handed_on = 0;
    }
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != c->pid) continue;
        c->done = true;
        c->status = WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return c->done;
}

void run_child_end(struct run_child *c) {
    if (c->go > 0) close(c->go);
    if (c->fail > 0) close(c->fail);
    if (!c->dir[0]) return;
    static const char *const files[] = {"sockets", "keys", SHIM};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", c->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(c->dir);
}
