/* SPDX-License-Identifier: Apache-2.0 */
/* weir edit: captures in, captures out.
 *
 * Theory of operation: every input has its next packet at hand; the earliest one goes on, so inputs that are in order
 * become an output in order. From one pcapng file to another, blocks are copied as they stand, in their byte order, and
 * only packets are chosen; otherwise (several inputs, classic pcap) the output is a section of its own, interfaces get
 * new numbers, and little-endian blocks are taken over. A packet is decoded only where a filter, a split or a redaction
 * asks. Memory: one packet of each input and its interfaces. */
#include "analyse/redact.h"
#include "app/cmd.h"
#include "app/edit/edit.h"
#include "app/feed.h"
#include "app/filter.h"
#include "app/opt.h"
#include "app/when.h"
#include "io/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    BLOCK_INTERFACE = 1,
    BLOCK_SIMPLE = 3,
    BLOCK_STATISTICS = 5,
    BLOCK_ENHANCED = 6,
    BLOCK_SECRETS = 10,
    BLOCK_SECTION = 0x0a0d0d0a,
    RANGES_MAX = 10000
};

struct edit_opts {
    const char *write, *format, *filter, *from, *to, *frames, *split, *redact, *redact_key;
    int64_t snaplen;
    bool drop, strip_secrets;
    const char *inject;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'w', "write", "FILE", "the capture to write; - is stdout", OPT_TEXT, offsetof(struct edit_opts, write)},
    {'F', "format", "FORMAT", "pcapng (default), pcap (nanoseconds) or pcap-us", OPT_TEXT,
     offsetof(struct edit_opts, format)},
    {0, "from", "TIME", "packets from this moment on: " WHEN_HELP, OPT_TEXT, offsetof(struct edit_opts, from)},
    {0, "to", "TIME", "packets before this moment", OPT_TEXT, offsetof(struct edit_opts, to)},
    {'Y', "display-filter", "FILTER", "packets that pass this display filter", OPT_TEXT,
     offsetof(struct edit_opts, filter)},
    {0, "frames", "LIST", "packets with these numbers: 1-10,15,20-", OPT_TEXT, offsetof(struct edit_opts, frames)},
    {'v', "invert", NULL, "leave out what the choice is, keep the rest", OPT_FLAG, offsetof(struct edit_opts, drop)},
    {0, "redact", "WHAT", "replace addresses, clients, topics, payloads (comma between) or all of them", OPT_TEXT,
     offsetof(struct edit_opts, redact)},
    {0, "redact-key", "TEXT", "the same text gives the same replacements in every run", OPT_TEXT,
     offsetof(struct edit_opts, redact_key)},
    {'s', "snapshot-length", "BYTES", "keep so many bytes of each packet", OPT_NUMBER,
     offsetof(struct edit_opts, snaplen), .min = 1, .max = 262144},
    {0, "split", "BY", "a file for each conversation: tcp, udp or all (both); the name goes before the ending",
     OPT_TEXT, offsetof(struct edit_opts, split)},
    {0, "inject-secrets", "KEYLOG",
     "put the secrets of a key log (SSLKEYLOGFILE) into the capture, which then is read decrypted", OPT_TEXT,
     offsetof(struct edit_opts, inject)},
    {0, "strip-secrets", NULL, "leave out the secrets the capture has", OPT_FLAG,
     offsetof(struct edit_opts, strip_secrets)},
};
static const char *const examples[] = {"weir edit capture.pcapng -w minute.pcapng --from +60 --to +120",
                                       "weir edit monday.pcap tuesday.pcapng -w week.pcapng",
                                       "weir edit capture.pcapng -w one.pcapng --split tcp",
                                       "weir edit capture.pcapng -w readable.pcapng --inject-secrets keys.log",
                                       "weir edit capture.pcapng -w public.pcapng --redact all",
                                       "weir edit capture.pcapng -w mqtt.pcapng -Y mqtt",
                                       NULL};
static const struct opt_command command = {
    .name = "edit",
    .synopsis = "FILE... -w FILE [options]",
    .purpose = "cut, filter, split, merge and redact captures",
    .description =
        "Packets of the files, in the order of their times, go to the new file. What a pcapng file holds beside them "
        "(interfaces, names, secrets, comments, options, blocks Weir does not know) goes with them.\n\n"
        "Several choices together keep the packets that fit all of them.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct edit_opts, words),
};

struct input {
    struct edit *edit;
    struct feed feed;
    struct packet p;
    bool have, done;
    uint32_t section; /* whose interfaces `ids` are */
    uint32_t *ids;    /* by number in the section: number in the output + 1 */
    size_t n_ids;
    int rc; /* what ended it */
};

struct edit {
    struct edit_opts o;
    struct edit_out out;
    struct input *input;
    size_t n_input;
    struct when from, to;
    __int128 from_ns, to_ns;
    struct frame_range {
        uint64_t lo, hi;
    } * range;
    size_t n_ranges, at_range;
    struct expr *filter;
    struct redact redact;
    uint8_t *bytes;       /* of the packet being redacted */
    struct dissector *ds; /* NULL: nothing is decoded */
    uint32_t n_ifaces;    /* in the output */
    uint32_t *split[2];   /* by stream of TCP, UDP: number of the file + 1 */
    size_t n_split[2];
    uint32_t rest;         /* file + 1 of what is in no conversation */
    uint64_t number, kept; /* packets so far, and of them those that were written */
    bool begun;            /* the first packet was seen */
    struct slice secrets;  /* to be put in; empty: none, or done */
    int rc;
};

/* secrets_put puts the secrets behind the first section header, before all packets. */
static int secrets_put(struct edit *e, bool big_endian) {
    int rc = e->secrets.n ? edit_secrets_put(&e->out, e->secrets, big_endian) : OK;
    keyfile_release(&e->secrets);
    return rc;
}

static void on_block(void *to, const struct capfile_block *b) {
    struct input *in = to;
    struct edit *e = in->edit;
    bool owned = b->type == BLOCK_SECTION || b->type == BLOCK_INTERFACE || b->type == BLOCK_STATISTICS;
    if (e->rc || (!e->out.copy && (owned || b->big_endian)) || (e->o.redact && !owned))
        return; /* names and secrets tell, too */
    if (b->type == BLOCK_SECRETS && e->o.strip_secrets) return;
    e->rc = edit_out_copy(&e->out, b);
    if (!e->rc && b->type == BLOCK_SECTION) e->rc = secrets_put(e, b->big_endian);
}

/* iface_id returns the number of the packet's interface in the output, which gets to know it here. */
static uint32_t iface_id(struct edit *e, struct input *in) {
    const struct capture_interface *i = in->p.iface;
    if (e->out.copy) return i->id;
    if (in->p.section != in->section) {
        in->section = in->p.section;
        if (in->ids) memset(in->ids, 0, in->n_ids * sizeof *in->ids);
    }
    if (i->id >= in->n_ids) {
        size_t n = in->n_ids ? in->n_ids : 8;
        while (n <= i->id) n *= 2;
        uint32_t *more = realloc(in->ids, n * sizeof *more);
        if (!more) {
            e->rc = ERR_NOMEM;
            return 0;
        }
        memset(more + in->n_ids, 0, (n - in->n_ids) * sizeof *more);
        in->ids = more;
        in->n_ids = n;
    }
    if (!in->ids[i->id]) {
        e->rc = edit_out_interface(&e->out, i);
        in->ids[i->id] = ++e->n_ifaces;
    }
    return in->ids[i->id] - 1;
}

static void input_next(struct input *in) {
    in->rc = feed_next(&in->feed, &in->p);
    in->have = in->rc == OK;
    in->done = !in->have;
}

static struct input *earliest(struct edit *e) {
    struct input *first = NULL;
    for (size_t i = 0; i < e->n_input; i++) {
        struct input *in = &e->input[i];
        if (!in->have && !in->done) input_next(in);
        if (in->have && (!first || packet_moment(&in->p) < packet_moment(&first->p))) first = in;
    }
    return first;
}

static bool in_frames(struct edit *e, uint64_t number) {
    if (!e->n_ranges) return true;
    while (e->at_range < e->n_ranges && e->range[e->at_range].hi < number) e->at_range++;
    return e->at_range < e->n_ranges && e->range[e->at_range].lo <= number;
}

static bool chosen(struct edit *e, const struct packet *p, const struct decode *d) {
    bool fits = in_frames(e, p->number);
    if (fits && e->from.kind) fits = p->has_ts && packet_moment(p) >= e->from_ns;
    if (fits && e->to.kind) fits = p->has_ts && packet_moment(p) < e->to_ns;
    if (fits && e->filter) fits = expr_match(e->filter, d->out);
    return fits != e->o.drop;
}

/* split_slot returns where a stream's file is kept. */
static uint32_t *split_slot(struct edit *e, int udp, uint64_t stream) {
    if (stream >= e->n_split[udp]) {
        size_t n = e->n_split[udp] ? e->n_split[udp] * 2 : 64;
        while (n <= stream) n *= 2;
        uint32_t *more = realloc(e->split[udp], n * sizeof *more);
        if (!more) return NULL;
        memset(more + e->n_split[udp], 0, (n - e->n_split[udp]) * sizeof *more);
        e->split[udp] = more;
        e->n_split[udp] = n;
    }
    return &e->split[udp][stream];
}

static int64_t split_file(struct edit *e, const struct decode *d) {
    char name[32] = "rest";
    uint32_t *slot = &e->rest;
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        bool udp = f->id == FID_UDP_STREAM;
        if (f->id != FID_TCP_STREAM && !udp) continue;
        if (strcmp(e->o.split, "all") != 0 && strcmp(e->o.split, udp ? "udp" : "tcp") != 0) continue;
        slot = split_slot(e, udp, f->u);
        snprintf(name, sizeof name, "%s-%llu", udp ? "udp" : "tcp", (unsigned long long)f->u);
        break;
    }
    if (!slot) return ERR_NOMEM;
    int64_t file = edit_out_file(&e->out, *slot, name);
    if (file >= 0) *slot = (uint32_t)file + 1;
    return file;
}

/* redact replaces the packet's bytes by less telling ones, and drops its comments. */
static void redact(struct edit *e, const struct decode *d, struct packet *p) {
    if (p->data.n) memcpy(e->bytes, p->data.p, p->data.n);
    redact_packet(&e->redact, d, e->bytes);
    p->data.p = e->bytes;
    memset(p->comments, 0, sizeof p->comments);
}

/* without_options returns the block's body up to the options, which may tell what the bytes do not any more. */
static struct slice without_options(const struct capfile_block *raw) {
    enum { HEAD = 20 };
    if (raw->type == BLOCK_SIMPLE || raw->body.n < HEAD) return raw->body;
    uint32_t n = raw->big_endian ? load_be32(raw->body.p + 12) : load_le32(raw->body.p + 12);
    return slice_head(raw->body, HEAD + (((size_t)n + 3) & ~(size_t)3));
}

/* fits_anywhere tells whether a packet's block may stand in a section of our own, where its interface has number `id`:
 * a simple block is always of the first one. */
static bool fits_anywhere(const struct capfile_block *raw, uint32_t id) {
    return !raw->big_endian && (raw->type == BLOCK_ENHANCED || (raw->type == BLOCK_SIMPLE && id == 0));
}

static int packet_take(struct edit *e, struct input *in) {
    struct packet p = in->p;
    struct capfile_block raw;
    e->number++;
    if (e->n_input > 1) p.number = e->number;
    if (!e->begun) {
        e->begun = true;
        e->from_ns = when_ns(&e->from, packet_moment(&p));
        e->to_ns = when_ns(&e->to, packet_moment(&p));
    }
    const struct decode *d = e->ds ? dissector_packet(e->ds, &p) : NULL;
    if (!chosen(e, &p, d)) return OK;
    int64_t file = e->out.split ? split_file(e, d) : 0;
    if (file < 0) return (int)file;
    uint32_t id = iface_id(e, in);
    if (e->rc) return e->rc;
    if (e->o.redact) redact(e, d, &p);
    if (e->o.snaplen) p.data = slice_head(p.data, (size_t)e->o.snaplen);
    bool has_raw = capfile_packet_block(in->feed.file, &raw) && (e->out.copy || fits_anywhere(&raw, id));
    if (has_raw && e->o.redact) raw.body = without_options(&raw);
    e->kept++;
    return edit_out_packet(&e->out, (uint32_t)file, &p, has_raw ? &raw : NULL, id);
}

static int all_take(struct edit *e) {
    struct input *in;
    while (!e->rc && (in = earliest(e))) {
        e->rc = packet_take(e, in);
        in->have = false;
    }
    return e->rc;
}

static int frames_parse(struct edit *e, const char *text) {
    const char *at = text;
    while (*at) {
        char *end;
        uint64_t lo = strtoull(at, &end, 10), hi = lo;
        bool ok = end != at && *at >= '0' && *at <= '9';
        if (ok && *end == '-') {
            at = end + 1;
            hi = *at && *at != ',' ? strtoull(at, &end, 10) : (end = (char *)at, UINT64_MAX);
        }
        ok = ok && lo >= 1 && hi >= lo && (*end == ',' || !*end) && e->n_ranges < RANGES_MAX &&
             (!e->n_ranges || e->range[e->n_ranges - 1].hi < lo);
        if (!ok)
            return opt_bad_use(&command,
                               "--frames %s: expected numbers and ranges in ascending order, as in 1-10,15,20-", text);
        if (!e->range && !(e->range = calloc(RANGES_MAX, sizeof *e->range)))
            return opt_bad_use(&command, "out of memory");
        e->range[e->n_ranges++] = (struct frame_range){lo, hi};
        at = *end ? end + 1 : end;
    }
    return OPT_GO;
}

static int options_check(struct edit *e) {
    static const char *const formats[] = {"pcapng", "pcap", "pcap-us"};
    const struct edit_opts *o = &e->o;
    size_t format = 0;
    if (!o->words.n) return opt_bad_use(&command, "what to read is missing: weir edit FILE... -w FILE");
    if (o->words.n > EDIT_INPUTS_MAX) return opt_bad_use(&command, "at most %d files at a time", EDIT_INPUTS_MAX);
    if (!o->write) return opt_bad_use(&command, "-w FILE, what to write, is missing");
    while (o->format && format < 3 && strcmp(o->format, formats[format]) != 0) format++;
    if (format == 3) return opt_bad_use(&command, "-F %s is not known: it is one of pcapng, pcap, pcap-us", o->format);
    e->out.format = (enum capwrite_format)format;
    if (o->from && !when_parse(o->from, &e->from))
        return opt_bad_use(&command, "--from %s: expected %s", o->from, WHEN_HELP);
    if (o->to && !when_parse(o->to, &e->to)) return opt_bad_use(&command, "--to %s: expected %s", o->to, WHEN_HELP);
    if (o->split && strcmp(o->split, "tcp") != 0 && strcmp(o->split, "udp") != 0 && strcmp(o->split, "all") != 0)
        return opt_bad_use(&command, "--split %s is not known: it is one of tcp, udp, all", o->split);
    if (o->split && strcmp(o->write, "-") == 0)
        return opt_bad_use(&command, "--split writes several files: -w needs a name");
    if (o->inject && format != CAPWRITE_PCAPNG)
        return opt_bad_use(&command, "--inject-secrets: a classic pcap file cannot hold secrets; leave -F %s out",
                           o->format);
    return o->frames ? frames_parse(e, o->frames) : OPT_GO;
}

static int secrets_read(struct edit *e) {
    char text[160] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    if (!e->o.inject || edit_secrets_read(&e->secrets, e->o.inject, &why) == OK) return OPT_GO;
    return opt_bad_use(&command, "the key log %s cannot be put in: %s", e->o.inject, text);
}

static bool same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino && S_ISREG(x.st_mode);
}

static int inputs_open(struct edit *e) {
    char text[512];
    e->input = calloc(e->o.words.n, sizeof *e->input);
    if (!e->input) return opt_bad_use(&command, "out of memory");
    for (size_t i = 0; i < e->o.words.n; i++) {
        struct input *in = &e->input[e->n_input++];
        struct writer why = wr_fixed(text, sizeof text - 1);
        in->edit = e;
        if (same_file(e->o.words.item[i], e->o.write))
            return opt_bad_use(&command, "%s would be written over while it is read", e->o.write);
        if (feed_open_file(&in->feed, e->o.words.item[i], &why) == OK) {
            if (e->o.words.n == 1) feed_progress(&in->feed, false);
            continue;
        }
        *why.p = 0;
        return opt_bad_use(&command, "%s", text);
    }
    return OPT_GO;
}

static int redact_begin(struct edit *e) {
    if (!e->o.redact) return e->o.redact_key ? opt_bad_use(&command, "--redact-key belongs to --redact") : OPT_GO;
    if (!redact_parse(e->o.redact, &e->redact.what))
        return opt_bad_use(
            &command, "--redact %s: expected addresses, clients, topics, payloads (comma between) or all", e->o.redact);
    e->redact.secret = e->o.redact_key ? redact_key(slice_str(e->o.redact_key)) : hash_key_random();
    e->bytes = malloc(CAPFILE_PACKET_MAX);
    return e->bytes ? OPT_GO : opt_bad_use(&command, "out of memory");
}

static int decode_begin(struct edit *e) {
    struct want want = {0};
    int rc = redact_begin(e);
    if (rc == OPT_GO && e->o.filter) rc = filter_compile(&command, "-Y", slice_str(e->o.filter), &e->filter);
    if (rc != OPT_GO || (!e->o.split && !e->filter && !e->o.redact)) return rc;
    if (e->filter) want_union(&want, expr_want(e->filter));
    if (e->o.redact) redact_want(&e->redact, &want);
    if (e->o.split) want_add(&want, FID_TCP_STREAM);
    if (e->o.split) want_add(&want, FID_UDP_STREAM);
    e->ds = calloc(1, sizeof *e->ds);
    return e->ds && dissector_make(e->ds, &want) == OK ? OPT_GO : opt_bad_use(&command, "out of memory");
}

static int out_begin(struct edit *e) {
    e->out.path = e->o.write;
    e->out.split = e->o.split != NULL;
    e->out.copy = e->n_input == 1 && e->out.format == CAPWRITE_PCAPNG && capfile_is_pcapng(e->input[0].feed.file);
    for (size_t i = 0; i < e->n_input; i++) capfile_on_block(e->input[i].feed.file, on_block, &e->input[i]);
    int rc = edit_out_begin(&e->out);
    if (rc == OK && !e->out.copy) rc = secrets_put(e, false);
    return rc ? opt_bad_use(&command, "%s", e->out.why) : OPT_GO;
}

static int go(struct edit *e) {
    int status = EXIT_FINE;
    feed_watch_signals(&e->input[0].feed);
    int rc = all_take(e);
    if (rc) status = opt_bad_use(&command, "%s", e->out.why[0] ? e->out.why : err_text(rc));
    for (size_t i = 0; i < e->n_input; i++) {
        if (!e->input[i].rc || e->input[i].rc == ERR_END) continue;
        status = opt_bad_use(&command, "%s", feed_why(&e->input[i].feed));
    }
    if (edit_out_end(&e->out) && !rc) status = opt_bad_use(&command, "%s", e->out.why);
    if (!status && !e->kept)
        fprintf(stderr, "weir edit: none of %llu packets was kept\n", (unsigned long long)e->number);
    return status;
}

static void edit_free(struct edit *e) {
    (void)edit_out_end(&e->out); /* where it was opened and nothing came of it */
    for (size_t i = 0; i < e->n_input; i++) {
        feed_close(&e->input[i].feed);
        free(e->input[i].ids);
    }
    if (e->ds) dissector_free(e->ds);
    free(e->ds);
    keyfile_release(&e->secrets);
    free(e->input);
    free(e->range);
    free(e->bytes);
    filter_free(&command, e->filter);
    free(e->split[0]);
    free(e->split[1]);
    opt_release(&command, &e->o);
    free(e);
}

int cmd_edit(int argc, char **argv) {
    struct edit *e = calloc(1, sizeof *e);
    if (!e) return opt_bad_use(&command, "out of memory");
    int rc = opt_parse(&command, &e->o, argc, argv);
    if (rc == OPT_GO) rc = options_check(e);
    if (rc == OPT_GO) rc = secrets_read(e);
    if (rc == OPT_GO) rc = inputs_open(e);
    if (rc == OPT_GO) rc = decode_begin(e);
    if (rc == OPT_GO) rc = out_begin(e);
    if (rc == OPT_GO) rc = go(e);
    edit_free(e);
    return rc;
}
