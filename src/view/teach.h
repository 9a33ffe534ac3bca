/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_TEACH_H
#define WEIR_VIEW_TEACH_H

#include "analyse/ladder.h"

enum { TEACH_MAX = 96 }; /* sentences */

/* teach knows which sentences were said already. */
struct teach {
    bool said[TEACH_MAX];
};

/* teach_rung returns the sentence that says what arrow i means, untranslated; NULL where there is none, or where it was
 * said of an earlier arrow. */
const char *teach_rung(struct teach *t, const struct ladder *l, uint32_t i);

#endif
