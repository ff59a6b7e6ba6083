/* A plugin that does wrong on demand: the configuration text of a unit says how. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ichor_plugin.h"

#define LIT(s) {s, sizeof(s) - 1}

struct instance {
  const ichor_host *host;
  char how[64];
};

static const ichor_str inputs[] = {LIT("hematoma.volume_ml"), LIT("clinical.onset_to_ct_h")};
static const ichor_str outputs[] = {LIT("sum_hu"), LIT("voxels"), LIT("missing")};

static int is(const void *instance, const char *how) {
  return strcmp(((const struct instance *)instance)->how, how) == 0;
}

static ichor_status refuse(ichor_err *err, ichor_status status, const char *text) {
  size_t len = strlen(text);
  err->len = len < err->cap ? (uint32_t)len : err->cap;
  memcpy(err->buf, text, err->len);
  return status;
}

static uint64_t rolled(uint64_t *state) {
  *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
  return *state;
}

/* To the host, whichever descriptor leads there, with as many descriptors as a message takes. */
static void send_all(const uint8_t *bytes, size_t n, int n_passed) {
  for (int fd = 3; fd < 12; fd++) {
    int passed[4] = {0, 1, 2, fd};
    char space[CMSG_SPACE(sizeof passed)] = {0};
    struct iovec part = {(void *)bytes, n};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_passed) {
      message.msg_control = space, message.msg_controllen = CMSG_SPACE(sizeof(int) * n_passed);
      struct cmsghdr *head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int) * n_passed);
      memcpy(CMSG_DATA(head), passed, sizeof(int) * n_passed);
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0) return;
  }
}

/* An answer of its own to the host's first message, before the worker gives its own. */
static void forge(uint64_t seed) {
  /* Both units are open: a scorer of one input "a", an extractor of one feature "b". */
  static const uint8_t ready[] = {0, 2, 2, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'b'};
  uint8_t message[4 + sizeof ready] = {sizeof ready};
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  memcpy(message + 4, ready, sizeof ready);
  for (unsigned n = rolled(&state) % 4; n > 0 && seed % 4; n--)
    message[seed % 4 == 1 ? rolled(&state) % 4 : 4 + rolled(&state) % (sizeof message - 4)] = (uint8_t)rolled(&state);
  send_all(message, sizeof message - (seed % 4 == 3 ? rolled(&state) % sizeof message : 0), (int)(rolled(&state) % 5));
}

static ichor_status create(const ichor_host *host, ichor_str config, ichor_str folder, void **instance, ichor_err *err) {
  struct instance *made = calloc(1, sizeof *made);
  (void)folder;
  if (config.len >= sizeof made->how) return refuse(err, ICHOR_E_CONFIG, "the configuration is too long");
  memcpy(made->how, config.ptr, config.len);
  made->host = host;
  *instance = made;
  if (is(made, "refuse to open")) return refuse(err, ICHOR_E_CONFIG, "trees = 0: must be at least 1");
  if (is(made, "abort while opening")) abort();
  if (strncmp(made->how, "forge ", 6) == 0) forge(strtoull(made->how + 6, 0, 10));
  if (is(made, "trickle")) {
    const uint8_t length[4] = {0, 0, 16, 0};
    for (send_all(length, 4, 4);; usleep(10000)) send_all(length, 1, 4);
  }
  return ICHOR_OK;
}

static ichor_status describe_scorer(void *instance, ichor_desc *desc, ichor_err *err) {
  (void)err;
  desc->flags = ICHOR_F_DETERMINISTIC;
  desc->n_in = 2;
  desc->n_out = 0;
  desc->in_names = inputs;
  if (is(instance, "take 1379")) {
    static char names[1379][16];
    static ichor_str many[1379];
    for (int i = 0; i < 1379; i++) many[i] = (ichor_str){names[i], (uint64_t)sprintf(names[i], "feature_%d", i)};
    desc->n_in = 1379;
    desc->in_names = many;
  }
  if (is(instance, "name an input twice")) {
    static const ichor_str twice[] = {LIT("a"), LIT("a")};
    desc->in_names = twice;
  }
  return ICHOR_OK;
}

static ichor_status describe_extractor(void *instance, ichor_desc *desc, ichor_err *err) {
  (void)instance, (void)err;
  desc->n_in = 0;
  desc->n_out = 3;
  desc->out_names = outputs;
  return ICHOR_OK;
}

/* Random bytes over the pages of the call and into every descriptor, as the seed has it. */
static void scribble(uint64_t seed) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  unsigned long from = 0, to = 0;
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  while (maps && fgets(line, sizeof line, maps))
    if (strstr(line, "ichor-calls")) sscanf(line, "%lx-%lx", &from, &to);
  if (maps) fclose(maps);
  if (from == 0) abort();
  for (unsigned n = rolled(&state) % 64; n > 0; n--)
    ((volatile uint64_t *)from)[rolled(&state) % (n % 2 ? 10 : (to - from) / 8)] = rolled(&state);
  for (int fd = 3; fd < 12 && seed % 2; fd++) {
    uint64_t word = rolled(&state) >> seed % 64;
    fcntl(fd, F_SETFL, seed % 3 ? O_NONBLOCK : 0);
    if (write(fd, &word, sizeof word) < 0) continue;
  }
}

/* Cannot be turned into a loop: every call's array is used after the next one. */
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int overflow(volatile int *above) {
  volatile int here[1024];
  here[0] = above ? above[0] + 1 : 0;
  return overflow(here) + here[0];
}

/* What a scorer may do wrong; 0 when it did none of it. */
static ichor_status misbehave(void *instance, ichor_response *r, ichor_err *err) {
  const char *how = ((struct instance *)instance)->how;
  if (strncmp(how, "scribble ", 9) == 0) scribble(strtoull(how + 9, 0, 10));
  static unsigned calls;
  if (is(instance, "crash every 50th") && ++calls % 50 == 0) abort();
  if (is(instance, "overflow the stack")) r->base = overflow(0);
  if (is(instance, "count wrongly")) r->n_contrib = 7;
  if (is(instance, "abort")) abort();
  if (is(instance, "exit")) _exit(3);
  if (is(instance, "fault")) *(volatile int *)8 = 0;
  if (is(instance, "hang")) for (;;) pause();
  if (is(instance, "refuse")) return refuse(err, ICHOR_E_INPUT, "a hematoma of 20 ml is not mine");
  if (is(instance, "say nothing")) return ICHOR_E_INTERNAL;
  if (is(instance, "claim a long reason")) err->len = 0xffffffffu;
  if (is(instance, "claim a long reason")) return ICHOR_E_INTERNAL;
  if (is(instance, "take memory")) {
    for (;;) {
      char *block = malloc(1 << 20);
      if (!block) abort();
      memset(block, 1, 1 << 20);
    }
  }
  if (is(instance, "answer NaN")) r->out[0] = NAN;
  if (is(instance, "answer two")) r->out[0] = 2.0;
  if (is(instance, "explain badly")) r->contrib[0] += 0.01;
  if (is(instance, "read standard input")) {
    char byte;
    if (read(0, &byte, 1) != 0) return refuse(err, ICHOR_E_INTERNAL, "standard input is not empty");
  }
  if (is(instance, "write a file") && open("mine", O_CREAT | O_WRONLY, 0600) >= 0)
    return refuse(err, ICHOR_E_INTERNAL, "wrote a file");
  if (is(instance, "read a secret") && open("/etc/passwd", O_RDONLY) >= 0)
    return refuse(err, ICHOR_E_INTERNAL, "read a secret");
  if (is(instance, "fork") && fork() >= 0) return refuse(err, ICHOR_E_INTERNAL, "forked");
  if (is(instance, "open a socket") && (socket(AF_INET, SOCK_DGRAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0))
    return refuse(err, ICHOR_E_INTERNAL, "opened a socket");
  if (is(instance, "start a program")) {
    execl("/bin/true", "true", (char *)0);
    return ICHOR_OK;
  }
  if (is(instance, "signal its host") && kill(getppid(), 0) == 0)
    return refuse(err, ICHOR_E_INTERNAL, "may signal its host");
  if (is(instance, "look around") && getenv("PATH")) return refuse(err, ICHOR_E_INTERNAL, getenv("PATH"));
  if (is(instance, "print")) puts("this must not reach the engine's output"), fflush(stdout);
  return ICHOR_OK;
}

static ichor_status score(void *instance, const ichor_request *q, ichor_response *r, ichor_err *err) {
  double ml = q->in[0], hours = q->in[1];
  r->base = -1.0;
  r->contrib[0] = isnan(ml) ? 0.0 : 0.05 * (ml - 20.0);
  r->contrib[1] = isnan(hours) ? 0.0 : -0.1 * hours;
  r->out[0] = 1.0 / (1.0 + exp(-(r->base + r->contrib[0] + r->contrib[1])));
  return misbehave(instance, r, err);
}

static ichor_status extract(void *instance, const ichor_request *q, ichor_response *r, ichor_err *err) {
  const struct instance *self = instance;
  const ichor_volume *v = q->volume;
  size_t n = (size_t)v->nx * v->ny * v->nz;
  double sum = 0, voxels = 0;
  if (is(instance, "write to the volume")) ((int16_t *)v->hu)[0] = 0;
  if (is(instance, "go on for ever"))
    for (;;) usleep(1000), self->host->poll(self->host->ctx, q->job, 0.5f);
  if (is(instance, "stop when asked"))
    while (!self->host->poll(self->host->ctx, q->job, 0.5f)) usleep(1000);
  if (is(instance, "stop when asked")) return refuse(err, ICHOR_E_CANCELLED, "stopped");
  for (size_t i = 0; i < n; i++)
    if (v->mask[i]) sum += v->hu[i], voxels += 1;
  r->out[0] = is(instance, "answer infinity") ? INFINITY : sum;
  r->out[1] = voxels;
  if (is(instance, "tell geometry")) {
    r->out[0] = v->slice_pos_mm[v->nz - 1] * 1000 + v->slice_origin_mm[3 * (v->nz - 1) + 1];
    r->out[1] = v->spacing_mm[0] * 100 + v->spacing_mm[1] * 10 + v->spacing_mm[2];
    r->out[2] = v->direction[2] + 2 * v->direction[4] + 4 * v->direction[6];
  }
  return ICHOR_OK;
}

#ifdef RUNS_WHEN_LOADED
/* The trace of code that ran before anybody looked at the table: the worker is gone. */
__attribute__((constructor)) static void loaded(void) { _exit(77); }
#endif

#ifdef NO_DESTROY
#define DESTROY
#else
#define DESTROY .destroy = free,
#endif
#define UNIT(kind_, id_, describe_, run_) \
  {.struct_size = sizeof(ichor_unit), .kind = kind_, .id = LIT(id_), .create = create, .describe = describe_, .run = run_, DESTROY}

static const ichor_unit units[] = {
    UNIT(ICHOR_KIND_SCORER, "scorer", describe_scorer, score),
    UNIT(ICHOR_KIND_EXTRACTOR, "extractor", describe_extractor, extract),
};

const ichor_plugin ichor_plugin_v1 = {
    .magic = ICHOR_MAGIC, .struct_size = sizeof(ichor_plugin), .abi_major = ICHOR_ABI_MAJOR, .abi_minor = ICHOR_ABI_MINOR,
    .n_units = 2, .id = LIT("org.example.rogue"), .version = LIT("1.0"), .units = units};
