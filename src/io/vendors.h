/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_VENDORS_H
#define WEIR_IO_VENDORS_H

#include "base/slice.h"

/* vendors is the list of who owns which MAC prefix (24 bits), read from where the system keeps one: Wireshark's manuf
 * or Debian's ieee-data. Without either there are no names. */
struct vendors;

/* vendors_make returns a list that is read when it is first asked, or NULL without memory. vendors_free takes NULL too.
 */
struct vendors *vendors_make(void);
void vendors_free(struct vendors *v);
/* vendors_find returns the owner of a prefix, empty where it is not known; the bytes live as long as the list. */
struct slice vendors_find(void *vendors, uint32_t oui);

#endif
