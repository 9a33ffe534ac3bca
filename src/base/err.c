/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>

static const char *const texts[] = {
#define X(code, text) [ERR_INDEX_##code] = (text),
    WEIR_ERRORS(X)
#undef X
};
static_assert(sizeof texts / sizeof *texts == ERR_COUNT, "every error has a text");

const char *err_text(int code) {
    int index = -1 - code;
    if (code == OK) return "no error";
    return index >= 0 && index < ERR_COUNT ? texts[index] : "unknown error";
}
