// Flagstone for C++17 and later: flagstone.h with owners that clean up. Header-only; links with the same library.
//
//     flagstone::Config config;
//     config.set("redis.url", "redis://localhost:6379");
//     flagstone::Client client(config);
//     if (auto outcome = client.start(std::chrono::seconds(5)); !outcome) std::cerr << outcome.message() << '\n';
//     flagstone::Context ada("user", "ada");
//     if (client.bool_variation(ada, "new-checkout", false)) { ... }
//
// What makes a thing throws flagstone::Error when it cannot: constructors, Config and ContextBuilder, from_json, merge. Nothing
// else throws anything but std::bad_alloc; what can fail returns an Outcome, or an optional and, through a pointer, the Outcome.
//
// Client, Context, Flag, Migration and TestData are counted: a copy shares what it is a copy of, and costs an atomic increment. Texts,
// details and notifications own what their views point to, for as long as they live; they can be moved. What is moved from may
// only be assigned to or destroyed. What flagstone.h says of threads, forks, options, limits and defaults holds here as well.
#ifndef FLAGSTONE_HPP
#define FLAGSTONE_HPP

#if !(__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#error "flagstone.hpp needs C++17; flagstone.h works with C++11"
#endif

#include "flagstone/base.hpp"
#include "flagstone/big_segments.hpp"
#include "flagstone/client.hpp"
#include "flagstone/config.hpp"
#include "flagstone/context.hpp"
#include "flagstone/default.hpp"
#include "flagstone/detail.hpp"
#include "flagstone/flag.hpp"
#include "flagstone/migration.hpp"

#endif  // FLAGSTONE_HPP
