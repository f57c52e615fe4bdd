// Evaluation: types, defaults, reasons; it never throws.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class EvaluationTests(RedisServer server) : IAsyncLifetime
{
    private const string Rule = """
        "rules":[{"variation":1,"id":"r1","clauses":[{"attribute":"key","op":"in","values":["ada"]}]}]
        """;

    private readonly TestEnvironment _environment = new(server);
    private readonly Context _ada = Context.New("ada");
    private FlagstoneClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _environment.Write(
            Flags.Bool("yes", 1, true),
            Flags.With("no", 1, "\"on\":false", "false"),
            Flags.Value("text", 1, "\"grüße\\u0000!\""),
            Flags.Value("json", 1, """{"a":[1,2.5,null,true],"b":{"c":"d"}}"""),
            Flags.Value("null", 1, "null"),
            Flags.With("rule", 1, Rule, "\"no\"", "\"yes\""),
            Flags.With("blocked", 1, "\"prerequisites\":[{\"key\":\"no\",\"variation\":0}]", "true"),
            ("broken", "{oops"),
            Flags.Value("int", 1, "3"),
            Flags.Value("fraction", 1, "3.7"),
            Flags.Value("negative", 1, "-3.7"),
            Flags.Value("below-half", 1, "2.25"),
            Flags.Value("half", 1, "0.5"),
            Flags.Value("one-and-half", 1, "1.5"),
            Flags.Value("two-and-half", 1, "2.5"),
            Flags.Value("minus-half", 1, "-2.5"),
            Flags.Value("almost-half", 1, "0.49999999999999994"),
            Flags.Value("largest", 1, "2147483646.5"),
            Flags.Value("beyond", 1, "2147483647.5"),
            Flags.Value("lowest", 1, "-2147483648.5"),
            Flags.Value("huge", 1, "1e300"),
            Flags.Value("minus-huge", 1, "-1e300"),
            Flags.Value("long", 1, new string('9', 30)),
            Flags.Value("exact", 1, "1234567890123456789"),
            Flags.Value("deep", 1, new string('[', 100) + new string(']', 100)));
        _client = await _environment.StartAsync();
    }

    public ValueTask DisposeAsync()
    {
        _environment.Dispose();
        _ada.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void A_prepared_flag_whose_default_cannot_be_read_names_the_default()
    {
        JsonElement none = JsonSerializer.Deserialize<JsonElement>("\"\\ud800\"");
        Assert.Equal("defaultValue", Assert.Throws<ArgumentException>(() => _client.JsonFlag("json", none)).ParamName);
        Assert.Equal("key", Assert.Throws<ArgumentException>(() => _client.JsonFlag("\ud800", default)).ParamName);
    }

    [Fact]
    public void Every_type_comes_back_by_string_key_by_utf8_key_and_prepared()
    {
        Assert.True(_client.BoolVariation("yes", _ada));
        Assert.True(_client.BoolVariation("yes"u8, _ada));
        Assert.True(_client.BoolFlag("yes").Value(_ada));
        Assert.Equal(3, _client.IntVariation("int", _ada, 0));
        Assert.Equal(3, _client.IntVariation("int"u8, _ada, 0));
        Assert.Equal(3, _client.IntFlag("int", 0).Value(_ada));
        Assert.Equal(3.7, _client.DoubleVariation("fraction", _ada, 0));
        Assert.Equal(3.7, _client.DoubleVariation("fraction"u8, _ada, 0));
        Assert.Equal(3.7, _client.DoubleFlag("fraction", 0).Value(_ada));
        Assert.Equal("grüße\0!", _client.StringVariation("text", _ada, ""));
        Assert.Equal("grüße\0!", _client.StringVariation("text"u8, _ada, ""));
        Assert.Equal("grüße\0!", _client.StringFlag("text", "").Value(_ada));
        string json = """{"a":[1,2.5,null,true],"b":{"c":"d"}}""";
        Assert.Equal(json, _client.JsonVariation("json", _ada, default).GetRawText());
        Assert.Equal(json, _client.JsonVariation("json"u8, _ada, default).GetRawText());
        Assert.Equal(json, _client.JsonFlag("json", default).Value(_ada).GetRawText());
    }

    [Fact]
    public void Details_agree_with_values_in_every_way_of_asking()
    {
        foreach (string key in (string[])["yes", "no", "text", "int", "fraction", "huge", "json", "null", "missing", "broken", ""])
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(key);
            Same(_client.BoolVariationDetail(key, _ada, true), _client.BoolVariationDetail(utf8, _ada, true),
                _client.BoolFlag(key, true).Detail(_ada), _client.BoolVariation(key, _ada, true));
            Same(_client.IntVariationDetail(key, _ada, 7), _client.IntVariationDetail(utf8, _ada, 7),
                _client.IntFlag(key, 7).Detail(_ada), _client.IntVariation(key, _ada, 7));
            Same(_client.DoubleVariationDetail(key, _ada, 7.5), _client.DoubleVariationDetail(utf8, _ada, 7.5),
                _client.DoubleFlag(key, 7.5).Detail(_ada), _client.DoubleVariation(key, _ada, 7.5));
            Same(_client.StringVariationDetail(key, _ada, "x"), _client.StringVariationDetail(utf8, _ada, "x"),
                _client.StringFlag(key, "x").Detail(_ada), _client.StringVariation(key, _ada, "x"));
            EvaluationDetail<JsonElement> any = _client.JsonVariationDetail(key, _ada, default);
            Assert.Equal(any.Reason, _client.JsonFlag(key, default).Detail(_ada).Reason);
            Assert.Equal(any.Value.ToString(), _client.JsonVariation(utf8, _ada, default).ToString());
        }

        static void Same<T>(EvaluationDetail<T> one, EvaluationDetail<T> other, EvaluationDetail<T> prepared, T value)
        {
            Assert.Equal(one, other);
            Assert.Equal(one, prepared);
            Assert.Equal(one.Value, value);
        }
    }

    [Fact]
    public void Ints_are_rounded_half_to_even_and_saturated()
    {
        foreach ((string key, int expected) in new[]
        {
            ("int", 3), ("below-half", 2), ("fraction", 4), ("negative", -4),
            ("half", 0), ("one-and-half", 2), ("two-and-half", 2), ("minus-half", -2), ("almost-half", 0),
            ("largest", int.MaxValue - 1), ("beyond", int.MaxValue), ("lowest", int.MinValue),
            ("huge", int.MaxValue), ("minus-huge", int.MinValue), ("long", int.MaxValue),
        })
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(key);
            Assert.Equal(expected, _client.IntVariation(key, _ada, 0));
            Assert.Equal(expected, _client.IntVariation(utf8, _ada, 0));
            Assert.Equal(expected, _client.IntVariationDetail(key, _ada, 0).Value);
            Assert.Equal(expected, _client.IntVariationDetail(utf8, _ada, 0).Value);
            Assert.Equal(expected, _client.IntFlag(key, 0).Value(_ada));
            Assert.Equal(expected, _client.IntFlag(key, 0).Detail(_ada).Value);
        }
        foreach (int extreme in (int[])[int.MinValue, -1, int.MaxValue])
        {
            Assert.Equal(extreme, _client.IntVariation("missing", _ada, extreme));
            Assert.Equal(extreme, _client.IntFlag("missing", extreme).Value(_ada));
        }
    }

    [Fact]
    public void Longs_are_exact_over_64_bits_and_rounded_by_the_same_rule()
    {
        foreach ((string key, long expected) in new[]
        {
            ("int", 3L), ("exact", 1234567890123456789), ("below-half", 2), ("fraction", 4), ("negative", -4), ("two-and-half", 2),
            ("beyond", 2147483648), ("lowest", -2147483648), ("huge", long.MaxValue), ("minus-huge", long.MinValue),
            ("long", long.MaxValue),
        })
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(key);
            Assert.Equal(expected, _client.LongVariation(key, _ada, 0));
            Assert.Equal(expected, _client.LongVariation(utf8, _ada, 0));
            Assert.Equal(expected, _client.LongVariationDetail(key, _ada, 0).Value);
            Assert.Equal(expected, _client.LongVariationDetail(utf8, _ada, 0).Value);
            Assert.Equal(expected, _client.LongFlag(key, 0).Value(_ada));
            Assert.Equal(expected, _client.LongFlag(key, 0).Detail(_ada).Value);
        }
        foreach (long extreme in (long[])[long.MinValue, 1234567890123456789, long.MaxValue])
        {
            Assert.Equal(extreme, _client.LongVariation("missing", _ada, extreme));
            Assert.Equal(extreme, _client.LongFlag("missing", extreme).Value(_ada));
            Assert.Equal(extreme, _client.LongFlag("missing", extreme).Detail(_ada).Value);
            Assert.Equal(extreme, _client.LongVariationDetail("text", _ada, extreme).Value);
        }
    }

    [Fact]
    public async Task Integers_are_truncated_where_the_option_says_so()
    {
        FlagstoneClient client = await _environment.StartAsync(
            options => options.EvaluationIntegerRounding = IntegerRounding.Truncate);
        Assert.Equal((3, -3L), (client.IntVariation("fraction", _ada, 0), client.LongVariation("negative", _ada, 0)));
        Assert.Equal((3, -3L), (client.IntFlag("fraction", 0).Value(_ada), client.LongFlag("negative", 0).Detail(_ada).Value));
    }

    [Fact]
    public void Defaults_survive_every_way_unchanged()
    {
        foreach (double value in (double[])[double.Epsilon, double.MaxValue, -0.0, 0.1, 1.0 / 3])
        {
            Assert.Equal(value, _client.DoubleFlag("missing", value).Value(_ada));
            Assert.Equal(value, _client.DoubleVariation("missing", _ada, value));
        }
        Assert.True(double.IsNaN(_client.DoubleVariation("missing", _ada, double.NaN)));
        Assert.Throws<ArgumentException>(() => _client.DoubleFlag("missing", double.NaN));
        Assert.Null(_client.StringVariation("missing", _ada, null!));
        Assert.Null(_client.StringFlag("missing", null!).Value(_ada));
        string odd = "\"\\\0\u2028😀";
        Assert.Equal(odd, _client.StringFlag("missing", odd).Value(_ada));
    }

    [Fact]
    public void Reasons_have_the_json_form_of_launchdarkly()
    {
        Dictionary<string, (string Json, string Text)> reasons = new()
        {
            ["rule"] = ("""{"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"r1"}""", "RULE_MATCH(0,r1)"),
            ["yes"] = ("""{"kind":"FALLTHROUGH"}""", "FALLTHROUGH"),
            ["no"] = ("""{"kind":"OFF"}""", "OFF"),
            ["blocked"] = ("""{"kind":"PREREQUISITE_FAILED","prerequisiteKey":"no"}""", "PREREQUISITE_FAILED(no)"),
            ["missing"] = ("""{"kind":"ERROR","errorKind":"FLAG_NOT_FOUND"}""", "ERROR(FLAG_NOT_FOUND)"),
            ["broken"] = ("""{"kind":"ERROR","errorKind":"EXCEPTION"}""", "ERROR(EXCEPTION)"),
        };
        foreach ((string key, (string json, string text)) in reasons)
        {
            EvaluationDetail<JsonElement> detail = _client.JsonVariationDetail(key, _ada, default);
            Assert.Equal(json, detail.Reason.ToJsonString());
            Assert.Equal(text, detail.Reason.ToString());
            Assert.Equal(detail.VariationIndex is null, detail.IsDefaultValue);
        }
        EvaluationDetail<string> rule = _client.StringVariationDetail("rule", _ada, "");
        Assert.Equal(("yes", 1, 0, "r1"), (rule.Value, rule.VariationIndex, rule.Reason.RuleIndex, rule.Reason.RuleId));
        Assert.False(rule.IsStale);
    }

    [Fact]
    public void Another_type_gives_the_default()
    {
        Assert.True(_client.BoolVariation("text", _ada, true));
        Assert.Equal(7, _client.IntVariation("text", _ada, 7));
        Assert.Equal(7.5, _client.DoubleVariation("yes", _ada, 7.5));
        Assert.Equal("x", _client.StringVariation("int", _ada, "x"));
        Assert.Equal(EvaluationErrorKind.WrongType, _client.StringVariationDetail("int", _ada, "x").Reason.ErrorKind);
        Assert.True(_client.BoolFlag("text", true).Value(_ada));
    }

    [Fact]
    public void Json_takes_any_type_and_keeps_numbers_as_written()
    {
        Assert.Equal(JsonValueKind.True, _client.JsonVariation("yes", _ada, default).ValueKind);
        Assert.Equal(new string('9', 30), _client.JsonVariation("long", _ada, default).GetRawText());
        Assert.Equal("grüße\0!", _client.JsonVariation("text", _ada, default).GetString());
        EvaluationDetail<JsonElement> none = _client.JsonVariationDetail("null", _ada, default);
        Assert.Equal(JsonValueKind.Null, none.Value.ValueKind);
        Assert.Equal(0, none.VariationIndex);
        Assert.Equal(JsonValueKind.Undefined, _client.JsonVariation("missing", _ada, default).ValueKind);
        Assert.Equal(JsonValueKind.Array, _client.JsonVariation("deep", _ada, default).ValueKind);
    }

    [Fact]
    public void Many_flags_come_in_one_call()
    {
        string[] keys = ["yes", "text", "missing", "json", "int", "null", "yes", "\ud800", ""];
        IReadOnlyDictionary<string, EvaluationDetail<JsonElement>> found = _client.VariationMany(keys, _ada);
        Assert.Equal(8, found.Count);
        foreach (string key in (string[])["yes", "text", "missing", "json", "int", "null", ""])
        {
            EvaluationDetail<JsonElement> single = _client.JsonVariationDetail(key, _ada, default);
            Assert.Equal(single.Reason, found[key].Reason);
            Assert.Equal(single.VariationIndex, found[key].VariationIndex);
            Assert.Equal(single.Value.ToString(), found[key].Value.ToString());
            Assert.Equal(single.Value.ValueKind, found[key].Value.ValueKind);
        }
        Assert.Equal(EvaluationErrorKind.Exception, found["\ud800"].Reason.ErrorKind);
        Assert.Empty(_client.VariationMany([], _ada));
        Assert.Equal(EvaluationErrorKind.UserNotSpecified, _client.VariationMany(["yes"], null)["yes"].Reason.ErrorKind);
    }

    [Fact]
    public void No_context_gives_the_default_and_says_so()
    {
        Assert.True(_client.BoolVariation("no", null, true));
        Assert.Equal(7, _client.IntVariation("int", null, 7));
        Assert.Equal(7.5, _client.DoubleVariation("int"u8, null, 7.5));
        Assert.Equal("x", _client.StringVariation("text", null, "x"));
        Assert.Equal(JsonValueKind.Undefined, _client.JsonVariation("json", null, default).ValueKind);
        Assert.True(_client.BoolFlag("no", true).Value(null));
        Assert.Equal(7, _client.IntFlag("int", 7).Value(null));
        Assert.Equal("x", _client.StringFlag("text", "x").Value(null));
        EvaluationReason expected = new(EvaluationReasonKind.Error, EvaluationErrorKind.UserNotSpecified);
        Assert.Equal(expected, _client.BoolVariationDetail("yes", null).Reason);
        Assert.Equal(expected, _client.BoolFlag("yes").Detail(null).Reason);
    }

    [Fact]
    public void A_context_outlives_its_scope()
    {
        Context built = Context.Builder("ada").Set("plan", "team").Build();
        Context[] contexts =
        [
            Context.New("ada"), built, Context.FromJson("""{"kind":"user","key":"ada"}"""),
            Context.NewMulti(Context.New("ada"), Context.New(ContextKind.Of("org"), "acme")),
        ];
        foreach (Context context in contexts)
        {
            string form = context.ToJsonString();
            for (int round = 0; round < 3; round++)
            {
                using (context)
                {
                }
                context.Dispose();
                Assert.Equal("yes", _client.StringVariation("rule", context, ""));
                Assert.Equal("yes", _client.StringFlag("rule", "").Value(context));
                Assert.True(_client.BoolVariation("yes", context));
                context.Dispose();
                Assert.Equal(EvaluationReasonKind.RuleMatch, _client.StringVariationDetail("rule", context, "").Reason.Kind);
                Assert.Equal(form, context.ToJsonString());
            }
        }
        built.Dispose();
        Context joined = Context.NewMulti(built, Context.New(ContextKind.Of("org"), "acme"));
        built.Dispose();
        joined.Dispose();
        Assert.Equal("yes", _client.StringVariation("rule", joined, ""));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_logger_that_throws_harms_nobody(bool whenAsked)
    {
        using BrokenLogger logger = new(whenAsked);
        FlagstoneClient client = await _environment.StartAsync(options => options.LoggerFactory = logger);
        bool raised = false;
        client.FlagChanged += (_, _) => Volatile.Write(ref raised, true);
        client.FlagChanged += (_, _) => throw new InvalidOperationException("by a handler");
        Assert.True(client.BoolVariation("yes", null, true));
        Assert.True(client.BoolVariation("\ud800", _ada, true));
        Assert.Equal(EvaluationErrorKind.Exception, client.BoolVariationDetail((string)null!, _ada).Reason.ErrorKind);
        Assert.Equal("x", client.StringFlag("text", "x").Value(null));
        Assert.Empty(client.VariationMany([null!], null));
        _environment.Write(Flags.Bool("yes", 2, true));
        Assert.True(await Eventually.IsTrueAsync(() => Volatile.Read(ref raised)));
        Assert.True(logger.Calls > 0);
    }

    [Theory]
    [InlineData("lone surrogate", EvaluationErrorKind.Exception)]
    [InlineData(null, EvaluationErrorKind.Exception)]
    [InlineData("", EvaluationErrorKind.FlagNotFound)]
    [InlineData("a\0b", EvaluationErrorKind.FlagNotFound)]
    [InlineData("300", EvaluationErrorKind.FlagNotFound)]
    [InlineData("1000000", EvaluationErrorKind.FlagNotFound)]
    [InlineData("17000000", EvaluationErrorKind.Exception)]
    public void A_key_that_is_none_gives_the_default(string? key, EvaluationErrorKind expected)
    {
        if (int.TryParse(key, out int length))
        {
            key = new string('ä', length);
        }
        else if (key == "lone surrogate")
        {
            // Not in the attribute: the compiler would replace it.
            key = "a\udfffb";
        }
        Assert.True(_client.BoolVariation(key!, _ada, true));
        Assert.False(_client.BoolVariation(key!, _ada, false));
        Assert.Equal(7, _client.IntVariation(key!, _ada, 7));
        Assert.Equal(7.5, _client.DoubleVariation(key!, _ada, 7.5));
        Assert.Equal("x", _client.StringVariation(key!, _ada, "x"));
        Assert.Equal(expected, _client.BoolVariationDetail(key!, _ada).Reason.ErrorKind);
        if (key is not null)
        {
            Assert.Equal(expected, _client.VariationMany([key], _ada)[key].Reason.ErrorKind);
        }
    }

    [Fact]
    public async Task Keys_that_are_null_among_many_are_told()
    {
        ListLogger logger = new();
        FlagstoneClient client = await _environment.StartAsync(options => options.LoggerFactory = logger);
        Assert.Equal(["yes"], client.VariationMany([null!, "yes", null!], _ada).Keys);
        Assert.Single(logger.Lines, line => line.Text.Contains("its key is null", StringComparison.Ordinal));
    }

    [Fact]
    public void Bytes_that_are_no_utf8_give_the_default()
    {
        byte[] bad = [0xff, 0xfe];
        Assert.True(_client.BoolVariation(bad, _ada, true));
        Assert.Equal(7, _client.IntVariation(bad, _ada, 7));
        Assert.Equal(EvaluationErrorKind.Exception, _client.BoolVariationDetail(bad, _ada).Reason.ErrorKind);
        Assert.Equal(EvaluationErrorKind.FlagNotFound, _client.BoolVariationDetail(default(ReadOnlySpan<byte>), _ada).Reason.ErrorKind);
    }

    [Fact]
    public async Task Long_keys_find_their_flag()
    {
        string key = new('k', 1000);
        _environment.Write(Flags.Bool(key, 1, true));
        Assert.True(await Eventually.IsTrueAsync(() => _client.BoolVariation(key, _ada)));
        Assert.True(_client.BoolVariationDetail(key, _ada).Value);
    }

    [Fact]
    public async Task Misuse_is_logged_once_per_client_and_kind()
    {
        ListLogger logger = new();
        FlagstoneClient client = await _environment.StartAsync(options => options.LoggerFactory = logger);
        for (int round = 0; round < 5; round++)
        {
            client.BoolVariation("yes", null);
            client.BoolVariation("\ud800", _ada);
        }
        Assert.Single(logger.Lines, line => line.Text.Contains("context", StringComparison.Ordinal));
        Assert.Single(logger.Lines, line => line.Text.Contains("UTF-8", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(CacheResidency.All)]
    [InlineData(CacheResidency.Lazy)]
    [InlineData(CacheResidency.Off)]
    public async Task Every_residency_gives_the_same_answers(CacheResidency residency)
    {
        FlagstoneClient client = await _environment.StartAsync(options => options.CacheResidency = residency);
        for (int round = 0; round < 3; round++)
        {
            Assert.True(client.BoolVariation("yes", _ada));
            Assert.Equal(3, client.IntVariation("int", _ada, 0));
            Assert.True(client.BoolFlag("yes").Value(_ada));
            Assert.Equal("grüße\0!", client.VariationMany(["text", "none"], _ada)["text"].Value.GetString());
            Assert.Equal(EvaluationErrorKind.FlagNotFound, client.IntVariationDetail("none", _ada, 1).Reason.ErrorKind);
        }
    }

    [Fact]
    public void A_prepared_flag_refuses_a_key_that_is_none()
    {
        Assert.Throws<ArgumentException>(() => _client.BoolFlag("\ud800"));
        Assert.Throws<ArgumentNullException>(() => _client.BoolFlag(null!));
        Flag<bool> flag = _client.BoolFlag("yes", true);
        Assert.Equal(("yes", true, "yes"), (flag.Key, flag.DefaultValue, flag.ToString()));
    }
}
