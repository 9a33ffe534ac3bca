/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_DHCP_DHCP_H
#define WEIR_PROTO_DHCP_DHCP_H

#include "proto/proto.h"

enum { DHCP_END = 255, DHCP_OVERLOAD = 52, DHCP_MESSAGE_TYPE = 53 };

/* dhcp_option_read reads the data of one option, which r holds alone. */
void dhcp_option_read(struct decode *d, struct reader *r, uint8_t code);
/* dhcp_text_get reads n bytes as text that ends at its first NUL and returns its field. */
struct fval *dhcp_text_get(struct decode *d, struct reader *r, uint16_t id, size_t n);

/* What struct proto calls column, info and label. */
void dhcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
const char *dhcp_column(const struct fvec *v, uint32_t at, uint32_t end);
bool dhcp_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t dhcp_info_fields[];

#endif
