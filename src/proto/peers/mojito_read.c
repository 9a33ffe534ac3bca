/* SPDX-License-Identifier: Apache-2.0 */
/* Mojito, the distributed hash table of Gnutella: the head all its messages have. It is that of Gnutella's messages
 * (0.6, 2.2), whose kind is 0x44, whose id ends before it, and whose length counts from behind it. */
#include "proto/protos.h"

enum { KIND_AT = 16, KIND = 0x44, LENGTH_AT = 19, LENGTH_FROM = 23, HEAD = 61, ADDRESS_AT = 50 };

/* mojito_recognises: kind, length, an operation there is, and the family of the address in the head. */
static bool mojito_recognises(struct slice in, enum known_as known) {
    (void)known;
    return in.n >= HEAD && in.p[KIND_AT] == KIND && load_le32(in.p + LENGTH_AT) == in.n - LENGTH_FROM &&
           field_value_name(&vals_mojito_opcode, in.p[LENGTH_FROM]) && (in.p[ADDRESS_AT] == 4 || in.p[ADDRESS_AT] == 6);
}

static void mojito_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {{FID_MOJITO_MESSAGE_ID, 16},
                                        {FID_MOJITO_FDHT_MESSAGE, 1},
                                        {0, 2}, /* version */
                                        {FID_MOJITO_PAYLOAD_LENGTH, 4, true},
                                        {FID_MOJITO_OPCODE, 1},
                                        {FID_MOJITO_VENDOR, 4},
                                        {0, 2}, /* its version */
                                        {FID_MOJITO_KUID, 20},
                                        {FID_MOJITO_ADDRESS_VERSION, 1}},
                              ipv4[] = {{FID_MOJITO_ADDRESS_IPV4, 4}}, ipv6[] = {{FID_MOJITO_ADDRESS_IPV6, 16}},
                              tail[] = {{FID_MOJITO_ADDRESS_PORT, 2}, {FID_MOJITO_INSTANCE_ID, 1},
                                        {FID_MOJITO_FLAGS, 1},        {FID_MOJITO_SHUTDOWN, 0},
                                        {FID_MOJITO_FIREWALLED, 0},   {FID_MOJITO_EXT_LENGTH, 2}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_mojito, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(head));
    if (in.n > ADDRESS_AT && in.p[ADDRESS_AT] == 6) d_rows(d, &r, D_ROWS(ipv6));
    else d_rows(d, &r, D_ROWS(ipv4));
    d_rows(d, &r, D_ROWS(tail));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void mojito_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_MOJITO_OPCODE, at, end);
}

static const uint16_t info_fields[] = {FID_MOJITO_OPCODE, 0};
const struct proto proto_mojito = {.name = "mojito",
                                   .column = "Mojito",
                                   .id = FID_MOJITO,
                                   .end = FID_MOJITO_END,
                                   .read = mojito_read,
                                   .recognises = mojito_recognises,
                                   .certain = true,
                                   .info = mojito_info,
                                   .info_fields = info_fields};
