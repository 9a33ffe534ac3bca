/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of DNS. */
#include "craft/build.h"
#include "proto/dns/dns_write.h"

#include <arpa/inet.h>
#include <stdio.h>

/* data_put writes what a record says: an address, a name or a text, by its type; other types take bytes as they are. */
static bool data_put(struct writer *w, int64_t type, struct slice s) {
    char text[64];
    uint8_t addr[16];
    snprintf(text, sizeof text, "%.*s", (int)slice_head(s, sizeof text - 1).n, s.p ? (const char *)s.p : "");
    switch (type) {
    case 1:
        if (inet_pton(AF_INET, s.n ? text : "0.0.0.0", addr) != 1) return false;
        return wr_bytes(w, addr, 4), true;
    case 28:
        if (inet_pton(AF_INET6, s.n ? text : "::", addr) != 1) return false;
        return wr_bytes(w, addr, 16), true;
    case 2:
    case 5:
    case 12:
        return dns_write_name(
            w, slice_eq(slice_head(slice_tail(s, s.n ? s.n - 1 : 0), 1), SLICE(".")) ? slice_head(s, s.n - 1) : s);
    case 16:
        if (s.n > 255) return false;
        put_be8(w, (int64_t)s.n);
        return wr_slice(w, s), true;
    default: return wr_slice(w, s), true;
    }
}

static struct slice without_root(struct slice name) {
    return name.n > 1 && name.p[name.n - 1] == '.' ? slice_head(name, name.n - 1) : name;
}

static int question_put(struct building *b, struct writer *w, const struct node *n) {
    struct value v[FIELDS_PER_LAYER];
    struct slice name = n->text;
    value_defaults(layer_of(LAYER_QUESTION), v);
    if (n->kind == NODE_LAYER) {
        int rc = values_of(layer_of(LAYER_QUESTION), n, v, b->why);
        if (rc) return rc;
        name = v[QUESTION_NAME].set ? v[QUESTION_NAME].text : SLICE("www.example.com");
    }
    if (!dns_write_question(w, without_root(name), v[QUESTION_TYPE].u, v[QUESTION_CLASS].u))
        return build_complain(b, n, "this name is no domain name");
    return OK;
}

static int record_put(struct building *b, struct writer *w, const struct node *n) {
    struct value v[FIELDS_PER_LAYER];
    uint8_t bytes[512];
    struct writer data = wr_fixed(bytes, sizeof bytes);
    int rc = values_of(layer_of(LAYER_RECORD), n, v, b->why);
    if (rc) return rc;
    if (!data_put(&data, v[RECORD_TYPE].u, v[RECORD_RDATA].text) || data.err)
        return build_complain(b, n, "rdata does not fit the record's type");
    struct dns_write_record r = {without_root(v[RECORD_NAME].text),
                                 v[RECORD_TYPE].u,
                                 v[RECORD_CLASS].u,
                                 v[RECORD_TTL].u,
                                 v[RECORD_RDLEN].u,
                                 wr_done(&data)};
    return dns_write_record(w, &r) ? OK : build_complain(b, n, "this name is no domain name");
}

/* section_put writes questions (section 0) or records and counts them. */
static int section_put(struct building *b, struct writer *w, int section, const struct node *n, int64_t *count) {
    const struct node *i = n->kind == NODE_LIST ? n->first : n;
    int kind = section ? LAYER_RECORD : LAYER_QUESTION;
    for (; i; i = n->kind == NODE_LIST ? i->next : NULL, ++*count) {
        int id = i->kind == NODE_LAYER ? layer_find(i->text) : -1;
        bool other = section && id >= 0 && layer_of(id)->group == GROUP_RR;
        bool fits = i->kind == NODE_LAYER ? id == kind || other : !section && i->kind == NODE_TEXT;
        if (!fits)
            return build_complain(b, i,
                                  section ? "DNSRR(...) belongs here" : "DNSQR(...) or a name in quotes belongs here");
        int rc = other ? build_record(b, w, i, GROUP_RR) : section ? record_put(b, w, i) : question_put(b, w, i);
        if (rc) return rc;
    }
    return OK;
}

int build_dns(struct building *b) {
    static const uint8_t shift[] = {[DNS_QR] = 15, [DNS_OPCODE] = 11, [DNS_AA] = 10, [DNS_TC] = 9, [DNS_RD] = 8,
                                    [DNS_RA] = 7,  [DNS_Z] = 6,       [DNS_AD] = 5,  [DNS_CD] = 4, [DNS_RCODE] = 0};
    const struct value *v = b->values[b->at];
    struct dns_write h = {.id = v[DNS_ID].u};
    struct writer body = wr_grow();
    int rc = OK;
    for (int i = DNS_QR; i <= DNS_RCODE; i++) h.flags |= v[i].u << shift[i];
    for (int i = 0; i < 4 && !rc; i++) {
        const struct value *section = &v[DNS_SECTIONS + i];
        if (section->set && section->node) rc = section_put(b, &body, i, section->node, &h.counts[i]);
        if (v[DNS_COUNTS + i].set) h.counts[i] = v[DNS_COUNTS + i].u;
    }
    if (!rc && body.err) rc = body.err;
    if (b->at && b->layers[b->at - 1] == LAYER_TCP) /* RFC 1035 4.2.2: two bytes of length before it */
        put_be16(b->w, v[DNS_LENGTH].set ? v[DNS_LENGTH].u : (int64_t)(12 + wr_len(&body) + b->payload.n));
    dns_write_header(b->w, &h);
    wr_slice(b->w, wr_done(&body));
    wr_free(&body);
    return rc;
}
