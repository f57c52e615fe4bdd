/*
 * The parts of all_api.c, each of which checks the functions of one subject.
 *
 * `setting` says where the flags are that all_api.c has written.
 */
#ifndef FLAGSTONE_TEST_ALL_API_H
#define FLAGSTONE_TEST_ALL_API_H

#include "../support.h"

/* clients.c */
void configuration(void);
void a_client_needs_options_that_fit(void);
void a_client_that_was_not_started(setting setting);
void starting_without_redis(void);
void lifecycle(setting setting);
/* `expected` is what a flag that serves true gives then. */
void after_close(setting setting, const char *options, int expected);

/* contexts.c */
void contexts(void);
void attributes(void);
void parts_of_contexts(void);
void builders(void);

/* evaluations.c */
/* `holds` says whether a flag that was read is held. */
void evaluation(setting setting, const char *options, int holds);
void all_flags(setting setting, const char *options);
void secure_mode_hash(setting setting);
void a_lazy_client_says_that_it_would_have_to_read(setting setting);
void texts_outlive_the_client_and_the_flag(setting setting);

/* notifications.c */
void notifications(setting setting, flagstone_client *client);
void credentials(setting setting, const char *options);
void old_names(flagstone_client *client);
void telling(setting setting);

/* test_data.c */
void test_data(void);
void status_of_source_and_store(void);

#endif
