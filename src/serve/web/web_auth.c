/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a token is 256 random bits, shown once; the store has its SHA-256, its role and its name, so
 * whoever reads the store can ask for nothing. A role may what those before it may: view reads, capture also starts,
 * stops, uploads and deletes, admin also reads who did what. Where no token is needed, everybody is admin.
 *
 * A download address carries what it is for, until when, a number that is used once, and the HMAC of it all under a key
 * of the store; nothing is kept until it is used. */
#include "base/clock.h"
#include "io/digest.h"
#include "io/sock.h"
#include "serve/web/web_in.h"
#include "view/view.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { NONCE = 16, ADDRESS_PARTS = 256 };

static const char *header(struct web_request *q, const char *name) {
    return mhd.lookup_connection_value(q->c, MHD_HEADER_KIND, name);
}

static void hex_write(char *out, const uint8_t *bytes, size_t n) {
    struct writer w = wr_fixed(out, 2 * n);
    wr_hexbytes(&w, slice_of(bytes, n), 0);
    out[2 * n] = 0;
}

/* ---- tokens ---- */

bool web_token_make(char token[WEB_TOKEN + 1], uint8_t hash[32]) {
    uint8_t bytes[WEB_TOKEN / 2];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return false;
    hex_write(token, bytes, sizeof bytes);
    return digest_sha256(hash, slice_str(token));
}

/* same takes the same time wherever the first difference is. */
static bool same(const uint8_t *a, const uint8_t *b, size_t n) {
    unsigned char differs = 0;
    for (size_t i = 0; i < n; i++) differs |= (unsigned char)(a[i] ^ b[i]);
    return !differs;
}

enum store_role web_token_role(struct web *s, const char *token, char who[SESSION_WHO_MAX + 1]) {
    uint8_t hash[STORE_HASH];
    if (strlen(token) != WEB_TOKEN || !digest_sha256(hash, slice_str(token))) return ROLE_NONE;
    if (s->store) return store_token_role(s->store, hash, who);
    snprintf(who, SESSION_WHO_MAX + 1, "start");
    return s->token[0] && same(hash, s->token_hash, sizeof hash) ? ROLE_ADMIN : ROLE_NONE;
}

enum store_role web_auth(struct web_request *q) {
    const char *bearer = header(q, "Authorization"), *peek = header(q, "X-Soracom-Token");
    const char *token = bearer && !strncasecmp(bearer, "Bearer ", 7) ? bearer + 7 : peek && *peek ? peek : NULL;
    if (token) return web_token_role(q->web, token, q->who);
    if (q->web->needs_token) return ROLE_NONE;
    snprintf(q->who, sizeof q->who, "%s", q->web->loopback ? "local" : "anybody");
    return ROLE_ADMIN;
}

static bool begins(const char *text, const char *head) { return strncmp(text, head, strlen(head)) == 0; }

static bool ends(const char *text, const char *tail) {
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

enum store_role web_role_needed(const struct web_request *q) {
    bool reads = !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD");
    if (begins(q->url, "/v1/download/") && reads) return ROLE_NONE; /* the address is the permission */
    if (!strcmp(q->url, "/v1/auth")) return ROLE_NONE;
    if (begins(q->url, "/v1/audit")) return ROLE_ADMIN;
    if (begins(q->url, "/v1/guard") && !reads) return ROLE_ADMIN;
    if (begins(q->url, "/v1/jobs/")) return ROLE_VIEW; /* who may ask may also stop asking */
    bool asks_address = ends(q->url, "/address") && !strcmp(q->method, "POST");
    return reads || asks_address ? ROLE_VIEW : ROLE_CAPTURE;
}

bool web_tokens_begin(struct web *s) {
    if (s->store && store_secret(s->store, s->secret) < 0) {
        fprintf(stderr, "weir serve: the store cannot be written\n");
        return false;
    }
    if (!s->needs_token || (s->store && store_tokens_count(s->store))) return true;
    if (!web_token_make(s->token, s->token_hash)) return false;
    if (!s->store || store_token_add(s->store, s->token_hash, ROLE_ADMIN, "first", clock_wall_ms()) == OK) return true;
    fprintf(stderr, "weir serve: the token cannot be stored\n");
    return false;
}

/* ---- who did what ---- */

void web_audit(struct web_request *q) {
    if (!q->web->store) return;
    char path[160];
    size_t n = 0;
    for (; q->url[n] && n < sizeof path - 1; n++) path[n] = q->url[n] >= ' ' && q->url[n] < 0x7f ? q->url[n] : '?';
    path[n] = 0;
    struct store_action a = {.at = clock_wall_ms(),
                             .who = q->who,
                             .from = q->from,
                             .method = q->method,
                             .path = path,
                             .status = (int)q->reply.status};
    (void)store_audit_add(q->web->store, &a);
}

struct listing {
    struct writer *w;
    uint64_t n;
    int64_t last;
};

static void action_json(void *to, const struct store_action *a) {
    struct listing *l = to;
    struct {
        const char *name, *text;
    } const texts[] = {{"who", a->who}, {"from", a->from}, {"method", a->method}, {"path", a->path}};
    wr_f(l->w, "%s{\"id\":%lld", l->n++ ? ",\n" : "", (long long)a->id);
    web_time_json(l->w, "at", a->at);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        wr_f(l->w, ",\"%s\":", texts[i].name);
        json_text(l->w, slice_str(texts[i].text));
    }
    wr_f(l->w, ",\"status\":%d}", a->status);
    l->last = a->id;
}

void web_audit_list(struct web_request *q) {
    uint64_t limit, before;
    struct listing l = {.w = &q->reply.w};
    if (!web_keeper(q) || !web_number(q, "limit", 100, WEB_LIST_MAX, &limit) ||
        !web_number(q, "next", 0, INT64_MAX, &before))
        return;
    wr_s(l.w, "{\"actions\":[");
    int rc = store_audit(q->web->store, (int64_t)before, (uint32_t)limit, action_json, &l);
    if (rc < 0) return web_problem(q, 500, "the store cannot be read: %s", err_text(rc));
    wr_s(l.w, "]");
    if (l.n && l.n == limit && l.last > 1) wr_f(l.w, ",\"next\":%lld", (long long)l.last);
    wr_s(l.w, "}\n");
}

/* ---- download addresses ---- */

static bool sign(const struct web *s, const char *id, int64_t expires, const char *nonce,
                 char out[2 * STORE_HASH + 1]) {
    char text[ADDRESS_PARTS];
    uint8_t mac[STORE_HASH];
    int n = snprintf(text, sizeof text, "download\n%s\n%lld\n%s", id, (long long)expires, nonce);
    if (n < 0 || n >= (int)sizeof text || !digest_hmac(mac, s->secret, slice_of(text, (size_t)n))) return false;
    hex_write(out, mac, sizeof mac);
    return true;
}

void web_address_make(struct web_request *q, const struct session *x, int64_t seconds, struct writer *w) {
    char nonce[2 * NONCE + 1], signature[2 * STORE_HASH + 1];
    uint8_t random[NONCE];
    int64_t expires = clock_wall_ms() / 1000 + seconds;
    const char *host = header(q, "Host");
    if (getrandom(random, sizeof random, 0) != sizeof random) return;
    hex_write(nonce, random, sizeof random);
    if (!sign(q->web, x->id, expires, nonce, signature)) return;
    wr_f(w, "%s://%s/v1/download/%s/%s?expires=%lld&nonce=%s&signature=%s", q->web->tls ? "https" : "http",
         host ? host : "localhost", x->id, x->file, (long long)expires, nonce, signature);
}

/* address_read takes an address apart and checks its signature. */
static bool address_read(struct web_request *q, char id[SESSION_ID + 1], int64_t *expires, const char **nonce) {
    const char *at = q->url + strlen("/v1/download/"), *slash = strchr(at, '/'), *until = web_query(q, "expires"),
               *given = web_query(q, "signature");
    char signature[2 * STORE_HASH + 1], *end;
    *nonce = web_query(q, "nonce");
    if (!slash || slash - at != SESSION_ID || !until || !*nonce || !given || strlen(*nonce) != 2 * NONCE) return false;
    memcpy(id, at, SESSION_ID);
    id[SESSION_ID] = 0;
    *expires = strtoll(until, &end, 10);
    if (*end || strlen(given) != 2 * STORE_HASH || !sign(q->web, id, *expires, *nonce, signature)) return false;
    return same((const uint8_t *)given, (const uint8_t *)signature, 2 * STORE_HASH);
}

void web_address_use(struct web_request *q) {
    char id[SESSION_ID + 1];
    int64_t expires, now = clock_wall_ms() / 1000;
    uint64_t version;
    const char *nonce;
    struct session x;
    if (!web_keeper(q)) return;
    q->audited = true;
    if (!address_read(q, id, &expires, &nonce)) return web_problem(q, 403, "this address was not made by this server");
    if (now > expires) return web_problem(q, 410, "this address has expired; ask for a new one");
    if (keeper_get(q->web->keeper, id, &x, &version) != OK || !x.file[0])
        return web_problem(q, 404, "the capture is gone");
    if (!strcmp(q->method, "GET")) {
        int rc = store_use(q->web->store, nonce, expires, now);
        if (rc == ERR_LIMIT) return web_problem(q, 410, "this address was used; ask for a new one");
        if (rc < 0) return web_problem(q, 500, "the store cannot be written: %s", err_text(rc));
    }
    web_session_file(q, &x);
}
