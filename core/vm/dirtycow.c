/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/dirtycow.h"

#include <errno.h>

#include "core/base/prng.h"
#include "core/vm/vm.h"

#define FORCED_WRITE (FOLL_FORCE | FOLL_GET | FOLL_WRITE)

static void drop(struct vm *vm, struct task *t, vaddr_t addr)
{
	u64 page = 1ull << vm->page_shift;

	sys_madvise(vm, t, addr & ~(page - 1), page, MM_MADV_DONTNEED);
}

int dirtycow_inject(struct vm *vm, struct task *t, vaddr_t addr, const void *text, u32 len,
		    enum gup_point point, void (*see)(void *arg, const struct gup_op *op),
		    void *arg)
{
	struct gup_op op;
	bool dropped = false;

	gup_begin(&op, vm, t, addr, FORCED_WRITE, (void *)(uintptr_t)text, len);
	while (op.point < GUP_DONE) {
		if (see)
			see(arg, &op);
		if (op.point == point && !dropped) {
			drop(vm, t, addr);
			dropped = true;
		}
		gup_step(&op);
	}
	if (see)
		see(arg, &op);
	return op.point == GUP_ERROR ? op.error : 0;
}

/* What the cache has of the file's page; false: nothing. */
static bool file_tag(struct vm *vm, const struct dirtycow_race *race, u64 *tag)
{
	struct vm_file *f = filemap_find(&vm->files, race->file);
	struct page *p = f ? filemap_lookup(vm->phys, f, race->index) : NULL;

	if (p)
		*tag = hw_frame_tag(vm->hw, page_to_pfn(vm->phys, p));
	return p;
}

int dirtycow_race(struct vm *vm, struct task *t, const struct dirtycow_race *race,
		  struct dirtycow_result *out)
{
	struct gup_op op = {.point = GUP_DONE};
	struct prng coin;
	bool hit = false; /* M ran in this attempt's window */
	u64 before, now;

	*out = (struct dirtycow_result){0};
	if (!file_tag(vm, race, &before))
		return -EFAULT;
	prng_seed(&coin, race->seed);
	while (out->ticks < race->max_ticks && !out->changed) {
		out->ticks++;
		if (prng_below(&coin, 2)) {
			out->drops++;
			hit |= op.point == GUP_G5 || op.point == GUP_G6;
			drop(vm, t, race->addr);
			continue;
		}
		if (op.point >= GUP_DONE) {
			out->writes++;
			gup_begin(&op, vm, t, race->addr, FORCED_WRITE,
				  (void *)(uintptr_t)race->text, race->len);
			continue;
		}
		gup_step(&op);
		if (op.point == GUP_DONE) {
			out->changed = !file_tag(vm, race, &now) || now != before;
			out->successes += out->changed;
			out->in_window += hit;
			hit = false;
		}
	}
	gup_abort(&op);
	count_vm_events(vm->hw, vm->hw->cpu, EV_FORCED_WRITES, out->writes);
	count_vm_events(vm->hw, vm->hw->cpu, EV_FORCED_WRITE_WINDOWS, out->in_window);
	count_vm_events(vm->hw, vm->hw->cpu, EV_FORCED_WRITE_SUCCESSES, out->successes);
	return 0;
}
