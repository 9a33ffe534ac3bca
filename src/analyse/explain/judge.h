/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_JUDGE_H
#define WEIR_ANALYSE_JUDGE_H

#include "analyse/explain/gather.h"
#include "base/words.h"

/* judge is what a check looks at: the capture, and one thing of it according to its scope. */
enum { LEG_FILTERS = 16 };

struct judge {
    struct explain *e;
    const struct check *check;
    struct conv *c;
    struct name_rec *n;
    struct topic_rec *t;
    bool final;  /* the capture is over, or the conversation's record is */
    int64_t now; /* time of the last packet, or of the clock in a live run */
    /* What the checks of a topic share: the filters that match it, or the one that nearly does. */
    const struct topic_rec *matched;
    uint16_t match[LEG_FILTERS];
    size_t matches;
    const struct filter_rec *near;
    const char *near_words;
    unsigned near_far;    /* how far off it is */
    struct finding spare; /* takes what is not kept */
};

/* found begins a finding of the present check. For a conversation arguments 1 and 2 are client and server already. It
 * never returns NULL; what was said before about the same thing, and what is too much, goes nowhere. */
struct finding *found(struct judge *j);
/* The rest of a finding: frames it rests on, and further arguments. */
void cite(struct finding *f, const struct mark *m);
void say_text(struct judge *j, struct finding *f, struct slice s);
void say_number(struct judge *j, struct finding *f, uint64_t v);
/* say_time adds a duration in nanoseconds, "1.2 s"; say_words adds words that are translated. */
void say_time(struct judge *j, struct finding *f, int64_t ns);
void say_words(struct finding *f, const char *words);
/* say_clock adds the time of day, in the local time zone. */
void say_clock(struct judge *j, struct finding *f, int64_t ts);
void say_endpoint(struct judge *j, struct finding *f, const struct endpoint *p);
void say_addr(struct judge *j, struct finding *f, const struct net_addr *a);

/* conv_label writes how people call one side of a conversation: its address and, where it has one, its client id. */
void conv_label(struct writer *w, const struct conv *c, int side);
void endpoint_write(struct writer *w, const struct endpoint *p);
void addr_write(struct writer *w, const struct net_addr *a);
void time_write(struct writer *w, int64_t ns);

/* link_explains tells whether something below TCP says why nothing was sent to a single host. */
bool link_explains(const struct explain *e);

/* judge_conv runs the checks of conversations. */
void judge_conv(struct explain *e, struct conv *c, bool final);
/* judge_ahead asks memory for the conversations in the two places behind that of `stream`, which are judged next. */
void judge_ahead(const struct explain *e, uint32_t stream);

/* quiet_for tells whether so many seconds have passed since a mark, or nothing more can come. */
bool quiet_for(const struct judge *j, const struct mark *m, double seconds);
/* Common questions about a conversation. */
bool conv_closed(const struct conv *c);
/* conv_alert returns the readable alert a side sent other than a plain close, or -1. Who leaves without close_notify
 * gets decode_error (OpenSSL 3, of RFC 8446 6.1), which broke nothing off. */
int conv_alert(const struct conv *c, int side);
bool conv_handshaken(const struct conv *c);
bool conv_is_mqtt(const struct conv *c);
/* conv_path_broken tells whether data of a side stays away while the other side still waits for it. */
bool conv_path_broken(const struct judge *j);
/* conv_idle_death tells whether the connection died right behind a long silence. */
bool conv_idle_death(const struct judge *j);
/* closed_on tells whether the broker closed right after a packet of the client, without an answer to it. */
bool closed_on(const struct conv *c);
/* closed_on_violation tells whether the broker's answer to a packet that broke a rule of MQTT was to close. */
bool closed_on_violation(const struct conv *c);
/* connect_left_out tells whether a client sent packets of MQTT on a new connection and none was CONNECT. */
bool connect_left_out(const struct conv *c);
/* keep_alive_over tells whether the broker closed because the client was silent longer than its keep-alive allows. */
bool keep_alive_over(const struct conv *c);

#define CHECK(name, ident, stage, level, scope, blame, title, text, next) void check_##name(struct judge *j);
#include "analyse/explain/checks.def"
#undef CHECK

#endif
