/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_KEYS_H
#define WEIR_APP_KEYS_H

#include "app/opt.h"
#include "io/capture/capfile.h"
#include "io/keyfile.h"
#include "proto/tls/tls_keys.h"

/* Keys for decryption, as the command line names them.
 *
 *     struct my_opts { struct keys_opts keys; struct opt_list prefs; };
 *     static const struct opt_def defs[] = { ..., KEYS_OPTIONS(struct my_opts, keys) };
 *     rc = keys_open(&keys, &my_command, &o.keys, &o.prefs, live);
 *     decode.tls_keys = &keys.store;
 *     keys_watch_file(&keys, path, capfile);
 */

struct keys_opts {
    struct opt_list logs, files, psk;
};

#define KEYS_OPTIONS(type, member)                                                                                     \
    {0,        "keylog",                                                                                               \
     "FILE",   "decrypt TLS with the secrets of a key log (SSLKEYLOGFILE)",                                            \
     OPT_LIST, offsetof(type, member.logs)},                                                                           \
        {0,                                                                                                            \
         "key",                                                                                                        \
         "FILE[:PASS]",                                                                                                \
         "decrypt TLS with an RSA private key: PEM, DER or PKCS#12",                                                   \
         OPT_LIST,                                                                                                     \
         offsetof(type, member.files)},                                                                                \
    {                                                                                                                  \
        0, "psk", "[IDENTITY=]HEX", "decrypt TLS with a pre-shared key", OPT_LIST, offsetof(type, member.psk)          \
    }

enum { KEYS_LOGS_MAX = 16 };

struct keys {
    struct tls_keys store;
    struct keylog *log[KEYS_LOGS_MAX];
    size_t n_logs;
    bool live;        /* logs are followed */
    int64_t patience; /* ms to wait for a secret that is about to be written */
    const char *path; /* capture to be searched for secrets, once one is missing; NULL: none, or done */
};

/* keys_open takes the keys of the options: OPT_GO, or an exit status after a message. `prefs` are the -o of tshark.
 * Either may be NULL. */
int keys_open(struct keys *k, const struct opt_command *cmd, const struct keys_opts *o, const struct opt_list *prefs,
              bool live);
/* keys_watch_file takes the secrets that the capture file c, opened from path, brings, also those behind their packets.
 */
void keys_watch_file(struct keys *k, const char *path, struct capfile *c);
/* keys_pref tells whether a preference is one that keys_open takes. */
bool keys_pref(const char *pref);
/* keys_close comes after what decodes with them is gone. */
void keys_close(struct keys *k);

#endif
