// Part of flagstone.hpp: options, and test data.
#ifndef FLAGSTONE_CONFIG_HPP
#define FLAGSTONE_CONFIG_HPP

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base.hpp"
#include "big_segments.hpp"

namespace flagstone {

// Flags and segments that a test sets, for clients with Config::set_test_data.
class TestData {
 public:
  TestData() : handle_(flagstone_test_data_new()) {}
  Outcome set(Kind kind, std::string_view json) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_test_data_set_json(get(), static_cast<std::int32_t>(kind), json.data(), json.size(), error);
    });
  }
  Outcome remove(Kind kind, std::string_view key) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_test_data_delete(get(), static_cast<std::int32_t>(kind), key.data(), key.size(), error);
    });
  }
  // `error_kind`: a FLAGSTONE_SOURCE_ERROR_...
  Outcome set_status(State state, std::int32_t error_kind, std::int32_t http_status, std::string_view message) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_test_data_set_status(get(), static_cast<std::int32_t>(state), error_kind, http_status, message.data(),
                                            message.size(), error);
    });
  }
  flagstone_test_data *get() const noexcept { return handle_.get(); }

 private:
  internal::Shared<flagstone_test_data, flagstone_test_data_retain, flagstone_test_data_release> handle_;
};

// Options by name.
class Config {
 public:
  Config() : handle_(flagstone_config_new()) {}
  Config &set(std::string_view name, std::string_view value) {
    return changed([&](flagstone_error **error) {
      return flagstone_config_set(get(), name.data(), name.size(), value.data(), value.size(), error);
    });
  }
  Config &load_json(std::string_view json) {
    return changed(
        [&](flagstone_error **error) { return flagstone_config_load_json(get(), json.data(), json.size(), error); });
  }
  Config &set_test_data(const TestData &data) {
    return changed([&](flagstone_error **error) { return flagstone_config_set_test_data(get(), data.get(), error); });
  }
  // Asks this store for the members of big segments, and not Redis.
  Config &set_big_segment_store(std::shared_ptr<BigSegmentStore> store) {
    auto held = std::make_unique<internal::HeldStore>(std::move(store));
    flagstone_big_segment_store table = {};
    table.struct_size = sizeof table;
    table.user_data = held.get();
    table.membership = internal::ask_membership;
    table.metadata = internal::ask_metadata;
    table.drop = internal::drop_store;
    changed([&](flagstone_error **error) { return flagstone_config_set_big_segment_store(get(), &table, error); });
    held.release();
    return *this;
  }
  flagstone_config *get() const noexcept { return handle_.get(); }

 private:
  template <typename Change>
  Config &changed(Change &&change) {
    internal::call(change).or_throw();
    return *this;
  }
  internal::Unique<flagstone_config, flagstone_config_free> handle_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_CONFIG_HPP
