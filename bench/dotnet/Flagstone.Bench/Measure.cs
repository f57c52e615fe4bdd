// Takes the times. Rounds of all rows are interleaved, so that a busy moment of the machine meets every row alike.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;

namespace Flagstone.Bench;

/// <summary>What a call of a row costs.</summary>
/// <param name="Nanoseconds">Median of the rounds.</param>
/// <param name="Bytes">
/// Managed bytes, median of the rounds: a collection that another thread causes puts the rest of the calling thread's allocation
/// buffer on the account of the round that it meets.
/// </param>
internal readonly record struct Cost(double Nanoseconds, double Bytes);

internal static class Measure
{
    private const int Rounds = 301;
    private const int WarmRounds = 60;

    // A round is many times the resolution of the clock, and so short that on a busy machine most rounds are not interrupted.
    private static readonly TimeSpan s_round = TimeSpan.FromMilliseconds(0.2);

    /// <summary>Measures every row.</summary>
    internal static Dictionary<string, Cost> All(IReadOnlyList<Row> rows)
    {
        Row[] order = [.. rows];
        // Twice, with a pause in which the runtime compiles in earnest what it has seen to be used much.
        WarmUp(order);
        Thread.Sleep(1000);
        WarmUp(order);
        Dictionary<string, int> runs = order.ToDictionary(row => row.Name, RunsPerRound);
        Dictionary<string, List<Cost>> samples = order.ToDictionary(row => row.Name, _ => new List<Cost>(Rounds));
        for (int round = 0; round < Rounds; round++)
        {
            // In another order each time: what ran before leaves its traces in the caches.
            Random.Shared.Shuffle(order);
            foreach (Row row in order)
            {
                samples[row.Name].Add(Sample(row, runs[row.Name]));
            }
        }
        return samples.ToDictionary(row => row.Key, row => new Cost(Median(row.Value, cost => cost.Nanoseconds), Median(row.Value, cost => cost.Bytes)));
    }

    private static void WarmUp(Row[] rows)
    {
        foreach (Row row in rows)
        {
            for (int round = 0; round < WarmRounds; round++)
            {
                row.Run();
            }
        }
    }

    private static int RunsPerRound(Row row)
    {
        double once = Sample(row, 3).Nanoseconds * row.Calls;
        return Math.Clamp((int)(s_round.TotalNanoseconds / once), 1, 1000);
    }

    private static Cost Sample(Row row, int runs)
    {
        // The first run fetches what the rows before have driven out of the caches.
        row.Run();
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        long began = Stopwatch.GetTimestamp();
        for (int run = 0; run < runs; run++)
        {
            row.Run();
        }
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        double calls = (double)runs * row.Calls;
        return new Cost(took.TotalNanoseconds / calls, (GC.GetAllocatedBytesForCurrentThread() - bytes) / calls);
    }

    private static double Median(List<Cost> samples, Func<Cost, double> what) =>
        samples.Select(what).Order().ElementAt(samples.Count / 2);
}
