/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of pages, linked through page->lru_next/lru_prev by frame numbers, 16 bytes a list.
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
	return p->lru_next == PFN_NONE ? NULL : &map[p->lru_next];
}

/* Neighbour towards the head, or NULL. */
MM_INLINE struct page *plist_prev(struct page *map, const struct page *p)
{
	return p->lru_prev == PFN_NONE ? NULL : &map[p->lru_prev];
}

MM_INLINE void plist_add_head(struct page *map, struct page_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	p->lru_prev = PFN_NONE;
	p->lru_next = l->first;
	if (l->nr++)
		map[l->first].lru_prev = f;
	else
		l->last = f;
	l->first = f;
}

MM_INLINE void plist_add_tail(struct page *map, struct page_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	p->lru_next = PFN_NONE;
	p->lru_prev = l->last;
	if (l->nr++)
		map[l->last].lru_next = f;
	else
		l->first = f;
	l->last = f;
}

MM_INLINE void plist_del(struct page *map, struct page_list *l, struct page *p)
{
	VM_BUG_ON(!l->nr);
	if (p->lru_prev == PFN_NONE)
		l->first = p->lru_next;
	else
		map[p->lru_prev].lru_next = p->lru_next;
	if (p->lru_next == PFN_NONE)
		l->last = p->lru_prev;
	else
		map[p->lru_next].lru_prev = p->lru_prev;
	l->nr--;
}

/* Takes the head off, or NULL. */
MM_INLINE struct page *plist_pop_head(struct page *map, struct page_list *l)
{
	struct page *p = plist_first(map, l);

	if (p)
		plist_del(map, l, p);
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

/* Puts all of @from before the head of @to; @from ends empty. */
MM_INLINE void plist_splice_head(struct page *map, struct page_list *from, struct page_list *to)
{
	if (!from->nr)
		return;
	map[from->last].lru_next = to->first;
	if (to->nr)
		map[to->first].lru_prev = from->last;
	else
		to->last = from->last;
	to->first = from->first;
	to->nr += from->nr;
	plist_init(from);
}

#endif
