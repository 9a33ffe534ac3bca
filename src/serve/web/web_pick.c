/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web_pick.h"
#include "proto/protos.h"
#include <stdlib.h>
#include <time.h>

enum { WAIT_NS = 2000000 }; /* for the index in the making */

/* slot_of gives where a group stands, or the empty place for it. */
static size_t slot_of(const uint32_t *table, size_t room, uint32_t group) {
    size_t i = (uint32_t)(group * 0x9e3779b1u) % room;
    while (table[i] && table[i] != group) i = (i + 1) % room;
    return i;
}

bool web_pick_begin(struct web_pick *p, struct web_reading *r, struct web_index *x) {
    const struct want *want = &r->ds.driver.want;
    *p = (struct web_pick){.r = r, .pages = {.x = x}, .next_at = 2};
    p->needs_previous = want_has(want, FID_FRAME_TIME_DELTA);
    r->ds.times.first = web_index_begin(x, &r->ds.times.has_first);
    r->begin = moment_ns(r->ds.times.first);
    return web_index_seekable(x) && !capfile_next(r->file, &r->packet) && /* interfaces stand before the first packet */
           !capfile_seek(r->file, r->packet.offset, 1) && (p->next_at = 1);
}

void web_pick_end(struct web_pick *p) {
    web_pages_free(&p->pages);
    free(p->chosen);
    p->chosen = NULL;
}

void web_pick_free(struct web_pick *p) {
    if (!p) return;
    web_pick_end(p);
    web_reading_close(p->r);
    free(p);
}

static struct web_pick *parked_swap(struct web_index *x, struct web_pick *p) {
    pthread_mutex_lock(&x->lock);
    struct web_pick *was = x->parked;
    x->parked = p;
    pthread_mutex_unlock(&x->lock);
    return was;
}

void web_pick_park(struct web_pick *p) {
    web_reading_rest(p->r);
    p->r->c = NULL;
    web_pages_free(&p->pages);
    p->pages.block = 0;
    web_pick_free(parked_swap(p->pages.x, p));
}

struct web_pick *web_pick_take(struct web_index *x, uint32_t group, uint64_t number) {
    struct web_pick *p = parked_swap(x, NULL);
    bool fits = p && group != GROUP_ALL && p->number < number && p->n_chosen == 1 &&
                p->chosen[slot_of(p->chosen, p->room, group)] == group;
    if (fits) return p;
    web_pick_free(p);
    return NULL;
}

/* ---- the groups ---- */

static bool grow(struct web_pick *p) {
    size_t room = p->room ? p->room * 2 : 64;
    uint32_t *table = calloc(room, sizeof *table);
    if (!table) return false;
    for (size_t i = 0; i < p->room; i++)
        if (p->chosen[i]) table[slot_of(table, room, p->chosen[i])] = p->chosen[i];
    free(p->chosen);
    p->chosen = table;
    p->room = room;
    return true;
}

void web_pick_choose(struct web_pick *p, uint32_t group) {
    if (p->all) return;
    p->all = group == GROUP_ALL || (2 * (p->n_chosen + 1) > p->room && !grow(p));
    if (p->all) return;
    uint32_t *slot = &p->chosen[slot_of(p->chosen, p->room, group)];
    p->n_chosen += !*slot;
    *slot = group;
}

static bool web_pick_wanted(const struct web_pick *p) {
    return p->all || p->group == GROUP_ALL || (p->room && p->chosen[slot_of(p->chosen, p->room, p->group)]);
}

/* ---- the walk ---- */

static bool block_load(struct web_pick *p, uint64_t number) {
    if (p->first && number - p->first < p->frames) return true;
    p->first = 0;
    p->frames = web_page_places(p->pages.x, number, &p->places, &p->base);
    if ((number - 1) % INDEX_BLOCK >= p->frames) return false;
    p->first = number - (number - 1) % INDEX_BLOCK;
    return true;
}

/* web_pick_step goes to the next frame that has a row; false behind the last one. */
static bool web_pick_step(struct web_pick *p) {
    if (!block_load(p, p->number + 1)) return false;
    p->tcp += p->kind.tcp;
    p->udp += p->kind.udp;
    uint64_t at = ++p->number - p->first;
    p->kind = p->pages.x->kind[p->places.kind[at]];
    p->group = p->places.group[at];
    return true;
}

static void web_pick_again(struct web_pick *p) {
    p->number = p->tcp = p->udp = 0;
    p->kind = (struct index_kind){0};
}

uint64_t web_pick_offset(const struct web_pick *p) {
    return p->first ? p->base + p->places.offset[p->number - p->first] : p->base;
}

static const struct decode *web_pick_decode(struct web_pick *p) {
    struct web_reading *r = p->r;
    struct web_row before;
    uint64_t offset = web_pick_offset(p);
    if (atomic_load(&r->web->stopping)) return NULL;
    if (p->number != p->next_at && capfile_seek(r->file, offset, p->number)) return NULL;
    if (capfile_next(r->file, &r->packet)) return NULL;
    p->next_at = p->number + 1;
    r->packet.number = p->number;
    r->ds.driver.flows.tcp_streams = (uint32_t)p->tcp;
    r->ds.driver.flows.udp_streams = (uint32_t)p->udp;
    r->ds.times.has_first &= p->number > 1;
    if (p->number == 1) r->ds.times = (struct frame_times){0};
    else if (p->needs_previous && web_page_row(&p->pages, p->number - 1, &before)) r->ds.times.previous = before.at;
    const struct decode *d = dissector_packet(&r->ds, &r->packet);
    r->ds.times.first = web_index_begin(p->pages.x, &r->ds.times.has_first);
    return d;
}

const struct decode *web_pick_next(struct web_pick *p, uint64_t last) {
    while (p->number < last && web_pick_step(p))
        if (web_pick_wanted(p)) return web_pick_decode(p);
    return NULL;
}

bool web_pick_choose_frames(struct web_pick *p, const uint64_t *number, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!number[i] || !block_load(p, number[i])) return false;
        web_pick_choose(p, p->places.group[number[i] - p->first]);
    }
    return true;
}

bool web_pick_stream(struct web_pick *p, bool tcp, uint64_t stream) {
    bool found = false;
    while (!found && web_pick_step(p)) found = (tcp ? p->tcp + p->kind.tcp : p->udp + p->kind.udp) > stream;
    if (found) web_pick_choose(p, p->group);
    web_pick_again(p);
    return found;
}

/* ---- filters ---- */

/* own_fields has the protocols whose fields stand in packets of theirs only, and those that use another's fields. */
static const struct {
    const struct proto *of, *also[2];
} own_fields[] = {
    {&proto_mqtt, {0}},
    {&proto_tls, {0}},
    {&proto_websocket, {0}},
    {&proto_http2, {0}},
    {&proto_coap, {0}},
    {&proto_ntp, {0}},
    {&proto_dhcp, {0}},
    {&proto_arp, {0}},
    {&proto_icmp, {0}},
    {&proto_tcp, {0}},
    {&proto_udp, {0}},
    {&proto_data, {0}},
    {&proto_icmpv6, {0}},
    {&proto_igmp, {0}},
    {&proto_http, {&proto_ssdp}},
    {&proto_dns, {&proto_mdns, &proto_llmnr}},
};

static bool kind_has(const struct index_kind *k, const struct proto *p) {
    for (size_t i = 0; p && weir_protos[i]; i++)
        if (weir_protos[i] == p) return k->protos[i / 64] >> i % 64 & 1;
    return false;
}

/* there tells whether packets of a kind can have a field. */
static enum expr_guess there(void *to, uint16_t id) {
    const struct index_kind *k = to;
    const struct proto *p = proto_of(id);
    if (p && id == p->id) return kind_has(k, p) ? EXPR_YES : EXPR_NO;
    for (size_t i = 0; p && i < sizeof own_fields / sizeof *own_fields; i++) {
        if (own_fields[i].of != p) continue;
        bool may = kind_has(k, p) || kind_has(k, own_fields[i].also[0]) || kind_has(k, own_fields[i].also[1]);
        return may ? EXPR_MAYBE : EXPR_NO;
    }
    return EXPR_MAYBE;
}

static enum expr_guess guess_of(struct web_sift *s) {
    uint8_t *known = &s->guess[s->pick.places.kind[s->pick.number - s->pick.first]];
    if (!*known) *known = (uint8_t)(1 + (s->filter ? expr_guess(s->filter, there, &s->pick.kind) : EXPR_YES));
    return (enum expr_guess)(*known - 1);
}

/* choose_maybes chooses the groups of all frames that must be decoded. */
static void choose_maybes(struct web_sift *s) {
    while (web_pick_step(&s->pick)) {
        if (guess_of(s) != EXPR_MAYBE) continue;
        s->decodes = true;
        web_pick_choose(&s->pick, s->pick.group);
    }
    web_pick_again(&s->pick);
}

/* begin: false where it would be no help: frames that must be decoded are found only once the index is whole. */
static bool begin(struct web_sift *s, struct web_reading *r, struct web_index *x, const struct expr *filter) {
    memset(s, 0, sizeof *s);
    s->filter = filter;
    web_index_frames(x, &s->whole);
    if (filter && want_has(expr_want(filter), FID_FRAME_TIME_DELTA_DISPLAYED)) return false;
    if (!web_pick_begin(&s->pick, r, x)) return false;
    if (s->whole && filter) choose_maybes(s);
    return true;
}

struct web_reading *web_sift_open(struct web_sift *s, struct web_request *q, const char *path, struct web_index *x,
                                  const struct expr *filter, const struct want *want) {
    static const struct want nothing;
    bool whole; /* then rows are the index's, and nothing more has to be decoded than the filter asks for */
    web_index_frames(x, &whole);
    struct web_reading *r = web_reading_open(q, path, !whole ? want : filter ? expr_want(filter) : &nothing);
    if (!r || (s->on = begin(s, r, x, filter))) return r;
    web_sift_end(s);
    web_reading_close(r);
    return web_reading_open(q, path, want);
}

void web_sift_end(struct web_sift *s) { web_pick_end(&s->pick); }

/* what became of a frame: WAIT: it has no row yet, and a moment was waited; LOST: it must be decoded and cannot be here
 */
enum sifted { SIFT_NO, SIFT_MATCH, SIFT_OVER, SIFT_WAIT, SIFT_LOST };

static enum sifted look(struct web_sift *s) {
    bool whole = s->whole;
    if (!web_pick_step(&s->pick)) {
        if (!whole) web_index_frames(s->pick.pages.x, &s->whole);
        if (whole) return SIFT_OVER;
        if (!web_index_comes(s->pick.pages.x)) return SIFT_LOST;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
        return SIFT_WAIT;
    }
    enum expr_guess guess = guess_of(s);
    if (guess == EXPR_MAYBE && !s->decodes) return s->pick.number--, SIFT_LOST;
    if (!s->decodes || !web_pick_wanted(&s->pick)) return guess == EXPR_YES ? SIFT_MATCH : SIFT_NO;
    const struct decode *d = web_pick_decode(&s->pick);
    if (!d) return SIFT_LOST;
    return guess == EXPR_MAYBE ? (expr_match(s->filter, d->out) ? SIFT_MATCH : SIFT_NO)
                               : (guess == EXPR_YES ? SIFT_MATCH : SIFT_NO);
}

bool web_sift_step(struct web_sift *s, bool *match) {
    struct web_reading *r = s->pick.r;
    enum sifted found = look(s);
    r->packets = s->pick.number;
    *match = found == SIFT_MATCH;
    if (found == SIFT_LOST && !s->decodes) {
        s->on = false;
        s->skipped = s->pick.number;
        r->packets = 0;
        return true;
    }
    if (found != SIFT_OVER && found != SIFT_LOST) return true;
    r->rc = found == SIFT_OVER && !web_index_damaged(s->pick.pages.x) ? ERR_END : ERR_CUT;
    return false;
}
