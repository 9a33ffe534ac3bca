/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_RUN_H
#define WEIR_APP_RUN_H

#include "app/opt.h"
#include "base/hash.h"
#include "base/packet.h"
#include "base/writer.h"
#include "io/capture/capwrite.h"
#include "io/capture/live.h"
#include "shim/report.h"

#include <sys/types.h>

/* The parts of weir run.
 *
 * run_child.c starts the command, run_ends.c knows which ends of connections are its own, run_sockets.c finds them out,
 * run_packet.c reads the ends of a packet, run_keys.c collects the keys, run_attach.c takes them from a process that
 * runs already, run_loop.c records. */

struct run_opts {
    const char *file, *device, *user;
    int64_t snaplen, pid, count;
    int64_t stop_ms; /* of -a; 0: none */
    bool quiet, no_preload;
    struct opt_list stops, words;
    char **argv; /* the words */
};

/* Ends: run_ends.c. */

/* run_ends is a set of ends of sockets. An end with a peer owns the packets between the two, one without all packets of
 * its port. Where it is full the oldest goes. */
enum { RUN_ENDS_MAX = 16384, RUN_LOOKUPS_MAX = 64, RUN_LOCAL_MAX = 64 };
struct run_ends {
    struct run_end {
        struct shim_end local, peer;
        uint8_t proto;
        bool used;
        uint16_t next; /* place + 1 of the next with the same port */
    } * end;
    uint16_t *by_port;                  /* place + 1 */
    uint32_t n;                         /* added so far */
    struct shim_end own[RUN_LOCAL_MAX]; /* addresses of this machine */
    size_t owns;
    char lookup[RUN_LOOKUPS_MAX][216]; /* names being looked up */
    uint32_t lookups;
};

/* run_ends_make prepares an empty set: 0 or ERR_NOMEM. run_ends_free releases it; of {0} there is nothing to release.
 * run_ends_add adds the end of a socket, with its peer or NULL, run_ends_lookup a name that is being looked up. */
int run_ends_make(struct run_ends *e) MUST_USE;
void run_ends_free(struct run_ends *e);
void run_ends_add(struct run_ends *e, uint8_t proto, const struct shim_end *local, const struct shim_end *peer);
void run_ends_lookup(struct run_ends *e, const char *name);

/* run_packet is what decides whose a packet is. */
struct run_packet {
    uint8_t proto;
    struct shim_end src, dst;
    struct slice payload; /* of TCP or UDP */
};
/* run_ends_has tells whether a packet is the command's; the socket of a name's lookup becomes its own by that. */
bool run_ends_has(struct run_ends *e, const struct run_packet *p);

/* Packets: run_packet.c. */

/* run_packet_read finds the ends of an IP packet of the given link type; for an ICMP error those of the packet it is
 * about. false: there are none. */
bool run_packet_read(uint32_t linktype, struct slice frame, struct run_packet *out);
/* run_hello_random returns the random of a ClientHello that a payload begins with, empty where it does not. */
struct slice run_hello_random(struct slice payload);

/* Sockets: run_sockets.c. */

struct run_sockets {
    pid_t root;      /* whose sockets, and whose descendants'; 0: those of this process' descendants */
    char report[64]; /* the file of the preloaded library */
    int fd;
    uint64_t known[4096]; /* inodes whose ends are known, by their low bits */
    uint32_t tries[4096];
    bool joined, tls; /* the library was loaded; it met a TLS library */
    uint32_t turns;
};
/* run_sockets_look reads what is new about the sockets of these processes. */
void run_sockets_look(struct run_sockets *s, struct run_ends *e);
/* run_sockets_report reads only what the library said. */
void run_sockets_report(struct run_sockets *s, struct run_ends *e);

/* Keys: run_keys.c. */

enum { RUN_SESSIONS_MAX = 4096, RUN_RANDOM = 32 };
struct run_keys {
    int fd[2];             /* our file; the user's own, -1: none */
    struct writer part[2]; /* bytes after the last line end */
    struct writer fresh;   /* lines not yet in the capture */
    struct hashes {
        uint64_t *slot;
        size_t n, cap;
    } lines, randoms,              /* of all lines seen, and of the sessions they belong to */
        hellos,                    /* randoms of ClientHellos */
        begun, older;              /* connections with a ClientHello, and with TLS but none */
    struct shim_end older_ends[2]; /* of the first of these */
    struct hash_key secret;
    struct run_session {
        uint8_t random[RUN_RANDOM];
        struct shim_end server;
        bool keyed;
    } * session;
    uint32_t sessions, lines_count;
};
void run_keys_free(struct run_keys *k);
/* run_keys_look reads new lines of the key logs; what is new is in k->fresh. */
void run_keys_look(struct run_keys *k);
/* run_keys_text takes lines of a key log that came another way. */
void run_keys_text(struct run_keys *k, struct slice text);
/* run_keys_hello notes a TLS session the command begins. */
void run_keys_hello(struct run_keys *k, struct slice random, const struct shim_end *server);
/* run_keys_met tells whether a ClientHello with this random was noted. */
bool run_keys_met(struct run_keys *k, const uint8_t random[RUN_RANDOM]);
/* run_keys_older notes connections that carry TLS data whose ClientHello was not seen: they are older than this. */
void run_keys_older(struct run_keys *k, const struct run_packet *p, bool hello);

/* The command: run_child.c. */

struct run_child {
    pid_t pid;
    int status; /* exit status, valid once it is done */
    bool done;
    int go, fail; /* pipes: to let it begin, and to learn why it could not */
    char dir[40]; /* private folder; empty: none */
    bool preloaded;
};
/* run_child_start makes the private folder and a process that will become the command, before anything is opened that
 * it could inherit; 0, or an exit status after a message. */
int run_child_start(struct run_child *c, const struct run_opts *o, struct run_sockets *s, struct run_keys *k);
/* run_child_go lets it begin: OPT_GO, or the exit status after a message where there is no such command. */
int run_child_go(struct run_child *c, const struct run_opts *o);
/* run_child_reap takes ended processes, and hands on what asked this one to stop; true once the command has ended. */
bool run_child_reap(struct run_child *c);
/* run_child_end ends what run_child_start made: the process, where it did not begin, and the folder. */
void run_child_end(struct run_child *c);

/* run_source is whose packets are recorded: those of a command, or of a process that runs already. */
struct run_attach;
struct run_source {
    struct run_child *child;
    struct run_attach *attach;
    struct run_sockets *sockets;
    struct run_keys *keys;
    struct run_ends *ends; /* filled while it is recorded */
};
/* run_record captures until the command has ended, or what else ends it; the exit status. */
int run_record(const struct run_opts *o, struct live *live, int fd, const struct run_source *from);

/* run_children calls `each` for a process and every descendant of it; root 0: for every descendant of this process. */
void run_children(pid_t root, void (*each)(void *to, pid_t pid), void *to);

extern const struct opt_command run_command;

#endif
