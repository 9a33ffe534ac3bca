/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/rules/hs.h"

struct hs hs;

bool hs_load(void) {
    static const char *const names[] = {HS_CALLS(LATE_NAME)};
    return late_load(HS_LIBRARY, names, sizeof names / sizeof *names, &hs);
}
