// How a client fares, in three words.
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Flagstone.Extensions.Hosting;

/// <summary>Of a client that was not registered: an exception would take the other checks along.</summary>
internal sealed class NoClientHealthCheck(string name) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, name.Length == 0
            ? "There is no Flagstone client without a name: the check needs the name of one."
            : $"There is no Flagstone client named '{name}'."));
}

internal sealed class FlagstoneHealthCheck(IFlagstoneClient client, HostedClient hosted, bool isOffline) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            return Task.FromResult(Checked(client.GetStatus(), context.Registration.FailureStatus));
        }
        catch (ObjectDisposedException)
        {
            return Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, "The client is closed."));
        }
    }

    private HealthCheckResult Checked(FlagstoneStatus status, HealthStatus failure)
    {
        (HealthStatus health, string description) = status switch
        {
            _ when isOffline => (HealthStatus.Healthy, "Offline, as the options say: every evaluation gives its default."),
            { IsReady: true, State: DataSourceState.Valid } => (HealthStatus.Healthy, $"{status.FlagCount} flags, known to be true."),
            { IsReady: true } or { FlagCount: > 0 } => (HealthStatus.Degraded, $"The last known flags answer. {status}"),
            _ when hosted.Starting is TimeSpan time => (failure, FormattableString.Invariant(
                $"Starting: nothing was read yet, after {time.TotalSeconds:F1} s. {status}")),
            _ => (failure, $"Nothing was ever read: every evaluation gives its default. {status}"),
        };
        return new HealthCheckResult(health, description, data: Data(status));
    }

    private static Dictionary<string, object> Data(FlagstoneStatus status)
    {
        Dictionary<string, object> data = new()
        {
            ["state"] = status.State.ToString(),
            ["ready"] = status.IsReady,
            ["flags"] = status.FlagCount,
            ["freshness"] = status.Freshness,
            ["storeAvailable"] = status.Store.Available,
        };
        if (status.VerifiedAge is TimeSpan age)
        {
            data["dataAgeSeconds"] = age.TotalSeconds;
        }
        if (status.LastError is string error)
        {
            data["lastError"] = error;
        }
        return data;
    }
}
