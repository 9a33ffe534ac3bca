/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_MQTT_TALK_H
#define WEIR_VIEW_MQTT_TALK_H

#include "analyse/mqtt_talk.h"

/* mqtt_talk_head_print says who the two sides are; mqtt_turn_print writes a turn for people, mqtt_turn_json as one line
 * of JSON. */
void mqtt_talk_head_print(struct writer *w, const struct mqtt_talk *t);
void mqtt_turn_print(struct writer *w, const struct mqtt_turn *t, bool color);
void mqtt_turn_json(struct writer *w, const struct mqtt_turn *t);

#endif
