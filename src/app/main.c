/* SPDX-License-Identifier: Apache-2.0 */
/* weir: finds the command, and what is said when there is none. */
#include "app/cmd.h"
#include "app/opt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct command {
    const char *name, *purpose;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"capture", "record packets from an interface", cmd_capture},
    {"read", "decode a capture file, stdin or a live interface", cmd_read},
    {"follow", "one conversation as text, hex or decoded messages", cmd_follow},
    {"stats", "endpoints, conversations, protocols and more, counted", cmd_stats},
    {"explain", "where did it stop, and what to do", cmd_explain},
    {"ladder", "the sequence picture of conversations", cmd_ladder},
    {"diff", "good run against bad run, by protocol event", cmd_diff},
    {"run", "run a command and record its traffic, with its TLS keys", cmd_run},
    {"edit", "cut, filter, split, merge and redact captures", cmd_edit},
    {"craft", "make packets from expressions as in Scapy", cmd_craft},
    {"guard", "the MQTT firewall in front of a broker", cmd_guard},
    {"lab", "peers and networks to try things with: echo, sink, net", cmd_lab},
    {"serve", "captures in the browser, and an API for programs", cmd_serve},
    {"peek", "start, watch, stop and download captures on a server", cmd_peek},
    {"extcap", "what Wireshark asks to list and capture from a server's devices", cmd_extcap},
    {"fields", "list every field and what it means", cmd_fields},
    {"lesson", "learn by doing: real programs, captured and explained", cmd_lesson},
    {"demo", "the first five minutes: real MQTT traffic, captured and read", cmd_demo},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *find(const char *name) {
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}

static void print_short_help(FILE *f) {
    fprintf(f, "weir captures, decodes and explains device traffic, and guards its broker.\n\n"
               "  weir demo                              real MQTT traffic, captured and read\n"
               "  weir capture -i lo -w mqtt.pcapng      record loopback until Ctrl-C\n"
               "  weir explain mqtt.pcapng               where did it stop, and what to do\n\n"
               "`weir --help` lists all commands.\n");
}

static void print_help(void) {
    printf("weir captures, decodes and explains device traffic, and guards its broker.\n\nUsage: weir COMMAND "
           "[options]\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].purpose);
    printf("\n`weir COMMAND --help` (or `weir help COMMAND`) says more.\n`weir --version` says which build this is.\n"
           "Exit status: 0 fine; 1 a finding or a difference; 2 an error or bad use.\n");
}

static void print_words(void) {
    for (size_t i = 0; i < N_COMMANDS; i++) puts(commands[i].name);
    puts("help");
}

static void print_zsh(void) {
    for (size_t i = 0; i < N_COMMANDS; i++) printf("%s:%s\n", commands[i].name, commands[i].purpose);
}

static void print_man(void) {
    printf("weir(1)\n\n# NAME\n\nweir - capture, decode and explain device traffic\n\n# SYNOPSIS\n\n"
           "*weir* _COMMAND_ \\[options\\]\n\n# COMMANDS\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) printf("*weir-%s*(1)\n\t%s\n\n", commands[i].name, commands[i].purpose);
    printf("# EXIT STATUS\n\n0 fine; 1 a finding or a difference; 2 an error or bad use\\.\n");
}

static int unknown(const char *what) {
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++) names[i] = commands[i].name;
    int near = what[0] == '-' ? -1 : opt_nearest(what, names, N_COMMANDS);
    fprintf(stderr, "weir: unknown %s '%s'; ", what[0] == '-' ? "option" : "command", what);
    if (near >= 0) fprintf(stderr, "did you mean 'weir %s'?\n", names[near]);
    else fprintf(stderr, "`weir --help` lists the commands\n");
    return EXIT_TROUBLE;
}

static int help_of(const char *name) {
    const struct command *c = find(name);
    if (!c) return unknown(name);
    char words[2][16] = {"", "--help"}, *argv[] = {words[0], words[1], NULL};
    snprintf(words[0], sizeof words[0], "%s", name);
    return c->run(2, argv);
}

static int about(int argc, char **argv) {
    const char *what = argv[1];
    if (!strcmp(what, "--version") || !strcmp(what, "-V") || !strcmp(what, "version")) puts("weir " WEIR_VERSION);
    else if (!strcmp(what, "help") && argc > 2) return help_of(argv[2]);
    else if (!strcmp(what, "--help") || !strcmp(what, "-h") || !strcmp(what, "help")) print_help();
    else if (!strcmp(what, "--help=words")) print_words();
    else if (!strcmp(what, "--help=zsh")) print_zsh();
    else if (!strcmp(what, "--help=man")) print_man();
    else return unknown(what);
    return EXIT_FINE;
}

/* A reader of our output that went away (`weir read ... | head`) is no error: die silently, whatever was inherited. */
static void quiet_sigpipe(void) { signal(SIGPIPE, SIG_DFL); }

static void nothing(int signal) { (void)signal; }

/* A file that may grow no more (ulimit -f) is an error of writing like a full disk; a handler does not outlive exec. */
static void writes_fail(void) { signal(SIGXFSZ, nothing); }

/* standard_open keeps files we open from becoming standard input, output or error of a caller who gave us none. Using
 * the stand-ins fails as using a closed one does. */
static void standard_open(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_TROUBLE);
}

/* end_output gives rc, or EXIT_TROUBLE where what was printed could not be written. */
static int end_output(const char *name, int rc) {
    if (!fflush(stdout) && !ferror(stdout)) return rc;
    if (rc != EXIT_TROUBLE) fprintf(stderr, "weir %s: writing to standard output failed\n", name);
    return EXIT_TROUBLE;
}

int main(int argc, char **argv) {
    standard_open();
    quiet_sigpipe();
    writes_fail();
    if (argc < 2) return print_short_help(stdout), EXIT_FINE;
    const struct command *c = find(argv[1]);
    return end_output(argv[1], c ? c->run(argc - 1, argv + 1) : about(argc, argv));
}
