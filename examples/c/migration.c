/*
 * A migration from an old store of prices to a new one, stage by stage: each read and write asks a flag what to do, does it,
 * and says what it did. In a program that has an SDK key this is what LaunchDarkly shows: latencies, errors, and whether both
 * stores agree. Here the flag is set by the program itself; the second write to the new store fails.
 *
 *     migration
 *
 * To build it:
 *
 *     cc -o migration migration.c $(pkg-config --cflags --libs flagstone)
 */
#define _POSIX_C_SOURCE 199309L

#include <flagstone.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OLD = FLAGSTONE_MIGRATION_ORIGIN_OLD, NEW = FLAGSTONE_MIGRATION_ORIGIN_NEW, NONE = -1 };

/* Which stores each stage reads and writes, the one that counts first. */
static const int READS[6][2] = {{OLD, NONE}, {OLD, NONE}, {OLD, NEW}, {NEW, OLD}, {NEW, NONE}, {NEW, NONE}};
static const int WRITES[6][2] = {{OLD, NONE}, {OLD, NEW}, {OLD, NEW}, {NEW, OLD}, {NEW, OLD}, {NEW, NONE}};
static const char *const STAGES[6] = {"off", "dualwrite", "shadow", "live", "rampdown", "complete"};
static const char *const NAMES[2] = {"old", "new"};

/* The two stores. */
static int prices[2];
static int writes_to_new;

static int read_store(int origin, int *price) {
  *price = prices[origin];
  return 1;
}

static int write_store(int origin, int *price) {
  if (origin == NEW && ++writes_to_new == 2) return 0;
  prices[origin] = *price;
  return 1;
}

/* Calls one store, and says how that went. */
static int measured(flagstone_migration *migration, int origin, int (*call)(int, int *), int *price) {
  struct timespec began, ended;
  int succeeded;
  flagstone_migration_set_invoked(migration, origin, NULL);
  clock_gettime(CLOCK_MONOTONIC, &began);
  succeeded = call(origin, price);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  flagstone_migration_set_latency(
      migration, origin, (double)(ended.tv_sec - began.tv_sec) * 1e3 + (double)(ended.tv_nsec - began.tv_nsec) / 1e6, NULL);
  if (!succeeded) flagstone_migration_set_failed(migration, origin, NULL);
  printf(" %s%s", NAMES[origin], succeeded ? "" : " failed");
  return succeeded;
}

/* Reads or writes the price as the stage says; 0 when the store that counts failed. */
static int run(flagstone_client *client, const flagstone_context *who, int operation, int *price) {
  flagstone_migration *migration = NULL;
  int (*call)(int, int *) = operation == FLAGSTONE_MIGRATION_OPERATION_READ ? read_store : write_store;
  /* Without a stage nothing is risked: the old store alone. */
  if (flagstone_migration_variation(client, who, FLAGSTONE_TEXT("price-store"), FLAGSTONE_MIGRATION_STAGE_OFF, NULL, &migration,
                                    NULL) != FLAGSTONE_STATUS_OK) {
    return call(OLD, price);
  }
  const int *origins = (call == read_store ? READS : WRITES)[flagstone_migration_stage_of(migration)];
  flagstone_migration_set_operation(migration, operation, NULL);
  int succeeded = measured(migration, origins[0], call, price);
  if (origins[1] != NONE && (succeeded || call == read_store)) {
    int other = *price;
    printf(",");
    int other_succeeded = measured(migration, origins[1], call, &other);
    if (call == read_store && succeeded && other_succeeded && flagstone_migration_wants_check(migration)) {
      flagstone_migration_set_consistent(migration, other == *price, NULL);
      printf(", %s", other == *price ? "consistent" : "inconsistent");
    }
  }
  flagstone_migration_track(client, migration, NULL);
  flagstone_migration_release(migration);
  return succeeded;
}

static int set_stage(flagstone_test_data *data, const char *stage) {
  char json[160];
  int length = snprintf(json, sizeof json,
                        "{\"key\":\"price-store\",\"on\":true,\"variations\":[\"%s\"],\"fallthrough\":{\"variation\":0}}", stage);
  return flagstone_test_data_set_json(data, FLAGSTONE_KIND_FLAG, json, (size_t)length, NULL) == FLAGSTONE_STATUS_OK;
}

int main(void) {
  flagstone_test_data *data = flagstone_test_data_new();
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  flagstone_context *who = NULL;
  flagstone_config_set_test_data(config, data, NULL);
  flagstone_status made = flagstone_client_new(config, &client, NULL);
  flagstone_config_free(config);
  if (made != FLAGSTONE_STATUS_OK || flagstone_client_start(client, 10000, NULL) != FLAGSTONE_STATUS_OK) return 1;
  flagstone_context_from_key(FLAGSTONE_STR("service"), FLAGSTONE_STR("checkout"), &who, NULL);
  for (int stage = 0; stage < 6; stage++) {
    int price = 100 + stage, seen = 0;
    if (!set_stage(data, STAGES[stage])) return 1;
    printf("%s: write", STAGES[stage]);
    run(client, who, FLAGSTONE_MIGRATION_OPERATION_WRITE, &price);
    printf("; read");
    run(client, who, FLAGSTONE_MIGRATION_OPERATION_READ, &seen);
    printf(": %d\n", seen);
  }
  flagstone_context_release(who);
  flagstone_client_close(client, 2000);
  flagstone_client_release(client);
  flagstone_test_data_release(data);
  return 0;
}
