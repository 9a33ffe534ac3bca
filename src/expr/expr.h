/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_EXPR_EXPR_H
#define WEIR_EXPR_EXPR_H

#include "base/err.h"
#include "base/words.h"
#include "base/writer.h"
#include "field/fvec.h"

/* Display filters and conditions: text in, an immutable program out, asked of one packet's fields at a time.
 *
 * The language is that of Wireshark 4.0. A program belongs to no packet and keeps nothing between matches: any number
 * of threads may match with the same one. Its want mask says what must be decoded before it is asked. */

enum {
    EXPR_TEXT_MAX = 64 * 1024, /* bytes of a filter */
    EXPR_DEPTH_MAX = 100,      /* brackets, nots, functions inside each other */
    EXPR_NEAR_MAX = 3,         /* names suggested for a misspelt one */
};

struct expr;

/* expr_error says why a text is no filter, and where: bytes at to before at + len. */
struct expr_error {
    size_t at, len;
    char message[240];               /* one sentence without a full stop at its end */
    const char *near[EXPR_NEAR_MAX]; /* names that look like a misspelt one, best first; static storage */
    size_t near_count;
};

/* expr_compile makes a program of a filter; names is the field table's index. An empty text matches every packet. On
 * failure ERR_USAGE (the text is no filter), ERR_LIMIT or ERR_NOMEM, and the reason in *why; *out is untouched. The
 * caller releases the program with expr_free. */
int expr_compile(struct expr **out, struct slice text, const struct field_index *names,
                 struct expr_error *why) MUST_USE;
/* expr_compile_said is the same with the reason in the words of `say`. */
int expr_compile_said(struct expr **out, struct slice text, const struct field_index *names, struct expr_error *why,
                      say_fn *say) MUST_USE;
/* expr_free releases a program; NULL is fine. */
void expr_free(struct expr *e);

/* expr_want returns the fields the program reads; a list to be matched must have been decoded with at least these. */
const struct want *expr_want(const struct expr *e);

/* expr_match tells whether a packet's fields fulfil the filter. Its time is bounded by the length of the list and of
 * the program, and what a search may cost is limited: one that comes to its limit finds nothing. */
bool expr_match(const struct expr *e, const struct fvec *v);
/* expr_ask is expr_match; *unsure tells whether a limit kept a part of the filter from being decided. */
bool expr_ask(const struct expr *e, const struct fvec *v, bool *unsure);
/* expr_unsure returns how many packets were matched so. */
uint64_t expr_unsure(const struct expr *e);

/* expr_guess tells what is known of the outcome for packets of which only the fields they can have are known: `there`
 * says of a field NO where it is not there, YES where it is, MAYBE. It may say MAYBE although the outcome is certain,
 * never the other way. */
enum expr_guess { EXPR_NO, EXPR_YES, EXPR_MAYBE };
enum expr_guess expr_guess(const struct expr *e, enum expr_guess (*there)(void *to, uint16_t id), void *to);

/* expr_print writes the program, one instruction a line. */
void expr_print(struct writer *w, const struct expr *e);
/* expr_error_print writes the complaint, the line of the filter, and a caret under the place. */
void expr_error_print(struct writer *w, struct slice text, const struct expr_error *why);
/* expr_warning returns the i-th remark about a deprecated form in the filter, or NULL behind the last one. */
const char *expr_warning(const struct expr *e, size_t i);

#endif
