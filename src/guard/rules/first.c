#include "guard/rules/impl.h"
int first_make(struct load *l) {
    (void)l;
    return 0;
}
void first_free(struct first *f) { (void)f; }
bool first_scratch(struct rules_tx *tx) {
    (void)tx;
    return true;
}
void first_scratch_free(struct rules_tx *tx) { (void)tx; }
bool first_run(struct rules_tx *tx) {
    (void)tx;
    return true;
}
void first_explain(const struct rules_set *set, const struct rule *rule, FILE *to) {
    (void)set;
    (void)rule;
    (void)to;
}
