/* SPDX-License-Identifier: Apache-2.0 */
/* The capture file reader: any bytes are read to their end or their damage. */
#include "io/capture/capfile.h"

static void on_secrets(void *to, uint32_t type, struct slice bytes) {
    uint64_t *sum = to;
    *sum += type;
    for (size_t i = 0; i < bytes.n; i++) *sum += bytes.p[i];
}

static void on_block(void *to, const struct capfile_block *b) {
    uint64_t *sum = to;
    *sum += b->type + b->body.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[600];
    struct writer why = wr_fixed(text, sizeof text);
    struct capfile *c;
    struct packet p;
    uint64_t sum = 0;
    if (!size || capfile_open_bytes(&c, slice_of(data + 1, size - 1), &why) < 0) return 0;
    /* the first byte chooses what is listened to: blocks are held or passed over */
    if (data[0] & 1) capfile_on_secrets(c, on_secrets, &sum);
    if (data[0] & 2) capfile_on_block(c, on_block, &sum);
    while (capfile_next(c, &p) == OK) {
        for (size_t i = 0; i < p.data.n; i++) sum += p.data.p[i];
        if (p.comments[3].n) sum += p.comments[3].p[p.comments[3].n - 1];
    }
    volatile uint64_t keep = sum + (uint8_t)capfile_why(c)[0];
    (void)keep;
    capfile_close(c);
    return 0;
}
