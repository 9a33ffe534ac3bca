/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: payloads under a rule set that uses every transformation and many operators, judged with and without the first
 * pass: the verdicts must be the same.
 *
 * Input: one byte (bit 0: as a form's argument whatever it is; bit 1: a topic stands before the first NUL), then the payload. */
#include "fuzz.h"
#include "guard/rules/rules.h"

static const char rules_text[] =
    "SecRule ARGS|ARGS_NAMES \"@rx (?:select|union)\\b.{0,20}\\bfrom\\b\" \"id:1,pass,t:none,t:urlDecodeUni,t:lowercase\"\n"
    "SecRule ARGS \"@rx <script[^>]*>\" \"id:2,pass,t:none,t:utf8toUnicode,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode,t:removeNulls,t:lowercase\"\n"
    "SecRule ARGS \"@pm cat wget curl passwd\" \"id:3,pass,t:none,t:cmdLine,t:normalizePath\"\n"
    "SecRule ARGS \"@validateByteRange 9,10,13,32-126\" \"id:4,pass,t:none,t:urlDecode\"\n"
    "SecRule ARGS \"@rx ^(\\w+)=\\1$\" \"id:5,pass,capture,t:none,t:compressWhitespace,t:replaceComments\"\n"
    "SecRule ARGS \"@rx (?<!a)b(?=c)\" \"id:6,pass,t:none,t:removeWhitespace\"\n"
    "SecRule ARGS \"@contains ../\" \"id:7,pass,t:none,t:normalizePathWin,t:escapeSeqDecode\"\n"
    "SecRule ARGS \"@rx [\\x00-\\x08]\" \"id:8,pass,multiMatch,t:none,t:base64Decode,t:hexDecode,t:base64DecodeExt\"\n"
    "SecRule ARGS \"@verifyCC \\d{13,16}\" \"id:9,pass,t:none,t:trim\"\n"
    "SecRule ARGS \"@validateUrlEncoding\" \"id:10,pass,t:none\"\n"
    "SecRule ARGS \"@validateUtf8Encoding\" \"id:11,pass,t:none\"\n"
    "SecRule ARGS \"@streq abc\" \"id:12,pass,t:none,t:removeComments,t:removeCommentsChar,t:trimLeft,t:trimRight\"\n"
    "SecRule ARGS \"@rx 0x[0-9a-f]{2}$\" \"id:13,pass,t:none,t:sqlHexDecode,t:uppercase,t:parityEven7bit\"\n"
    "SecRule ARGS \"@rx ^[0-9a-f]{40}\" \"id:14,pass,t:none,t:sha1,t:hexEncode\"\n"
    "SecRule ARGS \"@gt 100\" \"id:15,pass,t:none,t:length\"\n"
    "SecRule REQUEST_BODY \"@rx %[0-9A-F]{2}%00\" \"id:16,pass,t:none\"\n"
    "SecRule &ARGS \"@gt 5\" \"id:17,pass\"\n"
    "SecRule ARGS \"@detectSQLi\" \"id:18,pass,t:none,t:urlEncode,t:replaceNulls\"\n"
    "SecRule ARGS \"@detectXSS\" \"id:19,pass,t:none,t:base64Encode,t:parityOdd7bit,t:parityZero7bit\"\n"
    "SecRule REQUEST_FILENAME \"@endsWith /cmd\" \"id:20,deny,chain\"\nSecRule ARGS:payload \"@rx [;|&`]\" \"t:none,setvar:tx.hit=+1\"\n"
    "SecRule TX:hit \"@ge 1\" \"id:21,pass\"\n"
    "SecRule ARGS \"@rx \\$(?:\\(|\\{)\" \"id:22,pass,t:none,t:md5,t:hexEncode,t:length,multiMatch\"\n";

static int text_read(void *ctx, const char *path, struct slice *text) {
    (void)ctx, (void)path;
    *text = SLICE(rules_text);
    return 0;
}
static void text_release(void *ctx, struct slice text) { (void)ctx, (void)text; }
/* Deterministic stand-ins: they look at the bytes, so a difference in a value shows. */
static int sqli(const char *text, size_t n, char *fingerprint) {
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) sum += (uint8_t)text[i];
    fingerprint[0] = 0;
    return sum % 3 == 1 && memchr(text, '\'', n);
}
static int xss(const char *text, size_t n) { return n > 3 && text[0] == '<'; }

static struct rules_tx *tx[2];

static bool ready(void) {
    static const char *const paths[] = {"rules"};
    struct rules_report error;
    if (tx[1]) return true;
    for (int i = 0; i < 2; i++) {
        struct rules_source source = {.files = {.read = text_read, .release = text_release}, .libinjection = {sqli, xss}, .no_first_pass = i};
        struct rules_set *set = NULL;
        if (!rules_available()) return false;
        int rc = rules_load(&set, &source, paths, 1, &error);
        if (rc) fprintf(stderr, "%s:%u:%u: %s\n", error.file, error.line, error.column, error.text);
        FUZZ_CHECK(rc == 0);
        tx[i] = rules_tx_make(set, NULL);
        FUZZ_CHECK(tx[i]);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct rules_verdict v[2];
    if (!size || !ready()) return 0;
    struct slice payload = slice_of(data + 1, size - 1), topic = {0};
    const uint8_t *nul = data[0] & 2 && payload.n ? memchr(payload.p, 0, payload.n) : NULL;
    if (nul) {
        topic = slice_of(payload.p, (size_t)(nul - payload.p));
        payload = slice_tail(payload, topic.n + 1);
    }
    for (int i = 0; i < 2; i++) {
        rules_tx_start(tx[i], 1700000000000000000);
        if (nul) rules_tx_topic(tx[i], topic);
        if (data[0] & 1) rules_tx_form(tx[i], payload);
        else rules_tx_payload(tx[i], payload);
        rules_tx_judge(tx[i], &v[i]);
    }
    if (v[0].limited || v[1].limited) return 0;
    FUZZ_CHECK(v[0].n_ids == v[1].n_ids && !memcmp(v[0].ids, v[1].ids, v[0].n_ids * sizeof v[0].ids[0]));
    FUZZ_CHECK(v[0].action == v[1].action && v[0].by == v[1].by);
    return 0;
}
