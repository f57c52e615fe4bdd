// When a provider of credentials is called, and what becomes of its answer: without a Redis, and with short times.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class RedisCredentialsKeeperTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentQueue<RedisCredentials> _given = new();
    private readonly ListLogger _logger = new();
    private int _wakes;

    public void Dispose() => _logger.Dispose();

    private static RedisCredentials Login(string password = "s3cret") => new("svc", password, TimeSpan.FromMinutes(15));

    [Fact]
    public async Task A_provider_is_called_when_it_is_asked_and_not_before()
    {
        RedisCredentialsKeeper keeper = Keeper(_ => new(Login()));
        Assert.Null(keeper.Look());
        keeper.Ask("start");
        keeper.Ask("start");
        Assert.True(await LookUntilAsync(keeper, () => !_given.IsEmpty));
        Assert.True(await Eventually.IsTrueAsync(() => keeper.Look() is null && Volatile.Read(ref _wakes) == 1));
        Assert.Single(_given);
    }

    [Fact]
    public async Task One_call_at_a_time_and_never_on_the_thread_that_looks()
    {
        using SemaphoreSlim go = new(0);
        ConcurrentQueue<int> threads = new();
        int inside = 0;
        RedisCredentialsKeeper keeper = Keeper(async _ =>
        {
            threads.Enqueue(Environment.CurrentManagedThreadId);
            Assert.Equal(1, Interlocked.Increment(ref inside));
            // It blocks, which it had better not.
            Assert.True(go.Wait(s_patience, CancellationToken.None));
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            return Login();
        });
        Thread looking = new(() =>
        {
            threads.Enqueue(-Environment.CurrentManagedThreadId);
            for (int round = 0; round < 50; round++)
            {
                keeper.Ask("start");
                keeper.Look();
            }
        });
        looking.Start();
        Assert.True(looking.Join(s_patience), "nobody waits for the provider");
        go.Release();
        Assert.True(await LookUntilAsync(keeper, () => !_given.IsEmpty));
        Assert.Equal(2, threads.Distinct().Count());
        Assert.DoesNotContain(-threads.Single(thread => thread < 0), threads.Where(thread => thread > 0));
    }

    [Fact]
    public async Task A_provider_that_fails_is_asked_again_after_growing_pauses()
    {
        ConcurrentQueue<TimeSpan> times = new();
        Stopwatch watch = Stopwatch.StartNew();
        RedisCredentialsKeeper keeper = Keeper(_ =>
        {
            times.Enqueue(watch.Elapsed);
            return times.Count switch
            {
                1 => throw new InvalidOperationException("vault is sealed"),
                2 => new(Task.FromException<RedisCredentials>(new TimeoutException("vault is late"))),
                3 => new(Task.FromCanceled<RedisCredentials>(new CancellationToken(true))),
                4 => new((RedisCredentials)null!),
                _ => new(Login()),
            };
        });
        keeper.Ask("start");
        Assert.True(await LookUntilAsync(keeper, () => !_given.IsEmpty));
        double[] pauses = [.. times.Zip(times.Skip(1), (before, after) => (after - before).TotalMilliseconds)];
        Assert.Equal(4, pauses.Length);
        Assert.All(pauses.Zip([20.0, 40.0, 80.0, 160.0]), pair => Assert.True(pair.First >= 0.8 * pair.Second, $"{pair}"));
        Assert.Equal(4, _logger.Lines.Count);
        Assert.All(_logger.Lines, line => Assert.Contains("provider of Redis credentials failed", line.Text, StringComparison.Ordinal));
        Assert.Equal(
            [typeof(InvalidOperationException), typeof(TimeoutException), typeof(TaskCanceledException), typeof(InvalidOperationException)],
            _logger.Lines.Select(line => line.Error!.GetType()));
    }

    [Fact]
    public async Task A_provider_that_hangs_is_given_up_and_its_late_answer_counts_unless_there_is_a_newer()
    {
        TaskCompletionSource<RedisCredentials> first = new(), second = new();
        ConcurrentQueue<CancellationToken> tokens = new();
        RedisCredentialsKeeper keeper = Keeper(
            token =>
            {
                tokens.Enqueue(token);
                return new(tokens.Count switch { 1 => first.Task, 2 => second.Task, _ => Task.FromResult(Login("third")) });
            },
            limitMs: 50);
        keeper.Ask("start");
        Assert.True(await LookUntilAsync(keeper, () => tokens.Count == 2));
        first.SetResult(Login("first"));
        Assert.True(await Eventually.IsTrueAsync(() => _given.Any(login => login.Password == "first")), "nothing newer has come");
        keeper.Ask("expires");
        Assert.True(await LookUntilAsync(keeper, () => _given.Any(login => login.Password == "third")));
        second.SetResult(Login("second"));
        Assert.True(await Eventually.IsTrueAsync(() => Volatile.Read(ref _wakes) == 3));
        Assert.Equal(["first", "third"], _given.Select(login => login.Password));
        Assert.True(await Eventually.IsTrueAsync(() => tokens.Take(2).All(token => token.IsCancellationRequested)));
        Assert.Contains(_logger.Lines, line => line.Error is TimeoutException);
    }

    [Fact]
    public async Task Calls_that_hang_are_not_begun_without_end()
    {
        TaskCompletionSource<RedisCredentials> never = new();
        int calls = 0;
        RedisCredentialsKeeper keeper = Keeper(
            _ =>
            {
                Interlocked.Increment(ref calls);
                return new(never.Task);
            },
            limitMs: 5, firstPauseMs: 1, longestPauseMs: 5);
        keeper.Ask("start");
        Assert.True(await LookUntilAsync(keeper, () => _logger.Lines.Any(line => line.Error!.Message.Contains("8 calls", StringComparison.Ordinal))));
        Assert.Equal(RedisCredentialsKeeper.MostOpen, calls);
        never.SetResult(Login());
        Assert.True(await LookUntilAsync(keeper, () => !_given.IsEmpty));
    }

    [Fact]
    public async Task What_redis_refuses_again_and_again_is_asked_for_after_growing_pauses()
    {
        RedisCredentialsKeeper keeper = Keeper(_ => new(Login()));
        Stopwatch watch = Stopwatch.StartNew();
        for (int number = 1; number <= 5; number++)
        {
            keeper.Ask(number == 1 ? "start" : "refused");
            Assert.True(await LookUntilAsync(keeper, () => _given.Count == number));
        }
        // At once, at once, and then after 20, 40 and 80 ms.
        Assert.True(watch.ElapsedMilliseconds >= 0.8 * 140);
    }

    [Fact]
    public async Task An_end_waits_for_no_provider_and_takes_no_answer_any_more()
    {
        TaskCompletionSource<RedisCredentials> late = new();
        TaskCompletionSource<CancellationToken> called = new(TaskCreationOptions.RunContinuationsAsynchronously);
        RedisCredentialsKeeper keeper = Keeper(token =>
        {
            called.SetResult(token);
            return new(late.Task);
        });
        keeper.Ask("start");
        keeper.Look();
        CancellationToken token = await called.Task.WaitAsync(s_patience);
        keeper.End();
        Assert.True(await Eventually.IsTrueAsync(() => token.IsCancellationRequested));
        late.SetResult(Login());
        Assert.True(await Eventually.IsTrueAsync(() => Volatile.Read(ref _wakes) == 1));
        keeper.Ask("start");
        Assert.Null(keeper.Look());
        Assert.Empty(_given);
        Assert.Empty(_logger.Lines);
    }

    [Fact]
    public void Credentials_are_checked_and_shown_without_the_password()
    {
        Assert.Equal("RedisCredentials of svc, valid for 00:15:00", Login().ToString());
        Assert.Equal("RedisCredentials of the default user", new RedisCredentials("", "geheim").ToString());
        Assert.Null(new RedisCredentials("", "geheim").User);
        Assert.Throws<ArgumentNullException>(() => new RedisCredentials("svc", null!));
        Assert.Throws<ArgumentException>(() => new RedisCredentials("svc", ""));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RedisCredentials("svc", "geheim", TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RedisCredentials("svc", "geheim", TimeSpan.FromSeconds(-1)));
    }

    private RedisCredentialsKeeper Keeper(
        Func<CancellationToken, ValueTask<RedisCredentials>> provider,
        double limitMs = 30_000, double firstPauseMs = 20, double longestPauseMs = 200) =>
        new(provider, _given.Enqueue, () => Interlocked.Increment(ref _wakes), _logger)
        {
            Limit = TimeSpan.FromMilliseconds(limitMs),
            FirstPause = TimeSpan.FromMilliseconds(firstPauseMs),
            LongestPause = TimeSpan.FromMilliseconds(longestPauseMs),
        };

    /// <summary>Looks as the pump does, until something holds.</summary>
    private static Task<bool> LookUntilAsync(RedisCredentialsKeeper keeper, Func<bool> condition) =>
        Eventually.IsTrueAsync(() =>
        {
            keeper.Look();
            return condition();
        });

    [Fact]
    public async Task What_is_registered_with_the_token_and_throws_is_unobserved_by_nobody()
    {
        ConcurrentQueue<Exception> unobserved = new();
        EventHandler<UnobservedTaskExceptionEventArgs> hear = (_, heard) => unobserved.Enqueue(heard.Exception);
        TaskScheduler.UnobservedTaskException += hear;
        await EndAsync();
        for (int round = 0; round < 10; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Delay(20);
        }
        TaskScheduler.UnobservedTaskException -= hear;
        Assert.DoesNotContain(unobserved, error => error.ToString().Contains("of the host", StringComparison.Ordinal));

        async Task EndAsync()
        {
            using SemaphoreSlim called = new(0);
            using SemaphoreSlim cancelled = new(0);
            RedisCredentialsKeeper keeper = Keeper(async stop =>
            {
                _ = stop.Register(() =>
                {
                    cancelled.Release();
                    throw new InvalidOperationException("of the host");
                });
                called.Release();
                await Task.Delay(Timeout.Infinite, CancellationToken.None);
                return Login();
            });
            keeper.Ask("start");
            keeper.Look();
            Assert.True(await called.WaitAsync(s_patience));
            keeper.End();
            Assert.True(await cancelled.WaitAsync(s_patience));
        }
    }
}
