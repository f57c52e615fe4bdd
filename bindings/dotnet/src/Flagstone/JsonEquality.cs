// Whether two JSON texts say the same: members in any order, numbers by value.
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Flagstone;

internal static class JsonEquality
{
    internal static bool AreEqual(JsonElement left, JsonElement right)
    {
        if (left.ValueKind != right.ValueKind)
        {
            return false;
        }
        return left.ValueKind switch
        {
            JsonValueKind.Object => AreEqualObjects(left, right, static (_, left, right) => AreEqual(left, right)),
            JsonValueKind.Array => AreEqualArrays(left, right),
            JsonValueKind.String => left.GetString() == right.GetString(),
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
        JsonValueKind.String => StringComparer.Ordinal.GetHashCode(value.GetString()!),
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
        Dictionary<string, JsonElement> members = [];
        foreach (JsonProperty member in left.EnumerateObject())
        {
            members[member.Name] = member.Value;
        }
        foreach (JsonProperty member in right.EnumerateObject())
        {
            if (!members.TryGetValue(member.Name, out JsonElement value) || !areEqual(member.Name, value, member.Value))
            {
                return false;
            }
            members.Remove(member.Name);
        }
        return members.Count == 0;
    }

    private static bool AreEqualArrays(JsonElement left, JsonElement right)
    {
        if (left.GetArrayLength() != right.GetArrayLength())
        {
            return false;
        }
        using JsonElement.ArrayEnumerator one = left.EnumerateArray();
        using JsonElement.ArrayEnumerator other = right.EnumerateArray();
        while (one.MoveNext() && other.MoveNext())
        {
            if (!AreEqual(one.Current, other.Current))
            {
                return false;
            }
        }
        return true;
    }
}
