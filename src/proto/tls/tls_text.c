/* SPDX-License-Identifier: Apache-2.0 */
/* The words for TLS: the columns and the tree lines that are not the table's. */
#include "field/print.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"
#include "proto/x509/x509.h"

#include <assert.h>

const char *tls_message_name(uint8_t type) { return field_value_name(&vals_tls_handshake_type, type); }

static const char *short_name(uint16_t version) {
    switch (version) {
    case SSL2: return "SSLv2";
    case SSL3: return "SSLv3";
    case GMTLS: return "GMTLS";
    case TLS10: return "TLSv1";
    case TLS11: return "TLSv1.1";
    case TLS12: return "TLSv1.2";
    case TLS13: return "TLSv1.3";
    default: return "SSL";
    }
}

const char *tls_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return at < end && v->v[at].id == FID_TLS ? short_name(v->v[at].extra) : "TLS";
}

const uint16_t tls_info_fields[] = {FID_TLS,
                                    FID_TLS_CCS,
                                    FID_TLS_ALERT,
                                    FID_TLS_ALERT_LEVEL,
                                    FID_TLS_ALERT_DESC,
                                    FID_TLS_HANDSHAKE,
                                    FID_TLS_APP_DATA,
                                    FID_TLS_HEARTBEAT,
                                    FID_TLS_HEARTBEAT_TYPE,
                                    FID_TLS_CIPHERSPEC_LEN,
                                    FID_TLS_UNKNOWN_TEXT,
                                    FID_TLS_SEGMENT_DATA,
                                    0};

static void message_name(struct writer *w, uint16_t extra) {
    if (extra & TLS_EXTRA_ENCRYPTED) {
        wr_s(w, "Encrypted Handshake Message");
        return;
    }
    const char *name = tls_message_name((uint8_t)extra);
    wr_s(w, name ? name : "Unknown");
    if (extra & TLS_EXTRA_FRAGMENT) wr_s(w, extra & TLS_EXTRA_LAST ? " (last fragment)" : " (fragment)");
}

static const char *value_name(const struct fvec *v, uint16_t id, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, id, at, end);
    return name ? name : "Unknown";
}

static void alert_info(struct writer *w, const struct fvec *v, uint32_t i, uint32_t end) {
    if (v->v[i].extra & TLS_EXTRA_ENCRYPTED) {
        wr_s(w, "Encrypted Alert");
        return;
    }
    wr_s(w, "Alert (Level: ");
    wr_s(w, value_name(v, FID_TLS_ALERT_LEVEL, i, end));
    wr_s(w, ", Description: ");
    wr_s(w, value_name(v, FID_TLS_ALERT_DESC, i, end));
    wr_c(w, ')');
}

static void heartbeat_info(struct writer *w, const struct fvec *v, uint32_t i, uint32_t end) {
    if (v->v[i].extra & TLS_EXTRA_ENCRYPTED) {
        wr_s(w, "Encrypted Heartbeat");
        return;
    }
    wr_s(w, "Heartbeat ");
    wr_s(w, value_name(v, FID_TLS_HEARTBEAT_TYPE, i, end));
}

static void handshake_info(struct writer *w, uint16_t extra) {
    const char *name = tls_message_name((uint8_t)extra);
    if (extra & TLS_EXTRA_FRAGMENT) wr_f(w, "[%s Fragment]", name ? name : "Unknown");
    else message_name(w, extra);
}

/* part_info writes what one entry contributes to the Info column; false: nothing. */
static bool part_info(struct writer *w, const struct fvec *v, uint32_t i, uint32_t end) {
    switch (v->v[i].id) {
    case FID_TLS_CCS: wr_s(w, "Change Cipher Spec"); break;
    case FID_TLS_ALERT: alert_info(w, v, i, end); break;
    case FID_TLS_HANDSHAKE: handshake_info(w, v->v[i].extra); break;
    case FID_TLS_APP_DATA: wr_s(w, "Application Data"); break;
    case FID_TLS_HEARTBEAT: heartbeat_info(w, v, i, end); break;
    case FID_TLS_CIPHERSPEC_LEN: wr_s(w, "Client Hello"); break;
    case FID_TLS_UNKNOWN_TEXT: wr_s(w, "Ignored Unknown Record"); break;
    default: return false;
    }
    return true;
}

static bool info_field(uint16_t id) {
    return id == FID_TLS_CCS || id == FID_TLS_ALERT || id == FID_TLS_HANDSHAKE || id == FID_TLS_APP_DATA ||
           id == FID_TLS_HEARTBEAT || id == FID_TLS_CIPHERSPEC_LEN || id == FID_TLS_UNKNOWN_TEXT;
}

void tls_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool any = false, segments = fv_first(v, FID_TLS_SEGMENT_DATA, at, end) != NULL;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id == FID_TLS_SEGMENT_DATA) wr_s(w, "[TLS segment of a reassembled PDU]");
        if (segments && v->v[i].id == FID_TLS_APP_DATA) continue;
        if (v->v[i].id == FID_TLS && v->v[i].extra == TLS_EXTRA_CONTINUATION) wr_s(w, "Continuation Data");
        if (!info_field(v->v[i].id)) continue;
        if (v->v[i].id == FID_TLS_HANDSHAKE && v->v[i].extra & TLS_EXTRA_LATER) continue;
        if (any) wr_s(w, ", ");
        part_info(w, v, i, end);
        any = true;
    }
}

/* record_label writes what a record holds, after what is in it. */
static void record_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), messages = 0;
    const struct fval *message = NULL, *name = fv_first(v, FID_TLS_APP_PROTO, at, end);
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_TLS_HANDSHAKE || v->v[i].extra & TLS_EXTRA_LAST) continue;
        message = &v->v[i];
        messages++;
    }
    wr_s(w, short_name(v->v[at].extra));
    wr_s(w, " Record Layer: ");
    if (messages > 1) wr_s(w, "Handshake Protocol: Multiple Handshake Messages");
    else if (message) {
        wr_s(w, "Handshake Protocol: ");
        message_name(w, message->extra);
    } else if (fv_first(v, FID_TLS_CCS, at, end)) wr_s(w, "Change Cipher Spec Protocol: Change Cipher Spec");
    else if (fv_first(v, FID_TLS_ALERT, at, end)) {
        uint32_t i = (uint32_t)(fv_first(v, FID_TLS_ALERT, at, end) - v->v);
        alert_info(w, v, i, end);
    } else if (fv_first(v, FID_TLS_HEARTBEAT, at, end)) {
        heartbeat_info(w, v, (uint32_t)(fv_first(v, FID_TLS_HEARTBEAT, at, end) - v->v), end);
    } else if (fv_first(v, FID_TLS_APP_DATA, at, end)) {
        wr_s(w, "Application Data Protocol: ");
        wr_slice(w, name ? name->s : SLICE("Application Data"));
    } else wr_s(w, "Client Hello");
}

static void count_label(struct writer *w, const char *words, uint32_t count, const char *what) {
    wr_f(w, "%s (%u %s%s)", words, count, what, count == 1 ? "" : "s");
}

static void segments_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), count = 0;
    for (uint32_t i = at + 1; i < end; i++) count += v->v[i].id == FID_TLS_SEGMENT;
    wr_f(w, "%u Reassembled TLS segment%s (%u byte%s):", count, count == 1 ? "" : "s", v->v[at].len,
         v->v[at].len == 1 ? "" : "s");
    for (uint32_t i = at + 1, n = 0; i < end; i++) {
        if (v->v[i].id != FID_TLS_SEGMENT) continue;
        wr_f(w, "%s #%llu(%u)", n++ ? "," : "", (unsigned long long)v->v[i].u, v->v[i].len);
    }
}

/* behind returns the length of what stands behind an entry's header. */
static unsigned behind(const struct fval *f, uint32_t header) { return f->len > header ? f->len - header : 0; }

static void ext_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *type = fv_first(v, FID_TLS_EXT_TYPE, at, fv_end(v, at));
    const char *name = type ? field_value_name(&vals_tls_ext, type->u) : NULL;
    wr_s(w, "Extension: ");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown type %u", type ? (unsigned)type->u : 0);
    wr_f(w, " (len=%u)", behind(&v->v[at], 4));
}

static void fragments_label(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), count = 0, bytes = 0;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_TLS_HS_FRAGMENT) continue;
        count++;
        bytes += v->v[i].len;
    }
    wr_f(w, "%u Reassembled Handshake Fragments (%u bytes):", count, bytes);
    const char *between = " ";
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_TLS_HS_FRAGMENT) continue;
        wr_f(w, "%s#%u(%u)", between, (unsigned)v->v[i].u, v->v[i].len);
        between = ", ";
    }
}

static void key_share_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *group = fv_first(v, FID_TLS_KEY_SHARE_GROUP, at, fv_end(v, at));
    const char *name = group ? field_value_name(&vals_tls_group, group->u) : NULL;
    wr_s(w, "Key Share Entry: Group: ");
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown (%u)", group ? (unsigned)group->u : 0);
    wr_f(w, ", Key Exchange length: %u", behind(&v->v[at], 4));
}

static void sigalg_label(struct writer *w, const struct fval *f) {
    const char *name = field_value_name(&vals_tls_sigalg, f->u);
    wr_s(w, "Signature Algorithm: ");
    if (name) {
        wr_s(w, name);
    } else {
        const char *hash = field_value_name(&vals_tls_hash, f->u >> 8),
                   *sig = field_value_name(&vals_tls_signature, f->u & 255);
        wr_f(w, "%s %s", hash ? hash : "Unknown", sig ? sig : "Unknown");
    }
    wr_f(w, " (0x%04x)", (unsigned)f->u);
}

static const char *const params_names[] = {
    [PARAMS_NONE] = "",
    [PARAMS_EC_SERVER] = "EC Diffie-Hellman Server Params",
    [PARAMS_DH_SERVER] = "Diffie-Hellman Server Params",
    [PARAMS_PSK_SERVER] = "PSK Server Params",
    [PARAMS_RSA_SERVER] = "RSA-EXPORT Server Params",
    [PARAMS_EC_CLIENT] = "EC Diffie-Hellman Client Params",
    [PARAMS_DH_CLIENT] = "Diffie-Hellman Client Params",
    [PARAMS_PSK_CLIENT] = "PSK Client Params",
    [PARAMS_RSA_CLIENT] = "RSA Encrypted PreMaster Secret",
    [PARAMS_RSA_PSK_CLIENT] = "RSA PSK Client Params",
    [PARAMS_DH_PSK_CLIENT] = "Diffie-Hellman PSK Client Params",
    [PARAMS_EC_PSK_CLIENT] = "EC Diffie-Hellman PSK Client Params",
};
static_assert(sizeof params_names / sizeof *params_names == PARAMS_COUNT, "every kind of parameters has a name");

bool tls_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_TLS_RECORD: record_label(w, v, at); return true;
    case FID_TLS:
        if (!f->depth) return false;
        record_label(w, v, at); /* inside QUIC, where there are no records */
        return true;
    case FID_TLS_QUIC_PARAM:
    case FID_TLS_QUIC_TYPE: return tls_quic_label(w, v, at);
    case FID_TLS_HANDSHAKE:
        wr_s(w, "Handshake Protocol: ");
        message_name(w, f->extra);
        return true;
    case FID_TLS_HS_FRAGMENTS: fragments_label(w, v, at); return true;
    case FID_TLS_ALERT:
        if (!(f->extra & TLS_EXTRA_ENCRYPTED)) return false;
        wr_s(w, "Alert Message: Encrypted Alert");
        return true;
    case FID_TLS_SEGMENT_DATA: count_label(w, field_of(f->id)->label, f->len, "byte"); return true;
    case FID_TLS_SEGMENTS: segments_label(w, v, at); return true;
    case FID_TLS_SEGMENT:
        wr_f(w, "Frame: %llu, payload: %u-%u (%u byte%s)", (unsigned long long)f->u, f->off, f->off + f->len - 1,
             f->len, f->len == 1 ? "" : "s");
        return true;
    case FID_TLS_SUITES: count_label(w, "Cipher Suites", f->len / 2, "suite"); return true;
    case FID_TLS_COMPS: count_label(w, "Compression Methods", f->len, "method"); return true;
    case FID_TLS_GROUPS: count_label(w, "Supported Groups", f->len / 2, "group"); return true;
    case FID_TLS_SIGALGS: count_label(w, "Signature Hash Algorithms", f->len / 2, "algorithm"); return true;
    case FID_TLS_CERT_TYPES: count_label(w, "Certificate types", f->len, "type"); return true;
    case FID_TLS_CERTS: count_label(w, "Certificates", f->len, "byte"); return true;
    case FID_TLS_DNAMES: count_label(w, "Distinguished Names", f->len, "byte"); return true;
    case FID_TLS_POINTS: wr_f(w, "Elliptic curves point formats (%u)", f->len); return true;
    case FID_TLS_CERT:
        print_label(w, field_of(f->id), f);
        x509_subject_write(w, v, at);
        return true;
    case FID_TLS_DNAME:
        wr_s(w, "Distinguished Name: (");
        x509_name_write(w, v, at, fv_end(v, at));
        wr_c(w, ')');
        return true;
    case FID_TLS_EXT_DATA:
        if (f->len) return false;
        wr_s(w, "Data (0 bytes)");
        return true;
    case FID_TLS_SIGALG: sigalg_label(w, f); return true;
    case FID_TLS_EXT_TEXT: ext_label(w, v, at); return true;
    case FID_TLS_KEY_SHARE_ENTRY: key_share_label(w, v, at); return true;
    case FID_TLS_PSK_ID_TEXT: wr_f(w, "PSK Identity (length: %u)", behind(f, 6)); return true;
    case FID_TLS_KX_TEXT: wr_s(w, params_names[f->extra < PARAMS_COUNT ? f->extra : PARAMS_NONE]); return true;
    default: return false;
    }
}
