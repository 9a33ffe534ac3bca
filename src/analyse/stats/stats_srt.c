/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stats/stats_srt.h"

#include <math.h>
#include <stdlib.h>

enum { ECHO = 8, EXTENDED_ECHO = 42, ECHO6 = 128, EXTENDED_ECHO6 = 160 };

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct srt *s = state;
    (void)why;
    s->six = args->which && strcmp(args->which, "icmpv6") == 0;
    return OK;
}

static void want(const void *state, struct want *w) {
    bool six = ((const struct srt *)state)->six;
    want_add(w, six ? FID_ICMPV6_TYPE : FID_ICMP_TYPE);
    want_add(w, six ? FID_ICMPV6_RESPTIME : FID_ICMP_RESPTIME);
}

static void time_keep(struct srt *s, double ms) {
    if (s->n == s->room) {
        uint32_t room = s->room ? s->room * 2 : 256;
        double *more = room <= SRT_TIMES_MAX ? realloc(s->times, room * sizeof *more) : NULL;
        if (!more) return;
        s->times = more;
        s->room = room;
    }
    s->times[s->n++] = ms;
}

static void reply_count(struct srt *s, double ms, uint64_t frame) {
    if (!s->replies || ms < s->least) s->least = ms, s->least_frame = frame;
    if (!s->replies || ms > s->most) s->most = ms, s->most_frame = frame;
    s->replies++;
    s->sum += ms;
    s->squares += ms * ms;
    time_keep(s, ms);
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct srt *s = state;
    (void)begin;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id == (s->six ? FID_ICMPV6_TYPE : FID_ICMP_TYPE))
            s->requests += s->six ? f->u == ECHO6 || f->u == EXTENDED_ECHO6 : f->u == ECHO || f->u == EXTENDED_ECHO;
        else if (f->id == (s->six ? FID_ICMPV6_RESPTIME : FID_ICMP_RESPTIME)) reply_count(s, f->d, d->pkt->number);
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double srt_median(struct srt *s) {
    if (!s->n) return 0;
    qsort(s->times, s->n, sizeof *s->times, by_value);
    return s->n % 2 ? s->times[s->n / 2] : (s->times[s->n / 2 - 1] + s->times[s->n / 2]) / 2;
}

double srt_deviation(const struct srt *s) {
    if (s->replies < 2) return 0;
    double mean = s->sum / (double)s->replies, var = (s->squares - mean * s->sum) / (double)(s->replies - 1);
    return var > 0 ? sqrt(var) : 0;
}

static void end(void *state) { free(((struct srt *)state)->times); }

static const char *const protocols[] = {"icmp", "icmpv6", NULL};

const struct stats_ops stats_srt = {.name = "srt",
                                    .which = protocols,
                                    .state_size = sizeof(struct srt),
                                    .start = start,
                                    .want = want,
                                    .packet = packet,
                                    .end = end};
