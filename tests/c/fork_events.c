/*
 * fork() of a client whose events wait, are counted, and hang on their way: a child sends none of its parent's and all of its
 * own; the parent sends what it has.
 *
 * Called as `program PORT PREFIX EVENTS_URL`. Speaks with its driver: it prints a line when something is to happen, and goes
 * on when the driver writes one.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3 };

static void tell_and_wait(const char *what) {
  char line[64];
  printf("%s\n", what);
  fflush(stdout);
  CHECK(fgets(line, sizeof line, stdin) != NULL);
}

static void track(flagstone_client *client, const flagstone_context *context, const char *key) {
  ACCEPTED(flagstone_track(client, context, key, strlen(key), NULL, NULL, 0, &error));
}

/* Closed by its end, or released and left to itself, as a worker that knows nothing of its parent's client. */
static int in_child(flagstone_client *client, flagstone_context *context, int number) {
  unsigned before = failures();
  int count;
  for (count = 0; count < 10; count++) CHECK(bool_value(client, context, "a", 0) == 1);
  track(client, context, "of-child");
  if (number == 0) ACCEPTED(flagstone_client_flush(client, SOON, &error));
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  return failures() == before ? 0 : 1;
}

int main(int argc, char **argv) {
  char options[512];
  setting setting;
  flagstone_client *client;
  flagstone_context *context = user("ada");
  int status, number, count;
  pid_t children[CHILDREN];
  setting.port = atoi(argv[1]);
  setting.prefix = argv[2];
  setting.slow = 0;
  CHECK(argc == 4);
  snprintf(options, sizeof options,
           "{\"sdk.key\":\"k\",\"events.diagnostics\":false,\"events.flush_interval_ms\":3600000,\"endpoints.events\":\"%s\"}",
           argv[3]);
  client = started_client(setting, options);
  /* On its way while the processes part. */
  track(client, context, "hangs");
  REFUSED(FLAGSTONE_STATUS_TIMEOUT, "on their way", flagstone_client_flush(client, 0, &error));
  tell_and_wait("sending");
  track(client, context, "of-parent");
  for (count = 0; count < 100; count++) CHECK(bool_value(client, context, "a", 0) == 1);
  for (number = 0; number < CHILDREN; number++) {
    children[number] = fork();
    if (children[number] == 0) _exit(in_child(client, context, number));
    CHECK(children[number] > 0);
  }
  for (number = 0; number < CHILDREN; number++) {
    CHECK(waitpid(children[number], &status, 0) == children[number]);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (count = 0; count < 5; count++) CHECK(bool_value(client, context, "a", 0) == 1);
  tell_and_wait("children ended");
  ACCEPTED(flagstone_client_flush(client, SOON, &error));
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  return report();
}
