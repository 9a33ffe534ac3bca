/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations of one client: what waits, what is handed out, what is given up. Packets are made as a decoder
 * would have decoded them. */
#undef NDEBUG
#include "base/check.h"
#include "proto/mqtt/mqtt.h"
#include "serve/demand/record_client.h"

#include <assert.h>
#include <stdio.h>

static struct want want;
static struct fvec fields;
static struct decode decoded = {.out = &fields};
static uint64_t taken, last;

static int take(void *to, const struct packet *p) {
    (void)to;
    assert(p->number > last);
    last = p->number;
    taken++;
    return OK;
}

static struct client_filter *begin(void) {
    taken = last = 0;
    struct client_filter *f = client_filter_make(SLICE("pump"), take, NULL);
    assert(f);
    return f;
}

/* give hands a packet of a stream to the filter; an id, if any, is that of a CONNECT, or what a CONNACK assigns. */
static void give_bytes(struct client_filter *f, uint32_t stream, uint64_t number, int type, const char *id,
                       size_t bytes) {
    static uint8_t data[100000];
    struct packet p = {.number = number, .data = slice_of(data, bytes)};
    fvec_start(&fields, p.data);
    fv_u(&fields, FID_TCP_STREAM, 0, 0, stream);
    if (type) fv_u(&fields, FID_MQTT_MSGTYPE, 0, 0, (uint64_t)type);
    if (type == MQTT_CONNECT) fv_s(&fields, FID_MQTT_CLIENTID, 0, 0, slice_str(id));
    if (type == MQTT_CONNACK && id) {
        fv_u(&fields, FID_MQTT_PROPERTY_ID, 0, 0, MQTT_P_ASSIGNED_CLIENT_ID);
        fv_s(&fields, FID_MQTT_PROP_STRING, 0, 0, slice_str(id));
    }
    assert(client_filter_packet(f, &decoded, &p) == OK);
}

static void give(struct client_filter *f, uint32_t stream, uint64_t number, int type, const char *id) {
    give_bytes(f, stream, number, type, id, 60);
}

static void before_connect(void) {
    struct client_filter *f = begin();
    give(f, 0, 1, 0, NULL);
    give(f, 1, 2, 0, NULL);
    give(f, 0, 3, 0, NULL);
    assert(taken == 0);
    give(f, 0, 4, MQTT_CONNECT, "pump");
    assert(taken == 3 && last == 4);
    give(f, 0, 5, MQTT_PUBLISH, NULL);
    give(f, 1, 6, MQTT_CONNECT, "pumps");
    give(f, 1, 7, MQTT_PUBLISH, NULL);
    assert(taken == 4);
    SAYS("what came before the CONNECT is handed out with it, another client's never");
    client_filter_free(f);
}

static void assigned(void) {
    struct client_filter *f = begin();
    give(f, 0, 1, MQTT_CONNECT, "");
    give(f, 0, 2, MQTT_CONNACK, "pump");
    give(f, 1, 3, MQTT_CONNECT, "");
    give(f, 1, 4, MQTT_CONNACK, "other");
    give(f, 1, 5, MQTT_PUBLISH, NULL);
    assert(taken == 2);
    SAYS("an identifier the broker assigns counts, too");
    client_filter_free(f);
}

static void too_late(void) {
    struct client_filter *f = begin();
    for (uint64_t i = 1; i < 100; i++) give(f, 0, i, 0, NULL);
    give(f, 0, 200, MQTT_CONNECT, "pump");
    assert(taken == 1);
    give_bytes(f, 1, 201, 0, NULL, 100000);
    give_bytes(f, 1, 202, 0, NULL, 100000);
    give(f, 1, 203, MQTT_CONNECT, "pump");
    give(f, 1, 204, MQTT_PUBLISH, NULL);
    assert(taken == 3);
    SAYS("where the CONNECT comes late, what is too long ago is gone");
    client_filter_free(f);
}

static void limit(void) {
    struct client_filter *f = begin();
    give(f, 0, 1, 0, NULL);
    for (uint32_t s = 1; s < 1000; s++) give_bytes(f, s, s + 1, 0, NULL, 100000);
    give(f, 0, 5000, MQTT_CONNECT, "pump");
    assert(taken == 1 && last == 5000); /* without what had waited */
    last = 0;                           /* order holds within a conversation */
    give(f, 999, 5001, MQTT_CONNECT, "pump");
    assert(taken == 3);
    SAYS("all that waits has a limit, and the oldest gives way");
    client_filter_free(f);
}

static void long_session(void) {
    struct client_filter *f = begin();
    give(f, 0, 1, MQTT_CONNECT, "pump");
    for (uint32_t s = 1; s < 200000; s++) give(f, s, s + 1, s % 3 ? MQTT_CONNECT : 0, "x");
    give(f, 0, 300000, MQTT_PUBLISH, NULL);
    assert(taken == 2);
    SAYS("a long session is not forgotten while others come and go");
    client_filter_free(f);
}

int main(void) {
    client_filter_want(&want);
    fvec_make(&fields, &want);
    before_connect();
    assigned();
    too_late();
    limit();
    long_session();
    fvec_free(&fields);
    return 0;
}
