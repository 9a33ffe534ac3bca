/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_WORDS_H
#define WEIR_VIEW_WORDS_H

#include "analyse/explain/explain.h"
#include "base/writer.h"

/* Words in the reader's language, and how much room they take in a terminal. */

/* words_start selects the language: a name as in LANG ("ja", "zh_CN.UTF-8"), or NULL for that of the environment. `dir`
 * is where the translations lie, NULL: nowhere. */
void words_start(const char *language, const char *dir);
/* words_catalogue is the translations of one language, as msgfmt writes them (.mo); it must live while it is in use.
 * words_catalogue_read tells whether the bytes are such a file. words_use makes the words of this thread those of a
 * catalogue, English where it is empty; NULL: those words_start selected. */
struct words_catalogue {
    struct slice mo;
    uint32_t n, from, to; /* texts, and where the tables of English and translated ones are */
};
bool words_catalogue_read(struct words_catalogue *c, struct slice mo);
void words_use(const struct words_catalogue *c);
/* words returns the translation of a text; the texts of the source are English. */
const char *words(const char *english) __attribute__((format_arg(1)));
/* words_fill writes a translated template with its numbered arguments, %1$s to %9$s. */
void words_fill(struct writer *w, const char *english, const struct argument *arg, size_t n);

/* text_width returns how many columns of a terminal a text takes: two for wide characters of East Asia. */
size_t text_width(struct slice s);
/* text_pad writes a text and spaces up to `width` columns. */
void text_pad(struct writer *w, struct slice s, size_t width);
/* text_cut writes a text in exactly `width` columns: padded, or cut with an ellipsis at its end ("..": plain). */
void text_cut(struct writer *w, struct slice s, size_t width, bool unicode);
/* text_wrap writes a text in lines of at most `width` columns, with `indent` spaces before each line but the first, and
 * a newline behind the last. */
void text_wrap(struct writer *w, struct slice s, size_t indent, size_t width);
/* text_wrap_from is the same where the first line has begun: the text goes on at `column`. */
void text_wrap_from(struct writer *w, struct slice s, size_t column, size_t indent, size_t width);
/* xml_text writes the first `most` characters of a text into a document of XML; what cannot be seen, or is no UTF-8,
 * becomes U+FFFD, a control character a space. */
void xml_text(struct writer *w, struct slice s, size_t most);
/* text_label writes words that end with a colon, and the space a colon of ASCII wants behind it; the columns they take.
 */
size_t text_label(struct writer *w, const char *english);
/* text_number writes a line of words with a number in it, %1$s, wrapped at `width`. */
void text_number(struct writer *w, size_t width, const char *english, uint64_t n);

#endif
