/* SPDX-License-Identifier: Apache-2.0 */
/* weir follow: one conversation, read as its two sides did. */
#include "app/cmd.h"
#include "app/edit.h"
#include "app/feed.h"
#include "app/follow_opts.h"
#include "app/opt.h"
#include "io/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_SIZE = 64 * 1024, BLOCK_SECTION = 0x0a0d0d0a };

struct follow_opts {
    const char *file, *form, *range, *write;
    int color;
    bool quiet;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct follow_opts, file)},
    {'f', "form", "FORM", "ascii (default), utf-8, hex, raw, yaml or ebcdic", OPT_TEXT, offsetof(struct follow_opts, form)},
    {0, "range", "A-B", "only these pieces, counted from 1", OPT_TEXT, offsetof(struct follow_opts, range)},
    {'w', "write", "FILE", "write the packets of the conversation to FILE, as a capture", OPT_TEXT, offsetof(struct follow_opts, write)},
    {'q', "quiet", NULL, "no text, with -w", OPT_FLAG, offsetof(struct follow_opts, quiet)},
    {0, "color", "auto|always|never", "colours: who sent first red, the other side blue", OPT_CHOICE, offsetof(struct follow_opts, color),
     .bare = "always"},
};
static const char *const examples[] = {"weir follow tcp 0 -r capture.pcapng", "weir follow udp 2 --form hex -r capture.pcapng",
                                       "weir follow tcp 10.0.0.1:40000,10.0.0.2:1883 -r capture.pcapng -w one.pcapng", NULL};
static const struct opt_command command = {
    .name = "follow",
    .synopsis = "tcp|udp N|ADDR:PORT,ADDR:PORT -r FILE [options]",
    .purpose = "one conversation as text, hex or decoded messages",
    .description = "N is the number of the conversation: tcp.stream or udp.stream, the column Stream of weir stats conversations.\n\n"
                   "Each piece is what one packet brought, with its length before it; what the second side sent is indented by a tab. The "
                   "forms are those of tshark -z follow.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct follow_opts, words),
};

struct run {
    struct follow_opts o;
    struct follow follow;
    struct follow_view view;
    struct dissector ds;
    struct feed feed;
    struct edit_out save;
    bool saves, save_failed;
    uint64_t packets; /* of the conversation */
    struct writer out;
    int out_fd;
    char buffer[OUT_SIZE];
};

static void take(void *to, const struct follow *f, const struct follow_chunk *c) {
    struct run *r = to;
    if (!r->o.quiet) follow_chunk_print(&r->out, f, c, &r->view);
}

static int words_take(struct run *r) {
    const struct opt_list *words = &r->o.words;
    size_t at = 2;
    if (words->n < 2) return opt_bad_use(&command, "expected tcp or udp and a number, as in: weir follow tcp 0 -r FILE");
    if (strcmp(words->item[0], "tcp") == 0) r->follow.proto = FOLLOW_TCP;
    else if (strcmp(words->item[0], "udp") == 0) r->follow.proto = FOLLOW_UDP;
    else return opt_bad_use(&command, "'%s' is not known: it is tcp or udp", words->item[0]);
    const char *rest = follow_which_parse(words->item[1], &r->follow);
    if (!rest || *rest) return opt_bad_use(&command, "'%s' names no conversation: expected its number or ADDRESS:PORT,ADDRESS:PORT", words->item[1]);
    if (!r->o.file && at < words->n) r->o.file = words->item[at++];
    if (at < words->n) return opt_bad_use(&command, "'%s' is one word too many", words->item[at]);
    if (!r->o.file) return opt_bad_use(&command, "what to read is missing: -r FILE (- is standard input)");
    const char *form = r->o.form ? r->o.form : "ascii";
    r->view.form = follow_form_find(form, strlen(form));
    if (r->view.form == FOLLOW_FORMS) return opt_bad_use(&command, "--form %s is not known: it is one of ascii, utf-8, hex, raw, yaml, ebcdic", form);
    if (r->o.range && !follow_range_parse(r->o.range, &r->view)) return opt_bad_use(&command, "--range %s: expected N or A-B", r->o.range);
    return OPT_GO;
}

static void on_block(void *to, const struct capfile_block *b) {
    struct run *r = to;
    if (!r->save_failed) r->save_failed = edit_out_copy(&r->save, b) != OK;
}

static int open_all(struct run *r) {
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct want want = {0};
    follow_want(&r->follow, &want);
    if (dissector_make(&r->ds, &want)) return opt_bad_use(&command, "out of memory");
    if (feed_open_file(&r->feed, r->o.file, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", text);
    }
    if (!r->o.write) return OPT_GO;
    bool pcapng = capfile_is_pcapng(r->feed.file);
    r->saves = true;
    r->save = (struct edit_out){.path = r->o.write, .format = pcapng ? CAPWRITE_PCAPNG : CAPWRITE_PCAP_NS, .copy = pcapng};
    if (pcapng) capfile_on_block(r->feed.file, on_block, r);
    return edit_out_begin(&r->save) ? opt_bad_use(&command, "%s", r->save.why) : OPT_GO;
}

static int packets_take(struct run *r) {
    struct packet p;
    struct capfile_block raw;
    int rc;
    while (!r->out.err && !r->save_failed && (rc = feed_next(&r->feed, &p)) == OK) {
        if (!follow_packet(&r->follow, dissector_packet(&r->ds, &p))) continue;
        r->packets++;
        if (!r->saves) continue;
        bool block = capfile_packet_block(r->feed.file, &raw);
        r->save_failed = edit_out_packet(&r->save, 0, &p, block ? &raw : NULL, p.iface->id) != OK;
    }
    return r->out.err || r->save_failed || rc == ERR_END ? OK : rc;
}

static int go(struct run *r) {
    const char *no = getenv("NO_COLOR");
    r->view.color = r->o.color == 1 || (r->o.color == 0 && isatty(STDOUT_FILENO) && !(no && *no));
    feed_watch_signals(&r->feed);
    int status = EXIT_FINE;
    int rc = packets_take(r);
    if (!r->o.quiet) {
        follow_head_print(&r->out, &r->follow, &r->view);
        follow_foot_print(&r->out, &r->view);
    }
    int flushed = wr_flush(&r->out);
    if (rc) status = opt_bad_use(&command, "%s", feed_why(&r->feed));
    if (r->follow.dropped)
        fprintf(stderr, "weir follow: %llu segments are missing: too many came before their turn\n", (unsigned long long)r->follow.dropped);
    if (r->saves && (edit_out_end(&r->save) || r->save_failed)) status = opt_bad_use(&command, "%s", r->save.why);
    if (flushed && flushed != ERR_END) status = opt_bad_use(&command, "writing to standard output failed");
    if (status == EXIT_FINE && !r->packets) {
        fprintf(stderr, "weir follow: no such conversation: %s %s; `weir stats conversations %s` lists them\n", r->o.words.item[0],
                r->o.words.item[1], r->o.words.item[0]);
        status = EXIT_FINDING;
    }
    return status;
}

int cmd_follow(int argc, char **argv) {
    struct run *r = calloc(1, sizeof *r);
    if (!r) return opt_bad_use(&command, "out of memory");
    r->follow.take = take;
    r->follow.to = r;
    r->out_fd = STDOUT_FILENO;
    r->out = wr_sink(r->buffer, sizeof r->buffer, out_fd_flush, &r->out_fd);
    int rc = opt_parse(&command, &r->o, argc, argv);
    if (rc == OPT_GO) rc = words_take(r);
    if (rc == OPT_GO) rc = open_all(r);
    if (rc == OPT_GO) rc = go(r);
    feed_close(&r->feed);
    follow_end(&r->follow);
    dissector_free(&r->ds);
    opt_release(&command, &r->o);
    free(r);
    return rc;
}
