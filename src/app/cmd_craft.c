/* SPDX-License-Identifier: Apache-2.0 */
/* weir craft: packets from expressions or from a capture: shown, written, sent. */
#include "app/children.h"
#include "app/cmd.h"
#include "app/craft/craft.h"
#include "base/clock.h"
#include "io/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct craft_opts {
    const char *file;
    bool show, hex, layers, quiet;
    int64_t count;
    struct send_opts send;
    struct from_opts from;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'w', "write", "FILE", "write the packets (and the answers) to FILE (pcapng); - is stdout", OPT_TEXT,
     offsetof(struct craft_opts, file)},
    {'V', "show", NULL, "the decoded packet, as `weir read -V` shows it", OPT_FLAG, offsetof(struct craft_opts, show)},
    {'x', "hex", NULL, "the bytes in hexadecimal", OPT_FLAG, offsetof(struct craft_opts, hex)},
    {'q', "quiet", NULL, "no line per packet, totals only", OPT_FLAG, offsetof(struct craft_opts, quiet)},
    {'c', "count", "N", "all packets N times", OPT_NUMBER, offsetof(struct craft_opts, count), .min = 1},
    SEND_OPTIONS(struct craft_opts, send),
    {'r', "read", "FILE", "take the packets from a capture instead of an expression", OPT_TEXT,
     offsetof(struct craft_opts, from.file)},
    {'Y', "filter", "FILTER", "with -r: only the packets this display filter finds", OPT_TEXT,
     offsetof(struct craft_opts, from.filter)},
    {0, "set", "FIELD=VALUE",
     "with -r: change a field, by its name in `weir fields`; lengths and checksums follow (may be given again)",
     OPT_LIST, offsetof(struct craft_opts, from.set)},
    {0, "replay", NULL, "with -r: send at the pace of the capture", OPT_FLAG, offsetof(struct craft_opts, from.replay)},
    {0, "speed", "N", "with -r: replay N times as fast (0.5: half as fast)", OPT_TEXT,
     offsetof(struct craft_opts, from.speed)},
    {0, "topspeed", NULL, "with -r: replay as fast as it goes; needs --really", OPT_FLAG,
     offsetof(struct craft_opts, from.topspeed)},
    {'l', "layers", NULL, "list every layer, its fields and their other names", OPT_FLAG,
     offsetof(struct craft_opts, layers)},
};

static const char *const examples[] = {
    "weir craft --show 'IP(dst=\"10.0.0.9\")/ICMP()'",
    "sudo weir craft --answer 'IP(dst=\"127.0.0.1\")/ICMP()'",
    "sudo weir craft --answer -c 3 --interval 1 'IP(dst=\"127.0.0.1\")/UDP(sport=5353,dport=53)/DNS(qd=\"localhost\")'",
    "sudo weir craft --answer 'IP(dst=\"127.0.0.1\")/TCP(dport=[22,(80,90),1883],flags=\"S\")'",
    "weir craft -w scan.pcapng 'Ether()/IP(dst=\"10.0.0.0/28\")/TCP(dport=[1883,8883],flags=\"S\")'",
    "weir craft -x 'IP(dst=\"9.9.9.9\")/UDP()/DNS(qd=\"harvest.example\")'",
    "weir craft -w - 'IP()/TCP(flags=\"PA\")/MQTT(type=\"CONNECT\",clientid=\"x\",len=99)' | weir read -V -r -",
    "weir craft -r scan.pcapng -Y tcp.dstport==1883 --set ip.dst=127.0.0.1 -w edited.pcapng",
    "sudo weir craft tcp 127.0.0.1 1883",
    "weir craft mqtt 127.0.0.1 1883 --break qos-3",
    NULL,
};

static const struct opt_command command = {
    .name = "craft",
    .synopsis = "[options] EXPRESSION... | -r FILE | tcp HOST PORT | mqtt HOST PORT",
    .purpose = "make packets from expressions as in Scapy, and send them",
    .description =
        "An expression is layers with / between: IP(dst=\"10.0.0.9\")/UDP(dport=53)/DNS(qd=\"a.example\"). Fields have "
        "Scapy's names or Wireshark's, and what is not said is right by default: lengths, checksums, types, the source "
        "address. A text in quotes is payload. Every field can be set wrong.\n\n"
        "A list [80,443], a range (1,1024), a network \"10.0.0.0/24\" or \"10.0.0.1-9\" stands for several values, and "
        "the expression for a packet per combination, at most 16777216. Without -w, --show, --hex or --send, one line "
        "per packet is printed.\n\n"
        "With --send they leave, at most 1000 a second; --answer also listens and shows which packet was answered by "
        "what, after which time, and which was not. Both need the right to use raw sockets (sudo). Repeated echo "
        "requests count up their sequence number.\n\n"
        "An Ethernet address that is not said is ff:ff:ff:ff:ff:ff as destination and zero as source; when the packet "
        "is sent, those of the next hop and the interface.\n\n"
        "`weir craft tcp HOST PORT` makes a TCP connection by hand, `weir craft mqtt HOST PORT` sends MQTT packets, "
        "right or broken; each has its own --help.\n\n"
        "Exit status: 0 fine, 1 with --answer when nothing was answered, 2 an error or bad use.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = offsetof(struct craft_opts, words),
};

struct crafting {
    struct craft_opts o;
    struct craft_env env;
    struct craft_out out;
    struct sender *sender;
    struct craft **crafts;
    struct { /* the last question for a source address: a packet asks several times */
        size_t n;
        uint8_t dst[16], src[16];
    } last;
};

static bool source_of(void *to, const uint8_t *dst, uint8_t *src, size_t n) {
    struct crafting *g = to;
    if (g->last.n != n || memcmp(g->last.dst, dst, n)) {
        if (!route_source(dst, g->last.src, n)) memset(g->last.src, 0, sizeof g->last.src);
        g->last.n = n;
        memcpy(g->last.dst, dst, n);
    }
    memcpy(src, g->last.src, n);
    return true;
}

static bool lookup_of(void *to, const char *name, uint8_t *addr, size_t n) {
    (void)to;
    return route_lookup(name, addr, n);
}

static int refuse(int rc, const struct writer *why) {
    if (rc == ERR_END) return EXIT_FINE; /* the reader of our output went away */
    *why->p = 0;
    return rc ? opt_bad_use(&command, "%s", why->p > why->buf ? why->buf : err_text(rc)) : OPT_GO;
}

/* packet_take sends a packet or shows it. */
static int packet_take(struct crafting *g, int linktype, struct slice bytes, struct writer *why) {
    const struct decode *d;
    if (g->sender) return sender_packet(g->sender, linktype, bytes, 0);
    int rc = craft_out_packet(&g->out, linktype, bytes, clock_wall_ns(), CRAFT_MADE, &d);
    if (!rc && (!g->o.file || g->o.show || g->o.hex) && !g->o.quiet) rc = craft_out_print(&g->out, d, bytes);
    return refuse(rc, why);
}

static int expression(struct crafting *g, struct craft *c) {
    char buf[512];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    struct slice bytes;
    int rc = OPT_GO;
    for (uint64_t i = 0; rc == OPT_GO && i < craft_count(c) && !children_stopped(); i++) {
        rc = refuse(craft_packet(c, i, &bytes, &why), &why);
        if (rc == OPT_GO) rc = packet_take(g, craft_linktype(c), bytes, &why);
    }
    return rc;
}

/* understand reads all expressions before a packet is made. */
static int understand(struct crafting *g) {
    char buf[512];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    g->crafts = calloc(g->o.words.n, sizeof *g->crafts);
    if (!g->crafts) return opt_bad_use(&command, "out of memory");
    for (size_t i = 0; i < g->o.words.n; i++) {
        int rc = craft_make(&g->crafts[i], g->o.words.item[i], &g->env, &why);
        if (rc) return refuse(rc, &why);
        if (craft_linktype(g->crafts[i]) < 0 && (g->sender || g->o.file || g->o.show || !g->o.hex))
            return opt_bad_use(&command, "packets begin with Ether, IP or IPv6 (other layers: --hex alone)");
    }
    return OPT_GO;
}

static int all(struct crafting *g) {
    int64_t rounds = g->o.send.loop ? INT64_MAX : g->o.count ? g->o.count : 1;
    int rc = understand(g);
    children_watch();
    for (int64_t n = 0; rc == OPT_GO && n < rounds && !children_stopped(); n++) {
        g->env.round = (uint32_t)n;
        for (size_t i = 0; rc == OPT_GO && i < g->o.words.n; i++) rc = expression(g, g->crafts[i]);
    }
    return rc;
}

static int prepare(struct crafting *g) {
    const struct craft_opts *o = &g->o;
    bool sends = o->send.send || o->send.answer || o->from.replay || o->from.topspeed || o->from.speed;
    if (o->from.file && o->words.n)
        return opt_bad_use(&command, "-r takes the packets from a file: no expression belongs here");
    if (!o->from.file && (o->from.set.n || o->from.filter || o->from.replay || o->from.topspeed || o->from.speed))
        return opt_bad_use(&command, "-Y, --set, --replay, --speed and --topspeed need -r FILE");
    if (!o->from.file && !o->words.n)
        return opt_bad_use(&command, "an expression is missing, such as 'IP(dst=\"10.0.0.9\")/ICMP()'");
    if (o->send.loop && !sends) return opt_bad_use(&command, "--loop needs --send or --answer");
    if (o->send.json && !o->send.answer) return opt_bad_use(&command, "--json needs --answer");
    g->out.cmd = &command;
    g->out.file = o->file;
    g->out.show = o->show;
    g->out.hex = o->hex;
    g->out.quiet = o->quiet;
    int rc = craft_out_open(&g->out, !o->quiet && (o->show || o->send.answer || (!o->file && !o->hex)));
    if (rc != OPT_GO || !sends) return rc;
    rc = sender_open(&g->sender, &command, &o->send, &g->out);
    if (rc == OPT_GO) g->env = sender_env(g->sender), g->env.lookup = lookup_of;
    return rc;
}

static int layers_list(void) {
    static char buffer[4096];
    int fd = STDOUT_FILENO;
    struct writer w = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd);
    craft_layers(&w);
    return opt_written(&command, wr_flush(&w), EXIT_FINE);
}

static int craft(struct crafting *g) {
    if (g->o.layers) return layers_list();
    int rc = prepare(g);
    if (rc == OPT_GO && g->o.from.file) rc = craft_from(&command, &g->o.from, &g->o.send, &g->out, g->sender);
    else if (rc == OPT_GO) rc = all(g);
    if (rc == OPT_GO) rc = EXIT_FINE;
    rc = sender_end(g->sender, rc);
    return craft_out_close(&g->out, rc);
}

int cmd_craft(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "tcp")) return craft_tcp(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "mqtt")) return craft_mqtt(argc - 1, argv + 1);
    struct crafting *g = calloc(1, sizeof *g);
    if (!g) return opt_bad_use(&command, "out of memory");
    g->env.source = source_of;
    g->env.to = g;
    g->env.lookup = lookup_of;
    int rc = opt_parse(&command, &g->o, argc, argv);
    if (rc == OPT_GO) rc = craft(g);
    for (size_t i = 0; g->crafts && i < g->o.words.n; i++) craft_free(g->crafts[i]);
    free(g->crafts);
    opt_release(&command, &g->o);
    free(g);
    return rc;
}
