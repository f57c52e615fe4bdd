// Hooks run around every evaluation and after what is told, in order, and change nothing about it; plugins bring some along.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class HooksTests : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private static readonly JsonSerializerOptions s_plain = new()
    {
        Encoder = JavaScriptEncoder.Create(UnicodeRanges.BasicLatin, UnicodeRanges.Latin1Supplement),
    };

    private readonly TestData _data = new();
    private readonly ListLogger _logger = new();
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Context _ada = Context.New("ada");

    /// <summary>Every call that evaluates, by the method that hooks are told, with the default as hooks are told.</summary>
    private static readonly Dictionary<string, (string Method, string Default, Ask Ask)> s_calls = new()
    {
        ["bool"] = ("FlagstoneClient.BoolVariation", "true", (client, who) => client.BoolVariation("f", who, true)),
        ["bool, UTF-8"] = ("FlagstoneClient.BoolVariation", "true", (client, who) => client.BoolVariation("f"u8, who, true)),
        ["bool, detail"] = (
            "FlagstoneClient.BoolVariationDetail", "true", (client, who) => client.BoolVariationDetail("f", who, true).Value),
        ["bool, UTF-8, detail"] = (
            "FlagstoneClient.BoolVariationDetail", "true", (client, who) => client.BoolVariationDetail("f"u8, who, true).Value),
        ["int"] = ("FlagstoneClient.IntVariation", "3", (client, who) => client.IntVariation("f", who, 3)),
        ["int, UTF-8"] = ("FlagstoneClient.IntVariation", "3", (client, who) => client.IntVariation("f"u8, who, 3)),
        ["int, detail"] = (
            "FlagstoneClient.IntVariationDetail", "3", (client, who) => client.IntVariationDetail("f", who, 3).Value),
        ["long"] = (
            "FlagstoneClient.LongVariation", "9007199254740993", (client, who) => client.LongVariation("f", who, 9007199254740993)),
        ["long, UTF-8"] = ("FlagstoneClient.LongVariation", "3", (client, who) => client.LongVariation("f"u8, who, 3)),
        ["long, detail"] = (
            "FlagstoneClient.LongVariationDetail", "3", (client, who) => client.LongVariationDetail("f", who, 3).Value),
        ["double"] = ("FlagstoneClient.DoubleVariation", "2.5", (client, who) => client.DoubleVariation("f", who, 2.5)),
        ["double, UTF-8"] = ("FlagstoneClient.DoubleVariation", "2.5", (client, who) => client.DoubleVariation("f"u8, who, 2.5)),
        ["double, detail"] = (
            "FlagstoneClient.DoubleVariationDetail", "null", (client, who) => client.DoubleVariationDetail("f", who, double.NaN).Value),
        ["string"] = ("FlagstoneClient.StringVariation", "\"å\"", (client, who) => client.StringVariation("f", who, "å")),
        ["string, UTF-8"] = (
            "FlagstoneClient.StringVariation", "null", (client, who) => client.StringVariation("f"u8, who, null!)),
        ["string, detail"] = (
            "FlagstoneClient.StringVariationDetail", "\"\\uFFFD\"", (client, who) => client.StringVariationDetail("f", who, "\ud800").Value),
        ["json"] = ("FlagstoneClient.JsonVariation", "[1]", (client, who) => client.JsonVariation("f", who, Json("[1]"))),
        ["json, UTF-8"] = ("FlagstoneClient.JsonVariation", "null", (client, who) => client.JsonVariation("f"u8, who, default)),
        ["json, detail"] = (
            "FlagstoneClient.JsonVariationDetail", "[1]", (client, who) => client.JsonVariationDetail("f", who, Json("[1]")).Value),
        ["prepared bool"] = ("Flag.Value", "true", (client, who) => client.BoolFlag("f", true).Value(who)),
        ["prepared bool, detail"] = ("Flag.Detail", "true", (client, who) => client.BoolFlag("f", true).Detail(who).Value),
        ["prepared int"] = ("Flag.Value", "3", (client, who) => client.IntFlag("f", 3).Value(who)),
        ["prepared long"] = ("Flag.Value", "3", (client, who) => client.LongFlag("f", 3).Value(who)),
        ["prepared double"] = ("Flag.Value", "2.5", (client, who) => client.DoubleFlag("f", 2.5).Value(who)),
        ["prepared string"] = ("Flag.Value", "\"s\"", (client, who) => client.StringFlag("f", "s").Value(who)),
        ["prepared json"] = ("Flag.Value", "[1]", (client, who) => client.JsonFlag("f", Json("[1]")).Value(who)),
        ["many"] = ("FlagstoneClient.VariationMany", "null", (client, who) => client.VariationMany(["f"], who)["f"].Value),
        ["migration"] = (
            "FlagstoneClient.MigrationVariation", "\"shadow\"", (client, who) => client.MigrationVariation("f", who, MigrationStage.Shadow).Stage),
    };

    public static TheoryData<string> Calls => [.. s_calls.Keys];

    public void Dispose()
    {
        _ada.Dispose();
        _data.Dispose();
        _logger.Dispose();
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Every_call_that_evaluates_runs_hooks_and_gives_what_it_gives_without(string name)
    {
        (string method, string @default, Ask ask) = s_calls[name];
        foreach (string value in (string[])["true", "7", "\"live\"", """{"a":1}"""])
        {
            _data.SetFlag(Flags.Value("f", 1, value).Json);
            RecordingHook hook = new("h", _lines);
            await using FlagstoneClient client = await StartAsync(hook);
            await using FlagstoneClient plain = await StartAsync();
            Assert.Equal(Text(ask(plain, _ada)), Text(ask(client, _ada)));
            Assert.Equal(["h before f 0", "h after f h"], _lines);
            Assert.Equal(("f", method, (string?)null), (hook.Context!.FlagKey, hook.Context.Method, hook.Context.EnvironmentId));
            Assert.Same(_ada, hook.Context.Context);
            Assert.Equal(@default, JsonSerializer.Serialize(hook.Context.DefaultValue, s_plain));
            if (hook.Detail!.Value.VariationIndex == 0)
            {
                Assert.Equal(EvaluationReasonKind.Fallthrough, hook.Detail.Value.Reason.Kind);
                Assert.True(value == "7" || Same(value, hook.Detail.Value.Value));
            }
            else
            {
                Assert.Equal(EvaluationErrorKind.WrongType, hook.Detail.Value.Reason.ErrorKind);
            }
            _lines.Clear();
        }
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Hooks_run_also_where_nothing_can_be_evaluated(string name)
    {
        Ask ask = s_calls[name].Ask;
        RecordingHook hook = new("h", _lines);
        await using FlagstoneClient client = new(Options(hook));
        ask(client, _ada);
        Assert.Equal(EvaluationErrorKind.ClientNotReady, hook.Detail!.Value.Reason.ErrorKind);
        Assert.True(await client.StartAsync(s_long));
        ask(client, _ada);
        Assert.Equal(EvaluationErrorKind.FlagNotFound, hook.Detail!.Value.Reason.ErrorKind);
        _data.SetFlag(Flags.Bool("f", 1, true).Json);
        ask(client, null);
        Assert.Equal((null, EvaluationErrorKind.UserNotSpecified), (hook.Context!.Context, hook.Detail!.Value.Reason.ErrorKind));
        Assert.Equal(6, _lines.Count);
    }

    [Fact]
    public async Task A_key_that_is_none_reaches_hooks_as_text()
    {
        RecordingHook hook = new("h", _lines);
        await using FlagstoneClient client = await StartAsync(hook);
        Assert.True(client.BoolVariation((string)null!, _ada, true));
        Assert.Equal(("", EvaluationErrorKind.Exception), (hook.Context!.FlagKey, hook.Detail!.Value.Reason.ErrorKind));
        Assert.True(client.BoolVariation("\ud800", _ada, true));
        Assert.Equal(EvaluationErrorKind.Exception, hook.Detail!.Value.Reason.ErrorKind);
        Assert.True(client.BoolVariation((ReadOnlySpan<byte>)[0xff], _ada, true));
        Assert.Equal("\ufffd", hook.Context.FlagKey);
        Assert.Equal(MigrationStage.Live, client.MigrationVariation(null!, _ada, MigrationStage.Live).Stage);
        string longKey = new('k', 3000);
        Assert.True(client.BoolVariation(longKey, _ada, true));
        Assert.Equal(longKey, hook.Context.FlagKey);
    }

    [Fact]
    public async Task The_first_hook_is_the_first_before_and_the_last_after()
    {
        _data.Update(_data.Flag("f")).Update(_data.Flag("g"));
        await using FlagstoneClient client = await StartAsync(new RecordingHook("a", _lines), new RecordingHook("b", _lines));
        client.BoolVariation("f", _ada);
        Assert.Equal(["a before f 0", "b before f 0", "b after f b", "a after f a"], _lines);
        _lines.Clear();
        client.Track("bought", _ada);
        Assert.Equal(["a track bought", "b track bought"], _lines);
        _lines.Clear();
        client.VariationMany(["f", "g", "f"], _ada);
        Assert.Equal(
            ["a before f 0", "b before f 0", "a before g 0", "b before g 0", "b after f b", "a after f a", "b after g b", "a after g a"],
            _lines);
    }

    [Fact]
    public async Task What_a_hook_throws_is_logged_and_changes_nothing()
    {
        _data.Update(_data.Flag("f"));
        RecordingHook before = new("throws", _lines) { OnBefore = _ => throw new InvalidOperationException("before") };
        RecordingHook after = new("late", _lines)
        {
            OnAfter = _ => throw new InvalidOperationException("after"),
            OnTrack = _ => throw new InvalidOperationException("track"),
        };
        await using FlagstoneClient client = await StartAsync(before, after, new NullHook());
        EvaluationDetail<bool> detail = client.BoolVariationDetail("f", _ada);
        Assert.Equal((true, EvaluationReasonKind.Fallthrough), (detail.Value, detail.Reason.Kind));
        // What threw gets the data that it was given.
        Assert.Equal(["throws before f 0", "late before f 0", "late after f late", "throws after f "], _lines);
        client.Track("bought", _ada);
        Assert.Equal(
            [
                "The hook throws threw an exception in BeforeEvaluation of f.", "The hook late threw an exception in AfterEvaluation of f.",
                "The hook late threw an exception in AfterTrack of bought.",
            ],
            Errors());
    }

    [Fact]
    public async Task Flags_of_a_state_and_prerequisites_run_no_hooks()
    {
        _data.SetFlag(Flags.With("f", 1, """ "prerequisites":[{"key":"g","variation":0}] """, "true", "false").Json);
        _data.SetFlag(Flags.Bool("g", 1, true).Json);
        await using FlagstoneClient client = await StartAsync(new RecordingHook("h", _lines));
        Assert.True(client.AllFlagsState(_ada).Valid);
        Assert.Empty(_lines);
        Assert.True(client.BoolVariation("f", _ada));
        Assert.Equal(["h before f 0", "h after f h"], _lines);
    }

    [Fact]
    public async Task What_is_told_reaches_hooks_as_it_is_and_what_cannot_be_told_does_not()
    {
        RecordingHook hook = new("h", _lines);
        await using FlagstoneClient client = await StartAsync(hook);
        client.Track("bought", _ada);
        Assert.Equal(("bought", _ada, null, null), (hook.Told!.Key, hook.Told.Context, hook.Told.Data, hook.Told.MetricValue));
        client.Track("bought", _ada, Json("""{"a":1}"""));
        Assert.Equal(("""{"a":1}""", null), (hook.Told.Data?.GetRawText(), hook.Told.MetricValue));
        client.Track("bought", _ada, Json("null"), 2.5);
        Assert.Equal((null, 2.5), (hook.Told.Data, hook.Told.MetricValue));
        _lines.Clear();
        client.Track("bought", null);
        client.Track(null!, _ada);
        client.Track("bought", _ada, default, double.NaN);
        client.Identify(_ada);
        Assert.Empty(_lines);
    }

    [Fact]
    public async Task A_hook_that_evaluates_does_not_run_into_itself()
    {
        _data.Update(_data.Flag("f")).Update(_data.Flag("g"));
        FlagstoneClient? client = null;
        FlagstoneClient? other = null;
        void Ask()
        {
            Assert.True(client!.BoolVariation("g", _ada));
            Assert.True(client.BoolFlag("g").Value(_ada));
            client.Track("told", _ada);
            // Nor by way of another thread, or of another client whose hook asks this one.
            Assert.True(Task.Run(() => client.BoolVariation("g", _ada)).GetAwaiter().GetResult());
            Assert.True(other!.BoolVariation("f", _ada));
        }

        RecordingHook hook = new("h", _lines) { OnBefore = _ => Ask(), OnAfter = _ => Ask(), OnTrack = _ => Ask() };
        await using FlagstoneClient one = client = await StartAsync(hook);
        ConcurrentQueue<string> others = new();
        await using FlagstoneClient two = other = await StartAsync(
            new RecordingHook("o", others) { OnBefore = _ => Assert.True(client.BoolVariation("g", _ada)) });
        client.BoolVariation("f", _ada);
        Assert.Equal(["h before f 0", "h after f h"], _lines);
        Assert.Equal(["o before f 0", "o after f o", "o before f 0", "o after f o"], others);
        _lines.Clear();
        client.Track("bought", _ada);
        Assert.Equal(["h track bought"], _lines);
        Assert.Empty(Errors());
    }

    [Fact]
    public async Task Work_that_outlives_the_hook_that_began_it_has_hooks_again()
    {
        _data.Update(_data.Flag("f")).Update(_data.Flag("g"));
        TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<bool>? later = null;
        FlagstoneClient? client = null;
        RecordingHook hook = new("h", _lines)
        {
            OnBefore = _ => later ??= Task.Run(async () =>
            {
                await over.Task;
                return client!.BoolVariation("g", _ada);
            }),
        };
        await using FlagstoneClient own = client = await StartAsync(hook);
        client.BoolVariation("f", _ada);
        _lines.Clear();
        over.SetResult();
        Assert.True(await later!);
        Assert.Equal(["h before g 0", "h after g h"], _lines);
    }

    [Fact]
    public async Task Hooks_end_with_the_client()
    {
        _data.Update(_data.Flag("f"));
        foreach (bool blocking in (bool[])[true, false])
        {
            RecordingHook hook = new("h", _lines);
            FlagstoneClient client = await StartAsync(hook, new NullHook());
            Flag<bool> flag = client.BoolFlag("f");
            await CloseAsync(client, blocking);
            await CloseAsync(client, blocking);
            Assert.Equal(1, hook.DisposedCount);
            Assert.True(client.BoolVariation("f", _ada) && flag.Value(_ada));
            client.Track("bought", _ada);
            Assert.Empty(_lines);
        }
        Assert.Contains("The hook null threw an exception in Dispose of .", Errors());

        static async Task CloseAsync(FlagstoneClient client, bool blocking)
        {
            if (blocking)
            {
                client.Dispose();
            }
            else
            {
                await client.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Hooks_know_the_environment_and_leave_events_as_they_are()
    {
        using LaunchDarkly launchDarkly = new(Flags.With("f", 1, "\"trackEvents\":true", "true", "false"));
        RecordingHook hook = new("h", _lines);
        FlagstoneOptions options = Options(hook);
        options.TestData = null;
        options.SourceKind = SourceKind.Stream;
        options.SdkKey = LaunchDarkly.SdkKey;
        options.EndpointsRelay = launchDarkly.Url;
        options.EventsDiagnostics = false;
        await using FlagstoneClient client = new(options);
        Assert.True(await client.StartAsync(s_long));
        Assert.True(client.BoolVariation("f", _ada));
        Assert.Equal(LaunchDarkly.EnvironmentId, hook.Context!.EnvironmentId);
        client.Track("bought", _ada);
        Assert.Equal(LaunchDarkly.EnvironmentId, hook.Told!.EnvironmentId);
        Assert.True(client.BoolVariationDetail("f", _ada).Value);
        Flag<bool> flag = client.BoolFlag("f");
        Assert.True(flag.Value(_ada) && flag.Detail(_ada).Value);
        Assert.True(client.FlushAndWait(s_long));
        // Who did not ask for the reason has none in the event, though the hook gets it.
        Assert.Equal(
            [false, true, false, true],
            launchDarkly.Events().Where(told => told.GetProperty("kind").GetString() == "feature")
                .Select(told => told.TryGetProperty("reason", out _)));
        Assert.Equal(EvaluationReasonKind.Fallthrough, hook.Detail!.Value.Reason.Kind);
    }

    [Fact]
    public async Task A_plugin_brings_hooks_and_gets_the_client()
    {
        _data.Update(_data.Flag("f"));
        TestPlugin plugin = new("p", [new RecordingHook("p", _lines)]);
        FlagstoneOptions options = Options(new RecordingHook("own", _lines));
        options.Plugins = [plugin, new TestPlugin("none", null)];
        options.SdkKey = "sdk-key";
        options.EventsEnabled = false;
        options.ApplicationId = "shop";
        options.ApplicationVersion = "1.2";
        options.WrapperName = "w";
        await using FlagstoneClient client = new(options);
        Assert.Same(client, plugin.Client);
        Assert.Same(plugin.ForHooks, plugin.ForRegister);
        EnvironmentMetadata metadata = plugin.ForRegister!;
        Assert.Equal(
            ("flagstone-dotnet", FlagstoneLibrary.Version, "w", null),
            (metadata.Sdk.Name, metadata.Sdk.Version, metadata.Sdk.WrapperName, metadata.Sdk.WrapperVersion));
        Assert.Equal(("sdk-key", "shop", null, "1.2", null), (
            metadata.SdkKey, metadata.Application.Id, metadata.Application.Name, metadata.Application.Version,
            metadata.Application.VersionName));
        Assert.Equal(DataSourceState.Initializing, plugin.State);
        Assert.True(await client.StartAsync(s_long));
        client.BoolVariation("f", _ada);
        Assert.Equal(["own before f 0", "p before f 0", "p after f p", "own after f own"], _lines);
    }

    [Fact]
    public async Task What_a_plugin_throws_is_logged_and_the_client_is_made()
    {
        _data.Update(_data.Flag("f"));
        FlagstoneOptions options = Options();
        options.Plugins =
        [
            new TestPlugin("bad", [null!]), new TestPlugin("worse", []) { Throws = true },
            new TestPlugin("good", [new RecordingHook("h", _lines)]),
        ];
        await using FlagstoneClient client = new(options);
        Assert.True(await client.StartAsync(s_long));
        Assert.True(client.BoolVariation("f", _ada));
        Assert.Equal(2, _lines.Count);
        Assert.Equal(
            [
                "The plugin bad threw an exception in GetHooks.", "The plugin worse threw an exception in GetHooks.",
                "The plugin worse threw an exception in Register.",
            ],
            Errors());
    }

    [Fact]
    public void Lists_with_a_hook_or_a_plugin_that_is_null_are_refused()
    {
        Assert.StartsWith(
            "Hooks: ", Assert.Throws<ArgumentException>(() => new FlagstoneClient(new() { Hooks = [null!] })).Message,
            StringComparison.Ordinal);
        Assert.StartsWith(
            "Plugins: ", Assert.Throws<ArgumentException>(() => new FlagstoneClient(new() { Plugins = [null!] })).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new RecordingHook(null!, _lines));
    }

    private async Task<FlagstoneClient> StartAsync(params Hook[] hooks)
    {
        FlagstoneClient client = new(Options(hooks));
        Assert.True(await client.StartAsync(s_long));
        return client;
    }

    private FlagstoneOptions Options(params Hook[] hooks) => new() { TestData = _data, LoggerFactory = _logger, Hooks = hooks };

    private IEnumerable<string> Errors() => _logger.Lines.Where(line => line.Level == LogLevel.Error).Select(line => line.Text);

    private static string Text(object? value) => value is JsonElement json ? json.GetRawText() : $"{value}";

    private static bool Same(string json, JsonElement value) => JsonEquality.AreEqual(Json(json), value);

    private static JsonElement Json(string json) => JsonSerializer.Deserialize<JsonElement>(json);

    private delegate object? Ask(FlagstoneClient client, Context? who);

    /// <summary>Its data are null, and it cannot be disposed of.</summary>
    private sealed class NullHook() : Hook("null")
    {
        public override ImmutableDictionary<string, object?> BeforeEvaluation(
            EvaluationSeriesContext context, ImmutableDictionary<string, object?> data) => null!;

        public override ImmutableDictionary<string, object?> AfterEvaluation(
            EvaluationSeriesContext context, ImmutableDictionary<string, object?> data, EvaluationDetail<JsonElement> detail)
        {
            Assert.Empty(data);
            return null!;
        }

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            throw new InvalidOperationException("dispose");
        }
    }

    private sealed class TestPlugin(string name, IReadOnlyList<Hook>? hooks) : Plugin(name)
    {
        internal bool Throws { get; init; }

        internal EnvironmentMetadata? ForHooks { get; private set; }

        internal EnvironmentMetadata? ForRegister { get; private set; }

        internal IFlagstoneClient? Client { get; private set; }

        internal DataSourceState State { get; private set; }

        public override IReadOnlyList<Hook>? GetHooks(EnvironmentMetadata metadata)
        {
            ForHooks = metadata;
            return Throws ? throw new InvalidOperationException("hooks") : hooks;
        }

        public override void Register(IFlagstoneClient client, EnvironmentMetadata metadata)
        {
            ForRegister = metadata;
            Client = client;
            State = client.State;
            if (Throws)
            {
                throw new InvalidOperationException("register");
            }
        }
    }
}
