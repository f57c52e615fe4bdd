// Objects that a finalizer or a weak reference brings back after the collector has given them up: they are as good as before.
using System;
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

[Collection(Alone.Name)]
public sealed class ResurrectionTests(RedisServer server) : IAsyncLifetime
{
    private const string Rule = """
        "rules":[{"variation":0,"clauses":[{"attribute":"plan","op":"in","values":["team"]}]}],"fallthrough":{"variation":1}
        """;

    private static readonly ConcurrentQueue<Phoenix> s_back = new();

    private readonly TestEnvironment _environment = new(server);

    public ValueTask InitializeAsync()
    {
        s_back.Clear();
        _environment.Write(Flags.With("team", 1, Rule, "true", "false"));
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _environment.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_client_its_flags_and_contexts_that_a_finalizer_brings_back_are_as_good_as_before()
    {
        await ForgetAsync(_environment.Options());
        Phoenix back = await BackAsync();
        Reuse();
        Assert.True(back.Right());
        Assert.Equal(DataSourceState.Valid, back.Client.State);
        Assert.Equal(["ada", "org:acme:user:ada", "bob"], (string[])[
            back.Context.FullyQualifiedKey, back.Joined.FullyQualifiedKey, back.Read.FullyQualifiedKey]);
        // It hears what changes, and is given back in the end.
        TaskCompletionSource<string> changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        back.Client.FlagChanged += (_, change) => changed.TrySetResult(change.Key);
        _environment.Write(Flags.With("team", 2, Rule, "true", "false"));
        Assert.Equal("team", await changed.Task.WaitAsync(TimeSpan.FromSeconds(30)));
        back.Client.Dispose();
        Assert.True(back.Right());
        Assert.Throws<ObjectDisposedException>(() => back.Data.DeleteFlag("team"));
        GC.KeepAlive(back);
    }

    [Fact]
    public async Task What_a_weak_reference_brings_back_is_as_good_as_before()
    {
        FlagstoneClient client = await _environment.StartAsync();
        for (int round = 0; round < 20; round++)
        {
            WeakReference weak = Forget();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (weak.Target is Context context)
            {
                Reuse();
                Assert.True(client.BoolVariation("team", context));
                Assert.Equal("ada", context.FullyQualifiedKey);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Forget() => new(Context.Builder("ada").Set("plan", "team").Build(), trackResurrection: true);
    }

    [Fact]
    public async Task Threads_use_what_finalizers_bring_back_while_everything_is_collected()
    {
        FlagstoneClient client = await _environment.StartAsync();
        int wrong = 0;
        int used = 0;
        using CancellationTokenSource stop = new();
        Task[] workers = [Worker(), Worker()];
        for (int round = 0; round < 100; round++)
        {
            Forget(client);
            GC.Collect(round % 3);
            GC.WaitForPendingFinalizers();
        }
        Assert.True(await Eventually.IsTrueAsync(() => Volatile.Read(ref used) > 500));
        await stop.CancelAsync();
        await Task.WhenAll(workers);
        Assert.Equal(0, wrong);

        Task Worker() => Task.Factory.StartNew(
            () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    if (!s_back.TryDequeue(out Phoenix? back))
                    {
                        Thread.Sleep(1);
                        continue;
                    }
                    for (int round = 0; round < 20; round++)
                    {
                        Interlocked.Add(ref wrong, back.Right() ? 0 : 1);
                    }
                    Interlocked.Increment(ref used);
                    if (used < 2000)
                    {
                        // Once more: its finalizer brings it back again.
                        GC.ReRegisterForFinalize(back);
                    }
                }
            },
            TaskCreationOptions.LongRunning);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Forget(FlagstoneClient client)
        {
            for (int number = 0; number < 10; number++)
            {
                _ = new Phoenix(client);
            }
        }
    }

    // A method of its own: nothing of it is left on the stack.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task ForgetAsync(FlagstoneOptions options)
    {
        FlagstoneClient client = new(options);
        Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
        _ = new Phoenix(client);
    }

    private static async Task<Phoenix> BackAsync()
    {
        Phoenix? back = null;
        Assert.True(await Eventually.IsTrueAsync(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return s_back.TryDequeue(out back);
        }));
        // All other finalizers of that collection have run.
        GC.WaitForPendingFinalizers();
        return back!;
    }

    /// <summary>Takes the memory that may have been given back.</summary>
    private static void Reuse()
    {
        for (int number = 0; number < 2000; number++)
        {
            Context.Builder($"somebody-{number}").Set("plan", "none").Build().Dispose();
        }
        Context[] others = new Context[2000];
        for (int number = 0; number < others.Length; number++)
        {
            others[number] = Context.Builder($"somebody-{number}").Set("plan", "none").Build();
        }
        GC.KeepAlive(others);
    }

    private sealed class Phoenix(FlagstoneClient client)
    {
        private readonly Flag<bool> _flag = client.BoolFlag("team");

        ~Phoenix() => s_back.Enqueue(this);

        internal FlagstoneClient Client { get; } = client;

        /// <summary>Has a handle that is finalized: it answers as after <see cref="TestData.Dispose"/>.</summary>
        internal TestData Data { get; } = new();

        internal Context Context { get; } = Context.Builder("ada").Set("plan", "team").Build();

        internal Context Read { get; } = Context.FromJson("""{"kind":"user","key":"bob","plan":"team"}""");

        internal Context Joined { get; } =
            Context.NewMulti(Context.Builder("ada").Set("plan", "team").Build(), Context.New(ContextKind.Of("org"), "acme"));

        internal bool Right() => Client.BoolVariation("team", Context) && _flag.Value(Context) && _flag.Value(Joined)
            && Client.BoolVariationDetail("team", Read).Value;
    }
}
