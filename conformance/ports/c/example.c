/* A worked example: sums a signal over all frames of a journal, each read into one buffer, and prints the totals.
 *
 *     make example
 *     build/example series.lbj EDX
 *
 * 0: done, all frames read; 1: what was wrong is on standard error.
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#include "lbj.h"

#include <inttypes.h>
#include <stdlib.h>

static int complain(const char *path, const lbj_error *error)
{
    fprintf(stderr, "%s: %s: %s (byte %" PRIu64 ")\n", path, lbj_status_name(error->status), error->message,
            error->offset);
    return 1;
}

static uint64_t total_of(const uint8_t *data, uint64_t elements, size_t bytes)
{
    uint64_t total = 0, i;
    size_t k;
    for (i = 0; i < elements; i++)
        for (k = 0; k < bytes; k++) /* little-endian, as the file has it */
            total += (uint64_t)data[i * bytes + k] << (8 * k);
    return total;
}

int main(int argc, char **argv)
{
    lbj_reader *reader;
    const lbj_frame *frame;
    const lbj_signal *signal;
    lbj_error error;
    unsigned number;
    size_t size;
    uint8_t *buffer;
    int bad = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: example FILE SIGNAL\n");
        return 2;
    }
    if (lbj_open_path(&reader, argv[1], NULL, &error) != LBJ_OK) {
        lbj_close(reader);
        return complain(argv[1], &error);
    }
    number = lbj_find_signal(reader, argv[2]);
    signal = lbj_get_signal(reader, number);
    size = (size_t)lbj_signal_bytes(reader, number);
    if (signal == NULL || signal->kind != LBJ_EVENTS || (buffer = malloc(size)) == NULL) {
        fprintf(stderr, "%s: no counts named %s, or no memory for one frame of them\n", argv[1], argv[2]);
        lbj_close(reader);
        return 1;
    }
    while (lbj_next(reader, &frame, &error) == LBJ_OK) {
        if (frame->is_static || !lbj_has_signal(reader, number))
            continue;
        if (lbj_read_into(reader, number, buffer, size, &error) == LBJ_OK)
            printf("frame %" PRIu64 ": %" PRIu64 " counts\n", frame->number,
                   total_of(buffer, signal->elements, lbj_dtype_size(signal->dtype)));
        else
            bad = complain(argv[1], &error); /* this frame is damaged, the next may be sound */
    }
    if (error.status != LBJ_END)
        bad = complain(argv[1], &error);
    free(buffer);
    lbj_close(reader);
    return bad;
}
