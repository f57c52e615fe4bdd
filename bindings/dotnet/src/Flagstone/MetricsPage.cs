// The metrics of one client, read once for all instruments of one collection, which are asked one after the other: one that is asked
// again belongs to the next collection.
using System;
using System.Collections.Generic;
using System.Diagnostics;

namespace Flagstone;

internal sealed class MetricsPage(IFlagstoneClient client, KeyValuePair<string, object?>[] tags)
{
    /// <summary>How long a text is good for at most.</summary>
    private static readonly TimeSpan s_kept = TimeSpan.FromSeconds(5);

    private readonly WeakReference<IFlagstoneClient> _client = new(client);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly object _lock = new();
    private readonly Stopwatch _age = new();
    private Dictionary<string, List<MetricSample>> _families = [];

    /// <summary>Tags of each measurement.</summary>
    internal KeyValuePair<string, object?>[] Tags => tags;

    /// <summary>The client is gone or closed: nothing comes any more.</summary>
    internal bool IsOver { get; private set; }

    /// <summary>The samples of a metric; none where the client has no such.</summary>
    internal List<MetricSample> Samples(string source)
    {
        lock (_lock)
        {
            if (!_age.IsRunning || _age.Elapsed > s_kept || _asked.Contains(source))
            {
                _families = Read();
                _asked.Clear();
                // From when it is there: with many flags it takes its time.
                _age.Restart();
            }
            _asked.Add(source);
            return _families.TryGetValue(source, out List<MetricSample>? samples) ? samples : [];
        }
    }

    private Dictionary<string, List<MetricSample>> Read()
    {
        try
        {
            if (_client.TryGetTarget(out IFlagstoneClient? client))
            {
                return MetricsText.Parse(client.GetMetricsText());
            }
        }
        catch (ObjectDisposedException)
        {
            // Closed: as if it were gone.
        }
        IsOver = true;
        return [];
    }
}
