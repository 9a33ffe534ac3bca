/* SPDX-License-Identifier: Apache-2.0 */
/* replay runs a fuzz target over files and folders of seeds without libFuzzer, and over prefixes of each.
 *
 * A name that ends in .hex holds bytes in hex, "#" starts a comment; any other file is taken as it is. Every
 * prefix of a short seed is run, and of a long one PREFIXES, evenly spread. One input that needs more than
 * SECONDS_MOST ends the program. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHORT = 512, PREFIXES = 128, SEED_MAX = 4 << 20, SECONDS_MOST = 10, PATH_MOST = 4096 };

static unsigned long seeds, runs;
static bool whole_only;

static void run(const uint8_t *p, size_t n) {
    uint8_t *copy = malloc(n ? n : 1); /* exactly n bytes, so that a sanitizer sees a read behind them */
    if (!copy) abort();
    if (n) memcpy(copy, p, n);
    alarm(SECONDS_MOST);
    LLVMFuzzerTestOneInput(copy, n);
    alarm(0);
    free(copy);
    runs++;
}

static int hex_digit(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* unhex turns hex text into bytes, in place; it returns their number, or -1 where the text is something else. */
static long unhex(uint8_t *p, size_t n) {
    size_t digits = 0;
    for (size_t i = 0; i < n; i++) {
        int c = p[i], v = hex_digit(c);
        if (c == '#') {
            while (i < n && p[i] != '\n') i++;
        } else if (v >= 0) {
            uint8_t high = digits & 1 ? (uint8_t)(p[digits / 2] << 4) : 0;
            p[digits / 2] = (uint8_t)(high | v);
            digits++;
        } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return -1;
        }
    }
    return digits & 1 ? -1 : (long)(digits / 2);
}

static int seed_run(const char *path) {
    static uint8_t bytes[SEED_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 2;
    }
    long n = (long)fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    size_t name = strlen(path);
    if (name > 4 && strcmp(path + name - 4, ".hex") == 0) n = unhex(bytes, (size_t)n);
    if (n < 0) {
        fprintf(stderr, "%s: not hex\n", path);
        return 2;
    }
    seeds++;
    if (getenv("REPLAY_VERBOSE")) fprintf(stderr, "%s\n", path);
    size_t step = (size_t)n <= SHORT ? 1 : (size_t)n / PREFIXES;
    for (size_t k = 0; !whole_only && k < (size_t)n; k += step) run(bytes, k);
    run(bytes, (size_t)n);
    return 0;
}

static int path_run(const char *path) {
    struct stat st;
    char below[PATH_MOST];
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return seed_run(path);
    DIR *dir = opendir(path);
    int rc = dir ? 0 : 2;
    for (struct dirent *e; dir && rc == 0 && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) rc = 2;
        else rc = path_run(below);
    }
    if (dir) closedir(dir);
    return rc;
}

int main(int argc, char **argv) {
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++) {
        if (strcmp(argv[i], "--whole") == 0) whole_only = true;
        else rc = path_run(argv[i]);
    }
    printf("%lu seeds, %lu runs\n", seeds, runs);
    if (rc == 0 && seeds == 0) fprintf(stderr, "usage: %s [--whole] SEED-or-FOLDER ...\n", argv[0]);
    return rc ? rc : seeds == 0 ? 2 : 0;
}
