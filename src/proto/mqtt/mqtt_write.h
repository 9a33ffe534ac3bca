/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_MQTT_WRITE_H
#define WEIR_PROTO_MQTT_WRITE_H

#include "base/writer.h"
#include "proto/mqtt/mqtt.h"

/* Writing MQTT packets, the other direction of mqtt_read.c.
 *
 * Every mqtt_write_x appends one whole packet and returns true, or appends nothing and returns false where a text is
 * longer than 65535 bytes or the packet longer than MQTT_LENGTH_MAX. Whether the values make a legal packet is the
 * caller's business, so that tests can write illegal ones. `version` is 3, 4 or 5; `properties` are encoded ones,
 * see mqtt_put_*, and left out below 5. */

struct mqtt_connect {
    uint8_t version;
    uint8_t flags;       /* connect flags: MQTT_USER_NAME and its kin */
    uint16_t keep_alive; /* seconds */
    struct slice properties, client_id;
    struct slice will_properties, will_topic, will_message; /* with MQTT_WILL */
    struct slice user_name, password;
};

struct mqtt_connack {
    uint8_t version;
    bool session_present;
    uint8_t code; /* return code, in 5.0 reason code */
    struct slice properties;
};

struct mqtt_publish {
    uint8_t version;
    uint8_t qos;
    bool dup, retain;
    uint16_t id; /* with QoS 1 and 2 */
    struct slice topic, properties, payload;
};

/* mqtt_ack is a PUBACK, PUBREC, PUBREL or PUBCOMP. */
struct mqtt_ack {
    uint8_t version, type;
    uint16_t id;
    uint8_t reason;
    struct slice properties;
};

struct mqtt_filter {
    struct slice filter;
    uint8_t options; /* QoS, in 5.0 subscription options; not written by UNSUBSCRIBE */
};

/* mqtt_subscribe is a SUBSCRIBE or UNSUBSCRIBE. */
struct mqtt_subscribe {
    uint8_t version, type;
    uint16_t id;
    struct slice properties;
    const struct mqtt_filter *filters;
    size_t count;
};

/* mqtt_suback is a SUBACK or UNSUBACK; an UNSUBACK has codes in 5.0 only. */
struct mqtt_suback {
    uint8_t version, type;
    uint16_t id;
    struct slice properties, codes;
};

/* mqtt_close is a DISCONNECT or AUTH. */
struct mqtt_close {
    uint8_t version, type;
    uint8_t reason;
    struct slice properties;
};

/* mqtt_write_connect and its kin append a packet: false, with nothing appended, where a text in it or the whole is
 * longer than MQTT can say. */
bool mqtt_write_connect(struct writer *w, const struct mqtt_connect *p);
bool mqtt_write_connack(struct writer *w, const struct mqtt_connack *p);
bool mqtt_write_publish(struct writer *w, const struct mqtt_publish *p);
bool mqtt_write_ack(struct writer *w, const struct mqtt_ack *p);
bool mqtt_write_subscribe(struct writer *w, const struct mqtt_subscribe *p);
bool mqtt_write_suback(struct writer *w, const struct mqtt_suback *p);
bool mqtt_write_close(struct writer *w, const struct mqtt_close *p);
/* mqtt_write_ping writes a PINGREQ or PINGRESP. */
bool mqtt_write_ping(struct writer *w, uint8_t type);

/* mqtt_put_* append one encoded property: a number in the width the property has, a text or binary data, a name with
 * a value. False where the property is not of that kind or does not fit. */
bool mqtt_put_number(struct writer *w, uint8_t property, uint32_t value);
bool mqtt_put_text(struct writer *w, uint8_t property, struct slice text);
bool mqtt_put_pair(struct writer *w, struct slice name, struct slice value);

#endif
