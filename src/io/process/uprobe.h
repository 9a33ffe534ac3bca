/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_UPROBE_H
#define WEIR_IO_UPROBE_H

#include "io/process/layout.h"

/* uprobe reads the secrets of TLS connections out of running processes, whenever they call a function of their TLS
 * library. */
struct uprobe;

/* uprobe_open asks the kernel for what is needed: ERR_DENIED or ERR_UNSUPPORTED with a reason and a remedy in why. */
int uprobe_open(struct uprobe **out, struct writer *why) MUST_USE;
/* uprobe_program makes the kernel's program for a library: for the call that gives a connection back (UPROBE_LAST) or
 * others; for processes on the list only (UPROBE_LISTED). A descriptor, or a negative code with a reason in why. */
enum { UPROBE_LAST = 1, UPROBE_LISTED = 2, UPROBE_KINDS = 4 };
int uprobe_program(struct uprobe *u, const struct layout *layout, int kind, struct writer *why) MUST_USE;
/* uprobe_list puts a process on the list, or takes it off. */
void uprobe_list(const struct uprobe *u, pid_t pid, bool on);
/* uprobe_attach has the program run when process pid (-1: any, for a program with a list), in any of its threads,
 * reaches the byte `offset` of the file: a descriptor, which ends it when closed, or -1 with errno. */
int uprobe_attach(const struct uprobe *u, int program, pid_t pid, int file, uint64_t offset) MUST_USE;
/* uprobe_next takes the next hit; false where there is none now. */
bool uprobe_next(struct uprobe *u, struct layout_hit *hit);
void uprobe_close(struct uprobe *u);

#endif
