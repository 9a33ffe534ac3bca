/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on the firewall: packets read byte by byte, then a guard between clients and the broker. */
#include "app/lesson/lesson.h"

enum { SETTLE_MS = 400 };

/* A CONNECT and a PUBLISH as bytes, and the answers a client waits for. */
#define CONNECT_HEX                                                                                                    \
    "\\x10\\x67\\x00\\x04MQTT\\x04\\xc2\\x00\\x3c\\x00\\x19MQTT_FX_Client_9iuy876555\\x00\\x12iotfreetest/thing0"      \
    "\\x00\\x2cYU7Tov8zFW+WuaLx9s9I3MKyclie9SGDuuNkl6o9LXo="
#define PUBLISH_HEX "\\x30\\x26\\x00\\x14home/garden/fountain1234567890abcdef"

static int bytes_read(struct scene *s, const char *broker) {
    scene_step(s, N_("1. What a firewall for MQTT must understand"));
    scene_say(s, N_("A client sends a CONNECT with user and password and a PUBLISH, here as bare bytes:"));
    if (!scene_capture(s, "bytes.pcapng", scene_line("tcp port %s", broker)))
        return scene_failed(s, N_("the capture did not start"));
    /* \ooo is what every printf knows; \x is what people read in a dump */
    scene_run(s,
              scene_line("/usr/bin/printf '" CONNECT_HEX PUBLISH_HEX "' | nc -N 127.0.0.1 %s | od -An -tx1", broker));
    if (!scene_capture_end(s)) return scene_failed(s, N_("the capture broke off"));
    scene_run(s, "weir read -n -r bytes.pcapng -Y 'mqtt.msgtype == 1 or mqtt.msgtype == 3' -O mqtt -V");
    scene_ask(s,
              N_("The last text in CONNECT looks like a random word. Is it a will, or a password? And how long is the "
                 "PUBLISH?"),
              N_("The password: the flags 0xc2 say user name, password and clean session, and no will. The remaining "
                 "length 0x26 is 38. Reading by eye goes wrong here; a firewall must not."));
    return EXIT_FINE;
}

static bool guard_start(struct scene *s, const char *listen, const char *broker) {
    return scene_write(s, "guard.yaml",
                       "listen: [\"127.0.0.1:%s\"]\n"
                       "brokers: [\"127.0.0.1:%s\"]\n"
                       "workers: 1\n"
                       "audit: {file: audit.jsonl}\n"
                       "topics:\n"
                       "  rules:\n"
                       "    - {id: secret, deny: all, to: [\"secret/#\"], action: disconnect}\n"
                       "rules:\n"
                       "  - {id: no-sql, when: 'mqtt.msg matches \"(?i)union +select|or 1 *= *1\"', action: drop, "
                       "reason: looks like SQL}\n"
                       "  - {id: no-reboot, when: 'mqtt.topic matches \"^cmd/\" and mqtt.msg contains \"reboot\"', "
                       "action: drop}\n",
                       listen, broker) &&
           scene_run(s, "cat guard.yaml") == 0 && scene_run(s, "weir guard -t -c guard.yaml") == 0 &&
           scene_start(s, "guard.log", "weir guard -c guard.yaml") >= 0 && scene_listens(s, listen);
}

static void publish(struct scene *s, const char *port, const char *topic, const char *payload) {
    scene_run(s, scene_line("mosquitto_pub -h 127.0.0.1 -p %s -i device-1 -t %s -m '%s'", port, topic, payload));
}

static int guarded(struct scene *s, const char *listen, const char *broker) {
    scene_step(s, N_("2. The guard takes its place before the broker"));
    scene_say(s, N_("Clients come to the guard; the broker stands behind it on another port. Rules are written with "
                    "the same field names as filters."));
    if (!guard_start(s, listen, broker)) return scene_failed(s, N_("the guard did not start"));
    if (scene_start(s, "arrived", scene_line("mosquitto_sub -h 127.0.0.1 -p %s -i watcher -v -t '#'", broker)) < 0 ||
        !scene_subscribed(s, "watcher") || !scene_capture(s, "guarded.pcapng", scene_line("tcp port %s", listen)))
        return scene_failed(s, N_("the capture did not start"));
    scene_say(s, N_("An ordinary message, and three that should not get through:"));
    publish(s, listen, "home/garden/fountain", "on");
    publish(s, listen, "home/garden/fountain", "{\"name\":\"x\\\" UNION SELECT password FROM users\"}");
    publish(s, listen, "cmd/pump-7", "reboot");
    publish(s, listen, "secret/door", "open");
    if (!scene_lines(s, "arrived", 1) || !children_nap(SETTLE_MS) || !scene_capture_end(s))
        return scene_failed(s, N_("the ordinary message did not get through"));
    scene_say(s, N_("What reached the broker:"));
    scene_show(s, "arrived");
    scene_say(s, N_("What the guard wrote down:"));
    scene_run(s, "grep -o '\"alert\":[^}]*}' audit.jsonl");
    scene_ask(s, N_("The payload with UNION SELECT had QoS 0. Did its sender learn that it was dropped?"),
              N_("No. At QoS 0 nobody answers. At QoS 1 the guard acknowledges a dropped message, so that the device "
                 "does not send it for ever; the audit log is where it shows."));
    return EXIT_FINE;
}

int lesson_guard(struct scene *s) {
    char listen[LESSON_PORT], broker[LESSON_PORT];
    scene_port(s, 1883, listen);
    scene_port(s, 1884, broker);
    if (!scene_broker(s, broker, "")) return scene_failed(s, N_("mosquitto did not start"));
    int rc = bytes_read(s, broker);
    if (rc == EXIT_FINE) rc = guarded(s, listen, broker);
    if (rc != EXIT_FINE) return rc;
    scene_step(s, N_("3. The same rules on a capture"));
    scene_say(s, N_("Before rules go live they can be tried on yesterday's traffic: what would have been stopped, with "
                    "frames."));
    scene_run(s, "weir guard --replay guarded.pcapng -c guard.yaml");
    scene_next(s, (const char *const[]){"weir guard --example | less",
                                        "weir read -r guarded.pcapng -Y 'mqtt.msg contains \"UNION\"'",
                                        "weir explain guarded.pcapng", NULL});
    return EXIT_FINE;
}
