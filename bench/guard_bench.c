/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard costs a packet, without sockets: PUBLISH packets of one session judged in a loop, with the default
 * policy, and with 100 rules on topics and 20 conditions on top. Prints nanoseconds of processor time for each packet.
 *
 *     guard-bench [PACKETS] */
#include "guard/config/config.h"
#include "proto/mqtt/mqtt_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 64, PAYLOAD = 64 };

static double cpu_seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* policy writes a configuration with that many rules on topics and conditions, of which none stops the traffic. */
static void policy_write(struct writer *w, unsigned rules, unsigned conditions) {
    if (rules) wr_s(w, "topics:\n  rules:\n");
    for (unsigned i = 0; i < rules; i++) {
        wr_s(w, "    - {deny: all, to: ['");
        switch (i % 4) {
        case 0: wr_f(w, "site/%u/secret/#", i); break;
        case 1: wr_f(w, "plant/+/%u/cmd", i); break;
        case 2: wr_f(w, "dev/%%c/private/%u/#", i); break;
        default: wr_f(w, "a/b/c/%u/+/x", i); break;
        }
        wr_s(w, "']}\n");
    }
    if (conditions) wr_s(w, "rules:\n");
    for (unsigned i = 0; i < conditions; i++) {
        switch (i % 4) {
        case 0: wr_f(w, "  - when: mqtt.topic matches \"^cmd%u/\" and mqtt.msg contains \"reboot\"\n", i); break;
        case 1: wr_f(w, "  - when: mqtt.qos == 2 and mqtt.len > %u\n", 1000 + i); break;
        case 2: wr_f(w, "  - when: mqtt.topic contains \"forbidden%u\"\n", i); break;
        default: wr_f(w, "  - when: mqtt.msg contains \"attack%u\" and !(ip.src in {10.0.0.0/8})\n", i); break;
        }
    }
}

static double run(const char *name, unsigned rules, unsigned conditions, unsigned long packets) {
    struct writer yaml = wr_grow(), batch = wr_grow();
    struct guard_config *c;
    struct guard_mistakes m;
    struct guard *g;
    struct guard_session s;
    struct guard_out out;
    struct guard_peer peer = {
        .client = {4, {192, 0, 2, 7}}, .local = {4, {192, 0, 2, 1}}, .client_port = 50000, .local_port = 1883};
    policy_write(&yaml, rules, conditions);
    if (guard_config_make(&c, wr_done(&yaml), &m)) {
        for (size_t i = 0; i < m.count; i++)
            fprintf(stderr, "%u:%u: %s\n", m.list[i].line, m.list[i].column, m.list[i].text);
        exit(2);
    }
    guard_mistakes_free(&m);
    if (guard_make(&g, c->policy, NULL, &(struct guard_options){0})) exit(2);
    guard_open(g, &s, &peer, 1000, &out);
    struct mqtt_connect hello = {
        .version = 4, .flags = MQTT_CLEAN, .keep_alive = 60, .client_id = SLICE("bench-client")};
    (void)mqtt_write_connect(&batch, &hello);
    guard_feed(g, &s, GUARD_CLIENT, wr_done(&batch), 1000, &out);
    guard_feed(g, &s, GUARD_BROKER, SLICE("\x20\x02\0\0"), 1000, &out);
    wr_reset(&batch);
    char payload[PAYLOAD];
    memset(payload, 'p', sizeof payload);
    for (unsigned i = 0; i < BATCH; i++) {
        char topic[64];
        snprintf(topic, sizeof topic, "site/%u/sensor/temperature", i);
        struct mqtt_publish p = {.version = 4, .topic = slice_str(topic), .payload = slice_of(payload, PAYLOAD)};
        (void)mqtt_write_publish(&batch, &p);
    }
    double start = cpu_seconds();
    for (unsigned long n = 0; n < packets; n += BATCH) {
        guard_feed(g, &s, GUARD_CLIENT, wr_done(&batch), 1000 + (int64_t)n, &out);
        if (out.consumed != wr_len(&batch) || out.forward.n != out.consumed) {
            fprintf(stderr, "a packet was stopped\n");
            exit(2);
        }
    }
    double ns = (cpu_seconds() - start) * 1e9 / (double)packets;
    printf("%-40s %7.0f ns a packet, %.2f million a second\n", name, ns, 1e3 / ns);
    guard_end(g, &s, 0);
    guard_free(g);
    guard_config_free(c);
    wr_free(&yaml);
    wr_free(&batch);
    return ns;
}

int main(int argc, char **argv) {
    unsigned long packets = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    printf("session: %zu bytes\n", sizeof(struct guard_session));
    run("defaults", 0, 0, packets);
    run("100 rules on topics", 100, 0, packets);
    run("20 conditions", 0, 20, packets);
    run("100 rules on topics, 20 conditions", 100, 20, packets);
    return 0;
}
