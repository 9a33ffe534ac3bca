/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_X509_X509_H
#define WEIR_PROTO_X509_X509_H

#include "proto/proto.h"
#include "proto/x509/der.h"

/* The parts of certificates.
 *
 * x509_read.c reads a certificate, x509_name.c names and times, x509_ext.c the extensions, ocsp_read.c questions and
 * answers about revocation, x509_text.c writes words. All of it is shape: signatures are not checked. Names and
 * extensions of kinds that are not known are named by their number and passed over. */

/* x509_read reads a certificate; its fields become children of the field before. */
void x509_read(struct decode *d, struct slice certificate);
/* x509_parts_read reads the three parts of a certificate's content. */
void x509_parts_read(struct decode *d, struct reader *r);
/* x509_chain_check says where a certificate of a chain does not certify the one before it; `at` is where that is shown.
 */
void x509_chain_check(struct decode *d, struct slice before, struct slice next, uint32_t at);

/* x509_rdns_read reads the content of a Name: its parts, without a heading. */
void x509_rdns_read(struct decode *d, struct reader r);
/* x509_string_add adds a string of any of ASN.1's kinds as UTF-8: X.690 8.23. */
void x509_string_add(struct decode *d, uint16_t id, const struct der *e);
/* x509_name_read reads a Name under `kind_id`, with the list under `list_id`; a Name's element is taken from r. */
void x509_name_read(struct decode *d, struct reader *r, uint16_t kind_id, uint16_t list_id);
/* x509_time_read reads a GeneralizedTime element under id. */
void x509_time_read(struct decode *d, const struct der *e, uint16_t id);
/* x509_utc_read reads a UTCTime element as words. */
void x509_utc_read(struct decode *d, const struct der *e);
/* x509_algorithm_read reads an AlgorithmIdentifier under id; the reader of its parameters is returned, positioned
 * behind the algorithm, which is put in *algorithm. */
struct reader x509_algorithm_read(struct decode *d, struct reader *r, uint16_t id, struct slice *algorithm);
/* x509_bits_read reads a BIT STRING's padding and bytes under id, and returns the bytes. */
struct slice x509_bits_read(struct decode *d, struct reader *r, uint16_t id, bool padding);
/* x509_oid_read reads an OBJECT IDENTIFIER under id. */
struct slice x509_oid_read(struct decode *d, struct reader *r, uint16_t id);
/* x509_extensions_read reads the extensions of a certificate. */
void x509_extensions_read(struct decode *d, struct reader list);

/* x509_name_write writes the parts of the name found from `at` to before `end`, the last one first. */
void x509_name_write(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
/* x509_subject_write writes " (" and the subject and ")" for a certificate whose fields stand below `at`. */
void x509_subject_write(struct writer *w, const struct fvec *v, uint32_t at);
bool x509_label(struct writer *w, const struct fvec *v, uint32_t at);

#endif
