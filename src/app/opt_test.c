/* SPDX-License-Identifier: Apache-2.0 */
#include "app/opt.h"

#include <stdio.h>
#include <string.h>

struct values {
    bool flag;
    int level, choice, color;
    const char *file;
    int64_t count, size;
    struct opt_list list, words;
};

static const struct opt_def defs[] = {
    {'v', "verbose", NULL, "say more", OPT_FLAG, offsetof(struct values, flag)},
    {'l', "level", NULL, "one more", OPT_COUNT, offsetof(struct values, level)},
    {'r', "read", "FILE", "read FILE", OPT_TEXT, offsetof(struct values, file)},
    {'c', "count", "N", "stop after N", OPT_NUMBER, offsetof(struct values, count), .min = 1, .max = 99},
    {'s', "size", "SIZE", "bytes", OPT_SIZE, offsetof(struct values, size)},
    {'T', "type", "text|fields|json", "form", OPT_CHOICE, offsetof(struct values, choice)},
    {'e', NULL, "FIELD", "a field", OPT_LIST, offsetof(struct values, list)},
    {0, "color", "auto|always|never", "colours", OPT_CHOICE, offsetof(struct values, color), .bare = "always"},
};
static const struct opt_command command = {.name = "test",
                                           .synopsis = "",
                                           .purpose = "a test",
                                           .defs = defs,
                                           .n_defs = sizeof defs / sizeof defs[0],
                                           .words_at = offsetof(struct values, words)};

static int failed;
static const char *doing = "";

static void check(bool ok, const char *sentence) {
    if (ok) return;
    failed++;
    printf("not so: %s: %s\n", doing, sentence);
}

/* Parses a line of words parted by blanks; the words live until the next call. */
static int parse(struct values *v, const char *line) {
    static char buf[256], *argv[32];
    int argc = 0;
    opt_release(&command, v);
    *v = (struct values){0};
    doing = line;
    snprintf(buf, sizeof buf, "test %s", line);
    for (char *word = strtok(buf, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    argv[argc] = NULL;
    return opt_parse(&command, v, argc, argv);
}

static void good_lines_are_understood(struct values *v) {
    check(parse(v, "-vll -c5 -r f a -T json -e x -ey b") == OPT_GO, "it is understood");
    check(v->flag && v->level == 2 && v->count == 5 && v->choice == 2, "bundled letters and -n5 work");
    check(v->list.n == 2 && !strcmp(v->list.item[1], "y"), "a list keeps the order");
    check(v->words.n == 2 && !strcmp(v->words.item[0], "a") && !strcmp(v->words.item[1], "b"), "words are gathered");
    check(parse(v, "--count=7 --read - --verb -- -v --x") == OPT_GO, "it is understood");
    check(v->count == 7 && !strcmp(v->file, "-") && v->flag, "long forms, also cut short, work");
    check(v->words.n == 2 && !strcmp(v->words.item[0], "-v"), "-- ends the options");
    check(parse(v, "-s 10Ki --color x -") == OPT_GO && v->size == 10240, "sizes have units");
    check(v->color == 1 && v->words.n == 2, "a bare long option leaves the next word alone");
    check(parse(v, "--color=never") == OPT_GO && v->color == 2, "= gives it a value");
}

static void bad_lines_are_refused(struct values *v) {
    static const char *const bad[] = {
        "-c 0", "-c 100", "-c x",     "-c",   "-c 99999999999999999999", "-s 5q", "-T jsn", "--verbose=1", "--nope",
        "-Z",   "--co 5", "--color=", "--=x", "-s 9223372036854775807Gi"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check(parse(v, bad[i]) == EXIT_TROUBLE, "it is refused");
}

static void the_nearest_name_is_found(void) {
    static const char *const names[] = {"capture", "read", "fields", "demo"};
    doing = "opt_nearest";
    check(opt_nearest("cpature", names, 4) == 0, "swapped letters");
    check(opt_nearest("red", names, 4) == 1, "a missing letter");
    check(opt_nearest("field", names, 4) == 2, "a beginning");
    check(opt_nearest("zzzz", names, 4) == -1, "nothing near");
    check(opt_nearest("x", names, 4) == -1, "one letter is near nothing");
}

int main(void) {
    struct values v = {0};
    good_lines_are_understood(&v);
    bad_lines_are_refused(&v);
    the_nearest_name_is_found();
    opt_release(&command, &v);
    return failed != 0;
}
