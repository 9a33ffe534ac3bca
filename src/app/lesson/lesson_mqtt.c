/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on MQTT: one message, seen whole, then what else MQTT has: QoS 0, 1 and 2, a retained message, a will,
 * MQTT 5 with properties. Without the right to capture the sample that ships with the program is shown instead. */
#include "app/lesson/lesson.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SETTLE_MS = 300 };

struct play {
    struct scene *s;
    char port[LESSON_PORT];
    const char *file;
};

/* client runs a publisher to its end; a failure shows in the capture, not here. */
static void client(struct play *p, const char *words) {
    scene_quiet(p->s, "clients.log", scene_line("mosquitto_pub -h 127.0.0.1 -p %s %s", p->port, words));
}

static int listener(struct play *p, const char *log, const char *words) {
    return scene_start(p->s, log, scene_line("mosquitto_sub -h 127.0.0.1 -p %s -v %s", p->port, words));
}

/* first is the text's story: somebody listens, somebody speaks. */
static int first(struct play *p) {
    struct scene *s = p->s;
    scene_step(s, N_("1. One message"));
    scene_say(s, N_("A broker, a subscriber, a publisher: all on this machine, so all have the address 127.0.0.1."));
    if (!scene_broker(s, p->port, "")) return scene_failed(s, N_("mosquitto did not start"));
    if (!scene_capture(s, p->file, scene_line("tcp port %s", p->port)))
        return scene_failed(s, N_("the capture did not start"));
    if (listener(p, "heard", "-i listener -t topic/001 -C 1") < 0 || !scene_subscribed(s, "listener"))
        return scene_failed(s, N_("the subscriber did not start"));
    scene_run(s, scene_line("mosquitto_pub -h 127.0.0.1 -p %s -i speaker -t topic/001 -m 'hello!'", p->port));
    if (!scene_lines(s, "heard", 1)) return scene_failed(s, N_("the clients did not get through to the broker"));
    scene_say(s, N_("The subscriber printed:"));
    scene_show(s, "heard");
    return EXIT_FINE;
}

/* house is what else MQTT has. The dashboard ends by itself after its six messages: retained, QoS 0, 1 and 2, the
 * command, the will. */
static bool house(struct play *p) {
    struct scene *s = p->s;
    scene_step(s, N_("2. A house full of devices"));
    scene_say(s, N_("Seven more clients: a retained message, the three qualities of service, a command, and a pump "
                    "that dies, so that the broker publishes its will."));
    client(p, "-V 5 -i thermometer -q 1 -r -t home/kitchen/temperature -m 21.5 -D publish content-type text/plain -D "
              "publish message-expiry-interval 3600 -D publish user-property unit celsius");
    int dashboard = listener(p, "dashboard",
                             "-V 5 -i dashboard -q 2 -t home/# -t device/# -C 6 -D connect session-expiry-interval 60");
    if (!scene_lines(s, "dashboard", 1)) return false;
    client(p, "-V 311 -i meter -q 0 -t home/meter/power -m '{\"watt\":421}'");
    client(p, "-V 311 -i door -q 1 -t home/door/state -m open");
    client(p, "-V 5 -i lock -q 2 -t home/door/lock -m locked -D publish response-topic home/door/ack -D publish "
              "correlation-data req-1 -D publish user-property origin lesson");
    int pump = listener(p, "pump",
                        "-V 311 -i pump-7 -q 1 -t device/pump-7/command --will-topic device/pump-7/status "
                        "--will-payload offline --will-qos 1");
    if (pump < 0 || dashboard < 0 || !scene_subscribed(s, "pump-7")) return false;
    client(p, "-V 5 -i operator -q 1 -t device/pump-7/command -m start");
    if (!scene_lines(s, "pump", 1)) return false;
    child_signal(&s->kids, pump, SIGKILL); /* no DISCONNECT: the broker publishes the will */
    if (!scene_lines(s, "dashboard", 6)) return false;
    child_wait(&s->kids, dashboard, SETTLE_MS);
    return scene_capture_end(s);
}

static void roles(struct play *p) {
    struct scene *s = p->s;
    scene_say(s, N_("The ladder names who is who, and says what each kind of packet is for:"));
    scene_run(s, scene_line("weir ladder --teach %s 'tcp.stream <= 1'", p->file));
    scene_ask(s, N_("Everything is 127.0.0.1. How can one tell the publisher, the subscriber and the broker apart?"),
              N_("By what they do. Who sends SUBSCRIBE subscribes, who sends PUBLISH to the listening port publishes, "
                 "and who listens and answers CONNACK is the broker. The ladder and `weir explain` do just that."));
}

static void detail(struct play *p, const char *lock) {
    struct scene *s = p->s;
    scene_run(s, scene_line("weir read -n -r %s -Y mqtt", p->file));
    scene_say(s, N_("One of them in full. Port 1883 is not encrypted: topic, payload and all properties can be read."));
    scene_run(s, scene_line("weir read -n -V -O mqtt -r %s -Y '%s'", p->file, lock));
    scene_ask(s, N_("Which quality of service does the message to home/door/lock have, and what does it cost?"),
              N_("QoS 2, exactly once: PUBLISH, PUBREC, PUBREL, PUBCOMP, on each of the two legs, publisher to broker "
                 "and broker to subscriber."));
}

static void onward(struct play *p) {
    scene_next(p->s, (const char *const[]){
                         scene_line("weir explain %s", p->file), scene_line("weir read -r %s -V | less", p->file),
                         scene_line("weir read -r %s -T fields -e frame.number -e mqtt.msgtype -e mqtt.topic", p->file),
                         "weir fields mqtt", NULL});
}

int lesson_mqtt(struct scene *s) {
    struct play p = {.s = s, .file = s->keep ? s->keep : "mqtt.pcapng"};
    scene_port(s, 1883, p.port);
    int rc = first(&p);
    if (rc != EXIT_FINE) return rc;
    if (!house(&p)) return scene_failed(s, N_("the clients did not get through to the broker"));
    scene_step(s, N_("3. What was said"));
    roles(&p);
    detail(&p, scene_line("mqtt.topic == \"home/door/lock\" and tcp.dstport == %s", p.port));
    onward(&p);
    return EXIT_FINE;
}

static bool sample_find(const struct scene *s, char path[LESSON_PATH]) {
    static const char *const places[] = {"sample.pcapng", "../share/weir/sample.pcapng"};
    const char *slash = strrchr(s->self, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(path, LESSON_PATH, "%.*s/%s", (int)(slash - s->self), s->self, places[i]);
        if (!access(path, R_OK)) return true;
    }
    return false;
}

int lesson_sample(struct scene *s) {
    char path[LESSON_PATH];
    if (!sample_find(s, path)) return opt_bad_use(s->cmd, "the sample capture is not where it should be: %s", path);
    struct play p = {.s = s, .file = path};
    scene_say(s, N_("Here is the sample capture that ships with the program."));
    roles(&p);
    detail(&p, "mqtt.topic == \"home/door/lock\" and tcp.dstport == 1883");
    onward(&p);
    return EXIT_FINE;
}
