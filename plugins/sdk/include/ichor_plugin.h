/* ichor_plugin.h - the C ABI of Ichor's plugins, version 1.0.
 *
 * Rules.
 * (1) A library exports one DATA symbol, `ichor_plugin_v1`; nothing has to run when it is opened. A library that is
 *     also linked beside others into one program calls it `ichor_plugin_v1_NAME` instead, NAME being its file name
 *     without `lib` and `.so`; the host looks for that one first. Its numbers are read from the file before the
 *     library is opened: they must be constants.
 * (2) Structs only grow at the end and carry their size. Read a field of the host's, and write one, only if
 *     ICHOR_HAS() it: the host may be of an older minor than this header, and opens the library all the same. The
 *     host sets the sizes of what it hands over, the plugin those of its own tables (plugin, units). A
 *     host of a newer minor reads of an older library's structs what they have.
 * (3) The side that allocates frees. All buffers for results are the host's.
 * (4) No unwinding, no longjmp and no exit() across the boundary.
 * (5) Strings are UTF-8, pointer and length, never ended by a NUL.
 * (6) The library is never closed, and its instances live as long as its process.
 * (7) One call at a time in a process, always on the same thread. Threads that a call starts end before it returns.
 *
 * ICHOR_PLUGIN_H is also what the layout test of the Rust mirror (src/abi.rs) is compiled from. */
#ifndef ICHOR_PLUGIN_H
#define ICHOR_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define ICHOR_MAGIC 0x31484349u /* "ICH1" in memory, little endian */
#define ICHOR_ABI_MAJOR 1u      /* changes when something breaks, and with it the symbol's name */
#define ICHOR_ABI_MINOR 0u      /* rises when something is appended */
#define ICHOR_HAS(p, f) ((p)->struct_size >= offsetof(__typeof__(*(p)), f) + sizeof((p)->f))

typedef struct ichor_str {
  const char *ptr;
  uint64_t len; /* in bytes */
} ichor_str;

typedef int32_t ichor_status;
enum {
  ICHOR_OK = 0,
  ICHOR_E_CONFIG = 1,      /* the configuration text or a file of the plugin's folder is not usable */
  ICHOR_E_INPUT = 2,       /* this volume, mask or these inputs cannot be worked on */
  ICHOR_E_UNSUPPORTED = 3, /* asked for something that this plugin does not do */
  ICHOR_E_CANCELLED = 4,   /* poll() asked to stop */
  ICHOR_E_INTERNAL = 5,    /* a fault of the plugin's own */
  ICHOR_E_PANIC = 6        /* a fault that the plugin's SDK caught */
};

/* The caller's buffer for the reason of a refusal, never null; what does not fit is cut off. */
typedef struct ichor_err {
  uint32_t struct_size;
  uint32_t cap; /* bytes at buf */
  uint32_t len; /* bytes written */
  uint32_t reserved;
  char *buf;
} ichor_err;

/* What the host does for a plugin; valid as long as the instance. */
typedef struct ichor_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  void *ctx;
  /* Call at least every 50 ms during run(), progress 0 to 1. Not 0: stop and return ICHOR_E_CANCELLED. */
  int32_t (*poll)(void *ctx, uint64_t job, float progress);
} ichor_host;

/* A head CT with its hematoma; x runs fastest: index = (z*ny + y)*nx + x. Read only, gone when run() returns. */
typedef struct ichor_volume {
  uint32_t struct_size;
  uint32_t nx, ny, nz;
  const int16_t *hu;
  const uint8_t *mask;            /* 1 in the hematoma, else 0 */
  double spacing_mm[3];           /* z, y, x; z is the median step along the normal of the slices */
  double direction[9];            /* unit vectors of the normal, of rising y and of rising x, patient frame LPS */
  const double *slice_origin_mm;  /* nz times x, y, z: centre of the first voxel of each slice, LPS; under gantry
                                     tilt they do not lie above each other */
  const double *slice_pos_mm;     /* nz positions along the normal, rising; steps may be uneven */
} ichor_volume;

typedef struct ichor_request {
  uint32_t struct_size;
  uint32_t n_in;
  uint64_t job;                   /* handed back to poll() */
  const ichor_volume *volume;     /* NULL for a scorer */
  const double *in;               /* in the order of ichor_desc.in_names; NaN = missing */
} ichor_request;

/* All buffers are the host's, sized from describe(). */
typedef struct ichor_response {
  uint32_t struct_size;
  uint32_t n_out;                 /* 1 for a scorer */
  double *out;                    /* extractor: features, NaN = missing; scorer: out[0] = probability, 0 to 1 */
  uint32_t n_contrib;             /* 0 for an extractor, n_in for a scorer */
  uint32_t reserved;
  double *contrib;                /* log-odds; with base they add up to the logit of out[0] */
  double base;                    /* log-odds */
} ichor_response;

enum { ICHOR_F_DETERMINISTIC = 1 }; /* the same inputs give the same bits */

/* The strings belong to the instance. */
typedef struct ichor_desc {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t n_in, n_out;           /* a scorer has n_out = 0: what it gives has no names */
  const ichor_str *in_names;      /* bound by name once, when the plugin is opened; calls carry doubles only */
  const ichor_str *out_names;
} ichor_desc;

enum { ICHOR_KIND_EXTRACTOR = 1, ICHOR_KIND_SCORER = 2 };

typedef struct ichor_unit {
  uint32_t struct_size;
  uint32_t kind;
  ichor_str id;
  /* config is the text of the unit's configuration file; folder is where its other files lie. */
  ichor_status (*create)(const ichor_host *, ichor_str config, ichor_str folder, void **instance, ichor_err *);
  ichor_status (*describe)(void *instance, ichor_desc *, ichor_err *);
  ichor_status (*run)(void *instance, const ichor_request *, ichor_response *, ichor_err *);
  void (*destroy)(void *instance);
} ichor_unit;

typedef struct ichor_plugin {
  uint32_t magic;                 /* ICHOR_MAGIC */
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  uint32_t n_units;
  ichor_str id, version;          /* equal to those of plugin.toml */
  const ichor_unit *units;
} ichor_plugin;

#define ICHOR_EXPORT __attribute__((visibility("default")))
extern ICHOR_EXPORT const ichor_plugin ichor_plugin_v1;

#ifdef __cplusplus
}
#endif
#endif
