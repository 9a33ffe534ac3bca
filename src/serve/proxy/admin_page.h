/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_ADMIN_PAGE_H
#define WEIR_SERVE_ADMIN_PAGE_H

/* The page at /: it asks /stats, /bans, /talkers and /events every two seconds. */
extern const char admin_page[];

#endif
