// A flag from a file, through the C++ header: what is linked works.
#include <cstdio>
#include <flagstone.hpp>
#include <fstream>

int main() {
  std::ofstream("flags.json") << R"({"flagValues":{"new-checkout":true}})";
  flagstone::Config config;
  config.set("source.kind", "file").set("file.paths", R"(["flags.json"])");
  flagstone::Client client(config);
  if (const auto outcome = client.start(std::chrono::seconds(30)); !outcome) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(outcome.message().size()), outcome.message().data());
    return 1;
  }
  const flagstone::Context ada("user", "ada");
  const bool served = client.bool_variation(ada, "new-checkout", false);
  std::printf("%s: %s\n", flagstone_version_string(), served ? "true" : "false");
  return served ? 0 : 1;
}
