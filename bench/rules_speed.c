/* SPDX-License-Identifier: Apache-2.0 */
/* How long rule files take per message, in processor time, beside libmodsecurity on the same body: `rules-speed
 * [RULES…]`.
 *
 * A benign JSON message of 200 bytes at paranoia 1 and 2, the same with hostile values of 64 KiB, and loading with a
 * warm cache. libmodsecurity is opened at run time; without it its column stays empty. */
#include "base/writer.h"
#include "serve/proxy/rules_source.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 20000, PEER_ROUNDS = 300, HOSTILE = 64 << 10 };

/* The numbers of a message differ from the last one's, as a device's do. */
static const char benign[] =
    "{\"ts\":17000%05u,\"device\":\"pump-17\",\"state\":\"ON\",\"values\":{\"temperature\":%d.%02u,\"humidity\":%d.%u,"
    "\"battery\":%d,"
    "\"rssi\":-%d,\"uptime\":%05u},\"fw\":\"1.4.2\",\"location\":\"hall 3\",\"alarm\":false,\"tags\":[\"a\",\"b\"]}";

enum { MESSAGES = 4096 };

static struct slice messages[MESSAGES];

static bool messages_make(void) {
    for (unsigned i = 0; i < MESSAGES; i++) {
        char *text = malloc(sizeof benign + 64);
        if (!text) return false;
        int n = sprintf(text, benign, i * 7 % 100000, (int)(i % 23) + 10, i % 100, (int)(i % 50) + 40, i % 10,
                        (int)(i % 90) + 10, (int)(i % 60) + 40, 10000 + i);
        messages[i] = slice_of(text, (size_t)n);
    }
    return true;
}

static double cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct rules_verdict verdict;

/* judge judges `payload`, or where it is empty the messages in turn. */
static double judge(struct rules_tx *tx, struct slice payload, int rounds) {
    double from = cpu_us();
    for (int i = 0; i < rounds; i++) {
        rules_tx_start(tx, 1700000000000000000 + i);
        rules_tx_add(tx, RULES_REMOTE_ADDR, (struct slice){0}, SLICE("192.0.2.7"));
        rules_tx_topic(tx, SLICE("plant/hall3/pump17"));
        rules_tx_payload(tx, payload.n ? payload : messages[i % MESSAGES]);
        rules_tx_judge(tx, &verdict);
    }
    return (cpu_us() - from) / rounds;
}

struct peer {
    void *(*init)(void), *(*set)(void);
    int (*add)(void *, const char *, const char **);
    void *(*tx)(void *, void *, void *);
    int (*uri)(void *, const char *, const char *, const char *);
    int (*header)(void *, const unsigned char *, const unsigned char *);
    int (*headers)(void *), (*body)(void *, const unsigned char *, size_t), (*end)(void *),
        (*connection)(void *, const char *, int, const char *, int);
    void (*drop)(void *);
    void *ms, *rules;
};

static void quiet(void *ctx, const void *text) { (void)ctx, (void)text; }

static bool peer_make(struct peer *p, int paranoia) {
    void *lib = dlopen("libmodsecurity.so.3", RTLD_NOW);
    static const char *const names[] = {"msc_init",
                                        "msc_create_rules_set",
                                        "msc_rules_add",
                                        "msc_new_transaction",
                                        "msc_process_uri",
                                        "msc_add_request_header",
                                        "msc_process_request_headers",
                                        "msc_append_request_body",
                                        "msc_process_request_body",
                                        "msc_process_connection",
                                        "msc_transaction_cleanup"};
    void **to[] = {(void **)&p->init, (void **)&p->set,        (void **)&p->add,     (void **)&p->tx,
                   (void **)&p->uri,  (void **)&p->header,     (void **)&p->headers, (void **)&p->body,
                   (void **)&p->end,  (void **)&p->connection, (void **)&p->drop};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!lib || !(*to[i] = dlsym(lib, names[i]))) return false;
    char text[600];
    const char *error = NULL;
    snprintf(text, sizeof text,
             "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_HEADERS:Content-Type \"^application/json\" "
             "\"id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n"
             "SecAction \"id:900000,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level=%d\"\n"
             "Include /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf\n",
             paranoia);
    void (*log)(void *, void (*)(void *, const void *)) = NULL;
    *(void **)&log = dlsym(lib, "msc_set_log_cb");
    p->ms = p->init();
    if (log) log(p->ms, quiet);
    p->rules = p->set();
    return p->add(p->rules, text, &error) >= 0;
}

static double peer_judge(const struct peer *p, struct slice body, int rounds) {
    static const char *const headers[][2] = {
        {"Host", "localhost"}, {"User-Agent", "test"}, {"Accept", "*/*"}, {"Content-Type", "application/json"}};
    char length[24];
    snprintf(length, sizeof length, "%zu", body.n);
    double from = cpu_us();
    for (int i = 0; i < rounds; i++) {
        void *tx = p->tx(p->ms, p->rules, NULL);
        p->connection(tx, "192.0.2.7", 1234, "127.0.0.1", 80);
        p->uri(tx, "/", "POST", "1.1");
        for (size_t h = 0; h < 4; h++)
            p->header(tx, (const unsigned char *)headers[h][0], (const unsigned char *)headers[h][1]);
        p->header(tx, (const unsigned char *)"Content-Length", (const unsigned char *)length);
        p->headers(tx);
        p->body(tx, body.p, body.n);
        p->end(tx);
        p->drop(tx);
    }
    return (cpu_us() - from) / rounds;
}

static struct slice repeated(const char *what) {
    size_t n = strlen(what);
    uint8_t *p = malloc(HOSTILE);
    for (size_t i = 0; p && i < HOSTILE; i++) p[i] = (uint8_t)what[i % n];
    return slice_of(p, p ? HOSTILE : 0);
}

static struct slice random_bytes(void) {
    uint8_t *p = malloc(HOSTILE);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; p && i < HOSTILE; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (uint8_t)(x >> 24);
    }
    return slice_of(p, p ? HOSTILE : 0);
}

static void hostile(struct rules_tx *tx) {
    static const char *const values[] = {"a",
                                         "' or 1=1-- ",
                                         "<script>alert(1)</script>",
                                         "(((((((((",
                                         "../../../../etc/passwd;",
                                         "select union from where ",
                                         "$(`cat /etc/passwd`);|",
                                         "%25%32%37%u0027&#x27;\\u0027",
                                         "\"\\'\\\\\"",
                                         "<!--/*{[(",
                                         " \t\n/**/",
                                         "=='\"=='\"",
                                         "onload =x onclick= y <img src=",
                                         "0x41,0x42 and 1=1 "};
    double worst = 0;
    const char *which = "random bytes";
    for (size_t i = 0; i <= sizeof values / sizeof values[0]; i++) {
        bool random = i == sizeof values / sizeof values[0];
        struct slice s = random ? random_bytes() : repeated(values[i]);
        double us = judge(tx, s, 3);
        printf("  64 KiB of %-32.32s %10.1f us %s%s\n", random ? "random bytes" : values[i], us,
               rules_action_name(verdict.action), verdict.limited ? ", limited" : "");
        if (us > worst) worst = us, which = random ? "random bytes" : values[i];
        free((void *)s.p);
    }
    printf("  worst: %.1f us, %s\n", worst, which);
}

int main(int argc, char **argv) {
    static const char *const crs[] = {"/usr/share/modsecurity-crs/owasp-crs.load"};
    const char *const *paths = argc > 1 ? (const char *const *)argv + 1 : crs;
    size_t n = argc > 1 ? (size_t)argc - 1 : 1;
    struct rules_source source = rules_source_here();
    struct rules_report error;
    struct slice turn = {0}, message;
    if (!messages_make()) return 2;
    message = messages[0];
    const char *only = getenv("ONLY_PARANOIA"); /* for profiles: one level, neither peer nor hostile values */
    for (int paranoia = only ? atoi(only) : 1; paranoia <= (only ? atoi(only) : 4); paranoia++) {
        struct rules_set *set;
        source.paranoia = paranoia;
        if (rules_load(&set, &source, paths, n, &error))
            return fprintf(stderr, "%s:%u:%u: %s\n", error.file, error.line, error.column, error.text), 2;
        rules_free(set);
        double from = cpu_us();
        if (rules_load(&set, &source, paths, n, &error)) return 2;
        double load = cpu_us() - from;
        struct rules_tx *tx = rules_tx_make(set, NULL);
        judge(tx, turn, ROUNDS / 10);
        double us = judge(tx, turn, only ? ROUNDS * 20 : ROUNDS);
        printf("paranoia %d: benign JSON of %zu bytes %.2f us (%s, %s), warm load %.0f ms", paranoia, message.n, us,
               rules_action_name(verdict.action), verdict.first_pass ? "first pass" : "in full", load / 1e3);
        struct peer peer = {0};
        if (!only && peer_make(&peer, paranoia)) {
            double theirs = peer_judge(&peer, message, PEER_ROUNDS);
            printf(", libmodsecurity %.1f us: %.0f times", theirs, theirs / us);
        }
        printf("\n");
        if (!only && (paranoia == 1 || paranoia == 4)) hostile(tx);
        rules_tx_free(tx);
        rules_free(set);
    }
    return 0;
}
