// What a flag serves and what a rule compares with may be any JSON value; this type lets the builders take them as they are
// written in C#.
using System;
using System.Text.Json;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// A JSON value for the builders of test data. Booleans, numbers, strings and <see cref="JsonElement"/> become one by themselves;
/// <c>default</c> and a null string are JSON's null.
/// </summary>
public readonly struct TestDataValue : IEquatable<TestDataValue>
{
    private readonly string? _json;

    private TestDataValue(string json) => _json = json.Length == 0 ? null : json;

    /// <summary>The JSON text.</summary>
    internal string Json => _json ?? "null";

#pragma warning disable CA2225 // nobody needs to name the conversion: there is nothing to do with a value but to hand it over
    /// <summary>A boolean.</summary>
    /// <param name="value">The value.</param>
    public static implicit operator TestDataValue(bool value) => new(value ? "true" : "false");

    /// <summary>A whole number.</summary>
    /// <param name="value">The value.</param>
    public static implicit operator TestDataValue(long value) => new(JsonText.Of(value));

    /// <summary>A number.</summary>
    /// <param name="value">The value: finite, or an <see cref="ArgumentException"/> is thrown.</param>
    public static implicit operator TestDataValue(double value) => new(JsonText.Of(value));

    /// <summary>A string, or null.</summary>
    /// <param name="value">The value: without a lone surrogate, or an <see cref="ArgumentException"/> is thrown.</param>
    public static implicit operator TestDataValue(string? value) =>
        value is null ? default : new(JsonText.Written(writer => writer.WriteStringValue(Utf8.Encode(value, nameof(value)))));

    /// <summary>Any value.</summary>
    /// <param name="value">The value.</param>
    public static implicit operator TestDataValue(JsonElement value) => new(JsonText.Of(value));
#pragma warning restore CA2225

    /// <summary>Equality of texts.</summary>
    /// <param name="left">One value.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(TestDataValue left, TestDataValue right) => left.Equals(right);

    /// <summary>Inequality of texts.</summary>
    /// <param name="left">One value.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(TestDataValue left, TestDataValue right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(TestDataValue other) => Json == other.Json;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TestDataValue other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Json);

    /// <summary>The JSON text.</summary>
    /// <returns>JSON text.</returns>
    public override string ToString() => Json;
}
