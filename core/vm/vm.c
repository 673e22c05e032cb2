/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot of floor 6, its tasks, and what results read of it. */
#include "core/vm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/phys/page_alloc.h"
#include "core/vm/fault.h"
#include "core/vm/fork.h"
#include "core/vm/interval_tree.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"
#include "core/vm/writeback.h"

/* ---- boot ---- */

static int make_caches(struct vm *vm)
{
	struct kmem *k = vm->kmem;

	vm->mm_cache = kmem_cache_create(k, "mm_struct", sizeof(struct mm_struct), 64, 0, NULL);
	vm->vma_cache = kmem_cache_create(k, "vm_area_struct", sizeof(struct vm_area_struct), 64, 0, NULL);
	if (vm->btree)
		vm->bt_cache = kmem_cache_create(k, "vma_btree_node", VMA_BT_NODE_BYTES, 64, 0, NULL);
	vm->anon_vma_cache = kmem_cache_create(k, "anon_vma", sizeof(struct anon_vma), 0, 0, NULL);
	vm->avc_cache = kmem_cache_create(k, "anon_vma_chain", sizeof(struct anon_vma_chain), 0, 0, NULL);
	if (vm->btree && !vm->bt_cache)
		return -ENOMEM;
	return vm->mm_cache && vm->vma_cache && vm->anon_vma_cache && vm->avc_cache ? 0 : -ENOMEM;
}

static int make_zero_page(struct vm *vm)
{
	struct kernel_pgd *k = &vm->phys->kpgd;
	struct page *p = NULL;

	if (!k->built && !(p = alloc_page(vm->phys, vm->hw->cpu, GFP_KERNEL)))
		return -ENOMEM;
	vm->zero_pfn = p ? page_to_pfn(vm->phys, p) : (pfn_t)(k->zero_page >> vm->page_shift);
	if (!p) { /* part of the kernel's image: pinned (gup), never freed */
		p = pfn_to_page(vm->phys, vm->zero_pfn);
		SetPageReserved(p);
		p->_count = 1;
	}
	hw_clear_frame(vm->hw, vm->zero_pfn);
	return 0;
}

int vm_init(struct vm *vm, struct kmem *kmem, const struct machine_config *c)
{
	int geom = config_geometry(c);
	int r;

	memset(vm, 0, sizeof(*vm));
	vm->leaf.span = PT_NO_SPAN;
	list_init(&vm->mms);
	if (geom < 0)
		return -EINVAL;
	vm->kmem = kmem;
	vm->phys = kmem->phys;
	vm->hw = vm->phys->hw;
	vm->config = c;
	vm->geom = (enum pt_geom)geom;
	vm->mem = (struct pt_mem){vm->hw->arena, vm->hw->bytes, vm->hw->base};
	vm->page_shift = config_page_shift(c);
	vm->hwad = c->hwad;
	vm->modern = c->policy == POLICY_MODERN;
	vm->unique_contents = c->contents;
	vm->dirtycow = (u8)c->dirtycow;
	vm->old_anon_vma = c->anonvma == ANONVMA_OLD;
	vm->lazyfree = c->lazyfree;
	vm->anonws = c->anonws || c->mglru;
	vm->special_fault = vm->modern || c->mglru;
	vm->task_size = vm->phys->kpgd.layout.task_size;
	vm->psi.width = c->psi_window * 1000000;
	vm->guard_gap = c->policy >= POLICY_4_12;
	vm->btree = c->vma == VMA_BTREE;
	vm->max_map_count = c->max_map_count;
	vm->mmap_min_addr = c->mmap_min_addr;
	vm->legacy_va_layout = c->legacy_va_layout;
	overcommit_init(vm);
	vm->fault_around_pages = c->fault_around_bytes >> vm->page_shift;
	if (!vm->fault_around_pages)
		vm->fault_around_pages = 1;
	while (vm->fault_around_pages & (vm->fault_around_pages - 1))
		vm->fault_around_pages &= vm->fault_around_pages - 1;
	r = lru_init(&vm->lru, vm->phys, c);
	if (!r) {
		workingset_init(&vm->ws, &vm->lru, &vm->swap.nr_swap_pages, c);
		r = filemap_init(&vm->files, vm->kmem, &vm->lru, &vm->swap, &vm->ws, c);
	}
	if (!r)
		r = swap_init(&vm->swap, vm->phys, &vm->lru, c, pt_swap_max_offset(vm_geometry(vm)));
	vm->swap.ws = &vm->ws;
	if (!r)
		r = writeback_init(vm, c);
	if (!r)
		r = vm_tlb_init(vm);
	if (!r)
		r = make_caches(vm);
	if (!r)
		r = ksm_registry_init(vm);
	if (!r)
		r = make_zero_page(vm);
	if (!r && c->swap)
		r = swap_area_add(&vm->swap, &(struct swap_area){.bytes = c->swap, .solid_state = c->swap_ssd});
	if (r)
		vm_destroy(vm);
	return r;
}

void vm_destroy(struct vm *vm)
{
	/* Everything in the arena goes with it; only host memory is given back one by one. */
	vm_tlb_destroy(vm);
	filemap_destroy(&vm->files);
	swap_destroy(&vm->swap);
	lru_destroy(&vm->lru);
	for (u32 i = 0; i < vm->nr_tasks; i++)
		free(vm->tasks[i]);
	free(vm->tasks);
	vm->tasks = NULL;
	vm->nr_tasks = 0;
}

int vm_sysctl(struct vm *vm, const char *name, const char *value)
{
	static const struct {
		const char *name;
		size_t offset;
		u64 most;
	} names[] = {
#define SYSCTL(name, field, most) {name, offsetof(struct vm, field), most}
		SYSCTL("max_map_count", max_map_count, 0x7fffffff),
		SYSCTL("mmap_min_addr", mmap_min_addr, UINT64_MAX),
		SYSCTL("legacy_va_layout", legacy_va_layout, 1),
		SYSCTL("overcommit_memory", overcommit, 2),
		SYSCTL("overcommit_ratio", overcommit_ratio, UINT64_MAX),
		SYSCTL("overcommit_kbytes", overcommit_kbytes, UINT64_MAX),
		SYSCTL("admin_reserve_kbytes", admin_reserve_kbytes, UINT64_MAX),
		SYSCTL("user_reserve_kbytes", user_reserve_kbytes, UINT64_MAX),
		SYSCTL("dirty_ratio", dirty_ratio, UINT64_MAX),
		SYSCTL("dirty_background_ratio", dirty_background_ratio, UINT64_MAX),
		SYSCTL("highmem_is_dirtyable", highmem_is_dirtyable, UINT64_MAX),
#undef SYSCTL
	};
	char *end;
	u64 v = strtoull(value, &end, 0);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, name))
			continue;
		if (end == value || *end || v > names[i].most)
			return -EINVAL;
		*(u64 *)(void *)((char *)vm + names[i].offset) = v;
		return 0;
	}
	return swap_sysctl(&vm->swap, name, value);
}

/* ---- tasks ---- */

int vm_define_task(struct vm *vm, u32 idx, u32 pid, u32 tid)
{
	struct task *t;

	if (idx >= MM_MAX_TASKS)
		return -E2BIG;
	if (idx >= vm->nr_tasks) {
		u32 cap = vm->nr_tasks ? vm->nr_tasks : 64;
		struct task **grown;

		while (cap <= idx)
			cap *= 2;
		grown = realloc(vm->tasks, cap * sizeof(struct task *));
		if (!grown)
			return -ENOMEM;
		memset(grown + vm->nr_tasks, 0, (cap - vm->nr_tasks) * sizeof(*grown));
		vm->tasks = grown;
		vm->nr_tasks = cap;
	}
	if (!vm->tasks[idx]) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return -ENOMEM;
		vm->tasks[idx] = t;
	}
	t = vm->tasks[idx];
	t->pid = pid;
	t->tid = tid;
	t->index = idx;
	return 0;
}

static void drop_mm(struct vm *vm, struct task *t)
{
	struct mm_struct *mm = t->mm;

	t->mm = NULL;
	memset(t->vmacache, 0, sizeof(t->vmacache));
	if (mm)
		mm_put(vm, mm);
}

static void adopt_mm(struct task *t, struct mm_struct *mm)
{
	memset(t->vmacache, 0, sizeof(t->vmacache));
	t->vmacache_seqnum = mm->vmacache_seqnum;
	t->mm = mm;
	t->killed = t->tif_memdie = false;
	t->lived = true;
}

/* One page that grows, as a new program finds it. */
static int map_stack(struct vm *vm, struct mm_struct *mm, vaddr_t top)
{
	u64 page = 1ull << vm->page_shift;
	struct vm_area_struct *v;
	int r;

	if (top < page || top > vm->task_size)
		return -EINVAL;
	v = vma_alloc(vm);
	if (!v)
		return -ENOMEM;
	v->vm_start = ALIGN_DOWN(top - 1, page);
	v->vm_end = v->vm_start + page;
	v->vm_flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN |
		      VM_ACCOUNT | VM_SOFTDIRTY;
	v->vm_page_prot = vm_get_page_prot(v->vm_flags);
	mm->start_stack = top;
	mmap_write_lock(vm, mm);
	r = insert_vm_struct(vm, mm, v);
	mmap_write_unlock(vm, mm);
	if (r)
		kmem_cache_free(vm->vma_cache, vm->hw->cpu, v);
	return r;
}

int vm_spawn(struct vm *vm, struct task *t, vaddr_t brk, vaddr_t stack_top)
{
	struct mm_struct *mm;
	int r;

	might_sleep(vm->hw);
	drop_mm(vm, t);
	mm = mm_alloc(vm);
	if (!mm)
		return -ENOMEM;
	arch_pick_mmap_layout(vm, mm);
	mm->start_brk = mm->brk = brk ? brk : vm->task_size / 8;
	adopt_mm(t, mm);
	r = stack_top ? map_stack(vm, mm, stack_top) : 0;
	if (r)
		drop_mm(vm, t);
	return r;
}

int vm_fork(struct vm *vm, struct task *parent, struct task *child)
{
	struct mm_struct *mm;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!parent->mm)
		return -ESRCH;
	drop_mm(vm, child);
	mm = dup_mm(vm, parent->mm);
	child->parent = parent->index;
	child->oom_score_adj = parent->oom_score_adj;
	child->root = parent->root;
	if (!mm)
		return -ENOMEM;
	adopt_mm(child, mm);
	return 0;
}

void vm_exit(struct vm *vm, struct task *t)
{
	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	drop_mm(vm, t);
}

int vm_thread(struct vm *vm, struct task *t, u32 tid, u32 *idx)
{
	for (u32 i = 1; i < vm->nr_tasks; i++) {
		struct task *n = vm->tasks[i];

		if (!n || n->tid != tid || n->pid != t->pid || n == t)
			continue;
		*idx = i;
		if (n->mm || !t->mm)
			return 0;
		t->mm->mm_users++;
		adopt_mm(n, t->mm);
		n->lived = false; /* its counts are shown with the process's */
		return 0;
	}
	return -ENOENT;
}

/* ---- for results ---- */

vaddr_t vm_task_size(const struct vm *vm)
{
	return vm->task_size;
}

const struct mm_struct *vm_mm_of_pid(const struct vm *vm, u32 pid)
{
	for (u32 i = 1; i < vm->nr_tasks; i++)
		if (vm->tasks[i] && vm->tasks[i]->pid == pid && vm->tasks[i]->mm)
			return vm->tasks[i]->mm;
	return NULL;
}

u32 vm_rights_at(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct vm_area_struct *v = t->mm ? find_vma_slow(vm, t->mm, addr) : NULL;

	return v && v->vm_start <= addr ? v->vm_flags & VM_RWX : 0;
}

void vm_lru_drain_all(struct vm *vm)
{
	lru_add_drain_all(&vm->lru);
}

/* Task @i of those that had an address space of their own, in order of their index. */
static const struct task *process(const struct vm *vm, size_t i)
{
	for (u32 k = 1; k < vm->nr_tasks; k++)
		if (vm->tasks[k] && vm->tasks[k]->lived && !i--)
			return vm->tasks[k];
	return NULL;
}

size_t vm_nr_processes(const struct vm *vm)
{
	size_t n = 0;

	for (u32 k = 1; k < vm->nr_tasks; k++)
		n += vm->tasks[k] && vm->tasks[k]->lived;
	return n;
}

void vm_process_stat(const struct vm *vm, size_t i, struct machine_task *out)
{
	const struct task *t = process(vm, i);
	const struct mm_struct *mm;

	memset(out, 0, sizeof(*out));
	if (!t)
		return;
	out->pid = t->pid;
	for (u32 k = 1; k < vm->nr_tasks; k++) { /* threads count for their process */
		const struct task *n = vm->tasks[k];

		if (n && n->pid == t->pid && (n == t || !n->lived)) {
			out->minflt += n->minflt;
			out->majflt += n->majflt;
			for (unsigned s = 0; s < NR_STALLS; s++)
				out->stall_ns[s] += n->stall_ns[s];
			out->memory_stall_ns += n->memory_stall_ns;
			out->io_stall_ns += n->io_stall_ns;
			out->killed |= n->killed;
		}
	}
	mm = t->mm;
	if (!mm)
		return;
	out->rss_anon = (u64)mm->rss[MM_ANONPAGES];
	out->rss_file = (u64)mm->rss[MM_FILEPAGES];
	out->rss_shmem = (u64)mm->rss[MM_SHMEMPAGES];
	out->swap = (u64)mm->rss[MM_SWAPENTS];
	out->pgtable_bytes = mm->nr_tables << vm->page_shift;
	out->nr_vmas = mm->map_count;
}

static void vma_flag_letters(u32 flags, char *buf)
{
	static const struct {
		u32 flag;
		char letters[3];
	} names[] = {
		{VM_READ, "rd"}, {VM_WRITE, "wr"}, {VM_EXEC, "ex"}, {VM_SHARED, "sh"}, {VM_MAYREAD, "mr"},
		{VM_MAYWRITE, "mw"}, {VM_MAYEXEC, "me"}, {VM_MAYSHARE, "ms"}, {VM_GROWSDOWN, "gd"},
		{VM_PFNMAP, "pf"}, {VM_LOCKED, "lo"}, {VM_IO, "io"}, {VM_SEQ_READ, "sr"},
		{VM_RAND_READ, "rr"}, {VM_DONTCOPY, "dc"}, {VM_DONTEXPAND, "de"}, {VM_ACCOUNT, "ac"},
		{VM_NORESERVE, "nr"}, {VM_DONTDUMP, "dd"}, {VM_SOFTDIRTY, "sd"}, {VM_HUGEPAGE, "hg"},
		{VM_NOHUGEPAGE, "nh"}, {VM_MERGEABLE, "mg"},
	};

	buf[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag) {
			if (buf[0])
				strcat(buf, " ");
			strcat(buf, names[i].letters);
		}
}

static void describe(const struct vm *vm, const struct vm_area_struct *v, struct machine_vma *out)
{
	const struct mm_struct *mm = v->vm_mm;

	memset(out, 0, sizeof(*out));
	out->start = v->vm_start;
	out->end = v->vm_end;
	out->pgoff = v->vm_file ? v->vm_pgoff : 0;
	snprintf(out->perms, sizeof(out->perms), "%c%c%c%c", v->vm_flags & VM_READ ? 'r' : '-',
		 v->vm_flags & VM_WRITE ? 'w' : '-', v->vm_flags & VM_EXEC ? 'x' : '-',
		 v->vm_flags & VM_MAYSHARE ? 's' : 'p');
	if (v->vm_file && !v->vm_file->named)
		snprintf(out->kind, sizeof(out->kind), "shmem");
	else if (v->vm_file)
		snprintf(out->kind, sizeof(out->kind), "file %llu", (unsigned long long)v->vm_file->id);
	else if (v->vm_start < mm->brk && v->vm_end > mm->start_brk)
		snprintf(out->kind, sizeof(out->kind), "heap");
	else if (v->vm_flags & VM_GROWSDOWN)
		snprintf(out->kind, sizeof(out->kind), "stack");
	else
		snprintf(out->kind, sizeof(out->kind), "anon");
	vma_flag_letters(v->vm_flags, out->flags);
	(void)vm;
}

int vm_task_vma(const struct vm *vm, const struct task *t, size_t n, struct machine_vma *out)
{
	const struct vm_area_struct *v = t && t->mm ? t->mm->mmap : NULL;

	while (v && n--)
		v = v->vm_next;
	if (!v)
		return -ENOENT;
	describe(vm, v, out);
	return 0;
}

int vm_process_vma(const struct vm *vm, size_t i, size_t n, struct machine_vma *out)
{
	return vm_task_vma(vm, process(vm, i), n, out);
}
