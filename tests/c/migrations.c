/*
 * Migrations: stages, operations that are told and such that are refused, handles that are none, and threads that say at once
 * what one operation did. What is told in which words is the subject of tests/events/migrations.rs.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define IS_NULL FLAGSTONE_STATUS_NULL_ARGUMENT
#define INVALID FLAGSTONE_STATUS_INVALID_ARGUMENT
#define OLD FLAGSTONE_MIGRATION_ORIGIN_OLD
#define NEW FLAGSTONE_MIGRATION_ORIGIN_NEW
#define READ FLAGSTONE_MIGRATION_OPERATION_READ
#define WRITE FLAGSTONE_MIGRATION_OPERATION_WRITE
#define SAYERS 6

/* The handle of one type as a pointer to another. */
#define AS(type, handle) ((type *)(void *)(handle))

static int say_all(flagstone_migration *migration) {
  int wrong = 0;
  wrong += flagstone_migration_set_operation(migration, READ, NULL) != FLAGSTONE_STATUS_OK;
  wrong += flagstone_migration_set_invoked(migration, OLD, NULL) != FLAGSTONE_STATUS_OK;
  wrong += flagstone_migration_set_invoked(migration, NEW, NULL) != FLAGSTONE_STATUS_OK;
  wrong += flagstone_migration_set_latency(migration, OLD, 1.5, NULL) != FLAGSTONE_STATUS_OK;
  wrong += flagstone_migration_set_failed(migration, NEW, NULL) != FLAGSTONE_STATUS_OK;
  wrong += flagstone_migration_set_consistent(migration, 1, NULL) != FLAGSTONE_STATUS_OK;
  return wrong;
}

static void stages(flagstone_client *client, const flagstone_context *context) {
  static const char *const names[] = {"off", "dualwrite", "shadow", "live", "rampdown", "complete"};
  int stage;
  for (stage = 0; stage < 6; stage++) {
    flagstone_migration *migration = NULL;
    flagstone_detail detail = empty_detail();
    ACCEPTED(flagstone_migration_variation(client, context, names[stage], strlen(names[stage]), FLAGSTONE_MIGRATION_STAGE_OFF,
                                           &detail, &migration, &error));
    CHECK(flagstone_migration_stage_of(migration) == stage && equals(detail.text, names[stage]));
    CHECK(detail.value_type == FLAGSTONE_TYPE_STRING && detail.reason == FLAGSTONE_REASON_FALLTHROUGH && detail.flags == 0);
    CHECK(flagstone_migration_wants_check(migration) == 1);
    CHECK(say_all(migration) == 0);
    ACCEPTED(flagstone_migration_track(client, migration, &error));
    REFUSED(INVALID, "tracked already", flagstone_migration_track(client, migration, &error));
    REFUSED(INVALID, "tracked already", flagstone_migration_set_invoked(migration, OLD, &error));
    flagstone_detail_clear(&detail);
    flagstone_migration_release(migration);
  }
}

static void without_a_stage(flagstone_client *client, const flagstone_context *context) {
  flagstone_migration *migration = NULL, *copy;
  flagstone_detail detail = empty_detail();
  ACCEPTED(flagstone_migration_variation(client, context, "number", 6, FLAGSTONE_MIGRATION_STAGE_LIVE, &detail, &migration, &error));
  CHECK(flagstone_migration_stage_of(migration) == FLAGSTONE_MIGRATION_STAGE_LIVE);
  CHECK(detail.flags == FLAGSTONE_DETAIL_DEFAULTED && detail.error_kind == FLAGSTONE_ERROR_KIND_WRONG_TYPE);
  CHECK(detail.variation_index == -1 && detail.text.len == 0);
  REFUSED(INVALID, "reads or writes", flagstone_migration_track(client, migration, &error));
  ACCEPTED(flagstone_migration_set_operation(migration, WRITE, &error));
  REFUSED(INVALID, "neither origin", flagstone_migration_track(client, migration, &error));
  copy = flagstone_migration_retain(migration);
  CHECK(copy == migration);
  flagstone_migration_release(migration);
  ACCEPTED(flagstone_migration_set_invoked(copy, NEW, &error));
  ACCEPTED(flagstone_migration_track(client, copy, &error));
  flagstone_migration_release(copy);
  /* Nobody asks; a detail is not needed. */
  ACCEPTED(flagstone_migration_variation(client, NULL, "live", 4, FLAGSTONE_MIGRATION_STAGE_OFF, NULL, &migration, &error));
  CHECK(flagstone_migration_stage_of(migration) == FLAGSTONE_MIGRATION_STAGE_OFF && say_all(migration) == 0);
  REFUSED(INVALID, "context", flagstone_migration_track(client, migration, &error));
  flagstone_migration_release(migration);
}

/* A call that must be refused, with this detail, and begins nothing. */
#define NO_OPERATION(expected, word, kind, client, context, key, len, stage)                                                  \
  do {                                                                                                                        \
    flagstone_migration *none = NULL;                                                                                         \
    flagstone_detail detail = empty_detail();                                                                                 \
    REFUSED(expected, word, flagstone_migration_variation(client, context, key, len, stage, &detail, &none, &error));         \
    CHECK(none == NULL && detail.error_kind == (kind) && detail.flags == FLAGSTONE_DETAIL_DEFAULTED && detail.owner == NULL); \
  } while (0)

static void what_is_refused(flagstone_client *client, const flagstone_context *context) {
  static const int32_t codes[] = {-1, 6, INT32_MIN, INT32_MAX};
  static const double times[] = {-1, NAN, HUGE_VAL, -HUGE_VAL};
  const int32_t wrong = FLAGSTONE_ERROR_KIND_EXCEPTION, nobody = FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED;
  flagstone_migration *migration = NULL, *other = AS(flagstone_migration, client);
  flagstone_detail small;
  size_t index;
  NO_OPERATION(IS_NULL, "client", wrong, NULL, context, "live", 4, 0);
  NO_OPERATION(INVALID, "client", wrong, AS(flagstone_client, context), context, "live", 4, 0);
  NO_OPERATION(INVALID, "context", wrong, client, AS(flagstone_context, client), "live", 4, 0);
  NO_OPERATION(IS_NULL, "key", wrong, client, context, NULL, 4, 0);
  NO_OPERATION(IS_NULL, "key", nobody, client, NULL, NULL, 4, 0);
  NO_OPERATION(FLAGSTONE_STATUS_BAD_UTF8, "key", wrong, client, context, "\x80", 1, 0);
  for (index = 0; index < 4; index++) NO_OPERATION(INVALID, "default_stage", wrong, client, context, "live", 4, codes[index]);
  REFUSED(IS_NULL, "out", flagstone_migration_variation(client, context, "live", 4, 0, NULL, NULL, &error));
  memset(&small, 0, sizeof small);
  small.struct_size = 8;
  REFUSED(INVALID, "struct_size", flagstone_migration_variation(client, context, "live", 4, 0, &small, &migration, &error));
  CHECK(small.flags == 0 && migration == NULL);
  CHECK(flagstone_migration_variation(client, context, "live", 4, 7, NULL, &migration, NULL) == INVALID);

  ACCEPTED(flagstone_migration_variation(client, context, "live", 4, 0, NULL, &migration, &error));
  for (index = 0; index < 4; index++) {
    REFUSED(INVALID, "operation", flagstone_migration_set_operation(migration, codes[index], &error));
    REFUSED(INVALID, "origin", flagstone_migration_set_invoked(migration, codes[index], &error));
    REFUSED(INVALID, "origin", flagstone_migration_set_failed(migration, codes[index], &error));
    REFUSED(INVALID, "origin", flagstone_migration_set_latency(migration, codes[index], 1, &error));
    REFUSED(INVALID, "milliseconds", flagstone_migration_set_latency(migration, OLD, times[index], &error));
  }
  REFUSED(IS_NULL, "client", flagstone_migration_track(NULL, migration, &error));
  REFUSED(INVALID, "client", flagstone_migration_track(AS(flagstone_client, migration), migration, &error));
  REFUSED(IS_NULL, "migration", flagstone_migration_track(client, NULL, &error));
  REFUSED(INVALID, "migration", flagstone_migration_track(client, other, &error));
  REFUSED(INVALID, "migration", flagstone_migration_set_operation(other, READ, &error));
  REFUSED(INVALID, "migration", flagstone_migration_set_invoked(other, OLD, &error));
  REFUSED(INVALID, "migration", flagstone_migration_set_failed(other, OLD, &error));
  REFUSED(INVALID, "migration", flagstone_migration_set_latency(other, OLD, 1, &error));
  REFUSED(INVALID, "migration", flagstone_migration_set_consistent(other, 1, &error));
  REFUSED(IS_NULL, "migration", flagstone_migration_set_consistent(NULL, 1, &error));
  CHECK(flagstone_migration_stage_of(other) == -1 && flagstone_migration_stage_of(NULL) == -1);
  CHECK(flagstone_migration_wants_check(other) == 0 && flagstone_migration_wants_check(NULL) == 0);
  CHECK(flagstone_migration_retain(other) == NULL && flagstone_migration_retain(NULL) == NULL);
  flagstone_migration_release(other);
  flagstone_migration_release(NULL);
  /* A handle that was released, while the library keeps its block. */
  flagstone_migration_release(migration);
  REFUSED(INVALID, "released", flagstone_migration_set_invoked(migration, OLD, &error));
  REFUSED(INVALID, "released", flagstone_migration_track(client, migration, &error));
  CHECK(flagstone_migration_stage_of(migration) == -1 && flagstone_migration_retain(migration) == NULL);
  flagstone_migration_release(migration);
}

/* An operation, the client it belongs to, and how many have tracked it. */
typedef struct shared {
  flagstone_client *client;
  flagstone_migration *migration;
  int tracked;
} shared;

static void *say_and_track(void *argument) {
  shared *shared = argument;
  flagstone_migration *mine = flagstone_migration_retain(shared->migration);
  int round;
  for (round = 0; round < 200; round++) {
    flagstone_migration_set_operation(mine, round % 3, NULL);
    flagstone_migration_set_invoked(mine, round % 2, NULL);
    flagstone_migration_set_latency(mine, round % 2, round, NULL);
    flagstone_migration_set_consistent(mine, round, NULL);
    if (round > 100 && flagstone_migration_track(shared->client, mine, NULL) == FLAGSTONE_STATUS_OK) {
      __atomic_fetch_add(&shared->tracked, 1, __ATOMIC_RELAXED);
    }
  }
  flagstone_migration_release(mine);
  return NULL;
}

static void one_of_many_threads_tells_an_operation(flagstone_client *client, const flagstone_context *context) {
  pthread_t sayers[SAYERS];
  shared shared;
  int index;
  memset(&shared, 0, sizeof shared);
  shared.client = client;
  ACCEPTED(flagstone_migration_variation(client, context, "live", 4, 0, NULL, &shared.migration, &error));
  for (index = 0; index < SAYERS; index++) CHECK(pthread_create(&sayers[index], NULL, say_and_track, &shared) == 0);
  for (index = 0; index < SAYERS; index++) CHECK(pthread_join(sayers[index], NULL) == 0);
  CHECK(shared.tracked == 1);
  flagstone_migration_release(shared.migration);
}

/* An operation outlives its client. */
static void after_the_end(flagstone_client *client, const flagstone_context *context) {
  flagstone_migration *migration = NULL;
  flagstone_bytes bytes = {NULL, 0, NULL};
  ACCEPTED(flagstone_migration_variation(client, context, "live", 4, 0, NULL, &migration, &error));
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  REFUSED(FLAGSTONE_STATUS_CLOSED, "closed", flagstone_migration_track(client, migration, &error));
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "environment", flagstone_client_environment_id(client, &bytes, &error));
  flagstone_client_release(client);
  CHECK(flagstone_migration_stage_of(migration) == FLAGSTONE_MIGRATION_STAGE_LIVE && say_all(migration) == 0);
  flagstone_migration_release(migration);
}

int main(int argc, char **argv) {
  static const char *const flags[] = {"off", "dualwrite", "shadow", "live", "rampdown", "complete"};
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  flagstone_context *context = user("ada");
  flagstone_bytes bytes = {NULL, 0, NULL};
  flagstone_client *client;
  size_t index;
  for (index = 0; index < sizeof flags / sizeof flags[0]; index++) {
    char json[160];
    snprintf(json, sizeof json, "{\"key\":\"%s\",\"version\":1,\"on\":true,\"variations\":[\"%s\"],\"fallthrough\":{\"variation\":0}}",
             flags[index], flags[index]);
    put_flag(connection, setting.prefix, flags[index], json);
  }
  put_flag(connection, setting.prefix, "number", "{\"on\":true,\"variations\":[1],\"fallthrough\":{\"variation\":0}}");
  put_inited(connection, setting.prefix);
  redis_close(connection);
  client = started_client(setting, "{\"sdk.key\":\"sdk\",\"endpoints.events\":\"http://127.0.0.1:1\"}"); /* nobody listens there */
  stages(client, context);
  without_a_stage(client, context);
  what_is_refused(client, context);
  one_of_many_threads_tells_an_operation(client, context);
  REFUSED(IS_NULL, "out", flagstone_client_environment_id(client, NULL, &error));
  REFUSED(IS_NULL, "client", flagstone_client_environment_id(NULL, &bytes, &error));
  REFUSED(INVALID, "client", flagstone_client_environment_id(AS(flagstone_client, context), &bytes, &error));
  REFUSED(FLAGSTONE_STATUS_NOT_FOUND, "environment", flagstone_client_environment_id(client, &bytes, &error));
  after_the_end(client, context);
  flagstone_context_release(context);
  return report();
}
