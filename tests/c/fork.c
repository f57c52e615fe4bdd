/*
 * fork() with threads busy in evaluation, polling and refresh, with residency all and lazy, again and again.
 *
 * A child is in state FORKED until its first call, answers at once from the data that it inherited, makes threads and
 * connections of its own, sees a change that is made afterwards, hears of it as a listener that the parent made, and closes and releases what it inherited. The parent
 * notices nothing of it.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVALUATORS 2

static setting the_setting;
static flagstone_client *the_client;
static flagstone_context *the_context;
static int stopping;
/* What the listener was told last: 0 or 1. */
static int heard;

static int stopped(void) {
  return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

static void *evaluate(void *argument) {
  int wrong = 0;
  (void)argument;
  while (!stopped()) {
    flagstone_detail detail = empty_detail();
    wrong += bool_value(the_client, the_context, "steady", 0) != 1;
    wrong += flagstone_variation(the_client, the_context, "busy", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail) != FLAGSTONE_STATUS_OK;
    wrong += detail.reason == FLAGSTONE_REASON_ERROR;
    flagstone_detail_clear(&detail);
  }
  CHECK(wrong == 0);
  return NULL;
}

/* Polls until the client is closed, or until the listener was told `value`; -1 stands for no value. */
static void listen_until(int value) {
  flagstone_notification notification;
  long long deadline = now_ms() + SOON;
  memset(&notification, 0, sizeof notification);
  notification.struct_size = sizeof notification;
  while (value < 0 || now_ms() < deadline) {
    flagstone_status status = flagstone_client_next_notification(the_client, 10, &notification);
    int is_value = status == FLAGSTONE_STATUS_OK && notification.kind == FLAGSTONE_NOTIFICATION_VALUE_CHANGED;
    if (status == FLAGSTONE_STATUS_CLOSED) return;
    if (is_value) __atomic_store_n(&heard, contains(notification.extra, "\"new\":true"), __ATOMIC_RELEASE);
    flagstone_notification_clear(&notification);
    if (is_value && heard == value) return;
  }
  CHECK(!"the listener hears of the change");
}

static void *poll_events(void *argument) {
  (void)argument;
  listen_until(-1);
  return NULL;
}

/* Waits for the poller of the parent. */
static void wait_until_heard(int value) {
  long long deadline = now_ms() + SOON;
  while (__atomic_load_n(&heard, __ATOMIC_ACQUIRE) != value && now_ms() < deadline) sleep_ms(1);
  CHECK(__atomic_load_n(&heard, __ATOMIC_ACQUIRE) == value);
}

/* Keeps the refresh busy. */
static void *write_to_redis(void *argument) {
  redis *connection = redis_open(the_setting.port);
  int version = 2;
  (void)argument;
  while (!stopped()) {
    put_bool(connection, the_setting.prefix, "busy", version, version % 2);
    version++;
    sleep_ms(1);
  }
  redis_close(connection);
  return NULL;
}

/* What a child does; `ready` is told when it may be sent a change. Gives the number of failed checks. */
static unsigned in_child(int round, int ready, unsigned before) {
  flagstone_notification notification;
  flagstone_flag *flag = NULL;
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_str state;
  long long began = now_ms(), waited;
  char done = '!';
  CHECK(flagstone_client_state(the_client) == FLAGSTONE_STATE_FORKED);
  if (round % 3 == 1) ACCEPTED(flagstone_client_postfork(the_client, &error));
  if (round % 3 == 2) {
    /* The notifications that the parent had queued stay with the parent. */
    memset(&notification, 0, sizeof notification);
    notification.struct_size = sizeof notification;
    while (flagstone_client_next_notification(the_client, 0, &notification) == FLAGSTONE_STATUS_OK) {
      CHECK(notification.kind != FLAGSTONE_NOTIFICATION_FLAG_CHANGED || !equals(notification.text, "steady"));
      flagstone_notification_clear(&notification);
    }
  }
  CHECK(bool_value(the_client, the_context, "steady", 0) == 1);
  waited = now_ms() - began;
  /* Much less than a wait for something that does not come, much more than a busy machine takes. */
  if (waited > SOON / 3) CHECK(!"a child answers at once");
  CHECK(flagstone_client_state(the_client) != FLAGSTONE_STATE_FORKED);
  ACCEPTED(flagstone_flag_new(the_client, "changing", 8, FLAGSTONE_TYPE_BOOL, "false", 5, &flag, &error));
  CHECK(flagstone_flag_bool(flag, the_context) == round % 2);

  CHECK(write(ready, &done, 1) == 1);
  CHECK(wait_for_bool(the_client, the_context, "changing", (round + 1) % 2, SOON));
  CHECK(flagstone_flag_bool(flag, the_context) == (round + 1) % 2);
  listen_until((round + 1) % 2);
  CHECK(flagstone_client_wait(the_client, FLAGSTONE_STATE_VALID, SOON) == FLAGSTONE_STATUS_OK);
  ACCEPTED(flagstone_all_flags_json(the_client, the_context, 0, &bytes, &error));
  state.ptr = bytes.ptr;
  state.len = bytes.len;
  CHECK(contains(state, "\"steady\":true,") && contains(state, "\"$valid\":true}"));
  flagstone_bytes_clear(&bytes);
  if (round % 2 == 0) CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_flag_release(flag);
  flagstone_context_release(the_context);
  flagstone_client_release(the_client);
  return failures() - before;
}

/* Waits for a child; one that hangs is ended and counts as failed. */
static void wait_for_child(pid_t child) {
  long long deadline = now_ms() + 3 * SOON;
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0 && now_ms() < deadline) sleep_ms(2);
  if (ended == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(!"a child does not hang");
  }
  if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0)) fprintf(stderr, "  wait status %d\n", status);
}

static void fork_once(redis *connection, int round) {
  int ready[2];
  char done;
  pid_t child;
  unsigned before = failures();
  wait_until_heard(round % 2);
  CHECK(pipe(ready) == 0);
  child = fork();
  if (child == 0) {
    close(ready[0]);
    /* Without exit handlers: they are the parent's. */
    _exit(in_child(round, ready[1], before) == 0 ? 0 : 1);
  }
  CHECK(child > 0);
  close(ready[1]);
  CHECK(read(ready[0], &done, 1) == 1);
  close(ready[0]);
  put_bool(connection, the_setting.prefix, "changing", round + 2, (round + 1) % 2);
  wait_for_child(child);
  /* The parent is none the wiser. */
  CHECK(flagstone_client_state(the_client) != FLAGSTONE_STATE_FORKED);
  CHECK(bool_value(the_client, the_context, "steady", 0) == 1);
  CHECK(wait_for_bool(the_client, the_context, "changing", (round + 1) % 2, SOON));
}

static void fork_with_busy_threads(const char *options, int rounds) {
  pthread_t evaluators[EVALUATORS], poller, writer;
  redis *connection = redis_open(the_setting.port);
  uint64_t listener;
  int index, round;
  put_bool(connection, the_setting.prefix, "steady", 1, 1);
  put_bool(connection, the_setting.prefix, "busy", 1, 1);
  put_bool(connection, the_setting.prefix, "changing", 1, 0);
  put_inited(connection, the_setting.prefix);
  stopping = 0;
  the_context = user("ada");
  the_client = started_client(the_setting, options);
  /* So that lazy holds them. */
  CHECK(bool_value(the_client, the_context, "steady", 0) == 1);
  CHECK(bool_value(the_client, the_context, "changing", 1) == 0);
  heard = 0;
  ACCEPTED(flagstone_client_listen(the_client, the_context, "changing", 8, &listener, &error));
  for (index = 0; index < EVALUATORS; index++) CHECK(pthread_create(&evaluators[index], NULL, evaluate, NULL) == 0);
  CHECK(pthread_create(&poller, NULL, poll_events, NULL) == 0);
  CHECK(pthread_create(&writer, NULL, write_to_redis, NULL) == 0);

  for (round = 0; round < rounds; round++) fork_once(connection, round);

  __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
  for (index = 0; index < EVALUATORS; index++) CHECK(pthread_join(evaluators[index], NULL) == 0);
  CHECK(pthread_join(writer, NULL) == 0);
  CHECK(flagstone_client_wait(the_client, FLAGSTONE_STATE_VALID, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(pthread_join(poller, NULL) == 0);
  flagstone_client_release(the_client);
  flagstone_context_release(the_context);
  redis_close(connection);
}

/* A client that the parent closed, or never started, is that in the child too. */
static void fork_without_threads(int close_first) {
  pid_t child;
  unsigned before = failures();
  the_context = user("ada");
  the_client = close_first ? started_client(the_setting, NULL) : new_client(the_setting, NULL);
  if (close_first) CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
  child = fork();
  if (child == 0) {
    CHECK(flagstone_client_state(the_client) == FLAGSTONE_STATE_FORKED);
    CHECK(bool_value(the_client, the_context, "steady", 0) == close_first);
    CHECK(flagstone_client_state(the_client) == (close_first ? FLAGSTONE_STATE_OFF : FLAGSTONE_STATE_INIT));
    if (!close_first) {
      ACCEPTED(flagstone_client_start(the_client, SOON, &error));
      CHECK(bool_value(the_client, the_context, "steady", 0) == 1);
      CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
    }
    flagstone_client_release(the_client);
    flagstone_context_release(the_context);
    _exit(failures() == before ? 0 : 1);
  }
  CHECK(child > 0);
  wait_for_child(child);
  flagstone_client_release(the_client);
  flagstone_context_release(the_context);
}

/* Whether a context is in the big segment, and what became of the question. */
static int is_vip(const char *key, int32_t *status) {
  flagstone_context *context = user(key);
  flagstone_detail detail = empty_detail();
  int value;
  flagstone_variation(the_client, context, "vips", 4, FLAGSTONE_TYPE_BOOL, NULL, 0, &detail);
  value = (int)detail.number_value;
  *status = detail.big_segments_status;
  flagstone_detail_clear(&detail);
  flagstone_context_release(context);
  return value;
}

static void check_vip(const char *key) {
  int32_t status;
  CHECK(is_vip(key, &status) == 1);
  CHECK(status == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
}

/* Asks for the same contexts again and again, of which only a few are remembered. */
static void *ask_for_members(void *argument) {
  int32_t status;
  (void)argument;
  while (!stopped()) {
    is_vip("a", &status);
    is_vip("b", &status);
    is_vip("ada", &status);
  }
  return NULL;
}

/* A child asks for members itself, whatever the threads of its parent were doing, and hears of changes. */
static void fork_with_big_segments(int rounds) {
  char name[160], moment[32];
  const char *add[] = {"SADD", name, "vip.g7"};
  const char *synchronized_on[] = {"SET", name, moment};
  /* Base64 of the SHA-256 of "ada" and "bob". */
  const char *hashes[] = {"/e5DDUC9V97qwYbNl5ADPQ8G+QmogG585ucXq3x9UCk=", "gbY32PzSxtpjWeaWMROhFw3nleS3JbhNHgtM/Z7FjOk="};
  redis *connection = redis_open(the_setting.port);
  pthread_t asker;
  int round, index;
  put_segment(connection, the_setting.prefix, "vip", "{\"key\":\"vip\",\"version\":1,\"unbounded\":true,\"generation\":7}");
  put_flag(connection, the_setting.prefix, "vips",
           "{\"key\":\"vips\",\"version\":1,\"on\":true,\"variations\":[false,true],\"fallthrough\":{\"variation\":0},"
           "\"rules\":[{\"variation\":1,\"clauses\":[{\"op\":\"segmentMatch\",\"values\":[\"vip\"]}]}]}");
  snprintf(name, sizeof name, "%s:big_segments_synchronized_on", the_setting.prefix);
  snprintf(moment, sizeof moment, "%lld", 9000000000000LL);
  redis_command(connection, 3, synchronized_on);
  for (index = 0; index < 2; index++) {
    snprintf(name, sizeof name, "%s:big_segment_include:%s", the_setting.prefix, hashes[index]);
    redis_command(connection, 3, add);
  }
  stopping = 0;
  the_client = started_client(the_setting, "{\"big_segments.cache_size\":2,\"big_segments.cache_ms\":600000}");
  check_vip("ada");
  CHECK(pthread_create(&asker, NULL, ask_for_members, NULL) == 0);
  for (round = 0; round < rounds; round++) {
    unsigned before = failures();
    pid_t child = fork();
    if (child == 0) {
      flagstone_big_segment_status status;
      memset(&status, 0, sizeof status);
      status.struct_size = sizeof status;
      check_vip("ada");
      check_vip("bob");
      ACCEPTED(flagstone_big_segments_status(the_client, &status, &error));
      CHECK(status.available == 1 && status.stale == 0);
      CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
      flagstone_client_release(the_client);
      _exit(failures() == before ? 0 : 1);
    }
    CHECK(child > 0);
    wait_for_child(child);
    check_vip("bob");
  }
  __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
  CHECK(pthread_join(asker, NULL) == 0);
  CHECK(flagstone_client_close(the_client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(the_client);
  redis_close(connection);
}

int main(int argc, char **argv) {
  int rounds;
  the_setting = read_arguments(argc, argv);
  rounds = the_setting.slow ? 3 : 20;
  fork_with_busy_threads(NULL, rounds);
  fork_with_busy_threads("{\"cache.residency\":\"lazy\"}", rounds);
  fork_with_busy_threads("{\"cache.freshness\":\"ttl\",\"cache.ttl_ms\":20}", rounds / 3);
  fork_with_big_segments(rounds);
  fork_without_threads(0);
  fork_without_threads(1);
  return report();
}
