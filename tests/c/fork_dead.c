/*
 * fork() while Redis is dead: each child answers from what it inherited, seeks Redis once a second at most, and says once
 * that it is away.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 4
#define SECONDS 4
#define LEVEL_WARN 2
/* How long is waited for what is to happen: a busy machine must not fail a check. */
#define PATIENCE_MS 30000

static int connects;

/* Where the server was: takes connections, ends them, and counts. */
static void *count_connects(void *argument) {
  int listener = *(int *)argument, connection;
  while ((connection = accept(listener, NULL, NULL)) >= 0) {
    __atomic_add_fetch(&connects, 1, __ATOMIC_RELAXED);
    close(connection);
  }
  return NULL;
}

static struct sockaddr_in local(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* Ends the server, which closes the connection instead of answering. */
static void end_redis(int port) {
  static const char command[] = "SHUTDOWN NOSAVE\r\n";
  struct sockaddr_in address = local(port);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  char answer;
  CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(write(connection, command, sizeof command - 1) == (ssize_t)(sizeof command - 1));
  CHECK(read(connection, &answer, 1) <= 0);
  close(connection);
}

static int listen_at(int port) {
  struct sockaddr_in address = local(port);
  int yes = 1, attempts, listener = socket(AF_INET, SOCK_STREAM, 0);
  if (!CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0)) return -1;
  for (attempts = 0; attempts < 3000; attempts++) {
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == 0) return listen(listener, 100) == 0 ? listener : -1;
    sleep_ms(10);
  }
  return -1;
}

/* Number of lines of the log from WARN on, until there are so many or the time is over. */
static int lines(flagstone_client *client, int most, int time_ms) {
  long long until = now_ms() + time_ms;
  int count = 0;
  while (count < most && now_ms() < until) {
    flagstone_event event;
    memset(&event, 0, sizeof event);
    event.struct_size = sizeof event;
    if (flagstone_poll_event(client, 100, &event) != FLAGSTONE_STATUS_OK) continue;
    if (event.kind == FLAGSTONE_EVENT_LOG && event.level_or_state >= LEVEL_WARN) count++;
    flagstone_event_clear(&event);
  }
  return count;
}

static unsigned in_child(flagstone_client *client, const flagstone_context *context) {
  long long began = now_ms();
  CHECK(bool_value(client, context, "a", 0) == 1);
  CHECK(now_ms() - began < 5000);
  CHECK(lines(client, 1, PATIENCE_MS) == 1);
  CHECK(lines(client, 1, SECONDS * 1000) == 0);
  CHECK(bool_value(client, context, "a", 0) == 1);
  return failures();
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  flagstone_client *client;
  flagstone_context *context = user("ada");
  pthread_t counter;
  pid_t children[CHILDREN];
  long long began, seconds;
  int listener, number, status;
  put_bool(connection, setting.prefix, "a", 1, 1);
  put_inited(connection, setting.prefix);
  client = started_client(setting, "{}");
  CHECK(wait_for_bool(client, context, "a", 1, PATIENCE_MS));
  redis_close(connection);
  end_redis(setting.port);
  listener = listen_at(setting.port);
  if (!CHECK(listener >= 0)) return report();
  CHECK(pthread_create(&counter, NULL, count_connects, &listener) == 0);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_INTERRUPTED, PATIENCE_MS) == FLAGSTONE_STATUS_OK);
  began = now_ms();
  __atomic_store_n(&connects, 0, __ATOMIC_RELAXED);
  for (number = 0; number < CHILDREN; number++) {
    children[number] = fork();
    if (children[number] == 0) _exit(in_child(client, context) == 0 ? 0 : 1);
    CHECK(children[number] > 0);
  }
  for (number = 0; number < CHILDREN; number++) {
    CHECK(waitpid(children[number], &status, 0) == children[number] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  /* The parent seeks it, too. Each does so at once and then no more than once a second; a child begins with a connection for
     data and one for each way to hear of changes, for a server that closes one may be one that does not know that way. */
  number = __atomic_load_n(&connects, __ATOMIC_RELAXED);
  seconds = (now_ms() - began) / 1000;
  if (!CHECK(number >= CHILDREN * 2 && number <= CHILDREN * (seconds + 4) + seconds + 1)) {
    printf("%d connects in %lld s\n", number, seconds);
  }
  CHECK(flagstone_client_close(client, 10000) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  return report();
}
