/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes one case a geometry for the independent MMU (oracle.py) into the folder given: random
 * mappings with all rights, holes, entries of AF = 0, blocks and sections, and descriptors of random
 * bits. Output addresses have no RAM behind them, so that fetches execute nothing.
 * Usage: gen_cases DIR [PROBES]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/range.h"
#include "core/base/prng.h"
#include "traces/export_pgtables.h"

#define WINDOW (64 * MiB)
#define START  0x60000000ull
#define OUTPUT 0xc000000000ull /* of the long formats: no RAM, within 40 bits */
#define OUTPUT32 0x20000000u   /* of the short ones: a hole of machine virt */

struct gen {
	const struct pt_geometry *g;
	struct pt_mem mem;
	struct prng prng;
	u64 next;
	struct pt_alloc alloc;
	struct pt_space half[2];
	vaddr_t where[4096]; /* addresses that were given an entry */
	u32 nr;
};

static u64 rnd(struct gen *g, u64 n)
{
	return prng_below(&g->prng, n);
}

static paddr_t take(struct gen *g, u64 bytes)
{
	u64 at = ALIGN_UP(g->next, bytes);

	if (at + bytes > g->mem.bytes)
		return PT_NO_MEMORY;
	g->next = at + bytes;
	return g->mem.start + at;
}

static paddr_t gen_alloc(void *ctx, int height)
{
	struct gen *g = ctx;

	(void)height;
	return take(g, pt_page_size(g->g));
}

static void gen_init(struct gen *g, enum pt_geom geom, u64 seed)
{
	u64 root;

	memset(g, 0, sizeof(*g));
	g->g = &pt_geometries[geom];
	root = g->g->root_bytes < pt_page_size(g->g) ? pt_page_size(g->g) : g->g->root_bytes;
	prng_seed(&g->prng, seed);
	g->mem = (struct pt_mem){calloc(1, WINDOW), WINDOW, START};
	g->alloc = (struct pt_alloc){.ctx = g, .alloc = gen_alloc};
	for (int i = 0; i < 2; i++)
		g->half[i] = (struct pt_space){geom, i && g->g->family != PT_ARM64 ? g->half[0].root : take(g, root),
					       &g->mem, &g->alloc};
}

/* Clustered, so that tables are shared; high: the kernel's half. */
static vaddr_t some_va(struct gen *g, bool high)
{
	unsigned bits = g->g->va_bits;
	vaddr_t area = rnd(g, 6) * ((1ull << bits) / 6) + rnd(g, 3) * BIT(g->g->shift[1]);
	vaddr_t va = (area + rnd(g, BIT(g->g->shift[0] + 6))) & (BIT(bits) - 1) & ~3ull;

	if (g->g->family != PT_ARM64)
		return va & 0xbfffffff; /* the top quarter stays empty: fetch probes need a slot */
	return high ? va | ~(BIT(bits) - 1) : va;
}

static paddr_t some_output(struct gen *g)
{
	u64 n = rnd(g, 1u << 12) << g->g->page_shift;

	return g->g->family == PT_SHORT ? OUTPUT32 + (n & 0xffff000) : OUTPUT + n;
}

/* A page through the memory manager's own encoder, with any rights and state. */
static void put_page(struct gen *g, struct pt_slot *slot)
{
	pte_t p = pte_make(some_output(g), pte_user_prot((unsigned)rnd(g, 16)));

	if (!rnd(g, 4))
		p = pte_make(some_output(g), pte_kernel_prot((enum pt_kernel_prot)rnd(g, 4)));
	if (!rnd(g, 5))
		p = pte_mkold(p);
	if (rnd(g, 3))
		p = pte_mkdirty(p);
	if (rnd(g, 3))
		p = pte_mkwrite(p);
	pte_set(g->g, slot, p, false);
}

/* Random attribute bits over a legal type: what the hardware may meet and Linux never writes. */
static u64 odd_long(struct gen *g, u64 type, unsigned shift)
{
	u64 attrs = prng_u64(&g->prng) & (0xfe0ull | 0x78ull << 52 | A64_ATTR(7));

	attrs |= rnd(g, 4) ? A64_AF : 0;
	return (OUTPUT & ~(BIT(shift) - 1)) | rnd(g, 8) << shift | (attrs & ~(A64_ADDR | 0x20)) | type;
}

static void put_odd(struct gen *g, void *slot)
{
	u32 *hw = (u32 *)slot + ARM_HWTABLE_OFF / 4;

	if (g->g->family != PT_SHORT)
		*(u64 *)slot = odd_long(g, 1 + 2 * (rnd(g, 8) != 0), g->g->page_shift);
	else
		*hw = OUTPUT32 | (u32)rnd(g, 1u << 12) << 12 | (u32)(prng_u64(&g->prng) & 0xfff);
}

/* Blocks and sections, or random descriptors, where nothing is yet. */
static void put_block(struct gen *g, struct pt_leaf *leaf)
{
	unsigned shift = g->g->shift[leaf->height];
	u32 *pair = (u32 *)(void *)leaf->slot;

	if (!pt_entry_none(g->g, leaf->slot))
		return;
	if (g->g->family != PT_SHORT) {
		*(u64 *)(void *)leaf->slot = odd_long(g, rnd(g, 16) ? 1 : 2, shift);
		if (leaf->height > 2) /* QEMU accepts blocks that the architecture reserves */
			*(u64 *)(void *)leaf->slot &= ~1ull;
		return;
	}
	for (int i = 0; i < 2; i++) {
		u32 bits = (u32)prng_u64(&g->prng) & 0x3bdff & ~ARM_L1_SUPER;

		pair[i] = OUTPUT32 | (u32)rnd(g, 64) << 20 | (bits & ~3u) | (rnd(g, 8) ? 2 : 0);
	}
}

static void put_one(struct gen *g)
{
	struct pt_space *s = &g->half[rnd(g, 2)];
	vaddr_t va = some_va(g, s == &g->half[1]);
	struct pt_leaf leaf;
	int h = pt_lookup(s, va, &leaf);

	if (h && rnd(g, 3) == 0 && (g->g->block_heights & 1u << h)) {
		put_block(g, &leaf);
	} else {
		if (pt_alloc_slot(s, va, &leaf))
			return;
		if (rnd(g, 5))
			put_page(g, leaf.slot);
		else
			put_odd(g, leaf.slot);
	}
	if (g->nr < ARRAY_SIZE(g->where))
		g->where[g->nr++] = va;
}

static vaddr_t probe_va(struct gen *g, u64 i)
{
	if (g->nr && i % 4)
		return g->where[rnd(g, g->nr)] ^ (rnd(g, 4) ? rnd(g, 1024) << 2 : rnd(g, 4) << g->g->page_shift);
	if (i % 64 == 0 && g->g->family == PT_ARM64)
		return prng_u64(&g->prng) & ~3ull; /* mostly in no half */
	return some_va(g, rnd(g, 2));
}

static int export_to(const char *dir, const char *name, const struct pt_case *c)
{
	char path[4096], err[4200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0777) && errno != EEXIST) {
		perror(path);
		return 1;
	}
	if (!pt_export_case(path, c, NULL, err, sizeof(err)))
		return 0;
	fprintf(stderr, "gen_cases: %s\n", err);
	return 1;
}

/* The first probe that may write as the kernel; its leaf decides. */
static bool writable_leaf(const struct gen *g, const struct pt_case *c, struct pt_result *r)
{
	for (u64 i = 0; i < c->nr; i++)
		if (c->probes[i].kind == PT_PROBE_KW &&
		    mmu_translate(c->geom, &g->mem, &c->mmu, c->probes[i].va, PT_ACCESS_WRITE, false, r) == PT_OK)
			return true;
	return false;
}

/*
 * Three copies of the case with one bit of one descriptor flipped in the tables (address, access flag
 * or type, read-only) and the answers of the sound tables: the MMU must disagree with each.
 */
static int corrupt_cases(struct gen *g, const char *dir, const struct pt_case *c)
{
	static const char *const what[] = {"address", "state", "rdonly"};
	bool narrow = g->g->family == PT_SHORT;
	struct pt_result r;
	int bad = 0;

	if (!writable_leaf(g, c, &r))
		return 1;
	for (int i = 0; i < 3; i++) {
		unsigned rdonly = !narrow ? 7 : r.level == 1 ? 15 : 9;
		unsigned bits[] = {r.shift, narrow ? 1u : 10u, rdonly};
		char name[64], from[4200], to[4200];
		u8 *byte = pt_mem_at(&g->mem, r.table + ((u64)r.index << (narrow ? 2 : 3)) + bits[i] / 8);

		snprintf(name, sizeof(name), "corrupt-%s-%s", g->g->name, what[i]);
		snprintf(from, sizeof(from), "%s/%s/expected.txt", dir, g->g->name);
		snprintf(to, sizeof(to), "%s/%s/expected.txt", dir, name);
		*byte ^= (u8)(1u << bits[i] % 8);
		bad |= export_to(dir, name, c) || remove(to) || link(from, to);
		*byte ^= (u8)(1u << bits[i] % 8);
	}
	return bad;
}

static int one_case(const char *dir, enum pt_geom geom, u64 probes, u64 seed)
{
	struct pt_probe *p = calloc(probes, sizeof(*p));
	struct gen *g = calloc(1, sizeof(*g));
	struct pt_case c;
	int r;

	if (!g || !p)
		return 1;
	gen_init(g, geom, seed);
	for (int i = 0; i < 3000; i++)
		put_one(g);
	for (u64 i = 0; i < probes; i++) {
		p[i].va = probe_va(g, i);
		p[i].kind = (enum pt_probe_kind)rnd(g, PT_NR_PROBES);
	}
	c = (struct pt_case){.geom = geom, .mem = &g->mem, .probes = p, .nr = probes,
			     .mmu = {.ttbr0 = g->half[0].root, .ttbr1 = g->half[1].root, .pxn = true,
				     .dacr = 0x55555555, .pa_bits = geom % 2 ? 0 : 40}};
	r = export_to(dir, g->g->name, &c) || corrupt_cases(g, dir, &c);
	free(g->mem.base);
	free(g);
	free(p);
	return r;
}

int main(int argc, char **argv)
{
	u64 probes = argc > 2 ? strtoull(argv[2], NULL, 0) : 6000;
	const char *seed = getenv("MEMRIG_SEED");

	if (argc < 2) {
		fprintf(stderr, "usage: gen_cases DIR [PROBES]\n");
		return 2;
	}
	for (unsigned i = 0; i < PT_NR_GEOM; i++)
		if (one_case(argv[1], (enum pt_geom)i, probes, i + (seed ? strtoull(seed, NULL, 0) : 1)))
			return 1;
	return 0;
}
