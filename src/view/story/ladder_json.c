/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/explain/judge.h"
#include "view/story/ladder_view.h"
#include "view/view.h"

static const char *const kind_words[] = {
    [RUNG_TCP] = "tcp",   [RUNG_DNS] = "dns",   [RUNG_TLS] = "tls",  [RUNG_HTTP] = "http",
    [RUNG_MQTT] = "mqtt", [RUNG_ICMP] = "icmp", [RUNG_DATA] = "data"};
static const char *const mood_words[] = {[MOOD_PLAIN] = "plain", [MOOD_AGAIN] = "again", [MOOD_BAD] = "bad"};
_Static_assert(sizeof kind_words / sizeof *kind_words == RUNG_DATA + 1, "every kind of arrow has a word");
_Static_assert(sizeof mood_words / sizeof *mood_words == MOOD_BAD + 1, "every mood has a word");

static void party_json(struct writer *w, const struct party *p) {
    char text[80];
    struct writer t = wr_fixed(text, sizeof text);
    addr_write(&t, &p->end.addr);
    wr_s(w, "{\"address\":");
    json_text(w, wr_done(&t));
    if (p->end.port) wr_f(w, ",\"port\":%u", p->end.port);
    wr_f(w, ",\"role\":\"%s\",\"server\":%s", party_role(p), p->server ? "true" : "false");
    if (p->client.n) {
        wr_s(w, ",\"client_id\":");
        json_text(w, p->client);
    }
    wr_f(w, ",\"arrows\":%u}", p->rungs);
}

static void rung_json(struct writer *w, const struct rung *r, int64_t begin, const int *place) {
    wr_f(w, "{\"frame\":%llu,\"time\":%.9f,\"from\":%d,\"to\":%d,\"kind\":\"%s\",\"mood\":\"%s\"",
         (unsigned long long)r->frame, (double)(r->ts - begin) / 1e9, place[r->from_party], place[r->to_party],
         kind_words[r->kind], mood_words[r->mood]);
    if (r->kind != RUNG_DNS && r->kind != RUNG_ICMP) wr_f(w, ",\"stream\":%u", r->stream);
    wr_s(w, ",\"text\":");
    json_text(w, r->text);
    wr_c(w, '}');
}

void ladder_json(struct writer *w, const struct ladder *l, int64_t begin, uint32_t from, uint32_t n) {
    uint8_t order[PARTIES_MAX];
    int place[PARTIES_MAX];
    size_t parties = parties_order(l, order, PARTIES_MAX);
    uint32_t shown = 0, all = 0;
    for (size_t i = 0; i < PARTIES_MAX; i++) place[i] = -1;
    wr_s(w, "\"parties\":[");
    for (size_t i = 0; i < parties; i++) {
        place[order[i]] = (int)i;
        if (i) wr_s(w, ",\n");
        party_json(w, &l->party[order[i]]);
    }
    wr_s(w, "],\"arrows\":[");
    for (uint32_t i = 0; i < l->rungs; i++) {
        const struct rung *r = &l->rung[i];
        if (place[r->from_party] < 0 || place[r->to_party] < 0) continue;
        if (all++ < from || shown == n) continue;
        wr_s(w, shown++ ? ",\n" : "\n");
        rung_json(w, r, begin, place);
    }
    wr_f(w, "\n],\"all\":%u,\"left_out\":%llu", all, (unsigned long long)(l->left_out + l->strangers));
}
