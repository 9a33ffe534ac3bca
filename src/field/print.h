/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FIELD_PRINT_H
#define WEIR_FIELD_PRINT_H

#include "base/writer.h"
#include "field/fvec.h"

/* HIDDEN_SECRET stands where a secret would, unless secrets were asked for. */
#define HIDDEN_SECRET "(hidden, --show-secrets shows it)"

/* print_value writes the plain value: what `-T fields` and PDML's `show` hold, and filters compare. */
void print_value(struct writer *w, const struct field *f, const struct fval *v);

/* print_label writes the words of a tree line: bits where the field is masked, label, value with its name. */
void print_label(struct writer *w, const struct field *f, const struct fval *v);

/* print_bits writes the bits of a masked value, "0100 .... = ": dots for those that belong to others. */
void print_bits(struct writer *w, int bits, uint64_t mask, uint64_t value);

/* print_named writes a number as "Name (value)", or "Unknown (value)". */
void print_named(struct writer *w, const struct field *f, uint64_t value);

/* print_ipv4 writes an address, whose first byte is the highest one, with dots. */
void print_ipv4(struct writer *w, uint32_t address);
/* print_ipv4_length returns how long that is. */
size_t print_ipv4_length(uint32_t address);
/* print_ipv6 writes 16 bytes in the form of RFC 5952. */
void print_ipv6(struct writer *w, const uint8_t address[16]);
/* print_ether writes a MAC address with colons. */
void print_ether(struct writer *w, const uint8_t mac[6]);

/* print_string writes text of unknown origin so that it cannot disturb a terminal: what utf8_hidden names is escaped as
 * in C (and as tshark does it: a backslash stays one), bytes that are not UTF-8 become U+FFFD. */
void print_string(struct writer *w, struct slice s);
/* print_told writes the text of a field; of a secret one, unless v->show_secrets, what stands in front of the secret.
 */
void print_told(struct writer *w, const struct fvec *v, const struct fval *f, struct slice text);

/* print_quoted writes a string as a filter has it, in quotes: what is not UTF-8 or hidden is \xNN, byte by byte. */
void print_quoted(struct writer *w, struct slice s);

/* print_abstime writes "Nov  2, 2020 10:00:00.123456789 UTC"; in the local time zone where local is set.
 * INT64_MIN is no time at all: "NULL". */
void print_abstime(struct writer *w, __int128 ns, bool local);
/* print_reltime writes seconds with so many decimals, 0 to 9; what is finer is cut. */
void print_reltime(struct writer *w, __int128 ns, int digits);

#endif
