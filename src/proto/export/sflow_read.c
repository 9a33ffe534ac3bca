/* SPDX-License-Identifier: Apache-2.0 */
/* sFlow datagrams (sFlow version 5, sflow.org): of their samples the heads are read, and the beginnings of the packets
 * that were taken. */
#include "field/print.h"
#include "proto/protos.h"

enum { SAMPLES_MAX = 1024, RECORDS_MAX = 1024, FORMAT = 0xfff };
enum { ADDRESS_4 = 1, VERSION = 5, FLOW = 1, FLOW_EXPANDED = 3, RAW_HEADER = 1 };

/* header_pass hands on the beginning of a packet by the protocol of its header. */
static void header_pass(struct decode *d, uint32_t protocol, struct slice header) {
    enum { ETHERNET = 1, PPP = 7, IPV4 = 11, IPV6 = 12, MPLS = 13 };
    static const struct {
        uint8_t table; /* enum proto_table */
        uint16_t key;
    } known[] = {[ETHERNET] = {TABLE_LINK, 1},
                 [PPP] = {TABLE_LINK, 9},
                 [IPV4] = {TABLE_ETHERTYPE, 0x0800},
                 [IPV6] = {TABLE_ETHERTYPE, 0x86dd},
                 [MPLS] = {TABLE_ETHERTYPE, 0x8847}};
    if (protocol <= MPLS && known[protocol].key)
        d_quote(d, (enum proto_table)known[protocol].table, known[protocol].key, header);
}

static void raw_header_read(struct decode *d, struct reader *r) {
    uint32_t protocol = get_be32(d, r, FID_SFLOW_HEADER_PROTOCOL);
    get_be32(d, r, FID_SFLOW_FRAME_LENGTH);
    get_be32(d, r, FID_SFLOW_STRIPPED);
    uint32_t n = get_be32(d, r, FID_SFLOW_HEADER_LENGTH), off = rd_off(r);
    struct slice header = rd_take(r, rd_ok(r) ? n : 0);
    if (!rd_ok(r)) return;
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_SFLOW_HEADER, off, n));
    if (f) f->s = header;
    header_pass(d, protocol, header);
    fv_close(d->out);
}

/* format_read reads what a sample or a record is, and how long; it returns a reader over it. */
static struct reader format_read(struct decode *d, struct reader *r, uint16_t format, uint16_t length, uint32_t *kind) {
    uint32_t off = rd_off(r);
    *kind = rd_be32(r);
    if (rd_ok(r)) fv_u(d->out, FID_SFLOW_ENTERPRISE, off, 4, *kind >> 12);
    if (rd_ok(r)) fv_u(d->out, format, off, 4, *kind & FORMAT);
    uint32_t n = get_be32(d, r, length);
    return rd_sub(r, rd_ok(r) ? n : 0);
}

static void record_read(struct decode *d, struct reader *r) {
    uint32_t kind, off = rd_off(r), at = fv_open(d->out, FID_SFLOW_RECORD, off, 0);
    struct reader body = format_read(d, r, FID_SFLOW_RECORD_FORMAT, FID_SFLOW_RECORD_LENGTH, &kind);
    fv_set_len(d->out, at, rd_off(r) - off);
    if (rd_ok(&body) && kind == RAW_HEADER) raw_header_read(d, &body);
    fv_close(d->out);
    if (!rd_ok(&body)) rd_fail(r);
}

/* flow_read reads a sample of a flow, whose interfaces have one word each, or two. */
static void flow_read(struct decode *d, struct reader *r, bool expanded) {
    get_be32(d, r, FID_SFLOW_FLOW_SEQUENCE);
    rd_skip(r, expanded ? 8 : 4);
    get_be32(d, r, FID_SFLOW_FLOW_RATE);
    get_be32(d, r, FID_SFLOW_FLOW_POOL);
    get_be32(d, r, FID_SFLOW_FLOW_DROPS);
    rd_skip(r, expanded ? 16 : 8);
    uint32_t records = get_be32(d, r, FID_SFLOW_FLOW_RECORDS);
    for (uint32_t i = 0; i < records && i < RECORDS_MAX && rd_ok(r); i++) record_read(d, r);
}

static void sample_read(struct decode *d, struct reader *r) {
    uint32_t kind, off = rd_off(r), at = fv_open(d->out, FID_SFLOW_SAMPLE, off, 0);
    struct reader body = format_read(d, r, FID_SFLOW_SAMPLETYPE, FID_SFLOW_SAMPLE_LENGTH, &kind);
    fv_set_len(d->out, at, rd_off(r) - off);
    if (rd_ok(&body) && (kind == FLOW || kind == FLOW_EXPANDED)) flow_read(d, &body, kind == FLOW_EXPANDED);
    fv_close(d->out);
    if (!rd_ok(&body)) rd_fail(r);
}

static void sflow_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {{FID_SFLOW_VERSION, 4}, {FID_SFLOW_AGENTTYPE, 4}};
    static const struct d_row rest[] = {
        {FID_SFLOW_SEQUENCE_NUMBER, 4}, {FID_SFLOW_SYSUPTIME, 4}, {FID_SFLOW_NUMSAMPLES, 4}};
    struct reader r = d_reader(d, in);
    uint32_t version = in.n >= 4 ? load_be32(in.p) : 0;
    if (version != 2 && version != 4 && version != VERSION) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_sflow, rd_off(&r), (uint32_t)in.n);
    uint32_t kind = in.n >= 8 ? load_be32(in.p + 4) : 0;
    d_rows(d, &r, D_ROWS(head));
    if (kind == ADDRESS_4) get_be32(d, &r, FID_SFLOW_AGENT);
    else rd_skip(&r, 16);
    if (version == VERSION) get_be32(d, &r, FID_SFLOW_SUB_AGENT_ID);
    d_rows(d, &r, D_ROWS(rest));
    uint32_t samples = version == VERSION && rd_ok(&r) ? load_be32(r.p - 4) : 0;
    for (uint32_t i = 0; i < samples && i < SAMPLES_MAX && rd_ok(&r); i++) sample_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void sflow_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_SFLOW_VERSION, at, end),
                      *agent = fv_first(v, FID_SFLOW_AGENT, at, end);
    const struct fval *sub = fv_first(v, FID_SFLOW_SUB_AGENT_ID, at, end),
                      *seq = fv_first(v, FID_SFLOW_SEQUENCE_NUMBER, at, end);
    const struct fval *samples = fv_first(v, FID_SFLOW_NUMSAMPLES, at, end);
    if (!version || !seq || !samples) return;
    wr_f(w, "V%u", (unsigned)version->u);
    if (agent) {
        wr_s(w, ", agent ");
        print_value(w, field_of(agent->id), agent);
    }
    if (sub) wr_f(w, ", sub-agent ID %u", (unsigned)sub->u);
    wr_f(w, ", seq %u, %u samples", (unsigned)seq->u, (unsigned)samples->u);
}

static const uint16_t info_fields[] = {FID_SFLOW_VERSION,         FID_SFLOW_AGENT,      FID_SFLOW_SUB_AGENT_ID,
                                       FID_SFLOW_SEQUENCE_NUMBER, FID_SFLOW_NUMSAMPLES, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 6343}, {TABLE_COUNT, 0}};
const struct proto proto_sflow = {.name = "sflow",
                                  .column = "sFlow",
                                  .id = FID_SFLOW,
                                  .end = FID_SFLOW_END,
                                  .keys = keys,
                                  .read = sflow_read,
                                  .info = sflow_info,
                                  .info_fields = info_fields,
                                  .carrier = true};
