/* SPDX-License-Identifier: Apache-2.0 */
/* make-capture writes a capture of a given size with the traffic of many MQTT clients and what surrounds them.
 * The same options give the same bytes. Memory does not depend on the size. */
#include "traffic.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: make-capture [--size MB] [--clients N] [--seed N] [--format pcapng|pcap] -o FILE\n"
    "Write a capture with MQTT (also inside WebSocket), HTTP and DNS traffic for benchmarks.\n"
    "  --size MB      million bytes of the file (default 500)\n"
    "  --clients N    MQTT clients (default 10000); a twentieth of it HTTP clients, a tenth DNS clients\n"
    "  --seed N       another seed, other traffic (default 1)\n"
    "  --format F     pcapng (default) or pcap, both with nanoseconds\n";

enum { START_SECONDS = 1767225600, RAMP_SECONDS = 10, CLIENTS_MAX = 60000 };

static void slot_make(struct traffic *t, struct slot *s, uint32_t id, uint32_t clients) {
    *s = (struct slot){.id = id, .server = (uint8_t)rnd(t, 4), .vlan = (uint16_t)(100 + rnd(t, 4))};
    s->kind = id < clients ? (chance(t, 80) ? SLOT_MQTT_WS : SLOT_MQTT) : id < clients * 21 / 20 ? SLOT_HTTP : SLOT_DNS;
    s->version = chance(t, 30) ? 3 : chance(t, 600) ? 4 : 5;
    if (s->kind == SLOT_MQTT_WS && s->version == 3) s->version = 4;
    s->v6 = chance(t, 150);
    s->stamps = chance(t, 900);
    s->tags = chance(t, 100) ? (chance(t, 100) ? 2 : 1) : 0;
    s->port[SERVER] = s->kind == SLOT_MQTT ? 1883 : s->kind == SLOT_MQTT_WS ? 8080 : s->kind == SLOT_HTTP ? 80 : 53;
    s->port[CLIENT] = (uint16_t)(32768 + rnd(t, 28000));
    s->rtt = (3 + rnd(t, 60)) * MS;
    for (int side = 0; side < 2; side++) {
        s->clock[side] = rnd(t, UINT32_MAX);
        s->seq[side] = rnd(t, UINT32_MAX);
        s->ip_id[side] = (uint16_t)rnd(t, 65536);
    }
    s->when = (uint64_t)rnd(t, RAMP_SECONDS * 1000) * MS + rnd(t, MS);
    if (s->kind == SLOT_MQTT && s->version == 4 && chance(t, 300)) { /* it was there before the capture began */
        s->state = SLOT_OPEN;
        s->left = 1 + rnd(t, 60);
    }
}

/* sift restores the order of a heap of slots after the time of slot `i` grew. */
static void sift(struct slot **heap, size_t n, size_t i) {
    struct slot *s = heap[i];
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && heap[k + 1]->when < heap[k]->when) k++;
        if (heap[k]->when >= s->when) break;
        heap[i] = heap[k];
    }
    heap[i] = s;
}

static void play(struct traffic *t, uint32_t clients) {
    size_t n = clients + clients / 20 + clients / 10;
    struct slot *slots = calloc(n, sizeof *slots), **heap = calloc(n, sizeof *heap);
    if (!slots || !heap) exit(2);
    for (size_t i = 0; i < n; i++) {
        slot_make(t, &slots[i], (uint32_t)i, clients);
        heap[i] = &slots[i];
    }
    for (size_t i = n; i-- > 0;) sift(heap, n, i);
    net_start(t);
    while (t->written < t->limit) {
        net_flush(t, heap[0]->when);
        apps_step(t, heap[0]);
        sift(heap, n, 0);
    }
    free(slots);
    free(heap);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"size", 1, NULL, 's'},
                                            {"clients", 1, NULL, 'c'},
                                            {"seed", 1, NULL, 'S'},
                                            {"format", 1, NULL, 'F'},
                                            {"output", 1, NULL, 'o'},
                                            {"help", 0, NULL, 'h'},
                                            {0}};
    static struct traffic t = {.limit = 500 * 1000000ull, .random = 1, .start = START_SECONDS * (uint64_t)SECOND};
    unsigned long clients = 10000;
    for (int c; (c = getopt_long(argc, argv, "o:F:h", options, NULL)) != -1;) {
        if (c == 's') t.limit = (uint64_t)(strtod(optarg, NULL) * 1e6);
        else if (c == 'c') clients = strtoul(optarg, NULL, 10);
        else if (c == 'S') t.random = strtoull(optarg, NULL, 10) * 0x100000001b3u;
        else if (c == 'F') t.classic = strcmp(optarg, "pcap") == 0;
        else if (c == 'o') t.out = strcmp(optarg, "-") ? fopen(optarg, "wb") : stdout;
        else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!t.out || clients < 20 || clients > CLIENTS_MAX) {
        fprintf(stderr, "make-capture: needs -o FILE that can be written and 20 to %d clients\n", CLIENTS_MAX);
        return 2;
    }
    setvbuf(t.out, NULL, _IOFBF, 1 << 20);
    play(&t, (uint32_t)clients);
    if (fclose(t.out) != 0) {
        perror("make-capture");
        return 2;
    }
    fprintf(stderr, "%llu packets, %llu bytes, %llu s of traffic\n", (unsigned long long)t.frames,
            (unsigned long long)t.written, (unsigned long long)(t.now / SECOND));
    return 0;
}
