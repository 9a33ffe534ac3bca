/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_TRANSFORM_H
#define WEIR_GUARD_RULES_TRANSFORM_H
/* Transformations (t:lowercase, t:urlDecodeUni ...): ModSecurity's reference manual, "Transformation functions". */

#include "base/slice.h"

enum tfn_kind {
#define TFN(id, name) T_##id,
#include "guard/rules/tfns.def"
#undef TFN
    T_COUNT
};

/* tfn_find returns the kind of a name, or -1; tfn_name the name of a kind. */
int tfn_find(struct slice name);
const char *tfn_name(uint8_t tfn);
/* tfn_room returns how many bytes the result for n bytes may take. */
size_t tfn_room(uint8_t tfn, size_t n);
/* tfn_run writes what a transformation makes of a text and returns its length; `out` has tfn_room bytes. `unicode_map`
 * is that of rules_set. */
size_t tfn_run(uint8_t tfn, const int16_t *unicode_map, struct slice in, uint8_t *out);
/* tfn_idle tells whether a text of only these bytes stays as it is. */
bool tfn_idle(uint8_t tfn, const uint64_t seen[4]);

/* The decoders (transform_decode.c), for tfn_run: each writes at most tfn_room bytes and returns how many. */
size_t tfn_html(struct slice in, uint8_t *out);
size_t tfn_js(struct slice in, uint8_t *out);
size_t tfn_css(struct slice in, uint8_t *out);
size_t tfn_escape(struct slice in, uint8_t *out);
size_t tfn_url(struct slice in, uint8_t *out);
size_t tfn_url_uni(struct slice in, const int16_t *map, uint8_t *out);
size_t tfn_utf8(struct slice in, uint8_t *out);
size_t tfn_sql_hex(struct slice in, uint8_t *out);
size_t tfn_base64(struct slice in, uint8_t *out);
size_t tfn_base64_ext(struct slice in, uint8_t *out);

#endif
