/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of swap share (core/backing/swap.h is the interface). */
#ifndef MEMRIG_SWAP_INTERNAL_H
#define MEMRIG_SWAP_INTERNAL_H

#include "core/backing/swap.h"

/* Area of @e, or NULL if the entry names no slot. */
struct swap_info_struct *swap_info_of(const struct swap *sw, swp_entry_t e);

/* Reads a locked page of the cache; it is unlocked when the device is done. Counts pswpin. */
void swap_readpage(struct swap *sw, struct page *p);

/* Between these reads wait, so that adjacent slots go to the device in one request. */
void swap_plug(struct swap *sw);
void swap_unplug(struct swap *sw);

#endif
