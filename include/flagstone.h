/*
 * Flagstone: feature flags kept in Redis, held in memory, evaluated in nanoseconds.
 *
 * This header is the manual. It is generated; do not edit it.
 *
 *
 * A FIRST PROGRAM
 *
 *     #include <flagstone.h>
 *     #include <stdio.h>
 *
 *     static void complain(flagstone_error *error) {
 *       flagstone_str why = flagstone_error_message(error);
 *       fprintf(stderr, "%.*s\n", (int)why.len, why.ptr);
 *       flagstone_error_free(error);
 *     }
 *
 *     int main(void) {
 *       flagstone_config *config = flagstone_config_new();
 *       flagstone_client *client = NULL;
 *       flagstone_context *context = NULL;
 *       flagstone_error *error = NULL;
 *       flagstone_config_set(config, FLAGSTONE_TEXT("redis.url"), FLAGSTONE_TEXT("redis://localhost:6379"), NULL);
 *       flagstone_status made = flagstone_client_new(config, &client, &error);
 *       flagstone_config_free(config);
 *       if (made != FLAGSTONE_STATUS_OK) {
 *         complain(error);
 *         return 1;
 *       }
 *       // Waits for the data, at most 5 s. If there are none yet, it says why, and goes on trying.
 *       if (flagstone_client_start(client, 5000, &error) != FLAGSTONE_STATUS_OK) complain(error);
 *
 *       flagstone_context_from_key(FLAGSTONE_STR("user"), FLAGSTONE_STR("ada"), &context, NULL);
 *       int is_new = flagstone_bool_variation(client, context, FLAGSTONE_TEXT("new-checkout"), 0);
 *       puts(is_new ? "new checkout" : "old checkout");
 *
 *       flagstone_context_release(context);
 *       flagstone_client_close(client, 2000);
 *       flagstone_client_release(client);
 *       return 0;
 *     }
 *
 *     cc program.c $(pkg-config --cflags --libs flagstone)
 *
 * A C++17 program takes <flagstone.hpp>, which comes with this header: owners that clean up, and exceptions where something
 * cannot be made.
 *
 * A static archive is installed too: pkg-config --static names what it needs (-lutil -lrt -lpthread -lm -ldl on Linux; the
 * compiler adds its own unwinder). With -static it is taken by itself, otherwise as -l:libflagstone.a. Two archives made by Rust can clash in one program; prefer the shared library then. The shared library is never
 * unloaded: dlclose leaves it in place.
 *
 *
 * WHAT IT DOES
 *
 * A client holds the flags of one environment parsed in memory and evaluates them there: no I/O, no wait, and no allocation
 * with the default options, apart from big segments, whose members a store is asked for. There are two ways of use.
 *
 * Daemon mode (no source.kind): somebody else, for example LaunchDarkly's Relay Proxy or one of its SDKs, keeps the flags in
 * Redis, in the hashes <prefix>:features and <prefix>:segments. The client reads them, never writes, and lets Redis tell it
 * when they change. When Redis is away or loses its data, the last good data stay in force.
 *
 * Connected mode (source.kind stream, poll or fdv2, with sdk.key): the client receives the flags from LaunchDarkly or a Relay Proxy.
 * They go to memory at once and, if redis.url is set, to Redis behind it, where every other client and SDK can read them. While
 * Redis is away, updates go on and are written when it is back; a Redis that lost its data gets them again. While
 * LaunchDarkly is away at a start, the last known flags come from Redis, or from snapshot.file when that is away too.
 *
 * In both, the status and each result say when data are not known to be true.
 *
 *
 * FUNCTIONS, by the type that they are about
 *
 *   the library                  flagstone_abi_version, flagstone_version_string, flagstone_features,
 *                                flagstone_status_name
 *   flagstone_bytes              flagstone_bytes_clear
 *   flagstone_error              flagstone_error_code, flagstone_error_message, flagstone_error_free
 *   flagstone_config             flagstone_config_new, flagstone_config_set, flagstone_config_load_json,
 *                                flagstone_config_free, flagstone_config_set_test_data,
 *                                flagstone_config_set_big_segment_store
 *   flagstone_test_data          flagstone_test_data_new, flagstone_test_data_set_json, flagstone_test_data_delete,
 *                                flagstone_test_data_set_status, flagstone_test_data_retain,
 *                                flagstone_test_data_release
 *   flagstone_client             flagstone_client_new, flagstone_client_start, flagstone_client_wait,
 *                                flagstone_client_state, flagstone_client_status_json, flagstone_client_metrics_text,
 *                                flagstone_client_flag_version, flagstone_client_postfork, flagstone_client_flush,
 *                                flagstone_client_close, flagstone_client_retain, flagstone_client_release,
 *                                flagstone_client_set_credentials, flagstone_client_status,
 *                                flagstone_client_environment_id, flagstone_bool_variation, flagstone_int_variation,
 *                                flagstone_double_variation, flagstone_string_variation, flagstone_variation,
 *                                flagstone_variation_or, flagstone_variation_many, flagstone_variation_many_or,
 *                                flagstone_identify, flagstone_track, flagstone_all_flags_json,
 *                                flagstone_secure_mode_hash, flagstone_client_subscribe, flagstone_big_segments_status,
 *                                flagstone_big_segments_poll, flagstone_client_may_wait,
 *                                flagstone_client_next_notification, flagstone_client_wake, flagstone_client_listen,
 *                                flagstone_client_unlisten
 *   flagstone_client_status_info flagstone_client_status_info_clear
 *   flagstone_context            flagstone_context_from_key, flagstone_context_from_attrs, flagstone_context_from_json,
 *                                flagstone_context_merge, flagstone_context_to_json, flagstone_context_canonical_key,
 *                                flagstone_context_retain, flagstone_context_release, flagstone_context_kinds,
 *                                flagstone_context_get, flagstone_context_private_attributes,
 *                                flagstone_context_individual
 *   flagstone_context_builder    flagstone_context_builder_new, flagstone_context_builder_set,
 *                                flagstone_context_builder_set_private, flagstone_context_builder_build,
 *                                flagstone_context_builder_free
 *   flagstone_detail             flagstone_detail_clear, flagstone_detail_int
 *   flagstone_flag               flagstone_flag_new, flagstone_flag_bool, flagstone_flag_bool_try, flagstone_flag_int,
 *                                flagstone_flag_double, flagstone_flag_string, flagstone_flag_detail,
 *                                flagstone_flag_value, flagstone_flag_release
 *   flagstone_migration          flagstone_migration_variation, flagstone_migration_stage_of,
 *                                flagstone_migration_set_operation, flagstone_migration_set_invoked,
 *                                flagstone_migration_set_failed, flagstone_migration_set_latency,
 *                                flagstone_migration_wants_check, flagstone_migration_set_consistent,
 *                                flagstone_migration_track, flagstone_migration_retain, flagstone_migration_release
 *   flagstone_membership         flagstone_membership_add
 *   flagstone_notification       flagstone_notification_clear
 *   old names                    flagstone_poll_event, flagstone_event_clear, flagstone_wake
 *
 *
 * OWNERSHIP
 *
 * Handles (flagstone_config, _client, _context, _context_builder, _flag, _migration, _error) are opaque. What a function hands
 * out through an `out` parameter or returns as a non-const pointer belongs to the caller and is given back with the function of
 * that type: _release for counted things (client, context, flag, migration), _free for others. What a function takes is borrowed
 * for the call: nothing is consumed, not even by a function that fails. All frees accept NULL.
 *
 * Value structs (flagstone_detail, _notification, _bytes) are made by the caller. They carry an `owner` that keeps their texts
 * alive; the _clear function gives it back, and may be called twice. Texts stay valid until then, whatever happens to the client.
 * Structs that begin with `struct_size` may grow at the end: set it to sizeof; the library never writes more than it says.
 *
 * A client copies its configuration. A prepared flag keeps its client alive.
 *
 *
 * THREADS
 *
 * Every function on a client, context or flag may be called from any number of threads at once, also while another one closes
 * the client. Each reference is released once. A config and a builder belong to one thread at a time; an error, detail,
 * notification or bytes to whoever owns it. With several pollers each notification goes to exactly one of them.
 *
 * The library starts its threads in flagstone_client_start and in no other call (in a forked child: at its first call). They
 * never call into the host: notifications wait in a queue until the host polls. After close the client may still be used:
 * evaluation answers from the last data held, every other call says CLOSED.
 *
 *
 * ERRORS
 *
 * Calls that can fail return a flagstone_status and take a trailing `flagstone_error **err`. It may be NULL; otherwise set
 * it to NULL first: on failure it receives an error that the caller frees (PANIC may come without one), on success it is
 * left alone. Other out-parameters are written on success only. Evaluations
 * never fail: they return the default, and flagstone_variation tells why. Codes may be added: treat unknown ones as failures.
 *
 * A NULL pointer or a handle of another Flagstone type is recognised and refused. So, nearly always, is a handle that was
 * released, by mistake, before it is used or released again: with INVALID_ARGUMENT, the default or nothing done, and a line in
 * the log when it is the context of an evaluation. Do not rely on it: its memory may belong to another handle by then. An
 * arbitrary pointer is undefined behaviour. A defect inside the library does not end the host: it is caught at the border, the call gives its
 * default or PANIC, and the status counts it.
 *
 *
 * STRINGS
 *
 * Texts are pointer and length, UTF-8, and never need an end of NUL; those that the library hands out have none. With length 0
 * the pointer is not looked at. Only flagstone_version_string and flagstone_status_name return C strings, static ones.
 *
 * For literals: FLAGSTONE_STR("user") is a flagstone_str; FLAGSTONE_TEXT("new-checkout") stands for two arguments, pointer and
 * length. A key that is built at run time is passed with its length: strlen, or size().
 *
 *
 * FORK
 *
 * A child of fork() keeps answering from the data it inherited and makes threads and connections of its own at its first call
 * (or by flagstone_client_postfork), which waits at most 200 ms for the first read, as what was inherited may be as old as the
 * child, and closes the sockets to Redis that were inherited. It shares no thread, lock or notification with the parent
 * afterwards. Other sockets, and those of a child that makes no call, stay open in the child, unused, until it ends or calls
 * exec: a parent that only forks itself into the background should make its client afterwards. flagstone_client_state, _wake and
 * _release are no first calls.
 *
 *
 * SIGNALS
 *
 * The library installs no handler and raises no signal, SIGPIPE included. Its threads block every asynchronous signal but
 * SIGPROF, so that a host's handlers run on threads of the host, and sigwait or signalfd get what they wait for. No function
 * may be called from a handler: set a flag there, or write to a pipe, and call from a thread. No wait inside the library ends
 * early because of a signal.
 *
 *
 * LIMITS
 *
 * Keys, names, texts and values have any length, but those of one context no more than FLAGSTONE_CONTEXT_MAX_BYTES in all; of
 * keys, log lines show the first 200 bytes. sdk.key: at most 8192 bytes. JSON, of hosts and of flags, nests at most FLAGSTONE_LIMIT_JSON_DEPTH deep. Chains of prerequisites or of segments are
 * followed over FLAGSTONE_LIMIT_CHAIN items, and one evaluation visits at most FLAGSTONE_LIMIT_VISITS; more, a cycle, or work
 * beyond about a megabyte matched by expressions gives MALFORMED_FLAG. An expression that takes more than 1 MB compiled never
 * matches. 256 kB of stack are enough for any call.
 *
 *
 * OPTIONS (flagstone_config_set)
 *
 *   name                       default                  meaning
 *   sdk.key                    (none)                   SDK key of the environment: needed for connected mode and the
 *                                                       secure mode hash; space around it is dropped
 *   redis.url                  redis://localhost:6379   redis:// or valkey://, rediss:// or valkeys:// (TLS), unix://,
 *                                                       redis+sentinel://, redis+cluster://:
 *                                                       redis://user:password@host:port/database,
 *                                                       unix:///path?db=0&user=u&pass=p; see REDIS URL below;
 *                                                       unset with a source: no Redis
 *   redis.prefix               launchdarkly             prefix of the keys; empty: the default
 *   redis.username             (none)                   who logs in at Redis; wins over the URL's
 *   redis.password             (none)                   with what; wins over the URL's
 *   redis.password_file        (none)                   file with the password, in the place of one: read at each connect and when
 *                                                       it changes; the end of its line is dropped
 *   redis.credentials          static                   who logs in: static: the options or the file; host: whoever
 *                                                       flagstone_client_set_credentials says, which the start waits for and
 *                                                       notifications of kind CREDENTIALS ask for; aws-iam: redis.username,
 *                                                       with tokens that this library makes of the process's identity at AWS
 *   redis.aws.region           (AWS_REGION)             region of the cluster, for aws-iam; then AWS_DEFAULT_REGION
 *   redis.aws.service          elasticache              elasticache or memorydb
 *   redis.aws.cluster          (none)                   name of the cluster, replication group or serverless cache, not its address
 *   redis.aws.serverless       false                    true: it is a serverless cache
 *   redis.database             0                        number of the database; wins over the URL's
 *   redis.connect_timeout_ms   2000                     longest time to connect, login included; a lookup of a name keeps the
 *                                                       time of the system, and leaves a quarter of this for the rest
 *   redis.command_timeout_ms   2000                     longest silence while a reply is awaited; longest wait of an evaluation
 *   redis.ping_ms              1000                     interval of pings on an idle connection
 *   redis.keyspace_notifications  ask                   ask: notifications of keys and hash fields are used where CONFIG GET says
 *                                                       that the server publishes them; assume: also where it does not tell;
 *                                                       docs/freshness.md
 *   redis.tls.ca_file          (built-in)               PEM file of the authorities to trust instead of the built-in Mozilla
 *                                                       list, or of the server's own certificate: that very one is trusted,
 *                                                       self-signed or not, in its time and for the hosts that it names, if
 *                                                       it names any. Files are read again at each connect
 *   redis.tls.cert_file        (none)                   PEM file of the client certificate
 *   redis.tls.key_file         (none)                   PEM file of its private key
 *   redis.tls.server_name      (none)                   the name that is asked for (SNI) and that the certificate must be for,
 *                                                       instead of the URL's host
 *   redis.tls.skip_verify      false                    true: any certificate is accepted; said in the log (WARN)
 *   cache.residency            all                      all: the whole data set is held; lazy: at most cache.capacity items, read
 *                                                       when first asked for; off: every lookup reads Redis (tests and tools)
 *   cache.freshness            push                     push: Redis tells what changed, in the best way that it allows; steps down
 *                                                       to ttl where it allows none; ttl: read again when older than cache.ttl_ms;
 *                                                       forever: never read again
 *   cache.ttl_ms               30000                    with freshness ttl, also where push stepped down to it: items that are
 *                                                       older are read again
 *   cache.capacity             10000                    most items held with residency lazy
 *   cache.on_wipe              keep                     when Redis loses the data set: keep what is held, or clear; the default is
 *                                                       clear with a source and cache.residency lazy or off
 *   refresh.interval_ms        60000                    interval of the safety poll, which finds changes that Redis did not tell
 *                                                       of; there is none with cache.freshness=forever in daemon mode
 *   notifications.capacity     1000                     most notifications kept for flagstone_client_next_notification
 *   evaluation.integer_rounding  half_even              a number with a fraction that is asked for as an integer: half_even: to
 *                                                       the nearest one, halves to the even one; truncate: toward zero, as
 *                                                       LaunchDarkly's SDKs for Go, Java and C++ do
 *   log.level                  info                     the least severe lines that are kept: debug, info, warn, error; or none
 *   source.kind                none                     none: daemon mode; stream: from LaunchDarkly or a Relay Proxy; poll: from
 *                                                       LaunchDarkly; fdv2: the same in the protocol that sends only what has
 *                                                       changed since; file: from files; testdata: set by
 *                                                       flagstone_config_set_test_data
 *   source.filter              (none)                   key of a payload filter, for stream and poll
 *   fdv2.initializers          ["poll"]                 JSON array of the sources that are asked once each for the first data: poll;
 *                                                       with an address of its own, poll https://example.org
 *   fdv2.synchronizers         ["stream","poll"]        JSON array of the sources that keep data true, one at a time, the first
 *                                                       preferred: stream, poll, with or without an address
 *   fdv2.fallback              poll                     what is done where a server asks for the protocol of stream and poll: poll,
 *                                                       with or without an address; none
 *   fdv2.fallback_after_ms     120000                   a synchronizer that has brought nothing for so long gives way to the next
 *   fdv2.recover_after_ms      300000                   another than the first that is well for so long gives way to the first
 *   fdv2.first_data_ms         10000                    as fdv2.fallback_after_ms while there are no data at all; doubled with each
 *                                                       source that brings nothing, up to fdv2.fallback_after_ms
 *   endpoints.stream           (LaunchDarkly's)         base URL of the stream
 *   endpoints.poll             (LaunchDarkly's)         base URL of polling
 *   endpoints.events           (LaunchDarkly's)         base URL of events
 *   endpoints.relay            (none)                   base URL of a Relay Proxy: of all three that have none of their own
 *   stream.initial_delay_ms    1000                     pause before the first repeated connect; doubled each time, up to 30 s
 *   stream.read_timeout_ms     300000                   longest silence of the stream
 *   poll.interval_ms           30000                    pause between polls; less than 30000 is raised to that, unless
 *                                                       poll.allow_short is true
 *   poll.allow_short           false                    true: poll.interval_ms is taken as it is
 *   retry.mode                 extended                 extended: a status such as 401 or 403 ends nothing, the source is tried
 *                                                       again after minutes; legacy: it ends the source for good
 *   events.enabled             true                     with sdk.key, in daemon mode too, as LaunchDarkly's SDKs do; false:
 *                                                       nothing is told of evaluations, identify and track
 *   events.capacity            10000                    most events that wait for one flush; those beyond are dropped and
 *                                                       counted. What is summed up needs no room
 *   events.flush_interval_ms   5000                     time between flushes
 *   events.context_keys_capacity  1000                  most contexts that are remembered as told, so that they are not told
 *                                                       again with each evaluation
 *   events.context_keys_flush_ms  300000                how long contexts are remembered as told
 *   events.gzip                true                     payloads are compressed
 *   events.all_attributes_private  false                true: of contexts nothing is sent but kind, key, anonymous
 *   events.private_attributes  (none)                   JSON array of attributes, by name or as references (/address/city), that
 *                                                       are not sent
 *   events.omit_anonymous_contexts  false               true: anonymous contexts are not told by index and identify events
 *   events.diagnostics         true                     false: LaunchDarkly is not told of this library's version, options and
 *                                                       counts of events
 *   events.diagnostic_interval_ms  900000               time between diagnostic events; less than a minute is raised to that
 *   events.spool               (none)                   directory for events that could not be delivered: sent from there when the
 *                                                       server answers again, also after a restart. Made if need be; one that
 *                                                       others may write to is refused; processes may share it
 *   events.spool_bytes         67108864                 most bytes in events.spool for one SDK key; the oldest events make room
 *   metrics.evaluations        false                    true: evaluations are counted for flagstone_client_metrics_text also
 *                                                       where there are no events; with events they are counted anyway
 *   http.connect_timeout_ms    10000                    longest time to connect to LaunchDarkly or a Relay Proxy, and to look
 *                                                       up its name
 *   http.read_timeout_ms       15000                    longest wait for a response, the stream's silence apart
 *   http.proxy                 (environment)            URL of a proxy; unset: http_proxy, https_proxy, all_proxy, no_proxy count, and
 *                                                       their upper-case forms except HTTP_PROXY, which a CGI request can set;
 *                                                       a scheme is needed; no_proxy knows ranges such as 10.0.0.0/8
 *   http.headers               (none)                   JSON object of further headers
 *   http.tls.ca_file           (built-in)               PEM file of the authorities to trust instead of the built-in list
 *   http.tls.skip_verify       false                    true: any certificate is accepted; said in the log (WARN)
 *   file.paths                 (none)                   JSON array of files with flags, flagValues and segments; JSON where they
 *                                                       begin with {, otherwise YAML 1.2
 *   file.duplicates            fail                     fail: an item in two files is an error; first: the first one counts
 *   file.auto_reload           false                    true: files are read again when they change
 *   snapshot.file              (none)                   file that keeps the last data for a start at which nothing answers; only
 *                                                       with cache.residency all; also in daemon mode. One that others could
 *                                                       have written is refused; a group of this process may, with sdk.key,
 *                                                       which seals it
 *   store.write                (by source)              what the source delivers is written to Redis: true with stream, poll
 *                                                       and fdv2, false with file and testdata, which fill memory only
 *   big_segments.url           (redis.url)              Redis with the members of big segments, as the Relay Proxy writes them; of
 *                                                       the options redis.* only the time-outs count for one that is given
 *   big_segments.prefix        (redis.prefix)           prefix of its keys
 *   big_segments.cache_size    1000                     most contexts whose big segments are remembered
 *   big_segments.cache_ms      5000                     how long the big segments of a context are remembered; changes that
 *                                                       Redis tells of are seen at once
 *   big_segments.poll_interval_ms  5000                 how often the store is asked when it was last brought up to date; not
 *                                                       before it is first used
 *   big_segments.stale_after_ms  120000                 how long ago that may be before the store counts as stale
 *   application.id             (none)                   tag that is sent with every request: at most 64 letters, digits, '.',
 *                                                       '-', '_'; others are not sent
 *   application.name           (none)                   the same
 *   application.version        (none)                   the same
 *   application.version_name   (none)                   the same
 *   wrapper.name               (none)                   name of a library that wraps this one, sent with every request
 *   wrapper.version            (none)                   its version, sent along
 *   offline                    false                    true: nothing is connected to; every evaluation gives its default
 *
 * With a source and without redis.url there is no Redis: memory is all there is. With a source and cache.residency all,
 * memory is the truth once the source has delivered; with lazy and off, Redis is.
 *
 * Times are milliseconds, from 1 to 86400000 (a day).
 *
 *
 * REDIS URL
 *
 *   scheme://[user[:password]@]host[:port][/database][?options]     redis, valkey; with TLS: rediss, valkeys
 *   scheme://[user[:password]@]/path/to/socket[?options]            unix, redis+unix, valkey+unix
 *   scheme://[user[:password]@]host[,host...]/service[/database][?options]
 *                                                                   redis+sentinel, valkey+sentinel; with TLS: rediss+sentinel,
 *                                                                   valkeys+sentinel: the hosts are sentinels, port 26379, and are
 *                                                                   asked at each connect where the primary of the service is
 *   scheme://[user[:password]@]host[:port][,host...][?options]      redis+cluster, valkey+cluster; with TLS: rediss+cluster,
 *                                                                   valkeys+cluster: the hosts are nodes of a cluster
 *
 * Schemes in any case; an IPv6 address in brackets. In user and password write # as %23, / as %2F, ? as %3F, @ as %40, % as
 * %25, in the user also : as %3A. Options, as redis-py has them: db, username (user), password (pass), protocol (2: no RESP3; 3),
 * client_name, socket_timeout and socket_connect_timeout (seconds), socket_keepalive (true), ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs (required or
 * none), read (primary; with sentinels, in daemon mode, also prefer-replica and nearest), az (with these: the availability zone
 * whose servers are preferred, where they tell theirs). With sentinels, whose users are others than those of the servers with the
 * flags: sentinel_user, sentinel_password (which stay, whatever becomes of the other login), sentinel_tls (same, yes, no), service,
 * node (one more host). In a cluster: node_address_map (inside:port>outside:port,...). Any other is refused by name. What flagstone_config_set sets wins over the URL. docs/redis-addresses.md in the
 * sources tells how to write what other clients' configurations say.
 */

#ifndef FLAGSTONE_H
#define FLAGSTONE_H

#include <stddef.h>
#include <stdint.h>

/* Windows needs imports marked; a host that links the static archive defines FLAGSTONE_STATIC. */
#if defined(_WIN32) && !defined(FLAGSTONE_STATIC)
#define FLAGSTONE_API __declspec(dllimport)
#else
#define FLAGSTONE_API
#endif

/* A literal as a flagstone_str, and as two arguments: pointer and length. */
#ifdef __cplusplus
#define FLAGSTONE_STR(literal) (flagstone_str{"" literal, sizeof(literal) - 1})
#else
#define FLAGSTONE_STR(literal) ((flagstone_str){"" literal, sizeof(literal) - 1})
#endif
#define FLAGSTONE_TEXT(literal) "" literal, sizeof(literal) - 1


/**
 * Grows when something that hosts rely on changes or goes away. A host refuses another one.
 */
#define FLAGSTONE_ABI_MAJOR 1

/**
 * Grows when functions, or members at the end of a struct, are added. A host refuses a smaller one.
 */
#define FLAGSTONE_ABI_MINOR 5

/**
 * Bit of `flagstone_features`: `rediss://` URLs work.
 */
#define FLAGSTONE_FEATURE_TLS 1

/**
 * Bit of `flagstone_features`: analytics events are sent.
 */
#define FLAGSTONE_FEATURE_EVENTS 2

/**
 * Bit of `flagstone_features`: the members of big segments are asked for, in Redis or in a store of the host's.
 */
#define FLAGSTONE_FEATURE_BIG_SEGMENTS 4

/**
 * Bit of `flagstone_features`: credentials for Redis may change (`flagstone_client_set_credentials`, `redis.credentials`).
 */
#define FLAGSTONE_FEATURE_CREDENTIALS 8

/**
 * Longest chain of prerequisites, and of segments that name segments, that an evaluation follows: MALFORMED_FLAG beyond it.
 */
#define FLAGSTONE_LIMIT_CHAIN 100

/**
 * Most prerequisites and segments that one evaluation visits: MALFORMED_FLAG beyond it.
 */
#define FLAGSTONE_LIMIT_VISITS 100000

/**
 * Deepest nesting of arrays and objects in JSON, that of hosts and that of flags: BAD_JSON or EXCEPTION beyond it.
 */
#define FLAGSTONE_LIMIT_JSON_DEPTH 127

/**
 * Flag bit of `flagstone_attr`: events must not carry the value.
 */
#define FLAGSTONE_ATTR_PRIVATE 1

/**
 * The most bytes that kind, key, names and texts of one individual context, or its JSON form, may have together.
 * INVALID_ARGUMENT beyond.
 */
#define FLAGSTONE_CONTEXT_MAX_BYTES 268435456

/**
 * Bit of `flagstone_detail.flags`: there is no value; use your default.
 */
#define FLAGSTONE_DETAIL_DEFAULTED 1

/**
 * Bit of `flagstone_detail.flags`: the context takes part in an experiment on this flag.
 */
#define FLAGSTONE_DETAIL_IN_EXPERIMENT 2

/**
 * Bit of `flagstone_detail.flags`: the flag is not known to be true; the last good data answered. Daemon mode: Redis cannot be
 * reached, has not been read yet by this process, or has lost the data set. Otherwise: the data source has not delivered yet, or
 * is not VALID; with residency lazy and off also as in daemon mode. In both: Redis holds newer content that does not parse, or
 * the client is closed.
 */
#define FLAGSTONE_DETAIL_STALE 4

/**
 * Bit of `flagstone_detail.flags`, with a number: the client was made with `evaluation.integer_rounding` = truncate, which
 * `flagstone_detail_int` heeds.
 */
#define FLAGSTONE_DETAIL_TRUNCATES 8

/**
 * Bit of the options of `flagstone_variation_or`: you hand the reason on, so events tell it as well.
 */
#define FLAGSTONE_ASK_REASON 1

/**
 * Option bit of `flagstone_all_flags_json`: only flags that client-side SDKs may see.
 */
#define FLAGSTONE_ALL_FLAGS_CLIENT_SIDE_ONLY 1

/**
 * Option bit of `flagstone_all_flags_json`: the reason of each value.
 */
#define FLAGSTONE_ALL_FLAGS_WITH_REASONS 2

/**
 * Option bit of `flagstone_all_flags_json`: versions and reasons only for flags whose evaluations make full events, or
 * debug events at present.
 */
#define FLAGSTONE_ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED 4

/**
 * Bit of `flagstone_client_subscribe`: changes of flags, also of those that are not evaluated.
 */
#define FLAGSTONE_SUBSCRIBE_FLAG_CHANGES 1

/**
 * The values of `flagstone_status`.
 */
typedef enum flagstone_status_code {
  /**
   * Success.
   */
  FLAGSTONE_STATUS_OK = 0,
  /**
   * The time given was over first; what was begun goes on.
   */
  FLAGSTONE_STATUS_TIMEOUT = 1,
  /**
   * A value that is not allowed, or a handle of another type or that was released.
   */
  FLAGSTONE_STATUS_INVALID_ARGUMENT = 2,
  /**
   * NULL where something was needed.
   */
  FLAGSTONE_STATUS_NULL_ARGUMENT = 3,
  /**
   * Text that is not UTF-8.
   */
  FLAGSTONE_STATUS_BAD_UTF8 = 4,
  /**
   * Text that is not JSON.
   */
  FLAGSTONE_STATUS_BAD_JSON = 5,
  /**
   * No such thing.
   */
  FLAGSTONE_STATUS_NOT_FOUND = 6,
  /**
   * The client is not ready and will not be.
   */
  FLAGSTONE_STATUS_NOT_READY = 7,
  /**
   * The client is closed.
   */
  FLAGSTONE_STATUS_CLOSED = 8,
  /**
   * Not possible in a forked child.
   */
  FLAGSTONE_STATUS_FORKED = 9,
  /**
   * The system or the store refused.
   */
  FLAGSTONE_STATUS_STORE = 10,
  /**
   * Not supported by this build.
   */
  FLAGSTONE_STATUS_UNSUPPORTED = 11,
  /**
   * A newer version is already there.
   */
  FLAGSTONE_STATUS_STALE_VERSION = 12,
  /**
   * The library is not the one this host was made for.
   */
  FLAGSTONE_STATUS_ABI_MISMATCH = 13,
  /**
   * A defect of the library, caught at the border.
   */
  FLAGSTONE_STATUS_PANIC = 99,
} flagstone_status_code;

/**
 * Lifecycle of a client.
 */
typedef enum flagstone_state {
  /**
   * Not ready: daemon mode: Redis has not been read yet; otherwise: the data source has not delivered yet.
   */
  FLAGSTONE_STATE_INIT = 0,
  /**
   * What is held is known to be true.
   */
  FLAGSTONE_STATE_VALID = 1,
  /**
   * Daemon mode: Redis cannot be reached, or lost the data set; otherwise: the data source fails and is tried again. The
   * last good data stay in force.
   */
  FLAGSTONE_STATE_INTERRUPTED = 2,
  /**
   * Closed, or the data source has failed for good.
   */
  FLAGSTONE_STATE_OFF = 3,
  /**
   * A forked child that has made no other call yet.
   */
  FLAGSTONE_STATE_FORKED = 4,
} flagstone_state;

/**
 * Types of values.
 */
typedef enum flagstone_type {
  /**
   * No value, or null; as a type asked for: any.
   */
  FLAGSTONE_TYPE_NONE = 0,
  /**
   * Boolean.
   */
  FLAGSTONE_TYPE_BOOL = 1,
  /**
   * Number (double precision).
   */
  FLAGSTONE_TYPE_NUMBER = 2,
  /**
   * String.
   */
  FLAGSTONE_TYPE_STRING = 3,
  /**
   * Array or object, as JSON text; as a type asked for: any value, as JSON text.
   */
  FLAGSTONE_TYPE_JSON = 4,
} flagstone_type;

/**
 * Why a flag has the value it has.
 */
typedef enum flagstone_reason {
  /**
   * The flag is off.
   */
  FLAGSTONE_REASON_OFF = 0,
  /**
   * No target and no rule matched.
   */
  FLAGSTONE_REASON_FALLTHROUGH = 1,
  /**
   * The context's key is targeted.
   */
  FLAGSTONE_REASON_TARGET_MATCH = 2,
  /**
   * A rule matched: `rule_index`, `rule_id`.
   */
  FLAGSTONE_REASON_RULE_MATCH = 3,
  /**
   * A prerequisite was not met: `prerequisite_key`.
   */
  FLAGSTONE_REASON_PREREQUISITE_FAILED = 4,
  /**
   * The flag could not be evaluated: `error_kind`.
   */
  FLAGSTONE_REASON_ERROR = 5,
} flagstone_reason;

/**
 * Why a flag could not be evaluated.
 */
typedef enum flagstone_error_kind {
  /**
   * No error.
   */
  FLAGSTONE_ERROR_KIND_NONE = 0,
  /**
   * There is nothing to answer from. Daemon mode: Redis has not been read yet; otherwise: the data source has not delivered
   * yet, and Redis has no last known flags; in both: nor has a snapshot file. Also with the option offline, and after close
   * with residency off.
   */
  FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY = 1,
  /**
   * No such flag.
   */
  FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND = 2,
  /**
   * No valid context.
   */
  FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED = 3,
  /**
   * The flag's data contradict themselves.
   */
  FLAGSTONE_ERROR_KIND_MALFORMED_FLAG = 4,
  /**
   * The value is of another type than asked for.
   */
  FLAGSTONE_ERROR_KIND_WRONG_TYPE = 5,
  /**
   * The flag, or something it depends on, could not be read.
   */
  FLAGSTONE_ERROR_KIND_EXCEPTION = 6,
} flagstone_error_kind;

/**
 * What became of the big segments that an evaluation consulted.
 */
typedef enum flagstone_big_segments {
  /**
   * None was consulted.
   */
  FLAGSTONE_BIG_SEGMENTS_NONE = 0,
  /**
   * The answer is up to date.
   */
  FLAGSTONE_BIG_SEGMENTS_HEALTHY = 1,
  /**
   * The answer may be out of date.
   */
  FLAGSTONE_BIG_SEGMENTS_STALE = 2,
  /**
   * There is no big-segment store, or the segment has no generation yet.
   */
  FLAGSTONE_BIG_SEGMENTS_NOT_CONFIGURED = 3,
  /**
   * The big-segment store could not be asked.
   */
  FLAGSTONE_BIG_SEGMENTS_STORE_ERROR = 4,
} flagstone_big_segments;

/**
 * Kinds of notifications.
 */
typedef enum flagstone_notification_kind {
  /**
   * A log line: `level_or_state` is a `FLAGSTONE_LEVEL_…`, `text` the line, `extra` JSON that says what it is about:
   * `{"area":"store"}`; further areas are `client`, `source`, `events` and `big_segments`.
   */
  FLAGSTONE_NOTIFICATION_LOG = 0,
  /**
   * Data source or store changed: `level_or_state` is the client's `FLAGSTONE_STATE_…` from now on, `text` says why, `extra`
   * is JSON: `{"source":{"state":"VALID","since_ms":n,"error":{"kind":"NETWORK_ERROR","status":0,"message":"…","unix_ms":n}},
   * "store":{"available":true,"stale_since_ms":null}}`; `source` is null in daemon mode, `error` null before the first one.
   */
  FLAGSTONE_NOTIFICATION_STATUS = 1,
  /**
   * A flag, or something it depends on, changed: `text` is its key, `extra` is JSON, `{"old_version":3,"new_version":4}`. A
   * deletion has a version, too; null stands where nothing was or is held. Equal versions say that only something it depends
   * on changed.
   */
  FLAGSTONE_NOTIFICATION_FLAG_CHANGED = 2,
  /**
   * How the big-segment store stands has changed: `text` says why, `extra` is JSON,
   * `{"available":true,"stale":false,"last_sync_ms":n}`; `last_sync_ms` is null when it is not known. Also told when it is first
   * known how it stands.
   */
  FLAGSTONE_NOTIFICATION_BIG_SEGMENTS = 3,
  /**
   * `flagstone_client_wake` was called.
   */
  FLAGSTONE_NOTIFICATION_WAKE = 4,
  /**
   * The value of a flag is another one now for a listener (`flagstone_client_listen`): `text` is the key of the flag, `extra` is
   * JSON: `{"listener":1,"old":true,"new":false}`. `old` is what the listener was told before, or its first value; null stands
   * where there is no value, as for a flag that does not exist. Comes right after the FLAG_CHANGED or STATUS that led to it;
   * never dropped.
   */
  FLAGSTONE_NOTIFICATION_VALUE_CHANGED = 5,
  /**
   * Credentials for Redis are asked for (`redis.credentials=host`), to be given with `flagstone_client_set_credentials`:
   * `text` is `"start"` (there are none yet), `"expires"` (80 % of their life are over) or `"refused"` (the server did not take
   * them), `extra` is JSON: `{"user":"ada"}`, who logs in by the present ones or by the options; null for the default user. Told
   * again, with growing pauses, until others are set; one waits at most.
   */
  FLAGSTONE_NOTIFICATION_CREDENTIALS = 6,
} flagstone_notification_kind;

/**
 * Old names of `flagstone_notification_kind`.
 */
typedef enum flagstone_event_kind {
  /**
   * `FLAGSTONE_NOTIFICATION_LOG`
   */
  FLAGSTONE_EVENT_LOG = 0,
  /**
   * `FLAGSTONE_NOTIFICATION_STATUS`
   */
  FLAGSTONE_EVENT_STATUS = 1,
  /**
   * `FLAGSTONE_NOTIFICATION_FLAG_CHANGED`
   */
  FLAGSTONE_EVENT_FLAG_CHANGED = 2,
  /**
   * `FLAGSTONE_NOTIFICATION_BIG_SEGMENTS`
   */
  FLAGSTONE_EVENT_BIG_SEGMENTS = 3,
  /**
   * `FLAGSTONE_NOTIFICATION_WAKE`
   */
  FLAGSTONE_EVENT_WAKE = 4,
} flagstone_event_kind;

/**
 * Levels of log lines.
 */
typedef enum flagstone_level {
  /**
   * For finding out why.
   */
  FLAGSTONE_LEVEL_DEBUG = 0,
  /**
   * Normal operation.
   */
  FLAGSTONE_LEVEL_INFO = 1,
  /**
   * Something is degraded.
   */
  FLAGSTONE_LEVEL_WARN = 2,
  /**
   * Something failed.
   */
  FLAGSTONE_LEVEL_ERROR = 3,
  /**
   * As a filter: nothing at all.
   */
  FLAGSTONE_LEVEL_NONE = 4,
} flagstone_level;

/**
 * The two collections of items.
 */
typedef enum flagstone_kind {
  /**
   * Flags.
   */
  FLAGSTONE_KIND_FLAG = 0,
  /**
   * Segments.
   */
  FLAGSTONE_KIND_SEGMENT = 1,
} flagstone_kind;

/**
 * What kind of failure a data source met.
 */
typedef enum flagstone_source_error {
  /**
   * None of the others; also: no failure so far.
   */
  FLAGSTONE_SOURCE_ERROR_UNKNOWN = 0,
  /**
   * No connection, or it was lost.
   */
  FLAGSTONE_SOURCE_ERROR_NETWORK_ERROR = 1,
  /**
   * The server answered with an error status: `last_error_status`.
   */
  FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE = 2,
  /**
   * What was received makes no sense.
   */
  FLAGSTONE_SOURCE_ERROR_INVALID_DATA = 3,
  /**
   * What was received could not be stored.
   */
  FLAGSTONE_SOURCE_ERROR_STORE_ERROR = 4,
} flagstone_source_error;

/**
 * How far a migration is. Of two origins the first that is named here is authoritative: its result is the operation's; a
 * write goes to it first, and to the other one only if it succeeded.
 */
typedef enum flagstone_migration_stage {
  /**
   * `off`: read old; write old.
   */
  FLAGSTONE_MIGRATION_STAGE_OFF = 0,
  /**
   * `dualwrite`: read old; write old and new.
   */
  FLAGSTONE_MIGRATION_STAGE_DUALWRITE = 1,
  /**
   * `shadow`: read old and new; write old and new.
   */
  FLAGSTONE_MIGRATION_STAGE_SHADOW = 2,
  /**
   * `live`: read new and old; write new and old.
   */
  FLAGSTONE_MIGRATION_STAGE_LIVE = 3,
  /**
   * `rampdown`: read new; write new and old.
   */
  FLAGSTONE_MIGRATION_STAGE_RAMPDOWN = 4,
  /**
   * `complete`: read new; write new.
   */
  FLAGSTONE_MIGRATION_STAGE_COMPLETE = 5,
} flagstone_migration_stage;

/**
 * What an operation of a migration does.
 */
typedef enum flagstone_migration_operation {
  /**
   * It reads.
   */
  FLAGSTONE_MIGRATION_OPERATION_READ = 0,
  /**
   * It writes.
   */
  FLAGSTONE_MIGRATION_OPERATION_WRITE = 1,
} flagstone_migration_operation;

/**
 * A side of a migration.
 */
typedef enum flagstone_migration_origin {
  /**
   * Where data come from.
   */
  FLAGSTONE_MIGRATION_ORIGIN_OLD = 0,
  /**
   * Where they go.
   */
  FLAGSTONE_MIGRATION_ORIGIN_NEW = 1,
} flagstone_migration_origin;

/**
 * A client: one environment's flags, held and kept true. Shared by any number of threads; one per environment and process
 * is enough. Counted: `flagstone_client_retain`, `flagstone_client_release`.
 */
typedef struct flagstone_client flagstone_client;

/**
 * Options by name, from which clients are made. Belongs to one thread at a time. A client copies it: it may be changed,
 * reused or freed at any time.
 */
typedef struct flagstone_config flagstone_config;

/**
 * A context: who a flag is evaluated for. Immutable; may be shared by any number of clients and threads. Making one costs
 * a fraction of a microsecond, so keep it as long as the same one asks. Counted.
 */
typedef struct flagstone_context flagstone_context;

/**
 * Collects the attributes of a single-kind context. Belongs to one thread at a time.
 */
typedef struct flagstone_context_builder flagstone_context_builder;

/**
 * Why a call failed: a status code and a message that names the argument. Immutable; belongs to whoever received it.
 */
typedef struct flagstone_error flagstone_error;

/**
 * A prepared flag: key, type and default bound once, the place of the flag remembered. About half the cost of a call by key.
 * Shared by any number of threads. Keeps its client alive.
 */
typedef struct flagstone_flag flagstone_flag;

/**
 * What a store says of one context, while it is being asked. Valid during that call only, on the thread of the call.
 */
typedef struct flagstone_membership flagstone_membership;

/**
 * One operation of a migration: a read or a write of data that move from an old to a new origin, with the stage it is to
 * follow. You say what it did, and `flagstone_migration_track` tells it to LaunchDarkly. Any thread at any time, no lock.
 * Counted: `flagstone_migration_retain`, `flagstone_migration_release`.
 */
typedef struct flagstone_migration flagstone_migration;

/**
 * Flags and segments that a test sets. A client whose configuration has it takes them from it, at once and at every
 * change. Any thread; counted: `flagstone_test_data_retain`, `flagstone_test_data_release`.
 */
typedef struct flagstone_test_data flagstone_test_data;

/**
 * Text that stays valid until `flagstone_bytes_clear`. UTF-8, not ended by NUL. Only to be read: it may be shared.
 */
typedef struct flagstone_bytes {
  /**
   * First byte.
   */
  char *ptr;
  /**
   * Number of bytes.
   */
  size_t len;
  /**
   * What keeps the bytes alive; not for the host. NULL when nothing needs to.
   */
  void *owner;
} flagstone_bytes;

/**
 * Borrowed text: `len` bytes of UTF-8 at `ptr`, not ended by NUL. Whoever hands it out says how long it is valid. With
 * `len` 0 the pointer is not looked at.
 */
typedef struct flagstone_str {
  /**
   * First byte; may be NULL when `len` is 0.
   */
  const char *ptr;
  /**
   * Number of bytes.
   */
  size_t len;
} flagstone_str;

/**
 * Outcome of a call: a `FLAGSTONE_STATUS_…`. New codes may be added at any time: treat an unknown one as a failure.
 */
typedef int32_t flagstone_status;

/**
 * Condition of a client. The caller makes it: set `struct_size` to `sizeof(flagstone_client_status_info)` and the rest to 0.
 * Its text is valid until `flagstone_client_status_info_clear`.
 */
typedef struct flagstone_client_status_info {
  /**
   * Size of this struct as the host knows it, in bytes.
   */
  uint32_t struct_size;
  /**
   * State of the data source, a `FLAGSTONE_STATE_…`; in daemon mode, which has none, that of the client.
   */
  int32_t source_state;
  /**
   * Since when, Unix time in milliseconds; 0 in daemon mode.
   */
  int64_t source_since_ms;
  /**
   * Kind of the latest failure, a `FLAGSTONE_SOURCE_ERROR_…`; says nothing while `last_error_ms` is 0.
   */
  int32_t last_error_kind;
  /**
   * HTTP status of the latest failure; 0 when there was none.
   */
  int32_t last_error_status;
  /**
   * When the latest failure was, Unix time in milliseconds; 0 for never.
   */
  int64_t last_error_ms;
  /**
   * What the latest failure was, for people.
   */
  struct flagstone_str last_error;
  /**
   * 1 when Redis answered last time, or when memory is all there is; else 0.
   */
  int32_t store_available;
  /**
   * Always 0.
   */
  int32_t reserved;
  /**
   * Since when what was read of Redis is not known to be true, Unix time in milliseconds; 0 when it is.
   */
  int64_t store_stale_since_ms;
  /**
   * What keeps the text alive; not for the host.
   */
  void *owner;
} flagstone_client_status_info;

/**
 * One attribute of a context. The texts are borrowed for the call.
 */
typedef struct flagstone_attr {
  /**
   * Name; `name` (a string) and `anonymous` (a bool) are the built-in ones.
   */
  struct flagstone_str name;
  /**
   * A `FLAGSTONE_TYPE_…`; NONE is null, which is the same as leaving the attribute out.
   */
  int32_t type;
  /**
   * 0 or `FLAGSTONE_ATTR_PRIVATE`.
   */
  uint32_t flags;
  /**
   * Value for BOOL (0 or not) and NUMBER (finite).
   */
  double number;
  /**
   * Value for STRING, or JSON text for JSON.
   */
  struct flagstone_str text;
} flagstone_attr;

/**
 * The result of an evaluation. The caller makes it: set `struct_size` to `sizeof(flagstone_detail)` and the rest to 0.
 *
 * The texts are borrowed from the flag data and stay valid, whatever happens to the flag or the client, until
 * `flagstone_detail_clear`. Clear a detail before it is used again. Belongs to one thread at a time.
 */
typedef struct flagstone_detail {
  /**
   * Size of this struct as the host knows it, in bytes.
   */
  uint32_t struct_size;
  /**
   * Type of the value, a `FLAGSTONE_TYPE_…`; NONE without the DEFAULTED bit: the value is null.
   */
  int32_t value_type;
  /**
   * A `FLAGSTONE_REASON_…`.
   */
  int32_t reason;
  /**
   * A `FLAGSTONE_ERROR_KIND_…`; NONE unless the reason is ERROR.
   */
  int32_t error_kind;
  /**
   * Index of the variation, from 0; -1 for none.
   */
  int32_t variation_index;
  /**
   * Index of the rule that matched, from 0; -1 for none.
   */
  int32_t rule_index;
  /**
   * `FLAGSTONE_DETAIL_…` bits.
   */
  uint32_t flags;
  /**
   * A `FLAGSTONE_BIG_SEGMENTS_…`.
   */
  int32_t big_segments_status;
  /**
   * BOOL: 0 or 1. NUMBER: the number, as the nearest double; `flagstone_detail_int` gives it as an integer.
   */
  double number_value;
  /**
   * STRING: the text. JSON: the JSON text. NUMBER: the number as written in the flag.
   */
  struct flagstone_str text;
  /**
   * Id of the rule that matched; may be empty.
   */
  struct flagstone_str rule_id;
  /**
   * Key of the prerequisite that was not met.
   */
  struct flagstone_str prerequisite_key;
  /**
   * What keeps the texts alive; not for the host. NULL when nothing is borrowed.
   */
  void *owner;
} flagstone_detail;

/**
 * Your default, borrowed for one call. Events tell it; a call gives it back only where it says so. Zeroed memory is a default
 * of null.
 */
typedef struct flagstone_default {
  /**
   * A `FLAGSTONE_TYPE_…`: NONE for null.
   */
  int32_t value_type;
  /**
   * NUMBER: not 0 if `integer` is the number, else `number` is.
   */
  int32_t is_integer;
  /**
   * BOOL: 0, or not 0. NUMBER: see `is_integer`.
   */
  int64_t integer;
  /**
   * NUMBER: see `is_integer`.
   */
  double number;
  /**
   * STRING: the string itself. JSON: the value as JSON text.
   */
  struct flagstone_str text;
} flagstone_default;

/**
 * Says which big segments include or exclude a context, by calls of `flagstone_membership_add` on `out`; none: no big segment
 * knows it.
 *
 * `context_hash`: Base64 (standard, padded) of the SHA-256 of the context's key, `len` bytes, valid during the call. OK; any
 * other status: the store failed. Called on the thread that evaluates, which waits for it, also by several threads at once.
 * May evaluate flags, but is not asked by them for other contexts: those evaluations get STORE_ERROR. Must return: no exception
 * and no `longjmp` may leave it.
 */
typedef int32_t (*flagstone_membership_fn)(void *user_data,
                                           const char *context_hash,
                                           size_t len,
                                           struct flagstone_membership *out);

/**
 * Says when the store was last brought up to date: writes Unix time in milliseconds to `*last_up_to_date_ms`.
 *
 * OK; NOT_FOUND: it never was; any other status: the store failed. Called as `flagstone_membership_fn` is, and on the thread that
 * calls `flagstone_big_segments_poll` or `flagstone_big_segments_status`.
 */
typedef int32_t (*flagstone_metadata_fn)(void *user_data, int64_t *last_up_to_date_ms);

/**
 * Lets go of `user_data`, which nobody uses any more. Called once, on the thread that gives back the last reference.
 */
typedef void (*flagstone_drop_fn)(void *user_data);

/**
 * A big-segment store of the host's own. Set `struct_size` to `sizeof(flagstone_big_segment_store)` and `reserved` to 0.
 */
typedef struct flagstone_big_segment_store {
  /**
   * Size of this struct as the host knows it, in bytes.
   */
  uint32_t struct_size;
  /**
   * Always 0.
   */
  uint32_t reserved;
  /**
   * Handed to each function; may be NULL. Used by any thread.
   */
  void *user_data;
  /**
   * Which big segments a context is in. Not NULL.
   */
  flagstone_membership_fn membership;
  /**
   * How old the store is. Not NULL.
   */
  flagstone_metadata_fn metadata;
  /**
   * Lets go of `user_data`; NULL when there is nothing to let go of.
   */
  flagstone_drop_fn drop;
} flagstone_big_segment_store;

/**
 * How the big-segment store stands. The caller makes it: set `struct_size` to `sizeof(flagstone_big_segment_status)` and the
 * rest to 0.
 */
typedef struct flagstone_big_segment_status {
  /**
   * Size of this struct as the host knows it, in bytes.
   */
  uint32_t struct_size;
  /**
   * 1 when the store answered when it was last asked how old it is; else 0, also without a store.
   */
  int32_t available;
  /**
   * 1 when it was never brought up to date, or not for `big_segments.stale_after_ms`; else 0.
   */
  int32_t stale;
  /**
   * Always 0.
   */
  int32_t reserved;
  /**
   * When it was last brought up to date, Unix time in milliseconds; 0 when that is not known.
   */
  int64_t last_sync_ms;
} flagstone_big_segment_status;

/**
 * A notification. The caller makes it: set `struct_size` to `sizeof(flagstone_notification)` and the rest to 0. Its texts are
 * valid until `flagstone_notification_clear`.
 */
typedef struct flagstone_notification {
  /**
   * Size of this struct as the host knows it, in bytes.
   */
  uint32_t struct_size;
  /**
   * A `FLAGSTONE_NOTIFICATION_…`. Leave out kinds that you do not know.
   */
  int32_t kind;
  /**
   * LOG: the level. STATUS: the state.
   */
  int32_t level_or_state;
  /**
   * Number of notifications dropped just before this one because the queue was full.
   */
  uint32_t dropped;
  /**
   * When it happened: Unix time in milliseconds.
   */
  int64_t unix_ms;
  /**
   * See the kinds.
   */
  struct flagstone_str text;
  /**
   * See the kinds.
   */
  struct flagstone_str extra;
  /**
   * What keeps the texts alive; not for the host.
   */
  void *owner;
} flagstone_notification;

/**
 * The old name of `flagstone_notification`, and the same. In this interface an event is what analytics are made of.
 */
typedef struct flagstone_event {
  /**
   * As in `flagstone_notification`.
   */
  uint32_t struct_size;
  /**
   * As there.
   */
  int32_t kind;
  /**
   * As there.
   */
  int32_t level_or_state;
  /**
   * As there.
   */
  uint32_t dropped;
  /**
   * As there.
   */
  int64_t unix_ms;
  /**
   * As there.
   */
  struct flagstone_str text;
  /**
   * As there.
   */
  struct flagstone_str extra;
  /**
   * As there.
   */
  void *owner;
} flagstone_event;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Version of the ABI: `(major << 16) | minor`. The first thing that a binding calls. Any thread, never fails.
 */
FLAGSTONE_API uint32_t flagstone_abi_version(void);

/**
 * Version of the library, for example `"0.1.0"`: static text that ends with NUL. Any thread, never fails.
 */
FLAGSTONE_API const char *flagstone_version_string(void);

/**
 * What this build can do: a set of `FLAGSTONE_FEATURE_…` bits. Any thread, never fails.
 */
FLAGSTONE_API uint64_t flagstone_features(void);

/**
 * Gives the text back and clears the struct, so that a second call does nothing. NULL is allowed. Any thread that owns it.
 */
FLAGSTONE_API
void flagstone_bytes_clear(struct flagstone_bytes *bytes);

/**
 * Name of a status code, for example `"TIMEOUT"`; `"UNKNOWN"` for a code that this library does not know.
 *
 * Returns static text that ends with NUL. Any thread.
 */
FLAGSTONE_API const char *flagstone_status_name(int32_t status);

/**
 * Status code of an error; `FLAGSTONE_STATUS_NULL_ARGUMENT` for NULL. Any thread.
 */
FLAGSTONE_API int32_t flagstone_error_code(const struct flagstone_error *error);

/**
 * Message of an error, in English, for people; it names the argument or option, never a password. Reading does not
 * consume it.
 *
 * The text is borrowed: valid until the error is freed. Empty for NULL. Any thread.
 */
FLAGSTONE_API struct flagstone_str flagstone_error_message(const struct flagstone_error *error);

/**
 * Frees an error. NULL is allowed.
 */
FLAGSTONE_API void flagstone_error_free(struct flagstone_error *error);

/**
 * A configuration with all options at their defaults.
 *
 * Owned by the caller: give it back with `flagstone_config_free`. NULL only when the library is defective.
 */
FLAGSTONE_API struct flagstone_config *flagstone_config_new(void);

/**
 * Sets one option. Names, values, units and defaults are listed at the top of this header.
 *
 * `name` and `value` are UTF-8 and borrowed for the call. The value is checked at once as far as it can be alone; on
 * failure nothing changes: `INVALID_ARGUMENT` for an unknown name or a value that does not fit, `NULL_ARGUMENT`,
 * `BAD_UTF8`. An explicit option wins over the same thing in `redis.url`; the order of setting does not matter.
 */
FLAGSTONE_API
flagstone_status flagstone_config_set(struct flagstone_config *config,
                                      const char *name,
                                      size_t name_len,
                                      const char *value,
                                      size_t value_len,
                                      struct flagstone_error **err);

/**
 * Sets options from a JSON object: `{"redis.url": "redis://db:6379", "cache": {"ttl_ms": 5000}}`. Dotted names and
 * nested objects are the same; values are strings, numbers or booleans. All options are set or none.
 *
 * `json` is UTF-8 and borrowed for the call. Fails as `flagstone_config_set` does, and with `BAD_JSON`.
 */
FLAGSTONE_API
flagstone_status flagstone_config_load_json(struct flagstone_config *config,
                                            const char *json,
                                            size_t json_len,
                                            struct flagstone_error **err);

/**
 * Frees a configuration. Clients made from it are not affected. NULL is allowed.
 */
FLAGSTONE_API void flagstone_config_free(struct flagstone_config *config);

/**
 * Test data without any item.
 *
 * Owned by the caller, with one reference. NULL only when the library is defective.
 */
FLAGSTONE_API struct flagstone_test_data *flagstone_test_data_new(void);

/**
 * Adds or replaces the flag or segment whose key is in the JSON, and hands it to every client that uses these data; returns
 * when they have it, after a second at the latest.
 *
 * `kind`: a `FLAGSTONE_KIND_…`. The version is raised above the previous one if it is not higher. `INVALID_ARGUMENT` for
 * JSON that is no such item or has no key. Borrowed for the call.
 */
FLAGSTONE_API
flagstone_status flagstone_test_data_set_json(struct flagstone_test_data *data,
                                              int32_t kind,
                                              const char *json,
                                              size_t json_len,
                                              struct flagstone_error **err);

/**
 * Deletes a flag or segment, in a version above the previous one. OK also for one that was never there.
 *
 * `kind` and waiting as for `flagstone_test_data_set_json`. Borrowed for the call.
 */
FLAGSTONE_API
flagstone_status flagstone_test_data_delete(struct flagstone_test_data *data,
                                            int32_t kind,
                                            const char *key,
                                            size_t key_len,
                                            struct flagstone_error **err);

/**
 * Makes every client that uses these data report this state of its data source: VALID, INTERRUPTED or OFF
 * (`FLAGSTONE_STATE_…`). Changes go on to be delivered.
 *
 * `error_kind` (a `FLAGSTONE_SOURCE_ERROR_…`), `http_status` (0 for none) and `message` tell of the failure that is behind
 * INTERRUPTED and OFF; with VALID they are not looked at. Borrowed for the call.
 */
FLAGSTONE_API
flagstone_status flagstone_test_data_set_status(struct flagstone_test_data *data,
                                                int32_t state,
                                                int32_t error_kind,
                                                int32_t http_status,
                                                const char *message,
                                                size_t message_len,
                                                struct flagstone_error **err);

/**
 * Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
 */
FLAGSTONE_API struct flagstone_test_data *flagstone_test_data_retain(const struct flagstone_test_data *data);

/**
 * Gives back a reference. Clients that use the data keep them. NULL is allowed.
 */
FLAGSTONE_API void flagstone_test_data_release(struct flagstone_test_data *data);

/**
 * Makes the clients of this configuration take flags and segments from `data`; sets `source.kind` to `testdata`.
 *
 * Borrowed for the call; the configuration keeps a reference of its own.
 */
FLAGSTONE_API
flagstone_status flagstone_config_set_test_data(struct flagstone_config *config,
                                                const struct flagstone_test_data *data,
                                                struct flagstone_error **err);

/**
 * Makes a client from a copy of `config`. No thread runs and no connection is open before `flagstone_client_start`.
 *
 * `*out` is owned by the caller, with one reference. `INVALID_ARGUMENT` when options do not fit together or a file they
 * name cannot be read. Redis need not be there. On failure `*out` is not touched.
 */
FLAGSTONE_API
flagstone_status flagstone_client_new(const struct flagstone_config *config,
                                      struct flagstone_client **out,
                                      struct flagstone_error **err);

/**
 * Starts the client and waits until it is ready. Daemon mode: both hashes of Redis have been read once, empty or not. With a
 * data source: its first full data set is in memory, whether Redis has it or not.
 *
 * `timeout_ms`: longest wait in milliseconds; 0 does not wait. OK when ready (or not waited for); NOT_READY when the data
 * source has failed for good; TIMEOUT when not yet: the client goes on trying, and the error says why so far; CLOSED after
 * close. Meanwhile the last known flags answer, if Redis (with `$inited`) or the snapshot file has them. May be called
 * again, by any thread, to wait again.
 */
FLAGSTONE_API
flagstone_status flagstone_client_start(struct flagstone_client *client,
                                        uint32_t timeout_ms,
                                        struct flagstone_error **err);

/**
 * Waits until the client is in `state` (a `FLAGSTONE_STATE_…`), at most `timeout_ms` milliseconds.
 *
 * OK or TIMEOUT; INVALID_ARGUMENT for an unknown state. When another state than OFF is waited for: CLOSED once the client is
 * closed, NOT_READY once the data source has failed for good.
 */
FLAGSTONE_API
flagstone_status flagstone_client_wait(const struct flagstone_client *client,
                                       int32_t state,
                                       uint32_t timeout_ms);

/**
 * State of the client, a `FLAGSTONE_STATE_…`: one atomic load. OFF for NULL and for handles of another type.
 */
FLAGSTONE_API int32_t flagstone_client_state(const struct flagstone_client *client);

/**
 * Condition of the client as a JSON object:
 *
 * | Member | Is |
 * |---|---|
 * | `state` | `"INIT"`, `"VALID"`, `"INTERRUPTED"` or `"OFF"`: of the data source; in daemon mode, of the store |
 * | `ready` | daemon mode: both hashes have been read; otherwise: the data source has delivered |
 * | `available` | Redis answered last time, or memory is all there is |
 * | `source` | null in daemon mode; else `state`, `since_ms`, `error` (null, or `kind`, `status`, `message`, `unix_ms`) |
 * | `environment_id` | the environment that a server named; null if none did |
 * | `from_file` | what is held came from the snapshot file |
 * | `wiped` | Redis lost the data set; held items stay in force |
 * | `stale_since_ms` | Unix time in ms since when what was read of Redis is not known to be true; null when it is |
 * | `verified_age_ms` | age in ms of the latest moment at which everything held was known to be true; null before the first |
 * | `freshness` | freshness in force: `"push"`, `"ttl"`, `"forever"` or `"starting"` |
 * | `freshness_reason` | why; with `"push"` the name of the way in which Redis tells, as in `watch`; null with `"starting"` |
 * | `flags`, `segments` | number held, deleted ones left out |
 * | `malformed` | items that do not parse, in Redis or as the data source delivered them |
 * | `dropped` | notifications dropped because nobody took them |
 * | `panics` | defects caught at the border |
 * | `last_error`, `last_error_ms` | what is wrong at present, and its Unix time in ms; null when nothing is |
 * | `previous_error`, `previous_error_ms` | the same for what was wrong until the latest recovery |
 * | `events` | null without events; else how they fare, see below |
 * | `big_segments` | null without a big-segment store; else how it stands, see below |
 * | `initialized` | somebody has written a full data set: `$inited` was seen |
 * | `redis` | where the Redis with the flags is, or else, where one is asked for big segments alone, that one, see below; null without any |
 * | `watch` | null unless `cache.freshness` is `push` and there is a Redis; else how it tells of changes, see below |
 *
 * Members of `redis`; `role`, `service`, `sentinels` and `asked` only with sentinels, `nodes` only in a cluster:
 *
 * | Member | Is |
 * |---|---|
 * | `topology` | `"standalone"`, `"sentinel"` or `"cluster"` |
 * | `address` | of the server that is read; null while that is not known, or where a cluster has the keys on several |
 * | `database` | its number |
 * | `credentials` | null where nobody logs in; else who does, see below |
 * | `role` | whether that server is a `"primary"` or a `"replica"`; null while it is not known |
 * | `service` | what the sentinels are asked for |
 * | `sentinels` | array of `address`, `error`: why it was of no use when it was asked last, null when it was, and `listed`: it stands in the URL; others are known from those |
 * | `asked` | the sentinel that answered last; null before the first |
 * | `nodes` | array of the nodes that own keys of this client: `address`, `holds` (array of `"features"`, `"segments"`, `"$inited"`), `role` (`"primary"`) |
 *
 * Members of `watch`; docs/freshness.md tells what each way needs. Where a cluster has the keys on several servers, they are of
 * the one that tells in the weakest way:
 *
 * | Member | Is |
 * |---|---|
 * | `rung` | the way in force: `"hash-field notifications"`, `"RESP3 broadcast tracking"`, `"RESP2 tracking with redirect"` or `"keyspace notifications"`; null while there is none |
 * | `reason` | why no better one is in force; null with the best one |
 * | `ladder` | array of `rung`, `state` and `reason`, best first; `state` is `"in force"`, `"refused"`, `"lost"`, `"not needed"` (a better one is in force) or `"not tried"` |
 *
 * Members of `credentials`:
 *
 * | Member | Is |
 * |---|---|
 * | `source` | `"static"` (options, or `flagstone_client_set_credentials` without `redis.credentials`), `"host"`, `"file"` or `"aws-iam"` |
 * | `user` | who logs in; null for the default user |
 * | `expires_in_ms` | how long the server takes them still, 0 when that time is over; null when it is not known |
 * | `state` | `"ok"`: a server took them; `"untried"`: none has seen them yet; `"missing"`: there are none yet; `"refused"`: a server did not take them; `"expired"`: their time is over |
 * | `error` | what the server said that refused them, or why no others could be had; null when nothing is wrong |
 *
 * Members of `events`; a summary of evaluations counts as one event:
 *
 * | Member | Is |
 * |---|---|
 * | `state` | `"on"`, or `"off"` when the server refuses them for good |
 * | `waiting` | events that wait for the next flush, without what is counted for a summary |
 * | `dropped` | events, and evaluations to be counted, that did not fit: in `events.capacity`, in 64 MB, in 10,000 unknown flags |
 * | `sent` | events that were delivered |
 * | `lost` | events that could not be delivered and were not kept |
 * | `spooled` | events that could not be delivered and went to `events.spool`; those sent from there count as sent, too |
 * | `spool` | null without one; else `payloads`, the number held at the last look, and `corrupt`, files set aside by this process |
 * | `last_error`, `last_error_ms` | the latest failure and its Unix time in ms; null when there was none |
 *
 * Members of `big_segments`:
 *
 * | Member | Is |
 * |---|---|
 * | `available`, `stale` | as in `flagstone_big_segment_status`; null before the store was first asked |
 * | `last_sync_ms` | when it was last brought up to date, Unix time in ms; null when that is not known |
 * | `remembered` | contexts whose big segments are remembered |
 * | `push` | Redis tells of changes of what is remembered |
 *
 * New members may appear. `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close.
 */
FLAGSTONE_API
flagstone_status flagstone_client_status_json(const struct flagstone_client *client,
                                              struct flagstone_bytes *out,
                                              struct flagstone_error **err);

/**
 * Writes the client's counters and gauges in the format that Prometheus reads (text 0.0.4), to be served as they are:
 * `text/plain; version=0.0.4`. Takes no lock that an evaluation takes. Any thread.
 *
 * | Metric | Is |
 * |---|---|
 * | `flagstone_evaluations_total` | evaluations by `flag` and `variation`: its index, or `default` where the caller's default was served. Where there are events, or `metrics.evaluations` is `true`; without flags that are excluded from summaries |
 * | `flagstone_other_evaluations_total` | those that were not counted by flag, because there were more than 50,000 counters |
 * | `flagstone_client_state`, `flagstone_source_state` | by `state`: 1 for the one in force, 0 for the others |
 * | `flagstone_client_ready` | 1 when flags are there |
 * | `flagstone_freshness` | by `rung`, the words of `freshness` in the status: 1 for the one in force, 0 for the others |
 * | `flagstone_data_age_seconds` | time since everything held was last known to be true; missing before the first time |
 * | `flagstone_flags`, `flagstone_segments`, `flagstone_malformed_items` | what is held, and what cannot be read |
 * | `flagstone_store_available`, `flagstone_store_stale` | whether Redis answers, and whether what is held may be out of date; where the flags are in Redis |
 * | `flagstone_redis_exchanges_total` | reads and writes that Redis has answered |
 * | `flagstone_redis_received_bytes_total`, `flagstone_redis_sent_bytes_total` | bytes from and to Redis, TLS included; also where only big segments are there |
 * | `flagstone_events_waiting`, `flagstone_events_sent_total`, `flagstone_events_lost_total`, `flagstone_events_dropped_total` | how events fare |
 * | `flagstone_notifications_dropped_total` | notifications that the host did not take in time |
 * | `flagstone_panics_total` | calls that failed unexpectedly |
 *
 * New metrics may appear. `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close.
 */
FLAGSTONE_API
flagstone_status flagstone_client_metrics_text(const struct flagstone_client *client,
                                               struct flagstone_bytes *out,
                                               struct flagstone_error **err);

/**
 * The version of a flag that is held, for whoever reports which one answered. It is that of this moment: a change may come
 * between an evaluation and this call.
 *
 * No I/O, no lock with residency `all`. OK; NOT_FOUND when there is no such flag, or it is not held at present; NULL_ARGUMENT,
 * BAD_UTF8 (key), INVALID_ARGUMENT. Also after close. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_client_flag_version(const struct flagstone_client *client,
                                               const char *key,
                                               size_t key_len,
                                               int64_t *out,
                                               struct flagstone_error **err);

/**
 * In a child of `fork`: makes threads and connections of its own now. Not needed: the first evaluation does it too.
 *
 * OK also in a process that did not fork; CLOSED after close.
 */
FLAGSTONE_API flagstone_status flagstone_client_postfork(struct flagstone_client *client, struct flagstone_error **err);

/**
 * Sends the events that are queued and waits until they are delivered, at most `timeout_ms` milliseconds.
 *
 * OK when all are, or when there were none. TIMEOUT when some are on their way still. STORE when some could not be delivered:
 * they are lost, or kept in `events.spool`, from where they are sent later; also when none is sent any more because the server
 * refuses them. The error says which, and why. CLOSED after close.
 *
 * With 0 it does not wait: the first call begins and says TIMEOUT, later ones say how that fares, and the one that says another
 * thing begins the next flush, for what came meanwhile. Cheap: may be called as often as the host likes. Threads that call with
 * 0 at the same time share one flush.
 */
FLAGSTONE_API
flagstone_status flagstone_client_flush(struct flagstone_client *client,
                                        uint32_t timeout_ms,
                                        struct flagstone_error **err);

/**
 * Sends the events that are queued, ends threads and connections, wakes everybody who waits, and waits for the threads to
 * end, all of it at most `timeout_ms` milliseconds. Events that could not be sent in this time go to `events.spool`, or are
 * lost, which the last log lines say.
 *
 * OK, or TIMEOUT when a thread was still busy: it is left behind, ends by itself and touches nothing of the host. May be
 * called again. Afterwards evaluation answers from the last data held (residency `off`: the default) and every other call
 * says CLOSED. Memory stays until the last reference is released.
 */
FLAGSTONE_API
flagstone_status flagstone_client_close(struct flagstone_client *client,
                                        uint32_t timeout_ms);

/**
 * Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
 */
FLAGSTONE_API struct flagstone_client *flagstone_client_retain(const struct flagstone_client *client);

/**
 * Gives back a reference. With the last one the client is closed without waiting and freed; events that are queued are sent
 * meanwhile, for 2 seconds at most. Never blocks: safe on a finalizer thread. NULL is allowed.
 */
FLAGSTONE_API
void flagstone_client_release(struct flagstone_client *client);

/**
 * Sets who logs in at Redis from now on: new connections use it, and those that are open log in anew between two commands
 * without being closed. Works with any `redis.credentials` but `aws-iam`, and not with `redis.password_file`; with `host` it answers the
 * notification of kind CREDENTIALS. Sentinels are not concerned: theirs stay those of `redis.url`.
 *
 * `user` (at most 1024 bytes; `user_len` 0: the default user) and `password` (1 to 65536 bytes) are UTF-8 without NUL bytes,
 * copied, and never shown. `valid_for_ms`: how long the server takes them, in milliseconds from now; 0 when that is not known.
 *
 * Does not wait for the server: whether it takes them, the status tells (`redis.credentials`). A server that refuses them leaves
 * the open connections as they are. OK; NULL_ARGUMENT, BAD_UTF8; INVALID_ARGUMENT, also for a client that uses no Redis;
 * CLOSED. Any thread, at any time, also before `flagstone_client_start` and while it waits.
 */
FLAGSTONE_API
flagstone_status flagstone_client_set_credentials(struct flagstone_client *client,
                                                  const char *user,
                                                  size_t user_len,
                                                  const char *password,
                                                  size_t password_len,
                                                  int64_t valid_for_ms,
                                                  struct flagstone_error **err);

/**
 * Writes the condition of data source and store. `flagstone_client_status_json` tells more.
 *
 * `*out` is written on OK; give it back with `flagstone_client_status_info_clear`. INVALID_ARGUMENT: `out->struct_size` is
 * too small. CLOSED after close.
 */
FLAGSTONE_API
flagstone_status flagstone_client_status(const struct flagstone_client *client,
                                         struct flagstone_client_status_info *out,
                                         struct flagstone_error **err);

/**
 * Identifier of the environment that the data come from, as LaunchDarkly or a Relay Proxy named it with its first answer.
 *
 * `*out` is owned by the caller (`flagstone_bytes_clear`). NOT_FOUND when none is known: in daemon mode, with sources that know
 * none, and before the first data. No I/O, no lock; also after close. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_client_environment_id(const struct flagstone_client *client,
                                                 struct flagstone_bytes *out,
                                                 struct flagstone_error **err);

/**
 * Frees the text of a condition and clears it, except for `struct_size`. May be called twice. NULL is allowed.
 */
FLAGSTONE_API void flagstone_client_status_info_clear(struct flagstone_client_status_info *info);

/**
 * A context that has nothing but kind and key. An empty kind means `user`.
 *
 * The texts are borrowed for the call. `*out` is owned by the caller. INVALID_ARGUMENT for an empty key, for the kinds
 * `kind` and `multi`, for a kind with other characters than letters, digits, `.`, `_`, `-`, and for more text than
 * `FLAGSTONE_CONTEXT_MAX_BYTES`.
 */
FLAGSTONE_API
flagstone_status flagstone_context_from_key(struct flagstone_str kind,
                                            struct flagstone_str key,
                                            struct flagstone_context **out,
                                            struct flagstone_error **err);

/**
 * A single-kind context with attributes. An empty kind means `user`. Of two attributes with one name the last counts.
 *
 * `attrs` points to `n` attributes; everything is borrowed for the call. `*out` is owned by the caller. Fails as
 * `flagstone_context_from_key` does, and: INVALID_ARGUMENT for an unknown type or flag, a number that is not finite, or a
 * built-in attribute of a wrong type; BAD_JSON; BAD_UTF8; NULL_ARGUMENT.
 */
FLAGSTONE_API
flagstone_status flagstone_context_from_attrs(struct flagstone_str kind,
                                              struct flagstone_str key,
                                              const struct flagstone_attr *attrs,
                                              size_t n,
                                              struct flagstone_context **out,
                                              struct flagstone_error **err);

/**
 * A context from JSON: single-kind (`{"kind": "org", "key": "o", …}`), multi-kind (`{"kind": "multi", "org": {…}, …}`) or
 * the older user form without `kind`.
 *
 * `json` is UTF-8 and borrowed for the call. `*out` is owned by the caller. BAD_JSON for text that is not JSON or nested
 * too deep; INVALID_ARGUMENT for JSON that is not a valid context: the message names the property.
 */
FLAGSTONE_API
flagstone_status flagstone_context_from_json(const char *json,
                                             size_t json_len,
                                             struct flagstone_context **out,
                                             struct flagstone_error **err);

/**
 * Joins `n` contexts into a multi-kind one; multi-kind contexts contribute all their members. One context alone stays as
 * it is.
 *
 * The contexts are borrowed for the call. `*out` is owned by the caller. INVALID_ARGUMENT when a kind comes twice, or
 * for none; NULL_ARGUMENT.
 */
FLAGSTONE_API
flagstone_status flagstone_context_merge(const struct flagstone_context *const *contexts,
                                         size_t n,
                                         struct flagstone_context **out,
                                         struct flagstone_error **err);

/**
 * The JSON form of a context.
 *
 * `*out` is owned by the caller (`flagstone_bytes_clear`).
 */
FLAGSTONE_API
flagstone_status flagstone_context_to_json(const struct flagstone_context *context,
                                           struct flagstone_bytes *out,
                                           struct flagstone_error **err);

/**
 * The fully qualified key of a context: it identifies who is asking by kinds and keys alone. A user's is its key; others
 * are `kind:key`, several joined by `:` in the order of their kinds, with `%` and `:` in keys written `%25` and `%3A`.
 *
 * `*out` is owned by the caller (`flagstone_bytes_clear`).
 */
FLAGSTONE_API
flagstone_status flagstone_context_canonical_key(const struct flagstone_context *context,
                                                 struct flagstone_bytes *out,
                                                 struct flagstone_error **err);

/**
 * Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
 */
FLAGSTONE_API struct flagstone_context *flagstone_context_retain(const struct flagstone_context *context);

/**
 * Gives back a reference; the last one frees the context. NULL is allowed.
 */
FLAGSTONE_API void flagstone_context_release(struct flagstone_context *context);

/**
 * The kinds of a context as a JSON array of strings, sorted: `["user"]`, `["org","user"]`.
 *
 * `*out` is owned by the caller (`flagstone_bytes_clear`). NULL_ARGUMENT; INVALID_ARGUMENT for a handle of another type.
 */
FLAGSTONE_API
flagstone_status flagstone_context_kinds(const struct flagstone_context *context,
                                         struct flagstone_bytes *out,
                                         struct flagstone_error **err);

/**
 * One attribute of a context as JSON text; `null` where there is none. Built-in ones are `kind`, `key`, `name` and
 * `anonymous`.
 *
 * `kind` says of which individual context; empty means the context itself: of a multi-kind context that has only its kind,
 * `"multi"`. `reference` is a name, or a path such as `/address/street`. Both are borrowed for the call. `*out` is owned by the
 * caller (`flagstone_bytes_clear`). INVALID_ARGUMENT for what is no reference (empty, `//`, `/a~2`), or a handle of
 * another type; BAD_UTF8; NULL_ARGUMENT.
 */
FLAGSTONE_API
flagstone_status flagstone_context_get(const struct flagstone_context *context,
                                       struct flagstone_str kind,
                                       struct flagstone_str reference,
                                       struct flagstone_bytes *out,
                                       struct flagstone_error **err);

/**
 * The references of the attributes that events must not carry, as a JSON array of strings in the order in which they were
 * named. `kind` as for `flagstone_context_get`; `[]` for a kind that the context does not have.
 *
 * `*out` is owned by the caller (`flagstone_bytes_clear`). INVALID_ARGUMENT for a handle of another type; BAD_UTF8;
 * NULL_ARGUMENT.
 */
FLAGSTONE_API
flagstone_status flagstone_context_private_attributes(const struct flagstone_context *context,
                                                      struct flagstone_str kind,
                                                      struct flagstone_bytes *out,
                                                      struct flagstone_error **err);

/**
 * The individual context of a kind. A single-kind context of that kind is handed out itself, with one more reference; an
 * empty kind means just that.
 *
 * `kind` is borrowed for the call. `*out` is owned by the caller (`flagstone_context_release`). NOT_FOUND when the context
 * has no such kind, or is multi-kind and `kind` empty; INVALID_ARGUMENT for a handle of another type; BAD_UTF8;
 * NULL_ARGUMENT.
 */
FLAGSTONE_API
flagstone_status flagstone_context_individual(const struct flagstone_context *context,
                                              struct flagstone_str kind,
                                              struct flagstone_context **out,
                                              struct flagstone_error **err);

/**
 * Starts a context. An empty kind means `user`. Kind and key are checked by `flagstone_context_builder_build`.
 *
 * The texts are borrowed for the call. Owned by the caller: give it back with `flagstone_context_builder_free`. NULL when a
 * text is not UTF-8, or has more than `FLAGSTONE_CONTEXT_MAX_BYTES`.
 */
FLAGSTONE_API
struct flagstone_context_builder *flagstone_context_builder_new(struct flagstone_str kind,
                                                                struct flagstone_str key);

/**
 * Sets an attribute, built-in ones (`name`, `anonymous`) included; the last value for a name counts.
 *
 * `attr` is borrowed for the call. Fails as `flagstone_context_from_attrs` does for one attribute; a built-in attribute of a
 * wrong type is reported by build.
 */
FLAGSTONE_API
flagstone_status flagstone_context_builder_set(struct flagstone_context_builder *builder,
                                               const struct flagstone_attr *attr,
                                               struct flagstone_error **err);

/**
 * Marks attributes as private by reference: a name, or a path such as `/address/street`.
 *
 * `reference` is borrowed for the call.
 */
FLAGSTONE_API
flagstone_status flagstone_context_builder_set_private(struct flagstone_context_builder *builder,
                                                       struct flagstone_str reference,
                                                       struct flagstone_error **err);

/**
 * Makes the context. The builder stays as it is and may build again.
 *
 * `*out` is owned by the caller. INVALID_ARGUMENT as for `flagstone_context_from_attrs`.
 */
FLAGSTONE_API
flagstone_status flagstone_context_builder_build(const struct flagstone_context_builder *builder,
                                                 struct flagstone_context **out,
                                                 struct flagstone_error **err);

/**
 * Frees a builder. NULL is allowed.
 */
FLAGSTONE_API void flagstone_context_builder_free(struct flagstone_context_builder *builder);

/**
 * Gives back what a detail borrows and clears it, except for `struct_size`. May be called twice. NULL is allowed. Any thread
 * that owns the detail.
 */
FLAGSTONE_API
void flagstone_detail_clear(struct flagstone_detail *detail);

/**
 * The number of a detail as an integer, by the rule of `flagstone_int_variation`: so a detail that asked for NUMBER says why,
 * and this what. `default_value` when there is no number, or for NULL. Any thread that owns the detail.
 */
FLAGSTONE_API
int64_t flagstone_detail_int(const struct flagstone_detail *detail,
                             int64_t default_value);

/**
 * Value of a bool flag: 1 or 0. Gives `default_value` (as 0 or 1) on any problem: `flagstone_variation` tells which.
 *
 * `key` is UTF-8 and borrowed for the call. Residency `all`: no I/O, no lock, no allocation. Residency `lazy` and `off`: a
 * key that is not held waits for Redis, at most `redis.command_timeout_ms`, and not while Redis is known to be away. So does, in
 * every residency, a context whose big segments are asked for and not remembered. Any thread.
 */
FLAGSTONE_API
int32_t flagstone_bool_variation(const struct flagstone_client *client,
                                 const struct flagstone_context *context,
                                 const char *key,
                                 size_t key_len,
                                 int32_t default_value);

/**
 * Value of a number flag as an integer, by the one rule of all calls and bindings: exact when the flag writes an integer of
 * 64 bits; the nearest end of the range beyond 64 bits; otherwise rounded to the nearest integer, halves to the even one (2.5
 * gives 2, 3.5 gives 4), or toward zero with `evaluation.integer_rounding` = truncate. Otherwise as
 * `flagstone_bool_variation`.
 */
FLAGSTONE_API
int64_t flagstone_int_variation(const struct flagstone_client *client,
                                const struct flagstone_context *context,
                                const char *key,
                                size_t key_len,
                                int64_t default_value);

/**
 * Value of a number flag: the double nearest to what the flag writes. Otherwise as `flagstone_bool_variation`.
 */
FLAGSTONE_API
double flagstone_double_variation(const struct flagstone_client *client,
                                  const struct flagstone_context *context,
                                  const char *key,
                                  size_t key_len,
                                  double default_value);

/**
 * Value of a string flag: 1, and `*out` is its text; or 0, and `*out` is `default_value` itself, which stays yours. 0 on any
 * problem, with nothing written when `out` is NULL.
 *
 * Nothing is copied: the text is that of the flag, kept alive until `flagstone_bytes_clear`, whatever happens to the flag or
 * the client; do not write into it. `default_value` may be NULL, with `default_len` 0; only events look at it. Otherwise as
 * `flagstone_bool_variation`.
 */
FLAGSTONE_API
int32_t flagstone_string_variation(const struct flagstone_client *client,
                                   const struct flagstone_context *context,
                                   const char *key,
                                   size_t key_len,
                                   const char *default_value,
                                   size_t default_len,
                                   struct flagstone_bytes *out);

/**
 * Value of a flag of any type, with reason.
 *
 * `want_type`: a `FLAGSTONE_TYPE_…`; a value of another type gives ERROR/WRONG_TYPE. NONE takes any type as it is; JSON takes any
 * type and gives its JSON text. `default_json` is your default as JSON text, which only events look at; it may be empty. Whenever
 * there is no value the bit `FLAGSTONE_DETAIL_DEFAULTED` is set: use your default.
 *
 * OK also when the evaluation ends in ERROR: the reason is in `*out`. NULL_ARGUMENT, BAD_UTF8 (key) and INVALID_ARGUMENT
 * (want_type, a handle of another type) write `*out` as well, as ERROR/USER_NOT_SPECIFIED for a NULL context, else as
 * ERROR/EXCEPTION. INVALID_ARGUMENT without anything written when `out->struct_size` is too small. `*out` is to be given
 * back with `flagstone_detail_clear`. Cost and threads as for `flagstone_bool_variation`.
 */
FLAGSTONE_API
flagstone_status flagstone_variation(const struct flagstone_client *client,
                                     const struct flagstone_context *context,
                                     const char *key,
                                     size_t key_len,
                                     int32_t want_type,
                                     const char *default_json,
                                     size_t default_json_len,
                                     struct flagstone_detail *out);

/**
 * As `flagstone_variation`, with a default that is no JSON text, and with events that tell the reason only if you hand it on.
 *
 * `default_value` may be NULL: null. `options`: `FLAGSTONE_ASK_REASON` or 0; unknown bits are ignored.
 */
FLAGSTONE_API
flagstone_status flagstone_variation_or(const struct flagstone_client *client,
                                        const struct flagstone_context *context,
                                        const char *key,
                                        size_t key_len,
                                        int32_t want_type,
                                        const struct flagstone_default *default_value,
                                        uint32_t options,
                                        struct flagstone_detail *out);

/**
 * Values of `n` flags for one context, each with its reason; any type.
 *
 * `keys` points to `n` texts, `out` to `n` details whose `struct_size` is the same in all; each is to be given back with
 * `flagstone_detail_clear`. INVALID_ARGUMENT, with nothing written, when a `struct_size` differs, is too small, or is none
 * that the structs of an array can have. Otherwise every detail is written, and the status is OK or that of the first key
 * that was refused.
 */
FLAGSTONE_API
flagstone_status flagstone_variation_many(const struct flagstone_client *client,
                                          const struct flagstone_context *context,
                                          const struct flagstone_str *keys,
                                          size_t n,
                                          struct flagstone_detail *out);

/**
 * As `flagstone_variation_many`, with your defaults, which events tell.
 *
 * `defaults` points to `n` defaults, or is NULL: null for all. `options` as for `flagstone_variation_or`.
 */
FLAGSTONE_API
flagstone_status flagstone_variation_many_or(const struct flagstone_client *client,
                                             const struct flagstone_context *context,
                                             const struct flagstone_str *keys,
                                             const struct flagstone_default *defaults,
                                             size_t n,
                                             uint32_t options,
                                             struct flagstone_detail *out);

/**
 * Prepares a flag. It need not exist yet.
 *
 * `type`: a `FLAGSTONE_TYPE_…`, as in `flagstone_variation`. `default_json`: the default as JSON text; empty stands for false,
 * 0 or none. The texts are borrowed for the call. `*out` is owned by the caller (`flagstone_flag_release`).
 * INVALID_ARGUMENT for an unknown type or a default of another type, BAD_JSON, BAD_UTF8, NULL_ARGUMENT, CLOSED.
 */
FLAGSTONE_API
flagstone_status flagstone_flag_new(struct flagstone_client *client,
                                    const char *key,
                                    size_t key_len,
                                    int32_t type,
                                    const char *default_json,
                                    size_t default_json_len,
                                    struct flagstone_flag **out,
                                    struct flagstone_error **err);

/**
 * Value of a prepared bool flag: 1 or 0; its default on any problem; 0 for NULL, and as the default of a flag that was
 * prepared as another type. May wait for Redis as `flagstone_bool_variation` may. Any thread.
 */
FLAGSTONE_API int32_t flagstone_flag_bool(const struct flagstone_flag *flag, const struct flagstone_context *context);

/**
 * As `flagstone_flag_bool`, but never waits: -1 when something would have to be read from Redis first, or a big-segment store
 * would have to be asked; then call `flagstone_flag_bool`. Where `flagstone_client_may_wait` is 0 it never gives -1. Any thread,
 * also one that may not block.
 */
FLAGSTONE_API
int32_t flagstone_flag_bool_try(const struct flagstone_flag *flag,
                                const struct flagstone_context *context);

/**
 * Value of a prepared number flag as an integer, by the rule of `flagstone_int_variation`, which holds for its default as
 * well; its default on any problem; 0 for NULL. Any thread.
 */
FLAGSTONE_API
int64_t flagstone_flag_int(const struct flagstone_flag *flag,
                           const struct flagstone_context *context);

/**
 * Value of a prepared number flag; its default on any problem; 0 for NULL. Any thread.
 */
FLAGSTONE_API double flagstone_flag_double(const struct flagstone_flag *flag, const struct flagstone_context *context);

/**
 * Value of a prepared string flag: 1, and `*out` is its text; or 0, and `*out` is its default, on any problem; empty for
 * NULL, and as the default of a flag that was prepared as another type. 0, with nothing written, when `out` is NULL.
 *
 * Nothing is copied: either text is kept alive until `flagstone_bytes_clear`, whatever happens to flag and client; do not
 * write into it. May wait for Redis as `flagstone_bool_variation` may. Any thread.
 */
FLAGSTONE_API
int32_t flagstone_flag_string(const struct flagstone_flag *flag,
                              const struct flagstone_context *context,
                              struct flagstone_bytes *out);

/**
 * Value of a prepared flag with reason: as `flagstone_variation` with the key and type given when it was prepared.
 */
FLAGSTONE_API
flagstone_status flagstone_flag_detail(const struct flagstone_flag *flag,
                                       const struct flagstone_context *context,
                                       struct flagstone_detail *out);

/**
 * As `flagstone_flag_detail`, for callers that do not hand the reason on: events do not tell it either.
 */
FLAGSTONE_API
flagstone_status flagstone_flag_value(const struct flagstone_flag *flag,
                                      const struct flagstone_context *context,
                                      struct flagstone_detail *out);

/**
 * Frees a prepared flag. Never blocks. NULL is allowed.
 */
FLAGSTONE_API void flagstone_flag_release(struct flagstone_flag *flag);

/**
 * Tells LaunchDarkly who somebody is, whether or not flags are evaluated for them: evaluations tell it by themselves.
 *
 * Queued, at most `events.capacity`, and sent with the next flush; no I/O here. Without events nothing happens. OK,
 * NULL_ARGUMENT, INVALID_ARGUMENT (a handle of another type), CLOSED. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_identify(struct flagstone_client *client,
                                    const struct flagstone_context *context,
                                    struct flagstone_error **err);

/**
 * Tells LaunchDarkly that `name` happened to somebody, for example as the metric of an experiment.
 *
 * `metric`: a number to measure it by, or NULL; finite. `data_json`: any JSON about it, nested at most 127 deep; with `data_json_len`
 * 0 there is none. All is borrowed for the call. Queued as by `flagstone_identify`. OK; BAD_JSON, INVALID_ARGUMENT (metric, a
 * handle of another type), BAD_UTF8, NULL_ARGUMENT, CLOSED: nothing is told then. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_track(struct flagstone_client *client,
                                 const struct flagstone_context *context,
                                 const char *name,
                                 size_t name_len,
                                 const double *metric,
                                 const char *data_json,
                                 size_t data_json_len,
                                 struct flagstone_error **err);

/**
 * Evaluates a flag as the stage of a migration for somebody, and begins an operation of it.
 *
 * The flag is one of strings: `off`, `dualwrite`, `shadow`, `live`, `rampdown`, `complete`. Whenever it gives none of them, also
 * when it does not exist or the client is not ready, `default_stage` (a `FLAGSTONE_MIGRATION_STAGE_…`) is in force. It is counted
 * as `flagstone_string_variation` would with this default. `context` may be NULL, for want of a valid one.
 *
 * `detail`: NULL, or as for `flagstone_variation`: `text` is the stage where the flag gives one; otherwise the bit
 * `FLAGSTONE_DETAIL_DEFAULTED` is set, and the reason says why: ERROR/WRONG_TYPE for a value that is no stage. It is written
 * whenever it can be, also on failure. `*out` is owned by the caller, with one reference, and keeps neither client nor context.
 *
 * OK also when the evaluation ends in ERROR. NULL_ARGUMENT (client, out, key), BAD_UTF8 (key), INVALID_ARGUMENT (default_stage,
 * a handle of another type, `detail->struct_size` too small): no operation is begun; go by your default. Evaluation as by
 * `flagstone_bool_variation`, also after close; the operation is allocated. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_variation(const struct flagstone_client *client,
                                               const struct flagstone_context *context,
                                               const char *key,
                                               size_t key_len,
                                               int32_t default_stage,
                                               struct flagstone_detail *detail,
                                               struct flagstone_migration **out,
                                               struct flagstone_error **err);

/**
 * The stage that an operation is to follow, a `FLAGSTONE_MIGRATION_STAGE_…`; -1 for NULL and for handles of another type. Never
 * changes. Any thread.
 */
FLAGSTONE_API
int32_t flagstone_migration_stage_of(const struct flagstone_migration *migration);

/**
 * Says what the operation does: a `FLAGSTONE_MIGRATION_OPERATION_…`. The last word counts.
 *
 * OK, NULL_ARGUMENT; INVALID_ARGUMENT: an unknown operation, a handle of another type, or the operation was tracked already.
 * Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_set_operation(struct flagstone_migration *migration,
                                                   int32_t operation,
                                                   struct flagstone_error **err);

/**
 * Says that an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) was invoked. Fails as `flagstone_migration_set_operation` does. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_set_invoked(struct flagstone_migration *migration,
                                                 int32_t origin,
                                                 struct flagstone_error **err);

/**
 * Says that an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) failed. Fails as `flagstone_migration_set_operation` does. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_set_failed(struct flagstone_migration *migration,
                                                int32_t origin,
                                                struct flagstone_error **err);

/**
 * Says how long an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) took: `milliseconds`, finite and not negative. The last word counts.
 * Fails as `flagstone_migration_set_operation` does, and with INVALID_ARGUMENT for another number. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_set_latency(struct flagstone_migration *migration,
                                                 int32_t origin,
                                                 double milliseconds,
                                                 struct flagstone_error **err);

/**
 * 1 when the results of both origins are to be compared if both are read, 0 when not: the flag's check ratio draws one in so
 * many operations; without one, each. Drawn once: always the same answer. 0 for NULL and for handles of another type. Any thread.
 */
FLAGSTONE_API
int32_t flagstone_migration_wants_check(const struct flagstone_migration *migration);

/**
 * Says whether the results of both origins were the same: 1 or 0; for operations that `flagstone_migration_wants_check` alone. The
 * last word counts. Fails as `flagstone_migration_set_operation` does. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_set_consistent(struct flagstone_migration *migration,
                                                    int32_t consistent,
                                                    struct flagstone_error **err);

/**
 * Tells LaunchDarkly what an operation did, through the client that it was begun with. Once: from then on nothing is taken of it.
 *
 * Queued as by `flagstone_track`; the flag's sampling ratio may leave it out. Without events nothing happens.
 * INVALID_ARGUMENT with a sentence when there is nothing that could be told, and the operation may be corrected and tracked again:
 * no valid context; an empty key; not said whether it reads or writes; no origin invoked; a latency, a failure or a comparison of
 * an origin that was not invoked. The same for an operation that was tracked already, and for handles of another type.
 * NULL_ARGUMENT, CLOSED. Any thread; of several at once, one succeeds.
 */
FLAGSTONE_API
flagstone_status flagstone_migration_track(struct flagstone_client *client,
                                           const struct flagstone_migration *migration,
                                           struct flagstone_error **err);

/**
 * Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
 */
FLAGSTONE_API struct flagstone_migration *flagstone_migration_retain(const struct flagstone_migration *migration);

/**
 * Gives back a reference. An operation that was not tracked is told to nobody. NULL is allowed.
 */
FLAGSTONE_API void flagstone_migration_release(struct flagstone_migration *migration);

/**
 * Values of all flags for one context with what client-side SDKs need to know about them, as LaunchDarkly's JavaScript SDK
 * takes it for bootstrapping: `{"<key>":<value>,…,"$flagsState":{"<key>":{…},…},"$valid":true}`.
 *
 * | Member of a flag's state | Is there |
 * |---|---|
 * | `variation` | when the flag has a value; without one the value is null |
 * | `version` | unless left out by the option bit |
 * | `reason` | with the option bit, and in experiments |
 * | `trackEvents`, `trackReason` | when true |
 * | `debugEventsUntilDate` | when set, Unix time in ms |
 * | `prerequisites` | when the flag has evaluated some: their keys |
 *
 * All flags are those of one moment, sorted by the bytes of their keys; the same flags give the same text. White space
 * between tokens is left out, also inside values. Flags that do not parse are left out.
 *
 * `options`: `FLAGSTONE_ALL_FLAGS_…` bits; INVALID_ARGUMENT for unknown ones. OK with `{"$valid":false,"$flagsState":{}}`
 * when `context` is NULL, the client is not ready, or Redis would have to be read and cannot be (or has lost the data set).
 * `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close. Makes no events.
 *
 * Residency `all`: no I/O and no lock, apart from big segments, which are asked for once for each key of the context.
 * Residency `lazy` and `off`: reads everything from Redis, once for all who wait; waits at most `redis.command_timeout_ms`, and
 * not while Redis is known to be away. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_all_flags_json(const struct flagstone_client *client,
                                          const struct flagstone_context *context,
                                          uint32_t options,
                                          struct flagstone_bytes *out,
                                          struct flagstone_error **err);

/**
 * Hash by which a client-side SDK in secure mode shows that a server vouches for the context: HMAC-SHA-256 of the context's
 * canonical key under the option `sdk.key`, as 64 lower-case hexadecimal digits.
 *
 * Only kinds and keys of the context count. INVALID_ARGUMENT when `sdk.key` is not set; NULL_ARGUMENT for a NULL context.
 * `*out` is owned by the caller (`flagstone_bytes_clear`). The client need not be started; CLOSED after close. No I/O, no
 * lock. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_secure_mode_hash(const struct flagstone_client *client,
                                            const struct flagstone_context *context,
                                            struct flagstone_bytes *out,
                                            struct flagstone_error **err);

/**
 * Says what the host acts upon: `wants` is a sum of `FLAGSTONE_SUBSCRIBE_…`, in place of what was said before; 0 at first.
 * Unknown bits are ignored.
 *
 * Not needed in order to hear of anything: it says how soon. A changed flag that is being evaluated is read at once in any case;
 * the rest of the data set waits, so that a hundred processes do not read everything at the same moment, for up to half a
 * minute in large fleets. A host that has listeners to flag changes subscribes, and hears of all of them at once. OK; CLOSED
 * after close.
 */
FLAGSTONE_API
flagstone_status flagstone_client_subscribe(struct flagstone_client *client,
                                            uint32_t wants,
                                            struct flagstone_error **err);

/**
 * Adds a big segment to what is said of a context: `reference` is the segment's key, `.g` and its generation (`vip.g7`);
 * `included` is not 0 when it includes the context, 0 when it excludes it. Where both are said, it includes it.
 *
 * OK; NULL_ARGUMENT, BAD_UTF8; INVALID_ARGUMENT when the question has been answered. Borrowed for the call.
 */
FLAGSTONE_API
flagstone_status flagstone_membership_add(struct flagstone_membership *membership,
                                          const char *reference,
                                          size_t reference_len,
                                          int32_t included);

/**
 * Makes the clients of this configuration ask `store` for the members of big segments, and not Redis.
 *
 * `*store` is copied; its `user_data` is used until `drop` is called: after the configuration, or another store in its place,
 * and all of its clients are gone. INVALID_ARGUMENT for a `struct_size` that is too small, `reserved` other than 0, or a missing
 * function; nothing is taken then, and `drop` is not called. In a forked child the copy of `user_data` is used.
 *
 * A store that fails, or that is asked by itself, gives STORE_ERROR and never an error. A thread that wants what another one
 * asks for waits at most `redis.command_timeout_ms` (2000 when unset); how long `membership` itself takes is up to the host.
 */
FLAGSTONE_API
flagstone_status flagstone_config_set_big_segment_store(struct flagstone_config *config,
                                                        const struct flagstone_big_segment_store *store,
                                                        struct flagstone_error **err);

/**
 * Writes how the big-segment store stands. A store that was never asked is asked first: the host's on this thread; Redis, which
 * is asked every `big_segments.poll_interval_ms` from then on, by a thread of the client while this one waits at most
 * `redis.command_timeout_ms`.
 *
 * OK; without a store nothing is available and nothing stale. INVALID_ARGUMENT: `out->struct_size` is too small. CLOSED after
 * close. Any thread. Each change of `available` and `stale` is a notification, too.
 */
FLAGSTONE_API
flagstone_status flagstone_big_segments_status(struct flagstone_client *client,
                                               struct flagstone_big_segment_status *out,
                                               struct flagstone_error **err);

/**
 * Asks a store of the host's own how old it is, on this thread, and writes how it stands: to be called every
 * `big_segments.poll_interval_ms` by a host that sets one. Nobody else asks it, apart from the first evaluation or
 * `flagstone_big_segments_status` that needs to know. With Redis the same as `flagstone_big_segments_status`.
 *
 * Outcome as there.
 */
FLAGSTONE_API
flagstone_status flagstone_big_segments_poll(struct flagstone_client *client,
                                             struct flagstone_big_segment_status *out,
                                             struct flagstone_error **err);

/**
 * 1 when an evaluation may wait: for an item that residency `lazy` or `off` does not hold, or for what a store knows of the big
 * segments that the data have; else 0, also for NULL. Loads of memory, no lock. Any thread.
 *
 * For hosts that hold a lock of their own, such as that of an interpreter, and let go of it for calls that wait. The answer may
 * become 1 with a change of the data: ask before each evaluation.
 */
FLAGSTONE_API
int32_t flagstone_client_may_wait(const struct flagstone_client *client);

/**
 * Takes the oldest notification, waiting for one at most `timeout_ms` milliseconds.
 *
 * OK: `*out` is written; give it back with `flagstone_notification_clear`. TIMEOUT: none came. CLOSED: the client is closed and
 * every notification was delivered. INVALID_ARGUMENT: `out->struct_size` is too small. Nobody has to poll; a full queue drops the
 * oldest, status changes after all others, and counts. Any thread; with several pollers each notification goes to exactly one.
 */
FLAGSTONE_API
flagstone_status flagstone_client_next_notification(struct flagstone_client *client,
                                                    uint32_t timeout_ms,
                                                    struct flagstone_notification *out);

/**
 * Frees the texts of a notification and clears it, except for `struct_size`. May be called twice. NULL is allowed.
 */
FLAGSTONE_API void flagstone_notification_clear(struct flagstone_notification *notification);

/**
 * Ends the wait of one poller with a notification of kind WAKE; if nobody waits, the next poll gets it. Any thread.
 */
FLAGSTONE_API void flagstone_client_wake(struct flagstone_client *client);

/**
 * The old name of `flagstone_client_next_notification`, and the same.
 */
FLAGSTONE_API
flagstone_status flagstone_poll_event(struct flagstone_client *client,
                                      uint32_t timeout_ms,
                                      struct flagstone_event *out);

/**
 * The old name of `flagstone_notification_clear`, and the same.
 */
FLAGSTONE_API void flagstone_event_clear(struct flagstone_event *event);

/**
 * The old name of `flagstone_client_wake`, and the same.
 */
FLAGSTONE_API void flagstone_wake(struct flagstone_client *client);

/**
 * From now on a notification of kind VALUE_CHANGED tells when the value of the flag `key` changes for `context`; `*listener` is
 * the number under which it does. The present value is the first one that others are compared with. The flag need not exist.
 *
 * `key` is UTF-8 and borrowed for the call, `context` is copied. Values are compared as JSON, on the thread that polls
 * notifications, right after it took the change of the flag or of something that it depends on: so somebody has to poll. These
 * evaluations leave no analytics events and no counts. A client with listeners counts as subscribed to changes of flags
 * (`flagstone_client_subscribe`).
 *
 * No I/O with residency `all`, apart from big segments. With `lazy` and `off` a flag that is not held waits for Redis, at most
 * `redis.command_timeout_ms`, here as well as on the thread that polls; and as nobody tells of changes of what is not held, nor of
 * the members of big segments, that thread looks by itself every `cache.ttl_ms` or `big_segments.cache_ms`. An evaluation that
 * fails keeps the old value and is made again later. Forked children go on listening. OK; NULL_ARGUMENT, BAD_UTF8 (key),
 * INVALID_ARGUMENT (a handle of another type), CLOSED. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_client_listen(struct flagstone_client *client,
                                         const struct flagstone_context *context,
                                         const char *key,
                                         size_t key_len,
                                         uint64_t *listener,
                                         struct flagstone_error **err);

/**
 * Ends a listener. Allowed while its notification is handled; a notification that another thread takes at the same moment may
 * still come. OK; NOT_FOUND when there is no such listener (any more); CLOSED. Any thread.
 */
FLAGSTONE_API
flagstone_status flagstone_client_unlisten(struct flagstone_client *client,
                                           uint64_t listener,
                                           struct flagstone_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FLAGSTONE_H */
