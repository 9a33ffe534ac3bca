/* SPDX-License-Identifier: Apache-2.0 */
/* weir guard: the MQTT firewall in front of a broker. */
#include "app/cmd_guard.h"
#include "app/cmd.h"

struct guard_opts {
    struct judge_opts judge;
};

static const struct opt_def defs[] = {GUARD_JUDGE_DEFS(struct guard_opts, judge)};

static const char *const examples[] = {
    "echo '{\"topic\":\"cmd/1\",\"payload\":\"; cat /etc/passwd\"}' | weir guard --judge - --rules "
    "/usr/share/modsecurity-crs/owasp-crs.load",
    "weir guard --judge messages.jsonl --rules my.conf --paranoia 2 | jq -c 'select(.action != \"allow\")'",
    "weir guard --explain-rule 942100 --rules /usr/share/modsecurity-crs/owasp-crs.load",
    NULL,
};

static const struct opt_command command = {
    .name = "guard",
    .synopsis = "--judge FILE | --explain-rule ID  --rules PATH...",
    .purpose = "the MQTT firewall in front of a broker",
    .description =
        "Rule files are ModSecurity's SecLang; the OWASP Core Rule Set loads as Debian ships it "
        "(modsecurity-crs). --judge tries payloads on them: one line of JSON each, with the members topic and "
        "payload (or payload_b64, in base64), gives one line with the rules that matched, the scores, and "
        "what would be done.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = OPT_NO_WORDS,
};

int cmd_guard(int argc, char **argv) {
    struct guard_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    if (!o.judge.file && !o.judge.explain)
        rc = opt_bad_use(&command, "what is there to do? --judge FILE or --explain-rule ID");
    else rc = cmd_guard_judge(&command, &o.judge);
    opt_release(&command, &o);
    return rc;
}
