/* SPDX-License-Identifier: Apache-2.0 */
/* weir read: decode a capture, as tshark's hands expect. */
#include "app/cmd.h"
#include "app/opt.h"
#include "io/capfile.h"
#include "io/out.h"
#include "io/vendors.h"
#include "view/view.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OUT_BUFFER = 256 * 1024, ONLY_MAX = 32, PROGRESS_EVERY = 1 << 14 };

struct read_opts {
    const char *file, *time, *format, *only, *keylog;
    int64_t count;
    bool no_names, line_buffered, tree, hex, quiet, schema, show_secrets;
    int color;
    struct opt_list fields, field_options, decode_as, prefs;
};

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct read_opts, file)},
    {'c', "count", "N", "stop after N packets", OPT_NUMBER, offsetof(struct read_opts, count), .min = 1},
    {'n', NULL, NULL, "no names for addresses (Weir never looks names up)", OPT_FLAG, offsetof(struct read_opts, no_names)},
    {'l', NULL, NULL, "flush after each packet", OPT_FLAG, offsetof(struct read_opts, line_buffered)},
    {'q', "quiet", NULL, "no packet lines", OPT_FLAG, offsetof(struct read_opts, quiet)},
    {'t', NULL, "FORMAT", "time column: a ad adoy d dd e r u ud udoy", OPT_TEXT, offsetof(struct read_opts, time)},
    {'V', NULL, NULL, "the packet's tree", OPT_FLAG, offsetof(struct read_opts, tree)},
    {'O', NULL, "PROTOCOLS", "the tree, details of these protocols only (comma between)", OPT_TEXT, offsetof(struct read_opts, only)},
    {'x', "hex", NULL, "the packet's bytes", OPT_FLAG, offsetof(struct read_opts, hex)},
    {'T', NULL, "FORMAT", "output: text fields pdml json jsonl", OPT_TEXT, offsetof(struct read_opts, format)},
    {'e', NULL, "FIELD", "a field of -T fields, json and jsonl; repeat for more", OPT_LIST, offsetof(struct read_opts, fields)},
    {'E', NULL, "NAME=VALUE", "of -T fields: header=y separator=, occurrence=f|l|a aggregator=; quote=d|s|n", OPT_LIST,
     offsetof(struct read_opts, field_options)},
    {'d', NULL, "TABLE==N,PROTO", "decode as, for instance tcp.port==8884,mqtt", OPT_LIST, offsetof(struct read_opts, decode_as)},
    {'o', NULL, "NAME:VALUE", "a preference of tshark; those that do not apply are named and passed over", OPT_LIST,
     offsetof(struct read_opts, prefs)},
    {0, "schema", NULL, "print the JSON Schema of -T jsonl and stop", OPT_FLAG, offsetof(struct read_opts, schema)},
    {0, "show-secrets", NULL, "show passwords and keys", OPT_FLAG, offsetof(struct read_opts, show_secrets)},
};
static const char *const examples[] = {"weir read -r capture.pcapng", "weir read -r capture.pcapng -V -c 1",
                                       "weir read -r capture.pcapng -T fields -e frame.number -e ip.src -e mqtt.topic", NULL};
static const struct opt_command command = {
    .name = "read",
    .synopsis = "-r FILE [OPTIONS]",
    .purpose = "decode a capture",
    .description = "Reads pcap and pcapng files (also compressed with gzip or zstd) and prints what is in them, one line per packet "
                   "or in one of the other forms. Fields have Wireshark's names; weir fields lists them.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = OPT_NO_WORDS,
};

enum form { FORM_TEXT, FORM_TREE, FORM_FIELDS, FORM_PDML, FORM_JSON, FORM_JSONL };

/* reading is one run of the command. */
struct reading {
    struct read_opts o;
    enum form form;
    struct view view;
    struct want want;
    uint16_t *ids;
    size_t n_ids;
    struct fields_options fields;
    const struct proto *only[ONLY_MAX + 1];
    struct dissector ds;
    struct capfile *file;
    struct vendors *vendors;
    struct writer out;
    int out_fd;
    char buffer[OUT_BUFFER];
    bool progress;
    struct timespec started;
};

static volatile sig_atomic_t stopped;

static void on_stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static bool time_parse(const char *text, enum time_format *out) {
    static const struct {
        const char *name;
        enum time_format format;
    } names[] = {{"r", TIME_RELATIVE}, {"a", TIME_ABSOLUTE},    {"ad", TIME_ABSOLUTE_DATE}, {"adoy", TIME_ABSOLUTE_DOY}, {"d", TIME_DELTA},
                 {"dd", TIME_DELTA_SHOWN}, {"e", TIME_EPOCH}, {"u", TIME_UTC}, {"ud", TIME_UTC_DATE}, {"udoy", TIME_UTC_DOY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i].name) != 0) continue;
        *out = names[i].format;
        return true;
    }
    return false;
}

static int form_parse(struct reading *g) {
    static const char *const names[] = {"text", NULL, "fields", "pdml", "json", "jsonl"};
    const char *format = g->o.format ? g->o.format : "text";
    size_t form = 0;
    while (form < sizeof names / sizeof *names && (!names[form] || strcmp(format, names[form]) != 0)) form++;
    if (form == sizeof names / sizeof *names)
        return opt_bad_use(&command, "-T %s is not known: it is one of text, fields, pdml, json, jsonl", format);
    g->form = (enum form)form;
    if (g->form == FORM_TEXT && (g->o.tree || g->o.only)) g->form = FORM_TREE;
    if (g->form == FORM_FIELDS && !g->o.fields.n) return opt_bad_use(&command, "-T fields needs at least one -e FIELD");
    return OPT_GO;
}

static int fields_parse(struct reading *g) {
    struct field_index index;
    if (!g->o.fields.n) return OPT_GO;
    g->ids = calloc(g->o.fields.n, sizeof *g->ids);
    if (!g->ids || field_index_make(&index, &weir_fields)) return opt_bad_use(&command, "out of memory");
    int rc = OPT_GO;
    for (size_t i = 0; i < g->o.fields.n && rc == OPT_GO; i++) {
        struct slice name = slice_str(g->o.fields.item[i]);
        uint16_t near[3], id = field_find(&index, name);
        if (id) {
            g->ids[g->n_ids++] = id;
            want_add(&g->want, id);
            continue;
        }
        size_t n = field_nearest(&index, name, near, 3);
        rc = n ? opt_bad_use(&command, "-e %s: no such field; did you mean %s? (weir fields lists all)", g->o.fields.item[i],
                             field_of(near[0])->name)
               : opt_bad_use(&command, "-e %s: no such field (weir fields lists all)", g->o.fields.item[i]);
    }
    field_index_free(&index);
    return rc;
}

static int field_option(struct reading *g, const char *text) {
    const char *value = strchr(text, '=');
    struct slice name = slice_of(text, value ? (size_t)(value - text) : strlen(text));
    struct fields_options *f = &g->fields;
    value = value ? value + 1 : "";
    char c = value[0] == '/' && value[1] == 't' ? '\t' : value[0] == '/' && value[1] == 's' ? ' ' : value[0];
    if (slice_eq(name, SLICE("header"))) f->header = c == 'y';
    else if (slice_eq(name, SLICE("separator")) && c) f->separator = c;
    else if (slice_eq(name, SLICE("aggregator")) && c) f->aggregator = c;
    else if (slice_eq(name, SLICE("occurrence")) && (c == 'f' || c == 'l' || c == 'a')) f->occurrence = c;
    else if (slice_eq(name, SLICE("quote")) && (c == 'd' || c == 's' || c == 'n')) f->quote = c == 'd' ? '"' : c == 's' ? '\'' : 0;
    else if (!slice_eq(name, SLICE("bom")))
        return opt_bad_use(&command, "-E %s: it is header=y|n, separator=C, occurrence=f|l|a, aggregator=C or quote=d|s|n", text);
    return OPT_GO;
}

static int only_parse(struct reading *g) {
    const char *at = g->o.only;
    size_t n = 0;
    while (at && *at) {
        size_t len = strcspn(at, ",");
        const struct proto *p = proto_find(slice_of(at, len));
        if (!p) return opt_bad_use(&command, "-O: no protocol is called %.*s", (int)len, at);
        if (n < ONLY_MAX) g->only[n++] = p;
        at += len + (at[len] == ',');
    }
    return OPT_GO;
}

/* decode_as takes "tcp.port==8884,mqtt". */
static int decode_as(struct reading *g, const char *text) {
    static const struct {
        const char *name;
        enum proto_table table;
    } tables[] = {{"tcp.port", TABLE_TCP}, {"udp.port", TABLE_UDP}, {"ethertype", TABLE_ETHERTYPE}, {"ip.proto", TABLE_IP}};
    const char *equal = strstr(text, "=="), *comma = strrchr(text, ',');
    if (!equal || !comma || comma < equal) return opt_bad_use(&command, "-d %s: it is TABLE==NUMBER,PROTOCOL, as in tcp.port==8884,mqtt", text);
    const struct proto *p = proto_find(slice_str(comma + 1));
    if (!p) return opt_bad_use(&command, "-d %s: no protocol is called %s", text, comma + 1);
    char *end;
    unsigned long key = strtoul(equal + 2, &end, 0);
    if (end != comma || key > 65535) return opt_bad_use(&command, "-d %s: the number is between == and the comma, at most 65535", text);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (slice_eq(slice_of(text, (size_t)(equal - text)), slice_str(tables[i].name)))
            return driver_decode_as(&g->ds.driver, tables[i].table, (uint32_t)key, p) ? opt_bad_use(&command, "out of memory") : OPT_GO;
    return opt_bad_use(&command, "-d %s: the table is one of tcp.port, udp.port, ethertype, ip.proto", text);
}

static void prefs_take(const struct reading *g) {
    for (size_t i = 0; i < g->o.prefs.n; i++) {
        const char *pref = g->o.prefs.item[i];
        if (strncmp(pref, "tcp.reassemble_out_of_order", 27) == 0 || strncmp(pref, "tcp.desegment", 13) == 0) continue;
        fprintf(stderr, "weir read: -o %s is passed over: this version has no such preference\n", pref);
    }
}

/* want_make says what has to be decoded for the chosen form. */
static void want_make(struct reading *g) {
    if (g->form == FORM_TEXT && !g->o.quiet) columns_want(&g->want);
    else if (g->form == FORM_TREE || g->form == FORM_PDML || (!g->n_ids && g->form != FORM_FIELDS)) want_all(&g->want);
}

static void progress_show(struct reading *g, uint64_t packets) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - g->started.tv_sec) + (double)(now.tv_nsec - g->started.tv_nsec) / 1e9;
    uint64_t done = capfile_done(g->file), size = capfile_size(g->file);
    if (seconds < 1 || !size) return;
    double rate = (double)done / seconds;
    fprintf(stderr, "\r%llu packets, %.0f of %.0f MB (%.0f %%), %.0f MB/s, %.0f s left\033[K", (unsigned long long)packets, (double)done / 1e6,
            (double)size / 1e6, 100 * (double)done / (double)size, rate / 1e6, (double)(size - done) / rate);
}

static void packet_print(struct reading *g, const struct decode *d) {
    struct writer *w = &g->out;
    switch (g->form) {
    case FORM_TEXT: columns_print(w, d, &g->view); break;
    case FORM_TREE:
        tree_print(w, d, g->o.only ? g->only : NULL, &g->view);
        wr_c(w, '\n');
        break;
    case FORM_FIELDS: fields_print(w, d, g->ids, g->n_ids, &g->fields, &g->view); break;
    case FORM_PDML: pdml_print(w, d); break;
    case FORM_JSON: json_print(w, d, &g->view); break;
    case FORM_JSONL: jsonl_print(w, d, &g->view); break;
    }
    if (g->o.hex && (g->form == FORM_TEXT || g->form == FORM_TREE)) {
        hex_print(w, d);
        wr_c(w, '\n');
    }
}

static int packets_read(struct reading *g) {
    struct packet p;
    int rc = OK;
    uint64_t n = 0;
    while (!stopped && (!g->o.count || (int64_t)n < g->o.count) && (rc = capfile_next(g->file, &p)) == OK) {
        n++;
        g->view.times = g->ds.times;
        const struct decode *d = dissector_packet(&g->ds, &p);
        if (!g->o.quiet) {
            packet_print(g, d);
            dissector_shown(&g->ds);
        }
        if (g->o.line_buffered) wr_flush(&g->out);
        if (g->out.err) break;
        if (g->progress && n % PROGRESS_EVERY == 0) progress_show(g, n);
    }
    if (g->progress) fprintf(stderr, "\r\033[K");
    return rc == ERR_END ? OK : rc;
}

static int run(struct reading *g) {
    char why[512];
    struct writer reason = wr_fixed(why, sizeof why - 1);
    if (capfile_open(&g->file, g->o.file, &reason)) {
        *reason.p = 0;
        fprintf(stderr, "weir read: %s\n", why);
        return EXIT_TROUBLE;
    }
    struct stat st;
    g->progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && stat(g->o.file, &st) == 0 && S_ISREG(st.st_mode);
    clock_gettime(CLOCK_MONOTONIC, &g->started);
    if (g->form == FORM_FIELDS) fields_header(&g->out, g->ids, g->n_ids, &g->fields);
    if (g->form == FORM_PDML) pdml_begin(&g->out);
    if (g->form == FORM_JSON) json_begin(&g->out);
    int rc = packets_read(g);
    if (g->form == FORM_PDML) pdml_end(&g->out);
    if (g->form == FORM_JSON) json_end(&g->out);
    int written = wr_flush(&g->out);
    if (rc) fprintf(stderr, "weir read: %s\n", capfile_why(g->file));
    if (written && written != ERR_END) {
        fprintf(stderr, "weir read: writing to standard output failed\n");
        rc = written;
    }
    capfile_close(g->file);
    return rc ? EXIT_TROUBLE : EXIT_FINE;
}

static int prepare(struct reading *g) {
    int rc = form_parse(g);
    if (rc == OPT_GO && g->o.time && !time_parse(g->o.time, &g->view.time))
        rc = opt_bad_use(&command, "-t %s is not known: it is one of a ad adoy d dd e r u ud udoy", g->o.time);
    if (rc == OPT_GO) rc = fields_parse(g);
    for (size_t i = 0; i < g->o.field_options.n && rc == OPT_GO; i++) rc = field_option(g, g->o.field_options.item[i]);
    if (rc == OPT_GO) rc = only_parse(g);
    if (rc != OPT_GO) return rc;
    want_make(g);
    if (dissector_make(&g->ds, &g->want)) return opt_bad_use(&command, "out of memory");
    if (want_has(&g->want, FID_ETH_ADDR_OUI_RESOLVED) || want_has(&g->want, FID_ETH_SRC_OUI_RESOLVED) ||
        want_has(&g->want, FID_ETH_DST_OUI_RESOLVED))
        g->vendors = vendors_load();
    g->ds.driver.d.vendor = vendors_find;
    g->ds.driver.d.vendors = g->vendors;
    for (size_t i = 0; i < g->o.decode_as.n && rc == OPT_GO; i++) rc = decode_as(g, g->o.decode_as.item[i]);
    prefs_take(g);
    return rc;
}

int cmd_read(int argc, char **argv) {
    struct reading *g = calloc(1, sizeof *g);
    if (!g) return opt_bad_use(&command, "out of memory");
    g->fields = (struct fields_options){.separator = '\t', .aggregator = ',', .occurrence = 'a'};
    g->view.precision = -1;
    int rc = opt_parse(&command, &g->o, argc, argv);
    g->view.show_secrets = g->o.show_secrets;
    g->out_fd = STDOUT_FILENO;
    g->out = wr_sink(g->buffer, sizeof g->buffer, out_fd_flush, &g->out_fd);
    if (rc == OPT_GO && g->o.schema) {
        jsonl_schema(&g->out);
        rc = wr_flush(&g->out) ? EXIT_TROUBLE : EXIT_FINE;
    }
    if (rc == OPT_GO && !g->o.file) rc = opt_bad_use(&command, "what to read is missing: -r FILE, or -r - for standard input");
    if (rc == OPT_GO) rc = prepare(g);
    if (rc == OPT_GO) {
        struct sigaction stop = {.sa_handler = on_stop};
        sigaction(SIGINT, &stop, NULL);
        rc = run(g);
    }
    dissector_free(&g->ds);
    vendors_free(g->vendors);
    free(g->ids);
    opt_release(&command, &g->o);
    free(g);
    return rc;
}
