/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a breakpoint the kernel sets in the pages of one process (perf_event_open, the `uprobe` PMU),
 * and a program of some forty instructions (bpf) that the kernel runs there, in the thread that came by, before it goes
 * on.
 *
 * The program takes the first argument of the function, the address of a connection, and copies what stands at the
 * places of the layout: so nothing is read after the fact, when the connection may be gone. While the handshake is
 * under way it does nothing, except where the connection is about to be given back. Each connection is handed out once,
 * known by its client's random (an LRU map); a ring takes it here, and where that is full the next call of the
 * connection tries again. Nothing in the process is written, nothing stays behind: all of it ends with our descriptors.
 *
 * Memory is read by bpf_copy_from_user, which may sleep and so also gets what is paged out; programs that may sleep can
 * be attached to uprobes since Linux 6.0. Bounds: CONNECTIONS_MAX remembered, RING_BYTES waiting, LISTED_MAX listed.
 *
 * A breakpoint for one process costs nobody else anything, but the first takes tens of milliseconds to set, and each a
 * hundred to take away, one after the other, while the kernel waits for all its processors. For children, which may
 * live shorter than that, one is set for all processes; its program looks first whether the process is on the list, and
 * takes nothing of others. */
#include "io/process/uprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 8192, LISTED_MAX = 4096, RING_BYTES = 1 << 18, INSNS_MAX = 160 };

/* Where the registers that the kernel saved hold a function's first argument. */
#if defined(__x86_64__)
enum { FIRST_ARGUMENT = 14 * 8 };
#elif defined(__aarch64__)
enum { FIRST_ARGUMENT = 0 };
#else
enum { FIRST_ARGUMENT = -1 };
#endif

struct uprobe {
    uint32_t pmu; /* type */
    int seen, ring, listed;
    size_t page;
    uint64_t *consumer, *producer;
    const uint8_t *data;
};

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr) { return (int)syscall(SYS_bpf, cmd, attr, sizeof *attr); }

static int map_make(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries) {
    union bpf_attr a = {.map_type = type, .key_size = key, .value_size = value, .max_entries = entries};
    return bpf(BPF_MAP_CREATE, &a);
}

static int refused(struct writer *why) {
    if (errno == EPERM || errno == EACCES) {
        wr_s(why, "the kernel lets only root (or CAP_BPF with CAP_PERFMON) look into a running process");
        return ERR_DENIED;
    }
    wr_f(why, "the kernel cannot look into a running process (%s): Linux 6.0 or later with uprobes and BPF is needed",
         strerror(errno));
    return ERR_UNSUPPORTED;
}

static bool pmu_type(uint32_t *type) {
    FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
    bool ok = f && fscanf(f, "%u", type) == 1;
    if (f) fclose(f);
    return ok;
}

static bool ring_map(struct uprobe *u) {
    void *c = mmap(NULL, u->page, PROT_READ | PROT_WRITE, MAP_SHARED, u->ring, 0);
    /* the data is mapped twice, one behind the other, so that no record is parted */
    void *p = mmap(NULL, u->page + 2 * RING_BYTES, PROT_READ, MAP_SHARED, u->ring, (off_t)u->page);
    if (c != MAP_FAILED) u->consumer = c;
    if (p != MAP_FAILED) u->producer = p;
    u->data = p != MAP_FAILED ? (const uint8_t *)p + u->page : NULL;
    return u->consumer && u->producer;
}

int uprobe_open(struct uprobe **out, struct writer *why) {
    struct uprobe *u = calloc(1, sizeof *u);
    if (!u) return ERR_NOMEM;
    int code = OK;
    u->page = (size_t)sysconf(_SC_PAGESIZE);
    u->seen = u->ring = u->listed = -1;
    if (FIRST_ARGUMENT < 0) {
        wr_s(why, "this kind of processor is not known here (x86-64 and arm64 are)");
        code = ERR_UNSUPPORTED;
    } else if (!pmu_type(&u->pmu)) {
        wr_s(why, "this kernel has no uprobes (CONFIG_UPROBE_EVENTS)");
        code = ERR_UNSUPPORTED;
    } else if ((u->seen = map_make(BPF_MAP_TYPE_LRU_HASH, LAYOUT_RANDOM_BYTES, 8, CONNECTIONS_MAX)) < 0 ||
               (u->ring = map_make(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_BYTES)) < 0 ||
               (u->listed = map_make(BPF_MAP_TYPE_HASH, 4, 4, LISTED_MAX)) < 0 || !ring_map(u)) {
        code = refused(why);
    }
    if (code == OK) *out = u;
    else uprobe_close(u);
    return code;
}

void uprobe_close(struct uprobe *u) {
    if (!u) return;
    if (u->consumer) munmap(u->consumer, u->page);
    if (u->producer) munmap(u->producer, u->page + 2 * RING_BYTES);
    if (u->seen >= 0) close(u->seen);
    if (u->ring >= 0) close(u->ring);
    if (u->listed >= 0) close(u->listed);
    free(u);
}

/* The program. r6 holds the connection; the hit stands on the stack, a pointer followed below it. */

struct program {
    struct bpf_insn insn[INSNS_MAX];
    int n;
    int leave[16], leaves; /* jumps to the end */
};

enum { STACK_HIT = -(int)sizeof(struct layout_hit), STACK_POINTER = STACK_HIT - 8 };

static void put(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int off, int imm) {
    if (p->n < INSNS_MAX)
        p->insn[p->n++] = (struct bpf_insn){
            .code = code, .dst_reg = dst & 15u, .src_reg = src & 15u, .off = (int16_t)off, .imm = imm};
}

static void move(struct program *p, int dst, int src) {
    put(p, BPF_ALU64 | BPF_MOV | BPF_X, (uint8_t)dst, (uint8_t)src, 0, 0);
}
static void set(struct program *p, int dst, int v) { put(p, BPF_ALU64 | BPF_MOV | BPF_K, (uint8_t)dst, 0, 0, v); }
static void add(struct program *p, int dst, int v) { put(p, BPF_ALU64 | BPF_ADD | BPF_K, (uint8_t)dst, 0, 0, v); }
static void call(struct program *p, int function) { put(p, BPF_JMP | BPF_CALL, 0, 0, 0, function); }

static void address(struct program *p, int dst, int stack) {
    move(p, dst, BPF_REG_10);
    add(p, dst, stack);
}

static void map_load(struct program *p, int dst, int fd) {
    put(p, BPF_LD | BPF_DW | BPF_IMM, (uint8_t)dst, BPF_PSEUDO_MAP_FD, 0, fd);
    put(p, 0, 0, 0, 0, 0);
}

/* leave_unless_zero goes to the end where a register is not 0. */
static void leave_unless_zero(struct program *p, int reg) {
    p->leave[p->leaves++] = p->n;
    put(p, BPF_JMP | BPF_JNE | BPF_K, (uint8_t)reg, 0, 0, 0);
}

/* value_read copies a value of the connection into the hit; r0 is then 0 where it could be read. */
static void value_read(struct program *p, const struct layout *l, enum layout_value v) {
    const struct layout_place *at = &l->place[v];
    if (at->via != LAYOUT_DIRECT) {
        address(p, BPF_REG_1, STACK_POINTER);
        set(p, BPF_REG_2, 8);
        move(p, BPF_REG_3, BPF_REG_6);
        add(p, BPF_REG_3, at->via);
        call(p, BPF_FUNC_copy_from_user);
        put(p, BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_3, BPF_REG_10, STACK_POINTER, 0);
    } else {
        move(p, BPF_REG_3, BPF_REG_6);
    }
    add(p, BPF_REG_3, at->at);
    address(p, BPF_REG_1, STACK_HIT + (int)layout_offset(v));
    set(p, BPF_REG_2, (int)layout_bytes(v));
    call(p, BPF_FUNC_copy_from_user);
}

static void hit_begin(struct program *p, bool last) {
    for (int i = STACK_POINTER; i < 0; i += 8) put(p, BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, i, 0);
    put(p, BPF_ST | BPF_W | BPF_MEM, BPF_REG_10, 0, STACK_HIT + (int)offsetof(struct layout_hit, last), last);
    call(p, BPF_FUNC_get_current_pid_tgid);
    put(p, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32);
    put(p, BPF_STX | BPF_W | BPF_MEM, BPF_REG_10, BPF_REG_0, STACK_HIT + (int)offsetof(struct layout_hit, pid), 0);
}

static void leave_unless_listed(struct program *p, const struct uprobe *u) {
    map_load(p, BPF_REG_1, u->listed);
    address(p, BPF_REG_2, STACK_HIT + (int)offsetof(struct layout_hit, pid));
    call(p, BPF_FUNC_map_lookup_elem);
    p->leave[p->leaves++] = p->n;
    put(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0);
}

static void program_write(struct program *p, const struct uprobe *u, const struct layout *l, int kind) {
    enum { RANDOM_AT = STACK_HIT + (int)offsetof(struct layout_hit, random) };
    put(p, BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_6, BPF_REG_1, FIRST_ARGUMENT, 0);
    bool last = kind & UPROBE_LAST;
    hit_begin(p, last);
    if (kind & UPROBE_LISTED) leave_unless_listed(p, u);
    value_read(p, l, LAYOUT_INIT);
    leave_unless_zero(p, BPF_REG_0);
    if (!last) {
        put(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_1, BPF_REG_10, STACK_HIT + (int)layout_offset(LAYOUT_INIT), 0);
        leave_unless_zero(p, BPF_REG_1);
    }
    value_read(p, l, LAYOUT_RANDOM);
    leave_unless_zero(p, BPF_REG_0);
    map_load(p, BPF_REG_1, u->seen);
    address(p, BPF_REG_2, RANDOM_AT);
    call(p, BPF_FUNC_map_lookup_elem);
    leave_unless_zero(p, BPF_REG_0);
    for (enum layout_value v = 0; v < LAYOUT_INIT; v++)
        if (v != LAYOUT_RANDOM) value_read(p, l, v);
    map_load(p, BPF_REG_1, u->ring);
    address(p, BPF_REG_2, STACK_HIT);
    set(p, BPF_REG_3, sizeof(struct layout_hit));
    set(p, BPF_REG_4, 0);
    call(p, BPF_FUNC_ringbuf_output);
    leave_unless_zero(p, BPF_REG_0);
    map_load(p, BPF_REG_1, u->seen);
    address(p, BPF_REG_2, RANDOM_AT);
    address(p, BPF_REG_3, STACK_POINTER); /* any eight bytes */
    set(p, BPF_REG_4, BPF_ANY);
    call(p, BPF_FUNC_map_update_elem);
    for (int i = 0; i < p->leaves; i++) p->insn[p->leave[i]].off = (int16_t)(p->n - p->leave[i] - 1);
    set(p, BPF_REG_0, 0);
    put(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int uprobe_program(struct uprobe *u, const struct layout *layout, int kind, struct writer *why) {
    struct program p = {0};
    program_write(&p, u, layout, kind);
    union bpf_attr a = {.prog_type = BPF_PROG_TYPE_KPROBE, .prog_flags = BPF_F_SLEEPABLE};
    a.insns = (uint64_t)(uintptr_t)p.insn;
    a.insn_cnt = (uint32_t)p.n;
    a.license = (uint64_t)(uintptr_t) "Apache-2.0";
    memcpy(a.prog_name, "weir_tls", sizeof "weir_tls");
    int fd = bpf(BPF_PROG_LOAD, &a);
    return fd >= 0 ? fd : refused(why);
}

int uprobe_attach(const struct uprobe *u, int program, pid_t pid, int file, uint64_t offset) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct perf_event_attr a = {.type = u->pmu, .size = sizeof a, .sample_period = 1, .disabled = 1};
    a.config1 = (uint64_t)(uintptr_t)path;
    a.config2 = offset;
    int fd = (int)syscall(SYS_perf_event_open, &a, pid, pid < 0 ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0 && (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0 || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

void uprobe_list(const struct uprobe *u, pid_t pid, bool on) {
    uint32_t key = (uint32_t)pid, one = 1;
    union bpf_attr a = {.map_fd = (uint32_t)u->listed};
    a.key = (uint64_t)(uintptr_t)&key;
    a.value = on ? (uint64_t)(uintptr_t)&one : 0;
    (void)bpf(on ? BPF_MAP_UPDATE_ELEM : BPF_MAP_DELETE_ELEM, &a);
}

bool uprobe_next(struct uprobe *u, struct layout_hit *hit) {
    uint64_t at = __atomic_load_n(u->consumer, __ATOMIC_RELAXED);
    while (at < __atomic_load_n(u->producer, __ATOMIC_ACQUIRE)) {
        const uint8_t *head = u->data + at % RING_BYTES;
        uint32_t n = __atomic_load_n((const uint32_t *)(const void *)head, __ATOMIC_ACQUIRE);
        if (n & BPF_RINGBUF_BUSY_BIT) return false; /* being written */
        uint32_t bytes = n & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        bool whole = !(n & BPF_RINGBUF_DISCARD_BIT) && bytes == sizeof *hit;
        if (whole) memcpy(hit, head + BPF_RINGBUF_HDR_SZ, sizeof *hit);
        at += (bytes + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
        __atomic_store_n(u->consumer, at, __ATOMIC_RELEASE);
        if (whole) return true;
    }
    return false;
}
