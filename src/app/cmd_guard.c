/* SPDX-License-Identifier: Apache-2.0 */
/* weir guard: reads its options; the rest is serve/ (sockets) and guard/ (policy). */
#include "app/cmd.h"
#include "app/guard/guard_judge.h"
#include "app/guard/guard_replay.h"
#include "app/opt.h"
#include "serve/proxy/proxy.h"
#include "serve/proxy/setting.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guard_opts {
    const char *config, *admin;
    struct opt_list listen, brokers;
    int64_t workers;
    bool test, example, json;
    const char *replay;
    struct keys_opts keys;
    struct judge_opts judge;
};

static const char *const examples[] = {
    "weir guard --listen 0.0.0.0:1883 --broker 127.0.0.1:1884",
    "weir guard --example > guard.yaml",
    "weir guard -t -c guard.yaml",
    "weir guard --replay traffic.pcapng -c guard.yaml",
    "echo '{\"payload\":\"; cat /etc/passwd\"}' | weir guard --judge - --rules "
    "/usr/share/modsecurity-crs/owasp-crs.load",
    NULL,
};

static const struct opt_def defs[] = {
    {'l', "listen", "ADDRESS", "take clients here: HOST:PORT, [IPV6]:PORT or unix:/PATH (may be given again)", OPT_LIST,
     offsetof(struct guard_opts, listen)},
    {'b', "broker", "ADDRESS", "the MQTT broker behind (may be given again)", OPT_LIST,
     offsetof(struct guard_opts, brokers)},
    {'c', "config", "FILE", "listeners, brokers and policy in YAML", OPT_TEXT, offsetof(struct guard_opts, config)},
    {'t', "test", NULL, "check the configuration and end", OPT_FLAG, offsetof(struct guard_opts, test)},
    {0, "example", NULL, "print a commented configuration that shows every part", OPT_FLAG,
     offsetof(struct guard_opts, example)},
    {0, "replay", "FILE", "dry run: print what of a capture would have been stopped, by rule, with frames", OPT_TEXT,
     offsetof(struct guard_opts, replay)},
    {0, "json", NULL,
     "with --replay: the audit records, one JSON object a line; with --judge: the payload is member `payload` of a "
     "JSON body, unless it is JSON",
     OPT_FLAG, offsetof(struct guard_opts, json)},
    KEYS_OPTIONS(struct guard_opts, keys),
    {'W', "workers", "N", "worker processes; default: one for each processor", OPT_NUMBER,
     offsetof(struct guard_opts, workers), .min = 1, .max = 256},
    {0, "admin", "ADDRESS", "where /metrics, /healthz, /readyz and the statistics page are served; none: nowhere",
     OPT_TEXT, offsetof(struct guard_opts, admin)},
    GUARD_JUDGE_DEFS(struct guard_opts, judge),
};

static const struct opt_command command = {
    .name = "guard",
    .synopsis = "--listen ADDRESS --broker ADDRESS | -c FILE",
    .purpose = "the MQTT firewall in front of a broker",
    .description = "Takes the clients' connections, understands every packet in both directions, and forwards only "
                   "what the policy allows. With nothing but --listen and --broker it holds the protocol against both "
                   "sides, limits abuse at generous levels, and logs.\n\n"
                   "SIGHUP reads the configuration anew without dropping a connection; a broken one is refused and the "
                   "old one stays. SIGUSR1 opens the audit file anew and prints totals. SIGUSR2 starts the program "
                   "anew and hands the listening sockets over. SIGTERM drains, Ctrl-C ends.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = OPT_NO_WORDS,
};

static struct proxy_plan plan_of(const struct guard_opts *o) {
    return (struct proxy_plan){
        .config = o->config,
        .listen = (const char *const *)o->listen.item,
        .listen_count = o->listen.n,
        .brokers = (const char *const *)o->brokers.item,
        .broker_count = o->brokers.n,
        .workers = (unsigned)o->workers,
        .admin = o->admin,
    };
}

/* read_file gives the text of the configuration; the caller frees it. */
static char *read_file(const char *path, size_t *n) {
    char *text = NULL;
    *n = 0;
    if (!path) return calloc(1, 1);
    FILE *f = fopen(path, "re");
    ssize_t got = f ? getdelim(&text, n, EOF, f) : -1;
    bool ok = f && (got >= 0 || feof(f));
    if (f) fclose(f);
    if (!ok) return free(text), NULL;
    *n = got > 0 ? (size_t)got : 0;
    return text ? text : calloc(1, 1);
}

static int check(const struct proxy_plan *plan) {
    static const uint8_t no_tickets[80];
    char why[8192];
    size_t n;
    struct writer w = wr_fixed(why, sizeof why);
    struct setting *s = NULL;
    char *text = read_file(plan->config, &n);
    if (!text) return opt_bad_use(&command, "-c %s: %s", plan->config, strerror(errno));
    int r = setting_load(&s, plan, slice_of(text, n), no_tickets, &w);
    free(text);
    if (r != OK) return fprintf(stderr, "%.*s", (int)wr_len(&w), why), EXIT_TROUBLE;
    const char *slow = guard_config_slow(s->config);
    if (slow) fprintf(stderr, "weir guard: note: %s\n", slow);
    setting_free(s);
    printf("%s: the configuration is fine\n", plan->config ? plan->config : "weir guard");
    return EXIT_FINE;
}

static int replay(const struct guard_opts *o) {
    size_t n;
    char *text = read_file(o->config, &n);
    if (!text) return opt_bad_use(&command, "-c %s: %s", o->config, strerror(errno));
    struct replay_plan plan = {
        .capture = o->replay, .config = o->config, .text = text, .text_len = n, .json = o->json, .keys = &o->keys};
    int rc = guard_replay(&command, &plan);
    free(text);
    return rc;
}

static int guard(const struct guard_opts *o) {
    struct proxy_plan plan = plan_of(o);
    if (o->judge.file || o->judge.explain) {
        struct judge_opts judge = o->judge;
        judge.json = o->json;
        return cmd_guard_judge(&command, &judge);
    }
    if (o->example) return fputs(guard_config_example(), stdout), EXIT_FINE;
    if (o->replay) return replay(o);
    if (!o->config && (!o->listen.n || !o->brokers.n))
        return opt_bad_use(&command, "needs --listen and --broker, or -c FILE; `weir guard --help` says more");
    return o->test ? check(&plan) : proxy_run(&plan);
}

int cmd_guard(int argc, char **argv) {
    struct guard_opts o = {0};
    int r = opt_parse(&command, &o, argc, argv);
    if (r == OPT_GO) r = guard(&o);
    opt_release(&command, &o);
    return r;
}
