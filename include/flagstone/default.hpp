// Part of flagstone.hpp: a default of which events tell.
#ifndef FLAGSTONE_DEFAULT_HPP
#define FLAGSTONE_DEFAULT_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base.hpp"

namespace flagstone {

// Null, a bool, a number, a string or JSON. Borrows its text.
class Default {
 public:
  Default() noexcept = default;
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  Default(T value) noexcept {
    if constexpr (std::is_same_v<T, bool>) {
      value_.value_type = FLAGSTONE_TYPE_BOOL;
      value_.integer = value ? 1 : 0;
    } else {
      value_.value_type = FLAGSTONE_TYPE_NUMBER;
      value_.is_integer = is_whole(value) ? 1 : 0;
      if (is_whole(value)) {
        value_.integer = static_cast<std::int64_t>(value);
      } else {
        value_.number = static_cast<double>(value);
      }
    }
  }
  Default(std::string_view text) noexcept {
    value_.value_type = FLAGSTONE_TYPE_STRING;
    value_.text = internal::str(text);
  }
  Default(const std::string &text) noexcept : Default(std::string_view(text)) {}
  // NULL is null.
  Default(const char *text) noexcept {
    if (text != nullptr) *this = Default(std::string_view(text));
  }
  static Default json(std::string_view text) noexcept {
    Default made(text);
    made.value_.value_type = FLAGSTONE_TYPE_JSON;
    return made;
  }
  const flagstone_default *get() const noexcept { return &value_; }

 private:
  // Whether it is an integer that 64 bits with a sign hold.
  template <typename T>
  static constexpr bool is_whole(T value) noexcept {
    if constexpr (!std::is_integral_v<T>) {
      return false;
    } else if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(std::int64_t)) {
      return value <= static_cast<T>(INT64_MAX);
    } else {
      return true;
    }
  }

  flagstone_default value_{};
};

}  // namespace flagstone

#endif  // FLAGSTONE_DEFAULT_HPP
