/*
 * fork() of a client in connected mode: each child opens a stream of its own and answers from what it inherited; what the
 * parent had not written yet is written by the parent alone.
 *
 * Called as `program PORT PREFIX STREAM_URL`. Speaks with its driver: it prints a line when something is to happen, and goes
 * on when the driver writes one.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell_and_wait(const char *what) {
  char line[64];
  printf("%s\n", what);
  fflush(stdout);
  CHECK(fgets(line, sizeof line, stdin) != NULL);
}

int main(int argc, char **argv) {
  char options[512];
  setting setting;
  flagstone_client *client;
  flagstone_context *context = user("ada");
  int status = 0, go[2];
  pid_t child;
  char byte = '!';
  setting.port = atoi(argv[1]);
  setting.prefix = argv[2];
  setting.slow = 0;
  CHECK(argc == 4);
  snprintf(options, sizeof options,
           "{\"source.kind\":\"stream\",\"sdk.key\":\"k\",\"events.enabled\":false,\"endpoints.relay\":\"%s\",\"stream.initial_delay_ms\":20,"
           "\"redis.command_timeout_ms\":500,\"redis.connect_timeout_ms\":500}",
           argv[3]);
  client = started_client(setting, options);
  CHECK(bool_value(client, context, "a", 0) == 1);
  tell_and_wait("started");
  /* Redis hangs by now, and the driver has sent a patch that the parent could not write. */
  CHECK(wait_for_bool(client, context, "a", 0, SOON));
  CHECK(pipe(go) == 0);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_FORKED);
    CHECK(bool_value(client, context, "a", 1) == 0);
    CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_VALID, SOON) == FLAGSTONE_STATUS_OK);
    CHECK(wait_for_bool(client, context, "of-child", 1, SOON));
    CHECK(read(go[0], &byte, 1) == 1);
    CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
    _exit(failures() == 0 ? 0 : 1);
  }
  CHECK(child > 0);
  tell_and_wait("forked");
  CHECK(write(go[1], &byte, 1) == 1);
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  tell_and_wait("child ended");
  CHECK(bool_value(client, context, "a", 1) == 0);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  return report();
}
