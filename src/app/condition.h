/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CONDITION_H
#define WEIR_APP_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* condition is one that an option such as -a takes: "duration:1.5". */
struct condition {
    const char *name;
    double scale; /* what the number is multiplied by */
    size_t at;    /* offsetof the int64_t it goes to */
};

/* condition_amount reads a number with a fraction and gives it times scale, 1 at least; negative where it is none. */
int64_t condition_amount(const char *text, double scale);
/* condition_take reads a condition that is one of a list of n into its place in `to`; false where it is none. */
bool condition_take(const char *text, const struct condition *list, size_t n, void *to);

#endif
