/* SPDX-License-Identifier: BSD-2-Clause */
/* A12.4: the lines of /proc/vmstat, in order, for each kernel and configuration; and that they add up. */
#include <errno.h>

#include "core/base/limits.h"
#include "core/vm/writeback.h"
#include "tests/machine_boot.h"
#include "workloads/workload.h"

/* The lists of spec 12 s4, written down here a second time. NAME_* has a suffix a zone, ?NAME needs NUMA. */
static const char *const lines_40[] = {
	"nr_free_pages", "nr_alloc_batch", "nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file",
	"nr_unevictable", "nr_mlock", "nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty", "nr_writeback",
	"nr_slab_reclaimable", "nr_slab_unreclaimable", "nr_page_table_pages", "nr_kernel_stack", "nr_unstable",
	"nr_bounce", "nr_vmscan_write", "nr_vmscan_immediate_reclaim", "nr_writeback_temp", "nr_isolated_anon",
	"nr_isolated_file", "nr_shmem", "nr_dirtied", "nr_written", "nr_pages_scanned", "?numa_hit", "?numa_miss",
	"?numa_foreign", "?numa_interleave", "?numa_local", "?numa_other", "workingset_refault", "workingset_activate",
	"workingset_nodereclaim", "nr_anon_transparent_hugepages", "nr_free_cma", "nr_dirty_threshold",
	"nr_dirty_background_threshold", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgalloc_*", "pgfree", "pgactivate",
	"pgdeactivate", "pgfault", "pgmajfault", "pgrefill_*", "pgsteal_kswapd_*", "pgsteal_direct_*",
	"pgscan_kswapd_*", "pgscan_direct_*", "pgscan_direct_throttle", "?zone_reclaim_failed", "pginodesteal",
	"slabs_scanned", "kswapd_inodesteal", "kswapd_low_wmark_hit_quickly", "kswapd_high_wmark_hit_quickly",
	"pageoutrun", "allocstall", "pgrotated", "drop_pagecache", "drop_slab", "pgmigrate_success", "pgmigrate_fail",
	"compact_migrate_scanned", "compact_free_scanned", "compact_isolated", "compact_stall", "compact_fail",
	"compact_success", "unevictable_pgs_culled", "unevictable_pgs_scanned", "unevictable_pgs_rescued",
	"unevictable_pgs_mlocked", "unevictable_pgs_munlocked", "unevictable_pgs_cleared", "unevictable_pgs_stranded",
	NULL,
};

static const char *const lines_412[] = {
	"nr_free_pages", "nr_zone_inactive_anon", "nr_zone_active_anon", "nr_zone_inactive_file", "nr_zone_active_file",
	"nr_zone_unevictable", "nr_zone_write_pending", "nr_mlock", "nr_slab_reclaimable", "nr_slab_unreclaimable",
	"nr_page_table_pages", "nr_kernel_stack", "nr_bounce", "?numa_hit", "?numa_miss", "?numa_foreign",
	"?numa_interleave", "?numa_local", "?numa_other", "nr_free_cma",
	/* nodes */
	"nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file", "nr_unevictable",
	"nr_isolated_anon", "nr_isolated_file", "workingset_refault", "workingset_activate", "workingset_nodereclaim",
	"nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty", "nr_writeback", "nr_writeback_temp", "nr_shmem",
	"nr_anon_transparent_hugepages", "nr_unstable", "nr_vmscan_write", "nr_vmscan_immediate_reclaim", "nr_dirtied",
	"nr_written",
	/* limits and events */
	"nr_dirty_threshold", "nr_dirty_background_threshold", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgalloc_*",
	"allocstall_*", "pgskip_*", "pgfree", "pgactivate", "pgdeactivate", "pglazyfree", "pgfault", "pgmajfault",
	"pglazyfreed", "pgrefill", "pgsteal_kswapd", "pgsteal_direct", "pgscan_kswapd", "pgscan_direct",
	"pgscan_direct_throttle", "?zone_reclaim_failed", "pginodesteal", "slabs_scanned", "kswapd_inodesteal",
	"kswapd_low_wmark_hit_quickly", "kswapd_high_wmark_hit_quickly", "pageoutrun", "pgrotated", "drop_pagecache",
	"drop_slab", "pgmigrate_success", "pgmigrate_fail", "compact_migrate_scanned", "compact_free_scanned",
	"compact_isolated", "compact_stall", "compact_fail", "compact_success", "compact_daemon_wake",
	"compact_daemon_migrate_scanned", "compact_daemon_free_scanned", "unevictable_pgs_culled",
	"unevictable_pgs_scanned", "unevictable_pgs_rescued", "unevictable_pgs_mlocked", "unevictable_pgs_munlocked",
	"unevictable_pgs_cleared", "unevictable_pgs_stranded", NULL,
};

static const struct {
	const char *settings, *zones; /* suffixes, separated by blanks */
	bool numa;
	const char *const *lines;
} machines[] = {
	{"mem=48M", "dma normal movable", false, lines_40},
	{"mem=96M nodes=2 ncpu=2", "dma normal movable", true, lines_40},
	{"arch=arm32 machine=vexpress mem=48M", "normal high movable", false, lines_40},
	{"arch=arm32 machine=vexpress highmem=0 mem=48M", "normal movable", false, lines_40},
	{"arch=arm32 machine=x86pc mem=48M", "dma normal high movable", false, lines_40},
	{"mem=48M policy=4.12", "dma normal movable", false, lines_412},
	{"mem=96M nodes=2 policy=4.12", "dma normal movable", true, lines_412},
	{"arch=arm32 machine=vexpress mem=48M policy=4.12", "normal high movable", false, lines_412},
};

static char *view(struct machine *m, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(machine_show(m, name, f), 0);
	fclose(f);
	return text;
}

/* The wanted names as one text, a line each. */
static char *wanted(const char *const *lines, const char *zones, bool numa)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	for (; *lines; lines++) {
		const char *name = *lines, *star = strchr(name, '*');
		char copy[64], *save = NULL;

		if (*name == '?' && !numa)
			continue;
		name += *name == '?';
		snprintf(copy, sizeof(copy), "%s", zones);
		if (!star)
			fprintf(f, "%s\n", name);
		else
			for (char *z = strtok_r(copy, " ", &save); z; z = strtok_r(NULL, " ", &save))
				fprintf(f, "%.*s%s\n", (int)(star - name), name, z);
	}
	fclose(f);
	return text;
}

/* The view starts with the names of @want, in that order, and names nothing twice. */
static void assert_names(const char *settings, const char *text, const char *want)
{
	const char *at = text;

	for (const char *w = want; *w; w = strchr(w, '\n') + 1) {
		size_t n = (size_t)(strchr(w, '\n') - w);

		if (strncmp(at, w, n) || at[n] != ' ')
			fail_msg("%s: '%.*s' where '%.*s' belongs", settings, (int)strcspn(at, "\n"), at, (int)n, w);
		at = strchr(at, '\n') + 1;
	}
	for (at = text; *at; at = strchr(at, '\n') + 1) {
		char key[80];

		snprintf(key, sizeof(key), "\n%.*s", (int)strcspn(at, " ") + 1, at);
		if (strstr(at, key))
			fail_msg("%s: %s twice", settings, key + 1);
	}
}

/* The number behind @name in @text, summed over all its occurrences. */
static s64 sum_of(const char *text, const char *name, unsigned *found)
{
	s64 sum = 0;
	size_t n = strlen(name);

	*found = 0;
	for (const char *at = text; (at = strstr(at, name)); at += n)
		if ((at == text || at[-1] == '\n' || at[-1] == ' ') && at[n] == ' ') {
			sum += strtoll(at + n, NULL, 10);
			++*found;
		}
	return sum;
}

/* Every level of zoneinfo, over all zones or nodes, is vmstat's. */
static void assert_sums(const char *settings, const char *vmstat, const char *zoneinfo)
{
	unsigned levels = 0;

	for (const char *at = vmstat; *at; at = strchr(at, '\n') + 1) {
		char name[64];
		unsigned found, once;
		s64 sum;

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, " "), at);
		sum = sum_of(zoneinfo, name, &found);
		if (!found)
			break; /* the first that is no level */
		levels++;
		if (sum != sum_of(vmstat, name, &once) || once != 1)
			fail_msg("%s: %s is %lld over the zones", settings, name, (long long)sum);
	}
	assert_true(levels >= 33);
}

/* A program that needs more than there is, files, mlocked pages, and a few dirty ones at the end. */
static void work(struct machine *m)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	struct workload_options o = {.seed = 7};
	struct workload_run run;
	struct op_strings strings;
	char err[256];
	size_t n;

	workload_prepare(&run, workload_find("database"));
	assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
	strings = workload_strings(&run);
	for (size_t done = 0; done < 60000 && (n = workload_next(&run, ops, WORKLOAD_BURST)) > 0; done += n)
		machine_apply(m, ops, n, &strings, NULL);
	workload_stop(&run);
	machine_advance(m, machine_now(m) + 1000000000);
}

static s64 get(struct machine *m, const char *name)
{
	s64 v = -1;

	assert_int_equal(machine_vmstat_get(m, name, &v), 0);
	return v;
}

static void assert_limits(struct machine *m)
{
	u64 background, dirty;
	s64 dirtyable = 1;

	global_dirty_limits(&m->vm, &background, &dirty);
	assert_int_equal(get(m, "nr_dirty_threshold"), dirty);
	assert_int_equal(get(m, "nr_dirty_background_threshold"), background);
	for (unsigned i = 0; i < m->phys.nr_zones; i++) {
		const struct zone *z = &m->phys.zones[i];
		s64 pages = zone_page_state(z, NR_FREE_PAGES) + zone_page_state(z, NR_INACTIVE_FILE) +
			    zone_page_state(z, NR_ACTIVE_FILE) - (s64)z->dirty_balance_reserve;

		dirtyable += z->type != ZONE_HIGHMEM && pages > 0 ? pages : 0;
	}
	assert_int_equal(dirty, dirtyable * 20 / 100);
	assert_int_equal(background, dirtyable * 10 / 100);
}

static void test_A12_4(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		char settings[256], *vmstat, *zoneinfo, *want;
		struct machine *m;

		snprintf(settings, sizeof(settings), "swap=256M %s", machines[i].settings);
		m = boot_machine(settings);
		work(m);
		assert_true(get(m, "pgfault") > 0 && get(m, "nr_free_pages") > 0 && get(m, "pageoutrun") > 0);
		vmstat = view(m, "vmstat");
		zoneinfo = view(m, "zoneinfo");
		want = wanted(machines[i].lines, machines[i].zones, machines[i].numa);
		assert_names(settings, vmstat, want);
		assert_sums(settings, vmstat, zoneinfo);
		assert_limits(m);
		free(vmstat);
		free(zoneinfo);
		free(want);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

/* What 4.12 counts under one name is what 4.0 counts under several, and the other way round. */
static void test_lines_of_sums(void **state)
{
	static const char *const sums[] = {"pgrefill", "pgsteal_kswapd", "pgsteal_direct", "pgscan_kswapd",
					   "pgscan_direct"};
	struct machine *m = boot_machine("mem=48M swap=256M policy=4.12 threads=manual");
	struct vmstat_snapshot s;
	s64 v;

	(void)state;
	work(m);
	machine_vmstat(m, &s);
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		char name[64];
		int first;
		s64 sum = 0;

		snprintf(name, sizeof(name), "%s_dma", sums[i]);
		first = vmstat_by_name(name);
		assert_true(first > 0);
		for (int z = 0; z < MM_MAX_NR_ZONES; z++)
			sum += s.v[first + z];
		assert_int_equal(get(m, sums[i]), sum);
		assert_int_equal(machine_vmstat_get(m, name, &v), -ENOENT);
	}
	assert_true(get(m, "pgscan_direct") > 0);
	assert_true(get(m, "allocstall_dma") + get(m, "allocstall_normal") + get(m, "allocstall_movable") > 0);
	assert_int_equal(get(m, "allocstall_dma") + get(m, "allocstall_normal") + get(m, "allocstall_movable"),
			 s.v[VMSTAT_EVENT(EV_ALLOCSTALL)]);
	assert_int_equal(get(m, "nr_zone_write_pending"), s.v[NR_FILE_DIRTY] + s.v[NR_WRITEBACK]);
	assert_int_equal(machine_vmstat_get(m, "nr_alloc_batch", &v), -ENOENT);
	assert_int_equal(machine_vmstat_get(m, "numa_hit", &v), -ENOENT);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A12_4),
		cmocka_unit_test(test_lines_of_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
