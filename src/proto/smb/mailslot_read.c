/* SPDX-License-Identifier: Apache-2.0 */
/* Mailslots ([MS-MAIL] 2.2.1) and the browser service that announces hosts through them ([MS-BRWS] 2.2). */
#include "proto/smb/smb.h"

#include "proto/protos.h"

#include "field/print.h"

enum { SETUP = 6, SERVER_NAME = 16, TEXT_MAX = 256 };
enum {
    HOST = 0x01,
    REQUEST = 0x02,
    ELECTION = 0x08,
    BACKUP_REQUEST = 0x09,
    BACKUP_RESPONSE = 0x0a,
    BECOME_BACKUP = 0x0b,
    DOMAIN = 0x0c,
    LOCAL_MASTER = 0x0f
};

/* text_get reads a string that ends with a NUL, or after `room` bytes. */
static void text_get(struct decode *d, struct reader *r, uint16_t id, size_t room) {
    size_t n = rd_left(r) < room ? rd_left(r) : room;
    const uint8_t *end = n ? memchr(r->p, 0, n) : NULL;
    size_t used = end ? (size_t)(end - r->p) : n;
    if (rd_ok(r)) fv_s(d->out, id, rd_off(r), (uint32_t)(used + (end != NULL)), slice_of(r->p, used));
    rd_skip(r, used + (end != NULL));
}

/* announcement_read: [MS-BRWS] 2.2.1, 2.2.6, 2.2.10. */
static void announcement_read(struct decode *d, struct reader *r, uint8_t command) {
    static const struct d_row head[] = {{FID_BROWSER_UPDATE_COUNT, 1}, {FID_BROWSER_PERIOD, 4, true}};
    static const struct d_row type[] = {{FID_BROWSER_OS_MAJOR, 1},
                                        {FID_BROWSER_OS_MINOR, 1},
                                        {FID_BROWSER_SERVER_TYPE, 4, true},
                                        {FID_BROWSER_SERVER_TYPE_WORKSTATION, 0},
                                        {FID_BROWSER_SERVER_TYPE_SERVER, 0},
                                        {FID_BROWSER_SERVER_TYPE_SQL, 0},
                                        {FID_BROWSER_SERVER_TYPE_DOMAIN_CONTROLLER, 0},
                                        {FID_BROWSER_SERVER_TYPE_BACKUP_CONTROLLER, 0},
                                        {FID_BROWSER_SERVER_TYPE_TIME, 0},
                                        {FID_BROWSER_SERVER_TYPE_APPLE, 0},
                                        {FID_BROWSER_SERVER_TYPE_NOVELL, 0},
                                        {FID_BROWSER_SERVER_TYPE_MEMBER, 0},
                                        {FID_BROWSER_SERVER_TYPE_PRINT, 0},
                                        {FID_BROWSER_SERVER_TYPE_DIALIN, 0},
                                        {FID_BROWSER_SERVER_TYPE_XENIX, 0},
                                        {FID_BROWSER_SERVER_TYPE_NTW, 0},
                                        {FID_BROWSER_SERVER_TYPE_WFW, 0},
                                        {FID_BROWSER_SERVER_TYPE_NTS, 0},
                                        {FID_BROWSER_SERVER_TYPE_BROWSER_POTENTIAL, 0},
                                        {FID_BROWSER_SERVER_TYPE_BROWSER_BACKUP, 0},
                                        {FID_BROWSER_SERVER_TYPE_BROWSER_MASTER, 0},
                                        {FID_BROWSER_SERVER_TYPE_BROWSER_DOMAIN_MASTER, 0},
                                        {FID_BROWSER_SERVER_TYPE_OSF, 0},
                                        {FID_BROWSER_SERVER_TYPE_VMS, 0},
                                        {FID_BROWSER_SERVER_TYPE_W95, 0},
                                        {FID_BROWSER_SERVER_TYPE_DFS, 0},
                                        {FID_BROWSER_SERVER_TYPE_LOCAL, 0},
                                        {FID_BROWSER_SERVER_TYPE_DOMAINENUM, 0}};
    static const struct d_row domain[] = {{FID_BROWSER_MYSTERIOUS_FIELD, 4, true}};
    static const struct d_row host[] = {
        {FID_BROWSER_PROTO_MAJOR, 1}, {FID_BROWSER_PROTO_MINOR, 1}, {FID_BROWSER_SIG, 2, true}};
    d_rows(d, r, D_ROWS(head));
    struct reader name = rd_sub(r, SERVER_NAME);
    text_get(d, &name, FID_BROWSER_SERVER, SERVER_NAME);
    d_rows(d, r, D_ROWS(type));
    if (command == DOMAIN) d_rows(d, r, D_ROWS(domain));
    else d_rows(d, r, D_ROWS(host));
    text_get(d, r, command == DOMAIN ? FID_BROWSER_MB_SERVER : FID_BROWSER_COMMENT, TEXT_MAX);
}

/* election_read: [MS-BRWS] 2.2.3. */
static void election_read(struct decode *d, struct reader *r) {
    static const struct d_row desire[] = {{FID_BROWSER_ELECTION_DESIRE, 1},
                                          {FID_BROWSER_ELECTION_DESIRE_BACKUP, 0},
                                          {FID_BROWSER_ELECTION_DESIRE_STANDBY, 0},
                                          {FID_BROWSER_ELECTION_DESIRE_MASTER, 0},
                                          {FID_BROWSER_ELECTION_DESIRE_DOMAIN_MASTER, 0},
                                          {FID_BROWSER_ELECTION_DESIRE_WINS, 0},
                                          {FID_BROWSER_ELECTION_DESIRE_NT, 0},
                                          {FID_BROWSER_PROTO_MAJOR, 1},
                                          {FID_BROWSER_PROTO_MINOR, 1},
                                          {FID_BROWSER_ELECTION_OS, 1},
                                          {FID_BROWSER_ELECTION_OS_WFW, 0},
                                          {FID_BROWSER_ELECTION_OS_NTW, 0},
                                          {FID_BROWSER_ELECTION_OS_NTS, 0}};
    static const struct d_row uptime[] = {{FID_BROWSER_UPTIME, 4, true}};
    get_u8(d, r, FID_BROWSER_ELECTION_VERSION);
    if (rd_left(r) >= 4) d_open_u(d, FID_BROWSER_ELECTION_CRITERIA, rd_off(r), 4, load_le32(r->p));
    else rd_fail(r);
    if (!rd_ok(r)) return;
    d_rows(d, r, D_ROWS(desire));
    fv_close(d->out);
    d_rows(d, r, D_ROWS(uptime));
    rd_skip(r, 4);
    text_get(d, r, FID_BROWSER_SERVER, TEXT_MAX);
}

static void browser_body(struct decode *d, struct reader *r, uint8_t command) {
    static const struct d_row backup[] = {{FID_BROWSER_BACKUP_COUNT, 1}, {FID_BROWSER_BACKUP_TOKEN, 4, true}};
    switch (command) {
    case HOST:
    case DOMAIN:
    case LOCAL_MASTER: announcement_read(d, r, command); break;
    case REQUEST:
        get_u8(d, r, FID_BROWSER_UNUSED);
        text_get(d, r, FID_BROWSER_RESPONSE_COMPUTER_NAME, TEXT_MAX);
        break;
    case ELECTION: election_read(d, r); break;
    case BACKUP_REQUEST:
    case BACKUP_RESPONSE:
        d_rows(d, r, D_ROWS(backup));
        while (command == BACKUP_RESPONSE && rd_left(r)) text_get(d, r, FID_BROWSER_BACKUP_SERVER, TEXT_MAX);
        break;
    case BECOME_BACKUP: text_get(d, r, FID_BROWSER_BROWSER_TO_PROMOTE, TEXT_MAX); break;
    default: break;
    }
}

static void browser_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_browser, rd_off(&r), (uint32_t)in.n);
    uint8_t command = get_u8(d, &r, FID_BROWSER_COMMAND);
    if (rd_ok(&r)) browser_body(d, &r, command);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

void mailslot_read(struct decode *d, struct slice setup, struct slice name, struct slice data) {
    static const struct d_row words[] = {
        {FID_MAILSLOT_OPCODE, 2, true}, {FID_MAILSLOT_PRIORITY, 2, true}, {FID_MAILSLOT_CLASS, 2, true}};
    static const struct d_row size[] = {{FID_MAILSLOT_SIZE, 2, true}};
    enum { BYTE_COUNT = 2 };
    if (setup.n < SETUP) return;
    uint32_t off = d_off(d, setup.p);
    struct reader r = d_reader(d, slice_of(setup.p, SETUP + BYTE_COUNT));
    d_begin(d, &proto_mailslot, off, d_off(d, name.p) + (uint32_t)name.n - off);
    d_rows(d, &r, D_ROWS(words));
    d_rows(d, &r, D_ROWS(size));
    fv_s(d->out, FID_MAILSLOT_NAME, d_off(d, name.p), (uint32_t)name.n, slice_head(name, name.n - 1));
    d_end(d);
    if (slice_starts(name, SLICE("\\MAILSLOT\\BROWSE\0")) && data.n) d->ops->call(d, &proto_browser, data);
    else d_data(d, data);
}

/* types_write lists what a host says it is. */
static void types_write(struct writer *w, uint64_t types) {
    for (uint16_t id = FID_BROWSER_SERVER_TYPE_WORKSTATION; id <= FID_BROWSER_SERVER_TYPE_DOMAINENUM; id++)
        if (types & field_of(id)->mask) wr_f(w, ", %s", field_of(id)->label);
}

static void browser_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *command = fv_first(v, FID_BROWSER_COMMAND, at, end),
                      *name = fv_first(v, FID_BROWSER_SERVER, at, end);
    const struct fval *types = fv_first(v, FID_BROWSER_SERVER_TYPE, at, end);
    if (!command) return;
    if (!name) name = fv_first(v, FID_BROWSER_RESPONSE_COMPUTER_NAME, at, end);
    const char *what = field_value_name(&vals_browser_command, command->u);
    if (what) wr_s(w, what);
    else wr_f(w, "Unknown command:0x%02x", (unsigned)command->u);
    if (name && command->u != ELECTION) {
        wr_c(w, ' ');
        print_string(w, name->s);
    }
    if (types) types_write(w, types->u);
}

static bool browser_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_BROWSER_SERVER_TYPE) {
        wr_f(w, "Server Type: 0x%08x", (unsigned)f->u);
        types_write(w, f->u);
        return true;
    }
    return false;
}

static void mailslot_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *opcode = fv_first(v, FID_MAILSLOT_OPCODE, at, end);
    const char *what = opcode ? field_value_name(&vals_mailslot_opcode, opcode->u) : NULL;
    if (what) wr_s(w, what);
}

static const uint16_t mailslot_info_fields[] = {FID_MAILSLOT_OPCODE, 0};
const struct proto proto_mailslot = {.name = "mailslot",
                                     .column = "SMB Mailslot",
                                     .id = FID_MAILSLOT,
                                     .end = FID_MAILSLOT_END,
                                     .unlisted = true,
                                     .info = mailslot_info,
                                     .info_fields = mailslot_info_fields};

static const uint16_t browser_info_fields[] = {FID_BROWSER_COMMAND, FID_BROWSER_SERVER,
                                               FID_BROWSER_RESPONSE_COMPUTER_NAME, FID_BROWSER_SERVER_TYPE, 0};
const struct proto proto_browser = {.name = "browser",
                                    .column = "BROWSER",
                                    .id = FID_BROWSER,
                                    .end = FID_BROWSER_END,
                                    .read = browser_read,
                                    .info = browser_info,
                                    .info_fields = browser_info_fields,
                                    .label = browser_label};
