/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON body as arguments: every string, number, boolean and null by its path, named as ModSecurity's JSON processor
 * does:
 * {"a":{"b":1},"c":[2,{"d":3}]} gives json.a.b, json.c.array_0, json.c.array_1.d.
 *
 * RFC 8259 to the letter; what is no JSON is not read at all, so that it is looked at as a whole instead. */
#include "base/hex.h"
#include "base/utf8.h"
#include "guard/rules/tx.h"

enum { PATH_MAX_BYTES = 2048 };

struct json {
    struct arena *arena;
    bool (*each)(void *ctx, struct slice path, struct slice value);
    void *ctx;
    const uint8_t *p, *end;
    uint32_t depth, most;
    size_t n; /* of the path */
    uint8_t path[PATH_MAX_BYTES];
};

static bool value(struct json *j, struct slice name);

static void blanks(struct json *j) {
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r')) j->p++;
}
static bool take(struct json *j, uint8_t c) {
    if (j->p == j->end || *j->p != c) return false;
    j->p++;
    return true;
}

static bool path_add(struct json *j, struct slice s) {
    if (s.n > PATH_MAX_BYTES - j->n) return false;
    if (s.n) memcpy(j->path + j->n, s.p, s.n);
    j->n += s.n;
    return true;
}

static bool path_number(struct json *j, unsigned v) {
    uint8_t text[12], *d = text + sizeof text;
    do *--d = (uint8_t)('0' + v % 10);
    while (v /= 10);
    return path_add(j, slice_of(d, (size_t)(text + sizeof text - d)));
}

static bool emit(struct json *j, struct slice name, struct slice text) {
    size_t was = j->n;
    if (!path_add(j, name)) return false;
    struct slice path = arena_copy(j->arena, slice_of(j->path, j->n));
    j->n = was;
    return path.p && j->each(j->ctx, path, text);
}

static bool hex4(struct json *j, uint32_t *code) {
    *code = 0;
    if (j->end - j->p < 4) return false;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(*j->p++);
        if (d < 0) return false;
        *code = *code << 4 | (uint32_t)d;
    }
    return true;
}

static uint8_t *put_utf8(uint8_t *d, uint32_t c) {
    if (c < 0x80) *d++ = (uint8_t)c;
    else if (c < 0x800) *d++ = (uint8_t)(0xc0 | c >> 6);
    else if (c < 0x10000) *d++ = (uint8_t)(0xe0 | c >> 12);
    else *d++ = (uint8_t)(0xf0 | c >> 18);
    if (c >= 0x10000) *d++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    if (c >= 0x800) *d++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    if (c >= 0x80) *d++ = (uint8_t)(0x80 | (c & 0x3f));
    return d;
}

/* unicode reads what follows \u; half of a surrogate pair becomes a question mark. */
static bool unicode(struct json *j, uint8_t **d) {
    uint32_t c, low;
    if (!hex4(j, &c)) return false;
    if (c >= 0xd800 && c < 0xdc00) {
        if (j->end - j->p > 5 && j->p[0] == '\\' && j->p[1] == 'u') {
            j->p += 2;
            if (!hex4(j, &low)) return false;
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        } else {
            c = '?';
        }
    }
    *d = put_utf8(*d, c);
    return true;
}

static bool escape(struct json *j, uint8_t **d) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (j->p == j->end) return false;
    uint8_t c = *j->p++;
    if (c == 'u') return unicode(j, d);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at) return false;
    *(*d)++ = (uint8_t)to[at - from];
    return true;
}

/* string reads up to the closing quote; text without escapes is not copied. */
static bool string(struct json *j, struct slice *out) {
    const uint8_t *start = j->p;
    bool plain = true, high = false;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p < 0x20) return false;
        high |= *j->p >= 0x80;
        if (*j->p == '\\') plain = false, j->p++;
        if (j->p < j->end) j->p++;
    }
    if (j->p >= j->end) return false;
    const uint8_t *close = j->p++;
    *out = slice_of(start, (size_t)(close - start));
    if (high && !utf8_valid(*out)) return false;
    if (plain) return true;
    uint8_t *buf = arena_get(j->arena, out->n + 4), *d = buf;
    if (!buf) return false;
    const uint8_t *after = j->p;
    for (j->p = start; j->p < close;) {
        if (*j->p != '\\') {
            *d++ = *j->p++;
            continue;
        }
        j->p++;
        if (!escape(j, &d)) return false;
    }
    if (j->p != close) return false;
    j->p = after;
    *out = slice_of(buf, (size_t)(d - buf));
    return true;
}

static bool digits(struct json *j) {
    const uint8_t *start = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') j->p++;
    return j->p > start;
}

static bool number(struct json *j, struct slice *out) {
    const uint8_t *start = j->p;
    take(j, '-');
    if (!take(j, '0') && !digits(j)) return false;
    if (take(j, '.') && !digits(j)) return false;
    if (j->p < j->end && (*j->p | 0x20) == 'e') {
        j->p++;
        if (!take(j, '+')) take(j, '-');
        if (!digits(j)) return false;
    }
    *out = slice_of(start, (size_t)(j->p - start));
    return true;
}

static bool word(struct json *j, const char *text) {
    struct slice s = slice_str(text);
    if (!slice_starts(slice_of(j->p, (size_t)(j->end - j->p)), s)) return false;
    j->p += s.n;
    return true;
}

static bool object(struct json *j, struct slice name) {
    struct slice key;
    size_t was = j->n;
    if (!path_add(j, name) || !path_add(j, SLICE("."))) return false;
    blanks(j);
    if (!take(j, '}')) {
        do {
            blanks(j);
            if (!take(j, '"') || !string(j, &key)) return false;
            blanks(j);
            if (!take(j, ':') || !value(j, key.n ? key : SLICE("empty-key"))) return false;
            blanks(j);
        } while (take(j, ','));
        if (!take(j, '}')) return false;
    }
    j->n = was;
    return true;
}

static bool array(struct json *j, struct slice name) {
    size_t was = j->n, prefix;
    if (!path_add(j, name) || !path_add(j, SLICE(".array_"))) return false;
    prefix = j->n;
    blanks(j);
    if (!take(j, ']')) {
        unsigned i = 0;
        do {
            j->n = prefix;
            if (!path_number(j, i++) || !value(j, SLICE(""))) return false;
            blanks(j);
        } while (take(j, ','));
        if (!take(j, ']')) return false;
    }
    j->n = was;
    return true;
}

static bool value(struct json *j, struct slice name) {
    struct slice text = SLICE("");
    blanks(j);
    if (j->p == j->end) return false;
    bool nested = *j->p == '{' || *j->p == '[';
    if (nested) {
        if (++j->depth > j->most) return false;
        bool ok = *j->p++ == '{' ? object(j, name) : array(j, name);
        j->depth--;
        return ok;
    }
    if (take(j, '"')) return string(j, &text) && emit(j, name, text);
    if (word(j, "true")) text = SLICE("true");
    else if (word(j, "false")) text = SLICE("false");
    else if (!word(j, "null") && !number(j, &text)) return false;
    return emit(j, name, text);
}

bool rules_json_each(struct arena *arena, struct slice text, unsigned depth,
                     bool (*each)(void *ctx, struct slice path, struct slice value), void *ctx) {
    struct json j = {.arena = arena, .each = each, .ctx = ctx, .p = text.p, .end = text.p + text.n, .most = depth};
    if (!text.n || !value(&j, SLICE("json"))) return false;
    blanks(&j);
    return j.p == j.end;
}

static bool add_member(void *ctx, struct slice path, struct slice text) {
    struct rules_tx *tx = ctx;
    rules_tx_add(tx, RULES_ARGS, path, text);
    return !tx->limited;
}

bool json_read(struct rules_tx *tx, struct slice text) {
    return rules_json_each(&tx->arena, text, tx->set->limits.json_depth, add_member, tx);
}
