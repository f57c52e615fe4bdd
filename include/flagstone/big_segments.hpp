// Part of flagstone.hpp: a big-segment store of one's own, and how the store stands.
#ifndef FLAGSTONE_BIG_SEGMENTS_HPP
#define FLAGSTONE_BIG_SEGMENTS_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base.hpp"

namespace flagstone {

// What a store says of one context, while it is being asked.
class Membership {
 public:
  explicit Membership(flagstone_membership *handle) noexcept : handle_(handle) {}
  // `reference`: the segment's key, ".g" and its generation.
  Outcome add(std::string_view reference, bool included) noexcept {
    return {flagstone_membership_add(handle_, reference.data(), reference.size(), included ? 1 : 0), nullptr};
  }

 private:
  flagstone_membership *handle_;
};

// A big-segment store of one's own. Asked on the threads that evaluate, also by several at once; what is thrown is a failure of
// the store.
class BigSegmentStore {
 public:
  virtual ~BigSegmentStore() = default;
  // The big segments that include or exclude the context whose key has this hash: Base64 of the SHA-256.
  virtual void membership(std::string_view context_hash, Membership &out) = 0;
  // When the store was last brought up to date, Unix time in milliseconds; nothing: never.
  virtual std::optional<std::int64_t> metadata() = 0;
};

// How the big-segment store stands.
class BigSegmentStatus {
 public:
  BigSegmentStatus() noexcept : raw_() { raw_.struct_size = sizeof raw_; }
  bool available() const noexcept { return raw_.available != 0; }
  bool stale() const noexcept { return raw_.stale != 0; }
  std::int64_t last_sync_ms() const noexcept { return raw_.last_sync_ms; }  // 0: not known
  flagstone_big_segment_status *get() noexcept { return &raw_; }

 private:
  flagstone_big_segment_status raw_;
};

namespace internal {

using HeldStore = std::shared_ptr<BigSegmentStore>;

inline std::int32_t ask_membership(void *held, const char *hash, std::size_t length, flagstone_membership *out) noexcept {
  try {
    Membership membership(out);
    (*static_cast<HeldStore *>(held))->membership(std::string_view(hash, length), membership);
    return FLAGSTONE_STATUS_OK;
  } catch (...) {
    return FLAGSTONE_STATUS_STORE;
  }
}
inline std::int32_t ask_metadata(void *held, std::int64_t *last_up_to_date_ms) noexcept {
  try {
    const std::optional<std::int64_t> last = (*static_cast<HeldStore *>(held))->metadata();
    if (!last) return FLAGSTONE_STATUS_NOT_FOUND;
    *last_up_to_date_ms = *last;
    return FLAGSTONE_STATUS_OK;
  } catch (...) {
    return FLAGSTONE_STATUS_STORE;
  }
}
inline void drop_store(void *held) noexcept { delete static_cast<HeldStore *>(held); }

}  // namespace internal

}  // namespace flagstone

#endif  // FLAGSTONE_BIG_SEGMENTS_HPP
