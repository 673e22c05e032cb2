/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on files by their id (spec 14 s3, s4, s6, s7): the page cache's functions, with user
 * memory at one end and page tables in between. Linux: fs/read_write.c, mm/fadvise.c, mm/msync.c,
 * fs/drop_caches.c.
 *
 * Contents: with data=bytes bytes are copied. A tag has no parts, so with data=tag a whole page
 * takes the source's tag, and a part mixes old tag, new tag and range into a new one: equal
 * histories give equal tags, different ones do not.
 */
#include <errno.h>
#include <string.h>

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/backing/readahead.h"
#include "core/base/prng.h"
#include "core/vm/fault.h"
#include "core/vm/interval_tree.h"
#include "core/vm/psi.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"
#include "core/vm/writeback.h"

/* ---- contents ---- */

struct transfer {
	struct vm *vm;
	struct task *t;
	vaddr_t buf; /* 0: no user memory; what is written is made up */
	u64 made_up;
};

static u64 mix(u64 a, u64 b)
{
	u64 x = a ^ b * 0x9e3779b97f4a7c15ull;

	return prng_splitmix(&x);
}

/* Tag of a page after @len bytes at @offset of it came from a page with tag @src at @src_offset. */
static u64 blend(const struct vm *vm, u64 old, u64 offset, u64 len, u64 src, u64 src_offset)
{
	if (len == 1ull << vm->page_shift && offset == src_offset)
		return src;
	return mix(mix(len == 1ull << vm->page_shift ? 0 : old, src),
		   offset << 32 | src_offset << 48 | len);
}

/* Part of a piece that lies in one user page. */
struct span {
	pfn_t user, file;
	u64 user_offset, file_offset, len;
};

static void copy_span(struct vm *vm, const struct span *s, bool to_user)
{
	struct hw *hw = vm->hw;
	pfn_t to = to_user ? s->user : s->file, from = to_user ? s->file : s->user;
	u64 to_offset = to_user ? s->user_offset : s->file_offset;
	u64 from_offset = to_user ? s->file_offset : s->user_offset;

	hw_frame_changed(hw, to);
	if (hw->data_bytes)
		memcpy((u8 *)hw_pfn_ptr(hw, to) + to_offset,
		       (const u8 *)hw_pfn_ptr(hw, from) + from_offset, s->len);
	else
		hw_set_frame_tag(hw, to,
				 blend(vm, hw_frame_tag(hw, to), to_offset, s->len,
				       hw_frame_tag(hw, from), from_offset));
}

/* Touches the user pages of a piece one by one, and copies. */
static int copy_piece(const struct transfer *x, const struct file_piece *piece, bool to_user)
{
	struct vm *vm = x->vm;
	u64 page = 1ull << vm->page_shift;
	unsigned access = to_user ? MM_ACCESS_WRITE : MM_ACCESS_READ;

	for (u64 done = 0, n; done < piece->len; done += n) {
		vaddr_t at = x->buf + piece->done + done;
		struct span s = {.user_offset = at & (page - 1),
				 .file_offset = piece->offset + done};

		if (!to_user && !mm_frame(vm, x->t, at, &s.user))
			return -EAGAIN;
		n = page - s.user_offset < piece->len - done ? page - s.user_offset
							     : piece->len - done;
		if (mm_access(vm, x->t, at, access) >= RES_SIGSEGV ||
		    !mm_frame(vm, x->t, at, &s.user))
			return -EFAULT;
		s.file = piece->page ? page_to_pfn(vm->phys, piece->page) : vm->zero_pfn;
		s.len = n;
		copy_span(vm, &s, to_user);
	}
	charge(vm->hw, COST_COPY_PAGE);
	return 0;
}

static int read_piece(void *self, const struct file_piece *piece)
{
	return copy_piece(self, piece, true);
}

static void make_up(const struct transfer *x, const struct file_piece *piece)
{
	struct hw *hw = x->vm->hw;
	pfn_t pfn = page_to_pfn(x->vm->phys, piece->page);
	u64 word = mix(x->made_up, piece->done >> x->vm->page_shift);

	hw_frame_changed(hw, pfn);
	if (hw->data_bytes)
		for (u64 i = 0; i < piece->len; i++)
			((u8 *)hw_pfn_ptr(hw, pfn))[piece->offset + i] = (u8)(word >> (i & 7) * 8);
	else
		hw_set_frame_tag(
			hw, pfn,
			blend(x->vm, hw_frame_tag(hw, pfn), piece->offset, piece->len, word, 0));
}

static int write_piece(void *self, const struct file_piece *piece)
{
	const struct transfer *x = self;

	if (x->buf)
		return copy_piece(x, piece, false);
	charge(x->vm->hw, COST_COPY_PAGE);
	make_up(x, piece);
	return 0;
}

static int prefault_piece(void *self, u64 done, u64 len)
{
	const struct transfer *x = self;

	if (!x->buf ||
	    mm_access_range(x->vm, x->t, x->buf + done, len, MM_ACCESS_READ) < RES_SIGSEGV)
		return 0;
	return -EFAULT;
}

static void wrote_piece(void *self)
{
	balance_dirty_pages(((const struct transfer *)self)->vm);
}

/* ---- read and write ---- */

/* A call that may have waited for the files' device has ended. */
MM_INLINE void end_call(struct vm *vm, enum stall_kind kind, struct io_wait before)
{
	if (MM_UNLIKELY(vm->hw->io.waited_ns != before.waited_ns))
		psi_waits(vm, kind, before);
}

s64 vm_fread(struct vm *vm, struct vm_file *f, u64 off, u64 len)
{
	struct io_wait before = vm->hw->io;
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	r = file_read(&vm->files, f, off, len, NULL);
	end_call(vm, STALL_READ, before);
	if (r > 0)
		charge_n(vm->hw, COST_COPY_PAGE, ((u64)r >> vm->page_shift) + 1);
	return r;
}

s64 sys_fread(struct vm *vm, struct task *t, u64 id, u64 off, u64 len, vaddr_t buf)
{
	struct io_wait before = vm->hw->io;
	struct vm_file *f = filemap_find(&vm->files, id);
	struct transfer x = {.vm = vm, .t = t, .buf = buf};
	s64 r;

	if (f && !buf)
		return vm_fread(vm, f, off, len);
	charge(vm->hw, COST_SYSCALL);
	if (!f)
		return -ENOMEM;
	r = file_read(&vm->files, f, off, len, &(struct file_actor){.self = &x, .copy = read_piece});
	end_call(vm, STALL_READ, before);
	return r;
}

s64 sys_fwrite(struct vm *vm, struct task *t, u64 id, u64 off, u64 len, vaddr_t buf)
{
	struct io_wait before = vm->hw->io;
	struct vm_file *f = filemap_find(&vm->files, id);
	struct transfer x = {.vm = vm, .t = t, .buf = buf};
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!f)
		return -ENOMEM;
	x.made_up = mix(mix(id, off >> vm->page_shift), ++f->writes);
	r = file_write(&vm->files, f, off, len,
		       &(struct file_actor){.self = &x,
					    .copy = write_piece,
					    .prefault = prefault_piece,
					    .wrote = wrote_piece});
	end_call(vm, STALL_WRITE, before);
	return r;
}

/* ---- size and life ---- */

s64 vm_file(struct vm *vm, u64 id, u64 size, const char *kind, const char *name)
{
	(void)name;
	return filemap_open(&vm->files, id, size, !strcmp(kind, "tmpfs")) ? 0 : -ENOMEM;
}

s64 vm_file_mode(struct vm *vm, u64 id, u32 mode)
{
	const u32 all = FMODE_READ | FMODE_WRITE | FMODE_APPEND | FMODE_NOEXEC | FMODE_NOMMAP;
	struct vm_file *f = filemap_find(&vm->files, id);

	if (mode & ~all)
		return -EINVAL;
	if (!f)
		return -ENOMEM;
	f->mode = (f->mode & ~all) | mode;
	return 0;
}

/* Pages from @first on leave all address spaces, private copies too. */
static void unmap_mapping_range(struct vm *vm, struct vm_file *f, u64 first, u64 last)
{
	lock_model(vm->hw, LOCK_I_MMAP, &f->mapping);
	vma_interval_tree_foreach(v, &f->i_mmap, first, last)
	{
		u64 pages = vma_pages(vm, v), skip = first > v->vm_pgoff ? first - v->vm_pgoff : 0;
		u64 stop = last - v->vm_pgoff < pages ? last - v->vm_pgoff + 1 : pages;

		zap_range(vm, v->vm_mm, v->vm_start + (skip << vm->page_shift),
			  v->vm_start + (stop << vm->page_shift));
	}
	unlock_model(vm->hw, LOCK_I_MMAP, &f->mapping);
}

s64 vm_ftruncate(struct vm *vm, u64 id, u64 size)
{
	struct vm_file *f = filemap_find(&vm->files, id);
	u64 old;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!f)
		return -ENOMEM;
	if (!(f->mode & FMODE_WRITE))
		return -EINVAL;
	if (f->mode & FMODE_APPEND)
		return -EPERM;
	if (size > FILE_MAX_PAGES << vm->page_shift)
		return -EFBIG;
	old = f->size;
	f->size = size;
	if (size < old)
		unmap_mapping_range(vm, f, file_pages(&vm->files, f), UINT64_MAX);
	f->size = old;
	filemap_truncate(&vm->files, f, size);
	return 0;
}

s64 sys_unlink(struct vm *vm, u64 id)
{
	struct vm_file *f = filemap_find(&vm->files, id);

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!f || f->unlinked)
		return -ENOENT;
	filemap_unlink(&vm->files, f);
	return 0;
}

int vm_punch_hole(struct vm *vm, struct vm_file *f, u64 first, u64 last)
{
	u64 entry;

	might_sleep(vm->hw);
	/* by page, so that private copies stay mapped */
	for (u64 i = first; (entry = xa_next(&f->mapping.pages, &i, last)); i++) {
		struct page *p =
			xa_is_frame(entry) ? frame_to_page(vm->phys, xa_frame(entry)) : NULL;

		if (!p || !page_mapped(p))
			continue;
		BUG_ON(!wait_on_page_locked(&vm->files, p));
		SetPageLocked(p);
		BUG_ON(try_to_unmap(vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS | TTU_IGNORE_MLOCK) !=
		       SWAP_SUCCESS);
		unlock_page(p);
	}
	return filemap_punch(&vm->files, f, first, last);
}

/* ---- write-back ---- */

s64 sys_fsync(struct vm *vm, u64 id)
{
	struct io_wait before = vm->hw->io;
	struct vm_file *f = filemap_find(&vm->files, id);
	int r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	r = f ? file_write_range(vm, f, 0, UINT64_MAX, true) : -ENOMEM;
	end_call(vm, STALL_WRITE, before);
	return r;
}

/* [addr, end) is not empty. mmap_sem is held for reading, but not while the file is written. */
static s64 sync_range(struct vm *vm, struct mm_struct *mm, vaddr_t addr, vaddr_t end, u32 flags)
{
	struct io_wait before = vm->hw->io;
	struct vm_area_struct *v;
	s64 unmapped = 0;

	for (v = find_vma_slow(vm, mm, addr); addr < end; v = v->vm_next) {
		vaddr_t stop;
		int r;

		if (!v || v->vm_start >= end)
			return -ENOMEM;
		if (addr < v->vm_start) {
			unmapped = -ENOMEM;
			addr = v->vm_start;
		}
		if (flags & MM_MS_INVALIDATE && v->vm_flags & VM_LOCKED)
			return -EBUSY;
		stop = v->vm_end < end ? v->vm_end : end;
		if (flags & MM_MS_SYNC && v->vm_file && v->vm_flags & VM_SHARED) {
			u64 first = v->vm_pgoff + ((addr - v->vm_start) >> vm->page_shift);

			mmap_read_unlock(vm, mm); /* @v stays: only the task's own calls change VMAs */
			r = file_write_range(vm, v->vm_file, first,
					     first + ((stop - addr) >> vm->page_shift) - 1, true);
			mmap_read_lock(vm, mm);
			end_call(vm, STALL_WRITE, before);
			if (r)
				return r;
		}
		addr = stop;
	}
	return unmapped;
}

s64 sys_msync(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 flags)
{
	u64 page = 1ull << vm->page_shift;
	vaddr_t end = addr + ALIGN_UP(len, page);
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || addr & (page - 1) ||
	    flags & ~(u32)(MM_MS_ASYNC | MM_MS_INVALIDATE | MM_MS_SYNC) ||
	    (flags & MM_MS_ASYNC && flags & MM_MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	mmap_read_lock(vm, t->mm);
	r = sync_range(vm, t->mm, addr, end, flags);
	mmap_read_unlock(vm, t->mm);
	return r;
}

/* ---- advice and caches ---- */

s64 sys_fadvise(struct vm *vm, u64 id, u32 advice)
{
	struct vm_file *f = filemap_find(&vm->files, id);
	struct filemap *fm = &vm->files;
	u64 pages;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!f)
		return -ENOMEM;
	pages = file_pages(fm, f);
	switch (advice) {
	case MM_MADV_NORMAL:
	case MM_MADV_SEQUENTIAL:
		f->ra.ra_pages =
			f->shmem ? 0 : fm->ra_pages * (advice == MM_MADV_SEQUENTIAL ? 2 : 1);
		f->mode &= ~(u32)FMODE_RANDOM;
		return 0;
	case MM_MADV_RANDOM:
		f->mode |= FMODE_RANDOM;
		return 0;
	case MM_MADV_WILLNEED:
		force_page_cache_readahead(fm, f, 0, pages);
		return 0;
	case MM_MADV_NOREUSE:
		return 0;
	case MM_MADV_DONTNEED:
		file_write_range(vm, f, 0, UINT64_MAX, false);
		if (invalidate_mapping_pages(fm, &f->mapping, 0, UINT64_MAX) < pages) {
			lru_add_drain_all(&vm->lru); /* batches hold pages, too */
			invalidate_mapping_pages(fm, &f->mapping, 0, UINT64_MAX);
		}
		return 0;
	default:
		return -EINVAL;
	}
}

u64 vm_drop_pagecache(struct vm *vm)
{
	might_sleep(vm->hw);
	return drop_pagecache(&vm->files);
}
