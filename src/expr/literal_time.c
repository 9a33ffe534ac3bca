/* SPDX-License-Identifier: Apache-2.0 */
/* Times as filters write them: ISO 8601 ("2011-07-04 12:34:56.789Z", parts may be missing from the right) and the form
 * in which times are shown ("Nov 12, 1999 08:55:44.123"). Without a zone they are local time. */
#include "expr/compile.h"

#include <time.h>

enum { SECOND = 1000000000 }; /* in nanoseconds */

/* cursor reads a text from the left. */
struct cursor {
    const uint8_t *p, *end;
};

static bool literally(struct cursor *c, const char *s) {
    size_t n = strlen(s);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, s, n) != 0) return false;
    c->p += n;
    return true;
}

static bool digits(struct cursor *c, unsigned least, unsigned most, int *out) {
    unsigned n = 0;
    *out = 0;
    for (; n < most && c->p < c->end && *c->p >= '0' && *c->p <= '9'; n++) *out = *out * 10 + (*c->p++ - '0');
    return n >= least;
}

/* fraction reads up to nine decimals as nanoseconds. */
static bool fraction(struct cursor *c, int64_t *ns) {
    unsigned n = 0;
    *ns = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; n++) {
        if (n >= 9) return false;
        *ns = *ns * 10 + (*c->p++ - '0');
    }
    for (unsigned i = n; i < 9; i++) *ns *= 10;
    return n > 0;
}

size_t literal_span(struct slice text, __int128 *ns) {
    struct cursor c = {text.p, text.p + text.n};
    int64_t seconds = 0, part = 0;
    for (; c.p < c.end && *c.p >= '0' && *c.p <= '9';) {
        seconds = seconds * 10 + (*c.p++ - '0');
        if (seconds > (int64_t)(MOMENT_MAX / SECOND) - 1) return 0;
    }
    if (c.p == text.p) return 0;
    if (literally(&c, ".")) {
        if (!fraction(&c, &part)) return 0;
    } else if (c.p < c.end) {
        return 0;
    }
    *ns = (__int128)seconds * SECOND + part;
    return (size_t)(c.p - text.p);
}

static bool month(struct cursor *c, int *out) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int m = 0; m < 12; m++) {
        char name[4] = {names[3 * m], names[3 * m + 1], names[3 * m + 2], 0};
        if (!literally(c, name)) continue;
        *out = m;
        return true;
    }
    return false;
}

/* clock_read reads "hh[:mm[:ss[.frac]]]"; least: how many of the three there must be. */
static const char *clock_read(struct cursor *c, struct tm *tm, int64_t *part, int least) {
    int n = 1;
    if (!digits(c, 2, 2, &tm->tm_hour)) return N_("the hour of a time has two digits");
    if (literally(c, ":") && ++n && !digits(c, 2, 2, &tm->tm_min)) return N_("the minute of a time has two digits");
    if (n == 2 && literally(c, ":") && ++n && !digits(c, 2, 2, &tm->tm_sec))
        return N_("the second of a time has two digits");
    if (literally(c, ".")) {
        if (n < 3) return N_("parts of a second need the second before them");
        if (!fraction(c, part)) return N_("parts of a second have one to nine digits");
    }
    return n >= least ? NULL : "this time needs hour, minute and second";
}

/* zone_read reads "Z", " UTC" or "+hh:mm"; *local stays where there is none. */
static const char *zone_read(struct cursor *c, bool *local, int64_t *east) {
    int hours, minutes;
    *local = false;
    while (c->p < c->end && *c->p == ' ') c->p++;
    if (literally(c, "Z") || literally(c, "UTC")) return NULL;
    bool plus = literally(c, "+");
    if (plus || literally(c, "-")) {
        if (!digits(c, 2, 2, &hours)) return N_("a time zone is Z, UTC or +hh:mm");
        literally(c, ":");
        if (!digits(c, 2, 2, &minutes)) minutes = 0;
        *east = (plus ? 1 : -1) * (hours * 3600LL + minutes * 60LL);
        return NULL;
    }
    *local = true;
    return NULL;
}

static const char *date_iso(struct cursor *c, struct tm *tm, int64_t *part) {
    if (!digits(c, 4, 4, &tm->tm_year))
        return N_("a date begins with the year or the month, as in 2011-07-04 or Jul 4, 2011");
    if (!literally(c, "-") || !digits(c, 2, 2, &tm->tm_mon) || !literally(c, "-") || !digits(c, 2, 2, &tm->tm_mday))
        return N_("a date is written as in 2011-07-04 12:34:56");
    tm->tm_mon--;
    if (!literally(c, "T")) {
        const uint8_t *back = c->p;
        while (c->p < c->end && *c->p == ' ') c->p++;
        if (c->p == back || c->p == c->end || *c->p < '0' || *c->p > '9') return NULL;
    }
    return clock_read(c, tm, part, 1);
}

static const char *date_shown(struct cursor *c, struct tm *tm, int64_t *part) {
    while (literally(c, " ")) {
    }
    if (!digits(c, 1, 2, &tm->tm_mday) || !literally(c, ","))
        return N_("a date is written as in Nov 12, 1999 08:55:44.123");
    while (literally(c, " ")) {
    }
    if (!digits(c, 4, 6, &tm->tm_year) || !literally(c, " ")) /* as far as stamps in microseconds reach */
        return N_("behind the year a time of day is expected, as in 08:55:44.123");
    while (literally(c, " ")) {
    }
    return clock_read(c, tm, part, 3);
}

const char *literal_time(struct slice text, __int128 *ns) {
    struct cursor c = {text.p, text.p + text.n};
    struct tm tm = {.tm_isdst = -1};
    int64_t part = 0, east = 0;
    bool local;
    while (literally(&c, " ")) {
    }
    const char *why = month(&c, &tm.tm_mon) ? date_shown(&c, &tm, &part) : date_iso(&c, &tm, &part);
    if (!why) why = zone_read(&c, &local, &east);
    if (why) return why;
    while (literally(&c, " ")) {
    }
    if (c.p < c.end) return N_("there is more behind the time than a time");
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return N_("there is no such time");
    tm.tm_year -= 1900;
    if (!local) tm.tm_isdst = 0;
    int64_t seconds = local ? mktime(&tm) : timegm(&tm);
    *ns = (__int128)(seconds - east) * SECOND + part;
    return NULL;
}
