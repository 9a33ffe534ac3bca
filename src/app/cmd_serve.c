/* SPDX-License-Identifier: Apache-2.0 */
/* weir serve: reads its options and finds the folder; the rest is serve/. */
#include "app/cmd.h"
#include "app/opt.h"
#include "serve/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MAX = 3800 };

struct serve_opts {
    const char *listen, *dir, *guard;
    int64_t upload_max, quota;
    bool no_auth;
    struct opt_list hosts, words;
};

static const struct opt_def defs[] = {
    {'l', "listen", "ADDRESS", "where to listen: ADDRESS:PORT, or a port of loopback (127.0.0.1:8080)", OPT_TEXT,
     offsetof(struct serve_opts, listen)},
    {'d', "dir", "FOLDER", "where uploaded captures are kept (~/.local/share/weir/captures)", OPT_TEXT,
     offsetof(struct serve_opts, dir)},
    {0, "max-upload", "BYTES", "largest upload (1G)", OPT_SIZE, offsetof(struct serve_opts, upload_max), .min = 1},
    {0, "quota", "BYTES", "room for all captures of the folder (10G); 0: no limit", OPT_SIZE,
     offsetof(struct serve_opts, quota)},
    {0, "host", "NAME", "a name this server is reached by (may be given again)", OPT_LIST,
     offsetof(struct serve_opts, hosts)},
    {0, "guard", "ADDRESS", "ADDRESS:PORT of the admin page of a guard to show", OPT_TEXT,
     offsetof(struct serve_opts, guard)},
    {0, "no-auth", NULL, "ask for no token, although others than this machine may connect", OPT_FLAG,
     offsetof(struct serve_opts, no_auth)},
};
static const char *const examples[] = {"weir serve capture.pcapng", "weir serve --dir /srv/captures --listen 9000",
                                       "weir serve --listen 0.0.0.0:8080 --host probe.example",
                                       "curl -T capture.pcapng http://127.0.0.1:8080/v1/captures/capture.pcapng", NULL};
static const struct opt_command command = {
    .name = "serve",
    .synopsis = "[FILE...] [--listen ADDRESS] [--dir FOLDER]",
    .purpose = "captures in the browser, and an API for programs",
    .description =
        "Prints the address of a page that lists captures, shows, filters and explains their packets, and takes "
        "further captures by drag and drop. What the page does, programs do under /v1; /v1/openapi.json "
        "describes it.\n\n"
        "On loopback everybody of this machine may ask. Elsewhere a token is needed, printed once as part of "
        "the address, unless --no-auth is given. Captures named as FILE are shown and never changed; those of "
        "the folder can be deleted.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct serve_opts, words),
};

/* folder_make makes a folder and those above it, for this user alone. */
static bool folder_make(char *path) {
    struct stat st;
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        int rc = mkdir(path, 0700);
        *slash = '/';
        if (rc && errno != EEXIST) return false;
    }
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool folder_name(char path[DIR_MAX], const char *given) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n = given           ? snprintf(path, DIR_MAX, "%s", given)
            : data && *data ? snprintf(path, DIR_MAX, "%s/weir/captures", data)
            : home && *home ? snprintf(path, DIR_MAX, "%s/.local/share/weir/captures", home)
                            : snprintf(path, DIR_MAX, "/var/lib/weir/captures");
    return n > 0 && n < DIR_MAX;
}

static int run(const struct serve_opts *o) {
    char dir[DIR_MAX];
    struct stat st;
    if (!folder_name(dir, o->dir)) return opt_bad_use(&command, "the name of the folder is too long");
    if (!folder_make(dir))
        return opt_bad_use(&command, "%s: %s", dir, errno == EEXIST ? "is no folder" : strerror(errno));
    for (size_t i = 0; i < o->words.n; i++)
        if (stat(o->words.item[i], &st) || !S_ISREG(st.st_mode) || access(o->words.item[i], R_OK))
            return opt_bad_use(&command, "%s: cannot be read as a file", o->words.item[i]);
    struct web_plan plan = {.listen = o->listen,
                            .dir = dir,
                            .files = o->words.item,
                            .n_files = o->words.n,
                            .hosts = o->hosts.item,
                            .n_hosts = o->hosts.n,
                            .upload_max = (uint64_t)o->upload_max,
                            .quota = (uint64_t)o->quota,
                            .guard = o->guard,
                            .no_auth = o->no_auth};
    return web_run(&plan) ? EXIT_FINE : EXIT_TROUBLE;
}

int cmd_serve(int argc, char **argv) {
    struct serve_opts o = {.listen = "127.0.0.1:8080", .upload_max = 1000000000, .quota = 10000000000};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO) rc = run(&o);
    opt_release(&command, &o);
    return rc;
}
