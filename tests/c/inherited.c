/*
 * A child of fork closes the sockets to Redis that it inherited, at its first call and only those: what it opened since
 * under the same number stays open. The parent notices nothing.
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 256 };

typedef struct sockets {
  int count;
  int number[MOST];
  ino_t inode[MOST];
} sockets;

static sockets open_sockets(void) {
  sockets found;
  int number;
  struct stat about;
  memset(&found, 0, sizeof found);
  for (number = 0; number < MOST; number++) {
    if (fstat(number, &about) != 0 || !S_ISSOCK(about.st_mode)) continue;
    found.number[found.count] = number;
    found.inode[found.count++] = about.st_ino;
  }
  return found;
}

static int holds(const sockets *all, ino_t inode) {
  int at;
  for (at = 0; at < all->count; at++) {
    if (all->inode[at] == inode) return 1;
  }
  return 0;
}

/* What is in `later` and not in `earlier`. */
static sockets new_ones(const sockets *later, const sockets *earlier) {
  sockets found;
  int at;
  memset(&found, 0, sizeof found);
  for (at = 0; at < later->count; at++) {
    if (holds(earlier, later->inode[at])) continue;
    found.number[found.count] = later->number[at];
    found.inode[found.count++] = later->inode[at];
  }
  return found;
}

static int in_child(flagstone_client *client, const sockets *ours, const sockets *others) {
  int at, reused = ours->number[0];
  int file = open("/dev/null", O_RDONLY);
  struct stat before, after;
  sockets now = open_sockets();
  flagstone_context *context = user("ada");
  for (at = 0; at < ours->count; at++) CHECK(holds(&now, ours->inode[at]));
  CHECK(dup2(file, reused) == reused && fstat(reused, &before) == 0);
  ACCEPTED(flagstone_client_postfork(client, &error));
  now = open_sockets();
  for (at = 0; at < ours->count; at++) CHECK(!holds(&now, ours->inode[at]));
  for (at = 0; at < others->count; at++) CHECK(holds(&now, others->inode[at]));
  CHECK(fstat(reused, &after) == 0 && before.st_ino == after.st_ino);
  CHECK(flagstone_client_wait(client, FLAGSTONE_STATE_VALID, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(bool_value(client, context, "a", 0) == 1);
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  CHECK(fstat(reused, &after) == 0 && before.st_ino == after.st_ino);
  flagstone_context_release(context);
  return failures() == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  setting setting = read_arguments(argc, argv);
  redis *connection = redis_open(setting.port);
  flagstone_context *context = user("ada");
  sockets before, after, ours;
  flagstone_client *client;
  int round, status = 0;
  put_bool(connection, setting.prefix, "a", 1, 1);
  put_inited(connection, setting.prefix);
  before = open_sockets();
  client = started_client(setting, "{\"redis.ping_ms\":60000}");
  after = open_sockets();
  ours = new_ones(&after, &before);
  CHECK(ours.count == 2);
  for (round = 0; round < 3; round++) {
    pid_t child = fork();
    if (child == 0) _exit(in_child(client, &ours, &before));
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    put_bool(connection, setting.prefix, "a", 2 * round + 2, round % 2);
    CHECK(wait_for_bool(client, context, "a", round % 2, SOON));
    put_bool(connection, setting.prefix, "a", 2 * round + 3, 1);
    CHECK(wait_for_bool(client, context, "a", 1, SOON));
    CHECK(flagstone_client_state(client) == FLAGSTONE_STATE_VALID);
  }
  after = open_sockets();
  for (round = 0; round < ours.count; round++) CHECK(holds(&after, ours.inode[round]));
  CHECK(flagstone_client_close(client, SOON) == FLAGSTONE_STATUS_OK);
  flagstone_client_release(client);
  flagstone_context_release(context);
  redis_close(connection);
  return report();
}
