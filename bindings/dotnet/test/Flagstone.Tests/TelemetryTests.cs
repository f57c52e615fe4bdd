// Metrics and evaluations on activities, as a program gets them that collects them.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class TelemetryTests : IDisposable
{
    private readonly TestData _data = new();
    private readonly Context _ada = Context.New("ada");
    private readonly (string Name, string Value) _tag = ("test", Guid.NewGuid().ToString());

    public void Dispose()
    {
        _ada.Dispose();
        _data.Dispose();
    }

    [Fact]
    public async Task A_meter_has_counters_and_gauges_until_the_client_is_closed_and_the_counters_once_more()
    {
        _data.SetFlag(Flags.Bool("yes", 3, true).Json).Update(_data.Flag("other \"flag\"").VariationForAll(true));
        FlagstoneClient client = await StartAsync();
        client.BoolVariation("yes", _ada, false);
        client.BoolVariation("yes", _ada, false);
        client.BoolVariation("other \"flag\"", _ada, false);
        client.BoolVariation("unknown", _ada, false);
        using Collected collected = new(_tag);
        Assert.Equal(
            [("other \"flag\"", "0", 1), ("unknown", "default", 1), ("yes", "0", 2)],
            collected.Values("feature_flag.evaluations").Select(counted => (
                counted.Tags["feature_flag.key"], counted.Tags["feature_flag.result.variant"], counted.Value)).Order());
        Assert.Equal(2, Assert.Single(collected.Values("flagstone.flags")).Value);
        Collected.Measured state = collected.Values("flagstone.client.state").Single(state => state.Value == 1);
        Assert.Equal("VALID", state.Tags["state"]);
        client.BoolVariation("yes", _ada, false);
        Assert.Contains(collected.Values("feature_flag.evaluations"), counted => counted.Value == 3);
        IReadOnlyDictionary<string, string?> instruments = collected.Instruments();
        foreach (string name in (string[])["flagstone.client.ready", "flagstone.source.state", "flagstone.freshness", "flagstone.segments",
            "flagstone.items.malformed", "flagstone.notifications.dropped", "flagstone.panics"])
        {
            Assert.Contains(name, instruments);
        }
        Assert.DoesNotContain("flagstone.redis.received", instruments);
        // What was counted after the last collection is not lost at the end.
        client.BoolVariation("yes", _ada, false);
        client.Dispose();
        client.Dispose();
        collected.Collect();
        Assert.Equal(4, collected.Kept("feature_flag.evaluations").Max(counted => counted.Value));
        Assert.Empty(collected.Kept("flagstone.flags"));
        Assert.Empty(collected.Instruments());
    }

    [Fact]
    public async Task Redis_and_events_are_measured_where_they_are()
    {
        using RedisServer server = new();
        server.Write("launchdarkly", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", 1, true).Json });
        using LaunchDarkly launchDarkly = new();
        FlagstoneClient client = new(new FlagstoneOptions
        {
            RedisUrl = server.Url,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = launchDarkly.Url,
            Plugins = [Plugin()],
        });
        await using (client)
        {
            Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
            client.BoolVariation("yes", _ada, false);
            Assert.True(await client.FlushAsync(TimeSpan.FromSeconds(30)));
            using Collected collected = new(_tag);
            Assert.Equal(1, Assert.Single(collected.Values("flagstone.store.available")).Value);
            Assert.Equal(0, Assert.Single(collected.Values("flagstone.store.stale")).Value);
            Assert.True(Assert.Single(collected.Values("flagstone.redis.received")).Value > 100);
            Assert.True(Assert.Single(collected.Values("flagstone.redis.exchanges")).Value > 0);
            Assert.True(Assert.Single(collected.Values("flagstone.events.sent")).Value > 0);
            Assert.Equal(0, Assert.Single(collected.Values("flagstone.events.dropped")).Value);
            Assert.True(Assert.Single(collected.Values("flagstone.data.age")).Value < 60);
            Assert.Equal(("By", "s"), (collected.Instruments()["flagstone.redis.sent"], collected.Instruments()["flagstone.data.age"]));
        }
    }

    [Fact]
    public async Task Clients_share_the_instruments_of_a_meter_and_a_collection_reads_each_once()
    {
        _data.SetFlag(Flags.Bool("yes", 3, true).Json);
        using Meter meter = new(FlagstoneTelemetry.MeterName);
        await using FlagstoneClient one = await StartAsync(new TelemetryOptions { Meter = meter, Tags = [Tag(), new("client", "one")] });
        await using FlagstoneClient other = await StartAsync(new TelemetryOptions { Meter = meter, Tags = [Tag(), new("client", "other")] });
        one.BoolVariation("yes", _ada, false);
        using Collected collected = new(_tag);
        Assert.Equal(
            ["one", "other"], collected.Values("flagstone.flags").Select(measured => measured.Tags["client"]).Order(StringComparer.Ordinal));
        Assert.Equal("one", Assert.Single(collected.Values("feature_flag.evaluations")).Tags["client"]);
        List<string> published = [];
        using MeterListener listener = new() { InstrumentPublished = (instrument, _) => { if (instrument.Meter == meter) { published.Add(instrument.Name); } } };
        listener.Start();
        Assert.Equal(published.Distinct(), published);
    }

    [Fact]
    public async Task A_client_that_is_forgotten_is_not_kept_by_its_measurements()
    {
        WeakReference forgotten = await MakeAsync();
        Assert.True(await Eventually.IsTrueAsync(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !forgotten.IsAlive;
        }));

        [MethodImpl(MethodImplOptions.NoInlining)]
        async Task<WeakReference> MakeAsync() => new(await StartAsync(new TelemetryOptions { Tags = [Tag()] }));
    }

    [Fact]
    public async Task Each_evaluation_is_an_event_of_the_activity_with_the_tags_of_the_conventions()
    {
        _data.SetFlag(Flags.Bool("yes", 3, true).Json).SetFlag(Flags.With("off", 4, "\"on\":false", "true").Json);
        await using FlagstoneClient client = await StartAsync(new TelemetryOptions { ContextId = true });
        using Activity activity = new Activity("request") { IsAllDataRequested = true }.Start();
        client.BoolVariation("yes", _ada, false);
        client.BoolFlag("off").Value(_ada);
        client.IntVariation("yes", _ada, 1);
        client.BoolVariation("unknown", _ada, false);
        client.BoolVariation("yes", null, false);
        _data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.NetworkError, null, "away");
        Assert.True(await client.WaitAsync(DataSourceState.Interrupted, TimeSpan.FromSeconds(30)));
        client.BoolVariation("yes", _ada, false);
        activity.Stop();
        Assert.Equal(
            [
                "feature_flag.context.id=ada feature_flag.key=yes feature_flag.provider.name=flagstone feature_flag.result.reason=default "
                    + "feature_flag.result.variant=0 feature_flag.version=3",
                "feature_flag.context.id=ada feature_flag.key=off feature_flag.provider.name=flagstone feature_flag.result.reason=disabled "
                    + "feature_flag.result.variant=0 feature_flag.version=4",
                "error.type=type_mismatch feature_flag.context.id=ada feature_flag.key=yes feature_flag.provider.name=flagstone "
                    + "feature_flag.result.reason=error feature_flag.version=3",
                "error.type=flag_not_found feature_flag.context.id=ada feature_flag.key=unknown feature_flag.provider.name=flagstone "
                    + "feature_flag.result.reason=error",
                "error.type=targeting_key_missing feature_flag.key=yes feature_flag.provider.name=flagstone "
                    + "feature_flag.result.reason=error feature_flag.version=3",
                "feature_flag.context.id=ada feature_flag.key=yes feature_flag.provider.name=flagstone feature_flag.result.reason=stale "
                    + "feature_flag.result.variant=0 feature_flag.version=3",
            ],
            activity.Events.Select(Told));
    }

    [Fact]
    public async Task The_environment_is_told_where_it_is_known_and_the_context_only_if_that_is_wanted()
    {
        using LaunchDarkly launchDarkly = new(Flags.Bool("yes", 1, true));
        await using FlagstoneClient client = new(new FlagstoneOptions
        {
            SourceKind = SourceKind.Stream,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = launchDarkly.Url,
            Plugins = [new TelemetryPlugin()],
        });
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        // No activity, and one that nobody records: nothing to tell.
        client.BoolVariation("yes", _ada, false);
        using Activity unheard = new Activity("unheard").Start();
        unheard.IsAllDataRequested = false;
        client.BoolVariation("yes", _ada, false);
        unheard.Stop();
        Assert.Empty(unheard.Events);
        using Activity activity = new Activity("request") { IsAllDataRequested = true }.Start();
        client.BoolVariation("yes", _ada, false);
        activity.Stop();
        Assert.Equal(
            "feature_flag.key=yes feature_flag.provider.name=flagstone feature_flag.result.reason=default feature_flag.result.variant=0 "
                + $"feature_flag.set.id={LaunchDarkly.EnvironmentId} feature_flag.version=1",
            Told(Assert.Single(activity.Events)));
    }

    private static string Told(ActivityEvent told)
    {
        Assert.Equal("feature_flag.evaluation", told.Name);
        return string.Join(' ', told.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"));
    }

    private KeyValuePair<string, object?> Tag() => new(_tag.Name, _tag.Value);

    private TelemetryPlugin Plugin(TelemetryOptions? options = null) =>
        new(options ?? new TelemetryOptions { ActivityEvents = false, Tags = [Tag()] });

    private async Task<FlagstoneClient> StartAsync(TelemetryOptions? options = null)
    {
        FlagstoneClient client = new(new FlagstoneOptions { TestData = _data, MetricsEvaluations = true, Plugins = [Plugin(options)] });
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        return client;
    }
}
