/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_KEYFILE_H
#define WEIR_IO_KEYFILE_H

#include "base/err.h"
#include "base/writer.h"

/* Files with keys in them. */

/* keyfile_read reads a whole file of at most KEYFILE_MAX bytes into *bytes, which the caller gives to keyfile_release.
 * On failure it returns a negative code and writes the reason, without the path, to why. */
enum { KEYFILE_MAX = 15 << 20 };
int keyfile_read(const char *path, struct slice *bytes, struct writer *why) MUST_USE;
void keyfile_release(struct slice *bytes);

/* keylog is a key log that may grow while it is read: what was not whole lines is looked at again. */
struct keylog;
/* keylog_open opens a file for keylog_read. A file that is not there yet is fine: it may come. */
int keylog_open(struct keylog **out, const char *path, struct writer *why) MUST_USE;
/* keylog_read hands what is new to `take`, which returns the bytes it used (less than all where the last line is not
 * complete); `ended` says that no more is expected. A file that shrank is read from its beginning. */
void keylog_read(struct keylog *log, bool ended, size_t (*take)(void *to, struct slice text, bool ended), void *to);
/* keylog_missing tells whether the file was not there so far. */
bool keylog_missing(const struct keylog *log);
void keylog_close(struct keylog *log);

#endif
