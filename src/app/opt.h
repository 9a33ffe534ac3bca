/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_OPT_H
#define WEIR_APP_OPT_H
/* Options as a table: one table per command gives the parser, --help, the man page and the shell completions.
 *
 *     struct read_opts { const char *file; int64_t count; bool tree; struct opt_list fields, words; };
 *     static const struct opt_def defs[] = {
 *         {'r', "read", "FILE", "read packets from FILE; - is stdin", OPT_TEXT, offsetof(struct read_opts, file)},
 *         {'c', "count", "N", "stop after N packets", OPT_NUMBER, offsetof(struct read_opts, count), .min = 1},
 *     };
 *     int rc = opt_parse(&cmd, &o, argc, argv);
 *     if (rc != OPT_GO) return rc;
 *
 * What it obeys: bundled letters (-nV), -n5 and -n 5, --name=value and --name value, unambiguous long prefixes, `--`
 * ends the options, a lone `-` is a word, options may follow words unless the command says otherwise. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    OPT_FLAG,   /* bool *: set to true */
    OPT_COUNT,  /* int *: one more for each use */
    OPT_TEXT,   /* const char **: the last one wins; points into argv */
    OPT_NUMBER, /* int64_t *: decimal or 0x, within min..max */
    OPT_SIZE,   /* int64_t *: bytes; k M G are powers of 1000, Ki Mi Gi of 1024 */
    OPT_CHOICE, /* int *: place of the word in `arg`, a list such as "text|fields|json" */
    OPT_LIST,   /* struct opt_list *: every use appends, in order */
    OPT_KINDS
};

/* Strings in the order given; the strings belong to argv, the array of an OPT_LIST to opt_release. */
struct opt_list {
    char **item;
    size_t n;
};

struct opt_def {
    char letter;      /* 0: no short form */
    const char *name; /* NULL: no long form */
    const char *arg;  /* what the help calls the argument; NULL for OPT_FLAG and OPT_COUNT */
    const char *help; /* one phrase; NULL keeps the option out of help and completion */
    enum opt_kind kind;
    size_t at;        /* offsetof the target in the command's own struct */
    int64_t min, max; /* of OPT_NUMBER and OPT_SIZE; both 0: from 0 without a roof; max 0: no roof */
    const char *bare; /* the value of `--name` without `=`; NULL: the argument must be there */
};

#define OPT_NO_WORDS SIZE_MAX

struct opt_command {
    const char *name;            /* "read" */
    const char *synopsis;        /* what follows `weir read`: "[-r] FILE [FILTER]" */
    const char *purpose;         /* one phrase, no full stop */
    const char *description;     /* paragraphs for help and man page, parted by an empty line; may be NULL */
    const char *const *examples; /* command lines as typed, NULL at the end; may be NULL */
    const struct opt_def *defs;
    size_t n_defs;
    size_t words_at;              /* offsetof a struct opt_list for the words; OPT_NO_WORDS: words are an error */
    const char *const *parts;     /* what the first word can be, NULL at the end; NULL: anything */
    const char *const *elsewhere; /* letters the command's ancestor has and it has not, each with where that is done:
                                     "w`weir edit -w FILE`"; NULL at the end; may be NULL */
    bool stop_at_word;            /* the first word ends the options (a command line follows) */
};

/* Exit statuses every command keeps to. */
enum { EXIT_FINE = 0, EXIT_FINDING = 1, EXIT_TROUBLE = 2 };
enum { OPT_GO = -1 };

/* opt_parse fills `values` (the caller has put the defaults there) from argv[1..]; argv is reordered. Gives OPT_GO to
 * go on, or the exit status to return at once: EXIT_FINE after --help, EXIT_TROUBLE after a message on stderr. */
int opt_parse(const struct opt_command *cmd, void *values, int argc, char **argv) __attribute__((warn_unused_result));

/* opt_release frees the arrays of the OPT_LIST options. */
void opt_release(const struct opt_command *cmd, void *values);

/* opt_bad_use prints "weir NAME: message" on stderr and gives EXIT_TROUBLE. */
int opt_bad_use(const struct opt_command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* opt_written gives rc where standard output was written, `err` being what its last flush gave, or where its reader
 * went away; otherwise it says so on stderr and gives EXIT_TROUBLE. */
int opt_written(const struct opt_command *cmd, int err, int rc);

/* opt_nearest gives the index of the name most like `word`, or -1 when none is near enough to suggest. */
int opt_nearest(const char *word, const char *const *names, size_t n);
/* opt_unknown says that a word is none of n names: which one it may have been, else where they are told ("`weir lab net
 * list` tells them"). `what` begins the sentence: "there is no lesson". It returns EXIT_TROUBLE. */
int opt_unknown(const struct opt_command *cmd, const char *what, const char *word, const char *const *names, size_t n,
                const char *told);

/* opt_screen returns the columns of the terminal that standard output is, 0 where it is none. */
unsigned opt_screen(void);
/* opt_screen_rows returns its rows, 0 likewise. */
unsigned opt_screen_rows(void);

/* opt_wrapped writes a text from column `column` on and ends the line; no line is longer than the terminal (or 100),
 * and further ones begin at `indent`. */
void opt_wrapped(const char *text, int column, int indent);

/* opt_print writes a form of the table to stdout: "help", "man" (scdoc source), "words" and "parts" (for bash) or "zsh"
 * (_arguments specs); false when there is no such form. */
bool opt_print(const struct opt_command *cmd, const char *form);

#endif
