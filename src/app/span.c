/* SPDX-License-Identifier: Apache-2.0 */
#include "app/span.h"

#include <stdlib.h>
#include <string.h>

bool span_parse(const char *text, int64_t *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    char *rest;
    double v = strtod(text, &rest);
    if (rest == text || !(v >= 0) || v > 1e6) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(rest, units[i].name)) return *ns = (int64_t)(v * units[i].ns), true;
    return false;
}
