/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_MHD_H
#define WEIR_SERVE_MHD_H

#include "base/late.h"

#include <microhttpd.h>

/* libmicrohttpd, the HTTP server, which is there once mhd_load has said so. */
#define MHD_LIBRARY "libmicrohttpd.so.12"
/* clang-format off */
#define MHD_CALLS(X)                                                                                                   \
    X(MHD_, add_response_header) X(MHD_, create_response_from_buffer) X(MHD_, create_response_from_callback)           \
    X(MHD_, create_response_from_fd_at_offset64) X(MHD_, destroy_response) X(MHD_, get_connection_info)                \
    X(MHD_, get_connection_values) X(MHD_, get_daemon_info) X(MHD_, lookup_connection_value) X(MHD_, queue_response)   \
    X(MHD_, run) X(MHD_, set_connection_option) X(MHD_, start_daemon) X(MHD_, stop_daemon)
/* clang-format on */
extern struct mhd { MHD_CALLS(LATE_POINTER) } mhd;

/* mhd_load loads the library; false where it is not there. */
bool mhd_load(void);

#endif
