/* SPDX-License-Identifier: Apache-2.0 */
#include "app/serve/serve_config.h"
#include "serve/demand/device.h"

#ifdef WEIR_YAML
#include "guard/config/config_yaml.h"
#include "io/keyfile.h"
#include <stdlib.h>

static bool wrong(struct writer *why, const yaml_node_t *n, const char *what) {
    wr_f(why, "line %zu: %s", n->start_mark.line + 1, what);
    return false;
}

static const char *text_of(const yaml_node_t *n) {
    return n && n->type == YAML_SCALAR_NODE && strlen((const char *)n->data.scalar.value) == n->data.scalar.length
               ? (const char *)n->data.scalar.value
               : NULL;
}

/* member_take reads one member of a device's mapping. */
static bool member_take(yaml_document_t *doc, const yaml_node_pair_t *p, struct web_label *l, struct writer *why) {
    const yaml_node_t *key = yaml_document_get_node(doc, p->key), *value = yaml_document_get_node(doc, p->value);
    const char *name = text_of(key), *text = text_of(value);
    if (!name || !text) return wrong(why, key, "a device has device, interface and description, each a text");
    if (!strcmp(name, "device")) l->device = text;
    else if (!strcmp(name, "interface")) l->interface = text;
    else if (!strcmp(name, "description")) l->description = text;
    else return wrong(why, key, "a device has device, interface and description only");
    return true;
}

static bool label_take(struct serve_config *c, yaml_document_t *doc, const yaml_node_pair_t *p, struct writer *why) {
    const yaml_node_t *key = yaml_document_get_node(doc, p->key), *value = yaml_document_get_node(doc, p->value);
    struct web_label *l = &c->labels[c->n_labels];
    char reason[128] = "";
    struct writer w = wr_fixed(reason, sizeof reason - 1);
    struct device d;
    *l = (struct web_label){.label = text_of(key), .device = text_of(value)};
    if (!l->label || !*l->label || strlen(l->label) > DEVICE_LABEL_MAX)
        return wrong(why, key, "a label has 1 to 64 bytes");
    if (value->type == YAML_MAPPING_NODE)
        for (const yaml_node_pair_t *m = value->data.mapping.pairs.start; m < value->data.mapping.pairs.top; m++)
            if (!member_take(doc, m, l, why)) return false;
    if (!l->device) return wrong(why, value, "expected an address, a prefix, a MAC address or mqtt:CLIENT");
    if (!device_parse(&d, l->device, &w)) return wrong(why, value, reason);
    c->n_labels++;
    return true;
}

static bool devices_take(struct serve_config *c, yaml_document_t *doc, const yaml_node_t *n, struct writer *why) {
    if (n->type != YAML_MAPPING_NODE) return wrong(why, n, "devices: expected LABEL: DEVICE, one to a line");
    size_t count = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
    if (count > DEVICES_MAX || !(c->labels = calloc(count + 1, sizeof *c->labels)))
        return wrong(why, n, "too many devices");
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
        if (!label_take(c, doc, p, why)) return false;
    return true;
}

static bool document_take(struct serve_config *c, yaml_document_t *doc, struct writer *why) {
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    if (!root) return true; /* an empty file */
    if (root->type != YAML_MAPPING_NODE) return wrong(why, root, "expected devices: at the beginning");
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        const char *name = text_of(key);
        if (!name || strcmp(name, "devices") != 0) return wrong(why, key, "only devices is known here");
        if (!devices_take(c, doc, yaml_document_get_node(doc, p->value), why)) return false;
    }
    return true;
}

/* unread leaves nothing to be freed. */
static bool unread(struct serve_config *c) {
    free(c->document);
    *c = (struct serve_config){0};
    return false;
}

bool serve_config_read(struct serve_config *c, const char *path, struct writer *why) {
    struct yaml_fault fault;
    struct slice text;
    *c = (struct serve_config){.document = calloc(1, sizeof(yaml_document_t))};
    if (!c->document) return wr_s(why, "out of memory"), false;
    if (keyfile_read(path, &text, why) < 0) return unread(c);
    int rc = yaml_load(c->document, text, &fault);
    keyfile_release(&text);
    if (rc == OK) return document_take(c, c->document, why);
    if (rc == ERR_FORMAT) wr_f(why, "line %zu: %s", fault.line, fault.problem);
    else wr_s(why, err_text(rc));
    return unread(c);
}

void serve_config_free(struct serve_config *c) {
    if (c->document) yaml_document_delete(c->document);
    free(c->document);
    free(c->labels);
    *c = (struct serve_config){0};
}
#else
bool serve_config_read(struct serve_config *c, const char *path, struct writer *why) {
    (void)path;
    *c = (struct serve_config){0};
    wr_s(why, "this build reads no YAML (libyaml)");
    return false;
}
void serve_config_free(struct serve_config *c) { (void)c; }
#endif
