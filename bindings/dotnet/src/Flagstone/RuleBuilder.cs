// The rules of the fluent builder of test data; see FlagBuilder.cs.
using System;
using System.Collections.Generic;

namespace Flagstone;

/// <summary>
/// A rule in the making, from <see cref="FlagBuilder.IfMatch"/> and its like. It becomes part of the flag by
/// <see cref="ThenReturn(int)"/>.
/// </summary>
public sealed class RuleBuilder
{
    private readonly FlagBuilder _flag;
    private readonly List<FlagBuilder.Clause> _clauses = [];

    internal RuleBuilder(FlagBuilder flag) => _flag = flag;

    /// <summary>Also asks that the user's attribute is one of the values.</summary>
    /// <param name="attribute">Name of the attribute, or a path such as <c>/address/street</c>.</param>
    /// <param name="values">The values.</param>
    /// <returns>This rule.</returns>
    public RuleBuilder AndMatch(string attribute, params TestDataValue[] values) =>
        AndMatchContext(ContextKind.Default, attribute, values);

    /// <summary>Also asks that the user's attribute is none of the values.</summary>
    /// <inheritdoc cref="AndMatch"/>
    public RuleBuilder AndNotMatch(string attribute, params TestDataValue[] values) =>
        AndNotMatchContext(ContextKind.Default, attribute, values);

    /// <summary>Also asks that the attribute of the context of this kind is one of the values.</summary>
    /// <param name="kind">Kind of the context.</param>
    /// <param name="attribute">Name of the attribute, or a path such as <c>/address/street</c>.</param>
    /// <param name="values">The values.</param>
    /// <returns>This rule.</returns>
    public RuleBuilder AndMatchContext(ContextKind kind, string attribute, params TestDataValue[] values) =>
        Ask(kind, attribute, values, negate: false);

    /// <summary>Also asks that the attribute of the context of this kind is none of the values.</summary>
    /// <inheritdoc cref="AndMatchContext"/>
    public RuleBuilder AndNotMatchContext(ContextKind kind, string attribute, params TestDataValue[] values) =>
        Ask(kind, attribute, values, negate: true);

    /// <summary>Ends the rule: this is what is served when all it asks for holds. Makes the flag a boolean one.</summary>
    /// <param name="variation">The value.</param>
    /// <returns>The flag.</returns>
    public FlagBuilder ThenReturn(bool variation) => ThenReturn(_flag.Index(variation));

    /// <summary>Ends the rule: this is what is served when all it asks for holds.</summary>
    /// <param name="variation">Index of the variation.</param>
    /// <returns>The flag.</returns>
    public FlagBuilder ThenReturn(int variation)
    {
        _flag.AddRule(variation, [.. _clauses]);
        return _flag;
    }

    private RuleBuilder Ask(ContextKind kind, string attribute, TestDataValue[] values, bool negate)
    {
        _ = attribute ?? throw new ArgumentNullException(nameof(attribute));
        _ = values ?? throw new ArgumentNullException(nameof(values));
        _clauses.Add(new FlagBuilder.Clause(kind, attribute, [.. values], negate));
        return this;
    }
}
