/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/swapin.h"

#include "core/phys/page_wait.h"

/* Waits until the page has moved; the access is tried again then. */
static vm_fault_t migration_entry_wait(struct vm_fault *vmf)
{
	wait_on_page_locked(vmf->vm->hw, migration_entry_to_page(vmf->vm, vmf->pte));
	return VM_FAULT_AGAIN;
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	BUG_ON(!is_migration_entry(vmf->pte));
	return migration_entry_wait(vmf);
}

int copy_swap_pte(struct vm *vm, struct mm_struct *to, struct mm_struct *from, pte_t p)
{
	(void)vm;
	(void)to;
	(void)from;
	(void)p;
	BUG();
}

void zap_swap_pte(struct vm *vm, struct mm_struct *mm, pte_t p)
{
	(void)vm;
	(void)mm;
	(void)p;
	BUG();
}

int unmap_to_swap(struct vm *vm, struct mm_struct *mm, struct page *page, pte_t *out)
{
	(void)vm;
	(void)mm;
	(void)page;
	(void)out;
	BUG();
}
