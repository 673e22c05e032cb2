/* SPDX-License-Identifier: BSD-2-Clause */
/* Invariants I06.1 to I06.6 are noticed when they are broken; and what memory failures leave behind. */
#include "core/vm/interval_tree.h"
#include "core/vm/pgtable.h"
#include "tests/vma_rig.h"

static void assert_broken(struct vma_rig *r, const char *name)
{
	char why[256] = "";

	if (!machine_check(r->m, why, sizeof(why)))
		fail_msg("%s was not noticed", name);
	if (strncmp(why, name, strlen(name)))
		fail_msg("%s expected, found: %s", name, why);
}

#define BREAK(r, field, value, name)                                                               \
	do {                                                                                       \
		__typeof__(field) was_ = field;                                                    \
		field = value;                                                                     \
		assert_broken(r, name);                                                            \
		field = was_;                                                                      \
		assert_machine_sound((r)->m);                                                      \
	} while (0)

static void test_I06_1(void **state)
{
	struct vma_rig r;
	struct vm_area_struct *a, *b, *c;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; m 20000 1 r; m 30000 1 rw");
		a = vma_at(&r, 0x10000);
		b = vma_at(&r, 0x20000);
		c = vma_at(&r, 0x30000);
		BREAK(&r, c->vm_prev, a, "I06.1");
		BREAK(&r, a->vm_mm, NULL, "I06.1");
		b->vm_next = NULL; /* the list ends before the index */
		assert_broken(&r, "I06.1");
		b->vm_next = c;
		if (!r.vm->btree)
			BREAK(&r, r.t->mm->mm_rb.node->parent_red, r.t->mm->mm_rb.node->parent_red | 1, "I06.1");
		else
			BREAK(&r, r.t->mm->mm_bt.height[3], 1, "I06.1");
	}
}

static void test_I06_2(void **state)
{
	struct vma_rig r;
	struct vm_area_struct *a;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; m 20000 1 r");
		a = vma_at(&r, 0x10000);
		BREAK(&r, a->vm_end, 0x10800, "I06.2");
		BREAK(&r, a->vm_end, 0x10000, "I06.2");
		BREAK(&r, a->vm_end, 0x21000, "I06.2"); /* reaches into its neighbour */
		BREAK(&r, a->vm_next->vm_end, r.vm->task_size + r.page, "I06.2");
	}
}

static void test_I06_3(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; m 20000 1 r");
		BREAK(&r, r.t->mm->highest_vm_end, 0x30000, "I06.3");
		if (!r.vm->btree) {
			struct vm_area_struct *root = container_of(r.t->mm->mm_rb.node, struct vm_area_struct, vm_rb);

			BREAK(&r, root->rb_subtree_gap, root->rb_subtree_gap + 4096, "I06.3");
		} else { /* a VMA that starts elsewhere than its leaf was told */
			vma_at(&r, 0x20000)->vm_start = 0x1f000;
			assert_broken(&r, "I06.3");
			find_vma_slow(r.vm, r.t->mm, 0x20000)->vm_start = 0x20000;
		}
	}
}

static void test_I06_4(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; l 10000 1; s 20000 1 rx");
		assert_int_equal(map_at(&r, 0x50000, 2, RW, ANON | MM_MAP_GROWSDOWN | MM_MAP_FIXED), 0x50000);
		BREAK(&r, r.t->mm->map_count, 7, "I06.4");
		BREAK(&r, r.t->mm->total_vm, 7, "I06.4");
		BREAK(&r, r.t->mm->locked_vm, 2, "I06.4");
		BREAK(&r, r.t->mm->stack_vm, 0, "I06.4");
		BREAK(&r, r.t->mm->shared_vm, 0, "I06.4");
		BREAK(&r, r.t->mm->exec_vm, 0, "I06.4");
	}
}

static void test_I06_5(void **state)
{
	struct vma_rig r;
	struct vm_area_struct *v;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "s 10000 4 rw");
		v = vma_at(&r, 0x10000);
		vma_interval_tree_remove(&v->vm_file->i_mmap, v);
		assert_broken(&r, "I06.5");
		vma_interval_tree_insert(&v->vm_file->i_mmap, v);
		assert_machine_sound(r.m);
		BREAK(&r, v->shared.rb_subtree_last, 77, "I06.5");
	}
}

static void test_I06_6(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; w 10000 1");
		assert_non_null(pte_alloc(r.vm, r.t->mm, 0x40000000)); /* a table where nothing is mapped */
		assert_broken(&r, "I06.6");
		run(&r, "m 40000000 1 rw");
		assert_machine_sound(r.m);
		/* an entry beside the VMA */
		set_pte(r.vm, pte_lookup(r.vm, r.t->mm, 0x40005000),
			pte_make((paddr_t)r.vm->zero_pfn << r.vm->page_shift, vma_at(&r, 0x40000000)->vm_page_prot));
		assert_broken(&r, "I06.6");
		set_pte(r.vm, pte_lookup(r.vm, r.t->mm, 0x40005000), (pte_t){0});
	}
}

/* A lookup is remembered until a table is freed, and asks nothing but the address and the tree. */
static void test_I02_7(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; w 10000 1; m 40000000 1 rw; w 40000000 1");
		assert_ptr_equal(pte_lookup(r.vm, r.t->mm, 0x10000), pte_walk(r.vm, r.t->mm, 0x10000));
		assert_ptr_equal(pte_lookup(r.vm, r.t->mm, 0x40000000), pte_walk(r.vm, r.t->mm, 0x40000000));
		assert_int_not_equal(r.vm->leaf.span, PT_NO_SPAN);
		BREAK(&r, r.vm->leaf.slots, NULL, "I02.7");
		BREAK(&r, r.vm->leaf.pgd, 1, "I02.7");
		BREAK(&r, r.vm->leaf.span, 0, "I02.7");
		run(&r, "u 40000000 1");
		assert_null(pte_lookup(r.vm, r.t->mm, 0x40000000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I06_1), cmocka_unit_test(test_I06_2), cmocka_unit_test(test_I06_3),
		cmocka_unit_test(test_I06_4), cmocka_unit_test(test_I06_5), cmocka_unit_test(test_I06_6),
		cmocka_unit_test(test_I02_7),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
