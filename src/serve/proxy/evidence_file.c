/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the parent writes one pcapng file for each connection something was stopped on, named by time
 * and the number of the connection, which audit records call flow_id. Packets are IP with the client's real address;
 * the other end has the address the client connected to and port 1883, since what is in them is MQTT, whatever it came
 * in. The packet that was stopped has the rule as its comment.
 *
 * At most `evidence.files` files are kept: the names sort by age, and the oldest goes first. A full disk costs
 * evidence, never traffic. */
#include "io/capture/capwrite.h"
#include "proto/ip/ip_write.h"
#include "proto/ipv6/ipv6_write.h"
#include "proto/tcp/tcp_write.h"
#include "serve/proxy/evidence.h"
#include "serve/proxy/parent.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINKTYPE_RAW = 101, PORT_MQTT = 1883, TCP_HEAD = 20, PROTO_TCP = 6, PUSH_ACK = 0x18, WINDOW = 65535, NAME = 64 };
#define SUFFIX ".pcapng"

static bool ours(const char *name) {
    size_t n = strlen(name), suffix = sizeof SUFFIX - 1;
    return n > suffix + 17 && n < NAME && name[8] == 'T' && name[15] == '-' && !strcmp(name + n - suffix, SUFFIX);
}

/* make_place removes the oldest file while there are as many as may be. */
static void make_place(int folder, unsigned most) {
    for (unsigned count = most; count >= most;) {
        char oldest[NAME] = "";
        int fd = dup(folder);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) return (void)(fd >= 0 && close(fd));
        rewinddir(d);
        count = 0;
        for (struct dirent *e; (e = readdir(d));) {
            if (!ours(e->d_name)) continue;
            count++;
            if (!*oldest || strcmp(e->d_name, oldest) < 0) snprintf(oldest, sizeof oldest, "%.*s", NAME - 1, e->d_name);
        }
        closedir(d);
        if (count >= most && (!*oldest || unlinkat(folder, oldest, 0) < 0)) return;
    }
}

static void name_of(char *name, uint64_t id, int64_t ts) {
    time_t t = (time_t)(ts / 1000000000);
    struct tm tm;
    char when[20];
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", gmtime_r(&t, &tm));
    snprintf(name, NAME, "%s-%" PRIu64 SUFFIX, when, id);
}

/* find gives the file of a connection that has one. */
static bool find(int folder, uint64_t id, char *name) {
    char end[NAME];
    size_t n = (size_t)snprintf(end, sizeof end, "-%" PRIu64 SUFFIX, id);
    int fd = dup(folder);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    if (!d) return (void)(fd >= 0 && close(fd)), false;
    rewinddir(d);
    for (struct dirent *e; !found && (e = readdir(d));) {
        found = ours(e->d_name) && strlen(e->d_name) == 15 + n && !strcmp(e->d_name + 15, end);
        if (found) snprintf(name, NAME, "%.*s", NAME - 1, e->d_name);
    }
    closedir(d);
    return found;
}

/* begin opens the file of a connection, a new one where `fresh`. */
static int begin(struct parent *p, const struct evidence_record *r) {
    static const struct capture_interface iface = {
        .name = {(const uint8_t *)"guard", 5}, .has_name = true, .linktype = LINKTYPE_RAW, .ticks = 1000000000};
    struct evidence_out *o = &p->evidence;
    char name[NAME];
    int folder = open(p->set->config->evidence, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -errno;
    bool more = find(folder, r->peer.id, name);
    if (!more) {
        name_of(name, r->peer.id, r->ts);
        make_place(folder, p->set->config->evidence_files);
    }
    o->fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (more ? O_APPEND : O_CREAT | O_EXCL), 0600);
    int rc = o->fd < 0 ? -errno : 0;
    close(folder);
    if (rc < 0) return rc;
    o->id = r->peer.id;
    o->iface = iface;
    rc = more ? capwrite_continue(&o->file, o->fd, CAPWRITE_PCAPNG)
              : capwrite_open(&o->file, o->fd, CAPWRITE_PCAPNG, NULL);
    if (rc == OK && !more) rc = capwrite_interface(o->file, &iface);
    return rc == OK ? 0 : -EIO;
}

void evidence_flush(struct parent *p) {
    struct evidence_out *o = &p->evidence;
    if (o->file) (void)capwrite_close(o->file);
    if (o->fd > 0) close(o->fd);
    *o = (struct evidence_out){0};
}

static void head_4(struct writer *w, const struct evidence_record *r, const struct tcp_write *t, struct slice data) {
    struct ip_write h = {.version = 4,
                         .hdr_words = WRITE_AUTO,
                         .len = TCP_HEAD + 20 + (int64_t)r->len,
                         .ttl = 64,
                         .proto = PROTO_TCP,
                         .flags = 2,
                         .checksum = WRITE_AUTO};
    const struct net_addr *end[] = {&r->peer.client, &r->peer.local};
    memcpy(h.src, end[r->side]->bytes, 4);
    memcpy(h.dst, end[!r->side]->bytes, 4);
    struct pseudo ps = ip_pseudo(&h);
    ip_write(w, &h, TCP_HEAD + data.n);
    tcp_write(w, t, &ps, data);
}

static void head_6(struct writer *w, const struct evidence_record *r, const struct tcp_write *t, struct slice data) {
    struct ipv6_write h = {.version = 6, .payload_len = TCP_HEAD + (int64_t)r->len, .next = PROTO_TCP, .hop_limit = 64};
    const struct net_addr *end[] = {&r->peer.client, &r->peer.local};
    memcpy(h.src, end[r->side]->bytes, 16);
    memcpy(h.dst, end[!r->side]->bytes, 16);
    struct pseudo ps = ipv6_pseudo(&h);
    ipv6_write(w, &h, TCP_HEAD + data.n);
    tcp_write(w, t, &ps, data);
}

static int put(struct parent *p, const struct evidence_record *r, struct slice why, struct slice data) {
    uint8_t bytes[RING_RECORD_MAX];
    struct writer w = wr_fixed(bytes, sizeof bytes);
    struct tcp_write t = {.src_port = r->side == GUARD_CLIENT ? r->peer.client_port : PORT_MQTT,
                          .dst_port = r->side == GUARD_CLIENT ? PORT_MQTT : r->peer.client_port,
                          .seq = r->seq,
                          .ack = r->ack,
                          .hdr_words = WRITE_AUTO,
                          .flags = PUSH_ACK,
                          .window = WINDOW,
                          .checksum = WRITE_AUTO};
    if (r->peer.client.len == 16) head_6(&w, r, &t, data);
    else head_4(&w, r, &t, data); /* of a Unix socket's client all addresses are zero */
    size_t head = wr_len(&w);
    wr_slice(&w, data);
    struct packet packet = {.ts = r->ts,
                            .has_ts = true,
                            .len = (uint32_t)head + r->len,
                            .data = wr_done(&w),
                            .iface = &p->evidence.iface,
                            .flags = r->side == GUARD_CLIENT ? 1 : 2,
                            .has_flags = true,
                            .comments = {why}};
    return w.err ? ERR_LIMIT : capwrite_packet(p->evidence.file, &packet);
}

static void lost(struct parent *p, int error) {
    static int64_t told;
    if (told && p->now - told < 10000) return;
    told = p->now;
    parent_say("cannot keep evidence in %s: %s", p->set->config->evidence, strerror(-error));
}

void evidence_write(struct parent *p, struct slice record) {
    struct evidence_record r;
    if (record.n < sizeof r || !p->set->config->evidence) return;
    memcpy(&r, record.p, sizeof r);
    struct slice rest = slice_tail(record, sizeof r), why = slice_head(rest, r.why_n), data = slice_tail(rest, why.n);
    if (r.side >= GUARD_SIDES || r.len < data.n) return;
    if (p->evidence.file && p->evidence.id != r.peer.id) evidence_flush(p);
    int rc = p->evidence.file ? 0 : begin(p, &r);
    if (rc == 0 && put(p, &r, why, data) != OK) rc = -ENOSPC;
    if (rc == 0) return;
    evidence_flush(p);
    lost(p, rc);
}
