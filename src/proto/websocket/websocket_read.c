/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: WebSocket (RFC 6455) in a stream, after HTTP's upgrade.
 *
 * Every frame gives its length up front, so the stream is cut without looking at payloads. A masked payload is
 * unmasked into the packet's memory. A message of several frames is collected per side, up to WEBSOCKET_MESSAGE_MAX,
 * and shown whole with its last frame; control frames may stand between. A compressed message (RFC 7692, first
 * reserved bit) is unfolded with an inflater that lives as long as the conversation, because a message may refer to
 * the ones before it; after bytes were lost, or a message failed, later ones that do so cannot be read any more. */
#include "proto/websocket/websocket.h"

#include "base/lines.h"
#include "field/print.h"
#include "proto/media/media.h"
#include "proto/protos.h"

struct read_result websocket_frame_read(struct slice in, struct websocket_frame *f) {
    static const struct read_result bad = {.status = READ_BAD};
    struct reader r = rd_init(in, in.p);
    uint8_t first = rd_u8(&r), second = rd_u8(&r);
    *f = (struct websocket_frame){
        .fin = first >> 7, .rsv = first >> 4 & 7, .opcode = first & 15, .masked = second >> 7, .length7 = second & 127};
    f->length = f->length7 == 126 ? rd_be16(&r) : f->length7 == 127 ? rd_be64(&r) : f->length7;
    struct slice key = rd_take(&r, f->masked ? 4 : 0);
    f->head = (uint8_t)(2 + (f->length7 == 126 ? 2 : f->length7 == 127 ? 8 : 0) + (f->masked ? 4 : 0));
    if (!rd_ok(&r)) return (struct read_result){.status = READ_MORE, .needed = in.n < 2 ? 2 : f->head};
    if (f->length > INT64_MAX) return bad; /* RFC 6455 5.2: the most significant bit must be 0 */
    if (key.n) memcpy(f->key, key.p, 4);
    if (rd_left(&r) < f->length)
        return (struct read_result){.status = READ_MORE, .needed = f->head + (size_t)f->length};
    f->payload = rd_take(&r, (size_t)f->length);
    return (struct read_result){.status = READ_OK, .consumed = f->head + (size_t)f->length};
}

/* unmask returns the payload as it was meant, in the arena where it was masked; empty without memory. */
static struct slice unmask(struct arena *arena, const struct websocket_frame *f) {
    if (!f->masked || !f->payload.n) return f->payload;
    uint8_t *out = arena_get(arena, f->payload.n);
    if (!out) return (struct slice){0};
    size_t i = 0;
    uint32_t key, four;
    memcpy(&key, f->key, sizeof key);
    for (; i + sizeof four <= f->payload.n; i += sizeof four) { /* RFC 6455 5.3 */
        memcpy(&four, f->payload.p + i, sizeof four);
        four ^= key;
        memcpy(out + i, &four, sizeof four);
    }
    for (; i < f->payload.n; i++) out[i] = f->payload.p[i] ^ f->key[i & 3];
    return slice_of(out, f->payload.n);
}

static void header_add(struct decode *d, const struct websocket_frame *f, uint32_t off) {
    bool control = f->opcode >= WS_CLOSE;
    fv_u(d->out, FID_WEBSOCKET_FIN, off, 1, f->fin);
    fv_u(d->out, FID_WEBSOCKET_RSV, off, 1, f->rsv);
    if (f->rsv & 4) fv_u(d->out, FID_WEBSOCKET_PMC, off, 1, 1);
    fv_u(d->out, FID_WEBSOCKET_OPCODE, off, 1, f->opcode);
    if ((f->rsv & 3) || (control && f->rsv)) d_anomaly(d, FID_WEBSOCKET_BAD_RESERVED, off, 1);
    if (control && (!f->fin || f->length > 125)) d_anomaly(d, FID_WEBSOCKET_BAD_CONTROL, off, 2);
    fv_u(d->out, FID_WEBSOCKET_MASK, off + 1, 1, f->masked);
    fv_u(d->out, FID_WEBSOCKET_LENGTH, off + 1, 1, f->length7);
    if (f->length7 == 126) fv_u(d->out, FID_WEBSOCKET_LENGTH_16, off + 2, 2, f->length);
    if (f->length7 == 127) fv_u(d->out, FID_WEBSOCKET_LENGTH_64, off + 2, 8, f->length);
    if ((f->length7 == 126 && f->length < 126) || (f->length7 == 127 && f->length <= UINT16_MAX))
        d_anomaly(d, FID_WEBSOCKET_BAD_LENGTH, off + 1, (uint32_t)f->head - 1);
    if (!f->masked) return;
    struct slice key = arena_copy(d->arena, slice_of(f->key, 4));
    fv_s(d->out, FID_WEBSOCKET_KEY, off + f->head - 4, 4, key);
    if (f->length) fv_add(d->out, FID_WEBSOCKET_MASKED_PAYLOAD, off + f->head, (uint32_t)f->length);
}

static voidpf window_get(voidpf arena, uInt items, uInt size) { return arena_get(arena, (size_t)items * size); }
static void window_put(voidpf arena, voidpf p) { (void)arena, (void)p; }

enum { WINDOW_MEMORY = 96 * 1024 };

static bool inflater_start(struct decode *d, struct websocket_side *s) {
    if (s->inflating) return true;
    arena_free(&s->window);
    s->window = arena_make_of(WINDOW_MEMORY, d->kept);
    s->z = (z_stream){.zalloc = window_get, .zfree = window_put, .opaque = &s->window};
    s->inflating = inflateInit2(&s->z, -MAX_WBITS) == Z_OK;
    return s->inflating;
}

/* unfold_piece feeds bytes to the inflater; false where they are damaged or too much comes out. */
static bool unfold_piece(struct websocket_side *s, struct slice in, uint8_t *out, size_t room, size_t *have) {
    s->z.next_in = (Bytef *)(uintptr_t)in.p;
    s->z.avail_in = (uInt)in.n;
    s->z.next_out = out + *have;
    s->z.avail_out = (uInt)(room - *have);
    int rc = inflate(&s->z, Z_SYNC_FLUSH);
    *have = room - s->z.avail_out;
    if (rc == Z_STREAM_END) return inflateReset(&s->z) == Z_OK; /* RFC 7692 7.2.3.4 allows a final block */
    return (rc == Z_OK || rc == Z_BUF_ERROR) && s->z.avail_in == 0;
}

/* unfold returns a compressed message as it was: RFC 7692 7.2.2. */
static bool unfold(struct decode *d, struct websocket_side *s, struct slice in, struct slice *out) {
    size_t have = 0, room = in.n < 512 ? 4096 : in.n < WEBSOCKET_MESSAGE_MAX / 16 ? in.n * 16 : WEBSOCKET_MESSAGE_MAX;
    if (s->inflate_failed || in.n > WEBSOCKET_MESSAGE_MAX || !inflater_start(d, s)) return false;
    uint8_t *p = arena_get(d->arena, room);
    bool ok = p && unfold_piece(s, in, p, room, &have);
    while (p && !ok && s->z.avail_out == 0 && room < WEBSOCKET_MESSAGE_MAX) {
        size_t larger = room < WEBSOCKET_MESSAGE_MAX / 4 ? room * 4 : WEBSOCKET_MESSAGE_MAX;
        uint8_t *q = arena_get(d->arena, larger);
        if (!q) break;
        memcpy(q, p, have);
        p = q;
        room = larger;
        ok = unfold_piece(s, slice_of(s->z.next_in, s->z.avail_in), p, room, &have);
    }
    ok = ok && unfold_piece(s, SLICE("\0\0\xff\xff"), p, room, &have);
    s->inflate_failed = !ok;
    *out = slice_of(p, have);
    return ok;
}

static void collect_reset(struct websocket_side *s) {
    arena_free(&s->pieces);
    s->first = s->last = NULL;
    s->count = 0;
    s->length = 0;
    s->open = s->compressed = s->overflow = false;
}

static void collect(struct websocket_side *s, uint64_t frame, struct slice bytes) {
    struct websocket_piece *piece = NULL;
    if (bytes.n <= WEBSOCKET_MESSAGE_MAX - s->length && s->count < WEBSOCKET_MESSAGE_MAX / 64)
        piece = arena_get(&s->pieces, sizeof *piece);
    if (!piece || s->overflow) {
        s->overflow = true;
        return;
    }
    *piece = (struct websocket_piece){frame, arena_copy(&s->pieces, bytes), NULL};
    if (piece->bytes.n < bytes.n) s->overflow = true;
    if (s->last) s->last->next = piece;
    else s->first = piece;
    s->last = piece;
    s->count++;
    s->length += piece->bytes.n;
}

/* source_add makes bytes that are not in the packet the present source. */
static bool source_add(struct decode *d, struct slice bytes, const char *name) {
    uint8_t own = fvec_add_source(d->out, bytes, name);
    if (own) d->out->src = own;
    return own != 0;
}

/* collected puts the pieces together in the packet's memory, as a new source that is selected. */
static struct slice collected(struct decode *d, struct websocket_side *s) {
    uint8_t *all = arena_get(d->arena, s->length + 1);
    size_t at = 0;
    if (!all) return (struct slice){0};
    for (const struct websocket_piece *p = s->first; p; p = p->next) {
        if (p->bytes.n) memcpy(all + at, p->bytes.p, p->bytes.n);
        at += p->bytes.n;
    }
    return source_add(d, slice_of(all, at), "Reassembled websocket Fragments") ? slice_of(all, at) : (struct slice){0};
}

/* pieces_add lists the frames a message came in; their bytes are in the present source. */
static void pieces_add(struct decode *d, const struct websocket_side *s) {
    uint32_t at = 0;
    fv_open(d->out, FID_WEBSOCKET_FRAGMENTS, 0, (uint32_t)s->length);
    for (const struct websocket_piece *p = s->first; p; p = p->next) {
        fv_u(d->out, FID_WEBSOCKET_FRAGMENT, at, (uint32_t)p->bytes.n, p->frame);
        at += (uint32_t)p->bytes.n;
    }
    fv_u(d->out, FID_WEBSOCKET_FRAGMENT_COUNT, 0, 0, s->count);
    fv_u(d->out, FID_WEBSOCKET_REASSEMBLED_LENGTH, 0, 0, s->length);
    fv_close(d->out);
}

static void close_add(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    fv_open(d->out, FID_WEBSOCKET_CLOSE, rd_off(&r), (uint32_t)in.n);
    if (in.n >= 2) get_be16(d, &r, FID_WEBSOCKET_CLOSE_CODE);
    if (rd_left(&r)) get_bytes(d, &r, FID_WEBSOCKET_CLOSE_REASON, rd_left(&r));
    fv_close(d->out);
}

static void binary_add(struct decode *d, struct websocket_state *st, int from, struct slice in) {
    bool known = st->carries && d->ops->stream_feed && d->ops->stream_feed(d, &st->inner, st->carries, from, in);
    if (!known) d_data(d, in);
}

/* payload_add shows a whole message or control frame; `in` lies in the present source. */
static void payload_add(struct decode *d, struct websocket_state *st, uint8_t opcode, struct slice in) {
    uint32_t off = d_off(d, in.p), len = (uint32_t)in.n;
    switch (opcode) {
    case WS_CONTINUE: fv_s(d->out, FID_WEBSOCKET_CONTINUE, off, len, in); break;
    case WS_TEXT: fv_s(d->out, FID_WEBSOCKET_TEXT, off, len, in); __attribute__((fallthrough));
    case WS_BINARY:
        st->message = in;
        st->message_src = d->out->src;
        st->binary = opcode == WS_BINARY;
        break;
    case WS_CLOSE: close_add(d, in); break;
    case WS_PING: fv_s(d->out, FID_WEBSOCKET_PING, off, len, in); break;
    case WS_PONG: fv_s(d->out, FID_WEBSOCKET_PONG, off, len, in); break;
    default: d_anomaly(d, FID_WEBSOCKET_UNKNOWN_OPCODE, off, len); fv_s(d->out, FID_WEBSOCKET_UNKNOWN, off, len, in);
    }
}

/* message_end shows a message whose last frame came. */
static void message_end(struct decode *d, struct websocket_state *st, int from, uint8_t opcode, bool compressed,
                        struct slice in) {
    if (compressed) {
        if (!unfold(d, &st->side[from], in, &in)) d_anomaly(d, FID_WEBSOCKET_INFLATE_FAILED, 0, 0);
        if (!in.n || !source_add(d, in, "Decompressed payload")) return;
    }
    if (in.n) payload_add(d, st, opcode, in);
}

/* data_frame takes the next frame of a message: RFC 6455 5.4. `in` is unmasked and in the present source. */
static void data_frame(struct decode *d, struct websocket_state *st, int from, const struct websocket_frame *f,
                       struct slice in) {
    struct websocket_side *s = &st->side[from];
    bool continues = f->opcode == WS_CONTINUE;
    if (continues != s->open) d_anomaly(d, FID_WEBSOCKET_BAD_CONTINUE, d_off(d, in.p), 0);
    if (!continues) collect_reset(s);
    if (!continues && f->fin) {
        message_end(d, st, from, f->opcode, f->rsv & 4, in);
        return;
    }
    if (!continues) {
        s->pieces = arena_make_of(2 * WEBSOCKET_MESSAGE_MAX, d->kept);
        s->opcode = f->opcode;
        s->compressed = f->rsv & 4;
        s->open = true;
    }
    if (s->open) collect(s, d->pkt->number, in);
    if (!f->fin && continues) {
        st->goes_on = in;
        st->message_src = d->out->src;
    }
    if (!f->fin || !s->open) return;
    if (s->overflow) {
        d_anomaly(d, FID_WEBSOCKET_TOO_LONG, 0, 0);
        if (s->compressed) s->inflate_failed = true;
    } else {
        struct slice all = collected(d, s);
        st->whole_src = all.p ? d->out->src : 0;
        if (all.n) message_end(d, st, from, s->opcode, s->compressed, all);
        if (st->whole_src) return; /* the pieces are still to be shown */
    }
    collect_reset(s);
}

/* beside_add shows what has entries beside the frame's: a piece that is not the last, or the pieces of a whole message.
 */
static void beside_add(struct decode *d, struct websocket_state *st, int from) {
    if (st->goes_on.n) {
        d->out->src = st->message_src;
        payload_add(d, st, WS_CONTINUE, st->goes_on);
        st->goes_on.n = 0;
    }
    if (!st->whole_src) return;
    d->out->src = st->whole_src;
    pieces_add(d, &st->side[from]);
    collect_reset(&st->side[from]);
    st->whole_src = 0;
}

static struct read_result websocket_read(struct decode *d, void *state, int from, struct slice in) {
    struct websocket_state *st = state;
    struct websocket_frame f;
    from &= 1;
    lines_ask(&st->side[from], offsetof(struct websocket_side, window));
    if (st->inner) lines_ask(st->inner, NESTED_HEAD);
    struct read_result r = websocket_frame_read(in, &f);
    if (r.status != READ_OK) return r;
    uint32_t off = d_off(d, in.p);
    uint8_t src = d->out->src;
    st->message.n = 0;
    d_begin(d, &proto_websocket, off, (uint32_t)r.consumed);
    header_add(d, &f, off);
    if (f.payload.n) {
        fv_open(d->out, FID_WEBSOCKET_PAYLOAD, f.masked ? off : off + f.head, (uint32_t)f.length);
        struct slice plain = unmask(d->arena, &f);
        if (plain.n && (!f.masked || source_add(d, plain, "Unmasked data"))) {
            if (f.opcode >= 3) payload_add(d, st, f.opcode, plain);
            else data_frame(d, st, from, &f, plain);
        }
        d->out->src = src;
        fv_close(d->out);
    } else if (f.opcode < 3) {
        data_frame(d, st, from, &f, slice_tail(in, f.head));
        d->out->src = src;
    }
    d_end(d);
    beside_add(d, st, from);
    d->out->src = src;
    if (!st->message.n || !d->ops) return r;
    d->out->src = st->message_src;
    if (st->binary) binary_add(d, st, from, st->message);
    else if (media_wanted(d)) d->ops->call(d, &proto_data_text_lines, st->message);
    d->out->src = src;
    return r;
}

static struct read_result websocket_cut(struct slice in) {
    struct websocket_frame f;
    return websocket_frame_read(in, &f);
}

static void websocket_closed(void *state, int from) {
    struct websocket_side *s = &((struct websocket_state *)state)->side[from & 1];
    collect_reset(s);
    arena_free(&s->window);
    s->inflating = false;
}

static void websocket_end(void *state) {
    struct websocket_state *st = state;
    for (int i = 0; i < 2; i++) websocket_closed(state, i);
    if (st->inner) st->inner->end(st->inner);
}

static void websocket_lost(void *state, int from) {
    struct websocket_state *st = state;
    struct websocket_side *s = &st->side[from & 1];
    collect_reset(s);
    if (st->inner) st->inner->lost(st->inner, from & 1);
    s->inflating = s->inflate_failed =
        false; /* the window no longer is what the sender refers to; messages that do not may be read */
}

static void mqtt_start(void *state) { ((struct websocket_state *)state)->carries = &proto_mqtt; }

static void websocket_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    if (fv_first(v, FID_WEBSOCKET, end, v->n)) return; /* the last frame of a packet has the column */
    const struct fval *op = fv_first(v, FID_WEBSOCKET_OPCODE, at, end), *fin = fv_first(v, FID_WEBSOCKET_FIN, at, end);
    const struct fval *mask = fv_first(v, FID_WEBSOCKET_MASK, at, end);
    if (!op || !fin || !mask) return;
    const char *name = field_value_name(&vals_websocket_opcode, op->u);
    wr_s(w, "WebSocket ");
    wr_s(w, name ? name : "Unknown Opcode");
    wr_s(w, fin->u ? " [FIN] " : " ");
    if (mask->u) wr_s(w, "[MASKED]");
}

static const uint16_t info_fields[] = {FID_WEBSOCKET, FID_WEBSOCKET_OPCODE, FID_WEBSOCKET_FIN, FID_WEBSOCKET_MASK, 0};
static const struct stream_ops stream = {.state_size = sizeof(struct websocket_state),
                                         .end = websocket_end,
                                         .read = websocket_read,
                                         .frame = websocket_cut,
                                         .lost = websocket_lost,
                                         .closed = websocket_closed};
static const struct stream_ops mqtt_stream = {.state_size = sizeof(struct websocket_state),
                                              .start = mqtt_start,
                                              .end = websocket_end,
                                              .read = websocket_read,
                                              .frame = websocket_cut,
                                              .lost = websocket_lost,
                                              .closed = websocket_closed};
const struct proto proto_websocket = {.name = "websocket",
                                      .column = "WebSocket",
                                      .id = FID_WEBSOCKET,
                                      .end = FID_WEBSOCKET_END,
                                      .stream = &stream,
                                      .info = websocket_info,
                                      .info_fields = info_fields,
                                      .info_plain = true};
const struct proto proto_websocket_mqtt = {.name = "websocket",
                                           .column = "WebSocket",
                                           .id = FID_WEBSOCKET,
                                           .end = FID_WEBSOCKET_END,
                                           .stream = &mqtt_stream,
                                           .info = websocket_info,
                                           .info_fields = info_fields,
                                           .info_plain = true};
