/*
 * A complete program that uses Flagstone from C.
 *
 *     demo REDIS-URL PREFIX FLAG
 *
 * It starts a client in daemon mode (somebody else keeps the flags in Redis; the client reads them and never writes),
 * evaluates a number of flags for four contexts and prints the results with their reasons. Then it waits until somebody
 * changes the boolean flag FLAG, and prints the new value.
 *
 * When standard input is not a terminal, the writer of that change may say there when it wrote: a line with the new
 * version and the microseconds since 1970. The program then prints how long the change took to arrive.
 *
 * `make demo` runs it against a Redis server of its own. To build it by hand:
 *
 *     cc -o demo demo.c $(pkg-config --cflags --libs flagstone)
 *
 * The flags are those that target/release/flagdata writes, which `make build` has made; the second line changes one of them:
 *
 *     flagdata fill --redis redis://localhost:6379 --prefix demo
 *     flagdata set --redis redis://localhost:6379 --prefix demo checkout.new-payment-form --fallthrough 0
 */
#define _POSIX_C_SOURCE 200809L

#include <flagstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for the first data, and for the change. */
#define START_TIMEOUT_MS 5000
#define CHANGE_TIMEOUT_MS 60000

/* Flagstone takes and gives texts as pointer and length. These two help with C strings: STR makes a flagstone_str,
 * and PRINT feeds one to printf's "%.*s". */
#define STR(text) ((flagstone_str){(text), strlen(text)})
#define PRINT(str) (int)(str).len, (str).ptr

/* ---- errors ----------------------------------------------------------------------------------------------------- */

/* Calls that can fail return a status and, if wanted, an error with a message. Returns whether `status` is OK; prints
 * the message and frees the error if not. */
static int ok(const char *what, flagstone_status status, flagstone_error *error) {
  if (status == FLAGSTONE_STATUS_OK) return 1;
  flagstone_str message = flagstone_error_message(error); /* empty for a NULL error */
  fprintf(stderr, "%s: %s %.*s\n", what, flagstone_status_name(status), PRINT(message));
  flagstone_error_free(error);
  return 0;
}

/* ---- the client ------------------------------------------------------------------------------------------------- */

/* Makes a client and waits for its first data. NULL on failure. */
static flagstone_client *start_client(const char *url, const char *prefix) {
  const char *options[][2] = {{"redis.url", url}, {"redis.prefix", prefix}, {"log.level", "warn"}};
  flagstone_error *error = NULL;
  flagstone_client *client = NULL;

  flagstone_config *config = flagstone_config_new();
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    const char *name = options[i][0], *value = options[i][1];
    flagstone_status status = flagstone_config_set(config, name, strlen(name), value, strlen(value), &error);
    if (!ok(name, status, error)) {
      flagstone_config_free(config);
      return NULL;
    }
  }
  flagstone_status status = flagstone_client_new(config, &client, &error);
  flagstone_config_free(config); /* the client has copied it */
  if (!ok("flagstone_client_new", status, error)) return NULL;

  /* A service would carry on after TIMEOUT: evaluations give their defaults until the data are there. */
  status = flagstone_client_start(client, START_TIMEOUT_MS, &error);
  if (!ok("flagstone_client_start", status, error)) {
    flagstone_client_release(client);
    return NULL;
  }
  return client;
}

/* ---- contexts: who is asking ------------------------------------------------------------------------------------- */

enum { ADA, ACME, LINUS, VISITOR, CONTEXTS };

static const char *const context_names[CONTEXTS] = {"Ada", "Acme (org)", "Linus at Acme (multi)", "a visitor"};

static flagstone_context *context_from_json(const char *json) {
  flagstone_error *error = NULL;
  flagstone_context *context = NULL;
  ok("flagstone_context_from_json", flagstone_context_from_json(json, strlen(json), &context, &error), error);
  return context; /* NULL on failure, and evaluations for a NULL context give their defaults */
}

/* The same without JSON, for values that the program has at hand. */
static flagstone_context *context_from_attributes(void) {
  const flagstone_attr attributes[] = {
      {STR("name"), FLAGSTONE_TYPE_STRING, 0, 0, STR("Acme Studio")},
      {STR("tier"), FLAGSTONE_TYPE_STRING, 0, 0, STR("enterprise")},
      {STR("seats"), FLAGSTONE_TYPE_NUMBER, 0, 2500, {NULL, 0}},
      {STR("hosting"), FLAGSTONE_TYPE_JSON, 0, 0, STR("{\"region\": \"eu-west\"}")},
  };
  const size_t count = sizeof attributes / sizeof *attributes;
  flagstone_error *error = NULL;
  flagstone_context *context = NULL;
  flagstone_status status =
      flagstone_context_from_attrs(STR("org"), STR("acme"), attributes, count, &context, &error);
  ok("flagstone_context_from_attrs", status, error);
  return context;
}

/* A user, at work, on a device: one context of three kinds. */
static flagstone_context *merged_with(const flagstone_context *org) {
  flagstone_context *user = context_from_json(
      "{\"kind\": \"user\", \"key\": \"linus\", \"email\": \"linus@acme.example\", \"country\": \"DE\", \"plan\": \"pro\"}");
  flagstone_context *device = context_from_json(
      "{\"kind\": \"device\", \"key\": \"pixel\", \"os\": \"android\", \"appVersion\": \"3.4.1\"}");
  const flagstone_context *const members[] = {user, org, device};
  flagstone_error *error = NULL;
  flagstone_context *context = NULL;
  ok("flagstone_context_merge", flagstone_context_merge(members, 3, &context, &error), error);
  flagstone_context_release(user); /* the merged context does not need them */
  flagstone_context_release(device);
  return context;
}

/* ---- evaluations ------------------------------------------------------------------------------------------------- */

static const char *reason_name(int32_t reason) {
  switch (reason) {
    case FLAGSTONE_REASON_OFF: return "OFF";
    case FLAGSTONE_REASON_FALLTHROUGH: return "FALLTHROUGH";
    case FLAGSTONE_REASON_TARGET_MATCH: return "TARGET_MATCH";
    case FLAGSTONE_REASON_RULE_MATCH: return "RULE_MATCH";
    case FLAGSTONE_REASON_PREREQUISITE_FAILED: return "PREREQUISITE_FAILED";
    case FLAGSTONE_REASON_ERROR: return "ERROR";
    default: return "(of a newer version)"; /* codes may be added */
  }
}

static const char *error_name(int32_t kind) {
  switch (kind) {
    case FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY: return "CLIENT_NOT_READY";
    case FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND: return "FLAG_NOT_FOUND";
    case FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED: return "USER_NOT_SPECIFIED";
    case FLAGSTONE_ERROR_KIND_MALFORMED_FLAG: return "MALFORMED_FLAG";
    case FLAGSTONE_ERROR_KIND_WRONG_TYPE: return "WRONG_TYPE";
    case FLAGSTONE_ERROR_KIND_EXCEPTION: return "EXCEPTION";
    default: return "(of a newer version)";
  }
}

/* The value as a person reads it. */
static void describe_value(const flagstone_detail *detail, char *text, size_t size) {
  if (detail->flags & FLAGSTONE_DETAIL_DEFAULTED) {
    snprintf(text, size, "(your default)");
    return;
  }
  switch (detail->value_type) {
    case FLAGSTONE_TYPE_BOOL: snprintf(text, size, "%s", detail->number_value != 0 ? "true" : "false"); break;
    case FLAGSTONE_TYPE_STRING: snprintf(text, size, "\"%.*s\"", PRINT(detail->text)); break;
    case FLAGSTONE_TYPE_NUMBER: /* as written in the flag; number_value has it as a double */
    case FLAGSTONE_TYPE_JSON: snprintf(text, size, "%.*s", PRINT(detail->text)); break;
    default: snprintf(text, size, "null"); break;
  }
}

/* Why the flag has this value. */
static void describe_reason(const flagstone_detail *detail, char *text, size_t size) {
  const char *name = reason_name(detail->reason);
  const char *experiment = detail->flags & FLAGSTONE_DETAIL_IN_EXPERIMENT ? ", in experiment" : "";
  switch (detail->reason) {
    case FLAGSTONE_REASON_RULE_MATCH:
      snprintf(text, size, "%s %d: %.*s%s", name, (int)detail->rule_index, PRINT(detail->rule_id), experiment);
      break;
    case FLAGSTONE_REASON_PREREQUISITE_FAILED:
      snprintf(text, size, "%s: %.*s", name, PRINT(detail->prerequisite_key));
      break;
    case FLAGSTONE_REASON_ERROR: snprintf(text, size, "%s: %s", name, error_name(detail->error_kind)); break;
    default: snprintf(text, size, "%s%s", name, experiment); break;
  }
}

/* Evaluates one flag with its reason and prints a line of the table. */
static void print_row(const flagstone_client *client, const flagstone_context *context, const char *who, const char *key) {
  /* The caller makes the detail: its size first, the rest zero. */
  flagstone_detail detail = {0};
  detail.struct_size = sizeof detail;

  /* NONE takes a value of any type. The default, as JSON, is empty: this program prints that there is no value. */
  flagstone_variation(client, context, key, strlen(key), FLAGSTONE_TYPE_NONE, NULL, 0, &detail);

  char value[80], reason[120], variation[12] = "-";
  describe_value(&detail, value, sizeof value);
  describe_reason(&detail, reason, sizeof reason);
  if (detail.variation_index >= 0) snprintf(variation, sizeof variation, "%d", (int)detail.variation_index);
  printf("  %-26s %-22s %-26s %9s  %s\n", key, who, value, variation, reason);

  flagstone_detail_clear(&detail); /* the texts in it were borrowed from the flag */
}

static void print_table(const flagstone_client *client, flagstone_context *const contexts[]) {
  static const struct {
    const char *flag;
    int context;
  } rows[] = {
      {"checkout.new-payment-form", ADA},   {"checkout.new-payment-form", VISITOR},
      {"checkout.gift-cards", ADA},         {"checkout.payment-providers", LINUS},
      {"checkout.payment-providers", ADA},  {"growth.student-discount", ADA},
      {"growth.agency-trial", ACME},        {"growth.company-onboarding", LINUS},
      {"workspace.theme", LINUS},           {"workspace.storage-gb", LINUS},
      {"mobile.offline-sync", LINUS},       {"search.ranking-model", VISITOR},
      {"search.instant-results", ADA},      {"reports.dashboard", LINUS},
      {"reports.audit-log", ACME},          {"billing.invoices", ACME},
      {"billing.usage-export", ADA},        {"home.announcement", VISITOR},
      {"ops.hen", ADA},                     {"retired.beacons", ADA},
  };
  printf("  %-26s %-22s %-26s %9s  %s\n", "flag", "context", "value", "variation", "reason");
  printf("  %-26s %-22s %-26s %9s  %s\n", "----", "-------", "-----", "---------", "------");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    print_row(client, contexts[rows[i].context], context_names[rows[i].context], rows[i].flag);
  }
}

/* Finds a member of a flat JSON object and returns its value as written. A real program has a JSON parser. */
static flagstone_str member(flagstone_bytes json, const char *name) {
  char quoted[40];
  int length = snprintf(quoted, sizeof quoted, "\"%s\":", name);
  for (size_t i = 0; i + (size_t)length < json.len; i++) {
    if (memcmp(json.ptr + i, quoted, (size_t)length) != 0) continue;
    flagstone_str value = {json.ptr + i + length, 0};
    while (value.ptr + value.len < json.ptr + json.len && strchr(",}", value.ptr[value.len]) == NULL) value.len++;
    return value;
  }
  return STR("unknown");
}

/* The client's condition; the header lists all that it tells. */
static void print_status(const flagstone_client *client) {
  flagstone_error *error = NULL;
  flagstone_bytes json = {0};
  if (!ok("flagstone_client_status_json", flagstone_client_status_json(client, &json, &error), error)) return;
  printf("\nstatus: state %.*s, freshness %.*s by %.*s, %.*s flags and %.*s segments held\n",
         PRINT(member(json, "state")), PRINT(member(json, "freshness")), PRINT(member(json, "freshness_reason")),
         PRINT(member(json, "flags")), PRINT(member(json, "segments")));
  flagstone_bytes_clear(&json);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static long long unix_microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Prints how long before `served` the writer sent its write, if it tells. */
static void print_delay(long long served) {
  long long version, written;
  if (isatty(STDIN_FILENO) || scanf("%lld %lld", &version, &written) != 2) return;
  printf("  version %lld was served %.2f ms after the writing process sent it to Redis\n", version,
         (double)(served - written) / 1000);
}

/* Waits until the flag has changed and prints what it serves from then on. Returns whether that happened in time. */
static int wait_for_change(flagstone_client *client, const flagstone_context *context, const char *key) {
  /* The short form of an evaluation: the value, or the last argument if there is none. */
  int before = flagstone_bool_variation(client, context, key, strlen(key), 0);
  printf("\nwaiting for a change of %s, which is %s for %s\n", key, before ? "true" : "false", context_names[VISITOR]);
  fflush(stdout); /* whoever makes the change may be reading this */

  /* Notifications wait in a queue until somebody takes them. Nobody has to: evaluations see every change anyway. */
  flagstone_notification notification = {0};
  notification.struct_size = sizeof notification;
  while (flagstone_client_next_notification(client, CHANGE_TIMEOUT_MS, &notification) == FLAGSTONE_STATUS_OK) {
    int is_it = notification.kind == FLAGSTONE_NOTIFICATION_FLAG_CHANGED && notification.text.len == strlen(key) &&
                memcmp(notification.text.ptr, key, notification.text.len) == 0;
    if (notification.kind == FLAGSTONE_NOTIFICATION_LOG) fprintf(stderr, "log: %.*s\n", PRINT(notification.text));
    if (is_it) {
      int after = flagstone_bool_variation(client, context, key, strlen(key), 0);
      long long served = unix_microseconds();
      printf("  %s: %s -> %s  %.*s\n", key, before ? "true" : "false", after ? "true" : "false", PRINT(notification.extra));
      print_delay(served);
    }
    flagstone_notification_clear(&notification);
    if (is_it) return 1;
  }
  fprintf(stderr, "nobody changed %s\n", key);
  return 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s REDIS-URL PREFIX FLAG\n", argv[0]);
    return 2;
  }
  /* A program that may meet another library than it was compiled for asks first. */
  if (flagstone_abi_version() >> 16 != FLAGSTONE_ABI_MAJOR) {
    fprintf(stderr, "this program needs version %d of Flagstone's ABI\n", FLAGSTONE_ABI_MAJOR);
    return 1;
  }
  long long begin = unix_microseconds();
  flagstone_client *client = start_client(argv[1], argv[2]);
  if (client == NULL) return 1;
  printf("Flagstone %s: ready %.1f ms after the start, with the flags of %s under \"%s\"\n\n",
         flagstone_version_string(), (double)(unix_microseconds() - begin) / 1000, argv[1], argv[2]);

  /* Contexts are immutable and may be shared by all threads. Keep one as long as the same user asks. */
  flagstone_context *contexts[CONTEXTS];
  contexts[ADA] = context_from_json(
      "{\"kind\": \"user\", \"key\": \"ada\", \"email\": \"ada@college.edu\", \"country\": \"GB\", \"plan\": \"team\"}");
  contexts[ACME] = context_from_attributes();
  contexts[LINUS] = merged_with(contexts[ACME]);
  contexts[VISITOR] = context_from_json("{\"kind\": \"user\", \"key\": \"visitor-7\", \"anonymous\": true}");

  print_table(client, contexts);
  print_status(client);
  int changed = wait_for_change(client, contexts[VISITOR], argv[3]);

  for (int i = 0; i < CONTEXTS; i++) flagstone_context_release(contexts[i]);
  flagstone_client_close(client, 1000); /* stops its threads */
  flagstone_client_release(client);     /* frees its memory */
  return changed ? EXIT_SUCCESS : EXIT_FAILURE;
}
