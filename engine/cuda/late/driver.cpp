// CUDA's driver, cuBLAS, cuDNN and cuRAND as far as libichor_cuda.so calls them, on a CPU and late.
//
// What is asked of a stream is put off until something has to wait for it, and then no more is done
// than that needs; or it is done in an order that a seed gives. Memory holds NaN before it is written
// and after it is given back. So a copy that does not wait for what it copies, memory that is used
// again too early, or a buffer of the host that is refilled under a copy shows as wrong numbers: what
// no stand-in that computes at once can show, and a GPU only on some days. Kernels are known by their
// names; their arithmetic is written here. It is for tests, and proves nothing of a GPU's speed.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))
typedef uint64_t Pointer;
enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NOT_FOUND = 500, NOT_SUPPORTED = 801 };

struct Stream;
struct Marker {
    bool done = false;
    Stream *stream;
    double at; // in seconds, as below
};
struct Event {
    std::shared_ptr<Marker> last;
};
struct Op {
    std::shared_ptr<Marker> after;
    std::function<void()> run;
};
struct Stream {
    std::deque<Op> ops;
    void *context;
    bool computes = false;
    double until = 0; // when what was asked of it would be done
};
// A copy from the device, to see whether something is computed beside it.
struct Way {
    double from = 0, to = 0;
    bool seen = true;
};

// Never destroyed: threads may still call when the process ends.
static auto &lock_ = *new std::recursive_mutex;
static auto &streams = *new std::vector<Stream *>;
static auto &none = *new Stream; // the stream that is null
static auto &live = *new std::map<Pointer, size_t>, &locked = *new std::map<Pointer, size_t>;
static size_t n_live, n_peak, n_free;
static unsigned order, n_in, n_out, n_beside_in, n_beside_out;
static auto &ways = *new std::map<void *, Way>;
static thread_local void *current;
// Time goes by on paper: what the device does by itself takes so long, a copy from or to the host by its
// bytes, a call of the host next to nothing.
static thread_local double now;
static const double KERNEL = 1e-4, BYTE = 1 / 20e9, CALL = 1e-6;

#define LOCK std::lock_guard<std::recursive_mutex> held(lock_)

static void step(Stream *stream) {
    Op op = std::move(stream->ops.front());
    stream->ops.pop_front();
    while (op.after && !op.after->done) step(op.after->stream);
    op.run();
}
static void drain(Stream *stream) {
    while (!stream->ops.empty()) step(stream);
    now = std::max(now, stream->until);
}
static unsigned dice() {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + order;
    return state >> 33;
}
// With an order, some of what waits is done now.
static void some() {
    for (unsigned n = order && !streams.empty() ? dice() % 6 : 0; n > 0; n--) {
        Stream *stream = streams[dice() % streams.size()];
        if (!stream->ops.empty()) step(stream);
    }
}
static Stream *of(void *stream) { return stream ? (Stream *)stream : &none; }
static void later(void *stream, double takes, std::function<void()> run, std::shared_ptr<Marker> after = nullptr) {
    Stream *on = of(stream);
    if (after) on->until = std::max(on->until, after->at);
    on->until = std::max(on->until, now += CALL) + takes;
    on->ops.push_back({after, run});
    some();
}
static void compute(void *stream, std::function<void()> run) {
    of(stream)->computes = true;
    Way &way = ways[of(stream)->context];
    double from = std::max(of(stream)->until, now);
    if (!way.seen && way.from < from + KERNEL && from < way.to) way.seen = true, n_beside_out++;
    later(stream, KERNEL, run);
}

static size_t number(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, nullptr, 10) : otherwise;
}
// LATE_ORDER: 0 is as late as can be, anything else a seed. LATE_FREE: MiB that are said to be free.
__attribute__((constructor)) static void start() {
    order = number("LATE_ORDER", 0), n_free = number("LATE_FREE", 8192) << 20;
}
// Copies are those from and to page-locked memory, of 64 KiB and more.
__attribute__((destructor)) static void end() {
    fprintf(stderr, "late driver, order %u: %u of %u copies in and %u of %u out beside computing, on paper; at most %zu MiB held\n",
            order, n_beside_in, n_in, n_beside_out, n_out, n_peak >> 20);
}

API int cuInit(unsigned) { return OK; }
API int cuDriverGetVersion(int *version) { return *version = 13000, OK; }
API int cuDeviceGetCount(int *n) { return *n = 2, OK; }
API int cuDeviceGet(int *device, int index) { return *device = index, OK; }
API int cuDeviceGetName(char *to, int room, int device) { return snprintf(to, room, "Late %d", device), OK; }
API int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = (size_t)16 << 30, OK; }
API int cuDeviceGetAttribute(int *value, int, int) { return *value = 1, OK; }
API int cuGetErrorString(int, const char **words) { return *words = "the late driver refuses this", OK; }
API int cuDevicePrimaryCtxRetain(void **context, int device) { return *context = (void *)(intptr_t)(device + 1), OK; }
API int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API int cuCtxDestroy_v2(void *) { return OK; }
API int cuCtxGetCurrent(void **context) { return *context = current, OK; }
API int cuCtxSetCurrent(void *context) { return current = context, OK; }
API int cuCtxSynchronize() {
    LOCK;
    for (Stream *stream : streams) drain(stream);
    return drain(&none), OK;
}
// As free counts what was never held at once, so that who asks twice learns the peak.
API int cuMemGetInfo_v2(size_t *free_, size_t *total) {
    LOCK;
    return *free_ = n_free - std::min(n_free, n_peak), *total = (size_t)16 << 30, OK;
}

API int cuStreamCreate(void **stream, unsigned) {
    LOCK;
    Stream *made = new Stream;
    made->context = current;
    streams.push_back(made);
    return *stream = made, OK;
}
API int cuStreamDestroy_v2(void *stream) {
    LOCK;
    drain(of(stream));
    streams.erase(std::find(streams.begin(), streams.end(), of(stream)));
    return OK; // a marker may still name it
}
API int cuStreamSynchronize(void *stream) {
    LOCK;
    return drain(of(stream)), OK;
}
API int cuStreamIsCapturing(void *, int *status) { return *status = 0, OK; }
API int cuStreamWaitEvent(void *stream, void *event, unsigned) {
    LOCK;
    if (auto after = ((Event *)event)->last) later(stream, 0, [] {}, after);
    return OK;
}
API int cuEventCreate(void **event, unsigned) { return *event = new Event, OK; }
API int cuEventDestroy_v2(void *event) { return delete (Event *)event, OK; }
API int cuEventRecord(void *event, void *stream) {
    LOCK;
    auto marker = std::make_shared<Marker>();
    marker->stream = of(stream);
    ((Event *)event)->last = marker;
    later(stream, 0, [marker] { marker->done = true; });
    return marker->at = of(stream)->until, OK;
}
API int cuEventSynchronize(void *event) {
    LOCK;
    auto last = ((Event *)event)->last;
    while (last && !last->done) step(last->stream);
    if (last) now = std::max(now, last->at);
    return OK;
}

// Memory

static void *fresh(size_t n) {
    void *at = malloc(n + 256);
    return at ? memset(at, 0xff, n + 256) : nullptr; // NaN in every precision
}
static void hold(size_t n) { n_peak = std::max(n_peak, n_live += n); }
// What is given back is NaN for as long as memory allows.
static void give_back(Pointer at, size_t n) {
    static auto &kept = *new std::deque<std::pair<void *, size_t>>;
    static size_t n_kept;
    n_live -= n;
    memset((void *)at, 0xff, n);
    kept.push_back({(void *)at, n});
    for (n_kept += n; n_kept > (size_t)1 << 30; kept.pop_front()) n_kept -= kept.front().second, free(kept.front().first);
}
API int cuMemAllocAsync(Pointer *at, size_t n, void *stream) {
    LOCK;
    *at = (Pointer)fresh(n);
    if (!*at) return NO_MEMORY;
    live[*at] = n;
    return later(stream, 0, [n] { hold(n); }), OK;
}
API int cuMemFreeAsync(Pointer at, void *stream) {
    LOCK;
    auto found = live.find(at);
    if (found == live.end()) return INVALID;
    size_t n = found->second;
    live.erase(found);
    return later(stream, 0, [at, n] { give_back(at, n); }), OK;
}
API int cuMemAlloc_v2(Pointer *at, size_t n) { return cuMemAllocAsync(at, n, nullptr); }
API int cuMemFree_v2(Pointer at) { return cuMemFreeAsync(at, nullptr); }
API int cuDeviceGetDefaultMemPool(void **pool, int) { return *pool = (void *)1, OK; }
API int cuMemPoolSetAttribute(void *, int, void *) { return OK; }
API int cuMemHostAlloc(void **at, size_t n, unsigned) {
    LOCK;
    *at = fresh(n);
    return locked[(Pointer)*at] = n, *at ? OK : NO_MEMORY;
}
API int cuMemFreeHost(void *at) {
    LOCK;
    return locked.erase((Pointer)at), free(at), OK;
}
static bool is_locked(const void *at) {
    auto next = locked.upper_bound((Pointer)at);
    return next != locked.begin() && (Pointer)at < std::prev(next)->first + std::prev(next)->second;
}
static bool counts(size_t n) { return n >= 1 << 16; }
API int cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t n, void *stream) {
    LOCK;
    if (is_locked(from)) {
        double start = std::max(of(stream)->until, now);
        auto busy = [=](Stream *other) { return other->computes && other->context == of(stream)->context && other->until > start; };
        n_in += counts(n), n_beside_in += counts(n) && std::any_of(streams.begin(), streams.end(), busy);
        later(stream, n * BYTE, [=] { memcpy((void *)to, from, n); });
    } else { // taken aside, for which the real one may wait for the stream
        drain(of(stream));
        auto aside = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + n);
        later(stream, n * BYTE, [=] { memcpy((void *)to, aside->data(), n); });
    }
    return OK;
}
API int cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t n, void *stream) {
    LOCK;
    bool put_off = is_locked(to);
    later(stream, n * BYTE, [=] { memcpy(to, (void *)from, n); });
    if (put_off && counts(n)) ways[of(stream)->context] = {of(stream)->until - n * BYTE, of(stream)->until, false}, n_out++;
    if (!put_off) drain(of(stream));
    return OK;
}
API int cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t n, void *stream) {
    LOCK;
    return compute(stream, [=] { memmove((void *)to, (void *)from, n); }), OK;
}
API int cuMemcpyPeerAsync(Pointer, void *, Pointer, void *, size_t, void *) { return NOT_SUPPORTED; }
API int cuMemsetD8Async(Pointer to, unsigned char value, size_t n, void *stream) {
    LOCK;
    return compute(stream, [=] { memset((void *)to, value, n); }), OK;
}

// Numbers

struct Half {
    uint16_t bits;
    Half() = default;
    Half(float value) {
        uint32_t wide;
        memcpy(&wide, &value, 4);
        bits = std::isnan(value) ? 0x7fff : (wide + 0x7fff + ((wide >> 16) & 1)) >> 16;
    }
    operator float() const {
        uint32_t wide = (uint32_t)bits << 16;
        float value;
        return memcpy(&value, &wide, 4), value;
    }
};

// Kernels

struct Kernel {
    std::string root, type, other;
};
struct Arguments {
    void **at;
    int next = 0;
    template <class T> T take() { return *(T *)at[next++]; }
    // A number that is small comes wide or narrow; both are right on this machine.
    size_t size() { return take<size_t>(); }
    template <class T> T *array() { return (T *)take<Pointer>(); }
};
typedef std::function<void()> Work;

static size_t strided(size_t i, size_t n_dims, const size_t *dims, const size_t *strides) {
    size_t at = 0;
    for (size_t d = n_dims; d-- > 0; i /= dims[d]) at += i % dims[d] * strides[d];
    return at;
}
template <class S, class D, class F> static Work each(Arguments a, F f) {
    size_t n = a.size(), n_dims = a.size();
    auto info = a.array<size_t>();
    auto from = a.array<S>();
    auto to = a.array<D>();
    return [=] {
        for (size_t i = 0; i < n; i++) to[i] = D(f(float(from[info ? strided(i, n_dims, info, info + n_dims) : i])));
    };
}
template <class S, class D, class F> static Work pairs(Arguments a, F f) {
    size_t n = a.size(), n_dims = a.size();
    auto info = a.array<size_t>();
    auto left = a.array<S>(), right = a.array<S>();
    auto to = a.array<D>();
    return [=] {
        for (size_t i = 0; i < n; i++) {
            size_t l = info ? strided(i, n_dims, info, info + n_dims) : i;
            size_t r = info ? strided(i, n_dims, info, info + 2 * n_dims) : i;
            to[i] = D(f(float(left[l]), float(right[r])));
        }
    };
}
template <class T> static Work pooled(Arguments a) {
    size_t side[4];
    a.size();
    for (size_t &s : side) s = a.size();
    auto info = a.array<size_t>();
    auto from = a.array<T>();
    auto to = a.array<T>();
    return [=] {
        const size_t *dims = info, *s = info + 4;
        size_t ys = (dims[2] - side[0]) / side[2] + 1, xs = (dims[3] - side[1]) / side[3] + 1, at = 0;
        for (size_t n = 0; n < dims[0]; n++)
            for (size_t c = 0; c < dims[1]; c++)
                for (size_t y = 0; y < ys; y++)
                    for (size_t x = 0; x < xs; x++) {
                        float most = -INFINITY;
                        for (size_t v = 0; v < side[0]; v++)
                            for (size_t u = 0; u < side[1]; u++) {
                                float here = from[n * s[0] + c * s[1] + (y * side[2] + v) * s[2] + (x * side[3] + u) * s[3]];
                                most = here > most || std::isnan(here) ? here : most;
                            }
                        to[at++] = T(most);
                    }
    };
}
// Over the last dimensions, so many numbers for each that is written.
template <class T> static Work reduced(Arguments a, bool few, bool sums, size_t n_blocks) {
    size_t n = a.size(), per = a.size(), n_dims = a.size();
    auto info = a.array<size_t>();
    auto from = a.array<T>();
    auto to = a.array<T>();
    size_t n_to = few ? n : n_blocks;
    return [=] {
        for (size_t i = 0; i < n_to; i++) {
            double sum = 0, most = -INFINITY;
            for (size_t j = i * per; j < (i + 1) * per; j++) {
                float here = from[info ? strided(j, n_dims, info, info + n_dims) : j];
                sum += here;
                most = std::max<double>(most, here);
            }
            to[i] = T(float(sums ? sum : most));
        }
    };
}
template <class T> static Work copied(Arguments a) {
    auto from = a.array<T>();
    auto to = a.array<T>();
    uint32_t n = a.take<uint32_t>(), m = a.take<uint32_t>(), from_s = a.take<uint32_t>(), to_s = a.take<uint32_t>();
    return [=] {
        for (uint32_t i = 0; i < n; i++) memcpy(to + (size_t)i * to_s, from + (size_t)i * from_s, m * sizeof(T));
    };
}
template <class T> static Work set(Arguments a) {
    size_t n = a.size(), n_dims = a.size();
    auto info = a.array<size_t>();
    T value = a.take<T>();
    auto to = a.array<T>();
    return [=] {
        for (size_t i = 0; i < n; i++) to[info ? strided(i, n_dims, info, info + n_dims) : i] = value;
    };
}
template <class T> static Work affine(Arguments a) {
    T mul = *(T *)a.at[5], add = *(T *)a.at[6];
    return each<T, T>(a, [=](float x) { return x * float(mul) + float(add); });
}
template <class T> static Work of_type(const std::string &root, Arguments a, size_t n_blocks) {
    auto one = [&](auto f) { return each<T, T>(a, f); };
    auto two = [&](auto f) { return pairs<T, T>(a, f); };
    auto compared = [&](auto f) { return pairs<T, uint8_t>(a, f); };
    if (root == "ucopy") return one([](float x) { return x; });
    if (root == "urelu") return one([](float x) { return x > 0 || std::isnan(x) ? x : 0; });
    if (root == "uneg") return one([](float x) { return -x; });
    if (root == "uexp") return one([](float x) { return std::exp(x); });
    if (root == "urecip") return one([](float x) { return 1 / x; });
    if (root == "badd") return two([](float x, float y) { return x + y; });
    if (root == "bsub") return two([](float x, float y) { return x - y; });
    if (root == "bmul") return two([](float x, float y) { return x * y; });
    if (root == "bdiv") return two([](float x, float y) { return x / y; });
    if (root == "eq") return compared([](float x, float y) { return float(x == y); });
    if (root == "gt") return compared([](float x, float y) { return float(x > y); });
    if (root == "affine") return affine<T>(a);
    if (root == "max_pool2d") return pooled<T>(a);
    if (root == "fast_sum") return reduced<T>(a, false, true, n_blocks);
    if (root == "fast_sum_small") return reduced<T>(a, true, true, n_blocks);
    if (root == "fast_max") return reduced<T>(a, false, false, n_blocks);
    if (root == "copy2d") return copied<T>(a);
    if (root == "const_set") return set<T>(a);
    return nullptr;
}
static Work work(const std::string &name, Arguments a, size_t n_blocks) {
    auto same = [](float x) { return x; };
    if (name == "cast_f32_bf16") return each<float, Half>(a, same);
    if (name == "cast_bf16_f32") return each<Half, float>(a, same);
    if (name == "cast_u8_f32") return each<uint8_t, float>(a, same);
    if (name == "cast_f32_f32") return each<float, float>(a, same);
    size_t end = name.rfind('_');
    std::string root = name.substr(0, end), type = name.substr(end + 1);
    if (type == "f32") return of_type<float>(root, a, n_blocks);
    if (type == "bf16") return of_type<Half>(root, a, n_blocks);
    return nullptr;
}

API int cuModuleLoad(void **, const char *) { return NOT_SUPPORTED; }
API int cuModuleLoadData(void **module, const void *) { return *module = (void *)1, OK; }
API int cuModuleUnload(void *) { return OK; }
API int cuModuleGetFunction(void **function, void *, const char *name) { return *function = strdup(name), OK; }
API int cuLaunchKernel(void *function, unsigned n_blocks, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                       void *stream, void **arguments, void **) {
    LOCK;
    Work run = work((const char *)function, {arguments}, n_blocks);
    if (!run) {
        fprintf(stderr, "the late driver has no kernel %s\n", (const char *)function);
        return NOT_FOUND;
    }
    return compute(stream, run), OK;
}

// cuBLAS and cuRAND

struct Handle {
    void *stream = nullptr;
};
API int cublasCreate_v2(void **handle) { return *handle = new Handle, OK; }
API int cublasDestroy_v2(void *handle) { return delete (Handle *)handle, OK; }
API int cublasSetStream_v2(void *handle, void *stream) { return ((Handle *)handle)->stream = stream, OK; }
API int cublasDgemmStridedBatched() { return 15; }
API int cublasGemmStridedBatchedEx(void *handle, int trans_a, int trans_b, int m, int n, int k, const void *alpha,
                                   const void *a, int a_type, int lda, long long a_next, const void *b, int, int ldb,
                                   long long b_next, const void *beta, void *c, int, int ldc, long long c_next, int batch,
                                   int, int) {
    LOCK;
    if (a_type != 0 || *(const float *)alpha != 1 || *(const float *)beta != 0) return 15; // f32 alone
    compute(((Handle *)handle)->stream, [=] {
        for (int z = 0; z < batch; z++) {
            const float *left = (const float *)a + z * a_next, *right = (const float *)b + z * b_next;
            float *to = (float *)c + z * c_next;
#pragma omp parallel for collapse(2)
            for (int j = 0; j < n; j++)
                for (int i = 0; i < m; i++) {
                    double sum = 0;
                    for (int l = 0; l < k; l++)
                        sum += (double)left[trans_a ? (size_t)i * lda + l : (size_t)l * lda + i] *
                               right[trans_b ? (size_t)l * ldb + j : (size_t)j * ldb + l];
                    to[(size_t)j * ldc + i] = sum;
                }
        }
    });
    return OK;
}
API int curandCreateGenerator(void **generator, int) { return *generator = new Handle, OK; }
API int curandDestroyGenerator(void *generator) { return delete (Handle *)generator, OK; }
API int curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return OK; }
API int curandSetStream(void *, void *) { return OK; }

// cuDNN

struct Tensor {
    int type, dims[4];
};
struct Convolution {
    int padding, stride, dilation, math = 0;
};
API int cudnnCreate(void **handle) { return cublasCreate_v2(handle); }
API int cudnnDestroy(void *handle) { return cublasDestroy_v2(handle); }
API int cudnnSetStream(void *handle, void *stream) { return cublasSetStream_v2(handle, stream); }
API int cudnnCreateTensorDescriptor(void **made) { return *made = new Tensor, OK; }
API int cudnnDestroyTensorDescriptor(void *made) { return delete (Tensor *)made, OK; }
API int cudnnCreateFilterDescriptor(void **made) { return *made = new Tensor, OK; }
API int cudnnDestroyFilterDescriptor(void *made) { return delete (Tensor *)made, OK; }
API int cudnnCreateConvolutionDescriptor(void **made) { return *made = new Convolution, OK; }
API int cudnnDestroyConvolutionDescriptor(void *made) { return delete (Convolution *)made, OK; }
API int cudnnSetTensor4dDescriptor(void *to, int, int type, int n, int c, int y, int x) {
    if (n <= 0 || c <= 0 || y <= 0 || x <= 0) return 3;
    return *(Tensor *)to = {type, {n, c, y, x}}, OK;
}
API int cudnnSetTensor4dDescriptorEx(void *, int, int, int, int, int, int, int, int, int) { return 9; }
API int cudnnSetFilter4dDescriptor(void *to, int type, int format, int k, int c, int y, int x) {
    return cudnnSetTensor4dDescriptor(to, format, type, k, c, y, x);
}
API int cudnnSetConvolution2dDescriptor(void *to, int pad_y, int pad_x, int u, int v, int dil_y, int dil_x, int, int) {
    if (pad_y != pad_x || u != v || dil_y != dil_x || dil_y < 1) return 3;
    return *(Convolution *)to = {pad_y, u, dil_y}, OK;
}
API int cudnnSetConvolutionMathType(void *to, int math) { return ((Convolution *)to)->math = math, OK; }
struct Performance {
    int algo, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};
API int cudnnGetConvolutionForwardAlgorithm_v7(void *, void *, void *, void *, void *, int, int *n, void *found) {
    Performance best = {1, 0, 1.0f, 1 << 16, 1, 0, {0, 0, 0}};
    return *n = 1, *(Performance *)found = best, OK;
}
API int cudnnGetConvolutionForwardWorkspaceSize(void *, void *, void *, void *, void *, int, size_t *n) {
    return *n = 1 << 16, OK;
}
template <class T> static void convolve(Tensor x, const T *from, Tensor w, const T *weights, Convolution by, Tensor y, T *to, bool onto) {
    int n_in = x.dims[1], ys = y.dims[2], xs = y.dims[3], side = w.dims[2];
#pragma omp parallel for collapse(2)
    for (int n = 0; n < y.dims[0]; n++)
        for (int o = 0; o < y.dims[1]; o++) {
            std::vector<float> sums(xs);
            for (int row = 0; row < ys; row++) {
                T *written = to + (((size_t)n * y.dims[1] + o) * ys + row) * xs;
                for (int at = 0; at < xs; at++) sums[at] = onto ? float(written[at]) : 0.0f;
                for (int c = 0; c < n_in; c++)
                    for (int v = 0; v < side; v++) {
                        int seen = row - by.padding + v * by.dilation;
                        if (seen < 0 || seen >= x.dims[2]) continue;
                        const T *line = from + (((size_t)n * n_in + c) * x.dims[2] + seen) * x.dims[3];
                        for (int u = 0; u < side; u++) {
                            int shift = u * by.dilation - by.padding;
                            float weight = weights[((size_t)(o * n_in + c) * side + v) * side + u];
                            int first = std::max(0, -shift), last = std::min(xs, x.dims[3] - shift);
                            for (int at = first; at < last; at++) sums[at] += weight * float(line[at + shift]);
                        }
                    }
                for (int at = 0; at < xs; at++) written[at] = T(sums[at]);
            }
        }
}
API int cudnnConvolutionForward(void *handle, const void *alpha, void *x_, const void *from, void *w_, const void *weights,
                                void *by_, int, void *room, size_t n_room, const void *beta, void *y_, void *to) {
    LOCK;
    Tensor x = *(Tensor *)x_, w = *(Tensor *)w_, y = *(Tensor *)y_;
    Convolution by = *(Convolution *)by_;
    int lost = by.dilation * (w.dims[2] - 1);
    bool fits = x.dims[0] == y.dims[0] && x.dims[1] == w.dims[1] && y.dims[1] == w.dims[0] && x.type == w.type && x.type == y.type &&
                y.dims[2] == x.dims[2] + 2 * by.padding - lost && y.dims[3] == x.dims[3] + 2 * by.padding - lost && by.stride == 1;
    // In f32 the products are to be in f32, too: CUDNN_FMA_MATH.
    float onto = *(const float *)beta;
    if (!fits || n_room < 1 << 16 || *(const float *)alpha != 1 || (onto != 0 && onto != 1) || (x.type == 0 && by.math != 3)) return 3;
    void *stream = ((Handle *)handle)->stream;
    if (x.type == 0)
        compute(stream, [=] { memset(room, 0, n_room), convolve(x, (const float *)from, w, (const float *)weights, by, y, (float *)to, onto); });
    else if (x.type == 9)
        compute(stream, [=] { memset(room, 0, n_room), convolve(x, (const Half *)from, w, (const Half *)weights, by, y, (Half *)to, onto); });
    else
        return 9;
    return OK;
}
API int cudnnGetConvolutionBackwardDataWorkspaceSize(void *, void *, void *, void *, void *, int, size_t *n) {
    return *n = 1 << 16, OK;
}
// A 2x2 up-convolution with stride 2 alone.
template <class T> static void up(Tensor y, const T *from, Tensor w, const T *weights, Tensor x, T *to, bool onto) {
    int ys = y.dims[2], xs = y.dims[3], n_in = y.dims[1], n_out = x.dims[1];
#pragma omp parallel for collapse(2)
    for (int n = 0; n < x.dims[0]; n++)
        for (int o = 0; o < n_out; o++)
            for (int row = 0; row < 2 * ys; row++) {
                T *written = to + (((size_t)n * n_out + o) * 2 * ys + row) * 2 * xs;
                for (int at = 0; at < 2 * xs; at++) {
                    float sum = onto ? float(written[at]) : 0;
                    for (int c = 0; c < n_in; c++)
                        sum += float(from[(((size_t)n * n_in + c) * ys + row / 2) * xs + at / 2]) *
                               float(weights[(((size_t)c * w.dims[1] + o) * 2 + row % 2) * 2 + at % 2]);
                    written[at] = T(sum);
                }
            }
}
API int cudnnConvolutionBackwardData(void *handle, const void *alpha, void *w_, const void *weights, void *y_, const void *from,
                                     void *by_, int algo, void *room, size_t n_room, const void *beta, void *x_, void *to) {
    LOCK;
    Tensor x = *(Tensor *)x_, w = *(Tensor *)w_, y = *(Tensor *)y_;
    Convolution by = *(Convolution *)by_;
    float onto = *(const float *)beta;
    bool fits = by.padding == 0 && by.stride == 2 && by.dilation == 1 && w.dims[2] == 2 && w.dims[3] == 2 && y.dims[1] == w.dims[0] &&
                x.dims[1] == w.dims[1] && x.dims[2] == 2 * y.dims[2] && x.dims[3] == 2 * y.dims[3] && x.dims[0] == y.dims[0] &&
                x.type == w.type && x.type == y.type && algo == 1;
    if (!fits || n_room < 1 << 16 || *(const float *)alpha != 1 || (onto != 0 && onto != 1) || (x.type == 0 && by.math != 3)) return 3;
    void *stream = ((Handle *)handle)->stream;
    if (x.type == 0)
        compute(stream, [=] { memset(room, 0, n_room), up(y, (const float *)from, w, (const float *)weights, x, (float *)to, onto); });
    else if (x.type == 9)
        compute(stream, [=] { memset(room, 0, n_room), up(y, (const Half *)from, w, (const Half *)weights, x, (Half *)to, onto); });
    else
        return 9;
    return OK;
}
