/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct page: what the machine knows of one page frame.
 *
 * Terms
 *   frame      index of a page frame in the memmap: pfn - phys->base_pfn. Lists link frames.
 *   lazy       the memmap is zero-filled, never written at boot: all-zero fields mean a frame that
 *              nobody allocated since boot. Such a frame is free, reserved or a hole; the buddy's own
 *              arrays, not struct page, say which of its free blocks start where.
 *   _mapcount  kept plus one, so that zero means unmapped: page_mapcount() is the number of PTEs.
 *
 * Owned by whoever allocated the page; the zone bits of flags by the allocator alone.
 * Linux: include/linux/mm_types.h, page-flags.h; left out: the virtual field (page_address()).
 */
#ifndef MEMRIG_PHYS_PAGE_H
#define MEMRIG_PHYS_PAGE_H

#include "core/base/bug.h"
#include "core/base/types.h"

enum page_flag_bit {
#define PAGE_FLAG(Name, SYM, name) PG_##SYM,
#include "core/phys/page_flags.def"
#undef PAGE_FLAG
	NR_PAGE_FLAGS
};

#define PAGE_FLAGS_MASK  ((1u << NR_PAGE_FLAGS) - 1)
#define PAGE_GEN_SHIFT   23 /* mglru=1: generation plus one of a page on a list (core/phys/lru_gen_lists.h) */
#define PAGE_GEN_MASK    (7u << PAGE_GEN_SHIFT)
_Static_assert((int)NR_PAGE_FLAGS <= PAGE_GEN_SHIFT, "flags end where the generation begins");
#define PAGE_PFMEMALLOC  (1u << 26) /* allocated below the watermarks (Linux: page->pfmemalloc) */
#define PAGE_ZONE_SHIFT  27 /* zone slot plus one; 0: a frame that was never allocated */

struct page {
	u32 flags;          /* PG_* bits; zone slot + 1 in the top five */
	s32 _count;         /* references; 0: free */
	union {
		s32 _mapcount;  /* PTEs mapping the page (Linux's value plus one) */
		u32 slab_active; /* PG_slab: objects in use */
	};
	union {
		u32 private;    /* swap entry with PG_swapcache; the owner's otherwise */
		u32 first_frame; /* PG_tail: frame of the head */
		u32 slab_private; /* PG_slab: slab's own */
	};
	union {
		u64 mapping;    /* address_space, or a tagged host pointer into the arena (PAGE_MAPPING_*) */
		void *slab_cache; /* PG_slab */
	};
	union {
		u64 index;      /* page offset in the file or the VMA's linear index */
		void *freelist; /* PG_slab */
	};
};
_Static_assert(sizeof(struct page) == 32, "two pages a cache line, and frames found by a shift");

/*
 * List links live beside the memmap, not in it: in front of it, frame 0's last. Few operations that
 * touch a page touch its links and the other way round. (core/phys/page_list.h)
 */
struct page_link {
	u32 next, prev; /* frames, or PFN_NONE */
};

/* One store of eight bytes; compilers left alone go through vector registers. */
MM_INLINE void set_page_link(struct page_link *k, u32 next, u32 prev)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	u64 both = next | (u64)prev << 32;

	__builtin_memcpy(k, &both, sizeof(both));
#else
	*k = (struct page_link){next, prev};
#endif
}

MM_INLINE struct page_link *page_link(const struct page *map, u32 frame)
{
	return &((struct page_link *)(void *)(uintptr_t)map)[~(s64)(u64)frame];
}

#define PAGE_MAPPING_ANON  1ull
#define PAGE_MAPPING_KSM   2ull
#define PAGE_MAPPING_FLAGS 3ull

/* PageX, SetPageX, ClearPageX, TestSetPageX, TestClearPageX. One thread at a time owns a page. */
#define PAGE_FLAG(Name, SYM, name)                                                                 \
	MM_INLINE bool Page##Name(const struct page *p)                                            \
	{                                                                                          \
		return p->flags >> PG_##SYM & 1;                                                   \
	}                                                                                          \
	MM_INLINE void SetPage##Name(struct page *p)                                               \
	{                                                                                          \
		p->flags |= 1u << PG_##SYM;                                                        \
	}                                                                                          \
	MM_INLINE void ClearPage##Name(struct page *p)                                             \
	{                                                                                          \
		p->flags &= ~(1u << PG_##SYM);                                                     \
	}                                                                                          \
	MM_INLINE bool TestSetPage##Name(struct page *p)                                           \
	{                                                                                          \
		bool old = Page##Name(p);                                                          \
		SetPage##Name(p);                                                                  \
		return old;                                                                        \
	}                                                                                          \
	MM_INLINE bool TestClearPage##Name(struct page *p)                                         \
	{                                                                                          \
		bool old = Page##Name(p);                                                          \
		ClearPage##Name(p);                                                                \
		return old;                                                                        \
	}
#include "core/phys/page_flags.def"
#undef PAGE_FLAG

const char *page_flag_name(unsigned bit); /* "locked"; "" beyond the last */

MM_INLINE bool PageAnon(const struct page *p)
{
	return p->mapping & PAGE_MAPPING_ANON;
}

MM_INLINE bool PageKsm(const struct page *p)
{
	return (p->mapping & PAGE_MAPPING_FLAGS) == (PAGE_MAPPING_ANON | PAGE_MAPPING_KSM);
}

/* References to the page. Atomic. */
MM_INLINE s32 page_count(const struct page *p)
{
	return p->_count;
}

/* Number of PTEs that map the page. Atomic. */
MM_INLINE s32 page_mapcount(const struct page *p)
{
	return p->_mapcount;
}

MM_INLINE bool page_mapped(const struct page *p)
{
	return p->_mapcount > 0;
}

/* Takes a reference; the caller must already hold one (or know that somebody does). Atomic. */
MM_INLINE void get_page(struct page *p)
{
	VM_BUG_ON(p->_count <= 0);
	p->_count++;
}

/* For speculative look-ups: false if the page is free. */
MM_INLINE bool get_page_unless_zero(struct page *p)
{
	if (p->_count <= 0)
		return false;
	p->_count++;
	return true;
}

/* Drops a reference and says whether it was the last; the caller frees then. */
MM_INLINE bool put_page_testzero(struct page *p)
{
	VM_BUG_ON(p->_count <= 0);
	return --p->_count == 0;
}

/* Takes PG_locked; false: somebody has it. Sleeping on it: core/vm/page_lock.h. Atomic. (spec 07 s1.3) */
MM_INLINE bool trylock_page(struct page *p)
{
	return !TestSetPageLocked(p);
}

/* @p must be locked. Atomic. */
MM_INLINE void unlock_page(struct page *p)
{
	VM_BUG_ON(!PageLocked(p));
	ClearPageLocked(p);
}

MM_INLINE bool PageCompound(const struct page *p)
{
	return p->flags & (1u << PG_head | 1u << PG_tail);
}

/* Order of a compound page, from its head; 0 for others. */
MM_INLINE unsigned compound_order(const struct page *head)
{
	return PageHead(head) ? (unsigned)head[1].index : 0;
}

#endif
