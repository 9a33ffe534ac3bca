/* SPDX-License-Identifier: Apache-2.0 */
/* Names of NetBIOS in messages (RFC 1001 14.1, RFC 1002 4.1): sixteen bytes, each as two letters from A to P, in the
 * form of a domain name. A scope behind the name is passed over. */
#include "proto/netbios/netbios.h"

enum { ENCODED = NETBIOS_NAME * 2, POINTER = 0xc0, LABELS_MAX = 128 };

void netbios_name_text(struct writer *w, const uint8_t name[NETBIOS_NAME]) {
    size_t n = NETBIOS_NAME - 1;
    while (n && name[n - 1] == ' ') n--;
    for (size_t i = 0; i < n; i++) {
        if (name[i] >= ' ' && name[i] < 0x7f) wr_c(w, (char)name[i]);
        else wr_f(w, "<%02x>", name[i]);
    }
    wr_f(w, "<%02x>", name[NETBIOS_NAME - 1]);
}

/* decode reads the pairs of letters. */
static bool decode(const uint8_t *in, uint8_t out[NETBIOS_NAME]) {
    for (size_t i = 0; i < NETBIOS_NAME; i++) {
        uint8_t high = (uint8_t)(in[2 * i] - 'A'), low = (uint8_t)(in[2 * i + 1] - 'A');
        if (high > 15 || low > 15) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* labels_skip moves behind a name; it returns the place in the message where its first label stands. */
static size_t labels_skip(struct reader *r, struct slice whole) {
    size_t first = (size_t)(r->p - whole.p);
    for (unsigned i = 0; i < LABELS_MAX && rd_ok(r); i++) {
        uint8_t n = rd_u8(r);
        if (n >= POINTER) {
            size_t to = (n & ~(size_t)POINTER) << 8 | rd_u8(r);
            return i ? first : to;
        }
        if (!n) return first;
        rd_skip(r, n);
    }
    rd_fail(r);
    return first;
}

void netbios_name_read(struct decode *d, struct reader *r, struct slice whole, struct slice *text, uint8_t *type) {
    uint8_t name[NETBIOS_NAME];
    struct slice label = slice_tail(whole, labels_skip(r, whole));
    *text = SLICE("Illegal NetBIOS name");
    *type = 0;
    if (!rd_ok(r) || label.n <= ENCODED || label.p[0] != ENCODED || !decode(label.p + 1, name)) return;
    *type = name[NETBIOS_NAME - 1];
    char *out = arena_get(d->arena, NETBIOS_TEXT_MAX);
    if (!out) return;
    struct writer w = wr_fixed(out, NETBIOS_TEXT_MAX);
    netbios_name_text(&w, name);
    *text = wr_done(&w);
}
