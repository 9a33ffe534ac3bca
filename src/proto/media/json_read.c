/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259) as fields.
 *
 * Theory of operation: two walks by recursive descent over the same grammar. The first one only finds out whether the
 * text is JSON; the second adds fields, and not even that where nobody wants them. A text is an object or an array, and
 * several may stand one behind the other. Limits: DEPTH_MAX levels (more is no JSON here), PATH_ROOM bytes of a path.
 */
#include "base/hex.h"
#include "base/utf8.h"
#include "proto/media/media.h"
#include "proto/protos.h"

enum { DEPTH_MAX = 64, PATH_ROOM = 1024 };

/* place is where a value stands: the name of its member, "[]" in an array. */
struct place {
    const struct place *up;
    struct slice name;
};

struct walk {
    struct decode *d;
    struct reader r;
    unsigned depth;
    bool adds; /* the second walk */
};

static bool value_walk(struct walk *w, const struct place *at);

static void space_skip(struct reader *r) {
    for (int c = rd_peek(r, 0); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = rd_peek(r, 0)) rd_skip(r, 1);
}

static bool eat(struct reader *r, int c) {
    space_skip(r);
    if (rd_peek(r, 0) != c) return false;
    rd_skip(r, 1);
    return true;
}

static int hex4(struct reader *r) {
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(rd_u8(r));
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

static void put_utf8(struct writer *w, uint32_t code) {
    if (code < 0x80) {
        wr_c(w, (char)code);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    wr_c(w, (char)(lead[more] | code >> (6 * more)));
    while (more--) wr_c(w, (char)(0x80 | (code >> (6 * more) & 0x3f)));
}

/* escape_take reads what stands behind a backslash into *w (NULL: nowhere): RFC 8259 7. */
static bool escape_take(struct reader *r, struct writer *w) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = rd_u8(r);
    const char *simple = c ? strchr(names, c) : NULL;
    if (simple) {
        if (w) wr_c(w, values[simple - names]);
        return true;
    }
    int code = c == 'u' ? hex4(r) : -1;
    if (code < 0) return false;
    if (code >= 0xd800 && code < 0xdc00 && rd_peek(r, 0) == '\\' && rd_peek(r, 1) == 'u') {
        rd_skip(r, 2);
        int low = hex4(r);
        if (low < 0) return false;
        code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    }
    if (w) put_utf8(w, (uint32_t)code);
    return true;
}

/* string_end reads up to behind the closing quote, into *to where it is not NULL. */
static bool string_end(struct reader *r, struct writer *to) {
    for (int c = rd_u8(r); rd_ok(r) && c != '"'; c = rd_u8(r)) {
        if (c < 0x20 || (c == '\\' && !escape_take(r, to))) return false;
        if (to && c != '\\') wr_c(to, (char)c);
    }
    return rd_ok(r);
}

/* string_take reads a string from its opening quote on; its text goes to *out, in the second walk without escapes. */
static bool string_take(struct walk *w, struct slice *out) {
    if (!eat(&w->r, '"')) return false;
    struct reader text = w->r;
    struct slice rest = rd_rest(&w->r);
    if (!string_end(&w->r, NULL)) return false;
    *out = slice_head(rest, rest.n - rd_left(&w->r) - 1);
    if (!w->adds || !out->n || !memchr(out->p, '\\', out->n)) return true;
    char *plain = arena_get(w->d->arena, out->n + 1); /* no escape stands for more bytes than it has */
    struct writer to = wr_fixed(plain, plain ? out->n + 1 : 0);
    if (plain) string_end(&text, &to);
    *out = plain ? wr_done(&to) : (struct slice){0};
    return true;
}

static size_t digits_skip(struct reader *r) {
    size_t n = 0;
    for (int c = rd_peek(r, 0); c >= '0' && c <= '9'; c = rd_peek(r, 0), n++) rd_skip(r, 1);
    return n;
}

/* number_take: RFC 8259 6. */
static bool number_take(struct reader *r) {
    if (rd_peek(r, 0) == '-') rd_skip(r, 1);
    if (rd_peek(r, 0) == '0') rd_skip(r, 1);
    else if (!digits_skip(r)) return false;
    if (rd_peek(r, 0) == '.') {
        rd_skip(r, 1);
        if (!digits_skip(r)) return false;
    }
    if ((rd_peek(r, 0) | 0x20) != 'e') return true;
    rd_skip(r, 1);
    if (rd_peek(r, 0) == '+' || rd_peek(r, 0) == '-') rd_skip(r, 1);
    return digits_skip(r) > 0;
}

static void path_write(struct writer *w, const struct place *at) {
    if (!at) return;
    path_write(w, at->up);
    wr_c(w, '/');
    wr_slice(w, at->name);
}

static struct slice path_of(struct decode *d, const struct place *at, struct slice value, bool with_value) {
    size_t room = 1;
    for (const struct place *p = at; p; p = p->up) room += 1 + p->name.n;
    room = (room < PATH_ROOM ? room : PATH_ROOM) + value.n;
    char *text = arena_get(d->arena, room);
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, room);
    path_write(&w, at);
    if (with_value) {
        wr_c(&w, ':');
        wr_slice(&w, value);
    }
    return wr_done(&w);
}

/* leaf_add adds a value that holds no others. */
static void leaf_add(struct walk *w, uint16_t id, uint32_t off, struct slice text, const struct place *at) {
    struct decode *d = w->d;
    uint32_t len = rd_off(&w->r) - off;
    const struct place own = {.name = at ? at->name : (struct slice){0}};
    if (!w->adds) return;
    if (d_wants(d, FID_JSON_PATH_WITH_VALUE))
        fv_s(d->out, FID_JSON_PATH_WITH_VALUE, off, len, path_of(d, at, text, true));
    if (d_wants(d, FID_JSON_MEMBER_WITH_VALUE))
        fv_s(d->out, FID_JSON_MEMBER_WITH_VALUE, off, len, slice_tail(path_of(d, &own, text, true), 1));
    if (id == FID_JSON_VALUE_STRING || id == FID_JSON_VALUE_NUMBER) fv_s(d->out, id, off, len, text);
    else fv_add(d->out, id, off, len);
}

static bool leaf_walk(struct walk *w, const struct place *at) {
    static const struct {
        const char *word;
        uint16_t id;
    } words[] = {{"true", FID_JSON_VALUE_TRUE}, {"false", FID_JSON_VALUE_FALSE}, {"null", FID_JSON_VALUE_NULL}};
    struct slice rest = rd_rest(&w->r), text;
    uint32_t off = rd_off(&w->r);
    if (rd_peek(&w->r, 0) == '"') {
        if (!string_take(w, &text)) return false;
        leaf_add(w, FID_JSON_VALUE_STRING, off, text, at);
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!slice_starts(rest, slice_str(words[i].word))) continue;
        rd_skip(&w->r, strlen(words[i].word));
        leaf_add(w, words[i].id, off, slice_str(words[i].word), at);
        return true;
    }
    if (!number_take(&w->r)) return false;
    leaf_add(w, FID_JSON_VALUE_NUMBER, off, slice_head(rest, rd_off(&w->r) - off), at);
    return true;
}

static bool member_walk(struct walk *w, const struct place *up) {
    struct decode *d = w->d;
    struct place at = {.up = up};
    space_skip(&w->r);
    uint32_t off = rd_off(&w->r), place = 0;
    if (!string_take(w, &at.name)) return false;
    uint32_t key = rd_off(&w->r) - off;
    if (!eat(&w->r, ':')) return false;
    if (w->adds) {
        place = fv_open(d->out, FID_JSON_MEMBER, off, 0);
        struct fval *f = fv_at(d->out, place);
        if (f) f->s = at.name;
    }
    if (!value_walk(w, &at)) return false;
    if (!w->adds) return true;
    uint32_t len = rd_off(&w->r) - off;
    fv_s(d->out, FID_JSON_KEY, off, key, at.name);
    if (d_wants(d, FID_JSON_PATH)) fv_s(d->out, FID_JSON_PATH, off, len, path_of(d, &at, (struct slice){0}, false));
    fv_set_len(d->out, place, len);
    fv_close(d->out);
    return true;
}

static bool element_walk(struct walk *w, const struct place *up) {
    struct place at = {.up = up, .name = SLICE("[]")};
    return value_walk(w, &at);
}

/* holder_walk walks an object or an array. */
static bool holder_walk(struct walk *w, const struct place *at, bool object) {
    uint32_t off = rd_off(&w->r), place = 0;
    int close = object ? '}' : ']';
    rd_skip(&w->r, 1);
    if (w->adds) place = fv_open(w->d->out, object ? FID_JSON_OBJECT : FID_JSON_ARRAY, off, 0);
    bool done = eat(&w->r, close);
    while (!done) {
        if (!(object ? member_walk(w, at) : element_walk(w, at))) return false;
        done = eat(&w->r, close);
        if (!done && !eat(&w->r, ',')) return false;
    }
    if (!w->adds) return true;
    fv_set_len(w->d->out, place, rd_off(&w->r) - off);
    fv_close(w->d->out);
    return true;
}

static bool value_walk(struct walk *w, const struct place *at) {
    if (++w->depth > DEPTH_MAX) return false;
    space_skip(&w->r);
    int c = rd_peek(&w->r, 0);
    bool fine = c == '{' || c == '[' ? holder_walk(w, at, c == '{') : leaf_walk(w, at);
    w->depth--;
    return fine;
}

/* texts_walk walks objects and arrays, up to what is neither, and returns how many bytes they take. */
static size_t texts_walk(struct walk *w, size_t most) {
    uint32_t begin = rd_off(&w->r);
    size_t used = 0;
    space_skip(&w->r);
    while (rd_left(&w->r) && used < most) {
        int c = rd_peek(&w->r, 0);
        if ((c != '{' && c != '[') || !value_walk(w, NULL)) break;
        space_skip(&w->r);
        used = rd_off(&w->r) - begin;
    }
    return used;
}

size_t media_json_read(struct decode *d, struct slice type, struct slice data) {
    struct walk check = {.d = d, .r = d_reader(d, data)}, add = {.d = d, .r = d_reader(d, data), .adds = true};
    size_t used = texts_walk(&check, data.n);
    media_begin(d, &proto_json, type, slice_head(data, used));
    if (used && want_any(d->out->want, FID_JSON + 1, FID_JSON_END)) texts_walk(&add, used);
    d_end(d);
    return used;
}
