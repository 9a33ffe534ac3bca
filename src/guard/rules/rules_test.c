/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of rule files: the language, what a transaction does with it, and that the first pass changes nothing. */
#include "base/clock.h"
#include "base/writer.h"
#include "guard/rules/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned failures;
static const char *testing;

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) printf("%s:%d: %s: %s\n", __FILE__, __LINE__, testing, #x), failures++;                              \
    } while (0)

/* Files in memory: name and text, name NULL at the end. */
struct file {
    const char *name, *text;
};
static const struct file *files;
static unsigned notes;

static int mem_read(void *ctx, const char *path, struct slice *text) {
    (void)ctx;
    for (const struct file *f = files; f->name; f++)
        if (!strcmp(f->name, path)) return *text = slice_str(f->text), 0;
    return ERR_NOTFOUND;
}
static void mem_release(void *ctx, struct slice text) { (void)ctx, (void)text; }
static int mem_expand(void *ctx, const char *pattern, int (*each)(void *to, const char *path), void *to) {
    (void)ctx;
    size_t n = strcspn(pattern, "*");
    int rc = 0;
    for (const struct file *f = files; f->name && !rc; f++)
        if (!strncmp(f->name, pattern, n)) rc = each(to, f->name);
    return rc;
}
static void count_note(void *ctx, const struct rules_report *n) {
    (void)ctx, (void)n;
    notes++;
}

static struct rules_report error;
static int64_t (*clock_used)(bool exact);

static struct rules_set *load(const char *text, bool no_first_pass) {
    struct file one[] = {{"t.conf", text}, {NULL, NULL}};
    static const char *const paths[] = {"t.conf"};
    struct rules_source source = {.files = {.read = mem_read, .release = mem_release, .expand = mem_expand},
                                  .note = count_note,
                                  .clock = clock_used,
                                  .no_first_pass = no_first_pass};
    struct rules_set *set = NULL;
    if (text) files = one;
    notes = 0;
    return rules_load(&set, &source, paths, 1, &error) ? NULL : set;
}

static struct rules_verdict verdict;

/* judged loads rules, judges one payload with and without the first pass, and leaves the verdict; both must be the
 * same. */
static bool judged(const char *text, const char *topic, const char *payload) {
    struct rules_verdict both[2];
    for (int full = 0; full < 2; full++) {
        struct rules_set *set = load(text, full);
        if (!set)
            return printf("%s: %s:%u:%u: %s\n", testing, error.file, error.line, error.column, error.text), failures++,
                   false;
        struct rules_tx *tx = rules_tx_make(set, NULL);
        for (int again = 0; again < 2; again++) {
            rules_tx_start(tx, 1700000000000000000);
            rules_tx_add(tx, RULES_REMOTE_ADDR, (struct slice){0}, SLICE("192.0.2.7"));
            if (topic) rules_tx_topic(tx, slice_str(topic));
            if (payload) rules_tx_payload(tx, slice_str(payload));
            rules_tx_judge(tx, &both[full]);
        }
        /* What the verdict points to goes with the transaction. */
        static char name[64];
        size_t n = both[full].matched_name.n < sizeof name ? both[full].matched_name.n : sizeof name;
        if (n) memcpy(name, both[full].matched_name.p, n);
        both[full].matched_name = slice_of(name, n);
        rules_tx_free(tx);
        rules_free(set);
    }
    CHECK(both[0].action == both[1].action && both[0].by == both[1].by && both[0].n_ids == both[1].n_ids);
    CHECK(!memcmp(both[0].ids, both[1].ids, both[0].n_ids * sizeof both[0].ids[0]));
    verdict = both[0];
    return true;
}

static bool has(uint32_t id) {
    for (size_t i = 0; i < verdict.n_ids; i++)
        if (verdict.ids[i] == id) return true;
    return false;
}

static void refuse(const char *text, unsigned line, unsigned column, const char *words) {
    struct rules_set *set = load(text, true);
    CHECK(!set);
    rules_free(set);
    if (set) return;
    if (error.line != line || error.column != column || !strstr(error.text, words))
        printf("%s: got %u:%u %s\n", testing, error.line, error.column, error.text), failures++;
}

static void test_errors(void) {
    testing = "a wrong rule is refused with line, column and reason";
    refuse("SecRule ARGS \"@rx (\" \"id:1\"", 1, 19, "regular expression");
    refuse("\n\nSecRule ARGZ \"@rx a\" \"id:1\"", 3, 9, "no variable 'ARGZ'");
    refuse("SecRule ARGS \"@rxx a\" \"id:1\"", 1, 15, "no operator");
    refuse("SecRule ARGS \"@rx a\" \\\n    \"id:1,\\\n    t:nonsense\"", 3, 7, "no transformation");
    refuse("SecRule ARGS \"@rx a\" \"phase:2\"", 1, 1, "no id");
    refuse("SecRule ARGS \"@rx a\" \"id:1\"\nSecRule ARGS \"@rx b\" \"id:1\"", 2, 1, "is taken");
    refuse("SecRule ARGS \"@rx a\" \"id:1,chain\"", 1, 1, "no last rule");
    refuse("SecNonsense On", 1, 1, "no directive");
    refuse("SecRule ARGS \"@rx a", 1, 14, "not closed");
    refuse("SecAction \"id:1,setvar:args.x=1\"", 1, 24, "setvar writes");
    refuse("SecRule MQTT:nosuch \"@rx a\" \"id:1\"", 1, 14, "no field");
    refuse("Include missing.conf", 1, 1, "cannot read");
    refuse("SecRule ARGS \"@ipMatch 1.2.3.4/40\" \"id:1\"", 1, 24, "no address");
    refuse("SecRule ARGS \"@eq %{tx.a\" \"id:1\"", 1, 19, "no }");
}

static void test_notes(void) {
    testing = "what means nothing here is accepted with a note";
    struct rules_set *set =
        load("SecDebugLog /tmp/x\nSecRule ARGS \"@rbl a.example\" \"id:1,deny\"\nSecAction \"id:2,exec:/bin/x\"", true);
    CHECK(set && notes == 3);
    rules_free(set);
}

static void test_basics(void) {
    testing = "a rule denies, names itself and its match";
    if (judged("SecRule ARGS \"@contains evil\" \"id:7,deny,msg:'found %{MATCHED_VAR}'\"", "a/b", "an evil payload")) {
        CHECK(verdict.action == RULES_BLOCK && verdict.by == 7 && has(7));
        CHECK(slice_eq(verdict.matched_name, SLICE("payload")));
    }
    if (judged("SecRule ARGS \"@contains evil\" \"id:7,deny\"", "a/b", "fine"))
        CHECK(verdict.action == RULES_PASS && !verdict.n_ids);
    testing = "DetectionOnly says what it would do";
    if (judged("SecRuleEngine DetectionOnly\nSecRule ARGS \"@contains evil\" \"id:7,deny\"", NULL, "evil"))
        CHECK(verdict.action == RULES_WOULD_BLOCK);
    testing = "rules that speak of HTTP only are never evaluated";
    if (judged(
            "SecRule &REQUEST_HEADERS:Host \"@eq 0\" \"id:1,deny\"\nSecRule REQUEST_METHOD \"!@rx GET\" \"id:2,deny\"",
            NULL, "x"))
        CHECK(verdict.action == RULES_PASS);
    testing = "the topic is REQUEST_FILENAME and an argument";
    if (judged(
            "SecRule REQUEST_FILENAME \"@streq a/b\" \"id:1,pass\"\nSecRule ARGS:topic \"@streq a/b\" \"id:2,pass\"\n"
            "SecRule REQUEST_BASENAME \"@streq b\" \"id:3,pass\"",
            "a/b", "x"))
        CHECK(verdict.n_ids == 3);
}

static void test_flow(void) {
    testing = "a chain needs all its links";
    static const char chain[] =
        "SecRule ARGS \"@contains a\" \"id:1,deny,chain\"\n SecRule ARGS \"@contains b\" \"t:none\"";
    if (judged(chain, NULL, "ab")) CHECK(verdict.action == RULES_BLOCK);
    if (judged(chain, NULL, "a")) CHECK(verdict.action == RULES_PASS);
    testing = "skipAfter and skip";
    if (judged("SecAction \"id:1,nolog,pass,skipAfter:END\"\nSecAction \"id:2,deny\"\nSecMarker END\nSecAction "
               "\"id:3,pass,skip:1\"\n"
               "SecAction \"id:4,deny\"\nSecAction \"id:5,pass\"",
               NULL, "x"))
        CHECK(verdict.action == RULES_PASS && has(3) && has(5) && verdict.n_ids == 2);
    testing = "ctl takes rules and targets out";
    if (judged("SecRule ARGS \"@contains x\" \"id:1,pass,nolog,ctl:ruleRemoveById=2\"\nSecRule ARGS \"@contains x\" "
               "\"id:2,deny\"\n"
               "SecAction \"id:3,pass,nolog,ctl:ruleRemoveTargetById=4;ARGS:payload\"\nSecRule ARGS \"@contains x\" "
               "\"id:4,deny\"",
               NULL, "x"))
        CHECK(verdict.action == RULES_PASS);
    testing = "setvar counts every match";
    if (judged("SecRule ARGS \"@contains 1\" \"id:1,pass,nolog,setvar:tx.n=+2\"\nSecRule TX:n \"@eq 6\" \"id:2,deny\"",
               NULL, "{\"a\":\"1\",\"b\":\"x1\",\"c\":1}"))
        CHECK(verdict.action == RULES_BLOCK);
    testing = "capture and macros";
    if (judged("SecRule ARGS \"@rx id=(\\d+)\" \"id:1,pass,nolog,capture,setvar:'tx.id=%{TX.1}'\"\nSecRule TX:id "
               "\"@within 41 42\" \"id:2,deny\"",
               NULL, "id=42"))
        CHECK(verdict.action == RULES_BLOCK);
    testing = "multiMatch looks at every step";
    if (judged("SecRule ARGS \"@contains %41\" \"id:1,deny,multiMatch,t:none,t:urlDecode,t:lowercase\"", NULL, "x%41"))
        CHECK(verdict.action == RULES_BLOCK);
    testing = "allow ends the phases of a packet";
    if (judged("SecAction \"id:1,phase:1,nolog,allow:request\"\nSecAction \"id:2,phase:2,deny\"", NULL, "x"))
        CHECK(verdict.action == RULES_PASS);
}

static void test_updates(void) {
    testing = "rules are removed and changed afterwards";
    if (judged(
            "SecRule ARGS \"@contains x\" \"id:1,deny,tag:'t/a'\"\nSecRule ARGS \"@contains x\" \"id:2,deny,msg:'m'\"\n"
            "SecRule ARGS \"@contains x\" \"id:3,deny\"\nSecRule ARGS \"@contains x\" \"id:4,deny\"\n"
            "SecRuleRemoveByTag t/a\nSecRuleRemoveByMsg m\nSecRuleRemoveById 3\nSecRuleUpdateActionById 4 \"pass\"",
            NULL, "x"))
        CHECK(verdict.action == RULES_PASS && has(4) && verdict.n_ids == 1);
    testing = "targets are taken out and added";
    if (judged("SecRule ARGS \"@contains x\" \"id:1,deny\"\nSecRuleUpdateTargetById 1 \"!ARGS:payload\"", NULL, "x"))
        CHECK(verdict.action == RULES_PASS);
    if (judged("SecRule ARGS:none \"@contains x\" \"id:1,deny\"\nSecRuleUpdateTargetById 1 \"ARGS:payload\"", NULL,
               "x"))
        CHECK(verdict.action == RULES_BLOCK);
}

static void test_json(void) {
    testing = "members of JSON are named by their path";
    static const char rules[] =
        "SecRule ARGS:json.a.b \"@streq 1\" \"id:1,pass\"\nSecRule ARGS:json.c.array_1.d \"@streq x\\\"\" "
        "\"id:2,pass\"\n"
        "SecRule ARGS:json.c.array_0 \"@streq true\" \"id:3,pass\"\nSecRule ARGS:json.e \"@streq \xc3\xa9\" "
        "\"id:4,pass\"\n"
        "SecRule ARGS:payload \"@contains array\" \"id:5,pass\"\nSecRule &ARGS \"@eq 4\" \"id:6,pass\"\n"
        "SecRule ARGS:payload \"@beginsWith {\" \"id:7,pass\"";
    if (judged(rules, NULL, "{\"a\":{\"b\":1},\"c\":[true,{\"d\":\"x\\\\\\\"\"}],\"e\":\"\\u00e9\"}"))
        CHECK(has(1) && has(2) && has(3) && has(4) && has(6) && has(7) && !has(5));
    testing = "what is almost JSON is looked at as a whole";
    static const char whole[] = "SecRule ARGS \"@contains evil\" \"id:1,deny\"";
    if (judged(whole, NULL, "{\"a\":\"evil\",}"))
        CHECK(verdict.action == RULES_BLOCK && slice_eq(verdict.matched_name, SLICE("payload")));
    if (judged(whole, NULL, "{\"a\":\"evil\"} x}")) CHECK(verdict.action == RULES_BLOCK);
    if (judged(whole, NULL, "{\"a\":\"\\u0065vil\"}"))
        CHECK(verdict.action == RULES_BLOCK && slice_eq(verdict.matched_name, SLICE("json.a")));
    char deep[1000] = "";
    memset(deep, '[', 200);
    snprintf(deep + 200, sizeof deep - 200, "\"evil\"%0*d", 1, 0);
    memset(deep + 206, ']', 200);
    if (judged(whole, NULL, deep)) CHECK(verdict.action == RULES_BLOCK);
}

static void test_first_pass(void) {
    static const char *const rules[] = {
        "SecRule ARGS \"@rx ^abc$\" \"id:1,deny\"",
        "SecRule ARGS \"@rx \\Aabc\\z\" \"id:1,deny\"",
        "SecRule ARGS \"@rx (?<!x)abc(?!d)\" \"id:1,deny\"",
        "SecRule ARGS \"@rx (a)b\\1\" \"id:1,deny\"",
        "SecRule ARGS \"@pm abc xyz\" \"id:1,deny\"",
        "SecRule ARGS \"@rx [\\n\\r]\" \"id:1,deny\"",
        "SecRule ARGS \"!@rx abc\" \"id:1,deny\"",
        "SecRule ARGS_NAMES|ARGS \"@rx \\babc\\b\" \"id:1,deny,t:lowercase\"",
        "SecRule ARGS \"@validateByteRange 97-122\" \"id:1,deny\"",
        "SecRule ARGS \"@rx <[^>]*>\" \"id:1,deny,t:urlDecodeUni,t:htmlEntityDecode\"",
        "SecRule ARGS \"@streq abc\" \"id:1,deny,t:trim\"",
        "SecRule ARGS \"@rx ^$\" \"id:1,deny\"",
        "SecRule ARGS \"@rx x*\" \"id:1,deny\"",
        "SecRule ARGS:payload \"@rx ^\\{\" \"id:1,deny\"",
        "SecRule ARGS \"@rx (?i:ABC)|(?:;|')\" \"id:1,deny\"",
        "SecRule ARGS \"@verifyCC \\d{16}\" \"id:1,deny\"",
    };
    static const char *const payloads[] = {"abc",
                                           "xabc",
                                           "abcd",
                                           "aba",
                                           "ABC",
                                           "a\nb",
                                           "",
                                           " abc ",
                                           "%3cb%3e",
                                           "&lt;b>",
                                           "{\"abc\":\"x\"}",
                                           "{\"a\":\"\"}",
                                           "[\"abc\",\"def\"]",
                                           "4111111111111111",
                                           "x",
                                           "it's",
                                           "\xc3\xa9",
                                           "abc\nabc",
                                           "a b c",
                                           "\xff"};
    testing = "the first pass and the evaluator agree";
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++)
        for (size_t p = 0; p < sizeof payloads / sizeof payloads[0]; p++) judged(rules[r], "t/x", payloads[p]);
}

static void test_collections(void) {
    testing = "collections count, expire and outlive a rule set";
    static const char rules[] =
        "SecCollectionTimeout 100\nSecAction "
        "\"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,expirevar:ip.n=10\"\n"
        "SecRule IP:n \"@gt 2\" \"id:2,phase:1,deny\"";
    struct rules_store *store = rules_store_make(10);
    int64_t now = 1700000000;
    for (int i = 0; i < 6; i++) {
        struct rules_set *set = load(rules, false);
        struct rules_tx *tx = set ? rules_tx_make(set, store) : NULL;
        CHECK(tx);
        if (!tx) break;
        if (i == 4) now += 20;
        rules_tx_start(tx, now * 1000000000);
        rules_tx_add(tx, RULES_REMOTE_ADDR, (struct slice){0}, SLICE("2001:db8::1"));
        rules_tx_payload(tx, SLICE("x"));
        rules_tx_judge(tx, &verdict);
        CHECK((verdict.action == RULES_BLOCK) == (i == 2 || i == 3));
        rules_tx_free(tx);
        rules_free(set);
    }
    testing = "a store keeps to its cap";
    struct slice value;
    for (int i = 0; i < 100; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "n%d", i);
        store->set(store->ctx, RULES_GLOBAL, SLICE("k"), slice_of(name, (size_t)n), SLICE("1"), now, now + 50);
    }
    CHECK(store->get(store->ctx, RULES_GLOBAL, SLICE("k"), SLICE("n99"), now, &value));
    CHECK(!store->get(store->ctx, RULES_GLOBAL, SLICE("k"), SLICE("n80"), now, &value));
    CHECK(!store->get(store->ctx, RULES_GLOBAL, SLICE("k"), SLICE("n99"), now + 51, &value));
    rules_store_free(store);
}

static void test_limits(void) {
    testing = "no value makes an expression run away";
    char *text = malloc(1 << 16);
    memset(text, 'a', 1 << 16);
    text[(1 << 16) - 1] = 0;
    if (judged("SecPcreMatchLimit 1000\nSecRule ARGS \"@rx (?:a+)+[bc](?<=b)x\" \"id:1,deny\"", NULL, text))
        CHECK(verdict.action == RULES_PASS);
    free(text);
    testing = "more values than a transaction holds are told";
    struct writer w = wr_grow();
    wr_s(&w, "[1");
    for (int i = 0; i < 3000; i++) wr_s(&w, ",1");
    wr_s(&w, "]");
    wr_c(&w, 0);
    if (judged("SecRule ARGS \"@contains ,1,1\" \"id:1,deny\"", NULL, w.buf)) CHECK(verdict.action == RULES_BLOCK);
    wr_free(&w);
    testing = "files that include each other end";
    static const struct file loop[] = {{"t.conf", "Include t.conf"}, {NULL, NULL}};
    files = loop;
    CHECK(!load(NULL, true) && strstr(error.text, "deep"));
}

/* A clock on which everything takes a millisecond. */
static int64_t slow_clock(bool exact) {
    static int64_t now[2];
    return now[exact] += 1000000;
}

static void test_time(void) {
    struct writer rules = wr_grow();
    for (int i = 1; i <= 40; i++) wr_f(&rules, "SecRule ARGS \"@rx e\" \"id:%d,pass,nolog\"\n", i);
    wr_s(&rules, "SecRule ARGS \"@rx evil\" \"id:99,deny\"\n");
    wr_c(&rules, 0);
    testing = "a packet that has had its time is looked at no further, and that is told";
    clock_used = slow_clock;
    if (judged(rules.buf, "t", "an evil message")) CHECK(verdict.limited && verdict.action == RULES_PASS);
    testing = "without a clock it takes as long as it takes";
    clock_used = NULL;
    if (judged(rules.buf, "t", "an evil message")) CHECK(!verdict.limited && verdict.action == RULES_BLOCK);
    wr_free(&rules);
}

/* The pattern of rule 2 depends on the packet, so it is interpreted; that of rule 1 is machine code where that may be.
 */
static void found_at(char *text, size_t n, size_t at) {
    static const char rules[] = "SecAction \"id:9,phase:1,pass,nolog,setvar:tx.p=(?:a|ab)*(?<=ba)(x)y+z$\"\n"
                                "SecRule ARGS \"@rx (?:a|ab)*(?<=ba)(x)y+z$\" \"id:1,pass\"\n"
                                "SecRule ARGS \"@rx %{tx.p}\" \"id:2,pass\"\n";
    for (size_t i = 0; i < n; i++) text[i] = "abay"[i & 3];
    text[n] = 0;
    if (at) memcpy(text + at, "baxyyyyz\n", 9);
    if (judged(rules, "t", text)) CHECK(has(1) == (at != 0) && has(2) == (at != 0));
}

static void test_spans(void) {
    testing = "a long value is tried in parts and nothing is missed where they meet";
    enum { LONG = 20000, PART = (4 << 20) / LONG };
    char *text = malloc(LONG + 1);
    found_at(text, LONG, 0);
    for (size_t at = PART - 8; at < PART + 8; at++) found_at(text, LONG, at);
    for (size_t at = LONG - 9; at > LONG / 2; at -= 1117) found_at(text, LONG, at);
    testing = "\\G means where the value begins, whatever its length";
    memset(text, 'b', LONG);
    if (judged("SecRule ARGS:payload \"@rx \\Gb\\z\" \"id:1,pass\"", NULL, text)) CHECK(!has(1));
    free(text);
}

static int64_t real_clock(bool exact) { return clock_read(exact ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC_COARSE); }

/* A call of PCRE2's machine code cannot be interrupted, and its match limit counts groups and repetitions, not bytes:
 * what would take each of these minutes or years must end in a fraction of a second all the same. */
static void test_hostile(void) {
    static const char *const patterns[] = {
        "(?:a+)+b",       "(a|aa|aaa)*b",      "a*a*a*a*a*b",   ".*.*.*.*=x",         "(a+)(a+)\\1\\2b",
        "(?=(a+))a*b\\1", "(?:(a+)(?=\\1b))+", "(a(?1)?a|a)b",  "(?:x?a*?x?){50}b",   "(?:(?=a*b)|a)+b",
        "(?>a*?b|a)+?c",  "((?:a+?)*?)*?b",    "^(?:\\w+ ?)*$", "(?:a{1,3000}){9,}b", "[ab]*[ab]*[ab]*[ab]*c",
    };
    enum { LONG = 65000, SECOND = 1000000000 };
    static char text[LONG + 1];
    memset(text, 'a', LONG);
    memcpy(text + LONG - 10, "z b c = x!", 10); /* what each pattern ends in is there: it cannot give up early */
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        char rule[128];
        snprintf(rule, sizeof rule, "SecRule ARGS:payload \"@rx %s\" \"id:1,deny\"", patterns[i]);
        testing = patterns[i];
        clock_used = real_clock;
        struct rules_set *set = load(rule, true);
        CHECK(set);
        struct rules_tx *tx = set ? rules_tx_make(set, NULL) : NULL;
        if (!tx) continue;
        rules_tx_start(tx, 1700000000000000000);
        rules_tx_payload(tx, slice_str(text));
        int64_t begun = real_clock(true);
        rules_tx_judge(tx, &verdict);
        CHECK(verdict.limited && real_clock(true) - begun < SECOND);
        rules_tx_free(tx);
        rules_free(set);
    }
    clock_used = NULL;
}

int main(void) {
    test_errors();
    test_notes();
    test_basics();
    test_flow();
    test_updates();
    test_json();
    test_first_pass();
    test_collections();
    test_limits();
    test_time();
    test_spans();
    test_hostile();
    if (failures) printf("%u failed\n", failures);
    return failures != 0;
}
