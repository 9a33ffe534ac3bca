/* SPDX-License-Identifier: Apache-2.0 */
/* Builds without libyaml: the defaults and the command line are all there is. */
#include "base/err.h"
#include "guard/config/config_in.h"

int config_bind(struct guard_config *c, struct guard_policy *p, struct slice yaml, struct guard_mistakes *m) {
    (void)c, (void)p, (void)yaml;
    mistake_add(m, 1, 1, "this build cannot read YAML; build it with libyaml (libyaml-dev)");
    return ERR_UNSUPPORTED;
}
