/* SPDX-License-Identifier: Apache-2.0 */
#include "app/when.h"

#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND 1000000000LL

/* number_parse reads "12.345" into nanoseconds and moves past it. */
static bool number_parse(const char **at, int64_t *ns) {
    int64_t whole = 0, part = 0, unit = SECOND;
    const char *p = *at;
    if (*p < '0' || *p > '9') return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (whole > 9000000000) return false; /* 64 bits of nanoseconds end in 2262 */
        whole = whole * 10 + (*p - '0');
    }
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++) part += (unit /= 10) * (*p - '0');
    *at = p;
    *ns = whole * SECOND + part;
    return true;
}

/* clock_parse reads "10:02" or "10:02:11.4" into nanoseconds since midnight. */
static bool clock_parse(const char **at, int64_t *ns) {
    int hours, minutes, used = 0;
    int64_t seconds = 0;
    if (sscanf(*at, "%2d:%2d%n", &hours, &minutes, &used) != 2 || !used || hours < 0 || hours > 23 || minutes < 0 ||
        minutes > 59)
        return false;
    *at += used;
    if (**at == ':') {
        ++*at;
        if (!number_parse(at, &seconds) || seconds >= 61 * SECOND) return false;
    }
    *ns = (hours * 60 + minutes) * 60 * SECOND + seconds;
    return true;
}

static bool zone_parse(const char **at) {
    bool utc = **at == 'Z';
    *at += utc;
    return utc;
}

static bool date_parse(const char *text, struct when *out) {
    struct tm tm = {.tm_isdst = -1};
    int used = 0;
    int64_t clock = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 || !used) return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    text += used;
    if (*text == ' ' || *text == 'T') {
        text++;
        if (!clock_parse(&text, &clock)) return false;
    }
    out->utc = zone_parse(&text);
    if (*text || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_year < 0 ||
        tm.tm_year > 360)
        return false;
    tm.tm_hour = (int)(clock / (3600 * SECOND));
    tm.tm_min = (int)(clock / (60 * SECOND) % 60);
    tm.tm_sec = (int)(clock / SECOND % 60);
    time_t t = out->utc ? timegm(&tm) : mktime(&tm);
    out->kind = WHEN_AT;
    out->ns = (int64_t)t * SECOND + clock % SECOND;
    return true;
}

bool when_parse(const char *text, struct when *out) {
    const char *at = text + (*text == '+');
    *out = (struct when){.kind = *text == '+' ? WHEN_INTO : WHEN_AT};
    if (number_parse(&at, &out->ns) && !*at) return true;
    at = text;
    if (clock_parse(&at, &out->ns)) {
        out->kind = WHEN_CLOCK;
        out->utc = zone_parse(&at);
        return !*at;
    }
    return date_parse(text, out);
}

__int128 when_ns(const struct when *w, __int128 begin) {
    if (w->kind == WHEN_INTO) return begin + w->ns;
    if (w->kind != WHEN_CLOCK) return w->ns;
    time_t t = (time_t)moment_clock(begin).seconds;
    struct tm tm;
    if (!(w->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm))) return begin;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (__int128)(w->utc ? timegm(&tm) : mktime(&tm)) * SECOND + w->ns;
}
