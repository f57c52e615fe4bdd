// The OpenFeature provider as a program uses it: through OpenFeature's client, on flags of a test and of a real Redis. Without a feed
// that has the package, a stand-in of its public types takes its place: what is proved then is proved for those.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.OpenFeature;
using Flagstone.Tests.Support;
using OpenFeature;
using OpenFeature.Constant;
using OpenFeature.Model;
using Xunit;

namespace Flagstone.Extensions.Tests;

[Collection(Flagstone.Tests.Alone.Name)]
public sealed class OpenFeatureTests : IDisposable
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

    public void Dispose()
    {
        foreach ((ProviderEventTypes type, EventHandlerDelegate handler) in _handlers)
        {
            Api.Instance.RemoveHandler(type, handler);
        }
        foreach (FlagstoneProvider provider in _providers)
        {
            provider.ShutdownAsync().GetAwaiter().GetResult();
        }
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
    public async Task Ready_is_told_once_and_changes_are_told_by_key()
    {
        Listen();
        FeatureClient client = await ProvidedAsync();
        Assert.Equal(ProviderStatus.Ready, client.ProviderStatus);
        _data.SetFlag(Flags.Bool("yes", 5, false).Json);
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Any(heard => heard.FlagsChanged?.SequenceEqual(["yes"]) == true)));
        Assert.Single(_heard, heard => heard.Type == ProviderEventTypes.ProviderReady);
        Assert.DoesNotContain(_heard, heard => heard.Type is ProviderEventTypes.ProviderStale or ProviderEventTypes.ProviderError);
        Assert.False(await client.GetBooleanValueAsync("yes", true, _ada));
    }

    [Fact]
    public async Task Flags_that_change_while_news_is_under_way_are_told_together()
    {
        using ManualResetEventSlim gate = new();
        Hear(ProviderEventTypes.ProviderConfigurationChanged, told =>
        {
            _heard.Enqueue(told);
            Assert.True(gate.Wait(s_long));
        });
        await ProvidedAsync();
        string[] keys = [.. Enumerable.Range(0, 50).Select(number => string.Create(CultureInfo.InvariantCulture, $"new-{number:D2}"))];
        foreach (string key in keys)
        {
            _data.SetFlag(Flags.Bool(key, 1, true).Json);
        }
        // The client has told of all of them before the first is taken.
        Assert.True(await Eventually.IsTrueAsync(() => !_heard.IsEmpty));
        FlagstoneProvider provider = _providers.Single();
        TaskCompletionSource last = new(TaskCreationOptions.RunContinuationsAsynchronously);
        provider.Client.FlagChanged += (_, change) =>
        {
            if (change.Key == "last")
            {
                last.TrySetResult();
            }
        };
        _data.SetFlag(Flags.Bool("last", 1, true).Json);
        await last.Task.WaitAsync(s_long);
        gate.Set();
        Assert.True(await Eventually.IsTrueAsync(() => keys.Append("last").ToHashSet().SetEquals(_heard.SelectMany(heard => heard.FlagsChanged!))));
        Assert.True(_heard.Count < 10, $"{_heard.Count} events");
        Assert.Equal(51, _heard.Sum(heard => heard.FlagsChanged!.Count));
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
        Assert.True(await client.GetBooleanValueAsync("yes", false, _ada));
        Assert.True(await Eventually.IsTrueAsync(() => _heard.Count(heard => heard.Type == ProviderEventTypes.ProviderReady) == 1));
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

    [Fact]
    public async Task What_is_tracked_reaches_the_events_and_the_environment_is_the_flag_set()
    {
        using LaunchDarkly launchDarkly = new(Flags.Bool("yes", 1, true));
        FlagstoneProvider provider = new(new FlagstoneOptions
        {
            SourceKind = SourceKind.Stream,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = launchDarkly.Url,
            LoggerFactory = _logger,
        }, s_long);
        FeatureClient client = await ProvidedAsync(provider);
        Assert.Equal(LaunchDarkly.EnvironmentId, (await client.GetBooleanDetailsAsync("yes", false, _ada)).FlagMetadata!.GetString("flagSetId"));
        client.Track("bought", _ada, TrackingEventDetails.Builder().SetValue(12.5).Set("colour", "red").Build());
        client.Track("looked", _ada);
        client.Track("nobody");
        Assert.True(await provider.Client.FlushAsync(s_long));
        Assert.Equal(
            [("bought", "12.5", """{"colour":"red"}"""), ("looked", "", "")],
            launchDarkly.Events().Where(told => told.GetProperty("kind").GetString() == "custom").Select(told => (
                told.GetProperty("key").GetString()!, Text(told, "metricValue"), Text(told, "data"))));
        Assert.Contains(_logger.Lines, line => line is { Category: "Flagstone.OpenFeature", Event.Name: "NotTracked" });

        static string Text(JsonElement told, string name) => told.TryGetProperty(name, out JsonElement value) ? value.GetRawText() : "";
    }

    [Theory]
    [InlineData("name,Ada", """{"key":"ada","kind":"user","name":"Ada"}""")]
    [InlineData("name,7", """{"key":"ada","kind":"user"}""")]
    [InlineData("anonymous,true", """{"anonymous":true,"key":"ada","kind":"user"}""")]
    [InlineData("anonymous,yes", """{"key":"ada","kind":"user"}""")]
    [InlineData("kind,device", """{"key":"ada","kind":"device"}""")]
    [InlineData("kind,7", """{"key":"ada","kind":"user"}""")]
    [InlineData("key,other", """{"key":"ada","kind":"user"}""")]
    [InlineData("email,a@b", """{"email":"a@b","key":"ada","kind":"user"}""")]
    [InlineData("_meta,a@b", """{"key":"ada","kind":"user"}""")]
    [InlineData("privateAttributes,email", """{"key":"ada","kind":"user"}""")]
    public async Task Attributes_are_mapped_as_LaunchDarklys_provider_maps_them(string attribute, string expected)
    {
        string[] parts = attribute.Split(',');
        Value value = parts[1] switch
        {
            "7" => new Value(7),
            "true" => new Value(true),
            string text => new Value(text),
        };
        Assert.Equal(expected, await MappedAsync(EvaluationContext.Builder().SetTargetingKey("ada").Set(parts[0], value).Build()));
    }

    [Fact]
    public async Task Values_within_values_moments_private_attributes_and_several_kinds_are_mapped_too()
    {
        Structure deep = Structure.Builder().Set("list", new Value([new Value(1), new Value()])).Build();
        EvaluationContext one = EvaluationContext.Builder().Set("key", "ada").Set("deep", deep)
            .Set("at", new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc)).Set("naive", new DateTime(2026, 1, 2, 0, 0, 0, DateTimeKind.Unspecified))
            .Set("privateAttributes", new Value([new Value("email"), new Value(5)])).Set("nothing", new Value()).Build();
        Assert.Equal(
            """{"_meta":{"privateAttributes":["email"]},"at":"2026-01-02T03:04:05Z","deep":{"list":[1,null]},"key":"ada","kind":"user","naive":"2026-01-02T00:00:00Z"}""",
            await MappedAsync(one));
        EvaluationContext several = EvaluationContext.Builder().Set("kind", "multi").Set("odd", 5)
            .Set("user", Structure.Builder().Set("targetingKey", "ada").Build())
            .Set("org", Structure.Builder().Set("key", "acme").Set("tier", 1).Build()).Build();
        Assert.Equal("""{"kind":"multi","org":{"key":"acme","tier":1},"user":{"key":"ada"}}""", await MappedAsync(several));
        foreach (EvaluationContext none in (EvaluationContext[])[
            EvaluationContext.Builder().Set("kind", "multi").Build(),
            EvaluationContext.Builder().SetTargetingKey("a").Set("kind", "not a kind").Build(),
            EvaluationContext.Builder().Set("kind", "multi").Set("user", Structure.Empty).Build()])
        {
            Assert.Null(await MappedAsync(none));
        }
        Assert.Contains(_logger.Lines, line => line is { Category: "Flagstone.OpenFeature", Event.Name: "NoContext" });
    }

    private static void Write(RedisServer server, int version, bool value) =>
        server.Write("launchdarkly", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", version, value).Json });

    /// <summary>The context that a flag was evaluated for, its members in order; null when there was none.</summary>
    private async Task<string?> MappedAsync(EvaluationContext context)
    {
        Seeing seeing = new();
        FeatureClient client = await ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data, Hooks = [seeing], LoggerFactory = _logger }));
        await client.GetBooleanValueAsync("yes", false, context);
        if (seeing.Json is null)
        {
            return null;
        }
        SortedDictionary<string, JsonElement> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in JsonSerializer.Deserialize<JsonElement>(seeing.Json).EnumerateObject())
        {
            members[member.Name] = member.Value;
        }
        return JsonSerializer.Serialize(members);
    }

    private Task<FeatureClient> ProvidedAsync() => ProvidedAsync(new FlagstoneProvider(new FlagstoneOptions { TestData = _data }));

    private async Task<FeatureClient> ProvidedAsync(FlagstoneProvider provider)
    {
        _providers.Add(provider);
        await Api.Instance.SetProviderAsync(provider);
        return Api.Instance.GetClient();
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
