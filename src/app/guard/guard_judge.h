/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_GUARD_GUARD_JUDGE_H
#define WEIR_APP_GUARD_GUARD_JUDGE_H

#include "app/opt.h"

/* What `weir guard --judge` and `--explain-rule` are told; the rows for an option table stand in GUARD_JUDGE_DEFS;
 * `json` is set by the command, whose --json has a meaning for other modes, too. */
struct judge_opts {
    const char *file;      /* --judge */
    struct opt_list rules; /* --rules */
    int64_t paranoia;      /* --paranoia */
    int64_t explain;       /* --explain-rule */
    bool form, no_first_pass, times;
    bool json; /* --json, which --replay has as well */
};

/* GUARD_JUDGE_DEFS are the rows for a command whose values hold a struct judge_opts at `member` of `type`. */
#define GUARD_JUDGE_DEFS(type, member)                                                                                  \
    {0,        "judge",                                                                                                 \
     "FILE",   "judge lines of JSON, {\"topic\":…,\"payload\":…}, by the rule files; - is stdin",                       \
     OPT_TEXT, offsetof(type, member.file)},                                                                            \
        {0,        "rules",                                                                                             \
         "PATH",   "a rule file or pattern, such as '/usr/share/modsecurity-crs/*.load'",                               \
         OPT_LIST, offsetof(type, member.rules)},                                                                       \
        {0, "paranoia", "N", "paranoia level of the Core Rule Set", OPT_NUMBER, offsetof(type, member.paranoia), 1, 4}, \
        {0,        "form",                                                                                              \
         NULL,     "with --judge: the payload is one argument of a form, whatever it holds",                            \
         OPT_FLAG, offsetof(type, member.form)},                                                                        \
        {0, "explain-rule", "ID", "what a rule of the rule files became", OPT_NUMBER, offsetof(type, member.explain),   \
         1, UINT32_MAX},                                                                                                \
        {0, "no-first-pass", NULL, NULL, OPT_FLAG, offsetof(type, member.no_first_pass)}, {                             \
        0, "times", NULL, NULL, OPT_FLAG, offsetof(type, member.times)                                                  \
    }

/* cmd_guard_judge does what --judge or --explain-rule ask for and returns the exit status: 1 where something is
 * blocked. */
int cmd_guard_judge(const struct opt_command *cmd, const struct judge_opts *o);

#endif
