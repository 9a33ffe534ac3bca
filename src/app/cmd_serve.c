/* SPDX-License-Identifier: Apache-2.0 */
/* weir serve: reads its options and finds the folder; the rest is serve/. */
#include "app/cmd.h"
#include "app/opt.h"
#include "app/rights.h"
#include "app/serve/serve_config.h"
#include "app/story.h"
#include "base/isotime.h"
#include "serve/demand/store.h"
#include "serve/web/web.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIR_MAX = 3800 };

struct serve_opts {
    const char *listen, *dir, *guard, *interface, *expiry, *config, *cert, *key, *user, *token_add, *token_name;
    int64_t upload_max, quota, token_remove;
    bool no_auth, auth, token_list;
    struct opt_list hosts, words;
};

static const struct opt_def defs[] = {
    {'l', "listen", "ADDRESS", "where to listen: ADDRESS:PORT, or a port of loopback (127.0.0.1:8080)", OPT_TEXT,
     offsetof(struct serve_opts, listen)},
    {'d', "dir", "FOLDER", "where captures are kept (~/.local/share/weir/captures; of root /var/lib/weir/captures)",
     OPT_TEXT, offsetof(struct serve_opts, dir)},
    {0, "max-upload", "BYTES", "largest upload (1G)", OPT_SIZE, offsetof(struct serve_opts, upload_max), .min = 1},
    {0, "quota", "BYTES", "room for all captures of the folder (10G); 0: no limit", OPT_SIZE,
     offsetof(struct serve_opts, quota)},
    {0, "host", "NAME", "a name this server is reached by (may be given again)", OPT_LIST,
     offsetof(struct serve_opts, hosts)},
    {0, "guard", "ADDRESS", "ADDRESS:PORT of the admin page of a guard to show", OPT_TEXT,
     offsetof(struct serve_opts, guard)},
    {'i', "interface", "NAME", "where captures on demand are taken from, unless they say (any)", OPT_TEXT,
     offsetof(struct serve_opts, interface)},
    {0, "expiry", "TIME", "how long captures on demand and uploads are kept, as in 12h; 0: for ever (7d)", OPT_TEXT,
     offsetof(struct serve_opts, expiry)},
    {'c', "config", "FILE", "names of devices (YAML)", OPT_TEXT, offsetof(struct serve_opts, config)},
    {0, "cert", "FILE", "certificate with its chain (PEM): serve TLS", OPT_TEXT, offsetof(struct serve_opts, cert)},
    {0, "key", "FILE", "private key of the certificate (PEM)", OPT_TEXT, offsetof(struct serve_opts, key)},
    {0, "auth", NULL, "ask for a token on loopback, too", OPT_FLAG, offsetof(struct serve_opts, auth)},
    {0, "token-add", "ROLE", "print a new token, once; ROLE is view, capture or admin", OPT_TEXT,
     offsetof(struct serve_opts, token_add)},
    {0, "token-name", "TEXT", "whose token --token-add makes, for the list of actions", OPT_TEXT,
     offsetof(struct serve_opts, token_name)},
    {0, "token-list", NULL, "list tokens: number, role, date, name", OPT_FLAG, offsetof(struct serve_opts, token_list)},
    {0, "token-remove", "N", "remove the token with this number", OPT_NUMBER, offsetof(struct serve_opts, token_remove),
     .min = 1},
    {'Z', "relinquish-privileges", "USER", "whom to become when the socket is open (who called sudo, else nobody)",
     OPT_TEXT, offsetof(struct serve_opts, user)},
    {0, "no-auth", NULL, "ask for no token, although others than this machine may connect", OPT_FLAG,
     offsetof(struct serve_opts, no_auth)},
};
static const char *const examples[] = {"weir serve capture.pcapng",
                                       "weir serve --dir /srv/captures --listen 9000",
                                       "weir serve --listen 0.0.0.0:8080 --host probe.example",
                                       "weir serve --token-add capture --token-name ann",
                                       "curl -T capture.pcapng http://127.0.0.1:8080/v1/captures/capture.pcapng",
                                       NULL};
static const struct opt_command command = {
    .name = "serve",
    .synopsis = "[FILE...] [--listen ADDRESS] [--dir FOLDER]",
    .purpose = "captures in the browser, and an API for programs",
    .description =
        "Prints the address of a page that lists captures, shows, filters and explains their packets, and takes "
        "further captures by drag and drop. What the page does, programs do under /v1; /v1/openapi.json "
        "describes it.\n\n"
        "On loopback everybody of this machine may ask. Elsewhere a token is needed, unless --no-auth is given; the "
        "first one is printed once as part of the address. Captures named as FILE are shown and never changed; those "
        "of the folder can be deleted.\n\n"
        "With the right to capture (root, or the capabilities) captures are taken on demand: of an interface, or of "
        "one device by its address, prefix, MAC address or MQTT client id. Only a small process keeps that right; the "
        "server becomes a plain user.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct serve_opts, words),
};

static bool one_folder(const char *path, const struct rights *t) {
    if (mkdir(path, 0700)) return errno == EEXIST;
    return !t->drop || geteuid() != 0 || lchown(path, t->uid, t->gid) == 0;
}

/* folder_make makes a folder and those above it; new ones belong to the user the server becomes. */
static bool folder_make(char *path, const struct rights *t) {
    struct stat st;
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        bool fine = one_folder(path, t);
        *slash = '/';
        if (!fine) return false;
    }
    return one_folder(path, t) && stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || (errno = EEXIST, false));
}

/* home_of gives the home of the user the server becomes, or that of the environment. */
static const char *home_of(const struct rights *t) {
    const struct passwd *p = t->drop && geteuid() == 0 ? getpwuid(t->uid) : NULL;
    if (t->drop && geteuid() == 0) return p && t->uid >= 1000 && t->uid < 65534 ? p->pw_dir : NULL;
    return getenv("HOME");
}

static bool folder_name(char path[DIR_MAX], const char *given, const struct rights *t) {
    bool other = t->drop && geteuid() == 0;
    const char *data = other ? NULL : getenv("XDG_DATA_HOME"), *home = home_of(t);
    int n = given           ? snprintf(path, DIR_MAX, "%s", given)
            : data && *data ? snprintf(path, DIR_MAX, "%s/weir/captures", data)
            : home && *home ? snprintf(path, DIR_MAX, "%s/.local/share/weir/captures", home)
                            : snprintf(path, DIR_MAX, "/var/lib/weir/captures");
    return n > 0 && n < DIR_MAX;
}

/* folder_enter makes the folder and goes there, while that is still allowed: the user the server becomes may not be
 * able to walk to it, and needs nothing but the folder itself. */
static int folder_enter(const struct serve_opts *o, const struct rights *t, char dir[DIR_MAX]) {
    if (!folder_name(dir, o->dir, t)) return opt_bad_use(&command, "the name of the folder is too long");
    if (!folder_make(dir, t))
        return opt_bad_use(&command, "%s: %s", dir, errno == EEXIST ? "is no folder" : strerror(errno));
    umask(0077); /* what is captured is nobody else's business */
    if (chdir(dir)) return opt_bad_use(&command, "%s: %s", dir, strerror(errno));
    return OPT_GO;
}

/* whole_paths replaces paths by those that hold wherever the process goes; they are freed by whole_paths_free. */
static int whole_paths(char **path, size_t n, char **out) {
    struct stat st;
    for (size_t i = 0; i < n; i++)
        if (stat(path[i], &st) || !S_ISREG(st.st_mode) || access(path[i], R_OK) || !(out[i] = realpath(path[i], NULL)))
            return opt_bad_use(&command, "%s: cannot be read as a file", path[i]);
    return OPT_GO;
}

static void whole_paths_free(char **path, size_t n) {
    for (size_t i = 0; i < n; i++) free(path[i]);
}

/* duration_read reads "7d", "12h", "30m" or "90s" into ms; "0" is never. */
static bool duration_read(const char *text, int64_t *ms) {
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};
    char *end;
    if (*text < '0' || *text > '9') return false;
    unsigned long n = strtoul(text, &end, 10);
    *ms = 0;
    if (!n && !*end) return true;
    for (size_t i = 0; i < 4; i++) {
        if (*end != units[i].letter || end[1] || n > 100000) continue;
        *ms = (int64_t)n * units[i].ms;
        return true;
    }
    return false;
}

/* ---- tokens ---- */

static void token_print(void *to, const struct store_token *t) {
    char when[32];
    struct writer w = wr_fixed(when, sizeof when);
    (void)to;
    iso_time(&w, t->created * 1000000, 0);
    wr_c(&w, 0);
    printf("%lld\t%s\t%sZ\t%s\n", (long long)t->id, store_role_name(t->role), when, t->name);
}

static int token_add(struct store *store, const struct serve_opts *o) {
    enum store_role role = store_role_read(o->token_add);
    char token[WEB_TOKEN + 1];
    uint8_t hash[STORE_HASH];
    if (role == ROLE_NONE)
        return opt_bad_use(&command, "--token-add %s: the role is one of view, capture, admin", o->token_add);
    if (!web_token_make(token, hash) ||
        store_token_add(store, hash, role, o->token_name ? o->token_name : "", (int64_t)time(NULL) * 1000))
        return opt_bad_use(&command, "the token cannot be stored");
    puts(token);
    return EXIT_FINE;
}

/* tokens does what is asked about tokens, without a server. */
static int tokens(const struct serve_opts *o) {
    char reason[256] = "";
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    struct store *store = NULL;
    int rc = EXIT_FINE;
    if (store_open(&store, "./" WEB_STORE_NAME, &why) < 0)
        return opt_bad_use(&command, "the store of tokens: %s", reason);
    if (o->token_add) rc = token_add(store, o);
    else if (o->token_remove && store_token_remove(store, o->token_remove) < 0)
        rc = opt_bad_use(&command, "--token-remove %lld: there is no such token", (long long)o->token_remove);
    else if (o->token_list) store_tokens(store, token_print, NULL);
    store_close(store);
    return rc;
}

/* ---- the server ---- */

static int serve(const struct serve_opts *o, const struct rights *t, struct web_plan *plan) {
    char dir[DIR_MAX];
    int rc = folder_enter(o, t, dir);
    if (rc != OPT_GO) return rc;
    if (access(".", W_OK | X_OK) == 0 && plan->user.change && geteuid() == 0) {
        struct stat st;
        bool theirs = stat(".", &st) == 0 &&
                      (st.st_uid == t->uid || (st.st_mode & 0002) || (st.st_gid == t->gid && (st.st_mode & 0020)));
        if (t->uid != 0 && !theirs)
            return opt_bad_use(&command,
                               "%s belongs to another user than the server becomes (user id %u): give it to them with "
                               "chown, name a user with -Z, or keep root's rights with -Z root",
                               dir, (unsigned)t->uid);
    }
    plan->dir = ".";
    plan->shown = dir;
    if (o->token_add || o->token_list || o->token_remove)
        return opener_user_become(&plan->user)
                   ? tokens(o)
                   : opt_bad_use(&command, "privileges cannot be given up: %s", strerror(errno));
    return web_run(plan) ? EXIT_FINE : EXIT_TROUBLE;
}

static int check(const struct serve_opts *o, int64_t *expiry_ms) {
    if (!duration_read(o->expiry, expiry_ms))
        return opt_bad_use(&command, "--expiry %s: expected days, hours, minutes or seconds, as in 7d", o->expiry);
    if (!o->cert != !o->key) return opt_bad_use(&command, "--cert and --key belong together");
    if (o->auth && o->no_auth) return opt_bad_use(&command, "--auth and --no-auth contradict each other");
    return OPT_GO;
}

/* languages_read reads the translations there are, and returns how many. */
enum { LANGUAGES = 2 };
static size_t languages_read(struct web_language out[LANGUAGES]) {
    static const char *const names[LANGUAGES] = {"ja", "zh_CN"};
    size_t n = 0;
    for (size_t i = 0; i < LANGUAGES; i++) {
        out[n].name = names[i];
        n += story_catalogue(names[i], &out[n].words);
    }
    return n;
}

static int run(const struct serve_opts *o) {
    struct web_language languages[LANGUAGES];
    struct rights t;
    struct serve_config config = {0};
    char reason[256] = "", *pem[2] = {NULL, NULL}, *given[2] = {(char *)(uintptr_t)o->cert, (char *)(uintptr_t)o->key};
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    int64_t expiry_ms;
    int rc = check(o, &expiry_ms);
    if (rc != OPT_GO) return rc;
    if (!rights_pick(&t, o->user, false)) return opt_bad_use(&command, "-Z %s: there is no such user", o->user);
    if (o->config && !serve_config_read(&config, o->config, &why))
        rc = opt_bad_use(&command, "%s: %s", o->config, reason);
    char **files = calloc(o->words.n + 1, sizeof *files);
    if (rc == OPT_GO && files) rc = whole_paths(o->words.item, o->words.n, files);
    if (rc == OPT_GO && o->cert) rc = whole_paths(given, 2, pem);
    struct web_plan plan = {.listen = o->listen,
                            .files = files,
                            .n_files = o->words.n,
                            .hosts = o->hosts.item,
                            .n_hosts = o->hosts.n,
                            .upload_max = (uint64_t)o->upload_max,
                            .quota = (uint64_t)o->quota,
                            .guard = o->guard,
                            .no_auth = o->no_auth,
                            .auth = o->auth,
                            .cert = pem[0],
                            .key = pem[1],
                            .interface = o->interface,
                            .expiry_ms = expiry_ms,
                            .labels = config.labels,
                            .n_labels = config.n_labels,
                            .languages = languages,
                            .n_languages = languages_read(languages),
                            .user = {t.drop, t.uid, t.gid, t.name[0] ? t.name : NULL}};
    if (rc == OPT_GO) rc = files ? serve(o, &t, &plan) : EXIT_TROUBLE;
    if (files) whole_paths_free(files, o->words.n);
    free(files);
    whole_paths_free(pem, 2);
    serve_config_free(&config);
    for (size_t i = 0; i < plan.n_languages; i++) free((void *)(uintptr_t)plan.languages[i].words.mo.p);
    return rc;
}

int cmd_serve(int argc, char **argv) {
    struct serve_opts o = {.listen = "127.0.0.1:8080", .upload_max = 1000000000, .quota = 10000000000, .expiry = "7d"};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO) rc = run(&o);
    opt_release(&command, &o);
    return rc;
}
