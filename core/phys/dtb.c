/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Just enough of the flattened device tree format (devicetree.org, version 17) to read memory nodes:
 * a walk over the structure block's tokens. Only nodes directly below the root count.
 */
#include "core/phys/dtb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDT_MAGIC 0xd00dfeedu
#define DTB_MAX   (4 * MiB)
enum { FDT_BEGIN_NODE = 1, FDT_END_NODE, FDT_PROP, FDT_NOP, FDT_END = 9 };

struct fdt {
	const u8 *data;
	u32 size, pos;         /* of the file; of the token read next */
	const char *strings;
	u32 strings_size;
	u32 address_cells, size_cells; /* of the root */
};

struct node { /* the depth-1 node being read */
	bool is_memory;
	const u8 *reg;
	u32 reg_len;
};

MM_PRINTF(3, 4) static int fail(char *err, size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err && n)
		vsnprintf(err, n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 cells(const u8 *p, u32 n)
{
	u64 v = 0;

	for (u32 i = 0; i < n; i++)
		v = v << 32 | be32(p + 4 * i);
	return v;
}

/* Next 32-bit word, or FDT_END at the end of the file. */
static u32 next_word(struct fdt *f)
{
	u32 v;

	if (f->size - f->pos < 4) {
		f->pos = f->size;
		return FDT_END;
	}
	v = be32(f->data + f->pos);
	f->pos += 4;
	return v;
}

static bool skip(struct fdt *f, u64 n)
{
	n = (n + 3) & ~3ull;
	if (n > f->size - f->pos)
		return false;
	f->pos += (u32)n;
	return true;
}

static bool read_property(struct fdt *f, unsigned depth, struct node *node)
{
	u32 len = next_word(f), name_off = next_word(f);
	const u8 *value = f->data + f->pos;
	const char *name = f->strings + name_off;

	if (name_off >= f->strings_size || !memchr(name, 0, f->strings_size - name_off) ||
	    !skip(f, len))
		return false;
	if (depth == 1 && len == 4 && !strcmp(name, "#address-cells"))
		f->address_cells = be32(value);
	else if (depth == 1 && len == 4 && !strcmp(name, "#size-cells"))
		f->size_cells = be32(value);
	else if (depth == 2 && !strcmp(name, "device_type"))
		node->is_memory = len == 7 && !memcmp(value, "memory", 7);
	else if (depth == 2 && !strcmp(name, "reg")) {
		node->reg = value;
		node->reg_len = len;
	}
	return true;
}

static int report_banks(const struct fdt *f, const struct node *node,
			int (*fn)(void *arg, u64 base, u64 size), void *arg, unsigned *banks)
{
	u32 pair = 4 * (f->address_cells + f->size_cells);

	if (!node->is_memory || !node->reg)
		return 0;
	if (!f->address_cells || f->address_cells > 2 || !f->size_cells || f->size_cells > 2)
		return -EINVAL;
	for (u32 at = 0; at + pair <= node->reg_len; at += pair) {
		u64 base = cells(node->reg + at, f->address_cells);
		u64 size = cells(node->reg + at + 4 * f->address_cells, f->size_cells);

		if (base + size < base || fn(arg, base, size))
			return -EINVAL;
		++*banks;
	}
	return 0;
}

/* 0, or -EINVAL: malformed. */
static int walk(struct fdt *f, int (*fn)(void *arg, u64 base, u64 size), void *arg, unsigned *banks)
{
	struct node node = {0};
	unsigned depth = 0;

	for (;;) {
		const u8 *name;
		size_t len;

		switch (next_word(f)) {
		case FDT_BEGIN_NODE:
			name = f->data + f->pos;
			len = strnlen((const char *)name, f->size - f->pos);
			if (!skip(f, len + 1))
				return -EINVAL;
			if (++depth == 2)
				node = (struct node){0};
			break;
		case FDT_END_NODE:
			if (!depth)
				return -EINVAL;
			if (depth-- == 2 && report_banks(f, &node, fn, arg, banks))
				return -EINVAL;
			break;
		case FDT_PROP:
			if (!read_property(f, depth, &node))
				return -EINVAL;
			break;
		case FDT_NOP:
			break;
		case FDT_END:
			return depth ? -EINVAL : 0;
		default:
			return -EINVAL;
		}
	}
}

static int open_fdt(struct fdt *f, const u8 *data, size_t size)
{
	u32 total, structs, strings, strings_size;

	if (size < 40 || be32(data) != FDT_MAGIC)
		return -EINVAL;
	total = be32(data + 4);
	structs = be32(data + 8);
	strings = be32(data + 12);
	strings_size = be32(data + 32);
	if (total > size || structs > total || strings > total || strings_size > total - strings)
		return -EINVAL;
	*f = (struct fdt){.data = data, .size = total, .pos = structs,
			  .strings = (const char *)data + strings, .strings_size = strings_size,
			  .address_cells = 2, .size_cells = 1};
	return 0;
}

int dtb_memory(const char *path, int (*fn)(void *arg, u64 base, u64 size), void *arg, char *err,
	       size_t errlen)
{
	FILE *in = fopen(path, "rb");
	unsigned banks = 0;
	struct fdt f;
	size_t size;
	u8 *data;
	int r;

	if (!in)
		return fail(err, errlen, "%s: %s", path, strerror(errno));
	data = malloc(DTB_MAX);
	size = data ? fread(data, 1, DTB_MAX, in) : 0;
	fclose(in);
	if (open_fdt(&f, data, size))
		r = fail(err, errlen, "%s: no flattened device tree", path);
	else if (walk(&f, fn, arg, &banks))
		r = fail(err, errlen, "%s: malformed near byte %u", path, f.pos);
	else
		r = banks ? 0 : fail(err, errlen, "%s: no memory node", path);
	free(data);
	return r;
}
