// The OpenFeature provider as a program uses it: through OpenFeature's client, on flags of a test and of a real Redis. Without a feed
// that has the package, a stand-in of its public types takes its place: what is proved then is proved for those.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using Flagstone.OpenFeature;
using Flagstone.Tests.Support;
using OpenFeature;
using OpenFeature.Constant;
using OpenFeature.Model;
using Xunit;

namespace Flagstone.Extensions.Tests;

[Collection(Flagstone.Tests.Alone.Name)]
public sealed partial class OpenFeatureTests : IAsyncLifetime
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly TestData _data = new();
    private readonly ListLogger _logger = new();
    private readonly ConcurrentQueue<ProviderEventPayload> _heard = new();
    private readonly List<(ProviderEventTypes Type, EventHandlerDelegate Handler)> _handlers = [];
    private readonly List<FlagstoneProvider> _providers = [];
    private readonly EvaluationContext _ada = EvaluationContext.Builder().SetTargetingKey("ada").Build();

    public OpenFeatureTests()
    {
        foreach ((string key, string[] values) in new (string, string[])[]
        {
            ("yes", ["true", "false"]), ("whole", ["7"]), ("half", ["2.5"]), ("text", ["\"t\""]), ("object", ["""{"a":[1,2]}"""]),
            ("list", ["[1,2]"]), ("null", ["null"]),
        })
        {
            _data.SetFlag(Flags.Value(key, 4, values).Json);
        }
    }

    public ValueTask InitializeAsync() => new(DrainAsync());

    public async ValueTask DisposeAsync()
    {
        foreach ((ProviderEventTypes type, EventHandlerDelegate handler) in _handlers)
        {
            Api.Instance.RemoveHandler(type, handler);
        }
        await EndAsync();
        _data.Dispose();
        _logger.Dispose();
    }

    [Fact]
    public void The_provider_is_proved_with_the_package_OpenFeature_itself()
    {
        string standIn = typeof(OpenFeatureTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "OpenFeatureStandIn").Value!;
        Assert.SkipWhen(standIn == "true", "UNPROVEN: a stand-in of OpenFeature's public types was compiled, as OPENFEATURE_FEED names no feed with the package.");
        Assert.Equal("OpenFeature", typeof(Api).Assembly.GetName().Name);
    }

    [Fact]
    public async Task Each_type_is_resolved_with_variant_reason_and_metadata()
    {
        FeatureClient client = await ProvidedAsync();
        Assert.True(await client.GetBooleanValueAsync("yes", false, _ada));
        Assert.Equal(7, (await client.GetIntegerDetailsAsync("whole", 0, _ada)).Value);
        Assert.Equal(2, (await client.GetIntegerDetailsAsync("half", 0, _ada)).Value);
        Assert.Equal(7.0, (await client.GetDoubleDetailsAsync("whole", 0, _ada)).Value);
        Assert.Equal(2.5, (await client.GetDoubleDetailsAsync("half", 0, _ada)).Value);
        Assert.Equal("t", (await client.GetStringDetailsAsync("text", "", _ada)).Value);
        Value made = (await client.GetObjectDetailsAsync("object", new Value(), _ada)).Value;
        Assert.Equal(2.0, made.AsStructure!.GetValue("a").AsList![1].AsDouble);
        Assert.Equal(2, (await client.GetObjectDetailsAsync("list", new Value(), _ada)).Value.AsList!.Count);
        Assert.Equal("t", (await client.GetObjectDetailsAsync("text", new Value(), _ada)).Value.AsString);
        FlagEvaluationDetails<bool> detail = await client.GetBooleanDetailsAsync("yes", false, _ada);
        Assert.Equal(("0", "FALLTHROUGH", ErrorType.None), (detail.Variant, detail.Reason, detail.ErrorType));
        ImmutableMetadata metadata = detail.FlagMetadata!;
        Assert.Equal(("ada", "4", 0), (metadata.GetString("contextId"), metadata.GetString("version"), metadata.GetInt("variationIndex")));
        Assert.Null(metadata.GetBool("stale"));
        Assert.Null(metadata.GetString("flagSetId"));
        Assert.Equal("flagstone", Api.Instance.GetProvider().GetMetadata()!.Name);
    }

    [Fact]
    public async Task Another_type_an_unknown_flag_and_no_key_give_the_default_and_say_why()
    {
        FeatureClient client = await ProvidedAsync();
        FlagEvaluationDetails<bool> mismatch = await client.GetBooleanDetailsAsync("text", true, _ada);
        Assert.Equal((true, ErrorType.TypeMismatch, "ERROR", null), (mismatch.Value, mismatch.ErrorType, mismatch.Reason, mismatch.Variant));
        Assert.Equal(ErrorType.TypeMismatch, (await client.GetIntegerDetailsAsync("yes", 3, _ada)).ErrorType);
        FlagEvaluationDetails<string> unknown = await client.GetStringDetailsAsync("unknown", "d", _ada);
        Assert.Equal(("d", ErrorType.FlagNotFound, null), (unknown.Value, unknown.ErrorType, unknown.FlagMetadata!.GetString("version")));
        Value fallback = new("fallback");
        Assert.Same(fallback, (await client.GetObjectDetailsAsync("unknown", fallback, _ada)).Value);
        foreach (EvaluationContext? nobody in (EvaluationContext?[])[null, EvaluationContext.Empty,
            EvaluationContext.Builder().Set("key", 5).Build(), EvaluationContext.Builder().SetTargetingKey("").Build()])
        {
            FlagEvaluationDetails<bool> refused = await client.GetBooleanDetailsAsync("yes", false, nobody);
            Assert.Equal((false, ErrorType.TargetingKeyMissing), (refused.Value, refused.ErrorType));
        }
    }

    [Fact]
    public async Task The_status_follows_the_data_source_and_evaluation_goes_on()
    {
        Listen();
        FeatureClient client = await ProvidedAsync();
        _data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.NetworkError, null, "no route");
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Stale));
        FlagEvaluationDetails<bool> stale = await client.GetBooleanDetailsAsync("yes", false, _ada);
        Assert.Equal((true, "STALE", ErrorType.None), (stale.Value, stale.Reason, stale.ErrorType));
        Assert.Equal((true, "FALLTHROUGH"), (stale.FlagMetadata!.GetBool("stale"), stale.FlagMetadata.GetString("reason")));
        _data.SetStatus(DataSourceState.Valid);
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Ready));
        Assert.Equal("FALLTHROUGH", (await client.GetBooleanDetailsAsync("yes", false, _ada)).Reason);
        _data.SetStatus(DataSourceState.Off, DataSourceErrorKind.ErrorResponse, 401, "refused");
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Error));
        Assert.True(await client.GetBooleanValueAsync("yes", false, _ada), "it is no fatal error");
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Count == 4));
        Assert.Equal(
            [ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderStale, ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderError],
            _heard.Select(heard => heard.Type));
        Assert.Equal(ErrorType.General, _heard.Last().ErrorType);
    }

    [Fact]
    public async Task A_client_that_is_stale_already_makes_a_provider_that_is()
    {
        Listen();
        await using FlagstoneClient client = new(new FlagstoneOptions { TestData = _data });
        Assert.True(await client.StartAsync(s_long));
        _data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.NetworkError, null, "away");
        Assert.True(await client.WaitAsync(DataSourceState.Interrupted, s_long));
        FeatureClient features = await ProvidedAsync(new FlagstoneProvider(client));
        Assert.True(await Eventually.IsTrueAsync(() => features.ProviderStatus == ProviderStatus.Stale));
        Assert.True(await features.GetBooleanValueAsync("yes", false, _ada));
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Count == 2));
        Assert.Equal([ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderStale], _heard.Select(heard => heard.Type));
        _data.SetStatus(DataSourceState.Valid);
        Assert.True(await Eventually.IsTrueAsync(() => features.ProviderStatus == ProviderStatus.Ready));
    }

    [Fact]
    public async Task In_daemon_mode_an_outage_is_stale_and_a_change_in_Redis_is_told()
    {
        using RedisServer server = new();
        Write(server, 1, true);
        Listen();
        FeatureClient client = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { RedisUrl = server.Url }, s_long));
        Write(server, 2, false);
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.FlagsChanged?.Contains("yes") == true)));
        Assert.False(await client.GetBooleanValueAsync("yes", true, _ada));
        server.Kill();
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Stale));
        Assert.Equal("STALE", (await client.GetBooleanDetailsAsync("yes", true, _ada)).Reason);
        server.Start();
        Write(server, 3, true);
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Ready));
        await EndAsync();
    }

    [Fact]
    public async Task A_start_without_Redis_is_an_error_that_heals()
    {
        using RedisServer server = new();
        server.Kill();
        Listen();
        FeatureClient client = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { RedisUrl = server.Url }, TimeSpan.FromSeconds(0.2)));
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Error));
        Assert.True(await Eventually.IsTrueAsync(() => !_heard.IsEmpty));
        Assert.Contains("no flags within 0.2 s", _heard.First().Message, StringComparison.Ordinal);
        Assert.Equal(ErrorType.ProviderNotReady, (await client.GetBooleanDetailsAsync("yes", false, _ada)).ErrorType);
        server.Start();
        Write(server, 1, true);
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Ready));
        // It may have been read before it was filled.
        Assert.True(await Eventually.IsTrueAsync(() => client.GetBooleanValueAsync("yes", false, _ada).GetAwaiter().GetResult()));
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.Type == ProviderEventTypes.ProviderReady)));
        server.Write("launchdarkly", new Dictionary<string, string> { ["fence"] = Flags.Bool("fence", 1, true).Json });
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.FlagsChanged?.Contains("fence") == true)));
        Assert.Single(_heard, heard => heard.Type == ProviderEventTypes.ProviderReady);
        await EndAsync();
    }

    [Fact]
    public async Task Two_providers_do_not_speak_for_each_other()
    {
        using RedisServer server = new();
        server.Kill();
        Listen();
        FeatureClient healthy = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data }), "healthy");
        FeatureClient late = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { RedisUrl = server.Url }, TimeSpan.FromSeconds(0.2)), "late");
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.Type == ProviderEventTypes.ProviderError)));
        await FenceAsync("fence");
        Assert.Equal(ProviderStatus.Ready, healthy.ProviderStatus);
        Assert.Equal([ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderError], Told());
        server.Start();
        Write(server, 1, true);
        Assert.True(await Eventually.IsTrueAsync(() => late.ProviderStatus == ProviderStatus.Ready));
        Assert.True(await Eventually.IsTrueAsync(() => Told().Length == 3));
        await FenceAsync("second-fence");
        Assert.Equal([ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderError, ProviderEventTypes.ProviderReady], Told());
        await EndAsync();

        ProviderEventTypes[] Told() =>
            [.. _heard.Select(heard => heard.Type).Where(type => type != ProviderEventTypes.ProviderConfigurationChanged)];
    }

    [Fact]
    public async Task A_start_that_was_cancelled_heals()
    {
        using RedisServer server = new();
        server.Kill();
        using CancellationTokenSource impatience = new(TimeSpan.FromSeconds(0.1));
        FlagstoneProvider provider = Made(new FlagstoneProvider(new FlagstoneOptions { RedisUrl = server.Url }, s_long));
        // What a cancelled call throws is the API's business.
        _ = await Record.ExceptionAsync(() => Api.Instance.SetProviderAsync(provider, impatience.Token));
        FeatureClient client = Api.Instance.GetClient();
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Error));
        server.Start();
        Write(server, 1, true);
        Assert.True(await Eventually.IsTrueAsync(() => client.ProviderStatus == ProviderStatus.Ready));
        // It may have been read before it was filled.
        Assert.True(await Eventually.IsTrueAsync(() => client.GetBooleanValueAsync("yes", false, _ada).GetAwaiter().GetResult()));
        await EndAsync();
    }

    [Fact]
    public async Task After_its_shutdown_a_provider_tells_nothing()
    {
        Listen();
        await using FlagstoneClient client = new(new FlagstoneOptions { TestData = _data });
        FlagstoneProvider provider = Made(new FlagstoneProvider(client));
        await Api.Instance.SetProviderAsync("ended", provider);
        await DrainAsync();
        await FenceAsync("before");
        await provider.ShutdownAsync();
        _heard.Clear();
        // Another one on the same client hears all that the first would have.
        await ProvidedAsync(new FlagstoneProvider(client), "next");
        _data.SetStatus(DataSourceState.Interrupted, DataSourceErrorKind.NetworkError, null, "away");
        await FenceAsync("after");
        Assert.Equal(
            [ProviderEventTypes.ProviderReady, ProviderEventTypes.ProviderStale, ProviderEventTypes.ProviderConfigurationChanged],
            _heard.Select(heard => heard.Type));
        await EndAsync();
    }

    [Fact]
    public async Task Shutdown_may_come_twice_and_ends_only_a_client_of_its_own()
    {
        FlagstoneProvider own = new(new FlagstoneOptions { TestData = _data });
        await ProvidedAsync(own);
        await own.ShutdownAsync();
        await own.ShutdownAsync();
        Assert.Equal(DataSourceState.Off, own.Client.State);
        await using FlagstoneClient client = new(new FlagstoneOptions { TestData = _data });
        FlagstoneProvider lent = new(client);
        await ProvidedAsync(lent);
        await lent.ShutdownAsync();
        Assert.Equal(DataSourceState.Valid, client.State);
    }

    private static void Write(RedisServer server, int version, bool value) =>
        server.Write("launchdarkly", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", version, value).Json });

    private Task<FeatureClient> ProvidedAsync() => ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data }));

    private async Task<FeatureClient> ProvidedAsync(FlagstoneProvider provider)
    {
        await Api.Instance.SetProviderAsync(Made(provider));
        await DrainAsync();
        return Api.Instance.GetClient();
    }

    private async Task<FeatureClient> ProvidedAsync(FlagstoneProvider provider, string domain)
    {
        await Api.Instance.SetProviderAsync(domain, Made(provider));
        await DrainAsync();
        return Api.Instance.GetClient(domain);
    }

    private FlagstoneProvider Made(FlagstoneProvider provider)
    {
        _providers.Add(provider);
        return provider;
    }

    /// <summary>Waits until the API, which delivers in order, has delivered what it was told before: its own words, too.</summary>
    private static async Task DrainAsync()
    {
        TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        EventHandlerDelegate handler = told =>
        {
            if (told?.ProviderName == Nobody.Name)
            {
                drained.TrySetResult();
            }
        };
        Api.Instance.AddHandler(ProviderEventTypes.ProviderReady, handler);
        await Api.Instance.SetProviderAsync("drain", new Nobody());
        await drained.Task.WaitAsync(s_long);
        Api.Instance.RemoveHandler(ProviderEventTypes.ProviderReady, handler);
    }

    /// <summary>Waits until a change is heard: providers tell in order, so all before it was heard, too.</summary>
    private async Task FenceAsync(string key)
    {
        _data.SetFlag(Flags.Bool(key, 1, true).Json);
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.FlagsChanged?.Contains(key) == true)));
    }

    /// <summary>Ends the providers: before their server goes, which they would tell of while the next test listens.</summary>
    private async Task EndAsync()
    {
        foreach (FlagstoneProvider provider in _providers)
        {
            await provider.ShutdownAsync();
        }
    }

    private void Listen()
    {
        foreach (ProviderEventTypes type in Enum.GetValues<ProviderEventTypes>())
        {
            Hear(type, _heard.Enqueue);
        }
        // Whoever begins to listen hears at once of the provider that is there before.
        _heard.Clear();
    }

    private void Hear(ProviderEventTypes type, Action<ProviderEventPayload> hear)
    {
        EventHandlerDelegate handler = told =>
        {
            if (told?.ProviderName == "flagstone")
            {
                hear(told);
            }
        };
        _handlers.Add((type, handler));
        Api.Instance.AddHandler(type, handler);
    }

    /// <summary>A provider of another kind.</summary>
    private sealed class Nobody : FeatureProvider
    {
        internal const string Name = "nobody";

        public override Metadata GetMetadata() => new(Name);

        public override Task<ResolutionDetails<bool>> ResolveBooleanValueAsync(
            string flagKey, bool defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
            DefaultAsync(flagKey, defaultValue);

        public override Task<ResolutionDetails<string>> ResolveStringValueAsync(
            string flagKey, string defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
            DefaultAsync(flagKey, defaultValue);

        public override Task<ResolutionDetails<int>> ResolveIntegerValueAsync(
            string flagKey, int defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
            DefaultAsync(flagKey, defaultValue);

        public override Task<ResolutionDetails<double>> ResolveDoubleValueAsync(
            string flagKey, double defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
            DefaultAsync(flagKey, defaultValue);

        public override Task<ResolutionDetails<Value>> ResolveStructureValueAsync(
            string flagKey, Value defaultValue, EvaluationContext? context = null, CancellationToken cancellationToken = default) =>
            DefaultAsync(flagKey, defaultValue);

        private static Task<ResolutionDetails<T>> DefaultAsync<T>(string flagKey, T defaultValue) =>
            Task.FromResult(new ResolutionDetails<T>(flagKey, defaultValue));
    }

    private sealed class Seeing() : Flagstone.Hook("seeing")
    {
        internal string? Json { get; private set; }

        public override System.Collections.Immutable.ImmutableDictionary<string, object?> BeforeEvaluation(
            EvaluationSeriesContext context, System.Collections.Immutable.ImmutableDictionary<string, object?> data)
        {
            Json = context.Context?.ToJsonString();
            return data;
        }
    }
}
