// Options as properties, so that they can be written down in code and bound from configuration. Each is named like the
// library's option in Pascal case; OptionTable maps one to the other.
using System;
using System.Collections.Generic;
using Microsoft.Extensions.Logging;

namespace Flagstone;

/// <summary>What a client holds in memory.</summary>
public enum CacheResidency
{
    /// <summary>The whole data set.</summary>
    All = 0,

    /// <summary>At most <see cref="FlagstoneOptions.CacheCapacity"/> items, read when first asked for.</summary>
    Lazy = 1,

    /// <summary>Nothing: every lookup reads Redis. For tests and tools.</summary>
    Off = 2,
}

/// <summary>How held items are kept true.</summary>
public enum CacheFreshness
{
    /// <summary>Redis tells what changed (Redis 6 or newer; steps down to <see cref="Ttl"/> where the server refuses).</summary>
    Push = 0,

    /// <summary>Items are read again when older than <see cref="FlagstoneOptions.CacheTtlMs"/>.</summary>
    Ttl = 1,

    /// <summary>Items are never read again.</summary>
    Forever = 2,
}

/// <summary>What happens to held items when Redis loses the data set.</summary>
public enum CacheOnWipe
{
    /// <summary>They stay in force until the data set is back.</summary>
    Keep = 0,

    /// <summary>They are dropped: Redis is taken as it is.</summary>
    Clear = 1,
}

/// <summary>
/// Options from which clients are made. What is null keeps the library's default. A client copies them; they are checked when it
/// is made. Times are milliseconds, from 1 to 86,400,000 (a day).
/// </summary>
public sealed class FlagstoneOptions
{
    private readonly Dictionary<string, string> _others = new(StringComparer.Ordinal);

    /// <summary>
    /// A <c>redis://</c>, <c>rediss://</c> (TLS) or <c>unix://</c> URL with user, password and database, for example
    /// <c>redis://user:password@host:6379/0</c>. Default: <c>redis://localhost:6379</c>.
    /// </summary>
    public string? RedisUrl { get; set; }

    /// <summary>Prefix of the keys. Default, also when empty: <c>launchdarkly</c>.</summary>
    public string? RedisPrefix { get; set; }

    /// <summary>User name; wins over the URL's. Default: none.</summary>
    public string? RedisUsername { get; set; }

    /// <summary>Password; wins over the URL's. Default: none.</summary>
    public string? RedisPassword { get; set; }

    /// <summary>Number of the database; wins over the URL's. Default: 0.</summary>
    public int? RedisDatabase { get; set; }

    /// <summary>Longest time to connect to an address, login included; looking up a name comes on top. Default: 2000.</summary>
    public int? RedisConnectTimeoutMs { get; set; }

    /// <summary>
    /// Longest silence while a reply is awaited, and longest wait of an evaluation with
    /// <see cref="Flagstone.CacheResidency.Lazy"/> or <see cref="Flagstone.CacheResidency.Off"/>. Default: 2000.
    /// </summary>
    public int? RedisCommandTimeoutMs { get; set; }

    /// <summary>Interval of pings on an idle connection. Default: 1000.</summary>
    public int? RedisPingMs { get; set; }

    /// <summary>PEM file of the authorities to trust. Default: Mozilla's list, built in.</summary>
    public string? RedisTlsCaFile { get; set; }

    /// <summary>PEM file of the client certificate. Default: none.</summary>
    public string? RedisTlsCertFile { get; set; }

    /// <summary>PEM file of its private key. Default: none.</summary>
    public string? RedisTlsKeyFile { get; set; }

    /// <summary>What is held in memory. Default: <see cref="Flagstone.CacheResidency.All"/>.</summary>
    public CacheResidency? CacheResidency { get; set; }

    /// <summary>How held items are kept true. Default: <see cref="Flagstone.CacheFreshness.Push"/>.</summary>
    public CacheFreshness? CacheFreshness { get; set; }

    /// <summary>Age at which items are read again. Default: 30000.</summary>
    public int? CacheTtlMs { get; set; }

    /// <summary>Most items held with <see cref="Flagstone.CacheResidency.Lazy"/>. Default: 10000.</summary>
    public int? CacheCapacity { get; set; }

    /// <summary>What happens when Redis loses the data set. Default: <see cref="Flagstone.CacheOnWipe.Keep"/>.</summary>
    public CacheOnWipe? CacheOnWipe { get; set; }

    /// <summary>Interval of the safety poll; not with <see cref="Flagstone.CacheFreshness.Forever"/>. Default: 60000.</summary>
    public int? RefreshIntervalMs { get; set; }

    /// <summary>Most notifications that wait for the handlers. Default: 1000.</summary>
    public int? EventsQueueCapacity { get; set; }

    /// <summary>
    /// The least severe lines that the library writes to the logger; <see cref="LogLevel.Trace"/> counts as
    /// <see cref="LogLevel.Debug"/>, <see cref="LogLevel.Critical"/> as <see cref="LogLevel.Error"/>. Default:
    /// <see cref="LogLevel.Information"/>, and <see cref="LogLevel.None"/> without a <see cref="LoggerFactory"/>.
    /// </summary>
    public LogLevel? LogLevel { get; set; }

    /// <summary>
    /// Makes the logger <c>Flagstone</c>, which gets the library's log lines and what handlers throw. Default: none. Not an
    /// option of the library.
    /// </summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>
    /// Sets any option by the library's own name, for example <c>redis.ping_ms</c>. Wins over the property of that name. Name and
    /// value are checked when a client is made.
    /// </summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="value">Its value as text.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public FlagstoneOptions Set(string name, string value)
    {
        _others[name ?? throw new ArgumentNullException(nameof(name))] = value ?? throw new ArgumentNullException(nameof(value));
        return this;
    }

    /// <summary>Says nothing about the values: some are secrets.</summary>
    /// <returns>The name of the type.</returns>
    public override string ToString() => nameof(FlagstoneOptions);

    /// <summary>What was set by name.</summary>
    internal IReadOnlyDictionary<string, string> Others => _others;
}
