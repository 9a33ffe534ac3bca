/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_MQTT_BREAK_H
#define WEIR_CRAFT_MQTT_BREAK_H

#include "base/writer.h"

/* Ways in which an MQTT packet can be wrong, by name: each breaks one rule and leaves the rest right. */

struct mqtt_break {
    const char *name, *what;
    uint32_t types;   /* of packets it fits: bit 1 << type */
    uint8_t versions; /* 0: any; else the protocol version it needs */
    bool ends;        /* after the packet, our side of the connection is closed */
};

extern const struct mqtt_break mqtt_breaks[];
extern const size_t mqtt_breaks_count;

/* mqtt_break_find gives the place of a name, or -1. */
int mqtt_break_find(const char *name);
/* mqtt_break_apply writes `packet`, a whole right one of a connection that speaks `version`, broken; false where it
 * does not fit: nothing is written then. */
bool mqtt_break_apply(int which, uint8_t version, struct slice packet, struct writer *out);

#endif
