/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_STORY_H
#define WEIR_APP_STORY_H

#include "analyse/events.h"
#include "app/feed.h"
#include "app/opt.h"

/* story is a capture read as events: what explain, ladder and diff share. */
struct story {
    struct feed feed;
    struct dissector ds;
    struct want want;
    struct packet_events *events;
    const struct opt_command *cmd;
    const char *file;
    bool filtered, made;
};

/* story_open opens a file ("-" is stdin) or a device and compiles the display filter in words: OPT_GO, or an exit status
 * after a message. */
int story_open(struct story *s, const struct opt_command *cmd, const char *file, const char *device, const struct opt_list *stops,
               char **filter, size_t n);
/* story_read hands every packet's events to take until the end; an exit status, after a message where the input fails. */
int story_read(struct story *s, int (*take)(void *to, const struct packet_events *p, bool selected, const struct packet *pkt), void *to);
void story_close(struct story *s);

/* story_words selects the language of output, from --lang or the environment. */
void story_words(const char *language);
/* How standard output shows text: --color (0 auto, 1 always, 2 never), box drawing, columns. */
bool story_color(int when);
bool story_unicode(void);
size_t story_width(void);

#endif
