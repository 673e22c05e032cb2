/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creates and destroys a machine: each floor's init once, in floor order; its destroy once, in
 * reverse. After boot no host memory is allocated but for tables indexed by task.
 */
#include "core/machine/machine_types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/hw/lockdep.h"
#include "core/machine/apply_file.h"
#include "core/phys/vmstat_layout.h"
#include "core/reclaim/ksm.h"
#include "core/vm/vm.h"
#include "core/vm/writeback.h"

struct machine_proc *machine_proc(struct machine *m, u32 task)
{
	struct machine_proc *grown;
	u32 cap = m->nr_procs ? m->nr_procs : 64;

	if (task < m->nr_procs)
		return &m->procs[task];
	if (task >= MM_MAX_TASKS)
		return NULL;
	while (cap <= task)
		cap *= 2;
	grown = realloc(m->procs, cap * sizeof(*grown));
	if (!grown)
		return NULL;
	memset(grown + m->nr_procs, 0, (cap - m->nr_procs) * sizeof(*grown));
	m->procs = grown;
	m->nr_procs = cap;
	return &m->procs[task];
}

static int boot(struct machine *m, char *err, size_t errlen)
{
	const struct machine_config *c = &m->config;
	struct phys_layout layout;
	struct hw_params hw;
	int r = phys_plan(c, &layout, err, errlen);

	if (r)
		return r;
	hw = (struct hw_params){
		.base = layout.base, .bytes = layout.bytes, .page_shift = config_page_shift(c),
		.ncpu = (unsigned)c->ncpu, .data_bytes = c->data == DATA_BYTES, .seed = c->seed,
	};
	r = hw_init(&m->hw, &hw);
	if (!r)
		r = events_init(&m->hw, c->events);
	if (!r)
		r = lockdep_init(&m->hw, c->lockdep);
	if (r) {
		snprintf(err, errlen, "mem=%s: the host has no address space for it", c->mem);
		return r;
	}
	r = phys_init(&m->phys, &m->hw, c, err, errlen);
	if (r)
		return r;
	m->booted = 1;
	r = kmem_init(&m->kmem, &m->phys, c);
	if (!r) {
		m->booted = 2;
		r = vm_init(&m->vm, &m->kmem, c);
	}
	if (!r) {
		m->booted = 3;
		r = reclaim_init(&m->reclaim, &m->vm, c);
	}
	if (!r)
		m->booted = 4;
	if (!r && !(m->kernel_ops = apply_kernel_create(&m->phys, &m->kmem, &m->vm)))
		r = -ENOMEM;
	if (!r && !machine_proc(m, 0))
		r = -ENOMEM;
	if (r)
		snprintf(err, errlen, "mem=%s: too little memory to boot", c->mem);
	return r;
}

struct machine *machine_create(const struct machine_config *c, char *err, size_t errlen)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	m->config = *c;
	if (boot(m, err, errlen)) {
		machine_destroy(m);
		return NULL;
	}
	return m;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	for (u32 i = 0; i < m->nr_procs; i++) {
		heap_model_destroy(m->procs[i].heap);
		place_destroy(m->procs[i].place);
	}
	heap_pool_drain(&m->heap_pool);
	free(m->procs);
	for (u32 i = 0; i < m->nr_marks; i++)
		machine_mark_free(&m->marks[i]);
	free(m->marks);
	for (u32 i = 0; i < m->nr_lists; i++)
		free(m->lists[i]);
	free(m->lists);
	apply_kernel_destroy(m->kernel_ops);
	history_destroy(m->history);
	if (m->booted >= 4)
		reclaim_destroy(&m->reclaim);
	if (m->booted >= 3)
		vm_destroy(&m->vm);
	if (m->booted >= 2)
		kmem_destroy(&m->kmem);
	if (m->booted >= 1)
		phys_destroy(&m->phys);
	events_destroy(&m->hw);
	lockdep_destroy(&m->hw);
	if (m->hw.arena)
		hw_destroy(&m->hw);
	free(m);
}

void machine_advance(struct machine *m, u64 ns)
{
	if (MM_UNLIKELY(m->history != NULL))
		history_advance(m->history, ns);
	clock_advance_to(&m->hw, ns);
}

u64 machine_now(const struct machine *m)
{
	return m->hw.now;
}

u64 machine_skipped(const struct machine *m, unsigned op_code)
{
	return op_code < NR_OP_CODES ? m->skipped[op_code] : 0;
}

u64 machine_errors(const struct machine *m, unsigned op_code)
{
	return op_code < NR_OP_CODES ? m->errors[op_code] : 0;
}

const struct machine_config *machine_config_of(const struct machine *m)
{
	return &m->config;
}

const struct machine_mark *machine_mark(const struct machine *m, size_t i)
{
	return i < m->nr_marks ? &m->marks[i] : NULL;
}

const char *machine_list_json(const struct machine *m, size_t i)
{
	return i < m->nr_lists ? m->lists[i] : NULL;
}

const char *machine_check_failure(const struct machine *m)
{
	return m->check_failure;
}

void machine_vmstat(const struct machine *m, struct vmstat_snapshot *out)
{
	u64 background, dirty;

	memset(out, 0, sizeof(*out));
	out->ts = m->hw.now;
	phys_vmstat(&m->phys, out);
	global_dirty_limits(&m->vm, &background, &dirty);
	out->v[VMSTAT_WB(WB_DIRTY_THRESHOLD)] = (s64)dirty;
	out->v[VMSTAT_WB(WB_DIRTY_BACKGROUND_THRESHOLD)] = (s64)background;
}

unsigned machine_vmstat_lines(const struct machine *m, const struct vmstat_snapshot *s, struct vmstat_line *out)
{
	return phys_vmstat_lines(&m->phys, s, out);
}

int machine_vmstat_get(const struct machine *m, const char *name, s64 *value)
{
	struct vmstat_line lines[VMSTAT_MAX_LINES];
	struct vmstat_snapshot s;
	unsigned n;

	machine_vmstat(m, &s);
	n = machine_vmstat_lines(m, &s, lines);
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(lines[i].name, name)) {
			*value = lines[i].value;
			return 0;
		}
	return -ENOENT;
}

void machine_ksm(const struct machine *m, struct machine_ksm *out)
{
	struct ksm_stats s;

	ksm_stats(m->reclaim.ksm, &s);
	*out = (struct machine_ksm){
		.pages_shared = s.pages_shared, .pages_sharing = s.pages_sharing, .pages_unshared = s.pages_unshared,
		.pages_volatile = s.pages_volatile, .full_scans = s.full_scans, .pages_scanned = s.pages_scanned,
		.pages_skipped = s.pages_skipped, .ksm_zero_pages = s.ksm_zero_pages,
		.stable_node_chains = s.stable_node_chains, .stable_node_dups = s.stable_node_dups,
	};
}

/* Each floor knows its own sysctls; the first that does not say "not mine" decides. */
int machine_sysctl(struct machine *m, const char *name, const char *value)
{
	int r;

	if (!strcmp(name, "drop_caches"))
		return apply_drop_caches(m, strtoull(value, NULL, 0));
	r = phys_sysctl(&m->phys, name, value);

	if (r == -ENOENT)
		r = vm_sysctl(&m->vm, name, value);
	if (r == -ENOENT)
		r = reclaim_sysctl(&m->reclaim, name, value);
	return r;
}
