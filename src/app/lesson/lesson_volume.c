/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on data volume: a device with two destinations, counted, billed and made fit to be shown. */
#include "app/lesson/lesson.h"

#define BROKER "127.0.0.2"
#define STORE "127.0.0.3"

/* day is one period of the device: readings by MQTT, each with a connection of its own, and a report by HTTP. */
static bool day(struct scene *s, const char *mqtt, const char *http, const char *file, const char *report) {
    if (!scene_capture(s, file, scene_line("tcp port %s or tcp port %s", mqtt, http))) return false;
    for (int i = 1; i <= 5; i++)
        scene_quiet(
            s, "device.log",
            scene_line("mosquitto_pub -h " BROKER " -p %s -i pump-7 -q 1 -t plant/pump-7/temp -m 21.%d", mqtt, i));
    scene_run(s, scene_line("head -c %s /dev/zero | curl -sS -o answer.json --data-binary @- http://" STORE ":%s/",
                            report, http));
    return scene_capture_end(s);
}

int lesson_volume(struct scene *s) {
    char mqtt[LESSON_PORT], http[LESSON_PORT];
    scene_port(s, 1883, mqtt);
    scene_port(s, 8514, http);
    scene_step(s, N_("1. A device with two destinations"));
    scene_say(s, N_("pump-7 sends five temperatures to a broker at 127.0.0.2, connecting anew each time, and one "
                    "report by HTTP to a data sink at 127.0.0.3."));
    if (!scene_write(s, "broker.conf", "listener %s " BROKER "\nallow_anonymous true\npersistence false\n%s", mqtt,
                     s->own_net ? "user root\n" : "") ||
        scene_start(s, "broker.log", "mosquitto -c broker.conf") < 0 || !scene_listens(s, mqtt))
        return scene_failed(s, N_("mosquitto did not start"));
    if (scene_start(s, "sink.log", scene_line("weir lab sink " STORE ":%s --store data.db", http)) < 0 ||
        !scene_listens(s, http))
        return scene_failed(s, N_("the data sink did not start"));
    if (!day(s, mqtt, http, "monday.pcapng", "2000")) return scene_failed(s, N_("the device did not get through"));
    scene_step(s, N_("2. Bytes for each destination"));
    scene_run(s, "weir stats endpoints ip -r monday.pcapng");
    scene_run(s, "weir stats endpoints tcp -r monday.pcapng");
    scene_ask(s, N_("Five readings of four bytes are twenty bytes. Why does the broker cost so much more?"),
              N_("Each reading pays for a TCP handshake, CONNECT and CONNACK, the acknowledgments and the end. One "
                 "connection that stays open would pay once."));
    scene_run(s, "weir stats volume --overhead 40 -r monday.pcapng");
    scene_say(s, N_("The sum as billed counts IP bytes and, here, 40 more for each packet; what is no payload is named "
                    "by its cause."));
    scene_step(s, N_("3. The next day, and what changed"));
    if (!day(s, mqtt, http, "tuesday.pcapng", "30000")) return scene_failed(s, N_("the device did not get through"));
    scene_run(s, "weir stats volume --baseline monday.pcapng -r tuesday.pcapng");
    scene_ask(
        s, N_("Which destination has grown?"),
        N_("The data sink at 127.0.0.3: the report became fifteen times as large. The broker's part is as before."));
    scene_step(s, N_("4. Before you show it to others"));
    scene_say(s, N_("Client ids, topics and payloads are replaced, always by the same substitute, so that the counts "
                    "stay true. Addresses are too, except those of loopback, which tell nothing:"));
    scene_run(s, "weir edit tuesday.pcapng -w public.pcapng --redact all");
    scene_run(s, "weir stats mqtt -r public.pcapng");
    scene_next(s, (const char *const[]){"weir stats mqtt -r monday.pcapng",
                                        "weir stats volume --json -r tuesday.pcapng | less",
                                        "weir stats io --interval 1 -r monday.pcapng", NULL});
    return EXIT_FINE;
}
