// What listeners to the value of a flag are told.
using System.Text.Json;

namespace Flagstone;

/// <summary>The value of a flag is another one now for a context.</summary>
public sealed class FlagValueChange
{
    /// <summary>Makes one, for example for a test.</summary>
    /// <param name="key">See <see cref="Key"/>.</param>
    /// <param name="context">See <see cref="Context"/>.</param>
    /// <param name="oldValue">See <see cref="OldValue"/>.</param>
    /// <param name="newValue">See <see cref="NewValue"/>.</param>
    public FlagValueChange(string key, Context context, JsonElement oldValue, JsonElement newValue)
    {
        Key = key;
        Context = context;
        OldValue = oldValue;
        NewValue = newValue;
    }

    /// <summary>Key of the flag.</summary>
    public string Key { get; }

    /// <summary>For whom.</summary>
    public Context Context { get; }

    /// <summary>The value before; JSON's null when there was none, as of a flag that did not exist.</summary>
    public JsonElement OldValue { get; }

    /// <summary>The value now; JSON's null when there is none.</summary>
    public JsonElement NewValue { get; }
}
