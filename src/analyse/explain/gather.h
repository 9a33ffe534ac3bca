/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_GATHER_H
#define WEIR_ANALYSE_GATHER_H

#include "analyse/explain/explain.h"

/* For the parts of explain. */

enum { PLACE_NONE = UINT32_MAX, PORT_QUIC = 443 };
static const int64_t SECOND = 1000000000, MILLI = 1000000;

/* map_make prepares for `entries` entries, a power of two below 2^15, with places below 2^16 - 1; 0 or ERR_NOMEM. */
int map_make(struct place_map *m, uint32_t entries) MUST_USE;
/* map_find returns the place that map_set gave a hash, or PLACE_NONE. */
uint32_t map_find(const struct place_map *m, uint64_t hash);
void map_set(struct place_map *m, uint64_t hash, uint32_t place);

/* keep copies a text for the life of explain, cut to KEPT_TEXT. */
struct slice keep(struct explain *e, struct slice s);

static inline bool mark_set(const struct mark *m) { return m->frame != 0; }
static inline struct mark mark_of(const struct packet_events *p) { return (struct mark){p->frame, p->ts}; }
/* mark_first notes the first time of something. */
static inline void mark_first(struct mark *m, const struct packet_events *p) {
    if (!m->frame) *m = mark_of(p);
}

static inline bool endpoint_same(const struct endpoint *a, const struct endpoint *b) {
    return a->port == b->port && addr_same(&a->addr, &b->addr);
}
/* hash_text returns a hash of the n bytes of a head and of a text behind it, never 0, under the capture's secret. */
uint64_t hash_text(const struct explain *e, const void *head, size_t n, struct slice text);
/* hash_behind does so where the hash_bytes of the head is known. */
uint64_t hash_behind(const struct explain *e, uint64_t head, struct slice text);

/* What each kind of event adds; side is who sent it. */
void gather_tls(struct explain *e, struct conv *c, int side, const struct packet_events *p, const struct tls_event *t);
void gather_http(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                 const struct http_event *h);
/* gather_http_part takes what a packet says of a message of HTTP that goes on behind it. */
void gather_http_part(struct explain *e, struct conv *c, int side, const struct packet_events *p);
/* gather_connect_begun takes a client's first segments, of which no packet was read, until they begin a CONNECT or show
 * that they do not. */
void gather_connect_begun(struct conv *c, struct slice in);
void gather_websocket(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                      const struct websocket_event *w);
void gather_mqtt(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                 const struct mqtt_event *m);
/* flights_release gives back the list of a sender's messages under way, which is not touched after. */
void flights_release(struct explain *e, const struct mqtt_rec *r, int sender);
void gather_dns(struct explain *e, const struct packet_events *p, const struct dns_event *q, bool selected);
/* gather_link takes what a packet says of neighbours and addresses, gather_refused an ICMP error about a datagram. */
void gather_link(struct explain *e, const struct packet_events *p);
void gather_refused(struct explain *e, const struct packet_events *p);
/* gather_service takes a datagram of a protocol in which every request is answered. */
void gather_service(struct explain *e, const struct packet_events *p);
/* gather_quic takes a datagram from the port of HTTP/3; quic_spoken tells whether a server sent a client any. */
void gather_quic(struct explain *e, const struct packet_events *p);
bool quic_spoken(const struct explain *e, const struct net_addr *client, const struct net_addr *server);
static inline bool port_answers(uint16_t port) { return port == 123 || port == 5683 || port == 5684; }
/* sought_refused finds the datagrams of a host to a port that ICMP says came to nobody; NULL: none. */
const struct sought_rec *sought_refused(const struct explain *e, const struct net_addr *who,
                                        const struct net_addr *whom, uint16_t port);
/* gather_use notes that a packet went from src to dst, or was to go: a name that stands for dst was put to use. It
 * returns the name's place + 1, or 0. */
uint32_t gather_use(struct explain *e, const struct net_addr *src, const struct net_addr *dst);
/* broker_filter returns the place + 1 of the first filter a broker was asked for, or 0; filter_rec.next leads on. */
uint32_t broker_filter(const struct explain *e, const struct endpoint *broker);
/* filter_shared tells whether a filter is that of a shared subscription, $share/NAME/FILTER (MQTT 4.8.2);
 * filter_unshared returns its FILTER, or a filter that is none as it is. */
bool filter_shared(struct slice filter);
struct slice filter_unshared(struct slice filter);
/* client_of returns what is known of the client id of an MQTT conversation; NULL: nothing. */
const struct client_rec *client_of(const struct explain *e, const struct conv *c);
/* certificate_read fills rec from the chain a server sent. */
void certificate_read(struct explain *e, struct certificate_rec *rec, const struct tls_event *t, struct slice name);

#endif
