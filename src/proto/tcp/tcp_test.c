/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the words for a segment. */
#include "base/check.h"
#include "base/err.h"
#include "field/print.h"
#include "proto/tcp/tcp.h"

/* segment_make adds the fields of a segment to an empty list. */
static void segment_make(struct fvec *v, uint64_t flags, uint64_t seq, uint64_t ack) {
    fvec_start(v, (struct slice){0});
    fv_u(v, FID_TCP_SRCPORT, 0, 2, 1883);
    fv_u(v, FID_TCP_DSTPORT, 2, 2, 65535);
    fv_u(v, FID_TCP_LEN, 0, 0, 1400);
    fv_u(v, FID_TCP_SEQ, 4, 4, seq);
    fv_u(v, FID_TCP_ACK, 8, 4, ack);
    fv_u(v, FID_TCP_FLAGS, 12, 2, flags);
    fv_u(v, FID_TCP_WINDOW_SIZE, 14, 2, 1000000);
    fv_u(v, FID_TCP_URGENT, 18, 2, 7);
}

static bool says(const struct fvec *v, const char *text) {
    char room[512];
    struct writer w = wr_fixed(room, sizeof room);
    tcp_info(&w, v, 0, v->n);
    return !w.err && slice_eq(wr_done(&w), slice_str(text));
}

/* fits_anywhere tells whether what is written is the beginning of the whole text, however little room there is. */
static bool fits_anywhere(const struct fvec *v, const char *text) {
    for (size_t n = 0; n < strlen(text); n++) {
        char room[512];
        struct writer w = wr_fixed(room, n);
        tcp_info(&w, v, 0, v->n);
        if (w.err != ERR_LIMIT || !slice_eq(wr_done(&w), slice_of(text, n))) return false;
    }
    return true;
}

static bool length_fits(uint32_t address) {
    char room[16];
    struct writer w = wr_fixed(room, sizeof room);
    print_ipv4(&w, address);
    return !w.err && wr_len(&w) == print_ipv4_length(address);
}

int main(void) {
    static const char plain[] = "1883 → 65535 [PSH, ACK] Seq=999999 Ack=1000000 Win=1000000 Len=1400";
    static const char most[] = "1883 → 65535 [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE, Reserved] Seq=4294967295 "
                               "Ack=4294967295 Win=1000000 Urg=7 Len=1400";
    struct want want;
    struct fvec v;
    want_all(&want);
    fvec_make(&v, &want);
    segment_make(&v, TH_PUSH | TH_ACK, 999999, 1000000);
    CHECK(says(&v, plain) && fits_anywhere(&v, plain));
    SAYS("a segment, as far as there is room for its words");
    segment_make(&v, 0xfff, UINT32_MAX, UINT32_MAX);
    CHECK(says(&v, most) && fits_anywhere(&v, most));
    SAYS("a segment with all flags and the greatest numbers");
    segment_make(&v, 0, 1, 0);
    CHECK(says(&v, "1883 → 65535 [<None>] Seq=1 Win=1000000 Len=1400"));
    SAYS("a segment without flags");
    fvec_free(&v);
    CHECK(length_fits(0) && length_fits(0x0a000001) && length_fits(UINT32_MAX) && length_fits(0xc0a80a63));
    SAYS("the length of an address");
    return 0;
}
