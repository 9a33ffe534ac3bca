/* SPDX-License-Identifier: Apache-2.0 */
/* The options of weir read: tshark's letters. */
#include "app/condition.h"
#include "app/read/read.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct opt_def defs[] = {
    {'r', "read-file", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct read_opts, file)},
    {'i', "interface", "NAME", "read packets from the interface NAME, as they come", OPT_TEXT,
     offsetof(struct read_opts, device)},
    {'f', NULL, "FILTER", "with -i: capture filter, the same as the words at the end", OPT_TEXT,
     offsetof(struct read_opts, filter)},
    {'a', "autostop", "COND", "with -i: stop after duration:SECONDS or packets:N", OPT_LIST,
     offsetof(struct read_opts, stops)},
    {'s', "snapshot-length", "BYTES", "with -i: keep so many bytes of each packet (262144)", OPT_NUMBER,
     offsetof(struct read_opts, snaplen), .max = 262144},
    {'p', "no-promiscuous-mode", NULL, "with -i: do not put the interface into promiscuous mode", OPT_FLAG,
     offsetof(struct read_opts, no_promiscuous)},
    {'B', "buffer-size", "KIB", "with -i: kernel buffer in KiB", OPT_NUMBER, offsetof(struct read_opts, buffer_kib),
     .min = 1, .max = 2097151},
    {'y', "linktype", "TYPE", "with -i: link type", OPT_TEXT, offsetof(struct read_opts, linktype)},
    {'Y', "display-filter", "FILTER", "only packets that fulfil FILTER; with -r also the words at the end", OPT_TEXT,
     offsetof(struct read_opts, display)},
    {'R', "read-filter", "FILTER",
     "with -2: packets that do not fulfil FILTER are not there at all: the others are numbered anew", OPT_TEXT,
     offsetof(struct read_opts, read_filter)},
    {'2', NULL, NULL, "as tshark: two passes, needed by -R (Weir does both in one)", OPT_FLAG,
     offsetof(struct read_opts, two_pass)},
    {0, "explain-filter", NULL, "print the program -Y or -R becomes and stop", OPT_FLAG,
     offsetof(struct read_opts, explain_filter)},
    {0, "from", "TIME", "packets from this moment on: " WHEN_HELP, OPT_TEXT, offsetof(struct read_opts, from)},
    {0, "to", "TIME", "packets before this moment", OPT_TEXT, offsetof(struct read_opts, to)},
    {'c', "count", "N", "stop after N packets", OPT_NUMBER, offsetof(struct read_opts, count), .min = 1},
    {'n', NULL, NULL, "no names for addresses (Weir never looks names up)", OPT_FLAG,
     offsetof(struct read_opts, no_names)},
    {'l', NULL, NULL, "flush after each packet", OPT_FLAG, offsetof(struct read_opts, line_buffered)},
    {'q', "quiet", NULL, "no packet lines", OPT_FLAG, offsetof(struct read_opts, quiet)},
    {'t', NULL, "FORMAT", "time column: a ad adoy d dd e r u ud udoy", OPT_TEXT, offsetof(struct read_opts, time)},
    {'P', NULL, NULL, "the summary line, also with -V or -x", OPT_FLAG, offsetof(struct read_opts, summary)},
    {'V', NULL, NULL, "the packet's tree", OPT_FLAG, offsetof(struct read_opts, tree)},
    {'O', NULL, "PROTOCOLS", "the tree, details of these protocols only (comma between)", OPT_TEXT,
     offsetof(struct read_opts, only)},
    {'x', "hex", NULL, "the packet's bytes", OPT_FLAG, offsetof(struct read_opts, hex)},
    {'T', NULL, "FORMAT", "output: text fields pdml json jsonl ek", OPT_TEXT, offsetof(struct read_opts, format)},
    {'e', NULL, "FIELD", "a field of -T fields, json, jsonl and ek, or a column as in _ws.col.Info; repeat for more",
     OPT_LIST, offsetof(struct read_opts, fields)},
    {'E', NULL, "NAME=VALUE",
     "of -T fields, and occurrence of all: header=y separator=, occurrence=f|l|a aggregator=; quote=d|s|n", OPT_LIST,
     offsetof(struct read_opts, field_options)},
    {'d', NULL, "TABLE==N,PROTO", "decode as, for instance tcp.port==8884,mqtt", OPT_LIST,
     offsetof(struct read_opts, decode_as)},
    {'o', NULL, "NAME:VALUE", "a preference of tshark; those that do not apply are named and passed over", OPT_LIST,
     offsetof(struct read_opts, prefs)},
    KEYS_OPTIONS(struct read_opts, keys),
    {'z', NULL, "STATISTIC", "tshark's statistics in its form, as in endpoints,ip or io,phs; with -q nothing else",
     OPT_LIST, offsetof(struct read_opts, taps)},
    {0, "events", NULL,
     "print one JSON line per transaction, as Suricata's EVE: mqtt, tls, http, dns, flow, alert, stats", OPT_FLAG,
     offsetof(struct read_opts, events)},
    {0, "schema", NULL, "print the JSON Schema of -T jsonl and stop", OPT_FLAG, offsetof(struct read_opts, schema)},
    {0, "show-secrets", NULL,
     "show passwords, cookies, tokens and keys; PDML and -x have them in any case, as from tshark", OPT_FLAG,
     offsetof(struct read_opts, show_secrets)},
    {0, "color", "auto|always|never",
     "colour packet lines: red broken or an error, yellow lost, repeated or reset, grey bare acknowledgments",
     OPT_CHOICE, offsetof(struct read_opts, color), .bare = "always"},
};
static const char *const examples[] = {
    "weir read -r capture.pcapng",
    "weir read -r capture.pcapng -V -c 1",
    "weir read -r capture.pcapng -T fields -e frame.number -e ip.src -e mqtt.topic",
    "weir read -r capture.pcapng -Y 'mqtt.topic contains \"sensor\" and ip.src == 10.0.0.0/8'",
    "weir read --events -r capture.pcapng | jq 'select(.mqtt.publish)'",
    "weir read -i lo port 1883",
    NULL};
/* What tshark does with one command. */
static const char *const elsewhere[] = {
    "wpackets are written by `weir edit FILE -Y FILTER -w OUT`, and from an interface by `weir capture -w OUT`",
    "Fformats are written by `weir edit FILE -F pcap -w OUT`", "Dinterfaces are listed by `weir capture -D`",
    "Gfields are listed by `weir fields`", NULL};
const struct opt_command read_command = {
    .name = "read",
    .synopsis = "-r FILE | -i NAME [FILTER] [options]",
    .purpose = "decode a capture file, stdin or a live interface",
    .description =
        "Reads pcap and pcapng files (also compressed with gzip or zstd) and prints what is in them, one line per "
        "packet or in one of the other forms. Fields have Wireshark's names; weir fields lists them.\n\n"
        "Display filters are written in the language of Wireshark 4.0.\n\n"
        "FILE may stand in front of the filter instead of behind -r. With -i the packets come from an interface until "
        "Ctrl-C, -c or -a; privileges are given up once it is open.",
    .examples = examples,
    .elsewhere = elsewhere,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct read_opts, words),
};

static bool time_parse(const char *text, enum time_format *out) {
    static const struct {
        const char *name;
        enum time_format format;
    } names[] = {{"r", TIME_RELATIVE},        {"a", TIME_ABSOLUTE},   {"ad", TIME_ABSOLUTE_DATE},
                 {"adoy", TIME_ABSOLUTE_DOY}, {"d", TIME_DELTA},      {"dd", TIME_DELTA_SHOWN},
                 {"e", TIME_EPOCH},           {"u", TIME_OF_DAY_UTC}, {"ud", TIME_UTC_DATE},
                 {"udoy", TIME_UTC_DOY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i].name) != 0) continue;
        *out = names[i].format;
        return true;
    }
    return false;
}

static int form_parse(struct reading *g) {
    static const char *const names[] = {"text", NULL, "fields", "pdml", "json", "jsonl", "ek"};
    const char *format = g->o.format ? g->o.format : "text";
    size_t form = 0;
    while (form < sizeof names / sizeof *names && (!names[form] || strcmp(format, names[form]) != 0)) form++;
    if (form == sizeof names / sizeof *names)
        return opt_bad_use(&read_command, "-T %s is not known: it is one of text, fields, pdml, json, jsonl, ek",
                           format);
    g->form = (enum form)form;
    if (g->o.events) {
        if (g->o.format || g->o.fields.n || g->o.tree || g->o.hex)
            return opt_bad_use(&read_command, "--events is a form of its own: not with -T, -e, -V or -x");
        g->form = FORM_EVENTS;
        if (eve_make(&g->eve)) return opt_bad_use(&read_command, "out of memory");
    }
    if (g->form == FORM_TEXT && (g->o.tree || g->o.only)) g->form = FORM_TREE;
    if (g->form == FORM_FIELDS && !g->o.fields.n)
        return opt_bad_use(&read_command, "-T fields needs at least one -e FIELD");
    return OPT_GO;
}

static int times_parse(struct reading *g) {
    if (g->o.from && !when_parse(g->o.from, &g->from))
        return opt_bad_use(&read_command, "--from %s: expected %s", g->o.from, WHEN_HELP);
    if (g->o.to && !when_parse(g->o.to, &g->to))
        return opt_bad_use(&read_command, "--to %s: expected %s", g->o.to, WHEN_HELP);
    return OPT_GO;
}

static int fields_parse(struct reading *g) {
    struct field_index index;
    if (!g->o.fields.n) return OPT_GO;
    g->ids = calloc(g->o.fields.n, sizeof *g->ids);
    if (!g->ids || field_index_make(&index, &weir_fields)) return opt_bad_use(&read_command, "out of memory");
    int rc = OPT_GO;
    for (size_t i = 0; i < g->o.fields.n && rc == OPT_GO; i++) {
        struct slice name = slice_str(g->o.fields.item[i]);
        uint16_t near[3], id = field_find(&index, name);
        if (!id) id = column_find(name);
        for (size_t k = 0; k < g->n_ids && g->form != FORM_FIELDS; k++)
            if (g->ids[k] == id) id = UINT16_MAX; /* a member of an object has its place once */
        if (id == UINT16_MAX) continue;
        if (id) {
            g->ids[g->n_ids++] = id;
            fields_want(&g->want, id);
            continue;
        }
        size_t n = field_nearest(&index, name, near, 3);
        rc = n ? opt_bad_use(&read_command, "-e %s: no such field; did you mean %s? (weir fields lists all)",
                             g->o.fields.item[i], field_of(near[0])->name)
               : opt_bad_use(&read_command, "-e %s: no such field (weir fields lists all)", g->o.fields.item[i]);
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
    else if (slice_eq(name, SLICE("quote")) && (c == 'd' || c == 's' || c == 'n'))
        f->quote = c == 'd' ? '"' : c == 's' ? '\'' : 0;
    else if (!slice_eq(name, SLICE("bom")))
        return opt_bad_use(&read_command,
                           "-E %s: it is header=y|n, separator=C, occurrence=f|l|a, aggregator=C or quote=d|s|n", text);
    return OPT_GO;
}

static int only_parse(struct reading *g) {
    const char *at = g->o.only;
    size_t n = 0;
    while (at && *at) {
        size_t len = strcspn(at, ",");
        const struct proto *p = proto_find(slice_of(at, len));
        if (!p) return opt_bad_use(&read_command, "-O: no protocol is called %.*s", (int)len, at);
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
    } tables[] = {{"tcp.port", TABLE_TCP},
                  {"udp.port", TABLE_UDP},
                  {"ethertype", TABLE_ETHERTYPE},
                  {"ip.proto", TABLE_IP},
                  {"tls.port", TABLE_TLS}};
    const char *equal = strstr(text, "=="), *comma = strrchr(text, ',');
    if (!equal || !comma || comma < equal)
        return opt_bad_use(&read_command, "-d %s: it is TABLE==NUMBER,PROTOCOL, as in tcp.port==8884,mqtt", text);
    const struct proto *p = proto_find(slice_str(comma + 1));
    if (!p) return opt_bad_use(&read_command, "-d %s: no protocol is called %s", text, comma + 1);
    char *end;
    unsigned long key = strtoul(equal + 2, &end, 0);
    if (end != comma || key > 65535)
        return opt_bad_use(&read_command, "-d %s: the number is between == and the comma, at most 65535", text);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (slice_eq(slice_of(text, (size_t)(equal - text)), slice_str(tables[i].name)))
            return driver_decode_as(&g->ds.driver, tables[i].table, (uint32_t)key, p)
                       ? opt_bad_use(&read_command, "out of memory")
                       : OPT_GO;
    return opt_bad_use(&read_command, "-d %s: the table is one of tcp.port, udp.port, tls.port, ethertype, ip.proto",
                       text);
}

static void prefs_take(const struct reading *g) {
    for (size_t i = 0; i < g->o.prefs.n; i++) {
        const char *pref = g->o.prefs.item[i];
        if (strncmp(pref, "tcp.reassemble_out_of_order", 27) == 0 || strncmp(pref, "tcp.desegment", 13) == 0) continue;
        if (keys_pref(pref)) continue;
        fprintf(stderr, "weir read: -o %s is passed over: this version has no such preference\n", pref);
    }
}

/* stop_condition takes "duration:2" or "packets:5". */
static int stop_condition(struct reading *g, const char *text) {
    static const struct condition known[] = {{"duration", 1000, offsetof(struct reading, feed.stop_ms)},
                                             {"packets", 1, offsetof(struct reading, o.count)}};
    if (condition_take(text, known, 2, g)) return OPT_GO;
    return opt_bad_use(&read_command, "-a %s: expected duration:SECONDS or packets:N", text);
}

/* taps_take starts the statistics of -z. */
static int taps_take(struct reading *g) {
    for (size_t i = 0; i < g->o.taps.n; i++) {
        int rc = taps_parse(&g->taps, &read_command, g->o.taps.item[i]);
        if (rc != OPT_GO) return rc;
    }
    taps_want(&g->taps, &g->want);
    return OPT_GO;
}

/* file_first takes the first word for what is to be read where nothing else says that, as the other commands do. */
static void file_first(struct read_opts *o) {
    if (o->file || o->device || !o->words.n) return;
    o->file = o->words.item[0];
    memmove(o->words.item, o->words.item + 1, --o->words.n * sizeof *o->words.item);
}

/* source_check sees that the options say one thing to read from. */
static int source_check(struct reading *g) {
    const struct read_opts *o = &g->o;
    file_first(&g->o);
    if (o->file && o->device)
        return opt_bad_use(&read_command, "-r reads a file and -i an interface: give one of them");
    if (!o->file && !o->device)
        return opt_bad_use(&read_command, "what to read is missing: a FILE (- is standard input) or -i INTERFACE");
    if (o->file && o->words.n && o->display)
        return opt_bad_use(&read_command, "a display filter both with -Y and as words; give one");
    if (o->read_filter && !o->two_pass)
        return opt_bad_use(&read_command, "-R needs -2; without a second pass it is -Y that chooses packets");
    if (o->file && (o->filter || o->stops.n))
        return opt_bad_use(&read_command, "-%c belongs to -i: it has no meaning for a file", o->filter ? 'f' : 'a');
    if (o->filter && o->words.n)
        return opt_bad_use(&read_command, "a capture filter both with -f and as words; give one");
    return OPT_GO;
}

int reading_options(struct reading *g) {
    int rc = g->o.explain_filter ? OPT_GO : source_check(g);
    for (size_t i = 0; i < g->o.stops.n && rc == OPT_GO; i++) rc = stop_condition(g, g->o.stops.item[i]);
    if (rc == OPT_GO) rc = form_parse(g);
    if (rc == OPT_GO && g->o.time && !time_parse(g->o.time, &g->view.time))
        rc = opt_bad_use(&read_command, "-t %s is not known: it is one of a ad adoy d dd e r u ud udoy", g->o.time);
    if (rc == OPT_GO) rc = times_parse(g);
    if (rc == OPT_GO) rc = fields_parse(g);
    for (size_t i = 0; i < g->o.field_options.n && rc == OPT_GO; i++) rc = field_option(g, g->o.field_options.item[i]);
    if (rc == OPT_GO) rc = only_parse(g);
    if (rc == OPT_GO) rc = taps_take(g);
    return rc;
}

int reading_decode_as(struct reading *g) {
    int rc = OPT_GO;
    for (size_t i = 0; i < g->o.decode_as.n && rc == OPT_GO; i++) rc = decode_as(g, g->o.decode_as.item[i]);
    return rc;
}

int reading_filters(struct reading *g) {
    const struct read_opts *o = &g->o;
    bool words = o->words.n && (o->file || o->explain_filter);
    struct writer text = wr_grow();
    for (size_t i = 0; words && i < o->words.n; i++) wr_f(&text, "%s%s", i ? " " : "", o->words.item[i]);
    if (o->display) wr_s(&text, o->display);
    int rc = text.err ? opt_bad_use(&read_command, "out of memory") : OPT_GO;
    if (rc == OPT_GO && wr_len(&text))
        rc = filter_compile(&read_command, words ? "the filter" : "-Y", wr_done(&text), &g->display);
    if (rc == OPT_GO && o->read_filter) rc = filter_compile(&read_command, "-R", slice_str(o->read_filter), &g->first);
    wr_free(&text);
    return rc;
}

void reading_prefs(const struct reading *g) { prefs_take(g); }
