/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_MQTT_SCRIPT_H
#define WEIR_APP_MQTT_SCRIPT_H

#include "app/opt.h"
#include "craft/craft.h"
#include "expr/expr.h"

/* The script of `weir craft mqtt`: one step a line. */

enum { SCRIPT_STEPS_MAX = 10000, SCRIPT_EXPECTS_MAX = 256, SCRIPT_TEXT_MAX = 1 << 20, SCRIPT_REPEAT_MAX = 1000000 };

enum step_kind {
    STEP_SEND,
    STEP_WAIT,
    STEP_EXPECT,  /* a packet the filter finds */
    STEP_CLOSED,  /* that the broker closes */
    STEP_SILENCE, /* that nothing comes */
    STEP_BREAK,   /* the next packet */
    STEP_SPLIT,   /* packets from here on */
    STEP_CONNECT, /* a new connection */
    STEP_CLOSE,
    STEP_RESET
};

struct step {
    enum step_kind kind;
    unsigned line;
    const char *text; /* as written; it lives as long as the script */
    struct craft *craft;
    uint64_t times;  /* of STEP_SEND */
    int64_t span;    /* ns: of STEP_WAIT, and how long an expectation may take; 0: the usual */
    unsigned expect; /* of STEP_EXPECT: its number */
    int breaks;
    size_t pieces; /* of STEP_SPLIT: bytes of a piece, 0: whole packets */
};

struct script {
    struct step *steps;
    size_t n;
    struct expr *expects[SCRIPT_EXPECTS_MAX];
    unsigned n_expects;
    char *text;
};

/* script_read understands a text, which becomes the script's; OPT_GO, or a status after a message that names `where`
 * and the line. */
int script_read(struct script *s, const struct opt_command *cmd, const char *where, char *text,
                const struct craft_env *env);
void script_free(struct script *s);

#endif
