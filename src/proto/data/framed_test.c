/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of messages that are only cut: where they end, what is none, what is not all there. */
#include "proto/proto_test.h"
#include "proto/protos.h"

static bool cuts(const char *hex, enum read_status status, size_t n) {
    struct slice in = unhex(hex);
    struct read_result r = proto_framed.stream->frame(in);
    bool as_said = r.status == status && (status == READ_OK ? r.consumed : r.needed) == n;
    free((void *)in.p);
    return as_said;
}

static enum probe_result probed(const char *hex) {
    struct slice in = unhex(hex);
    enum probe_result r = proto_framed.stream->probe(in);
    free((void *)in.p);
    return r;
}

#define RPC_HEAD                                                                                                       \
    "05000003"                                                                                                         \
    "10000000"                                                                                                         \
    "1200"                                                                                                             \
    "0000"                                                                                                             \
    "01000000"
#define UNBIND "30050201034200"

int main(void) {
    CHECK(cuts(RPC_HEAD "aabb", READ_OK, 18), "a message of DCE RPC has the length its header says");
    CHECK(cuts(RPC_HEAD "aabb" RPC_HEAD, READ_OK, 18), "and no more where another follows");
    CHECK(cuts(RPC_HEAD, READ_MORE, 18), "its end may be under way");
    CHECK(cuts("0500000300000000"
               "0012"
               "0000"
               "01000000"
               "aabb",
               READ_OK, 18),
          "the sender says how it writes integers");
    CHECK(cuts("05000003"
               "10000000"
               "0f00"
               "0000"
               "01000000",
               READ_BAD, 0),
          "a length below that of the header is none");
    CHECK(cuts("00000010"
               "fe534d4240000000"
               "0000000000000000",
               READ_OK, 20),
          "SMB stands behind four bytes of its session");
    CHECK(cuts("00000010"
               "47455420"
               "2f20485454502f312e31",
               READ_BAD, 0),
          "anything else there does not");
    CHECK(cuts(UNBIND, READ_OK, 7), "a message of LDAP may be shorter than what is looked at");
    CHECK(cuts("308400000063"
               "02010163"
               "840000005a0400",
               READ_MORE, 105),
          "its length may have four bytes");
    CHECK(cuts("3080"
               "020101630000000000000000000000",
               READ_BAD, 0),
          "and is never left open");
    CHECK(cuts("0500", READ_MORE, 16), "two bytes do not tell");
    CHECK(probed("0500") == PROBE_NO, "and begin nothing");
    CHECK(probed(UNBIND) == PROBE_CERTAIN, "a message that is there does");
    CHECK(proto_framed.stream->probe((struct slice){0}) == PROBE_NO, "no bytes are no message");
    return test_failures != 0;
}
