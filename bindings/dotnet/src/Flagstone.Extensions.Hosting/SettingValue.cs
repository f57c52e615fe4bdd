// The value of a setting, from text to what a property holds. What is refused is not shown: it may be a secret in the wrong place.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Microsoft.Extensions.Configuration;

namespace Flagstone.Extensions.Hosting;

internal static class SettingValue
{
    /// <summary>Whether a property of this type can be a setting.</summary>
    internal static bool CanBe(Type type)
    {
        Type value = Nullable.GetUnderlyingType(type) ?? type;
        return IsCollection(type) || value.IsEnum || value == typeof(string) || value == typeof(bool) || value == typeof(int)
            || value == typeof(long) || value == typeof(TimeSpan);
    }

    /// <summary>Whether it has settings of its own: a list or a map.</summary>
    internal static bool IsCollection(Type type) => type == typeof(IList<string>) || type == typeof(IDictionary<string, string>);

    /// <summary>Reads a value.</summary>
    /// <param name="type">What is wanted.</param>
    /// <param name="text">The value as text.</param>
    /// <param name="children">What is below it.</param>
    /// <param name="value">The value.</param>
    /// <param name="wanted">Why there is none.</param>
    /// <returns>Whether there is one.</returns>
    internal static bool TryRead(
        Type type, string? text, IReadOnlyList<IConfigurationSection> children, out object? value, out string? wanted)
    {
        if (IsCollection(type))
        {
            wanted = type == typeof(IList<string>) ? "it must be a list" : "it must be a map";
            value = string.IsNullOrEmpty(text) ? Collection(type, children) : null;
            return value is not null;
        }
        Type wantedType = Nullable.GetUnderlyingType(type) ?? type;
        (value, wanted) = wantedType.IsEnum ? Word(wantedType, text!) : Scalar(wantedType, text!);
        return value is not null;
    }

    private static object? Collection(Type type, IReadOnlyList<IConfigurationSection> children)
    {
        if (children.Any(static child => child.Value is null))
        {
            return null;
        }
        return type == typeof(IList<string>)
            ? children.Select(static child => child.Value!).ToList()
            : children.ToDictionary(static child => child.Key, static child => child.Value!, StringComparer.Ordinal);
    }

    private static (object? Value, string Wanted) Scalar(Type type, string text)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        if (type == typeof(string))
        {
            return (text, "");
        }
        if (type == typeof(bool))
        {
            return (bool.TryParse(text, out bool flag) ? flag : null, "it must be true or false");
        }
        if (type == typeof(TimeSpan))
        {
            // A number alone would be days.
            bool isTime = TimeSpan.TryParse(text, plain, out TimeSpan time) && text.Split(':').Length > 1;
            return (isTime ? time : null, "it must be a time, such as 00:00:05");
        }
        bool isNumber = long.TryParse(text, NumberStyles.AllowLeadingSign, plain, out long number);
        return type == typeof(int)
            ? (isNumber && number is >= int.MinValue and <= int.MaxValue ? (int)number : null, "it must be a whole number of 32 bits")
            : (isNumber ? number : null, "it must be a whole number of 64 bits");
    }

    private static (object? Value, string Wanted) Word(Type type, string text)
    {
        string word = string.Concat(text.Split('-', '_'));
        string[] names = Enum.GetNames(type);
        string? name = names.FirstOrDefault(name => string.Equals(name, word, StringComparison.OrdinalIgnoreCase));
        return (name is null ? null : Enum.Parse(type, name), $"it must be one of {string.Join(", ", names)}");
    }
}
