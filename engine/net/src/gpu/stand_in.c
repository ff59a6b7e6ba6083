/* A driver, or a library for GPUs, that does as FAULT says; for tests. What is right is passed on to the
   table at TABLE, which computes on the CPU. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NONE, NO_DEVICE, OLD, REFUSES, OTHER_VERSION, NO_CUDA, NO_ROOM, FOURTH, WRONG, SILENT, MUTE, COUNTS };

int cuInit(unsigned flags) { (void)flags; return FAULT == REFUSES ? 999 : 0; }
int cuDriverGetVersion(int *version) { *version = FAULT == OLD ? 12080 : 13000; return 0; }
int cuDeviceGetCount(int *n) { *n = FAULT == NO_DEVICE ? 0 : 2; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *to, int room, int device) { snprintf(to, room, "Stand-in %d", device); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = (size_t)1 << 30; return 0; }

struct text { char *at; size_t room; };
struct memory { size_t size; uint64_t free, total; };
struct table {
    uint32_t version, cuda;
    size_t size;
    int (*memory)(int, struct memory *, struct text *);
    int (*open)(int, const void *, void **, struct text *);
    int (*take)(void *, const float *, size_t, struct text *);
    int (*put)(void *, size_t, const void *, struct text *);
    int (*get)(void *, size_t, float *, size_t, struct text *);
    int (*gradient)(void *, size_t, const float *, size_t, float *, size_t, struct text *);
    void (*close)(void *);
};
static const struct table *right(void) { return (const struct table *)TABLE; }

static int fails(struct text *text, const char *words) { snprintf(text->at, text->room, "%s", words); return 1; }
static int memory(int device, struct memory *to, struct text *text) {
    (void)device, (void)text;
    to->free = 1 << 20; /* so that a batch is one slice */
    to->total = 1 << 30;
    return 0;
}
/* A network on a device; what it is asked for first are a batch of air and the known image. */
struct network { void *right; int puts, gets; };
static struct network *of(void *handle) { return handle; }
static int open_(int device, const void *given, void **handle, struct text *text) {
    if (FAULT == NO_ROOM) return fails(text, "out of memory");
    (void)device;
    *handle = calloc(1, sizeof(struct network));
    return right()->open(-1, given, &of(*handle)->right, text);
}
static int take(void *handle, const float *at, size_t n, struct text *text) { return right()->take(of(handle)->right, at, n, text); }
static int put(void *handle, size_t place, const void *batch, struct text *text) {
    of(handle)->puts++;
    return right()->put(of(handle)->right, place, batch, text);
}
static int get(void *handle, size_t place, float *to, size_t n, struct text *text) {
    static int gone;
    int call = ++of(handle)->gets, under_way = of(handle)->puts - call + 1;
    if (FAULT == FOURTH && call == 4 && !__atomic_exchange_n(&gone, 1, __ATOMIC_SEQ_CST)) return fails(text, "the device fell off the bus");
    if (FAULT == MUTE || (FAULT == SILENT && call > 2)) sleep(30);
    /* Twice two, of which the first is waited for with both under way. */
    if (FAULT == COUNTS && under_way != 1 + call % 2) return fails(text, "not as many under way");
    int code = right()->get(of(handle)->right, place, to, n, text);
    if (FAULT == WRONG)
        for (size_t i = 0; i < n; i++) to[i] += 1;
    return code;
}
static int gradient(void *handle, size_t kept, const float *by, size_t n_by, float *to, size_t n, struct text *text) {
    return right()->gradient(of(handle)->right, kept, by, n_by, to, n, text);
}
static void close_(void *handle) {
    right()->close(of(handle)->right);
    free(handle);
}

const struct table ICHOR_CUDA = { FAULT == OTHER_VERSION ? 99 : 2, FAULT != NO_CUDA, sizeof(struct table),
    memory, open_, take, put, get, gradient, close_ };
