/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_OUT_H
#define WEIR_IO_OUT_H

#include "base/slice.h"

/* out_fd_flush writes all of bytes to the file descriptor `to` (an int cast to a pointer): a writer's sink. 0,
 * ERR_END where the reader is gone, or ERR_IO. */
int out_fd_flush(void *to, struct slice bytes);

#endif
