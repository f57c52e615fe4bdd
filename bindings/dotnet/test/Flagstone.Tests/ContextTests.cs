// Contexts: every way to make one, and everything that is none.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using Flagstone.Interop;
using Xunit;

namespace Flagstone.Tests;

public sealed class ContextTests
{
    [Fact]
    public void A_builder_makes_what_the_json_form_says()
    {
        using JsonDocument values = JsonDocument.Parse("""{"address":{"street":"s"},"tags":["x",1,null],"text":"t","none":null}""");
        Context built = Context.Builder("first").Key("k").Kind("org").Name("N").Anonymous(true)
            .Set("address", values.RootElement.GetProperty("address")).Set("tags", values.RootElement.GetProperty("tags"))
            .Set("text", values.RootElement.GetProperty("text")).Set("none", values.RootElement.GetProperty("none"))
            .Set("i", 3).Set("l", 4_000_000_000L).Set("d", 0.1).Set("b", false).Set("s", "grüße\0")
            .Set("gone", "x").Set("gone", (string?)null)
            .Private("/address/street", "s").Build();
        Context read = Context.FromJson("""
            {"kind":"org","key":"k","name":"N","anonymous":true,"address":{"street":"s"},"tags":["x",1,null],"text":"t",
             "i":3,"l":4000000000,"d":0.1,"b":false,"s":"grüße\u0000","_meta":{"privateAttributes":["/address/street","s"]}}
            """);
        Assert.Equal(read, built);
        Assert.Equal(read.GetHashCode(), built.GetHashCode());
        Assert.Equal("org:k", built.FullyQualifiedKey);
        Assert.Equal(Context.FromJson(built.ToJsonString()), built);
        Assert.Equal(built.ToJsonString(), built.ToString());
    }

    [Fact]
    public void A_builder_may_build_again()
    {
        ContextBuilder builder = Context.Builder("k").Set("a", 1);
        Context first = builder.Build();
        Context second = builder.Set("a", 2).Set("key", "other").Set("kind", "org").Build();
        Assert.Equal(Context.FromJson("""{"kind":"user","key":"k","a":1}"""), first);
        Assert.Equal(Context.FromJson("""{"kind":"org","key":"other","a":2}"""), second);
    }

    [Fact]
    public void Several_kinds_join_into_one_context()
    {
        Context user = Context.New("u");
        Context org = Context.New(ContextKind.Of("org"), "o");
        Context joined = Context.NewMulti(user, org);
        Assert.Equal(joined, Context.MultiBuilder().Add(org).Add(user).Build());
        Assert.Equal("org:o:user:u", joined.FullyQualifiedKey);
        Assert.Equal(Context.FromJson("""{"kind":"multi","org":{"key":"o"},"user":{"key":"u"}}"""), joined);
        Assert.Equal(user, Context.NewMulti(user));
        user.Dispose();
        Assert.Equal("org:o:user:u", joined.FullyQualifiedKey);
        Assert.Equal(joined, Context.NewMulti(org, user));
    }

    [Fact]
    public void A_user_without_kind_is_read()
    {
        Assert.Equal(
            Context.FromJson("""{"kind":"user","key":"u","plan":"p"}"""), Context.FromJson("""{"key":"u","custom":{"plan":"p"}}"""u8));
    }

    [Fact]
    public void Contexts_and_kinds_are_values()
    {
        HashSet<Context> contexts = [Context.New("ada"), Context.FromJson("""{"key":"ada","kind":"user"}"""), Context.New("bob")];
        Assert.Equal(2, contexts.Count);
        Assert.NotEqual(Context.New("ada"), Context.Builder("ada").Set("a", 1).Build());
        Assert.NotEqual(Context.Builder("ada").Set("a", "1").Build(), Context.Builder("ada").Set("a", 1).Build());
        Assert.False(Context.New("ada").Equals(null));
        Assert.False(Context.New("ada").Equals("ada"));
        Assert.Equal(ContextKind.Default, ContextKind.Of("user"));
        Assert.Equal(ContextKind.Default, ContextKind.Of(""));
        Assert.True(ContextKind.Of("org") != ContextKind.Default);
        Assert.Equal(("org", "user"), (ContextKind.Of("org").ToString(), default(ContextKind).Value));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("3")]
    [InlineData("""{"kind":"user"}""")]
    [InlineData("""{"kind":"user","key":""}""")]
    [InlineData("""{"kind":"user","key":3}""")]
    [InlineData("""{"kind":"kind","key":"k"}""")]
    [InlineData("""{"kind":"ü","key":"k"}""")]
    [InlineData("""{"kind":"","key":"k"}""")]
    [InlineData("""{"kind":"multi"}""")]
    [InlineData("""{"kind":"multi","user":"u"}""")]
    [InlineData("""{"kind":"user","key":"k","name":3}""")]
    [InlineData("""{"kind":"user","key":"k","anonymous":"yes"}""")]
    [InlineData("""{"kind":"user","key":"k","a":1e999}""")]
    public void Text_that_is_no_context_is_refused(string json)
    {
        Assert.NotEmpty(Assert.Throws<ArgumentException>(() => Context.FromJson(json)).Message);
    }

    [Theory]
    [InlineData("""{"kind":"user","key":"k","_meta":{"privateAttributes":["a","/b/c"]}}""",
        """{"kind":"user","key":"k","_meta":{"privateAttributes":["/b/c","a","a"]}}""", true)]
    [InlineData("""{"kind":"multi","user":{"key":"k","_meta":{"privateAttributes":["a","b"]}},"org":{"key":"o"}}""",
        """{"kind":"multi","org":{"key":"o"},"user":{"_meta":{"privateAttributes":["b","a"]},"key":"k"}}""", true)]
    [InlineData("""{"kind":"user","key":"k","_meta":{"privateAttributes":["a","b"]}}""",
        """{"kind":"user","key":"k","_meta":{"privateAttributes":["a","c"]}}""", false)]
    [InlineData("""{"kind":"user","key":"k","a":["a","b"]}""", """{"kind":"user","key":"k","a":["b","a"]}""", false)]
    public void Private_attributes_have_no_order_and_lists_have_one(string one, string other, bool areEqual)
    {
        Assert.Equal(areEqual, Context.FromJson(one).Equals(Context.FromJson(other)));
    }

    [Fact]
    public void A_private_name_is_never_a_path()
    {
        Context context = Context.Builder("k").PrivateNames("a", "/b/~c", "d/e~f").Build();
        Assert.Equal(["a", "/~1b~1~0c", "d/e~f"], context.PrivateAttributes);
        Assert.Throws<ArgumentNullException>(() => Context.Builder("k").PrivateNames("a", null!));
    }

    [Fact]
    public void What_is_no_context_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Context.New(""));
        Assert.Throws<ArgumentException>(() => Context.New("\ud800"));
        Assert.Throws<ArgumentNullException>(() => Context.New(null!));
        Assert.Throws<ArgumentException>(() => Context.New(ContextKind.Of("multi"), "k"));
        Assert.Throws<ArgumentException>(() => Context.New(ContextKind.Of("\ud800"), "k"));
        Assert.Throws<ArgumentNullException>(() => ContextKind.Of(null!));
        Assert.Throws<ArgumentNullException>(() => Context.FromJson((string)null!));
        Assert.Throws<ArgumentException>(() => Context.FromJson("{\"key\":\"\ud800\"}"));
        Assert.Throws<ArgumentException>(() => Context.FromJson([0xff]));
        Assert.Throws<ArgumentException>(() => Context.FromJson(new string('[', 100_000)));
        Assert.Throws<ArgumentException>(() => Context.NewMulti());
        Assert.Throws<ArgumentNullException>(() => Context.NewMulti(null!));
        Assert.Throws<ArgumentNullException>(() => Context.NewMulti(Context.New("a"), null!));
        Assert.Throws<ArgumentException>(() => Context.NewMulti(Context.New("a"), Context.New("b")));
        Assert.Throws<ArgumentException>(() => Context.MultiBuilder().Build());
        Assert.Throws<ArgumentNullException>(() => Context.MultiBuilder().Add(null!));
    }

    [Fact]
    public void A_builder_refuses_what_is_no_context()
    {
        Assert.Throws<ArgumentNullException>(() => Context.Builder(null!));
        Assert.Throws<ArgumentException>(() => Context.Builder("").Build());
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Kind("multi").Build());
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("_meta", "x"));
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("key", 3));
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("kind", true));
        Assert.Throws<ArgumentNullException>(() => Context.Builder("k").Set(null!, 3));
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("a", default(JsonElement)));
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("name", 3).Build());
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("anonymous", "yes").Build());
        Assert.Throws<ArgumentNullException>(() => Context.Builder("k").Private(null!));
        Assert.Throws<ArgumentNullException>(() => Context.Builder("k").Private("a", null!));
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Private("\ud800").Build());
        foreach (double value in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
        {
            ArgumentException error = Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("load", value).Build());
            Assert.Contains("load", error.Message, StringComparison.Ordinal);
        }
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("a", "\ud800").Build());
        Assert.Throws<ArgumentException>(() => Context.Builder("k").Set("\ud800", "a").Build());
    }

    [Theory]
    [InlineData("a")]
    [InlineData("ä")]
    public void Texts_pass_unharmed_on_both_sides_of_the_size_of_every_buffer(string letter)
    {
        string Text(int bytes) => string.Concat(Enumerable.Repeat(letter, bytes / Encoding.UTF8.GetByteCount(letter)));
        foreach (int capacity in (int[])[Utf8.NameCapacity, Utf8.KeyCapacity, Utf8.JsonCapacity])
        {
            for (int bytes = capacity - 2; bytes <= capacity + 2; bytes++)
            {
                string text = Text(bytes);
                ContextKind kind = ContextKind.Of(new string('k', bytes));
                Assert.Equal($"{kind.Value}:{text}", Context.New(kind, text).FullyQualifiedKey);
                using JsonDocument form = JsonDocument.Parse(Context.Builder(kind, text).Set(text, text).Build().ToJsonString());
                Assert.Equal(kind.Value, form.RootElement.GetProperty("kind").GetString());
                Assert.Equal(text, form.RootElement.GetProperty("key").GetString());
                Assert.Equal(text, form.RootElement.GetProperty(text).GetString());
                string key = Text(bytes - """{"kind":"user","key":""}""".Length);
                Assert.Equal(key, Context.FromJson($$"""{"kind":"user","key":"{{key}}"}""").FullyQualifiedKey);
            }
        }
    }

    [Fact]
    public void Large_and_unusual_values_pass_unharmed()
    {
        string text = new('x', 1_000_000);
        Context context = Context.Builder("k\0").Set("long", text).Set("emoji", "😀").Set("small", 5e-324)
            .Set("big", long.MaxValue).Build();
        using JsonDocument form = JsonDocument.Parse(context.ToJsonString());
        Assert.Equal("k\0", form.RootElement.GetProperty("key").GetString());
        Assert.Equal(text, form.RootElement.GetProperty("long").GetString());
        Assert.Equal("😀", form.RootElement.GetProperty("emoji").GetString());
        Assert.Equal(5e-324, form.RootElement.GetProperty("small").GetDouble());
        Assert.Equal((double)long.MaxValue, form.RootElement.GetProperty("big").GetDouble());
    }

    [Theory]
    [InlineData("\"\\ud800\"")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    public void Json_with_a_lone_surrogate_makes_no_context(string json)
    {
        JsonElement value = JsonSerializer.Deserialize<JsonElement>(json);
        Assert.Throws<ArgumentException>(() => Context.Builder("u").Set("a", value).Build());
    }
}
