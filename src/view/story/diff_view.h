/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_STORY_DIFF_VIEW_H
#define WEIR_VIEW_STORY_DIFF_VIEW_H

#include "analyse/compare.h"
#include "analyse/explain/explain.h"

struct diff_view {
    bool color, unicode, all; /* all: also conversations and rows that are the same */
    size_t width;
    struct explain *bad; /* what explain says of the bad run; finished */
};

/* diff_text writes where two runs part, first the sentence, then the two ladders side by side; diff_svg draws them,
 * diff_json is for programs. */
void diff_text(struct writer *w, struct comparison *c, const struct diff_view *v);
void diff_svg(struct writer *w, struct comparison *c, const struct diff_view *v);
void diff_json(struct writer *w, struct comparison *c, const struct diff_view *v);

/* For the forms: diff_sentence writes what happens at a row. */
void diff_sentence(struct writer *w, const struct comparison *c, const struct pairing *p, const struct row *r);
const struct finding *diff_cause(const struct comparison *c, const struct diff_view *v);

#endif
