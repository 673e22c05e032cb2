/* SPDX-License-Identifier: BSD-2-Clause */
/* A12.1 and A12.2: every reference of a busy system leads back, and every conversion has its inverse. */
#include "core/base/limits.h"
#include "core/machine/graph.h"
#include "core/machine/machine_types.h"
#include "core/vm/highmem.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vma.h"
#include "tests/machine_boot.h"
#include "workloads/workload.h"

/* ---- A12.1 ---- */

static const char *const fields[] = { /* the table of spec 12 s1; swap and KSM only under their own loads */
	"mm", "mmap", "pgd", "vm_next", "anon_vma_chain", "anon_vma", "root", "parent", "vm_file", "f_mapping",
	"page_tree", "pte", "mapping-1", "mapping", "flags", "node_zones", "zone_pgdat", "free_area", "pageset",
	"lruvec", "slabs", "vm", "pages",
};

struct seen {
	u64 edges, broken, by_field[ARRAY_SIZE(fields)];
};

static void count(void *arg, const struct graph_edge *e)
{
	struct seen *s = arg;

	s->edges++;
	s->broken += e->back == GRAPH_BACK_BROKEN;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		s->by_field[i] += !strcmp(fields[i], e->field);
}

/* Half of a workload, so that its tasks live; then a vmalloc area. */
static void load(struct machine *m, const char *name, const char *param, const char *value, size_t records)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	struct workload_options o = {.seed = 5};
	struct workload_run run;
	struct op_strings strings;
	struct mm_op vmalloc = {.code = OP_VMALLOC, .addr = 7, .len = 3 * 65536};
	char err[256];
	size_t done = 0, n;

	workload_prepare(&run, workload_find(name));
	if (param)
		assert_int_equal(workload_set(&run, param, value, err, sizeof(err)), 0);
	assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
	strings = workload_strings(&run);
	while (done < records && (n = workload_next(&run, ops, WORKLOAD_BURST)) > 0) {
		machine_apply(m, ops, n, &strings, NULL);
		done += n;
	}
	workload_stop(&run);
	machine_apply(m, &vmalloc, 1, NULL, NULL);
}

static void test_A12_1_graph(void **state)
{
	struct machine *m = boot_machine("mem=128M ncpu=2");
	struct seen s = {0};
	char why[256] = "";

	(void)state;
	load(m, "database", "size", "16M", 6000);
	assert_true(machine_nr_tasks(m) >= 4);
	graph_walk(m, count, &s);
	assert_int_equal(s.broken, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!s.by_field[i])
			fail_msg("no edge '%s' in a busy system", fields[i]);
	assert_int_equal(graph_check(m, why, sizeof(why)), 0);
	machine_destroy(m);
}

/* What is broken on purpose is found and named. */
static void test_A12_1_broken_edges_are_found(void **state)
{
	struct machine *m = boot_machine("mem=64M");
	struct vm_area_struct *v;
	struct mm_struct *mm;
	char why[256] = "";

	(void)state;
	load(m, "database", "size", "4M", 3000);
	mm = list_first_entry(&m->vm.mms, struct mm_struct, all);
	v = mm->mmap;
	assert_non_null(v);
	assert_non_null(v->vm_next);
	v->vm_next->vm_prev = v->vm_next;
	assert_int_equal(graph_check(m, why, sizeof(why)), 12001);
	assert_non_null(strstr(why, "vm_next"));
	v->vm_next->vm_prev = v;
	assert_int_equal(graph_check(m, why, sizeof(why)), 0);
	machine_destroy(m);
}

static void test_A12_1_dot(void **state)
{
	struct machine *m = boot_machine("mem=64M");
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	load(m, "database", "size", "4M", 3000);
	graph_print_dot(m, 6, f);
	fclose(f);
	assert_true(!strncmp(text, "digraph memrig {", 16));
	assert_non_null(strstr(text, "-> \"mm "));
	assert_non_null(strstr(text, "more of"));
	assert_null(strstr(text, "color=red"));
	assert_true(n < 200000); /* bounded, however large the machine */
	free(text);
	machine_destroy(m);
}

/* ---- A12.2 ---- */

static void all_frames(const char *pairs)
{
	struct machine *m = boot_machine(pairs);
	struct phys *phys = &m->phys;
	u64 low = 0, high = 0;

	for (u64 pfn = phys->min_low_pfn; pfn < phys->max_pfn; pfn++) {
		struct page *p;
		void *va;

		if (!pfn_valid(phys, pfn))
			continue;
		p = pfn_to_page(phys, (pfn_t)pfn);
		assert_int_equal(page_to_pfn(phys, p), pfn);
		assert_ptr_equal(frame_to_page(phys, page_frame(phys, p)), p);
		if (!pfn_zone(phys, pfn))
			continue;
		assert_ptr_equal(page_zone(phys, p), pfn_zone(phys, pfn));
		assert_true(pfn - page_zone(phys, p)->zone_start_pfn < page_zone(phys, p)->spanned_pages);
		assert_ptr_equal(zone_pgdat(page_zone(phys, p))->node_zones[page_zone(phys, p)->type],
				 page_zone(phys, p));
		va = page_address(phys, p);
		high += !va;
		if (!va)
			continue;
		low++;
		assert_ptr_equal(virt_to_page(phys, va), p);
		assert_ptr_equal(virt_to_page(phys, (u8 *)va + 123), p);
		assert_int_equal(hw_pa(phys->hw, va), pfn << phys->page_shift);
		assert_ptr_equal(hw_ptr(phys->hw, hw_pa(phys->hw, va)), va);
	}
	assert_true(low > 0);
	assert_true(!!high == (phys->totalhigh_pages > 0));
	machine_destroy(m);
}

static void test_A12_2_frames(void **state)
{
	(void)state;
	all_frames("mem=64M");
	all_frames("mem=64M page=64k va=42");
	all_frames("arch=arm32 machine=vexpress mem=64M");
	all_frames("arch=arm32 machine=vexpress mem=64M vmalloc=976M"); /* with high memory */
}

struct each {
	struct vm_area_struct *v;
	u64 found;
};

/* descriptor -> page -> descriptor; VMA and address -> offset -> address; address -> VMA -> mm. */
static int one_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct each *e = arg;

	for (unsigned i = 0; i < n; i++, va += 1ull << vm->page_shift) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;
		u64 index = linear_page_index(vm, e->v, va);

		assert_int_equal(e->v->vm_start + ((index - e->v->vm_pgoff) << vm->page_shift), va);
		if (!page)
			continue;
		e->found++;
		assert_int_equal(pte_pa(p) >> vm->page_shift, page_to_pfn(vm->phys, page));
		assert_ptr_equal(page_check_address(vm, page, e->v, va), slot_at(vm, slots, i));
		assert_int_equal(page->index, index);
		if (PageAnon(page))
			assert_non_null(page_anon_vma(page));
		else
			assert_ptr_equal(filemap_lookup(vm->phys, e->v->vm_file, page->index), page);
	}
	return 0;
}

static void test_A12_2_mappings(void **state)
{
	struct machine *m = boot_machine("mem=64M");
	struct each e = {0};
	struct mm_struct *mm;

	(void)state;
	load(m, "database", "size", "8M", 4000);
	list_for_each_entry(mm, &m->vm.mms, all) {
		for_each_vma(mm, v) {
			assert_ptr_equal(find_vma_slow(&m->vm, mm, v->vm_start), v);
			assert_ptr_equal(find_vma_slow(&m->vm, mm, v->vm_end - 1), v);
			assert_ptr_equal(v->vm_mm, mm);
			e.v = v;
			pte_range(&m->vm, mm, v->vm_start, v->vm_end, one_leaf, &e);
		}
	}
	assert_true(e.found > 100);
	machine_destroy(m);
}

/* page -> slab cache -> object index, and back to the object. */
static void test_A12_2_objects(void **state)
{
	struct machine *m = boot_machine("mem=64M");
	struct kmem_cache *c = kmem_cache_create(&m->kmem, "conversions", 200, 0, 0, NULL);
	void *obj[100];
	pfn_t pfn;

	(void)state;
	assert_non_null(c);
	for (size_t i = 0; i < ARRAY_SIZE(obj); i++) {
		const struct page *p;
		u32 index;

		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
		assert_non_null(obj[i]);
		assert_ptr_equal(kmem_cache_of(&m->kmem, obj[i]), c);
		index = kmem_obj_index(c, obj[i], &pfn);
		p = pfn_to_page(&m->phys, pfn);
		assert_ptr_equal(p->slab_cache, c);
		for (size_t k = 0; k < i; k++) { /* an index names one object of its slab */
			pfn_t other;

			assert_false(kmem_obj_index(c, obj[k], &other) == index && other == pfn);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(obj); i++)
		kmem_cache_free(c, 0, obj[i]);
	assert_int_equal(kmem_cache_destroy(c, 0), 0);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A12_1_graph), cmocka_unit_test(test_A12_1_broken_edges_are_found),
		cmocka_unit_test(test_A12_1_dot), cmocka_unit_test(test_A12_2_frames),
		cmocka_unit_test(test_A12_2_mappings), cmocka_unit_test(test_A12_2_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
