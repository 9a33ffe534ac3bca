/* SPDX-License-Identifier: Apache-2.0 */
/* weir lesson: lists the lessons and plays one; weir demo plays the one on MQTT. */
#include "app/cmd.h"
#include "app/lesson/lesson.h"
#include "app/story.h"
#include "view/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKER_PROGRAMS                                                                                                \
    "mosquitto", "mosquitto", "mosquitto_pub", "mosquitto-clients", "mosquitto_sub", "mosquitto-clients"

static const char *const mqtt_programs[] = {BROKER_PROGRAMS, NULL};
static const char *const tcp_programs[] = {"nc", "netcat-openbsd", "nft", "nftables", NULL};
static const char *const https_programs[] = {"curl", "curl", "openssl", "openssl", NULL};
static const char *const volume_programs[] = {BROKER_PROGRAMS, "curl", "curl", NULL};
static const char *const guard_programs[] = {BROKER_PROGRAMS, "nc", "netcat-openbsd", NULL};

const struct lesson lessons[] = {
    {"tcp", N_("TCP, seen at an echo server: the handshake, the bytes, the end, and a handshake made by hand"),
     tcp_programs, lesson_tcp},
    {"mqtt", N_("MQTT at a broker: who publishes, who subscribes, and what each packet is for"), mqtt_programs,
     lesson_mqtt},
    {"https", N_("HTTPS: what can be seen, which key opens it, and why another does not"), https_programs,
     lesson_https},
    {"volume", N_("Who uses the data volume: bytes for each destination, and what they are spent on"), volume_programs,
     lesson_volume},
    {"stopped", N_("Where did it stop: a good run and a failing one, compared"), tcp_programs, lesson_stopped},
    {"guard", N_("A firewall for MQTT: what it lets through, what it stops, and what it writes down"), guard_programs,
     lesson_guard},
};
const size_t lessons_n = sizeof lessons / sizeof *lessons;

struct lesson_opts {
    const char *language, *write;
    bool yes, sample;
    struct opt_list words;
};

#define OPT_LANGUAGE                                                                                                   \
    {                                                                                                                  \
        0, "lang", "LANGUAGE", "en, ja or zh_CN; otherwise that of LANG", OPT_TEXT,                                    \
            offsetof(struct lesson_opts, language)                                                                     \
    }
#define OPT_WRITE                                                                                                      \
    {                                                                                                                  \
        'w', "write", "FILE", "keep the capture of the lesson on MQTT in FILE", OPT_TEXT,                              \
            offsetof(struct lesson_opts, write)                                                                        \
    }
#define OPT_YES                                                                                                        \
    { 'y', "yes", NULL, "do not wait for Enter", OPT_FLAG, offsetof(struct lesson_opts, yes) }

static const struct opt_def lesson_defs[] = {OPT_YES, OPT_LANGUAGE};
static const char *const lesson_examples[] = {"weir lesson", "weir lesson tcp", "weir lesson stopped --lang ja",
                                              "weir lesson mqtt --yes", NULL};
static const char *const lesson_names[] = {"tcp", "mqtt", "https", "volume", "stopped", "guard", NULL};
static const struct opt_command lesson_command = {
    .name = "lesson",
    .synopsis = "[tcp|mqtt|https|volume|stopped|guard] [--yes]",
    .purpose = "learn by doing: real programs, captured and explained",
    .description = "Without a name, lists the lessons. A lesson plays a piece of real work with real programs "
                   "(mosquitto, curl, nc and Weir's own) in a network of its own: it says what it does, shows who said "
                   "what to whom with a sentence for each step, asks, answers, and tells how to go on. Each takes less "
                   "than a minute. Everything it started is ended; the captures stay.",
    .examples = lesson_examples,
    .defs = lesson_defs,
    .n_defs = sizeof lesson_defs / sizeof *lesson_defs,
    .words_at = offsetof(struct lesson_opts, words),
    .parts = lesson_names,
};

static const struct opt_def demo_defs[] = {
    OPT_WRITE,
    {0, "sample", NULL, "read the sample that ships with the program, capture nothing", OPT_FLAG,
     offsetof(struct lesson_opts, sample)},
    OPT_YES,
    OPT_LANGUAGE,
};
static const char *const demo_examples[] = {"weir demo", "weir demo -w mqtt.pcapng", "weir demo --sample", NULL};
static const struct opt_command demo_command = {
    .name = "demo",
    .synopsis = "[-w FILE | --sample]",
    .purpose = "the first five minutes: real MQTT traffic, captured and read",
    .description =
        "Plays `weir lesson mqtt`: a broker (mosquitto), clients that talk through it, and what was captured "
        "meanwhile. Without mosquitto or the right to capture, the sample that ships with the program is read.",
    .examples = demo_examples,
    .defs = demo_defs,
    .n_defs = sizeof demo_defs / sizeof *demo_defs,
    .words_at = OPT_NO_WORDS,
};

/* speak selects the language for this process and for the commands it runs. */
static void speak(const char *language) {
    char locale[64];
    if (language) {
        snprintf(locale, sizeof locale, "%.40s%s", language, strchr(language, '.') ? "" : ".UTF-8");
        setenv("LC_ALL", locale, 1);
        unsetenv("LANGUAGE");
    }
    story_words(language);
}

static int list(void) {
    enum { NAME_WIDTH = 22 };
    struct writer w = wr_grow();
    for (size_t i = 0; i < lessons_n; i++) {
        char name[32];
        snprintf(name, sizeof name, "weir lesson %s", lessons[i].name);
        story_entry(&w, name, NAME_WIDTH, lessons[i].what);
    }
    fwrite(w.buf, 1, wr_len(&w), stdout);
    wr_free(&w);
    return EXIT_FINE;
}

int cmd_lesson(int argc, char **argv) {
    struct lesson_opts o = {0};
    const char *names[sizeof lessons / sizeof *lessons];
    int rc = opt_parse(&lesson_command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    speak(o.language);
    if (!o.words.n) return list();
    if (o.words.n > 1) return opt_bad_use(&lesson_command, "one lesson at a time");
    for (size_t i = 0; i < lessons_n; i++) {
        names[i] = lessons[i].name;
        if (!strcmp(o.words.item[0], names[i])) return lesson_play(&lessons[i], &lesson_command, NULL, o.yes, false);
    }
    return opt_unknown(&lesson_command, "there is no lesson", o.words.item[0], names, lessons_n,
                       "`weir lesson` lists them");
}

int cmd_demo(int argc, char **argv) {
    struct lesson_opts o = {0};
    int rc = opt_parse(&demo_command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    speak(o.language);
    for (size_t i = 0; i < lessons_n; i++)
        if (lessons[i].play == lesson_mqtt) return lesson_play(&lessons[i], &demo_command, o.write, o.yes, o.sample);
    return EXIT_TROUBLE;
}
