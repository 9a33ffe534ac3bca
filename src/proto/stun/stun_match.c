/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/stun/stun.h"

#include "proto/protos.h"

static struct stun_transaction *find(struct stun_state *st, const uint8_t *id) {
    for (unsigned i = 0; i < STUN_KEPT; i++)
        if (st->kept[i].asked && memcmp(st->kept[i].id, id, STUN_ID) == 0) return &st->kept[i];
    return NULL;
}

static void frame_add(struct decode *d, uint16_t id, uint32_t off, uint64_t frame) {
    if (frame) fv_gen(fv_u(d->out, id, off, 0, frame));
}

void stun_match(struct decode *d, struct stun_state *st, bool response, const uint8_t *id, uint32_t off) {
    struct stun_transaction *t = find(st, id);
    if (!t && response) return;
    if (!t) {
        t = &st->kept[st->next];
        st->next = (uint8_t)((st->next + 1) % STUN_KEPT);
        *t = (struct stun_transaction){.asked = d->pkt->number, .at = d->pkt->ts};
        memcpy(t->id, id, STUN_ID);
        return;
    }
    frame_add(d, FID_STUN_REQDUPLICATE, off, response ? t->answered : t->asked);
    if (!response) {
        frame_add(d, FID_STUN_RESPONSE_IN, off, t->answered);
        return;
    }
    frame_add(d, FID_STUN_RESPONSE_TO, off, t->asked);
    fv_i(d->out, FID_STUN_TIME, off, 0, d->pkt->ts - t->at);
    if (!t->answered) t->answered = d->pkt->number;
}
