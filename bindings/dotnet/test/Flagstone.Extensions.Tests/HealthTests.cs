// The health of a client, from before its start to its end.
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Flagstone.Extensions.Hosting;
using Flagstone.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed class HealthTests
{
    [Fact]
    public async Task It_is_unhealthy_until_something_was_read_then_healthy_degraded_in_an_outage_and_unhealthy_when_closed()
    {
        using RedisServer server = new();
        Write(server, 1);
        // Connections are taken, and nobody answers.
        server.Stop();
        using IHost host = Host(services => services.AddFlagstone(options => options.RedisUrl = server.Url)
            .ConfigureHosting(hosting => hosting.StartTimeout = TimeSpan.FromMinutes(5)));
        HealthReportEntry before = await CheckAsync(host);
        Assert.Equal(HealthStatus.Unhealthy, before.Status);
        Assert.StartsWith("Nothing was ever read", before.Description, StringComparison.Ordinal);
        Task start = host.StartAsync();
        HealthReportEntry starting = default;
        Assert.True(await Eventually.IsTrueAsync(() => (starting = Check(host)).Description!.StartsWith("Starting: nothing was read yet", StringComparison.Ordinal)));
        Assert.Equal((HealthStatus.Unhealthy, false), (starting.Status, start.IsCompleted));
        server.Continue();
        await start;
        Assert.True(await Eventually.IsTrueAsync(() => Check(host).Status == HealthStatus.Healthy));
        HealthReportEntry healthy = await CheckAsync(host);
        Assert.Equal(("1 flags, known to be true.", 1L, "Valid"), (healthy.Description, healthy.Data["flags"], healthy.Data["state"]));
        server.Kill();
        Assert.True(await Eventually.IsTrueAsync(() => Check(host).Status == HealthStatus.Degraded));
        HealthReportEntry degraded = await CheckAsync(host);
        Assert.StartsWith("The last known flags answer. Interrupted;", degraded.Description, StringComparison.Ordinal);
        Assert.True(await Eventually.IsTrueAsync(() => Check(host).Data.ContainsKey("lastError")));
        server.Start();
        Write(server, 2);
        Assert.True(await Eventually.IsTrueAsync(() => Check(host).Status == HealthStatus.Healthy));
        await host.StopAsync();
        HealthReportEntry closed = await CheckAsync(host);
        Assert.Equal((HealthStatus.Unhealthy, "The client is closed."), (closed.Status, closed.Description));
    }

    [Fact]
    public async Task Last_known_flags_of_a_snapshot_are_degraded_and_being_offline_is_healthy()
    {
        using RedisServer server = new();
        Write(server, 1);
        System.IO.DirectoryInfo folder = System.IO.Directory.CreateTempSubdirectory("flagstone-health-");
        string snapshot = System.IO.Path.Combine(folder.FullName, "flags");
        try
        {
            FlagstoneClient first = new(new FlagstoneOptions { RedisUrl = server.Url, SnapshotFile = snapshot });
            Assert.True(await first.StartAsync(TimeSpan.FromSeconds(30)));
            await first.DisposeAsync();
            Assert.True(System.IO.File.Exists(snapshot));
            server.Kill();
            using IHost host = Host(services =>
            {
                services.AddFlagstone(options =>
                {
                    options.RedisUrl = server.Url;
                    options.SnapshotFile = snapshot;
                }).ConfigureHosting(hosting => hosting.StartTimeout = TimeSpan.FromSeconds(0.5));
                services.AddKeyedFlagstone("off", options => options.Offline = true);
                services.AddHealthChecks().AddFlagstone("off");
            });
            await host.StartAsync();
            Assert.True(await Eventually.IsTrueAsync(() => Check(host).Status == HealthStatus.Degraded));
            HealthReportEntry offline = await CheckAsync(host, "flagstone-off");
            Assert.Equal(HealthStatus.Healthy, offline.Status);
            Assert.StartsWith("Offline, as the options say", offline.Description, StringComparison.Ordinal);
            await host.StopAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_check_of_a_client_that_is_not_there_says_so_and_names_and_failure_can_be_chosen()
    {
        using IHost host = Host(services =>
        {
            services.AddFlagstone(options => options.RedisUrl = "redis://127.0.0.1:1");
            services.AddHealthChecks().AddFlagstone("none", name: "missing").AddFlagstone(name: "soft", failureStatus: HealthStatus.Degraded, tags: ["ready"]);
        });
        HealthReportEntry missing = await CheckAsync(host, "missing");
        Assert.Equal(HealthStatus.Unhealthy, missing.Status);
        Assert.Equal("There is no Flagstone client named 'none'.", missing.Description);
        HealthReportEntry soft = await CheckAsync(host, "soft");
        Assert.Equal((HealthStatus.Degraded, "ready"), (soft.Status, Assert.Single(soft.Tags)));
    }

    private static void Write(RedisServer server, int version) =>
        server.Write("launchdarkly", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", version, true).Json });

    private static IHost Host(Action<IServiceCollection> add)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHealthChecks().AddFlagstone();
        add(builder.Services);
        return builder.Build();
    }

    private static HealthReportEntry Check(IHost host) => CheckAsync(host).GetAwaiter().GetResult();

    private static async Task<HealthReportEntry> CheckAsync(IHost host, string name = "flagstone") =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Name == name)).Entries[name];
}
