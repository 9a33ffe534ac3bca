/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_STORY_EXPLAIN_VIEW_H
#define WEIR_VIEW_STORY_EXPLAIN_VIEW_H

#include "analyse/explain/explain.h"
#include "base/writer.h"

/* explain_view is how findings are shown. */
struct explain_view {
    const char *file; /* as typed, for the commands; NULL: there is none */
    bool color, unicode, verbose;
    size_t width; /* columns of the terminal */
    size_t rows;  /* its rows; 0: none */
};

/* explain_text writes verdict, roles and conversations for a terminal (and where that is more than it has rows, the
 * verdict again at the end), explain_json one JSON object, explain_md a report in Markdown, explain_svg the text as a
 * picture. e is finished. */
void explain_text(struct writer *w, struct explain *e, const struct explain_view *view);
void explain_json(struct writer *w, struct explain *e, const struct explain_view *view);
void explain_md(struct writer *w, struct explain *e, const struct explain_view *view);
void explain_svg(struct writer *w, struct explain *e, const struct explain_view *view);
/* explain_list writes the catalogue of checks: for a terminal, as JSON, or as Markdown. */
void explain_list(struct writer *w, const struct explain_view *view);
void explain_list_json(struct writer *w);
void explain_list_md(struct writer *w);
/* explain_one writes one finding as it is made, in a live run, with its time of day; again: its next step was told
 * before, of another conversation. */
void explain_one(struct writer *w, const struct finding *f, bool again, const struct explain_view *view);

/* For the forms. */
void finding_sentence(struct writer *w, const struct finding *f);
void finding_next(struct writer *w, const struct finding *f);
/* finding_command writes the command that shows the frames; false where there is none. */
bool finding_command(struct writer *w, const struct finding *f, const struct explain_view *view);
/* finding_shown tells whether a report has a finding: notes are left out, but for those that were asked for. */
static inline bool finding_shown(const struct finding *f, const struct explain_view *view) {
    return f->level > LEVEL_NOTE || f->asked || view->verbose;
}
const char *finding_id(const struct finding *f);
/* finding_confidence writes, in brackets, how sure a finding is that is not certain. */
void finding_confidence(struct writer *w, const struct finding *f);

/* role is one party of MQTT traffic. */
struct role {
    const char *name; /* N_() words: broker, publisher, subscriber, publisher and subscriber, client */
    const struct conv *c;
    struct slice topic; /* first topic or filter; empty: none */
    uint32_t more;      /* further ones */
};
enum { ROLES_MAX = 64 };
/* roles_find fills out with brokers first, then clients; *all counts them all. */
size_t roles_find(const struct explain *e, struct role *out, size_t max, size_t *all);

#endif
