/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of weir edit share. */
#ifndef WEIR_APP_EDIT_H
#define WEIR_APP_EDIT_H

#include "io/capture/capfile.h"
#include "io/capture/capwrite.h"

enum {
    EDIT_INPUTS_MAX = 256,
    EDIT_SPLIT_MAX = 100000,    /* files of one --split */
    EDIT_OPEN_MAX = 256,        /* of them open at a time */
    EDIT_BLOCKS_MAX = 64 << 20, /* bytes of blocks that every file of a split gets */
};

/* edit_part is what stands in every output file beside packets: a block as it was, or an interface. */
struct edit_part {
    uint32_t type;
    bool big_endian;
    uint8_t *body;
    size_t n;
    const struct capture_interface *iface; /* stands for the block; lives as long as its input */
};

struct edit_file;

/* edit_out is where packets go: one file, or one for each conversation. */
struct edit_out {
    const char *path;
    enum capwrite_format format;
    bool copy; /* sections come as blocks */
    bool split;
    struct edit_part *parts;
    size_t n_parts, room, held;
    struct edit_file **files; /* by number */
    struct edit_file *opened[EDIT_OPEN_MAX];
    uint32_t n_files, open; /* open: of `opened` */
    uint64_t clock;
    uint32_t linktype; /* of classic pcap, once has_linktype */
    bool has_linktype;
    char why[512];
};

/* edit_out_begin opens the output; edit_out_end closes it: 0 or a negative code, why has the line. */
int edit_out_begin(struct edit_out *o) MUST_USE;
int edit_out_end(struct edit_out *o);
/* edit_out_block and edit_out_interface put something into every file, those to come too. */
int edit_out_block(struct edit_out *o, uint32_t type, bool big_endian, struct slice body) MUST_USE;
int edit_out_interface(struct edit_out *o, const struct capture_interface *i) MUST_USE;
/* edit_out_copy puts a block of the input, which no packet is, into every file. */
int edit_out_copy(struct edit_out *o, const struct capfile_block *b) MUST_USE;
/* edit_out_file returns the number of the split's file with this name ("tcp-3"), or a negative code. */
int64_t edit_out_file(struct edit_out *o, uint32_t known, const char *name);
/* edit_out_packet writes p to a file (0 where nothing is split). raw: its block as it stood, with the options; NULL:
 * there is none. `id` is the number of its interface in the output. */
int edit_out_packet(struct edit_out *o, uint32_t file, const struct packet *p, const struct capfile_block *raw,
                    uint32_t id) MUST_USE;

/* edit_secrets_read reads a key log, to be given to keyfile_release; on failure a negative code and a reason, without
 * the path, in why. edit_secrets_put puts it into every file as a block of secrets. */
int edit_secrets_read(struct slice *log, const char *path, struct writer *why) MUST_USE;
int edit_secrets_put(struct edit_out *o, struct slice log, bool big_endian) MUST_USE;

#endif
