/* The other half of double_include_a.c. */
#include <flagstone.h>
#include <flagstone.h>

uint32_t version_seen_by_b(void);

uint32_t version_seen_by_b(void) {
  return flagstone_abi_version();
}
