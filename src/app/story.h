/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_STORY_H
#define WEIR_APP_STORY_H

#include "analyse/events.h"
#include "app/feed.h"
#include "app/keys.h"
#include "expr/expr.h"
#include "view/words.h"

/* story is a capture read as events: what explain, ladder and diff share. */
struct story {
    struct feed feed;
    struct dissector ds;
    struct want want;
    struct packet_events *events;
    const struct opt_command *cmd;
    struct keys keys;
    struct expr *filter; /* NULL: none */
    bool made;
    /* expect, where set, hears before a packet is decoded which conversation the one behind it is likely of. */
    void (*expect)(void *to, uint32_t stream);
};

/* story_opts is where the packets come from. */
struct story_opts {
    const char *file; /* "-" is stdin; NULL: a device */
    const char *device;
    const struct opt_list *stops; /* of a device: -a; may be NULL */
    const struct keys_opts *keys;
    char **filter; /* words of a display filter */
    size_t words;
};

/* story_catalogue reads the translations into a language there is, named as in po/LINGUAS; false where there are none.
 * The caller frees c->mo.p. */
bool story_catalogue(const char *language, struct words_catalogue *c);

/* story_open opens the source and compiles the display filter: OPT_GO, or an exit status after a message. */
int story_open(struct story *s, const struct opt_command *cmd, const struct story_opts *o);
/* story_read hands every packet's events to take until the end; an exit status, after a message where the input fails.
 */
int story_read(struct story *s,
               int (*take)(void *to, const struct packet_events *p, bool selected, const struct packet *pkt), void *to);
/* story_close releases everything, after a story_open that failed, too. */
void story_close(struct story *s);

/* story_words selects the language of output, from --lang or the environment. */
void story_words(const char *language);
/* How standard output shows text: --color (0 auto, 1 always, 2 never), box drawing, columns. */
bool story_color(int when);
bool story_unicode(void);
size_t story_width(void);
/* story_entry writes a line of a list, a name of `width` columns and what it is, in as many lines as that takes. */
void story_entry(struct writer *w, const char *name, size_t width, const char *what);

#endif
