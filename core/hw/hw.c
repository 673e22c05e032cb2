/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hw/hw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *hw_map_lazy(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void hw_unmap_lazy(void *p, u64 bytes)
{
	if (p)
		munmap(p, bytes);
}

void hw_zero_lazy(void *p, u64 bytes)
{
	if (madvise(p, bytes, MADV_DONTNEED))
		memset(p, 0, bytes);
}

void hw_populate_lazy(void *p, u64 bytes)
{
#ifdef MADV_POPULATE_WRITE
	u64 lead = (uintptr_t)p & 4095;

	/* Refused by kernels before 5.14: then each page faults. */
	(void)madvise((u8 *)p - lead, bytes + lead, MADV_POPULATE_WRITE);
#else
	(void)p;
	(void)bytes;
#endif
}

int hw_init(struct hw *hw, const struct hw_params *p)
{
	u64 page = 1ull << p->page_shift;

	memset(hw, 0, sizeof(*hw));
	if (!p->bytes || (p->base | p->bytes) & (page - 1) || !p->ncpu || p->ncpu > MM_MAX_CPUS)
		return -EINVAL;
	hw->base = p->base;
	hw->bytes = p->bytes;
	hw->page_shift = p->page_shift;
	hw->ncpu = p->ncpu;
	hw->data_bytes = p->data_bytes;
	hw->daemon_due = UINT64_MAX;
	prng_seed(&hw->prng, p->seed);
	hw->arena = hw_map_lazy(p->bytes);
	hw->cpus = aligned_alloc(_Alignof(struct hw_cpu), p->ncpu * sizeof(struct hw_cpu));
	if (!p->data_bytes)
		hw->tags = hw_map_lazy((p->bytes >> p->page_shift) * sizeof(u64));
	if (!hw->arena || !hw->cpus || (!p->data_bytes && !hw->tags)) {
		hw_destroy(hw);
		return -ENOMEM;
	}
	memset(hw->cpus, 0, p->ncpu * sizeof(struct hw_cpu));
	return 0;
}

void hw_destroy(struct hw *hw)
{
	if (hw->arena)
		munmap(hw->arena, hw->bytes);
	hw_unmap_lazy(hw->versions, (hw->bytes >> hw->page_shift) * sizeof(u32));
	if (hw->tags)
		munmap(hw->tags, (hw->bytes >> hw->page_shift) * sizeof(u64));
	free(hw->cpus);
	memset(hw, 0, sizeof(*hw));
}

int hw_watch_contents(struct hw *hw)
{
	if (!hw->versions)
		hw->versions = hw_map_lazy((hw->bytes >> hw->page_shift) * sizeof(u32));
	return hw->versions ? 0 : -ENOMEM;
}

void hw_forget_versions(struct hw *hw)
{
	hw_zero_lazy(hw->versions, ALIGN_UP((hw->bytes >> hw->page_shift) * sizeof(u32), 4096));
	hw->next_version = 0;
}

void hw_clear_bytes(struct hw *hw, pfn_t pfn)
{
	memset(hw_pfn_ptr(hw, pfn), 0, 1ull << hw->page_shift);
}

void hw_copy_bytes(struct hw *hw, pfn_t to, pfn_t from)
{
	memcpy(hw_pfn_ptr(hw, to), hw_pfn_ptr(hw, from), 1ull << hw->page_shift);
}

void hw_set_frame_tag(struct hw *hw, pfn_t pfn, u64 tag)
{
	hw_frame_changed(hw, pfn);
	if (hw->tags) {
		hw->tags[hw_frame(hw, pfn)] = tag;
		return;
	}
	u64 *w = hw_pfn_ptr(hw, pfn);

	for (u64 i = 0; i < (1ull << hw->page_shift) / sizeof(u64); i++)
		w[i] = tag;
}

u64 hw_frame_tag(const struct hw *hw, pfn_t pfn)
{
	return hw->tags ? hw->tags[hw_frame(hw, pfn)] : *(const u64 *)hw_pfn_ptr(hw, pfn);
}

bool hw_frames_equal(const struct hw *hw, pfn_t a, pfn_t b)
{
	if (hw->tags)
		return hw->tags[hw_frame(hw, a)] == hw->tags[hw_frame(hw, b)];
	return !memcmp(hw_pfn_ptr(hw, a), hw_pfn_ptr(hw, b), 1ull << hw->page_shift);
}
