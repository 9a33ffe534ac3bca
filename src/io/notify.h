/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_NOTIFY_H
#define WEIR_IO_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* What systemd and a service agree on: readiness messages and sockets handed over (sd_notify(3), sd_listen_fds(3)). */

/* notify_send sends a state such as "READY=1" to the service manager; does nothing where there is none. */
void notify_send(const char *state);
/* notify_watchdog_ms returns how often the manager wants a sign of life: half its limit; 0: never. */
int64_t notify_watchdog_ms(void);
/* notify_sockets returns how many sockets were handed over, from descriptor 3 on, and forgets that they were. */
int notify_sockets(void);

#endif
