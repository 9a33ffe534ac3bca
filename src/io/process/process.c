/* SPDX-License-Identifier: Apache-2.0 */
#include "io/process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MAPS_MOST = 65536 }; /* lines of a list of mappings */

/* name_read: what a process calls itself is not to steer the terminal it is shown on. */
static void name_read(struct process *p) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)p->pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(p->name, sizeof p->name, f)) p->name[strcspn(p->name, "\n")] = 0;
    if (f) fclose(f);
    for (char *c = p->name; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
}

int process_open(struct process *p, pid_t pid) {
    char path[64];
    struct stat s;
    *p = (struct process){.pid = pid};
    p->fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (p->fd < 0) return errno == ESRCH ? ERR_NOTFOUND : ERR_UNSUPPORTED; /* EINVAL, later ENOENT: a thread */
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &s) < 0 || process_ended(p)) {
        process_close(p);
        return ERR_NOTFOUND;
    }
    p->uid = s.st_uid;
    p->gid = s.st_gid;
    name_read(p);
    return OK;
}

bool process_ended(const struct process *p) {
    struct pollfd f = {.fd = p->fd, .events = POLLIN};
    return poll(&f, 1, 0) > 0;
}

void process_close(struct process *p) {
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
}

bool process_open_to_us(const struct process *p) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)p->pid);
    return readlink(path, target, sizeof target) >= 0 || errno == ENOENT; /* ENOENT: the kernel's own have none */
}

int process_network_join(const struct process *p) {
    char path[64];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)p->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC), code = ERR_IO;
    if (fd >= 0 && fstat(fd, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0)
        code = theirs.st_ino == ours.st_ino || setns(fd, CLONE_NEWNET) == 0 ? OK : ERR_DENIED;
    if (fd >= 0) close(fd);
    return code;
}

static bool known(const struct process_file *list, size_t n, const struct process_file *f) {
    for (size_t i = 0; i < n; i++)
        if (list[i].inode == f->inode && list[i].device == f->device) return true;
    return false;
}

/* line_parse reads "55d0-55e0 r-xp 00001000 08:01 1234   /usr/lib/x.so"; false where it is not code of a file. */
static bool line_parse(char *line, struct process_file *f) {
    unsigned major, minor;
    int at = 0;
    char rights[5];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %x:%x %" SCNu64 " %n", &f->start, &f->end, rights, &major, &minor,
               &f->inode, &at) != 6)
        return false;
    f->device = makedev(major, minor);
    line[strcspn(line, "\n")] = 0;
    snprintf(f->path, sizeof f->path, "%s", line + at);
    return rights[2] == 'x' && f->inode && f->path[0] == '/';
}

size_t process_files(pid_t pid, struct process_file *out, size_t most) {
    char path[64], line[1024];
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    for (int i = 0; f && n < most && i < MAPS_MOST && fgets(line, sizeof line, f); i++) {
        struct process_file one;
        if (line_parse(line, &one) && !known(out, n, &one)) out[n++] = one;
    }
    if (f) fclose(f);
    return n;
}

static int open_checked(const char *path, const struct process_file *f) {
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode) || (f && s.st_ino != f->inode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int process_file_open(pid_t pid, const struct process_file *f) {
    char path[640];
    snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, f->start, f->end);
    int fd = open_checked(path, f);
    if (fd >= 0) return fd;
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)pid, f->path);
    return open_checked(path, f);
}

int process_program_open(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return open_checked(path, NULL);
}

bool file_take(int fd, struct slice *bytes) {
    struct stat s;
    if (fd < 0 || fstat(fd, &s) < 0 || s.st_size <= 0 || (uint64_t)s.st_size > FILE_TAKE_MAX) return false;
    size_t size = (size_t)s.st_size, n = 0;
    uint8_t *p = malloc(size);
    for (ssize_t r = 1; p && n < size && r > 0; n += r > 0 ? (size_t)r : 0) r = pread(fd, p + n, size - n, (off_t)n);
    *bytes = slice_of(p, p ? n : 0);
    return p != NULL;
}
