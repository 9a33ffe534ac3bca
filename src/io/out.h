/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_OUT_H
#define WEIR_IO_OUT_H

#include "base/err.h"
#include "base/slice.h"

/* out_write writes all of bytes to fd and stores how many were written (may be NULL): OK, ERR_END where the reader of a
 * pipe went away, ERR_LIMIT where the disk is full, ERR_IO otherwise (errno says why). */
int out_write(int fd, struct slice bytes, size_t *written) MUST_USE;
/* out_fd_flush is out_write for the sink of a struct writer; to_fd points to an int. */
int out_fd_flush(void *to_fd, struct slice bytes);

#endif
