/* A scorer in C: the risk rises with the volume of the hematoma and falls with the hours since onset. */
#include "ichor_plugin.h"
#include <math.h>

#define LIT(s) {s, sizeof(s) - 1}
static const ichor_str inputs[] = {LIT("hematoma.volume_ml"), LIT("clinical.onset_to_ct_h")};

static ichor_status create(const ichor_host *host, ichor_str config, ichor_str folder, void **instance, ichor_err *err) {
  (void)host, (void)config, (void)folder, (void)err;
  static char none; /* nothing to keep between calls */
  *instance = &none;
  return ICHOR_OK;
}

static ichor_status describe(void *instance, ichor_desc *desc, ichor_err *err) {
  (void)instance, (void)err;
  desc->flags = ICHOR_F_DETERMINISTIC;
  desc->n_in = 2;
  desc->in_names = inputs;
  return ICHOR_OK;
}

static ichor_status run(void *instance, const ichor_request *request, ichor_response *response, ichor_err *err) {
  (void)instance, (void)err;
  double ml = request->in[0], hours = request->in[1]; /* NaN: missing, which pushes nowhere */
  response->base = -1.2;
  response->contrib[0] = isnan(ml) ? 0.0 : 0.03 * (ml - 20.0);
  response->contrib[1] = isnan(hours) ? 0.0 : -0.1 * (hours - 4.0);
  response->out[0] = 1.0 / (1.0 + exp(-(response->base + response->contrib[0] + response->contrib[1])));
  return ICHOR_OK;
}

static void destroy(void *instance) { (void)instance; }

static const ichor_unit units[] = {
    {sizeof(ichor_unit), ICHOR_KIND_SCORER, LIT("yours"), create, describe, run, destroy}};
const ichor_plugin ichor_plugin_v1 = {ICHOR_MAGIC, sizeof(ichor_plugin), ICHOR_ABI_MAJOR, ICHOR_ABI_MINOR,
                                      1, LIT("org.example.yours"), LIT("0.1.0"), units};
