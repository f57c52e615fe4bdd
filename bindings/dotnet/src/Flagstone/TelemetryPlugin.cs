// What a client is measured by and what it tells of evaluations, in the base library of .NET: whoever collects metrics and traces
// reads it from there, OpenTelemetry for one.
//
// It belongs to this package, as programs without a host want it as much as others: on .NET 8 it needs nothing, on .NET Standard
// one package more. A client without the plugin has none of it.
using System;
using System.Collections.Generic;
using System.Diagnostics.Metrics;

namespace Flagstone;

/// <summary>What <see cref="TelemetryPlugin"/> does.</summary>
public sealed class TelemetryOptions
{
    /// <summary>
    /// Whether each evaluation is an event of the activity that is current, see <see cref="EvaluationEventHook"/>: costs each about a
    /// microsecond. Default: true.
    /// </summary>
    public bool ActivityEvents { get; set; } = true;

    /// <summary>Whether events tell the key of the context, which may say who somebody is. Default: false.</summary>
    public bool ContextId { get; set; }

    /// <summary>
    /// The meter to put the instruments on, for example one of <c>IMeterFactory</c>. Default: one for the process, named
    /// <see cref="FlagstoneTelemetry.MeterName"/>.
    /// </summary>
    public Meter? Meter { get; set; }

    /// <summary>Tags of every measurement, which tell several clients apart. Default: none.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Tags { get; set; } = [];
}

/// <summary>
/// Puts a client's counters and gauges on a <see cref="Meter"/>, and tells of evaluations on the current
/// <see cref="System.Diagnostics.Activity"/>. Names are those of OpenTelemetry's semantic conventions for feature flags.
/// </summary>
/// <remarks>
/// <para>
/// The instruments are observed: nothing is computed before somebody collects, and an evaluation costs the same with them and
/// without. <c>feature_flag.evaluations</c> (tags <c>feature_flag.key</c>, <c>feature_flag.result.variant</c>) is what the library
/// counts for events or <see cref="FlagstoneOptions.MetricsEvaluations"/>, and is not there without either.
/// </para>
/// <para>A client is not kept alive by its measurements, and has none once it is closed.</para>
/// </remarks>
public sealed class TelemetryPlugin : Plugin
{
    private readonly TelemetryOptions _options;
    private readonly EvaluationEventHook? _hook;

    /// <summary>For one client.</summary>
    /// <param name="options">What it does; null is the defaults.</param>
    public TelemetryPlugin(TelemetryOptions? options = null)
        : base("flagstone.telemetry")
    {
        _options = options ?? new TelemetryOptions();
        _hook = _options.ActivityEvents ? new EvaluationEventHook(_options.ContextId) : null;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Hook>? GetHooks(EnvironmentMetadata metadata) => _hook is null ? null : [_hook];

    /// <inheritdoc/>
    /// <exception cref="FlagstoneLibraryException">The library is older than this package and has no metrics; logged.</exception>
    public override void Register(IFlagstoneClient client, EnvironmentMetadata metadata)
    {
        _ = client ?? throw new ArgumentNullException(nameof(client));
        _hook?.TellVersionsOf(client);
        // Throws here, and not whenever somebody collects.
        _ = client.GetMetricsText();
        ClientInstruments.Of(_options.Meter).Add(new MetricsPage(client, [.. _options.Tags]));
    }
}
