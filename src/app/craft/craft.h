/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CRAFT_H
#define WEIR_APP_CRAFT_H

#include "app/opt.h"
#include "app/span.h"
#include "craft/answers.h"
#include "craft/craft.h"
#include "io/capture/capwrite.h"
#include "io/capture/live.h"
#include "io/rawsend.h"
#include "view/view.h"

/* What the forms of `weir craft` share. */

enum { CRAFT_INTERFACES = 8, CRAFT_OUT_BYTES = 64 << 10 };

/* craft_out is where packets are shown and written. */
struct craft_out {
    const struct opt_command *cmd;
    const char *file; /* capture to write; NULL: none */
    bool show, hex, quiet;
    uint32_t cut; /* bytes that the next packets had on the wire and are not there */
    /* from here on: its own */
    struct capture_interface iface[CRAFT_INTERFACES];
    size_t n_ifaces;
    struct capwrite *to;
    int fd, out_fd;
    bool decodes;
    struct dissector ds;
    struct want want;
    struct view view;
    struct writer out;
    uint64_t packets;
    struct packet packet; /* the last one: what is decoded refers to it */
    char buffer[CRAFT_OUT_BYTES];
};

enum craft_direction { CRAFT_MADE, CRAFT_IN, CRAFT_OUT }; /* as in pcapng's epb_flags */

/* craft_out_open prepares for the fields in `want` beside those that are shown; OPT_GO, or a status after a message. */
int craft_out_open(struct craft_out *o, bool decodes);
/* craft_out_packet writes a packet to the file, if there is one, and decodes it where that was asked for; *d is then
 * the result, which lives until the next call. linktype -1: no link carries it. */
int craft_out_packet(struct craft_out *o, int linktype, struct slice bytes, int64_t ts, enum craft_direction way,
                     const struct decode **d) MUST_USE;
/* craft_out_print shows a packet as asked: its tree, its bytes, or its line. */
int craft_out_print(struct craft_out *o, const struct decode *d, struct slice bytes) MUST_USE;
/* craft_out_close gives the exit status: `rc`, unless writing fails. */
int craft_out_close(struct craft_out *o, int rc);

/* How packets are sent. */
struct send_opts {
    bool send, answer, loop, really, json;
    const char *device, *interval, *timeout;
};

#define SEND_OPTIONS(type, member)                                                                                     \
    {'s', "send", NULL, "send the packets", OPT_FLAG, offsetof(type, member.send)},                                    \
        {'a',      "answer",                                                                                           \
         NULL,     "send them and show which were answered, by what, after which time",                                \
         OPT_FLAG, offsetof(type, member.answer)},                                                                     \
        {'i',      "interface",                                                                                        \
         "NAME",   "send by this interface and listen on it; default: by the system's routes",                         \
         OPT_TEXT, offsetof(type, member.device)},                                                                     \
        {0,        "interval",                                                                                         \
         "TIME",   "from packet to packet (" SPAN_HELP "); default 0.001",                                             \
         OPT_TEXT, offsetof(type, member.interval)},                                                                   \
        {0,        "timeout",                                                                                          \
         "TIME",   "with --answer: how long an answer may take; default 2",                                            \
         OPT_TEXT, offsetof(type, member.timeout)},                                                                    \
        {0, "loop", NULL, "again and again, until Ctrl-C", OPT_FLAG, offsetof(type, member.loop)},                     \
        {0,        "really",                                                                                           \
         NULL,     "more than 1000 packets a second, or floods of broadcasts: allowed",                                \
         OPT_FLAG, offsetof(type, member.really)},                                                                     \
    {                                                                                                                  \
        0, "json", NULL, "with --answer: one JSON object a line", OPT_FLAG, offsetof(type, member.json)                \
    }

struct sender;

/* sender_open opens what sending needs; OPT_GO, or a status after a message. */
int sender_open(struct sender **out, const struct opt_command *cmd, const struct send_opts *o, struct craft_out *to);
/* sender_env is the environment expressions are made in, so that packets fit the way they go. */
struct craft_env sender_env(struct sender *s);
/* sender_packet sends a packet when it is due: at `due` (ns of clock_ns), or where that is 0 an interval after the last
 * one. OPT_GO, EXIT_FINE when a signal ends the run, or a status after a message. */
int sender_packet(struct sender *s, int linktype, struct slice bytes, int64_t due);
/* sender_end waits for the answers that are due, prints totals, releases, and gives the exit status. */
int sender_end(struct sender *s, int rc);

/* craft_from sends or writes packets of a capture, with edits. */
struct from_opts {
    const char *file, *filter, *speed;
    struct opt_list set;
    bool replay, topspeed;
};
int craft_from(const struct opt_command *cmd, const struct from_opts *o, const struct send_opts *s,
               struct craft_out *to, struct sender *sender);

/* The conversations: `weir craft tcp` and `weir craft mqtt`. */
int craft_tcp(int argc, char **argv);
int craft_mqtt(int argc, char **argv);

#endif
