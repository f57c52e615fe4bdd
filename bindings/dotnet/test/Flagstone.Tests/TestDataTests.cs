// Test data: what a test sets is served at once, and the builder composes the flags that its calls describe.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class TestDataTests : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);
    private static readonly ContextKind s_org = ContextKind.Of("org");
    private static readonly ContextKind s_device = ContextKind.Of("device");

    /// <summary>Members of a new flag as the builder composes it.</summary>
    private static readonly Dictionary<string, string> s_new = new()
    {
        ["key"] = "\"f\"",
        ["on"] = "true",
        ["variations"] = "[true,false]",
        ["fallthrough"] = """{"variation":0}""",
        ["offVariation"] = "1",
        ["targets"] = "[]",
        ["contextTargets"] = "[]",
        ["rules"] = "[]",
        ["prerequisites"] = "[]",
        ["salt"] = "\"\"",
    };

    /// <summary>What the calls make, and the members that differ from a new flag's.</summary>
    private static readonly Dictionary<string, (Func<FlagBuilder, FlagBuilder> Build, string Members)> s_built = new()
    {
        ["new"] = (flag => flag, "{}"),
        ["off"] = (flag => flag.On(false), """{"on":false}"""),
        ["on again"] = (flag => flag.On(false).On(true), "{}"),
        ["variations"] = (
            flag => flag.Variations("a", Json("""{"b":[1]}"""), default, 2, 2.5, true, (string?)null, long.MaxValue),
            """{"variations":["a",{"b":[1]},null,2,2.5,true,null,9223372036854775807]}"""),
        ["fallthrough by value"] = (flag => flag.FallthroughVariation(false), """{"fallthrough":{"variation":1}}"""),
        ["off variation by value"] = (flag => flag.OffVariation(true), """{"offVariation":0}"""),
        ["variations by index"] = (
            flag => flag.Variations("a", "b", "c").FallthroughVariation(2).OffVariation(1),
            """{"variations":["a","b","c"],"fallthrough":{"variation":2},"offVariation":1}"""),
        // A boolean flag is left as it is, another one becomes a new boolean one, also one of three values or in another order.
        ["boolean stays"] = (flag => flag.FallthroughVariation(false).BooleanFlag(), """{"fallthrough":{"variation":1}}"""),
        ["boolean of JSON stays"] = (
            flag => flag.Variations(Json("true"), Json("false")).FallthroughVariation(1).BooleanFlag(),
            """{"fallthrough":{"variation":1}}"""),
        ["strings become boolean"] = (
            flag => flag.Variations("a", "b").FallthroughVariation(1).OffVariation(0).BooleanFlag(), "{}"),
        ["words become boolean"] = (flag => flag.Variations("true", "false").FallthroughVariation(1).BooleanFlag(), "{}"),
        ["numbers become boolean"] = (flag => flag.Variations(1, 0).FallthroughVariation(1).BooleanFlag(), "{}"),
        ["turned round become boolean"] = (flag => flag.Variations(false, true).FallthroughVariation(1).BooleanFlag(), "{}"),
        ["three become boolean"] = (flag => flag.Variations(true, false, true).FallthroughVariation(2).BooleanFlag(), "{}"),
        ["a value makes boolean"] = (
            flag => flag.Variations("a", "b", "c").FallthroughVariation(false), """{"fallthrough":{"variation":1}}"""),
        ["an off value makes boolean"] = (flag => flag.Variations("a", "b", "c").OffVariation(true), """{"offVariation":0}"""),
        ["all by value"] = (flag => flag.On(false).VariationForAll(false), """{"fallthrough":{"variation":1}}"""),
        ["all by index"] = (
            flag => flag.On(false).Variations("a", "b").VariationForAll(1),
            """{"variations":["a","b"],"fallthrough":{"variation":1}}"""),
        ["all clears"] = (
            flag => flag.VariationForUser("ada", true).IfMatch("a", 1).ThenReturn(true).VariationForAll(true), "{}"),
        ["value for all"] = (
            flag => flag.On(false).VariationForUser("ada", true).ValueForAll(Json("""{"x":1}""")),
            """{"variations":[{"x":1}]}"""),
        ["users"] = (
            flag => flag.VariationForUser("ada", true).VariationForUser("bob", false).VariationForUser("eve", false),
            """
            {"targets":[{"contextKind":"user","variation":0,"values":["ada"]},
            {"contextKind":"user","variation":1,"values":["bob","eve"]}],
            "contextTargets":[{"contextKind":"user","variation":0,"values":[]},{"contextKind":"user","variation":1,"values":[]}]}
            """),
        ["a user moves"] = (
            flag => flag.VariationForUser("ada", true).VariationForUser("ada", false),
            """
            {"targets":[{"contextKind":"user","variation":1,"values":["ada"]}],
            "contextTargets":[{"contextKind":"user","variation":1,"values":[]}]}
            """),
        ["a user comes twice"] = (
            flag => flag.VariationForUser("ada", 1).VariationForUser("ada", 1),
            """
            {"targets":[{"contextKind":"user","variation":1,"values":["ada"]}],
            "contextTargets":[{"contextKind":"user","variation":1,"values":[]}]}
            """),
        ["kinds"] = (
            flag => flag.VariationForKey(s_org, "o", false).VariationForKey(ContextKind.Default, "o", true),
            """
            {"targets":[{"contextKind":"user","variation":0,"values":["o"]}],
            "contextTargets":[{"contextKind":"org","variation":1,"values":["o"]},
            {"contextKind":"user","variation":0,"values":[]}]}
            """),
        ["targets cleared"] = (flag => flag.VariationForKey(s_org, "o", 0).ClearTargets(), "{}"),
        ["a target makes boolean"] = (
            flag => flag.Variations("a").VariationForKey(s_org, "o", true),
            """{"contextTargets":[{"contextKind":"org","variation":0,"values":["o"]}]}"""),
        ["match"] = (
            flag => flag.IfMatch("country", "se", "no").ThenReturn(false),
            """
            {"rules":[{"id":"rule0","variation":1,"clauses":[
            {"contextKind":"user","attribute":"country","op":"in","values":["se","no"],"negate":false}]}]}
            """),
        ["no match"] = (
            flag => flag.IfNotMatch("country", "se").ThenReturn(1),
            """
            {"rules":[{"id":"rule0","variation":1,"clauses":[
            {"contextKind":"user","attribute":"country","op":"in","values":["se"],"negate":true}]}]}
            """),
        ["two rules"] = (
            flag => flag.IfMatchContext(s_org, "tier", 1).AndMatch("beta", true).AndNotMatch("age", 3, 4.5)
                .AndMatchContext(s_device, "os", "linux").AndNotMatchContext(s_device, "os", "plan9").ThenReturn(true)
                .IfNotMatchContext(s_org, "tier", 2).ThenReturn(false),
            """
            {"rules":[{"id":"rule0","variation":0,"clauses":[
            {"contextKind":"org","attribute":"tier","op":"in","values":[1],"negate":false},
            {"contextKind":"user","attribute":"beta","op":"in","values":[true],"negate":false},
            {"contextKind":"user","attribute":"age","op":"in","values":[3,4.5],"negate":true},
            {"contextKind":"device","attribute":"os","op":"in","values":["linux"],"negate":false},
            {"contextKind":"device","attribute":"os","op":"in","values":["plan9"],"negate":true}]},
            {"id":"rule1","variation":1,"clauses":[
            {"contextKind":"org","attribute":"tier","op":"in","values":[2],"negate":true}]}]}
            """),
        ["rules cleared"] = (flag => flag.IfMatch("a", 1).ThenReturn(true).ClearRules(), "{}"),
        ["a rule makes boolean"] = (
            flag => flag.Variations("a", "b", "c").IfMatch("x", 1).ThenReturn(false),
            """
            {"rules":[{"id":"rule0","variation":1,"clauses":[
            {"contextKind":"user","attribute":"x","op":"in","values":[1],"negate":false}]}]}
            """),
        ["sampling ratio"] = (flag => flag.SamplingRatio(10), """{"samplingRatio":10}"""),
        ["exclude"] = (flag => flag.ExcludeFromSummaries(true), """{"excludeFromSummaries":true}"""),
        ["migration"] = (flag => flag.MigrationCheckRatio(3), """{"migration":{"checkRatio":3}}"""),
    };

    private readonly TestData _data = new();
    private readonly Context _ada = Context.Builder("ada").Set("country", "se").Build();
    private readonly Context _bob = Context.Builder("bob").Set("country", "no").Build();

    public static TheoryData<string> Built() => [.. s_built.Keys];

    public void Dispose()
    {
        _data.Dispose();
        _ada.Dispose();
        _bob.Dispose();
    }

    [Theory]
    [MemberData(nameof(Built))]
    public void The_builder_composes_what_its_calls_describe(string name)
    {
        (Func<FlagBuilder, FlagBuilder> build, string members) = s_built[name];
        FlagBuilder flag = _data.Flag("f");
        Assert.Same(flag, build(flag));
        Dictionary<string, string> expected = new(s_new);
        foreach (JsonProperty member in Json(members).EnumerateObject())
        {
            expected[member.Name] = member.Value.GetRawText().Replace("\n", "", StringComparison.Ordinal);
        }
        Assert.Equal(expected, Members(flag));
        _data.Update(flag);
        Assert.Equal(expected, Members(_data.Flag("f")));
    }

    [Fact]
    public async Task A_built_flag_is_served_as_it_was_built()
    {
        _data.Update(_data.Flag("f").Variations("none", "targeted", "matched", "off").OffVariation(3).FallthroughVariation(0)
            .VariationForUser("ada", 1).IfMatch("country", "no").ThenReturn(2));
        await using FlagstoneClient client = await StartAsync();
        EvaluationDetail<string> bob = client.StringVariationDetail("f", _bob, "");
        Assert.Equal(
            ("targeted", "matched", "none"),
            (client.StringVariation("f", _ada, ""), bob.Value, client.StringVariation("f", Context.New("eve"), "")));
        Assert.Equal("""{"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"rule0"}""", bob.Reason.ToJsonString());
        _data.Update(_data.Flag("f").On(false));
        Assert.Equal("off", client.StringVariation("f", _ada, ""));
    }

    [Fact]
    public void A_flag_is_a_copy_of_what_was_committed_last()
    {
        FlagBuilder mine = _data.Flag("f").VariationForUser("ada", false).IfMatch("a", 1).ThenReturn(true)
            .SamplingRatio(7).ExcludeFromSummaries(true).MigrationCheckRatio(2);
        Assert.Equal(s_new, Members(_data.Flag("f")));
        _data.Update(mine);
        string committed = mine.ToJson();
        mine.VariationForUser("bob", false).On(false).IfMatch("b", 2).ThenReturn(true).SamplingRatio(2);
        Assert.NotEqual(committed, mine.ToJson());
        Assert.Equal(committed, _data.Flag("f").ToJson());
        FlagBuilder copy = _data.Flag("f").VariationForUser("ada", true).ClearRules();
        Assert.Equal(committed, _data.Flag("f").ToJson());
        _data.Update(copy);
        Assert.Equal(copy.ToJson(), _data.Flag("f").ToJson());
        _data.SetFlag(Flags.Bool("f", 1, true).Json);
        Assert.Equal(s_new, Members(_data.Flag("f")));
        _data.Update(mine).DeleteFlag("f");
        Assert.Equal(s_new, Members(_data.Flag("f")));
    }

    [Fact]
    public async Task Every_client_has_a_change_when_the_call_returns()
    {
        FlagstoneClient[] clients = [await StartAsync(), await StartAsync(), await StartAsync()];
        for (int round = 0; round < 50; round++)
        {
            _data.Update(_data.Flag("f").ValueForAll(round));
            Assert.All(clients, client => Assert.Equal(round, client.IntVariation("f", _ada, -1)));
        }
        _data.SetFlag(Json(Flags.Value("g", 1, "\"x\"").Json)).SetFlag(Flags.Value("h", 1, "\"y\"").Json);
        Assert.All(clients, client => Assert.Equal(
            "xy", client.StringVariation("g", _ada, "") + client.StringVariation("h", _ada, "")));
        _data.DeleteFlag("g").DeleteFlag("never.there");
        Assert.All(clients, client => Assert.Equal("gone", client.StringVariation("g", _ada, "gone")));
        foreach (FlagstoneClient client in clients)
        {
            await client.DisposeAsync();
        }
        _data.Update(_data.Flag("f").ValueForAll("after"));
        Assert.All(clients, client => Assert.Equal(49, client.IntVariation("f", _ada, -1)));
    }

    [Fact]
    public async Task Versions_are_raised_and_handlers_hear_of_them()
    {
        ConcurrentQueue<(string, long?, long?)> heard = new();
        await using FlagstoneClient client = await StartAsync();
        client.FlagChanged += (_, change) => heard.Enqueue((change.Key, change.OldVersion, change.NewVersion));
        _data.Update(_data.Flag("f")).SetFlag(Flags.Bool("f", 9, false).Json).Update(_data.Flag("f"));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Count >= 3));
        Assert.Equal([("f", null, 1), ("f", 1, 9), ("f", 9, 10)], heard);
    }

    [Fact]
    public async Task A_segment_decides_a_rule()
    {
        const string Rule = """
            "rules":[{"id":"r","variation":1,"clauses":[{"attribute":"","op":"segmentMatch","values":["some"]}]}]
            """;
        _data.SetSegment(Segment("ada")).SetFlag(Flags.With("f", 1, Rule, "\"no\"", "\"yes\"").Json);
        await using FlagstoneClient client = await StartAsync();
        Assert.Equal(("yes", "no"), Answers());
        _data.SetSegment(Json(Segment("bob")));
        Assert.Equal(("no", "yes"), Answers());
        _data.DeleteSegment("some").DeleteSegment("never.there");
        Assert.Equal(("no", "no"), Answers());

        static string Segment(string key) =>
            $$"""{"key":"some","version":1,"included":["{{key}}"],"excluded":[],"rules":[],"salt":"s"}""";

        (string, string) Answers() => (client.StringVariation("f", _ada, ""), client.StringVariation("f", _bob, ""));
    }

    [Fact]
    public async Task A_status_that_is_set_is_the_status_of_every_client()
    {
        ConcurrentQueue<StatusChangedEventArgs> heard = new();
        await using FlagstoneClient client = await StartAsync();
        client.StatusChanged += (_, change) => heard.Enqueue(change);
        foreach (DataSourceErrorKind kind in Enum.GetValues<DataSourceErrorKind>())
        {
            Assert.Same(_data, _data.SetStatus(DataSourceState.Interrupted, kind, 503, $"not now, åäö {kind}"));
            DataSourceStatus source = client.DataSourceStatus!;
            Assert.Equal((DataSourceState.Interrupted, DataSourceState.Interrupted), (client.State, source.State));
            DataSourceError error = source.LastError!;
            Assert.Equal((kind, 503, $"not now, åäö {kind}"), (error.Kind, error.HttpStatus, error.Message));
            // The notification says the same in another form.
            Assert.True(await Eventually.IsTrueAsync(() => source.Equals(heard.LastOrDefault()?.DataSource)), $"{kind}");
            Assert.Equal(source, client.GetStatus().DataSource);
        }
        _data.Update(_data.Flag("f"));
        Assert.True(client.BoolVariation("f", _ada), "changes go on");
        _data.SetStatus(DataSourceState.Valid);
        Assert.True(await client.WaitAsync(DataSourceState.Valid, s_long));
        _data.SetStatus(DataSourceState.Off, message: "the end");
        Assert.True(await client.WaitAsync(DataSourceState.Off, s_long));
        DataSourceError last = client.DataSourceStatus!.LastError!;
        Assert.Equal(("the end", null), (last.Message, last.HttpStatus));
        // It has delivered: it is ready, and no other state will come.
        Assert.True(await client.StartAsync(TimeSpan.Zero));
        Assert.False(await client.WaitAsync(DataSourceState.Valid, TimeSpan.FromMinutes(5)).WaitAsync(s_long));
    }

    [Fact]
    public async Task What_cannot_be_set_is_refused_and_changes_nothing()
    {
        _data.Update(_data.Flag("f").ValueForAll("kept"));
        await using FlagstoneClient client = await StartAsync();
        Refused<ArgumentException>(() => _data.SetFlag("{oops"));
        Refused<ArgumentException>(() => _data.SetFlag(""));
        Refused<ArgumentException>(() => _data.SetFlag("[]"));
        Refused<ArgumentException>(() => _data.SetFlag("""{"version":1}"""));
        Refused<ArgumentException>(() => _data.SetFlag("""{"key":"","version":1}"""));
        Refused<ArgumentException>(() => _data.SetFlag("""{"key":"f","variations":3}"""));
        Refused<ArgumentException>(() => _data.SetFlag("{\"key\":\"\ud800\"}"));
        Refused<ArgumentException>(() => _data.SetFlag(default(JsonElement)));
        Refused<ArgumentException>(() => _data.SetSegment("""{"key":3}"""));
        Refused<ArgumentException>(() => _data.SetSegment(default(JsonElement)));
        Refused<ArgumentException>(() => _data.DeleteFlag("\ud800"));
        Refused<ArgumentException>(() => _data.DeleteSegment("\ud800"));
        Refused<ArgumentException>(() => _data.SetStatus(DataSourceState.Initializing));
        Refused<ArgumentException>(() => _data.SetStatus(DataSourceState.Unknown));
        Refused<ArgumentException>(() => _data.SetStatus(DataSourceState.Off, (DataSourceErrorKind)99));
        Refused<ArgumentException>(() => _data.SetStatus(DataSourceState.Off, message: "\ud800"));
        Refused<ArgumentException>(() => _data.Update(_data.Flag("")));
        Refused<ArgumentException>(() => _data.Update(_data.Flag("\ud800")));
        Refused<ArgumentException>(() => _data.Update(_data.Flag("f").VariationForUser("\ud800", true)));
        Refused<ArgumentException>(() => _data.Update(_data.Flag("f").IfMatch("\ud800").ThenReturn(0)));
        Refused<ArgumentException>(() => _data.Update(_data.Flag("f").VariationForKey(ContextKind.Of("\ud800"), "k", 0)));
        Refused<ArgumentException>(() => _data.Flag("f").Variations("\ud800"));
        Refused<ArgumentException>(() => _data.Flag("f").IfMatch("a", double.NaN));
        Refused<ArgumentNullException>(() => _data.SetFlag(null!));
        Refused<ArgumentNullException>(() => _data.SetSegment(null!));
        Refused<ArgumentNullException>(() => _data.DeleteFlag(null!));
        Refused<ArgumentNullException>(() => _data.DeleteSegment(null!));
        Refused<ArgumentNullException>(() => _data.SetStatus(DataSourceState.Off, message: null!));
        Refused<ArgumentNullException>(() => _data.Flag(null!));
        Refused<ArgumentNullException>(() => _data.Update(null!));
        Refused<ArgumentNullException>(() => _data.Flag("f").Variations(null!));
        Refused<ArgumentNullException>(() => _data.Flag("f").IfMatch(null!));
        Refused<ArgumentNullException>(() => _data.Flag("f").VariationForUser(null!, 1));

        void Refused<T>(Func<object> call, [CallerArgumentExpression(nameof(call))] string what = "")
            where T : ArgumentException
        {
            // The very type: a subtype of it would say something else.
            Assert.True(Record.Exception(() => call())?.GetType() == typeof(T), what);
            Assert.Equal("kept", client.StringVariation("f", _ada, ""));
            Assert.Equal(DataSourceState.Valid, client.State);
            Assert.Equal("[\"kept\"]", Members(_data.Flag("f"))["variations"]);
        }
    }

    [Fact]
    public async Task Threads_may_set_at_once()
    {
        await using FlagstoneClient client = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(number => Task.Run(() =>
        {
            for (int round = 0; round < 50; round++)
            {
                _data.Update(_data.Flag($"f{number}").ValueForAll(round));
            }
        })));
        Assert.All(Enumerable.Range(0, 4), number => Assert.Equal(49, client.IntVariation($"f{number}", _ada, -1)));
    }

    [Fact]
    public async Task After_dispose_clients_keep_the_data_and_nothing_can_be_set()
    {
        _data.Update(_data.Flag("f").ValueForAll("kept"));
        FlagstoneOptions options = new() { TestData = _data };
        FlagBuilder builder = _data.Flag("f");
        await using FlagstoneClient client = await StartAsync();
        await using FlagstoneClient late = new(options);
        _data.Dispose();
        _data.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.True(await late.StartAsync(s_long));
        Assert.Equal(("kept", "kept"), (client.StringVariation("f", _ada, ""), late.StringVariation("f", _ada, "")));
        foreach (Action call in (Action[])
        [
            () => _data.Update(builder), () => _data.SetFlag("{}"), () => _data.SetSegment("{}"), () => _data.DeleteFlag("f"),
            () => _data.DeleteSegment("f"), () => _data.SetStatus(DataSourceState.Valid), () => _ = new FlagstoneClient(options),
        ])
        {
            Assert.Equal(nameof(TestData), Assert.Throws<ObjectDisposedException>(call).ObjectName);
        }
    }

    [Fact]
    public async Task Disposing_while_others_set_is_safe()
    {
        for (int round = 0; round < 20; round++)
        {
            TestData data = new();
            await using FlagstoneClient client = new(new FlagstoneOptions { TestData = data });
            Assert.True(await client.StartAsync(s_long));
            Task[] setting = [.. Enumerable.Range(0, 4).Select(number => Task.Run(() =>
            {
                for (int value = 0; ; value++)
                {
                    data.Update(data.Flag($"f{number}").ValueForAll(value));
                }
            }))];
            Assert.True(await Eventually.IsTrueAsync(() => client.IntVariation("f0", _ada, 0) > 3));
            data.Dispose();
            foreach (Task task in setting)
            {
                await Assert.ThrowsAsync<ObjectDisposedException>(() => task.WaitAsync(s_long));
            }
        }
    }

    [Fact]
    public async Task Test_data_fill_memory_only()
    {
        _data.Update(_data.Flag("f"));
        await using FlagstoneClient client = new(new FlagstoneOptions
        {
            SdkKey = LaunchDarkly.SdkKey,
            EndpointsRelay = "http://127.0.0.1:1",
            TestData = _data,
        });
        Assert.True(await client.StartAsync(s_long));
        Assert.True(client.BoolVariation("f", _ada));
        Assert.Equal(new DataStoreStatus(true, null), client.StoreStatus);
    }

    [Fact]
    public void Values_say_what_they_are()
    {
        TestDataValue one = 1;
        TestDataValue same = 1L;
        TestDataValue other = "1";
        Assert.True(one == same && one.Equals((object)same) && one != other && !one.Equals(null));
        Assert.Equal(one.GetHashCode(), same.GetHashCode());
        Assert.Equal(("1", "\"1\"", "null"), (one.ToString(), other.ToString(), default(TestDataValue).ToString()));
        Assert.Equal("FlagBuilder(f)", _data.Flag("f").ToString());
    }

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text);

    private static Dictionary<string, string> Members(FlagBuilder flag) =>
        Json(flag.ToJson()).EnumerateObject().ToDictionary(member => member.Name, member => member.Value.GetRawText());

    private async Task<FlagstoneClient> StartAsync()
    {
        FlagstoneClient client = new(new FlagstoneOptions { TestData = _data });
        Assert.True(await client.StartAsync(s_long));
        return client;
    }
}
