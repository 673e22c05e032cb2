/* SPDX-License-Identifier: BSD-2-Clause */
/* kmalloc's rare sides: large classes, DMA classes, odd sizes, krealloc. (spec 04 s6) */
#include "core/kmem/slab_internal.h"

struct kmem_cache *kmalloc_slab_large(struct kmem *k, size_t size, gfp_t gfp)
{
	struct kmem_cache *c;
	unsigned i;

	if (!size || size > k->kmalloc_max)
		return NULL;
	if (size > KMEM_SMALL)
		c = k->kmalloc_caches[i = mm_fls(size - 1)];
	else
		for (c = k->small[(size + 7) / 8], i = 0; k->kmalloc_caches[i] != c;)
			i++;
	if (gfp & MM_GFP_DMA && k->kmalloc_dma_caches[i])
		return k->kmalloc_dma_caches[i];
	return c;
}

void *kmalloc_no_class(struct kmem *k, size_t size, gfp_t gfp)
{
	if (!size)
		return ZERO_SIZE_PTR;
	if (!(gfp & MM_GFP_NOWARN))
		kmem_warn(k, "larger than KMALLOC_MAX_SIZE", "kmalloc");
	return NULL;
}

void *kcalloc(struct kmem *k, unsigned cpu, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, k->hw, cpu);
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kzalloc(k, cpu, bytes, gfp);
}

size_t ksize(struct kmem *k, const void *p)
{
	struct page *page;

	if ((uintptr_t)p <= (uintptr_t)ZERO_SIZE_PTR)
		return 0;
	page = kmem_page(k, p);
	BUG_ON(!PageSlab(page));
	return ((struct kmem_cache *)page->slab_cache)->object_size;
}

void *krealloc(struct kmem *k, unsigned cpu, void *p, size_t size, gfp_t gfp)
{
	size_t old = ksize(k, p);
	void *q;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, k->hw, cpu);
	if (!size) {
		kfree(k, cpu, p);
		return ZERO_SIZE_PTR;
	}
	if (old >= size)
		return p; /* as Linux: a smaller class is not worth a copy */
	q = kmalloc(k, cpu, size, gfp);
	if (q && old) {
		memcpy(q, p, mm_min(old, size));
		kfree(k, cpu, p);
	}
	return q;
}
