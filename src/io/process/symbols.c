/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols of an ELF file (System V ABI, chapter 4): the section headers lead to the symbol tables, those to names; a
 * symbol's address is turned into an offset in the file by the segment it lies in. Tables are walked as far as the file
 * goes and SYMBOLS_MOST symbols at most. */
#include "io/process/symbols.h"

#include <elf.h>

enum { TABLE_MOST = 65535, SYMBOLS_MOST = 1 << 20 };

#if defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_X86_64 };
#endif

/* part_read copies n bytes at `at` of the file, false where it is shorter. */
static bool part_read(const struct elf *e, uint64_t at, void *to, size_t n) {
    if (at > e->file.n || e->file.n - at < n) return false;
    memcpy(to, e->file.p + at, n);
    return true;
}

int elf_open(struct elf *e, struct slice file) {
    Elf64_Ehdr h;
    *e = (struct elf){.file = file};
    if (!part_read(e, 0, &h, sizeof h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
        h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != MACHINE ||
        h.e_phentsize != sizeof(Elf64_Phdr) || (h.e_shnum && h.e_shentsize != sizeof(Elf64_Shdr)))
        return ERR_FORMAT;
    e->segments = h.e_phoff;
    e->segments_n = h.e_phnum;
    e->sections = h.e_shoff;
    e->sections_n = h.e_shnum;
    e->names = h.e_shstrndx;
    return OK;
}

static bool section_read(const struct elf *e, uint32_t at, Elf64_Shdr *out) {
    return at < e->sections_n && at < TABLE_MOST && e->sections <= e->file.n &&
           part_read(e, e->sections + (uint64_t)at * sizeof *out, out, sizeof *out);
}

/* name_is compares a name in a table of strings. */
static bool name_is(const struct elf *e, const Elf64_Shdr *strings, uint64_t at, const char *name) {
    size_t n = strlen(name) + 1;
    if (strings->sh_offset > e->file.n || at > strings->sh_size || strings->sh_size - at < n) return false;
    uint64_t from = strings->sh_offset + at;
    return from <= e->file.n && e->file.n - from >= n && memcmp(e->file.p + from, name, n) == 0;
}

static uint64_t offset_of(const struct elf *e, uint64_t address) {
    for (uint32_t i = 0; i < e->segments_n; i++) {
        Elf64_Phdr s;
        if (e->segments > e->file.n || !part_read(e, e->segments + (uint64_t)i * sizeof s, &s, sizeof s)) return 0;
        if (s.p_type != PT_LOAD || !(s.p_flags & PF_X) || address < s.p_vaddr || address - s.p_vaddr >= s.p_filesz)
            continue;
        uint64_t at = s.p_offset + (address - s.p_vaddr);
        return at < e->file.n ? at : 0;
    }
    return 0;
}

static uint64_t table_find(const struct elf *e, const Elf64_Shdr *table, const char *name) {
    Elf64_Shdr strings;
    Elf64_Sym s;
    if (table->sh_entsize != sizeof s || table->sh_offset > e->file.n || !section_read(e, table->sh_link, &strings))
        return 0;
    for (uint64_t i = 0; i < table->sh_size / sizeof s && i < SYMBOLS_MOST; i++) {
        if (!part_read(e, table->sh_offset + i * sizeof s, &s, sizeof s)) return 0;
        if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || s.st_shndx == SHN_UNDEF || !name_is(e, &strings, s.st_name, name))
            continue;
        return offset_of(e, s.st_value); /* of the first: a walk of all segments for each of many would not end */
    }
    return 0;
}

uint64_t elf_function(const struct elf *e, const char *name) {
    Elf64_Shdr s;
    uint64_t at = 0;
    int tables = 0;
    for (uint32_t i = 0; section_read(e, i, &s) && !at && tables < 2; i++) {
        if (s.sh_type != SHT_DYNSYM && s.sh_type != SHT_SYMTAB) continue;
        tables++;
        at = table_find(e, &s, name);
    }
    return at;
}

bool elf_has_section(const struct elf *e, const char *name) {
    Elf64_Shdr names, s;
    if (!section_read(e, e->names, &names)) return false;
    for (uint32_t i = 0; section_read(e, i, &s); i++)
        if (name_is(e, &names, s.sh_name, name)) return true;
    return false;
}
