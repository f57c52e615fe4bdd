// Part of flagstone.hpp: the client.
#ifndef FLAGSTONE_CLIENT_HPP
#define FLAGSTONE_CLIENT_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "context.hpp"
#include "default.hpp"
#include "detail.hpp"
#include "migration.hpp"

namespace flagstone {

// One environment's flags, held and kept true. One per environment and process is enough.
class Client {
 public:
  explicit Client(const Config &config)
      : handle_(internal::made<flagstone_client>([&](flagstone_client **out, flagstone_error **error) {
          return flagstone_client_new(config.get(), out, error);
        })) {}

  // Waits until the data are there. Not in time: it goes on trying, and the outcome says why so far.
  Outcome start(Milliseconds timeout) noexcept {
    return internal::call(
        [&](flagstone_error **error) { return flagstone_client_start(get(), internal::count(timeout), error); });
  }
  Outcome wait(State state, Milliseconds timeout) const noexcept {
    return {flagstone_client_wait(get(), static_cast<std::int32_t>(state), internal::count(timeout)), nullptr};
  }
  State state() const noexcept { return static_cast<State>(flagstone_client_state(get())); }
  std::optional<Text> status_json(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_client_status_json(get(), out, error);
    });
  }
  std::optional<Text> metrics_text(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_client_metrics_text(get(), out, error);
    });
  }
  std::optional<Status> status(Outcome *outcome = nullptr) const noexcept {
    std::optional<Status> status(std::in_place);
    Outcome made =
        internal::call([&](flagstone_error **error) { return flagstone_client_status(get(), status->get(), error); });
    if (!made) status.reset();
    if (outcome != nullptr) *outcome = std::move(made);
    return status;
  }
  // How the big-segment store stands; one that was never asked is asked first.
  std::optional<BigSegmentStatus> big_segments_status(Outcome *outcome = nullptr) noexcept {
    return big_segments(outcome, flagstone_big_segments_status);
  }
  // Asks a store of one's own how old it is, on this thread: to be called every big_segments.poll_interval_ms.
  std::optional<BigSegmentStatus> big_segments_poll(Outcome *outcome = nullptr) noexcept {
    return big_segments(outcome, flagstone_big_segments_poll);
  }
  // Whether an evaluation may wait for Redis or a big-segment store; may change with the data.
  bool may_wait() const noexcept { return flagstone_client_may_wait(get()) != 0; }
  // Who logs in at Redis from now on; connections that are open log in anew and stay open. `user`: empty for the default user;
  // `valid_for`: 0 when it is not known.
  Outcome set_credentials(std::string_view user, std::string_view password, Milliseconds valid_for = {}) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_client_set_credentials(get(), user.data(), user.size(), password.data(), password.size(),
                                              static_cast<std::int64_t>(valid_for.count()), error);
    });
  }
  // In a child of fork, before its first evaluation; not needed.
  Outcome postfork() noexcept {
    return internal::call([this](flagstone_error **error) { return flagstone_client_postfork(get(), error); });
  }
  Outcome flush(Milliseconds timeout) noexcept {
    return internal::call(
        [&](flagstone_error **error) { return flagstone_client_flush(get(), internal::count(timeout), error); });
  }
  // Tells LaunchDarkly who somebody is, and that something happened; sent with the next flush.
  Outcome identify(const Context &context) noexcept {
    return internal::call([&](flagstone_error **error) { return flagstone_identify(get(), context.get(), error); });
  }
  // `data_json`: any JSON; empty for none.
  Outcome track(const Context &context, std::string_view name, std::string_view data_json = {},
                std::optional<double> metric = std::nullopt) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_track(get(), context.get(), name.data(), name.size(), metric ? &*metric : nullptr,
                             data_json.data(), data_json.size(), error);
    });
  }
  // Tells what an operation of a migration did, once.
  Outcome track(const Migration &migration) noexcept {
    return internal::call(
        [&](flagstone_error **error) { return flagstone_migration_track(get(), migration.get(), error); });
  }
  // The environment that the data come from; nothing (NOT_FOUND) when none is known.
  std::optional<Text> environment_id(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_client_environment_id(get(), out, error);
    });
  }
  // The version of a flag that is held; nothing (NOT_FOUND) when it is not.
  std::optional<std::int64_t> flag_version(std::string_view key, Outcome *outcome = nullptr) const noexcept {
    std::int64_t version = 0;
    Outcome made = internal::call([&](flagstone_error **error) {
      return flagstone_client_flag_version(get(), key.data(), key.size(), &version, error);
    });
    const bool is_held = static_cast<bool>(made);
    if (outcome != nullptr) *outcome = std::move(made);
    return is_held ? std::optional<std::int64_t>(version) : std::nullopt;
  }
  // `wants`: FLAGSTONE_SUBSCRIBE_ bits.
  Outcome subscribe(std::uint32_t wants) noexcept {
    return internal::call([&](flagstone_error **error) { return flagstone_client_subscribe(get(), wants, error); });
  }
  // The number under which a notification of kind FLAGSTONE_NOTIFICATION_VALUE_CHANGED tells when the value changes.
  std::optional<std::uint64_t> listen(const Context &context, std::string_view key, Outcome *outcome = nullptr) noexcept {
    std::uint64_t listener = 0;
    Outcome made = internal::call([&](flagstone_error **error) {
      return flagstone_client_listen(get(), context.get(), key.data(), key.size(), &listener, error);
    });
    const bool listens = static_cast<bool>(made);
    if (outcome != nullptr) *outcome = std::move(made);
    return listens ? std::optional<std::uint64_t>(listener) : std::nullopt;
  }
  Outcome unlisten(std::uint64_t listener) noexcept {
    return internal::call([&](flagstone_error **error) { return flagstone_client_unlisten(get(), listener, error); });
  }
  // Evaluation goes on answering from the last data held. Without it, the last copy of the client closes and does not wait.
  Outcome close(Milliseconds timeout) noexcept {
    return {flagstone_client_close(get(), internal::count(timeout)), nullptr};
  }

  bool bool_variation(const Context &context, std::string_view key, bool default_value) const noexcept {
    return flagstone_bool_variation(get(), context.get(), key.data(), key.size(), default_value ? 1 : 0) != 0;
  }
  std::int64_t int_variation(const Context &context, std::string_view key, std::int64_t default_value) const noexcept {
    return flagstone_int_variation(get(), context.get(), key.data(), key.size(), default_value);
  }
  double double_variation(const Context &context, std::string_view key, double default_value) const noexcept {
    return flagstone_double_variation(get(), context.get(), key.data(), key.size(), default_value);
  }
  std::string string_variation(const Context &context, std::string_view key, std::string_view default_value) const {
    const std::optional<Text> text = text_variation(context, key, default_value);
    return std::string(text ? text->view() : default_value);
  }
  // Without a copy; nothing where string_variation gives its default, of which only events tell.
  std::optional<Text> text_variation(const Context &context, std::string_view key,
                                     std::string_view default_value = {}) const noexcept {
    std::optional<Text> text(std::in_place);
    const std::int32_t found =
        flagstone_string_variation(get(), context.get(), key.data(), key.size(), default_value.data(),
                                   default_value.size(), text->get());
    if (found == 0) text.reset();
    return text;
  }
  // A value of another type than `want` is ERROR/WRONG_TYPE; `json` takes any and gives its JSON text.
  Detail variation(const Context &context, std::string_view key, Type want = Type::none) const noexcept {
    Detail detail;
    flagstone_variation(get(), context.get(), key.data(), key.size(), static_cast<std::int32_t>(want), nullptr, 0,
                        detail.get());
    return detail;
  }
  // With a default of which events tell. `options`: FLAGSTONE_ASK_ bits.
  Detail variation(const Context &context, std::string_view key, Type want, const Default &default_value,
                   std::uint32_t options = FLAGSTONE_ASK_REASON) const noexcept {
    Detail detail;
    flagstone_variation_or(get(), context.get(), key.data(), key.size(), static_cast<std::int32_t>(want),
                           default_value.get(), options, detail.get());
    return detail;
  }
  std::vector<Detail> variation_many(const Context &context, const std::vector<std::string_view> &keys) const {
    std::vector<flagstone_str> texts;
    texts.reserve(keys.size());
    for (const std::string_view key : keys) texts.push_back(internal::str(key));
    std::vector<Detail> details(keys.size());
    if (!keys.empty()) {
      flagstone_variation_many(get(), context.get(), texts.data(), texts.size(), details.front().get());
    }
    return details;
  }
  // With defaults of which events tell, as many as keys.
  std::vector<Detail> variation_many(const Context &context, const std::vector<std::string_view> &keys,
                                     const std::vector<Default> &defaults,
                                     std::uint32_t options = FLAGSTONE_ASK_REASON) const {
    std::vector<flagstone_str> texts;
    std::vector<flagstone_default> values(keys.size());
    texts.reserve(keys.size());
    for (const std::string_view key : keys) texts.push_back(internal::str(key));
    for (std::size_t at = 0; at < keys.size() && at < defaults.size(); at++) values[at] = *defaults[at].get();
    std::vector<Detail> details(keys.size());
    if (!keys.empty()) {
      flagstone_variation_many_or(get(), context.get(), texts.data(), values.data(), texts.size(), options,
                                  details.front().get());
    }
    return details;
  }
  // Begins an operation of the migration that the flag controls. One that could not be begun (a key that is not UTF-8) follows the
  // default stage and cannot be told. `detail`: takes the stage and why.
  Migration migration(const Context &context, std::string_view key, Stage default_stage,
                      Detail *detail = nullptr) const noexcept {
    if (detail != nullptr) *detail = Detail();
    flagstone_migration *made = nullptr;
    flagstone_migration_variation(get(), context.get(), key.data(), key.size(), static_cast<std::int32_t>(default_stage),
                                  detail == nullptr ? nullptr : detail->get(), &made, nullptr);
    return Migration(made, default_stage);
  }
  // `options`: FLAGSTONE_ALL_FLAGS_... bits.
  std::optional<Text> all_flags_json(const Context &context, std::uint32_t options = 0,
                                     Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [&](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_all_flags_json(get(), context.get(), options, out, error);
    });
  }
  std::optional<Text> secure_mode_hash(const Context &context, Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [&](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_secure_mode_hash(get(), context.get(), out, error);
    });
  }

  // The oldest notification; nothing when none came in time (TIMEOUT), or none will come any more (CLOSED).
  std::optional<Notification> next_notification(Milliseconds timeout, Outcome *outcome = nullptr) noexcept {
    std::optional<Notification> notification(std::in_place);
    const flagstone_status status =
        flagstone_client_next_notification(get(), internal::count(timeout), notification->get());
    if (status != FLAGSTONE_STATUS_OK) notification.reset();
    if (outcome != nullptr) *outcome = Outcome(status, nullptr);
    return notification;
  }
  // Ends the wait of one who waits for a notification.
  void wake() noexcept { flagstone_client_wake(get()); }

  flagstone_client *get() const noexcept { return handle_.get(); }

 private:
  template <typename Ask>
  std::optional<BigSegmentStatus> big_segments(Outcome *outcome, Ask ask) noexcept {
    std::optional<BigSegmentStatus> status(std::in_place);
    Outcome made = internal::call([&](flagstone_error **error) { return ask(get(), status->get(), error); });
    if (!made) status.reset();
    if (outcome != nullptr) *outcome = std::move(made);
    return status;
  }
  internal::Shared<flagstone_client, flagstone_client_retain, flagstone_client_release> handle_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_CLIENT_HPP
