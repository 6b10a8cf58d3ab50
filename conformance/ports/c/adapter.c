/* Adapter of the C library for the conformance suite: the command lbj_c; see conformance/protocol.md.
 *
 *     lbj_c describe
 *     lbj_c decode PATH
 *     lbj_c encode JSON PATH
 *
 * One JSON object on standard output and exit code 0; exit code 2 for wrong arguments, 1 where the system fails.
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#include "lbj.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DENSE_LIMIT ((uint64_t)256 << 20)    /* "decode" refuses larger dense arrays */
#define LIST_ABOVE ((uint64_t)1 << 24)       /* events with more voxels are given as a list */

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "lbj_c: %s: %s\n", what, detail);
    exit(1);
}

static void *need(void *memory)
{
    if (memory == NULL)
        die("failed", "no memory");
    return memory;
}

/* ---------------------------------------------------------------------------------------------------- SHA-256 -- */

typedef struct {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
} sha256;

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void sha256_block(sha256 *s, const uint8_t *p)
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64], v[8], t1, t2;
    unsigned i;
    for (i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3)
            + (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, s->state, sizeof v);
    for (i = 0; i < 64; i++) {
        t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i]
            + w[i];
        t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (i = 0; i < 8; i++)
        s->state[i] += v[i];
}

static void sha256_begin(sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->state, start, sizeof start);
    s->size = 0;
}

static void sha256_add(sha256 *s, const uint8_t *p, size_t size)
{
    for (; size > 0; size--, p++) {
        if ((s->size & 63) == 0 && size >= 64) {
            sha256_block(s, p);
            s->size += 64;
            p += 63;
            size -= 63;
            continue;
        }
        s->block[s->size++ & 63] = *p;
        if ((s->size & 63) == 0)
            sha256_block(s, s->block);
    }
}

static void sha256_end(sha256 *s, char *hex)
{
    static const uint8_t pad[64] = {0x80};
    uint8_t length[8];
    uint64_t bits = s->size * 8;
    unsigned i;
    for (i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, pad, 1 + (size_t)((119 - (s->size & 63)) & 63));
    sha256_add(s, length, 8);
    for (i = 0; i < 8; i++)
        sprintf(hex + 8 * i, "%08" PRIx32, s->state[i]);
}

/* ------------------------------------------------------------------------------------------------------- output -- */

/* Text that grows; flushed to standard output where it is the answer, kept where it may be replaced. */
typedef struct {
    char *data;
    size_t size, room;
    int is_output;
} text;

static void flush(text *t)
{
    if (t->size > 0 && fwrite(t->data, 1, t->size, stdout) != t->size)
        die("failed", "standard output");
    t->size = 0;
}

static void add(text *t, const char *data, size_t size)
{
    if (t->room - t->size < size) {
        if (t->is_output)
            flush(t);
        if (t->room - t->size < size) {
            t->room = (t->room + size) * 2 + 256;
            t->data = need(realloc(t->data, t->room));
        }
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
}

static void say(text *t, const char *format, ...)
{
    char line[512];
    int n;
    va_list arguments;
    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    add(t, line, n > 0 ? (size_t)n : 0);
}

static void say_number(text *t, uint64_t value)
{
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + value % 10);
    while (value /= 10);
    add(t, digits + i, sizeof digits - i);
}

/* A name: holds no control characters (5.1.5). */
static void say_string(text *t, const char *s)
{
    add(t, "\"", 1);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            add(t, "\\", 1);
        add(t, s, 1);
    }
    add(t, "\"", 1);
}

static void say_shape(text *t, const lbj_signal *s)
{
    unsigned i;
    say(t, "\"shape\": [");
    for (i = 0; i < s->axes; i++)
        say(t, i ? ", %" PRIu32 : "%" PRIu32, s->shape[i]);
    say(t, "], ");
}

static void say_error(text *t, const lbj_error *error)
{
    if (error->status == LBJ_NOMEM || error->status == LBJ_IO)
        die(lbj_status_name(error->status), error->message);
    fprintf(stderr, "%s at %" PRIu64 ": %s (%s)\n", lbj_status_name(error->status), error->offset, error->message,
            error->clause);
    say(t, "{\"error\": \"%s\", \"offset\": %" PRIu64 "}", lbj_status_name(error->status), error->offset);
}

static void say_hash(text *t, const lbj_signal *s, const char *dtype, const void *data, size_t size)
{
    sha256 hash;
    char hex[65];
    sha256_begin(&hash);
    sha256_add(&hash, data, size);
    sha256_end(&hash, hex);
    say(t, "{");
    say_shape(t, s);
    say(t, "\"dtype\": \"%s\", \"sha256\": \"%s\"}", dtype, hex);
}

/* ------------------------------------------------------------------------------------------------------- decode -- */

static void say_pair(text *t, int first, uint64_t voxel, uint64_t count)
{
    add(t, first ? "[" : ", [", first ? 1 : 3);
    say_number(t, voxel);
    add(t, ", ", 2);
    say_number(t, count);
    add(t, "]", 1);
}

static void say_list(text *t, const lbj_signal *s, const char *dtype, const uint64_t *voxel, const uint32_t *count32,
                     const uint64_t *count64, uint64_t size)
{
    uint64_t i;
    say(t, "{");
    say_shape(t, s);
    say(t, "\"dtype\": \"%s\", \"list\": [", dtype);
    for (i = 0; i < size; i++)
        say_pair(t, i == 0, voxel[i], count32 != NULL ? count32[i] : count64[i]);
    say(t, "]}");
}

/* A signal of the current frame as an array of the protocol. */
static void say_signal(text *t, lbj_reader *reader, unsigned number)
{
    const lbj_signal *s = lbj_get_signal(reader, number);
    lbj_error error;
    lbj_events events;
    void *data;
    size_t size;
    if (s->kind == LBJ_EVENTS && s->elements > LIST_ABOVE) {
        if (lbj_read_events(reader, number, &events, &error) != LBJ_OK) {
            say_error(t, &error);
            return;
        }
        say_list(t, s, lbj_dtype_name(s->dtype), events.voxel, events.count, NULL, events.size);
        lbj_events_free(&events);
    } else {
        if (lbj_read_dense(reader, number, &data, &size, &error) != LBJ_OK) {
            say_error(t, &error);
            return;
        }
        say_hash(t, s, lbj_dtype_name(s->dtype), data, size);
        free(data);
    }
}

/* Sum of lists: sorted voxels with counts. */
typedef struct {
    uint64_t *voxel, *count, size;
} sum_list;

static void sum_add(sum_list *sum, const lbj_events *events)
{
    sum_list out;
    uint64_t i = 0, j = 0;
    out.voxel = need(malloc((size_t)(sum->size + events->size) * sizeof *out.voxel + 1));
    out.count = need(malloc((size_t)(sum->size + events->size) * sizeof *out.count + 1));
    out.size = 0;
    while (i < sum->size || j < events->size) {
        uint64_t voxel = i == sum->size || (j < events->size && events->voxel[j] < sum->voxel[i]) ? events->voxel[j]
                                                                                                  : sum->voxel[i];
        out.voxel[out.size] = voxel;
        out.count[out.size] = 0;
        if (i < sum->size && sum->voxel[i] == voxel)
            out.count[out.size] += sum->count[i++];
        if (j < events->size && events->voxel[j] == voxel)
            out.count[out.size] += events->count[j++];
        out.size++;
    }
    free(sum->voxel);
    free(sum->count);
    *sum = out;
}

static void say_sum(text *t, const lbj_signal *s, const sum_list *sum)
{
    uint8_t *dense;
    uint64_t i;
    unsigned k;
    if (s->elements > LIST_ABOVE) {
        say_list(t, s, "uint64", sum->voxel, NULL, sum->count, sum->size);
        return;
    }
    dense = need(calloc((size_t)s->elements, 8));
    for (i = 0; i < sum->size; i++) {
        uint8_t *at = dense + (sum->voxel[i] % s->pixels * s->channels + sum->voxel[i] / s->pixels) * 8;
        for (k = 0; k < 8; k++)
            at[k] = (uint8_t)(sum->count[i] >> (8 * k));
    }
    say_hash(t, s, "uint64", dense, (size_t)s->elements * 8);
    free(dense);
}

static int same_group(const lbj_signal *a, const lbj_signal *b)
{
    return a->group != NULL && b->group != NULL && strcmp(a->group, b->group) == 0;
}

/* The group of signal `first`, which is its first member in the frame. */
static void say_group(text *t, lbj_reader *reader, unsigned first)
{
    const lbj_signal *s = lbj_get_signal(reader, first);
    sum_list sum = {NULL, NULL, 0};
    lbj_events events;
    lbj_error error;
    unsigned i;
    memset(&error, 0, sizeof error);
    for (i = first; i < lbj_signal_count(reader) && error.status == LBJ_OK; i++)
        if (same_group(s, lbj_get_signal(reader, i)) && lbj_has_signal(reader, i)
            && lbj_read_events(reader, i, &events, &error) == LBJ_OK) {
            sum_add(&sum, &events);
            lbj_events_free(&events);
        }
    if (error.status == LBJ_OK)
        say_sum(t, s, &sum);
    else
        say_error(t, &error);
    free(sum.voxel);
    free(sum.count);
}

/* Whether the signal present[at] is of a group of events, none of which stands before. */
static int is_first_of_group(lbj_reader *reader, const unsigned *present, unsigned at)
{
    const lbj_signal *s = lbj_get_signal(reader, present[at]);
    unsigned i;
    if (s->group == NULL || s->kind != LBJ_EVENTS)
        return 0;
    for (i = 0; i < at; i++)
        if (same_group(s, lbj_get_signal(reader, present[i])))
            return 0;
    return 1;
}

static void say_frame(text *t, lbj_reader *reader, const lbj_frame *frame)
{
    unsigned *present, n = 0, i, count = lbj_signal_count(reader);
    int first = 1;
    if (frame->error.status != LBJ_OK) {
        say_error(t, &frame->error);
        return;
    }
    present = need(malloc(count * sizeof *present));
    for (i = 0; i < count; i++)
        if (lbj_has_signal(reader, i))
            present[n++] = i;
    say(t, "{\"attributes\": ");
    if (frame->attributes != NULL)
        add(t, frame->attributes, frame->attributes_size);
    else
        say(t, "{}");
    say(t, ", \"signals\": {");
    for (i = 0; i < n; i++) {
        say(t, i ? ", " : "");
        say_string(t, lbj_get_signal(reader, present[i])->name);
        say(t, ": ");
        say_signal(t, reader, present[i]);
    }
    say(t, "}, \"groups\": {");
    for (i = 0; i < n; i++)
        if (is_first_of_group(reader, present, i)) {
            say(t, first ? "" : ", ");
            first = 0;
            say_string(t, lbj_get_signal(reader, present[i])->group);
            say(t, ": ");
            say_group(t, reader, present[i]);
        }
    say(t, "}}");
    free(present);
}

/* The last pseudo-frame that holds a signal counts, right or wrong (5.2.3). */
static void keep_static(text *statics, lbj_reader *reader, const lbj_frame *frame)
{
    unsigned i;
    for (i = 0; i < lbj_signal_count(reader); i++) {
        if (!lbj_has_signal(reader, i))
            continue;
        statics[i].size = 0;
        if (frame->error.status != LBJ_OK)
            say_error(&statics[i], &frame->error);
        else
            say_signal(&statics[i], reader, i);
    }
}

static void say_statics(text *t, text *statics, lbj_reader *reader)
{
    unsigned i;
    int first = 1;
    say(t, "\"static\": {");
    for (i = 0; statics != NULL && i < lbj_signal_count(reader); i++)
        if (statics[i].size > 0) {
            say(t, first ? "" : ", ");
            first = 0;
            say_string(t, lbj_get_signal(reader, i)->name);
            say(t, ": ");
            add(t, statics[i].data, statics[i].size);
            free(statics[i].data);
        }
    say(t, "}");
}

static void say_header(text *t, lbj_reader *reader)
{
    unsigned i;
    say(t, ", \"header\": {\"signals\": [");
    for (i = 0; i < lbj_signal_count(reader); i++) {
        const char *json = lbj_signal_json(reader, i);
        say(t, i ? ", " : "");
        add(t, json, strlen(json));
    }
    say(t, "], \"metadata\": ");
    add(t, lbj_metadata_json(reader), strlen(lbj_metadata_json(reader)));
    say(t, "}");
}

static int decode(const char *path)
{
    static const lbj_limits limits = {DENSE_LIMIT, UINT64_MAX, (uint64_t)1 << 28};
    lbj_reader *reader;
    const lbj_frame *frame;
    lbj_error error, described;
    lbj_status status;
    text out = {NULL, 0, 0, 1}, *statics = NULL;
    unsigned major, minor;
    int first = 1;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die("cannot open", path);
    out.data = need(malloc(out.room = 1 << 16));
    say(&out, "{\"frames\": [");
    status = lbj_open_file(&reader, file, &limits, &error);
    if (status == LBJ_OK) {
        statics = need(calloc(lbj_signal_count(reader), sizeof *statics));
        while ((status = lbj_next(reader, &frame, &error)) == LBJ_OK) {
            if (frame->is_static) {
                keep_static(statics, reader, frame);
                continue;
            }
            say(&out, first ? "" : ",\n");
            first = 0;
            say_frame(&out, reader, frame);
        }
    }
    say(&out, "],\n");
    say_statics(&out, statics, reader);
    if (lbj_version(reader, &major, &minor))
        say(&out, ",\n\"version\": [%u, %u]", major, minor);
    if (statics != NULL && lbj_describe(reader, &described) == LBJ_OK)
        say_header(&out, reader);
    else if (statics != NULL && status == LBJ_END) /* reading ended well, but for the descriptions */
        status = described.status, error = described;
    if (status == LBJ_NOMEM || status == LBJ_IO)
        die(lbj_status_name(status), error.message);
    if (status == LBJ_END) {
        say(&out, ",\n\"result\": \"ok\", \"offset\": null}\n");
    } else {
        fprintf(stderr, "%s at %" PRIu64 ": %s (%s)\n", lbj_status_name(status), error.offset, error.message,
                error.clause);
        say(&out, ",\n\"result\": \"%s\", \"offset\": %" PRIu64 "}\n", lbj_status_name(status), error.offset);
    }
    flush(&out);
    free(out.data);
    free(statics);
    lbj_close(reader);
    fclose(file);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- encode -- */

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    size_t room = 0, got;
    if (file == NULL)
        die("cannot open", path);
    *size = 0;
    do {
        room = room * 2 + 65536;
        data = need(realloc(data, room));
        got = fread(data + *size, 1, room - *size, file);
        *size += got;
    } while (*size == room);
    if (ferror(file))
        die("cannot read", path);
    fclose(file);
    return data;
}

/* A random UUID of version 4. */
static void make_uuid(char *uuid)
{
    uint8_t b[16];
    unsigned i;
    FILE *random = fopen("/dev/urandom", "rb");
    if (random == NULL || fread(b, 1, sizeof b, random) != sizeof b) {
        srand((unsigned)time(NULL) ^ (unsigned)clock());
        for (i = 0; i < sizeof b; i++)
            b[i] = (uint8_t)(rand() >> 4);
    }
    if (random != NULL)
        fclose(random);
    b[6] = (uint8_t)((b[6] & 15) | 0x40);
    b[8] = (uint8_t)((b[8] & 63) | 0x80);
    for (i = 0; i < sizeof b; i++)
        uuid += sprintf(uuid, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

/* The header as it stands, with a uuid if it has none. */
static char *make_header(const lbj_json *json, uint32_t node, size_t *size)
{
    const char *from = json->text + json->node[node].start;
    size_t length = json->node[node].end - json->node[node].start;
    char *header = need(malloc(length + 64)), uuid[37];
    int empty = json->node[node].next == node + 1;
    *size = length;
    if (lbj_json_member(json, node, "uuid")) {
        memcpy(header, from, length);
        return header;
    }
    make_uuid(uuid);
    *size = (size_t)sprintf(header, "{\"uuid\": \"%s\"%s", uuid, empty ? "" : ", ");
    memcpy(header + *size, from + 1, length - 1);
    *size += length - 1;
    return header;
}

/* Base64 with padding (RFC 4648). NULL where it is none. */
static uint8_t *decode_base64(const char *from, size_t length, size_t *size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *data = need(malloc(length / 4 * 3 + 1));
    size_t i, k, padded = 0;
    uint8_t value[256];
    memset(value, 64, sizeof value);
    for (i = 0; i < 64; i++)
        value[(uint8_t)alphabet[i]] = (uint8_t)i;
    while (padded < 2 && padded < length && from[length - 1 - padded] == '=')
        padded++;
    *size = 0;
    for (i = 0; i < length && length % 4 == 0; i += 4) {
        uint32_t bits = 0;
        for (k = i; k < i + 4; k++) {
            uint8_t digit = k >= length - padded ? 0 : value[(uint8_t)from[k]];
            if (digit > 63)
                return free(data), NULL;
            bits = bits << 6 | digit;
        }
        for (k = 0; k < 3; k++)
            data[(*size)++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    if (length % 4 != 0)
        return free(data), NULL;
    *size -= padded;
    return data;
}

static lbj_status encode_list(lbj_writer *writer, unsigned number, const lbj_json *json, uint32_t list,
                              lbj_error *error)
{
    uint32_t i, room = json->node[list].next - list;
    uint64_t *voxel = need(malloc(room * sizeof *voxel)), n = 0, value;
    uint32_t *count = need(malloc(room * sizeof *count));
    lbj_status status = json->node[list].type == LBJ_ARRAY ? LBJ_OK : LBJ_REFUSED;
    for (i = list + 1; status == LBJ_OK && i < json->node[list].next; i = json->node[i].next, n++) {
        if (json->node[i].type != LBJ_ARRAY || json->node[i].next != i + 3
            || !lbj_json_integer(json, i + 1, &voxel[n]) || !lbj_json_integer(json, i + 2, &value)
            || value > UINT32_MAX)
            status = LBJ_REFUSED;
        else
            count[n] = (uint32_t)value;
    }
    if (status == LBJ_OK)
        status = lbj_write_events(writer, number, voxel, count, n, error);
    free(voxel);
    free(count);
    return status;
}

static lbj_status encode_array(lbj_writer *writer, unsigned number, const lbj_json *json, uint32_t node,
                               lbj_error *error)
{
    size_t length, size;
    char *base64;
    uint8_t *data;
    lbj_status status = LBJ_REFUSED;
    if (json->node[node].type != LBJ_STRING)
        return status;
    base64 = need(lbj_json_string(json, node, &length));
    data = decode_base64(base64, length, &size);
    free(base64);
    if (data != NULL)
        status = lbj_write_array(writer, number, data, size, error);
    free(data);
    return status;
}

/* `signals` of a frame, or `static`: an object of arrays by name. */
static lbj_status encode_signals(lbj_writer *writer, const lbj_json *json, uint32_t signals, lbj_error *error)
{
    uint32_t i;
    lbj_status status = json->node[signals].type == LBJ_OBJECT ? LBJ_OK : LBJ_REFUSED;
    for (i = signals + 1; status == LBJ_OK && i < json->node[signals].next; i = json->node[i + 1].next) {
        uint32_t list = lbj_json_member(json, i + 1, "list"), base64 = lbj_json_member(json, i + 1, "base64");
        unsigned number = 0;
        while (number < lbj_writer_signal_count(writer)
               && !lbj_json_is(json, i, lbj_writer_signal(writer, number)->name))
            number++;
        if (!list == !base64)
            return LBJ_REFUSED;
        status = list ? encode_list(writer, number, json, list, error)
                      : encode_array(writer, number, json, base64, error);
    }
    return status;
}

static lbj_status encode_frame(lbj_writer *writer, const lbj_json *json, uint32_t frame, lbj_error *error)
{
    uint32_t attributes = lbj_json_member(json, frame, "attributes"), signals = lbj_json_member(json, frame, "signals");
    lbj_status status;
    if (json->node[frame].type != LBJ_OBJECT || (attributes && json->node[attributes].type != LBJ_OBJECT))
        return LBJ_REFUSED;
    status = lbj_begin_frame(writer, 0, error);
    if (status == LBJ_OK && signals)
        status = encode_signals(writer, json, signals, error);
    if (status == LBJ_OK && attributes && json->node[attributes].next > attributes + 1)
        status = lbj_end_frame(writer, json->text + json->node[attributes].start,
                               json->node[attributes].end - json->node[attributes].start, error);
    else if (status == LBJ_OK)
        status = lbj_end_frame(writer, NULL, 0, error);
    return status;
}

static lbj_status encode_all(lbj_writer *writer, const lbj_json *json, lbj_error *error)
{
    uint32_t frames = lbj_json_member(json, 0, "frames"), statics = lbj_json_member(json, 0, "static"), i;
    lbj_status status = LBJ_OK;
    if ((frames && json->node[frames].type != LBJ_ARRAY) || (statics && json->node[statics].type != LBJ_OBJECT))
        return LBJ_REFUSED;
    if (statics && json->node[statics].next > statics + 1) {
        status = lbj_begin_frame(writer, 1, error);
        if (status == LBJ_OK)
            status = encode_signals(writer, json, statics, error);
        if (status == LBJ_OK)
            status = lbj_end_frame(writer, NULL, 0, error);
    }
    for (i = frames + 1; frames && status == LBJ_OK && i < json->node[frames].next; i = json->node[i].next)
        status = encode_frame(writer, json, i, error);
    return status;
}

static int encode(const char *json_path, const char *path)
{
    size_t size, header_size;
    char *source = read_whole(json_path, &size), *header;
    lbj_json json;
    lbj_writer *writer = NULL;
    lbj_error error;
    lbj_status status;
    uint32_t node;
    memset(&error, 0, sizeof error);
    status = lbj_json_parse(&json, source, size, UINT32_MAX, 64, &error);
    if (status == LBJ_OK) {
        node = lbj_json_member(&json, 0, "header");
        status = node && json.node[node].type == LBJ_OBJECT ? LBJ_OK : LBJ_REFUSED;
        if (status == LBJ_OK) {
            header = make_header(&json, node, &header_size);
            status = lbj_create(&writer, path, header, header_size, 0, &error);
            free(header);
        }
        if (status == LBJ_OK) {
            lbj_error last;
            lbj_status closed;
            status = encode_all(writer, &json, &error);
            closed = lbj_finish(writer, &last);
            if (status == LBJ_OK && closed != LBJ_OK)
                status = closed, error = last;
            if (status != LBJ_OK)
                remove(path);
        }
        lbj_json_free(&json);
    }
    free(source);
    if (status == LBJ_NOMEM || status == LBJ_IO)
        die(lbj_status_name(status), error.message);
    if (status != LBJ_OK)
        fprintf(stderr, "not written: %s (%s)\n", error.message, error.clause);
    printf("{\"result\": \"%s\"}\n", status == LBJ_OK ? "ok" : status == LBJ_UNSUPPORTED ? "unsupported" : "refused");
    return 0;
}

static int describe(void)
{
#ifdef LBJ_ZSTD
    const char *zstd = ", \"shuffle-zstd\"";
#else
    const char *zstd = "";
#endif
    printf("{\"name\": \"c\", \"version\": \"%d.%d\", \"reader\": \"streaming\",\n"
           " \"commands\": [\"decode\", \"encode\"],\n"
           " \"codings\": [\"raw\", \"leb128\", \"split-rice\"%s, \"lossless-int\", \"float-lattice\", \"noise-q\","
           " \"chart\"]}\n", LBJ_MAJOR, LBJ_MINOR, zstd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "describe") == 0)
        return describe();
    if (argc == 3 && strcmp(argv[1], "decode") == 0)
        return decode(argv[2]);
    if (argc == 4 && strcmp(argv[1], "encode") == 0)
        return encode(argv[2], argv[3]);
    fputs("usage: lbj_c describe | decode PATH | encode JSON PATH\n", stderr);
    return 2;
}
