// Values as JSON text, written without reflection so that it survives trimming.
using System;
using System.Globalization;
using System.IO;
using System.Text;
using System.Text.Json;

namespace Flagstone;

internal static class JsonText
{
    internal static string Of(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <exception cref="ArgumentException">JSON has no such number.</exception>
    internal static string Of(double defaultValue) => double.IsNaN(defaultValue) || double.IsInfinity(defaultValue)
        ? throw new ArgumentException("the default must be finite", nameof(defaultValue))
        // Seventeen digits identify every double; "R" does not on the .NET Framework.
        : defaultValue.ToString("G17", CultureInfo.InvariantCulture);

    /// <summary>Empty for null: no default.</summary>
    internal static string Of(string? value) => value is null ? "" : Written(writer => writer.WriteStringValue(value));

    /// <summary>Empty for an undefined value: no default.</summary>
    internal static string Of(JsonElement value) => value.ValueKind == JsonValueKind.Undefined ? "" : value.GetRawText();

    internal static string Written(Action<Utf8JsonWriter> write)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            write(writer);
        }
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }
}
