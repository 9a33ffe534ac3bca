/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_CONFIG_CONFIG_IN_H
#define WEIR_GUARD_CONFIG_CONFIG_IN_H

#include "guard/config/config.h"
#include "guard/policy.h"

/* What the files that make a configuration share. */

/* config_bind fills a configuration and its policy from YAML; 0, ERR_FORMAT with mistakes, ERR_NOMEM, or
 * ERR_UNSUPPORTED where this build has no YAML. */
int config_bind(struct guard_config *c, struct guard_policy *p, struct slice yaml, struct guard_mistakes *m);

/* mistake_add notes a mistake (line and column from 1); behind GUARD_MISTAKES_MAX they are not noted. */
void mistake_add(struct guard_mistakes *m, size_t line, size_t column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* config_address_ok tells whether a text is an address; `own`: one to listen on, where port 0 is any free one. */
bool config_address_ok(const char *address, bool own);

#endif
