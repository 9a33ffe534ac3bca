/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: libpcap in non-blocking mode; when it has no packet, poll(2) on its descriptor bounds the wait,
 * so the caller's clock (rotation, duration, signals) never depends on traffic. A signal ends the wait early. libpcap
 * itself drops the outgoing copy of a packet on the loopback device.
 *
 * The kernel hands packets out in blocks: a full one at once, another when its timer finds it unchanged since the last
 * time, which is up to two of its periods (packet(7), PACKET_RX_RING, TPACKET_V3). A block is as long as the longest
 * packet may be, so the ring's size and the delay say how long we may be kept from looking: LIVE_BUFFER_KIB is 32 of
 * them. libpcap's immediate mode has no blocks but gives every packet room for the longest, so that the same ring would
 * hold 32 packets; what is wanted at once comes in blocks with a short delay instead.
 *
 * What came just before the end is waited for, until as many came as the kernel has counted, or for so long that it
 * must have handed them out. */
#include "io/capture/live.h"
#include "base/clock.h"

#include "io/capture/libpcap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define LIVE_SNAPLEN 262144
#define LIVE_DELAY_MS 100
#define LIVE_SOON_MS 20 /* immediate */
#define LIVE_BUFFER_KIB 8192
#define LATE_MS 200 /* a timer of the kernel on a busy machine */
/* Packets after which libpcap's counters, which have 32 bits and count dropped ones too, are looked at: before they are
 * full, unless 255 of 256 are dropped. */
#define COUNTED_EVERY (1u << 24)

struct live {
    pcap_t *pcap;
    struct capture_interface iface;
    char *device, *filter;
    uint64_t number;
    bool microseconds;
    int delay_ms;
    int64_t end_ns, last_ms;   /* of live_end: the end (0: none), and how long what came before it is waited for */
    uint64_t due;              /* packets the kernel had counted at the end */
    struct live_counts counts; /* widened from libpcap's 32 bits */
    struct pcap_stat last;
    char why[PCAP_ERRBUF_SIZE + 64];
};

static int code_of(int status) {
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) return ERR_DENIED;
    return status == PCAP_ERROR_NO_SUCH_DEVICE ? ERR_NOTFOUND : ERR_IO;
}

static void explain(struct writer *why, const struct live *l, int status) {
    const char *detail = libpcap.geterr(l->pcap);
    if (code_of(status) == ERR_DENIED) {
        wr_f(why,
             "%s: no permission to capture; run it with sudo, or give the program the right once: "
             "`setcap cap_net_raw,cap_net_admin=ep PATH`",
             l->device);
    } else if (code_of(status) == ERR_NOTFOUND) {
        wr_f(why, "%s: no such device; `weir capture -D` lists them", l->device);
    } else {
        wr_f(why, "%s: %s%s%s", l->device, libpcap.statustostr(status), detail[0] ? ": " : "", detail);
    }
}

/* device_name resolves a number of the device list; NULL where there is no memory or no such number. */
static char *device_name(const char *given, char *error) {
    char *rest;
    unsigned long n = strtoul(given, &rest, 10);
    pcap_if_t *all = NULL;
    if (*rest || rest == given || n == 0) return strdup(given);
    if (libpcap.findalldevs(&all, error) < 0) return NULL;
    char *name = NULL;
    for (const pcap_if_t *d = all; d && !name; d = d->next)
        if (--n == 0) name = strdup(d->name);
    libpcap.freealldevs(all);
    return name ? name : strdup(given);
}

static void configure(struct live *l, const struct live_config *c) {
    l->microseconds = c->microseconds;
    l->delay_ms = c->delay_ms > 0 ? c->delay_ms : c->immediate ? LIVE_SOON_MS : LIVE_DELAY_MS;
    (void)libpcap.set_snaplen(l->pcap, c->snaplen > 0 ? c->snaplen : LIVE_SNAPLEN);
    (void)libpcap.set_promisc(l->pcap, !c->no_promiscuous);
    (void)libpcap.set_timeout(l->pcap, l->delay_ms);
    if (c->monitor) (void)libpcap.set_rfmon(l->pcap, 1);
    (void)libpcap.set_buffer_size(l->pcap, (c->buffer_kib > 0 ? c->buffer_kib : LIVE_BUFFER_KIB) * 1024);
    if (!c->microseconds && libpcap.set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO) != 0)
        l->microseconds = true;
}

static int set_linktype(struct live *l, const struct live_config *c, struct writer *why) {
    if (!c->linktype) {
        /* the newer cooked header names the interface of each packet, as tcpdump does it */
        if (strcmp(l->device, "any") == 0) (void)libpcap.set_datalink(l->pcap, DLT_LINUX_SLL2);
        return OK;
    }
    int dlt = libpcap.datalink_name_to_val(c->linktype);
    if (dlt >= 0 && libpcap.set_datalink(l->pcap, dlt) == 0) return OK;
    wr_f(why, "%s: link type %s is not available; `weir capture -i %s -L` lists those that are", l->device, c->linktype,
         l->device);
    return ERR_UNSUPPORTED;
}

static int set_filter(struct live *l, const char *filter, struct writer *why) {
    struct bpf_program program;
    if (!filter || !filter[0]) return OK;
    if (libpcap.compile(l->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        wr_f(why, "capture filter '%s': %s", filter, libpcap.geterr(l->pcap));
        return ERR_USAGE;
    }
    int r = libpcap.setfilter(l->pcap, &program);
    libpcap.freecode(&program);
    if (r < 0) wr_f(why, "%s: the capture filter cannot be set: %s", l->device, libpcap.geterr(l->pcap));
    return r < 0 ? ERR_IO : OK;
}

static int set_direction(struct live *l, const struct live_config *c, struct writer *why) {
    static const pcap_direction_t directions[] = {PCAP_D_INOUT, PCAP_D_IN, PCAP_D_OUT};
    if (c->direction == LIVE_BOTH || libpcap.setdirection(l->pcap, directions[c->direction]) == 0) return OK;
    wr_f(why, "%s: the direction cannot be chosen: %s", l->device, libpcap.geterr(l->pcap));
    return ERR_UNSUPPORTED;
}

/* linktype_of turns libpcap's number for this system into the one of files; they differ for raw IP and few others. */
static uint32_t linktype_of(int dlt) {
    switch (dlt) {
    case DLT_RAW: return 101;
    case DLT_ATM_RFC1483: return 100;
    case DLT_SLIP_BSDOS: return 102;
    case DLT_PPP_BSDOS: return 103;
    default: return (uint32_t)dlt;
    }
}

static int activate(struct live *l, const struct live_config *c, struct writer *why) {
    char error[PCAP_ERRBUF_SIZE] = "";
    int r = libpcap.activate(l->pcap);
    if (r < 0) return explain(why, l, r), code_of(r);
    if ((r = set_linktype(l, c, why)) < 0 || (r = set_filter(l, c->filter, why)) < 0 ||
        (r = set_direction(l, c, why)) < 0)
        return r;
    if (libpcap.setnonblock(l->pcap, 1, error) < 0) {
        wr_f(why, "%s: %s", l->device, error);
        return ERR_IO;
    }
    l->iface = (struct capture_interface){
        .name = slice_str(l->device),
        .filter = slice_str(l->filter),
        .linktype = linktype_of(libpcap.datalink(l->pcap)),
        .snaplen = (uint32_t)libpcap.snapshot(l->pcap),
        .ticks = l->microseconds ? 1000000 : 1000000000,
        .has_name = true,
    };
    return OK;
}

int live_open(struct live **out, const struct live_config *config, struct writer *why) {
    char error[PCAP_ERRBUF_SIZE] = "";
    if (!libpcap_load(why)) return ERR_UNSUPPORTED;
    struct live *l = calloc(1, sizeof *l);
    if (!l) return ERR_NOMEM;
    l->device = device_name(config->device, error);
    l->filter = strdup(config->filter ? config->filter : "");
    l->pcap = l->device ? libpcap.create(l->device, error) : NULL;
    int r = ERR_IO;
    if (l->pcap && l->filter) {
        configure(l, config);
        r = activate(l, config, why);
    } else {
        wr_f(why, "%s: %s", config->device, error);
    }
    if (r < 0) {
        live_close(l);
        return r;
    }
    *out = l;
    return OK;
}

/* counts_add takes what libpcap has counted since it was last asked. */
static int counts_add(struct live *l) {
    struct pcap_stat now;
    if (libpcap.stats(l->pcap, &now) < 0) return ERR_IO;
    l->counts.received += now.ps_recv - l->last.ps_recv;
    l->counts.dropped += now.ps_drop - l->last.ps_drop;
    l->counts.dropped_by_interface += now.ps_ifdrop - l->last.ps_ifdrop;
    l->last = now;
    return OK;
}

static int wait_packet(struct live *l, int wait_ms) {
    struct pollfd p = {.fd = libpcap.get_selectable_fd(l->pcap), .events = POLLIN};
    int r = poll(&p, 1, wait_ms);
    return r < 0 && errno != EINTR ? ERR_IO : r > 0 ? OK : LIVE_NOTHING;
}

/* try_packet asks libpcap without waiting. */
static int try_packet(struct live *l, struct packet *pkt) {
    struct pcap_pkthdr *h;
    const uint8_t *bytes;
    int r = libpcap.next_ex(l->pcap, &h, &bytes);
    if (r == 0) return LIVE_NOTHING;
    if (r < 0) {
        struct writer w = wr_fixed(l->why, sizeof l->why - 1);
        wr_f(&w, "%s: %s", l->device, libpcap.geterr(l->pcap));
        *w.p = 0;
        return ERR_IO;
    }
    *pkt = (struct packet){
        .number = ++l->number,
        .ts = (int64_t)h->ts.tv_sec * 1000000000 + (int64_t)h->ts.tv_usec * (l->microseconds ? 1000 : 1),
        .has_ts = true,
        .len = h->len,
        .data = slice_of(bytes, h->caplen),
        .iface = &l->iface,
        .section = 1,
    };
    if (l->number % COUNTED_EVERY == 0) (void)counts_add(l);
    return OK;
}

static int next_packet(struct live *l, struct packet *pkt, int wait_ms) {
    int r = try_packet(l, pkt);
    if (r != LIVE_NOTHING || wait_ms <= 0) return r;
    r = wait_packet(l, wait_ms);
    return r == OK ? try_packet(l, pkt) : r;
}

/* last_packet gives what came before the end. The time is looked at first: what was handed out in it is still taken. */
static int last_packet(struct live *l, struct packet *pkt, int wait_ms) {
    int64_t left = l->last_ms - clock_ms();
    if (l->number >= l->due) return ERR_END;
    int r = next_packet(l, pkt, left <= 0 ? 0 : left < wait_ms ? (int)left : wait_ms);
    return (r == LIVE_NOTHING && left <= 0) || (r == OK && pkt->ts > l->end_ns) ? ERR_END : r;
}

int live_next(struct live *l, struct packet *pkt, int wait_ms) {
    return l->end_ns ? last_packet(l, pkt, wait_ms) : next_packet(l, pkt, wait_ms);
}

void live_end(struct live *l) {
    if (l->end_ns) return;
    l->end_ns = clock_wall_ns();
    l->last_ms = clock_ms() + 2 * (int64_t)l->delay_ms + LATE_MS;
    l->due = counts_add(l) == OK ? l->counts.received - l->counts.dropped : UINT64_MAX;
}

int live_filter(struct live *l, const char *filter, struct writer *why) {
    char *text = strdup(filter);
    int r = text ? set_filter(l, filter, why) : ERR_NOMEM;
    if (r < 0) {
        free(text);
        return r;
    }
    free(l->filter);
    l->filter = text;
    l->iface.filter = slice_str(text);
    return OK;
}

int live_filter_check(const char *text, bool any, struct writer *why) {
    struct bpf_program program;
    if (!libpcap_load(why)) return ERR_UNSUPPORTED;
    pcap_t *none = libpcap.open_dead(any ? DLT_LINUX_SLL2 : DLT_EN10MB, LIVE_SNAPLEN);
    if (!none) return ERR_NOMEM;
    int r = libpcap.compile(none, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0 ? ERR_USAGE : OK;
    if (r < 0) wr_s(why, libpcap.geterr(none));
    else libpcap.freecode(&program);
    libpcap.close(none);
    return r;
}

const char *live_why(const struct live *l) { return l->why; }
const struct capture_interface *live_interface(const struct live *l) { return &l->iface; }

void live_linktype_text(const struct live *l, struct writer *w) {
    int dlt = libpcap.datalink(l->pcap);
    const char *name = libpcap.datalink_val_to_name(dlt), *text = libpcap.datalink_val_to_description(dlt);
    if (name) wr_f(w, "%s (%s)", name, text ? text : "?");
    else wr_f(w, "%d", dlt);
}

int live_counts(struct live *l, struct live_counts *counts) {
    int r = counts_add(l);
    if (r == OK) *counts = l->counts;
    return r;
}

void live_close(struct live *l) {
    if (!l) return;
    if (l->pcap) libpcap.close(l->pcap);
    free(l->device);
    free(l->filter);
    free(l);
}

/* addresses_text collects the IP addresses of a device and returns their number. */
static size_t addresses_text(const pcap_if_t *d, char text[][INET6_ADDRSTRLEN], const char *list[]) {
    size_t n = 0;
    for (const pcap_addr_t *a = d->addresses; a && n < LIVE_ADDRESSES_MAX; a = a->next) {
        const void *bytes =
            !a->addr                         ? NULL
            : a->addr->sa_family == AF_INET  ? (const void *)&((const struct sockaddr_in *)a->addr)->sin_addr
            : a->addr->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)a->addr)->sin6_addr
                                             : NULL;
        if (bytes && inet_ntop(a->addr->sa_family, bytes, text[n], INET6_ADDRSTRLEN)) list[n] = text[n], n++;
    }
    return n;
}

int live_devices(void (*take)(void *to, const struct live_device *d), void *to, struct writer *why) {
    char error[PCAP_ERRBUF_SIZE] = "", text[LIVE_ADDRESSES_MAX][INET6_ADDRSTRLEN];
    const char *list[LIVE_ADDRESSES_MAX];
    pcap_if_t *all = NULL;
    if (!libpcap_load(why)) return ERR_UNSUPPORTED;
    if (libpcap.findalldevs(&all, error) < 0) {
        wr_s(why, error);
        return ERR_IO;
    }
    for (const pcap_if_t *d = all; d; d = d->next) {
        struct live_device one = {.name = d->name,
                                  .description = d->description,
                                  .up = d->flags & PCAP_IF_UP,
                                  .running = d->flags & PCAP_IF_RUNNING,
                                  .loopback = d->flags & PCAP_IF_LOOPBACK,
                                  .wireless = d->flags & PCAP_IF_WIRELESS,
                                  .addresses = list,
                                  .n_addresses = addresses_text(d, text, list)};
        take(to, &one);
    }
    libpcap.freealldevs(all);
    return OK;
}

static void print_state(struct writer *w, uint32_t flags) {
    const char *states[4] = {flags & PCAP_IF_UP ? "Up" : NULL, flags & PCAP_IF_RUNNING ? "Running" : NULL,
                             flags & PCAP_IF_LOOPBACK ? "Loopback" : NULL,
                             flags & PCAP_IF_WIRELESS ? "Wireless" : NULL};
    uint32_t link = flags & PCAP_IF_CONNECTION_STATUS;
    const char *sep = " [";
    for (size_t i = 0; i < 4; i++) {
        if (!states[i]) continue;
        wr_f(w, "%s%s", sep, states[i]);
        sep = ", ";
    }
    if (link == PCAP_IF_CONNECTION_STATUS_CONNECTED) wr_f(w, "%sConnected", sep), sep = ", ";
    if (link == PCAP_IF_CONNECTION_STATUS_DISCONNECTED) wr_f(w, "%sDisconnected", sep), sep = ", ";
    if (sep[0] == ',') wr_c(w, ']');
}

int live_print_devices(struct writer *w, struct writer *why) {
    char error[PCAP_ERRBUF_SIZE] = "";
    pcap_if_t *all = NULL;
    if (!libpcap_load(why)) return ERR_UNSUPPORTED;
    if (libpcap.findalldevs(&all, error) < 0) {
        wr_s(why, error);
        return ERR_IO;
    }
    int n = 0;
    for (const pcap_if_t *d = all; d; d = d->next) {
        wr_f(w, "%d.%s", ++n, d->name);
        if (d->description) wr_f(w, " (%s)", d->description);
        print_state(w, d->flags);
        wr_c(w, '\n');
    }
    libpcap.freealldevs(all);
    return OK;
}

int live_print_linktypes(const struct live_config *config, struct writer *w, struct writer *why) {
    struct live *l;
    int *list, r = live_open(&l, config, why);
    if (r < 0) return r;
    int n = libpcap.list_datalinks(l->pcap, &list);
    for (int i = 0; i < n; i++) {
        const char *name = libpcap.datalink_val_to_name(list[i]), *text = libpcap.datalink_val_to_description(list[i]);
        if (name) wr_f(w, "%s (%s)\n", name, text ? text : "?");
        else wr_f(w, "%d\n", list[i]);
    }
    if (n > 0) libpcap.free_datalinks(list);
    live_close(l);
    return OK;
}
