/* SPDX-License-Identifier: Apache-2.0 */
/* File transfer, its control connection (RFC 959), and terminals over the network (RFC 854). */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

enum { DIRECTORY_MAX = 256, AUTH_OK = 234, DIRECTORY_IS = 257, IAC = 255, SB = 250, SE = 240, WILL = 251 };

struct ftp_state {
    bool tls_asked;
    uint8_t length; /* of the working directory, as far as the server named it */
    char directory[DIRECTORY_MAX];
};

/* directory_note keeps the name between quotes of a reply (RFC 959 appendix II). */
static void directory_note(struct ftp_state *st, struct slice text) {
    const uint8_t *begin = text.n ? memchr(text.p, '"', text.n) : NULL;
    if (!begin) return;
    struct slice name = slice_tail(text, (size_t)(begin - text.p) + 1);
    const uint8_t *end = name.n ? memchr(name.p, '"', name.n) : NULL;
    if (!end || end - name.p >= DIRECTORY_MAX) return;
    st->length = (uint8_t)(end - name.p);
    memcpy(st->directory, name.p, st->length);
}

static void request_read(struct decode *d, struct ftp_state *st, const struct line *line) {
    struct slice rest = line->text, command = word_take(&rest);
    line_open(d, FID_FTP_LINE, line->all);
    line_add(d, FID_FTP_REQUEST_COMMAND, command);
    if (rest.n) line_add(d, FID_FTP_REQUEST_ARG, rest);
    fv_close(d->out);
    st->tls_asked = word_is(command, "AUTH");
}

static void reply_read(struct decode *d, struct ftp_state *st, const struct line *line) {
    int code = code_of(line->text);
    line_open(d, FID_FTP_LINE, line->all);
    if (code >= 0) {
        fv_u(d->out, FID_FTP_RESPONSE_CODE, d_off(d, line->text.p), 3, (unsigned)code);
        struct slice rest = slice_tail(line->text, 4);
        if (rest.n) line_add(d, FID_FTP_RESPONSE_ARG, rest);
    }
    fv_close(d->out);
    if (code == DIRECTORY_IS) directory_note(st, line->text);
    if (code == AUTH_OK && st->tls_asked && d->ops->become) d->ops->become(d, &proto_tls, 0);
}

/* directory_show says where the client is, in a line of its own. */
static void directory_show(struct decode *d, const struct ftp_state *st) {
    if (!st->length || !d_wants(d, FID_FTP_CURRENT_WORKING_DIRECTORY)) return;
    struct slice name = arena_copy(d->arena, slice_of(st->directory, st->length));
    fv_gen(fv_s(d->out, FID_FTP_CURRENT_WORKING_DIRECTORY, 0, 0, name));
}

static struct read_result ftp_read(struct decode *d, void *state, int from, struct slice in) {
    struct ftp_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_ftp, from);
    d_begin(d, &proto_ftp, d_off(d, in.p), (uint32_t)in.n);
    fv_hide(fv_u(d->out, FID_FTP_REQUEST, d_off(d, in.p), 0, !server));
    fv_hide(fv_u(d->out, FID_FTP_RESPONSE, d_off(d, in.p), 0, server));
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) reply_read(d, st, &line);
        else request_read(d, st, &line);
    }
    d_end(d);
    directory_show(d, st);
    return lines_whole(in);
}

static void ftp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *reply = fv_first(v, FID_FTP_RESPONSE, at, end), *text = fv_first(v, FID_FTP_LINE, at, end);
    struct line line;
    if (!reply || !text) return;
    struct slice rest = text->s;
    wr_s(w, reply->u ? "Response: " : "Request: ");
    if (line_take(&rest, &line)) print_string(w, line.text);
}

static bool line_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_FTP_LINE) return false;
    print_string(w, v->v[at].s);
    return true;
}

/* command_read shows a command of the terminal's: an option it talks about, or one byte. */
static size_t command_read(struct decode *d, struct slice in) {
    uint8_t command = in.n > 1 ? in.p[1] : 0;
    size_t n = command >= SB ? 3 : 2;
    if (in.n < n) return in.n;
    uint32_t off = d_off(d, in.p);
    if (command == SB)
        while (n < in.n && !(in.p[n - 1] == SE && in.p[n - 2] == IAC)) n++;
    fv_open(d->out, FID_TELNET_COMMAND, off, (uint32_t)n);
    fv_u(d->out, FID_TELNET_CMD, off + 1, 1, command);
    if (command >= SB) fv_u(d->out, FID_TELNET_SUBCMD, off + 2, 1, in.p[2]);
    fv_close(d->out);
    return n;
}

static struct read_result telnet_read(struct decode *d, void *state, int from, struct slice in) {
    struct slice left = in;
    struct line line;
    (void)state, (void)from;
    d_begin(d, &proto_telnet, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && left.n; i++) {
        if (left.p[0] == IAC) {
            left = slice_tail(left, command_read(d, left));
            continue;
        }
        const uint8_t *command = memchr(left.p, IAC, left.n);
        struct slice text = slice_head(left, command ? (size_t)(command - left.p) : left.n);
        left = slice_tail(left, text.n);
        for (unsigned n = 0; n < LINES_MAX && line_take(&text, &line); n++) line_add(d, FID_TELNET_DATA, line.all);
    }
    d_end(d);
    return lines_whole(in);
}

static void telnet_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Telnet Data ...");
}

static const uint16_t ftp_fields[] = {FID_FTP_RESPONSE, FID_FTP_LINE, 0};
static const struct stream_ops ftp_stream = {.state_size = sizeof(struct ftp_state), .read = ftp_read};
static const struct proto_key ftp_keys[] = {{TABLE_TCP, 21}, {TABLE_COUNT, 0}};
const struct proto proto_ftp = {.name = "ftp",
                                .column = "FTP",
                                .id = FID_FTP,
                                .end = FID_FTP_END,
                                .keys = ftp_keys,
                                .stream = &ftp_stream,
                                .info = ftp_info,
                                .info_fields = ftp_fields,
                                .label = line_label};
static const struct stream_ops telnet_stream = {.read = telnet_read};
static const struct proto_key telnet_keys[] = {{TABLE_TCP, 23}, {TABLE_COUNT, 0}};
const struct proto proto_telnet = {.name = "telnet",
                                   .column = "TELNET",
                                   .id = FID_TELNET,
                                   .end = FID_TELNET_END,
                                   .keys = telnet_keys,
                                   .stream = &telnet_stream,
                                   .info = telnet_info};
