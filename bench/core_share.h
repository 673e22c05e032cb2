/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of its core a thread gets. Where two hardware threads share a core, the other one (another guest's,
 * perhaps) takes part of the core's width; no clock of ours sees that, and what runs near that width takes up to
 * 1.7 times as long while it lasts. Seen by C++.
 */
#ifndef MEMRIG_CORE_SHARE_H
#define MEMRIG_CORE_SHARE_H

/*
 * Additions that wait for nothing, done in the time of one that waits for the last: the width that is left now.
 * Takes 100 us.
 */
double core_width(void);

#endif
