/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots floors 2 to 4 for tests. */
#ifndef MEMRIG_TESTS_KMEM_BOOT_H
#define MEMRIG_TESTS_KMEM_BOOT_H

#include "core/kmem/slab.h"
#include "tests/phys_boot.h"

struct kmem_rig {
	struct phys_rig phys;
	struct kmem kmem;
};

static inline struct kmem *kmem_rig_boot(struct kmem_rig *rig, const char *pairs)
{
	rig_boot(&rig->phys, pairs);
	assert_int_equal(kmem_init(&rig->kmem, &rig->phys.phys, &rig->phys.config), 0);
	return &rig->kmem;
}

static inline void kmem_rig_check(struct kmem_rig *rig)
{
	char why[256] = "";

	if (kmem_check(&rig->kmem, why, sizeof(why)))
		fail_msg("%s", why);
	rig_check(&rig->phys);
}

static inline void kmem_rig_down(struct kmem_rig *rig)
{
	kmem_rig_check(rig);
	kmem_destroy(&rig->kmem);
	rig_down(&rig->phys);
}

static inline struct kmem_cache_info cache_info(struct kmem_cache *c, unsigned cpu)
{
	struct kmem_cache_info i;

	kmem_cache_info(c, cpu, &i);
	return i;
}

static inline u32 obj_index(struct kmem_cache *c, const void *obj)
{
	return kmem_obj_index(c, obj, NULL);
}

#define COUNT_LIST_MAX 8192
struct slab_list_copy {
	u32 n;
	struct { pfn_t pfn; u32 active, s_mem; } s[COUNT_LIST_MAX];
};

static inline void copy_slab(void *arg, pfn_t pfn, u32 active, u32 s_mem)
{
	struct slab_list_copy *l = arg;

	assert_true(l->n < COUNT_LIST_MAX);
	l->s[l->n].pfn = pfn;
	l->s[l->n].active = active;
	l->s[l->n++].s_mem = s_mem;
}

static inline void copy_slab_list(struct kmem_cache *c, enum kmem_slab_list which,
				  struct slab_list_copy *l)
{
	l->n = 0;
	kmem_for_each_slab(c, which, copy_slab, l);
}

#endif
