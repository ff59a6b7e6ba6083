/* A driver, or a library for GPUs, that does as FAULT says; for tests. What is right is passed on to the
   table at TABLE, which computes on the CPU. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NONE, NO_DEVICE, OLD, REFUSES, OTHER_VERSION, NO_CUDA, NO_ROOM, THIRD, WRONG, SILENT, MUTE, COUNTS };

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
static int open_(int device, const void *network, void **handle, struct text *text) {
    if (FAULT == NO_ROOM) return fails(text, "out of memory");
    (void)device;
    return right()->open(-1, network, handle, text);
}
static int take(void *handle, const float *at, size_t n, struct text *text) { return right()->take(handle, at, n, text); }
static int puts_, gets_; /* devices call side by side */
static int put(void *handle, size_t place, const void *batch, struct text *text) {
    __atomic_add_fetch(&puts_, 1, __ATOMIC_SEQ_CST);
    return right()->put(handle, place, batch, text);
}
static int get(void *handle, size_t place, float *to, size_t n, struct text *text) {
    int call = __atomic_add_fetch(&gets_, 1, __ATOMIC_SEQ_CST), under_way = puts_ - call + 1;
    if (FAULT == THIRD && call == 3) return fails(text, "the device fell off the bus");
    if (FAULT == MUTE || (FAULT == SILENT && call > 1)) sleep(30);
    /* First the known image, alone; then two, of which the first is waited for with both under way. */
    if (FAULT == COUNTS && under_way != (call == 2 ? 2 : 1)) return fails(text, "not as many under way");
    int code = right()->get(handle, place, to, n, text);
    if (FAULT == WRONG)
        for (size_t i = 0; i < n; i++) to[i] += 1;
    return code;
}
static int gradient(void *h, size_t kept, const float *by, size_t n_by, float *to, size_t n, struct text *text) {
    return right()->gradient(h, kept, by, n_by, to, n, text);
}
static void close_(void *handle) { right()->close(handle); }

const struct table ICHOR_CUDA = { FAULT == OTHER_VERSION ? 99 : 2, FAULT != NO_CUDA, sizeof(struct table),
    memory, open_, take, put, get, gradient, close_ };
