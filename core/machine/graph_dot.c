/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The graph as a picture in the language of graphviz. All references between two objects are one line
 * with their fields as its label; an object is coloured by its kind. Of many references by one field the
 * first few are drawn and the others counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine/graph.h"

#define FIELDS 6 /* on one line */

struct node {
	char name[64];
};

struct line {
	u32 a, b; /* nodes */
	u8 nr_fields;
	bool forth, back, broken; /* a reference a -> b; one b -> a, or a way back */
	const char *fields[FIELDS];
};

struct group { /* references by one field from one node */
	u32 from;
	u32 drawn, more;
	const char *field;
};

/* A growing array of records and a hash table of their numbers. */
struct index {
	void *records;
	size_t size; /* of a record */
	u32 nr, room, slots;
	u32 *table; /* number + 1; 0: free */
	u64 *keys;
};

struct dot {
	unsigned most;
	struct index nodes, lines, groups;
	bool no_memory;
};

/* ---- finding things again: a collision of 64-bit keys would only hide a line of the picture ---- */

static u64 mix_text(u64 h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (u8)*s) * 0x100000001b3ull;
	return (h ^ 0xff) * 0x100000001b3ull;
}

/* Of two nodes, in either order. */
static u64 mix_pair(u32 a, u32 b)
{
	u64 h = (a < b ? (u64)a << 32 | b : (u64)b << 32 | a) * 0x9e3779b97f4a7c15ull;

	return h ^ h >> 29;
}

static u32 *place_of(const struct index *x, u64 key)
{
	u32 i = (u32)key & (x->slots - 1);

	while (x->table[i] && x->keys[x->table[i] - 1] != key)
		i = (i + 1) & (x->slots - 1);
	return &x->table[i];
}

static bool make_room(struct index *x)
{
	u32 room = x->room ? x->room * 2 : 1024;
	void *records;
	u64 *keys;

	if (x->nr < x->room)
		return true;
	records = realloc(x->records, room * x->size);
	x->records = records ? records : x->records;
	keys = realloc(x->keys, room * sizeof(*keys));
	x->keys = keys ? keys : x->keys;
	free(x->table);
	x->table = calloc(room * 2, sizeof(*x->table));
	x->slots = x->table ? room * 2 : 0;
	if (!records || !keys || !x->table)
		return false;
	x->room = room;
	for (u32 i = 0; i < x->nr; i++)
		*place_of(x, x->keys[i]) = i + 1;
	return true;
}

static void *record(const struct index *x, u32 i)
{
	return (u8 *)x->records + i * x->size;
}

/* The record of @key, or NULL. */
static void *look_up(const struct index *x, u64 key)
{
	u32 at = x->slots ? *place_of(x, key) : 0;

	return at ? record(x, at - 1) : NULL;
}

/* The record of @key, made of zeros if it is new (*@fresh); NULL: no memory. */
static void *intern(struct dot *d, struct index *x, u64 key, bool *fresh)
{
	void *r = look_up(x, key);

	*fresh = !r;
	if (r)
		return r;
	if (d->no_memory || !make_room(x)) {
		d->no_memory = true;
		return NULL;
	}
	*place_of(x, key) = x->nr + 1;
	x->keys[x->nr] = key;
	r = record(x, x->nr++);
	memset(r, 0, x->size);
	return r;
}

static u32 number_of(const struct index *x, const void *r)
{
	return (u32)((size_t)((const u8 *)r - (const u8 *)x->records) / x->size);
}

/* ---- collecting ---- */

static u64 node_key(const char *name)
{
	return mix_text(0xcbf29ce484222325ull, name);
}

static bool node_of(struct dot *d, const char *name, u32 *number)
{
	bool fresh;
	struct node *n = intern(d, &d->nodes, node_key(name), &fresh);

	if (!n)
		return false;
	if (fresh)
		snprintf(n->name, sizeof(n->name), "%s", name);
	*number = number_of(&d->nodes, n);
	return true;
}

static bool has_field(const struct line *l, const char *field)
{
	for (unsigned i = 0; i < l->nr_fields; i++)
		if (!strcmp(l->fields[i], field))
			return true;
	return false;
}

/* Is the reference drawn already? (a page that two areas map is met twice) */
static bool known(const struct dot *d, u32 from, u32 to, const char *field)
{
	const struct line *l = look_up(&d->lines, mix_pair(from, to));

	return l && has_field(l, field) && (l->a == from ? l->forth : l->back);
}

static void add_line(struct dot *d, u32 from, u32 to, const struct graph_edge *e)
{
	bool fresh;
	struct line *l = intern(d, &d->lines, mix_pair(from, to), &fresh);

	if (!l)
		return;
	if (fresh) {
		l->a = from;
		l->b = to;
	}
	if (!has_field(l, e->field) && l->nr_fields < FIELDS)
		l->fields[l->nr_fields++] = e->field;
	*(l->a == from ? &l->forth : &l->back) = true;
	if (e->back == GRAPH_BACK_OK)
		l->forth = l->back = true;
	l->broken |= e->back == GRAPH_BACK_BROKEN;
}

static void collect(void *arg, const struct graph_edge *e)
{
	struct dot *d = arg;
	struct group *g;
	bool fresh;
	u32 from, to;

	/* what starts at a page belongs into the picture only if the page does */
	if (!strncmp(e->from, "page ", 5) && !look_up(&d->nodes, node_key(e->from)))
		return;
	if (!node_of(d, e->from, &from))
		return;
	g = intern(d, &d->groups, mix_text(node_key(e->from), e->field), &fresh);
	if (!g)
		return;
	g->from = from;
	g->field = e->field;
	if (look_up(&d->nodes, node_key(e->to)) && node_of(d, e->to, &to) && known(d, from, to, e->field))
		return;
	if (g->drawn == d->most) {
		g->more++;
		return;
	}
	g->drawn++;
	if (node_of(d, e->to, &to))
		add_line(d, from, to, e);
}

/* ---- printing ---- */

static const char *colour_of(const char *name)
{
	static const struct {
		const char *kind, *colour;
	} kinds[] = {
		{"task", "#cfe3f5"},	  {"mm ", "#cfe3f5"},	    {"vma ", "#d5ecd0"},
		{"anon_vma", "#fbe0c3"},  {"file", "#e3d7f0"},	    {"address_space", "#e3d7f0"},
		{"page", "#fdf3c4"},	  {"node", "#e4e4e4"},	    {"zone", "#e4e4e4"},
		{"vm_struct", "#d3ecec"}, {"vmap_area", "#d3ecec"}, {"kmem_cache", "#f7d6da"},
		{"swap", "#e6dccb"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(name, kinds[i].kind, strlen(kinds[i].kind)))
			return kinds[i].colour;
	return "#ffffff";
}

/* The kind above the name; of a VMA the start alone, since its lines say whose it is. */
static void print_node(FILE *out, const char *name)
{
	const char *last = strrchr(name, ' ');
	int kind = !last ? 0 : !strncmp(name, "vma ", 4) ? 3 : (int)(last - name);

	fprintf(out, "\t\"%s\" [label=\"%.*s\\n%s\", fillcolor=\"%s\"];\n", name, kind, name, last ? last + 1 : name,
		colour_of(name));
}

static void print_line(FILE *out, const struct dot *d, const struct line *l)
{
	const struct node *a = record(&d->nodes, l->forth ? l->a : l->b);
	const struct node *b = record(&d->nodes, l->forth ? l->b : l->a);

	fprintf(out, "\t\"%s\" -> \"%s\" [label=\"", a->name, b->name);
	for (unsigned i = 0; i < l->nr_fields; i++)
		fprintf(out, "%s%s", i ? "\\n" : "", l->fields[i]);
	fprintf(out, "\"%s%s];\n", l->forth && l->back ? ", dir=both" : "", l->broken ? ", color=red" : "");
}

static void print(FILE *out, const struct dot *d)
{
	fputs("digraph memrig {\n\trankdir=LR;\n\tbgcolor=transparent;\n\tnodesep=0.15;\n"
	      "\tnode [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#8a8f96\", fontcolor=\"#1d2126\", "
	      "fontsize=10, height=0.3, margin=\"0.08,0.03\", fontname=\"sans-serif\"];\n"
	      "\tedge [fontsize=8, arrowsize=0.6, fontname=\"sans-serif\"];\n", out);
	for (u32 i = 0; i < d->nodes.nr; i++)
		print_node(out, ((const struct node *)record(&d->nodes, i))->name);
	for (u32 i = 0; i < d->lines.nr; i++)
		print_line(out, d, record(&d->lines, i));
	for (u32 i = 0; i < d->groups.nr; i++) {
		const struct group *g = record(&d->groups, i);
		const char *from = ((const struct node *)record(&d->nodes, g->from))->name;

		if (g->more)
			fprintf(out, "\t\"%s\" -> \"%u more of %s\" [label=\"%s\", style=dashed];\n", from, g->more,
				from, g->field);
	}
	fputs("}\n", out);
}

static void release(struct index *x)
{
	free(x->records);
	free(x->table);
	free(x->keys);
}

void graph_print_dot(struct machine *m, unsigned most, FILE *out)
{
	struct dot d = {.most = most, .nodes.size = sizeof(struct node), .lines.size = sizeof(struct line),
			.groups.size = sizeof(struct group)};

	graph_walk(m, collect, &d);
	print(out, &d);
	release(&d.nodes);
	release(&d.lines);
	release(&d.groups);
}
