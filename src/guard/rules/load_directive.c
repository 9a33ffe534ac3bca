/* SPDX-License-Identifier: Apache-2.0 */
/* What each directive means. Those of HTTP servers that mean nothing to MQTT are accepted with a note. */
#include "base/hex.h"
#include "guard/rules/load.h"

#include <stdio.h>
#include <stdlib.h>

static const char *text_of(struct slice s) { return (const char *)s.p; }

static struct rule *rule_make(struct load *l) {
    struct rule *r = arena_get(&l->set->arena, sizeof *r);
    if (!r) return NULL;
    memset(r, 0, sizeof *r);
    r->a.log = r->a.severity = -1;
    r->file = l->file;
    r->line = l->line;
    r->head = r;
    return r;
}

/* rule_add puts a rule behind the others, or behind the chain that is open. */
static int rule_add(struct load *l, struct rule *r, const char *at) {
    if (l->open) {
        l->open->child = r;
        r->head = l->open->head;
        r->a.phase = r->head->a.phase;
        if (r->a.id) return load_fail(l, at, "only the first rule of a chain has an id");
    } else {
        if (!r->marker && !r->a.id) return load_fail(l, at, "the rule has no id");
        if (!r->a.phase) r->a.phase = 2;
        *l->set->rules_end = r;
        l->set->rules_end = &r->next;
    }
    l->open = r->a.chain ? r : NULL;
    l->set->n_rules += !r->marker;
    return 0;
}

static int dir_rule(struct load *l, struct slice *w, size_t n) {
    struct rule *r = rule_make(l);
    if (n < 3 || n > 4) return load_fail(l, text_of(w[0]), "SecRule needs variables, an operator and actions");
    if (!r) return load_fail(l, NULL, "out of memory");
    int rc = load_vars(l, w[1], &r->vars);
    if (!rc) rc = load_op(l, w[2], &r->op);
    if (!rc && n > 3) rc = load_acts(l, w[3], &r->a);
    return rc ? rc : rule_add(l, r, text_of(w[0]));
}

static int dir_action(struct load *l, struct slice *w, size_t n) {
    struct rule *r = rule_make(l);
    if (n != 2) return load_fail(l, text_of(w[0]), "SecAction needs a list of actions");
    if (!r) return load_fail(l, NULL, "out of memory");
    r->unconditional = true;
    int rc = load_acts(l, w[1], &r->a);
    return rc ? rc : rule_add(l, r, text_of(w[0]));
}

static int dir_marker(struct load *l, struct slice *w, size_t n) {
    struct rule *r = rule_make(l);
    if (n != 2) return load_fail(l, text_of(w[0]), "SecMarker needs a name");
    if (l->open) return load_fail(l, text_of(w[0]), "the chain before has no last rule");
    if (!r) return load_fail(l, NULL, "out of memory");
    r->marker = true;
    r->marker_name = w[1];
    return rule_add(l, r, text_of(w[0]));
}

static int dir_default(struct load *l, struct slice *w, size_t n) {
    struct acts_of a = {.log = 1, .severity = -1};
    if (n != 2) return load_fail(l, text_of(w[0]), "SecDefaultAction needs a list of actions");
    int rc = load_acts(l, w[1], &a);
    if (rc) return rc;
    if (!a.phase) return load_fail(l, text_of(w[1]), "SecDefaultAction needs a phase");
    if (!a.disrupt) return load_fail(l, text_of(w[1]), "SecDefaultAction needs pass, deny or drop");
    if (l->set->has_default[a.phase])
        load_note(l, "a second SecDefaultAction for phase %d takes the place of the first", a.phase);
    l->set->defaults[a.phase] = a;
    l->set->has_default[a.phase] = true;
    return 0;
}

static int dir_engine(struct load *l, struct slice *w, size_t n) {
    if (n == 2 && s_is(w[1], "On")) l->set->engine = ENGINE_ON;
    else if (n == 2 && s_is(w[1], "Off")) l->set->engine = ENGINE_OFF;
    else if (n == 2 && s_is(w[1], "DetectionOnly")) l->set->engine = ENGINE_DETECT;
    else return load_fail(l, text_of(w[n > 1]), "SecRuleEngine is On, Off or DetectionOnly");
    return 0;
}

static int number(struct load *l, struct slice *w, size_t n, int64_t max, int64_t *out) {
    if (n == 2 && w[1].n && w[1].p[0] >= '0' && w[1].p[0] <= '9' && (*out = s_number(w[1])) <= max) return 0;
    return load_fail(l, text_of(w[n > 1]), "%.*s needs a number up to %lld", (int)w[0].n, text_of(w[0]),
                     (long long)max);
}

static int dir_pcre(struct load *l, struct slice *w, size_t n) {
    int64_t v = 0;
    int rc = number(l, w, n, 100000000, &v);
    if (!rc && s_is(w[0], "SecPcreMatchLimit")) l->set->limits.pcre = (uint32_t)v;
    return rc;
}

static int dir_limit(struct load *l, struct slice *w, size_t n) {
    int64_t v = 0;
    int rc = number(l, w, n, INT32_MAX, &v);
    if (rc) return rc;
    if (s_is(w[0], "SecCollectionTimeout")) l->set->limits.ttl = v;
    else if (s_is(w[0], "SecArgumentsLimit")) l->set->limits.args = (uint32_t)v;
    else if (s_is(w[0], "SecRequestBodyJsonDepthLimit"))
        l->set->limits.json_depth = v < RULES_JSON_DEPTH ? (uint32_t)v : RULES_JSON_DEPTH;
    else l->set->limits.body = (size_t)v;
    return 0;
}

/* map_line reads "HHHH:HH HHHH:HH …" of a code page. */
static void map_line(int16_t *map, struct slice line) {
    for (size_t i = 0; i + 6 < line.n + 0; i++) {
        if (line.p[i + 4] != ':') continue;
        int v[6] = {hex_digit(line.p[i]),     hex_digit(line.p[i + 1]), hex_digit(line.p[i + 2]),
                    hex_digit(line.p[i + 3]), hex_digit(line.p[i + 5]), hex_digit(line.p[i + 6])};
        bool ok = true;
        for (int k = 0; k < 6; k++) ok = ok && v[k] >= 0;
        if (ok) map[v[0] << 12 | v[1] << 8 | v[2] << 4 | v[3]] = (int16_t)(v[4] << 4 | v[5]);
    }
}

/* dir_unicode reads Microsoft's unicode.mapping: "(ANSI …)" lines name a code page, the line after holds the pairs. */
static int dir_unicode(struct load *l, struct slice *w, size_t n) {
    char name[1024], path[2048];
    struct slice raw;
    if (n != 3) return load_fail(l, text_of(w[0]), "SecUnicodeMapFile needs a file and the number of a code page");
    snprintf(name, sizeof name, "%.*s", (int)w[1].n, text_of(w[1]));
    int rc = load_file_text(l, name, &raw, path, sizeof path);
    if (rc) return load_fail(l, text_of(w[1]), "cannot read %s: %s", path, err_text(rc));
    free(l->set->unicode_map);
    l->set->unicode_map = malloc(65536 * sizeof *l->set->unicode_map);
    bool mine = false, found = false;
    if (l->set->unicode_map) memset(l->set->unicode_map, 0xff, 65536 * sizeof *l->set->unicode_map);
    for (struct slice rest = raw; l->set->unicode_map && rest.n;) {
        const uint8_t *nl = memchr(rest.p, '\n', rest.n);
        struct slice line = slice_of(rest.p, nl ? (size_t)(nl - rest.p) : rest.n);
        rest = slice_tail(rest, line.n + 1);
        bool pairs = memchr(line.p, ':', line.n) && line.n > 6 && line.p[4] == ':';
        if (!pairs && line.n) mine = s_number(line) == s_number(w[2]);
        else if (mine) map_line(l->set->unicode_map, line), found = true;
    }
    l->source->files.release(l->source->files.ctx, raw);
    if (!l->set->unicode_map) return load_fail(l, NULL, "out of memory");
    return found ? 0 : load_fail(l, text_of(w[2]), "%s has no code page %.*s", path, (int)w[2].n, text_of(w[2]));
}

static int include(struct load *l, struct slice *w, size_t n) {
    char path[4096], name[2048];
    if (n != 2) return load_fail(l, text_of(w[0]), "Include needs a file or a pattern");
    snprintf(name, sizeof name, "%.*s", (int)w[1].n, text_of(w[1]));
    const char *slash = strrchr(l->file, '/');
    if (name[0] != '/' && slash) snprintf(path, sizeof path, "%.*s/%s", (int)(slash - l->file), l->file, name);
    else snprintf(path, sizeof path, "%s", name);
    return load_path(l, path);
}

static int dir_include(struct load *l, struct slice *w, size_t n) { return include(l, w, n); }

static int dir_include_optional(struct load *l, struct slice *w, size_t n) {
    int rc = include(l, w, n);
    return rc == ERR_NOTFOUND || rc == ERR_IO || rc == ERR_DENIED ? 0 : rc;
}

static struct update *update_add(struct load *l, enum update_kind kind) {
    struct update *u = arena_get(&l->set->arena, sizeof *u);
    if (!u) return NULL;
    *u = (struct update){.kind = (uint8_t)kind, .acts = {.log = -1, .severity = -1}};
    *l->updates_end = u;
    l->updates_end = &u->next;
    return u;
}

static int range(struct load *l, struct slice s, struct update *u) {
    const uint8_t *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
    int64_t lo = s_number(s), hi = dash ? s_number(slice_tail(s, (size_t)(dash - s.p) + 1)) : lo;
    if (lo <= 0 || hi < lo || hi > UINT32_MAX)
        return load_fail(l, text_of(s), "'%.*s' is no rule id or range of ids", (int)s.n, text_of(s));
    u->lo = (uint32_t)lo;
    u->hi = (uint32_t)hi;
    return 0;
}

static int dir_remove(struct load *l, struct slice *w, size_t n) {
    bool by_id = s_is(w[0], "SecRuleRemoveById");
    enum update_kind kind = by_id ? REMOVE_ID : s_is(w[0], "SecRuleRemoveByTag") ? REMOVE_TAG : REMOVE_MSG;
    if (n < 2) return load_fail(l, text_of(w[0]), "%.*s needs to be told which", (int)w[0].n, text_of(w[0]));
    for (size_t i = 1; i < n; i++)
        for (struct slice rest = w[i]; rest.n;) {
            size_t len = 0;
            while (len < rest.n && !(by_id && (rest.p[len] == ' ' || rest.p[len] == ','))) len++;
            struct update *u = len ? update_add(l, kind) : NULL;
            int rc = 0;
            if (u && by_id) rc = range(l, slice_of(rest.p, len), u);
            else if (u) u->name = slice_of(rest.p, len);
            if (rc) return rc;
            rest = slice_tail(rest, len + 1);
        }
    return 0;
}

static int dir_update_target(struct load *l, struct slice *w, size_t n) {
    bool by_id = s_is(w[0], "SecRuleUpdateTargetById");
    if (n < 3)
        return load_fail(l, text_of(w[0]), "%.*s needs to be told which rule and which target", (int)w[0].n,
                         text_of(w[0]));
    if (n > 3) load_note(l, "a third argument of %.*s is not looked at", (int)w[0].n, text_of(w[0]));
    struct update *u = update_add(l, by_id                                    ? UPDATE_TARGET_ID
                                     : s_is(w[0], "SecRuleUpdateTargetByTag") ? UPDATE_TARGET_TAG
                                                                              : UPDATE_TARGET_MSG);
    if (!u) return load_fail(l, NULL, "out of memory");
    u->name = w[1];
    int rc = by_id ? range(l, w[1], u) : 0;
    if (rc) return rc;
    /* Targets may be parted by commas here. */
    struct slice copy = load_keep(l, w[2]);
    for (size_t i = 0; i < copy.n; i++)
        if (copy.p[i] == ',') ((uint8_t *)copy.p)[i] = '|';
    return load_vars(l, memchr(w[2].p, ',', w[2].n) ? copy : w[2], &u->vars);
}

static int dir_update_action(struct load *l, struct slice *w, size_t n) {
    if (n != 3) return load_fail(l, text_of(w[0]), "SecRuleUpdateActionById needs a rule id and actions");
    struct update *u = update_add(l, UPDATE_ACTION);
    if (!u) return load_fail(l, NULL, "out of memory");
    int rc = range(l, w[1], u);
    return rc ? rc : load_acts(l, w[2], &u->acts);
}

static int dir_body_action(struct load *l, struct slice *w, size_t n) {
    if (n != 2 || (!s_is(w[1], "Reject") && !s_is(w[1], "ProcessPartial")))
        return load_fail(l, text_of(w[n > 1]), "SecRequestBodyLimitAction is Reject or ProcessPartial");
    l->set->limits.body_reject = s_is(w[1], "Reject");
    return 0;
}

static int dir_idle(struct load *l, struct slice *w, size_t n) { return (void)l, (void)w, (void)n, 0; }

static int dir_note(struct load *l, struct slice *w, size_t n) {
    (void)n;
    load_note(l, "%.*s means nothing to MQTT packets", (int)w[0].n, text_of(w[0]));
    return 0;
}

static int dir_refused(struct load *l, struct slice *w, size_t n) {
    (void)n;
    return load_fail(l, text_of(w[0]), "%.*s is not supported: the guard runs no scripts and fetches nothing",
                     (int)w[0].n, text_of(w[0]));
}

static const struct {
    const char *name;
    int (*read)(struct load *l, struct slice *word, size_t n);
} directives[] = {
    {"SecRule", dir_rule},
    {"SecAction", dir_action},
    {"SecMarker", dir_marker},
    {"SecDefaultAction", dir_default},
    {"SecRuleEngine", dir_engine},
    {"SecRuleRemoveById", dir_remove},
    {"SecRuleRemoveByTag", dir_remove},
    {"SecRuleRemoveByMsg", dir_remove},
    {"SecRuleUpdateTargetById", dir_update_target},
    {"SecRuleUpdateTargetByTag", dir_update_target},
    {"SecRuleUpdateTargetByMsg", dir_update_target},
    {"SecRuleUpdateActionById", dir_update_action},
    {"SecCollectionTimeout", dir_limit},
    {"SecArgumentsLimit", dir_limit},
    {"SecRequestBodyJsonDepthLimit", dir_limit},
    {"SecRequestBodyLimit", dir_limit},
    {"SecRequestBodyNoFilesLimit", dir_limit},
    {"SecRequestBodyLimitAction", dir_body_action},
    {"SecPcreMatchLimit", dir_pcre},
    {"SecPcreMatchLimitRecursion", dir_pcre},
    {"SecUnicodeMapFile", dir_unicode},
    {"Include", dir_include},
    {"IncludeOptional", dir_include_optional},
    {"SecComponentSignature", dir_idle},
    {"SecRequestBodyAccess", dir_idle},
    {"SecRuleScript", dir_refused},
    {"SecRemoteRules", dir_refused},
};

/* Directives of the HTTP server, its forms, logs and uploads. */
static const char *const meaningless[] = {
    "SecArgumentSeparator",
    "SecAuditEngine",
    "SecAuditLog",
    "SecAuditLog2",
    "SecAuditLogDirMode",
    "SecAuditLogFileMode",
    "SecAuditLogFormat",
    "SecAuditLogParts",
    "SecAuditLogRelevantStatus",
    "SecAuditLogStorageDir",
    "SecAuditLogType",
    "SecCacheTransformations",
    "SecChrootDir",
    "SecConnEngine",
    "SecConnReadStateLimit",
    "SecConnWriteStateLimit",
    "SecContentInjection",
    "SecCookieFormat",
    "SecCookieV0Separator",
    "SecDataDir",
    "SecDebugLog",
    "SecDebugLogLevel",
    "SecDisableBackendCompression",
    "SecGeoLookupDb",
    "SecGsbLookupDb",
    "SecGuardianLog",
    "SecHashEngine",
    "SecHashKey",
    "SecHashMethodPm",
    "SecHashMethodRx",
    "SecHashParam",
    "SecHttpBlKey",
    "SecInterceptOnError",
    "SecRemoteRulesFailAction",
    "SecRequestBodyInMemoryLimit",
    "SecResponseBodyAccess",
    "SecResponseBodyLimit",
    "SecResponseBodyLimitAction",
    "SecResponseBodyMimeType",
    "SecResponseBodyMimeTypesClear",
    "SecRuleInheritance",
    "SecRulePerfTime",
    "SecSensorId",
    "SecServerSignature",
    "SecStatusEngine",
    "SecStreamInBodyInspection",
    "SecStreamOutBodyInspection",
    "SecTmpDir",
    "SecTmpSaveUploadedFiles",
    "SecUploadDir",
    "SecUploadFileLimit",
    "SecUploadFileMode",
    "SecUploadKeepFiles",
    "SecWebAppId",
    "SecXmlExternalEntity",
};

int load_directive(struct load *l, struct slice *word, size_t n) {
    if (l->open && !s_is(word[0], "SecRule") && !s_is(word[0], "SecAction"))
        return load_fail(l, text_of(word[0]), "the chain that began in line %u has no last rule", l->open->head->line);
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (s_is(word[0], directives[i].name)) return directives[i].read(l, word, n);
    for (size_t i = 0; i < sizeof meaningless / sizeof meaningless[0]; i++)
        if (s_is(word[0], meaningless[i])) return dir_note(l, word, n);
    return load_fail(l, text_of(word[0]), "there is no directive '%.*s'", (int)word[0].n, text_of(word[0]));
}
