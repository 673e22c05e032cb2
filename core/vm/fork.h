/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of address spaces. */
#ifndef MEMRIG_VM_FORK_H
#define MEMRIG_VM_FORK_H

#include "core/vm/mm_types.h"

struct mm_struct *mm_alloc(struct vm *vm); /* empty, one user; NULL: no memory */
/* A copy-on-write copy; NULL: no memory, nothing left behind. */
struct mm_struct *dup_mm(struct vm *vm, struct mm_struct *old);
void exit_mmap(struct vm *vm, struct mm_struct *mm); /* all mappings; the top table stays */
void mm_put(struct vm *vm, struct mm_struct *mm);    /* drops a user; the last ends the mappings */
void mmdrop(struct vm *vm, struct mm_struct *mm);    /* drops a reference; the last frees the struct */

#endif
