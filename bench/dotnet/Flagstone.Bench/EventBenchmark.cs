// What events cost: the same calls of clients that tell LaunchDarkly of them and of others that do not, in one run.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Flagstone.Bench;

internal static class EventBenchmark
{
    private const string Off = "off: ";
    private const string On = "on: ";
    private const string BesideOff = "beside off: ";
    private const string BesideOn = "beside on: ";

    /// <summary>Runs it, with another client beside, or with none.</summary>
    /// <param name="make">Makes our client, with events or without.</param>
    /// <param name="beside">Makes the other one.</param>
    internal static void Run(Func<bool, ITeller> make, Func<bool, ITeller>? beside)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        using ITeller off = make(false);
        using ITeller on = make(true);
        using ITeller? besideOff = beside?.Invoke(false);
        using ITeller? besideOn = beside?.Invoke(true);
        Dictionary<string, Cost> costs = Measure.All(
            [.. Named(Off, off), .. Named(On, on), .. Named(BesideOff, besideOff), .. Named(BesideOn, besideOn)]);
        Print([.. off.Calls().Select(row => row.Name)], costs, beside is not null);
    }

    private static IEnumerable<Row> Named(string prefix, ITeller? teller) =>
        (teller?.Calls() ?? []).Select(row => row with { Name = prefix + row.Name });

    private static void Print(string[] names, Dictionary<string, Cost> costs, bool compared)
    {
        Console.WriteLine("""

            What events add. Daemon mode; a context of five attributes that was told before, except where one is made; the server is
            on the same machine. What does not fit the queue of 10,000 events is dropped, by both clients.

            """);
        string beside = compared ? " LaunchDarkly's, off | On | Adds | Ratio, on |" : "";
        Console.WriteLine($"| Call | Off | On | Adds | Bytes |{beside} Budget |");
        Console.WriteLine($"| --- | --- | --- | --- | --- |{(compared ? " --- | --- | --- | --- |" : "")} --- |");
        foreach (string name in names)
        {
            (Cost off, Cost on) = (costs[Off + name], costs[On + name]);
            string theirs = compared ? Beside(costs[BesideOff + name], costs[BesideOn + name], on) : "";
            Console.WriteLine(
                $"| {name} | {Time(off.Nanoseconds)} | {Time(on.Nanoseconds)} | {Time(on.Nanoseconds - off.Nanoseconds)} "
                + $"| {on.Bytes:F0} |{theirs} {Verdict(name, off, on)} |");
        }
    }

    private static string Beside(Cost off, Cost on, Cost ours) =>
        $" {Time(off.Nanoseconds)} | {Time(on.Nanoseconds)} | {Time(on.Nanoseconds - off.Nanoseconds)} "
        + $"| {on.Nanoseconds / ours.Nanoseconds:F1}x |";

    private static string Time(double nanoseconds) => $"{nanoseconds:F1} ns";

    private static string Verdict(string name, Cost off, Cost on)
    {
        if (!Told.Budgets.TryGetValue(name, out int budget))
        {
            return "";
        }
        bool met = on.Nanoseconds - off.Nanoseconds <= budget && on.Bytes <= off.Bytes;
        return $"adds <= {budget} ns, 0 bytes: {(met ? "met" : "**not met**")}";
    }
}
