/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_REDACT_H
#define WEIR_ANALYSE_REDACT_H

#include "analyse/dissect.h"

/* Makes packets tell less, without changing their lengths or what belongs together. */

enum redact_what {
    REDACT_ADDRESSES = 1, /* MAC and IP addresses, wherever a decoder finds one */
    REDACT_CLIENTS = 2,   /* MQTT client ids, user names, passwords */
    REDACT_TOPICS = 4,
    REDACT_PAYLOADS = 8,
    REDACT_ALL = 15
};

struct redact {
    unsigned what; /* enum redact_what */
    struct hash_key secret;
};

/* redact_parse reads "addresses,clients,topics,payloads" or "all"; false where a word is none of these. */
bool redact_parse(const char *text, unsigned *what);
/* redact_key makes the key of a text, so that the same text gives the same replacements in every capture. */
struct hash_key redact_key(struct slice text);
void redact_want(const struct redact *r, struct want *w);
/* redact_packet changes `bytes`, a copy of the decoded packet's bytes, in place. */
void redact_packet(const struct redact *r, const struct decode *d, uint8_t *bytes);

#endif
