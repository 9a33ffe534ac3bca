/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_NFT_H
#define WEIR_IO_NFT_H

#include "base/err.h"
#include "base/writer.h"
#include <stdint.h>
#include <sys/types.h>

/* nft_hold keeps a temporary rule in the kernel: the system's own TCP resets of one connection are dropped. The rule
 * belongs to an `nft` process that waits at our pipe: when this program ends, however it ends, the pipe closes, nft
 * goes, and the kernel removes what it owned. */
struct nft_hold {
    pid_t pid; /* 0: none */
    int in, out;
};

/* nft_hold_resets sets the rule for resets from src:sport to dst:dport (addresses of n bytes), save packets with
 * `mark`; ERR_NOTFOUND where there is no nft, ERR_DENIED or ERR_IO with a line in why. */
int nft_hold_resets(struct nft_hold *h, const uint8_t *src, const uint8_t *dst, size_t n, uint16_t sport,
                    uint16_t dport, uint32_t mark, struct writer *why) MUST_USE;
/* nft_release removes the rule and waits until it is gone. */
void nft_release(struct nft_hold *h);

#endif
