/* SPDX-License-Identifier: Apache-2.0 */
#include "base/late.h"

#include <dlfcn.h>
#include <string.h>

bool late_load(const char *library, const char *const names[], size_t n, void *pointers) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; handle && i < n; i++) {
        void *function = dlsym(handle, names[i]);
        if (!function) return false;
        memcpy((char *)pointers + i * sizeof function, &function, sizeof function);
    }
    return handle != NULL;
}
