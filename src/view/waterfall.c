/* SPDX-License-Identifier: Apache-2.0 */
#include "view/waterfall.h"
#include "analyse/explain/judge.h"
#include "analyse/mqtt_msg.h"
#include "view/view.h"

static const char *const kind_words[] = {
    [BAR_DNS] = "dns", [BAR_TCP] = "tcp", [BAR_TLS] = "tls", [BAR_WEBSOCKET] = "websocket", [BAR_MQTT] = "mqtt"};
_Static_assert(sizeof kind_words / sizeof *kind_words == BAR_MQTT + 1, "every kind of bar has a word");

static void bar_json(struct writer *w, const struct bar *b, int64_t begin) {
    wr_f(w, "{\"kind\":\"%s\",\"start\":%.9f,\"end\":%.9f,\"frame\":%llu,\"end_frame\":%llu", kind_words[b->kind],
         (double)(b->begin - begin) / 1e9, (double)(b->end - begin) / 1e9, (unsigned long long)b->frame,
         (unsigned long long)b->end_frame);
    if (b->kind == BAR_MQTT)
        wr_f(w, ",\"type\":\"%s\",\"from\":\"%s\"", mqtt_msg_type_name(b->type), b->from ? "server" : "client");
    if (b->kind == BAR_MQTT && b->type == MQTT_PUBLISH) wr_f(w, ",\"qos\":%u", b->qos);
    if (b->text.n) {
        wr_s(w, ",\"text\":");
        json_text(w, b->text);
    }
    wr_f(w, ",\"state\":\"%s\"", b->failed ? "failed" : b->open ? "open" : "done");
    if (b->code) wr_f(w, ",\"code\":%u", b->code);
    wr_c(w, '}');
}

static void end_json(struct writer *w, const char *name, const struct net_addr *a, uint16_t port) {
    wr_f(w, ",\"%s\":{\"address\":\"", name);
    addr_write(w, a);
    wr_f(w, "\",\"port\":%u}", port);
}

static void row_json(struct writer *w, const struct waterfall_row *r, int64_t begin) {
    wr_f(w, "{\"stream\":%u", r->stream);
    end_json(w, "client", &r->client, r->client_port);
    end_json(w, "server", &r->server, r->server_port);
    if (r->id.n) {
        wr_s(w, ",\"client_id\":");
        json_text(w, r->id);
    }
    wr_f(w, ",\"mqtt\":%s,\"start\":%.9f,\"end\":%.9f,\"bars\":[", r->mqtt ? "true" : "false",
         (double)(r->first - begin) / 1e9, (double)(r->last - begin) / 1e9);
    for (uint32_t i = 0; i < r->bars; i++) {
        if (i) wr_s(w, ",\n ");
        bar_json(w, &r->bar[i], begin);
    }
    wr_f(w, "],\"left_out\":%llu}", (unsigned long long)r->left_out);
}

void waterfall_json(struct writer *w, const struct waterfall *f, int64_t begin, int64_t stream, uint32_t most) {
    uint32_t all = 0, shown = 0;
    wr_s(w, "\"connections\":[");
    for (uint32_t i = 0; i < f->rows; i++) {
        const struct waterfall_row *r = &f->row[i];
        if (!r->selected || !r->bars || (stream >= 0 && r->stream != stream)) continue;
        if (all++ >= most) continue;
        wr_s(w, shown++ ? ",\n" : "\n");
        row_json(w, r, begin);
    }
    wr_f(w, "\n],\"all\":%u,\"left_out\":%llu", all, (unsigned long long)f->left_out);
}
