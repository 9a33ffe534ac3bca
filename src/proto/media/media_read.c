/* SPDX-License-Identifier: Apache-2.0 */
/* Content by its media type: what layer shows it, and those layers whose content is lines or a form. XML is named, not
 * taken apart; image_read.c has images, multipart_read.c bodies of several parts. */
#include "proto/media/media.h"

#include "base/hex.h"
#include "field/print.h"
#include "proto/http/http.h"
#include "proto/protos.h"

enum { LINES_MAX = 10000 };

bool media_wanted(const struct decode *d) {
    return want_any(d->out->want, FID_DATA_TEXT_LINES, FID_MEDIA_END) || d_wants(d, FID_FRAME_PROTOCOLS);
}

void media_begin(struct decode *d, const struct proto *p, struct slice type, struct slice data) {
    struct fval *f = fv_at(d->out, d_begin(d, p, d_off(d, data.p), (uint32_t)data.n));
    if (f) f->s = type; /* for its label */
}

static void empty_layer(struct decode *d, const struct proto *p, struct slice type, struct slice data) {
    media_begin(d, p, type, data);
    d_end(d);
}

static void lines_read(struct decode *d, struct slice type, struct slice data) {
    if (media_text_is_xml(data)) {
        d_step(d, "data-text-lines");
        empty_layer(d, &proto_xml, type, data);
        return;
    }
    media_begin(d, &proto_data_text_lines, type, data);
    for (unsigned i = 0; data.n && i < LINES_MAX && d_wants(d, FID_DATA_TEXT_LINES_LINE); i++) {
        const uint8_t *end = memchr(data.p, '\n', data.n);
        size_t n = end ? (size_t)(end - data.p) + 1 : data.n;
        fv_s(d->out, FID_DATA_TEXT_LINES_LINE, d_off(d, data.p), (uint32_t)n, slice_head(data, n));
        data = slice_tail(data, n);
    }
    d_end(d);
}

/* form_plain undoes the coding of a key or a value: + is a space, %41 a byte. */
static struct slice form_plain(struct decode *d, struct slice in) {
    uint8_t *out = arena_get(d->arena, in.n + 1);
    size_t n = 0;
    if (!out) return (struct slice){0};
    while (in.n) {
        int high = in.n > 2 && in.p[0] == '%' ? hex_digit(in.p[1]) : -1, low = high < 0 ? -1 : hex_digit(in.p[2]);
        out[n++] = (uint8_t)(low >= 0 ? high << 4 | low : in.p[0] == '+' ? ' ' : in.p[0]);
        in = slice_tail(in, low >= 0 ? 3 : 1);
    }
    return slice_of(out, n);
}

static struct slice part_take(struct slice *in, uint8_t by, bool *ended) {
    const uint8_t *at = in->n ? memchr(in->p, by, in->n) : NULL;
    struct slice part = slice_head(*in, at ? (size_t)(at - in->p) : in->n);
    *in = slice_tail(*in, part.n + (at != NULL));
    *ended = at != NULL;
    return part;
}

static void form_read(struct decode *d, struct slice type, struct slice data) {
    bool more, has_value;
    media_begin(d, &proto_urlencoded_form, type, data);
    for (unsigned i = 0;
         data.n && i < LINES_MAX && want_any(d->out->want, FID_URLENCODED_FORM_ITEM, FID_URLENCODED_FORM_END); i++) {
        struct slice value = part_take(&data, '&', &more), key;
        uint32_t off = d_off(d, value.p), whole = (uint32_t)value.n + more;
        key = part_take(&value, '=', &has_value);
        struct slice plain_key = form_plain(d, key), plain_value = form_plain(d, value);
        struct fval *item = fv_at(d->out, fv_open(d->out, FID_URLENCODED_FORM_ITEM, off, whole));
        if (http_key_secret(plain_key)) fv_secret(item);
        fv_s(d->out, FID_URLENCODED_FORM_KEY, off, (uint32_t)key.n, plain_key);
        struct fval *f =
            fv_s(d->out, FID_URLENCODED_FORM_VALUE, off + (uint32_t)key.n + has_value, (uint32_t)value.n, plain_value);
        if (http_key_secret(plain_key)) fv_secret(f);
        fv_close(d->out);
    }
    d_end(d);
}

static const struct {
    const char *type;
    enum media_kind kind;
} kinds[] = {
    {"text/plain", MEDIA_TEXT},
    {"text/html", MEDIA_TEXT},
    {"text/css", MEDIA_TEXT},
    {"text/javascript", MEDIA_TEXT},
    {"application/x-javascript", MEDIA_TEXT},
    {"text/richtext", MEDIA_TEXT},
    {"text/rtf", MEDIA_TEXT},
    {"text/enriched", MEDIA_TEXT},
    {"application/json", MEDIA_JSON},
    {"application/json-rpc", MEDIA_JSON},
    {"application/jsonrequest", MEDIA_JSON},
    {"application/x-ndjson", MEDIA_JSON},
    {"application/dds-web+json", MEDIA_JSON},
    {"application/problem+json", MEDIA_JSON},
    {"application/json-patch+json", MEDIA_JSON},
    {"application/merge-patch+json", MEDIA_JSON},
    {"application/vnd.oma.lwm2m+json", MEDIA_JSON},
    {"application/senml+json", MEDIA_JSON},
    {"application/sensml+json", MEDIA_JSON},
    {"text/xml", MEDIA_XML},
    {"application/xml", MEDIA_XML},
    {"application/rdf+xml", MEDIA_XML},
    {"application/rss+xml", MEDIA_XML},
    {"application/atom+xml", MEDIA_XML},
    {"application/xml-dtd", MEDIA_XML},
    {"application/xslt+xml", MEDIA_XML},
    {"application/soap+xml", MEDIA_XML},
    {"application/mathml+xml", MEDIA_XML},
    {"application/x-wms-logconnectstats", MEDIA_XML},
    {"application/pidf+xml", MEDIA_XML},
    {"application/xcap-diff+xml", MEDIA_XML},
    {"text/vnd.wap.wml", MEDIA_XML},
    {"text/vnd.wap.si", MEDIA_XML},
    {"text/vnd.wap.sl", MEDIA_XML},
    {"text/vnd.wap.co", MEDIA_XML},
    {"text/vnd.wap.emn", MEDIA_XML},
    {"message/imdn+xml", MEDIA_XML},
    {"application/vnd.etsi.aoc+xml", MEDIA_XML},
    {"application/rls-services+xml", MEDIA_XML},
    {"application/poc-settings+xml", MEDIA_XML},
    {"application/watcherinfo+xml", MEDIA_XML},
    {"application/resource-lists+xml", MEDIA_XML},
    {"application/xcap-el+xml", MEDIA_XML},
    {"application/auth-policy+xml", MEDIA_XML},
    {"application/ccmp+xml", MEDIA_XML},
    {"application/conference-info+xml", MEDIA_XML},
    {"application/media_control+xml", MEDIA_XML},
    {"application/note+xml", MEDIA_XML},
    {"application/simple-filter+xml", MEDIA_XML},
    {"image/svg+xml", MEDIA_XML},
    {"message/rfc822", MEDIA_MAIL},
    {"application/octet-stream", MEDIA_DATA},
    {"application/grpc", MEDIA_SILENT},
    {"application/grpc+proto", MEDIA_SILENT},
    {"application/grpc-web", MEDIA_SILENT},
    {"application/grpc-web+proto", MEDIA_SILENT},
    {"application/cbor", MEDIA_SILENT},
    {"application/cbor-seq", MEDIA_SILENT},
    {"application/senml+cbor", MEDIA_SILENT},
    {"application/sensml+cbor", MEDIA_SILENT},
    {"application/cose", MEDIA_SILENT},
    {"application/cose-key", MEDIA_SILENT},
    {"application/vnd.oma.lwm2m+tlv", MEDIA_SILENT},
    {"application/x-fcs", MEDIA_SILENT},
};

enum media_kind media_kind_of(struct slice type) {
    if (slice_starts(type, SLICE("multipart/"))) return MEDIA_MULTIPART;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_eq(type, slice_str(kinds[i].type))) return kinds[i].kind;
    return MEDIA_OTHER;
}

bool media_read(struct decode *d, struct slice type, struct slice data) {
    enum media_kind kind = media_kind_of(type);
    const struct proto *image = kind == MEDIA_OTHER ? media_image_of(data) : NULL;
    if (!data.n || (!type.n && !image)) return false;
    if (slice_eq(type, SLICE("application/ocsp-response")) || slice_eq(type, SLICE("application/ocsp-request")))
        d->ops->call(d, &proto_ocsp, data);
    else if (kind == MEDIA_MAIL) d->ops->call(d, &proto_imf, data);
    else if (slice_eq(type, SLICE("application/ipp"))) d->ops->call(d, &proto_ipp, data);
    else if (slice_eq(type, SLICE("application/vnd.wap.mms-message"))) d->ops->call(d, &proto_mmse, data);
    else if (slice_eq(type, SLICE("application/pkix-crl"))) empty_layer(d, &proto_crl, type, data);
    else if (slice_eq(type, SLICE("application/dns-message"))) d->ops->call(d, &proto_dns, data); /* RFC 8484 6 */
    else if (kind == MEDIA_SILENT || kind == MEDIA_MULTIPART || (kind != MEDIA_DATA && !media_wanted(d))) return true;
    else if (kind == MEDIA_TEXT) lines_read(d, type, data);
    else if (kind == MEDIA_JSON) {
        struct slice rest = slice_tail(data, media_json_read(d, type, data));
        if (rest.n) lines_read(d, type, rest);
    } else if (kind == MEDIA_XML) empty_layer(d, &proto_xml, type, data);
    else if (slice_eq(type, SLICE("application/x-www-form-urlencoded"))) form_read(d, type, data);
    else if (image) media_image_read(d, image, type, data);
    else return false;
    return true;
}

void media_or_data_read(struct decode *d, struct slice type, struct slice data) {
    if (media_read(d, type, data)) return;
    if (!type.n || media_kind_of(type) == MEDIA_DATA) d_data(d, data);
    else if (data.n && media_wanted(d)) empty_layer(d, &proto_media, type, data);
}

/* ipp_read: RFC 8010 3.1.1. The attributes are not taken apart. */
static void ipp_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{0, 4}, {FID_IPP_REQUEST_ID, 4}};
    d_layer(d, &proto_ipp, in, D_ROWS(rows));
}

static void lines_direct(struct decode *d, struct slice in) { lines_read(d, (struct slice){0}, in); }

static bool item_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_DATA_TEXT_LINES) {
        unsigned n = 0;
        for (uint32_t i = at + 1; i < v->n && v->v[i].id == FID_DATA_TEXT_LINES_LINE; i++) n++;
        wr_s(w, f->s.n ? "Line-based text data: " : "Line-based text data");
        print_string(w, f->s);
        wr_f(w, " (%u lines)", n);
        return true;
    }
    if (f->id == FID_JSON || f->id == FID_URLENCODED_FORM || f->id == FID_MEDIA) {
        wr_s(w, field_of(f->id)->label);
        wr_s(w, ": ");
        print_string(w, f->s);
        return true;
    }
    if (f->id == FID_DATA_TEXT_LINES_LINE) {
        size_t n = f->s.n;
        while (n && (f->s.p[n - 1] == '\n' || f->s.p[n - 1] == '\r')) n--;
        print_string(w, slice_head(f->s, n));
        return true;
    }
    if (f->id != FID_URLENCODED_FORM_ITEM) return false;
    const struct fval *key = fv_first(v, FID_URLENCODED_FORM_KEY, at, v->n),
                      *value = fv_first(v, FID_URLENCODED_FORM_VALUE, at, v->n);
    wr_s(w, "Form item: \"");
    if (key) print_string(w, key->s);
    wr_s(w, "\" = \"");
    if (value) print_string(w, value->s);
    wr_c(w, '"');
    return true;
}

#define LAYER(id_, name_) .name = (name_), .id = FID_##id_, .end = FID_##id_##_END, .inner = true, .label = item_label
const struct proto proto_data_text_lines = {LAYER(DATA_TEXT_LINES, "data-text-lines"), .read = lines_direct};
const struct proto proto_json = {LAYER(JSON, "json")};
const struct proto proto_xml = {LAYER(XML, "xml")};
const struct proto proto_urlencoded_form = {LAYER(URLENCODED_FORM, "urlencoded-form")};
const struct proto proto_image_gif = {LAYER(IMAGE_GIF, "image-gif")};
const struct proto proto_image_jfif = {LAYER(IMAGE_JFIF, "image-jfif")};
const struct proto proto_png = {LAYER(PNG, "png")};
const struct proto proto_crl = {LAYER(CRL, "text")};
const struct proto proto_ipp = {LAYER(IPP, "ipp"), .column = "IPP", .read = ipp_read};
const struct proto proto_media = {LAYER(MEDIA, "media")};
const struct proto proto_mime_multipart = {.name = "mime_multipart",
                                           .id = FID_MIME_MULTIPART,
                                           .end = FID_MIME_MULTIPART_END,
                                           .inner = true,
                                           .label = media_multipart_label};
