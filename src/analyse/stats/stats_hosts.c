/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stats/stats_hosts.h"

#include "base/err.h"

#include <stdlib.h>
#include <strings.h>

/* "ip" is IPv4; without a word it is both. */
static int hosts_start(void *state, const struct stats_args *args, struct writer *why) {
    struct hosts *h = state;
    const char *text = args->text && *args->text ? args->text : "ipv4,ipv6";
    h->secret = hash_key_random();
    h->names = keytab_make(sizeof(struct talk_addr), sizeof(struct host_named), HOSTS_MAX_NAMED);
    while (*text) {
        struct slice word = slice_of(text, strcspn(text, ","));
        bool four = slice_eq(word, SLICE("ip")) || slice_eq(word, SLICE("ipv4")), six = slice_eq(word, SLICE("ipv6"));
        if (!four && !six) {
            wr_s(why, "behind hosts come ipv4, ipv6 or both");
            return ERR_USAGE;
        }
        h->four |= four;
        h->six |= six;
        text += word.n + (text[word.n] == ',');
    }
    return OK;
}

static void hosts_want(const void *state, struct want *w) {
    const struct hosts *h = state;
    want_add(w, FID_DNS_RESP_NAME);
    if (h->four) want_add(w, FID_DNS_A);
    if (h->six) want_add(w, FID_DNS_AAAA);
}

/* name_note takes a name; one that differs by case alone is the same. */
static void name_note(struct hosts *h, const struct talk_addr *addr, struct slice text) {
    if (!text.n || !addr->len || !(addr->len == 4 ? h->four : h->six)) return;
    struct host_named *named = keytab_get(&h->names, addr);
    if (!named) return;
    bool same = slice_alike(slice_of(named->name.text, named->name.n), text);
    if (text.n > sizeof named->name.text || !same) name_set(&named->name, h->secret, text);
}

void hosts_block(struct hosts *h, struct slice body, bool big_endian) {
    enum { NAMES_END, NAMES_IPV4, NAMES_IPV6, HEAD = 4 };
    while (body.n >= HEAD) {
        uint16_t type = big_endian ? load_be16(body.p) : load_le16(body.p);
        uint16_t len = big_endian ? load_be16(body.p + 2) : load_le16(body.p + 2);
        struct slice record = slice_head(slice_tail(body, HEAD), len);
        uint8_t size = type == NAMES_IPV4 ? 4 : type == NAMES_IPV6 ? 16 : 0;
        if (type == NAMES_END || record.n < len) return;
        struct talk_addr addr = {.len = size};
        if (size && record.n > size) memcpy(addr.bytes, record.p, size);
        struct slice left = size ? slice_tail(record, size) : (struct slice){0};
        while (left.n) {
            const uint8_t *end = memchr(left.p, 0, left.n);
            struct slice name = slice_head(left, end ? (size_t)(end - left.p) : left.n);
            name_note(h, &addr, name);
            left = slice_tail(left, name.n + 1);
        }
        body = slice_tail(body, HEAD + (((size_t)len + 3) & ~(size_t)3));
    }
}

static void hosts_packet(void *state, const struct decode *d, int64_t begin) {
    struct hosts *h = state;
    struct slice owner = {0};
    (void)begin;
    for (uint32_t i = 0; i < d->out->n; i++) { /* an answer that an error message quotes was one as well */
        const struct fval *f = &d->out->v[i];
        struct talk_addr addr;
        if (f->id == FID_DNS_RESP_NAME) owner = f->s;
        if (f->id != FID_DNS_A && f->id != FID_DNS_AAAA) continue;
        memset(&addr, 0, sizeof addr);
        talk_addr_set(&addr, f, f->id == FID_DNS_A ? 4 : 16);
        name_note(h, &addr, owner);
    }
}

static int by_address(const void *a, const void *b) {
    const struct talk_addr *x = &((const struct host_named *)a)->addr, *y = &((const struct host_named *)b)->addr;
    return x->len != y->len ? x->len - y->len : memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

void hosts_sorted(struct hosts *h) {
    if (h->names.n) qsort(h->names.entries, h->names.n, h->names.entry_size, by_address);
}

static void hosts_end(void *state) { keytab_free(&((struct hosts *)state)->names); }

const struct stats_ops stats_hosts = {.name = "hosts",
                                      .state_size = sizeof(struct hosts),
                                      .start = hosts_start,
                                      .want = hosts_want,
                                      .packet = hosts_packet,
                                      .end = hosts_end};

static int dhcp_start(void *state, const struct stats_args *args, struct writer *why) {
    (void)state, (void)args, (void)why;
    return OK;
}

static void dhcp_want(const void *state, struct want *w) {
    (void)state;
    want_add(w, FID_DHCP_OPTION_DHCP);
}

static void dhcp_packet(void *state, const struct decode *d, int64_t begin) {
    struct dhcp_types *t = state;
    (void)begin;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++)
        if (d->out->v[i].id == FID_DHCP_OPTION_DHCP && d->out->v[i].u < DHCP_TYPES) t->packets[d->out->v[i].u]++;
}

static void dhcp_end(void *state) { (void)state; }

const struct stats_ops stats_dhcp = {.name = "dhcp",
                                     .state_size = sizeof(struct dhcp_types),
                                     .start = dhcp_start,
                                     .want = dhcp_want,
                                     .packet = dhcp_packet,
                                     .end = dhcp_end};
