/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_LIVE_H
#define WEIR_IO_LIVE_H

#include "base/err.h"
#include "base/packet.h"
#include "base/writer.h"

struct live; /* an interface being captured from */

enum live_direction { LIVE_BOTH, LIVE_IN, LIVE_OUT };

/* live_config says how to capture; zero and NULL stand for the default. */
struct live_config {
    const char *device; /* name, "any", or the number `weir capture -D` shows */
    int snaplen;        /* bytes; default 262144 */
    int buffer_kib;     /* of the kernel; default 8192 */
    int delay_ms;   /* how long the kernel may collect packets before it hands them out; default 100, immediate 20 */
    bool immediate; /* somebody looks at packets as they come */
    bool no_promiscuous, monitor;
    bool microseconds;
    enum live_direction direction;
    const char *filter;   /* BPF expression */
    const char *linktype; /* name, such as EN10MB */
};

/* live_counts is what the kernel counted since live_open. */
struct live_counts {
    uint64_t received, dropped, dropped_by_interface;
};

enum { LIVE_NOTHING = 1 }; /* live_next: no packet within the time */

/* live_open opens a device; on failure a negative code and a one-line reason, with the remedy, in why. */
int live_open(struct live **out, const struct live_config *config, struct writer *why) MUST_USE;
/* live_next gives the next packet, waiting at most wait_ms: OK, LIVE_NOTHING, or an error (live_why). Its pointers live
 * until the next call. */
int live_next(struct live *l, struct packet *pkt, int wait_ms) MUST_USE;
/* live_end ends the capture now: live_next gives the packets that came before, as the kernel hands them out, and then
 * ERR_END; that takes two delays of the kernel and a fifth of a second at most. */
void live_end(struct live *l);
const char *live_why(const struct live *l);
/* live_filter sets the capture filter of an open device, which needs no privilege; on failure a negative code and a
 * reason. Packets that came before it are judged by it, too. */
int live_filter(struct live *l, const char *filter, struct writer *why) MUST_USE;
/* live_interface describes the device; it lives as long as l. */
const struct capture_interface *live_interface(const struct live *l);
/* live_linktype_text returns name and description of the link type as tcpdump shows them. */
void live_linktype_text(const struct live *l, struct writer *w);
int live_counts(struct live *l, struct live_counts *counts) MUST_USE;
void live_close(struct live *l);

/* live_filter_check tells whether text is a capture filter, for Ethernet or for the device "any"; else a negative code
 * and the reason. */
int live_filter_check(const char *text, bool any, struct writer *why) MUST_USE;

/* live_device is an interface packets can be captured from; the strings live during the call. */
struct live_device {
    const char *name, *description; /* description: may be NULL */
    bool up, running, loopback, wireless;
    const char *const *addresses; /* IPv4 and IPv6, as text */
    size_t n_addresses;
};
enum { LIVE_ADDRESSES_MAX = 64 };
/* live_devices hands every interface to take. */
int live_devices(void (*take)(void *to, const struct live_device *d), void *to, struct writer *why) MUST_USE;

/* live_print_devices lists the devices as tcpdump -D does, live_print_linktypes those link types the device can give.
 */
int live_print_devices(struct writer *w, struct writer *why) MUST_USE;
int live_print_linktypes(const struct live_config *config, struct writer *w, struct writer *why) MUST_USE;

#endif
