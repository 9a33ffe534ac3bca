/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on TCP: an echo server, a client with a port of its own, and the same once more by hand. */
#include "analyse/explain/judge.h"
#include "app/lesson.h"

static int echoed(struct stage *s, const char *server, const char *client) {
    stage_step(s, N_("1. A server that sends back what comes, and a client"));
    stage_say(
        s, N_("`weir lab echo` listens. nc connects to it from a port we choose, sends a line, a second one, and ends. "
              "Meanwhile every packet is recorded."));
    if (stage_start(s, "echo.log", stage_line("weir lab echo 127.0.0.1:%s", server)) < 0 || !stage_listens(s, server))
        return stage_failed(s, N_("the echo server did not start"));
    if (!stage_capture(s, "tcp.pcapng", stage_line("tcp port %s", server)))
        return stage_failed(s, N_("the capture did not start"));
    stage_run(s, stage_line("(echo hoge; sleep 0.3; echo hoge; sleep 0.3) | nc -N -p %s 127.0.0.1 %s", client, server));
    if (!stage_lines(s, "echo.log", 5) || !stage_capture_end(s))
        return stage_failed(s, N_("the client did not get through to the server"));
    stage_say(s, N_("This is what the server saw:"));
    stage_show(s, "echo.log");
    return EXIT_FINE;
}

static void shown(struct stage *s, const char *server, const char *client) {
    stage_step(s, N_("2. What went over the wire"));
    stage_say(s,
              N_("A filter picks the packets of the two ports; the ladder draws them with a sentence for each kind of "
                 "step."));
    stage_run(s,
              stage_line("weir read -n -r tcp.pcapng -Y '(tcp.srcport == %s) or (tcp.srcport == %s)'", server, client));
    stage_run(s, "weir ladder --teach -v tcp.pcapng");
    stage_ask(s,
              N_("The textbook ends a connection with four packets: FIN, ACK, FIN, ACK. How many are here, and why?"),
              N_("Three. The server had nothing more to send when the client's FIN came, so its own FIN and the "
                 "acknowledgment travel in one packet."));
    stage_ask(
        s, N_("What are a socket, a connection, a stream and a session here?"),
        N_("A socket is one end: an address and a port, in the hands of a program. A connection is the pair of both "
           "sockets. Each direction of it is a stream of bytes. A session is what the programs make of it, such as one "
           "MQTT login; TCP knows nothing of it."));
}

static void by_hand(struct stage *s, const char *server) {
    stage_step(s, N_("3. The same by hand, and a trap"));
    stage_say(s, N_("A program can write its own packets: SYN, wait for SYN/ACK, ACK, data. First without care:"));
    stage_run(s, stage_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 --let-rst -w trap.pcapng", server));
    stage_ask(
        s, N_("The handshake broke off with a RST. Who sent it?"),
        N_("The operating system of the sender. It got a SYN/ACK for a port no program of its own has opened, and says "
           "so. A packet written by hand does not open a socket."));
    stage_say(s,
              N_("So the system's RST must be held back for exactly this pair of ports while we play TCP ourselves:"));
    stage_run(s, stage_line("weir craft tcp 127.0.0.1 %s --data 'hoge\\n' --wait 1 -w hand.pcapng", server));
    stage_run(s, "weir ladder hand.pcapng");
}

int lesson_tcp(struct stage *s) {
    char server[LESSON_PORT], client[LESSON_PORT];
    stage_port(s, 50000, server);
    stage_port(s, 50001, client);
    int rc = echoed(s, server, client);
    if (rc != EXIT_FINE) return rc;
    shown(s, server, client);
    by_hand(s, server);
    stage_next(s, (const char *const[]){"weir explain trap.pcapng", "weir diff hand.pcapng trap.pcapng",
                                        "weir follow tcp 0 -r tcp.pcapng",
                                        "weir lab echo 127.0.0.1:50000     # and nc 127.0.0.1 50000 beside it", NULL});
    return EXIT_FINE;
}
