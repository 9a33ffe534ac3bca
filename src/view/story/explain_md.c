/* SPDX-License-Identifier: Apache-2.0 */
/* explain as a report in Markdown, to be sent to somebody who has no terminal at hand. */
#include "analyse/explain/judge.h"
#include "field/print.h"
#include "view/story/explain_view.h"
#include "view/words.h"

/* md_escape writes text that may come from the wire so that Markdown shows it as it is. */
static void md_escape(struct writer *w, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (strchr("<>|*_[]\\", s.p[i]) && s.p[i]) wr_c(w, '\\');
        wr_c(w, (char)s.p[i]);
    }
}

static void md_made(struct writer *w, void (*make)(struct writer *, const struct finding *), const struct finding *f) {
    struct writer t = wr_grow();
    make(&t, f);
    md_escape(w, wr_done(&t));
    wr_free(&t);
}

static void finding_md(struct writer *w, const struct finding *f, const struct explain_view *v, bool heading) {
    if (heading) wr_f(w, "\n### %s%s`%s`\n\n", words(level_name(f->level)), words(N_(": ")), finding_id(f));
    md_made(w, finding_sentence, f);
    finding_confidence(w, f);
    wr_s(w, "\n");
    if (*f->next) {
        wr_f(w, "\n**%s** ", words(N_("Next:")));
        md_made(w, finding_next, f);
        wr_s(w, "\n");
    }
    struct writer t = wr_grow();
    if (finding_command(&t, f, v)) {
        wr_s(w, "\n    ");
        wr_slice(w, wr_done(&t));
        wr_s(w, "\n");
    }
    wr_free(&t);
}

static void roles_md(struct writer *w, const struct explain *e) {
    struct role roles[ROLES_MAX];
    size_t all, n = roles_find(e, roles, ROLES_MAX, &all);
    if (!n) return;
    wr_f(w, "\n## %s\n\n| %s | %s | %s |\n| --- | --- | --- |\n", words(N_("Roles")), words(N_("role")),
         words(N_("who")), words(N_("topic")));
    for (size_t i = 0; i < n; i++) {
        char text[512];
        struct writer t = wr_fixed(text, sizeof text);
        conv_label(&t, roles[i].c, strcmp(roles[i].name, "broker") ? CLIENT : SERVER);
        wr_f(w, "| %s | ", words(roles[i].name));
        md_escape(w, wr_done(&t));
        wr_s(w, " | ");
        wr_reset(&t);
        print_string(&t, slice_head(roles[i].topic, 120));
        md_escape(w, wr_done(&t));
        wr_s(w, " |\n");
    }
}

void explain_md(struct writer *w, struct explain *e, const struct explain_view *v) {
    bool fine;
    const struct finding *cause = explain_verdict(e, &fine);
    wr_f(w, "# %s\n\n**%s** ", v->file ? v->file : words(N_("Live capture")),
         fine ? "✓" : words(level_name(cause->level)));
    finding_md(w, cause, v, false);
    roles_md(w, e);
    if (e->findings) wr_f(w, "\n## %s\n", words(N_("Findings")));
    for (uint32_t i = 0; i < e->findings; i++)
        if (finding_shown(&e->finding[i], v)) finding_md(w, &e->finding[i], v, true);
}
