/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that hold reachable tables are marked in a bitmap over the memory window while the trees are
 * descended; runs of marked pages become the load lines.
 */
#include "traces/export_pgtables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/range.h"
#include "core/base/prng.h"

#define UNIT ((u64)4096) /* of the bitmap and the load lines, whatever the granule */

struct export {
	const struct pt_case *c;
	const struct pt_geometry *g;
	u8 *marked; /* one byte a unit of the window */
	u64 units, top; /* top: units up to the last marked one */
	struct pt_probe *chosen;
	struct pt_export_stats st;
};

/* False if the table was seen before or lies outside: no need to descend. */
static bool mark(struct export *x, paddr_t pa, u64 bytes)
{
	u64 first = (pa - x->c->mem->start) / UNIT, n = (bytes + UNIT - 1) / UNIT;
	bool fresh = false;

	for (u64 i = first; i < first + n && i < x->units; i++) {
		fresh |= !x->marked[i];
		x->marked[i] = 1;
		x->top = i + 1 > x->top ? i + 1 : x->top;
	}
	return fresh;
}

static void mark_long(struct export *x, paddr_t table, int h)
{
	const struct pt_geometry *g = x->g;
	const u64 *e = pt_mem_at(x->c->mem, table);
	bool root = h == g->levels - 1;

	if (!e || !mark(x, table, root ? g->root_bytes : pt_page_size(g)) || !h)
		return;
	for (u32 i = 0; i < g->entries[h]; i++)
		if ((e[i] & A64_TYPE) == (A64_VALID | A64_TABLE))
			mark_long(x, e[i] & pt_addr_mask(g), h - 1);
}

static void mark_short(struct export *x, paddr_t root)
{
	const u32 *e = pt_mem_at(x->c->mem, root);

	if (!e || !mark(x, root, x->g->root_bytes))
		return;
	for (u32 i = 0; i < 4096; i++)
		if ((e[i] & ARM_L1_TYPE) == ARM_L1_TABLE)
			mark(x, e[i] & ~0x3ffu, 1024);
}

static void mark_tables(struct export *x)
{
	const struct pt_mmu *m = &x->c->mmu;

	if (x->g->family == PT_SHORT) {
		mark_short(x, m->ttbr0);
		return;
	}
	mark_long(x, m->ttbr0, x->g->levels - 1);
	if (x->g->family == PT_ARM64 && m->ttbr1 != PT_NO_TABLE)
		mark_long(x, m->ttbr1, x->g->levels - 1);
}

static int write_arm64_regs(FILE *f, const struct export *x)
{
	static const u64 tg0[] = {0, 0, 2, 0, 1}, tg1[] = {2, 0, 1, 0, 3}; /* by page_shift - 12 */
	const struct pt_mmu *m = &x->c->mmu;
	u64 sz = 64u - x->g->va_bits, ps = x->g->page_shift - 12u;
	u64 ips = m->pa_bits == 32 ? 0 : m->pa_bits == 36 ? 1 : m->pa_bits == 40 ? 2 : m->pa_bits == 42 ? 3 : 5;
	u64 tcr = sz | sz << 16 | tg0[ps] << 14 | tg1[ps] << 30 | ips << 32;

	tcr |= m->ttbr0 == PT_NO_TABLE ? BIT(7) : 0;
	tcr |= m->ttbr1 == PT_NO_TABLE ? BIT(23) : 0;
	return fprintf(f, "arch = arm64\nTTBR0_EL1 = 0x%" PRIx64 "\nTTBR1_EL1 = 0x%" PRIx64 "\nTCR_EL1 = 0x%" PRIx64
		       "\nMAIR_EL1 = 0x%" PRIx64 "\nSCTLR_EL1 = 0x30d00801\n",
		       m->ttbr0 == PT_NO_TABLE ? 0 : m->ttbr0, m->ttbr1 == PT_NO_TABLE ? 0 : m->ttbr1, tcr,
		       (u64)A64_MAIR_LINUX);
}

static int write_arm_regs(FILE *f, const struct export *x)
{
	const struct pt_mmu *m = &x->c->mmu;
	bool lpae = x->g->family == PT_LPAE;

	return fprintf(f, "arch = arm\nTTBR0 = 0x%" PRIx64 "\nTTBR1 = 0x0\nTTBCR = 0x%x\nDACR = 0x%x\nPRRR = 0x%x\n"
		       "NMRR = 0x%x\nSCTLR = 0x1\n", m->ttbr0, lpae ? 1u << 31 : 0, m->dacr, LPAE_MAIR0, LPAE_MAIR1);
}

static FILE *open_file(const char *dir, const char *name, char *err, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		snprintf(err, size, "%s: %s", path, strerror(errno));
	return f;
}

static int close_file(FILE *f, const char *name, char *err, size_t size)
{
	int bad = ferror(f);

	if (!fclose(f) && !bad)
		return 0;
	snprintf(err, size, "%s: cannot write", name);
	return -EIO;
}

static int write_tables(const char *dir, struct export *x, FILE *regs, char *err, size_t size)
{
	const struct pt_mem *mem = x->c->mem;
	FILE *f = open_file(dir, "tables.bin", err, size);
	u64 offset = 0;

	if (!f)
		return -EIO;
	for (u64 i = 0, n; i < x->units; i += n) {
		for (n = 0; i + n < x->units && x->marked[i + n];)
			n++;
		if (!n) {
			n = 1;
			continue;
		}
		fwrite(mem->base + i * UNIT, UNIT, n, f);
		fprintf(regs, "load = 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 "\n", mem->start + i * UNIT, offset,
			n * UNIT);
		offset += n * UNIT;
		x->st.loads++;
	}
	x->st.bytes = offset;
	return close_file(f, "tables.bin", err, size);
}

static const char *const kinds[PT_NR_PROBES] = {"kr", "kw", "ur", "uw", "kx", "ux"};

/* The MAIR byte of a long-format result, and its shareability as PAR reports it. */
static unsigned mair_byte(const struct export *x, const struct pt_result *r, unsigned *sh)
{
	u64 mair = x->g->family == PT_ARM64 ? A64_MAIR_LINUX : (u64)LPAE_MAIR1 << 32 | LPAE_MAIR0;
	unsigned attr = mair >> (8 * r->attr) & 0xff;

	*sh = attr < 0x10 || attr == 0x44 ? 2 : r->sh;
	return attr;
}

/* Our walker's answer to a probe. */
static void ask(const struct export *x, const struct pt_probe *p, struct pt_result *r)
{
	static const enum pt_access access[PT_NR_PROBES] = {
		PT_ACCESS_READ, PT_ACCESS_WRITE, PT_ACCESS_READ, PT_ACCESS_WRITE, PT_ACCESS_EXEC, PT_ACCESS_EXEC,
	};
	bool user = p->kind == PT_PROBE_UR || p->kind == PT_PROBE_UW || p->kind == PT_PROBE_UX;
	struct pt_mmu mmu = x->c->mmu;

	mmu.hwad = false;
	mmu_translate(x->c->geom, x->c->mem, &mmu, p->va, access[p->kind], user, r);
}

static void write_answer(FILE *f, struct export *x, const struct pt_probe *p)
{
	static const char *const classes[] = {
		[PT_F_TRANSLATION] = "translation", [PT_F_ADDRSIZE] = "addrsize", [PT_F_ACCESSFLAG] = "accessflag",
		[PT_F_DOMAIN] = "domain", [PT_F_PERMISSION] = "permission", [PT_F_EXTERNAL] = "external",
	};
	struct pt_result r;
	unsigned attr, sh;

	ask(x, p, &r);
	fprintf(f, "0x%" PRIx64 " %s ", p->va, kinds[p->kind]);
	if (r.status != PT_OK) {
		fprintf(f, "fault %s %d\n", classes[r.status], r.level);
		return;
	}
	x->st.translated++;
	if (x->g->family == PT_SHORT) {
		fprintf(f, "ok 0x%" PRIx64 " - -\n", r.pa);
		return;
	}
	attr = mair_byte(x, &r, &sh);
	fprintf(f, "ok 0x%" PRIx64 " %02x %u\n", r.pa, attr, sh);
}

static int write_probes(const char *dir, struct export *x, const struct pt_probe *p, char *err, size_t size)
{
	FILE *probes = open_file(dir, "probes.txt", err, size);
	FILE *expected = probes ? open_file(dir, "expected.txt", err, size) : NULL;
	int r;

	if (!expected) {
		if (probes)
			fclose(probes);
		return -EIO;
	}
	for (u64 i = 0; i < x->c->nr; i++) {
		fprintf(probes, "0x%" PRIx64 " %s\n", p[i].va, kinds[p[i].kind]);
		write_answer(expected, x, &p[i]);
	}
	r = close_file(probes, "probes.txt", err, size);
	return close_file(expected, "expected.txt", err, size) ? -EIO : r;
}

/* ---- choosing probes ---- */

#define SAMPLE 4096u

/* An even sample of all entries that hold something, pages and blocks apart (reservoirs). */
struct chooser {
	struct export *x;
	struct prng prng;
	vaddr_t page[SAMPLE], block[SAMPLE];
	u64 nr_pages, nr_blocks; /* seen */
	bool fetch;
	vaddr_t vectors, vectors_end; /* ARM32: lent to whoever asks, nothing is fetched there */
};

static void keep(struct chooser *c, vaddr_t *sample, u64 *seen, vaddr_t va)
{
	u64 at = (*seen)++;

	at = at < SAMPLE ? at : prng_below(&c->prng, at + 1);
	if (at < SAMPLE)
		sample[at] = va;
}

static void see_span(void *ctx, const struct pt_span *span)
{
	struct chooser *c = ctx;
	const struct pt_geometry *g = c->x->g;

	if (span->height)
		keep(c, c->block, &c->nr_blocks, span->va);
	for (u32 i = 0; i < span->nr && !span->height; i++)
		if (!pte_slot_none(g, pt_slot_at(g, span->slots, i)))
			keep(c, c->page, &c->nr_pages, span->va + ((u64)i << g->page_shift));
}

static void see_half(struct chooser *c, paddr_t root, vaddr_t start, vaddr_t end)
{
	const struct pt_space s = {.geom = c->x->c->geom, .root = root, .mem = c->x->c->mem};

	if (root != PT_NO_TABLE)
		pt_walk_range(&s, start, end, see_span, c);
}

/* A fetch must not run tables, nor what lies beyond them. */
static bool may_fetch(const struct chooser *c, const struct pt_probe *p)
{
	struct pt_result r;
	u64 unit;

	if (!c->fetch || (p->va >= c->vectors && p->va < c->vectors_end))
		return false;
	ask(c->x, p, &r);
	unit = (r.pa - c->x->c->mem->start) / UNIT;
	return r.status != PT_OK || unit >= c->x->units || (unit < c->x->top && !c->x->marked[unit]);
}

static vaddr_t choose_va(struct chooser *c, u64 i)
{
	const struct pt_geometry *g = c->x->g;
	vaddr_t va = prng_u64(&c->prng) >> (g->family == PT_ARM64 && i % 64 ? 64 - g->va_bits : 32);

	if (c->nr_pages && i % 8 < 4) {
		va = c->page[prng_below(&c->prng, c->nr_pages < SAMPLE ? c->nr_pages : SAMPLE)];
		va ^= prng_below(&c->prng, 4) ? 0 : prng_below(&c->prng, 8) << g->page_shift; /* neighbours */
		return va + prng_below(&c->prng, pt_page_size(g));
	}
	if (c->nr_blocks && i % 8 < 6) {
		va = c->block[prng_below(&c->prng, c->nr_blocks < SAMPLE ? c->nr_blocks : SAMPLE)];
		return va + prng_below(&c->prng, BIT(g->shift[1]));
	}
	if (g->family == PT_ARM64 && prng_u64(&c->prng) & 1)
		return va | ~(BIT(g->va_bits) - 1);
	return g->family == PT_ARM64 ? va : (u32)va;
}

/* On ARM32 whoever asks takes the highest empty first-level entry for his vectors. */
static void find_vectors(struct chooser *c)
{
	const struct export *x = c->x;
	const u8 *root = pt_mem_at(x->c->mem, x->c->mmu.ttbr0);
	u64 size = x->g->family == PT_SHORT ? 4 : 8, any = 0, span = 4 * GiB / (x->g->root_bytes / size);

	for (u64 i = x->g->root_bytes / size; root && i--;) {
		memcpy(&any, root + i * size, size);
		if (any)
			continue;
		c->fetch = true;
		c->vectors = i * span;
		c->vectors_end = (i + 1) * span;
		return;
	}
}

static int choose_probes(struct export *x)
{
	struct chooser *c = calloc(1, sizeof(*c));
	const struct pt_mmu *mmu = &x->c->mmu;
	unsigned bits = x->g->va_bits;

	x->chosen = calloc(x->c->nr, sizeof(*x->chosen));
	if (!c || !x->chosen) {
		free(c);
		return -ENOMEM;
	}
	c->x = x;
	c->fetch = x->g->family == PT_ARM64;
	if (!c->fetch)
		find_vectors(c);
	prng_seed(&c->prng, x->c->seed);
	see_half(c, mmu->ttbr0, 0, BIT(bits));
	if (x->g->family == PT_ARM64)
		see_half(c, mmu->ttbr1, ~0ull << bits, 0);
	for (u64 i = 0; i < x->c->nr; i++) {
		struct pt_probe *p = &x->chosen[i];

		*p = (struct pt_probe){choose_va(c, i) & ~3ull, (enum pt_probe_kind)prng_below(&c->prng, PT_NR_PROBES)};
		if (p->kind >= PT_PROBE_KX && !may_fetch(c, p))
			p->kind = p->kind == PT_PROBE_KX ? PT_PROBE_KR : PT_PROBE_UR;
	}
	free(c);
	return 0;
}

static int write_regs(const char *dir, struct export *x, char *err, size_t size)
{
	FILE *regs = open_file(dir, "regs.txt", err, size);
	int r;

	if (!regs)
		return -EIO;
	if (x->g->family == PT_ARM64)
		write_arm64_regs(regs, x);
	else
		write_arm_regs(regs, x);
	r = write_tables(dir, x, regs, err, size);
	return close_file(regs, "regs.txt", err, size) && !r ? -EIO : r;
}

int pt_export_case(const char *dir, const struct pt_case *c, struct pt_export_stats *st, char *err, size_t size)
{
	struct export x = {.c = c, .g = &pt_geometries[c->geom], .units = (c->mem->bytes + UNIT - 1) / UNIT};
	int r;

	x.st.probes = c->nr;
	x.marked = calloc(x.units, 1);
	if (x.marked)
		mark_tables(&x);
	if (!x.marked || (!c->probes && choose_probes(&x))) {
		snprintf(err, size, "no memory for the map of tables");
		r = -ENOMEM;
	} else {
		r = write_regs(dir, &x, err, size);
	}
	if (!r)
		r = write_probes(dir, &x, c->probes ? c->probes : x.chosen, err, size);
	if (st)
		*st = x.st;
	free(x.chosen);
	free(x.marked);
	return r;
}
