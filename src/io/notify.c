/* SPDX-License-Identifier: Apache-2.0 */
#include "io/notify.h"
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3, MOST_FDS = 1024 };

void notify_send(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof to.sun_path) return;
    size_t n = strlen(path);
    memcpy(to.sun_path, path, n);
    if (*path == '@') to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len);
    close(fd);
}

static long env_number(const char *name) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

int64_t notify_watchdog_ms(void) {
    long us = env_number("WATCHDOG_USEC"), pid = env_number("WATCHDOG_PID");
    return us > 0 && (!pid || pid == getpid()) ? us / 2000 : 0;
}

int notify_sockets(void) {
    long n = env_number("LISTEN_FDS"), pid = env_number("LISTEN_PID");
    unsetenv("LISTEN_FDS"), unsetenv("LISTEN_PID"), unsetenv("LISTEN_FDNAMES");
    if (n <= 0 || n > MOST_FDS || (pid && pid != getpid())) return 0;
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return (int)n;
}
