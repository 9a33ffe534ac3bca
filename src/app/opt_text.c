/* SPDX-License-Identifier: Apache-2.0 */
/* What an option table looks like to people: help, man page source (scdoc) and the words of shell completion. */
#include "app/opt.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HELP_COLUMN = 30, HELP_USAGE = 7, HELP_LEAST = 60, HELP_MOST = 100 };

unsigned opt_screen(void) {
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* help_width is how long lines of help may be: as the terminal allows, and no longer than reads well. */
static int help_width(void) {
    int screen = (int)opt_screen();
    return !screen || screen > HELP_MOST ? HELP_MOST : screen < HELP_LEAST ? HELP_LEAST : screen;
}

void opt_wrapped(const char *text, int column, int indent) {
    int at = column, width = help_width();
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (at > column && at + 1 + (int)n > width) printf("\n%*s", indent, ""), at = column = indent;
        else if (at > column) putchar(' '), at++;
        printf("%.*s", (int)n, text);
        at += (int)n;
        text += n;
        if (text[0] == '\n' && text[1] == '\n') printf("\n\n%*s", indent, ""), at = column = indent;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static int left_side(const struct opt_def *def) {
    int n = def->letter ? printf("  -%c", def->letter) : printf("    ");
    if (def->name) n += printf(def->letter ? ", --%s" : "  --%s", def->name);
    if (def->arg && def->bare) n += printf("[=%s]", def->arg);
    else if (def->arg) n += printf(def->name ? "=%s" : " %s", def->arg);
    return n;
}

static void print_help(const struct opt_command *cmd) {
    opt_wrapped(cmd->purpose, printf("weir %s: ", cmd->name), 0);
    putchar('\n');
    opt_wrapped(cmd->synopsis, printf("Usage: weir %s ", cmd->name), HELP_USAGE);
    if (cmd->description) putchar('\n'), opt_wrapped(cmd->description, 0, 0);
    printf("\nOptions:\n");
    for (size_t i = 0; i < cmd->n_defs; i++) {
        if (!cmd->defs[i].help) continue;
        int n = left_side(&cmd->defs[i]);
        if (n >= HELP_COLUMN - 1) putchar('\n'), n = 0;
        printf("%*s", HELP_COLUMN - n, "");
        opt_wrapped(cmd->defs[i].help, HELP_COLUMN, HELP_COLUMN);
    }
    printf("  -h, --help%*sshow this help\n", HELP_COLUMN - 12, "");
    if (cmd->examples) printf("\nExamples:\n");
    for (const char *const *e = cmd->examples; e && *e; e++) printf("  %s\n", *e);
}

/* scdoc takes _ * \ and a few more as markup. */
static void escaped(const char *text) {
    for (; *text; text++) {
        if (strchr("_*\\`~#<>[].|:", *text) && *text) putchar('\\');
        putchar(*text);
    }
}

static void man_option(const struct opt_def *def) {
    if (def->letter) printf("*-%c*", def->letter);
    if (def->letter && def->name) printf(", ");
    if (def->name) printf("*--"), escaped(def->name), printf("*");
    if (def->arg) printf(" _"), escaped(def->arg), printf("_");
    printf("\n\t");
    escaped(def->help);
    printf("\n\n");
}

static void print_man(const struct opt_command *cmd) {
    printf("weir-%s(1)\n\n# NAME\n\nweir-%s - ", cmd->name, cmd->name);
    escaped(cmd->purpose);
    printf("\n\n# SYNOPSIS\n\n*weir %s* ", cmd->name);
    escaped(cmd->synopsis);
    printf("\n\n");
    if (cmd->description) printf("# DESCRIPTION\n\n"), escaped(cmd->description), printf("\n\n");
    printf("# OPTIONS\n\n");
    for (size_t i = 0; i < cmd->n_defs; i++)
        if (cmd->defs[i].help) man_option(&cmd->defs[i]);
    printf("*-h*, *--help*\n\tshow a short help\n\n");
    if (cmd->examples) printf("# EXAMPLES\n\n");
    for (const char *const *e = cmd->examples; e && *e; e++) printf("```\n%s\n```\n\n", *e);
    printf(
        "# EXIT STATUS\n\n0 fine; 1 a finding or a difference; 2 an error or bad use\\.\n\n# SEE ALSO\n\n*weir*(1)\n");
}

static void print_words(const struct opt_command *cmd) {
    for (size_t i = 0; i < cmd->n_defs; i++) {
        if (!cmd->defs[i].help) continue;
        if (cmd->defs[i].letter) printf("-%c\n", cmd->defs[i].letter);
        if (cmd->defs[i].name) printf("--%s%s\n", cmd->defs[i].name, cmd->defs[i].arg ? "=" : "");
    }
    printf("--help\n");
}

static void print_parts(const struct opt_command *cmd) {
    for (const char *const *p = cmd->parts; p && *p; p++) puts(*p);
}

/* In an _arguments spec, ' is the shell's and [ ] : are the spec's. */
static void zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'') continue;
        if (strchr("[]:\\", *text)) putchar('\\');
        putchar(*text);
    }
}

static void zsh_argument(const struct opt_def *def) {
    if (!def->arg) return;
    printf(def->bare ? "::" : ":");
    zsh_text(def->kind == OPT_CHOICE ? "choice" : def->arg);
    putchar(':');
    if (def->kind == OPT_CHOICE) {
        putchar('(');
        for (const char *s = def->arg; *s; s++) putchar(*s == '|' ? ' ' : *s);
        putchar(')');
    } else if (strstr(def->arg, "FILE")) {
        printf("_files");
    }
}

static void print_zsh(const struct opt_command *cmd) {
    for (size_t i = 0; i < cmd->n_defs; i++) {
        const struct opt_def *def = &cmd->defs[i];
        if (!def->help) continue;
        for (int form = 0; form < 2; form++) {
            if (form ? !def->name : !def->letter) continue;
            if (def->kind == OPT_LIST || def->kind == OPT_COUNT) putchar('*');
            if (form) printf("--%s%s", def->name, def->bare ? "=-" : def->arg ? "=" : "");
            else printf("-%c%s", def->letter, def->arg ? "+" : "");
            putchar('['), zsh_text(def->help), putchar(']');
            zsh_argument(def);
            putchar('\n');
        }
    }
    printf("--help[show a short help]\n");
    if (cmd->parts) {
        printf("1:part:(");
        for (const char *const *p = cmd->parts; *p; p++) printf("%s%s", p == cmd->parts ? "" : " ", *p);
        printf(")\n");
    }
    if (cmd->words_at != OPT_NO_WORDS) printf("*:file:_files\n");
}

bool opt_print(const struct opt_command *cmd, const char *form) {
    static const struct {
        const char *name;
        void (*print)(const struct opt_command *);
    } forms[] = {
        {"help", print_help}, {"man", print_man}, {"words", print_words}, {"parts", print_parts}, {"zsh", print_zsh}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (!strcmp(form, forms[i].name)) return forms[i].print(cmd), true;
    return false;
}
