/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/shadow_nodes.h"

#include "core/vm/vm.h"

static u64 count_shadow_nodes(void *self)
{
	const struct vmscan *vs = self;
	u64 nodes = vs->files->shadow_nodes.nr, most = workingset_max_nodes(&vs->vm->ws);

	return nodes > most ? nodes - most : 0;
}

static u64 scan_shadow_nodes(void *self, u64 nr)
{
	struct vmscan *vs = self;
	struct xa_list *l = &vs->files->shadow_nodes;
	u64 freed = 0;

	for (; freed < nr && l->nr; freed++) {
		struct xa_node *leaf = list_first_entry(&l->head, struct xa_node, value_only);

		inc_zone_page_state(vs->phys, virt_to_page(vs->phys, leaf), NR_WORKINGSET_NODERECLAIM);
		page_cache_drop_shadows(vs->files, leaf);
	}
	return freed;
}

void shadow_nodes_init(struct vmscan *vs)
{
	vs->shadow_nodes = (struct shrinker){.count = count_shadow_nodes, .scan = scan_shadow_nodes, .self = vs};
	register_shrinker(vs, &vs->shadow_nodes);
}
