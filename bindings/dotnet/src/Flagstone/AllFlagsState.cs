// The state of all flags for one context, as the text that a browser gets. The text is the library's own; it is parsed only for
// those who ask for values.
using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Values of all flags for one context with what client-side SDKs need to know about them. Immutable; usable by any number of
/// threads. <c>System.Text.Json</c> writes and reads it as <see cref="ToJson"/> does.
/// </summary>
[JsonConverter(typeof(AllFlagsStateJsonConverter))]
public sealed class AllFlagsState
{
    private readonly byte[] _json;
    private IReadOnlyDictionary<string, JsonElement>? _values;

    /// <param name="json">The text as the library writes it.</param>
    internal AllFlagsState(byte[] json)
    {
        _json = json;
        Valid = json.AsSpan().EndsWith("\"$valid\":true}"u8);
    }

    /// <param name="form">An object that comes from elsewhere.</param>
    internal AllFlagsState(JsonElement form)
    {
        _json = Encoding.UTF8.GetBytes(form.GetRawText());
        Valid = StatusForm.Flag(form, "$valid");
    }

    /// <summary>
    /// False when there were no flags to be had: no context, a client that is not ready, or a Redis that had to be read and could
    /// not be.
    /// </summary>
    public bool Valid { get; }

    /// <summary>
    /// The JSON text in UTF-8, as the library wrote it, for LaunchDarkly's JavaScript SDK: flags in the byte order of their keys,
    /// then <c>$flagsState</c> and <c>$valid</c>.
    /// </summary>
    public ReadOnlyMemory<byte> Utf8Json => _json;

    /// <summary>Every flag's value by its key. Parsed when first asked for.</summary>
    public IReadOnlyDictionary<string, JsonElement> Values => LazyInitializer.EnsureInitialized(ref _values, Parse)!;

    /// <summary>As <see cref="Utf8Json"/>.</summary>
    /// <returns>JSON text.</returns>
    public string ToJson() => Encoding.UTF8.GetString(_json);

    /// <summary>Value of a flag.</summary>
    /// <param name="key">Key of the flag.</param>
    /// <returns>The value, JSON's null for a flag that has none; null when the state has no such flag.</returns>
    public JsonElement? GetValue(string key) => Values.TryGetValue(key, out JsonElement value) ? value : null;

    /// <summary>Whether it is valid, and how much there is.</summary>
    /// <returns>Text for people.</returns>
    public override string ToString() => $"{nameof(AllFlagsState)}({(Valid ? "valid" : "invalid")}, {_json.Length} bytes)";

    private Dictionary<string, JsonElement> Parse()
    {
        Dictionary<string, JsonElement> values = new(StringComparer.Ordinal);
        foreach (JsonProperty member in JsonValue.Parse(_json).EnumerateObject())
        {
            if (member.Name is not ("$flagsState" or "$valid"))
            {
                values[member.Name] = member.Value;
            }
        }
        return values;
    }
}
