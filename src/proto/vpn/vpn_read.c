/* SPDX-License-Identifier: Apache-2.0 */
/* What tunnels show of themselves: ESP (RFC 4303 2), also inside UDP (RFC 3948 2), the header of the messages that
 * negotiate it (RFC 7296 3.1, RFC 2408 3.1), and WireGuard, which is recognised by type and length. What they carry is
 * encrypted. */
#include "proto/protos.h"

enum { KEEPALIVE = 0xff, MARKER = 4, INITIATOR = 0x08, RESPONSE = 0x20, IKE_2 = 2 };

static void esp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_ESP_SPI, 4}, {FID_ESP_SEQUENCE, 4}};
    d_layer(d, &proto_esp, in, D_ROWS(rows));
}

static void esp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *spi = fv_first(v, FID_ESP_SPI, at, end);
    if (spi) wr_f(w, "ESP (SPI=0x%08x)", (unsigned)spi->u);
}

/* udpencap_read tells what travels to and from port 4500 apart (RFC 3948 2.1 to 2.3). */
static void udpencap_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    bool alive = in.n == 1 && in.p[0] == KEEPALIVE, marked = in.n >= MARKER && !load_be32(in.p);
    uint32_t at = d_begin(d, &proto_udpencap, rd_off(&r), 0);
    if (alive) fv_add(d->out, FID_UDPENCAP_NAT_KEEPALIVE, rd_off(&r), 1);
    if (marked) fv_add(d->out, FID_UDPENCAP_NON_ESP_MARKER, rd_off(&r), MARKER);
    rd_skip(&r, alive ? 1 : marked ? MARKER : 0);
    if (!alive && in.n < MARKER) rd_fail(&r);
    fv_set_len(d->out, at, alive ? 1 : marked ? MARKER : 0);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && rd_left(&r)) d->ops->call(d, marked ? &proto_isakmp : &proto_esp, rd_rest(&r));
}

static void udpencap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    if (fv_first(v, FID_UDPENCAP_NAT_KEEPALIVE, at, end)) wr_s(w, "NAT-keepalive");
}

static void isakmp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {
        {FID_ISAKMP_ISPI, 8},         {FID_ISAKMP_RSPI, 8},  {FID_ISAKMP_NEXTPAYLOAD, 1},
        {FID_ISAKMP_VERSION, 1},      {FID_ISAKMP_MJVER, 0}, {FID_ISAKMP_MNVER, 0},
        {FID_ISAKMP_EXCHANGETYPE, 1}, {FID_ISAKMP_FLAGS, 1}, {FID_ISAKMP_MESSAGEID, 4}};
    enum { HEADER = 28 }; /* RFC 7296 3.1: what is shorter is none, as what keeps an address translation alive */
    if (in.n < HEADER) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_isakmp, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    if (load_be32(r.p) > in.n) rd_fail(&r); /* the header counts, too: RFC 2408 3.1 */
    get_be32(d, &r, FID_ISAKMP_LENGTH);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void isakmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *exchange = fv_first(v, FID_ISAKMP_EXCHANGETYPE, at, end),
                      *flags = fv_first(v, FID_ISAKMP_FLAGS, at, end);
    const struct fval *version = fv_first(v, FID_ISAKMP_VERSION, at, end),
                      *id = fv_first(v, FID_ISAKMP_MESSAGEID, at, end);
    if (!exchange || !flags || !version || !id) return;
    const char *name = field_value_name(&vals_isakmp_exchangetype, exchange->u);
    wr_s(w, name ? name : "Unknown");
    if (version->u >> 4 != IKE_2) return;
    wr_f(w, " MID=%02u %s %s", (unsigned)id->u, flags->u & INITIATOR ? "Initiator" : "Responder",
         flags->u & RESPONSE ? "Response" : "Request");
}

enum { WG_INITIATION = 1, WG_RESPONSE, WG_COOKIE, WG_DATA, WG_TAG = 16 };

/* wg_recognises: data is padded to blocks, but not beyond what the path takes. */
static bool wg_recognises(struct slice in, enum known_as known) {
    static const size_t sizes[] = {[WG_INITIATION] = 148, [WG_RESPONSE] = 92, [WG_COOKIE] = 64};
    if (in.n < 32 || in.p[0] < WG_INITIATION || in.p[0] > WG_DATA || in.p[1] || in.p[2] || in.p[3]) return false;
    return in.p[0] == WG_DATA ? known || in.n % 16 == 0 : in.n == sizes[in.p[0]];
}

static void wg_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {{FID_WG_TYPE, 1}, {FID_WG_RESERVED, 3}};
    static const struct d_row sender[] = {{FID_WG_SENDER, 4, true}}, receiver[] = {{FID_WG_RECEIVER, 4, true}};
    static const struct d_row counter[] = {{FID_WG_COUNTER, 8, true}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_wg, rd_off(&r), (uint32_t)in.n);
    int type = rd_peek(&r, 0);
    d_rows(d, &r, D_ROWS(head));
    if (type == WG_INITIATION || type == WG_RESPONSE) d_rows(d, &r, D_ROWS(sender));
    if (type >= WG_RESPONSE) d_rows(d, &r, D_ROWS(receiver));
    if (type == WG_DATA) d_rows(d, &r, D_ROWS(counter));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void wg_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_WG_TYPE, at, end), *sender = fv_first(v, FID_WG_SENDER, at, end);
    const struct fval *receiver = fv_first(v, FID_WG_RECEIVER, at, end),
                      *counter = fv_first(v, FID_WG_COUNTER, at, end);
    uint32_t size = v->v[at].len, head = 16 + WG_TAG;
    const char *name = type ? field_value_name(&vals_wg_type, type->u) : NULL;
    if (!name) return;
    wr_s(w, counter && size == head ? "Keepalive" : name);
    if (sender) wr_f(w, ", sender=0x%08X", (unsigned)sender->u);
    if (receiver) wr_f(w, ", receiver=0x%08X", (unsigned)receiver->u);
    if (counter) wr_f(w, ", counter=%llu", (unsigned long long)counter->u);
    if (counter && size > head) wr_f(w, ", datalen=%u", size - head);
}

#define LAYER(name_, ID_)                                                                                              \
    .name = #name_, .id = FID_##ID_, .end = FID_##ID_##_END, .read = name_##_read, .info = name_##_info
static const uint16_t esp_fields[] = {FID_ESP_SPI, 0};
static const struct proto_key esp_keys[] = {{TABLE_IP, 50}, {TABLE_COUNT, 0}};
const struct proto proto_esp = {LAYER(esp, ESP), .column = "ESP", .keys = esp_keys, .info_fields = esp_fields};
static const uint16_t udpencap_fields[] = {FID_UDPENCAP_NAT_KEEPALIVE, 0};
static const struct proto_key udpencap_keys[] = {{TABLE_UDP, 4500}, {TABLE_COUNT, 0}};
const struct proto proto_udpencap = {LAYER(udpencap, UDPENCAP), .column = "UDPENCAP", .keys = udpencap_keys,
                                     .info_fields = udpencap_fields, .carrier = true};
static const uint16_t isakmp_fields[] = {FID_ISAKMP_EXCHANGETYPE, FID_ISAKMP_FLAGS, FID_ISAKMP_VERSION,
                                         FID_ISAKMP_MESSAGEID, 0};
static const struct proto_key isakmp_keys[] = {{TABLE_UDP, 500}, {TABLE_COUNT, 0}};
const struct proto proto_isakmp = {LAYER(isakmp, ISAKMP), .column = "ISAKMP", .keys = isakmp_keys,
                                   .info_fields = isakmp_fields};
static const uint16_t wg_fields[] = {FID_WG_TYPE, FID_WG_SENDER, FID_WG_RECEIVER, FID_WG_COUNTER, 0};
const struct proto proto_wg = {LAYER(wg, WG), .column = "WireGuard", .recognises = wg_recognises,
                               .info_fields = wg_fields};
