/* lbj: reads and writes listed-bin journals (.lbj), the file format described in spec/lbj.md. Numbers such as 4.2.3 in
 * comments and error messages are clauses of that document.
 *
 * C99: one header, lbj.h, and lbj.c with its part dense.c (and dense.h), compiled without fused multiply-add
 * (-ffp-contract=off). libzstd is the only, and an optional, dependency: compile with -DLBJ_ZSTD and
 * link -lzstd; without it blocks coded as shuffle-zstd are "unsupported". No global state: different readers and
 * writers may be used from different threads, one of them from one thread at a time.
 *
 * The reader is the streaming reader of clause 1.3: it goes from the first byte to the last and never back, and holds
 * one frame at a time (its blocks as stored). The writer is that of the baseline profile, clause 10.5.
 * It begins new journals and does not reopen: after a crash what was completed is safe, and a new file is begun.
 * Written for POSIX systems; elsewhere without lock and without fsync, and not tried.
 *
 *     lbj_reader *reader; const lbj_frame *frame; lbj_error error; lbj_events events;
 *     if (lbj_open_file(&reader, file, NULL, &error) == LBJ_OK)
 *         while (lbj_next(reader, &frame, &error) == LBJ_OK)
 *             if (!frame->is_static && lbj_has_signal(reader, 0)
 *                     && lbj_read_events(reader, 0, &events, &error) == LBJ_OK) {
 *                 ... events.voxel[i], events.count[i] ...
 *                 lbj_events_free(&events);
 *             }
 *     if (error.status != LBJ_END) ... damaged, truncated, ...: error.offset, error.clause, error.message
 *     lbj_close(reader);
 *
 *     lbj_writer *writer;
 *     if (lbj_create(&writer, path, header, header_size, 0, &error) == LBJ_OK) {
 *         if (lbj_begin_frame(writer, 0, &error) == LBJ_OK
 *                 && lbj_write_events(writer, 0, voxel, count, size, &error) == LBJ_OK)
 *             lbj_end_frame(writer, NULL, 0, &error);
 *         lbj_finish(writer, &error);
 *     }
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#ifndef LBJ_H
#define LBJ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LBJ_MAJOR 0 /* version of the format that this library knows */
#define LBJ_MINOR 9
#define LBJ_AXES 8              /* axes of a signal, at most (5.1.5) */
#define LBJ_STATIC UINT64_MAX   /* frame number of pseudo-frames (5.2.3) */

/* ------------------------------------------------------------------------------------------------ results (1.4) -- */

typedef enum {
    LBJ_OK = 0,
    LBJ_END,         /* the file ends here, and may */
    LBJ_TRUNCATED,   /* bytes end early */
    LBJ_DAMAGED,     /* bytes are wrong */
    LBJ_UNSUPPORTED, /* a newer or another reader is needed */
    LBJ_LIMIT,       /* a limit set by the caller */
    LBJ_REFUSED,     /* writer: no conforming journal can hold this; reader and writer: wrong use of a function */
    LBJ_IO,          /* the system could not read or write */
    LBJ_NOMEM        /* no memory */
} lbj_status;

/* Every function that takes an lbj_error fills it where it returns something else than LBJ_OK; it may be NULL. */
typedef struct {
    lbj_status status;
    uint64_t offset;   /* bytes from the beginning of the file to the record at fault */
    char clause[16];   /* the clause broken, such as "4.2.2", or "" */
    char message[232]; /* what was found and what was expected, in English, ASCII */
} lbj_error;

const char *lbj_status_name(lbj_status status); /* "ok", "end", "truncated", "damaged", ...; static */

/* ------------------------------------------------------------------------------------------------- header (5.1) -- */

typedef enum { LBJ_EVENTS, LBJ_SPECTRA, LBJ_IMAGE } lbj_kind;

typedef enum {
    LBJ_UINT8, LBJ_UINT16, LBJ_UINT32, LBJ_UINT64, LBJ_INT8, LBJ_INT16, LBJ_INT32, LBJ_INT64, LBJ_FLOAT32, LBJ_FLOAT64
} lbj_dtype;

typedef struct {
    char *name;  /* UTF-8, ends with a zero byte; so does: */
    char *group; /* NULL if none */
    char *role;  /* NULL if none */
    char *of;    /* NULL if none */
    lbj_kind kind;
    lbj_dtype dtype;
    unsigned axes;            /* number of axes, 1 to LBJ_AXES */
    uint32_t shape[LBJ_AXES]; /* sizes of the axes in array order */
    uint64_t elements;        /* product of the shape, less than 2^43 */
    uint32_t pixels;          /* product of the navigation axes */
    uint32_t channels;        /* size of the last axis; 1 for images */
    int is_static;            /* stands in pseudo-frames only */
} lbj_signal;

size_t lbj_dtype_size(lbj_dtype dtype);           /* bytes of one element */
const char *lbj_dtype_name(lbj_dtype dtype);      /* "uint8", ...; static */

/* ------------------------------------------------------------------------------------------------------- reader -- */

typedef struct lbj_reader lbj_reader;

/* Gives up to `size` bytes to `to`: returns how many, 0 at the end of the file, negative where reading fails. */
typedef ptrdiff_t (*lbj_read_function)(void *user, void *to, size_t size);

/* What the reader may use (11.1). Events need no limit: they are bounded by the bytes stored (clause 8). */
typedef struct {
    uint64_t dense_bytes;  /* one dense array, bytes */
    uint64_t stored_bytes; /* payloads of one frame that are held, bytes */
    uint64_t amend_bytes;  /* text written while amendments are applied, bytes, all together */
} lbj_limits;

#define LBJ_DEFAULT_LIMITS {(uint64_t)1 << 30, (uint64_t)1 << 34, (uint64_t)1 << 28}

/* Opens a journal and reads its HEAD. `size` is the size of the file in bytes where it is known, else UINT64_MAX.
 * Limits may be NULL: LBJ_DEFAULT_LIMITS. What is given to read from belongs to the caller and must outlive the reader.
 * *reader is to be closed with lbj_close also where the result is not LBJ_OK; then it answers lbj_version only. It is
 * NULL where there was no memory for it. */
lbj_status lbj_open(lbj_reader **reader, lbj_read_function read, void *user, uint64_t size, const lbj_limits *limits,
                    lbj_error *error);
lbj_status lbj_open_file(lbj_reader **reader, FILE *file, const lbj_limits *limits, lbj_error *error);
lbj_status lbj_open_memory(lbj_reader **reader, const void *data, size_t size, const lbj_limits *limits,
                           lbj_error *error);
/* Opens the file of this name, which lbj_close closes; LBJ_IO where that cannot be done. */
lbj_status lbj_open_path(lbj_reader **reader, const char *path, const lbj_limits *limits, lbj_error *error);
void lbj_close(lbj_reader *reader);

/* Version stated in HEAD. Returns 0 where HEAD could not be read that far, else 1. */
int lbj_version(const lbj_reader *reader, unsigned *major, unsigned *minor);

unsigned lbj_signal_count(const lbj_reader *reader);
const lbj_signal *lbj_get_signal(const lbj_reader *reader, unsigned signal); /* owned by the reader */
unsigned lbj_find_signal(const lbj_reader *reader, const char *name); /* its number; lbj_signal_count where none has it */
uint64_t lbj_signal_bytes(const lbj_reader *reader, unsigned signal); /* of its dense array in one frame */

/* Descriptions with the amendments met so far (7.1), so best asked for when lbj_next has come to its end. The texts are
 * JSON objects in UTF-8, end with a zero byte, belong to the reader and are valid until the next call of lbj_next.
 * lbj_describe checks them; where it does not return LBJ_OK the descriptions cannot be relied on. */
lbj_status lbj_describe(lbj_reader *reader, lbj_error *error);
const char *lbj_metadata_json(const lbj_reader *reader); /* "{}" where the header has none */
const char *lbj_signal_json(const lbj_reader *reader, unsigned signal);

/* A completed frame or pseudo-frame. Where error.status is not LBJ_OK it exists, and is counted, but cannot be read. */
typedef struct {
    uint64_t number;        /* 0, 1, 2, ... or LBJ_STATIC */
    int is_static;          /* a pseudo-frame of static signals: replaces what earlier ones held of the same signals */
    uint64_t offset;        /* bytes to its FRAM record */
    const char *attributes; /* JSON object, ends with a zero byte; NULL where there is none */
    size_t attributes_size; /* bytes */
    lbj_error error;
} lbj_frame;

/* Goes to the next completed frame. LBJ_OK: *frame belongs to the reader and is valid until the next call. LBJ_END: no
 * more. Anything else says how reading ended, for good. Frames given before are right whatever comes later. */
lbj_status lbj_next(lbj_reader *reader, const lbj_frame **frame, lbj_error *error);

/* Whether the current frame has data of this signal. In a damaged frame: whether it may have. Always 0 for static
 * signals in frames and for others in pseudo-frames, which readers ignore (5.3.8). */
int lbj_has_signal(const lbj_reader *reader, unsigned signal);

/* The voxels of an events signal that are not empty, by rising channel-major index over the whole array (2.3): voxel /
 * pixels is the channel, voxel % pixels the C-order index of the pixel. */
typedef struct {
    uint64_t size;
    uint64_t *voxel;
    uint32_t *count; /* 1 or more */
} lbj_events;

/* Decodes a signal of the current frame. The result is the caller's: lbj_events_free, or free for *data. lbj_read_dense
 * gives the array in C order, little-endian, in the signal's dtype, *size bytes; LBJ_LIMIT above limits.dense_bytes. */
lbj_status lbj_read_events(lbj_reader *reader, unsigned signal, lbj_events *events, lbj_error *error);
lbj_status lbj_read_dense(lbj_reader *reader, unsigned signal, void **data, size_t *size, lbj_error *error);
void lbj_events_free(lbj_events *events);

/* As lbj_read_dense, into `size` bytes of the caller's, whatever limits.dense_bytes says: lbj_signal_bytes of them, else
 * LBJ_REFUSED and nothing is touched. Where the result is another error, what stands in data is undefined. */
lbj_status lbj_read_into(lbj_reader *reader, unsigned signal, void *data, size_t size, lbj_error *error);

/* The coded voxels of one block, for tests and benchmarks: `volume` voxels of the window, of which `voxels` are not
 * empty, with `events` counts. voxel and count are the caller's and have room for `voxels` values. LBJ_DAMAGED where
 * the bytes are wrong; what stands in voxel and count is then undefined. */
lbj_status lbj_decode_split_rice(const uint8_t *data, size_t size, uint32_t volume, uint32_t voxels, uint64_t events,
                                 uint32_t *voxel, uint32_t *count, lbj_error *error);
lbj_status lbj_decode_leb128(const uint8_t *data, size_t size, uint32_t volume, uint32_t voxels, uint64_t events,
                             uint32_t *voxel, uint32_t *count, lbj_error *error);

/* ------------------------------------------------------------------------------------------------------- writer -- */

typedef struct lbj_writer lbj_writer;

enum {
    LBJ_NO_DIGESTS = 1, /* leave payload digests away (the baseline profile to the letter) */
    LBJ_NO_SYNC = 2     /* do not wait until a frame has reached stable storage (10.3) */
};

/* Begins a journal in a new file: never overwrites (10.4), holds an exclusive lock where the system has one (10.1).
 * `header` is the JSON object of clause 5.1.4, `size` bytes, uuid included. LBJ_REFUSED where it does not conform, then
 * no file is made, or the file exists; LBJ_IO where it cannot be made. */
lbj_status lbj_create(lbj_writer **writer, const char *path, const char *header, size_t size, unsigned flags,
                      lbj_error *error);

unsigned lbj_writer_signal_count(const lbj_writer *writer);
const lbj_signal *lbj_writer_signal(const lbj_writer *writer, unsigned signal); /* owned by the writer */

/* A frame: begin, each signal that is present once, end. Events are a list as in lbj_events, checked before anything is
 * written, and stored as leb128; others the array in C order, little-endian, of `size` bytes, stored raw. After
 * LBJ_REFUSED the frame may go on; after LBJ_IO it is gone, and lbj_begin_frame may be tried again. A signal for which
 * this writer needs more than 4,096 windows is LBJ_UNSUPPORTED. `attributes` is a JSON object of `size` bytes or NULL;
 * NULL for static. */
lbj_status lbj_begin_frame(lbj_writer *writer, int is_static, lbj_error *error);
lbj_status lbj_write_events(lbj_writer *writer, unsigned signal, const uint64_t *voxel, const uint32_t *count,
                            uint64_t size, lbj_error *error);
lbj_status lbj_write_array(lbj_writer *writer, unsigned signal, const void *data, uint64_t size, lbj_error *error);
lbj_status lbj_end_frame(lbj_writer *writer, const char *attributes, size_t size, lbj_error *error);
lbj_status lbj_cancel_frame(lbj_writer *writer, lbj_error *error);

/* Closes the file and frees the writer, whatever the result. A frame that was begun and not ended is dropped. */
lbj_status lbj_finish(lbj_writer *writer, lbj_error *error);

/* ------------------------------------------------------------------------------------------------- JSON (4.5.1) -- */

typedef enum {
    LBJ_OBJECT, LBJ_ARRAY, LBJ_STRING, LBJ_NUMBER, LBJ_TRUE, LBJ_FALSE, LBJ_NULL
} lbj_json_type;

/* A value; text[start] to text[end - 1] is its text, of strings without the quotation marks. */
typedef struct {
    uint32_t type; /* lbj_json_type */
    uint32_t start, end;
    uint32_t next; /* index of the first node after this value and all that it holds */
} lbj_json_node;

/* The nodes of a text in its order: node[0] is the outermost object; after an object or array follow its children, in
 * objects a name (a string) and its value by turns. */
typedef struct {
    const char *text; /* the caller's */
    lbj_json_node *node;
    uint32_t size, room;
} lbj_json;

/* Checks a text by clause 4.5.1, with these limits for its size (less than 2^32 - 1 bytes) and depth (64 at most).
 * LBJ_DAMAGED where it breaks the clause. To be freed where the result is LBJ_OK. */
lbj_status lbj_json_parse(lbj_json *json, const char *text, size_t size, size_t largest, unsigned deepest,
                          lbj_error *error);
void lbj_json_free(lbj_json *json);

/* Value of a member, or 0 if there is none or `object` is no object. */
uint32_t lbj_json_member(const lbj_json *json, uint32_t object, const char *name);
/* Whether a node is a string that reads, unescaped, as `text`. */
int lbj_json_is(const lbj_json *json, uint32_t node, const char *text);
/* The unescaped UTF-8 of a string, ends with a zero byte, to be freed by the caller; NULL without memory. */
char *lbj_json_string(const lbj_json *json, uint32_t node, size_t *size);
/* Whether a node is a number written as an integer (digits only) below 2^64. */
int lbj_json_integer(const lbj_json *json, uint32_t node, uint64_t *value);

#ifdef __cplusplus
}
#endif
#endif
