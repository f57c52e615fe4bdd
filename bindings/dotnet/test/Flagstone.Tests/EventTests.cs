// Events and log lines.
using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Tests;

public sealed class EventTests(RedisServer server) : IDisposable
{
    private readonly TestEnvironment _environment = new(server);
    private readonly Context _ada = Context.New("ada");

    public void Dispose()
    {
        _environment.Dispose();
        _ada.Dispose();
    }

    [Fact]
    public async Task Handlers_hear_changes_of_flags()
    {
        _environment.Write(Flags.Bool("a", 1, true));
        FlagstoneClient client = await _environment.StartAsync();
        ConcurrentQueue<(string, long?, long?)> heard = new();
        ConcurrentQueue<object?> senders = new();
        EventHandler<FlagChangedEventArgs> handler = (sender, change) =>
        {
            senders.Enqueue(sender);
            heard.Enqueue((change.Key, change.OldVersion, change.NewVersion));
        };
        client.FlagChanged += handler;
        _environment.Write(Flags.Bool("a", 2, false), Flags.Bool("new", 5, true));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Contains(("a", 1, 2)) && heard.Contains(("new", null, 5))));
        Assert.All(senders, sender => Assert.Same(client, sender));
        client.FlagChanged -= handler;
        heard.Clear();
        _environment.Write(Flags.Bool("a", 3, true));
        Assert.True(await Eventually.IsTrueAsync(() => client.BoolVariation("a", _ada)));
        await Task.Delay(100);
        Assert.Empty(heard);
    }

    [Fact]
    public async Task Handlers_hear_changes_of_state_with_source_and_store()
    {
        using RedisServer own = new();
        TestEnvironment environment = new(own);
        environment.Write(Flags.Bool("yes", 1, true));
        FlagstoneClient client = new(environment.Options());
        ConcurrentQueue<StatusChangedEventArgs> heard = new();
        client.StatusChanged += (_, change) => heard.Enqueue(change);
        Assert.True(await client.StartAsync());
        Assert.True(await Eventually.IsTrueAsync(() => !heard.IsEmpty));
        StatusChangedEventArgs first = Assert.Single(heard);
        Assert.Equal((DataSourceState.Valid, null), (first.State, first.DataSource));
        Assert.Equal((true, null), (first.Store.Available, first.Store.StaleSince));
        own.Kill();
        // The watch may be lost before the connection that reads: two changes then.
        Assert.True(await Eventually.IsTrueAsync(() =>
            heard.Last() is { State: DataSourceState.Interrupted, Store.Available: false }));
        StatusChangedEventArgs lost = heard.Last();
        Assert.NotNull(lost.Store.StaleSince);
        Assert.NotEmpty(lost.Reason);
        Assert.Equal((lost.Store, lost.DataSource), (client.StoreStatus, client.DataSourceStatus));
        EvaluationDetail<bool> detail = client.BoolVariationDetail("yes", _ada);
        Assert.True(detail.Value && detail.IsStale);
        await client.DisposeAsync();
        Assert.Equal(DataSourceState.Off, heard.Last().State);
    }

    [Fact]
    public async Task A_handler_that_throws_is_logged_and_the_others_hear()
    {
        _environment.Write(Flags.Bool("a", 1, true));
        ListLogger logger = new();
        FlagstoneClient client = await _environment.StartAsync(options => options.LoggerFactory = logger);
        ConcurrentQueue<long?> heard = new();
        client.FlagChanged += (_, change) => throw new InvalidOperationException("handler of " + change.Key);
        client.FlagChanged += (_, change) => heard.Enqueue(change.NewVersion);
        _environment.Write(Flags.Bool("a", 2, true));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Contains(2)));
        _environment.Write(Flags.Bool("a", 3, true));
        Assert.True(await Eventually.IsTrueAsync(() => heard.Contains(3)));
        Assert.Contains(logger.Lines, line => line.Level == LogLevel.Error && line.Error?.Message == "handler of a");
    }

    [Fact]
    public async Task A_handler_may_close_the_client_in_either_way()
    {
        foreach (bool blocking in (bool[])[true, false])
        {
            _environment.Write(Flags.Bool("a", 1, true));
            FlagstoneClient client = await _environment.StartAsync();
            TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            client.FlagChanged += async (_, _) =>
            {
                if (blocking)
                {
                    client.Dispose();
                }
                else
                {
                    await client.DisposeAsync();
                }
                closed.TrySetResult();
            };
            _environment.Write(Flags.Bool("a", blocking ? 2 : 3, true));
            await closed.Task.WaitAsync(TimeSpan.FromSeconds(30));
            Assert.Equal(DataSourceState.Off, client.State);
        }
    }

    [Fact]
    public async Task All_handlers_run_on_the_one_thread_of_the_client()
    {
        _environment.Write(Flags.Bool("a", 1, true));
        FlagstoneClient client = new(_environment.Options());
        ConcurrentQueue<(int, string?, bool)> threads = new();
        client.StatusChanged += (_, _) => Note();
        client.FlagChanged += (_, _) => Note();
        Assert.True(await client.StartAsync());
        _environment.Write(Flags.Bool("a", 2, true));
        Assert.True(await Eventually.IsTrueAsync(() => threads.Count >= 2));
        client.Dispose();
        (int, string? Name, bool IsBackground) thread = Assert.Single(threads.Distinct());
        Assert.Equal(("flagstone-events", true), (thread.Name, thread.IsBackground));

        void Note() => threads.Enqueue(
            (Environment.CurrentManagedThreadId, Thread.CurrentThread.Name, Thread.CurrentThread.IsBackground));
    }

    [Fact]
    public async Task Log_lines_reach_the_logger_at_their_level()
    {
        _environment.Write(("broken", "{oops"));
        ListLogger logger = new();
        await _environment.StartAsync(options =>
        {
            options.LoggerFactory = logger;
            options.LogLevel = LogLevel.Debug;
        });
        Assert.True(await Eventually.IsTrueAsync(() => logger.Lines.Any(
            line => line.Level == LogLevel.Error && line.Text.Contains("does not parse", StringComparison.Ordinal))));
        Assert.True(await Eventually.IsTrueAsync(() => logger.Lines.Any(line => line.Level == LogLevel.Information)));
    }

    [Fact]
    public async Task Log_lines_have_the_category_and_the_event_of_what_they_are_about()
    {
        _environment.Write(("broken", "{oops"));
        ListLogger logger = new();
        FlagstoneClient client = await _environment.StartAsync(options =>
        {
            options.LoggerFactory = logger;
            options.LogLevel = LogLevel.Debug;
            options.SdkKey = "sdk-1234-secret";
            options.EndpointsEvents = "http://127.0.0.1:1";
        });
        client.FlagChanged += (_, _) => throw new InvalidOperationException("handler");
        _environment.Write(Flags.Bool("a", 1, true));
        client.Track("told", _ada);
        await client.FlushAsync(TimeSpan.FromSeconds(10));
        Assert.True(await Eventually.IsTrueAsync(() => logger.Lines.Any(line => line.Error?.Message == "handler")));
        Assert.True(await Eventually.IsTrueAsync(() => logger.Lines.Any(line => line.Category == "Flagstone.Events")));
        Assert.All(logger.Lines, line => Assert.Contains(
            (line.Category, line.Event.Id),
            ((string, int)[])[("Flagstone", 2), ("Flagstone.Client", 101), ("Flagstone.Store", 103), ("Flagstone.Events", 104)]));
        ListLogger.Line parse = logger.Lines.First(line => line.Text.Contains("does not parse", StringComparison.Ordinal));
        Assert.Equal(("Flagstone.Store", "Store", parse.Text), (parse.Category, parse.Event.Name, parse.Fields["Line"]));
        Assert.Contains(logger.Lines, line => line.Category == "Flagstone.Client");
    }

    [Fact]
    public async Task Log_lines_below_the_level_stay_away()
    {
        _environment.Write(("broken", "{oops"));
        ListLogger logger = new();
        FlagstoneClient client = await _environment.StartAsync(options =>
        {
            options.LoggerFactory = logger;
            options.LogLevel = LogLevel.None;
        });
        await client.DisposeAsync();
        Assert.Empty(logger.Lines);
    }
}
