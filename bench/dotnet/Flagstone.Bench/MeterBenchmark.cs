// What a meter that is collected adds to evaluations: the same calls of a client whose meter is collected all the time, and of one that
// counts as well and is asked by nobody.
using System;
using System.Collections.Generic;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Linq;
using System.Threading;

namespace Flagstone.Bench;

internal static class MeterBenchmark
{
    private const string With = "with: ";
    private const string Without = "without: ";

    private static readonly TimeSpan s_collection = TimeSpan.FromMilliseconds(100);

    /// <summary>Runs it.</summary>
    /// <param name="make">Makes a client that counts evaluations, with a plugin.</param>
    internal static void Run(Func<Plugin, ITeller> make)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        using MeterListener collector = new()
        {
            InstrumentPublished = static (instrument, listener) => listener.EnableMeasurementEvents(instrument),
        };
        collector.Start();
        using ITeller with = make(new TelemetryPlugin(new TelemetryOptions { ActivityEvents = false }));
        using ITeller without = make(new Nothing());
        using Timer timer = new(_ => collector.RecordObservableInstruments(), null, s_collection, s_collection);
        string[] names = [.. without.Calls().Select(row => row.Name)];
        Dictionary<string, Cost> costs = Measure.All([.. Named(With, with), .. Named(Without, without)]);
        Console.WriteLine("""

            What a meter adds that is collected ten times a second, to evaluations that are counted in any case.

            | Call | Without | With | Adds | Bytes |
            | --- | --- | --- | --- | --- |
            """);
        foreach (string name in names)
        {
            (Cost off, Cost on) = (costs[Without + name], costs[With + name]);
            Console.WriteLine($"| {name} | {off.Nanoseconds:F1} ns | {on.Nanoseconds:F1} ns | {on.Nanoseconds - off.Nanoseconds:F1} ns | {on.Bytes:F0} |");
        }
    }

    private static IEnumerable<Row> Named(string prefix, ITeller teller) => teller.Calls().Select(row => row with { Name = prefix + row.Name });

    private sealed class Nothing() : Plugin("nothing")
    {
        public override void Register(IFlagstoneClient client, EnvironmentMetadata metadata)
        {
        }
    }
}
