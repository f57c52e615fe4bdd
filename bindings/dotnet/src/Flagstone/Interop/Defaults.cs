// A caller's default as events tell it: of its own type, without JSON in between unless it is JSON.
using System;
using System.Text.Json;

namespace Flagstone.Interop;

internal static unsafe class Defaults
{
    internal static NativeDefault Of(bool value) => new() { value_type = NativeCodes.TypeBool, integer = value ? 1 : 0 };

    internal static NativeDefault Of(long value) =>
        new() { value_type = NativeCodes.TypeNumber, is_integer = 1, integer = value };

    internal static NativeDefault Of(double value) => new() { value_type = NativeCodes.TypeNumber, number = value };

    /// <summary>The text is given back with <see cref="LentText.TakeBack"/>.</summary>
    internal static NativeDefault Of(string? value, byte* buffer) => value is null
        ? default
        : new() { value_type = NativeCodes.TypeString, text = LentText.Of(value, buffer) };

    /// <inheritdoc cref="Of(string?, byte*)"/>
    internal static NativeDefault Of(JsonElement value, byte* buffer)
    {
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.Undefined or JsonValueKind.Null => default,
                JsonValueKind.True => Of(true),
                JsonValueKind.False => Of(false),
                _ => JsonPen.TryWrite(value, buffer, out NativeText text)
                    ? new() { value_type = NativeCodes.TypeJson, text = text }
                    : default,
            };
        }
        catch (ObjectDisposedException)
        {
            // It is served all the same: whoever gets it is told by what it does.
            return default;
        }
    }
}
