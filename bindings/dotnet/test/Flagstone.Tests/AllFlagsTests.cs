// The state of all flags and the secure mode hash.
using System;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class AllFlagsTests(RedisServer server) : IAsyncLifetime
{
    private const string SdkKey = "sdk-01234567-89ab-cdef-0123-456789abcdef";
    private const string Invalid = """{"$valid":false,"$flagsState":{}}""";

    private readonly TestEnvironment _environment = new(server);
    private readonly Context _ada = Context.New("ada");
    private readonly ListLogger _logger = new();
    private FlagstoneClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _environment.Write(
            Flags.With("text", 3, "\"clientSide\":true", "\"grün\""),
            Flags.Value("json", 2, """{"a":[1,2.5,null]}"""),
            Flags.With("tracked", 1, "\"clientSide\":true,\"trackEvents\":true", "true"),
            ("none", """{"key":"none","version":4,"on":false,"variations":[true],"salt":"s"}"""));
        _client = await _environment.StartAsync(options => options.LoggerFactory = _logger);
    }

    public ValueTask DisposeAsync()
    {
        _environment.Dispose();
        _ada.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void The_text_is_that_of_the_library()
    {
        const string Expected =
            """{"json":{"a":[1,2.5,null]},"none":null,"text":"grün","tracked":true,"$flagsState":{"""
            + """ "json":{"variation":0,"version":2},"none":{"version":4},"text":{"variation":0,"version":3}, """
            + """ "tracked":{"variation":0,"version":1,"trackEvents":true}},"$valid":true}""";
        AllFlagsState state = _client.AllFlagsState(_ada);
        Assert.True(state.Valid);
        Assert.Equal(Expected.Replace(" ", "", StringComparison.Ordinal), state.ToJson());
        Assert.Equal(state.ToJson(), Encoding.UTF8.GetString(state.Utf8Json.Span));
        Assert.Contains("(valid", state.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Values_are_those_of_the_text()
    {
        AllFlagsState state = _client.AllFlagsState(_ada);
        Assert.Equal(["json", "none", "text", "tracked"], state.Values.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("grün", state.GetValue("text")!.Value.GetString());
        Assert.Equal("""{"a":[1,2.5,null]}""", state.GetValue("json")!.Value.GetRawText());
        Assert.Equal(JsonValueKind.Null, state.GetValue("none")!.Value.ValueKind);
        Assert.Null(state.GetValue("no-such-flag"));
        Assert.Null(state.GetValue("$valid"));
        Assert.Null(state.GetValue("$flagsState"));
        Assert.Same(state.Values, state.Values);
        Assert.Throws<ArgumentNullException>(() => state.GetValue(null!));
    }

    [Fact]
    public void Each_option_changes_what_it_says()
    {
        Assert.Equal(
            ["text", "tracked"],
            _client.AllFlagsState(_ada, AllFlagsOptions.ClientSideOnly).Values.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("""{"version":4,"reason":{"kind":"OFF"}}""", Told("none", AllFlagsOptions.WithReasons));
        Assert.Equal("""{"variation":0}""", Told("text", AllFlagsOptions.DetailsOnlyForTracked));
        Assert.Equal(
            """{"variation":0,"version":1,"trackEvents":true}""", Told("tracked", AllFlagsOptions.DetailsOnlyForTracked));
        AllFlagsOptions both = AllFlagsOptions.ClientSideOnly | AllFlagsOptions.WithReasons;
        Assert.Equal("""{"variation":0,"version":3,"reason":{"kind":"FALLTHROUGH"}}""", Told("text", both));
        ArgumentException error = Assert.Throws<ArgumentException>(() => _client.AllFlagsState(_ada, (AllFlagsOptions)64));
        Assert.Equal("options", error.ParamName);

        string Told(string key, AllFlagsOptions options)
        {
            using JsonDocument state = JsonDocument.Parse(_client.AllFlagsState(_ada, options).Utf8Json);
            return state.RootElement.GetProperty("$flagsState").GetProperty(key).GetRawText();
        }
    }

    [Theory]
    [InlineData(CacheResidency.Lazy)]
    [InlineData(CacheResidency.Off)]
    public async Task Every_residency_gives_the_same_state(CacheResidency residency)
    {
        FlagstoneClient client = await _environment.StartAsync(options => options.CacheResidency = residency);
        Assert.Equal(_client.AllFlagsState(_ada).ToJson(), client.AllFlagsState(_ada).ToJson());
    }

    [Fact]
    public void Without_a_context_the_state_is_not_valid()
    {
        AllFlagsState state = _client.AllFlagsState(null);
        Assert.Equal((false, Invalid), (state.Valid, state.ToJson()));
        Assert.Empty(state.Values);
        Assert.Null(state.GetValue("text"));
        Assert.Contains("(invalid", state.ToString(), StringComparison.Ordinal);
        Assert.Single(_logger.Lines, line => line.Text.Contains("context is null", StringComparison.Ordinal));
    }

    [Fact]
    public void Before_the_first_read_the_state_is_not_valid()
    {
        using FlagstoneClient client = new(_environment.Options());
        Assert.Equal((false, Invalid), (client.AllFlagsState(_ada).Valid, client.AllFlagsState(_ada).ToJson()));
    }

    [Fact]
    public void A_state_is_parsed_when_values_are_asked_for_and_not_before()
    {
        AllFlagsState state = new([.. "not JSON but \"$valid\":true}"u8]);
        Assert.True(state.Valid);
        Assert.StartsWith("not JSON", state.ToJson(), StringComparison.Ordinal);
        Assert.ThrowsAny<JsonException>(() => state.Values);
    }

    [Fact]
    public void The_hash_is_that_of_LaunchDarklys_sdks()
    {
        // The client need not be started.
        using FlagstoneClient client = new(new FlagstoneOptions { SdkKey = SdkKey });
        Assert.Equal(
            "73df666a13f2c474e50aa34ca5a761e89abb737fb139ff65fdde7fa85c9dcacd",
            client.SecureModeHash(Context.New("user-key-123")));
        Assert.Equal(
            "98a933ca26d2951547fc021981ebcdeda95fbca2ac3f767ae67f7042d5458f72",
            client.SecureModeHash(Context.New(ContextKind.Of("other"), "user-key-123")));
        Assert.Equal(
            "14239639406305ac30148d6f261e8f3554685def7c7e1598cddffc9f21d98368",
            client.SecureModeHash(Context.NewMulti(
                Context.Builder("u").Name("Ada").Build(), Context.New(ContextKind.Of("org"), "o"))));
    }

    [Fact]
    public void The_hash_needs_a_key_and_a_context()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => _client.SecureModeHash(_ada));
        Assert.Contains("SdkKey", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => _client.SecureModeHash(null!));
    }
}
