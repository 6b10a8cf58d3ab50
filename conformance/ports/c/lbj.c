/* C library: reads and writes listed-bin journals; see lbj.h. The parts stand in the order of the specification.
 *
 * SPDX-License-Identifier: BSD-3-Clause */
#if defined(__unix__) || defined(__APPLE__)
#define LBJ_POSIX
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64
#endif

#include "lbj.h"
#include "dense.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifdef LBJ_POSIX
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#endif

#ifdef LBJ_ZSTD
#include <zstd.h>
#endif

#define UNKNOWN_SIZE UINT64_MAX
#define LARGEST_LENGTH ((uint64_t)1 << 62)   /* 4.2.3 */
#define LARGEST_JSON ((size_t)1 << 24)       /* 4.5.1 */
#define DEEPEST_JSON 32                      /* 4.5.1 */
#define LARGEST_ARRAY ((uint64_t)1 << 43)    /* 5.1.5: elements are less */
#define MOST_SIGNALS 65535                   /* 5.1.4 */
#define MOST_WINDOWS 4096                    /* 5.3.7 */
#define MOST_AMENDMENTS 4096                 /* 7.1.3 */
#define NO_SIGNAL UINT32_MAX
#define HEADER 24                            /* bytes of a record's header */
#define STEP ((size_t)1 << 20)               /* memory is taken in such steps where the file's size is not known */

/* ----------------------------------------------------------------------------------------------- results (1.4) -- */

const char *lbj_status_name(lbj_status status)
{
    static const char *const names[] = {"ok", "end", "truncated", "damaged", "unsupported", "limit", "refused", "io",
                                        "nomem"};
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "?";
}

#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
static lbj_status fail(lbj_error *error, lbj_status status, uint64_t offset, const char *clause, const char *format,
                       ...)
{
    va_list arguments;
    if (error == NULL)
        return status;
    error->status = status;
    error->offset = offset;
    snprintf(error->clause, sizeof error->clause, "%s", clause);
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

static lbj_status no_memory(lbj_error *error, uint64_t offset)
{
    return fail(error, LBJ_NOMEM, offset, "", "no memory");
}

static void clear_error(lbj_error *error)
{
    if (error != NULL)
        memset(error, 0, sizeof *error);
}

/* Memory for `count` elements; never for more bytes than size_t can express, never of size zero. */
static void *take_memory(uint64_t count, size_t element)
{
    if (count > (SIZE_MAX - 16) / element)
        return NULL;
    return malloc((size_t)count * element + 1);
}

/* ---------------------------------------------------------------------------------------------- conventions (3) -- */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32
        | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static void put(uint8_t *p, uint64_t value, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* Number of binary digits, 3.3. */
static unsigned bit_length(uint64_t value)
{
#if defined(__GNUC__)
    return value ? 64u - (unsigned)__builtin_clzll(value) : 0;
#else
    unsigned n = 0;
    for (; value; value >>= 1)
        n++;
    return n;
#endif
}

/* Number of zero bits below the lowest one bit; `value` is not 0. */
static unsigned trailing_zeros(uint64_t value)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(value);
#else
    unsigned n = 0;
    for (; !(value & 1); value >>= 1)
        n++;
    return n;
#endif
}

/* CRC-32 (3.2), eight bytes at a time: table[k][b] is the effect of byte b with k bytes after it. */
typedef struct {
    uint32_t table[8][256];
} crc_tables;

static void crc_prepare(crc_tables *crc)
{
    uint32_t i, k, value;
    for (i = 0; i < 256; i++) {
        value = i;
        for (k = 0; k < 8; k++)
            value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
        crc->table[0][i] = value;
    }
    for (i = 0; i < 256; i++)
        for (k = 1; k < 8; k++)
            crc->table[k][i] = crc->table[k - 1][i] >> 8 ^ crc->table[0][crc->table[k - 1][i] & 255];
}

/* Continues a CRC-32; begin with 0. */
static uint32_t crc_add(const crc_tables *crc, uint32_t value, const uint8_t *p, size_t size)
{
    uint32_t high;
    value = ~value;
    for (; size >= 8; size -= 8, p += 8) {
        value ^= get32(p);
        high = get32(p + 4);
        value = crc->table[7][value & 255] ^ crc->table[6][value >> 8 & 255] ^ crc->table[5][value >> 16 & 255]
            ^ crc->table[4][value >> 24] ^ crc->table[3][high & 255] ^ crc->table[2][high >> 8 & 255]
            ^ crc->table[1][high >> 16 & 255] ^ crc->table[0][high >> 24];
    }
    for (; size; size--, p++)
        value = value >> 8 ^ crc->table[0][(value ^ *p) & 255];
    return ~value;
}

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"uint8", 1}, {"uint16", 2}, {"uint32", 4}, {"uint64", 8}, {"int8", 1}, {"int16", 2}, {"int32", 4},
              {"int64", 8}, {"float32", 4}, {"float64", 8}};

size_t lbj_dtype_size(lbj_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *lbj_dtype_name(lbj_dtype dtype)
{
    return dtypes[dtype].name;
}

/* ------------------------------------------------------------------------------------------------- JSON (4.5.1) -- */

typedef struct {
    lbj_json *json;
    size_t size, at;
    unsigned deepest;
    const char *why; /* what is wrong, or NULL */
    int no_memory;
} json_parser;

static int json_wrong(json_parser *p, const char *why)
{
    p->why = why;
    return 0;
}

static int json_add(json_parser *p, lbj_json_type type, size_t start, uint32_t *index)
{
    lbj_json *json = p->json;
    if (json->size == json->room) {
        size_t room = (size_t)json->room + json->room / 2 + 64;
        lbj_json_node *node = NULL;
        if (room <= UINT32_MAX / 2 && room <= SIZE_MAX / sizeof *node)
            node = realloc(json->node, room * sizeof *node);
        if (node == NULL) {
            p->no_memory = 1;
            return json_wrong(p, "no memory");
        }
        json->node = node;
        json->room = (uint32_t)room;
    }
    *index = json->size++;
    json->node[*index].type = (uint32_t)type;
    json->node[*index].start = (uint32_t)start;
    json->node[*index].end = (uint32_t)start;
    json->node[*index].next = json->size;
    return 1;
}

/* Next byte, or -1 at the end. */
static int json_peek(const json_parser *p)
{
    return p->at < p->size ? (unsigned char)p->json->text[p->at] : -1;
}

static void json_space(json_parser *p)
{
    int c;
    while (c = json_peek(p), c == ' ' || c == '\t' || c == '\n' || c == '\r')
        p->at++;
}

static int hex_digit(int c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c > 0 ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) % 16 : -1;
}

/* Four hexadecimal digits of \u, or -1. */
static int32_t hex_four(const char *text, size_t size)
{
    int32_t value = 0;
    size_t i;
    if (size < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        int digit = hex_digit((unsigned char)text[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Length of the UTF-8 sequence that begins at a byte above 7F, 0 if it is none: RFC 3629, so no surrogates either. */
static size_t utf8_length(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t length = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] <= 0xF4 ? 4 : 0;
    unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    size_t i;
    if (length == 0 || length > size || p[1] < low || p[1] > high)
        return 0;
    for (i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* After a backslash. */
static int json_escape(json_parser *p)
{
    const char *text = p->json->text;
    int c = json_peek(p);
    int32_t unit;
    if (c < 0 || strchr("\"\\/bfnrtu", c) == NULL || c == 0)
        return json_wrong(p, "an escape that JSON does not know");
    p->at++;
    if (c != 'u')
        return 1;
    unit = hex_four(text + p->at, p->size - p->at);
    if (unit < 0)
        return json_wrong(p, "\\u without four hexadecimal digits");
    p->at += 4;
    if (unit < 0xD800 || unit > 0xDFFF)
        return 1;
    if (unit >= 0xDC00 || p->size - p->at < 6 || text[p->at] != '\\' || text[p->at + 1] != 'u')
        return json_wrong(p, "a lone surrogate");
    unit = hex_four(text + p->at + 2, 4);
    if (unit < 0xDC00 || unit > 0xDFFF)
        return json_wrong(p, "a lone surrogate");
    p->at += 6;
    return 1;
}

static int json_string(json_parser *p, uint32_t *index)
{
    const char *text = p->json->text;
    if (json_peek(p) != '"')
        return json_wrong(p, "no string where one must stand");
    p->at++;
    if (!json_add(p, LBJ_STRING, p->at, index))
        return 0;
    for (;;) {
        int c = json_peek(p);
        if (c < 0x20)
            return json_wrong(p, c < 0 ? "a string without end" : "a control character in a string");
        if (c == '"')
            break;
        if (c == '\\') {
            p->at++;
            if (!json_escape(p))
                return 0;
        } else if (c < 0x80) {
            p->at++;
        } else {
            size_t length = utf8_length(text + p->at, p->size - p->at);
            if (length == 0)
                return json_wrong(p, "bytes that are not UTF-8");
            p->at += length;
        }
    }
    p->json->node[*index].end = (uint32_t)p->at++;
    return 1;
}

/* Whether a decimal number rounds to a finite f64: it is less than 2^1024 - 2^970, the middle between the largest
 * finite number and the next power of two, written out here. */
static int is_finite(const char *text, size_t size)
{
    static const char bound[] =
        "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
        "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
        "59622842914819860834936475292719074168444365510704342711559699508093042880";
    const int64_t digits = 309;
    int64_t exponent = 0, place = 0; /* place: digits before the decimal point, from the first that is not 0 */
    size_t i = 0, mantissa_end = 0, compared = 0;
    int negative = 0, begun = 0, point = 0, side = 0;
    while (mantissa_end < size && text[mantissa_end] != 'e' && text[mantissa_end] != 'E')
        mantissa_end++;
    for (i = mantissa_end + 1; i < size; i++) {
        if (text[i] == '-')
            negative = 1;
        else if (text[i] != '+' && exponent < (int64_t)1 << 40)
            exponent = exponent * 10 + (text[i] - '0');
    }
    for (i = 0; i < mantissa_end; i++) {
        if (text[i] == '.') {
            point = 1;
        } else if (text[i] != '-') {
            begun = begun || text[i] != '0';
            if (begun && !point)
                place++;
            else if (!begun && point)
                place--;
            if (begun && side == 0 && compared < (size_t)digits)
                side = (text[i] > bound[compared]) - (text[i] < bound[compared]), compared++;
        }
    }
    if (!begun)
        return 1;
    place += negative ? -exponent : exponent;
    if (place != digits)
        return place < digits;
    while (side == 0 && compared < (size_t)digits)
        side = bound[compared++] > '0' ? -1 : 0;
    return side < 0;
}

static int json_digits(json_parser *p)
{
    size_t start = p->at;
    while (json_peek(p) >= '0' && json_peek(p) <= '9')
        p->at++;
    return p->at > start || json_wrong(p, "no digit where one must stand");
}

static int json_number(json_parser *p)
{
    uint32_t index;
    size_t start = p->at;
    if (!json_add(p, LBJ_NUMBER, start, &index))
        return 0;
    if (json_peek(p) == '-')
        p->at++;
    if (json_peek(p) == '0')
        p->at++;
    else if (!json_digits(p))
        return 0;
    if (json_peek(p) == '.') {
        p->at++;
        if (!json_digits(p))
            return 0;
    }
    if (json_peek(p) == 'e' || json_peek(p) == 'E') {
        p->at++;
        if (json_peek(p) == '+' || json_peek(p) == '-')
            p->at++;
        if (!json_digits(p))
            return 0;
    }
    p->json->node[index].end = (uint32_t)p->at;
    return is_finite(p->json->text + start, p->at - start) || json_wrong(p, "a number beyond the range of f64");
}

static int json_word(json_parser *p, lbj_json_type type, const char *word)
{
    uint32_t index;
    size_t length = strlen(word);
    if (p->size - p->at < length || memcmp(p->json->text + p->at, word, length) != 0)
        return json_wrong(p, "no JSON value where one must stand");
    if (!json_add(p, type, p->at, &index))
        return 0;
    p->at += length;
    p->json->node[index].end = (uint32_t)p->at;
    return 1;
}

/* Takes the code point at *at off a checked string: unescaped. */
static uint32_t next_point(const char *text, uint32_t *at)
{
    const unsigned char *p = (const unsigned char *)text + *at;
    if (p[0] == '\\' && p[1] == 'u') {
        uint32_t unit = (uint32_t)hex_four(text + *at + 2, 4);
        *at += 6;
        if (unit < 0xD800 || unit > 0xDFFF)
            return unit;
        *at += 6;
        return 0x10000 + ((unit - 0xD800) << 10) + (uint32_t)hex_four(text + *at - 4, 4) - 0xDC00;
    }
    if (p[0] == '\\') {
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *found = strchr(from, p[1]);
        *at += 2;
        return found != NULL ? (unsigned char)to[found - from] : p[1];
    }
    if (p[0] < 0x80)
        return *at += 1, p[0];
    if (p[0] < 0xE0)
        return *at += 2, (p[0] & 31u) << 6 | (p[1] & 63u);
    if (p[0] < 0xF0)
        return *at += 3, (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    return *at += 4, (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
}

/* Order of two strings by their unescaped code points. */
static int json_compare(const lbj_json *a, uint32_t i, const lbj_json *b, uint32_t j)
{
    uint32_t at = a->node[i].start, bt = b->node[j].start;
    while (at < a->node[i].end && bt < b->node[j].end) {
        uint32_t x = next_point(a->text, &at), y = next_point(b->text, &bt);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (at < a->node[i].end) - (bt < b->node[j].end);
}

static void sift_names(const lbj_json *json, uint32_t *name, uint32_t root, uint32_t count)
{
    uint32_t child, kept = name[root];
    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && json_compare(json, name[child], json, name[child + 1]) < 0)
            child++;
        if (json_compare(json, kept, json, name[child]) >= 0)
            break;
        name[root] = name[child];
        root = child;
    }
    name[root] = kept;
}

/* The names of an object's members, sorted (heapsort: no worst case); to be freed. NULL without memory. */
static uint32_t *sorted_names(const lbj_json *json, uint32_t object, uint32_t *count)
{
    uint32_t *name, i, n = 0;
    for (i = object + 1; i < json->node[object].next; i = json->node[i + 1].next)
        n++;
    name = take_memory(n, sizeof *name);
    if (name == NULL)
        return NULL;
    *count = n;
    n = 0;
    for (i = object + 1; i < json->node[object].next; i = json->node[i + 1].next)
        name[n++] = i;
    for (i = n / 2; i-- > 0;)
        sift_names(json, name, i, n);
    while (n > 1) {
        uint32_t largest = name[0];
        name[0] = name[--n];
        name[n] = largest;
        sift_names(json, name, 0, n);
    }
    return name;
}

static int json_unique(json_parser *p, uint32_t object)
{
    uint32_t *name, count, i;
    int unique = 1;
    const lbj_json_node *node = p->json->node;
    if (object + 1 == p->json->size || node[object + 2].next == p->json->size)
        return 1; /* no member, or one */
    name = sorted_names(p->json, object, &count);
    if (name == NULL) {
        p->no_memory = 1;
        return json_wrong(p, "no memory");
    }
    for (i = 1; i < count; i++)
        unique = unique && json_compare(p->json, name[i - 1], p->json, name[i]) != 0;
    free(name);
    return unique || json_wrong(p, "one name twice in an object");
}

static int json_value(json_parser *p, unsigned depth);

/* An object or an array; depth is its own. */
static int json_container(json_parser *p, unsigned depth, int is_object)
{
    uint32_t index, name;
    int close = is_object ? '}' : ']';
    if (depth > p->deepest)
        return json_wrong(p, "nesting too deep");
    if (!json_add(p, is_object ? LBJ_OBJECT : LBJ_ARRAY, p->at, &index))
        return 0;
    p->at++;
    json_space(p);
    if (json_peek(p) != close) {
        for (;;) {
            if (is_object) {
                if (!json_string(p, &name))
                    return 0;
                json_space(p);
                if (json_peek(p) != ':')
                    return json_wrong(p, "no colon after a name");
                p->at++;
                json_space(p);
            }
            if (!json_value(p, depth))
                return 0;
            json_space(p);
            if (json_peek(p) != ',')
                break;
            p->at++;
            json_space(p);
        }
        if (json_peek(p) != close)
            return json_wrong(p, "an object or array that is not closed");
    }
    p->at++;
    p->json->node[index].end = (uint32_t)p->at;
    p->json->node[index].next = p->json->size;
    return !is_object || json_unique(p, index);
}

/* Any value, inside of `depth` containers. The recursion is at most `deepest` deep. */
static int json_value(json_parser *p, unsigned depth)
{
    uint32_t index;
    int c = json_peek(p);
    switch (c) {
    case '{':
    case '[':
        return json_container(p, depth + 1, c == '{');
    case '"':
        return json_string(p, &index);
    case 't':
        return json_word(p, LBJ_TRUE, "true");
    case 'f':
        return json_word(p, LBJ_FALSE, "false");
    case 'n':
        return json_word(p, LBJ_NULL, "null");
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return json_number(p);
        return json_wrong(p, c < 0 ? "an early end" : "no JSON value where one must stand");
    }
}

void lbj_json_free(lbj_json *json)
{
    free(json->node);
    memset(json, 0, sizeof *json);
}

lbj_status lbj_json_parse(lbj_json *json, const char *text, size_t size, size_t largest, unsigned deepest,
                          lbj_error *error)
{
    json_parser p;
    memset(json, 0, sizeof *json);
    memset(&p, 0, sizeof p);
    json->text = text;
    p.json = json;
    p.size = size;
    p.deepest = deepest < 64 ? deepest : 64;
    if (size > largest || size >= UINT32_MAX)
        return fail(error, LBJ_DAMAGED, 0, "4.5.1", "JSON of %llu bytes, at most %llu are allowed",
                    (unsigned long long)size, (unsigned long long)largest);
    json_space(&p);
    if (json_peek(&p) != '{')
        json_wrong(&p, "no object");
    else if (json_value(&p, 0)) {
        json_space(&p);
        if (p.at < p.size)
            json_wrong(&p, "something after the object");
    }
    if (p.why == NULL)
        return LBJ_OK;
    lbj_json_free(json);
    if (p.no_memory)
        return no_memory(error, 0);
    return fail(error, LBJ_DAMAGED, 0, "4.5.1", "JSON: %s, at its byte %llu", p.why, (unsigned long long)p.at);
}

/* Like lbj_json_parse with the limits of 4.5.1, for a text in the record at `offset`. */
static lbj_status parse_json_at(lbj_json *json, const char *text, size_t size, uint64_t offset, lbj_error *error)
{
    lbj_status status = lbj_json_parse(json, text, size, LARGEST_JSON, DEEPEST_JSON, error);
    if (status != LBJ_OK && error != NULL)
        error->offset = offset;
    return status;
}

int lbj_json_is(const lbj_json *json, uint32_t node, const char *text)
{
    uint32_t at, with = 0;
    if (json->node[node].type != LBJ_STRING)
        return 0;
    for (at = json->node[node].start; at < json->node[node].end;)
        if (text[with] == 0 || next_point(json->text, &at) != next_point(text, &with))
            return 0;
    return text[with] == 0;
}

uint32_t lbj_json_member(const lbj_json *json, uint32_t object, const char *name)
{
    uint32_t i;
    if (json->node[object].type != LBJ_OBJECT)
        return 0;
    for (i = object + 1; i < json->node[object].next; i = json->node[i + 1].next)
        if (lbj_json_is(json, i, name))
            return i + 1;
    return 0;
}

int lbj_json_integer(const lbj_json *json, uint32_t node, uint64_t *value)
{
    uint32_t at;
    uint64_t result = 0;
    if (json->node[node].type != LBJ_NUMBER)
        return 0;
    for (at = json->node[node].start; at < json->node[node].end; at++) {
        char c = json->text[at];
        uint64_t digit = (uint64_t)(unsigned char)c - '0';
        if (c < '0' || c > '9' || result > UINT64_MAX / 10 || result * 10 > UINT64_MAX - digit)
            return 0;
        result = result * 10 + digit;
    }
    *value = result;
    return 1;
}

char *lbj_json_string(const lbj_json *json, uint32_t node, size_t *size)
{
    uint32_t at = json->node[node].start, end = json->node[node].end;
    char *text = take_memory(end - at, 1); /* unescaped is never longer */
    size_t n = 0;
    if (text == NULL)
        return NULL;
    while (at < end) {
        uint32_t c = next_point(json->text, &at);
        if (c < 0x80) {
            text[n++] = (char)c;
            continue;
        }
        if (c < 0x800) {
            text[n++] = (char)(0xC0 | c >> 6);
        } else {
            if (c < 0x10000) {
                text[n++] = (char)(0xE0 | c >> 12);
            } else {
                text[n++] = (char)(0xF0 | c >> 18);
                text[n++] = (char)(0x80 | (c >> 12 & 63));
            }
            text[n++] = (char)(0x80 | (c >> 6 & 63));
        }
        text[n++] = (char)(0x80 | (c & 63));
    }
    text[n] = 0;
    if (size != NULL)
        *size = n;
    return text;
}

static lbj_json_type type_of(const lbj_json *json, uint32_t node)
{
    return (lbj_json_type)json->node[node].type;
}

/* Number of elements of an array. */
static uint32_t array_size(const lbj_json *json, uint32_t array)
{
    uint32_t i, n = 0;
    for (i = array + 1; i < json->node[array].next; i = json->node[i].next)
        n++;
    return n;
}

/* Text of a value as it stands, strings with their quotation marks. */
static const char *raw_text(const lbj_json *json, uint32_t node, size_t *size)
{
    uint32_t quote = type_of(json, node) == LBJ_STRING ? 1 : 0;
    *size = json->node[node].end - json->node[node].start + 2 * quote;
    return json->text + json->node[node].start - quote;
}

/* --------------------------------------------------------------------------------------------------- HEAD (5.1) -- */

/* Where a description is being checked: what is wrong is told with this status (damaged when read, refused when
 * written) and offset. */
typedef struct {
    const lbj_json *json;
    lbj_status status;
    uint64_t offset;
    lbj_error *error;
} checker;

static lbj_status wrong(const checker *c, const char *clause, const char *what, const char *expected)
{
    return fail(c->error, c->status, c->offset, clause, "%s: expected %s", what, expected);
}

/* A name: 1 to 64 code points without control characters (5.1.5). */
static int is_name(const lbj_json *json, uint32_t node)
{
    uint32_t at = json->node[node].start, end = json->node[node].end, count = 0;
    if (type_of(json, node) != LBJ_STRING)
        return 0;
    while (at < end) {
        uint32_t point = next_point(json->text, &at);
        if (point < 0x20 || (point >= 0x7F && point <= 0x9F) || ++count > 64)
            return 0;
    }
    return count > 0;
}

static lbj_status check_axis(const checker *c, uint32_t axis, uint32_t size)
{
    const lbj_json *json = c->json;
    uint64_t stated;
    uint32_t i, name = lbj_json_member(json, axis, "name"), length = lbj_json_member(json, axis, "size");
    uint32_t units = lbj_json_member(json, axis, "units"), values = lbj_json_member(json, axis, "values");
    uint32_t offset = lbj_json_member(json, axis, "offset"), scale = lbj_json_member(json, axis, "scale");
    if (type_of(json, axis) != LBJ_OBJECT)
        return wrong(c, "5.1.6", "axis", "an object");
    if (!name || type_of(json, name) != LBJ_STRING)
        return wrong(c, "5.1.6", "name of an axis", "a string");
    if (!length || !lbj_json_integer(json, length, &stated) || stated != size)
        return wrong(c, "5.1.6", "size of an axis", "the size in the signal's shape");
    if (units && type_of(json, units) != LBJ_STRING)
        return wrong(c, "5.1.6", "units of an axis", "a string");
    if (!offset != !scale || (offset && (type_of(json, offset) != LBJ_NUMBER || type_of(json, scale) != LBJ_NUMBER)))
        return wrong(c, "5.1.6", "offset and scale of an axis", "both, as numbers, or none");
    if (!values)
        return LBJ_OK;
    if (offset)
        return wrong(c, "5.1.6", "axis", "either offset and scale or values");
    if (type_of(json, values) != LBJ_ARRAY || array_size(json, values) != size)
        return wrong(c, "5.1.6", "values of an axis", "an array with one number for each index");
    for (i = values + 1; i < json->node[values].next; i = json->node[i].next)
        if (type_of(json, i) != LBJ_NUMBER)
            return wrong(c, "5.1.6", "values of an axis", "numbers");
    return LBJ_OK;
}

static lbj_status check_axes(const checker *c, uint32_t axes, const lbj_signal *signal)
{
    const lbj_json *json = c->json;
    uint32_t i, n = 0;
    if (type_of(json, axes) != LBJ_ARRAY || array_size(json, axes) != signal->axes)
        return wrong(c, "5.1.5", "axes of a signal", "an array of one axis for each dimension");
    for (i = axes + 1; i < json->node[axes].next; i = json->node[i].next, n++) {
        lbj_status status = check_axis(c, i, signal->shape[n]);
        if (status != LBJ_OK)
            return status;
    }
    return LBJ_OK;
}

static unsigned navigation_axes(const lbj_signal *signal)
{
    return signal->kind == LBJ_IMAGE ? signal->axes : signal->axes - 1;
}

static lbj_status check_to_field(const checker *c, uint32_t matrix, const lbj_signal *signal)
{
    const lbj_json *json = c->json;
    uint32_t row, i;
    if (navigation_axes(signal) < 2)
        return wrong(c, "5.1.5", "to_field of a signal with fewer than two navigation axes", "none");
    if (type_of(json, matrix) != LBJ_ARRAY || array_size(json, matrix) != 2)
        return wrong(c, "5.1.5", "to_field", "2 x 3 numbers");
    for (row = matrix + 1; row < json->node[matrix].next; row = json->node[row].next) {
        if (type_of(json, row) != LBJ_ARRAY || array_size(json, row) != 3)
            return wrong(c, "5.1.5", "to_field", "2 x 3 numbers");
        for (i = row + 1; i < json->node[row].next; i = json->node[i].next)
            if (type_of(json, i) != LBJ_NUMBER)
                return wrong(c, "5.1.5", "to_field", "2 x 3 numbers");
    }
    return LBJ_OK;
}

/* The members that amendments can change (7.1.2). */
static lbj_status check_amendable(const checker *c, uint32_t node, const lbj_signal *signal)
{
    const lbj_json *json = c->json;
    uint32_t axes = lbj_json_member(json, node, "axes"), to_field = lbj_json_member(json, node, "to_field");
    uint32_t metadata = lbj_json_member(json, node, "metadata");
    lbj_status status = LBJ_OK;
    if (axes)
        status = check_axes(c, axes, signal);
    if (status == LBJ_OK && to_field)
        status = check_to_field(c, to_field, signal);
    if (status == LBJ_OK && metadata && type_of(json, metadata) != LBJ_OBJECT)
        status = wrong(c, "5.1.5", "metadata of a signal", "an object");
    return status;
}

static lbj_status check_shape(const checker *c, uint32_t shape, lbj_signal *signal)
{
    const lbj_json *json = c->json;
    uint32_t i;
    uint64_t size, pixels = 1;
    unsigned fewest = signal->kind == LBJ_IMAGE ? 1 : 2, n = 0;
    if (!shape || type_of(json, shape) != LBJ_ARRAY)
        return wrong(c, "5.1.5", "shape of a signal", "an array of sizes");
    signal->axes = array_size(json, shape) <= LBJ_AXES ? (unsigned)array_size(json, shape) : 0;
    if (signal->axes < fewest)
        return wrong(c, "5.1.5", "shape of a signal", "2 to 8 axes, 1 to 8 for an image");
    signal->elements = 1;
    for (i = shape + 1; i < json->node[shape].next; i = json->node[i].next, n++) {
        if (!lbj_json_integer(json, i, &size) || size < 1 || size > UINT32_MAX)
            return wrong(c, "5.1.5", "shape of a signal", "sizes of 1 to 2^32-1, written as integers");
        signal->shape[n] = (uint32_t)size;
        if (size > (LARGEST_ARRAY - 1) / signal->elements)
            return wrong(c, "5.1.5", "shape of a signal", "less than 2^43 elements");
        signal->elements *= size;
        if (n < navigation_axes(signal))
            pixels *= size;
    }
    if (pixels > UINT32_MAX)
        return wrong(c, "5.1.5", "shape of a signal", "at most 2^32-1 pixels");
    signal->pixels = (uint32_t)pixels;
    signal->channels = signal->kind == LBJ_IMAGE ? 1 : signal->shape[signal->axes - 1];
    return LBJ_OK;
}

static lbj_status check_kind(const checker *c, uint32_t kind, uint32_t dtype, lbj_signal *signal)
{
    static const char *const kinds[] = {"events", "spectra", "image"};
    size_t i, found;
    for (i = 0, found = 3; kind && i < 3; i++)
        if (lbj_json_is(c->json, kind, kinds[i]))
            found = i;
    if (found == 3)
        return wrong(c, "5.1.5", "kind of a signal", "events, spectra or image");
    signal->kind = (lbj_kind)found;
    for (i = 0, found = 10; dtype && i < 10; i++)
        if (lbj_json_is(c->json, dtype, dtypes[i].name))
            found = i;
    if (found == 10 || (signal->kind == LBJ_EVENTS && found > LBJ_UINT32))
        return wrong(c, "5.1.5", "dtype of a signal", "a name of the list, for events uint8, uint16 or uint32");
    signal->dtype = (lbj_dtype)found;
    return LBJ_OK;
}

/* An optional string, copied to *copy where that is not NULL. */
static lbj_status check_string(const checker *c, uint32_t node, int as_name, const char *what, char **copy)
{
    if (!node)
        return LBJ_OK;
    if (type_of(c->json, node) != LBJ_STRING || (as_name && !is_name(c->json, node)))
        return wrong(c, "5.1.5", what, as_name ? "1 to 64 code points, no control characters" : "a string");
    if (copy != NULL && (*copy = lbj_json_string(c->json, node, NULL)) == NULL)
        return no_memory(c->error, c->offset);
    return LBJ_OK;
}

/* One signal by itself (5.1.5, 5.1.6). */
static lbj_status check_signal(const checker *c, uint32_t node, lbj_signal *signal)
{
    const lbj_json *json = c->json;
    uint32_t name;
    lbj_status status;
    if (type_of(json, node) != LBJ_OBJECT)
        return wrong(c, "5.1.5", "signal", "an object");
    name = lbj_json_member(json, node, "name");
    if (!name)
        return wrong(c, "5.1.5", "name of a signal", "a string");
    if ((status = check_string(c, name, 1, "name of a signal", &signal->name)) != LBJ_OK
        || (status = check_kind(c, lbj_json_member(json, node, "kind"), lbj_json_member(json, node, "dtype"), signal))
        || (status = check_shape(c, lbj_json_member(json, node, "shape"), signal))
        || (status = check_string(c, lbj_json_member(json, node, "coding"), 0, "coding of a signal", NULL))
        || (status = check_string(c, lbj_json_member(json, node, "group"), 1, "group of a signal", &signal->group))
        || (status = check_string(c, lbj_json_member(json, node, "role"), 0, "role of a signal", &signal->role))
        || (status = check_string(c, lbj_json_member(json, node, "of"), 1, "of of a signal", &signal->of)))
        return status;
    signal->is_static = signal->role != NULL
        && (!strcmp(signal->role, "survey") || !strcmp(signal->role, "dark") || !strcmp(signal->role, "gain"));
    return check_amendable(c, node, signal);
}

/* The signals of a header, with an index by name. */
typedef struct {
    lbj_signal *signal;
    unsigned size;
    lbj_signal **by_name;
    lbj_signal **by_group;
} signal_table;

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(lbj_signal *const *)a)->name, (*(lbj_signal *const *)b)->name);
}

static int compare_groups(const void *a, const void *b)
{
    const char *x = (*(lbj_signal *const *)a)->group, *y = (*(lbj_signal *const *)b)->group;
    return x == NULL || y == NULL ? (x != NULL) - (y != NULL) : strcmp(x, y);
}

static lbj_signal *find_signal(const signal_table *table, const char *name)
{
    lbj_signal wanted, *key = &wanted, **found;
    memset(&wanted, 0, sizeof wanted);
    memcpy(&wanted.name, &name, sizeof name); /* only compared */
    found = bsearch(&key, table->by_name, table->size, sizeof key, compare_names);
    return found != NULL ? *found : NULL;
}

static void free_signals(signal_table *table)
{
    unsigned i;
    for (i = 0; i < table->size; i++) {
        free(table->signal[i].name);
        free(table->signal[i].group);
        free(table->signal[i].role);
        free(table->signal[i].of);
    }
    free(table->signal);
    free(table->by_name);
    free(table->by_group);
    memset(table, 0, sizeof *table);
}

static int same_shape(const lbj_signal *a, const lbj_signal *b)
{
    return a->kind == b->kind && a->axes == b->axes && memcmp(a->shape, b->shape, a->axes * sizeof *a->shape) == 0;
}

/* What binds the signals to each other: unique names, groups (5.1.5). */
static lbj_status check_together(const checker *c, signal_table *table)
{
    unsigned i;
    for (i = 0; i < table->size; i++)
        table->by_name[i] = table->by_group[i] = &table->signal[i];
    qsort(table->by_name, table->size, sizeof *table->by_name, compare_names);
    qsort(table->by_group, table->size, sizeof *table->by_group, compare_groups);
    for (i = 0; i < table->size; i++) {
        const lbj_signal *now = table->by_group[i], *before = i ? table->by_group[i - 1] : NULL;
        if (i && compare_names(&table->by_name[i - 1], &table->by_name[i]) == 0)
            return wrong(c, "5.1.5", "name of a signal", "to be unique");
        if (now->group != NULL && find_signal(table, now->group) != NULL)
            return wrong(c, "5.1.5", "name of a group", "to be no signal's");
        if (now->group != NULL && before != NULL && before->group != NULL && !strcmp(now->group, before->group)
            && !same_shape(now, before))
            return wrong(c, "5.1.5", "signals of one group", "the same kind and shape");
    }
    return LBJ_OK;
}

/* `signals` of a header; the table is to be freed by the caller whatever the result. */
static lbj_status read_signals(const checker *c, signal_table *table)
{
    const lbj_json *json = c->json;
    uint32_t i, node = lbj_json_member(json, 0, "signals"), count;
    if (!node || type_of(json, node) != LBJ_ARRAY)
        return wrong(c, "5.1.4", "signals", "an array");
    count = array_size(json, node);
    if (count < 1 || count > MOST_SIGNALS)
        return wrong(c, "5.1.4", "signals", "1 to 65535 of them");
    table->signal = calloc(count, sizeof *table->signal);
    table->by_name = calloc(count, sizeof *table->by_name);
    table->by_group = calloc(count, sizeof *table->by_group);
    if (table->signal == NULL || table->by_name == NULL || table->by_group == NULL)
        return no_memory(c->error, c->offset);
    for (i = node + 1; i < json->node[node].next; i = json->node[i].next) {
        lbj_status status = check_signal(c, i, &table->signal[table->size++]);
        if (status != LBJ_OK)
            return status;
    }
    return check_together(c, table);
}

/* ------------------------------------------------------------------------------------------------------- reader -- */

/* A growing text. */
typedef struct {
    char *data;
    size_t size, room;
} text_buffer;

typedef struct {
    uint64_t offset;
    uint8_t *payload;
    size_t size;
    int intact;      /* its digest is right, or it has none */
    uint32_t signal; /* when the frame is completed; NO_SIGNAL where it cannot be told */
} stored_block;

typedef struct {
    uint64_t offset;
    uint8_t type[4];
    int has_digest;
    uint64_t length;
    uint32_t payload_crc;
} record_header;

struct lbj_reader {
    lbj_read_function read;
    void *user;
    uint64_t size;     /* of the file, or UNKNOWN_SIZE */
    uint64_t position; /* bytes taken so far */
    const uint8_t *memory; /* for lbj_open_memory */
    FILE *file;            /* for lbj_open_path */
    lbj_limits limits;
    lbj_error error; /* how reading ended; LBJ_OK before */
    crc_tables crc;
    unsigned major, minor;
    int has_version;

    signal_table signals;
    uint8_t *head; /* payload of HEAD */
    text_buffer metadata;
    text_buffer *description; /* of each signal */
    uint64_t *amended;        /* offset of the last amendment of each signal, 0 if none */
    uint64_t amendments;
    uint64_t amend_bytes; /* written so far */
    lbj_error amend_error;

    uint64_t completed; /* frames */
    int in_frame; /* a FRAM without its DONE */
    int fram_intact;
    lbj_frame frame;
    uint8_t *done; /* payload of DONE */
    stored_block *block;
    size_t blocks, block_room;
    uint64_t stored; /* bytes of the payloads in `block` */

    uint8_t scratch[1 << 16];
};

/* Ends reading for good. */
#define STOP(r, ...) fail(&(r)->error, __VA_ARGS__)

/* Takes `size` bytes, fewer at the end of the file. */
static lbj_status receive(lbj_reader *r, uint8_t *to, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ptrdiff_t n = r->read(r->user, to + *got, size - *got);
        if (n < 0 || (size_t)n > size - *got)
            return STOP(r, LBJ_IO, r->position, "", "reading failed");
        if (n == 0)
            break;
        *got += (size_t)n;
        r->position += (uint64_t)n;
    }
    return LBJ_OK;
}

/* 4.4.2: where no valid header stands, zeros to the end of the file are a truncation. `b` holds the 24 bytes. */
static lbj_status invalid_header(lbj_reader *r, const uint8_t *b, uint64_t at)
{
    static const uint8_t marker[3] = {0xF5, 0x4C, 0x42};
    size_t i, got = 1;
    int zeros = b[HEADER - 1] == 0;
    while (zeros && got > 0) {
        if (receive(r, r->scratch, sizeof r->scratch, &got) != LBJ_OK)
            return r->error.status;
        for (i = 0; i < got; i++)
            zeros = zeros && r->scratch[i] == 0;
    }
    if (zeros)
        return STOP(r, LBJ_TRUNCATED, at, "4.4.2", "no record, zeros to the end of the file");
    if (memcmp(b, marker, 3) != 0)
        return STOP(r, LBJ_DAMAGED, at, "4.2.1", "bytes %02X %02X %02X where a record must begin with F5 4C 42", b[0],
                    b[1], b[2]);
    return STOP(r, LBJ_DAMAGED, at, "4.2.2", "header_crc is %08lX, the header's CRC-32 is %08lX",
                (unsigned long)get32(b + 20), (unsigned long)crc_add(&r->crc, 0, b, 20));
}

/* 4.4.1 (a): the file ends inside a header, of which `got` bytes are there. */
static lbj_status incomplete_header(lbj_reader *r, const uint8_t *b, size_t got, uint64_t at)
{
    static const uint8_t marker[3] = {0xF5, 0x4C, 0x42};
    if (b[got - 1] != 0 && memcmp(b, marker, got < 3 ? got : 3) != 0) /* 4.4.2 */
        return STOP(r, LBJ_DAMAGED, at, "4.4.1", "%u bytes at the end of the file that do not begin a record",
                    (unsigned)got);
    return STOP(r, LBJ_TRUNCATED, at, "4.4.1", "the file ends inside the header of a record, after %u bytes",
                (unsigned)got);
}

/* The file ends after a whole record (4.4.1 (b), (c)). */
static lbj_status end_of_file(lbj_reader *r)
{
    if (r->position == 8)
        return STOP(r, LBJ_TRUNCATED, 8, "4.4.1", "the file ends after the signature");
    if (r->in_frame)
        return STOP(r, LBJ_TRUNCATED, r->frame.offset, "4.4.1", "the file ends inside a frame, before its DONE");
    return STOP(r, LBJ_END, r->position, "4.4.1", "end of the file");
}

static int is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int is_type(const record_header *h, const char *type)
{
    return memcmp(h->type, type, 4) == 0;
}

static unsigned padding(uint64_t length)
{
    return (unsigned)((8 - (length & 7)) & 7);
}

static lbj_status early_end(lbj_reader *r, const record_header *h)
{
    return STOP(r, LBJ_TRUNCATED, h->offset, "4.4.1", "the file ends inside a record with a payload of %llu bytes",
                (unsigned long long)h->length);
}

/* Reads and checks the header of a record, in the order of 4.2.7. LBJ_END where the file may end. */
static lbj_status read_header(lbj_reader *r, record_header *h)
{
    uint8_t b[HEADER];
    size_t got;
    h->offset = r->position;
    if (receive(r, b, HEADER, &got) != LBJ_OK)
        return r->error.status;
    if (got == 0)
        return end_of_file(r);
    if (got < HEADER)
        return incomplete_header(r, b, got, h->offset);
    if (b[0] != 0xF5 || b[1] != 0x4C || b[2] != 0x42 || crc_add(&r->crc, 0, b, 20) != get32(b + 20))
        return invalid_header(r, b, h->offset); /* 4.2.1, 4.2.2 */
    memcpy(h->type, b + 4, 4);
    h->has_digest = b[3] & 1;
    h->length = get64(b + 8);
    h->payload_crc = get32(b + 16);
    if (!is_letter(b[4]) || !is_letter(b[5]) || !is_letter(b[6]) || !is_letter(b[7]))
        return STOP(r, LBJ_DAMAGED, h->offset, "4.3.1", "type %02X %02X %02X %02X, expected letters", b[4], b[5], b[6],
                    b[7]);
    if (b[6] & 0x20)
        return STOP(r, LBJ_UNSUPPORTED, h->offset, "4.3.1", "type %.4s, whose third letter is lower case",
                    (const char *)h->type);
    if (b[3] & 0xFE)
        return STOP(r, LBJ_UNSUPPORTED, h->offset, "4.2.4", "flags %02X of a record, bits 1 to 7 are reserved", b[3]);
    if (!h->has_digest && h->payload_crc != 0)
        return STOP(r, LBJ_DAMAGED, h->offset, "4.2.5", "payload_crc %08lX without a digest, expected 0",
                    (unsigned long)h->payload_crc);
    if (h->length > LARGEST_LENGTH)
        return STOP(r, LBJ_DAMAGED, h->offset, "4.2.3", "length %llu, above 2^62", (unsigned long long)h->length);
    if (r->size != UNKNOWN_SIZE && h->length > r->size - h->offset - HEADER) /* 4.2.3; r->size >= offset + 24 */
        return early_end(r, h);
    return LBJ_OK;
}

/* Makes room for `need` bytes of `most` that will be wanted if the file is what it says. Where its size is not known,
 * memory is never more than a constant above what has been received (4.2.3). */
static int reserve(const lbj_reader *r, uint8_t **data, size_t *room, size_t need, size_t most)
{
    uint8_t *more;
    size_t wanted = r->size != UNKNOWN_SIZE || most - *room < STEP ? most : *room + STEP;
    if (*room >= need)
        return 1;
    more = realloc(*data, wanted);
    if (more == NULL)
        return 0;
    *data = more;
    *room = wanted;
    return 1;
}

/* Reads payload and padding; *intact: whether the digest is right or absent (4.2.5). *payload gets the first `keep`
 * bytes, fewer if there are not as many, and a zero byte behind them; it is the caller's, NULL where keep is 0. */
static lbj_status read_payload(lbj_reader *r, const record_header *h, uint64_t keep, uint8_t **payload, int *intact)
{
    uint64_t kept = h->length < keep ? h->length : keep, done, left;
    uint8_t *data = NULL, *to, pad[8];
    uint32_t crc = 0;
    size_t got, part, room = 0;
    *payload = NULL;
    if (kept > SIZE_MAX / 2 || (keep > 0 && !reserve(r, &data, &room, 1, (size_t)kept + 1)))
        return STOP(r, LBJ_NOMEM, h->offset, "", "no memory");
    for (done = 0; done < h->length; done += part) {
        left = (done < kept ? kept : h->length) - done;
        part = left < sizeof r->scratch ? (size_t)left : sizeof r->scratch;
        to = r->scratch;
        if (done < kept) {
            if (!reserve(r, &data, &room, (size_t)done + part + 1, (size_t)kept + 1)) {
                free(data);
                return STOP(r, LBJ_NOMEM, h->offset, "", "no memory");
            }
            to = data + done;
        }
        if (receive(r, to, part, &got) != LBJ_OK || got < part) {
            free(data);
            return r->error.status != LBJ_OK ? r->error.status : early_end(r, h);
        }
        if (h->has_digest)
            crc = crc_add(&r->crc, crc, to, part);
    }
    if (receive(r, pad, padding(h->length), &got) != LBJ_OK || got < padding(h->length)) {
        free(data);
        return r->error.status != LBJ_OK ? r->error.status : early_end(r, h);
    }
    if (data != NULL)
        data[kept] = 0;
    *payload = data;
    *intact = !h->has_digest || crc == h->payload_crc;
    return LBJ_OK;
}

static lbj_status skip_payload(lbj_reader *r, const record_header *h, int *intact)
{
    uint8_t *none;
    return read_payload(r, h, 0, &none, intact);
}

/* ---- amendments (7.1) ---- */

static int text_add(text_buffer *b, const char *data, size_t size)
{
    if (size >= b->room - b->size || b->data == NULL) {
        size_t room = b->room / 2 * 3 + 64;
        char *more;
        if (size > SIZE_MAX / 4 - b->size)
            return 0;
        if (room < b->size + size + 1)
            room = b->size + size + 1;
        more = realloc(b->data, room);
        if (more == NULL)
            return 0;
        b->data = more;
        b->room = room;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0;
    return 1;
}

static int text_set(text_buffer *b, const char *data, size_t size)
{
    b->size = 0;
    return text_add(b, data, size);
}

static int text_add_node(text_buffer *b, const lbj_json *json, uint32_t node)
{
    size_t size;
    const char *text = raw_text(json, node, &size);
    return text_add(b, text, size);
}

/* The name of 7.1.2 that cannot be amended. */
static int is_frozen(const lbj_json *json, uint32_t name)
{
    static const char *const names[] = {"name", "kind", "shape", "dtype", "coding", "group", "role", "of"};
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (lbj_json_is(json, name, names[i]))
            return 1;
    return 0;
}

static int text_add_member(text_buffer *b, const lbj_json *json, uint32_t name)
{
    return text_add(b, ",", b->data[b->size - 1] == '{' ? 0 : 1) && text_add_node(b, json, name) && text_add(b, ":", 1);
}

/* Index of a name in a sorted list of names, or `count`. */
static uint32_t find_name(const lbj_json *in, const uint32_t *sorted, uint32_t count, const lbj_json *json,
                          uint32_t name)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = json_compare(in, sorted[middle], json, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return count;
}

/* RFC 7396: writes `target` as changed by `patch`; target may be absent (NULL). With `frozen`, members of the patch
 * that 7.1.2 protects are passed over. Recursion is at most as deep as JSON may be. Returns 0 without memory. */
static int merge(text_buffer *out, const lbj_json *target, uint32_t t, const lbj_json *patch, uint32_t p, int frozen)
{
    uint32_t *t_names = NULL, *p_names = NULL, t_count = 0, p_count = 0, i, found;
    int ok;
    if (type_of(patch, p) != LBJ_OBJECT)
        return text_add_node(out, patch, p);
    if (target != NULL && type_of(target, t) != LBJ_OBJECT)
        target = NULL;
    ok = text_add(out, "{", 1) && (p_names = sorted_names(patch, p, &p_count)) != NULL
        && (target == NULL || (t_names = sorted_names(target, t, &t_count)) != NULL);
    for (i = t + 1; ok && target != NULL && i < target->node[t].next; i = target->node[i + 1].next) {
        found = find_name(patch, p_names, p_count, target, i);
        if (found == p_count || (frozen && is_frozen(target, i)))
            ok = text_add_member(out, target, i) && text_add_node(out, target, i + 1);
        else if (type_of(patch, p_names[found] + 1) != LBJ_NULL)
            ok = text_add_member(out, target, i) && merge(out, target, i + 1, patch, p_names[found] + 1, 0);
    }
    for (i = p + 1; ok && i < patch->node[p].next; i = patch->node[i + 1].next) {
        if (type_of(patch, i + 1) == LBJ_NULL || (frozen && is_frozen(patch, i)))
            continue;
        if (target == NULL || find_name(target, t_names, t_count, patch, i) == t_count)
            ok = text_add_member(out, patch, i) && merge(out, NULL, 0, patch, i + 1, 0);
    }
    free(t_names);
    free(p_names);
    return ok && text_add(out, "}", 1);
}

/* Changes one description. */
static lbj_status amend_text(lbj_reader *r, text_buffer *text, const lbj_json *patch, uint32_t node, int frozen,
                             uint64_t offset)
{
    lbj_json target;
    text_buffer out = {NULL, 0, 0};
    lbj_error *error = &r->amend_error;
    int ok;
    if (lbj_json_parse(&target, text->data, text->size, UINT32_MAX - 1, DEEPEST_JSON, error) != LBJ_OK) {
        error->offset = offset;
        return error->status;
    }
    ok = merge(&out, &target, 0, patch, node, frozen);
    lbj_json_free(&target);
    if (!ok) {
        free(out.data);
        return no_memory(error, offset);
    }
    free(text->data);
    *text = out;
    r->amend_bytes += out.size;
    if (r->amend_bytes > r->limits.amend_bytes || out.size > UINT32_MAX / 2)
        return fail(error, LBJ_LIMIT, offset, "11.1", "amendments write more than %llu bytes, the caller's limit",
                    (unsigned long long)r->limits.amend_bytes);
    return LBJ_OK;
}

static lbj_status amend_signals(lbj_reader *r, const lbj_json *patch, uint32_t signals, uint64_t offset)
{
    uint32_t i;
    for (i = signals + 1; i < patch->node[signals].next; i = patch->node[i + 1].next) {
        size_t size, number;
        lbj_signal *signal;
        char *name = lbj_json_string(patch, i, &size);
        if (name == NULL)
            return no_memory(&r->amend_error, offset);
        signal = strlen(name) == size ? find_signal(&r->signals, name) : NULL;
        free(name);
        if (type_of(patch, i + 1) != LBJ_OBJECT)
            return fail(&r->amend_error, LBJ_DAMAGED, offset, "7.1.1", "patch to a signal: expected an object");
        if (signal == NULL)
            continue; /* 7.1.2 */
        number = (size_t)(signal - r->signals.signal);
        r->amended[number] = offset;
        if (amend_text(r, &r->description[number], patch, i + 1, 1, offset) != LBJ_OK)
            return r->amend_error.status;
    }
    return LBJ_OK;
}

/* Checks the kinds of values of 7.1.1 before anything is applied. */
static lbj_status check_amendment(lbj_reader *r, const lbj_json *patch, uint64_t offset)
{
    static const char *const names[] = {"metadata", "source", "signals"};
    size_t i;
    for (i = 0; i < 3; i++) {
        uint32_t node = lbj_json_member(patch, 0, names[i]);
        if (node && type_of(patch, node) != LBJ_OBJECT)
            return fail(&r->amend_error, LBJ_DAMAGED, offset, "7.1.1", "%s of an amendment: expected an object",
                        names[i]);
    }
    return LBJ_OK;
}

/* Applies an amendment. What is wrong is kept for lbj_describe; frames are read all the same (9.1). */
static void amend(lbj_reader *r, const record_header *h, const uint8_t *payload, int intact)
{
    lbj_json patch;
    uint32_t metadata, signals;
    if (r->amend_error.status != LBJ_OK)
        return;
    r->amendments++;
    if (!intact)
        fail(&r->amend_error, LBJ_DAMAGED, h->offset, "4.2.5", "payload digest of an amendment is wrong");
    else if (r->amendments > MOST_AMENDMENTS)
        fail(&r->amend_error, LBJ_DAMAGED, h->offset, "7.1.3", "more than %d amendments", MOST_AMENDMENTS);
    else if (h->length > LARGEST_JSON)
        fail(&r->amend_error, LBJ_DAMAGED, h->offset, "4.5.1", "JSON of %llu bytes, at most 2^24 are allowed",
             (unsigned long long)h->length);
    if (r->amend_error.status != LBJ_OK)
        return;
    if (parse_json_at(&patch, (const char *)payload, (size_t)h->length, h->offset, &r->amend_error) != LBJ_OK)
        return;
    metadata = lbj_json_member(&patch, 0, "metadata");
    signals = lbj_json_member(&patch, 0, "signals");
    if (check_amendment(r, &patch, h->offset) == LBJ_OK
        && (!metadata || amend_text(r, &r->metadata, &patch, metadata, 0, h->offset) == LBJ_OK) && signals)
        amend_signals(r, &patch, signals, h->offset);
    lbj_json_free(&patch);
}

lbj_status lbj_describe(lbj_reader *r, lbj_error *error)
{
    unsigned i;
    clear_error(error);
    for (i = 0; i < r->signals.size && r->amend_error.status == LBJ_OK; i++) {
        checker c;
        lbj_json json;
        if (r->amended[i] == 0)
            continue;
        if (lbj_json_parse(&json, r->description[i].data, r->description[i].size, UINT32_MAX - 1, DEEPEST_JSON,
                           &r->amend_error) != LBJ_OK)
            break;
        c.json = &json;
        c.status = LBJ_DAMAGED;
        c.offset = r->amended[i];
        c.error = error;
        if (check_amendable(&c, 0, &r->signals.signal[i]) != LBJ_OK) { /* 7.1.2: keeps 5.1 when all are applied */
            lbj_json_free(&json);
            return LBJ_DAMAGED;
        }
        lbj_json_free(&json);
    }
    if (r->amend_error.status != LBJ_OK && error != NULL)
        *error = r->amend_error;
    return r->amend_error.status;
}

const char *lbj_metadata_json(const lbj_reader *r)
{
    return r->metadata.data;
}

const char *lbj_signal_json(const lbj_reader *r, unsigned signal)
{
    return signal < r->signals.size ? r->description[signal].data : NULL;
}

/* ---- opening ---- */

/* Keeps the texts of the header that can be amended. */
static lbj_status keep_descriptions(lbj_reader *r, const lbj_json *json)
{
    uint32_t node = lbj_json_member(json, 0, "metadata"), i, n = 0;
    r->description = calloc(r->signals.size, sizeof *r->description);
    r->amended = calloc(r->signals.size, sizeof *r->amended);
    if (r->description == NULL || r->amended == NULL || !text_set(&r->metadata, "{}", 2))
        return STOP(r, LBJ_NOMEM, 8, "", "no memory");
    if (node && type_of(json, node) == LBJ_OBJECT) { /* otherwise lenient, 5.1.4: as if absent */
        r->metadata.size = 0;
        if (!text_add_node(&r->metadata, json, node))
            return STOP(r, LBJ_NOMEM, 8, "", "no memory");
    }
    node = lbj_json_member(json, 0, "signals");
    for (i = node + 1; i < json->node[node].next; i = json->node[i].next)
        if (!text_add_node(&r->description[n++], json, i))
            return STOP(r, LBJ_NOMEM, 8, "", "no memory");
    return LBJ_OK;
}

static lbj_status read_head(lbj_reader *r)
{
    record_header h;
    checker c;
    lbj_json json;
    int intact;
    lbj_status status;
    if (read_header(r, &h) != LBJ_OK || read_payload(r, &h, LARGEST_JSON + 8, &r->head, &intact) != LBJ_OK)
        return r->error.status;
    if (!is_type(&h, "HEAD"))
        return STOP(r, LBJ_DAMAGED, 8, "5.1.1", "the first record is %.4s, expected HEAD", (const char *)h.type);
    if (!intact)
        return STOP(r, LBJ_DAMAGED, 8, "4.2.5", "payload digest of HEAD is wrong");
    if (h.length < 8)
        return STOP(r, LBJ_DAMAGED, 8, "4.3.4", "HEAD of %llu bytes, expected 8 and more",
                    (unsigned long long)h.length);
    r->major = get16(r->head);
    r->minor = get16(r->head + 2);
    r->has_version = 1;
    if (r->major > LBJ_MAJOR)
        return STOP(r, LBJ_UNSUPPORTED, 8, "5.1.2", "the file has version %u.%u, this reader knows %d.%d", r->major,
                    r->minor, LBJ_MAJOR, LBJ_MINOR);
    if (h.length - 8 > LARGEST_JSON)
        return STOP(r, LBJ_DAMAGED, 8, "4.5.1", "JSON of %llu bytes, at most 2^24 are allowed",
                    (unsigned long long)h.length - 8);
    status = parse_json_at(&json, (const char *)r->head + 8, (size_t)h.length - 8, 8, &r->error);
    if (status != LBJ_OK)
        return status;
    c.json = &json;
    c.status = LBJ_DAMAGED;
    c.offset = 8;
    c.error = &r->error;
    status = read_signals(&c, &r->signals);
    if (status == LBJ_OK)
        status = keep_descriptions(r, &json);
    lbj_json_free(&json);
    free(r->head);
    r->head = NULL;
    return status;
}

static lbj_status read_signature(lbj_reader *r)
{
    static const uint8_t signature[8] = {0x89, 0x4C, 0x42, 0x4A, 0x0D, 0x0A, 0x1A, 0x0A};
    uint8_t b[8];
    size_t got;
    if (receive(r, b, 8, &got) != LBJ_OK)
        return r->error.status;
    if (memcmp(b, signature, got) != 0)
        return STOP(r, LBJ_DAMAGED, 0, "4.1.2", "the file does not begin as a journal");
    if (got < 8)
        return STOP(r, LBJ_TRUNCATED, 0, "4.1.2", "the file ends inside the signature");
    return LBJ_OK;
}

static lbj_status open_reader(lbj_reader *r, lbj_error *error)
{
    crc_prepare(&r->crc);
    if (read_signature(r) == LBJ_OK)
        read_head(r);
    if (r->error.status == LBJ_END) /* not possible before HEAD is read; as a safeguard */
        r->error.status = LBJ_TRUNCATED;
    if (error != NULL)
        *error = r->error;
    return r->error.status;
}

static lbj_reader *new_reader(lbj_read_function read, void *user, uint64_t size, const lbj_limits *limits)
{
    static const lbj_limits standard = LBJ_DEFAULT_LIMITS;
    lbj_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->read = read;
    r->user = user;
    r->size = size;
    r->limits = limits != NULL ? *limits : standard;
    return r;
}

lbj_status lbj_open(lbj_reader **reader, lbj_read_function read, void *user, uint64_t size, const lbj_limits *limits,
                    lbj_error *error)
{
    *reader = new_reader(read, user, size, limits);
    return *reader != NULL ? open_reader(*reader, error) : no_memory(error, 0);
}

static ptrdiff_t read_file(void *user, void *to, size_t size)
{
    FILE *file = user;
    size_t got = fread(to, 1, size < PTRDIFF_MAX ? size : PTRDIFF_MAX, file);
    return got > 0 || !ferror(file) ? (ptrdiff_t)got : -1;
}

lbj_status lbj_open_file(lbj_reader **reader, FILE *file, const lbj_limits *limits, lbj_error *error)
{
    return lbj_open(reader, read_file, file, UNKNOWN_SIZE, limits, error);
}

lbj_status lbj_open_path(lbj_reader **reader, const char *path, const lbj_limits *limits, lbj_error *error)
{
    FILE *file;
    *reader = NULL;
    errno = 0;
    if ((file = fopen(path, "rb")) == NULL)
        return fail(error, LBJ_IO, 0, "", "the file cannot be opened: %s", strerror(errno));
    if ((*reader = new_reader(read_file, file, UNKNOWN_SIZE, limits)) == NULL) {
        fclose(file);
        return no_memory(error, 0);
    }
    (*reader)->file = file;
    return open_reader(*reader, error);
}

static ptrdiff_t read_memory(void *user, void *to, size_t size)
{
    lbj_reader *r = user;
    uint64_t left = r->size - r->position;
    size_t part = size < left ? size : (size_t)left;
    memcpy(to, r->memory + r->position, part);
    return (ptrdiff_t)part;
}

lbj_status lbj_open_memory(lbj_reader **reader, const void *data, size_t size, const lbj_limits *limits,
                           lbj_error *error)
{
    static const uint8_t nothing[1] = {0};
    *reader = new_reader(read_memory, NULL, size, limits);
    if (*reader == NULL)
        return no_memory(error, 0);
    (*reader)->user = *reader;
    (*reader)->memory = data != NULL ? data : nothing;
    return open_reader(*reader, error);
}

static void drop_frame(lbj_reader *r)
{
    while (r->blocks > 0)
        free(r->block[--r->blocks].payload);
    free(r->done);
    r->done = NULL;
    r->stored = 0;
    r->frame.attributes = NULL;
    r->frame.attributes_size = 0;
    clear_error(&r->frame.error);
}

void lbj_close(lbj_reader *r)
{
    unsigned i;
    if (r == NULL)
        return;
    drop_frame(r);
    if (r->file != NULL)
        fclose(r->file);
    free(r->block);
    for (i = 0; r->description != NULL && i < r->signals.size; i++)
        free(r->description[i].data);
    free(r->description);
    free(r->amended);
    free(r->metadata.data);
    free(r->head);
    free_signals(&r->signals);
    free(r);
}

int lbj_version(const lbj_reader *r, unsigned *major, unsigned *minor)
{
    if (r == NULL || !r->has_version)
        return 0;
    *major = r->major;
    *minor = r->minor;
    return 1;
}

unsigned lbj_signal_count(const lbj_reader *r)
{
    return r->signals.size;
}

const lbj_signal *lbj_get_signal(const lbj_reader *r, unsigned signal)
{
    return signal < r->signals.size ? &r->signals.signal[signal] : NULL;
}

unsigned lbj_find_signal(const lbj_reader *r, const char *name)
{
    unsigned i;
    for (i = 0; i < r->signals.size && strcmp(r->signals.signal[i].name, name) != 0; i++)
        ;
    return i;
}

uint64_t lbj_signal_bytes(const lbj_reader *r, unsigned signal)
{
    const lbj_signal *s = lbj_get_signal(r, signal);
    return s != NULL ? s->elements * lbj_dtype_size(s->dtype) : 0;
}

/* --------------------------------------------------------------------------------------- frames (5.2, 5.3, 5.4) -- */

/* 5.2.1: a frame that was begun before and not completed is abandoned by the new one. */
static lbj_status begin_frame(lbj_reader *r, const record_header *h)
{
    uint8_t *payload;
    int intact;
    if (h->length != 16) { /* after whether the record is whole (4.2.7) */
        if (skip_payload(r, h, &intact) != LBJ_OK)
            return r->error.status;
        return STOP(r, LBJ_DAMAGED, h->offset, "4.3.4", "FRAM of %llu bytes, expected 16",
                    (unsigned long long)h->length);
    }
    if (read_payload(r, h, 16, &payload, &r->fram_intact) != LBJ_OK)
        return r->error.status;
    drop_frame(r);
    r->in_frame = 1;
    r->frame.offset = h->offset;
    r->frame.number = r->fram_intact ? get64(payload) : 0;
    free(payload);
    return LBJ_OK;
}

/* What a BLOK says is looked at when its frame is completed: an abandoned frame need not be right (5.2.1). */
static lbj_status keep_block(lbj_reader *r, const record_header *h)
{
    stored_block *b;
    if (!r->in_frame) {
        int intact;
        if (skip_payload(r, h, &intact) != LBJ_OK)
            return r->error.status;
        return STOP(r, LBJ_DAMAGED, h->offset, "5.3.1", "BLOK outside a frame");
    }
    if (h->length > r->limits.stored_bytes || r->stored > r->limits.stored_bytes - h->length)
        return STOP(r, LBJ_LIMIT, h->offset, "11.1", "a frame of more than %llu bytes, the caller's limit",
                    (unsigned long long)r->limits.stored_bytes);
    if (r->blocks == r->block_room) {
        size_t room = r->block_room + r->block_room / 2 + 16;
        stored_block *more = room < SIZE_MAX / sizeof *more ? realloc(r->block, room * sizeof *more) : NULL;
        if (more == NULL)
            return STOP(r, LBJ_NOMEM, h->offset, "", "no memory");
        r->block = more;
        r->block_room = room;
    }
    b = &r->block[r->blocks];
    b->offset = h->offset;
    b->size = (size_t)h->length;
    if (read_payload(r, h, h->length, &b->payload, &b->intact) != LBJ_OK)
        return r->error.status;
    r->blocks++;
    r->stored += h->length;
    return LBJ_OK;
}

/* What every BLOK of a completed frame must keep (9.1: structure). One with a wrong digest says nothing. */
static lbj_status check_blocks(lbj_reader *r, uint64_t number)
{
    size_t i;
    for (i = 0; i < r->blocks; i++) {
        const stored_block *b = &r->block[i];
        if (!b->intact)
            continue;
        if (b->size < 24)
            return STOP(r, LBJ_DAMAGED, b->offset, "4.3.4", "BLOK of %llu bytes, expected 24 and more",
                        (unsigned long long)b->size);
        if (get64(b->payload) != number)
            return STOP(r, LBJ_DAMAGED, b->offset, "5.3.1", "BLOK of frame %llu in frame %llu",
                        (unsigned long long)get64(b->payload), (unsigned long long)number);
        if (get16(b->payload + 8) >= r->signals.size)
            return STOP(r, LBJ_DAMAGED, b->offset, "5.3.2", "signal %u, there are %u", get16(b->payload + 8),
                        r->signals.size);
    }
    return LBJ_OK;
}

/* 9.1: what makes a completed frame unreadable without ending the file. The first in the file counts. */
static void check_readable(lbj_reader *r, uint64_t done_offset, uint64_t json_size)
{
    lbj_error *error = &r->frame.error;
    size_t i;
    lbj_json json;
    if (!r->fram_intact)
        fail(error, LBJ_DAMAGED, r->frame.offset, "4.2.5", "payload digest of FRAM is wrong");
    for (i = 0; i < r->blocks && error->status == LBJ_OK; i++)
        if (!r->block[i].intact)
            fail(error, LBJ_DAMAGED, r->block[i].offset, "4.2.5", "payload digest of BLOK is wrong");
    if (r->frame.is_static || r->frame.attributes == NULL || error->status != LBJ_OK)
        return; /* 5.2.3: attributes of a pseudo-frame mean nothing and are not read */
    if (json_size > LARGEST_JSON) /* only as much of it is held */
        fail(error, LBJ_DAMAGED, done_offset, "4.5.1", "JSON of %llu bytes, at most 2^24 are allowed",
             (unsigned long long)json_size);
    else if (parse_json_at(&json, r->frame.attributes, r->frame.attributes_size, done_offset, error) == LBJ_OK)
        lbj_json_free(&json);
}

/* The signal that a block says it is of. One with a wrong digest is believed only where that makes sense. */
static uint32_t signal_of(const lbj_reader *r, const stored_block *b)
{
    uint32_t stated = b->size >= 24 ? get16(b->payload + 8) : NO_SIGNAL;
    if (b->intact)
        return stated;
    return stated < r->signals.size && r->signals.signal[stated].is_static == r->frame.is_static ? stated : NO_SIGNAL;
}

static int compare_blocks(const void *a, const void *b)
{
    const stored_block *x = a, *y = b;
    if (x->signal != y->signal)
        return x->signal < y->signal ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void sort_blocks(lbj_reader *r)
{
    size_t i;
    for (i = 0; i < r->blocks; i++)
        r->block[i].signal = signal_of(r, &r->block[i]);
    if (r->blocks > 0)
        qsort(r->block, r->blocks, sizeof *r->block, compare_blocks);
}

/* Index of the first block of this or a later signal. */
static size_t first_block(const lbj_reader *r, uint32_t signal)
{
    size_t low = 0, high = r->blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->block[middle].signal < signal)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* DONE (5.4): LBJ_OK where it completes a frame. */
static lbj_status complete_frame(lbj_reader *r, const record_header *h)
{
    uint64_t number;
    int intact;
    free(r->done);
    if (read_payload(r, h, LARGEST_JSON + 24, &r->done, &intact) != LBJ_OK)
        return r->error.status;
    if (!intact)
        return STOP(r, LBJ_DAMAGED, h->offset, "4.2.5", "payload digest of DONE is wrong");
    if (h->length < 24)
        return STOP(r, LBJ_DAMAGED, h->offset, "4.3.4", "DONE of %llu bytes, expected 24 and more",
                    (unsigned long long)h->length);
    if (!r->in_frame)
        return STOP(r, LBJ_DAMAGED, h->offset, "5.4.2", "DONE outside a frame");
    number = get64(r->done);
    if (check_blocks(r, r->fram_intact ? r->frame.number : number) != LBJ_OK)
        return r->error.status;
    if (r->fram_intact && r->frame.number != number)
        return STOP(r, LBJ_DAMAGED, h->offset, "5.4.2", "DONE of frame %llu in frame %llu", (unsigned long long)number,
                    (unsigned long long)r->frame.number);
    if (get32(r->done + 8) != r->blocks)
        return STOP(r, LBJ_DAMAGED, h->offset, "5.4.2", "DONE says %lu blocks, there are %llu",
                    (unsigned long)get32(r->done + 8), (unsigned long long)r->blocks);
    r->frame.number = number;
    r->frame.is_static = number == LBJ_STATIC;
    if (!r->frame.is_static && number != r->completed)
        return STOP(r, LBJ_DAMAGED, r->frame.offset, "5.2.2", "frame %llu after %llu frames",
                    (unsigned long long)number, (unsigned long long)r->completed);
    if (h->length > 24 && !r->frame.is_static) {
        r->frame.attributes = (const char *)r->done + 24;
        r->frame.attributes_size = (size_t)(h->length - 24);
    }
    check_readable(r, h->offset, h->length - 24);
    sort_blocks(r);
    r->completed += r->frame.is_static ? 0 : 1;
    r->in_frame = 0;
    return LBJ_OK;
}

/* One record after HEAD. *completed: it was the DONE of a frame. */
static lbj_status read_record(lbj_reader *r, int *completed)
{
    record_header h;
    uint8_t *payload;
    int intact;
    *completed = 0;
    if (read_header(r, &h) != LBJ_OK)
        return r->error.status;
    if (is_type(&h, "FRAM"))
        return begin_frame(r, &h);
    if (is_type(&h, "BLOK"))
        return keep_block(r, &h);
    if (is_type(&h, "DONE"))
        return *completed = 1, complete_frame(r, &h);
    if (is_type(&h, "aMNd") && !r->in_frame) { /* 5.2.1: ignored in a frame */
        if (read_payload(r, &h, LARGEST_JSON, &payload, &intact) == LBJ_OK)
            amend(r, &h, payload, intact);
        free(payload);
        return r->error.status;
    }
    if (h.type[0] & 0x20) /* 4.3.2 and clauses 6, 7: ancillary; 9.1: whatever its digest */
        return skip_payload(r, &h, &intact);
    if (skip_payload(r, &h, &intact) != LBJ_OK)
        return r->error.status;
    if (is_type(&h, "HEAD"))
        return STOP(r, LBJ_DAMAGED, h.offset, "5.1.1", "a second HEAD");
    return STOP(r, LBJ_UNSUPPORTED, h.offset, "4.3.2", "unknown critical record %.4s", (const char *)h.type);
}

lbj_status lbj_next(lbj_reader *r, const lbj_frame **frame, lbj_error *error)
{
    int completed = 0;
    *frame = NULL;
    clear_error(error);
    drop_frame(r);
    while (r->error.status == LBJ_OK && !completed)
        read_record(r, &completed);
    if (r->error.status == LBJ_OK)
        *frame = &r->frame;
    else
        drop_frame(r);
    if (error != NULL)
        *error = r->error;
    return r->error.status;
}

/* ------------------------------------------------------------------------------------ windows (5.3.4 to 5.3.7) -- */

typedef struct {
    uint32_t start[LBJ_AXES], stop[LBJ_AXES];
    int whole;         /* covers the signal's array */
    uint64_t elements; /* of the window, less than 2^43 until 5.3.5 is checked, then less than 2^32 */
    uint32_t pixels, channels;
} window;

/* One block of a signal, taken apart. */
typedef struct {
    uint64_t offset;
    unsigned coding;
    uint32_t voxels, events;
    window window;
    const uint8_t *data; /* the coded voxels */
    size_t size;
} part;

enum {
    CODING_RAW, CODING_LEB128, CODING_SPLIT_RICE, CODING_SHUFFLE_ZSTD, CODING_LOSSLESS_INT, CODING_FLOAT_LATTICE,
    CODING_NOISE_Q, CODING_CHART, CODINGS
};

/* Fills in what follows from start and stop, which lie in the array: no product can overflow. */
static void measure(window *w, const lbj_signal *s)
{
    unsigned i, navigation = navigation_axes(s);
    uint64_t pixels = 1;
    w->whole = 1;
    w->elements = 1;
    for (i = 0; i < s->axes; i++) {
        w->whole = w->whole && w->stop[i] - w->start[i] == s->shape[i];
        w->elements *= w->stop[i] - w->start[i];
        if (i < navigation)
            pixels *= w->stop[i] - w->start[i];
    }
    w->pixels = (uint32_t)pixels;
    w->channels = navigation < s->axes ? w->stop[navigation] - w->start[navigation] : 1;
}

static void whole_window(window *w, const lbj_signal *s)
{
    memset(w, 0, sizeof *w);
    memcpy(w->stop, s->shape, s->axes * sizeof *s->shape);
    measure(w, s);
}

/* Window of an intact block (5.3.4, 5.3.5). */
static lbj_status read_window(const stored_block *b, const lbj_signal *s, part *p, lbj_error *error)
{
    unsigned i;
    const uint8_t *at = b->payload + 24;
    whole_window(&p->window, s);
    if (get32(b->payload + 12) & 1) {
        if (b->size < 24 + 8 * (size_t)s->axes)
            return fail(error, LBJ_DAMAGED, b->offset, "4.3.4", "BLOK of %llu bytes is too short for its window",
                        (unsigned long long)b->size);
        for (i = 0; i < s->axes; i++, at += 8) {
            p->window.start[i] = get32(at);
            p->window.stop[i] = get32(at + 4);
            if (p->window.start[i] >= p->window.stop[i] || p->window.stop[i] > s->shape[i])
                return fail(error, LBJ_DAMAGED, b->offset, "5.3.4", "window %lu to %lu of axis %u, which has size %lu",
                            (unsigned long)p->window.start[i], (unsigned long)p->window.stop[i], i,
                            (unsigned long)s->shape[i]);
        }
        measure(&p->window, s);
    }
    if (p->window.elements > UINT32_MAX)
        return fail(error, LBJ_DAMAGED, b->offset, "5.3.5", "a window of %llu elements, at most 2^32-1 are allowed",
                    (unsigned long long)p->window.elements);
    p->data = at;
    p->size = b->size - (size_t)(at - b->payload);
    return LBJ_OK;
}

/* 5.3.2 and 5.3.6, and the bounds of clause 8: all that is checked before anything is allocated. */
static lbj_status check_part(const part *p, const lbj_signal *s, lbj_error *error)
{
    int defined = s->kind == LBJ_EVENTS ? p->coding <= CODING_SPLIT_RICE
                                        : p->coding == CODING_RAW || p->coding >= CODING_SHUFFLE_ZSTD;
    if (p->coding == CODING_CHART && s->kind != LBJ_SPECTRA)
        defined = 0;
    if (p->coding < CODINGS && !defined) /* what is not known is refused when it is decoded */
        return fail(error, LBJ_DAMAGED, p->offset, "5.3.2", "coding %u is not for this kind of signal", p->coding);
    if (s->kind != LBJ_EVENTS && (p->voxels != 0 || p->events != 0))
        return fail(error, LBJ_DAMAGED, p->offset, "5.3.6", "voxels %lu and events %lu, expected 0 and 0",
                    (unsigned long)p->voxels, (unsigned long)p->events);
    if (p->voxels > p->window.elements || p->voxels > p->events || !p->voxels != !p->events)
        return fail(error, LBJ_DAMAGED, p->offset, "5.3.6", "voxels %lu and events %lu in a window of %llu",
                    (unsigned long)p->voxels, (unsigned long)p->events, (unsigned long long)p->window.elements);
    if (p->coding == CODING_RAW && p->size != p->window.elements * lbj_dtype_size(s->dtype))
        return fail(error, LBJ_DAMAGED, p->offset, "8.1.1", "%llu bytes for %llu elements", (unsigned long long)p->size,
                    (unsigned long long)p->window.elements);
    if (p->coding == CODING_LEB128 && p->voxels > p->size)
        return fail(error, LBJ_DAMAGED, p->offset, "8.2.3", "%lu voxels in %llu bytes", (unsigned long)p->voxels,
                    (unsigned long long)p->size);
    if (p->coding == CODING_SPLIT_RICE && p->voxels > ((uint64_t)p->size - !!p->size) * 8)
        return fail(error, LBJ_DAMAGED, p->offset, "8.3.6", "%lu voxels in %llu bytes", (unsigned long)p->voxels,
                    (unsigned long long)p->size);
    return LBJ_OK;
}

/* 5.3.2: after all that can be checked without decoding. */
static lbj_status check_known(const part *p, lbj_error *error)
{
    return p->coding < CODINGS ? LBJ_OK : fail(error, LBJ_UNSUPPORTED, p->offset, "5.3.2", "coding %u", p->coding);
}

static int intersect(const window *a, const window *b, unsigned axes)
{
    unsigned i;
    for (i = 0; i < axes; i++)
        if (a->stop[i] <= b->start[i] || b->stop[i] <= a->start[i])
            return 0;
    return 1;
}

/* 5.3.7: the windows are disjoint and cover the array. */
static lbj_status check_cover(const part *parts, size_t size, const lbj_signal *s, lbj_error *error)
{
    size_t i, j;
    uint64_t sum = 0; /* at most 4096 * (2^32 - 1) */
    for (i = 0; i < size; i++) {
        sum += parts[i].window.elements;
        for (j = 0; j < i; j++)
            if (intersect(&parts[i].window, &parts[j].window, s->axes))
                return fail(error, LBJ_DAMAGED, parts[i].offset, "5.3.7", "two windows of a signal intersect");
    }
    if (sum != s->elements)
        return fail(error, LBJ_DAMAGED, parts[0].offset, "5.3.7", "windows cover %llu elements of %llu",
                    (unsigned long long)sum, (unsigned long long)s->elements);
    return LBJ_OK;
}

int lbj_has_signal(const lbj_reader *r, unsigned signal)
{
    if (signal >= r->signals.size || r->signals.signal[signal].is_static != r->frame.is_static)
        return 0; /* 5.3.8 */
    if (r->frame.is_static && r->frame.error.status != LBJ_OK)
        return 1; /* 5.2.3: a wrong record spoils all of them */
    if (r->blocks == 0)
        return 0;
    return first_block(r, signal) < first_block(r, signal + 1) || r->block[r->blocks - 1].signal == NO_SIGNAL;
}

/* The blocks of a signal in the current frame, checked as far as their contents need not be decoded. *parts is to be
 * freed by the caller. */
static lbj_status collect(const lbj_reader *r, unsigned signal, part **parts, size_t *size, lbj_error *error)
{
    const lbj_signal *s;
    size_t i, n;
    lbj_status status = LBJ_OK;
    *parts = NULL;
    *size = 0;
    clear_error(error);
    if (!lbj_has_signal(r, signal))
        return fail(error, LBJ_REFUSED, r->frame.offset, "", "the frame has no data of this signal");
    if (r->frame.error.status != LBJ_OK) {
        if (error != NULL)
            *error = r->frame.error;
        return r->frame.error.status;
    }
    s = &r->signals.signal[signal];
    i = first_block(r, signal);
    n = first_block(r, signal + 1);
    if (n - i > MOST_WINDOWS)
        return fail(error, LBJ_DAMAGED, r->block[i].offset, "5.3.7", "%llu blocks of a signal, at most %d are allowed",
                    (unsigned long long)(n - i), MOST_WINDOWS);
    *parts = take_memory(n - i, sizeof **parts);
    if (*parts == NULL)
        return no_memory(error, r->frame.offset);
    for (; i < n && status == LBJ_OK; i++) {
        const stored_block *b = &r->block[i];
        part *p = &(*parts)[(*size)++];
        p->offset = b->offset;
        if (get32(b->payload + 12) & ~(uint32_t)1)
            return fail(error, LBJ_UNSUPPORTED, b->offset, "5.3.3", "flags %08lX of a BLOK, bits 1 to 31 are reserved",
                        (unsigned long)get32(b->payload + 12));
        p->coding = get16(b->payload + 10);
        p->voxels = get32(b->payload + 16);
        p->events = get32(b->payload + 20);
        status = read_window(b, s, p, error);
        if (status == LBJ_OK)
            status = check_part(p, s, error);
    }
    return status != LBJ_OK ? status : check_cover(*parts, *size, s, error);
}

/* -------------------------------------------------------------------------------------------------- codings (8) -- */

/* Where a decoder puts the voxels of a block: sorted indices inside the window, and their counts. */
typedef struct {
    uint32_t *voxel, *count;
    uint32_t size, room; /* room: the block's `voxels` */
    uint64_t sum;
} voxel_list;

/* The decoders return NULL or what is wrong; `clause` says where it stands. */

/* ---- 8.1 raw ---- */

static uint32_t get_count(const uint8_t *p, size_t bytes)
{
    return bytes == 1 ? p[0] : bytes == 2 ? get16(p) : get32(p);
}

/* A dense array of counts, pixel by pixel, becomes a list by channels: first the voxels of every channel are counted,
 * which tells where its list begins. */
static const char *decode_raw_events(const part *p, size_t bytes, voxel_list *list)
{
    uint32_t pixel, channel, pixels = p->window.pixels, channels = p->window.channels, begin = 0, n, count;
    const uint8_t *at = p->data;
    uint32_t *next = take_memory(channels, sizeof *next);
    if (next == NULL)
        return "";
    memset(next, 0, channels * sizeof *next);
    for (pixel = 0; pixel < pixels; pixel++)
        for (channel = 0; channel < channels; channel++, at += bytes)
            next[channel] += get_count(at, bytes) != 0;
    for (channel = 0; channel < channels; channel++) { /* at most 2^32-1 elements in the window: no overflow */
        n = next[channel];
        next[channel] = begin;
        begin += n;
    }
    if (begin != list->room)
        return free(next), "the number of voxels that are not empty differs from `voxels`";
    at = p->data;
    for (pixel = 0; pixel < pixels; pixel++)
        for (channel = 0; channel < channels; channel++, at += bytes)
            if ((count = get_count(at, bytes)) != 0) {
                list->voxel[next[channel]] = channel * pixels + pixel;
                list->count[next[channel]++] = count;
                list->sum += count;
            }
    list->size = begin;
    free(next);
    return NULL;
}

/* ---- 8.2 leb128 ---- */

/* Takes a number of at most five bytes. */
static const char *take_leb128(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    unsigned shift = 0;
    *value = 0;
    for (;;) {
        uint8_t byte;
        if (*at == end)
            return "bytes end early";
        byte = *(*at)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return NULL;
        shift += 7;
        if (shift == 35)
            return "a number of more than five bytes";
    }
}

static const char *decode_leb128(const uint8_t *at, size_t size, uint32_t volume, voxel_list *list)
{
    const uint8_t *end = at + size;
    const char *why;
    uint64_t token, count, next = 0; /* next: index after the previous voxel */
    while (list->size < list->room) {
        if ((why = take_leb128(&at, end, &token)) != NULL)
            return why;
        next += token >> 1;
        if (next >= volume)
            return "an index beyond the window";
        count = 1;
        if (token & 1) {
            if ((why = take_leb128(&at, end, &count)) != NULL)
                return why;
            count += 2;
            if (count > UINT32_MAX)
                return "a count above 2^32-1";
        }
        list->voxel[list->size] = (uint32_t)next++;
        list->count[list->size++] = (uint32_t)count;
        list->sum += count;
    }
    return at == end ? NULL : "bytes are left over";
}

/* ---- 8.3 split-rice ---- */

/* Bits, from the lowest of each byte. After the end there are zeros; `position` then passes `end`. */
typedef struct {
    const uint8_t *data;
    size_t size;
    uint64_t position, end;
} bit_reader;

/* The next 57 bits or more, lowest first; nothing is taken. */
static inline uint64_t peek_bits(const bit_reader *b)
{
    size_t byte = (size_t)(b->position >> 3), i;
    uint64_t bits = 0;
    if (byte < b->size && b->size - byte >= 8)
        return get64(b->data + byte) >> (b->position & 7);
    for (i = 0; byte + i < b->size; i++)
        bits |= (uint64_t)b->data[byte + i] << (8 * i);
    return bits >> (b->position & 7);
}

/* Number of one bits at the beginning, counted up to 24. */
static inline unsigned count_ones(uint64_t bits)
{
    return trailing_zeros(~bits | (uint64_t)1 << 24);
}

static inline uint64_t low_bits(uint64_t bits, unsigned n)
{
    return bits & (((uint64_t)1 << n) - 1);
}

/* The k of 8.3.5: the smallest with N // 4^k < 6. N has n digits: 4^k takes away all but two or three of them, three
 * only where those read 100 or 101. */
static inline unsigned split_k(uint32_t total)
{
    unsigned n, k;
    if (total < 6)
        return 0;
    n = bit_length(total);
    k = (n - 2) / 2;
    return (total >> 2 * k) < 6 ? k : k + 1;
}

/* Total in the lower half of a range with total N > 1 (8.3.5). More than N where the bytes are wrong. */
static inline uint64_t read_split(bit_reader *b, uint32_t total)
{
    uint64_t bits = peek_bits(b), z;
    uint32_t half = total / 2;
    unsigned k = split_k(total), q = count_ones(bits);
    uint32_t t = total >> k;
    if (t > 24) {
        if (q == 24) {
            b->position += 56;
            return low_bits(bits >> 24, 32);
        }
        bits >>= q + 1;
        b->position += q + 1 + k;
    } else if (q < t) {
        bits >>= q + 1;
        b->position += q + 1 + k;
    } else {
        q = t; /* no zero bit */
        bits >>= q;
        b->position += q + k;
    }
    z = (uint64_t)q << k | low_bits(bits, k);
    if (z > total)
        return UINT64_MAX;
    return z & 1 ? half + (z + 1) / 2 : half - z / 2;
}

/* A range of 2^bits indices that is to be split. */
typedef struct {
    uint64_t first;
    uint32_t total;
    unsigned bits;
} range;

static inline int add_voxel(voxel_list *list, uint64_t index, uint32_t count, uint32_t volume)
{
    if (index >= volume || list->size == list->room)
        return 0;
    list->voxel[list->size] = (uint32_t)index;
    list->count[list->size++] = count;
    return 1;
}

/* Splits a chunk of 2^m indices with total N > 0 (8.3.5). Upper halves wait on a stack, one of each size at most. */
static const char *decode_chunk(bit_reader *b, uint64_t first, unsigned m, uint32_t total, uint32_t volume,
                                voxel_list *list)
{
    range waiting[33], now;
    unsigned depth = 0;
    now.first = first;
    now.total = total;
    now.bits = m;
    for (;;) {
        if (now.total > 1 && now.bits > 0) {
            uint64_t lower = read_split(b, now.total);
            if (lower > now.total)
                return "a split above its total";
            if (b->position > b->end)
                return "bits end early";
            now.bits--;
            if (lower < now.total) {
                range upper;
                upper.first = now.first + ((uint64_t)1 << now.bits);
                upper.total = now.total - (uint32_t)lower;
                upper.bits = now.bits;
                if (lower == 0) {
                    now = upper;
                    continue;
                }
                waiting[depth++] = upper;
                now.total = (uint32_t)lower;
            }
            continue;
        }
        if (now.total == 1) {
            now.first += low_bits(peek_bits(b), now.bits);
            b->position += now.bits;
            if (b->position > b->end)
                return "bits end early";
        }
        if (!add_voxel(list, now.first, now.total, volume))
            return now.first >= volume ? "an index beyond the window" : "more voxels than `voxels`";
        if (depth == 0)
            return NULL;
        now = waiting[--depth];
    }
}

/* State of the totals (8.3.3). */
typedef struct {
    uint64_t a, b;
} totals;

/* Total of the next chunk (8.3.4). */
static uint64_t read_total(bit_reader *b, totals *state)
{
    uint64_t p = (state->a + 8) >> 4, bits = peek_bits(b), z, total;
    unsigned k = bit_length(state->b >> 4), q = count_ones(bits);
    k = k > 0 ? k - 1 : 0;
    k = k < 24 ? k : 24;
    if (q < 24) {
        z = (uint64_t)q << k | low_bits(bits >> (q + 1), k);
        b->position += q + 1 + k;
        total = z > 2 * p ? z : z & 1 ? p - (z + 1) / 2 : p + z / 2;
    } else {
        total = low_bits(bits >> 24, 32);
        b->position += 56;
        z = total > 2 * p ? total : total >= p ? 2 * (total - p) : 2 * (p - total) - 1;
    }
    state->a = state->a + total - p;
    state->b = state->b + z - (state->b >> 4);
    return total;
}

static const char *decode_split_rice(const uint8_t *data, size_t size, uint32_t volume, uint64_t events,
                                     voxel_list *list)
{
    bit_reader b;
    totals state;
    unsigned m;
    uint64_t first, total;
    const char *why;
    if (size == 0)
        return "bytes end early";
    m = data[0];
    if (m > 32)
        return "m above 32"; /* 8.3.1 */
    b.data = data + 1;
    b.size = size - 1;
    b.position = 0;
    b.end = (uint64_t)b.size * 8;
    if (list->room > b.end || (((uint64_t)volume + ((uint64_t)1 << m) - 1) >> m) > b.end)
        return "fewer bits than voxels or chunks"; /* 8.3.6 */
    state.a = (uint64_t)volume >> m;
    state.a = events * 16 / (state.a > 1 ? state.a : 1);
    state.b = (uint64_t)16 << ((bit_length(state.a >> 4) + 1) / 2);
    for (first = 0; first < volume; first += (uint64_t)1 << m) {
        total = read_total(&b, &state);
        if (b.position > b.end)
            return "bits end early";
        if (total > events - list->sum)
            return "more counts than `events`";
        list->sum += total;
        if (total > 0 && (why = decode_chunk(&b, first, m, (uint32_t)total, volume, list)) != NULL)
            return why;
    }
    return b.end - b.position < 8 ? NULL : "bytes are left over";
}

/* What every list must keep (5.3.6). */
static const char *check_list(const voxel_list *list, uint64_t events, uint32_t largest)
{
    uint32_t i;
    if (list->size != list->room)
        return "fewer voxels than `voxels`";
    if (list->sum != events)
        return "the sum of the counts differs from `events`";
    for (i = 0; i < list->size; i++)
        if (list->count[i] > largest)
            return "a count above the largest value of the dtype";
    return NULL;
}

static voxel_list make_list(uint32_t *voxel, uint32_t *count, uint32_t room)
{
    voxel_list list;
    list.voxel = voxel;
    list.count = count;
    list.size = 0;
    list.room = room;
    list.sum = 0;
    return list;
}

lbj_status lbj_decode_split_rice(const uint8_t *data, size_t size, uint32_t volume, uint32_t voxels, uint64_t events,
                                 uint32_t *voxel, uint32_t *count, lbj_error *error)
{
    voxel_list list = make_list(voxel, count, voxels);
    const char *why = "events above 2^32-1";
    if (events <= UINT32_MAX)
        why = decode_split_rice(data, size, volume, events, &list);
    if (why == NULL)
        why = check_list(&list, events, UINT32_MAX);
    return why == NULL ? LBJ_OK : fail(error, LBJ_DAMAGED, 0, "8.3", "split-rice: %s", why);
}

lbj_status lbj_decode_leb128(const uint8_t *data, size_t size, uint32_t volume, uint32_t voxels, uint64_t events,
                             uint32_t *voxel, uint32_t *count, lbj_error *error)
{
    voxel_list list = make_list(voxel, count, voxels);
    const char *why = voxels > size ? "fewer bytes than voxels" : decode_leb128(data, size, volume, &list);
    if (why == NULL)
        why = check_list(&list, events, UINT32_MAX);
    return why == NULL ? LBJ_OK : fail(error, LBJ_DAMAGED, 0, "8.2", "leb128: %s", why);
}

/* Decodes a block of events into voxel and count, which have room for its `voxels`. */
static lbj_status decode_events(const part *p, const lbj_signal *s, uint32_t *voxel, uint32_t *count, lbj_error *error)
{
    static const char *const names[] = {"raw", "leb128", "split-rice"};
    static const char *const clauses[] = {"8.1.1", "8.2.2", "8.3"};
    size_t bytes = lbj_dtype_size(s->dtype);
    voxel_list list = make_list(voxel, count, p->voxels);
    uint32_t volume = (uint32_t)p->window.elements;
    const char *clause = clauses[p->coding], *why;
    if (p->coding == CODING_RAW)
        why = decode_raw_events(p, bytes, &list);
    else if (p->coding == CODING_LEB128)
        why = decode_leb128(p->data, p->size, volume, &list);
    else
        why = decode_split_rice(p->data, p->size, volume, p->events, &list);
    if (why != NULL && *why == 0)
        return no_memory(error, p->offset);
    if (why == NULL) {
        clause = "5.3.6";
        why = check_list(&list, p->events, UINT32_MAX >> (32 - 8 * bytes));
    }
    return why == NULL ? LBJ_OK : fail(error, LBJ_DAMAGED, p->offset, clause, "%s: %s", names[p->coding], why);
}

/* ---- 8.4 shuffle-zstd ---- */

#ifdef LBJ_ZSTD
/* One zstd frame with its content size, no dictionary, nothing else (8.4.1). */
static const char *check_zstd_frame(const uint8_t *data, size_t size, uint64_t content)
{
    unsigned long long stated;
    if (size < 5 || get32(data) != 0xFD2FB528u)
        return "no zstd frame";
    stated = ZSTD_getFrameContentSize(data, size);
    if (stated == ZSTD_CONTENTSIZE_ERROR)
        return "no valid zstd frame header";
    if (stated == ZSTD_CONTENTSIZE_UNKNOWN)
        return "the zstd frame does not state its content size";
    if (stated != content)
        return "the content size is not that of the window"; /* 8.4.2 */
    if (ZSTD_getDictID_fromFrame(data, size) != 0)
        return "the zstd frame names a dictionary";
    if (ZSTD_findFrameCompressedSize(data, size) != size) /* an error is a size that cannot be */
        return "the zstd frame does not end where the block does";
    return NULL;
}

/* 8.4.2: a window that zstd libraries refuse is as good as one of 2^30, since the content is the window: a copy of
 * the frame that says so, or NULL where none is needed. */
static uint8_t *with_smaller_window(const uint8_t *data, size_t size)
{
    enum { LARGE = 20 << 3 };
    uint8_t *copy;
    if (size < 6 || data[4] & 0x20 || data[5] <= LARGE || (copy = take_memory(size, 1)) == NULL)
        return NULL;
    memcpy(copy, data, size);
    copy[5] = LARGE;
    return copy;
}

/* Decompresses and turns byte planes into elements at `to`. No memory for zstd's window: the content is its window. */
static lbj_status decode_shuffle_zstd(const part *p, size_t bytes, uint8_t *to, lbj_error *error)
{
    size_t elements = (size_t)p->window.elements, size = elements * bytes, i, k, result; /* within the caller's limit */
    uint8_t *planes, *copy = with_smaller_window(p->data, p->size);
    const uint8_t *frame = copy != NULL ? copy : p->data;
    const char *why = check_zstd_frame(frame, p->size, size);
    if (why != NULL || (planes = take_memory(size, 1)) == NULL) {
        free(copy);
        return why == NULL ? no_memory(error, p->offset)
                           : fail(error, LBJ_DAMAGED, p->offset, "8.4", "shuffle-zstd: %s", why);
    }
    result = ZSTD_decompress(planes, size, frame, p->size);
    free(copy);
    for (k = 0; k < bytes && result == size; k++)
        for (i = 0; i < elements; i++)
            to[i * bytes + k] = planes[k * elements + i];
    free(planes);
    if (result == size)
        return LBJ_OK;
    return fail(error, LBJ_DAMAGED, p->offset, "8.4.1", "shuffle-zstd: %s",
                ZSTD_isError(result) ? ZSTD_getErrorName(result) : "content of another size than stated");
}
#else
static lbj_status decode_shuffle_zstd(const part *p, size_t bytes, uint8_t *to, lbj_error *error)
{
    (void)bytes;
    (void)to;
    return fail(error, LBJ_UNSUPPORTED, p->offset, "8.4", "shuffle-zstd: this reader was built without zstd");
}
#endif

/* ---- 8.6 to 8.9, in dense.c ---- */

/* The last two axes of the window, and the product of all others (8.5.1). */
static lbj_status decode_dense(const part *p, const lbj_signal *s, uint8_t *to, lbj_error *error)
{
    dense_block block;
    unsigned last = s->axes - 1;
    block.coding = p->coding;
    block.data = p->data;
    block.size = p->size;
    block.channels = p->window.stop[last] - p->window.start[last];
    block.width = last > 0 ? p->window.stop[last - 1] - p->window.start[last - 1] : 1;
    block.height = p->window.elements / block.channels / block.width;
    block.dtype = s->dtype;
    block.offset = p->offset;
    return lbj_decode_dense(&block, to, error);
}

static lbj_status decode_array(const part *p, const lbj_signal *s, uint8_t *to, lbj_error *error)
{
    return p->coding == CODING_SHUFFLE_ZSTD ? decode_shuffle_zstd(p, lbj_dtype_size(s->dtype), to, error)
                                            : decode_dense(p, s, to, error);
}

/* ----------------------------------------------------------------------------------- signals out of their blocks -- */

/* C-order index in the array of a pixel of a window. */
static uint64_t array_pixel(const lbj_signal *s, const window *w, uint32_t pixel)
{
    uint64_t index = 0, stride = 1;
    unsigned i;
    if (w->whole)
        return pixel;
    for (i = navigation_axes(s); i-- > 0;) {
        uint32_t n = w->stop[i] - w->start[i];
        index += (w->start[i] + (uint64_t)(pixel % n)) * stride;
        stride *= s->shape[i];
        pixel /= n;
    }
    return index;
}

static uint32_t first_channel(const lbj_signal *s, const window *w)
{
    return s->kind == LBJ_IMAGE ? 0 : w->start[s->axes - 1];
}

void lbj_events_free(lbj_events *events)
{
    free(events->voxel);
    free(events->count);
    memset(events, 0, sizeof *events);
}

static int make_events(lbj_events *events, uint64_t size)
{
    memset(events, 0, sizeof *events);
    events->voxel = take_memory(size, sizeof *events->voxel);
    events->count = take_memory(size, sizeof *events->count);
    events->size = size;
    if (events->voxel != NULL && events->count != NULL)
        return 1;
    lbj_events_free(events);
    return 0;
}

/* Merges two sorted runs, from a to b and from b to end. */
static void merge_runs(const lbj_events *from, uint64_t a, uint64_t b, uint64_t end, lbj_events *to)
{
    uint64_t middle = b, at, take;
    for (at = a; at < end; at++) {
        take = b == end || (a < middle && from->voxel[a] < from->voxel[b]) ? a++ : b++;
        to->voxel[at] = from->voxel[take];
        to->count[at] = from->count[take];
    }
}

/* Merges sorted runs, each beginning at run[i], run[n] being the end: two by two until one is left. */
static int sort_events(lbj_events *events, uint64_t *run, size_t n)
{
    lbj_events other, swap;
    uint64_t i;
    size_t k;
    for (i = 1; i < events->size && events->voxel[i - 1] < events->voxel[i]; i++)
        ;
    if (i >= events->size)
        return 1;
    if (!make_events(&other, events->size))
        return 0;
    while (n > 1) {
        for (k = 0; k < n; k += 2) {
            merge_runs(events, run[k], run[k + 1 < n ? k + 1 : n], run[k + 2 < n ? k + 2 : n], &other);
            run[k / 2] = run[k];
        }
        run[(n + 1) / 2] = events->size;
        n = (n + 1) / 2;
        swap = *events;
        *events = other;
        other = swap;
    }
    lbj_events_free(&other);
    return 1;
}

/* Decodes one block into its place in a list that has room for it. */
static lbj_status list_part(const part *p, const lbj_signal *s, uint64_t *voxel, uint32_t *count, lbj_error *error)
{
    uint32_t i, channel0 = first_channel(s, &p->window), pixels = p->window.pixels;
    uint32_t *local = take_memory(p->voxels, sizeof *local);
    lbj_status status;
    if (local == NULL)
        return no_memory(error, p->offset);
    status = decode_events(p, s, local, count, error);
    for (i = 0; i < p->voxels && status == LBJ_OK; i++)
        voxel[i] = p->window.whole ? local[i]
                                   : (uint64_t)(local[i] / pixels + channel0) * s->pixels
                                         + array_pixel(s, &p->window, local[i] % pixels);
    free(local);
    return status;
}

lbj_status lbj_read_events(lbj_reader *r, unsigned signal, lbj_events *events, lbj_error *error)
{
    part *parts;
    size_t n, i;
    uint64_t total = 0, *run = NULL;
    lbj_status status = collect(r, signal, &parts, &n, error);
    const lbj_signal *s = lbj_get_signal(r, signal);
    memset(events, 0, sizeof *events);
    if (status == LBJ_OK && s->kind != LBJ_EVENTS)
        status = fail(error, LBJ_REFUSED, r->frame.offset, "", "not an events signal");
    for (i = 0; i < n && status == LBJ_OK; i++) {
        status = check_known(&parts[i], error);
        total += parts[i].voxels;
    }
    if (status == LBJ_OK && (!make_events(events, total) || (run = take_memory(n + 2, sizeof *run)) == NULL))
        status = no_memory(error, r->frame.offset);
    for (total = 0, i = 0; i < n && status == LBJ_OK; i++) {
        run[i] = total;
        status = list_part(&parts[i], s, events->voxel + total, events->count + total, error);
        total += parts[i].voxels;
    }
    if (status == LBJ_OK) {
        run[n] = total;
        if (!sort_events(events, run, n))
            status = no_memory(error, r->frame.offset);
    }
    free(run);
    free(parts);
    if (status != LBJ_OK)
        lbj_events_free(events);
    return status;
}

/* Puts the counts of a block into the dense array of the signal. */
static lbj_status place_events(const part *p, const lbj_signal *s, uint8_t *dense, lbj_error *error)
{
    uint32_t i, channel0 = first_channel(s, &p->window), pixels = p->window.pixels;
    size_t bytes = lbj_dtype_size(s->dtype);
    uint32_t *voxel = take_memory(p->voxels, sizeof *voxel), *count = take_memory(p->voxels, sizeof *count);
    lbj_status status = voxel != NULL && count != NULL ? decode_events(p, s, voxel, count, error)
                                                       : no_memory(error, p->offset);
    for (i = 0; i < p->voxels && status == LBJ_OK; i++) {
        uint64_t pixel = array_pixel(s, &p->window, voxel[i] % pixels);
        put(dense + (pixel * s->channels + channel0 + voxel[i] / pixels) * bytes, count[i], bytes);
    }
    free(voxel);
    free(count);
    return status;
}

/* Copies a window's array, in C order, to its place: runs along the last axis stay together. */
static void place_window(const lbj_signal *s, const window *w, const uint8_t *from, uint8_t *dense)
{
    size_t bytes = lbj_dtype_size(s->dtype), run;
    uint32_t at[LBJ_AXES];
    uint64_t left, index;
    unsigned i, last = s->axes - 1;
    memcpy(at, w->start, sizeof at);
    run = (size_t)(w->stop[last] - w->start[last]);
    for (left = w->elements / run; left > 0; left--, from += run * bytes) {
        for (index = 0, i = 0; i <= last; i++)
            index = index * s->shape[i] + at[i];
        memcpy(dense + index * bytes, from, run * bytes);
        for (i = last; i-- > 0;) { /* the next row of the window */
            if (++at[i] < w->stop[i])
                break;
            at[i] = w->start[i];
        }
    }
}

static lbj_status place_array(const part *p, const lbj_signal *s, uint8_t *dense, lbj_error *error)
{
    lbj_status status;
    uint8_t *array;
    if (p->coding == CODING_RAW)
        return place_window(s, &p->window, p->data, dense), LBJ_OK;
    if (p->window.whole)
        return decode_array(p, s, dense, error);
    array = take_memory(p->window.elements, lbj_dtype_size(s->dtype));
    if (array == NULL)
        return no_memory(error, p->offset);
    status = decode_array(p, s, array, error);
    if (status == LBJ_OK)
        place_window(s, &p->window, array, dense);
    free(array);
    return status;
}

static lbj_status place_parts(const part *parts, size_t n, const lbj_signal *s, void *data, lbj_error *error)
{
    lbj_status status = LBJ_OK;
    size_t i;
    for (i = 0; i < n && status == LBJ_OK; i++) {
        status = check_known(&parts[i], error);
        if (status == LBJ_OK)
            status = s->kind == LBJ_EVENTS ? place_events(&parts[i], s, data, error)
                                           : place_array(&parts[i], s, data, error);
    }
    return status;
}

lbj_status lbj_read_into(lbj_reader *r, unsigned signal, void *data, size_t size, lbj_error *error)
{
    part *parts;
    size_t n;
    lbj_status status = collect(r, signal, &parts, &n, error);
    if (status == LBJ_OK && lbj_signal_bytes(r, signal) != size)
        status = fail(error, LBJ_REFUSED, parts[0].offset, "", "the array has %llu bytes, the caller's buffer %llu",
                      (unsigned long long)lbj_signal_bytes(r, signal), (unsigned long long)size);
    if (status == LBJ_OK) {
        memset(data, 0, size);
        status = place_parts(parts, n, lbj_get_signal(r, signal), data, error);
    }
    free(parts);
    return status;
}

lbj_status lbj_read_dense(lbj_reader *r, unsigned signal, void **data, size_t *size, lbj_error *error)
{
    part *parts;
    size_t n;
    uint64_t bytes = 0;
    lbj_status status = collect(r, signal, &parts, &n, error);
    const lbj_signal *s = lbj_get_signal(r, signal);
    *data = NULL;
    *size = 0;
    if (status == LBJ_OK) {
        bytes = lbj_signal_bytes(r, signal);
        if (bytes > r->limits.dense_bytes)
            status = fail(error, LBJ_LIMIT, parts[0].offset, "11.1",
                          "a dense array of %llu bytes, the caller's limit is %llu", (unsigned long long)bytes,
                          (unsigned long long)r->limits.dense_bytes);
        else if (bytes > SIZE_MAX || (*data = calloc((size_t)bytes, 1)) == NULL)
            status = no_memory(error, parts[0].offset);
    }
    if (status == LBJ_OK)
        status = place_parts(parts, n, s, *data, error);
    free(parts);
    if (status == LBJ_OK) {
        *size = (size_t)bytes;
    } else {
        free(*data);
        *data = NULL;
    }
    return status;
}

/* ------------------------------------------------------------------- writer: descriptions (5.1.4, 5.1.9, 5.1.10) -- */

/* A writer is not lenient with the members of HEAD that readers need not understand. */

static int is_digit_at(const char *text, size_t i)
{
    return text[i] >= '0' && text[i] <= '9';
}

/* RFC 9562 version 4, in lower case. */
static int is_uuid(const char *text)
{
    size_t i;
    if (strlen(text) != 36 || text[14] != '4' || strchr("89ab", text[19]) == NULL)
        return 0;
    for (i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL)
            return 0;
    return 1;
}

/* RFC 3339 date-time that ends in Z (3.4). */
static int is_instant(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour, minute, second, leap;
    size_t i, length = strlen(text);
    if (length < 20)
        return 0;
    for (i = 0; i < 19; i++)
        if (form[i] == 'd' ? !is_digit_at(text, i) : text[i] != form[i])
            return 0;
    if (text[19] == '.' && is_digit_at(text, 20))
        for (i = 20; is_digit_at(text, i); i++)
            ;
    if (text[i] != 'Z' || i + 1 != length
        || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6)
        return 0;
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2) && hour <= 23
        && minute <= 59 && second <= 60;
}

/* In lower-case hexadecimal (5.1.4). */
static int is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int is_file_name(const char *text)
{
    return strchr(text, '/') == NULL;
}

static int is_element(const char *text)
{
    return text[0] >= 'A' && text[0] <= 'Z' && (text[1] == 0 || (text[1] >= 'a' && text[1] <= 'z' && text[2] == 0));
}

/* Where the member is there it must be a string, and keep the rule, which may be NULL. */
static int keeps(const lbj_json *json, uint32_t node, int (*rule)(const char *))
{
    char *text;
    size_t size;
    int result;
    if (!node || type_of(json, node) != LBJ_STRING)
        return !node;
    if (rule == NULL)
        return 1;
    text = lbj_json_string(json, node, &size);
    result = text != NULL && strlen(text) == size && rule(text);
    free(text);
    return result;
}

static int has_type(const lbj_json *json, uint32_t node, lbj_json_type type)
{
    return !node || type_of(json, node) == type;
}

/* An array, if it is there, of strings that keep the rule. */
static int array_keeps(const lbj_json *json, uint32_t array, int (*rule)(const char *))
{
    uint32_t i;
    if (!array)
        return 1;
    if (type_of(json, array) != LBJ_ARRAY)
        return 0;
    for (i = array + 1; i < json->node[array].next; i = json->node[i].next)
        if (!keeps(json, i, rule))
            return 0;
    return 1;
}

static int is_positive(const lbj_json *json, uint32_t number)
{
    uint32_t i;
    if (!number)
        return 1;
    if (type_of(json, number) != LBJ_NUMBER)
        return 0;
    for (i = json->node[number].start; i < json->node[number].end; i++) {
        char c = json->text[i];
        if (c == '-' || c == 'e' || c == 'E')
            return 0;
        if (c >= '1' && c <= '9')
            return 1;
    }
    return 0;
}

static lbj_status check_metadata(const checker *c)
{
    static const char *const numbers[] = {"convergence_angle", "collection_angle", "stage_tilt", "magnification"};
    const lbj_json *json = c->json;
    uint32_t metadata = lbj_json_member(json, 0, "metadata");
    size_t i;
    if (!metadata)
        return LBJ_OK;
    if (type_of(json, metadata) != LBJ_OBJECT)
        return wrong(c, "5.1.4", "metadata", "an object");
    if (!keeps(json, lbj_json_member(json, metadata, "title"), NULL)
        || !keeps(json, lbj_json_member(json, metadata, "microscope"), NULL))
        return wrong(c, "5.1.9", "title and microscope", "strings");
    if (!is_positive(json, lbj_json_member(json, metadata, "beam_energy")))
        return wrong(c, "5.1.9", "beam_energy", "a number above 0");
    if (!array_keeps(json, lbj_json_member(json, metadata, "elements"), is_element))
        return wrong(c, "5.1.9", "elements", "an array of symbols");
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!has_type(json, lbj_json_member(json, metadata, numbers[i]), LBJ_NUMBER))
            return wrong(c, "5.1.9", numbers[i], "a number");
    return LBJ_OK;
}

static lbj_status check_source(const checker *c)
{
    const lbj_json *json = c->json;
    uint32_t i, source = lbj_json_member(json, 0, "source"), files;
    if (!source)
        return LBJ_OK;
    if (type_of(json, source) != LBJ_OBJECT || !keeps(json, lbj_json_member(json, source, "name"), NULL)
        || !array_keeps(json, lbj_json_member(json, source, "notes"), NULL))
        return wrong(c, "5.1.4", "source", "an object with a name and notes");
    files = lbj_json_member(json, source, "files");
    if (!has_type(json, files, LBJ_ARRAY))
        return wrong(c, "5.1.4", "files of source", "an array");
    for (i = files + 1; files && i < json->node[files].next; i = json->node[i].next) {
        uint32_t name = lbj_json_member(json, i, "name"), sha256 = lbj_json_member(json, i, "sha256");
        if (!name || !keeps(json, name, is_file_name) || !sha256 || !keeps(json, sha256, is_sha256))
            return wrong(c, "5.1.4", "files of source", "name without folders and sha256 for each");
    }
    return LBJ_OK;
}

/* Whether an image has the shape of another signal's navigation axes. */
static int has_pixels_of(const lbj_signal *image, const lbj_signal *other)
{
    unsigned navigation = navigation_axes(other);
    return image->axes == navigation && memcmp(image->shape, other->shape, navigation * sizeof *image->shape) == 0;
}

/* 5.1.10 */
static lbj_status check_role(const checker *c, const signal_table *table, const lbj_signal *s)
{
    static const char *const roles[] = {"live_time", "real_time", "dwell_time", "exposure", "energy_shift"};
    const lbj_signal *other = NULL;
    unsigned i;
    int bound = 0;
    for (i = 0; i < sizeof roles / sizeof *roles; i++)
        bound = bound || (s->kind == LBJ_IMAGE && s->role != NULL && strcmp(s->role, roles[i]) == 0);
    if (!bound)
        return LBJ_OK;
    if (s->of != NULL)
        other = find_signal(table, s->of);
    for (i = 0; s->of != NULL && other == NULL && i < table->size; i++)
        if (table->signal[i].group != NULL && strcmp(table->signal[i].group, s->of) == 0)
            other = &table->signal[i];
    if (other == NULL || !has_pixels_of(s, other))
        return wrong(c, "5.1.10", "image of an attribute", "`of` a signal or group, and its pixels as shape");
    return LBJ_OK;
}

/* All of clause 5.1.4. */
static lbj_status check_header(const checker *c, signal_table *table)
{
    const lbj_json *json = c->json;
    uint32_t uuid = lbj_json_member(json, 0, "uuid"), writer = lbj_json_member(json, 0, "writer");
    unsigned i;
    lbj_status status;
    if (!uuid || !keeps(json, uuid, is_uuid))
        return wrong(c, "5.1.4", "uuid", "RFC 9562 version 4, in lower case");
    if (!has_type(json, writer, LBJ_OBJECT)
        || (writer && (!keeps(json, lbj_json_member(json, writer, "name"), NULL)
                       || !keeps(json, lbj_json_member(json, writer, "version"), NULL))))
        return wrong(c, "5.1.4", "writer", "an object with name and version");
    if (!keeps(json, lbj_json_member(json, 0, "created"), is_instant))
        return wrong(c, "3.4", "created", "an instant such as 2026-01-31T12:00:00Z");
    status = check_metadata(c);
    if (status == LBJ_OK)
        status = check_source(c);
    if (status == LBJ_OK)
        status = read_signals(c, table);
    for (i = 0; i < table->size && status == LBJ_OK; i++)
        status = check_role(c, table, &table->signal[i]);
    return status;
}

/* -------------------------------------------------------------------------------------------------- writer (10) -- */

struct lbj_writer {
    FILE *file;
    uint64_t position;
    unsigned flags;
    int broken; /* a failed write could not be taken back */
    crc_tables crc;
    signal_table signals;
    uint64_t completed; /* frames */
    int in_frame, is_static;
    uint64_t frame_offset, events;
    uint32_t blocks;
    uint8_t *present; /* of each signal: stands in this frame */
};

/* 10.1, 10.4: a new file, locked. */
static lbj_status create_file(const char *path, FILE **file, lbj_error *error)
{
#ifdef LBJ_POSIX
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor < 0 && errno == EEXIST)
        return fail(error, LBJ_REFUSED, 0, "10.4", "the file exists already");
    if (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(descriptor);
        return fail(error, LBJ_IO, 0, "10.1", "another writer holds the file");
    }
    if (descriptor >= 0 && (*file = fdopen(descriptor, "wb")) == NULL)
        close(descriptor);
#else
    *file = fopen(path, "wbx"); /* C11, and older libraries */
#endif
    if (*file == NULL)
        return fail(error, LBJ_IO, 0, "10.4", "the file exists already or cannot be made");
    setvbuf(*file, NULL, _IONBF, 0); /* so that what failed is not written later */
    return LBJ_OK;
}

static lbj_status write_bytes(lbj_writer *w, const void *data, size_t size, lbj_error *error)
{
    if (size > 0 && fwrite(data, 1, size, w->file) != size)
        return fail(error, LBJ_IO, w->position, "", "writing failed");
    w->position += size;
    return LBJ_OK;
}

/* A record (4.2) whose payload is `head` (at most 96 bytes) and then `body`. */
static lbj_status write_record(lbj_writer *w, const char *type, const uint8_t *head, size_t head_size, const void *body,
                               size_t body_size, lbj_error *error)
{
    uint8_t b[HEADER + 96];
    static const uint8_t zeros[8];
    uint64_t length = (uint64_t)head_size + body_size;
    uint32_t crc = 0;
    lbj_status status;
    memcpy(b, "\xF5LB", 3);
    b[3] = w->flags & LBJ_NO_DIGESTS ? 0 : 1;
    memcpy(b + 4, type, 4);
    put(b + 8, length, 8);
    if (b[3])
        crc = crc_add(&w->crc, crc_add(&w->crc, 0, head, head_size), body, body_size);
    put(b + 16, crc, 4);
    put(b + 20, crc_add(&w->crc, 0, b, 20), 4);
    memcpy(b + HEADER, head, head_size);
    status = write_bytes(w, b, HEADER + head_size, error);
    if (status == LBJ_OK)
        status = write_bytes(w, body, body_size, error);
    if (status == LBJ_OK)
        status = write_bytes(w, zeros, padding(length), error);
    return status;
}

/* 10.3 */
static lbj_status synchronise(lbj_writer *w, lbj_error *error)
{
#ifdef LBJ_POSIX
    if (!(w->flags & LBJ_NO_SYNC) && fsync(fileno(w->file)) != 0 && errno != EINVAL && errno != EROFS)
        return fail(error, LBJ_IO, w->position, "10.3", "writing to stable storage failed");
#endif
    return fflush(w->file) == 0 ? LBJ_OK : fail(error, LBJ_IO, w->position, "", "writing failed");
}

/* Takes back a frame: truncates to its FRAM (10.3), or leaves it to be abandoned by the next one (5.2.1). */
static void take_back(lbj_writer *w)
{
    w->in_frame = 0;
#ifdef LBJ_POSIX
    if (ftruncate(fileno(w->file), (off_t)w->frame_offset) != 0
        || fseeko(w->file, (off_t)w->frame_offset, SEEK_SET) != 0)
        w->broken = 1;
    w->position = w->frame_offset;
#endif
}

static lbj_status write_beginning(lbj_writer *w, const char *header, size_t size, lbj_error *error)
{
    uint8_t head[8] = {0};
    lbj_status status = write_bytes(w, "\x89LBJ\r\n\x1A\n", 8, error);
    put(head, LBJ_MAJOR, 2);
    put(head + 2, LBJ_MINOR, 2);
    return status == LBJ_OK ? write_record(w, "HEAD", head, 8, header, size, error) : status;
}

static void free_writer(lbj_writer *w)
{
    if (w->file != NULL)
        fclose(w->file);
    free_signals(&w->signals);
    free(w->present);
    free(w);
}

lbj_status lbj_create(lbj_writer **writer, const char *path, const char *header, size_t size, unsigned flags,
                      lbj_error *error)
{
    lbj_writer *w = calloc(1, sizeof *w);
    lbj_json json;
    checker c;
    lbj_status status;
    *writer = NULL;
    clear_error(error);
    if (w == NULL)
        return no_memory(error, 0);
    w->flags = flags;
    crc_prepare(&w->crc);
    status = parse_json_at(&json, header, size, 0, error);
    if (status == LBJ_DAMAGED) {
        status = LBJ_REFUSED;
        if (error != NULL)
            error->status = status;
    }
    if (status == LBJ_OK) {
        c.json = &json;
        c.status = LBJ_REFUSED;
        c.offset = 0;
        c.error = error;
        status = check_header(&c, &w->signals);
        lbj_json_free(&json);
    }
    if (status == LBJ_OK && (w->present = calloc(w->signals.size, 1)) == NULL)
        status = no_memory(error, 0);
    if (status == LBJ_OK)
        status = create_file(path, &w->file, error);
    if (status == LBJ_OK)
        status = write_beginning(w, header, size, error);
    if (status == LBJ_OK) {
        *writer = w;
    } else {
        int made = w->file != NULL;
        free_writer(w);
        if (made)
            remove(path);
    }
    return status;
}

unsigned lbj_writer_signal_count(const lbj_writer *w)
{
    return w->signals.size;
}

const lbj_signal *lbj_writer_signal(const lbj_writer *w, unsigned signal)
{
    return signal < w->signals.size ? &w->signals.signal[signal] : NULL;
}

static lbj_status refuse(lbj_writer *w, const char *clause, const char *why, lbj_error *error)
{
    return fail(error, LBJ_REFUSED, w->position, clause, "%s", why);
}

lbj_status lbj_begin_frame(lbj_writer *w, int is_static, lbj_error *error)
{
    uint8_t head[16] = {0};
    lbj_status status;
    clear_error(error);
    if (w->broken)
        return fail(error, LBJ_IO, w->position, "", "an earlier write failed");
    if (w->in_frame)
        return refuse(w, "5.2.1", "a frame is begun already", error);
    w->frame_offset = w->position;
    w->is_static = is_static != 0;
    w->blocks = 0;
    w->events = 0;
    memset(w->present, 0, w->signals.size);
    put(head, is_static ? LBJ_STATIC : w->completed, 8);
    status = write_record(w, "FRAM", head, 16, NULL, 0, error);
    w->in_frame = 1;
    if (status != LBJ_OK)
        take_back(w);
    return status;
}

/* Whether a signal can be written now. */
static lbj_status check_turn(lbj_writer *w, unsigned signal, int is_events, lbj_error *error)
{
    clear_error(error);
    if (!w->in_frame)
        return refuse(w, "5.3.1", "no frame is begun", error);
    if (signal >= w->signals.size)
        return refuse(w, "5.3.2", "no such signal", error);
    if (w->signals.signal[signal].is_static != w->is_static)
        return refuse(w, "5.3.8", "static signals stand in pseudo-frames, others in frames", error);
    if ((w->signals.signal[signal].kind == LBJ_EVENTS) != is_events)
        return refuse(w, "8", "data of another kind than the signal", error);
    if (w->present[signal])
        return refuse(w, "5.3.7", "the signal is in this frame already", error);
    return LBJ_OK;
}

/* What is to be written of a signal. */
typedef struct {
    const lbj_signal *signal;
    unsigned number;
    const uint8_t *array; /* not events */
    const uint64_t *voxel;
    const uint32_t *count;
    uint64_t size;
    uint64_t sum; /* of all counts */
} content;

/* C-order index in the array of a window's first element, without or with the channel. */
static uint64_t window_start(const lbj_signal *s, const window *w, unsigned axes)
{
    uint64_t index = 0;
    unsigned i;
    for (i = 0; i < axes; i++)
        index = index * s->shape[i] + w->start[i];
    return index;
}

/* The next voxel at or after *at that lies in the window. Windows made by cut() are a range of pixels by a range of
 * channels. Returns 0 at the end; else its index in the window. */
static int next_inside(const content *c, const window *w, uint64_t *at, uint32_t *index)
{
    uint64_t first = window_start(c->signal, w, navigation_axes(c->signal)), pixel, channel;
    for (; *at < c->size; ++*at) {
        pixel = c->voxel[*at] % c->signal->pixels - first; /* wraps where it lies before */
        channel = c->voxel[*at] / c->signal->pixels - first_channel(c->signal, w);
        if (w->whole || (pixel < w->pixels && channel < w->channels)) {
            *index = w->whole ? (uint32_t)c->voxel[*at] : (uint32_t)(channel * w->pixels + pixel);
            return 1;
        }
    }
    return 0;
}

/* 5.3.5 */
static int fits(const content *c, const window *w)
{
    uint64_t at = 0, sum = 0;
    uint32_t index;
    if (w->elements > UINT32_MAX)
        return 0;
    if (c->sum <= UINT32_MAX)
        return 1;
    while (sum <= UINT32_MAX && next_inside(c, w, &at, &index))
        sum += c->count[at++];
    return sum <= UINT32_MAX;
}

/* Cuts the array into windows that fit, halving along the first axis that is longer than one. Returns their number, 0
 * where it would pass 4,096 (5.3.7). */
static size_t cut(const content *c, window *windows)
{
    size_t done = 0, size = 1; /* windows[0] to windows[done - 1] fit, those behind are to be looked at */
    whole_window(&windows[0], c->signal);
    while (done < size) {
        window *w = &windows[done];
        unsigned axis = 0;
        uint32_t middle;
        if (fits(c, w)) {
            done++;
            continue;
        }
        if (size == MOST_WINDOWS)
            return 0;
        while (w->stop[axis] - w->start[axis] == 1)
            axis++; /* a window of one element fits */
        middle = w->start[axis] + (w->stop[axis] - w->start[axis]) / 2;
        windows[size] = *w;
        w->stop[axis] = windows[size].start[axis] = middle;
        measure(w, c->signal);
        measure(&windows[size++], c->signal);
    }
    return size;
}

static int add_leb128(text_buffer *b, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value >= 128; value >>= 7)
        bytes[n++] = (char)((value & 127) | 128);
    bytes[n++] = (char)value;
    return text_add(b, bytes, n);
}

/* 8.2 */
static int encode_leb128(const content *c, const window *w, text_buffer *b, uint32_t *voxels, uint32_t *events)
{
    uint64_t at = 0, next = 0;
    uint32_t index;
    *voxels = *events = 0;
    for (; next_inside(c, w, &at, &index); at++) {
        uint32_t count = c->count[at];
        if (!add_leb128(b, (index - next) * 2 + (count > 1)) || (count > 1 && !add_leb128(b, count - 2)))
            return 0;
        next = (uint64_t)index + 1;
        *voxels += 1;
        *events += count;
    }
    return 1;
}

/* 5.3 */
static lbj_status write_block(lbj_writer *w, const content *c, const window *at, lbj_error *error)
{
    uint8_t head[24 + 8 * LBJ_AXES] = {0};
    const lbj_signal *s = c->signal;
    size_t head_size = 24, size = (size_t)at->elements * lbj_dtype_size(s->dtype);
    const void *body = NULL;
    uint32_t voxels = 0, events = 0;
    text_buffer coded = {NULL, 0, 0};
    unsigned i;
    lbj_status status;
    if (c->array != NULL) {
        body = c->array + window_start(s, at, s->axes) * lbj_dtype_size(s->dtype);
    } else {
        if (!encode_leb128(c, at, &coded, &voxels, &events)) {
            free(coded.data);
            return no_memory(error, w->position);
        }
        body = coded.data;
        size = coded.size;
    }
    put(head, w->is_static ? LBJ_STATIC : w->completed, 8);
    put(head + 8, c->number, 2);
    put(head + 10, c->array != NULL ? CODING_RAW : CODING_LEB128, 2);
    put(head + 12, at->whole ? 0 : 1, 4);
    put(head + 16, voxels, 4);
    put(head + 20, events, 4);
    for (i = 0; i < s->axes && !at->whole; i++, head_size += 8) {
        put(head + head_size, at->start[i], 4);
        put(head + head_size + 4, at->stop[i], 4);
    }
    status = write_record(w, "BLOK", head, head_size, body, size, error);
    free(coded.data);
    w->blocks++;
    w->events += events;
    return status;
}

static lbj_status write_content(lbj_writer *w, const content *c, lbj_error *error)
{
    window *windows = take_memory(MOST_WINDOWS, sizeof *windows);
    size_t n, i;
    lbj_status status = LBJ_OK;
    if (windows == NULL)
        return no_memory(error, w->position);
    n = cut(c, windows);
    if (n == 0)
        status = fail(error, LBJ_UNSUPPORTED, w->position, "5.3.7", "this writer would need more than 4096 windows");
    for (i = 0; i < n && status == LBJ_OK; i++)
        status = write_block(w, c, &windows[i], error);
    free(windows);
    if (status == LBJ_OK)
        w->present[c->number] = 1;
    else if (n > 0)
        take_back(w);
    return status;
}

lbj_status lbj_write_events(lbj_writer *w, unsigned signal, const uint64_t *voxel, const uint32_t *count, uint64_t size,
                            lbj_error *error)
{
    content c;
    uint64_t i;
    uint32_t largest;
    lbj_status status = check_turn(w, signal, 1, error);
    if (status != LBJ_OK)
        return status;
    memset(&c, 0, sizeof c);
    c.signal = &w->signals.signal[signal];
    c.number = signal;
    c.voxel = voxel;
    c.count = count;
    c.size = size;
    largest = UINT32_MAX >> (32 - 8 * lbj_dtype_size(c.signal->dtype));
    for (i = 0; i < size; i++) {
        if (voxel[i] >= c.signal->elements || (i > 0 && voxel[i] <= voxel[i - 1]))
            return refuse(w, "8.0", "indices of voxels must rise and be less than the number of voxels", error);
        if (count[i] < 1 || count[i] > largest)
            return refuse(w, "5.3.6", "counts must be at least 1 and at most the largest value of the dtype", error);
        if (c.sum > UINT64_MAX / 2) /* 2^43 voxels of 2^32 counts would overflow */
            return refuse(w, "5.3.5", "more than 2^63 counts", error);
        c.sum += count[i];
    }
    return write_content(w, &c, error);
}

lbj_status lbj_write_array(lbj_writer *w, unsigned signal, const void *data, uint64_t size, lbj_error *error)
{
    content c;
    lbj_status status = check_turn(w, signal, 0, error);
    if (status != LBJ_OK)
        return status;
    memset(&c, 0, sizeof c);
    c.signal = &w->signals.signal[signal];
    c.number = signal;
    c.array = data;
    if (data == NULL || size != c.signal->elements * lbj_dtype_size(c.signal->dtype))
        return refuse(w, "8.1.1", "the array has another size than shape and dtype say", error);
    return write_content(w, &c, error);
}

lbj_status lbj_end_frame(lbj_writer *w, const char *attributes, size_t size, lbj_error *error)
{
    uint8_t head[24] = {0};
    lbj_json json;
    lbj_status status = LBJ_OK;
    clear_error(error);
    if (!w->in_frame)
        return refuse(w, "5.4.2", "no frame is begun", error);
    if (w->is_static && (attributes != NULL || w->blocks == 0))
        return refuse(w, "5.2.3", "a pseudo-frame has data and no attributes", error);
    if (attributes != NULL) {
        if ((status = parse_json_at(&json, attributes, size, w->position, error)) == LBJ_NOMEM)
            return status;
        if (status != LBJ_OK)
            return refuse(w, "4.5.1", "attributes that are no JSON object as the format demands it", error);
        lbj_json_free(&json);
    }
    put(head, w->is_static ? LBJ_STATIC : w->completed, 8);
    put(head + 8, w->blocks, 4);
    put(head + 16, w->events, 8);
    if (w->flags & LBJ_NO_DIGESTS)
        status = synchronise(w, error);
    if (status == LBJ_OK)
        status = write_record(w, "DONE", head, 24, attributes, attributes != NULL ? size : 0, error);
    if (status == LBJ_OK)
        status = synchronise(w, error);
    if (status != LBJ_OK)
        return take_back(w), status;
    w->in_frame = 0;
    w->completed += w->is_static ? 0 : 1;
    return LBJ_OK;
}

lbj_status lbj_cancel_frame(lbj_writer *w, lbj_error *error)
{
    clear_error(error);
    if (!w->in_frame)
        return refuse(w, "5.2.1", "no frame is begun", error);
    take_back(w);
    return w->broken ? fail(error, LBJ_IO, w->position, "", "a frame could not be taken back") : LBJ_OK;
}

lbj_status lbj_finish(lbj_writer *w, lbj_error *error)
{
    lbj_status status = LBJ_OK;
    clear_error(error);
    if (w == NULL)
        return LBJ_OK;
    if (w->in_frame)
        take_back(w);
    if (w->broken)
        status = fail(error, LBJ_IO, w->position, "", "an earlier write failed");
    else
        status = synchronise(w, error);
    if (fclose(w->file) != 0 && status == LBJ_OK)
        status = fail(error, LBJ_IO, w->position, "", "closing failed");
    w->file = NULL;
    free_writer(w);
    return status;
}
