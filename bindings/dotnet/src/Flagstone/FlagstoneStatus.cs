// What a client tells about itself. Source and store have objects of their own, as they fail apart from each other: in connected
// mode the flags go on coming while Redis is away, and Redis answers while the stream is.
using System;
using System.Text.Json;

namespace Flagstone;

/// <summary>Lifecycle of a client and its data source.</summary>
public enum DataSourceState
{
    /// <summary>Not ready. Daemon mode: Redis has not been read yet; otherwise: the data source has not delivered yet.</summary>
    Initializing = 0,

    /// <summary>What is held is known to be true.</summary>
    Valid = 1,

    /// <summary>
    /// Daemon mode: Redis cannot be reached, or lost the data set; otherwise: the data source fails and is tried again. The last
    /// good data stay in force.
    /// </summary>
    Interrupted = 2,

    /// <summary>Closed, or the data source has failed for good.</summary>
    Off = 3,

    /// <summary>A forked child that has made no other call yet.</summary>
    Forked = 4,

    /// <summary>A state that this version of the package does not know.</summary>
    Unknown = -1,
}

/// <summary>What kind of failure a data source met.</summary>
public enum DataSourceErrorKind
{
    /// <summary>None of the others, or one that this version of the package does not know.</summary>
    Unknown = 0,

    /// <summary>No connection, or it was lost.</summary>
    NetworkError = 1,

    /// <summary>The server answered with an error status.</summary>
    ErrorResponse = 2,

    /// <summary>What was received makes no sense.</summary>
    InvalidData = 3,

    /// <summary>What was received could not be stored.</summary>
    StoreError = 4,
}

/// <summary>A failure of a data source.</summary>
public sealed record DataSourceError
{
    internal DataSourceError(DataSourceErrorKind kind, int? httpStatus, string message, DateTimeOffset time)
    {
        Kind = kind;
        HttpStatus = httpStatus;
        Message = message;
        Time = time;
    }

    /// <summary>Its kind.</summary>
    public DataSourceErrorKind Kind { get; }

    /// <summary>HTTP status; null when there was none.</summary>
    public int? HttpStatus { get; }

    /// <summary>For people.</summary>
    public string Message { get; }

    /// <summary>When it was.</summary>
    public DateTimeOffset Time { get; }
}

/// <summary>Condition of where the flags come from: of the stream, the polls, the files or the test data.</summary>
public sealed record DataSourceStatus
{
    internal DataSourceStatus(DataSourceState state, DateTimeOffset stateSince, DataSourceError? lastError)
    {
        State = state;
        StateSince = stateSince;
        LastError = lastError;
    }

    /// <summary>Its state.</summary>
    public DataSourceState State { get; }

    /// <summary>Since when it is in this state.</summary>
    public DateTimeOffset StateSince { get; }

    /// <summary>The latest failure, also when everything is well again; null before the first.</summary>
    public DataSourceError? LastError { get; }
}

/// <summary>Condition of where the flags are kept: of Redis, or of memory where that is all there is.</summary>
public sealed record DataStoreStatus
{
    internal DataStoreStatus(bool available, DateTimeOffset? staleSince)
    {
        Available = available;
        StaleSince = staleSince;
    }

    /// <summary>Redis answered last time, or memory is all there is.</summary>
    public bool Available { get; }

    /// <summary>Since when what was read of Redis is not known to be true; null when it is.</summary>
    public DateTimeOffset? StaleSince { get; }
}

/// <summary>How the events of a client fare. A summary of evaluations counts as one event.</summary>
public sealed record EventsStatus
{
    internal EventsStatus(JsonElement form)
    {
        IsOff = StatusForm.Text(form, "state") == "off";
        WaitingCount = StatusForm.Number(form, "waiting") ?? 0;
        DroppedCount = StatusForm.Number(form, "dropped") ?? 0;
        SentCount = StatusForm.Number(form, "sent") ?? 0;
        LostCount = StatusForm.Number(form, "lost") ?? 0;
        SpooledCount = StatusForm.Number(form, "spooled") ?? 0;
        if (StatusForm.IsObject(form, "spool", out JsonElement spool))
        {
            SpoolPayloadCount = StatusForm.Number(spool, "payloads");
            SpoolCorruptCount = StatusForm.Number(spool, "corrupt");
        }
        LastError = StatusForm.Text(form, "last_error");
        LastErrorTime = StatusForm.Time(form, "last_error_ms");
    }

    /// <summary>The server refuses them for good, for example because it does not know the SDK key: none is sent any more.</summary>
    public bool IsOff { get; }

    /// <summary>Number of those that wait for the next flush, without what is counted for a summary.</summary>
    public long WaitingCount { get; }

    /// <summary>
    /// Number of those that did not fit in <see cref="FlagstoneOptions.EventsCapacity"/>, in 64 MB, or in 10,000 unknown flags.
    /// </summary>
    public long DroppedCount { get; }

    /// <summary>Number of those that were delivered.</summary>
    public long SentCount { get; }

    /// <summary>Number of those that could not be delivered and were not kept.</summary>
    public long LostCount { get; }

    /// <summary>
    /// Number of those that could not be delivered and went to <see cref="FlagstoneOptions.EventsSpool"/>; those sent from there
    /// count as sent, too.
    /// </summary>
    public long SpooledCount { get; }

    /// <summary>Number of payloads in the spool at the last look; null without one.</summary>
    public long? SpoolPayloadCount { get; }

    /// <summary>Number of files of the spool that this process set aside, as they cannot be read; null without one.</summary>
    public long? SpoolCorruptCount { get; }

    /// <summary>The latest failure, for people; null when there was none.</summary>
    public string? LastError { get; }

    /// <summary>When it was; null when there was none.</summary>
    public DateTimeOffset? LastErrorTime { get; }
}

/// <summary>Condition of a client at one moment.</summary>
public sealed class FlagstoneStatus
{
    private FlagstoneStatus(JsonElement form)
    {
        State = StatusForm.State(form);
        DataSource = StatusForm.Source(form);
        Store = StatusForm.Store(form);
        IsReady = StatusForm.Flag(form, "ready");
        EnvironmentId = StatusForm.Text(form, "environment_id");
        IsFromFile = StatusForm.Flag(form, "from_file");
        IsWiped = StatusForm.Flag(form, "wiped");
        VerifiedAge = StatusForm.Number(form, "verified_age_ms") is long age ? TimeSpan.FromMilliseconds(age) : null;
        Freshness = StatusForm.Text(form, "freshness") ?? "";
        FreshnessReason = StatusForm.Text(form, "freshness_reason");
        FlagCount = StatusForm.Number(form, "flags") ?? 0;
        SegmentCount = StatusForm.Number(form, "segments") ?? 0;
        MalformedCount = StatusForm.Number(form, "malformed") ?? 0;
        DroppedCount = StatusForm.Number(form, "dropped") ?? 0;
        PanicCount = StatusForm.Number(form, "panics") ?? 0;
        LastError = StatusForm.Text(form, "last_error");
        Events = StatusForm.IsObject(form, "events", out JsonElement events) ? new EventsStatus(events) : null;
        Redis = StatusForm.IsObject(form, "redis", out JsonElement redis) ? new RedisStatus(redis) : null;
        Watch = StatusForm.IsObject(form, "watch", out JsonElement watch) ? new WatchStatus(watch) : null;
    }

    /// <summary>Present state: of the data source; in daemon mode, of the store.</summary>
    public DataSourceState State { get; }

    /// <summary>Where the flags come from; null in daemon mode, which has no source but Redis.</summary>
    public DataSourceStatus? DataSource { get; }

    /// <summary>Where the flags are kept.</summary>
    public DataStoreStatus Store { get; }

    /// <summary>Daemon mode: Redis has been read once; otherwise: the data source has delivered.</summary>
    public bool IsReady { get; }

    /// <summary>The environment that a server named; null if none did.</summary>
    public string? EnvironmentId { get; }

    /// <summary>What is held came from the snapshot file.</summary>
    public bool IsFromFile { get; }

    /// <summary>Redis lost the data set; held items stay in force.</summary>
    public bool IsWiped { get; }

    /// <summary>Age of the latest moment at which everything held was known to be true; null before the first.</summary>
    public TimeSpan? VerifiedAge { get; }

    /// <summary>Freshness in force: <c>push</c>, <c>ttl</c>, <c>forever</c> or <c>starting</c>.</summary>
    public string Freshness { get; }

    /// <summary>Why it is that one; null with <c>starting</c>.</summary>
    public string? FreshnessReason { get; }

    /// <summary>Number of flags held, deleted ones left out.</summary>
    public long FlagCount { get; }

    /// <summary>Number of segments held, deleted ones left out.</summary>
    public long SegmentCount { get; }

    /// <summary>Number of items in Redis that do not parse.</summary>
    public long MalformedCount { get; }

    /// <summary>Number of notifications dropped because handlers were too slow.</summary>
    public long DroppedCount { get; }

    /// <summary>Number of defects caught inside the library.</summary>
    public long PanicCount { get; }

    /// <summary>The latest error of Redis, for people; null when there was none.</summary>
    public string? LastError { get; }

    /// <summary>How events fare; null without events.</summary>
    public EventsStatus? Events { get; }

    /// <summary>Where Redis is, and who logs in; null where memory is all there is.</summary>
    public RedisStatus? Redis { get; }

    /// <summary>How Redis tells of changes; null where it is not asked to.</summary>
    public WatchStatus? Watch { get; }

    /// <summary>State, topology, addresses, rung and the latest error in one line, for people.</summary>
    /// <returns>The line.</returns>
    public override string ToString()
    {
        string reason = Watch is not null ? $" by {Watch}" : FreshnessReason is not null ? $" ({FreshnessReason})" : "";
        string redis = Redis is null ? "" : $"; Redis {Redis}";
        string error = LastError is null ? "" : $"; last error: {LastError}";
        return FormattableString.Invariant($"{State}; {FlagCount} flags; freshness {Freshness}{reason}{redis}{error}");
    }

    /// <summary>Reads the library's JSON. Members that are missing count as not set, unknown ones are left out.</summary>
    internal static FlagstoneStatus Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return new FlagstoneStatus(document.RootElement);
    }
}
