/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dns/dns_write.h"

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 255 };

void dns_write_header(struct writer *w, const struct dns_write *h) {
    put_be16(w, h->id);
    put_be16(w, h->flags);
    for (int i = 0; i < 4; i++) put_be16(w, h->counts[i]);
}

static struct slice label_take(struct slice *name) {
    size_t n = 0;
    while (n < name->n && name->p[n] != '.') n++;
    struct slice label = slice_head(*name, n);
    *name = slice_tail(*name, n + 1);
    return label;
}

static bool name_fits(struct slice name) {
    size_t size = 1;
    while (name.n) {
        struct slice label = label_take(&name);
        if (!label.n || label.n > LABEL_MAX) return false;
        size += 1 + label.n;
    }
    return size <= NAME_MAX_BYTES;
}

bool dns_write_name(struct writer *w, struct slice name) {
    if (slice_eq(name, SLICE("."))) name.n = 0;
    if (!name_fits(name)) return false;
    while (name.n) {
        struct slice label = label_take(&name);
        put_be8(w, (int64_t)label.n);
        wr_slice(w, label);
    }
    put_be8(w, 0);
    return true;
}

bool dns_write_question(struct writer *w, struct slice name, int64_t type, int64_t class) {
    if (!dns_write_name(w, name)) return false;
    put_be16(w, type);
    put_be16(w, class);
    return true;
}

bool dns_write_record(struct writer *w, const struct dns_write_record *r) {
    if (!dns_write_question(w, r->name, r->type, r->class)) return false;
    put_be32(w, r->ttl);
    put_be16(w, r->rdlen == WRITE_AUTO ? (int64_t)r->data.n : r->rdlen);
    wr_slice(w, r->data);
    return true;
}
