/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: where a message of HTTP/1 ends.
 *
 * A message is a first line, header fields, an empty line and a body whose end follows from the header fields
 * (RFC 9112 6.3). The search keeps how far it came in http_scan, so every byte of a header is looked at once however
 * many segments it comes in; a body of known length is not looked at at all, of a chunked one only the chunk headers.
 * Nothing is kept but numbers. A header of more than HTTP_HEAD_MAX bytes is given up. */
#include "proto/http/http.h"

#include "base/hex.h"

static const struct slice methods[] = {
    SLICE("GET"),
    SLICE("POST"),
    SLICE("HEAD"),
    SLICE("PUT"),
    SLICE("OPTIONS"),
    SLICE("DELETE"),
    SLICE("CONNECT"),
    SLICE("TRACE"),
    SLICE("PATCH"),
    SLICE("LINK"),
    SLICE("UNLINK"),
    SLICE("PROPFIND"),
    SLICE("PROPPATCH"),
    SLICE("MKCOL"),
    SLICE("COPY"),
    SLICE("MOVE"),
    SLICE("LOCK"),
    SLICE("UNLOCK"),
    SLICE("REPORT"),
    SLICE("CHECKOUT"),
    SLICE("CHECKIN"),
    SLICE("UNCHECKOUT"),
    SLICE("MKACTIVITY"),
    SLICE("MERGE"),
    SLICE("MKWORKSPACE"),
    SLICE("UPDATE"),
    SLICE("LABEL"),
    SLICE("BASELINE-CONTROL"),
    SLICE("VERSION-CONTROL"),
    SLICE("SEARCH"),
    SLICE("ACL"),
    SLICE("POLL"),
    SLICE("BPROPFIND"),
    SLICE("BPROPPATCH"),
    SLICE("BCOPY"),
    SLICE("BMOVE"),
    SLICE("BDELETE"),
    SLICE("RPC_CONNECT"),
    SLICE("RPC_IN_DATA"),
    SLICE("RPC_OUT_DATA"),
    SLICE("CCM_POST"),
    SLICE("REGISTER-IPP"),
    SLICE("M-SEARCH"),
};
static const struct slice notifications[] = {SLICE("NOTIFY"), SLICE("SUBSCRIBE"), SLICE("UNSUBSCRIBE")};

static bool among(const struct slice *list, size_t n, struct slice word) {
    for (size_t i = 0; i < n; i++)
        if (slice_eq(word, list[i])) return true;
    return false;
}

static struct slice word_of(struct slice line) {
    const uint8_t *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
    return slice_head(line, space ? (size_t)(space - line.p) : line.n);
}

enum http_line_kind http_line_kind_of(struct slice line) {
    if (slice_starts(line, SLICE("HTTP/")) || slice_starts(line, SLICE("ICY "))) return HTTP_LINE_RESPONSE;
    struct slice word = word_of(line);
    if (slice_starts(word, SLICE("M-")) && !slice_eq(word, SLICE("M-SEARCH")))
        word = slice_tail(word, 2); /* RFC 2774 4 */
    if (among(notifications, sizeof notifications / sizeof *notifications, word)) return HTTP_LINE_NOTIFICATION;
    return among(methods, sizeof methods / sizeof *methods, word) ? HTTP_LINE_REQUEST : HTTP_LINE_OTHER;
}

/* mark_find returns the first CR or LF from `seen` on, NULL: there is none. Pieces are searched, for one of the two may
 * be far away, or nowhere. */
static const uint8_t *mark_find(struct slice in, size_t seen) {
    enum { PIECE = 256 };
    for (struct slice left = slice_tail(in, seen); left.n; left = slice_tail(left, PIECE)) {
        struct slice piece = slice_head(left, PIECE);
        const uint8_t *lf = memchr(piece.p, '\n', piece.n);
        const uint8_t *cr = memchr(piece.p, '\r', lf ? (size_t)(lf - piece.p) : piece.n);
        if (cr || lf) return cr ? cr : lf;
    }
    return NULL;
}

/* line_end returns the length of the line with its end, or 0; *text gets it without. The end is a LF with the few CRs
 * in front of it, or a CR alone: nobody may send one (RFC 9112 2.2), and readers there are take it for an end. Many CRs
 * are ends of many lines, so that who sends one after the other does not have all of them looked at each time. */
static size_t line_end(struct slice in, size_t seen, struct slice *text) {
    enum { CRS_MOST = 16 };
    const uint8_t *mark = mark_find(in, seen), *end = mark;
    if (!mark) return 0; /* of nothing as well */
    const uint8_t *last = in.p + in.n;
    while (end < last && *end == '\r' && end - mark < CRS_MOST) end++;
    if (end == last && end - mark < CRS_MOST) return 0; /* behind a CR a LF may follow */
    *text = slice_head(in, (size_t)(mark - in.p));
    bool lf = end < last && *end == '\n';
    return (size_t)((lf ? end : mark) - in.p) + 1;
}

static bool printable(uint8_t c) { return c >= 0x20 && c < 0x7f; }

size_t http_blank(struct slice in) {
    if (!slice_starts(in, SLICE("\r\n"))) return 0;
    struct slice line = slice_tail(in, 2);
    line_end(line, 0, &line);
    enum http_line_kind kind = http_line_kind_of(line);
    return kind == HTTP_LINE_REQUEST || kind == HTTP_LINE_RESPONSE ? 2 : 0;
}

/* rough_line returns the bytes of a line with its end, which may be a CR alone as well; *text gets it without. Where no
 * end is there, *ended becomes false. */
static size_t rough_line(struct slice in, struct slice *text, bool *ended) {
    size_t n = 0;
    while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n') n++;
    *text = slice_head(in, n);
    *ended = n < in.n && (in.p[n] == '\n' || n + 1 < in.n);
    if (n >= in.n) return n;
    return n + (in.p[n] == '\r' && n + 1 < in.n && in.p[n + 1] == '\n' ? 2 : 1);
}

size_t http_fields_alone(struct slice in, bool *whole) {
    struct slice text;
    size_t at = rough_line(in, &text, whole);
    if (!in.n || !printable(in.p[0]) || !*whole || !memchr(text.p, ':', text.n)) return 0;
    while (at < in.n) {
        size_t n = rough_line(slice_tail(in, at), &text, whole);
        bool field = text.n && memchr(text.p, ':', text.n);
        if (field) *whole = true; /* a value may be cut anywhere */
        if (field || !*whole || !text.n) at += n;
        if (!field) break;
    }
    return at;
}

enum probe_result http_probe(struct slice in) {
    struct slice line = slice_head(slice_tail(in, http_blank(in)), HTTP_URI_MAX);
    if (slice_starts(line, SLICE("HTTP/1."))) return PROBE_CERTAIN;
    size_t n = line_end(line, 0, &line);
    bool known = http_line_kind_of(line) != HTTP_LINE_OTHER, whole;
    if (n) {
        bool versioned = line.n > 9 && slice_starts(slice_tail(line, line.n - 9), SLICE(" HTTP/1."));
        if (versioned || known) return versioned && known ? PROBE_CERTAIN : PROBE_UNSURE;
        return http_fields_alone(slice_head(in, http_blank(in) + n), &whole) ? PROBE_UNLIKELY : PROBE_NO;
    }
    if (!line.n || !printable(line.p[0])) return PROBE_NO;
    return known && line.n < HTTP_URI_MAX ? PROBE_UNSURE : PROBE_UNLIKELY; /* the line's end is still to come */
}

static bool blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static struct slice trim(struct slice s) {
    while (s.n && blank(s.p[0])) s = slice_tail(s, 1);
    while (s.n && blank(s.p[s.n - 1])) s.n--;
    return s;
}

bool http_has_token(struct slice list, const char *text) {
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        if (slice_alike(trim(slice_head(list, n)), slice_str(text))) return true;
        list = slice_tail(list, n + 1);
    }
    return false;
}

/* header_split cuts a line at its colon; false where it has none. */
static bool header_split(struct slice line, struct http_header *h) {
    const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    size_t n = colon ? (size_t)(colon - line.p) : line.n;
    h->line = line;
    h->name = slice_head(line, n); /* RFC 9112 5.1: white space in front of the colon makes it another name */
    if (!colon) h->name = trim(h->name);
    h->value = trim(slice_tail(line, n + 1));
    return colon != NULL;
}

bool http_header_next(struct slice *head, struct http_header *h) {
    struct slice text;
    size_t n = line_end(*head, 0, &text);
    if (n == 0 && head->n) text = *head, n = head->n; /* cut short */
    if (n == 0 || text.n == 0) return false;
    while (n < head->n && (head->p[n] == ' ' || head->p[n] == '\t')) { /* RFC 9112 5.2: a folded line */
        size_t more = line_end(slice_tail(*head, n), 0, &text);
        if (more == 0) break;
        n += more;
    }
    header_split(slice_head(*head, n), h);
    *head = slice_tail(*head, n);
    return true;
}

bool http_length_of(struct slice value, uint64_t *length) {
    enum { DIGITS_MAX = 18 }; /* 10^18 octets are more than any message has */
    uint64_t v = 0;
    bool ok = value.n > 0;
    while (value.n > 1 && value.p[0] == '0') value = slice_tail(value, 1);
    ok = ok && value.n <= DIGITS_MAX;
    for (size_t i = 0; ok && i < value.n; i++) {
        ok = value.p[i] >= '0' && value.p[i] <= '9';
        v = v * 10 + (uint64_t)(value.p[i] - '0');
    }
    if (ok) *length = v;
    return ok;
}

static void length_take(struct http_scan *s, struct slice value) {
    uint64_t v;
    if (!http_length_of(value, &v) || (s->has_length && s->length != v)) { /* RFC 9112 6.3, 5 */
        s->bad_length = true;
        return;
    }
    s->has_length = true;
    s->length = v;
}

/* header_take keeps what a header field says of the body. */
static void header_take(struct http_scan *s, struct slice line) {
    struct http_header h;
    uint8_t c = line.n ? ascii_lower(line.p[0]) : 0;
    if ((c != 'c' && c != 't') || !header_split(line, &h)) return;
    if (slice_alike(h.name, SLICE("content-length"))) length_take(s, h.value);
    if (!slice_alike(h.name, SLICE("transfer-encoding"))) return;
    /* What a careless reader takes for chunked is taken for it, so that nothing hides behind it. */
    if (http_has_token(h.value, "chunked") || slice_alike(slice_head(h.value, 7), SLICE("chunked"))) s->chunked = true;
    else if (!slice_alike(h.value, SLICE("identity"))) s->other_coding = true;
}

static uint16_t status_of(struct slice line) {
    struct slice rest = slice_tail(line, word_of(line).n + 1);
    uint16_t v = 0;
    while (rest.n && rest.p[0] == ' ') rest = slice_tail(rest, 1);
    for (size_t i = 0; i < 3 && i < rest.n && rest.p[i] >= '0' && rest.p[i] <= '9'; i++)
        v = (uint16_t)(v * 10 + (rest.p[i] - '0'));
    return v;
}

/* body_kind follows the order of RFC 9112 6.3. */
static enum http_body_kind body_kind(const struct http_scan *s, enum http_asked asked) {
    /* A tunnel, whatever length it announces; an answer that announces none ends with the connection. */
    if (s->rpc || (asked == HTTP_ASKED_RPC && (s->has_length || s->chunked))) return HTTP_BODY_NONE;
    if (s->kind == HTTP_LINE_RESPONSE) {
        if (asked == HTTP_ASKED_HEAD || s->status / 100 == 1 || s->status == 204 || s->status == 304)
            return HTTP_BODY_NONE;
        if (asked == HTTP_ASKED_CONNECT && s->status / 100 == 2) return HTTP_BODY_NONE;
    }
    if (s->chunked) return HTTP_BODY_CHUNKED;
    if (s->has_length) return s->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    return s->kind == HTTP_LINE_RESPONSE ? HTTP_BODY_UNTIL_END : HTTP_BODY_NONE;
}

static const struct read_result more = {.status = READ_MORE}, bad = {.status = READ_BAD};

/* no_line tells whether the bytes, which have no LF, begin no first line: those of one are printable up to a CR. */
static bool no_line(struct slice in, size_t seen) {
    if (in.n && !printable(in.p[0]) && in.p[0] != '\r') return true;
    const uint8_t *cr = in.n > seen ? memchr(in.p + seen, '\r', in.n - seen) : NULL;
    size_t n = cr ? (size_t)(cr - in.p) : in.n;
    return n + 1 < in.n && http_line_kind_of(slice_head(in, n)) == HTTP_LINE_OTHER;
}

/* head_scan looks for the empty line. */
static enum read_status head_scan(struct http_scan *s, struct slice in, enum http_asked asked) {
    while (!s->head) {
        struct slice line = slice_tail(in, s->line), text;
        size_t n = line_end(line, s->seen - s->line, &text);
        if (n == 0) {
            if (!s->first && no_line(in, s->seen)) return READ_BAD;
            s->seen = in.n;
            while (s->seen > s->line && in.p[s->seen - 1] == '\r') s->seen--;
            return in.n > HTTP_HEAD_MAX ? READ_BAD : READ_MORE;
        }
        if (!s->first) {
            s->first = n;
            s->kind = (uint8_t)http_line_kind_of(text);
            if (s->kind == HTTP_LINE_OTHER) return READ_BAD;
            s->rpc = slice_starts(text, SLICE("RPC_"));
            if (s->kind == HTTP_LINE_RESPONSE) s->status = status_of(text);
        } else if (text.n == 0) {
            s->head = s->line + n;
        } else {
            header_take(s, text);
        }
        s->line += n;
        s->seen = s->line;
    }
    s->chunk = s->head;
    s->body = (uint8_t)body_kind(s, asked);
    return READ_OK;
}

enum { CHUNK_DIGITS = 12, CHUNK_LINE_MAX = 4096 };

/* chunk_size reads the number a chunk begins with; false where there is none. Some readers pass over white space before
 * it, a sign, and 0x. */
static bool chunk_size(struct slice line, uint64_t *size) {
    size_t i = 0, digits = 0; /* without zeros in front */
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) line = slice_tail(line, 1);
    if (line.n > 1 && line.p[0] == '+') line = slice_tail(line, 1);
    bool marked = line.n > 2 && line.p[0] == '0' && ascii_lower(line.p[1]) == 'x' && hex_digit(line.p[2]) >= 0;
    if (marked) line = slice_tail(line, 2);
    for (*size = 0; i < line.n && hex_digit(line.p[i]) >= 0; i++) {
        if (*size || line.p[i] != '0') digits++;
        if (digits > CHUNK_DIGITS) return false;
        *size = *size << 4 | (unsigned)hex_digit(line.p[i]);
    }
    return i > 0;
}

/* chunks_scan goes from chunk to chunk; it begins each time at the chunk that was not whole. */
static struct read_result chunks_scan(struct http_scan *s, struct slice in) {
    for (;;) {
        struct slice rest = slice_tail(in, s->chunk), text;
        size_t n = line_end(rest, 0, &text);
        uint64_t size;
        if (n == 0) return rest.n > CHUNK_LINE_MAX ? bad : more;
        if (s->last_chunk) { /* the trailer: lines up to an empty one */
            s->chunk += n;
            if (text.n == 0) return (struct read_result){.status = READ_OK, .consumed = s->chunk};
            continue;
        }
        if (!chunk_size(text, &size)) {
            s->bad_chunk = true;
            return (struct read_result){.status = READ_OK, .consumed = in.n};
        }
        if (size == 0) {
            s->last_chunk = true;
            s->chunk += n;
            continue;
        }
        uint64_t whole = n + size + 2;
        if (rest.n < whole) return more; /* the message is not whole with this chunk: no length is known */
        bool crlf = rest.p[n + size] == '\r' && rest.p[n + size + 1] == '\n';
        s->chunk += (size_t)(n + size + (crlf ? 2 : rest.p[n + size] == '\n' ? 1 : 0));
    }
}

bool http_chunk_next(struct slice *body, struct slice *head, struct slice *data, struct slice *tail) {
    uint64_t size;
    struct slice text;
    size_t n = line_end(*body, 0, &text);
    if (n == 0 || !chunk_size(text, &size)) return false;
    *head = slice_head(*body, n);
    *body = slice_tail(*body, n);
    *data = slice_head(*body, (size_t)size);
    *body = slice_tail(*body, (size_t)size);
    size_t end = size == 0 ? 0 : slice_starts(*body, SLICE("\r\n")) ? 2 : slice_starts(*body, SLICE("\n")) ? 1 : 0;
    *tail = slice_head(*body, end);
    *body = slice_tail(*body, end);
    return true;
}

struct read_result http_frame(struct http_scan *s, struct slice in, enum http_asked asked, bool ended) {
    if (!s->head) {
        enum read_status status = head_scan(s, in, asked);
        if (status == READ_BAD) return bad;
        if (status == READ_MORE) return more;
    }
    switch ((enum http_body_kind)s->body) {
    case HTTP_BODY_NONE: return (struct read_result){.status = READ_OK, .consumed = s->head};
    case HTTP_BODY_CHUNKED: return chunks_scan(s, in);
    case HTTP_BODY_UNTIL_END:
        if (ended) return (struct read_result){.status = READ_OK, .consumed = in.n};
        return (struct read_result){.status = READ_MORE, .needed = READ_UNTIL_END};
    case HTTP_BODY_LENGTH: break;
    }
    uint64_t whole = s->head + s->length;
    if (in.n >= whole) return (struct read_result){.status = READ_OK, .consumed = (size_t)whole};
    return (struct read_result){.status = READ_MORE, .needed = (size_t)whole};
}
