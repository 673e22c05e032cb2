/* SPDX-License-Identifier: BSD-2-Clause */
/* Views of address spaces: maps, smaps in the layout of /proc, pgtables as a dump of descriptors. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

static void show_vma_line(const struct machine_vma *v, FILE *out)
{
	char name[40] = "";

	if (!strcmp(v->kind, "heap") || !strcmp(v->kind, "stack"))
		snprintf(name, sizeof(name), "[%s]", v->kind);
	else if (strcmp(v->kind, "anon"))
		snprintf(name, sizeof(name), "%s", v->kind);
	fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " 00:00 0 %s%s\n", v->start, v->end, v->perms,
		v->pgoff, name[0] ? "                   " : "", name);
}

struct smaps {
	u64 rss, anon, dirty, shared;
};

static int smaps_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct smaps *s = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;

		if (!page)
			continue;
		s->rss++;
		s->anon += PageAnon(page);
		s->dirty += pte_dirty(p) || PageDirty(page);
		s->shared += page_mapcount(page) > 1;
	}
	return 0;
}

static void show_smaps(struct vm *vm, const struct task *t, const struct machine_vma *v, FILE *out)
{
	struct smaps s = {0};
	unsigned kb = vm->page_shift - 10;

	pte_range(vm, t->mm, v->start, v->end, smaps_leaf, &s);
	fprintf(out, "Size:           %8" PRIu64 " kB\nRss:            %8" PRIu64 " kB\nShared:         %8" PRIu64
		" kB\nDirty:          %8" PRIu64 " kB\nAnonymous:      %8" PRIu64 " kB\nVmFlags: %s\n",
		(v->end - v->start) >> 10, s.rss << kb, s.shared << kb, s.dirty << kb, s.anon << kb, v->flags);
}

static int pgtable_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);

		if (!p.v)
			continue;
		fprintf(arg, "%016" PRIx64 " %016" PRIx64 " %s%s%s%s%s%s%s\n", va + ((u64)i << vm->page_shift), p.v,
			pte_valid(p) ? "valid" : "invalid", pte_young(p) ? " young" : "",
			pte_dirty(p) ? " dirty" : "", pte_write(p) ? " write" : "",
			p.v & A64_RDONLY ? " rdonly" : "", p.v & A64_UXN ? " uxn" : "",
			pte_special(p) ? " zero-page" : "");
	}
	return 0;
}

static void show_task(struct vm *vm, const struct task *t, const char *view, FILE *out)
{
	struct machine_vma v;

	fprintf(out, "task %u\n", t->pid);
	if (!strcmp(view, "pgtables")) {
		fprintf(out, "geometry %s, top table at %" PRIx64 ", %" PRIu64 " tables, %" PRIu64 " of leaves\n",
			pt_geometries[vm->geom].name, t->mm->pgd, t->mm->nr_tables, t->mm->nr_ptes);
		pte_range(vm, t->mm, 0, vm->task_size, pgtable_leaf, out);
		return;
	}
	for (size_t i = 0; !vm_task_vma(vm, t, i, &v); i++) {
		show_vma_line(&v, out);
		if (!strcmp(view, "smaps"))
			show_smaps(vm, t, &v, out);
	}
}

int vm_show(struct vm *vm, const char *view, FILE *out)
{
	if (strcmp(view, "maps") && strcmp(view, "smaps") && strcmp(view, "pgtables"))
		return swap_show(&vm->swap, view, out);
	for (u32 i = 1; i < vm->nr_tasks; i++)
		if (vm->tasks[i] && vm->tasks[i]->mm && vm->tasks[i]->lived)
			show_task(vm, vm->tasks[i], view, out);
	return 0;
}
