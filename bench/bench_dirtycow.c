/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The story of CVE-2016-5195 told by a machine: what each step of a forced write sees and leaves,
 * with the page given back in the window; then two actors and a coin.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/dirtycow.h"
#include "core/machine/machine_types.h"
#include "core/vm/dirtycow.h"
#include "core/vm/pgtable.h"
#include "core/vm/vm.h"

#define TARGET	0x20000000ull
#define FILE_ID 1
#define ORIG	0x0000004749524f2eull /* ".ORIG" */
#define TICKS	100000u

struct scene {
	struct machine *m;
	struct vm *vm;
	struct task *t;
	FILE *out;
};

static const char *const rules[] = {"vulnerable", "fixed", "exclusive"};

static struct page *file_page(const struct scene *s)
{
	return filemap_lookup(s->vm->phys, filemap_find(&s->vm->files, FILE_ID), 0);
}

/* A file that the task may only read, cached, with known contents, mapped private and read-only. */
static int set_scene(struct scene *s, const struct machine_config *config, FILE *out, char *err,
		     size_t errlen)
{
	u64 page;

	s->out = out;
	s->m = machine_create(config, err, errlen);
	if (!s->m)
		return -ENOMEM;
	s->vm = &s->m->vm;
	page = 1ull << s->vm->page_shift;
	snprintf(err, errlen, "dirtycow: the machine is too small");
	if (vm_define_task(s->vm, 1, 1, 1) || vm_spawn(s->vm, vm_task(s->vm, 1), 0, 0) ||
	    vm_file(s->vm, FILE_ID, page, "disk", "F"))
		return -ENOMEM;
	s->t = vm_task(s->vm, 1);
	if (sys_mmap(s->vm, s->t, TARGET, page, MM_PROT_READ, MM_MAP_PRIVATE | MM_MAP_FIXED,
		     FILE_ID, 0, 0) < 0 ||
	    mm_access(s->vm, s->t, TARGET, MM_ACCESS_READ) > RES_MAJOR)
		return -ENOMEM;
	sys_madvise(s->vm, s->t, TARGET, page, MM_MADV_DONTNEED);
	hw_set_frame_tag(s->vm->hw, page_to_pfn(s->vm->phys, file_page(s)), ORIG);
	return 0;
}

static void word_text(u64 word, char *text)
{
	for (int i = 0; i < 8; i++, word >>= 8)
		*text++ = (word & 0xff) >= ' ' && (word & 0xff) < 127 ? (char)(word & 0xff) : ' ';
	*text = 0;
}

static void describe_entry(const struct scene *s, char *text, size_t n)
{
	pt_slot *slot = pte_lookup(s->vm, s->t->mm, TARGET);
	pte_t pte = slot ? get_pte(s->vm, slot, 0) : (pte_t){0};
	struct page *p = pte_present(pte) ? vm_normal_page(s->vm, pte) : NULL;

	if (!p)
		snprintf(text, n, "none");
	else
		snprintf(text, n, "%s, %s, %s",
			 p == file_page(s) ? "the file's page" : "a private copy",
			 pte_write(pte) ? "writable" : "read-only",
			 pte_dirty(pte) ? "dirty" : "clean");
}

static const char *const doing[] = {
	"look up the page for writing",
	"fault on the empty entry",
	"look up again",
	"write fault on the read-only entry",
	"the window",
	"look up under these flags",
	"copy \"EVIL\" into the page found",
	"done",
	"failed",
};

static void show_step(void *arg, const struct gup_op *op)
{
	struct scene *s = arg;
	char entry[64], file[9], flags[32];

	describe_entry(s, entry, sizeof(entry));
	word_text(hw_frame_tag(s->vm->hw, page_to_pfn(s->vm->phys, file_page(s))), file);
	snprintf(flags, sizeof(flags), "FORCE%s%s", op->flags & FOLL_WRITE ? "|WRITE" : "",
		 op->flags & FOLL_COW ? "|COW" : "");
	fprintf(s->out, "  %-5s %-35s %-16s %-36s %s\n", gup_point_name(op->point),
		doing[op->point], flags, entry, file);
	if (op->point == GUP_G5)
		fprintf(s->out, "        ... meanwhile: madvise(DONTNEED) gives the copy back\n");
}

static int steps(struct scene *s)
{
	u64 before = hw_frame_tag(s->vm->hw, page_to_pfn(s->vm->phys, file_page(s)));
	bool changed;

	fprintf(s->out, "  %-5s %-35s %-16s %-36s %s\n", "point", "does next", "flags",
		"page-table entry", "file");
	if (dirtycow_inject(s->vm, s->t, TARGET, "EVIL", 4, GUP_G5, show_step, s))
		return -EFAULT;
	changed = hw_frame_tag(s->vm->hw, page_to_pfn(s->vm->phys, file_page(s))) != before;
	fprintf(s->out, "  The file is %s.\n\n",
		changed ? "CHANGED, without a right to write it" : "as it was");
	return 0;
}

static int race(struct scene *s, u64 seed)
{
	const struct dirtycow_race r = {.seed = seed,
					.max_ticks = TICKS,
					.addr = TARGET,
					.text = "EVIL",
					.len = 4,
					.file = FILE_ID};
	struct dirtycow_result res;

	if (dirtycow_race(s->vm, s->t, &r, &res))
		return -EFAULT;
	fprintf(s->out,
		"  seed %-4" PRIu64 " ticks %-7" PRIu64 " writes %-6" PRIu64 " drops %-6" PRIu64
		" in the window %-5" PRIu64 " successes %" PRIu64 "\n",
		seed, res.ticks, res.writes, res.drops, res.in_window, res.successes);
	return 0;
}

/* One rule: the steps on one machine, then each seed on one of its own. */
static int tell(const struct machine_config *config, u64 seeds, FILE *out, char *err, size_t errlen)
{
	struct scene s = {.m = NULL};
	int r = set_scene(&s, config, out, err, errlen);

	fprintf(out, "dirtycow=%s\n", rules[config->dirtycow]);
	if (!r)
		r = steps(&s);
	machine_destroy(s.m);
	for (u64 seed = 1; seed <= seeds && !r; seed++) {
		r = set_scene(&s, config, out, err, errlen);
		if (!r)
			r = race(&s, seed);
		machine_destroy(s.m);
	}
	fputc('\n', out);
	return r;
}

int dirtycow_story(const struct machine_config *config, bool one, u64 seeds, FILE *out, char *err,
		   size_t errlen)
{
	struct machine_config c = *config;
	int r = 0;

	if (one)
		return tell(&c, seeds, out, err, errlen);
	for (size_t i = 0; i < ARRAY_SIZE(rules) && !r; i++) {
		c.dirtycow = (u8)i;
		r = tell(&c, seeds, out, err, errlen);
	}
	return r;
}
