// Flagstone from C++17: flags REDIS-URL PREFIX FLAG
//
// Reads the flags that a Relay Proxy or an SDK keeps in Redis below PREFIX, and prints what one of them serves to two users, and
// why. Then it waits for changes of any flag, until its input ends.
//
//     c++ -std=c++17 flags.cpp $(pkg-config --cflags --libs flagstone) -pthread
#include <chrono>
#include <flagstone.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

namespace {

using std::chrono::seconds;

std::string_view name(flagstone::Reason reason) {
  switch (reason) {
    case flagstone::Reason::off: return "it is off";
    case flagstone::Reason::fallthrough: return "no rule matched";
    case flagstone::Reason::target_match: return "targeted";
    case flagstone::Reason::rule_match: return "a rule matched";
    case flagstone::Reason::prerequisite_failed: return "a prerequisite is not met";
    case flagstone::Reason::error: return "an error";
  }
  return "unknown";
}

void print(const flagstone::Client &client, const flagstone::Context &context, const std::string &flag) {
  const flagstone::Detail detail = client.variation(context, flag, flagstone::Type::json);
  std::cout << flag << " for " << context.canonical_key()->view() << ": ";
  std::cout << (detail.has_value() ? detail.text() : std::string_view("no value")) << ", " << name(detail.reason());
  if (!detail.rule_id().empty()) std::cout << " (" << detail.rule_id() << ')';
  std::cout << (detail.is_stale() ? ", last known\n" : "\n");
}

// Notifications wait in a queue until somebody takes them. Nobody has to: evaluations see every change anyway.
void tell_changes(flagstone::Client client) {
  flagstone::Outcome outcome;
  while (outcome.status() != FLAGSTONE_STATUS_CLOSED) {
    const auto notification = client.next_notification(seconds(60), &outcome);
    if (!notification) continue;
    if (notification->kind() == FLAGSTONE_NOTIFICATION_LOG) std::cerr << "log: " << notification->text() << '\n';
    if (notification->kind() == FLAGSTONE_NOTIFICATION_FLAG_CHANGED) {
      std::cout << "changed: " << notification->text() << ' ' << notification->extra() << std::endl;
    }
  }
}

int run(const std::string &url, const std::string &prefix, const std::string &flag) {
  flagstone::Config config;
  config.set("redis.url", url).set("redis.prefix", prefix);
  flagstone::Client client(config);
  if (const auto outcome = client.start(seconds(5)); !outcome) {
    std::cerr << outcome.message() << '\n';
    return 1;
  }
  const flagstone::Context ada("user", "ada", {{"email", "ada@example.org"}, {"age", 36}});
  const flagstone::Context guest("user", "guest", {{"anonymous", true}});
  print(client, ada, flag);
  print(client, guest, flag);

  // A prepared flag costs half as much as a call by key.
  const flagstone::Flag<bool> checkout(client, "new-checkout", false);
  std::cout << "new-checkout is " << (checkout.value(ada) ? "on" : "off") << " for ada" << std::endl;

  std::thread listener(tell_changes, client);
  while (std::cin.ignore()) {
  }
  (void)client.close(seconds(2));  // ends the listener, too
  listener.join();
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::cerr << "usage: " << argv[0] << " REDIS-URL PREFIX FLAG\n";
    return 2;
  }
  try {
    return run(argv[1], argv[2], argv[3]);
  } catch (const flagstone::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
