// Part of flagstone.hpp: prepared flags.
#ifndef FLAGSTONE_FLAG_HPP
#define FLAGSTONE_FLAG_HPP

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "client.hpp"

namespace flagstone {

namespace internal {

// Defaults as JSON text.
inline std::string json(bool value) { return value ? "true" : "false"; }
inline std::string json(std::int64_t value) { return std::to_string(value); }
inline std::string json(double value) {
  if (!std::isfinite(value)) throw Error(FLAGSTONE_STATUS_INVALID_ARGUMENT, "a default must be finite");
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.17g", value);
  std::string text(digits);
  for (char &letter : text) {
    // What a locale writes in the place of the point.
    if ((letter < '0' || letter > '9') && letter != '-' && letter != '+' && letter != 'e') letter = '.';
  }
  return text;
}
inline std::string json(std::string_view value) {
  std::string text("\"");
  for (const char letter : value) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(code));
      text += escape;
    } else {
      if (letter == '"' || letter == '\\') text += '\\';
      text += letter;
    }
  }
  return text + '"';
}

template <typename T>
constexpr Type type_of() {
  return std::is_same_v<T, bool> ? Type::boolean : std::is_same_v<T, std::string> ? Type::string : Type::number;
}

}  // namespace internal

// A flag with its default, bound to a client that it keeps: about half the cost of a call by key. `T` is bool, std::int64_t,
// double or std::string.
template <typename T>
class Flag {
  static_assert(std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, double> ||
                    std::is_same_v<T, std::string>,
                "a prepared flag is of bool, std::int64_t, double or std::string");
  // A text is taken as a view.
  using Default = std::conditional_t<std::is_same_v<T, std::string>, std::string_view, T>;

 public:
  Flag(const Client &client, std::string_view key, Default default_value)
      : handle_(make(client, key, internal::json(default_value)), flagstone_flag_release) {}

  // The value, or the default on any problem.
  T value(const Context &context) const noexcept(!std::is_same_v<T, std::string>) {
    if constexpr (std::is_same_v<T, bool>) {
      return flagstone_flag_bool(get(), context.get()) != 0;
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      return flagstone_flag_int(get(), context.get());
    } else if constexpr (std::is_same_v<T, double>) {
      return flagstone_flag_double(get(), context.get());
    } else {
      return text(context).str();
    }
  }
  // Without a copy.
  Text text(const Context &context) const noexcept {
    static_assert(std::is_same_v<T, std::string>, "only of a flag of std::string");
    Text text;
    flagstone_flag_string(get(), context.get(), text.get());
    return text;
  }
  // Without a wait: nothing when Redis would have to be read first, which it never has to with residency `all`.
  std::optional<bool> try_value(const Context &context) const noexcept {
    static_assert(std::is_same_v<T, bool>, "only of a flag of bool");
    const std::int32_t value = flagstone_flag_bool_try(get(), context.get());
    return value < 0 ? std::nullopt : std::optional<bool>(value != 0);
  }
  Detail detail(const Context &context) const noexcept {
    Detail detail;
    flagstone_flag_detail(get(), context.get(), detail.get());
    return detail;
  }
  // As detail, for callers that do not hand the reason on: events do not tell it either.
  Detail value_detail(const Context &context) const noexcept {
    Detail detail;
    flagstone_flag_value(get(), context.get(), detail.get());
    return detail;
  }
  flagstone_flag *get() const noexcept { return handle_.get(); }

 private:
  static flagstone_flag *make(const Client &client, std::string_view key, const std::string &json) {
    return internal::made<flagstone_flag>([&](flagstone_flag **out, flagstone_error **error) {
      return flagstone_flag_new(client.get(), key.data(), key.size(), static_cast<std::int32_t>(internal::type_of<T>()),
                                json.data(), json.size(), out, error);
    });
  }
  // A prepared flag has no retain of its own: copies share the one handle.
  std::shared_ptr<flagstone_flag> handle_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_FLAG_HPP
