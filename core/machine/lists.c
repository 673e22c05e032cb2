/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/lists.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"

/* One snapshot while it is written. */
struct out {
	struct machine *m;
	FILE *f;
	const char *name, *kind;
	u64 first_frame; /* of RAM: what printed numbers count from */
	bool item;       /* the list has one already */
};

static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 32)
			fprintf(f, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

/* Opens {"name":..., "kind":..., "zone":..., "list":..., "items":[ */
static void begin(struct out *o, const struct zone *z, const char *list)
{
	fprintf(o->f, "{\"name\":");
	put_string(o->f, o->name);
	fprintf(o->f, ",\"kind\":\"%s\",\"node\":%u,\"zone\":\"%s\",\"list\":\"%s\",\"items\":[", o->kind,
		z->node, z->name, list);
	o->item = false;
}

static void end(struct out *o)
{
	fprintf(o->f, "]}\n");
}

static void comma(struct out *o)
{
	if (o->item)
		fputc(',', o->f);
	o->item = true;
}

static void put_frame(void *arg, u32 frame)
{
	struct out *o = arg;

	comma(o);
	fprintf(o->f, "%" PRIu64, o->m->phys.base_pfn + frame - o->first_frame);
}

/* "movable", "reserve": migratetype_name() in lower case. */
static const char *type_name(struct out *o, unsigned mt, char *buf, size_t n)
{
	size_t i;

	snprintf(buf, n, "%s", migratetype_name(&o->m->phys, (enum migratetype)mt));
	for (i = 0; buf[i]; i++)
		buf[i] = (char)tolower((unsigned char)buf[i]);
	return buf;
}

static void zone_buddy(struct out *o, const struct zone *z)
{
	char list[64], type[32];

	for (unsigned order = 0; order < o->m->phys.max_order; order++)
		for (unsigned i = 0; i < o->m->phys.nr_mt; i++) {
			unsigned mt = o->m->phys.mt_order[i];

			snprintf(list, sizeof(list), "order %u %s", order,
				 type_name(o, mt, type, sizeof(type)));
			begin(o, z, list);
			for_each_free_block(z, order, (enum migratetype)mt, put_frame, o);
			end(o);
		}
}

static void zone_pcp(struct out *o, const struct zone *z)
{
	char list[64], type[32];

	for (unsigned cpu = 0; cpu < o->m->hw.ncpu; cpu++)
		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
			type_name(o, mt, type, sizeof(type));
			if (o->m->hw.ncpu > 1)
				snprintf(list, sizeof(list), "cpu %u %s", cpu, type);
			else
				snprintf(list, sizeof(list), "%s", type);
			begin(o, z, list);
			for (u32 i = 0; i < pcp_list_length(z, cpu, (enum migratetype)mt); i++)
				put_frame(o, pcp_list_frame(z, cpu, (enum migratetype)mt, i));
			end(o);
		}
}

static void zone_blocks(struct out *o, const struct zone *z)
{
	u64 block = 1ull << o->m->phys.pageblock_order;
	u64 pfn = ALIGN_DOWN(z->zone_start_pfn, block);
	char type[32];

	begin(o, z, "pageblocks");
	for (; pfn < zone_end_pfn(z); pfn += block) {
		const struct page *p = pfn_to_page(&o->m->phys, (pfn_t)pfn);

		comma(o);
		fprintf(o->f, "\"%s\"", type_name(o, get_pageblock_migratetype(&o->m->phys, p), type,
						  sizeof(type)));
	}
	end(o);
}

/* What frame @frame, which is in no free block, is used for. */
static const char *frame_use(const struct phys *phys, u32 frame)
{
	const struct page *p = frame_to_page(phys, frame);

	if (!pfn_valid(phys, phys->base_pfn + frame))
		return "hole";
	if (page_is_reserved(phys, p))
		return "reserved";
	if (PageSlab(p) || PageTail(p) || PageHead(p))
		return "kernel";
	if (PageAnon(p))
		return "anon";
	if (p->mapping)
		return "file";
	return page_count(p) ? "kernel" : "cached"; /* nobody's: on a CPU's list */
}

/* Every frame of the zone, in order, as runs of equal use: ["free", 512], ["anon", 3], ... */
static void zone_frames(struct out *o, const struct zone *z)
{
	const struct phys *phys = &o->m->phys;
	const char *run = NULL, *use;
	u64 length = 0;

	begin(o, z, "frames");
	for (u32 frame = z->start_frame, n; frame < z->start_frame + z->nr_frames; frame += n, length += n) {
		unsigned order;

		n = 1;
		use = "free";
		if (page_buddy(phys, frame, &order))
			n = 1u << order;
		else
			use = frame_use(phys, frame);
		if (run && strcmp(run, use)) {
			comma(o);
			fprintf(o->f, "[\"%s\",%" PRIu64 "]", run, length);
			length = 0;
		}
		run = use;
	}
	if (run) {
		comma(o);
		fprintf(o->f, "[\"%s\",%" PRIu64 "]", run, length);
	}
	end(o);
}

static void put_lru(struct out *o, const struct zone *z, const struct page_list *l, const char *list)
{
	begin(o, z, list);
	for (struct page *p = plist_first(o->m->phys.memmap, l); p; p = plist_next(o->m->phys.memmap, p))
		put_frame(o, page_frame(&o->m->phys, p));
	end(o);
}

static const struct zone *first_zone(const struct phys *phys, unsigned node)
{
	const struct zone *z = phys->zones;

	while (z->node != node || (!z->present_pages && z + 1 < phys->zones + phys->nr_zones && z[1].node == node))
		z++;
	return z;
}

/* mglru=1: the zone's own lists of each generation, oldest first. */
static void zone_generations(struct out *o, const struct zone *z)
{
	const struct lru_gen *g = zone_lruvec(&o->m->vm.lru, z)->gen;
	char list[64];

	for (unsigned type = 0; g && type < ANON_AND_FILE; type++)
		for (u64 seq = g->min_seq[type]; seq <= g->max_seq; seq++) {
			snprintf(list, sizeof(list), "%s generation %" PRIu64, type ? "file" : "anon", seq);
			put_lru(o, z, &g->lists[gen_of_seq(seq)][type][z->type], list);
		}
}

/* Lists of a zone; with reclaim=node the node's, under the name of its first zone with pages. */
static void zone_lru(struct out *o, const struct zone *z)
{
	static const char *const names[NR_LRU_LISTS] = {"inactive_anon", "active_anon", "inactive_file",
							"active_file", "unevictable"};

	const struct lruvec *v = zone_lruvec(&o->m->vm.lru, z);

	zone_generations(o, z);
	if (o->m->vm.lru.per_node && z != first_zone(&o->m->phys, z->node))
		return;
	for (unsigned l = v->gen ? LRU_UNEVICTABLE : 0; l < NR_LRU_LISTS; l++)
		put_lru(o, z, &v->lists[l], names[l]);
}

static bool keep(struct machine *m, char *text)
{
	char **grown = realloc(m->lists, (m->nr_lists + 1) * sizeof(*grown));

	if (!grown)
		return false;
	m->lists = grown;
	m->lists[m->nr_lists++] = text;
	return true;
}

/* One JSON object a line in @text becomes one entry of the machine's snapshots each. */
static int keep_lines(struct machine *m, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *copy = strdup(line);

		if (!copy || !keep(m, copy)) {
			free(copy);
			return -ENOMEM;
		}
	}
	return 0;
}

typedef void (*zone_fn)(struct out *, const struct zone *);

static zone_fn zone_kind(const char *kind)
{
	static const struct {
		const char *kind;
		zone_fn fn;
	} kinds[] = {{"buddy", zone_buddy}, {"pcp", zone_pcp}, {"blocks", zone_blocks}, {"lru", zone_lru},
		     {"frames", zone_frames}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].fn;
	return NULL;
}

int machine_take_lists(struct machine *m, const char *name, const char *kind, u64 cache)
{
	struct out o = {.m = m, .name = name, .kind = kind, .first_frame = m->phys.min_low_pfn};
	zone_fn fn = zone_kind(kind);
	char *text = NULL;
	size_t size = 0;
	int r = 0;

	o.f = open_memstream(&text, &size);
	if (!o.f)
		return -ENOMEM;
	for (unsigned i = 0; fn && i < m->phys.nr_zones; i++)
		fn(&o, &m->phys.zones[i]);
	if (!fn)
		r = apply_kernel_lists(m->kernel_ops, name, kind, cache, o.f);
	if (fclose(o.f) && !r)
		r = -ENOMEM;
	if (!r)
		r = keep_lines(m, text);
	free(text);
	return r;
}
