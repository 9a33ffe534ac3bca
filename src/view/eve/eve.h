/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_EVE_EVE_H
#define WEIR_VIEW_EVE_EVE_H

#include "analyse/events.h"
#include "base/json.h"
#include "base/pool.h"
#include "flow/eve.h"

/* What a capture held as event lines in the shape of Suricata's EVE: one line per transaction, not per packet. */

enum {
    EVE_FLOWS_MAX = 65536,
    EVE_PENDING_MAX = 65536, /* transactions begun and not ended, of all conversations */
    EVE_OPEN_MAX = 256,      /* of one conversation */
    EVE_BUCKETS = 1 << 16,
    EVE_TEXT_MAX = 64 << 20, /* bytes of all begun transactions */
    EVE_PAYLOAD_MAX = 4096,  /* bytes of a message that are shown */
};

/* eve is the state of one run, owned by its maker. */
struct eve {
    struct pool flows, pending;
    uint32_t *buckets;
    struct hash_key secret;
    uint32_t hand;  /* where the search for a conversation to give up goes on */
    uint32_t alive; /* conversations kept */
    size_t text;    /* bytes held for begun transactions */
    uint64_t packets, bytes, conversations, events;
    uint64_t unheld;     /* transactions told in parts, since a limit was reached; `stats` says how many */
    int64_t first, last; /* time stamps of the capture, */
    int16_t era;         /* of the packet seen last: what is told of others is not far away */
};

/* eve_make prepares: 0 or ERR_NOMEM. eve_free releases. */
int eve_make(struct eve *e) MUST_USE;
void eve_free(struct eve *e);
/* eve_packet writes the events that the packet completes. */
void eve_packet(struct eve *e, struct writer *w, const struct packet_events *p);
/* eve_end writes what was not completed, a `flow` event for every conversation, and `stats`. */
void eve_end(struct eve *e, struct writer *w);

/* For the parts (eve_json.c): the object of one message, without its name. */
void eve_mqtt(struct writer *w, const struct mqtt_event *m, uint64_t frame);
void eve_tls_hello(struct writer *w, const struct tls_event *t);
void eve_tls_server(struct writer *w, const struct tls_event *t);
void eve_http_request(struct writer *w, const struct http_event *h);
void eve_http_response(struct writer *w, const struct http_event *h);
void eve_dns(struct writer *w, const struct dns_event *q);
/* eve_mqtt_name returns the member of a packet type, "publish" and its kin, or NULL. */
const char *eve_mqtt_name(uint8_t type);

#endif
