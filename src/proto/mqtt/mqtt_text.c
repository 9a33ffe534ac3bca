/* SPDX-License-Identifier: Apache-2.0 */
/* The words of MQTT: Info column and tree lines. */
#include "field/print.h"
#include "proto/mqtt/mqtt.h"

static const char *type_name(uint64_t type) {
    const char *name = field_value_name(&vals_mqtt_type, type);
    return name ? name : "Unknown";
}

/* content_of returns the content type of a message that has a content. */
static struct slice content_of(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *name = fv_first(v, FID_MQTT_PROP_CONTENT_TYPE, at, end);
    if (!name) return (struct slice){0}; /* as nearly all */
    const struct fval *type = fv_first(v, FID_MQTT_MSGTYPE, at, end), *content = fv_first(v, FID_MQTT_MSG, at, end);
    return type && type->u == MQTT_PUBLISH && content && content->s.n ? name->s : (struct slice){0};
}

static bool is_json(struct slice content) { return slice_eq(content, SLICE("application/json")); }

const char *mqtt_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return is_json(content_of(v, at, end)) ? "MQTT/JSON" : NULL;
}

/* content_info names a content that is text, as Wireshark does. */
static void content_info(struct writer *w, struct slice content) {
    if (is_json(content)) wr_s(w, ", JavaScript Object Notation (application/json)");
    if (!slice_starts(content, SLICE("text/")) || slice_eq(content, SLICE("text/xml"))) return;
    wr_s(w, " (");
    print_string(w, content);
    wr_c(w, ')');
}

void mqtt_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_MQTT_MSGTYPE, at, end), *id = fv_first(v, FID_MQTT_MSGID, at, end);
    if (!type) return;
    wr_s(w, type_name(type->u));
    if (id) {
        wr_s(w, " (id=");
        wr_u(w, id->u);
        wr_c(w, ')');
    }
    if (type->u != MQTT_PUBLISH && type->u != MQTT_SUBSCRIBE) return;
    bool any = false;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_MQTT_TOPIC) continue;
        wr_s(w, " [");
        print_string(w, v->v[i].s);
        wr_c(w, ']');
        any = true;
    }
    /* A message without a topic says so; one that ended before it was read does not. */
    if (type->u == MQTT_PUBLISH && !any && fv_first(v, FID_MQTT_MSG, at, end)) wr_s(w, " []");
    content_info(w, content_of(v, at, end));
}

const uint16_t mqtt_info_fields[] = {
    FID_MQTT_MSGTYPE, FID_MQTT_MSGID, FID_MQTT_TOPIC, FID_MQTT_MSG, FID_MQTT_PROP_CONTENT_TYPE, 0};

/* bits_label writes a byte of bits with the names of those that are set. */
static void bits_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    uint32_t end = fv_end(v, at);
    print_label(w, field_of(f->id), f);
    for (uint32_t i = at + 1; i < end; i++) {
        const struct fval *bit = &v->v[i];
        const struct field *field = field_of(bit->id);
        if (bit->depth != f->depth + 1 || field->severity) continue;
        if (field->type == FT_BOOL && bit->u) wr_f(w, ", %s", field->label);
        if (!field->values) continue;
        const char *name = field_value_name(field->values, bit->u);
        wr_f(w, ", %s: %s", field->label, name ? name : "Unknown");
    }
}

bool mqtt_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct fval *type;
    switch (f->id) {
    case FID_MQTT:
        wr_s(w, field_of(FID_MQTT)->label);
        type = fv_first(v, FID_MQTT_MSGTYPE, at, fv_end(v, at));
        if (type) wr_f(w, ", %s", type_name(type->u));
        return true;
    case FID_MQTT_HDRFLAGS:
    case FID_MQTT_CONFLAGS:
    case FID_MQTT_CONACK_FLAGS:
    case FID_MQTT_SUBOPT: bits_label(w, v, at); return true;
    case FID_MQTT_CONACK_RESERVED: /* in 3.1 the whole byte, without the bits */
        if (!f->extra) return false;
        wr_f(w, "Reserved: %s", f->u ? "Set" : "Not set");
        return true;
    case FID_MQTT_MSG:
    case FID_MQTT_WILLMSG:
        if (f->s.n) return false;
        wr_f(w, "%s: <MISSING>", field_of(f->id)->label);
        return true;
    default: return false;
    }
}
