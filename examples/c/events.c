/*
 * What happened reaches LaunchDarkly: evaluates flags for many people, says who they are and that some of them bought
 * something, and prints how often each value was served.
 *
 *     events LAUNCHDARKLY-URL SDK-KEY FLAG ...
 *
 * `make demo` runs it and compares what it prints with the summary that arrived. To build it by hand:
 *
 *     cc -o events events.c $(pkg-config --cflags --libs flagstone)
 *
 * Without an account target/release/fakeld, which `make build` has made, plays LaunchDarkly until its input ends:
 *
 *     flagdata generate >flags.json
 *     fakeld --port 8030 --data flags.json --sdk-key sdk-demo
 *     events http://127.0.0.1:8030 sdk-demo checkout.new-payment-form
 */
#include <flagstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE 1000
/* Each of them comes so often. */
#define VISITS 20
#define MOST_VALUES 64

/* One value of one flag, as JSON text, and how often it was served. */
struct served {
  const char *flag;
  char value[128];
  long count;
};

static struct served served[MOST_VALUES];
static int values;

static void count(const char *flag, flagstone_str value) {
  int at;
  for (at = 0; at < values; at++) {
    struct served *known = &served[at];
    if (known->flag == flag && strlen(known->value) == value.len && memcmp(known->value, value.ptr, value.len) == 0) break;
  }
  if (at == MOST_VALUES || value.len >= sizeof served[at].value) return;
  if (at == values) {
    served[at].flag = flag;
    memcpy(served[at].value, value.ptr, value.len);
    values++;
  }
  served[at].count++;
}

static int by_flag_and_value(const void *one, const void *other) {
  const struct served *a = one, *b = other;
  int order = strcmp(a->flag, b->flag);
  return order != 0 ? order : strcmp(a->value, b->value);
}

static int set(flagstone_config *config, const char *name, const char *value) {
  flagstone_error *error = NULL;
  if (flagstone_config_set(config, name, strlen(name), value, strlen(value), &error) == FLAGSTONE_STATUS_OK) return 1;
  flagstone_str message = flagstone_error_message(error);
  fprintf(stderr, "%.*s\n", (int)message.len, message.ptr);
  flagstone_error_free(error);
  return 0;
}

static flagstone_client *start(const char *url, const char *sdk_key) {
  flagstone_config *config = flagstone_config_new();
  flagstone_client *client = NULL;
  /* Memory alone: there is no Redis in this part. Events need nothing but the key. */
  if (set(config, "source.kind", "stream") && set(config, "endpoints.relay", url) && set(config, "sdk.key", sdk_key)) {
    flagstone_client_new(config, &client, NULL);
  }
  flagstone_config_free(config);
  if (client != NULL && flagstone_client_start(client, 10000, NULL) != FLAGSTONE_STATUS_OK) {
    flagstone_client_release(client);
    return NULL;
  }
  return client;
}

/* One visit: all flags, and every tenth buys something. */
static void visit(flagstone_client *client, const flagstone_context *who, int number, char **flags, int count_of_flags) {
  double price = 9.5 + number % 7;
  for (int at = 0; at < count_of_flags; at++) {
    flagstone_detail detail;
    flagstone_default fallback = {FLAGSTONE_TYPE_STRING, 0, 0, 0, FLAGSTONE_STR("unknown")};
    memset(&detail, 0, sizeof detail);
    detail.struct_size = sizeof detail;
    flagstone_variation_or(client, who, flags[at], strlen(flags[at]), FLAGSTONE_TYPE_JSON, &fallback, 0, &detail);
    count(flags[at], detail.flags & FLAGSTONE_DETAIL_DEFAULTED ? FLAGSTONE_STR("\"unknown\"") : detail.text);
    flagstone_detail_clear(&detail);
  }
  if (number % 10 == 0) {
    flagstone_track(client, who, FLAGSTONE_TEXT("purchase"), &price, FLAGSTONE_TEXT("{\"currency\":\"EUR\"}"), NULL);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: events LAUNCHDARKLY-URL SDK-KEY FLAG ...\n");
    return 2;
  }
  flagstone_client *client = start(argv[1], argv[2]);
  if (client == NULL) return 1;
  for (int number = 0; number < PEOPLE; number++) {
    char key[32];
    flagstone_context *who = NULL;
    flagstone_str kind = FLAGSTONE_STR("user"), name = {key, (size_t)snprintf(key, sizeof key, "visitor-%d", number)};
    if (flagstone_context_from_key(kind, name, &who, NULL) != FLAGSTONE_STATUS_OK) return 1;
    if (number == 0) flagstone_identify(client, who, NULL);
    for (int times = 0; times < VISITS; times++) visit(client, who, number + times, argv + 3, argc - 3);
    flagstone_context_release(who);
  }
  /* Only for the comparison: events are sent every few seconds, and when the client is closed. */
  flagstone_status arrived = flagstone_client_flush(client, 10000, NULL);
  flagstone_client_close(client, 2000);
  flagstone_client_release(client);
  qsort(served, (size_t)values, sizeof *served, by_flag_and_value);
  for (int at = 0; at < values; at++) printf("%s\t%s\t%ld\n", served[at].flag, served[at].value, served[at].count);
  return arrived == FLAGSTONE_STATUS_OK ? 0 : 1;
}
