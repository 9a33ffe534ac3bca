/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_HTTP_H
#define WEIR_PROTO_HTTP_H

#include "proto/proto.h"

enum {
    HTTP_HEAD_MAX = 256 * 1024, /* bytes of a first line and its header fields; more is no HTTP */
    HTTP_URI_MAX = 4096,        /* bytes of a URI that is remembered for the response */
    HTTP_HOST_MAX = 255,        /* bytes of the host a CONNECT asks for */
    HTTP_BODY_MAX = 16 << 20,   /* bytes a compressed body may unfold to */
};

/* http_line_kind says what a first line is. */
enum http_line_kind { HTTP_LINE_OTHER, HTTP_LINE_REQUEST, HTTP_LINE_RESPONSE, HTTP_LINE_NOTIFICATION };

/* http_body_kind says how the end of a body is found: RFC 9112 6.3. */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_END };

/* http_scan is how far the pending message of one side has been looked at, so that the next segment goes on where
 * the last one ended. All offsets count from the message's first byte. */
struct http_scan {
    size_t line;  /* start of the line the search is in */
    size_t seen;  /* no line end between `line` and here */
    size_t first; /* bytes of the first line with its line end; 0: not complete yet */
    size_t head;  /* bytes up to the body; 0: not complete yet */
    size_t chunk; /* start of the next chunk; behind the last one: of the trailer line */
    uint64_t length;
    uint8_t kind; /* enum http_line_kind */
    uint8_t body; /* enum http_body_kind; valid once head is */
    bool part;    /* the capture left out more of the head than the end of a value */
    bool rpc;     /* a request of RPC over HTTP, [MS-RPCH] 2.1.2.1 */
    bool has_length, bad_length, chunked, other_coding, last_chunk, bad_chunk;
    uint16_t status;
};

/* http_part is a message whose head is there and whose body is not (decode.http). It lives as long as the packet. */
struct http_part {
    uint8_t kind, body; /* enum http_line_kind, http_body_kind */
    uint16_t status;    /* of an answer */
    struct slice line;  /* the first line, without its end and up to what is secret in it */
    uint64_t head;      /* bytes */
    uint64_t length;    /* of the body, where that is announced */
    uint64_t got;       /* bytes of head and body that are there */
    uint32_t carried;   /* decode.carried with the last of them; 0: the message is not inside another stream */
};

/* http_asked is what the answer's framing depends on: the request's method. */
enum http_asked { HTTP_ASKED_OTHER, HTTP_ASKED_HEAD, HTTP_ASKED_CONNECT, HTTP_ASKED_RPC };

/* http_frame looks for the end of the message `in` begins with, going on from *s (zeroed for a new message).
 * `ended`: the stream holds no more than `in`. READ_OK: consumed is the whole message. READ_MORE as usual;
 * needed READ_UNTIL_END where the end of the stream ends the message. READ_BAD: this is no HTTP. */
struct read_result http_frame(struct http_scan *s, struct slice in, enum http_asked asked, bool ended);

/* http_line_kind_of tells what a first line (without its end) is. */
enum http_line_kind http_line_kind_of(struct slice line);
/* http_blank returns the bytes of an empty line in front of a message: RFC 9112 2.2 lets one be before a request, and
 * some answers have one. */
size_t http_blank(struct slice in);
/* http_fields_alone returns the bytes of the header fields that `in` begins with where it begins no message: what came
 * before them was lost. *whole: their last line is. 0: there are none. */
size_t http_fields_alone(struct slice in, bool *whole);
/* http_probe tells whether a stream begins as HTTP/1 does. */
enum probe_result http_probe(struct slice in);

/* http_header is one header field: the value without white space around it, the line with its end. */
struct http_header {
    struct slice name, value, line;
};
/* http_header_next takes the next header field off *head; false at the empty line, which is left there. */
bool http_header_next(struct slice *head, struct http_header *h);
/* http_length_of reads the number of octets a Content-Length says; false where it is none. */
bool http_length_of(struct slice value, uint64_t *length);
/* http_has_token tells whether a comma-separated list holds the token (in lower case), in any case. */
bool http_has_token(struct slice list, const char *lower);

/* What the Protocol column says beside HTTP; `extra` of the media's field. */
enum { HTTP_MEDIA_OTHER, HTTP_MEDIA_JSON, HTTP_MEDIA_XML };
/* http_string returns the bytes up to the first NUL, which ends a string. */
struct slice http_string(struct slice s);
/* http_dechunk returns the body of a chunked message without its chunk headers, in the arena where it has more than
 * one chunk. */
struct slice http_dechunk(struct arena *arena, struct slice body);
/* http_chunk_next takes the next chunk off *body: its header line with line end in *head, its bytes in *data, the line
 * end behind them in *tail. false at the end of bytes or where there is no size. */
bool http_chunk_next(struct slice *body, struct slice *head, struct slice *data, struct slice *tail);
/* http_coding_of tells what a content coding's name stands for; HTTP_CODED: one that nothing here undoes. */
enum http_coding { HTTP_PLAIN, HTTP_DEFLATED, HTTP_BROTLI, HTTP_CODED };
enum http_coding http_coding_of(struct slice name);
/* http_unfold undoes a content coding, into at most max bytes of the arena; false where the body is damaged. */
bool http_unfold(struct arena *arena, enum http_coding coding, struct slice body, size_t max, struct slice *out);

/* http_exchange is a request and its answer, as far as seen. */
struct http_exchange {
    uint32_t number;
    uint64_t req_frame, res_frame; /* 0: not seen */
    int64_t req_ts;
};

/* http_state is the state of one conversation. */
struct http_state {
    struct http_scan scan[2];
    struct http_exchange now, before;
    struct arena memory; /* the URI */
    struct slice uri;    /* of the last request */
    uint8_t asked;       /* enum http_asked: the last request */
    bool seen;           /* a message of HTTP was seen */
    uint8_t connect_host_len;
    uint16_t connect_port;
    uint8_t connect_host[HTTP_HOST_MAX];
};

/* http_message adds the fields of one whole message of p: HTTP or SSDP. */
void http_message(struct decode *d, const struct proto *p, struct http_state *st, const struct http_scan *s,
                  struct slice in);
/* http_first_add adds the first line; http_headers_add the header fields, returning what the body needs. */
struct http_facts {
    struct slice content_type, content_encoding, host, upgrade, subprotocol, uri, method;
    bool chunked;
};
void http_headers_add(struct decode *d, const struct http_scan *s, struct slice head, struct http_facts *f);
/* http_name_secret tells by its name whether a header field is secret, white space around it notwithstanding.
 * http_line_mark marks the field of a header field's line, which may be NULL, where it is. */
bool http_name_secret(struct slice name);
void http_line_mark(struct fval *f, const struct http_header *h);
/* http_key_secret tells by its name whether a parameter of a query or a form is secret, as `access_token` is.
 * http_query_secret returns the bytes of a text up to the first value of such a parameter, behind a `?` and in front of
 * any space; 0: there is none. http_query_mark marks the field of that text, which may be NULL, there. */
bool http_key_secret(struct slice name);
size_t http_query_secret(struct slice text);
void http_query_mark(struct fval *f, struct slice text);
/* http_media_type returns a content type without its parameters, in lower case. http_media_words is what the Info
 * column says of content (data: its bytes, the first 16 will do but for a multipart type) of the type in a content
 * type's value; empty: nothing. *kind gets what the Protocol column says beside HTTP; kind may be NULL. */
struct slice http_media_type(struct decode *d, struct slice value);
struct slice http_media_words(struct decode *d, struct slice value, struct slice data, uint8_t *kind);
/* http_content is a body without its codings: in source src, of a media type. */
struct http_content {
    struct slice value, type, data; /* value: the media type with its parameters */
    uint8_t src;
};
/* http_body_add adds the body's fields; http_content_read hands its content, once the message's entry is closed, to who
 * knows its media type. */
void http_content_read(struct decode *d, const struct http_content *c);
struct http_content http_body_add(struct decode *d, const struct http_scan *s, struct slice body,
                                  const struct http_facts *f, uint32_t msg);

/* What struct proto calls column, info and label. */
const char *http_column(const struct fvec *v, uint32_t at, uint32_t end);
void http_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
bool http_label(struct writer *w, const struct fvec *v, uint32_t at);
extern const uint16_t http_info_fields[];

#endif
