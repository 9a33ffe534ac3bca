/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_GUARD_REPLAY_H
#define WEIR_APP_GUARD_REPLAY_H

#include "app/keys.h"

/* replay_plan is a dry run: a capture held against a policy. */
struct replay_plan {
    const char *capture, *config; /* config NULL: the defaults */
    const char *text;             /* of the configuration, `text_len` bytes */
    size_t text_len;
    bool json; /* print the audit records, not the table */
    const struct keys_opts *keys;
};

/* guard_replay prints what the policy would have stopped of a capture, by rule, with frames. EXIT_FINE: nothing,
 * EXIT_FINDING: something, EXIT_TROUBLE after a message. */
int guard_replay(const struct opt_command *cmd, const struct replay_plan *plan);

#endif
