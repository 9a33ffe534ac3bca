/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_WORDS_H
#define WEIR_BASE_WORDS_H

/* N_ marks a text that is translated where it is printed; po/ collects what stands in it. */
#define N_(text) text

/* say_fn translates a text; rooms below view/ are handed one, since catalogues are view/'s. say_by returns what it
 * makes of a text, which is the text itself where there is none. */
typedef const char *say_fn(const char *english);
static inline const char *say_by(say_fn *say, const char *english) { return say ? say(english) : english; }

#endif
