/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_LAB_LAB_H
#define WEIR_APP_LAB_LAB_H

#include "app/opt.h"
#include "io/sock.h"

/* The parts of `weir lab`: argv[0] is the part's name. */
int cmd_lab_echo(int argc, char **argv);
int cmd_lab_sink(int argc, char **argv);
int cmd_lab_net(int argc, char **argv);

/* lab_address reads the only word as ADDRESS:PORT, or a port of 127.0.0.1; OPT_GO, or the exit status after a message.
 */
int lab_address(const struct opt_command *cmd, const struct opt_list *words, struct sock_addr *out);

#endif
