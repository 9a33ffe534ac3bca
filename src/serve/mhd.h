/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_MHD_H
#define WEIR_SERVE_MHD_H

#include "base/late.h"

#include <microhttpd.h>

/* libmicrohttpd, the HTTP server, which is there once mhd_load has said so. */
#define MHD_LIBRARY "libmicrohttpd.so.12"
/* clang-format off */
#define MHD_CALLS(X)                                                                                                   \
    X(MHD_add_response_header) X(MHD_create_response_from_buffer) X(MHD_create_response_from_callback)                 \
    X(MHD_create_response_from_fd_at_offset64) X(MHD_destroy_response) X(MHD_get_connection_info)                      \
    X(MHD_get_connection_values) X(MHD_get_daemon_info) X(MHD_lookup_connection_value) X(MHD_queue_response)           \
    X(MHD_run) X(MHD_set_connection_option) X(MHD_start_daemon) X(MHD_stop_daemon)
/* clang-format on */
extern struct mhd { MHD_CALLS(LATE_POINTER) } mhd;

bool mhd_load(void);

/* Calls are written as in its manual. */
#define MHD_add_response_header mhd.MHD_add_response_header
#define MHD_create_response_from_buffer mhd.MHD_create_response_from_buffer
#define MHD_create_response_from_callback mhd.MHD_create_response_from_callback
#define MHD_create_response_from_fd_at_offset64 mhd.MHD_create_response_from_fd_at_offset64
#define MHD_destroy_response mhd.MHD_destroy_response
#define MHD_get_connection_info mhd.MHD_get_connection_info
#define MHD_get_connection_values mhd.MHD_get_connection_values
#define MHD_get_daemon_info mhd.MHD_get_daemon_info
#define MHD_lookup_connection_value mhd.MHD_lookup_connection_value
#define MHD_queue_response mhd.MHD_queue_response
#define MHD_run mhd.MHD_run
#define MHD_set_connection_option mhd.MHD_set_connection_option
#define MHD_start_daemon mhd.MHD_start_daemon
#define MHD_stop_daemon mhd.MHD_stop_daemon

#endif
