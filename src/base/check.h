/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_CHECK_H
#define WEIR_BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* What a unit test says. Only files named x_test include this. */

/* CHECK ends the test when a truth does not hold, naming its place. */
#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth)) {                                                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #truth);                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* SAYS reports a sentence that was shown to hold. */
#define SAYS(sentence) puts("ok " sentence)

#endif
