/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a capture that drops root and rotates must still be able to create its next file in a directory
 * only root may write. Keeping CAP_DAC_OVERRIDE would leave the decoding process able to write every file of the
 * system. So a child forked before the drop keeps the privileges. It holds the naming plan and takes requests (what,
 * number, time) over a socket pair; it computes the name itself, follows no symbolic link at its end and passes the
 * descriptor back. The worst a taken-over parent can ask for is a file of its own capture. The child ends when the
 * socket closes. */
#include "io/capture/savefile.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum request_what { REQUEST_OPEN, REQUEST_REMOVE };

struct request {
    uint32_t what, seq;
    int64_t when;
};

struct savefiles {
    struct savefile_plan plan;
    int sock; /* -1: no child */
};

static int local_text(const char *format, int64_t when, char *out, size_t size) {
    time_t t = (time_t)when;
    struct tm tm;
    if (!localtime_r(&t, &tm)) return -1;
    return strftime(out, size, format, &tm) > 0 ? 0 : -1;
}

static int ring_name(const struct savefile_plan *p, uint32_t seq, int64_t when, char *name, size_t size) {
    const char *slash = strrchr(p->path, '/'), *dot = strrchr(slash ? slash : p->path, '.');
    char date[32];
    int stem = dot && dot != p->path ? (int)(dot - p->path) : (int)strlen(p->path);
    if (local_text("%Y%m%d%H%M%S", when, date, sizeof date) < 0) return -1;
    int n = snprintf(name, size, "%.*s_%05u_%s%s", stem, p->path, seq + 1, date, p->path + stem);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

static int plan_name(const struct savefile_plan *p, uint32_t seq, int64_t when, char *name, size_t size) {
    if (p->style == SAVEFILE_RING) return ring_name(p, seq, when, name, size);
    char base[SAVEFILE_NAME_MAX];
    if (!p->dated) {
        snprintf(base, sizeof base, "%s", p->path);
    } else if (local_text(p->path, when, base, sizeof base) < 0) {
        return -1;
    }
    int n = p->counted && (seq || p->digits) ? snprintf(name, size, "%s%0*u", base, p->digits, seq)
                                             : snprintf(name, size, "%s", base);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

static int open_file(const struct savefile_plan *p, const char *name, int flags) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0644);
    struct stat st;
    if (fd >= 0 && p->chown && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
        (void)!fchown(fd, p->owner, p->group);
    return fd;
}

static int do_request(const struct savefile_plan *p, const struct request *q, int flags) {
    char name[SAVEFILE_NAME_MAX];
    if (plan_name(p, q->seq, q->when, name, sizeof name) < 0) return errno = ENAMETOOLONG, -1;
    return q->what == REQUEST_REMOVE ? unlink(name) : open_file(p, name, flags);
}

/* send_answer passes the error number and, where there is one, a descriptor. */
static void send_answer(int sock, int32_t error, int fd) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec io = {&error, sizeof error};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    (void)!sendmsg(sock, &m, MSG_NOSIGNAL);
}

/* take_answer gives what do_request gave to the child. A descriptor that this process has no room for does not come. */
static int take_answer(int sock, enum request_what what) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    int32_t error = EIO;
    int got = what == REQUEST_OPEN ? -1 : 0;
    struct iovec io = {&error, sizeof error};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof error) return errno = EIO, -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS) memcpy(&got, CMSG_DATA(c), sizeof got);
    if (error || got < 0) return errno = error ? error : EMFILE, -1;
    return got;
}

static _Noreturn void serve(const struct savefile_plan *p, int sock) {
    struct request q;
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the parent decides when to end */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    while (recv(sock, &q, sizeof q, 0) == sizeof q) {
        errno = 0;
        int fd = do_request(p, &q, O_NOFOLLOW);
        send_answer(sock, fd < 0 ? errno : 0, q.what == REQUEST_OPEN ? fd : -1);
        if (q.what == REQUEST_OPEN && fd >= 0) close(fd);
    }
    _exit(0);
}

static int start_child(struct savefiles *s) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return ERR_IO;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        serve(&s->plan, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return ERR_IO;
    }
    s->sock = pair[0];
    return OK;
}

int savefiles_make(struct savefiles **out, const struct savefile_plan *plan, bool guarded) {
    struct savefiles *s = calloc(1, sizeof *s);
    if (!s) return ERR_NOMEM;
    *s = (struct savefiles){*plan, -1};
    int r = guarded ? start_child(s) : OK;
    if (r < 0) {
        free(s);
        return r;
    }
    *out = s;
    return OK;
}

static int ask(struct savefiles *s, const struct request *q) {
    if (s->sock < 0) return do_request(&s->plan, q, 0);
    if (send(s->sock, q, sizeof *q, MSG_NOSIGNAL) != sizeof *q) return -1;
    return take_answer(s->sock, (enum request_what)q->what);
}

int savefiles_open(struct savefiles *s, uint32_t seq, int64_t when, char *name, size_t size) {
    struct request q = {REQUEST_OPEN, seq, when};
    if (plan_name(&s->plan, seq, when, name, size) < 0) return errno = ENAMETOOLONG, -1;
    return ask(s, &q);
}

int savefiles_remove(struct savefiles *s, uint32_t seq, int64_t when) {
    struct request q = {REQUEST_REMOVE, seq, when};
    return ask(s, &q);
}

void savefiles_free(struct savefiles *s) {
    if (!s) return;
    if (s->sock >= 0) close(s->sock);
    free(s);
}

/* limit_capabilities keeps those of `mask` that the process has, and empties every other capability set: what `setcap`
 * gave or root had. */
static bool limit_capabilities(uint32_t mask) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2] = {{0}}, keep[2] = {{0}};
    if (mask && syscall(SYS_capget, &head, have) != 0) return false;
    keep[0].effective = keep[0].permitted = have[0].permitted & mask;
    return syscall(SYS_capset, &head, keep) == 0;
}

static bool become(uid_t uid, gid_t gid, const char *user) {
    if (geteuid() != 0 || uid == 0) return true;
    if ((user ? initgroups(user, gid) : setgroups(0, NULL)) < 0) return false;
    return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

bool privileges_drop(uid_t uid, gid_t gid, const char *user) {
    bool changes = geteuid() == 0 && uid != 0;
    if (!become(uid, gid, user)) return false;
    if (changes && setuid(0) == 0) return errno = EPERM, false; /* must not be possible any more */
    return limit_capabilities(0);
}

bool privileges_keep_capture(uid_t uid, gid_t gid, const char *user) {
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || !become(uid, gid, user)) return false;
    return limit_capabilities(1u << CAP_NET_RAW | 1u << CAP_NET_ADMIN);
}
