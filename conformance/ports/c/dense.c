/* Decoders of the dense codings (integer stream, lossless-int, float-lattice, noise-q, chart); see dense.h. Numbers
 * such as 8.5.3 are clauses of spec/lbj.md.
 *
 * To be compiled with -ffp-contract=off (8.7.2: no fused multiply-add). Floats are those of IEEE 754, rounded to
 * nearest (Annex F of C99).
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#include "dense.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST ((int64_t)1 << 24)         /* 8.5.1: magnitude of an integer */
#define MOST_SETS 16                       /* 8.5.2 */
#define MOST_TAPS 64                       /* 8.5.3 */
#define MOST_PER_BYTE 8192                 /* 8.5.10: voxels a byte */
#define LARGEST_ERROR 65536                /* 8.5.7 */
#define CLASSES 100                        /* 8.5.7 */
#define SYMBOLS 32                         /* 8.5.8 */
#define STRETCH 512                        /* channels whose sums over earlier rows are made at a time */
#define LARGEST_SUM ((int64_t)1 << 42)     /* 8.9.2 */
#define LARGEST_RATIO ((int64_t)1 << 38)   /* 8.9.3 */

/* Where errors go. */
typedef struct {
    uint64_t offset;
    lbj_error *error;
} sink;

static lbj_status refuse(const sink *s, lbj_status status, const char *clause, const char *why)
{
    if (s->error != NULL) {
        s->error->status = status;
        s->error->offset = s->offset;
        strncpy(s->error->clause, clause, sizeof s->error->clause - 1);
        s->error->clause[sizeof s->error->clause - 1] = 0;
        strncpy(s->error->message, why, sizeof s->error->message - 1);
        s->error->message[sizeof s->error->message - 1] = 0;
    }
    return status;
}

static lbj_status damaged(const sink *s, const char *clause, const char *why)
{
    return refuse(s, LBJ_DAMAGED, clause, why);
}

static lbj_status no_memory(const sink *s)
{
    return refuse(s, LBJ_NOMEM, "", "no memory");
}

static lbj_status reserved_flags(const sink *s, const char *clause)
{
    return refuse(s, LBJ_UNSUPPORTED, clause, "reserved flags of a coding are set");
}

/* Memory for `count` elements. */
static void *take(uint64_t count, size_t element)
{
    if (count > (SIZE_MAX - 16) / element)
        return NULL;
    return malloc((size_t)count * element + 1);
}

/* ------------------------------------------------------------------------------------------------ numbers, bytes -- */

/* v >> n of clause 3.3, also for negative v, for which C99 leaves it to the compiler. */
static int64_t floor_shift(int64_t v, unsigned n)
{
    return (-1 >> 1) == -1 ? v >> n : v >= 0 ? v >> n : ~(~v >> n);
}

/* v // n with n > 0. */
static int64_t floor_divide(int64_t v, int64_t n)
{
    int64_t q = v / n;
    return v % n < 0 ? q - 1 : q;
}

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

/* bit_length(v) - 1 of v > 0. */
static unsigned last_bit(uint64_t v)
{
#if defined(__GNUC__)
    return 63u - (unsigned)__builtin_clzll(v);
#else
    unsigned n = 0;
    while (v >>= 1)
        n++;
    return n;
#endif
}

/* Bytes that are read one after the other. */
typedef struct {
    const uint8_t *at, *end;
} bytes;

static size_t left(const bytes *b)
{
    return (size_t)(b->end - b->at);
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static uint64_t get_bytes(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

/* A number of 8.5.2, at most ten bytes, below 2^64. Returns 0 where there is none. */
static int get_number(bytes *b, uint64_t *value)
{
    unsigned shift;
    *value = 0;
    for (shift = 0; shift < 70 && b->at < b->end; shift += 7) {
        uint8_t byte = *b->at++;
        if (shift == 63 && byte > 1)
            return 0;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return 1;
    }
    return 0;
}

static int get_up_to(bytes *b, uint64_t most, uint64_t *value)
{
    return get_number(b, value) && *value <= most;
}

static int get_signed(bytes *b, int64_t most, int64_t *value)
{
    uint64_t z;
    if (!get_number(b, &z))
        return 0;
    *value = z & 1 ? -(int64_t)(z >> 1) - 1 : (int64_t)(z >> 1);
    return *value >= -most && *value <= most;
}

/* The next bytes, as many as a number before them says. */
static int get_piece(bytes *b, bytes *piece)
{
    uint64_t size;
    if (!get_up_to(b, left(b), &size))
        return 0;
    piece->at = b->at;
    piece->end = b->at += (size_t)size;
    return 1;
}

/* ------------------------------------------------------------------------------------------ elements, exceptions -- */

static void put(uint8_t *to, uint64_t value, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static void put_f32(uint8_t *to, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    put(to, bits, 4);
}

static void put_f64(uint8_t *to, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    put(to, bits, 8);
}

static int is_float(lbj_dtype dtype)
{
    return dtype == LBJ_FLOAT32 || dtype == LBJ_FLOAT64;
}

/* The values that a dtype of integers can express, as far as 63 bits do. */
static void get_range(lbj_dtype dtype, int64_t *low, int64_t *high)
{
    unsigned bits = 8 * (unsigned)lbj_dtype_size(dtype);
    int is_signed = dtype >= LBJ_INT8 && dtype <= LBJ_INT64;
    *high = INT64_MAX >> (bits == 64 ? 0 : is_signed ? 64 - bits : 63 - bits);
    *low = is_signed ? -*high - 1 : 0;
}

/* An integer of the dtype's range. */
static void put_integer(uint8_t *to, lbj_dtype dtype, int64_t value)
{
    switch (dtype) {
    case LBJ_UINT8:
    case LBJ_INT8: put(to, (uint64_t)value, 1); break;
    case LBJ_UINT16:
    case LBJ_INT16: put(to, (uint64_t)value, 2); break;
    case LBJ_UINT32:
    case LBJ_INT32: put(to, (uint64_t)value, 4); break;
    case LBJ_UINT64:
    case LBJ_INT64: put(to, (uint64_t)value, 8); break;
    case LBJ_FLOAT32: put_f32(to, (float)value); break;
    case LBJ_FLOAT64: put_f64(to, (double)value); break;
    }
}

/* Elements given as they are (8.6.2). */
typedef struct {
    uint64_t size;        /* how many; 0: none */
    bytes gaps;           /* of those not yet put, checked */
    const uint8_t *value; /* of the dtype's size each */
} exceptions;

static lbj_status get_exceptions(bytes *b, uint64_t elements, size_t size, exceptions *e, const sink *s)
{
    uint64_t i, gap, next = 0;
    if (!get_up_to(b, elements, &e->size) || e->size == 0)
        return damaged(s, "8.6.2", "a wrong number of exceptions");
    if (e->size > left(b) / (size + 1))
        return damaged(s, "8.6.2", "exceptions end early");
    e->gaps = *b;
    for (i = 0; i < e->size; i++) {
        if (!get_number(b, &gap) || gap >= elements - next)
            return damaged(s, "8.6.2", "an exception outside of the window");
        next += gap + 1;
    }
    if (e->size > left(b) / size)
        return damaged(s, "8.6.2", "exceptions end early");
    e->value = b->at;
    b->at += (size_t)e->size * size;
    return LBJ_OK;
}

/* The index of the next exception, `after` being that after the one before (0 for the first); `elements` where there
 * are no more. */
static uint64_t next_exception(exceptions *e, uint64_t after, uint64_t elements)
{
    uint64_t gap;
    if (e->size == 0 || !get_number(&e->gaps, &gap))
        return elements;
    e->size--;
    return after + gap;
}

static void put_exception(exceptions *e, uint8_t *to, uint64_t index, size_t size)
{
    memcpy(to + index * size, e->value, size);
    e->value += size;
}

/* -------------------------------------------------------------------------------------- 8.5 integer stream: head -- */

typedef struct {
    int d, e, j, weight, is_mean;
} tap;

typedef struct {
    int64_t offset;
    int deepest, first_e, last_e; /* how far the taps reach: y + deepest ... y, x + first_e ... x + last_e */
    int64_t first_c, reach_c;     /* first channel that can be predicted, and channels needed after it */
    unsigned taps;
    tap tap[MOST_TAPS]; /* in earlier rows */
    int64_t before;     /* weight of the voxel before in the row */
    int64_t mean;       /* weight of the mean */
    unsigned further;
    tap own[MOST_TAPS]; /* further back in the row */
} tap_set;

/* Counts of a class and phase (8.5.8). due: the sum at which the starts are made again, 0 where there are none yet. */
typedef struct {
    int16_t start[SYMBOLS];
    uint16_t size[SYMBOLS];
    uint32_t sum, due;
    uint32_t count[SYMBOLS];
} model;

typedef struct {
    int dithered;
    uint32_t seed;
    int64_t beta, alpha, gamma;
    unsigned sets;
    int has_means;
    uint64_t means_kept; /* rows of means that taps reach back to, its own included */
    tap_set set[MOST_SETS + 1]; /* the last is that of 8.5.6 where no set can be used */
    model model[CLASSES][4];

    uint64_t height, width, channels;
    int32_t *sample; /* 64q - u, the whole array */
    int32_t *mean;   /* of the last rows, row r at r % means_kept */
    int32_t *error;  /* of the voxels from here on of the row before, and of this row before; index 0 is c = -1 */
    const uint8_t *at, *end;
    uint32_t x;
    int64_t sum[STRETCH];
    int32_t zeros[STRETCH];
    int32_t context[STRETCH];
} stream;

static const uint16_t scales[17] = {916, 774, 648, 547, 458, 387, 324, 274, 229, 194, 162, 137, 114, 97, 81, 68, 57};

static const uint16_t tails[65] = {
    16384, 14836, 13310, 11830, 10414, 9081, 7843, 6711, 5690, 4783, 3987, 3300, 2713, 2218, 1807, 1467, 1191,
    967,   787,   644,   529,   438,   365,  306,  259,  220,  188,  161,  138,  119,  102,  88,   75,   65,
    55,    47,    40,    34,    29,    24,   20,   17,   14,   12,   10,   8,    7,    5,    4,    4,    3,
    2,     2,     2,     1,     1,     1,    1,    0,    0,    0,    0,    0,    0,    0};

static lbj_status get_tap(bytes *b, tap_set *set, int64_t *weights, const sink *s)
{
    tap t;
    unsigned place, weight, channel;
    if (left(b) < 4)
        return damaged(s, "8.5.3", "taps end early");
    place = get16(b->at);
    weight = get16(b->at + 2);
    b->at += 4;
    channel = place & 255;
    t.d = -(int)(place >> 13);
    t.e = (int)(place >> 8 & 31) - 16;
    t.is_mean = channel == 255;
    t.j = t.is_mean ? 0 : (int)channel - 128;
    t.weight = weight < 32768 ? (int)weight : (int)weight - 65536;
    *weights += magnitude(t.weight);
    if (!(t.d < 0 || t.e < 0 || (t.e == 0 && (t.j < 0 || t.is_mean))))
        return damaged(s, "8.5.3", "a tap on a voxel that is not earlier");
    if (t.d < set->deepest)
        set->deepest = t.d;
    if (t.e < set->first_e)
        set->first_e = t.e;
    if (t.e > set->last_e)
        set->last_e = t.e;
    if (-t.j > set->first_c || (t.is_mean && set->first_c < 1))
        set->first_c = t.is_mean ? 1 : -t.j;
    if (t.j > set->reach_c)
        set->reach_c = t.j;
    if (t.d != 0 || t.e != 0)
        set->tap[set->taps++] = t;
    else if (t.is_mean)
        set->mean += t.weight;
    else if (t.j == -1)
        set->before += t.weight;
    else
        set->own[set->further++] = t;
    return LBJ_OK;
}

static lbj_status get_set(bytes *b, stream *st, tap_set *set, const sink *s)
{
    uint64_t n;
    int64_t weights = 0;
    lbj_status status;
    if (!get_signed(b, (int64_t)1 << 31, &set->offset) || !get_up_to(b, MOST_TAPS, &n))
        return damaged(s, "8.5.3", "a wrong offset or number of taps");
    for (; n > 0; n--)
        if ((status = get_tap(b, set, &weights, s)) != LBJ_OK)
            return status;
    if (weights > 32767)
        return damaged(s, "8.5.3", "weights of a tap set sum to more than 32767");
    for (n = 0; n < set->taps; n++) {
        const tap *t = &set->tap[n];
        int64_t back = (int64_t)-t->d * (int64_t)st->width - t->e; /* not above 0 where no row can use the set */
        st->has_means |= t->is_mean;
        if (t->is_mean && back > 0 && (uint64_t)back >= st->means_kept)
            st->means_kept = (uint64_t)back + 1;
    }
    st->has_means |= set->mean != 0;
    return LBJ_OK;
}

/* Flags, noise model and tap sets (8.5.2, 8.5.3). */
static lbj_status get_head(bytes *b, stream *st, const sink *s)
{
    uint64_t alpha, gamma, sets;
    lbj_status status;
    uint8_t flags;
    if (left(b) < 1)
        return damaged(s, "8.5.2", "an integer stream ends early");
    flags = *b->at++;
    if (flags > 1)
        return reserved_flags(s, "8.5.2");
    st->dithered = flags;
    if (flags) {
        if (left(b) < 4)
            return damaged(s, "8.5.2", "an integer stream ends early");
        st->seed = (uint32_t)get_bytes(b->at, 4);
        b->at += 4;
    }
    if (!get_signed(b, (int64_t)1 << 50, &st->beta) || !get_up_to(b, (uint64_t)1 << 24, &alpha)
        || !get_up_to(b, (uint64_t)1 << 16, &gamma) || !get_up_to(b, MOST_SETS, &sets))
        return damaged(s, "8.5.2", "a wrong noise model or number of tap sets");
    st->alpha = (int64_t)alpha;
    st->gamma = (int64_t)gamma;
    st->means_kept = 1;
    for (st->sets = 0; st->sets < sets; st->sets++)
        if ((status = get_set(b, st, &st->set[st->sets], s)) != LBJ_OK)
            return status;
    return LBJ_OK;
}

/* ------------------------------------------------------------------------------- 8.5 integer stream: frequencies -- */

/* Starts from counts (8.5.8). The division is exact: quotients are below 2^15 and, where they are no integers, more
 * than 2^-19 away from one; that of f64 is right to 2^-38. */
static void make_starts(model *m)
{
    uint32_t before[SYMBOLS], sum = 0;
    unsigned i;
    if (m->sum >= (uint32_t)1 << 18) {
        m->sum = 0;
        for (i = 0; i < SYMBOLS; i++) {
            m->count[i] = (m->count[i] + 1) >> 1;
            m->sum += m->count[i];
        }
    }
    for (i = 0; i < SYMBOLS; i++) {
        before[i] = sum;
        sum += m->count[i];
    }
    for (i = 0; i < SYMBOLS; i++)
        m->start[i] = (int16_t)((int32_t)((double)(int32_t)before[i] * 32736.0 / (double)(int32_t)sum) + (int32_t)i);
    for (i = 0; i + 1 < SYMBOLS; i++)
        m->size[i] = (uint16_t)(m->start[i + 1] - m->start[i]);
    m->size[i] = (uint16_t)(32768 - m->start[i]);
    m->due = m->sum + (m->sum >> 3);
}

/* The counts that a class and phase have at first. */
static void begin_model(model *m, unsigned class, unsigned phase)
{
    unsigned kind = class <= 16 ? class : 13 + ((class - 13) & 3), i;
    int32_t edge = 0, next;
    m->sum = 0;
    for (i = 0; i < SYMBOLS; i++, edge = next) {
        int32_t d = 8 * (int32_t)(i + 1) - 128 - 2 * (int32_t)phase - 1, z = (d < 0 ? -d : d) * scales[kind];
        int32_t x = z >> 8, tail = 0;
        if (x < 64)
            tail = tails[x] + (int32_t)floor_shift((tails[x + 1] - tails[x]) * (z & 255), 8);
        next = i == SYMBOLS - 1 ? 32768 : d < 0 ? tail : 32768 - tail;
        m->count[i] = (uint32_t)(1 + ((next - edge) * 1024 >> 15)); /* edges never fall */
        m->sum += m->count[i];
    }
    make_starts(m);
}

static void add_symbol(model *m, unsigned symbol)
{
    m->count[symbol] += 32;
    m->sum += 32;
    if (m->sum >= m->due)
        make_starts(m);
}

/* ------------------------------------------------------------------------------------ 8.5 integer stream: voxels -- */

/* The largest symbol whose start is not above x. */
static unsigned find_symbol(const model *m, int16_t x)
{
    int16_t n = 0;
    unsigned i;
    for (i = 0; i < SYMBOLS; i++)
        n = (int16_t)(n + (m->start[i] <= x));
    return (unsigned)n - 1;
}

static uint32_t get_dither(uint32_t index, uint32_t seed)
{
    uint32_t h = (index ^ seed) * 0x9E3779B1u;
    h = (h ^ h >> 15) * 0x85EBCA77u;
    h = (h ^ h >> 13) * 0xC2B2AE3Du;
    return h >> 26;
}

/* Where the sample or mean of a tap in an earlier row stands for channel c. */
static const int32_t *find_tap(const stream *st, const tap *t, uint64_t row, uint64_t c)
{
    uint64_t from_row = row - (uint64_t)((int64_t)-t->d * (int64_t)st->width - t->e);
    const int32_t *from = t->is_mean ? st->mean + (from_row % st->means_kept) * st->channels
                                     : st->sample + from_row * st->channels;
    return from + ((int64_t)c + t->j);
}

/* Sums of offset and taps in earlier rows, for channels c to c_end; rounding is in it. Four taps at a time. */
static void sum_taps(stream *st, const tap_set *set, uint64_t row, uint64_t c, uint64_t c_end)
{
    size_t i, n = (size_t)(c_end - c);
    unsigned k, j;
    for (i = 0; i < n; i++)
        st->sum[i] = 2048 + 4096 * set->offset;
    for (k = 0; k < set->taps; k += 4) {
        const int32_t *from[4];
        int64_t weight[4];
        for (j = 0; j < 4; j++) {
            from[j] = k + j < set->taps ? find_tap(st, &set->tap[k + j], row, c) : st->zeros;
            weight[j] = k + j < set->taps ? set->tap[k + j].weight : 0;
        }
        for (i = 0; i < n; i++)
            st->sum[i] += weight[0] * from[0][i] + weight[1] * from[1][i] + weight[2] * from[2][i]
                + weight[3] * from[3][i];
    }
}

/* What the errors of the row before add to the context (8.5.7). */
static void sum_errors(stream *st, uint64_t c, uint64_t c_end, int32_t before)
{
    const int32_t *e = st->error + c + 1;
    size_t i, n = (size_t)(c_end - c);
    st->context[0] = before + 2 * e[0] + e[1] + e[2];
    for (i = 1; i < n; i++)
        st->context[i] = e[i - 1] + 2 * e[i] + e[i + 1] + e[i + 2];
}

/* What goes on from voxel to voxel of a row. */
typedef struct {
    int64_t sample, mean;
    int32_t error, error_before; /* of the voxels one and two before */
    int32_t above;               /* error of the row before at c - 1 */
} row_state;

/* Where X is below 2^16 the next word is needed (8.5.9). */
#define REFILL()                                                                                                       \
    do {                                                                                                               \
        if (x < 65536) {                                                                                               \
            if (at == end)                                                                                             \
                return damaged(s, "8.5.10", "words end early");                                                        \
            x = x << 16 | get16(at);                                                                                   \
            at += 2;                                                                                                   \
        }                                                                                                              \
    } while (0)

/* n bits into `to`, in one or two pieces (n <= 31): the highest 16 first. */
#define GET_BITS(to, n)                                                                                                \
    do {                                                                                                               \
        unsigned bits_left = (n);                                                                                      \
        to = 0;                                                                                                        \
        if (bits_left > 16) {                                                                                          \
            to = x & 65535;                                                                                            \
            x >>= 16;                                                                                                  \
            REFILL();                                                                                                  \
            bits_left -= 16;                                                                                           \
            to <<= bits_left;                                                                                          \
        }                                                                                                              \
        if (bits_left > 0) {                                                                                           \
            to |= x & (((uint32_t)1 << bits_left) - 1);                                                                \
            x >>= bits_left;                                                                                           \
            REFILL();                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Decodes channels c to c_end of a row, whose sums stand ready. */
static lbj_status decode_stretch(stream *st, const tap_set *set, uint64_t row, uint64_t c, uint64_t c_end,
                                 row_state *rs, const sink *s)
{
    int32_t *sample = st->sample + row * st->channels;
    int32_t *mean = st->has_means ? st->mean + (row % st->means_kept) * st->channels : NULL;
    const int64_t alpha = st->alpha, beta = st->beta, gamma = st->gamma, before = set->before, by_mean = set->mean;
    const unsigned further = set->further;
    const uint8_t *at = st->at, *end = st->end;
    uint32_t x = st->x;
    int64_t t = rs->sample, mean_here = rs->mean;
    int64_t error1 = rs->error, error2 = rs->error_before;
    uint64_t i, n = c_end - c;
    sum_errors(st, c, c_end, rs->above);
    rs->above = st->error[c_end];
    for (i = 0; i < n; i++, c++) {
        int64_t p = st->sum[i] + before * t + by_mean * mean_here, u = 0, m, level, base, q, v;
        unsigned k, n_bits, class, symbol;
        uint32_t low;
        model *mo;
        for (k = 0; k < further; k++)
            p += (int64_t)set->own[k].weight * sample[(int64_t)c + set->own[k].j];
        if (st->dithered)
            u = (int64_t)get_dither((uint32_t)(row * st->channels + c), st->seed) - 32;
        p = floor_shift(p, 12) + u;
        m = (2 * error1 + error2 + st->context[i]) >> 3;
        level = p > 0 ? p >> 6 : 0;
        v = beta + ((alpha * level + gamma * m * m) >> 8);
        if (v < 1)
            v = 1;
        n_bits = last_bit((uint64_t)v);
        class = 2 * n_bits + (unsigned)(((uint64_t)v * 2 >> n_bits) & 1);
        if (class >= CLASSES)
            class = CLASSES - 1;
        k = class < 13 ? 0 : (class - 13) >> 2;
        base = floor_shift(p, 4 + k);
        mo = &st->model[class][(uint64_t)base & 3];
        if (mo->due == 0)
            begin_model(mo, class, (unsigned)((uint64_t)base & 3));
        symbol = find_symbol(mo, (int16_t)(x & 32767));
        x = (uint32_t)mo->size[symbol] * (x >> 15) + (x & 32767) - (uint32_t)mo->start[symbol];
        REFILL();
        add_symbol(mo, symbol);
        q = floor_shift(base, 2) + (int64_t)symbol - 16;
        if (symbol == 0 || symbol == SYMBOLS - 1) {
            uint32_t g, f;
            int64_t far;
            GET_BITS(g, 5);
            GET_BITS(f, g);
            far = (int64_t)(((uint64_t)1 << g) + f - 1);
            q += symbol == 0 ? -far : far;
        }
        if (k > 0) {
            GET_BITS(low, k);
            q = q * ((int64_t)1 << k) + low;
        }
        if (q > LARGEST || q < -LARGEST)
            return damaged(s, "8.5.10", "an integer above 2^24");
        t = 64 * q - u;
        sample[c] = (int32_t)t;
        error2 = error1;
        error1 = magnitude(64 * q - p) >> 4;
        if (error1 > LARGEST_ERROR)
            error1 = LARGEST_ERROR;
        st->error[c + 1] = (int32_t)error1;
        if (mean != NULL) {
            mean_here = c == 0 ? t : mean_here + floor_shift(t - mean_here + 8, 4);
            if (c + 1 < st->channels)
                mean[c + 1] = (int32_t)mean_here;
        }
    }
    rs->sample = t;
    rs->mean = mean_here;
    rs->error = (int32_t)error1;
    rs->error_before = (int32_t)error2;
    st->at = at;
    st->x = x;
    return LBJ_OK;
}

/* The set that predicts channel c (8.5.6), and the channel up to which, *c_end, it is the same. `usable` are the
 * numbers of the sets that this row can use. */
static const tap_set *choose_set(const stream *st, const unsigned *usable, unsigned sets, uint64_t c, uint64_t *c_end)
{
    unsigned i;
    for (i = 0; i < sets; i++) {
        const tap_set *set = &st->set[usable[i]];
        uint64_t first = (uint64_t)set->first_c, end = st->channels - (uint64_t)set->reach_c;
        if (c < first) {
            if (first < end && first < *c_end)
                *c_end = first;
        } else if (c < end) {
            if (end < *c_end)
                *c_end = end;
            return set;
        }
    }
    return NULL;
}

static lbj_status decode_row(stream *st, uint64_t row, uint64_t y, uint64_t x, const sink *s)
{
    row_state rs = {0, 0, 0, 0, 0};
    unsigned usable[MOST_SETS], sets = 0, i;
    uint64_t c, c_end;
    lbj_status status;
    for (i = 0; i < st->sets; i++) {
        const tap_set *set = &st->set[i];
        if ((uint64_t)-set->deepest <= y && (uint64_t)-set->first_e <= x && (uint64_t)set->last_e < st->width - x
            && (uint64_t)set->reach_c < st->channels)
            usable[sets++] = i;
    }
    for (c = 0; c < st->channels; c = c_end) {
        const tap_set *set;
        c_end = st->channels - c < STRETCH ? st->channels : c + STRETCH;
        set = choose_set(st, usable, sets, c, &c_end);
        if (set == NULL) { /* the voxel before, or the first of the row before */
            tap_set *plain = &st->set[MOST_SETS];
            plain->before = 4096;
            plain->offset = 0;
            if (c == 0) {
                c_end = 1;
                plain->offset = row > 0 ? st->sample[(row - 1) * st->channels] : 0;
            }
            set = plain;
        }
        sum_taps(st, set, row, c, c_end);
        if ((status = decode_stretch(st, set, row, c, c_end, &rs, s)) != LBJ_OK)
            return status;
    }
    return LBJ_OK;
}

static lbj_status decode_rows(stream *st, const sink *s)
{
    uint64_t x, y, row = 0;
    lbj_status status;
    st->x = (uint32_t)get_bytes(st->at, 4);
    st->at += 4;
    if (st->x < 65536)
        return damaged(s, "8.5.9", "a first state below 2^16");
    for (y = 0; y < st->height; y++)
        for (x = 0; x < st->width; x++, row++)
            if ((status = decode_row(st, row, y, x, s)) != LBJ_OK)
                return status;
    if (st->at != st->end)
        return damaged(s, "8.5.10", "words are left over");
    if (st->x != 65536)
        return damaged(s, "8.5.10", "a wrong final state");
    return LBJ_OK;
}

/* All checks before memory is taken for voxels, then the samples (8.5.4) of the whole array, to be freed by the caller
 * where the result is LBJ_OK. */
static lbj_status decode_stream(bytes b, uint64_t height, uint64_t width, uint64_t channels, int32_t **sample,
                                const sink *s)
{
    stream *st = calloc(1, sizeof *st);
    uint64_t rows = height * width, elements = rows * channels;
    lbj_status status;
    *sample = NULL;
    if (st == NULL)
        return no_memory(s);
    st->height = height;
    st->width = width;
    st->channels = channels;
    status = get_head(&b, st, s);
    if (status == LBJ_OK && (left(&b) % 2 != 0 || left(&b) < 4))
        status = damaged(s, "8.5.10", "half a word, or no state");
    if (status == LBJ_OK && elements / MOST_PER_BYTE + (elements % MOST_PER_BYTE != 0) > left(&b))
        status = damaged(s, "8.5.10", "more voxels than the bytes can hold");
    if (status == LBJ_OK) {
        st->at = b.at;
        st->end = b.end;
        if (st->means_kept > rows)
            st->means_kept = rows;
        st->sample = take(elements, sizeof *st->sample);
        st->error = take(channels + 3, sizeof *st->error);
        if (st->has_means)
            st->mean = take(st->means_kept * channels, sizeof *st->mean);
        if (st->sample == NULL || st->error == NULL || (st->has_means && st->mean == NULL)) {
            status = no_memory(s);
        } else {
            memset(st->error, 0, (size_t)(channels + 3) * sizeof *st->error);
            status = decode_rows(st, s);
        }
    }
    free(st->error);
    free(st->mean);
    if (status == LBJ_OK)
        *sample = st->sample;
    else
        free(st->sample);
    free(st);
    return status;
}

/* q of a sample: u is -32 to 31. */
static int64_t get_q(int32_t sample)
{
    return floor_shift((int64_t)sample + 31, 6);
}

lbj_status lbj_decode_integers(const uint8_t *data, size_t size, uint64_t height, uint64_t width, uint64_t channels,
                               int32_t **values, lbj_error *error)
{
    sink s;
    bytes b;
    uint64_t i;
    lbj_status status;
    s.offset = 0;
    s.error = error;
    b.at = data;
    b.end = data + size;
    status = decode_stream(b, height, width, channels, values, &s);
    for (i = 0; status == LBJ_OK && i < height * width * channels; i++)
        (*values)[i] = (int32_t)get_q((*values)[i]);
    return status;
}

/* ---------------------------------------------------------------------------------------------- 8.6 lossless-int -- */

typedef struct {
    uint64_t size; /* 0: there is none */
    int32_t *value;
} value_list;

static lbj_status get_values(bytes *b, uint64_t most, value_list *list, const sink *s)
{
    uint64_t i;
    int64_t value;
    int32_t *more;
    bytes piece;
    lbj_status status;
    if (!get_up_to(b, most, &list->size) || list->size == 0 || !get_signed(b, LARGEST, &value))
        return damaged(s, "8.6.3", "a wrong size or first value of a value list");
    if (list->size > 1) {
        if (!get_piece(b, &piece))
            return damaged(s, "8.6.3", "a value list ends early");
        if ((status = decode_stream(piece, 1, 1, list->size - 1, &list->value, s)) != LBJ_OK)
            return status;
    }
    more = realloc(list->value, (size_t)list->size * sizeof *more);
    if (more == NULL)
        return no_memory(s);
    list->value = more;
    for (i = 0; i + 1 < list->size; i++) { /* each difference makes room for the value before it */
        int64_t step = get_q(more[i]) + 1;
        more[i] = (int32_t)value;
        value += step;
        if (step < 1 || value > LARGEST)
            return damaged(s, "8.6.3", "a value list that does not rise, or rises above 2^24");
    }
    more[i] = (int32_t)value;
    return LBJ_OK;
}

/* Samples become the integers they stand for, at exceptions too. */
static lbj_status look_up(const value_list *list, int32_t *sample, uint64_t elements, const sink *s)
{
    uint64_t i;
    for (i = 0; i < elements; i++) {
        int64_t q = get_q(sample[i]);
        if (list->size > 0) {
            if (q < 0 || (uint64_t)q >= list->size)
                return damaged(s, "8.6.3", "an index outside of the value list");
            q = list->value[q];
        }
        sample[i] = (int32_t)q;
    }
    return LBJ_OK;
}

/* Elements from i to end, none of them an exception; with negative zeros, those below 0 stand for one more (8.6.5). */
static lbj_status put_integers(lbj_dtype dtype, const int32_t *value, uint64_t i, uint64_t end, int zeros,
                               uint8_t *to, const sink *s)
{
    size_t size = lbj_dtype_size(dtype);
    int64_t low = -LARGEST, high = LARGEST;
    if (!is_float(dtype))
        get_range(dtype, &low, &high);
    for (; i < end; i++) {
        if (value[i] < low || value[i] > high)
            return damaged(s, "8.6.4", "a value that the dtype cannot express");
        put_integer(to + i * size, dtype, zeros && value[i] < 0 ? value[i] + 1 : value[i]);
        if (zeros && value[i] == -1)
            to[i * size + size - 1] = 0x80;
    }
    return LBJ_OK;
}

static lbj_status decode_lossless_int(const dense_block *k, bytes b, uint8_t *to, const sink *s)
{
    uint64_t elements = k->height * k->width * k->channels, i = 0, stop;
    size_t size = lbj_dtype_size(k->dtype);
    exceptions e = {0, {NULL, NULL}, NULL};
    value_list list = {0, NULL};
    int32_t *sample = NULL;
    lbj_status status = LBJ_OK;
    uint8_t flags;
    if (left(&b) < 1)
        return damaged(s, "8.6.1", "the block ends early");
    flags = *b.at++;
    if (flags > 7)
        return reserved_flags(s, "8.6.1");
    if ((flags & 4) && !is_float(k->dtype))
        return damaged(s, "8.6.5", "negative zeros among integers");
    if (flags & 2)
        status = get_exceptions(&b, elements, size, &e, s);
    if (status == LBJ_OK && (flags & 1))
        status = get_values(&b, elements, &list, s);
    if (status == LBJ_OK)
        status = decode_stream(b, k->height, k->width, k->channels, &sample, s);
    if (status == LBJ_OK)
        status = look_up(&list, sample, elements, s);
    while (status == LBJ_OK && i < elements) {
        stop = next_exception(&e, i, elements);
        status = put_integers(k->dtype, sample, i, stop, flags & 4, to, s);
        if (stop < elements)
            put_exception(&e, to, stop, size);
        i = stop + 1;
    }
    free(sample);
    free(list.value);
    return status;
}

/* --------------------------------------------------------------------------------------------- 8.7 float-lattice -- */

#if FLT_EVAL_METHOD == 0

/* d or g, one or one a column: f32 or f64, all finite. */
typedef struct {
    const uint8_t *at;
    size_t size;
    int by_column;
    int single; /* used in f32, and finite there */
} parameters;

static double get_parameter(const parameters *p, uint64_t column)
{
    const uint8_t *at = p->at + (p->by_column ? column * p->size : 0);
    uint64_t bits = get_bytes(at, p->size);
    double value;
    float single;
    if (p->size == 4) {
        uint32_t bits32 = (uint32_t)bits;
        memcpy(&single, &bits32, 4);
        return (double)single;
    }
    memcpy(&value, &bits, 8);
    return value;
}

static lbj_status get_parameters(bytes *b, parameters *p, uint64_t columns, const sink *s)
{
    uint64_t i, n = p->by_column ? columns : 1;
    if (n > left(b) / p->size)
        return damaged(s, "8.7.1", "parameters end early");
    p->at = b->at;
    b->at += (size_t)n * p->size;
    for (i = 0; i < n; i++) {
        double value = get_parameter(p, i);
        /* 2^128 - 2^103 and above round to an infinite f32. */
        double most = p->single ? 340282356779733661637539395458142568448.0 : HUGE_VAL;
        if (!(value > -most && value < most))
            return damaged(s, "8.7.1", "a parameter that is not finite");
    }
    return LBJ_OK;
}

/* (q - d) * g, with one rounding each (8.7.2). */
static void put_lattice(uint8_t *to, lbj_dtype dtype, int single, int64_t q, double d, double g)
{
    if (single) {
        float difference = (float)q - (float)d, product = difference * (float)g;
        if (dtype == LBJ_FLOAT32)
            put_f32(to, product);
        else
            put_f64(to, (double)product);
    } else {
        double difference = (double)q - d, product = difference * g;
        if (dtype == LBJ_FLOAT32)
            put_f32(to, (float)product);
        else
            put_f64(to, product);
    }
}

static lbj_status decode_float_lattice(const dense_block *k, bytes b, uint8_t *to, const sink *s)
{
    uint64_t elements = k->height * k->width * k->channels, i, column;
    size_t size = lbj_dtype_size(k->dtype);
    exceptions e = {0, {NULL, NULL}, NULL};
    parameters d, g;
    int32_t *sample = NULL;
    lbj_status status = LBJ_OK;
    uint8_t flags;
    if (!is_float(k->dtype))
        return damaged(s, "8.7.1", "float-lattice for a dtype that is not of floats");
    if (left(&b) < 1)
        return damaged(s, "8.7.1", "the block ends early");
    flags = *b.at++;
    if (flags > 31)
        return reserved_flags(s, "8.7.1");
    d.size = g.size = flags & 4 ? 4 : 8;
    d.by_column = flags & 8;
    g.by_column = flags & 16;
    d.single = g.single = flags & 2;
    if ((status = get_parameters(&b, &d, k->channels, s)) != LBJ_OK
        || (status = get_parameters(&b, &g, k->channels, s)) != LBJ_OK)
        return status;
    if (flags & 1)
        status = get_exceptions(&b, elements, size, &e, s);
    if (status == LBJ_OK)
        status = decode_stream(b, k->height, k->width, k->channels, &sample, s);
    for (i = 0; status == LBJ_OK && i < elements;)
        for (column = 0; column < k->channels; column++, i++)
            put_lattice(to + i * size, k->dtype, flags & 2, get_q(sample[i]), get_parameter(&d, column),
                        get_parameter(&g, column));
    for (i = 0; status == LBJ_OK && (i = next_exception(&e, i, elements)) < elements; i++)
        put_exception(&e, to, i, size);
    free(sample);
    return status;
}

#else /* floats are evaluated in a wider type: roundings would not be those of 8.7.2 */

static lbj_status decode_float_lattice(const dense_block *k, bytes b, uint8_t *to, const sink *s)
{
    (void)k;
    (void)b;
    (void)to;
    return refuse(s, LBJ_UNSUPPORTED, "8.7.2", "float-lattice: this reader was built without exact floats");
}

#endif

/* --------------------------------------------------------------------------------------------------- 8.8 noise-q -- */

/* From samples to fixed-point values (8.8.2). */
typedef struct {
    int64_t a, l, b;
    unsigned s, f;
} value_map;

#define LARGEST_SAMPLE ((int64_t)1 << 25)
#define LARGEST_FIXED ((int64_t)1 << 53)

static int get_map(bytes *b, value_map *m)
{
    uint64_t shift, f;
    if (!get_signed(b, (int64_t)1 << 11, &m->a) || !get_signed(b, (int64_t)1 << 35, &m->l)
        || !get_signed(b, (int64_t)1 << 60, &m->b) || !get_up_to(b, 62, &shift) || !get_up_to(b, 24, &f))
        return 0;
    m->s = (unsigned)shift;
    m->f = (unsigned)f;
    return 1;
}

/* |t| at most 2^25: nothing reaches 2^63. */
static int64_t get_fixed(const value_map *m, int64_t t)
{
    int64_t w = t > 0 ? t * t - 341 : 0;
    return floor_shift(m->a * w + m->l * t + m->b, m->s);
}

/* fixed * 2^-f in the dtype: floats rounded once (the multiplication is exact), integers limited to their range. */
static void put_fixed(uint8_t *to, lbj_dtype dtype, int64_t fixed, unsigned f, int64_t low, int64_t high)
{
    int64_t half = ((int64_t)1 << f) >> 1;
    if (dtype == LBJ_FLOAT32) {
        put_f32(to, (float)fixed * (1.0f / (float)((int64_t)1 << f)));
    } else if (dtype == LBJ_FLOAT64) {
        put_f64(to, (double)fixed * (1.0 / (double)((int64_t)1 << f)));
    } else {
        fixed = floor_shift(fixed + half, f);
        put_integer(to, dtype, fixed < low ? low : fixed > high ? high : fixed);
    }
}

#define LOSSY_HEAD 49 /* bytes from flags to worst */

static lbj_status decode_noise_q(const dense_block *k, bytes b, uint8_t *to, const sink *s)
{
    uint64_t elements = k->height * k->width * k->channels, i;
    size_t size = lbj_dtype_size(k->dtype);
    exceptions e = {0, {NULL, NULL}, NULL};
    value_map map;
    int64_t low = 0, high = 0;
    int32_t *sample = NULL;
    lbj_status status = LBJ_OK;
    uint8_t flags;
    if (left(&b) < LOSSY_HEAD)
        return damaged(s, "8.8.1", "the block ends early");
    flags = *b.at;
    b.at += LOSSY_HEAD;
    if (flags > 1)
        return reserved_flags(s, "8.8.1");
    if (!get_map(&b, &map))
        return damaged(s, "8.8.2", "a wrong map");
    if (flags & 1)
        status = get_exceptions(&b, elements, size, &e, s);
    if (status == LBJ_OK)
        status = decode_stream(b, k->height, k->width, k->channels, &sample, s);
    if (!is_float(k->dtype))
        get_range(k->dtype, &low, &high);
    for (i = 0; status == LBJ_OK && i < elements; i++) {
        if (magnitude(sample[i]) > LARGEST_SAMPLE) /* at exceptions too */
            status = damaged(s, "8.8.2", "a sample above 2^25");
        else if (magnitude(get_fixed(&map, sample[i])) >= LARGEST_FIXED)
            status = damaged(s, "8.8.2", "a value of 2^53 or more");
        else
            put_fixed(to + i * size, k->dtype, get_fixed(&map, sample[i]), map.f, low, high);
    }
    for (i = 0; status == LBJ_OK && (i = next_exception(&e, i, elements)) < elements; i++)
        put_exception(&e, to, i, size);
    free(sample);
    return status;
}

/* ----------------------------------------------------------------------------------------------------- 8.9 chart -- */

/* Consecutive channels of one treatment (8.9.1). */
#define LARGEST_FACTOR ((uint64_t)1 << 20)

typedef struct {
    uint64_t length, factor; /* factor 0: exact */
    value_map map;
} chart_block;

typedef struct {
    int64_t first, length; /* channels of the window */
    int64_t g;             /* sum of the shape */
    int64_t sum, ratio;    /* in the pixel at hand */
    uint64_t block;        /* number of its chart block */
    int is_first, is_last; /* of its run */
} chart_bin;

typedef struct {
    uint64_t blocks, bins, shaped, exact; /* how many: chart blocks; bins; channels in bins; exact channels */
    unsigned f;
    chart_block *block;
    chart_bin *bin;
    int32_t *shape;  /* G */
    int32_t *sample; /* of the bins */
    uint8_t *exacts; /* elements of exact channels */
    int64_t *fixed;  /* of the shaped channels of a pixel */
    exceptions exceptions;
} chart;

static lbj_status get_chart_blocks(bytes *b, chart *ch, uint64_t channels, int has_exact, const sink *s)
{
    uint64_t i, sum = 0;
    int first = 1;
    if (!get_up_to(b, channels, &ch->blocks) || ch->blocks == 0 || ch->blocks > left(b) / 2)
        return damaged(s, "8.9.1", "a wrong number of chart blocks");
    if ((ch->block = take(ch->blocks, sizeof *ch->block)) == NULL)
        return no_memory(s);
    for (i = 0; i < ch->blocks; i++) {
        chart_block *c = &ch->block[i];
        if (!get_up_to(b, channels - sum, &c->length) || c->length == 0
            || !get_up_to(b, c->length < LARGEST_FACTOR ? c->length : LARGEST_FACTOR, &c->factor))
            return damaged(s, "8.9.1", "a wrong length or factor of a chart block");
        sum += c->length;
        if (c->factor == 0) {
            ch->exact += c->length;
        } else {
            ch->shaped += c->length;
            ch->bins += c->length / c->factor + (c->length % c->factor != 0);
        }
    }
    if (sum != channels || ch->shaped == 0 || (ch->exact > 0) != has_exact)
        return damaged(s, "8.9.1", "chart blocks that do not make up the channels, or not what the flags say");
    for (i = 0; i < ch->blocks; i++) {
        chart_block *c = &ch->block[i];
        if (c->factor == 0)
            continue;
        if (!get_map(b, &c->map))
            return damaged(s, "8.8.2", "a wrong map");
        if (!first && c->map.f != ch->f)
            return damaged(s, "8.9.2", "chart blocks of different F");
        first = 0;
        ch->f = c->map.f;
    }
    return LBJ_OK;
}

/* Lays out the bins, G being there. */
static lbj_status make_bins(chart *ch, const sink *s)
{
    uint64_t i, k, at = 0, n = 0;
    int64_t first = 0, rest, c;
    if ((ch->bin = take(ch->bins, sizeof *ch->bin)) == NULL)
        return no_memory(s);
    for (i = 0; i < ch->blocks; i++) {
        const chart_block *block = &ch->block[i];
        rest = (int64_t)block->length;
        for (k = 0; block->factor > 0 && rest > 0; k++, n++) {
            chart_bin *bin = &ch->bin[n];
            bin->first = first + (int64_t)block->length - rest;
            bin->length = rest < (int64_t)block->factor ? rest : (int64_t)block->factor;
            bin->block = i;
            bin->g = 0;
            for (c = 0; c < bin->length; c++, at++) {
                int64_t g = get_q(ch->shape[at]);
                if (g < 1)
                    return damaged(s, "8.9.1", "a shape below 1");
                ch->shape[at] = (int32_t)g;
                bin->g += g;
            }
            rest -= bin->length;
            bin->is_first = n == 0 || ch->bin[n - 1].first + ch->bin[n - 1].length != bin->first;
            bin->is_last = 1;
            if (!bin->is_first)
                ch->bin[n - 1].is_last = 0;
        }
        first += (int64_t)block->length;
    }
    return LBJ_OK;
}

/* Sums and ratios of the bins of one pixel (8.9.2, 8.9.3). */
static lbj_status make_ratios(chart *ch, const int32_t *sample, const sink *s)
{
    uint64_t i;
    for (i = 0; i < ch->bins; i++) {
        chart_bin *bin = &ch->bin[i];
        if (magnitude(sample[i]) > LARGEST_SAMPLE)
            return damaged(s, "8.8.2", "a sample above 2^25");
        bin->sum = get_fixed(&ch->block[bin->block].map, sample[i]);
        if (magnitude(bin->sum) >= LARGEST_SUM)
            return damaged(s, "8.9.2", "a sum of 2^42 or more");
        bin->ratio = floor_divide(bin->sum * ((int64_t)1 << 20), bin->g);
        if (magnitude(bin->ratio) >= LARGEST_RATIO)
            return damaged(s, "8.9.3", "a ratio of 2^38 or more");
    }
    return LBJ_OK;
}

/* The ratio from the middle of one bin to that of the next, channel by channel: value + rest / divisor. */
typedef struct {
    int64_t value, rest, step, step_rest, divisor;
} slope;

/* From the first channel not below the middle of a bin on. */
static slope begin_slope(const chart_bin *bin)
{
    slope sl = {0, 0, 0, 0, 1};
    int64_t rise, odd = (bin->length & 1) == 0; /* 2c - M there */
    sl.value = bin->ratio;
    if (!bin->is_last) {
        sl.divisor = bin[1].length + bin->length; /* M of the next less M: (2 first + length - 1) of each */
        rise = bin[1].ratio - bin->ratio;
        sl.step = floor_divide(2 * rise, sl.divisor);
        sl.step_rest = 2 * rise - sl.step * sl.divisor;
        sl.value += floor_divide(rise * odd, sl.divisor);
        sl.rest = rise * odd - floor_divide(rise * odd, sl.divisor) * sl.divisor;
    }
    return sl;
}

static void climb(slope *sl)
{
    sl->value += sl->step;
    sl->rest += sl->step_rest;
    if (sl->rest >= sl->divisor) {
        sl->rest -= sl->divisor;
        sl->value++;
    }
}

/* Spreads what the shares of a bin leave over (8.9.3). Shares are below 2^42: their sum is taken apart into multiples
 * of the bin's length and rests before it can reach 2^62. */
static void spread(const chart_bin *bin, int64_t *fixed)
{
    int64_t n = bin->length, part = 0, whole = 0, rest = bin->sum, c, each;
    for (c = 0; c < n; c++) {
        part += fixed[c];
        if ((c & 0x7FFFF) == 0x7FFFF) {
            each = floor_divide(part, n);
            whole += each;
            rest -= part - each * n;
            part = 0;
        }
    }
    rest -= part;
    each = floor_divide(rest, n);
    rest -= each * n;
    each -= whole;
    for (c = 0; c < n; c++)
        fixed[c] += each + (c < rest);
}

/* Fixed-point values of the shaped channels of one pixel. */
static void make_channels(chart *ch)
{
    const int32_t *shape = ch->shape;
    int64_t *fixed = ch->fixed;
    slope sl = {0, 0, 0, 0, 1};
    uint64_t i;
    int64_t c, middle;
    for (i = 0; i < ch->bins; i++, shape += ch->bin[i - 1].length, fixed += ch->bin[i - 1].length) {
        const chart_bin *bin = &ch->bin[i];
        if (bin->length == 1) {
            fixed[0] = bin->sum;
            if (!bin->is_last && bin[1].length > 1) {
                sl = begin_slope(bin);
                climb(&sl);
            }
            continue;
        }
        if (bin->is_first)
            sl.value = bin->ratio, sl.step = sl.step_rest = sl.rest = 0;
        middle = bin->length / 2; /* the first channel with 2c >= M */
        for (c = 0; c < middle; c++, climb(&sl))
            fixed[c] = floor_shift(sl.value * shape[c], 20);
        sl = begin_slope(bin);
        for (; c < bin->length; c++, climb(&sl))
            fixed[c] = floor_shift(sl.value * shape[c], 20);
        spread(bin, fixed);
    }
}

/* Puts the channels of one pixel where they belong. */
static void put_pixel(const dense_block *k, const chart *ch, uint64_t pixel, uint8_t *to, int64_t low, int64_t high)
{
    size_t size = lbj_dtype_size(k->dtype);
    const uint8_t *exact = ch->exacts + pixel * ch->exact * size;
    const int64_t *fixed = ch->fixed;
    uint64_t i, c;
    to += pixel * k->channels * size;
    for (i = 0; i < ch->blocks; i++) {
        const chart_block *block = &ch->block[i];
        if (block->factor == 0) {
            memcpy(to, exact, (size_t)block->length * size);
            exact += block->length * size;
            to += block->length * size;
        } else {
            for (c = 0; c < block->length; c++, to += size)
                put_fixed(to, k->dtype, *fixed++, ch->f, low, high);
        }
    }
}

/* Everything that the block holds, in its order. */
static lbj_status get_chart(const dense_block *k, bytes b, chart *ch, const sink *s)
{
    bytes piece;
    dense_block inner = *k;
    lbj_status status;
    size_t size = lbj_dtype_size(k->dtype);
    uint8_t flags;
    if (left(&b) < LOSSY_HEAD)
        return damaged(s, "8.9.1", "the block ends early");
    flags = *b.at;
    b.at += LOSSY_HEAD;
    if (flags > 3)
        return reserved_flags(s, "8.9.1");
    if ((status = get_chart_blocks(&b, ch, k->channels, flags >> 1, s)) != LBJ_OK)
        return status;
    if (!get_piece(&b, &piece))
        return damaged(s, "8.9.1", "the shape ends early");
    if ((status = decode_stream(piece, 1, 1, ch->shaped, &ch->shape, s)) != LBJ_OK
        || (status = make_bins(ch, s)) != LBJ_OK)
        return status;
    if ((flags & 1)
        && (status = get_exceptions(&b, k->height * k->width * k->channels, size, &ch->exceptions, s)) != LBJ_OK)
        return status;
    if (!get_piece(&b, &piece))
        return damaged(s, "8.9.1", "the bins end early");
    if ((status = decode_stream(piece, k->height, k->width, ch->bins, &ch->sample, s)) != LBJ_OK)
        return status;
    ch->fixed = take(ch->shaped, sizeof *ch->fixed);
    ch->exacts = take(k->height * k->width * ch->exact, size);
    if (ch->fixed == NULL || ch->exacts == NULL)
        return no_memory(s);
    if (ch->exact == 0)
        return left(&b) == 0 ? LBJ_OK : damaged(s, "8.9.1", "bytes are left over");
    inner.channels = ch->exact;
    return decode_lossless_int(&inner, b, ch->exacts, s);
}

static lbj_status decode_chart(const dense_block *k, bytes b, uint8_t *to, const sink *s)
{
    chart ch;
    uint64_t pixel, pixels = k->height * k->width, elements = pixels * k->channels, i = 0;
    int64_t low = 0, high = 0;
    lbj_status status;
    memset(&ch, 0, sizeof ch);
    status = get_chart(k, b, &ch, s);
    if (!is_float(k->dtype))
        get_range(k->dtype, &low, &high);
    for (pixel = 0; pixel < pixels && status == LBJ_OK; pixel++)
        if ((status = make_ratios(&ch, ch.sample + pixel * ch.bins, s)) == LBJ_OK) {
            make_channels(&ch);
            put_pixel(k, &ch, pixel, to, low, high);
        }
    for (i = 0; status == LBJ_OK && (i = next_exception(&ch.exceptions, i, elements)) < elements; i++)
        put_exception(&ch.exceptions, to, i, lbj_dtype_size(k->dtype));
    free(ch.block);
    free(ch.bin);
    free(ch.shape);
    free(ch.sample);
    free(ch.exacts);
    free(ch.fixed);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- blocks -- */

lbj_status lbj_decode_dense(const dense_block *block, uint8_t *to, lbj_error *error)
{
    sink s;
    bytes b;
    s.offset = block->offset;
    s.error = error;
    b.at = block->data;
    b.end = block->data + block->size;
    switch (block->coding) {
    case DENSE_LOSSLESS_INT: return decode_lossless_int(block, b, to, &s);
    case DENSE_FLOAT_LATTICE: return decode_float_lattice(block, b, to, &s);
    case DENSE_NOISE_Q: return decode_noise_q(block, b, to, &s);
    case DENSE_CHART: return decode_chart(block, b, to, &s);
    default: return refuse(&s, LBJ_UNSUPPORTED, "5.3.2", "an unknown coding");
    }
}
