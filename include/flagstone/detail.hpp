// Part of flagstone.hpp: what an evaluation gives, with its reason; notifications; the status of a client.
#ifndef FLAGSTONE_DETAIL_HPP
#define FLAGSTONE_DETAIL_HPP

#include <cstdint>
#include <optional>
#include <string_view>

#include "base.hpp"

namespace flagstone {

// A value with its reason. Its views are valid as long as it lives, whatever happens to the flag and the client.
class Detail {
 public:
  Detail() noexcept { raw_->struct_size = sizeof(flagstone_detail); }

  // False: there is no value; use your default.
  bool has_value() const noexcept { return (raw_->flags & FLAGSTONE_DETAIL_DEFAULTED) == 0; }
  // The type of the value; `none` with a value: it is null.
  Type type() const noexcept { return static_cast<Type>(raw_->value_type); }
  std::optional<bool> as_bool() const noexcept {
    return type() == Type::boolean ? std::optional<bool>(raw_->number_value != 0) : std::nullopt;
  }
  // Exact over 64 bits, otherwise rounded: see flagstone_int_variation.
  std::optional<std::int64_t> as_int() const noexcept {
    return type() == Type::number ? std::optional<std::int64_t>(flagstone_detail_int(raw_.get(), 0)) : std::nullopt;
  }
  std::optional<double> as_double() const noexcept {
    return type() == Type::number ? std::optional<double>(raw_->number_value) : std::nullopt;
  }
  std::optional<std::string_view> as_string() const noexcept {
    return type() == Type::string ? std::optional<std::string_view>(text()) : std::nullopt;
  }
  // A string; the JSON text of a value; a number as the flag writes it.
  std::string_view text() const noexcept { return internal::view(raw_->text); }

  Reason reason() const noexcept { return static_cast<Reason>(raw_->reason); }
  ErrorKind error_kind() const noexcept { return static_cast<ErrorKind>(raw_->error_kind); }
  std::optional<std::int32_t> variation_index() const noexcept { return index(raw_->variation_index); }
  std::optional<std::int32_t> rule_index() const noexcept { return index(raw_->rule_index); }
  std::string_view rule_id() const noexcept { return internal::view(raw_->rule_id); }
  std::string_view prerequisite_key() const noexcept { return internal::view(raw_->prerequisite_key); }
  bool in_experiment() const noexcept { return (raw_->flags & FLAGSTONE_DETAIL_IN_EXPERIMENT) != 0; }
  // The last good data answered: they are not known to be true.
  bool is_stale() const noexcept { return (raw_->flags & FLAGSTONE_DETAIL_STALE) != 0; }
  std::int32_t big_segments() const noexcept { return raw_->big_segments_status; }  // FLAGSTONE_BIG_SEGMENTS_...
  flagstone_detail *get() noexcept { return raw_.get(); }

 private:
  static std::optional<std::int32_t> index(std::int32_t index) noexcept {
    return index < 0 ? std::nullopt : std::optional<std::int32_t>(index);
  }
  internal::Owned<flagstone_detail, flagstone_detail_clear> raw_;
};
static_assert(sizeof(Detail) == sizeof(flagstone_detail), "an array of details is one of the structs");

// Something that the client tells: a line of log, a change of its state or of a flag.
class Notification {
 public:
  Notification() noexcept { raw_->struct_size = sizeof(flagstone_notification); }
  std::int32_t kind() const noexcept { return raw_->kind; }  // FLAGSTONE_NOTIFICATION_...
  std::int32_t level() const noexcept { return raw_->level_or_state; }  // of a line of log: FLAGSTONE_LEVEL_...
  State state() const noexcept { return static_cast<State>(raw_->level_or_state); }  // of a change of the state
  std::uint32_t dropped() const noexcept { return raw_->dropped; }
  std::int64_t unix_ms() const noexcept { return raw_->unix_ms; }
  std::string_view text() const noexcept { return internal::view(raw_->text); }
  std::string_view extra() const noexcept { return internal::view(raw_->extra); }
  flagstone_notification *get() noexcept { return raw_.get(); }

 private:
  internal::Owned<flagstone_notification, flagstone_notification_clear> raw_;
};

// How data source and Redis fare. Times are Unix times in milliseconds; 0 says never.
class Status {
 public:
  Status() noexcept { raw_->struct_size = sizeof(flagstone_client_status_info); }
  State source_state() const noexcept { return static_cast<State>(raw_->source_state); }
  std::int64_t source_since_ms() const noexcept { return raw_->source_since_ms; }
  std::int32_t last_error_kind() const noexcept { return raw_->last_error_kind; }  // FLAGSTONE_SOURCE_ERROR_...
  std::int32_t last_error_status() const noexcept { return raw_->last_error_status; }
  std::int64_t last_error_ms() const noexcept { return raw_->last_error_ms; }
  std::string_view last_error() const noexcept { return internal::view(raw_->last_error); }
  bool store_available() const noexcept { return raw_->store_available != 0; }
  std::int64_t store_stale_since_ms() const noexcept { return raw_->store_stale_since_ms; }
  flagstone_client_status_info *get() noexcept { return raw_.get(); }

 private:
  internal::Owned<flagstone_client_status_info, flagstone_client_status_info_clear> raw_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_DETAIL_HPP
