/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SHIM_REPORT_H
#define WEIR_SHIM_REPORT_H

#include <stdint.h>

/* What the library that `weir run` preloads tells it: records appended to the file named by SHIM_REPORT_ENV, each with
 * one write(2), so that those of several processes do not mix. */

#define SHIM_REPORT_ENV "WEIR_RUN_REPORT"
/* SHIM_KEYS_ENV names the file that keys of TLS sessions are appended to, in the form of SSLKEYLOGFILE. */
#define SHIM_KEYS_ENV "WEIR_RUN_KEYS"

enum shim_kind {
    SHIM_LOADED = 1, /* a program has the library in it */
    SHIM_SOCKET,     /* a socket has these ends */
    SHIM_LOOKUP,     /* a name is about to be looked up */
    SHIM_TLS,        /* a TLS library was joined: its keys will come */
};

struct shim_end {
    uint8_t addr[16];
    uint16_t port; /* host order; 0: none */
    uint8_t len;   /* of addr: 4, 16; 0: none */
    uint8_t unused;
};

struct shim_report {
    uint8_t kind;  /* enum shim_kind */
    uint8_t proto; /* IP protocol number */
    uint16_t size; /* bytes of the record, as a check */
    uint32_t pid;
    struct shim_end local, peer;
    char name[216]; /* SHIM_LOOKUP, SHIM_TLS: with a NUL */
};

#endif
