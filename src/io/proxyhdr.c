/* SPDX-License-Identifier: Apache-2.0 */
/* Specification: "The PROXY protocol", HAProxy Technologies, versions 1 and 2; 2.1 (text), 2.2 (binary). */
#include "io/proxyhdr.h"
#include "base/reader.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define V1_MAX 107 /* 2.1: the longest line with its end */
#define V2_HEAD 16
static const uint8_t v2_magic[12] = {13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10};

static bool read_ip(const char *text, int family, struct sock_peer *p) {
    p->len = family == AF_INET ? 4 : 16;
    return inet_pton(family, text, p->ip) == 1;
}

/* read_port: 2.1 wants no leading zeros. */
static bool read_port(const char *text, struct sock_peer *p) {
    char *rest;
    unsigned long n = strtoul(text, &rest, 10);
    p->port = (uint16_t)n;
    return *text >= '0' && *text <= '9' && (*text != '0' || !text[1]) && !*rest && n <= 65535;
}

/* read_line: 2.1 has exactly one space between words, and nothing behind the last; only UNKNOWN may be followed by
 * anything. */
static bool read_line(char *line, struct proxyhdr *out) {
    char *word[7] = {0};
    int n = 0;
    while (n < 7 && (word[n] = strsep(&line, " "))) n++;
    if (n < 2 || strcmp(word[0], "PROXY") != 0) return false;
    if (!strcmp(word[1], "UNKNOWN")) return out->local = true;
    int family = !strcmp(word[1], "TCP4") ? AF_INET : !strcmp(word[1], "TCP6") ? AF_INET6 : AF_UNSPEC;
    return n == 6 && family != AF_UNSPEC && read_ip(word[2], family, &out->src) &&
           read_ip(word[3], family, &out->dst) && read_port(word[4], &out->src) && read_port(word[5], &out->dst);
}

static int read_v1(struct slice in, struct proxyhdr *out) {
    struct slice head = slice_head(in, V1_MAX);
    const uint8_t *end = memmem(head.p, head.n, "\r\n", 2);
    if (!end) return in.n < V1_MAX ? 0 : ERR_DAMAGED;
    char line[V1_MAX + 1];
    size_t n = (size_t)(end - in.p);
    memcpy(line, in.p, n);
    line[n] = 0;
    struct proxyhdr h = {0};
    if (strlen(line) != n || !read_line(line, &h)) return ERR_DAMAGED;
    *out = h;
    return (int)n + 2;
}

static void read_addresses(struct reader *r, uint8_t ip_len, struct proxyhdr *h) {
    struct slice src = rd_take(r, ip_len), dst = rd_take(r, ip_len);
    h->src.port = rd_be16(r);
    h->dst.port = rd_be16(r);
    if (!rd_ok(r)) return;
    h->src.len = h->dst.len = ip_len;
    memcpy(h->src.ip, src.p, ip_len);
    memcpy(h->dst.ip, dst.p, ip_len);
}

static int read_v2(struct slice in, struct proxyhdr *out) {
    if (in.n < V2_HEAD) return 0;
    uint8_t command = in.p[12], family = in.p[13];
    size_t len = load_be16(in.p + 14);
    if (command >> 4 != 2 || (command & 15) > 1 || len > PROXYHDR_MAX - V2_HEAD) return ERR_DAMAGED;
    if (in.n < V2_HEAD + len) return 0;
    struct reader r = rd_init((struct slice){in.p + V2_HEAD, len}, in.p);
    struct proxyhdr h = {.local = (command & 15) == 0};
    if (!h.local && family == 0x11) read_addresses(&r, 4, &h);
    else if (!h.local && family == 0x21) read_addresses(&r, 16, &h);
    else h.local = true; /* 2.2: other families are taken, their addresses ignored */
    if (!rd_ok(&r)) return ERR_DAMAGED;
    *out = h;
    return (int)(V2_HEAD + len);
}

int proxyhdr_read(struct slice in, struct proxyhdr *out) {
    if (!in.p || in.n == 0) return 0;
    size_t n = in.n < sizeof v2_magic ? in.n : sizeof v2_magic;
    if (!memcmp(in.p, v2_magic, n)) return read_v2(in, out);
    if (!memcmp(in.p, "PROXY ", in.n < 6 ? in.n : 6)) return read_v1(in, out);
    return ERR_DAMAGED;
}

static size_t write_v1(uint8_t *buf, const struct sock_peer *src, const struct sock_peer *dst) {
    struct writer w = wr_fixed(buf, PROXYHDR_OUT_MAX);
    if (src->len && src->len == dst->len) {
        wr_s(&w, src->len == 4 ? "PROXY TCP4 " : "PROXY TCP6 ");
        sock_peer_print(src, &w);
        wr_c(&w, ' ');
        sock_peer_print(dst, &w);
        wr_f(&w, " %u %u\r\n", src->port, dst->port);
    } else {
        wr_s(&w, "PROXY UNKNOWN\r\n");
    }
    return wr_len(&w);
}

static size_t write_v2(uint8_t *buf, const struct sock_peer *src, const struct sock_peer *dst) {
    uint8_t ip = src->len == dst->len ? src->len : 0, *p = buf;
    uint16_t len = ip ? (uint16_t)(2 * ip + 4) : 0, ports[2] = {htons(src->port), htons(dst->port)};
    memcpy(p, v2_magic, 12);
    p[12] = ip ? 0x21 : 0x20;
    p[13] = ip == 4 ? 0x11 : ip == 16 ? 0x21 : 0;
    p[14] = (uint8_t)(len >> 8), p[15] = (uint8_t)len;
    if (!ip) return V2_HEAD;
    memcpy(p + 16, src->ip, ip);
    memcpy(p + 16 + ip, dst->ip, ip);
    memcpy(p + 16 + 2 * ip, ports, 4);
    return V2_HEAD + len;
}

size_t proxyhdr_write(uint8_t *buf, int version, const struct sock_peer *src, const struct sock_peer *dst) {
    return version == 1 ? write_v1(buf, src, dst) : write_v2(buf, src, dst);
}
