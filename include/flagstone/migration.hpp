// Part of flagstone.hpp: operations of migrations.
#ifndef FLAGSTONE_MIGRATION_HPP
#define FLAGSTONE_MIGRATION_HPP

#include <chrono>
#include <cstdint>

#include "base.hpp"

namespace flagstone {

// How far a migration is; flagstone.h says what is read and written at each stage.
enum class Stage : std::int32_t {
  off = FLAGSTONE_MIGRATION_STAGE_OFF,
  dualwrite = FLAGSTONE_MIGRATION_STAGE_DUALWRITE,
  shadow = FLAGSTONE_MIGRATION_STAGE_SHADOW,
  live = FLAGSTONE_MIGRATION_STAGE_LIVE,
  rampdown = FLAGSTONE_MIGRATION_STAGE_RAMPDOWN,
  complete = FLAGSTONE_MIGRATION_STAGE_COMPLETE
};
enum class Operation : std::int32_t {
  read = FLAGSTONE_MIGRATION_OPERATION_READ,
  write = FLAGSTONE_MIGRATION_OPERATION_WRITE
};
enum class Origin : std::int32_t {
  old_one = FLAGSTONE_MIGRATION_ORIGIN_OLD,
  new_one = FLAGSTONE_MIGRATION_ORIGIN_NEW
};

// A read or a write of data that move from an old to a new origin: made by Client::migration, told by Client::track. A copy is
// the same operation. Any thread may say what it did.
class Migration {
 public:
  Stage stage() const noexcept { return handle_.get() == nullptr ? default_ : stage_of(); }
  Outcome set_operation(Operation operation) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_migration_set_operation(get(), static_cast<std::int32_t>(operation), error);
    });
  }
  Outcome set_invoked(Origin origin) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_migration_set_invoked(get(), static_cast<std::int32_t>(origin), error);
    });
  }
  Outcome set_failed(Origin origin) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_migration_set_failed(get(), static_cast<std::int32_t>(origin), error);
    });
  }
  Outcome set_latency(Origin origin, std::chrono::duration<double, std::milli> latency) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_migration_set_latency(get(), static_cast<std::int32_t>(origin), latency.count(), error);
    });
  }
  // Whether the results of both origins are to be compared, if both are read. Always the same answer.
  bool wants_check() const noexcept { return flagstone_migration_wants_check(get()) != 0; }
  Outcome set_consistent(bool consistent) noexcept {
    return internal::call([&](flagstone_error **error) {
      return flagstone_migration_set_consistent(get(), consistent ? 1 : 0, error);
    });
  }
  flagstone_migration *get() const noexcept { return handle_.get(); }

 private:
  friend class Client;
  Migration(flagstone_migration *handle, Stage default_stage) noexcept : handle_(handle), default_(default_stage) {}
  Stage stage_of() const noexcept { return static_cast<Stage>(flagstone_migration_stage_of(get())); }
  internal::Shared<flagstone_migration, flagstone_migration_retain, flagstone_migration_release> handle_;
  Stage default_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_MIGRATION_HPP
