/* SPDX-License-Identifier: Apache-2.0 */
#include "app/condition.h"

#include <stdlib.h>
#include <string.h>

int64_t condition_amount(const char *text, double scale) {
    char *rest;
    double v = strtod(text, &rest);
    if (rest == text || *rest || !(v > 0) || v * scale > 9e15) return -1;
    return v * scale < 1 ? 1 : (int64_t)(v * scale);
}

bool condition_take(const char *text, const struct condition *list, size_t n, void *to) {
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(list[i].name);
        if (strncmp(text, list[i].name, len) != 0 || text[len] != ':') continue;
        int64_t v = condition_amount(text + len + 1, list[i].scale);
        if (v < 0) return false;
        memcpy((char *)to + list[i].at, &v, sizeof v);
        return true;
    }
    return false;
}
