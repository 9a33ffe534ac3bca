/* SPDX-License-Identifier: Apache-2.0 */
/* The frame: what the capture file or the interface says about a packet, before any of its bytes is read. */
#include "proto/frame/frame.h"

#include "field/print.h"
#include "proto/protos.h"

/* encap_of returns Wireshark's number for a LINKTYPE_ value, as frame.encap_type shows it. */
static unsigned encap_of(uint32_t linktype) {
    static const struct {
        uint16_t link, encap;
    } map[] = {
        {0, 15},    {1, 1},     {2, 184},   {3, 148},   {6, 2},     {7, 8},     {8, 3},     {9, 4},     {10, 6},
        {11, 10},   {12, 7},    {13, 38},   {14, 7},    {16, 11},   {18, 11},   {19, 11},   {32, 69},   {50, 4},
        {51, 139},  {99, 61},   {100, 10},  {101, 7},   {104, 28},  {105, 20},  {106, 11},  {107, 26},  {108, 174},
        {109, 38},  {112, 28},  {113, 25},  {114, 30},  {117, 39},  {118, 29},  {119, 21},  {121, 32},  {122, 18},
        {123, 13},  {127, 23},  {128, 37},  {129, 9},   {130, 81},  {131, 82},  {133, 87},  {135, 68},  {136, 151},
        {137, 67},  {138, 62},  {139, 75},  {140, 42},  {141, 43},  {142, 101}, {143, 33},  {147, 45},  {148, 46},
        {149, 47},  {150, 48},  {151, 49},  {152, 50},  {153, 51},  {154, 52},  {155, 53},  {156, 54},  {157, 55},
        {158, 56},  {159, 57},  {160, 58},  {161, 59},  {162, 60},  {163, 24},  {165, 63},  {167, 76},  {169, 66},
        {170, 178}, {171, 179}, {172, 77},  {173, 78},  {178, 83},  {179, 84},  {180, 85},  {181, 86},  {183, 91},
        {184, 181}, {186, 92},  {187, 41},  {188, 93},  {189, 95},  {190, 109}, {192, 97},  {195, 104}, {196, 100},
        {197, 98},  {199, 103}, {200, 197}, {201, 99},  {202, 147}, {203, 131}, {204, 19},  {209, 112}, {210, 106},
        {211, 108}, {212, 107}, {213, 111}, {214, 105}, {215, 113}, {220, 115}, {224, 121}, {225, 122}, {226, 124},
        {227, 125}, {228, 129}, {229, 130}, {230, 127}, {231, 146}, {235, 132}, {236, 133}, {237, 157}, {239, 141},
        {240, 135}, {241, 136}, {242, 180}, {243, 138}, {245, 140}, {248, 149}, {249, 152}, {250, 153}, {251, 154},
        {252, 155}, {253, 158}, {254, 159}, {255, 160}, {256, 161}, {258, 171}, {259, 172}, {260, 173}, {264, 177},
        {266, 182}, {268, 36},  {270, 183}, {271, 185}, {272, 186}, {273, 199}, {274, 198}, {275, 200}, {276, 210},
        {279, 204}, {280, 205}, {283, 206}, {287, 211}, {288, 208}, {290, 212}, {292, 214}, {293, 215}, {294, 216},
        {295, 217}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (map[i].link == linktype) return map[i].encap;
    return 0;
}

/* comments_add shows what people wrote to the packet, before the packet itself. */
static void comments_add(struct decode *d) {
    const struct packet *p = d->pkt;
    if (!p->comments[0].p) return;
    fv_open(d->out, FID_PKT_COMMENT, 0, 0);
    for (size_t i = 0; i < sizeof p->comments / sizeof *p->comments && p->comments[i].p; i++) {
        uint32_t at = fv_open(d->out, FID_FRAME_COMMENT, 0, 0);
        if (at != FV_UNWANTED) fv_at(d->out, at)->s = p->comments[i];
        d_anomaly(d, FID_FRAME_COMMENT_EXPERT, 0, 0);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void interface_add(struct decode *d) {
    const struct capture_interface *i = d->pkt->iface;
    if (d->pkt->section) fv_u(d->out, FID_FRAME_SECTION, 0, 0, d->pkt->section);
    if (!i->has_name) return;
    uint32_t at = fv_open(d->out, FID_FRAME_IFACE_ID, 0, 0);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = i->id;
    fv_s(d->out, FID_FRAME_IFACE_NAME, 0, 0, i->name.n ? i->name : SLICE("unknown"));
    if (i->description.n) fv_s(d->out, FID_FRAME_IFACE_DESCRIPTION, 0, 0, i->description);
    fv_close(d->out);
}

/* ---- a custom block of a pcapng file, which takes the place of a packet ---- */

static void block_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *pen = fv_first(v, FID_FRAME_CB_PEN, at, end), *copy = fv_first(v, FID_FRAME_CB_COPY, at, end);
    if (pen && copy) wr_f(w, "Custom Block: PEN = %u, will %sbe copied", (unsigned)pen->u, copy->u ? "" : "not ");
}

static const struct proto block = {
    .name = "frame", .column = "PCAPNG", .id = FID_FRAME, .end = FID_FRAME_END, .info = block_info};

static void block_begin(struct decode *d) {
    const struct packet *p = d->pkt;
    struct fvec *v = d->out;
    d_begin(d, &block, 0, (uint32_t)p->data.n);
    fv_u(v, FID_FRAME_SECTION, 0, 0, p->section);
    fv_u(v, FID_FRAME_NUMBER, 0, 0, p->number);
    fv_u(v, FID_FRAME_LEN, 0, 0, p->len);
    fv_u(v, FID_FRAME_CAP_LEN, 0, 0, p->data.n);
    fv_u(v, FID_FRAME_MARKED, 0, 0, 0);
    fv_u(v, FID_FRAME_IGNORED, 0, 0, 0);
    fv_u(v, FID_FRAME_CB_PEN, 0, 0, p->block_pen);
    fv_u(v, FID_FRAME_CB_COPY, 0, 0, p->block_copied);
    fv_add(v, FID_FRAME_PROTOCOLS, 0, 0);
    d_end(d);
}

void frame_begin(struct decode *d, const struct frame_times *t) {
    const struct packet *p = d->pkt;
    struct fvec *v = d->out;
    if (p->is_block) {
        block_begin(d);
        return;
    }
    comments_add(d);
    d_begin(d, &proto_frame, 0, (uint32_t)p->data.n);
    if (!want_any(v->want, FID_FRAME_SECTION, FID_FRAME_END) && p->len >= p->data.n) {
        d_end(d);
        return;
    }
    interface_add(d);
    if (p->has_flags) {
        d_open_u(d, FID_FRAME_PACKET_FLAGS, 0, 0, p->flags);
        for (uint16_t id = FID_FRAME_PACKET_FLAGS + 1; id < FID_FRAME_ENCAP; id++) {
            uint64_t mask = field_of(id)->mask;
            fv_u(v, id, 0, 0, (p->flags & mask) >> __builtin_ctzll(mask));
        }
        fv_close(v);
    }
    fv_u(v, FID_FRAME_ENCAP, 0, 0, encap_of(p->iface->linktype));
    if (p->has_ts) {
        __int128 at = packet_moment(p);
        fv_moment(v, FID_FRAME_TIME, 0, 0, at);
        fv_i(v, FID_FRAME_OFFSET_SHIFT, 0, 0, 0);
        fv_moment(v, FID_FRAME_TIME_EPOCH, 0, 0, at);
        fv_moment(v, FID_FRAME_TIME_DELTA, 0, 0, t->has_first ? at - t->previous : 0);
        fv_moment(v, FID_FRAME_TIME_DELTA_DISPLAYED, 0, 0, t->has_displayed ? at - t->displayed : 0);
        fv_moment(v, FID_FRAME_TIME_RELATIVE, 0, 0, t->has_first ? at - t->first : 0);
    }
    fv_u(v, FID_FRAME_NUMBER, 0, 0, p->number);
    fv_u(v, FID_FRAME_LEN, 0, 0, p->len);
    fv_u(v, FID_FRAME_CAP_LEN, 0, 0, p->data.n);
    if (p->len < p->data.n) d_anomaly(d, FID_FRAME_LEN_LT_CAPLEN, 0, 0);
    fv_u(v, FID_FRAME_MARKED, 0, 0, 0);
    fv_u(v, FID_FRAME_IGNORED, 0, 0, 0);
    fv_add(v, FID_FRAME_PROTOCOLS, 0, 0);
    d_end(d);
}

/* ethertype_follows tells whether a protocol's header ends with an EtherType. */
static bool ethertype_follows(const struct proto *p) {
    return p == &proto_eth || p == &proto_vlan || p == &proto_sll || p == &proto_avsp;
}

/* by_ethertype tells whether the layer after this one was chosen by an EtherType: the list names that step too. */
static bool by_ethertype(const struct decode *d, uint8_t i) {
    enum { LEAST_TYPE = 0x0600 };
    const struct proto *p = d->layer[i].proto, *next = i + 1 < d->layers ? d->layer[i + 1].proto : NULL;
    if (next == &proto_data && d->unknown_type && d->unknown_type < LEAST_TYPE) return false;
    return next && next != &proto_llc && next != &proto_cfp && ethertype_follows(p);
}

/* further tells whether layer i is one more message of the protocol of the layer before it, in the same bytes. */
static bool further(const struct decode *d, uint8_t i) {
    const struct layer_mark *m = &d->layer[i];
    return m->proto->stream && m->proto == m[-1].proto && m->src == m[-1].src;
}

/* steps_turn turns the chain of steps round: the first one is returned, and `before` leads to the next one. */
static const struct layer_step *steps_turn(struct decode *d, size_t *length) {
    const struct layer_step *first = NULL;
    for (const struct layer_step *s = d->steps; s; s = s->before) {
        struct layer_step *copy = arena_get(d->arena, sizeof *copy);
        if (!copy) return first;
        *copy = (struct layer_step){s->name, first, s->layers};
        *length += strlen(s->name) + 1;
        first = copy;
    }
    return first;
}

static void layer_name(struct writer *w, const struct decode *d, uint8_t i) {
    if (further(d, i) || d->layer[i].proto->unlisted) return;
    if (i > 1) wr_c(w, ':');
    if (d->layer[i].before) {
        wr_s(w, d->layer[i].before->name);
        wr_c(w, ':');
    }
    wr_s(w, d->layer[i].proto->name);
    if (by_ethertype(d, i)) wr_s(w, ":ethertype");
}

void frame_end(struct decode *d) {
    if (!d_wants(d, FID_FRAME_PROTOCOLS)) return;
    size_t n = 0;
    const struct layer_step *step = steps_turn(d, &n);
    for (uint8_t i = 1; i < d->layers; i++)
        n += strlen(d->layer[i].proto->name) + sizeof ":ethertype" +
             (d->layer[i].before ? strlen(d->layer[i].before->name) + 1 : 0);
    char *text = arena_get(d->arena, n + 1);
    if (!text) return;
    struct writer w = wr_fixed(text, n + 1);
    for (uint8_t i = 1; i < d->layers; i++) {
        layer_name(&w, d, i);
        for (; step && step->layers <= i + 1; step = step->before) {
            wr_c(&w, ':');
            wr_s(&w, step->name);
        }
    }
    for (uint32_t i = 0; i < d->out->n; i++)
        if (d->out->v[i].id == FID_FRAME_PROTOCOLS) d->out->v[i].s = wr_done(&w);
}

static void bits(struct writer *w, uint64_t bytes, const char *what) {
    wr_number(w, "", bytes, bytes == 1 ? " byte" : " bytes");
    wr_s(w, what);
    wr_number(w, " (", bytes * 8, " bits)");
}

static void title(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *number = fv_first(v, FID_FRAME_NUMBER, at, end), *len = fv_first(v, FID_FRAME_LEN, at, end);
    const struct fval *cap = fv_first(v, FID_FRAME_CAP_LEN, at, end),
                      *name = fv_first(v, FID_FRAME_IFACE_NAME, at, end);
    const struct fval *id = fv_first(v, FID_FRAME_IFACE_ID, at, end);
    const struct fval *pen = fv_first(v, FID_FRAME_CB_PEN, at, end), *copy = fv_first(v, FID_FRAME_CB_COPY, at, end);
    if (!number || !len || !cap) return;
    if (pen && copy) {
        wr_f(w, "PCAPNG Custom Block %llu: ", (unsigned long long)number->u);
        bits(w, len->u, " of custom data and options");
        wr_f(w, ", PEN %u, copying %s", (unsigned)pen->u, copy->u ? "allowed" : "forbidden");
        return;
    }
    wr_number(w, "Frame ", number->u, ": ");
    bits(w, len->u, " on wire");
    wr_s(w, ", ");
    bits(w, cap->u, " captured");
    if (!name || !id) return;
    wr_s(w, " on interface ");
    print_string(w, name->s);
    wr_number(w, ", id ", id->u, "");
}

static bool frame_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct fval *name;
    switch (f->id) {
    case FID_FRAME: title(w, v, at); return true;
    case FID_FRAME_LEN:
    case FID_FRAME_CAP_LEN:
        wr_s(w, field_of(f->id)->label);
        wr_s(w, ": ");
        bits(w, f->u, "");
        return true;
    case FID_FRAME_IFACE_ID:
        name = fv_first(v, FID_FRAME_IFACE_NAME, at, v->n);
        wr_number(w, "Interface id: ", f->u, "");
        if (name) {
            wr_s(w, " (");
            print_string(w, name->s);
            wr_c(w, ')');
        }
        return true;
    case FID_FRAME_COMMENT: print_string(w, f->s); return true;
    case FID_FRAME_COMMENT_EXPERT: {
        const struct fval *comment = at ? &v->v[at - 1] : f;
        if (comment->id != FID_FRAME_COMMENT) return false;
        print_string(w, comment->s);
        return true;
    }
    default: return false;
    }
}

static const uint16_t block_fields[] = {FID_FRAME_CB_PEN, FID_FRAME_CB_COPY, 0};
const struct proto proto_frame = {
    .name = "frame", .id = FID_FRAME, .end = FID_FRAME_END, .info_fields = block_fields, .label = frame_label};
