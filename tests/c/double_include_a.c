/* The header may be included twice in a file, and in several files of one program. See double_include_b.c. */
#include <flagstone.h>
#include <flagstone.h>
#include <stdio.h>

uint32_t version_seen_by_b(void);

int main(void) {
  int held = flagstone_abi_version() == version_seen_by_b();
  printf("%d passed, %d failed\n", held, !held);
  return !held;
}
