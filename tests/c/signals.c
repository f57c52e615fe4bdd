/*
 * Signals that reach the library's threads, as those of a profiler, of a debugger or of being stopped and continued do, are
 * no outage: reads from Redis that they interrupt are made again. Nor do they hide one.
 */
#define _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 60 };

static volatile sig_atomic_t handled;

static void handle(int number) {
  (void)number;
  handled++;
}

/* Sends the signal to every thread but this one. */
static void interrupt_all(void) {
  DIR *threads = opendir("/proc/self/task");
  struct dirent *entry;
  if (!CHECK(threads != NULL)) return;
  while ((entry = readdir(threads)) != NULL) {
    long thread = atol(entry->d_name);
    if (thread > 0 && thread != syscall(SYS_gettid)) (void)syscall(SYS_tgkill, getpid(), thread, SIGPROF);
  }
  closedir(threads);
}

/* No state but VALID was told. */
static void check_told(flagstone_client *client) {
  flagstone_notification notification;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  while (flagstone_client_next_notification(client, 0, &notification) == FLAGSTONE_STATUS_OK) {
    int bad = notification.kind == FLAGSTONE_NOTIFICATION_STATUS && notification.level_or_state != FLAGSTONE_STATE_VALID;
    if (!CHECK(!bad)) fprintf(stderr, "  %.*s\n", (int)notification.text.len, notification.text.ptr);
    flagstone_notification_clear(&notification);
  }
}

static void goes_on(setting setting, const char *options) {
  flagstone_context *context = user("ada");
  redis *connection = redis_open(setting.port);
  flagstone_client *client;
  int round;
  put_bool(connection, setting.prefix, "a", 1, 0);
  client = started_client(setting, options);
  for (round = 0; round < ROUNDS; round++) {
    char key[32];
    int value = round % 2;
    snprintf(key, sizeof key, "new-%d", round);
    put_bool(connection, setting.prefix, key, 1, 1);
    put_bool(connection, setting.prefix, "a", round + 2, value);
    interrupt_all();
    CHECK(wait_for_bool(client, context, key, 1, SOON));
    interrupt_all();
    CHECK(wait_for_bool(client, context, "a", value, SOON));
    sleep_ms(10);
    interrupt_all();
    CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  }
  check_told(client);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  redis_close(connection);
}

/* A server that does not answer is away, however often the wait for it is interrupted. */
static void notices_a_hang(setting setting) {
  static const char *const pause[] = {"CLIENT", "PAUSE", "60000", "ALL"};
  redis *connection = redis_open(setting.port);
  flagstone_client *client = started_client(setting, "{\"redis.ping_ms\":20,\"redis.command_timeout_ms\":500}");
  long long deadline = now_ms() + SOON;
  redis_command(connection, 4, pause);
  while (flagstone_client_state(client) == FLAGSTONE_STATE_VALID && now_ms() < deadline) {
    interrupt_all();
    sleep_ms(50);
  }
  CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_INTERRUPTED);
  flagstone_client_close(client, 0);
  flagstone_client_release(client);
  redis_close(connection);
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  CHECK(sigaction(SIGPROF, &action, NULL) == 0);
  goes_on(setting, "{\"redis.ping_ms\":20}");
  goes_on(setting, "{\"redis.ping_ms\":20,\"cache.residency\":\"lazy\"}");
  goes_on(setting, "{\"redis.ping_ms\":20,\"cache.residency\":\"lazy\",\"cache.freshness\":\"ttl\",\"cache.ttl_ms\":20}");
  notices_a_hang(setting);
  CHECK(handled > ROUNDS);
  return report();
}
