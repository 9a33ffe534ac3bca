/* SPDX-License-Identifier: Apache-2.0 */
/* A guard that runs beside the server, as the page sees it. Theory of operation: the address of its admin page was
 * given on the command line, and only the questions listed here are passed on to it, with parameters written anew; so
 * nobody reaches another address or another question through the server. */
#include "io/ask.h"
#include "serve/web/web_in.h"

static void parameter(struct web_request *q, struct writer *path, const char *name, unsigned *n) {
    const char *value = web_query(q, name);
    if (!value) return;
    wr_f(path, "%c%s=", (*n)++ ? '&' : '?', name);
    for (; *value; value++) {
        bool plain =
            (*value >= '0' && *value <= '9') || (*value >= 'a' && *value <= 'z') || (*value >= 'A' && *value <= 'Z');
        if (plain) wr_c(path, *value);
        else wr_f(path, "%%%02X", (unsigned char)*value);
    }
}

static bool address(struct web_request *q, struct sock_addr *at) {
    char text[256] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    const char *where = q->web->plan->guard;
    if (!where)
        return web_problem(q, 404, "no guard runs beside this server; --guard ADDRESS:PORT names its admin page"),
               false;
    if (!strncmp(where, "http://", 7)) where += 7;
    if (sock_parse(at, where, 0, &why) == OK) return true;
    return web_problem(q, 502, "the guard's address: %s", text), false;
}

static void pass_on(struct web_request *q, const char *what) {
    struct sock_addr at;
    struct writer path = wr_grow();
    char text[256] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    unsigned n = 0;
    wr_f(&path, "/%s", what);
    parameter(q, &path, "kind", &n);
    parameter(q, &path, "value", &n);
    parameter(q, &path, "seconds", &n);
    parameter(q, &path, "reason", &n);
    wr_c(&path, 0);
    if (address(q, &at) && !path.err) {
        bool reads = !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD");
        struct writer body = wr_grow();
        int status = ask_http(&at, reads ? "GET" : q->method, path.buf, &body, &why);
        struct slice said = wr_done(&body);
        while (said.n && said.p[said.n - 1] == '\n') said.n--;
        if (status < 0) web_problem(q, 502, "the guard: %s", text);
        else if (status >= 400)
            web_problem(q, (unsigned)status, "the guard: %.*s", (int)(said.n < 200 ? said.n : 200),
                        (const char *)said.p);
        else if (reads) wr_slice(&q->reply.w, wr_done(&body));
        else q->reply.status = 204;
        wr_free(&body);
    }
    wr_free(&path);
}

void web_guard(struct web_request *q, const char *what) {
    static const char *const shown[] = {"stats", "bans", "talkers", "events"};
    bool known = false, reads = !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD");
    if (!*what && reads) {
        wr_f(&q->reply.w, "{\"configured\":%s}\n", q->web->plan->guard ? "true" : "false");
        return;
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) known |= !strcmp(what, shown[i]);
    if (!known) web_problem(q, 404, "of a guard there are stats, bans, talkers and events");
    else if (reads || (!strcmp(what, "bans") && (!strcmp(q->method, "POST") || !strcmp(q->method, "DELETE"))))
        pass_on(q, what);
    else web_problem(q, 405, "%s is not known here", "this method");
}
