/* SPDX-License-Identifier: Apache-2.0 */
/* The words for frames of HTTP/2: the Info column and the tree lines that are not the table's. */
#include "field/print.h"
#include "proto/http2/http2.h"
#include "proto/protos.h"

const uint16_t http2_info_fields[] = {FID_HTTP2,
                                      FID_HTTP2_MAGIC,
                                      FID_HTTP2_TYPE,
                                      FID_HTTP2_STREAMID,
                                      FID_HTTP2_HEADERS_METHOD,
                                      FID_HTTP2_HEADERS_PATH,
                                      FID_HTTP2_HEADERS_STATUS,
                                      FID_HTTP2_MEDIA,
                                      0};

static void type_name(struct writer *w, uint64_t type) {
    const char *name = field_value_name(&vals_http2_type, type);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown type (%u)", (unsigned)type);
}

static void status_words(struct writer *w, uint64_t status) {
    const char *name = field_value_name(&vals_http_status, status);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", (unsigned)status);
}

/* message_words writes what a request asks for, or how a response answers. */
static void message_words(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, const char *before) {
    const struct fval *method = fv_first(v, FID_HTTP2_HEADERS_METHOD, at, end),
                      *path = fv_first(v, FID_HTTP2_HEADERS_PATH, at, end);
    const struct fval *status = fv_first(v, FID_HTTP2_HEADERS_STATUS, at, end);
    if (method && path) {
        wr_s(w, before);
        print_string(w, method->s);
        wr_c(w, ' ');
        print_told(w, v, path, path->s);
    }
    if (!status) return;
    wr_s(w, before);
    wr_u(w, status->u);
    wr_c(w, ' ');
    status_words(w, status->u);
}

void http2_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_HTTP2_TYPE, at, end), *stream = fv_first(v, FID_HTTP2_STREAMID, at, end);
    const struct fval *media = fv_first(v, FID_HTTP2_MEDIA, at, end);
    if (!type || !stream) {
        wr_s(w, "Magic");
        return;
    }
    type_name(w, type->u);
    wr_c(w, '[');
    wr_u(w, stream->u);
    wr_c(w, ']');
    message_words(w, v, at, end, ": ");
    if (media) print_string(w, media->s);
}

static bool stream_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *type = fv_first(v, FID_HTTP2_TYPE, at, end), *stream = fv_first(v, FID_HTTP2_STREAMID, at, end);
    const struct fval *length = fv_first(v, FID_HTTP2_LENGTH, at, end);
    wr_s(w, "Stream: ");
    if (!type || !stream || !length) {
        wr_s(w, type ? "" : "Magic");
        if (type) type_name(w, type->u);
        return true;
    }
    type_name(w, type->u);
    wr_f(w, ", Stream ID: %u, Length %u", (unsigned)stream->u, (unsigned)length->u);
    message_words(w, v, at, end, ", ");
    return true;
}

static bool header_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *name = fv_first(v, FID_HTTP2_HEADER_NAME, at, end),
                      *value = fv_first(v, FID_HTTP2_HEADER_VALUE, at, end);
    const struct fval *status = fv_first(v, FID_HTTP2_HEADERS_STATUS, at, end);
    if (!name || !value) return false;
    wr_s(w, "Header: ");
    print_string(w, name->s);
    wr_s(w, ": ");
    print_string(w, value->s);
    if (!status) return true;
    wr_c(w, ' ');
    status_words(w, status->u);
    return true;
}

static bool setting_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *id = at + 1 < v->n && v->v[at + 1].id == FID_HTTP2_SETTINGS_ID ? &v->v[at + 1] : NULL;
    const struct fval *value = id && at + 2 < v->n ? &v->v[at + 2] : NULL;
    if (!value) return false;
    const char *name = field_value_name(&vals_http2_setting, id->u);
    wr_s(w, "Settings - ");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", (unsigned)id->u);
    wr_f(w, " : %u", (unsigned)value->u);
    return true;
}

static bool flags_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    wr_s(w, "Flags: 0x");
    wr_hex(w, v->v[at].u, 2);
    for (uint32_t i = at + 1; i < end; i++) {
        const struct field *f = field_of(v->v[i].id);
        if (f->type != FT_BOOL || !v->v[i].u) continue;
        wr_s(w, ", ");
        wr_s(w, f->label);
    }
    return true;
}

static bool fragments_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t count = 0, end = fv_end(v, at);
    for (uint32_t i = at + 1; i < end; i++) count += v->v[i].id == FID_HTTP2_BODY_FRAGMENT;
    wr_f(w, "[%u Body fragment%s (%u bytes): ", (unsigned)count, count == 1 ? "" : "s", (unsigned)v->v[at].len);
    const char *between = "";
    for (uint32_t i = at + 1; i < end; i++) {
        if (v->v[i].id != FID_HTTP2_BODY_FRAGMENT) continue;
        wr_f(w, "%s#%llu(%u)", between, (unsigned long long)v->v[i].u, (unsigned)v->v[i].len);
        between = ", ";
    }
    wr_c(w, ']');
    return true;
}

bool http2_label(struct writer *w, const struct fvec *v, uint32_t at) {
    switch (v->v[at].id) {
    case FID_HTTP2_STREAM: return stream_label(w, v, at);
    case FID_HTTP2_HEADER: return header_label(w, v, at);
    case FID_HTTP2_SETTINGS: return setting_label(w, v, at);
    case FID_HTTP2_FLAGS: return flags_label(w, v, at);
    case FID_HTTP2_BODY_FRAGMENTS: return fragments_label(w, v, at);
    case FID_HTTP2_TEXT: {
        const struct fval *data = fv_first(v, FID_HTTP2_DATA_DATA, at, v->n);
        wr_f(w, "Content-encoded entity body: %u bytes", (unsigned)v->v[at].len);
        if (data) wr_f(w, " -> %u bytes", (unsigned)data->len);
        return true;
    }
    default: return false;
    }
}
