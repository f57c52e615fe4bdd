// The kind of a context, a type of its own so that a kind and a key are not mixed up.
using System;

namespace Flagstone;

/// <summary>Kind of a context: <c>user</c>, <c>org</c>, <c>device</c> …</summary>
public readonly struct ContextKind : IEquatable<ContextKind>
{
    private readonly string? _value;

    private ContextKind(string value) => _value = value;

    /// <summary>The kind <c>user</c>.</summary>
    public static ContextKind Default => default;

    /// <summary>The kind <c>multi</c>, of contexts that join others; none can be made with it.</summary>
    public static ContextKind Multi => new("multi");

    /// <summary>The kind's name.</summary>
    public string Value => _value ?? "user";

    /// <summary>
    /// The kind of the given name. It is checked when a context is made: letters, digits, <c>.</c>, <c>_</c> and <c>-</c>;
    /// neither
    /// <c>kind</c> nor <c>multi</c>.
    /// </summary>
    /// <param name="value">The name; empty is the default kind.</param>
    /// <returns>The kind.</returns>
    /// <exception cref="ArgumentNullException">The name is null.</exception>
    public static ContextKind Of(string value)
    {
        _ = value ?? throw new ArgumentNullException(nameof(value));
        return value.Length == 0 || value == "user" ? default : new ContextKind(value);
    }

    /// <inheritdoc/>
    public override string ToString() => Value;

    /// <inheritdoc/>
    public bool Equals(ContextKind other) => Value == other.Value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ContextKind other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Value);

    /// <summary>Equality of names.</summary>
    /// <param name="left">One kind.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(ContextKind left, ContextKind right) => left.Equals(right);

    /// <summary>Inequality of names.</summary>
    /// <param name="left">One kind.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(ContextKind left, ContextKind right) => !left.Equals(right);
}
