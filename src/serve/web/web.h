/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_H
#define WEIR_SERVE_WEB_H

#include "serve/demand/opener.h"
#include "view/words.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* web_label is a device given a name in the configuration. */
struct web_label {
    const char *label, *device, *interface, *description; /* the last two may be NULL */
};

/* web_language is a language answers may be in. */
struct web_language {
    const char *name; /* "ja", "zh_CN" */
    struct words_catalogue words;
};

/* web_plan is what `weir serve` was asked for. */
struct web_plan {
    const char *listen; /* ADDRESS:PORT, or a port alone: on loopback */
    const char *dir;    /* folder of captures; it is there */
    const char *shown;  /* what people call it */
    char **files;       /* further captures, shown and never changed */
    size_t n_files;
    char **hosts; /* names the server is reached by, beside addresses and localhost */
    size_t n_hosts;
    const char *guard;      /* ADDRESS:PORT of a guard's admin page; NULL: none */
    uint64_t upload_max;    /* bytes of one upload */
    uint64_t quota;         /* bytes of all captures in the folder; 0: no limit */
    bool no_auth;           /* no token, wherever it listens */
    bool auth;              /* a token on loopback, too */
    const char *cert, *key; /* PEM files; NULL: no TLS */
    const char *interface;  /* captures on demand are taken from; NULL: any */
    int64_t expiry_ms;      /* of captures on demand and uploads; 0: they stay */
    const struct web_label *labels;
    size_t n_labels;
    const struct web_language *languages; /* beside English */
    size_t n_languages;
    struct opener_user user; /* whom to become when sockets and files are open */
};

/* web_store_name is the file in the folder that holds what must survive. */
#define WEB_STORE_NAME ".weir.sqlite"

/* web_token_make makes a token and its hash; false where there is no randomness. */
enum { WEB_TOKEN = 64 };
bool web_token_make(char token[WEB_TOKEN + 1], uint8_t hash[32]);

/* web_run serves until SIGINT or SIGTERM; false after a message on stderr where it could not begin. */
bool web_run(const struct web_plan *plan);

#endif
