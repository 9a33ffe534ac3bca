/* SPDX-License-Identifier: Apache-2.0 */
/* weir follow: one conversation, read as its two sides did. */
#include "app/cmd.h"
#include "app/device.h"
#include "app/edit/edit.h"
#include "app/filter.h"
#include "app/keys.h"
#include "app/opt.h"
#include "app/read/follow_opts.h"
#include "io/out.h"
#include "view/mqtt_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_SIZE = 64 * 1024 };

struct follow_opts {
    const char *file, *form, *range, *write;
    int color;
    bool quiet;
    struct device_opts device;
    struct keys_opts keys;
    struct opt_list prefs, words;
};

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct follow_opts, file)},
    DEVICE_OPTIONS(struct follow_opts, device),
    {'f', "form", "FORM", "ascii (default), utf-8, hex, raw, yaml or ebcdic; of mqtt text (default) or json", OPT_TEXT,
     offsetof(struct follow_opts, form)},
    {0, "range", "A-B", "only these pieces, counted from 1", OPT_TEXT, offsetof(struct follow_opts, range)},
    {'w', "write", "FILE", "write the packets of the conversation to FILE, as a capture", OPT_TEXT,
     offsetof(struct follow_opts, write)},
    {'q', "quiet", NULL, "no text, with -w", OPT_FLAG, offsetof(struct follow_opts, quiet)},
    KEYS_OPTIONS(struct follow_opts, keys),
    {'o', NULL, "NAME:VALUE", "a preference of tshark: tls.keylog_file", OPT_LIST, offsetof(struct follow_opts, prefs)},
    {0, "color", "auto|always|never", "colours: who sent first red, the other side blue", OPT_CHOICE,
     offsetof(struct follow_opts, color), .bare = "always"},
};
static const char *const examples[] = {"weir follow tcp 0 -r capture.pcapng",
                                       "weir follow mqtt 'mqtt.clientid == \"pump-7\"' -r capture.pcapng",
                                       "weir follow udp 2 --form hex -r capture.pcapng",
                                       "weir follow http 0 --keylog keys.log -r capture.pcapng",
                                       "weir follow mqtt 3 -q -w one.pcapng -r capture.pcapng",
                                       NULL};
static const struct opt_command command = {
    .name = "follow",
    .synopsis = "tcp|udp|tls|http|http2|websocket|mqtt N|FILTER -r FILE | -i NAME [options]",
    .purpose = "one conversation as text, hex or decoded messages",
    .description =
        "N is the number of the conversation: tcp.stream (also of mqtt) or udp.stream, the column Stream of weir stats "
        "conversations. A display filter takes the conversation of the first packet that passes it; "
        "ADDR:PORT,ADDR:PORT names its ends.\n\n"
        "tcp and udp show each piece as one packet brought it, with its length before it; what the second side sent is "
        "indented by a tab. The forms are those of tshark -z follow. tls, http, http2 and websocket show what the "
        "messages carry, decrypted where keys are there, without chunks and compression; of http2 N,STREAM is one "
        "stream of the connection. mqtt shows the messages in order, each with the handshake that belongs to it.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct follow_opts, words),
};

struct run {
    struct follow_opts o;
    struct follow follow;
    struct follow_view view;
    bool mqtt, json;
    struct mqtt_talk talk;
    struct keys keys;
    int64_t begin; /* time of the first packet */
    bool begun;
    struct dissector ds;
    struct feed feed;
    struct edit_out save;
    bool saves, save_failed;
    uint64_t packets; /* of the conversation */
    bool something;   /* was there to be shown */
    struct writer out;
    int out_fd;
    char buffer[OUT_SIZE];
};

static void take(void *to, const struct follow *f, const struct follow_chunk *c) {
    struct run *r = to;
    r->something = true;
    if (!r->o.quiet) follow_chunk_print(&r->out, f, c, &r->view);
}

static void turn_take(void *to, const struct mqtt_talk *t, const struct mqtt_turn *turn) {
    struct run *r = to;
    r->something = true;
    if (r->o.quiet) return;
    if (!r->view.headed && !r->json) mqtt_talk_head_print(&r->out, t);
    r->view.headed = true;
    if (r->json) mqtt_turn_json(&r->out, turn);
    else mqtt_turn_print(&r->out, turn, r->view.color);
}

/* form_take finds the form of the text. */
static int form_take(struct run *r) {
    const char *form = r->o.form ? r->o.form : r->mqtt ? "text" : "ascii";
    if (r->mqtt) {
        r->json = strcmp(form, "json") == 0;
        return r->json || strcmp(form, "text") == 0
                   ? OPT_GO
                   : opt_bad_use(&command, "--form %s: of mqtt it is text or json", form);
    }
    r->view.form = follow_form_find(form, strlen(form));
    if (r->view.form == FOLLOW_FORMS)
        return opt_bad_use(&command, "--form %s is not known: it is one of ascii, utf-8, hex, raw, yaml, ebcdic", form);
    if (r->o.range && !follow_range_parse(r->o.range, &r->view))
        return opt_bad_use(&command, "--range %s: expected N or A-B", r->o.range);
    return OPT_GO;
}

static int capture_begin(struct run *r, const struct want *want) {
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    if (dissector_make(&r->ds, want)) return opt_bad_use(&command, "out of memory");
    feed_ahead(&r->feed, &r->ds.driver);
    const char *device = r->o.device.name;
    if (device ? device_begin(&r->feed, device, &why) : feed_open_file(&r->feed, r->o.file, &why)) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", text);
    }
    feed_progress(&r->feed, true);
    r->ds.driver.d.tls_keys = &r->keys.store;
    int rc = keys_open(&r->keys, &command, &r->o.keys, &r->o.prefs, device != NULL);
    if (rc == OPT_GO && !device) keys_watch_file(&r->keys, r->o.file, r->feed.file);
    return rc;
}

static void capture_end(struct run *r) {
    feed_close(&r->feed);
    dissector_free(&r->ds);
    keys_close(&r->keys);
    memset(&r->ds, 0, sizeof r->ds);
    memset(&r->keys, 0, sizeof r->keys);
}

/* which_find reads the capture up to the first packet that passes the filter, and takes its conversation. */
static int which_find(struct run *r, const char *text) {
    struct expr *filter = NULL;
    struct packet p;
    bool found = false;
    uint16_t id = r->follow.proto == FOLLOW_UDP ? FID_UDP_STREAM : FID_TCP_STREAM;
    if (r->o.device.name || strcmp(r->o.file, "-") == 0)
        return opt_bad_use(&command,
                           "a filter reads the capture twice: that needs a file; give the number or the ends");
    int rc = filter_compile(&command, "FILTER", slice_str(text), &filter);
    if (rc != OPT_GO) return rc;
    struct want want = *expr_want(filter);
    want_add(&want, id);
    rc = capture_begin(r, &want);
    while (rc == OPT_GO && !found && feed_next(&r->feed, &p) == OK) {
        const struct decode *d = dissector_packet(&r->ds, &p);
        if (!expr_match(filter, d->out)) continue;
        for (uint32_t i = 0; i < d->out->n && !found; i++) {
            found = d->out->v[i].id == id;
            r->follow.stream = (uint32_t)d->out->v[i].u;
        }
    }
    capture_end(r);
    filter_free(&command, filter);
    r->follow.by_stream = true;
    if (rc != OPT_GO || found) return rc;
    fprintf(stderr, "weir follow: no packet of a %s conversation passes %s\n",
            r->follow.proto == FOLLOW_UDP ? "UDP" : "TCP", text);
    return EXIT_FINDING;
}

static int words_take(struct run *r) {
    const struct opt_list *words = &r->o.words;
    size_t at = 2;
    if (words->n < 2)
        return opt_bad_use(&command, "expected tcp, udp, tls, http, http2, websocket or mqtt and a number or filter, "
                                     "as in: weir follow tcp 0 -r FILE");
    r->mqtt = strcmp(words->item[0], "mqtt") == 0;
    if (!r->mqtt) r->follow.proto = follow_proto_find(words->item[0], strlen(words->item[0]));
    if (r->follow.proto == FOLLOW_PROTOS)
        return opt_bad_use(&command, "'%s' is not known: it is tcp, udp, tls, http, http2, websocket or mqtt",
                           words->item[0]);
    if (!r->o.file && !r->o.device.name && at < words->n) r->o.file = words->item[at++];
    if (at < words->n) return opt_bad_use(&command, "'%s' is one word too many", words->item[at]);
    if (r->o.file && r->o.device.name) return opt_bad_use(&command, "-r and -i: packets come from one source");
    if (!r->o.file && !r->o.device.name)
        return opt_bad_use(&command, "what to read is missing: -r FILE (- is standard input), or -i NAME");
    int rc = device_stops(&r->feed, &command, &r->o.device.stops);
    if (rc == OPT_GO) rc = form_take(r);
    const char *rest = follow_which_parse(words->item[1], &r->follow);
    if (rest && r->follow.proto == FOLLOW_HTTP2 && r->follow.by_stream) rest = follow_substream_parse(rest, &r->follow);
    bool named = rest && !*rest && (r->follow.by_stream || !r->mqtt);
    if (rc == OPT_GO && !named) rc = which_find(r, words->item[1]);
    r->talk.stream = r->follow.stream;
    return rc;
}

static void on_block(void *to, const struct capfile_block *b) {
    struct run *r = to;
    if (!r->save_failed) r->save_failed = edit_out_copy(&r->save, b) != OK;
}

static int open_all(struct run *r) {
    struct want want = {0};
    if (r->mqtt) mqtt_msg_want(&want);
    else follow_want(&r->follow, &want);
    int rc = capture_begin(r, &want);
    if (rc != OPT_GO) return rc;
    if (!r->o.write) return OPT_GO;
    bool pcapng = capfile_is_pcapng(r->feed.file);
    r->saves = true;
    r->save =
        (struct edit_out){.path = r->o.write, .format = pcapng ? CAPWRITE_PCAPNG : CAPWRITE_PCAP_NS, .copy = pcapng};
    if (pcapng) capfile_on_block(r->feed.file, on_block, r);
    return edit_out_begin(&r->save) ? opt_bad_use(&command, "%s", r->save.why) : OPT_GO;
}

/* skips: once the ends are known, and so the numbers of conversations matter no more, others need not be decoded. */
static bool skips(const struct run *r, const struct packet *p) {
    enum { IP_TCP = 6, IP_UDP = 17 };
    if (r->mqtt) return r->talk.client_known && follow_skips(p, IP_TCP, &r->talk.client, &r->talk.broker);
    return r->follow.begun && r->follow.proto <= FOLLOW_UDP &&
           follow_skips(p, r->follow.proto == FOLLOW_TCP ? IP_TCP : IP_UDP, &r->follow.end[0], &r->follow.end[1]);
}

static int packets_take(struct run *r) {
    struct packet p;
    struct capfile_block raw;
    int rc = OK;
    while (!r->out.err && !r->save_failed && (rc = feed_next(&r->feed, &p)) >= 0) {
        if (rc == FEED_IDLE) wr_flush(&r->out);
        if (rc != OK) continue;
        if (!r->begun) r->begin = p.ts;
        r->begun = true;
        if (skips(r, &p)) continue;
        const struct decode *d = dissector_packet(&r->ds, &p);
        if (!(r->mqtt ? mqtt_talk_packet(&r->talk, d, r->begin) : follow_packet(&r->follow, d))) continue;
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
    mqtt_talk_end(&r->talk);
    if (!r->o.quiet && !r->mqtt) {
        follow_head_print(&r->out, &r->follow, &r->view);
        follow_foot_print(&r->out, &r->view);
    }
    int flushed = wr_flush(&r->out);
    if (rc) status = opt_bad_use(&command, "%s", feed_why(&r->feed));
    if (r->follow.dropped)
        fprintf(stderr, "weir follow: %llu segments are missing: too many came before their turn\n",
                (unsigned long long)r->follow.dropped);
    if (r->saves && (edit_out_end(&r->save) || r->save_failed)) status = opt_bad_use(&command, "%s", r->save.why);
    status = opt_written(&command, flushed, status);
    if (status == EXIT_FINE && !r->packets) {
        fprintf(stderr, "weir follow: no such conversation: %s %s; `weir stats conversations %s` lists them\n",
                r->o.words.item[0], r->o.words.item[1], r->follow.proto == FOLLOW_UDP ? "udp" : "tcp");
        status = EXIT_FINDING;
    } else if (status == EXIT_FINE && !r->something) {
        fprintf(stderr,
                "weir follow: nothing of %s can be read in this conversation; `weir explain` says how far it got\n",
                r->o.words.item[0]);
        if (r->mqtt) status = EXIT_FINDING;
    }
    return status;
}

int cmd_follow(int argc, char **argv) {
    struct run *r = calloc(1, sizeof *r);
    if (!r) return opt_bad_use(&command, "out of memory");
    r->follow.take = take;
    r->follow.to = r;
    r->talk.take = turn_take;
    r->talk.to = r;
    r->out_fd = STDOUT_FILENO;
    r->out = wr_sink(r->buffer, sizeof r->buffer, out_fd_flush, &r->out_fd);
    int rc = opt_parse(&command, &r->o, argc, argv);
    if (rc == OPT_GO) rc = words_take(r);
    if (rc == OPT_GO) rc = open_all(r);
    if (rc == OPT_GO) rc = go(r);
    capture_end(r);
    follow_end(&r->follow);
    opt_release(&command, &r->o);
    free(r);
    return rc;
}
