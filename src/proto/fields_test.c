/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the table of all fields: what lookups in it rely on. */
#include "proto/fields.h"

#include <stdio.h>

/* Names of values are found by bisection. */
static int values_ascend(const struct field *f) {
    const struct field_values *v = f->values;
    int wrong = 0;
    for (size_t i = 1; v && i < v->count; i++) {
        if (v->list[i].lo > v->list[i - 1].hi) continue;
        printf("not ok - %s: '%s' stands behind a greater value\n", f->name, v->list[i].name);
        wrong++;
    }
    return wrong;
}

int main(void) {
    int wrong = 0;
    for (size_t i = 1; i < weir_fields.count; i++) wrong += values_ascend(&weir_fields.fields[i]);
    if (!wrong) puts("ok - every list of values ascends");
    return wrong != 0;
}
