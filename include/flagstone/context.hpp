// Part of flagstone.hpp: contexts.
#ifndef FLAGSTONE_CONTEXT_HPP
#define FLAGSTONE_CONTEXT_HPP

#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base.hpp"

namespace flagstone {

// An attribute of a context: a name and a bool, a number, a text or, by `json`, any JSON value. Borrows its texts.
class Attribute {
 public:
  template <typename T>
  Attribute(std::string_view name, const T &value) noexcept : raw_() {
    raw_.name = internal::str(name);
    if constexpr (std::is_same_v<T, bool>) {
      raw_.type = FLAGSTONE_TYPE_BOOL;
      raw_.number = value ? 1 : 0;
    } else if constexpr (std::is_arithmetic_v<T>) {
      raw_.type = FLAGSTONE_TYPE_NUMBER;
      raw_.number = static_cast<double>(value);
    } else {
      raw_.type = FLAGSTONE_TYPE_STRING;
      raw_.text = internal::str(std::string_view(value));
    }
  }
  static Attribute json(std::string_view name, std::string_view text) noexcept {
    Attribute attribute(name, text);
    attribute.raw_.type = FLAGSTONE_TYPE_JSON;
    return attribute;
  }
  // The same, marked: analytics must not carry the value.
  Attribute as_private() const noexcept {
    Attribute attribute(*this);
    attribute.raw_.flags |= FLAGSTONE_ATTR_PRIVATE;
    return attribute;
  }
  const flagstone_attr &raw() const noexcept { return raw_; }

 private:
  flagstone_attr raw_;
};

// Whom a flag is evaluated for. Immutable.
class Context {
 public:
  Context(std::string_view kind, std::string_view key)
      : Context(internal::made<flagstone_context>([&](flagstone_context **out, flagstone_error **error) {
          return flagstone_context_from_key(internal::str(kind), internal::str(key), out, error);
        })) {}
  Context(std::string_view kind, std::string_view key, std::initializer_list<Attribute> attributes)
      : Context(internal::made<flagstone_context>([&](flagstone_context **out, flagstone_error **error) {
          static_assert(sizeof(Attribute) == sizeof(flagstone_attr), "an attribute is nothing else");
          const flagstone_attr *first = attributes.size() == 0 ? nullptr : &attributes.begin()->raw();
          return flagstone_context_from_attrs(internal::str(kind), internal::str(key), first, attributes.size(), out, error);
        })) {}
  // Takes over a handle.
  explicit Context(flagstone_context *handle) noexcept : handle_(handle) {}
  static Context from_json(std::string_view json) {
    return Context(internal::made<flagstone_context>([&](flagstone_context **out, flagstone_error **error) {
      return flagstone_context_from_json(json.data(), json.size(), out, error);
    }));
  }
  // One context of several kinds.
  static Context merge(std::initializer_list<Context> contexts) {
    std::vector<const flagstone_context *> handles;
    for (const Context &context : contexts) handles.push_back(context.get());
    return Context(internal::made<flagstone_context>([&](flagstone_context **out, flagstone_error **error) {
      return flagstone_context_merge(handles.data(), handles.size(), out, error);
    }));
  }
  std::optional<Text> to_json(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_context_to_json(get(), out, error);
    });
  }
  std::optional<Text> canonical_key(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_context_canonical_key(get(), out, error);
    });
  }
  // What it says, as JSON: a list of kinds; an attribute by reference, `null` where there is none; a list of references. An
  // empty kind means the context itself.
  std::optional<Text> kinds(Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [this](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_context_kinds(get(), out, error);
    });
  }
  std::optional<Text> attribute(std::string_view reference, std::string_view kind = {},
                                Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [&](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_context_get(get(), internal::str(kind), internal::str(reference), out, error);
    });
  }
  std::optional<Text> private_attributes(std::string_view kind = {}, Outcome *outcome = nullptr) const noexcept {
    return internal::text(outcome, [&](flagstone_bytes *out, flagstone_error **error) {
      return flagstone_context_private_attributes(get(), internal::str(kind), out, error);
    });
  }
  // The context of a kind; none where this one has no such kind.
  std::optional<Context> individual(std::string_view kind) const noexcept {
    flagstone_context *found = nullptr;
    if (flagstone_context_individual(get(), internal::str(kind), &found, nullptr) != FLAGSTONE_STATUS_OK) return {};
    return Context(found);
  }
  flagstone_context *get() const noexcept { return handle_.get(); }

 private:
  internal::Shared<flagstone_context, flagstone_context_retain, flagstone_context_release> handle_;
};

// Builds contexts step by step.
class ContextBuilder {
 public:
  ContextBuilder(std::string_view kind, std::string_view key)
      : handle_(flagstone_context_builder_new(internal::str(kind), internal::str(key))) {
    if (!handle_) throw Error(FLAGSTONE_STATUS_BAD_UTF8, "kind or key is not UTF-8");
  }
  ContextBuilder &set(const Attribute &attribute) {
    internal::call([&](flagstone_error **error) {
      return flagstone_context_builder_set(handle_.get(), &attribute.raw(), error);
    }).or_throw();
    return *this;
  }
  // `reference`: a name, or a path such as /address/street.
  ContextBuilder &set_private(std::string_view reference) {
    internal::call([&](flagstone_error **error) {
      return flagstone_context_builder_set_private(handle_.get(), internal::str(reference), error);
    }).or_throw();
    return *this;
  }
  Context build() const {
    return Context(internal::made<flagstone_context>([&](flagstone_context **out, flagstone_error **error) {
      return flagstone_context_builder_build(handle_.get(), out, error);
    }));
  }

 private:
  internal::Unique<flagstone_context_builder, flagstone_context_builder_free> handle_;
};

}  // namespace flagstone

#endif  // FLAGSTONE_CONTEXT_HPP
