/* SPDX-License-Identifier: Apache-2.0 */
/* The options of weir capture: tcpdump's letters, and dumpcap's -a, -b, -D, -L, -f. */
#include "app/capture/capture.h"
#include "app/condition.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct capture_opts, member)

static const struct opt_def defs[] = {
    {'i', "interface", "NAME", "capture on NAME, on `any`, or on the number -D shows (default: the first)", OPT_TEXT,
     AT(device)},
    {'w', "write", "FILE", "write to FILE; - is stdout (default: decoded lines)", OPT_TEXT, AT(file)},
    {'c', "count", "N", "stop after N packets", OPT_NUMBER, AT(count), .min = 1},
    {'s', "snapshot-length", "BYTES", "keep so many bytes of each packet; 0 is all (262144)", OPT_NUMBER, AT(snaplen),
     .min = 0, .max = 262144},
    {'f', "filter", "FILTER", "capture filter, the same as the words at the end", OPT_TEXT, AT(filter)},
    {'a', "autostop", "COND", "stop after duration:S, filesize:kB, packets:N or files:N", OPT_LIST, AT(stops)},
    {'b', "ring-buffer", "COND",
     "next file after duration:S, interval:S, filesize:kB or packets:N; files:N keeps N; printname:FILE says there (or "
     "to stdout, stderr) which file is complete",
     OPT_LIST, AT(ring)},
    {'C', "file-size", "SIZE", "next file after SIZE million bytes (k, M, G: KiB, MiB, GiB)", OPT_TEXT, AT(size)},
    {'G', "rotate-seconds", "S", "next file every S seconds, named by strftime conversions in FILE", OPT_NUMBER,
     AT(seconds), .min = 1},
    {'W', "file-count", "N", "with -G stop after N files; with -C keep a ring of N", OPT_NUMBER, AT(files), .min = 1,
     .max = 1000000},
    {'z', "postrotate-command", "CMD", "run `CMD FILE` for each file that rotation ends", OPT_TEXT, AT(after)},
    {'Z', "relinquish-privileges", "USER", "become USER once the interface is open (root: stay root)", OPT_TEXT,
     AT(user)},
    {'F', "format", "FORMAT", "pcapng (default), pcap (nanoseconds) or pcap-us", OPT_TEXT, AT(format)},
    {'U', "packet-buffered", NULL, "write each packet at once", OPT_FLAG, AT(each_packet)},
    {'Q', "direction", "WAY", "only packets that go in, out, or inout", OPT_TEXT, AT(direction)},
    {'B', "buffer-size", "KIB", "kernel buffer in KiB", OPT_NUMBER, AT(buffer_kib), .min = 1, .max = 2097151},
    {'p', "no-promiscuous-mode", NULL, "do not put the interface into promiscuous mode", OPT_FLAG, AT(no_promiscuous)},
    {'I', "monitor-mode", NULL, "put a wireless interface into monitor mode", OPT_FLAG, AT(monitor)},
    {'y', "linktype", "TYPE", "link type, one of those -L lists", OPT_TEXT, AT(linktype)},
    {'D', "list-interfaces", NULL, "list the interfaces and end", OPT_FLAG, AT(devices)},
    {'L', "list-data-link-types", NULL, "list the interface's link types and end", OPT_FLAG, AT(linktypes)},
    {'n', NULL, NULL, "numbers, not names", OPT_COUNT, AT(no_names)},
    {'l', NULL, NULL, "hand out each line at once", OPT_FLAG, AT(lines)},
    {'q', "quiet", NULL, "no running count on a terminal", OPT_FLAG, AT(quiet)},
    {'v', "verbose", NULL, "show the running count also when it is not a terminal", OPT_COUNT, AT(verbose)},
    {0, "immediate-mode", NULL, "take each packet from the kernel at once", OPT_FLAG, AT(immediate)},
    {0, "time-stamp-precision", "P", "nano (default) or micro", OPT_TEXT, AT(precision)},
};

static const char *const examples[] = {
    "weir capture -i lo -w mqtt.pcapng port 1883",
    "weir capture -i eth0 -w '%H%M%S.pcapng' -G 60 -W 10",
    "weir capture -i any -w ring.pcapng -b filesize:10000 -b files:5",
    NULL,
};

/* What tcpdump and dumpcap do with one command. */
static const char *const elsewhere[] = {"rcaptures are read by `weir read -r FILE`",
                                        "tthe time is chosen by `weir read -i NAME -t ad`",
                                        "eheaders of the link are shown by `weir read -i NAME -V`",
                                        "Xbytes are shown by `weir read -i NAME -x`",
                                        "xbytes are shown by `weir read -i NAME -x`",
                                        "Atext is shown by `weir follow tcp 0 -i NAME`",
                                        NULL};
const struct opt_command capture_command = {
    .name = "capture",
    .synopsis = "[-i NAME] [-w FILE] [options] [FILTER]",
    .purpose = "record packets from an interface",
    .description = "FILTER is a capture filter as tcpdump knows them, such as `port 1883 and host 10.0.0.5`. Without "
                   "-w the packets are shown as decoded lines.\n\n"
                   "Ctrl-C and SIGTERM finish the file and print how many packets were captured, received by the "
                   "filter and dropped by the kernel; SIGUSR1 prints that while the capture goes on. -G, -a and -b "
                   "follow the clock also while no packet comes.\n\n"
                   "Run by root the program gives up its privileges once interface and file are open: it becomes the "
                   "user of -Z, else the one who called sudo, else nobody. Files that rotation creates later are "
                   "opened by a small process that can "
                   "open only them. -Z root (and -z without -Z) keeps root.",
    .examples = examples,
    .elsewhere = elsewhere,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = AT(words),
};

static const struct condition stop_conditions[] = {
    {"duration", 1000, offsetof(struct capture_limits, stop_ms)},
    {"filesize", 1000, offsetof(struct capture_limits, stop_bytes)},
    {"packets", 1, offsetof(struct capture_limits, stop_packets)},
    {"files", 1, offsetof(struct capture_limits, stop_files)},
};

static const struct condition ring_conditions[] = {
    {"duration", 1000, offsetof(struct capture_limits, next_ms)},
    {"filesize", 1000, offsetof(struct capture_limits, next_bytes)},
    {"packets", 1, offsetof(struct capture_limits, next_packets)},
    {"interval", 1, offsetof(struct capture_limits, next_interval_s)},
};

static bool ring_files(struct capture_limits *l, const char *text) {
    if (strncmp(text, "files:", 6) != 0) return false;
    int64_t v = condition_amount(text + 6, 1);
    if (v < 0 || v > 100000) return false;
    l->keep_files = (uint32_t)v;
    return true;
}

static bool print_names(struct capture_limits *l, const char *text) {
    if (strncmp(text, "printname:", 10) != 0 || !text[10]) return false;
    l->print_names = text + 10;
    return true;
}

static int read_conditions(const struct capture_opts *o, struct capture_limits *l) {
    for (size_t i = 0; i < o->stops.n; i++)
        if (!condition_take(o->stops.item[i], stop_conditions, 4, l))
            return opt_bad_use(&capture_command,
                               "-a %s: expected duration:SECONDS, filesize:KILOBYTES, packets:N or files:N",
                               o->stops.item[i]);
    for (size_t i = 0; i < o->ring.n; i++)
        if (!condition_take(o->ring.item[i], ring_conditions, 4, l) && !ring_files(l, o->ring.item[i]) &&
            !print_names(l, o->ring.item[i]))
            return opt_bad_use(&capture_command,
                               "-b %s: expected duration:SECONDS, interval:SECONDS, filesize:KILOBYTES, packets:N, "
                               "files:N or printname:FILE",
                               o->ring.item[i]);
    return OPT_GO;
}

/* file_size reads -C: millions of bytes, or a number with k, M or G for powers of 1024; negative where it is neither.
 */
static int64_t file_size(const char *text) {
    static const char units[] = "kmg";
    char number[32];
    size_t n = strcspn(text, "kKmMgG");
    if (n >= sizeof number) return -1;
    memcpy(number, text, n);
    number[n] = 0;
    if (!text[n]) return condition_amount(number, 1e6);
    const char *unit = strchr(units, text[n] | 0x20);
    if (text[n + 1] && strcmp(text + n + 1, "iB") != 0 && strcmp(text + n + 1, "i") != 0) return -1;
    return unit ? condition_amount(number, (double)((int64_t)1024 << 10 * (unit - units))) : -1;
}

static int check_use(const struct capture_opts *o, const struct capture_limits *l) {
    bool rotates = l->next_ms || l->next_bytes || l->next_packets || l->next_interval_s;
    if (o->ring.n && (o->size || o->seconds))
        return opt_bad_use(&capture_command,
                           "-b (dumpcap's rotation) and -C or -G (tcpdump's) do not go together; use one");
    if (rotates && (!o->file || strcmp(o->file, "-") == 0))
        return opt_bad_use(&capture_command, "rotation needs a file name: give -w FILE");
    if (o->ring.n && !rotates)
        return opt_bad_use(
            &capture_command,
            "-b files:N and printname:FILE need to know when a file ends: add -b filesize:, duration: or packets:");
    if (o->files && !rotates) return opt_bad_use(&capture_command, "-W counts files: it needs -C or -G");
    if (o->filter && o->words.n)
        return opt_bad_use(&capture_command, "a capture filter both with -f and as words; give one");
    return OPT_GO;
}

int capture_limits_read(const struct capture_opts *o, struct capture_limits *l) {
    *l = (struct capture_limits){0};
    int r = read_conditions(o, l);
    if (r != OPT_GO) return r;
    if (o->size && (l->next_bytes = file_size(o->size)) < 0)
        return opt_bad_use(&capture_command, "-C %s: expected millions of bytes, or a number with k, M or G", o->size);
    if (o->seconds) l->next_ms = o->seconds * 1000;
    if (o->count) l->stop_packets = o->count;
    if (o->files && o->seconds && !o->size) l->stop_files = o->files;
    if (o->files && o->size) {
        l->keep_files = (uint32_t)o->files;
        l->wrap = true;
    }
    return check_use(o, l);
}

struct savefile_plan capture_plan(const struct capture_opts *o, const struct capture_limits *l) {
    struct savefile_plan p = {.path = o->file};
    p.style = o->ring.n ? SAVEFILE_RING : SAVEFILE_COUNTED;
    p.dated = o->seconds != 0;
    p.counted = o->size != NULL;
    if (l->wrap)
        for (uint32_t n = l->keep_files - 1; n || !p.digits; n /= 10) p.digits++;
    return p;
}

bool capture_format(const struct capture_opts *o, enum capwrite_format *format) {
    static const struct {
        const char *name;
        enum capwrite_format format;
    } names[] = {{"pcapng", CAPWRITE_PCAPNG},
                 {"pcap", CAPWRITE_PCAP_NS},
                 {"nsecpcap", CAPWRITE_PCAP_NS},
                 {"pcap-us", CAPWRITE_PCAP_US}};
    *format = CAPWRITE_PCAPNG;
    for (size_t i = 0; o->format && i < sizeof names / sizeof *names; i++) {
        if (strcmp(o->format, names[i].name) != 0) continue;
        *format = names[i].format;
        return true;
    }
    return !o->format;
}
