/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_RARE_H
#define WEIR_BASE_RARE_H

/* RARE marks a function that few packets call. The compiler then puts the calls, and all that leads only to them, out
 * of the way: what every packet runs lies close together, and more of it stays in the instruction cache. */
#define RARE __attribute__((cold))

#endif
