/* SPDX-License-Identifier: BSD-2-Clause */
/* Swap against page tables: what entries there are is counted again (spec 08 I08.5, I08.7). */
#include <errno.h>
#include <inttypes.h>

#include "core/backing/shmem.h"
#include "core/vm/swapin.h"

struct swap_scan {
	u32 *refs[MAX_SWAPFILES]; /* by slot: entries found; NULL: no such area */
	s64 entries;		  /* in the address space being walked */
	u64 bad;		  /* address of an entry that names no slot */
};

static int scan_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct swap_scan *s = arg;

	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		swp_entry_t e;

		if (!pte_is_swap(p) || is_migration_entry(p))
			continue;
		e = pte_to_swp_entry(p);
		if (!swap_count(&vm->swap, e)) {
			s->bad = va + ((u64)i << vm->page_shift);
			return 8005;
		}
		s->refs[swp_type(e)][swp_offset(e)]++;
		s->entries++;
	}
	return 0;
}

static int scan_mm(struct vm *vm, struct mm_struct *mm, struct swap_scan *s, char *why, size_t n)
{
	s->entries = 0;
	if (pte_range(vm, mm, 0, vm->task_size, scan_leaf, s)) {
		snprintf(why, n, "I08.5: the entry at %" PRIx64 " names a slot that is not in use",
			 s->bad);
		return 8005;
	}
	if (s->entries != mm->rss[MM_SWAPENTS]) {
		snprintf(why, n, "I08.7: swap entries counted %" PRId64 ", in tables %" PRId64,
			 mm->rss[MM_SWAPENTS], s->entries);
		return 8007;
	}
	return 0;
}

/* Shared memory refers to slots from its files' trees. */
static void scan_files(struct vm *vm, struct swap_scan *s)
{
	struct vm_file *f;

	list_for_each_entry(f, &vm->files.files, all) {
		u64 entry;

		for (u64 i = 0; f->shmem && (entry = xa_next(&f->mapping.pages, &i, UINT64_MAX)); i++) {
			swp_entry_t e = shmem_entry_swap(entry);

			if (xa_is_value(entry) && swap_count(&vm->swap, e))
				s->refs[swp_type(e)][swp_offset(e)]++;
		}
	}
}

static int compare(struct vm *vm, const struct swap_scan *s, char *why, size_t n)
{
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		for (u32 off = 1; s->refs[t] && off < vm->swap.info[t]->max; off++) {
			swp_entry_t e = swp_entry(t, off);

			if (swap_count(&vm->swap, e) == s->refs[t][off])
				continue;
			snprintf(why, n, "I08.5: slot %u of area %u: count %u, entries %u", off, t,
				 swap_count(&vm->swap, e), s->refs[t][off]);
			return 8005;
		}
	return 0;
}

int vm_swap_check(struct vm *vm, char *why, size_t n)
{
	struct swap_scan s = {0};
	struct mm_struct *mm;
	int r = swap_check(&vm->swap, why, n);

	for (unsigned t = 0; !r && t < MAX_SWAPFILES; t++) {
		const struct swap_info_struct *si = vm->swap.info[t];

		if (si && !(s.refs[t] = hw_map_lazy(swap_table_bytes(&vm->swap, si)))) {
			snprintf(why, n, "no host memory to check with");
			r = -ENOMEM;
		}
	}
	list_for_each_entry(mm, &vm->mms, all)
		if (!r)
			r = scan_mm(vm, mm, &s, why, n);
	if (!r)
		scan_files(vm, &s);
	if (!r)
		r = compare(vm, &s, why, n);
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		if (s.refs[t])
			hw_unmap_lazy(s.refs[t], swap_table_bytes(&vm->swap, vm->swap.info[t]));
	return r;
}
