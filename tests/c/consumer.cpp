// The header in a C++11 program: `consumer PORT PREFIX`. What a C++ host would write around it is a few lines long.
#include <flagstone.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

template <typename Handle, void (*free)(Handle *)>
struct Deleter {
  void operator()(Handle *handle) const { free(handle); }
};

using Config = std::unique_ptr<flagstone_config, Deleter<flagstone_config, flagstone_config_free>>;
using Client = std::unique_ptr<flagstone_client, Deleter<flagstone_client, flagstone_client_release>>;
using Context = std::unique_ptr<flagstone_context, Deleter<flagstone_context, flagstone_context_release>>;

class Detail : public flagstone_detail {
 public:
  Detail() : flagstone_detail() { struct_size = sizeof(flagstone_detail); }
  Detail(const Detail &) = delete;
  Detail &operator=(const Detail &) = delete;
  ~Detail() { flagstone_detail_clear(this); }
};

int passed = 0;
int failed = 0;

void check(bool held, const char *what) {
  ++(held ? passed : failed);
  if (!held) std::fprintf(stderr, "failed: %s\n", what);
}

bool set(const Config &config, const std::string &name, const std::string &value) {
  return flagstone_config_set(config.get(), name.data(), name.size(), value.data(), value.size(), nullptr) ==
         FLAGSTONE_STATUS_OK;
}

void run(const std::string &port, const std::string &prefix) {
  Config config(flagstone_config_new());
  check(set(config, "redis.url", "redis://127.0.0.1:" + port), "redis.url is taken");
  check(set(config, "redis.prefix", prefix), "redis.prefix is taken");
  check(!set(config, "redis.prefix\xff", prefix), "a bad name is refused");

  flagstone_client *made = nullptr;
  check(flagstone_client_new(config.get(), &made, nullptr) == FLAGSTONE_STATUS_OK, "a client is made");
  Client client(made);
  check(flagstone_client_start(client.get(), 30000, nullptr) == FLAGSTONE_STATUS_OK, "it starts, with or without flags");

  const std::string json = "{\"kind\":\"user\",\"key\":\"ada\"}";
  flagstone_context *parsed = nullptr;
  check(flagstone_context_from_json(json.data(), json.size(), &parsed, nullptr) == FLAGSTONE_STATUS_OK, "a context is made");
  Context context(parsed);

  Detail detail;
  check(flagstone_variation(client.get(), context.get(), "missing", 7, FLAGSTONE_TYPE_BOOL, nullptr, 0, &detail) ==
            FLAGSTONE_STATUS_OK,
        "a missing flag is evaluated");
  check(detail.reason == FLAGSTONE_REASON_ERROR && detail.error_kind == FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND,
        "it is said to be missing");
  check(flagstone_client_close(client.get(), 30000) == FLAGSTONE_STATUS_OK, "the client closes");
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s PORT PREFIX\n", argv[0]);
    return 2;
  }
  run(argv[1], argv[2]);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
