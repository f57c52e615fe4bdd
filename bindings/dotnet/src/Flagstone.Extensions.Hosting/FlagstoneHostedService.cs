// Starts the clients before everything else that the host starts, all at the same time, and ends them last, when nothing evaluates any
// more. Hosts of old do not know of before and after: there it starts and ends in turn.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Flagstone.Extensions.Hosting;

#pragma warning disable CA1812 // the container makes it
internal sealed class FlagstoneHostedService(
    IServiceProvider services,
    IEnumerable<HostedClient> clients,
    IOptionsMonitor<FlagstoneHostingOptions> options,
    ILoggerFactory loggers) : IHostedLifecycleService
#pragma warning restore CA1812
{
    private static readonly ActivitySource s_activities = new(FlagstoneTelemetry.ActivitySourceName);

    private readonly ILogger _logger = loggers.CreateLogger("Flagstone.Hosting");
    private bool _knowsBeforeAndAfter;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _knowsBeforeAndAfter = true;
        return StartAllAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) =>
        _knowsBeforeAndAfter ? Task.CompletedTask : StartAllAsync(cancellationToken);

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        _knowsBeforeAndAfter ? Task.CompletedTask : EndAllAsync(cancellationToken);

    public Task StoppedAsync(CancellationToken cancellationToken) => EndAllAsync(cancellationToken);

    private Task StartAllAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(clients.Select(client => StartAsync(client, cancellationToken)));

    private Task EndAllAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(clients.Where(static hosted => hosted.Client is not null)
            .Select(hosted => EndAsync(hosted, hosted.Client!, cancellationToken)));

    private async Task StartAsync(HostedClient hosted, CancellationToken cancellationToken)
    {
        FlagstoneHostingOptions hosting = options.Get(hosted.Name);
        using Activity? activity = s_activities.StartActivity("flagstone.start");
        Stopwatch watch = Stopwatch.StartNew();
        FlagstoneClient client = hosted.Begin(services);
        bool isReady;
        try
        {
            isReady = await client.StartAsync(hosting.StartTimeout, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            hosted.End();
        }
        FlagstoneStatus status = client.GetStatus();
        if (hosted.Name.Length > 0)
        {
            activity?.SetTag(HostedClient.Tag, hosted.Name);
        }
        activity?.SetTag("flagstone.client.ready", isReady);
        activity?.SetTag("flagstone.flags", status.FlagCount);
        if (isReady)
        {
            HostingLog.Started(_logger, hosted.Title, status.FlagCount, watch.ElapsedMilliseconds);
            return;
        }
        activity?.SetStatus(ActivityStatusCode.Error, status.LastError);
        if (hosting.FailWithoutFlags)
        {
            throw new FlagstoneException(string.Format(
                CultureInfo.InvariantCulture,
                "{0}: no flags within {1} s, without which the application is not to start ({2}). {3}",
                hosted.Title, hosting.StartTimeout.TotalSeconds, nameof(FlagstoneHostingOptions.FailWithoutFlags), status));
        }
        HostingLog.NoFlags(_logger, hosted.Title, hosting.StartTimeout.TotalSeconds, status.ToString());
    }

    private async Task EndAsync(HostedClient hosted, FlagstoneClient client, CancellationToken cancellationToken)
    {
        TimeSpan timeout = options.Get(hosted.Name).FlushTimeout;
        bool isFlushed = false;
        try
        {
            isFlushed = await client.FlushAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host has no more time.
        }
        catch (ObjectDisposedException)
        {
            // Somebody has closed it before.
            isFlushed = true;
        }
        if (!isFlushed)
        {
            HostingLog.NotFlushed(_logger, hosted.Title, timeout.TotalSeconds);
        }
        await client.DisposeAsync().ConfigureAwait(false);
        HostingLog.Ended(_logger, hosted.Title);
    }
}
