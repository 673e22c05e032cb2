/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare-metal guest at EL2, MMU of EL2 off: programs the EL1&0 registers from the parameter block one
 * page above this code, asks AT for each probe, and writes the 64-bit PAR values to answers.bin.
 *
 * Fetches are real branches: the half of the address space that is not probed is replaced by a tree
 * of ours (parameters) that maps one page of vectors; both outcomes return here through HVC.
 *
 * Parameters, 64 bits each: 0 TTBR0 8 TTBR1 16 TCR 24 MAIR 32 SCTLR 40 number of probes
 *   48 probes (address, kind) 56 answers 64 our root for the low half 72 for the high half
 *   80 vectors in the low half 88 in the high half 96 TCR with both halves on
 */
	.text
_start:
	adr	x19, _start
	add	x19, x19, #0x1000
	adr	x0, vectors
	msr	vbar_el2, x0
	mov	x0, #0x80000000		/* HCR.RW: EL1 is AArch64 */
	msr	hcr_el2, x0
	ldp	x0, x1, [x19, #16]
	msr	tcr_el1, x0
	msr	mair_el1, x1
	bl	own_tables
	ldr	x0, [x19, #32]
	msr	sctlr_el1, x0
	isb
	ldp	x22, x20, [x19, #40]
	ldr	x21, [x19, #56]
next:
	cbz	x22, done
	sub	x22, x22, #1
	ldp	x2, x3, [x20], #16
	cmp	x3, #4
	b.hs	fetch
	cbz	x3, 0f
	cmp	x3, #2
	b.lo	1f
	b.eq	2f
	at	s1e0w, x2
	b	3f
0:	at	s1e1r, x2
	b	3f
1:	at	s1e1w, x2
	b	3f
2:	at	s1e0r, x2
3:	isb
	mrs	x4, par_el1
store:
	str	x4, [x21], #8
	b	next

own_tables:
	ldp	x0, x1, [x19]
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x1
	ldr	x0, [x19, #16]
	msr	tcr_el1, x0
	isb
	ret

/* x2: address, x3: 4 at EL1, 5 at EL0 */
fetch:
	at	s1e1r, x2
	isb
	mrs	x24, par_el1
	ldr	x0, [x19, #96]
	msr	tcr_el1, x0
	tbnz	x2, #63, 1f
	ldp	x0, x1, [x19, #72]
	ldr	x1, [x19, #88]
	msr	ttbr1_el1, x0
	b	2f
1:	ldr	x0, [x19, #64]
	ldr	x1, [x19, #80]
	msr	ttbr0_el1, x0
2:	msr	vbar_el1, x1
	tlbi	vmalle1
	dsb	sy
	isb
	msr	elr_el2, x2
	mov	x0, #0x3c5		/* EL1h, all masked */
	cmp	x3, #4
	b.eq	3f
	mov	x0, #0x3c0		/* EL0t */
3:	msr	spsr_el2, x0
	eret

/* A vector of EL1 executed HVC: why the fetch ended is in ESR_EL1 and FAR_EL1. */
back:
	mrs	x5, esr_el1
	mrs	x6, far_el1
	bl	own_tables
	tlbi	vmalle1
	dsb	sy
	isb
	mov	x4, x24			/* fetched: the translation is AT's */
	lsr	x7, x5, #26
	and	x7, x7, #0x3e
	cmp	x7, #0x20		/* instruction abort? */
	b.ne	store
	cmp	x6, x2
	b.ne	store
	and	x7, x5, #0x3f
	cmp	x7, #0x10		/* translated, but nothing there to execute */
	b.eq	store
	lsl	x7, x7, #1
	orr	x4, x7, #1		/* as PAR reports it */
	b	store

done:
	adr	x1, open_block
	adr	x0, name
	str	x0, [x1]
	mov	x0, #1			/* SYS_OPEN */
	hlt	#0xf000
	adr	x1, write_block
	str	x0, [x1]
	ldr	x2, [x19, #56]
	sub	x3, x21, x2
	stp	x2, x3, [x1, #8]
	mov	x0, #5			/* SYS_WRITE */
	hlt	#0xf000
	adr	x1, exit_block
	mov	x0, #0x18		/* SYS_EXIT */
	hlt	#0xf000
	b	.

	.balign	8
open_block:
	.quad	0, 5, 11		/* name, "wb", length */
write_block:
	.quad	0, 0, 0
exit_block:
	.quad	0x20026, 0
name:
	.asciz	"answers.bin"

	.balign	0x800
vectors:				/* of EL2: HVC from EL1 comes to 0x400 */
	.rept	16
	b	back
	.balign	0x80
	.endr
	.org	0x1000			/* an error if the code is larger than its page */
