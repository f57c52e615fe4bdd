// Reads what the library says about conditions: the JSON of statuses and notifications, and the struct of
// flagstone_client_status.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

internal static class StatusForm
{
    private static readonly long s_firstMs = DateTimeOffset.MinValue.ToUnixTimeMilliseconds();
    private static readonly long s_lastMs = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>A thousand years: no span is longer.</summary>
    private const long s_longestMs = 1000L * 365 * 24 * 3600 * 1000;

    /// <summary>
    /// A point in time; one beyond the calendar is its nearest end. That of big segments is whatever somebody wrote to Redis.
    /// </summary>
    internal static DateTimeOffset Time(long unixMs) =>
        DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(Math.Max(unixMs, s_firstMs), s_lastMs));

    /// <summary>The enumeration's member for a native code.</summary>
    internal static DataSourceState ToState(int code) =>
        code is >= 0 and <= (int)DataSourceState.Forked ? (DataSourceState)code : DataSourceState.Unknown;

    /// <inheritdoc cref="ToState(int)"/>
    internal static DataSourceErrorKind ToErrorKind(int code) =>
        code is >= 0 and <= (int)DataSourceErrorKind.StoreError ? (DataSourceErrorKind)code : DataSourceErrorKind.Unknown;

    /// <summary>The data source; null in daemon mode.</summary>
    internal static DataSourceStatus? Source(in NativeClientStatus status) => status.source_since_ms == 0 ? null : new(
        ToState(status.source_state),
        Time(status.source_since_ms),
        status.last_error_ms == 0 ? null : new DataSourceError(
            ToErrorKind(status.last_error_kind),
            status.last_error_status == 0 ? null : status.last_error_status,
            status.last_error.ToString(),
            Time(status.last_error_ms)));

    /// <summary>The store.</summary>
    internal static DataStoreStatus Store(in NativeClientStatus status) => new(
        status.store_available == 1,
        status.store_stale_since_ms == 0 ? null : Time(status.store_stale_since_ms));

    /// <summary>The member <c>source</c>: the data source; null in daemon mode.</summary>
    internal static DataSourceStatus? Source(JsonElement form)
    {
        if (!IsObject(form, "source", out JsonElement source))
        {
            return null;
        }
        DataSourceError? error = IsObject(source, "error", out JsonElement failure)
            ? new(ErrorKind(failure), (int?)Number(failure, "status") is int status and not 0 ? status : null,
                Text(failure, "message") ?? "", Time(failure, "unix_ms") ?? default)
            : null;
        return new DataSourceStatus(State(source), Time(source, "since_ms") ?? default, error);
    }

    /// <summary>The store, in a member <c>store</c> or in members beside others.</summary>
    internal static DataStoreStatus Store(JsonElement form)
    {
        JsonElement store = IsObject(form, "store", out JsonElement member) ? member : form;
        return new DataStoreStatus(Flag(store, "available"), Time(store, "stale_since_ms"));
    }

    /// <summary>The big-segment store.</summary>
    internal static BigSegmentStoreStatus BigSegmentStore(JsonElement form) =>
        new(Flag(form, "available"), Flag(form, "stale"), Time(form, "last_sync_ms"));

    internal static DataSourceState State(JsonElement form) => Text(form, "state") switch
    {
        "INIT" => DataSourceState.Initializing,
        "VALID" => DataSourceState.Valid,
        "INTERRUPTED" => DataSourceState.Interrupted,
        "OFF" => DataSourceState.Off,
        "FORKED" => DataSourceState.Forked,
        _ => DataSourceState.Unknown,
    };

    internal static bool Flag(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    internal static long? Number(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out long number)
            ? number
            : null;

    internal static string? Text(JsonElement form, string name) =>
        form.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    internal static DateTimeOffset? Time(JsonElement form, string name) =>
        Number(form, name) is long time ? Time(time) : null;

    internal static TimeSpan? Span(JsonElement form, string name) =>
        Number(form, name) is long span ? TimeSpan.FromMilliseconds(Math.Min(Math.Max(span, -s_longestMs), s_longestMs)) : null;

    /// <summary>The objects of a list; none when there is no list.</summary>
    internal static IReadOnlyList<T> Objects<T>(JsonElement form, string name, Func<JsonElement, T> read) =>
        [.. Members(form, name, JsonValueKind.Object).Select(read)];

    /// <summary>The texts of a list; none when there is no list.</summary>
    internal static IReadOnlyList<string> Texts(JsonElement form, string name) =>
        [.. Members(form, name, JsonValueKind.String).Select(static member => member.GetString()!)];

    internal static bool IsObject(JsonElement form, string name, out JsonElement value) =>
        form.TryGetProperty(name, out value) && value.ValueKind == JsonValueKind.Object;

    /// <summary>Those members of a list that are of a kind.</summary>
    private static List<JsonElement> Members(JsonElement form, string name, JsonValueKind kind) =>
        form.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Where(member => member.ValueKind == kind)]
            : [];

    private static DataSourceErrorKind ErrorKind(JsonElement form) => Text(form, "kind") switch
    {
        "NETWORK_ERROR" => DataSourceErrorKind.NetworkError,
        "ERROR_RESPONSE" => DataSourceErrorKind.ErrorResponse,
        "INVALID_DATA" => DataSourceErrorKind.InvalidData,
        "STORE_ERROR" => DataSourceErrorKind.StoreError,
        _ => DataSourceErrorKind.Unknown,
    };
}
