/*
 * Preloaded into a program: looking up a name takes a minute, as with a name server that does not answer. Addresses
 * written in numbers are looked up at once.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  union {
    void *pointer;
    lookup *function;
  } real;
  if (node != NULL && strstr(node, "hangs") != NULL) {
    sleep(60);
    return EAI_AGAIN;
  }
  real.pointer = dlsym(RTLD_NEXT, "getaddrinfo");
  return real.function(node, service, hints, result);
}
