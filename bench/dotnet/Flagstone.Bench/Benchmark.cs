// The whole run: all subjects must serve the same values, then they are measured, then a table in Markdown is printed.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Flagstone.Bench;

internal static class Benchmark
{
    private const int TimesFaster = 10;

    /// <summary>Nanoseconds per call of a boolean flag.</summary>
    private static readonly Dictionary<string, int> s_budgets = new()
    {
        ["bool by key"] = 90,
        ["bool by UTF-8 key"] = 90,
        ["bool prepared"] = 50,
    };

    private const int RequestTimesFaster = 8;
    private const int ContextNanoseconds = 500;
    private const int ContextBytes = 200;

    /// <summary>Runs it, with another subject beside, or with none.</summary>
    internal static void Run(string url, string prefix, ISubject? beside)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        using FlagstoneSubject subject = new(url, prefix);
        MustAgree(subject, beside);
        List<Row> rows = [.. subject.Rows()];
        List<Row> others = [.. (beside?.Rows() ?? []).Select(row => row with { Name = $"beside: {row.Name}" })];
        Dictionary<string, Cost> costs = Measure.All([.. rows, .. others]);
        Print(rows, costs, subject.Description, beside?.Description);
    }

    private static void MustAgree(FlagstoneSubject subject, ISubject? beside)
    {
        foreach (string key in Selection.All[0].Keys)
        {
            // The rule matches Ada only: otherwise the rows measure something else.
            (bool Ada, bool Stranger) answers = subject.Ask(key);
            if (answers != (true, false) || (beside is not null && beside.Ask(key) != answers))
            {
                throw new InvalidOperationException($"{key}: {answers}, {beside?.Ask(key)}");
            }
        }
    }

    private static void Print(List<Row> rows, Dictionary<string, Cost> costs, string description, string? other)
    {
        bool compared = other is not null;
        Console.WriteLine(FormattableString.Invariant($"\n## .NET {Environment.Version}\n"));
        Console.WriteLine("""
            A context of five attributes; a request makes one, asks for that many flags (half of them booleans, the others texts,
            numbers and JSON) and gives it back. The thousand flags in shuffled order. Medians of interleaved rounds; the bytes are those
            that the calling thread allocated.

            """);
        Console.WriteLine($"{description}.");
        Console.WriteLine(compared ? $"Beside: {other}.\n" : "");
        string beside = compared ? " LaunchDarkly's .NET SDK | Bytes | Ratio |" : "";
        Console.WriteLine($"| Call | Flagstone | Bytes |{beside} Budget |");
        Console.WriteLine($"| --- | --- | --- |{(compared ? " --- | --- | --- |" : "")} --- |");
        foreach (Row row in rows)
        {
            Cost cost = costs[row.Name];
            Cost? counterpart = compared ? costs[$"beside: {Counterpart(row.Name)}"] : null;
            string cells = counterpart is Cost theirs
                ? $" {Time(theirs)} | {Bytes(theirs)} | {Ratio(theirs.Nanoseconds / cost.Nanoseconds)} |"
                : "";
            Console.WriteLine($"| {row.Name} | {Time(cost)} | {Bytes(cost)} |{cells} {Verdict(row.Name, cost, counterpart)} |");
        }
        if (!compared)
        {
            Console.WriteLine(Quoted.Text);
        }
    }

    /// <summary>The row of the other subject that does the same: it knows keys as strings only.</summary>
    private static string Counterpart(string name) =>
        name.Replace(" by UTF-8 key", " by key", StringComparison.Ordinal)
            .Replace(name.StartsWith("request", StringComparison.Ordinal) ? " prepared" : "\0", "", StringComparison.Ordinal)
            .Replace(" prepared", " by key", StringComparison.Ordinal);

    private static string Time(Cost cost) => $"{cost.Nanoseconds:F1} ns";

    private static string Ratio(double ratio) => ratio >= 1 ? $"{ratio:F1}x" : $"{ratio:F2}x";

    private static string Bytes(Cost cost) => cost.Bytes == 0 ? "0" : $"{cost.Bytes:F1}";

    private static string Verdict(string name, Cost cost, Cost? beside)
    {
        string call = name.Split(',')[0];
        // Scalars allocate nothing, except that a reason is made of strings.
        bool free = call.Split(' ')[0] is "bool" or "int" or "double" && !call.EndsWith("with reason", StringComparison.Ordinal);
        List<string> demands = [];
        bool met = true;
        if (s_budgets.TryGetValue(call, out int budget))
        {
            demands.Add($"<= {budget} ns");
            met &= cost.Nanoseconds <= budget;
            if (beside is Cost other)
            {
                demands.Add($">= {TimesFaster}x");
                met &= other.Nanoseconds >= TimesFaster * cost.Nanoseconds;
            }
        }
        if (call == "context of five attributes")
        {
            demands.Add($"<= {ContextNanoseconds} ns, <= {ContextBytes} bytes");
            met &= cost.Nanoseconds <= ContextNanoseconds && cost.Bytes <= ContextBytes;
        }
        if (call == "request of 20" && beside is Cost whole)
        {
            demands.Add($">= {RequestTimesFaster}x");
            met &= whole.Nanoseconds >= RequestTimesFaster * cost.Nanoseconds;
        }
        if (free)
        {
            demands.Add("0 bytes");
            met &= cost.Bytes == 0;
        }
        return demands.Count == 0 ? "" : $"{string.Join(", ", demands)}: {(met ? "met" : "**not met**")}";
    }
}
