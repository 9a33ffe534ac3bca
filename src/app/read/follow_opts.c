/* SPDX-License-Identifier: Apache-2.0 */
#include "app/read/follow_opts.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const char *number_parse(const char *at, uint64_t most, uint64_t *out) {
    char *end;
    if (*at < '0' || *at > '9') return NULL;
    *out = strtoull(at, &end, 10);
    return *out <= most ? end : NULL;
}

static const char *addr_parse(const char *at, struct talk_addr *a) {
    char text[64];
    size_t n = strcspn(at, ",");
    const char *colon = n ? memrchr(at, ':', n) : NULL, *from = at;
    size_t len = colon ? (size_t)(colon - at) : 0;
    uint64_t port;
    if (len > 1 && at[0] == '[' && at[len - 1] == ']') {
        from++;
        len -= 2;
    }
    if (!len || len >= sizeof text) return NULL;
    memcpy(text, from, len);
    text[len] = 0;
    *a = (struct talk_addr){0};
    if (inet_pton(AF_INET, text, a->bytes) == 1) a->len = 4;
    else if (inet_pton(AF_INET6, text, a->bytes) == 1) a->len = 16;
    const char *end = a->len ? number_parse(colon + 1, 65535, &port) : NULL;
    if (end) a->port = (uint16_t)port;
    return end;
}

const char *follow_which_parse(const char *text, struct follow *f) {
    uint64_t stream;
    const char *at = number_parse(text, UINT32_MAX, &stream);
    if (at && (!*at || *at == ',')) {
        f->by_stream = true;
        f->stream = (uint32_t)stream;
        return at + (*at == ',');
    }
    at = addr_parse(text, &f->asked[0]);
    if (!at || *at != ',') return NULL;
    at = addr_parse(at + 1, &f->asked[1]);
    return at && (!*at || *at == ',') ? at + (*at == ',') : NULL;
}

const char *follow_substream_parse(const char *text, struct follow *f) {
    uint64_t stream;
    const char *at = number_parse(text, UINT32_MAX, &stream);
    if (!at) return text;
    f->by_substream = true;
    f->substream = (uint32_t)stream;
    return at;
}

bool follow_range_parse(const char *text, struct follow_view *v) {
    const char *at = number_parse(text, UINT32_MAX, &v->first);
    v->last = v->first;
    if (at && *at == '-') at = number_parse(at + 1, UINT32_MAX, &v->last);
    return at && !*at && v->first >= 1 && v->last >= v->first;
}
