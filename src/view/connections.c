/* SPDX-License-Identifier: Apache-2.0 */
#include "view/connections.h"
#include "proto/tcp/tcp.h"
#include "view/view.h"

#include <stdlib.h>

static const char *const order_words[] = {
    [BY_STREAM] = "stream",     [BY_BYTES] = "bytes",     [BY_PACKETS] = "packets", [BY_START] = "start",
    [BY_DURATION] = "duration", [BY_TROUBLE] = "trouble", [BY_RTT] = "rtt"};
static const char *const trouble_words[] = {[TROUBLE_AGAIN] = "retransmissions",
                                            [TROUBLE_OUT_OF_ORDER] = "out_of_order",
                                            [TROUBLE_LOST] = "lost",
                                            [TROUBLE_DUP_ACK] = "duplicate_acks",
                                            [TROUBLE_ZERO_WINDOW] = "zero_windows"};
_Static_assert(sizeof order_words / sizeof *order_words == CONNECTION_ORDERS, "every order has a word");
_Static_assert(sizeof trouble_words / sizeof *trouble_words == TROUBLE_KINDS, "every kind of trouble has a word");

enum connection_order connection_order_find(const char *name) {
    int i = 0;
    while (i < CONNECTION_ORDERS && strcmp(order_words[i], name) != 0) i++;
    return (enum connection_order)i;
}

static void end_json(struct writer *w, const char *name, const struct talk_addr *a) {
    wr_f(w, ",\"%s\":", name);
    talk_addr_json(w, a);
}

static void flags_json(struct writer *w, uint16_t flags) {
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    unsigned n = 0;
    wr_c(w, '[');
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (flags >> i & 1) wr_f(w, "%s\"%s\"", n++ ? "," : "", names[i]);
    wr_c(w, ']');
}

/* state says how far a TCP conversation went, by the flags either side sent. */
static const char *state(const struct connection *r) {
    uint16_t any = r->flags[0] | r->flags[1];
    if (any & TH_RST) return "reset";
    if ((r->flags[0] & TH_FIN) && (r->flags[1] & TH_FIN)) return "closed";
    if (any & TH_FIN) return "closing";
    if ((r->flags[0] & TH_SYN) && !r->packets[1]) return "unanswered";
    return "open";
}

static void tcp_json(struct writer *w, const struct connection *r) {
    wr_s(w, ",\"flags\":[");
    flags_json(w, r->flags[0]);
    wr_c(w, ',');
    flags_json(w, r->flags[1]);
    wr_f(w, "],\"state\":\"%s\",\"from_start\":%s", state(r), (r->flags[0] | r->flags[1]) & TH_SYN ? "true" : "false");
    if (r->initial_rtt) wr_f(w, ",\"initial_rtt\":%.9f", (double)r->initial_rtt / 1e9);
    if (r->rtts)
        wr_f(w, ",\"rtt\":%.9f,\"rtt_max\":%.9f", (double)r->rtt_sum / (double)r->rtts / 1e9, (double)r->rtt_max / 1e9);
    for (int i = 0; i < TROUBLE_KINDS; i++)
        wr_f(w, ",\"%s\":%llu", trouble_words[i], (unsigned long long)r->trouble[i]);
}

static void pair_json(struct writer *w, const char *name, const uint64_t v[2]) {
    wr_f(w, ",\"%s\":[%llu,%llu]", name, (unsigned long long)v[0], (unsigned long long)v[1]);
}

static void row_json(struct writer *w, const struct connection *r, unsigned bins) {
    wr_f(w, "{\"stream\":%u,\"transport\":\"%s\"", r->key.stream, r->key.udp ? "udp" : "tcp");
    wr_f(w, ",\"protocol\":\"%s\"", r->app ? r->app->column : r->key.udp ? "UDP" : "TCP");
    end_json(w, "client", &r->end[0]);
    end_json(w, "server", &r->end[1]);
    wr_s(w, ",\"name\":");
    json_text(w, slice_of(r->text, r->n_text));
    pair_json(w, "packets", r->packets);
    pair_json(w, "bytes", r->bytes);
    pair_json(w, "payload", r->payload);
    wr_f(w, ",\"start\":%.9f,\"duration\":%.9f,\"first_frame\":%llu", (double)r->first / 1e9,
         (double)(r->last - r->first) / 1e9, (unsigned long long)r->first_frame);
    if (!r->key.udp) tcp_json(w, r);
    wr_f(w, ",\"filter\":\"%s.stream == %u\",\"histogram\":[", r->key.udp ? "udp" : "tcp", r->key.stream);
    for (unsigned i = 0; i < bins; i++) wr_f(w, "%s%llu", i ? "," : "", (unsigned long long)r->bin[i]);
    wr_s(w, "]}");
}

void connections_json(struct writer *w, const struct connections *c, enum connection_order by, uint32_t offset,
                      uint32_t n) {
    uint32_t *order = connections_sorted(c, by), shown = 0;
    unsigned bins = (unsigned)(c->end / c->bin_ns) + 1;
    if (bins > CONNECTION_BINS) bins = CONNECTION_BINS;
    wr_s(w, "\"connections\":[");
    for (uint32_t i = offset; order && i < c->tab.n && shown < n; i++) {
        wr_s(w, shown++ ? ",\n" : "\n");
        row_json(w, keytab_at(&c->tab, order[i]), bins);
    }
    free(order);
    wr_f(w, "\n],\"all\":%u,\"left_out\":%llu,\"bin_seconds\":%.9g,\"duration\":%.9f", c->tab.n,
         (unsigned long long)c->tab.refused, (double)c->bin_ns / 1e9, (double)c->end / 1e9);
}
