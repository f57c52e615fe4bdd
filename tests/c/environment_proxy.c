/*
 * A client whose proxy is named by the environment alone.
 *
 * Called as `program BASE_URL EXPECTED [VARIABLE]`: streams from BASE_URL until it is decided how that goes, and EXPECTED is
 * the status that the start has to give. With VARIABLE, the client cannot be made, and the message names it.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  char options[512];
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  flagstone_error *error = NULL;
  flagstone_status status;
  CHECK(argc == 3 || argc == 4);
  snprintf(options, sizeof options, "{\"source.kind\":\"stream\",\"sdk.key\":\"k\",\"events.enabled\":false,\"retry.mode\":\"legacy\",\"endpoints.relay\":\"%s\"}", argv[1]);
  ACCEPTED(flagstone_config_load_json(config, options, strlen(options), &error));
  if (argc == 4) {
    CHECK(flagstone_client_new(config, &client, &error) == (flagstone_status)atoi(argv[2]));
    CHECK(strstr(flagstone_error_message(error).ptr, argv[3]) != NULL);
    CHECK(strstr(flagstone_error_message(error).ptr, "secret") == NULL);
    flagstone_error_free(error);
    flagstone_config_free(config);
    return report();
  }
  ACCEPTED(flagstone_client_new(config, &client, &error));
  flagstone_config_free(config);
  status = flagstone_client_start(client, SOON, &error);
  if (!CHECK(status == atoi(argv[2]))) fprintf(stderr, "  start gave %d\n", (int)status);
  flagstone_error_free(error);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  return report();
}
