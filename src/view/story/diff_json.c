/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/explain/judge.h"
#include "view/story/diff_view.h"
#include "view/story/explain_view.h"
#include "view/view.h"

static const char *const what_words[] = {[ROW_SAME] = "same",
                                         [ROW_VALUE] = "value",
                                         [ROW_MISSING] = "missing",
                                         [ROW_EXTRA] = "extra",
                                         [ROW_ALLOWED] = "allowed"};
static const char *const kind_words[] = {
    [DEED_TCP] = "tcp",   [DEED_DATA] = "data", [DEED_DNS] = "dns",  [DEED_TLS] = "tls",
    [DEED_HTTP] = "http", [DEED_MQTT] = "mqtt", [DEED_ICMP] = "icmp"};
_Static_assert(sizeof what_words / sizeof *what_words == ROW_ALLOWED + 1, "every kind of row has a word");
_Static_assert(sizeof kind_words / sizeof *kind_words == DEED_KINDS, "every kind of deed has a word");

static const struct deed *deed_of(const struct run *r, int32_t list, int32_t place) {
    return list < 0 || place < 0 ? NULL : &r->list[list].deed[place];
}

static void deed_json(struct writer *w, const char *name, const struct run *r, const struct deed *d) {
    wr_f(w, ",\"%s\":", name);
    if (!d) {
        wr_s(w, "null");
        return;
    }
    wr_f(w, "{\"frame\":%llu,\"time\":%.6f,\"side\":\"%s\",\"kind\":\"%s\",\"times\":%u,\"trouble\":%s,\"text\":",
         (unsigned long long)d->frame, (double)(d->ts - r->first) / 1e9, d->side ? "server" : "client",
         kind_words[d->kind], d->times, d->bad ? "true" : "false");
    json_text(w, d->text);
    wr_c(w, '}');
}

static void row_json(struct writer *w, const struct comparison *c, const struct pairing *p, const struct row *r) {
    const struct deed *good = deed_of(c->good, p->good, r->good), *bad = deed_of(c->bad, p->bad, r->bad);
    wr_f(w, "{\"what\":\"%s\"", what_words[r->what]);
    deed_json(w, "good", c->good, good);
    deed_json(w, "bad", c->bad, bad);
    if (r->what == ROW_VALUE && bad && r->detail < bad->details) {
        wr_s(w, ",\"detail\":");
        json_text(w, slice_str(bad->detail[r->detail].name));
    }
    wr_c(w, '}');
}

static void end_json(struct writer *w, const char *name, const struct net_addr *a, uint16_t port) {
    wr_f(w, ",\"%s\":\"", name);
    addr_write(w, a);
    if (port) wr_f(w, "\",\"%s_port\":%u", name, port);
    else wr_c(w, '"');
}

/* list_json says which conversation of a run is meant; null: it is missing there. */
static void list_json(struct writer *w, const char *name, const struct run *r, int32_t place) {
    wr_f(w, ",\"%s\":", name);
    if (place < 0) {
        wr_s(w, "null");
        return;
    }
    const struct deed_list *l = &r->list[place];
    wr_f(w, "{\"dns\":%s", l->is_dns ? "true" : "false");
    if (!l->is_dns) wr_f(w, ",\"stream\":%u", l->stream);
    if (l->client.len) end_json(w, "client", &l->client, l->client_port);
    if (l->server.len) end_json(w, "server", &l->server, l->port);
    if (l->id.n) {
        wr_s(w, ",\"client_id\":");
        json_text(w, l->id);
    }
    wr_f(w, ",\"publishes\":%s,\"subscribes\":%s,\"left_out\":%llu}", l->publishes ? "true" : "false",
         l->subscribes ? "true" : "false", (unsigned long long)l->left_out);
}

static void first_json(struct writer *w, const struct comparison *c, const struct diff_view *v) {
    const struct pairing *p = &c->pair[c->first];
    const struct finding *f = diff_cause(c, v);
    struct writer t = wr_grow();
    diff_sentence(&t, c, p, &p->row[p->first]);
    wr_s(w, ",\"text\":");
    json_text(w, wr_done(&t));
    wr_s(w, ",\"first\":");
    row_json(w, c, p, &p->row[p->first]);
    if (f) {
        wr_reset(&t);
        finding_sentence(&t, f);
        wr_f(w, ",\"explain\":{\"id\":\"%s\",\"text\":", finding_id(f));
        json_text(w, wr_done(&t));
        wr_c(w, '}');
    }
    wr_free(&t);
}

void diff_json(struct writer *w, struct comparison *c, const struct diff_view *v) {
    wr_f(w, "{\"same\":%s,\"good\":", c->first < 0 ? "true" : "false");
    json_text(w, slice_str(c->good->name));
    wr_s(w, ",\"bad\":");
    json_text(w, slice_str(c->bad->name));
    if (c->first >= 0) first_json(w, c, v);
    wr_s(w, ",\"conversations\":[");
    for (uint32_t i = 0; i < c->pairs; i++) {
        const struct pairing *p = &c->pair[i];
        wr_f(w, "%s{\"differs\":%s,\"missing\":%u,\"extra\":%u,\"values\":%u", i ? ",\n" : "\n",
             p->first < p->rows ? "true" : "false", p->missing, p->extra, p->values);
        list_json(w, "good", c->good, p->good);
        list_json(w, "bad", c->bad, p->bad);
        wr_s(w, ",\"rows\":[");
        for (uint32_t k = 0; k < p->rows; k++) {
            if (k) wr_s(w, ",\n");
            row_json(w, c, p, &p->row[k]);
        }
        wr_s(w, "]}");
    }
    wr_s(w, "\n]}\n");
}
