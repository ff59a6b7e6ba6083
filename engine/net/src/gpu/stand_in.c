/* A driver, or a library for GPUs, that does as FAULT says; for tests. What is right is passed on to the
   table at TABLE, which computes on the CPU. A library is a file of its own, so its counters are its own. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NONE, NO_DEVICE, OLD, REFUSES, OTHER_VERSION, NO_CUDA, NO_ROOM, THIRD, WRONG, SILENT_AT_FIRST, SILENT_LATER, SECOND_VANISHES };

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
    int (*gradient)(void *, const float *, size_t, float *, size_t, struct text *);
    void (*close)(void *);
};
static const struct table *right(void) { return (const struct table *)TABLE; }

/* A network on one of the two devices. */
struct network { void *right; int device, puts, gets; };
static atomic_int gone;

static int fails(struct text *text, const char *words) { snprintf(text->at, text->room, "%s", words); return 1; }
static void never(void) { for (;;) sleep(1000); }

static int memory(int device, struct memory *to, struct text *text) {
    (void)device, (void)text;
    to->free = 1 << 20; /* so that a batch is one slice */
    to->total = 1 << 30;
    return 0;
}
static int open_(int device, const void *given, void **handle, struct text *text) {
    if (FAULT == NO_ROOM) return fails(text, "out of memory");
    struct network *network = calloc(1, sizeof *network);
    network->device = device;
    *handle = network;
    return right()->open(-1, given, &network->right, text);
}
static int take(void *handle, const float *at, size_t n, struct text *text) {
    return right()->take(((struct network *)handle)->right, at, n, text);
}
static int put(void *handle, size_t place, const void *batch, struct text *text) {
    struct network *network = handle;
    /* The other device has to take a slice, and to lose it, before this one goes on. */
    if (FAULT == SECOND_VANISHES && network->device == 0 && ++network->puts > 1)
        while (!atomic_load(&gone)) usleep(1000);
    return right()->put(network->right, place, batch, text);
}
static int get(void *handle, size_t place, float *to, size_t n, struct text *text) {
    struct network *network = handle;
    int calls = ++network->gets; /* the first is the known slice's */
    if (FAULT == THIRD && calls == 3) return fails(text, "the device fell off the bus");
    if (FAULT == SILENT_AT_FIRST || (FAULT == SILENT_LATER && calls == 2)) never();
    if (FAULT == SECOND_VANISHES && network->device == 1 && calls == 2) {
        atomic_store(&gone, 1);
        return fails(text, "the device fell off the bus");
    }
    int code = right()->get(network->right, place, to, n, text);
    if (FAULT == WRONG)
        for (size_t i = 0; i < n; i++) to[i] += 1;
    return code;
}
static int gradient(void *handle, const float *by, size_t n_by, float *to, size_t n, struct text *text) {
    return right()->gradient(((struct network *)handle)->right, by, n_by, to, n, text);
}
static void close_(void *handle) {
    right()->close(((struct network *)handle)->right);
    free(handle);
}

const struct table ICHOR_CUDA = { FAULT == OTHER_VERSION ? 99 : 2, FAULT != NO_CUDA, sizeof(struct table),
    memory, open_, take, put, get, gradient, close_ };
