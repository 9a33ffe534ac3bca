/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files in a build without PCRE2 or Hyperscan: refused with a sentence, never passed over. */
#include "guard/rules/rules.h"

#include <string.h>

bool rules_available(void) { return false; }
const char *rules_missing(void) {
    return "this build cannot run rule files: install libpcre2-dev and libvectorscan-dev (or libhyperscan-dev) and "
           "build again";
}
int rules_load(struct rules_set **out, const struct rules_source *source, const char *const *paths, size_t n,
               struct rules_report *error) {
    (void)out, (void)source;
    memset(error, 0, sizeof *error);
    snprintf(error->file, sizeof error->file, "%s", n ? paths[0] : "");
    snprintf(error->text, sizeof error->text, "%s", rules_missing());
    return ERR_UNSUPPORTED;
}
void rules_free(struct rules_set *set) { (void)set; }
size_t rules_count(const struct rules_set *set, size_t *live) { return (void)set, *live = 0; }
bool rules_interpreted(const struct rules_set *set) { return (void)set, false; }
bool rules_explain(const struct rules_set *set, uint32_t id, struct writer *w) {
    return (void)set, (void)id, (void)w, false;
}
void rules_wanted(const struct rules_set *set, struct want *want) { (void)set, (void)want; }
struct rules_store *rules_store_make(size_t cap) {
    return (void)cap, NULL;
}
void rules_store_free(struct rules_store *store) { (void)store; }
struct rules_tx *rules_tx_make(const struct rules_set *set, struct rules_store *store) {
    return (void)set, (void)store, NULL;
}
void rules_tx_free(struct rules_tx *tx) { (void)tx; }
void rules_tx_start(struct rules_tx *tx, int64_t now) { (void)tx, (void)now; }
void rules_tx_add(struct rules_tx *tx, enum rules_var var, struct slice name, struct slice value) {
    (void)tx, (void)var, (void)name, (void)value;
}
void rules_tx_topic(struct rules_tx *tx, struct slice topic) { (void)tx, (void)topic; }
void rules_tx_payload(struct rules_tx *tx, struct slice payload) { (void)tx, (void)payload; }
void rules_tx_form(struct rules_tx *tx, struct slice payload) { (void)tx, (void)payload; }
bool rules_tx_json(struct rules_tx *tx, struct slice body) { return (void)tx, (void)body, false; }
void rules_tx_fields(struct rules_tx *tx, const struct fvec *fields) { (void)tx, (void)fields; }
void rules_tx_judge(struct rules_tx *tx, struct rules_verdict *verdict) { (void)tx, (void)verdict; }
const char *rules_action_name(enum rules_action action) { return (void)action, "allow"; }
bool rules_json_each(struct arena *arena, struct slice text, unsigned depth,
                     bool (*each)(void *ctx, struct slice path, struct slice value), void *ctx) {
    return (void)arena, (void)text, (void)depth, (void)each, (void)ctx, false;
}
int rules_try_op(const char *name, struct slice param, struct slice input, const struct rules_source *source) {
    return (void)name, (void)param, (void)input, (void)source, ERR_UNSUPPORTED;
}
long rules_try_tfn(const char *name, struct slice input, uint8_t *out, size_t cap) {
    return (void)name, (void)input, (void)out, (void)cap, ERR_UNSUPPORTED;
}
