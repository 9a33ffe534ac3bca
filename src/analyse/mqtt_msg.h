/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_MQTT_MSG_H
#define WEIR_ANALYSE_MQTT_MSG_H

#include "analyse/talk_addr.h"
#include "proto/mqtt/mqtt.h"

/* mqtt_msg is one MQTT packet of a captured packet, with what people ask about; slices live as long as the packet. */
struct mqtt_msg {
    uint32_t at, end;     /* its fields */
    uint8_t type;         /* enum mqtt_type */
    uint8_t qos, version; /* version: of CONNECT */
    bool dup, retain, clean, has_id, will;
    uint16_t id, keep_alive;
    uint32_t size; /* bytes of the MQTT packet */
    struct slice topic, payload, client_id, user;
    int reason; /* return or reason code; -1: none */
    const char *reason_text;
    uint32_t stream; /* of TCP */
    struct talk_addr src, dst;
};

/* mqtt_msg_want adds the fields that mqtt_msg_each reads. */
void mqtt_msg_want(struct want *w);
/* mqtt_msg_each calls fn with every MQTT packet of the captured packet, in order. */
void mqtt_msg_each(const struct decode *d, void (*fn)(void *to, const struct decode *d, const struct mqtt_msg *m),
                   void *to);
/* mqtt_msg_type_name returns "PUBLISH" and its kin. */
const char *mqtt_msg_type_name(uint8_t type);
/* mqtt_msg_by_client tells whether only a client sends such a packet (1), only a server (0), or either (-1). */
int mqtt_msg_by_client(uint8_t type);

#endif
