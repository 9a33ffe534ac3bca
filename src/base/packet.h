/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_PACKET_H
#define WEIR_BASE_PACKET_H

#include "base/moment.h"
#include "base/slice.h"

/* capture_interface is what a capture says of one interface; strings are empty where it says nothing. */
struct capture_interface {
    struct slice name, description, filter;
    uint32_t linktype; /* LINKTYPE_ value of the tcpdump-group registry */
    uint32_t snaplen;  /* 0: no limit */
    uint32_t id;       /* number shown to people: counts from 0 in every section, as the blocks count */
    uint64_t ticks;    /* time units per second */
    int64_t offset;    /* seconds added to every time stamp */
    uint8_t fcs_len;   /* bytes of frame check sequence at the end of a frame */
    bool has_name;     /* an id is shown at all (pcapng) */
};

/* packet is one captured packet; all pointers live until the next one is read. */
struct packet {
    uint64_t number; /* from 1 */
    int64_t ts;      /* nanoseconds since 1970-01-01 UTC, in era 0 */
    int16_t era;     /* see base/moment.h; what does not show or compare dates need not look at it */
    bool has_ts;
    uint32_t len;      /* bytes on the wire */
    struct slice data; /* bytes captured */
    const struct capture_interface *iface;
    uint32_t section; /* pcapng section, from 1; 0 in classic pcap */
    uint32_t flags;   /* pcapng epb_flags; bits 0-1: direction 1 in, 2 out */
    bool has_flags;
    struct slice comments[4]; /* first comments, in order; empty where fewer */
    uint64_t drops;           /* packets lost between the one before and this, as the capture says */
    bool has_drops;
    uint64_t offset;    /* place of the record in its file */
    bool is_block;      /* no packet but a custom block of the file: `data` is what it holds */
    bool block_copied;  /* who copies the file is to copy the block too */
    uint32_t block_pen; /* private enterprise number of who defined the block */
};

static inline __int128 packet_moment(const struct packet *p) { return moment_of(p->ts, p->era); }

#endif
