/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson on HTTPS: two versions of TLS, a private key, a key log. */
#include "app/lesson/lesson.h"

#define NAME "device.example"

static bool server_start(struct scene *s, const char *port, const char *log, const char *more) {
    return scene_start(
               s, log,
               scene_line("openssl s_server -accept 127.0.0.1:%s -HTTP -quiet -key server.key -cert server.pem %s",
                          port, more)) >= 0 &&
           scene_listens(s, port);
}

static int request(struct scene *s, const char *port, const char *file, const char *more) {
    if (!scene_capture(s, file, scene_line("tcp port %s", port)))
        return scene_failed(s, N_("the capture did not start"));
    int status = scene_run(
        s, scene_line("SSLKEYLOGFILE=keys.log curl -sS -w ' %%{http_code}\\n' --cacert server.pem --resolve " NAME
                      ":%s:127.0.0.1 %shttps://" NAME ":%s/reading",
                      port, more, port));
    if (status != 0 || !scene_capture_end(s)) return scene_failed(s, N_("curl did not get an answer"));
    return EXIT_FINE;
}

static int modern(struct scene *s, const char *port) {
    scene_step(s, N_("1. A request by HTTPS, as it goes today"));
    scene_say(s, N_("A server with a certificate made for this lesson, and curl, which trusts it. curl also writes "
                    "down the keys of its sessions, because SSLKEYLOGFILE is set."));
    if (scene_quiet(
            s, "openssl.log",
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem -days 2 -subj /CN=" NAME
            " -addext subjectAltName=DNS:" NAME) != 0)
        return scene_failed(s, N_("openssl could not make a certificate"));
    if (!scene_write(s, "reading",
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"temp\":21.5}"))
        return scene_failed(s, N_("the folder of the lesson cannot be written to"));
    if (!server_start(s, port, "server.log", "")) return scene_failed(s, N_("the server did not start"));
    int rc = request(s, port, "today.pcapng", "");
    if (rc != EXIT_FINE) return rc;
    scene_run(s, "weir ladder --teach today.pcapng");
    return EXIT_FINE;
}

static void opened(struct scene *s) {
    scene_step(s, N_("2. Which key opens it?"));
    scene_ask(s, N_("The private key of the server is in server.key. Does it open this capture?"),
              N_("No. The session's key was agreed on with throw-away halves (ECDHE), which are in no file. The "
                 "private key only signed the handshake. The key log has the secrets themselves."));
    scene_run(s, "weir read -n -r today.pcapng --key server.key -Y http");
    scene_run(s, "weir explain -v today.pcapng --key server.key");
    scene_say(s, N_("With the key log the request is readable:"));
    scene_run(s, "weir read -n -r today.pcapng --keylog keys.log -Y http");
}

static int older(struct scene *s, const char *port) {
    scene_step(s, N_("3. Where the private key does open it"));
    scene_say(s, N_("TLS 1.2 without a throw-away key (plain RSA) is what older recipes are about: there the client "
                    "encrypts the secret for the key of the certificate."));
    if (!server_start(s, port, "older.log", "-tls1_2 -cipher AES128-GCM-SHA256"))
        return scene_failed(s, N_("the server did not start"));
    int rc = request(s, port, "older.pcapng", "--tls-max 1.2 --ciphers AES128-GCM-SHA256 ");
    if (rc != EXIT_FINE) return rc;
    scene_run(s, "weir read -n -r older.pcapng --key server.key -Y http");
    scene_ask(
        s, N_("You want to pass the first capture on so that others can read it. Must the key log go with it?"),
        N_("It can be put into the capture: one file that opens itself. Remember that whoever has it can read it."));
    scene_run(s, "weir edit today.pcapng -w readable.pcapng --inject-secrets keys.log");
    scene_run(s, "weir read -n -t ad -r readable.pcapng -Y http");
    return EXIT_FINE;
}

int lesson_https(struct scene *s) {
    char today[LESSON_PORT], before[LESSON_PORT];
    scene_port(s, 8443, today);
    scene_port(s, 8444, before);
    int rc = modern(s, today);
    if (rc != EXIT_FINE) return rc;
    opened(s);
    rc = older(s, before);
    if (rc != EXIT_FINE) return rc;
    scene_next(s, (const char *const[]){
                      "weir follow http 0 -r readable.pcapng", "weir read -V -O tls -r today.pcapng | less",
                      "weir run -w own.pcapng -- curl https://example.org/     # records its keys by itself",
                      "weir capture -i eth0 -G 60 -W 1 -w 'https-%H%M.pcapng' port 443     # one minute, ends on "
                      "a silent link too",
                      NULL});
    return EXIT_FINE;
}
