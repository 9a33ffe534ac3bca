/* SPDX-License-Identifier: Apache-2.0 */
/* weir craft: packets from expressions, shown or written to a capture. */
#include "app/cmd.h"
#include "app/opt.h"
#include "craft/craft.h"
#include "io/capwrite.h"
#include "io/out.h"
#include "io/route.h"
#include "view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct craft_opts {
    const char *file;
    bool show, hex, layers;
    int64_t count;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'w', "write", "FILE", "write the packets to FILE (pcapng); - is stdout", OPT_TEXT,
     offsetof(struct craft_opts, file)},
    {'V', "show", NULL, "the decoded packet, as `weir read -V` shows it", OPT_FLAG, offsetof(struct craft_opts, show)},
    {'x', "hex", NULL, "the bytes in hexadecimal", OPT_FLAG, offsetof(struct craft_opts, hex)},
    {'c', "count", "N", "make all packets N times", OPT_NUMBER, offsetof(struct craft_opts, count), .min = 1},
    {'l', "layers", NULL, "list every layer, its fields and their other names", OPT_FLAG,
     offsetof(struct craft_opts, layers)},
};

static const char *const examples[] = {
    "weir craft --show 'IP(dst=\"10.0.0.9\")/ICMP()'",
    "weir craft -w scan.pcapng 'Ether()/IP(dst=\"10.0.0.0/28\")/TCP(dport=[1883,8883],flags=\"S\")'",
    "weir craft -x 'IP(dst=\"9.9.9.9\")/UDP()/DNS(qd=\"harvest.example\")'",
    "weir craft -w - 'IP()/TCP(flags=\"PA\")/MQTT(type=\"CONNECT\",clientid=\"x\",len=99)' | weir read -V -r -",
    NULL,
};

static const struct opt_command command = {
    .name = "craft",
    .synopsis = "[-w FILE] [--show] [--hex] EXPRESSION...",
    .purpose = "make packets from expressions as in Scapy",
    .description = "An expression is layers with / between: IP(dst=\"10.0.0.9\")/UDP(dport=53)/DNS(qd=\"a.example\"). "
                   "Fields have Scapy's names or "
                   "Wireshark's, and what is not said is right by default: lengths, checksums, types, the source "
                   "address. A text in quotes is "
                   "payload. Every field can be set wrong.\n\n"
                   "A list [80,443], a range (1,1024), a network \"10.0.0.0/24\" or \"10.0.0.1-9\" stands for several "
                   "values, and the expression for a packet "
                   "per combination, at most 16777216. Without -w, --show or --hex, one line per packet is printed.\n\n"
                   "An Ethernet address that is not said is ff:ff:ff:ff:ff:ff as destination and zero as source.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = offsetof(struct craft_opts, words),
};

enum { LINKTYPES = 2, OUT_BYTES = 64 << 10 };

struct crafting {
    struct craft_opts o;
    struct craft_env env;
    struct capture_interface iface[LINKTYPES];
    size_t n_ifaces;
    struct capwrite *to;
    int fd;
    bool decodes;
    struct dissector ds;
    struct want want;
    struct view view;
    struct writer out;
    int out_fd;
    uint64_t packets;
    char buffer[OUT_BYTES];
};

static bool source_of(void *to, const uint8_t *dst, uint8_t *src, size_t n) {
    (void)to;
    return route_source(dst, src, n);
}

/* iface_of gives the interface of a link type, made when it is first needed. */
static const struct capture_interface *iface_of(struct crafting *g, int linktype, int *rc) {
    for (size_t i = 0; i < g->n_ifaces; i++)
        if (g->iface[i].linktype == (uint32_t)linktype) return &g->iface[i];
    struct capture_interface *i = &g->iface[g->n_ifaces];
    *i = (struct capture_interface){.name = SLICE("crafted"),
                                    .linktype = (uint32_t)linktype,
                                    .id = (uint32_t)g->n_ifaces,
                                    .ticks = 1000000000,
                                    .has_name = true};
    g->n_ifaces++;
    if (g->to) *rc = capwrite_interface(g->to, i);
    return i;
}

static int packet_show(struct crafting *g, struct packet *p) {
    const struct decode *d = g->decodes ? dissector_packet(&g->ds, p) : NULL;
    if (d && g->o.show) tree_print(&g->out, d, NULL, &g->view);
    else if (d && !g->o.hex) columns_print(&g->out, d, &g->view);
    if (d) dissector_shown(&g->ds), g->view.times = g->ds.times;
    if (g->o.hex) hex_dump(&g->out, p->data);
    if (g->o.show || g->o.hex) wr_c(&g->out, '\n');
    return g->out.err;
}

static int packet_take(struct crafting *g, int linktype, struct slice bytes) {
    struct timespec now;
    int rc = OK;
    clock_gettime(CLOCK_REALTIME, &now);
    struct packet p = {.number = ++g->packets,
                       .ts = now.tv_sec * 1000000000LL + now.tv_nsec,
                       .has_ts = true,
                       .len = (uint32_t)bytes.n,
                       .data = bytes};
    if (linktype >= 0) p.iface = iface_of(g, linktype, &rc);
    if (!rc && g->to) rc = capwrite_packet(g->to, &p);
    if (!rc && (!g->o.file || g->o.show || g->o.hex)) rc = packet_show(g, &p);
    return rc;
}

static int expression(struct crafting *g, const char *text) {
    char buf[512];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    struct slice bytes;
    struct craft *c;
    int rc = craft_make(&c, text, &g->env, &why), linktype = rc ? 0 : craft_linktype(c);
    if (!rc && linktype < 0 && (g->o.file || g->o.show || !g->o.hex)) {
        wr_s(&why, "packets begin with Ether, IP or IPv6 (other layers: --hex alone)");
        rc = ERR_USAGE;
    }
    for (uint64_t i = 0; !rc && i < craft_count(c); i++) {
        rc = craft_packet(c, i, &bytes, &why);
        if (!rc) rc = packet_take(g, linktype, bytes);
    }
    craft_free(c);
    if (rc == ERR_END) return EXIT_FINE; /* the reader of our output went away */
    *why.p = 0;
    return rc ? opt_bad_use(&command, "%s", buf[0] ? buf : err_text(rc)) : OPT_GO;
}

static int all(struct crafting *g) {
    int rc = OPT_GO;
    for (int64_t n = 0; n < (g->o.count ? g->o.count : 1); n++)
        for (size_t i = 0; rc == OPT_GO && i < g->o.words.n; i++) rc = expression(g, g->o.words.item[i]);
    if (g->to && capwrite_close(g->to) && rc == OPT_GO)
        rc = opt_bad_use(&command, "writing %s failed: %s", g->o.file, strerror(errno));
    int written = wr_flush(&g->out);
    if (written && written != ERR_END && rc == OPT_GO) rc = opt_bad_use(&command, "writing to standard output failed");
    return rc == OPT_GO ? EXIT_FINE : rc;
}

static int prepare(struct crafting *g) {
    if (!g->o.words.n) return opt_bad_use(&command, "an expression is missing, such as 'IP(dst=\"10.0.0.9\")/ICMP()'");
    bool to_stdout = g->o.file && !strcmp(g->o.file, "-");
    if (to_stdout && (g->o.show || g->o.hex))
        return opt_bad_use(&command, "-w - and --show or --hex both want standard output");
    g->decodes = g->o.show || (!g->o.file && !g->o.hex);
    if (g->o.show) want_all(&g->want);
    else columns_want(&g->want);
    if (g->decodes && dissector_make(&g->ds, &g->want)) return opt_bad_use(&command, "out of memory");
    if (!g->o.file) return OPT_GO;
    g->fd = to_stdout ? STDOUT_FILENO : open(g->o.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (g->fd < 0) return opt_bad_use(&command, "cannot write %s: %s", g->o.file, strerror(errno));
    return capwrite_open(&g->to, g->fd, CAPWRITE_PCAPNG, NULL) ? opt_bad_use(&command, "cannot write %s", g->o.file)
                                                               : OPT_GO;
}

static int layers_list(struct crafting *g) {
    craft_layers(&g->out);
    return wr_flush(&g->out) ? EXIT_TROUBLE : EXIT_FINE;
}

int cmd_craft(int argc, char **argv) {
    struct crafting *g = calloc(1, sizeof *g);
    if (!g) return opt_bad_use(&command, "out of memory");
    g->out_fd = STDOUT_FILENO;
    g->fd = -1;
    g->view.precision = -1;
    g->env.source = source_of;
    g->out = wr_sink(g->buffer, sizeof g->buffer, out_fd_flush, &g->out_fd);
    int rc = opt_parse(&command, &g->o, argc, argv);
    if (rc == OPT_GO && g->o.layers) rc = layers_list(g);
    if (rc == OPT_GO) rc = prepare(g);
    if (rc == OPT_GO) rc = all(g);
    if (g->decodes) dissector_free(&g->ds);
    if (g->fd > STDOUT_FILENO) close(g->fd);
    opt_release(&command, &g->o);
    free(g);
    return rc;
}
