/* SPDX-License-Identifier: Apache-2.0 */
/* weir lab echo: the echo server. */
#include "app/children.h"
#include "app/lab/lab.h"
#include "app/story.h"
#include "base/words.h"
#include "io/out.h"
#include "lab/echo.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct echo_opts {
    int64_t conns;
    const char *language;
    bool quiet, json;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'q', "quiet", NULL, "print the totals only", OPT_FLAG, offsetof(struct echo_opts, quiet)},
    {0, "json", NULL, "one JSON object for each thing that happens, one a line", OPT_FLAG,
     offsetof(struct echo_opts, json)},
    {0, "connections", "N", "at most N open connections; others are turned away (16000)", OPT_NUMBER,
     offsetof(struct echo_opts, conns), .min = 1, .max = 1000000},
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT, offsetof(struct echo_opts, language)},
};
static const char *const examples[] = {"weir lab echo 127.0.0.1:50000",
                                       "nc -p 50001 127.0.0.1 50000     (in another terminal)",
                                       "weir lab echo '[::]:7000' --json | jq .words", NULL};

static const struct opt_command command = {
    .name = "lab echo",
    .synopsis = "ADDRESS:PORT [options]",
    .purpose = "a server that sends back what comes, and says who came",
    .description = "Listens for TCP and UDP on one port. Prints who connects, what comes and how connections end; "
                   "first words of MQTT, TLS and HTTP clients are decoded, bytes that are no text are shown in "
                   "hexadecimal. A port alone means 127.0.0.1. Ctrl-C ends it and prints the totals.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct echo_opts, words),
};

int lab_address(const struct opt_command *cmd, const struct opt_list *words, struct sock_addr *out) {
    char text[300], reason[256];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    if (words->n != 1) return opt_bad_use(cmd, "where? `weir %s 127.0.0.1:50000`", cmd->name);
    const char *word = words->item[0];
    bool port = *word && strspn(word, "0123456789") == strlen(word);
    snprintf(text, sizeof text, "%s%.256s", port ? "127.0.0.1:" : "", word);
    if (sock_parse(out, text, 0, &why) == OK) return OPT_GO;
    *why.p = 0;
    return opt_bad_use(cmd, "%s", reason);
}

static int serve(struct echo_config *config) {
    char reason[256], greeting[512];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    struct echo *e;
    children_watch();
    if (echo_open(&e, config, &why) != OK) {
        *why.p = 0;
        return opt_bad_use(&command, "%s", reason);
    }
    why = wr_fixed(reason, sizeof reason - 1);
    sock_print(echo_addr(e), &why);
    *why.p = 0;
    struct argument where = {.text = slice_str(reason)};
    struct writer hello = wr_fixed(greeting, sizeof greeting - 1);
    words_fill(&hello, N_("Echoing TCP and UDP on %1$s; Ctrl-C ends it."), &where, 1);
    *hello.p = 0;
    fprintf(stderr, "%s\n", greeting);
    int rc = OK;
    while (!children_stopped() && rc == OK) rc = echo_turn(e, 250);
    char text[1024];
    struct writer totals = wr_fixed(text, sizeof text - 1);
    echo_totals(e, &totals);
    *totals.p = 0;
    echo_close(e);
    if (rc == OK) rc = wr_flush(config->out);
    fprintf(stderr, "\n%s", text);
    return rc == OK || rc == ERR_END ? EXIT_FINE : opt_bad_use(&command, "writing to standard output failed");
}

int cmd_lab_echo(int argc, char **argv) {
    static char buffer[64 * 1024];
    int fd = STDOUT_FILENO;
    struct writer out = wr_sink(buffer, sizeof buffer, out_fd_flush, &fd);
    struct echo_opts o = {0};
    struct echo_config config = {.out = &out};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc == OPT_GO) rc = lab_address(&command, &o.words, &config.addr);
    if (rc != OPT_GO) return rc;
    config.conns = (uint32_t)o.conns;
    config.quiet = o.quiet;
    config.json = o.json;
    if (!o.json) story_words(o.language); /* programs get English */
    return serve(&config);
}
