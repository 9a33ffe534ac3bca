/* SPDX-License-Identifier: Apache-2.0 */
/* weir lab: peers and networks to try things with. Each part has its own options. */
#include "app/cmd.h"
#include "app/lab/lab.h"
#include "app/opt.h"

#include <stdio.h>
#include <string.h>

struct lab_opts {
    struct opt_list words;
};

static const struct {
    const char *name, *purpose;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"echo", "a server that sends back what comes, and says who came", cmd_lab_echo},
    {"sink", "store what comes by TCP lines, UDP and HTTP POST", cmd_lab_sink},
    {"net", "small networks that are broken in a way that has a name", cmd_lab_net},
};
#define N_PARTS (sizeof parts / sizeof *parts)

static const char *const part_names[] = {"echo", "sink", "net", NULL};
static const char *const examples[] = {"weir lab echo 127.0.0.1:50000", "weir lab sink 127.0.0.1:8514 --store data.db",
                                       "sudo weir lab net up mtu", NULL};

static const struct opt_command command = {
    .name = "lab",
    .synopsis = "echo|sink|net [options]",
    .purpose = "peers and networks to try things with: echo, sink, net",
    .description = "`weir lab echo` sends back what comes by TCP or UDP and prints it. `weir lab sink` stores what "
                   "comes by TCP lines, UDP and HTTP POST. `weir lab net` makes small networks that are broken in a "
                   "way that has a name.\n\n`weir lab echo --help` and so on tell the options of each.",
    .examples = examples,
    .words_at = offsetof(struct lab_opts, words),
    .parts = part_names,
    .stop_at_word = true,
};

int cmd_lab(int argc, char **argv) {
    struct lab_opts o = {0};
    const char *names[N_PARTS];
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    if (!o.words.n) return opt_print(&command, "help"), EXIT_TROUBLE;
    for (size_t i = 0; i < N_PARTS; i++) {
        names[i] = parts[i].name;
        if (!strcmp(o.words.item[0], parts[i].name)) return parts[i].run((int)o.words.n, o.words.item);
    }
    return opt_unknown(&command, "there is no", o.words.item[0], names, N_PARTS, "it is echo, sink or net");
}
