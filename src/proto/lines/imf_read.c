/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a mail (RFC 5322 2.2, 3.6; RFC 2045): each as it stands, folded lines with their ends; of lists of
 * addresses every one, with the name in front of it. The content is shown by its media type, as it is coded. */
#include "proto/http/http.h"
#include "proto/lines/lines.h"
#include "proto/media/media.h"
#include "proto/protos.h"

enum header_kind { HEADER_TEXT, HEADER_MAILBOX, HEADER_MAILBOXES, HEADER_ADDRESSES, HEADER_TYPE };

static const struct header {
    const char *name;
    uint16_t id;
    enum header_kind kind;
} headers[] = {
    {"DATE", FID_IMF_DATE, HEADER_TEXT},
    {"FROM", FID_IMF_FROM, HEADER_MAILBOXES},
    {"SENDER", FID_IMF_SENDER, HEADER_MAILBOX},
    {"REPLY-TO", FID_IMF_REPLY_TO, HEADER_ADDRESSES},
    {"TO", FID_IMF_TO, HEADER_ADDRESSES},
    {"CC", FID_IMF_CC, HEADER_ADDRESSES},
    {"BCC", FID_IMF_BCC, HEADER_ADDRESSES},
    {"MESSAGE-ID", FID_IMF_MESSAGE_ID, HEADER_TEXT},
    {"IN-REPLY-TO", FID_IMF_IN_REPLY_TO, HEADER_TEXT},
    {"REFERENCES", FID_IMF_REFERENCES, HEADER_TEXT},
    {"SUBJECT", FID_IMF_SUBJECT, HEADER_TEXT},
    {"COMMENTS", FID_IMF_COMMENTS, HEADER_TEXT},
    {"USER-AGENT", FID_IMF_USER_AGENT, HEADER_TEXT},
    {"KEYWORDS", FID_IMF_KEYWORDS, HEADER_TEXT},
    {"RESENT-DATE", FID_IMF_RESENT_DATE, HEADER_TEXT},
    {"RESENT-FROM", FID_IMF_RESENT_FROM, HEADER_MAILBOXES},
    {"RESENT-SENDER", FID_IMF_RESENT_SENDER, HEADER_MAILBOX},
    {"RESENT-TO", FID_IMF_RESENT_TO, HEADER_ADDRESSES},
    {"RESENT-CC", FID_IMF_RESENT_CC, HEADER_ADDRESSES},
    {"RESENT-BCC", FID_IMF_RESENT_BCC, HEADER_ADDRESSES},
    {"RESENT-MESSAGE-ID", FID_IMF_RESENT_MESSAGE_ID, HEADER_TEXT},
    {"RETURN-PATH", FID_IMF_RETURN_PATH, HEADER_TEXT},
    {"RECEIVED", FID_IMF_RECEIVED, HEADER_TEXT},
    {"CONTENT-TYPE", FID_IMF_CONTENT_TYPE, HEADER_TYPE},
    {"CONTENT-ID", FID_IMF_CONTENT_ID, HEADER_TEXT},
    {"CONTENT-DESCRIPTION", FID_IMF_CONTENT_DESCRIPTION, HEADER_TEXT},
    {"CONTENT-TRANSFER-ENCODING", FID_IMF_CONTENT_TRANSFER_ENCODING, HEADER_TEXT},
    {"MIME-VERSION", FID_IMF_MIME_VERSION, HEADER_TEXT},
    {"CONTENT-LANGUAGE", FID_IMF_CONTENT_LANGUAGE, HEADER_TEXT},
    {"IMPORTANCE", FID_IMF_IMPORTANCE, HEADER_TEXT},
    {"PRIORITY", FID_IMF_PRIORITY, HEADER_TEXT},
    {"SENSITIVITY", FID_IMF_SENSITIVITY, HEADER_TEXT},
    {"EXPIRES", FID_IMF_EXPIRES, HEADER_TEXT},
    {"DELIVERED-TO", FID_IMF_DELIVERED_TO, HEADER_TEXT},
    {"X-MAILER", FID_IMF_EXT_MAILER, HEADER_TEXT},
    {"X-MIMEOLE", FID_IMF_EXT_MIMEOLE, HEADER_TEXT},
    {"X-UIDL", FID_IMF_EXT_UIDL, HEADER_TEXT},
    {"X-VIRUS-SCANNED", FID_IMF_EXT_VIRUS_SCANNED, HEADER_TEXT},
    {"X-ORIGINAL-TO", FID_IMF_EXT_ORIGINAL_TO, HEADER_TEXT},
    {"EXPIRY-DATE", FID_IMF_EXT_EXPIRY_DATE, HEADER_TEXT},
    {"X-MS-TNEF-CORRELATOR", FID_IMF_EXT_TNEF_CORRELATOR, HEADER_TEXT},
    {"X-AUTHENTICATION-WARNING", FID_IMF_EXT_AUTHENTICATION_WARNING, HEADER_TEXT},
    {"THREAD-INDEX", FID_IMF_THREAD_INDEX, HEADER_TEXT},
    {"LINES", FID_IMF_LINES, HEADER_TEXT},
    {"PRECEDENCE", FID_IMF_PRECEDENCE, HEADER_TEXT},
};

static struct slice trimmed(struct slice s) {
    while (s.n && s.p[0] <= ' ') s = slice_tail(s, 1);
    while (s.n && s.p[s.n - 1] <= ' ') s.n--;
    return s;
}

/* mailbox_show: an address alone, or between angle brackets behind a name (RFC 5322 3.4). */
static void mailbox_show(struct decode *d, struct slice one) {
    const uint8_t *open = one.n ? memchr(one.p, '<', one.n) : NULL;
    if (!open) {
        if (one.n) line_add(d, FID_IMF_ADDRESS, one);
        return;
    }
    struct slice name = trimmed(slice_head(one, (size_t)(open - one.p)));
    struct slice address = slice_tail(one, (size_t)(open - one.p) + 1);
    const uint8_t *end = address.n ? memchr(address.p, '>', address.n) : NULL;
    if (name.n) line_add(d, FID_IMF_DISPLAY_NAME, name);
    if (end) line_add(d, FID_IMF_ADDRESS, slice_head(address, (size_t)(end - address.p)));
}

/* item_take takes what stands before the next comma that is not quoted off *list, and the comma. */
static struct slice item_take(struct slice *list) {
    bool quoted = false;
    size_t n = 0;
    for (; n < list->n && (quoted || list->p[n] != ','); n++) quoted ^= list->p[n] == '"';
    struct slice item = slice_head(*list, n);
    *list = slice_tail(*list, n + 1);
    return item;
}

static void list_show(struct decode *d, uint16_t id, struct slice list) {
    enum { ITEMS_MAX = 1000 };
    for (unsigned i = 0; i < ITEMS_MAX && list.n; i++) {
        struct slice item = item_take(&list);
        line_open(d, id, item);
        mailbox_show(d, item);
        fv_close(d->out);
    }
}

/* type_show shows the type before its parameters (RFC 2045 5.1). */
static void type_show(struct decode *d, struct slice value) {
    const uint8_t *mark = value.n ? memchr(value.p, ';', value.n) : NULL;
    if (!mark) return;
    size_t n = (size_t)(mark - value.p);
    line_add(d, FID_IMF_CONTENT_TYPE_TYPE, slice_head(value, n));
    line_add(d, FID_IMF_CONTENT_TYPE_PARAMETERS, slice_tail(value, n + 1));
}

static void extension_show(struct decode *d, struct slice name, struct slice value) {
    line_open(d, FID_IMF_EXTENSION, slice_of(name.p, (size_t)(value.p + value.n - name.p)));
    line_add(d, FID_IMF_EXTENSION_TYPE, name);
    line_add(d, FID_IMF_EXTENSION_VALUE, value);
    fv_close(d->out);
}

/* header_show: `whole` is the value with the end of its last line. */
static void header_show(struct decode *d, struct slice name, struct slice value, struct slice whole) {
    const struct header *h = headers, *end = headers + sizeof headers / sizeof *headers;
    while (h < end && !slice_alike(name, slice_str(h->name))) h++;
    if (h == end) {
        extension_show(d, name, value);
        return;
    }
    line_open(d, h->id, value);
    switch (h->kind) {
    case HEADER_MAILBOX: mailbox_show(d, value); break;
    case HEADER_MAILBOXES: list_show(d, FID_IMF_MAILBOX_LIST_ITEM, whole); break;
    case HEADER_ADDRESSES: list_show(d, FID_IMF_ADDRESS_LIST_ITEM, whole); break;
    case HEADER_TYPE: type_show(d, value); break;
    case HEADER_TEXT: break;
    }
    fv_close(d->out);
}

/* headers_read shows the headers and takes them off *in, with the empty line behind them; it returns the value that
 * says what the content is, empty where none does. */
static struct slice headers_read(struct decode *d, struct slice *in) {
    struct slice content = {0};
    struct line line;
    for (unsigned i = 0; i < LINES_MAX && line_take(in, &line) && line.text.n; i++) {
        struct slice value, name;
        if (!header_split(line.text, &name, &value)) continue;
        while (in->n && (in->p[0] == ' ' || in->p[0] == '\t') && line_take(in, &line)) /* RFC 5322 2.2.3 */
            value.n = (size_t)(line.text.p + line.text.n - value.p);
        header_show(d, name, value, slice_of(value.p, (size_t)(line.all.p + line.all.n - value.p)));
        if (!content.n && slice_alike(name, SLICE("CONTENT-TYPE"))) content = value;
    }
    return content;
}

static void text_show(struct decode *d, struct slice text) {
    struct line line;
    fv_open(d->out, FID_IMF_MESSAGE_TEXT, d_off(d, text.p), (uint32_t)text.n);
    for (unsigned i = 0; i < LINES_MAX && d_wants(d, FID_IMF_LINE) && line_take(&text, &line); i++)
        fv_s(d->out, FID_IMF_LINE, d_off(d, line.all.p), (uint32_t)line.all.n, line.text);
    fv_close(d->out);
}

static void imf_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_imf, in.n ? d_off(d, in.p) : 0, (uint32_t)in.n);
    struct slice content = headers_read(d, &in), type = content.n ? http_media_type(d, content) : content;
    if (content.n && d_wants(d, FID_IMF_CONTENT))
        fv_hide(fv_s(d->out, FID_IMF_CONTENT, d_off(d, content.p), 0, http_media_words(d, content, in, NULL)));
    if (in.n && media_kind_of(type) == MEDIA_MULTIPART) media_multipart_read(d, content, in);
    else if (in.n && type.n) media_or_data_read(d, type, in);
    else if (in.n) text_show(d, in);
    d_end(d);
}

/* imf_info: sender and subject in the order of their headers. */
static void imf_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *from = fv_first(v, FID_IMF_FROM, at, end), *subject = fv_first(v, FID_IMF_SUBJECT, at, end);
    const struct fval *content = fv_first(v, FID_IMF_CONTENT, at, end);
    const struct fval *said[] = {subject && subject < from ? subject : from,
                                 subject && subject < from ? from : subject};
    for (size_t i = 0; i < 2; i++) {
        if (!said[i]) continue;
        wr_s(w, said[i] == from ? "from: " : "subject: ");
        print_string(w, said[i]->s);
        wr_s(w, ", ");
    }
    if (content) print_string(w, content->s);
}

/* imf_column says what brought the message. */
static const char *imf_column(const struct fvec *v, uint32_t at, uint32_t end) {
    (void)end;
    if (fv_first(v, FID_IMAP, 0, at)) return "IMAP/IMF";
    if (fv_first(v, FID_HTTP, 0, at)) return "HTTP/IMF";
    return fv_first(v, FID_POP, 0, at) ? "POP/IMF" : NULL;
}

static const uint16_t info_fields[] = {FID_IMF_FROM, FID_IMF_SUBJECT, FID_IMF_CONTENT, FID_IMAP, FID_HTTP, FID_POP, 0};
const struct proto proto_imf = {.name = "imf",
                                .column = "SMTP/IMF",
                                .column_of = imf_column,
                                .id = FID_IMF,
                                .end = FID_IMF_END,
                                .inner = true,
                                .read = imf_read,
                                .info = imf_info,
                                .info_fields = info_fields};
