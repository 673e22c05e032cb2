/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of pages, linked by frame numbers through page_link(), 16 bytes a list.
 * @map is phys->memmap. A page is on at most one list; nothing is written when it leaves one.
 *
 * Invariants: nr links lead from first to last; first and last are PFN_NONE when nr is 0.
 * Linux: struct list_head in struct page.
 */
#ifndef MEMRIG_PHYS_PAGE_LIST_H
#define MEMRIG_PHYS_PAGE_LIST_H

#include "core/phys/page.h"

struct page_list {
	u32 first, last; /* frames, or PFN_NONE */
	u64 nr;
};

MM_INLINE void plist_init(struct page_list *l)
{
	l->first = l->last = PFN_NONE;
	l->nr = 0;
}

MM_INLINE bool plist_empty(const struct page_list *l)
{
	return !l->nr;
}

MM_INLINE struct page *plist_first(struct page *map, const struct page_list *l)
{
	return l->nr ? &map[l->first] : NULL;
}

MM_INLINE struct page *plist_last(struct page *map, const struct page_list *l)
{
	return l->nr ? &map[l->last] : NULL;
}

/* Neighbour towards the tail, or NULL. */
MM_INLINE struct page *plist_next(struct page *map, const struct page *p)
{
	u32 next = page_link(map, (u32)(p - map))->next;

	return next == PFN_NONE ? NULL : &map[next];
}

/* Neighbour towards the head, or NULL. */
MM_INLINE struct page *plist_prev(struct page *map, const struct page *p)
{
	u32 prev = page_link(map, (u32)(p - map))->prev;

	return prev == PFN_NONE ? NULL : &map[prev];
}

MM_INLINE void plist_add_head(struct page *map, struct page_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	*page_link(map, f) = (struct page_link){l->first, PFN_NONE};
	if (l->nr++)
		page_link(map, l->first)->prev = f;
	else
		l->last = f;
	l->first = f;
}

MM_INLINE void plist_add_tail(struct page *map, struct page_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	*page_link(map, f) = (struct page_link){PFN_NONE, l->last};
	if (l->nr++)
		page_link(map, l->last)->next = f;
	else
		l->first = f;
	l->last = f;
}

MM_INLINE void plist_del(struct page *map, struct page_list *l, struct page *p)
{
	struct page_link k = *page_link(map, (u32)(p - map));

	VM_BUG_ON(!l->nr);
	if (k.prev == PFN_NONE)
		l->first = k.next;
	else
		page_link(map, k.prev)->next = k.next;
	if (k.next == PFN_NONE)
		l->last = k.prev;
	else
		page_link(map, k.next)->prev = k.prev;
	l->nr--;
}

/* Takes the head off, or NULL. */
MM_INLINE struct page *plist_pop_head(struct page *map, struct page_list *l)
{
	struct page *p = plist_first(map, l);
	u32 next;

	if (!p)
		return NULL;
	next = page_link(map, l->first)->next;
	l->first = next;
	if (next == PFN_NONE)
		l->last = PFN_NONE;
	else
		page_link(map, next)->prev = PFN_NONE;
	l->nr--;
	return p;
}

MM_INLINE struct page *plist_pop_tail(struct page *map, struct page_list *l)
{
	struct page *p = plist_last(map, l);

	if (p)
		plist_del(map, l, p);
	return p;
}

/* From any place of @l to its head or its tail. */
MM_INLINE void plist_move_head(struct page *map, struct page_list *l, struct page *p)
{
	plist_del(map, l, p);
	plist_add_head(map, l, p);
}

MM_INLINE void plist_move_tail(struct page *map, struct page_list *l, struct page *p)
{
	plist_del(map, l, p);
	plist_add_tail(map, l, p);
}

/* The first @nr pages stay, of which @last is the last one; those behind have left together. */
MM_INLINE void plist_cut(struct page *map, struct page_list *l, u32 last, u64 nr)
{
	if (!nr) {
		plist_init(l);
		return;
	}
	page_link(map, last)->next = PFN_NONE;
	l->last = last;
	l->nr = nr;
}

/* Puts @n pages at the head, one after the other: the last of them ends as the first of the list. */
MM_INLINE void plist_add_heads(struct page *map, struct page_list *l, const u32 *frames, u32 n)
{
	u32 next = l->first;

	if (!n)
		return;
	if (l->nr)
		page_link(map, next)->prev = frames[0];
	else
		l->last = frames[0];
	for (u32 i = 0; i + 1 < n; i++) {
		set_page_link(page_link(map, frames[i]), next, frames[i + 1]);
		next = frames[i];
	}
	set_page_link(page_link(map, frames[n - 1]), next, PFN_NONE);
	l->first = frames[n - 1];
	l->nr += n;
}

/* Puts all of @from before the head of @to; @from ends empty. */
MM_INLINE void plist_splice_head(struct page *map, struct page_list *from, struct page_list *to)
{
	if (!from->nr)
		return;
	page_link(map, from->last)->next = to->first;
	if (to->nr)
		page_link(map, to->first)->prev = from->last;
	else
		to->last = from->last;
	to->first = from->first;
	to->nr += from->nr;
	plist_init(from);
}

#endif
