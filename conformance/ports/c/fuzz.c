/* Fuzzing of the C library: reads everything in any bytes, for libFuzzer; with -DLBJ_FUZZ_MAIN a program that reads the
 * files named as arguments, or standard input. The bytes are read as they are, and once more with all CRCs put right,
 * since a fuzzer would hardly get past wrong ones.
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#include "lbj.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_signals(lbj_reader *reader)
{
    unsigned i;
    for (i = 0; i < lbj_signal_count(reader); i++) {
        lbj_events events;
        lbj_error error;
        void *dense;
        size_t dense_size;
        if (lbj_read_dense(reader, i, &dense, &dense_size, &error) == LBJ_OK)
            free(dense);
        if (lbj_get_signal(reader, i)->kind == LBJ_EVENTS && lbj_read_events(reader, i, &events, &error) == LBJ_OK)
            lbj_events_free(&events);
    }
}

static void read_all(const uint8_t *data, size_t size)
{
    static const lbj_limits limits = {(uint64_t)1 << 20, UINT64_MAX, (uint64_t)1 << 24};
    lbj_reader *reader;
    lbj_error error;
    const lbj_frame *frame;
    if (lbj_open_memory(&reader, data, size, &limits, &error) == LBJ_OK) {
        while (lbj_next(reader, &frame, &error) == LBJ_OK)
            read_signals(reader);
        lbj_describe(reader, &error);
    }
    lbj_close(reader);
}

static void put_crc(uint8_t *to, const uint8_t *from, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    unsigned k;
    for (; size > 0; size--) {
        crc ^= *from++;
        for (k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    for (k = 0; k < 4; k++)
        to[k] = (uint8_t)(~crc >> (8 * k));
}

/* Puts the right CRCs into every record that can be walked to. */
static void mend(uint8_t *data, size_t size)
{
    size_t at = 8;
    while (at <= size && size - at >= 24) {
        uint64_t length = 0, left = size - at - 24;
        unsigned k;
        for (k = 8; k-- > 0;)
            length = length << 8 | data[at + 8 + k];
        if (length <= left && (data[at + 3] & 1))
            put_crc(data + at + 16, data + at + 24, (size_t)length);
        put_crc(data + at + 20, data + at, 20);
        if (length > left || left - length < ((8 - (length & 7)) & 7))
            break;
        at += 24 + (size_t)length + (size_t)((8 - (length & 7)) & 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    read_all(data, size);
    if (copy != NULL && size > 0) {
        memcpy(copy, data, size);
        mend(copy, size);
        read_all(copy, size);
    }
    free(copy);
    return 0;
}

#ifdef LBJ_FUZZ_MAIN
static void run(FILE *file)
{
    uint8_t *data = NULL, *more;
    size_t size = 0, room = 0;
    do {
        room = room * 2 + 4096;
        more = realloc(data, room);
        if (more == NULL)
            break;
        data = more;
        size += fread(data + size, 1, room - size, file);
    } while (size == room);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int main(int argc, char **argv)
{
    int i;
    if (argc < 2)
        run(stdin);
    for (i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        run(file);
        fclose(file);
    }
    return 0;
}
#endif
