/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_VIEW_H
#define WEIR_VIEW_VIEW_H

#include "analyse/dissect.h"
#include "base/json.h"

/* Pure printing: a decoded packet in, text out. Nothing here decodes, reads or decides. */

/* time_format is how the Time column counts; letters as tshark's -t. */
enum time_format {
    TIME_RELATIVE,      /* r: since the first packet */
    TIME_ABSOLUTE,      /* a: time of day */
    TIME_ABSOLUTE_DATE, /* ad */
    TIME_ABSOLUTE_DOY,  /* adoy */
    TIME_DELTA,         /* d: since the packet before */
    TIME_DELTA_SHOWN,   /* dd: since the packet shown before */
    TIME_EPOCH,         /* e */
    TIME_OF_DAY_UTC,    /* u; TIME_UTC is a macro of <time.h> */
    TIME_UTC_DATE,      /* ud */
    TIME_UTC_DOY        /* udoy */
};

struct view {
    enum time_format time;
    int precision; /* digits of a second; -1: those of the capture */
    bool color;
    bool show_secrets;
    bool hex;                 /* all bytes follow: the tree need not show those of undecoded data */
    bool ended_once;          /* something was printed before: for separators */
    struct frame_times times; /* as they were before the present packet */
};

/* columns_want adds what the summary line needs. columns_print writes it, with the newline. */
void columns_want(struct want *w);
void columns_print(struct writer *w, const struct decode *d, struct view *view);
/* columns_source, columns_destination, columns_protocol and columns_info write one column. */
void columns_source(struct writer *w, const struct decode *d);
void columns_destination(struct writer *w, const struct decode *d);
void columns_protocol(struct writer *w, const struct decode *d);
void columns_info(struct writer *w, const struct decode *d);
/* columns_time writes the Time column. */
void columns_time(struct writer *w, const struct packet *p, const struct view *view);

/* tree_print writes the packet's tree. only: names of protocols whose details are shown (NULL: all), the others on one
 * line. */
void tree_print(struct writer *w, const struct decode *d, const struct proto *const *only, const struct view *view);
/* tree_want adds the fields that tree_print shows. */
void tree_want(struct want *w);
/* label_print writes the words of one field, which is of protocol p or nobody's (NULL), p's own where it has some. */
void label_print(struct writer *w, const struct fvec *v, uint32_t at, const struct proto *p, bool show_secrets);

/* is_secret tells whether a value is shown only to who asks for secrets. */
static inline bool is_secret(const struct fval *f) { return f->flags & FV_SECRET || field_of(f->id)->secret; }
/* secrets_spread marks the values of a packet that hold a secret of it as secret, too, as a payload holds a password.
 */
void secrets_spread(struct fvec *v);
/* proto_near returns the protocol of a field id, most likely p, that of the field before; NULL: there is none. */
static inline const struct proto *proto_near(const struct proto *p, uint16_t id) {
    return p && id >= p->id && id < p->end ? p : proto_of(id);
}

/* hex_dump writes bytes as lines of 16. */
void hex_dump(struct writer *w, struct slice s);
/* hex_print writes the bytes of the packet and of every source made from it. */
void hex_print(struct writer *w, const struct decode *d);

/* pdml_print writes a packet as PDML, pdml_begin and pdml_end what is around all packets. */
void pdml_begin(struct writer *w);
void pdml_print(struct writer *w, const struct decode *d);
void pdml_end(struct writer *w);

/* json_print writes tshark's JSON shape; json_begin and json_end the brackets around all packets. */
void json_begin(struct writer *w);
void json_print(struct writer *w, const struct decode *d, struct view *view);
void json_end(struct writer *w);
/* jsonl_print writes one line per packet: field names unchanged, typed values, arrays for repeated fields. */
void jsonl_print(struct writer *w, const struct decode *d, const struct view *view);
/* jsonl_schema writes the JSON Schema of jsonl_print's lines. */
void jsonl_schema(struct writer *w);

/* Columns of the summary line may be asked for like fields: their ids stand behind those of all fields. */
enum column_id {
    COLUMN_NUMBER = FID_COUNT,
    COLUMN_TIME,
    COLUMN_SOURCE,
    COLUMN_DESTINATION,
    COLUMN_PROTOCOL,
    COLUMN_LENGTH,
    COLUMN_INFO,
    COLUMN_END
};
/* column_find returns the id of a column by a name as in "_ws.col.Info", or 0. */
uint16_t column_find(struct slice name);
/* fields_want adds what has to be decoded for a field, a column, or what _ws.expert says of all anomalies. */
void fields_want(struct want *w, uint16_t id);

/* field_title returns the name of a field or column. */
const char *field_title(uint16_t id);
/* field_next returns the first place from `from` on (0, or behind the one before) whose value field `id` shows, as
 * tshark's -E occurrence (f, l or a) has it; v->n: there is none. */
uint32_t field_next(const struct fvec *v, uint16_t id, char occurrence, uint32_t from);
/* field_show writes the value of field `id` that stands at a place, column_show a column. */
void field_show(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id, const struct view *view);
void column_show(struct writer *w, const struct decode *d, uint16_t id, const struct view *view);

/* fields_options are tshark's -E. */
struct fields_options {
    bool header;
    char separator, aggregator, quote; /* quote 0: none */
    char occurrence;                   /* f, l or a */
};
void fields_header(struct writer *w, const uint16_t *ids, size_t n, const struct fields_options *o);
void fields_print(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n,
                  const struct fields_options *o, const struct view *view);

/* ek_print writes a packet as tshark's -T ek: two lines, the first for Elasticsearch. ek_begin writes these up to the
 * layers, json_shown a field's value as a text. */
void ek_print(struct writer *w, const struct decode *d, const struct view *view);
void ek_begin(struct writer *w, const struct decode *d);
void json_shown(struct writer *w, const struct fval *f, bool secrets);
/* json_fields, ek_fields and jsonl_fields write chosen fields: tshark's -T json and -T ek with -e, and typed values. */
void json_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
                 struct view *view);
void ek_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
               const struct view *view);
void jsonl_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
                  const struct view *view);

#endif
