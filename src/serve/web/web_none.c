/* SPDX-License-Identifier: Apache-2.0 */
/* `weir serve` in a build without libmicrohttpd. */
#include "serve/web/web.h"
#include <stdio.h>

bool web_run(const struct web_plan *plan) {
    (void)plan;
    fprintf(stderr, "weir serve: this build has no HTTP server (libmicrohttpd)\n");
    return false;
}

bool web_token_make(char token[WEB_TOKEN + 1], uint8_t hash[32]) { return (void)token, (void)hash, false; }
