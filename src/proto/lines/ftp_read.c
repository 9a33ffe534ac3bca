/* SPDX-License-Identifier: Apache-2.0 */
/* File transfer, its control connection (RFC 959), and terminals over the network (RFC 854). */
#include "proto/lines/login.h"
#include "proto/protos.h"

enum {
    DIRECTORY_MAX = 256,
    AUTH_OK = 234,
    PASSIVE = 227,
    PASSIVE_EXTENDED = 229,
    ACTION_DONE = 250,
    DIRECTORY_IS = 257,
    IAC = 255,
    SB = 250,
    SE = 240,
    WILL = 251
};

/* ftp_transfer is what is known of a connection for data: where it was agreed upon and what it is for. */
enum { COMMAND_MAX = 128 };
struct ftp_transfer {
    uint32_t setup_frame, command_frame;
    char method[5]; /* PASV, EPSV, PORT or EPRT */
    uint8_t command_n, directory_n;
    char command[COMMAND_MAX], directory[DIRECTORY_MAX];
};
_Static_assert(sizeof(struct ftp_transfer) <= ANNOUNCE_ABOUT_MAX, "it can be announced");

struct ftp_state {
    bool tls_asked;
    struct login login;
    struct net_addr data_addr; /* where the next data is agreed to go; len 0: nowhere */
    uint16_t data_port;
    struct ftp_transfer transfer;
    bool moves;     /* the client's last command asks to change the directory */
    uint8_t length; /* of the working directory, as far as it is known */
    uint8_t target_n;
    char directory[DIRECTORY_MAX], target[DIRECTORY_MAX];
};

/* directory_note keeps the name between quotes of a reply, in which a quote is two (RFC 959 appendix II). */
static void directory_note(struct ftp_state *st, struct slice text) {
    const uint8_t *begin = text.n ? memchr(text.p, '"', text.n) : NULL;
    char name[DIRECTORY_MAX];
    size_t n = 0;
    if (!begin) return;
    struct slice left = slice_tail(text, (size_t)(begin - text.p) + 1);
    for (; left.n && n < sizeof name - 1; left = slice_tail(left, 1)) {
        if (left.p[0] == '"') {
            left = slice_tail(left, 1);
            if (!left.n || left.p[0] != '"') {
                st->length = (uint8_t)n;
                memcpy(st->directory, name, n);
                return;
            }
        }
        name[n++] = (char)left.p[0];
    }
}

/* move_asked keeps where the client asks to go (RFC 959 4.1.1). */
static void move_asked(struct ftp_state *st, struct slice to) {
    if (to.n >= DIRECTORY_MAX) return;
    st->moves = true;
    st->target_n = (uint8_t)to.n;
    if (to.n) memcpy(st->target, to.p, to.n);
}

/* step goes from the directory in `at`, n bytes, into the one named, or up; it returns the length of where that is. */
static size_t step(char at[DIRECTORY_MAX], size_t n, struct slice name) {
    if (!name.n || slice_eq(name, SLICE("."))) return n;
    if (slice_eq(name, SLICE(".."))) {
        while (n && at[n - 1] != '/') n--;
        return n > 1 ? n - 1 : n;
    }
    bool parted = !n || at[n - 1] == '/';
    if (n + name.n + !parted >= DIRECTORY_MAX) return n;
    if (!parted) at[n++] = '/';
    memcpy(at + n, name.p, name.n);
    return n + name.n;
}

static size_t steps(char at[DIRECTORY_MAX], size_t n, struct slice way) {
    while (way.n) {
        const uint8_t *mark = memchr(way.p, '/', way.n);
        struct slice name = slice_head(way, mark ? (size_t)(mark - way.p) : way.n);
        n = step(at, n, name);
        way = slice_tail(way, name.n + 1);
    }
    return n;
}

/* directory_move goes where the client asked to go, now that the server did. */
static void directory_move(struct ftp_state *st) {
    struct slice target = slice_of((const uint8_t *)st->target, st->target_n);
    char at[DIRECTORY_MAX];
    st->moves = false;
    if (slice_starts(target, SLICE("/"))) {
        st->length = st->target_n;
        memcpy(st->directory, st->target, st->length);
        return;
    }
    size_t n = st->length && st->directory[0] == '/';
    if (n) at[0] = '/';
    n = steps(at, n, slice_of((const uint8_t *)st->directory, st->length));
    n = steps(at, n, target);
    st->length = (uint8_t)n;
    memcpy(st->directory, at, n);
}

static void transfer_announce(struct decode *d, struct ftp_state *st) {
    if (!st->data_addr.len || !d->ops->announce) return;
    st->transfer.directory_n = st->length;
    memcpy(st->transfer.directory, st->directory, st->length);
    d->ops->announce(d, &proto_ftp_data, &st->data_addr, st->data_port,
                     slice_of((const uint8_t *)&st->transfer, sizeof st->transfer));
}

/* number is one of those a text has, and where. */
struct number {
    unsigned value;
    struct slice text;
};
enum { NUMBERS_MAX = 6 };

/* numbers_read takes up to six numbers out of a text and returns how many there were. */
static size_t numbers_read(struct slice text, struct number numbers[NUMBERS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < NUMBERS_MAX; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') continue;
        size_t begin = i;
        unsigned value = 0;
        for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && value < 65536; i++)
            value = value * 10 + (text.p[i] - '0');
        numbers[n++] = (struct number){value, slice_of(text.p + begin, i - begin)};
    }
    return n;
}

/* way is how an end says where data will go, and the fields that show it. */
struct way {
    const char *method;
    bool extended; /* with no address but the speaker's (RFC 2428 3); EPRT's is that, too */
    uint16_t addr, port, nat;
};
static const struct way way_port = {"PORT", false, FID_FTP_ACTIVE_CIP, FID_FTP_ACTIVE_PORT, FID_FTP_ACTIVE_NAT};
static const struct way way_pasv = {"PASV", false, FID_FTP_PASSIVE_IP, FID_FTP_PASSIVE_PORT, FID_FTP_PASSIVE_NAT};
static const struct way way_eprt = {"EPRT", true, 0, 0, 0};
static const struct way way_epsv = {"EPSV", true, FID_FTP_EPSV_IP, FID_FTP_EPSV_PORT, 0};

/* place_show shows an address of four numbers and a port of two, or the speaker's address and a port of one. */
static void place_show(struct decode *d, const struct ftp_state *st, const struct way *way, const struct number *v,
                       size_t n) {
    const struct number *port = way->extended ? v + n - 1 : v + 4;
    const uint8_t *end = v[n - 1].text.p + v[n - 1].text.n;
    uint32_t off = d_off(d, v[0].text.p), addr = load_be32(st->data_addr.bytes);
    if (!way->port) return;
    if (!way->extended) fv_u(d->out, way->addr, off, (uint32_t)(v[3].text.p + v[3].text.n - v[0].text.p), addr);
    else if (d->src.len == 4) fv_gen(fv_u(d->out, way->addr, d_off(d, v[0].text.p), 0, addr));
    fv_u(d->out, way->port, d_off(d, port->text.p), (uint32_t)(end - port->text.p), st->data_port);
    if (!way->extended && d->src.len == 4 && memcmp(d->src.bytes, st->data_addr.bytes, 4) != 0)
        fv_u(d->out, way->nat, off, 0, 1);
}

/* place_note keeps where data will go: six numbers of an address and a port (RFC 959 4.1.2), or a port behind three
 * marks of the server's own address (RFC 2428 3). */
static void place_note(struct decode *d, struct ftp_state *st, const struct way *way, struct slice text) {
    struct number v[NUMBERS_MAX];
    size_t n = numbers_read(text, v);
    if (way->extended ? n < 1 : n < NUMBERS_MAX) return;
    uint8_t addr[4] = {(uint8_t)v[0].value, (uint8_t)v[1].value, (uint8_t)v[2].value, (uint8_t)v[3].value};
    st->data_addr = way->extended ? d->src : addr_of(addr, 4);
    st->data_port = (uint16_t)(way->extended ? v[n - 1].value : v[4].value << 8 | (v[5].value & 0xff));
    st->transfer = (struct ftp_transfer){.setup_frame = (uint32_t)d->pkt->number};
    memcpy(st->transfer.method, way->method, sizeof st->transfer.method);
    place_show(d, st, way, v, n);
    transfer_announce(d, st);
}

/* command_note keeps which command the next connection for data is for. */
static void command_note(struct decode *d, struct ftp_state *st, struct slice text, struct slice command) {
    static const char *const moving[] = {"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"};
    struct ftp_transfer *t = &st->transfer;
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
        if (!slice_alike(command, slice_str(moving[i]))) continue;
        t->command_n = (uint8_t)(text.n < COMMAND_MAX ? text.n : COMMAND_MAX);
        memcpy(t->command, text.p, t->command_n);
        t->command_frame = (uint32_t)d->pkt->number;
        transfer_announce(d, st);
    }
}

static void request_read(struct decode *d, struct ftp_state *st, const struct line *line) {
    struct slice rest = line->text, command = word_take(&rest);
    struct said said = login_begin(&st->login, line);
    struct slice first = login_word(&said);
    struct fval *all = line_open(d, FID_FTP_LINE, line->all);
    login_mark(&st->login, &said, all, slice_alike(first, SLICE("PASS")) || slice_alike(first, SLICE("ACCT")));
    login_part(&said, line_add(d, FID_FTP_REQUEST_COMMAND, command), command);
    if (rest.n) login_part(&said, line_add(d, FID_FTP_REQUEST_ARG, rest), rest);
    st->tls_asked = slice_alike(command, SLICE("AUTH"));
    st->moves = false;
    if (!said.secret) {
        if (slice_alike(command, SLICE("PORT"))) place_note(d, st, &way_port, rest);
        else if (slice_alike(command, SLICE("EPRT"))) place_note(d, st, &way_eprt, rest);
        else if (slice_alike(command, SLICE("CWD"))) move_asked(st, rest);
        else if (slice_alike(command, SLICE("CDUP"))) move_asked(st, SLICE(".."));
        else command_note(d, st, line->text, command);
    }
    fv_close(d->out);
}

static void reply_read(struct decode *d, struct ftp_state *st, const struct line *line) {
    int code = code_of(line->text);
    line_open(d, FID_FTP_LINE, line->all);
    if (code >= 0) {
        fv_u(d->out, FID_FTP_RESPONSE_CODE, d_off(d, line->text.p), 3, (unsigned)code);
        struct slice rest = slice_tail(line->text, 4);
        if (rest.n) line_add(d, FID_FTP_RESPONSE_ARG, rest);
    }
    if (code == PASSIVE) place_note(d, st, &way_pasv, slice_tail(line->text, 4));
    if (code == PASSIVE_EXTENDED) place_note(d, st, &way_epsv, slice_tail(line->text, 4));
    fv_close(d->out);
    if (code == DIRECTORY_IS) directory_note(st, line->text);
    if (code == ACTION_DONE && st->moves) directory_move(st);
    if (code == AUTH_OK && st->tls_asked && d->ops->become) d->ops->become(d, &proto_tls, 0);
}

/* directory_show says where the client is, in a line of its own; it is empty until it is known. */
static void directory_show(struct decode *d, const struct ftp_state *st) {
    if (!d_wants(d, FID_FTP_CURRENT_WORKING_DIRECTORY)) return;
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
    if (!reply || !text) return;
    wr_s(w, reply->u ? "Response: " : "Request: ");
    line_say(w, v, text, text->s);
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

/* prompt is what the server's last line has said so far: where it asks for a password, what the client types up to its
 * next line end is one, whether it comes at once or letter by letter. */
enum { PROMPT_MAX = 64 };
struct prompt {
    bool ended, answered;
    uint8_t n;
    uint8_t text[PROMPT_MAX]; /* its end, where it is longer */
};

static void prompt_add(struct prompt *p, const struct line *line) {
    struct slice add = line->all;
    if (add.n > PROMPT_MAX) add = slice_tail(add, add.n - PROMPT_MAX);
    if (p->ended) p->n = 0;
    size_t stays = p->n + add.n > PROMPT_MAX ? PROMPT_MAX - add.n : p->n;
    memmove(p->text, p->text + p->n - stays, stays);
    memcpy(p->text + stays, add.p, add.n);
    p->n = (uint8_t)(stays + add.n);
    p->ended = line->all.p[line->all.n - 1] == '\n';
    p->answered = false;
}

/* prompt_asks tells whether it ends with a colon and speaks of a pass: word, phrase, code, Passwort, mot de passe. Some
 * servers answer every letter with a star. */
static bool prompt_asks(const struct prompt *p) {
    size_t n = p->n;
    while (n && strchr(" *\t", p->text[n - 1])) n--;
    if (p->ended || p->answered || !n || p->text[n - 1] != ':') return false;
    for (size_t i = 0; i + 4 <= n; i++)
        if (slice_alike(slice_of(p->text + i, 4), SLICE("PASS"))) return true;
    return false;
}

static void prompt_answer(struct prompt *p, const struct line *line, struct fval *f) {
    if (!prompt_asks(p)) return;
    if (f && line->text.n) fv_secret(f);
    p->answered = memchr(line->all.p, '\r', line->all.n) || memchr(line->all.p, '\n', line->all.n);
}

static struct read_result telnet_read(struct decode *d, void *state, int from, struct slice in) {
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_telnet, from);
    d_begin(d, &proto_telnet, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && left.n; i++) {
        if (left.p[0] == IAC) {
            left = slice_tail(left, command_read(d, left));
            continue;
        }
        const uint8_t *command = memchr(left.p, IAC, left.n);
        struct slice text = slice_head(left, command ? (size_t)(command - left.p) : left.n);
        left = slice_tail(left, text.n);
        for (unsigned n = 0; n < LINES_MAX && line_take(&text, &line); n++) {
            struct fval *f = line_add(d, FID_TELNET_DATA, line.all);
            if (server) prompt_add(state, &line);
            else prompt_answer(state, &line, f);
        }
    }
    d_end(d);
    return lines_whole(in);
}

static void telnet_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Telnet Data ...");
}

/* is_text tells whether data begins with what can be read. */
static bool is_text(struct slice in) {
    for (size_t i = 0; i < in.n && i < 10; i++)
        if ((in.p[i] < ' ' || in.p[i] > '~') && (in.p[i] < '\t' || in.p[i] > '\r')) return false;
    return true;
}

static struct read_result ftp_data_read(struct decode *d, void *state, int from, struct slice in) {
    const struct ftp_transfer *t = state;
    (void)from;
    d_begin(d, &proto_ftp_data, d_off(d, in.p), (uint32_t)in.n);
    d_end(d);
    fv_gen(fv_u(d->out, FID_FTP_DATA_SETUP_FRAME, 0, 0, t->setup_frame));
    fv_gen(fv_s(d->out, FID_FTP_DATA_SETUP_METHOD, 0, 0, arena_copy(d->arena, slice_str(t->method))));
    if (t->command_frame) {
        struct slice command = slice_of((const uint8_t *)t->command, t->command_n);
        fv_gen(fv_s(d->out, FID_FTP_DATA_COMMAND, 0, 0, arena_copy(d->arena, command)));
        fv_gen(fv_u(d->out, FID_FTP_DATA_COMMAND_FRAME, 0, 0, t->command_frame));
    }
    struct slice directory = slice_of((const uint8_t *)t->directory, t->directory_n);
    fv_gen(fv_s(d->out, FID_FTP_DATA_CURRENT_WORKING_DIRECTORY, 0, 0, arena_copy(d->arena, directory)));
    if (is_text(in)) d->ops->call(d, &proto_data_text_lines, in);
    return lines_whole(in);
}

static void ftp_data_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)end;
    wr_f(w, "FTP Data: %u bytes", v->v[at].len);
}

static const uint16_t ftp_data_fields[] = {FID_FTP_DATA, 0};
static const struct stream_ops ftp_data_stream = {.state_size = sizeof(struct ftp_transfer), .read = ftp_data_read};
const struct proto proto_ftp_data = {.name = "ftp-data",
                                     .column = "FTP-DATA",
                                     .id = FID_FTP_DATA,
                                     .end = FID_FTP_DATA_END,
                                     .stream = &ftp_data_stream,
                                     .info = ftp_data_info,
                                     .info_fields = ftp_data_fields};
static const uint16_t ftp_fields[] = {FID_FTP_RESPONSE, FID_FTP_LINE, 0};
static const struct stream_ops ftp_stream = {.state_size = sizeof(struct ftp_state), .read = ftp_read};
static const struct proto_key ftp_keys[] = {{TABLE_TCP, 21}, {TABLE_COUNT, 0}};
const struct proto proto_ftp = {LINES_PROTO(ftp, FTP, "FTP"), .info_fields = ftp_fields, .label = line_label};
static const struct stream_ops telnet_stream = {.state_size = sizeof(struct prompt), .read = telnet_read};
static const struct proto_key telnet_keys[] = {{TABLE_TCP, 23}, {TABLE_COUNT, 0}};
const struct proto proto_telnet = {LINES_PROTO(telnet, TELNET, "TELNET")};
