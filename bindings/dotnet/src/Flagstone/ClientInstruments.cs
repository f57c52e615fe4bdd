// The instruments of a meter: one set of them, however many clients it measures. Whoever collects asks them, and they ask the
// clients; an evaluation does not know of them.
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;
using System.Runtime.CompilerServices;

namespace Flagstone;

internal sealed class ClientInstruments
{
    /// <summary>Name, unit, the name in the metrics' text, and what it is, of what only grows.</summary>
    private static readonly (string Name, string Unit, string Source, string Description)[] s_counters =
    [
        ("feature_flag.evaluations", "{evaluation}", "flagstone_evaluations_total", "Evaluations by flag and index of the variation."),
        ("flagstone.evaluations.other", "{evaluation}", "flagstone_other_evaluations_total", "Evaluations that are not counted by flag."),
        ("flagstone.redis.exchanges", "{exchange}", "flagstone_redis_exchanges_total", "Answered reads and writes."),
        ("flagstone.redis.received", "By", "flagstone_redis_received_bytes_total", "Bytes received from Redis."),
        ("flagstone.redis.sent", "By", "flagstone_redis_sent_bytes_total", "Bytes sent to Redis."),
        ("flagstone.events.sent", "{event}", "flagstone_events_sent_total", "Events delivered."),
        ("flagstone.events.lost", "{event}", "flagstone_events_lost_total", "Events that could not be delivered."),
        ("flagstone.events.dropped", "{event}", "flagstone_events_dropped_total", "Events that did not fit."),
        ("flagstone.notifications.dropped", "{notification}", "flagstone_notifications_dropped_total", "Notifications that were not taken in time."),
        ("flagstone.panics", "{panic}", "flagstone_panics_total", "Calls that failed unexpectedly."),
    ];

    /// <summary>The same of what goes up and down.</summary>
    private static readonly (string Name, string Unit, string Source, string Description)[] s_gauges =
    [
        ("flagstone.client.ready", "1", "flagstone_client_ready", "Whether flags are there."),
        ("flagstone.client.state", "1", "flagstone_client_state", "State of the client: 1 for the one in force."),
        ("flagstone.source.state", "1", "flagstone_source_state", "State of the data source: 1 for the one in force."),
        ("flagstone.freshness", "1", "flagstone_freshness", "How held flags are kept true: 1 for the one in force."),
        ("flagstone.data.age", "s", "flagstone_data_age_seconds", "Time since everything held was last known to be true."),
        ("flagstone.flags", "{flag}", "flagstone_flags", "Flags held."),
        ("flagstone.segments", "{segment}", "flagstone_segments", "Segments held."),
        ("flagstone.items.malformed", "{item}", "flagstone_malformed_items", "Items that cannot be read."),
        ("flagstone.store.available", "1", "flagstone_store_available", "Whether Redis answers."),
        ("flagstone.store.stale", "1", "flagstone_store_stale", "Whether what is held may be out of date."),
        ("flagstone.events.waiting", "{event}", "flagstone_events_waiting", "Events that wait for the next flush."),
    ];

    private static readonly ConditionalWeakTable<Meter, ClientInstruments> s_byMeter = new();
    private static readonly Meter s_meter = new(FlagstoneTelemetry.MeterName, typeof(ClientInstruments).Assembly.GetName().Version?.ToString(3));

    private readonly List<MetricsPage> _pages = [];
    private readonly List<Instrument> _instruments = [];

    private ClientInstruments(Meter meter)
    {
        foreach ((string name, string unit, string source, string description) in s_counters)
        {
            _instruments.Add(meter.CreateObservableCounter(
                name, () => Measured(source, static (sample, tags) => new Measurement<long>((long)sample, tags)), unit, description));
        }
        foreach ((string name, string unit, string source, string description) in s_gauges)
        {
            _instruments.Add(meter.CreateObservableGauge(
                name, () => Measured(source, static (sample, tags) => new Measurement<double>(sample, tags)), unit, description));
        }
    }

    /// <summary>Whether anybody collects: else what is counted is for nobody.</summary>
    internal bool IsCollected => _instruments.Exists(static instrument => instrument.Enabled);

    /// <summary>Those of a meter; null is the one of the process.</summary>
    internal static ClientInstruments Of(Meter? meter)
    {
        // The table may make one twice, and a meter has its instruments for good.
        lock (s_byMeter)
        {
            return s_byMeter.GetValue(meter ?? s_meter, static meter => new ClientInstruments(meter));
        }
    }

    /// <summary>Measures a further client.</summary>
    internal void Add(MetricsPage page)
    {
        lock (_pages)
        {
            _pages.RemoveAll(static page => page.IsOver);
            _pages.Add(page);
        }
    }

    private List<Measurement<T>> Measured<T>(string source, System.Func<double, KeyValuePair<string, object?>[], Measurement<T>> measure)
        where T : struct
    {
        MetricsPage[] pages;
        lock (_pages)
        {
            _pages.RemoveAll(static page => page.IsOver);
            pages = [.. _pages];
        }
        return
        [
            .. from page in pages
               from sample in page.Samples(source)
               select measure(sample.Value, [.. sample.Labels.Select(Tag), .. page.Tags]),
        ];
    }

    /// <summary>A label by the name that the conventions give it.</summary>
    private static KeyValuePair<string, object?> Tag(KeyValuePair<string, object?> label) => label.Key switch
    {
        "flag" => new("feature_flag.key", label.Value),
        "variation" => new("feature_flag.result.variant", label.Value),
        _ => label,
    };
}
