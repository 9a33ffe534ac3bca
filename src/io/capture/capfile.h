/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_CAPFILE_H
#define WEIR_IO_CAPFILE_H

#include "base/err.h"
#include "base/packet.h"
#include "base/writer.h"

/* Largest packet accepted, in bytes. */
#define CAPFILE_PACKET_MAX 262144u
/* Largest pcapng block that is held in memory; larger ones are passed over where their content is not needed. */
#define CAPFILE_BLOCK_MAX (16u << 20)
/* Memory for the descriptions of all interfaces of a file. */
#define CAPFILE_INTERFACES_MAX (8u << 20)

struct capfile; /* a capture file or stream being read: pcap or pcapng, plain or in gzip or zstd */

/* capfile_block is a pcapng block as it stands in the file, for who copies files. */
struct capfile_block {
    uint32_t type;
    uint32_t section; /* from 1 */
    bool big_endian;
    struct slice body; /* without type, lengths and trailer */
};

/* capfile_open opens path ("-" is stdin). On failure it returns a negative code and writes a one-line reason to why. */
int capfile_open(struct capfile **out, const char *path, struct writer *why) MUST_USE;
/* capfile_open_bytes reads a capture from memory, which must live until capfile_close. */
int capfile_open_bytes(struct capfile **out, struct slice bytes, struct writer *why) MUST_USE;
/* capfile_next gives the next packet, whose pointers live until the next call: OK, ERR_END, or the first error (which
 * is given again by every later call; capfile_why has the line). */
int capfile_next(struct capfile *c, struct packet *pkt) MUST_USE;
/* capfile_ahead gives the bytes of a packet after the present one, as far as they stand in the buffer, and of one later
 * at each call; at the end of the buffer false. It is a glance: nothing is read from the file for it, nothing checked.
 */
bool capfile_ahead(struct capfile *c, struct slice *frame);
/* capfile_resume lets capfile_next try again behind the last whole record, after ERR_END or ERR_CUT: the file may have
 * grown. capfile_seek goes on at the record that begins at byte `at`, whose packet's number is `number`; the interfaces
 * known stay known. Both: ERR_UNSUPPORTED where the input is no plain file. */
int capfile_resume(struct capfile *c) MUST_USE;
int capfile_seek(struct capfile *c, uint64_t at, uint64_t number) MUST_USE;
/* capfile_why returns the line for the last error: file, byte offset, cause; it lives as long as c. */
const char *capfile_why(const struct capfile *c);
/* capfile_done returns the bytes of the file taken in so far, capfile_size all of them (0 where unknown), for progress.
 */
uint64_t capfile_done(const struct capfile *c);
uint64_t capfile_size(const struct capfile *c);
/* capfile_on_secrets sets who is called with every block of decryption secrets as it is met (type, bytes); NULL:
 * nobody. */
void capfile_on_secrets(struct capfile *c, void (*fn)(void *to, uint32_t type, struct slice bytes), void *to);
/* capfile_secrets hands all blocks of decryption secrets of the file at path to fn, and nothing else is read of it.
 * What is no pcapng file, or is damaged, gives what it has. */
void capfile_secrets(const char *path, void (*fn)(void *to, uint32_t type, struct slice bytes), void *to);
/* capfile_on_block sets who is called with every pcapng block that is no packet; larger ones than CAPFILE_BLOCK_MAX are
 * not handed out. */
void capfile_on_block(struct capfile *c, void (*fn)(void *to, const struct capfile_block *b), void *to);
/* capfile_list_blocks makes capfile_next give the custom blocks of a pcapng file too, as packets with is_block. */
void capfile_list_blocks(struct capfile *c);
/* capfile_packet_block gives the present packet's block as it stands in the file, until the next packet is read; false
 * where there is none (classic pcap). */
bool capfile_packet_block(const struct capfile *c, struct capfile_block *b);
/* capfile_is_pcapng tells whether the file is pcapng, not classic pcap. */
bool capfile_is_pcapng(const struct capfile *c);
void capfile_close(struct capfile *c);

#endif
