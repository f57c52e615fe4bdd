// Options as properties, so that they can be written down in code and bound from configuration. Each is named like the
// library's option in Pascal case; OptionTable maps one to the other.
using System;
using System.Collections.Generic;
using Microsoft.Extensions.Logging;

namespace Flagstone;

/// <summary>
/// Options from which clients are made. What is null keeps the library's default. A client copies them; they are checked when it
/// is made. Times are milliseconds, from 1 to 86,400,000 (a day); each can also be set as a span of time.
/// </summary>
/// <remarks>
/// Without a source the flags are read from Redis (daemon mode); with one (<see cref="SourceKind"/>, <see cref="TestData"/>) they
/// are held in memory, and kept in Redis if <see cref="RedisUrl"/> is set (connected mode).
/// </remarks>
public sealed partial class FlagstoneOptions
{
    private readonly Dictionary<string, string> _others = new(StringComparer.Ordinal);

    /// <summary>SDK key of the environment: needed for connected mode and the secure mode hash. Default: none.</summary>
    public string? SdkKey { get; set; }

    /// <summary>
    /// A <c>redis://</c>, <c>rediss://</c> (TLS) or <c>unix://</c> URL with user, password and database, for example
    /// <c>redis://user:password@host:6379/0</c>; not the form of StackExchange.Redis. Default: <c>redis://localhost:6379</c>; with a source: no
    /// Redis.
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
    /// <see cref="Flagstone.CacheResidency.Lazy"/> or <see cref="Flagstone.CacheResidency.Off"/>, and for big segments, also from
    /// <see cref="BigSegmentStore"/>. Default: 2000.
    /// </summary>
    public int? RedisCommandTimeoutMs { get; set; }

    /// <summary>Interval of pings on an idle connection. Default: 1000.</summary>
    public int? RedisPingMs { get; set; }

    /// <summary>
    /// Whether Redis publishes notifications of keys and hash fields. Default: <see cref="KeyspaceNotifications.Ask"/>.
    /// </summary>
    public KeyspaceNotifications? RedisKeyspaceNotifications { get; set; }

    /// <summary>
    /// PEM file of the authorities to trust, or of the server's own certificate. Default: Mozilla's list, built in.
    /// </summary>
    public string? RedisTlsCaFile { get; set; }

    /// <summary>PEM file of the client certificate. Default: none.</summary>
    public string? RedisTlsCertFile { get; set; }

    /// <summary>PEM file of its private key. Default: none.</summary>
    public string? RedisTlsKeyFile { get; set; }

    /// <summary>The name that the certificate must be for, instead of the URL's host. Default: none.</summary>
    public string? RedisTlsServerName { get; set; }

    /// <summary>Whether any certificate is accepted. Default: false.</summary>
    public bool? RedisTlsSkipVerify { get; set; }

    /// <summary>What is held in memory. Default: <see cref="Flagstone.CacheResidency.All"/>.</summary>
    public CacheResidency? CacheResidency { get; set; }

    /// <summary>How held items are kept true. Default: <see cref="Flagstone.CacheFreshness.Push"/>.</summary>
    public CacheFreshness? CacheFreshness { get; set; }

    /// <summary>Age at which items are read again. Default: 30000.</summary>
    public int? CacheTtlMs { get; set; }

    /// <summary>Most items held with <see cref="Flagstone.CacheResidency.Lazy"/>. Default: 10000.</summary>
    public int? CacheCapacity { get; set; }

    /// <summary>
    /// What happens when Redis loses the data set. Default: <see cref="Flagstone.CacheOnWipe.Keep"/>;
    /// <see cref="Flagstone.CacheOnWipe.Clear"/> with a source and <see cref="Flagstone.CacheResidency.Lazy"/> or
    /// <see cref="Flagstone.CacheResidency.Off"/>.
    /// </summary>
    public CacheOnWipe? CacheOnWipe { get; set; }

    /// <summary>
    /// Interval of the safety poll; not with <see cref="Flagstone.CacheFreshness.Forever"/> in daemon mode. Default: 60000.
    /// </summary>
    public int? RefreshIntervalMs { get; set; }

    /// <summary>Most notifications that wait for the handlers. Default: 1000.</summary>
    public int? NotificationsCapacity { get; set; }

    /// <summary>
    /// What becomes of the fraction of a number that is asked for as an integer. Default:
    /// <see cref="Flagstone.IntegerRounding.HalfEven"/>.
    /// </summary>
    public IntegerRounding? EvaluationIntegerRounding { get; set; }

    /// <summary>
    /// The least severe lines that the library writes to the logger; <see cref="LogLevel.Trace"/> counts as
    /// <see cref="LogLevel.Debug"/>, <see cref="LogLevel.Critical"/> as <see cref="LogLevel.Error"/>. Default:
    /// <see cref="LogLevel.Information"/>, and <see cref="LogLevel.None"/> without a <see cref="LoggerFactory"/>.
    /// </summary>
    public LogLevel? LogLevel { get; set; }

    /// <summary>Where the flags come from. Default: <see cref="Flagstone.SourceKind.None"/>.</summary>
    public SourceKind? SourceKind { get; set; }

    /// <summary>Key of a payload filter, for stream and poll. Default: none.</summary>
    public string? SourceFilter { get; set; }

    /// <summary>Base URL of the stream. Default: LaunchDarkly's.</summary>
    public string? EndpointsStream { get; set; }

    /// <summary>Base URL of polling. Default: LaunchDarkly's.</summary>
    public string? EndpointsPoll { get; set; }

    /// <summary>Base URL of events. Default: LaunchDarkly's.</summary>
    public string? EndpointsEvents { get; set; }

    /// <summary>Base URL of a Relay Proxy: of all three that have none of their own. Default: none.</summary>
    public string? EndpointsRelay { get; set; }

    /// <summary>Pause before the first repeated connect; doubled each time, up to 30 s. Default: 1000.</summary>
    public int? StreamInitialDelayMs { get; set; }

    /// <summary>Longest silence of the stream. Default: 300000.</summary>
    public int? StreamReadTimeoutMs { get; set; }

    /// <summary>
    /// Pause between polls; a shorter one is raised, unless <see cref="PollAllowShort"/> is set. Default: 30000.
    /// </summary>
    public int? PollIntervalMs { get; set; }

    /// <summary>Whether a short <see cref="PollIntervalMs"/> is taken as it is. Default: false.</summary>
    public bool? PollAllowShort { get; set; }

    /// <summary>What a server that refuses means. Default: <see cref="Flagstone.RetryMode.Extended"/>.</summary>
    public RetryMode? RetryMode { get; set; }

    /// <summary>Longest time to connect, and to look up a name. Default: 10000.</summary>
    public int? HttpConnectTimeoutMs { get; set; }

    /// <summary>Longest wait for a response, the stream's silence apart. Default: 15000.</summary>
    public int? HttpReadTimeoutMs { get; set; }

    /// <summary>
    /// URL of a proxy. Default: that of the environment (<c>http_proxy</c>, <c>https_proxy</c>, <c>all_proxy</c>,
    /// <c>no_proxy</c>, and their upper-case forms except <c>HTTP_PROXY</c>).
    /// </summary>
    public string? HttpProxy { get; set; }

#pragma warning disable CA2227 // null says that nothing is set, as everywhere here
    /// <summary>Further headers of every request, by name. Default: none.</summary>
    public IDictionary<string, string>? HttpHeaders { get; set; }

    /// <summary>PEM file of the authorities to trust. Default: Mozilla's list, built in.</summary>
    public string? HttpTlsCaFile { get; set; }

    /// <summary>Whether any certificate is accepted. Default: false.</summary>
    public bool? HttpTlsSkipVerify { get; set; }

    /// <summary>
    /// Files of JSON or YAML with <c>flags</c>, <c>flagValues</c> and <c>segments</c>, for
    /// <see cref="Flagstone.SourceKind.File"/>. Default: none.
    /// </summary>
    public IList<string>? FilePaths { get; set; }
#pragma warning restore CA2227

    /// <summary>What happens to an item that is in two files. Default: <see cref="Flagstone.FileDuplicates.Fail"/>.</summary>
    public FileDuplicates? FileDuplicates { get; set; }

    /// <summary>Whether files are read again when they change. Default: false.</summary>
    public bool? FileAutoReload { get; set; }

    /// <summary>
    /// File, in a folder that exists, that keeps the last data for a start at which nothing answers; only with
    /// <see cref="Flagstone.CacheResidency.All"/>; also in daemon mode. Default: none.
    /// </summary>
    public string? SnapshotFile { get; set; }

    /// <summary>
    /// Whether what the source delivers is written to Redis. Default, by source: true with stream, poll and FDv2; false with files and
    /// test data, which fill memory only.
    /// </summary>
    public bool? StoreWrite { get; set; }

    /// <summary>
    /// Sent as a tag with every request, like the next three: at most 64 letters, digits, <c>.</c>, <c>-</c>, <c>_</c>; others
    /// are not sent. Default: none.
    /// </summary>
    public string? ApplicationId { get; set; }

    /// <summary>See <see cref="ApplicationId"/>. Default: none.</summary>
    public string? ApplicationName { get; set; }

    /// <summary>See <see cref="ApplicationId"/>. Default: none.</summary>
    public string? ApplicationVersion { get; set; }

    /// <summary>See <see cref="ApplicationId"/>. Default: none.</summary>
    public string? ApplicationVersionName { get; set; }

    /// <summary>Name of a library that wraps this one, sent with every request. Default: none.</summary>
    public string? WrapperName { get; set; }

    /// <summary>Its version. Default: none.</summary>
    public string? WrapperVersion { get; set; }

    /// <summary>Whether nothing is connected to and every evaluation gives its default. Default: false.</summary>
    public bool? Offline { get; set; }

    /// <summary>
    /// Flags and segments that a test sets; without another source; makes <see cref="SourceKind"/> <see cref="Flagstone.SourceKind.TestData"/>. Clients
    /// keep them, also when they are disposed. Default: none. Not an option of the library by name.
    /// </summary>
    public TestData? TestData { get; set; }

    /// <summary>
    /// Makes the loggers <c>Flagstone.Client</c>, <c>.Source</c>, <c>.Store</c>, <c>.Events</c> and <c>.BigSegments</c>, which get the
    /// library's log lines by what they are about, and <c>Flagstone</c>, which gets what handlers throw. Default: none. Not an option
    /// of the library.
    /// </summary>
    public ILoggerFactory? LoggerFactory { get; set; }

#pragma warning disable CA2227 // null says that nothing is set, as everywhere here
    /// <summary>
    /// Run around evaluations and after what is told, in this order; disposed of with the client. Default: none, which costs
    /// nothing. Not an option of the library.
    /// </summary>
    public IList<Hook>? Hooks { get; set; }

    /// <summary>Additions to the client, in this order. Default: none. Not an option of the library.</summary>
    public IList<Plugin>? Plugins { get; set; }
#pragma warning restore CA2227

    /// <summary>
    /// Sets any option by the library's own name, for example <c>redis.ping_ms</c>. Wins over the property of that name. Name and
    /// value are checked when a client is made. Lists and maps are JSON text here.
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

    /// <summary>
    /// Checks the options as making a client does, and makes none: nothing is connected to. Hooks, plugins and a
    /// <see cref="BigSegmentStore"/> are not called.
    /// </summary>
    /// <exception cref="ArgumentException">As of <see cref="FlagstoneClient(FlagstoneOptions)"/>.</exception>
    /// <exception cref="FlagstoneLibraryException">The native library is missing or is another one.</exception>
    public void Validate() => FlagstoneClient.Check(this);

    /// <summary>Says nothing about the values: some are secrets.</summary>
    /// <returns>The name of the type.</returns>
    public override string ToString() => nameof(FlagstoneOptions);

    /// <summary>What was set by name.</summary>
    internal IReadOnlyDictionary<string, string> Others => _others;
}
