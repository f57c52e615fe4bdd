// What a context says: its getters.
using System;
using System.Linq;
using System.Text.Json;
using Xunit;

namespace Flagstone.Tests;

public sealed class ContextPartsTests
{
    private static readonly Context s_user = Context.FromJson("""
        {"kind":"user","key":"ada","name":"Ada","anonymous":true,"address":{"street":"s"},"a/b":1,"none":null,
         "_meta":{"privateAttributes":["/address/street","name"]}}
        """);

    [Fact]
    public void A_context_says_what_it_was_made_from()
    {
        Assert.Equal(("ada", ContextKind.Default, "Ada", true, false),
            (s_user.Key, s_user.Kind, s_user.Name, s_user.Anonymous, s_user.Multiple));
        Assert.Equal(["/address/street", "name"], s_user.PrivateAttributes);
        Assert.Equal("s", s_user.GetValue("/address/street")!.Value.GetString());
        Assert.Equal("""{"street":"s"}""", s_user.GetValue("address")!.Value.GetRawText());
        Assert.Equal(1, s_user.GetValue("/a~1b")!.Value.GetInt32());
        Assert.Equal("user", s_user.GetValue("kind")!.Value.GetString());
        Assert.Null(s_user.GetValue("none"));
        Assert.Null(s_user.GetValue("missing"));
        Assert.Empty(s_user.MultiKindContexts);
        Context bare = Context.New(ContextKind.Of("org"), "o");
        Assert.Equal(("o", "org", null, false), (bare.Key, bare.Kind.Value, bare.Name, bare.Anonymous));
        Assert.Empty(bare.PrivateAttributes);
    }

    [Fact]
    public void A_multi_kind_context_gives_its_parts()
    {
        Context joined = Context.NewMulti(s_user, Context.New(ContextKind.Of("org"), "o"));
        Assert.Equal(("", ContextKind.Multi, null, true), (joined.Key, joined.Kind, joined.Name, joined.Multiple));
        Assert.Equal(["org", "user"], joined.MultiKindContexts.Select(context => context.Kind.Value));
        Assert.True(joined.TryGetContextByKind(ContextKind.Default, out Context? user));
        Assert.Equal(s_user, user);
        Assert.Equal(["/address/street", "name"], user.PrivateAttributes);
        Assert.False(joined.TryGetContextByKind(ContextKind.Of("device"), out Context? none));
        Assert.Null(none);
        Assert.False(joined.TryGetContextByKind(ContextKind.Multi, out _));
        Assert.True(s_user.TryGetContextByKind(ContextKind.Default, out Context? itself));
        Assert.Same(s_user, itself);
        Assert.False(s_user.TryGetContextByKind(ContextKind.Of("org"), out _));
        // A part is whole by itself.
        joined.Dispose();
        user.Dispose();
        Assert.Equal("ada", user.Key);
    }

    [Fact]
    public void What_is_no_reference_is_refused()
    {
        foreach (string reference in (string[])["", "//", "/a~2", "\ud800"])
        {
            Assert.Equal("reference", Assert.Throws<ArgumentException>(() => s_user.GetValue(reference)).ParamName);
        }
        Assert.Throws<ArgumentNullException>(() => s_user.GetValue(null!));
    }

    [Fact]
    public void Contexts_that_are_made_of_each_other_again_and_again_keep_only_what_they_join()
    {
        const int Times = 20_000;
        using Context org = Context.New(ContextKind.Of("org"), "o");
        Context whole = Context.NewMulti(Context.FromJson("""{"kind":"multi","user":{"key":"u"},"device":{"key":"d"}}"""), org);
        Context first = whole;
        for (int time = 0; time < Times; time++)
        {
            Context last = whole;
            Assert.True(last.TryGetContextByKind(ContextKind.Default, out Context? user));
            whole = Context.NewMulti(user, Context.NewMulti(last.MultiKindContexts[0], org));
            user.Dispose();
            last.Dispose();
        }
        whole.Dispose();
        Assert.Equal(first, whole);
        Assert.Equal(["device", "org", "user"], whole.MultiKindContexts.Select(part => part.Kind.Value));
    }

    [Fact]
    public void One_context_that_is_joined_with_none_stays_as_it_is()
    {
        Assert.Same(s_user, Context.NewMulti(s_user));
    }
}
