/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_WORDS_H
#define WEIR_BASE_WORDS_H

/* N_ marks a text that is translated where it is printed; po/ collects what stands in it. */
#define N_(text) text

#endif
