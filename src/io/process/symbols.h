/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_SYMBOLS_H
#define WEIR_IO_SYMBOLS_H

#include "base/err.h"
#include "base/slice.h"

/* elf is a 64-bit ELF file in memory, from whom it may: nothing in it is believed. */
struct elf {
    struct slice file;
    uint64_t segments, sections; /* offsets of their tables */
    uint32_t segments_n, sections_n, names;
};

/* elf_open finds the tables of a file; the bytes stay the caller's. ERR_FORMAT where it is none of this machine's kind.
 */
int elf_open(struct elf *e, struct slice file) MUST_USE;
/* elf_function gives the offset in the file of a function by its name, of those other files may call and, in a program
 * that was not stripped, of all; 0: none. */
uint64_t elf_function(const struct elf *e, const char *name);
/* elf_has_section tells whether there is a section of that name. */
bool elf_has_section(const struct elf *e, const char *name);

#endif
