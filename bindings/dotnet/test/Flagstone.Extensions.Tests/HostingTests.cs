// Clients in a host: they start before what needs them, end after it, and a host without flags starts all the same.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Extensions.Hosting;
using Flagstone.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed class HostingTests(RedisServer server) : IDisposable
{
    private readonly TestEnvironment _environment = new(server);
    private readonly TestEnvironment _other = new(server);
    private readonly ListLogger _logger = new();

    public void Dispose()
    {
        _environment.Dispose();
        _other.Dispose();
        _logger.Dispose();
    }

    [Fact]
    public async Task Flags_are_there_before_other_services_start_and_after_they_stop()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        HostApplicationBuilder builder = Builder();
        // Registered before the client, and evaluates in its start and in its end.
        builder.Services.AddSingleton<Asking>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Asking>());
        builder.Services.AddFlagstone(Set(_environment));
        using IHost host = builder.Build();
        await host.StartAsync();
        Asking asking = host.Services.GetRequiredService<Asking>();
        FlagstoneClient client = host.Services.GetRequiredService<FlagstoneClient>();
        Assert.Same(client, host.Services.GetRequiredService<IFlagstoneClient>());
        Assert.Equal([true], asking.Answers);
        Assert.Contains(_logger.Lines, line => line is { Category: "Flagstone.Hosting", Event.Id: 201 } && Equals(line.Fields["FlagCount"], 1L));
        Assert.Contains(_logger.Lines, line => line.Category == "Flagstone.Store");
        await host.StopAsync();
        Assert.Equal([true, true], asking.Answers);
        Assert.False(asking.WasClosed);
        Assert.Equal(DataSourceState.Off, client.State);
    }

    [Fact]
    public async Task Several_environments_have_names_and_their_health_and_measurements_do_too()
    {
        _environment.Write(Flags.Number("n", 1, 1));
        _other.Write(Flags.Number("n", 1, 2));
        HostApplicationBuilder builder = Builder();
        builder.Services.AddKeyedFlagstone("eu", Set(_environment));
        builder.Services.AddKeyedFlagstone("us", Set(_other)).Configure(options => options.MetricsEvaluations = true);
        using IHost host = builder.Build();
        await host.StartAsync();
        using Context ada = Context.New("ada");
        FlagstoneClient eu = host.Services.GetRequiredKeyedService<FlagstoneClient>("eu");
        IFlagstoneClient us = host.Services.GetRequiredKeyedService<IFlagstoneClient>("us");
        Assert.Equal((1, 2), (eu.IntVariation("n", ada, 0), us.IntVariation("n", ada, 0)));
        Assert.Null(host.Services.GetService<FlagstoneClient>());
        using Collected collected = new(("flagstone.client", "us"));
        Assert.Equal(1, Assert.Single(collected.Values("feature_flag.evaluations")).Value);
        await host.StopAsync();
        Assert.Equal((DataSourceState.Off, DataSourceState.Off), (eu.State, us.State));
    }

    [Fact]
    public void Two_clients_of_one_name_are_refused_in_a_clear_sentence()
    {
        ServiceCollection services = new();
        services.AddFlagstone(_ => { });
        services.AddKeyedFlagstone("eu", _ => { });
        Assert.Equal(
            "There is a Flagstone client already. Further ones need names: AddKeyedFlagstone.",
            Assert.Throws<InvalidOperationException>(() => services.AddFlagstone(_ => { })).Message);
        Assert.Equal(
            "There is a Flagstone client named 'eu' already. Each needs a name of its own.",
            Assert.Throws<InvalidOperationException>(() => services.AddKeyedFlagstone("eu", _ => { })).Message);
        Assert.StartsWith(
            "the name is empty", Assert.Throws<ArgumentException>(() => services.AddKeyedFlagstone("", _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Redis_the_host_starts_in_time_says_so_and_gets_the_flags_later()
    {
        using RedisServer own = new();
        own.Kill();
        HostApplicationBuilder builder = Builder();
        builder.Services.AddKeyedFlagstone("one", options => options.RedisUrl = own.Url).ConfigureHosting(Soon);
        builder.Services.AddKeyedFlagstone("two", options => options.RedisUrl = own.Url).ConfigureHosting(Soon);
        using IHost host = builder.Build();
        Stopwatch watch = Stopwatch.StartNew();
        await host.StartAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"{watch.Elapsed}");
        ListLogger.Line[] warnings = [.. _logger.Lines.Where(line => line is { Category: "Flagstone.Hosting", Event.Name: "NoFlags" })];
        Assert.Equal(2, warnings.Length);
        Assert.All(warnings, line => Assert.Equal(LogLevel.Warning, line.Level));
        Assert.Contains("Flagstone (one): no flags within 0.3 s; it goes on trying. Initializing;", warnings.Min(line => line.Text), StringComparison.Ordinal);
        FlagstoneClient client = host.Services.GetRequiredKeyedService<FlagstoneClient>("one");
        using Context ada = Context.New("ada");
        Assert.Equal("ERROR(CLIENT_NOT_READY)", client.BoolVariationDetail("yes", ada).Reason.ToString());
        own.Start();
        own.Write("launchdarkly", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", 1, true).Json });
        Assert.True(await Eventually.IsTrueAsync(() => client.BoolVariation("yes", ada)));
        await host.StopAsync();

        static void Soon(FlagstoneHostingOptions hosting) => hosting.StartTimeout = TimeSpan.FromSeconds(0.3);
    }

    [Fact]
    public async Task Without_Redis_the_host_fails_if_that_is_wanted_and_says_why()
    {
        int port = RedisServer.FreePort();
        HostApplicationBuilder builder = Builder();
        builder.Services.AddFlagstone(options => options.RedisUrl = $"redis://127.0.0.1:{port}").ConfigureHosting(hosting =>
        {
            hosting.StartTimeout = TimeSpan.FromSeconds(0.3);
            hosting.FailWithoutFlags = true;
        });
        using IHost host = builder.Build();
        FlagstoneException error = await Assert.ThrowsAsync<FlagstoneException>(() => host.StartAsync());
        Assert.StartsWith("Flagstone: no flags within 0.3 s, without which the application is not to start (FailWithoutFlags). Initializing;", error.Message, StringComparison.Ordinal);
        Assert.Contains($"{port}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_service_tells_while_it_stops_is_delivered()
    {
        using LaunchDarkly launchDarkly = new();
        _environment.Write(Flags.Bool("yes", 1, true));
        HostApplicationBuilder builder = Builder();
        builder.Services.AddSingleton<Asking>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Asking>());
        builder.Services.AddFlagstone(Set(_environment)).Configure(options =>
        {
            options.SdkKey = LaunchDarkly.SdkKey;
            options.EndpointsRelay = launchDarkly.Url;
            options.EventsFlushInterval = TimeSpan.FromHours(1);
        });
        using IHost host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
        Assert.Contains(launchDarkly.Events(), told => told.GetProperty("kind").GetString() == "custom" && told.GetProperty("key").GetString() == "stopped");
        Assert.DoesNotContain(_logger.Lines, line => line.Event.Name == "NotFlushed");
    }

    [Fact]
    public async Task A_LaunchDarkly_that_is_away_does_not_keep_the_host_from_ending()
    {
        using LaunchDarkly launchDarkly = new();
        _environment.Write(Flags.Bool("yes", 1, true));
        HostApplicationBuilder builder = Builder();
        builder.Services.AddFlagstone(Set(_environment)).Configure(options =>
        {
            options.SdkKey = LaunchDarkly.SdkKey;
            options.EndpointsRelay = launchDarkly.Url;
        }).ConfigureHosting(hosting => hosting.FlushTimeout = TimeSpan.FromSeconds(0.2));
        using IHost host = builder.Build();
        await host.StartAsync();
        launchDarkly.Kill();
        using Context ada = Context.New("ada");
        host.Services.GetRequiredService<FlagstoneClient>().Track("lost", ada);
        Stopwatch watch = Stopwatch.StartNew();
        await host.StopAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        Assert.Contains(_logger.Lines, line => line.Event.Name == "NotFlushed");
    }

    [Fact]
    public async Task A_host_of_old_that_knows_no_before_and_after_starts_and_ends_the_client_in_turn()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        ServiceCollection services = new();
        services.AddLogging();
        services.AddFlagstone(Set(_environment));
        await using ServiceProvider provider = services.BuildServiceProvider();
        IHostedService hosted = Assert.Single(provider.GetServices<IHostedService>());
        await hosted.StartAsync(CancellationToken.None);
        FlagstoneClient client = provider.GetRequiredService<FlagstoneClient>();
        Assert.Equal(DataSourceState.Valid, client.State);
        await hosted.StopAsync(CancellationToken.None);
        Assert.Equal(DataSourceState.Off, client.State);
    }

    [Fact]
    public async Task The_start_is_an_activity_and_evaluations_are_events_if_that_is_wanted()
    {
        _environment.Write(Flags.Bool("yes", 1, true));
        List<Activity> ended = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == FlagstoneTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                lock (ended)
                {
                    ended.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        HostApplicationBuilder builder = Builder();
        builder.Services.AddKeyedFlagstone("traced", Set(_environment)).ConfigureHosting(hosting => hosting.ActivityEvents = true);
        using IHost host = builder.Build();
        await host.StartAsync();
        Activity start;
        lock (ended)
        {
            start = ended.Single(activity => Equals(activity.GetTagItem("flagstone.client"), "traced"));
        }
        Assert.Equal(
            ("flagstone.start", true, 1L),
            (start.OperationName, start.GetTagItem("flagstone.client.ready"), start.GetTagItem("flagstone.flags")));
        using Activity activity = new Activity("request") { IsAllDataRequested = true }.Start();
        using Context ada = Context.New("ada");
        host.Services.GetRequiredKeyedService<FlagstoneClient>("traced").BoolVariation("yes", ada);
        activity.Stop();
        Assert.Equal("feature_flag.evaluation", Assert.Single(activity.Events).Name);
        await host.StopAsync();
    }

    [Fact]
    public async Task Options_may_need_services()
    {
        using TestData data = new();
        data.Update(data.Flag("yes").VariationForAll(true));
        HostApplicationBuilder builder = Builder();
        builder.Services.AddSingleton(data);
        builder.Services.AddFlagstone(_ => { }).Configure((services, options) => options.TestData = services.GetRequiredService<TestData>());
        using IHost host = builder.Build();
        await host.StartAsync();
        using Context ada = Context.New("ada");
        Assert.True(host.Services.GetRequiredService<FlagstoneClient>().BoolVariation("yes", ada));
        await host.StopAsync();
    }

    private static Action<FlagstoneOptions> Set(TestEnvironment environment) => options =>
    {
        options.RedisUrl = environment.Server.Url;
        options.RedisPrefix = environment.Prefix;
        options.RedisConnectTimeoutMs = 15_000;
        options.RedisCommandTimeoutMs = 15_000;
    };

    private HostApplicationBuilder Builder()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<ILoggerFactory>(_logger);
        return builder;
    }

    /// <summary>Evaluates while it starts and while it stops.</summary>
    private sealed class Asking(FlagstoneClient client) : IHostedService
    {
        internal List<bool> Answers { get; } = [];

        internal bool WasClosed { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => AskAsync();

        public Task StopAsync(CancellationToken cancellationToken)
        {
            using Context ada = Context.New("ada");
            client.Track("stopped", ada);
            WasClosed = client.State == DataSourceState.Off;
            return AskAsync();
        }

        private Task AskAsync()
        {
            using Context ada = Context.New("ada");
            Answers.Add(client.BoolVariation("yes", ada));
            return Task.CompletedTask;
        }
    }
}
