/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_SERVE_SERVE_CONFIG_H
#define WEIR_APP_SERVE_SERVE_CONFIG_H

#include "base/writer.h"
#include "serve/web/web.h"

/* The configuration of weir serve: devices with names.
 *
 *     devices:
 *       meter-7: 192.0.2.7
 *       pump:
 *         device: mqtt:pump-12
 *         interface: br0
 *         description: north hall */
struct serve_config {
    struct web_label *labels;
    size_t n_labels;
    void *document; /* where the texts live */
};

/* serve_config_read reads a file; false after "line N: what" in why. serve_config_free takes a zeroed one, too. */
bool serve_config_read(struct serve_config *c, const char *path, struct writer *why);
void serve_config_free(struct serve_config *c);

#endif
