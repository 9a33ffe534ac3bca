/* SPDX-License-Identifier: Apache-2.0 */
/* weir edit: captures in, captures out. */
#include "app/cmd.h"
#include "app/feed.h"
#include "app/opt.h"
#include "io/capwrite.h"

#include <stdlib.h>

int cmd_edit(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return EXIT_TROUBLE;
}
