/* SPDX-License-Identifier: Apache-2.0 */
/* What an arrow of the ladder means, for people who see it for the first time: one sentence for each kind of step. */
#include "view/teach.h"
#include "analyse/explain/judge.h"

/* A sentence belongs to arrows of a kind whose label begins with `start`; the first row that fits is taken. */
static const struct {
    uint8_t kind, mood; /* mood: at least so bad */
    const char *start, *text;
    uint8_t lead; /* enum lead; LEAD_NONE: any */
} sentences[] = {
    {RUNG_TCP, MOOD_PLAIN, "SYN, ACK",
     N_("The server agrees and names its own first number. It remembers a half-open connection (SYN-RECEIVED).")},
    {RUNG_TCP, MOOD_PLAIN, "SYN",
     N_("The client asks for a connection. SYN names the number its bytes are counted from (SYN-SENT).")},
    {RUNG_TCP, MOOD_PLAIN, "RST",
     N_("Reset: this side knows nothing of the connection, or gives it up at once. Whatever still comes is answered "
        "with another reset.")},
    {RUNG_TCP, MOOD_AGAIN, "SYN", N_("No answer came, so the client asks again, after a longer pause each time."),
     LEAD_AGAIN},
    {RUNG_TCP, MOOD_AGAIN, "FIN", N_("The end was not acknowledged in time, so it is said again."), LEAD_AGAIN},
    {RUNG_TCP, MOOD_PLAIN, "", N_("A keep-alive of TCP: it asks whether the other side is still there."),
     LEAD_KEEP_ALIVE},
    {RUNG_DATA, MOOD_PLAIN, "", N_("A keep-alive of TCP: it asks whether the other side is still there."),
     LEAD_KEEP_ALIVE},
    {RUNG_TCP, MOOD_AGAIN, "", N_("The receiver has no room left: the sender must wait."), LEAD_WINDOW},
    {RUNG_DATA, MOOD_AGAIN, "",
     N_("These bytes were sent before and not acknowledged in time, so they are sent again."), LEAD_AGAIN},
    {RUNG_DATA, MOOD_PLAIN, "UDP",
     N_("A datagram: no connection, no acknowledgment. Who sends it does not learn whether it "
        "arrived.")},
    {RUNG_DATA, MOOD_PLAIN, "",
     N_("Data. TCP delivers bytes, in order and once; where a message begins and ends is for the program to know.")},
    {RUNG_DNS, MOOD_BAD, "", N_("The name server says that it has no such address: nothing can be connected to.")},
    {RUNG_ICMP, MOOD_PLAIN, "ICMP Destination unreachable",
     N_("Somebody on the way says that the packet cannot be delivered, and quotes its first bytes.")},
    {RUNG_ICMP, MOOD_PLAIN, "ICMP", N_("ICMP: what the network itself has to say.")},
    {RUNG_TLS, MOOD_PLAIN, "Client Hello",
     N_("TLS begins. The client names the server it wants, in clear, and offers versions, ciphers and its half of a "
        "key.")},
    {RUNG_TLS, MOOD_PLAIN, "Server Hello",
     N_("The server chooses version and cipher and gives its half of the key. In TLS 1.3 everything behind this is "
        "encrypted, the certificate too.")},
    {RUNG_TLS, MOOD_PLAIN, "Certificate",
     N_("The server shows its certificate: readable here, since TLS 1.2 sends it in clear.")},
    {RUNG_TLS, MOOD_PLAIN, "Client Key Exchange",
     N_("The client sends what both sides make the session key from. With plain RSA it is encrypted for the key of the "
        "certificate, so who has that key can read everything.")},
    {RUNG_TLS, MOOD_PLAIN, "Change Cipher Spec",
     N_("From here on this side encrypts. (In TLS 1.3 it is sent for old "
        "middleboxes only and means nothing.)")},
    {RUNG_TLS, MOOD_PLAIN, "New Session Ticket", N_("A ticket with which the client may come back sooner next time.")},
    {RUNG_TLS, MOOD_PLAIN, "Finished", N_("A checksum over the whole handshake: nobody has changed it on the way.")},
    {RUNG_TLS, MOOD_PLAIN, "Encrypted Handshake", N_("A message of the handshake that is encrypted already.")},
    {RUNG_TLS, MOOD_PLAIN, "Encrypted Alert",
     N_("An alert that cannot be read; at the end it is usually 'close notify'.")},
    {RUNG_TLS, MOOD_PLAIN, "Alert",
     N_("An alert says in one word what one side has to complain of, or that it is done.")},
    {RUNG_TLS, MOOD_PLAIN, "TLS data",
     N_("Application data. Without the keys only length and time are visible, not what is said.")},
    {RUNG_HTTP, MOOD_PLAIN, "HTTP", N_("The HTTP response: a status in three digits, header fields, then the body.")},
    {RUNG_HTTP, MOOD_PLAIN, "WebSocket",
     N_("A WebSocket frame: the connection that began as HTTP now carries messages.")},
    {RUNG_HTTP, MOOD_PLAIN, "", N_("The HTTP request: method, path, header fields, perhaps a body.")},
    {RUNG_MQTT, MOOD_PLAIN, "CONNECT",
     N_("MQTT begins. CONNECT carries the client id, perhaps user and password, in clear where there is no TLS.")},
    {RUNG_MQTT, MOOD_BAD, "CONNACK", N_("The broker refuses the client, and the code says why.")},
    {RUNG_MQTT, MOOD_PLAIN, "CONNACK", N_("The broker takes the client. Until now the client was nobody.")},
    {RUNG_MQTT, MOOD_PLAIN, "SUBSCRIBE",
     N_("The subscriber says which topics it wants and with which quality of service; + and # stand for levels.")},
    {RUNG_MQTT, MOOD_PLAIN, "SUBACK", N_("The broker grants the subscription, filter by filter.")},
    {RUNG_MQTT, MOOD_PLAIN, "PUBREC", N_("QoS 2, second step: the receiver has stored the message.")},
    {RUNG_MQTT, MOOD_PLAIN, "PUBREL",
     N_("QoS 2, third step: the sender forgets the message and lets the receiver use it.")},
    {RUNG_MQTT, MOOD_PLAIN, "PUBCOMP", N_("QoS 2, last step: exactly once.")},
    {RUNG_MQTT, MOOD_PLAIN, "PUBACK",
     N_("QoS 1: the receiver has the message. Without this it would be sent again: at least "
        "once.")},
    {RUNG_MQTT, MOOD_PLAIN, "PINGREQ", N_("Nothing to say, but still there: the client keeps within its keep-alive.")},
    {RUNG_MQTT, MOOD_PLAIN, "PINGRESP", N_("The broker is there too.")},
    {RUNG_MQTT, MOOD_PLAIN, "UNSUBSCRIBE", N_("The subscriber no longer wants a topic.")},
    {RUNG_MQTT, MOOD_PLAIN, "UNSUBACK", N_("The broker confirms.")},
    {RUNG_MQTT, MOOD_PLAIN, "DISCONNECT", N_("A proper goodbye: the broker drops the will without publishing it.")},
};
_Static_assert(sizeof sentences / sizeof *sentences < TEACH_MAX - 8, "room for the sentences below");

enum {
    SAID_HANDSHAKE = TEACH_MAX - 8,
    SAID_ACK,
    SAID_FIN,
    SAID_FIN_BACK,
    SAID_LAST_ACK,
    SAID_PUBLISH_UP,
    SAID_PUBLISH_DOWN,
    SAID_QUESTION,
};

static const char *once(struct teach *t, int at, const char *text) {
    if (t->said[at]) return NULL;
    t->said[at] = true;
    return text;
}

static bool begins(const struct rung *r, const char *start) { return slice_starts(r->text, slice_str(start)); }

static bool fits(size_t row, const struct rung *r) {
    if (sentences[row].kind != r->kind || r->mood < sentences[row].mood) return false;
    if (sentences[row].lead == LEAD_NONE) return begins(r, sentences[row].start);
    return r->lead == sentences[row].lead &&
           slice_starts(slice_tail(r->text, r->lead_n), slice_str(sentences[row].start));
}

/* last_tcp gives the arrow of TCP of this stream before arrow i, at most so many arrows back. */
static const struct rung *last_tcp(const struct ladder *l, uint32_t i) {
    for (uint32_t k = i; k-- > 0 && i - k < 64;)
        if (l->rung[k].stream == l->rung[i].stream && l->rung[k].kind != RUNG_DNS && l->rung[k].kind != RUNG_ICMP)
            return &l->rung[k];
    return NULL;
}

/* ending tells whether a FIN went before arrow i in its stream. */
static bool ending(const struct ladder *l, uint32_t i) {
    for (uint32_t k = i; k-- > 0 && i - k < 64;)
        if (l->rung[k].stream == l->rung[i].stream && l->rung[k].kind == RUNG_TCP && begins(&l->rung[k], "FIN"))
            return true;
    return false;
}

static const char *teach_ack(struct teach *t, const struct ladder *l, uint32_t i) {
    const struct rung *before = last_tcp(l, i);
    if (before && begins(before, "SYN, ACK"))
        return once(t, SAID_HANDSHAKE,
                    N_("The client confirms. These three packets are the handshake, and the connection stands "
                       "(ESTABLISHED)."));
    if (before && begins(before, "FIN") && ending(l, i))
        return once(
            t, SAID_LAST_ACK,
            N_("The last acknowledgment. Who closed first waits a while before the port is free again (TIME-WAIT)."));
    return once(t, SAID_ACK, N_("An acknowledgment and nothing else: everything up to here has arrived."));
}

static const char *teach_special(struct teach *t, const struct ladder *l, uint32_t i, bool *mine) {
    const struct rung *r = &l->rung[i];
    *mine = true;
    if (r->bare && r->mood == MOOD_PLAIN) return teach_ack(t, l, i);
    if (begins(r, "FIN") && ending(l, i))
        return once(
            t, SAID_FIN_BACK,
            N_("The other side closes too, and acknowledges in the same packet: that makes three packets out of the "
               "textbook's four."));
    if (begins(r, "FIN"))
        return once(t, SAID_FIN, N_("FIN: this side has nothing more to send. It could still receive (FIN-WAIT)."));
    if (r->kind == RUNG_MQTT && begins(r, "PUBLISH"))
        return r->to_server ? once(t, SAID_PUBLISH_UP,
                                   N_("A message on its way to the broker: topic, payload, quality of service."))
                            : once(t, SAID_PUBLISH_DOWN,
                                   N_("The broker passes the message on to who has subscribed. Publisher and "
                                      "subscriber never speak "
                                      "with each other."));
    if (r->kind == RUNG_DNS && r->mood == MOOD_PLAIN)
        return r->to_server ? once(t, SAID_QUESTION, N_("The device asks for the address of a name.")) : NULL;
    *mine = false;
    return NULL;
}

const char *teach_rung(struct teach *t, const struct ladder *l, uint32_t i) {
    const struct rung *r = &l->rung[i];
    bool mine;
    const char *special = teach_special(t, l, i, &mine);
    if (mine) return special;
    for (size_t k = 0; k < sizeof sentences / sizeof *sentences; k++)
        if (fits(k, r)) return once(t, (int)k, sentences[k].text);
    return NULL;
}
