/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_FILTER_H
#define WEIR_APP_FILTER_H

#include "app/opt.h"
#include "expr/expr.h"

/* filter_compile compiles a display filter that came with `option`, for messages: OPT_GO with the program in *out,
 * which the caller frees, or EXIT_TROUBLE after the complaint, the filter and a caret on stderr. Remarks about old
 * forms go there too. */
int filter_compile(const struct opt_command *cmd, const char *option, struct slice text, struct expr **out);
/* filter_free releases a filter and says where it could not decide; NULL is fine. */
void filter_free(const struct opt_command *cmd, struct expr *e);

/* filter_hint adds to the complaint about a capture filter that it is a display filter, where it is one; `instead` says
 * where those go. */
void filter_hint(struct writer *why, const char *filter, const char *instead);

#endif
