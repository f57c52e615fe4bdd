/*
 * Both ways of use in one program that lives through outages.
 *
 *     connected NAME REDIS-URL PREFIX FLAG [LAUNCHDARKLY-URL SDK-KEY]
 *
 * With the URL of LaunchDarkly or of a Relay Proxy it runs in connected mode: it receives flags, serves them from memory and
 * keeps them in Redis. Without, it runs in daemon mode: it reads what somebody else keeps there. Whenever data source, store
 * or the boolean flag FLAG change, it prints a line that begins with NAME; it ends with its standard input.
 *
 * `make demo` runs it. To build it by hand:
 *
 *     cc -o connected connected.c $(pkg-config --cflags --libs flagstone)
 */
#define _POSIX_C_SOURCE 200809L

#include <flagstone.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const states[] = {"INIT", "VALID", "INTERRUPTED", "OFF", "FORKED"};

static int set(flagstone_config *config, const char *name, const char *value) {
  flagstone_error *error = NULL;
  if (flagstone_config_set(config, name, strlen(name), value, strlen(value), &error) == FLAGSTONE_STATUS_OK) return 1;
  flagstone_str message = flagstone_error_message(error);
  fprintf(stderr, "%.*s\n", (int)message.len, message.ptr);
  flagstone_error_free(error);
  return 0;
}

static flagstone_client *make_client(int argc, char **argv) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  int good = set(config, "redis.url", argv[2]) && set(config, "redis.prefix", argv[3]) &&
             set(config, "redis.command_timeout_ms", "500") && set(config, "log.level", "none");
  if (argc == 7) {
    good = good && set(config, "source.kind", "stream") && set(config, "endpoints.relay", argv[5]) &&
           set(config, "sdk.key", argv[6]) && set(config, "stream.initial_delay_ms", "100");
  }
  if (good) flagstone_client_new(config, &client, NULL);
  flagstone_config_free(config);
  return client;
}

/* One line: how source and store are, and what the flag gives. Not twice the same. */
static void show(const flagstone_client *client, const flagstone_context *context, char **argv, int connected) {
  static char last[256];
  char line[256];
  flagstone_client_status_info info;
  flagstone_detail detail;
  memset(&info, 0, sizeof info);
  memset(&detail, 0, sizeof detail);
  info.struct_size = sizeof info;
  detail.struct_size = sizeof detail;
  if (flagstone_client_status(client, &info, NULL) != FLAGSTONE_STATUS_OK) return;
  flagstone_variation(client, context, argv[4], strlen(argv[4]), FLAGSTONE_TYPE_BOOL, NULL, 0, &detail);
  const char *value = (detail.flags & FLAGSTONE_DETAIL_DEFAULTED) ? "not there yet" : detail.number_value != 0 ? "true" : "false";
  const char *age = (detail.flags & FLAGSTONE_DETAIL_STALE) ? ", last known" : "";
  snprintf(line, sizeof line, "  %s: %s %-11s  Redis %-9s  %s = %s%s", argv[1], connected ? "source" : "client",
           states[info.source_state], info.store_available ? "answers," : "is away,", argv[4], value, age);
  flagstone_detail_clear(&detail);
  flagstone_client_status_info_clear(&info);
  if (strcmp(line, last) == 0) return;
  strcpy(last, line);
  puts(line);
  fflush(stdout);
}

static int input_has_ended(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  char byte;
  return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 7) {
    fprintf(stderr, "usage: connected NAME REDIS-URL PREFIX FLAG [LAUNCHDARKLY-URL SDK-KEY]\n");
    return 2;
  }
  flagstone_client *client = make_client(argc, argv);
  if (client == NULL) return 1;
  flagstone_context *context = NULL;
  flagstone_context_from_key(FLAGSTONE_STR("user"), FLAGSTONE_STR("guest"), &context, NULL);

  /* It does not wait: the last known flags answer as soon as Redis has been read. */
  flagstone_client_start(client, 0, NULL);
  flagstone_notification notification;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  while (!input_has_ended()) {
    flagstone_client_next_notification(client, 20, &notification);
    flagstone_notification_clear(&notification);
    show(client, context, argv, argc == 7);
  }
  flagstone_client_close(client, 2000);
  flagstone_client_release(client);
  flagstone_context_release(context);
  return 0;
}
