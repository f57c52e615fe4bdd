/*
 * What a host can pass by mistake: NULL, a handle of another type, text that is not UTF-8 or not JSON, numbers that name
 * nothing, structs that are too small; and what somebody else can leave in Redis. Each is recognised and refused with a
 * message that names the argument, nothing is written, and what was there before goes on working.
 *
 * Handles that were released are used and released again, too, each right after its release, while the library still keeps
 * the block of memory: so far the header's promise is one without exception, and the instruments have nothing to find.
 */
#include "bad_input/parts.h"

#include <string.h>

const char *const BAD_TEXTS[] = {"\x80", "\xc0\xaf", "\xed\xa0\x80", "ab\xe2\x82", "\xf5\x80\x80\x80"};
int marker;

static handles make_handles(setting setting) {
  handles live;
  memset(&live, 0, sizeof live);
  live.config = flagstone_config_new();
  live.client = started_client(setting, NULL);
  live.context = user("ada");
  live.builder = flagstone_context_builder_new(str("user"), str("ada"));
  ACCEPTED(flagstone_flag_new(live.client, "good", 4, FLAGSTONE_TYPE_BOOL, "false", 5, &live.flag, &error));
  return live;
}

static void nothing_was_harmed(const handles *live) {
  flagstone_bytes bytes = {NULL, 0, NULL};
  CHECK(bool_value(live->client, live->context, "good", 0) == 1);
  CHECK(flagstone_flag_bool(live->flag, live->context) == 1);
  CHECK(flagstone_client_state(live->client) == FLAGSTONE_STATE_VALID);
  ACCEPTED(flagstone_client_status_json(live->client, &bytes, &error));
  CHECK(contains(text_of(bytes), "\"panics\":0"));
  flagstone_bytes_clear(&bytes);
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  handles live;
  put_bool(connection, setting.prefix, "good", 1, 1);
  put_inited(connection, setting.prefix);
  redis_close(connection);
  live = make_handles(setting);
  configurations(&live);
  clients(&live);
  contexts(&live);
  attributes(&live);
  errors(&live);
  scalars_give_their_default(&live);
  details_say_what_is_wrong(&live);
  defaults_that_are_none(&live);
  events_that_are_none(setting, &live);
  details_that_are_too_small_are_not_written(&live);
  many(&live);
  prepared_flags(&live);
  damaged_contexts();
  nothing_was_harmed(&live);
  released_contexts(setting);
  released_clients_and_flags(setting, live.context);
  other_released_handles();
  nothing_was_harmed(&live);
  damaged_items(setting, NULL);
  damaged_items(setting, "{\"cache.residency\":\"lazy\"}");
  nothing_was_harmed(&live);
  flagstone_flag_release(live.flag);
  flagstone_context_builder_free(live.builder);
  flagstone_context_release(live.context);
  CHECK(flagstone_client_close(live.client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(live.client);
  flagstone_config_free(live.config);
  return report();
}
