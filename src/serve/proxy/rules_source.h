/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_RULES_SOURCE_H
#define WEIR_SERVE_RULES_SOURCE_H

#include "guard/rules/rules.h"

/* rules_source_here returns a source that reads rule files from this machine, keeps compiled forms under the user's
 * cache folder ($WEIR_CACHE_DIR, $XDG_CACHE_HOME/weir, ~/.cache/weir or, for root, /var/cache/weir), and takes
 * libinjection from libmodsecurity's shared library where that is installed. */
struct rules_source rules_source_here(void);

#endif
