/* SPDX-License-Identifier: Apache-2.0 */
/* explain for programs: one JSON object; and the catalogue as JSON and Markdown. */
#include "analyse/explain/judge.h"
#include "base/json.h"
#include "view/story/explain_view.h"
#include "view/words.h"

static void json_pair(struct writer *w, const char *name, struct slice s) {
    wr_f(w, "\"%s\":", name);
    json_text(w, s);
}

static void json_made(struct writer *w, const char *name, void (*make)(struct writer *, const struct finding *),
                      const struct finding *f) {
    struct writer t = wr_grow();
    make(&t, f);
    json_pair(w, name, wr_done(&t));
    wr_free(&t);
}

static const char *const levels[LEVELS] = {"note", "warning", "error"};
static const char *const blames[BLAMES] = {"", "client", "server", "path"};
static const char *const certain[] = {"sure", "likely", "guess"};
static const char *const stages[STAGES] = {"capture", "link", "dns", "tcp", "tls", "web", "mqtt", "delivery"};

static void finding_json(struct writer *w, const struct finding *f, const struct explain_view *v) {
    bool check = f->check < explain_checks_count;
    wr_c(w, '{');
    json_pair(w, "id", slice_str(finding_id(f)));
    if (check) wr_f(w, ",\"stage\":\"%s\"", stages[explain_checks[f->check].stage]);
    wr_f(w, ",\"severity\":\"%s\"", levels[f->level]);
    if (f->blame) wr_f(w, ",\"side\":\"%s\"", blames[f->blame]);
    wr_f(w, ",\"confidence\":\"%s\"", certain[f->confidence]);
    if (f->stream >= 0) wr_f(w, ",\"tcp.stream\":%lld", (long long)f->stream);
    wr_s(w, ",\"frames\":[");
    for (unsigned i = 0; i < f->frames; i++) wr_f(w, "%s%llu", i ? "," : "", (unsigned long long)f->frame[i]);
    wr_s(w, "],");
    json_made(w, "text", finding_sentence, f);
    if (*f->next) {
        wr_c(w, ',');
        json_made(w, "next", finding_next, f);
    }
    struct writer t = wr_grow();
    if (finding_command(&t, f, v)) {
        wr_c(w, ',');
        json_pair(w, "command", wr_done(&t));
    }
    wr_free(&t);
    wr_c(w, '}');
}

static void label_json(struct writer *w, const char *name, const struct conv *c, int side) {
    char text[512];
    struct writer t = wr_fixed(text, sizeof text);
    endpoint_write(&t, &c->end[side]);
    json_pair(w, name, wr_done(&t));
}

static void conv_json(struct writer *w, const struct explain *e, const struct conv *c) {
    static const char *const states[] = {"absent", "fine", "failed", "unseen"};
    wr_f(w, "{\"tcp.stream\":%u,", c->stream);
    label_json(w, "client", c, CLIENT);
    wr_c(w, ',');
    label_json(w, "server", c, SERVER);
    if (c->mqtt && c->mqtt->client.n) {
        wr_c(w, ',');
        json_pair(w, "client_id", c->mqtt->client);
    }
    if (c->name) {
        wr_c(w, ',');
        json_pair(w, "name", e->name[c->name - 1].name);
    }
    wr_s(w, ",\"stages\":{");
    bool any = false;
    for (enum stage s = STAGE_DNS; s < STAGES; s++) {
        enum stage_state state = conv_stage(e, c, s);
        if (state == STAGE_ABSENT) continue;
        wr_f(w, "%s\"%s\":\"%s\"", any ? "," : "", stages[s], states[state]);
        any = true;
    }
    wr_f(w, "},\"severity\":%s%s%s}", c->worst ? "\"" : "", c->worst ? levels[c->worst - 1] : "null",
         c->worst ? "\"" : "");
}

static void roles_json(struct writer *w, const struct explain *e) {
    struct role roles[ROLES_MAX];
    size_t all, n = roles_find(e, roles, ROLES_MAX, &all);
    wr_s(w, ",\"roles\":[");
    for (size_t i = 0; i < n; i++) {
        bool broker = !strcmp(roles[i].name, "broker");
        wr_f(w, "%s{\"role\":\"%s\",", i ? "," : "", roles[i].name);
        label_json(w, "address", roles[i].c, broker ? SERVER : CLIENT);
        if (!broker && roles[i].c->mqtt->client.n) {
            wr_c(w, ',');
            json_pair(w, "client_id", roles[i].c->mqtt->client);
        }
        if (roles[i].topic.n) {
            wr_c(w, ',');
            json_pair(w, "topic", roles[i].topic);
        }
        wr_c(w, '}');
    }
    wr_c(w, ']');
}

void explain_json(struct writer *w, struct explain *e, const struct explain_view *v) {
    bool fine;
    const struct finding *cause = explain_verdict(e, &fine);
    wr_s(w, "{\"verdict\":");
    finding_json(w, cause, v);
    wr_f(w, ",\"fine\":%s,\"packets\":%llu,\"conversations\":%llu,\"errors\":%llu,\"warnings\":%llu,\"notes\":%llu",
         fine ? "true" : "false", (unsigned long long)e->packets, (unsigned long long)e->chosen,
         (unsigned long long)e->per_level[LEVEL_ERROR], (unsigned long long)e->per_level[LEVEL_WARNING],
         (unsigned long long)e->per_level[LEVEL_NOTE]);
    roles_json(w, e);
    wr_s(w, ",\"findings\":[");
    for (uint32_t i = 0; i < e->findings; i++) {
        if (i) wr_c(w, ',');
        finding_json(w, &e->finding[i], v);
    }
    wr_s(w, "],\"streams\":[");
    bool any = false;
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = e->conv[i];
        if (!c || !explain_chosen(e, c) || (!c->worst && !c->mqtt)) continue;
        if (any) wr_c(w, ',');
        conv_json(w, e, c);
        any = true;
    }
    wr_s(w, "]}\n");
}

void explain_list_json(struct writer *w) {
    wr_c(w, '[');
    for (size_t i = 0; i < explain_checks_count; i++) {
        const struct check *c = &explain_checks[i];
        wr_f(w, "%s\n{\"id\":\"%s\",\"stage\":\"%s\",\"severity\":\"%s\"", i ? "," : "", c->id, stages[c->stage],
             levels[c->level]);
        if (c->blame) wr_f(w, ",\"side\":\"%s\"", blames[c->blame]);
        wr_c(w, ',');
        json_pair(w, "title", slice_str(words(c->title)));
        wr_c(w, ',');
        json_pair(w, "text", slice_str(words(c->text)));
        wr_c(w, ',');
        json_pair(w, "next", slice_str(words(c->next)));
        wr_c(w, '}');
    }
    wr_s(w, "\n]\n");
}

void explain_list_md(struct writer *w) {
    wr_f(w, "# %s\n\n%s\n", words(N_("Checks of weir explain")),
         words(N_("What `weir explain` looks for, made from its table.")));
    for (enum stage s = 0; s < STAGES; s++) {
        wr_f(w, "\n## %s\n\n| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n", words(stage_name(s)),
             words(N_("check")), words(N_("severity")), words(N_("what is wrong")), words(N_("what to do next")));
        for (size_t i = 0; i < explain_checks_count; i++) {
            const struct check *c = &explain_checks[i];
            if (c->stage == s)
                wr_f(w, "| `%s` | %s | %s | %s |\n", c->id, words(level_name(c->level)), words(c->title),
                     words(c->next));
        }
    }
}
