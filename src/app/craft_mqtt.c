#include "app/craft.h"
int craft_mqtt(int argc, char **argv) { (void)argc; (void)argv; return 2; }
