/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_CAPWRITE_H
#define WEIR_IO_CAPWRITE_H

#include "base/err.h"
#include "base/packet.h"

/* Records are collected up to this many bytes before they are written. */
#define CAPWRITE_BUFFER (256u << 10)

enum capwrite_format { CAPWRITE_PCAPNG, CAPWRITE_PCAP_NS, CAPWRITE_PCAP_US };

struct capwrite; /* a capture file being written */

/* capwrite_counts is what an interface statistics block says; times in ns since 1970. */
struct capwrite_counts {
    int64_t start, end;
    uint64_t received, accepted, dropped_kernel, dropped_interface, delivered;
};

/* capwrite_open starts a file on fd, which stays the caller's; classic pcap takes the one interface `first` here,
 * pcapng any number through capwrite_interface (first may be NULL there). */
int capwrite_open(struct capwrite **out, int fd, enum capwrite_format format,
                  const struct capture_interface *first) MUST_USE;
/* capwrite_continue goes on with a file whose beginning stands there already, or, in pcapng, will come as blocks. */
int capwrite_continue(struct capwrite **out, int fd, enum capwrite_format format) MUST_USE;
/* capwrite_block adds a pcapng block as it stands in another file, in that file's byte order; nothing in classic pcap.
 */
int capwrite_block(struct capwrite *w, uint32_t type, bool big_endian, struct slice body) MUST_USE;
/* capwrite_interface adds an interface; packets name it by its id, which must count from 0 in the order added. */
int capwrite_interface(struct capwrite *w, const struct capture_interface *i) MUST_USE;
/* capwrite_packet adds a packet; 0, the first error of the file, or ERR_UNSUPPORTED where classic pcap, whose seconds
 * have 32 bits, cannot say its time. Only whole records are ever left in a regular file:
 * at a full disk it is cut back to the last one. */
int capwrite_packet(struct capwrite *w, const struct packet *p) MUST_USE;
/* capwrite_secrets adds a decryption secrets block (nothing in classic pcap). */
int capwrite_secrets(struct capwrite *w, uint32_t type, struct slice bytes) MUST_USE;
/* capwrite_counts adds the statistics of an interface (nothing in classic pcap). */
int capwrite_counts(struct capwrite *w, const struct capture_interface *i,
                    const struct capwrite_counts *counts) MUST_USE;
/* capwrite_flush hands everything collected to the system. */
int capwrite_flush(struct capwrite *w) MUST_USE;
/* capwrite_size returns the bytes of the file, with those not flushed. */
uint64_t capwrite_size(const struct capwrite *w);
/* capwrite_close flushes, releases w and returns the first error of the file. */
int capwrite_close(struct capwrite *w);

#endif
