/* Decoders of dense arrays, which are made of integer streams (8.5): lossless-int (8.6), float-lattice (8.7), noise-q
 * (8.8) and chart (8.9). Part of lbj.c, not of its interface.
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#ifndef LBJ_DENSE_H
#define LBJ_DENSE_H

#include "lbj.h"

enum { DENSE_LOSSLESS_INT = 4, DENSE_FLOAT_LATTICE = 5, DENSE_NOISE_Q = 6, DENSE_CHART = 7 }; /* numbers of codings */

typedef struct {
    unsigned coding;
    const uint8_t *data; /* the coded voxels */
    size_t size;         /* bytes */
    uint64_t height, width, channels; /* of the window as 8.5.1 has it; none is 0, less than 2^32 elements in all */
    lbj_dtype dtype;
    uint64_t offset; /* of the BLOK record, for errors */
} dense_block;

/* Decodes into the window's array in C order, little-endian, at `to`. LBJ_DAMAGED, LBJ_UNSUPPORTED (reserved flags) or
 * LBJ_NOMEM; what stands at `to` is then undefined. Once the bound of 8.5.10 is checked it takes up to 12 bytes for
 * each element besides that array, for chart one more array and 80 bytes for each channel; and 192 MiB for a value list
 * (8.6.3), which may come in 2 KiB. */
lbj_status lbj_decode_dense(const dense_block *block, uint8_t *to, lbj_error *error);

/* An integer stream by itself, for tests and benchmarks: the integers q in *values, to be freed by the caller. */
lbj_status lbj_decode_integers(const uint8_t *data, size_t size, uint64_t height, uint64_t width, uint64_t channels,
                               int32_t **values, lbj_error *error);

#endif
