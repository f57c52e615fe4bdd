// The one place that knows how the options of the library are called and where their values come from: a further option is a
// property of FlagstoneOptions and a line here. A test compares the table with the list in the header.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Flagstone.Handles;
using Flagstone.Interop;
using Microsoft.Extensions.Logging;

namespace Flagstone;

internal static class OptionTable
{
    /// <summary>Every option with its value as text, null when it is not set.</summary>
    internal static readonly (string Name, Func<FlagstoneOptions, string?> Value)[] Options =
    [
        ("sdk.key", options => options.SdkKey),
        ("redis.url", options => options.RedisUrl),
        ("redis.prefix", options => options.RedisPrefix),
        ("redis.username", options => options.RedisUsername),
        ("redis.password", options => options.RedisPassword),
        ("redis.password_file", options => options.RedisPasswordFile),
        ("redis.credentials", options => Word(
            options.RedisCredentials
                ?? (options.RedisCredentialsProvider is null ? null : (RedisCredentialsSource?)RedisCredentialsSource.Host),
            "static", "host", "aws-iam")),
        ("redis.aws.region", options => options.RedisAwsRegion),
        ("redis.aws.service", options => Word(options.RedisAwsService, "elasticache", "memorydb")),
        ("redis.aws.cluster", options => options.RedisAwsCluster),
        ("redis.aws.serverless", options => Text(options.RedisAwsServerless)),
        ("redis.database", options => Text(options.RedisDatabase)),
        ("redis.connect_timeout_ms", options => Text(options.RedisConnectTimeoutMs)),
        ("redis.command_timeout_ms", options => Text(options.RedisCommandTimeoutMs)),
        ("redis.ping_ms", options => Text(options.RedisPingMs)),
        ("redis.keyspace_notifications", options => Word(options.RedisKeyspaceNotifications, "ask", "assume")),
        ("redis.tls.ca_file", options => options.RedisTlsCaFile),
        ("redis.tls.cert_file", options => options.RedisTlsCertFile),
        ("redis.tls.key_file", options => options.RedisTlsKeyFile),
        ("redis.tls.server_name", options => options.RedisTlsServerName),
        ("redis.tls.skip_verify", options => Text(options.RedisTlsSkipVerify)),
        ("cache.residency", options => Word(options.CacheResidency, "all", "lazy", "off")),
        ("cache.freshness", options => Word(options.CacheFreshness, "push", "ttl", "forever")),
        ("cache.ttl_ms", options => Text(options.CacheTtlMs)),
        ("cache.capacity", options => Text(options.CacheCapacity)),
        ("cache.on_wipe", options => Word(options.CacheOnWipe, "keep", "clear")),
        ("refresh.interval_ms", options => Text(options.RefreshIntervalMs)),
        ("notifications.capacity", options => Text(options.NotificationsCapacity)),
        ("evaluation.integer_rounding", options => Word(options.EvaluationIntegerRounding, "half_even", "truncate")),
        ("log.level", options => Word(
            options.LogLevel ?? (options.LoggerFactory is null ? LogLevel.None : null),
            "debug", "debug", "info", "warn", "error", "error", "none")),
        ("source.kind", options => Word(options.SourceKind, "none", "stream", "poll", "file", "testdata", "fdv2")),
        ("source.filter", options => options.SourceFilter),
        ("fdv2.initializers", options => Json(nameof(options.Fdv2Initializers), options.Fdv2Initializers)),
        ("fdv2.synchronizers", options => Json(nameof(options.Fdv2Synchronizers), options.Fdv2Synchronizers)),
        ("fdv2.fallback", options => options.Fdv2Fallback),
        ("fdv2.fallback_after_ms", options => Text(options.Fdv2FallbackAfterMs)),
        ("fdv2.recover_after_ms", options => Text(options.Fdv2RecoverAfterMs)),
        ("fdv2.first_data_ms", options => Text(options.Fdv2FirstDataMs)),
        ("endpoints.stream", options => options.EndpointsStream),
        ("endpoints.poll", options => options.EndpointsPoll),
        ("endpoints.events", options => options.EndpointsEvents),
        ("endpoints.relay", options => options.EndpointsRelay),
        ("stream.initial_delay_ms", options => Text(options.StreamInitialDelayMs)),
        ("stream.read_timeout_ms", options => Text(options.StreamReadTimeoutMs)),
        ("poll.interval_ms", options => Text(options.PollIntervalMs)),
        ("poll.allow_short", options => Text(options.PollAllowShort)),
        ("retry.mode", options => Word(options.RetryMode, "legacy", "extended")),
        ("events.enabled", options => Text(options.EventsEnabled)),
        ("events.capacity", options => Text(options.EventsCapacity)),
        ("events.flush_interval_ms", options => Text(options.EventsFlushIntervalMs)),
        ("events.context_keys_capacity", options => Text(options.EventsContextKeysCapacity)),
        ("events.context_keys_flush_ms", options => Text(options.EventsContextKeysFlushMs)),
        ("events.gzip", options => Text(options.EventsGzip)),
        ("events.all_attributes_private", options => Text(options.EventsAllAttributesPrivate)),
        ("events.private_attributes", options => Json(nameof(options.EventsPrivateAttributes), options.EventsPrivateAttributes)),
        ("events.omit_anonymous_contexts", options => Text(options.EventsOmitAnonymousContexts)),
        ("events.diagnostics", options => Text(options.EventsDiagnostics)),
        ("events.diagnostic_interval_ms", options => Text(options.EventsDiagnosticIntervalMs)),
        ("events.spool", options => options.EventsSpool),
        ("events.spool_bytes", options => Text(options.EventsSpoolBytes)),
        ("http.connect_timeout_ms", options => Text(options.HttpConnectTimeoutMs)),
        ("http.read_timeout_ms", options => Text(options.HttpReadTimeoutMs)),
        ("http.proxy", options => options.HttpProxy),
        ("http.headers", options => Json(nameof(options.HttpHeaders), options.HttpHeaders)),
        ("http.tls.ca_file", options => options.HttpTlsCaFile),
        ("http.tls.skip_verify", options => Text(options.HttpTlsSkipVerify)),
        ("file.paths", options => Json(nameof(options.FilePaths), options.FilePaths)),
        ("file.duplicates", options => Word(options.FileDuplicates, "fail", "first")),
        ("file.auto_reload", options => Text(options.FileAutoReload)),
        ("metrics.evaluations", options => Text(options.MetricsEvaluations)),
        ("snapshot.file", options => options.SnapshotFile),
        ("store.write", options => Text(options.StoreWrite)),
        ("big_segments.url", options => options.BigSegmentsUrl),
        ("big_segments.prefix", options => options.BigSegmentsPrefix),
        ("big_segments.cache_size", options => Text(options.BigSegmentsCacheSize)),
        ("big_segments.cache_ms", options => Text(options.BigSegmentsCacheMs)),
        ("big_segments.poll_interval_ms", options => Text(options.BigSegmentsPollIntervalMs)),
        ("big_segments.stale_after_ms", options => Text(options.BigSegmentsStaleAfterMs)),
        ("application.id", options => options.ApplicationId),
        ("application.name", options => options.ApplicationName),
        ("application.version", options => options.ApplicationVersion),
        ("application.version_name", options => options.ApplicationVersionName),
        ("wrapper.name", options => options.WrapperName),
        ("wrapper.version", options => options.WrapperVersion),
        ("offline", options => Text(options.Offline)),
    ];

    /// <summary>The property of an option: its name in Pascal case.</summary>
    internal static string PropertyOf(string name)
    {
        StringBuilder property = new(name.Length);
        foreach (string word in name.Split('.', '_'))
        {
            property.Append(char.ToUpperInvariant(word[0])).Append(word, 1, word.Length - 1);
        }
        return property.ToString();
    }

    /// <summary>What an option is set to, by name or by its property; null when it is not.</summary>
    internal static string? ValueOf(FlagstoneOptions options, string name) =>
        options.Others.TryGetValue(name, out string? other)
            ? other
            : Array.Find(Options, option => option.Name == name).Value(options);

    /// <summary>A native configuration with everything that is set.</summary>
    /// <exception cref="ArgumentException">An option is unknown or a value does not fit it; the message names it.</exception>
    internal static ConfigHandle ToConfig(FlagstoneOptions options)
    {
        OptionChecks.Check(options);
        NativeLoader.EnsureLoaded();
        ConfigHandle config = new(NativeMethods.flagstone_config_new());
        try
        {
            foreach ((string name, Func<FlagstoneOptions, string?> value) in Options)
            {
                if (value(options) is string text && !options.Others.ContainsKey(name))
                {
                    Set(config, options, name, text);
                }
            }
            foreach (KeyValuePair<string, string> other in options.Others)
            {
                Set(config, options, other.Key, other.Value);
            }
            // Last: it says where the flags come from, whatever was said before.
            options.TestData?.GiveTo(config);
            return config;
        }
        catch
        {
            config.Dispose();
            throw;
        }
    }

    /// <summary>What stands between the library and the host's big-segment store; null without one.</summary>
    internal static BigSegmentBridge? BigSegmentStoreOf(FlagstoneOptions options, ILogger logger) =>
        options.BigSegmentStore is IBigSegmentStore store
            ? new BigSegmentBridge(store, TimeOf(options, "redis.command_timeout_ms", 2000), logger)
            : null;

    /// <summary>How often that one is asked how old it is.</summary>
    internal static TimeSpan BigSegmentsPollIntervalOf(FlagstoneOptions options) =>
        TimeOf(options, "big_segments.poll_interval_ms", 5000);

    /// <summary>A time that this side keeps, too. One that is not allowed is refused by the library.</summary>
    private static TimeSpan TimeOf(FlagstoneOptions options, string name, int @default) => TimeSpan.FromMilliseconds(Math.Max(
        1, int.TryParse(ValueOf(options, name), NumberStyles.None, CultureInfo.InvariantCulture, out int set) ? set : @default));

    private static unsafe void Set(ConfigHandle config, FlagstoneOptions options, string name, string value)
    {
        byte[] nameBytes = Utf8.Encode(name, nameof(options), "the name of an option");
        string shown = options.Others.ContainsKey(name) ? name : PropertyOf(name);
        byte[] valueBytes = Utf8.Encode(value, nameof(options), shown);
        IntPtr error = IntPtr.Zero;
        fixed (byte* namePointer = nameBytes, valuePointer = valueBytes)
        {
            // The handle is alive: its only owner is the caller's caller.
            int status = NativeMethods.flagstone_config_set(
                config.DangerousGetHandle(), namePointer, (nuint)nameBytes.Length, valuePointer, (nuint)valueBytes.Length,
                &error);
            GC.KeepAlive(config);
            NativeResult.Check(status, error, nameof(options), message => OptionChecks.Translated(message, options));
        }
    }

    private static string? Text(int? value) => value?.ToString(CultureInfo.InvariantCulture);

    private static string? Text(long? value) => value?.ToString(CultureInfo.InvariantCulture);

    private static string? Text(bool? value) => value is bool set ? (set ? "true" : "false") : null;

    /// <summary>A list, which is JSON text in the library.</summary>
    private static string? Json(string name, IList<string>? values) => values is null ? null : JsonText.Written(writer =>
    {
        writer.WriteStartArray();
        foreach (string value in values)
        {
            writer.WriteStringValue(Checked(name, value));
        }
        writer.WriteEndArray();
    });

    /// <summary>The same for a map.</summary>
    private static string? Json(string name, IDictionary<string, string>? map) => map is null ? null : JsonText.Written(writer =>
    {
        writer.WriteStartObject();
        foreach (KeyValuePair<string, string> pair in map)
        {
            writer.WriteString(Checked(name, pair.Key), Checked(name, pair.Value));
        }
        writer.WriteEndObject();
    });

    /// <summary>The bytes of a text. One that is none is refused without being shown: it may be a secret.</summary>
    private static byte[] Checked(string name, string? text) =>
        text is null ? throw OptionChecks.Refused(name, "a text is null")
        : Utf8.TryEncode(text, out byte[]? bytes) ? bytes
        : throw OptionChecks.Refused(name, "a text has a lone surrogate and cannot be written as UTF-8");

    /// <summary>The word for a member of an enumeration; a number that is no member is passed on, to be refused.</summary>
    private static string? Word<T>(T? value, params string[] words)
        where T : struct, Enum
    {
        if (value is not T member)
        {
            return null;
        }
        int index = Convert.ToInt32(member, CultureInfo.InvariantCulture);
        return index >= 0 && index < words.Length ? words[index] : index.ToString(CultureInfo.InvariantCulture);
    }
}
