/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

/* Error codes of the whole program, listed once: code and text. Functions return 0 or one of these. */
#define WEIR_ERRORS(X)                                                                                                 \
    X(NOMEM, "out of memory")                                                                                          \
    X(IO, "input or output failed")                                                                                    \
    X(END, "end of input")                                                                                             \
    X(DAMAGED, "the input is damaged")                                                                                 \
    X(CUT, "the input is cut short")                                                                                   \
    X(FORMAT, "the format is not known")                                                                               \
    X(LIMIT, "a limit was reached")                                                                                    \
    X(USAGE, "bad use")                                                                                                \
    X(DENIED, "permission denied")                                                                                     \
    X(NOTFOUND, "not found")                                                                                           \
    X(UNSUPPORTED, "not supported")

enum weir_err_index {
#define X(code, text) ERR_INDEX_##code,
    WEIR_ERRORS(X)
#undef X
        ERR_COUNT
};

enum weir_err {
    OK = 0,
#define X(code, text) ERR_##code = -1 - ERR_INDEX_##code,
    WEIR_ERRORS(X)
#undef X
};

#define MUST_USE __attribute__((warn_unused_result))

/* err_text returns the sentence for an error code, static storage. */
const char *err_text(int code);

#endif
