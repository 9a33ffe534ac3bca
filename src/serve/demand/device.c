/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/demand/device.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[] = {
    [DEVICE_ADDRESS] = "address", [DEVICE_PREFIX] = "prefix",       [DEVICE_MAC] = "mac",
    [DEVICE_CLIENT] = "client",   [DEVICE_INTERFACE] = "interface",
};
_Static_assert(sizeof kind_names / sizeof *kind_names == DEVICE_KINDS, "every kind has a name");

const char *device_kind_name(enum device_kind kind) { return kind_names[kind]; }

static bool address_read(const char *text, char out[INET6_ADDRSTRLEN], int *bits) {
    uint8_t bytes[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    *bits = family == AF_INET6 ? 128 : 32;
    return inet_pton(family, text, bytes) == 1 && inet_ntop(family, bytes, out, INET6_ADDRSTRLEN);
}

/* prefix_read reads ADDRESS/BITS and clears the bits behind the prefix. */
static bool prefix_read(struct device *d, const char *text) {
    const char *slash = strrchr(text, '/');
    char head[64], *end;
    uint8_t bytes[16];
    if (!slash || (size_t)(slash - text) >= sizeof head || slash[1] < '0' || slash[1] > '9') return false;
    memcpy(head, text, (size_t)(slash - text));
    head[slash - text] = 0;
    int family = strchr(head, ':') ? AF_INET6 : AF_INET, most = family == AF_INET6 ? 128 : 32;
    long bits = strtol(slash + 1, &end, 10);
    if (*end || bits > most || inet_pton(family, head, bytes) != 1) return false;
    for (int i = (int)bits; i < most; i++) bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    if (!inet_ntop(family, bytes, head, sizeof head)) return false;
    snprintf(d->text, sizeof d->text, "%s/%ld", head, bits);
    return true;
}

static bool mac_read(struct device *d, const char *text) {
    unsigned b[6];
    char mark = 0, rest;
    if (strlen(text) != 17 || (text[2] != ':' && text[2] != '-')) return false;
    for (int i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != text[2] : !strchr("0123456789abcdefABCDEF", text[i])) return false;
    mark = text[2];
    const char *form = mark == ':' ? "%2x:%2x:%2x:%2x:%2x:%2x%c" : "%2x-%2x-%2x-%2x-%2x-%2x%c";
    if (sscanf(text, form, &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != 6) return false;
    snprintf(d->text, sizeof d->text, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    return true;
}

static bool ip_read(struct device *d, const char *text) {
    char plain[INET6_ADDRSTRLEN];
    int bits;
    if (address_read(text, plain, &bits)) {
        d->kind = DEVICE_ADDRESS;
        snprintf(d->text, sizeof d->text, "%s", plain);
        return true;
    }
    d->kind = DEVICE_PREFIX;
    return prefix_read(d, text);
}

static bool name_read(struct device *d, enum device_kind kind, const char *text, size_t most, struct writer *why) {
    d->kind = kind;
    if (*text && strlen(text) <= most) {
        snprintf(d->text, sizeof d->text, "%s", text);
        return true;
    }
    wr_f(why, *text ? "a device's name has at most %zu bytes" : "the device has no name", most);
    return false;
}

static bool interface_read(struct device *d, const char *text, struct writer *why) {
    if (!name_read(d, DEVICE_INTERFACE, text, 63, why)) return false;
    for (const char *c = text; *c; c++) {
        if (*c > ' ' && *c < 0x7f && *c != '/') continue;
        wr_s(why, "this is no name of an interface");
        return false;
    }
    return true;
}

/* behind returns what follows a kind's name, or NULL. */
static const char *behind(const char *text, const char *head) {
    size_t n = strlen(head);
    return strncmp(text, head, n) == 0 ? text + n : NULL;
}

bool device_parse(struct device *d, const char *text, struct writer *why) {
    const char *rest;
    *d = (struct device){0};
    if ((rest = behind(text, "mqtt:"))) return name_read(d, DEVICE_CLIENT, rest, DEVICE_ID_MAX, why);
    if ((rest = behind(text, "interface:"))) return interface_read(d, rest, why);
    if ((rest = behind(text, "ip:"))) {
        if (ip_read(d, rest)) return true;
        wr_s(why, "expected an address or a prefix behind ip:");
        return false;
    }
    rest = behind(text, "mac:");
    if (mac_read(d, rest ? rest : text)) {
        d->kind = DEVICE_MAC;
        return true;
    }
    if (rest) {
        wr_s(why, "expected a MAC address behind mac:");
        return false;
    }
    return ip_read(d, text) || name_read(d, DEVICE_CLIENT, text, DEVICE_ID_MAX, why);
}

void device_filter(const struct device *d, const char *more, struct writer *w) {
    static const char *const heads[] = {[DEVICE_ADDRESS] = "host ",
                                        [DEVICE_PREFIX] = "net ",
                                        [DEVICE_MAC] = "ether host ",
                                        [DEVICE_CLIENT] = "tcp",
                                        [DEVICE_INTERFACE] = ""};
    bool named = d->kind == DEVICE_ADDRESS || d->kind == DEVICE_PREFIX || d->kind == DEVICE_MAC;
    wr_s(w, heads[d->kind]);
    if (named) wr_s(w, d->text);
    if (!more || !*more) return;
    wr_f(w, d->kind == DEVICE_INTERFACE ? "%s" : " and (%s)", more);
}
