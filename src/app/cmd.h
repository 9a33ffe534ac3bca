/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_CMD_H
#define WEIR_APP_CMD_H
/* The commands: each takes its own argv (argv[0] is the command's name) and gives the exit status. */

int cmd_capture(int argc, char **argv);
int cmd_craft(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_edit(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_extcap(int argc, char **argv);
int cmd_fields(int argc, char **argv);
int cmd_guard(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_ladder(int argc, char **argv);
int cmd_lesson(int argc, char **argv);
int cmd_follow(int argc, char **argv);
int cmd_peek(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_stats(int argc, char **argv);

#endif
