/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_TOPICS_H
#define WEIR_VIEW_TOPICS_H

#include "analyse/topics.h"

/* topics_json writes the members of an object: the topics in the order of their names, from `offset` to before `offset`
 * + n, each with its messages over time. */
void topics_json(struct writer *w, const struct topics *t, uint32_t offset, uint32_t n);

#endif
