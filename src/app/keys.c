/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: for a file all key logs are read before the first packet. Secrets inside the file are taken as
 * they are met; when a session has none, the file is searched once to its end for those behind their packets, block by
 * block and without decoding. On an interface the packet is often seen before the program has written its line: when a
 * secret is missing the logs are looked at for a moment, less and less long while nothing comes of it. */
#include "app/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { PATIENCE_MS = 300, LOOK_MS = 5, FIELDS_MAX = 8 };

#define SECRETS_TLS_LOG 0x544c534bu /* "TLSK" */

static size_t log_take(void *to, struct slice text, bool ended) { return tls_keys_log(to, text, TLS_FROM_LOG, ended); }

static void logs_read(struct keys *k, bool ended) {
    for (size_t i = 0; i < k->n_logs; i++) keylog_read(k->log[i], ended, log_take, &k->store);
}

static void secrets_take(void *to, uint32_t type, struct slice bytes) {
    struct keys *k = to;
    if (type == SECRETS_TLS_LOG) tls_keys_log(&k->store, bytes, TLS_FROM_CAPTURE, true);
}

static void logs_await(struct keys *k) {
    uint64_t before = k->store.generation;
    logs_read(k, false);
    for (int64_t waited = 0; k->store.generation == before && waited < k->patience; waited += LOOK_MS) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
        logs_read(k, false);
    }
    k->patience = k->store.generation != before ? PATIENCE_MS : k->patience / 2;
}

static void more(void *to) {
    struct keys *k = to;
    if (k->path) {
        const char *path = k->path;
        k->path = NULL;
        capfile_secrets(path, secrets_take, k);
    }
    if (k->live && k->n_logs) logs_await(k);
}

static int log_open(struct keys *k, const struct opt_command *cmd, const char *path, bool must) {
    char text[128] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    if (k->n_logs == KEYS_LOGS_MAX) return opt_bad_use(cmd, "more than %d key logs", KEYS_LOGS_MAX);
    struct keylog *log = NULL;
    int rc = keylog_open(&log, path, &why);
    bool missing = rc == 0 && keylog_missing(log);
    if (rc == 0) k->log[k->n_logs++] = log;
    if (missing && !k->live) wr_s(&why, "no such file");
    if (missing && k->live)
        fprintf(stderr,
                "weir %s: the key log %s is not there yet; it must be readable without privileges when it comes\n",
                cmd->name, path);
    if (rc == 0 && !(missing && !k->live)) return OPT_GO;
    if (must) return opt_bad_use(cmd, "the key log %s cannot be read: %s", path, text);
    fprintf(stderr, "weir %s: the key log %s cannot be read: %s\n", cmd->name, path, text);
    return OPT_GO;
}

static int key_take(struct keys *k, const struct opt_command *cmd, const char *path, const char *passphrase,
                    const char *file) {
    char text[160] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct slice bytes;
    int rc = keyfile_read(file, &bytes, &why);
    bool ok = rc == 0 && tls_keys_private(&k->store, bytes, passphrase, &why);
    if (rc == 0) keyfile_release(&bytes);
    return ok ? OPT_GO : opt_bad_use(cmd, "the key %s cannot be used: %s", path, text);
}

/* key_open takes FILE[:PASS]; a file whose name has a colon in it comes before a passphrase. */
static int key_open(struct keys *k, const struct opt_command *cmd, const char *text) {
    struct stat st;
    const char *colon = strchr(text, ':');
    if (!colon || stat(text, &st) == 0) return key_take(k, cmd, text, NULL, text);
    char *file = strndup(text, (size_t)(colon - text));
    if (!file) return opt_bad_use(cmd, "out of memory");
    int rc = key_take(k, cmd, file, colon + 1, file);
    free(file);
    return rc;
}

static int psk_open(struct keys *k, const struct opt_command *cmd, const char *text) {
    char buf[128] = "";
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    return tls_keys_psk(&k->store, slice_str(text), &why) ? OPT_GO : opt_bad_use(cmd, "--psk: %s", buf);
}

/* fields_split cuts a line at commas (outside quotes), in place, and takes the quotes off. */
static size_t fields_split(char *line, char *field[FIELDS_MAX]) {
    size_t n = 0;
    for (char *p = line; p && n < FIELDS_MAX;) {
        bool quoted = *p == '"';
        char *end = quoted ? strchr(p + 1, '"') : strchr(p, ',');
        field[n++] = p + quoted;
        if (quoted && end) {
            *end++ = 0;
            end = strchr(end, ',');
        }
        if (end) *end++ = 0;
        p = end;
    }
    return n;
}

/* key_line takes a line of tshark's lists of keys: the file is field `at`, the passphrase the one behind it. */
static int key_line(struct keys *k, const struct opt_command *cmd, const char *text, size_t n, size_t at) {
    char *line = strndup(text, n), *field[FIELDS_MAX];
    if (!line) return opt_bad_use(cmd, "out of memory");
    size_t have = fields_split(line, field);
    int rc = OPT_GO;
    if (have <= at || !*field[at]) rc = opt_bad_use(cmd, "-o: no key file in '%.*s'", (int)n, text);
    else rc = key_take(k, cmd, field[at], have > at + 1 && *field[at + 1] ? field[at + 1] : NULL, field[at]);
    free(line);
    return rc;
}

static int keys_list(struct keys *k, const struct opt_command *cmd, const char *text) {
    int rc = OPT_GO;
    while (*text && rc == OPT_GO) { /* address,port,protocol,file[,passphrase];... */
        size_t n = strcspn(text, ";\n");
        if (n) rc = key_line(k, cmd, text, n, 3);
        text += n + (text[n] != 0);
    }
    return rc;
}

static const struct {
    const char *name;
    enum { PREF_LOG, PREF_PSK, PREF_KEYS, PREF_RSA_KEYS, PREF_SSL_KEYS } what;
} prefs_known[] = {
    {"tls.keylog_file:", PREF_LOG},   {"ssl.keylog_file:", PREF_LOG},   {"tls.psk:", PREF_PSK},
    {"ssl.psk:", PREF_PSK},           {"tls.keys_list:", PREF_KEYS},    {"ssl.keys_list:", PREF_KEYS},
    {"uat:rsa_keys:", PREF_RSA_KEYS}, {"uat:ssl_keys:", PREF_SSL_KEYS},
};

/* pref_find returns the place of a preference in prefs_known and its value; -1: not one of these. */
static int pref_find(const char *pref, const char **value) {
    for (size_t i = 0; i < sizeof prefs_known / sizeof *prefs_known; i++) {
        size_t n = strlen(prefs_known[i].name);
        *value = pref + n;
        if (strncmp(pref, prefs_known[i].name, n) == 0) return (int)i;
    }
    return -1;
}

bool keys_pref(const char *pref) {
    const char *value;
    return pref_find(pref, &value) >= 0;
}

static int pref_take(struct keys *k, const struct opt_command *cmd, const char *pref) {
    const char *value;
    int i = pref_find(pref, &value);
    if (i < 0 || !*value) return OPT_GO;
    switch (prefs_known[i].what) {
    case PREF_LOG: return log_open(k, cmd, value, false);
    case PREF_PSK: return psk_open(k, cmd, value);
    case PREF_KEYS: return keys_list(k, cmd, value);
    case PREF_RSA_KEYS: return key_line(k, cmd, value, strlen(value), 0);
    case PREF_SSL_KEYS: return key_line(k, cmd, value, strlen(value), 3);
    default: return OPT_GO;
    }
}

int keys_open(struct keys *k, const struct opt_command *cmd, const struct keys_opts *o, const struct opt_list *prefs,
              bool live) {
    int rc = OPT_GO;
    *k = (struct keys){.live = live, .patience = PATIENCE_MS};
    tls_keys_make(&k->store);
    k->store.more = more;
    k->store.more_to = k;
    static const struct keys_opts none;
    if (!o) o = &none;
    for (size_t i = 0; i < o->logs.n && rc == OPT_GO; i++) rc = log_open(k, cmd, o->logs.item[i], true);
    for (size_t i = 0; i < o->files.n && rc == OPT_GO; i++) rc = key_open(k, cmd, o->files.item[i]);
    for (size_t i = 0; i < o->psk.n && rc == OPT_GO; i++) rc = psk_open(k, cmd, o->psk.item[i]);
    for (size_t i = 0; prefs && i < prefs->n && rc == OPT_GO; i++) rc = pref_take(k, cmd, prefs->item[i]);
    if (k->n_logs) tls_keys_log(&k->store, (struct slice){0}, TLS_FROM_LOG, false); /* it may come to have secrets */
    logs_read(k, !live);
    return rc;
}

void keys_watch_file(struct keys *k, const char *path, struct capfile *c) {
    struct stat st;
    capfile_on_secrets(c, secrets_take, k);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) k->path = path;
    else k->store.expected = capfile_is_pcapng(c); /* they come when they come */
}

void keys_close(struct keys *k) {
    for (size_t i = 0; i < k->n_logs; i++) keylog_close(k->log[i]);
    tls_keys_free(&k->store);
}
