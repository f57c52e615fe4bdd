// Part of flagstone.hpp: words, outcomes, texts, and how handles and value structs are owned.
#ifndef FLAGSTONE_BASE_HPP
#define FLAGSTONE_BASE_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../flagstone.h"

namespace flagstone {

using Milliseconds = std::chrono::milliseconds;

// The values are those of flagstone.h, and may become more: treat unknown ones as one that you know.
enum class State : std::int32_t {
  init = FLAGSTONE_STATE_INIT,
  valid = FLAGSTONE_STATE_VALID,
  interrupted = FLAGSTONE_STATE_INTERRUPTED,
  off = FLAGSTONE_STATE_OFF,
  forked = FLAGSTONE_STATE_FORKED
};
enum class Type : std::int32_t {
  none = FLAGSTONE_TYPE_NONE,  // as a wish: any
  boolean = FLAGSTONE_TYPE_BOOL,
  number = FLAGSTONE_TYPE_NUMBER,
  string = FLAGSTONE_TYPE_STRING,
  json = FLAGSTONE_TYPE_JSON
};
enum class Reason : std::int32_t {
  off = FLAGSTONE_REASON_OFF,
  fallthrough = FLAGSTONE_REASON_FALLTHROUGH,
  target_match = FLAGSTONE_REASON_TARGET_MATCH,
  rule_match = FLAGSTONE_REASON_RULE_MATCH,
  prerequisite_failed = FLAGSTONE_REASON_PREREQUISITE_FAILED,
  error = FLAGSTONE_REASON_ERROR
};
enum class ErrorKind : std::int32_t {
  none = FLAGSTONE_ERROR_KIND_NONE,
  client_not_ready = FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY,
  flag_not_found = FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND,
  user_not_specified = FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED,
  malformed_flag = FLAGSTONE_ERROR_KIND_MALFORMED_FLAG,
  wrong_type = FLAGSTONE_ERROR_KIND_WRONG_TYPE,
  exception = FLAGSTONE_ERROR_KIND_EXCEPTION
};
enum class Kind : std::int32_t { flag = FLAGSTONE_KIND_FLAG, segment = FLAGSTONE_KIND_SEGMENT };

namespace internal {

inline flagstone_str str(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(flagstone_str text) noexcept {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}
// Waits of more than 49 days are cut, negative ones are none.
inline std::uint32_t count(Milliseconds time) noexcept {
  const auto milliseconds = time.count();
  return milliseconds <= 0 ? 0 : milliseconds >= UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(milliseconds);
}

template <auto give_back>
struct GivesBack {
  template <typename T>
  void operator()(T *handle) const noexcept {
    give_back(handle);
  }
};
template <typename T, auto give_back>
using Unique = std::unique_ptr<T, GivesBack<give_back>>;

// A counted handle.
template <typename T, auto retain, auto release>
class Shared {
 public:
  explicit Shared(T *handle = nullptr) noexcept : handle_(handle) {}
  Shared(const Shared &other) noexcept : handle_(retain(other.handle_)) {}
  Shared(Shared &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Shared &operator=(Shared other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Shared() { release(handle_); }
  T *get() const noexcept { return handle_; }

 private:
  T *handle_;
};

// A value struct that owns what its texts point to.
template <typename T, auto clear>
class Owned {
 public:
  Owned() noexcept : value_() {}
  Owned(Owned &&other) noexcept : value_(std::exchange(other.value_, T())) {}
  Owned &operator=(Owned &&other) noexcept {
    if (this != &other) {
      clear(&value_);
      value_ = std::exchange(other.value_, T());
    }
    return *this;
  }
  ~Owned() { clear(&value_); }
  T *operator->() noexcept { return &value_; }
  const T *operator->() const noexcept { return &value_; }
  T *get() noexcept { return &value_; }
  const T *get() const noexcept { return &value_; }

 private:
  T value_;
};

}  // namespace internal

// Why something could not be made.
class Error : public std::runtime_error {
 public:
  Error(flagstone_status status, std::string_view message) : std::runtime_error(std::string(message)), status_(status) {}
  flagstone_status status() const noexcept { return status_; }  // FLAGSTONE_STATUS_...

 private:
  flagstone_status status_;
};

// What became of a call: true when it succeeded.
class [[nodiscard]] Outcome {
 public:
  Outcome() noexcept = default;
  Outcome(flagstone_status status, flagstone_error *error) noexcept : status_(status), error_(error) {}
  explicit operator bool() const noexcept { return status_ == FLAGSTONE_STATUS_OK; }
  flagstone_status status() const noexcept { return status_; }  // FLAGSTONE_STATUS_...
  std::string_view message() const noexcept {
    return error_ ? internal::view(flagstone_error_message(error_.get())) : std::string_view(flagstone_status_name(status_));
  }
  void or_throw() const {
    if (!*this) throw Error(status_, message());
  }

 private:
  flagstone_status status_ = FLAGSTONE_STATUS_OK;
  internal::Unique<flagstone_error, flagstone_error_free> error_;
};

namespace internal {

// Calls with a place for the error.
template <typename Call>
Outcome call(Call &&body) noexcept {
  flagstone_error *error = nullptr;
  const flagstone_status status = body(&error);
  return Outcome(status, error);
}
template <typename T, typename Make>
T *made(Make &&make) {
  T *handle = nullptr;
  call([&](flagstone_error **error) { return make(&handle, error); }).or_throw();
  return handle;
}

}  // namespace internal

// A text with its owner.
class Text {
 public:
  std::string_view view() const noexcept { return {bytes_->len == 0 ? "" : bytes_->ptr, bytes_->len}; }
  operator std::string_view() const noexcept { return view(); }
  std::string str() const { return std::string(view()); }
  flagstone_bytes *get() noexcept { return bytes_.get(); }

 private:
  internal::Owned<flagstone_bytes, flagstone_bytes_clear> bytes_;
};

namespace internal {

template <typename Call>
std::optional<Text> text(Outcome *outcome, Call &&body) noexcept {
  std::optional<Text> text(std::in_place);
  Outcome made = call([&](flagstone_error **error) { return body(text->get(), error); });
  if (!made) text.reset();
  if (outcome != nullptr) *outcome = std::move(made);
  return text;
}

}  // namespace internal

// Of the library that is loaded: its version, that of the ABI (major << 16 | minor) and FLAGSTONE_FEATURE_ bits.
inline std::string_view version() noexcept { return flagstone_version_string(); }
inline std::uint32_t abi_version() noexcept { return flagstone_abi_version(); }
inline std::uint64_t features() noexcept { return flagstone_features(); }

}  // namespace flagstone

#endif  // FLAGSTONE_BASE_HPP
