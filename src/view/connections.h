/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_CONNECTIONS_H
#define WEIR_VIEW_CONNECTIONS_H

#include "analyse/connections.h"

/* connections_json writes the members of an object: the rows from `offset` to before `offset` + n in an order, and what
 * they share. */
void connections_json(struct writer *w, const struct connections *c, enum connection_order by, uint32_t offset,
                      uint32_t n);
/* connection_order_find returns the order of a name ("bytes"), or CONNECTION_ORDERS. */
enum connection_order connection_order_find(const char *name);

#endif
