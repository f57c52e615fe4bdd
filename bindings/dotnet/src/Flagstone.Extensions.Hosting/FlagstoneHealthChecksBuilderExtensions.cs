// Registers the health check.
using System;
using System.Collections.Generic;
using System.Linq;
using Flagstone;
using Flagstone.Extensions.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the health of Flagstone's clients.</summary>
public static class FlagstoneHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds the health of a client. Healthy: its flags are known to be true. Degraded: the last known flags answer, as Redis or
    /// LaunchDarkly is away. Unhealthy: nothing was ever read, also while it starts. It asks memory only.
    /// </summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="client">Name of the client; null for the one without a name.</param>
    /// <param name="name">Name of the check. Default: <c>flagstone</c>, with the name of the client behind a hyphen.</param>
    /// <param name="failureStatus">What to call unhealthy. Default: <see cref="HealthStatus.Unhealthy"/>.</param>
    /// <param name="tags">Tags of the check, to choose by. Default: none.</param>
    /// <returns>The health checks.</returns>
    public static IHealthChecksBuilder AddFlagstone(
        this IHealthChecksBuilder builder,
        string? client = null,
        string? name = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        _ = builder ?? throw new ArgumentNullException(nameof(builder));
        string named = client ?? Options.Options.DefaultName;
        return builder.Add(new HealthCheckRegistration(
            name ?? (named.Length == 0 ? "flagstone" : $"flagstone-{named}"),
            services => Make(services, named),
            failureStatus,
            tags));
    }

    private static IHealthCheck Make(IServiceProvider services, string name)
    {
        if (services.GetServices<HostedClient>().FirstOrDefault(hosted => hosted.Name == name) is not HostedClient hosted)
        {
            return new NoClientHealthCheck(name);
        }
        IFlagstoneClient client = name.Length == 0
            ? services.GetRequiredService<IFlagstoneClient>()
            : services.GetRequiredKeyedService<IFlagstoneClient>(name);
        bool isOffline = services.GetRequiredService<IOptionsMonitor<FlagstoneOptions>>().Get(name).Offline == true;
        return new FlagstoneHealthCheck(client, hosted, isOffline);
    }
}
