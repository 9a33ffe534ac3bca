/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on data volume: a device with two destinations, counted, billed and made fit to be shown. */
#include "analyse/explain/judge.h"
#include "app/lesson.h"

#define BROKER "127.0.0.2"
#define STORE "127.0.0.3"

/* day is one period of the device: readings by MQTT, each with a connection of its own, and a report by HTTP. */
static bool day(struct stage *s, const char *mqtt, const char *http, const char *file, const char *report) {
    if (!stage_capture(s, file, stage_line("tcp port %s or tcp port %s", mqtt, http))) return false;
    for (int i = 1; i <= 5; i++)
        stage_quiet(
            s, "device.log",
            stage_line("mosquitto_pub -h " BROKER " -p %s -i pump-7 -q 1 -t plant/pump-7/temp -m 21.%d", mqtt, i));
    stage_run(s, stage_line("head -c %s /dev/zero | curl -sS -o answer.json --data-binary @- http://" STORE ":%s/",
                            report, http));
    return stage_capture_end(s);
}

int lesson_volume(struct stage *s) {
    char mqtt[LESSON_PORT], http[LESSON_PORT];
    stage_port(s, 1883, mqtt);
    stage_port(s, 8514, http);
    stage_step(s, N_("1. A device with two destinations"));
    stage_say(s, N_("pump-7 sends five temperatures to a broker at 127.0.0.2, connecting anew each time, and one "
                    "report by HTTP to a "
                    "data sink at 127.0.0.3."));
    if (!stage_write(s, "broker.conf", "listener %s " BROKER "\nallow_anonymous true\npersistence false\n%s", mqtt,
                     s->own_net ? "user root\n" : "") ||
        stage_start(s, "broker.log", "mosquitto -c broker.conf") < 0 || !stage_listens(s, mqtt))
        return stage_failed(s, N_("mosquitto did not start"));
    if (stage_start(s, "sink.log", stage_line("weir lab sink " STORE ":%s --store data.db", http)) < 0 ||
        !stage_listens(s, http))
        return stage_failed(s, N_("the data sink did not start"));
    if (!day(s, mqtt, http, "monday.pcapng", "2000")) return stage_failed(s, N_("the device did not get through"));
    stage_step(s, N_("2. Bytes for each destination"));
    stage_run(s, "weir stats endpoints ip -r monday.pcapng");
    stage_run(s, "weir stats endpoints tcp -r monday.pcapng");
    stage_ask(s, N_("Five readings of four bytes are twenty bytes. Why does the broker cost so much more?"),
              N_("Each reading pays for a TCP handshake, CONNECT and CONNACK, the acknowledgments and the end. One "
                 "connection that "
                 "stays open would pay once."));
    stage_run(s, "weir stats volume --overhead 40 -r monday.pcapng");
    stage_say(
        s,
        N_("The sum as billed counts IP bytes and, here, 40 more for each packet; what is no payload is named by its "
           "cause."));
    stage_step(s, N_("3. The next day, and what changed"));
    if (!day(s, mqtt, http, "tuesday.pcapng", "30000")) return stage_failed(s, N_("the device did not get through"));
    stage_run(s, "weir stats volume --baseline monday.pcapng -r tuesday.pcapng");
    stage_ask(
        s, N_("Which destination has grown?"),
        N_("The data sink at 127.0.0.3: the report became fifteen times as large. The broker's part is as before."));
    stage_step(s, N_("4. Before you show it to others"));
    stage_say(
        s,
        N_("Addresses, names and payloads are replaced, always by the same substitute, so that the counts stay true:"));
    stage_run(s, "weir edit tuesday.pcapng -w public.pcapng --redact all");
    stage_run(s, "weir stats endpoints ip -r public.pcapng");
    stage_next(s, (const char *const[]){"weir stats mqtt -r monday.pcapng",
                                        "weir stats volume --json -r tuesday.pcapng | less",
                                        "weir stats io --interval 1 -r monday.pcapng", NULL});
    return EXIT_FINE;
}
