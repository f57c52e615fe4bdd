// What a client tells about itself. Source and store have objects of their own: in daemon mode Redis is both, with a streaming
// source they fail apart from each other.
using System;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>Lifecycle of a client and its data source.</summary>
public enum DataSourceState
{
    /// <summary>Not ready: the data have not been read yet.</summary>
    Initializing = 0,

    /// <summary>What is held is known to be true.</summary>
    Valid = 1,

    /// <summary>The source cannot be reached, or lost the data set; the last good data stay in force.</summary>
    Interrupted = 2,

    /// <summary>Closed.</summary>
    Off = 3,

    /// <summary>A forked child that has made no other call yet.</summary>
    Forked = 4,

    /// <summary>A state that this version of the package does not know.</summary>
    Unknown = -1,
}

/// <summary>Condition of where the flags come from.</summary>
public sealed class DataSourceStatus
{
    internal DataSourceStatus(DataSourceState state, DateTimeOffset? stateSince, string? reason, string? lastError)
    {
        State = state;
        StateSince = stateSince;
        Reason = reason;
        LastError = lastError;
    }

    /// <summary>Present state.</summary>
    public DataSourceState State { get; }

    /// <summary>When the state was entered; null when the client has not heard of that change yet.</summary>
    public DateTimeOffset? StateSince { get; }

    /// <summary>Why the state was entered, for people; null with <see cref="StateSince"/>.</summary>
    public string? Reason { get; }

    /// <summary>The latest error, for people; null when there was none, and after close.</summary>
    public string? LastError { get; }
}

/// <summary>Condition of the store that the flags are kept in.</summary>
public sealed class DataStoreStatus
{
    internal DataStoreStatus(bool available, bool wiped, DateTimeOffset? staleSince, TimeSpan? verifiedAge)
    {
        Available = available;
        Wiped = wiped;
        StaleSince = staleSince;
        VerifiedAge = verifiedAge;
    }

    /// <summary>The store answered last time.</summary>
    public bool Available { get; }

    /// <summary>The store lost the data set; held items stay in force.</summary>
    public bool Wiped { get; }

    /// <summary>Since when data are not known to be true; null when they are.</summary>
    public DateTimeOffset? StaleSince { get; }

    /// <summary>Age of the latest moment at which everything held was known to be true; null before the first.</summary>
    public TimeSpan? VerifiedAge { get; }
}

/// <summary>Condition of a client at one moment.</summary>
public sealed class FlagstoneStatus
{
    private FlagstoneStatus(JsonElement form, DataSourceStatus dataSource)
    {
        DataSource = dataSource;
        Store = new(
            Flag(form, "available"),
            Flag(form, "wiped"),
            Number(form, "stale_since_ms") is long since ? DateTimeOffset.FromUnixTimeMilliseconds(since) : null,
            Number(form, "verified_age_ms") is long age ? TimeSpan.FromMilliseconds(age) : null);
        IsReady = Flag(form, "ready");
        Freshness = Text(form, "freshness") ?? "";
        FreshnessReason = Text(form, "freshness_reason");
        FlagCount = Number(form, "flags") ?? 0;
        SegmentCount = Number(form, "segments") ?? 0;
        MalformedCount = Number(form, "malformed") ?? 0;
        DroppedCount = Number(form, "dropped") ?? 0;
        PanicCount = Number(form, "panics") ?? 0;
    }

    /// <summary>Where the flags come from.</summary>
    public DataSourceStatus DataSource { get; }

    /// <summary>Where the flags are kept.</summary>
    public DataStoreStatus Store { get; }

    /// <summary>The data have been read once.</summary>
    public bool IsReady { get; }

    /// <summary>Freshness in force: <c>push</c>, <c>ttl</c>, <c>forever</c> or <c>starting</c>.</summary>
    public string Freshness { get; }

    /// <summary>Why, when it is not the one that was asked for; otherwise null.</summary>
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

    /// <summary>Reads the library's JSON. Members that are missing count as not set, unknown ones are left out.</summary>
    internal static FlagstoneStatus Parse(string json, DataSourceStatus lastChange)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement form = document.RootElement;
        DataSourceState state = Text(form, "state") switch
        {
            "INIT" => DataSourceState.Initializing,
            "VALID" => DataSourceState.Valid,
            "INTERRUPTED" => DataSourceState.Interrupted,
            "OFF" => DataSourceState.Off,
            "FORKED" => DataSourceState.Forked,
            _ => DataSourceState.Unknown,
        };
        // The notification of the latest change may still be under way.
        bool told = lastChange.State == state;
        DataSourceStatus source = new(
            state, told ? lastChange.StateSince : null, told ? lastChange.Reason : null, Text(form, "last_error"));
        return new FlagstoneStatus(form, source);
    }

    /// <summary>The enumeration's member for a native code.</summary>
    internal static DataSourceState ToState(int code) =>
        code is >= 0 and <= (int)DataSourceState.Forked ? (DataSourceState)code : DataSourceState.Unknown;

    private static bool Flag(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    private static long? Number(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out long number)
            ? number
            : null;

    private static string? Text(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
