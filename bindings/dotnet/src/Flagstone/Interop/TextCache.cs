// Values that flags serve again and again, as managed objects that were made before: a flag has a handful of variations, and
// everybody gets one of them. The bytes decide, so nothing has to be dropped when a flag changes; a slot is simply taken over.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading;

namespace Flagstone.Interop;

/// <summary>Texts by their UTF-8.</summary>
internal static unsafe class TextCache
{
    /// <summary>Longer ones are made anew each time: some hundred kilobytes are the most that is kept.</summary>
    private const int Longest = 256;

    private static readonly Slots<string> s_slots = new(1024);

    internal static string Get(byte* text, nuint length)
    {
        if (length == 0)
        {
            return string.Empty;
        }
        if (length > Longest)
        {
            return Utf8.ToString(text, length);
        }
        ReadOnlySpan<byte> bytes = new(text, (int)length);
        ref Slots<string>.Slot? slot = ref s_slots.Find(bytes);
        Slots<string>.Slot? found = Volatile.Read(ref slot);
        return found is not null && bytes.SequenceEqual(found.Bytes) ? found.Value : Keep(ref slot, bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string Keep(ref Slots<string>.Slot? slot, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* pointer = bytes)
        {
            string text = Utf8.ToString(pointer, (nuint)bytes.Length);
            Volatile.Write(ref slot, new Slots<string>.Slot(bytes.ToArray(), text));
            return text;
        }
    }
}

/// <summary>Parsed JSON by its text. An element that belongs to no document that is disposed of is immutable.</summary>
internal static class JsonCache
{
    private const int Longest = 2048;

    private static readonly Slots<JsonElement> s_slots = new(256);

    internal static JsonElement Get(ReadOnlySpan<byte> json)
    {
        if (json.Length > Longest)
        {
            return JsonValue.Parse(json);
        }
        ref Slots<JsonElement>.Slot? slot = ref s_slots.Find(json);
        Slots<JsonElement>.Slot? found = Volatile.Read(ref slot);
        if (found is null || !json.SequenceEqual(found.Bytes))
        {
            found = new Slots<JsonElement>.Slot(json.ToArray(), JsonValue.Parse(json));
            Volatile.Write(ref slot, found);
        }
        return found.Value;
    }
}

/// <summary>One place for every hash; whoever comes last has it.</summary>
/// <param name="count">Number of places: a power of two.</param>
internal sealed class Slots<T>(int count)
{
    private readonly Slot?[] _slots = new Slot?[count];

    internal ref Slot? Find(ReadOnlySpan<byte> bytes)
    {
        ulong hash = (ulong)bytes.Length;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            hash = (hash ^ word) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 32;
        }
        for (int index = words.Length * sizeof(ulong); index < bytes.Length; index++)
        {
            hash = (hash ^ bytes[index]) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 32;
        }
        return ref _slots[(int)(hash % (uint)_slots.Length)];
    }

    internal sealed class Slot(byte[] bytes, T value)
    {
        internal byte[] Bytes { get; } = bytes;

        internal T Value { get; } = value;
    }
}
