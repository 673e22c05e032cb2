/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/record/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/hash.h"

#define PM_PRESENT    BIT(63)
#define PM_SWAPPED    BIT(62)
#define PM_FILE	      BIT(61)
#define PM_PFN	      (BIT(55) - 1)
#define KPF_ZERO_PAGE BIT(24)
#define CHUNK	      256u /* pages read at once */

struct known {
	u64 page; /* number of the page; 0: an empty entry */
	u64 tag;
	u32 tgid, nth;
	u32 look;
};

struct rec_prints {
	struct known *table;
	unsigned bits;
	u64 used;
	u32 look;
	u64 page_bytes;
	struct rec_print *changed;
	u64 nr_changed, cap_changed;
	u64 seen, written;
	int kpageflags; /* -1: pages of zeros may be the shared one, and are left out */
	u64 pagemap[CHUNK];
	u8 *bytes; /* CHUNK pages */
};

struct rec_prints *rec_prints_new(void)
{
	struct rec_prints *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->bits = 16;
	p->page_bytes = (u64)sysconf(_SC_PAGESIZE);
	p->table = calloc(1u << p->bits, sizeof(*p->table));
	p->bytes = malloc(CHUNK * p->page_bytes);
	p->kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (p->table && p->bytes)
		return p;
	rec_prints_free(p);
	return NULL;
}

void rec_prints_free(struct rec_prints *p)
{
	if (!p)
		return;
	if (p->kpageflags >= 0)
		close(p->kpageflags);
	free(p->table);
	free(p->bytes);
	free(p->changed);
	free(p);
}

/* ---- what is known ---- */

static struct known *find(const struct rec_prints *p, u64 page, u32 tgid, u32 nth)
{
	u64 mask = (1ull << p->bits) - 1;
	u64 i = hash_u64(page ^ (u64)tgid << 40 ^ (u64)nth << 56, p->bits);

	while (p->table[i].page &&
	       (p->table[i].page != page || p->table[i].tgid != tgid || p->table[i].nth != nth))
		i = (i + 1) & mask;
	return &p->table[i];
}

/* Twice the room; entries that the last two looks did not see are left behind. */
static int grow(struct rec_prints *p)
{
	struct known *old = p->table;
	u64 n = 1ull << p->bits;

	p->table = calloc(n * 2, sizeof(*p->table));
	if (!p->table) {
		p->table = old;
		return -ENOMEM;
	}
	p->bits++;
	p->used = 0;
	for (u64 i = 0; i < n; i++)
		if (old[i].page && old[i].look + 1 >= p->look) {
			*find(p, old[i].page, old[i].tgid, old[i].nth) = old[i];
			p->used++;
		}
	free(old);
	return 0;
}

static bool current(const struct rec_prints *p, const struct known *k)
{
	return k->page && k->look + 1 >= p->look;
}

static int append(struct rec_prints *p, const struct rec_program *prog, u64 addr, u64 tag)
{
	struct rec_print *last = p->nr_changed ? &p->changed[p->nr_changed - 1] : NULL;

	p->written++;
	if (last && last->tgid == prog->tgid && last->nth == prog->nth && last->tag == tag &&
	    last->addr + last->len == addr) {
		last->len += p->page_bytes;
		return 0;
	}
	if (p->nr_changed == p->cap_changed) {
		u64 cap = p->cap_changed ? p->cap_changed * 2 : 1024;
		struct rec_print *v = realloc(p->changed, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->changed = v;
		p->cap_changed = cap;
	}
	p->changed[p->nr_changed++] =
		(struct rec_print){addr, p->page_bytes, tag, prog->tgid, prog->nth};
	return 0;
}

static int note(struct rec_prints *p, const struct rec_program *prog, u64 addr, u64 tag)
{
	u64 page = addr / p->page_bytes;
	struct known *k = find(p, page, prog->tgid, prog->nth), *parent;
	bool same = current(p, k) && k->tag == tag;

	if (!current(p, k) && prog->parent) {
		parent = find(p, page, prog->parent, prog->parent_nth);
		same = current(p, parent) && parent->tag == tag;
	}
	p->seen++;
	if (!k->page) {
		if (p->used * 2 >= 1ull << p->bits) {
			if (grow(p))
				return -ENOMEM;
			k = find(p, page, prog->tgid, prog->nth);
		}
		p->used++;
	}
	*k = (struct known){page, tag, prog->tgid, prog->nth, p->look};
	return same ? 0 : append(p, prog, addr, tag);
}

/* ---- a process ---- */

/* One look at one process: its files. */
struct look {
	struct rec_prints *p;
	const struct rec_program *prog;
	int pagemap, mem;
};

static bool all_zero(const u8 *page, u64 bytes)
{
	return !page[0] && !memcmp(page, page + 1, bytes - 1);
}

/* A present page of zeros that is the kernel's shared one, or may be. */
static bool shared_zero(const struct rec_prints *p, u64 entry)
{
	u64 flags, pfn = entry & PM_PFN;

	return p->kpageflags < 0 || !pfn ||
	       pread(p->kpageflags, &flags, sizeof(flags), (off_t)(pfn * sizeof(flags))) !=
		       sizeof(flags) ||
	       flags & KPF_ZERO_PAGE;
}

static bool anonymous(u64 entry)
{
	return (entry & (PM_PRESENT | PM_SWAPPED | PM_FILE)) == PM_PRESENT;
}

/* Pages [first, first + n) of a chunk at @addr, all present. What cannot be read is gone. */
static int hash_pages(struct look *l, u64 addr, const u64 *entries, u64 n)
{
	struct rec_prints *p = l->p;
	ssize_t got = pread(l->mem, p->bytes, n * p->page_bytes, (off_t)addr);

	for (u64 i = 0; got > 0 && i < (u64)got / p->page_bytes; i++) {
		const u8 *page = p->bytes + i * p->page_bytes;
		bool zero = all_zero(page, p->page_bytes);
		u64 tag = zero ? 0 : XXH3_64bits(page, p->page_bytes) | 1;

		if (zero && shared_zero(p, entries[i]))
			continue;
		if (note(p, l->prog, addr + i * p->page_bytes, tag))
			return -ENOMEM;
	}
	return 0;
}

static int hash_chunk(struct look *l, u64 addr, u64 n)
{
	const u64 *e = l->p->pagemap;
	int r = 0;

	for (u64 i = 0, k; i < n && !r; i = k) {
		for (k = i; k < n && anonymous(e[k]) == anonymous(e[i]); k++)
			;
		if (anonymous(e[i]))
			r = hash_pages(l, addr + i * l->p->page_bytes, e + i, k - i);
	}
	return r;
}

static int hash_region(struct look *l, u64 start, u64 end)
{
	u64 bytes = l->p->page_bytes;

	for (u64 addr = start; addr < end; addr += CHUNK * bytes) {
		u64 n = (end - addr) / bytes < CHUNK ? (end - addr) / bytes : CHUNK;
		ssize_t got = pread(l->pagemap, l->p->pagemap, n * sizeof(u64),
				    (off_t)(addr / bytes * sizeof(u64)));
		int r = got > 0 ? hash_chunk(l, addr, (u64)got / sizeof(u64)) : 0;

		if (r || got <= 0)
			return r;
	}
	return 0;
}

/* A line of /proc/PID/maps: private, of no file, and not the kernel's own pages. */
static bool private_anonymous(const char *line, u64 *start, u64 *end)
{
	unsigned long long a, b, off, inode;
	char perms[5], dev[16];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %15s %llu %n", &a, &b, perms, &off, dev, &inode,
		   &path) < 6)
		return false;
	*start = a;
	*end = b;
	return perms[3] == 'p' && !inode && strncmp(line + path, "[v", 2) != 0;
}

static int open_of(u32 tgid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", tgid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int rec_prints_take(struct rec_prints *p, const struct rec_program *prog)
{
	struct look l = {.p = p,
			 .prog = prog,
			 .pagemap = open_of(prog->tgid, "pagemap"),
			 .mem = open_of(prog->tgid, "mem")};
	int fd = open_of(prog->tgid, "maps"), r = 0;
	FILE *maps = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t cap = 0;
	u64 start, end;

	if (fd >= 0 && !maps)
		close(fd);
	while (maps && l.pagemap >= 0 && l.mem >= 0 && !r && getline(&line, &cap, maps) > 0)
		if (private_anonymous(line, &start, &end))
			r = hash_region(&l, start, end);
	free(line);
	if (maps)
		fclose(maps);
	if (l.pagemap >= 0)
		close(l.pagemap);
	if (l.mem >= 0)
		close(l.mem);
	return r;
}

void rec_prints_begin(struct rec_prints *p)
{
	p->look++;
	p->nr_changed = 0;
}

const struct rec_print *rec_prints_changed(const struct rec_prints *p, u64 *nr)
{
	*nr = p->nr_changed;
	return p->changed;
}

u64 rec_prints_seen(const struct rec_prints *p)
{
	return p->seen;
}

u64 rec_prints_written(const struct rec_prints *p)
{
	return p->written;
}
