/* SPDX-License-Identifier: Apache-2.0 */
/* What can be captured from: the labels of the configuration, the neighbours the kernel knows, the interfaces. */
#include "io/capture/live.h"
#include "serve/web/web_in.h"
#include "view/view.h"
#include <net/if.h>
#include <stdio.h>

enum { NEIGHBOURS_MAX = 4096 };

static void text_member(struct writer *w, const char *name, const char *text) {
    wr_f(w, ",\"%s\":", name);
    json_text(w, slice_str(text));
}

const struct web_label *web_label_find(const struct web *s, const char *label) {
    for (size_t i = 0; i < s->plan->n_labels; i++)
        if (strcmp(s->plan->labels[i].label, label) == 0) return &s->plan->labels[i];
    return NULL;
}

static void label_json(struct web_request *q, const struct web_label *l) {
    struct device d;
    struct writer *w = &q->reply.w, why = wr_fixed((char[128]){0}, 128);
    wr_s(w, "{\"id\":");
    json_text(w, slice_str(l->label));
    if (device_parse(&d, l->device, &why)) {
        text_member(w, "kind", device_kind_name(d.kind));
        text_member(w, "of", d.text);
    }
    if (l->interface) text_member(w, "interface", l->interface);
    if (l->description) text_member(w, "description", l->description);
    wr_s(w, ",\"known_by\":\"configuration\"}");
}

struct neighbour {
    char address[64], mac[32], interface[64];
};

/* neighbour_next reads who the kernel has spoken with (/proc/net/arp: address, type, flags, MAC, mask, interface). */
static bool neighbour_next(FILE *f, struct neighbour *n) {
    char line[256], flags[16];
    while (fgets(line, sizeof line, f)) /* the heading does not fit the form */
        if (sscanf(line, "%63s %*s %15s %31s %*s %63s", n->address, flags, n->mac, n->interface) == 4 &&
            strncmp(flags, "0x", 2) == 0 && strcmp(flags, "0x0") != 0)
            return true;
    return false;
}

static void neighbours_json(struct web_request *q, unsigned n) {
    struct neighbour x;
    struct writer *w = &q->reply.w;
    FILE *f = fopen("/proc/net/arp", "re");
    if (!f) return;
    for (unsigned i = 0; i < NEIGHBOURS_MAX && neighbour_next(f, &x); i++) {
        wr_s(w, n++ ? ",\n{\"id\":" : "{\"id\":");
        json_text(w, slice_str(x.address));
        text_member(w, "kind", "address");
        text_member(w, "of", x.address);
        text_member(w, "mac", x.mac);
        text_member(w, "interface", x.interface);
        wr_s(w, ",\"known_by\":\"neighbours\"}");
    }
    fclose(f);
}

struct choice {
    char *name;
    size_t size;
    unsigned n;
};

static void choose(void *to, const struct live_device *d) {
    struct choice *c = to;
    if (!d->up || d->loopback || strcmp(d->name, "any") == 0 || !if_nametoindex(d->name)) return;
    if (!c->n++) snprintf(c->name, c->size, "%s", d->name);
}

bool web_mac_interface(const char *mac, char *out, size_t size) {
    struct neighbour x;
    struct choice c = {out, size, 0};
    char text[64];
    struct writer why = wr_fixed(text, sizeof text);
    FILE *f = fopen("/proc/net/arp", "re");
    bool found = false;
    while (f && !found && neighbour_next(f, &x)) found = strcasecmp(x.mac, mac) == 0;
    if (f) fclose(f);
    if (found) snprintf(out, size, "%s", x.interface);
    return found || (live_devices(choose, &c, &why) == OK && c.n == 1);
}

void web_devices(struct web_request *q) {
    const struct web_plan *plan = q->web->plan;
    wr_s(&q->reply.w, "{\"devices\":[");
    for (size_t i = 0; i < plan->n_labels; i++) {
        if (i) wr_s(&q->reply.w, ",\n");
        label_json(q, &plan->labels[i]);
    }
    neighbours_json(q, (unsigned)plan->n_labels);
    wr_s(&q->reply.w, "]}\n");
}

void web_device(struct web_request *q, const char *id) {
    const struct web_label *label = web_label_find(q->web, id);
    char reason[128] = "";
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    struct device d;
    if (label) {
        label_json(q, label);
        wr_c(&q->reply.w, '\n');
        return;
    }
    if (!device_parse(&d, id, &why)) return web_problem(q, 400, "%s", reason);
    wr_s(&q->reply.w, "{\"id\":");
    json_text(&q->reply.w, slice_str(id));
    text_member(&q->reply.w, "kind", device_kind_name(d.kind));
    text_member(&q->reply.w, "of", d.text);
    wr_s(&q->reply.w, "}\n");
}

struct listing {
    struct writer *w;
    const char *chosen;
    unsigned n;
};

static void interface_json(void *to, const struct live_device *d) {
    struct listing *l = to;
    wr_s(l->w, l->n++ ? ",\n{\"name\":" : "{\"name\":");
    json_text(l->w, slice_str(d->name));
    if (d->description) text_member(l->w, "description", d->description);
    wr_f(l->w, ",\"up\":%s,\"running\":%s,\"loopback\":%s,\"wireless\":%s,\"default\":%s,\"addresses\":[",
         d->up ? "true" : "false", d->running ? "true" : "false", d->loopback ? "true" : "false",
         d->wireless ? "true" : "false", strcmp(d->name, l->chosen) == 0 ? "true" : "false");
    for (size_t i = 0; i < d->n_addresses; i++) {
        if (i) wr_c(l->w, ',');
        json_text(l->w, slice_str(d->addresses[i]));
    }
    wr_s(l->w, "]}");
}

void web_interfaces(struct web_request *q) {
    char text[256] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct listing l = {.w = &q->reply.w, .chosen = q->web->plan->interface ? q->web->plan->interface : "any"};
    wr_s(l.w, "{\"interfaces\":[");
    if (live_devices(interface_json, &l, &why) < 0) return web_problem(q, 500, "interfaces cannot be listed: %s", text);
    wr_s(l.w, "]}\n");
}

struct search {
    const char *name;
    bool found;
};

static void search_one(void *to, const struct live_device *d) {
    struct search *s = to;
    s->found |= strcmp(s->name, d->name) == 0;
}

bool web_interface_known(const char *name) {
    char text[256];
    struct writer why = wr_fixed(text, sizeof text);
    struct search s = {name, false};
    return live_devices(search_one, &s, &why) < 0 || s.found;
}
