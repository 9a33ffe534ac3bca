/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_DEVICE_H
#define WEIR_SERVE_DEVICE_H

#include "base/writer.h"

/* What a capture on demand is taken of. */

enum device_kind {
    DEVICE_ADDRESS,   /* 192.0.2.7, 2001:db8::7 */
    DEVICE_PREFIX,    /* 192.0.2.0/24, 2001:db8::/64 */
    DEVICE_MAC,       /* 02:00:5e:10:00:07, 02-00-5e-10-00-07 */
    DEVICE_CLIENT,    /* an MQTT client identifier */
    DEVICE_INTERFACE, /* everything of an interface */
    DEVICE_KINDS
};

enum { DEVICE_ID_MAX = 512, DEVICE_LABEL_MAX = 64, DEVICES_MAX = 10000 };

struct device {
    enum device_kind kind;
    char text[DEVICE_ID_MAX +
              1]; /* the address, prefix or MAC in its usual form, the client identifier, the interface */
};

/* device_parse reads a device: what looks like an address, a prefix or a MAC address is one, all else is a client
 * identifier; "ip:", "mac:", "mqtt:" and "interface:" in front say which. False, after a reason, where it is none. */
bool device_parse(struct device *out, const char *text, struct writer *why);
/* device_filter writes the capture filter that passes its packets only; `more` (may be NULL) must hold, too. */
void device_filter(const struct device *d, const char *more, struct writer *w);
const char *device_kind_name(enum device_kind kind);

#endif
