/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_READ_READ_H
#define WEIR_APP_READ_READ_H

#include "app/feed.h"
#include "app/filter.h"
#include "app/keys.h"
#include "app/opt.h"
#include "app/read/taps.h"
#include "app/when.h"
#include "io/vendors.h"
#include "view/eve/eve.h"
#include "view/view.h"

#include <time.h>

enum { OUT_BUFFER = 256 * 1024, ONLY_MAX = 32 };

/* read_opts is what the command line says, as typed. */
struct read_opts {
    const char *device, *filter, *linktype;
    const char *from, *to;
    const char *file, *time, *format, *only, *display, *read_filter;
    int64_t count, snaplen, buffer_kib;
    bool no_promiscuous, no_names, line_buffered, summary, tree, hex, quiet, schema, show_secrets, two_pass,
        explain_filter, events;
    int color;
    struct opt_list fields, field_options, decode_as, prefs, stops, taps, words;
    struct keys_opts keys;
};

extern const struct opt_command read_command;

enum form { FORM_TEXT, FORM_TREE, FORM_FIELDS, FORM_PDML, FORM_JSON, FORM_JSONL, FORM_EK, FORM_EVENTS };

/* reading is one run of the command. */
struct reading {
    struct read_opts o;
    enum form form;
    struct view view;
    struct want want;
    uint16_t *ids;
    size_t n_ids;
    struct fields_options fields;
    const struct proto *only[ONLY_MAX + 1];
    struct taps taps;
    struct dissector ds;
    struct feed feed;
    struct vendors *vendors;
    struct keys keys;
    struct expr *display, *first; /* -Y, and -R with -2; NULL: every packet */
    struct eve eve;               /* of --events */
    struct packet_events now;
    struct when from, to;
    __int128 from_ns, to_ns; /* known with the first packet */
    uint64_t passed;         /* packets that fulfilled -R */
    struct writer out;
    int out_fd;
    char buffer[OUT_BUFFER];
};

/* reading_options turns the options into form, view and fields wanted: OPT_GO or an exit status after a message. */
int reading_options(struct reading *g);
/* reading_filters compiles -Y, -R and the words at the end. */
int reading_filters(struct reading *g);
/* reading_decode_as tells the dissector of -d; reading_prefs names the -o that do nothing. */
int reading_decode_as(struct reading *g);
void reading_prefs(const struct reading *g);

#endif
