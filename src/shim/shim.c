/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: the library that `weir run` preloads into the command and its children.
 *
 * It stands in front of a few functions of the C library and of OpenSSL, calls the real one and then says what became
 * known: the ends of a socket, a name that is looked up, the keys of a TLS session. What it says goes to two files
 * (shim/report.h) that are opened, written once and closed each time, so that no descriptor of the program is used up
 * or survives in it. Results and errno are the real function's, always. Nothing is allocated; where a file cannot be
 * written, the program goes on as if the library were not there.
 *
 * OpenSSL is not linked: the real functions are looked up from the object that calls, since a TLS library is often
 * loaded privately (a module of Python), and several may live in one process. A key log callback the program sets
 * itself is called as well. Programs that are linked statically, or run with other rights than their caller's, never
 * load this library. */
#include "shim/report.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* Where the TLS library of the call in progress is: it calls itself by names that lead here, and by a jump, after which
 * the caller seems to be this library. */
static _Thread_local const void *library;

static bool object_of(const void *code, Dl_info *info) { return code && dladdr(code, info) && info->dli_fname; }

/* real_of finds the function that would have been called without this library. */
static void *real_of(const char *name, const void *caller) {
    Dl_info self = {0}, from;
    void *found = NULL;
    (void)object_of((const void *)(uintptr_t)real_of, &self);
    bool known = object_of(caller, &from);
    if (known && from.dli_fbase == self.dli_fbase) known = object_of(library, &from);
    void *object = known ? dlopen(from.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    if (object) {
        Dl_info owner;
        found = dlsym(object, name);
        if (object_of(found, &owner) && owner.dli_fbase == self.dli_fbase)
            found = NULL; /* the program finds us first */
        dlclose(object);
    }
    return found ? found : dlsym(RTLD_NEXT, name);
}

/* NEXT finds a function of the C library, of which there is one. */
#define NEXT(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (!real) real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)

static void append(const char *variable, const struct iovec *parts, int n) {
    int before = errno;
    const char *path = getenv(variable);
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0) {
        (void)!writev(fd, parts, n);
        close(fd);
    }
    errno = before;
}

static void report(struct shim_report *r) {
    r->size = sizeof *r;
    r->pid = (uint32_t)getpid();
    struct iovec one = {r, sizeof *r};
    append(SHIM_REPORT_ENV, &one, 1);
}

static void report_name(enum shim_kind kind, const char *name) {
    struct shim_report r = {.kind = (uint8_t)kind};
    strncpy(r.name, name, sizeof r.name - 1);
    report(&r);
}

static void end_take(struct shim_end *e, const struct sockaddr_storage *a) {
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        memcpy(e->addr, &in->sin_addr, e->len = 4);
        e->port = ntohs(in->sin_port);
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)a;
        memcpy(e->addr, &in->sin6_addr, e->len = 16);
        e->port = ntohs(in->sin6_port);
    }
}

/* socket_tell says which ends a socket of the Internet has. */
static void socket_tell(int fd) {
    int before = errno, proto = 0;
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a, m = sizeof proto;
    struct shim_report r = {.kind = SHIM_SOCKET};
    if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 && (a.ss_family == AF_INET || a.ss_family == AF_INET6) &&
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &m) == 0) {
        end_take(&r.local, &a);
        n = sizeof a;
        if (getpeername(fd, (struct sockaddr *)&a, &n) == 0) end_take(&r.peer, &a);
        r.proto = (uint8_t)proto;
        if (r.local.port || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) report(&r);
    }
    errno = before;
}

/* Sockets without a peer are told of at their first datagram; a descriptor that is made anew is new. */
static _Atomic uint8_t told[1024];

static void sender_tell(int fd) {
    if (fd >= 0 && fd < (int)sizeof told && told[fd]) return;
    if (fd >= 0 && fd < (int)sizeof told) told[fd] = 1;
    socket_tell(fd);
}

PUBLIC int socket(int domain, int type, int protocol) {
    NEXT(socket);
    int fd = real(domain, type, protocol);
    if (fd >= 0 && fd < (int)sizeof told) told[fd] = 0;
    return fd;
}

PUBLIC int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t n) {
    NEXT(connect);
    int r = real(fd, to, n);
    if (r == 0 || errno == EINPROGRESS || errno == EALREADY || errno == EINTR) socket_tell(fd);
    return r;
}

PUBLIC int bind(int fd, __CONST_SOCKADDR_ARG a, socklen_t n) {
    NEXT(bind);
    int r = real(fd, a, n);
    if (r == 0) socket_tell(fd);
    return r;
}

PUBLIC int listen(int fd, int backlog) {
    NEXT(listen);
    int r = real(fd, backlog);
    if (r == 0) socket_tell(fd);
    return r;
}

PUBLIC ssize_t sendto(int fd, const void *p, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t len) {
    NEXT(sendto);
    ssize_t r = real(fd, p, n, flags, to, len);
    if (to.__sockaddr__ && r >= 0) sender_tell(fd);
    return r;
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
    NEXT(sendmsg);
    ssize_t r = real(fd, m, flags);
    if (r >= 0 && m && m->msg_name) sender_tell(fd);
    return r;
}

PUBLIC int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags) {
    NEXT(sendmmsg);
    int r = real(fd, m, n, flags);
    if (r > 0 && m && m->msg_hdr.msg_name) sender_tell(fd);
    return r;
}

/* The resolver's own sockets are not seen from here, but its questions hold the name. */
PUBLIC int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
    NEXT(getaddrinfo);
    if (node) report_name(SHIM_LOOKUP, node);
    return real(node, service, hints, res);
}

PUBLIC struct hostent *gethostbyname(const char *name) {
    NEXT(gethostbyname);
    if (name) report_name(SHIM_LOOKUP, name);
    return real(name);
}

/* OpenSSL. */

typedef void (*keylog_fn)(const void *ssl, const char *line);
typedef void (*keylog_set_fn)(void *ctx, keylog_fn cb);

/* The callbacks programs set themselves, by context; what does not fit loses its own and keeps ours. */
enum { CONTEXTS = 1024 };
static struct {
    void *ctx;
    keylog_fn cb;
} theirs[CONTEXTS];
static pthread_mutex_t theirs_lock = PTHREAD_MUTEX_INITIALIZER;

static bool theirs_put(void *ctx, keylog_fn cb) {
    bool done = false;
    pthread_mutex_lock(&theirs_lock);
    for (int pass = 0; pass < 2 && !done; pass++) {
        for (int i = 0; i < CONTEXTS && !done; i++) {
            if (theirs[i].ctx != (pass ? NULL : ctx)) continue;
            if (cb || !pass) theirs[i].ctx = cb ? ctx : NULL;
            theirs[i].cb = cb;
            done = true;
        }
    }
    pthread_mutex_unlock(&theirs_lock);
    return done;
}

static keylog_fn theirs_get(const void *ctx) {
    keylog_fn cb = NULL;
    pthread_mutex_lock(&theirs_lock);
    for (int i = 0; i < CONTEXTS && !cb; i++)
        if (theirs[i].ctx == ctx) cb = theirs[i].cb;
    pthread_mutex_unlock(&theirs_lock);
    return cb;
}

static void on_key(const void *ssl, const char *line) {
    struct iovec parts[] = {{(void *)(uintptr_t)line, strlen(line)}, {(void *)(uintptr_t) "\n", 1}};
    append(SHIM_KEYS_ENV, parts, 2);
    bool any = false;
    pthread_mutex_lock(&theirs_lock);
    for (int i = 0; i < CONTEXTS && !any; i++) any = theirs[i].ctx != NULL;
    pthread_mutex_unlock(&theirs_lock);
    if (!any) return;
    void *(*ctx_of)(const void *) =
        (void *(*)(const void *))(uintptr_t)real_of("SSL_get_SSL_CTX", __builtin_return_address(0));
    keylog_fn cb = ctx_of ? theirs_get(ctx_of(ssl)) : NULL;
    if (cb) cb(ssl, line);
}

/* joined makes a new context log its keys; `caller` is who made it. */
static void joined(void *ctx, const void *caller) {
    int before = errno;
    keylog_set_fn set = ctx ? (keylog_set_fn)(uintptr_t)real_of("SSL_CTX_set_keylog_callback", caller) : NULL;
    static _Atomic bool once;
    if (set) {
        theirs_put(ctx, NULL); /* of a context that had this address before */
        set(ctx, on_key);
    }
    if (set && !once) {
        once = true;
        report_name(SHIM_TLS, "OpenSSL");
    }
    errno = before;
}

PUBLIC void *SSL_CTX_new(const void *method) {
    void *caller = __builtin_return_address(0);
    void *(*real)(const void *) = (void *(*)(const void *))(uintptr_t)real_of("SSL_CTX_new", caller);
    library = (const void *)(uintptr_t)real;
    void *ctx = real ? real(method) : NULL;
    joined(ctx, caller);
    return ctx;
}

PUBLIC void *SSL_CTX_new_ex(void *lib, const char *properties, const void *method) {
    void *caller = __builtin_return_address(0);
    void *(*real)(void *, const char *, const void *) =
        (void *(*)(void *, const char *, const void *))(uintptr_t)real_of("SSL_CTX_new_ex", caller);
    void *ctx = real ? real(lib, properties, method) : NULL;
    joined(ctx, caller);
    return ctx;
}

PUBLIC void SSL_CTX_set_keylog_callback(void *ctx, keylog_fn cb) {
    keylog_set_fn real = (keylog_set_fn)(uintptr_t)real_of("SSL_CTX_set_keylog_callback", __builtin_return_address(0));
    bool kept = theirs_put(ctx, cb);
    if (real) real(ctx, kept || !cb ? on_key : cb);
}

__attribute__((constructor)) static void loaded(void) { report_name(SHIM_LOADED, ""); }
