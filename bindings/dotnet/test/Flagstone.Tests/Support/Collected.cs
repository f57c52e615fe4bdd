// The meters of the library, collected as an exporter does.
using System;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Linq;

namespace Flagstone.Tests.Support;

/// <summary>Listens to every meter of the library's name; keeps the measurements that have a tag.</summary>
internal sealed class Collected : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<Measured> _measured = [];
    private readonly (string Name, string Value) _tag;

    internal Collected((string Name, string Value) tag)
    {
        _tag = tag;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == FlagstoneTelemetry.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>Collects anew; the measurements of one instrument.</summary>
    internal IReadOnlyList<Measured> Values(string instrument)
    {
        Collect();
        return [.. _measured.Where(measured => measured.Name == instrument)];
    }

    /// <summary>Collects anew; the names and units of instruments that have measurements.</summary>
    internal IReadOnlyDictionary<string, string?> Instruments()
    {
        Collect();
        return _measured.DistinctBy(measured => measured.Name).ToDictionary(measured => measured.Name, measured => measured.Unit);
    }

    public void Dispose() => _listener.Dispose();

    private void Collect()
    {
        _measured.Clear();
        _listener.RecordObservableInstruments();
    }

    private void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        Dictionary<string, string?> named = [];
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            named[tag.Key] = tag.Value?.ToString();
        }
        if (named.Remove(_tag.Name, out string? present) && present == _tag.Value)
        {
            _measured.Add(new Measured(instrument.Name, instrument.Unit, value, named));
        }
    }

    internal sealed record Measured(string Name, string? Unit, double Value, IReadOnlyDictionary<string, string?> Tags);
}
