// Who listens to the value of a flag hears of each change for its context, in every form that .NET has for it.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class ListenerTests(RedisServer server) : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly TestData _data = new();
    private readonly TestEnvironment _environment = new(server);
    private readonly Context _ada = Context.New("ada");
    private readonly Context _bob = Context.New("bob");
    private readonly ConcurrentQueue<string> _heard = new();

    public void Dispose()
    {
        _environment.Dispose();
        _data.Dispose();
        _ada.Dispose();
        _bob.Dispose();
    }

    [Fact]
    public async Task A_handler_hears_the_old_and_the_new_value_for_its_context()
    {
        _data.Update(_data.Flag("f").VariationForUser("ada", true).FallthroughVariation(false));
        await using FlagstoneClient client = await StartAsync();
        using IDisposable ada = client.OnFlagValueChanged("f", _ada, change =>
        {
            Assert.Same(_ada, change.Context);
            Hear("ada", change);
        });
        using IDisposable bob = client.OnFlagValueChanged("f", _bob, change => Hear("bob", change));
        _data.Update(_data.Flag("f").VariationForUser("ada", false).FallthroughVariation(false));
        await HeardAsync("ada f true false");
        _data.DeleteFlag("f");
        await HeardAsync("ada f false null", "bob f false null");
        _data.SetFlag(Flags.Value("f", 9, """{"a":[1,2.5]}""").Json);
        await HeardAsync("""ada f null {"a":[1,2.5]}""", """bob f null {"a":[1,2.5]}""");
        // The same value in another form is none.
        _data.SetFlag(Flags.Value("f", 10, """{ "a" : [1, 2.5] }""").Json);
        _data.SetFlag(Flags.Value("f", 11, "1").Json);
        await HeardAsync("""ada f {"a":[1,2.5]} 1""", """bob f {"a":[1,2.5]} 1""");
    }

    [Fact]
    public async Task In_daemon_mode_a_change_in_Redis_is_heard_too()
    {
        _environment.Write(Flags.Bool("f", 1, true));
        FlagstoneClient client = await _environment.StartAsync();
        using IDisposable listener = client.OnFlagValueChanged("f", _ada, change => Hear("ada", change));
        _environment.Write(Flags.Bool("f", 2, false));
        await HeardAsync("ada f true false");
    }

    [Fact]
    public async Task A_listener_that_was_disposed_of_hears_nothing_more()
    {
        _data.Update(_data.Flag("f"));
        await using FlagstoneClient client = await StartAsync();
        IDisposable first = client.OnFlagValueChanged("f", _ada, change => Hear("first", change));
        IDisposable? self = null;
        self = client.OnFlagValueChanged("f", _ada, change =>
        {
            Hear("self", change);
            self!.Dispose();
        });
        using IDisposable last = client.OnFlagValueChanged("f", _ada, change => Hear("last", change));
        first.Dispose();
        first.Dispose();
        _data.Update(_data.Flag("f").VariationForAll(false));
        await HeardAsync("self f true false", "last f true false");
        _data.Update(_data.Flag("f").VariationForAll(true));
        await HeardAsync("last f false true");
    }

    [Fact]
    public async Task What_a_handler_throws_is_logged_and_the_others_hear()
    {
        using ListLogger logger = new();
        _data.Update(_data.Flag("f"));
        await using FlagstoneClient client = await StartAsync(logger);
        using IDisposable bad = client.OnFlagValueChanged("f", _ada, _ => throw new InvalidOperationException("handler"));
        using IDisposable good = client.OnFlagValueChanged("f", _ada, change => Hear("good", change));
        _data.Update(_data.Flag("f").VariationForAll(false));
        await HeardAsync("good f true false");
        Assert.Contains(logger.Lines, line => line.Level == LogLevel.Error && line.Error?.Message == "handler");
    }

    [Fact]
    public async Task A_handler_does_not_run_in_what_surrounded_the_start()
    {
        AsyncLocal<string?> request = new() { Value = "of whoever started the client" };
        _data.Update(_data.Flag("f").VariationForAll(false));
        await using FlagstoneClient client = await StartAsync();
        TaskCompletionSource<string?> seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        client.FlagChanged += (_, _) => seen.TrySetResult(request.Value);
        _data.Update(_data.Flag("f").VariationForAll(true));
        Assert.Null(await seen.Task.WaitAsync(s_long, TestContext.Current.CancellationToken));
        Assert.NotNull(request.Value);
    }

    [Fact]
    public async Task Observers_hear_until_they_unsubscribe_or_the_client_ends()
    {
        _data.Update(_data.Flag("f"));
        FlagstoneClient client = await StartAsync();
        IObservable<FlagValueChange> values = client.ObserveFlagValue("f", _ada);
        Observer stays = new(change => Hear("stays", change));
        Observer goes = new(change => Hear("goes", change));
        values.Subscribe(stays);
        IDisposable subscription = values.Subscribe(goes);
        _data.Update(_data.Flag("f").VariationForAll(false));
        await HeardAsync("stays f true false", "goes f true false");
        subscription.Dispose();
        _data.Update(_data.Flag("f").VariationForAll(true));
        await HeardAsync("stays f false true");
        client.Dispose();
        client.Dispose();
        Assert.Equal((1, 0), (stays.Completed, goes.Completed));
        Observer late = new(_ => { });
        values.Subscribe(late).Dispose();
        Assert.IsType<ObjectDisposedException>(late.Error);
        Assert.Throws<ArgumentNullException>(() => values.Subscribe(null!));
    }

    [Fact]
    public async Task A_stream_of_changes_ends_with_the_client_and_can_be_cancelled()
    {
        _data.Update(_data.Flag("f"));
        FlagstoneClient client = await StartAsync();
        using CancellationTokenSource stop = new();
        Task cancelled = ReadAsync("cancelled", client.FlagValueChangesAsync("f", _ada), stop.Token);
        Task ended = ReadAsync("ended", client.FlagValueChangesAsync("f", _ada), default);
        // Both have begun: an async iterator runs on the caller until it waits.
        _data.Update(_data.Flag("f").VariationForAll(false));
        await HeardAsync("cancelled f true false", "ended f true false");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(s_long));
        _data.Update(_data.Flag("f").VariationForAll(true));
        await HeardAsync("ended f false true");
        await client.DisposeAsync();
        await ended.WaitAsync(s_long);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ReadAsync("late", client.FlagValueChangesAsync("f", _ada), default));
    }

    [Fact]
    public async Task Who_reads_a_stream_keeps_the_client()
    {
        _data.Update(_data.Flag("f"));
        Task<FlagValueChange> first = await BeginAsync();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        _data.Update(_data.Flag("f").VariationForAll(false));
        Assert.Equal("false", (await first.WaitAsync(s_long)).NewValue.GetRawText());

        [MethodImpl(MethodImplOptions.NoInlining)]
        async Task<Task<FlagValueChange>> BeginAsync()
        {
            FlagstoneClient client = new(new FlagstoneOptions { TestData = _data });
            Assert.True(await client.StartAsync(s_long));
            return FirstAsync(client.FlagValueChangesAsync("f", _ada));
        }

        static async Task<FlagValueChange> FirstAsync(IAsyncEnumerable<FlagValueChange> changes)
        {
            await foreach (FlagValueChange change in changes)
            {
                return change;
            }
            throw new InvalidOperationException("there was none");
        }
    }

    [Fact]
    public async Task Listening_may_begin_before_the_start_and_leaves_no_events()
    {
        using LaunchDarkly launchDarkly = new(Flags.Bool("f", 1, true));
        await using FlagstoneClient client = new(new FlagstoneOptions
        {
            SdkKey = LaunchDarkly.SdkKey,
            SourceKind = SourceKind.Stream,
            EndpointsRelay = launchDarkly.Url,
            EventsDiagnostics = false,
        });
        using IDisposable listener = client.OnFlagValueChanged("f", _ada, change => Hear("ada", change));
        Assert.True(await client.StartAsync(s_long));
        await HeardAsync("ada f null true");
        launchDarkly.Patch(Flags.Bool("f", 2, false));
        await HeardAsync("ada f true false");
        Assert.True(client.FlushAndWait(s_long));
        Assert.Empty(launchDarkly.Events());
    }

    [Fact]
    public async Task What_cannot_be_listened_to_is_refused()
    {
        FlagstoneClient client = await StartAsync();
        Assert.Throws<ArgumentNullException>(() => client.OnFlagValueChanged(null!, _ada, _ => { }));
        Assert.Throws<ArgumentNullException>(() => client.OnFlagValueChanged("f", null!, _ => { }));
        Assert.Throws<ArgumentNullException>(() => client.OnFlagValueChanged("f", _ada, null!));
        Assert.Throws<ArgumentException>(() => client.OnFlagValueChanged("\ud800", _ada, _ => { }));
        Assert.Throws<ArgumentNullException>(() => client.ObserveFlagValue("f", null!));
        Assert.Throws<ArgumentNullException>(() => client.FlagValueChangesAsync(null!, _ada));
        using IDisposable listener = client.OnFlagValueChanged("", _ada, _ => { });
        client.Dispose();
        Assert.Throws<ObjectDisposedException>(() => client.OnFlagValueChanged("f", _ada, _ => { }));
        listener.Dispose();
    }

    private void Hear(string who, FlagValueChange change) =>
        _heard.Enqueue(
        $"{who} {change.Key} {JsonSerializer.Serialize(change.OldValue)} {JsonSerializer.Serialize(change.NewValue)}");

    /// <summary>Waits until exactly these were heard, in any order, since the last time.</summary>
    private async Task HeardAsync(params string[] expected)
    {
        await Eventually.IsTrueAsync(() => _heard.Count >= expected.Length);
        Assert.Equal(expected.Order(StringComparer.Ordinal), _heard.Order(StringComparer.Ordinal));
        _heard.Clear();
    }

    private async Task ReadAsync(string who, IAsyncEnumerable<FlagValueChange> changes, CancellationToken cancellationToken)
    {
        await foreach (FlagValueChange change in changes.WithCancellation(cancellationToken))
        {
            Hear(who, change);
        }
    }

    private async Task<FlagstoneClient> StartAsync(ListLogger? logger = null)
    {
        FlagstoneClient client = new(new FlagstoneOptions { TestData = _data, LoggerFactory = logger });
        Assert.True(await client.StartAsync(s_long));
        return client;
    }

    private sealed class Observer(Action<FlagValueChange> onNext) : IObserver<FlagValueChange>
    {
        internal int Completed { get; private set; }

        internal Exception? Error { get; private set; }

        public void OnNext(FlagValueChange value) => onNext(value);

        public void OnCompleted() => Completed++;

        public void OnError(Exception error) => Error = error;
    }
}
