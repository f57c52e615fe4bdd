/*
 * Sizes, offsets and values as a C compiler sees them are those of tests/abi/layout.json. The driver writes the three lists
 * of "layout_lists.h" from that file; here they are checked when this file is compiled, which is also all that can fail:
 *
 *   STRUCTS(X)     X(struct, size, alignment)
 *   MEMBERS(X)     X(struct, member, offset, size)
 *   CONSTANTS(X)   X(name, value)
 */
#include <flagstone.h>
#include <stdio.h>

#include "layout_lists.h"

/* An array of -1 elements does not compile: C99 knows no other way to say it. */
#define ASSERT_NAMED(name, condition) typedef char name[(condition) ? 1 : -1];

#define SIZE(type, size, alignment) ASSERT_NAMED(size_of_##type, sizeof(type) == (size))
#define ALIGNMENT(type, size, alignment) \
  struct alignment_of_##type {           \
    char first;                          \
    type second;                         \
  };                                     \
  ASSERT_NAMED(alignment_is_##type, offsetof(struct alignment_of_##type, second) == (alignment))
#define MEMBER(type, member, offset, size)                               \
  ASSERT_NAMED(offset_of_##type##_##member, offsetof(type, member) == (offset)) \
  ASSERT_NAMED(size_of_##type##_##member, sizeof(((type *)NULL)->member) == (size))
#define CONSTANT(name, value) ASSERT_NAMED(value_of_##name, (name) == (value))

STRUCTS(SIZE)
STRUCTS(ALIGNMENT)
MEMBERS(MEMBER)
CONSTANTS(CONSTANT)

#define COUNT_3(a, b, c) +1
#define COUNT_4(a, b, c, d) +1
#define COUNT_2(a, b) +1

int main(void) {
  int checks = 2 * (0 STRUCTS(COUNT_3)) + 2 * (0 MEMBERS(COUNT_4)) + (0 CONSTANTS(COUNT_2));
  /* The header's types and the library's belong together. */
  int failed = flagstone_abi_version() != ((FLAGSTONE_ABI_MAJOR << 16) | FLAGSTONE_ABI_MINOR);
  printf("%d passed, %d failed\n", checks + !failed, failed);
  return failed;
}
