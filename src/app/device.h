/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_DEVICE_H
#define WEIR_APP_DEVICE_H

#include "app/feed.h"
#include "app/opt.h"

/* An interface as the source of a command that usually reads a file: its two options, and how it begins. They stand in
 * the command's table as DEVICE_OPTIONS(struct stats_opts, device), with a member struct device_opts device. */
struct device_opts {
    const char *name; /* NULL: there is none */
    struct opt_list stops;
};

#define DEVICE_OPTIONS(type, member)                                                                                   \
    {'i',      "interface",                                                                                            \
     "NAME",   "instead of -r: take packets from the interface NAME until Ctrl-C or -a",                               \
     OPT_TEXT, offsetof(type, member.name)},                                                                           \
    {                                                                                                                  \
        'a', "autostop", "COND", "with -i: stop after duration:SECONDS", OPT_LIST, offsetof(type, member.stops)        \
    }

/* device_begin opens the interface, tells so on stderr and gives privileges up: OK, or a negative code with a reason.
 */
int device_begin(struct feed *f, const char *name, struct writer *why) MUST_USE;
/* device_stops reads -a: OPT_GO, or EXIT_TROUBLE after a message. */
int device_stops(struct feed *f, const struct opt_command *cmd, const struct opt_list *stops) MUST_USE;

#endif
