/* SPDX-License-Identifier: Apache-2.0 */
/* The transformations by name, those that are no decoders, and which of them leave a text of given bytes alone. */
#include "guard/rules/transform.h"
#include "base/hex.h"
#include "guard/rules/text.h"

#include <openssl/evp.h>

static const char *const names[T_COUNT] = {
#define TFN(id, name) [T_##id] = name,
#include "guard/rules/tfns.def"
#undef TFN
};

const char *tfn_name(uint8_t tfn) { return names[tfn]; }

int tfn_find(struct slice name) {
    for (int i = 0; i < T_COUNT; i++)
        if (s_is(name, names[i])) return i;
    if (s_is(name, "normalizePath")) return T_NORMALISE_PATH;
    if (s_is(name, "normalizePathWin")) return T_NORMALISE_PATH_WIN;
    return -1;
}

size_t tfn_room(uint8_t tfn, size_t n) {
    switch (tfn) {
    case T_URL_ENCODE: return n * 3 + 1;
    case T_UTF8_TO_UNICODE: return n * 4 + 16;
    case T_HEX_ENCODE: return n * 2 + 1;
    case T_BASE64_ENCODE: return n / 3 * 4 + 8;
    case T_LENGTH:
    case T_MD5:
    case T_SHA1: return 64;
    }
    return n + 8;
}

static size_t digest(const EVP_MD *kind, struct slice in, uint8_t *out) {
    unsigned n = 0;
    return EVP_Digest(in.n ? (const void *)in.p : "", in.n, out, &n, kind, NULL) ? n : 0;
}

static size_t hex_encode(struct slice in, uint8_t *out) {
    for (size_t i = 0; i < in.n; i++) {
        out[2 * i] = (uint8_t) "0123456789abcdef"[in.p[i] >> 4];
        out[2 * i + 1] = (uint8_t) "0123456789abcdef"[in.p[i] & 15];
    }
    return in.n * 2;
}

static size_t hex_decode(struct slice in, uint8_t *out) {
    size_t n = in.n / 2;
    for (size_t i = 0; i < n; i++) {
        uint8_t v[2];
        for (int k = 0; k < 2; k++) {
            uint8_t c = in.p[2 * i + (size_t)k];
            v[k] = (uint8_t)(c >= 'A' ? (c & 0xdf) - 'A' + 10 : c - '0');
        }
        out[i] = (uint8_t)(v[0] * 16 + v[1]);
    }
    return n;
}

static size_t url_encode(struct slice in, uint8_t *out) {
    uint8_t *d = out;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], l = ascii_lower(c);
        if (c == ' ') *d++ = '+';
        else if (c == '*' || (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z')) *d++ = c;
        else {
            *d++ = '%';
            d += hex_encode(slice_of(&c, 1), d);
        }
    }
    return (size_t)(d - out);
}

static size_t base64_encode(struct slice in, uint8_t *out) {
    return in.n ? (size_t)EVP_EncodeBlock(out, in.p, (int)in.n) : 0;
}

/* cmdLine: what a shell does not see is taken out, what parts words becomes one blank, none before / and (. */
static size_t cmd_line(struct slice in, uint8_t *out) {
    enum { DROP = 1, BLANK, NO_BLANK_BEFORE };
    static const uint8_t what[256] = {['"'] = DROP,   ['\''] = DROP,  ['\\'] = DROP,           ['^'] = DROP,
                                      [' '] = BLANK,  [','] = BLANK,  [';'] = BLANK,           ['\t'] = BLANK,
                                      ['\r'] = BLANK, ['\n'] = BLANK, ['/'] = NO_BLANK_BEFORE, ['('] = NO_BLANK_BEFORE};
    uint8_t *d = out;
    bool blank = false;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], w = what[c];
        if (w == DROP) continue;
        if (w == BLANK) {
            if (!blank) *d++ = ' ';
        } else {
            if (w == NO_BLANK_BEFORE && blank) d--;
            *d++ = ascii_lower(c);
        }
        blank = w == BLANK;
    }
    return (size_t)(d - out);
}

static size_t compress_whitespace(struct slice in, uint8_t *out) {
    size_t d = 0;
    bool blank = false;
    for (size_t i = 0; i < in.n; i++) {
        bool now = c_space(in.p[i]);
        if (!now) out[d++] = in.p[i];
        else if (!blank) out[d++] = ' ';
        blank = now;
    }
    return d;
}

static size_t remove_whitespace(struct slice in, uint8_t *out) {
    size_t d = 0;
    for (size_t i = 0; i < in.n; i++)
        if (!c_space(in.p[i]) && in.p[i] != 0xa0 && in.p[i] != 0xc2) out[d++] = in.p[i];
    return d;
}

static bool at(struct slice in, size_t i, const char *what) { return slice_starts(slice_tail(in, i), slice_str(what)); }

/* removeComments ends at -- and #; what follows the end of a comment is taken over without a look, the NUL behind the
 * text included, as libmodsecurity does. */
static size_t remove_comments(struct slice in, uint8_t *out) {
    size_t d = 0;
    bool inside = false;
    for (size_t i = 0; i < in.n;) {
        size_t skip = 1;
        if (!inside) {
            if (at(in, i, "/*")) inside = true, i += 2;
            else if (at(in, i, "<!--")) inside = true, i += 4;
            else if (at(in, i, "--") || in.p[i] == '#') break;
            else out[d++] = in.p[i++];
            continue;
        }
        if (at(in, i, "*/")) skip = 2;
        else if (at(in, i, "-->")) skip = 3;
        i += skip;
        if (skip == 1) continue;
        inside = false;
        out[d++] = i < in.n ? in.p[i] : 0;
        i++;
    }
    if (inside) out[d++] = ' ';
    return d;
}

static size_t remove_comments_char(struct slice in, uint8_t *out) {
    static const char *const marks[] = {"/*", "*/", "<!--", "-->", "--", "#"};
    size_t d = 0;
    for (size_t i = 0, k; i < in.n;) {
        for (k = 0; k < 6; k++)
            if (at(in, i, marks[k])) break;
        if (k < 6) i += strlen(marks[k]);
        else out[d++] = in.p[i++];
    }
    return d;
}

static size_t replace_comments(struct slice in, uint8_t *out) {
    size_t d = 0;
    bool inside = false;
    for (size_t i = 0; i < in.n;) {
        if (!inside && at(in, i, "/*")) {
            inside = true;
            i += 2;
        } else if (inside && at(in, i, "*/")) {
            inside = false;
            out[d++] = ' ';
            i += 2;
        } else {
            if (!inside) out[d++] = in.p[i];
            i++;
        }
    }
    if (inside) out[d++] = ' ';
    return d;
}

/* One loop each: the compiler makes vectors of them. */
static size_t lowercase(struct slice in, uint8_t *out) {
    for (size_t i = 0; i < in.n; i++) out[i] = (uint8_t)(in.p[i] + ((uint8_t)(in.p[i] - 'A') < 26 ? 32 : 0));
    return in.n;
}
static size_t uppercase(struct slice in, uint8_t *out) {
    for (size_t i = 0; i < in.n; i++) out[i] = (uint8_t)(in.p[i] - ((uint8_t)(in.p[i] - 'a') < 26 ? 32 : 0));
    return in.n;
}

static size_t parity(uint8_t tfn, struct slice in, uint8_t *out) {
    for (size_t i = 0; i < in.n; i++) {
        bool odd = 0x6996 >> ((in.p[i] ^ in.p[i] >> 4) & 15) & 1;
        bool high = tfn == T_PARITY_EVEN ? odd : tfn == T_PARITY_ODD ? !odd : false;
        out[i] = (uint8_t)((in.p[i] & 0x7f) | (high ? 0x80 : 0));
    }
    return in.n;
}

static size_t nulls(uint8_t tfn, struct slice in, uint8_t *out) {
    size_t d = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i]) out[d++] = in.p[i];
        else if (tfn == T_REPLACE_NULLS) out[d++] = ' ';
    }
    return d;
}

static size_t copied(struct slice s, uint8_t *out) {
    if (s.n) memcpy(out, s.p, s.n);
    return s.n;
}

static size_t trim(uint8_t tfn, struct slice in, uint8_t *out) {
    while (tfn != T_TRIM_RIGHT && in.n && c_space(in.p[0])) in = slice_tail(in, 1);
    while (tfn != T_TRIM_LEFT && in.n && c_space(in.p[in.n - 1])) in.n--;
    return copied(in, out);
}

static size_t path_step(uint8_t *out, size_t d, const uint8_t *p, bool last, bool relative, bool *root, bool *keep);

/* normalisePath: // and /./ become /, a segment and the .. behind it vanish; a relative path keeps what leads above its
 * start, an absolute one does not go there. Any segment that ends in two dots counts as .. does. */
static size_t tfn_path(struct slice in, bool windows, uint8_t *out) {
    if (!in.n) return 0;
    if (!memchr(in.p, '/', in.n) && !(windows && memchr(in.p, '\\', in.n)) && in.p[in.n - 1] != '.')
        return copied(in, out);
#define SLASH(c) ((c) == '/' || (windows && (c) == '\\'))
    bool relative = !SLASH(in.p[0]), trailing = SLASH(in.p[in.n - 1]), root = false;
    size_t d = 0, i = 0, end = in.n - 1;
    while (i <= end) {
        uint8_t c = SLASH(in.p[i]) ? '/' : in.p[i];
        bool last = i == end, keep = true;
        if ((last || SLASH(in.p[i + 1])) && !(c == '/' && !last)) {
            d = path_step(out, d, &c, last, relative, &root, &keep);
            if (!keep) {
                if (last) break;
                i++;
                c = '/';
            }
        }
        if (c == '/') {
            while (i < end && SLASH(in.p[i + 1])) i++;
            if (relative && d == 0) {
                i++;
                continue;
            }
        }
        out[d++] = c;
        i++;
    }
#undef SLASH
    if (!trailing && d && out[d - 1] == '/') d--;
    return d;
}

/* path_step looks at the last byte of a segment and returns where to write on; *keep is false where the byte goes. */
static size_t path_step(uint8_t *out, size_t d, const uint8_t *p, bool last, bool relative, bool *root, bool *keep) {
    if (*p != '.') {
        if (d) *root = false;
        return d;
    }
    if (d && out[d - 1] == '.') {
        if (relative && (*root || d <= 2)) {
            *root = true;
            return d;
        }
        *keep = false;
        d = d > 3 ? d - 3 : 0;
        while (d && out[d] != '/') d--;
        if (!d) {
            *root = true;
            if (!relative && last) d = 1;
        }
        return d;
    }
    if (!d) return *keep = false, d;
    if (out[d - 1] == '/') {
        *keep = false;
        return last ? d : d - 1;
    }
    return d;
}

size_t tfn_run(uint8_t tfn, const int16_t *unicode_map, struct slice in, uint8_t *out) {
    switch ((enum tfn_kind)tfn) {
    case T_BASE64_DECODE: return tfn_base64(in, out);
    case T_BASE64_DECODE_EXT: return tfn_base64_ext(in, out);
    case T_BASE64_ENCODE: return base64_encode(in, out);
    case T_CMD_LINE: return cmd_line(in, out);
    case T_COMPRESS_WHITESPACE: return compress_whitespace(in, out);
    case T_CSS_DECODE: return tfn_css(in, out);
    case T_ESCAPE_SEQ_DECODE: return tfn_escape(in, out);
    case T_HEX_DECODE: return hex_decode(in, out);
    case T_HEX_ENCODE: return hex_encode(in, out);
    case T_HTML_ENTITY_DECODE: return tfn_html(in, out);
    case T_JS_DECODE: return tfn_js(in, out);
    case T_LENGTH: return (size_t)snprintf((char *)out, 32, "%zu", in.n);
    case T_MD5: return digest(EVP_md5(), in, out);
    case T_SHA1: return digest(EVP_sha1(), in, out);
    case T_NORMALISE_PATH: return tfn_path(in, false, out);
    case T_NORMALISE_PATH_WIN: return tfn_path(in, true, out);
    case T_REMOVE_COMMENTS: return remove_comments(in, out);
    case T_REMOVE_COMMENTS_CHAR: return remove_comments_char(in, out);
    case T_REMOVE_WHITESPACE: return remove_whitespace(in, out);
    case T_REPLACE_COMMENTS: return replace_comments(in, out);
    case T_SQL_HEX_DECODE: return tfn_sql_hex(in, out);
    case T_TRIM:
    case T_TRIM_LEFT:
    case T_TRIM_RIGHT: return trim(tfn, in, out);
    case T_URL_DECODE: return tfn_url(in, out);
    case T_URL_DECODE_UNI: return tfn_url_uni(in, unicode_map, out);
    case T_URL_ENCODE: return url_encode(in, out);
    case T_UTF8_TO_UNICODE: return tfn_utf8(in, out);
    case T_LOWERCASE: return lowercase(in, out);
    case T_UPPERCASE: return uppercase(in, out);
    case T_PARITY_EVEN:
    case T_PARITY_ODD:
    case T_PARITY_ZERO: return parity(tfn, in, out);
    case T_REMOVE_NULLS:
    case T_REPLACE_NULLS: return nulls(tfn, in, out);
    case T_COUNT: break;
    }
    return copied(in, out);
}

/* Bytes of which one at least must be there for the transformation to change anything; NULL: it may change any text. */
static struct slice tfn_needs(uint8_t tfn) {
    switch (tfn) {
    case T_URL_DECODE:
    case T_URL_DECODE_UNI: return SLICE("%+");
    case T_HTML_ENTITY_DECODE: return SLICE("&");
    case T_JS_DECODE:
    case T_ESCAPE_SEQ_DECODE: return SLICE("\\");
    case T_CSS_DECODE: return SLICE("\\\0");
    case T_REMOVE_NULLS:
    case T_REPLACE_NULLS: return SLICE("\0");
    case T_COMPRESS_WHITESPACE:
    case T_TRIM:
    case T_TRIM_LEFT:
    case T_TRIM_RIGHT: return SLICE(" \t\n\v\f\r");
    case T_REMOVE_WHITESPACE: return SLICE(" \t\n\v\f\r\xa0\xc2");
    case T_REPLACE_COMMENTS: return SLICE("/");
    case T_REMOVE_COMMENTS: return SLICE("/<-#");
    case T_REMOVE_COMMENTS_CHAR: return SLICE("/*<-#");
    case T_NORMALISE_PATH: return SLICE("/.");
    case T_NORMALISE_PATH_WIN: return SLICE("/.\\");
    case T_LOWERCASE: return SLICE("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    case T_UPPERCASE: return SLICE("abcdefghijklmnopqrstuvwxyz");
    }
    return (struct slice){0};
}

bool tfn_idle(uint8_t tfn, const uint64_t seen[4]) {
    static uint64_t needs[T_COUNT][4];
    static bool changes_any[T_COUNT], ready;
    if (!ready) {
        for (uint8_t t = 0; t < T_COUNT; t++) {
            struct slice need = tfn_needs(t);
            for (size_t i = 0; i < need.n; i++) bytes_add(needs[t], need.p[i]);
            changes_any[t] = !need.p;
        }
        ready = true;
    }
    if (tfn == T_UTF8_TO_UNICODE) return !(seen[2] | seen[3]) && !(seen[0] & 1);
    const uint64_t *n = needs[tfn];
    return !changes_any[tfn] && !((seen[0] & n[0]) | (seen[1] & n[1]) | (seen[2] & n[2]) | (seen[3] & n[3]));
}
