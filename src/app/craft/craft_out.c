/* SPDX-License-Identifier: Apache-2.0 */
#include "app/craft/craft.h"
#include "io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int craft_out_open(struct craft_out *o, bool decodes) {
    bool to_stdout = o->file && !strcmp(o->file, "-");
    o->out_fd = STDOUT_FILENO;
    o->fd = -1;
    o->view.precision = -1;
    o->out = wr_sink(o->buffer, sizeof o->buffer, out_fd_flush, &o->out_fd);
    if (to_stdout && (o->show || o->hex))
        return opt_bad_use(o->cmd, "-w - and --show or --hex both want standard output");
    if (to_stdout) o->out_fd = STDERR_FILENO;
    if (o->show) want_all(&o->want);
    else columns_want(&o->want);
    if (decodes && dissector_make(&o->ds, &o->want)) return opt_bad_use(o->cmd, "out of memory");
    o->decodes = decodes;
    if (!o->file) return OPT_GO;
    o->fd = to_stdout ? STDOUT_FILENO : open(o->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd < 0) return opt_bad_use(o->cmd, "cannot write %s: %s", o->file, strerror(errno));
    return capwrite_open(&o->to, o->fd, CAPWRITE_PCAPNG, NULL) ? opt_bad_use(o->cmd, "cannot write %s", o->file)
                                                               : OPT_GO;
}

/* iface_of gives the interface of a link type, made when it is first needed. */
static const struct capture_interface *iface_of(struct craft_out *o, int linktype, int *rc) {
    for (size_t i = 0; i < o->n_ifaces; i++)
        if (o->iface[i].linktype == (uint32_t)linktype) return &o->iface[i];
    if (o->n_ifaces == CRAFT_INTERFACES) return *rc = ERR_LIMIT, NULL;
    struct capture_interface *i = &o->iface[o->n_ifaces];
    *i = (struct capture_interface){.name = SLICE("crafted"),
                                    .linktype = (uint32_t)linktype,
                                    .id = (uint32_t)o->n_ifaces,
                                    .ticks = 1000000000,
                                    .has_name = true};
    o->n_ifaces++;
    if (o->to) *rc = capwrite_interface(o->to, i);
    return i;
}

int craft_out_packet(struct craft_out *o, int linktype, struct slice bytes, int64_t ts, enum craft_direction way,
                     const struct decode **d) {
    int rc = OK;
    struct packet *p = &o->packet;
    *p = (struct packet){.number = ++o->packets,
                         .ts = ts,
                         .has_ts = true,
                         .len = (uint32_t)bytes.n + o->cut,
                         .data = bytes,
                         .flags = way,
                         .has_flags = way != CRAFT_MADE};
    *d = NULL;
    if (linktype >= 0) p->iface = iface_of(o, linktype, &rc);
    if (!rc && o->to) rc = capwrite_packet(o->to, p);
    if (!rc && o->decodes && linktype >= 0) *d = dissector_packet(&o->ds, p);
    return rc;
}

int craft_out_print(struct craft_out *o, const struct decode *d, struct slice bytes) {
    if (d && o->show) tree_print(&o->out, d, NULL, &o->view);
    else if (d && !o->hex) columns_print(&o->out, d, &o->view);
    if (d) dissector_shown(&o->ds), o->view.times = o->ds.times;
    if (o->hex) hex_dump(&o->out, bytes);
    if (o->show || o->hex) wr_c(&o->out, '\n');
    return o->out.err;
}

int craft_out_close(struct craft_out *o, int rc) {
    if (o->to && capwrite_close(o->to) && rc != EXIT_TROUBLE)
        rc = opt_bad_use(o->cmd, "writing %s failed: %s", o->file, strerror(errno));
    int written = wr_flush(&o->out);
    if (rc != EXIT_TROUBLE) rc = opt_written(o->cmd, written, rc);
    if (o->decodes) dissector_free(&o->ds);
    if (o->fd > STDOUT_FILENO) close(o->fd);
    return rc;
}
