/* SPDX-License-Identifier: Apache-2.0 */
#include "base/near.h"

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

unsigned near_edits(struct slice a, struct slice b) {
    unsigned row[3][NEAR_WORD_MAX + 1];
    if (a.n > NEAR_WORD_MAX || b.n > NEAR_WORD_MAX) return NEAR_FAR;
    for (unsigned j = 0; j <= b.n; j++) row[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *upup = row[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            now[j] = least(least(up[j], now[j - 1]) + 1, up[j - 1] + (a.p[i - 1] != b.p[j - 1]));
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped) now[j] = least(now[j], upup[j - 2] + 1);
        }
    }
    return row[a.n % 3][b.n];
}
