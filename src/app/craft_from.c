#include "app/craft.h"
int craft_from(const struct opt_command *cmd, const struct from_opts *o, const struct send_opts *s, struct craft_out *to,
               struct sender *sender) { (void)o; (void)s; (void)to; (void)sender; return opt_bad_use(cmd, "x"); }
int craft_tcp(int argc, char **argv) { (void)argc; (void)argv; return 2; }
int craft_mqtt(int argc, char **argv) { (void)argc; (void)argv; return 2; }
