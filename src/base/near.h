/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_NEAR_H
#define WEIR_BASE_NEAR_H

#include "base/slice.h"

/* How alike two words are, for suggestions. */

enum { NEAR_WORD_MAX = 64, NEAR_FAR = 999 };

/* near_edits counts the edits (insert, drop, change, swap of neighbours) from a to b; NEAR_FAR where one of them has
 * more than NEAR_WORD_MAX bytes. */
unsigned near_edits(struct slice a, struct slice b);

#endif
