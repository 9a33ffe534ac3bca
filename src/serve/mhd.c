/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/mhd.h"

struct mhd mhd;

bool mhd_load(void) {
    static const char *const names[] = {MHD_CALLS(LATE_NAME)};
    return late_load(MHD_LIBRARY, names, sizeof names / sizeof *names, &mhd);
}
