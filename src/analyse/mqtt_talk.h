/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_MQTT_TALK_H
#define WEIR_ANALYSE_MQTT_TALK_H

#include "analyse/mqtt_msg.h"

/* An MQTT conversation message by message, each with the handshake that belongs to it. */

enum {
    TURN_WAITING_MAX = 4096, /* messages that wait for the end of their handshake */
    TURN_TEXT_MAX = 4096,    /* bytes kept of a topic, payload or list of filters */
    TURN_ACKS_MAX = 6,
};

struct mqtt_ack {
    uint8_t type;
    uint64_t frame;
    int64_t after; /* ns since the message */
    int reason;    /* -1: none */
    const char *reason_text;
};

struct mqtt_turn {
    struct mqtt_turn *next;
    uint64_t frame;
    int64_t ts, at; /* at: ns since the capture's first packet */
    uint32_t stream;
    bool from_client, waits;
    struct mqtt_msg msg; /* its slices are the turn's own */
    const char *reason_text;
    struct slice filters; /* of SUBSCRIBE and UNSUBSCRIBE, one to a line */
    uint32_t payload_n;   /* bytes of the payload, of which msg.payload is the beginning */
    struct mqtt_ack ack[TURN_ACKS_MAX];
    unsigned acks;
    uint8_t text[]; /* where the slices point */
};

struct mqtt_talk {
    uint32_t stream;
    bool client_known;
    struct talk_addr client, broker;
    struct mqtt_turn *first, *last;
    uint32_t waiting;
    uint64_t messages;
    int64_t begin;
    void (*take)(void *to, const struct mqtt_talk *t, const struct mqtt_turn *turn);
    void *to;
};

/* mqtt_talk_packet takes the messages of a packet, if it is of the conversation: then true. Turns are given in the
 * order they began, as soon as their handshake and those before are over; mqtt_talk_end gives the rest. */
bool mqtt_talk_packet(struct mqtt_talk *t, const struct decode *d, int64_t begin);
void mqtt_talk_end(struct mqtt_talk *t);

#endif
