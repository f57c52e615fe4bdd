// All of flagstone.hpp, on test data: `wrapper`. That nothing is used too late, leaked or given back twice is for the
// sanitizers to say.
#include <flagstone.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace flagstone;
using std::chrono::seconds;
constexpr seconds SOON(30);

int passed = 0;
int failed = 0;

void check(bool held, const char *what, int line) {
  ++(held ? passed : failed);
  if (!held) std::fprintf(stderr, "failed in line %d: %s\n", line, what);
}
#define CHECK(condition) check(static_cast<bool>(condition), #condition, __LINE__)

// Whether a call throws this status, with a message that has `word` in it.
template <typename Call>
bool throws(flagstone_status status, const char *word, Call &&call) {
  try {
    call();
  } catch (const Error &error) {
    return error.status() == status && std::strstr(error.what(), word) != nullptr;
  }
  return false;
}

std::string flag(const std::string &key, const std::string &value, const std::string &more = "") {
  return "{\"key\":\"" + key + "\",\"version\":1,\"on\":true,\"variations\":[" + value + "],\"fallthrough\":{\"variation\":0}" +
         more + "}";
}

TestData data() {
  TestData data;
  CHECK(data.set(Kind::flag, flag("bool", "true")));
  CHECK(data.set(Kind::flag, flag("int", "1234567890123456789")));
  CHECK(data.set(Kind::flag, flag("double", "2.5")));
  CHECK(data.set(Kind::flag, flag("string", "\"gr\xc3\xbcn\"")));
  CHECK(data.set(Kind::flag, flag("json", "{\"a\":[1]}")));
  CHECK(data.set(Kind::flag, flag("null", "null")));
  CHECK(data.set(Kind::flag, flag("needs", "1", ",\"offVariation\":0,\"prerequisites\":[{\"key\":\"bool\",\"variation\":7}]")));
  CHECK(data.set(Kind::flag, flag("rule", "1,\"two\"",
                                  ",\"rules\":[{\"id\":\"the-rule\",\"variation\":1,\"clauses\":[{\"attribute\":\"\",\"op\":"
                                  "\"segmentMatch\",\"values\":[\"s\"]}]}]")));
  CHECK(data.set(Kind::segment, "{\"key\":\"s\",\"version\":1,\"included\":[\"ada\"]}"));
  const Outcome refused = data.set(Kind::flag, "{");
  CHECK(!refused && refused.status() == FLAGSTONE_STATUS_INVALID_ARGUMENT && !refused.message().empty());
  CHECK(data.remove(Kind::flag, "no-such-flag"));
  return data;
}

void configurations() {
  Config config;
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "no.such", [&] { config.set("no.such", "x"); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_JSON, "JSON", [&] { config.load_json("{"); }));
  config.set("redis.prefix", "p").load_json("{\"cache\":{\"ttl_ms\":5}}");
  config.set("redis.tls.ca_file", "/no/such/file.pem");
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "rediss://", [&] { Client client(config); }));
  Config moved = std::move(config);
  CHECK(moved.get() != nullptr);
}

void contexts() {
  const std::string name = "Ada";
  const Context ada("user", "ada", {{"name", name}, {"anonymous", true}, {"age", 36}, {"height", 1.5F}, {"title", "Dr"},
                                    Attribute::json("address", "{\"city\":\"London\"}").as_private()});
  const std::optional<Text> json = ada.to_json();
  CHECK(json && json->str() ==
                    "{\"kind\":\"user\",\"key\":\"ada\",\"name\":\"Ada\",\"anonymous\":true,\"age\":36,\"height\":1.5,"
                    "\"title\":\"Dr\",\"address\":{\"city\":\"London\"},\"_meta\":{\"privateAttributes\":[\"address\"]}}");
  const Context org = ContextBuilder("org", "o").set({"plan", "gold"}).set_private("plan").build();
  const Context both = Context::merge({ada, org});
  CHECK(both.kinds()->view() == "[\"org\",\"user\"]");
  CHECK(both.individual("user")->canonical_key()->view() == "ada" && !both.individual("device"));
  CHECK(ada.attribute("key")->view() == "\"ada\"" && both.attribute("key", "org")->view() == "\"o\"");
  CHECK(ada.attribute("none")->view() == "null" && !ada.attribute(""));
  CHECK(!ada.private_attributes()->view().empty());
  CHECK(both.canonical_key()->view() == "org:o:user:ada");
  Context shared = ada, moved = Context::from_json("{\"kind\":\"user\",\"key\":\"bob\"}");
  CHECK(shared.get() == ada.get());
  shared = std::move(moved);
  CHECK(shared.canonical_key()->view() == "bob");
  shared = both;
  CHECK(shared.get() == both.get());
  CHECK(Context("user", "ada", {}).to_json()->view() == "{\"kind\":\"user\",\"key\":\"ada\"}");

  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "key", [] { Context("user", ""); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_UTF8, "key", [] { Context("user", "\x80"); }));
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "finite", [] { Context("user", "u", {{"x", std::nan("")}}); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_JSON, "JSON", [] { Context::from_json("{"); }));
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "user", [&] { Context::merge({ada, Context("user", "u")}); }));
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "kind", [] { ContextBuilder("a b", "k").build(); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_UTF8, "UTF-8", [] { ContextBuilder("\x80", "k"); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_JSON, "\"x\"", [] { ContextBuilder("user", "k").set(Attribute::json("x", "{")); }));
}

void values(const Client &client, const Context &ada) {
  CHECK(client.bool_variation(ada, "bool", false) && client.bool_variation(ada, "missing", true));
  CHECK(client.int_variation(ada, "int", 0) == 1234567890123456789 && client.int_variation(ada, "double", 0) == 2);
  CHECK(client.double_variation(ada, "double", 0) == 2.5);
  CHECK(client.string_variation(ada, "string", "x") == "gr\xc3\xbcn" && client.string_variation(ada, "bool", "x") == "x");
  CHECK(!client.text_variation(ada, "missing"));
  std::optional<Text> text = client.text_variation(ada, "string");
  CHECK(text && std::string_view(*text) == "gr\xc3\xbcn");
  Text moved = std::move(*text);
  moved = Text(std::move(moved));
  text.reset();
  CHECK(moved.view() == "gr\xc3\xbcn");
}

void details(const Client &client, const Context &ada) {
  CHECK(client.variation(ada, "bool").as_bool() == true && client.variation(ada, "bool").variation_index() == 0);
  const Detail number = client.variation(ada, "int", Type::number);
  CHECK(number.as_int() == 1234567890123456789 && number.as_double() == 1234567890123456768.0 && number.text().size() == 19);
  CHECK(number.type() == Type::number && !number.as_bool() && !number.as_string() && !number.is_stale());
  CHECK(client.variation(ada, "string").as_string() == "gr\xc3\xbcn");
  CHECK(client.variation(ada, "json").text() == "{\"a\":[1]}" && client.variation(ada, "json").type() == Type::json);
  CHECK(client.variation(ada, "null").has_value() && client.variation(ada, "null").type() == Type::none);
  Detail rule = client.variation(ada, "rule");
  CHECK(rule.reason() == Reason::rule_match && rule.rule_index() == 0 && rule.rule_id() == "the-rule");
  CHECK(rule.error_kind() == ErrorKind::none && !rule.in_experiment() && rule.big_segments() == FLAGSTONE_BIG_SEGMENTS_NONE);
  const Detail needs = client.variation(ada, "needs");
  CHECK(needs.reason() == Reason::prerequisite_failed && needs.prerequisite_key() == "bool");
  const Detail missing = client.variation(ada, "missing", Type::boolean);
  CHECK(!missing.has_value() && missing.error_kind() == ErrorKind::flag_not_found && !missing.variation_index());
  CHECK(client.variation(ada, "bool", Type::string).error_kind() == ErrorKind::wrong_type);

  Detail moved = std::move(rule);
  rule = client.variation(ada, "string");
  std::swap(moved, rule);
  CHECK(moved.as_string() == "gr\xc3\xbcn" && rule.as_string() == "two" && rule.rule_id() == "the-rule");
  std::vector<Detail> many = client.variation_many(ada, {"bool", "string", "missing"});
  CHECK(many.size() == 3 && many[0].as_bool() == true && many[1].as_string() == "gr\xc3\xbcn" && !many[2].has_value());
  many.erase(many.begin());
  CHECK(many[0].as_string() == "gr\xc3\xbcn");
  CHECK(client.variation_many(ada, {}).empty());
}

void prepared(const Client &client, const Context &ada) {
  const Flag<bool> boolean(client, "bool", false);
  CHECK(boolean.value(ada) && boolean.try_value(ada) == true && boolean.detail(ada).as_bool() == true);
  CHECK(Flag<bool>(client, "missing", true).value(ada));
  CHECK(Flag<std::int64_t>(client, "int", 0).value(ada) == 1234567890123456789);
  CHECK(Flag<std::int64_t>(client, "missing", std::numeric_limits<std::int64_t>::min()).value(ada) ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(Flag<double>(client, "double", 0).value(ada) == 2.5 && Flag<double>(client, "missing", -0.1).value(ada) == -0.1);
  CHECK(Flag<double>(client, "missing", 1e300).value(ada) == 1e300);
  const std::string odd("a\"\\\n\0\xc3\xbc", 7);
  CHECK(Flag<std::string>(client, "missing", odd).value(ada) == odd);
  Flag<std::string> text(client, "string", "default");
  const Flag<std::string> copy = text;
  CHECK(copy.get() == text.get() && copy.value(ada) == "gr\xc3\xbcn");
  text = Flag<std::string>(client, "missing", "default");
  const Text kept = text.text(ada);
  text = copy;
  CHECK(kept.view() == "default"); /* a text keeps what it points to */
  CHECK(throws(FLAGSTONE_STATUS_INVALID_ARGUMENT, "finite", [&] { Flag<double>(client, "double", HUGE_VAL); }));
  CHECK(throws(FLAGSTONE_STATUS_BAD_UTF8, "key", [&] { Flag<bool>(client, "\x80", false); }));
}

void texts(const Client &client, const Context &ada) {
  Outcome outcome;
  CHECK(client.status_json(&outcome)->view().front() == '{' && outcome);
  CHECK(client.metrics_text(&outcome)->view().front() == '#' && outcome);
  CHECK(client.flag_version("bool") == 1 && !client.flag_version("nowhere", &outcome));
  CHECK(outcome.status() == FLAGSTONE_STATUS_NOT_FOUND);
  CHECK(client.all_flags_json(ada)->view().find("\"int\":1234567890123456789,") != std::string_view::npos);
  CHECK(!client.all_flags_json(ada, 1024, &outcome) && outcome.status() == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(outcome.message().find("options") != std::string_view::npos);
  CHECK(!client.secure_mode_hash(ada, &outcome) && outcome.message().find("sdk.key") != std::string_view::npos);
}

void defaults(const Client &client, const Context &ada) {
  const auto is = [](const Default &value, std::int32_t type, bool whole, std::int64_t integer, double number, std::string_view text) {
    const flagstone_default &raw = *value.get();
    return raw.value_type == type && (raw.is_integer != 0) == whole && raw.integer == integer &&
           std::fpclassify(raw.number - number) == FP_ZERO && std::string_view(raw.text.ptr, raw.text.len) == text;
  };
  CHECK(is({}, FLAGSTONE_TYPE_NONE, false, 0, 0, ""));
  CHECK(is(true, FLAGSTONE_TYPE_BOOL, false, 1, 0, "") && is(false, FLAGSTONE_TYPE_BOOL, false, 0, 0, ""));
  CHECK(is(7, FLAGSTONE_TYPE_NUMBER, true, 7, 0, "") && is(2.5F, FLAGSTONE_TYPE_NUMBER, false, 0, 2.5, ""));
  CHECK(is(std::numeric_limits<std::int64_t>::min(), FLAGSTONE_TYPE_NUMBER, true, std::numeric_limits<std::int64_t>::min(), 0, ""));
  CHECK(is("x", FLAGSTONE_TYPE_STRING, false, 0, 0, "x") && is(std::string_view("a\0b", 3), FLAGSTONE_TYPE_STRING, false, 0, 0, {"a\0b", 3}));
  CHECK(is(Default::json("[1]"), FLAGSTONE_TYPE_JSON, false, 0, 0, "[1]"));
  CHECK(is(UINT64_MAX, FLAGSTONE_TYPE_NUMBER, false, 0, 18446744073709551616.0, ""));
  CHECK(is(std::string("text"), FLAGSTONE_TYPE_STRING, false, 0, 0, "text"));
  CHECK(is(static_cast<const char *>(nullptr), FLAGSTONE_TYPE_NONE, false, 0, 0, ""));
  CHECK(client.variation(ada, "bool", Type::boolean, false).as_bool() == true);
  CHECK(client.variation(ada, "string", Type::string, "x", 0).as_string() == "gr\xc3\xbcn");
  CHECK(client.variation(ada, "missing", Type::none, Default::json("{")).error_kind() == ErrorKind::flag_not_found);
  const std::vector<Detail> many = client.variation_many(ada, {"bool", "missing", "int"}, {false, "fewer than keys"});
  CHECK(many.size() == 3 && many[0].as_bool() == true && !many[1].has_value() && many[2].as_int() == 1234567890123456789);
  CHECK(many[0].reason() == Reason::fallthrough && client.variation_many(ada, {}, {}, 0).empty());
}

// The events that wait, as the status tells; -1 without events.
int waiting(const Client &client) {
  const std::optional<Text> status = client.status_json();
  const std::string_view member = "\"waiting\":";
  const std::size_t place = status ? status->view().find(member) : std::string_view::npos;
  return place == std::string_view::npos ? -1 : std::atoi(status->str().c_str() + place + member.size());
}

void events(const Context &ada) {
  Config config;
  config.set_test_data(data());
  config.set("sdk.key", "sdk").set("endpoints.events", "http://127.0.0.1:1"); /* nobody listens there */
  Client client(config);
  CHECK(client.identify(ada) && client.track(ada, "done") && waiting(client) == 2);
  CHECK(client.track(ada, "", "{\"items\":[1,2]}", 2.5) && client.track(ada, "measured", {}, 0) && waiting(client) == 4);
  Outcome refused = client.track(ada, "done", "{");
  CHECK(refused.status() == FLAGSTONE_STATUS_BAD_JSON && refused.message().find("data_json") != std::string_view::npos);
  CHECK(client.track(ada, "done", {}, std::nan("")).status() == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(client.track(ada, "done", {}, HUGE_VAL).status() == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(client.track(ada, "\x80").status() == FLAGSTONE_STATUS_BAD_UTF8 && client.track(ada, "done", "\x80").status() == FLAGSTONE_STATUS_BAD_UTF8);
  Context nobody = ada;
  const Context moved = std::move(nobody);
  CHECK(client.identify(moved) && client.identify(nobody).status() == FLAGSTONE_STATUS_NULL_ARGUMENT);
  CHECK(waiting(client) == 5);
  CHECK(client.start(SOON) && !client.flush(SOON) && waiting(client) == 0);
  CHECK(client.close(SOON));
  CHECK(client.identify(ada).status() == FLAGSTONE_STATUS_CLOSED && client.track(ada, "late").status() == FLAGSTONE_STATUS_CLOSED);
}

void listeners(Client client, TestData data, const Context &ada) {
  CHECK(data.set(Kind::flag, flag("heard", "1")));
  Outcome outcome;
  const std::optional<std::uint64_t> listener = client.listen(ada, "heard", &outcome);
  CHECK(listener && outcome && data.set(Kind::flag, flag("heard", "2")));
  std::optional<Notification> told;
  while ((told = client.next_notification(SOON)) && told->kind() != FLAGSTONE_NOTIFICATION_VALUE_CHANGED) {
  }
  const std::string expected = "{\"listener\":" + std::to_string(listener.value_or(0)) + ",\"old\":1,\"new\":2}";
  CHECK(told && told->text() == "heard" && told->extra() == expected);
  CHECK(client.unlisten(listener.value_or(0)) && client.unlisten(listener.value_or(0)).status() == FLAGSTONE_STATUS_NOT_FOUND);
}

void migrations(const Context &ada) {
  TestData flags = data();
  CHECK(flags.set(Kind::flag, flag("stage", "\"shadow\"", ",\"migration\":{\"checkRatio\":0}")));
  Config config;
  config.set_test_data(flags);
  config.set("sdk.key", "sdk").set("endpoints.events", "http://127.0.0.1:1"); /* nobody listens there */
  Client client(config);
  CHECK(client.start(SOON));
  Detail detail = client.variation(ada, "string");
  Migration migration = client.migration(ada, "stage", Stage::off, &detail);
  CHECK(migration.stage() == Stage::shadow && detail.as_string() == "shadow" && !migration.wants_check());
  CHECK(client.track(migration).message().find("reads or writes") != std::string_view::npos);
  CHECK(migration.set_operation(Operation::read) && migration.set_invoked(Origin::old_one) && migration.set_invoked(Origin::new_one));
  CHECK(migration.set_latency(Origin::old_one, Milliseconds(5)) && migration.set_latency(Origin::new_one, std::chrono::microseconds(7)));
  CHECK(migration.set_latency(Origin::old_one, Milliseconds(-1)).status() == FLAGSTONE_STATUS_INVALID_ARGUMENT);
  CHECK(migration.set_failed(Origin::new_one) && migration.set_consistent(false));
  const std::int64_t before = waiting(client);
  Migration copy = migration;
  CHECK(copy.get() == migration.get() && client.track(copy) && waiting(client) == before + 1);
  CHECK(client.track(migration).status() == FLAGSTONE_STATUS_INVALID_ARGUMENT && waiting(client) == before + 1);
  migration = client.migration(ada, "string", Stage::live, &detail);
  CHECK(migration.stage() == Stage::live && detail.error_kind() == ErrorKind::wrong_type && !detail.has_value());
  /* What could not be begun follows its default. */
  migration = client.migration(ada, "\x80", Stage::rampdown);
  CHECK(migration.get() == nullptr && migration.stage() == Stage::rampdown && !migration.wants_check());
  CHECK(migration.set_operation(Operation::write).status() == FLAGSTONE_STATUS_NULL_ARGUMENT);
  Outcome unknown;
  CHECK(!client.environment_id(&unknown) && unknown.status() == FLAGSTONE_STATUS_NOT_FOUND);
  CHECK(client.close(SOON) && client.track(copy).status() == FLAGSTONE_STATUS_CLOSED);
}

void notifications(Client client, TestData data) {
  CHECK(data.set(Kind::flag, flag("announced", "true")));
  bool changed = false;
  while (!changed) {
    Outcome outcome;
    std::optional<Notification> notification = client.next_notification(SOON, &outcome);
    CHECK(outcome);
    if (!notification) break;
    changed = notification->kind() == FLAGSTONE_NOTIFICATION_FLAG_CHANGED && notification->text() == "announced";
    if (changed) CHECK(notification->extra().find("\"new_version\":1") != std::string_view::npos);
    CHECK(notification->unix_ms() > 0 && notification->dropped() == 0);
    if (notification->kind() == FLAGSTONE_NOTIFICATION_LOG) CHECK(notification->level() <= FLAGSTONE_LEVEL_ERROR);
    if (notification->kind() == FLAGSTONE_NOTIFICATION_STATUS) CHECK(notification->state() <= State::forked);
  }
  CHECK(data.set_status(State::interrupted, FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE, 503, "busy"));
  CHECK(client.wait(State::interrupted, SOON));
  const std::optional<Status> status = client.status();
  CHECK(status && status->source_state() == State::interrupted && status->last_error() == "busy");
  CHECK(status->last_error_kind() == FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE && status->last_error_status() == 503);
  CHECK(status->last_error_ms() > 0 && status->source_since_ms() > 0 && status->store_available());
  CHECK(status->store_stale_since_ms() == 0);
  std::thread waker([client]() mutable { client.wake(); });
  bool woken = false;
  while (const auto notification = client.next_notification(SOON)) {
    woken = notification->kind() == FLAGSTONE_NOTIFICATION_WAKE;
    if (woken) break;
  }
  waker.join();
  CHECK(woken);
}

// One vip; it fails when it is told to, and can be asked as long as somebody holds it.
class Vips : public BigSegmentStore {
 public:
  explicit Vips(int &alive) : alive_(alive) { ++alive_; }
  ~Vips() override { --alive_; }
  void membership(std::string_view context_hash, Membership &out) override {
    if (fails) throw std::runtime_error("out of order");
    CHECK(context_hash.size() == 44);
    CHECK(out.add("vip.g1", true) && out.add("other.g2", false) && !out.add("\x80", true));
  }
  std::optional<std::int64_t> metadata() override {
    if (fails) throw 7;
    return synced;
  }
  bool fails = false;
  std::optional<std::int64_t> synced = 9000000000000;

 private:
  int &alive_;
};

void big_segments(const Context &ada) {
  TestData data;
  try {
    Config().set_big_segment_store(nullptr);
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.status() == FLAGSTONE_STATUS_NULL_ARGUMENT);
  }
  CHECK(data.set(Kind::segment, "{\"key\":\"vip\",\"unbounded\":true,\"generation\":1}"));
  CHECK(data.set(Kind::flag, flag("big", "true,false",
                                  ",\"rules\":[{\"variation\":1,\"clauses\":[{\"op\":\"segmentMatch\",\"values\":[\"vip\"]}]}]")));
  int alive = 0;
  auto vips = std::make_shared<Vips>(alive);
  Outcome outcome;
  {
    Config config;
    config.set_test_data(data).set_big_segment_store(vips).set("big_segments.cache_ms", "1");
    Client client(config);
    CHECK(client.start(SOON) && client.may_wait());
    const Detail in = client.variation(ada, "big");
    CHECK(in.as_bool() == false && in.big_segments() == FLAGSTONE_BIG_SEGMENTS_HEALTHY);
    vips->synced.reset();
    const auto never = client.big_segments_poll();
    CHECK(never && never->available() && never->stale() && never->last_sync_ms() == 0);
    vips->fails = true;
    const Detail without = client.variation(Context("user", "bob"), "big");
    CHECK(without.as_bool() == true && without.big_segments() == FLAGSTONE_BIG_SEGMENTS_STORE_ERROR);
    const auto gone = client.big_segments_poll(&outcome);
    CHECK(outcome && gone && !gone->available() && client.big_segments_status()->last_sync_ms() == 0);
    CHECK(client.close(SOON));
    CHECK(!client.big_segments_status(&outcome) && outcome.status() == FLAGSTONE_STATUS_CLOSED);
    vips.reset();
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

void clients() {
  TestData flags = data();
  Config config;
  config.set_test_data(flags);
  Client client(config);
  const Context ada("user", "ada");
  CHECK(client.state() == State::init && !client.bool_variation(ada, "bool", false));
  CHECK(client.start(SOON) && client.wait(State::valid, SOON) && client.state() == State::valid);
  CHECK(client.postfork() && client.flush(seconds(-1)) && client.subscribe(FLAGSTONE_SUBSCRIBE_FLAG_CHANGES));
  values(client, ada);
  details(client, ada);
  prepared(client, ada);
  texts(client, ada);
  CHECK(client.identify(ada) && client.track(ada, "done") && waiting(client) == -1); /* without events nothing happens */
  defaults(client, ada);
  events(ada);
  migrations(ada);
  big_segments(ada);
  big_segments(ada);
  notifications(client, flags);
  listeners(client, flags, ada);
  const Outcome no_redis = client.set_credentials("ada", "hunter2", seconds(60));
  CHECK(no_redis.status() == FLAGSTONE_STATUS_INVALID_ARGUMENT && no_redis.message().find("no Redis") != std::string_view::npos);
  Client copy = client;
  CHECK(copy.get() == client.get());
  CHECK(client.close(Milliseconds::max()));
  const Outcome late = copy.start(seconds(0));
  CHECK(late.status() == FLAGSTONE_STATUS_CLOSED && late.message() == "the client is closed");
  CHECK(copy.wait(State::valid, SOON).message() == "CLOSED");
  Outcome outcome;
  while (copy.next_notification(SOON, &outcome)) {
  }
  CHECK(outcome.status() == FLAGSTONE_STATUS_CLOSED && !copy.status(&outcome) && !outcome);
  CHECK(!copy.listen(ada, "bool", &outcome) && outcome.status() == FLAGSTONE_STATUS_CLOSED);
  CHECK(copy.bool_variation(ada, "bool", false)); /* the last data held */
}

static_assert(std::is_copy_constructible_v<Client> && std::is_copy_constructible_v<Context>);
static_assert(!std::is_copy_constructible_v<Detail> && std::is_nothrow_move_constructible_v<Detail>);
static_assert(!std::is_copy_constructible_v<Text> && std::is_nothrow_move_assignable_v<Text>);
static_assert(std::is_nothrow_invocable_v<decltype(&Client::bool_variation), Client &, const Context &, std::string_view, bool>);

}  // namespace

int main() {
  CHECK(!flagstone::version().empty() && flagstone::abi_version() >> 16 == FLAGSTONE_ABI_MAJOR);
  CHECK(flagstone::features() & FLAGSTONE_FEATURE_TLS);
  configurations();
  contexts();
  clients();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
