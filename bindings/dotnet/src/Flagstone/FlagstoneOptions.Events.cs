// The options of events.
using System.Collections.Generic;

namespace Flagstone;

public sealed partial class FlagstoneOptions
{
    /// <summary>
    /// Whether evaluations are counted by flag and variation also where there are no events, which count them anyway. Default:
    /// false.
    /// </summary>
    public bool? MetricsEvaluations { get; set; }

    /// <summary>
    /// Whether evaluations, and what is told by <see cref="FlagstoneClient.Identify"/> and <c>Track</c>, are sent to
    /// <see cref="EndpointsEvents"/>. True needs an <see cref="SdkKey"/>. Default: true with an <see cref="SdkKey"/>, also in
    /// daemon mode, as LaunchDarkly's SDKs do; otherwise false.
    /// </summary>
    public bool? EventsEnabled { get; set; }

    /// <summary>
    /// Most events that wait for a flush, from 1 to 10,000,000; more are dropped and counted. Evaluations that are only counted
    /// take no room. Default: 10000.
    /// </summary>
    public int? EventsCapacity { get; set; }

    /// <summary>Interval at which events are sent. Default: 5000.</summary>
    public int? EventsFlushIntervalMs { get; set; }

    /// <summary>
    /// Most contexts that are remembered as told, from 1 to 10,000,000; others are told again when they come again. Default: 1000.
    /// </summary>
    public int? EventsContextKeysCapacity { get; set; }

    /// <summary>Interval after which they are forgotten. Default: 300000.</summary>
    public int? EventsContextKeysFlushMs { get; set; }

    /// <summary>Whether events are compressed. Default: true.</summary>
    public bool? EventsGzip { get; set; }

    /// <summary>Whether no attribute of a context is sent but its kind, key and <c>anonymous</c>. Default: false.</summary>
    public bool? EventsAllAttributesPrivate { get; set; }

#pragma warning disable CA2227 // null says that nothing is set, as everywhere here
    /// <summary>
    /// Attributes that are not sent, of no context: names, or references such as <c>/address/street</c>. Default: none.
    /// </summary>
    public IList<string>? EventsPrivateAttributes { get; set; }
#pragma warning restore CA2227

    /// <summary>
    /// Whether anonymous contexts are left out where a context is told for its own sake: when it is seen for the first time, and by
    /// <see cref="FlagstoneClient.Identify"/>. Default: false.
    /// </summary>
    public bool? EventsOmitAnonymousContexts { get; set; }

    /// <summary>Whether figures of the client itself are sent: its options without names and addresses, and counts. Default: true.</summary>
    public bool? EventsDiagnostics { get; set; }

    /// <summary>Interval at which they are sent; less than a minute is raised. Default: 900000.</summary>
    public int? EventsDiagnosticIntervalMs { get; set; }

    /// <summary>
    /// Folder that keeps events that cannot be delivered, also over the end of the process; they are sent when they can be. Made if
    /// it is not there; one that others may write to is refused; processes may share it. Default: none, they are lost.
    /// </summary>
    public string? EventsSpool { get; set; }

    /// <summary>Most bytes of it for one <see cref="SdkKey"/>; the oldest make room. Default: 67108864.</summary>
    public long? EventsSpoolBytes { get; set; }
}
