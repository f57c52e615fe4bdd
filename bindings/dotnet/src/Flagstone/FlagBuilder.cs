// The fluent builder of test data: it composes the JSON of a flag. The calls and what they mean are those of LaunchDarkly's test data.
using System;
using System.Collections.Generic;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// A flag in the making, from <see cref="TestData.Flag"/>; every method but the <c>If…</c> ones returns the builder. Belongs to one
/// thread at a time.
/// </summary>
public sealed class FlagBuilder
{
    /// <summary>Index of each value of a boolean flag.</summary>
    private const int True = 0;
    private const int False = 1;

    /// <summary>Kinds in the order of their first target; each with its keys by variation.</summary>
    private readonly List<(ContextKind Kind, SortedDictionary<int, List<string>> Keys)> _targets = [];
    private readonly List<(int Variation, IReadOnlyList<Clause> Clauses)> _rules = [];
    private bool _on = true;
    private TestDataValue[] _variations = [true, false];
    private int _rest = True;
    private int _off = False;
    private int? _samplingRatio;
    private bool? _excludeFromSummaries;
    private int? _migrationCheckRatio;

    internal FlagBuilder(string key) => Key = key;

    /// <summary>Key of the flag.</summary>
    public string Key { get; }

    /// <summary>
    /// Makes it a boolean flag: variations true and false, true for everybody, false when off. A boolean flag is left as it is.
    /// </summary>
    /// <returns>This builder.</returns>
    public FlagBuilder BooleanFlag()
    {
        if (_variations is not [var first, var second] || first != true || second != false)
        {
            _variations = [true, false];
            _rest = True;
            _off = False;
        }
        return this;
    }

    /// <summary>Turns targeting on or off.</summary>
    /// <param name="on">Whether it is on.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder On(bool on)
    {
        _on = on;
        return this;
    }

    /// <summary>Sets the values that variations are indexes of.</summary>
    /// <param name="values">The values, of any JSON type.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder Variations(params TestDataValue[] values)
    {
        _ = values ?? throw new ArgumentNullException(nameof(values));
        _variations = [.. values];
        return this;
    }

    /// <summary>Sets what is served where no target and no rule matches; makes it a boolean flag.</summary>
    /// <param name="variation">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder FallthroughVariation(bool variation) => FallthroughVariation(Index(variation));

    /// <summary>Sets what is served where no target and no rule matches.</summary>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder FallthroughVariation(int variation)
    {
        _rest = variation;
        return this;
    }

    /// <summary>Sets what is served while targeting is off; makes it a boolean flag.</summary>
    /// <param name="variation">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder OffVariation(bool variation) => OffVariation(Index(variation));

    /// <summary>Sets what is served while targeting is off.</summary>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder OffVariation(int variation)
    {
        _off = variation;
        return this;
    }

    /// <summary>Serves one variation to everybody: turns targeting on, removes targets and rules; makes it a boolean flag.</summary>
    /// <param name="variation">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForAll(bool variation) => VariationForAll(Index(variation));

    /// <summary>Serves one variation to everybody: turns targeting on, and removes targets and rules.</summary>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForAll(int variation) => On(true).ClearRules().ClearTargets().FallthroughVariation(variation);

    /// <summary>Serves one value to everybody; it becomes the only variation.</summary>
    /// <param name="value">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder ValueForAll(TestDataValue value) => Variations(value).VariationForAll(0);

    /// <summary>Serves a variation to the user of this key; makes it a boolean flag.</summary>
    /// <param name="key">Key of the user.</param>
    /// <param name="variation">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForUser(string key, bool variation) => VariationForKey(ContextKind.Default, key, variation);

    /// <summary>Serves a variation to the user of this key, and no other one.</summary>
    /// <param name="key">Key of the user.</param>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForUser(string key, int variation) => VariationForKey(ContextKind.Default, key, variation);

    /// <summary>Serves a variation to the context of this kind and key; makes it a boolean flag.</summary>
    /// <param name="kind">Kind of the context.</param>
    /// <param name="key">Its key.</param>
    /// <param name="variation">The value.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForKey(ContextKind kind, string key, bool variation) => VariationForKey(kind, key, Index(variation));

    /// <summary>Serves a variation to the context of this kind and key, and no other one.</summary>
    /// <param name="kind">Kind of the context.</param>
    /// <param name="key">Its key.</param>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder VariationForKey(ContextKind kind, string key, int variation)
    {
        _ = key ?? throw new ArgumentNullException(nameof(key));
        _ = Utf8.Encode(key, nameof(key));
        SortedDictionary<int, List<string>>? byVariation = _targets.Find(target => target.Kind == kind).Keys;
        if (byVariation is null)
        {
            byVariation = [];
            _targets.Add((kind, byVariation));
        }
        foreach (List<string> keys in byVariation.Values)
        {
            keys.Remove(key);
        }
        if (!byVariation.TryGetValue(variation, out List<string>? served))
        {
            byVariation[variation] = served = [];
        }
        served.Add(key);
        return this;
    }

    /// <summary>Removes all targets.</summary>
    /// <returns>This builder.</returns>
    public FlagBuilder ClearTargets()
    {
        _targets.Clear();
        return this;
    }

    /// <summary>Begins a rule for users whose attribute is one of the values.</summary>
    /// <param name="attribute">Name of the attribute, or a path such as <c>/address/street</c>.</param>
    /// <param name="values">The values.</param>
    /// <returns>The rule: it becomes part of the flag by <see cref="RuleBuilder.ThenReturn(int)"/>.</returns>
    public RuleBuilder IfMatch(string attribute, params TestDataValue[] values) =>
        new RuleBuilder(this).AndMatch(attribute, values);

    /// <summary>Begins a rule for users whose attribute is none of the values.</summary>
    /// <inheritdoc cref="IfMatch"/>
    public RuleBuilder IfNotMatch(string attribute, params TestDataValue[] values) =>
        new RuleBuilder(this).AndNotMatch(attribute, values);

    /// <summary>Begins a rule for contexts of this kind whose attribute is one of the values.</summary>
    /// <param name="kind">Kind of the context.</param>
    /// <param name="attribute">Name of the attribute, or a path such as <c>/address/street</c>.</param>
    /// <param name="values">The values.</param>
    /// <returns>The rule: it becomes part of the flag by <see cref="RuleBuilder.ThenReturn(int)"/>.</returns>
    public RuleBuilder IfMatchContext(ContextKind kind, string attribute, params TestDataValue[] values) =>
        new RuleBuilder(this).AndMatchContext(kind, attribute, values);

    /// <summary>Begins a rule for contexts of this kind whose attribute is none of the values.</summary>
    /// <inheritdoc cref="IfMatchContext"/>
    public RuleBuilder IfNotMatchContext(ContextKind kind, string attribute, params TestDataValue[] values) =>
        new RuleBuilder(this).AndNotMatchContext(kind, attribute, values);

    /// <summary>Removes all rules.</summary>
    /// <returns>This builder.</returns>
    public FlagBuilder ClearRules()
    {
        _rules.Clear();
        return this;
    }

    /// <summary>Sets of how many evaluations one makes an event.</summary>
    /// <param name="ratio">The number.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder SamplingRatio(int ratio)
    {
        _samplingRatio = ratio;
        return this;
    }

    /// <summary>Sets whether summaries leave the flag out.</summary>
    /// <param name="exclude">Whether they do.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder ExcludeFromSummaries(bool exclude)
    {
        _excludeFromSummaries = exclude;
        return this;
    }

    /// <summary>Sets of how many migrated reads one is checked for consistency.</summary>
    /// <param name="ratio">The number.</param>
    /// <returns>This builder.</returns>
    public FlagBuilder MigrationCheckRatio(int ratio)
    {
        _migrationCheckRatio = ratio;
        return this;
    }

    /// <summary>The key.</summary>
    /// <returns>Text for people.</returns>
    public override string ToString() => $"{nameof(FlagBuilder)}({Key})";

    internal FlagBuilder Copy()
    {
        FlagBuilder copy = new(Key)
        {
            _on = _on,
            // Never changed in place.
            _variations = _variations,
            _rest = _rest,
            _off = _off,
            _samplingRatio = _samplingRatio,
            _excludeFromSummaries = _excludeFromSummaries,
            _migrationCheckRatio = _migrationCheckRatio,
        };
        copy._rules.AddRange(_rules);
        foreach ((ContextKind kind, SortedDictionary<int, List<string>> keys) in _targets)
        {
            SortedDictionary<int, List<string>> copied = [];
            foreach (KeyValuePair<int, List<string>> served in keys)
            {
                copied[served.Key] = [.. served.Value];
            }
            copy._targets.Add((kind, copied));
        }
        return copy;
    }

    /// <summary>Index of a value; the flag becomes a boolean one.</summary>
    internal int Index(bool variation)
    {
        BooleanFlag();
        return variation ? True : False;
    }

    internal void AddRule(int variation, IReadOnlyList<Clause> clauses) => _rules.Add((variation, clauses));

    /// <summary>The flag as LaunchDarkly's JSON has it, without a version.</summary>
    /// <exception cref="ArgumentException">A text has a lone surrogate.</exception>
    internal string ToJson() => JsonText.Written(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("key", Strict(Key));
        writer.WriteBoolean("on", _on);
        WriteValues(writer, "variations", _variations);
        writer.WriteStartObject("fallthrough");
        writer.WriteNumber("variation", _rest);
        writer.WriteEndObject();
        writer.WriteNumber("offVariation", _off);
        WriteTargets(writer);
        WriteRules(writer);
        writer.WriteStartArray("prerequisites");
        writer.WriteEndArray();
        writer.WriteString("salt", "");
        if (_samplingRatio is int ratio)
        {
            writer.WriteNumber("samplingRatio", ratio);
        }
        if (_excludeFromSummaries is bool exclude)
        {
            writer.WriteBoolean("excludeFromSummaries", exclude);
        }
        if (_migrationCheckRatio is int check)
        {
            writer.WriteStartObject("migration");
            writer.WriteNumber("checkRatio", check);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    });

    private void WriteTargets(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("targets");
        foreach ((ContextKind kind, SortedDictionary<int, List<string>> keys) in _targets)
        {
            if (kind == ContextKind.Default)
            {
                WriteTargets(writer, kind, keys, withKeys: true);
            }
        }
        writer.WriteEndArray();
        writer.WriteStartArray("contextTargets");
        foreach ((ContextKind kind, SortedDictionary<int, List<string>> keys) in _targets)
        {
            // The keys of users are in the older list; this one says when their turn is.
            WriteTargets(writer, kind, keys, withKeys: kind != ContextKind.Default);
        }
        writer.WriteEndArray();
    }

    private static void WriteTargets(
        Utf8JsonWriter writer, ContextKind kind, SortedDictionary<int, List<string>> byVariation, bool withKeys)
    {
        foreach (KeyValuePair<int, List<string>> served in byVariation)
        {
            if (served.Value.Count == 0)
            {
                continue;
            }
            writer.WriteStartObject();
            writer.WriteString("contextKind", Strict(kind.Value));
            writer.WriteNumber("variation", served.Key);
            writer.WriteStartArray("values");
            foreach (string key in withKeys ? served.Value : [])
            {
                writer.WriteStringValue(Strict(key));
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
    }

    private void WriteRules(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("rules");
        for (int number = 0; number < _rules.Count; number++)
        {
            writer.WriteStartObject();
            writer.WriteString("id", $"rule{JsonText.Of(number)}");
            writer.WriteNumber("variation", _rules[number].Variation);
            writer.WriteStartArray("clauses");
            foreach (Clause clause in _rules[number].Clauses)
            {
                writer.WriteStartObject();
                writer.WriteString("contextKind", Strict(clause.Kind.Value));
                writer.WriteString("attribute", Strict(clause.Attribute));
                writer.WriteString("op", "in");
                WriteValues(writer, "values", clause.Values);
                writer.WriteBoolean("negate", clause.Negate);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteValues(Utf8JsonWriter writer, string name, TestDataValue[] values)
    {
        writer.WriteStartArray(name);
        foreach (TestDataValue value in values)
        {
            writer.WriteRawValue(value.Json, skipInputValidation: true);
        }
        writer.WriteEndArray();
    }

    /// <summary>The writer puts another character in the place of a lone surrogate: that would be another key.</summary>
    private static byte[] Strict(string text) => Utf8.Encode(text, "builder");

    /// <summary>One thing that a rule asks for.</summary>
    internal sealed record Clause(ContextKind Kind, string Attribute, TestDataValue[] Values, bool Negate);
}
