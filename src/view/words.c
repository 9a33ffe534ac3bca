/* SPDX-License-Identifier: Apache-2.0 */
/* Translations by the C library's gettext. It looks at LANGUAGE, which it obeys in any locale but "C"; so a program
 * without an installed locale of the language speaks it too: the locale is then C.UTF-8, which the library always has.
 */
#include "view/words.h"
#include "base/utf8.h"
#include "field/print.h"

#include <libintl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

void words_start(const char *language, const char *dir) {
    const char *env = getenv("LC_ALL");
    if (!env || !*env) env = getenv("LC_MESSAGES");
    if (!env || !*env) env = getenv("LANG");
    const char *want = language ? language : env;
    if (!want || !*want || !strcmp(want, "C") || !strcmp(want, "POSIX") || !dir) return;
    if (!setlocale(LC_MESSAGES, "C.UTF-8")) return;
    if (!strncmp(want, "zh", 2)) want = "zh_CN"; /* the one Chinese there is */
    if (language || !getenv("LANGUAGE")) setenv("LANGUAGE", want, 1);
    bindtextdomain("weir", dir);
    bind_textdomain_codeset("weir", "UTF-8");
    bind_textdomain_codeset("libc", "UTF-8"); /* words of strerror, which follow the language too */
    textdomain("weir");
}

/* ---- catalogues ---- */

static _Thread_local const struct words_catalogue *in_use;

void words_use(const struct words_catalogue *c) { in_use = c; }

static uint32_t number_at(const struct words_catalogue *c, size_t at) {
    uint32_t n;
    memcpy(&n, c->mo.p + at, sizeof n);
    return n;
}

/* text_at gives a text of a table; NULL where it is not inside the file, with the NUL behind it. */
static const char *text_at(const struct words_catalogue *c, uint32_t table, uint32_t i) {
    size_t entry = table + (size_t)i * 8, n = number_at(c, entry), at = number_at(c, entry + 4);
    bool fits = at < c->mo.n && n < c->mo.n - at && !c->mo.p[at + n];
    return fits ? (const char *)c->mo.p + at : NULL;
}

bool words_catalogue_read(struct words_catalogue *c, struct slice mo) {
    enum { MAGIC = 0x950412de, HEAD = 28 }; /* in the byte order of this machine: it is made with the program */
    struct words_catalogue made = {.mo = mo};
    if (mo.n < HEAD || number_at(&made, 0) != MAGIC || number_at(&made, 4)) return false;
    made.n = number_at(&made, 8);
    made.from = number_at(&made, 12);
    made.to = number_at(&made, 16);
    size_t most = mo.n / 8, last = mo.n - (size_t)8 * (made.n < most ? made.n : most);
    if (made.n > most || made.from > last || made.to > last) return false;
    *c = made;
    return true;
}

/* catalogue_find: the table of English texts is in the order of strcmp. */
static const char *catalogue_find(const struct words_catalogue *c, const char *english) {
    uint32_t low = 0, high = c->n;
    while (low < high) {
        uint32_t i = low + (high - low) / 2;
        const char *text = text_at(c, c->from, i), *found;
        int order = text ? strcmp(english, text) : 1;
        if (!order) return (found = text_at(c, c->to, i)) && *found ? found : english;
        if (order < 0) high = i;
        else low = i + 1;
    }
    return english;
}

const char *words(const char *english) {
    if (!*english) return "";
    return in_use ? catalogue_find(in_use, english) : gettext(english);
}

void words_fill(struct writer *w, const char *english, const struct argument *arg, size_t n) {
    const char *s = words(english);
    for (; *s; s++) {
        if (s[0] == '%' && s[1] == '%') {
            wr_c(w, '%');
            s++;
        } else if (s[0] == '%' && s[1] >= '1' && s[1] <= '9' && s[2] == '$' && s[3] == 's') {
            size_t k = (size_t)(s[1] - '1');
            if (k < n && arg[k].words) wr_s(w, words((const char *)arg[k].text.p));
            else if (k < n) print_string(w, arg[k].text);
            s += 3;
        } else {
            wr_c(w, *s);
        }
    }
}

/* next_char takes one character of UTF-8 off s; bytes that are none count as characters. */
static uint32_t next_char(struct slice *s) {
    uint8_t b = s->p[0];
    size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    if (n > s->n) n = s->n;
    uint32_t c = n == 1 ? b : b & (0x7f >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (s->p[i] & 0x3f);
    *s = slice_tail(*s, n);
    return c;
}

/* char_width: Unicode's East Asian Width, classes W and F; marks that combine take no room. */
static unsigned char_width(uint32_t c) {
    static const struct {
        uint32_t lo, hi;
    } wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},  {0x4e00, 0x9fff},
                {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},  {0xff00, 0xff60},
                {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if ((c >= 0x300 && c <= 0x36f) || c == 0x200b || c == 0xfeff) return 0;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (c >= wide[i].lo && c <= wide[i].hi) return 2;
    return 1;
}

size_t text_width(struct slice s) {
    size_t n = 0;
    while (n < s.n && (uint8_t)(s.p[n] - 0x20) < 0x5f) n++; /* printable ASCII, as nearly all text is */
    for (s = slice_tail(s, n); s.n;) n += char_width(next_char(&s));
    return n;
}

void text_pad(struct writer *w, struct slice s, size_t width) {
    size_t n = text_width(s);
    wr_slice(w, s);
    if (n < width) wr_spaces(w, width - n);
}

void text_cut(struct writer *w, struct slice s, size_t width, bool unicode) {
    if (text_width(s) <= width) return text_pad(w, s, width);
    size_t dots = unicode ? 1 : 2, room = width > 2 ? width - dots : 0, used = 0, n = 0;
    for (struct slice rest = s; rest.n;) {
        size_t wide = char_width(next_char(&rest));
        if (used + wide > room) break;
        used += wide;
        n = s.n - rest.n;
    }
    wr_slice(w, slice_head(s, n));
    if (room) wr_s(w, unicode ? "…" : "..");
    wr_spaces(w, room - used + (room ? 0 : width));
}

/* must_not_begin: closing marks stay with the line before (the rule Japanese and Chinese call kinsoku). */
static bool must_not_begin(uint32_t c) {
    return c == 0x3001 || c == 0x3002 || c == 0xff0c || c == 0xff1a || c == 0xff1b || c == 0x300d || c == 0xff09 ||
           c == 0x201d || c == 0xff1f;
}

/* must_not_end: an opening mark goes to the line of what it opens. */
static bool must_not_end(uint32_t c) {
    return c == 0xff08 || c == 0x300c || c == 0x300e || c == 0x3010 || c == 0x300a || c == 0x201c;
}

/* piece_take takes what must not be torn: a wide character with the marks behind it, or a word up to the next space or
 * wide character. */
static struct slice piece_take(struct slice *s, size_t *width) {
    struct slice start = *s;
    uint32_t c = next_char(s);
    *width = char_width(c);
    bool wide = *width == 2, open = must_not_end(c);
    while (s->n && s->p[0] != ' ') {
        struct slice after = *s;
        uint32_t next = next_char(&after);
        if (!open && (wide || char_width(next) == 2) && !must_not_begin(next)) break;
        if (open) wide = char_width(next) == 2;
        open = must_not_end(next);
        *width += char_width(next);
        *s = after;
    }
    return slice_head(start, start.n - s->n);
}

void text_wrap(struct writer *w, struct slice s, size_t indent, size_t width) {
    text_wrap_from(w, s, indent, indent, width);
}

void text_wrap_from(struct writer *w, struct slice s, size_t column, size_t indent, size_t width) {
    size_t room = width > indent + 20 ? width : indent + 20;
    bool fresh = true, space = false;
    while (s.n) {
        if (s.p[0] == ' ') {
            space = true;
            s = slice_tail(s, 1);
            continue;
        }
        size_t n;
        struct slice piece = piece_take(&s, &n);
        if (!fresh && column + space + n > room) {
            wr_c(w, '\n');
            wr_spaces(w, indent);
            column = indent;
            fresh = true;
        }
        if (space && !fresh) {
            wr_c(w, ' ');
            column++;
        }
        wr_slice(w, piece);
        column += n;
        fresh = space = false;
    }
    wr_c(w, '\n');
}

void xml_text(struct writer *w, struct slice s, size_t most) {
    for (; s.n && most; most--) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n && code < 0x20) wr_c(w, ' ');
        else if (!n || utf8_hidden(code) || code == 0xfffe || code == 0xffff) wr_s(w, "\xef\xbf\xbd");
        else if (code == '<') wr_s(w, "&lt;");
        else if (code == '>') wr_s(w, "&gt;");
        else if (code == '&') wr_s(w, "&amp;");
        else wr_slice(w, slice_head(s, n));
        s = slice_tail(s, n ? n : 1);
    }
}

void text_number(struct writer *w, size_t width, const char *english, uint64_t n) {
    char digits[24];
    struct writer number = wr_fixed(digits, sizeof digits), text = wr_grow();
    wr_u(&number, n);
    struct argument arg = {.text = wr_done(&number)};
    words_fill(&text, english, &arg, 1);
    text_wrap(w, wr_done(&text), 0, width);
    wr_free(&text);
}

size_t text_label(struct writer *w, const char *english) {
    struct slice label = slice_str(words(english));
    bool narrow = label.n && label.p[label.n - 1] == ':';
    wr_slice(w, label);
    if (narrow) wr_c(w, ' ');
    return text_width(label) + narrow;
}
