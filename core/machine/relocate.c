/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Without relocation (the usual case) each function is one call into core/vm. With it:
 *
 *   recorded   |--- a ---|   |-- b --|          a, b: spans
 *                  |           |
 *   model        |--- a ---|     |-- b --|      offsets inside a span are kept
 *
 * A recorded range that starts inside a span stays in it (MAP_FIXED over a reservation, as loaders
 * do); anything else is placed by the model and becomes a span. Guest pages may be larger than the
 * recorded ones: new mappings are rounded outwards; where that reaches into a neighbour's page the
 * page gets the rights of both, and unmapping frees only pages that are covered whole.
 */
#include "core/machine/relocate.h"

#include <errno.h>

#include "core/vm/vm.h"

static u64 page_size(const struct reloc_ctx *c)
{
	return 1ull << c->m->hw.page_shift;
}

static bool fits(const struct reloc_ctx *c, u64 addr, u64 len)
{
	u64 limit = vm_task_size(&c->m->vm);

	return !(addr & (page_size(c) - 1)) && len <= limit && addr <= limit - len;
}

int reloc_start(struct reloc_ctx *c)
{
	struct machine_vma v;

	if (c->leader->place)
		return 0;
	c->leader->place = place_create();
	if (!c->leader->place)
		return -ENOMEM;
	c->m->relocated_tasks++;
	if (!c->leader->brk_from && c->task->mm) {
		c->leader->brk_from = c->leader->brk_to = c->task->mm->start_brk;
		c->leader->brk_end = c->task->mm->brk;
	}
	for (size_t i = 0; !vm_task_vma(&c->m->vm, c->task, i, &v); i++) {
		int r = place_add(c->leader->place, v.start, v.end - v.start, v.start);

		if (r)
			return r;
	}
	return 0;
}

/* A break need not be aligned, but one at a page of the recorded machine must be at one of ours. */
static bool heap_fits(const struct reloc_ctx *c, u64 brk)
{
	bool coarser = c->m->hw.page_shift > 12 && !(brk & 4095) && brk & (page_size(c) - 1);

	return !coarser && fits(c, ALIGN_DOWN(brk, page_size(c)), page_size(c));
}

/* Where recorded break @brk goes: as recorded if it fits, else an eighth up the address space. */
s64 reloc_spawn(struct reloc_ctx *c, u64 brk, u64 stack)
{
	u64 model = vm_task_size(&c->m->vm) / 8;
	int r;

	c->leader->brk_from = 0;
	if (!c->m->config.place && heap_fits(c, brk) && fits(c, ALIGN_DOWN(stack, page_size(c)), 0))
		return vm_spawn(&c->m->vm, c->task, brk, stack);
	c->leader->brk_from = c->leader->brk_end = brk ? brk : model;
	c->leader->brk_to = model;
	r = vm_spawn(&c->m->vm, c->task, model, 0);
	return r ? r : reloc_start(c);
}

/* Rights of the model's page at @addr, so that a shared boundary page keeps them. */
static u32 rights_at(struct reloc_ctx *c, u64 addr)
{
	return vm_rights_at(&c->m->vm, c->task, addr);
}

/* Maps [addr, addr + len) of the model, boundary pages with the rights of both sides. */
static s64 map_fixed(struct reloc_ctx *c, const struct reloc_mmap *a, u64 addr, u64 len)
{
	u64 page = page_size(c), start = ALIGN_DOWN(addr, page), end = ALIGN_UP(addr + len, page);
	u64 off = ALIGN_DOWN(a->off, page);
	u32 flags = (a->flags | MM_MAP_FIXED) & ~(u32)MM_MAP_FIXED_NOREPLACE;
	s64 r;

	if (start != addr && rights_at(c, start)) {
		sys_mprotect(&c->m->vm, c->task, start, page, a->prot | rights_at(c, start));
		start += page;
		off += page;
	}
	if (end != addr + len && end - page >= start && rights_at(c, end - page)) {
		end -= page;
		sys_mprotect(&c->m->vm, c->task, end, page, a->prot | rights_at(c, end));
	}
	if (start >= end)
		return (s64)addr;
	r = sys_mmap(&c->m->vm, c->task, start, end - start, a->prot, flags, a->file, off, 0);
	return r < 0 ? r : (s64)addr;
}

static s64 map_new(struct reloc_ctx *c, const struct reloc_mmap *a, u64 from)
{
	u64 page = page_size(c), lead = from & (page - 1);
	u32 flags = a->flags & ~(u32)(MM_MAP_FIXED | MM_MAP_FIXED_NOREPLACE);
	u64 len = ALIGN_UP(lead + a->len, page), hint = 0;
	s64 r;

	if (flags & MM_MAP_GROWSDOWN && len < vm_task_size(&c->m->vm) / 2) /* where it has room to grow */
		hint = vm_task_size(&c->m->vm) - page - len;
	r = sys_mmap(&c->m->vm, c->task, hint, len, a->prot, flags, a->file, ALIGN_DOWN(a->off, page), 0);
	if (r < 0)
		return r;
	if (place_add(c->leader->place, from, a->len, (u64)r + lead))
		return -ENOMEM;
	return (s64)from;
}

static s64 relocated_mmap(struct reloc_ctx *c, const struct reloc_mmap *a)
{
	u64 from = a->place ? a->place : a->addr;
	const struct place_span *s;

	if (!from) {
		s64 r = sys_mmap(&c->m->vm, c->task, 0, a->len, a->prot, a->flags, a->file, a->off, 0);

		return r < 0 || !place_add(c->leader->place, (u64)r, a->len, (u64)r) ? r : -ENOMEM;
	}
	s = place_span_of(c->leader->place, from);
	if (s && from + a->len <= s->from + s->len) {
		s64 r = map_fixed(c, a, s->to + (from - s->from), a->len);

		return r < 0 ? r : (s64)from;
	}
	reloc_munmap(c, from, a->len);
	return map_new(c, a, from);
}

s64 reloc_mmap(struct reloc_ctx *c, const struct reloc_mmap *a)
{
	u64 from = a->place ? a->place : a->addr;
	int r;

	if (!c->leader->place && a->place && !fits(c, from, a->len)) {
		r = reloc_start(c);
		if (r)
			return r;
	}
	if (c->leader->place)
		return relocated_mmap(c, a);
	return sys_mmap(&c->m->vm, c->task, a->addr, a->len, a->prot, a->flags, a->file, a->off,
			a->place);
}

/* Calls @fn for each piece of spans in the recorded range; stops at the first error. */
static s64 each_piece(struct reloc_ctx *c, u64 addr, u64 len,
		      s64 (*fn)(struct reloc_ctx *, u64 model, u64 len, u64 arg), u64 arg)
{
	u64 end = addr + len;
	s64 r = 0;

	for (u32 i = 0; i < c->leader->place->nr && !r; i++) {
		struct place_span s = c->leader->place->spans[i];
		u64 lo = s.from > addr ? s.from : addr;
		u64 hi = s.from + s.len < end ? s.from + s.len : end;

		if (lo < hi)
			r = fn(c, s.to + (lo - s.from), hi - lo, arg);
	}
	return r;
}

static s64 unmap_piece(struct reloc_ctx *c, u64 model, u64 len, u64 arg)
{
	u64 page = page_size(c), start = ALIGN_UP(model, page), end = ALIGN_DOWN(model + len, page);

	(void)arg;
	return start < end ? sys_munmap(&c->m->vm, c->task, start, end - start) : 0;
}

s64 reloc_munmap(struct reloc_ctx *c, u64 addr, u64 len)
{
	s64 r;

	if (!c->leader->place)
		return sys_munmap(&c->m->vm, c->task, addr, len);
	r = each_piece(c, addr, len, unmap_piece, 0);
	if (!r)
		r = place_remove(c->leader->place, addr, len);
	return r;
}

static s64 protect_piece(struct reloc_ctx *c, u64 model, u64 len, u64 prot)
{
	u64 page = page_size(c), start = ALIGN_UP(model, page), end = ALIGN_DOWN(model + len, page);
	s64 r = start < end ? sys_mprotect(&c->m->vm, c->task, start, end - start, (u32)prot) : 0;

	if (!r && model != start)
		r = sys_mprotect(&c->m->vm, c->task, start - page, page,
				 (u32)prot | rights_at(c, start - page));
	if (!r && model + len != end && end >= start)
		r = sys_mprotect(&c->m->vm, c->task, end, page, (u32)prot | rights_at(c, end));
	return r;
}

s64 reloc_mprotect(struct reloc_ctx *c, u64 addr, u64 len, u32 prot)
{
	if (!c->leader->place)
		return sys_mprotect(&c->m->vm, c->task, addr, len, prot);
	return each_piece(c, addr, len, protect_piece, prot);
}

static s64 relocated_mremap(struct reloc_ctx *c, u64 addr, u64 old_len, u64 new_len, u64 place)
{
	u64 page = page_size(c), model, lead, dest = place ? place : addr;
	s64 r;

	if (!place_find(c->leader->place, addr, &model))
		return -EFAULT;
	lead = model & (page - 1);
	r = sys_mremap(&c->m->vm, c->task, model - lead, ALIGN_UP(lead + old_len, page),
		       ALIGN_UP(lead + new_len, page), MM_MREMAP_MAYMOVE, 0, 0);
	if (r < 0)
		return r;
	if (place_remove(c->leader->place, addr, old_len) ||
	    place_add(c->leader->place, dest, new_len, (u64)r + lead))
		return -ENOMEM;
	return (s64)dest;
}

s64 reloc_mremap(struct reloc_ctx *c, u64 addr, u64 old_len, u64 new_len, u32 flags, u64 to, u64 place)
{
	if (c->leader->place)
		return relocated_mremap(c, addr, old_len, new_len, place);
	return sys_mremap(&c->m->vm, c->task, addr, old_len, new_len, flags, to, place);
}

/* The heap is one span whose length is the recorded break's distance from the first. */
static s64 relocated_brk(struct reloc_ctx *c, u64 addr)
{
	struct machine_proc *p = c->leader;
	s64 r;

	if (!p->brk_from || addr < p->brk_from)
		return (s64)p->brk_end;
	r = sys_brk(&c->m->vm, c->task, p->brk_to + (addr - p->brk_from));
	if (r < 0 || (u64)r != p->brk_to + (addr - p->brk_from))
		return r;
	if (addr < p->brk_end && place_remove(p->place, addr, p->brk_end - addr))
		return -ENOMEM;
	if (addr > p->brk_from && place_add(p->place, p->brk_from, addr - p->brk_from, p->brk_to))
		return -ENOMEM;
	p->brk_end = addr;
	return (s64)addr;
}

s64 reloc_brk(struct reloc_ctx *c, u64 addr)
{
	if (c->leader->place)
		return relocated_brk(c, addr);
	return sys_brk(&c->m->vm, c->task, addr);
}

void reloc_range(struct reloc_ctx *c, u64 *addr, u64 *len)
{
	u64 page = page_size(c), start, end;
	const struct place_span *s;

	if (!c->leader->place)
		return;
	s = place_span_of(c->leader->place, *addr);
	if (!s)
		return;
	start = s->to + (*addr - s->from);
	end = start + *len < s->to + s->len ? start + *len : s->to + s->len;
	*addr = ALIGN_DOWN(start, page);
	*len = ALIGN_UP(end, page) - *addr;
}
