/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_PEEK_H
#define WEIR_APP_PEEK_H

#include "app/peek/peek_http.h"

/* peek_watch follows the events of a capture and prints them until it is over; *status becomes the exit status. */
int peek_watch(struct peek *p, const char *path, bool json, int *status, struct writer *why) MUST_USE;

#endif
