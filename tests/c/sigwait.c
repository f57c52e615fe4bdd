/*
 * A host that waits for signals with sigwait gets them, although the library's threads were started before it blocked them:
 * those block every signal that is not their own fault. The mask of the thread that started them stays as it was.
 */
#define _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE, SIGQUIT, SIGWINCH};
static const int open_to_all[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The mask of blocked signals of a thread. */
static unsigned long long mask_of(const char *thread) {
  char path[320], line[256];
  unsigned long long mask = 0;
  FILE *file;
  snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
  file = fopen(path, "r");
  if (!CHECK(file != NULL)) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "SigBlk:", 7) == 0) mask = strtoull(line + 7, NULL, 16);
  }
  fclose(file);
  return mask;
}

static int has(unsigned long long mask, int number) {
  return (int)(mask >> (number - 1) & 1);
}

/* Looks at every thread but this one; gives how many there are. */
static int check_threads(void) {
  DIR *threads = opendir("/proc/self/task");
  struct dirent *entry;
  int count = 0;
  if (!CHECK(threads != NULL)) return 0;
  while ((entry = readdir(threads)) != NULL) {
    size_t at;
    int tries;
    long thread = atol(entry->d_name);
    unsigned long long mask;
    if (thread <= 0 || thread == syscall(SYS_gettid)) continue;
    count++;
    mask = mask_of(entry->d_name);
    for (at = 0; at < COUNT(blocked); at++) CHECK(has(mask, blocked[at]));
    /* While a thread comes into being, the C library blocks everything in it. */
    for (tries = 0; tries < 1000 && has(mask, SIGSEGV); tries++) {
      sleep_ms(10);
      mask = mask_of(entry->d_name);
    }
    for (at = 0; at < COUNT(open_to_all); at++) CHECK(!has(mask, open_to_all[at]));
  }
  closedir(threads);
  return count;
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  flagstone_client *client;
  sigset_t before, after, waited;
  size_t at;
  char file[64], options[128];
  snprintf(file, sizeof file, "/tmp/flagstone-sigwait-%ld", (long)getpid());
  snprintf(options, sizeof options, "{\"snapshot.file\":\"%s\"}", file);
  put_bool(connection, setting.prefix, "a", 1, 1);
  put_inited(connection, setting.prefix);
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
  client = started_client(setting, options);
  CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
  for (at = 0; at < COUNT(blocked); at++) CHECK(sigismember(&before, blocked[at]) == sigismember(&after, blocked[at]));
  CHECK(check_threads() >= 3);

  sigemptyset(&waited);
  sigaddset(&waited, SIGTERM);
  sigaddset(&waited, SIGUSR1);
  CHECK(pthread_sigmask(SIG_BLOCK, &waited, NULL) == 0);
  for (at = 0; at < 20; at++) {
    int number = 0, sent = at % 2 == 0 ? SIGTERM : SIGUSR1;
    CHECK(kill(getpid(), sent) == 0);
    CHECK(sigwait(&waited, &number) == 0 && number == sent);
  }
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  (void)remove(file);
  redis_close(connection);
  return report();
}
