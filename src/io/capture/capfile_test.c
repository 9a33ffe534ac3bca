/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reader.h"
#include "io/capture/capfile.h"
#include "io/capture/capwrite.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static int failures;
#define CHECK(sentence, truth)                                                                                         \
    do {                                                                                                               \
        if (!(truth)) {                                                                                                \
            printf("line %d: not so: %s\n", __LINE__, sentence);                                                       \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

/* bytes being made, in either byte order */
struct made {
    uint8_t b[4096];
    size_t n;
    bool big;
};
static void u16(struct made *m, unsigned v) {
    m->b[m->n++] = (uint8_t)(m->big ? v >> 8 : v);
    m->b[m->n++] = (uint8_t)(m->big ? v : v >> 8);
}
static void u32(struct made *m, uint32_t v) {
    u16(m, m->big ? v >> 16 : v & 0xffff);
    u16(m, m->big ? v & 0xffff : v >> 16);
}
static void fill(struct made *m, size_t n) {
    memset(m->b + m->n, 'x', n);
    m->n += n;
}
static void text(struct made *m, unsigned code, const char *s) {
    size_t n = strlen(s);
    u16(m, code);
    u16(m, (unsigned)n);
    memcpy(m->b + m->n, s, n);
    memset(m->b + m->n + n, 0, 3);
    m->n += (n + 3) & ~(size_t)3;
}
static size_t begin(struct made *m, uint32_t type) {
    size_t at = m->n;
    u32(m, type);
    u32(m, 0);
    return at;
}
static void finish(struct made *m, size_t at) {
    size_t end = m->n + 4;
    m->n = at + 4;
    u32(m, (uint32_t)(end - at));
    m->n = end - 4;
    u32(m, (uint32_t)(end - at));
}
static void section(struct made *m) {
    size_t at = begin(m, 0x0a0d0d0a);
    u32(m, 0x1a2b3c4d);
    u16(m, 1);
    u16(m, 0);
    u32(m, UINT32_MAX);
    u32(m, UINT32_MAX);
    finish(m, at);
}
static void interface(struct made *m, uint32_t snaplen, const char *name, const char *tsresol) {
    size_t at = begin(m, 1);
    u16(m, 1);
    u16(m, 0);
    u32(m, snaplen);
    if (name) text(m, 2, name);
    if (tsresol) text(m, 9, tsresol);
    finish(m, at);
}
static void enhanced(struct made *m, uint32_t id, uint64_t ts, uint32_t n, const char *comment) {
    size_t at = begin(m, 6);
    u32(m, id);
    u32(m, (uint32_t)(ts >> 32));
    u32(m, (uint32_t)ts);
    u32(m, n);
    u32(m, n);
    fill(m, (n + 3) & ~3u);
    if (comment) text(m, 1, comment);
    finish(m, at);
}
static void pcap_header(struct made *m, uint32_t magic, uint32_t network) {
    u32(m, magic);
    u16(m, 2);
    u16(m, 4);
    u32(m, 0);
    u32(m, 0);
    u32(m, 65535);
    u32(m, network);
}
static void pcap_packet(struct made *m, uint32_t s, uint32_t fraction, uint32_t n) {
    u32(m, s);
    u32(m, fraction);
    u32(m, n);
    u32(m, n);
    fill(m, n);
}

/* seen is what reading to the end gives */
struct seen {
    int opened, ended;
    unsigned packets;
    struct packet first, last;
    struct capture_interface iface; /* of the last packet */
    char name[32], comment[32], why[600];
};

static void note_packet(struct seen *s, const struct packet *p) {
    if (!s->packets++) s->first = *p;
    s->last = *p;
    s->iface = *p->iface;
    snprintf(s->name, sizeof s->name, "%.*s", (int)p->iface->name.n, (const char *)p->iface->name.p);
    if (p->comments[0].n)
        snprintf(s->comment, sizeof s->comment, "%.*s", (int)p->comments[0].n, (const char *)p->comments[0].p);
}

static struct seen drain(struct capfile *c, int opened, const struct writer *why) {
    struct seen s = {.opened = opened};
    struct packet p;
    if (opened < 0) {
        snprintf(s.why, sizeof s.why, "%.*s", (int)wr_len(why), why->buf);
        return s;
    }
    while ((s.ended = capfile_next(c, &p)) == OK) note_packet(&s, &p);
    snprintf(s.why, sizeof s.why, "%s", capfile_why(c));
    CHECK("an end is given again", capfile_next(c, &p) == s.ended);
    capfile_close(c);
    return s;
}

static struct seen read_bytes(const void *p, size_t n) {
    char text_buf[600];
    struct writer why = wr_fixed(text_buf, sizeof text_buf);
    uint8_t *copy = malloc(n ? n : 1); /* exact size, for the sanitizer */
    struct capfile *c = NULL;
    memcpy(copy, p, n);
    int r = capfile_open_bytes(&c, slice_of(copy, n), &why);
    struct seen s = drain(c, r, &why);
    free(copy);
    return s;
}
static struct seen read_made(const struct made *m) { return read_bytes(m->b, m->n); }

static void pcap_is_read_in_both_byte_orders_and_units(void) {
    for (int big = 0; big < 2; big++) {
        struct made m = {.big = big};
        pcap_header(&m, 0xa1b2c3d4, 1);
        pcap_packet(&m, 1600000000, 5, 60);
        pcap_packet(&m, 4000000000u, 999999, 61);
        struct seen s = read_made(&m);
        CHECK("two packets, then the end", s.packets == 2 && s.ended == ERR_END);
        CHECK("microseconds count thousandfold", s.first.ts == 1600000000000005000);
        CHECK("seconds are unsigned", s.last.ts == 4000000000999999000);
        CHECK("classic pcap has no section and no interface number", s.last.section == 0 && !s.iface.has_name);
        struct made ns = {.big = big};
        pcap_header(&ns, 0xa1b23c4d, 113 | 0x04000000 | 2u << 28);
        pcap_packet(&ns, 1, 2, 3);
        s = read_made(&ns);
        CHECK("nanoseconds are kept", s.packets == 1 && s.first.ts == 1000000002);
        CHECK("link type and FCS length are told apart", s.iface.linktype == 113 && s.iface.fcs_len == 4);
    }
}

static void modified_pcap_has_longer_headers(void) {
    static const struct {
        uint32_t magic;
        size_t extra;
    } kinds[] = {{0xa1b2cd34, 8}, {0xa1b2cd34, 12}, {0xa1b2c3d4, 8}, {0xa1b2c3d4, 4}};
    for (size_t k = 0; k < 4; k++) {
        struct made m = {0};
        pcap_header(&m, kinds[k].magic, 1);
        for (uint32_t i = 0; i < 3; i++) {
            u32(&m, i);
            u32(&m, 7);
            u32(&m, 20);
            u32(&m, 20);
            fill(&m, kinds[k].extra);
            fill(&m, 20);
        }
        struct seen s = read_made(&m);
        CHECK("the variant is found out from the packets",
              s.packets == 3 && s.ended == ERR_END && s.last.ts == 2000007000);
    }
}

static void a_damaged_pcap_is_read_up_to_the_damage(void) {
    struct made m = {0};
    pcap_header(&m, 0xa1b2c3d4, 1);
    pcap_packet(&m, 1, 1, 40);
    u32(&m, 2);
    u32(&m, 2);
    u32(&m, 4325376);
    u32(&m, 4325376);
    struct seen s = read_made(&m);
    CHECK("the packet before is read", s.packets == 1 && s.ended == ERR_DAMAGED);
    CHECK("the line names place and cause",
          !strcmp(s.why, "memory: byte 80: packet of 4325376 bytes is larger than 262144; read 1 packet up to here"));
}

static void every_prefix_ends_with_end_or_cut(void) {
    struct made m = {0};
    section(&m);
    interface(&m, 0, "eth0", "\x09");
    enhanced(&m, 0, 1, 61, "hello");
    enhanced(&m, 0, 2, 60, NULL);
    for (size_t n = 0; n <= m.n; n++) {
        struct seen s = read_bytes(m.b, n);
        CHECK("a prefix is unknown, cut or whole",
              n < 4 ? s.opened == ERR_FORMAT : s.opened == ERR_CUT || s.ended == ERR_CUT || s.ended == ERR_END);
    }
}

static void sections_have_their_own_byte_order_and_interfaces(void) {
    struct made m = {0};
    section(&m);
    interface(&m, 0, "eth0", "\x09");
    enhanced(&m, 0, 1600000000123456789, 60, "first");
    m.big = true;
    section(&m);
    interface(&m, 16, "a", "\x83");
    interface(&m, 0, "b", NULL);
    enhanced(&m, 1, 1600000000000001, 60, NULL);
    size_t at = begin(&m, 3);
    u32(&m, 64);
    fill(&m, 16);
    finish(&m, at);
    struct seen s = read_made(&m);
    CHECK("all packets are read", s.packets == 3 && s.ended == ERR_END);
    CHECK("nanoseconds by if_tsresol", s.first.ts == 1600000000123456789);
    CHECK("the comment is given", !strcmp(s.comment, "first"));
    CHECK("a simple packet has no time and the snap length of interface 0",
          !s.last.has_ts && s.last.data.n == 16 && s.last.len == 64 && !strcmp(s.name, "a"));
    CHECK("numbers of interfaces begin anew, those of sections go on", s.iface.id == 0 && s.last.section == 2);
}

#define NS(seconds, ns) ((__int128)(seconds)*1000000000 + (ns))

static void time_stamps_are_unsigned_in_every_unit(void) {
    static const struct {
        const char *tsresol; /* NULL: microseconds */
        uint64_t stamp;
        __int128 moment;
    } cases[] = {
        {NULL, 18446744073204126329u, NS(18446744073204, 126329000)},
        {"\x09", UINT64_MAX, NS(18446744073, 709551615)},
        {"\x03", 4200000000000, NS(4200000000, 0)},
        {"\x83", 13, NS(1, 625000000)}, /* eighths of a second */
        {"\xbf", UINT64_MAX, NS(1, 999999999)},
        {"\x0c", 1500000000001, NS(1, 500000000)},
        {"\x80", 5, NS(5, 0)},
        {"\x80", UINT64_MAX, MOMENT_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = {0};
        section(&m);
        interface(&m, 0, "eth0", cases[i].tsresol);
        enhanced(&m, 0, cases[i].stamp, 60, NULL);
        struct seen s = read_made(&m);
        CHECK("the stamp counts from 1970 on", s.packets == 1 && packet_moment(&s.last) == cases[i].moment);
        CHECK("differences in an era do not overflow",
              s.last.ts >= -((int64_t)1 << 62) && s.last.ts < (int64_t)1 << 62);
    }
}

static void damaged_pcapng_names_the_cause(void) {
    struct made m = {0};
    section(&m);
    enhanced(&m, 0, 1, 8, NULL);
    CHECK("a packet without interface", read_made(&m).ended == ERR_DAMAGED);
    m = (struct made){0};
    section(&m);
    interface(&m, 0, NULL, NULL);
    size_t at = m.n;
    enhanced(&m, 0, 1, 8, NULL);
    m.b[m.n - 1] = 1;
    struct seen s = read_made(&m);
    CHECK("lengths that differ", s.ended == ERR_DAMAGED && strstr(s.why, "byte 48: block length"));
    m.b[m.n - 1] = 0;
    m.b[at + 20] = 9;
    s = read_made(&m);
    CHECK("a packet larger than its block", s.ended == ERR_DAMAGED && strstr(s.why, "room for 8"));
    m.b[at + 4] = 8;
    CHECK("a block length below 12", read_made(&m).ended == ERR_DAMAGED);
}

static void a_huge_unknown_block_is_passed_over_and_a_huge_packet_refused(void) {
    struct made m = {0};
    section(&m);
    u32(&m, 0x7777);
    u32(&m, 0xfffffff0);
    struct seen s = read_made(&m);
    CHECK("a block that claims 4 GB is cut short, not held", s.ended == ERR_CUT);
    m.n -= 8;
    u32(&m, 6);
    u32(&m, 0xfffffff0);
    u32(&m, 0);
    s = read_made(&m);
    CHECK("a packet block of 4 GB is refused", s.ended == ERR_DAMAGED);
}

static void other_things_are_no_captures(void) {
    struct seen s = read_bytes("", 0);
    CHECK("empty", s.opened == ERR_FORMAT && strstr(s.why, "empty"));
    s = read_bytes("hello, world", 12);
    CHECK("text", s.opened == ERR_FORMAT && strstr(s.why, "68 65 6c 6c"));
    char text_buf[200];
    struct writer why = wr_fixed(text_buf, sizeof text_buf);
    struct capfile *c;
    CHECK("a missing file", capfile_open(&c, "/nonexistent", &why) == ERR_NOTFOUND);
    CHECK("a directory", capfile_open(&c, "/", &why) < 0);
}

static size_t gzip(const struct made *m, uint8_t *out, size_t room) {
    z_stream z = {.next_in = (uint8_t *)m->b, .avail_in = (uInt)m->n, .next_out = out, .avail_out = (uInt)room};
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return z.total_out;
}

static void gzip_is_read_and_its_damage_loses_nothing_before(void) {
    struct made m = {0};
    uint8_t packed[8192];
    pcap_header(&m, 0xa1b2c3d4, 1);
    pcap_packet(&m, 1, 1, 600);
    pcap_packet(&m, 2, 1, 600);
    size_t n = gzip(&m, packed, sizeof packed);
    struct seen s = read_bytes(packed, n);
    CHECK("gzip around pcap", s.packets == 2 && s.ended == ERR_END);
    s = read_bytes(packed, n - 8);
    CHECK("without its trailer everything is still read", s.packets == 2 && s.ended == ERR_CUT);
    struct made head = m, tail = {0};
    head.n = 24 + 616;
    memcpy(tail.b, m.b + head.n, tail.n = m.n - head.n);
    n = gzip(&head, packed, sizeof packed);
    n += gzip(&tail, packed + n, sizeof packed - n);
    s = read_bytes(packed, n);
    CHECK("two members are one stream", s.packets == 2 && s.ended == ERR_END);
}

static void what_is_written_is_read_again(void) {
    char path[] = "/tmp/weir-test-XXXXXX", why_buf[200];
    for (enum capwrite_format f = CAPWRITE_PCAPNG; f <= CAPWRITE_PCAP_US; f++) {
        strcpy(path, "/tmp/weir-test-XXXXXX");
        int fd = mkstemp(path);
        struct capture_interface i = {
            .name = SLICE("eth0"), .filter = SLICE("port 1883"), .linktype = 1, .snaplen = 96};
        struct packet p = {.ts = 1600000000123456789,
                           .has_ts = true,
                           .len = 99,
                           .data = SLICE("abcde"),
                           .iface = &i,
                           .flags = 2,
                           .has_flags = true,
                           .comments = {SLICE("why")}};
        struct capwrite_counts counts = {.received = 7};
        struct capwrite *w;
        struct capfile *c = NULL;
        CHECK("opens", capwrite_open(&w, fd, f, &i) == OK);
        CHECK("takes secrets", capwrite_secrets(w, 0x544c534b, SLICE("CLIENT_RANDOM")) == OK);
        CHECK("takes a packet", capwrite_packet(w, &p) == OK);
        CHECK("takes counts", capwrite_counts(w, &i, &counts) == OK);
        CHECK("closes", capwrite_close(w) == OK);
        struct writer why = wr_fixed(why_buf, sizeof why_buf);
        int r = capfile_open(&c, path, &why);
        struct seen s = drain(c, r, &why);
        CHECK("one packet comes back", s.packets == 1 && s.ended == ERR_END && s.last.len == 99 && s.last.data.n == 5);
        CHECK("with its time", s.last.ts == (f == CAPWRITE_PCAP_US ? 1600000000123456000 : 1600000000123456789));
        CHECK("pcapng keeps name, comment and flags",
              f != CAPWRITE_PCAPNG || (!strcmp(s.name, "eth0") && !strcmp(s.comment, "why") && s.last.flags == 2));
        close(fd);
        unlink(path);
    }
}

/* written gives what comes back of a packet, or an error of writing it. */
static int written(enum capwrite_format format, const struct capture_interface *i, __int128 moment, struct seen *s) {
    char path[] = "/tmp/weir-test-XXXXXX", text[200];
    int fd = mkstemp(path);
    struct packet p = {.ts = moment_ns(moment), .era = moment_era(moment), .has_ts = true, .iface = i};
    struct writer why = wr_fixed(text, sizeof text);
    struct capwrite *w;
    struct capfile *c = NULL;
    CHECK("opens", capwrite_open(&w, fd, format, i) == OK);
    int rc = capwrite_packet(w, &p);
    CHECK("closes", capwrite_close(w) == OK);
    int opened = capfile_open(&c, path, &why);
    *s = drain(c, opened, &why);
    close(fd);
    unlink(path);
    return rc;
}

static void an_interface_keeps_its_unit_and_offset(void) {
    static const struct {
        uint64_t ticks;
        int64_t offset;
        __int128 moment, read;
    } cases[] = {
        {0, 0, NS(1600000000, 123456789), NS(1600000000, 123456789)},
        {1000000, 0, NS(18446744073204, 126329000), NS(18446744073204, 126329000)},
        {8, 0, NS(1, 625000000), NS(1, 625000000)},
        {(uint64_t)1 << 31, 1600000000, NS(1600000001, 999999999), NS(1600000001, 999999999)},
        {1000000000, -100, NS(-99, 5), NS(-99, 5)},
        {1, 0, NS(-7, 0), 0}, /* no count says these two */
        {1000000000, 0, NS(99999999999, 0), NS(18446744073, 709551615)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture_interface iface = {.linktype = 1, .ticks = cases[i].ticks, .offset = cases[i].offset};
        struct seen s;
        CHECK("is written", written(CAPWRITE_PCAPNG, &iface, cases[i].moment, &s) == OK);
        CHECK("and comes back", s.packets == 1 && packet_moment(&s.last) == cases[i].read);
        CHECK("with its unit", s.iface.ticks == (cases[i].ticks ? cases[i].ticks : 1000000000));
    }
}

static void pcap_refuses_times_it_cannot_say(void) {
    static const __int128 moments[] = {NS(-1, 0), NS((int64_t)UINT32_MAX + 1, 0), NS(18446744073204, 0)};
    struct capture_interface i = {.linktype = 1};
    struct seen s;
    CHECK("its last second is fine", written(CAPWRITE_PCAP_US, &i, NS(UINT32_MAX, 0), &s) == OK && s.packets == 1 &&
                                         packet_moment(&s.last) == NS(UINT32_MAX, 0));
    for (size_t n = 0; n < sizeof moments / sizeof *moments; n++)
        CHECK("others are no packet",
              written(CAPWRITE_PCAP_NS, &i, moments[n], &s) == ERR_UNSUPPORTED && s.packets == 0);
}

/* The file arrives in pieces of a few bytes; every packet is seen once, in order, and none in halves. */
static void a_file_that_grows_is_read_on(void) {
    char path[] = "/tmp/weir-test-XXXXXX", text[200];
    for (enum capwrite_format f = CAPWRITE_PCAPNG; f <= CAPWRITE_PCAP_US; f++) {
        uint8_t bytes[4096];
        uint64_t offset[6] = {0}, seen = 0;
        strcpy(path, "/tmp/weir-test-XXXXXX");
        int fd = mkstemp(path);
        struct capture_interface i = {.name = SLICE("eth0"), .linktype = 1};
        struct packet p = {.has_ts = true, .len = 9, .data = SLICE("abcde"), .iface = &i}, got;
        struct capwrite *w;
        struct capfile *c = NULL;
        struct writer why = wr_fixed(text, sizeof text);
        CHECK("opens", capwrite_open(&w, fd, f, &i) == OK);
        for (p.ts = 1; p.ts <= 5; p.ts++) CHECK("takes a packet", capwrite_packet(w, &p) == OK);
        CHECK("closes", capwrite_close(w) == OK);
        ssize_t n = pread(fd, bytes, sizeof bytes, 0);
        CHECK("is emptied", ftruncate(fd, 0) == 0);
        for (ssize_t at = 0; at < n; at += 7) {
            size_t piece = n - at < 7 ? (size_t)(n - at) : 7;
            CHECK("grows", pwrite(fd, bytes + at, piece, at) == (ssize_t)piece);
            if (at < 120 && f == CAPWRITE_PCAPNG) continue;
            if (at < 28) continue; /* nothing to open yet */
            if (!c) CHECK("opens what is there", capfile_open(&c, path, &why) == OK);
            else CHECK("goes on", capfile_resume(c) == OK);
            while (c && capfile_next(c, &got) == OK) {
                CHECK("packets come in order", got.number == ++seen && got.data.n == 5);
                if (seen < 6) offset[seen] = got.offset;
            }
        }
        CHECK("all of them", seen == 5);
        CHECK("a place is found again", c && capfile_seek(c, offset[3], 3) == OK && capfile_next(c, &got) == OK);
        CHECK("with its number", got.number == 3 && got.offset == offset[3] && got.iface->linktype == 1);
        capfile_close(c);
        close(fd);
        unlink(path);
    }
}

static void a_full_disk_is_an_error(void) {
    int fd = open("/dev/full", O_WRONLY);
    struct capture_interface i = {.linktype = 1};
    struct capwrite *w;
    if (fd < 0) return;
    CHECK("opens", capwrite_open(&w, fd, CAPWRITE_PCAPNG, &i) == OK);
    CHECK("the flush fails", capwrite_flush(w) == ERR_LIMIT);
    CHECK("and so does all that follows", capwrite_close(w) == ERR_LIMIT);
    close(fd);
}

int main(void) {
    pcap_is_read_in_both_byte_orders_and_units();
    modified_pcap_has_longer_headers();
    a_damaged_pcap_is_read_up_to_the_damage();
    every_prefix_ends_with_end_or_cut();
    sections_have_their_own_byte_order_and_interfaces();
    time_stamps_are_unsigned_in_every_unit();
    damaged_pcapng_names_the_cause();
    a_huge_unknown_block_is_passed_over_and_a_huge_packet_refused();
    other_things_are_no_captures();
    gzip_is_read_and_its_damage_loses_nothing_before();
    what_is_written_is_read_again();
    an_interface_keeps_its_unit_and_offset();
    pcap_refuses_times_it_cannot_say();
    a_file_that_grows_is_read_on();
    a_full_disk_is_an_error();
    return failures != 0;
}
