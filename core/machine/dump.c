/* SPDX-License-Identifier: BSD-2-Clause */
/* Views and the numbers of a result: everything that is read out of a machine but the counters. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/hw/events.h"
#include "core/machine/graph.h"
#include "core/machine/machine_types.h"
#include "core/vm/kernel_access.h"
#include "core/vm/vm.h"

static const char *const views[] = {
	"buddyinfo", "zoneinfo", "pagetypeinfo", "slabinfo", "vmallocinfo", "meminfo", "vmstat",
	"graph", "maps", "smaps", "swaps", "layout", "memblock", "pgtables", "pagemap",
	"config", "events", "lru_gen",
};

const char *machine_view_name(unsigned i)
{
	return i < ARRAY_SIZE(views) ? views[i] : NULL;
}

static void show_vmstat(struct machine *m, FILE *out)
{
	struct vmstat_line lines[VMSTAT_MAX_LINES];
	struct vmstat_snapshot s;
	unsigned n;

	machine_vmstat(m, &s);
	n = machine_vmstat_lines(m, &s, lines);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s %" PRId64 "\n", lines[i].name, lines[i].value);
}

static void show_config(struct machine *m, FILE *out)
{
	char value[CONFIG_STR_MAX], def[CONFIG_STR_MAX];

	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		config_key_print(&m->config, k, value, sizeof(value));
		config_key_default(k, def, sizeof(def));
		fprintf(out, "%-26s = %-12s # %s%s%s; default %s\n", config_key_name(k), value,
			config_key_help(k), config_key_values(k)[0] ? ": " : "",
			config_key_values(k), def[0] ? def : "empty");
	}
}

int machine_show(struct machine *m, const char *view, FILE *out)
{
	int r;

	if (!strcmp(view, "vmstat")) {
		show_vmstat(m, out);
		return 0;
	}
	if (!strcmp(view, "config")) {
		show_config(m, out);
		return 0;
	}
	swap_publish(&m->vm.swap);
	if (!strcmp(view, "events")) {
		events_print(&m->hw, out);
		return 0;
	}
	if (!strcmp(view, "graph")) {
		graph_print_dot(m, 6, out);
		return 0;
	}
	r = phys_show(&m->phys, view, out);
	if (r == -ENOENT)
		r = kmem_show(&m->kmem, view, out);
	if (r == -ENOENT)
		r = apply_kernel_show(m->kernel_ops, view, out);
	if (r == -ENOENT)
		r = vm_show(&m->vm, view, out);
	if (r == -ENOENT)
		r = reclaim_show(&m->reclaim, view, out);
	return r;
}

const char *machine_stall_name(unsigned kind)
{
	static const char *const names[NR_STALLS] = {"major_fault", "direct_reclaim", "limit_reclaim",
						     "direct_compaction", "throttle", "file_read", "file_write"};

	return kind < NR_STALLS ? names[kind] : "?";
}

void machine_pressure(const struct machine *m, struct machine_pressure *out)
{
	const struct psi *psi = &m->vm.psi;

	*out = (struct machine_pressure){.total = psi->total, .width = psi->width, .nr = psi->nr};
}

const struct machine_stall_window *machine_pressure_window(const struct machine *m, u32 i)
{
	return i < m->vm.psi.nr ? &m->vm.psi.windows[i] : NULL;
}

int machine_mmu(const struct machine *m, u32 pid, int *geom, struct pt_mem *mem, struct pt_mmu *mmu)
{
	const struct mm_struct *mm = vm_mm_of_pid(&m->vm, pid);

	if (pid && !mm)
		return -ENOENT;
	*geom = (int)m->vm.geom;
	*mem = m->vm.mem;
	*mmu = vm_mmu(&m->vm, mm);
	return 0;
}

int machine_pagemap(struct machine *m, u32 pid, vaddr_t addr, u64 n, u64 *entries)
{
	const struct mm_struct *mm = vm_mm_of_pid(&m->vm, pid);

	return mm ? vm_pagemap(&m->vm, mm, addr, n, entries) : -ESRCH;
}

size_t machine_nr_tasks(const struct machine *m)
{
	return vm_nr_processes(&m->vm);
}

void machine_task(const struct machine *m, size_t i, struct machine_task *out)
{
	vm_process_stat(&m->vm, i, out);
}

int machine_task_vma(const struct machine *m, size_t i, size_t vma, struct machine_vma *out)
{
	return vm_process_vma(&m->vm, i, vma, out);
}

void machine_totals(const struct machine *m, struct machine_totals *out)
{
	struct machine_task t;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < machine_nr_tasks(m); i++) {
		machine_task(m, i, &t);
		out->rss_anon += t.rss_anon;
		out->rss_file += t.rss_file;
		out->rss_shmem += t.rss_shmem;
		out->pgtable_bytes += t.pgtable_bytes;
		out->vmas += t.nr_vmas;
		out->tasks += t.nr_vmas > 0;
	}
	for (u32 i = 0; i < m->nr_procs; i++) {
		struct heap_stats h;

		if (!m->procs[i].heap)
			continue;
		heap_model_stats(m->procs[i].heap, &h);
		out->heap_used += h.in_use;
		out->heap_size += h.heap_bytes + h.mmapped_bytes;
	}
	out->relocated_tasks = m->relocated_tasks;
}

size_t machine_nr_zones(const struct machine *m)
{
	return m->phys.nr_zones;
}

void machine_zone(const struct machine *m, size_t i, struct machine_zone *out)
{
	const struct zone *z = &m->phys.zones[i];

	memset(out, 0, sizeof(*out));
	out->node = z->node;
	out->name = z->name;
	out->start_pfn = z->zone_start_pfn;
	out->spanned = z->spanned_pages;
	out->present = z->present_pages;
	out->managed = z->managed_pages;
	out->min = z->watermark[WMARK_MIN];
	out->low = z->watermark[WMARK_LOW];
	out->high = z->watermark[WMARK_HIGH];
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++)
		if (m->phys.zone_mask & BIT(t))
			out->protection[out->nr_zones++] = z->lowmem_reserve[t];
	out->nr_orders = m->phys.max_order;
	for (unsigned o = 0; o < m->phys.max_order; o++)
		out->free[o] = z->free_area[o].nr_free;
}
