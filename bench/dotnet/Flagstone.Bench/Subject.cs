// What is measured: a client that answers, and the ways to ask it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Flagstone.Bench;

/// <summary>A way of asking; each run makes that many calls.</summary>
internal sealed record Row(string Name, int Calls, Action Run)
{
    /// <summary>A row that makes a call for each item of an array, in a loop of its own: no delegate comes between.</summary>
    internal static Row Of<T>(string name, T[] items, Action<T[]> run) => new(name, items.Length, () => run(items));
}

/// <summary>Flags that are asked for.</summary>
/// <param name="Extent">Says how many.</param>
/// <param name="Keys">Their keys, in the order of the calls.</param>
internal sealed record Selection(string Extent, string[] Keys)
{
    /// <summary>A thousand flags in shuffled order, or the same one again and again.</summary>
    internal static IReadOnlyList<Selection> All { get; } =
        [new("1,000 flags", Shuffled()), new("one flag", Repeated(Key(0)))];

    /// <summary>The flag whose values are texts.</summary>
    internal static string[] Text { get; } = Repeated(Key(Count));

    /// <summary>The flag whose values are numbers.</summary>
    internal static string[] Number { get; } = Repeated(Key(Count + 1));

    /// <summary>The flag whose values are of a type other than boolean.</summary>
    internal static string KeyOf(Ask type) => Key(type switch
    {
        Ask.Text => Count,
        Ask.Json => Count + 2,
        _ => Count + 1,
    });

    /// <summary>The boolean flag of which every evaluation is told.</summary>
    internal static string[] Tracked { get; } = Repeated(Key(Count + 3));

    /// <summary>For a call that asks for everything.</summary>
    internal static string[] Once { get; } = [""];

    private const int Count = 1000;

    // Few, so that a round of slow calls is short as well.
    private static string[] Repeated(string key) => [.. Enumerable.Repeat(key, 100)];

    private static string[] Shuffled()
    {
        string[] keys = [.. Enumerable.Range(0, Count).Select(Key)];
        new Random(7).Shuffle(keys);
        return keys;
    }

    /// <summary>As `flagdata --shape rule` names them.</summary>
    private static string Key(int index) => string.Create(CultureInfo.InvariantCulture, $"bench.rule-{index:D5}");
}

/// <summary>Type of a flag that a request asks for.</summary>
internal enum Ask
{
    Bool,
    Text,
    Whole,
    Fraction,
    Json,
}

/// <summary>What a request of a web service asks for: flags of mixed types, for a context that is made for it.</summary>
internal static class Request
{
    /// <summary>Half of the flags are booleans, as in most services.</summary>
    private static readonly Ask[] s_mixture =
        [Ask.Bool, Ask.Text, Ask.Bool, Ask.Whole, Ask.Bool, Ask.Json, Ask.Bool, Ask.Text, Ask.Fraction, Ask.Bool];

    /// <summary>How many flags a request asks for.</summary>
    internal static IReadOnlyList<int> Counts { get; } = [1, 5, 20];

    /// <summary>The questions of a request.</summary>
    internal static (Ask Type, string Key)[] Of(int count) => [.. Enumerable.Range(0, count).Select(index =>
    {
        Ask type = s_mixture[index % s_mixture.Length];
        return (type, type == Ask.Bool ? Selection.All[0].Keys[index] : Selection.KeyOf(type));
    })];
}

/// <summary>A client with its context.</summary>
internal interface ISubject : IDisposable
{
    /// <summary>What it is, and how it is set up.</summary>
    string Description { get; }

    /// <summary>What a boolean flag serves to Ada, and to somebody without attributes.</summary>
    (bool Ada, bool Stranger) Ask(string key);

    /// <summary>The ways to ask.</summary>
    IEnumerable<Row> Rows();
}

/// <summary>Who asks, for every subject.</summary>
internal static class Ada
{
    internal const string Key = "ada";
    internal const string Stranger = "stranger";
    internal const string Email = "ada@northwind.example";
    internal const string Country = "se";
    internal const string Plan = "team";
    internal const int Age = 37;
    internal const bool Beta = true;
    internal const string Json =
        """{"kind":"user","key":"ada","email":"ada@northwind.example","country":"se","plan":"team","age":37,"beta":true}""";

    /// <summary>Flagstone's context of somebody like her.</summary>
    internal static Context Context(string key) => Flagstone.Context.Builder(key)
        .Set("email", Email).Set("country", Country).Set("plan", Plan).Set("age", Age).Set("beta", Beta)
        .Build();
}

/// <summary>A client that tells LaunchDarkly of what it is asked, or one that does not: both are asked the same.</summary>
internal interface ITeller : IDisposable
{
    /// <summary>The calls; what is called alike does the same with every client.</summary>
    IEnumerable<Row> Calls();
}

/// <summary>Calls that are compared with and without events.</summary>
internal static class Told
{
    internal const string OneFlag = "bool by key, one flag";
    internal const string ManyFlags = "bool by key, 1,000 flags";
    internal const string Prepared = "bool prepared, one flag";
    internal const string Reason = "bool with reason, one flag";
    internal const string Text = "string by key, one flag";
    internal const string Strangers = "context of five attributes, bool by key, given back";
    internal const string Tracked = "bool by key, a tracked flag";
    internal const string Track = "track, with a metric";

    /// <summary>How many nanoseconds events may add where a budget is set.</summary>
    internal static IReadOnlyDictionary<string, int> Budgets { get; } = new Dictionary<string, int>
    {
        [OneFlag] = 15,
        [ManyFlags] = 15,
        [Prepared] = 15,
        [Reason] = 15,
        [Text] = 15,
        [Strangers] = 150,
    };
}
