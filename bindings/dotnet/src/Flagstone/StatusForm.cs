// Reads what the library says about conditions: the JSON of statuses and notifications, and the struct of
// flagstone_client_status.
using System;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

internal static class StatusForm
{
    /// <summary>The enumeration's member for a native code.</summary>
    internal static DataSourceState ToState(int code) =>
        code is >= 0 and <= (int)DataSourceState.Forked ? (DataSourceState)code : DataSourceState.Unknown;

    /// <inheritdoc cref="ToState(int)"/>
    internal static DataSourceErrorKind ToErrorKind(int code) =>
        code is >= 0 and <= (int)DataSourceErrorKind.StoreError ? (DataSourceErrorKind)code : DataSourceErrorKind.Unknown;

    /// <summary>The data source; null in daemon mode.</summary>
    internal static DataSourceStatus? Source(in NativeClientStatus status) => status.source_since_ms == 0 ? null : new(
        ToState(status.source_state),
        DateTimeOffset.FromUnixTimeMilliseconds(status.source_since_ms),
        status.last_error_ms == 0 ? null : new DataSourceError(
            ToErrorKind(status.last_error_kind),
            status.last_error_status == 0 ? null : status.last_error_status,
            status.last_error.ToString(),
            DateTimeOffset.FromUnixTimeMilliseconds(status.last_error_ms)));

    /// <summary>The store.</summary>
    internal static DataStoreStatus Store(in NativeClientStatus status) => new(
        status.store_available == 1,
        status.store_stale_since_ms == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(status.store_stale_since_ms));

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
        Number(form, name) is long time ? DateTimeOffset.FromUnixTimeMilliseconds(time) : null;

    internal static bool IsObject(JsonElement form, string name, out JsonElement value) =>
        form.TryGetProperty(name, out value) && value.ValueKind == JsonValueKind.Object;

    private static DataSourceErrorKind ErrorKind(JsonElement form) => Text(form, "kind") switch
    {
        "NETWORK_ERROR" => DataSourceErrorKind.NetworkError,
        "ERROR_RESPONSE" => DataSourceErrorKind.ErrorResponse,
        "INVALID_DATA" => DataSourceErrorKind.InvalidData,
        "STORE_ERROR" => DataSourceErrorKind.StoreError,
        _ => DataSourceErrorKind.Unknown,
    };
}
