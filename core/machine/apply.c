/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch over operation codes: the table of contents of the whole program.
 *
 * Each operation first moves the virtual clock to its time stamp (daemons due before run), then
 * calls one function of a lower floor and translates its answer to the terms of interfaces.md s3.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw/clock.h"
#include "core/machine/apply_file.h"
#include "core/machine/lists.h"
#include "core/machine/machine_types.h"
#include "core/machine/relocate.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/ksm.h"
#include "core/vm/dirtycow.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"
#include "core/vm/writeback.h"

struct step {
	struct machine *m;
	const struct mm_op *op;
	const struct mm_op_ext *ext;
	const struct op_strings *strings;
	struct mm_result *res;
	struct reloc_ctx rc;
};

static void answer(struct step *s, s64 value)
{
	s->res->value = value;
	s->res->res = RES_EXT;
	if (value < 0)
		s->m->errors[s->op->code]++;
}

static void skip(struct step *s)
{
	s->m->skipped[s->op->code]++;
	s->res->res = RES_UNKNOWN;
}

static const char *string(const struct step *s, u64 id)
{
	return s->strings ? s->strings->get(s->strings->self, id) : "";
}

static u64 x0(const struct step *s)
{
	return s->ext && s->ext->has & MM_EXT_X0 ? s->ext->x0 : 0;
}

static u64 x1(const struct step *s)
{
	return s->ext && s->ext->has & MM_EXT_X1 ? s->ext->x1 : 0;
}

/* The address that the recorded system answered, 0 if unknown or an error. */
static u64 recorded_address(const struct step *s)
{
	s64 r;

	switch (mm_op_res(s->op)) {
	case RES_ADDR:
		return s->op->addr;
	case RES_EXT:
		r = s->ext ? (s64)s->ext->result : 0;
		return r > 0 ? (u64)r : 0;
	default:
		return 0;
	}
}

/* ---- tasks ---- */

static void op_task(struct step *s)
{
	struct machine_proc *p = machine_proc(s->m, s->op->task);

	if (!p || vm_define_task(&s->m->vm, s->op->task, (u32)s->op->addr, (u32)s->op->len)) {
		skip(s);
		return;
	}
	p->pid = (u32)s->op->addr;
	p->tid = (u32)s->op->len;
	p->leader = s->op->task;
	p->defined = true;
}

/* A thread belongs to the process whose leader has its pid. */
static void adopt(struct machine *m, u32 task, u32 leader)
{
	struct machine_proc *p = machine_proc(m, task);

	if (p)
		p->leader = leader;
}

static void drop_proc_state(struct machine_proc *p)
{
	heap_model_destroy(p->heap);
	place_destroy(p->place);
	p->heap = NULL;
	p->place = NULL;
	p->maps_recorded = false;
}

static void op_spawn(struct step *s)
{
	u64 brk = s->op->flags & MM_OP_HAS_ADDR ? s->op->addr : 0;
	u64 stack = s->op->flags & MM_OP_HAS_LEN ? s->op->len : 0;
	struct machine *m = s->m;

	drop_proc_state(&m->procs[s->op->task]);
	m->procs[s->op->task].leader = s->op->task;
	s->rc.leader = &m->procs[s->op->task];
	answer(s, reloc_spawn(&s->rc, brk, stack));
}

static void op_fork(struct step *s)
{
	struct machine *m = s->m;
	struct machine_proc *child = machine_proc(m, (u32)s->op->arg), *parent;
	struct task *t = child ? vm_task(&m->vm, (u32)s->op->arg) : NULL;
	int r;

	if (!t) {
		skip(s);
		return;
	}
	if (t == s->rc.task) {
		answer(s, -EEXIST);
		return;
	}
	parent = &m->procs[m->procs[s->op->task].leader];
	drop_proc_state(child);
	child->leader = (u32)s->op->arg;
	r = vm_fork(&m->vm, s->rc.task, t);
	if (!r) {
		child->place = parent->place ? place_clone(parent->place) : NULL;
		child->heap = parent->heap ? heap_model_fork(parent->heap, s->op->task, (u32)s->op->arg) : NULL;
		child->maps_recorded = parent->maps_recorded;
	}
	answer(s, r);
}

/* exec: everything of the process but its number goes; the new program starts like a spawned one. */
static void op_exec(struct step *s)
{
	drop_proc_state(s->rc.leader);
	op_spawn(s);
}

static void op_exit(struct step *s)
{
	if (s->m->procs[s->op->task].leader != s->op->task)
		apply_heap_thread_exit(&s->rc, s->op->task);
	vm_exit(&s->m->vm, s->rc.task);
	if (s->m->procs[s->op->task].leader == s->op->task)
		drop_proc_state(s->rc.leader);
	answer(s, 0);
}

static void op_thread(struct step *s)
{
	struct machine *m = s->m;
	u32 thread;

	if (vm_thread(&m->vm, s->rc.task, (u32)s->op->arg, &thread)) {
		skip(s);
		return;
	}
	adopt(m, thread, m->procs[s->op->task].leader);
	answer(s, 0);
}

static bool apply_task(struct step *s)
{
	switch (s->op->code) {
	case OP_SPAWN:
		op_spawn(s);
		return true;
	case OP_FORK:
		op_fork(s);
		return true;
	case OP_EXEC:
		op_exec(s);
		return true;
	case OP_EXIT:
		op_exit(s);
		return true;
	case OP_THREAD:
		op_thread(s);
		return true;
	default:
		return false;
	}
}

/* ---- mappings ---- */

static void op_mmap(struct step *s)
{
	struct reloc_mmap a = {
		.addr = s->op->addr, .len = s->op->len, .off = s->op->arg,
		.place = recorded_address(s), .prot = s->op->flags & 7, .flags = (u32)x0(s),
		.file = x1(s),
	};

	s->rc.leader->maps_recorded = true;
	answer(s, reloc_mmap(&s->rc, &a));
}

static void op_madvise(struct step *s)
{
	u64 addr = s->op->addr, len = s->op->len;

	reloc_range(&s->rc, &addr, &len);
	answer(s, sys_madvise(&s->m->vm, s->rc.task, addr, len, s->op->flags & MM_OP_LOW));
}

static void op_mlock(struct step *s, bool lock)
{
	u64 addr = s->op->addr, len = s->op->len;

	reloc_range(&s->rc, &addr, &len);
	answer(s, lock ? sys_mlock(&s->m->vm, s->rc.task, addr, len, (u32)s->op->arg)
		       : sys_munlock(&s->m->vm, s->rc.task, addr, len));
}

static void apply_mapping(struct step *s)
{
	const struct mm_op *op = s->op;

	switch (op->code) {
	case OP_MMAP:
		op_mmap(s);
		break;
	case OP_MUNMAP:
		answer(s, reloc_munmap(&s->rc, op->addr, op->len));
		break;
	case OP_MREMAP:
		answer(s, reloc_mremap(&s->rc, op->addr, op->len, op->arg, (u32)x0(s), x1(s),
				       recorded_address(s)));
		break;
	case OP_MPROTECT:
		answer(s, reloc_mprotect(&s->rc, op->addr, op->len, op->flags & 7));
		break;
	case OP_BRK:
		s->rc.leader->maps_recorded = true;
		answer(s, reloc_brk(&s->rc, op->addr));
		break;
	case OP_MADVISE:
		op_madvise(s);
		break;
	case OP_MLOCK:
	case OP_MUNLOCK:
		op_mlock(s, op->code == OP_MLOCK);
		break;
	case OP_MLOCKALL:
		answer(s, sys_mlockall(&s->m->vm, s->rc.task, (u32)op->arg));
		break;
	default:
		answer(s, sys_munlockall(&s->m->vm, s->rc.task));
	}
}

/* ---- accesses ---- */

static void op_fill(struct step *s)
{
	u64 addr = reloc_addr(s->rc.leader, s->op->addr);
	u64 step = s->ext && s->ext->has & MM_EXT_X0 ? s->ext->x0 : 0;

	answer(s, mm_fill(&s->m->vm, s->rc.task, addr, s->op->len, s->op->arg, step));
}

/* The file's page behind a private mapping is what may change (docs/DIRTYCOW.md). */
static s64 op_dirtycow(struct step *s)
{
	struct vm *vm = &s->m->vm;
	struct vm_area_struct *v;
	struct dirtycow_race race = {.seed = s->op->flags & MM_OP_HAS_ARG ? s->op->arg : 1, .max_ticks = s->op->len,
				     .addr = reloc_addr(s->rc.leader, s->op->addr), .text = "EVIL", .len = 4};
	struct dirtycow_result r;
	int err;

	v = s->rc.task->mm ? find_vma(vm, s->rc.task, race.addr) : NULL;
	if (!v || v->vm_start > race.addr || !v->vm_file || v->vm_flags & VM_SHARED || race.addr & 3)
		return -EINVAL;
	race.file = v->vm_file->id;
	race.index = linear_page_index(vm, v, race.addr);
	err = dirtycow_race(vm, s->rc.task, &race, &r);
	return err ? err : r.changed ? (s64)r.writes : -EAGAIN;
}

/* Ranges, tags and instruction fetches; the one-page fault is handled by machine_apply() itself. */
static void apply_access(struct step *s)
{
	const struct mm_op *op = s->op;
	u64 len = op->flags & MM_OP_HAS_LEN ? op->len : 1;
	u64 addr = reloc_addr(s->rc.leader, op->addr);
	struct vm *vm = &s->m->vm;

	switch (op->code) {
	case OP_READ:
		s->res->res = (u8)mm_access_range(vm, s->rc.task, addr, len, MM_ACCESS_READ);
		break;
	case OP_WRITE:
		s->res->res = (u8)(op->flags & MM_OP_HAS_ARG ?
			mm_write_tag(vm, s->rc.task, addr, len, op->arg) :
			mm_access_range(vm, s->rc.task, addr, len, MM_ACCESS_WRITE));
		break;
	default:
		s->res->res = (u8)mm_access_range(vm, s->rc.task, addr, 1, MM_ACCESS_EXEC);
	}
}

/* ---- control ---- */

/* The address spaces of @m into @k; false: no host memory. */
static bool mark_tasks(const struct machine *m, struct machine_mark *k)
{
	size_t nr = machine_nr_tasks(m), vmas = 0, at = 0;

	k->tasks = calloc(nr + 1, sizeof(*k->tasks));
	if (!k->tasks)
		return false;
	for (size_t i = 0; i < nr; i++) {
		machine_task(m, i, &k->tasks[i]);
		vmas += k->tasks[i].nr_vmas;
	}
	k->vmas = calloc(vmas + 1, sizeof(*k->vmas));
	if (!k->vmas)
		return false;
	for (size_t i = 0; i < nr; i++)
		for (size_t v = 0; v < k->tasks[i].nr_vmas; v++)
			(void)machine_task_vma(m, i, v, &k->vmas[at++]);
	k->nr_tasks = nr;
	return true;
}

void machine_mark_free(struct machine_mark *k)
{
	free(k->name);
	free(k->tasks);
	free(k->vmas);
}

static void op_mark(struct step *s)
{
	struct machine *m = s->m;
	struct machine_mark k = {.name = strdup(string(s, x0(s))), .event = m->applied};
	struct machine_mark *grown = realloc(m->marks, (m->nr_marks + 1) * sizeof(*grown));

	m->marks = grown ? grown : m->marks;
	if (!grown || !k.name || !mark_tasks(m, &k)) {
		machine_mark_free(&k);
		skip(s);
		return;
	}
	machine_vmstat(m, &k.stat);
	machine_ksm(m, &k.ksm);
	m->marks[m->nr_marks++] = k;
	answer(s, 0);
}

static void op_check(struct step *s)
{
	char why[sizeof(s->m->check_failure)];
	int r = machine_check(s->m, why, sizeof(why));

	if (r && !s->m->check_failure[0])
		memcpy(s->m->check_failure, why, sizeof(why));
	answer(s, r);
}

/* Pageblocks are counted from the first frame of RAM. */
static int op_pageblock(struct step *s)
{
	struct phys *phys = &s->m->phys;
	u64 pfn = phys->min_low_pfn + (s->op->addr << phys->pageblock_order);
	int mt = migratetype_by_name(phys, string(s, x0(s)));

	if (mt < 0 || pfn - phys->base_pfn >= phys->nr_frames)
		return -EINVAL;
	set_pageblock_migratetype(phys, pfn_to_page(phys, (pfn_t)pfn), (enum migratetype)mt);
	return 0;
}

/* The areas' devices have no names in a trace: each is a new one. */
static int op_swapon(struct step *s)
{
	struct swap_area area = {.bytes = s->op->len, .solid_state = s->m->config.swap_ssd};

	while (swap_area_find(&s->m->vm.swap, area.id))
		area.id++;
	area.has_prio = s->op->flags & MM_OP_HAS_ARG;
	area.prio = (int)s->op->arg;
	return sys_swapon(&s->m->vm, &area);
}

/* Threads of floor 7, and the flusher of floor 6. */
static s64 op_step(struct step *s)
{
	u64 n = s->op->flags & MM_OP_HAS_LEN ? s->op->len : 1;
	const char *thread = string(s, x0(s));

	if (strcmp(thread, "flusher"))
		return reclaim_step(&s->m->reclaim, thread, n);
	while (n-- && flusher_step(&s->m->vm))
		;
	return 0;
}

static void apply_control(struct step *s)
{
	switch (s->op->code) {
	case OP_LOST:
		break;
	case OP_MARK:
		op_mark(s);
		break;
	case OP_CHECK:
		op_check(s);
		break;
	case OP_SYSCTL:
		answer(s, machine_sysctl(s->m, string(s, x0(s)), string(s, x1(s))));
		break;
	case OP_LISTS:
		answer(s, machine_take_lists(s->m, string(s, x0(s)), string(s, x1(s)), s->op->addr));
		break;
	case OP_PAGEBLOCK:
		answer(s, op_pageblock(s));
		break;
	case OP_SWAPON:
		answer(s, op_swapon(s));
		break;
	case OP_SWAPOFF:
		answer(s, sys_swapoff(&s->m->vm, swap_area_last(&s->m->vm.swap)));
		break;
	case OP_TICK:
		clock_advance_to(&s->m->hw, s->m->hw.now + s->op->len * CLOCK_JIFFY);
		answer(s, 0);
		break;
	case OP_STEP:
		answer(s, op_step(s));
		break;
	case OP_KSM:
		ksm_full_scans(s->m->reclaim.ksm, s->op->len);
		answer(s, 0);
		break;
	case OP_COMPACT:
		reclaim_compact(&s->m->reclaim);
		answer(s, 0);
		break;
	case OP_DRAIN:
		vm_lru_drain_all(&s->m->vm);
		drain_all_pages(&s->m->phys);
		answer(s, 0);
		break;
	default:
		skip(s);
	}
}

/* ---- dispatch ---- */

/* Groups once more as a constant table: op_group() checks what validated traces cannot get wrong. */
static const u8 group_of[NR_OP_CODES] = {
#define OP(code, SYM, name, group, keys, text) [code] = OPG_##group,
#include "core/op.def"
#undef OP
};

/* Everything but the one-page fault. Tasks must be defined; index 0 is the kernel. */
static void apply_one(struct step *s)
{
	struct machine *m = s->m;
	const struct mm_op *op = s->op;
	enum mm_op_group group = (enum mm_op_group)group_of[op->code & (NR_OP_CODES - 1)];
	s64 file_answer;

	if (op->code == OP_TASK) {
		op_task(s);
		return;
	}
	if (group == OPG_CONTROL) {
		apply_control(s);
		return;
	}
	if (group == OPG_KERNEL) {
		if (!apply_kernel_op(m->kernel_ops, op, s->ext, s->strings, s->res))
			skip(s);
		else if (s->res->res == RES_EXT && s->res->value < 0 && s->res->value > -134) /* an errno */
			m->errors[op->code]++;
		return;
	}
	s->rc.m = m;
	s->rc.task = op->task && op->task < m->nr_procs ? vm_task(&m->vm, op->task) : NULL;
	s->rc.leader = s->rc.task ? &m->procs[m->procs[op->task].leader] : NULL;
	if (s->rc.task && s->rc.task->killed && !s->rc.task->mm && op->code != OP_SPAWN && op->code != OP_EXEC) {
		skip(s); /* the OOM killer ended it: what the recorded one did later is not done */
		return;
	}
	if (apply_file(&s->rc, op, s->ext, s->strings, &file_answer)) {
		answer(s, file_answer);
		return;
	}
	if (!s->rc.task) {
		skip(s);
		return;
	}
	if (apply_task(s))
		return;
	if (group == OPG_MAPPING)
		apply_mapping(s);
	else if (group == OPG_ACCESS)
		apply_access(s);
	else if (op->code == OP_FILL)
		op_fill(s);
	else if (op->code == OP_DIRTYCOW)
		answer(s, op_dirtycow(s));
	else if (group != OPG_HEAP || !apply_heap(&s->rc, op, s->ext))
		skip(s);
}

/* One access of one page. False: let apply_one() find out what is wrong. */
MM_INLINE bool apply_fault(struct machine *m, const struct mm_op *op, unsigned access, struct mm_result *res)
{
	struct task *t;

	if (MM_UNLIKELY(op->task >= m->nr_procs))
		return false;
	t = vm_task(&m->vm, op->task);
	if (MM_UNLIKELY(!t))
		return false;
	res->res = (u8)mm_access(&m->vm, t, reloc_addr(&m->procs[m->procs[op->task].leader], op->addr), access);
	return true;
}

/* The frequent operations, past everything that only rarer ones need. */
MM_INLINE bool apply_fast(struct machine *m, const struct mm_op *op, struct mm_result *res)
{
	u64 page = (1ull << m->hw.page_shift) - 1;

	switch (op->code) {
	case OP_FAULT:
		return apply_fault(m, op, op->flags & MM_OP_LOW, res);
	case OP_READ:
	case OP_WRITE:
		if (op->flags & MM_OP_HAS_ARG || (op->flags & MM_OP_HAS_LEN && (op->addr & page) + op->len > page + 1))
			return false;
		return apply_fault(m, op, op->code == OP_WRITE ? MM_ACCESS_WRITE : MM_ACCESS_READ, res);
	default:
		return false;
	}
}

MM_INLINE bool is_heap(const struct mm_op *op)
{
	return op->code >= OP_MALLOC && op->code <= OP_FREE;
}

/* A scheduling point: kernel threads run as far as time allows, tasks that were killed exit. */
static __attribute__((noinline)) void machine_run_due(struct machine *m, u64 now)
{
	clock_run(&m->hw, now);
	reclaim_sched_point(&m->reclaim);
}

MM_INLINE void begin_op(struct machine *m, const struct mm_op *op)
{
	u64 now = op->ts > m->hw.now ? op->ts : m->hw.now;

	m->hw.cpu = op->cpu < m->hw.ncpu ? op->cpu : op->cpu % m->hw.ncpu;
	m->hw.task = op->task;
	if (MM_UNLIKELY(now >= m->hw.daemon_due))
		machine_run_due(m, now);
	else
		m->hw.now = now;
	m->applied++;
}

/*
 * malloc events come in long runs of one task, and each costs less than finding out whose heap it
 * is on: that is done once a run. Records consumed; 0: apply_one() has to find out what is wrong.
 */
static size_t apply_heap_run(struct machine *m, const struct mm_op *ops, size_t n,
			     struct mm_result *results)
{
	struct reloc_ctx c = {.m = m};
	u32 task = ops->task;
	size_t i;

	if (task >= m->nr_procs)
		return 0;
	c.leader = &m->procs[m->procs[task].leader];
	c.task = vm_task(&m->vm, task);
	if (!c.task || !c.leader->heap)
		return 0;
	apply_heap_bind(&c);
	for (i = 0; i < n && (ops[i].code == OP_EXT || (is_heap(&ops[i]) && ops[i].task == task)); i++) {
		if (ops[i].code == OP_EXT)
			continue;
		begin_op(m, &ops[i]);
		heap_apply(c.leader->heap, &ops[i], mm_op_ext(&ops[i]));
		if (results)
			results[i].res = RES_UNKNOWN;
	}
	return i;
}

/* A read of a file that copies nothing to user memory. */
MM_INLINE bool is_plain_read(const struct mm_op *op)
{
	return op->code == OP_FREAD && !(op->flags & MM_OP_HAS_EXT);
}

/*
 * References to a file come in long runs, too, and where the next ones will look is known: first the
 * leaf's place in the tree's directory is asked for, then the entry in the leaf, then, by what it says,
 * the page. A miss of the host's caches takes as long as some ten reads of cached pages.
 */
#define LEAF_AHEAD  36u
#define ENTRY_AHEAD 24u
#define PAGE_AHEAD  12u

/* Records consumed; 0: apply_one() has to do it. Only a named file is sure to live through the run. */
static size_t apply_read_run(struct machine *m, const struct mm_op *ops, size_t n,
			     struct mm_result *results)
{
	const struct task *t = ops->task && ops->task < m->nr_procs ? vm_task(&m->vm, ops->task) : NULL;
	struct vm_file *f = filemap_peek(&m->vm.files, ops->arg);
	unsigned shift = m->hw.page_shift;
	size_t i, nr;

	if (!f || !f->named || (t && t->killed))
		return 0;
	for (nr = 0; nr < n && is_plain_read(&ops[nr]) && ops[nr].task == ops->task && ops[nr].arg == ops->arg;)
		nr++;
	for (i = 0; i < nr && !(t && t->killed); i++) {
		s64 r;

		if (nr - i > LEAF_AHEAD)
			xa_prefetch_leaf(&f->mapping.pages, ops[i + LEAF_AHEAD].addr >> shift);
		if (nr - i > ENTRY_AHEAD)
			mapping_prefetch_entry(&f->mapping, ops[i + ENTRY_AHEAD].addr >> shift);
		if (nr - i > PAGE_AHEAD)
			mapping_prefetch_page(&m->phys, &f->mapping, ops[i + PAGE_AHEAD].addr >> shift);
		begin_op(m, &ops[i]);
		r = vm_fread(&m->vm, f, ops[i].addr, ops[i].len);
		m->errors[OP_FREAD] += r < 0;
		if (results)
			results[i] = (struct mm_result){.res = RES_EXT, .value = r};
	}
	return i;
}

void machine_apply(struct machine *m, const struct mm_op *ops, size_t n,
		   const struct op_strings *strings, struct mm_result *results)
{
	struct mm_result scratch = {0};
	size_t run;

	if (MM_UNLIKELY(m->history != NULL))
		strings = history_batch(m->history, ops, n, strings);
	for (size_t i = 0; i < n; i++) {
		const struct mm_op *op = &ops[i];
		struct mm_result *res = results ? &results[i] : &scratch;

		if (op->code == OP_EXT)
			continue;
		run = 0;
		if (is_heap(op))
			run = apply_heap_run(m, op, n - i, results ? res : NULL);
		else if (is_plain_read(op))
			run = apply_read_run(m, op, n - i, results ? res : NULL);
		if (run) {
			i += run - 1;
			continue;
		}
		begin_op(m, op);
		if (MM_LIKELY(apply_fast(m, op, res)))
			continue;
		memset(res, 0, sizeof(*res));
		apply_one(&(struct step){.m = m, .op = op, .ext = mm_op_ext(op),
					 .strings = strings, .res = res});
	}
}
