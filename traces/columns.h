/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The column encoding of a block of operations.
 *
 * Terms
 *   shape    what is equal for many operations: task, flags, code, CPU, which fields vary. An
 * operation is the number of its shape and the values of the fields that vary. cell     the last
 * value of a field; the next one is stored as a difference. Which shapes share a cell the encoder
 * decides (here: all operations of a task and group share an address). A field that does not vary
 * has a cell that never changes. stream   all values of one field in order: a nibble each for the
 * number of bytes, two to a control byte, and the bytes; each part under zstd if that makes it
 * smaller. heap     for heap operations slot and address are guessed from the blocks seen so far
 * (of all blocks before this one, too) and the difference to the guess is stored.
 *
 * Encoder and decoder keep the same heap state by calling the same functions.
 */
#ifndef MEMRIG_TRACE_COLUMNS_H
#define MEMRIG_TRACE_COLUMNS_H

#include "core/op.h"

struct columns_encoder;
struct columns_decoder;

struct columns_encoder *columns_encoder_create(int zstd_level);
void columns_encoder_destroy(struct columns_encoder *e);
/*
 * Encodes @n (1..TRACE_MAX_BLOCK_RECORDS) canonical records. *@out stays the encoder's until the
 * next call. 0, -ENOMEM.
 */
int columns_encode(struct columns_encoder *e, const struct mm_op *ops, u32 n, const void **out,
		   size_t *size);

struct columns_decoder *columns_decoder_create(void);
void columns_decoder_destroy(struct columns_decoder *d);
void columns_decoder_reset(struct columns_decoder *d); /* before the first block again */
struct validator;
/*
 * Decodes a payload of @size bytes into exactly @n records, valid as @valid says (validate.h),
 * which knows what was before. NULL, or a phrase that says what is wrong.
 */
const char *columns_decode(struct columns_decoder *d, const void *payload, size_t size,
			   struct mm_op *ops, u32 n, struct validator *valid);

#endif
