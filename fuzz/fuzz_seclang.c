/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: rule text, and a packet judged by what could be loaded.
 *
 * Input: one byte (bit 0: with the first pass, for short texts), then the rules. Files they name hold three words. */
#include "fuzz.h"
#include "guard/rules/rules.h"

enum { FIRST_PASS_TEXT = 300 };

static struct slice rules_text;

static int text_read(void *ctx, const char *path, struct slice *text) {
    (void)ctx;
    *text = !strcmp(path, "fuzz.conf") ? rules_text : SLICE("one\n# two\n10.0.0.0/8\n");
    return 0;
}
static void text_release(void *ctx, struct slice text) { (void)ctx, (void)text; }
static int text_expand(void *ctx, const char *pattern, int (*each)(void *to, const char *path), void *to) {
    (void)ctx, (void)pattern;
    return each(to, "other.conf");
}
static int sqli(const char *text, size_t n, char *fingerprint) { return (void)text, fingerprint[0] = 0, n % 7 == 3; }
static int xss(const char *text, size_t n) { return (void)text, n % 5 == 3; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"fuzz.conf"};
    static struct rules_verdict verdict;
    struct rules_source source = {.files = {.read = text_read, .release = text_release, .expand = text_expand}, .libinjection = {sqli, xss}};
    struct rules_report error;
    struct rules_set *set = NULL;
    if (!size || !rules_available()) return 0;
    rules_text = slice_of(data + 1, size - 1);
    source.no_first_pass = !(data[0] & 1) || size > FIRST_PASS_TEXT;
    int rc = rules_load(&set, &source, paths, 1, &error);
    FUZZ_CHECK(rc <= 0 && (rc == 0) == (set != NULL) && (rc == 0 || error.text[0]));
    if (rc) return 0;
    struct rules_store *store = rules_store_make(16);
    struct rules_tx *tx = rules_tx_make(set, store);
    for (int i = 0; tx && i < 2; i++) {
        rules_tx_start(tx, 1700000000000000000);
        rules_tx_add(tx, RULES_REMOTE_ADDR, (struct slice){0}, SLICE("10.1.2.3"));
        rules_tx_topic(tx, SLICE("a/one"));
        rules_tx_payload(tx, i ? SLICE("{\"a\":[1,\"<x>\"],\"b\":\"' or 1=1\"}") : rules_text);
        rules_tx_judge(tx, &verdict);
        FUZZ_CHECK(verdict.n_ids <= RULES_IDS_MAX);
    }
    rules_tx_free(tx);
    rules_store_free(store);
    rules_free(set);
    return 0;
}
