/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/stats/host_names.h"

#include "analyse/stats/stats.h"

#include <ctype.h>
#include <strings.h>

struct host_names host_names_make(struct hash_key secret) {
    return (struct host_names){.hosts = keytab_make(sizeof(struct talk_addr), sizeof(struct host), HOSTS_NAMED_MAX),
                               .secret = secret};
}

void host_names_free(struct host_names *h) { keytab_free(&h->hosts); }

void host_names_want(struct want *w) {
    static const uint16_t ids[] = {FID_DNS_QRY_NAME, FID_DNS_RESP_NAME, FID_DNS_CNAME, FID_DNS_A,
                                   FID_DNS_AAAA,     FID_TLS_SNI,       FID_HTTP_HOST};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) want_add(w, ids[i]);
}

bool host_names_field(uint16_t id) {
    return id == FID_DNS_A || id == FID_DNS_AAAA || id == FID_TLS_SNI || id == FID_HTTP_HOST;
}

/* name_note adds a name of an address. Addresses written out are none: no top-level domain ends in a digit. */
static void name_note(struct host_names *h, const struct talk_addr *addr, struct slice text) {
    enum { NAME_MAX_TEXT = 255 };
    uint8_t small[NAME_MAX_TEXT];
    struct talk_addr key = *addr;
    struct name name;
    if (text.n && text.p[text.n - 1] == '.') text.n--;
    if (!key.len || !text.n || text.n > sizeof small) return;
    if (isdigit(text.p[text.n - 1]) || text.p[text.n - 1] == ']') return;
    for (size_t i = 0; i < text.n; i++) small[i] = (uint8_t)tolower(text.p[i]);
    name_set(&name, h->secret, slice_of(small, text.n));
    key.port = 0;
    struct host *host = keytab_get(&h->hosts, &key);
    if (!host) return;
    for (uint32_t i = 0; i < host->names; i++)
        if (memcmp(&host->name[i], &name, sizeof name) == 0) return;
    if (host->names < HOST_NAMES) host->name[host->names++] = name;
    else host->more = true;
}

/* host_part returns the host of "host:port". */
static struct slice host_part(struct slice s) {
    const uint8_t *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
    return colon ? slice_head(s, (size_t)(colon - s.p)) : s;
}

void host_names_packet(struct host_names *h, const struct decode *d, const struct talk_addr *dst) {
    const struct fval *f = d->out->v, *last = f + stats_outer(d);
    struct slice asked = {0}, alias = {0};
    struct talk_addr addr;
    bool owner = false; /* the record is about the name that was asked for, or one it stands for */
    for (; f < last; f++) {
        switch (f->id) {
        case FID_DNS_QRY_NAME:
            if (!asked.n) asked = alias = f->s;
            break;
        case FID_DNS_RESP_NAME: owner = alias.n && slice_alike(f->s, alias); break;
        case FID_DNS_CNAME:
            if (owner) alias = f->s;
            break;
        case FID_DNS_A:
        case FID_DNS_AAAA:
            memset(&addr, 0, sizeof addr);
            talk_addr_set(&addr, f, f->id == FID_DNS_A ? 4 : 16);
            if (owner) name_note(h, &addr, asked);
            break;
        case FID_TLS_SNI: name_note(h, dst, f->s); break;
        case FID_HTTP_HOST: name_note(h, dst, host_part(f->s)); break;
        default: break;
        }
    }
}

const struct host *host_names_find(const struct host_names *h, const struct talk_addr *addr) {
    struct talk_addr key = *addr;
    key.port = 0;
    return keytab_find(&h->hosts, &key);
}
