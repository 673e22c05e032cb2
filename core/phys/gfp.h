/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocation flags (spec 03 s1, values of Linux 4.0) and their names.
 * Linux: include/linux/gfp.h; left out: NOTRACK, OTHER_NODE.
 */
#ifndef MEMRIG_PHYS_GFP_H
#define MEMRIG_PHYS_GFP_H

#include "core/base/types.h"

typedef u32 gfp_t;

/* GFP_BIT(SYMBOL, value, "name"): one bit each. */
#define GFP_BITS(X)                                                                                \
	X(DMA, 0x1, "dma")                                                                         \
	X(HIGHMEM, 0x2, "highmem")                                                                 \
	X(DMA32, 0x4, "dma32")                                                                     \
	X(MOVABLE, 0x8, "movable")                                                                 \
	X(WAIT, 0x10, "wait")                                                                      \
	X(HIGH, 0x20, "high")                                                                      \
	X(IO, 0x40, "io")                                                                          \
	X(FS, 0x80, "fs")                                                                          \
	X(COLD, 0x100, "cold")                                                                     \
	X(NOWARN, 0x200, "nowarn")                                                                 \
	X(REPEAT, 0x400, "repeat")                                                                 \
	X(NOFAIL, 0x800, "nofail")                                                                 \
	X(NORETRY, 0x1000, "noretry")                                                              \
	X(MEMALLOC, 0x2000, "memalloc")                                                            \
	X(COMP, 0x4000, "comp")                                                                    \
	X(ZERO, 0x8000, "zero")                                                                    \
	X(NOMEMALLOC, 0x10000, "nomemalloc")                                                       \
	X(HARDWALL, 0x20000, "hardwall")                                                           \
	X(THISNODE, 0x40000, "thisnode")                                                           \
	X(RECLAIMABLE, 0x80000, "reclaimable")                                                     \
	X(NO_KSWAPD, 0x400000, "no_kswapd")                                                        \
	X(WRITE, 0x1000000, "write")

enum {
#define X(SYM, value, name) MM_GFP_##SYM = value,
	GFP_BITS(X)
#undef X
};

#define GFP_NOWAIT           0u
#define GFP_ATOMIC           ((gfp_t)MM_GFP_HIGH)
#define GFP_NOIO             ((gfp_t)MM_GFP_WAIT)
#define GFP_NOFS             ((gfp_t)(MM_GFP_WAIT | MM_GFP_IO))
#define GFP_KERNEL           ((gfp_t)(MM_GFP_WAIT | MM_GFP_IO | MM_GFP_FS))
#define GFP_TEMPORARY        (GFP_KERNEL | MM_GFP_RECLAIMABLE)
#define GFP_USER             (GFP_KERNEL | MM_GFP_HARDWALL)
#define GFP_HIGHUSER         (GFP_USER | MM_GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | MM_GFP_MOVABLE)
#define GFP_TRANSHUGE                                                                              \
	(GFP_HIGHUSER_MOVABLE | MM_GFP_COMP | MM_GFP_NOMEMALLOC | MM_GFP_NORETRY | MM_GFP_NOWARN | \
	 MM_GFP_NO_KSWAPD)

/* The combination or bit called @name ("kernel", "zero"). 0, or -EINVAL. */
int gfp_by_name(const char *name, size_t len, gfp_t *gfp);

/* "highuser_movable|zero" (also with ',' or '+'), or a number. 0, or -EINVAL. */
int gfp_parse(const char *text, gfp_t *gfp);

/* The shortest text gfp_parse() reads back to @gfp. Returns @buf. */
const char *gfp_print(gfp_t gfp, char *buf, size_t n);

#endif
