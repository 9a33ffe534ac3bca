/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics in the very shape tshark's -z gives them, for hands and scripts that know it. */
#include "field/print.h"
#include "view/stats/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RULE "================================================================================\n"
#define RULE_PHS "===================================================================\n"

/* size_write writes bytes as a number of at least two digits of a decimal unit. */
static void size_write(char *text, size_t n, uint64_t bytes) {
    static const char *const units[] = {" bytes", " kB", " MB", " GB", " TB"};
    size_t unit = 0;
    for (; bytes >= 10000 && unit + 1 < sizeof units / sizeof *units; unit++) bytes /= 1000;
    snprintf(text, n, "%" PRIu64 "%s", bytes, units[unit]);
}

/* seconds rounds as whole seconds and parts do that are added. */
static double seconds(int64_t ns) { return (double)(ns / 1000000000) + (double)(ns % 1000000000) / 1e9; }

static void heading(struct writer *w, const struct talk *t, const char *what, const char *filter) {
    wr_s(w, RULE);
    wr_f(w, "%s %s\nFilter:%s\n", talk_level_title(t->level), what, filter ? filter : "<No Filter>");
}

static const char *addr_text(char *text, size_t n, const struct talk_addr *a, bool port) {
    struct writer w = wr_fixed(text, n - 1);
    talk_addr_print(&w, a);
    if (port) wr_f(&w, ":%u", a->port);
    *w.p = 0;
    return text;
}

static void host_print(struct writer *w, const struct talk_host *h, bool ports) {
    char text[80];
    wr_f(w, "%-20s      ", addr_text(text, sizeof text, &h->at, false));
    if (ports) wr_f(w, "%5u     ", h->at.port);
    wr_f(w,
         "%6" PRIu64 "     %9" PRIu64 "     %6" PRIu64 "       %9" PRIu64 "      %6" PRIu64 "       %9" PRIu64 "   \n",
         h->sent + h->received, h->sent_bytes + h->received_bytes, h->sent, h->sent_bytes, h->received,
         h->received_bytes);
}

static void pair_print(struct writer *w, const struct talk_pair *p, bool ports) {
    char a[80], b[80], size[3][32];
    size_write(size[0], sizeof size[0], p->bytes[1]);
    size_write(size[1], sizeof size[1], p->bytes[0]);
    size_write(size[2], sizeof size[2], p->bytes[0] + p->bytes[1]);
    wr_f(w, ports ? "%-26s <-> %-26s" : "%-20s <-> %-20s", addr_text(a, sizeof a, &p->a, ports),
         addr_text(b, sizeof b, &p->b, ports));
    wr_f(w, "  %6" PRIu64 " %-9s  %6" PRIu64 " %-9s  %6" PRIu64 " %-9s  ", p->packets[1], size[0], p->packets[0],
         size[1], p->packets[0] + p->packets[1], size[2]);
    wr_f(w, "%14.9f   %12.4f\n", seconds(p->first), seconds(p->last) - seconds(p->first));
}

void tap_talk_print(struct writer *w, const struct talk *t, const char *filter) {
    bool ports = talk_has_ports(t);
    heading(w, t, t->pairs ? "Conversations" : "Endpoints", filter);
    if (t->pairs) {
        const char *more = ports ? "            " : "";
        wr_f(w,
             "%s                                               |       <-      | |       ->      | |     Total     |   "
             " Relative    |   Duration   |\n",
             more);
        wr_f(w,
             "%s                                               | Frames  Bytes | | Frames  Bytes | | Frames  Bytes |   "
             "   Start     |              |\n",
             more);
    } else {
        wr_f(w,
             "                       |%s  Packets  | |  Bytes  | | Tx Packets | | Tx Bytes | | Rx Packets | | Rx Bytes "
             "|\n",
             ports ? "  Port  ||" : "");
    }
    uint32_t *places = talk_by_packets(t);
    for (uint32_t i = 0; places && i < t->tab.n; i++) {
        struct talk_pair p = {0};
        if (t->pairs) p = talk_pair_at(t, places[i]);
        if (t->pairs) pair_print(w, &p, ports);
        else host_print(w, keytab_at(&t->tab, places[i]), ports);
    }
    free(places);
    wr_s(w, RULE);
}

static void phs_rows(struct writer *w, const struct phs *p, uint32_t at, int depth) {
    enum { INDENTED = 16 }; /* levels beyond are only marked, as tshark does */
    int column = depth <= INDENTED ? 2 * depth : 2 * INDENTED + 3;
    for (uint32_t c = p->node[at].child; c; c = p->node[c].sibling) {
        const struct phs_node *n = &p->node[c];
        int pad = 40 - column - (int)strlen(field_of(n->id)->name);
        wr_spaces(w, 2 * (size_t)(depth <= INDENTED ? depth : INDENTED));
        if (depth > INDENTED) wr_s(w, "...");
        wr_s(w, field_of(n->id)->name);
        wr_spaces(w, pad > 0 ? (size_t)pad : 0);
        wr_f(w, " frames:%" PRIu64 " bytes:%" PRIu64 "\n", n->packets, n->bytes);
        phs_rows(w, p, c, depth + 1);
    }
}

void tap_phs_print(struct writer *w, const struct phs *p, const char *filter) {
    wr_s(w, "\n" RULE_PHS "Protocol Hierarchy Statistics\n");
    wr_f(w, "Filter: %s\n\n", filter ? filter : "");
    phs_rows(w, p, 0, 0);
    wr_s(w, RULE_PHS);
}

void tap_expert_print(struct writer *w, const struct expert *x) {
    static const char *const titles[] = {[SEV_COMMENT] = "Comments",
                                         [SEV_CHAT] = "Chats",
                                         [SEV_NOTE] = "Notes",
                                         [SEV_WARN] = "Warns",
                                         [SEV_ERROR] = "Errors"};
    for (int severity = SEV_ERROR; severity > SEV_NONE; severity--) {
        uint64_t n = 0;
        for (uint32_t i = 0; i < x->tab.n; i++) {
            const struct expert_entry *e = keytab_at(&x->tab, i);
            if (expert_severity(e) == severity) n += e->count;
        }
        if (!n) continue;
        wr_f(w, "\n%s (%" PRIu64 ")\n=============\n   Frequency      Group           Protocol  Summary\n",
             titles[severity], n);
        for (uint32_t i = 0; i < x->tab.n; i++) {
            const struct expert_entry *e = keytab_at(&x->tab, i);
            if (expert_severity(e) != severity) continue;
            wr_f(w, "%12" PRIu64 " %10s %18s  %s\n", e->count,
                 anomaly_group_name((enum anomaly_group)field_of(e->id)->group), expert_protocol(e), e->text);
        }
    }
}

void tap_srt_print(struct writer *w, struct srt *s, const char *filter) {
    char rule[75];
    double mean = s->replies ? s->sum / (double)s->replies : 0, median = srt_median(s);
    memset(rule, '=', sizeof rule - 1);
    rule[sizeof rule - 1] = 0;
    wr_f(w, "\n%s\nICMP%s Service Response Time (SRT) Statistics (all times in ms):\nFilter: %s\n\n", rule,
         s->six ? "v6" : "", filter ? filter : "<none>");
    uint64_t lost = s->requests > s->replies ? s->requests - s->replies : 0;
    wr_f(w, "Requests  Replies   Lost      %% Loss\n%-10" PRIu64 "%-10" PRIu64 "%-10" PRIu64 "%5.1f%%\n\n", s->requests,
         s->replies, lost, s->requests ? 100.0 * (double)lost / (double)s->requests : 0);
    wr_f(w, "Minimum   Maximum   Mean      Median    SDeviation     Min Frame Max Frame\n");
    wr_f(w, "%-10.3f%-10.3f%-10.3f%-10.3f%-15.3f%-10" PRIu64 "%-*" PRIu64 "\n", s->least, s->most, mean, median,
         srt_deviation(s), s->least_frame, s->requests ? 10 : 1, s->most_frame);
    wr_f(w, "%s\n", rule);
}

void tap_hosts_print(struct writer *w, struct hosts *h, const char *from) {
    wr_f(w, "# TShark hosts output\n#\n# Host data gathered from %s\n\n", from);
    hosts_sorted(h);
    for (uint32_t i = 0; i < h->names.n; i++) {
        const struct host_named *named = keytab_at(&h->names, i);
        talk_addr_print(w, &named->addr);
        wr_c(w, '\t');
        print_string(w, name_slice(&named->name));
        wr_c(w, '\n');
    }
}

void tap_dhcp_print(struct writer *w, const struct dhcp_types *t, const char *filter) {
    const struct field_values *types = field_of(FID_DHCP_OPTION_DHCP)->values;
    char rule[102];
    memset(rule, '=', sizeof rule - 1);
    rule[sizeof rule - 1] = 0;
    wr_f(w, "\n%s\nDHCP (BOOTP) Statistics:\nFilter for statistics: %s\n", rule, filter ? filter : "");
    wr_s(w, "DHCP Message Type |Packets |\nDHCP Statistics\n");
    for (size_t i = 0; i < types->count; i++)
        wr_f(w, "%-25s |%" PRIu64 " |\n", types->list[i].name, t->packets[types->list[i].lo]);
    wr_f(w, "%s\n", rule);
}

static void credential_print(struct writer *w, const struct credential *one) {
    char info[48] = "", user[4 * CREDENTIALS_USER + 1];
    struct writer t = wr_fixed(user, sizeof user - 1);
    print_string(&t, slice_of(one->user.text, one->user.n));
    *t.p = 0;
    const char *words = strcmp(one->proto, "FTP") ? "Username in packet %" PRIu64 : "Username in packet: %" PRIu64;
    if (one->user_frame) snprintf(info, sizeof info, words, one->user_frame);
    wr_f(w, "%-10" PRIu64 " %-16s %-16s %-16s\n", one->frame, one->proto, user, info);
}

void tap_credentials_print(struct writer *w, const struct credentials *c) {
    wr_s(w, RULE_PHS "Packet     Protocol         Username         Info            \n"
                     "------     --------         --------         --------\n");
    for (uint32_t i = 0; i < c->n; i++) credential_print(w, &c->row[i]);
    wr_s(w, RULE_PHS);
    if (c->refused)
        wr_f(w,
             plural(c->refused, "[%" PRIu64 " login more is not shown]\n", "[%" PRIu64 " logins more are not shown]\n"),
             c->refused);
}
