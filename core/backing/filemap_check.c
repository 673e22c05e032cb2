/* SPDX-License-Identifier: BSD-2-Clause */
/* Invariants of the page cache (spec 14 I14.1 to I14.4). */
#include <inttypes.h>

#include "core/backing/filemap.h"
#include "core/backing/shmem.h"

struct scan {
	struct filemap *fm;
	const struct address_space *m;
	u64 pages, values, dirty;
	char *why;
	size_t n;
};

static int broken(struct scan *s, int number, u64 index, const char *text)
{
	snprintf(s->why, s->n, "I14.%d: file %" PRIu64 ", page %" PRIu64 ": %s", number,
		 s->m->host->id, index, text);
	return 14000 + number;
}

static int check_page(struct scan *s, u64 index, const struct page *p)
{
	const struct xarray *xa = &s->m->pages;

	s->pages++;
	s->dirty += PageDirty(p);
	if (page_mapping(p) != s->m || p->index != index || !page_count(p))
		return broken(s, 3, index, "the page's mapping, index or count");
	if (s->m->kind == MAPPING_DISK && xa_tagged(xa, index, XA_DIRTY) != PageDirty(p))
		return broken(s, 2, index, "tag DIRTY and flag");
	if (s->m->kind == MAPPING_DISK && xa_tagged(xa, index, XA_WRITEBACK) != PageWriteback(p))
		return broken(s, 2, index, "tag WRITEBACK and flag");
	if (PageSwapBacked(p) != (s->m->kind == MAPPING_TMPFS))
		return broken(s, 3, index, "kind of page and of file");
	return 0;
}

static int check_value(struct scan *s, u64 index, u64 entry)
{
	s->values++;
	if (xa_tagged(&s->m->pages, index, XA_DIRTY) ||
	    xa_tagged(&s->m->pages, index, XA_WRITEBACK))
		return broken(s, 2, index, "a tag without a page");
	if (s->m->kind == MAPPING_TMPFS &&
	    !(swap_map_byte(s->fm->swap, shmem_entry_swap(entry)) & ~SWAP_HAS_CACHE))
		return broken(s, 4, index, "a swap entry whose slot nobody counts");
	return 0;
}

static int check_mapping(struct scan *s)
{
	const struct address_space *m = s->m;
	u64 index = 0, entry;
	int r = xa_check(&m->pages);

	if (r)
		return broken(s, r == 3 ? 2 : 4, 0, "the tree");
	s->pages = s->values = s->dirty = 0;
	for (; !r && (entry = xa_next(&m->pages, &index, UINT64_MAX)); index++) {
		if (xa_is_frame(entry) && xa_frame(entry) < s->fm->phys->nr_frames)
			r = check_page(s, index, frame_to_page(s->fm->phys, xa_frame(entry)));
		else if (xa_is_value(entry))
			r = check_value(s, index, entry);
		else
			r = broken(s, 4, index, "neither page nor value");
	}
	if (r)
		return r;
	if (s->pages != m->nrpages || s->values != m->nrshadows)
		return broken(s, 1, 0, "nrpages or nrshadows");
	if (m->kind == MAPPING_DISK && list_empty(&m->dirty_link) != !s->dirty)
		return broken(s, 2, 0, "the list of dirty files");
	return 0;
}

/* Leaves of nothing but shadows: as many as the shrinker believes. */
static bool shadow_nodes_counted(const struct filemap *fm)
{
	const struct list_head *at;
	u64 nr = 0;

	for (at = fm->shadow_nodes.head.next; at != &fm->shadow_nodes.head && nr <= fm->shadow_nodes.nr; at = at->next)
		nr++;
	return nr == fm->shadow_nodes.nr;
}

int filemap_check(struct filemap *fm, char *why, size_t n)
{
	struct scan s = {.fm = fm, .why = why, .n = n};
	u64 pages = 0, shmem = 0, dirty = 0;
	struct vm_file *f;

	list_for_each_entry (f, &fm->files, all) {
		int r;

		s.m = &f->mapping;
		r = check_mapping(&s);
		if (r)
			return r;
		pages += s.pages;
		shmem += f->shmem ? s.pages : 0;
		dirty += f->shmem ? 0 : s.dirty;
	}
	if (!shadow_nodes_counted(fm)) {
		snprintf(why, n, "I14.4: the list of shadow nodes is not %" PRIu64 " long", fm->shadow_nodes.nr);
		return 14004;
	}
	if (global_page_state(fm->phys, NR_FILE_PAGES) != (s64)(pages + fm->swap->nr_cached) ||
	    global_page_state(fm->phys, NR_SHMEM) != (s64)shmem ||
	    global_page_state(fm->phys, NR_FILE_DIRTY) != (s64)dirty) {
		snprintf(why, n,
			 "I14.1: %" PRIu64 " pages, %" PRIu64 " of shared memory, %" PRIu64
			 " dirty in all mappings; counters say otherwise",
			 pages, shmem, dirty);
		return 14001;
	}
	return 0;
}
