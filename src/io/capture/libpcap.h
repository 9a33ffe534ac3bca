/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_CAPTURE_LIBPCAP_H
#define WEIR_IO_CAPTURE_LIBPCAP_H

#include "base/late.h"
#include "base/writer.h"

#include <pcap/pcap.h>

/* libpcap, the live capture, which is there once libpcap_load has said so. It brings eight libraries along, down to
 * that of D-Bus, and who reads a file needs none of them. */
#define LIBPCAP "libpcap.so.0.8"
/* clang-format off */
#define LIBPCAP_CALLS(X)                                                                                               \
    X(pcap_, activate) X(pcap_, close) X(pcap_, compile) X(pcap_, create) X(pcap_, datalink)                           \
    X(pcap_, datalink_name_to_val) X(pcap_, datalink_val_to_description) X(pcap_, datalink_val_to_name)                \
    X(pcap_, findalldevs) X(pcap_, free_datalinks) X(pcap_, freealldevs) X(pcap_, freecode)                            \
    X(pcap_, get_selectable_fd) X(pcap_, geterr) X(pcap_, list_datalinks) X(pcap_, next_ex) X(pcap_, open_dead)        \
    X(pcap_, set_buffer_size) X(pcap_, set_datalink) X(pcap_, set_promisc)                \
    X(pcap_, set_rfmon) X(pcap_, set_snaplen) X(pcap_, set_timeout) X(pcap_, set_tstamp_precision)                     \
    X(pcap_, setdirection) X(pcap_, setfilter) X(pcap_, setnonblock) X(pcap_, snapshot) X(pcap_, stats)                \
    X(pcap_, statustostr)
/* clang-format on */
extern struct libpcap { LIBPCAP_CALLS(LATE_POINTER) } libpcap;

/* libpcap_load loads the library; false with a sentence in `why` where it is not there. */
bool libpcap_load(struct writer *why);

#endif
