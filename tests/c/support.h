/*
 * What the test programs share: checks that are counted, a connection to Redis in a few lines, a client in one call.
 *
 * Knows the library by its header alone. A program is called as `program PORT PREFIX [slow]`: Redis listens on 127.0.0.1 at
 * PORT, the keys below PREFIX belong to the program, and `slow` says that it runs under an instrument.
 */
#ifndef FLAGSTONE_TEST_SUPPORT_H
#define FLAGSTONE_TEST_SUPPORT_H

#include <flagstone.h>

/* Longest wait for something that is sure to happen, in milliseconds: for slow and busy machines. */
#define SOON 30000u

/* One check: counted, and told on standard error when it fails. Gives whether it held. Any thread. */
#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)

/* Checks that a call with `&error` as its last argument gives a status, with an error that says the same and a message
 * that has `word` in it. */
#define REFUSED(expected, word, call)                     \
  do {                                                    \
    flagstone_error *error = NULL;                        \
    flagstone_status got = (call);                        \
    check_refused(got, expected, error, word, #call, __FILE__, __LINE__); \
  } while (0)

/* Checks that a call gives OK and leaves `error` alone. */
#define ACCEPTED(call)                                    \
  do {                                                    \
    flagstone_error *error = NULL;                        \
    flagstone_status got = (call);                        \
    check_accepted(got, error, #call, __FILE__, __LINE__); \
  } while (0)

int check(int held, const char *what, const char *file, int line);
void check_refused(flagstone_status got, flagstone_status expected, flagstone_error *error, const char *word, const char *call,
                   const char *file, int line);
void check_accepted(flagstone_status got, flagstone_error *error, const char *call, const char *file, int line);

/* How many checks have failed so far. */
unsigned failures(void);

/* Prints "N passed, N failed" and gives the exit status of the program. */
int report(void);

/* The arguments of the program. */
typedef struct setting {
  int port;
  const char *prefix;
  int slow;
} setting;

setting read_arguments(int argc, char **argv);

/* Milliseconds of a clock that only goes forward. */
long long now_ms(void);
void sleep_ms(long milliseconds);

flagstone_str str(const char *text);
/* What is in bytes, which stay the owner. */
flagstone_str text_of(flagstone_bytes bytes);
int equals(flagstone_str text, const char *expected);
int contains(flagstone_str text, const char *part);

/* A connection of one's own to Redis. The program ends when Redis does not do as it is told. */
typedef struct redis redis;

redis *redis_open(int port);
void redis_close(redis *connection);
/* Sends a command of `count` texts and waits for the answer. */
void redis_command(redis *connection, int count, const char *const *words);
/* Writes an item into `<prefix>:features` or `<prefix>:segments`. */
void put_flag(redis *connection, const char *prefix, const char *key, const char *json);
void put_segment(redis *connection, const char *prefix, const char *key, const char *json);
void delete_flag(redis *connection, const char *prefix, const char *key);
/* Writes a bool flag that serves `value` to everybody. */
void put_bool(redis *connection, const char *prefix, const char *key, int version, int value);
/* Says that the data set is complete. */
void put_inited(redis *connection, const char *prefix);

/* A client for the keys below the prefix, not started; `options` is a JSON object with further options, or NULL. */
flagstone_client *new_client(setting setting, const char *options);
/* The same, started, with everything read and known to be true. */
flagstone_client *started_client(setting setting, const char *options);
/* A context of kind user. */
flagstone_context *user(const char *key);
/* A detail that is ready to be filled. */
flagstone_detail empty_detail(void);

/* Value of a bool flag for a context, by key. */
int bool_value(const flagstone_client *client, const flagstone_context *context, const char *key, int default_value);
/* Waits until a bool flag has a value; gives whether it came to have it in time. */
int wait_for_bool(const flagstone_client *client, const flagstone_context *context, const char *key, int value, unsigned timeout_ms);

#endif
