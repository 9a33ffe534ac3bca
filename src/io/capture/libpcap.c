/* SPDX-License-Identifier: Apache-2.0 */
#include "io/capture/libpcap.h"

struct libpcap libpcap;

bool libpcap_load(struct writer *why) {
    static const char *const names[] = {LIBPCAP_CALLS(LATE_NAME)};
    static bool there;
    if (!there) there = late_load(LIBPCAP, names, sizeof names / sizeof *names, &libpcap);
    if (!there) wr_s(why, "live capture needs libpcap (" LIBPCAP "), which is not there");
    return there;
}
