// The client's members as an interface, for hosts that put another one in its place in their tests.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstone;

/// <summary>Everything that <see cref="FlagstoneClient"/> does. Later versions may add members.</summary>
public interface IFlagstoneClient : IDisposable, IAsyncDisposable
{
    /// <inheritdoc cref="FlagstoneClient.FlagChanged"/>
    event EventHandler<FlagChangedEventArgs>? FlagChanged;

    /// <inheritdoc cref="FlagstoneClient.StatusChanged"/>
    event EventHandler<StatusChangedEventArgs>? StatusChanged;

    /// <inheritdoc cref="FlagstoneClient.BigSegmentStoreStatusChanged"/>
    event EventHandler<BigSegmentStoreStatusChangedEventArgs>? BigSegmentStoreStatusChanged;

    /// <inheritdoc cref="FlagstoneClient.GetBigSegmentStoreStatus()"/>
    BigSegmentStoreStatus GetBigSegmentStoreStatus();

    /// <inheritdoc cref="FlagstoneClient.OnFlagValueChanged(string, Context, Action{FlagValueChange})"/>
    IDisposable OnFlagValueChanged(string key, Context context, Action<FlagValueChange> handler);

    /// <inheritdoc cref="FlagstoneClient.ObserveFlagValue(string, Context)"/>
    IObservable<FlagValueChange> ObserveFlagValue(string key, Context context);

    /// <inheritdoc cref="FlagstoneClient.FlagValueChangesAsync(string, Context, CancellationToken)"/>
    IAsyncEnumerable<FlagValueChange> FlagValueChangesAsync(
        string key, Context context, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.State"/>
    DataSourceState State { get; }

    /// <inheritdoc cref="FlagstoneClient.IsReady"/>
    bool IsReady { get; }

    /// <inheritdoc cref="FlagstoneClient.DataSourceStatus"/>
    DataSourceStatus? DataSourceStatus { get; }

    /// <inheritdoc cref="FlagstoneClient.StoreStatus"/>
    DataStoreStatus StoreStatus { get; }

    /// <inheritdoc cref="FlagstoneClient.GetStatus()"/>
    FlagstoneStatus GetStatus();

    /// <inheritdoc cref="FlagstoneClient.SetRedisCredentials(RedisCredentials)"/>
    void SetRedisCredentials(RedisCredentials credentials);

    /// <inheritdoc cref="FlagstoneClient.StartAsync(CancellationToken)"/>
    Task<bool> StartAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.StartAsync(TimeSpan, CancellationToken)"/>
    Task<bool> StartAsync(TimeSpan timeout, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.Start(TimeSpan)"/>
    bool Start(TimeSpan timeout);

    /// <inheritdoc cref="FlagstoneClient.WaitAsync(DataSourceState, TimeSpan, CancellationToken)"/>
    Task<bool> WaitAsync(DataSourceState state, TimeSpan timeout, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.Identify(Context?)"/>
    void Identify(Context? context);

    /// <inheritdoc cref="FlagstoneClient.Track(string, Context?)"/>
    void Track(string name, Context? context);

    /// <inheritdoc cref="FlagstoneClient.Track(string, Context?, JsonElement)"/>
    void Track(string name, Context? context, JsonElement data);

    /// <inheritdoc cref="FlagstoneClient.Track(string, Context?, JsonElement, double)"/>
    void Track(string name, Context? context, JsonElement data, double metricValue);

    /// <inheritdoc cref="FlagstoneClient.Flush()"/>
    void Flush();

    /// <inheritdoc cref="FlagstoneClient.FlushAndWait(TimeSpan)"/>
    bool FlushAndWait(TimeSpan timeout);

    /// <inheritdoc cref="FlagstoneClient.FlushAndWaitAsync(TimeSpan)"/>
    Task<bool> FlushAndWaitAsync(TimeSpan timeout);

    /// <inheritdoc cref="FlagstoneClient.FlushAsync(CancellationToken)"/>
    Task<bool> FlushAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.FlushAsync(TimeSpan, CancellationToken)"/>
    Task<bool> FlushAsync(TimeSpan timeout, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="FlagstoneClient.BoolVariation(string, Context?, bool)"/>
    bool BoolVariation(string key, Context? context, bool defaultValue = false);

    /// <inheritdoc cref="FlagstoneClient.BoolVariation(ReadOnlySpan{byte}, Context?, bool)"/>
    bool BoolVariation(ReadOnlySpan<byte> key, Context? context, bool defaultValue = false);

    /// <inheritdoc cref="FlagstoneClient.IntVariation(string, Context?, int)"/>
    int IntVariation(string key, Context? context, int defaultValue);

    /// <inheritdoc cref="FlagstoneClient.IntVariation(ReadOnlySpan{byte}, Context?, int)"/>
    int IntVariation(ReadOnlySpan<byte> key, Context? context, int defaultValue);

    /// <inheritdoc cref="FlagstoneClient.LongVariation(string, Context?, long)"/>
    long LongVariation(string key, Context? context, long defaultValue);

    /// <inheritdoc cref="FlagstoneClient.LongVariation(ReadOnlySpan{byte}, Context?, long)"/>
    long LongVariation(ReadOnlySpan<byte> key, Context? context, long defaultValue);

    /// <inheritdoc cref="FlagstoneClient.DoubleVariation(string, Context?, double)"/>
    double DoubleVariation(string key, Context? context, double defaultValue);

    /// <inheritdoc cref="FlagstoneClient.DoubleVariation(ReadOnlySpan{byte}, Context?, double)"/>
    double DoubleVariation(ReadOnlySpan<byte> key, Context? context, double defaultValue);

    /// <inheritdoc cref="FlagstoneClient.StringVariation(string, Context?, string)"/>
    string StringVariation(string key, Context? context, string defaultValue);

    /// <inheritdoc cref="FlagstoneClient.StringVariation(ReadOnlySpan{byte}, Context?, string)"/>
    string StringVariation(ReadOnlySpan<byte> key, Context? context, string defaultValue);

    /// <inheritdoc cref="FlagstoneClient.JsonVariation(string, Context?, JsonElement)"/>
    JsonElement JsonVariation(string key, Context? context, JsonElement defaultValue);

    /// <inheritdoc cref="FlagstoneClient.JsonVariation(ReadOnlySpan{byte}, Context?, JsonElement)"/>
    JsonElement JsonVariation(ReadOnlySpan<byte> key, Context? context, JsonElement defaultValue);

    /// <inheritdoc cref="FlagstoneClient.BoolVariationDetail(string, Context?, bool)"/>
    EvaluationDetail<bool> BoolVariationDetail(string key, Context? context, bool defaultValue = false);

    /// <inheritdoc cref="FlagstoneClient.BoolVariationDetail(ReadOnlySpan{byte}, Context?, bool)"/>
    EvaluationDetail<bool> BoolVariationDetail(ReadOnlySpan<byte> key, Context? context, bool defaultValue = false);

    /// <inheritdoc cref="FlagstoneClient.IntVariationDetail(string, Context?, int)"/>
    EvaluationDetail<int> IntVariationDetail(string key, Context? context, int defaultValue);

    /// <inheritdoc cref="FlagstoneClient.IntVariationDetail(ReadOnlySpan{byte}, Context?, int)"/>
    EvaluationDetail<int> IntVariationDetail(ReadOnlySpan<byte> key, Context? context, int defaultValue);

    /// <inheritdoc cref="FlagstoneClient.LongVariationDetail(string, Context?, long)"/>
    EvaluationDetail<long> LongVariationDetail(string key, Context? context, long defaultValue);

    /// <inheritdoc cref="FlagstoneClient.LongVariationDetail(ReadOnlySpan{byte}, Context?, long)"/>
    EvaluationDetail<long> LongVariationDetail(ReadOnlySpan<byte> key, Context? context, long defaultValue);

    /// <inheritdoc cref="FlagstoneClient.DoubleVariationDetail(string, Context?, double)"/>
    EvaluationDetail<double> DoubleVariationDetail(string key, Context? context, double defaultValue);

    /// <inheritdoc cref="FlagstoneClient.DoubleVariationDetail(ReadOnlySpan{byte}, Context?, double)"/>
    EvaluationDetail<double> DoubleVariationDetail(ReadOnlySpan<byte> key, Context? context, double defaultValue);

    /// <inheritdoc cref="FlagstoneClient.StringVariationDetail(string, Context?, string)"/>
    EvaluationDetail<string> StringVariationDetail(string key, Context? context, string defaultValue);

    /// <inheritdoc cref="FlagstoneClient.StringVariationDetail(ReadOnlySpan{byte}, Context?, string)"/>
    EvaluationDetail<string> StringVariationDetail(ReadOnlySpan<byte> key, Context? context, string defaultValue);

    /// <inheritdoc cref="FlagstoneClient.JsonVariationDetail(string, Context?, JsonElement)"/>
    EvaluationDetail<JsonElement> JsonVariationDetail(string key, Context? context, JsonElement defaultValue);

    /// <inheritdoc cref="FlagstoneClient.JsonVariationDetail(ReadOnlySpan{byte}, Context?, JsonElement)"/>
    EvaluationDetail<JsonElement> JsonVariationDetail(ReadOnlySpan<byte> key, Context? context, JsonElement defaultValue);

    /// <inheritdoc cref="FlagstoneClient.BoolFlag(string, bool)"/>
    Flag<bool> BoolFlag(string key, bool defaultValue = false);

    /// <inheritdoc cref="FlagstoneClient.IntFlag(string, int)"/>
    Flag<int> IntFlag(string key, int defaultValue);

    /// <inheritdoc cref="FlagstoneClient.LongFlag(string, long)"/>
    Flag<long> LongFlag(string key, long defaultValue);

    /// <inheritdoc cref="FlagstoneClient.DoubleFlag(string, double)"/>
    Flag<double> DoubleFlag(string key, double defaultValue);

    /// <inheritdoc cref="FlagstoneClient.StringFlag(string, string)"/>
    Flag<string> StringFlag(string key, string defaultValue);

    /// <inheritdoc cref="FlagstoneClient.JsonFlag(string, JsonElement)"/>
    Flag<JsonElement> JsonFlag(string key, JsonElement defaultValue);

    /// <inheritdoc cref="FlagstoneClient.VariationMany(IEnumerable{string}, Context?)"/>
    IReadOnlyDictionary<string, EvaluationDetail<JsonElement>> VariationMany(IEnumerable<string> keys, Context? context);

    /// <inheritdoc cref="FlagstoneClient.MigrationVariation(string, Context?, MigrationStage)"/>
    (MigrationStage Stage, MigrationTracker Tracker) MigrationVariation(
        string key, Context? context, MigrationStage defaultStage);

    /// <inheritdoc cref="FlagstoneClient.TrackMigration(MigrationTracker)"/>
    void TrackMigration(MigrationTracker tracker);

    /// <inheritdoc cref="FlagstoneClient.AllFlagsState(Context?, AllFlagsOptions)"/>
    AllFlagsState AllFlagsState(Context? context, AllFlagsOptions options = AllFlagsOptions.None);

    /// <inheritdoc cref="FlagstoneClient.SecureModeHash(Context)"/>
    string SecureModeHash(Context context);
}
