/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the parent sets everything up (configuration, TLS contexts, listeners, shared memory), then
 * forks the workers, which inherit all of it: a worker that crashed is replaced by another fork within a turn of the
 * loop. One that does not live for BACKOFF_MS is not replaced at once, so a fault at the start does not become a fork
 * bomb.
 *
 * Reload: the parent reads the file and makes a setting of it. A mistake is told and nothing changes. Otherwise the
 * very text it checked is put where the workers read it and they are told; each swaps within its own turn, between two
 * packets. Until all have answered, a further SIGHUP waits, so the text cannot change under them; storms of signals
 * fall together.
 *
 * End: SIGTERM drains: workers stop accepting, and after `drain` tell the clients that the server goes down. SIGINT
 * does the latter at once. A second signal ends without ceremony. */
#include "serve/proxy/proxy.h"
#include "base/clock.h"
#include "io/capture/savefile.h"
#include "io/notify.h"
#include "serve/proxy/parent.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIG_MAX = 16 << 20, BACKOFF_MS = 1000, RESTART_MS = 200, WHY_MAX = 8192, GRACE_MS = 3000 };

void parent_say(const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "weir guard: %s\n", text);
}

/* read_text reads the configuration file; the caller frees it. Without a file it is empty. */
static char *read_text(const char *path, size_t *n) {
    *n = 0;
    if (!path) return calloc(1, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : malloc(CONFIG_MAX);
    ssize_t got = 0;
    while (text && *n < CONFIG_MAX && (got = read(fd, text + *n, CONFIG_MAX - *n)) > 0) *n += (size_t)got;
    if (fd >= 0) close(fd);
    if (text && (got < 0 || *n == CONFIG_MAX)) {
        errno = got < 0 ? errno : EFBIG;
        return free(text), NULL;
    }
    return text;
}

/* load reads the configuration anew; NULL after a message, which `told` gets as well unless it is NULL. The text is
 * left where the workers read it. */
static struct setting *load(struct parent *p, struct writer *told) {
    size_t n;
    char *text = read_text(p->plan->config, &n), *buf = malloc(WHY_MAX);
    struct setting *s = NULL;
    struct writer why = wr_fixed(buf, buf ? WHY_MAX : 0);
    if (!text) {
        parent_say("%s: %s", p->plan->config, strerror(errno));
        if (told) wr_f(told, "%s: %s\n", p->plan->config, strerror(errno));
    } else if (setting_load(&s, p->plan, slice_of(text, n), p->shared->tickets, &why) != OK) {
        fprintf(stderr, "%.*s", (int)wr_len(&why), why.buf);
        if (told) wr_slice(told, wr_done(&why));
        s = NULL;
    } else if (ftruncate(p->config, 0) < 0 || pwrite(p->config, text, n, 0) != (ssize_t)n) {
        parent_say("cannot keep the configuration's text: %s", strerror(errno));
        setting_free(s);
        s = NULL;
    }
    free(text);
    free(buf);
    const char *slow = s ? guard_config_slow(s->config) : NULL;
    if (slow) parent_say("note: %s", slow);
    return s;
}

/* ---- workers ---- */

static void run_worker(struct parent *p, unsigned k, int control) {
    struct worker_listener listener[LISTENERS_MAX];
    struct sock_addr bound[LISTENERS_MAX];
    struct worker_start s = {p->plan, p->shared, p->guard_shared, p->set,    listener, bound,
                             0,       k,         control,         p->config, p->wake};
    s.listeners = listen_of(p, k, listener, bound);
    /* What is the parent's alone is closed: above all the other workers' sockets, or their end would go unnoticed. */
    for (unsigned i = 0; i < p->workers; i++)
        if (p->child[i].control >= 0) close(p->child[i].control);
    for (unsigned i = 0; i < p->sockets; i++) {
        bool mine = false;
        for (unsigned j = 0; j < s.listeners; j++) mine |= listener[j].fd == p->socket[i].fd;
        if (!mine) close(p->socket[i].fd);
    }
    admin_forget(p);
    close(p->signals);
    loop_close(&p->loop);
    char name[16];
    snprintf(name, sizeof name, "weir-guard %u", k);
    prctl(PR_SET_NAME, name);
    _exit(worker_main(&s));
}

static bool start_worker(struct parent *p, unsigned k) {
    int pair[2];
    struct child *c = &p->child[k];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return false;
    fflush(NULL);
    c->control = -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        run_worker(p, k, pair[1]);
    }
    close(pair[1]);
    if (pid < 0) return close(pair[0]), false;
    *c = (struct child){.pid = pid, .control = pair[0], .started = p->now};
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    atomic_store(&p->shared->worker[k].pid, pid);
    atomic_store(&p->shared->worker[k].beat, p->now);
    struct loop_ref ref = {.kind = PEV_CONTROL, .at = k};
    (void)!loop_add(&p->loop, pair[0], EPOLLIN, ref);
    return true;
}

static void tell_worker(struct child *c, char message) {
    if (c->control >= 0) (void)!send(c->control, &message, 1, MSG_NOSIGNAL);
}

static void how_ended(char *buf, size_t n, int status) {
    if (WIFSIGNALED(status))
        snprintf(buf, n, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else snprintf(buf, n, "ended with status %d", WEXITSTATUS(status));
}

/* forget makes good what a dead worker counted as open. */
static void forget(struct parent *p, unsigned k) {
    for (int i = 0; i < PROXY_STAT_COUNT; i++)
        if (proxy_stat_info[i].gauge) atomic_store(&p->shared->worker[k].stat[i], 0);
    guard_shared_forget(p->guard_shared, k);
}

static void worker_ended(struct parent *p, unsigned k, int status) {
    char how[96];
    struct child *c = &p->child[k];
    pid_t old = c->pid;
    if (c->control >= 0) close(c->control);
    c->control = -1;
    c->pid = 0;
    c->reloading = false;
    atomic_store(&p->shared->worker[k].pid, 0);
    if (p->draining) return;
    how_ended(how, sizeof how, status);
    forget(p, k);
    atomic_fetch_add(&p->shared->worker[k].restarts, 1);
    c->again = p->now - c->started < BACKOFF_MS ? p->now + RESTART_MS : p->now;
    parent_say("worker %u (pid %d) %s; it is started again", k, (int)old, how);
}

static void restart_workers(struct parent *p) {
    for (unsigned k = 0; k < p->workers && !p->draining; k++) {
        struct child *c = &p->child[k];
        if (!c->again || c->again > p->now) continue;
        c->again = 0;
        if (start_worker(p, k)) continue;
        parent_say("cannot start worker %u: %s", k, strerror(errno));
        c->again = p->now + RESTART_MS;
    }
}

/* end_stuck kills workers whose loop does not turn any more. */
static void end_stuck(struct parent *p) {
    for (unsigned k = 0; k < p->workers; k++) {
        if (!p->child[k].pid || p->now - atomic_load(&p->shared->worker[k].beat) < STUCK_MS) continue;
        parent_say("worker %u (pid %d) does not answer", k, (int)p->child[k].pid);
        kill(p->child[k].pid, SIGKILL);
        atomic_store(&p->shared->worker[k].beat, p->now);
    }
}

static void reap(struct parent *p) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned k = 0; k < p->workers; k++)
            if (p->child[k].pid == pid) worker_ended(p, k, status);
        if (pid != p->successor) continue;
        char how[96];
        how_ended(how, sizeof how, status);
        parent_say("the successor (pid %d) %s; this one goes on", (int)pid, how);
        p->successor = 0;
    }
    p->ended = p->draining;
    for (unsigned k = 0; k < p->workers; k++) p->ended &= !p->child[k].pid;
}

/* ---- reload ---- */

static bool reloading(const struct parent *p) {
    for (unsigned k = 0; k < p->workers; k++)
        if (p->child[k].reloading) return true;
    return false;
}

static void warn_listeners(const struct parent *p, const struct setting *s) {
    for (unsigned i = 0; i < s->listeners; i++) {
        bool open = false;
        for (unsigned k = 0; k < p->sockets; k++) open |= sock_same(&s->listener[i].addr, &p->socket[k].configured);
        if (!open) parent_say("%s: a new listener needs a restart (SIGUSR2)", s->listener[i].conf->address);
    }
}

enum parent_reloaded parent_reload(struct parent *p, struct writer *why) {
    if (p->draining) return PARENT_ENDING;
    p->reload_again = reloading(p);
    if (p->reload_again) return PARENT_LATER;
    notify_send("RELOADING=1");
    struct setting *s = load(p, why), *old = p->set;
    if (!s) {
        atomic_fetch_add(&p->shared->reloads_refused, 1);
        parent_say("the new configuration was refused; the old one stays");
        notify_send("READY=1");
        return PARENT_REFUSED;
    }
    warn_listeners(p, s);
    p->set = s;
    setting_free(old);
    health_init(p);
    audit_reopen(p);
    for (unsigned k = 0; k < p->workers; k++) {
        p->child[k].reloading = p->child[k].control >= 0;
        tell_worker(&p->child[k], MSG_RELOAD);
    }
    return PARENT_RELOADED;
}

static void on_control(struct parent *p, unsigned k) {
    struct child *c = &p->child[k];
    char m;
    while (c->control >= 0 && recv(c->control, &m, 1, MSG_DONTWAIT) == 1) {
        if (m == MSG_REFUSED) parent_say("worker %u could not take the new configuration; it keeps the old one", k);
        c->reloading = false;
        if (reloading(p)) continue;
        atomic_fetch_add(&p->shared->reloads, 1);
        parent_say("configuration reloaded");
        notify_send("READY=1");
    }
}

/* ---- signals ---- */

static void drain(struct parent *p, char how) {
    if (p->draining) {
        for (unsigned k = 0; k < p->workers; k++)
            if (p->child[k].pid) kill(p->child[k].pid, SIGKILL);
        return;
    }
    notify_send("STOPPING=1");
    p->draining = true;
    int64_t ms = how == MSG_DRAIN ? p->set->config->drain_time / 1000000 : 0;
    parent_say(ms ? "draining: no new connections; clients have %lld s" : "ending", (long long)ms / 1000);
    p->kill_at = p->now + ms + GRACE_MS;
    listen_close(p);
    for (unsigned k = 0; k < p->workers; k++) tell_worker(&p->child[k], how);
}

static void upgrade(struct parent *p) {
    if (p->successor || p->draining) return;
    p->successor = listen_successor(p);
    if (p->successor > 0) parent_say("pid %d takes the listening sockets over", (int)p->successor);
    else p->successor = 0, parent_say("cannot start a successor: %s", strerror(errno));
}

static void tell_totals(struct parent *p) {
    uint64_t g[GUARD_STAT_COUNT];
    guard_stats_sum(p->guard_shared, g);
    parent_say("%llu %s open, %llu accepted, %llu %s from clients, %llu from brokers, %llu dropped, %llu disconnected",
               (unsigned long long)g[GUARD_STAT_OPEN], plural(g[GUARD_STAT_OPEN], "client", "clients"),
               (unsigned long long)g[GUARD_STAT_CONNECTIONS], (unsigned long long)g[GUARD_STAT_PACKETS_IN],
               plural(g[GUARD_STAT_PACKETS_IN], "packet", "packets"), (unsigned long long)g[GUARD_STAT_PACKETS_OUT],
               (unsigned long long)g[GUARD_STAT_DROPPED], (unsigned long long)g[GUARD_STAT_DISCONNECTED]);
}

static void on_signal(struct parent *p) {
    struct signalfd_siginfo s;
    while (read(p->signals, &s, sizeof s) == sizeof s) {
        switch (s.ssi_signo) {
        case SIGHUP: (void)parent_reload(p, NULL); break;
        case SIGUSR1: audit_reopen(p), tell_totals(p); break;
        case SIGUSR2: upgrade(p); break;
        case SIGTERM: drain(p, MSG_DRAIN); break;
        case SIGINT: drain(p, MSG_END); break;
        default: break;
        }
    }
    reap(p);
}

/* ---- start and loop ---- */

static bool catch_signals(struct parent *p) {
    sigset_t set;
    sigemptyset(&set);
    static const int all[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGCHLD};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sigaddset(&set, all[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    p->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct loop_ref ref = {.kind = PEV_SIGNAL};
    return p->signals >= 0 && loop_add(&p->loop, p->signals, EPOLLIN, ref) == OK;
}

static bool share_memory(struct parent *p) {
    size_t n = guard_shared_size(p->workers + 1);
    void *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED) return false;
    p->guard_shared = guard_shared_make(m, p->workers + 1);
    return p->guard_shared;
}

static unsigned count_workers(const struct parent *p) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = p->plan->workers ? p->plan->workers : p->set->config->workers;
    if (!n) n = cpus > 0 ? (unsigned)cpus : 1;
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* give_up_rights becomes the configured user once the ports are bound and the keys are read. */
static bool give_up_rights(const struct parent *p) {
    const char *name = p->set->config->user;
    if (!name || geteuid() != 0) return true;
    const struct passwd *u = getpwnam(name);
    if (!u) return parent_say("user %s: there is no such user", name), false;
    if (privileges_drop(u->pw_uid, u->pw_gid, u->pw_name)) return true;
    parent_say("cannot become user %s: %s", name, strerror(errno));
    return false;
}

static bool set_up(struct parent *p) {
    struct loop_ref ref = {.kind = PEV_WAKE};
    p->shared = shared_make(WORKERS_MAX);
    p->config = memfd_create("weir-guard", MFD_CLOEXEC);
    p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!p->shared || p->config < 0 || p->wake < 0) return parent_say("cannot start: %s", strerror(errno)), false;
    if (!(p->set = load(p, NULL))) return false;
    p->workers = count_workers(p);
    for (unsigned k = 0; k < WORKERS_MAX; k++) p->child[k].control = -1;
    if (!listen_open(p)) return false;
    if (loop_open(&p->loop) != OK || loop_add(&p->loop, p->wake, EPOLLIN, ref) != OK || !catch_signals(p) ||
        !share_memory(p))
        return parent_say("cannot start: %s", strerror(errno)), false;
    health_init(p);
    return admin_open(p) && give_up_rights(p) && (audit_open(p), true);
}

/* take_over ends the run before this one, which handed its sockets over. */
static void take_over(void) {
    const char *before = getenv("WEIR_GUARD_BEFORE");
    char text[64];
    pid_t old = before ? (pid_t)strtol(before, NULL, 10) : 0;
    unsetenv("WEIR_GUARD_BEFORE");
    snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)getpid());
    notify_send(text);
    if (old > 1 && old == getppid()) kill(old, SIGTERM);
}

static void dispatch(struct parent *p, const struct loop_event *e) {
    uint64_t n;
    switch ((enum parent_event)e->ref.kind) {
    case PEV_SIGNAL: return on_signal(p);
    case PEV_CONTROL: return on_control(p, e->ref.at);
    case PEV_WAKE: (void)!read(p->wake, &n, sizeof n); return;
    case PEV_PROBE: return health_event(p, e->ref.at);
    case PEV_ADMIN: return; /* admin_turn follows every turn */
    }
}

static void keep_house(struct parent *p) {
    audit_drain(p);
    admin_turn(p);
    restart_workers(p);
    end_stuck(p);
    if (!p->draining) health_turn(p);
    if (p->reload_again && !reloading(p)) (void)parent_reload(p, NULL);
    if (p->watchdog && p->now >= p->watchdog_at) notify_send("WATCHDOG=1"), p->watchdog_at = p->now + p->watchdog;
    if (p->kill_at && p->now > p->kill_at)
        for (unsigned k = 0; k < p->workers; k++)
            if (p->child[k].pid) kill(p->child[k].pid, SIGKILL);
}

static void run(struct parent *p) {
    struct loop_event e[LOOP_BATCH];
    while (!p->ended) {
        int n = loop_wait(&p->loop, e, PARENT_TURN_MS);
        p->now = clock_ms();
        for (int i = 0; i < n; i++) dispatch(p, &e[i]);
        keep_house(p);
    }
    audit_drain(p);
}

static bool start_workers(struct parent *p) {
    for (unsigned k = 0; k < p->workers; k++)
        if (!start_worker(p, k)) return parent_say("cannot start worker %u: %s", k, strerror(errno)), false;
    return true;
}

bool parent_ready(const struct parent *p) {
    bool worker = false, broker = false;
    for (unsigned k = 0; k < p->workers; k++) worker |= p->child[k].pid != 0;
    for (unsigned i = 0; i < p->set->brokers; i++) broker |= !atomic_load(&p->shared->down[i]);
    return worker && broker && !p->draining;
}

static void tear_down(struct parent *p) {
    admin_close(p);
    listen_close(p);
    setting_free(p->set);
    loop_close(&p->loop);
}

int proxy_run(const struct proxy_plan *plan) {
    struct parent *p = calloc(1, sizeof *p);
    if (!p) return 2;
    p->plan = plan;
    p->now = p->started = clock_ms();
    p->watchdog = notify_watchdog_ms();
    bool ok = set_up(p) && start_workers(p);
    if (ok) {
        parent_say("%u %s; %u %s", p->workers, plural(p->workers, "worker", "workers"), p->set->brokers,
                   plural(p->set->brokers, "broker", "brokers"));
        take_over();
        run(p);
        tell_totals(p);
    }
    tear_down(p);
    free(p);
    return ok ? 0 : 2;
}
