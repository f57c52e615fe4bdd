// What the host does with a client, as far as that can be chosen.
using System;

namespace Flagstone.Extensions.Hosting;

/// <summary>
/// How a host starts and ends a client. Settings of these names stand beside those of <see cref="FlagstoneOptions"/> in a section
/// of the configuration.
/// </summary>
public sealed class FlagstoneHostingOptions
{
    /// <summary>
    /// How long the start of the host waits until there are flags; zero does not wait. Clients start at the same time. Default: 5 s.
    /// </summary>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether the start of the host fails when there are no flags by then. Default: false: evaluations give their defaults, or the
    /// last known flags answer, and the client goes on trying.
    /// </summary>
    public bool FailWithoutFlags { get; set; }

    /// <summary>How long the end of the host waits until what waits for LaunchDarkly is delivered. Default: 5 s.</summary>
    public TimeSpan FlushTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether each evaluation is an event of the current activity: see <see cref="TelemetryOptions.ActivityEvents"/>. The meter is
    /// there without. Default: false.
    /// </summary>
    public bool ActivityEvents { get; set; }

    /// <summary>See <see cref="TelemetryOptions.ContextId"/>. Default: false.</summary>
    public bool ActivityContextId { get; set; }
}
