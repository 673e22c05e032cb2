/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packed B-tree (vma=btree).
 *
 *   root[region]      an address of 48 bits has 36 bits of page number: 16 regions of 2^32 pages, so
 *        |            that the keys inside one are 32 bits wide and 31 of them fill two cache lines
 *   +----+-----------+
 *   | 14f  3a0  max  |    key of entry i: the last page of its VMA, or of its child's last VMA. The last
 *   | 9    200  31   |    entry of an inner node has no bound of its own: it takes what its parent sends.
 *   +-+----+-----+---+    gap of entry i: pages free below the VMA, or the most below one of the child.
 *     |    |     |
 *   leaves: VMAs
 *
 * A VMA is filed under its last page, so the VMA wanted by find_vma(addr) is the first whose key is not
 * below addr's page: the number of smaller keys is its place, counted with a few vector comparisons and
 * no branch. Keys are biased by 2^31, since the vectors of the x86-64 baseline compare signed numbers.
 * Gaps above BT_GAP_MAX pages are filed as that much: searches look at the VMA itself before they agree.
 *
 * Nodes but roots have MIN_FILL entries or more. Each is one object of the slab cache vma_btree_node.
 * In the manner of lib/maple_tree.c, not after it: that stores ranges and gaps in 256-byte nodes with
 * 64-bit pivots, and finds them one by one.
 */
#include <errno.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/base/bits.h"
#include "core/vm/vma_index.h"

#define BT_FANOUT  31
#define BT_GAP_MAX INT32_MAX
#define MIN_FILL   8
#define MERGE_FILL 27 /* two siblings that fit into this many become one; the rest is room to grow */

struct vma_bt_node {
	s32 key[BT_FANOUT];       /* INT32_MAX behind the last */
	u32 n;
	void *slot[BT_FANOUT + 1]; /* NULL behind the last; of a leaf VMAs, else nodes */
	s32 gap[BT_FANOUT + 1];   /* 0 behind the last */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct vma_bt_node) == VMA_BT_NODE_BYTES, "two cache lines of keys, four of slots, two of gaps");

/* ---- keys, gaps, and the searches in one node ---- */

static s32 biased(u32 page)
{
	return (s32)(page ^ 0x80000000u);
}

MM_INLINE u64 page_of(const struct vm *vm, vaddr_t addr)
{
	return addr >> vm->page_shift;
}

static unsigned region_of(u64 page)
{
	return (unsigned)(page >> 32);
}

static u64 last_page(const struct vm *vm, vaddr_t end)
{
	return page_of(vm, end - 1);
}

static s32 gap_of(const struct vm *vm, const struct vm_area_struct *v)
{
	return (s32)mm_min(page_of(vm, vma_gap(v)), BT_GAP_MAX);
}

/* Number of keys below @x: the place of the first that is not. BT_FANOUT at most. */
MM_INLINE unsigned rank(const struct vma_bt_node *n, s32 x)
{
#ifdef __SSE2__
	const __m128i *k = (const __m128i *)(const void *)n->key;
	__m128i v = _mm_set1_epi32(x);
	u32 below = 0;

	for (unsigned i = 0; i < 2; i++) {
		__m128i a = _mm_packs_epi32(_mm_cmpgt_epi32(v, k[4 * i]), _mm_cmpgt_epi32(v, k[4 * i + 1]));
		__m128i b = _mm_packs_epi32(_mm_cmpgt_epi32(v, k[4 * i + 2]), _mm_cmpgt_epi32(v, k[4 * i + 3]));

		below |= (u32)_mm_movemask_epi8(_mm_packs_epi16(a, b)) << 16 * i;
	}
	return mm_ffs0(~below | BIT(BT_FANOUT)); /* the last lane is n */
#else
	unsigned below = 0;

	for (unsigned i = 0; i < BT_FANOUT; i++)
		below += n->key[i] < x;
	return below;
#endif
}

/* Bit i: the gap of entry i is @need or more. */
static u32 wide_gaps(const struct vma_bt_node *n, s32 need)
{
	u32 wide = 0;
#ifdef __SSE2__
	const __m128i *g = (const __m128i *)(const void *)n->gap;
	__m128i v = _mm_set1_epi32(need - 1);

	for (unsigned i = 0; i < 2; i++) {
		__m128i a = _mm_packs_epi32(_mm_cmpgt_epi32(g[4 * i], v), _mm_cmpgt_epi32(g[4 * i + 1], v));
		__m128i b = _mm_packs_epi32(_mm_cmpgt_epi32(g[4 * i + 2], v), _mm_cmpgt_epi32(g[4 * i + 3], v));

		wide |= (u32)_mm_movemask_epi8(_mm_packs_epi16(a, b)) << 16 * i;
	}
#else
	for (unsigned i = 0; i < BT_FANOUT; i++)
		wide |= (u32)(n->gap[i] >= need) << i;
#endif
	return wide;
}

#ifdef __SSE2__
MM_INLINE __m128i max_s32(__m128i a, __m128i b)
{
	__m128i a_wins = _mm_cmpgt_epi32(a, b);

	return _mm_or_si128(_mm_and_si128(a_wins, a), _mm_andnot_si128(a_wins, b));
}
#endif

static s32 widest_gap(const struct vma_bt_node *n)
{
#ifdef __SSE2__
	const __m128i *g = (const __m128i *)(const void *)n->gap;
	__m128i a = max_s32(max_s32(g[0], g[1]), max_s32(g[2], g[3]));
	__m128i b = max_s32(max_s32(g[4], g[5]), max_s32(g[6], g[7]));

	a = max_s32(a, b);
	a = max_s32(a, _mm_shuffle_epi32(a, _MM_SHUFFLE(1, 0, 3, 2)));
	a = max_s32(a, _mm_shuffle_epi32(a, _MM_SHUFFLE(2, 3, 0, 1)));
	return _mm_cvtsi128_si32(a);
#else
	s32 max = 0;

	for (unsigned i = 0; i < BT_FANOUT + 1; i++)
		max = n->gap[i] > max ? n->gap[i] : max;
	return max;
#endif
}

/* ---- entries of one node ---- */

static void open_entry(struct vma_bt_node *n, unsigned i)
{
	unsigned behind = n->n++ - i;

	if (!behind)
		return;
	memmove(&n->key[i + 1], &n->key[i], behind * sizeof(n->key[0]));
	memmove(&n->slot[i + 1], &n->slot[i], behind * sizeof(n->slot[0]));
	memmove(&n->gap[i + 1], &n->gap[i], behind * sizeof(n->gap[0]));
}

/* Makes entries from @i on empty. */
static void cut_entries(struct vma_bt_node *n, unsigned i)
{
	for (unsigned k = i; k < n->n; k++) {
		n->key[k] = INT32_MAX;
		n->slot[k] = NULL;
		n->gap[k] = 0;
	}
	n->n = i;
}

static void copy_entries(struct vma_bt_node *to, unsigned i, const struct vma_bt_node *from, unsigned k, unsigned count)
{
	memmove(&to->key[i], &from->key[k], count * sizeof(to->key[0]));
	memmove(&to->slot[i], &from->slot[k], count * sizeof(to->slot[0]));
	memmove(&to->gap[i], &from->gap[k], count * sizeof(to->gap[0]));
}

static void remove_entry(struct vma_bt_node *n, unsigned i)
{
	unsigned last = --n->n;

	if (i < last)
		copy_entries(n, i, n, i + 1, last - i);
	n->key[last] = INT32_MAX;
	n->slot[last] = NULL;
	n->gap[last] = 0;
}

#define MAX4 INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX
static const struct vma_bt_node empty_node = {
	.key = {MAX4, MAX4, MAX4, MAX4, MAX4, MAX4, MAX4, INT32_MAX, INT32_MAX, INT32_MAX},
};

/* ---- memory ---- */

static struct vma_bt_node *take_spare(struct mm_struct *mm)
{
	struct vma_bt_node *n = mm->mm_bt.spare;

	if (n)
		mm->mm_bt.spare = n->slot[0];
	return n;
}

static struct vma_bt_node *node_alloc(struct vm *vm, struct mm_struct *mm)
{
	struct vma_bt_node *n = take_spare(mm);

	return n ? n : kmem_cache_alloc(vm->bt_cache, vm->hw->cpu, GFP_KERNEL);
}

static void node_free(struct vm *vm, struct vma_bt_node *n)
{
	kmem_cache_free(vm->bt_cache, vm->hw->cpu, n);
}

int vma_bt_prepare(struct vm *vm, struct mm_struct *mm)
{
	unsigned have = 0;

	for (struct vma_bt_node *n = mm->mm_bt.spare; n; n = n->slot[0])
		have++;
	for (; have < VMA_BT_MAX_HEIGHT; have++) {
		struct vma_bt_node *n = kmem_cache_alloc(vm->bt_cache, vm->hw->cpu, GFP_KERNEL);

		if (!n)
			return -ENOMEM; /* those set aside stay for another time */
		n->slot[0] = mm->mm_bt.spare;
		mm->mm_bt.spare = n;
	}
	return 0;
}

static void free_subtree(struct vm *vm, struct vma_bt_node *n, unsigned height)
{
	for (unsigned i = 0; height > 1 && i < n->n; i++)
		free_subtree(vm, n->slot[i], height - 1);
	node_free(vm, n);
}

void vma_bt_destroy(struct vm *vm, struct mm_struct *mm)
{
	struct vma_btree *t = &mm->mm_bt;
	struct vma_bt_node *n;

	for (unsigned r = 0; r < VMA_BT_REGIONS; r++) {
		if (t->height[r])
			free_subtree(vm, t->root[r], t->height[r]);
		t->root[r] = NULL;
		t->height[r] = 0;
	}
	t->used = 0;
	while ((n = take_spare(mm)))
		node_free(vm, n);
}

/* ---- look-up ---- */

/* First VMA of region @r or a later one. */
static struct vm_area_struct *first_from(const struct vma_btree *t, unsigned r)
{
	const struct vma_bt_node *n;

	if (!(t->used >> r))
		return NULL;
	r += mm_ffs0(t->used >> r);
	n = t->root[r];
	for (unsigned h = t->height[r]; h > 1; h--)
		n = n->slot[0];
	return n->slot[0];
}

struct vm_area_struct *vma_bt_find(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr)
{
	const struct vma_btree *t = &mm->mm_bt;
	u64 page = page_of(vm, addr);
	unsigned r = region_of(page), h;
	const struct vma_bt_node *n;
	struct vm_area_struct *v;
	s32 x = biased((u32)page);

	if (MM_UNLIKELY(r >= VMA_BT_REGIONS))
		return NULL;
	if (MM_UNLIKELY(!t->height[r]))
		return first_from(t, r + 1);
	n = t->root[r];
	for (h = t->height[r]; h > 1; h--)
		n = n->slot[rank(n, x)];
	v = n->slot[rank(n, x)];
	return MM_LIKELY(v) ? v : first_from(t, r + 1);
}

/* The way to the first entry of region @r whose key is not below @x. */
static void seek(const struct vma_btree *t, unsigned r, s32 x, struct vma_bt_path *p)
{
	struct vma_bt_node *n = t->root[r];

	p->region = r;
	p->height = t->height[r];
	p->node[0] = NULL;
	p->at[0] = 0;
	for (unsigned h = p->height; h--;) {
		p->node[h] = n;
		p->at[h] = (int)rank(n, x);
		n = h ? n->slot[p->at[h]] : NULL;
	}
}

static struct vm_area_struct *last_of_all(const struct vma_btree *t)
{
	const struct vma_bt_node *n;
	unsigned r;

	if (!t->used)
		return NULL;
	r = ilog2(t->used);
	n = t->root[r];
	for (unsigned h = t->height[r]; h > 1; h--)
		n = n->slot[n->n - 1];
	return n->slot[n->n - 1];
}

int vma_bt_place(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr, vaddr_t end,
		 struct vma_link *l)
{
	const struct vma_btree *t = &mm->mm_bt;
	u64 page = page_of(vm, addr);
	struct vma_bt_path *p = &l->path;
	struct vm_area_struct *next = NULL;

	BUG_ON(region_of(page) >= VMA_BT_REGIONS);
	seek(t, region_of(page), biased((u32)page), p);
	l->prev = NULL;
	if (p->height) {
		next = p->node[0]->slot[p->at[0]];
		l->prev = p->at[0] ? p->node[0]->slot[p->at[0] - 1] : NULL;
		__builtin_prefetch(l->prev, 1); /* the list is next, and both may be far */
	}
	if (!next)
		next = first_from(t, p->region + 1);
	if (next && next->vm_start < end)
		return -ENOMEM;
	if (!l->prev)
		l->prev = next ? next->vm_prev : last_of_all(t);
	return 0;
}

/* ---- gaps and keys on the way up ---- */

/* The gaps of @p's leaf changed: its ancestors learn of it. */
static void gaps_up(const struct vma_bt_path *p)
{
	for (unsigned h = 0; h + 1 < p->height; h++) {
		s32 *gap = &p->node[h + 1]->gap[p->at[h + 1]], max = widest_gap(p->node[h]);

		if (*gap == max)
			break;
		*gap = max;
	}
}

/* The last key of @p's leaf changed: so does the bound that the first ancestor with one keeps. */
static void last_key_up(const struct vma_bt_path *p)
{
	const struct vma_bt_node *leaf = p->node[0];

	for (unsigned h = 1; h < p->height; h++) {
		struct vma_bt_node *n = p->node[h];

		if (p->at[h] + 1 < (int)n->n) {
			n->key[p->at[h]] = leaf->key[leaf->n - 1];
			break;
		}
	}
}

static void seek_vma(const struct vm *vm, const struct vma_btree *t, const struct vm_area_struct *v, vaddr_t end,
		     struct vma_bt_path *p)
{
	u64 page = last_page(vm, end);

	seek(t, region_of(page), biased((u32)page), p);
	BUG_ON(p->node[0]->slot[p->at[0]] != v);
}

/* The gap below @v, somewhere in the tree, changed. */
static void refile_gap(const struct vm *vm, struct vma_btree *t, const struct vm_area_struct *v)
{
	struct vma_bt_path p;

	seek_vma(vm, t, v, v->vm_end, &p);
	p.node[0]->gap[p.at[0]] = gap_of(vm, v);
	gaps_up(&p);
}

/* ---- insertion ---- */

/* How many entries of a full node stay in it: half, or more where runs grow upwards or downwards. */
static unsigned split_point(unsigned at, unsigned n)
{
	return at == n ? n - MIN_FILL : at == 0 ? MIN_FILL : n / 2;
}

/*
 * Cuts full node @n of level @h in two at @cut; @right becomes the upper part, behind @n in the parent,
 * which has room. Inner nodes give the bound of their last child to the parent.
 */
static void split_node(struct vma_bt_path *p, unsigned h, unsigned cut, struct vma_bt_node *right)
{
	struct vma_bt_node *n = p->node[h], *parent = p->node[h + 1];
	unsigned i = (unsigned)p->at[h + 1];

	*right = empty_node;
	copy_entries(right, 0, n, cut, n->n - cut);
	right->n = n->n - cut;
	cut_entries(n, cut);
	open_entry(parent, i + 1);
	parent->key[i + 1] = parent->key[i];
	parent->slot[i + 1] = right;
	parent->gap[i + 1] = widest_gap(right);
	parent->key[i] = n->key[cut - 1];
	parent->gap[i] = widest_gap(n);
	if (h)
		n->key[cut - 1] = INT32_MAX;
}

/* A root above the old one. */
static void grow_root(struct vma_btree *t, struct vma_bt_path *p, struct vma_bt_node *root)
{
	struct vma_bt_node *old = p->node[p->height - 1];

	BUG_ON(p->height == VMA_BT_MAX_HEIGHT);
	*root = empty_node;
	root->slot[0] = old;
	root->gap[0] = widest_gap(old);
	root->n = 1;
	p->node[p->height] = root;
	p->at[p->height] = 0;
	t->root[p->region] = root;
	t->height[p->region] = (u8)++p->height;
}

/* Splits what is full on the way, from the top; @spare: as many nodes as needed. */
static void make_room(struct vma_btree *t, struct vma_bt_path *p, struct vma_bt_node **spare)
{
	unsigned full = 0;

	while (full < p->height && p->node[full]->n == BT_FANOUT)
		full++;
	if (full == p->height)
		grow_root(t, p, *spare++);
	while (full--) {
		struct vma_bt_node *n = p->node[full];
		unsigned at = (unsigned)p->at[full], cut = split_point(at, n->n);

		split_node(p, full, cut, *spare);
		if (at > cut || (at == cut && full)) {
			p->node[full] = *spare;
			p->at[full] = (int)(at - cut);
			p->at[full + 1]++;
		}
		spare++;
	}
}

/* Nodes that make_room() will take, in @spare; -ENOMEM: none taken. */
static int reserve(struct vm *vm, struct mm_struct *mm, const struct vma_bt_path *p, struct vma_bt_node **spare)
{
	unsigned need = 0, have;

	while (need < p->height && p->node[need]->n == BT_FANOUT)
		need++;
	if (need == p->height)
		need++; /* a new root; the first leaf of an empty region */
	for (have = 0; have < need; have++) {
		spare[have] = node_alloc(vm, mm);
		if (!spare[have])
			break;
	}
	if (have == need)
		return 0;
	while (have--)
		node_free(vm, spare[have]);
	return -ENOMEM;
}

/* Files @v, which is in the list, at @p. */
static int file_vma(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, struct vma_bt_path *p)
{
	struct vma_btree *t = &mm->mm_bt;
	struct vma_bt_node *spare[VMA_BT_MAX_HEIGHT + 1], *leaf;
	struct vm_area_struct *next = v->vm_next;
	unsigned at;

	if ((!p->height || p->node[0]->n == BT_FANOUT) && reserve(vm, mm, p, spare))
		return -ENOMEM;
	if (!p->height) {
		*spare[0] = empty_node;
		t->root[p->region] = p->node[0] = spare[0];
		t->height[p->region] = 1;
		t->used |= BIT(p->region);
		p->height = 1;
		p->at[0] = 0;
	} else if (p->node[0]->n == BT_FANOUT) {
		make_room(t, p, spare);
	}
	leaf = p->node[0];
	at = (unsigned)p->at[0];
	open_entry(leaf, at);
	leaf->key[at] = biased((u32)last_page(vm, v->vm_end));
	leaf->slot[at] = v;
	leaf->gap[at] = gap_of(vm, v);
	if (at + 1 < leaf->n)
		leaf->gap[at + 1] = gap_of(vm, next);
	else
		last_key_up(p);
	gaps_up(p);
	if (next && at + 1 == leaf->n)
		refile_gap(vm, t, next);
	return 0;
}

int vma_bt_insert(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, struct vma_link *l)
{
	u64 page = last_page(vm, v->vm_end);
	int r;

	if (MM_UNLIKELY(l->path.region != region_of(page)))
		seek(&mm->mm_bt, region_of(page), biased((u32)page), &l->path);
	vma_list_add(mm, v, l->prev);
	r = file_vma(vm, mm, v, &l->path);
	if (r)
		vma_list_del(mm, v);
	return r;
}

/* ---- removal ---- */

/* Right sibling @r of @l, entries @i and @i + 1 of @parent, becomes part of it. */
static void merge_siblings(struct vm *vm, struct vma_bt_node *parent, unsigned i, bool inner)
{
	struct vma_bt_node *l = parent->slot[i], *r = parent->slot[i + 1];

	if (inner)
		l->key[l->n - 1] = parent->key[i];
	copy_entries(l, l->n, r, 0, r->n);
	l->n += r->n;
	parent->key[i] = parent->key[i + 1];
	parent->gap[i] = (s32)mm_max((u64)parent->gap[i], (u64)parent->gap[i + 1]);
	remove_entry(parent, i + 1);
	node_free(vm, r);
}

/* The fuller of two siblings gives half of what it has more. */
static void balance_siblings(struct vma_bt_node *parent, unsigned i, bool inner)
{
	struct vma_bt_node *l = parent->slot[i], *r = parent->slot[i + 1];
	unsigned n;

	if (inner)
		l->key[l->n - 1] = parent->key[i];
	if (l->n < r->n) {
		n = (r->n - l->n) / 2;
		copy_entries(l, l->n, r, 0, n);
		l->n += n;
		copy_entries(r, 0, r, n, r->n - n);
		cut_entries(r, r->n - n);
	} else {
		n = (l->n - r->n) / 2;
		copy_entries(r, n, r, 0, r->n);
		copy_entries(r, 0, l, l->n - n, n);
		r->n += n;
		cut_entries(l, l->n - n);
	}
	parent->key[i] = l->key[l->n - 1];
	if (inner)
		l->key[l->n - 1] = INT32_MAX;
	parent->gap[i] = widest_gap(l);
	parent->gap[i + 1] = widest_gap(r);
}

/* The root has lost an entry: an empty leaf goes, and so does an inner root with a single child. */
static void shrink_root(struct vm *vm, struct vma_btree *t, unsigned region)
{
	struct vma_bt_node *root = t->root[region];

	if (root->n > (t->height[region] > 1))
		return;
	t->root[region] = root->n ? root->slot[0] : NULL;
	if (!--t->height[region])
		t->used &= ~BIT(region);
	node_free(vm, root);
}

/* Node of level 0 of @p has lost an entry; so may, in turn, its ancestors. */
static void fill_up(struct vm *vm, struct vma_btree *t, const struct vma_bt_path *p)
{
	unsigned h = 0;

	for (; h + 1 < p->height && p->node[h]->n < MIN_FILL; h++) {
		struct vma_bt_node *parent = p->node[h + 1], *l;
		unsigned i = (unsigned)p->at[h + 1];

		if (i + 1 == parent->n)
			i--;
		l = parent->slot[i];
		if (l->n + ((struct vma_bt_node *)parent->slot[i + 1])->n > MERGE_FILL) {
			balance_siblings(parent, i, h);
			return;
		}
		merge_siblings(vm, parent, i, h);
	}
	if (h + 1 == p->height)
		shrink_root(vm, t, p->region);
}

/* Takes out @v, whose end was @end; @next has its new gap already, if @v left the list. */
static void unfile_vma(struct vm *vm, struct vma_btree *t, struct vm_area_struct *v, vaddr_t end)
{
	struct vm_area_struct *next = v->vm_next;
	struct vma_bt_node *leaf;
	struct vma_bt_path p;
	unsigned at;

	seek_vma(vm, t, v, end, &p);
	leaf = p.node[0];
	at = (unsigned)p.at[0];
	remove_entry(leaf, at);
	if (at < leaf->n) {
		leaf->gap[at] = gap_of(vm, next);
		next = NULL;
	} else if (leaf->n) {
		last_key_up(&p);
	}
	gaps_up(&p);
	fill_up(vm, t, &p);
	if (next)
		refile_gap(vm, t, next);
}

void vma_bt_erase(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	vma_list_del(mm, v);
	unfile_vma(vm, &mm->mm_bt, v, v->vm_end);
}

void vma_bt_moved(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, vaddr_t old_end)
{
	struct vma_btree *t = &mm->mm_bt;
	u64 page = last_page(vm, v->vm_end);
	struct vma_bt_node *leaf;
	struct vma_bt_path p;
	unsigned at;

	if (MM_UNLIKELY(region_of(page) != region_of(last_page(vm, old_end)))) {
		unfile_vma(vm, t, v, old_end);
		seek(t, region_of(page), biased((u32)page), &p);
		BUG_ON(file_vma(vm, mm, v, &p)); /* vma_bt_prepare() set nodes aside */
		return;
	}
	seek_vma(vm, t, v, old_end, &p);
	leaf = p.node[0];
	at = (unsigned)p.at[0];
	leaf->key[at] = biased((u32)page);
	leaf->gap[at] = gap_of(vm, v);
	if (at + 1 < leaf->n)
		leaf->gap[at + 1] = gap_of(vm, v->vm_next);
	else
		last_key_up(&p);
	gaps_up(&p);
	if (v->vm_next && at + 1 == leaf->n)
		refile_gap(vm, t, v->vm_next);
}

/* ---- free addresses ---- */

/* What of @v's gap lies in [low, high), if it is @len bytes or more. */
static bool usable(const struct vm_area_struct *v, u64 len, vaddr_t low, vaddr_t high, vaddr_t *start, vaddr_t *end)
{
	*start = v->vm_prev && v->vm_prev->vm_end > low ? v->vm_prev->vm_end : low;
	*end = vma_start_gap(v) < high ? vma_start_gap(v) : high;
	return *end >= *start && *end - *start >= len;
}

/* Where a search of a region begins: before its first entry, or behind its last. */
static bool enter_region(const struct vma_btree *t, unsigned r, bool last, struct vma_bt_path *p)
{
	p->region = r;
	p->height = t->height[r];
	if (!p->height)
		return false;
	p->node[p->height - 1] = t->root[r];
	p->at[p->height - 1] = last ? BT_FANOUT : -1;
	return true;
}

/* Moves @p from level @h to the next VMA down (up) whose gap may hold @need pages; NULL: there is none. */
static struct vm_area_struct *step(const struct vma_btree *t, struct vma_bt_path *p, unsigned h, s32 need, bool up)
{
	for (;;) {
		u32 wide = h < p->height ? wide_gaps(p->node[h], need) : 0;

		if (wide)
			wide &= up ? (u32)~(BIT(p->at[h] + 1) - 1) : (u32)(BIT(p->at[h]) - 1);
		if (wide) {
			p->at[h] = up ? (int)mm_ffs0(wide) : (int)ilog2(wide);
			if (!h)
				return p->node[0]->slot[p->at[0]];
			p->node[h - 1] = p->node[h]->slot[p->at[h]];
			p->at[h - 1] = up ? -1 : BT_FANOUT;
			h--;
			continue;
		}
		if (++h < p->height)
			continue;
		do {
			if (up ? p->region + 1 == VMA_BT_REGIONS : !p->region)
				return NULL;
		} while (!enter_region(t, up ? p->region + 1 : p->region - 1, !up, p));
		h = p->height - 1;
	}
}

s64 vma_bt_topdown(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high)
{
	const struct vma_btree *t = &mm->mm_bt;
	s32 need = (s32)mm_min(page_of(vm, len), BT_GAP_MAX);
	u64 page = page_of(vm, high);
	struct vm_area_struct *v;
	struct vma_bt_path p;
	vaddr_t start, end;

	if (region_of(page) >= VMA_BT_REGIONS)
		page = BIT(32) * VMA_BT_REGIONS - 1;
	seek(t, region_of(page), biased((u32)page), &p);
	v = p.height ? p.node[0]->slot[p.at[0]] : NULL;
	if (!v)
		v = first_from(t, p.region + 1);
	if (v && usable(v, len, low, high, &start, &end)) /* its gap may reach above @high */
		return (s64)(end - len);
	while ((v = step(t, &p, 0, need, false))) {
		if (usable(v, len, low, high, &start, &end))
			return (s64)(end - len);
		if (v->vm_start < low)
			break;
	}
	return -ENOMEM;
}

s64 vma_bt_bottomup(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high)
{
	const struct vma_btree *t = &mm->mm_bt;
	s32 need = (s32)mm_min(page_of(vm, len), BT_GAP_MAX);
	u64 page = page_of(vm, low);
	struct vm_area_struct *v;
	struct vma_bt_path p;
	vaddr_t start, end;

	if (region_of(page) >= VMA_BT_REGIONS)
		return -ENOMEM;
	seek(t, region_of(page), biased((u32)page), &p);
	if (p.height)
		p.at[0]--; /* the entry found is the first that counts */
	while ((v = step(t, &p, 0, need, true))) {
		if (usable(v, len, low, high, &start, &end))
			return (s64)start;
		if (v->vm_end >= high)
			break;
	}
	return -ENOMEM;
}

/* ---- invariants ---- */

struct audit {
	const struct vm *vm;
	const struct vm_area_struct *next; /* whom the list says is next */
	unsigned region;
	s32 last;
};

static int audit_node(struct audit *a, const struct vma_bt_node *n, unsigned height, bool root);

static int audit_entry(struct audit *a, const struct vma_bt_node *n, unsigned i, unsigned height)
{
	const struct vm_area_struct *v = n->slot[i];
	u64 page;
	int r;

	if (height > 1) {
		r = audit_node(a, n->slot[i], height - 1, false);
		if (r)
			return r;
		if (n->key[i] != (i + 1 == n->n ? INT32_MAX : a->last))
			return 1;
		return n->gap[i] == widest_gap(n->slot[i]) ? 0 : 3;
	}
	if (v != a->next)
		return 1;
	page = last_page(a->vm, v->vm_end);
	a->next = v->vm_next;
	a->last = n->key[i];
	if (region_of(page) != a->region || n->key[i] != biased((u32)page))
		return 1;
	return n->gap[i] == gap_of(a->vm, v) ? 0 : 3;
}

static int audit_node(struct audit *a, const struct vma_bt_node *n, unsigned height, bool root)
{
	if (n->n > BT_FANOUT || n->n < (root ? 1 : MIN_FILL) || (root && height > 1 && n->n < 2))
		return 1;
	for (unsigned i = 0; i < BT_FANOUT; i++) {
		int r = i < n->n ? audit_entry(a, n, i, height)
				 : n->slot[i] || n->gap[i] || n->key[i] != INT32_MAX;

		if (r)
			return r;
	}
	return n->slot[BT_FANOUT] || n->gap[BT_FANOUT] ? 1 : 0;
}

int vma_bt_check(const struct vm *vm, const struct mm_struct *mm)
{
	struct audit a = {.vm = vm, .next = mm->mmap};

	for (unsigned r = 0; r < VMA_BT_REGIONS; r++) {
		bool used = mm->mm_bt.used >> r & 1;
		int bad = used != (mm->mm_bt.root[r] != NULL) || used != (mm->mm_bt.height[r] > 0);

		a.region = r;
		if (!bad && used)
			bad = audit_node(&a, mm->mm_bt.root[r], mm->mm_bt.height[r], true);
		if (bad)
			return bad;
	}
	return a.next ? 1 : 0;
}
