/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_SOURCE_H
#define WEIR_IO_SOURCE_H

#include "base/err.h"
#include "base/writer.h"
#include <sys/types.h>

/* Bytes read from a compressed file in one go. */
#define SOURCE_IN_SIZE (64u << 10)
/* Largest zstd window accepted (2^27, 128 MiB: what `zstd --long` makes); it bounds the decoder's memory. */
#define SOURCE_ZSTD_WINDOW_LOG 27

enum source_kind { SOURCE_PLAIN, SOURCE_GZIP, SOURCE_ZSTD };

/* source is a stream of bytes from a file, stdin or memory, decompressed where its first bytes say so. */
struct source {
    int fd; /* -1: memory */
    struct slice mem;
    enum source_kind kind;
    uint8_t *in; /* bytes read and not yet handed on or decompressed: in[at..end) */
    size_t at, end;
    void *z;       /* decompressor */
    bool open_end; /* a compressed member is begun and not complete */
    bool z_full;   /* the decompressor may hold more output */
    uint64_t done, size;
    int err; /* sticky; reported once all bytes before it are handed out */
    char why[120];
};

/* source_open opens path ("-" is stdin); on failure the reason without the path is in s->why. */
int source_open(struct source *s, const char *path) MUST_USE;
/* source_open_bytes reads from memory that must live as long as the source. */
int source_open_bytes(struct source *s, struct slice bytes) MUST_USE;
/* source_read puts up to n bytes at out: the number of them, 0 at the end, or a negative code (reason in s->why). */
ssize_t source_read(struct source *s, uint8_t *out, size_t n) MUST_USE;
/* source_seek goes on at a byte of a plain file; ERR_UNSUPPORTED where the source is none. What was an error is none.
 */
int source_seek(struct source *s, uint64_t at) MUST_USE;
void source_close(struct source *s);

#endif
