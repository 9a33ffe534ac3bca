/* SPDX-License-Identifier: Apache-2.0 */
/* weir read: decode a capture or an interface, as tshark's hands expect. */
#include "app/cmd.h"
#include "app/read/read.h"
#include "app/rights.h"
#include "app/story.h"
#include "io/out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* want_make says what has to be decoded for the chosen form. */
static void want_make(struct reading *g) {
    bool lines = g->form == FORM_TEXT && !g->o.quiet;
    if (lines || (g->form == FORM_TREE && g->o.summary)) columns_want(&g->want);
    if (g->form == FORM_TREE) tree_want(&g->want);
    else if (g->form == FORM_EVENTS) events_want(&g->want);
    else if (g->form == FORM_PDML || (!lines && !g->n_ids && g->form != FORM_FIELDS && !g->o.quiet)) want_all(&g->want);
}

static void packet_print(struct reading *g, const struct decode *d) {
    struct writer *w = &g->out;
    if (!g->o.show_secrets && !g->n_ids && (g->form == FORM_JSON || g->form == FORM_JSONL || g->form == FORM_EK))
        secrets_spread(d->out);
    switch (g->form) {
    case FORM_TEXT:
        if (g->o.hex && !g->o.summary) break; /* as tshark: -x alone is bytes alone */
        columns_print(w, d, &g->view);
        if (g->o.hex) wr_c(w, '\n');
        break;
    case FORM_TREE:
        if (g->o.summary) columns_print(w, d, &g->view);
        tree_print(w, d, g->o.only ? g->only : NULL, &g->view);
        wr_c(w, '\n');
        break;
    case FORM_FIELDS: fields_print(w, d, g->ids, g->n_ids, &g->fields, &g->view); break;
    case FORM_PDML: pdml_print(w, d); break;
    case FORM_JSON:
        if (g->n_ids) json_fields(w, d, g->ids, g->n_ids, g->fields.occurrence, &g->view);
        else json_print(w, d, &g->view);
        break;
    case FORM_JSONL:
        if (g->n_ids) jsonl_fields(w, d, g->ids, g->n_ids, g->fields.occurrence, &g->view);
        else jsonl_print(w, d, &g->view);
        break;
    case FORM_EK:
        if (g->n_ids) ek_fields(w, d, g->ids, g->n_ids, g->fields.occurrence, &g->view);
        else ek_print(w, d, &g->view);
        break;
    case FORM_EVENTS:
        events_read(&g->now, d);
        eve_packet(&g->eve, w, &g->now);
        break;
    }
    if (g->o.hex && (g->form == FORM_TEXT || g->form == FORM_TREE)) {
        hex_print(w, d);
        wr_c(w, '\n');
    }
}

/* in_time tells whether a packet is within --from and --to. One that is not has been decoded too, as what it says may
 * explain what follows. */
static bool in_time(struct reading *g, const struct packet *p) {
    __int128 at = packet_moment(p);
    if (!g->from.kind && !g->to.kind) return true;
    if (g->passed == 1) {
        g->from_ns = when_ns(&g->from, at);
        g->to_ns = when_ns(&g->to, at);
    }
    return p->has_ts && (!g->from.kind || at >= g->from_ns) && (!g->to.kind || at < g->to_ns);
}

/* packet_take decodes a packet and prints it where it passes the filters. One that -R drops has no number, and no time
 * is counted from it but that since the beginning; it has been decoded like all others. */
static void packet_take(struct reading *g, struct packet *p) {
    if (g->first) p->number = g->passed + 1;
    if (g->first && !g->passed) g->ds.times.previous = packet_moment(p);
    g->view.times = g->ds.times;
    const struct decode *d = dissector_packet(&g->ds, p);
    if (g->first && !expr_match(g->first, d->out)) {
        if (g->view.times.has_first) g->ds.times = g->view.times;
        return;
    }
    g->passed++;
    if (!in_time(g, p)) return;
    if (g->taps.n) taps_packet(&g->taps, d);
    if (!g->display || expr_match(g->display, d->out)) {
        if (!g->o.quiet) packet_print(g, d);
        dissector_shown(&g->ds);
    }
    if (g->o.line_buffered) wr_flush(&g->out);
}

/* packets_read takes packets to the end or to -c, and counts them; a negative code where the source failed. */
static int packets_read(struct reading *g, uint64_t *n) {
    struct packet p;
    int rc = OK;
    while (!g->out.err && (!g->o.count || (int64_t)*n < g->o.count)) {
        rc = feed_next(&g->feed, &p);
        if (rc == FEED_IDLE) wr_flush(&g->out);
        if (rc < 0) break;
        if (rc != OK) continue;
        ++*n;
        packet_take(g, &p);
    }
    return rc == ERR_END || rc > 0 ? OK : rc;
}

static void totals_tell(struct reading *g, uint64_t n) {
    struct live_counts counts = {0};
    if (!g->feed.live) return;
    fprintf(stderr, plural(n, "%llu packet captured\n", "%llu packets captured\n"), (unsigned long long)n);
    if (live_counts(g->feed.live, &counts) == OK && counts.dropped)
        fprintf(stderr, plural(counts.dropped, "%llu packet dropped by kernel\n", "%llu packets dropped by kernel\n"),
                (unsigned long long)counts.dropped);
}

static int all_print(struct reading *g) {
    uint64_t n = 0;
    if (g->form == FORM_FIELDS) fields_header(&g->out, g->ids, g->n_ids, &g->fields);
    if (g->form == FORM_PDML) pdml_begin(&g->out);
    if (g->form == FORM_JSON) json_begin(&g->out);
    int rc = packets_read(g, &n);
    if (g->form == FORM_PDML) pdml_end(&g->out);
    if (g->form == FORM_JSON) json_end(&g->out);
    if (g->form == FORM_EVENTS) eve_end(&g->eve, &g->out);
    taps_print(&g->out, &g->taps, g->o.device ? g->o.device : g->o.file);
    int written = wr_flush(&g->out);
    if (rc) fprintf(stderr, "weir read: %s\n", feed_why(&g->feed));
    if (written && written != ERR_END) {
        fprintf(stderr, "weir read: writing to standard output failed\n");
        rc = written;
    }
    totals_tell(g, n);
    return rc ? EXIT_TROUBLE : EXIT_FINE;
}

/* filter_text joins the words of the capture filter. */
static void filter_text(const struct read_opts *o, struct writer *w) {
    if (o->filter) wr_s(w, o->filter);
    for (size_t i = 0; i < o->words.n; i++) wr_f(w, "%s%s", i ? " " : "", o->words.item[i]);
    wr_c(w, 0);
}

static int live_begin(struct reading *g, struct writer *why) {
    struct writer filter = wr_grow();
    filter_text(&g->o, &filter);
    struct live_config config = {
        .device = g->o.device,
        .snaplen = (int)g->o.snaplen,
        .buffer_kib = (int)g->o.buffer_kib,
        .immediate = true,
        .no_promiscuous = g->o.no_promiscuous,
        .linktype = g->o.linktype,
        .filter = filter.err ? NULL : filter.buf,
    };
    struct rights rights;
    int rc = filter.err ? ERR_NOMEM : feed_open_live(&g->feed, &config, why);
    if (rc == ERR_USAGE) filter_hint(why, filter.buf, "put it behind -Y");
    wr_free(&filter);
    if (rc) return rc;
    if (!rights_pick(&rights, NULL, false) || !rights_drop(&rights)) {
        wr_f(why, "cannot give up privileges: %s", strerror(errno));
        return ERR_DENIED;
    }
    fprintf(stderr, "Capturing on '%s'\n", g->o.device);
    return OK;
}

static int run(struct reading *g) {
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    int rc = g->o.device ? live_begin(g, &why) : feed_open_file(&g->feed, g->o.file, &why);
    if (rc) {
        *why.p = 0;
        return opt_bad_use(&read_command, "%s", text);
    }
    if (g->feed.file) capfile_list_blocks(g->feed.file);
    if (g->feed.file) taps_watch_file(&g->taps, g->feed.file);
    if (g->feed.file) keys_watch_file(&g->keys, g->o.file, g->feed.file);
    feed_watch_signals(&g->feed);
    feed_progress(&g->feed, !g->o.quiet);
    return all_print(g);
}

static int filters_explain(struct reading *g) {
    if (!g->display && !g->first) return opt_bad_use(&read_command, "--explain-filter needs a filter: -Y FILTER");
    if (g->first) expr_print(&g->out, g->first);
    if (g->first && g->display) wr_c(&g->out, '\n');
    if (g->display) expr_print(&g->out, g->display);
    return wr_flush(&g->out) ? EXIT_TROUBLE : EXIT_FINE;
}

static int prepare(struct reading *g) {
    int rc = reading_options(g);
    if (rc != OPT_GO) return rc;
    rc = reading_filters(g);
    if (rc != OPT_GO || g->o.explain_filter) return rc;
    want_make(g);
    if (g->display) want_union(&g->want, expr_want(g->display));
    if (g->first) want_union(&g->want, expr_want(g->first));
    if (dissector_make(&g->ds, &g->want)) return opt_bad_use(&read_command, "out of memory");
    g->ds.driver.fields.show_secrets = g->o.show_secrets || g->form == FORM_PDML;
    feed_ahead(&g->feed, &g->ds.driver);
    g->ds.driver.d.vendor = vendors_find;
    g->ds.driver.d.vendors = g->vendors = vendors_make();
    reading_prefs(g);
    g->ds.driver.d.tls_keys = &g->keys.store;
    rc = keys_open(&g->keys, &read_command, &g->o.keys, &g->o.prefs, g->o.device != NULL);
    return rc == OPT_GO ? reading_decode_as(g) : rc;
}

int cmd_read(int argc, char **argv) {
    struct reading *g = calloc(1, sizeof *g);
    if (!g) return opt_bad_use(&read_command, "out of memory");
    g->fields = (struct fields_options){.separator = '\t', .aggregator = ',', .occurrence = 'a'};
    g->view.precision = -1;
    int rc = opt_parse(&read_command, &g->o, argc, argv);
    g->view.show_secrets = g->o.show_secrets;
    g->view.hex = g->o.hex;
    g->view.color = story_color(g->o.color);
    g->out_fd = STDOUT_FILENO;
    g->out = wr_sink(g->buffer, sizeof g->buffer, out_fd_flush, &g->out_fd);
    if (rc == OPT_GO && g->o.schema) {
        jsonl_schema(&g->out);
        rc = wr_flush(&g->out) ? EXIT_TROUBLE : EXIT_FINE;
    }
    if (rc == OPT_GO) rc = prepare(g);
    if (rc == OPT_GO) rc = g->o.explain_filter ? filters_explain(g) : run(g);
    feed_close(&g->feed);
    dissector_free(&g->ds);
    keys_close(&g->keys);
    taps_free(&g->taps);
    if (g->form == FORM_EVENTS) eve_free(&g->eve);
    vendors_free(g->vendors);
    filter_free(&read_command, g->display);
    filter_free(&read_command, g->first);
    free(g->ids);
    opt_release(&read_command, &g->o);
    free(g);
    return rc;
}
