/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on a failure: a data sink, a run that works, one that does not, and the first difference. */
#include "app/lesson/lesson.h"

static int good_run(struct scene *s, const char *port) {
    scene_step(s, N_("1. A service that stores data, and a device that works"));
    scene_say(
        s, N_("`weir lab sink` takes a line by TCP, stores it and answers 201. First nc sends one, as the good run."));
    if (scene_start(s, "sink.log", scene_line("weir lab sink 127.0.0.1:%s --store data.db", port)) < 0 ||
        !scene_listens(s, port))
        return scene_failed(s, N_("the data sink did not start"));
    if (!scene_capture(s, "good.pcapng", scene_line("tcp port %s", port)))
        return scene_failed(s, N_("the capture did not start"));
    scene_run(s, scene_line("echo hoge | nc -N 127.0.0.1 %s", port));
    if (!scene_lines(s, "sink.log", 2) || !scene_capture_end(s)) return scene_failed(s, N_("nothing was stored"));
    scene_run(s, "weir lab sink --list --store data.db");
    return EXIT_FINE;
}

static int bad_run(struct scene *s, const char *port) {
    scene_step(s, N_("2. A device that fails"));
    scene_say(s, N_("This device makes its TCP packets itself, as a test program with raw sockets does. Data volume is "
                    "used, and yet nothing is stored:"));
    if (!scene_capture(s, "bad.pcapng", scene_line("tcp port %s", port)))
        return scene_failed(s, N_("the capture did not start"));
    scene_quiet(s, "device.log", scene_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 --let-rst", port));
    if (!scene_capture_end(s)) return scene_failed(s, N_("the capture broke off"));
    scene_run(s, "weir lab sink --list --store data.db");
    scene_run(s, "weir stats conversations tcp -r bad.pcapng");
    scene_ask(s, N_("Did the data reach the service? The counter of bytes is not zero."),
              N_("Bytes prove nothing: a DNS query or a handshake has bytes too. What counts is whether the service "
                 "took the packet with the data, and it did not."));
    return EXIT_FINE;
}

int lesson_stopped(struct scene *s) {
    char port[LESSON_PORT];
    scene_port(s, 8514, port);
    int rc = good_run(s, port);
    if (rc == EXIT_FINE) rc = bad_run(s, port);
    if (rc != EXIT_FINE) return rc;
    scene_step(s, N_("3. Where did it stop?"));
    scene_say(s, N_("The general method, even for a protocol nobody knows: record a good run and the failing one, and "
                    "look for the first difference."));
    scene_run(s, "weir diff good.pcapng bad.pcapng");
    scene_run(s, "weir ladder --teach bad.pcapng");
    scene_ask(s, N_("Where did it stop, and whose fault is it?"),
              N_("Behind SYN/ACK: the device's own operating system answered with RST, since it does not know the "
                 "socket. The network and the service are fine."));
    scene_run(s, "weir explain bad.pcapng");
    scene_step(s, N_("4. The remedy"));
    scene_say(s, N_("While the test runs, the system's RST towards this service is held back. Then the same device "
                    "gets through:"));
    scene_run(s, scene_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 -w fixed.pcapng", port));
    scene_run(s, "weir lab sink --list --store data.db");
    scene_next(s, (const char *const[]){"weir diff good.pcapng fixed.pcapng", "weir read -r bad.pcapng -V | less",
                                        "weir lab net list     # other ways to be broken, to try", NULL});
    return EXIT_FINE;
}
