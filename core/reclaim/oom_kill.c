/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The OOM killer and the reaper (spec 09 s10; 13 s3).
 *
 *   out_of_memory -> select -> child sacrifice -> TIF_MEMDIE, SIGKILL -> the victim exits at its
 * next scheduling point: where others wait, or before its next operation oom=reaper:   -> the
 * victim's mm is queued; the reaper takes its private memory even if it sleeps
 *
 * In this model a signal is task->killed. A panic is counted and the allocation fails.
 * Linux: mm/oom_kill.c; left out: cpusets, policies and cgroups as constraints, notifiers.
 */
#include "core/base/bits.h"
#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/vmscan.h"
#include "core/vm/fault.h"
#include "core/vm/vm.h"

#define ADJ_MIN	    (-1000)
#define REAP_TRIES  10u
#define REAP_PERIOD (CLOCK_JIFFY * CLOCK_HZ / 10)

u64 oom_total_pages(const struct vmscan *vs)
{
	return vs->phys->totalram_pages + vs->swap->total_swap_pages;
}

/* pid 1 of a machine in which it has descendants: in a trace of one program 1 is just its number.
 */
static bool is_init(const struct vmscan *vs, const struct task *t)
{
	if (t->pid != 1)
		return false;
	for (u32 i = 1; i < vs->vm->nr_tasks; i++)
		if (vs->vm->tasks[i] && vs->vm->tasks[i]->parent == t->index)
			return true;
	return false;
}

static bool reaps(const struct vmscan *vs)
{
	return vs->config->oom == OOM_RULE_REAPER;
}

u64 oom_badness(const struct vmscan *vs, const struct task *t, u64 totalpages)
{
	const struct mm_struct *mm = t->mm;
	s64 points;

	if (!mm || is_init(vs, t) || t->oom_score_adj == ADJ_MIN || (reaps(vs) && mm->oom_skip))
		return 0;
	points = (s64)(mm->nr_ptes + mm->nr_pmds);
	for (unsigned i = 0; i < NR_MM_COUNTERS; i++)
		points += mm->rss[i];
	if (t->root)
		points -= points * 3 / 100;
	points += t->oom_score_adj * (s64)(totalpages / 1000);
	return points > 0 ? (u64)points : 1;
}

static struct task *task_at(const struct vmscan *vs, u32 i)
{
	return i < vs->vm->nr_tasks ? vs->vm->tasks[i] : NULL;
}

static bool leads_group(const struct task *t)
{
	return t->lived;
}

/* Somebody is on the way out already: its memory will be there soon. */
static bool dying(const struct vmscan *vs, const struct task *t)
{
	if (!t->tif_memdie || !t->mm)
		return false;
	return !(reaps(vs) && t->mm->oom_skip);
}

struct task *oom_select(struct vmscan *vs, u64 totalpages, u64 *points, bool *abort)
{
	struct task *chosen = NULL;

	*abort = false;
	*points = 0;
	for (u32 i = 1; i < vs->vm->nr_tasks; i++) {
		struct task *t = task_at(vs, i);
		u64 p;

		if (!t || !t->mm)
			continue;
		if (dying(vs, t)) {
			*abort = true;
			return NULL;
		}
		p = oom_badness(vs, t, totalpages);
		if (!p || p < *points)
			continue;
		if (p == *points && chosen && leads_group(chosen))
			continue;
		chosen = t;
		*points = p;
	}
	return chosen;
}

/* A child with memory of its own and the most points goes in its parent's stead. */
static struct task *sacrifice(struct vmscan *vs, struct task *p, u64 totalpages)
{
	struct task *victim = p;
	u64 most = 0;

	for (u32 i = 1; i < vs->vm->nr_tasks; i++) {
		struct task *c = task_at(vs, i), *parent = c ? task_at(vs, c->parent) : NULL;
		u64 points;

		if (!c || !c->mm || !parent || parent->pid != p->pid || c->mm == p->mm)
			continue;
		points = oom_badness(vs, c, totalpages);
		if (points > most) {
			victim = c;
			most = points;
		}
	}
	return victim;
}

static void log_kill(struct vmscan *vs, const struct task *t, u64 points, u64 totalpages)
{
	const struct mm_struct *mm = t->mm;
	unsigned kib = vs->phys->page_shift - 10;

	trace_event(vs->hw, EVENT_OOM_KILL, t->index, (s64)points, (s64)totalpages);
	if (vs->phys->log)
		fprintf(vs->phys->log,
			"Killed process %u total-vm:%llukB, anon-rss:%lldkB, file-rss:%lldkB, "
			"score %llu\n",
			t->pid, (unsigned long long)mm->total_vm << kib,
			(long long)mm->rss[MM_ANONPAGES] << kib,
			(long long)(mm->rss[MM_FILEPAGES] + mm->rss[MM_SHMEMPAGES]) << kib,
			(unsigned long long)(points * 1000 / totalpages));
}

static void queue_reaper(struct vmscan *vs, struct task *victim)
{
	if (!reaps(vs) || vs->nr_reaping == OOM_REAP_MAX)
		return;
	vs->reaping[vs->nr_reaping] = victim;
	vs->reap_attempts[vs->nr_reaping++] = 0;
	if (vs->reaper >= 0)
		clock_wake(vs->hw, vs->reaper);
}

static void signal_kill(struct vmscan *vs, struct task *t)
{
	t->killed = true;
	vs->exits_pending = true;
	vs->hw->daemon_due = 0; /* the next operation looks */
}

static void kill_task(struct vmscan *vs, struct task *victim, u64 points, u64 totalpages)
{
	struct mm_struct *mm = victim->mm;

	log_kill(vs, victim, points, totalpages);
	count_vm_event(vs->hw, vs->hw->cpu, EV_OOM_KILL);
	victim->tif_memdie = true;
	if (victim->index == vs->hw->task)
		vs->phys->cpus[vs->hw->cpu].tif_memdie = true;
	for (u32 i = 1; i < vs->vm->nr_tasks; i++) {
		struct task *t = task_at(vs, i);

		if (t && t->mm == mm && t != victim &&
		    (t->pid == victim->pid || t->oom_score_adj != ADJ_MIN))
			signal_kill(vs, t);
	}
	signal_kill(vs, victim);
	queue_reaper(vs, victim);
}

void oom_reap_exits(struct vmscan *vs, u32 current)
{
	bool left = false;

	if (!vs->exits_pending)
		return;
	for (u32 i = 1; i < vs->vm->nr_tasks; i++) {
		struct task *t = task_at(vs, i);

		if (!t || !t->killed || !t->mm)
			continue;
		if (t->stuck || t->index == current) {
			left = true;
			continue;
		}
		vm_exit(vs->vm, t);
	}
	vs->exits_pending = left;
	vs->phys->cpus[vs->hw->cpu].tif_memdie = false;
}

/* Sleeping a tick lets others run: the victims first. */
static void sleep_a_tick(struct vmscan *vs)
{
	oom_reap_exits(vs, vs->hw->task);
	if (reaps(vs) && vs->config->threads == THREADS_INLINE)
		oom_reaper_step(vs);
	reclaim_sleep(vs, CLOCK_JIFFY);
}

/* Selects and kills. False: nobody is left, and nobody dying. */
static bool kill_somebody(struct vmscan *vs, u64 totalpages)
{
	bool abort;
	u64 points;
	struct task *p = oom_select(vs, totalpages, &points, &abort);

	if (p)
		kill_task(vs, sacrifice(vs, p, totalpages), points, totalpages);
	if (!p && !abort)
		count_vm_event(vs->hw, vs->hw->cpu, EV_OOM_PANIC);
	return p || abort;
}

void oom_kill_thrashing(struct vmscan *vs)
{
	kill_somebody(vs, oom_total_pages(vs));
}

bool out_of_memory(struct vmscan *vs, gfp_t gfp, unsigned order)
{
	struct task *current = task_at(vs, vs->hw->task);
	u64 totalpages = oom_total_pages(vs);

	might_sleep(vs->hw);
	(void)gfp;
	(void)order;
	if (current && current->mm && current->killed) {
		vs->phys->cpus[vs->hw->cpu].tif_memdie = current->tif_memdie =
			true; /* it needs memory to exit: the reserves are open to it */
		return true;
	}
	if (vs->config->panic_on_oom) {
		count_vm_event(vs->hw, vs->hw->cpu, EV_OOM_PANIC);
		return false;
	}
	if (vs->config->oom_kill_allocating_task && current && current->mm &&
	    oom_badness(vs, current, totalpages)) {
		kill_task(vs, current, oom_badness(vs, current, totalpages), totalpages);
		return true;
	}
	if (!kill_somebody(vs, totalpages))
		return false;
	sleep_a_tick(vs);
	return true;
}

/* ---- the reaper ---- */

/* Private memory goes; what is shared with others or locked stays. False: the VMAs are being
 * changed. */
static bool reap(struct vmscan *vs, struct mm_struct *mm)
{
	if (mm->mmap_sem < 0)
		return false;
	for_each_vma (mm, v)
		if (!(v->vm_flags & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP)) &&
		    (!v->vm_file || !(v->vm_flags & VM_SHARED)))
			zap_range(vs->vm, mm, v->vm_start, v->vm_end);
	count_vm_event(vs->hw, vs->hw->cpu, EV_OOM_REAPED);
	return true;
}

bool oom_reaper_step(struct vmscan *vs)
{
	u32 kept = 0;

	might_sleep(vs->hw);
	for (u32 i = 0; i < vs->nr_reaping; i++) {
		struct task *t = vs->reaping[i];

		if (!t->mm || t->mm->oom_skip)
			continue;
		if (!reap(vs, t->mm) && ++vs->reap_attempts[i] < REAP_TRIES) {
			vs->reaping[kept] = t;
			vs->reap_attempts[kept++] = vs->reap_attempts[i];
			continue;
		}
		t->mm->oom_skip = true; /* also if it could not be reaped: look for another */
	}
	vs->nr_reaping = kept;
	return kept > 0;
}

u64 oom_reaper_daemon(void *self, u64 budget)
{
	struct vmscan *vs = self;
	u64 now = vs->hw->now, used;
	u32 task = vs->hw->task;

	(void)budget;
	vs->hw->task = 0;
	if (oom_reaper_step(vs))
		clock_sleep_until(vs->hw, vs->reaper, now + REAP_PERIOD);
	used = vs->hw->now - now;
	vs->hw->now = now;
	vs->hw->task = task;
	return used;
}
