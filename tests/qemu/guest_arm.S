/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ARMv7 twin of guest_arm64.S: runs in Hyp mode with Hyp's MMU off, programs the PL1&0 registers,
 * asks ATS12NSO* for each probe. For fetches the host side put a mapping of this page into an empty
 * first-level slot (parameters): its vectors return here through HVC.
 *
 * Parameters, 32 bits each: 0 TTBR0 4 its high half 8 TTBCR 12 DACR 16 PRRR 20 NMRR 24 SCTLR
 *   28 number of probes 32 probes (address, kind) 36 answers (64 bits each) 40 VBAR for fetches
 *   44 DACR for fetches 48 first-level entry patched 52, 56 its value for fetches 60 0: 4-byte entry
 *   64 start and 68 end of RAM without this image; 72, 76: where an HVC was planted, what was there
 */
	.text
	.arch	armv7-a
	.arch_extension virt
	.arm
_start:
	adr	r8, _start
	add	r8, r8, #0x1000
	add	sp, r8, #0xff0			/* behind the parameters */
	adr	r0, hyp_vectors
	mcr	p15, 4, r0, c12, c0, 0		/* HVBAR */
	mov	r0, #0
	mcr	p15, 4, r0, c1, c1, 0		/* HCR */
	ldr	r0, [r8, #8]
	mcr	p15, 0, r0, c2, c0, 2		/* TTBCR */
	ldr	r0, [r8, #0]
	ldr	r1, [r8, #4]
	ldr	r2, [r8, #8]
	tst	r2, #0x80000000
	mcrrne	p15, 0, r0, r1, c2		/* TTBR0, 64 bits */
	mcreq	p15, 0, r0, c2, c0, 0
	ldr	r0, [r8, #12]
	mcr	p15, 0, r0, c3, c0, 0		/* DACR */
	ldr	r0, [r8, #16]
	mcr	p15, 0, r0, c10, c2, 0		/* PRRR or MAIR0 */
	ldr	r0, [r8, #20]
	mcr	p15, 0, r0, c10, c2, 1
	ldr	r0, [r8, #40]
	mcr	p15, 0, r0, c12, c0, 0		/* VBAR */
	ldr	r0, [r8, #24]
	mcr	p15, 0, r0, c1, c0, 0		/* SCTLR */
	isb
	ldr	r9, [r8, #28]
	ldr	r10, [r8, #32]
	ldr	r11, [r8, #36]
next:
	cmp	r9, #0
	beq	done
	sub	r9, r9, #1
	ldr	r2, [r10], #4
	ldr	r3, [r10], #4
	cmp	r3, #4
	bhs	fetch
	bl	ask
store:
	str	r0, [r11], #4
	str	r1, [r11], #4
	b	next

/* r2: address, r3: 0 to 3; r0, r1: PAR */
ask:
	cmp	r3, #1
	mcrlo	p15, 0, r2, c7, c8, 4		/* ATS12NSOPR */
	mcreq	p15, 0, r2, c7, c8, 5
	cmp	r3, #2
	mcreq	p15, 0, r2, c7, c8, 6
	mcrhi	p15, 0, r2, c7, c8, 7
	isb
	mrrc	p15, 0, r0, r1, c7
	ldr	r4, [r8, #8]
	tst	r4, #0x80000000
	moveq	r1, #0
	bx	lr

/* Puts the entry r6:r7 into the patched slot, its old value into r6:r7, and flushes. */
swap:
	ldr	r5, [r8, #48]
	ldr	r4, [r8, #60]
	ldr	r0, [r5]
	str	r6, [r5]
	mov	r6, r0
	cmp	r4, #0
	ldrne	r0, [r5, #4]
	strne	r7, [r5, #4]
	movne	r7, r0
	dsb
	mcr	p15, 0, r0, c8, c7, 0		/* TLBIALL */
	dsb
	isb
	bx	lr

/* Puts an HVC where r1:r0, a PAR, sends r2, if that is RAM: whatever lies there must not run. */
plant:
	mov	r4, #0
	str	r4, [r8, #72]
	tst	r0, #1
	bxne	lr
	ands	r5, r1, #0xff			/* long format: beyond 4 GiB? r1 is 0 in the short one */
	bxne	lr
	bic	r4, r0, #0xff0
	bic	r4, r4, #0xf
	ubfx	r5, r2, #0, #12
	orr	r4, r4, r5
	ldr	r5, [r8, #64]
	cmp	r4, r5
	bxlo	lr
	ldr	r5, [r8, #68]
	cmp	r4, r5
	bxhs	lr
	str	r4, [r8, #72]
	ldr	r5, [r4]
	str	r5, [r8, #76]
	movw	r5, #0x0070			/* HVC #0 */
	movt	r5, #0xe140
	str	r5, [r4]
	dsb
	mcr	p15, 0, r5, c7, c5, 0		/* ICIALLU */
	isb
	bx	lr

fetch:
	mov	r12, r3
	mov	r3, #0
	bl	ask				/* where it goes, if it may */
	push	{r0, r1}
	bl	plant
	ldr	r6, [r8, #52]
	ldr	r7, [r8, #56]
	bl	swap
	ldr	r0, [r8, #44]
	mcr	p15, 0, r0, c3, c0, 0
	isb
	mov	r0, #0x1d3			/* SVC, all masked */
	cmp	r12, #4
	movne	r0, #0x1d0			/* USR */
	msr	spsr_cxsf, r0
	msr	elr_hyp, r2
	eret

back:
	bl	swap				/* r6, r7 still hold the old entry */
	ldr	r5, [r8, #72]
	cmp	r5, #0
	ldrne	r4, [r8, #76]
	strne	r4, [r5]
	ldr	r0, [r8, #12]
	mcr	p15, 0, r0, c3, c0, 0
	isb
	mrs	r5, spsr			/* the mode that executed HVC */
	and	r5, r5, #0x1f
	mrc	p15, 0, r4, c5, c0, 1		/* IFSR */
	mrc	p15, 0, r7, c6, c0, 2		/* IFAR */
	pop	{r0, r1}
	cmp	r5, #0x17			/* prefetch aborts only */
	bne	store
	cmp	r7, r2
	bne	store
	ldr	r5, [r8, #8]
	tst	r5, #0x80000000
	bne	1f
	and	r5, r4, #0x400
	and	r4, r4, #0xf
	orr	r4, r4, r5, lsr #6
	cmp	r4, #0x8			/* external abort: translated, nothing there */
	beq	store
	b	2f
1:	and	r4, r4, #0x3f
	cmp	r4, #0x10
	beq	store
2:	lsl	r4, r4, #1
	orr	r0, r4, #1
	mov	r1, #0
	b	store

done:
	adr	r1, open_block
	adr	r0, name
	str	r0, [r1]
	mov	r0, #1				/* SYS_OPEN */
	.inst	0xe10f0070			/* HLT #0xf000: semihosting */
	adr	r1, write_block
	str	r0, [r1]
	ldr	r2, [r8, #36]
	sub	r3, r11, r2
	str	r2, [r1, #4]
	str	r3, [r1, #8]
	mov	r0, #5				/* SYS_WRITE */
	.inst	0xe10f0070			/* HLT #0xf000: semihosting */
	mov	r0, #0x18			/* SYS_EXIT */
	movw	r1, #0x0026
	movt	r1, #2
	.inst	0xe10f0070			/* HLT #0xf000: semihosting */
	b	.

	.balign	8
open_block:
	.word	0, 5, 11
write_block:
	.word	0, 0, 0
name:
	.asciz	"answers.bin"

	.balign	32
hyp_vectors:				/* HVC from below comes to 0x14 */
	.rept	8
	b	back
	.endr

	.org	0xe00			/* vectors of PL1 for fetches */
	.rept	8
	hvc	#0
	.endr
	.org	0x1000
