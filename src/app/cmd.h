/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CMD_H
#define WEIR_APP_CMD_H
/* The commands: each takes its own argv (argv[0] is the command's name) and gives the exit status. */

int cmd_capture(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_fields(int argc, char **argv);
int cmd_guard(int argc, char **argv);
int cmd_read(int argc, char **argv);

#endif
