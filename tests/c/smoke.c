/*
 * The first program of the header, told where Redis is: `smoke URL`. It asks for the flag `new-checkout` under the default
 * prefix. Needs nothing but the installed library, so it also shows that an installation is complete.
 */
#include <flagstone.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;

static void check(int held, const char *what) {
  if (held) {
    passed++;
  } else {
    failed++;
    fprintf(stderr, "failed: %s\n", what);
  }
}

static int run(const char *url) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  flagstone_context *context = NULL;
  flagstone_error *error = NULL;

  check(flagstone_config_set(config, FLAGSTONE_TEXT("redis.url"), url, strlen(url), NULL) == FLAGSTONE_STATUS_OK, "the URL is taken");
  if (flagstone_client_new(config, &client, &error) != FLAGSTONE_STATUS_OK) {
    flagstone_str message = flagstone_error_message(error);
    fprintf(stderr, "%.*s\n", (int)message.len, message.ptr);
    flagstone_error_free(error);
    flagstone_config_free(config);
    return 1;
  }
  flagstone_config_free(config);
  check(flagstone_client_start(client, 30000, NULL) == FLAGSTONE_STATUS_OK, "the data are read");

  check(flagstone_context_from_key(FLAGSTONE_STR("user"), FLAGSTONE_STR("ada"), &context, NULL) == FLAGSTONE_STATUS_OK,
        "the context is made");
  check(flagstone_bool_variation(client, context, FLAGSTONE_TEXT("new-checkout"), 0) == 1, "the flag is served");
  check(flagstone_bool_variation(client, context, FLAGSTONE_TEXT("no-such-flag"), 1) == 1,
        "the default is served for a missing flag");

  flagstone_context_release(context);
  check(flagstone_client_close(client, 30000) == FLAGSTONE_STATUS_OK, "the client closes");
  flagstone_client_release(client);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s URL\n", argv[0]);
    return 2;
  }
  check(flagstone_abi_version() == ((FLAGSTONE_ABI_MAJOR << 16) | FLAGSTONE_ABI_MINOR), "header and library belong together");
  if (run(argv[1]) != 0) failed++;
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
