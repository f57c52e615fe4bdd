/* See support.h. */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned passed_checks;
static unsigned failed_checks;

int check(int held, const char *what, const char *file, int line) {
  if (held) {
    __atomic_fetch_add(&passed_checks, 1, __ATOMIC_RELAXED);
  } else {
    __atomic_fetch_add(&failed_checks, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  }
  return held;
}

void check_refused(flagstone_status got, flagstone_status expected, flagstone_error *error, const char *word, const char *call,
                   const char *file, int line) {
  flagstone_str message = flagstone_error_message(error);
  int held = got == expected && error != NULL && flagstone_error_code(error) == expected && contains(message, word);
  if (!held) {
    fprintf(stderr, "status %s, expected %s; message \"%.*s\", expected \"%s\" in it\n", flagstone_status_name(got),
            flagstone_status_name(expected), (int)message.len, message.ptr, word);
  }
  check(held, call, file, line);
  flagstone_error_free(error);
}

void check_accepted(flagstone_status got, flagstone_error *error, const char *call, const char *file, int line) {
  if (error != NULL) {
    flagstone_str message = flagstone_error_message(error);
    fprintf(stderr, "status %s; message \"%.*s\"\n", flagstone_status_name(got), (int)message.len, message.ptr);
  }
  check(got == FLAGSTONE_STATUS_OK && error == NULL, call, file, line);
  flagstone_error_free(error);
}

unsigned failures(void) {
  return __atomic_load_n(&failed_checks, __ATOMIC_RELAXED);
}

int report(void) {
  printf("%u passed, %u failed\n", passed_checks, failed_checks);
  return passed_checks == 0 || failed_checks != 0;
}

setting read_arguments(int argc, char **argv) {
  setting setting;
  if (argc < 3) {
    fprintf(stderr, "usage: %s PORT PREFIX [slow]\n", argv[0]);
    exit(2);
  }
  setting.port = atoi(argv[1]);
  setting.prefix = argv[2];
  setting.slow = argc > 3 && strcmp(argv[3], "slow") == 0;
  return setting;
}

long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(long milliseconds) {
  struct timespec length;
  length.tv_sec = milliseconds / 1000;
  length.tv_nsec = milliseconds % 1000 * 1000000;
  nanosleep(&length, NULL);
}

flagstone_str str(const char *text) {
  flagstone_str result;
  result.ptr = text;
  result.len = strlen(text);
  return result;
}

flagstone_str text_of(flagstone_bytes bytes) {
  flagstone_str text;
  text.ptr = bytes.ptr;
  text.len = bytes.len;
  return text;
}

int equals(flagstone_str text, const char *expected) {
  return text.len == strlen(expected) && (text.len == 0 || memcmp(text.ptr, expected, text.len) == 0);
}

int contains(flagstone_str text, const char *part) {
  size_t length = strlen(part), at;
  for (at = 0; at + length <= text.len; at++) {
    if (length == 0 || memcmp(text.ptr + at, part, length) == 0) return 1;
  }
  return length == 0;
}

struct redis {
  FILE *to;
  FILE *from;
};

static void redis_failed(const char *why) {
  fprintf(stderr, "redis: %s\n", why);
  exit(3);
}

redis *redis_open(int port) {
  struct sockaddr_in address;
  redis *connection = malloc(sizeof *connection);
  int handle = socket(AF_INET, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connection == NULL || handle < 0 || connect(handle, (struct sockaddr *)&address, sizeof address) != 0) {
    redis_failed("no connection");
  }
  connection->to = fdopen(handle, "w");
  connection->from = fdopen(dup(handle), "r");
  if (connection->to == NULL || connection->from == NULL) redis_failed("no stream");
  return connection;
}

void redis_close(redis *connection) {
  fclose(connection->to);
  fclose(connection->from);
  free(connection);
}

/* Only commands that answer with one line are used here. */
void redis_command(redis *connection, int count, const char *const *words) {
  char answer[512];
  int index;
  fprintf(connection->to, "*%d\r\n", count);
  for (index = 0; index < count; index++) {
    size_t length = strlen(words[index]);
    fprintf(connection->to, "$%lu\r\n", (unsigned long)length);
    fwrite(words[index], 1, length, connection->to);
    fputs("\r\n", connection->to);
  }
  fflush(connection->to);
  if (fgets(answer, sizeof answer, connection->from) == NULL) redis_failed("no answer");
  if (answer[0] != '+' && answer[0] != ':') redis_failed(answer);
}

static void put_item(redis *connection, const char *prefix, const char *hash, const char *key, const char *json) {
  char name[256];
  const char *words[4];
  snprintf(name, sizeof name, "%s:%s", prefix, hash);
  words[0] = "HSET";
  words[1] = name;
  words[2] = key;
  words[3] = json;
  redis_command(connection, 4, words);
}

void put_flag(redis *connection, const char *prefix, const char *key, const char *json) {
  put_item(connection, prefix, "features", key, json);
}

void put_segment(redis *connection, const char *prefix, const char *key, const char *json) {
  put_item(connection, prefix, "segments", key, json);
}

void delete_flag(redis *connection, const char *prefix, const char *key) {
  char name[256];
  const char *words[3];
  snprintf(name, sizeof name, "%s:features", prefix);
  words[0] = "HDEL";
  words[1] = name;
  words[2] = key;
  redis_command(connection, 3, words);
}

void put_bool(redis *connection, const char *prefix, const char *key, int version, int value) {
  char json[512];
  snprintf(json, sizeof json,
           "{\"key\":\"%s\",\"version\":%d,\"on\":true,\"salt\":\"s\",\"variations\":[false,true],"
           "\"fallthrough\":{\"variation\":%d},\"offVariation\":0}",
           key, version, value);
  put_flag(connection, prefix, key, json);
}

void put_inited(redis *connection, const char *prefix) {
  char name[256];
  const char *words[3];
  snprintf(name, sizeof name, "%s:$inited", prefix);
  words[0] = "SET";
  words[1] = name;
  words[2] = "";
  redis_command(connection, 3, words);
}

flagstone_client *new_client(setting setting, const char *options) {
  char url[64];
  flagstone_client *client = NULL;
  flagstone_config *config = flagstone_config_new();
  snprintf(url, sizeof url, "redis://127.0.0.1:%d", setting.port);
  CHECK(flagstone_config_set(config, "redis.url", 9, url, strlen(url), NULL) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_config_set(config, "redis.prefix", 12, setting.prefix, strlen(setting.prefix), NULL) == FLAGSTONE_STATUS_OK);
  /* A server that a busy machine keeps from answering for a while is not away. */
  CHECK(flagstone_config_set(config, "redis.connect_timeout_ms", 24, "15000", 5, NULL) == FLAGSTONE_STATUS_OK);
  CHECK(flagstone_config_set(config, "redis.command_timeout_ms", 24, "15000", 5, NULL) == FLAGSTONE_STATUS_OK);
  if (options != NULL) ACCEPTED(flagstone_config_load_json(config, options, strlen(options), &error));
  ACCEPTED(flagstone_client_new(config, &client, &error));
  flagstone_config_free(config);
  return client;
}

flagstone_client *started_client(setting setting, const char *options) {
  flagstone_client *client = new_client(setting, options);
  ACCEPTED(flagstone_client_start(client, SOON, &error));
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_VALID, SOON) == FLAGSTONE_STATUS_OK);
  return client;
}

flagstone_context *user(const char *key) {
  flagstone_context *context = NULL;
  ACCEPTED(flagstone_context_from_key(str(""), str(key), &context, &error));
  return context;
}

flagstone_detail empty_detail(void) {
  flagstone_detail detail;
  memset(&detail, 0, sizeof detail);
  detail.struct_size = sizeof detail;
  return detail;
}

int bool_value(const flagstone_client *client, const flagstone_context *context, const char *key, int default_value) {
  return flagstone_bool_variation(client, context, key, strlen(key), default_value);
}

int wait_for_bool(const flagstone_client *client, const flagstone_context *context, const char *key, int value,
                  unsigned timeout_ms) {
  long long deadline = now_ms() + timeout_ms;
  while (bool_value(client, context, key, !value) != value) {
    if (now_ms() > deadline) return 0;
    sleep_ms(2);
  }
  return 1;
}
