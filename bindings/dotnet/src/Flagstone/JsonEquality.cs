// Whether two JSON texts say the same: members in any order, numbers by value.
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Flagstone;

internal static class JsonEquality
{
    /// <summary>Deeper than the library accepts. What a host nests deeper has to be the same text: nobody's stack ends here.</summary>
    private const int MaxDepth = 256;

    /// <summary>A lone surrogate, which no text of JSON has.</summary>
    private const string NoText = "\ud800";

    internal static bool AreEqual(JsonElement left, JsonElement right) => AreEqual(left, right, 0);

    private static bool AreEqual(JsonElement left, JsonElement right, int depth)
    {
        if (left.ValueKind != right.ValueKind)
        {
            return false;
        }
        return left.ValueKind switch
        {
            JsonValueKind.Object or JsonValueKind.Array when depth == MaxDepth => left.GetRawText() == right.GetRawText(),
            JsonValueKind.Object => AreEqualObjects(left, right, (_, left, right) => AreEqual(left, right, depth + 1)),
            JsonValueKind.Array => AreEqualArrays(left, right, depth + 1),
            JsonValueKind.String => Text(left) == Text(right),
            JsonValueKind.Number => left.TryGetInt64(out long one) && right.TryGetInt64(out long other)
                ? one == other
                : left.GetDouble().Equals(right.GetDouble()),
            _ => true,
        };
    }

    /// <summary>The same for values that say the same.</summary>
    internal static int Hash(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength(),
        JsonValueKind.String => StringComparer.Ordinal.GetHashCode(Text(value)),
        JsonValueKind.Number => value.GetDouble().GetHashCode(),
        _ => (int)value.ValueKind,
    };

    /// <summary>Whether objects have the same members.</summary>
    /// <param name="left">One object.</param>
    /// <param name="right">The other.</param>
    /// <param name="areEqual">Whether two members of this name say the same.</param>
    internal static bool AreEqualObjects(
        JsonElement left, JsonElement right, Func<string, JsonElement, JsonElement, bool> areEqual)
    {
        Dictionary<string, JsonElement> members = Members(left);
        Dictionary<string, JsonElement> others = Members(right);
        if (members.Count != others.Count)
        {
            return false;
        }
        foreach (KeyValuePair<string, JsonElement> other in others)
        {
            if (!members.TryGetValue(other.Key, out JsonElement value) || !areEqual(other.Key, value, other.Value))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Of members with one name the last counts.</summary>
    private static Dictionary<string, JsonElement> Members(JsonElement value)
    {
        Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);
        foreach (JsonProperty member in value.EnumerateObject())
        {
            members[Name(member)] = member.Value;
        }
        return members;
    }

    /// <summary>The text of a string; where it is none, what is written, in a form that no text has.</summary>
    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return NoText + value.GetRawText();
        }
    }

    private static string Name(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            // The name alone is not to be had as it is written.
            return NoText + member.ToString();
        }
    }

    private static bool AreEqualArrays(JsonElement left, JsonElement right, int depth)
    {
        if (left.GetArrayLength() != right.GetArrayLength())
        {
            return false;
        }
        using JsonElement.ArrayEnumerator one = left.EnumerateArray();
        using JsonElement.ArrayEnumerator other = right.EnumerateArray();
        while (one.MoveNext() && other.MoveNext())
        {
            if (!AreEqual(one.Current, other.Current, depth))
            {
                return false;
            }
        }
        return true;
    }
}
