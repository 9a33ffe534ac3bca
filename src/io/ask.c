/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ask.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static bool await(int fd, short what, int64_t until) {
    struct pollfd p = {.fd = fd, .events = what};
    int64_t left = until - clock_ms();
    return left > 0 && poll(&p, 1, (int)left) > 0;
}

static bool send_all(int fd, struct slice s, int64_t until) {
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (n < 0 && !await(fd, POLLOUT, until)) return false;
        if (n > 0) s = slice_tail(s, (size_t)n);
    }
    return true;
}

/* receive_all reads to the end of the connection. */
static bool receive_all(int fd, struct writer *all, int64_t until) {
    char piece[16384];
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n == 0) return true;
        if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (n < 0 && !await(fd, POLLIN, until)) return false;
        if (n > 0) wr_bytes(all, piece, (size_t)n);
        if (wr_len(all) > ASK_ANSWER_MAX || all->err) return false;
    }
}

/* chunks_join copies a body in chunks (RFC 9112 7.1); false where it is none. */
static bool chunks_join(struct writer *body, struct slice s) {
    while (s.n) {
        char size[12] = "", *end;
        const uint8_t *line = memmem(s.p, s.n, "\r\n", 2);
        size_t n = line ? (size_t)(line - s.p) : 0;
        if (!n || n >= sizeof size) return false;
        memcpy(size, s.p, n);
        unsigned long chunk = strtoul(size, &end, 16);
        s = slice_tail(s, n + 2);
        if (end == size || chunk > s.n) return false;
        if (!chunk) return true;
        wr_slice(body, slice_head(s, chunk));
        s = slice_tail(s, chunk + 2);
    }
    return false;
}

static int answer_read(struct slice all, struct writer *body, struct writer *why) {
    const uint8_t *end = memmem(all.p, all.n, "\r\n\r\n", 4);
    int status = 0;
    if (!end || all.n < 12 || memcmp(all.p, "HTTP/1.", 7) != 0) return wr_s(why, "it does not speak HTTP"), ERR_FORMAT;
    for (int i = 9; i < 12; i++) status = status * 10 + (all.p[i] - '0');
    struct slice head = slice_of(all.p, (size_t)(end - all.p)), rest = slice_tail(all, head.n + 4);
    bool chunked = false;
    for (size_t i = 0; i + 26 < head.n && !chunked; i++)
        chunked = !strncasecmp((const char *)head.p + i, "transfer-encoding: chunked", 26);
    if (!chunked) wr_slice(body, rest);
    else if (!chunks_join(body, rest)) return wr_s(why, "its answer is damaged"), ERR_FORMAT;
    return status;
}

int ask_http(const struct sock_addr *to, const char *method, const char *path, struct writer *body,
             struct writer *why) {
    int64_t until = clock_ms() + ASK_MS;
    struct writer text = wr_grow(), all = wr_grow();
    int fd = sock_connect(to, NULL), r = ERR_IO;
    wr_f(&text, "%s %s HTTP/1.1\r\nHost: ", method, path);
    sock_print(to, &text);
    wr_s(&text, "\r\nX-Weir: yes\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    if (fd < 0 || !await(fd, POLLOUT, until) || sock_connected(fd)) wr_s(why, "nobody answers at its address");
    else if (text.err || !send_all(fd, wr_done(&text), until) || !receive_all(fd, &all, until))
        wr_s(why, "it does not answer in time");
    else r = answer_read(wr_done(&all), body, why);
    if (fd >= 0) close(fd);
    wr_free(&text);
    wr_free(&all);
    return r;
}
