/* SPDX-License-Identifier: Apache-2.0 */
/* JSON read in place, RFC 8259. A recursive descent whose depth has a limit; every byte is looked at once per call. */
#include "guard/json.h"

#include "base/hex.h"
#include "base/utf8.h"

#include <stdlib.h>

struct scan {
    const uint8_t *p, *end;
};

static void blanks(struct scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}

static bool skip(struct scan *s, char c) {
    if (s->p == s->end || *s->p != (uint8_t)c) return false;
    s->p++;
    return true;
}

static bool escape(struct scan *s) {
    if (s->p == s->end) return false;
    uint8_t c = *s->p++;
    if (c != 'u') return c && strchr("\"\\/bfnrt", c);
    for (int i = 0; i < 4; i++)
        if (s->p == s->end || hex_digit(*s->p++) < 0) return false;
    return true;
}

/* string reads behind the opening quote. */
static bool string(struct scan *s, struct slice *text) {
    const uint8_t *start = s->p;
    while (s->p < s->end) {
        uint8_t c = *s->p;
        uint32_t code;
        if (c == '"') {
            *text = slice_of(start, (size_t)(s->p++ - start));
            return true;
        }
        if (c < 0x20) return false;
        if (c == '\\') {
            s->p++;
            if (!escape(s)) return false;
        } else if (c < 0x80) {
            s->p++;
        } else {
            size_t n = utf8_next(slice_of(s->p, (size_t)(s->end - s->p)), &code);
            if (!n) return false;
            s->p += n;
        }
    }
    return false;
}

static bool digits(struct scan *s) {
    const uint8_t *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return s->p > start;
}

static bool number(struct scan *s) {
    skip(s, '-');
    if (!skip(s, '0') && !digits(s)) return false;
    if (skip(s, '.') && !digits(s)) return false;
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (!skip(s, '+')) skip(s, '-');
        return digits(s);
    }
    return true;
}

static bool word(struct scan *s, const char *w) {
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0) return false;
    s->p += n;
    return true;
}

static enum json_kind value(struct scan *s, struct slice *text, unsigned depth);

static bool container(struct scan *s, bool object, unsigned depth) {
    struct slice unused;
    char close = object ? '}' : ']';
    blanks(s);
    if (skip(s, close)) return true;
    for (;;) {
        blanks(s);
        if (object) {
            if (!skip(s, '"') || !string(s, &unused)) return false;
            blanks(s);
            if (!skip(s, ':')) return false;
            blanks(s);
        }
        if (value(s, &unused, depth + 1) == JSON_BAD) return false;
        blanks(s);
        if (skip(s, close)) return true;
        if (!skip(s, ',')) return false;
    }
}

static enum json_kind value(struct scan *s, struct slice *text, unsigned depth) {
    const uint8_t *start = s->p;
    enum json_kind kind = JSON_BAD;
    if (s->p == s->end || depth > JSON_DEPTH_MAX) return JSON_BAD;
    switch (*s->p) {
    case '"': s->p++; return string(s, text) ? JSON_STRING : JSON_BAD;
    case '{':
        s->p++;
        kind = container(s, true, depth) ? JSON_OBJECT : JSON_BAD;
        break;
    case '[':
        s->p++;
        kind = container(s, false, depth) ? JSON_ARRAY : JSON_BAD;
        break;
    case 't': kind = word(s, "true") ? JSON_TRUE : JSON_BAD; break;
    case 'f': kind = word(s, "false") ? JSON_FALSE : JSON_BAD; break;
    case 'n': kind = word(s, "null") ? JSON_NULL : JSON_BAD; break;
    default: kind = number(s) ? JSON_NUMBER : JSON_BAD; break;
    }
    *text = slice_of(start, (size_t)(s->p - start));
    return kind;
}

enum json_kind json_value(struct slice *in, struct slice *text) {
    struct scan s = {in->p, in->n ? in->p + in->n : in->p};
    blanks(&s);
    enum json_kind kind = value(&s, text, 0);
    blanks(&s);
    *in = slice_of(s.p, (size_t)(s.end - s.p));
    return kind;
}

bool json_valid(struct slice s) {
    struct slice text;
    return json_value(&s, &text) != JSON_BAD && !s.n;
}

struct slice json_inside(struct slice text) {
    return text.n >= 2 ? slice_of(text.p + 1, text.n - 2) : (struct slice){0};
}

bool json_next(struct slice *inside, bool object, struct slice *name, enum json_kind *kind, struct slice *text) {
    struct scan s = {inside->p, inside->n ? inside->p + inside->n : inside->p};
    blanks(&s);
    if (s.p == s.end) return false;
    if (object) {
        if (!skip(&s, '"') || !string(&s, name)) return false;
        blanks(&s);
        if (!skip(&s, ':')) return false;
        blanks(&s);
    }
    *kind = value(&s, text, 1);
    blanks(&s);
    skip(&s, ',');
    *inside = slice_of(s.p, (size_t)(s.end - s.p));
    return *kind != JSON_BAD;
}

/* character reads one character of a string's text as UTF-16 units would have it joined; it is well-formed already. */
static uint32_t character(struct slice *text) {
    uint32_t code = 0;
    if (text->p[0] != '\\') {
        size_t n = utf8_next(*text, &code);
        *text = slice_tail(*text, n ? n : 1);
        return code;
    }
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    uint8_t c = text->p[1];
    const char *at = strchr(from, c);
    if (c != 'u') {
        *text = slice_tail(*text, 2);
        return at && *at ? (uint32_t)to[at - from] : c;
    }
    for (int i = 2; i < 6; i++) code = code << 4 | (uint32_t)hex_digit(text->p[i]);
    *text = slice_tail(*text, 6);
    bool pair = code >= 0xd800 && code < 0xdc00 && text->n >= 6 && text->p[0] == '\\' && text->p[1] == 'u';
    uint32_t low = 0;
    for (int i = 2; pair && i < 6; i++) low = low << 4 | (uint32_t)hex_digit(text->p[i]);
    if (!pair || low < 0xdc00 || low > 0xdfff) return code;
    *text = slice_tail(*text, 6);
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

size_t json_string_len(struct slice text) {
    size_t n = 0;
    for (; text.n; n++) (void)character(&text);
    return n;
}

bool json_string_eq(struct slice text, struct slice plain) {
    while (text.n && plain.n) {
        uint32_t code;
        size_t n = utf8_next(plain, &code);
        if (!n || character(&text) != code) return false;
        plain = slice_tail(plain, n);
    }
    return !text.n && !plain.n;
}

static void utf8_write(struct writer *w, uint32_t c) {
    if (c < 0x80) {
        wr_c(w, (char)c);
        return;
    }
    if (c >= 0x10000) wr_c(w, (char)(0xf0 | c >> 18));
    if (c >= 0x800) wr_c(w, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 63) : 0xe0 | c >> 12));
    wr_c(w, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6));
    wr_c(w, (char)(0x80 | (c & 63)));
}

bool json_string_read(struct slice text, struct writer *out) {
    while (text.n) {
        uint32_t c = character(&text);
        if (c >= 0xd800 && c < 0xe000) return false;
        utf8_write(out, c);
    }
    return true;
}

double json_number(struct slice text) {
    char buf[64];
    size_t n = text.n < sizeof buf - 1 ? text.n : sizeof buf - 1;
    memcpy(buf, text.p, n);
    buf[n] = 0;
    return strtod(buf, NULL);
}
