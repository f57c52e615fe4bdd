// System.Text.Json writes and reads LaunchDarkly's forms; results are made and compared by hosts.
using System;
using System.Text.Json;
using System.Threading;
using Xunit;

namespace Flagstone.Tests;

public sealed class JsonTests
{
    [Theory]
    [InlineData("""{"kind":"org","key":"o","name":"N","tags":["x",1,null]}""")]
    [InlineData("""{"kind":"multi","org":{"key":"o"},"user":{"key":"u","email":"ä\u0000"}}""")]
    public void A_context_is_written_and_read_in_its_json_form(string json)
    {
        Context context = Context.FromJson(json);
        string written = JsonSerializer.Serialize(new Holder { Who = context });
        Assert.Equal($$"""{"Who":{{context.ToJsonString()}},"Why":null,"All":null}""", written);
        Assert.Equal(context, JsonSerializer.Deserialize<Holder>(written)!.Who);
        Assert.Equal(context, JsonSerializer.Deserialize<Context>(json));
        Assert.Null(JsonSerializer.Deserialize<Context>("null"));
    }

    [Theory]
    [InlineData("""{"Who":{"kind":"user"}}""")]
    [InlineData("""{"Who":3}""")]
    [InlineData("""{"Why":{"ruleIndex":1}}""")]
    [InlineData("""{"Why":[]}""")]
    [InlineData("""{"All":[]}""")]
    public void What_has_another_form_is_a_json_exception(string json)
    {
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Holder>(json));
    }

    [Fact]
    public void Reasons_are_written_and_read_in_their_json_form()
    {
        foreach (EvaluationReason reason in (EvaluationReason[])
        [
            new(EvaluationReasonKind.Off),
            new(EvaluationReasonKind.Fallthrough, inExperiment: true),
            new(EvaluationReasonKind.RuleMatch, ruleIndex: 2, ruleId: "r\"1", bigSegmentsStatus: BigSegmentsStatus.Stale),
            new(EvaluationReasonKind.PrerequisiteFailed, prerequisiteKey: "p"),
            new(EvaluationReasonKind.Error, EvaluationErrorKind.MalformedFlag),
        ])
        {
            string written = JsonSerializer.Serialize(reason);
            Assert.Equal(reason.ToJsonString(), written);
            Assert.Equal(reason, JsonSerializer.Deserialize<EvaluationReason>(written));
        }
        Assert.Equal(
            new EvaluationReason(EvaluationReasonKind.Unknown, EvaluationErrorKind.Unknown),
            JsonSerializer.Deserialize<EvaluationReason>("""{"kind":"NEW","errorKind":"NEWER","further":{}}"""));
        EvaluationDetail<int> detail = new(7, 1, new EvaluationReason(EvaluationReasonKind.TargetMatch), true);
        Assert.Equal(detail, JsonSerializer.Deserialize<EvaluationDetail<int>>(JsonSerializer.Serialize(detail)));
    }

    [Fact]
    public void The_state_of_all_flags_is_written_and_read_as_browsers_get_it()
    {
        const string Json = """{"flag":[1,2],"$flagsState":{"flag":{"version":3,"variation":0}},"$valid":true}""";
        AllFlagsState state = JsonSerializer.Deserialize<AllFlagsState>(Json)!;
        Assert.Equal((true, "[1,2]"), (state.Valid, state.GetValue("flag")!.Value.GetRawText()));
        Assert.Equal(Json, JsonSerializer.Serialize(state));
        Assert.True(JsonSerializer.Deserialize<AllFlagsState>("""{ "$valid" : true , "a": 1 }""")!.Valid);
        Assert.False(JsonSerializer.Deserialize<AllFlagsState>("""{"$valid":false}""")!.Valid);
    }

    [Fact]
    public void Results_are_made_compared_and_shown()
    {
        EvaluationReason rule = new(EvaluationReasonKind.RuleMatch, ruleIndex: 0, ruleId: "r1");
        EvaluationDetail<string> detail = new("yes", 1, rule);
        Assert.Equal("yes (1, RULE_MATCH(0,r1))", detail.ToString());
        Assert.Equal(detail, new EvaluationDetail<string>("yes", 1, rule));
        Assert.NotEqual(detail, new EvaluationDetail<string>("yes", 1, rule, isStale: true));
        Assert.Equal("1.5 (, OFF)", new EvaluationDetail<double>(1.5, null, new(EvaluationReasonKind.Off)).ToString());
        EvaluationDetail<JsonElement> json = Detail("""{"a":[1,"x"],"b":2}""");
        Assert.Equal(json, Detail("""{ "b": 2.0, "a": [1, "x"] }"""));
        Assert.Equal(json.GetHashCode(), Detail("""{"b":2,"a":[1,"x"]}""").GetHashCode());
        Assert.NotEqual(json, Detail("""{"a":[1,"y"],"b":2}"""));
        Assert.NotEqual(Detail("9007199254740993"), Detail("9007199254740992"));
        Assert.Equal(new EvaluationDetail<JsonElement>(default, null, rule), new EvaluationDetail<JsonElement>(default, null, rule));

        EvaluationDetail<JsonElement> Detail(string value) => new(JsonSerializer.Deserialize<JsonElement>(value), 0, rule);
    }

    [Fact]
    public void The_interface_has_every_public_member_of_the_client()
    {
        System.Reflection.InterfaceMapping map = typeof(FlagstoneClient).GetInterfaceMap(typeof(IFlagstoneClient));
        foreach (System.Reflection.MethodInfo method in typeof(FlagstoneClient).GetMethods(
            System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.DeclaredOnly))
        {
            Assert.True(
                method.Name.StartsWith("Dispose", StringComparison.Ordinal) || Array.IndexOf(map.TargetMethods, method) >= 0,
                $"{method} is not in the interface");
        }
    }

    [Theory]
    [InlineData("\"\\ud800\"", "\"\\udc00\"")]
    [InlineData("{\"\\ud800\":1}", "{\"\\ud800\":2}")]
    [InlineData("""{"a":1,"a":2}""", """{"a":2,"a":1}""")]
    public void Results_with_json_that_is_no_text_or_names_a_member_twice_equal_themselves(string json, string another)
    {
        EvaluationDetail<JsonElement> one = new(JsonSerializer.Deserialize<JsonElement>(json), 0, default);
        EvaluationDetail<JsonElement> same = new(JsonSerializer.Deserialize<JsonElement>(json), 0, default);
        Assert.Equal(one, same);
        Assert.Equal(one.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(one, new EvaluationDetail<JsonElement>(JsonSerializer.Deserialize<JsonElement>(another), 0, default));
        Assert.Equal($"{json} (0, OFF)", one.ToString());
    }

    [Fact]
    public void Results_with_json_that_is_nested_deeper_than_the_stack_can_be_compared()
    {
        EvaluationDetail<JsonElement> one = new(Nested(10_000), 0, default);
        EvaluationDetail<JsonElement> same = new(Nested(10_000), 0, default);
        EvaluationDetail<JsonElement> deeper = new(Nested(10_001), 0, default);
        bool[] equal = [];
        Thread small = new(() => equal = [one == same, one == deeper], maxStackSize: 1 << 20);
        small.Start();
        small.Join();
        Assert.Equal([true, false], equal);
    }

    private static JsonElement Nested(int depth)
    {
        using JsonDocument document = JsonDocument.Parse(
            new string('[', depth) + new string(']', depth), new JsonDocumentOptions { MaxDepth = depth });
        return document.RootElement.Clone();
    }

    private sealed class Holder
    {
        public Context? Who { get; set; }

        public EvaluationReason? Why { get; set; }

        public AllFlagsState? All { get; set; }
    }
}
