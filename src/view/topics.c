/* SPDX-License-Identifier: Apache-2.0 */
#include "view/topics.h"
#include "base/utf8.h"
#include "view/view.h"

#include <math.h>
#include <stdlib.h>

/* head_whole cuts a character off that is not complete. */
static struct slice head_whole(struct slice s) {
    size_t back = 0;
    while (back < 4 && back < s.n && (s.p[s.n - 1 - back] & 0xc0) == 0x80) back++;
    if (back < s.n && s.p[s.n - 1 - back] >= 0xc0) s.n -= back + 1;
    return s;
}

/* number_of reads a payload that is a decimal number and nothing else. */
static bool number_of(struct slice s, double *out) {
    char text[40], *end;
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == ' ')) s.n--;
    if (!s.n || s.n >= sizeof text || s.p[0] == ' ') return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (strspn(text, "0123456789+-.eE") != s.n) return false;
    *out = strtod(text, &end);
    return end == text + s.n && isfinite(*out);
}

static void sample_json(struct writer *w, const struct topic_sample *s) {
    struct slice text = slice_of(s->text, s->n);
    bool cut = s->n < s->size;
    double value;
    wr_f(w, "{\"time\":%.9f,\"frame\":%llu,\"stream\":%u,\"size\":%u,\"qos\":%u,\"retain\":%s,\"dup\":%s,\"by\":\"%s\"",
         (double)s->at / 1e9, (unsigned long long)s->frame, s->stream, s->size, s->qos, s->retain ? "true" : "false",
         s->dup ? "true" : "false", s->delivered ? "broker" : "client");
    if (!cut && number_of(text, &value)) wr_f(w, ",\"value\":%.15g", value);
    if (utf8_readable(cut ? head_whole(text) : text)) {
        wr_s(w, ",\"text\":");
        json_text(w, cut ? head_whole(text) : text);
    } else {
        wr_s(w, ",\"hex\":\"");
        wr_hexbytes(w, text, 0);
        wr_c(w, '"');
    }
    wr_s(w, cut ? ",\"cut\":true}" : "}");
}

static void topic_json(struct writer *w, const struct topic_history *h) {
    wr_s(w, "{\"topic\":");
    json_text(w, name_slice(&h->name));
    wr_f(w, ",\"published\":%llu,\"delivered\":%llu,\"bytes\":%llu,\"retained\":%llu,\"step\":%u",
         (unsigned long long)h->published, (unsigned long long)h->delivered, (unsigned long long)h->bytes,
         (unsigned long long)h->retained, h->step);
    if (h->last.frame) {
        wr_s(w, ",\"last\":");
        sample_json(w, &h->last);
    }
    wr_s(w, ",\"history\":[");
    for (uint32_t i = 0; i < h->n; i++) {
        if (i) wr_s(w, ",\n ");
        sample_json(w, &h->sample[i]);
    }
    wr_s(w, "]}");
}

void topics_json(struct writer *w, const struct topics *t, uint32_t offset, uint32_t n) {
    uint32_t *order = topics_sorted(t), shown = 0;
    wr_s(w, "\"topics\":[");
    for (uint32_t i = offset; order && i < t->tab.n && shown < n; i++) {
        const struct topic_history *h = keytab_at(&t->tab, order[i]);
        if (t->only.n && !slice_eq(t->only, name_slice(&h->name))) continue;
        wr_s(w, shown++ ? ",\n" : "\n");
        topic_json(w, h);
    }
    free(order);
    wr_f(w, "\n],\"all\":%u,\"left_out\":%llu,\"unsampled\":%llu", t->tab.n, (unsigned long long)t->tab.refused,
         (unsigned long long)t->unsampled);
}
