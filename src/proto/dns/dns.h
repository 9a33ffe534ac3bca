/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_DNS_DNS_H
#define WEIR_PROTO_DNS_DNS_H

#include "proto/proto.h"

/* What the files of this folder share: the message being read, names, record data, and texts. */

enum dns_kind { DNS_PLAIN, DNS_MULTICAST, DNS_LLMNR };

enum {
    DNS_HEADER = 12,
    DNS_NAME_MAX = 254,      /* a name's text is shorter: RFC 1035, 2.3.4, less the first length and the root */
    DNS_NAME_WORK = 1 << 19, /* bytes of names walked over in one message, whatever its pointers say */
};

/* dns_msg is the message being read. */
struct dns_msg {
    struct decode *d;
    struct slice in; /* from the transaction id on: pointers in names count from here */
    enum dns_kind kind;
    size_t work; /* what is left of DNS_NAME_WORK */
};

/* dns_name_read reads a name at the cursor and moves behind it. Its text, with dots, goes to *text where that
 * is not NULL; it lives as long as the packet. It returns the bytes the name takes at the cursor; the reader
 * fails where the name runs out of the message. */
size_t dns_name_read(struct dns_msg *m, struct reader *r, struct slice *text);
/* dns_name_get reads a name into a field and returns its text (empty where nobody wants the field). */
struct slice dns_name_get(struct dns_msg *m, struct reader *r, uint16_t id);
/* dns_name_labels counts a name's labels as Wireshark does: dots, and one. */
unsigned dns_name_labels(struct slice text);

/* dns_text_get reads n bytes as text that ends at its first NUL. */
void dns_text_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n);

/* dns_rdata_read reads a record's data, which r holds alone. type_off is the place of the record's type. */
void dns_rdata_read(struct dns_msg *m, struct reader *r, uint16_t type, uint32_t type_off);
/* dns_rdata_special reads the types whose data no list of steps describes; false: it is none of those. */
bool dns_rdata_special(struct dns_msg *m, struct reader *r, uint16_t type);
/* dns_bitmap_read reads the windows of types of RFC 4034, 4.1.2. */
void dns_bitmap_read(struct dns_msg *m, struct reader *r);
/* dns_options_read reads the options of an OPT record (RFC 6891, 6.1.2). */
void dns_options_read(struct dns_msg *m, struct reader *r);
/* dns_dso_read reads the values of a stateful operation (RFC 8490, 5.4). */
void dns_dso_read(struct dns_msg *m, struct reader *r);
/* dns_svcb_read reads the data of SVCB and HTTPS records (RFC 9460). */
void dns_svcb_read(struct dns_msg *m, struct reader *r);
/* dns_address4_get and dns_address6_get read the first n bytes of an address, the rest being zero. */
void dns_address4_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n);
void dns_address6_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n);

/* What struct proto calls info and label. */
void dns_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
bool dns_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t dns_info_fields[];

/* What fval.extra says about the value. */
enum {
    DNS_X_BITMAP = 1,    /* dns.resp.type: stands in a bitmap */
    DNS_X_MULTICAST = 2, /* class: the top bit is not part of it */
    DNS_X_RESPONSE = 3,  /* dns.flags.conflict: of a response */
    DNS_X_UPDATE = 4,    /* section: of an update */
    DNS_X_QUERY = 5,     /* dns.flags.authenticated: of a query */
};

enum {
    DNS_T_A = 1,
    DNS_T_NS = 2,
    DNS_T_MD = 3,
    DNS_T_MF = 4,
    DNS_T_CNAME = 5,
    DNS_T_SOA = 6,
    DNS_T_MB = 7,
    DNS_T_MG = 8,
    DNS_T_MR = 9,
    DNS_T_NULL = 10,
    DNS_T_WKS = 11,
    DNS_T_PTR = 12,
    DNS_T_HINFO = 13,
    DNS_T_MINFO = 14,
    DNS_T_MX = 15,
    DNS_T_TXT = 16,
    DNS_T_RP = 17,
    DNS_T_AFSDB = 18,
    DNS_T_X25 = 19,
    DNS_T_ISDN = 20,
    DNS_T_RT = 21,
    DNS_T_NSAP = 22,
    DNS_T_NSAP_PTR = 23,
    DNS_T_SIG = 24,
    DNS_T_KEY = 25,
    DNS_T_PX = 26,
    DNS_T_GPOS = 27,
    DNS_T_AAAA = 28,
    DNS_T_LOC = 29,
    DNS_T_NXT = 30,
    DNS_T_SRV = 33,
    DNS_T_NAPTR = 35,
    DNS_T_KX = 36,
    DNS_T_CERT = 37,
    DNS_T_A6 = 38,
    DNS_T_DNAME = 39,
    DNS_T_OPT = 41,
    DNS_T_APL = 42,
    DNS_T_DS = 43,
    DNS_T_SSHFP = 44,
    DNS_T_IPSECKEY = 45,
    DNS_T_RRSIG = 46,
    DNS_T_NSEC = 47,
    DNS_T_DNSKEY = 48,
    DNS_T_DHCID = 49,
    DNS_T_NSEC3 = 50,
    DNS_T_NSEC3PARAM = 51,
    DNS_T_TLSA = 52,
    DNS_T_HIP = 55,
    DNS_T_CDS = 59,
    DNS_T_CDNSKEY = 60,
    DNS_T_OPENPGPKEY = 61,
    DNS_T_CSYNC = 62,
    DNS_T_ZONEMD = 63,
    DNS_T_SVCB = 64,
    DNS_T_HTTPS = 65,
    DNS_T_SPF = 99,
    DNS_T_NID = 104,
    DNS_T_L32 = 105,
    DNS_T_L64 = 106,
    DNS_T_LP = 107,
    DNS_T_EUI48 = 108,
    DNS_T_EUI64 = 109,
    DNS_T_TKEY = 249,
    DNS_T_TSIG = 250,
    DNS_T_CAA = 257,
    DNS_T_DLV = 32769,
    DNS_T_WINS = 65281,
    DNS_T_WINSR = 65282,
    DNS_T_XPF = 65422,
};

#endif
