/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: what an application's messages carry is found among the packet's fields, each with the source
 * its bytes stand in, so what was put together, decrypted or decompressed is followed like the rest. A chunk is: of TLS
 * the application data of a record that could be opened; of HTTP the head of a message, and its body without transfer
 * and content coding; of HTTP/2 a decompressed list of fields as lines, and the data of a frame; of WebSocket the
 * unmasked payload of a frame. Where HTTP/2 is followed by frames, a chunk is a frame, or instead of one with a list of
 * fields that list: each name and value behind its length. The ends are those of the first packet that has one. Nothing
 * is kept. */
#include "analyse/follow.h"

static const uint16_t wanted[FOLLOW_PROTOS][8] = {
    [FOLLOW_TLS] = {FID_TLS_PLAIN},
    [FOLLOW_HTTP] = {FID_HTTP, FID_HTTP_REQUEST, FID_HTTP_RESPONSE, FID_HTTP_FILE_DATA},
    [FOLLOW_HTTP2] = {FID_HTTP2_STREAM, FID_HTTP2_TYPE, FID_HTTP2_STREAMID, FID_HTTP2_HEADER_NAME,
                      FID_HTTP2_HEADER_VALUE, FID_HTTP2_DATA_DATA},
    [FOLLOW_WEBSOCKET] = {FID_WEBSOCKET, FID_WEBSOCKET_MASK, FID_WEBSOCKET_PAYLOAD},
};

void follow_app_want(enum follow_proto proto, struct want *w) {
    for (const uint16_t *id = wanted[proto]; *id; id++) want_add(w, *id);
}

enum { LIST_MAX = 32768 };

/* app is the walk over one packet. */
struct app {
    struct follow *f;
    const struct decode *d;
    const struct talk_addr *src, *dst;
    uint32_t substream;  /* of HTTP/2: the frame's */
    bool masked;         /* of WebSocket: the frame is */
    int source;          /* of WebSocket: where the next unmasked payload may be */
    struct slice name;   /* of HTTP/2: the field's */
    struct slice frame;  /* of HTTP/2: its bytes */
    uint64_t type;       /* of it */
    struct writer lines; /* of HTTP/2: the list of fields; LIST_MAX bytes make a chunk */
    char text[LIST_MAX];
};

static void ends_set(struct app *a) {
    struct follow *f = a->f;
    if (f->begun) return;
    f->begun = true;
    f->end[0] = *a->src;
    /* As in tshark, TLS knows only who sent first; the other side's address is not shown. */
    if (f->proto != FOLLOW_TLS) f->end[1] = *a->dst;
}

static void give(struct app *a, struct slice bytes) {
    struct follow *f = a->f;
    ends_set(a);
    struct follow_chunk c = {.side = memcmp(a->src, &f->end[0], sizeof *a->src) != 0,
                             .bytes = bytes,
                             .frame = a->d->pkt->number,
                             .ts = a->d->pkt->ts};
    f->take(f->to, f, &c);
}

/* bytes_of returns the bytes a field stands on. */
static struct slice bytes_of(const struct app *a, const struct fval *v) {
    return slice_head(slice_tail(a->d->out->source[v->src].bytes, v->off), v->len);
}

/* head_of returns the head of the HTTP message that begins at v: up to and with its empty line. */
static struct slice head_of(const struct app *a, const struct fval *v) {
    struct slice in = slice_tail(a->d->out->source[v->src].bytes, v->off);
    const uint8_t *end = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
    return end ? slice_head(in, (size_t)(end - in.p) + 4) : slice_head(in, v->len);
}

/* lines_give hands on the fields of a list as one chunk. */
static void lines_give(struct app *a) {
    if (wr_len(&a->lines)) give(a, wr_done(&a->lines));
    a->lines = wr_fixed(a->text, sizeof a->text);
}

static void http2_field(struct app *a, const struct fval *v) {
    bool shown = !a->f->by_substream || a->substream == a->f->substream;
    if (v->id == FID_HTTP2_STREAMID) {
        lines_give(a);
        a->substream = (uint32_t)v->u;
    } else if (v->id == FID_HTTP2_HEADER_NAME) {
        a->name = v->s;
    } else if (v->id == FID_HTTP2_DATA_DATA && v->len && shown) {
        give(a, bytes_of(a, v));
    } else if (v->id == FID_HTTP2_HEADER_VALUE && shown) {
        if (wr_len(&a->lines) + a->name.n + v->s.n + 8 > LIST_MAX) lines_give(a);
        if (wr_len(&a->lines)) wr_c(&a->lines, '\n');
        wr_slice(&a->lines, a->name);
        wr_s(&a->lines, ": ");
        wr_slice(&a->lines, v->s);
    }
}

static void field_put(struct app *a, struct slice s) {
    uint8_t len[4] = {(uint8_t)(s.n >> 24), (uint8_t)(s.n >> 16), (uint8_t)(s.n >> 8), (uint8_t)s.n};
    wr_bytes(&a->lines, len, sizeof len);
    wr_slice(&a->lines, s);
}

/* http2_frame_field: a frame begins with its entry, whose type and stream are known behind it. */
static void http2_frame_field(struct app *a, const struct fval *v) {
    enum { HEADERS = 1, PUSH_PROMISE = 5, CONTINUATION = 9 };
    bool listed = a->type == HEADERS || a->type == PUSH_PROMISE || a->type == CONTINUATION;
    bool shown = !a->f->by_substream || a->substream == a->f->substream;
    if (v->id == FID_HTTP2_STREAM) {
        lines_give(a);
        a->frame = bytes_of(a, v);
    } else if (v->id == FID_HTTP2_TYPE) {
        a->type = v->u;
    } else if (v->id == FID_HTTP2_STREAMID) {
        a->substream = (uint32_t)v->u;
        if (!listed && (!a->f->by_substream || a->substream == a->f->substream)) give(a, a->frame);
    } else if (v->id == FID_HTTP2_HEADER_NAME) {
        a->name = v->s;
    } else if (v->id == FID_HTTP2_HEADER_VALUE && shown) {
        if (wr_len(&a->lines) + a->name.n + v->s.n + 8 > LIST_MAX) lines_give(a);
        field_put(a, a->name);
        field_put(a, v->s);
    }
}

/* websocket_field: what was masked stands in a source of its own; they come in the order of the frames. */
static void websocket_field(struct app *a, const struct fval *v) {
    const struct fvec *out = a->d->out;
    if (v->id == FID_WEBSOCKET_MASK) a->masked = v->u;
    if (v->id != FID_WEBSOCKET_PAYLOAD || !v->len) return;
    while (a->masked && a->source < out->sources && strcmp(out->source[a->source].name, "Unmasked data") != 0)
        a->source++;
    if (!a->masked) give(a, bytes_of(a, v));
    else if (a->source < out->sources) give(a, out->source[a->source++].bytes);
}

/* http_field: a message begins with the protocol's entry; that it has a head is said behind it. */
static void http_field(struct app *a, const struct fval *v, const struct fval **message) {
    if (v->id == FID_HTTP) *message = v;
    if ((v->id == FID_HTTP_REQUEST || v->id == FID_HTTP_RESPONSE) && *message) {
        give(a, head_of(a, *message));
        *message = NULL;
    }
    if (v->id == FID_HTTP_FILE_DATA) give(a, bytes_of(a, v));
}

void follow_app_packet(struct follow *f, const struct decode *d, const struct talk_addr *src,
                       const struct talk_addr *dst) {
    struct app a;
    a.f = f;
    a.d = d;
    a.src = src;
    a.dst = dst;
    a.substream = 0;
    a.type = 0;
    a.masked = false;
    a.source = 0;
    a.lines = wr_fixed(a.text, sizeof a.text);
    const struct fval *v = d->out->v, *end = v + d->out->n, *message = NULL;
    /* In TLS the first record that is opened begins the conversation, be it of the handshake. */
    for (int i = 0; f->proto == FOLLOW_TLS && i < d->out->sources; i++)
        if (strcmp(d->out->source[i].name, "Decrypted TLS") == 0) ends_set(&a);
    for (; v < end; v++) {
        switch (f->proto) {
        case FOLLOW_TLS:
            if (v->id == FID_TLS_PLAIN) give(&a, bytes_of(&a, v));
            break;
        case FOLLOW_WEBSOCKET: websocket_field(&a, v); break;
        case FOLLOW_HTTP: http_field(&a, v, &message); break;
        default:
            if (f->frames) http2_frame_field(&a, v);
            else http2_field(&a, v);
        }
    }
    lines_give(&a);
}
