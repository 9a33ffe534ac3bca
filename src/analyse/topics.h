/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_TOPICS_H
#define WEIR_ANALYSE_TOPICS_H

#include "analyse/keytab.h"
#include "analyse/mqtt_msg.h"
#include "analyse/name.h"

/* topics: what was published to each MQTT topic, over time.
 *
 * Theory of operation. A topic keeps at most `keep` of its messages. When it has that many, every second one is given
 * up and from then on only every second (fourth, eighth ...) message is taken, so that what is kept lies evenly over
 * the whole capture; the last message is kept always. A capture near the broker sees a message when it is published and
 * again when it is delivered: both are kept, and each says which it was. Limits: TOPICS_SHOWN topics, TOPICS_SAMPLES
 * messages of all, TOPICS_TEXT bytes of a payload. */

enum { TOPICS_SHOWN = 20000, TOPICS_SAMPLES = 200000, TOPICS_TEXT = 256 };

struct topic_sample {
    int64_t at; /* ns since the capture's first packet */
    uint64_t frame;
    uint32_t stream;
    uint32_t size; /* bytes of the payload */
    uint16_t n;    /* bytes of it that are kept */
    uint8_t qos;
    bool retain, dup, delivered; /* delivered: the broker sent it */
    uint8_t text[TOPICS_TEXT];
};

struct topic_history {
    struct name name; /* the key */
    uint64_t published, delivered, bytes, retained;
    uint32_t step;    /* every so many messages one is kept */
    uint32_t n, room; /* samples */
    struct topic_sample *sample, last;
};

struct topic_link {  /* of a TCP stream */
    uint32_t stream; /* the key */
    uint16_t port;   /* the client's */
};

struct topics {
    struct keytab tab, links;
    struct hash_key secret;
    struct slice only; /* keep messages of this topic alone; empty: of all */
    uint32_t keep, samples;
    uint64_t unsampled; /* messages no room was for */
    int64_t begin;
};

/* topics_make prepares an empty table that keeps up to `keep` messages of each topic; topics_free releases it. */
void topics_make(struct topics *t, uint32_t keep);
void topics_free(struct topics *t);
/* topics_packet takes the PUBLISH packets of a packet; mqtt_msg_want says what has to be decoded. */
void topics_packet(struct topics *t, const struct decode *d, int64_t begin);
/* topics_sorted returns the places of the topics by name; the caller frees it. NULL: no memory. */
uint32_t *topics_sorted(const struct topics *t);

#endif
