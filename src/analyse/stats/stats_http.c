/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a request counts below the page that led to it, a redirection's target below the page that was
 * asked for; who leads is the Referer or, for an answer, its request. A page that leads is the one of that name that
 * was counted last, and each step to a page counts for all above it. Names and numbers are tshark's. */
#include "analyse/stats/stats_tree.h"
#include "field/print.h"

#include <stdio.h>

static const char sequences[] = "HTTP Request Sequences";

/* step is what a message says of the way between pages. */
struct step {
    bool here, tunnel;   /* tunnel: only what goes through a proxy is here */
    const uint64_t *udp; /* its stream */
    struct slice method, uri, referer, location, base;
};

void http_seq_start(struct stats_tree *t) { tree_get(t, 0, sequences); }

/* name_make writes an address as a counter's name, cut to its room. */
static void name_make(char name[TREE_NAME], struct slice a, struct slice b, struct slice c) {
    struct writer w = wr_fixed(name, TREE_NAME - 1);
    const struct slice parts[] = {a, b, c};
    for (int i = 0; i < 3; i++) print_string(&w, slice_head(parts[i], TREE_NAME - 1));
    *w.p = 0;
}

static struct slice up_to(struct slice s, char c, size_t from) {
    const uint8_t *at = from < s.n ? memchr(s.p + from, c, s.n - from) : NULL;
    return at ? slice_head(s, (size_t)(at - s.p)) : s;
}

/* target_name resolves a Location header against the address that was asked for (RFC 3986 5.2); false: it has no host.
 */
static bool target_name(char name[TREE_NAME], struct slice base, struct slice to) {
    static const struct slice none = {0};
    const uint8_t *scheme = base.n ? memmem(base.p, base.n, "://", 3) : NULL;
    if (slice_holds(to, SLICE("://"))) {
        name_make(name, to, none, none);
        return true;
    }
    if (!scheme) return false;
    size_t host = (size_t)(scheme - base.p) + 3;
    struct slice site = up_to(base, '/', host), path = up_to(base, '?', host);
    while (path.n > site.n && path.p[path.n - 1] != '/') path.n--;
    if (slice_starts(to, SLICE("//"))) name_make(name, slice_head(base, host - 2), to, none);
    else if (to.n && to.p[0] == '/') name_make(name, site, to, none);
    else if (to.n && to.p[0] == '?') name_make(name, up_to(base, '?', host), to, none);
    else name_make(name, path, path.n > site.n ? none : SLICE("/"), to);
    return true;
}

/* step_count counts the page `from`, the one it led to, and all above that. */
static void step_count(struct stats_tree *t, const char *from, const char *to) {
    uint32_t root = tree_get(t, 0, sequences), *lately = tree_lately(t, from), page = lately ? *lately : TREE_FULL;
    if (!page) {
        page = tree_get(t, root, from);
        lately = tree_lately(t, from);
        if (lately) *lately = page;
    }
    tree_again(t, page);
    uint32_t at = tree_tick(t, page, to);
    lately = tree_lately(t, to);
    if (lately) *lately = at;
    while (at != TREE_FULL && tree_at(t, at)->parent) {
        at = tree_at(t, at)->parent;
        tree_again(t, at);
    }
}

/* asked_before tells whether a datagram's conversation had a request before, and notes this one. */
static bool asked_before(struct stats_tree *t, uint64_t stream) {
    char name[32];
    snprintf(name, sizeof name, "\001%llu", (unsigned long long)stream);
    uint32_t *lately = tree_lately(t, name);
    if (!lately) return false;
    bool before = *lately != 0;
    *lately = 1;
    return before;
}

static void step_take(struct stats_tree *t, struct step *s) {
    static const struct slice none = {0};
    char from[TREE_NAME], to[TREE_NAME];
    if (!s->here || s->tunnel) return;
    tree_clock(t);
    /* SSDP announces itself again and again: as in tshark, what it announces comes from the announcement before */
    if (s->udp && s->method.n && asked_before(t, *s->udp)) s->base = s->uri;
    if (s->location.n && s->base.n && target_name(to, s->base, s->location)) {
        name_make(from, s->base, none, none);
        step_count(t, from, to);
    }
    if (s->method.n && s->referer.n && s->uri.n) {
        name_make(from, s->referer, none, none);
        name_make(to, s->uri, none, none);
        step_count(t, from, to);
    }
}

void http_seq_packet(struct stats_tree *t, const struct decode *d) {
    struct step s = {0};
    const uint64_t *udp = NULL;
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        switch (f->id) {
        case FID_HTTP:
        case FID_SSDP:
            step_take(t, &s);
            s = (struct step){.here = true, .udp = udp};
            break;
        case FID_UDP_STREAM: udp = &f->u; break;
        case FID_HTTP_REQUEST_METHOD: s.method = f->s; break;
        case FID_HTTP_REQUEST_FULL_URI: s.uri = f->s; break;
        case FID_HTTP_REFERER: s.referer = f->s; break;
        case FID_HTTP_LOCATION: s.location = f->s; break;
        case FID_HTTP_RESPONSE_FOR_URI: s.base = f->s; break;
        case FID_HTTP_PROXY_CONNECT_HOST: s.tunnel = true; break;
        default: break;
        }
    }
    step_take(t, &s);
}

static const char *const lists[] = {"HTTP Response Status Codes", "HTTP Request Methods"};

void http_stat_start(struct stats_tree *t) {
    for (int i = 0; i < 2; i++) tree_get(t, 0, lists[i]);
}

/* code_count counts an answer; a code without a name counts among the others of its class. */
static void code_count(struct stats_tree *t, uint64_t code) {
    char text[TREE_NAME];
    const char *name = field_value_name(&vals_http_status, code);
    if (!name && (code < 100 || code > 599)) return;
    if (!name) code = code / 100 * 100 + 99;
    snprintf(text, sizeof text, "%3u %s", (unsigned)code, name ? name : field_value_name(&vals_http_status, code));
    tree_tick(t, tree_get(t, 0, lists[0]), text);
}

void http_stat_packet(struct stats_tree *t, const struct decode *d) {
    char text[TREE_NAME];
    static const struct slice none = {0};
    bool tunnel = false;
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id == FID_HTTP || f->id == FID_SSDP) tunnel = false;
        if (f->id == FID_HTTP_PROXY_CONNECT_HOST) tunnel = true;
        if (tunnel) continue;
        if (f->id == FID_HTTP_RESPONSE_CODE) code_count(t, f->u);
        if (f->id != FID_HTTP_REQUEST_METHOD) continue;
        name_make(text, slice_starts(f->s, SLICE("M-")) ? slice_tail(f->s, 2) : f->s, none, none); /* as in http,tree */
        tree_tick(t, tree_get(t, 0, lists[1]), text);
    }
}
