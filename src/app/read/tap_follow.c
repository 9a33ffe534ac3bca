/* SPDX-License-Identifier: Apache-2.0 */
/* -z follow,tcp,ascii,0: the conversation's text is collected, as statistics are printed at the end. */
#include "app/read/follow_opts.h"
#include "app/read/taps.h"

#include <stdlib.h>

/* Text of one -z follow kept until the end; weir follow writes it as it comes and has no such limit. */
enum { TEXT_MAX = 256 << 20 };

struct tap_follow {
    struct follow follow;
    struct follow_view view;
    struct writer text;
    bool cut;
};

static void take(void *to, const struct follow *f, const struct follow_chunk *c) {
    struct tap_follow *t = to;
    if (wr_len(&t->text) > TEXT_MAX) t->cut = true;
    else follow_chunk_print(&t->text, f, c, &t->view);
}

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct tap_follow *t = state;
    const char *at = args->which;
    size_t proto = strcspn(at, ",");
    t->follow.proto = follow_proto_find(at, proto);
    t->follow.take = take;
    t->follow.to = t;
    t->text = wr_grow();
    at += proto + 1;
    size_t n = strcspn(at, ",");
    t->view.form = follow_form_find(at, n);
    at += n + (at[n] == ',');
    const char *range = t->view.form == FOLLOW_FORMS ? NULL : follow_which_parse(at, &t->follow);
    t->follow.frames = t->follow.proto == FOLLOW_HTTP2;
    if (t->follow.frames && range) range = follow_substream_parse(range, &t->follow);
    if (t->follow.frames && range && *range == ',') range++;
    if (t->follow.frames && !t->follow.by_substream) range = NULL;
    if (range && (!*range || follow_range_parse(range, &t->view))) return OK;
    wr_f(why,
         "-z follow,%s: expected tcp|udp|tls|http|http2|websocket, ascii|ebcdic|hex|raw|yaml, and N or "
         "ADDRESS:PORT,ADDRESS:PORT, "
         "with the stream's number behind for http2, as in follow,tcp,ascii,0 and follow,http2,ascii,0,1",
         args->which);
    return ERR_USAGE;
}

static void want(const void *state, struct want *w) { follow_want(&((const struct tap_follow *)state)->follow, w); }

static void packet(void *state, const struct decode *d, int64_t begin) {
    (void)begin;
    follow_packet(&((struct tap_follow *)state)->follow, d);
}

static void end(void *state) {
    struct tap_follow *t = state;
    follow_end(&t->follow);
    wr_free(&t->text);
}

const struct stats_ops tap_follow_ops = {.name = "follow",
                                         .state_size = sizeof(struct tap_follow),
                                         .start = start,
                                         .want = want,
                                         .packet = packet,
                                         .end = end};

void tap_follow_print(struct writer *w, const struct tap *tap) {
    struct tap_follow *t = tap->state;
    follow_head_print(&t->text, &t->follow, &t->view);
    wr_slice(w, wr_done(&t->text));
    if (t->cut)
        wr_f(w, "[the rest is not shown: more than %d MiB of text; weir follow has no such limit]\n", TEXT_MAX >> 20);
    follow_foot_print(w, &t->view);
}
