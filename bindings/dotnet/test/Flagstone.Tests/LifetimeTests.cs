// Who keeps whom alive: clients, contexts and flags that are forgotten, closed or collected while others use them.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

[Collection(Alone.Name)]
public sealed class LifetimeTests(RedisServer server) : IDisposable
{
    private readonly TestEnvironment _environment = new(server);

    public void Dispose() => _environment.Dispose();

    [Fact]
    public async Task A_forgotten_client_goes_away_with_its_threads()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        Assert.True(await Eventually.IsTrueAsync(NobodyIsLeft));
        (WeakReference client, Flag<bool> flag) = await MakeAsync(_environment);
        Assert.True(Threads() > 0);
        Collect();
        Assert.True(client.IsAlive, "a prepared flag keeps its client");
        Assert.True(flag.Value(Context.New("u")));
        GC.KeepAlive(flag);
        flag = null!;
        Assert.True(await Eventually.IsTrueAsync(() => { Collect(); return !client.IsAlive; }));
        Assert.True(await Eventually.IsTrueAsync(NobodyIsLeft), $"{Threads()} threads");

        // A method of its own: its locals are gone when it has ended.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task<(WeakReference, Flag<bool>)> MakeAsync(TestEnvironment environment)
        {
            FlagstoneClient client = new(environment.Options());
            Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
            client.FlagChanged += (sender, _) => GC.KeepAlive(client); // a cycle
            return (new WeakReference(client), client.BoolFlag("yes"));
        }
    }

    [Fact]
    public async Task A_client_that_somebody_waits_for_is_not_forgotten()
    {
        using RedisServer own = new();
        own.Kill();
        // Nothing but the pending wait knows the client.
        TaskCompletionSource<bool> told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Forget(own.Url, told);
        for (int round = 0; round < 20; round++)
        {
            Collect();
            await Task.Delay(10);
        }
        own.Start();
        Assert.True(await told.Task.WaitAsync(TimeSpan.FromSeconds(30)));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Forget(string url, TaskCompletionSource<bool> told)
        {
            WeakReference<TaskCompletionSource<bool>> weak = new(told);
            _ = TellAsync(new FlagstoneClient(new FlagstoneOptions { RedisUrl = url }), weak);
        }

        static async Task TellAsync(FlagstoneClient client, WeakReference<TaskCompletionSource<bool>> told)
        {
            bool ready = await client.StartAsync();
            Assert.True(told.TryGetTarget(out TaskCompletionSource<bool>? source));
            source.TrySetResult(ready);
        }
    }

    [Fact]
    public async Task Finalizers_alone_give_everything_back()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        for (int round = 0; round < 10; round++)
        {
            await UseAsync(_environment);
        }
        Assert.True(await Eventually.IsTrueAsync(NobodyIsLeft), $"{Threads()} threads");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task UseAsync(TestEnvironment environment)
        {
            FlagstoneClient client = new(environment.Options());
            Assert.True(await client.StartAsync(TimeSpan.FromSeconds(30)));
            Assert.True(Threads() > 0);
            Assert.True(client.BoolFlag("yes").Value(Context.New("u")));
            Assert.True(client.BoolVariation("yes", Context.Builder("u").Set("a", 1).Build()));
        }
    }

    [Fact]
    public async Task Evaluation_survives_close_in_the_middle_and_everything_collected_around_it()
    {
        _environment.Write(Flags.Bool("yes", 1, true), Flags.Value("text", 1, "\"text\""));
        for (int round = 0; round < 5; round++)
        {
            FlagstoneClient client = await _environment.StartAsync();
            Flag<bool> flag = client.BoolFlag("yes");
            Context[] shared = [Context.New("shared")];
            using CancellationTokenSource stop = new();
            int wrong = 0;
            long evaluations = 0;
            Task[] workers = [.. Enumerable.Range(0, 8).Select(number => Task.Factory.StartNew(
                () =>
                {
                    while (!stop.IsCancellationRequested)
                    {
                        // Objects nobody keeps: they may be collected as soon as the runtime thinks them unused.
                        bool right = client.BoolVariation("yes", Context.New("u")) && flag.Value(Context.New("v"))
                            && Prepared(client).Value(Context.New("w"))
                            && client.StringVariation("text", Context.New("x"), "") == "text";
                        // This one is disposed of by another thread at any moment.
                        right &= client.BoolVariationDetail("yes", Volatile.Read(ref shared[0])).Value;
                        if (!right && client.State != DataSourceState.Off)
                        {
                            Interlocked.Increment(ref wrong);
                        }
                        if (Interlocked.Increment(ref evaluations) % 5 == 0)
                        {
                            // Eight threads that do nothing else leave garbage faster than one finalizer thread takes it away.
                            Thread.Sleep(1);
                        }
                    }
                },
                TaskCreationOptions.LongRunning))];
            for (int pass = 0; pass < 30; pass++)
            {
                Context old = Interlocked.Exchange(ref shared[0], Context.New("shared"));
                old.Dispose();
                GC.Collect(pass % 3);
                GC.WaitForPendingFinalizers();
            }
            client.Dispose();
            long closed = Interlocked.Read(ref evaluations);
            Assert.True(
                await Eventually.IsTrueAsync(() => Interlocked.Read(ref evaluations) > closed + 100),
                "evaluation goes on after close");
            await stop.CancelAsync();
            await Task.WhenAll(workers);
            Assert.Equal(0, wrong);
            Assert.True(client.BoolVariation("yes", Context.New("u")));

            Flag<bool> Prepared(FlagstoneClient client)
            {
                try
                {
                    return client.BoolFlag("yes");
                }
                catch (ObjectDisposedException)
                {
                    return flag;
                }
            }
        }
    }

    [Fact]
    public async Task Clients_are_made_and_closed_by_many_threads_at_once()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        List<bool> values = [];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(number => Task.Run(async () =>
        {
            for (int round = 0; round < 5; round++)
            {
                await using FlagstoneClient client = new(_environment.Options());
                bool ready = await client.StartAsync(TimeSpan.FromSeconds(30));
                lock (values)
                {
                    values.Add(ready && client.BoolVariation("yes", Context.New("u")));
                }
            }
        })));
        Assert.Equal(Enumerable.Repeat(true, 40), values);
    }

    [Fact]
    public async Task One_client_is_started_and_closed_by_many_threads_at_once()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        for (int round = 0; round < 10; round++)
        {
            FlagstoneClient client = new(_environment.Options());
            await Task.WhenAll(Enumerable.Range(0, 8).Select(number => Task.Run(async () =>
            {
                try
                {
                    await client.StartAsync(TimeSpan.FromSeconds(30));
                    await client.DisposeAsync();
                }
                catch (ObjectDisposedException)
                {
                    // Another one was faster.
                }
            })));
            Assert.Equal(DataSourceState.Off, client.State);
        }
    }

    [Fact]
    public async Task Eight_threads_evaluate_while_flags_change()
    {
        _environment.Write(Flags.Bool("a", 1, true), Flags.Bool("b", 1, true));
        FlagstoneClient client = await _environment.StartAsync();
        Flag<bool> prepared = client.BoolFlag("a");
        using CancellationTokenSource stop = new();
        int[] rounds = new int[8];
        int wrong = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(number => new Thread(() =>
        {
            using Context context = Context.New($"user-{number}");
            while (!stop.IsCancellationRequested)
            {
                _ = client.BoolVariation("a", context) ^ prepared.Value(context);
                EvaluationDetail<bool> detail = client.BoolVariationDetail("b"u8, context);
                if (!detail.Value || detail.VariationIndex != 0)
                {
                    Interlocked.Increment(ref wrong);
                }
                rounds[number]++;
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }
        for (int version = 2; version < 60; version++)
        {
            _environment.Write(Flags.Bool("a", version, version % 2 == 0), Flags.Bool("b", version, true));
            await Task.Delay(10);
        }
        bool last = await Eventually.IsTrueAsync(() => !client.BoolVariation("a", Context.New("u")));
        bool all = await Eventually.IsTrueAsync(
            () => Enumerable.Range(0, 8).All(number => Volatile.Read(ref rounds[number]) > 100));
        await stop.CancelAsync();
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
        Assert.True(last, "version 59 is false");
        Assert.Equal(0, wrong);
        Assert.True(all, string.Join(' ', rounds));
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    /// <summary>Whether all clients are gone, those of earlier tests included, which were left to the collector.</summary>
    private static bool NobodyIsLeft()
    {
        Collect();
        return Threads() == 0;
    }

    /// <summary>Number of threads that clients have, managed and native.</summary>
    private static int Threads() => Directory.GetDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            return File.ReadAllText(task + "/comm").StartsWith("flagstone", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has just ended
        }
    });
}
