/* SPDX-License-Identifier: Apache-2.0 */
/* weir lab net: small networks that are broken in a way that has a name. */
#include "app/children.h"
#include "app/lab/lab.h"
#include "app/lesson/world.h"
#include "app/story.h"
#include "base/words.h"
#include "view/words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct net_opts {
    const char *name, *language;
    bool hold;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'n', "name", "NAME", "how this network is called; otherwise as the kind", OPT_TEXT,
     offsetof(struct net_opts, name)},
    {0, "hold", NULL, "with up: stay, and take the network down at Ctrl-C or when the parent ends", OPT_FLAG,
     offsetof(struct net_opts, hold)},
    {0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT, offsetof(struct net_opts, language)},
};
static const char *const part_names[] = {"list", "up", "enter", "down", NULL};
static const char *const examples[] = {"weir lab net list",
                                       "sudo weir lab net up mtu",
                                       "sudo weir lab net enter broker -- mosquitto",
                                       "sudo weir lab net enter device -- mosquitto_pub -h 10.77.2.2 -t a -m hi",
                                       "sudo weir lab net down",
                                       NULL};

static const struct opt_command command = {
    .name = "lab net",
    .synopsis = "list | up KIND | enter HOST -- COMMAND... | down",
    .purpose = "small networks that are broken in a way that has a name",
    .description = "A network has three hosts, each a network namespace: device 10.77.1.2, gateway 10.77.1.1 and "
                   "10.77.2.1, broker 10.77.2.2. `list` tells the kinds and what is up; `up` makes one; `enter` runs a "
                   "command on one of its hosts; `down` ends it. Where several are up, --name says which.\n\nThe "
                   "namespaces have no names and belong to a process: when it ends, in whatever way, the kernel takes "
                   "everything away. Without root they are made in a user namespace, where the kernel allows that.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof *defs,
    .words_at = offsetof(struct net_opts, words),
    .parts = part_names,
};

static int failed(struct writer *why) {
    wr_c(why, 0);
    return opt_bad_use(&command, "%s", why->buf);
}

static int list(void) {
    enum { NAME_WIDTH = 11 };
    struct writer w = wr_grow();
    for (size_t i = 0; i < WORLD_KINDS; i++) {
        story_entry(&w, world_kinds[i].name, NAME_WIDTH, world_kinds[i].what);
    }
    fwrite(w.buf, 1, wr_len(&w), stdout);
    wr_free(&w);
    char names[WORLDS_MAX][WORLD_NAME_MAX];
    int n = worlds_up(names);
    if (n) printf("\n%s", words(N_("Up:")));
    for (int i = 0; i < n; i++) printf(" %s", names[i]);
    if (n) putchar('\n');
    return EXIT_FINE;
}

static int up(const struct net_opts *o) {
    char reason[512];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    const char *names[WORLD_KINDS];
    const struct world_kind *kind = NULL;
    if (o->words.n != 2) return opt_bad_use(&command, "which kind? `weir lab net list` tells them");
    for (size_t i = 0; i < WORLD_KINDS; i++) {
        names[i] = world_kinds[i].name;
        if (!strcmp(o->words.item[1], names[i])) kind = &world_kinds[i];
    }
    if (!kind) {
        return opt_unknown(&command, "there is no kind", o->words.item[1], names, WORLD_KINDS,
                           "`weir lab net list` tells them");
    }
    if (o->hold) {
        children_watch();
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    if (world_up(kind, o->name ? o->name : kind->name, o->hold, &why) != OK) return failed(&why);
    printf("%s: %s\n", o->name ? o->name : kind->name, words(kind->what));
    printf("  device 10.77.1.2 -- 10.77.1.1 gateway 10.77.2.1 -- 10.77.2.2 broker\n");
    if (!o->hold)
        printf("%s weir lab net enter device -- sh     %s\n", words(N_("Next:")),
               words(N_("(a shell on the device; `weir lab net down` ends it all)")));
    fflush(stdout);
    while (o->hold && children_nap(200)) continue;
    if (o->hold) world_forget(o->name ? o->name : kind->name);
    return EXIT_FINE; /* with --hold, the hosts end with us */
}

/* chosen gives the name meant: the one asked for, whether it is up or not, or the only one that is up. */
static int chosen(const struct net_opts *o, char name[static WORLD_NAME_MAX]) {
    char names[WORLDS_MAX][WORLD_NAME_MAX];
    int n = o->name ? strlen(o->name) < WORLD_NAME_MAX : worlds_up(names);
    if (!n && o->name) return opt_bad_use(&command, "no network '%s' is up", o->name);
    if (!n) return opt_bad_use(&command, "no network is up; `weir lab net up plain` makes one");
    if (n > 1) return opt_bad_use(&command, "%d networks are up; which? --name NAME", n);
    snprintf(name, WORLD_NAME_MAX, "%.31s", o->name ? o->name : names[0]);
    return OPT_GO;
}

static int enter(const struct net_opts *o) {
    char name[WORLD_NAME_MAX] = "", reason[512];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    if (o->words.n < 3) return opt_bad_use(&command, "which host, and what? `weir lab net enter device -- ip addr`");
    int rc = chosen(o, name);
    if (rc != OPT_GO) return rc;
    if (world_enter(name, o->words.item[1], &why) != OK) return failed(&why);
    o->words.item[o->words.n] = NULL; /* the words were moved together inside argv */
    execvp(o->words.item[2], o->words.item + 2);
    int missing = errno == ENOENT;
    fprintf(stderr, "weir lab net: %s: %s\n", o->words.item[2], strerror(errno));
    return missing ? 127 : 126;
}

static int down(const struct net_opts *o) {
    char name[WORLD_NAME_MAX] = "", reason[512];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    if (o->words.n > 2) return opt_bad_use(&command, "down takes one name");
    struct net_opts named = {.name = o->words.n == 2 ? o->words.item[1] : o->name};
    int rc = chosen(&named, name);
    if (rc != OPT_GO) return rc;
    return world_down(name, &why) == OK ? EXIT_FINE : failed(&why);
}

int cmd_lab_net(int argc, char **argv) {
    struct net_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    story_words(o.language);
    const char *what = o.words.n ? o.words.item[0] : "list";
    if (!strcmp(what, "list")) return list();
    if (!strcmp(what, "up")) return up(&o);
    if (!strcmp(what, "enter")) return enter(&o);
    if (!strcmp(what, "down")) return down(&o);
    return opt_bad_use(&command, "there is no '%s'; it is list, up, enter or down", what);
}
