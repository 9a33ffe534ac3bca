/* SPDX-License-Identifier: Apache-2.0 */
/* The words for a message of HTTP/1: the Info column and the tree lines that are not the table's. */
#include "field/print.h"
#include "proto/http/http.h"
#include "proto/protos.h"

const uint16_t http_info_fields[] = {FID_HTTP, FID_HTTP_FIRST, FID_HTTP_MEDIA, 0};

static struct slice line_of(struct slice s) {
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

void http_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *first = fv_first(v, FID_HTTP_FIRST, at, end);
    if (first) {
        const struct fval *media = fv_first(v, FID_HTTP_MEDIA, at, end);
        print_told(w, v, first, line_of(first->s));
        wr_c(w, ' ');
        if (media) print_string(w, media->s);
    } else if (!fv_first(v, FID_HTTP_PROXY_CONNECT_HOST, at, end)) {
        wr_s(w, "Continuation");
    }
}

const char *http_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *media = fv_first(v, FID_HTTP_MEDIA, at, end);
    if (!media || !media->extra) return "HTTP";
    return media->extra == HTTP_MEDIA_JSON ? "HTTP/JSON" : "HTTP/XML";
}

/* bytes_of returns the bytes a field stands on. */
static struct slice bytes_of(const struct fvec *v, const struct fval *f) {
    struct slice all = v->source[f->src].bytes;
    return slice_head(slice_tail(all, f->off), f->len);
}

static bool of(struct writer *w, const char *words, uint64_t number, const char *behind) {
    wr_s(w, words);
    wr_u(w, number);
    wr_s(w, behind);
    return true;
}

/* text_label words the lines that have no entry of their own: chunks and empty lines. */
static bool text_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at], *next = at + 1 < v->n ? &v->v[at + 1] : NULL;
    if (next && next->depth > f->depth && next->id == FID_HTTP_TEXT) wr_s(w, "HTTP chunked response");
    else if (next && next->depth > f->depth && next->id == FID_HTTP_CHUNK_SIZE) {
        if (next->u) return of(w, "Data chunk (", next->u, " octets)");
        wr_s(w, "End of chunked encoding");
    } else if (f->len > 2) {
        const struct fval *file = fv_first(v, FID_HTTP_FILE_DATA, at, v->n);
        of(w, "Content-encoded entity body: ", f->len, " bytes");
        if (file) of(w, " -> ", file->len, " bytes");
    } else print_string(w, bytes_of(v, f));
    return true;
}

bool http_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_HTTP_FIRST:
    case FID_HTTP_CHAT: print_told(w, v, f, f->s); return true;
    case FID_HTTP_TEXT: return text_label(w, v, at);
    case FID_HTTP_REQUEST_NUMBER: return of(w, "[HTTP request ", f->u, "]");
    case FID_HTTP_RESPONSE_NUMBER: return of(w, "[HTTP response ", f->u, "]");
    case FID_HTTP_FILE_DATA: return of(w, "File Data: ", f->len, " bytes");
    default: break;
    }
    bool header = f->id >= FID_HTTP_AUTHORIZATION && f->id <= FID_HTTP_HTTP2_SETTINGS && f->len &&
                  f->id != FID_HTTP_CONTENT_LENGTH && f->id != FID_HTTP_COOKIE_PAIR;
    bool line = f->id == FID_HTTP_REQUEST_LINE || f->id == FID_HTTP_RESPONSE_LINE;
    if (!line && !header) return false;
    print_string(w, bytes_of(v, f));
    return true;
}
