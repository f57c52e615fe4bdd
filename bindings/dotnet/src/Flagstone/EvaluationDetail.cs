// The result of an evaluation with everything that is known about it.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flagstone;

/// <summary>The result of an evaluation. Values that are JSON are equal when they say the same.</summary>
/// <typeparam name="T">Type of the value.</typeparam>
public readonly struct EvaluationDetail<T> : IEquatable<EvaluationDetail<T>>
{
    /// <summary>Makes a result, for example for a test.</summary>
    /// <param name="value">The flag's value, or the default.</param>
    /// <param name="variationIndex">Index of the variation, from 0; null when none was served.</param>
    /// <param name="reason">Why.</param>
    /// <param name="isStale">See <see cref="IsStale"/>.</param>
    [JsonConstructor]
    public EvaluationDetail(T value, int? variationIndex, EvaluationReason reason, bool isStale = false)
    {
        Value = value;
        VariationIndex = variationIndex;
        Reason = reason;
        IsStale = isStale;
    }

    /// <summary>The flag's value, or the default.</summary>
    public T Value { get; }

    /// <summary>Index of the variation, from 0; null when none was served.</summary>
    public int? VariationIndex { get; }

    /// <summary>Why.</summary>
    public EvaluationReason Reason { get; }

    /// <summary>
    /// The flag is not known to be true; the last good data answered. Daemon mode: Redis cannot be reached, has not been read
    /// yet, or has lost the data set. Otherwise: the data source has not delivered yet, or is not
    /// <see cref="DataSourceState.Valid"/>; with <see cref="CacheResidency.Lazy"/> and <see cref="CacheResidency.Off"/> also as in
    /// daemon mode. In both: Redis holds newer content that does not parse, or the client is closed.
    /// </summary>
    public bool IsStale { get; }

    /// <summary>True when no variation was served and <see cref="Value"/> is the default.</summary>
    public bool IsDefaultValue => VariationIndex is null;

    /// <inheritdoc/>
    public bool Equals(EvaluationDetail<T> other) =>
        AreEqual(Value, other.Value) && VariationIndex == other.VariationIndex
        && Reason == other.Reason && IsStale == other.IsStale;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EvaluationDetail<T> other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        ((VariationIndex ?? -1) * 397) ^ Reason.GetHashCode()
        ^ (Value is null ? 0 : Value is JsonElement json ? JsonEquality.Hash(json) : EqualityComparer<T>.Default.GetHashCode(Value));

    /// <summary>A short form for logs, for example <c>True (1, RULE_MATCH(0,r1))</c>.</summary>
    /// <returns>Value, index of the variation and reason.</returns>
    public override string ToString() => FormattableString.Invariant($"{Shown} ({VariationIndex}, {Reason})");

    /// <summary>Equality of all members.</summary>
    /// <param name="left">One result.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(EvaluationDetail<T> left, EvaluationDetail<T> right) => left.Equals(right);

    /// <summary>Inequality of some member.</summary>
    /// <param name="left">One result.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(EvaluationDetail<T> left, EvaluationDetail<T> right) => !left.Equals(right);

    /// <summary>The value; a JSON string with a lone surrogate as it is written, as it is no text.</summary>
    private object? Shown
    {
        get
        {
            if (Value is not JsonElement json)
            {
                return Value;
            }
            try
            {
                return json.ToString();
            }
            catch (InvalidOperationException)
            {
                return json.GetRawText();
            }
        }
    }

    // Elements of different documents are never equal by themselves.
    private static bool AreEqual(T one, T other) => one is JsonElement left && other is JsonElement right
        ? JsonEquality.AreEqual(left, right)
        : EqualityComparer<T>.Default.Equals(one, other);
}
