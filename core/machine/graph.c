/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine/machine_types.h"
#include "core/phys/buddy.h"
#include "core/vm/interval_tree.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapops.h"
#include "core/vm/vma.h"
#include "core/vm/vmalloc.h"

struct walk {
	struct machine *m;
	struct vm *vm;
	graph_fn fn;
	void *arg;
	struct graph_edge e;
	struct vm_area_struct *vma; /* whose descriptors are looked at */
	const struct kmem_cache *cache;
	u32 pid;
};

static void name(char out[64], const char *format, ...) MM_PRINTF(2, 3);

static void name(char out[64], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(out, 64, format, ap);
	va_end(ap);
}

static void emit(struct walk *w, const char *field, enum graph_back back)
{
	w->e.field = field;
	w->e.back = back;
	w->fn(w->arg, &w->e);
}

static enum graph_back ok(bool leads_back)
{
	return leads_back ? GRAPH_BACK_OK : GRAPH_BACK_BROKEN;
}

/* An object of emulated RAM by its physical address; boot objects of ideal=1 lie outside. */
static u64 place(const struct walk *w, const void *p)
{
	u64 off = (u64)((const u8 *)p - w->vm->hw->arena);

	return off < w->vm->hw->bytes ? w->vm->hw->base + off : off;
}

static void name_page(const struct walk *w, char out[64], const struct page *p)
{
	name(out, "page %x", page_to_pfn(w->vm->phys, p));
}

static void name_vma(const struct walk *w, char out[64], const struct vm_area_struct *v)
{
	(void)w;
	name(out, "vma %" PRIx64 " %" PRIx64, (u64)v->vm_mm->pgd, v->vm_start);
}

/* ---- pages ---- */

static bool node_points_back(const struct walk *w, const struct page *p)
{
	const struct stable_node *n = page_stable_node(p);

	return !n || n->kpfn == page_to_pfn(w->vm->phys, p); /* NULL only inside one merge step */
}

static void swap_edge(struct walk *w, const struct page *p)
{
	swp_entry_t e = {p->private};
	const struct swap_info_struct *si = w->vm->swap.info[swp_type(e)];

	name(w->e.to, "swap slot %u:%u", swp_type(e), swp_offset(e));
	emit(w, "private", ok(si && swp_offset(e) < si->max &&
			      si->cache[swp_offset(e)] == page_frame(w->vm->phys, p) + 1));
}

/* Where a page belongs: zone, and by its mapping field and flags. */
static void page_edges(struct walk *w, const struct page *p)
{
	const struct zone *z = page_zone(w->vm->phys, p);
	const struct address_space *m;
	const struct anon_vma *a = page_anon_vma(p);
	u32 frame = page_frame(w->vm->phys, p);

	name_page(w, w->e.from, p);
	name(w->e.to, "zone %u %s", z->node, z->name);
	emit(w, "flags", ok(frame - z->start_frame < z->nr_frames));
	if (PageKsm(p)) {
		name(w->e.to, "stable_node %" PRIx64, place(w, page_stable_node(p)));
		emit(w, "mapping-3", ok(node_points_back(w, p)));
	} else if (a && page_mapped(p)) {
		name(w->e.to, "anon_vma %" PRIx64, place(w, a));
		emit(w, "mapping-1",
		     ok(anon_vma_interval_tree_first(&a->rb_root, p->index, p->index) != NULL));
	} else if ((m = page_mapping(p))) {
		name(w->e.to, "address_space %" PRIu64, m->host->id);
		emit(w, "mapping", ok(mapping_peek(w->vm->phys, m, p->index) == p));
	}
	if (PageSwapCache(p))
		swap_edge(w, p);
}

/* ---- address spaces ---- */

static int descriptor_edges(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct walk *w = arg;

	for (unsigned i = 0; i < n; i++, va += 1ull << vm->page_shift) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;

		if (!page)
			continue;
		name_vma(w, w->e.from, w->vma);
		name_page(w, w->e.to, page);
		emit(w, "pte", ok(page_mapped_in_vma(vm, page, w->vma) || PageKsm(page)));
		page_edges(w, page);
	}
	return 0;
}

static bool chain_has(const struct vm_area_struct *v, const struct anon_vma *a)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &v->anon_vma_chain, same_vma)
		if (avc->anon_vma == a)
			return true;
	return false;
}

static bool tree_has(const struct anon_vma *a, const struct anon_vma_chain *avc)
{
	for (struct rb_node *n = rb_first(&a->rb_root); n; n = rb_next(n))
		if (n == &avc->rb)
			return true;
	return false;
}

static bool file_has(const struct vm_area_struct *v)
{
	for (struct rb_node *n = rb_first(&v->vm_file->i_mmap); n; n = rb_next(n))
		if (n == &v->shared.rb)
			return true;
	return false;
}

static void chain_edges(struct walk *w, struct vm_area_struct *v)
{
	struct anon_vma_chain *avc;

	list_for_each_entry(avc, &v->anon_vma_chain, same_vma) {
		name_vma(w, w->e.from, v);
		name(w->e.to, "anon_vma_chain %" PRIx64, place(w, avc));
		emit(w, "anon_vma_chain", ok(avc->vma == v));
		name(w->e.from, "anon_vma_chain %" PRIx64, place(w, avc));
		name(w->e.to, "anon_vma %" PRIx64, place(w, avc->anon_vma));
		emit(w, "anon_vma", ok(tree_has(avc->anon_vma, avc)));
		name(w->e.from, "anon_vma %" PRIx64, place(w, avc->anon_vma));
		name(w->e.to, "anon_vma %" PRIx64, place(w, avc->anon_vma->root));
		emit(w, "root", ok(avc->anon_vma->root->refcount > 0));
		name(w->e.to, "anon_vma %" PRIx64, place(w, avc->anon_vma->parent));
		emit(w, "parent", ok(avc->anon_vma->parent->degree > 0));
	}
}

static void vma_edges(struct walk *w, struct vm_area_struct *v)
{
	struct mm_struct *mm = v->vm_mm;

	name(w->e.from, "mm %" PRIx64, (u64)mm->pgd);
	name_vma(w, w->e.to, v);
	emit(w, "mmap", ok(v->vm_mm == mm && vma_index_find(w->vm, mm, v->vm_start) == v));
	name_vma(w, w->e.from, v);
	if (v->vm_next) {
		name_vma(w, w->e.to, v->vm_next);
		emit(w, "vm_next", ok(v->vm_next->vm_prev == v));
	}
	if (v->anon_vma) {
		name(w->e.to, "anon_vma %" PRIx64, place(w, v->anon_vma));
		emit(w, "anon_vma", ok(chain_has(v, v->anon_vma)));
	}
	if (v->vm_file) {
		name(w->e.to, "file %" PRIu64, v->vm_file->id);
		emit(w, "vm_file", ok(file_has(v)));
	}
	chain_edges(w, v);
	w->vma = v;
	pte_range(w->vm, mm, v->vm_start, v->vm_end, descriptor_edges, w);
}

static u32 users_of(const struct vm *vm, const struct mm_struct *mm)
{
	u32 n = 0;

	for (u32 i = 0; i < vm->nr_tasks; i++)
		n += vm->tasks[i] && vm->tasks[i]->mm == mm;
	return n;
}

static void mm_edges(struct walk *w, struct mm_struct *mm)
{
	name(w->e.from, "mm %" PRIx64, (u64)mm->pgd);
	name_page(w, w->e.to, pfn_to_page(w->vm->phys, (pfn_t)(mm->pgd >> w->vm->page_shift)));
	emit(w, "pgd", GRAPH_NO_BACK);
	for_each_vma(mm, v)
		vma_edges(w, v);
}

static void task_edges(struct walk *w)
{
	struct mm_struct *mm;

	for (u32 i = 0; i < w->vm->nr_tasks; i++) {
		const struct task *t = w->vm->tasks[i];

		if (!t || !t->mm)
			continue;
		name(w->e.from, "task %u", t->tid);
		name(w->e.to, "mm %" PRIx64, (u64)t->mm->pgd);
		emit(w, "mm", ok(users_of(w->vm, t->mm) == t->mm->mm_users));
	}
	list_for_each_entry(mm, &w->vm->mms, all)
		if (mm->mm_users)
			mm_edges(w, mm);
}

/* ---- files, swap ---- */

static void file_edges(struct walk *w)
{
	struct vm_file *f;

	list_for_each_entry(f, &w->vm->files.files, all) {
		u64 index = 0, entry;

		name(w->e.from, "file %" PRIu64, f->id);
		name(w->e.to, "address_space %" PRIu64, f->id);
		emit(w, "f_mapping", ok(f->mapping.host == f));
		for (; (entry = xa_next(&f->mapping.pages, &index, UINT64_MAX)); index++) {
			struct page *p;

			if (!xa_is_frame(entry))
				continue;
			p = frame_to_page(w->vm->phys, xa_frame(entry));
			name(w->e.from, "address_space %" PRIu64, f->id);
			name_page(w, w->e.to, p);
			emit(w, "page_tree", ok(page_mapping(p) == &f->mapping && p->index == index));
			if (!page_mapped(p))
				page_edges(w, p);
			if (index == UINT64_MAX)
				break;
		}
	}
}

static void swap_edges(struct walk *w)
{
	for (unsigned t = 0; t < MAX_SWAPFILES; t++) {
		const struct swap_info_struct *si = w->vm->swap.info[t];

		for (u32 slot = 1; si && slot < si->max; slot++) {
			const struct page *p;

			if (!si->cache[slot])
				continue;
			p = frame_to_page(w->vm->phys, si->cache[slot] - 1);
			name(w->e.from, "swap slot %u:%u", t, slot);
			name_page(w, w->e.to, p);
			emit(w, "swap cache", ok(PageSwapCache(p) && p->private == swp_entry(t, slot).v));
		}
	}
}

/* ---- memory ---- */

struct free_walk {
	struct walk *w;
	const struct zone *z;
	unsigned order;
};

static void free_block_edge(void *arg, u32 frame)
{
	const struct free_walk *f = arg;
	unsigned order;

	name(f->w->e.from, "zone %u %s", f->z->node, f->z->name);
	name(f->w->e.to, "free block %x", page_to_pfn(f->w->vm->phys, frame_to_page(f->w->vm->phys, frame)));
	emit(f->w, "free_area", ok(page_buddy(f->w->vm->phys, frame, &order) && order == f->order &&
				   pfn_zone(f->w->vm->phys, f->w->vm->phys->base_pfn + frame) == f->z));
}

/* Pages of a list that is @l by flags, and with mglru=1 of generation @gen. */
static void list_edges(struct walk *w, const struct zone *z, const struct page_list *list, const char *owner, int l,
		       int gen)
{
	for (struct page *p = plist_first(w->vm->phys->memmap, list); p; p = plist_next(w->vm->phys->memmap, p)) {
		name(w->e.from, "%s", owner);
		name_page(w, w->e.to, p);
		emit(w, "lruvec", ok(PageLRU(p) && (int)page_lru(p) == l && page_lru_gen(p) == gen &&
				     (!z || page_zone(w->vm->phys, p) == z)));
	}
}

static void lru_edges(struct walk *w, const struct zone *z, const struct lruvec *lruvec, const char *owner)
{
	for (unsigned l = 0; l < NR_LRU_LISTS; l++)
		list_edges(w, z, &lruvec->lists[l], owner, (int)l, -1);
	for (unsigned gen = 0; lruvec->gen && gen < MAX_NR_GENS; gen++)
		for (unsigned type = 0; type < ANON_AND_FILE; type++)
			for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++)
				list_edges(w, z, &lruvec->gen->lists[gen][type][t], owner, (int)(2 * type), (int)gen);
}

static void pcp_edges(struct walk *w, const struct zone *z)
{
	for (unsigned cpu = 0; cpu < w->vm->phys->ncpu; cpu++)
		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
			for (u32 i = 0; i < pcp_list_length(z, cpu, (enum migratetype)mt); i++) {
				const struct page *p = frame_to_page(w->vm->phys,
								     pcp_list_frame(z, cpu, (enum migratetype)mt, i));

				name(w->e.from, "zone %u %s", z->node, z->name);
				name_page(w, w->e.to, p);
				emit(w, "pageset", ok(!page_count(p) && page_zone(w->vm->phys, p) == z));
			}
}

static void zone_edges(struct walk *w, const struct zone *z)
{
	struct free_walk f = {w, z, 0};
	char owner[64];

	name(w->e.from, "zone %u %s", z->node, z->name);
	name(w->e.to, "node %u", z->node);
	emit(w, "zone_pgdat", ok(zone_pgdat(z)->node_zones[z->type] == z));
	for (f.order = 0; f.order < w->vm->phys->max_order; f.order++)
		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
			for_each_free_block(z, f.order, (enum migratetype)mt, free_block_edge, &f);
	name(owner, "zone %u %s", z->node, z->name);
	pcp_edges(w, z);
	lru_edges(w, z, &z->lruvec, owner);
}

static void node_edges(struct walk *w)
{
	struct phys *phys = w->vm->phys;
	char owner[64];

	for (unsigned n = 0; n < phys->nr_nodes; n++) {
		for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
			const struct zone *z = phys->nodes[n].node_zones[t];

			if (!z)
				continue;
			name(w->e.from, "node %u", n);
			name(w->e.to, "zone %u %s", z->node, z->name);
			emit(w, "node_zones", ok(zone_pgdat(z) == &phys->nodes[n]));
			zone_edges(w, z);
		}
		name(owner, "node %u", n);
		lru_edges(w, NULL, &phys->nodes[n].lruvec, owner);
	}
}

/* ---- kernel objects ---- */

static void slab_edge(void *arg, pfn_t pfn, u32 active, u32 s_mem)
{
	struct walk *w = arg;
	const struct page *p = pfn_to_page(w->vm->phys, pfn);

	(void)active;
	(void)s_mem;
	name(w->e.from, "kmem_cache %s", w->cache->name);
	name_page(w, w->e.to, p);
	emit(w, "slabs", ok(PageSlab(p) && p->slab_cache == w->cache));
}

static void kmem_edges(struct walk *w)
{
	struct kmem_cache *c;

	list_for_each_entry(c, &w->m->kmem.caches, list) {
		w->cache = c;
		for (unsigned l = 0; l < NR_KMEM_SLAB_LISTS; l++)
			kmem_for_each_slab(c, (enum kmem_slab_list)l, slab_edge, w);
	}
}

static void vmalloc_edges(struct walk *w)
{
	const struct vmalloc *v = apply_kernel_vmalloc(w->m->kernel_ops);
	struct vmap_area *a;

	list_for_each_entry(a, &v->areas, list) {
		if (!a->vm || find_vmap_area(v, a->va_start) != a)
			continue; /* freed, waiting for the purge */
		name(w->e.from, "vmap_area %" PRIx64, a->va_start);
		name(w->e.to, "vm_struct %" PRIx64, a->vm->addr);
		emit(w, "vm", ok(a->vm->addr == a->va_start));
		for (vaddr_t va = a->va_start; va < a->va_end; va += 1ull << w->vm->page_shift) {
			const void *p = vmalloc_ptr(v, va);

			if (!p || (u64)((const u8 *)p - w->vm->hw->arena) >= w->vm->hw->bytes)
				continue; /* the guard page; device memory */
			name(w->e.from, "vm_struct %" PRIx64, a->vm->addr);
			name_page(w, w->e.to, virt_to_page(w->vm->phys, p));
			emit(w, "pages", ok(page_count(virt_to_page(w->vm->phys, p)) > 0));
		}
	}
}

void graph_walk(struct machine *m, graph_fn fn, void *arg)
{
	struct walk w = {.m = m, .vm = &m->vm, .fn = fn, .arg = arg};

	node_edges(&w);
	task_edges(&w);
	file_edges(&w);
	swap_edges(&w);
	kmem_edges(&w);
	vmalloc_edges(&w);
}

/* ---- users ---- */

struct verdict {
	char *why;
	size_t n;
	bool broken;
};

static void judge(void *arg, const struct graph_edge *e)
{
	struct verdict *v = arg;

	if (e->back != GRAPH_BACK_BROKEN || v->broken)
		return;
	v->broken = true;
	snprintf(v->why, v->n, "A12.1: %s.%s leads to %s, which does not lead back", e->from, e->field, e->to);
}

int graph_check(struct machine *m, char *why, size_t n)
{
	struct verdict v = {why, n, false};

	graph_walk(m, judge, &v);
	return v.broken ? 12001 : 0;
}
