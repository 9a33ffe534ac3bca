/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_SERVER_H
#define WEIR_LAB_SERVER_H

#include "base/err.h"
#include "io/loop.h"
#include "io/sock.h"
#include "io/wheel.h"

/* lab_server takes TCP connections and datagrams on one port, for the peers of the lab: what is done with the bytes is
 * the owner's. Everything an outsider could make grow has a limit here. */
enum {
    LAB_CONNS_DEFAULT = 16000, /* open connections; fewer where the limit of open files is lower */
    LAB_CONNS_LEAST = 16,
    LAB_SPARE_FILES = 64,         /* of the limit of open files: for everything that is no connection */
    LAB_READ = 64 << 10,          /* bytes read of one connection before the next has its turn */
    LAB_UNSENT = 256 << 10,       /* bytes that wait for one slow reader; it is not read from meanwhile */
    LAB_UNSENT_ALL = 64 << 20,    /* and for all of them together: beyond that, who would wait is cut off */
    LAB_DATAGRAMS = 256,          /* read before the connections have their turn */
    LAB_IDLE_MS = 10 * 60 * 1000, /* a connection without a byte for so long is closed */
};

/* Why a connection ended. */
enum lab_end {
    LAB_END_PEER,    /* the peer closed, and everything due to it was sent */
    LAB_END_RESET,   /* the peer reset the connection, or it broke */
    LAB_END_IDLE,    /* silent too long */
    LAB_END_SLOW,    /* it did not read what it was sent */
    LAB_END_OURS,    /* the owner closed it */
    LAB_END_STOPPED, /* the server stops */
    LAB_ENDS
};

struct lab_conn {
    int fd; /* -1: the place is free */
    uint16_t life;
    bool ending; /* it closes when all is sent; what still comes is thrown away */
    bool shut, peer_done, watched_out, watched_in;
    struct sock_peer peer;
    int64_t opened, heard; /* milliseconds of clock_ms */
    uint64_t in, out;      /* bytes */
    uint64_t thrown;       /* bytes that came after our end */
    uint8_t *unsent;
    uint32_t unsent_n, unsent_at, unsent_room;
    struct wheel_node timer;
    void *own; /* the owner's */
};

struct lab_server;

/* lab_owner is what the server calls; `to` is handed to every function, any may be NULL. */
struct lab_owner {
    void *to;
    void (*opened)(void *to, struct lab_conn *c);
    void (*came)(void *to, struct lab_conn *c, struct slice bytes);
    void (*done)(void *to, struct lab_conn *c); /* the peer will send no more; what is said now is still sent */
    void (*ended)(void *to, struct lab_conn *c, enum lab_end why);
    void (*refused)(void *to, const struct sock_addr *from, int fd); /* no place is free; fd is closed after it */
    /* a datagram; `whole` is its length, `bytes` may be less */
    void (*datagram)(void *to, const struct sock_addr *from, struct slice bytes, size_t whole);
    void (*due)(void *to,
                struct lab_conn *c); /* a deadline set by lab_due, perhaps early: it looks and sets it again */
    void (*turn)(void *to);          /* after every batch of events */
};

struct lab_totals {
    uint64_t conns, refused, most; /* opened, turned away, open at once */
    uint64_t in, out, datagrams;   /* bytes and datagrams taken */
    uint64_t ended[LAB_ENDS];
};

struct lab_server {
    struct loop loop;
    struct wheel wheel;
    struct lab_owner owner;
    struct sock_addr addr; /* as bound */
    int tcp, udp;
    bool resting; /* the kernel had no room for a connection: nobody is accepted for a moment */
    int64_t now, rest_until, idle_ms;
    struct lab_conn *conn; /* place 0 is none */
    uint32_t *free, n_free, places, open;
    uint64_t unsent;
    struct lab_totals totals;
    uint8_t in[LAB_READ];
};

/* lab_open binds addr for TCP and UDP; conns 0: as many as may be. Says why where it fails. */
int lab_open(struct lab_server *s, const struct sock_addr *addr, uint32_t conns, const struct lab_owner *owner,
             struct writer *why) MUST_USE;
/* lab_turn waits at most ms milliseconds for something to happen and handles it. */
void lab_turn(struct lab_server *s, int ms);
/* lab_close ends all connections and gives everything back. */
void lab_close(struct lab_server *s);

/* lab_say sends bytes on a connection, or keeps them until the peer reads; a peer that does not read is cut off. */
void lab_say(struct lab_server *s, struct lab_conn *c, struct slice bytes);
/* lab_say_to sends a datagram. */
void lab_say_to(struct lab_server *s, const struct sock_addr *to, struct slice bytes);
/* lab_end closes a connection when all is sent; it may be gone when this returns. */
void lab_end(struct lab_server *s, struct lab_conn *c);
/* lab_due calls owner.due for c at `when` (clock_ms); 0: not at all. */
void lab_due(struct lab_server *s, struct lab_conn *c, int64_t when);
/* lab_at returns a connection by place and life, NULL where it has ended. */
struct lab_conn *lab_at(struct lab_server *s, uint32_t at, uint16_t life);
static inline uint32_t lab_place(const struct lab_server *s, const struct lab_conn *c) {
    return (uint32_t)(c - s->conn);
}

#endif
