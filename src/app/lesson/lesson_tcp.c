/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on TCP: an echo server, a client with a port of its own, and the same once more by hand. */
#include "app/lesson/lesson.h"

static int echoed(struct scene *s, const char *server, const char *client) {
    scene_step(s, N_("1. A server that sends back what comes, and a client"));
    scene_say(s, N_("`weir lab echo` listens. nc connects to it from a port we choose, sends a line, a second one, and "
                    "ends. Meanwhile every packet is recorded."));
    if (scene_start(s, "echo.log", scene_line("weir lab echo 127.0.0.1:%s", server)) < 0 || !scene_listens(s, server))
        return scene_failed(s, N_("the echo server did not start"));
    if (!scene_capture(s, "tcp.pcapng", scene_line("tcp port %s", server)))
        return scene_failed(s, N_("the capture did not start"));
    scene_run(s, scene_line("(echo hoge; sleep 0.3; echo hoge; sleep 0.3) | nc -N -p %s 127.0.0.1 %s", client, server));
    if (!scene_lines(s, "echo.log", 5) || !scene_capture_end(s))
        return scene_failed(s, N_("the client did not get through to the server"));
    scene_say(s, N_("This is what the server saw:"));
    scene_show(s, "echo.log");
    return EXIT_FINE;
}

static void shown(struct scene *s, const char *server, const char *client) {
    scene_step(s, N_("2. What went over the wire"));
    scene_say(s, N_("A filter picks the packets of the two ports; the ladder draws them with a sentence for each kind "
                    "of step."));
    scene_run(s, scene_line("weir read -n -r tcp.pcapng -Y '(tcp.srcport == %s) or (tcp.srcport == %s)' | cut -c 1-%zu",
                            server, client, s->width));
    scene_run(s, "weir ladder --teach -v tcp.pcapng");
    scene_ask(s,
              N_("The textbook ends a connection with four packets: FIN, ACK, FIN, ACK. How many are here, and why?"),
              N_("Three. The server had nothing more to send when the client's FIN came, so its own FIN and the "
                 "acknowledgment travel in one packet."));
    scene_ask(s, N_("What are a socket, a connection, a stream and a session here?"),
              N_("A socket is one end: an address and a port, in the hands of a program. A connection is the pair of "
                 "both sockets. Each direction of it is a stream of bytes. A session is what the programs make of it, "
                 "such as one MQTT login; TCP knows nothing of it."));
}

static void by_hand(struct scene *s, const char *server) {
    scene_step(s, N_("3. The same by hand, and a trap"));
    scene_say(s, N_("A program can write its own packets: SYN, wait for SYN/ACK, ACK, data. First without care:"));
    scene_run(s, scene_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 --let-rst -w trap.pcapng", server));
    scene_ask(s, N_("The handshake broke off with a RST. Who sent it?"),
              N_("The operating system of the sender. It got a SYN/ACK for a port no program of its own has opened, "
                 "and says so. A packet written by hand does not open a socket."));
    scene_say(s,
              N_("So the system's RST must be held back for exactly this pair of ports while we play TCP ourselves:"));
    scene_run(s, scene_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 -w hand.pcapng", server));
    scene_run(s, "weir ladder hand.pcapng");
}

int lesson_tcp(struct scene *s) {
    char server[LESSON_PORT], client[LESSON_PORT];
    scene_port(s, 50000, server);
    scene_port(s, 50001, client);
    int rc = echoed(s, server, client);
    if (rc != EXIT_FINE) return rc;
    shown(s, server, client);
    by_hand(s, server);
    scene_next(s, (const char *const[]){"weir explain trap.pcapng", "weir diff hand.pcapng trap.pcapng",
                                        "weir follow tcp 0 -r tcp.pcapng",
                                        "weir lab echo 127.0.0.1:50000     # and nc 127.0.0.1 50000 beside it", NULL});
    return EXIT_FINE;
}
