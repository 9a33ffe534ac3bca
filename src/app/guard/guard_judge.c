/* SPDX-License-Identifier: Apache-2.0 */
/* weir guard --judge and --explain-rule: rule files tried without a broker.
 *
 * Theory of operation: every input line is a JSON object of its own. It is put into a transaction as a packet on the
 * wire would be (topic, then payload), or in one of the two forms ModSecurity knows, a form's argument (--form) or a
 * member of a JSON body (--json), so that verdicts can be compared with libmodsecurity's. */
#include "app/guard/guard_judge.h"
#include "base/clock.h"
#include "base/json.h"
#include "proto/fields.h"
#include "serve/proxy/rules_source.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 20, STORE_VALUES = 100000 };

struct line {
    struct slice topic, payload, base64;
    bool has_topic, has_payload, has_base64;
};

static bool line_member(void *ctx, struct slice path, struct slice value) {
    struct line *l = ctx;
    const struct {
        const char *path;
        struct slice *to;
        bool *has;
    } known[] = {{"json.topic", &l->topic, &l->has_topic},
                 {"json.payload", &l->payload, &l->has_payload},
                 {"json.payload_b64", &l->base64, &l->has_base64}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!slice_eq(path, slice_str(known[i].path))) continue;
        *known[i].to = value;
        *known[i].has = true;
    }
    return true;
}

/* base64_read decodes in->base64 into the arena; false where it is not base64. */
static bool base64_read(struct arena *arena, struct line *in) {
    uint8_t *out = arena_get(arena, in->base64.n + 4);
    int n = out && in->base64.n % 4 == 0 ? EVP_DecodeBlock(out, in->base64.p, (int)in->base64.n) : -1;
    if (n < 0) return false;
    for (size_t i = in->base64.n; i > 0 && in->base64.p[i - 1] == '='; i--) n--;
    in->payload = slice_of(out, (size_t)n);
    return in->has_payload = true;
}

static const char *line_read(struct arena *arena, struct slice text, struct line *in) {
    *in = (struct line){0};
    if (!rules_json_each(arena, text, 32, line_member, in)) return "this is not a line of JSON";
    if (in->has_base64 && !base64_read(arena, in)) return "payload_b64 is not base64";
    return in->has_payload || in->has_topic ? NULL : "the line has neither topic nor payload";
}

/* value_wrap writes a JSON string whose bytes stay what they are, UTF-8 or not: rules judge them. */
static void value_wrap(struct writer *w, struct slice s) {
    wr_c(w, '"');
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"' || c == '\\') wr_c(w, '\\');
        if (c < 0x20 || c == 0x7f) wr_f(w, "\\u%04x", c);
        else wr_c(w, (char)c);
    }
    wr_c(w, '"');
}

/* wrapped makes {"payload":"…"} of a payload that is not itself a JSON object or array. */
static struct slice wrapped(struct arena *arena, struct slice payload) {
    struct writer w = wr_grow();
    wr_s(&w, "{\"payload\": ");
    value_wrap(&w, payload);
    wr_c(&w, '}');
    struct slice out = arena_copy(arena, wr_done(&w));
    wr_free(&w);
    return out;
}

/* fields gives what a decoded PUBLISH would have of them: MQTT:topic and MQTT:msg. */
static void fields(struct rules_tx *tx, const struct line *in) {
    struct fval v[2];
    struct fvec all = {.v = v};
    if (in->has_topic) v[all.n++] = (struct fval){.id = FID_MQTT_TOPIC, .s = in->topic};
    if (in->has_payload) v[all.n++] = (struct fval){.id = FID_MQTT_MSG, .s = in->payload};
    rules_tx_fields(tx, &all);
}

static void packet(struct rules_tx *tx, const struct judge_opts *o, struct arena *arena, const struct line *in) {
    struct slice s = in->payload;
    if (o->form) {
        rules_tx_form(tx, s);
    } else if (o->json) {
        bool whole = s.n && (s.p[0] == '{' || s.p[0] == '[') && rules_tx_json(tx, s);
        if (!whole && !rules_tx_json(tx, wrapped(arena, s))) rules_tx_form(tx, s);
    } else {
        if (in->has_topic) rules_tx_topic(tx, in->topic);
        if (in->has_payload) rules_tx_payload(tx, s);
        fields(tx, in);
    }
}

static void verdict_print(struct writer *w, const struct rules_verdict *v, const struct judge_opts *o, int64_t ns) {
    wr_s(w, "{\"ids\":[");
    for (size_t i = 0; i < v->n_ids; i++) wr_f(w, "%s%u", i ? "," : "", v->ids[i]);
    wr_f(w, "],\"score\":{\"total\":%d", v->score);
    for (int i = 0; i < 4; i++) wr_f(w, ",\"pl%d\":%d", i + 1, v->score_pl[i]);
    wr_f(w, "},\"action\":\"%s\"", rules_action_name(v->action));
    if (v->by) wr_f(w, ",\"by\":%u", v->by);
    if (v->msg.n) wr_s(w, ",\"msg\":"), json_text(w, v->msg);
    if (v->matched_name.n) wr_s(w, ",\"field\":"), json_text(w, v->matched_name);
    if (v->limited) wr_s(w, ",\"limited\":true");
    if (o->times) wr_f(w, ",\"first_pass\":%s,\"ns\":%lld", v->first_pass ? "true" : "false", (long long)ns);
    wr_s(w, "}\n");
}

static int to_stdout(void *to, struct slice bytes) {
    (void)to;
    return fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n ? 0 : ERR_IO;
}

struct judging {
    const struct opt_command *cmd;
    const struct judge_opts *o;
    struct rules_tx *tx;
    struct arena arena;
    struct writer out;
    struct rules_verdict verdict;
    unsigned long line, wrong, blocked;
};

static void judge_line(struct judging *j, struct slice text) {
    struct line in;
    arena_reset(&j->arena);
    const char *why = line_read(&j->arena, text, &in);
    if (why) {
        fprintf(stderr, "weir guard: %s:%lu: %s\n", j->o->file, j->line, why);
        j->wrong++;
        return;
    }
    int64_t from = j->o->times ? clock_read(CLOCK_PROCESS_CPUTIME_ID) : 0;
    rules_tx_start(j->tx, clock_read(CLOCK_REALTIME));
    packet(j->tx, j->o, &j->arena, &in);
    rules_tx_judge(j->tx, &j->verdict);
    int64_t took = j->o->times ? clock_read(CLOCK_PROCESS_CPUTIME_ID) - from : 0;
    verdict_print(&j->out, &j->verdict, j->o, took);
    j->blocked += j->verdict.action == RULES_BLOCK || j->verdict.action == RULES_DROP;
}

static int judge_lines(struct judging *j, FILE *f) {
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&text, &cap, f)) >= 0) {
        j->line++;
        while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
        if (!n) continue;
        judge_line(j, slice_of(text, (size_t)n));
        if (isatty(STDOUT_FILENO)) (void)wr_flush(&j->out), fflush(stdout);
    }
    free(text);
    if (wr_flush(&j->out) || fflush(stdout) || ferror(stdout)) return opt_bad_use(j->cmd, "cannot write to stdout");
    if (ferror(f)) return opt_bad_use(j->cmd, "cannot read %s: %s", j->o->file, strerror(errno));
    return j->wrong ? EXIT_TROUBLE : j->blocked ? EXIT_FINDING : EXIT_FINE;
}

static int judge(const struct opt_command *cmd, const struct judge_opts *o, const struct rules_set *set) {
    char buf[1 << 15];
    struct judging j = {
        .cmd = cmd, .o = o, .arena = arena_make(LINE_MAX_BYTES), .out = wr_sink(buf, sizeof buf, to_stdout, NULL)};
    bool in = !strcmp(o->file, "-");
    FILE *f = in ? stdin : fopen(o->file, "re");
    if (!f) return opt_bad_use(cmd, "cannot open %s: %s", o->file, strerror(errno));
    struct rules_store *store = rules_store_make(STORE_VALUES);
    j.tx = rules_tx_make(set, store);
    int rc = j.tx ? judge_lines(&j, f) : opt_bad_use(cmd, "out of memory");
    rules_tx_free(j.tx);
    rules_store_free(store);
    arena_free(&j.arena);
    if (!in) fclose(f);
    return rc;
}

static void note_print(void *ctx, const struct rules_report *n) {
    (void)ctx;
    fprintf(stderr, "%s:%u: note: %s\n", n->file, n->line, n->text);
}

static int explain(const struct opt_command *cmd, const struct judge_opts *o, const struct rules_set *set) {
    char buf[1024];
    struct writer w = wr_sink(buf, sizeof buf, to_stdout, NULL);
    if (!rules_explain(set, (uint32_t)o->explain, &w))
        return opt_bad_use(cmd, "the rule files have no rule %lld", (long long)o->explain);
    return wr_flush(&w) == OK ? EXIT_FINE : EXIT_TROUBLE;
}

int cmd_guard_judge(const struct opt_command *cmd, const struct judge_opts *o) {
    struct rules_source source = rules_source_here();
    struct rules_report error;
    struct rules_set *set;
    if (!rules_available()) return opt_bad_use(cmd, "%s", rules_missing());
    if (!o->rules.n) return opt_bad_use(cmd, "--judge and --explain-rule need rule files: --rules PATH");
    if (o->form && o->json) return opt_bad_use(cmd, "--form and --json exclude each other");
    source.paranoia = (int)o->paranoia;
    source.no_first_pass = o->no_first_pass;
    source.note = isatty(STDERR_FILENO) ? note_print : NULL;
    int64_t from = clock_read(CLOCK_PROCESS_CPUTIME_ID);
    int rc = rules_load(&set, &source, (const char *const *)o->rules.item, o->rules.n, &error);
    if (rc) {
        fprintf(stderr, "weir guard: %s:%u:%u: %s\n", error.file, error.line, error.column, error.text);
        return EXIT_TROUBLE;
    }
    if (o->times) fprintf(stderr, "loaded in %.1f ms\n", (double)(clock_read(CLOCK_PROCESS_CPUTIME_ID) - from) / 1e6);
    if (o->explain) rc = explain(cmd, o, set);
    else if (o->file) rc = judge(cmd, o, set);
    rules_free(set);
    return rc;
}
