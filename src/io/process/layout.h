/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_LAYOUT_H
#define WEIR_IO_LAYOUT_H

#include "base/err.h"
#include "base/writer.h"
#include <sys/types.h>

/* Where an OpenSSL library keeps the secrets of a connection. The library does not say, and it differs from version to
 * version; so it is learnt from the very library file a process has loaded (layout_learn). */

enum layout_value {
    LAYOUT_RANDOM,    /* the client's random */
    LAYOUT_HANDSHAKE, /* TLS 1.3: the handshake secret, and */
    LAYOUT_HASH,      /* the hash of ClientHello and ServerHello, which give the handshake traffic secrets */
    LAYOUT_CLIENT,    /* TLS 1.3: the application traffic secrets */
    LAYOUT_SERVER,
    LAYOUT_MASTER,  /* TLS 1.2 and below: the master secret */
    LAYOUT_VERSION, /* of the protocol */
    LAYOUT_INIT,    /* not 0 while the handshake is under way */
    LAYOUT_VALUES
};

/* layout_place is how a value is reached from the address of the connection: at + SSL, or at + what the pointer at
 * via + SSL points to. Both are below LAYOUT_REACH. */
enum { LAYOUT_REACH = 65536, LAYOUT_DIRECT = -1 };
struct layout_place {
    int32_t via; /* LAYOUT_DIRECT: none */
    int32_t at;
};
struct layout {
    struct layout_place place[LAYOUT_VALUES];
};

/* layout_hit is what was read at these places, in the order the kernel's program stores it (io/process/uprobe.c). */
enum { LAYOUT_RANDOM_BYTES = 32, LAYOUT_SECRET_BYTES = 48 };
struct layout_hit {
    uint32_t pid, last; /* last: the connection is about to be given back */
    uint32_t version, init;
    uint8_t random[LAYOUT_RANDOM_BYTES];
    uint8_t handshake[LAYOUT_SECRET_BYTES], hash[LAYOUT_SECRET_BYTES], client[LAYOUT_SECRET_BYTES],
        server[LAYOUT_SECRET_BYTES], master[LAYOUT_SECRET_BYTES];
};

/* layout_bytes tells how many bytes a value has, and layout_offset where in a layout_hit it stands. */
size_t layout_bytes(enum layout_value v);
size_t layout_offset(enum layout_value v);

/* layout_lines writes the lines of a key log for what a hit holds; false where it holds no secret. */
bool layout_lines(const struct layout_hit *hit, struct writer *w);

/* layout_learn finds the places in a library: descriptors of its libssl and of the libcrypto that belongs to it (-1:
 * none). The library is loaded and tried in a process of its own with the rights of uid and gid, never root's.
 * ERR_UNSUPPORTED with a reason in why where it cannot be loaded or is not like OpenSSL. Takes a tenth of a second,
 * four seconds where the library hangs. */
int layout_learn(struct layout *out, int ssl, int crypto, uid_t uid, gid_t gid, struct writer *why) MUST_USE;

#endif
