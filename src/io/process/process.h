/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_PROCESS_H
#define WEIR_IO_PROCESS_H

#include "base/err.h"
#include "base/slice.h"
#include <sys/types.h>

/* What can be known of a running process that is not ours. It may end at any time: then things are not found. */

struct process {
    pid_t pid;
    int fd; /* a handle that stays its own when the number is used again */
    uid_t uid;
    gid_t gid;
    char name[16];
};

/* process_open finds a process: ERR_NOTFOUND where there is none, ERR_UNSUPPORTED where pid is a thread of one. */
int process_open(struct process *p, pid_t pid) MUST_USE;
bool process_ended(const struct process *p);
void process_close(struct process *p);
/* process_open_to_us tells whether its memory and descriptors may be looked at. */
bool process_open_to_us(const struct process *p);
/* process_network_join makes this process see the network interfaces and sockets of the other; OK also where they are
 * the same. */
int process_network_join(const struct process *p) MUST_USE;

/* process_file is a file with code that a process has loaded. */
struct process_file {
    uint64_t start, end; /* of its code in memory */
    uint64_t device, inode;
    char path[512]; /* as the process sees it */
};
/* process_files lists them, each once, at most `most`; how many. */
size_t process_files(pid_t pid, struct process_file *out, size_t most);
/* process_file_open opens the very file, also where its name is another's by now; a descriptor, or -1. */
int process_file_open(pid_t pid, const struct process_file *f);
/* process_program_open opens the program itself; a descriptor, or -1. */
int process_program_open(pid_t pid);

/* file_take copies the bytes of a file, FILE_TAKE_MAX at most, for the caller to free. They are not mapped: whoever
 * owns the file could cut it short meanwhile. */
#define FILE_TAKE_MAX ((size_t)192 << 20)
bool file_take(int fd, struct slice *bytes);

#endif
