/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protos.h"

const struct proto *const weir_protos[] = {
#define PROTO(name) &proto_##name,
#include "proto/protos.def"
#undef PROTO
    NULL,
};

const struct proto *proto_of(uint16_t id) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (id >= weir_protos[i]->id && id < weir_protos[i]->end) return weir_protos[i];
    return NULL;
}

const struct proto *proto_find(struct slice name) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (slice_eq(name, slice_str(weir_protos[i]->name))) return weir_protos[i];
    return NULL;
}
