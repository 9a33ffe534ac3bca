/* SPDX-License-Identifier: Apache-2.0 */
#include "view/follow.h"

#include "base/json.h"
#include "base/utf8.h"

#define RULE "===================================================================\n"
#define CLIENT_COLOR "\033[31m"
#define SERVER_COLOR "\033[34m"
#define NO_COLOR "\033[0m"

enum { HEX_LINE = 16, BASE64_LINE = 57 };

static const char *const names[] = {[FOLLOW_ASCII] = "ascii", [FOLLOW_EBCDIC] = "ebcdic", [FOLLOW_HEX] = "hex",
                                    [FOLLOW_RAW] = "raw",     [FOLLOW_YAML] = "yaml",     [FOLLOW_UTF8] = "utf-8"};
_Static_assert(sizeof names / sizeof *names == FOLLOW_FORMS, "every form has a name");

enum follow_form follow_form_find(const char *name, size_t n) {
    int i = 0;
    while (i < FOLLOW_FORMS && (strlen(names[i]) != n || memcmp(names[i], name, n) != 0)) i++;
    return (enum follow_form)i;
}

static void node_print(struct writer *w, const struct talk_addr *a) {
    talk_addr_port_print(w, a);
    wr_c(w, '\n');
}

/* way_print writes the filter of one direction between two ends. */
static void way_print(struct writer *w, const struct follow *f, const char *proto, int from) {
    for (int i = 0; i < 2; i++) {
        const struct talk_addr *a = &f->asked[i == 0 ? from : !from];
        const char *what = i == 0 ? "src" : "dst";
        wr_f(w, "%s%s.%s eq ", i == 0 ? "((" : " and (", a->len == 16 ? "ipv6" : "ip", what);
        talk_addr_print(w, a);
        wr_f(w, " and %s.%sport eq %u)%s", proto, what, a->port, i == 0 ? "" : ")");
    }
}

static void yaml_head(struct writer *w, const struct follow *f) {
    wr_s(w, "peers:\n");
    for (int i = 0; i < 2; i++) {
        wr_f(w, "  - peer: %d\n    host: ", i);
        talk_addr_print(w, &f->end[i]);
        wr_f(w, "\n    port: %u\n", f->end[i].port);
    }
    wr_s(w, "packets:\n");
}

void follow_head_print(struct writer *w, const struct follow *f, struct follow_view *v) {
    const char *name = follow_proto_name(f->proto), *proto = f->proto == FOLLOW_UDP ? "udp" : "tcp";
    if (v->headed) return;
    v->headed = true;
    if (v->form == FOLLOW_YAML) {
        yaml_head(w, f);
        return;
    }
    wr_f(w, "\n" RULE "Follow: %s,%s\n", name, names[v->form]);
    if (f->by_stream) {
        wr_f(w, "Filter: %s.stream eq %u", proto, f->stream);
        if (f->by_substream) wr_f(w, " and http2.streamid eq %u", f->substream);
        wr_c(w, '\n');
    } else {
        wr_s(w, "Filter: ");
        way_print(w, f, proto, 0);
        wr_s(w, " or ");
        way_print(w, f, proto, 1);
        wr_c(w, '\n');
    }
    for (int i = 0; i < 2; i++) {
        wr_f(w, "Node %d: ", i);
        node_print(w, &f->end[i]);
    }
}

static char ascii_of(uint8_t c) { return (c >= 32 && c < 127) || c == '\r' || c == '\n' ? (char)c : '.'; }

/* What EBCDIC has where ASCII has its printable characters and ends of lines; 0 elsewhere. */
static char ebcdic_of(uint8_t c) {
    static const char table[256] = {
        [0x0a] = '\n', [0x0d] = '\r', [0x20] = ' ',  [0x21] = '!', [0x22] = '"', [0x23] = '#',  [0x24] = '$',
        [0x25] = '%',  [0x26] = '&',  [0x27] = '\'', [0x28] = '(', [0x29] = ')', [0x2a] = '*',  [0x2b] = '+',
        [0x2c] = ',',  [0x2d] = '-',  [0x2f] = '/',  [0x32] = '2', [0x33] = '3', [0x34] = '4',  [0x35] = '5',
        [0x36] = '6',  [0x37] = '7',  [0x38] = '8',  [0x39] = '9', [0x3a] = ':', [0x3b] = ';',  [0x3c] = '<',
        [0x3d] = '=',  [0x3f] = '?',  [0x40] = ' ',  [0x4c] = '<', [0x4d] = '(', [0x4e] = '+',  [0x4f] = '|',
        [0x50] = '&',  [0x5a] = '!',  [0x5b] = '$',  [0x5c] = '*', [0x5d] = ')', [0x5e] = ';',  [0x5f] = '^',
        [0x60] = '-',  [0x61] = '/',  [0x6a] = '|',  [0x6b] = ',', [0x6c] = '%', [0x6d] = '_',  [0x6e] = '>',
        [0x6f] = '?',  [0x79] = '`',  [0x7a] = ':',  [0x7b] = '#', [0x7c] = '@', [0x7d] = '\'', [0x7e] = '=',
        [0x7f] = '"',  [0x81] = 'a',  [0x82] = 'b',  [0x83] = 'c', [0x84] = 'd', [0x85] = 'e',  [0x86] = 'f',
        [0x87] = 'g',  [0x88] = 'h',  [0x89] = 'i',  [0x91] = 'j', [0x92] = 'k', [0x93] = 'l',  [0x94] = 'm',
        [0x95] = 'n',  [0x96] = 'o',  [0x97] = 'p',  [0x98] = 'q', [0x99] = 'r', [0xa1] = '~',  [0xa2] = 's',
        [0xa3] = 't',  [0xa4] = 'u',  [0xa5] = 'v',  [0xa6] = 'w', [0xa7] = 'x', [0xa8] = 'y',  [0xa9] = 'z',
        [0xc0] = '{',  [0xc1] = 'A',  [0xc2] = 'B',  [0xc3] = 'C', [0xc4] = 'D', [0xc5] = 'E',  [0xc6] = 'F',
        [0xc7] = 'G',  [0xc8] = 'H',  [0xc9] = 'I',  [0xd0] = '}', [0xd1] = 'J', [0xd2] = 'K',  [0xd3] = 'L',
        [0xd4] = 'M',  [0xd5] = 'N',  [0xd6] = 'O',  [0xd7] = 'P', [0xd8] = 'Q', [0xd9] = 'R',  [0xe0] = '\\',
        [0xe2] = 'S',  [0xe3] = 'T',  [0xe4] = 'U',  [0xe5] = 'V', [0xe6] = 'W', [0xe7] = 'X',  [0xe8] = 'Y',
        [0xe9] = 'Z',  [0xf0] = '0',  [0xf1] = '1',  [0xf2] = '2', [0xf3] = '3', [0xf4] = '4',  [0xf5] = '5',
        [0xf6] = '6',  [0xf7] = '7',  [0xf8] = '8',  [0xf9] = '9',
    };
    return table[c] ? table[c] : '.';
}

static void text_print(struct writer *w, const struct follow_chunk *c, enum follow_form form) {
    wr_f(w, "%s%zu\n", c->side ? "\t" : "", c->bytes.n);
    for (size_t i = 0; i < c->bytes.n; i++)
        wr_c(w, form == FOLLOW_EBCDIC ? ebcdic_of(c->bytes.p[i]) : ascii_of(c->bytes.p[i]));
    wr_c(w, '\n');
}

/* utf8_print keeps characters of any script, but nothing hidden save the ends of lines and tabs. */
static void utf8_print(struct writer *w, const struct follow_chunk *c) {
    struct slice s = c->bytes;
    wr_f(w, "%s%zu\n", c->side ? "\t" : "", s.n);
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) wr_s(w, "\xef\xbf\xbd");
        else if (utf8_hidden(code)) wr_c(w, code == '\n' || code == '\r' || code == '\t' ? (char)code : '.');
        else wr_slice(w, slice_head(s, n));
        s = slice_tail(s, n ? n : 1);
    }
    wr_c(w, '\n');
}

static void hex_print_chunk(struct writer *w, const struct follow_chunk *c, uint64_t offset) {
    for (size_t at = 0; at < c->bytes.n; at += HEX_LINE) {
        struct slice line = slice_head(slice_tail(c->bytes, at), HEX_LINE);
        if (c->side) wr_c(w, '\t');
        wr_f(w, "%08X  ", (unsigned)(offset + at));
        for (size_t i = 0; i < HEX_LINE; i++) {
            if (i == 8) wr_c(w, ' ');
            if (i < line.n) wr_f(w, "%02x ", line.p[i]);
            else wr_s(w, "   ");
        }
        wr_c(w, ' ');
        /* tshark leaves a space at the end of a line away, unless it ends the line's first half */
        size_t shown = line.n != HEX_LINE / 2 && line.p[line.n - 1] == ' ' ? line.n - 1 : line.n;
        for (size_t i = 0; i < line.n; i++) {
            if (i == HEX_LINE / 2) wr_c(w, ' ');
            if (i < shown) wr_c(w, line.p[i] >= 32 && line.p[i] < 127 ? (char)line.p[i] : '.');
        }
        wr_c(w, '\n');
    }
}

static void raw_print(struct writer *w, const struct follow_chunk *c) {
    if (c->side) wr_c(w, '\t');
    wr_hexbytes(w, c->bytes, 0);
    wr_c(w, '\n');
}

static void yaml_print(struct writer *w, const struct follow_chunk *c) {
    wr_f(w, "  - packet: %llu\n    peer: %d\n    timestamp: %.9f\n    data: !!binary |\n", (unsigned long long)c->frame,
         c->side, (double)(c->ts / 1000000000) + (double)(c->ts % 1000000000) / 1e9);
    for (size_t at = 0; at < c->bytes.n; at += BASE64_LINE) {
        wr_s(w, "      ");
        base64_write(w, slice_head(slice_tail(c->bytes, at), BASE64_LINE));
        wr_c(w, '\n');
    }
}

void follow_chunk_print(struct writer *w, const struct follow *f, const struct follow_chunk *c, struct follow_view *v) {
    uint64_t offset = v->offset[c->side];
    v->offset[c->side] += c->bytes.n;
    v->chunks++;
    if (v->last && (v->chunks < v->first || v->chunks > v->last)) return;
    follow_head_print(w, f, v);
    if (v->color) wr_s(w, c->side ? SERVER_COLOR : CLIENT_COLOR);
    switch (v->form) {
    case FOLLOW_ASCII:
    case FOLLOW_EBCDIC: text_print(w, c, v->form); break;
    case FOLLOW_UTF8: utf8_print(w, c); break;
    case FOLLOW_HEX: hex_print_chunk(w, c, offset); break;
    case FOLLOW_RAW: raw_print(w, c); break;
    default: yaml_print(w, c);
    }
    if (v->color) wr_s(w, NO_COLOR);
}

void follow_foot_print(struct writer *w, const struct follow_view *v) {
    if (v->form != FOLLOW_YAML) wr_s(w, RULE);
}
