/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the reader of capture files. The input is a file in memory. */
#include "fuzz.h"
#include "io/capfile.h"

/* The most packets read of one input: a compressed one can hold very many, and the fuzzer wants short runs. */
enum { PACKETS_MOST = 20000 };

static uint64_t touched; /* keeps the reads of touch() */

/* touch reads every byte, so that a sanitizer sees a view of bytes that are not there. */
static void touch(struct slice s) {
    for (size_t i = 0; i < s.n; i++) touched += s.p[i];
}

static void on_secrets(void *to, uint32_t type, struct slice bytes) {
    (void)to, (void)type;
    touch(bytes);
}

static void on_block(void *to, const struct capfile_block *b) {
    (void)to;
    touch(b->body);
}

static void packet_touch(const struct packet *p) {
    FUZZ_CHECK(p->iface != NULL);
    FUZZ_CHECK(p->data.n <= CAPFILE_PACKET_MAX);
    FUZZ_CHECK(!p->has_ts || p->iface->ticks != 0);
    touch(p->data);
    touch(p->iface->name);
    touch(p->iface->description);
    touch(p->iface->filter);
    for (size_t i = 0; i < sizeof p->comments / sizeof *p->comments; i++) touch(p->comments[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[256];
    struct writer why = wr_fixed(text, sizeof text);
    struct capfile *c;
    struct packet p;
    uint64_t before = 0;
    int rc = OK;
    if (capfile_open_bytes(&c, slice_of(data, size), &why) != OK) {
        FUZZ_CHECK(wr_len(&why) > 0);
        return 0;
    }
    capfile_on_secrets(c, on_secrets, NULL);
    capfile_on_block(c, on_block, NULL);
    for (int i = 0; i < PACKETS_MOST && (rc = capfile_next(c, &p)) == OK; i++) {
        FUZZ_CHECK(p.number > before);
        before = p.number;
        packet_touch(&p);
    }
    if (rc != OK) {
        FUZZ_CHECK(rc == ERR_END || capfile_why(c)[0] != '\0');
        FUZZ_CHECK(capfile_next(c, &p) == rc); /* an error stays */
    }
    capfile_close(c);
    return 0;
}
