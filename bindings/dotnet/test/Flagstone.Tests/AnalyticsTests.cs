// What LaunchDarkly is told: events as they arrive at a server of the test's own.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed partial class AnalyticsTests(RedisServer server) : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly LaunchDarkly _launchDarkly = new();
    private readonly TestData _data = new();
    private readonly List<FlagstoneClient> _clients = [];
    private readonly Context _ada = Context.Builder("ada").Set("email", "ada@northwind.example").Build();

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _ada.Dispose();
        _data.Dispose();
        _launchDarkly.Dispose();
    }

    [Fact]
    public async Task Defaults_of_every_type_arrive_as_they_are()
    {
        FlagstoneClient client = await StartAsync();
        Dictionary<string, string> expected = [];
        void Ask(string key, string json, Action<string> ask)
        {
            expected[key] = json;
            ask(key);
        }

        string longText = new('x', 2000);
        JsonElement nested = Json("""{"a":[1,2.50,"å"],"b":{"c":null}}""");
        JsonElement large = Json($"[\"{longText}\"]");
        JsonElement gone;
        using (JsonDocument document = JsonDocument.Parse("{}"))
        {
            gone = document.RootElement;
        }
        foreach ((string way, bool detail) in (ReadOnlySpan<(string, bool)>)[("", false), ("-detail", true)])
        {
            Ask("bool" + way, "true", key => _ = detail ? client.BoolVariationDetail(key, _ada, true).Value : client.BoolVariation(key, _ada, true));
            Ask("int" + way, "-7", key => _ = detail ? client.IntVariationDetail(key, _ada, -7).Value : client.IntVariation(key, _ada, -7));
            Ask("long" + way, "9007199254740993", key => _ = detail
                ? client.LongVariationDetail(key, _ada, 9007199254740993).Value
                : client.LongVariation(key, _ada, 9007199254740993));
            Ask("double" + way, "2.5", key => _ = detail ? client.DoubleVariationDetail(key, _ada, 2.5).Value : client.DoubleVariation(key, _ada, 2.5));
            Ask("nan" + way, "null", key => _ = detail
                ? client.DoubleVariationDetail(key, _ada, double.NaN).Value
                : client.DoubleVariation(key, _ada, double.NaN));
            foreach ((string name, string? text, string json) in (ReadOnlySpan<(string, string?, string)>)
            [
                ("text", "a \"å\" 😀\n", "\"a \\\"å\\\" 😀\\n\""), ("empty", "", "\"\""), ("long-text", longText, $"\"{longText}\""),
                ("surrogate", "a\ud800b", "\"a\ufffdb\""), ("none", null, "null"),
            ])
            {
                Ask(name + way, json, key => Assert.Same(
                    text, detail ? client.StringVariationDetail(key, _ada, text!).Value : client.StringVariation(key, _ada, text!)));
            }
            foreach ((string name, JsonElement value, string json) in (ReadOnlySpan<(string, JsonElement, string)>)
            [
                ("json", nested, nested.GetRawText()), ("large", large, large.GetRawText()), ("true", Json("true"), "true"),
                ("false", Json("false"), "false"), ("null", Json("null"), "null"), ("number", Json("12"), "12"),
                ("word", Json("\"å\""), "\"å\""), ("undefined", default, "null"), ("gone", gone, "null"),
                ("broken", Json("[\"\\ud800\"]"), "null"),
            ])
            {
                Ask(name + way, json, key => _ = detail ? client.JsonVariationDetail(key, _ada, value).Value : client.JsonVariation(key, _ada, value));
            }
        }
        AskByBytes(client, longText, nested, expected);
        Ask("a-prepared-bool", "true", key => client.BoolFlag(key, true).Value(_ada));
        Ask("a-prepared-int", "7", key => client.IntFlag(key, 7).Value(_ada));
        Ask("a-prepared-long", "9007199254740993", key => client.LongFlag(key, 9007199254740993).Detail(_ada));
        Ask("a-prepared-double", "2.5", key => client.DoubleFlag(key, 2.5).Value(_ada));
        Ask("a-prepared-text", "\"å\"", key => client.StringFlag(key, "å").Value(_ada));
        Ask("a-prepared-json", nested.GetRawText(), key => client.JsonFlag(key, nested).Value(_ada));
        Ask("one-of-many", "null", key => client.VariationMany([key], _ada));
        Ask(new string('k', 300), "\"x\"", key => client.StringVariation(key, _ada, "x"));
        Assert.True(client.FlushAndWait(s_long));
        JsonElement features = Summary().GetProperty("features");
        Assert.Equal(expected.Keys.Order(), features.EnumerateObject().Select(feature => feature.Name).Order());
        Assert.All(expected, pair => Assert.True(
            Same(Json(pair.Value), features.GetProperty(pair.Key).GetProperty("default")),
            $"{pair.Key}: {features.GetProperty(pair.Key)} instead of {pair.Value}"));
    }

    [Fact]
    public async Task Values_are_counted_by_flag_and_variation_whatever_the_way_of_asking()
    {
        _data.SetFlag(Flags.Bool("yes", 3, true).Json);
        FlagstoneClient client = await StartAsync();
        Flag<bool> flag = client.BoolFlag("yes");
        for (int round = 0; round < 10; round++)
        {
            client.BoolVariation("yes", _ada);
            client.BoolVariation("yes"u8, _ada);
            client.BoolVariationDetail("yes", _ada);
            flag.Value(_ada);
            flag.Detail(_ada);
            client.VariationMany(["yes"], _ada);
            client.JsonVariation("yes", _ada, default);
        }
        client.AllFlagsState(_ada);
        Assert.True(await client.FlushAsync());
        List<JsonElement> events = _launchDarkly.Events();
        Assert.Equal(["index", "summary"], events.Select(Kind));
        Assert.Equal("ada@northwind.example", events[0].GetProperty("context").GetProperty("email").GetString());
        JsonElement feature = Summary().GetProperty("features").GetProperty("yes");
        Assert.True(
            Same(Json("""[{"variation":0,"version":3,"value":true,"count":70}]"""), feature.GetProperty("counters")), feature.ToString());
        Assert.Equal("""["user"]""", feature.GetProperty("contextKinds").GetRawText());
    }

    [Fact]
    public async Task Tracked_flags_are_told_one_by_one_with_the_reason_only_where_it_is_handed_on()
    {
        _data.SetFlag(Flags.With("tracked", 5, "\"trackEvents\":true", "\"served\"").Json);
        FlagstoneClient client = await StartAsync();
        Flag<string> text = client.StringFlag("tracked", "prepared");
        Flag<JsonElement> json = client.JsonFlag("tracked", Json("[1]"));
        client.StringVariation("tracked", _ada, "plain");
        client.StringVariation("tracked"u8, _ada, "bytes");
        client.StringVariation("tracked", _ada, null!);
        client.JsonVariation("tracked", _ada, Json("[2]"));
        text.Value(_ada);
        json.Value(_ada);
        client.StringVariationDetail("tracked", _ada, "detail");
        client.StringVariationDetail("tracked"u8, _ada, "detail bytes");
        text.Detail(_ada);
        json.Detail(_ada);
        client.VariationMany(["tracked"], _ada);
        client.BoolVariationDetail("tracked", _ada, true);
        Assert.True(client.FlushAndWait(s_long));
        JsonElement[] told = [.. Features()];
        Assert.Equal(
            ["\"plain\"", "\"bytes\"", "", "[2]", "\"prepared\"", "[1]", "\"detail\"", "\"detail bytes\"", "\"prepared\"", "[1]", "", "true"],
            told.Select(feature => feature.TryGetProperty("default", out JsonElement value) ? value.GetRawText() : ""));
        Assert.All(told, feature => Assert.Equal(
            ("tracked", 5), (feature.GetProperty("key").GetString(), feature.GetProperty("version").GetInt32())));
        Assert.All(told[..11], feature => Assert.Equal(
            ("served", 0), (feature.GetProperty("value").GetString(), feature.GetProperty("variation").GetInt32())));
        Assert.All(told[..6], feature => Assert.False(feature.TryGetProperty("reason", out _), feature.ToString()));
        Assert.All(told[6..11], feature => Assert.Equal("""{"kind":"FALLTHROUGH"}""", feature.GetProperty("reason").GetRawText()));
        // Of another type than was asked for: the default was served.
        Assert.True(told[11].GetProperty("value").GetBoolean());
        Assert.False(told[11].TryGetProperty("variation", out _));
        Assert.Equal("WRONG_TYPE", told[11].GetProperty("reason").GetProperty("errorKind").GetString());
    }

    [Fact]
    public async Task Experiments_tell_the_reason_without_being_asked_and_prerequisites_tell_of_themselves()
    {
        _data.SetFlag(Flags.With("experiment", 1, "\"trackEventsFallthrough\":true", "true").Json);
        _data.SetFlag(Flags.With("needed", 2, "\"trackEvents\":true", "true").Json);
        _data.SetFlag(Flags.With("needing", 3, """
            "prerequisites":[{"key":"needed","variation":0}]
            """, "true").Json);
        FlagstoneClient client = await StartAsync();
        Assert.True(client.BoolVariation("experiment", _ada));
        Assert.True(client.BoolVariation("needing", _ada));
        Assert.True(client.FlushAndWait(s_long));
        JsonElement[] told = [.. Features()];
        Assert.Equal(2, told.Length);
        Assert.Equal("""{"kind":"FALLTHROUGH"}""", told[0].GetProperty("reason").GetRawText());
        Assert.Equal("needing", told[1].GetProperty("prereqOf").GetString());
        Assert.False(told[1].TryGetProperty("default", out _) || told[1].TryGetProperty("reason", out _));
        Assert.Equal(
            ["experiment", "needed", "needing"],
            Summary().GetProperty("features").EnumerateObject().Select(feature => feature.Name).Order());
    }

    [Fact]
    public async Task Who_somebody_is_and_what_happened_to_him_is_told()
    {
        FlagstoneClient client = await StartAsync();
        client.Identify(_ada);
        client.Track("plain", _ada);
        client.Track("å " + new string('x', 400), _ada, Json("""{"items":[1,"å"]}"""));
        client.Track("measured", _ada, default, -2.5);
        client.Track("both", _ada, Json("true"), 3);
        client.Track("nothing", _ada, Json("null"));
        client.Track("large", _ada, Json($"[\"{new string('å', 500_000)}\"]"));
        _ada.Dispose();
        client.Track("disposed of and as good as before", _ada);
        Assert.True(await client.FlushAndWaitAsync(s_long));
        List<JsonElement> events = _launchDarkly.Events();
        Assert.Equal(["identify", .. Enumerable.Repeat("custom", 7)], events.Select(Kind));
        Assert.All(events, told => Assert.Equal("ada", told.GetProperty("context").GetProperty("key").GetString()));
        Assert.Equal(
            [
                ("plain", "", ""), ("å " + new string('x', 400), """{"items":[1,"å"]}""", ""), ("measured", "", "-2.5"),
                ("both", "true", "3"), ("nothing", "", ""), ("large", $"[\"{new string('å', 500_000)}\"]", ""),
                ("disposed of and as good as before", "", ""),
            ],
            events.Skip(1).Select(told => (
                told.GetProperty("key").GetString()!, Raw(told, "data"), Raw(told, "metricValue").Replace(".0", "", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task What_cannot_be_told_is_logged_once_for_each_kind_and_never_throws()
    {
        ListLogger logger = new();
        FlagstoneClient client = await StartAsync(options => options.LoggerFactory = logger);
        JsonElement gone;
        using (JsonDocument document = JsonDocument.Parse("[1]"))
        {
            gone = document.RootElement;
        }
        JsonElement deep = Parse(new string('[', 200) + new string(']', 200));
        JsonElement deeper = Parse(new string('[', 5000) + new string(']', 5000));
        for (int round = 0; round < 3; round++)
        {
            client.Identify(null);
            client.Track("no context", null);
            client.Track(null!, _ada);
            client.Track("\ud800", _ada);
            client.Track(new string('x', 300) + "\udc00", _ada, Json("1"), 1);
            client.Track("deep", _ada, deep);
            client.Track("deeper", _ada, deeper);
            client.Track("gone", _ada, gone);
            client.Track("surrogate", _ada, Json("""{"a":"\ud800"}"""));
            foreach (double metric in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
            {
                client.Track("metric", _ada, default, metric);
            }
        }
        Assert.True(client.FlushAndWait(s_long));
        Assert.Empty(_launchDarkly.Events());
        client.Dispose();
        for (int round = 0; round < 3; round++)
        {
            client.Identify(_ada);
            client.Track("late", _ada, Json("1"), 1);
            client.Flush();
        }
        Assert.Empty(_launchDarkly.Events());
        string[] lines = [.. logger.Lines.Select(line => line.Text).Where(line => line.StartsWith("An event", StringComparison.Ordinal))];
        Assert.Equal(5, lines.Length);
        Assert.All(
            (string[])["context is null", "name is null", "data are", "metric is not finite", "disposed of. This"],
            part => Assert.Single(lines, line => line.Contains(part, StringComparison.Ordinal)));

        static JsonElement Parse(string json) =>
            JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 6000 }).RootElement;
    }

    [Fact]
    public async Task Options_decide_what_is_told()
    {
        using Context secretive = Context.Builder("s").Set("email", "x").Set("plan", "p").Set("/x", "c").Build();
        using Context nobody = Context.Builder("n").Anonymous(true).Build();
        await TellAsync(options => options.EventsAllAttributesPrivate = true);
        Assert.Equal("""["/~1x","email","plan"]""", Redacted());
        _launchDarkly.Kill();
        _launchDarkly.Start();
        await TellAsync(options =>
        {
            options.EventsPrivateAttributes = ["email", "/~1x", "/missing/part"];
            options.EventsOmitAnonymousContexts = true;
            options.EventsGzip = false;
        });
        Assert.Equal("""["/~1x","email"]""", Redacted());
        Assert.DoesNotContain(_launchDarkly.Events(), told => Kind(told) == "index" && told.ToString().Contains("\"n\"", StringComparison.Ordinal));
        Assert.DoesNotContain("gzip", _launchDarkly.Requests().ToString(), StringComparison.Ordinal);
        _launchDarkly.Kill();
        _launchDarkly.Start();
        FlagstoneClient small = await StartAsync(options => options.EventsCapacity = 2);
        for (int round = 0; round < 5; round++)
        {
            small.Identify(secretive);
        }
        Assert.Equal((2, 3), (small.GetStatus().Events!.WaitingCount, small.GetStatus().Events!.DroppedCount));
        Assert.True(small.FlushAndWait(s_long));
        Assert.Equal(2, _launchDarkly.Events().Count);
        Assert.Contains("\"content-encoding\":\"gzip\"", _launchDarkly.Requests().ToString(), StringComparison.Ordinal);

        async Task TellAsync(Action<FlagstoneOptions> change)
        {
            FlagstoneClient client = await StartAsync(change);
            client.Identify(secretive);
            client.BoolVariation("missing", nobody);
            Assert.True(client.FlushAndWait(s_long));
        }

        string Redacted() => string.Concat("[", string.Join(",", _launchDarkly.Events().First(told => Kind(told) == "identify")
            .GetProperty("context").GetProperty("_meta").GetProperty("redactedAttributes").EnumerateArray()
            .Select(name => name.GetRawText()).Order(StringComparer.Ordinal)), "]");
    }

    [Fact]
    public async Task Daemon_mode_tells_what_was_evaluated_when_there_is_a_key()
    {
        using TestEnvironment environment = new(server);
        environment.Write(Flags.Bool("yes", 3, true));
        FlagstoneClient client = await environment.StartAsync(options =>
        {
            options.SdkKey = LaunchDarkly.SdkKey;
            options.EndpointsRelay = _launchDarkly.Url;
        });
        Assert.True(client.BoolVariation("yes", _ada));
        Assert.True(client.FlushAndWait(s_long));
        Assert.Equal(["index", "summary"], _launchDarkly.Events().Select(Kind));
    }

    [Fact]
    public async Task Nothing_is_lost_or_counted_twice_when_many_threads_ask_while_flags_change_and_events_are_sent()
    {
        const int Threads = 4;
        const int Rounds = 20_000;
        _data.SetFlag(Flags.Value("f", 1, "1", "2").Json);
        FlagstoneClient client = await StartAsync();
        Flag<int> flag = client.IntFlag("f", 0);
        Task[] asking = [.. Enumerable.Range(0, Threads).Select(number => Task.Factory.StartNew(
            () =>
            {
                using Context own = Context.New($"user-{number}");
                for (int round = 0; round < Rounds / 2; round++)
                {
                    flag.Value(own);
                    client.IntVariation("f", own, 0);
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        for (int version = 2; !Task.WhenAll(asking).IsCompleted; version++)
        {
            _data.SetFlag(Flags.Value("f", version, "1", "2").Json);
            Assert.True(await client.FlushAsync(s_long));
        }
        await Task.WhenAll(asking);
        Assert.True(await client.FlushAsync(s_long));
        long counted = _launchDarkly.Events().Where(told => Kind(told) == "summary")
            .SelectMany(told => told.GetProperty("features").GetProperty("f").GetProperty("counters").EnumerateArray())
            .Sum(counter => counter.GetProperty("count").GetInt64());
        Assert.Equal(Threads * Rounds, counted);
        Assert.Equal(Threads, _launchDarkly.Events().Count(told => Kind(told) == "index"));
    }

    [Fact]
    public async Task Without_events_nothing_is_told_and_nothing_is_refused()
    {
        foreach (Action<FlagstoneOptions> change in (Action<FlagstoneOptions>[])
            [options => options.EventsEnabled = false, options => options.SdkKey = null, options => options.Offline = true])
        {
            FlagstoneClient client = await StartAsync(change);
            Assert.Null(client.GetStatus().Events);
            client.StringVariation("missing", _ada, "default");
            client.JsonVariation("missing", _ada, Json("{}"));
            client.Identify(_ada);
            client.Track("nothing", _ada, Json("1"), 1);
            client.Flush();
            Assert.True(client.FlushAndWait(s_long) && client.FlushAsync().IsCompletedSuccessfully);
        }
        Assert.Empty(_launchDarkly.Events());
        ArgumentException error = Assert.Throws<ArgumentException>(() => new FlagstoneClient(new FlagstoneOptions { EventsEnabled = true }));
        Assert.StartsWith("EventsEnabled needs SdkKey", error.Message, StringComparison.Ordinal);
    }

    private FlagstoneOptions Options(Action<FlagstoneOptions>? change = null)
    {
        FlagstoneOptions options = new()
        {
            TestData = _data,
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsEvents = _launchDarkly.Url,
            EventsDiagnostics = false,
            // Not before somebody says so.
            EventsFlushInterval = TimeSpan.FromHours(1),
        };
        change?.Invoke(options);
        return options;
    }

    private async Task<FlagstoneClient> StartAsync(Action<FlagstoneOptions>? change = null)
    {
        FlagstoneClient client = new(Options(change));
        _clients.Add(client);
        Assert.True(await client.StartAsync(s_long));
        return client;
    }

    private void AskByBytes(FlagstoneClient client, string longText, JsonElement nested, Dictionary<string, string> expected)
    {
        client.BoolVariation("bytes-bool"u8, _ada, true);
        client.IntVariation("bytes-int"u8, _ada, -7);
        client.LongVariation("bytes-long"u8, _ada, 9007199254740993);
        client.DoubleVariation("bytes-double"u8, _ada, 2.5);
        client.StringVariation("bytes-text"u8, _ada, "å");
        client.StringVariation("bytes-none"u8, _ada, null!);
        client.StringVariationDetail("bytes-long-text"u8, _ada, longText);
        client.JsonVariation("bytes-json"u8, _ada, nested);
        client.JsonVariationDetail("bytes-json-detail"u8, _ada, nested);
        foreach ((string key, string json) in (ReadOnlySpan<(string, string)>)
        [
            ("bool", "true"), ("int", "-7"), ("long", "9007199254740993"), ("double", "2.5"), ("text", "\"å\""), ("none", "null"),
            ("long-text", $"\"{longText}\""), ("json", nested.GetRawText()), ("json-detail", nested.GetRawText()),
        ])
        {
            expected["bytes-" + key] = json;
        }
    }

    private JsonElement Summary() => _launchDarkly.Events().Single(told => Kind(told) == "summary");

    private IEnumerable<JsonElement> Features() => _launchDarkly.Events().Where(told => Kind(told) == "feature");

    private static string Kind(JsonElement told) => told.GetProperty("kind").GetString()!;

    private static string Raw(JsonElement told, string name) =>
        told.TryGetProperty(name, out JsonElement value) ? value.GetRawText() : "";

    private static JsonElement Json(string json) => JsonSerializer.Deserialize<JsonElement>(json);

    private static bool Same(JsonElement one, JsonElement other) => JsonEquality.AreEqual(one, other);
}
