/*
 * The parts of bad_input.c, each of which passes to the functions of one subject what they cannot take, and what they share.
 */
#ifndef FLAGSTONE_TEST_BAD_INPUT_H
#define FLAGSTONE_TEST_BAD_INPUT_H

#include "../support.h"

/* Bytes that are not UTF-8: a lone continuation, an overlong form, a surrogate, a cut sequence, a code point too large. */
extern const char *const BAD_TEXTS[5];
#define BAD BAD_TEXTS[0]

#define IS_NULL FLAGSTONE_STATUS_NULL_ARGUMENT
#define INVALID FLAGSTONE_STATUS_INVALID_ARGUMENT
#define BAD_UTF8 FLAGSTONE_STATUS_BAD_UTF8
#define BAD_JSON FLAGSTONE_STATUS_BAD_JSON

/* One live handle of each type, and the same pointer under each other type. */
typedef struct handles {
  flagstone_config *config;
  flagstone_client *client;
  flagstone_context *context;
  flagstone_context_builder *builder;
  flagstone_flag *flag;
} handles;

/* The handle of one type as a pointer to another. */
#define AS(type, handle) ((type *)(void *)(handle))
/* Something that no function may overwrite. */
#define UNTOUCHED(type) AS(type, &marker)
extern int marker;

/* clients.c */
void configurations(const handles *live);
void clients(const handles *live);
void errors(const handles *live);
void events_that_are_none(setting setting, const handles *live);

/* contexts.c */
void contexts(const handles *live);
void attributes(const handles *live);

/* evaluations.c */
void scalars_give_their_default(const handles *live);
void details_say_what_is_wrong(const handles *live);
void defaults_that_are_none(const handles *live);
void details_that_are_too_small_are_not_written(const handles *live);
void many(const handles *live);
void prepared_flags(const handles *live);

/* damaged.c */
void damaged_contexts(void);
void damaged_items(setting setting, const char *options);

/* released.c */
void released_contexts(setting setting);
void released_clients_and_flags(setting setting, const flagstone_context *context);
void other_released_handles(void);

#endif
