/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a capture, changed and sent or written. What is sent without -i leaves as an IP packet by the system's
 * routes, since the Ethernet addresses of a capture belong to another place; with -i frames leave as they are. */
#include "analyse/amend.h"
#include "app/craft/craft.h"
#include "app/feed.h"
#include "app/filter.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINK_ETHERNET = 1, LINK_RAW = 101 };

struct from {
    const struct opt_command *cmd;
    const struct from_opts *o;
    const struct send_opts *send;
    struct craft_out *to;
    struct sender *sender;
    struct feed feed;
    struct dissector ds;
    struct want want;
    struct expr *filter;
    struct amend amend;
    double speed;         /* 0: at the pace of --interval */
    int64_t begin, began; /* time of the first packet, and of its sending */
    bool started;
    uint64_t taken, unsent, too_long;
    uint8_t bytes[AMEND_PACKET_MAX];
};

static int edits_read(struct from *f) {
    char buf[256];
    struct field_index names;
    int rc = OPT_GO;
    if (field_index_make(&names, &weir_fields)) return opt_bad_use(f->cmd, "out of memory");
    for (size_t i = 0; rc == OPT_GO && i < f->o->set.n; i++) {
        struct writer why = wr_fixed(buf, sizeof buf - 1);
        int err = amend_add(&f->amend, &names, slice_str(f->o->set.item[i]), &why);
        *why.p = 0;
        if (err) rc = opt_bad_use(f->cmd, "--set %s: %s", f->o->set.item[i], buf);
    }
    field_index_free(&names);
    return rc;
}

static int speed_read(struct from *f) {
    char *rest;
    f->speed = f->o->replay || f->o->speed ? 1 : 0;
    if (f->o->topspeed && (f->o->speed || f->o->replay))
        return opt_bad_use(f->cmd, "--topspeed and --replay or --speed exclude each other");
    if (f->o->topspeed && !f->send->really)
        return opt_bad_use(f->cmd, "--topspeed: add --really if the network is yours to load");
    if (!f->o->speed) return OPT_GO;
    f->speed = strtod(f->o->speed, &rest);
    if (rest == f->o->speed || *rest || !(f->speed > 0) || f->speed > 1e6)
        return opt_bad_use(f->cmd, "--speed %s: a number above 0 belongs here, such as 2 or 0.5", f->o->speed);
    return OPT_GO;
}

static int prepare(struct from *f) {
    char buf[300];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    int rc = speed_read(f);
    if (rc == OPT_GO) rc = edits_read(f);
    if (rc == OPT_GO && f->o->filter) rc = filter_compile(f->cmd, "-Y", slice_str(f->o->filter), &f->filter);
    if (rc != OPT_GO) return rc;
    if (f->amend.n) want_all(&f->want);
    if (f->filter) want_union(&f->want, expr_want(f->filter));
    if (dissector_make(&f->ds, &f->want)) return opt_bad_use(f->cmd, "out of memory");
    int err = feed_open_file(&f->feed, f->o->file, &why);
    *why.p = 0;
    return err ? opt_bad_use(f->cmd, "%s", buf[0] ? buf : err_text(err)) : OPT_GO;
}

/* due_of says when a packet leaves (ns of clock_ns), 0: by the interval. */
static int64_t due_of(struct from *f, const struct packet *p) {
    int64_t now = clock_ns();
    if (f->o->topspeed) return now;
    if (f->speed <= 0) return 0;
    if (!f->started) f->begin = p->ts, f->began = now;
    f->started = true;
    return f->began + (int64_t)((double)(p->ts - f->begin) / f->speed);
}

static int packet_send(struct from *f, const struct packet *p, struct slice bytes) {
    struct talk_packet t;
    int linktype = (int)p->iface->linktype;
    if (!(linktype == LINK_ETHERNET && f->send->device)) {
        if (!talk_read(&t, (uint32_t)linktype, bytes) || t.family == TALK_ARP) return f->unsent++, OPT_GO;
        bytes = t.network;
        if (t.family == TALK_IP4 && bytes.n > load_be16(bytes.p + 2) && load_be16(bytes.p + 2) >= 20)
            bytes = slice_head(bytes, load_be16(bytes.p + 2)); /* padding of the frame */
        linktype = LINK_RAW;
    }
    return sender_packet(f->sender, linktype, bytes, due_of(f, p));
}

static int packet_take(struct from *f, const struct packet *p) {
    const struct decode *d = f->filter || f->amend.n ? dissector_packet(&f->ds, p) : NULL, *shown;
    struct slice bytes = p->data;
    if (f->filter && !expr_match(f->filter, d->out)) return OPT_GO;
    if (f->amend.n) {
        bytes = slice_of(f->bytes, amend_packet(&f->amend, d, p->data, f->bytes));
        if (!bytes.n) return f->too_long++, OPT_GO;
    }
    f->taken++;
    if (f->sender) return packet_send(f, p, bytes);
    f->to->cut = p->len > p->data.n ? p->len - (uint32_t)p->data.n : 0;
    int rc = craft_out_packet(f->to, (int)p->iface->linktype, bytes, p->ts, CRAFT_MADE, &shown);
    if (!rc && !f->to->quiet && (!f->to->file || f->to->show || f->to->hex)) rc = craft_out_print(f->to, shown, bytes);
    if (rc == ERR_END) return EXIT_FINE;
    return rc ? opt_bad_use(f->cmd, "%s", err_text(rc)) : OPT_GO;
}

static int remarks(const struct from *f, int rc) {
    for (size_t i = 0; i < f->amend.n; i++) {
        const struct amend_edit *e = &f->amend.edit[i];
        const char *name = field_of(e->id)->name;
        if (!e->done && !e->refused) fprintf(stderr, "weir craft: note: no packet has %s\n", name);
        if (e->refused)
            fprintf(stderr,
                    "weir craft: note: %s was left as it is %llu %s: it stands in reassembled, decrypted or compressed "
                    "bytes, or the value does not fit\n",
                    name, (unsigned long long)e->refused, plural(e->refused, "time", "times"));
    }
    if (f->unsent)
        fprintf(stderr,
                plural(f->unsent,
                       "weir craft: note: %llu packet is no IP packet and was not sent; with -i frames are sent as "
                       "they are\n",
                       "weir craft: note: %llu packets are no IP packets and were not sent; with -i frames are sent as "
                       "they are\n"),
                (unsigned long long)f->unsent);
    if (f->too_long)
        fprintf(stderr,
                plural(f->too_long, "weir craft: note: %llu packet would be longer than %d bytes and was left out\n",
                       "weir craft: note: %llu packets would be longer than %d bytes and were left out\n"),
                (unsigned long long)f->too_long, AMEND_PACKET_MAX);
    if (!f->taken && rc == OPT_GO) fprintf(stderr, "weir craft: note: no packet was found\n");
    return rc;
}

static int all(struct from *f) {
    struct packet p;
    int rc = OPT_GO, got = OK;
    while (rc == OPT_GO && (got = feed_next(&f->feed, &p)) == OK) rc = packet_take(f, &p);
    if (rc == OPT_GO && got != OK && got != ERR_END) rc = opt_bad_use(f->cmd, "%s", feed_why(&f->feed));
    return remarks(f, rc);
}

int craft_from(const struct opt_command *cmd, const struct from_opts *o, const struct send_opts *s,
               struct craft_out *to, struct sender *sender) {
    struct from *f = calloc(1, sizeof *f);
    if (!f) return opt_bad_use(cmd, "out of memory");
    *f = (struct from){.cmd = cmd, .o = o, .send = s, .to = to, .sender = sender, .amend = amend_make()};
    int rc = prepare(f);
    bool made = f->feed.file != NULL;
    do {
        if (rc == OPT_GO) rc = all(f);
        if (rc != OPT_GO || !s->loop) break;
        feed_close(&f->feed);
        f->started = false;
        char buf[300];
        struct writer why = wr_fixed(buf, sizeof buf - 1);
        if (feed_open_file(&f->feed, o->file, &why)) rc = opt_bad_use(cmd, "%s cannot be read again", o->file);
    } while (rc == OPT_GO);
    if (made) dissector_free(&f->ds);
    feed_close(&f->feed);
    filter_free(cmd, f->filter);
    amend_free(&f->amend);
    free(f);
    return rc;
}
